/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-utils.h"

/* What every backend has to get right, whatever it is: run with
 *
 *   osiiso-backend-conformance --backend NAME
 *
 * and OSIISO_BACKEND_PATH set to the folder of the plugin. */

static const char *backend_name;

static void
count_int (gpointer counter)
{
  g_atomic_int_inc ((int *) counter);
}

static void
add_one (OsiisoAttempt *attempt,
         gpointer       counter)
{
  g_atomic_int_inc ((int *) counter);
}

static void
test_open (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (backend_name, &error);
  OsiisoQueue *queue;

  g_test_summary ("The backend is found by its name, says what it can do, opens and closes");

  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_backend_get_capabilities (backend), !=, 0);
  g_assert_cmpuint (osiiso_backend_get_workers (backend), >=, 1);
  g_assert_null (osiiso_backend_take (backend));

  queue = osiiso_queue_new_with_backend (backend);
  g_assert_true (osiiso_backend_get_context (backend) == osiiso_queue_get_context (queue));
  g_assert_true (osiiso_queue_start (queue, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_start (queue, &error));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (osiiso_backend_take (backend));
  test_queue_free (queue);

  /* It can be used again. */
  queue = osiiso_queue_new_with_backend (backend);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_every_task_once (void)
{
  const int n = 20000;
  OsiisoQueue *queue = test_queue_new (backend_name);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_run = 0;
  int n_destroyed = 0;

  g_test_summary ("Every task runs exactly once and its data are released exactly once");

  for (int i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", i % 7, NULL);

      g_assert_cmpuint (osiiso_queue_push (queue, add_one, &n_run, NULL, options, NULL), !=, 0);
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, count_int, NULL, NULL), !=, 0);
    }
  summary = test_run (queue);
  g_assert_cmpint (n_run, ==, n);
  g_assert_cmpint (n_destroyed, ==, n);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2 * n);
  test_queue_free (queue);
}

static void
test_one_by_one (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);

  g_test_summary ("An idle backend is woken for each task, again and again");

  g_assert_true (osiiso_queue_start (queue, NULL));
  for (int i = 0; i < 2000; i++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
    }
  test_queue_free (queue);
}

typedef struct
{
  int n_now;
  int n_most;
} Gauge;

static gpointer
report_later (gpointer attempt)
{
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
measure (OsiisoAttempt *attempt,
         gpointer       data)
{
  Gauge *gauge = data;
  int now = g_atomic_int_add (&gauge->n_now, 1) + 1;
  int most = g_atomic_int_get (&gauge->n_most);

  while (now > most && !g_atomic_int_compare_and_exchange (&gauge->n_most, most, now))
    most = g_atomic_int_get (&gauge->n_most);
  g_thread_yield ();
  g_atomic_int_add (&gauge->n_now, -1);
}

static void
test_limit (void)
{
  Gauge gauge = { 0 };

  g_test_summary ("No more functions run at a time than the queue has workers, also while that number changes");

  for (guint workers = 1; workers <= 3; workers++)
    {
      OsiisoQueue *queue = test_queue_new (backend_name);

      memset (&gauge, 0, sizeof gauge);
      osiiso_queue_set_workers (queue, workers);
      for (int i = 0; i < 500; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, measure, &gauge, NULL, NULL, NULL), !=, 0);
      test_run_all (queue);
      g_assert_cmpint (gauge.n_most, <=, (int) workers);
      g_assert_cmpint (gauge.n_now, ==, 0);
      test_queue_free (queue);
    }
}

static void
test_deferred (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("A deferred attempt is still running after its function, until another thread reports");

  handle = test_submit (queue, test_task_defer, &attempt, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_thread_join (g_thread_new ("report", report_later, attempt));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_retries (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 4, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 100, test_task_fail, NULL, NULL, options, NULL);
  g_autoptr (OsiisoRunSummary) summary = test_run (queue);

  g_test_summary ("A failing task gets the attempts that it may have and no more");

  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 100);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 5);
    }
  test_queue_free (queue);
}

static void
test_timeout (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.02, NULL);
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A timeout ends an attempt, and the backend goes on");

  test_run_all (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  while (!g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)))
    g_main_context_iteration (NULL, TRUE);
  osiiso_attempt_unref (attempt);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
