/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-tokens.h"

/*
 * How tokens are given out, and how they end.
 *
 * Mirrors osiiso-token.c (deliver, token_run, redeliver_cb, report, the users of the
 * runner), osiiso-attempt.c (claim, report, interrupt, enter, leave, perform, park,
 * retire, reuse, unref), exchange, serve, serve_for and exchange_token in
 * osiiso-scheduler-take.c, and attempt_ended and cancel in osiiso-scheduler.c. Who is
 * woken is simpler than there: that has a model of its own, as has the end of
 * attempts at functions.
 *
 * Each token ends exactly once, and is given to the runner once for each attempt
 * that it took; no attempt is begun beyond the limit; what somebody reports counts
 * for the attempt that it is about. In the end nobody has an attempt or a record any
 * more, and no thread is counted.
 */

typedef enum
{
  ASK_WAIT,
  ASK_PARK,
  ASK_TOKENS,
} Ask;

static TokenRun
get_run (int record)
{
  return tokens.scenario->runs[record];
}

static gboolean
is_token (int record)
{
  return get_run (record) != TOKEN_PLAIN;
}

static void
prepare_done (TokenDone *done)
{
  if (!done->pending || done->ready)
    return;
  done->ready = TRUE;
  if (ex_load (&done->attempt->status) == TOKEN_SUCCEEDED)
    return;
  token_attempt_ended (done->attempt);
  done->pending = FALSE;
}

static void
end_done_locked (TokenDone *done)
{
  done->record = done->attempt->record;
  done->borrowed = (ex_load (&done->attempt->state) & TOKEN_BORROWS) != 0;
  done->pending = FALSE;
  token_unlink_locked (done->attempt);
  token_set_end_locked (&tokens.records[done->record], TOKEN_SUCCEEDED);
}

static void
finish_done (TokenDone *done)
{
  const int record = done->record;

  done->record = -1;
  if (record < 0)
    return;
  token_count_out ();
  if (!done->borrowed)
    token_record_unref (&tokens.records[record]);
}

/* osiiso_attempt_retire(), too */
static void
retire_done (TokenDone *done)
{
  TokenAttempt *self = done->attempt;

  finish_done (done);
  if (!token_is_reusable (self))
    {
      token_unref (self);
      done->attempt = NULL;
      return;
    }
  token_record_unref (&tokens.records[self->record]);
  self->record = -1;
  ex_store (&self->state, TOKEN_CLAIMED);
}

static void
settle_done (TokenDone *done)
{
  prepare_done (done);
  if (done->pending)
    {
      ex_lock (&tokens.ready_lock);
      end_done_locked (done);
      token_announce_locked ();
      ex_unlock (&tokens.ready_lock);
    }
  finish_done (done);
  if (done->attempt != NULL)
    token_unref (done->attempt);
  done->attempt = NULL;
}

/* With the ready lock, which is released. */
static TokenAttempt *
take_locked (TokenServing *serving,
             int           record)
{
  TokenDone *done = &serving->done;
  const int old = done->attempt != NULL ? done->attempt->record : -1;
  TokenAttempt *attempt;

  if (tokens.fault == TOKEN_FAULT_TAKE_APART)
    {
      ex_unlock (&tokens.ready_lock);
      ex_lock (&tokens.ready_lock);
    }
  attempt = token_begin_attempt_locked (record, done->attempt, serving->counts);
  token_announce_locked ();
  ex_unlock (&tokens.ready_lock);
  finish_done (done);
  if (attempt == done->attempt && old >= 0)
    token_record_unref (&tokens.records[old]);
  else if (attempt != done->attempt && done->attempt != NULL)
    token_unref (done->attempt);
  done->attempt = NULL;
  return attempt;
}

