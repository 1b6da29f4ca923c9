/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-initializer.h"

/* An initializer that fails ends the run; what comes after that, and what is told. */

#define SECOND G_USEC_PER_SEC

static void
test_failure (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must_complete = test_options_new ("must-complete", TRUE, "retries", 3, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, "must-complete", TRUE, NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("When it fails every task that waits fails with its error, and the run ends and tells");

  test_init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, NULL));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, must_complete));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, delayed));
  g_assert_true (osiiso_handle_set_priority (handles->pdata[0], 1));
  summary = test_run (queue);
  for (guint i = 0; i < handles->len; i++)
    {
      test_assert_failed (handles->pdata[i], "worker initializer failed: no room for thread 1");
      g_assert_cmpuint (osiiso_handle_get_attempts (handles->pdata[i]), ==, 0);
    }
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 3);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 3);
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "worker initializer failed: no room for thread 1"));
  test_init_free (queue, &init);
}

static void
test_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("An infinite run ends too");

  test_init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  test_init_set (queue, &init);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_false (osiiso_queue_get_closed (queue));
  test_init_free (queue, &init);
}

static void
test_nothing_to_fail (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("An infinite run ends also when there was no task yet");

  test_init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  test_init_set (queue, &init);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 0);
  g_assert_false (osiiso_queue_get_closed (queue));
  test_init_free (queue, &init);
}

static int n_left;

static void
note_leaving (gpointer unused)
{
  g_atomic_int_inc (&n_left);
}

static GPrivate leaving = G_PRIVATE_INIT (note_leaving);

static gboolean
initialize_and_note (gpointer  data,
                     GError  **error)
{
  g_private_set (&leaving, data);
  return test_initialize (data, error);
}

static void
test_at_rest (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) waiting = NULL;
  Init init;

  g_test_summary ("A failure while the queue rests fails nothing; the next run tries again");

  test_init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  g_assert_true (osiiso_queue_set_initializer (queue, initialize_and_note, &init, test_init_release, NULL));
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_gate_await (&init.gate, 1);
  waiting = test_submit (queue, test_task_none, NULL, NULL);
  test_gate_open (&init.gate);
  test_iterate_until (&n_left);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_SUCCEEDED);
  test_assert_strength (queue, 2);
  g_assert_cmpint (init.n_calls, ==, 3);
  test_init_free (queue, &init);
}

static void
test_next_start (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const guint n = g_str_equal (backend, "main-loop") ? 1 : 4;
  Init init;

  g_test_summary ("The next run tries again, and the queue is at its strength when that works");

  test_init_init (&init, queue);
  osiiso_queue_set_workers (queue, 4);
  test_init_set (queue, &init);
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      g_autoptr (OsiisoHandle) handle = NULL;
      int n_calls;

      for (int i = 0; i < 2; i++)
        {
          g_autoptr (OsiisoRunSummary) failed = NULL;

          g_atomic_int_set (&init.fails, 1);
          test_submit_and_drop (queue, test_task_none, NULL, NULL);
          test_submit_and_drop (queue, test_task_none, NULL, NULL);
          failed = test_run (queue);
          g_assert_cmpuint (osiiso_run_summary_get_failed (failed), ==, 2);
        }

      /* What is submitted now waits for the next run, and for nothing else. */
      handle = test_submit (queue, test_report_maker, NULL, NULL);
      g_atomic_int_set (&init.fails, 0);
      summary = test_run (queue);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
      g_assert_cmpint (test_get_maker (handle), !=, 0);
      if (n > 1)
        test_assert_strength (queue, n);
      n_calls = g_atomic_int_get (&init.n_calls);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      test_run_all (queue);
      g_assert_cmpint (init.n_calls, ==, n_calls);

      g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
      g_assert_true (osiiso_queue_reset (queue, NULL));
    }
  test_init_free (queue, &init);
}

static void
test_meanwhile (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("must-complete", TRUE, "retries", 100, NULL);
  g_autoptr (OsiisoHandle) good = NULL;
  g_autoptr (OsiisoHandle) bad = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = NULL;
  TestGate gate;
  Init init;

  g_test_summary ("What runs in other threads runs on, without a retry; what is submitted meanwhile is refused");

  test_gate_init (&gate);
  test_init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  test_init_set (queue, &init);
  /* The thread that is ready has the first two, and there is no place for more. */
  bad = test_submit (queue, test_task_defer, &attempt, retrying);
  good = test_submit (queue, test_task_gate, &gate, NULL);
  waiting = test_submit (queue, test_task_none, NULL, retrying);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  test_gate_await (&init.gate, 1);
  test_gate_await (&gate, 1);
  test_gate_open (&init.gate);
  test_await_status (waiting, OSIISO_STATUS_FAILED);
  test_assert_failed (waiting, "worker initializer failed: no room for thread 2");
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);

  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (osiiso_handle_get_status (bad), ==, OSIISO_STATUS_FAILED);
  g_assert_null (result);
  test_gate_open (&gate);
  summary = osiiso_queue_run_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (good), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 2);
  g_clear_object (&result);
  test_assert_strength (queue, 2);
  test_init_free (queue, &init);
  test_gate_clear (&gate);
}

