/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-run-summary-private.h"
#include "osiiso-waiter-private.h"

/* Starting, running and ending a queue: the public calls, blocking and not. */

/* A task of this queue that waits for all work of the queue waits for itself. */
static gboolean
check_not_inside (OsiisoScheduler *scheduler,
                  const char      *what,
                  GError         **error)
{
  if (!osiiso_scheduler_is_inside (scheduler))
    return TRUE;
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
               "a task cannot %s its own queue and wait for it", what);
  return FALSE;
}

/* Lets work run that is there. */
static gboolean
start_work (OsiisoQueue *self,
            GError     **error)
{
  return osiiso_queue_check_backend (self, error) &&
         osiiso_scheduler_check_rate (osiiso_queue_get_scheduler (self), error) &&
         osiiso_scheduler_start (osiiso_queue_get_scheduler (self), error);
}

/**
 * osiiso_queue_start:
 * @self: a queue
 * @error: return location for an error
 *
 * Lets tasks run, and lets a queue take tasks again that a failure halted outside
 * a run. Any thread.
 *
 * Fails with %OSIISO_QUEUE_ERROR_CLOSED after a shutdown, with
 * %OSIISO_QUEUE_ERROR_INVALID when [property@Osiiso.Queue:rate] or
 * [property@Osiiso.Queue:burst] makes no sense, and with the error of the backend
 * when that cannot be opened.
 *
 * Returns: %TRUE when the queue works
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_start (OsiisoQueue *self,
                    GError     **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!start_work (self, error))
    return FALSE;
  osiiso_scheduler_reopen (osiiso_queue_get_scheduler (self));
  return TRUE;
}

static gboolean
begin_run (OsiisoQueue *self,
           GError     **error)
{
  double timeout = osiiso_queue_get_timeout (self);

  if (!isfinite (timeout) || timeout < 0)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "the timeout of a queue must be a finite number > 0, or 0 for none; got %g", timeout);
      return FALSE;
    }
  return osiiso_queue_check_backend (self, error) &&
         osiiso_scheduler_check_rate (osiiso_queue_get_scheduler (self), error) &&
         osiiso_scheduler_begin_run (osiiso_queue_get_scheduler (self), timeout,
                                     osiiso_queue_get_on_timeout (self),
                                     osiiso_queue_get_mode (self) == OSIISO_MODE_INFINITE, error);
}

static gboolean
run_is_over (OsiisoScheduler *scheduler,
             gpointer         unused)
{
  return osiiso_scheduler_run_is_over (scheduler);
}

/**
 * osiiso_queue_run:
 * @self: a queue
 * @cancellable: (nullable): ends the run, not the tasks
 * @error: return location for an error
 *
 * Runs tasks until the run is over, and sums up what happened.
 *
 * In finite mode it is over when no work is left, in infinite mode when the queue
 * has been shut down. When it takes longer than [property@Osiiso.Queue:timeout],
 * [property@Osiiso.Queue:on-timeout] decides which tasks are cancelled.
 *
 * In the thread that owns the queue the call iterates its main context, so all
 * signals arrive meanwhile. In other threads it blocks.
 *
 * Fails with %OSIISO_QUEUE_ERROR_BUSY when a run is in progress, with
 * %OSIISO_QUEUE_ERROR_INVALID when the timeout makes no sense, with
 * %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, with
 * %G_IO_ERROR_CANCELLED when @cancellable was cancelled, and with what
 * [method@Osiiso.Queue.start] fails with. Tasks that fail are no error of the
 * run; see [method@Osiiso.RunSummary.check].
 *
 * Returns: (transfer full): the summary of the tasks that finished during the run
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_run (OsiisoQueue  *self,
                  GCancellable *cancellable,
                  GError      **error)
{
  g_autoptr (OsiisoQueue) alive = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  OsiisoScheduler *scheduler;
  gboolean over;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  /* A handler may drop what the caller had. */
  alive = g_object_ref (self);
  scheduler = osiiso_queue_get_scheduler (self);
  if (!check_not_inside (scheduler, "run", error) || !begin_run (self, error))
    return NULL;
  over = osiiso_scheduler_wait_until (scheduler, run_is_over, NULL, TRUE, -1, cancellable, error);
  summary = osiiso_scheduler_end_run (scheduler);
  return over ? g_steal_pointer (&summary) : NULL;
}

static gboolean
run_finish (GTask *task)
{
  OsiisoQueue *self = g_task_get_source_object (task);
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  gboolean over;

  /* A handler of on-complete may have submitted more, which belongs to the run. */
  pthread_mutex_lock (&scheduler->view_lock);
  over = osiiso_scheduler_run_is_over (scheduler);
  if (!over)
    scheduler->run.task = task;
  pthread_mutex_unlock (&scheduler->view_lock);

  /* So may one that has not been called yet. In this order: the end of a task is
   * posted before it is counted. */
  if (over && g_task_get_context (task) == scheduler->outbox.context && !osiiso_outbox_is_empty (&scheduler->outbox))
    {
      osiiso_scheduler_complete_task (scheduler, task);
      return FALSE;
    }
  if (over)
    g_task_return_pointer (task, osiiso_scheduler_end_run (scheduler), g_object_unref);
  return over;
}

