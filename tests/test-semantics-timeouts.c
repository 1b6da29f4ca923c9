/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* The timeout of a task: what it counts, and what becomes of an attempt that
 * was too slow. */

static void
test_per_attempt (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "slow", "timeout", 2.0,
                                                            "retries", 2, "retry-delay", 5.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, options);
  OsiisoAttempt *attempts[3];

  g_test_summary ("Each attempt has the whole timeout, and the waits between them do not count");

  for (guint i = 0; i < 3; i++)
    {
      attempts[i] = semantics_take (&slot);
      semantics_advance (1.999);
      g_assert_true (osiiso_attempt_is_open (attempts[i]));
      semantics_advance (0.001);
      g_assert_false (osiiso_attempt_is_open (attempts[i]));
      if (i < 2)
        {
          semantics_await_retrying (queue, handle);
          semantics_advance (5);
        }
    }
  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 3, "task 'slow' exceeded 2s timeout");
  /* Three attempts and two waits. */
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 16, 1e-6);
  for (guint i = 0; i < 3; i++)
    osiiso_attempt_unref (attempts[i]);
  test_queue_free (queue);
}

static void
test_starts_with_attempt (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  OsiisoAttempt *slots[2] = { NULL };
  g_autoptr (OsiisoHandle) first = test_submit (queue, test_task_defer, &slots[0], NULL);
  g_autoptr (OsiisoHandle) second = test_submit (queue, test_task_defer, &slots[1], options);

  g_test_summary ("While a task waits for a worker its timeout does not run");

  semantics_await (&slots[0]);
  semantics_advance (100);
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_PENDING);
  semantics_succeed (&slots[0]);
  semantics_await (&slots[1]);
  semantics_advance (0.999);
  semantics_succeed (&slots[1]);
  semantics_assert_ended (second, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

static void
test_delay_not_counted (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, "delay", 50.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, options);

  g_test_summary ("The delay of a task is no part of its timeout");

  semantics_advance (50);
  semantics_await (&slot);
  semantics_advance (0.999);
  semantics_succeed (&slot);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

static void
test_text (gconstpointer backend)
{
  static const struct
  {
    double timeout;
    const char *message;
  } cases[] = {
    { 3, "task 'slow' exceeded 3s timeout" },
    { 0.25, "task 'slow' exceeded 0.25s timeout" },
    { 90.5, "task 'slow' exceeded 90.5s timeout" },
  };
  OsiisoQueue *queue = semantics_queue_new (backend, 1);

  g_test_summary ("The error says which task took too long and what the limit was");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "slow", "timeout", cases[i].timeout, NULL);
      OsiisoAttempt *slot = NULL;
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, options);
      OsiisoAttempt *attempt = semantics_take (&slot);
      g_autoptr (GError) error = NULL;

      semantics_advance (cases[i].timeout);
      semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, cases[i].message);
      error = osiiso_handle_dup_error (handle);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      osiiso_attempt_unref (attempt);
    }
  test_queue_free (queue);
}

/* The first attempt stays at the gate, the second one succeeds. */
static void
hang_once (OsiisoAttempt *attempt,
           gpointer       gate)
{
  if (osiiso_attempt_get_number (attempt) == 1)
    test_gate_pass (gate);
  osiiso_attempt_return_int (attempt, osiiso_attempt_get_number (attempt));
}

static void
test_beside_abandoned (void)
{
  OsiisoQueue *queue = semantics_queue_new ("thread-pool", 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, "retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;

  g_test_summary ("A retry runs while the function of the attempt before is still in its thread, which is ignored");

  test_gate_init (&gate);
  handle = osiiso_queue_submit (queue, hang_once, &gate, test_gate_release, options, &error);
  g_assert_no_error (error);
  test_gate_await (&gate, 1);
  semantics_advance (1);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 2, "");
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 2);
  /* The user data are still in use. */
  semantics_settle ();
  g_assert_cmpint (gate.n_released, ==, 0);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 2);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
time_out_elsewhere (OsiisoAttempt *attempt,
                    gpointer       unused)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the server took too long");
}

static void
test_own_error (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 5.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, time_out_elsewhere, NULL, options);
  g_autoptr (OsiisoRunSummary) summary = test_run (queue);
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_test_summary ("A function may fail with the code of a timeout; only the message tells the two apart");

  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, "the server took too long");
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  test_queue_free (queue);
}

static void
test_not_of_run (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  OsiisoAttempt *slot = NULL;
  OsiisoAttempt *attempt;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("A task that ran out of its time is a failure, and no timeout of the run");

  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  test_submit_and_drop (queue, test_task_defer, &slot, options);
  attempt = semantics_take (&slot);
  semantics_advance (1);
  summary = semantics_run_finish (queue, &result);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/timeouts/per-attempt", test_per_attempt);
  test_add_for_backends ("/semantics/timeouts/starts-with-attempt", test_starts_with_attempt);
  test_add_for_backends ("/semantics/timeouts/delay-not-counted", test_delay_not_counted);
  test_add_for_backends ("/semantics/timeouts/text", test_text);
  g_test_add_func ("/semantics/timeouts/beside-abandoned", test_beside_abandoned);
  test_add_for_backends ("/semantics/timeouts/own-error", test_own_error);
  test_add_for_backends ("/semantics/timeouts/not-of-run", test_not_of_run);

  return g_test_run ();
}
