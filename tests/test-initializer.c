/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-initializer.h"

/* What is done in each worker thread before tasks run there. */

#define SECOND G_USEC_PER_SEC

/* What an initializer leaves for its thread. */
static _Thread_local int made_by;

void
test_init_init (Init        *self,
                OsiisoQueue *queue)
{
  *self = (Init) { .queue = queue };
  test_gate_init (&self->gate);
}

void
test_init_release (gpointer data)
{
  g_atomic_int_inc (&((Init *) data)->n_released);
}

gboolean
test_initialize (gpointer  data,
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

void
test_init_set (OsiisoQueue *queue,
               Init        *init)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_set_initializer (queue, test_initialize, init, test_init_release, &error));
  g_assert_no_error (error);
}

void
test_init_free (OsiisoQueue *queue,
                Init        *init)
{
  test_queue_free (queue);
  while (g_atomic_int_get (&init->n_released) == 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (init->n_released, ==, 1);
  test_gate_clear (&init->gate);
}

void
test_report_maker (OsiisoAttempt *attempt,
                   gpointer       gate)
{
  if (gate != NULL)
    test_gate_pass (gate);
  osiiso_attempt_return_int (attempt, made_by);
}

int
test_get_maker (OsiisoHandle *handle)
{
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  return (int) g_value_get_int64 (osiiso_handle_get_value (handle));
}

void
test_assert_failed (OsiisoHandle *handle,
                    const char   *message)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_cmpstr (error->message, ==, message);
}

void
test_assert_strength (OsiisoQueue *queue,
                      guint        n)
{
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  TestGate gate;

  test_gate_init (&gate);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (handles, test_submit (queue, test_report_maker, &gate, NULL));
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, n);
  test_gate_open (&gate);
  test_run_all (queue);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpint (test_get_maker (handles->pdata[i]), !=, 0);
      for (guint j = 0; j < i; j++)
        g_assert_cmpint (test_get_maker (handles->pdata[i]), !=, test_get_maker (handles->pdata[j]));
    }
  test_gate_clear (&gate);
}

static void
test_each_thread (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Init init;

  g_test_summary ("It is called once in each thread, and what it leaves there is there for the tasks");

  test_init_init (&init, queue);
  osiiso_queue_set_workers (queue, 3);
  test_init_set (queue, &init);
  g_assert_cmpint (init.n_calls, ==, 0);
  test_assert_strength (queue, 3);
  g_assert_cmpint (init.n_calls, ==, 3);
  test_assert_strength (queue, 3);
  g_assert_cmpint (init.n_calls, ==, 3);

  osiiso_queue_set_workers (queue, 5);
  test_assert_strength (queue, 5);
  g_assert_cmpint (init.n_calls, ==, 5);
  test_init_free (queue, &init);
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

  test_init_init (&init, queue);
  test_init_set (queue, &init);
  /* One task after the other, with others' turns in between. */
  g_object_set (osiiso_queue_get_backend (queue), "slice", 0.0, NULL);
  first = test_submit (queue, test_report_maker, NULL, NULL);
  for (int i = 0; i < 5; i++)
    test_submit_and_drop (queue, test_report_maker, NULL, NULL);
  test_run_all (queue);
  second = test_submit (queue, test_report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (test_get_maker (first), ==, 1);
  g_assert_cmpint (test_get_maker (second), ==, 1);
  g_assert_cmpint (init.n_calls, ==, 1);
  g_assert_cmpint (made_by, ==, 1);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  third = test_submit (queue, test_report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (test_get_maker (third), ==, 2);
  test_init_free (queue, &init);
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
  test_init_init (&init, queue);
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
  stuck = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, options, NULL);
  next = test_submit (queue, test_report_maker, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 1);
  osiiso_private_test_hooks ()->clock_advance (5 * SECOND);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (stuck), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpint (test_get_maker (next), ==, 2);
  g_assert_cmpint (init.n_calls, ==, 2);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_init_free (queue, &init);
  test_gate_clear (&gate);
}

static gboolean
initialize_and_iterate (gpointer  data,
                        GError  **error)
{
  Init *self = data;

  /* Wakes the backend, whose tasks are not to run before this has returned. */
  test_submit_and_drop (self->queue, test_report_maker, NULL, NULL);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (self->queue), ==, 0);
  return test_initialize (data, error);
}

static void
test_iterates (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) handle = NULL;
  Init init;

  g_test_summary ("No task runs in a main loop that is iterated by the initializer for that loop");

  test_init_init (&init, queue);
  g_assert_true (osiiso_queue_set_initializer (queue, initialize_and_iterate, &init, test_init_release, NULL));
  handle = test_submit (queue, test_report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (test_get_maker (handle), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  g_assert_cmpint (init.n_calls, ==, 1);
  test_init_free (queue, &init);
}

static void
test_outlives_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Init init;

  g_test_summary ("The data are released when no thread is in the function any more");

  test_init_init (&init, queue);
  init.wait_at = 1;
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &init);
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

static void
assert_busy (OsiisoQueue *queue,
             Init        *init)
{
  g_autoptr (GError) error = NULL;
  const int n_released = init->n_released;

  g_assert_false (osiiso_queue_set_initializer (queue, test_initialize, init, test_init_release, &error));
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

  test_init_init (&init, queue);
  g_assert_false (osiiso_queue_set_initializer (queue, test_initialize, &init, test_init_release, &error));
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

  test_init_init (&first, queue);
  test_init_init (&second, queue);
  test_init_init (&other, queue);
  osiiso_queue_set_workers (queue, 1);
  test_init_set (queue, &first);
  test_init_set (queue, &second);
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
  handle = test_submit (queue, test_report_maker, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (test_get_maker (handle), ==, 0);
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
  return test_initialize (data, error);
}

static void
test_inside (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_report_maker, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Init init;

  g_test_summary ("It may submit and iterate, and cannot wait for its queue");

  test_init_init (&init, queue);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_set_initializer (queue, use_queue, &init, test_init_release, NULL));
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpint (test_get_maker (handle), ==, 1);
  test_init_free (queue, &init);
}

static gboolean
cancel_queue (gpointer  data,
              GError  **error)
{
  Init *self = data;

  osiiso_queue_cancel (self->queue);
  return test_initialize (data, error);
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
      test_init_init (&init, queue);
      init.fails = fails;
      osiiso_queue_set_workers (queue, 1);
      g_assert_true (osiiso_queue_set_initializer (queue, cancel_queue, &init, test_init_release, NULL));
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
  test_init_init (&init, queue);
  osiiso_queue_set_workers (queue, 4);
  g_assert_true (osiiso_queue_set_initializer (queue, fail_at_random, &init, test_init_release, NULL));
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
        test_assert_strength (queue, n);
    }
  g_assert_cmpuint (n_failed, >, 0);
  g_test_message ("%u of 100 runs failed", n_failed);
  test_init_free (queue, &init);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  test_manual_clock ();

  g_test_add_func ("/initializer/iterates", test_iterates);
  g_test_add_func ("/initializer/each-thread", test_each_thread);
  g_test_add_func ("/initializer/main-loop", test_main_loop);
  g_test_add_func ("/initializer/replacement", test_replacement);
  g_test_add_func ("/initializer/outlives-queue", test_outlives_queue);
  g_test_add_func ("/initializer/not-supported", test_not_supported);
  test_add_for_backends ("/initializer/set", test_set);
  test_add_for_backends ("/initializer/inside", test_inside);
  test_add_for_backends ("/initializer/cancel-inside", test_cancel_inside);
  test_add_for_backends ("/initializer/storm", test_storm);
  test_add_initializer_failures ();

  return g_test_run ();
}
