/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-attempt-end.h"

/*
 * The end of a task: its function reports, or returns, or somebody reports later,
 * or cancels, or it takes too long, or is dropped. One exchange decides.
 *
 * Mirrors osiiso-attempt.c (claim, hold_payload, report, enter, leave, park,
 * interrupt, unref, attempt_free, is_reusable, reuse, retire, return_loan,
 * get_cancellable), what osiiso-scheduler.c does about the end (attempt_ended,
 * cancel, dup_attempt, drop_payload, client_tick), and the part of
 * osiiso-scheduler-take.c that uses an attempt again (serve, exchange).
 *
 * Each task ends exactly once, as whoever decided says; its user data are released
 * exactly once, and not while the function runs; an attempt is not touched after
 * it was freed, and a task has as many references as there are who have one; a
 * cancellation hits no other task; whoever asks for the cancellable of an attempt
 * that is interrupted gets a cancelled one.
 */

EndModel ending;

void
end_record_unref (EndRecord *record)
{
  ex_assert (ex_add (&record->ref_count, -1) > 0);
}

void
end_drop_payload (EndRecord *record)
{
  if (ex_load (&record->ext) && ex_add (&record->payload_holds, -1) != 1)
    return;
  ex_assert (ex_exchange (&record->payload_freed, 1) == 0);
}

static void
ensure_ext (EndRecord *record)
{
  gint64 none = 0;

  /* What is in it is there before it can be seen. */
  if (!ex_load (&record->ext))
    ex_cas (&record->ext, &none, 1);
}

static void
hold_payload (EndAttempt *self)
{
  EndRecord *record = &ending.records[self->record];
  gint64 old;

  ensure_ext (record);
  old = ex_load (&record->payload_holds);
  do
    {
      if (old == 0)
        return;
    }
  while (!ex_cas (&record->payload_holds, &old, old + 1));
  if (ex_or (&self->state, HOLDS) & HOLDS)
    ex_add (&record->payload_holds, -1);
}

static gboolean
claim (EndAttempt *self,
       gint64      flags)
{
  gint64 old = ex_load (&self->state);

  do
    {
      ex_assert (!(old & FREED));
      if (old & CLAIMED)
        return FALSE;
      if ((flags & INTERRUPTED) && (old & INSIDE))
        flags |= STUCK;
      else
        flags &= ~(gint64) STUCK;
      if (ending.fault == END_FAULT_CLAIM_IN_PARTS)
        {
          ex_or (&self->state, CLAIMED | flags);
          return TRUE;
        }
    }
  while (!ex_cas (&self->state, &old, old | CLAIMED | flags));
  return TRUE;
}

/* With the ready lock. */
void
end_locked (EndAttempt *self)
{
  EndRecord *record = &ending.records[self->record];
  EndStatus status = ex_load (&self->status);

  ex_assert (record->status == RUNNING && record->attempt == self);
  ex_assert (status > RUNNING);
  record->attempt = NULL;
  record->status = status;
  record->n_ends++;
}

static void
return_loan (EndAttempt *self)
{
  if (ending.fault == END_FAULT_KEEP_LOAN || !(ex_load (&self->state) & BORROWS))
    return;
  ex_assert (ex_add (&ending.records[self->record].ref_count, 1) > 0);
  ex_and (&self->state, ~(gint64) BORROWS);
}

void
end_attempt_ended (EndAttempt *self)
{
  EndRecord *record = &ending.records[self->record];

  return_loan (self);
  ex_lock (&ending.ready_lock);
  end_locked (self);
  ex_unlock (&ending.ready_lock);
  end_drop_payload (record);
  end_record_unref (record);
}

void
end_unref (EndAttempt *self)
{
  gint64 old = ex_add (&self->ref_count, -1);

  ex_assert (old > 0);
  if (old > 1)
    return;
  if (ending.fault != END_FAULT_NO_END && claim (self, 0))
    {
      ex_store (&self->status, ABANDONED);
      end_attempt_ended (self);
    }
  old = ex_or (&self->state, FREED);
  ex_assert (!(old & FREED));
  if (self->record < 0)
    return;
  if (old & HOLDS)
    end_drop_payload (&ending.records[self->record]);
  end_record_unref (&ending.records[self->record]);
}

gboolean
end_try_ref (EndAttempt *self)
{
  gint64 old = ex_load (&self->ref_count);

  do
    {
      if (ending.fault == END_FAULT_BLIND_REF)
        {
          ex_add (&self->ref_count, 1);
          return TRUE;
        }
      if (old == 0)
        return FALSE;
    }
  while (!ex_cas (&self->ref_count, &old, old + 1));
  return TRUE;
}

void
end_interrupt (EndAttempt *self,
               EndStatus   status)
{
  if (!claim (self, INTERRUPTED))
    return;
  if (ending.fault != END_FAULT_NO_HOLD)
    hold_payload (self);
  ex_store (&self->status, status);
  if ((ex_load (&self->state) & (STUCK | SERVED)) == (STUCK | SERVED))
    {
      ex_lock (&ending.ready_lock);
      ending.n_serving--;
      ex_unlock (&ending.ready_lock);
    }
  end_attempt_ended (self);
  if (ex_load (&self->cancellable))
    ex_store (&self->cancellable, 2);
  if (ex_load (&self->state) & PARKED)
    end_unref (self);
}

