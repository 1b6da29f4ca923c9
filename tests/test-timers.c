/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Delays, retries, back-off and timeouts, on a clock that the test turns. All
 * run on main-loop, where what happens between two turns is settled by
 * iterating the context. */

static const OsiisoTestHooks *hooks;
static TestLog task_log;

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
advance (double seconds)
{
  hooks->clock_advance ((gint64) (seconds * G_USEC_PER_SEC + 0.5));
  settle ();
}

static void
log_task (OsiisoAttempt *attempt,
          gpointer       unused)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  test_log_add (&task_log, "%s", name);
}

static void
log_and_fail (OsiisoAttempt *attempt,
              gpointer       unused)
{
  test_log_add (&task_log, "%g", (double) (hooks->clock_now () - 1000 * G_USEC_PER_SEC) / G_USEC_PER_SEC);
  test_task_fail (attempt, NULL);
}

static void
assert_log (const char *expected)
{
  g_autofree char *text = test_log_steal (&task_log);

  g_assert_cmpstr (text, ==, expected);
}

static OsiisoQueue *
started_queue (void)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue;

  hooks = test_manual_clock ();
  test_log_init (&task_log);
  queue = test_queue_new ("main-loop");
  osiiso_queue_start (queue, &error);
  g_assert_no_error (error);
  return queue;
}

static void
finish (OsiisoQueue *queue)
{
  test_queue_free (queue);
  test_log_clear (&task_log);
}

static void
test_delay (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) late = test_options_new ("name", "late", "delay", 2.0, NULL);
  g_autoptr (OsiisoTaskOptions) soon = test_options_new ("name", "soon", "delay", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) now = test_options_new ("name", "now", NULL);
  g_autoptr (OsiisoHandle) a = test_submit (queue, log_task, NULL, late);
  g_autoptr (OsiisoHandle) b = test_submit (queue, log_task, NULL, soon);
  g_autoptr (OsiisoHandle) c = test_submit (queue, log_task, NULL, now);

  g_test_summary ("A delayed task waits without holding a worker, and starts when it is due");

  settle ();
  assert_log ("now");
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 2);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (a), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_scheduled_for (a), 1002, 1e-6);

  advance (0.999);
  assert_log ("");
  advance (0.001);
  assert_log ("soon");
  advance (0.9);
  assert_log ("");
  advance (100);
  assert_log ("late");
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  finish (queue);
}

static void
test_delay_order (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("name", "first", "delay", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("name", "urgent", "priority", 0, NULL);
  g_autoptr (OsiisoTaskOptions) second = test_options_new ("name", "second", NULL);
  g_autoptr (OsiisoTaskOptions) third = test_options_new ("name", "third", NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that was delayed keeps the turn that its submission gave it");

  osiiso_queue_pause (queue);
  g_assert_cmpuint (osiiso_queue_push (queue, log_task, NULL, NULL, delayed, &error), !=, 0);
  g_assert_cmpuint (osiiso_queue_push (queue, log_task, NULL, NULL, second, &error), !=, 0);
  g_assert_cmpuint (osiiso_queue_push (queue, log_task, NULL, NULL, third, &error), !=, 0);
  g_assert_cmpuint (osiiso_queue_push (queue, log_task, NULL, NULL, urgent, &error), !=, 0);
  advance (1);
  assert_log ("");
  osiiso_queue_resume (queue);
  settle ();
  assert_log ("urgent first second third");
  finish (queue);
}

static void
test_run_at (void)
{
  OsiisoQueue *queue = started_queue ();
  const double wall = (double) g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (OsiisoTaskOptions) future = test_options_new ("name", "future", "run-at", wall + 3600, NULL);
  g_autoptr (OsiisoTaskOptions) past = test_options_new ("name", "past", "run-at", wall - 3600, NULL);
  g_autoptr (OsiisoHandle) a = test_submit (queue, log_task, NULL, future);
  g_autoptr (OsiisoHandle) b = test_submit (queue, log_task, NULL, past);

  g_test_summary ("run-at is a time of the wall clock, and one in the past means at once");

  settle ();
  assert_log ("past");
  /* The wall clock is read at the submit, a moment after this test read it. */
  advance (3500);
  assert_log ("");
  advance (200);
  assert_log ("future");
  finish (queue);
}

static void
test_far_future (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 1e300, "timeout", 1e300, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, log_task, NULL, options);

  g_test_summary ("A delay beyond all times is just a long one");

  advance (1e9);
  assert_log ("");
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_true (osiiso_handle_cancel (handle));
  finish (queue);
}

static void
test_backoff (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 4, "retry-delay", 1.0, "backoff", 2.0,
                                                            "max-retry-delay", 3.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, log_and_fail, NULL, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("The wait before a retry grows by the back-off up to the cap");

  settle ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  for (guint i = 0; i < 200; i++)
    advance (0.1);
  /* At 0, then after 1, 2, 3 and 3 seconds. */
  assert_log ("0 1 3 6 9");
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 5);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpstr (error->message, ==, "attempt 5 failed");
  finish (queue);
}

