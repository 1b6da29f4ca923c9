/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-submit-cancellable.h"

/* The cancellable of a submission that has to wait for room, and one that is
 * cancelled while others submit. */

/* A thread that waits for room in a full queue. */
typedef struct
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  guint              n; /* of a map */
  int                n_released;
  GError            *error;
} Blocked;

static gpointer
blocked_thread (gpointer user_data)
{
  Blocked *self = user_data;

  if (self->n > 0)
    {
      OsiisoGroup *group = osiiso_queue_map (self->queue, self->n, test_task_none, &self->n_released, test_count,
                                             self->options, &self->error);

      g_clear_object (&group);
    }
  else
    {
      osiiso_queue_push (self->queue, test_task_none, &self->n_released, test_count, self->options, &self->error);
    }
  return NULL;
}

static void
test_full (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1e6, NULL);
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("Who waits for room with it gives up, and who came in is cancelled");

  osiiso_queue_set_size (queue, 2);
  test_submit_and_drop (queue, test_task_defer, &attempt, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  for (guint n = 0; n < 3; n++)
    {
      Blocked blocked = { queue, options, n, 0, NULL };
      GThread *thread = g_thread_new ("blocked", blocked_thread, &blocked);

      while (hooks->queue_n_waiting (queue) == 0)
        g_thread_yield ();
      g_cancellable_cancel (cancellable);
      g_thread_join (thread);
      g_assert_error (blocked.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&blocked.error);
      cancellable_settle ();
      g_assert_cmpint (blocked.n_released, ==, 1);
      g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
      g_cancellable_reset (cancellable);
    }
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);

  /* Let in from the line. */
  for (guint n = 0; n < 2; n++)
    {
      Blocked blocked = { queue, options, n, 0, NULL };
      GThread *thread;

      osiiso_queue_pause (queue);
      osiiso_queue_set_size (queue, 2);
      thread = g_thread_new ("blocked", blocked_thread, &blocked);
      while (hooks->queue_n_waiting (queue) == 0)
        g_thread_yield ();
      osiiso_queue_set_size (queue, 3);
      g_thread_join (thread);
      g_assert_no_error (blocked.error);
      g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 2);
      g_cancellable_cancel (cancellable);
      cancellable_settle ();
      g_assert_cmpint (blocked.n_released, ==, 1);
      g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
      g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
      g_cancellable_reset (cancellable);
    }
  osiiso_attempt_unref (attempt);
  cancellable_finish (queue);
}

/* A submission that waits without blocking. */
typedef struct
{
  int           returned;
  int           n_released;
  OsiisoHandle *handle;
  GError       *error;
} Async;

static void
async_returned (GObject      *queue,
                GAsyncResult *result,
                gpointer      user_data)
{
  Async *self = user_data;

  self->handle = osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, &self->error);
  self->returned++;
}

static void
async_submit (Async             *self,
              OsiisoQueue       *queue,
              OsiisoTaskOptions *options,
              GCancellable      *cancellable)
{
  *self = (Async) { 0, };
  osiiso_queue_submit_async (queue, test_task_none, &self->n_released, test_count, options, cancellable,
                             async_returned, self);
}

static void
async_assert_cancelled (Async *self)
{
  test_iterate_until (&self->returned);
  g_assert_null (self->handle);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&self->error);
  cancellable_settle ();
  g_assert_cmpint (self->returned, ==, 1);
  g_assert_cmpint (self->n_released, ==, 1);
}