static TokenAttempt *
exchange (TokenServing *serving,
          Ask           ask)
{
  TokenDone *done = &serving->done;

  prepare_done (done);
  for (;;)
    {
      int record;

      ex_lock (&tokens.ready_lock);
      if (done->pending)
        end_done_locked (done);
      record = token_may_take_locked () ? token_peek_ready_locked () : -1;
      if (record >= 0 && (ask != ASK_TOKENS || is_token (record)))
        return take_locked (serving, record);

      if (done->attempt != NULL && done->attempt->record >= 0)
        {
          ex_unlock (&tokens.ready_lock);
          retire_done (done);
          continue;
        }
      if (ask == ASK_TOKENS)
        {
          if (tokens.fault != TOKEN_FAULT_REST_SILENT)
            token_announce_locked ();
          ex_unlock (&tokens.ready_lock);
          return NULL;
        }
      if (ask == ASK_PARK || tokens.stopping)
        {
          tokens.parked = ask == ASK_PARK;
          if (serving->counts)
            tokens.n_serving--;
          ex_unlock (&tokens.ready_lock);
          return NULL;
        }
      ex_wait (&tokens.ready_cond, &tokens.ready_lock);
      ex_unlock (&tokens.ready_lock);
    }
}

/* osiiso_scheduler_exchange_token(), in the function of @current. Outside of the
 * loops that serve there is no @serving. */
static TokenAttempt *
exchange_token (TokenServing *serving,
                TokenAttempt *current)
{
  token_report (current, TOKEN_SUCCEEDED);
  if (serving == NULL || (!token_leave (current) && tokens.fault != TOKEN_FAULT_LEAVE_BLIND))
    return NULL;

  serving->attempt = NULL;
  serving->done = (TokenDone) { .attempt = current, .pending = TRUE, .record = -1 };
  do
    {
      prepare_done (&serving->done);
      /* The slice may be over. */
      if (serving->counts || ex_choose (2) == 0)
        serving->attempt = exchange (serving, ASK_TOKENS);
      if (serving->attempt == NULL)
        {
          settle_done (&serving->done);
          return NULL;
        }
      if (token_enter (serving->attempt))
        break;
      if ((ex_load (&serving->attempt->state) & TOKEN_STUCK) && tokens.fault != TOKEN_FAULT_STUCK_GOES_ON)
        {
          settle_done (&serving->done);
          return NULL;
        }
      token_unref (serving->attempt);
      serving->attempt = NULL;
    }
  while (serving->attempt == NULL);
  return serving->attempt;
}

/* The runner takes a call, and perhaps asks for more. TRUE when it acknowledges the
 * one that it was called for. */
static gboolean
run_tokens (TokenServing *serving,
            TokenAttempt *attempt)
{
  const int called_for = attempt->record;

  for (;;)
    {
      TokenRecord *record = &tokens.records[attempt->record];
      const int number = attempt->number;
      TokenRun run = get_run (attempt->record);

      ex_assert (ex_holds_nothing ());
      if (tokens.n_refusals > 0 && (run == TOKEN_REFUSES || run == TOKEN_LATER))
        {
          tokens.n_refusals--;
          return FALSE;
        }
      /* It was its turn when it was entered. */
      ex_assert (ex_load (&attempt->ref_count) > 0);
      /* Nobody looks at that but to see that there is one at most. */
      ex_assert (record->n_taken[number - 1]++ == 0);
      ex_store (&record->out[number - 1], 1);
      if (run == TOKEN_PARKS || run == TOKEN_REFUSES)
        return TRUE;
      if (run == TOKEN_FAILS && number == 1)
        token_report (attempt, TOKEN_FAILED);
      attempt = exchange_token (serving, attempt);
      if (attempt == NULL && run == TOKEN_NEEDS)
        ex_await (&tokens.records[tokens.scenario->n_tasks - 1].out[0]);
      if (attempt == NULL)
        return get_run (called_for) != TOKEN_SILENT;
    }
}

static gboolean
begin_use (void)
{
  gint64 n = ex_load (&tokens.users);

  if (tokens.fault == TOKEN_FAULT_RUNNER_BLIND)
    {
      ex_add (&tokens.users, 1);
      return TRUE;
    }
  do
    if (n == 0)
      return FALSE;
  while (!ex_cas (&tokens.users, &n, n + 1));
  return TRUE;
}

void
token_end_use (void)
{
  if (ex_add (&tokens.users, -1) == 1)
    ex_assert (ex_add (&tokens.released, 1) == 0);
}

