/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* What belongs to a run, what ends it, and what it leaves behind. */

static OsiisoHandle *
submit_named (OsiisoQueue   *queue,
              const char    *name,
              OsiisoTaskFunc func,
              gpointer       data)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", name, NULL);

  return test_submit (queue, func, data, options);
}

static void
test_window (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) before = submit_named (queue, "before", test_task_none, NULL);
  g_autoptr (OsiisoHandle) inside = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) all = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("What finished before a run is not in its summary, and is in that of the queue");

  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  osiiso_queue_pause (queue);
  inside = submit_named (queue, "inside", test_task_none, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  osiiso_queue_resume (queue);
  summary = semantics_run_finish (queue, &result);
  semantics_assert_names (G_LIST_MODEL (summary), "inside");
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 1);
  all = osiiso_queue_dup_summary (queue);
  semantics_assert_names (G_LIST_MODEL (all), "before inside");
  test_queue_free (queue);
}

static void
test_rests (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("After a finite run the queue takes tasks and rests until somebody starts it or waits");

  test_run_all (queue);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  semantics_settle ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_join_goes_on (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("After a join, which is no run, the queue works on");

  g_assert_true (osiiso_queue_start (queue, NULL));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  handle = test_submit (queue, test_task_none, NULL, NULL);
  semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_duration (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("The duration of a run is the time from its call to its end");

  test_submit_and_drop (queue, test_task_defer, &slot, NULL);
  semantics_advance (1000);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await (&slot);
  semantics_advance (12.25);
  semantics_succeed (&slot);
  summary = semantics_run_finish (queue, &result);
  g_assert_cmpfloat_with_epsilon (osiiso_run_summary_get_duration (summary), 12.25, 1e-6);
  test_queue_free (queue);
}

static void
test_timeout_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("The timeout ends an infinite run too, also one that has nothing to do");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_timeout (queue, 5);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  semantics_advance (4.999);
  semantics_settle ();
  g_assert_null (result);
  semantics_advance (0.001);
  summary = semantics_run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpfloat_with_epsilon (osiiso_run_summary_get_duration (summary), 5, 1e-6);
  g_assert_false (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

static void
test_timeout_waits (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, "retries", 2, "retry-delay", 100.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, must);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("After its timeout a run waits for must-complete tasks without limit, which keep their retries");

  osiiso_queue_set_timeout (queue, 1);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await (&slot);
  semantics_advance (1);
  for (guint i = 0; i < 2; i++)
    {
      semantics_fail (&slot, "not yet");
      semantics_await_retrying (queue, handle);
      semantics_settle ();
      g_assert_null (result);
      semantics_advance (100);
      semantics_await (&slot);
    }
  semantics_advance (1e6);
  semantics_settle ();
  g_assert_null (result);
  semantics_succeed (&slot);
  summary = semantics_run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 3, "");
  test_queue_free (queue);
}

static void
test_timeout_forgotten (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 100.0, NULL);
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("The run after one that timed out has its own time and its own verdict");

  osiiso_queue_set_timeout (queue, 1);
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_advance (1);
  first = semantics_run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_timed_out (first));
  g_assert_false (osiiso_run_summary_get_ok (first));

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  second = test_run (queue);
  g_assert_false (osiiso_run_summary_get_timed_out (second));
  g_assert_true (osiiso_run_summary_get_ok (second));
  /* The time of that run is over with it. */
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  osiiso_queue_set_timeout (queue, 0);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_advance (100);
  g_clear_object (&second);
  second = semantics_run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_ok (second));
  test_queue_free (queue);
}

static void
note_completed (OsiisoQueue  *queue,
                OsiisoHandle *handle,
                gpointer      log)
{
  test_log_add (log, "%s", osiiso_handle_get_name (handle));
}

static void
test_fail_first_order (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) a = NULL;
  g_autoptr (OsiisoHandle) b = NULL;
  g_autoptr (OsiisoHandle) c = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  TestLog log;

  g_test_summary ("The failure comes first in the results; on-complete is emitted for those that it ended before");

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_signal_connect (queue, "on-complete", G_CALLBACK (note_completed), &log);
  a = submit_named (queue, "bad", test_task_fail, NULL);
  b = submit_named (queue, "next", test_task_none, NULL);
  c = submit_named (queue, "last", test_task_none, NULL);
  summary = test_run (queue);
  semantics_assert_names (G_LIST_MODEL (summary), "bad next last");
  semantics_assert_log (&log, "next last bad");
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  test_queue_free (queue);
  test_log_clear (&log);
}

