/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-wait-cycles.h"

/* What is waited for may end without who waits for it: no such wait is refused. */

/* A wait that begins when the test says so. */
static TestGate gate;

static gboolean
wait_later (Actor   *self,
            GError **error)
{
  test_gate_pass (&gate);
  return actor_wait (self, error);
}

static void
shut_down_cb (GObject      *queue,
              GAsyncResult *result,
              gpointer      done)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_shutdown_finish (OSIISO_QUEUE (queue), result, &error));
  g_assert_no_error (error);
  g_atomic_int_set ((int *) done, 1);
}

/* Two tasks that wait for each other, of which the first one is ended from outside. */
static void
test_shutdown (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  int over = 0;
  Actor first;
  Actor second;
  Scene scene;

  g_test_summary ("A task of a queue that is shut down in a time is waited for even by whom it waits for");

  test_gate_init (&gate);
  scene_init (&scene, 2);
  first = (Actor) { .call = actor_wait, .other = &second };
  second = (Actor) { .call = wait_later, .queue = 1, .other = &first };
  scene_add (&scene, &first);
  scene_add (&scene, &second);
  scene_start (&scene);
  scene_await (1);
  osiiso_queue_set_shutdown_timeout (scene.queues[0], 10);
  osiiso_queue_shutdown_async (scene.queues[0], FALSE, NULL, shut_down_cb, &over);
  test_gate_open (&gate);
  scene_await (2);
  g_assert_cmpint (g_atomic_int_get (&second.done), ==, 0);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_finish (&scene);
  test_iterate_until (&over);
  g_assert_cmpint (osiiso_handle_get_status (first.handle), ==, OSIISO_STATUS_CANCELLED);
  actor_assert_ok (&second);
  actor_assert_ok (&first);
  test_gate_clear (&gate);
  hooks->clock_set_manual (0);
}

typedef struct
{
  OsiisoRunSummary *summary;
  int               over;
} Run;

static void
run_cb (GObject      *queue,
        GAsyncResult *result,
        gpointer      data)
{
  Run *self = data;
  g_autoptr (GError) error = NULL;

  self->summary = osiiso_queue_run_full_finish (OSIISO_QUEUE (queue), result, &error);
  g_assert_no_error (error);
  g_atomic_int_set (&self->over, 1);
}

/* The first task is in a run with a time limit. */
static void
run_out (OsiisoTimeoutPolicy policy,
         gboolean            must_complete)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", must_complete, NULL);
  const gboolean cut = policy == OSIISO_TIMEOUT_POLICY_CANCEL || !must_complete;
  Run run = { NULL, 0 };
  Actor first;
  Actor second;
  Scene scene;

  test_gate_init (&gate);
  scene_init (&scene, 2);
  first = (Actor) { .call = actor_wait, .other = &second, .options = options };
  second = (Actor) { .call = wait_later, .queue = 1, .other = &first };
  scene_add (&scene, &first);
  scene_add (&scene, &second);
  osiiso_queue_set_on_timeout (scene.queues[0], policy);
  osiiso_queue_run_full_async (scene.queues[0], 10, OSIISO_FAIL_POLICY_CONTINUE, NULL, run_cb, &run);
  g_assert_true (osiiso_queue_start (scene.queues[1], NULL));
  scene_await (1);
  test_gate_open (&gate);
  if (cut)
    {
      scene_await (2);
      g_assert_cmpint (g_atomic_int_get (&second.done), ==, 0);
      hooks->clock_advance (10 * G_USEC_PER_SEC);
    }
  test_iterate_until (&run.over);
  scene_finish (&scene);
  g_assert_cmpint (osiiso_run_summary_get_timed_out (run.summary), ==, cut);
  g_assert_cmpint (osiiso_handle_get_status (first.handle), ==, cut ? OSIISO_STATUS_CANCELLED : OSIISO_STATUS_SUCCEEDED);
  g_object_unref (run.summary);
  if (cut)
    actor_assert_ok (&second);
  else
    actor_assert_refused (&second, "wait for it");
  actor_assert_ok (&first);
  test_gate_clear (&gate);
  hooks->clock_set_manual (0);
}

