/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-holder.h"

/* Tokens that nobody takes or hears of, that are over, or are asked for in the wrong
 * place. */

static guint64
refuse (guint64  token,
        guint64  id,
        guint    attempt,
        gpointer unused)
{
  g_assert_not_reached ();
}

static void
hear_nothing (const guint64 *tokens,
              const guint   *statuses,
              gsize          n,
              gpointer       unused)
{
}

#define assert_invalid(call, part)                                                \
  G_STMT_START                                                                    \
    {                                                                             \
      g_autoptr (GError) error = NULL;                                            \
      g_assert_true ((call) == 0);                                                \
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);     \
      g_assert_nonnull (strstr (error->message, part));                           \
    }                                                                             \
  G_STMT_END

static void
test_no_layer (void)
{
  OsiisoQueue *functions = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  OsiisoQueue *calls = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr (OsiisoCall) call = osiiso_call_new_bytes ("module:function", nothing);
  g_autoptr (GError) not_found = NULL;

  g_test_summary ("A queue without a runner takes no tokens, and one that tells nobody does not promise to");

  for (guint i = 0; i < 2; i++)
    {
      assert_invalid (osiiso_queue_submit_token (functions, 1, NULL, &error), "no runner");
      assert_invalid (osiiso_queue_submit_token_call (calls, 1, call, NULL, 0, NULL, &error), "nobody hears");
      assert_invalid (osiiso_queue_tell_run (functions, 1, 0, OSIISO_FAIL_POLICY_CONTINUE, NULL, &error), "nobody hears");
      assert_invalid (osiiso_queue_tell_join (functions, 1, NULL, &error), "nobody hears");
      assert_invalid (osiiso_queue_tell_shutdown (functions, 1, FALSE, NULL, &error), "nobody hears");
      g_assert_null (osiiso_queue_finish_told (functions, 1, &not_found));
      g_assert_error (not_found, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
      g_clear_error (&not_found);
      if (i > 0)
        break;
      /* With one part of it only. */
      g_assert_true (osiiso_queue_set_thread_end_func (functions, test_count, NULL, NULL, NULL));
      g_assert_true (osiiso_queue_set_thread_end_func (calls, test_count, NULL, NULL, NULL));
    }
  g_assert_false (osiiso_queue_acknowledge_told (functions));
  g_assert_true (osiiso_queue_shutdown (functions, TRUE, NULL, NULL));
  g_assert_true (osiiso_queue_shutdown (calls, TRUE, NULL, NULL));
  test_queue_free (functions);
  test_queue_free (calls);
}

static void
tokens_cb (GObject      *queue,
           GAsyncResult *result,
           gpointer      n_returned)
{
  g_autofree guint64 *ids = osiiso_queue_submit_tokens_finish (OSIISO_QUEUE (queue), result, NULL, NULL);

  g_assert_nonnull (ids);
  g_assert_cmpuint (ids[1], !=, 0);
  test_count (n_returned);
}

static void
test_tokens (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_ASYNC);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 50.0, NULL);
  g_autofree guint64 *ids = NULL;
  g_autofree guint64 *numbers = NULL;
  g_autofree guint64 *again = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  const GQuark domain = g_quark_from_static_string ("test-domain");
  int n_returned = 0;
  gsize n;

  g_test_summary ("Nobody has to ask how many ids there are; who fails says when to try again, and what is over hears nothing");

  g_assert_true (osiiso_queue_set_runner (queue, refuse, NULL, NULL, NULL));
  osiiso_queue_set_workers (queue, 4);
  ids = osiiso_queue_submit_tokens (queue, 7, 2, options, NULL, NULL);
  g_assert_nonnull (ids);
  osiiso_queue_submit_tokens_async (queue, 9, 2, NULL, NULL, tokens_cb, &n_returned);
  test_iterate_until (&n_returned);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 4);

  numbers = osiiso_backend_take_tokens (osiiso_queue_get_backend (queue), 2, &n);
  g_assert_cmpuint (n, ==, 6);
  handle = osiiso_queue_lookup (queue, ids[0]);
  g_assert_true (osiiso_queue_token_progress (queue, ids[0], 1, 0.5, "half"));
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0.5);
  g_assert_false (osiiso_queue_token_progress (queue, ids[0], 2, 0.75, NULL));
  g_assert_true (osiiso_queue_token_failed (queue, ids[0], 1, domain, 3, "later", 0));
  g_assert_false (osiiso_queue_token_failed (queue, ids[0], 1, domain, 3, "twice", 0));
  g_assert_false (osiiso_queue_token_progress (queue, ids[0], 1, 0.75, NULL));
  g_assert_false (osiiso_queue_token_progress (queue, ids[1] + 12345, 1, 0.75, NULL));
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0.5);
  /* At once, and not after the wait of the options. */
  while (again == NULL || again[1] != ids[0])
    {
      g_free (again);
      again = osiiso_backend_take_tokens (osiiso_queue_get_backend (queue), 1, &n);
    }
  g_assert_cmpuint (again[2], ==, 2);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
