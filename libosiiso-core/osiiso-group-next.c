/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"
#include "osiiso-group-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

/* Members of a group in the order of completion, one after the other. */

/* TRUE with the index of a member to be given out, or with G_MAXUINT when there is
 * none left; with the lock. */
static gboolean
next_locked (OsiisoBatch *batch,
             guint       *index)
{
  /* What has ended is theirs, as soon as whoever ended it gets to that. */
  if (!g_queue_is_empty (&batch->next_waiters))
    return FALSE;
  if (batch->n_delivered < batch->completed->len)
    *index = g_array_index (batch->completed, guint, batch->n_delivered++);
  else if (batch->completed->len == batch->records->len)
    *index = G_MAXUINT;
  else
    return FALSE;
  return TRUE;
}

/* TRUE when it was still waiting. */
static gboolean
leave_line (OsiisoBatch  *batch,
            OsiisoWaiter *waiter)
{
  gboolean waited;

  pthread_mutex_lock (&batch->lock);
  waited = g_queue_remove (&batch->next_waiters, waiter);
  pthread_mutex_unlock (&batch->lock);
  return waited;
}

static gboolean
is_answered (OsiisoScheduler *scheduler,
             gpointer         data)
{
  return atomic_load (&((OsiisoWaiter *) data)->answered);
}

/* Gets in line unless there is an answer already. FALSE when there would never be
 * one: a member waits, and all others will be given to those in front of it. */
static gboolean
get_in_line (OsiisoBatch  *batch,
             OsiisoWaiter *waiter,
             GError      **error)
{
  gboolean in_vain = FALSE;

  pthread_mutex_lock (&batch->lock);
  if (next_locked (batch, &waiter->index))
    atomic_store (&waiter->answered, TRUE);
  else
    in_vain = osiiso_batch_is_inside_locked (batch) &&
              batch->records->len - batch->n_delivered - 1 <= batch->next_waiters.length;
  if (!in_vain && !waiter->answered)
    g_queue_push_tail (&batch->next_waiters, waiter);
  pthread_mutex_unlock (&batch->lock);

  if (in_vain)
    g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                         "this task would wait for itself: all other members of its group are given out");
  return !in_vain;
}

/* Blocks until there is an answer. */
static gboolean
wait_in_line (OsiisoBatch  *batch,
              OsiisoWaiter *waiter,
              double        timeout,
              GCancellable *cancellable,
              GError      **error)
{
  OsiisoScheduler *scheduler = batch->scheduler;
  OsiisoWait wait = {
    .kind = OSIISO_WAIT_MEMBER,
    .scheduler = scheduler,
    .batch = batch,
    .waiter = waiter,
    .limited = timeout >= 0,
  };
  GError *local_error = NULL;

  if (!osiiso_scheduler_may_block (scheduler, error) ||
      !osiiso_batch_start_members (batch, error) ||
      !get_in_line (batch, waiter, error))
    return FALSE;

  /* In its place, which decides whether the wait can end. */
  if (!osiiso_wait_enter (&wait, &local_error) ||
      !osiiso_scheduler_wait_until (scheduler, is_answered, waiter, &wait, timeout, cancellable, &local_error))
    {
      /* A member that has been given out is not taken back. */
      if (leave_line (batch, waiter))
        g_propagate_error (error, g_steal_pointer (&local_error));
      g_clear_error (&local_error);
    }
  osiiso_wait_leave (&wait);
  return waiter->answered;
}

/**
 * osiiso_group_next_completed:
 * @self: a group
 * @timeout: how long to wait at most, in seconds; negative for as long as it
 *   takes, 0 not to wait at all
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Gets the next member in the order of completion, and blocks until there is one.
 *
 * Each member is given out once per group, whether to this call or to
 * [method@Osiiso.Group.next_completed_async]; after the last one there is %NULL.
 * Starts the queue if it has not been started. Any thread.
 *
 * Fails like [method@Osiiso.Group.wait]; with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK only
 * when not enough members are left that could end before the task that waits, for all
 * who wait for one. A member that was not given out because of that is left to the next
 * call.
 *
 * Returns: (transfer full) (nullable): the member that finished; %NULL without
 *   an error when all have been given out
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_next_completed (OsiisoGroup  *self,
                             double        timeout,
                             GCancellable *cancellable,
                             GError      **error)
{
  OsiisoHandle *handle = NULL;
  OsiisoWaiter waiter = { NULL };
  OsiisoBatch *batch;
  gboolean ready;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!osiiso_group_check_timeout (timeout, error))
    return NULL;

  /* A handler may drop what the caller had. */
  g_object_ref (self);
  batch = osiiso_group_get_batch (self);
  pthread_mutex_lock (&batch->lock);
  ready = next_locked (batch, &waiter.index);
  pthread_mutex_unlock (&batch->lock);
  /* In the owner's thread what was told before comes first. */
  if (ready)
    osiiso_outbox_drain (&batch->scheduler->outbox);
  else
    ready = wait_in_line (batch, &waiter, timeout, cancellable, error);
  if (ready && waiter.index != G_MAXUINT)
    handle = osiiso_group_get_handle (self, waiter.index);
  g_object_unref (self);
  return handle;
}

static gboolean
next_finish (GTask *task)
{
  OsiisoGroup *self = g_task_get_source_object (task);
  guint index = osiiso_waiter_get (task)->index;

  g_task_return_pointer (task, index != G_MAXUINT ? osiiso_group_get_handle (self, index) : NULL, g_object_unref);
  return TRUE;
}

static gboolean
next_remove (GTask *task)
{
  OsiisoGroup *self = g_task_get_source_object (task);

  return leave_line (osiiso_group_get_batch (self), osiiso_waiter_get (task));
}

/**
 * osiiso_group_next_completed_async:
 * @self: a group
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: (scope async) (closure user_data): called when a member has finished
 * @user_data: user data for @callback
 *
 * Asks for the next member in the order of completion, without blocking.
 *
 * Each member is given out once per group; after the last one there is %NULL.
 * Starts the queue if it has not been started. @callback is called in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_group_next_completed_async (OsiisoGroup        *self,
                                   GCancellable       *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data)
{
  OsiisoBatch *batch;
  OsiisoWaiter *waiter;
  GTask *task;
  gboolean ready;

  g_return_if_fail (osiiso_group_is_whole (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_group_new_task (self, cancellable, callback, user_data, osiiso_group_next_completed_async);
  if (task == NULL)
    return;
  /* A member that has been given out is not taken back. */
  g_task_set_check_cancellable (task, FALSE);
  osiiso_waiter_init (task, next_finish, next_remove);
  waiter = osiiso_waiter_get (task);
  batch = osiiso_group_get_batch (self);

  pthread_mutex_lock (&batch->lock);
  ready = next_locked (batch, &waiter->index);
  if (!ready)
    g_queue_push_tail (&batch->next_waiters, waiter);
  pthread_mutex_unlock (&batch->lock);
  if (ready)
    osiiso_scheduler_complete_task (batch->scheduler, task);
}

/**
 * osiiso_group_next_completed_finish:
 * @self: a group
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Group.next_completed_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait was cancelled, and with what
 * [method@Osiiso.Queue.start] fails with.
 *
 * Returns: (transfer full) (nullable): the member that finished; %NULL without
 *   an error when all have been given out
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_next_completed_finish (OsiisoGroup  *self,
                                    GAsyncResult *result,
                                    GError      **error)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_group_next_completed_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
