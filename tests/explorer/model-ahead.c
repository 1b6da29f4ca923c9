/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * An attempt that is taken ahead, begins, and is given back, while somebody ends its
 * task: by its handle, because its deadline has come, or with all others.
 *
 * Mirrors osiiso-attempt-ahead.c, claim and interrupt in osiiso-attempt.c, and what
 * osiiso-scheduler.c and osiiso-scheduler-bounds.c do about the end (attempt_ended,
 * cancel, end_one_overdue_locked, halt_locked, cancel_doomed).
 *
 * The task ends exactly once. Nothing begins after a halt, or after somebody was told
 * that the task is cancelled. What has begun and has not ended is counted.
 */

typedef enum
{
  AHEAD_FAULT_NONE,
  AHEAD_FAULT_BACK_BLIND,     /* given back without a look at who wanted to end it */
  AHEAD_FAULT_BACK_UNCLAIMED, /* looked whether it is open, and given back */
  AHEAD_FAULT_BEGIN_BLIND,    /* begins without a look at who wants to end it */
  AHEAD_FAULT_HALT_UNMARKED,  /* a halt leaves no mark at what has an attempt */
  AHEAD_FAULT_HALT_WAITS,     /* what is reserved is taken for what waits */
} AheadFault;

enum
{
  CLAIMED     = 1 << 0,
  INTERRUPTED = 1 << 1,
  RESERVED    = 1 << 2,
  GIVEN_BACK  = 1 << 3,
};

typedef enum
{
  PENDING,
  RUNNING,
  SUCCEEDED,
  FAILED,
  CANCELLED,
} Status;

typedef struct
{
  gboolean cancels;
  gboolean overdue;
  gboolean halts;
  gboolean must_complete; /* and the halt means such tasks too */
} AheadScenario;

#define N_ATTEMPTS 3

static struct
{
  const AheadScenario *scenario;
  AheadFault fault;

  /* ready_lock, and read without it: of the task */
  ExAtomic status;
  ExAtomic reserved;

  ExMutex  ready_lock;
  gboolean waits;        /* it is in a list */
  gboolean cancel_asked;
  gboolean is_overdue;
  gboolean halted;
  int      n_halting;
  int      n_active;
  int      n_ends;
  int      n_attempts;
  int      attempt;      /* of the task; -1: none */
  ExAtomic states[N_ATTEMPTS];
} ahead;

static gboolean
is_final (void)
{
  return ex_load (&ahead.status) > RUNNING;
}

/* osiiso_word_has_attempt() */
static gboolean
has_attempt (void)
{
  return ex_load (&ahead.status) == RUNNING || (ex_load (&ahead.reserved) && ahead.fault != AHEAD_FAULT_HALT_WAITS);
}

static gboolean
claim (int    attempt,
       gint64 flags)
{
  gint64 old = ex_load (&ahead.states[attempt]);

  do
    {
      if (old & CLAIMED)
        return FALSE;
      if (flags == GIVEN_BACK && ahead.fault == AHEAD_FAULT_BACK_UNCLAIMED)
        return TRUE;
    }
  while (!ex_cas (&ahead.states[attempt], &old, old | CLAIMED | flags));
  return TRUE;
}

static void
start_locked (int attempt)
{
  ex_assert (ahead.attempt == attempt && ex_peek (&ahead.status) == PENDING);
  ex_assert (!ahead.halted && !ahead.cancel_asked);
  ex_and (&ahead.states[attempt], ~(gint64) RESERVED);
  ex_store (&ahead.reserved, 0);
  ex_store (&ahead.status, RUNNING);
  ahead.n_active++;
}

static void
unlink_locked (int attempt)
{
  ex_assert (ahead.attempt == attempt);
  ahead.attempt = -1;
  if (ex_load (&ahead.states[attempt]) & RESERVED)
    ex_store (&ahead.reserved, 0);
  else
    ahead.n_active--;
}

static void
end_locked (Status status)
{
  ex_assert (ex_peek (&ahead.status) <= RUNNING);
  ex_store (&ahead.status, status);
  ahead.n_ends++;
}

static void
attempt_ended (int    attempt,
               Status status)
{
  ex_lock (&ahead.ready_lock);
  unlink_locked (attempt);
  end_locked (status);
  ex_unlock (&ahead.ready_lock);
}

static void
interrupt (int    attempt,
           Status status)
{
  if (claim (attempt, INTERRUPTED))
    attempt_ended (attempt, status);
}

static gboolean
must_end_locked (void)
{
  return ahead.cancel_asked || ahead.is_overdue || (ahead.halted && !ahead.scenario->must_complete);
}

static gboolean
give_back (int attempt)
{
  gboolean must_end;

  if (!claim (attempt, GIVEN_BACK))
    return FALSE;
  ex_lock (&ahead.ready_lock);
  must_end = ahead.fault != AHEAD_FAULT_BACK_BLIND && must_end_locked ();
  if (!must_end)
    {
      unlink_locked (attempt);
      ex_store (&ahead.status, PENDING);
      ahead.waits = TRUE;
    }
  ex_unlock (&ahead.ready_lock);
  if (must_end)
    attempt_ended (attempt, CANCELLED);
  return TRUE;
}

static gboolean
begin (int attempt)
{
  gboolean must_end = FALSE;
  gboolean open;

  ex_lock (&ahead.ready_lock);
  open = !(ex_load (&ahead.states[attempt]) & CLAIMED);
  if (open)
    {
      must_end = ahead.fault != AHEAD_FAULT_BEGIN_BLIND && must_end_locked ();
      if (!must_end)
        start_locked (attempt);
    }
  ex_unlock (&ahead.ready_lock);
  if (must_end)
    give_back (attempt);
  return open && !must_end;
}

