/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-task-options-private.h"

/**
 * OsiisoTaskOptions:
 *
 * How a task is to be run: its priority, its delay, its retries, its names.
 *
 * All options have a default, and %NULL in place of an options object means
 * all of them. One object can serve for any number of tasks:
 *
 * ```c
 * g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
 *
 * osiiso_task_options_set_retries (options, 3);
 * osiiso_task_options_set_retry_delay (options, 0.5);
 * osiiso_task_options_set_backoff (options, 2.0);
 * handle = osiiso_queue_submit (queue, fetch, url, g_free, options, &error);
 * ```
 *
 * Every submission takes a snapshot of the options: to change them later changes
 * nothing for the tasks that were submitted before. Tasks that are submitted
 * with the same options object share one snapshot as long as no property
 * changes, so keep an object that you use often.
 *
 * ## Values
 *
 * All times are seconds. The properties take any value; what is out of its
 * range is refused by [method@Osiiso.TaskOptions.validate], which every
 * submission calls. No option may be infinite or not a number. A very long time
 * is a valid one: what is beyond the range of the clock is as good as never.
 *
 * ## Threads
 *
 * Change the properties of an object, and read them, from one thread at a time.
 * Submitting with it and copying it is allowed from any thread, also while
 * another one changes it: the task gets the values of before or of after each
 * change.
 *
 * Since: 1.0
 */

static GParamSpec *props[PROP_CANCELLABLE + 1];

G_DEFINE_FINAL_TYPE (OsiisoTaskOptions, osiiso_task_options, G_TYPE_OBJECT)

/* Changes */

OsiisoTaskParams *
osiiso_task_options_begin_change (OsiisoTaskOptions *self)
{
  pthread_mutex_lock (&self->lock);
  self->has_snapshot = FALSE;
  atomic_store (&self->plain, 0);

  return g_steal_pointer (&self->snapshot);
}

/* What was replaced is dropped only after the lock, because the last reference on
 * a variant may call out. */
void
osiiso_task_options_end_change (OsiisoTaskOptions        *self,
                                OsiisoTaskParams         *stale,
                                OsiisoTaskOptionsProperty property)
{
  pthread_mutex_unlock (&self->lock);
  g_clear_pointer (&stale, osiiso_task_params_unref);
  if (property != PROP_0)
    g_object_notify_by_pspec (G_OBJECT (self), props[property]);
}

void
osiiso_task_options_change_int (OsiisoTaskOptions        *self,
                                int                      *field,
                                int                       value,
                                OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;

  if (*field == value)
    return;

  stale = osiiso_task_options_begin_change (self);
  *field = value;
  osiiso_task_options_end_change (self, stale, property);
}

void
osiiso_task_options_change_double (OsiisoTaskOptions        *self,
                                   double                   *field,
                                   double                    value,
                                   OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;

  if (*field == value || (isnan (*field) && isnan (value)))
    return;

  stale = osiiso_task_options_begin_change (self);
  *field = value;
  osiiso_task_options_end_change (self, stale, property);
}

void
osiiso_task_options_change_string (OsiisoTaskOptions        *self,
                                   char                    **field,
                                   const char               *value,
                                   OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;
  char *old, *new;

  if (g_strcmp0 (*field, value) == 0)
    return;

  new = g_strdup (value);
  stale = osiiso_task_options_begin_change (self);
  old = *field;
  *field = new;
  osiiso_task_options_end_change (self, stale, property);

  g_free (old);
}

/* GObject */

static void
osiiso_task_options_finalize (GObject *object)
{
  OsiisoTaskOptions *self = OSIISO_TASK_OPTIONS (object);

  g_clear_pointer (&self->snapshot, osiiso_task_params_unref);
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->group_id, g_free);
  g_clear_pointer (&self->metadata, g_variant_unref);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->retry_rules, osiiso_retry_rules_unref);
  pthread_mutex_destroy (&self->lock);

  G_OBJECT_CLASS (osiiso_task_options_parent_class)->finalize (object);
}

