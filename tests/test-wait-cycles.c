/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "test-wait-cycles.h"

/* Tasks that wait for each other: who closes the circle is refused, and only that. */

static guint
n_waits (void)
{
  return osiiso_private_test_hooks ()->n_waits ();
}

void
scene_init (Scene *self,
            guint  workers)
{
  /* What waits for ever is a failure, not a test that does not end. */
  alarm (60);
  *self = (Scene) { .n_actors = 0 };
  for (guint i = 0; i < N_QUEUES; i++)
    {
      self->queues[i] = test_queue_new ("thread-pool");
      osiiso_queue_set_workers (self->queues[i], workers);
    }
}

static void
act (OsiisoAttempt *attempt,
     gpointer       data)
{
  Actor *self = data;

  while (n_waits () < self->after)
    g_thread_yield ();
  self->attempt = attempt;
  g_assert_true (self->call (self, &self->error) == (self->error == NULL));
  g_atomic_int_set (&self->done, 1);
}

void
scene_add (Scene *self,
           Actor *actor)
{
  GError *error = NULL;

  g_assert_cmpuint (self->n_actors, <, MAX_ACTORS);
  actor->queues = self->queues;
  if (actor->member != NULL)
    actor->handle = osiiso_group_submit (actor->member, act, actor, NULL, actor->options, &error);
  else
    actor->handle = osiiso_queue_submit (self->queues[actor->queue], act, actor, NULL, actor->options, &error);
  g_assert_no_error (error);
  self->actors[self->n_actors++] = actor;
}

void
scene_start (Scene *self)
{
  /* The first one last: its tasks may shut the other one down. */
  for (guint i = N_QUEUES; i > 0; i--)
    g_assert_true (osiiso_queue_start (self->queues[i - 1], NULL));
}

void
scene_await (guint n)
{
  while (n_waits () != n)
    g_thread_yield ();
}

void
scene_await_done (Actor *actor)
{
  test_iterate_until (&actor->done);
}

void
scene_finish (Scene *self)
{
  for (guint i = 0; i < self->n_actors; i++)
    scene_await_done (self->actors[i]);
  for (guint i = 0; i < N_QUEUES; i++)
    {
      g_assert_true (osiiso_queue_join (self->queues[i], NULL, NULL));
      test_queue_free (self->queues[i]);
    }
  g_assert_cmpuint (n_waits (), ==, 0);
  alarm (0);
}

static void
actor_clear (Actor *self)
{
  g_clear_object (&self->handle);
  g_clear_error (&self->error);
}

void
actor_assert_ok (Actor *self)
{
  g_assert_no_error (self->error);
  actor_clear (self);
}