static void
test_jitter (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 10.0, "jitter", 0.5, NULL);

  g_test_summary ("Jitter moves the wait by no more than its share");

  for (guint i = 0; i < 100; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, log_and_fail, NULL, NULL, options, NULL), !=, 0);
  settle ();
  g_free (test_log_steal (&task_log));
  advance (4.9);
  assert_log ("");
  advance (5);
  {
    g_autofree char *early = test_log_steal (&task_log);

    /* One in 2^100 runs has them all on one side. */
    g_assert_cmpstr (early, !=, "");
  }
  advance (5.2);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 100);
  {
    g_autofree char *rest = test_log_steal (&task_log);

    g_assert_cmpstr (rest, !=, "");
  }
  finish (queue);
}

static void
retry_after_5 (OsiisoAttempt *attempt,
               gpointer       unused)
{
  test_log_add (&task_log, "%g", (double) (hooks->clock_now () - 1000 * G_USEC_PER_SEC) / G_USEC_PER_SEC);
  osiiso_attempt_retry_after (attempt, 5, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "come back later"));
}

static void
test_retry_after (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 100.0,
                                                            "max-retry-delay", 3.0, "jitter", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, retry_after_5, NULL, options);
  g_autoptr (OsiisoHandle) without = test_submit (queue, retry_after_5, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task may choose the wait before its retry, which no option changes then, but gets no more retries by that");

  settle ();
  assert_log ("0 0");
  g_assert_cmpint (osiiso_handle_get_status (without), ==, OSIISO_STATUS_FAILED);
  advance (4.9);
  assert_log ("");
  advance (0.1);
  assert_log ("5");
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  finish (queue);
}

static void
test_timeout (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "slow", "timeout", 2.5, NULL);
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("An attempt that takes too long ends, and what it says later is ignored");

  settle ();
  g_assert_nonnull (attempt);
  g_assert_false (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  advance (2.4);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  advance (0.2);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_true (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  g_assert_false (osiiso_attempt_is_open (attempt));
  osiiso_attempt_return_int (attempt, 5);
  osiiso_attempt_unref (attempt);

  g_assert_null (osiiso_handle_get_value (handle));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpstr (error->message, ==, "task 'slow' exceeded 2.5s timeout");
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 2.5, 1e-6);
  finish (queue);
}

static void
test_timeout_and_retry (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, "retries", 1, "retry-delay", 1.0, NULL);
  OsiisoAttempt *attempt = NULL;
  OsiisoAttempt *first;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, options);

  g_test_summary ("A timeout is per attempt, and only the attempt that is under way can report");

  settle ();
  first = g_steal_pointer (&attempt);
  advance (1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  advance (1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_assert_nonnull (attempt);
  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 2);
  g_assert_cmpuint (osiiso_attempt_get_number (first), ==, 1);

  osiiso_attempt_return_string (first, "stale");
  osiiso_attempt_unref (first);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  advance (0.9);
  osiiso_attempt_return_string (attempt, "fresh");
  osiiso_attempt_unref (attempt);
  advance (10);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (handle)), ==, "fresh");
  finish (queue);
}

static void
test_cancel_while_waiting (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, "retry-delay", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 5.0, NULL);
  g_autoptr (OsiisoHandle) retrying = test_submit (queue, log_and_fail, NULL, options);
  g_autoptr (OsiisoHandle) waiting = test_submit (queue, log_task, NULL, delayed);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that waits for a retry or a delay can be cancelled, and does not run any more");

  settle ();
  assert_log ("0");
  g_assert_true (osiiso_handle_cancel (retrying));
  g_assert_true (osiiso_handle_cancel (waiting));
  g_assert_false (osiiso_handle_cancel (waiting));
  g_assert_cmpint (osiiso_handle_get_status (retrying), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpuint (osiiso_handle_get_attempts (retrying), ==, 1);
  g_assert_cmpuint (osiiso_handle_get_attempts (waiting), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  error = osiiso_handle_dup_error (waiting);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  advance (100);
  assert_log ("");
  finish (queue);
}

static void
test_set_priority (void)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) one = test_options_new ("name", "one", NULL);
  g_autoptr (OsiisoTaskOptions) two = test_options_new ("name", "two", NULL);
  g_autoptr (OsiisoTaskOptions) three = test_options_new ("name", "three", "priority", 9, NULL);
  g_autoptr (OsiisoTaskOptions) four = test_options_new ("name", "four", "delay", 1.0, NULL);
  g_autoptr (OsiisoHandle) a = NULL;
  g_autoptr (OsiisoHandle) b = NULL;
  g_autoptr (OsiisoHandle) c = NULL;
  g_autoptr (OsiisoHandle) d = NULL;

  g_test_summary ("A task that waits takes its place among the tasks of its new priority");

  osiiso_queue_pause (queue);
  a = test_submit (queue, log_task, NULL, one);
  b = test_submit (queue, log_task, NULL, two);
  c = test_submit (queue, log_task, NULL, three);
  d = test_submit (queue, log_task, NULL, four);
  g_assert_true (osiiso_handle_set_priority (a, 9));
  g_assert_true (osiiso_handle_set_priority (d, -5));
  g_assert_cmpint (osiiso_handle_get_priority (a), ==, 9);
  g_assert_cmpint (osiiso_handle_get_priority (d), ==, -5);
  advance (1);
  osiiso_queue_resume (queue);
  settle ();
  assert_log ("four two one three");
  g_assert_false (osiiso_handle_set_priority (a, 1));
  g_assert_cmpint (osiiso_handle_get_priority (a), ==, 9);
  finish (queue);
}

