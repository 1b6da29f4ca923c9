/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* Shutdowns that have only so much time. */

#define SECOND G_USEC_PER_SEC

static const OsiisoTestHooks *hooks;

static void
assert_shut_down (OsiisoQueue   *queue,
                  GAsyncResult **result)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_shutdown_finish (queue, test_await_result (result), &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  g_clear_object (result);
}

static OsiisoHandle *
submit_delayed (OsiisoQueue *queue,
                double       delay)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", delay, NULL);

  return test_submit (queue, test_task_none, NULL, options);
}

static void
assert_cancelled (OsiisoHandle *handle)
{
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
}

static void
test_in_time (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 4);
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("A shutdown that takes less than its time is none that is forced");

  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  hooks->clock_advance (4 * SECOND);
  assert_shut_down (queue, &result);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  hooks->clock_advance (10 * SECOND);
  test_queue_free (queue);
}

static void
test_forced (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("retries", 5, "retry-delay", 1000.0,
                                                             "must-complete", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) must_complete = test_options_new ("must-complete", TRUE, NULL);
  OsiisoAttempt *attempt = NULL;
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("What has not ended in time is cancelled, whatever it is doing and must-complete or not");

  osiiso_queue_set_workers (queue, 1);
  g_ptr_array_add (handles, test_submit (queue, test_task_fail, NULL, retrying));
  g_ptr_array_add (handles, test_submit (queue, test_task_defer, &attempt, must_complete));
  g_ptr_array_add (handles, submit_delayed (queue, 1000));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, delayed));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, must_complete));
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (handles->pdata[0]), ==, OSIISO_STATUS_RETRYING);
  g_assert_cmpint (osiiso_handle_get_status (handles->pdata[1]), ==, OSIISO_STATUS_RUNNING);
  hooks->clock_advance (5 * SECOND - 1);
  for (guint i = 0; i < handles->len; i++)
    g_assert_false (osiiso_handle_is_done (handles->pdata[i]));

  hooks->clock_advance (1);
  assert_shut_down (queue, &result);
  for (guint i = 0; i < handles->len; i++)
    assert_cancelled (handles->pdata[i]);
  g_assert_true (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
}

static gboolean
advance_cb (gpointer seconds)
{
  hooks->clock_advance (GPOINTER_TO_INT (seconds) * SECOND);
  return G_SOURCE_REMOVE;
}

static void
test_blocking (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 1000);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A shutdown that blocks is cut short too, and has succeeded then");

  osiiso_queue_set_shutdown_timeout (queue, 5);
  g_idle_add (advance_cb, GINT_TO_POINTER (5));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  assert_cancelled (handle);
  test_queue_free (queue);
}

static gpointer
shutdown_thread (gpointer queue)
{
  GError *error = NULL;

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  return NULL;
}

static void
test_elsewhere (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 1000000);
  GThread *thread;

  g_test_summary ("It is cut short in any thread, also when nobody iterates the context");

  osiiso_queue_set_shutdown_timeout (queue, 5);
  thread = g_thread_new ("shutdown", shutdown_thread, queue);
  /* Its time begins some time soon. */
  while (!osiiso_queue_get_closed (queue))
    hooks->clock_advance (SECOND);
  g_thread_join (thread);
  assert_cancelled (handle);
  test_queue_free (queue);
}

static void
test_stuck (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  TestGate gate;

  g_test_summary ("A function that does not return holds no shutdown up");

  test_gate_init (&gate);
  handle = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  test_gate_await (&gate, 1);
  hooks->clock_advance (5 * SECOND);
  assert_shut_down (queue, &result);
  assert_cancelled (handle);
  g_assert_cmpint (gate.n_released, ==, 0);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_from_the_call (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 1000);
  g_autoptr (GAsyncResult) first = NULL;
  g_autoptr (GAsyncResult) second = NULL;
  g_autoptr (GAsyncResult) third = NULL;

  g_test_summary ("The time counts from the call; another call may cut it short and not prolong it");

  osiiso_queue_set_shutdown_timeout (queue, 10);
  g_assert_true (osiiso_queue_start (queue, NULL));
  hooks->clock_advance (100 * SECOND);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &first);
  /* A change counts for shutdowns to come. */
  osiiso_queue_set_shutdown_timeout (queue, 100);
  hooks->clock_advance (4 * SECOND);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &second);
  osiiso_queue_set_shutdown_timeout (queue, 4);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &third);
  osiiso_queue_set_shutdown_timeout (queue, 0);
  hooks->clock_advance (4 * SECOND - 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  hooks->clock_advance (1);
  assert_cancelled (handle);
  assert_shut_down (queue, &first);
  assert_shut_down (queue, &second);
  assert_shut_down (queue, &third);
  test_queue_free (queue);
}

