/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-call-private.h"
#include "osiiso-command-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"

/* Calls and commands that wait for room without blocking. */

static void
send_call (OsiisoQueue       *self,
           OsiisoCall        *call,
           OsiisoTaskOptions *options,
           gboolean           with_handle,
           GTask             *task)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  OsiisoSubmission submission;
  GError *error = NULL;

  if (osiiso_queue_check_backend (self, &error))
    osiiso_submission_init_call (&submission, scheduler, call, options, NULL, &error);
  osiiso_submission_send_async (&submission, scheduler, with_handle, task, error);
}

static void
send_command (OsiisoQueue       *self,
              OsiisoCommand     *command,
              OsiisoTaskOptions *options,
              gboolean           with_handle,
              GTask             *task)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  OsiisoSubmission submission;
  GError *error = NULL;

  if (osiiso_queue_check_backend (self, &error))
    osiiso_submission_init_command (&submission, scheduler, command, options, NULL, &error);
  osiiso_submission_send_async (&submission, scheduler, with_handle, task, error);
}

/**
 * osiiso_queue_submit_call_async:
 * @self: a queue
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a call as soon as there is room for it, without blocking; see
 * [method@Osiiso.Queue.submit_call_full] and [method@Osiiso.Queue.submit_async]. Any
 * thread.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_call_async (OsiisoQueue        *self,
                                OsiisoCall         *call,
                                OsiisoTaskOptions  *options,
                                GCancellable       *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer            user_data)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (call != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  send_call (self, call, options, TRUE,
             osiiso_submission_new_task (self, osiiso_queue_submit_call_async, cancellable, callback, user_data));
}

/**
 * osiiso_queue_submit_call_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_call_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.submit_call_full].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_call_finish (OsiisoQueue  *self,
                                 GAsyncResult *result,
                                 GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_call_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_queue_submit_command_async:
 * @self: a queue
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a program to be run as soon as there is room for it, without blocking; see
 * [method@Osiiso.Queue.submit_command_full] and [method@Osiiso.Queue.submit_async]. Any
 * thread that may use @command.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_command_async (OsiisoQueue        *self,
                                   OsiisoCommand      *command,
                                   OsiisoTaskOptions  *options,
                                   GCancellable       *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (OSIISO_IS_COMMAND (command));
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  send_command (self, command, options, TRUE,
                osiiso_submission_new_task (self, osiiso_queue_submit_command_async, cancellable, callback, user_data));
}

/**
 * osiiso_queue_submit_command_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_command_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.submit_command_full].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_command_finish (OsiisoQueue  *self,
                                    GAsyncResult *result,
                                    GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_command_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * osiiso_queue_push_call_async:
 * @self: a queue
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a call without making a handle as soon as there is room for it, without
 * blocking; see [method@Osiiso.Queue.push_call] and
 * [method@Osiiso.Queue.push_async]. Any thread.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_push_call_async (OsiisoQueue        *self,
                              OsiisoCall         *call,
                              OsiisoTaskOptions  *options,
                              GCancellable       *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer            user_data)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (call != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  send_call (self, call, options, FALSE,
             osiiso_submission_new_task (self, osiiso_queue_push_call_async, cancellable, callback, user_data));
}

/**
 * osiiso_queue_push_call_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.push_call_async].
 *
 * Fails like [method@Osiiso.Queue.submit_call_finish].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push_call_finish (OsiisoQueue  *self,
                               GAsyncResult *result,
                               GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (g_task_is_valid (result, self), 0);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_push_call_async), 0);

  return osiiso_submission_push_finish (G_TASK (result), error);
}

/**
 * osiiso_queue_push_command_async:
 * @self: a queue
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a program without making a handle as soon as there is room for it, without
 * blocking; see [method@Osiiso.Queue.push_command] and
 * [method@Osiiso.Queue.push_async]. Any thread that may use
 * @command.
 *
 * @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_push_command_async (OsiisoQueue        *self,
                                 OsiisoCommand      *command,
                                 OsiisoTaskOptions  *options,
                                 GCancellable       *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer            user_data)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (OSIISO_IS_COMMAND (command));
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  send_command (self, command, options, FALSE,
                osiiso_submission_new_task (self, osiiso_queue_push_command_async, cancellable, callback, user_data));
}

/**
 * osiiso_queue_push_command_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.push_command_async].
 *
 * Fails like [method@Osiiso.Queue.submit_command_finish].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push_command_finish (OsiisoQueue  *self,
                                  GAsyncResult *result,
                                  GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (g_task_is_valid (result, self), 0);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_push_command_async), 0);

  return osiiso_submission_push_finish (G_TASK (result), error);
}
