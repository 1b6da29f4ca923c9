/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * Six ways to wake one worker only if one sleeps and no wake is in flight. What
 * the queue does (osiiso-scheduler-take.c) grew from v5; the others show what the
 * explorer finds and why v5 is as it is.
 *
 *   v0  atomic counters; the flag is cleared after the dequeue, and a worker that
 *       does not go to sleep after all leaves it
 *   v1  such a worker clears it
 *   v2  the flag is cleared before the dequeue
 *   v3  one mutex guards all
 *   v4  two locks; a sleeper registers with the inbox lock only
 *   v5  two locks; a sleeper registers with both
 *
 * Workers sleep in a futex. The first task needs the second one to run, so a
 * task that is queued next to a sleeper is a deadlock.
 */

enum
{
  V0, V1, V2, V3, V4, V5,
};

#define MAX_TASKS 3

typedef struct
{
  int n_workers;
  int n_tasks;
} Size;

static struct
{
  int      version;
  int      n_tasks;
  ExMutex  queue_lock;   /* v0 to v3: queue; v4, v5: inbox; v3 to v5: what says so */
  int      n_inbox;
  ExMutex  buckets_lock; /* v4, v5 */
  int      n_buckets;
  int      n_taken;      /* with the lock that tasks are taken from: they are in order */
  ExAtomic sleepers;     /* v3 to v5: written with queue_lock */
  ExAtomic waking;       /* v0 to v2 */
  gboolean is_waking;    /* v3 to v5: queue_lock */
  ExAtomic seq;
  ExAtomic has_run[MAX_TASKS];
} s;

static void
run_task (int task)
{
  if (task == 0)
    ex_await (&s.has_run[1]);
  ex_store (&s.has_run[task], 1);
}

static void
wake_one (void)
{
  ex_add (&s.seq, 1);
  ex_futex_wake (&s.seq, 1);
}

/* v0 to v2 */

static void
wake_if_needed (void)
{
  gint64 idle = 0;

  if (ex_load (&s.sleepers) > 0 && ex_cas (&s.waking, &idle, 1))
    wake_one ();
}

static void
atomic_submit (void)
{
  ex_lock (&s.queue_lock);
  s.n_inbox++;
  ex_unlock (&s.queue_lock);
  wake_if_needed ();
}

/* TRUE when it slept. */
static gboolean
atomic_sleep (void)
{
  gint64 seq = ex_load (&s.seq);
  int n;

  ex_add (&s.sleepers, 1);
  ex_lock (&s.queue_lock);
  n = s.n_inbox;
  ex_unlock (&s.queue_lock);
  if (n > 0)
    {
      ex_add (&s.sleepers, -1);
      if (s.version != V0)
        ex_store (&s.waking, 0);
      return FALSE;
    }
  ex_futex_wait (&s.seq, seq);
  ex_add (&s.sleepers, -1);
  return TRUE;
}

static void
atomic_worker (gpointer unused)
{
  gboolean woken = FALSE;

  for (;;)
    {
      int task = -1;
      int left;

      if (woken && s.version == V2)
        {
          ex_store (&s.waking, 0);
          woken = FALSE;
        }
      ex_lock (&s.queue_lock);
      if (s.n_inbox > 0)
        {
          s.n_inbox--;
          task = s.n_taken++;
        }
      left = s.n_inbox;
      ex_unlock (&s.queue_lock);
      if (woken)
        {
          ex_store (&s.waking, 0);
          woken = FALSE;
        }

      if (task < 0)
        {
          woken = atomic_sleep ();
          continue;
        }
      if (left > 0)
        wake_if_needed ();
      run_task (task);
    }
}

/* v3 to v5 */

/* With the lock. */
static gboolean
take_token (void)
{
  if (ex_peek (&s.sleepers) == 0 || s.is_waking)
    return FALSE;
  s.is_waking = TRUE;
  return TRUE;
}

static void
locked_submit (void)
{
  gboolean wake;

  ex_lock (&s.queue_lock);
  s.n_inbox++;
  wake = take_token ();
  ex_unlock (&s.queue_lock);
  if (wake)
    wake_one ();
}

/* With the lock, which is released. */
static void
locked_sleep (void)
{
  gint64 seq = ex_load (&s.seq);

  ex_add (&s.sleepers, 1);
  ex_unlock (&s.queue_lock);
  if (s.version == V5)
    ex_unlock (&s.buckets_lock);
  ex_futex_wait (&s.seq, seq);
  ex_lock (&s.queue_lock);
  ex_add (&s.sleepers, -1);
  ex_unlock (&s.queue_lock);
}

