/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#include "model-take.h"

/*
 * What is done with the model of who takes a task.
 *
 * Mirrors what changes what there is to take: client_tick, set_limit, set_paused,
 * stop_resting in osiiso-scheduler.c, osiiso-scheduler-halt.c, set_open in osiiso-scheduler-life.c, the
 * thread of osiiso-timer-service.c, and the loops of the two backends.
 *
 * In most scenarios the first task that is taken needs the second one to run, so
 * that a task which is queued next to a sleeper, and that could be taken, is a
 * deadlock.
 */

static struct
{
  ExAtomic n_left;
  ExAtomic all_left;
  ExAtomic opened[2];
} closing;

/* The backend has closed when all have left, and has new threads when it opens
 * again. */
static void
puller (gpointer unused)
{
  const TakeScenario *scenario = take.scenario;

  for (int i = 0;; i++)
    {
      if (scenario->pullers == PULLERS_SERVE)
        take_serve ();
      else
        take_and_report ();
      if (scenario->n_closes == 0)
        break;
      if (ex_add (&closing.n_left, 1) == scenario->n_pullers - 1)
        ex_store (&closing.all_left, 1);
      if (i + 1 == scenario->n_closes)
        break;
      ex_await (&closing.opened[i]);
    }
}

static void
main_loop (gpointer unused)
{
  for (;;)
    {
      ex_lock (&take.context_lock);
      while (!take.ready_time)
        ex_wait (&take.context_cond, &take.context_lock);
      ex_unlock (&take.context_lock);

      if (!take_serve_for (TRUE))
        {
          take_set_ready_time (FALSE);
          if (take.fault != TAKE_FAULT_LOOK_ONCE && take_serve_for (FALSE))
            take_set_ready_time (TRUE);
        }
    }
}

/* A thread that feeds one worker, which is elsewhere: the one that it runs and a few
 * more. */

static gboolean
fetch (gboolean *has_head,
       int      *n_ahead,
       gboolean *returns)
{
  const int before = *n_ahead;

  if (!*has_head && *n_ahead > 0)
    {
      take_begin ();
      (*n_ahead)--;
      *has_head = TRUE;
    }
  else if (!*has_head && !*returns)
    {
      *has_head = take_now ();
    }
  if (*n_ahead >= take.scenario->window || !take_ahead ())
    return FALSE;
  if (*returns)
    {
      *returns = FALSE;
      ex_store (&take.deferred, 1);
      return TRUE;
    }
  (*n_ahead)++;
  if (before == 0)
    ex_store (&take.second_reserved, 1);
  return TRUE;
}

static void
feed_worker (gpointer unused)
{
  gboolean returns = take.scenario->returns;
  gboolean has_head = FALSE;
  int n_ahead = 0;

  for (;;)
    {
      gboolean done;

      ex_lock (&take.context_lock);
      while (!take.ready_time)
        ex_wait (&take.context_cond, &take.context_lock);
      take.ready_time = FALSE;
      done = take.head_done;
      take.head_done = FALSE;
      ex_unlock (&take.context_lock);

      if (done)
        {
          has_head = FALSE;
          for (; take.scenario->crashes && n_ahead > 0 && take.n_returned < 2 && ex_choose (2) == 1; n_ahead--)
            take_give_back ();
          take_attempt_ended ();
        }
      while (fetch (&has_head, &n_ahead, &returns))
        ;
      if (take.scenario->asks_last && has_head)
        ex_assert (!take_now ());
    }
}

/* What it feeds. The first task needs the next one to be sent ahead. */
static void
work (gpointer unused)
{
  for (int i = 0; i < (int) G_N_ELEMENTS (take.begun); i++)
    {
      ex_await (&take.begun[i]);
      if (take.scenario->needy && i == 0)
        ex_await (&take.second_reserved);
      ex_lock (&take.context_lock);
      ex_assert (!take.head_done);
      take.head_done = take.ready_time = TRUE;
      ex_broadcast (&take.context_cond);
      ex_unlock (&take.context_lock);
    }
}

static void
return_first (gpointer unused)
{
  ex_await (&take.deferred);
  take_give_back ();
}

/* The others. */

static void
submit (gpointer unused)
{
  if (take.scenario->batch)
    take_push (take.scenario->n_tasks);
  else
    for (int i = 0; i < take.scenario->n_tasks; i++)
      take_push (1);
}

