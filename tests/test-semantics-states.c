/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* The states of a task, what leads from one to the next, and what can be seen
 * at each step. */

static void
test_six (void)
{
  static const char * const nicks[] = { "pending", "running", "retrying", "succeeded", "failed", "cancelled" };
  g_autoptr (GEnumClass) klass = g_type_class_ref (OSIISO_TYPE_STATUS);

  g_test_summary ("There are six statuses and no others");

  g_assert_cmpuint (klass->n_values, ==, G_N_ELEMENTS (nicks));
  for (guint i = 0; i < G_N_ELEMENTS (nicks); i++)
    g_assert_cmpstr (klass->values[i].value_nick, ==, nicks[i]);
}

/* What there is of a task as long as it has not ended. */
static void
assert_no_result (OsiisoHandle *handle)
{
  g_autoptr (OsiisoTaskResult) result = osiiso_handle_dup_result (handle);
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_false (osiiso_handle_is_done (handle));
  g_assert_null (result);
  g_assert_null (osiiso_handle_get_value (handle));
  g_assert_no_error (error);
  g_assert_cmpfloat (osiiso_handle_get_finished (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_duration (handle), ==, 0);
}

static void
test_submitted (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const double now = semantics_now ();
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

  g_test_summary ("A task that is submitted is pending, and waits for the start of its queue");

  semantics_settle ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  assert_no_result (handle);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 0);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_created (handle), now, 1e-6);
  g_assert_cmpfloat (osiiso_handle_get_scheduled_for (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_started (handle), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);

  g_assert_true (osiiso_queue_start (queue, NULL));
  semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_scheduled (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 60.0, NULL);
  const double now = semantics_now ();
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);

  g_test_summary ("A delayed task is pending and counted as scheduled; its delay passes before the start, too");

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  assert_no_result (handle);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_scheduled_for (handle), now + 60, 1e-6);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);

  semantics_advance (59.9);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  semantics_advance (0.1);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  semantics_settle ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);

  /* Counted from the submission, so nothing is left to wait for. */
  semantics_advance (3600);
  g_assert_true (osiiso_queue_start (queue, NULL));
  semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_scheduled_for (handle), now + 60, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (handle), now + 3660, 1e-6);
  test_queue_free (queue);
}

static void
count_event (int *counter)
{
  (*counter)++;
}

static void
test_running (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  int n_started = 0;

  g_test_summary ("A task that runs has an attempt and a start, and on-start has been emitted");

  g_signal_connect_swapped (queue, "on-start", G_CALLBACK (count_event), &n_started);
  osiiso_queue_pause (queue);
  handle = test_submit (queue, test_task_defer, &slot, NULL);
  semantics_advance (5);
  osiiso_queue_resume (queue);
  semantics_await (&slot);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  assert_no_result (handle);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (handle), osiiso_handle_get_created (handle) + 5, 1e-6);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  semantics_settle ();
  g_assert_cmpint (n_started, ==, 1);

  semantics_succeed (&slot);
  semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_succeeded (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, NULL);
  OsiisoAttempt *attempt = semantics_take (&slot);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that succeeded has its value, its times, no error and an empty message");

  semantics_advance (2.5);
  osiiso_attempt_return_string (attempt, "value");
  osiiso_attempt_unref (attempt);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (handle)), ==, "value");
  error = osiiso_handle_dup_error (handle);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_finished (handle), osiiso_handle_get_started (handle) + 2.5, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 2.5, 1e-6);
  test_queue_free (queue);
}

static void
note_error (OsiisoQueue  *queue,
            OsiisoHandle *handle,
            const GError *error,
            gpointer      log)
{
  test_log_add (log, "%s", error->message);
}

