/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-take.h"

/*
 * Who is woken for a task, and who takes it.
 *
 * Mirrors osiiso-scheduler-take.c (decide_wake_locked, announce_locked,
 * rate_allows_locked, exchange, sleep_locked, end_done_locked, prepare_done,
 * settle_done, serve, serve_for, exchange_token), osiiso-attempt-ahead.c as far as
 * it wakes somebody, push, act and attempt_ended in osiiso-scheduler.c, and count_out
 * in osiiso-scheduler-life.c.
 */

TakeModel take;

/* What a thread hands in. */
typedef struct
{
  gboolean pending;
  gboolean ended;
  gboolean counted;
  gboolean token;
} Done;

typedef enum
{
  ASK_WAIT,
  ASK_PARK,
  ASK_TOKENS,
} Ask;

enum
{
  PARKED       = 1 << 0,
  PARKED_AHEAD = 1 << 1,
};

static void
decide_wake_locked (TakeWake *wake)
{
  if (ex_peek (&take.sleepers) > 0 && !take.waking)
    {
      /* At most one thread is on its way. */
      ex_assert (take.tokens == 0 && take.n_coming == 0);
      take.waking = TRUE;
      take.tokens++;
      wake->signal = TRUE;
    }
  if (ex_peek (&take.parked))
    {
      ex_store (&take.parked, 0);
      wake->backend = TRUE;
    }
}

static gboolean
may_take_ahead_locked (void)
{
  return take.open && !take.resting && !take.paused && take.n_halting == 0;
}

static gboolean
may_take_locked (void)
{
  return take.n_active < take.limit && may_take_ahead_locked ();
}

/* osiiso_timer_service_arm() */
static void
arm (int when)
{
  ex_lock (&take.timer_lock);
  if (take.armed == 0 || take.armed > when)
    take.armed = when;
  ex_unlock (&take.timer_lock);
  ex_signal (&take.timer_cond);
}

static gboolean
rate_allows_locked (void)
{
  const int when = take.limiter;

  if (!take.scenario->rated || ex_load (&take.clock) >= when)
    return TRUE;
  if (take.fault == TAKE_FAULT_TIMER_SILENT)
    return FALSE;
  arm (when);
  return FALSE;
}

static void
splice_inbox_locked (void)
{
  take.n_ready += take.n_inbox;
  take.n_inbox = 0;
  ex_store (&take.inbox_dirty, FALSE);
}

gboolean
take_nobody_sleeps (void)
{
  return ex_load (&take.sleepers) == 0 && !ex_load (&take.parked);
}

void
take_announce_locked (TakeWake *wake)
{
  if (!may_take_ahead_locked ())
    return;
  if (take.fault != TAKE_FAULT_PEEK_EARLY && take_nobody_sleeps ())
    return;
  if (take.n_active >= take.limit &&
      (take.fault == TAKE_FAULT_AHEAD_LIMITED || !(ex_load (&take.parked) & PARKED_AHEAD)))
    return;
  ex_lock (&take.inbox_lock);
  if (ex_peek (&take.inbox_dirty))
    splice_inbox_locked ();
  if ((ex_peek (&take.sleepers) > 0 || ex_peek (&take.parked)) && take.n_ready > 0 && rate_allows_locked ())
    decide_wake_locked (wake);
  ex_unlock (&take.inbox_lock);
}

/* osiiso_main_loop_backend_wake() */
void
take_set_ready_time (gboolean ready)
{
  ex_lock (&take.context_lock);
  take.ready_time = ready;
  if (ready)
    ex_broadcast (&take.context_cond);
  ex_unlock (&take.context_lock);
}

void
take_act (const TakeWake *wake)
{
  ex_assert (ex_holds_nothing ());
  if (wake->signal)
    ex_signal (&take.inbox_cond);
  if (wake->backend)
    take_set_ready_time (TRUE);
}

void
take_push (int n)
{
  TakeWake wake = { 0 };

  ex_lock (&take.inbox_lock);
  ex_add (&take.n_in, n);
  take.n_inbox += n;
  if (!ex_peek (&take.inbox_dirty))
    ex_store (&take.inbox_dirty, TRUE);
  decide_wake_locked (&wake);
  ex_unlock (&take.inbox_lock);
  take_act (&wake);
}

static void
count_out (void)
{
  gboolean last = FALSE;

  ex_lock (&take.ready_lock);
  if (ex_load (&take.n_in) - take.n_out > 1)
    {
      take.n_out++;
    }
  else
    {
      ex_lock (&take.inbox_lock);
      take.n_out++;
      last = ex_peek (&take.n_in) == take.n_out;
      ex_unlock (&take.inbox_lock);
    }
  ex_unlock (&take.ready_lock);
  if (last)
    ex_store (&take.round_over, 1);
}

void
take_attempt_ended (void)
{
  TakeWake wake = { 0 };
  gboolean retry;

  ex_lock (&take.ready_lock);
  take.n_active--;
  retry = take.n_retries > 0;
  if (retry)
    {
      take.n_retries--;
      take.n_ready++;
    }
  if (take.fault != TAKE_FAULT_END_SILENT)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
  if (!retry)
    count_out ();
}

