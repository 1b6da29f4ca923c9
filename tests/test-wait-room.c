/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-wait-cycles.h"

/* Waits for room in a queue that depend on other queues. */

static void
wait_in_loop (OsiisoAttempt *attempt,
              gpointer       other)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_handle_wait (((Actor *) other)->handle, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_context (void)
{
  OsiisoQueue *loop = test_queue_new ("main-loop");
  OsiisoQueue *full = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) inside = NULL;
  Actor comer;
  Scene scene;

  g_test_summary ("No room comes in a queue of a main context that is blocked by a task which waits for who wants it");

  scene_init (&scene, 1);
  osiiso_queue_set_size (full, 1);
  inside = test_submit (full, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (full, NULL));
  comer = (Actor) { .call = actor_submit, .after = 1, .work = full };
  scene_add (&scene, &comer);
  test_submit_and_drop (loop, wait_in_loop, &comer, NULL);
  scene_start (&scene);
  osiiso_queue_pause (full);
  test_run_all (loop);
  osiiso_queue_resume (full);
  scene_finish (&scene);
  actor_assert_refused (&comer, "room that only tasks can make which wait for it");
  g_assert_true (osiiso_queue_join (full, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (inside), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (full), ==, 1);
  test_queue_free (full);
  test_queue_free (loop);
}

static void
test_context_work (void)
{
  OsiisoQueue *loop = test_queue_new ("main-loop");
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor joiner;
  Scene scene;

  g_test_summary ("Nor can such a queue be joined");

  scene_init (&scene, 1);
  pending = test_submit (queue, test_task_none, NULL, NULL);
  joiner = (Actor) { .call = actor_join, .after = 1, .work = queue };
  scene_add (&scene, &joiner);
  test_submit_and_drop (loop, wait_in_loop, &joiner, NULL);
  scene_start (&scene);
  osiiso_queue_pause (queue);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_run_all (loop);
  osiiso_queue_resume (queue);
  scene_finish (&scene);
  actor_assert_refused (&joiner, "main context");
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (pending), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
  test_queue_free (loop);
}

/* Two bounded queues, of which each has a task that wants room in the other one. */
static void
test_two_queues (void)
{
  Actor actors[2];
  Scene scene;

  g_test_summary ("Of two full queues whose tasks want room in each other's the second one is refused");

  scene_init (&scene, 2);
  for (guint i = 0; i < 2; i++)
    {
      osiiso_queue_set_size (scene.queues[i], 1);
      actors[i] = (Actor) { .call = actor_submit, .after = i, .queue = i, .work = scene.queues[1 - i] };
      scene_add (&scene, &actors[i]);
    }
  scene_start (&scene);
  scene_finish (&scene);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (osiiso_handle_get_attempts (actors[i].handle), ==, 1);
  actor_assert_ok (&actors[0]);
  actor_assert_refused (&actors[1], "that it and other waiting tasks have");
}

static gboolean
shrink_and_submit (Actor   *self,
                   GError **error)
{
  osiiso_queue_set_size (self->work, 2);
  return actor_submit (self, error);
}

static void
test_shrunk (void)
{
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 0, NULL);
  Actor actor;
  Scene scene;

  g_test_summary ("A queue that is fuller than it may be gets no room from a task that waits for some");

  scene_init (&scene, 1);
  actor = (Actor) { .call = shrink_and_submit, .work = scene.queues[0], .options = urgent };
  scene_add (&scene, &actor);
  for (guint i = 0; i < 4; i++)
    test_submit_and_drop (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_refused (&actor, "last worker");
}

/* One in line that no thread waits for. */
typedef struct
{
  OsiisoHandle *handle;
  int           done;
} Async;

static void
submit_cb (GObject      *queue,
           GAsyncResult *result,
           gpointer      data)
{
  Async *self = data;
  g_autoptr (GError) error = NULL;

  self->handle = osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, &error);
  g_assert_no_error (error);
  g_atomic_int_set (&self->done, 1);
}

