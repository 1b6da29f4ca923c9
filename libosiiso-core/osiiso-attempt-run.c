/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-lone-private.h"
#include "osiiso-attempt-private.h"
#include "osiiso-backend.h"
#include "osiiso-token-private.h"
#include "osiiso-trace-private.h"

/* The thread that is in the function of an attempt. */

static _Thread_local OsiisoAttempt *current_attempt;

static _Thread_local OsiisoTaskFrame *current_frame;

void
osiiso_task_frame_enter (OsiisoTaskFrame *self,
                         OsiisoScheduler *scheduler,
                         OsiisoAttempt  **location)
{
  *self = (OsiisoTaskFrame) { .outer = current_frame, .scheduler = scheduler, .location = location };
  current_frame = self;
}

void
osiiso_task_frame_leave (OsiisoTaskFrame *self)
{
  current_frame = self->outer;
}

OsiisoTaskFrame *
osiiso_task_frame_get_current (void)
{
  return current_frame;
}

OsiisoAttempt *
osiiso_attempt_get_current (void)
{
  return current_attempt;
}

void
osiiso_attempt_set_current (OsiisoAttempt *self)
{
  current_attempt = self;
}

gboolean
osiiso_attempt_is_inside (OsiisoScheduler *scheduler)
{
  const OsiisoTaskFrame *frame = current_frame;

  if (current_attempt != NULL && current_attempt->scheduler == scheduler)
    return TRUE;
  while (frame != NULL && frame->scheduler != scheduler)
    frame = frame->outer;
  return frame != NULL;
}

void
osiiso_task_frame_unwind (OsiisoTaskFrame *frame)
{
  current_frame = frame;
}

gboolean
osiiso_attempt_enter (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);

  if (!(state & OSIISO_ATTEMPT_INSIDE))
    {
      state = atomic_fetch_or (&self->state, OSIISO_ATTEMPT_INSIDE);
      if (state & OSIISO_ATTEMPT_REPORTED)
        {
          /* Whoever reported found nobody inside and has ended it. */
          atomic_fetch_and (&self->state, ~(guint32) OSIISO_ATTEMPT_INSIDE);
          return FALSE;
        }
    }
  if (G_LIKELY (!(state & (OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_TRACED))))
    return TRUE;
  if (!(state & OSIISO_ATTEMPT_CLAIMED))
    return osiiso_trace_begin (self);
  /* Ended from outside, or claimed by somebody who sees this one inside. */
  if (osiiso_attempt_leave (self))
    osiiso_attempt_end (self);
  return FALSE;
}

gboolean
osiiso_attempt_leave (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);
  guint32 left;

  /* Left, and claimed when nobody has: one step, so that whoever reports either
   * finds somebody inside or nothing left to claim. */
  do
    {
      left = state & ~(guint32) OSIISO_ATTEMPT_INSIDE;
      if (!(state & (OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_DEFERRED)))
        left |= OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_REPORTED;
    }
  while (!atomic_compare_exchange_weak (&self->state, &state, left));

  /* The one who is out first has ended it. */
  if (!(state & OSIISO_ATTEMPT_INSIDE) || !(left & OSIISO_ATTEMPT_REPORTED))
    return FALSE;
  if (!(state & OSIISO_ATTEMPT_REPORTED))
    self->status = OSIISO_STATUS_SUCCEEDED;
  return G_LIKELY (!(state & OSIISO_ATTEMPT_TRACED)) || osiiso_trace_end (self);
}

/* The thread is as good as stuck in the function. What it ran may go on, when the
 * function has deferred it, so the backend is told of another attempt at the task. */
static void
write_off_thread (OsiisoAttempt *self)
{
  g_autoptr (OsiisoAttempt) last = osiiso_attempt_new (self->scheduler, self->record, self->number,
                                                       OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_STUCK);

  if (atomic_load (&self->state) & OSIISO_ATTEMPT_SERVED)
    osiiso_scheduler_write_off (self->scheduler);
  osiiso_attempt_tell_backend (last, OSIISO_INTERRUPT_REASON_CANCELLED);
}

void
osiiso_attempt_thread_exits (OsiisoAttempt *self)
{
  gboolean ended;

  osiiso_attempt_return_loan (self);
  if (!(atomic_load (&self->state) & OSIISO_ATTEMPT_DEFERRED) && osiiso_attempt_claim (self, 0))
    {
      osiiso_attempt_set_abandoned (self, "was dropped by its function, which ended the thread");
      atomic_fetch_or (&self->state, OSIISO_ATTEMPT_REPORTED);
    }
  ended = osiiso_attempt_leave (self);
  /* Unless that has been done when it was interrupted, which has come first. */
  if (!osiiso_attempt_is_stuck (self))
    write_off_thread (self);
  if (ended)
    osiiso_attempt_end (self);
}