static void
report (int attempt)
{
  if (claim (attempt, 0))
    attempt_ended (attempt, SUCCEEDED);
}

/* -1 when there is nothing. */
static int
take_ahead (void)
{
  int attempt = -1;

  ex_lock (&ahead.ready_lock);
  if (ahead.waits && ahead.n_halting == 0 && ahead.n_attempts < N_ATTEMPTS)
    {
      attempt = ahead.n_attempts++;
      ahead.waits = FALSE;
      ahead.attempt = attempt;
      ex_store (&ahead.states[attempt], RESERVED);
      ex_store (&ahead.reserved, 1);
    }
  ex_unlock (&ahead.ready_lock);
  return attempt;
}

static void
backend (gpointer unused)
{
  int attempt;

  while ((attempt = take_ahead ()) >= 0)
    {
      /* The last one is not given back. */
      const guint way = attempt + 1 < N_ATTEMPTS ? ex_choose (3) : 0;

      if (way != 1 && !begin (attempt))
        continue;
      if (way == 0)
        report (attempt);
      else
        give_back (attempt);
    }
}

/* osiiso_scheduler_end_waiting_locked() */
static void
end_waiting_locked (Status status)
{
  ex_assert (ahead.waits);
  ahead.waits = FALSE;
  end_locked (status);
}

static void
cancel (gpointer unused)
{
  int found = -1;

  if (is_final ())
    return;
  ex_lock (&ahead.ready_lock);
  if (has_attempt ())
    {
      ahead.cancel_asked = TRUE;
      found = ahead.attempt;
    }
  else if (!is_final ())
    {
      end_waiting_locked (CANCELLED);
    }
  ex_unlock (&ahead.ready_lock);
  if (found >= 0)
    interrupt (found, CANCELLED);
}

static void
end_overdue (gpointer unused)
{
  int found = -1;

  ex_lock (&ahead.ready_lock);
  if (has_attempt ())
    {
      ahead.is_overdue = TRUE;
      found = ahead.attempt;
    }
  else if (!is_final ())
    {
      end_waiting_locked (FAILED);
    }
  ex_unlock (&ahead.ready_lock);
  if (found >= 0)
    interrupt (found, FAILED);
}

static void
halt (gpointer unused)
{
  ex_lock (&ahead.ready_lock);
  ahead.halted = TRUE;
  if (ahead.attempt >= 0 && ahead.fault != AHEAD_FAULT_HALT_UNMARKED)
    ahead.cancel_asked = TRUE;
  ahead.n_halting++;
  ex_unlock (&ahead.ready_lock);

  if (!has_attempt ())
    cancel (NULL);
  ex_lock (&ahead.ready_lock);
  ahead.n_halting--;
  ex_unlock (&ahead.ready_lock);
  cancel (NULL);
}

static void
setup (const ExModel *model)
{
  const AheadScenario *scenario = model->data;

  memset (&ahead, 0, sizeof ahead);
  ahead.scenario = scenario;
  ahead.fault = (AheadFault) model->variant;
  ahead.attempt = -1;
  ahead.waits = TRUE;

  ex_spawn ("backend", EX_THREAD_DEFAULT, backend, NULL);
  if (scenario->cancels)
    ex_spawn ("canceller", EX_THREAD_DEFAULT, cancel, NULL);
  if (scenario->overdue)
    ex_spawn ("timer", EX_THREAD_DEFAULT, end_overdue, NULL);
  if (scenario->halts)
    ex_spawn ("halter", EX_THREAD_DEFAULT, halt, NULL);
}

static const char *
check (const ExModel *model)
{
  if (ahead.n_ends != 1)
    return ahead.n_ends > 1 ? "the task ended twice" : "the task has not ended";
  if (ahead.n_active != 0 || ahead.reserved.value != 0 || ahead.attempt != -1)
    return "an attempt is left over";
  return NULL;
}

static const AheadScenario cancels = { .cancels = TRUE };
static const AheadScenario overdue = { .overdue = TRUE };
static const AheadScenario halts = { .halts = TRUE };
static const AheadScenario shuts_down = { .halts = TRUE, .must_complete = TRUE };
static const AheadScenario several = { .cancels = TRUE, .overdue = TRUE, .halts = TRUE };

#define CLEAN(name, summary, scenario) { name, summary, setup, check, &scenario, AHEAD_FAULT_NONE }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_ahead_models[] = {
  CLEAN ("cancel", "a task that is cancelled", cancels),
  CLEAN ("deadline", "one whose deadline comes", overdue),
  CLEAN ("halt", "one that is cancelled with all others", halts),
  CLEAN ("shutdown", "the same with one that must complete", shuts_down),
  CLEAN ("several", "one that is ended for several reasons", several),

  FAULTY ("back-blind", "given back although somebody ends its task", cancels, AHEAD_FAULT_BACK_BLIND),
  FAULTY ("back-blind-deadline", "given back although its deadline has come", overdue, AHEAD_FAULT_BACK_BLIND),
  FAULTY ("back-unclaimed", "given back by one who has not claimed it", cancels, AHEAD_FAULT_BACK_UNCLAIMED),
  FAULTY ("begin-blind", "one that begins although somebody ends its task", halts, AHEAD_FAULT_BEGIN_BLIND),
  FAULTY ("halt-unmarked", "a halt that leaves attempts alone", shuts_down, AHEAD_FAULT_HALT_UNMARKED),
  FAULTY ("halt-waits", "an attempt that is not looked for", cancels, AHEAD_FAULT_HALT_WAITS),
  { NULL },
};
