/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-utils.h"

/* What is done in each worker thread before tasks run there. */

#define SECOND G_USEC_PER_SEC

static const OsiisoTestHooks *hooks;

/* What an initializer leaves for its thread. */
static _Thread_local int made_by;

typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
  int          n_released;
  int          fails;     /* all calls do */
  guint        fail_from; /* with the call of this number, and up to the next one */
  guint        fail_to;
  guint        wait_at;   /* the call that stops at the gate first */
  gboolean     wait_for_it; /* calls of a lower number wait until it is there */
  TestGate     gate;
} Init;

static void
init_init (Init        *self,
           OsiisoQueue *queue)
{
  *self = (Init) { .queue = queue };
  test_gate_init (&self->gate);
}

static void
init_release (gpointer data)
{
  g_atomic_int_inc (&((Init *) data)->n_released);
}

static gboolean
initialize (gpointer  data,
            GError  **error)
{
  Init *self = data;
  const guint number = g_atomic_int_add (&self->n_calls, 1) + 1;

  if (number == self->wait_at)
    test_gate_pass (&self->gate);
  else if (self->wait_for_it && number < self->wait_at)
    test_gate_await (&self->gate, 1);

  if (g_atomic_int_get (&self->fails) || (number >= self->fail_from && number <= self->fail_to))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for thread %u", number);
      return FALSE;
    }
  made_by = (int) number;
  return TRUE;
}

static void
set_initializer (OsiisoQueue *queue,
                 Init        *init)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_set_initializer (queue, initialize, init, init_release, &error));
  g_assert_no_error (error);
}

/* Drops the queue, and with it the initializer. */
static void
free_queue (OsiisoQueue *queue,
            Init        *init)
{
  test_queue_free (queue);
  while (g_atomic_int_get (&init->n_released) == 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (init->n_released, ==, 1);
  test_gate_clear (&init->gate);
}

static void
report_maker (OsiisoAttempt *attempt,
              gpointer       gate)
{
  if (gate != NULL)
    test_gate_pass (gate);
  osiiso_attempt_return_int (attempt, made_by);
}

static int
get_maker (OsiisoHandle *handle)
{
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  return (int) g_value_get_int64 (osiiso_handle_get_value (handle));
}

static void
assert_failed (OsiisoHandle *handle,
               const char   *message)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpstr (error->message, ==, message);
}

/* Runs as many tasks at a time as there should be workers, each in a thread that
 * has been initialized. */
static void
assert_strength (OsiisoQueue *queue,
                 guint        n)
{
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  TestGate gate;

  test_gate_init (&gate);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (handles, test_submit (queue, report_maker, &gate, NULL));
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, n);
  test_gate_open (&gate);
  test_run_all (queue);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpint (get_maker (handles->pdata[i]), !=, 0);
      for (guint j = 0; j < i; j++)
        g_assert_cmpint (get_maker (handles->pdata[i]), !=, get_maker (handles->pdata[j]));
    }
  test_gate_clear (&gate);
}

static void
test_each_thread (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Init init;

  g_test_summary ("It is called once in each thread, and what it leaves there is there for the tasks");

  init_init (&init, queue);
  osiiso_queue_set_workers (queue, 3);
  set_initializer (queue, &init);
  g_assert_cmpint (init.n_calls, ==, 0);
  assert_strength (queue, 3);
  g_assert_cmpint (init.n_calls, ==, 3);
  assert_strength (queue, 3);
  g_assert_cmpint (init.n_calls, ==, 3);

  osiiso_queue_set_workers (queue, 5);
  assert_strength (queue, 5);
  g_assert_cmpint (init.n_calls, ==, 5);
  free_queue (queue, &init);
}

