/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "conformance.h"

/* osiiso-backend-conformance: finds out whether a backend does what every backend
 * has to do. Installed, for who writes one; see --help. */

/* A case is a process of its own, which gets its settings like this. */
#define VARIABLE_BACKEND "OSIISO_CONFORMANCE_BACKEND"
#define VARIABLE_TIMEOUT "OSIISO_CONFORMANCE_TIMEOUT"

#define EXIT_USAGE 2

static const char *backend_name;
static int timeout = 20;
static gboolean in_process;
static gboolean in_owner;
static gboolean only_calls;
static gboolean has_initializer;
static guint default_workers;

/* What is waited for; guarded by the lock. */
static struct
{
  GMutex       lock;
  GCond        cond;
  const char  *path;
  char        *what;
  OsiisoQueue *queue; /* not owned */
  gint64       since;
  guint64      left;    /* tasks in the queue then */
  guint        n_more;  /* how often it was found to go on, and got as much time again */
  gboolean     over;
} waiting;

/* A machine may be slow. */
#define MOST_MORE 5

void
conformance_wrong (const char *format,
                   ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("backend '%s' is wrong, in %s:\n  %s\n", backend_name, waiting.path, text);
  if (in_process)
    abort ();
  _exit (EXIT_FAILURE);
}

/* What the counts of a queue that does not go on mean. */
static void
explain_counts (OsiisoQueue *queue)
{
  const guint64 pending = osiiso_queue_get_pending_count (queue);
  const guint64 scheduled = osiiso_queue_get_scheduled_count (queue);
  const guint64 active = osiiso_queue_get_active_count (queue);
  const guint workers = osiiso_backend_get_workers (osiiso_queue_get_backend (queue));

  g_printerr ("  tasks that wait: %u, and for a time: %u; attempts under way: %u, of %u that may be\n",
              (guint) (pending - MIN (pending, scheduled)), (guint) scheduled, (guint) active, workers);
  if (pending > scheduled && active < workers)
    g_printerr ("  Tasks wait and there is room for them: after wake(), take until there is NULL.\n");
  else if (active > 0)
    g_printerr ("  Attempts were taken and have not ended: run each with osiiso_attempt_run(), and drop the reference.\n");
}

static void
give_up_locked (void)
{
  g_printerr ("backend '%s' is wrong, in %s:\n  waited %d seconds for %s\n",
              backend_name, waiting.path, timeout, waiting.what);
  if (waiting.queue != NULL)
    explain_counts (waiting.queue);
  if (in_process)
    abort ();
  _exit (EXIT_FAILURE);
}

static guint64
count_left (OsiisoQueue *queue) /* (nullable) */
{
  return queue != NULL ? osiiso_queue_get_pending_count (queue) + osiiso_queue_get_active_count (queue) : 0;
}

static gboolean
goes_on_locked (void)
{
  const guint64 left = count_left (waiting.queue);

  if (left >= waiting.left || waiting.n_more >= MOST_MORE)
    return FALSE;
  waiting.left = left;
  waiting.n_more++;
  waiting.since = g_get_monotonic_time ();
  return TRUE;
}

static gpointer
watch (gpointer unused)
{
  g_mutex_lock (&waiting.lock);
  while (!waiting.over)
    {
      const gint64 until = waiting.since + timeout * G_USEC_PER_SEC;

      if (!g_cond_wait_until (&waiting.cond, &waiting.lock, until) && !waiting.over &&
          g_get_monotonic_time () >= waiting.since + timeout * G_USEC_PER_SEC && !goes_on_locked ())
        give_up_locked ();
    }
  g_mutex_unlock (&waiting.lock);
  return NULL;
}

void
conformance_wait_for (OsiisoQueue *queue,
                      const char  *format,
                      ...)
{
  g_autofree char *old = NULL;
  va_list args;

  g_mutex_lock (&waiting.lock);
  old = waiting.what;
  va_start (args, format);
  waiting.what = g_strdup_vprintf (format, args);
  va_end (args);
  waiting.queue = queue;
  waiting.left = count_left (queue);
  waiting.n_more = 0;
  waiting.since = g_get_monotonic_time ();
  g_mutex_unlock (&waiting.lock);
}

