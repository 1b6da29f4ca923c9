/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Queues that begin anew. */

#define SECOND G_USEC_PER_SEC

static const OsiisoTestHooks *hooks;

static void
reset (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_reset (queue, &error));
  g_assert_no_error (error);
}

static void
assert_refused (OsiisoQueue *queue,
                const char  *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_queue_reset (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_assert_cmpstr (error->message, ==, message);
}

static void
assert_empty (OsiisoQueue *queue)
{
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_dup_summary (queue);

  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 0);
  g_assert_false (osiiso_queue_get_closed (queue));
}

/* Runs a few tasks, and the summary has these and no others. */
static void
assert_works (OsiisoQueue *queue)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;

  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 5);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 6);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
}

static void
note_complete (OsiisoQueue  *queue,
               OsiisoHandle *handle,
               gpointer      counter)
{
  g_assert_true (g_main_context_is_owner (osiiso_queue_get_context (queue)));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_atomic_int_inc ((int *) counter);
}

static void
note_status (OsiisoHandle *handle,
             GParamSpec   *pspec,
             gpointer      counter)
{
  ++*(int *) counter;
}

static void
test_waiting (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoHandle) plain = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) late = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (OsiisoHandle) moved = test_submit (queue, test_task_none, NULL, detached);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 10, test_task_none, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoRunSummary) members = NULL;
  g_autoptr (GError) error = NULL;
  int n_destroyed = 0;
  int n_notified = 0;
  int n_complete = 0;

  g_test_summary ("Tasks that wait in a queue which never started are cancelled, with all that belongs to that");

  g_assert_true (osiiso_handle_set_priority (moved, 1));
  for (int i = 0; i < 10; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, NULL, NULL), !=, 0);
  g_signal_connect (queue, "on-complete", G_CALLBACK (note_complete), &n_complete);
  g_signal_connect (plain, "notify::status", G_CALLBACK (note_status), &n_notified);
  reset (queue);
  g_assert_cmpint (n_complete, ==, 23);
  g_assert_cmpint (n_destroyed, ==, 10);
  g_assert_cmpint (n_notified, ==, 1);
  assert_empty (queue);

  g_assert_cmpint (osiiso_handle_get_status (late), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (moved), ==, OSIISO_STATUS_CANCELLED);
  error = osiiso_handle_dup_error (plain);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (error->message, ==, "cancelled before execution");
  members = osiiso_group_wait (group, -1, NULL, NULL);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (members), ==, 10);

  g_signal_handlers_disconnect_by_data (queue, &n_complete);
  hooks->clock_advance (2000 * SECOND);
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_after_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) old = test_submit (queue, test_task_int, GINT_TO_POINTER (42), NULL);
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;

  g_test_summary ("After a run the queue rests and may be reset; what was kept of it stays readable");

  summary = test_run (queue);
  waiting = test_submit (queue, test_task_none, NULL, NULL);
  reset (queue);
  assert_empty (queue);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (old), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (old)), ==, 42);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  result = g_list_model_get_item (G_LIST_MODEL (summary), 0);
  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_SUCCEEDED);
  assert_works (queue);
  reset (queue);
  reset (queue);
  assert_empty (queue);
  assert_works (queue);
  test_queue_free (queue);
}

static void
note_closed (OsiisoQueue *queue,
             GParamSpec  *pspec,
             gpointer     log)
{
  test_log_add (log, osiiso_queue_get_closed (queue) ? "closed" : "open");
}

static void
test_closed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  TestLog log;

  g_test_summary ("A queue that was shut down, by force or not, is open again, and tells so");

  test_log_init (&log);
  g_signal_connect (queue, "notify::closed", G_CALLBACK (note_closed), &log);
  for (int round = 0; round < 4; round++)
    {
      g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);

      assert_works (queue);
      if (round % 2 == 1)
        test_submit_and_drop (queue, test_task_none, NULL, delayed);
      g_assert_true (osiiso_queue_shutdown (queue, round % 2 == 1, NULL, &error));
      g_assert_no_error (error);
      g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
      g_clear_error (&error);
      text = test_log_steal (&log);
      g_assert_cmpstr (text, ==, "closed");
      g_clear_pointer (&text, g_free);

      reset (queue);
      assert_empty (queue);
      text = test_log_steal (&log);
      g_assert_cmpstr (text, ==, "open");
      g_clear_pointer (&text, g_free);
    }

  /* It has to be started anew. */
  {
    g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

    while (g_main_context_iteration (NULL, FALSE))
      ;
    g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
    g_assert_true (osiiso_queue_start (queue, &error));
    g_assert_no_error (error);
    g_assert_true (osiiso_queue_join (queue, NULL, &error));
    g_assert_no_error (error);
    g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  }
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_never_started (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);

  g_test_summary ("One that was shut down before it was ever started, too");

  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  reset (queue);
  assert_empty (queue);
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_stuck (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  TestGate gate;

  g_test_summary ("A function of before that has not returned takes no worker away, and what it reports counts no more");

  for (int round = 0; round < 3; round++)
    {
      test_gate_init (&gate);
      osiiso_queue_set_workers (queue, 1);
      handle = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
      g_assert_true (osiiso_queue_start (queue, NULL));
      test_gate_await (&gate, 1);
      g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
      reset (queue);
      assert_works (queue);
      test_gate_open (&gate);
      test_iterate_until (&gate.n_released);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
      g_clear_object (&handle);
      g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
      reset (queue);
      test_gate_clear (&gate);
    }
  test_queue_free (queue);
}

