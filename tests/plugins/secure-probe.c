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

/* A backend that runs everything where it is submitted. */
typedef OsiisoBackend ProbeBackend;
typedef OsiisoBackendClass ProbeBackendClass;

static GType probe_backend_get_type (void);
G_DEFINE_TYPE (ProbeBackend, probe_backend, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
probe_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CALLS;
}

static void
probe_backend_wake (OsiisoBackend *backend,
                    guint          n)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static void
probe_backend_close (OsiisoBackend *backend,
                     gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
probe_backend_class_init (ProbeBackendClass *klass)
{
  klass->get_capabilities = probe_backend_get_capabilities;
  klass->wake = probe_backend_wake;
  klass->close = probe_backend_close;
}

static void
probe_backend_init (ProbeBackend *self)
{
}

static void
print_call (const char *function)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (probe_backend_get_type (), NULL);
  g_autoptr (OsiisoQueue) queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_call (queue, function, NULL, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (queue, NULL, NULL);
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_print ("%s: %s\n", function, error != NULL ? error->message : "done");
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
  print_call ("test-calls:test_none");

  /* A leak checker may look at the process only if all its ids are the same. */
  if (setresgid (getegid (), getegid (), getegid ()) != 0 ||
      setresuid (geteuid (), geteuid (), geteuid ()) != 0)
    return EXIT_FAILURE;
  prctl (PR_SET_DUMPABLE, 1);

  return EXIT_SUCCESS;
}
