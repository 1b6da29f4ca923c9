/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-submit-cancellable.h"

/* The cancellable of the one who submits: one connection for all the tasks that
 * were submitted with it, and whatever thread it is cancelled in. */

void
cancellable_settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

void
cancellable_start (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_start (queue, &error));
  g_assert_no_error (error);
}

void
cancellable_finish (OsiisoQueue *queue)
{
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
}

/* Finds the handlers by blocking one after the other. */
guint
cancellable_count_connections (GCancellable *cancellable)
{
  const guint signal = g_signal_lookup ("cancelled", G_TYPE_CANCELLABLE);
  gulong handlers[8];
  gulong handler;
  guint n = 0;

  while ((handler = g_signal_handler_find (cancellable, G_SIGNAL_MATCH_ID | G_SIGNAL_MATCH_UNBLOCKED,
                                           signal, 0, NULL, NULL, NULL)) != 0)
    {
      g_assert_cmpuint (n, <, G_N_ELEMENTS (handlers));
      g_signal_handler_block (cancellable, handler);
      handlers[n++] = handler;
    }
  for (guint i = 0; i < n; i++)
    g_signal_handler_unblock (cancellable, handlers[i]);
  return n;
}

static void
count_task (OsiisoAttempt *attempt,
            gpointer       n)
{
  g_atomic_int_inc ((int *) n);
}

void
cancellable_assert_cancelled (OsiisoHandle *handle)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_waiting (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("cancellable", cancellable, "delay", 1e6,
                                                            "must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) a = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoHandle) b = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (OsiisoHandle) other = test_submit (queue, test_task_none, NULL, NULL);
  int n_run = 0;

  g_test_summary ("All tasks that were submitted with it are cancelled, and no other");

  g_assert_cmpuint (osiiso_queue_push (queue, count_task, &n_run, NULL, options, NULL), !=, 0);
  /* What the options have later is for later tasks. */
  osiiso_task_options_set_cancellable (options, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, count_task, &n_run, NULL, options, NULL), !=, 0);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (a);
  cancellable_assert_cancelled (b);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (other), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (n_run, ==, 1);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 5);
  cancellable_finish (queue);
}

static void
test_running (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, "retries", 5, NULL);
  g_autoptr (GCancellable) own = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("A running attempt is interrupted: its own cancellable is cancelled, no retry follows");

  handle = test_submit (queue, test_task_defer, &attempt, options);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  own = g_object_ref (osiiso_attempt_get_cancellable (attempt));
  g_assert_true (own != cancellable);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (handle);
  g_assert_false (osiiso_attempt_is_open (attempt));
  cancellable_settle ();
  g_assert_true (g_cancellable_is_cancelled (own));
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  osiiso_attempt_unref (attempt);
  cancellable_finish (queue);
}

static void
test_already_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GError) error = NULL;
  int n_released = 0;

  g_test_summary ("With one that has been cancelled nothing is submitted, and the data are released");

  g_cancellable_cancel (cancellable);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, &n_released, test_count, options, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_released, test_count, options, &error), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_map (queue, 3, test_task_none, &n_released, test_count, options, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (osiiso_group_submit (group, test_task_none, &n_released, test_count, options, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  cancellable_settle ();
  g_assert_cmpint (n_released, ==, 4);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 0);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  g_clear_object (&group);
  cancellable_finish (queue);
}

static void
test_one_connection (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoQueue *second = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoHandle) last = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue connects once for all its tasks, and disconnects when they are over");

  for (guint i = 0; i < 10; i++)
    test_submit_and_drop (queue, test_task_none, NULL, options);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 1);
  group = osiiso_queue_map (queue, 100, test_task_none, NULL, NULL, options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 1);
  last = test_submit (second, test_task_none, NULL, options);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 2);
  test_run_all (queue);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 1);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (last);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  g_clear_object (&group);
  cancellable_finish (queue);
  cancellable_finish (second);
}

static void
test_reset (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) running = NULL;
  g_autoptr (OsiisoHandle) after = NULL;
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("One that was cancelled and reset serves again");

  running = test_submit (queue, test_task_defer, &attempt, options);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  g_cancellable_cancel (cancellable);
  g_cancellable_reset (cancellable);
  /* The connection of before may not have been let go yet. */
  osiiso_queue_pause (queue);
  after = test_submit (queue, test_task_none, NULL, options);
  cancellable_assert_cancelled (running);
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_PENDING);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 1);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (after);
  osiiso_attempt_unref (attempt);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  cancellable_finish (queue);
}

static void
report_and_stay (OsiisoAttempt *attempt,
                 gpointer       gate)
{
  osiiso_attempt_return_none (attempt);
  test_gate_pass (gate);
}

static void
test_reset_too_early (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) before = NULL;
  g_autoptr (OsiisoHandle) after = NULL;
  TestGate gate;

  g_test_summary ("Reset while a task of before goes on, it has nothing to do with that any more");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  before = test_submit (queue, report_and_stay, &gate, options);
  cancellable_start (queue);
  test_gate_await (&gate, 1);
  /* It has succeeded already, and ends when the function is left. */
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (osiiso_handle_get_status (before), ==, OSIISO_STATUS_RUNNING);
  g_cancellable_reset (cancellable);
  after = test_submit (queue, test_task_none, NULL, options);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 2);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (after);
  test_gate_open (&gate);
  test_await_status (before, OSIISO_STATUS_SUCCEEDED);
  cancellable_finish (queue);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  test_gate_clear (&gate);
}

static void
note_thread (gpointer data,
             GObject *where_it_was)
{
  g_atomic_pointer_set ((GThread **) data, g_thread_self ());
}

