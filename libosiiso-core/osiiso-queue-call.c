/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-call-private.h"
#include "osiiso-command-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"

/* How calls and commands get into a queue. */

gboolean
osiiso_submission_init_call (OsiisoSubmission  *self,
                             OsiisoScheduler   *scheduler,
                             OsiisoCall        *call,
                             OsiisoTaskOptions *options,
                             OsiisoBatch       *batch,
                             GError           **error)
{
  if (!osiiso_call_prepare (call, scheduler, error))
    return FALSE;
  *self = (OsiisoSubmission) {
    .func = osiiso_call_perform,
    .data = osiiso_call_ref (call),
    .destroy = (GDestroyNotify) osiiso_call_unref,
    .options = options,
    .batch = batch,
    .needs = OSIISO_BACKEND_CAPABILITIES_CALLS,
    .named = osiiso_task_params_ref (osiiso_call_get_params (call)),
  };
  return TRUE;
}

gboolean
osiiso_submission_init_command (OsiisoSubmission  *self,
                                OsiisoScheduler   *scheduler,
                                OsiisoCommand     *command,
                                OsiisoTaskOptions *options,
                                OsiisoBatch       *batch,
                                GError           **error)
{
  OsiisoCommand *snapshot = osiiso_command_snapshot (command, scheduler, error);

  if (snapshot == NULL)
    return FALSE;
  *self = (OsiisoSubmission) {
    .func = osiiso_command_perform,
    .data = snapshot,
    .destroy = g_object_unref,
    .options = options,
    .batch = batch,
    .needs = OSIISO_BACKEND_CAPABILITIES_COMMANDS,
    .named = osiiso_command_new_params (snapshot),
  };
  return TRUE;
}

void
osiiso_submission_clear (OsiisoSubmission *self)
{
  g_clear_pointer (&self->named, osiiso_task_params_unref);
}

static gboolean
submit_call (OsiisoQueue       *self,
             OsiisoCall        *call,
             OsiisoTaskOptions *options,
             OsiisoHandle     **handle,
             guint64           *id,
             GError           **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  OsiisoSubmission submission;
  gboolean ok;

  if (!osiiso_queue_check_backend (self, error) ||
      !osiiso_submission_init_call (&submission, scheduler, call, options, NULL, error))
    return FALSE;
  ok = osiiso_submission_submit (&submission, scheduler, handle, id, error);
  osiiso_submission_clear (&submission);
  return ok;
}

static gboolean
submit_command (OsiisoQueue       *self,
                OsiisoCommand     *command,
                OsiisoTaskOptions *options,
                OsiisoHandle     **handle,
                guint64           *id,
                GError           **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  OsiisoSubmission submission;
  gboolean ok;

  if (!osiiso_queue_check_backend (self, error) ||
      !osiiso_submission_init_command (&submission, scheduler, command, options, NULL, error))
    return FALSE;
  ok = osiiso_submission_submit (&submission, scheduler, handle, id, error);
  osiiso_submission_clear (&submission);
  return ok;
}