calls_cb (GObject      *queue,
          GAsyncResult *result,
          gpointer      n_returned)
{
  g_autofree guint64 *ids = osiiso_queue_submit_token_calls_finish (OSIISO_QUEUE (queue), result, NULL, NULL);

  g_assert_nonnull (ids);
  test_count (n_returned);
}

static void
test_token_calls (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_ASYNC);
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr (OsiisoCall) call = osiiso_call_new_bytes ("module:function", nothing);
  g_autoptr (GBytes) payloads = g_bytes_new_static ("abcdef", 6);
  g_autofree guint64 *ids = NULL;
  const guint64 right[] = { 2, 4 };
  const guint64 less[] = { 2, 3 };
  const guint64 more[] = { 5, 2 };
  int n_returned = 0;

  g_test_summary ("The lengths of payloads are what these have, no more and no less");

  g_assert_true (osiiso_queue_set_completions_func (queue, 0, hear_nothing, NULL, NULL, NULL));
  assert_invalid (osiiso_queue_submit_token_calls (queue, 1, call, payloads, more, 2, NULL, NULL, &error), "6 bytes");
  assert_invalid (osiiso_queue_submit_token_calls (queue, 1, call, payloads, less, 2, NULL, NULL, &error), "6 bytes");
  assert_invalid (osiiso_queue_submit_token_calls (queue, 1, call, payloads, right, 1, NULL, NULL, &error), "6 bytes");
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  ids = osiiso_queue_submit_token_calls (queue, 1, call, payloads, right, 2, NULL, NULL, NULL);
  g_assert_nonnull (ids);
  osiiso_queue_submit_token_calls_async (queue, 3, call, payloads, right, 2, NULL, NULL, calls_cb, &n_returned);
  test_iterate_until (&n_returned);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 4);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

/* Exchanges where there is no token to exchange. */

static guint n_exchanged;

static void
exchange_here (OsiisoQueue *queue)
{
  gboolean accepted = TRUE;
  guint64 token, id;
  guint number;

  g_assert_false (osiiso_queue_exchange_token (queue, &accepted, &token, &id, &number));
  g_assert_false (accepted);
  n_exchanged++;
}

static void
exchange_in_function (OsiisoAttempt *attempt,
                      gpointer       queue)
{
  exchange_here (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  OsiisoQueue *other;
} Pair;

static guint64
exchange_elsewhere (guint64  token,
                    guint64  id,
                    guint    attempt,
                    gpointer data)
{
  Pair *pair = data;

  exchange_here (pair->other);
  /* Another attempt, another task, another queue. */
  g_assert_false (osiiso_queue_token_done (pair->queue, id, attempt + 1));
  g_assert_false (osiiso_queue_token_done (pair->queue, id + 1, attempt));
  g_assert_false (osiiso_queue_token_done (pair->other, id, attempt));
  g_assert_true (osiiso_queue_token_done (pair->queue, id, attempt));
  return id;
}

static void
test_exchange (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoQueue *other = test_queue_new ("main-loop");
  Pair pair = { queue, other };

  g_test_summary ("Only in a token of the queue is there one to exchange");

  g_assert_true (osiiso_queue_set_runner (queue, exchange_elsewhere, &pair, NULL, NULL));
  exchange_here (queue);
  test_submit_and_drop (queue, exchange_in_function, queue, NULL);
  test_submit_and_drop (queue, exchange_in_function, other, NULL);
  g_assert_cmpuint (osiiso_queue_submit_token (queue, 1, NULL, NULL), !=, 0);
  n_exchanged = 0;
  test_run_all (queue);
  g_assert_cmpuint (n_exchanged, ==, 3);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);
  test_queue_free (other);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  OsiisoQueue *other;
  guint        n_heard;
} Hearing;

