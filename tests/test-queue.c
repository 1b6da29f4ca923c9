/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* The life of a queue: runs, joins and shutdowns. */

static void
count_destroy (gpointer counter)
{
  g_atomic_int_inc ((int *) counter);
}

static void
test_run_twice (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  g_autoptr (OsiisoRunSummary) all = NULL;
  g_autoptr (OsiisoRunSummary) none = NULL;

  g_test_summary ("A queue runs again and again, and each summary has the tasks of its run");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  first = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (first), ==, 1);

  for (int i = 0; i < 10; i++)
    test_submit_and_drop (queue, i % 2 ? test_task_none : test_task_fail, NULL, NULL);
  second = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (second), ==, 5);
  g_assert_cmpuint (osiiso_run_summary_get_failed (second), ==, 5);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (second)), ==, 10);

  none = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (none), ==, 0);
  g_assert_true (osiiso_run_summary_get_ok (none));

  all = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (all), ==, 11);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 11);
  test_queue_free (queue);
}

static void
test_push (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  guint64 ids[4];
  int n_destroyed = 0;

  g_test_summary ("Pushed tasks are counted; only failures are kept");

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      ids[i] = osiiso_queue_push (queue, i == 2 ? test_task_fail : test_task_none, &n_destroyed, count_destroy, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (ids[i], !=, 0);
    }
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 3);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 1);
  g_assert_cmpint (n_destroyed, ==, 4);

  g_assert_null (osiiso_queue_lookup (queue, ids[1]));
  {
    g_autoptr (OsiisoHandle) failed = osiiso_queue_lookup (queue, ids[2]);

    g_assert_cmpint (osiiso_handle_get_status (failed), ==, OSIISO_STATUS_FAILED);
    g_assert_cmpuint (osiiso_handle_get_task_id (failed), ==, ids[2]);
  }
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue  *queue;
  OsiisoHandle *handle; /* (nullable) */
  guint64       n_completed;
  int           n_released;
} Released;

static void
release_after_end (gpointer data)
{
  Released *self = data;

  self->n_released++;
  self->n_completed = osiiso_queue_get_completed_count (self->queue);
  if (self->handle != NULL)
    g_assert_cmpint (osiiso_handle_get_status (self->handle), ==, OSIISO_STATUS_SUCCEEDED);
}

static void
test_release (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  Released submitted = { queue, NULL, 0, 0 };
  Released pushed = { queue, NULL, 0, 0 };

  g_test_summary ("In the owner's context the data of a task are released when it is over");

  submitted.handle = osiiso_queue_submit (queue, test_task_none, &submitted, release_after_end, NULL, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &pushed, release_after_end, NULL, NULL), !=, 0);
  test_run_all (queue);
  g_assert_cmpint (submitted.n_released, ==, 1);
  g_assert_cmpuint (submitted.n_completed, ==, 1);
  g_assert_cmpint (pushed.n_released, ==, 1);
  g_assert_cmpuint (pushed.n_completed, ==, 2);
  g_object_unref (submitted.handle);
  test_queue_free (queue);
}

static void
test_keep_results (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) cleared = NULL;

  g_test_summary ("Results can be forgotten, at once or later; counts stay");

  osiiso_queue_set_keep_results (queue, FALSE);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 0);

  osiiso_queue_set_keep_results (queue, TRUE);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  test_run_all (queue);
  osiiso_queue_clear_results (queue);
  cleared = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (cleared)), ==, 0);
  g_assert_cmpuint (osiiso_run_summary_get_failed (cleared), ==, 2);
  test_queue_free (queue);
}

static void
test_priority (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  static const int priorities[] = { 9, 3, 1, 3, 127, -128, 1 };
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GString) order = g_string_new (NULL);

  g_test_summary ("With one worker tasks run by priority, and equal ones as they were submitted");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], "name", name, NULL);

      test_submit_and_drop (queue, test_task_none, NULL, options);
    }
  summary = test_run (queue);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);

      g_string_append (order, osiiso_task_result_get_name (result));
    }
  g_assert_cmpstr (order->str, ==, "5261304");
  test_queue_free (queue);
}

