/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-task-options-private.h"

/* The properties one by one, but for those about retries. To be read and changed
 * from one thread at a time. */

/**
 * osiiso_task_options_get_priority:
 * @self: options
 *
 * Gets how urgent the task is.
 *
 * Returns: the priority
 *
 * Since: 1.0
 */
int
osiiso_task_options_get_priority (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0);

  return self->priority;
}

/**
 * osiiso_task_options_set_priority:
 * @self: options
 * @priority: from %OSIISO_PRIORITY_MIN to %OSIISO_PRIORITY_MAX
 *
 * Sets how urgent the task is: the lowest number runs first.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_priority (OsiisoTaskOptions *self,
                                  int                priority)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_int (self, &self->priority, priority, PROP_PRIORITY);
}

/**
 * osiiso_task_options_get_must_complete:
 * @self: options
 *
 * Gets whether the task runs to its end although others are cancelled.
 *
 * Returns: whether it must complete
 *
 * Since: 1.0
 */
gboolean
osiiso_task_options_get_must_complete (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), FALSE);

  return self->must_complete;
}

/**
 * osiiso_task_options_set_must_complete:
 * @self: options
 * @must_complete: whether it must complete
 *
 * Sets whether the task runs to its end although others are cancelled.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_must_complete (OsiisoTaskOptions *self,
                                       gboolean           must_complete)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_int (self, &self->must_complete, !!must_complete, PROP_MUST_COMPLETE);
}

/**
 * osiiso_task_options_get_timeout:
 * @self: options
 *
 * Gets how long one attempt may take.
 *
 * Returns: seconds, or 0 for no limit
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_timeout (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->timeout;
}

/**
 * osiiso_task_options_set_timeout:
 * @self: options
 * @timeout: seconds above 0, or 0 for no limit
 *
 * Sets how long one attempt may take.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_timeout (OsiisoTaskOptions *self,
                                 double             timeout)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_double (self, &self->timeout, timeout, PROP_TIMEOUT);
}

/**
 * osiiso_task_options_get_deadline:
 * @self: options
 *
 * Gets how long the whole task may take.
 *
 * Returns: seconds, or 0 for no limit
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_deadline (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->deadline;
}

/**
 * osiiso_task_options_set_deadline:
 * @self: options
 * @deadline: seconds above 0, or 0 for no limit
 *
 * Sets how long the whole task may take, from its submission to its end.
 *
 * What has not ended by then fails with %G_IO_ERROR_TIMED_OUT, a task that waits for
 * its delay or a retry as well as one that runs, must-complete or not, and no retry
 * follows.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_deadline (OsiisoTaskOptions *self,
                                  double             deadline)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_double (self, &self->deadline, deadline, PROP_DEADLINE);
}

/**
 * osiiso_task_options_get_delay:
 * @self: options
 *
 * Gets how long after its submission the task becomes ready.
 *
 * Returns: seconds, or 0 for at once
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_delay (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->delay;
}

/**
 * osiiso_task_options_set_delay:
 * @self: options
 * @delay: seconds above 0, or 0 for at once
 *
 * Sets how long after its submission the task becomes ready.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_delay (OsiisoTaskOptions *self,
                               double             delay)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_double (self, &self->delay, delay, PROP_DELAY);
}

/**
 * osiiso_task_options_get_run_at:
 * @self: options
 *
 * Gets when the task becomes ready.
 *
 * Returns: seconds since the start of 1970, UTC, or 0 for at once
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_run_at (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->run_at;
}

/**
 * osiiso_task_options_set_run_at:
 * @self: options
 * @run_at: seconds since the start of 1970, UTC, or 0 for at once
 *
 * Sets when the task becomes ready.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_run_at (OsiisoTaskOptions *self,
                                double             run_at)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_double (self, &self->run_at, run_at, PROP_RUN_AT);
}

/**
 * osiiso_task_options_get_name:
 * @self: options
 *
 * Gets what the task is called.
 *
 * Returns: (transfer none) (nullable): the name; valid until the next change of it
 *
 * Since: 1.0
 */
const char *
osiiso_task_options_get_name (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), NULL);

  return self->name;
}

