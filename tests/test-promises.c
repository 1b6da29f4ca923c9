/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-utils.h"

/* What docs/reliability.md promises about a process as a whole. */

#define N_TASKS 50

/* Where and when signals come. */

typedef struct
{
  GThread *owner;
  gboolean submitting;
  gboolean disposed;
  guint    n_told;
} Listener;

static void
on_told (OsiisoQueue  *queue,
         OsiisoHandle *handle,
         Listener     *listener)
{
  g_assert_true (g_thread_self () == listener->owner);
  g_assert_false (listener->submitting);
  g_assert_false (listener->disposed);
  listener->n_told++;
}

static void
submit_some (OsiisoQueue   *queue,
             Listener      *listener,
             OsiisoTaskFunc func,
             gpointer       data)
{
  listener->submitting = TRUE;
  for (guint i = 0; i < N_TASKS; i++)
    test_submit_and_drop (queue, func, data, NULL);
  listener->submitting = FALSE;
}

static void
test_told (gconstpointer backend)
{
  /* Threads may be in it when the test is over. */
  static TestGate gate;
  g_autoptr (GMainContext) context = g_main_context_new ();
  Listener listener = { .owner = g_thread_self () };
  OsiisoQueue *queue;

  g_test_summary ("Signals come in the owner's context, not within a submit, and not after the dispose");

  g_main_context_push_thread_default (context);
  gate.open = FALSE;
  queue = test_queue_new (backend);
  osiiso_queue_set_workers (queue, 2);
  g_signal_connect (queue, "on-start", G_CALLBACK (on_told), &listener);
  g_signal_connect (queue, "on-complete", G_CALLBACK (on_told), &listener);
  g_assert_true (osiiso_queue_start (queue, NULL));
  submit_some (queue, &listener, test_task_none, NULL);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (listener.n_told, ==, 2 * N_TASKS);

  /* In their functions where there are threads, and waiting where there are none. */
  submit_some (queue, &listener, test_task_gate, &gate);
  if (g_str_equal (backend, "thread-pool"))
    test_gate_await (&gate, 2);
  g_object_run_dispose (G_OBJECT (queue));
  listener.disposed = TRUE;
  test_gate_open (&gate);
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
}

/* A blocked queue, and another one. */

#define N_BLOCKED 16

static void
test_isolation (void)
{
  OsiisoQueue *blocked = test_queue_new ("thread-pool");
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  TestGate gate;

  g_test_summary ("A queue all of whose workers are blocked keeps no other queue from its work");

  test_gate_init (&gate);
  osiiso_queue_set_workers (blocked, N_BLOCKED);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (blocked, NULL));
  for (guint i = 0; i < 2 * N_BLOCKED; i++)
    test_submit_and_drop (blocked, test_task_gate, &gate, NULL);
  test_gate_await (&gate, N_BLOCKED);

  for (guint i = 0; i < N_TASKS; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, N_TASKS);
  g_assert_cmpuint (osiiso_queue_get_completed_count (blocked), ==, 0);

  test_gate_open (&gate);
  g_assert_true (osiiso_queue_join (blocked, NULL, NULL));
  test_queue_free (queue);
  test_queue_free (blocked);
  test_gate_clear (&gate);
}

/* What a queue leaves behind. */

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
submit_for_backend (OsiisoQueue *queue,
                    const char  *backend)
{
  const char *argv[] = { "true", NULL };

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (OsiisoHandle) handle = NULL;

      if (g_str_equal (backend, "subprocess"))
        handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);
      else
        handle = osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, NULL);
      g_assert_nonnull (handle);
    }
}

static void
use_once (const char *backend,
          gboolean    force)
{
  OsiisoQueue *queue = test_queue_new (backend);

  osiiso_queue_set_workers (queue, 3);
  g_assert_true (osiiso_queue_start (queue, NULL));
  submit_for_backend (queue, backend);
  g_assert_true (osiiso_queue_shutdown (queue, force, NULL, NULL));
  test_queue_free (queue);
}

