/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-size.h"

/* Waits for room that do not block. */

/* A submit that waits without blocking. */
typedef struct
{
  OsiisoQueue  *queue;
  TestData      data;
  gboolean      returned;
  OsiisoHandle *handle;
  GError       *error;
  GMainContext *context;
} Async;

static void
submit_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  Async *self = user_data;

  g_assert_false (self->returned);
  g_assert_true (object == G_OBJECT (self->queue));
  g_assert_true (g_main_context_get_thread_default () == self->context);
  self->handle = osiiso_queue_submit_finish (self->queue, result, &self->error);
  g_assert_true ((self->handle == NULL) == (self->error != NULL));
  self->returned = TRUE;
}

static void
async_start (Async             *self,
             OsiisoQueue       *queue,
             OsiisoTaskOptions *options,
             GCancellable      *cancellable)
{
  self->queue = queue;
  self->context = g_main_context_get_thread_default ();
  osiiso_queue_submit_async (queue, test_task_log, &self->data, test_release, options, cancellable, submit_cb, self);
  /* Never called from there. */
  g_assert_false (self->returned);
}

static void
async_assert_in (Async *self)
{
  ITERATE_UNTIL (self->returned);
  g_assert_no_error (self->error);
  g_clear_object (&self->handle);
}

static void
async_assert_error (Async *self,
                    GQuark domain,
                    int    code)
{
  ITERATE_UNTIL (self->returned);
  g_assert_error (self->error, domain, code);
  g_clear_error (&self->error);
  ITERATE_UNTIL (self->data.n_released == 1);
}

static void
test_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  static const char *names[] = { "a", "b", "c", "d" };
  Async asyncs[G_N_ELEMENTS (names)] = { { NULL } };
  Async unbounded = { NULL };
  g_autofree char *order = NULL;
  OsiisoAttempt *filler;
  TestLog log;

  g_test_summary ("An asynchronous submit comes back with a handle when there is room");

  test_log_init (&log);
  test_fill (queue, &filler, 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      asyncs[i].data = (TestData) { &log, names[i], 0 };
      async_start (&asyncs[i], queue, NULL, NULL);
    }
  g_assert_cmpuint (test_n_waiting (queue), ==, 4);
  for (guint i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_false (asyncs[0].returned);

  osiiso_queue_pause (queue);
  test_let_go (&filler);
  ITERATE_UNTIL (asyncs[0].returned);
  g_assert_cmpint (osiiso_handle_get_status (asyncs[0].handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (test_n_waiting (queue), ==, 3);
  osiiso_queue_resume (queue);
  test_join (queue);
  order = test_log_steal (&log);
  g_assert_cmpstr (order, ==, "a b c d");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      ITERATE_UNTIL (asyncs[i].returned);
      g_assert_cmpint (osiiso_handle_get_status (asyncs[i].handle), ==, OSIISO_STATUS_SUCCEEDED);
      async_assert_in (&asyncs[i]);
      g_assert_cmpint (asyncs[i].data.n_released, ==, 1);
    }

  osiiso_queue_set_size (queue, 0);
  async_start (&unbounded, queue, NULL, NULL);
  async_assert_in (&unbounded);
  test_join (queue);
  g_assert_cmpint (unbounded.data.n_released, ==, 1);
  test_log_clear (&log);
  test_queue_free (queue);
}

static void
test_async_not_iterated (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 1);
  Async asyncs[8] = { { NULL } };
  OsiisoAttempt *filler;

  g_test_summary ("Tasks that wait come in and run while nobody iterates a context");

  test_fill (queue, &filler, 1);
  for (guint i = 0; i < G_N_ELEMENTS (asyncs); i++)
    async_start (&asyncs[i], queue, NULL, NULL);
  test_let_go (&filler);
  while (osiiso_queue_get_completed_count (queue) < 1 + G_N_ELEMENTS (asyncs))
    g_thread_yield ();
  g_assert_false (asyncs[0].returned);
  for (guint i = 0; i < G_N_ELEMENTS (asyncs); i++)
    async_assert_in (&asyncs[i]);
  test_queue_free (queue);
}

static void
test_async_starts (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  Async async = { NULL };

  g_test_summary ("An asynchronous submit starts a queue that is full before it was started");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  async_start (&async, queue, NULL, NULL);
  async_assert_in (&async);
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  test_queue_free (queue);
}

