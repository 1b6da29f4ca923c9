/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that needs a function which exists nowhere. */
#include <osiiso.h>

#define EXPORT __attribute__ ((visibility ("default")))

extern GVariant *osiiso_test_nowhere (void);

EXPORT GVariant *test_unresolved (OsiisoAttempt *attempt,
                                  GVariant      *args,
                                  GError       **error);

GVariant *
test_unresolved (OsiisoAttempt *attempt,
                 GVariant      *args,
                 GError       **error)
{
  return osiiso_test_nowhere ();
}
