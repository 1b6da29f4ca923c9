/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-group-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"

/* How tasks get into a queue, and how they are found in it: the public calls. */

static OsiisoHandle *
submit (OsiisoQueue            *self,
        const OsiisoSubmission *submission,
        GError                **error)
{
  OsiisoHandle *handle = NULL;

  osiiso_submission_submit (submission, osiiso_queue_get_scheduler (self), &handle, NULL, error);
  return handle;
}

static guint64
push (OsiisoQueue            *self,
      const OsiisoSubmission *submission,
      GError                **error)
{
  guint64 id = 0;

  if (!osiiso_submission_submit (submission, osiiso_queue_get_scheduler (self), NULL, &id, error))
    return 0;
  return id;
}

/**
 * osiiso_queue_submit:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when this call fails
 *   with an error
 * @options: (nullable): how to run it; %NULL for the defaults. Later changes to
 *   the object do not touch the task
 * @error: return location for an error
 *
 * Submits a task. Any thread.
 *
 * When the queue is full the call blocks until there is room, without iterating a
 * context, behind all who wait already; see [property@Osiiso.Queue:size]. It starts
 * the queue then if that has not been started. A delay and a deadline count from the
 * call on.
 *
 * A full queue leads to an error where the call could block for ever:
 * %OSIISO_QUEUE_ERROR_FULL in the thread that owns the queue when its tasks run
 * there too, as on `main-loop`, and %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a task
 * when only tasks are left to make room that wait for it, or would need its worker or
 * its place; see [method@Osiiso.Handle.wait]. A wait ends with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue stops accepting tasks, with
 * %G_IO_ERROR_CANCELLED when the cancellable of @options is cancelled, and with
 * the error of [method@Osiiso.Queue.start] when the queue cannot be started.
 *
 * Fails with %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, with
 * %OSIISO_QUEUE_ERROR_INVALID when an option has a value that makes no sense, with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when the backend cannot run @func, with
 * %OSIISO_QUEUE_ERROR_FAILED when the system has no memory or no thread left, with
 * %G_IO_ERROR_CANCELLED when the cancellable of @options was cancelled before, and
 * with the error of [func@Osiiso.Backend.create] when the queue has no backend.
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit (OsiisoQueue       *self,
                     OsiisoTaskFunc     func,
                     gpointer           user_data,
                     GDestroyNotify     user_data_destroy,
                     OsiisoTaskOptions *options,
                     GError           **error)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return submit (self, &submission, error);
}

/**
 * osiiso_queue_try_submit:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when this call fails
 *   with an error
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a task if there is room for it. Any thread; never blocks.
 *
 * Fails with %OSIISO_QUEUE_ERROR_FULL when the queue is full, also when others
 * wait for more room than there is. Otherwise like [method@Osiiso.Queue.submit],
 * with the same errors.
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_try_submit (OsiisoQueue       *self,
                         OsiisoTaskFunc     func,
                         gpointer           user_data,
                         GDestroyNotify     user_data_destroy,
                         OsiisoTaskOptions *options,
                         GError           **error)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, TRUE };

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return submit (self, &submission, error);
}

/**
 * osiiso_queue_submit_async:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when the submission fails
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in
 *   the queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure callback_data): called when the
 *   task is in the queue, or will never be
 * @callback_data: user data for @callback
 *
 * Submits a task as soon as there is room for it, without blocking; see
 * [method@Osiiso.Queue.submit]. Any thread.
 *
 * The task comes in when it is its turn, whether or not the caller's context is
 * iterated then; it may have finished when @callback is called. Submits that wait
 * keep the queue alive.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_async (OsiisoQueue        *self,
                           OsiisoTaskFunc      func,
                           gpointer            user_data,
                           GDestroyNotify      user_data_destroy,
                           OsiisoTaskOptions  *options,
                           GCancellable       *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer            callback_data)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (func != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_submit_async, cancellable, callback, callback_data);
  osiiso_submission_submit_async (&submission, osiiso_queue_get_scheduler (self), task);
}

/**
 * osiiso_queue_submit_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.submit].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_finish (OsiisoQueue  *self,
                            GAsyncResult *result,
                            GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_queue_push:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when this call fails
 *   with an error
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a task without making a handle, which is the cheapest way in. Any
 * thread.
 *
 * A summary counts the task, but has its result only if it failed or was
 * cancelled. Waits for room and fails like [method@Osiiso.Queue.submit].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push (OsiisoQueue       *self,
                   OsiisoTaskFunc     func,
                   gpointer           user_data,
                   GDestroyNotify     user_data_destroy,
                   OsiisoTaskOptions *options,
                   GError           **error)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (func != NULL, 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return push (self, &submission, error);
}

/**
 * osiiso_queue_try_push:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when this call fails
 *   with an error
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a task without making a handle if there is room for it. Any thread;
 * never blocks.
 *
 * Fails like [method@Osiiso.Queue.try_submit].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_try_push (OsiisoQueue       *self,
                       OsiisoTaskFunc     func,
                       gpointer           user_data,
                       GDestroyNotify     user_data_destroy,
                       OsiisoTaskOptions *options,
                       GError           **error)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, TRUE };

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (func != NULL, 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return push (self, &submission, error);
}

/**
 * osiiso_queue_push_async:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when the submission fails
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in
 *   the queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure callback_data): called when the
 *   task is in the queue, or will never be
 * @callback_data: user data for @callback
 *
 * Submits a task without making a handle as soon as there is room for it, without
 * blocking; see [method@Osiiso.Queue.push] and [method@Osiiso.Queue.submit_async].
 * Any thread.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_push_async (OsiisoQueue        *self,
                         OsiisoTaskFunc      func,
                         gpointer            user_data,
                         GDestroyNotify      user_data_destroy,
                         OsiisoTaskOptions  *options,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            callback_data)
{
  const OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (func != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_push_async, cancellable, callback, callback_data);
  osiiso_submission_push_async (&submission, osiiso_queue_get_scheduler (self), task);
}

/**
 * osiiso_queue_push_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.push_async].
 *
 * Fails like [method@Osiiso.Queue.submit_finish].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push_finish (OsiisoQueue  *self,
                          GAsyncResult *result,
                          GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (g_task_is_valid (result, self), 0);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_push_async), 0);

  return osiiso_submission_push_finish (G_TASK (result), error);
}

static OsiisoBatch *
new_batch (OsiisoQueue *self,
           const char  *group_id)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  g_autofree char *made_up = NULL;

  if (group_id == NULL)
    {
      made_up = g_strdup_printf ("group-%" G_GUINT64_FORMAT, (guint64) atomic_fetch_add (&scheduler->n_groups, 1) + 1);
      group_id = made_up;
    }
  return osiiso_batch_new (scheduler, group_id);
}

/**
 * osiiso_queue_map:
 * @self: a queue
 * @n: how many tasks
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the
 *   work; [method@Osiiso.Attempt.get_index] tells it which of the tasks it is
 * @user_data: (nullable): data for @func, shared by all calls
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when all tasks are over; also when this call fails
 *   with an error
 * @options: (nullable): how to run them; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a group of tasks that run the same function. Any thread.
 *
 * The group has the id that the options say, or a made up one. Either all tasks
 * are submitted or none: on a queue with a [property@Osiiso.Queue:size] the call
 * waits until there is room for all of them, and fails at once with
 * %OSIISO_QUEUE_ERROR_FULL when they can never fit. Otherwise waits and fails like
 * [method@Osiiso.Queue.submit].
 *
 * Returns: (transfer full): the group
 *
 * Since: 1.0
 */
