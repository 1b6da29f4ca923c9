/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-holder.h"

/* Calls under numbers, whose ends are told like those of tokens. */

#define CAPABILITIES (OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_ASYNC | \
                      OSIISO_BACKEND_CAPABILITIES_KILL)

/* As documented. */
typedef struct
{
  guint64 token, id;
  gint64  started, finished;
  guint64 length;
  guint32 status, attempts, encoding, reserved;
} Told;

typedef struct
{
  OsiisoQueue *queue;
  GString     *text; /* what was told: a word for each token */
  guint        n_calls;
  GBytes      *last;
} Listener;

static void
listen_cb (const guint64 *tokens,
           const guint   *statuses,
           gsize          n,
           gpointer       user_data)
{
  Listener *self = user_data;
  const guint8 *block;
  gsize size, place = n * sizeof (Told);

  self->n_calls++;
  g_clear_pointer (&self->last, g_bytes_unref);
  self->last = osiiso_queue_dup_told_results (self->queue);
  g_assert_nonnull (self->last);
  block = g_bytes_get_data (self->last, &size);
  for (gsize i = 0; i < n; i++)
    {
      Told told;

      memcpy (&told, block + i * sizeof told, sizeof told);
      g_assert_cmpuint (told.token, ==, tokens[i]);
      g_assert_cmpuint (told.status, ==, statuses[i]);
      g_assert_cmpuint (told.id, !=, 0);
      g_assert_cmpuint (place + told.length, <=, size);
      g_string_append_printf (self->text, "%" G_GUINT64_FORMAT ":%u:%u:%c:%.*s ", told.token, told.status, told.attempts,
                              told.encoding != 0 ? (int) told.encoding : '-', (int) told.length, block + place);
      g_assert_cmpint (told.finished, >=, told.started);
      g_assert_cmpint (told.started > 0, ==, told.attempts > 0);
      place += told.length;
    }
  g_assert_cmpuint (place, ==, size);
}

static OsiisoQueue *
queue_new (Listener *listener)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = test_holder_queue_new (CAPABILITIES);

  *listener = (Listener) { .queue = queue, .text = g_string_new (NULL) };
  osiiso_queue_set_workers (queue, 8);
  osiiso_queue_set_completions_func (queue, 0, listen_cb, listener, NULL, &error);
  g_assert_no_error (error);
  return queue;
}

static void
drop (OsiisoQueue *queue,
      Listener    *listener)
{
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
  g_string_free (listener->text, TRUE);
  g_clear_pointer (&listener->last, g_bytes_unref);
}

static void
assert_told (Listener   *listener,
             const char *expected)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (listener->text->str, ==, expected);
  g_string_truncate (listener->text, 0);
}

static OsiisoCall *
call_new (const char *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));

  return osiiso_call_new_bytes ("function", bytes);
}

static guint64
submit (OsiisoQueue       *queue,
        guint64            token,
        const char        *text,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoCall) call = call_new ("of the call");
  guint64 id = osiiso_queue_submit_token_call (queue, token, call, (const guint8 *) text,
                                               text != NULL ? strlen (text) : 0, options, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (id, !=, 0);
  return id;
}

static void
assert_call (OsiisoAttempt *attempt,
             const char    *text)
{
  OsiisoCall *call = osiiso_attempt_get_call (attempt);
  g_autofree char *name = osiiso_attempt_dup_name (attempt);
  gsize size;
  gconstpointer data;

  /* So that no worker has to be told another one. */
  g_assert_cmpstr (name, ==, "function");

  g_assert_nonnull (call);
  g_assert_cmpstr (osiiso_call_get_function (call), ==, "function");
  data = g_bytes_get_data (osiiso_call_get_bytes (call), &size);
  g_assert_cmpmem (data, size, text, strlen (text));
}

static void
answer (OsiisoAttempt *attempt,
        const char    *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));

  osiiso_attempt_return_bytes (attempt, bytes);
  osiiso_attempt_unref (attempt);
}

static void
test_values (void)
{
  Listener listener;
  OsiisoQueue *queue = queue_new (&listener);
  OsiisoAttempt *attempt;

  submit (queue, 1, "one", NULL);
  submit (queue, 2, NULL, NULL);
  submit (queue, 3, "", NULL);
  submit (queue, 4, "four", NULL);
  submit (queue, 5, "five", NULL);
  attempt = test_holder_take (queue);
  assert_call (attempt, "one");
  answer (attempt, "bytes");
  attempt = test_holder_take (queue);
  assert_call (attempt, "of the call");
  answer (attempt, "");
  attempt = test_holder_take (queue);
  assert_call (attempt, "");
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  attempt = test_holder_take (queue);
  osiiso_attempt_return_string (attempt, "text");
  osiiso_attempt_unref (attempt);
  attempt = test_holder_take (queue);
  osiiso_attempt_return_variant (attempt, g_variant_new_int32 (1));
  osiiso_attempt_unref (attempt);

  /* All at once. */
  assert_told (&listener, "1:3:1:B:bytes 2:3:1:B: 3:3:1:-: 4:3:1:J:text 5:3:1:V: ");
  g_assert_cmpuint (listener.n_calls, ==, 1);
  g_assert_null (osiiso_queue_dup_told_results (queue));
  drop (queue, &listener);
}