static void
test_run_limited (void)
{
  g_test_summary ("So is one of a run whose time will be over, unless it is one that has to be completed");

  run_out (OSIISO_TIMEOUT_POLICY_CANCEL, TRUE);
  run_out (OSIISO_TIMEOUT_POLICY_CANCEL, FALSE);
  run_out (OSIISO_TIMEOUT_POLICY_COMPLETE, FALSE);
  run_out (OSIISO_TIMEOUT_POLICY_COMPLETE, TRUE);
}

static void
test_halted (void)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) failing = NULL;
  Run run = { NULL, 0 };
  Actor first;
  Actor second;
  Scene scene;

  g_test_summary ("A task that has to be completed goes on in a queue that has halted, and can be waited for no less");

  test_gate_init (&gate);
  scene_init (&scene, 2);
  first = (Actor) { .call = actor_wait, .other = &second, .options = options };
  second = (Actor) { .call = wait_later, .queue = 1, .other = &first };
  scene_add (&scene, &first);
  scene_add (&scene, &second);
  osiiso_queue_run_full_async (scene.queues[0], 0, OSIISO_FAIL_POLICY_FAIL_FIRST, NULL, run_cb, &run);
  g_assert_true (osiiso_queue_start (scene.queues[1], NULL));
  scene_await (1);
  failing = test_submit (scene.queues[0], test_task_fail, NULL, NULL);
  test_await_status (failing, OSIISO_STATUS_FAILED);
  g_assert_null (osiiso_queue_submit (scene.queues[0], test_task_none, NULL, NULL, NULL, NULL));
  test_gate_open (&gate);
  test_iterate_until (&run.over);
  scene_finish (&scene);
  g_object_unref (run.summary);
  g_assert_cmpint (osiiso_handle_get_status (first.handle), ==, OSIISO_STATUS_SUCCEEDED);
  actor_assert_refused (&second, NULL);
  actor_assert_ok (&first);
  test_gate_clear (&gate);
}

/* A task of one worker waits for a second one, and that for a task that waits for the
 * worker. */
static void
wait_for_pending (const char *property,
                  gboolean    ends)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new (property, 10.0, NULL);
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor waiter;
  Actor last;
  Scene scene;

  scene_init (&scene, 1);
  waiter = (Actor) { .call = actor_wait, .other = &last };
  last = (Actor) { .call = actor_wait, .after = 1, .queue = 1 };
  scene_add (&scene, &waiter);
  scene_add (&scene, &last);
  last.target = pending = test_submit (scene.queues[0], test_task_none, NULL, options);
  scene_start (&scene);
  if (ends)
    {
      scene_await (2);
      hooks->clock_advance (10 * G_USEC_PER_SEC);
    }
  scene_finish (&scene);
  actor_assert_ok (&waiter);
  if (ends)
    actor_assert_ok (&last);
  else
    actor_assert_refused (&last, "1 workers");
  g_assert_cmpint (osiiso_handle_get_status (pending), ==, ends ? OSIISO_STATUS_FAILED : OSIISO_STATUS_SUCCEEDED);
  hooks->clock_set_manual (0);
}

static void
test_pending (void)
{
  g_test_summary ("A deadline ends a task that gets no worker, but the timeout of its attempts does not");

  wait_for_pending ("deadline", TRUE);
  wait_for_pending ("timeout", FALSE);
}

