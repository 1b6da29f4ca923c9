/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-wait-cycles.h"

/* Waits that become hopeless, or hopeful, while they last. */

static void
let_go (OsiisoAttempt **slot)
{
  OsiisoAttempt *attempt;

  while (g_atomic_pointer_get (slot) == NULL)
    g_thread_yield ();
  attempt = *slot;
  *slot = NULL;
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

static void
await_arrived (OsiisoAttempt **slot)
{
  while (g_atomic_pointer_get (slot) == NULL)
    g_thread_yield ();
}

static void
test_fewer_workers (void)
{
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  g_autoptr (OsiisoHandle) pending = NULL;
  const OsiisoTestHooks *hooks = test_manual_clock ();
  Actor waiter;
  Actor upstream;
  Scene scene;

  g_test_summary ("When there are fewer workers a task that has the last one does not wait on, and only that");

  scene_init (&scene, 2);
  waiter = (Actor) { .call = actor_wait };
  upstream = (Actor) { .call = actor_wait, .after = 1, .queue = 1, .other = &waiter };
  scene_add (&scene, &waiter);
  scene_add (&scene, &upstream);
  waiter.target = pending = test_submit (scene.queues[0], test_task_none, NULL, later);
  scene_start (&scene);
  scene_await (2);
  osiiso_queue_set_workers (scene.queues[0], 1);
  scene_await_done (&waiter);
  scene_await_done (&upstream);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_finish (&scene);
  actor_assert_refused (&waiter, "1 workers");
  actor_assert_ok (&upstream);
  g_assert_cmpint (osiiso_handle_get_status (pending), ==, OSIISO_STATUS_SUCCEEDED);
  hooks->clock_set_manual (0);
}

static void
test_fewer_workers_room (void)
{
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  Actor waiter;
  Scene scene;

  g_test_summary ("The same for a task that waits for room");

  scene_init (&scene, 2);
  osiiso_queue_set_size (scene.queues[0], 2);
  waiter = (Actor) { .call = actor_submit, .work = scene.queues[0] };
  scene_add (&scene, &waiter);
  test_submit_and_drop (scene.queues[0], test_task_none, NULL, later);
  scene_start (&scene);
  scene_await (1);
  osiiso_queue_set_workers (scene.queues[0], 1);
  scene_await_done (&waiter);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_finish (&scene);
  actor_assert_refused (&waiter, "last worker");
  hooks->clock_set_manual (0);
}

static void
test_fewer_workers_group (void)
{
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  const OsiisoTestHooks *hooks = test_manual_clock ();

  g_test_summary ("The same for a task that waits for a group, or the next member of one");

  for (guint next = 0; next < 2; next++)
    {
      OsiisoGroup *group;
      Actor waiter;
      Scene scene;

      scene_init (&scene, 2);
      group = osiiso_queue_new_group (scene.queues[0], NULL);
      g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, later, NULL));
      waiter = (Actor) { .call = next ? actor_next : actor_wait_group, .group = group };
      scene_add (&scene, &waiter);
      scene_start (&scene);
      scene_await (1);
      osiiso_queue_set_workers (scene.queues[0], 1);
      scene_await_done (&waiter);
      hooks->clock_advance (10 * G_USEC_PER_SEC);
      scene_finish (&scene);
      actor_assert_refused (&waiter, "1 workers");
      g_object_unref (group);
    }
  hooks->clock_set_manual (0);
}

static void
test_still_runs (void)
{
  OsiisoAttempt *running = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  Actor before;
  Actor after;
  Actor other;
  Scene scene;

  g_test_summary ("What runs already needs no worker: it can be waited for with the last one");

  scene_init (&scene, 3);
  handle = test_submit (scene.queues[0], test_task_defer, &running, NULL);
  before = (Actor) { .call = actor_wait, .target = handle };
  after = (Actor) { .call = actor_wait, .target = handle, .after = 2 };
  other = (Actor) { .call = actor_wait, .target = handle, .queue = 1 };
  scene_add (&scene, &before);
  scene_add (&scene, &after);
  scene_start (&scene);
  await_arrived (&running);
  scene_await (1);
  while (osiiso_queue_get_active_count (scene.queues[0]) < 3)
    g_thread_yield ();
  osiiso_queue_set_workers (scene.queues[0], 1);
  scene_add (&scene, &other);
  scene_await (3);
  let_go (&running);
  scene_finish (&scene);
  actor_assert_ok (&before);
  actor_assert_ok (&after);
  actor_assert_ok (&other);
}

