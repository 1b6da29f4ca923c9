/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-size.h"

/* The other calls that wait for room without blocking: pushes, maps, groups, tokens. */

typedef enum
{
  PAIR_PUSH,
  PAIR_MAP,
  PAIR_GROUP,
  PAIR_TOKEN,
  PAIR_TOKENS,
  N_PAIRS,
} Pair;

typedef struct
{
  Pair          pair;
  guint         n;
  GObject      *source;
  TestData      data;
  gboolean      returned;
  guint64       id;
  OsiisoGroup  *map;
  OsiisoHandle *handle;
  GError       *error;
} Wait;

/* A token is where the data of its wait are, and the number of the token there. */
#define MAX_TOKENS 8u

G_STATIC_ASSERT (sizeof (gpointer) >= MAX_TOKENS);

static guint64
run_token_cb (guint64  token,
              guint64  task_id,
              guint    attempt,
              gpointer user_data)
{
  TestData *data = GSIZE_TO_POINTER ((gsize) token / MAX_TOKENS * MAX_TOKENS);
  OsiisoQueue *queue = g_weak_ref_get (user_data);

  if (data->log != NULL)
    test_log_add (data->log, "%s", data->name);
  if (queue != NULL)
    {
      g_assert_true (osiiso_queue_token_done (queue, task_id, attempt));
      g_object_unref (queue);
    }
  return task_id;
}

static void
weak_ref_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static void
run_tokens (OsiisoQueue *queue)
{
  GWeakRef *ref = g_new (GWeakRef, 1);
  g_autoptr (GError) error = NULL;

  g_weak_ref_init (ref, queue);
  osiiso_queue_set_runner (queue, run_token_cb, ref, weak_ref_free, &error);
  g_assert_no_error (error);
}

static OsiisoQueue *
bounded_queue (const char *backend,
               guint       size)
{
  OsiisoQueue *queue = test_bounded_queue (backend, size);

  run_tokens (queue);
  return queue;
}

static gboolean
tokens_finish (Wait         *self,
               GAsyncResult *result)
{
  gsize n_ids = 1;
  g_autofree guint64 *ids = osiiso_queue_submit_tokens_finish (OSIISO_QUEUE (self->source), result, &n_ids,
                                                               &self->error);

  g_assert_cmpuint (n_ids, ==, ids != NULL ? self->n : 0);
  for (gsize i = 0; i < n_ids; i++)
    g_assert_cmpuint (ids[i], !=, 0);
  return ids != NULL;
}

static void
returned_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  Wait *self = user_data;
  gboolean ok;

  g_assert_false (self->returned);
  g_assert_true (object == self->source);
  if (self->pair == PAIR_PUSH)
    ok = (self->id = osiiso_queue_push_finish (OSIISO_QUEUE (object), result, &self->error)) != 0;
  else if (self->pair == PAIR_MAP)
    ok = (self->map = osiiso_queue_map_finish (OSIISO_QUEUE (object), result, &self->error)) != NULL;
  else if (self->pair == PAIR_GROUP)
    ok = (self->handle = osiiso_group_submit_finish (OSIISO_GROUP (object), result, &self->error)) != NULL;
  else if (self->pair == PAIR_TOKEN)
    ok = (self->id = osiiso_queue_submit_token_finish (OSIISO_QUEUE (object), result, &self->error)) != 0;
  else
    ok = tokens_finish (self, result);
  g_assert_true (ok == (self->error == NULL));
  self->returned = TRUE;
}

/* @n is of a map, and of many tokens. */
static void
wait_start (Wait         *self,
            Pair          pair,
            OsiisoQueue  *queue,
            OsiisoGroup  *group,
            guint         n,
            GCancellable *cancellable)
{
  const guint64 token = GPOINTER_TO_SIZE (&self->data);

  g_assert_cmpuint (n, <=, MAX_TOKENS);
  self->pair = pair;
  self->n = n;
  self->source = pair == PAIR_GROUP ? G_OBJECT (group) : G_OBJECT (queue);
  if (pair == PAIR_PUSH)
    osiiso_queue_push_async (queue, test_task_log, &self->data, test_release, NULL, cancellable, returned_cb, self);
  else if (pair == PAIR_MAP)
    osiiso_queue_map_async (queue, n, test_task_log, &self->data, test_release, NULL, cancellable, returned_cb, self);
  else if (pair == PAIR_GROUP)
    osiiso_group_submit_async (group, test_task_log, &self->data, test_release, NULL, cancellable, returned_cb, self);
  else if (pair == PAIR_TOKEN)
    osiiso_queue_submit_token_async (queue, token, NULL, cancellable, returned_cb, self);
  else
    osiiso_queue_submit_tokens_async (queue, token, n, NULL, cancellable, returned_cb, self);
  g_assert_false (self->returned);
}

