/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/* valgrind starts children in its own way: nobody hears why exec() has failed, there
 * are no pidfds, and what it needs itself shows in children, and in limits. */
static inline gboolean
test_under_valgrind (void)
{
  const char *preloaded = g_getenv ("LD_PRELOAD");

  return preloaded != NULL && strstr (preloaded, "vgpreload") != NULL;
}

/* A case that can only be tried without it. */
#define test_add_native(path, func)                                                     \
  G_STMT_START {                                                                        \
    if (!test_under_valgrind ())                                                        \
      g_test_add_func (path, func);                                                     \
  } G_STMT_END

G_END_DECLS