static void
set_limit (int limit)
{
  TakeWake wake = { 0 };
  gboolean nobody = take.fault == TAKE_FAULT_PEEK_EARLY && take_nobody_sleeps ();

  ex_lock (&take.ready_lock);
  take.limit = limit;
  if (take.n_serving > limit && take.fault != TAKE_FAULT_SHRINK_SILENT)
    {
      ex_lock (&take.inbox_lock);
      take.shrunk++;
      ex_broadcast (&take.inbox_cond);
      ex_unlock (&take.inbox_lock);
    }
  if (take.fault != TAKE_FAULT_LIMIT_SILENT && !nobody)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}

static void
change_limit (gpointer unused)
{
  for (int i = 0; i < 2 && take.scenario->limits[i] > 0; i++)
    set_limit (take.scenario->limits[i]);
}

static void
set_paused (gboolean paused)
{
  TakeWake wake = { 0 };

  ex_lock (&take.ready_lock);
  take.paused = paused;
  if (take.fault != TAKE_FAULT_RESUME_SILENT)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}

static void
pause_and_resume (gpointer unused)
{
  if (take.scenario->pauses)
    set_paused (TRUE);
  set_paused (FALSE);
}

static void
stop_resting (gpointer unused)
{
  TakeWake wake = { 0 };

  ex_lock (&take.ready_lock);
  take.resting = FALSE;
  take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}

static void
halt (gpointer unused)
{
  TakeWake wake = { 0 };

  ex_lock (&take.ready_lock);
  take.n_halting++;
  ex_unlock (&take.ready_lock);

  ex_lock (&take.ready_lock);
  take.n_halting--;
  if (take.fault != TAKE_FAULT_HALT_SILENT)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}

static void
client_tick (int n_due)
{
  TakeWake wake = { 0 };

  ex_lock (&take.ready_lock);
  take.n_ready += n_due;
  if (take.fault != TAKE_FAULT_TICK_SILENT)
    take_announce_locked (&wake);
  ex_unlock (&take.ready_lock);
  take_act (&wake);
}

static void
tick_delayed (gpointer unused)
{
  client_tick (take.scenario->n_delayed);
}

static void
tick_rate (gpointer unused)
{
  for (;;)
    {
      ex_lock (&take.timer_lock);
      while (take.armed == 0)
        ex_wait (&take.timer_cond, &take.timer_lock);
      ex_store (&take.clock, take.armed);
      take.armed = 0;
      ex_unlock (&take.timer_lock);
      client_tick (0);
    }
}

static void
end_deferred (gpointer unused)
{
  ex_await (&take.deferred);
  take_attempt_ended ();
}

static void
set_open (gboolean open)
{
  ex_lock (&take.ready_lock);
  ex_lock (&take.inbox_lock);
  take.open = open;
  take.stopping = !open;
  ex_store (&take.parked, FALSE);
  if (!open && take.fault != TAKE_FAULT_CLOSE_SILENT)
    ex_broadcast (&take.inbox_cond);
  ex_unlock (&take.inbox_lock);
  ex_unlock (&take.ready_lock);
}

static void
submit_and_close (gpointer unused)
{
  for (int i = 0; i < take.scenario->n_closes; i++)
    {
      if (i > 0)
        {
          set_open (TRUE);
          ex_store (&closing.opened[i - 1], 1);
        }
      submit (NULL);
      ex_await (&take.round_over);
      set_open (FALSE);
      ex_await (&closing.all_left);
      ex_store (&take.round_over, 0);
      ex_store (&closing.all_left, 0);
      ex_store (&closing.n_left, 0);
    }
}

