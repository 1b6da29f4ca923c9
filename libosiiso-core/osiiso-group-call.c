/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-call.h"
#include "osiiso-command.h"
#include "osiiso-group-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"

/* How calls and commands get into a group. */

/**
 * osiiso_group_submit_call:
 * @self: a group
 * @function: the name of the function, such as `module:symbol`
 * @args: (nullable): its arguments; a floating reference is taken over, also when
 *   this call fails
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits the call of a function by its name as the next member of the group. Any
 * thread.
 *
 * The group's id takes the place of that in @options. Otherwise like
 * [method@Osiiso.Queue.submit_call].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_call (OsiisoGroup       *self,
                          const char        *function,
                          GVariant          *args,
                          OsiisoTaskOptions *options,
                          GError           **error)
{
  g_autoptr (OsiisoCall) call = NULL;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  call = osiiso_call_new (function, args);
  return osiiso_group_submit_call_full (self, call, options, error);
}

/**
 * osiiso_group_submit_call_full:
 * @self: a group
 * @call: the call, which does not change any more from now on
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a call as the next member of the group. Any thread.
 *
 * The group's id takes the place of that in @options. Otherwise like
 * [method@Osiiso.Queue.submit_call_full].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_call_full (OsiisoGroup       *self,
                               OsiisoCall        *call,
                               OsiisoTaskOptions *options,
                               GError           **error)
{
  OsiisoBatch *batch;
  OsiisoSubmission submission;
  OsiisoHandle *handle;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (call != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  batch = osiiso_group_get_batch (self);
  if (!osiiso_submission_init_call (&submission, batch->scheduler, call, options, batch, error))
    return NULL;
  handle = osiiso_group_submit_member (self, &submission, error);
  osiiso_submission_clear (&submission);
  return handle;
}

/**
 * osiiso_group_submit_command:
 * @self: a group
 * @argv: (array zero-terminated=1): the program and its arguments
 * @stdin_bytes: (nullable): what it reads from its standard input; %NULL for nothing
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a program to be run as the next member of the group. Any thread.
 *
 * The group's id takes the place of that in @options. Otherwise like
 * [method@Osiiso.Queue.submit_command].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_command (OsiisoGroup        *self,
                             const char * const *argv,
                             GBytes             *stdin_bytes,
                             OsiisoTaskOptions  *options,
                             GError            **error)
{
  g_autoptr (OsiisoCommand) command = NULL;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (argv != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  command = g_object_new (OSIISO_TYPE_COMMAND, "argv", argv, "stdin-bytes", stdin_bytes, NULL);
  return osiiso_group_submit_command_full (self, command, options, error);
}

/**
 * osiiso_group_submit_command_full:
 * @self: a group
 * @command: the command, of which a copy is taken
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a program to be run as the next member of the group. Any thread that may
 * use @command.
 *
 * The group's id takes the place of that in @options. Otherwise like
 * [method@Osiiso.Queue.submit_command_full].
 *
 * Returns: (transfer full): the handle of the task
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit_command_full (OsiisoGroup       *self,
                                  OsiisoCommand     *command,
                                  OsiisoTaskOptions *options,
                                  GError           **error)
{
  OsiisoBatch *batch;
  OsiisoSubmission submission;
  OsiisoHandle *handle;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (OSIISO_IS_COMMAND (command), NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  batch = osiiso_group_get_batch (self);
  if (!osiiso_submission_init_command (&submission, batch->scheduler, command, options, batch, error))
    return NULL;
  handle = osiiso_group_submit_member (self, &submission, error);
  osiiso_submission_clear (&submission);
  return handle;
}