static OsiisoRunSummary *
run_finish (OsiisoQueue   *queue,
            GAsyncResult **result)
{
  g_autoptr (GError) error = NULL;
  OsiisoRunSummary *summary;

  g_assert_nonnull (*result);
  summary = osiiso_queue_run_finish (queue, *result, &error);
  g_assert_no_error (error);
  g_clear_object (result);
  return summary;
}

static void
test_run_timeout (gconstpointer policy)
{
  OsiisoQueue *queue = started_queue ();
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, "delay", 10.0, NULL);
  g_autoptr (OsiisoTaskOptions) may = test_options_new ("delay", 10.0, NULL);
  g_autoptr (OsiisoHandle) a = test_submit (queue, log_task, NULL, must);
  g_autoptr (OsiisoHandle) b = test_submit (queue, log_task, NULL, may);
  g_autoptr (OsiisoHandle) c = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) after = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  const gboolean cancel = GPOINTER_TO_INT (policy) == OSIISO_TIMEOUT_POLICY_CANCEL;

  g_test_summary ("When the time of a run is over, the policy decides what happens to must-complete tasks");

  g_object_set (queue, "timeout", 3.0, "on-timeout", GPOINTER_TO_INT (policy), NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  settle ();
  advance (3);
  g_assert_cmpint (osiiso_handle_get_status (b), ==, OSIISO_STATUS_CANCELLED);
  if (!cancel)
    {
      g_assert_null (result);
      g_assert_cmpint (osiiso_handle_get_status (a), ==, OSIISO_STATUS_PENDING);
      /* Until the run is over there is no more work. */
      g_assert_null (osiiso_queue_submit (queue, log_task, NULL, NULL, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
      g_clear_error (&error);
      advance (7);
    }
  summary = run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_false (osiiso_run_summary_get_ok (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, cancel ? 1 : 2);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, cancel ? 2 : 1);
  g_assert_cmpfloat_with_epsilon (osiiso_run_summary_get_duration (summary), cancel ? 3 : 10, 1e-6);

  /* After a run the queue takes tasks and rests until it is started again. */
  after = test_submit (queue, test_task_none, NULL, NULL);
  settle ();
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_PENDING);
  g_assert_true (osiiso_queue_start (queue, &error));
  settle ();
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  finish (queue);
}

/* A backend that takes what it is told to, and never says that it has closed. */
#define TEST_TYPE_IDLE_BACKEND (test_idle_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestIdleBackend, test_idle_backend, TEST, IDLE_BACKEND, OsiisoBackend)

struct _TestIdleBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestIdleBackend, test_idle_backend, OSIISO_TYPE_BACKEND)

static void
test_idle_backend_close (OsiisoBackend *backend,
                         gboolean       force)
{
}

static void
test_idle_backend_class_init (TestIdleBackendClass *klass)
{
  OSIISO_BACKEND_CLASS (klass)->close = test_idle_backend_close;
}

static void
test_idle_backend_init (TestIdleBackend *self)
{
}

static OsiisoBackend *
idle_backend_new (void)
{
  hooks = test_manual_clock ();
  return g_object_new (TEST_TYPE_IDLE_BACKEND, NULL);
}

static void
store_summary (GObject      *queue,
               GAsyncResult *result,
               gpointer      location)
{
  g_autoptr (GError) error = NULL;

  *(OsiisoRunSummary **) location = osiiso_queue_run_finish (OSIISO_QUEUE (queue), result, &error);
  g_assert_no_error (error);
}

static void
run_one (OsiisoBackend *backend)
{
  OsiisoAttempt *attempt = osiiso_backend_take (backend);

  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
}

