/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-timer-service-private.h"

/* What happens when a time has come, and when that is. */

void
osiiso_scheduler_arm_timers_locked (OsiisoScheduler *self)
{
  OsiisoHeapNode *delay = osiiso_deadline_heap_peek (&self->delays);
  OsiisoHeapNode *timeout = osiiso_deadline_heap_peek (&self->timeouts);
  OsiisoHeapNode *deadline = osiiso_deadline_heap_peek (&self->deadlines);
  gint64 when = G_MAXINT64;

  if (self->will_tick)
    return;
  if (delay != NULL)
    when = MIN (when, delay->key);
  if (timeout != NULL)
    when = MIN (when, timeout->key);
  if (deadline != NULL)
    when = MIN (when, deadline->key);
  if (self->run_deadline != 0 && !self->run_overdue)
    when = MIN (when, self->run_deadline);
  if (self->shutdown_deadline != 0)
    when = MIN (when, self->shutdown_deadline);
  if (when != G_MAXINT64)
    osiiso_timer_service_arm (&self->client, when);
}

/* Whether the time of the run is over just now. */
static gboolean
run_is_due_locked (OsiisoScheduler *self,
                   gint64           now,
                   gboolean        *must_complete_too)
{
  if (self->run_deadline == 0 || self->run_deadline > now)
    return FALSE;
  /* A run without work is over, unless it gets more before somebody has seen that.
   * In this order; who brings it counts it first and looks at this then. */
  atomic_store (&self->run_overdue, TRUE);
  if (!osiiso_scheduler_time_out_run (self, must_complete_too))
    return FALSE;
  self->run_deadline = 0;
  self->run_overdue = FALSE;
  return TRUE;
}

void
osiiso_scheduler_tick (OsiisoScheduler *self)
{
  g_autoptr (GPtrArray) late = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
  g_autoptr (GPtrArray) ended = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
  OsiisoWake wake = { 0 };
  OsiisoHeapNode *node;
  g_autoptr (GPtrArray) doomed = NULL;
  g_autoptr (GPtrArray) taken = NULL; /* along by those */
  gboolean must_complete_too = FALSE;
  gboolean halt = FALSE;
  gint64 now = osiiso_clock_now ();

  pthread_mutex_lock (&self->ready_lock);
  self->will_tick = FALSE;
  /* First, so that none of these begins for this. */
  osiiso_scheduler_end_overdue_locked (self, now, late, ended);
  if (ended->len > 0 && osiiso_scheduler_fails_first (self))
    taken = osiiso_scheduler_halt_locked (self, FALSE);
  while ((node = osiiso_deadline_heap_peek (&self->delays)) != NULL && node->key <= now)
    {
      OsiisoRecord *record = OSIISO_RARE_FROM_TIMER (node)->record;

      osiiso_deadline_heap_remove (&self->delays, node);
      atomic_fetch_sub_explicit (&self->n_scheduled, 1, memory_order_relaxed);
      osiiso_record_set_flags (record, 0, OSIISO_RECORD_SCHEDULED);
      osiiso_scheduler_make_runnable_locked (self, record);
    }
  while ((node = osiiso_deadline_heap_peek (&self->timeouts)) != NULL && node->key <= now)
    {
      OsiisoAttempt *attempt = OSIISO_ATTEMPT_FROM_TIMER (node);

      osiiso_deadline_heap_remove (&self->timeouts, node);
      if (osiiso_attempt_try_ref (attempt))
        g_ptr_array_add (late, attempt);
    }
  /* In one step with the deadlines, which the end of the run and that of the queue
   * take back under this lock: what comes after them is never meant. */
  halt = run_is_due_locked (self, now, &must_complete_too);
  if (self->shutdown_deadline != 0 && self->shutdown_deadline <= now)
    {
      self->shutdown_deadline = 0;
      halt = must_complete_too = TRUE;
    }
  if (halt)
    doomed = osiiso_scheduler_halt_locked (self, must_complete_too);
  osiiso_scheduler_announce_locked (self, &wake);
  osiiso_scheduler_arm_timers_locked (self);
  pthread_mutex_unlock (&self->ready_lock);

  osiiso_scheduler_act (self, &wake);
  if (doomed != NULL)
    osiiso_scheduler_cancel_doomed_waiting (self, doomed);
  for (guint i = 0; i < ended->len; i++)
    {
      OsiisoRecord *record = g_ptr_array_index (ended, i);

      osiiso_scheduler_record_ended (self, record, osiiso_record_get_word (record), OSIISO_STATUS_FAILED,
                                     i == 0 ? taken : NULL);
    }
  for (guint i = 0; i < late->len; i++)
    osiiso_attempt_interrupt (g_ptr_array_index (late, i), OSIISO_INTERRUPT_REASON_TIMED_OUT);
  if (doomed != NULL)
    {
      for (guint i = 0; i < doomed->len; i++)
        osiiso_scheduler_cancel (self, g_ptr_array_index (doomed, i));
      /* There may have been nothing left to end. */
      osiiso_scheduler_check_idle (self);
    }
}
