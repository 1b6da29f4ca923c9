/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-tokens.h"

/* Attempts at tokens: who ends them, and who keeps them. See model-tokens.c for what
 * this mirrors. */

TokenModel tokens;

void
token_record_unref (TokenRecord *record)
{
  ex_assert (ex_add (&record->ref_count, -1) > 0);
}

int
token_peek_ready_locked (void)
{
  for (int i = 0; i < tokens.scenario->n_tasks; i++)
    if (tokens.records[i].status == TOKEN_PENDING || tokens.records[i].status == TOKEN_RETRYING)
      return i;
  return -1;
}

gboolean
token_may_take_locked (void)
{
  return !tokens.stopping && tokens.n_active < tokens.limit;
}

void
token_announce_locked (void)
{
  if (!token_may_take_locked () || token_peek_ready_locked () < 0)
    return;
  tokens.parked = FALSE;
  ex_signal (&tokens.ready_cond);
}

void
token_count_out (void)
{
  gboolean last;

  ex_lock (&tokens.ready_lock);
  last = ++tokens.n_out == tokens.scenario->n_tasks;
  ex_unlock (&tokens.ready_lock);
  if (last)
    ex_store (&tokens.idle, 1);
}

/* With the ready lock. */
void
token_unlink_locked (TokenAttempt *self)
{
  TokenRecord *record = &tokens.records[self->record];

  ex_assert (record->status == TOKEN_RUNNING && record->attempt == self);
  record->attempt = NULL;
  tokens.n_active--;
}

void
token_set_end_locked (TokenRecord *record,
                      TokenStatus  status)
{
  record->status = status;
  record->n_ends++;
}

static void
return_loan (TokenAttempt *self)
{
  if (!(ex_load (&self->state) & TOKEN_BORROWS))
    return;
  ex_assert (ex_add (&tokens.records[self->record].ref_count, 1) > 0);
  ex_and (&self->state, ~(gint64) TOKEN_BORROWS);
}

/* osiiso_scheduler_attempt_ended() */
void
token_attempt_ended (TokenAttempt *self)
{
  TokenRecord *record = &tokens.records[self->record];
  const TokenStatus status = ex_load (&self->status);
  gboolean retry = (status == TOKEN_FAILED || status == TOKEN_TIMED_OUT) && self->number <= tokens.scenario->retries;

  ex_assert (status >= TOKEN_SUCCEEDED);
  return_loan (self);
  ex_lock (&tokens.ready_lock);
  token_unlink_locked (self);
  if (record->cancel_asked)
    retry = FALSE;
  if (retry)
    record->status = TOKEN_RETRYING;
  else
    token_set_end_locked (record, status);
  token_announce_locked ();
  ex_unlock (&tokens.ready_lock);
  if (retry)
    return;
  token_count_out ();
  token_record_unref (record);
}

static gboolean
claim (TokenAttempt *self,
       gint64        flags)
{
  gint64 old = ex_load (&self->state);

  do
    {
      ex_assert (!(old & TOKEN_FREED));
      if (old & TOKEN_CLAIMED)
        return FALSE;
      if ((flags & TOKEN_INTERRUPTED) && (old & TOKEN_INSIDE))
        flags |= TOKEN_STUCK;
      else
        flags &= ~(gint64) TOKEN_STUCK;
    }
  while (!ex_cas (&self->state, &old, old | TOKEN_CLAIMED | flags));
  return TRUE;
}

void
token_ref (TokenAttempt *self)
{
  ex_assert (ex_add (&self->ref_count, 1) > 0);
}

void
token_unref (TokenAttempt *self)
{
  gint64 old = ex_add (&self->ref_count, -1);

  ex_assert (old > 0);
  if (old > 1)
    return;
  if (claim (self, 0))
    {
      ex_store (&self->status, TOKEN_ABANDONED);
      token_attempt_ended (self);
    }
  old = ex_or (&self->state, TOKEN_FREED);
  ex_assert (!(old & TOKEN_FREED));
  if (self->record >= 0)
    token_record_unref (&tokens.records[self->record]);
}

/* With the ready lock; NULL when it is about to be freed. */
static TokenAttempt *
dup_attempt_locked (const TokenRecord *record)
{
  TokenAttempt *attempt = record->attempt;
  gint64 n = attempt != NULL ? ex_load (&attempt->ref_count) : 0;

  do
    if (n == 0)
      return NULL;
  while (!ex_cas (&attempt->ref_count, &n, n + 1));
  return attempt;
}

TokenAttempt *
token_dup_attempt (int record)
{
  TokenAttempt *attempt;

  ex_lock (&tokens.ready_lock);
  attempt = dup_attempt_locked (&tokens.records[record]);
  ex_unlock (&tokens.ready_lock);
  return attempt;
}

