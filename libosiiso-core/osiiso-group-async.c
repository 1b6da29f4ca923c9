/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-call.h"
#include "osiiso-command.h"
#include "osiiso-group-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"

/* How tasks get into a group without blocking. */

/**
 * osiiso_group_submit_async:
 * @self: a group
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue, when the task is over; also when the submission fails
 * @options: (nullable): how to run it; %NULL for the defaults. A group id in it
 *   is overruled by the group's
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure callback_data): called when the task is
 *   a member, or will never be
 * @callback_data: user data for @callback
 *
 * Submits a task as the next member as soon as there is room for it, without
 * blocking; see [method@Osiiso.Group.submit] and
 * [method@Osiiso.Queue.submit_async]. Any thread.
 *
 * The task becomes a member when it comes in. Until then a wait for the group does not
 * wait for it.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_group_submit_async (OsiisoGroup        *self,
                           OsiisoTaskFunc      func,
                           gpointer            user_data,
                           GDestroyNotify      user_data_destroy,
                           OsiisoTaskOptions  *options,
                           GCancellable       *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer            callback_data)
{
  OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };
  OsiisoBatch *batch;

  g_return_if_fail (osiiso_group_is_whole (self));
  g_return_if_fail (func != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  batch = osiiso_group_get_batch (self);
  submission.batch = batch;
  osiiso_submission_submit_async (&submission, batch->scheduler,
                                  osiiso_submission_new_task (self, osiiso_group_submit_async, cancellable, callback,
                                                              callback_data));
}

/**
 * osiiso_group_submit_finish:
 * @self: a group
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Group.submit_async].
 *
 * Fails like [method@Osiiso.Queue.submit_finish].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_finish (OsiisoGroup  *self,
                            GAsyncResult *result,
                            GError      **error)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_group_submit_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_group_submit_call_async:
 * @self: a group
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults. A group id in it
 *   is overruled by the group's
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is
 *   a member, or will never be
 * @user_data: user data for @callback
 *
 * Submits a call as the next member as soon as there is room for it, without
 * blocking; see [method@Osiiso.Group.submit_call_full] and
 * [method@Osiiso.Queue.submit_async]. Any thread.
 *
 * The task becomes a member when it comes in. Until then a wait for the group does not
 * wait for it.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_group_submit_call_async (OsiisoGroup        *self,
                                OsiisoCall         *call,
                                OsiisoTaskOptions  *options,
                                GCancellable       *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer            user_data)
{
  OsiisoBatch *batch;
  OsiisoSubmission submission;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (osiiso_group_is_whole (self));
  g_return_if_fail (call != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  batch = osiiso_group_get_batch (self);
  task = osiiso_submission_new_task (self, osiiso_group_submit_call_async, cancellable, callback, user_data);
  osiiso_submission_init_call (&submission, batch->scheduler, call, options, batch, &error);
  osiiso_submission_send_async (&submission, batch->scheduler, TRUE, task, error);
}

/**
 * osiiso_group_submit_call_finish:
 * @self: a group
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Group.submit_call_async].
 *
 * Fails like [method@Osiiso.Queue.submit_call_finish].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_call_finish (OsiisoGroup  *self,
                                 GAsyncResult *result,
                                 GError      **error)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_group_submit_call_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_group_submit_command_async:
 * @self: a group
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults. A group id in it
 *   is overruled by the group's
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is
 *   a member, or will never be
 * @user_data: user data for @callback
 *
 * Submits a program to be run as the next member as soon as there is room for it, without
 * blocking; see [method@Osiiso.Group.submit_command_full] and
 * [method@Osiiso.Queue.submit_async]. Any thread that may
 * use @command.
 *
 * The task becomes a member when it comes in. Until then a wait for the group does not
 * wait for it.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_group_submit_command_async (OsiisoGroup        *self,
                                   OsiisoCommand      *command,
                                   OsiisoTaskOptions  *options,
                                   GCancellable       *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data)
{
  OsiisoBatch *batch;
  OsiisoSubmission submission;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (osiiso_group_is_whole (self));
  g_return_if_fail (OSIISO_IS_COMMAND (command));
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  batch = osiiso_group_get_batch (self);
  task = osiiso_submission_new_task (self, osiiso_group_submit_command_async, cancellable, callback, user_data);
  osiiso_submission_init_command (&submission, batch->scheduler, command, options, batch, &error);
  osiiso_submission_send_async (&submission, batch->scheduler, TRUE, task, error);
}

/**
 * osiiso_group_submit_command_finish:
 * @self: a group
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Group.submit_command_async].
 *
 * Fails like [method@Osiiso.Queue.submit_command_finish].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_command_finish (OsiisoGroup  *self,
                                    GAsyncResult *result,
                                    GError      **error)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_group_submit_command_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