static void
test_urgent_while_busy (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 0, "name", "urgent", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) second = NULL;
  TestGate gate;

  g_test_summary ("What is submitted urgently while others wait runs next");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_submit_and_drop (queue, test_task_gate, &gate, NULL);
  test_gate_await (&gate, 1);
  for (int i = 0; i < 100; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, urgent);
  test_gate_open (&gate);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  summary = osiiso_queue_dup_summary (queue);
  second = g_list_model_get_item (G_LIST_MODEL (summary), 1);
  g_assert_cmpstr (osiiso_task_result_get_name (second), ==, "urgent");
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_workers (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = NULL;
  TestGate gate;

  g_test_summary ("No more tasks run at a time than there are workers, and more do when there are more");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 2);
  g_assert_true (osiiso_queue_start (queue, NULL));
  group = osiiso_queue_map (queue, 20, test_task_gate, &gate, NULL, NULL, NULL);
  test_gate_await (&gate, 2);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 2);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 18);
  osiiso_queue_set_workers (queue, 7);
  test_gate_await (&gate, 7);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 7);
  osiiso_queue_set_workers (queue, 1);
  test_gate_open (&gate);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 20);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_fewer_workers (void)
{
  g_test_summary ("When the workers become fewer while all are at work, exactly as many as are wanted stay");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      TestGate gate;

      test_gate_init (&gate);
      osiiso_queue_set_workers (queue, 8);
      g_assert_true (osiiso_queue_start (queue, NULL));
      for (int i = 0; i < 8; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_task_gate, &gate, NULL, NULL, NULL), !=, 0);
      test_gate_await (&gate, 8);
      osiiso_queue_set_workers (queue, 1);
      for (int i = 0; i < 8; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
      test_gate_open (&gate);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 16);
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

static void
test_pause (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  int notified = 0;

  g_test_summary ("A paused queue begins nothing, and goes on when it is resumed");

  g_signal_connect_swapped (queue, "notify::paused", G_CALLBACK (count_destroy), &notified);
  osiiso_queue_pause (queue);
  g_assert_true (osiiso_queue_get_paused (queue));
  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, test_task_none, NULL, NULL);
  for (int i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  osiiso_queue_resume (queue);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (notified, ==, 2);

  /* As a button does it that is bound to it. */
  g_object_set (queue, "paused", TRUE, NULL);
  g_assert_true (osiiso_queue_get_paused (queue));
  g_object_set (queue, "paused", FALSE, NULL);
  g_assert_false (osiiso_queue_get_paused (queue));
  test_queue_free (queue);
}

