/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

#ifdef __GLIBC__
# include <malloc.h>
# if __GLIBC_PREREQ (2, 33)
#  define HAVE_HEAP_SIZE 1
# endif
#endif

/* When a queue goes, and what goes with it, where and at what time. */

static void
test_dropped_unstarted (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  int n_destroyed = 0;

  g_test_summary ("A queue that was never started goes with its tasks, and handles outlive it");

  handle = osiiso_queue_submit (queue, test_task_none, &n_destroyed, test_count, NULL, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, delayed, NULL), !=, 0);
  test_queue_free (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (n_destroyed, ==, 2);
}

static void
test_dropped_working (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("A queue that has work lives until the work is done");

  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, test_task_int, GINT_TO_POINTER (7), NULL);
  test_queue_free (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 7);
}

static gpointer
join_thread (gpointer queue)
{
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  return NULL;
}

static void
count_ends (gpointer              counter,
            G_GNUC_UNUSED gpointer handle)
{
  ++*(int *) counter;
}

/* Waits for all work without iterating the context. */
static void
join_elsewhere (OsiisoQueue *queue)
{
  g_thread_join (g_thread_new ("join", join_thread, queue));
}

static void
count_run (OsiisoAttempt *attempt,
           gpointer       data)
{
  g_atomic_int_inc ((int *) data);
}

static void
test_dropped_pushed (gconstpointer backend)
{
  g_test_summary ("So does one whose tasks nobody holds anything of, one by one and many at once");

  for (guint n = 1; n <= 3; n++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      int n_run = 0;

      g_assert_true (osiiso_queue_start (queue, NULL));
      if (n == 1)
        g_assert_cmpuint (osiiso_queue_push (queue, count_run, &n_run, NULL, NULL, NULL), !=, 0);
      else
        g_object_unref (osiiso_queue_map (queue, n, count_run, &n_run, NULL, NULL, NULL));
      test_queue_free (queue);
      g_assert_cmpint (g_atomic_int_get (&n_run), ==, n);
    }
}

static void
test_dropped_untold (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  int n_told = 0;

  g_test_summary ("A queue that has done its work lives until that is told");

  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (count_ends), &n_told);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (int i = 0; i < 3; i++)
    {
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
      join_elsewhere (queue);
    }
  test_queue_free (queue);
  g_assert_cmpint (n_told, ==, 3);
}

static void
test_many_dropped (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_destroyed = 0;

  g_test_summary ("Dropping a queue with many tasks releases the data of each once");

  for (int i = 0; i < 20000; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, NULL, NULL), !=, 0);
  test_queue_free (queue);
  g_assert_cmpint (n_destroyed, ==, 20000);
}

/* A backend that takes its time to close. */
#define TEST_TYPE_SLOW_BACKEND (test_slow_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestSlowBackend, test_slow_backend, TEST, SLOW_BACKEND, OsiisoBackend)

struct _TestSlowBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestSlowBackend, test_slow_backend, OSIISO_TYPE_BACKEND)

static void
test_slow_backend_close (OsiisoBackend *backend,
                         gboolean       force)
{
}

static void
test_slow_backend_class_init (TestSlowBackendClass *klass)
{
  OSIISO_BACKEND_CLASS (klass)->close = test_slow_backend_close;
}

static void
test_slow_backend_init (TestSlowBackend *self)
{
}

static void
store_shutdown (GObject      *queue,
                GAsyncResult *result,
                gpointer      answer)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_shutdown_finish (OSIISO_QUEUE (queue), result, &error));
  g_assert_no_error (error);
  *(int *) answer = 1;
}

static void
store_run (GObject      *queue,
           GAsyncResult *result,
           gpointer      answer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run_finish (OSIISO_QUEUE (queue), result, &error);

  g_assert_no_error (error);
  *(int *) answer = 1;
}

static void
test_disposed_closing (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_SLOW_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  int closed = 0;
  int run_over = 0;

  g_test_summary ("Who waits for the end of a queue is told when it is disposed of, though its backend has not closed");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_run_async (queue, NULL, store_run, &run_over);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, store_shutdown, &closed);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (closed, ==, 0);
  g_assert_cmpint (run_over, ==, 0);
  g_object_run_dispose (G_OBJECT (queue));
  g_assert_cmpint (closed, ==, 0);
  test_iterate_until (&closed);
  test_iterate_until (&run_over);
  g_assert_true (osiiso_queue_get_closed (queue));
  /* It belongs to nobody any more. */
  osiiso_backend_closed (backend);
  test_queue_free (queue);
}

