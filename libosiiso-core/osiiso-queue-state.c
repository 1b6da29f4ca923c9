/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-queue-private.h"

/* What a queue says of itself, and its pause. */

/**
 * osiiso_queue_get_paused: (get-property paused)
 * @self: a queue
 *
 * Gets whether no task begins for the time being. Any thread.
 *
 * Returns: whether the queue is paused
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_get_paused (OsiisoQueue *self)
{
  OsiisoScheduler *scheduler;
  gboolean paused;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  scheduler = osiiso_queue_get_scheduler (self);
  pthread_mutex_lock (&scheduler->ready_lock);
  paused = scheduler->paused;
  pthread_mutex_unlock (&scheduler->ready_lock);
  return paused;
}

static void
notify_paused (gpointer data)
{
  g_object_notify (data, "paused");
  g_object_unref (data);
}

static void
set_paused (OsiisoQueue *self,
            gboolean     paused)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  if (osiiso_queue_get_paused (self) == paused)
    return;
  osiiso_scheduler_set_paused (scheduler, paused);
  osiiso_scheduler_destroy_in_owner (scheduler, notify_paused, g_object_ref (self));
}

/**
 * osiiso_queue_pause:
 * @self: a queue
 *
 * Lets no further attempt begin until [method@Osiiso.Queue.resume]. What is
 * running runs on. Any thread.
 *
 * Whoever waits for a task, a group, room or all work of the queue meanwhile goes on
 * waiting, since any other thread may resume it. So the only thread that would do that
 * must not wait without a timeout.
 *
 * Since: 1.0
 */
void
osiiso_queue_pause (OsiisoQueue *self)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  set_paused (self, TRUE);
}

/**
 * osiiso_queue_resume:
 * @self: a queue
 *
 * Lets attempts begin again. Any thread.
 *
 * Since: 1.0
 */
void
osiiso_queue_resume (OsiisoQueue *self)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  set_paused (self, FALSE);
}

/**
 * osiiso_queue_get_closed: (get-property closed)
 * @self: a queue
 *
 * Gets whether the queue has been shut down, with all work over. Any thread.
 *
 * Returns: whether it has
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_get_closed (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  return osiiso_scheduler_is_closed (osiiso_queue_get_scheduler (self));
}

/**
 * osiiso_queue_get_active_count: (get-property active-count)
 * @self: a queue
 *
 * Gets how many attempts are running, without those that are only reserved, see
 * [method@Osiiso.Backend.take_ahead]. Any thread.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
osiiso_queue_get_active_count (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  return atomic_load (&osiiso_queue_get_scheduler (self)->n_active);
}

/**
 * osiiso_queue_get_pending_count: (get-property pending-count)
 * @self: a queue
 *
 * Gets how many tasks wait, those that wait for a delay or a retry included, and
 * those that a backend has reserved. Any thread.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
osiiso_queue_get_pending_count (OsiisoQueue *self)
{
  OsiisoScheduler *scheduler;
  guint64 outstanding;
  guint64 active;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  scheduler = osiiso_queue_get_scheduler (self);
  active = atomic_load (&scheduler->n_active);
  outstanding = osiiso_scheduler_get_outstanding (scheduler);
  /* Two looks at a moving target may not fit each other. */
  return outstanding > active ? outstanding - active : 0;
}

/**
 * osiiso_queue_get_scheduled_count: (get-property scheduled-count)
 * @self: a queue
 *
 * Gets how many tasks wait for a delay or a retry. Any thread.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
osiiso_queue_get_scheduled_count (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  return atomic_load (&osiiso_queue_get_scheduler (self)->n_scheduled);
}

/**
 * osiiso_queue_get_completed_count: (get-property completed-count)
 * @self: a queue
 *
 * Gets how many tasks have finished, however they finished. Any thread.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
osiiso_queue_get_completed_count (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  return atomic_load (&osiiso_queue_get_scheduler (self)->n_completed);
}

/**
 * osiiso_queue_clear_results:
 * @self: a queue
 *
 * Forgets the results of the tasks that have finished so far. A run in progress
 * does not have them in its summary then, but counts them. Any thread.
 *
 * Since: 1.0
 */
void
osiiso_queue_clear_results (OsiisoQueue *self)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  osiiso_scheduler_clear_results (osiiso_queue_get_scheduler (self));
}

/**
 * osiiso_queue_dup_summary:
 * @self: a queue
 *
 * Sums up all tasks that have finished since the queue was made, or reset, without
 * detached ones. Any thread.
 *
 * Returns: (transfer full): a summary of what there is now
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_dup_summary (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  return osiiso_scheduler_dup_summary (osiiso_queue_get_scheduler (self));
}
