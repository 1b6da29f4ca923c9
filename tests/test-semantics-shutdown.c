/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* How a queue ends. */

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoAttempt *slot;
} Late;

static void
submit_late (OsiisoAttempt *attempt,
             gpointer       data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (osiiso_queue_push (((Late *) data)->queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  osiiso_attempt_return_boolean (attempt, TRUE);
}

static void
test_drain (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) far = test_options_new ("delay", 1e6, NULL);
  g_autoptr (OsiisoTaskOptions) flaky = test_options_new ("retries", 1, "retry-delay", 500.0, NULL);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, "delay", 2e6, NULL);
  Late late = { .queue = queue };
  g_autoptr (OsiisoHandle) a = test_submit (queue, submit_late, &late, NULL);
  g_autoptr (OsiisoHandle) b = test_submit (queue, semantics_task_second, NULL, flaky);
  g_autoptr (OsiisoHandle) c = test_submit (queue, submit_late, &late, far);
  g_autoptr (OsiisoHandle) d = test_submit (queue, test_task_none, NULL, detached);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A shutdown starts the queue, takes no more tasks, and waits for all there are, however long");

  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  /* Inside a task it is the same. */
  semantics_await_status (a, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (g_value_get_boolean (osiiso_handle_get_value (a)));
  semantics_await_retrying (queue, b);
  semantics_advance (500);
  semantics_assert_ended (b, OSIISO_STATUS_SUCCEEDED, 2, "");
  semantics_advance (1e6);
  semantics_await_status (c, OSIISO_STATUS_SUCCEEDED);
  semantics_settle ();
  g_assert_null (result);
  g_assert_false (osiiso_queue_get_closed (queue));
  g_assert_cmpint (osiiso_handle_get_status (d), ==, OSIISO_STATUS_PENDING);
  semantics_advance (1e6);
  semantics_shutdown_finish (queue, &result);
  g_assert_cmpint (osiiso_handle_get_status (d), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

static void
test_nothing_to_do (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue without work closes at once, started or not");

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  test_queue_free (queue);

  queue = semantics_queue_new (backend, 2);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

static void
test_paused (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("A shutdown resumes a paused queue, whose work could not end otherwise");

  osiiso_queue_pause (queue);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_false (osiiso_queue_get_paused (queue));
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

static void
test_ends_infinite_run (gconstpointer backend)
{
  g_test_summary ("A forced shutdown, and a cancelled queue, end an infinite run like a shutdown that waits");

  for (int how = 0; how < 3; how++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (OsiisoRunSummary) summary = NULL;
      g_autoptr (GAsyncResult) run = NULL;
      g_autoptr (GAsyncResult) shutdown = NULL;

      osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
      osiiso_queue_run_async (queue, NULL, test_store_result, &run);
      semantics_settle ();
      g_assert_null (run);
      if (how == 2)
        osiiso_queue_cancel (queue);
      else
        osiiso_queue_shutdown_async (queue, how == 1, NULL, test_store_result, &shutdown);
      summary = semantics_run_finish (queue, &run);
      g_assert_true (osiiso_run_summary_get_ok (summary));
      /* The end of the shutdown, not just of the work. */
      g_assert_true (osiiso_queue_get_closed (queue));
      if (how < 2)
        semantics_shutdown_finish (queue, &shutdown);
      test_queue_free (queue);
    }
}

static void
test_force_after_drain (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) far = test_options_new ("delay", 1e6, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, far);
  g_autoptr (GAsyncResult) first = NULL;
  g_autoptr (GAsyncResult) second = NULL;

  g_test_summary ("A forced shutdown cuts one short that waits, and both end");

  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &first);
  semantics_settle ();
  g_assert_null (first);
  osiiso_queue_shutdown_async (queue, TRUE, NULL, test_store_result, &second);
  semantics_shutdown_finish (queue, &first);
  semantics_shutdown_finish (queue, &second);
  semantics_assert_ended (handle, OSIISO_STATUS_CANCELLED, 0, "cancelled before execution");
  test_queue_free (queue);
}

static void
test_again (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("To shut down again does nothing, and what there was stays to be seen");

  for (int i = 0; i < 4; i++)
    {
      g_assert_true (osiiso_queue_shutdown (queue, i % 2, NULL, &error));
      g_assert_no_error (error);
      osiiso_queue_cancel (queue);
    }
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  summary = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/shutdown/drain", test_drain);
  test_add_for_backends ("/semantics/shutdown/nothing-to-do", test_nothing_to_do);
  test_add_for_backends ("/semantics/shutdown/paused", test_paused);
  test_add_for_backends ("/semantics/shutdown/ends-infinite-run", test_ends_infinite_run);
  test_add_for_backends ("/semantics/shutdown/force-after-drain", test_force_after_drain);
  test_add_for_backends ("/semantics/shutdown/again", test_again);

  return g_test_run ();
}