static void
test_main_loop (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (OsiisoHandle) third = NULL;
  Init init;

  g_test_summary ("On main-loop it is called in the owner's context, once for each time that the queue is opened");

  init_init (&init, queue);
  set_initializer (queue, &init);
  /* One task after the other, with others' turns in between. */
  g_object_set (osiiso_queue_get_backend (queue), "slice", 0.0, NULL);
  first = test_submit (queue, report_maker, NULL, NULL);
  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, report_maker, NULL, NULL);
  test_run_all (queue);
  second = test_submit (queue, report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (get_maker (first), ==, 1);
  g_assert_cmpint (get_maker (second), ==, 1);
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpint (made_by, ==, 1);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  third = test_submit (queue, report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (get_maker (third), ==, 2);
  free_queue (queue, &init);
}

static void
test_replacement (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 5.0, NULL);
  g_autoptr (OsiisoHandle) stuck = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  TestGate gate;
  Init init;

  g_test_summary ("A thread that takes the place of one whose task was interrupted is initialized too");

  test_gate_init (&gate);
  init_init (&init, queue);
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  stuck = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, options, NULL);
  next = test_submit (queue, report_maker, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 1);
  hooks->clock_advance (5 * SECOND);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (stuck), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpint (get_maker (next), ==, 2);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  free_queue (queue, &init);
  test_gate_clear (&gate);
}

static void
test_failure (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must_complete = test_options_new ("must-complete", TRUE, "retries", 3, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, "must-complete", TRUE, NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("When it fails every task that waits fails with its error, and the run ends and tells");

  init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, NULL));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, must_complete));
  g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, delayed));
  g_assert_true (osiiso_handle_set_priority (handles->pdata[0], 1));
  summary = test_run (queue);
  for (guint i = 0; i < handles->len; i++)
    {
      assert_failed (handles->pdata[i], "worker initializer failed: no room for thread 1");
      g_assert_cmpuint (osiiso_handle_get_attempts (handles->pdata[i]), ==, 0);
    }
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 3);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 3);
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "worker initializer failed: no room for thread 1"));
  free_queue (queue, &init);
}

static void
test_infinite (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("An infinite run ends too");

  init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  set_initializer (queue, &init);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_false (osiiso_queue_get_closed (queue));
  free_queue (queue, &init);
}

static void
test_nothing_to_fail (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("An infinite run ends also when there was no task yet");

  init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  set_initializer (queue, &init);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 0);
  g_assert_false (osiiso_queue_get_closed (queue));
  free_queue (queue, &init);
}

static int n_left;

static void
note_leaving (gpointer unused)
{
  g_atomic_int_inc (&n_left);
}

static GPrivate leaving = G_PRIVATE_INIT (note_leaving);

static gboolean
initialize_and_note (gpointer  data,
                     GError  **error)
{
  g_private_set (&leaving, data);
  return initialize (data, error);
}

static void
test_at_rest (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) waiting = NULL;
  Init init;

  g_test_summary ("A failure while the queue rests fails nothing; the next run tries again");

  init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  g_assert_true (osiiso_queue_set_initializer (queue, initialize_and_note, &init, init_release, NULL));
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  test_gate_await (&init.gate, 1);
  waiting = test_submit (queue, test_task_none, NULL, NULL);
  test_gate_open (&init.gate);
  test_iterate_until (&n_left);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_SUCCEEDED);
  assert_strength (queue, 2);
  g_assert_cmpint (init.n_calls, ==, 3);
  free_queue (queue, &init);
}

static gboolean
initialize_and_iterate (gpointer  data,
                        GError  **error)
{
  Init *self = data;

  /* Wakes the backend, whose tasks are not to run before this has returned. */
  test_submit_and_drop (self->queue, report_maker, NULL, NULL);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (self->queue), ==, 0);
  return initialize (data, error);
}

