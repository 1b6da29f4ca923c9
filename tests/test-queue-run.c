/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-queue.h"

/* The life of a queue: runs, joins and shutdowns. */

static void
test_run_twice (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  g_autoptr (OsiisoRunSummary) all = NULL;
  g_autoptr (OsiisoRunSummary) none = NULL;

  g_test_summary ("A queue runs again and again, and each summary has the tasks of its run");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  first = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (first), ==, 1);

  for (int i = 0; i < 10; i++)
    test_submit_and_drop (queue, i % 2 ? test_task_none : test_task_fail, NULL, NULL);
  second = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (second), ==, 5);
  g_assert_cmpuint (osiiso_run_summary_get_failed (second), ==, 5);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (second)), ==, 10);

  none = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (none), ==, 0);
  g_assert_true (osiiso_run_summary_get_ok (none));

  all = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (all), ==, 11);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 11);
  test_queue_free (queue);
}

static void
test_fail_first (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) spared = NULL;

  g_test_summary ("With fail-first the first failure cancels all that need not complete");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, i == 1 ? test_task_fail : test_task_none, NULL, NULL);
  spared = test_submit (queue, test_task_none, NULL, must);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 3);
  g_assert_cmpint (osiiso_handle_get_status (spared), ==, OSIISO_STATUS_SUCCEEDED);

  /* The queue is open again. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) run = NULL;
  g_autoptr (GAsyncResult) shutdown = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("In infinite mode a run goes on through idleness until the queue is shut down");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_run_async (queue, NULL, test_store_result, &run);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

      test_await_status (handle, OSIISO_STATUS_SUCCEEDED);
      g_assert_null (run);
    }
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &shutdown);
  test_await_result (&run);
  test_await_result (&shutdown);
  summary = osiiso_queue_run_finish (queue, run, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 3);
  g_assert_true (osiiso_queue_shutdown_finish (queue, shutdown, &error));
  g_assert_no_error (error);
  g_clear_object (&run);
  g_clear_object (&shutdown);
  test_queue_free (queue);
}

static void
test_shutdown (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 0.01, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (GError) error = NULL;
  int notified = 0;

  g_test_summary ("A shutdown lets all work finish, also work that was never started, and refuses more");

  g_signal_connect_swapped (queue, "notify::closed", G_CALLBACK (test_count), &notified);
  g_assert_false (osiiso_queue_get_closed (queue));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  g_assert_cmpint (notified, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);

  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_true (osiiso_queue_join (queue, NULL, &error));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  test_queue_free (queue);
}

static void
test_shutdown_force (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) running = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;
  int n_destroyed = 0;

  g_test_summary ("A forced shutdown does not wait for what runs, and the data of that live until it returns");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  running = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, must, &error);
  waiting = osiiso_queue_submit (queue, test_task_none, &n_destroyed, test_count, must, &error);
  test_gate_await (&gate, 1);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (running), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (n_destroyed, ==, 1);
  g_assert_cmpint (gate.n_released, ==, 0);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static gpointer
run_thread (gpointer queue)
{
  return test_run (queue);
}

static void
test_run_elsewhere (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run in a thread that does not own the queue blocks there, and needs nobody to iterate");

  for (int i = 0; i < 100; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = g_thread_join (g_thread_new ("run", run_thread, queue));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 100);
  test_queue_free (queue);
}

static void
test_run_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Cancelling a run ends the run and not the tasks, and another run may follow");

  g_cancellable_cancel (cancellable);
  g_assert_null (osiiso_queue_run (queue, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_cancellable_reset (cancellable);
  osiiso_queue_run_async (queue, cancellable, test_store_result, &result);
  g_main_context_iteration (NULL, FALSE);
  g_cancellable_cancel (cancellable);
  test_await_result (&result);
  g_assert_null (osiiso_queue_run_finish (queue, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_clear_object (&result);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_false (osiiso_queue_join (queue, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  osiiso_handle_cancel (handle);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
submit_another (OsiisoAttempt *attempt,
                gpointer       queue)
{
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
}

static void
test_submit_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A task may submit into its own queue, and the run includes that");

  for (int i = 0; i < 50; i++)
    test_submit_and_drop (queue, submit_another, queue, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 100);
  test_queue_free (queue);
}

static void
cancel_queue (OsiisoAttempt *attempt,
              gpointer       queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_join (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  osiiso_queue_cancel (queue);
}

static void
test_cancel_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A task may cancel its queue, but not wait for it");

  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, cancel_queue, queue, NULL);
  for (int i = 0; i < 10; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 11);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_busy (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  TestGate gate;

  g_test_summary ("A second run at the same time is refused, and the first one does not notice");

  test_gate_init (&gate);
  handle = test_submit (queue, test_task_gate, &gate, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_clear_error (&error);
  test_gate_open (&gate);
  test_await_result (&result);
  {
    g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run_finish (queue, result, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  }
  g_clear_object (&result);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_join_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 100, test_task_none, NULL, NULL, NULL, NULL);

  g_test_summary ("join_async starts the queue and returns when no work is left");

  osiiso_queue_join_async (queue, NULL, test_store_result, &result);
  test_await_result (&result);
  g_assert_true (osiiso_queue_join_finish (queue, result, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 100);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
test_detached (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (1), detached);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run waits for a detached task and leaves it out of its summary");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
join_inside (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      n_joined)
{
  g_autoptr (GError) error = NULL;

  if (!osiiso_queue_join (queue, NULL, &error))
    g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_atomic_int_inc ((int *) n_joined);
}

static void
test_join_in_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_joined = 0;

  g_test_summary ("A handler may join the queue: that returns, and all tasks finish");

  g_signal_connect (queue, "on-complete", G_CALLBACK (join_inside), &n_joined);
  for (int i = 0; i < 3; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_int_get (&n_joined) < 3)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  test_queue_free (queue);
}

static void
iterate_inside (OsiisoAttempt *attempt,
                gpointer       flag)
{
  test_iterate_until (flag);
}

static void
set_flag (OsiisoAttempt *attempt,
          gpointer       flag)
{
  g_atomic_int_set ((int *) flag, 1);
}

static void
test_iterate_inside (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int flag = 0;

  g_test_summary ("A task that iterates the context lets other tasks run there");

  first = test_submit (queue, iterate_inside, &flag, NULL);
  test_submit_and_drop (queue, set_flag, &flag, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
stop_at_gate (GCancellable *cancellable,
              gpointer      gate)
{
  test_gate_pass (gate);
}

static gpointer
advance_thread (gpointer hooks)
{
  ((const OsiisoTestHooks *) hooks)->clock_advance (G_USEC_PER_SEC);
  return NULL;
}

static void
test_late_deadline (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (OsiisoRunSummary) first_summary = NULL;
  g_autoptr (OsiisoRunSummary) second_summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = NULL;
  GThread *thread;
  TestGate interrupting;
  TestGate working;

  g_test_summary ("A run deadline that falls due while the last task is interrupted is not taken for the next run's");

  test_gate_init (&interrupting);
  test_gate_init (&working);
  osiiso_queue_set_timeout (queue, 1);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  first = test_submit (queue, test_task_defer, &attempt, options);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_cancellable_connect (osiiso_attempt_get_cancellable (attempt), G_CALLBACK (stop_at_gate), &interrupting, NULL);
  /* Both the task and the run are late now, and the thread that ends them is
   * held up in the middle of that. */
  thread = g_thread_new ("advance", advance_thread, (gpointer) hooks);
  test_gate_await (&interrupting, 1);
  test_await_result (&result);
  first_summary = osiiso_queue_run_finish (queue, result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_FAILED);
  g_clear_object (&result);

  osiiso_queue_set_timeout (queue, 0);
  second = test_submit (queue, test_task_gate, &working, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  test_gate_await (&working, 1);
  test_gate_open (&interrupting);
  g_thread_join (thread);
  test_gate_open (&working);
  test_await_result (&result);
  second_summary = osiiso_queue_run_finish (queue, result, &error);
  g_assert_no_error (error);
  g_assert_false (osiiso_run_summary_get_timed_out (second_summary));
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&result);
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
  test_gate_clear (&interrupting);
  test_gate_clear (&working);
  hooks->clock_set_manual (0);
}

void
test_add_queue_run (void)
{
  test_add_for_backends ("/queue/run-twice", test_run_twice);
  test_add_for_backends ("/queue/fail-first", test_fail_first);
  test_add_for_backends ("/queue/infinite", test_infinite);
  test_add_for_backends ("/queue/shutdown", test_shutdown);
  g_test_add_func ("/queue/shutdown-force", test_shutdown_force);
  g_test_add_func ("/queue/run-elsewhere", test_run_elsewhere);
  test_add_for_backends ("/queue/run-cancelled", test_run_cancelled);
  test_add_for_backends ("/queue/submit-inside", test_submit_inside);
  test_add_for_backends ("/queue/cancel-inside", test_cancel_inside);
  g_test_add_func ("/queue/busy", test_busy);
  test_add_for_backends ("/queue/join-async", test_join_async);
  test_add_for_backends ("/queue/join-in-handler", test_join_in_handler);
  g_test_add_func ("/queue/iterate-inside", test_iterate_inside);
  g_test_add_func ("/queue/late-deadline", test_late_deadline);
  g_test_add_func ("/queue/detached", test_detached);
}
