/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-regressions.h"

/* Runs, joins and shutdowns that never came back. */

/* Item 1: a task that is cancelled before its first step. */

static void
cancel_at_once (OsiisoQueue  *queue,
                OsiisoHandle *handle,
                gpointer      unused)
{
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_assert_true (osiiso_handle_cancel (handle));
}

static void
test_01_before_first_step (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_calls = 0;
  int n_destroyed = 0;

  g_test_summary ("A task that is cancelled after it was taken and before its function is called ends as cancelled");

  g_signal_connect (queue, "on-start", G_CALLBACK (cancel_at_once), NULL);
  for (int i = 0; i < 10; i++)
    {
      g_assert_cmpuint (osiiso_queue_push (queue, test_count_call, &n_calls, NULL, NULL, NULL), !=, 0);
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, NULL, NULL), !=, 0);
    }
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 20);
  g_assert_cmpint (n_calls, ==, 0);
  g_assert_cmpint (n_destroyed, ==, 10);
  test_queue_free (queue);
}

static void
test_01_taken (void)
{
  OsiisoQueue *queue = test_held_queue_new ();
  int n_calls = 0;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_count_call, &n_calls, NULL);
  OsiisoAttempt *attempt = test_held_take (queue);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that a worker has taken and not begun can be cancelled, and nobody waits for it any more");

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_true (osiiso_queue_join (queue, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);

  osiiso_attempt_run (attempt);
  g_assert_cmpint (n_calls, ==, 0);
  g_assert_true (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  osiiso_attempt_unref (attempt);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  test_queue_free (queue);
}

static void
test_01_fail_first (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("A run with fail-first and two workers ends when the first task fails at once");

  osiiso_queue_set_workers (queue, 2);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int round = 0; round < 100; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      int n_calls = 0;

      test_submit_and_drop (queue, test_task_fail, NULL, NULL);
      for (int i = 0; i < 9; i++)
        test_submit_and_drop (queue, test_count_call, &n_calls, NULL);
      summary = test_run (queue);
      g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
      g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 10);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), <=, (guint) n_calls);
    }
  test_queue_free (queue);
}

/* Item 2: a run that is cancelled from outside with live work. */

typedef struct
{
  TestGate       gate;
  OsiisoAttempt *attempt;
  GCancellable  *cancellable;
} LiveWork;

static void
live_work (OsiisoAttempt *attempt,
           gpointer       data)
{
  LiveWork *work = data;

  /* Where tasks run in the owner's thread, live work has left its function. */
  if (work->gate.open)
    g_atomic_pointer_set (&work->attempt, osiiso_attempt_defer (attempt));
  test_gate_pass (&work->gate);
}

static gpointer
cancel_run (gpointer data)
{
  LiveWork *work = data;

  test_gate_await (&work->gate, 1);
  g_cancellable_cancel (work->cancellable);
  return NULL;
}

static OsiisoHandle *
run_and_cancel (OsiisoQueue *queue,
                const char  *backend,
                LiveWork    *work)
{
  OsiisoHandle *handle;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread;

  test_gate_init (&work->gate);
  work->gate.open = g_str_equal (backend, "main-loop");
  work->cancellable = cancellable;
  handle = test_submit (queue, live_work, work, NULL);
  thread = g_thread_new ("cancel", cancel_run, work);
  g_assert_null (osiiso_queue_run (queue, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  return handle;
}

static void
test_02_program_ends (gconstpointer backend)
{
  /* Used by the thread of the task until the process is gone. */
  static LiveWork work;

  g_test_summary ("A program ends when main() returns after a run that was cancelled with live work");

  if (g_test_subprocess ())
    {
      static OsiisoHandle *handle;

      handle = run_and_cancel (test_queue_new (backend), backend, &work);
      g_assert_nonnull (handle);
      return;
    }
  g_test_trap_subprocess (NULL, 60 * G_USEC_PER_SEC, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_assert_false (g_test_trap_reached_timeout ());
  g_test_trap_assert_passed ();
}

static void
test_02_queue_goes_on (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  LiveWork work = { .attempt = NULL };
  g_autoptr (OsiisoHandle) handle = run_and_cancel (queue, backend, &work);
  g_autoptr (OsiisoHandle) next = NULL;

  g_test_summary ("A run that was cancelled leaves its tasks alone, and the queue can run and be shut down");

  test_gate_open (&work.gate);
  if (work.attempt != NULL)
    {
      osiiso_attempt_return_none (work.attempt);
      osiiso_attempt_unref (work.attempt);
    }
  next = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
  test_gate_clear (&work.gate);
}

/* Item 3: a run that times out while a must-complete task waits for its delay
 * and no worker is there. */

static void
fail_once (OsiisoAttempt *attempt,
           gpointer       counter)
{
  g_atomic_int_inc ((int *) counter);
  if (osiiso_attempt_get_number (attempt) == 1)
    test_task_fail (attempt, NULL);
}

static void
test_03_delayed_must_complete (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, "delay", 20.0,
                                                         "retries", 1, "retry-delay", 5.0, NULL);
  g_autoptr (OsiisoTaskOptions) may = test_options_new ("delay", 30.0, NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (GError) error = NULL;
  int n_calls = 0;

  g_test_summary ("After the time limit of a run a must-complete task still gets its worker, and its retry");

  osiiso_queue_set_timeout (queue, 10);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_COMPLETE);
  first = test_submit (queue, fail_once, &n_calls, must);
  second = test_submit (queue, test_count_call, &n_calls, may);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);

  hooks->clock_advance (10 * G_USEC_PER_SEC);
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  test_await_status (first, OSIISO_STATUS_RETRYING);
  g_assert_null (result);
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);

  summary = osiiso_queue_run_finish (queue, result, &error);
  g_assert_no_error (error);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  g_assert_cmpint (n_calls, ==, 2);
  g_clear_object (&result);
  test_queue_free (queue);
  hooks->clock_set_manual (0);
}

