/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * How a queue starts, drains and closes.
 *
 * Mirrors osiiso-scheduler-life.c (begin_start, start, set_open, close_backend,
 * check_idle, count_out, backend_closed, shutdown and its deadline), reset in
 * osiiso-scheduler-reset.c, and count_in_locked, stop_resting, abort_shutdown, cancel
 * and client_tick in osiiso-scheduler.c.
 *
 * Whatever comes together, the backend is closed exactly once, if it was opened,
 * when there is no work and none is accepted any more; the queue becomes CLOSED,
 * and who waits for that learns it, also when it is reset at once; a reset meets no
 * shutdown, and leaves nothing of before; the reference that work has on the
 * scheduler is taken and dropped equally often.
 */

typedef enum
{
  FAULT_NONE,
  FAULT_NO_CHECK,        /* a shutdown leaves it to the last task to close */
  FAULT_CLOSE_TWICE,     /* who closes says so when the lock is released already */
  FAULT_ACCEPT_LATE,     /* tasks are accepted until the draining has begun */
  FAULT_IGNORE_STARTING, /* a shutdown does not wait for a start that is under way */
  FAULT_NO_START,        /* work that waits in a queue that is shut down is not started */
  FAULT_COUNT_UNLOCKED,  /* others may come in while the last task is counted out */
  FAULT_DEADLINE_LATE,   /* the deadline is set also when there is nothing to be cut short */
  FAULT_TWO_STEPS,       /* a shutdown refuses tasks first and moves the life cycle then */
  FAULT_BLIND_ABORT,     /* a shutdown cancels what there is, whether it is over or not */
  FAULT_BLIND_START,     /* a start takes it that the queue is what it was */
  FAULT_FOREIGN_START,   /* or that what is starting is its own */
  FAULT_WAIT_CLOSED,     /* who waits for a shutdown looks only whether the queue is closed */
  FAULT_CLOSE_SILENT,    /* who waits for the end is not told */
} Fault;

typedef enum
{
  LIFE_NEW,
  LIFE_STARTING,
  LIFE_STARTED,
  LIFE_DRAINING,
  LIFE_CLOSING,
  LIFE_CLOSED,
} Life;

typedef enum
{
  TASK_NONE,
  TASK_QUEUED,
  TASK_ENDED,
} Task;

#define MAX_TASKS 3

typedef struct
{
  Life     life;        /* NEW or STARTED */
  int      n_tasks;     /* queued at first; each has a worker */
  gboolean submits;     /* somebody submits one more */
  gboolean starts;      /* somebody starts the queue */
  gboolean fails;       /* the backend does not open, perhaps */
  int      n_shutdowns;
  gboolean force;       /* the first one */
  gboolean deadline;    /* the others have one */
  gboolean resets;      /* somebody does, once it was closed */
  gboolean restarts;    /* and starts it */
} Scenario;

static struct
{
  const Scenario *scenario;
  Fault    fault;
  ExMutex  ready_lock;
  ExMutex  inbox_lock;
  ExMutex  view_lock;
  ExCond   view_cond;
  Life     life;            /* view_lock */
  int      n_closed;        /* view_lock */
  gboolean resting;         /* ready_lock */
  gboolean open;            /* ready_lock and inbox_lock */
  gboolean accepting;       /* inbox_lock */
  gboolean halted;          /* ready_lock and inbox_lock */
  Task     tasks[MAX_TASKS]; /* ready_lock */
  gboolean shutdown_deadline; /* ready_lock */
  ExAtomic n_in;            /* written with inbox_lock */
  ExAtomic n_out;           /* written with ready_lock */
  ExAtomic ref_count;

  /* Of the model. */
  int      n_opens;         /* view_lock */
  ExAtomic n_closes;
  ExAtomic opening;
  ExAtomic has_opened;
  ExAtomic submitted;
  ExAtomic armed;
} s;

static void close_backend (void);

static gint64
get_outstanding (void)
{
  const gint64 n_out = ex_load (&s.n_out);

  return ex_load (&s.n_in) - n_out;
}

static void
set_open (gboolean open)
{
  ex_lock (&s.ready_lock);
  ex_lock (&s.inbox_lock);
  s.open = open;
  ex_unlock (&s.inbox_lock);
  ex_unlock (&s.ready_lock);
}

/* With the view lock. */
static gboolean
check_idle_locked (void)
{
  gboolean close_now = s.life == LIFE_DRAINING && get_outstanding () == 0;

  if (close_now && s.fault != FAULT_CLOSE_TWICE)
    s.life = LIFE_CLOSING;
  ex_broadcast (&s.view_cond);
  return close_now;
}