static void
fail_once (OsiisoAttempt *attempt,
           gpointer       location)
{
  if (osiiso_attempt_get_number (attempt) == 1)
    test_task_defer (attempt, location);
}

static void
test_retried (void)
{
  g_autoptr (OsiisoTaskOptions) again = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *running = NULL;
  Actor waiter;
  Scene scene;

  g_test_summary ("When it has to be run again it does need one");

  scene_init (&scene, 2);
  handle = test_submit (scene.queues[0], fail_once, &running, again);
  waiter = (Actor) { .call = actor_wait, .target = handle };
  scene_add (&scene, &waiter);
  scene_start (&scene);
  scene_await (1);
  await_arrived (&running);
  osiiso_queue_set_workers (scene.queues[0], 1);
  g_assert_cmpint (waiter.done, ==, 0);
  osiiso_attempt_return_new_error (running, G_IO_ERROR, G_IO_ERROR_FAILED, "not yet");
  osiiso_attempt_unref (running);
  scene_finish (&scene);
  actor_assert_refused (&waiter, "1 workers");
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
}

static void
test_new_member (void)
{
  OsiisoAttempt *running = NULL;
  OsiisoGroup *group;
  Actor waiter;
  Scene scene;

  g_test_summary ("Who waits for a group looks again when it grows");

  scene_init (&scene, 2);
  group = osiiso_queue_new_group (scene.queues[0], NULL);
  g_object_unref (osiiso_group_submit (group, test_task_defer, &running, NULL, NULL, NULL));
  waiter = (Actor) { .call = actor_wait_group, .group = group };
  scene_add (&scene, &waiter);
  scene_start (&scene);
  scene_await (1);
  await_arrived (&running);
  osiiso_queue_set_workers (scene.queues[0], 1);
  g_assert_cmpint (waiter.done, ==, 0);
  g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL));
  scene_await_done (&waiter);
  let_go (&running);
  scene_finish (&scene);
  actor_assert_refused (&waiter, "1 workers");
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 2);
  g_object_unref (group);
}

static void
test_new_member_waits (void)
{
  OsiisoAttempt *running = NULL;
  OsiisoGroup *group;
  Actor waiter;
  Actor member;
  Scene scene;

  g_test_summary ("A member that came later cannot wait for who waits for the group either");

  scene_init (&scene, 4);
  group = osiiso_queue_new_group (scene.queues[0], NULL);
  g_object_unref (osiiso_group_submit (group, test_task_defer, &running, NULL, NULL, NULL));
  waiter = (Actor) { .call = actor_wait_group, .group = group };
  member = (Actor) { .call = actor_wait, .other = &waiter, .member = group };
  scene_add (&scene, &waiter);
  scene_start (&scene);
  scene_await (1);
  scene_add (&scene, &member);
  scene_await_done (&member);
  let_go (&running);
  scene_finish (&scene);
  actor_assert_ok (&waiter);
  actor_assert_refused (&member, NULL);
  g_object_unref (group);
}