/* Item 7: ending a queue, and waiting for it, in one of its tasks. */

static void
assert_refused (gboolean ok,
                GError  *error)
{
  g_assert_false (ok);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_error_free (error);
}

static void
end_from_inside (OsiisoAttempt *attempt,
                 gpointer       queue)
{
  GError *error = NULL;
  gboolean ok;

  ok = osiiso_queue_run (queue, NULL, &error) != NULL;
  assert_refused (ok, g_steal_pointer (&error));
  ok = osiiso_queue_join (queue, NULL, &error);
  assert_refused (ok, g_steal_pointer (&error));
  ok = osiiso_queue_shutdown (queue, FALSE, NULL, &error);
  assert_refused (ok, g_steal_pointer (&error));
  ok = osiiso_queue_shutdown (queue, TRUE, NULL, &error);
  assert_refused (ok, g_steal_pointer (&error));

  /* What was refused has not happened. */
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), !=, 0);
  g_assert_no_error (error);
  osiiso_queue_cancel (queue);
}

static void
test_07_cancel_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 3600.0, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) inside = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that waits for its own queue is told so, and can end it by force");

  osiiso_queue_set_workers (queue, 1);
  inside = test_submit (queue, end_from_inside, queue, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 4);
  g_assert_cmpint (osiiso_handle_get_status (inside), ==, OSIISO_STATUS_CANCELLED);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue  *queue;
  gboolean      force;
  GAsyncResult *result;
} AsyncEnd;

static void
shut_down_from_inside (OsiisoAttempt *attempt,
                       gpointer       data)
{
  AsyncEnd *end = data;

  osiiso_queue_shutdown_async (end->queue, end->force, NULL, test_store_result, &end->result);
}

static void
test_07_shutdown_async_inside (gconstpointer backend)
{
  g_test_summary ("A task may begin the shutdown of its queue, which comes when it is over or cancels it");

  for (int force = 0; force < 2; force++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      AsyncEnd end = { queue, force, NULL };
      g_autoptr (OsiisoHandle) inside = NULL;
      g_autoptr (GError) error = NULL;
      int n_calls = 0;

      osiiso_queue_set_workers (queue, 1);
      inside = test_submit (queue, shut_down_from_inside, &end, NULL);
      for (int i = 0; i < 5; i++)
        test_submit_and_drop (queue, test_count_call, &n_calls, NULL);
      g_assert_true (osiiso_queue_start (queue, NULL));
      while (end.result == NULL)
        g_main_context_iteration (NULL, TRUE);
      g_assert_true (osiiso_queue_shutdown_finish (queue, end.result, &error));
      g_assert_no_error (error);
      g_assert_true (osiiso_queue_get_closed (queue));
      g_assert_cmpint (n_calls, ==, force ? 0 : 5);
      g_assert_cmpint (osiiso_handle_get_status (inside), ==,
                       force ? OSIISO_STATUS_CANCELLED : OSIISO_STATUS_SUCCEEDED);
      g_clear_object (&end.result);
      test_queue_free (queue);
    }
}

static void
shut_down_in_handler (OsiisoQueue  *queue,
                      OsiisoHandle *handle,
                      gpointer      counter)
{
  g_autoptr (GError) error = NULL;

  (*(int *) counter)++;
  if (!osiiso_queue_shutdown (queue, FALSE, NULL, &error))
    g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
}

static void
test_07_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_handled = 0;

  g_test_summary ("A handler of on-complete may shut the queue down, or hears that it cannot wait there");

  g_signal_connect (queue, "on-complete", G_CALLBACK (shut_down_in_handler), &n_handled);
  for (int i = 0; i < 20; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 20);
  while (n_handled < 20)
    g_main_context_iteration (NULL, TRUE);
  test_queue_free (queue);
}

/* Item 8: a queue that was reset and is used from elsewhere. */

static gpointer
run_in_turn (gpointer queue)
{
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  return test_run (queue);
}