static void
test_not_prolonged (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 1000);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The time goes on when nobody waits any longer, and a later call has to live with it");

  g_cancellable_cancel (cancellable);
  osiiso_queue_set_shutdown_timeout (queue, 10);
  g_assert_false (osiiso_queue_shutdown (queue, FALSE, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  hooks->clock_advance (9 * SECOND);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  g_assert_false (osiiso_handle_is_done (handle));
  hooks->clock_advance (1 * SECOND);
  assert_cancelled (handle);
  assert_shut_down (queue, &result);
  test_queue_free (queue);
}

static void
test_invalid (gconstpointer backend)
{
  static const struct
  {
    double      timeout;
    const char *shown;
  } values[] = { { -2.5, "*-2.5" }, { HUGE_VAL, "*inf" }, { NAN, "*nan*" } };
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit_delayed (queue, 1000);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A timeout that makes no sense is refused with its value, and the queue stays open");

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GAsyncResult) result = NULL;

      osiiso_queue_set_shutdown_timeout (queue, values[i].timeout);
      g_assert_false (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_true (g_pattern_match_simple (values[i].shown, error->message));
      g_clear_error (&error);
      osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
      g_assert_false (osiiso_queue_shutdown_finish (queue, test_await_result (&result), &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
    }
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  /* What is forced has no use for it. */
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_no_error (error);
  assert_cancelled (handle);
  test_queue_free (queue);
}

static void
count_notify (OsiisoQueue *queue,
              GParamSpec  *pspec,
              gpointer     counter)
{
  ++*(int *) counter;
}

static void
test_property (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  double timeout = -1;
  int n_notified = 0;

  g_test_summary ("The property has a default and notifies");

  g_signal_connect (queue, "notify::shutdown-timeout", G_CALLBACK (count_notify), &n_notified);
  g_object_get (queue, "shutdown-timeout", &timeout, NULL);
  g_assert_cmpfloat (timeout, ==, 0);
  g_object_set (queue, "shutdown-timeout", 2.5, NULL);
  osiiso_queue_set_shutdown_timeout (queue, 2.5);
  g_assert_cmpfloat (osiiso_queue_get_shutdown_timeout (queue), ==, 2.5);
  g_assert_cmpint (n_notified, ==, 1);
  test_queue_free (queue);
}

static void
test_ends_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) run = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("An infinite run ends with the shutdown and has what was cancelled; its own timeout is another matter");

  g_object_unref (submit_delayed (queue, 1000));
  g_object_unref (submit_delayed (queue, 1));
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_timeout (queue, 6);
  osiiso_queue_run_async (queue, NULL, test_store_result, &run);
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  hooks->clock_advance (1 * SECOND);
  while (osiiso_queue_get_completed_count (queue) < 1)
    g_main_context_iteration (NULL, FALSE);
  hooks->clock_advance (4 * SECOND);
  assert_shut_down (queue, &result);
  summary = osiiso_queue_run_finish (queue, test_await_result (&run), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  g_clear_object (&run);
  test_queue_free (queue);
}

static void
test_both_deadlines (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 1000.0, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) run = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("When the times of a run and of a shutdown are over at once, both count");

  osiiso_queue_set_timeout (queue, 5);
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_run_async (queue, NULL, test_store_result, &run);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  hooks->clock_advance (5 * SECOND);
  assert_cancelled (handle);
  assert_shut_down (queue, &result);
  summary = osiiso_queue_run_finish (queue, test_await_result (&run), &error);
  g_assert_no_error (error);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  g_clear_object (&run);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  hooks = test_manual_clock ();

  test_add_for_backends ("/shutdown-timeout/in-time", test_in_time);
  test_add_for_backends ("/shutdown-timeout/forced", test_forced);
  test_add_for_backends ("/shutdown-timeout/blocking", test_blocking);
  test_add_for_backends ("/shutdown-timeout/elsewhere", test_elsewhere);
  g_test_add_func ("/shutdown-timeout/stuck", test_stuck);
  test_add_for_backends ("/shutdown-timeout/from-the-call", test_from_the_call);
  test_add_for_backends ("/shutdown-timeout/not-prolonged", test_not_prolonged);
  test_add_for_backends ("/shutdown-timeout/invalid", test_invalid);
  g_test_add_func ("/shutdown-timeout/property", test_property);
  test_add_for_backends ("/shutdown-timeout/ends-run", test_ends_run);
  test_add_for_backends ("/shutdown-timeout/both-deadlines", test_both_deadlines);

  return g_test_run ();
}