static void
test_failures (void)
{
  Listener listener;
  OsiisoQueue *queue = queue_new (&listener);
  g_autoptr (OsiisoTaskOptions) twice = test_options_new ("retries", 1, NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("details", 7);
  g_auto (GValue) details = G_VALUE_INIT;
  OsiisoAttempt *attempt;
  guint64 id;

  g_value_init (&details, G_TYPE_BYTES);
  g_value_set_boxed (&details, bytes);
  submit (queue, 1, "one", twice);
  for (int i = 0; i < 2; i++)
    {
      attempt = test_holder_take (queue);
      /* The same each time. */
      assert_call (attempt, "one");
      osiiso_attempt_return_error_details (attempt, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "no"), &details);
      osiiso_attempt_unref (attempt);
    }
  assert_told (&listener, "1:4:2:B:details ");

  id = submit (queue, 2, "two", NULL);
  {
    g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, id);

    attempt = test_holder_take (queue);
    g_assert_true (osiiso_handle_cancel (handle));
    /* It lives as long as the attempt. */
    assert_call (attempt, "two");
    osiiso_attempt_unref (attempt);
  }
  assert_told (&listener, "2:5:1:-: ");
  drop (queue, &listener);
}

static void
test_many (void)
{
  static const guint64 lengths[] = { 3, 0, 4 };
  Listener listener;
  OsiisoQueue *queue = queue_new (&listener);
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoCall) call = call_new ("unused");
  g_autoptr (GBytes) preamble = g_bytes_new_static ("preamble", 8);
  g_autoptr (GBytes) payloads = g_bytes_new_static ("onefour", 7);
  g_autofree guint64 *ids = NULL;
  g_autofree guint64 *none = NULL;
  gsize n;

  osiiso_call_set_preamble (call, preamble);
  ids = osiiso_queue_submit_token_calls (queue, 7, call, payloads, lengths, 3, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      OsiisoAttempt *attempt = test_holder_take (queue);

      g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==, ids[i]);
      g_assert_true (osiiso_call_get_preamble (osiiso_attempt_get_call (attempt)) == preamble);
      assert_call (attempt, i == 0 ? "one" : i == 1 ? "" : "four");
      answer (attempt, i == 1 ? "second" : "");
    }
  assert_told (&listener, "7:3:1:B: 8:3:1:B:second 9:3:1:B: ");

  none = osiiso_queue_submit_token_calls (queue, 7, call, payloads, NULL, 0, NULL, &n, &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_null (none);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_submit_token_calls (queue, 7, call, payloads, lengths, 2, NULL, &n, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_cmpuint (n, ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  drop (queue, &listener);
}

static void
test_room (void)
{
  static const guint64 lengths[] = { 1, 1, 1 };
  Listener listener;
  OsiisoQueue *queue = queue_new (&listener);
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoCall) call = call_new ("x");
  g_autoptr (GBytes) payloads = g_bytes_new_static ("abc", 3);

  osiiso_queue_set_size (queue, 2);
  submit (queue, 1, "one", NULL);
  submit (queue, 2, "two", NULL);
  g_assert_cmpuint (osiiso_queue_try_submit_token_call (queue, 3, call, NULL, 0, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_submit_token_calls (queue, 3, call, payloads, lengths, 3, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);

  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_submit_token_call (queue, 3, call, NULL, 0, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  assert_told (&listener, "1:5:0:-: 2:5:0:-: ");
  drop (queue, &listener);
}

/* What is told in any thread has its result there, too. */
static void
test_any_thread (void)
{
  Listener listener;
  OsiisoQueue *queue = queue_new (&listener);
  g_autoptr (GError) error = NULL;

  osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ANY_THREAD, listen_cb, &listener, NULL, &error);
  g_assert_no_error (error);
  submit (queue, 1, "one", NULL);
  submit (queue, 2, "two", NULL);
  answer (test_holder_take (queue), "a");
  answer (test_holder_take (queue), "b");
  g_assert_cmpstr (listener.text->str, ==, "1:3:1:B:a 2:3:1:B:b ");
  g_assert_cmpuint (listener.n_calls, ==, 2);
  drop (queue, &listener);
}

static void
test_refusals (void)
{
  OsiisoQueue *queue = test_holder_queue_new (CAPABILITIES);
  OsiisoQueue *threads = test_queue_new ("thread-pool");
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoCall) call = call_new ("x");

  g_assert_cmpuint (osiiso_queue_submit_token_call (queue, 1, call, NULL, 0, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_submit_token_call (threads, 1, call, NULL, 0, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "'subprocess'"));
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
  test_queue_free (threads);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-call/values", test_values);
  g_test_add_func ("/token-call/failures", test_failures);
  g_test_add_func ("/token-call/many", test_many);
  g_test_add_func ("/token-call/room", test_room);
  g_test_add_func ("/token-call/any-thread", test_any_thread);
  g_test_add_func ("/token-call/refusals", test_refusals);

  return g_test_run ();
}
