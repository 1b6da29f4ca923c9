/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* Runs with a timeout and a fail policy of their own. */

static const OsiisoTestHooks *hooks;

static OsiisoRunSummary *
run_full (OsiisoQueue     *queue,
          double           timeout,
          OsiisoFailPolicy policy)
{
  g_autoptr (GError) error = NULL;
  OsiisoRunSummary *summary = osiiso_queue_run_full (queue, timeout, policy, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_RUN_SUMMARY (summary));
  return summary;
}

/* One that fails, and then five that do not. */
static void
submit_failing_first (OsiisoQueue *queue)
{
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
}

static void
test_policy (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  g_autoptr (OsiisoRunSummary) third = NULL;
  g_autoptr (OsiisoRunSummary) fourth = NULL;

  g_test_summary ("The fail policy of a run counts for that run, whatever the queue's is");

  osiiso_queue_set_workers (queue, 1);
  submit_failing_first (queue);
  first = run_full (queue, 0, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpuint (osiiso_run_summary_get_failed (first), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (first), ==, 5);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_CONTINUE);

  submit_failing_first (queue);
  second = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (second), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (second), ==, 5);

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  submit_failing_first (queue);
  third = run_full (queue, 0, OSIISO_FAIL_POLICY_CONTINUE);
  g_assert_cmpuint (osiiso_run_summary_get_failed (third), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (third), ==, 5);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_FAIL_FIRST);

  submit_failing_first (queue);
  fourth = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (fourth), ==, 5);
  test_queue_free (queue);
}

static void
fail_behind_gate (OsiisoAttempt *attempt,
                  gpointer       gate)
{
  test_gate_pass (gate);
  test_task_fail (attempt, NULL);
}

static void
test_policy_is_fixed (void)
{
  g_test_summary ("Setting the property during a run that has its own policy changes nothing for that run");

  for (int fails_first = 0; fails_first < 2; fails_first++)
    {
      const OsiisoFailPolicy own = fails_first ? OSIISO_FAIL_POLICY_FAIL_FIRST : OSIISO_FAIL_POLICY_CONTINUE;
      const OsiisoFailPolicy other = fails_first ? OSIISO_FAIL_POLICY_CONTINUE : OSIISO_FAIL_POLICY_FAIL_FIRST;
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      g_autoptr (OsiisoRunSummary) summary = NULL;
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;
      TestGate gate;

      test_gate_init (&gate);
      osiiso_queue_set_workers (queue, 1);
      test_submit_and_drop (queue, fail_behind_gate, &gate, NULL);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      osiiso_queue_run_full_async (queue, 0, own, NULL, test_store_result, &result);
      test_gate_await (&gate, 1);
      osiiso_queue_set_fail_policy (queue, other);
      test_gate_open (&gate);
      summary = osiiso_queue_run_full_finish (queue, test_await_result (&result), &error);
      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, fails_first ? 1 : 0);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, fails_first ? 0 : 1);
      g_clear_object (&result);
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

static void
test_policy_ends (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoRunSummary) all = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The policy ends with its run, also when that is only not waited for any longer");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_pause (queue);
  submit_failing_first (queue);
  g_cancellable_cancel (cancellable);
  g_assert_null (osiiso_queue_run_full (queue, 0, OSIISO_FAIL_POLICY_FAIL_FIRST, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  osiiso_queue_resume (queue);
  g_assert_true (osiiso_queue_join (queue, NULL, &error));
  g_assert_no_error (error);
  all = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (all), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (all), ==, 5);
  test_queue_free (queue);
}