static void
test_member (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 10.0, NULL);
  OsiisoGroup *group;
  Actor member;
  Actor waiter;
  Scene scene;

  g_test_summary ("A member that has a timeout may wait for who waits for the group");

  for (guint next = 0; next < 2; next++)
    {
      scene_init (&scene, 2);
      group = osiiso_queue_new_group (scene.queues[0], NULL);
      member = (Actor) { .call = actor_wait, .other = &waiter, .member = group, .options = options };
      waiter = (Actor) { .call = next ? actor_next : actor_wait_group, .after = 1, .queue = 1, .group = group };
      scene_add (&scene, &member);
      scene_add (&scene, &waiter);
      scene_start (&scene);
      scene_await (2);
      hooks->clock_advance (10 * G_USEC_PER_SEC);
      scene_finish (&scene);
      g_assert_cmpint (osiiso_handle_get_status (member.handle), ==, OSIISO_STATUS_FAILED);
      actor_assert_ok (&waiter);
      actor_assert_ok (&member);
      g_object_unref (group);
    }
  hooks->clock_set_manual (0);
}

static void
test_other_group (void)
{
  OsiisoGroup *large;
  OsiisoGroup *small;
  Actor third;
  Actor waiter;
  Scene scene;

  g_test_summary ("A member of another group, of whatever place, is not in the group that is waited for");

  scene_init (&scene, 4);
  small = osiiso_queue_map (scene.queues[0], 1, test_task_none, NULL, NULL, NULL, NULL);
  large = osiiso_queue_map (scene.queues[0], 2, test_task_none, NULL, NULL, NULL, NULL);
  /* Waits for who waits for the small group, while there is a worker for that. */
  third = (Actor) { .call = actor_wait, .member = large, .other = &waiter };
  waiter = (Actor) { .call = actor_wait_group, .after = 1, .queue = 1, .group = small };
  scene_add (&scene, &third);
  scene_add (&scene, &waiter);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&third);
  actor_assert_ok (&waiter);

  scene_init (&scene, 4);
  g_object_unref (large);
  g_object_unref (small);
  small = osiiso_queue_map (scene.queues[0], 1, test_task_none, NULL, NULL, NULL, NULL);
  large = osiiso_queue_map (scene.queues[0], 2, test_task_none, NULL, NULL, NULL, NULL);
  third = (Actor) { .call = actor_wait_group, .member = large, .group = small };
  scene_add (&scene, &third);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&third);
  g_object_unref (large);
  g_object_unref (small);
}

/* Goes on although it was interrupted. */
static gboolean
wait_when_cancelled (Actor   *self,
                     GError **error)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (self->attempt);

  while (!g_cancellable_is_cancelled (cancellable))
    g_thread_yield ();
  return self->group != NULL && actor_wait_group (self, error);
}

static void
test_interrupted_member (void)
{
  OsiisoAttempt *attempt = NULL;
  OsiisoGroup *group;
  Actor member;
  Scene scene;

  g_test_summary ("A member that was cancelled is over, and may wait for its group");

  scene_init (&scene, 4);
  group = osiiso_queue_new_group (scene.queues[0], NULL);
  g_object_unref (osiiso_group_submit (group, test_task_defer, &attempt, NULL, NULL, NULL));
  member = (Actor) { .call = wait_when_cancelled, .member = group, .group = group };
  scene_add (&scene, &member);
  scene_start (&scene);
  test_await_status (member.handle, OSIISO_STATUS_RUNNING);
  g_assert_true (osiiso_handle_cancel (member.handle));
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_thread_yield ();
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  scene_finish (&scene);
  g_assert_cmpint (osiiso_handle_get_status (member.handle), ==, OSIISO_STATUS_CANCELLED);
  actor_assert_ok (&member);
  g_object_unref (group);
}

/* A run with a time limit of a queue in which a task waits for who runs it. */
static void
test_cuts (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();

  g_test_summary ("A task can run a queue for a time in which one waits for it, if that will be cancelled");

  for (guint must_complete = 0; must_complete < 2; must_complete++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", must_complete != 0, NULL);
      Actor waiter;
      Actor runner;
      Scene scene;

      scene_init (&scene, 2);
      osiiso_queue_set_on_timeout (scene.queues[1], OSIISO_TIMEOUT_POLICY_COMPLETE);
      waiter = (Actor) { .call = actor_wait, .queue = 1, .other = &runner, .options = options };
      runner = (Actor) { .call = actor_run, .after = 1, .work = scene.queues[1], .timeout = 10 };
      scene_add (&scene, &waiter);
      scene_add (&scene, &runner);
      scene_start (&scene);
      if (must_complete)
        {
          scene_finish (&scene);
          actor_assert_refused (&runner, NULL);
        }
      else
        {
          scene_await (2);
          /* Its time begins a moment after its wait. */
          while (!g_atomic_int_get (&runner.done))
            {
              hooks->clock_advance (10 * G_USEC_PER_SEC);
              g_thread_yield ();
            }
          scene_finish (&scene);
          g_assert_cmpint (osiiso_handle_get_status (waiter.handle), ==, OSIISO_STATUS_CANCELLED);
          actor_assert_ok (&runner);
        }
      actor_assert_ok (&waiter);
    }
  hooks->clock_set_manual (0);
}