/**
 * osiiso_task_options_set_name:
 * @self: options
 * @name: (nullable): a name, or %NULL for one that the queue finds
 *
 * Sets what the task is called.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_name (OsiisoTaskOptions *self,
                              const char        *name)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_string (self, &self->name, name, PROP_NAME);
}

/**
 * osiiso_task_options_get_group_id:
 * @self: options
 *
 * Gets the group that the task is counted with.
 *
 * Returns: (transfer none) (nullable): the id; valid until the next change of it
 *
 * Since: 1.0
 */
const char *
osiiso_task_options_get_group_id (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), NULL);

  return self->group_id;
}

/**
 * osiiso_task_options_set_group_id:
 * @self: options
 * @group_id: (nullable): an id, or %NULL for none
 *
 * Sets the group that the task is counted with.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_group_id (OsiisoTaskOptions *self,
                                  const char        *group_id)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_string (self, &self->group_id, group_id, PROP_GROUP_ID);
}

/**
 * osiiso_task_options_get_detached:
 * @self: options
 *
 * Gets whether the task is left out of the summary of a run.
 *
 * Returns: whether it is detached
 *
 * Since: 1.0
 */
gboolean
osiiso_task_options_get_detached (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), FALSE);

  return self->detached;
}

/**
 * osiiso_task_options_set_detached:
 * @self: options
 * @detached: whether it is detached
 *
 * Sets whether the task is left out of the summary of a run.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_detached (OsiisoTaskOptions *self,
                                  gboolean           detached)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_int (self, &self->detached, !!detached, PROP_DETACHED);
}

/**
 * osiiso_task_options_get_metadata:
 * @self: options
 *
 * Gets what comes back with the handle and the result of the task.
 *
 * Returns: (transfer none) (nullable): the value; valid until the next change of it
 *
 * Since: 1.0
 */
GVariant *
osiiso_task_options_get_metadata (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), NULL);

  return self->metadata;
}

/**
 * osiiso_task_options_set_metadata:
 * @self: options
 * @metadata: (nullable): any value, or %NULL for none
 *
 * Sets what comes back with the handle and the result of the task.
 *
 * A floating reference is taken over.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_metadata (OsiisoTaskOptions *self,
                                  GVariant          *metadata)
{
  OsiisoTaskParams *stale;
  GVariant *old;

  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  if (metadata == self->metadata)
    return;

  if (metadata != NULL)
    g_variant_ref_sink (metadata);

  if (metadata != NULL && self->metadata != NULL && g_variant_equal (metadata, self->metadata))
    {
      g_variant_unref (metadata);
      return;
    }

  stale = osiiso_task_options_begin_change (self);
  old = self->metadata;
  self->metadata = metadata;
  osiiso_task_options_end_change (self, stale, PROP_METADATA);

  g_clear_pointer (&old, g_variant_unref);
}

/**
 * osiiso_task_options_get_cancellable:
 * @self: options
 *
 * Gets what cancels the tasks that are submitted with these options.
 *
 * Returns: (transfer none) (nullable): the cancellable; valid until the next
 *   change of it
 *
 * Since: 1.0
 */
GCancellable *
osiiso_task_options_get_cancellable (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), NULL);

  return self->cancellable;
}

/**
 * osiiso_task_options_set_cancellable:
 * @self: options
 * @cancellable: (nullable): a cancellable, or %NULL for none
 *
 * Sets what cancels the tasks that are submitted with these options.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_cancellable (OsiisoTaskOptions *self,
                                     GCancellable      *cancellable)
{
  OsiisoTaskParams *stale;
  GCancellable *old;

  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  if (cancellable == self->cancellable)
    return;

  if (cancellable != NULL)
    g_object_ref (cancellable);
  stale = osiiso_task_options_begin_change (self);
  old = self->cancellable;
  self->cancellable = cancellable;
  atomic_store_explicit (&self->has_cancellable, cancellable != NULL, memory_order_relaxed);
  osiiso_task_options_end_change (self, stale, PROP_CANCELLABLE);

  g_clear_object (&old);
}