/**
 * osiiso_queue_submit_call:
 * @self: a queue
 * @function: the name of the function, such as `module:symbol`
 * @args: (nullable): its arguments; a floating reference is taken over, also when
 *   this call fails
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits the call of a function by its name, which runs on every backend of this
 * library, in this process or in another one; see [struct@Osiiso.Call]. Any thread.
 *
 * The value of the task is a [struct@GLib.Variant], or none. The name of the task is
 * @function, unless @options have another one. Without such a function the task
 * fails with %OSIISO_QUEUE_ERROR_NOT_FOUND, and with %OSIISO_QUEUE_ERROR_FAILED when
 * its module cannot be loaded.
 *
 * Waits for room like [method@Osiiso.Queue.submit] and fails like it, with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when the backend does not run calls, and with
 * %OSIISO_QUEUE_ERROR_INVALID when @function cannot be a name of a function.
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_call (OsiisoQueue       *self,
                          const char        *function,
                          GVariant          *args,
                          OsiisoTaskOptions *options,
                          GError           **error)
{
  g_autoptr (OsiisoCall) call = NULL;
  OsiisoHandle *handle = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  call = osiiso_call_new (function, args);
  submit_call (self, call, options, &handle, NULL, error);
  return handle;
}

/**
 * osiiso_queue_submit_call_full:
 * @self: a queue
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a call, with arguments in any form. Any thread.
 *
 * Arguments as JSON text and bytes are for worker programs: a backend that runs
 * calls in this process refuses them with %OSIISO_QUEUE_ERROR_NOT_SUPPORTED.
 * Otherwise like [method@Osiiso.Queue.submit_call].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_call_full (OsiisoQueue       *self,
                               OsiisoCall        *call,
                               OsiisoTaskOptions *options,
                               GError           **error)
{
  OsiisoHandle *handle = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (call != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  submit_call (self, call, options, &handle, NULL, error);
  return handle;
}

/**
 * osiiso_queue_push_call:
 * @self: a queue
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a call without making a handle. Any thread.
 *
 * A summary counts the task, but has its result only if it failed or was
 * cancelled. Otherwise like [method@Osiiso.Queue.submit_call_full].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push_call (OsiisoQueue       *self,
                        OsiisoCall        *call,
                        OsiisoTaskOptions *options,
                        GError           **error)
{
  guint64 id = 0;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (call != NULL, 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return submit_call (self, call, options, NULL, &id, error) ? id : 0;
}

/**
 * osiiso_queue_submit_command:
 * @self: a queue
 * @argv: (array zero-terminated=1): the program and its arguments
 * @stdin_bytes: (nullable): what it reads from its standard input; %NULL for nothing
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a program to be run, which is looked for in the folders of `PATH`; see
 * [class@Osiiso.Command]. Any thread.
 *
 * The value of the task is an [struct@Osiiso.CommandResult]. A task whose program did
 * not exit with status 0 fails, and has the result in
 * [method@Osiiso.Handle.dup_error_details]. The name of the task is that of the
 * program's file, unless @options have another one.
 *
 * Waits for room like [method@Osiiso.Queue.submit] and fails like it, with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when the backend does not run commands, and
 * with %OSIISO_QUEUE_ERROR_INVALID when @argv is empty.
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_command (OsiisoQueue        *self,
                             const char * const *argv,
                             GBytes             *stdin_bytes,
                             OsiisoTaskOptions  *options,
                             GError            **error)
{
  g_autoptr (OsiisoCommand) command = NULL;
  OsiisoHandle *handle = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (argv != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  command = g_object_new (OSIISO_TYPE_COMMAND, "argv", argv, "stdin-bytes", stdin_bytes, NULL);
  submit_command (self, command, options, &handle, NULL, error);
  return handle;
}

/**
 * osiiso_queue_submit_command_full:
 * @self: a queue
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a program to be run, with all that can be said of it. Any thread that may
 * use @command.
 *
 * Otherwise like [method@Osiiso.Queue.submit_command].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_queue_submit_command_full (OsiisoQueue       *self,
                                  OsiisoCommand     *command,
                                  OsiisoTaskOptions *options,
                                  GError           **error)
{
  OsiisoHandle *handle = NULL;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (OSIISO_IS_COMMAND (command), NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  submit_command (self, command, options, &handle, NULL, error);
  return handle;
}

/**
 * osiiso_queue_push_command:
 * @self: a queue
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a program without making a handle. Any thread that may use @command.
 *
 * A summary counts the task, but has its result only if it failed or was
 * cancelled. Otherwise like [method@Osiiso.Queue.submit_command_full].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_push_command (OsiisoQueue       *self,
                           OsiisoCommand     *command,
                           OsiisoTaskOptions *options,
                           GError           **error)
{
  guint64 id = 0;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (OSIISO_IS_COMMAND (command), 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return submit_command (self, command, options, NULL, &id, error) ? id : 0;
}