static gpointer
fail_thread (gpointer attempt)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "first");
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
test_fail_first_at_once (gconstpointer backend)
{
  guint n_run = 0;

  g_test_summary ("With one worker nothing begins after the first failure, also when another thread reports it");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = semantics_queue_new (backend, 1);
      OsiisoAttempt *slot = NULL;
      g_autoptr (OsiisoHandle) next = NULL;
      GThread *thread;

      osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
      test_submit_and_drop (queue, test_task_defer, &slot, NULL);
      semantics_await (&slot);
      next = test_submit (queue, test_task_none, NULL, NULL);
      thread = g_thread_new ("fail", fail_thread, semantics_take (&slot));
      while (!osiiso_handle_is_done (next))
        semantics_turn ();
      g_thread_join (thread);
      n_run += osiiso_handle_get_attempts (next);
      test_queue_free (queue);
    }
  g_assert_cmpuint (n_run, ==, 0);
}

static void
test_fail_first_retries (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) retry = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, "priority", 4,
                                                         "retries", 1, NULL);
  g_autoptr (OsiisoHandle) flaky = NULL;
  g_autoptr (OsiisoHandle) bad = NULL;
  g_autoptr (OsiisoHandle) spared = NULL;
  g_autoptr (OsiisoHandle) failing = NULL;

  g_test_summary ("An attempt that is retried is no failure; what is spared keeps its retries and may fail itself");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  flaky = test_submit (queue, semantics_task_second, NULL, retry);
  bad = test_submit (queue, test_task_fail, NULL, retry);
  spared = test_submit (queue, semantics_task_second, NULL, must);
  failing = test_submit (queue, test_task_fail, NULL, must);
  test_run_all (queue);
  semantics_assert_ended (flaky, OSIISO_STATUS_SUCCEEDED, 2, "");
  semantics_assert_ended (bad, OSIISO_STATUS_FAILED, 2, "attempt 2 failed");
  semantics_assert_ended (spared, OSIISO_STATUS_SUCCEEDED, 2, "");
  semantics_assert_ended (failing, OSIISO_STATUS_FAILED, 2, "attempt 2 failed");
  test_queue_free (queue);
}

static void
test_fail_first_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("An infinite run that a failure halted ends, because nothing can come any more");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_settle ();
  g_assert_null (result);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  summary = semantics_run_finish (queue, &result);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_false (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

static void
test_detached (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("name", "aside", "detached", TRUE, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) aside = osiiso_group_submit (group, test_task_defer, &slot, NULL, detached, NULL);
  g_autoptr (OsiisoHandle) other = submit_named (queue, "other", test_task_none, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) of_group = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  TestLog log;

  g_test_summary ("A detached task is waited for and told about; only summaries of runs leave it out");

  test_log_init (&log);
  g_signal_connect (queue, "on-complete", G_CALLBACK (note_completed), &log);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await_status (other, OSIISO_STATUS_SUCCEEDED);
  semantics_settle ();
  g_assert_null (result);
  semantics_fail (&slot, "no");
  summary = semantics_run_finish (queue, &result);
  semantics_assert_log (&log, "other aside");
  semantics_assert_names (G_LIST_MODEL (summary), "other");
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 1);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  of_group = osiiso_group_wait (group, -1, NULL, NULL);
  semantics_assert_names (G_LIST_MODEL (of_group), "aside");
  g_assert_cmpuint (osiiso_run_summary_get_failed (of_group), ==, 1);
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_detached_fails_first (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoHandle) aside = NULL;
  g_autoptr (OsiisoHandle) other = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("The failure of a detached task is one for the fail policy");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  aside = test_submit (queue, test_task_fail, NULL, detached);
  other = test_submit (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  semantics_assert_ended (aside, OSIISO_STATUS_FAILED, 1, "attempt 1 failed");
  semantics_assert_ended (other, OSIISO_STATUS_CANCELLED, 0, "cancelled before execution");
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 0);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  test_queue_free (queue);
}