static void
test_fail_first (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) spared = NULL;

  g_test_summary ("With fail-first the first failure cancels all that need not complete");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, i == 1 ? test_task_fail : test_task_none, NULL, NULL);
  spared = test_submit (queue, test_task_none, NULL, must);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 3);
  g_assert_cmpint (osiiso_handle_get_status (spared), ==, OSIISO_STATUS_SUCCEEDED);

  /* The queue is open again. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
store_result (GObject      *source,
              GAsyncResult *result,
              gpointer      location)
{
  g_atomic_pointer_set ((GAsyncResult **) location, g_object_ref (result));
}

static void
iterate_until_set (GAsyncResult **location)
{
  while (*location == NULL)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) run = NULL;
  g_autoptr (GAsyncResult) shutdown = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("In infinite mode a run goes on through idleness until the queue is shut down");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_run_async (queue, NULL, store_result, &run);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

      test_await_status (handle, OSIISO_STATUS_SUCCEEDED);
      g_assert_null (run);
    }
  osiiso_queue_shutdown_async (queue, FALSE, NULL, store_result, &shutdown);
  iterate_until_set (&run);
  iterate_until_set (&shutdown);
  summary = osiiso_queue_run_finish (queue, run, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 3);
  g_assert_true (osiiso_queue_shutdown_finish (queue, shutdown, &error));
  g_assert_no_error (error);
  g_clear_object (&run);
  g_clear_object (&shutdown);
  test_queue_free (queue);
}

static void
test_shutdown (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 0.01, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (GError) error = NULL;
  int notified = 0;

  g_test_summary ("A shutdown lets all work finish, also work that was never started, and refuses more");

  g_signal_connect_swapped (queue, "notify::closed", G_CALLBACK (count_destroy), &notified);
  g_assert_false (osiiso_queue_get_closed (queue));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  g_assert_cmpint (notified, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);

  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_true (osiiso_queue_join (queue, NULL, &error));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  test_queue_free (queue);
}

static void
test_shutdown_force (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) running = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;
  int n_destroyed = 0;

  g_test_summary ("A forced shutdown does not wait for what runs, and the data of that live until it returns");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  running = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, must, &error);
  waiting = osiiso_queue_submit (queue, test_task_none, &n_destroyed, count_destroy, must, &error);
  test_gate_await (&gate, 1);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (running), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (n_destroyed, ==, 1);
  g_assert_cmpint (gate.n_released, ==, 0);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoTaskFunc func;
  guint          n;
  TestGate      *gate;
} Producer;

static gpointer
producer_thread (gpointer data)
{
  Producer *producer = data;

  for (guint i = 0; i < producer->n; i++)
    g_assert_cmpuint (osiiso_queue_push (producer->queue, producer->func, NULL, NULL, NULL, NULL), !=, 0);
  return NULL;
}

static void
test_producers (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Producer producer = { queue, test_task_none, 5000, NULL };
  GThread *threads[4];

  g_test_summary ("Many threads submit into a queue that works, and nothing is lost");

  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("producer", producer_thread, &producer);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 20000);
  test_queue_free (queue);
}

static gpointer
run_thread (gpointer queue)
{
  return test_run (queue);
}

static void
test_run_elsewhere (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run in a thread that does not own the queue blocks there, and needs nobody to iterate");

  for (int i = 0; i < 100; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = g_thread_join (g_thread_new ("run", run_thread, queue));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 100);
  test_queue_free (queue);
}

static void
test_run_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Cancelling a run ends the run and not the tasks, and another run may follow");

  g_cancellable_cancel (cancellable);
  g_assert_null (osiiso_queue_run (queue, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_cancellable_reset (cancellable);
  osiiso_queue_run_async (queue, cancellable, store_result, &result);
  g_main_context_iteration (NULL, FALSE);
  g_cancellable_cancel (cancellable);
  iterate_until_set (&result);
  g_assert_null (osiiso_queue_run_finish (queue, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_clear_object (&result);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_false (osiiso_queue_join (queue, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  osiiso_handle_cancel (handle);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
submit_another (OsiisoAttempt *attempt,
                gpointer       queue)
{
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
}

static void
test_submit_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A task may submit into its own queue, and the run includes that");

  for (int i = 0; i < 50; i++)
    test_submit_and_drop (queue, submit_another, queue, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 100);
  test_queue_free (queue);
}

static void
cancel_queue (OsiisoAttempt *attempt,
              gpointer       queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_join (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  osiiso_queue_cancel (queue);
}

static void
test_cancel_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A task may cancel its queue, but not wait for it");

  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, cancel_queue, queue, NULL);
  for (int i = 0; i < 10; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 11);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_busy (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  TestGate gate;

  g_test_summary ("A second run at the same time is refused, and the first one does not notice");

  test_gate_init (&gate);
  handle = test_submit (queue, test_task_gate, &gate, NULL);
  osiiso_queue_run_async (queue, NULL, store_result, &result);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_clear_error (&error);
  test_gate_open (&gate);
  iterate_until_set (&result);
  {
    g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run_finish (queue, result, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  }
  g_clear_object (&result);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_join_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 100, test_task_none, NULL, NULL, NULL, NULL);

  g_test_summary ("join_async starts the queue and returns when no work is left");

  osiiso_queue_join_async (queue, NULL, store_result, &result);
  iterate_until_set (&result);
  g_assert_true (osiiso_queue_join_finish (queue, result, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 100);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
test_own_context (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  OsiisoQueue *queue;
  OsiisoRunSummary *summary;

  g_test_summary ("A queue belongs to the thread-default context of its maker");

  g_main_context_push_thread_default (context);
  queue = test_queue_new ("main-loop");
  g_assert_true (osiiso_queue_get_context (queue) == context);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  g_object_unref (summary);
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
}

static void
test_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoBackend) backend = NULL;
  guint workers;
  double timeout;
  OsiisoMode mode;
  OsiisoFailPolicy fail_policy;
  OsiisoTimeoutPolicy on_timeout;
  gboolean keep_results, paused, closed;
  guint64 active, pending, scheduled, completed;
  g_autofree char *name = NULL;
  double rate;
  guint burst;

  g_test_summary ("Properties are what was set, and defaults are the model's");

  g_object_get (queue, "backend", &backend, "workers", &workers, "timeout", &timeout, "mode", &mode,
                "fail-policy", &fail_policy, "on-timeout", &on_timeout, "keep-results", &keep_results,
                "paused", &paused, "closed", &closed, "active-count", &active, "pending-count", &pending,
                "scheduled-count", &scheduled, "completed-count", &completed, NULL);
  g_assert_true (OSIISO_IS_BACKEND (backend));
  g_assert_cmpuint (workers, ==, 0);
  g_assert_cmpfloat (timeout, ==, 0);
  g_assert_cmpint (mode, ==, OSIISO_MODE_FINITE);
  g_assert_cmpint (fail_policy, ==, OSIISO_FAIL_POLICY_CONTINUE);
  g_assert_cmpint (on_timeout, ==, OSIISO_TIMEOUT_POLICY_COMPLETE);
  g_assert_true (keep_results);
  g_assert_false (paused);
  g_assert_false (closed);
  g_assert_cmpuint (active + pending + scheduled + completed, ==, 0);

  g_object_set (queue, "workers", 3, "timeout", 1.5, "mode", OSIISO_MODE_INFINITE,
                "fail-policy", OSIISO_FAIL_POLICY_FAIL_FIRST, "on-timeout", OSIISO_TIMEOUT_POLICY_CANCEL,
                "keep-results", FALSE, "name", "batch", "rate", 5.0, "burst", 4, NULL);
  g_object_get (queue, "name", &name, "rate", &rate, "burst", &burst, NULL);
  g_assert_cmpstr (name, ==, "batch");
  g_assert_cmpfloat (rate, ==, 5);
  g_assert_cmpuint (burst, ==, 4);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 3);
  g_assert_cmpuint (osiiso_backend_get_workers (backend), ==, 3);
  g_assert_cmpfloat (osiiso_queue_get_timeout (queue), ==, 1.5);
  g_assert_cmpint (osiiso_queue_get_mode (queue), ==, OSIISO_MODE_INFINITE);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpint (osiiso_queue_get_on_timeout (queue), ==, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_assert_false (osiiso_queue_get_keep_results (queue));

  g_object_get (queue, "workers", &workers, "timeout", &timeout, "mode", &mode, "fail-policy", &fail_policy,
                "on-timeout", &on_timeout, "keep-results", &keep_results, NULL);
  g_assert_cmpuint (workers, ==, 3);
  g_assert_cmpfloat (timeout, ==, 1.5);
  g_assert_cmpint (mode, ==, OSIISO_MODE_INFINITE);
  g_assert_cmpint (fail_policy, ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpint (on_timeout, ==, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_assert_false (keep_results);
  g_clear_object (&backend);
  test_queue_free (queue);
}

/* Those that have other defaults, and what counts. */
static void
test_more_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 3600.0, NULL);
  g_autofree char *name = NULL;
  guint size, burst;
  double rate, shutdown_timeout;
  gboolean paused, closed;
  guint64 pending, scheduled;

  g_test_summary ("Properties are what was set, also where a number is counted");

  g_object_set (queue, "size", 7, "rate", 2.5, "burst", 4, "shutdown-timeout", 3.5, "paused", TRUE, "name", "seven", NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, later);
  g_object_get (queue, "size", &size, "rate", &rate, "burst", &burst, "shutdown-timeout", &shutdown_timeout,
                "paused", &paused, "closed", &closed, "name", &name, "pending-count", &pending,
                "scheduled-count", &scheduled, NULL);
  g_assert_cmpuint (size, ==, 7);
  g_assert_cmpfloat (rate, ==, 2.5);
  g_assert_cmpuint (burst, ==, 4);
  g_assert_cmpfloat (shutdown_timeout, ==, 3.5);
  g_assert_true (paused);
  g_assert_false (closed);
  g_assert_cmpstr (name, ==, "seven");
  g_assert_cmpuint (pending, ==, osiiso_queue_get_pending_count (queue));
  g_assert_cmpuint (scheduled, ==, 1);
  test_queue_free (queue);
}

