/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-run-summary-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

/* Starting and running a queue: the public calls, blocking and not. */

static gboolean
start_for (OsiisoQueue *self,
           OsiisoStart  who,
           GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  return osiiso_queue_check_backend (self, error) && osiiso_scheduler_check_rate (scheduler, error) &&
         osiiso_scheduler_start_for (scheduler, who, error);
}

gboolean
osiiso_queue_start_work (OsiisoQueue *self,
                         GError     **error)
{
  return start_for (self, OSIISO_START_WORK, error);
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
 * when that cannot be opened. An initializer is called later, in the threads that the
 * backend makes, so that its failure is none of this call: the tasks fail, and
 * without any the queue is halted; see [method@Osiiso.Queue.set_initializer].
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

  return start_for (self, OSIISO_START_OPEN, error);
}

static gboolean
begin_run (OsiisoQueue *self,
           double       timeout,
           int          fail_policy,
           GError     **error)
{
  const OsiisoRunTerms terms = {
    .timeout = timeout,
    .fail_policy = fail_policy,
    .on_timeout = osiiso_queue_get_on_timeout (self),
    .infinite = osiiso_queue_get_mode (self) == OSIISO_MODE_INFINITE,
  };

  return osiiso_queue_check_backend (self, error) &&
         osiiso_scheduler_check_rate (osiiso_queue_get_scheduler (self), error) &&
         osiiso_scheduler_begin_run (osiiso_queue_get_scheduler (self), &terms, error);
}

static gboolean
set_error_timeout (const char *whose,
                   double      timeout,
                   GError    **error)
{
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "the timeout of a %s must be a finite number > 0, or 0 for none; got %g", whose, timeout);
  return FALSE;
}

static gboolean
begin_own_run (OsiisoQueue *self,
               GError     **error)
{
  double timeout = osiiso_queue_get_timeout (self);

  if (!isfinite (timeout) || timeout < 0)
    return set_error_timeout ("queue", timeout, error);
  return begin_run (self, timeout, -1, error);
}

static gboolean
begin_full_run (OsiisoQueue     *self,
                double           timeout,
                OsiisoFailPolicy fail_policy,
                GError         **error)
{
  if (!isfinite (timeout) || timeout < 0)
    return set_error_timeout ("run", timeout, error);
  /* Languages may pass any number for it. */
  if (fail_policy != OSIISO_FAIL_POLICY_CONTINUE && fail_policy != OSIISO_FAIL_POLICY_FAIL_FIRST)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "there is no fail policy %d", (int) fail_policy);
      return FALSE;
    }
  return begin_run (self, timeout, (int) fail_policy, error);
}

static gboolean
run_is_over (OsiisoScheduler *scheduler,
             gpointer         unused)
{
  return osiiso_scheduler_run_is_over (scheduler);
}

/* FALSE with WOULD_DEADLOCK when the run would never end. */
static gboolean
enter_run (OsiisoQueue *self,
           OsiisoWait  *wait,
           double       timeout,
           GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  *wait = (OsiisoWait) {
    .kind = OSIISO_WAIT_WORK,
    .scheduler = scheduler,
    .cuts = timeout > 0,
    /* An infinite one ends when somebody shuts the queue down. */
    .limited = osiiso_queue_get_mode (self) == OSIISO_MODE_INFINITE ||
               (timeout > 0 && osiiso_queue_get_on_timeout (self) == OSIISO_TIMEOUT_POLICY_CANCEL),
  };
  return osiiso_scheduler_check_outside (scheduler, "run", error) &&
         osiiso_scheduler_enter_wait (scheduler, wait, error);
}