/* Tokens have nothing to release. */
static void
wait_for_release (Wait *self)
{
  if (self->pair < PAIR_TOKEN)
    ITERATE_UNTIL (self->data.n_released == 1);
}

static void
wait_assert_in (Wait *self)
{
  ITERATE_UNTIL (self->returned);
  g_assert_no_error (self->error);
  wait_for_release (self);
  g_clear_object (&self->map);
  g_clear_object (&self->handle);
}

static void
wait_assert_error (Wait  *self,
                   GQuark domain,
                   int    code)
{
  ITERATE_UNTIL (self->returned);
  g_assert_error (self->error, domain, code);
  g_clear_error (&self->error);
  wait_for_release (self);
}

static void
test_room (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "g");
  static const char *names[] = { "push", "map", "group", "token", "tokens", "last" };
  Wait waits[G_N_ELEMENTS (names)] = { { 0 } };
  OsiisoAttempt *fillers[2];
  g_autofree char *order = NULL;
  TestLog log;

  g_test_summary ("All of them come in when there is room, in turn, a map and many tokens as a whole");

  test_log_init (&log);
  test_fill (queue, fillers, 2);
  /* What they do is in the order of their starts then. */
  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      waits[i].data = (TestData) { &log, names[i], 0 };
      wait_start (&waits[i], (Pair) (i % N_PAIRS), queue, group, 2, NULL);
    }
  g_assert_cmpuint (test_n_waiting (queue), ==, 6);

  osiiso_queue_pause (queue);
  test_let_go (&fillers[0]);
  ITERATE_UNTIL (waits[0].returned);
  g_assert_cmpuint (waits[0].id, !=, 0);
  /* There is room for one, which is too little. */
  test_let_go (&fillers[1]);
  ITERATE_UNTIL (test_n_outstanding (queue) == 1);
  g_assert_cmpuint (test_n_waiting (queue), ==, 5);
  g_assert_false (waits[1].returned);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);

  osiiso_queue_resume (queue);
  for (guint i = 1; i < G_N_ELEMENTS (names); i++)
    ITERATE_UNTIL (waits[i].returned);
  test_join (queue);
  order = test_log_steal (&log);
  g_assert_cmpstr (order, ==, "push map map group token tokens tokens last");
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (waits[1].map)), ==, 2);
  g_assert_cmpuint (osiiso_group_get_n_finished (waits[1].map), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 1);
  g_assert_cmpstr (osiiso_handle_get_group_id (waits[2].handle), ==, "g");
  g_assert_cmpint (osiiso_handle_get_status (waits[2].handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 10);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    wait_assert_in (&waits[i]);
  test_log_clear (&log);
  test_queue_free (queue);
}

static void
test_turn (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 4);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  static const char *names[] = { "front", "group", "push", "token" };
  static const Pair pairs[] = { PAIR_MAP, PAIR_GROUP, PAIR_PUSH, PAIR_TOKEN };
  Wait waits[G_N_ELEMENTS (names)] = { { 0 } };
  g_autofree char *order = NULL;
  OsiisoAttempt *filler;
  TestLog log;

  g_test_summary ("Those that come in in one step run in the order in which they have waited");

  test_log_init (&log);
  test_fill (queue, &filler, 1);
  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_pause (queue);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      waits[i].data = (TestData) { &log, names[i], 0 };
      wait_start (&waits[i], pairs[i], queue, group, 4, i == 0 ? cancellable : NULL);
    }
  g_assert_cmpuint (test_n_waiting (queue), ==, 4);
  g_cancellable_cancel (cancellable);
  wait_assert_error (&waits[0], G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  osiiso_queue_resume (queue);
  test_let_go (&filler);
  for (guint i = 1; i < G_N_ELEMENTS (names); i++)
    wait_assert_in (&waits[i]);
  test_join (queue);
  order = test_log_steal (&log);
  g_assert_cmpstr (order, ==, "group push token");
  test_log_clear (&log);
  test_queue_free (queue);
}

static gpointer
let_go_thread (gpointer attempt)
{
  test_let_go (attempt);
  return NULL;
}