static void
osiiso_task_options_get_property (GObject    *object,
                                  guint       prop_id,
                                  GValue     *value,
                                  GParamSpec *pspec)
{
  OsiisoTaskOptions *self = OSIISO_TASK_OPTIONS (object);

  switch ((OsiisoTaskOptionsProperty) prop_id)
    {
    case PROP_PRIORITY:
      g_value_set_int (value, self->priority);
      break;
    case PROP_MUST_COMPLETE:
      g_value_set_boolean (value, self->must_complete);
      break;
    case PROP_TIMEOUT:
      g_value_set_double (value, self->timeout);
      break;
    case PROP_DEADLINE:
      g_value_set_double (value, self->deadline);
      break;
    case PROP_RETRIES:
      g_value_set_int (value, self->retries);
      break;
    case PROP_RETRY_DELAY:
      g_value_set_double (value, self->retry_delay);
      break;
    case PROP_BACKOFF:
      g_value_set_double (value, self->backoff);
      break;
    case PROP_MAX_RETRY_DELAY:
      g_value_set_double (value, self->max_retry_delay);
      break;
    case PROP_JITTER:
      g_value_set_double (value, self->jitter);
      break;
    case PROP_DELAY:
      g_value_set_double (value, self->delay);
      break;
    case PROP_RUN_AT:
      g_value_set_double (value, self->run_at);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_GROUP_ID:
      g_value_set_string (value, self->group_id);
      break;
    case PROP_DETACHED:
      g_value_set_boolean (value, self->detached);
      break;
    case PROP_METADATA:
      g_value_set_variant (value, self->metadata);
      break;
    case PROP_CANCELLABLE:
      g_value_set_object (value, self->cancellable);
      break;
    case PROP_0:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

static void
osiiso_task_options_set_property (GObject      *object,
                                  guint         prop_id,
                                  const GValue *value,
                                  GParamSpec   *pspec)
{
  OsiisoTaskOptions *self = OSIISO_TASK_OPTIONS (object);

  switch ((OsiisoTaskOptionsProperty) prop_id)
    {
    case PROP_PRIORITY:
      osiiso_task_options_set_priority (self, g_value_get_int (value));
      break;
    case PROP_MUST_COMPLETE:
      osiiso_task_options_set_must_complete (self, g_value_get_boolean (value));
      break;
    case PROP_TIMEOUT:
      osiiso_task_options_set_timeout (self, g_value_get_double (value));
      break;
    case PROP_DEADLINE:
      osiiso_task_options_set_deadline (self, g_value_get_double (value));
      break;
    case PROP_RETRIES:
      osiiso_task_options_set_retries (self, g_value_get_int (value));
      break;
    case PROP_RETRY_DELAY:
      osiiso_task_options_set_retry_delay (self, g_value_get_double (value));
      break;
    case PROP_BACKOFF:
      osiiso_task_options_set_backoff (self, g_value_get_double (value));
      break;
    case PROP_MAX_RETRY_DELAY:
      osiiso_task_options_set_max_retry_delay (self, g_value_get_double (value));
      break;
    case PROP_JITTER:
      osiiso_task_options_set_jitter (self, g_value_get_double (value));
      break;
    case PROP_DELAY:
      osiiso_task_options_set_delay (self, g_value_get_double (value));
      break;
    case PROP_RUN_AT:
      osiiso_task_options_set_run_at (self, g_value_get_double (value));
      break;
    case PROP_NAME:
      osiiso_task_options_set_name (self, g_value_get_string (value));
      break;
    case PROP_GROUP_ID:
      osiiso_task_options_set_group_id (self, g_value_get_string (value));
      break;
    case PROP_DETACHED:
      osiiso_task_options_set_detached (self, g_value_get_boolean (value));
      break;
    case PROP_METADATA:
      osiiso_task_options_set_metadata (self, g_value_get_variant (value));
      break;
    case PROP_CANCELLABLE:
      osiiso_task_options_set_cancellable (self, g_value_get_object (value));
      break;
    case PROP_0:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

/* Any double can be stored, so that validate() is the one place that refuses.
 * Lax validation lets a NaN through, which differs from itself and would
 * therefore count as out of the range. */
static GParamSpec *
double_spec (const char *name,
             double      default_value)
{
  return g_param_spec_double (name, NULL, NULL, -INFINITY, INFINITY, default_value,
                              G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY
                                | G_PARAM_STATIC_STRINGS | G_PARAM_LAX_VALIDATION);
}

static void
osiiso_task_options_class_init (OsiisoTaskOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = osiiso_task_options_finalize;
  object_class->get_property = osiiso_task_options_get_property;
  object_class->set_property = osiiso_task_options_set_property;

  /**
   * OsiisoTaskOptions:priority:
   *
   * Which of the tasks that are ready runs first: the one with the lowest number.
   *
   * From %OSIISO_PRIORITY_MIN to %OSIISO_PRIORITY_MAX. Tasks of the same priority
   * run in the order in which they were submitted.
   *
   * Since: 1.0
   */
  props[PROP_PRIORITY] =
    g_param_spec_int ("priority", NULL, NULL,
                      G_MININT, G_MAXINT, OSIISO_PRIORITY_DEFAULT, flags);

  /**
   * OsiisoTaskOptions:must-complete:
   *
   * Whether the task runs to its end although others are cancelled, when the time
   * of a run is over or when another task failed.
   *
   * See [enum@Osiiso.TimeoutPolicy] and [enum@Osiiso.FailPolicy]. It does not
   * protect from [method@Osiiso.Handle.cancel] or from a forced shutdown.
   *
   * Since: 1.0
   */
  props[PROP_MUST_COMPLETE] =
    g_param_spec_boolean ("must-complete", NULL, NULL, FALSE, flags);

  /**
   * OsiisoTaskOptions:timeout:
   *
   * How many seconds one attempt may take, or 0 for any number.
   *
   * The time starts with the attempt: what the task waits before it, or between
   * two of them, is not counted. An attempt that takes longer has failed with
   * %G_IO_ERROR_TIMED_OUT, and is followed by the next one if there are retries
   * left.
   *
   * Since: 1.0
   */
  props[PROP_TIMEOUT] = double_spec ("timeout", 0.0);

  /**
   * OsiisoTaskOptions:deadline:
   *
   * How many seconds the whole task may take, or 0 for any number.
   *
   * The time starts with the submission, and everything counts: what the task waits
   * for its turn, its delay, all attempts and the waits between them. When it is
   * over, the task fails with %G_IO_ERROR_TIMED_OUT whether it waits or runs,
   * must-complete or not, and is not tried again. A delay that is longer than this
   * lets a task fail that never ran.
   *
   * Since: 1.0
   */
  props[PROP_DEADLINE] = double_spec ("deadline", 0.0);

  /**
   * OsiisoTaskOptions:retries:
   *
   * How many more attempts there may be after the first one failed; at least 0.
   *
   * [method@Osiiso.TaskOptions.retry_on] and
   * [method@Osiiso.TaskOptions.never_retry_on] say after which errors.
   *
   * Since: 1.0
   */
  props[PROP_RETRIES] =
    g_param_spec_int ("retries", NULL, NULL, G_MININT, G_MAXINT, 0, flags);

  /**
   * OsiisoTaskOptions:retry-delay:
   *
   * How many seconds to wait between the first attempt and the second; at least 0.
   *
   * The waits after that are multiplied with [property@Osiiso.TaskOptions:backoff]
   * each. A task that waits holds no worker.
   *
   * Since: 1.0
   */
  props[PROP_RETRY_DELAY] = double_spec ("retry-delay", 0.0);

  /**
   * OsiisoTaskOptions:backoff:
   *
   * By what each wait between attempts is longer than the one before; above 0.
   *
   * The wait before attempt number *k*, from 2 on, is the retry delay times the
   * backoff to the power of *k* - 2.
   *
   * Since: 1.0
   */
  props[PROP_BACKOFF] = double_spec ("backoff", 1.0);

  /**
   * OsiisoTaskOptions:max-retry-delay:
   *
   * The longest wait between two attempts in seconds, or 0 for no limit.
   *
   * It holds for what the backoff and the jitter make of the retry delay: a wait that
   * jitter makes longer than that is cut down to it. A wait that the function chooses
   * by [method@Osiiso.Attempt.retry_after] is not.
   *
   * Since: 1.0
   */
  props[PROP_MAX_RETRY_DELAY] = double_spec ("max-retry-delay", 0.0);

  /**
   * OsiisoTaskOptions:jitter:
   *
   * By which part a wait between attempts is made shorter or longer, at random,
   * from 0 to 1.
   *
   * With 0.25 each wait is between 75 and 125 percent of what it would be, but no
   * longer than [property@Osiiso.TaskOptions:max-retry-delay]. It keeps tasks that
   * failed together from coming back together.
   *
   * Since: 1.0
   */
  props[PROP_JITTER] = double_spec ("jitter", 0.0);

  /**
   * OsiisoTaskOptions:delay:
   *
   * How many seconds after its submission the task becomes ready, or 0 for at
   * once.
   *
   * Only one of this and [property@Osiiso.TaskOptions:run-at] may be set.
   *
   * Since: 1.0
   */
  props[PROP_DELAY] = double_spec ("delay", 0.0);

  /**
   * OsiisoTaskOptions:run-at:
   *
   * When the task becomes ready, in seconds since the start of 1970, UTC, or 0
   * for at once.
   *
   * It is translated into a delay when the task is submitted; a time in the past
   * means at once. Only one of this and [property@Osiiso.TaskOptions:delay] may be
   * set.
   *
   * Since: 1.0
   */
  props[PROP_RUN_AT] = double_spec ("run-at", 0.0);

  /**
   * OsiisoTaskOptions:name:
   *
   * What the task is called in messages and summaries, or %NULL for a name that
   * the queue finds. It need not be unique.
   *
   * Since: 1.0
   */
  props[PROP_NAME] =
    g_param_spec_string ("name", NULL, NULL, NULL, flags);

  /**
   * OsiisoTaskOptions:group-id:
   *
   * The group that the task is counted with, or %NULL for none.
   *
   * The id of a [class@Osiiso.Group] that the task is submitted into takes its
   * place.
   *
   * Since: 1.0
   */
  props[PROP_GROUP_ID] =
    g_param_spec_string ("group-id", NULL, NULL, NULL, flags);

  /**
   * OsiisoTaskOptions:detached:
   *
   * Whether the task is left out of the summary of a run.
   *
   * The run waits for it nevertheless.
   *
   * Since: 1.0
   */
  props[PROP_DETACHED] =
    g_param_spec_boolean ("detached", NULL, NULL, FALSE, flags);

  /**
   * OsiisoTaskOptions:metadata:
   *
   * Anything that should come back with the handle and the result of the task, or
   * %NULL.
   *
   * Since: 1.0
   */
  props[PROP_METADATA] =
    g_param_spec_variant ("metadata", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, flags);

  /**
   * OsiisoTaskOptions:cancellable:
   *
   * Cancels the tasks that are submitted with it, or %NULL for none.
   *
   * When it is cancelled, in any thread, each of these tasks that has not finished
   * is cancelled as by [method@Osiiso.Handle.cancel]. Once it has been cancelled a
   * submission with it fails with %G_IO_ERROR_CANCELLED. It can serve for any
   * number of tasks and queues, which hold a reference on it until the tasks are
   * over. An attempt has a cancellable of its own.
   *
   * Since: 1.0
   */
  props[PROP_CANCELLABLE] =
    g_param_spec_object ("cancellable", NULL, NULL, G_TYPE_CANCELLABLE, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_task_options_init (OsiisoTaskOptions *self)
{
  pthread_mutex_init (&self->lock, NULL);
  self->priority = OSIISO_PRIORITY_DEFAULT;
  self->backoff = 1.0;
}

/**
 * osiiso_task_options_new:
 *
 * Creates options that are all at their defaults.
 *
 * Any thread may call this.
 *
 * Returns: (transfer full): new options
 *
 * Since: 1.0
 */
OsiisoTaskOptions *
osiiso_task_options_new (void)
{
  return g_object_new (OSIISO_TYPE_TASK_OPTIONS, NULL);
}

/**
 * osiiso_task_options_copy:
 * @self: options
 *
 * Creates options with the same values. A later change of one object does not
 * touch the other. The cancellable is the same object.
 *
 * Any thread may call this.
 *
 * Returns: (transfer full): a copy of @self
 *
 * Since: 1.0
 */
OsiisoTaskOptions *
osiiso_task_options_copy (OsiisoTaskOptions *self)
{
  OsiisoTaskOptions *copy;

  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), NULL);

  copy = osiiso_task_options_new ();

  pthread_mutex_lock (&self->lock);
  copy->priority = self->priority;
  copy->must_complete = self->must_complete;
  copy->timeout = self->timeout;
  copy->deadline = self->deadline;
  copy->retries = self->retries;
  copy->retry_delay = self->retry_delay;
  copy->backoff = self->backoff;
  copy->max_retry_delay = self->max_retry_delay;
  copy->jitter = self->jitter;
  copy->delay = self->delay;
  copy->run_at = self->run_at;
  copy->name = g_strdup (self->name);
  copy->group_id = g_strdup (self->group_id);
  copy->detached = self->detached;
  copy->metadata = self->metadata != NULL ? g_variant_ref (self->metadata) : NULL;
  copy->cancellable = self->cancellable != NULL ? g_object_ref (self->cancellable) : NULL;
  copy->has_cancellable = copy->cancellable != NULL;
  copy->retry_rules = self->retry_rules != NULL ? osiiso_retry_rules_ref (self->retry_rules) : NULL;
  pthread_mutex_unlock (&self->lock);

  return copy;
}
