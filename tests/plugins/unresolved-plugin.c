/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls a function that exists nowhere. */
#include <osiiso.h>

GType fixture_function_that_exists_nowhere (void);

static GType
get_type (void)
{
  return fixture_function_that_exists_nowhere ();
}

OSIISO_BACKEND_DEFINE (unresolved, "unresolved", "Of an unresolved symbol", "1.0", get_type)