static void
test_busy (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("During a run, while it is started and during a shutdown a reset is refused and changes nothing");

  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  assert_refused (queue, "cannot reset during a run");
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  assert_refused (queue, "cannot reset during a run");
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (g_steal_pointer (&attempt));
  summary = osiiso_queue_run_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_clear_object (&result);

  g_assert_true (osiiso_queue_start (queue, NULL));
  assert_refused (queue, "cannot reset while the queue is started; shut it down first");
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  test_submit_and_drop (queue, test_task_defer, &attempt, NULL);
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  assert_refused (queue, "cannot reset while the queue is started; shut it down first");

  osiiso_queue_shutdown_async (queue, FALSE, NULL, test_store_result, &result);
  assert_refused (queue, "cannot reset during a shutdown");
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_true (osiiso_queue_shutdown_finish (queue, test_await_result (&result), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  reset (queue);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
reset_inside (OsiisoAttempt *attempt,
              gpointer       queue)
{
  GError *error = NULL;

  g_assert_false (osiiso_queue_reset (queue, &error));
  osiiso_attempt_return_error (attempt, error);
}

static void
reset_in_handler (OsiisoQueue  *queue,
                  OsiisoHandle *handle,
                  gpointer      n_refused)
{
  g_autoptr (GError) error = NULL;

  /* On main-loop the start is told on the way into the task. */
  g_assert_false (osiiso_queue_reset (queue, &error));
  if (!g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK))
    g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  ++*(int *) n_refused;
}

static void
test_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, reset_inside, queue, NULL);
  g_autoptr (GError) error = NULL;
  int n_refused = 0;

  g_test_summary ("Neither a task nor a handler can reset its queue, and neither hangs");

  g_signal_connect (queue, "on-start", G_CALLBACK (reset_in_handler), &n_refused);
  g_signal_connect (queue, "on-complete", G_CALLBACK (reset_in_handler), &n_refused);
  test_run_all (queue);
  g_assert_cmpint (n_refused, ==, 2);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  test_queue_free (queue);
}

static gpointer
reset_thread (gpointer queue)
{
  reset (queue);
  return NULL;
}

static void
test_elsewhere (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 20, test_task_none, NULL, NULL, NULL, NULL);
  int n_complete = 0;

  g_test_summary ("Any thread may reset; what was cancelled is told in the owner's context");

  g_signal_connect (queue, "on-complete", G_CALLBACK (note_complete), &n_complete);
  g_thread_join (g_thread_new ("reset", reset_thread, queue));
  g_assert_cmpint (n_complete, ==, 0);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 20);
  assert_empty (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n_complete, ==, 20);
  test_queue_free (queue);
}

static gpointer
shutdown_thread (gpointer queue)
{
  GError *error = NULL;

  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_no_error (error);
  return NULL;
}

static void
test_shutdown_waits (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Who waits for a shutdown hears of it, also when the queue is open again by then");

  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_shutdown_async (queue, TRUE, NULL, test_store_result, &result);
  while (!osiiso_queue_get_closed (queue))
    g_thread_yield ();
  g_assert_null (result);
  reset (queue);
  g_assert_true (osiiso_queue_shutdown_finish (queue, test_await_result (&result), &error));
  g_assert_no_error (error);
  assert_works (queue);

  for (int round = 0; round < 200; round++)
    {
      GThread *thread = g_thread_new ("shutdown", shutdown_thread, queue);

      /* It may be refused. */
      osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL);
      while (!osiiso_queue_reset (queue, NULL))
        g_main_context_iteration (NULL, FALSE);
      g_thread_join (thread);
      /* The shutdown may have come after the reset. */
      if (osiiso_queue_get_closed (queue))
        reset (queue);
    }
  assert_works (queue);
  g_clear_object (&result);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  int          n_destroyed;
  int          done;
} Storm;

static gpointer
storm_thread (gpointer data)
{
  Storm *storm = data;

  for (int i = 0; i < 300; i++)
    {
      /* Its data are released once, accepted or not. */
      osiiso_queue_push (storm->queue, i % 3 ? test_task_none : test_task_fail, &storm->n_destroyed, test_count,
                         NULL, NULL);
      if (i % 5 == 0)
        {
          g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (storm->queue, NULL, NULL);

          /* Results and counts belong to the same tasks. */
          if (summary != NULL)
            g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==,
                              osiiso_run_summary_get_failed (summary) + osiiso_run_summary_get_cancelled (summary));
        }
      if (i % 7 == 0)
        osiiso_queue_start (storm->queue, NULL);
      if (i % 11 == 0)
        osiiso_queue_shutdown (storm->queue, i % 2, NULL, NULL);
    }
  g_atomic_int_set (&storm->done, 1);
  return NULL;
}

