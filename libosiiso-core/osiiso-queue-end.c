/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

/* The end of the work, and of a queue: the public calls, blocking and not. */

static gboolean
work_is_over (OsiisoScheduler *scheduler,
              gpointer         unused)
{
  return !osiiso_scheduler_has_work (scheduler);
}

/* Work that is there is let run; without work nothing has to be started. */
static gboolean
begin_join (OsiisoQueue *self,
            GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  return work_is_over (scheduler, NULL) || osiiso_queue_start_work (self, error);
}

/**
 * osiiso_queue_join:
 * @self: a queue
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Waits until no work is left. The queue stays open.
 *
 * Starts the queue if it has not been started. In the thread that owns the queue
 * the call iterates its main context; in other threads it blocks.
 *
 * A queue that is paused is waited for until another thread resumes it, if there is
 * work.
 *
 * Fails with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, and in a task
 * that one of the queue waits for, see [method@Osiiso.Handle.wait]; with
 * %G_IO_ERROR_CANCELLED when @cancellable was cancelled, and with what
 * [method@Osiiso.Queue.start] fails with.
 *
 * Returns: %TRUE when no work is left
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_join (OsiisoQueue  *self,
                   GCancellable *cancellable,
                   GError      **error)
{
  g_autoptr (OsiisoQueue) alive = NULL;
  OsiisoWait wait = { .kind = OSIISO_WAIT_WORK };
  OsiisoScheduler *scheduler;
  gboolean ok;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  alive = g_object_ref (self);
  wait.scheduler = scheduler = osiiso_queue_get_scheduler (self);
  if (!osiiso_scheduler_check_outside (scheduler, "join", error) ||
      !osiiso_scheduler_enter_wait (scheduler, &wait, error))
    return FALSE;
  ok = begin_join (self, error) &&
       osiiso_scheduler_wait_until (scheduler, work_is_over, NULL, &wait, -1, cancellable, error);
  osiiso_wait_leave (&wait);
  return ok;
}

static gboolean
return_true (GTask *task)
{
  g_task_return_boolean (task, TRUE);
  return TRUE;
}

static gboolean
join_remove (GTask *task)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (g_task_get_source_object (task));

  return osiiso_scheduler_remove_task (scheduler, &scheduler->join_tasks, task);
}

/**
 * osiiso_queue_join_async:
 * @self: a queue
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: (scope async) (closure user_data): called when no work is left
 * @user_data: user data for @callback
 *
 * Waits until no work is left, without blocking; see [method@Osiiso.Queue.join].
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_join_async (OsiisoQueue        *self,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            user_data)
{
  OsiisoScheduler *scheduler;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_queue_join_async);
  if (!begin_join (self, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  scheduler = osiiso_queue_get_scheduler (self);
  osiiso_waiter_init (task, return_true, join_remove);
  osiiso_scheduler_add_task (scheduler, &scheduler->join_tasks, task);
  osiiso_scheduler_check_idle (scheduler);
}

/**
 * osiiso_queue_join_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.join_async]. Fails like [method@Osiiso.Queue.join].
 *
 * Returns: %TRUE when no work was left
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_join_finish (OsiisoQueue  *self,
                          GAsyncResult *result,
                          GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
shutdown_is_over (OsiisoScheduler *scheduler,
                  gpointer         shutdown)
{
  return osiiso_scheduler_shutdown_is_over_locked (scheduler, GPOINTER_TO_UINT (shutdown));
}

static gboolean
begin_shutdown (OsiisoQueue *self,
                gboolean     force,
                guint       *shutdown,
                GError     **error)
{
  double timeout = force ? 0 : osiiso_queue_get_shutdown_timeout (self);
  gint64 deadline = 0;

  if (!isfinite (timeout) || timeout < 0)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "the timeout of a shutdown must be a finite number > 0, or 0 for none; got %g", timeout);
      return FALSE;
    }
  if (timeout > 0)
    {
      deadline = osiiso_clock_now () + osiiso_clock_from_seconds (timeout);
      if (!osiiso_timer_service_prepare (error))
        return FALSE;
    }

  /* Work that is paused would never finish. */
  osiiso_queue_resume (self);
  *shutdown = osiiso_scheduler_shutdown (osiiso_queue_get_scheduler (self), force, deadline);
  return TRUE;
}