static void
check_idle (void)
{
  gboolean close_now;

  ex_lock (&s.view_lock);
  close_now = check_idle_locked ();
  ex_unlock (&s.view_lock);
  if (close_now)
    close_backend ();
}

static void
count_out (void)
{
  const gboolean all = s.fault != FAULT_COUNT_UNLOCKED;
  gboolean close_now = FALSE;
  gboolean last = FALSE;

  ex_lock (&s.ready_lock);
  if (get_outstanding () > 1)
    {
      ex_add (&s.n_out, 1);
    }
  else
    {
      if (all)
        ex_lock (&s.inbox_lock);
      ex_lock (&s.view_lock);
      ex_add (&s.n_out, 1);
      last = get_outstanding () == 0;
      if (last)
        close_now = check_idle_locked ();
      ex_unlock (&s.view_lock);
      if (all)
        ex_unlock (&s.inbox_lock);
    }
  ex_unlock (&s.ready_lock);
  if (!last)
    return;
  if (close_now)
    close_backend ();
  ex_assert (ex_add (&s.ref_count, -1) > 1);
}

static void
backend_closed (void)
{
  ex_lock (&s.ready_lock);
  ex_lock (&s.view_lock);
  if (s.life == LIFE_CLOSING)
    {
      s.life = LIFE_CLOSED;
      s.n_closed++;
    }
  if (s.fault != FAULT_CLOSE_SILENT)
    ex_broadcast (&s.view_cond);
  ex_unlock (&s.view_lock);
  ex_unlock (&s.ready_lock);
}

static void
disarm_timers (void)
{
  ex_lock (&s.ready_lock);
  s.shutdown_deadline = FALSE;
  ex_unlock (&s.ready_lock);
}

static void
close_backend (void)
{
  ex_assert (ex_holds_nothing ());
  if (s.fault == FAULT_CLOSE_TWICE)
    {
      ex_lock (&s.view_lock);
      s.life = LIFE_CLOSING;
      ex_unlock (&s.view_lock);
    }
  ex_assert (get_outstanding () == 0);
  set_open (FALSE);
  disarm_timers ();
  ex_add (&s.n_closes, 1);
  backend_closed ();
}

/* FALSE when it has closed. */
static gboolean
begin_start (gboolean *already)
{
  gboolean closed;

  ex_lock (&s.view_lock);
  while (s.life == LIFE_STARTING)
    ex_wait (&s.view_cond, &s.view_lock);
  *already = s.life == LIFE_STARTED || s.life == LIFE_DRAINING;
  closed = s.life > LIFE_DRAINING;
  if (s.life == LIFE_NEW)
    s.life = LIFE_STARTING;
  ex_unlock (&s.view_lock);
  return !closed;
}

static gboolean
open_backend (void)
{
  gboolean ok;

  set_open (TRUE);
  /* In the backend's open(), which nobody else may take part in. */
  ex_store (&s.opening, 1);
  ok = !s.scenario->fails || ex_choose (2) == 0;
  ex_store (&s.opening, 0);
  if (ok)
    ex_store (&s.has_opened, 1);
  else
    set_open (FALSE);

  ex_lock (&s.view_lock);
  s.n_opens += ok;
  ex_unlock (&s.view_lock);
  return ok;
}

static void
set_life (Life life)
{
  ex_lock (&s.view_lock);
  s.life = life;
  ex_broadcast (&s.view_cond);
  ex_unlock (&s.view_lock);
}

static gboolean
stop_resting (gboolean opened)
{
  gboolean open;

  ex_lock (&s.ready_lock);
  ex_lock (&s.inbox_lock);
  ex_lock (&s.view_lock);
  if (opened || (s.fault == FAULT_FOREIGN_START && s.life == LIFE_STARTING))
    {
      ex_assert (!ex_load (&s.opening));
      s.life = s.accepting ? LIFE_STARTED : LIFE_DRAINING;
      ex_broadcast (&s.view_cond);
    }
  open = s.life >= LIFE_STARTED || s.fault == FAULT_BLIND_START;
  ex_unlock (&s.view_lock);
  ex_unlock (&s.inbox_lock);
  if (open)
    s.resting = FALSE;
  ex_unlock (&s.ready_lock);
  return open;
}

