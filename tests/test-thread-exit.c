/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <unistd.h>

#include "test-holder.h"

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

/* An initializer that ends its thread as often as it is told to. Nobody waits for a
 * thread that is in there when its queue is shut down. */
static int n_exits_left;

static gboolean
init_exits (gpointer  unused,
            GError  **error)
{
  if (g_atomic_int_add (&n_exits_left, -1) > 0)
    pthread_exit (NULL);
  return TRUE;
}

static void
test_initializer (void)
{
  OsiisoQueue *queue = new_queue (2);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("An initializer that ends its thread has failed, and the next start tries again");

  g_atomic_int_set (&n_exits_left, 1000);
  g_assert_true (osiiso_queue_set_initializer (queue, init_exits, NULL, NULL, NULL));
  for (guint round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoHandle) failed = test_submit (queue, test_task_none, NULL, NULL);
      g_autoptr (GError) error = NULL;

      test_run_all (queue);
      assert_abandoned (failed);
      error = osiiso_handle_dup_error (failed);
      g_assert_cmpstr (error->message, ==, "worker initializer failed: it ended its thread");
    }
  g_atomic_int_set (&n_exits_left, 0);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  assert_strength (queue);
  finish (queue);
}

static void
test_initializer_shutdown (void)
{
  g_test_summary ("A queue that is shut down meanwhile gets to its end");

  for (guint round = 0; round < 100; round++)
    {
      OsiisoQueue *queue = new_queue (2);

      g_atomic_int_set (&n_exits_left, (int) round % 3);
      g_assert_true (osiiso_queue_set_initializer (queue, init_exits, NULL, NULL, NULL));
      g_assert_true (osiiso_queue_start (queue, NULL));
      finish (queue);
    }
}

/* A token whose runner ends the thread. */
typedef struct
{
  int n_ended;    /* threads */
  int n_released;
} Runner;

static guint64
run_exits (guint64  token,
           guint64  id,
           guint    attempt,
           gpointer user_data)
{
  pthread_exit (NULL);
}

static void
runner_ends (gpointer user_data)
{
  g_atomic_int_inc (&((Runner *) user_data)->n_ended);
}

static void
runner_released (gpointer user_data)
{
  g_atomic_int_inc (&((Runner *) user_data)->n_released);
}

static void
test_token (void)
{
  OsiisoQueue *queue = new_queue (1);
  Runner runner = { 0, 0 };
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("So may a runner of tokens, which is let go all the same");

  g_assert_true (osiiso_queue_set_runner (queue, run_exits, &runner, runner_released, NULL));
  g_assert_true (osiiso_queue_set_thread_end_func (queue, runner_ends, &runner, NULL, NULL));
  handle = osiiso_queue_lookup (queue, osiiso_queue_submit_token (queue, 1, NULL, NULL));
  test_run_all (queue);
  assert_abandoned (handle);
  test_iterate_until (&runner.n_ended);
  finish (queue);
  test_iterate_until (&runner.n_released);
}

/* One that calls the runner of another queue, which ends the thread when it may. */
typedef struct
{
  Runner         runner;
  OsiisoAttempt *attempt; /* of the other queue */
  TestGate       gate;
} Nested;

static guint64
run_other (guint64  token,
           guint64  id,
           guint    attempt,
           gpointer user_data)
{
  osiiso_attempt_run (((Nested *) user_data)->attempt);
  g_assert_not_reached ();
}

static guint64
run_exits_later (guint64  token,
                 guint64  id,
                 guint    attempt,
                 gpointer user_data)
{
  test_gate_pass (&((Nested *) user_data)->gate);
  pthread_exit (NULL);
}

static void
test_token_nested (void)
{
  OsiisoQueue *queue = new_queue (1);
  OsiisoQueue *other = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  Nested inner = { .attempt = NULL };
  Nested outer = { .attempt = NULL };
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("All runners that the thread was in are let go, the last use of one too");

  test_gate_init (&inner.gate);
  g_assert_true (osiiso_queue_set_runner (other, run_exits_later, &inner, runner_released, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token (other, 1, NULL, NULL), !=, 0);
  outer.attempt = test_holder_take (other);

  g_assert_true (osiiso_queue_set_runner (queue, run_other, &outer, runner_released, NULL));
  handle = osiiso_queue_lookup (queue, osiiso_queue_submit_token (queue, 1, NULL, NULL));
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&inner.gate, 1);
  g_assert_true (osiiso_queue_shutdown (other, TRUE, NULL, NULL));
  test_queue_free (other);
  g_assert_cmpint (inner.runner.n_released, ==, 0);

  test_gate_open (&inner.gate);
  test_run_all (queue);
  assert_abandoned (handle);
  test_iterate_until (&inner.runner.n_released);
  finish (queue);
  test_iterate_until (&outer.runner.n_released);
  g_assert_cmpint (inner.runner.n_released, ==, 1);
  g_assert_cmpint (outer.runner.n_released, ==, 1);
  osiiso_attempt_unref (outer.attempt);
  test_gate_clear (&inner.gate);
}

/* A backend with threads that take attempts one by one. */
typedef struct
{
  OsiisoBackend   parent_instance;
  pthread_mutex_t lock;
  guint           n_threads;
  guint           n_stuck;
  gboolean        closing;
  gboolean        told;
} TestTaker;

typedef OsiisoBackendClass TestTakerClass;

