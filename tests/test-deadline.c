/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* The time that a whole task may take, on a clock that the test turns. */

static const OsiisoTestHooks *hooks;

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

static OsiisoQueue *
new_queue (const char *backend,
           guint       workers)
{
  OsiisoQueue *queue;

  hooks = test_manual_clock ();
  queue = test_queue_new (backend);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

static void
start (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_start (queue, &error));
  g_assert_no_error (error);
}

static void
finish (OsiisoQueue *queue)
{
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
}

/* Waits until the task shows the status, and the thread that gave it is done. */
static void
await_status (OsiisoQueue *queue,
              OsiisoHandle *handle,
              OsiisoStatus  status)
{
  test_await_status (handle, status);
  /* That thread has the lock that this takes. */
  osiiso_queue_resume (queue);
}

static void
assert_overdue (OsiisoHandle *handle,
                const char   *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpstr (error->message, ==, message);
}

static void
count_task (OsiisoAttempt *attempt,
            gpointer       n)
{
  g_atomic_int_inc ((int *) n);
}

static void
count_and_fail (OsiisoAttempt *attempt,
                gpointer       n)
{
  g_atomic_int_inc ((int *) n);
  test_task_fail (attempt, NULL);
}

static void
test_before_start (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 2.5, "retries", 3,
                                                            "must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  int n_released = 0;
  int n_run = 0;

  g_test_summary ("A task that waits for its queue to be started fails at its deadline");

  handle = osiiso_queue_submit (queue, count_task, &n_run, NULL, options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_queue_push (queue, count_task, &n_released, test_count, options, &error), !=, 0);
  g_assert_no_error (error);
  advance (2.499999);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpint (n_released, ==, 0);
  advance (0.000001);
  assert_overdue (handle, "task 't' exceeded its deadline of 2.5s");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 0);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_finished (handle), 1002.5, 1e-7);
  g_assert_cmpint (n_released, ==, 1);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  start (queue);
  test_run_all (queue);
  g_assert_cmpint (n_run, ==, 0);
  finish (queue);
}

static void
test_in_time (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("deadline", 1.0, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) cancelled = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (7), options);

  g_test_summary ("A task that ends before its deadline knows nothing of it");

  cancelled = test_submit (queue, test_task_none, NULL, options);
  g_assert_true (osiiso_handle_cancel (cancelled));
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  advance (10);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (cancelled), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  finish (queue);
}

static void
test_delayed (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("name", "later", "delay", 2.0, "deadline", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) same = test_options_new ("name", "same", "delay", 1.0, "deadline", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) far = test_options_new ("name", "far", "deadline", 1e300, "delay", 1e300, NULL);
  g_autoptr (OsiisoHandle) a = NULL;
  g_autoptr (OsiisoHandle) b = NULL;
  g_autoptr (OsiisoHandle) c = NULL;
  int n_run = 0;

  g_test_summary ("The delay counts, and a task does not begin at its deadline");

  a = test_submit (queue, count_task, &n_run, later);
  b = test_submit (queue, count_task, &n_run, same);
  c = test_submit (queue, count_task, &n_run, far);
  start (queue);
  advance (1);
  assert_overdue (a, "task 'later' exceeded its deadline of 1s");
  assert_overdue (b, "task 'same' exceeded its deadline of 1s");
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  advance (1e9);
  g_assert_cmpint (osiiso_handle_get_status (c), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpint (g_atomic_int_get (&n_run), ==, 0);
  finish (queue);
}

static void
test_running (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "r", "deadline", 3.0, "retries", 5,
                                                            "timeout", 10.0, NULL);
  g_autoptr (OsiisoTaskOptions) waiting = test_options_new ("name", "w", "deadline", 2.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) behind = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  OsiisoAttempt *attempt = NULL;
  int n_run = 0;

  g_test_summary ("A running attempt is interrupted, no retry follows, and the next task begins");

  handle = test_submit (queue, test_task_defer, &attempt, options);
  behind = test_submit (queue, count_task, &n_run, waiting);
  start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    settle ();
  /* It does not end by itself, and keeps the only worker. */
  cancellable = g_object_ref (osiiso_attempt_get_cancellable (attempt));
  next = test_submit (queue, count_task, &n_run, NULL);
  advance (2);
  assert_overdue (behind, "task 'w' exceeded its deadline of 2s");
  g_assert_false (g_cancellable_is_cancelled (cancellable));
  advance (0.999999);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  advance (0.000001);
  assert_overdue (handle, "task 'r' exceeded its deadline of 3s");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  g_assert_false (osiiso_attempt_is_open (attempt));
  settle ();
  g_assert_true (g_cancellable_is_cancelled (cancellable));
  test_await_status (next, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_atomic_int_get (&n_run), ==, 1);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  finish (queue);
}

