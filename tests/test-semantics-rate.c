/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* What it means for a task to wait for its turn at the rate of the queue. */

/* A queue of one attempt in ten seconds, whose turn has just been taken. */
static OsiisoQueue *
queue_without_turn (const char *backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) first = NULL;

  osiiso_queue_set_rate (queue, 0.1);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  first = test_submit (queue, test_task_none, NULL, NULL);
  semantics_await_status (first, OSIISO_STATUS_SUCCEEDED);
  return queue;
}

static void
test_timeout (gconstpointer backend)
{
  OsiisoQueue *queue = queue_without_turn (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, options);

  g_test_summary ("While a task waits for its turn its timeout does not run");

  semantics_advance (9.999);
  semantics_settle ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  semantics_advance (0.001);
  semantics_await (&slot);
  semantics_advance (0.999);
  semantics_succeed (&slot);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 0.999, 1e-6);
  test_queue_free (queue);
}

static void
test_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = queue_without_turn (backend);
  g_autoptr (OsiisoHandle) waiting = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) next = NULL;

  g_test_summary ("A task that is cancelled while it waits for its turn has not run, and leaves the turn to the next");

  semantics_advance (5);
  semantics_settle ();
  g_assert_true (osiiso_handle_cancel (waiting));
  semantics_assert_ended (waiting, OSIISO_STATUS_CANCELLED, 0, "cancelled before execution");
  g_assert_cmpfloat (osiiso_handle_get_started (waiting), ==, 0);
  next = test_submit (queue, test_task_none, NULL, NULL);
  semantics_advance (5);
  semantics_assert_ended (next, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

static void
test_retry (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 4.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("A retry waits for its delay and for its turn, whichever takes longer");

  osiiso_queue_set_rate (queue, 0.1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, semantics_task_second, NULL, options);
  semantics_await_retrying (queue, handle);
  semantics_advance (4);
  semantics_settle ();
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  semantics_advance (6);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 2, "");
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), 10, 1e-6);
  test_queue_free (queue);
}

static void
test_next_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("The rate is that of the queue: a run that follows waits for what the one before has used");

  osiiso_queue_set_rate (queue, 0.1);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_settle ();
  g_assert_null (result);
  semantics_advance (10);
  summary = semantics_run_finish (queue, &result);
  g_assert_cmpfloat_with_epsilon (osiiso_run_summary_get_duration (summary), 10, 1e-6);
  test_queue_free (queue);
}

static void
test_reset (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A reset gives back no turn that was taken before");

  osiiso_queue_set_rate (queue, 0.1);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_true (osiiso_queue_reset (queue, &error));
  g_assert_no_error (error);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_advance (9.999);
  semantics_settle ();
  g_assert_null (result);
  semantics_advance (0.001);
  summary = semantics_run_finish (queue, &result);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/rate/timeout", test_timeout);
  test_add_for_backends ("/semantics/rate/cancelled", test_cancelled);
  test_add_for_backends ("/semantics/rate/retry", test_retry);
  test_add_for_backends ("/semantics/rate/next-run", test_next_run);
  test_add_for_backends ("/semantics/rate/reset", test_reset);

  return g_test_run ();
}