static void
run_watched (const ConformanceCase *what)
{
  GThread *watcher;

  waiting.path = what->path;
  waiting.over = FALSE;
  conformance_wait_for (NULL, "the case to begin");
  watcher = g_thread_new ("watch", watch, NULL);
  what->func ();
  g_mutex_lock (&waiting.lock);
  waiting.over = TRUE;
  g_cond_signal (&waiting.cond);
  g_mutex_unlock (&waiting.lock);
  g_thread_join (watcher);
  g_clear_pointer (&waiting.what, g_free);
  osiiso_private_test_hooks ()->clock_set_manual (0);
}

static void
run_case (gconstpointer data)
{
  const ConformanceCase *what = data;

  g_test_summary (what->promise);
  if (in_process || g_test_subprocess ())
    {
      run_watched (what);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  if (!g_test_trap_has_passed ())
    g_test_fail_printf ("backend '%s': %s", backend_name, what->promise);
}

/* What cases are made of. */

OsiisoBackend *
conformance_backend_new (void)
{
  g_autoptr (GError) error = NULL;
  OsiisoBackend *backend = osiiso_backend_create (backend_name, &error);

  conformance_check (backend != NULL, "it cannot be made: %s", error->message);
  return backend;
}

gboolean
conformance_in_owner (void)
{
  return in_owner;
}

guint
conformance_get_workers (void)
{
  return default_workers;
}

OsiisoQueue *
conformance_queue_new (void)
{
  g_autoptr (OsiisoBackend) backend = conformance_backend_new ();

  return osiiso_queue_new_with_backend (backend);
}

static void
note_gone (gpointer data,
           GObject *where_it_was)
{
  g_atomic_int_inc ((int *) data);
}

void
conformance_queue_free (OsiisoQueue *queue)
{
  OsiisoBackend *backend = osiiso_queue_get_backend (queue);
  int n_queues = 0;
  int n_backends = 0;

  conformance_shutdown (queue, TRUE);
  g_object_weak_ref (G_OBJECT (queue), note_gone, &n_queues);
  g_object_weak_ref (G_OBJECT (backend), note_gone, &n_backends);
  g_object_unref (queue);
  conformance_wait_for (NULL, "the queue to be freed after its shutdown: something has a reference on it");
  conformance_await (&n_queues, 1);
  conformance_wait_for (NULL, "the backend to be freed after its queue: a thread or a source of it is still there, "
                              "or it has a reference too many on itself");
  conformance_await (&n_backends, 1);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gboolean
wake_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

void
conformance_await (const int *counter,
                   int        n)
{
  /* Another thread may count without waking the context. */
  guint id = g_timeout_add (1, wake_cb, NULL);

  while (g_atomic_int_get (counter) < n)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

void
conformance_await_status (OsiisoHandle *handle,
                          OsiisoStatus  status)
{
  guint id = g_timeout_add (1, wake_cb, NULL);
  OsiisoStatus now;

  while ((now = osiiso_handle_get_status (handle)) != status)
    {
      conformance_check (now < OSIISO_STATUS_SUCCEEDED, "a task ended with status %d instead of coming to status %d", now, status);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (id);
}

void
conformance_start (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  conformance_wait_for (NULL, "open() to return, and wake() if tasks wait already");
  ok = osiiso_queue_start (queue, &error);
  conformance_check (ok, "open() failed: %s", ok ? "" : error->message);
}

void
conformance_join (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  conformance_wait_for (queue, "all tasks to end");
  ok = osiiso_queue_join (queue, NULL, &error);
  conformance_check (ok, "no end of the work can be waited for: %s", ok ? "" : error->message);
}

void
conformance_shutdown (OsiisoQueue *queue,
                      gboolean     force)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  conformance_wait_for (queue, "the queue to be closed%s: after close(), osiiso_backend_closed() has to be called",
                        force ? ", by force" : "");
  ok = osiiso_queue_shutdown (queue, force, NULL, &error);
  conformance_check (ok, "the queue cannot be shut down: %s", ok ? "" : error->message);
}

void
conformance_push (OsiisoQueue       *queue,
                  OsiisoTaskFunc     func,
                  gpointer           data,
                  GDestroyNotify     destroy,
                  OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  conformance_wait_for (queue, "a call that submits to return: wake() must not block");
  ok = osiiso_queue_push (queue, func, data, destroy, options, &error) != 0;
  conformance_check (ok, "a task was refused: %s", ok ? "" : error->message);
}

void
conformance_join_succeeded (OsiisoQueue *queue,
                            guint        n)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GListModel) errors = NULL;
  g_autoptr (OsiisoTaskResult) first = NULL;

  conformance_join (queue);
  summary = osiiso_queue_dup_summary (queue);
  errors = osiiso_run_summary_errors (summary);
  first = g_list_model_get_item (errors, 0);
  conformance_check (osiiso_run_summary_get_succeeded (summary) == n,
                     "of %u tasks %u have succeeded, %u have failed and %u were cancelled%s%s", n,
                     (guint) osiiso_run_summary_get_succeeded (summary), (guint) osiiso_run_summary_get_failed (summary),
                     (guint) osiiso_run_summary_get_cancelled (summary), first != NULL ? ": " : "",
                     first != NULL ? osiiso_task_result_get_message (first) : "");
}

void
conformance_expect_error (OsiisoHandle *handle,
                          GQuark        domain,
                          int           code,
                          const char   *after)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  conformance_check (g_error_matches (error, domain, code), "after %s a task has %s%s", after,
                     error != NULL ? "the error: " : "no error", error != NULL ? error->message : "");
}