static void
test_in_function (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "r", "deadline", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;

  g_test_summary ("A function that is not left loses its worker, as after a timeout");

  test_gate_init (&gate);
  handle = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, options, &error);
  g_assert_no_error (error);
  next = test_submit (queue, test_task_none, NULL, NULL);
  start (queue);
  test_gate_await (&gate, 1);
  advance (1);
  assert_overdue (handle, "task 'r' exceeded its deadline of 1s");
  test_await_status (next, OSIISO_STATUS_SUCCEEDED);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  finish (queue);
  test_gate_clear (&gate);
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      n)
{
  (*(guint *) n)++;
}

static void
test_retries (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 3.5, "retries", 9,
                                                            "retry-delay", 1.0, "backoff", 2.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  guint n_retries = 0;
  int n_run = 0;

  g_test_summary ("A retry that would begin after the deadline fails then, and not before");

  g_signal_connect (queue, "on-retry", G_CALLBACK (on_retry), &n_retries);
  handle = test_submit (queue, count_and_fail, &n_run, options);
  start (queue);
  /* At 0, 1 and 3; the next one would be at 7. */
  await_status (queue, handle, OSIISO_STATUS_RETRYING);
  advance (1);
  while (g_atomic_int_get (&n_run) < 2)
    settle ();
  await_status (queue, handle, OSIISO_STATUS_RETRYING);
  advance (2);
  while (g_atomic_int_get (&n_run) < 3)
    settle ();
  await_status (queue, handle, OSIISO_STATUS_RETRYING);
  advance (0.499999);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  advance (0.000001);
  assert_overdue (handle, "task 't' exceeded its deadline of 3.5s");
  g_assert_cmpint (g_atomic_int_get (&n_run), ==, 3);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  settle ();
  g_assert_cmpuint (n_retries, ==, 3);
  advance (100);
  g_assert_cmpint (g_atomic_int_get (&n_run), ==, 3);
  finish (queue);
}

static void
test_last_error (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("deadline", 3.5, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that fails before its deadline keeps its own error");

  test_run_all (queue);
  advance (10);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  finish (queue);
}

static void
test_with_timeout (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 2.5, "retries", 9,
                                                            "timeout", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) both = test_options_new ("name", "b", "deadline", 1.0, "retries", 9,
                                                         "timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempts[4] = { NULL, };
  OsiisoAttempt *last;

  g_test_summary ("A timeout is for an attempt, and the deadline for all of them");

  if (g_str_equal (backend, "thread-pool"))
    osiiso_queue_set_workers (queue, 8);
  handle = test_submit (queue, test_task_defer, &attempts[3], options);
  start (queue);
  for (guint i = 0; i < 3; i++)
    {
      while (g_atomic_pointer_get (&attempts[3]) == NULL)
        settle ();
      attempts[i] = g_steal_pointer (&attempts[3]);
      g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, i + 1);
      advance (i < 2 ? 1 : 0.5);
      g_assert_false (osiiso_attempt_is_open (attempts[i]));
    }
  assert_overdue (handle, "task 't' exceeded its deadline of 2.5s");
  for (guint i = 0; i < 3; i++)
    osiiso_attempt_unref (attempts[i]);
  g_clear_object (&handle);

  /* At the same moment. */
  handle = test_submit (queue, test_task_defer, &attempts[3], both);
  while (g_atomic_pointer_get (&attempts[3]) == NULL)
    settle ();
  last = g_steal_pointer (&attempts[3]);
  advance (1);
  assert_overdue (handle, "task 'b' exceeded its deadline of 1s");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  osiiso_attempt_unref (last);
  finish (queue);
}

static void
test_held_back (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 1.0, NULL);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (OsiisoHandle) paused = NULL;

  g_test_summary ("Neither the rate nor a pause puts a deadline off");

  osiiso_queue_set_rate (queue, 0.5);
  first = test_submit (queue, test_task_none, NULL, options);
  second = test_submit (queue, test_task_none, NULL, options);
  start (queue);
  test_await_status (first, OSIISO_STATUS_SUCCEEDED);
  advance (1);
  assert_overdue (second, "task 't' exceeded its deadline of 1s");
  osiiso_queue_pause (queue);
  advance (10);
  paused = test_submit (queue, test_task_none, NULL, options);
  advance (1);
  assert_overdue (paused, "task 't' exceeded its deadline of 1s");
  finish (queue);
}

static gpointer
push_thread (gpointer queue)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 1.0, NULL);

  return test_submit (queue, test_task_none, NULL, options);
}

static void
test_full (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt = NULL;
  GThread *thread;

  g_test_summary ("The time that a submission waits for room counts");

  osiiso_queue_set_size (queue, 1);
  test_submit_and_drop (queue, test_task_defer, &attempt, NULL);
  start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    settle ();
  thread = g_thread_new ("push", push_thread, queue);
  while (hooks->queue_n_waiting (queue) == 0)
    g_thread_yield ();
  advance (0.75);
  osiiso_queue_set_size (queue, 2);
  handle = g_thread_join (thread);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  advance (0.25);
  assert_overdue (handle, "task 't' exceeded its deadline of 1s");
  osiiso_attempt_unref (attempt);
  finish (queue);
}