static void
test_notify (void)
{
  static const char *const names[] = { "workers", "timeout", "mode", "fail-policy", "on-timeout", "keep-results", "size",
                                       "rate", "burst", "shutdown-timeout", "name" };
  OsiisoQueue *queue = test_queue_new ("main-loop");
  int n_notified[G_N_ELEMENTS (names)] = { 0 };

  g_test_summary ("Each setting that changes is notified of, once");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *signal = g_strconcat ("notify::", names[i], NULL);

      g_signal_connect_swapped (queue, signal, G_CALLBACK (count_destroy), &n_notified[i]);
    }
  osiiso_queue_set_workers (queue, 3);
  osiiso_queue_set_timeout (queue, 1.5);
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_set_size (queue, 9);
  osiiso_queue_set_rate (queue, 2);
  osiiso_queue_set_burst (queue, 3);
  osiiso_queue_set_shutdown_timeout (queue, 2.5);
  osiiso_queue_set_name (queue, "named");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (n_notified[i] != 1)
      g_error ("notify::%s came %d times", names[i], n_notified[i]);
  test_queue_free (queue);
}

static void
test_slice (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  GObject *backend = G_OBJECT (osiiso_queue_get_backend (queue));
  double slice;

  g_test_summary ("How long tasks may take of a main loop at a time is what was set");

  for (double wanted = 0; wanted < 2; wanted += 0.5)
    {
      g_object_set (backend, "slice", wanted, NULL);
      g_object_set (backend, "slice", wanted, NULL);
      g_object_get (backend, "slice", &slice, NULL);
      g_assert_cmpfloat (slice, ==, wanted);
    }
  test_queue_free (queue);
}