void
actor_assert_refused (Actor      *self,
                      const char *part)
{
  g_assert_error (self->error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  if (part != NULL)
    g_assert_nonnull (strstr (self->error->message, part));
  actor_clear (self);
}

void
actor_assert_timed_out (Actor *self)
{
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  actor_clear (self);
}

static double
get_timeout (Actor *self)
{
  return self->timeout > 0 ? self->timeout : -1;
}

gboolean
actor_wait (Actor   *self,
            GError **error)
{
  return osiiso_handle_wait (self->target != NULL ? self->target : self->other->handle, get_timeout (self), NULL, error);
}

gboolean
actor_wait_group (Actor   *self,
                  GError **error)
{
  g_autoptr (OsiisoRunSummary) summary = osiiso_group_wait (self->group, get_timeout (self), NULL, error);

  return summary != NULL;
}

gboolean
actor_next (Actor   *self,
            GError **error)
{
  g_autoptr (OsiisoHandle) handle = osiiso_group_next_completed (self->group, get_timeout (self), NULL, error);

  return handle != NULL;
}

gboolean
actor_join (Actor   *self,
            GError **error)
{
  return osiiso_queue_join (self->work, NULL, error);
}

gboolean
actor_run (Actor   *self,
           GError **error)
{
  g_autoptr (OsiisoRunSummary) summary =
    osiiso_queue_run_full (self->work, self->timeout, OSIISO_FAIL_POLICY_CONTINUE, NULL, error);

  return summary != NULL;
}

gboolean
actor_shutdown (Actor   *self,
                GError **error)
{
  return osiiso_queue_shutdown (self->work, self->force, NULL, error);
}

gboolean
actor_submit (Actor   *self,
              GError **error)
{
  g_autoptr (OsiisoHandle) handle =
    osiiso_queue_submit (self->work, self->func != NULL ? self->func : test_task_none, NULL, NULL, NULL, error);

  return handle != NULL;
}

/* Circles. */

static void
wait_around (guint n_actors,
             guint n_queues)
{
  Actor actors[MAX_ACTORS] = { { NULL } };
  Scene scene;

  scene_init (&scene, 4);
  for (guint i = 0; i < n_actors; i++)
    {
      actors[i] = (Actor) {
        .call = actor_wait,
        .after = i,
        .queue = i % n_queues,
        .other = &actors[(i + 1) % n_actors],
      };
      scene_add (&scene, &actors[i]);
    }
  scene_start (&scene);
  scene_finish (&scene);

  for (guint i = 0; i + 1 < n_actors; i++)
    actor_assert_ok (&actors[i]);
  actor_assert_refused (&actors[n_actors - 1], NULL);
}

static void
test_two (void)
{
  g_test_summary ("Of two tasks that wait for each other the second one is refused");

  wait_around (2, 1);
  wait_around (2, 2);
}

static void
test_more (void)
{
  g_test_summary ("However many there are, the last one is refused and the others get what they waited for");

  wait_around (3, 1);
  wait_around (3, 2);
  wait_around (4, 2);
}

static void
test_group (void)
{
  Actor member = { .call = actor_wait, .after = 1, .queue = 1 };
  Actor waiter = { .call = actor_wait_group };
  OsiisoGroup *group;
  Scene scene;

  g_test_summary ("A member of a group cannot wait for a task that waits for the group");

  for (guint turn = 0; turn < 2; turn++)
    {
      scene_init (&scene, 2);
      group = osiiso_queue_map (scene.queues[1], 5, test_task_none, NULL, NULL, NULL, NULL);
      member = (Actor) { .call = actor_wait, .after = 1 - turn, .queue = 1, .other = &waiter, .member = group };
      waiter = (Actor) { .call = actor_wait_group, .after = turn, .group = group };
      scene_add (&scene, &member);
      scene_add (&scene, &waiter);
      scene_start (&scene);
      scene_finish (&scene);
      if (turn == 0)
        {
          actor_assert_ok (&waiter);
          actor_assert_refused (&member, NULL);
        }
      else
        {
          actor_assert_refused (&waiter, NULL);
          actor_assert_ok (&member);
        }
      g_object_unref (group);
    }
}

static void
test_groups (void)
{
  OsiisoGroup *groups[2];
  Actor actors[2];
  Scene scene;

  g_test_summary ("Two members cannot wait for each other's groups");

  scene_init (&scene, 4);
  for (guint i = 0; i < 2; i++)
    groups[i] = osiiso_queue_new_group (scene.queues[i], NULL);
  for (guint i = 0; i < 2; i++)
    {
      actors[i] = (Actor) { .call = actor_wait_group, .after = i, .queue = i, .group = groups[1 - i], .member = groups[i] };
      scene_add (&scene, &actors[i]);
    }
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&actors[0]);
  actor_assert_refused (&actors[1], NULL);
  for (guint i = 0; i < 2; i++)
    g_object_unref (groups[i]);
}

static void
test_next (void)
{
  OsiisoGroup *group;
  OsiisoAttempt *other = NULL;
  Actor member;
  Actor waiter;
  Scene scene;

  g_test_summary ("A member can wait for a task that waits for the next one, as long as there is another one");

  for (guint n_others = 0; n_others < 2; n_others++)
    {
      scene_init (&scene, 4);
      group = osiiso_queue_new_group (scene.queues[0], NULL);
      if (n_others > 0)
        g_object_unref (osiiso_group_submit (group, test_task_defer, &other, NULL, NULL, NULL));
      member = (Actor) { .call = actor_wait, .after = 1, .other = &waiter, .member = group };
      waiter = (Actor) { .call = actor_next, .group = group };
      scene_add (&scene, &member);
      scene_add (&scene, &waiter);
      scene_start (&scene);
      if (n_others > 0)
        {
          scene_await (2);
          while (g_atomic_pointer_get (&other) == NULL)
            g_thread_yield ();
          osiiso_attempt_return_none (other);
          osiiso_attempt_unref (other);
        }
      scene_finish (&scene);
      actor_assert_ok (&waiter);
      if (n_others > 0)
        actor_assert_ok (&member);
      else
        actor_assert_refused (&member, NULL);
      g_object_unref (group);
    }
}

