/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/wait.h>
#include <unistd.h>

#include "test-regressions.h"
#include "test-valgrind.h"

/* What was left behind: threads, descriptors, children, and waits that somebody
 * else's news ended. */

/* Item 12: children that have what is ours. */

static char *
list_fds_of_child (void)
{
  const char * const argv[] = { "ls", "/proc/self/fd", NULL };
  g_autoptr (GError) error = NULL;
  char *text = NULL;
  int status;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL, NULL,
                &text, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return text;
}

static void
test_12_descriptors (gconstpointer backend)
{
  g_autofree char *before = list_fds_of_child ();
  g_autofree char *after = NULL;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (OsiisoTaskOptions) timed = test_options_new ("timeout", 3600.0, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 3600.0, NULL);
  OsiisoAttempt *attempt = NULL;
  OsiisoQueue *queue;

  g_test_summary ("A program that is started while a queue works inherits no descriptor of it");

  g_main_context_push_thread_default (context);
  queue = test_queue_new (backend);
  test_submit_and_drop (queue, test_task_defer, &attempt, timed);
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (context, FALSE);
  /* A cancellable that something polls has a descriptor too. */
  g_assert_cmpint (g_cancellable_get_fd (osiiso_attempt_get_cancellable (attempt)), >=, 0);
  after = list_fds_of_child ();
  g_assert_cmpstr (after, ==, before);

  g_cancellable_release_fd (osiiso_attempt_get_cancellable (attempt));
  osiiso_attempt_unref (attempt);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
}

static void
test_12_fork (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  pid_t children[20];
  int fds[2];
  int n_calls = 0;

  g_test_summary ("A child that is forked while tasks run changes nothing for the queue, as long as it lives and afterwards");

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (children); i++)
    {
      for (int j = 0; j < 200; j++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_count_call, &n_calls, NULL, NULL, NULL), !=, 0);
      children[i] = fork ();
      g_assert_cmpint (children[i], >=, 0);
      if (children[i] == 0)
        {
          gssize n_read;
          char byte;

          /* Until the parent has done all its work. */
          close (fds[1]);
          n_read = read (fds[0], &byte, 1);
          close (fds[0]);
          _exit (n_read == 0 ? 0 : 1);
        }
    }
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (n_calls, ==, 200 * G_N_ELEMENTS (children));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);

  close (fds[1]);
  for (guint i = 0; i < G_N_ELEMENTS (children); i++)
    {
      int status = -1;

      g_assert_cmpint (waitpid (children[i], &status, 0), ==, children[i]);
      g_assert_cmpint (status, ==, 0);
    }
  close (fds[0]);
}

/* Item 21: threads that stay, and wake-ups for all. */

static gboolean
wake_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

static void
assert_threads_come_down_to (int n)
{
  const gint64 give_up = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  guint id = g_timeout_add (1, wake_cb, NULL);

  while (test_count_entries ("/proc/self/task") > n && g_get_monotonic_time () < give_up)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  g_assert_cmpint (test_count_entries ("/proc/self/task"), <=, n);
}

typedef enum
{
  SHUT_DOWN,
  ONLY_DROP,
} HowToEnd;

static void
use_and_end (const char *backend,
             HowToEnd    how)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) timed = test_options_new ("timeout", 3600.0, NULL);

  osiiso_queue_set_workers (queue, 4);
  for (int i = 0; i < 20; i++)
    test_submit_and_drop (queue, test_task_none, NULL, timed);
  test_run_all (queue);
  if (how == SHUT_DOWN)
    g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_21_threads (gconstpointer backend)
{
  int n_threads;

  g_test_summary ("No thread stays when its queue is gone, and none for the timers when no queue needs them");

  /* What GLib keeps for the process is there from the first time on. The thread
   * of the timers may be there too, so this is what may be left at most. */
  use_and_end (backend, SHUT_DOWN);
  n_threads = test_count_entries ("/proc/self/task");
  if (n_threads < 0)
    {
      g_test_skip ("no /proc/self/task");
      return;
    }
  for (int i = 0; i < 20; i++)
    use_and_end (backend, i % 2 ? SHUT_DOWN : ONLY_DROP);
  assert_threads_come_down_to (n_threads);
}

