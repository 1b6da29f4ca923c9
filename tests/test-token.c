/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Tokens, as a language layer uses them. */

typedef struct
{
  OsiisoQueue *queue;
  TestLog      log;
  TestLog      ends;
  guint        n_refused; /* calls that are not acknowledged yet */
  gboolean     exchange;
  gboolean     fail_once;
  gboolean     later;
  guint64      id;
  int          n_calls;
  int          n_accepted;
  int          n_ends;
  int          n_batches;
  int          n_released;
  TestGate     gate;
  GThread     *end_thread;
} Layer;

static void
work (Layer  *self,
      guint64 token,
      guint64 id,
      guint   attempt)
{
  test_log_add (&self->log, "%u.%u", (guint) token, attempt);
  if (self->fail_once && attempt == 1)
    g_assert_true (osiiso_queue_token_failed (self->queue, id, attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "once", -1));
}

static guint64
run (guint64  token,
     guint64  id,
     guint    attempt,
     gpointer user_data)
{
  Layer *self = user_data;
  const guint64 first = id;
  gboolean accepted;

  if (self->n_refused > 0)
    {
      self->n_refused--;
      return 0;
    }
  if (self->later)
    self->id = id;
  g_atomic_int_inc (&self->n_calls);
  work (self, token, id, attempt);
  if (self->later)
    return first;
  if (!self->exchange)
    {
      if (!self->fail_once || attempt > 1)
        g_assert_true (osiiso_queue_token_done (self->queue, id, attempt));
      return first;
    }
  while (osiiso_queue_exchange_token (self->queue, &accepted, &token, &id, &attempt))
    {
      g_atomic_int_add (&self->n_accepted, accepted);
      work (self, token, id, attempt);
    }
  g_atomic_int_add (&self->n_accepted, accepted);
  return first;
}

static void
completed (const guint64 *tokens,
           const guint   *statuses,
           gsize          n,
           gpointer       user_data)
{
  Layer *self = user_data;

  g_atomic_int_inc (&self->n_batches);
  self->end_thread = g_thread_self ();
  for (gsize i = 0; i < n; i++)
    test_log_add (&self->ends, "%u:%u", (guint) tokens[i], statuses[i]);
  g_atomic_int_add (&self->n_ends, (int) n);
}

static void
released (gpointer user_data)
{
  g_atomic_int_inc (&((Layer *) user_data)->n_released);
}

static void
layer_init_full (Layer                *self,
                 const char           *backend,
                 OsiisoCompletionFlags flags)
{
  g_autoptr (GError) error = NULL;

  *self = (Layer) { .queue = test_queue_new (backend) };
  test_log_init (&self->log);
  test_log_init (&self->ends);
  test_gate_init (&self->gate);
  osiiso_queue_set_workers (self->queue, 1);
  osiiso_queue_set_runner (self->queue, run, self, released, &error);
  g_assert_no_error (error);
  osiiso_queue_set_completions_func (self->queue, flags, completed, self, released, &error);
  g_assert_no_error (error);
}

static void
layer_init (Layer      *self,
            const char *backend)
{
  layer_init_full (self, backend, OSIISO_COMPLETION_FLAGS_NONE);
}

static void
layer_clear (Layer *self)
{
  test_queue_free (self->queue);
  test_iterate_until (&self->n_released);
  while (g_atomic_int_get (&self->n_released) < 2)
    g_main_context_iteration (NULL, TRUE);
  test_log_clear (&self->log);
  test_log_clear (&self->ends);
  test_gate_clear (&self->gate);
}

static void
assert_log (TestLog    *log,
            const char *expected)
{
  g_autofree char *text = test_log_steal (log);

  g_assert_cmpstr (text, ==, expected);
}

