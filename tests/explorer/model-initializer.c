/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-initializer.h"

/*
 * Threads that have to get ready first: when that fails, those that leave, those
 * that come in their place, and a queue that starts again.
 *
 * Mirrors osiiso-initializer.c (failed, begin_init, init_worker, recover_locked,
 * renew_workers), osiiso-thread-pool-backend.c (init_thread, puller, is_short_locked,
 * may_stay_locked, open, workers_changed, close; but not interrupted attempts, which
 * another model has), stop_resting in osiiso-scheduler.c, set_open, start and
 * shutdown in osiiso-scheduler-life.c, end_run in osiiso-scheduler-run.c, and reset.
 * Who is woken is the matter of another model: here all sleepers are. The ready lock
 * is the inbox lock too.
 *
 * Each task ends once: nobody waits for one that nobody will take. A failure ends what
 * waits in the start in which its call began, and nothing else. No task runs in a
 * thread that has not got ready since the backend was opened. A queue that is not
 * broken has as many threads as workers, one that is refuses tasks until it is
 * started, and one that was closed has none but those that never get ready.
 */

InitModel ready;

typedef enum
{
  END_CLOSED,
  END_SURPLUS,
} ServeEnd;

/* The tasks. */

/* With the view lock. */
static gboolean
check_idle_locked (void)
{
  gboolean close_now = ready.life == INIT_LIFE_DRAINING && ready.n_outstanding == 0;

  if (close_now)
    ready.life = INIT_LIFE_CLOSING;
  ex_broadcast (&ready.view_cond);
  return close_now;
}

void
init_check_idle (void)
{
  gboolean close_now;

  ex_lock (&ready.view_lock);
  close_now = check_idle_locked ();
  ex_unlock (&ready.view_lock);
  if (close_now)
    init_close_backend ();
}

void
init_count_out (int n)
{
  gboolean close_now = FALSE;

  ex_lock (&ready.view_lock);
  ex_assert (ready.n_outstanding >= n);
  ready.n_outstanding -= n;
  if (ready.n_outstanding == 0)
    close_now = check_idle_locked ();
  ex_unlock (&ready.view_lock);
  if (close_now)
    init_close_backend ();
}

int
init_end_all_waiting_locked (void)
{
  const int n = ready.n_ready;

  ready.n_ready = 0;
  return n;
}

void
init_submit (void)
{
  ex_lock (&ready.ready_lock);
  if (ready.accepting && !ex_peek (&ready.halted))
    {
      ex_lock (&ready.view_lock);
      ready.n_outstanding++;
      ex_unlock (&ready.view_lock);
      ready.n_ready++;
      ex_broadcast (&ready.ready_cond);
    }
  ex_unlock (&ready.ready_lock);
}

/* The initializer. */

static gboolean
call (int opening)
{
  ex_assert (ex_holds_nothing ());
  if (opening == 1 && ready.scenario->hangs != INIT_HANGS_NOT && ex_add (&ready.n_calls, 1) == 0)
    {
      ex_await (&ready.let_go);
      return ready.scenario->hangs != INIT_HANGS_AND_FAILS;
    }
  if (ready.scenario->n_failures == 0 || ex_add (&ready.n_failures, -1) <= 0)
    return TRUE;
  return ready.scenario->must_fail ? FALSE : ex_choose (2) == 0;
}

static int
halt_and_fail_locked (int start)
{
  if (ready.resting)
    return -1;
  /* Those that are there now belong to the same start. */
  ex_assert (ready.n_starts == start);
  ex_store (&ready.halted, 1);
  return init_end_all_waiting_locked ();
}

static void
failed (int start)
{
  int n = -1;

  ex_lock (&ready.ready_lock);
  if (!ready.broken && (ready.n_starts == start || ready.fault == INIT_FAULT_STALE) && ready.open)
    {
      ready.broken = TRUE;
      if (ready.fault == INIT_FAULT_FAIL_APART)
        {
          n = init_end_all_waiting_locked ();
          ex_unlock (&ready.ready_lock);
          ex_lock (&ready.ready_lock);
          ex_store (&ready.halted, 1);
        }
      else
        {
          n = halt_and_fail_locked (start);
        }
    }
  ex_unlock (&ready.ready_lock);
  if (n > 0)
    init_count_out (n);
  if (n >= 0 && ready.fault != INIT_FAULT_NO_IDLE)
    init_check_idle ();
}

/* The opening for which the thread has got ready; 0 when it has not. */
static int
init_worker (void)
{
  int start;
  int opening;
  gboolean ok;

  /* begin_init() */
  ex_lock (&ready.view_lock);
  while (ready.life == INIT_LIFE_STARTING)
    ex_wait (&ready.view_cond, &ready.view_lock);
  ex_unlock (&ready.view_lock);

  ex_lock (&ready.ready_lock);
  start = ready.n_starts;
  opening = ready.n_openings;
  ok = ready.open && !ready.broken;
  ex_unlock (&ready.ready_lock);

  if (ok && !call (opening))
    {
      failed (start);
      ok = FALSE;
    }
  return ok ? opening : 0;
}

gboolean
init_recover_locked (void)
{
  const gboolean was_broken = ready.broken;

  ready.broken = FALSE;
  if (was_broken)
    ready.n_starts++;
  return was_broken;
}

