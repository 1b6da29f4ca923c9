/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-wait-cycles.h"

/* Threads that are in no task, and keep a main context in which tasks run while they
 * block. */

/* What the thread of the test waits for, and how. */
typedef struct
{
  OsiisoQueue  *queue;
  OsiisoHandle *handle;
  OsiisoGroup  *group;
} Work;

static gboolean
block_for_task (Work    *work,
                GError **error)
{
  return osiiso_handle_wait (work->handle, -1, NULL, error);
}

static gboolean
block_for_group (Work    *work,
                 GError **error)
{
  g_autoptr (OsiisoRunSummary) summary = osiiso_group_wait (work->group, -1, NULL, error);

  return summary != NULL;
}

static gboolean
block_for_member (Work    *work,
                  GError **error)
{
  g_autoptr (OsiisoHandle) handle = osiiso_group_next_completed (work->group, -1, NULL, error);

  return handle != NULL;
}

static gboolean
block_for_room (Work    *work,
                GError **error)
{
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (work->queue, test_task_none, NULL, NULL, NULL, error);

  return handle != NULL;
}

/* A queue of another thread, whose context this one does not iterate. */
static gboolean
block_for_work (Work    *work,
                GError **error)
{
  return osiiso_queue_join (work->queue, NULL, error);
}

static gboolean (*const block[]) (Work *, GError **) = {
  block_for_task, block_for_group, block_for_member, block_for_room, block_for_work,
};

static gpointer
make_queue (gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Scene *scene = data;

  g_main_context_push_thread_default (context);
  scene_init (scene, 1);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
scene_init_elsewhere (Scene *self)
{
  g_thread_join (g_thread_new ("maker", make_queue, self));
}

static void
scene_finish_elsewhere (Scene *self)
{
  for (guint i = 0; i < N_QUEUES; i++)
    {
      GMainContext *context = osiiso_queue_get_context (self->queues[i]);

      g_assert_true (osiiso_queue_join (self->queues[i], NULL, NULL));
      g_main_context_ref (context);
      g_object_run_dispose (G_OBJECT (self->queues[i]));
      g_object_unref (self->queues[i]);
      while (g_main_context_iteration (context, FALSE))
        ;
      g_main_context_unref (context);
    }
  alarm (0);
}

/* A task of the first queue waits for one of the main loop. With @early the thread of
 * the test does not block before that one waits. */
static void
block_with (guint    i,
            gboolean early)
{
  const gboolean elsewhere = block[i] == block_for_work;
  OsiisoQueue *loop = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) pending = NULL;
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (GError) error = NULL;
  Actor actor = { .call = actor_wait, .after = early ? 0 : 1 };
  Scene scene;
  Work work;

  if (elsewhere)
    scene_init_elsewhere (&scene);
  else
    scene_init (&scene, 1);
  group = osiiso_queue_new_group (scene.queues[0], NULL);
  actor.member = group;
  actor.target = pending = test_submit (loop, test_task_none, NULL, NULL);
  if (block[i] == block_for_room)
    osiiso_queue_set_size (scene.queues[0], 1);
  scene_add (&scene, &actor);
  scene_start (&scene);
  if (early)
    scene_await (1);

  work = (Work) { scene.queues[0], actor.handle, group };
  if (early)
    {
      g_assert_false (block[i] (&work, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
    }
  else
    {
      g_assert_true (block[i] (&work, &error));
      g_assert_no_error (error);
    }
  test_run_all (loop);
  test_iterate_until (&actor.done);
  if (early)
    actor_assert_ok (&actor);
  else
    actor_assert_refused (&actor, "main context");
  if (elsewhere)
    scene_finish_elsewhere (&scene);
  else
    scene_finish (&scene);
  test_queue_free (loop);
}

static void
test_early (void)
{
  g_test_summary ("A thread that would have to iterate a context cannot block for what waits for a task there");

  for (guint i = 0; i < G_N_ELEMENTS (block); i++)
    block_with (i, TRUE);
}

static void
test_late (void)
{
  g_test_summary ("Nor can a task wait for what runs in a context whose thread blocks for it");

  for (guint i = 0; i < G_N_ELEMENTS (block); i++)
    block_with (i, FALSE);
}

static void
test_limited (void)
{
  OsiisoQueue *loop = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) pending = NULL;
  g_autoptr (GError) error = NULL;
  Actor actor = { .call = actor_wait };
  Scene scene;

  g_test_summary ("It can for a time, after which it goes on");

  scene_init (&scene, 1);
  actor.target = pending = test_submit (loop, test_task_none, NULL, NULL);
  scene_add (&scene, &actor);
  scene_start (&scene);
  scene_await (1);
  g_assert_false (osiiso_handle_wait (actor.handle, 0.01, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  test_run_all (loop);
  scene_finish (&scene);
  actor_assert_ok (&actor);
  test_queue_free (loop);
}

/* A thread with a context of its own, which it iterates. */
typedef struct
{
  GMainContext *context;
  OsiisoQueue  *queue;
  TestGate      made;
  int           over;
} Loop;

static gpointer
iterate (gpointer data)
{
  Loop *self = data;

  g_main_context_push_thread_default (self->context);
  self->queue = test_queue_new ("main-loop");
  test_gate_open (&self->made);
  while (!g_atomic_int_get (&self->over))
    g_main_context_iteration (self->context, TRUE);
  test_queue_free (self->queue);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
test_others (void)
{
  OsiisoQueue *own = test_queue_new ("main-loop");
  Loop loop = { .context = g_main_context_new () };
  g_autoptr (OsiisoHandle) pending = NULL;
  g_autoptr (GError) error = NULL;
  Actor actor = { .call = actor_wait, .after = 1 };
  GThread *thread;
  Scene scene;

  g_test_summary ("Contexts that other threads iterate go on");

  test_gate_init (&loop.made);
  thread = g_thread_new ("loop", iterate, &loop);
  test_gate_pass (&loop.made);
  scene_init (&scene, 1);
  actor.target = pending = test_submit (loop.queue, test_task_none, NULL, NULL);
  scene_add (&scene, &actor);
  scene_start (&scene);
  /* In the graph of waits, because of the other context. */
  g_assert_true (osiiso_handle_wait (actor.handle, -1, NULL, &error));
  g_assert_no_error (error);
  scene_finish (&scene);
  actor_assert_ok (&actor);
  g_atomic_int_set (&loop.over, 1);
  g_main_context_wakeup (loop.context);
  g_thread_join (thread);
  g_main_context_unref (loop.context);
  test_gate_clear (&loop.made);
  test_queue_free (own);
}

static void
test_nobody (void)
{
  OsiisoQueue *loop = test_queue_new ("main-loop");
  Actor actor = { .call = actor_run };
  Scene scene;

  g_test_summary ("A wait that keeps no context from going on is none of the others' business");

  scene_init (&scene, 1);
  actor.work = scene.queues[1];
  scene_add (&scene, &actor);
  scene_start (&scene);
  /* Iterates the only context there is, in which nothing waits for it. */
  g_assert_true (osiiso_queue_join (scene.queues[0], NULL, NULL));
  scene_finish (&scene);
  actor_assert_ok (&actor);
  test_queue_free (loop);
}

void
test_add_wait_contexts (void)
{
  g_test_add_func ("/wait-cycles/thread-early", test_early);
  g_test_add_func ("/wait-cycles/thread-late", test_late);
  g_test_add_func ("/wait-cycles/thread-limited", test_limited);
  g_test_add_func ("/wait-cycles/thread-others", test_others);
  g_test_add_func ("/wait-cycles/thread-nobody", test_nobody);
}
