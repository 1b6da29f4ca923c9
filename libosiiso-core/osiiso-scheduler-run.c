/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-initializer-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-wait-private.h"

/* Runs: a window over the results, with an end and a time limit. */

static void
close_window_locked (OsiisoScheduler *self)
{
  self->run.active = FALSE;
  atomic_store (&self->run_fail_policy, -1);
}

gboolean
osiiso_scheduler_begin_run (OsiisoScheduler      *self,
                            const OsiisoRunTerms *terms,
                            GError              **error)
{
  gboolean busy;

  if (terms->timeout > 0 && !osiiso_timer_service_prepare (error))
    return FALSE;

  /* The window opens before the first task can end in it. */
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  busy = self->run.active;
  if (!busy)
    {
      self->run = (OsiisoRun) {
        .active = TRUE,
        .infinite = terms->infinite,
        .limited = terms->timeout > 0,
        .on_timeout = terms->on_timeout,
        .started = osiiso_clock_now (),
        .first_result = self->results->len,
        .counts = self->counts,
      };
      atomic_store (&self->run_fail_policy, terms->fail_policy);
    }
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->ready_lock);
  if (busy)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY, "a run is already in progress");
      return FALSE;
    }

  if (!osiiso_scheduler_start_for (self, OSIISO_START_RUN, error))
    {
      pthread_mutex_lock (&self->view_lock);
      close_window_locked (self);
      pthread_mutex_unlock (&self->view_lock);
      return FALSE;
    }
  if (terms->timeout > 0)
    osiiso_scheduler_set_run_deadline (self, osiiso_clock_now () + osiiso_clock_from_seconds (terms->timeout));
  return TRUE;
}

/* With the ready lock held. FALSE when the run is over. */
gboolean
osiiso_scheduler_time_out_run (OsiisoScheduler *self,
                               gboolean        *must_complete_too)
{
  gboolean active;

  pthread_mutex_lock (&self->view_lock);
  active = !osiiso_scheduler_run_is_over (self);
  if (active)
    self->run.timed_out = TRUE;
  *must_complete_too = self->run.on_timeout == OSIISO_TIMEOUT_POLICY_CANCEL;
  pthread_mutex_unlock (&self->view_lock);
  return active;
}

/* With the view lock held. */
gboolean
osiiso_scheduler_run_is_over (OsiisoScheduler *self)
{
  if (!self->run.active)
    return TRUE;
  if (osiiso_scheduler_has_work (self))
    return FALSE;
  if (!self->run.infinite || self->run.timed_out || self->life == OSIISO_LIFE_CLOSED)
    return TRUE;
  /* A halted queue refuses work, so there is nothing more to wait for, unless it is
   * being shut down. */
  return self->halted && self->accepting;
}

/* The results from @first on, and the counts since @before; with the ready and
 * the view lock. */
static GPtrArray *
copy_results_locked (OsiisoScheduler       *self,
                     guint                  first,
                     const OsiisoRunCounts *before,
                     OsiisoRunCounts       *counts)
{
  GPtrArray *records = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);

  for (guint i = first; i < self->results->len; i++)
    g_ptr_array_add (records, osiiso_record_ref (g_ptr_array_index (self->results, i)));
  *counts = (OsiisoRunCounts) {
    .succeeded = self->counts.succeeded - before->succeeded,
    .failed = self->counts.failed - before->failed,
    .cancelled = self->counts.cancelled - before->cancelled,
  };
  return records;
}

OsiisoRunSummary *
osiiso_scheduler_end_run (OsiisoScheduler *self)
{
  OsiisoRunCounts counts;
  GPtrArray *records;
  gboolean renew = FALSE;
  gboolean timed_out;
  gboolean over;
  double duration;

  osiiso_scheduler_set_run_deadline (self, 0);

  /* Tasks that are submitted from here on belong to the next run and wait for
   * it, unless somebody starts the queue; who does that comes before or after
   * this, and submits first. A run that was only not waited for any longer leaves
   * its tasks running. */
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  over = osiiso_scheduler_run_is_over (self);
  if (over)
    {
      osiiso_scheduler_rest_locked (self);
      /* A submit that saw the queue started may hold it just now. */
      osiiso_outbox_post_settled (&self->outbox);
    }
  timed_out = self->run.timed_out;
  duration = osiiso_clock_to_seconds (osiiso_clock_now () - self->run.started);
  records = copy_results_locked (self, self->run.first_result, &self->run.counts, &counts);
  close_window_locked (self);
  pthread_mutex_unlock (&self->view_lock);
  /* Open again; in one step with the end, so that what halts the queue when somebody
   * starts it after that stays. */
  pthread_mutex_lock (&self->inbox_lock);
  self->halted = FALSE;
  pthread_mutex_unlock (&self->inbox_lock);
  /* A queue at rest does that when it is started. */
  if (!over)
    renew = osiiso_scheduler_recover_locked (self);
  pthread_mutex_unlock (&self->ready_lock);

  if (renew)
    osiiso_scheduler_renew_workers (self);
  /* What goes on has no time limit any more. */
  osiiso_wait_graph_update ();
  return osiiso_run_summary_new (self, records, &counts, timed_out, duration);
}

OsiisoRunSummary *
osiiso_scheduler_dup_summary (OsiisoScheduler *self)
{
  static const OsiisoRunCounts none = { 0, };
  OsiisoRunCounts counts;
  GPtrArray *records;
  gboolean timed_out;
  double duration;

  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  timed_out = self->run.active && self->run.timed_out;
  duration = self->run.active ? osiiso_clock_to_seconds (osiiso_clock_now () - self->run.started) : 0;
  records = copy_results_locked (self, 0, &none, &counts);
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->ready_lock);

  return osiiso_run_summary_new (self, records, &counts, timed_out, duration);
}

void
osiiso_scheduler_clear_results (OsiisoScheduler *self)
{
  g_autoptr (GPtrArray) dropped = NULL;

  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  dropped = g_steal_pointer (&self->results);
  self->results = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
  self->run.first_result = 0;
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->ready_lock);
}