static void
test_iterates (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) handle = NULL;
  Init init;

  g_test_summary ("No task runs in a main loop that is iterated by the initializer for that loop");

  init_init (&init, queue);
  g_assert_true (osiiso_queue_set_initializer (queue, initialize_and_iterate, &init, init_release, NULL));
  handle = test_submit (queue, report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (get_maker (handle), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  g_assert_cmpint (init.n_calls, ==, 1);
  free_queue (queue, &init);
}

static void
test_next_start (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const guint n = g_str_equal (backend, "main-loop") ? 1 : 4;
  Init init;

  g_test_summary ("The next run tries again, and the queue is at its strength when that works");

  init_init (&init, queue);
  osiiso_queue_set_workers (queue, 4);
  set_initializer (queue, &init);
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      g_autoptr (OsiisoHandle) handle = NULL;
      int n_calls;

      for (int i = 0; i < 2; i++)
        {
          g_autoptr (OsiisoRunSummary) failed = NULL;

          g_atomic_int_set (&init.fails, 1);
          test_submit_and_drop (queue, test_task_none, NULL, NULL);
          test_submit_and_drop (queue, test_task_none, NULL, NULL);
          failed = test_run (queue);
          g_assert_cmpuint (osiiso_run_summary_get_failed (failed), ==, 2);
        }

      /* What is submitted now waits for the next run, and for nothing else. */
      handle = test_submit (queue, report_maker, NULL, NULL);
      g_atomic_int_set (&init.fails, 0);
      summary = test_run (queue);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
      g_assert_cmpint (get_maker (handle), !=, 0);
      if (n > 1)
        assert_strength (queue, n);
      n_calls = g_atomic_int_get (&init.n_calls);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      test_run_all (queue);
      g_assert_cmpint (init.n_calls, ==, n_calls);

      g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
      g_assert_true (osiiso_queue_reset (queue, NULL));
    }
  free_queue (queue, &init);
}

static void
test_meanwhile (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("must-complete", TRUE, "retries", 100, NULL);
  g_autoptr (OsiisoHandle) good = NULL;
  g_autoptr (OsiisoHandle) bad = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = NULL;
  TestGate gate;
  Init init;

  g_test_summary ("What runs in other threads runs on, without a retry; what is submitted meanwhile is refused");

  test_gate_init (&gate);
  init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  set_initializer (queue, &init);
  /* The thread that is ready has the first two, and there is no place for more. */
  bad = test_submit (queue, test_task_defer, &attempt, retrying);
  good = test_submit (queue, test_task_gate, &gate, NULL);
  waiting = test_submit (queue, test_task_none, NULL, retrying);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  test_gate_await (&init.gate, 1);
  test_gate_await (&gate, 1);
  test_gate_open (&init.gate);
  test_await_status (waiting, OSIISO_STATUS_FAILED);
  assert_failed (waiting, "worker initializer failed: no room for thread 2");
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);

  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (osiiso_handle_get_status (bad), ==, OSIISO_STATUS_FAILED);
  g_assert_null (result);
  test_gate_open (&gate);
  summary = osiiso_queue_run_finish (queue, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (good), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 2);
  g_clear_object (&result);
  assert_strength (queue, 2);
  free_queue (queue, &init);
  test_gate_clear (&gate);
}

static void
test_without_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("Without a run the queue refuses tasks until it is started again, and tries again then");

  init_init (&init, queue);
  init.fails = 1;
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  first = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (first, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  /* A call that only waits for work is no new start. */
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), ==, 0);

  g_atomic_int_set (&init.fails, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  second = test_submit (queue, report_maker, NULL, NULL);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (get_maker (second), ==, 2);
  free_queue (queue, &init);
}

static void
test_old_failure (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) first = NULL;
  g_autoptr (OsiisoRunSummary) second = NULL;
  Init init;

  g_test_summary ("A failure that began in an earlier start spoils no later one, and leaves no worker missing");

  init_init (&init, queue);
  init.fail_from = 1;
  init.fail_to = init.wait_at = 2;
  init.wait_for_it = TRUE;
  osiiso_queue_set_workers (queue, 2);
  set_initializer (queue, &init);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  first = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (first), ==, 1);

  /* The first thread has ended, or will, and has a successor. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  second = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (second), ==, 1);
  test_gate_open (&init.gate);
  assert_strength (queue, 2);
  g_assert_cmpint (init.n_calls, ==, 4);
  free_queue (queue, &init);
}

static void
test_shutdown (gconstpointer force)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("A thread that stays in the initializer holds no shutdown up, and the queue can be used anew meanwhile");

  init_init (&init, queue);
  init.wait_at = 1;
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  osiiso_queue_set_shutdown_timeout (queue, 5);
  osiiso_queue_shutdown_async (queue, GPOINTER_TO_INT (force), NULL, test_store_result, &result);
  hooks->clock_advance (5 * SECOND);
  g_assert_true (osiiso_queue_shutdown_finish (queue, test_await_result (&result), &error));
  g_assert_no_error (error);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);

  g_assert_true (osiiso_queue_reset (queue, NULL));
  assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_gate_open (&init.gate);
  assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 2);
  g_clear_object (&result);
  free_queue (queue, &init);
}

static void
test_lost (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  Init init;

  g_test_summary ("A thread that stays in the initializer is not taken for one of the threads after a reset");

  init_init (&init, queue);
  init.wait_at = 1;
  init.fail_from = init.fail_to = 2;
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));

  /* The next one leaves, and another one has to come. */
  handle = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  assert_failed (handle, "worker initializer failed: no room for thread 2");
  assert_strength (queue, 1);
  test_gate_open (&init.gate);
  assert_strength (queue, 1);
  g_assert_cmpint (init.n_calls, ==, 3);
  free_queue (queue, &init);
}