static OsiisoRunSummary *
wait_for_run (OsiisoQueue  *self,
              OsiisoWait   *wait,
              GCancellable *cancellable,
              GError      **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  gboolean over;

  over = osiiso_scheduler_wait_until (scheduler, run_is_over, NULL, wait, -1, cancellable, error);
  summary = osiiso_scheduler_end_run (scheduler);
  return over ? g_steal_pointer (&summary) : NULL;
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
 * %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task of the queue, and in a task that one
 * of the queue waits for, see [method@Osiiso.Handle.wait], with
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
  OsiisoRunSummary *summary = NULL;
  OsiisoWait wait;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  /* A handler may drop what the caller had. */
  alive = g_object_ref (self);
  if (!enter_run (self, &wait, osiiso_queue_get_timeout (self), error))
    return NULL;
  if (begin_own_run (self, error))
    summary = wait_for_run (self, &wait, cancellable, error);
  osiiso_wait_leave (&wait);
  return summary;
}

/**
 * osiiso_queue_run_full:
 * @self: a queue
 * @timeout: how long the run may take, in seconds; 0 for as long as it takes
 * @fail_policy: what the failure of one task means for the rest of the run
 * @cancellable: (nullable): ends the run, not the tasks
 * @error: return location for an error
 *
 * Runs tasks like [method@Osiiso.Queue.run], with a timeout and a fail policy for
 * this run alone, instead of [property@Osiiso.Queue:timeout] and
 * [property@Osiiso.Queue:fail-policy]. Changes of the latter do not touch it.
 *
 * Fails like [method@Osiiso.Queue.run], and with %OSIISO_QUEUE_ERROR_INVALID when
 * @timeout is negative, infinite or not a number, or there is no such policy.
 *
 * Returns: (transfer full): the summary of the tasks that finished during the run
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_run_full (OsiisoQueue     *self,
                       double           timeout,
                       OsiisoFailPolicy fail_policy,
                       GCancellable    *cancellable,
                       GError         **error)
{
  g_autoptr (OsiisoQueue) alive = NULL;
  OsiisoRunSummary *summary = NULL;
  OsiisoWait wait;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  alive = g_object_ref (self);
  if (!enter_run (self, &wait, timeout, error))
    return NULL;
  if (begin_full_run (self, timeout, fail_policy, error))
    summary = wait_for_run (self, &wait, cancellable, error);
  osiiso_wait_leave (&wait);
  return summary;
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
  if (over && g_task_get_context (task) == scheduler->outbox.context && !osiiso_outbox_is_drained (&scheduler->outbox))
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

/* Returns @error, or the summary when the run that has begun is over. */
static void
await_run (GTask  *task,
           GError *error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (g_task_get_source_object (task));

  if (error != NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  osiiso_waiter_init (task, run_finish, run_remove);
  pthread_mutex_lock (&scheduler->view_lock);
  scheduler->run.task = task;
  pthread_mutex_unlock (&scheduler->view_lock);
  /* There may be nothing to do. */
  osiiso_scheduler_check_idle (scheduler);
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
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_queue_run_async);
  begin_own_run (self, &error);
  await_run (task, error);
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
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_run_async) ||
                        g_async_result_is_tagged (result, osiiso_queue_run_full_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_queue_run_full_async:
 * @self: a queue
 * @timeout: how long the run may take, in seconds; 0 for as long as it takes
 * @fail_policy: what the failure of one task means for the rest of the run
 * @cancellable: (nullable): ends the run, not the tasks
 * @callback: (scope async) (closure user_data): called when the run is over
 * @user_data: user data for @callback
 *
 * Runs tasks until the run is over, without blocking; see
 * [method@Osiiso.Queue.run_full].
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_run_full_async (OsiisoQueue        *self,
                             double              timeout,
                             OsiisoFailPolicy    fail_policy,
                             GCancellable       *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer            user_data)
{
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, osiiso_queue_run_full_async);
  begin_full_run (self, timeout, fail_policy, &error);
  await_run (task, error);
}

/**
 * osiiso_queue_run_full_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.run_full_async]. Fails like
 * [method@Osiiso.Queue.run_full].
 *
 * Returns: (transfer full): the summary of the tasks that finished during the run
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_run_full_finish (OsiisoQueue  *self,
                              GAsyncResult *result,
                              GError      **error)
{
  return osiiso_queue_run_finish (self, result, error);
}