static void
hear_of_one (const guint64 *tokens,
             const guint   *statuses,
             gsize          n,
             gpointer       data)
{
  Hearing *self = data;
  g_autoptr (GBytes) results = osiiso_queue_dup_told_results (self->queue);

  g_assert_nonnull (results);
  g_assert_null (osiiso_queue_dup_told_results (self->other));
  g_assert_false (osiiso_queue_acknowledge_told (self->other));
  g_assert_true (osiiso_queue_acknowledge_told (self->queue));
  self->n_heard += (guint) n;
}

static guint64
return_at_once (guint64  token,
                guint64  id,
                guint    attempt,
                gpointer queue)
{
  g_assert_true (osiiso_queue_token_done (queue, id, attempt));
  return id;
}

static void
test_told (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  Hearing hearing = { queue, test_queue_new ("main-loop"), 0 };

  g_test_summary ("Who is told of the tokens of one queue is not told of those of another one");

  g_assert_true (osiiso_queue_set_runner (queue, return_at_once, queue, NULL, NULL));
  g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED, hear_of_one, &hearing,
                                                    NULL, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token (queue, 1, NULL, NULL), !=, 0);
  test_run_all (queue);
  while (hearing.n_heard == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (hearing.n_heard, ==, 1);
  test_queue_free (hearing.other);
  test_queue_free (queue);
}

static void
hear_never (const guint64 *tokens,
            const guint   *statuses,
            gsize          n,
            gpointer       unused)
{
  g_assert_not_reached ();
}

static void
dispose_and_forget (const guint64 *tokens,
                    const guint   *statuses,
                    gsize          n,
                    gpointer       data)
{
  Hearing *self = data;

  self->n_heard += (guint) n;
  /* And does not acknowledge it. */
  g_object_run_dispose (G_OBJECT (self->queue));
}

static void
test_told_nobody (void)
{
  static const OsiisoCompletionsFunc funcs[] = { hear_never, dispose_and_forget };

  g_test_summary ("Nobody is told of tokens any more when the queue is gone, neither for the first time nor again");

  for (guint i = 0; i < G_N_ELEMENTS (funcs); i++)
    {
      OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_ASYNC);
      g_autofree guint64 *numbers = NULL;
      Hearing hearing = { queue, NULL, 0 };
      int n_released = 0;
      gsize n;

      g_assert_true (osiiso_queue_set_runner (queue, refuse, NULL, NULL, NULL));
      g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED, funcs[i], &hearing, NULL,
                                                        NULL));
      g_assert_cmpuint (osiiso_queue_submit_token (queue, 7, NULL, NULL), !=, 0);
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_released, test_count, NULL, NULL), !=, 0);
      numbers = osiiso_backend_take_tokens (osiiso_queue_get_backend (queue), 1, &n);
      g_assert_cmpuint (n, ==, 3);
      g_assert_cmpuint (osiiso_queue_tokens_done (queue, numbers + 1, 2), ==, 1);
      if (i == 0)
        g_object_run_dispose (G_OBJECT (queue));
      while (n_released == 0 || hearing.n_heard < i)
        g_main_context_iteration (NULL, TRUE);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_cmpuint (hearing.n_heard, ==, i);
      test_queue_free (queue);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-edges/no-layer", test_no_layer);
  g_test_add_func ("/token-edges/tokens", test_tokens);
  g_test_add_func ("/token-edges/token-calls", test_token_calls);
  g_test_add_func ("/token-edges/exchange", test_exchange);
  g_test_add_func ("/token-edges/told", test_told);
  g_test_add_func ("/token-edges/told-nobody", test_told_nobody);

  return g_test_run ();
}