static void
test_join (void)
{
  Actor actors[2];
  Scene scene;

  g_test_summary ("Tasks of two queues cannot wait for each other's queue");

  scene_init (&scene, 2);
  for (guint i = 0; i < 2; i++)
    {
      actors[i] = (Actor) { .call = actor_join, .after = i, .queue = i, .work = scene.queues[1 - i] };
      scene_add (&scene, &actors[i]);
    }
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&actors[0]);
  actor_assert_refused (&actors[1], NULL);
}

static void
end_work (gboolean (*call) (Actor *, GError **))
{
  for (guint turn = 0; turn < 2; turn++)
    {
      Actor ender;
      Actor waiter;
      Scene scene;

      scene_init (&scene, 2);
      waiter = (Actor) { .call = actor_wait, .after = 1 - turn, .queue = 1, .other = &ender };
      ender = (Actor) { .call = call, .after = turn, .work = scene.queues[1] };
      scene_add (&scene, &waiter);
      scene_add (&scene, &ender);
      scene_start (&scene);
      scene_await_done (&waiter);
      scene_await_done (&ender);
      g_assert_cmpint (osiiso_queue_get_closed (scene.queues[1]), ==, call == actor_shutdown && turn == 0);
      scene_finish (&scene);
      actor_assert_refused (turn == 0 ? &waiter : &ender, NULL);
      actor_assert_ok (turn == 0 ? &ender : &waiter);
    }
}

static void
test_end (void)
{
  g_test_summary ("A task can neither run, join nor shut down a queue in which one waits for it, nor is there then one to do so");

  end_work (actor_join);
  end_work (actor_run);
  end_work (actor_shutdown);
}

static void
test_force (void)
{
  Actor waiter;
  Actor ender;
  Scene scene;

  g_test_summary ("By force it can, since that cancels who waits");

  scene_init (&scene, 2);
  waiter = (Actor) { .call = actor_wait, .queue = 1, .other = &ender };
  ender = (Actor) { .call = actor_shutdown, .after = 1, .work = scene.queues[1], .force = TRUE };
  scene_add (&scene, &waiter);
  scene_add (&scene, &ender);
  scene_start (&scene);
  scene_finish (&scene);
  g_assert_cmpint (osiiso_handle_get_status (waiter.handle), ==, OSIISO_STATUS_CANCELLED);
  actor_assert_ok (&ender);
  actor_assert_ok (&waiter);
}

static void
test_room (void)
{
  for (guint turn = 0; turn < 2; turn++)
    {
      Actor inside;
      Actor comer;
      Scene scene;

      scene_init (&scene, 2);
      osiiso_queue_set_size (scene.queues[1], 1);
      inside = (Actor) { .call = actor_wait, .after = turn, .queue = 1, .other = &comer };
      comer = (Actor) { .call = actor_submit, .after = 1 - turn, .work = scene.queues[1] };
      scene_add (&scene, &inside);
      scene_add (&scene, &comer);
      scene_start (&scene);
      scene_finish (&scene);
      actor_assert_refused (turn == 0 ? &comer : &inside, NULL);
      actor_assert_ok (turn == 0 ? &inside : &comer);
    }
}

static void
test_workers (void)
{
  Actor waiter;
  Actor last;
  g_autoptr (OsiisoHandle) pending = NULL;
  Scene scene;

  g_test_summary ("What needs the worker of a task cannot be waited for by another one for which that waits");

  scene_init (&scene, 1);
  waiter = (Actor) { .call = actor_wait, .other = &last };
  last = (Actor) { .call = actor_wait, .after = 1, .queue = 1 };
  scene_add (&scene, &waiter);
  scene_add (&scene, &last);
  last.target = pending = test_submit (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&waiter);
  actor_assert_refused (&last, "workers");
}

/* A task that waits, within a function of a queue that it runs itself. */
typedef struct
{
  OsiisoQueue *inner;
  Actor       *other;
  int          n_waited;
} Nested;