static void
test_detached (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (1), detached);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run waits for a detached task and leaves it out of its summary");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static gpointer
push_at_gate (gpointer data)
{
  Producer *producer = data;

  test_gate_pass (producer->gate);
  return producer_thread (data);
}

static void
test_push_while_starting (gconstpointer backend)
{
  g_test_summary ("What is submitted while the queue is being started runs without a further push");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      Producer producer = { queue, test_task_none, 1, NULL };
      GThread *thread;
      TestGate gate;

      test_gate_init (&gate);
      producer.gate = &gate;
      thread = g_thread_new ("producer", push_at_gate, &producer);
      test_gate_await (&gate, 1);
      test_gate_open (&gate);
      g_assert_true (osiiso_queue_start (queue, NULL));
      while (osiiso_queue_get_completed_count (queue) == 0)
        g_main_context_iteration (NULL, FALSE);
      g_thread_join (thread);
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

/* A backend into whose queue another thread pushes while it opens. */
#define TEST_TYPE_SLOW_BACKEND (test_slow_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestSlowBackend, test_slow_backend, TEST, SLOW_BACKEND, OsiisoBackend)

struct _TestSlowBackend
{
  OsiisoBackend parent_instance;

  Producer      producer;
  gboolean      opened;
};

G_DEFINE_FINAL_TYPE (TestSlowBackend, test_slow_backend, OSIISO_TYPE_BACKEND)

static gboolean
test_slow_backend_open (OsiisoBackend *backend,
                        GError       **error)
{
  TestSlowBackend *self = TEST_SLOW_BACKEND (backend);

  g_thread_join (g_thread_new ("producer", producer_thread, &self->producer));
  self->opened = TRUE;
  return TRUE;
}

static void
test_slow_backend_wake (OsiisoBackend *backend,
                        guint          n)
{
  OsiisoAttempt *attempt;

  g_assert_true (TEST_SLOW_BACKEND (backend)->opened);
  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static void
test_slow_backend_close (OsiisoBackend *backend,
                         gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_slow_backend_class_init (TestSlowBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->open = test_slow_backend_open;
  backend_class->wake = test_slow_backend_wake;
  backend_class->close = test_slow_backend_close;
}

static void
test_slow_backend_init (TestSlowBackend *self)
{
}

#define TEST_TYPE_STAFF_BACKEND (test_staff_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestStaffBackend, test_staff_backend, TEST, STAFF_BACKEND, OsiisoBackend)

/* Takes all that it can get when its workers change, and, if it is to look then too,
 * when it is asked how many it would like. */
struct _TestStaffBackend
{
  OsiisoBackend parent_instance;

  GPtrArray    *attempts;
  gboolean      looks;
  guint         most; /* that it has seen */
};

G_DEFINE_FINAL_TYPE (TestStaffBackend, test_staff_backend, OSIISO_TYPE_BACKEND)

static void
test_staff_backend_take_all (OsiisoBackend *backend)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (backend)) != NULL)
    g_ptr_array_add (TEST_STAFF_BACKEND (backend)->attempts, attempt);
}

