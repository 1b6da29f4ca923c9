/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* Handles: identity, waiting, and what they show. */

static void
test_wait (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (42), NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("Waiting starts the queue and returns when the task has finished");

  g_assert_true (osiiso_handle_wait (handle, -1, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_handle_is_done (handle));
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 42);
  g_assert_true (osiiso_handle_wait (handle, 0, NULL, &error));
  test_queue_free (queue);
}

static void
test_wait_ends (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;

  g_test_summary ("A wait ends with its timeout or its cancellable, and the task goes on");

  test_gate_init (&gate);
  handle = test_submit (queue, test_task_gate, &gate, NULL);
  g_assert_false (osiiso_handle_wait (handle, 0.001, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_false (osiiso_handle_wait (handle, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  g_assert_false (osiiso_handle_wait (handle, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (osiiso_handle_wait (handle, NAN, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  test_gate_open (&gate);
  g_assert_true (osiiso_handle_wait (handle, -1, NULL, &error));
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static gpointer
wait_thread (gpointer handle)
{
  return GINT_TO_POINTER (osiiso_handle_wait (handle, -1, NULL, NULL));
}

static void
test_wait_in_threads (void)
{
  g_test_summary ("Any number of threads wait, and all are woken");

  for (int round = 0; round < 20; round++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      g_autoptr (OsiisoHandle) handle = NULL;
      GThread *threads[4];
      TestGate gate;

      test_gate_init (&gate);
      handle = test_submit (queue, test_task_gate, &gate, NULL);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("wait", wait_thread, handle);
      test_gate_await (&gate, 1);
      test_gate_open (&gate);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_assert_true (GPOINTER_TO_INT (g_thread_join (threads[i])));
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

static void
wait_for_other (OsiisoAttempt *attempt,
                gpointer       handle)
{
  GError *error = NULL;

  if (osiiso_handle_wait (handle, -1, NULL, &error))
    osiiso_attempt_return_none (attempt);
  else
    osiiso_attempt_return_error (attempt, error);
}

static void
test_would_deadlock (void)
{
  OsiisoQueue *loop_queue = test_queue_new ("main-loop");
  OsiisoQueue *pool_queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) in_loop = test_submit (loop_queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("priority", 9, NULL);
  g_autoptr (OsiisoHandle) last = NULL;
  g_autoptr (OsiisoHandle) waiter = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait that could never end fails at once");

  g_assert_false (osiiso_handle_wait (in_loop, -1, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  test_run_all (loop_queue);
  g_assert_true (osiiso_handle_wait (in_loop, -1, NULL, &error));

  osiiso_queue_set_workers (pool_queue, 1);
  last = test_submit (pool_queue, test_task_none, NULL, later);
  waiter = test_submit (pool_queue, wait_for_other, last, NULL);
  test_run_all (pool_queue);
  error = osiiso_handle_dup_error (waiter);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_assert_cmpint (osiiso_handle_get_status (last), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_error (&error);

  /* With room for both there is nothing wrong with it. */
  osiiso_queue_set_workers (pool_queue, 2);
  g_clear_object (&last);
  g_clear_object (&waiter);
  last = test_submit (pool_queue, test_task_none, NULL, later);
  waiter = test_submit (pool_queue, wait_for_other, last, NULL);
  test_run_all (pool_queue);
  g_assert_cmpint (osiiso_handle_get_status (waiter), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (loop_queue);
  test_queue_free (pool_queue);
}

static void
test_wait_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) never = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GAsyncResult *results[4] = { NULL };

  g_test_summary ("Asynchronous waits end once each: with the task, with their cancellable, or because it is over");

  osiiso_handle_wait_async (handle, NULL, test_store_result, &results[0]);
  osiiso_handle_wait_async (handle, NULL, test_store_result, &results[1]);
  osiiso_handle_wait_async (never, cancellable, test_store_result, &results[2]);
  while (results[0] == NULL || results[1] == NULL)
    g_main_context_iteration (NULL, TRUE);
  osiiso_handle_wait_async (handle, NULL, test_store_result, &results[3]);
  g_assert_null (results[3]);
  while (results[3] == NULL)
    g_main_context_iteration (NULL, TRUE);

  g_assert_null (results[2]);
  g_cancellable_cancel (cancellable);
  while (results[2] == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (osiiso_handle_wait_finish (never, results[2], &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_clear_object (&results[2]);

  for (guint i = 0; i < 4; i++)
    if (results[i] != NULL)
      {
        g_assert_true (osiiso_handle_wait_finish (handle, results[i], &error));
        g_object_unref (results[i]);
      }
  osiiso_handle_cancel (never);
  test_run_all (queue);
  test_queue_free (queue);
}

static gpointer
wait_async_thread (gpointer handle)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GAsyncResult) result = NULL;
  gboolean ok;

  g_main_context_push_thread_default (context);
  osiiso_handle_wait_async (handle, NULL, test_store_result, &result);
  while (result == NULL)
    g_main_context_iteration (context, TRUE);
  ok = osiiso_handle_wait_finish (handle, result, NULL);
  g_main_context_pop_thread_default (context);
  return GINT_TO_POINTER (ok);
}

static void
test_wait_async_elsewhere (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

  g_test_summary ("An asynchronous wait comes back in the context of its caller, and needs nobody to iterate the owner's");

  g_assert_true (GPOINTER_TO_INT (g_thread_join (g_thread_new ("wait", wait_async_thread, handle))));
  test_queue_free (queue);
}

typedef struct
{
  OsiisoHandle *handle;
  GThread      *owner;
  int           n_cancelled;
} CancelledWait;

static void
cancelled_wait_done (GObject      *source,
                     GAsyncResult *result,
                     gpointer      data)
{
  CancelledWait *wait = data;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_thread_self () == wait->owner);
  g_assert_false (osiiso_handle_wait_finish (OSIISO_HANDLE (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_atomic_int_inc (&wait->n_cancelled);
}

static gpointer
cancelled_wait_thread (gpointer data)
{
  CancelledWait *wait = data;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_cancellable_cancel (cancellable);
  osiiso_handle_wait_async (wait->handle, cancellable, cancelled_wait_done, wait);
  return NULL;
}

static void
test_wait_async_cancelled (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) never = test_submit (queue, test_task_none, NULL, delayed);
  CancelledWait wait = { never, g_thread_self (), 0 };

  g_test_summary ("A wait whose cancellable was cancelled before ends at once, in the default context of a thread without one");

  for (int round = 0; round < 300; round++)
    {
      GThread *thread = g_thread_new ("wait", cancelled_wait_thread, &wait);

      /* The context is busy while the wait is set up. */
      while (g_atomic_int_get (&wait.n_cancelled) == round)
        g_main_context_iteration (NULL, FALSE);
      g_thread_join (thread);
      g_assert_cmpint (wait.n_cancelled, ==, round + 1);
    }
  g_assert_cmpint (osiiso_handle_get_status (never), ==, OSIISO_STATUS_PENDING);
  osiiso_handle_cancel (never);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_identity (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoHandle *handle = test_submit (queue, test_task_none, NULL, NULL);
  const guint64 id = osiiso_handle_get_task_id (handle);
  OsiisoHandle *same = osiiso_queue_lookup (queue, id);

  g_test_summary ("A task has one handle at a time, and another one when that is gone");

  g_assert_true (same == handle);
  g_object_unref (same);
  g_object_unref (handle);
  test_run_all (queue);
  handle = osiiso_queue_lookup (queue, id);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_task_id (handle), ==, id);
  same = osiiso_queue_lookup (queue, id);
  g_assert_true (same == handle);
  g_object_unref (same);
  g_object_unref (handle);
  g_assert_null (osiiso_queue_lookup (queue, 0));
  g_assert_null (osiiso_queue_lookup (queue, G_MAXUINT64));
  test_queue_free (queue);
}

static void
test_cancel_results (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (1), NULL);
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A cancelled task has an error, a result and no value; cancelling again changes nothing");

  g_assert_null (osiiso_handle_dup_result (handle));
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_false (osiiso_handle_cancel (handle));
  test_run_all (queue);
  g_assert_null (osiiso_handle_get_value (handle));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (error->message, ==, "cancelled before execution");
  result = osiiso_handle_dup_result (handle);
  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpstr (osiiso_task_result_get_message (result), ==, "cancelled before execution");
  test_queue_free (queue);
}

static void
note_status (OsiisoHandle *handle,
             GParamSpec   *pspec,
             gpointer      log)
{
  test_log_add (log, "%d", osiiso_handle_get_status (handle));
}

static void
test_notify (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, options);
  g_autofree char *text = NULL;
  TestLog log;

  g_test_summary ("The status of a handle is notified at each step, with the status as it is then");

  test_log_init (&log);
  g_signal_connect (handle, "notify::status", G_CALLBACK (note_status), &log);
  test_run_all (queue);
  text = test_log_steal (&log);
  g_assert_nonnull (g_str_has_prefix (text, "1 ") ? text : NULL);
  g_assert_nonnull (g_str_has_suffix (text, " 4") ? text : NULL);
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GVariant) metadata = g_variant_ref_sink (g_variant_new_parsed ("{'a': <1>}"));
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "n", "group-id", "g", "priority", 4, "must-complete", TRUE,
                                                            "detached", TRUE, "metadata", metadata, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (GVariant) got_metadata = NULL;
  g_autofree char *name = NULL;
  g_autofree char *group_id = NULL;
  g_autofree char *status_text = NULL;
  double created, started, finished, duration, progress, scheduled_for;
  gboolean must_complete, detached;
  OsiisoStatus status;
  guint attempts, index;
  guint64 task_id;
  int priority;

  g_test_summary ("A handle has what the options said, and later what happened");

  /* Later changes of the options are none of the task's business. */
  osiiso_task_options_set_name (options, "other");
  osiiso_task_options_set_priority (options, 9);
  test_run_all (queue);
  g_object_get (handle, "task-id", &task_id, "name", &name, "status", &status, "attempts", &attempts,
                "priority", &priority, "must-complete", &must_complete, "detached", &detached,
                "group-id", &group_id, "index", &index, "metadata", &got_metadata, "progress", &progress,
                "status-text", &status_text, "scheduled-for", &scheduled_for, "created", &created,
                "started", &started, "finished", &finished, "duration", &duration, NULL);
  g_assert_cmpuint (task_id, ==, osiiso_handle_get_task_id (handle));
  g_assert_cmpstr (name, ==, "n");
  g_assert_cmpstr (group_id, ==, "g");
  g_assert_cmpint (status, ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (attempts, ==, 1);
  g_assert_cmpuint (index, ==, 0);
  g_assert_cmpint (priority, ==, 4);
  g_assert_true (must_complete);
  g_assert_true (detached);
  g_assert_true (g_variant_equal (metadata, got_metadata));
  g_assert_cmpfloat (progress, ==, 0);
  g_assert_null (status_text);
  g_assert_cmpfloat (scheduled_for, ==, 0);
  g_assert_cmpfloat (created, >, 0);
  g_assert_cmpfloat (started, >=, created);
  g_assert_cmpfloat (finished, >=, started);
  g_assert_cmpfloat_with_epsilon (duration, finished - started, 1e-6);
  test_queue_free (queue);
}

static gpointer
cancel_thread (gpointer handle)
{
  return GINT_TO_POINTER (osiiso_handle_cancel (handle));
}

static void
test_cancel_race (void)
{
  guint n_cancelled = 0;

  g_test_summary ("Cancelling a task that is just ending has exactly one of the two results");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      g_autoptr (OsiisoHandle) handle = NULL;
      g_autoptr (OsiisoRunSummary) summary = NULL;
      GThread *thread;

      osiiso_queue_set_workers (queue, 1);
      handle = test_submit (queue, test_task_none, NULL, NULL);
      thread = g_thread_new ("cancel", cancel_thread, handle);
      summary = test_run (queue);
      g_thread_join (thread);
      g_assert_true (osiiso_handle_is_done (handle));
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
      n_cancelled += osiiso_handle_get_status (handle) == OSIISO_STATUS_CANCELLED;
      test_queue_free (queue);
    }
  g_test_message ("%u of 300 were cancelled", n_cancelled);
}

static void
test_disposed (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoHandle *handle = test_submit (queue, test_task_none, NULL, NULL);
  gpointer watched = handle;

  g_test_summary ("A handle that somebody disposes of, as bindings can, is still that of its task");

  g_object_add_weak_pointer (G_OBJECT (handle), &watched);
  g_object_run_dispose (G_OBJECT (handle));
  watched = handle;
  g_object_add_weak_pointer (G_OBJECT (handle), &watched);
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_object_unref (handle);
  test_run_all (queue);
  g_assert_null (watched);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/handle/wait", test_wait);
  g_test_add_func ("/handle/wait-ends", test_wait_ends);
  g_test_add_func ("/handle/wait-in-threads", test_wait_in_threads);
  g_test_add_func ("/handle/would-deadlock", test_would_deadlock);
  test_add_for_backends ("/handle/wait-async", test_wait_async);
  g_test_add_func ("/handle/wait-async-elsewhere", test_wait_async_elsewhere);
  g_test_add_func ("/handle/wait-async-cancelled", test_wait_async_cancelled);
  g_test_add_func ("/handle/identity", test_identity);
  g_test_add_func ("/handle/cancel-results", test_cancel_results);
  g_test_add_func ("/handle/notify", test_notify);
  g_test_add_func ("/handle/properties", test_properties);
  g_test_add_func ("/handle/cancel-race", test_cancel_race);
  g_test_add_func ("/handle/disposed", test_disposed);

  return g_test_run ();
}
