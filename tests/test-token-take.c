/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-holder.h"

/* Tokens that are taken many at a time, and what else packages for languages need. */

static guint64
refuse (guint64  token,
        guint64  id,
        guint    attempt,
        gpointer unused)
{
  g_assert_not_reached ();
}

static OsiisoQueue *
queue_new (void)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_ASYNC);

  osiiso_queue_set_workers (queue, 4);
  osiiso_queue_set_runner (queue, refuse, NULL, NULL, &error);
  g_assert_no_error (error);
  return queue;
}

static guint64
submit (OsiisoQueue       *queue,
        guint64            token,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  guint64 id = osiiso_queue_try_submit_token (queue, token, options, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (id, !=, 0);
  return id;
}

static guint64 *
take (OsiisoQueue *queue,
      guint        max,
      gsize        n_expected)
{
  gsize n;
  guint64 *numbers = osiiso_backend_take_tokens (osiiso_queue_get_backend (queue), max, &n);

  g_assert_cmpuint (n, ==, 3 * n_expected);
  return numbers;
}

static void
drop (OsiisoQueue *queue)
{
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_batch (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 0, NULL);
  g_autofree guint64 *first = NULL;
  g_autofree guint64 *second = NULL;
  guint64 ids[6];
  guint64 done[6];

  for (guint i = 0; i < 6; i++)
    ids[i] = submit (queue, 10 + i, i == 5 ? urgent : NULL);

  first = take (queue, 3, 3);
  g_assert_cmpuint (first[0], ==, 15);
  g_assert_cmpuint (first[1], ==, ids[5]);
  g_assert_cmpuint (first[2], ==, 1);
  g_assert_cmpuint (first[3], ==, 10);
  g_assert_cmpuint (first[6], ==, 11);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 3);

  /* No more than there are workers. */
  second = take (queue, 10, 1);
  g_assert_cmpuint (second[0], ==, 12);

  for (guint i = 0; i < 3; i++)
    {
      done[2 * i] = first[3 * i + 1];
      done[2 * i + 1] = first[3 * i + 2];
    }
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, done, 6), ==, 3);
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, NULL, 0), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
  drop (queue);
}

static void
test_exchange (void)
{
  OsiisoQueue *queue = queue_new ();
  guint64 slots[4 + 6] = { (gsize) queue };
  guint64 id;

  for (guint i = 0; i < 3; i++)
    submit (queue, 10 + i, NULL);
  g_assert_cmpuint (osiiso_queue_exchange_tokens (slots, 2), ==, 2);
  g_assert_cmpuint (slots[4], ==, 10);
  g_assert_cmpuint (slots[6], ==, 1);
  g_assert_cmpuint (slots[7], ==, 11);

  id = slots[5];
  slots[1] = id;
  slots[2] = 1;
  g_assert_cmpuint (osiiso_queue_exchange_tokens (slots, 2), ==, 1);
  g_assert_cmpuint (slots[3], ==, 1);
  g_assert_cmpuint (slots[4], ==, 12);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);

  /* Nothing is taken when the report does not count, or when there is no room. */
  submit (queue, 13, NULL);
  slots[1] = id;
  g_assert_cmpuint (osiiso_queue_exchange_tokens (slots, 2), ==, 0);
  g_assert_cmpuint (slots[3], ==, 0);
  slots[1] = 0;
  g_assert_cmpuint (osiiso_queue_exchange_tokens (slots, 0), ==, 0);
  g_assert_cmpuint (osiiso_queue_exchange_tokens (slots, 1), ==, 1);
  g_assert_cmpuint (slots[4], ==, 13);
  drop (queue);
}

/* One thread, from the runner. */

static guint64
exchange_slots (guint64  token,
                guint64  id,
                guint    attempt,
                gpointer user_data)
{
  OsiisoQueue **queue = user_data;
  guint64 slots[5] = { (gsize) *queue };

  for (guint64 next = 1; osiiso_queue_exchange_token_slots (slots); next++)
    {
      g_assert_cmpuint (slots[1], ==, 1);
      g_assert_cmpuint (slots[2], ==, next);
      g_assert_cmpuint (slots[3], !=, id);
      g_assert_cmpuint (slots[4], ==, 1);
    }
  g_assert_cmpuint (slots[1], ==, 1);
  return id;
}

static void
test_exchange_slots (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GError) error = NULL;

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_runner (queue, exchange_slots, &queue, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 5; i++)
    submit (queue, i, NULL);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 5);
  test_queue_free (queue);
}

