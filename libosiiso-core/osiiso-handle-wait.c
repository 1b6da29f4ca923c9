/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-handle-private.h"
#include "osiiso-record-pool-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-waiter-private.h"

/* Waiting for the end of a task. */

static OsiisoScheduler *
get_scheduler (OsiisoHandle *self)
{
  return osiiso_record_pool_get_owner (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_wait:
 * @self: a handle
 * @timeout: how long to wait at most, in seconds; negative for as long as it
 *   takes
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until the task has finished, however it finished.
 *
 * Starts the queue if it has not been started. In the thread that owns the queue
 * what has happened so far is delivered before the call returns. The wait lasts while
 * the queue is paused, until another thread resumes it.
 *
 * Fails with %G_IO_ERROR_TIMED_OUT or %G_IO_ERROR_CANCELLED when the wait ended
 * before the task, with %OSIISO_QUEUE_ERROR_INVALID when @timeout is not a number, with
 * what [method@Osiiso.Queue.start] fails with, and with
 * %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK, whatever @timeout is, when the task runs in
 * the thread that blocks, as on `main-loop`.
 *
 * A task that waits is refused with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK when what it
 * waits for could only end after itself: because that waits for it, directly or by way
 * of others, in whatever queue they are, or because tasks that wait have all the
 * workers that could run it. Of tasks that wait for each other the last one is refused,
 * and the others get what they wait for. A wait that comes to that while it lasts, when
 * there are fewer workers, the task is tried again, or a group gets more members, ends
 * with the same error.
 *
 * A wait with a timeout ends by itself, and so does a task with a timeout or a
 * deadline, or one that the timeout of the run ends; nobody is refused because of
 * those. Only a task that alone stands in the way of what it waits for is refused all
 * the same, since that has no use. @cancellable makes no difference. Calls that do not
 * block are not looked at.
 *
 * A thread that is in no task counts like one that is, when queues run tasks in a
 * context that it iterates, or that is up to it since it has made them: these cannot run
 * while it blocks. Without a timeout it is refused when what it waits for waits for one
 * of them, and so is a task that waits for one of them while the thread waits for that.
 *
 * Returns: %TRUE when the task has finished
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_wait (OsiisoHandle *self,
                    double        timeout,
                    GCancellable *cancellable,
                    GError      **error)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (isnan (timeout))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "the timeout of a wait must be a number of seconds, or negative for none; got nan");
      return FALSE;
    }
  return osiiso_scheduler_wait_record (get_scheduler (self), osiiso_handle_get_record (self), timeout, cancellable, error);
}

static gboolean
wait_finish (GTask *task)
{
  g_task_return_boolean (task, TRUE);
  return TRUE;
}

static gboolean
wait_remove (GTask *task)
{
  OsiisoHandle *self = g_task_get_source_object (task);

  return osiiso_scheduler_remove_waiter (get_scheduler (self), osiiso_handle_get_record (self), task);
}

/**
 * osiiso_handle_wait_async:
 * @self: a handle
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: (scope async) (closure user_data): called when the task has finished
 * @user_data: user data for @callback
 *
 * Waits until the task has finished, without blocking.
 *
 * Starts the queue if it has not been started. @callback is called in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_handle_wait_async (OsiisoHandle       *self,
                          GCancellable       *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer            user_data)
{
  GTask *task;
  GError *error = NULL;

  g_return_if_fail (osiiso_handle_is_whole (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_handle_wait_async);
  if (!osiiso_handle_is_done (self) && !osiiso_scheduler_start (get_scheduler (self), &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  osiiso_waiter_init (task, wait_finish, wait_remove);
  osiiso_scheduler_add_waiter (get_scheduler (self), osiiso_handle_get_record (self), task);
}

/**
 * osiiso_handle_wait_finish:
 * @self: a handle
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Handle.wait_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait was cancelled, and with what
 * [method@Osiiso.Queue.start] fails with.
 *
 * Returns: %TRUE when the task has finished, however it finished
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_wait_finish (OsiisoHandle *self,
                           GAsyncResult *result,
                           GError      **error)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_handle_wait_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
