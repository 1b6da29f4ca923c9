/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-worker-channel-private.h"

/* What is known of the task of a call. It belongs to the thread that receives, as the
 * current message does, and stays until the next call is received. */

/**
 * osiiso_worker_channel_get_attempt_number:
 * @self: a channel
 *
 * Says which attempt of its task the call is that was received last.
 *
 * Returns: 1 for the first, 2 for the first retry, and so on
 *
 * Since: 1.0
 */
guint
osiiso_worker_channel_get_attempt_number (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), 0);

  return self->task_id != 0 ? self->attempt_number : 1;
}

/**
 * osiiso_worker_channel_get_task_index:
 * @self: a channel
 *
 * Says which member of its group the task is of the call that was received last.
 *
 * Returns: the place in the group, from 0 on; 0 without a group
 *
 * Since: 1.0
 */
guint
osiiso_worker_channel_get_task_index (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), 0);

  return self->task_id != 0 ? self->task_index : 0;
}

/**
 * osiiso_worker_channel_get_task_name:
 * @self: a channel
 *
 * Gets the name of the task of the call that was received last.
 *
 * Returns: (transfer none) (nullable): the name, which is that of the function when
 *   the task was given none; %NULL before the first call. It is valid until the next
 *   call is received
 *
 * Since: 1.0
 */
const char *
osiiso_worker_channel_get_task_name (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), NULL);

  if (self->task_id != 0)
    return self->task_name;
  return self->called != NULL ? self->called->text : NULL;
}

/**
 * osiiso_worker_channel_set_retry_after:
 * @self: a channel
 * @id: the number of the call that is under way
 * @seconds: how long to wait before the next attempt, >= 0; infinite when there is
 *   not to be another one
 *
 * Says whether and when it makes sense to try again, should the call fail. It counts
 * for the error that the call is answered with, and for nothing else.
 *
 * How often a task is tried is still what its options say.
 *
 * May be called from any thread.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_set_retry_after (OsiisoWorkerChannel *self,
                                       guint                id,
                                       double               seconds)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (!isnan (seconds) && seconds >= 0);

  pthread_mutex_lock (&self->out_lock);
  if (id != 0 && atomic_load (&self->busy_id) == id)
    {
      self->retry_id = id;
      self->retry_after = seconds;
    }
  pthread_mutex_unlock (&self->out_lock);
}