void
token_interrupt (TokenAttempt *self,
                 TokenStatus   status)
{
  gint64 state;

  if (!claim (self, TOKEN_INTERRUPTED))
    return;
  ex_store (&self->status, status);
  state = ex_load (&self->state);
  if ((state & TOKEN_STUCK) && (state & TOKEN_SERVED) && tokens.fault != TOKEN_FAULT_NO_WRITE_OFF)
    {
      ex_lock (&tokens.ready_lock);
      tokens.n_serving--;
      ex_unlock (&tokens.ready_lock);
    }
  token_attempt_ended (self);
  if ((ex_load (&self->state) & TOKEN_PARKED) && tokens.fault != TOKEN_FAULT_DROP_NEVER)
    token_unref (self);
}

gboolean
token_report (TokenAttempt *self,
              TokenStatus   status)
{
  gint64 state;

  if (!claim (self, 0))
    {
      if (tokens.fault == TOKEN_FAULT_DROP_TWICE && (ex_load (&self->state) & TOKEN_PARKED))
        token_unref (self);
      return FALSE;
    }
  ex_store (&self->status, status);
  state = ex_or (&self->state, TOKEN_REPORTED);
  if (!(state & TOKEN_INSIDE))
    token_attempt_ended (self);
  if (state & TOKEN_PARKED)
    token_unref (self);
  return TRUE;
}

void
token_park (TokenAttempt *self)
{
  gint64 state = ex_load (&self->state);

  token_ref (self);
  if (tokens.fault == TOKEN_FAULT_PARK_BLIND)
    {
      ex_or (&self->state, TOKEN_DEFERRED | TOKEN_PARKED);
      return;
    }
  do
    {
      if (state & TOKEN_CLAIMED)
        {
          token_unref (self);
          return;
        }
    }
  while (!ex_cas (&self->state, &state, state | TOKEN_DEFERRED | TOKEN_PARKED));
}

gboolean
token_leave (TokenAttempt *self)
{
  gint64 state = ex_load (&self->state);
  gint64 left;

  do
    {
      ex_assert (!(state & TOKEN_FREED));
      left = state & ~(gint64) TOKEN_INSIDE;
      if (!(state & (TOKEN_CLAIMED | TOKEN_DEFERRED)))
        left |= TOKEN_CLAIMED | TOKEN_REPORTED;
    }
  while (!ex_cas (&self->state, &state, left));
  if (!(state & TOKEN_INSIDE) || !(left & TOKEN_REPORTED))
    return FALSE;
  if (!(state & TOKEN_REPORTED))
    ex_store (&self->status, TOKEN_SUCCEEDED);
  return TRUE;
}

/* Those that are taken here are INSIDE from the beginning. */
gboolean
token_enter (TokenAttempt *self)
{
  gint64 state = ex_load (&self->state);

  ex_assert (!(state & TOKEN_FREED));
  if (!(state & TOKEN_CLAIMED))
    return TRUE;
  if (token_leave (self))
    token_attempt_ended (self);
  return FALSE;
}

gboolean
token_is_reusable (TokenAttempt *self)
{
  return ex_load (&self->ref_count) == 1;
}

/* osiiso_attempt_new(), or osiiso_attempt_reuse(). */
TokenAttempt *
token_begin_attempt_locked (int           number,
                            TokenAttempt *spare,
                            gboolean      counts)
{
  TokenRecord *record = &tokens.records[number];
  TokenAttempt *self = spare;

  ex_assert (record->status == TOKEN_PENDING || record->status == TOKEN_RETRYING);
  ex_assert (tokens.n_active < tokens.limit);
  if (spare == NULL || !token_is_reusable (spare))
    {
      ex_assert (tokens.n_attempts < TOKEN_MAX_ATTEMPTS);
      self = &tokens.attempts[tokens.n_attempts++];
      ex_store (&self->ref_count, 1);
    }
  if (tokens.scenario->has_ext)
    ex_assert (ex_add (&record->ref_count, 1) > 0);
  ex_store (&self->state, TOKEN_INSIDE | (counts ? TOKEN_SERVED : 0) | (tokens.scenario->has_ext ? 0 : TOKEN_BORROWS));
  self->record = number;
  self->number = ++record->attempts;
  record->status = TOKEN_RUNNING;
  record->attempt = self;
  tokens.n_active++;
  return self;
}

void
token_cancel (int number)
{
  TokenRecord *record = &tokens.records[number];
  TokenAttempt *attempt = NULL;
  gboolean waited;

  ex_lock (&tokens.ready_lock);
  waited = record->status == TOKEN_PENDING || record->status == TOKEN_RETRYING;
  if (waited)
    {
      token_set_end_locked (record, TOKEN_CANCELLED);
    }
  else if (record->status == TOKEN_RUNNING)
    {
      record->cancel_asked = TRUE;
      attempt = dup_attempt_locked (record);
    }
  ex_unlock (&tokens.ready_lock);

  if (waited)
    {
      token_count_out ();
      token_record_unref (record);
    }
  if (attempt != NULL)
    {
      token_interrupt (attempt, TOKEN_CANCELLED);
      token_unref (attempt);
    }
}
