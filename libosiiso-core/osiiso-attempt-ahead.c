/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-trace-private.h"

/*
 * Attempts that a backend takes ahead, to have them at hand when a worker is free.
 *
 * Such an attempt is RESERVED, and its task too, until it begins. The task keeps the
 * status that it has, because it still waits as far as anybody can see, but it is in
 * none of the lists of what waits: like one that runs it is found by its attempt,
 * which is in the list of those. So whoever ends a task that has an attempt ends the
 * attempt, begun or not, and the exchange that decides who does is the same. What is
 * counted, timed and told of an attempt follows when it begins, in one step.
 *
 * What is given back has not happened, so that the next attempt has its number. It
 * is claimed first, by the exchange that decides about all ends. Whoever wants to end
 * the task meanwhile finds the attempt over, but leaves a mark at the task, which is
 * looked at in the step that lets the task wait again.
 */

OsiisoAttempt *
osiiso_scheduler_take_ahead (OsiisoScheduler *self)
{
  OsiisoAttempt *attempt = NULL;
  OsiisoWake wake = { 0 };
  OsiisoRecord *record;
  gboolean again;

  pthread_mutex_lock (&self->ready_lock);
  do
    {
      again = FALSE;
      record = osiiso_scheduler_pop_locked (self);
      if (record == NULL)
        {
          pthread_mutex_lock (&self->inbox_lock);
          /* Unless something came in meanwhile, which has found nobody to wake. */
          again = self->inbox_dirty;
          if (!again)
            osiiso_scheduler_park_locked (self, OSIISO_PARKED_AHEAD);
          pthread_mutex_unlock (&self->inbox_lock);
        }
    }
  while (again);

  if (record != NULL)
    {
      OsiisoRecordExt *ext = osiiso_record_get_ext (record);
      guint number = 1;

      if (ext != NULL && ext->params != NULL)
        number += atomic_load_explicit (&ext->attempts, memory_order_acquire);
      attempt = osiiso_attempt_new (self, record, number,
                                    OSIISO_ATTEMPT_RESERVED | osiiso_trace_state |
                                    (ext == NULL ? OSIISO_ATTEMPT_BORROWS : 0));
      osiiso_scheduler_link_attempt_locked (self, attempt);
      osiiso_record_set_flags (record, OSIISO_RECORD_RESERVED, 0);
      osiiso_scheduler_announce_locked (self, &wake);
    }
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
  return attempt;
}

/* Somebody ends the task and has found, or is going to find, its attempt. */
static gboolean
must_end_locked (OsiisoScheduler *self,
                 OsiisoRecord    *record)
{
  const guint32 word = osiiso_record_get_word (record);

  return osiiso_scheduler_is_doomed_locked (self, word) || (word & OSIISO_RECORD_OVERDUE);
}

/* For an attempt that was claimed: ends it like whoever wanted to. */
static void
end_given_back (OsiisoAttempt *attempt)
{
  OsiisoRecord *record = attempt->record;
  OsiisoStatus status = OSIISO_STATUS_CANCELLED;
  GError *error;

  if (!(osiiso_record_get_word (record) & OSIISO_RECORD_CANCEL_ASKED) &&
      (osiiso_record_get_word (record) & OSIISO_RECORD_OVERDUE))
    {
      status = OSIISO_STATUS_FAILED;
      error = osiiso_scheduler_new_deadline_error (record);
    }
  else
    {
      error = osiiso_record_new_cancel_error (record);
    }
  osiiso_scheduler_attempt_ended (attempt->scheduler, attempt, status, osiiso_outcome_new_error (error), -1);
}

/* Takes back what showed that the attempt had begun. */
static void
undo_start_locked (OsiisoScheduler *self,
                   OsiisoAttempt   *attempt)
{
  OsiisoRecord *record = attempt->record;
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  const gboolean first = attempt->number == 1;
  guint32 word;

  if (ext != NULL && ext->params != NULL)
    atomic_store_explicit (&ext->attempts, attempt->number - 1, memory_order_release);
  if (ext != NULL && first)
    atomic_store_explicit (&ext->started, 0, memory_order_release);
  word = osiiso_record_set_status (record, first ? OSIISO_STATUS_PENDING : OSIISO_STATUS_RETRYING,
                                   0, first ? OSIISO_RECORD_STARTED : 0);
  if (word & OSIISO_RECORD_HANDLED)
    osiiso_outbox_post_signal (&self->outbox, OSIISO_EVENT_WAIT, record, NULL, TRUE);
}

