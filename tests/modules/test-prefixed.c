/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module in a file that begins with "lib". */
#include <osiiso.h>

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT GVariant *test_prefixed (OsiisoAttempt *attempt,
                                GVariant      *args,
                                GError       **error);

GVariant *
test_prefixed (OsiisoAttempt *attempt,
               GVariant      *args,
               GError       **error)
{
  return g_variant_new_string ("prefixed");
}