static void
test_async_failing_start (void)
{
  OsiisoQueue *queue = test_shut_queue_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Async async = { NULL };

  g_test_summary ("An asynchronous submit fails when the queue cannot be started");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  async_start (&async, queue, NULL, cancellable);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  async_assert_error (&async, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
  g_cancellable_cancel (cancellable);
  test_queue_free (queue);
}

static void
test_async_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Async cancelled = { NULL };
  Async late = { NULL };
  Async other = { NULL };
  TestSubmitter map = { .n = 2 };
  OsiisoAttempt *attempts[2];

  g_test_summary ("An asynchronous submit is cancelled while it waits, and lets those behind pass");

  test_fill (queue, attempts, 2);
  async_start (&cancelled, queue, NULL, cancellable);
  test_submitter_start_waiting (&map, queue);
  g_cancellable_cancel (cancellable);
  async_assert_error (&cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  test_let_go (&attempts[0]);
  test_let_go (&attempts[1]);
  test_submitter_assert_in (&map);
  test_join (queue);

  /* Cancelled before it began. */
  async_start (&late, queue, NULL, cancellable);
  async_assert_error (&late, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 4);

  /* Cancelled when the task is in the queue already. */
  g_cancellable_reset (cancellable);
  async_start (&other, queue, NULL, cancellable);
  g_cancellable_cancel (cancellable);
  async_assert_in (&other);
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 5);
  test_queue_free (queue);
}

static void
test_async_lets_pass (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Async first = { NULL };
  Async second = { NULL };
  TestSubmitter map = { .n = 3 };
  OsiisoAttempt *attempts[3];

  g_test_summary ("Who stood behind somebody who wanted more room comes in when that is refused");

  test_fill (queue, attempts, 3);
  async_start (&first, queue, NULL, cancellable);
  test_submitter_start_waiting (&map, queue);
  async_start (&second, queue, NULL, NULL);
  osiiso_queue_pause (queue);
  test_let_go (&attempts[0]);
  async_assert_in (&first);
  test_let_go (&attempts[1]);
  ITERATE_UNTIL (test_n_outstanding (queue) == 2);
  g_assert_cmpuint (test_n_waiting (queue), ==, 2);
  osiiso_queue_set_size (queue, 2);
  test_submitter_assert_error (&map, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL, NULL);
  g_assert_false (second.returned);
  osiiso_queue_resume (queue);
  async_assert_in (&second);
  test_let_go (&attempts[2]);
  test_join (queue);
  test_queue_free (queue);
}

static void
test_async_closed (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  Async asyncs[3] = { { NULL } };
  OsiisoAttempt *filler;

  g_test_summary ("A queue that is shut down refuses asynchronous submits that wait, and new ones");

  test_fill (queue, &filler, 1);
  for (guint i = 0; i < 2; i++)
    async_start (&asyncs[i], queue, NULL, NULL);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  async_start (&asyncs[2], queue, NULL, NULL);
  for (guint i = 0; i < 3; i++)
    async_assert_error (&asyncs[i], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  test_let_go (&filler);
  test_queue_free (queue);
}

static void
test_async_invalid (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("backoff", -1.0, NULL);
  Async async = { NULL };

  g_test_summary ("An asynchronous submit with senseless options fails at once");

  async_start (&async, queue, options, NULL);
  async_assert_error (&async, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  test_queue_free (queue);
}

typedef struct
{
  Async async;
  int   done;
} Elsewhere;

static gpointer
context_thread (gpointer data)
{
  Elsewhere *elsewhere = data;
  Async *async = &elsewhere->async;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  async_start (async, async->queue, NULL, NULL);
  while (!async->returned)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  g_atomic_int_set (&elsewhere->done, 1);
  return NULL;
}

static void
test_async_context (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  Elsewhere elsewhere = { { .queue = queue }, 0 };
  OsiisoAttempt *filler;
  GThread *thread;

  g_test_summary ("The callback comes in the context of the caller, the release in that of the owner");

  test_fill (queue, &filler, 1);
  thread = g_thread_new ("context", context_thread, &elsewhere);
  ITERATE_UNTIL (test_n_waiting (queue) == 1);
  test_let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&elsewhere.done));
  g_thread_join (thread);
  async_assert_in (&elsewhere.async);
  test_join (queue);
  g_assert_cmpint (elsewhere.async.data.n_released, ==, 1);
  test_queue_free (queue);
}

static void
test_async_dropped (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  Async async = { NULL };
  gboolean gone = FALSE;
  OsiisoAttempt *filler;

  g_test_summary ("Submits that wait keep a queue that was dropped, and their tasks do");

  test_fill (queue, &filler, 1);
  async_start (&async, queue, NULL, NULL);
  g_object_weak_ref (G_OBJECT (queue), test_gone_cb, &gone);
  g_object_unref (queue);
  test_let_go (&filler);
  ITERATE_UNTIL (async.returned);
  g_assert_no_error (async.error);
  ITERATE_UNTIL (gone);
  g_assert_cmpint (osiiso_handle_get_status (async.handle), ==, OSIISO_STATUS_SUCCEEDED);
  async_assert_in (&async);
  g_assert_cmpint (async.data.n_released, ==, 1);
}