static void
test_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) wait = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  OsiisoAttempt *attempt = NULL;
  Async async;

  g_test_summary ("A submission that waits without blocking gives up with it, and a task that came in is cancelled");

  osiiso_queue_set_size (queue, 1);
  test_submit_and_drop (queue, test_task_defer, &attempt, NULL);
  cancellable_start (queue);
  while (g_atomic_pointer_get (&attempt) == NULL)
    cancellable_settle ();
  async_submit (&async, queue, options, NULL);
  g_assert_cmpuint (hooks->queue_n_waiting (queue), ==, 1);
  g_cancellable_cancel (cancellable);
  async_assert_cancelled (&async);
  /* Before it began. */
  async_submit (&async, queue, options, NULL);
  async_assert_cancelled (&async);
  g_cancellable_reset (cancellable);
  /* In another thread. */
  async_submit (&async, queue, options, wait);
  g_thread_join (g_thread_new ("cancel", cancellable_cancel_thread, cancellable));
  async_assert_cancelled (&async);
  g_cancellable_reset (cancellable);
  /* Both at once. */
  async_submit (&async, queue, options, wait);
  g_cancellable_cancel (wait);
  g_cancellable_cancel (cancellable);
  async_assert_cancelled (&async);
  g_assert_cmpuint (hooks->queue_n_waiting (queue), ==, 0);
  g_cancellable_reset (cancellable);
  g_cancellable_reset (wait);
  cancellable_settle ();
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);

  /* Let in from the line, and cancelled before and after that was told. */
  for (guint i = 0; i < 2; i++)
    {
      osiiso_queue_pause (queue);
      osiiso_queue_set_size (queue, 1);
      async_submit (&async, queue, options, wait);
      osiiso_queue_set_size (queue, 2);
      if (i == 1)
        test_iterate_until (&async.returned);
      g_cancellable_cancel (cancellable);
      test_iterate_until (&async.returned);
      g_assert_no_error (async.error);
      cancellable_assert_cancelled (async.handle);
      cancellable_settle ();
      g_assert_cmpint (async.n_released, ==, 1);
      g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
      g_clear_object (&async.handle);
      g_cancellable_reset (cancellable);
    }
  osiiso_attempt_unref (attempt);
  cancellable_finish (queue);
}

typedef struct
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  TestGate          *gate;
  int               *n_released;
  guint              n_accepted;
  guint              n_refused;
} Submitter;

static gpointer
submit_thread (gpointer user_data)
{
  Submitter *self = user_data;

  test_gate_pass (self->gate);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GError) error = NULL;

      if (osiiso_queue_push (self->queue, test_task_none, self->n_released, test_count, self->options, &error) != 0)
        {
          /* Once it was refused it stays so. */
          g_assert_cmpuint (self->n_refused, ==, 0);
          self->n_accepted++;
        }
      else
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          self->n_refused++;
        }
      if (i % 16 == 0)
        g_thread_yield ();
    }
  return NULL;
}

static gpointer
cancel_after_gate (gpointer user_data)
{
  Submitter *self = user_data;

  test_gate_pass (self->gate);
  for (guint i = g_random_int_range (0, 50); i > 0; i--)
    g_thread_yield ();
  g_cancellable_cancel (osiiso_task_options_get_cancellable (self->options));
  return NULL;
}

static void
race (const char *backend,
      gboolean    started)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_released = 0;
  TestGate gate;
  Submitter submitters[3];
  GThread *threads[G_N_ELEMENTS (submitters)];
  GThread *canceller;
  guint n_accepted = 0;

  test_gate_init (&gate);
  if (started)
    cancellable_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    {
      submitters[i] = (Submitter) { queue, options, &gate, &n_released, 0, 0 };
      threads[i] = g_thread_new ("submit", submit_thread, &submitters[i]);
    }
  canceller = g_thread_new ("cancel", cancel_after_gate, &submitters[0]);
  test_gate_await (&gate, G_N_ELEMENTS (submitters) + 1);
  test_gate_open (&gate);
  g_thread_join (canceller);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    {
      g_thread_join (threads[i]);
      n_accepted += submitters[i].n_accepted;
    }
  /* Without that nothing runs, so all have been cancelled. */
  if (started)
    summary = test_run (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, n_accepted);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  while (g_atomic_int_get (&n_released) < 300)
    cancellable_settle ();
  cancellable_settle ();
  g_assert_cmpint (n_released, ==, 300);
  g_assert_cmpuint (cancellable_count_connections (cancellable), ==, 0);
  cancellable_finish (queue);
  test_gate_clear (&gate);
}

static void
test_race (gconstpointer backend)
{
  g_test_summary ("Submissions and the cancellation at the same time: refused, cancelled or done, and once");

  race (backend, TRUE);
}

static void
test_race_at_rest (gconstpointer backend)
{
  g_test_summary ("No submission slips through between a look at the cancellable and the queue");

  for (guint i = 0; i < 40; i++)
    race (backend, FALSE);
}

void
test_add_submit_cancellable_room (void)
{
  test_add_for_backends ("/submit-cancellable/full", test_full);
  test_add_for_backends ("/submit-cancellable/async", test_async);
  test_add_for_backends ("/submit-cancellable/race", test_race);
  test_add_for_backends ("/submit-cancellable/race-at-rest", test_race_at_rest);
}