static void
setup (const ExModel *model)
{
  static const char *const names[] = { "puller 1", "puller 2", "puller 3" };
  const TakeScenario *scenario = model->data;
  const ExThreadFlags flags = scenario->n_closes > 0 ? EX_THREAD_DEFAULT : EX_THREAD_MAY_SLEEP;

  memset (&take, 0, sizeof take);
  memset (&closing, 0, sizeof closing);
  take.scenario = scenario;
  take.fault = (TakeFault) model->variant;
  take.limit = scenario->limit > 0 ? scenario->limit : scenario->n_pullers;
  take.n_retries = scenario->n_retries;
  take.paused = scenario->paused;
  take.resting = scenario->resting;
  take.open = TRUE;
  take.ready_time = scenario->pullers == PULLERS_LOOP || scenario->pullers == PULLERS_AHEAD;
  ex_init (&take.n_in, scenario->n_delayed);

  if (scenario->pullers == PULLERS_AHEAD)
    {
      ex_spawn ("feeder", flags, feed_worker, NULL);
      ex_spawn ("worker", flags, work, NULL);
    }
  else
    {
      for (int i = 0; i < scenario->n_pullers; i++)
        ex_spawn (names[i], flags, scenario->pullers == PULLERS_LOOP ? main_loop : puller, NULL);
    }
  if (scenario->returns)
    ex_spawn ("elsewhere", EX_THREAD_DEFAULT, return_first, NULL);
  if (scenario->n_closes > 0)
    ex_spawn ("owner", EX_THREAD_DEFAULT, submit_and_close, NULL);
  else
    ex_spawn ("producer", EX_THREAD_DEFAULT, submit, NULL);
  if (scenario->limits[0] > 0)
    ex_spawn ("limiter", EX_THREAD_DEFAULT, change_limit, NULL);
  if (scenario->paused || scenario->pauses)
    ex_spawn ("pauser", EX_THREAD_DEFAULT, pause_and_resume, NULL);
  if (scenario->resting)
    ex_spawn ("starter", EX_THREAD_DEFAULT, stop_resting, NULL);
  if (scenario->halts)
    ex_spawn ("halter", EX_THREAD_DEFAULT, halt, NULL);
  if (scenario->n_delayed > 0)
    ex_spawn ("timer", EX_THREAD_DEFAULT, tick_delayed, NULL);
  if (scenario->rated)
    ex_spawn ("timer", EX_THREAD_MAY_SLEEP, tick_rate, NULL);
  if (scenario->defers)
    ex_spawn ("elsewhere", EX_THREAD_DEFAULT, end_deferred, NULL);
}

static const char *
check (const ExModel *model)
{
  const TakeScenario *scenario = model->data;
  const int rounds = MAX (1, scenario->n_closes);

  if (take.n_taken - take.n_returned != rounds * scenario->n_tasks + scenario->n_delayed + scenario->n_retries)
    return "stuck: a task was not taken, and nobody will";
  if (take.n_in.value != take.n_out || take.n_active != 0 || take.n_reserved != 0)
    return "a task has not ended";
  if (take.tokens != 0 || take.n_coming != 0 || take.waking)
    return "somebody is still to be woken";
  if (scenario->pullers == PULLERS_SERVE && scenario->n_closes == 0 &&
      take.n_serving != MIN (take.limit, scenario->n_pullers))
    return "there are more threads than workers, or fewer";
  return NULL;
}

#define TWO .n_pullers = 2, .n_tasks = 2, .needy = TRUE

static const TakeScenario serve_two = { TWO };
static const TakeScenario serve_batch = { TWO, .batch = TRUE };
static const TakeScenario serve_three_tasks = { .n_pullers = 2, .n_tasks = 3, .needy = TRUE };
static const TakeScenario serve_three = { .n_pullers = 3, .n_tasks = 3, .needy = TRUE };
static const TakeScenario serve_complex = { TWO, .complex = TRUE };
static const TakeScenario serve_retry = { .n_pullers = 2, .n_tasks = 2, .complex = TRUE, .n_retries = 1 };
static const TakeScenario serve_start = { TWO, .resting = TRUE };
static const TakeScenario serve_paused = { TWO, .paused = TRUE };
static const TakeScenario serve_pauses = { TWO, .pauses = TRUE };
static const TakeScenario serve_halts = { TWO, .halts = TRUE };
static const TakeScenario serve_tick = { .n_pullers = 2, .n_tasks = 1, .needy = TRUE, .n_delayed = 1 };
static const TakeScenario serve_close = { TWO, .n_closes = 1 };
static const TakeScenario serve_reopen = { .n_pullers = 2, .n_tasks = 1, .n_closes = 2 };
static const TakeScenario serve_shrink = { .n_pullers = 2, .n_tasks = 2, .limits = { 1 } };
static const TakeScenario serve_tokens = { .n_pullers = 2, .n_tasks = 3, .tokens = 7 };
static const TakeScenario serve_mixed = { .n_pullers = 2, .n_tasks = 3, .tokens = 6, .needy = TRUE };
static const TakeScenario serve_token_shrink = { .n_pullers = 2, .n_tasks = 2, .tokens = 3, .limits = { 1 } };
static const TakeScenario serve_rated = { TWO, .rated = TRUE };
static const TakeScenario report_two = { .pullers = PULLERS_TAKE, TWO };
static const TakeScenario report_limit = { .pullers = PULLERS_TAKE, TWO, .limit = 1, .limits = { 2 } };
static const TakeScenario report_limits = { .pullers = PULLERS_TAKE, TWO, .limits = { 1, 2 } };
static const TakeScenario loop_two = { .pullers = PULLERS_LOOP, .n_pullers = 1, .n_tasks = 2 };
static const TakeScenario loop_defers = {
  .pullers = PULLERS_LOOP, .n_pullers = 1, .n_tasks = 2, .defers = TRUE, .complex = TRUE
};
static const TakeScenario loop_tokens = { .pullers = PULLERS_LOOP, .n_pullers = 1, .n_tasks = 3, .tokens = 5 };
static const TakeScenario loop_rated = { .pullers = PULLERS_LOOP, .n_pullers = 1, .n_tasks = 2, .rated = TRUE };
#define AHEAD .pullers = PULLERS_AHEAD, .n_pullers = 1, .window = 1

