/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <unistd.h>

#include "test-utils.h"

/* Functions of tasks that end the thread of the pool that they are in. */

typedef enum
{
  EXIT_AT_ONCE,
  EXIT_GLIB,
  EXIT_REPORTED,
  EXIT_DEFERRED,
  EXIT_LATER, /* through a gate */
} Exit;

typedef struct
{
  Exit           how;
  OsiisoAttempt *deferred;
  TestGate       gate;
  int            left; /* the function does not use this any more */
} Data;

static void
exit_thread (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Data *data = user_data;
  const Exit how = data->how;

  if (osiiso_attempt_get_number (attempt) > 1)
    return;
  if (how == EXIT_REPORTED)
    osiiso_attempt_return_int (attempt, 42);
  else if (how == EXIT_DEFERRED)
    test_task_defer (attempt, &data->deferred);
  else if (how == EXIT_LATER)
    test_gate_pass (&data->gate);
  g_atomic_int_set (&data->left, 1);
  if (how == EXIT_GLIB)
    g_thread_exit (NULL);
  pthread_exit (NULL);
}

static OsiisoQueue *
new_queue (guint workers)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");

  alarm (60);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

static void
assert_abandoned (OsiisoHandle *handle)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
}

/* As many tasks as there are workers run at a time. */
static void
assert_strength (OsiisoQueue *queue)
{
  const guint n = osiiso_queue_get_workers (queue);
  TestGate gate;

  test_gate_init (&gate);
  for (guint i = 0; i < n; i++)
    test_submit_and_drop (queue, test_task_gate, &gate, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, n);
  test_gate_open (&gate);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_gate_clear (&gate);
}

static void
finish (OsiisoQueue *queue)
{
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
  alarm (0);
}

static void
test_abandoned (void)
{
  OsiisoQueue *queue = new_queue (2);
  Data at_once = { .how = EXIT_AT_ONCE };
  Data glib = { .how = EXIT_GLIB };

  g_test_summary ("A function that ends its thread has abandoned the attempt, and the pool is as large as before");

  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (OsiisoHandle) first = test_submit (queue, exit_thread, &at_once, NULL);
      g_autoptr (OsiisoHandle) second = test_submit (queue, exit_thread, &glib, NULL);

      test_run_all (queue);
      assert_abandoned (first);
      assert_abandoned (second);
      assert_strength (queue);
    }
  finish (queue);
}

static void
test_many (void)
{
  OsiisoQueue *queue = new_queue (2);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Data data = { .how = EXIT_AT_ONCE };

  g_test_summary ("It may do so again and again");

  for (guint i = 0; i < 50; i++)
    {
      test_submit_and_drop (queue, exit_thread, &data, NULL);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
    }
  g_assert_cmpuint (osiiso_queue_push (queue, exit_thread, &data, NULL, NULL, NULL), !=, 0);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 51);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 50);
  assert_strength (queue);
  finish (queue);
}

static void
test_reported (void)
{
  OsiisoQueue *queue = new_queue (1);
  Data data = { .how = EXIT_REPORTED };
  g_autoptr (OsiisoHandle) handle = test_submit (queue, exit_thread, &data, NULL);

  g_test_summary ("What it has reported counts");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 42);
  assert_strength (queue);
  finish (queue);
}

static void
test_deferred (void)
{
  OsiisoQueue *queue = new_queue (1);
  Data data = { .how = EXIT_DEFERRED };

  g_test_summary ("An attempt that it has deferred goes on, until somebody reports or it is cancelled");

  for (guint round = 0; round < 2; round++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, exit_thread, &data, NULL);

      g_assert_true (osiiso_queue_start (queue, NULL));
      test_iterate_until (&data.left);
      data.left = 0;
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
      if (round == 0)
        osiiso_attempt_return_int (data.deferred, 42);
      else
        osiiso_handle_cancel (handle);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, round == 0 ? OSIISO_STATUS_SUCCEEDED : OSIISO_STATUS_CANCELLED);
      g_clear_pointer (&data.deferred, osiiso_attempt_unref);
      assert_strength (queue);
    }
  finish (queue);
}

static void
test_retried (void)
{
  OsiisoQueue *queue = new_queue (1);
  Data data = { .how = EXIT_AT_ONCE };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, exit_thread, &data, options);

  g_test_summary ("The task is tried again in another thread");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  finish (queue);
}

static void
test_interrupted (void)
{
  OsiisoQueue *queue = new_queue (1);
  Data data = { .how = EXIT_LATER };
  g_autoptr (OsiisoHandle) handle = test_submit (queue, exit_thread, &data, NULL);

  g_test_summary ("So may one that was cancelled, after another thread has taken its place");

  test_gate_init (&data.gate);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&data.gate, 1);
  g_assert_true (osiiso_handle_cancel (handle));
  assert_strength (queue);
  test_gate_open (&data.gate);
  test_iterate_until (&data.left);
  assert_strength (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  finish (queue);
  test_gate_clear (&data.gate);
}

static void
test_shutdown (void)
{
  g_test_summary ("A queue that is shut down meanwhile gets to its end");

  for (int force = 0; force < 2; force++)
    {
      OsiisoQueue *queue = new_queue (1);
      Data data = { .how = EXIT_LATER };
      g_autoptr (OsiisoHandle) handle = test_submit (queue, exit_thread, &data, NULL);

      test_gate_init (&data.gate);
      g_assert_true (osiiso_queue_start (queue, NULL));
      test_gate_await (&data.gate, 1);
      osiiso_queue_shutdown_async (queue, force, NULL, NULL, NULL);
      test_gate_open (&data.gate);
      finish (queue);
      /* Nobody waits for a function whose task was cancelled. */
      test_iterate_until (&data.left);
      g_assert_true (osiiso_handle_is_done (handle));
      if (!force)
        assert_abandoned (handle);
      test_gate_clear (&data.gate);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/thread-exit/abandoned", test_abandoned);
  g_test_add_func ("/thread-exit/many", test_many);
  g_test_add_func ("/thread-exit/reported", test_reported);
  g_test_add_func ("/thread-exit/deferred", test_deferred);
  g_test_add_func ("/thread-exit/retried", test_retried);
  g_test_add_func ("/thread-exit/interrupted", test_interrupted);
  g_test_add_func ("/thread-exit/shutdown", test_shutdown);

  return g_test_run ();
}