static void
test_nothing_left (gconstpointer backend)
{
  guint n_threads;
  guint n_fds;

  g_test_summary ("After a shutdown, drained or forced, there is no thread, descriptor or process more than before");

  /* GLib makes threads and descriptors of its own, once. */
  use_once (backend, FALSE);
  while (waitpid (-1, NULL, WNOHANG) == 0)
    g_thread_yield ();
  n_threads = count_entries ("/proc/self/task");
  n_fds = count_entries ("/proc/self/fd");
  for (guint i = 0; i < 6; i++)
    use_once (backend, i % 2 == 1);
  /* A thread that has ended is listed until the kernel has taken it down. */
  while (count_entries ("/proc/self/task") > n_threads)
    g_thread_yield ();
  while (waitpid (-1, NULL, WNOHANG) == 0)
    g_thread_yield ();
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
  g_assert_cmpuint (count_entries ("/proc/self/fd"), <=, n_fds);
}

/* What belongs to the application. */

static void
use_all (void)
{
  use_once ("main-loop", FALSE);
  use_once ("thread-pool", FALSE);
  use_once ("subprocess", FALSE);
}

static void
test_signal_handlers (void)
{
  struct sigaction before[NSIG];

  g_test_summary ("No backend installs or changes a signal handler, or the mask of the thread");

  memset (before, 0, sizeof before);
  for (int i = 1; i < NSIG; i++)
    sigaction (i, NULL, &before[i]);
  use_all ();
  for (int i = 1; i < NSIG; i++)
    {
      struct sigaction now;

      if (sigaction (i, NULL, &now) == 0)
        {
          g_assert_true (now.sa_handler == before[i].sa_handler);
          g_assert_cmpint (now.sa_flags, ==, before[i].sa_flags);
        }
    }
}

static void
reap_all (int signal_number)
{
  const int saved = errno;

  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  errno = saved;
}

static void
test_user_reaps (void)
{
  struct sigaction action = { .sa_handler = reap_all, .sa_flags = SA_RESTART };
  const char *argv[] = { "true", NULL };
  OsiisoQueue *queue = test_queue_new ("subprocess");
  struct sigaction before;
  guint n;

  g_test_summary ("Commands end, each once, when the application's handler reaps all children");

  g_assert_no_errno (sigaction (SIGCHLD, &action, &before));
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (n = 0; n < 20; n++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);

      g_assert_nonnull (handle);
      g_assert_true (osiiso_handle_wait (handle, -1, NULL, NULL));
      g_assert_cmpint (osiiso_handle_get_status (handle), >=, OSIISO_STATUS_SUCCEEDED);
    }
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, n);
  g_assert_no_errno (sigaction (SIGCHLD, &before, NULL));
  test_queue_free (queue);
}

#define CLOSED "--closed"

static const char *own_path;

static void
test_closed_descriptors (void)
{
  const char *argv[] = { own_path, CLOSED, NULL };
  GError *error = NULL;
  int status;

  g_test_summary ("All backends work in a process without standard input, output and errors");

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

static void
run_closed (void)
{
  for (int i = 0; i < 3; i++)
    close (i);
  use_all ();
}

int
main (int    argc,
      char **argv)
{
  own_path = argv[0];
  if (argc > 1 && strcmp (argv[1], CLOSED) == 0)
    {
      run_closed ();
      return 0;
    }

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/promises/signal-handlers", test_signal_handlers);
  g_test_add_data_func ("/promises/told/main-loop", "main-loop", test_told);
  g_test_add_data_func ("/promises/told/thread-pool", "thread-pool", test_told);
  g_test_add_func ("/promises/isolation", test_isolation);
  g_test_add_data_func ("/promises/nothing-left/main-loop", "main-loop", test_nothing_left);
  g_test_add_data_func ("/promises/nothing-left/thread-pool", "thread-pool", test_nothing_left);
  g_test_add_data_func ("/promises/nothing-left/processes", "subprocess", test_nothing_left);
  g_test_add_func ("/promises/user-reaps", test_user_reaps);
  g_test_add_func ("/promises/closed-descriptors", test_closed_descriptors);
  return g_test_run ();
}