static gboolean
run_remove (GTask *task)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (g_task_get_source_object (task));
  gboolean removed;

  pthread_mutex_lock (&scheduler->view_lock);
  removed = scheduler->run.task == task;
  if (removed)
    scheduler->run.task = NULL;
  pthread_mutex_unlock (&scheduler->view_lock);

  if (removed)
    g_object_unref (osiiso_scheduler_end_run (scheduler));
  return removed;
}

/**
 * osiiso_queue_run_async:
 * @self: a queue
 * @cancellable: (nullable): ends the run, not the tasks
 * @callback: (scope async) (closure user_data): called when the run is over
 * @user_data: user data for @callback
 *
 * Runs tasks until the run is over, without blocking; see
 * [method@Osiiso.Queue.run].
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_run_async (OsiisoQueue        *self,
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
  g_task_set_source_tag (task, osiiso_queue_run_async);
  if (!begin_run (self, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  scheduler = osiiso_queue_get_scheduler (self);
  osiiso_waiter_init (task, run_finish, run_remove);
  pthread_mutex_lock (&scheduler->view_lock);
  scheduler->run.task = task;
  pthread_mutex_unlock (&scheduler->view_lock);
  /* There may be nothing to do. */
  osiiso_scheduler_check_idle (scheduler);
}

/**
 * osiiso_queue_run_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.run_async]. Fails like [method@Osiiso.Queue.run].
 *
 * Returns: (transfer full): the summary of the tasks that finished during the run
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_run_finish (OsiisoQueue  *self,
                         GAsyncResult *result,
                         GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

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

  return work_is_over (scheduler, NULL) || start_work (self, error);
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
 * Fails with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, with
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
  OsiisoScheduler *scheduler;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  alive = g_object_ref (self);
  scheduler = osiiso_queue_get_scheduler (self);
  return check_not_inside (scheduler, "join", error) && begin_join (self, error) &&
         osiiso_scheduler_wait_until (scheduler, work_is_over, NULL, TRUE, -1, cancellable, error);
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
queue_is_closed (OsiisoScheduler *scheduler,
                 gpointer         unused)
{
  return scheduler->life == OSIISO_LIFE_CLOSED;
}

/**
 * osiiso_queue_shutdown:
 * @self: a queue
 * @force: %FALSE to let all work finish first, %TRUE to cancel it
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @error: return location for an error
 *
 * Ends the queue for good.
 *
 * From now on it refuses tasks. Without @force all tasks run to their end, delayed
 * ones and retries included, also those of a queue that was not started yet. With
 * @force all are cancelled, must-complete or not. A second shutdown with @force
 * cuts a first one short. A paused queue is resumed.
 *
 * In the thread that owns the queue the call iterates its main context; in other
 * threads it blocks.
 *
 * Fails with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, where
 * [method@Osiiso.Queue.cancel] can be used, and with %G_IO_ERROR_CANCELLED when
 * @cancellable was cancelled; the shutdown goes on then.
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
  OsiisoScheduler *scheduler;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  alive = g_object_ref (self);
  scheduler = osiiso_queue_get_scheduler (self);
  if (!check_not_inside (scheduler, "shut down", error))
    return FALSE;
  /* Work that is paused would never finish. */
  osiiso_queue_resume (self);
  osiiso_scheduler_shutdown (scheduler, force);
  return osiiso_scheduler_wait_until (scheduler, queue_is_closed, NULL, TRUE, -1, cancellable, error);
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
 * Ends the queue for good, without blocking; see [method@Osiiso.Queue.shutdown].
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
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  scheduler = osiiso_queue_get_scheduler (self);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_queue_shutdown_async);
  osiiso_waiter_init (task, return_true, shutdown_remove);
  osiiso_scheduler_add_task (scheduler, &scheduler->shutdown_tasks, task);
  osiiso_queue_resume (self);
  osiiso_scheduler_shutdown (scheduler, force);
}

/**
 * osiiso_queue_shutdown_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.shutdown_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait was cancelled; the shutdown goes
 * on then.
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
 * Ends the queue for good and cancels all its work, without waiting.
 *
 * The same as [method@Osiiso.Queue.shutdown_async] with force and without a
 * callback. Any thread, also in a task of the queue.
 *
 * Since: 1.0
 */
void
osiiso_queue_cancel (OsiisoQueue *self)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  osiiso_scheduler_shutdown (osiiso_queue_get_scheduler (self), TRUE);
}