static void
test_interrupted (void)
{
  g_autoptr (OsiisoHandle) never = NULL;
  g_autoptr (OsiisoHandle) child = NULL;
  OsiisoAttempt *running = NULL;
  Actor stuck;
  Actor waiter;
  Scene scene;

  g_test_summary ("A task that was cancelled and waits on does not count: another thread has its place");

  scene_init (&scene, 2);
  never = test_submit (scene.queues[0], test_task_defer, &running, NULL);
  stuck = (Actor) { .call = actor_wait, .target = never };
  waiter = (Actor) { .call = actor_wait, .after = 1 };
  scene_add (&scene, &stuck);
  scene_add (&scene, &waiter);
  waiter.target = child = test_submit (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_await (1);
  g_assert_true (osiiso_handle_cancel (stuck.handle));
  /* Now it runs in the place of that one. */
  scene_await (2);
  let_go (&running);
  scene_finish (&scene);
  actor_assert_ok (&stuck);
  actor_assert_ok (&waiter);
}

static void
test_interrupted_waits (void)
{
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  g_autoptr (OsiisoHandle) pending = NULL;
  const OsiisoTestHooks *hooks = test_manual_clock ();
  Actor stuck;
  Scene scene;

  g_test_summary ("Nor is it refused when there are fewer workers");

  scene_init (&scene, 2);
  stuck = (Actor) { .call = actor_wait };
  scene_add (&scene, &stuck);
  stuck.target = pending = test_submit (scene.queues[0], test_task_none, NULL, later);
  scene_start (&scene);
  scene_await (1);
  g_assert_true (osiiso_handle_cancel (stuck.handle));
  osiiso_queue_set_workers (scene.queues[0], 1);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_finish (&scene);
  actor_assert_ok (&stuck);
  hooks->clock_set_manual (0);
}

typedef struct
{
  OsiisoHandle *handle;
  TestGate      gate;
  GError       *error;
  int           waited;
} Twice;

static void
wait_for_second (OsiisoAttempt *attempt,
                 gpointer       data)
{
  Twice *twice = data;

  if (osiiso_attempt_get_number (attempt) > 1)
    {
      scene_await (1);
      return;
    }
  test_gate_pass (&twice->gate);
  osiiso_handle_wait (twice->handle, -1, NULL, &twice->error);
  g_atomic_int_set (&twice->waited, 1);
}

static void
test_second_attempt (void)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "timeout", 5.0, NULL);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  Twice twice = { NULL };
  Scene scene;

  g_test_summary ("The function of an attempt that timed out can wait for the next attempt");

  scene_init (&scene, 2);
  test_gate_init (&twice.gate);
  twice.handle = test_submit (scene.queues[0], wait_for_second, &twice, options);
  scene_start (&scene);
  test_gate_await (&twice.gate, 1);
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  test_gate_open (&twice.gate);
  test_iterate_until (&twice.waited);
  scene_finish (&scene);
  g_assert_no_error (twice.error);
  g_assert_cmpint (osiiso_handle_get_status (twice.handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_object_unref (twice.handle);
  test_gate_clear (&twice.gate);
  hooks->clock_set_manual (0);
}

/* Tasks that end by themselves. */
static void
end_in_time (OsiisoTaskOptions *options,
             double             run_timeout)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoRunSummary) summary = NULL;
  Actor limited;
  Actor other;
  Scene scene;
  GAsyncResult *result = NULL;

  scene_init (&scene, 2);
  limited = (Actor) { .call = actor_wait, .other = &other, .options = options };
  other = (Actor) { .call = actor_wait, .after = 1, .queue = 1, .other = &limited };
  scene_add (&scene, &limited);
  scene_add (&scene, &other);
  osiiso_queue_set_timeout (scene.queues[0], run_timeout);
  osiiso_queue_run_async (scene.queues[0], NULL, test_store_result, &result);
  scene_start (&scene);
  scene_await (2);
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  summary = osiiso_queue_run_finish (scene.queues[0], result, NULL);
  g_clear_object (&result);
  scene_finish (&scene);
  g_assert_cmpint (osiiso_handle_get_status (limited.handle), !=, OSIISO_STATUS_SUCCEEDED);
  actor_assert_ok (&limited);
  actor_assert_ok (&other);
  hooks->clock_set_manual (0);
}

static void
test_time_limit (void)
{
  g_autoptr (OsiisoTaskOptions) timeout = test_options_new ("timeout", 5.0, NULL);
  g_autoptr (OsiisoTaskOptions) deadline = test_options_new ("deadline", 5.0, NULL);

  g_test_summary ("A task whose time will be over can be waited for by what it waits for");

  end_in_time (timeout, 0);
  end_in_time (deadline, 0);
  end_in_time (NULL, 5);
}