/* TRUE when the runner took the call. */
static gboolean
deliver (TokenServing  *serving,
         TokenAttempt **location)
{
  TokenAttempt *self = *location;
  const int record = self->record;
  gboolean acknowledged;

  if (!begin_use ())
    return FALSE;
  ex_assert (!ex_load (&tokens.released));
  acknowledged = run_tokens (serving, self);
  token_end_use ();
  if (acknowledged || tokens.fault == TOKEN_FAULT_ACK_ONLY)
    return acknowledged;
  return *location != self || self->record != record || (ex_load (&self->state) & TOKEN_CLAIMED);
}

static void
redeliver_later (TokenAttempt *self)
{
  ex_assert (tokens.redelivery == NULL);
  if (tokens.fault != TOKEN_FAULT_NO_HOLD)
    token_ref (self);
  ex_or (&self->state, TOKEN_DEFERRED);
  tokens.redelivery = self;
}

/* redeliver_cb(), in the owner's context. */
void
token_redeliver (void)
{
  TokenAttempt *self = tokens.redelivery;
  const gboolean over = (ex_load (&self->state) & TOKEN_CLAIMED) != 0;
  gboolean taken;

  if (!over || tokens.fault == TOKEN_FAULT_REDELIVER_OVER)
    {
      TokenAttempt *location = self;

      taken = deliver (NULL, &location);
      /* What the runner does for one that is over before, nobody will hear of. */
      ex_assert (!over || !taken);
      if (!taken && tokens.n_refusals > 0)
        return;
      if (taken)
        token_park (self);
      else
        token_report (self, TOKEN_ABANDONED);
      if (tokens.fault == TOKEN_FAULT_REDELIVER_TAKEN)
        return;
    }
  tokens.redelivery = NULL;
  token_unref (self);
}

/* osiiso_token_run() */
static void
run_token (TokenServing *serving)
{
  TokenAttempt *self = serving->attempt;
  gboolean taken = deliver (serving, &serving->attempt);

  if (!taken && !serving->counts)
    {
      taken = deliver (serving, &serving->attempt);
      if (!taken)
        redeliver_later (self);
    }
  else if (!taken)
    {
      token_report (self, TOKEN_ABANDONED);
    }
  if (taken && serving->attempt != NULL)
    token_park (serving->attempt);
}

/* TRUE when the thread was written off. */
static gboolean
perform (TokenServing *serving)
{
  TokenAttempt *attempt = serving->attempt;
  gboolean pending = FALSE;
  gboolean stuck;

  if (token_enter (attempt))
    {
      if (is_token (attempt->record))
        run_token (serving);
      else
        ex_store (&tokens.records[attempt->record].out[0], 1);
      pending = serving->attempt != NULL && token_leave (serving->attempt);
    }
  attempt = serving->attempt;
  serving->attempt = NULL;
  if (attempt == NULL)
    return FALSE;
  if (pending)
    {
      serving->done = (TokenDone) { .attempt = attempt, .pending = TRUE, .record = -1 };
      return FALSE;
    }
  stuck = (ex_load (&attempt->state) & TOKEN_STUCK) != 0;
  token_unref (attempt);
  return stuck;
}

gboolean
token_serve (void)
{
  TokenServing serving = { .counts = TRUE, .done = { .record = -1 } };
  gboolean stuck = FALSE;

  ex_lock (&tokens.ready_lock);
  tokens.n_serving++;
  ex_unlock (&tokens.ready_lock);
  while (!stuck && (serving.attempt = exchange (&serving, ASK_WAIT)) != NULL)
    stuck = perform (&serving);
  if (serving.done.attempt != NULL)
    token_unref (serving.done.attempt);
  return stuck;
}

gboolean
token_serve_for (void)
{
  TokenServing serving = { .done = { .record = -1 } };
  gboolean more;

  do
    {
      prepare_done (&serving.done);
      serving.attempt = exchange (&serving, ASK_PARK);
      more = serving.attempt != NULL;
      if (more)
        perform (&serving);
    }
  while (more && ex_choose (2) == 0);
  settle_done (&serving.done);
  return more;
}
