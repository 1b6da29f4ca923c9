/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* What can happen between two tokens that one call of the runner works on. */

typedef struct
{
  OsiisoQueue *queue;
  TestGate     gate;      /* where the runner stops, if it is to */
  gboolean     stop;
  guint64     *ids;
  guint        n_ids;
  int          n_calls;
  int          progress; /* the token that is being run */
  int          over;     /* nobody has to cancel any more */
  int          n_ends;
  int          n_released;
  int          flag;
} Layer;

static guint64
run (guint64  token,
     guint64  id,
     guint    attempt,
     gpointer user_data)
{
  Layer *self = user_data;
  const guint64 first = id;
  gboolean accepted;

  g_atomic_int_inc (&self->n_calls);
  if (self->stop)
    test_gate_pass (&self->gate);
  while (osiiso_queue_exchange_token (self->queue, &accepted, &token, &id, &attempt))
    {
      g_atomic_int_set (&self->progress, (int) token);
      g_atomic_int_inc (&self->n_calls);
    }
  /* After its tokens are over it goes on for as long as this takes. */
  if (self->stop)
    while (!g_atomic_int_get (&self->flag))
      g_thread_yield ();
  return first;
}

static void
completed (const guint64 *tokens,
           const guint   *statuses,
           gsize          n,
           gpointer       user_data)
{
  g_atomic_int_add (&((Layer *) user_data)->n_ends, (int) n);
}

static void
released (gpointer user_data)
{
  g_atomic_int_inc (&((Layer *) user_data)->n_released);
}

static void
layer_init (Layer      *self,
            const char *backend,
            guint       workers)
{
  *self = (Layer) { .queue = test_queue_new (backend), .flag = TRUE };
  test_gate_init (&self->gate);
  osiiso_queue_set_workers (self->queue, workers);
  g_assert_true (osiiso_queue_set_runner (self->queue, run, self, released, NULL));
  g_assert_true (osiiso_queue_set_completions_func (self->queue, OSIISO_COMPLETION_FLAGS_NONE, completed, self, released, NULL));
}

static void
layer_clear (Layer *self)
{
  /* A runner that was in a token when that was cancelled may not be back yet, and
   * uses the queue without a reference. */
  while (!osiiso_queue_set_completions_func (self->queue, OSIISO_COMPLETION_FLAGS_NONE, completed, self, NULL, NULL))
    g_thread_yield ();
  test_queue_free (self->queue);
  while (g_atomic_int_get (&self->n_released) < 2)
    g_main_context_iteration (NULL, FALSE);
  test_gate_clear (&self->gate);
}

/* Cancels the tokens that come next. */
static gpointer
cancel_thread (gpointer user_data)
{
  Layer *self = user_data;
  guint next;

  while (!g_atomic_int_get (&self->over) && (next = (guint) g_atomic_int_get (&self->progress) + 1) + 3 < self->n_ids)
    for (guint i = next; i < next + 3; i++)
      {
        g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (self->queue, self->ids[i]);

        if (handle != NULL)
          osiiso_handle_cancel (handle);
      }
  return NULL;
}

static void
test_cancelled_on_the_way (void)
{
  g_test_summary ("A worker whose next token is cancelled before it begins is not lost");

  for (guint round = 0; round < 20; round++)
    {
      Layer layer;
      GThread *thread;

      layer_init (&layer, "thread-pool", 1);
      layer.n_ids = 4000;
      layer.ids = osiiso_queue_submit_tokens (layer.queue, 0, layer.n_ids, NULL, NULL, NULL);
      thread = g_thread_new ("cancel", cancel_thread, &layer);
      g_assert_true (osiiso_queue_start (layer.queue, NULL));
      g_assert_true (osiiso_queue_join (layer.queue, NULL, NULL));
      g_atomic_int_set (&layer.over, TRUE);
      g_thread_join (thread);
      g_assert_cmpint (layer.n_ends, ==, 4000);
      layer_clear (&layer);
      g_free (layer.ids);
    }
}

static void
set_flag (OsiisoAttempt *attempt,
          gpointer       flag)
{
  g_atomic_int_set ((int *) flag, 1);
}

static void
test_left_for_others (void)
{
  Layer layer;
  OsiisoAttempt *deferred = NULL;

  g_test_summary ("A task that the runner may not take is begun by another worker while the runner goes on");

  layer_init (&layer, "thread-pool", 2);
  layer.stop = TRUE;
  layer.flag = FALSE;
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_submit_and_drop (layer.queue, test_task_defer, &deferred, NULL);
  while (g_atomic_pointer_get (&deferred) == NULL)
    g_thread_yield ();
  g_assert_cmpuint (osiiso_queue_submit_token (layer.queue, 1, NULL, NULL), !=, 0);
  test_gate_await (&layer.gate, 1);
  /* Both workers are taken now, until the token is over. */
  test_submit_and_drop (layer.queue, set_flag, &layer.flag, NULL);
  test_gate_open (&layer.gate);
  test_iterate_until (&layer.flag);
  osiiso_attempt_return_none (deferred);
  osiiso_attempt_unref (deferred);
  test_run_all (layer.queue);
  layer_clear (&layer);
}

static void
submit_one (gpointer user_data)
{
  Layer *self = user_data;

  g_assert_cmpuint (osiiso_queue_submit_token (self->queue, 1, NULL, NULL), !=, 0);
  /* It ends before the delivery does that this is a part of. */
  while (osiiso_queue_get_completed_count (self->queue) < 2)
    g_thread_yield ();
}