static gboolean
start (void)
{
  gboolean already;

  do
    {
      if (!begin_start (&already))
        return FALSE;
      if (!already && !open_backend ())
        {
          set_life (LIFE_NEW);
          return FALSE;
        }
    }
  while (!stop_resting (!already));
  return TRUE;
}

/* Ends a task that nobody has ended; osiiso_scheduler_cancel() and the end of an
 * attempt alike. */
static void
end_task (int task)
{
  gboolean mine;

  ex_lock (&s.ready_lock);
  mine = s.tasks[task] == TASK_QUEUED;
  if (mine)
    s.tasks[task] = TASK_ENDED;
  ex_unlock (&s.ready_lock);
  if (mine)
    count_out ();
}

static void
cancel_all (void)
{
  for (int i = 0; i < MAX_TASKS; i++)
    end_task (i);
}

/* With the view lock. */
static gboolean
shutdown_is_over_locked (int shutdown)
{
  return s.life == LIFE_CLOSED || (s.fault != FAULT_WAIT_CLOSED && s.n_closed != shutdown);
}

/* What shutdown() returned is waited for. */
static void
wait_until_over (int shutdown)
{
  ex_lock (&s.view_lock);
  while (!shutdown_is_over_locked (shutdown))
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
}

/* With the ready lock. */
static void
halt_locked (void)
{
  ex_lock (&s.inbox_lock);
  s.halted = TRUE;
  ex_unlock (&s.inbox_lock);
}

static void
abort_all (void)
{
  ex_lock (&s.ready_lock);
  halt_locked ();
  ex_unlock (&s.ready_lock);
  cancel_all ();
}

static void
abort_shutdown (int shutdown)
{
  gboolean over;

  ex_lock (&s.ready_lock);
  ex_lock (&s.view_lock);
  over = shutdown_is_over_locked (shutdown) && s.fault != FAULT_BLIND_ABORT;
  ex_unlock (&s.view_lock);
  if (!over)
    halt_locked ();
  ex_unlock (&s.ready_lock);
  /* In the real one these are the tasks of then. */
  if (!over)
    cancel_all ();
}

static void
lock_settled (void)
{
  for (;;)
    {
      ex_lock (&s.ready_lock);
      ex_lock (&s.inbox_lock);
      ex_lock (&s.view_lock);
      if (s.life != LIFE_STARTING || s.fault == FAULT_IGNORE_STARTING)
        return;
      ex_unlock (&s.inbox_lock);
      ex_unlock (&s.ready_lock);
      ex_wait (&s.view_cond, &s.view_lock);
      ex_unlock (&s.view_lock);
    }
}

static Life
begin_shutdown (gboolean  force,
                int      *shutdown)
{
  Life todo = LIFE_DRAINING;

  if (s.fault == FAULT_TWO_STEPS)
    {
      ex_lock (&s.inbox_lock);
      s.accepting = FALSE;
      ex_unlock (&s.inbox_lock);
    }

  lock_settled ();
  if (s.fault != FAULT_ACCEPT_LATE && s.fault != FAULT_TWO_STEPS)
    s.accepting = FALSE;
  if (s.life == LIFE_NEW && s.fault == FAULT_NO_START)
    s.life = LIFE_DRAINING;
  else if (s.life == LIFE_NEW)
    s.life = todo = !force && get_outstanding () > 0 ? LIFE_STARTING : LIFE_CLOSING;
  else if (s.life == LIFE_STARTED)
    s.life = LIFE_DRAINING;
  if (s.scenario->deadline && !force && (s.life < LIFE_CLOSING || s.fault == FAULT_DEADLINE_LATE))
    s.shutdown_deadline = TRUE;
  *shutdown = s.n_closed - (s.life == LIFE_CLOSED);
  ex_unlock (&s.view_lock);
  ex_unlock (&s.inbox_lock);
  ex_unlock (&s.ready_lock);
  if (s.scenario->deadline && !force)
    ex_store (&s.armed, 1);
  return todo;
}

static void
close_unopened (void)
{
  abort_all ();
  disarm_timers ();
  backend_closed ();
}