static gboolean
has_thread_for_timers (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  gboolean found = FALSE;
  const char *id;

  while (!found && (id = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_strdup_printf ("/proc/self/task/%s/comm", id);
      g_autofree char *name = NULL;

      found = g_file_get_contents (file, &name, NULL, NULL) && g_str_equal (name, "osiiso-timer\n");
    }
  return found;
}

static void
test_21_timers (gconstpointer backend)
{
  OsiisoQueue *queue;
  g_autoptr (OsiisoTaskOptions) soon = test_options_new ("delay", 0.001, NULL);
  g_autoptr (OsiisoTaskOptions) late = test_options_new ("delay", 3600.0, NULL);
  const gint64 give_up = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  g_autoptr (OsiisoHandle) handle = NULL;
  guint id;

  g_test_summary ("The thread of the timers goes when the last queue with a deadline is dropped, far away as that may be");

  if (test_count_entries ("/proc/self/task") < 0)
    {
      g_test_skip ("no /proc/self/task");
      return;
    }
  queue = test_queue_new (backend);
  test_submit_and_drop (queue, test_task_none, NULL, late);
  handle = test_submit (queue, test_task_none, NULL, soon);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_done (handle);
  g_assert_true (has_thread_for_timers ());
  osiiso_queue_cancel (queue);
  test_queue_free (queue);

  id = g_timeout_add (1, wake_cb, NULL);
  while (has_thread_for_timers () && g_get_monotonic_time () < give_up)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  g_assert_false (has_thread_for_timers ());
}

typedef struct
{
  OsiisoHandle  *handle;
  OsiisoAttempt *attempt;
  GThread       *thread;
  int            returned;
} Waiting;

static gpointer
wait_for_one (gpointer data)
{
  Waiting *waiting = data;

  g_assert_true (osiiso_handle_wait (waiting->handle, -1, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (waiting->handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_atomic_int_set (&waiting->returned, 1);
  return NULL;
}

static void
test_21_waiters (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Waiting waiting[24];
  guint order[G_N_ELEMENTS (waiting)];

  g_test_summary ("Each of many waiters is woken by the end of what it waits for, and by nothing else");

  osiiso_queue_set_workers (queue, G_N_ELEMENTS (waiting));
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    {
      waiting[i] = (Waiting) { .attempt = NULL };
      waiting[i].handle = test_submit (queue, test_task_defer, &waiting[i].attempt, NULL);
      order[i] = i;
    }
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    {
      while (g_atomic_pointer_get (&waiting[i].attempt) == NULL)
        g_main_context_iteration (NULL, FALSE);
      waiting[i].thread = g_thread_new ("wait", wait_for_one, &waiting[i]);
    }

  for (guint n = G_N_ELEMENTS (waiting); n > 0; n--)
    {
      guint at = (guint) g_test_rand_int_range (0, (gint32) n);
      Waiting *next = &waiting[order[at]];

      order[at] = order[n - 1];
      osiiso_attempt_return_none (next->attempt);
      osiiso_attempt_unref (next->attempt);
      g_thread_join (next->thread);
      g_assert_cmpint (next->returned, ==, 1);
      for (guint i = 0; i < n - 1; i++)
        g_assert_cmpint (g_atomic_int_get (&waiting[order[i]].returned), ==, 0);
    }
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    g_object_unref (waiting[i].handle);
  test_queue_free (queue);
}

void
test_add_regressions_system (void)
{
  test_add_for_backends ("/regressions/item-12-descriptors", test_12_descriptors);
  g_test_add_data_func ("/regressions/item-12-fork/main-loop", "main-loop", test_12_fork);
  /* valgrind takes for lost what is in the hands of threads that a child does not have. */
  if (!test_under_valgrind ())
    g_test_add_data_func ("/regressions/item-12-fork/thread-pool", "thread-pool", test_12_fork);
  test_add_for_backends ("/regressions/item-21-threads", test_21_threads);
  test_add_for_backends ("/regressions/item-21-timers", test_21_timers);
  test_add_for_backends ("/regressions/item-21-waiters", test_21_waiters);
}
