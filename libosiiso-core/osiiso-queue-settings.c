/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-enum-types.h"
#include "osiiso-queue-private.h"

/* What a queue is told about its work: the properties. Its rate is elsewhere. */

/**
 * osiiso_queue_get_workers: (get-property workers)
 * @self: a queue
 *
 * Gets how many tasks run at a time.
 *
 * Returns: the number; 0 when it is left to the backend
 *
 * Since: 1.0
 */
guint
osiiso_queue_get_workers (OsiisoQueue *self)
{
  OsiisoQueueSettings *settings;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  settings = osiiso_queue_get_settings (self);
  return settings->workers;
}

/**
 * osiiso_queue_set_workers: (set-property workers)
 * @self: a queue
 * @workers: the number, up to 65536; 0 leaves it to the backend
 *
 * Sets how many tasks run at a time, also while the queue works.
 *
 * With a smaller number what is running runs on, and no task begins until there
 * is room.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_workers (OsiisoQueue *self,
                          guint        workers)
{
  OsiisoQueueSettings *settings;
  OsiisoBackend *backend;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (workers <= 65536);

  settings = osiiso_queue_get_settings (self);
  if (settings->workers == workers)
    return;
  settings->workers = workers;
  backend = osiiso_queue_get_backend (self);
  if (backend != NULL)
    osiiso_scheduler_set_workers (osiiso_queue_get_scheduler (self), backend, workers);
  g_object_notify (G_OBJECT (self), "workers");
}

/**
 * osiiso_queue_get_size: (get-property size)
 * @self: a queue
 *
 * Gets how many tasks may be outstanding. Any thread.
 *
 * Returns: the number; 0 for any
 *
 * Since: 1.0
 */
guint
osiiso_queue_get_size (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  return atomic_load (&osiiso_queue_get_scheduler (self)->room.size);
}

/**
 * osiiso_queue_set_size: (set-property size)
 * @self: a queue
 * @size: the number; 0 for any
 *
 * Sets how many tasks may be outstanding, also while the queue works.
 *
 * With a larger number those who wait for room get it at once. With a smaller one
 * no task comes in until there is room, and who waits for room that the queue
 * cannot have any more gets an error.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_size (OsiisoQueue *self,
                       guint        size)
{
  OsiisoScheduler *scheduler;

  g_return_if_fail (OSIISO_IS_QUEUE (self));

  scheduler = osiiso_queue_get_scheduler (self);
  if (atomic_load (&scheduler->room.size) == size)
    return;
  osiiso_admission_set_size (scheduler, size);
  g_object_notify (G_OBJECT (self), "size");
}

/**
 * osiiso_queue_get_timeout: (get-property timeout)
 * @self: a queue
 *
 * Gets how long a run may take.
 *
 * Returns: seconds; 0 for as long as it takes
 *
 * Since: 1.0
 */
double
osiiso_queue_get_timeout (OsiisoQueue *self)
{
  OsiisoQueueSettings *settings;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  settings = osiiso_queue_get_settings (self);
  return settings->timeout;
}

/**
 * osiiso_queue_set_timeout: (set-property timeout)
 * @self: a queue
 * @timeout: seconds; 0 for as long as it takes
 *
 * Sets how long a run may take. It counts for runs that begin afterwards, and with
 * a value that is negative, infinite or not a number these fail.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_timeout (OsiisoQueue *self,
                          double       timeout)
{
  OsiisoQueueSettings *settings;

  g_return_if_fail (OSIISO_IS_QUEUE (self));

  settings = osiiso_queue_get_settings (self);
  if (settings->timeout == timeout)
    return;
  settings->timeout = timeout;
  g_object_notify (G_OBJECT (self), "timeout");
}

/**
 * osiiso_queue_get_shutdown_timeout: (get-property shutdown-timeout)
 * @self: a queue
 *
 * Gets how long a shutdown may let work go on. Any thread.
 *
 * Returns: seconds; 0 for as long as it takes
 *
 * Since: 1.0
 */
double
osiiso_queue_get_shutdown_timeout (OsiisoQueue *self)
{
  OsiisoScheduler *scheduler;
  double timeout;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);

  scheduler = osiiso_queue_get_scheduler (self);
  pthread_mutex_lock (&scheduler->ready_lock);
  timeout = scheduler->shutdown_timeout;
  pthread_mutex_unlock (&scheduler->ready_lock);
  return timeout;
}

/**
 * osiiso_queue_set_shutdown_timeout: (set-property shutdown-timeout)
 * @self: a queue
 * @timeout: seconds; 0 for as long as it takes
 *
 * Sets how long a shutdown may let work go on before it becomes a forced one. It
 * counts for shutdowns that begin afterwards, and with a value that is negative,
 * infinite or not a number these fail.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_shutdown_timeout (OsiisoQueue *self,
                                   double       timeout)
{
  OsiisoScheduler *scheduler;
  gboolean changed;

  g_return_if_fail (OSIISO_IS_QUEUE (self));

  scheduler = osiiso_queue_get_scheduler (self);
  pthread_mutex_lock (&scheduler->ready_lock);
  changed = scheduler->shutdown_timeout != timeout;
  scheduler->shutdown_timeout = timeout;
  pthread_mutex_unlock (&scheduler->ready_lock);
  if (changed)
    g_object_notify (G_OBJECT (self), "shutdown-timeout");
}

/* Languages may pass any number for an enumeration. Setters have no error to set, so
 * it is said as criticals are, but with what was given. */
