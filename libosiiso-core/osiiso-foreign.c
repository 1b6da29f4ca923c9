/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dlfcn.h>
#include <glib-object.h>
#include <stdatomic.h>
#include <string.h>

#include "osiiso-foreign-private.h"

gboolean
osiiso_foreign_is_thread_bound (GDestroyNotify destroy)
{
  /* GJS passes the same function each time, and so do most others: one entry is enough. */
  static _Atomic (gpointer) known;
  static _Atomic (gpointer) known_plain;
  Dl_info info;

  if (destroy == NULL || atomic_load (&known_plain) == (gpointer) destroy)
    return FALSE;
  if (atomic_load (&known) == (gpointer) destroy)
    return TRUE;
  /* The callback itself is made at run time and belongs to no file; the function
   * that destroys it is a plain one of the binding. */
  if (g_type_from_name ("GjsContext") == G_TYPE_INVALID ||
      dladdr ((gpointer) destroy, &info) == 0 || info.dli_fname == NULL || strstr (info.dli_fname, "libgjs") == NULL)
    {
      atomic_store (&known_plain, (gpointer) destroy);
      return FALSE;
    }
  atomic_store (&known, (gpointer) destroy);
  return TRUE;
}

void
osiiso_foreign_collect_garbage (void)
{
  /* Found at run time, because nobody links to the interpreter who is run by it. */
  gpointer (*get_current) (void);
  void (*collect) (gpointer context);

  *(void **) &get_current = dlsym (RTLD_DEFAULT, "gjs_context_get_current");
  *(void **) &collect = dlsym (RTLD_DEFAULT, "gjs_context_gc");
  if (get_current != NULL && collect != NULL && get_current () != NULL)
    collect (get_current ());
}