static void
one_lock_worker (gpointer unused)
{
  gboolean woken = FALSE;

  for (;;)
    {
      gboolean wake;
      int task;

      ex_lock (&s.queue_lock);
      if (woken)
        s.is_waking = FALSE;
      if (s.n_inbox == 0)
        {
          locked_sleep ();
          woken = TRUE;
          continue;
        }
      woken = FALSE;
      s.n_inbox--;
      task = s.n_taken++;
      wake = s.n_inbox > 0 && take_token ();
      ex_unlock (&s.queue_lock);
      if (wake)
        wake_one ();
      run_task (task);
    }
}

/* The next task; -1 when it slept instead, or has to look again. */
static int
two_locks_take (gboolean *woken)
{
  gboolean wake = FALSE;
  int task;

  ex_lock (&s.buckets_lock);
  ex_lock (&s.queue_lock);
  s.n_buckets += s.n_inbox;
  s.n_inbox = 0;
  if (*woken)
    s.is_waking = FALSE;
  *woken = FALSE;
  ex_unlock (&s.queue_lock);

  if (s.n_buckets == 0)
    {
      if (s.version == V4)
        ex_unlock (&s.buckets_lock);
      ex_lock (&s.queue_lock);
      if (s.n_inbox == 0)
        {
          locked_sleep ();
          *woken = TRUE;
        }
      else
        {
          ex_unlock (&s.queue_lock);
          if (s.version == V5)
            ex_unlock (&s.buckets_lock);
        }
      return -1;
    }

  s.n_buckets--;
  task = s.n_taken++;
  if (s.n_buckets > 0 && ex_load (&s.sleepers) > 0)
    {
      ex_lock (&s.queue_lock);
      wake = take_token ();
      ex_unlock (&s.queue_lock);
    }
  ex_unlock (&s.buckets_lock);
  if (wake)
    wake_one ();
  return task;
}

static void
two_locks_worker (gpointer unused)
{
  gboolean woken = FALSE;

  for (;;)
    {
      int task = two_locks_take (&woken);

      if (task >= 0)
        run_task (task);
    }
}

static void
producer (gpointer unused)
{
  for (int i = 0; i < s.n_tasks; i++)
    {
      if (s.version < V3)
        atomic_submit ();
      else
        locked_submit ();
    }
}

static void
setup (const ExModel *model)
{
  static const char *const names[] = { "worker 1", "worker 2", "worker 3" };
  const Size *size = model->data;
  ExThreadFunc worker = two_locks_worker;

  memset (&s, 0, sizeof s);
  s.version = (int) model->variant;
  s.n_tasks = size->n_tasks;
  if (s.version < V3)
    worker = atomic_worker;
  else if (s.version == V3)
    worker = one_lock_worker;
  for (int i = 0; i < size->n_workers; i++)
    ex_spawn (names[i], EX_THREAD_MAY_SLEEP, worker, NULL);
  ex_spawn ("producer", EX_THREAD_DEFAULT, producer, NULL);
}

static const char *
check (const ExModel *model)
{
  for (int i = 0; i < s.n_tasks; i++)
    if (!s.has_run[i].value)
      return "stuck: a task has not run, and nobody will";
  return NULL;
}

static const Size size_2_2 = { 2, 2 };
static const Size size_2_3 = { 2, 3 };
static const Size size_3_3 = { 3, 3 };

const ExModel ex_wake_protocol_models[] = {
  { "v0", "atomic counters, the flag cleared late", setup, check, &size_2_2, V0, TRUE },
  { "v1", "the same, also cleared when not going to sleep", setup, check, &size_2_2, V1, TRUE },
  { "v2", "atomic counters, the flag cleared early", setup, check, &size_2_2, V2, TRUE, 1 },
  { "v3", "one lock", setup, check, &size_2_2, V3 },
  { "v3-3-tasks", "one lock", setup, check, &size_2_3, V3 },
  { "v4", "two locks, registered with one", setup, check, &size_2_2, V4, TRUE },
  { "v5", "two locks, registered with both", setup, check, &size_2_2, V5 },
  { "v5-3-tasks", "two locks, registered with both", setup, check, &size_2_3, V5 },
  { "v5-3-workers", "two locks, registered with both", setup, check, &size_3_3, V5 },
  { NULL },
};