static const TakeScenario ahead_two = { AHEAD, .n_tasks = 2, .needy = TRUE };
static const TakeScenario ahead_three = { AHEAD, .n_tasks = 3, .needy = TRUE, .crashes = TRUE };
static const TakeScenario ahead_tick = { AHEAD, .n_tasks = 1, .needy = TRUE, .n_delayed = 1 };
static const TakeScenario ahead_asks = { AHEAD, .n_tasks = 1, .needy = TRUE, .n_delayed = 1, .asks_last = TRUE };
static const TakeScenario ahead_pauses = { AHEAD, .n_tasks = 2, .needy = TRUE, .pauses = TRUE };
static const TakeScenario ahead_halts = { AHEAD, .n_tasks = 2, .needy = TRUE, .halts = TRUE };
static const TakeScenario ahead_rated = { AHEAD, .n_tasks = 2, .needy = TRUE, .rated = TRUE };
static const TakeScenario ahead_returns = { AHEAD, .n_tasks = 2, .needy = TRUE, .returns = TRUE };
static const TakeScenario ahead_returns_one = { AHEAD, .n_tasks = 1, .returns = TRUE };
static const TakeScenario loop_start = { .pullers = PULLERS_LOOP, .n_pullers = 1, .n_tasks = 2, .resting = TRUE };