static void
shut_down (gpointer force)
{
  int shutdown;
  Life todo = begin_shutdown (force != NULL, &shutdown);

  if (todo == LIFE_STARTING && open_backend ())
    {
      stop_resting (TRUE);
      check_idle ();
    }
  else if (todo == LIFE_STARTING)
    {
      set_life (LIFE_CLOSING);
      close_unopened ();
    }
  else if (todo == LIFE_CLOSING)
    {
      close_unopened ();
    }
  else
    {
      if (force != NULL)
        abort_shutdown (shutdown);
      else if (get_outstanding () > 0)
        stop_resting (FALSE);
      if (s.fault != FAULT_NO_CHECK)
        check_idle ();
    }

  if (s.fault == FAULT_ACCEPT_LATE)
    {
      ex_lock (&s.inbox_lock);
      s.accepting = FALSE;
      ex_unlock (&s.inbox_lock);
    }
  wait_until_over (shutdown);
}

/* TRUE when the queue is as new. */
static gboolean
reset (void)
{
  gboolean ok;

  ex_lock (&s.ready_lock);
  ex_lock (&s.inbox_lock);
  ex_lock (&s.view_lock);
  ok = s.life != LIFE_DRAINING && s.life != LIFE_CLOSING && s.life != LIFE_STARTING &&
       (s.life != LIFE_STARTED || s.resting);
  if (ok && s.life == LIFE_CLOSED)
    {
      s.life = LIFE_NEW;
      s.resting = TRUE;
    }
  if (ok)
    {
      s.accepting = TRUE;
      s.halted = FALSE;
    }
  ex_unlock (&s.view_lock);
  ex_unlock (&s.inbox_lock);
  ex_unlock (&s.ready_lock);
  if (ok)
    {
      /* In the real one the tasks end in the step above. */
      cancel_all ();
      check_idle ();
    }
  return ok;
}

/* The threads. */

static void
work (gpointer data)
{
  /* Nothing runs before the backend is open. */
  if (s.scenario->life == LIFE_NEW)
    ex_await (&s.has_opened);
  end_task (GPOINTER_TO_INT (data));
}

static void
submit (gpointer unused)
{
  const int task = s.scenario->n_tasks;
  gboolean accepted;

  ex_lock (&s.inbox_lock);
  accepted = s.accepting && !s.halted;
  if (accepted)
    {
      if (ex_peek (&s.n_in) == ex_load (&s.n_out))
        ex_add (&s.ref_count, 1);
      ex_add (&s.n_in, 1);
    }
  ex_unlock (&s.inbox_lock);
  if (!accepted)
    return;
  ex_assert (!ex_load (&s.n_closes));
  /* In the real one that is one step with the above. */
  ex_lock (&s.ready_lock);
  s.tasks[task] = TASK_QUEUED;
  ex_unlock (&s.ready_lock);
  ex_store (&s.submitted, 1);
}

static void
work_submitted (gpointer unused)
{
  ex_await (&s.submitted);
  end_task (s.scenario->n_tasks);
}

/* When the time of the shutdown is over, which may be at once. */
static void
client_tick (gpointer unused)
{
  gboolean halt;

  ex_await (&s.armed);
  ex_lock (&s.ready_lock);
  halt = s.shutdown_deadline;
  s.shutdown_deadline = FALSE;
  /* It may be open again by then. */
  ex_lock (&s.view_lock);
  ex_assert (!halt || s.n_closed == 0);
  ex_unlock (&s.view_lock);
  if (halt)
    halt_locked ();
  ex_unlock (&s.ready_lock);
  if (halt)
    {
      cancel_all ();
      check_idle ();
    }
}

static void
start_it (gpointer unused)
{
  start ();
}

static void
reset_it (gpointer unused)
{
  ex_lock (&s.view_lock);
  while (s.n_closed == 0)
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
  if (reset () && s.scenario->restarts)
    start ();
}

static void
setup (const ExModel *model)
{
  static const char *const workers[] = { "worker 1", "worker 2" };
  static const char *const owners[] = { "owner", "other owner" };
  const Scenario *scenario = model->data;

  memset (&s, 0, sizeof s);
  s.scenario = scenario;
  s.fault = (Fault) model->variant;
  s.life = scenario->life;
  s.open = s.life == LIFE_STARTED;
  s.resting = !s.open;
  s.n_opens = s.open;
  s.accepting = TRUE;
  for (int i = 0; i < scenario->n_tasks; i++)
    s.tasks[i] = TASK_QUEUED;
  ex_init (&s.n_in, scenario->n_tasks);
  ex_init (&s.ref_count, scenario->n_tasks > 0 ? 2 : 1);

  for (int i = 0; i < scenario->n_tasks; i++)
    ex_spawn (workers[i], EX_THREAD_MAY_SLEEP, work, GINT_TO_POINTER (i));
  if (scenario->submits)
    {
      ex_spawn ("producer", EX_THREAD_DEFAULT, submit, NULL);
      ex_spawn ("its worker", EX_THREAD_MAY_SLEEP, work_submitted, NULL);
    }
  if (scenario->deadline)
    ex_spawn ("timer", EX_THREAD_DEFAULT, client_tick, NULL);
  if (scenario->starts)
    ex_spawn ("starter", EX_THREAD_DEFAULT, start_it, NULL);
  for (int i = 0; i < scenario->n_shutdowns; i++)
    ex_spawn (owners[i], EX_THREAD_DEFAULT, shut_down, GINT_TO_POINTER (scenario->force && i == 0));
  if (scenario->resets)
    ex_spawn ("resetter", EX_THREAD_DEFAULT, reset_it, NULL);
}