OsiisoGroup *
osiiso_queue_map (OsiisoQueue       *self,
                  guint              n,
                  OsiisoTaskFunc     func,
                  gpointer           user_data,
                  GDestroyNotify     user_data_destroy,
                  OsiisoTaskOptions *options,
                  GError           **error)
{
  OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };
  g_autoptr (OsiisoBatch) batch = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  batch = new_batch (self, options != NULL ? osiiso_task_options_get_group_id (options) : NULL);
  submission.batch = batch;
  if (!osiiso_submission_map (&submission, osiiso_queue_get_scheduler (self), n, error))
    return NULL;
  return osiiso_group_new (batch);
}

/**
 * osiiso_queue_map_async:
 * @self: a queue
 * @n: how many tasks
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the
 *   work; [method@Osiiso.Attempt.get_index] tells it which of the tasks it is
 * @user_data: (nullable): data for @func, shared by all calls
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when all tasks are over; also when the submission fails
 * @options: (nullable): how to run them; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the tasks once they are in
 *   the queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure callback_data): called when the
 *   tasks are in the queue, or will never be
 * @callback_data: user data for @callback
 *
 * Submits a group of tasks that run the same function as soon as there is room for
 * all of them, without blocking; see [method@Osiiso.Queue.map] and
 * [method@Osiiso.Queue.submit_async]. Any thread.
 *
 * Either all tasks come in or none.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_map_async (OsiisoQueue        *self,
                        guint               n,
                        OsiisoTaskFunc      func,
                        gpointer            user_data,
                        GDestroyNotify      user_data_destroy,
                        OsiisoTaskOptions  *options,
                        GCancellable       *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer            callback_data)
{
  OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };
  g_autoptr (OsiisoBatch) batch = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (func != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_map_async, cancellable, callback, callback_data);
  batch = new_batch (self, options != NULL ? osiiso_task_options_get_group_id (options) : NULL);
  submission.batch = batch;
  osiiso_submission_map_async (&submission, osiiso_queue_get_scheduler (self), n, task);
}

/**
 * osiiso_queue_map_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.map_async].
 *
 * Fails with %OSIISO_QUEUE_ERROR_FULL when the tasks can never fit, with
 * %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.map].
 *
 * Returns: (transfer full): the group
 *
 * Since: 1.0
 */
OsiisoGroup *
osiiso_queue_map_finish (OsiisoQueue  *self,
                         GAsyncResult *result,
                         GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_map_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_queue_new_group:
 * @self: a queue
 * @group_id: (nullable): the id of the group; %NULL to make one up
 *
 * Makes an empty group, to submit tasks into.
 *
 * Returns: (transfer full): the group
 *
 * Since: 1.0
 */
OsiisoGroup *
osiiso_queue_new_group (OsiisoQueue *self,
                        const char  *group_id)
{
  g_autoptr (OsiisoBatch) batch = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  batch = new_batch (self, group_id);
  return osiiso_group_new (batch);
}

/**
 * osiiso_queue_lookup:
 * @self: a queue
 * @task_id: the id of a task
 *
 * Finds a task by its id, as long as it has not finished or something keeps its
 * result: a summary, a group, the queue. Any thread.
 *
 * Returns: (transfer full) (nullable): a handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_lookup (OsiisoQueue *self,
                     guint64      task_id)
{
  OsiisoScheduler *scheduler;
  OsiisoRecord *record;
  OsiisoHandle *handle;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  scheduler = osiiso_queue_get_scheduler (self);
  record = osiiso_scheduler_lookup (scheduler, task_id);
  if (record == NULL)
    return NULL;
  handle = osiiso_handle_get_for_record (scheduler, record);
  osiiso_record_unref (record);
  return handle;
}