static void
test_disposed_working (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt = NULL;
  int closed = 0;

  g_test_summary ("A queue that is disposed of by hand cancels its work, and tells when it has closed");

  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, test_task_defer, &attempt, NULL);
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, store_shutdown, &closed);
  g_object_run_dispose (G_OBJECT (queue));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  test_iterate_until (&closed);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  /* Its work keeps it no more. */
  test_queue_free (queue);
}

/* A queue that somebody has work just when it is disposed of. */
#define TEST_TYPE_LATE_QUEUE (test_late_queue_get_type ())
G_DECLARE_FINAL_TYPE (TestLateQueue, test_late_queue, TEST, LATE_QUEUE, OsiisoQueue)

struct _TestLateQueue
{
  OsiisoQueue   parent_instance;
  OsiisoHandle *handle; /* of its task */
  TestGate     *gate;
};

G_DEFINE_FINAL_TYPE (TestLateQueue, test_late_queue, OSIISO_TYPE_QUEUE)

static gpointer
start_thread (gpointer handle)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_handle_wait (handle, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  return NULL;
}

static void
test_late_queue_dispose (GObject *object)
{
  TestLateQueue *self = TEST_LATE_QUEUE (object);
  g_autoptr (OsiisoHandle) handle = g_steal_pointer (&self->handle);

  if (handle != NULL)
    g_thread_join (g_thread_new ("start", start_thread, handle));
  G_OBJECT_CLASS (test_late_queue_parent_class)->dispose (object);
  if (handle != NULL)
    test_gate_pass (self->gate);
}

static void
test_late_queue_class_init (TestLateQueueClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = test_late_queue_dispose;
}

static void
test_late_queue_init (TestLateQueue *self)
{
}

static gpointer
unref_thread (gpointer object)
{
  g_object_unref (object);
  return NULL;
}

static guint64
run_none (guint64  token,
          guint64  id,
          guint    attempt,
          gpointer unused)
{
  return id;
}

static void
test_dropped_and_started (void)
{
  TestLateQueue *queue = g_object_new (TEST_TYPE_LATE_QUEUE, "backend-name", "main-loop", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  int n_released = 0;
  TestGate gate;
  GThread *thread;

  g_test_summary ("A queue that gets to work while it is dropped, and comes to rest again, does not go with half of its end");

  test_gate_init (&gate);
  g_assert_true (osiiso_queue_set_runner (OSIISO_QUEUE (queue), run_none, &n_released, test_count, NULL));
  handle = test_submit (OSIISO_QUEUE (queue), test_task_none, NULL, NULL);
  queue->handle = g_object_ref (handle);
  queue->gate = &gate;
  thread = g_thread_new ("unref", unref_thread, queue);
  test_gate_await (&gate, 1);
  /* Whoever has kept it lets go again. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_true (osiiso_handle_is_done (handle));
  test_gate_open (&gate);
  g_thread_join (thread);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n_released, ==, 1);
  test_gate_clear (&gate);
}

/* User data that tell in which thread they were released. */
typedef struct
{
  TestGate gate;
  GThread *owner;
  int      n_owner;
  int      n_other;
} Owned;

static void
owned_release (gpointer data)
{
  Owned *owned = data;

  if (g_thread_self () == owned->owner)
    g_atomic_int_inc (&owned->n_owner);
  else
    g_atomic_int_inc (&owned->n_other);
}

static void
await_released (Owned *owned,
                int    n)
{
  while (g_atomic_int_get (&owned->n_owner) + g_atomic_int_get (&owned->n_other) < n)
    g_main_context_iteration (NULL, FALSE);
}

static void
wait_at_gate (OsiisoAttempt *attempt,
              gpointer       data)
{
  test_gate_pass (&((Owned *) data)->gate);
}

static void
test_data_after_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Owned owned = { .owner = g_thread_self () };

  g_test_summary ("Data of a function that outlives its queue are released in the owner's thread all the same");

  test_gate_init (&owned.gate);
  g_assert_cmpuint (osiiso_queue_push (queue, wait_at_gate, &owned, owned_release, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&owned.gate, 1);
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
  g_assert_cmpint (owned.n_owner + owned.n_other, ==, 0);
  test_gate_open (&owned.gate);
  await_released (&owned, 1);
  g_assert_cmpint (owned.n_owner, ==, 1);
  g_assert_cmpint (owned.n_other, ==, 0);
  test_gate_clear (&owned.gate);
}

static void
test_dropped_elsewhere (gconstpointer backend)
{
  Owned owned = { .owner = g_thread_self () };

  g_test_summary ("Data are released in the owner's thread when another one drops the queue");

  for (int round = 1; round <= 200; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      GThread *thread;

      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &owned, owned_release, NULL, NULL), !=, 0);
      thread = g_thread_new ("unref", unref_thread, queue);
      await_released (&owned, round);
      g_thread_join (thread);
    }
  g_assert_cmpint (owned.n_owner, ==, 200);
  g_assert_cmpint (owned.n_other, ==, 0);
}