typedef struct
{
  OsiisoQueue      *queue;
  OsiisoRunSummary *summary;
  int               over;
} Elsewhere;

static gpointer
run_and_tell (gpointer data)
{
  Elsewhere *elsewhere = data;

  elsewhere->summary = run_in_turn (elsewhere->queue);
  g_atomic_int_set (&elsewhere->over, 1);
  return NULL;
}

static void
test_08_threads (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("A queue that was reset runs in the owner's thread and in others in turn");

  for (int round = 0; round < 20; round++)
    {
      Elsewhere elsewhere = { queue, NULL, 0 };

      if (round % 2)
        {
          GThread *thread = g_thread_new ("run", run_and_tell, &elsewhere);

          test_iterate_until (&elsewhere.over);
          g_thread_join (thread);
        }
      else
        {
          elsewhere.summary = run_in_turn (queue);
        }
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (elsewhere.summary), ==, 1);
      g_object_unref (elsewhere.summary);
      /* At rest, or closed. */
      if (round % 3 == 0)
        g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
      g_assert_true (osiiso_queue_reset (queue, NULL));
    }
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue  *queue;
  GMainContext *context;
  int           n_completed;
} Moved;

static void
count_completed (OsiisoQueue  *queue,
                 OsiisoHandle *handle,
                 gpointer      data)
{
  Moved *moved = data;

  g_assert_true (g_main_context_is_owner (moved->context));
  moved->n_completed++;
}

static gpointer
make_and_leave (gpointer data)
{
  Moved *moved = data;

  g_main_context_push_thread_default (moved->context);
  moved->queue = test_queue_new ("thread-pool");
  g_signal_connect (moved->queue, "on-complete", G_CALLBACK (count_completed), moved);
  g_object_unref (run_in_turn (moved->queue));
  g_assert_true (osiiso_queue_reset (moved->queue, NULL));
  g_main_context_pop_thread_default (moved->context);
  return NULL;
}

static void
test_08_contexts (void)
{
  Moved moved = { NULL, g_main_context_new (), 0 };
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A queue works on when the thread is gone that made it, and tells its news to who iterates the context then");

  g_thread_join (g_thread_new ("make", make_and_leave, &moved));
  g_assert_cmpint (moved.n_completed, ==, 1);
  /* Nobody iterates. */
  summary = run_in_turn (moved.queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpint (moved.n_completed, ==, 1);
  g_assert_true (osiiso_queue_reset (moved.queue, NULL));
  g_clear_object (&summary);
  summary = run_in_turn (moved.queue);

  g_main_context_push_thread_default (moved.context);
  while (moved.n_completed < 3)
    g_main_context_iteration (moved.context, TRUE);
  g_assert_true (osiiso_queue_shutdown (moved.queue, FALSE, NULL, NULL));
  g_object_unref (moved.queue);
  while (g_main_context_iteration (moved.context, FALSE))
    ;
  g_main_context_pop_thread_default (moved.context);
  g_main_context_unref (moved.context);
}

/* Item 9: infinite mode together with fail-first. */

static gpointer
run_elsewhere (gpointer queue)
{
  return test_run (queue);
}

static void
test_09_infinite_fail_first (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("An infinite run ends when a failure has halted the queue, and the queue accepts tasks again");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, NULL);

      if (round % 2)
        {
          GThread *thread = g_thread_new ("run", run_elsewhere, queue);

          test_await_done (handle);
          summary = g_thread_join (thread);
        }
      else
        {
          summary = test_run (queue);
        }
      g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
      g_assert_false (osiiso_run_summary_get_timed_out (summary));
    }
  g_assert_false (osiiso_queue_get_closed (queue));
  test_queue_free (queue);
}

void
test_add_regressions_waits (void)
{
  g_test_add_func ("/regressions/item-01-cancel-before-first-step/main-loop", test_01_before_first_step);
  g_test_add_func ("/regressions/item-01-cancel-before-first-step/taken", test_01_taken);
  test_add_for_backends ("/regressions/item-01-fail-first", test_01_fail_first);
  test_add_for_backends ("/regressions/item-02-program-ends", test_02_program_ends);
  test_add_for_backends ("/regressions/item-02-cancelled-run", test_02_queue_goes_on);
  test_add_for_backends ("/regressions/item-03-delayed-must-complete", test_03_delayed_must_complete);
  test_add_for_backends ("/regressions/item-07-cancel-inside", test_07_cancel_inside);
  test_add_for_backends ("/regressions/item-07-shutdown-async-inside", test_07_shutdown_async_inside);
  test_add_for_backends ("/regressions/item-07-shutdown-in-handler", test_07_handler);
  test_add_for_backends ("/regressions/item-08-other-thread", test_08_threads);
  g_test_add_func ("/regressions/item-08-other-context", test_08_contexts);
  test_add_for_backends ("/regressions/item-09-infinite-fail-first", test_09_infinite_fail_first);
}
