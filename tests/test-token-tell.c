/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* What a language layer is told, when it may refuse to hear it. */

/* So many refused calls take longer than any run here: there is one per iteration. */
#define MANY 30

typedef struct
{
  OsiisoQueue *queue;
  TestLog      told;
  guint        n_refused; /* calls that are not acknowledged yet */
  int          n_calls;
  int          n_told;
  int          n_released;
  guint64      submit_at; /* submits this token and drains when that one is told */
} Layer;

static guint64
run (guint64  token,
     guint64  id,
     guint    attempt,
     gpointer user_data)
{
  Layer *self = user_data;

  g_assert_true (osiiso_queue_token_done (self->queue, id, attempt));
  return id;
}

static void
completed (const guint64 *tokens,
           const guint   *statuses,
           gsize          n,
           gpointer       user_data)
{
  Layer *self = user_data;

  self->n_calls++;
  if (self->n_refused > 0)
    {
      self->n_refused--;
      return;
    }
  g_assert_true (osiiso_queue_acknowledge_told (self->queue));
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (OsiisoHandle) handle = NULL;

      test_log_add (&self->told, "%u:%u", (guint) tokens[i], statuses[i]);
      if (tokens[i] < 100)
        {
          g_autoptr (GBytes) results = osiiso_queue_dup_told_results (self->queue);

          /* Its record is still there. */
          g_assert_cmpuint (g_bytes_get_size (results), ==, n * 56);
        }
      g_atomic_int_inc (&self->n_told);
      if (self->submit_at == tokens[i])
        {
          self->submit_at = 0;
          g_assert_cmpuint (osiiso_queue_submit_token (self->queue, 50, NULL, NULL), !=, 0);
          osiiso_queue_cancel (self->queue);
          while (g_main_context_iteration (NULL, FALSE))
            ;
        }
    }
}

static void
released (gpointer user_data)
{
  g_atomic_int_inc (&((Layer *) user_data)->n_released);
}

static void
layer_init (Layer *self,
            guint  n_refused)
{
  g_autoptr (GError) error = NULL;

  *self = (Layer) { .queue = test_queue_new ("main-loop"), .n_refused = n_refused };
  test_log_init (&self->told);
  osiiso_queue_set_workers (self->queue, 1);
  osiiso_queue_set_runner (self->queue, run, self, released, &error);
  g_assert_no_error (error);
  osiiso_queue_set_completions_func (self->queue, OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED, completed, self, released,
                                     &error);
  g_assert_no_error (error);
}

static void
layer_clear (Layer *self)
{
  test_queue_free (self->queue);
  while (g_atomic_int_get (&self->n_released) < 2)
    g_main_context_iteration (NULL, TRUE);
  test_log_clear (&self->told);
}

static void
assert_told (Layer      *self,
             int         n,
             const char *expected)
{
  g_autofree char *text = NULL;

  while (g_atomic_int_get (&self->n_told) < n)
    g_main_context_iteration (NULL, TRUE);
  text = test_log_steal (&self->told);
  g_assert_cmpstr (text, ==, expected);
  self->n_told = 0;
}

static void
submit (Layer  *self,
        guint64 token)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_submit_token (self->queue, token, NULL, &error);
  g_assert_no_error (error);
}

static void
test_repeated (void)
{
  Layer layer;

  layer_init (&layer, 4);
  submit (&layer, 1);
  submit (&layer, 2);
  test_run_all (layer.queue);
  assert_told (&layer, 2, "1:3 2:3");
  g_assert_cmpuint (layer.n_refused, ==, 0);
  layer_clear (&layer);
}

/* What comes while something is still to be told again comes behind it. */
static void
test_in_order (void)
{
  Layer layer;

  layer_init (&layer, MANY);
  submit (&layer, 1);
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_told, ==, 0);
  submit (&layer, 2);
  submit (&layer, 3);
  test_run_all (layer.queue);
  assert_told (&layer, 3, "1:3 2:3 3:3");
  layer_clear (&layer);
}

static void
test_at_once (void)
{
  Layer layer;

  layer_init (&layer, 0);
  submit (&layer, 1);
  test_run_all (layer.queue);
  assert_told (&layer, 1, "1:3");
  g_assert_cmpint (layer.n_calls, ==, 1);
  g_assert_false (osiiso_queue_acknowledge_told (layer.queue));
  layer_clear (&layer);
}

/* A function that iterates the context while it hears again does not hear the same
 * twice. */
static void
test_nested (void)
{
  Layer layer;

  layer_init (&layer, 2);
  layer.submit_at = 1;
  submit (&layer, 1);
  submit (&layer, 2);
  test_run_all (layer.queue);
  assert_told (&layer, 3, "1:3 2:3 50:5");
  layer_clear (&layer);
}

/* What is to be told keeps the queue. */
static void
test_dropped (void)
{
  Layer layer;
  gpointer queue;

  layer_init (&layer, MANY);
  submit (&layer, 1);
  test_run_all (layer.queue);
  g_assert_cmpint (layer.n_told, ==, 0);
  queue = layer.queue;
  g_object_add_weak_pointer (G_OBJECT (layer.queue), &queue);
  g_object_unref (layer.queue);
  g_assert_nonnull (queue);
  assert_told (&layer, 1, "1:3");
  while (queue != NULL || layer.n_released < 2)
    g_main_context_iteration (NULL, TRUE);
  test_log_clear (&layer.told);
}