/* A value that tells in which thread it was finalized. */
#define TEST_TYPE_VALUE (test_value_get_type ())
G_DECLARE_FINAL_TYPE (TestValue, test_value, TEST, VALUE, GObject)

struct _TestValue
{
  GObject parent_instance;

  Owned  *owned;
};

G_DEFINE_FINAL_TYPE (TestValue, test_value, G_TYPE_OBJECT)

static void
test_value_finalize (GObject *object)
{
  owned_release (TEST_VALUE (object)->owned);
  G_OBJECT_CLASS (test_value_parent_class)->finalize (object);
}

static void
test_value_class_init (TestValueClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_value_finalize;
}

static void
test_value_init (TestValue *self)
{
}

static void
return_new_value (OsiisoAttempt *attempt,
                  gpointer       owned)
{
  TestValue *value = g_object_new (TEST_TYPE_VALUE, NULL);

  value->owned = owned;
  osiiso_attempt_return_object (attempt, G_OBJECT (value));
  g_object_unref (value);
}

static void
test_value_after_queue (gconstpointer backend)
{
  Owned owned = { .owner = g_thread_self () };

  g_test_summary ("A returned object is let go in the owner's thread");

  for (int round = 1; round <= 200; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      OsiisoHandle *handle = test_submit (queue, return_new_value, &owned, NULL);

      test_run_all (queue);
      /* The handle goes first, or outlives the queue. */
      if (round % 2)
        g_clear_object (&handle);
      g_object_unref (queue);
      g_clear_object (&handle);
      await_released (&owned, round);
    }
  g_assert_cmpint (owned.n_owner, ==, 200);
  g_assert_cmpint (owned.n_other, ==, 0);
}

/* -1 where that cannot be found out */
static int
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  int n = 0;

  if (dir == NULL)
    return -1;
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* A worker that is just leaving may hold the last reference for a moment. */
static void
assert_fds_come_down_to (int n)
{
  const gint64 give_up = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  while (count_fds () > n && g_get_monotonic_time () < give_up)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (count_fds (), <=, n);
}

static gpointer
use_queue_thread (gpointer backend)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  OsiisoQueue *queue;

  g_main_context_push_thread_default (context);
  queue = test_queue_new (backend);
  osiiso_queue_set_workers (queue, 1);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  test_run_all (queue);
  g_object_unref (queue);
  /* Nobody iterates this context again. */
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_contexts_go (gconstpointer backend)
{
  int n_fds;

  g_test_summary ("A thread that used a queue in a context of its own leaves nothing behind");

  /* What the process keeps is there from the first time on. */
  g_thread_join (g_thread_new ("use", use_queue_thread, (gpointer) backend));
  g_main_context_iteration (NULL, FALSE);
  n_fds = count_fds ();
  if (n_fds < 0)
    {
      g_test_skip ("no /proc/self/fd");
      return;
    }
  for (int i = 0; i < 100; i++)
    g_thread_join (g_thread_new ("use", use_queue_thread, (gpointer) backend));
  assert_fds_come_down_to (n_fds);
}

static void
set_gone (gpointer data,
          GObject *where_it_was)
{
  g_atomic_int_set ((int *) data, 1);
}

static void
drop_delayed (const char *backend)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 3600.0, NULL);
  OsiisoQueue *queue;
  int gone = 0;
  int n_destroyed = 0;

  g_main_context_push_thread_default (context);
  queue = test_queue_new (backend);
  g_object_weak_ref (G_OBJECT (queue), set_gone, &gone);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, delayed, NULL), !=, 0);
  g_object_unref (queue);
  g_assert_cmpint (gone, ==, 1);
  g_assert_cmpint (n_destroyed, ==, 1);
  g_main_context_pop_thread_default (context);
}

static void
test_dropped_delayed (gconstpointer backend)
{
  int n_fds;

  g_test_summary ("A queue that was never started is freed at once, and does not wait until its delayed task were due");

  drop_delayed (backend);
  g_main_context_iteration (NULL, FALSE);
  n_fds = count_fds ();
  for (int i = 0; i < 100; i++)
    drop_delayed (backend);
  if (n_fds >= 0)
    assert_fds_come_down_to (n_fds);
}