static guint64
submit (Layer             *self,
        guint64            token,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  guint64 id = osiiso_queue_submit_token (self->queue, token, options, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (id, !=, 0);
  return id;
}

static void
test_one_by_one (gconstpointer backend)
{
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 1, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Layer layer;

  layer_init (&layer, backend);
  submit (&layer, 1, NULL);
  submit (&layer, 2, NULL);
  submit (&layer, 3, urgent);
  summary = test_run (layer.queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 3);
  assert_log (&layer.log, "3.1 1.1 2.1");
  assert_log (&layer.ends, "3:3 1:3 2:3");
  g_assert_cmpint (layer.n_calls, ==, 3);
  layer_clear (&layer);
}

static void
test_exchange (gconstpointer backend)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint64 *ids = NULL;
  Layer layer;
  gsize n;

  layer_init (&layer, backend);
  /* Other sources are to get no turn in between, however slow this is. */
  if (g_strcmp0 (backend, "main-loop") == 0)
    g_object_set (osiiso_queue_get_backend (layer.queue), "slice", 3600.0, NULL);
  layer.exchange = TRUE;
  ids = osiiso_queue_submit_tokens (layer.queue, 10, 5, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 5);
  g_assert_cmpuint (ids[0], !=, ids[4]);
  test_run_all (layer.queue);
  assert_log (&layer.log, "10.1 11.1 12.1 13.1 14.1");
  assert_log (&layer.ends, "10:3 11:3 12:3 13:3 14:3");
  /* Entered once, because all could be had at once. */
  g_assert_cmpint (layer.n_calls, ==, 1);
  while (g_atomic_int_get (&layer.n_accepted) < 5)
    g_thread_yield ();
  g_assert_cmpint (layer.n_accepted, ==, 5);
  layer_clear (&layer);
}

static void
test_exchange_leaves_functions_alone (gconstpointer backend)
{
  Layer layer;

  layer_init (&layer, backend);
  layer.exchange = TRUE;
  submit (&layer, 1, NULL);
  test_submit_and_drop (layer.queue, test_task_none, NULL, NULL);
  submit (&layer, 2, NULL);
  test_run_all (layer.queue);
  assert_log (&layer.log, "1.1 2.1");
  g_assert_cmpint (layer.n_calls, ==, 2);
  layer_clear (&layer);
}

static void
test_retries (gconstpointer backend)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);

  for (guint exchange = 0; exchange < 2; exchange++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      Layer layer;

      layer_init (&layer, backend);
      layer.exchange = exchange;
      layer.fail_once = TRUE;
      submit (&layer, 7, options);
      submit (&layer, 8, options);
      summary = test_run (layer.queue);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
      /* It keeps its turn. */
      assert_log (&layer.log, "7.1 7.2 8.1 8.2");
      assert_log (&layer.ends, "7:3 8:3");
      layer_clear (&layer);
    }
}

static void
test_failure (gconstpointer backend)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  Layer layer;

  layer_init (&layer, backend);
  layer.fail_once = TRUE;
  submit (&layer, 1, NULL);
  summary = test_run (layer.queue);
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_nonnull (strstr (error->message, "once"));
  assert_log (&layer.ends, "1:4");
  layer_clear (&layer);
}

static void
test_later (gconstpointer backend)
{
  Layer layer;
  int done = 0;
  guint64 id;

  layer_init (&layer, backend);
  layer.later = TRUE;
  id = submit (&layer, 1, NULL);
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_iterate_until (&layer.n_calls);
  g_assert_cmpuint (layer.id, ==, id);
  g_assert_true (osiiso_queue_token_progress (layer.queue, id, 1, 0.5, "half"));

  /* Other attempts and other tasks do not count. */
  g_assert_false (osiiso_queue_token_done (layer.queue, id, 2));
  g_assert_false (osiiso_queue_token_done (layer.queue, id + 1, 1));
  g_assert_true (osiiso_queue_token_done (layer.queue, id, 1));
  g_assert_false (osiiso_queue_token_done (layer.queue, id, 1));
  test_iterate_until (&layer.n_ends);
  assert_log (&layer.ends, "1:3");
  g_assert_cmpint (done, ==, 0);
  layer_clear (&layer);
}

static void
test_cancelled (gconstpointer backend)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  Layer layer;
  guint64 id;

  layer_init (&layer, backend);
  layer.later = TRUE;
  id = submit (&layer, 1, NULL);
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_iterate_until (&layer.n_calls);
  handle = osiiso_queue_lookup (layer.queue, id);
  cancellable = osiiso_queue_token_dup_cancellable (layer.queue, id, 1);
  g_assert_false (g_cancellable_is_cancelled (cancellable));
  g_assert_true (osiiso_handle_cancel (handle));
  test_iterate_until (&layer.n_ends);
  g_assert_true (g_cancellable_is_cancelled (cancellable));
  g_assert_false (osiiso_queue_token_done (layer.queue, id, 1));
  g_assert_null (osiiso_queue_token_dup_cancellable (layer.queue, id, 1));
  assert_log (&layer.ends, "1:5");
  layer_clear (&layer);
}

/* A call that is not acknowledged was not made. */
static void
test_redelivery (void)
{
  Layer layer;

  layer_init (&layer, "main-loop");
  layer.n_refused = 4;
  submit (&layer, 1, NULL);
  submit (&layer, 2, NULL);
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_calls, ==, 2);
  g_assert_cmpuint (layer.n_refused, ==, 0);
  g_assert_cmpint (layer.n_ends, ==, 2);
  layer_clear (&layer);
}