/* One thread in several waits holds one worker. */
typedef struct
{
  OsiisoQueue *inner;
  Actor       *other;
} Nested;

static void
wait_inside (OsiisoAttempt *attempt,
             gpointer       data)
{
  Nested *nested = data;
  GError *error = NULL;

  g_assert_true (osiiso_handle_wait (nested->other->handle, -1, NULL, &error));
  g_assert_no_error (error);
}

static gboolean
run_inner (Actor   *self,
           GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Nested nested = { NULL, self->other };

  g_main_context_push_thread_default (context);
  nested.inner = test_queue_new ("main-loop");
  test_submit_and_drop (nested.inner, wait_inside, &nested, NULL);
  test_run_all (nested.inner);
  g_object_run_dispose (G_OBJECT (nested.inner));
  g_object_unref (nested.inner);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
  return TRUE;
}

static void
test_counted_once (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();

  g_test_summary ("A thread that is in two waits has one worker, and is one member");

  for (guint next = 0; next < 2; next++)
    {
      g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
      g_autoptr (OsiisoHandle) pending = NULL;
      g_autoptr (OsiisoGroup) group = NULL;
      Actor outer;
      Actor other;
      Scene scene;

      scene_init (&scene, 2);
      group = osiiso_queue_new_group (scene.queues[0], NULL);
      outer = (Actor) { .call = run_inner, .other = &other, .member = group };
      other = (Actor) { .call = next ? actor_next : actor_wait, .after = 2, .queue = 1, .group = group };
      scene_add (&scene, &outer);
      scene_add (&scene, &other);
      other.target = pending = osiiso_group_submit (group, test_task_none, NULL, NULL, later, NULL);
      scene_start (&scene);
      scene_await (3);
      hooks->clock_advance (10 * G_USEC_PER_SEC);
      scene_finish (&scene);
      actor_assert_ok (&outer);
      actor_assert_ok (&other);
    }
  hooks->clock_set_manual (0);
}

/* The initializer has the only worker, and no task is in it. */
static gboolean
initialize (gpointer  other,
            GError  **error)
{
  return osiiso_handle_wait (((Actor *) other)->handle, -1, NULL, error);
}

static void
test_work_without_worker (void)
{
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor other;
  Scene scene;

  g_test_summary ("Work that waits for the worker of an initializer cannot be joined by whom that waits for");

  scene_init (&scene, 1);
  other = (Actor) { .call = actor_join, .after = 1, .queue = 1, .work = scene.queues[0] };
  g_assert_true (osiiso_queue_set_initializer (scene.queues[0], initialize, &other, NULL, NULL));
  scene_add (&scene, &other);
  pending = test_submit (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_refused (&other, "1 workers");
  g_assert_cmpint (osiiso_handle_get_status (pending), ==, OSIISO_STATUS_SUCCEEDED);
}

static void
test_line_moves (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  OsiisoGroup *group;
  Actor holder;
  Actor first;
  Actor second;
  Scene scene;

  g_test_summary ("Who waits for the next member gets it when one in front is refused, which is the one without whom most go on");

  scene_init (&scene, 2);
  group = osiiso_queue_new_group (scene.queues[0], NULL);
  holder = (Actor) { .call = actor_wait, .other = &first };
  first = (Actor) { .call = actor_next, .after = 1, .queue = 1, .group = group };
  second = (Actor) { .call = actor_next, .after = 2, .queue = 1, .group = group };
  scene_add (&scene, &holder);
  scene_add (&scene, &first);
  scene_add (&scene, &second);
  for (guint i = 0; i < 2; i++)
    g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, later, NULL));
  scene_start (&scene);
  scene_await (3);
  osiiso_queue_set_workers (scene.queues[0], 1);
  scene_await_done (&first);
  scene_await_done (&holder);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_finish (&scene);
  actor_assert_refused (&first, NULL);
  actor_assert_ok (&holder);
  actor_assert_ok (&second);
  g_object_unref (group);
  hooks->clock_set_manual (0);
}