GType test_taker_get_type (void);
G_DEFINE_TYPE (TestTaker, test_taker, OSIISO_TYPE_BACKEND)

static gboolean
taker_is_over_locked (TestTaker *self)
{
  gboolean over = self->closing && !self->told && self->n_threads == self->n_stuck;

  self->told |= over;
  return over;
}

static void
taker_leaves (TestTaker *self,
              gboolean   stuck)
{
  gboolean over;

  pthread_mutex_lock (&self->lock);
  self->n_threads--;
  self->n_stuck -= stuck ? 1 : 0;
  over = taker_is_over_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (&self->parent_instance);
  g_object_unref (self);
}

typedef struct
{
  TestTaker     *self;
  OsiisoAttempt *attempt;
} Taken;

static void
taker_exits (void *data)
{
  Taken *taken = data;

  osiiso_attempt_unref (taken->attempt);
  taker_leaves (taken->self, TRUE);
}

static gboolean
taker_run (TestTaker     *self,
           OsiisoAttempt *attempt)
{
  Taken taken = { self, attempt };
  gboolean stuck;

  pthread_cleanup_push (taker_exits, &taken);
  osiiso_attempt_run (attempt);
  pthread_cleanup_pop (FALSE);
  stuck = osiiso_attempt_is_stuck (attempt);
  osiiso_attempt_unref (attempt);
  return stuck;
}

static gpointer
taker_thread (gpointer data)
{
  TestTaker *self = data;
  OsiisoAttempt *attempt;
  gboolean stuck = FALSE;

  while (!stuck && (attempt = osiiso_backend_take_wait (&self->parent_instance)) != NULL)
    stuck = taker_run (self, attempt);
  taker_leaves (self, stuck);
  return NULL;
}

static void
taker_add_thread_locked (TestTaker *self)
{
  self->n_threads++;
  g_thread_unref (g_thread_new ("taker", taker_thread, g_object_ref (self)));
}

static gboolean
taker_open (OsiisoBackend *backend,
            GError       **error)
{
  TestTaker *self = (TestTaker *) backend;

  pthread_mutex_lock (&self->lock);
  self->closing = self->told = FALSE;
  for (guint i = 0; i < osiiso_backend_get_workers (backend); i++)
    taker_add_thread_locked (self);
  pthread_mutex_unlock (&self->lock);
  return TRUE;
}

static void
taker_interrupt (OsiisoBackend        *backend,
                 OsiisoAttempt        *attempt,
                 OsiisoInterruptReason reason)
{
  TestTaker *self = (TestTaker *) backend;
  gboolean over;

  if (!osiiso_attempt_is_stuck (attempt))
    return;
  pthread_mutex_lock (&self->lock);
  self->n_stuck++;
  if (!self->closing)
    taker_add_thread_locked (self);
  over = taker_is_over_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (backend);
}

static void
taker_close (OsiisoBackend *backend,
             gboolean       force)
{
  TestTaker *self = (TestTaker *) backend;
  gboolean over;

  pthread_mutex_lock (&self->lock);
  self->closing = TRUE;
  over = taker_is_over_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (backend);
}

static OsiisoBackendCapabilities
taker_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS;
}

static void
test_taker_class_init (TestTakerClass *klass)
{
  klass->get_capabilities = taker_get_capabilities;
  klass->open = taker_open;
  klass->interrupt = taker_interrupt;
  klass->close = taker_close;
}

static void
test_taker_init (TestTaker *self)
{
  pthread_mutex_init (&self->lock, NULL);
}

static void
test_take_wait (void)
{
  g_autoptr (OsiisoBackend) taker = g_object_new (test_taker_get_type (), NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (taker);
  Data data = { .how = EXIT_AT_ONCE };
  Data late = { .how = EXIT_LATER };
  Data reported = { .how = EXIT_REPORTED };
  g_autoptr (OsiisoTaskOptions) once_more = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) cancelled = NULL;

  g_test_summary ("All that holds for backends as well whose threads take attempts one by one");

  alarm (60);
  osiiso_queue_set_workers (queue, 2);
  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (OsiisoHandle) abandoned = test_submit (queue, exit_thread, &data, NULL);
      g_autoptr (OsiisoHandle) retried = test_submit (queue, exit_thread, &data, once_more);
      g_autoptr (OsiisoHandle) done = test_submit (queue, exit_thread, &reported, NULL);

      test_run_all (queue);
      assert_abandoned (abandoned);
      g_assert_cmpint (osiiso_handle_get_status (retried), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpint (osiiso_handle_get_status (done), ==, OSIISO_STATUS_SUCCEEDED);
    }
  test_gate_init (&late.gate);
  cancelled = test_submit (queue, exit_thread, &late, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&late.gate, 1);
  g_assert_true (osiiso_handle_cancel (cancelled));
  assert_strength (queue);
  test_gate_open (&late.gate);
  test_iterate_until (&late.left);
  finish (queue);
  while (G_OBJECT (taker)->ref_count > 1)
    g_thread_yield ();
  test_gate_clear (&late.gate);
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
  g_test_add_func ("/thread-exit/initializer", test_initializer);
  g_test_add_func ("/thread-exit/initializer-shutdown", test_initializer_shutdown);
  g_test_add_func ("/thread-exit/token", test_token);
  g_test_add_func ("/thread-exit/token-nested", test_token_nested);
  g_test_add_func ("/thread-exit/take-wait", test_take_wait);

  return g_test_run ();
}