static void
test_told_before_the_run_ends (void)
{
  Layer layer;

  g_test_summary ("A run is not over before all ends of tokens are told");

  layer_init (&layer, "thread-pool", 1);
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  g_object_unref (osiiso_queue_submit (layer.queue, test_task_none, &layer, submit_one, NULL, NULL));
  while (osiiso_queue_get_completed_count (layer.queue) < 1)
    g_thread_yield ();
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_ends, ==, 1);
  layer_clear (&layer);
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    count)
{
  (*(int *) count)++;
}

static void
test_notified (gconstpointer backend)
{
  Layer layer;
  OsiisoHandle *handle;
  int n_notified = 0;

  g_test_summary ("The handle of a token stays until all is told that happened to it");

  layer_init (&layer, backend, 1);
  handle = osiiso_queue_lookup (layer.queue, osiiso_queue_submit_token (layer.queue, 1, NULL, NULL));
  g_signal_connect (handle, "notify::status", G_CALLBACK (count_notify), &n_notified);
  g_object_unref (handle);
  test_run_all (layer.queue);
  g_assert_cmpint (n_notified, ==, 2);
  layer_clear (&layer);
}

static void
test_disposed_twice (void)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  Layer layer;

  g_test_summary ("The data of a runner are not released while it runs, also when the queue is disposed of twice");

  layer_init (&layer, "thread-pool", 1);
  layer.stop = TRUE;
  handle = osiiso_queue_lookup (layer.queue, osiiso_queue_submit_token (layer.queue, 1, NULL, NULL));
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_gate_await (&layer.gate, 1);
  g_assert_true (osiiso_handle_cancel (handle));
  /* The task is over, but its function is not. */
  while (osiiso_queue_get_active_count (layer.queue) + osiiso_queue_get_pending_count (layer.queue) > 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_false (osiiso_queue_set_runner (layer.queue, run, &layer, NULL, NULL));
  g_object_run_dispose (G_OBJECT (layer.queue));
  g_object_unref (layer.queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (layer.n_released, ==, 0);
  /* From here on the function must not use the queue, and does not: its token is
   * over. */
  layer.queue = test_queue_new ("main-loop");
  test_gate_open (&layer.gate);
  while (g_atomic_int_get (&layer.n_released) < 2)
    g_main_context_iteration (NULL, FALSE);
  layer_clear (&layer);
}

/* A layer as it should be: what it has of the queue lasts as long as a call. */
typedef struct
{
  GWeakRef  queue;
  TestGate  gate;
  GThread  *owner;
  int       n_released;
  int       n_refused;
} OwnLayer;

static guint64
run_with_reference (guint64  token,
                    guint64  id,
                    guint    attempt,
                    gpointer user_data)
{
  OwnLayer *self = user_data;
  g_autoptr (OsiisoQueue) queue = g_weak_ref_get (&self->queue);
  gboolean accepted = TRUE;

  test_gate_pass (&self->gate);
  g_assert_false (osiiso_queue_exchange_token (queue, &accepted, &token, &id, &attempt));
  g_assert_false (accepted);
  g_assert_false (osiiso_queue_token_done (queue, id, attempt));
  g_atomic_int_inc (&self->n_refused);
  return id;
}

static void
own_released (gpointer user_data)
{
  OwnLayer *self = user_data;

  g_assert_true (g_thread_self () == self->owner);
  g_assert_cmpint (g_atomic_int_get (&self->n_refused), ==, 1);
  self->n_released++;
}

static void
test_dropped_in_runner (void)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OwnLayer layer = { .owner = g_thread_self () };

  g_test_summary ("A runner in a token that was cancelled may have the last reference on the queue");

  g_weak_ref_init (&layer.queue, queue);
  test_gate_init (&layer.gate);
  g_assert_true (osiiso_queue_set_runner (queue, run_with_reference, &layer, own_released, NULL));
  handle = osiiso_queue_lookup (queue, osiiso_queue_submit_token (queue, 1, NULL, NULL));
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&layer.gate, 1);
  g_assert_true (osiiso_handle_cancel (handle));
  g_object_unref (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (layer.n_released, ==, 0);
  test_gate_open (&layer.gate);
  while (layer.n_released == 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_null (g_weak_ref_get (&layer.queue));
  g_weak_ref_clear (&layer.queue);
  test_gate_clear (&layer.gate);
}

static void
join_inside (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      n_refused)
{
  g_autoptr (GError) error = NULL;

  if (osiiso_queue_join (queue, NULL, &error))
    return;
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  (*(int *) n_refused)++;
}

static void
test_join_between (void)
{
  g_autofree guint64 *ids = NULL;
  Layer layer;
  int n_refused = 0;

  g_test_summary ("A handler that waits for all work when the next token begins hears that this would not end");

  layer_init (&layer, "main-loop", 1);
  ids = osiiso_queue_submit_tokens (layer.queue, 0, 3, NULL, NULL, NULL);
  g_signal_connect (layer.queue, "on-start", G_CALLBACK (join_inside), &n_refused);
  test_run_all (layer.queue);
  g_assert_cmpint (n_refused, ==, 3);
  g_assert_cmpint (layer.n_ends, ==, 3);
  layer_clear (&layer);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-races/cancelled-on-the-way", test_cancelled_on_the_way);
  g_test_add_func ("/token-races/left-for-others", test_left_for_others);
  g_test_add_func ("/token-races/told-before-the-run-ends", test_told_before_the_run_ends);
  test_add_for_backends ("/token-races/notified", test_notified);
  g_test_add_func ("/token-races/disposed-twice", test_disposed_twice);
  g_test_add_func ("/token-races/dropped-in-runner", test_dropped_in_runner);
  g_test_add_func ("/token-races/join-between", test_join_between);

  return g_test_run ();
}