static void
test_flags (void)
{
  g_autoptr (OsiisoQueue) queue = test_queue_new ("main-loop");
  g_autoptr (GError) error = NULL;
  Layer layer = { .n_told = 0 };

  g_assert_false (osiiso_queue_set_completions_func (queue,
                                                     OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED | OSIISO_COMPLETION_FLAGS_ANY_THREAD,
                                                     completed, &layer, released, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  while (layer.n_released < 1)
    g_main_context_iteration (NULL, TRUE);
}

static void
tell_run (Layer        *self,
          guint64       token,
          GCancellable *cancellable)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_tell_run (self->queue, token, 0, OSIISO_FAIL_POLICY_CONTINUE, cancellable, &error);
  g_assert_no_error (error);
}

/* The end of a run is told behind those of its tasks, however often that takes. */
static void
test_told_run (gconstpointer n_refused)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) again = NULL;
  g_autoptr (GError) error = NULL;
  Layer layer;

  layer_init (&layer, GPOINTER_TO_UINT (n_refused));
  submit (&layer, 1);
  submit (&layer, 2);
  tell_run (&layer, 100, NULL);
  assert_told (&layer, 3, "1:3 2:3 100:3");
  summary = osiiso_queue_finish_told (layer.queue, 100, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);

  again = osiiso_queue_finish_told (layer.queue, 100, &error);
  g_assert_null (again);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  layer_clear (&layer);
}

static void
assert_fails (Layer  *self,
              guint64 token,
              GQuark  domain,
              int     code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (osiiso_queue_finish_told (self->queue, token, &error));
  g_assert_error (error, domain, code);
}

static void
test_run_errors (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Layer layer;

  layer_init (&layer, 0);
  osiiso_queue_pause (layer.queue);
  submit (&layer, 1);
  tell_run (&layer, 100, cancellable);
  tell_run (&layer, 101, NULL);
  assert_told (&layer, 1, "101:4");
  assert_fails (&layer, 101, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_cancellable_cancel (cancellable);
  assert_told (&layer, 1, "100:4");
  assert_fails (&layer, 100, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  osiiso_queue_resume (layer.queue);
  test_run_all (layer.queue);
  assert_told (&layer, 1, "1:3");
  layer_clear (&layer);
}

static void
test_join_and_shutdown (void)
{
  g_autoptr (GError) error = NULL;
  Layer layer;

  layer_init (&layer, 1);
  submit (&layer, 1);
  g_assert_true (osiiso_queue_tell_join (layer.queue, 100, NULL, &error));
  assert_told (&layer, 2, "1:3 100:3");
  g_assert_null (osiiso_queue_finish_told (layer.queue, 100, &error));
  g_assert_no_error (error);

  submit (&layer, 2);
  g_assert_true (osiiso_queue_tell_shutdown (layer.queue, 101, FALSE, NULL, &error));
  assert_told (&layer, 2, "2:3 101:3");
  g_assert_null (osiiso_queue_finish_told (layer.queue, 101, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_get_closed (layer.queue));
  layer_clear (&layer);
}

static gpointer
tell_elsewhere (gpointer queue)
{
  GError *error = NULL;

  g_assert_false (osiiso_queue_tell_join (queue, 1, NULL, &error));
  return error;
}

static void
test_refused (void)
{
  g_autoptr (OsiisoQueue) queue = test_queue_new ("main-loop");
  g_autoptr (GError) error = NULL;
  Layer layer;

  g_assert_false (osiiso_queue_tell_shutdown (queue, 1, TRUE, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);

  layer_init (&layer, 0);
  g_main_context_acquire (NULL);
  error = g_thread_join (g_thread_new ("elsewhere", tell_elsewhere, layer.queue));
  g_main_context_release (NULL);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  layer_clear (&layer);
}

static void
test_cancel (void)
{
  g_autoptr (GError) error = NULL;
  guint64 id;
  Layer layer;

  layer_init (&layer, 0);
  id = osiiso_queue_submit_token (layer.queue, 1, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_token_cancel (layer.queue, id));
  g_assert_false (osiiso_queue_token_cancel (layer.queue, id));
  assert_told (&layer, 1, "1:5");
  g_assert_false (osiiso_queue_token_cancel (layer.queue, id));
  g_assert_false (osiiso_queue_token_cancel (layer.queue, 0));
  layer_clear (&layer);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-tell/at-once", test_at_once);
  g_test_add_func ("/token-tell/repeated", test_repeated);
  g_test_add_func ("/token-tell/in-order", test_in_order);
  g_test_add_func ("/token-tell/nested", test_nested);
  g_test_add_func ("/token-tell/dropped", test_dropped);
  g_test_add_func ("/token-tell/flags", test_flags);
  g_test_add_data_func ("/token-tell/run/heard", GUINT_TO_POINTER (0), test_told_run);
  g_test_add_data_func ("/token-tell/run/refused-once", GUINT_TO_POINTER (1), test_told_run);
  g_test_add_data_func ("/token-tell/run/refused-often", GUINT_TO_POINTER (5), test_told_run);
  g_test_add_func ("/token-tell/run/errors", test_run_errors);
  g_test_add_func ("/token-tell/join-and-shutdown", test_join_and_shutdown);
  g_test_add_func ("/token-tell/refused", test_refused);
  g_test_add_func ("/token-tell/cancel", test_cancel);

  return g_test_run ();
}