/* Taken at the second try, which follows the first one at once, and reported later. */
static void
test_redelivery_at_once (void)
{
  Layer layer;
  guint64 id;

  layer_init (&layer, "main-loop");
  layer.n_refused = 1;
  layer.later = TRUE;
  id = submit (&layer, 1, NULL);
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_iterate_until (&layer.n_calls);
  g_assert_true (osiiso_queue_token_failed (layer.queue, id, 1, G_IO_ERROR, G_IO_ERROR_FAILED, "late", -1));
  test_iterate_until (&layer.n_ends);
  assert_log (&layer.ends, "1:4");
  layer_clear (&layer);
}

static void
test_redelivery_of_cancelled (void)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  Layer layer;

  layer_init (&layer, "main-loop");
  layer.n_refused = G_MAXUINT;
  handle = osiiso_queue_lookup (layer.queue, submit (&layer, 1, NULL));
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  test_await_status (handle, OSIISO_STATUS_RUNNING);
  g_assert_true (osiiso_handle_cancel (handle));
  test_iterate_until (&layer.n_ends);
  g_assert_cmpint (layer.n_calls, ==, 0);
  layer_clear (&layer);
}

static void
test_not_acknowledged_in_thread (void)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  Layer layer;

  layer_init (&layer, "thread-pool");
  layer.n_refused = 1;
  submit (&layer, 1, NULL);
  submit (&layer, 2, NULL);
  summary = test_run (layer.queue);
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_nonnull (strstr (error->message, "did not acknowledge token 1"));
  assert_log (&layer.log, "2.1");
  layer_clear (&layer);
}

static void
test_completions_in_any_thread (void)
{
  Layer layer;

  layer_init_full (&layer, "thread-pool", OSIISO_COMPLETION_FLAGS_ANY_THREAD);
  submit (&layer, 1, NULL);
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_ends, ==, 1);
  g_assert_true (layer.end_thread != g_thread_self ());
  layer_clear (&layer);
}

static void
test_completions_without_successes (gconstpointer backend)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  Layer layer;

  layer_init_full (&layer, backend,
                   OSIISO_COMPLETION_FLAGS_ANY_THREAD | OSIISO_COMPLETION_FLAGS_SKIP_SUCCEEDED);
  submit (&layer, 1, NULL);
  handle = osiiso_queue_lookup (layer.queue, submit (&layer, 2, NULL));
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_true (layer.end_thread == g_thread_self ());
  test_run_all (layer.queue);
  assert_log (&layer.ends, "2:5");
  layer_clear (&layer);
}

/* Many ends make few calls. */
static void
test_completions_in_batches (gconstpointer backend)
{
  g_autofree guint64 *ids = NULL;
  Layer layer;

  layer_init (&layer, backend);
  ids = osiiso_queue_submit_tokens (layer.queue, 0, 1000, NULL, NULL, NULL);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (layer.queue, ids[i]);

      g_assert_true (osiiso_handle_cancel (handle));
    }
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_ends, ==, 1000);
  g_assert_cmpint (layer.n_batches, <=, 8);
  layer_clear (&layer);
}

static void
test_with_signals (gconstpointer backend)
{
  Layer layer;
  int n_complete = 0;

  layer_init (&layer, backend);
  g_signal_connect_swapped (layer.queue, "on-complete", G_CALLBACK (g_atomic_int_inc), &n_complete);
  layer.exchange = TRUE;
  submit (&layer, 1, NULL);
  submit (&layer, 2, NULL);
  test_run_all (layer.queue);
  g_assert_cmpint (n_complete, ==, 2);
  g_assert_cmpint (layer.n_ends, ==, 2);
  layer_clear (&layer);
}

static void
log_start (OsiisoQueue  *queue,
           OsiisoHandle *handle,
           Layer        *layer)
{
  test_log_add (&layer->ends, "start");
}

static void
log_retry (OsiisoQueue  *queue,
           OsiisoHandle *handle,
           const GError *error,
           Layer        *layer)
{
  test_log_add (&layer->ends, "retry");
}

static void
log_complete (OsiisoQueue  *queue,
              OsiisoHandle *handle,
              Layer        *layer)
{
  test_log_add (&layer->ends, "complete");
}