static void
test_limit_lifted (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GAsyncResult *result = NULL;
  Actor limited;
  Actor other;
  Scene scene;

  g_test_summary ("When the run that would have ended it is not waited for any longer, one of them is refused");

  scene_init (&scene, 2);
  limited = (Actor) { .call = actor_wait, .other = &other };
  other = (Actor) { .call = actor_wait, .after = 1, .queue = 1, .other = &limited };
  scene_add (&scene, &limited);
  scene_add (&scene, &other);
  osiiso_queue_set_timeout (scene.queues[0], 5);
  osiiso_queue_run_async (scene.queues[0], cancellable, test_store_result, &result);
  scene_start (&scene);
  scene_await (2);
  g_cancellable_cancel (cancellable);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (osiiso_queue_run_finish (scene.queues[0], result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_object (&result);
  scene_finish (&scene);
  actor_assert_ok (&limited);
  actor_assert_refused (&other, NULL);
  hooks->clock_set_manual (0);
}

static void
test_timed_wait (void)
{
  Actor timed;
  Actor other;
  Scene scene;

  g_test_summary ("A wait with a timeout ends by itself, so what it waits for can wait for its task");

  scene_init (&scene, 2);
  timed = (Actor) { .call = actor_wait, .other = &other, .after = 1, .timeout = 0.001 };
  other = (Actor) { .call = actor_wait, .queue = 1, .other = &timed };
  scene_add (&scene, &timed);
  scene_add (&scene, &other);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_timed_out (&timed);
  actor_assert_ok (&other);
}

static void
test_timed_alone (void)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 3600.0, NULL);
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor alone;
  Scene scene;

  g_test_summary ("What only the task itself keeps from ending is refused all the same");

  scene_init (&scene, 1);
  alone = (Actor) { .call = actor_wait, .timeout = 3600, .options = options };
  scene_add (&scene, &alone);
  alone.target = pending = test_submit (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_refused (&alone, "1 workers");
}

static gboolean
wait_cancellably (Actor   *self,
                  GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  return osiiso_handle_wait (self->other->handle, -1, cancellable, error);
}

static void
test_cancellable (void)
{
  Actor actors[2];
  Scene scene;

  g_test_summary ("A cancellable changes nothing: nobody knows whether it will be cancelled");

  scene_init (&scene, 2);
  for (guint i = 0; i < 2; i++)
    {
      actors[i] = (Actor) { .call = wait_cancellably, .after = i, .other = &actors[1 - i] };
      scene_add (&scene, &actors[i]);
    }
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&actors[0]);
  actor_assert_refused (&actors[1], NULL);
}

static gpointer
resume_later (gpointer queue)
{
  /* The owner waits, or is about to: it makes no difference. */
  osiiso_queue_resume (queue);
  return NULL;
}

static void
test_paused (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;

  g_test_summary ("A queue that is paused can be waited for: another thread may resume it");

  osiiso_queue_pause (queue);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_false (osiiso_handle_wait (handle, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  thread = g_thread_new ("resume", resume_later, queue);
  g_assert_true (osiiso_handle_wait (handle, -1, NULL, &error));
  g_assert_no_error (error);
  g_thread_join (thread);
  test_queue_free (queue);
}

void
test_add_wait_changes (void)
{
  g_test_add_func ("/wait-cycles/fewer-workers/task", test_fewer_workers);
  g_test_add_func ("/wait-cycles/fewer-workers/room", test_fewer_workers_room);
  g_test_add_func ("/wait-cycles/fewer-workers/group", test_fewer_workers_group);
  g_test_add_func ("/wait-cycles/still-runs", test_still_runs);
  g_test_add_func ("/wait-cycles/retried", test_retried);
  g_test_add_func ("/wait-cycles/new-member", test_new_member);
  g_test_add_func ("/wait-cycles/new-member-waits", test_new_member_waits);
  g_test_add_func ("/wait-cycles/interrupted", test_interrupted);
  g_test_add_func ("/wait-cycles/interrupted-waits", test_interrupted_waits);
  g_test_add_func ("/wait-cycles/second-attempt", test_second_attempt);
  g_test_add_func ("/wait-cycles/time-limit", test_time_limit);
  g_test_add_func ("/wait-cycles/limit-lifted", test_limit_lifted);
  g_test_add_func ("/wait-cycles/timed-wait", test_timed_wait);
  g_test_add_func ("/wait-cycles/timed-alone", test_timed_alone);
  g_test_add_func ("/wait-cycles/cancellable", test_cancellable);
  g_test_add_func ("/wait-cycles/paused", test_paused);
}
