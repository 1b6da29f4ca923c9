/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-secure-private.h"

#include <stdlib.h>

#ifndef HAVE_SECURE_GETENV
# ifdef HAVE_GETAUXVAL
#  include <sys/auxv.h>
# endif
# ifdef G_OS_UNIX
#  include <unistd.h>
# endif

static gboolean
has_foreign_rights (void)
{
# ifdef HAVE_GETAUXVAL
  /* The kernel's own word: it also knows of file capabilities, and it stays true
   * after the program has changed its ids. */
  if (getauxval (AT_SECURE) != 0)
    return TRUE;
# endif
# ifdef G_OS_UNIX
  return getuid () != geteuid () || getgid () != getegid ();
# else
  return FALSE;
# endif
}
#endif

const char *
osiiso_secure_getenv (const char *name)
{
#ifdef HAVE_SECURE_GETENV
  return secure_getenv (name);
#else
  return has_foreign_rights () ? NULL : g_getenv (name);
#endif
}