static void
assert_refused (OsiisoQueue *queue)
{
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
}

static void
test_halted_in_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) after = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("A run that was cut short refuses tasks until its end, and a start does not change that");

  osiiso_queue_set_timeout (queue, 1);
  test_submit_and_drop (queue, test_task_defer, &slot, must);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await (&slot);
  semantics_advance (1);
  assert_refused (queue);
  g_assert_true (osiiso_queue_start (queue, NULL));
  assert_refused (queue);
  semantics_succeed (&slot);
  g_object_unref (semantics_run_finish (queue, &result));
  after = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  semantics_assert_ended (after, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

static void
set_told (int *told)
{
  *told = 1;
}

static void
test_halted_without_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) bad = NULL;
  g_autoptr (OsiisoHandle) after = NULL;
  int told = 0;

  g_test_summary ("A queue that a failure halted outside a run refuses tasks until it is started again");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_true (osiiso_queue_start (queue, NULL));
  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (set_told), &told);
  bad = test_submit (queue, test_task_fail, NULL, NULL);
  test_iterate_until (&told);
  assert_refused (queue);
  g_assert_true (osiiso_queue_start (queue, NULL));
  after = test_submit (queue, test_task_none, NULL, NULL);
  semantics_await_status (after, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_wait_keeps_halt (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 2);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  OsiisoAttempt *slots[2] = { NULL };
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  int told = 0;

  g_test_summary ("To wait for a queue that a failure halted does not open it again");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  test_submit_and_drop (queue, test_task_defer, &slots[0], must);
  semantics_await (&slots[0]);
  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (set_told), &told);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  test_iterate_until (&told);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  osiiso_queue_join_async (queue, NULL, test_store_result, &result);
  handle = osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  semantics_succeed (&slots[0]);
  semantics_await_result (&result);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
test_strict (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 100.0, NULL);
  g_autoptr (OsiisoRunSummary) timed_out = NULL;
  g_autoptr (OsiisoRunSummary) failed = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Strictness is a check of the summary, which only failed tasks do not pass");

  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  osiiso_queue_set_timeout (queue, 1);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_advance (1);
  timed_out = semantics_run_finish (queue, &result);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (timed_out), ==, 1);
  g_assert_true (osiiso_run_summary_check (timed_out, &error));
  g_assert_no_error (error);

  handle = submit_named (queue, "bad", test_task_fail, NULL);
  failed = test_run (queue);
  g_assert_false (osiiso_run_summary_check (failed, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_cmpstr (error->message, ==, "1 task(s) failed: bad: attempt 1 failed");
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/run/window", test_window);
  test_add_for_backends ("/semantics/run/rests", test_rests);
  test_add_for_backends ("/semantics/run/join-goes-on", test_join_goes_on);
  test_add_for_backends ("/semantics/run/duration", test_duration);
  test_add_for_backends ("/semantics/run/timeout-infinite", test_timeout_infinite);
  test_add_for_backends ("/semantics/run/timeout-waits", test_timeout_waits);
  test_add_for_backends ("/semantics/run/timeout-forgotten", test_timeout_forgotten);
  test_add_for_backends ("/semantics/run/fail-first-order", test_fail_first_order);
  test_add_for_backends ("/semantics/run/fail-first-at-once", test_fail_first_at_once);
  test_add_for_backends ("/semantics/run/fail-first-retries", test_fail_first_retries);
  test_add_for_backends ("/semantics/run/fail-first-infinite", test_fail_first_infinite);
  test_add_for_backends ("/semantics/run/detached", test_detached);
  test_add_for_backends ("/semantics/run/detached-fails-first", test_detached_fails_first);
  test_add_for_backends ("/semantics/run/halted-in-run", test_halted_in_run);
  test_add_for_backends ("/semantics/run/halted-without-run", test_halted_without_run);
  test_add_for_backends ("/semantics/run/wait-keeps-halt", test_wait_keeps_halt);
  test_add_for_backends ("/semantics/run/strict", test_strict);

  return g_test_run ();
}