static void
test_retrying (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 10.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  double started;
  int n_started = 0;
  TestLog log;

  g_test_summary ("A task that is retrying has its first start and no result yet; on-retry comes with the error");

  test_log_init (&log);
  g_signal_connect_swapped (queue, "on-start", G_CALLBACK (count_event), &n_started);
  g_signal_connect (queue, "on-retry", G_CALLBACK (note_error), &log);
  handle = test_submit (queue, test_task_defer, &slot, options);
  semantics_await (&slot);
  started = osiiso_handle_get_started (handle);
  semantics_fail (&slot, "first");
  semantics_await_retrying (queue, handle);
  assert_no_result (handle);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  semantics_settle ();
  semantics_assert_log (&log, "first");

  semantics_advance (10);
  semantics_await (&slot);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (handle), started, 1e-6);
  semantics_advance (1);
  semantics_succeed (&slot);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 2, "");
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (handle), started, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 11, 1e-6);
  semantics_settle ();
  g_assert_cmpint (n_started, ==, 2);
  semantics_assert_log (&log, "");
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_failed (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, NULL);
  OsiisoAttempt *attempt = semantics_take (&slot);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that failed has the error as it was reported, and its message");

  semantics_advance (1);
  osiiso_attempt_return_error (attempt, g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "disk full"));
  osiiso_attempt_unref (attempt);
  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, "disk full");
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpstr (error->message, ==, "disk full");
  g_assert_null (osiiso_handle_get_value (handle));
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 1, 1e-6);
  test_queue_free (queue);
}

static void
test_first_end_wins (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 2);
  OsiisoAttempt *slots[2] = { NULL };
  g_autoptr (OsiisoHandle) cancelled = NULL;
  g_autoptr (OsiisoHandle) reported = NULL;
  OsiisoAttempt *attempt;
  int n_completed = 0;

  g_test_summary ("Of two ends of a task the first one counts, and it is told once");

  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (count_event), &n_completed);
  cancelled = test_submit (queue, test_task_defer, &slots[0], NULL);
  reported = test_submit (queue, test_task_defer, &slots[1], NULL);

  attempt = semantics_take (&slots[0]);
  g_assert_true (osiiso_handle_cancel (cancelled));
  semantics_assert_ended (cancelled, OSIISO_STATUS_CANCELLED, 1, "cancelled");
  osiiso_attempt_return_int (attempt, 1);
  osiiso_attempt_unref (attempt);

  attempt = semantics_take (&slots[1]);
  osiiso_attempt_return_int (attempt, 1);
  semantics_assert_ended (reported, OSIISO_STATUS_SUCCEEDED, 1, "");
  g_assert_false (osiiso_handle_cancel (reported));
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "too late");
  osiiso_attempt_unref (attempt);

  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  semantics_assert_ended (cancelled, OSIISO_STATUS_CANCELLED, 1, "cancelled");
  semantics_assert_ended (reported, OSIISO_STATUS_SUCCEEDED, 1, "");
  g_assert_cmpint (n_completed, ==, 2);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  test_queue_free (queue);
}

static void
test_told_when_over (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_completed = 0;

  g_test_summary ("When a run or a join returns to the owner, on-complete has been emitted for all that ended");

  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (count_event), &n_completed);
  for (int round = 1; round <= 50; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;

      for (int i = 0; i < 5; i++)
        test_submit_and_drop (queue, i % 2 ? test_task_none : test_task_fail, NULL, NULL);
      if (round % 2)
        test_run_all (queue);
      else
        g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_assert_cmpint (n_completed, ==, 5 * round);
      summary = osiiso_queue_dup_summary (queue);
      g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 5 * round);
    }
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  g_test_add_func ("/semantics/states/six", test_six);
  test_add_for_backends ("/semantics/states/submitted", test_submitted);
  test_add_for_backends ("/semantics/states/scheduled", test_scheduled);
  test_add_for_backends ("/semantics/states/running", test_running);
  test_add_for_backends ("/semantics/states/succeeded", test_succeeded);
  test_add_for_backends ("/semantics/states/retrying", test_retrying);
  test_add_for_backends ("/semantics/states/failed", test_failed);
  test_add_for_backends ("/semantics/states/first-end-wins", test_first_end_wins);
  test_add_for_backends ("/semantics/states/told-when-over", test_told_when_over);

  return g_test_run ();
}