static void
prepare_done (Done *done)
{
  if (!done->pending || !take.scenario->complex)
    return;
  take_attempt_ended ();
  done->pending = FALSE;
}

static void
end_done_locked (Done *done)
{
  take.n_active--;
  done->pending = FALSE;
  done->ended = TRUE;
}

static void
finish_done (Done *done)
{
  if (!done->ended)
    return;
  done->ended = FALSE;
  if (!done->counted)
    count_out ();
  done->counted = FALSE;
}

static void
settle_done (Done *done)
{
  prepare_done (done);
  if (done->pending)
    {
      TakeWake wake = { 0 };

      ex_lock (&take.ready_lock);
      end_done_locked (done);
      take_announce_locked (&wake);
      ex_unlock (&take.ready_lock);
      take_act (&wake);
    }
  finish_done (done);
}

static void
clear_waking_locked (gboolean *woken)
{
  take.waking = FALSE;
  take.n_coming--;
  *woken = FALSE;
}

static gboolean
sleep_locked (void)
{
  const int shrunk = take.shrunk;
  gboolean woken;

  while (take.tokens == 0 && !take.stopping && take.shrunk == shrunk)
    ex_wait (&take.inbox_cond, &take.inbox_lock);
  ex_add (&take.sleepers, -1);
  woken = take.tokens > 0;
  if (woken)
    {
      take.tokens--;
      take.n_coming++;
      if (take.fault == TAKE_FAULT_WAKING_EARLY)
        take.waking = FALSE;
    }
  ex_unlock (&take.inbox_lock);
  return woken;
}

static gboolean
is_token (int task)
{
  return (take.scenario->tokens & (1u << task)) != 0;
}

/* With the ready lock. */
static int
pop_locked (void)
{
  take.n_ready--;
  if (take.scenario->rated)
    {
      ex_assert (ex_load (&take.clock) >= take.limiter);
      take.limiter = (int) ex_load (&take.clock) + 1;
    }
  return take.n_taken++;
}

static void
start_locked (void)
{
  take.n_active++;
  if (take.scenario->pullers == PULLERS_AHEAD)
    ex_store (&take.begun[take.n_begun++], 1);
}

static int
begin_attempt_locked (void)
{
  ex_assert (take.n_active < take.limit);
  start_locked ();
  return pop_locked ();
}

/* The last part of exchange(): with the ready lock, which is released. Sleeps, or
 * says that there is @none, or has to look again. */
static void
give_up_locked (Ask       ask,
                gboolean  serving,
                gboolean *woken,
                gboolean *none)
{
  const gboolean both = take.fault != TAKE_FAULT_ONE_LOCK;

  if (!both)
    ex_unlock (&take.ready_lock);
  ex_lock (&take.inbox_lock);
  if (*woken)
    clear_waking_locked (woken);
  /* Without the other lock all that can be said is that there is nothing new. */
  if (ex_peek (&take.inbox_dirty) && (!both || may_take_locked ()))
    {
      ex_unlock (&take.inbox_lock);
      if (both)
        ex_unlock (&take.ready_lock);
      return;
    }
  if (ask == ASK_PARK || take.stopping)
    {
      if (ask != ASK_PARK)
        ex_store (&take.parked, 0);
      else if (take.fault == TAKE_FAULT_AHEAD_FORGET)
        ex_store (&take.parked, PARKED);
      else
        ex_store (&take.parked, ex_peek (&take.parked) | PARKED);
      if (serving)
        take.n_serving--;
      ex_unlock (&take.inbox_lock);
      if (both)
        ex_unlock (&take.ready_lock);
      *none = TRUE;
      return;
    }
  ex_add (&take.sleepers, 1);
  if (both)
    ex_unlock (&take.ready_lock);
  *woken = sleep_locked ();
}

/* Clears the flag too late, when that is the fault. */
static void
clear_waking (gboolean *woken)
{
  if (!*woken)
    return;
  ex_lock (&take.inbox_lock);
  clear_waking_locked (woken);
  ex_unlock (&take.inbox_lock);
}