static void
wait_inside (OsiisoAttempt *attempt,
             gpointer       data)
{
  Nested *nested = data;
  GError *error = NULL;

  g_assert_true (osiiso_handle_wait (nested->other->handle, -1, NULL, &error));
  g_assert_no_error (error);
  nested->n_waited++;
}

static gboolean
run_inner (Actor   *self,
           GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Nested nested = { NULL, self->other, 0 };

  g_main_context_push_thread_default (context);
  nested.inner = test_queue_new ("main-loop");
  test_submit_and_drop (nested.inner, wait_inside, &nested, NULL);
  test_run_all (nested.inner);
  g_assert_cmpint (nested.n_waited, ==, 1);
  g_object_run_dispose (G_OBJECT (nested.inner));
  g_object_unref (nested.inner);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
  return TRUE;
}

static void
test_nested (void)
{
  Actor outer;
  Actor other;
  Scene scene;

  g_test_summary ("A task waits for what the queues that it runs wait for");

  scene_init (&scene, 2);
  outer = (Actor) { .call = run_inner, .other = &other };
  /* The run of the inner queue is a wait too. */
  other = (Actor) { .call = actor_wait, .after = 2, .queue = 1, .other = &outer };
  scene_add (&scene, &outer);
  scene_add (&scene, &other);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_ok (&outer);
  actor_assert_refused (&other, NULL);
}