static gboolean
check_enum (const char *function,
            GType       type,
            int         value)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (type);
  g_autoptr (GString) known = NULL;

  if (g_enum_get_value (klass, value) != NULL)
    return TRUE;
  known = g_string_new (NULL);
  for (guint i = 0; i < klass->n_values; i++)
    g_string_append_printf (known, "%s%s (%d)", i > 0 ? " or " : "", klass->values[i].value_nick, klass->values[i].value);
  g_critical ("%s: expected %s; got %d", function, known->str, value);
  return FALSE;
}

/**
 * osiiso_queue_get_mode: (get-property mode)
 * @self: a queue
 *
 * Gets when a run ends.
 *
 * Returns: the mode
 *
 * Since: 1.0
 */
OsiisoMode
osiiso_queue_get_mode (OsiisoQueue *self)
{
  OsiisoQueueSettings *settings;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), OSIISO_MODE_FINITE);

  settings = osiiso_queue_get_settings (self);
  return settings->mode;
}

/**
 * osiiso_queue_set_mode: (set-property mode)
 * @self: a queue
 * @mode: the mode
 *
 * Sets when a run ends. It counts for runs that begin afterwards.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_mode (OsiisoQueue *self,
                       OsiisoMode   mode)
{
  OsiisoQueueSettings *settings;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  if (!check_enum (G_STRFUNC, OSIISO_TYPE_MODE, (int) mode))
    return;

  settings = osiiso_queue_get_settings (self);
  if (settings->mode == mode)
    return;
  settings->mode = mode;
  g_object_notify (G_OBJECT (self), "mode");
}

/**
 * osiiso_queue_get_fail_policy: (get-property fail-policy)
 * @self: a queue
 *
 * Gets what the failure of one task means for the rest.
 *
 * Returns: the policy
 *
 * Since: 1.0
 */
OsiisoFailPolicy
osiiso_queue_get_fail_policy (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), OSIISO_FAIL_POLICY_CONTINUE);

  return (OsiisoFailPolicy) atomic_load (&osiiso_queue_get_scheduler (self)->fail_policy);
}

/**
 * osiiso_queue_set_fail_policy: (set-property fail-policy)
 * @self: a queue
 * @policy: the policy
 *
 * Sets what the failure of one task means for the rest.
 *
 * A queue that a failure has halted refuses tasks until the run is over, or
 * until [method@Osiiso.Queue.start] when there is no run.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_fail_policy (OsiisoQueue     *self,
                              OsiisoFailPolicy policy)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));
  if (!check_enum (G_STRFUNC, OSIISO_TYPE_FAIL_POLICY, (int) policy))
    return;

  if ((OsiisoFailPolicy) atomic_exchange (&osiiso_queue_get_scheduler (self)->fail_policy, (int) policy) != policy)
    g_object_notify (G_OBJECT (self), "fail-policy");
}

/**
 * osiiso_queue_get_on_timeout: (get-property on-timeout)
 * @self: a queue
 *
 * Gets what happens to unfinished tasks when the time of a run is over.
 *
 * Returns: the policy
 *
 * Since: 1.0
 */
OsiisoTimeoutPolicy
osiiso_queue_get_on_timeout (OsiisoQueue *self)
{
  OsiisoQueueSettings *settings;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), OSIISO_TIMEOUT_POLICY_COMPLETE);

  settings = osiiso_queue_get_settings (self);
  return settings->on_timeout;
}

/**
 * osiiso_queue_set_on_timeout: (set-property on-timeout)
 * @self: a queue
 * @policy: the policy
 *
 * Sets what happens to unfinished tasks when the time of a run is over.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_on_timeout (OsiisoQueue        *self,
                             OsiisoTimeoutPolicy policy)
{
  OsiisoQueueSettings *settings;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  if (!check_enum (G_STRFUNC, OSIISO_TYPE_TIMEOUT_POLICY, (int) policy))
    return;

  settings = osiiso_queue_get_settings (self);
  if (settings->on_timeout == policy)
    return;
  settings->on_timeout = policy;
  g_object_notify (G_OBJECT (self), "on-timeout");
}

/**
 * osiiso_queue_get_keep_results: (get-property keep-results)
 * @self: a queue
 *
 * Gets whether results are kept for summaries.
 *
 * Returns: whether they are
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_get_keep_results (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  return atomic_load (&osiiso_queue_get_scheduler (self)->keep_results);
}

/**
 * osiiso_queue_set_keep_results: (set-property keep-results)
 * @self: a queue
 * @keep_results: whether to keep them
 *
 * Sets whether results are kept for summaries.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_keep_results (OsiisoQueue *self,
                               gboolean     keep_results)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  keep_results = !!keep_results;
  if (atomic_exchange (&osiiso_queue_get_scheduler (self)->keep_results, keep_results) != keep_results)
    g_object_notify (G_OBJECT (self), "keep-results");
}