work_a_little (OsiisoAttempt *attempt,
               gpointer       unused)
{
  const gint64 until = g_get_monotonic_time () + 100;

  while (g_get_monotonic_time () < until)
    g_thread_yield ();
}

static void
test_timeout_storm (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.0001, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("Timeouts that come just when the function returns lose neither tasks nor workers");

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 3000; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, work_a_little, NULL, NULL, options, NULL), !=, 0);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 3000);
  g_test_message ("%u of 3000 timed out", (guint) osiiso_run_summary_get_failed (summary));
  test_queue_free (queue);
}

static gpointer
cancel_all (gpointer group)
{
  return GUINT_TO_POINTER (osiiso_group_cancel (group));
}

typedef struct
{
  int *counter;
  int  released;
} Counted;

static void
count_run (OsiisoAttempt *attempt,
           gpointer       data)
{
  add_one (attempt, ((Counted *) data)->counter);
}

static void
counted_released (gpointer data)
{
  ((Counted *) data)->released = 1;
}

static void
test_cancel_storm (void)
{
  g_test_summary ("Tasks that are cancelled while they run and wait end once each");

  for (int round = 0; round < 20; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend_name);
      int n_run = 0;
      int n_destroyed = 0;
      Counted counted = { &n_run, 0 };
      g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1000, count_run, &counted, counted_released, NULL, NULL);
      g_autoptr (OsiisoRunSummary) all = NULL;
      GThread *thread;

      for (int i = 0; i < 1000; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, count_int, NULL, NULL), !=, 0);
      g_assert_true (osiiso_queue_start (queue, NULL));
      thread = g_thread_new ("cancel", cancel_all, group);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_thread_join (thread);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      all = osiiso_queue_dup_summary (queue);
      g_assert_cmpuint (osiiso_run_summary_get_total_submitted (all), ==, 2000);
      test_queue_free (queue);
      while (g_atomic_int_get (&n_destroyed) < 1000 || !counted.released)
        g_main_context_iteration (NULL, FALSE);
      g_assert_cmpint (n_destroyed, ==, 1000);
      g_assert_cmpint (n_run, <=, 1000);
    }
}

static void
test_force (void)
{
  g_test_summary ("A forced shutdown ends at once with work of every kind about");

  for (int round = 0; round < 50; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend_name);
      g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
      g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("retries", 5, "retry-delay", 1000.0, NULL);
      g_autoptr (GError) error = NULL;
      int n_destroyed = 0;

      for (int i = 0; i < 50; i++)
        {
          osiiso_queue_push (queue, test_task_none, &n_destroyed, count_int, delayed, NULL);
          osiiso_queue_push (queue, test_task_fail, &n_destroyed, count_int, retrying, NULL);
          osiiso_queue_push (queue, test_task_none, &n_destroyed, count_int, NULL, NULL);
        }
      if (round % 2)
        g_assert_true (osiiso_queue_start (queue, NULL));
      if (round % 3 == 0)
        g_main_context_iteration (NULL, FALSE);
      g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
      g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
      test_queue_free (queue);
      /* A function that was running keeps its data until it has returned. */
      while (g_atomic_int_get (&n_destroyed) < 150)
        g_main_context_iteration (NULL, FALSE);
      g_assert_cmpint (n_destroyed, ==, 150);
    }
}

static void
test_pause (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  int n_run = 0;

  g_test_summary ("Pausing and resuming at any moment loses nothing");

  g_assert_true (osiiso_queue_start (queue, NULL));
  for (int i = 0; i < 3000; i++)
    {
      if (i % 3 == 0)
        osiiso_queue_pause (queue);
      g_assert_cmpuint (osiiso_queue_push (queue, add_one, &n_run, NULL, NULL, NULL), !=, 0);
      if (i % 3 == 1)
        osiiso_queue_resume (queue);
    }
  osiiso_queue_resume (queue);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (n_run, ==, 3000);
  test_queue_free (queue);
}

static guint
n_deferred (OsiisoAttempt **attempts,
            guint           n)
{
  guint n_set = 0;

  for (guint i = 0; i < n; i++)
    n_set += g_atomic_pointer_get (&attempts[i]) != NULL;
  return n_set;
}