/**
 * osiiso_attempt_begin:
 * @self: an attempt
 *
 * Tells that an attempt which was reserved with [method@Osiiso.Backend.take_ahead]
 * really begins now.
 *
 * From here on it is like one of [method@Osiiso.Backend.take]: its task is running,
 * [signal@Osiiso.Queue::on-start] is emitted, its timeout runs. A report about an
 * attempt that is reserved makes it begin, too.
 *
 * For backends. Nothing happens to an attempt that has begun already.
 *
 * The caller must hold no lock that slots of the backend take: an attempt that must
 * not begin any more is ended here.
 *
 * Any thread.
 *
 * Returns: %FALSE when the attempt has ended, because its task was cancelled or its
 *   deadline has come; it must not be worked at then, and the backend need not have
 *   been told by [vfunc@Osiiso.Backend.interrupt]
 *
 * Since: 1.0
 */
gboolean
osiiso_attempt_begin (OsiisoAttempt *self)
{
  OsiisoScheduler *scheduler;
  gboolean must_end = FALSE;
  gboolean open;

  g_return_val_if_fail (self != NULL, FALSE);

  if (!(atomic_load (&self->state) & OSIISO_ATTEMPT_RESERVED))
    return osiiso_attempt_is_open (self);

  scheduler = self->scheduler;
  pthread_mutex_lock (&scheduler->ready_lock);
  open = osiiso_attempt_is_open (self);
  if (open && (atomic_load (&self->state) & OSIISO_ATTEMPT_RESERVED))
    {
      must_end = must_end_locked (scheduler, self->record);
      if (!must_end)
        osiiso_scheduler_start_attempt_locked (scheduler, self, 0);
    }
  pthread_mutex_unlock (&scheduler->ready_lock);
  if (must_end)
    osiiso_attempt_give_back (self);
  return open && !must_end;
}

/**
 * osiiso_attempt_give_back:
 * @self: an attempt
 *
 * Gives back an attempt that has not happened.
 *
 * Its task waits again in its old place, by priority and then by the order of
 * submission, and the next attempt gets the number of this one, so that no retry is
 * used up. No signal tells of it. Somebody who was told that an attempt has begun is
 * told so again when the next one begins. A rate limit has counted the start
 * nevertheless.
 *
 * For backends, for attempts that were reserved with
 * [method@Osiiso.Backend.take_ahead], and for others as long as it is certain that
 * no work was done for them: nothing of it may show when it is done from the start
 * by the next one. Not for an attempt whose function has been entered. Reports about
 * the attempt do not count any more. [method@Osiiso.Attempt.get_cancellable] is not
 * cancelled, and [vfunc@Osiiso.Backend.interrupt] is not called.
 *
 * A task that was cancelled meanwhile ends here and does not wait again; that
 * includes a forced shutdown and the failure that cancels all others. The same goes
 * for one whose deadline has come.
 *
 * The caller keeps its reference and drops it as always. It must hold no lock that
 * slots of the backend take: others may be woken and attempts interrupted.
 *
 * Any thread.
 *
 * Returns: %FALSE when the attempt had ended before; nothing happens then
 *
 * Since: 1.0
 */
gboolean
osiiso_attempt_give_back (OsiisoAttempt *self)
{
  OsiisoScheduler *scheduler;
  OsiisoWake wake = { 0 };
  gboolean must_end;

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (!(atomic_load (&self->state) & (OSIISO_ATTEMPT_INSIDE | OSIISO_ATTEMPT_DEFERRED)), FALSE);

  if (!osiiso_attempt_claim_back (self))
    return FALSE;

  scheduler = self->scheduler;
  osiiso_attempt_return_loan (self);
  pthread_mutex_lock (&scheduler->ready_lock);
  must_end = must_end_locked (scheduler, self->record);
  if (!must_end)
    {
      const gboolean reserved = (atomic_load (&self->state) & OSIISO_ATTEMPT_RESERVED) != 0;

      osiiso_scheduler_unlink_attempt_locked (scheduler, self);
      if (!reserved)
        undo_start_locked (scheduler, self);
      osiiso_scheduler_make_runnable_locked (scheduler, self->record);
      osiiso_scheduler_announce_locked (scheduler, &wake);
    }
  pthread_mutex_unlock (&scheduler->ready_lock);
  osiiso_scheduler_act (scheduler, &wake);
  if (must_end)
    end_given_back (self);
  return TRUE;
}