static const char *
check (const ExModel *model)
{
  const Scenario *scenario = model->data;

  if (scenario->resets ? s.n_closed == 0 : s.life != LIFE_CLOSED)
    return "the queue has not closed";
  if (s.accepting != (s.life == LIFE_NEW || s.life == LIFE_STARTED))
    return "tasks are accepted by a closed queue, or not by an open one";
  if (s.accepting && s.halted)
    return "an open queue refuses tasks because of a shutdown that is over";
  if (s.open != (s.life == LIFE_STARTED))
    return "tasks can be taken from a closed queue, or not from an open one";
  if (s.resting && s.life == LIFE_STARTED)
    return "the queue was started and rests";
  if (!s.resting && s.life == LIFE_NEW)
    return "the queue was not started and does not rest";
  if (s.n_closes.value != s.n_opens - (s.life == LIFE_STARTED))
    return "the backend was not closed as often as it was opened";
  if (s.n_in.value != s.n_out.value)
    return "there is work left";
  if (s.shutdown_deadline)
    return "a deadline is left for whoever opens the queue again";
  if (s.ref_count.value != 1)
    return "references were counted wrong";
  return NULL;
}

static const Scenario drains = { LIFE_STARTED, 2, .n_shutdowns = 1 };
static const Scenario drains_one = { LIFE_STARTED, 1, .n_shutdowns = 1 };
static const Scenario drains_twice = { LIFE_STARTED, 1, .n_shutdowns = 2 };
static const Scenario idle_twice = { LIFE_STARTED, 0, .n_shutdowns = 2 };
static const Scenario submits = { LIFE_STARTED, 1, .submits = TRUE, .n_shutdowns = 1 };
static const Scenario submits_idle = { LIFE_STARTED, 0, .submits = TRUE, .n_shutdowns = 1 };
static const Scenario forced = { LIFE_STARTED, 2, .n_shutdowns = 1, .force = TRUE };
static const Scenario forced_too = { LIFE_STARTED, 1, .n_shutdowns = 2, .force = TRUE };
static const Scenario late = { LIFE_STARTED, 1, .n_shutdowns = 1, .deadline = TRUE };
static const Scenario late_forced = { LIFE_STARTED, 1, .n_shutdowns = 2, .force = TRUE, .deadline = TRUE };
static const Scenario late_idle = { LIFE_STARTED, 0, .n_shutdowns = 2, .force = TRUE, .deadline = TRUE };
static const Scenario resets = { LIFE_STARTED, 1, .n_shutdowns = 1, .resets = TRUE };
static const Scenario resets_late = { LIFE_STARTED, 1, .n_shutdowns = 1, .resets = TRUE, .deadline = TRUE };
static const Scenario resets_starts = { LIFE_STARTED, 0, .starts = TRUE, .n_shutdowns = 1, .resets = TRUE };
static const Scenario resets_twice = { LIFE_STARTED, 0, .n_shutdowns = 2, .resets = TRUE };
static const Scenario resets_forced = { LIFE_STARTED, 0, .n_shutdowns = 2, .force = TRUE, .resets = TRUE };
static const Scenario resets_fresh = { LIFE_NEW, 1, .n_shutdowns = 2, .resets = TRUE };
static const Scenario restarts = {
  LIFE_STARTED, 0, .starts = TRUE, .n_shutdowns = 1, .resets = TRUE, .restarts = TRUE
};
static const Scenario restarts_fails = {
  LIFE_STARTED, 0, .starts = TRUE, .fails = TRUE, .n_shutdowns = 1, .resets = TRUE, .restarts = TRUE
};
static const Scenario fresh = { LIFE_NEW, 0, .n_shutdowns = 1 };
static const Scenario fresh_work = { LIFE_NEW, 1, .n_shutdowns = 1 };
static const Scenario starts = { LIFE_NEW, 0, .starts = TRUE, .n_shutdowns = 1 };
static const Scenario starts_work = { LIFE_NEW, 1, .starts = TRUE, .n_shutdowns = 1 };
static const Scenario starts_twice = { LIFE_NEW, 1, .starts = TRUE, .n_shutdowns = 2 };
static const Scenario fails = { LIFE_NEW, 1, .starts = TRUE, .fails = TRUE, .n_shutdowns = 1 };
static const Scenario fails_forced = { LIFE_NEW, 1, .starts = TRUE, .fails = TRUE, .n_shutdowns = 1, .force = TRUE };