static void
test_storm (gconstpointer backend)
{
  Storm storm = { .queue = test_queue_new (backend) };
  GThread *thread;
  int n_resets = 0;

  g_test_summary ("Resets between submits, starts, runs and shutdowns of another thread lose nothing and end");

  thread = g_thread_new ("storm", storm_thread, &storm);
  while (!g_atomic_int_get (&storm.done))
    {
      n_resets += osiiso_queue_reset (storm.queue, NULL);
      g_main_context_iteration (NULL, FALSE);
    }
  g_thread_join (thread);
  g_test_message ("%d resets", n_resets);
  g_assert_true (osiiso_queue_shutdown (storm.queue, TRUE, NULL, NULL));
  reset (storm.queue);
  assert_empty (storm.queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (storm.n_destroyed, ==, 300);
  assert_works (storm.queue);
  test_queue_free (storm.queue);
}

static void
test_deadlines (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 100.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("No deadline of before reaches the tasks of after");

  osiiso_queue_set_timeout (queue, 10);
  osiiso_queue_set_shutdown_timeout (queue, 10);
  assert_works (queue);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  reset (queue);

  osiiso_queue_set_timeout (queue, 0);
  handle = test_submit (queue, test_task_none, NULL, delayed);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  hooks->clock_advance (100 * SECOND);
  summary = osiiso_queue_run_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
test_settings (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;

  g_test_summary ("Settings stay, and there is room again in a queue of a bounded size");

  osiiso_queue_set_size (queue, 2);
  osiiso_queue_set_workers (queue, 3);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int i = 0; i < 2; i++)
    g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  osiiso_queue_pause (queue);
  reset (queue);
  g_assert_true (osiiso_queue_get_paused (queue));
  g_assert_cmpuint (osiiso_queue_get_size (queue), ==, 2);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 3);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int i = 0; i < 2; i++)
    g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  osiiso_queue_resume (queue);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  test_queue_free (queue);
}

static void
test_halted (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue that a failure had halted accepts tasks again");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  reset (queue);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_CONTINUE);
  assert_works (queue);
  test_queue_free (queue);
}

static guint64
never_run (guint64  token,
           guint64  task_id,
           guint    attempt,
           gpointer unused)
{
  g_assert_not_reached ();
}

static void
reset_at_end (const guint64 *tokens,
              const guint   *statuses,
              gsize          n,
              gpointer       queue)
{
  assert_refused (queue, "cannot reset during a shutdown");
}

static void
test_within_shutdown (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A reset out of the middle of a shutdown is refused, and the queue ends closed");

  g_assert_true (osiiso_queue_set_runner (queue, never_run, NULL, NULL, NULL));
  g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ANY_THREAD, reset_at_end, queue,
                                                    NULL, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token (queue, 1, NULL, NULL), !=, 0);
  osiiso_queue_cancel (queue);
  g_assert_true (osiiso_queue_get_closed (queue));
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  test_queue_free (queue);
}

static void
use_at_end (const guint64 *tokens,
            const guint   *statuses,
            gsize          n,
            gpointer       queue)
{
  g_autoptr (OsiisoHandle) handle = NULL;

  /* It is as new already, but for the task that is just told. */
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
}

static void
test_use_within (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("Who hears of what a reset cancels may use the queue at once");

  g_assert_true (osiiso_queue_set_runner (queue, never_run, NULL, NULL, NULL));
  g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ANY_THREAD, use_at_end, queue,
                                                    NULL, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token (queue, 1, NULL, NULL), !=, 0);
  reset (queue);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  test_queue_free (queue);
}

static void
test_dropped (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_destroyed = 0;

  g_test_summary ("After a reset a queue with tasks that nobody starts is not kept alive by them");

  g_assert_true (osiiso_queue_start (queue, NULL));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  reset (queue);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, NULL, NULL), !=, 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  test_queue_free (queue);
  g_assert_cmpint (n_destroyed, ==, 1);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  hooks = test_manual_clock ();

  test_add_for_backends ("/reset/waiting", test_waiting);
  test_add_for_backends ("/reset/after-run", test_after_run);
  test_add_for_backends ("/reset/closed", test_closed);
  test_add_for_backends ("/reset/never-started", test_never_started);
  g_test_add_func ("/reset/stuck", test_stuck);
  test_add_for_backends ("/reset/busy", test_busy);
  test_add_for_backends ("/reset/inside", test_inside);
  test_add_for_backends ("/reset/elsewhere", test_elsewhere);
  test_add_for_backends ("/reset/shutdown-waits", test_shutdown_waits);
  test_add_for_backends ("/reset/storm", test_storm);
  test_add_for_backends ("/reset/deadlines", test_deadlines);
  test_add_for_backends ("/reset/settings", test_settings);
  test_add_for_backends ("/reset/halted", test_halted);

  test_add_for_backends ("/reset/within-shutdown", test_within_shutdown);
  test_add_for_backends ("/reset/use-within", test_use_within);
  test_add_for_backends ("/reset/dropped", test_dropped);

  return g_test_run ();
}