static gpointer
wait_for_end (gpointer data)
{
  g_autoptr (GError) error = NULL;

  osiiso_handle_wait (data, -1, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* Everything has happened, and is posted, before anything is told. */
static void
end_unseen (Layer             *layer,
            guint64            token,
            OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;

  handle = osiiso_queue_lookup (layer->queue, submit (layer, token, options));
  g_assert_nonnull (handle);
  g_assert_true (osiiso_queue_start (layer->queue, &error));
  g_assert_no_error (error);
  g_thread_join (g_thread_new ("waiter", wait_for_end, handle));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
}

/* What a task did before it ended is told before its end, and that before its signal. */
static void
test_order (void)
{
  g_autoptr (OsiisoTaskOptions) once_more = test_options_new ("retries", 1, NULL);
  Layer layer;

  layer_init (&layer, "thread-pool");
  layer.fail_once = TRUE;
  g_signal_connect (layer.queue, "on-start", G_CALLBACK (log_start), &layer);
  g_signal_connect (layer.queue, "on-retry", G_CALLBACK (log_retry), &layer);
  end_unseen (&layer, 1, once_more);
  test_run_all (layer.queue);
  assert_log (&layer.ends, "start retry start 1:3");

  g_signal_connect (layer.queue, "on-complete", G_CALLBACK (log_complete), &layer);
  end_unseen (&layer, 2, once_more);
  end_unseen (&layer, 3, once_more);
  test_run_all (layer.queue);
  assert_log (&layer.ends, "start retry start 2:3 complete start retry start 3:3 complete");
  layer_clear (&layer);
}

/* Ends of which nothing else is told are still told together. */
static void
test_order_of_many (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Layer layer;

  layer_init (&layer, "thread-pool");
  g_signal_connect (layer.queue, "on-complete", G_CALLBACK (log_complete), &layer);
  osiiso_queue_submit_token (layer.queue, 1, NULL, &error);
  osiiso_queue_submit_token (layer.queue, 2, NULL, &error);
  g_assert_no_error (error);
  end_unseen (&layer, 3, NULL);
  test_run_all (layer.queue);
  assert_log (&layer.ends, "1:3 2:3 3:3 complete complete complete");
  g_assert_cmpint (layer.n_batches, ==, 1);
  layer_clear (&layer);
}

/* More ends than are told at a time, of which the first ones are told when somebody
 * iterates the context: the others come in order, and once. */
typedef struct
{
  OsiisoQueue *queue;
  guint64      n_told;
  gboolean     nested;
} Nested;

static void
completed_nested (const guint64 *tokens,
                  const guint   *statuses,
                  gsize          n,
                  gpointer       user_data)
{
  Nested *self = user_data;

  for (gsize i = 0; i < n; i++)
    g_assert_cmpuint (tokens[i], ==, self->n_told++);
  if (self->nested)
    return;
  self->nested = TRUE;
  while (self->n_told < 1000)
    g_main_context_iteration (NULL, TRUE);
}

static guint64
run_nested (guint64  token,
            guint64  id,
            guint    attempt,
            gpointer user_data)
{
  g_assert_true (osiiso_queue_token_done (((Nested *) user_data)->queue, id, attempt));
  return id;
}

static void
test_nested (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint64 *ids = NULL;
  Nested self = { .queue = test_queue_new ("thread-pool") };
  gsize n;

  osiiso_queue_set_workers (self.queue, 1);
  osiiso_queue_set_runner (self.queue, run_nested, &self, NULL, &error);
  osiiso_queue_set_completions_func (self.queue, OSIISO_COMPLETION_FLAGS_NONE, completed_nested, &self, NULL, &error);
  ids = osiiso_queue_submit_tokens (self.queue, 0, 1000, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 1000);
  osiiso_queue_start (self.queue, &error);
  g_assert_no_error (error);
  while (osiiso_queue_get_completed_count (self.queue) < 1000)
    g_thread_yield ();
  test_run_all (self.queue);
  g_assert_true (self.nested);
  g_assert_cmpuint (self.n_told, ==, 1000);
  test_queue_free (self.queue);
}

static void
test_errors (gconstpointer backend)
{
  g_autoptr (OsiisoTaskOptions) bad = test_options_new ("timeout", -1.0, NULL);
  g_autoptr (OsiisoQueue) queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;
  g_autofree guint64 *ids = NULL;
  gboolean accepted;
  guint64 token, id;
  guint attempt;
  Layer layer;
  gsize n;

  g_assert_cmpuint (osiiso_queue_submit_token (queue, 1, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_exchange_token (queue, &accepted, &token, &id, &attempt));
  g_assert_false (accepted);

  layer_init (&layer, backend);
  ids = osiiso_queue_submit_tokens (layer.queue, 1, 0, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_nonnull (ids);
  g_assert_cmpuint (n, ==, 0);
  g_assert_null (osiiso_queue_submit_tokens (layer.queue, 1, 0, bad, &n, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  submit (&layer, 1, NULL);
  g_assert_false (osiiso_queue_set_runner (layer.queue, run, &layer, released, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_clear_error (&error);
  test_iterate_until (&layer.n_released);
  layer.n_released = 0;
  g_assert_true (osiiso_queue_shutdown (layer.queue, TRUE, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token (layer.queue, 2, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  layer_clear (&layer);
}

static void
test_many (gconstpointer backend)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Layer layer;

  layer_init (&layer, backend);
  osiiso_queue_set_workers (layer.queue, 4);
  layer.exchange = TRUE;
  g_assert_true (osiiso_queue_start (layer.queue, NULL));
  for (guint i = 0; i < 20; i++)
    {
      g_autofree guint64 *ids = osiiso_queue_submit_tokens (layer.queue, i * 1000, 1000, NULL, NULL, NULL);

      g_assert_nonnull (ids);
    }
  summary = test_run (layer.queue);
  g_assert_cmpint (layer.n_ends, ==, 20000);
  /* Workers may not be back from the call that ended the last ones. */
  while (g_atomic_int_get (&layer.n_accepted) < 20000)
    g_thread_yield ();
  g_assert_cmpint (layer.n_accepted, ==, 20000);
  g_assert_cmpuint (osiiso_queue_get_completed_count (layer.queue), ==, 20000);
  layer_clear (&layer);
}

static guint64
never_run (guint64  token,
           guint64  id,
           guint    attempt,
           gpointer user_data)
{
  g_assert_not_reached ();
}

static void
never_told (const guint64 *tokens,
            const guint   *statuses,
            gsize          n,
            gpointer       user_data)
{
  g_assert_not_reached ();
}

/* What was set is let go once, and what is set too late at once. */
static void
test_disposed (void)
{
  for (int with = 0; with < 2; with++)
    {
      g_autoptr (OsiisoQueue) queue = osiiso_queue_new ("main-loop", NULL);
      int released[4] = { 0 };

      if (with)
        {
          g_assert_true (osiiso_queue_set_runner (queue, never_run, &released[0], test_count, NULL));
          g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_NONE, never_told, &released[1],
                                                            test_count, NULL));
        }
      g_object_run_dispose (G_OBJECT (queue));
      g_assert_cmpint (released[0], ==, with);
      g_assert_cmpint (released[1], ==, with);
      for (int i = 2; i < 4; i++)
        {
          g_autoptr (GError) error = NULL;
          const gboolean set = i == 2 ? osiiso_queue_set_runner (queue, never_run, &released[i], test_count, &error)
                                      : osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_NONE, never_told,
                                                                           &released[i], test_count, &error);

          g_assert_false (set);
          g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
        }
      g_clear_object (&queue);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      for (int i = 0; i < 4; i++)
        g_assert_cmpint (released[i], ==, i < 2 ? with : 1);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/token/one-by-one", test_one_by_one);
  test_add_for_backends ("/token/exchange", test_exchange);
  test_add_for_backends ("/token/exchange-leaves-functions-alone", test_exchange_leaves_functions_alone);
  test_add_for_backends ("/token/retries", test_retries);
  test_add_for_backends ("/token/failure", test_failure);
  test_add_for_backends ("/token/later", test_later);
  test_add_for_backends ("/token/cancelled", test_cancelled);
  g_test_add_func ("/token/redelivery", test_redelivery);
  g_test_add_func ("/token/redelivery-at-once", test_redelivery_at_once);
  g_test_add_func ("/token/redelivery-of-cancelled", test_redelivery_of_cancelled);
  g_test_add_func ("/token/not-acknowledged-in-thread", test_not_acknowledged_in_thread);
  g_test_add_func ("/token/completions-in-any-thread", test_completions_in_any_thread);
  g_test_add_func ("/token/order", test_order);
  g_test_add_func ("/token/order-of-many", test_order_of_many);
  g_test_add_func ("/token/disposed", test_disposed);
  g_test_add_func ("/token/nested", test_nested);
  test_add_for_backends ("/token/completions-without-successes", test_completions_without_successes);
  test_add_for_backends ("/token/completions-in-batches", test_completions_in_batches);
  test_add_for_backends ("/token/with-signals", test_with_signals);
  test_add_for_backends ("/token/errors", test_errors);
  test_add_for_backends ("/token/many", test_many);

  return g_test_run ();
}