static void
test_behind_async (void)
{
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  OsiisoAttempt *filler = NULL;
  Async async = { NULL, 0 };
  Actor actor;
  Scene scene;

  g_test_summary ("A task waits for room behind a call that does not block, and gets it after that");

  scene_init (&scene, 2);
  osiiso_queue_set_size (scene.queues[1], 1);
  test_submit_and_drop (scene.queues[1], test_task_defer, &filler, NULL);
  g_assert_true (osiiso_queue_start (scene.queues[1], NULL));
  osiiso_queue_submit_async (scene.queues[1], test_task_none, NULL, NULL, NULL, NULL, submit_cb, &async);
  g_assert_cmpuint (hooks->queue_n_waiting (scene.queues[1]), ==, 1);
  actor = (Actor) { .call = actor_submit, .work = scene.queues[1] };
  scene_add (&scene, &actor);
  scene_start (&scene);
  scene_await (1);
  g_assert_cmpuint (hooks->queue_n_waiting (scene.queues[1]), ==, 2);
  while (g_atomic_pointer_get (&filler) == NULL)
    g_thread_yield ();
  osiiso_attempt_return_none (filler);
  osiiso_attempt_unref (filler);
  scene_finish (&scene);
  test_iterate_until (&async.done);
  g_assert_cmpint (osiiso_handle_get_status (async.handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_object_unref (async.handle);
  actor_assert_ok (&actor);
}

static void
mapped_cb (GObject      *queue,
           GAsyncResult *result,
           gpointer      done)
{
  g_autoptr (OsiisoGroup) group = osiiso_queue_map_finish (OSIISO_QUEUE (queue), result, NULL);

  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 2);
  g_atomic_int_set ((int *) done, 1);
}

static void
test_grown (void)
{
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  OsiisoAttempt *filler = NULL;
  Async async = { NULL, 0 };
  int mapped = 0;
  Actor actor;
  Scene scene;

  g_test_summary ("All who wait come in when the queue gets larger, whether they block or not, and are one or many");

  scene_init (&scene, 2);
  osiiso_queue_set_size (scene.queues[1], 2);
  test_submit_and_drop (scene.queues[1], test_task_defer, &filler, NULL);
  g_assert_true (osiiso_queue_start (scene.queues[1], NULL));
  osiiso_queue_map_async (scene.queues[1], 2, test_task_none, NULL, NULL, NULL, NULL, mapped_cb, &mapped);
  actor = (Actor) { .call = actor_submit, .work = scene.queues[1] };
  scene_add (&scene, &actor);
  scene_start (&scene);
  scene_await (1);
  osiiso_queue_submit_async (scene.queues[1], test_task_none, NULL, NULL, NULL, NULL, submit_cb, &async);
  g_assert_cmpuint (hooks->queue_n_waiting (scene.queues[1]), ==, 3);
  osiiso_queue_set_size (scene.queues[1], 5);
  g_assert_cmpuint (hooks->queue_n_waiting (scene.queues[1]), ==, 0);
  test_iterate_until (&mapped);
  test_iterate_until (&async.done);
  while (g_atomic_pointer_get (&filler) == NULL)
    g_thread_yield ();
  osiiso_attempt_return_none (filler);
  osiiso_attempt_unref (filler);
  while (osiiso_queue_get_completed_count (scene.queues[1]) < 5)
    g_thread_yield ();
  scene_finish (&scene);
  g_object_unref (async.handle);
  actor_assert_ok (&actor);
}

void
test_add_wait_room (void)
{
  g_test_add_func ("/wait-cycles/room/context", test_context);
  g_test_add_func ("/wait-cycles/room/context-work", test_context_work);
  g_test_add_func ("/wait-cycles/room/two-queues", test_two_queues);
  g_test_add_func ("/wait-cycles/room/shrunk", test_shrunk);
  g_test_add_func ("/wait-cycles/room/behind-async", test_behind_async);
  g_test_add_func ("/wait-cycles/room/grown", test_grown);
}
