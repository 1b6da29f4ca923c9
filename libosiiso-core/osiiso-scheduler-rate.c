/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-scheduler-private.h"

/* How fast attempts may begin. What that means for the one that is next is in
 * osiiso-scheduler-take.c. */

static gboolean
rate_makes_sense (double rate,
                  guint  burst)
{
  return isfinite (rate) && rate >= 0 && burst >= 1;
}

void
osiiso_scheduler_set_rate (OsiisoScheduler *self,
                           double           rate,
                           guint            burst)
{
  OsiisoWake wake = { 0 };

  pthread_mutex_lock (&self->ready_lock);
  self->rate = rate;
  self->burst = burst;
  if (rate_makes_sense (rate, burst))
    osiiso_rate_limiter_set (&self->limiter, osiiso_clock_now (), rate, burst);
  osiiso_scheduler_announce_locked (self, &wake);
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
}

void
osiiso_scheduler_get_rate (OsiisoScheduler *self,
                           double          *rate,
                           guint           *burst)
{
  pthread_mutex_lock (&self->ready_lock);
  *rate = self->rate;
  *burst = self->burst;
  pthread_mutex_unlock (&self->ready_lock);
}

gboolean
osiiso_scheduler_check_rate (OsiisoScheduler *self,
                             GError         **error)
{
  double rate;
  guint burst;

  osiiso_scheduler_get_rate (self, &rate, &burst);
  if (rate_makes_sense (rate, burst))
    return rate == 0 || osiiso_timer_service_prepare (error);
  if (burst < 1)
    g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                 "the burst of a queue must be at least 1; got %u", burst);
  else
    g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                 "the rate of a queue must be a finite number > 0, or 0 for none; got %g", rate);
  return FALSE;
}