static void
test_without_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("Without a run the queue refuses tasks until it is started again, and tries again then");

  test_init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
  first = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (first, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  /* A call that only waits for work is no new start. */
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), ==, 0);

  g_atomic_int_set (&init.fails, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  second = test_submit (queue, test_report_maker, NULL, NULL);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (test_get_maker (second), ==, 2);
  test_init_free (queue, &init);
}

static void
test_old_failure (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  Init init;

  g_test_summary ("A failure that began in an earlier start spoils no later one, and leaves no worker missing");

  test_init_init (&init, queue);
  init.fail_from = 1;
  init.fail_to = init.wait_at = 2;
  init.wait_for_it = TRUE;
  osiiso_queue_set_workers (queue, 2);
  test_init_set (queue, &init);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  first = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (first), ==, 1);

  /* The first thread has ended, or will, and has a successor. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  second = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (second), ==, 1);
  test_gate_open (&init.gate);
  test_assert_strength (queue, 2);
  g_assert_cmpint (init.n_calls, ==, 4);
  test_init_free (queue, &init);
}

static void
test_shutdown (gconstpointer force)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("A thread that stays in the initializer holds no shutdown up, and the queue can be used anew meanwhile");

  test_init_init (&init, queue);
  init.wait_at = 1;
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, GPOINTER_TO_INT (force), NULL, test_store_result, &result);
  osiiso_private_test_hooks ()->clock_advance (5 * SECOND);
  g_assert_true (osiiso_queue_shutdown_finish (queue, test_await_result (&result), &error));
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);

  g_assert_true (osiiso_queue_reset (queue, NULL));
  test_assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_gate_open (&init.gate);
  test_assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 2);
  g_clear_object (&result);
  test_init_free (queue, &init);
}

static void
test_lost (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  Init init;

  g_test_summary ("A thread that stays in the initializer is not taken for one of the threads after a reset");

  test_init_init (&init, queue);
  init.wait_at = 1;
  init.fail_from = init.fail_to = 2;
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));

  /* The next one leaves, and another one has to come. */
  handle = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_assert_failed (handle, "worker initializer failed: no room for thread 2");
  test_assert_strength (queue, 1);
  test_gate_open (&init.gate);
  test_assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 3);
  test_init_free (queue, &init);
}

static gboolean
fail_without_reason (gpointer  n_calls,
                     GError  **error)
{
  g_atomic_int_inc ((int *) n_calls);
  return FALSE;
}

static gboolean
succeed_with_error (gpointer  unused,
                    GError  **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "never mind");
  return TRUE;
}

static void
test_odd_returns (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  int n_calls = 0;

  g_test_summary ("A failure without an error gets one, and success with one is success");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_set_initializer (queue, fail_without_reason, &n_calls, NULL, NULL));
  test_run_all (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_true (g_str_has_prefix (error->message, "worker initializer failed: "));
  g_assert_cmpint (n_calls, ==, 1);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  g_assert_true (osiiso_queue_set_initializer (queue, succeed_with_error, NULL, NULL, NULL));
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  test_queue_free (queue);
}

static void
test_fail_first (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) deferred = NULL;
  g_autoptr (OsiisoHandle) stuck = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  OsiisoAttempt *attempt = NULL;
  TestGate gate;
  Init init;

  g_test_summary ("With fail-first a failure of the initializer also cancels what runs");

  test_gate_init (&gate);
  test_init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  test_init_set (queue, &init);
  deferred = test_submit (queue, test_task_defer, &attempt, NULL);
  stuck = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  waiting = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  test_gate_await (&gate, 1);
  test_gate_open (&init.gate);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_assert_failed (waiting, "worker initializer failed: no room for thread 2");
  g_assert_cmpint (osiiso_handle_get_status (deferred), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (stuck), ==, OSIISO_STATUS_CANCELLED);
  osiiso_attempt_unref (attempt);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_init_free (queue, &init);
  test_gate_clear (&gate);
}

void
test_add_initializer_failures (void)
{
  test_add_for_backends ("/initializer/failure", test_failure);
  test_add_for_backends ("/initializer/infinite", test_infinite);
  g_test_add_func ("/initializer/nothing-to-fail", test_nothing_to_fail);
  g_test_add_func ("/initializer/at-rest", test_at_rest);
  test_add_for_backends ("/initializer/next-start", test_next_start);
  g_test_add_func ("/initializer/meanwhile", test_meanwhile);
  test_add_for_backends ("/initializer/without-run", test_without_run);
  g_test_add_func ("/initializer/old-failure", test_old_failure);
  g_test_add_data_func ("/initializer/shutdown/drain", GINT_TO_POINTER (FALSE), test_shutdown);
  g_test_add_data_func ("/initializer/shutdown/force", GINT_TO_POINTER (TRUE), test_shutdown);
  g_test_add_func ("/initializer/lost", test_lost);
  test_add_for_backends ("/initializer/odd-returns", test_odd_returns);
  g_test_add_func ("/initializer/fail-first", test_fail_first);
}