static void
call_function (OsiisoAttempt **location)
{
  OsiisoAttempt *outer = current_attempt;
  OsiisoAttempt *self = *location;
  OsiisoRecord *record = self->record;
  const guint32 word = osiiso_record_get_word (record);

  current_attempt = self;
  if (word & OSIISO_RECORD_TOKEN)
    {
      osiiso_token_run (location);
    }
  else if (word & OSIISO_RECORD_MAP)
    {
      OsiisoMapPayload *payload = record->data;

      payload->func (self, payload->data);
    }
  else
    {
      record->func (self, record->data);
    }
  current_attempt = outer;
}

gboolean
osiiso_attempt_perform (OsiisoAttempt **location)
{
  OsiisoScheduler *scheduler = (*location)->scheduler;
  OsiisoTaskFrame frame;
  gboolean ended = FALSE;

  osiiso_task_frame_enter (&frame, scheduler, location);
  /* In the owner's thread what was told before comes first, so that on-start is
   * seen before the function. */
  if ((scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) &&
      !osiiso_outbox_is_empty (&scheduler->outbox))
    {
      OsiisoAttempt *outer = current_attempt;

      /* A handler that waits for all work waits for this attempt too. */
      current_attempt = *location;
      osiiso_outbox_drain (&scheduler->outbox);
      current_attempt = outer;
    }

  if (osiiso_attempt_enter (*location))
    {
      call_function (location);
      ended = *location != NULL && osiiso_attempt_leave (*location);
    }
  osiiso_task_frame_leave (&frame);
  return ended;
}

void
osiiso_attempt_park (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);

  osiiso_attempt_ref (self);
  do
    {
      if (state & OSIISO_ATTEMPT_CLAIMED)
        {
          osiiso_attempt_unref (self);
          return;
        }
    }
  while (!atomic_compare_exchange_weak (&self->state, &state,
                                        state | OSIISO_ATTEMPT_DEFERRED | OSIISO_ATTEMPT_PARKED));
}

gboolean
osiiso_attempt_finish_token (OsiisoAttempt *self)
{
  return osiiso_attempt_report (self, OSIISO_STATUS_SUCCEEDED, NULL, -1) ||
         !(atomic_load (&self->state) & OSIISO_ATTEMPT_INTERRUPTED);
}

/* What a thread was in before the function that it calls for a backend. */
typedef struct
{
  OsiisoAttempt   *attempt;
  OsiisoAttempt   *outer_attempt;
  OsiisoTaskFrame *outer_frame;
} Run;

/* The function has ended the thread, of which nothing returns any more. */
static void
run_exits (void *data)
{
  Run *run = data;

  osiiso_attempt_set_current (run->outer_attempt);
  osiiso_task_frame_unwind (run->outer_frame);
  osiiso_token_thread_exits ();
  osiiso_attempt_thread_exits (run->attempt);
}

/**
 * osiiso_attempt_run:
 * @self: an attempt
 *
 * Calls the task's function, in this thread and now.
 *
 * For backends that run functions of this process, once for each attempt: while it
 * goes on, or is deferred, a second call is an error of the program and calls
 * nothing. Nothing is called either when the attempt has ended already. When the
 * function returns without a report and without having deferred it, the attempt
 * succeeds without a value. One that is only reserved begins first, see
 * [method@Osiiso.Attempt.begin].
 *
 * When the function ends the thread, as with `pthread_exit()`, the call does not return.
 * The task goes on without the thread, see [struct@Osiiso.Attempt], and the interrupt
 * slot has been called for an attempt that is stuck, as far as it had not before. A
 * cleanup handler of the caller may drop the reference on the attempt, and count the
 * thread out.
 *
 * Since: 1.0
 */
void
osiiso_attempt_run (OsiisoAttempt *self)
{
  Run run = { self, current_attempt, current_frame };
  gboolean ended;
  guint32 state;

  g_return_if_fail (self != NULL);
  g_return_if_fail (!osiiso_attempt_is_lone (self));

  state = atomic_fetch_or (&self->state, OSIISO_ATTEMPT_ENTERED);
  g_return_if_fail (!(state & OSIISO_ATTEMPT_INSIDE));
  if ((state & OSIISO_ATTEMPT_ENTERED) && (state & OSIISO_ATTEMPT_CLAIMED))
    return;
  if (state & OSIISO_ATTEMPT_ENTERED)
    {
      g_critical ("%s: the function of attempt %" G_GUINT32_FORMAT " of task %" G_GUINT64_FORMAT
                  " was called already: call osiiso_attempt_run() once",
                  G_STRFUNC, self->number, osiiso_record_get_id (self->record));
      return;
    }

  if ((atomic_load (&self->state) & OSIISO_ATTEMPT_RESERVED) && !osiiso_attempt_begin (self))
    return;
  pthread_cleanup_push (run_exits, &run);
  ended = osiiso_attempt_perform (&run.attempt);
  pthread_cleanup_pop (FALSE);
  if (ended)
    osiiso_attempt_end (run.attempt);
}