static void
test_entering (gconstpointer data)
{
  const Pair behind = (Pair) GPOINTER_TO_INT (data);
  OsiisoQueue *queue = bounded_queue ("thread-pool", 3);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoGroup) other = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *order = NULL;
  OsiisoAttempt *fillers[3];
  TestLog log;
  TestData tried = { &log, "tried", 0 };
  Wait first = { .data = { &log, "first", 0 } };
  Wait second = { .data = { &log, "second", 0 } };
  GThread *thread;

  g_test_summary ("Nothing comes in before a member that has got a place, and comes into its group");

  test_log_init (&log);
  test_fill (queue, fillers, 3);
  wait_start (&first, PAIR_GROUP, queue, group, 1, NULL);
  osiiso_queue_pause (queue);
  osiiso_queue_set_workers (queue, 1);
  osiiso_private_test_hooks ()->group_hold (group, TRUE);
  thread = g_thread_new ("let-go", let_go_thread, &fillers[0]);
  while (test_n_waiting (queue) > 0)
    g_thread_yield ();
  test_let_go (&fillers[1]);
  test_let_go (&fillers[2]);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 1);

  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_log, &tried, test_release, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  wait_start (&second, behind, queue, other, 2, NULL);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  osiiso_private_test_hooks ()->group_hold (group, FALSE);
  g_thread_join (thread);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);

  osiiso_queue_resume (queue);
  wait_assert_in (&first);
  wait_assert_in (&second);
  test_join (queue);
  ITERATE_UNTIL (tried.n_released == 1);
  order = test_log_steal (&log);
  g_assert_true (g_str_has_prefix (order, "first second"));
  test_log_clear (&log);
  test_queue_free (queue);
}

static void
test_not_iterated (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Wait waits[2 * N_PAIRS] = { { 0 } };
  OsiisoAttempt *fillers[2];

  g_test_summary ("They come in and run while nobody iterates a context");

  test_fill (queue, fillers, 2);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    wait_start (&waits[i], (Pair) (i % N_PAIRS), queue, group, 2, NULL);
  test_let_go (&fillers[0]);
  test_let_go (&fillers[1]);
  while (osiiso_queue_get_completed_count (queue) < 2 + 2 * 7)
    g_thread_yield ();
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    g_assert_false (waits[i].returned);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    wait_assert_in (&waits[i]);
  ITERATE_UNTIL (g_list_model_get_n_items (G_LIST_MODEL (group)) == 2);
  test_queue_free (queue);
}

static void
test_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  OsiisoAttempt *filler;

  g_test_summary ("A wait that is cancelled ends, before it began too, and lets those behind pass");

  for (guint pair = 0; pair < N_PAIRS; pair++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Wait first = { 0 };
      Wait late = { 0 };
      Wait behind = { 0 };

      test_fill (queue, &filler, 1);
      wait_start (&first, (Pair) pair, queue, group, 1, cancellable);
      wait_start (&behind, PAIR_PUSH, queue, group, 1, NULL);
      g_cancellable_cancel (cancellable);
      wait_assert_error (&first, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      wait_start (&late, (Pair) pair, queue, group, 1, cancellable);
      wait_assert_error (&late, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      test_let_go (&filler);
      wait_assert_in (&behind);
      test_join (queue);
    }
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2 * N_PAIRS);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);
  test_queue_free (queue);
}

static void
test_closed (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Wait waits[N_PAIRS] = { { 0 } };
  Wait after[N_PAIRS] = { { 0 } };
  OsiisoAttempt *fillers[2];

  g_test_summary ("A queue that is shut down refuses those that wait, and new ones");

  test_fill (queue, fillers, 2);
  for (guint pair = 0; pair < N_PAIRS; pair++)
    wait_start (&waits[pair], (Pair) pair, queue, group, 2, NULL);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  for (guint pair = 0; pair < N_PAIRS; pair++)
    wait_start (&after[pair], (Pair) pair, queue, group, 2, NULL);
  for (guint pair = 0; pair < N_PAIRS; pair++)
    {
      wait_assert_error (&waits[pair], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
      wait_assert_error (&after[pair], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
    }
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);
  test_let_go (&fillers[0]);
  test_let_go (&fillers[1]);
  test_queue_free (queue);
}

static void
test_many (gconstpointer backend,
           Pair          pair)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  Wait none = { 0 };
  Wait many = { 0 };
  Wait shrunk = { 0 };
  OsiisoAttempt *filler;

  wait_start (&none, pair, queue, NULL, 0, NULL);
  ITERATE_UNTIL (none.returned);
  if (pair == PAIR_MAP)
    g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (none.map)), ==, 0);
  wait_assert_in (&none);

  wait_start (&many, pair, queue, NULL, 3, NULL);
  wait_assert_error (&many, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);

  test_fill (queue, &filler, 1);
  wait_start (&shrunk, pair, queue, NULL, 2, NULL);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  osiiso_queue_set_size (queue, 1);
  wait_assert_error (&shrunk, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  test_let_go (&filler);
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  test_queue_free (queue);
}