static void
wait_in_loop (OsiisoAttempt *attempt,
              gpointer       other)
{
  GError *error = NULL;

  g_assert_true (osiiso_handle_wait (((Actor *) other)->handle, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_context (void)
{
  OsiisoQueue *loop = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor other;
  Scene scene;

  g_test_summary ("A task that blocks a main context cannot wait for one that waits for a task there");

  scene_init (&scene, 2);
  other = (Actor) { .call = actor_wait, .after = 1 };
  scene_add (&scene, &other);
  test_submit_and_drop (loop, wait_in_loop, &other, NULL);
  other.target = pending = test_submit (loop, test_task_none, NULL, NULL);
  scene_start (&scene);
  test_run_all (loop);
  scene_finish (&scene);
  actor_assert_refused (&other, NULL);
  test_queue_free (loop);
}

static gboolean
initialize (gpointer  other,
            GError  **error)
{
  return osiiso_handle_wait (((Actor *) other)->handle, -1, NULL, error);
}

static void
test_initializer (void)
{
  g_autoptr (OsiisoHandle) pending = NULL;
  Actor other;
  Scene scene;

  g_test_summary ("An initializer holds its worker too");

  scene_init (&scene, 1);
  other = (Actor) { .call = actor_wait, .after = 1, .queue = 1 };
  g_assert_true (osiiso_queue_set_initializer (scene.queues[0], initialize, &other, NULL, NULL));
  scene_add (&scene, &other);
  other.target = pending = test_submit (scene.queues[0], test_task_none, NULL, NULL);
  scene_start (&scene);
  scene_finish (&scene);
  actor_assert_refused (&other, "workers");
  g_assert_cmpint (osiiso_handle_get_status (pending), ==, OSIISO_STATUS_SUCCEEDED);
}

/* Many of them, at random. */
#define N_TASKS  12
#define N_ROUNDS 100

typedef struct
{
  OsiisoQueue  *queues[N_QUEUES];
  OsiisoGroup  *groups[N_QUEUES];
  OsiisoHandle *handles[N_TASKS];
  int           n_refused;
} Crowd;

typedef struct
{
  Crowd *crowd;
  guint  choice;
  guint  target;
} Member;

static void
mingle (OsiisoAttempt *attempt,
        gpointer       data)
{
  Member *self = data;
  Crowd *crowd = self->crowd;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  GError *error = NULL;

  switch (self->choice)
    {
    case 0:
      summary = osiiso_group_wait (crowd->groups[self->target % N_QUEUES], -1, NULL, &error);
      break;
    case 1:
      next = osiiso_group_next_completed (crowd->groups[self->target % N_QUEUES], -1, NULL, &error);
      break;
    case 2:
      osiiso_queue_join (crowd->queues[self->target % N_QUEUES], NULL, &error);
      break;
    case 3:
      next = osiiso_queue_submit (crowd->queues[self->target % N_QUEUES], test_task_none, NULL, NULL, NULL, &error);
      break;
    default:
      osiiso_handle_wait (crowd->handles[self->target], -1, NULL, &error);
      break;
    }
  if (error == NULL)
    return;
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_atomic_int_inc (&crowd->n_refused);
  g_error_free (error);
}

/* Returns how many were refused. With @downwards nobody waits for who came later. */
static int
run_crowd (gboolean downwards)
{
  Crowd crowd = { .n_refused = 0 };
  Member members[N_TASKS];

  alarm (60);
  for (guint i = 0; i < N_QUEUES; i++)
    {
      crowd.queues[i] = test_queue_new ("thread-pool");
      crowd.groups[i] = osiiso_queue_new_group (crowd.queues[i], NULL);
      osiiso_queue_set_workers (crowd.queues[i], downwards ? N_TASKS : (guint) g_test_rand_int_range (1, 6));
      if (!downwards)
        osiiso_queue_set_size (crowd.queues[i], N_TASKS / N_QUEUES);
    }
  for (guint i = 0; i < N_TASKS; i++)
    {
      members[i] = (Member) {
        .crowd = &crowd,
        .choice = downwards ? 4 : (guint) g_test_rand_int_range (0, 8),
        .target = (guint) g_test_rand_int_range (0, downwards ? (int) i + 1 : N_TASKS),
      };
      /* The first one waits for nobody. */
      if (downwards && members[i].target == i)
        members[i].target = 0;
      crowd.handles[i] = osiiso_group_submit (crowd.groups[i % N_QUEUES], downwards && i == 0 ? test_task_none : mingle,
                                              &members[i], NULL, NULL, NULL);
    }
  for (guint i = 0; i < N_QUEUES; i++)
    g_assert_true (osiiso_queue_start (crowd.queues[i], NULL));
  if (!downwards)
    for (guint i = 0; i < 20; i++)
      {
        osiiso_queue_set_workers (crowd.queues[i % N_QUEUES], (guint) g_test_rand_int_range (1, 6));
        g_thread_yield ();
      }
  /* The tasks of one may have submitted to the other. */
  for (guint i = 0; i < 2 * N_QUEUES; i++)
    g_assert_true (osiiso_queue_join (crowd.queues[i % N_QUEUES], NULL, NULL));
  for (guint i = 0; i < N_QUEUES; i++)
    g_object_unref (crowd.groups[i]);
  for (guint i = 0; i < N_TASKS; i++)
    {
      g_assert_cmpint (osiiso_handle_get_status (crowd.handles[i]), ==, OSIISO_STATUS_SUCCEEDED);
      g_object_unref (crowd.handles[i]);
    }
  for (guint i = 0; i < N_QUEUES; i++)
    test_queue_free (crowd.queues[i]);
  g_assert_cmpuint (n_waits (), ==, 0);
  alarm (0);
  return crowd.n_refused;
}

static void
test_crowd (void)
{
  g_test_summary ("Whoever waits for whom, and however many workers there are meanwhile, all tasks end");

  for (guint i = 0; i < N_ROUNDS; i++)
    run_crowd (FALSE);
}

static void
test_crowd_in_order (void)
{
  g_test_summary ("Where nobody waits for who came later nobody is refused");

  for (guint i = 0; i < N_ROUNDS; i++)
    g_assert_cmpint (run_crowd (TRUE), ==, 0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/wait-cycles/two", test_two);
  g_test_add_func ("/wait-cycles/more", test_more);
  g_test_add_func ("/wait-cycles/group", test_group);
  g_test_add_func ("/wait-cycles/groups", test_groups);
  g_test_add_func ("/wait-cycles/next", test_next);
  g_test_add_func ("/wait-cycles/join", test_join);
  g_test_add_func ("/wait-cycles/end", test_end);
  g_test_add_func ("/wait-cycles/force", test_force);
  g_test_add_func ("/wait-cycles/room", test_room);
  g_test_add_func ("/wait-cycles/workers", test_workers);
  g_test_add_func ("/wait-cycles/nested", test_nested);
  g_test_add_func ("/wait-cycles/context", test_context);
  g_test_add_func ("/wait-cycles/initializer", test_initializer);
  g_test_add_func ("/wait-cycles/crowd", test_crowd);
  g_test_add_func ("/wait-cycles/crowd-in-order", test_crowd_in_order);
  test_add_wait_changes ();
  test_add_wait_contexts ();
  test_add_wait_ends ();
  test_add_wait_room ();

  return g_test_run ();
}