/**
 * osiiso_queue_shutdown:
 * @self: a queue
 * @force: %FALSE to let all work finish first, %TRUE to cancel it
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @error: return location for an error
 *
 * Ends the queue, for good unless there is a [method@Osiiso.Queue.reset].
 *
 * From now on it refuses tasks. Without @force all tasks run to their end, delayed
 * ones and retries included, also those of a queue that was not started yet. With
 * @force all are cancelled, must-complete or not, and so is what has not ended
 * after [property@Osiiso.Queue:shutdown-timeout]. A second shutdown with @force cuts
 * a first one short; one without cannot prolong it. A paused queue is resumed.
 *
 * In the thread that owns the queue the call iterates its main context; in other
 * threads it blocks.
 *
 * Fails with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, where
 * [method@Osiiso.Queue.cancel] can be used, and, unless work is cancelled by force or
 * after a time, in a task that one of the queue waits for, see
 * [method@Osiiso.Handle.wait]; with %OSIISO_QUEUE_ERROR_INVALID when
 * the timeout makes no sense, and with %OSIISO_QUEUE_ERROR_FAILED when the system has
 * no thread left to watch it; then nothing has changed. Fails with
 * %G_IO_ERROR_CANCELLED when @cancellable was cancelled; the shutdown goes on then.
 *
 * Returns: %TRUE when the queue is closed
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_shutdown (OsiisoQueue  *self,
                       gboolean      force,
                       GCancellable *cancellable,
                       GError      **error)
{
  g_autoptr (OsiisoQueue) alive = NULL;
  /* By force, or when its time is over, all that could keep it waiting is cancelled. */
  OsiisoWait wait = { .kind = OSIISO_WAIT_WORK, .limited = force };
  OsiisoScheduler *scheduler;
  guint shutdown;
  gboolean ok;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  alive = g_object_ref (self);
  wait.scheduler = scheduler = osiiso_queue_get_scheduler (self);
  wait.limited |= osiiso_queue_get_shutdown_timeout (self) > 0;
  if (!osiiso_scheduler_check_outside (scheduler, "shut down", error) ||
      !osiiso_scheduler_enter_wait (scheduler, &wait, error))
    return FALSE;
  ok = begin_shutdown (self, force, &shutdown, error) &&
       osiiso_scheduler_wait_until (scheduler, shutdown_is_over, GUINT_TO_POINTER (shutdown), &wait, -1,
                                    cancellable, error);
  osiiso_wait_leave (&wait);
  return ok;
}

static gboolean
shutdown_remove (GTask *task)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (g_task_get_source_object (task));

  return osiiso_scheduler_remove_task (scheduler, &scheduler->shutdown_tasks, task);
}

/**
 * osiiso_queue_shutdown_async:
 * @self: a queue
 * @force: %FALSE to let all work finish first, %TRUE to cancel it
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @callback: (nullable) (scope async) (closure user_data): called when the queue
 *   is closed
 * @user_data: user data for @callback
 *
 * Ends the queue, without blocking; see [method@Osiiso.Queue.shutdown].
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_shutdown_async (OsiisoQueue        *self,
                             gboolean            force,
                             GCancellable       *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer            user_data)
{
  OsiisoScheduler *scheduler;
  GError *error = NULL;
  GTask *task;
  guint shutdown;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  scheduler = osiiso_queue_get_scheduler (self);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_queue_shutdown_async);
  if (!begin_shutdown (self, force, &shutdown, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  osiiso_waiter_init (task, return_true, shutdown_remove);
  if (!osiiso_scheduler_add_shutdown_task (scheduler, shutdown, task))
    osiiso_scheduler_complete_task (scheduler, task);
}

/**
 * osiiso_queue_shutdown_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.shutdown_async].
 *
 * Fails like [method@Osiiso.Queue.shutdown], but for a task of the queue, which may
 * use this one.
 *
 * Returns: %TRUE when the queue is closed
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_shutdown_finish (OsiisoQueue  *self,
                              GAsyncResult *result,
                              GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * osiiso_queue_cancel:
 * @self: a queue
 *
 * Ends the queue and cancels all its work, without waiting.
 *
 * The same as [method@Osiiso.Queue.shutdown_async] with force and without a
 * callback, but that [property@Osiiso.Queue:paused] stays as it is. Any thread,
 * also in a task of the queue.
 *
 * Since: 1.0
 */
void
osiiso_queue_cancel (OsiisoQueue *self)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  osiiso_scheduler_shutdown (osiiso_queue_get_scheduler (self), TRUE, 0);
}

/**
 * osiiso_queue_reset:
 * @self: a queue
 * @error: return location for an error
 *
 * Makes the queue as it was in the beginning, also one that has been shut down.
 *
 * Tasks that wait are cancelled, must-complete or not, results are dropped and the
 * counts are 0. A queue that was closed accepts tasks again, and its backend is
 * opened anew by the next start. Settings stay, and so do results, handles and
 * summaries that somebody has. Any thread; in the one that owns the queue the
 * signals of what was cancelled come before the call returns.
 *
 * Fails with %OSIISO_QUEUE_ERROR_BUSY during a run, during a shutdown, and while the
 * queue is started; it is not when a run has ended and nobody started it since.
 * Fails with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue. Then
 * nothing has changed.
 *
 * Returns: %TRUE when that is done
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_reset (OsiisoQueue *self,
                    GError     **error)
{
  g_autoptr (OsiisoQueue) alive = NULL;
  OsiisoScheduler *scheduler;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  /* A handler may drop what the caller had. */
  alive = g_object_ref (self);
  scheduler = osiiso_queue_get_scheduler (self);
  if (!osiiso_scheduler_check_outside (scheduler, "reset", error) || !osiiso_scheduler_reset (scheduler, error))
    return FALSE;
  osiiso_outbox_drain (&scheduler->outbox);
  return TRUE;
}