static void
test_timeout (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) never = test_options_new ("delay", 10000.0, NULL);
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 100.0, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) cancelled = test_submit (queue, test_task_none, NULL, never);
  g_autoptr (OsiisoHandle) kept = test_submit (queue, test_task_none, NULL, later);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) untimed = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) second = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The timeout of a run counts instead of the queue's, which has another one or none");

  osiiso_queue_set_timeout (queue, 1000);
  osiiso_queue_run_full_async (queue, 5, OSIISO_FAIL_POLICY_CONTINUE, NULL, test_store_result, &result);
  hooks->clock_advance (5 * G_USEC_PER_SEC - 1);
  g_assert_cmpint (osiiso_handle_get_status (cancelled), ==, OSIISO_STATUS_PENDING);
  hooks->clock_advance (1);
  g_assert_cmpint (osiiso_handle_get_status (cancelled), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (kept), ==, OSIISO_STATUS_PENDING);
  hooks->clock_advance (100 * G_USEC_PER_SEC);
  summary = osiiso_queue_run_full_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);

  osiiso_queue_set_timeout (queue, 1);
  test_submit_and_drop (queue, test_task_none, NULL, later);
  osiiso_queue_run_full_async (queue, 0, OSIISO_FAIL_POLICY_CONTINUE, NULL, test_store_result, &second);
  hooks->clock_advance (100 * G_USEC_PER_SEC);
  untimed = osiiso_queue_run_full_finish (queue, test_await_result (&second), &error);
  g_assert_no_error (error);
  g_assert_false (osiiso_run_summary_get_timed_out (untimed));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (untimed), ==, 1);
  g_clear_object (&result);
  g_clear_object (&second);
  test_queue_free (queue);
}

static void
test_invalid (gconstpointer backend)
{
  static const struct
  {
    double      timeout;
    const char *shown;
  } values[] = { { -1.5, "*-1.5" }, { HUGE_VAL, "*inf" }, { NAN, "*nan*" } };
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A timeout that makes no sense is refused with its value, before anything has begun");

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GAsyncResult) result = NULL;

      g_assert_null (osiiso_queue_run_full (queue, values[i].timeout, OSIISO_FAIL_POLICY_CONTINUE, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_true (g_pattern_match_simple (values[i].shown, error->message));
      g_clear_error (&error);

      osiiso_queue_run_full_async (queue, values[i].timeout, OSIISO_FAIL_POLICY_CONTINUE, NULL, test_store_result, &result);
      g_assert_null (osiiso_queue_run_full_finish (queue, test_await_result (&result), &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_true (g_pattern_match_simple (values[i].shown, error->message));
      g_clear_error (&error);
    }
  g_assert_null (osiiso_queue_run_full (queue, 0, (OsiisoFailPolicy) 7, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_true (g_pattern_match_simple ("*7", error->message));
  g_clear_error (&error);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);

  summary = run_full (queue, 0, OSIISO_FAIL_POLICY_CONTINUE);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  test_queue_free (queue);
}

static void
run_inside (OsiisoAttempt *attempt,
            gpointer       queue)
{
  GError *error = NULL;

  g_assert_null (osiiso_queue_run_full (queue, 0, OSIISO_FAIL_POLICY_CONTINUE, NULL, &error));
  osiiso_attempt_return_error (attempt, error);
}

static void
test_busy (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, run_inside, queue, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) inside = NULL;

  g_test_summary ("A run within a run is refused, and the policy of the first one stays");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_pause (queue);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_run_full_async (queue, 0, OSIISO_FAIL_POLICY_FAIL_FIRST, NULL, test_store_result, &result);
  g_assert_null (osiiso_queue_run_full (queue, 0, OSIISO_FAIL_POLICY_CONTINUE, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_clear_error (&error);
  osiiso_queue_resume (queue);
  summary = osiiso_queue_run_full_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  inside = osiiso_handle_dup_error (handle);
  g_assert_error (inside, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_null (osiiso_queue_run_full (queue, 0, OSIISO_FAIL_POLICY_FAIL_FIRST, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_object (&result);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  hooks = test_manual_clock ();

  test_add_for_backends ("/run-full/policy", test_policy);
  g_test_add_func ("/run-full/policy-is-fixed", test_policy_is_fixed);
  test_add_for_backends ("/run-full/policy-ends", test_policy_ends);
  test_add_for_backends ("/run-full/timeout", test_timeout);
  test_add_for_backends ("/run-full/invalid", test_invalid);
  test_add_for_backends ("/run-full/busy", test_busy);

  return g_test_run ();
}