/* The backend. */

void
init_add_puller_locked (void)
{
  if (ready.n_made == INIT_MAX_THREADS)
    ex_fail_at ("there are far too many threads", EX_HERE ("add puller"));
  ready.n_threads++;
  ready.n_made++;
  ex_add (&ready.made, 1);
}

gboolean
init_is_over_locked (void)
{
  const int n_left = ready.fault == INIT_FAULT_WAIT_STARTING ? 0 : ready.n_starting;
  gboolean over = ready.closing && !ready.told && ready.n_threads == n_left;

  ready.told |= over;
  return over;
}

static gboolean
is_short_locked (void)
{
  return !ready.closing && ready.n_threads - ready.n_lost < ready.n_wanted;
}

void
init_backend_closed (void)
{
  ex_assert (ex_holds_nothing ());
  ex_lock (&ready.view_lock);
  ex_assert (ready.life == INIT_LIFE_CLOSING);
  ready.life = INIT_LIFE_CLOSED;
  ready.n_closed++;
  ex_broadcast (&ready.view_cond);
  ex_unlock (&ready.view_lock);
}

void
init_workers_changed (void)
{
  ex_lock (&ready.lock);
  ready.n_wanted = (int) ex_load (&ready.workers);
  ready.n_changes++;
  while (is_short_locked ())
    init_add_puller_locked ();
  ex_unlock (&ready.lock);
}

typedef struct
{
  int n_opened;
  int n_changes;
  int opening; /* of the queue; not in the real one */
} Seen;

/* FALSE when the thread must not take anything. */
static gboolean
init_thread (Seen *seen)
{
  int opening;
  int opened;
  gboolean ok;

  ex_lock (&ready.lock);
  opened = ready.n_opened;
  seen->n_changes = ready.n_changes;
  if (seen->n_opened == opened)
    {
      ex_unlock (&ready.lock);
      return TRUE;
    }
  ready.n_starting++;
  ex_unlock (&ready.lock);

  opening = init_worker ();

  ex_lock (&ready.lock);
  ready.n_starting--;
  if (ready.n_opened != opened && ready.fault != INIT_FAULT_COUNT_LOST)
    ready.n_lost--;
  /* Between the two the queue is open, and the backend is not. */
  ok = opening > 0 && (ready.n_opened == opened || ready.fault == INIT_FAULT_OTHER_OPENING) &&
       (!ready.closing || ready.fault == INIT_FAULT_OTHER_OPEN);
  ex_unlock (&ready.lock);
  if (ok)
    *seen = (Seen) { opened, seen->n_changes, opening };
  return ok;
}

static ServeEnd
serve (int opening)
{
  ServeEnd end = END_CLOSED;

  ex_lock (&ready.ready_lock);
  ready.n_serving++;
  for (;;)
    {
      if (ready.n_serving > ready.limit)
        {
          end = END_SURPLUS;
          break;
        }
      if (ready.n_ready > 0 && ready.open && !ready.resting)
        {
          ex_assert (opening == ready.n_openings);
          ready.n_ready--;
          ex_unlock (&ready.ready_lock);
          init_count_out (1);
          ex_lock (&ready.ready_lock);
          continue;
        }
      if (ready.stopping)
        break;
      ex_wait (&ready.ready_cond, &ready.ready_lock);
    }
  ready.n_serving--;
  ex_unlock (&ready.ready_lock);
  return end;
}

void
init_puller (gpointer unused)
{
  Seen seen = { 0 };
  gboolean stay;
  gboolean over;

  ex_take (&ready.made);
  do
    {
      const gint64 seq = ready.scenario->changes ? ex_load (&ready.limit_seq) : 0;
      const gboolean ok = init_thread (&seen);
      ServeEnd end = ok ? serve (seen.opening) : END_CLOSED;

      ex_lock (&ready.lock);
      /* may_stay_locked() */
      stay = !ready.closing && end != END_CLOSED && ready.n_threads - 1 - ready.n_lost < ready.n_wanted;
      if (!stay)
        ready.n_threads--;
      if (!ok && seen.n_changes != ready.n_changes && is_short_locked () && ready.fault != INIT_FAULT_NO_PLACE)
        init_add_puller_locked ();
      over = init_is_over_locked ();
      ex_unlock (&ready.lock);
      /* The backend may know of more workers before the queue does, when it is asked
       * for other reasons just then. */
      if (stay)
        ex_futex_wait (&ready.limit_seq, seq);
    }
  while (stay);
  if (over)
    init_backend_closed ();
}

void
init_follow_workers (void)
{
  gint64 workers;

  do
    {
      workers = ex_load (&ready.workers);
      ex_lock (&ready.ready_lock);
      ready.limit = (int) workers;
      ex_broadcast (&ready.ready_cond);
      ex_unlock (&ready.ready_lock);
      ex_add (&ready.limit_seq, 1);
      ex_futex_wake (&ready.limit_seq, INIT_MAX_THREADS);
    }
  while (workers != ex_load (&ready.workers));
}

/* osiiso_scheduler_set_workers() */
void
init_set_workers (int workers)
{
  const gboolean more = workers > ex_exchange (&ready.workers, workers);

  if (more)
    init_follow_workers ();
  init_workers_changed ();
  if (!more)
    init_follow_workers ();
}