void
end_report (EndAttempt *self,
            EndStatus   status)
{
  gint64 early;
  gint64 state;

  if (!claim (self, 0))
    return;
  ex_store (&self->status, status);
  early = ending.fault == END_FAULT_REPORT_IN_PARTS ? ex_load (&self->state) : 0;
  state = ex_or (&self->state, REPORTED);
  if (ending.fault == END_FAULT_REPORT_IN_PARTS)
    state = early;
  if (!(state & INSIDE))
    end_attempt_ended (self);
  if (state & PARKED)
    end_unref (self);
}

static void
park (EndAttempt *self)
{
  gint64 state = ex_load (&self->state);

  ex_add (&self->ref_count, 1);
  if (ending.fault == END_FAULT_PARK_BLIND)
    {
      ex_or (&self->state, DEFERRED | PARKED);
      return;
    }
  do
    {
      if (state & CLAIMED)
        {
          end_unref (self);
          return;
        }
    }
  while (!ex_cas (&self->state, &state, state | DEFERRED | PARKED));
}

static void
get_cancellable (EndAttempt *self)
{
  gboolean early = ending.fault == END_FAULT_ASK_EARLY && (ex_load (&self->state) & INTERRUPTED);

  ex_store (&self->cancellable, 1);
  if (ending.fault == END_FAULT_ASK_EARLY ? early : (ex_load (&self->state) & INTERRUPTED) != 0)
    ex_store (&self->cancellable, 2);
}

static void
call_function (EndAttempt *self)
{
  const EndFunc func = self->record == 0 ? ending.scenario->func : FUNC_RETURNS;
  EndRecord *record = &ending.records[self->record];

  ex_assert (ex_holds_nothing ());
  if (ending.scenario->asks)
    get_cancellable (self);
  if (func == FUNC_REPORTS)
    end_report (self, FAILED);
  if (func == FUNC_DEFERS || func == FUNC_DROPS)
    {
      hold_payload (self);
      ex_or (&self->state, DEFERRED);
      ex_add (&self->ref_count, 1);
      ex_store (&ending.deferred, 1);
    }
  if (func == FUNC_PARKS)
    park (self);
  /* Until it returns. */
  ex_assert (!ex_load (&record->payload_freed));
}

/* TRUE when the caller has to end it. */
static gboolean
leave (EndAttempt *self)
{
  gint64 state = ex_load (&self->state);
  gint64 left;

  do
    {
      left = state & ~(gint64) INSIDE;
      if (!(state & (CLAIMED | DEFERRED)))
        left |= CLAIMED | REPORTED;
      if (ending.fault == END_FAULT_LEAVE_IN_PARTS)
        {
          ex_and (&self->state, ~(gint64) INSIDE);
          ex_or (&self->state, left);
          break;
        }
    }
  while (!ex_cas (&self->state, &state, left));

  if (!(state & INSIDE) || !(left & REPORTED))
    return FALSE;
  if (!(state & REPORTED))
    ex_store (&self->status, SUCCEEDED);
  return TRUE;
}

static gboolean
enter (EndAttempt *self)
{
  gint64 state = ex_load (&self->state);

  ex_assert (!(state & FREED));
  if (!(state & INSIDE))
    {
      state = ex_or (&self->state, INSIDE);
      if (state & REPORTED)
        {
          ex_and (&self->state, ~(gint64) INSIDE);
          return FALSE;
        }
    }
  if (!(state & CLAIMED))
    return TRUE;
  if (leave (self))
    end_attempt_ended (self);
  return FALSE;
}

gboolean
end_perform (EndAttempt *self)
{
  if (!enter (self))
    return FALSE;
  call_function (self);
  return leave (self);
}

gboolean
end_is_reusable (EndAttempt *self)
{
  if (ending.fault == END_FAULT_BLIND_REUSE)
    return TRUE;
  return ex_load (&self->ref_count) == 1 && ex_load (&self->cancellable) == 0 &&
         !(ex_load (&self->state) & HOLDS);
}

EndAttempt *
end_begin_attempt_locked (int         record,
                          EndAttempt *spare)
{
  EndAttempt *attempt = spare;
  gint64 state = ending.scenario->serves ? SERVED | INSIDE : 0;

  if (record == ending.scenario->n_tasks || ending.records[record].status != PENDING)
    return NULL;
  if (!ex_load (&ending.records[record].ext))
    state |= BORROWS;
  else
    ex_assert (ex_add (&ending.records[record].ref_count, 1) > 0);
  if (spare == NULL || !end_is_reusable (spare))
    {
      attempt = &ending.attempts[ending.n_attempts++];
      ex_store (&attempt->ref_count, 1);
    }
  ex_store (&attempt->state, state);
  attempt->record = record;
  ending.records[record].status = RUNNING;
  ending.records[record].attempt = attempt;
  return attempt;
}