void
conformance_count (OsiisoAttempt *attempt,
                   gpointer       counter)
{
  g_atomic_int_inc ((int *) counter);
}

void
conformance_count_release (gpointer counter)
{
  g_atomic_int_inc ((int *) counter);
}

/* The command line. */

static void
print_names (void)
{
  g_auto (GStrv) names = osiiso_backend_list_names ();

  for (guint i = 0; names[i] != NULL; i++)
    g_print ("%s\n", names[i]);
}

/* FALSE when there is nothing that could be tested. */
static gboolean
look_at_backend (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (backend_name, &error);
  OsiisoBackendCapabilities capabilities;

  if (backend == NULL)
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  capabilities = osiiso_backend_get_capabilities (backend);
  if (!(capabilities & (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CALLS)))
    {
      g_printerr ("Backend '%s' has neither the capability FUNCTIONS nor CALLS, so this program cannot give it any work\n", backend_name);
      return FALSE;
    }
  only_calls = !(capabilities & OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  in_owner = (capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) != 0;
  has_initializer = (capabilities & OSIISO_BACKEND_CAPABILITIES_INITIALIZER) != 0;
  default_workers = osiiso_backend_get_workers (backend);
  return TRUE;
}

static void
add_cases (const ConformanceCase *cases)
{
  for (guint i = 0; cases[i].path != NULL; i++)
    g_test_add_data_func (cases[i].path, &cases[i], run_case);
}

/* A backend that says it calls no initializer is left in peace: the queue takes none
 * then. */
static void
add_init (void)
{
  if (has_initializer)
    add_cases (conformance_init);
  for (guint i = 0; !has_initializer && !g_test_subprocess () && conformance_init[i].path != NULL; i++)
    g_test_message ("%s is left out: the backend does not have the capability INITIALIZER", conformance_init[i].path);
}

/* For a backend that runs no functions of this process. */
static void
add_calls (void)
{
  /* The one that runs none. */
  for (guint i = 0; conformance_open[i].path != NULL; i++)
    {
      if (g_str_equal (conformance_open[i].path, "/conformance/open/describe"))
        g_test_add_data_func (conformance_open[i].path, &conformance_open[i], run_case);
    }
  add_cases (conformance_calls);
  for (guint i = 0; !g_test_subprocess () && conformance_omissions[i].path != NULL; i++)
    g_test_message ("%s is left out: %s", conformance_omissions[i].path, conformance_omissions[i].reason);
}

static gboolean
parse_options (int    *argc,
               char ***argv)
{
  static gboolean list;
  static const GOptionEntry entries[] = {
    { "backend", 'b', 0, G_OPTION_ARG_STRING, &backend_name, "Test this backend", "NAME" },
    { "list", 0, 0, G_OPTION_ARG_NONE, &list, "List the backends that are found, and exit", NULL },
    { "timeout", 't', 0, G_OPTION_ARG_INT, &timeout, "Give up a wait after that many seconds (default: 20)", "SECONDS" },
    { "in-process", 0, 0, G_OPTION_ARG_NONE, &in_process, "Run all cases in this process, for a debugger", NULL },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context,
    "Finds out whether a backend of libosiiso does what every backend has to do, and\n"
    "says in TAP, and for people on standard error, what it does wrong.");
  g_option_context_set_description (context,
    "Backends are found as in any program; OSIISO_BACKEND_PATH adds folders. The\n"
    "options of GLib's test programs are understood besides: -l lists the cases,\n"
    "-p PATH runs some of them.\n"
    "\n"
    "  OSIISO_BACKEND_PATH=$PWD/build osiiso-backend-conformance --backend mine\n"
    "\n"
    "The status is 0 when all cases passed, 1 when one did not, and 2 when there was\n"
    "nothing to be tested.");
  /* The rest is for g_test_init(). */
  g_option_context_set_ignore_unknown_options (context, TRUE);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  if (list)
    {
      print_names ();
      exit (EXIT_SUCCESS);
    }
  return TRUE;
}

/* From the process that runs this one as a case, or for it. */
static void
share_settings (void)
{
  g_autofree char *seconds = NULL;

  if (backend_name == NULL)
    {
      const char *value = g_getenv (VARIABLE_TIMEOUT);

      backend_name = g_getenv (VARIABLE_BACKEND);
      if (value != NULL)
        timeout = atoi (value);
      return;
    }
  seconds = g_strdup_printf ("%d", timeout);
  g_setenv (VARIABLE_BACKEND, backend_name, TRUE);
  g_setenv (VARIABLE_TIMEOUT, seconds, TRUE);
}

/* What g_test_init() gets. */
static char **
make_test_arguments (int   *argc,
                     char **argv)
{
  static char keep_going[] = "-k";
  static char *self;
  char **made = g_new0 (char *, *argc + 2);

  /* Found on the PATH perhaps, where the processes of the cases would not be. */
  self = g_file_read_link ("/proc/self/exe", NULL);
  made[0] = self != NULL ? self : argv[0];
  /* One case that fails says nothing of the others. */
  made[1] = keep_going;
  for (int i = 1; i < *argc; i++)
    made[i + 1] = argv[i];
  (*argc)++;
  return made;
}

int
main (int   argc,
      char *argv[])
{
  g_autofree char **arguments = NULL;

  if (!parse_options (&argc, &argv))
    return EXIT_USAGE;
  share_settings ();
  if (backend_name == NULL || timeout <= 0)
    {
      g_printerr ("%s\n", timeout <= 0 ? "The timeout is 1 second or more"
                                       : "Say which backend, with --backend NAME; --list shows which there are");
      return EXIT_USAGE;
    }
  arguments = make_test_arguments (&argc, argv);
  g_test_init (&argc, &arguments, NULL);
  if (argc > 1)
    {
      g_printerr ("'%s' means nothing here; see --help\n", arguments[1]);
      return EXIT_USAGE;
    }
  if (!look_at_backend ())
    return EXIT_USAGE;

  if (only_calls)
    {
      add_calls ();
      return g_test_run ();
    }
  add_cases (conformance_open);
  add_init ();
  add_cases (conformance_wake);
  add_cases (conformance_close);
  add_cases (conformance_tasks);
  add_cases (conformance_storms);
  return g_test_run ();
}