/* What was cancelled meanwhile does not count, and those behind it still do. */
static void
test_over_already (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autofree guint64 *taken = NULL;
  guint64 done[6];

  for (guint i = 0; i < 3; i++)
    submit (queue, i, NULL);
  taken = take (queue, 3, 3);
  for (guint i = 0; i < 3; i++)
    {
      done[2 * i] = taken[3 * i + 1];
      done[2 * i + 1] = taken[3 * i + 2];
    }
  handle = osiiso_queue_lookup (queue, taken[4]);
  g_assert_true (osiiso_handle_cancel (handle));

  g_assert_cmpuint (osiiso_queue_tokens_done (queue, done, 6), ==, 1);
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, done + 4, 2), ==, 1);
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, done, 6), ==, 0);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);
  drop (queue);
}

static void
test_retry (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autofree guint64 *first = NULL;
  g_autofree guint64 *second = NULL;
  g_autofree guint64 *third = NULL;

  submit (queue, 7, options);
  first = take (queue, 4, 1);
  g_assert_true (osiiso_queue_token_failed (queue, first[1], 1, G_IO_ERROR, G_IO_ERROR_BUSY, "once", -1));
  second = take (queue, 4, 1);
  g_assert_cmpuint (second[0], ==, 7);
  g_assert_cmpuint (second[1], ==, first[1]);
  g_assert_cmpuint (second[2], ==, 2);
  /* The first attempt is over. */
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, first + 1, 2), ==, 0);
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, second + 1, 2), ==, 1);
  third = take (queue, 4, 0);
  drop (queue);
}

/* A task that is a function is run in between. */
static void
test_function_between (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autofree guint64 *taken = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  int value = 5;

  submit (queue, 1, NULL);
  handle = test_submit (queue, test_task_int, &value, NULL);
  submit (queue, 2, NULL);
  taken = take (queue, 4, 2);
  g_assert_cmpuint (taken[0], ==, 1);
  g_assert_cmpuint (taken[3], ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  drop (queue);
}

static void
test_try_full (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (GError) error = NULL;
  g_autofree guint64 *taken = NULL;

  osiiso_queue_set_size (queue, 1);
  submit (queue, 1, NULL);
  g_assert_cmpuint (osiiso_queue_try_submit_token (queue, 2, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  taken = take (queue, 1, 1);
  g_assert_cmpuint (osiiso_queue_tokens_done (queue, taken + 1, 2), ==, 1);
  submit (queue, 2, NULL);
  drop (queue);
}

/* The end of threads. */

typedef struct
{
  OsiisoQueue *queue;
  TestGate     gate;
  int          n_ended;
  int          n_released;
} Threads;

static guint64
pass_gate (guint64  token,
           guint64  id,
           guint    attempt,
           gpointer user_data)
{
  Threads *self = user_data;

  test_gate_pass (&self->gate);
  g_assert_true (osiiso_queue_token_done (self->queue, id, attempt));
  return id;
}

static void
thread_ended (gpointer user_data)
{
  g_atomic_int_inc (&((Threads *) user_data)->n_ended);
}

static void
released (gpointer user_data)
{
  g_atomic_int_inc (&((Threads *) user_data)->n_released);
}

static void
test_thread_end (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Threads threads = { .queue = queue };
  g_autoptr (GError) error = NULL;

  test_gate_init (&threads.gate);
  osiiso_queue_set_workers (queue, 3);
  osiiso_queue_set_runner (queue, pass_gate, &threads, NULL, &error);
  g_assert_no_error (error);
  osiiso_queue_set_thread_end_func (queue, thread_ended, &threads, released, &error);
  g_assert_no_error (error);

  for (guint i = 0; i < 3; i++)
    submit (queue, i, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&threads.gate, 3);

  /* Not while there is work. */
  g_assert_false (osiiso_queue_set_thread_end_func (queue, thread_ended, &threads, released, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  test_iterate_until (&threads.n_released);

  g_assert_cmpint (g_atomic_int_get (&threads.n_ended), ==, 0);
  test_gate_open (&threads.gate);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
  while (g_atomic_int_get (&threads.n_released) < 2)
    g_main_context_iteration (NULL, TRUE);
  /* Each of them, and only once. */
  g_assert_cmpint (g_atomic_int_get (&threads.n_ended), ==, 3);
  test_gate_clear (&threads.gate);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-take/batch", test_batch);
  g_test_add_func ("/token-take/exchange", test_exchange);
  g_test_add_func ("/token-take/exchange-slots", test_exchange_slots);
  g_test_add_func ("/token-take/over-already", test_over_already);
  g_test_add_func ("/token-take/retry", test_retry);
  g_test_add_func ("/token-take/function-between", test_function_between);
  g_test_add_func ("/token-take/try-full", test_try_full);
  g_test_add_func ("/token-take/thread-end", test_thread_end);
  return g_test_run ();
}