static void
test_group (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("deadline", 1.0, NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  int n_released = 0;

  g_test_summary ("Each member of a map has the deadline, and the summary knows");

  group = osiiso_queue_map (queue, 100, test_task_none, &n_released, test_count, options, &error);
  g_assert_no_error (error);
  advance (1);
  summary = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 100);
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_cmpint (n_released, ==, 1);
  g_clear_object (&group);
  finish (queue);
}

static void
test_fail_first (gconstpointer backend)
{
  OsiisoQueue *queue = new_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("deadline", 1.0, NULL);
  g_autoptr (OsiisoHandle) overdue = NULL;
  g_autoptr (OsiisoHandle) other = NULL;

  g_test_summary ("A task that is overdue has failed, for the fail policy too");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  overdue = test_submit (queue, test_task_none, NULL, options);
  other = test_submit (queue, test_task_none, NULL, NULL);
  advance (1);
  g_assert_cmpint (osiiso_handle_get_status (overdue), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpint (osiiso_handle_get_status (other), ==, OSIISO_STATUS_CANCELLED);
  finish (queue);
}

static void
test_order (gconstpointer backend)
{
  enum { N = 200 };
  OsiisoQueue *queue = new_queue (backend, 1);
  OsiisoHandle *handles[N];
  double due[N];

  g_test_summary ("Each of many tasks fails at its own deadline");

  for (guint i = 0; i < N; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = NULL;

      due[i] = g_test_rand_int_range (1, 50);
      options = test_options_new ("deadline", due[i], "delay", g_test_rand_bit () ? 1e6 : 0.0,
                                  "priority", g_test_rand_int_range (0, 5), NULL);
      handles[i] = test_submit (queue, test_task_none, NULL, options);
      if (g_test_rand_int_range (0, 5) == 0)
        g_assert_true (osiiso_handle_cancel (handles[i]));
    }
  advance (100);
  for (guint i = 0; i < N; i++)
    {
      if (osiiso_handle_get_status (handles[i]) != OSIISO_STATUS_CANCELLED)
        {
          g_assert_cmpint (osiiso_handle_get_status (handles[i]), ==, OSIISO_STATUS_FAILED);
          g_assert_cmpfloat_with_epsilon (osiiso_handle_get_finished (handles[i]), 1000 + due[i], 1e-7);
        }
      g_object_unref (handles[i]);
    }
  finish (queue);
}

static void
count_complete (OsiisoQueue  *queue,
                OsiisoHandle *handle,
                gpointer      n)
{
  OsiisoStatus status = osiiso_handle_get_status (handle);

  g_assert_true (status == OSIISO_STATUS_SUCCEEDED || status == OSIISO_STATUS_FAILED);
  (*(guint *) n)++;
}

static void
test_race (gconstpointer backend)
{
  enum { N = 400 };
  OsiisoQueue *queue = new_queue (backend, 3);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  guint n_completed = 0;
  int n_released = 0;

  g_test_summary ("Whatever comes first, the end of a task or its deadline, it ends once");

  g_signal_connect (queue, "on-complete", G_CALLBACK (count_complete), &n_completed);
  start (queue);
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("deadline", 1e-6 * g_test_rand_int_range (1, 20),
                                                                "retries", g_test_rand_int_range (0, 3), NULL);
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (osiiso_queue_push (queue, g_test_rand_bit () ? test_task_none : test_task_fail,
                                           &n_released, test_count, options, &error), !=, 0);
      g_assert_no_error (error);
      hooks->clock_advance (g_test_rand_int_range (0, 3));
    }
  advance (1);
  summary = test_run (queue);
  g_assert_cmpuint (n_completed, ==, N);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, N);
  /* A function that was interrupted keeps its data until it is left. */
  while (g_atomic_int_get (&n_released) < N)
    settle ();
  finish (queue);
  g_assert_cmpint (n_released, ==, N);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/deadline/before-start", test_before_start);
  test_add_for_backends ("/deadline/in-time", test_in_time);
  test_add_for_backends ("/deadline/delayed", test_delayed);
  test_add_for_backends ("/deadline/running", test_running);
  /* Where tasks may block. */
  g_test_add_data_func ("/deadline/in-function/thread-pool", "thread-pool", test_in_function);
  test_add_for_backends ("/deadline/retries", test_retries);
  test_add_for_backends ("/deadline/last-error", test_last_error);
  test_add_for_backends ("/deadline/with-timeout", test_with_timeout);
  test_add_for_backends ("/deadline/held-back", test_held_back);
  test_add_for_backends ("/deadline/full", test_full);
  test_add_for_backends ("/deadline/group", test_group);
  test_add_for_backends ("/deadline/fail-first", test_fail_first);
  test_add_for_backends ("/deadline/order", test_order);
  test_add_for_backends ("/deadline/race", test_race);

  return g_test_run ();
}