static void
test_map_sizes (gconstpointer backend)
{
  g_test_summary ("A map that can never fit fails as a whole, and one of no tasks has an empty group");

  test_many (backend, PAIR_MAP);
}

static void
test_token_numbers (gconstpointer backend)
{
  g_test_summary ("Tokens that can never fit, or be, fail as a whole, and no tokens have no ids");

  test_many (backend, PAIR_TOKENS);
}

static void
test_no_runner (void)
{
  OsiisoQueue *queue = test_bounded_queue ("main-loop", 2);
  Wait waits[2] = { { 0 } };

  g_test_summary ("Tokens are refused without a runner, and such as do not fit into a number");

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      wait_start (&waits[i], (Pair) (PAIR_TOKEN + i), queue, NULL, 1, NULL);
      wait_assert_error (&waits[i], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      waits[i] = (Wait) { .pair = PAIR_TOKENS, .n = 2, .source = G_OBJECT (queue) };
    }
  run_tokens (queue);
  osiiso_queue_submit_tokens_async (queue, G_MAXSIZE, 2, NULL, NULL, returned_cb, &waits[0]);
  wait_assert_error (&waits[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_null (osiiso_queue_submit_tokens (queue, G_MAXSIZE, 2, NULL, NULL, &waits[0].error));
  g_assert_error (waits[0].error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&waits[0].error);
  test_queue_free (queue);
}

static void
test_failing_start (void)
{
  g_test_summary ("They fail when the queue cannot be started");

  for (guint pair = 0; pair < N_PAIRS; pair++)
    {
      OsiisoQueue *queue = test_shut_queue_new ();
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      Wait wait = { 0 };

      run_tokens (queue);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      wait_start (&wait, (Pair) pair, queue, group, 1, NULL);
      g_assert_cmpuint (test_n_waiting (queue), ==, 0);
      wait_assert_error (&wait, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
      g_clear_object (&group);
      test_queue_free (queue);
    }
}

static void
test_dropped (gconstpointer backend)
{
  g_test_summary ("Those that wait keep a queue that was dropped, and their tasks run");

  for (guint pair = 0; pair < N_PAIRS; pair++)
    {
      OsiisoQueue *queue = bounded_queue (backend, 1);
      OsiisoGroup *group = osiiso_queue_new_group (queue, NULL);
      Wait wait = { 0 };
      gboolean gone = FALSE;
      OsiisoAttempt *filler;

      test_fill (queue, &filler, 1);
      wait_start (&wait, (Pair) pair, queue, group, 1, NULL);
      g_object_weak_ref (G_OBJECT (queue), test_gone_cb, &gone);
      g_object_unref (group);
      g_object_unref (queue);
      test_let_go (&filler);
      ITERATE_UNTIL (wait.returned && gone);
      wait_assert_in (&wait);
    }
}

static void
test_no_backend (void)
{
  OsiisoQueue *queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", "surely-absent", NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);

  g_test_summary ("A queue that has found no backend says so in each of them, and releases the data");

  for (guint pair = 0; pair < N_PAIRS; pair++)
    {
      Wait wait = { 0 };

      wait_start (&wait, (Pair) pair, queue, group, 1, NULL);
      wait_assert_error (&wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
    }
  g_object_unref (queue);
}

void
test_add_size_async_pairs (void)
{
  static const char *const names[] = { "push", "map", "group", "token", "tokens" };

  test_add_for_backends ("/size/async-pairs/room", test_room);
  test_add_for_backends ("/size/async-pairs/turn", test_turn);
  for (int pair = 0; pair < N_PAIRS; pair++)
    {
      g_autofree char *path = g_strdup_printf ("/size/async-pairs/entering/%s", names[pair]);

      g_test_add_data_func (path, GINT_TO_POINTER (pair), test_entering);
    }
  g_test_add_func ("/size/async-pairs/not-iterated", test_not_iterated);
  test_add_for_backends ("/size/async-pairs/cancelled", test_cancelled);
  test_add_for_backends ("/size/async-pairs/closed", test_closed);
  test_add_for_backends ("/size/async-pairs/map-sizes", test_map_sizes);
  test_add_for_backends ("/size/async-pairs/token-numbers", test_token_numbers);
  g_test_add_func ("/size/async-pairs/no-runner", test_no_runner);
  g_test_add_func ("/size/async-pairs/no-backend", test_no_backend);
  g_test_add_func ("/size/async-pairs/failing-start", test_failing_start);
  test_add_for_backends ("/size/async-pairs/dropped", test_dropped);
}