#define CLEAN(name, summary, scenario, more) { name, summary, setup, check, &scenario, FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_shutdown_models[] = {
  CLEAN ("drain", "two tasks end while the queue is shut down", drains, 0),
  CLEAN ("drain-twice", "one does, and two threads shut it down", drains_twice, 0),
  CLEAN ("idle-twice", "two threads shut down a queue without work", idle_twice, 0),
  CLEAN ("submit", "a task comes in meanwhile", submits, 0),
  CLEAN ("submit-idle", "a task comes into a queue without work", submits_idle, 0),
  CLEAN ("force", "a shutdown that cancels", forced, 0),
  CLEAN ("force-too", "one that cancels and one that does not", forced_too, 0),
  CLEAN ("deadline", "a shutdown that takes too long", late, 0),
  CLEAN ("deadline-force", "the same and one that cancels", late_forced, -1),
  CLEAN ("deadline-idle", "the same in a queue without work", late_idle, 0),
  CLEAN ("reset", "a queue that is reset when it has closed", resets, 0),
  CLEAN ("reset-deadline", "the same with a deadline", resets_late, -1),
  CLEAN ("reset-start", "the same while somebody starts it", resets_starts, 0),
  CLEAN ("reset-twice", "the same with two threads that shut it down", resets_twice, 0),
  CLEAN ("reset-force", "the same with one that cancels", resets_forced, 0),
  CLEAN ("reset-new", "a queue with a task that was never started, shut down twice and reset", resets_fresh, -1),
  CLEAN ("restart", "two threads start a queue, one before and one after it was reset", restarts, 0),
  CLEAN ("restart-fail", "the same with a backend that cannot be opened", restarts_fails, 0),
  CLEAN ("new", "a queue that was never started", fresh, 0),
  CLEAN ("new-work", "the same with a task in it", fresh_work, 0),
  CLEAN ("start", "a queue that starts meanwhile", starts, 0),
  CLEAN ("start-work", "the same with a task in it", starts_work, 0),
  CLEAN ("start-twice", "the same with two threads that shut it down", starts_twice, -1),
  CLEAN ("fail", "a backend that cannot be opened", fails, 0),
  CLEAN ("fail-force", "the same with a shutdown that cancels", fails_forced, 0),

  FAULTY ("no-check", "left to the last task to close", drains_one, FAULT_NO_CHECK),
  FAULTY ("close-twice", "decided with the lock, said without it", drains_one, FAULT_CLOSE_TWICE),
  FAULTY ("accept-late", "accepted until the draining has begun", submits_idle, FAULT_ACCEPT_LATE),
  FAULTY ("ignore-starting", "shut down while a start is under way", starts, FAULT_IGNORE_STARTING),
  FAULTY ("no-start", "not started for the work that is there", fresh_work, FAULT_NO_START),
  FAULTY ("count-unlocked", "counted out as the last one while others come in", submits, FAULT_COUNT_UNLOCKED),
  FAULTY ("deadline-late", "a deadline set when all is over", late_idle, FAULT_DEADLINE_LATE),
  FAULTY ("two-steps", "reset between two steps of a shutdown", resets_twice, FAULT_TWO_STEPS),
  FAULTY ("blind-abort", "cancelled what came after a reset", resets_forced, FAULT_BLIND_ABORT),
  FAULTY ("blind-start", "started as what it was before", resets_starts, FAULT_BLIND_START),
  FAULTY ("foreign-start", "started while another thread opens the backend", restarts, FAULT_FOREIGN_START),
  FAULTY ("wait-closed", "waited for a state that may be over", resets, FAULT_WAIT_CLOSED),
  FAULTY ("close-silent", "closed without telling who waits", drains_one, FAULT_CLOSE_SILENT),
  { NULL },
};
