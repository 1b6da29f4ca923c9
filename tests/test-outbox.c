/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* What the owner of a queue is told, when there is no queue any more, or when somebody
 * has destroyed the source that tells it: a wrong number for g_source_remove() does. */

static GSource *
find_source (void)
{
  for (guint id = 1; id < 10000; id++)
    {
      GSource *source = g_main_context_find_source_by_id (NULL, id);

      if (source != NULL && g_strcmp0 (g_source_get_name (source), "OsiisoQueue") == 0)
        return source;
    }
  return NULL;
}

static void
destroy_source (void)
{
  GSource *source = find_source ();

  g_assert_nonnull (source);
  g_source_destroy (source);
  g_assert_null (find_source ());
}

static GThread *owner;

static void
count (gpointer counter)
{
  g_assert_true (g_thread_self () == owner);
  g_atomic_int_inc ((int *) counter);
}

static void
iterate_all (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static OsiisoAttempt *
hold (OsiisoAttempt **slot)
{
  while (g_atomic_pointer_get (slot) == NULL)
    g_thread_yield ();
  return *slot;
}

static void
let_go (OsiisoAttempt *attempt)
{
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

static void
waited_cb (GObject      *handle,
           GAsyncResult *result,
           gpointer      returned)
{
  g_assert_true (osiiso_handle_wait_finish (OSIISO_HANDLE (handle), result, NULL));
  count (returned);
}

static void
never (void)
{
  g_assert_not_reached ();
}

static void
test_destroyed_first (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slots[2] = { NULL, NULL };
  g_autoptr (OsiisoHandle) kept = NULL;
  g_autoptr (OsiisoGroup) group = NULL;
  OsiisoHandle *dropped;
  int n_released = 0;
  int n_returned = 0;

  g_test_summary ("Without its source a queue runs its tasks, releases their data, and returns what waits for them");

  g_signal_connect (queue, "on-complete", G_CALLBACK (never), NULL);
  g_assert_nonnull (osiiso_queue_get_tasks (queue));
  kept = test_submit (queue, test_task_defer, &slots[0], NULL);
  dropped = osiiso_queue_submit (queue, test_task_defer, &slots[1], NULL, NULL, NULL);
  g_object_add_weak_pointer (G_OBJECT (dropped), (gpointer *) &dropped);
  g_object_unref (dropped);
  g_assert_nonnull (dropped);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_released, count, NULL, NULL), !=, 0);
  group = osiiso_queue_map (queue, 3, test_task_none, &n_released, count, NULL, NULL);
  osiiso_handle_wait_async (kept, NULL, waited_cb, &n_returned);
  g_assert_true (osiiso_queue_start (queue, NULL));
  destroy_source ();

  for (guint i = 0; i < 2; i++)
    let_go (hold (&slots[i]));
  test_iterate_until (&n_returned);
  g_assert_true (osiiso_handle_wait (kept, -1, NULL, NULL));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  while (g_atomic_int_get (&n_released) < 2 || dropped != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (n_released, ==, 2);
  g_assert_cmpint (n_returned, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (kept), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
  test_queue_free (queue);
}

static int is_polling;

/* As g_poll(), but what never comes is a failure. */
static int
note_poll (GPollFD *fds,
           guint    n_fds,
           int      timeout)
{
  int n;

  if (timeout == 0)
    return g_poll (fds, n_fds, timeout);
  g_atomic_int_set (&is_polling, TRUE);
  n = g_poll (fds, n_fds, 30000);
  g_assert_cmpint (n, >, 0);
  return n;
}

static gpointer
let_go_thread (gpointer attempt)
{
  while (!g_atomic_int_get (&is_polling))
    g_thread_yield ();
  let_go (attempt);
  return NULL;
}

static void
test_destroyed_wakes (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slot = NULL;
  GThread *thread;

  g_test_summary ("Without its source a queue wakes whoever waits for its work in a main context");

  g_assert_cmpuint (osiiso_queue_push (queue, test_task_defer, &slot, NULL, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  destroy_source ();
  iterate_all ();
  g_main_context_set_poll_func (NULL, note_poll);
  thread = g_thread_new ("let-go", let_go_thread, hold (&slot));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_main_context_set_poll_func (NULL, NULL);
  g_thread_join (thread);
  test_queue_free (queue);
}

static void
test_destroyed_full (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slots[2] = { NULL, NULL };
  OsiisoHandle *handles[2];
  int n_released = 0;
  int n_returned = 0;

  g_test_summary ("What was to be told when the source was destroyed is released, and told as far as somebody waits for it");

  g_signal_connect (queue, "on-start", G_CALLBACK (never), NULL);
  for (guint i = 0; i < 2; i++)
    {
      handles[i] = osiiso_queue_submit (queue, test_task_defer, &slots[i], NULL, NULL, NULL);
      g_signal_connect (handles[i], "notify::progress", G_CALLBACK (never), NULL);
      g_object_add_weak_pointer (G_OBJECT (handles[i]), (gpointer *) &handles[i]);
    }
  osiiso_handle_wait_async (handles[0], NULL, waited_cb, &n_returned);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_released, count, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 2; i++)
    {
      osiiso_attempt_set_progress (hold (&slots[i]), 0.5, "half");
      let_go (slots[i]);
    }
  while (osiiso_queue_get_completed_count (queue) < 3)
    g_thread_yield ();
  for (guint i = 0; i < 2; i++)
    g_object_unref (handles[i]);
  destroy_source ();
  while (n_returned == 0 || n_released == 0 || handles[0] != NULL || handles[1] != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (n_returned, ==, 1);
  g_assert_cmpint (n_released, ==, 1);
  test_queue_free (queue);
}

static void
test_dropped (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slot = NULL;
  OsiisoHandle *handle = osiiso_queue_submit (queue, test_task_defer, &slot, NULL, NULL, NULL);

  g_test_summary ("The end of a task that was not told when its queue was disposed of lets go of its handle");

  g_signal_connect (queue, "on-complete", G_CALLBACK (never), NULL);
  g_object_add_weak_pointer (G_OBJECT (handle), (gpointer *) &handle);
  /* One that nobody ever had a handle of. */
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_true (osiiso_queue_start (queue, NULL));
  let_go (hold (&slot));
  while (osiiso_queue_get_completed_count (queue) < 2)
    g_thread_yield ();
  g_object_unref (handle);
  g_assert_nonnull (handle);
  g_object_run_dispose (G_OBJECT (queue));
  iterate_all ();
  g_assert_null (handle);
  test_queue_free (queue);
}

static void
count_notify (GObject    *handle,
              GParamSpec *pspec,
              gpointer    counter)
{
  count (counter);
}

static void
test_progress (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slots[2] = { NULL, NULL };
  OsiisoHandle *handles[2];
  int n_told[2] = { 0, 0 };

  g_test_summary ("The progress of several tasks is told at one time");

  for (guint i = 0; i < 2; i++)
    {
      handles[i] = test_submit (queue, test_task_defer, &slots[i], NULL);
      g_signal_connect (handles[i], "notify::progress", G_CALLBACK (count_notify), &n_told[i]);
    }
  g_assert_true (osiiso_queue_start (queue, NULL));
  iterate_all ();
  for (guint i = 0; i < 2; i++)
    osiiso_attempt_set_progress (hold (&slots[i]), 0.25 + i / 4.0, NULL);
  test_iterate_until (&n_told[0]);
  test_iterate_until (&n_told[1]);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpfloat (osiiso_handle_get_progress (handles[i]), ==, 0.25 + i / 4.0);
      g_assert_cmpint (n_told[i], ==, 1);
      let_go (slots[i]);
    }
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  for (guint i = 0; i < 2; i++)
    g_object_unref (handles[i]);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  owner = g_thread_self ();

  g_test_add_func ("/outbox/destroyed-first", test_destroyed_first);
  g_test_add_func ("/outbox/destroyed/wakes", test_destroyed_wakes);
  g_test_add_func ("/outbox/destroyed-full", test_destroyed_full);
  g_test_add_func ("/outbox/dropped", test_dropped);
  g_test_add_func ("/outbox/progress", test_progress);

  return g_test_run ();
}
