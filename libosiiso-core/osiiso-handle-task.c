/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-handle-private.h"
#include "osiiso-record-pool-private.h"
#include "osiiso-task-options.h"
#include "osiiso-task-result-private.h"

/* What a handle says of its task, and does with it. */

static OsiisoScheduler *
get_scheduler (OsiisoHandle *self)
{
  return osiiso_record_pool_get_owner (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_task_id: (get-property task-id)
 * @self: a handle
 *
 * Gets the id of the task.
 *
 * Returns: the id; never 0
 *
 * Since: 1.0
 */
guint64
osiiso_handle_get_task_id (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_id (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_status: (get-property status)
 * @self: a handle
 *
 * Gets where the task stands now.
 *
 * Returns: the status
 *
 * Since: 1.0
 */
OsiisoStatus
osiiso_handle_get_status (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), OSIISO_STATUS_PENDING);

  return osiiso_record_get_status (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_attempts: (get-property attempts)
 * @self: a handle
 *
 * Gets how many attempts have begun.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint
osiiso_handle_get_attempts (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_attempts (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_priority: (get-property priority)
 * @self: a handle
 *
 * Gets the priority.
 *
 * Returns: the priority; lower runs first
 *
 * Since: 1.0
 */
int
osiiso_handle_get_priority (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_priority (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_set_priority:
 * @self: a handle
 * @priority: the new priority, from %OSIISO_PRIORITY_MIN to
 *   %OSIISO_PRIORITY_MAX
 *
 * Changes the priority of a task that waits.
 *
 * Among the tasks of its new priority it runs in the order of submission.
 *
 * Returns: %FALSE when the task runs or has finished; nothing has changed then
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_set_priority (OsiisoHandle *self,
                            int           priority)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);
  g_return_val_if_fail (priority >= OSIISO_PRIORITY_MIN && priority <= OSIISO_PRIORITY_MAX, FALSE);

  return osiiso_scheduler_set_priority (get_scheduler (self), osiiso_handle_get_record (self), priority);
}

/**
 * osiiso_handle_get_must_complete: (get-property must-complete)
 * @self: a handle
 *
 * Gets whether the task outlives the timeout of a run and the failure of others.
 *
 * Returns: whether it does
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_get_must_complete (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);

  return osiiso_record_get_must_complete (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_detached: (get-property detached)
 * @self: a handle
 *
 * Gets whether the task is left out of summaries.
 *
 * Returns: whether it is
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_get_detached (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);

  return osiiso_record_get_detached (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_group_id: (get-property group-id)
 * @self: a handle
 *
 * Gets the group that the task belongs to.
 *
 * Returns: (transfer none) (nullable): the id of the group
 *
 * Since: 1.0
 */
const char *
osiiso_handle_get_group_id (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  return osiiso_record_get_group_id (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_index: (get-property index)
 * @self: a handle
 *
 * Gets the place of the task in its group.
 *
 * Returns: the place, from 0 on; 0 without a group
 *
 * Since: 1.0
 */
guint
osiiso_handle_get_index (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_index (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_metadata: (get-property metadata)
 * @self: a handle
 *
 * Gets what the options had as metadata.
 *
 * Returns: (transfer none) (nullable): the metadata
 *
 * Since: 1.0
 */
GVariant *
osiiso_handle_get_metadata (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  return osiiso_record_get_metadata (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_progress: (get-property progress)
 * @self: a handle
 *
 * Gets what the task told last about how much is done.
 *
 * Returns: a number from 0 to 1
 *
 * Since: 1.0
 */
double
osiiso_handle_get_progress (OsiisoHandle *self)
{
  OsiisoRecordRare *rare;
  double fraction = 0;

  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  rare = osiiso_record_get_rare (osiiso_handle_get_record (self));
  if (rare == NULL)
    return 0;
  pthread_mutex_lock (&get_scheduler (self)->view_lock);
  if (rare->progress != NULL)
    fraction = rare->progress->fraction;
  pthread_mutex_unlock (&get_scheduler (self)->view_lock);
  return fraction;
}

/**
 * osiiso_handle_dup_status_text:
 * @self: a handle
 *
 * Gets what the task told last about what it does.
 *
 * Returns: (transfer full) (nullable): the text
 *
 * Since: 1.0
 */
char *
osiiso_handle_dup_status_text (OsiisoHandle *self)
{
  OsiisoRecordRare *rare;
  char *text = NULL;

  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  rare = osiiso_record_get_rare (osiiso_handle_get_record (self));
  if (rare == NULL)
    return NULL;
  pthread_mutex_lock (&get_scheduler (self)->view_lock);
  if (rare->progress != NULL)
    text = g_strdup (rare->progress->status_text);
  pthread_mutex_unlock (&get_scheduler (self)->view_lock);
  return text;
}

/**
 * osiiso_handle_get_scheduled_for: (get-property scheduled-for)
 * @self: a handle
 *
 * Gets when the first attempt may begin.
 *
 * Returns: seconds of the monotonic clock; 0 without a delay
 *
 * Since: 1.0
 */
double
osiiso_handle_get_scheduled_for (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_scheduled_for (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_created: (get-property created)
 * @self: a handle
 *
 * Gets when the task was submitted.
 *
 * Returns: seconds of the monotonic clock; 0 for a pushed task
 *
 * Since: 1.0
 */
double
osiiso_handle_get_created (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_created (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_started: (get-property started)
 * @self: a handle
 *
 * Gets when the first attempt began.
 *
 * Returns: seconds of the monotonic clock; 0 before that and for a pushed task
 *
 * Since: 1.0
 */
double
osiiso_handle_get_started (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_started (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_finished: (get-property finished)
 * @self: a handle
 *
 * Gets when the task finished.
 *
 * Returns: seconds of the monotonic clock; 0 before that and for a pushed task
 *
 * Since: 1.0
 */
double
osiiso_handle_get_finished (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_finished (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_get_duration: (get-property duration)
 * @self: a handle
 *
 * Gets how long the task took from the start of its first attempt to its end.
 *
 * Returns: seconds; 0 before the end, for a task that never started and for a
 *   pushed task
 *
 * Since: 1.0
 */
double
osiiso_handle_get_duration (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), 0);

  return osiiso_record_get_duration (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_is_done:
 * @self: a handle
 *
 * Whether the task has finished: succeeded, failed or cancelled.
 *
 * Returns: whether it has
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_is_done (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);

  return osiiso_status_is_final (osiiso_record_get_status (osiiso_handle_get_record (self)));
}

/**
 * osiiso_handle_get_value:
 * @self: a handle
 *
 * Gets the value that the task succeeded with.
 *
 * The value belongs to the task, which the handle keeps. PyGObject does not copy
 * boxed values like bytes on the way: in Python use
 * [method@Osiiso.Handle.dup_value] for those.
 *
 * Returns: (transfer none) (nullable): the value; %NULL when the task has not
 *   succeeded (yet) or has no value
 *
 * Since: 1.0
 */
const GValue *
osiiso_handle_get_value (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  return osiiso_record_get_value (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_dup_value:
 * @self: a handle
 *
 * Gets a copy of the value that the task succeeded with, to be kept when the
 * handle is gone.
 *
 * Returns: (transfer full) (nullable): the value; %NULL when the task has not
 *   succeeded (yet) or has no value
 *
 * Since: 1.0
 */
GValue *
osiiso_handle_dup_value (OsiisoHandle *self)
{
  const GValue *value;

  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  value = osiiso_record_get_value (osiiso_handle_get_record (self));
  return value != NULL ? g_boxed_copy (G_TYPE_VALUE, value) : NULL;
}

/**
 * osiiso_handle_dup_error:
 * @self: a handle
 *
 * Gets the error that the task failed with.
 *
 * A cancelled task has %G_IO_ERROR_CANCELLED.
 *
 * Returns: (transfer full) (nullable): a copy of the error; %NULL when the task
 *   has succeeded or has not finished
 *
 * Since: 1.0
 */
GError *
osiiso_handle_dup_error (OsiisoHandle *self)
{
  const GError *error;

  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  error = osiiso_record_get_error (osiiso_handle_get_record (self));
  return error != NULL ? g_error_copy (error) : NULL;
}

/**
 * osiiso_handle_get_error_details:
 * @self: a handle
 *
 * Gets what a failed task has to say besides its error, as it was given to
 * [method@Osiiso.Attempt.return_error_details]: of a command that failed an
 * [struct@Osiiso.CommandResult].
 *
 * The value belongs to the task, which @self keeps. In Python use
 * [method@Osiiso.Handle.dup_error_details] for boxed values.
 *
 * Returns: (transfer none) (nullable): the details; %NULL when there are none, or the
 *   task did not fail
 *
 * Since: 1.0
 */
const GValue *
osiiso_handle_get_error_details (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  return osiiso_record_get_error_details (osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_dup_error_details:
 * @self: a handle
 *
 * Gets a copy of [method@Osiiso.Handle.get_error_details].
 *
 * Returns: (transfer full) (nullable): the details; %NULL when there are none, or the
 *   task did not fail
 *
 * Since: 1.0
 */
GValue *
osiiso_handle_dup_error_details (OsiisoHandle *self)
{
  const GValue *details;

  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  details = osiiso_handle_get_error_details (self);
  return details != NULL ? g_boxed_copy (G_TYPE_VALUE, details) : NULL;
}

/**
 * osiiso_handle_dup_result:
 * @self: a handle
 *
 * Gets the record of the finished task.
 *
 * Returns: (transfer full) (nullable): the result; %NULL before the end
 *
 * Since: 1.0
 */
OsiisoTaskResult *
osiiso_handle_dup_result (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  if (!osiiso_handle_is_done (self))
    return NULL;
  return osiiso_task_result_new (get_scheduler (self), osiiso_handle_get_record (self));
}

/**
 * osiiso_handle_cancel:
 * @self: a handle
 *
 * Cancels the task.
 *
 * A task that waits does not run any more. A running attempt ends at once as far
 * as the queue is concerned, and its cancellable tells the function; what it
 * still reports is ignored. If it has reported just now, that report counts.
 * Either way no further attempt begins.
 *
 * Returns: %FALSE when the task had finished before
 *
 * Since: 1.0
 */
gboolean
osiiso_handle_cancel (OsiisoHandle *self)
{
  g_return_val_if_fail (osiiso_handle_is_whole (self), FALSE);

  return osiiso_scheduler_cancel (get_scheduler (self), osiiso_handle_get_record (self));
}
