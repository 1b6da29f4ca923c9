/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-queue-private.h"

/* How fast a queue may start attempts: the properties. */

/**
 * osiiso_queue_get_rate: (get-property rate)
 * @self: a queue
 *
 * Gets how many attempts may begin per second.
 *
 * Returns: attempts per second; 0 for any number
 *
 * Since: 1.0
 */
double
osiiso_queue_get_rate (OsiisoQueue *self)
{
  double rate;
  guint burst;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  osiiso_scheduler_get_rate (osiiso_queue_get_scheduler (self), &rate, &burst);
  return rate;
}

/**
 * osiiso_queue_set_rate: (set-property rate)
 * @self: a queue
 * @rate: attempts per second, > 0; 0 for any number
 *
 * Sets how many attempts may begin per second, also while the queue works.
 *
 * What began before counts: a change lets no more than one burst through and makes
 * no task wait for longer than 1 / @rate seconds because of it. With a value that is
 * negative, infinite or not a number starts and runs fail.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_rate (OsiisoQueue *self,
                       double       rate)
{
  OsiisoScheduler *scheduler;
  double old_rate;
  guint burst;

  g_return_if_fail (OSIISO_IS_QUEUE (self));

  scheduler = osiiso_queue_get_scheduler (self);
  osiiso_scheduler_get_rate (scheduler, &old_rate, &burst);
  if (old_rate == rate)
    return;
  osiiso_scheduler_set_rate (scheduler, rate, burst);
  g_object_notify (G_OBJECT (self), "rate");
}

/**
 * osiiso_queue_get_burst: (get-property burst)
 * @self: a queue
 *
 * Gets how many attempts may begin at once.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint
osiiso_queue_get_burst (OsiisoQueue *self)
{
  double rate;
  guint burst;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  osiiso_scheduler_get_rate (osiiso_queue_get_scheduler (self), &rate, &burst);
  return burst;
}

/**
 * osiiso_queue_set_burst: (set-property burst)
 * @self: a queue
 * @burst: the number, at least 1
 *
 * Sets how many attempts may begin at once, also while the queue works.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_burst (OsiisoQueue *self,
                        guint        burst)
{
  OsiisoScheduler *scheduler;
  double rate;
  guint old_burst;

  g_return_if_fail (OSIISO_IS_QUEUE (self));

  scheduler = osiiso_queue_get_scheduler (self);
  osiiso_scheduler_get_rate (scheduler, &rate, &old_burst);
  if (old_burst == burst)
    return;
  osiiso_scheduler_set_rate (scheduler, rate, burst);
  g_object_notify (G_OBJECT (self), "burst");
}