static guint
test_staff_backend_get_default_workers (OsiisoBackend *backend)
{
  TestStaffBackend *self = TEST_STAFF_BACKEND (backend);

  if (self->looks)
    {
      self->looks = FALSE;
      self->most = MAX (self->most, osiiso_backend_get_workers (backend));
      test_staff_backend_take_all (backend);
      g_assert_cmpuint (self->attempts->len, >=, self->most);
      self->looks = TRUE;
    }
  return 3;
}

static void
test_staff_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_staff_backend_finalize (GObject *object)
{
  g_ptr_array_unref (TEST_STAFF_BACKEND (object)->attempts);
  G_OBJECT_CLASS (test_staff_backend_parent_class)->finalize (object);
}

static void
test_staff_backend_class_init (TestStaffBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = test_staff_backend_finalize;
  backend_class->workers_changed = test_staff_backend_take_all;
  backend_class->get_default_workers = test_staff_backend_get_default_workers;
  backend_class->close = test_staff_backend_close;
}

static void
test_staff_backend_init (TestStaffBackend *self)
{
  self->attempts = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
}

static void
test_workers_changed (void)
{
  g_autoptr (TestStaffBackend) backend = g_object_new (TEST_TYPE_STAFF_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend that hears of more workers gets tasks for them, one that hears of fewer for those of before");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_cmpuint (backend->attempts->len, ==, 0);
  osiiso_queue_set_workers (queue, 3);
  g_assert_cmpuint (backend->attempts->len, ==, 3);
  osiiso_attempt_run (g_ptr_array_index (backend->attempts, 0));
  osiiso_attempt_run (g_ptr_array_index (backend->attempts, 1));
  osiiso_queue_set_workers (queue, 2);
  g_assert_cmpuint (backend->attempts->len, ==, 5);
  for (guint i = 2; i < 4; i++)
    osiiso_attempt_run (g_ptr_array_index (backend->attempts, i));
  test_staff_backend_take_all (OSIISO_BACKEND (backend));
  g_assert_cmpuint (backend->attempts->len, ==, 6);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_workers_seen (void)
{
  g_autoptr (TestStaffBackend) backend = g_object_new (TEST_TYPE_STAFF_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend that sees more workers before it is told of them gets tasks for them");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  backend->looks = TRUE;
  osiiso_queue_set_workers (queue, 0);
  backend->looks = FALSE;
  g_assert_cmpuint (backend->most, ==, 3);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_push_while_opening (void)
{
  g_autoptr (TestSlowBackend) backend = g_object_new (TEST_TYPE_SLOW_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend is woken when it has been opened, and then for all that came before");

  backend->producer = (Producer) { queue, test_task_none, 3, NULL };
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (osiiso_queue_get_completed_count (queue) < 3)
    g_main_context_iteration (NULL, FALSE);
  test_queue_free (queue);
}

static void
join_inside (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      n_joined)
{
  g_autoptr (GError) error = NULL;

  if (!osiiso_queue_join (queue, NULL, &error))
    g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_atomic_int_inc ((int *) n_joined);
}

static void
test_join_in_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_joined = 0;

  g_test_summary ("A handler may join the queue: that returns, and all tasks finish");

  g_signal_connect (queue, "on-complete", G_CALLBACK (join_inside), &n_joined);
  for (int i = 0; i < 3; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_int_get (&n_joined) < 3)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  test_queue_free (queue);
}

static void
iterate_inside (OsiisoAttempt *attempt,
                gpointer       flag)
{
  test_iterate_until (flag);
}

static void
set_flag (OsiisoAttempt *attempt,
          gpointer       flag)
{
  g_atomic_int_set ((int *) flag, 1);
}

static void
test_iterate_inside (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int flag = 0;

  g_test_summary ("A task that iterates the context lets other tasks run there");

  first = test_submit (queue, iterate_inside, &flag, NULL);
  test_submit_and_drop (queue, set_flag, &flag, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
stop_at_gate (GCancellable *cancellable,
              gpointer      gate)
{
  test_gate_pass (gate);
}

static gpointer
advance_thread (gpointer hooks)
{
  ((const OsiisoTestHooks *) hooks)->clock_advance (G_USEC_PER_SEC);
  return NULL;
}

static void
test_late_deadline (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (OsiisoRunSummary) first_summary = NULL;
  g_autoptr (OsiisoRunSummary) second_summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = NULL;
  GThread *thread;
  TestGate interrupting;
  TestGate working;

  g_test_summary ("A run deadline that falls due while the last task is interrupted is not taken for the next run's");

  test_gate_init (&interrupting);
  test_gate_init (&working);
  osiiso_queue_set_timeout (queue, 1);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  first = test_submit (queue, test_task_defer, &attempt, options);
  osiiso_queue_run_async (queue, NULL, store_result, &result);
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_cancellable_connect (osiiso_attempt_get_cancellable (attempt), G_CALLBACK (stop_at_gate), &interrupting, NULL);
  /* Both the task and the run are late now, and the thread that ends them is
   * held up in the middle of that. */
  thread = g_thread_new ("advance", advance_thread, (gpointer) hooks);
  test_gate_await (&interrupting, 1);
  iterate_until_set (&result);
  first_summary = osiiso_queue_run_finish (queue, result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_FAILED);
  g_clear_object (&result);

  osiiso_queue_set_timeout (queue, 0);
  second = test_submit (queue, test_task_gate, &working, NULL);
  osiiso_queue_run_async (queue, NULL, store_result, &result);
  test_gate_await (&working, 1);
  test_gate_open (&interrupting);
  g_thread_join (thread);
  test_gate_open (&working);
  iterate_until_set (&result);
  second_summary = osiiso_queue_run_finish (queue, result, &error);
  g_assert_no_error (error);
  g_assert_false (osiiso_run_summary_get_timed_out (second_summary));
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&result);
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
  test_gate_clear (&interrupting);
  test_gate_clear (&working);
  hooks->clock_set_manual (0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/queue/run-twice", test_run_twice);
  g_test_add_func ("/queue/push", test_push);
  g_test_add_func ("/queue/release", test_release);
  g_test_add_func ("/queue/keep-results", test_keep_results);
  test_add_for_backends ("/queue/priority", test_priority);
  g_test_add_func ("/queue/urgent-while-busy", test_urgent_while_busy);
  g_test_add_func ("/queue/workers", test_workers);
  g_test_add_func ("/queue/fewer-workers", test_fewer_workers);
  test_add_for_backends ("/queue/pause", test_pause);
  test_add_for_backends ("/queue/fail-first", test_fail_first);
  test_add_for_backends ("/queue/infinite", test_infinite);
  test_add_for_backends ("/queue/shutdown", test_shutdown);
  g_test_add_func ("/queue/shutdown-force", test_shutdown_force);
  test_add_for_backends ("/queue/producers", test_producers);
  test_add_for_backends ("/queue/push-while-starting", test_push_while_starting);
  g_test_add_func ("/queue/workers-changed", test_workers_changed);
  g_test_add_func ("/queue/workers-seen", test_workers_seen);
  g_test_add_func ("/queue/push-while-opening", test_push_while_opening);
  g_test_add_func ("/queue/run-elsewhere", test_run_elsewhere);
  test_add_for_backends ("/queue/run-cancelled", test_run_cancelled);
  test_add_for_backends ("/queue/submit-inside", test_submit_inside);
  test_add_for_backends ("/queue/cancel-inside", test_cancel_inside);
  g_test_add_func ("/queue/busy", test_busy);
  test_add_for_backends ("/queue/join-async", test_join_async);
  test_add_for_backends ("/queue/join-in-handler", test_join_in_handler);
  g_test_add_func ("/queue/iterate-inside", test_iterate_inside);
  g_test_add_func ("/queue/late-deadline", test_late_deadline);
  g_test_add_func ("/queue/own-context", test_own_context);
  g_test_add_func ("/queue/properties", test_properties);
  g_test_add_func ("/queue/properties/more", test_more_properties);
  g_test_add_func ("/queue/properties/notify", test_notify);
  g_test_add_func ("/queue/slice", test_slice);
  g_test_add_func ("/queue/detached", test_detached);

  return g_test_run ();
}
