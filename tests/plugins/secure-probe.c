/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says what the loader makes of the environment. The test runs it with and
 * without rights that its caller does not have. */
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <osiiso.h>

static void
print_backend (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (name, &error);

  g_print ("%s: %s\n", name != NULL ? name : "default",
           backend != NULL ? G_OBJECT_TYPE_NAME (backend) : error->message);
}

int
main (int   argc,
      char *argv[])
{
  g_auto (GStrv) names = NULL;
  g_autofree char *list = NULL;

  names = osiiso_backend_list_names ();
  list = g_strjoinv (" ", names);

  g_print ("secure: %d\n", getauxval (AT_SECURE) != 0);
  g_print ("names: %s\n", list);
  print_backend ("good");
  print_backend (NULL);

  /* A leak checker may look at the process only if all its ids are the same. */
  if (setresgid (getegid (), getegid (), getegid ()) != 0 ||
      setresuid (geteuid (), geteuid (), geteuid ()) != 0)
    return EXIT_FAILURE;
  prctl (PR_SET_DUMPABLE, 1);

  return EXIT_SUCCESS;
}