#ifdef HAVE_HEAP_SIZE
static void
test_idle_often (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  const guint n_tasks = 10000;
  gsize before = 0;

  g_test_summary ("A queue that becomes idle again and again takes no memory for it until somebody iterates");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 1; i <= 2 * n_tasks; i++)
    {
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
      while (osiiso_queue_get_completed_count (queue) < i)
        g_thread_yield ();
      /* By then all that is kept for later has been made. */
      if (i == n_tasks)
        before = mallinfo2 ().uordblks;
    }
  g_assert_cmpuint (mallinfo2 ().uordblks, <, before + 4 * n_tasks);
  test_queue_free (queue);
}
#endif

static void
drop_and_iterate (gpointer location)
{
  OsiisoQueue *queue = g_steal_pointer ((OsiisoQueue **) location);

  osiiso_queue_cancel (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_dropped_in_destroy (gconstpointer backend)
{
  g_test_summary ("A destroy function may drop the last reference on the queue and iterate the context");

  for (int round = 0; round < 50; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (queue, test_task_none, &queue, drop_and_iterate, NULL, NULL);
      int gone = 0;

      g_object_weak_ref (G_OBJECT (queue), set_gone, &gone);
      g_assert_true (osiiso_queue_start (queue, NULL));
      test_iterate_until (&gone);
      g_assert_null (queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
    }
}

static void
test_dropped_in_wait (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (queue, test_task_none, &queue, drop_and_iterate, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue may be dropped by a destroy function while its owner waits for the task");

  g_assert_true (osiiso_handle_wait (handle, -1, NULL, &error));
  g_assert_no_error (error);
  while (queue != NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
}

typedef struct
{
  GMainContext *context;
  OsiisoQueue  *queue;
  OsiisoHandle *handle;
} Made;

static gpointer
make_and_end (gpointer data)
{
  Made *made = data;

  g_main_context_push_thread_default (made->context);
  made->queue = test_queue_new ("main-loop");
  made->handle = test_submit (made->queue, test_task_none, NULL, NULL);
  g_main_context_pop_thread_default (made->context);
  return NULL;
}

static gpointer
look_thread (gpointer handle)
{
  g_autoptr (GError) error = NULL;

  /* In the thread that made the queue the wait would be refused. */
  g_assert_false (osiiso_handle_wait (handle, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  return NULL;
}

static void
test_maker_gone (void)
{
  Made made = { .context = g_main_context_new () };

  g_test_summary ("No thread is taken for the one that made the queue, and has ended");

  g_thread_join (g_thread_new ("maker", make_and_end, &made));
  for (guint i = 0; i < 50; i++)
    g_thread_join (g_thread_new ("look", look_thread, made.handle));
  while (!osiiso_handle_is_done (made.handle))
    g_main_context_iteration (made.context, TRUE);
  g_object_unref (made.handle);
  g_object_run_dispose (G_OBJECT (made.queue));
  g_object_unref (made.queue);
  while (g_main_context_iteration (made.context, FALSE))
    ;
  g_main_context_unref (made.context);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/queue-lifetime/dropped-unstarted", test_dropped_unstarted);
  test_add_for_backends ("/queue-lifetime/dropped-delayed", test_dropped_delayed);
  test_add_for_backends ("/queue-lifetime/dropped-working", test_dropped_working);
  test_add_for_backends ("/queue-lifetime/dropped-pushed", test_dropped_pushed);
  g_test_add_func ("/queue-lifetime/dropped-untold", test_dropped_untold);
  test_add_for_backends ("/queue-lifetime/many-dropped", test_many_dropped);
  g_test_add_func ("/queue-lifetime/disposed-closing", test_disposed_closing);
  test_add_for_backends ("/queue-lifetime/disposed-working", test_disposed_working);
  g_test_add_func ("/queue-lifetime/dropped-and-started", test_dropped_and_started);
  test_add_for_backends ("/queue-lifetime/dropped-elsewhere", test_dropped_elsewhere);
  test_add_for_backends ("/queue-lifetime/dropped-in-destroy", test_dropped_in_destroy);
  g_test_add_func ("/queue-lifetime/dropped-in-wait", test_dropped_in_wait);
  g_test_add_func ("/queue-lifetime/data-after-queue", test_data_after_queue);
  test_add_for_backends ("/queue-lifetime/value-after-queue", test_value_after_queue);
  test_add_for_backends ("/queue-lifetime/contexts-go", test_contexts_go);
#ifdef HAVE_HEAP_SIZE
  g_test_add_func ("/queue-lifetime/idle-often", test_idle_often);
#endif
  g_test_add_func ("/queue-lifetime/maker-gone", test_maker_gone);

  return g_test_run ();
}