static void
test_run_while_closing (void)
{
  g_autoptr (OsiisoBackend) backend = idle_backend_new ();
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("The time of an infinite run passes while the backend closes, too");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_timeout (queue, 5);
  osiiso_queue_run_async (queue, NULL, store_summary, &summary);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  advance (4.9);
  g_assert_null (summary);
  advance (0.1);
  g_assert_nonnull (summary);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_false (osiiso_queue_get_closed (queue));
  osiiso_backend_closed (backend);
  test_queue_free (queue);
}

static void
test_run_over_in_time (void)
{
  g_autoptr (OsiisoBackend) backend = idle_backend_new ();
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run whose work was over in time has not timed out, though the program looks later");

  osiiso_queue_set_timeout (queue, 5);
  osiiso_queue_run_async (queue, NULL, store_summary, &summary);
  run_one (backend);
  hooks->clock_advance (10 * (gint64) G_USEC_PER_SEC);
  settle ();
  g_assert_nonnull (summary);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  osiiso_queue_cancel (queue);
  osiiso_backend_closed (backend);
  test_queue_free (queue);
}

static void
submit_another (OsiisoQueue  *queue,
                OsiisoHandle *handle,
                gpointer      location)
{
  if (*(OsiisoHandle **) location == NULL)
    *(OsiisoHandle **) location = test_submit (queue, test_task_none, NULL, NULL);
}

static void
test_run_goes_on_late (void)
{
  g_autoptr (OsiisoBackend) backend = idle_backend_new ();
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) another = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("When such a run gets more work then, its time is over for that");

  g_signal_connect (queue, "on-complete", G_CALLBACK (submit_another), &another);
  osiiso_queue_set_timeout (queue, 5);
  osiiso_queue_run_async (queue, NULL, store_summary, &summary);
  run_one (backend);
  hooks->clock_advance (10 * (gint64) G_USEC_PER_SEC);
  while (summary == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpint (osiiso_handle_get_status (another), ==, OSIISO_STATUS_CANCELLED);
  osiiso_queue_cancel (queue);
  osiiso_backend_closed (backend);
  test_queue_free (queue);
}

static void
store_handle (GObject      *queue,
              GAsyncResult *result,
              gpointer      location)
{
  *(OsiisoHandle **) location = osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, NULL);
}

static void
test_late_in_line (void)
{
  g_autoptr (OsiisoBackend) backend = idle_backend_new ();
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 5.0, NULL);
  g_autoptr (OsiisoTaskOptions) overdue = test_options_new ("deadline", 5.0, NULL);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;

  g_test_summary ("A delay and a deadline that passed while a task waited for room have passed when it comes in");

  osiiso_queue_set_size (queue, 1);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_submit_async (queue, test_task_none, NULL, NULL, delayed, NULL, store_handle, &first);
  osiiso_queue_submit_async (queue, test_task_none, NULL, NULL, overdue, NULL, store_handle, &second);
  hooks->clock_advance (10 * (gint64) G_USEC_PER_SEC);
  run_one (backend);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  run_one (backend);
  g_assert_null (osiiso_backend_take (backend));
  settle ();
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (second), ==, 0);
  osiiso_queue_cancel (queue);
  osiiso_backend_closed (backend);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/timers/delay", test_delay);
  g_test_add_func ("/timers/delay-order", test_delay_order);
  g_test_add_func ("/timers/run-at", test_run_at);
  g_test_add_func ("/timers/far-future", test_far_future);
  g_test_add_func ("/timers/backoff", test_backoff);
  g_test_add_func ("/timers/jitter", test_jitter);
  g_test_add_func ("/timers/retry-after", test_retry_after);
  g_test_add_func ("/timers/timeout", test_timeout);
  g_test_add_func ("/timers/timeout-and-retry", test_timeout_and_retry);
  g_test_add_func ("/timers/cancel-while-waiting", test_cancel_while_waiting);
  g_test_add_func ("/timers/set-priority", test_set_priority);
  g_test_add_data_func ("/timers/run-timeout/complete", GINT_TO_POINTER (OSIISO_TIMEOUT_POLICY_COMPLETE), test_run_timeout);
  g_test_add_data_func ("/timers/run-timeout/cancel", GINT_TO_POINTER (OSIISO_TIMEOUT_POLICY_CANCEL), test_run_timeout);

  g_test_add_func ("/timers/run-while-closing", test_run_while_closing);
  g_test_add_func ("/timers/run-over-in-time", test_run_over_in_time);
  g_test_add_func ("/timers/run-goes-on-late", test_run_goes_on_late);
  g_test_add_func ("/timers/late-in-line", test_late_in_line);

  return g_test_run ();
}