static void
drop_options (OsiisoAttempt *attempt,
              gpointer       options)
{
  g_object_unref (options);
}

static void
test_references (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  GCancellable *cancellable = g_cancellable_new ();
  OsiisoTaskOptions *options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  GThread *dropped_by = NULL;

  g_test_summary ("The last reference goes in the thread that owns the queue, wherever the task ends");

  g_object_weak_ref (G_OBJECT (cancellable), note_thread, &dropped_by);
  g_object_unref (cancellable);
  handle = test_submit (queue, drop_options, options, options);
  g_assert_null (dropped_by);
  test_run_all (queue);
  cancellable_settle ();
  g_assert_true (dropped_by == g_thread_self ());
  /* The handle lives on without it. */
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  cancellable_finish (queue);
}

static void
test_queue_goes (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  GCancellable *cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  GThread *dropped_by = NULL;
  int n_released = 0;

  g_test_summary ("A queue that is dropped with its tasks lets go of it");

  g_object_weak_ref (G_OBJECT (cancellable), note_thread, &dropped_by);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_released, test_count, options, NULL), !=, 0);
  test_queue_free (queue);
  g_assert_cmpint (n_released, ==, 3);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  g_cancellable_cancel (cancellable);
  osiiso_task_options_set_cancellable (options, NULL);
  g_assert_null (dropped_by);
  g_object_unref (cancellable);
  g_assert_nonnull (dropped_by);
}

static void
cancel_it (OsiisoAttempt *attempt,
           gpointer       cancellable)
{
  g_cancellable_cancel (cancellable);
}

static void
test_in_task (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) canceller = NULL;
  g_autoptr (OsiisoHandle) next = NULL;

  g_test_summary ("A task may cancel itself and the others that were submitted with it");

  osiiso_queue_set_workers (queue, 1);
  canceller = test_submit (queue, cancel_it, cancellable, options);
  next = test_submit (queue, test_task_none, NULL, options);
  test_run_all (queue);
  cancellable_assert_cancelled (canceller);
  cancellable_assert_cancelled (next);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  cancellable_finish (queue);
}

gpointer
cancellable_cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_in_thread (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) running = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("It may be cancelled in a thread that has nothing to do with the queue");

  osiiso_queue_set_workers (queue, 1);
  running = test_submit (queue, test_task_defer, &attempt, options);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  waiting = test_submit (queue, test_task_none, NULL, options);
  osiiso_queue_pause (queue);
  g_thread_join (g_thread_new ("cancel", cancellable_cancel_thread, cancellable));
  cancellable_assert_cancelled (running);
  cancellable_assert_cancelled (waiting);
  osiiso_attempt_unref (attempt);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  cancellable_finish (queue);
}

static void
iterate_in_handler (GCancellable *own,
                    gpointer      n)
{
  /* Everything that the queue has for its owner is delivered in here, also that
   * the connection is to be let go, whose handler has called this. */
  cancellable_settle ();
  g_atomic_int_inc ((int *) n);
}

static void
test_inside_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt = NULL;
  int n_called = 0;

  g_test_summary ("Who iterates the owner's context while it is being cancelled does not wait for ever");

  handle = test_submit (queue, test_task_defer, &attempt, options);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  g_signal_connect (osiiso_attempt_get_cancellable (attempt), "cancelled", G_CALLBACK (iterate_in_handler), &n_called);
  g_cancellable_cancel (cancellable);
  cancellable_assert_cancelled (handle);
  cancellable_settle ();
  g_assert_cmpint (n_called, ==, 1);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  osiiso_attempt_unref (attempt);
  cancellable_finish (queue);
}

static void
test_group (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, "deadline", 1e6, NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  int n_released = 0;

  g_test_summary ("All members of a map are cancelled with it");

  group = osiiso_queue_map (queue, 0, test_task_none, &n_released, test_count, options, &error);
  g_assert_no_error (error);
  g_clear_object (&group);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  g_assert_cmpint (n_released, ==, 1);
  group = osiiso_queue_map (queue, 500, test_task_none, &n_released, test_count, options, &error);
  g_assert_no_error (error);
  g_cancellable_cancel (cancellable);
  summary = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 500);
  cancellable_settle ();
  g_assert_cmpint (n_released, ==, 2);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  g_clear_object (&group);
  cancellable_finish (queue);
}

static void
test_refused (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, "deadline", 5.0, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A submission that is refused leaves no connection behind");

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, options, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_map (queue, 5, test_task_none, NULL, NULL, options, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  cancellable_finish (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/submit-cancellable/waiting", test_waiting);
  test_add_for_backends ("/submit-cancellable/running", test_running);
  test_add_for_backends ("/submit-cancellable/already-cancelled", test_already_cancelled);
  test_add_for_backends ("/submit-cancellable/one-connection", test_one_connection);
  test_add_for_backends ("/submit-cancellable/reset", test_reset);
  /* Where tasks may block. */
  g_test_add_data_func ("/submit-cancellable/reset-too-early/thread-pool", "thread-pool", test_reset_too_early);
  test_add_for_backends ("/submit-cancellable/references", test_references);
  test_add_for_backends ("/submit-cancellable/queue-goes", test_queue_goes);
  test_add_for_backends ("/submit-cancellable/in-task", test_in_task);
  test_add_for_backends ("/submit-cancellable/in-thread", test_in_thread);
  test_add_for_backends ("/submit-cancellable/inside-handler", test_inside_handler);
  test_add_for_backends ("/submit-cancellable/group", test_group);
  test_add_for_backends ("/submit-cancellable/refused", test_refused);
  test_add_submit_cancellable_room ();

  return g_test_run ();
}