static GMainContext *own_context;

/* Iterates a context of its own while it waits. */
static gboolean
join_own (Actor   *self,
          GError **error)
{
  GMainContext *context = own_context = g_main_context_new ();
  Nested nested = { NULL, NULL };
  Actor inside = { .call = actor_wait, .target = self->target, .queues = self->queues };
  gboolean ok;

  g_main_context_push_thread_default (context);
  nested.inner = test_queue_new ("thread-pool");
  inside.handle = NULL;
  self->work = nested.inner;
  test_submit_and_drop (nested.inner, self->func, &inside, NULL);
  g_assert_true (osiiso_queue_start (nested.inner, NULL));
  scene_await (1);
  ok = osiiso_queue_join (nested.inner, NULL, error);
  /* What it waited for goes on, and ends once this has let go of its worker. */
  self->work = g_steal_pointer (&nested.inner);
  g_main_context_pop_thread_default (context);
  return ok;
}

static void
wait_for_target (OsiisoAttempt *attempt,
                 gpointer       data)
{
  g_autoptr (OsiisoHandle) target = g_object_ref (((Actor *) data)->target);
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_handle_wait (target, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_wakes_context (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 10.0, NULL);
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor joiner;
  Scene scene;

  g_test_summary ("A wait that iterates a context is woken when it is refused");

  scene_init (&scene, 2);
  joiner = (Actor) { .call = join_own, .func = wait_for_target };
  scene_add (&scene, &joiner);
  joiner.target = pending = test_submit (scene.queues[0], test_task_none, NULL, later);
  scene_start (&scene);
  scene_await (2);
  osiiso_queue_set_workers (scene.queues[0], 1);
  scene_await_done (&joiner);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  scene_await (0);
  g_assert_true (osiiso_queue_shutdown (joiner.work, FALSE, NULL, NULL));
  g_object_run_dispose (G_OBJECT (joiner.work));
  g_object_unref (joiner.work);
  /* It lets go of its context, and of the thread that made it, there. */
  while (g_main_context_iteration (own_context, FALSE))
    ;
  g_clear_pointer (&own_context, g_main_context_unref);
  scene_finish (&scene);
  actor_assert_refused (&joiner, NULL);
  hooks->clock_set_manual (0);
}

void
test_add_wait_ends (void)
{
  g_test_add_func ("/wait-cycles/ends/shutdown", test_shutdown);
  g_test_add_func ("/wait-cycles/ends/run", test_run_limited);
  g_test_add_func ("/wait-cycles/ends/halted", test_halted);
  g_test_add_func ("/wait-cycles/ends/pending", test_pending);
  g_test_add_func ("/wait-cycles/ends/member", test_member);
  g_test_add_func ("/wait-cycles/ends/other-group", test_other_group);
  g_test_add_func ("/wait-cycles/ends/interrupted-member", test_interrupted_member);
  g_test_add_func ("/wait-cycles/ends/cuts", test_cuts);
  g_test_add_func ("/wait-cycles/ends/counted-once", test_counted_once);
  g_test_add_func ("/wait-cycles/ends/work-without-worker", test_work_without_worker);
  g_test_add_func ("/wait-cycles/ends/line-moves", test_line_moves);
  g_test_add_func ("/wait-cycles/ends/wakes-context", test_wakes_context);
}