#define CLEAN(name, summary, scenario, ...) \
  { name, summary, setup, check, &scenario, TAKE_FAULT_NONE, FALSE, __VA_ARGS__ }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_take_models[] = {
  CLEAN ("two", "two threads, two tasks", serve_two, 0),
  CLEAN ("batch", "both tasks in one push", serve_batch, 0),
  CLEAN ("three-tasks", "two threads, three tasks", serve_three_tasks, 0),
  CLEAN ("three", "three threads, three tasks", serve_three, -1),
  CLEAN ("spurious", "waits that return for no reason", serve_two, -1, 1),
  CLEAN ("complex", "ends of tasks by themselves", serve_complex, 0),
  CLEAN ("retry", "a task that is tried again", serve_retry, 0),
  CLEAN ("start", "a queue that starts meanwhile", serve_start, 0),
  CLEAN ("resume", "a queue that is resumed meanwhile", serve_paused, 0),
  CLEAN ("pause", "a queue that is paused and resumed meanwhile", serve_pauses, 0),
  CLEAN ("halt", "a queue in which tasks are cancelled meanwhile", serve_halts, 0),
  CLEAN ("tick", "a task whose delay is over", serve_tick, 0),
  CLEAN ("close", "a queue that closes when all is done", serve_close, 0),
  CLEAN ("reopen", "and opens again", serve_reopen, -1),
  CLEAN ("shrink", "fewer workers", serve_shrink, 0),
  CLEAN ("tokens", "tasks that ask for the next one themselves", serve_tokens, 0),
  CLEAN ("tokens-mixed", "the same behind one that does not", serve_mixed, 0),
  CLEAN ("tokens-shrink", "the same with fewer workers", serve_token_shrink, -1),
  CLEAN ("rate", "tasks that may not begin yet", serve_rated, 0),
  CLEAN ("take", "a backend that takes and reports", report_two, 0),
  CLEAN ("limit", "a higher limit", report_limit, 0),
  CLEAN ("limits", "a lower limit and a higher one", report_limits, 0),
  CLEAN ("loop", "a backend in a main loop", loop_two, 0),
  CLEAN ("loop-defers", "the same with a task that ends elsewhere", loop_defers, 0),
  CLEAN ("loop-start", "the same with a queue that starts meanwhile", loop_start, 0),
  CLEAN ("loop-tokens", "the same with tasks that ask for the next one themselves", loop_tokens, 0),
  CLEAN ("loop-rate", "the same with tasks that may not begin yet", loop_rated, 0),

  CLEAN ("ahead", "a backend that takes ahead", ahead_two, 0),
  CLEAN ("ahead-crash", "the same with a worker that loses what it was sent", ahead_three, 0),
  CLEAN ("ahead-tick", "the same with a task whose delay is over", ahead_tick, 0),
  CLEAN ("ahead-asks", "the same when it asks for one that begins at last", ahead_asks, 0),
  CLEAN ("ahead-pause", "the same with a queue that is paused and resumed meanwhile", ahead_pauses, 0),
  CLEAN ("ahead-halt", "the same with a queue in which tasks are cancelled meanwhile", ahead_halts, 0),
  CLEAN ("ahead-rate", "the same with tasks that may not begin yet", ahead_rated, 0),
  CLEAN ("ahead-return", "the same with a task that is given back elsewhere", ahead_returns, 0),
  CLEAN ("ahead-return-one", "the same when it is the only one", ahead_returns_one, 0),

  FAULTY ("peek-early", "sleepers looked at before the ready lock is had", report_limit, TAKE_FAULT_PEEK_EARLY),
  FAULTY ("waking-early", "the flag cleared before looking at the lists", serve_three_tasks, TAKE_FAULT_WAKING_EARLY),
  FAULTY ("waking-late", "the flag cleared after looking at the lists", serve_two, TAKE_FAULT_WAKING_LATE),
  FAULTY ("one-lock", "a sleeper that registers with the inbox lock only", serve_two, TAKE_FAULT_ONE_LOCK),
  FAULTY ("rest-silent", "one of two tasks taken, the other one not announced", serve_batch, TAKE_FAULT_REST_SILENT),
  FAULTY ("limit-silent", "a limit raised without announcing", report_limit, TAKE_FAULT_LIMIT_SILENT),
  FAULTY ("resume-silent", "resumed without announcing", serve_paused, TAKE_FAULT_RESUME_SILENT),
  FAULTY ("tick-silent", "a delay that ends without announcing", serve_tick, TAKE_FAULT_TICK_SILENT),
  FAULTY ("shrink-silent", "a limit lowered without telling those who sleep", serve_shrink, TAKE_FAULT_SHRINK_SILENT),
  FAULTY ("close-silent", "closed without telling those who sleep", serve_close, TAKE_FAULT_CLOSE_SILENT),
  FAULTY ("loop-look-once", "a main loop that goes to sleep without looking again", loop_two, TAKE_FAULT_LOOK_ONCE),
  FAULTY ("end-silent", "an end that makes room without announcing", loop_defers, TAKE_FAULT_END_SILENT),
  FAULTY ("halt-silent", "tasks cancelled without announcing what is left", serve_halts, TAKE_FAULT_HALT_SILENT),
  FAULTY ("timer-silent", "a task that may not begin yet, and no timer", serve_rated, TAKE_FAULT_TIMER_SILENT),
  FAULTY ("ahead-limited", "a task that may only be taken ahead, not announced", ahead_tick, TAKE_FAULT_AHEAD_LIMITED),
  FAULTY ("ahead-forget", "asked for one that begins, and forgotten that one ahead is wanted", ahead_asks,
          TAKE_FAULT_AHEAD_FORGET),
  FAULTY ("ahead-look-once", "taken ahead in vain without looking again", ahead_two, TAKE_FAULT_AHEAD_ONCE),
  FAULTY ("ahead-return-silent", "given back without announcing", ahead_returns, TAKE_FAULT_BACK_SILENT),
  { NULL },
};