static void
test_two_queues (void)
{
  OsiisoQueue *blocked = test_queue_new (backend_name);
  OsiisoQueue *other = test_queue_new (backend_name);
  OsiisoAttempt *attempts[40] = { NULL };

  g_test_summary ("A queue whose workers are all taken does not hold up another one");

  osiiso_queue_set_workers (blocked, 2);
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    test_submit_and_drop (blocked, test_task_defer, &attempts[i], NULL);
  g_assert_true (osiiso_queue_start (blocked, NULL));
  for (int i = 0; i < 100; i++)
    test_submit_and_drop (other, test_task_none, NULL, NULL);
  test_run_all (other);
  g_assert_cmpuint (osiiso_queue_get_completed_count (other), ==, 100);
  /* Both functions that there are workers for have left what they defer. */
  while (n_deferred (attempts, G_N_ELEMENTS (attempts)) < 2)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (osiiso_queue_shutdown (blocked, TRUE, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    if (attempts[i] != NULL)
      osiiso_attempt_unref (attempts[i]);
  test_queue_free (blocked);
  test_queue_free (other);
}

typedef struct
{
  OsiisoQueue *queue;
  TestGate    *gate;
  int          n_ended;
  int          n_refused;
} Waits;

static void
wait_for_child (OsiisoAttempt *attempt,
                gpointer       data)
{
  Waits *waits = data;
  g_autoptr (OsiisoHandle) child = test_submit (waits->queue, test_task_none, NULL, NULL);
  g_autoptr (GError) error = NULL;

  /* Both at the same time, where tasks run at the same time. */
  if (waits->gate != NULL)
    test_gate_pass (waits->gate);
  if (!osiiso_handle_wait (child, -1, NULL, &error))
    {
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
      g_atomic_int_inc (&waits->n_refused);
    }
  g_atomic_int_inc (&waits->n_ended);
}

static void
test_waits_for_children (void)
{
  OsiisoQueue *queue = test_queue_new (backend_name);
  const OsiisoBackendCapabilities capabilities = osiiso_backend_get_capabilities (osiiso_queue_get_backend (queue));
  Waits waits = { queue, NULL, 0, 0 };

  g_test_summary ("When as many tasks as there are workers wait for others, no wait lasts for ever");

  osiiso_queue_set_workers (queue, 2);
  for (int round = 1; round <= 200; round++)
    {
      TestGate gate;

      test_gate_init (&gate);
      if (!(capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES))
        waits.gate = &gate;
      for (int i = 0; i < 2; i++)
        test_submit_and_drop (queue, wait_for_child, &waits, NULL);
      if (waits.gate != NULL)
        {
          g_assert_true (osiiso_queue_start (queue, NULL));
          test_gate_await (&gate, 2);
          test_gate_open (&gate);
        }
      test_run_all (queue);
      g_assert_cmpint (waits.n_ended, ==, 2 * round);
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 4 * round);
      test_gate_clear (&gate);
    }
  g_test_message ("%d of %d waits were refused", waits.n_refused, waits.n_ended);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  const GOptionEntry entries[] = {
    { "backend", 0, 0, G_OPTION_ARG_STRING, &backend_name, "The backend to test", "NAME" },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (backend_name == NULL)
    {
      g_printerr ("Say which backend, with --backend NAME\n");
      return 2;
    }

  g_test_add_func ("/conformance/open", test_open);
  g_test_add_func ("/conformance/every-task-once", test_every_task_once);
  g_test_add_func ("/conformance/one-by-one", test_one_by_one);
  g_test_add_func ("/conformance/limit", test_limit);
  g_test_add_func ("/conformance/deferred", test_deferred);
  g_test_add_func ("/conformance/retries", test_retries);
  g_test_add_func ("/conformance/timeout", test_timeout);
  g_test_add_func ("/conformance/timeout-storm", test_timeout_storm);
  g_test_add_func ("/conformance/cancel-storm", test_cancel_storm);
  g_test_add_func ("/conformance/force", test_force);
  g_test_add_func ("/conformance/pause", test_pause);
  g_test_add_func ("/conformance/two-queues", test_two_queues);
  g_test_add_func ("/conformance/waits-for-children", test_waits_for_children);

  return g_test_run ();
}