static void
test_async_holds (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  OsiisoAttempt *attempt = NULL;
  Async async = { .queue = queue };
  gboolean gone = FALSE;

  g_test_summary ("A task that came in keeps its queue when the submit is over");

  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_submit_async (queue, test_task_defer, &attempt, NULL, NULL, NULL, submit_cb, &async);
  g_object_weak_ref (G_OBJECT (queue), test_gone_cb, &gone);
  g_object_unref (queue);
  ITERATE_UNTIL (async.returned && g_atomic_pointer_get (&attempt) != NULL);
  g_assert_no_error (async.error);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (gone);
  test_let_go (&attempt);
  ITERATE_UNTIL (gone);
  g_assert_cmpint (osiiso_handle_get_status (async.handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&async.handle);
}

/* Between a task that ends and one that waited and comes in there may be none at
 * all; nobody takes that for the end. */
#define N_IN_LINE 500

typedef enum
{
  LAST_RUN,
  LAST_RUN_ELSEWHERE,
  LAST_RUN_ASYNC,
  LAST_JOIN,
  LAST_JOIN_ASYNC,
} Last;

typedef struct
{
  Last     how;
  gboolean over;
} LastAsync;

static void
last_cb (GObject      *object,
         GAsyncResult *result,
         gpointer      user_data)
{
  LastAsync *last = user_data;
  OsiisoQueue *queue = OSIISO_QUEUE (object);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  if (last->how == LAST_RUN_ASYNC)
    summary = osiiso_queue_run_finish (queue, result, &error);
  else
    osiiso_queue_join_finish (queue, result, &error);
  g_assert_no_error (error);
  last->over = TRUE;
}

static void
test_lasts (gconstpointer data)
{
  const Last how = GPOINTER_TO_INT (data);
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 1);
  g_autofree Async *asyncs = g_new0 (Async, N_IN_LINE);
  LastAsync last = { how, FALSE };
  OsiisoAttempt *filler;
  GThread *thread;

  g_test_summary ("A run or a join lasts until all who wait have come in and are done");

  test_fill (queue, &filler, 1);
  for (guint i = 0; i < N_IN_LINE; i++)
    async_start (&asyncs[i], queue, NULL, NULL);
  switch (how)
    {
    case LAST_RUN_ELSEWHERE:
      thread = g_thread_new ("run", test_run_thread, queue);
      test_let_go (&filler);
      g_object_unref (g_thread_join (thread));
      break;
    case LAST_RUN_ASYNC:
      osiiso_queue_run_async (queue, NULL, last_cb, &last);
      test_let_go (&filler);
      ITERATE_UNTIL (last.over);
      break;
    case LAST_JOIN_ASYNC:
      osiiso_queue_join_async (queue, NULL, last_cb, &last);
      test_let_go (&filler);
      ITERATE_UNTIL (last.over);
      break;
    case LAST_RUN:
      test_let_go (&filler);
      test_run_all (queue);
      break;
    case LAST_JOIN:
    default:
      test_let_go (&filler);
      test_join (queue);
    }
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, N_IN_LINE + 1);
  for (guint i = 0; i < N_IN_LINE; i++)
    async_assert_in (&asyncs[i]);
  test_queue_free (queue);
}

void
test_add_size_async (void)
{
  test_add_for_backends ("/size/async/room", test_async);
  g_test_add_func ("/size/async/not-iterated", test_async_not_iterated);
  test_add_for_backends ("/size/async/starts", test_async_starts);
  g_test_add_func ("/size/async/failing-start", test_async_failing_start);
  test_add_for_backends ("/size/async/cancelled", test_async_cancelled);
  test_add_for_backends ("/size/async/lets-pass", test_async_lets_pass);
  test_add_for_backends ("/size/async/closed", test_async_closed);
  test_add_for_backends ("/size/async/invalid", test_async_invalid);
  test_add_for_backends ("/size/async/context", test_async_context);
  test_add_for_backends ("/size/async/dropped", test_async_dropped);
  test_add_for_backends ("/size/async/holds", test_async_holds);
  g_test_add_data_func ("/size/lasts/run", GINT_TO_POINTER (LAST_RUN), test_lasts);
  g_test_add_data_func ("/size/lasts/run-elsewhere", GINT_TO_POINTER (LAST_RUN_ELSEWHERE), test_lasts);
  g_test_add_data_func ("/size/lasts/run-async", GINT_TO_POINTER (LAST_RUN_ASYNC), test_lasts);
  g_test_add_data_func ("/size/lasts/join", GINT_TO_POINTER (LAST_JOIN), test_lasts);
  g_test_add_data_func ("/size/lasts/join-async", GINT_TO_POINTER (LAST_JOIN_ASYNC), test_lasts);
}