static void
test_outlives_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Init init;

  g_test_summary ("The data are released when no thread is in the function any more");

  init_init (&init, queue);
  init.wait_at = 1;
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &init);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
  g_assert_cmpint (init.n_released, ==, 0);
  test_gate_open (&init.gate);
  while (g_atomic_int_get (&init.n_released) == 0)
    g_main_context_iteration (NULL, FALSE);
  test_gate_clear (&init.gate);
}

static gboolean
fail_without_reason (gpointer  n_calls,
                     GError  **error)
{
  g_atomic_int_inc ((int *) n_calls);
  return FALSE;
}

static gboolean
succeed_with_error (gpointer  unused,
                    GError  **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "never mind");
  return TRUE;
}

static void
test_odd_returns (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  int n_calls = 0;

  g_test_summary ("A failure without an error gets one, and success with one is success");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_set_initializer (queue, fail_without_reason, &n_calls, NULL, NULL));
  test_run_all (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_true (g_str_has_prefix (error->message, "worker initializer failed: "));
  g_assert_cmpint (n_calls, ==, 1);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  g_assert_true (osiiso_queue_set_initializer (queue, succeed_with_error, NULL, NULL, NULL));
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  test_queue_free (queue);
}

static void
assert_busy (OsiisoQueue *queue,
             Init        *init)
{
  g_autoptr (GError) error = NULL;
  const int n_released = init->n_released;

  g_assert_false (osiiso_queue_set_initializer (queue, initialize, init, init_release, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_clear_error (&error);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (init->n_released, ==, n_released + 1);
  g_assert_false (osiiso_queue_set_initializer (queue, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
}

/* A backend that knows of no initializer. */
#define TEST_TYPE_PLAIN_BACKEND (test_plain_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestPlainBackend, test_plain_backend, TEST, PLAIN_BACKEND, OsiisoBackend)

struct _TestPlainBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestPlainBackend, test_plain_backend, OSIISO_TYPE_BACKEND)

static void
test_plain_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_plain_backend_class_init (TestPlainBackendClass *klass)
{
  OSIISO_BACKEND_CLASS (klass)->close = test_plain_backend_close;
}

static void
test_plain_backend_init (TestPlainBackend *self)
{
}

static void
test_not_supported (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_PLAIN_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("A backend that would not call it takes none, and has nothing against taking none");

  init_init (&init, queue);
  g_assert_false (osiiso_queue_set_initializer (queue, initialize, &init, init_release, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_cmpstr (error->message, ==, "the backend of this queue does not call initializers");
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (init.n_released, ==, 1);
  g_assert_true (osiiso_queue_set_initializer (queue, NULL, NULL, NULL, NULL));
  test_queue_free (queue);
}

static void
test_set (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  Init first;
  Init second;
  Init other;

  g_test_summary ("It is set before the queue is started, replaced, taken away, and released in the owner's context");

  init_init (&first, queue);
  init_init (&second, queue);
  init_init (&other, queue);
  osiiso_queue_set_workers (queue, 1);
  set_initializer (queue, &first);
  set_initializer (queue, &second);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (first.n_released, ==, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  assert_busy (queue, &other);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (first.n_calls, ==, 0);
  g_assert_cmpint (second.n_calls, ==, 1);
  assert_busy (queue, &other);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  assert_busy (queue, &other);
  g_assert_cmpint (second.n_released, ==, 0);

  g_assert_true (osiiso_queue_reset (queue, NULL));
  g_assert_true (osiiso_queue_set_initializer (queue, NULL, NULL, NULL, NULL));
  while (g_atomic_int_get (&second.n_released) == 0)
    g_main_context_iteration (NULL, FALSE);
  made_by = 0;
  handle = test_submit (queue, report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (get_maker (handle), ==, 0);
  g_assert_cmpint (other.n_calls, ==, 0);
  test_queue_free (queue);
  test_gate_clear (&first.gate);
  test_gate_clear (&second.gate);
  test_gate_clear (&other.gate);
}

static void
assert_would_deadlock (GError **error)
{
  g_assert_error (*error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (error);
}

static gboolean
use_queue (gpointer  data,
           GError  **error)
{
  Init *self = data;
  g_autoptr (OsiisoHandle) handle = test_submit (self->queue, test_task_none, NULL, NULL);
  GError *local_error = NULL;

  g_assert_null (osiiso_queue_run (self->queue, NULL, &local_error));
  assert_would_deadlock (&local_error);
  g_assert_false (osiiso_queue_join (self->queue, NULL, &local_error));
  assert_would_deadlock (&local_error);
  g_assert_false (osiiso_queue_shutdown (self->queue, TRUE, NULL, &local_error));
  assert_would_deadlock (&local_error);
  g_assert_false (osiiso_queue_reset (self->queue, &local_error));
  assert_would_deadlock (&local_error);
  g_assert_false (osiiso_handle_wait (handle, -1, NULL, &local_error));
  assert_would_deadlock (&local_error);
  /* Nothing runs before this is over. */
  if (g_main_context_is_owner (osiiso_queue_get_context (self->queue)))
    for (int i = 0; i < 100; i++)
      g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (self->queue), ==, 0);
  return initialize (data, error);
}

static void
test_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, report_maker, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("It may submit and iterate, and cannot wait for its queue");

  init_init (&init, queue);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_set_initializer (queue, use_queue, &init, init_release, NULL));
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpint (get_maker (handle), ==, 1);
  free_queue (queue, &init);
}

static gboolean
cancel_queue (gpointer  data,
              GError  **error)
{
  Init *self = data;

  osiiso_queue_cancel (self->queue);
  return initialize (data, error);
}

static void
test_cancel_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  Init init;

  g_test_summary ("It may end its queue, whether it fails then or not");

  for (int fails = 0; fails < 2; fails++)
    {
      init_init (&init, queue);
      init.fails = fails;
      osiiso_queue_set_workers (queue, 1);
      g_assert_true (osiiso_queue_set_initializer (queue, cancel_queue, &init, init_release, NULL));
      g_clear_object (&handle);
      handle = test_submit (queue, test_task_none, NULL, NULL);
      g_assert_true (osiiso_queue_start (queue, NULL));
      test_await_status (handle, OSIISO_STATUS_CANCELLED);
      g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (osiiso_queue_reset (queue, NULL));
      g_assert_true (osiiso_queue_set_initializer (queue, NULL, NULL, NULL, NULL));
      while (g_atomic_int_get (&init.n_released) == 0)
        g_main_context_iteration (NULL, FALSE);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      test_run_all (queue);
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
      g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
      g_assert_true (osiiso_queue_reset (queue, NULL));
      test_gate_clear (&init.gate);
    }
  test_queue_free (queue);
}

static void
test_fail_first (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) deferred = NULL;
  g_autoptr (OsiisoHandle) stuck = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  OsiisoAttempt *attempt = NULL;
  TestGate gate;
  Init init;

  g_test_summary ("With fail-first a failure of the initializer also cancels what runs");

  test_gate_init (&gate);
  init_init (&init, queue);
  init.fail_from = init.fail_to = init.wait_at = 2;
  osiiso_queue_set_workers (queue, 2);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  set_initializer (queue, &init);
  deferred = test_submit (queue, test_task_defer, &attempt, NULL);
  stuck = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  waiting = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&init.gate, 1);
  test_gate_await (&gate, 1);
  test_gate_open (&init.gate);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  assert_failed (waiting, "worker initializer failed: no room for thread 2");
  g_assert_cmpint (osiiso_handle_get_status (deferred), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (stuck), ==, OSIISO_STATUS_CANCELLED);
  osiiso_attempt_unref (attempt);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  free_queue (queue, &init);
  test_gate_clear (&gate);
}

static gboolean
fail_at_random (gpointer  data,
                GError  **error)
{
  Init *self = data;

  if (g_atomic_int_get (&self->fails) && g_random_int_range (0, 3) == 0)
    {
      g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "bad luck");
      return FALSE;
    }
  made_by = g_atomic_int_add (&self->n_calls, 1) + 1;
  return TRUE;
}

static void
assert_initialized (OsiisoAttempt *attempt,
                    gpointer       unused)
{
  g_assert_cmpint (made_by, !=, 0);
}

static void
test_storm (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const guint n = g_str_equal (backend, "main-loop") ? 1 : 4;
  Init init;
  guint n_failed = 0;

  g_test_summary ("Failures at random lose neither tasks nor workers");

  made_by = 0;
  init_init (&init, queue);
  osiiso_queue_set_workers (queue, 4);
  g_assert_true (osiiso_queue_set_initializer (queue, fail_at_random, &init, init_release, NULL));
  for (int round = 0; round < 100; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;

      g_atomic_int_set (&init.fails, 1);
      for (int i = 0; i < 20; i++)
        test_submit_and_drop (queue, assert_initialized, NULL, NULL);
      summary = test_run (queue);
      g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 20);
      n_failed += osiiso_run_summary_get_failed (summary) > 0;
      if (round % 10 == 9)
        {
          g_atomic_int_set (&init.fails, 0);
          test_submit_and_drop (queue, assert_initialized, NULL, NULL);
          test_run_all (queue);
        }
      if (round % 2 == 1)
        {
          g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
          g_assert_true (osiiso_queue_reset (queue, NULL));
        }
      if (round % 10 == 9 && n > 1)
        assert_strength (queue, n);
    }
  g_assert_cmpuint (n_failed, >, 0);
  g_test_message ("%u of 100 runs failed", n_failed);
  free_queue (queue, &init);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  hooks = test_manual_clock ();

  g_test_add_func ("/initializer/iterates", test_iterates);
  g_test_add_func ("/initializer/each-thread", test_each_thread);
  g_test_add_func ("/initializer/main-loop", test_main_loop);
  g_test_add_func ("/initializer/replacement", test_replacement);
  test_add_for_backends ("/initializer/failure", test_failure);
  test_add_for_backends ("/initializer/infinite", test_infinite);
  g_test_add_func ("/initializer/nothing-to-fail", test_nothing_to_fail);
  g_test_add_func ("/initializer/at-rest", test_at_rest);
  test_add_for_backends ("/initializer/next-start", test_next_start);
  g_test_add_func ("/initializer/meanwhile", test_meanwhile);
  test_add_for_backends ("/initializer/without-run", test_without_run);
  g_test_add_func ("/initializer/old-failure", test_old_failure);
  g_test_add_data_func ("/initializer/shutdown/drain", GINT_TO_POINTER (FALSE), test_shutdown);
  g_test_add_data_func ("/initializer/shutdown/force", GINT_TO_POINTER (TRUE), test_shutdown);
  g_test_add_func ("/initializer/lost", test_lost);
  g_test_add_func ("/initializer/outlives-queue", test_outlives_queue);
  test_add_for_backends ("/initializer/odd-returns", test_odd_returns);
  g_test_add_func ("/initializer/not-supported", test_not_supported);
  test_add_for_backends ("/initializer/set", test_set);
  test_add_for_backends ("/initializer/inside", test_inside);
  test_add_for_backends ("/initializer/cancel-inside", test_cancel_inside);
  g_test_add_func ("/initializer/fail-first", test_fail_first);
  test_add_for_backends ("/initializer/storm", test_storm);

  return g_test_run ();
}