/* The number of the task; -1 for none. */
static int
exchange (Done    *done,
          Ask      ask,
          gboolean serving)
{
  gboolean woken = FALSE;
  gboolean none = FALSE;

  prepare_done (done);
  while (!none)
    {
      TakeWake wake = { 0 };
      int task;

      ex_lock (&take.ready_lock);
      if (done->pending)
        end_done_locked (done);
      if (woken || ex_load (&take.inbox_dirty))
        {
          ex_lock (&take.inbox_lock);
          splice_inbox_locked ();
          if (woken && take.fault != TAKE_FAULT_WAKING_LATE)
            clear_waking_locked (&woken);
          ex_unlock (&take.inbox_lock);
        }

      if (serving && take.n_serving > take.limit && ask != ASK_TOKENS)
        {
          take.n_serving--;
          take_announce_locked (&wake);
          ex_unlock (&take.ready_lock);
          take_act (&wake);
          finish_done (done);
          return -1;
        }
      if (may_take_locked () && take.n_ready > 0 && rate_allows_locked () &&
          (ask != ASK_TOKENS || (is_token (take.n_taken) && take.n_serving <= take.limit)))
        {
          task = begin_attempt_locked ();
          if (done->ended && !done->token)
            {
              take.n_out++;
              done->counted = TRUE;
              ex_assert (ex_peek (&take.n_in) > take.n_out);
            }
          if (take.fault != TAKE_FAULT_REST_SILENT)
            take_announce_locked (&wake);
          ex_unlock (&take.ready_lock);
          clear_waking (&woken);
          take_act (&wake);
          finish_done (done);
          return task;
        }

      if (done->ended)
        {
          ex_unlock (&take.ready_lock);
          finish_done (done);
          continue;
        }
      if (ask == ASK_TOKENS)
        {
          take_announce_locked (&wake);
          ex_unlock (&take.ready_lock);
          take_act (&wake);
          return -1;
        }
      give_up_locked (ask, serving, &woken, &none);
    }
  return -1;
}

static void
call_function (int task)
{
  ex_assert (ex_holds_nothing ());
  if (take.scenario->needy && task == 0)
    ex_await (&take.second_runs);
  if (take.scenario->needy && task == 1)
    ex_store (&take.second_runs, 1);
}

/* Runs the function of a task, and of the tokens that it asks for when it is one;
 * @done is what has to be handed in then. */
static void
perform (int      task,
         Done    *done,
         gboolean serving)
{
  *done = (Done) { 0 };
  call_function (task);
  while (is_token (task))
    {
      /* osiiso_scheduler_exchange_token() */
      done->pending = done->token = TRUE;
      task = exchange (done, ASK_TOKENS, serving);
      if (task < 0)
        {
          settle_done (done);
          return;
        }
      *done = (Done) { 0 };
      call_function (task);
    }
  if (take.scenario->defers && task == 0)
    ex_store (&take.deferred, 1);
  else
    done->pending = TRUE;
}

void
take_serve (void)
{
  Done done = { 0 };
  int task;

  ex_lock (&take.ready_lock);
  take.n_serving++;
  ex_unlock (&take.ready_lock);
  while ((task = exchange (&done, ASK_WAIT, TRUE)) >= 0)
    perform (task, &done, TRUE);
}

void
take_and_report (void)
{
  int task;

  while ((task = exchange (&(Done) { 0 }, ASK_WAIT, FALSE)) >= 0)
    {
      call_function (task);
      take_attempt_ended ();
    }
}

/* The slice is over whenever it likes to be. */
gboolean
take_serve_for (gboolean slice)
{
  Done done = { 0 };
  int task;

  do
    {
      prepare_done (&done);
      task = exchange (&done, ASK_PARK, FALSE);
      if (task < 0)
        break;
      perform (task, &done, FALSE);
    }
  while (slice && ex_choose (2) == 0);
  settle_done (&done);
  return task >= 0;
}

/* osiiso_backend_take() */
gboolean
take_now (void)
{
  return exchange (&(Done) { 0 }, ASK_PARK, FALSE) >= 0;
}

/* osiiso_scheduler_take_ahead() */
gboolean
take_ahead (void)
{
  TakeWake wake = { 0 };
  gboolean found;
  gboolean again;

  ex_lock (&take.ready_lock);
  do
    {
      again = FALSE;
      if (ex_load (&take.inbox_dirty))
        {
          ex_lock (&take.inbox_lock);
          splice_inbox_locked ();
          ex_unlock (&take.inbox_lock);
        }
      found = may_take_ahead_locked () && take.n_ready > 0 && rate_allows_locked ();
      if (!found)
        {
          ex_lock (&take.inbox_lock);
          again = ex_peek (&take.inbox_dirty) && take.fault != TAKE_FAULT_AHEAD_ONCE;
          if (!again)
            ex_store (&take.parked, ex_peek (&take.parked) | PARKED_AHEAD);
          ex_unlock (&take.inbox_lock);
        }
    }
  while (again);
  if (found)
    {
      pop_locked ();
      take.n_reserved++;
      take_announce_locked (&wake);
    }
  ex_unlock (&take.ready_lock);
  take_act (&wake);
  return found;
}

/* osiiso_attempt_begin() */
void
take_begin (void)
{
  ex_lock (&take.ready_lock);
  ex_assert (take.n_reserved > 0);
  take.n_reserved--;
  start_locked ();
  ex_unlock (&take.ready_lock);
}

/* osiiso_attempt_give_back() */
void
take_give_back (void)
{
  TakeWake wake = { 0 };

  ex_lock (&take.ready_lock);
  ex_assert (take.n_reserved > 0);
  take.n_reserved--;
  take.n_returned++;
  take.n_ready++;
  if (take.fault != TAKE_FAULT_BACK_SILENT)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}
