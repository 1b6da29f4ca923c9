/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <pthread.h>

#include "osiiso-error.h"
#include "osiiso-task-options.h"
#include "osiiso-task-params-private.h"

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

struct _OsiisoTaskOptions
{
  GObject parent_instance;

  pthread_mutex_t lock;

  /* Written with the lock held by the one thread that may, which therefore
   * reads them without. */
  int       priority;
  int       retries;
  double    timeout;
  double    retry_delay;
  double    backoff;
  double    max_retry_delay;
  double    jitter;
  double    delay;
  double    run_at;
  char     *name;     /* (nullable) */
  char     *group_id; /* (nullable) */
  GVariant *metadata; /* (nullable) */
  gboolean  must_complete;
  gboolean  detached;

  /* Protected by the lock. */
  gboolean          has_snapshot;
  OsiisoTaskParams *snapshot; /* (nullable): the defaults */
};

typedef enum
{
  PROP_PRIORITY = 1,
  PROP_MUST_COMPLETE,
  PROP_TIMEOUT,
  PROP_RETRIES,
  PROP_RETRY_DELAY,
  PROP_BACKOFF,
  PROP_MAX_RETRY_DELAY,
  PROP_JITTER,
  PROP_DELAY,
  PROP_RUN_AT,
  PROP_NAME,
  PROP_GROUP_ID,
  PROP_DETACHED,
  PROP_METADATA,
} OsiisoTaskOptionsProperty;

static GParamSpec *props[PROP_METADATA + 1];

G_DEFINE_FINAL_TYPE (OsiisoTaskOptions, osiiso_task_options, G_TYPE_OBJECT)

/* Changes */

/* Locks, and takes the snapshot out, which is for end_change() to drop. */
static OsiisoTaskParams *
begin_change (OsiisoTaskOptions *self)
{
  pthread_mutex_lock (&self->lock);
  self->has_snapshot = FALSE;

  return g_steal_pointer (&self->snapshot);
}

/* Unlocks. What was replaced is dropped only then, because the last reference on
 * a variant may call out. */
static void
end_change (OsiisoTaskOptions        *self,
            OsiisoTaskParams         *stale,
            OsiisoTaskOptionsProperty property)
{
  pthread_mutex_unlock (&self->lock);
  g_clear_pointer (&stale, osiiso_task_params_unref);
  g_object_notify_by_pspec (G_OBJECT (self), props[property]);
}

static void
change_int (OsiisoTaskOptions        *self,
            int                      *field,
            int                       value,
            OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;

  if (*field == value)
    return;

  stale = begin_change (self);
  *field = value;
  end_change (self, stale, property);
}

static void
change_double (OsiisoTaskOptions        *self,
               double                   *field,
               double                    value,
               OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;

  if (*field == value || (isnan (*field) && isnan (value)))
    return;

  stale = begin_change (self);
  *field = value;
  end_change (self, stale, property);
}

static void
change_string (OsiisoTaskOptions        *self,
               char                    **field,
               const char               *value,
               OsiisoTaskOptionsProperty property)
{
  OsiisoTaskParams *stale;
  char *old, *new;

  if (g_strcmp0 (*field, value) == 0)
    return;

  new = g_strdup (value);
  stale = begin_change (self);
  old = *field;
  *field = new;
  end_change (self, stale, property);

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
   * OsiisoTaskOptions:retries:
   *
   * How many more attempts there may be after the first one failed; at least 0.
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
   * It holds for what the backoff and the jitter make of the retry delay.
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
   * With 0.25 each wait is between 75 and 125 percent of what it would be. It
   * keeps tasks that failed together from coming back together.
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
 * touch the other.
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
  pthread_mutex_unlock (&self->lock);

  return copy;
}

/* Validation */

static gboolean
refuse (GError    **error,
        const char *option,
        const char *rule,
        double      value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  /* The C library shows the sign of a NaN, which means nothing. */
  if (isnan (value))
    g_strlcpy (text, "nan", sizeof text);
  else
    g_ascii_formatd (text, sizeof text, "%.15g", value);

  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "%s must be %s; got %s", option, rule, text);

  return FALSE;
}

static inline gboolean
is_time (double seconds)
{
  return isfinite (seconds) && seconds >= 0.0;
}

/* With the lock held. */
static gboolean
validate_locked (OsiisoTaskOptions *self,
                 GError           **error)
{
  if (self->priority < OSIISO_PRIORITY_MIN || self->priority > OSIISO_PRIORITY_MAX)
    {
      char rule[32];

      g_snprintf (rule, sizeof rule, "from %d to %d", OSIISO_PRIORITY_MIN, OSIISO_PRIORITY_MAX);
      return refuse (error, "priority", rule, self->priority);
    }

  if (!is_time (self->timeout))
    return refuse (error, "timeout", "a finite number > 0, or 0 for none", self->timeout);

  if (self->retries < 0)
    return refuse (error, "retries", ">= 0", self->retries);

  if (!is_time (self->retry_delay))
    return refuse (error, "retry-delay", "a finite number >= 0", self->retry_delay);

  if (!isfinite (self->backoff) || self->backoff <= 0.0)
    return refuse (error, "backoff", "a finite number > 0", self->backoff);

  if (!is_time (self->max_retry_delay))
    return refuse (error, "max-retry-delay", "a finite number > 0, or 0 for none", self->max_retry_delay);

  if (!(self->jitter >= 0.0 && self->jitter <= 1.0))
    return refuse (error, "jitter", "a number from 0 to 1", self->jitter);

  if (!is_time (self->delay))
    return refuse (error, "delay", "a finite number > 0, or 0 for none", self->delay);

  if (!is_time (self->run_at))
    return refuse (error, "run-at", "a finite number > 0 of seconds since 1970, or 0 for none", self->run_at);

  if (self->delay > 0.0 && self->run_at > 0.0)
    {
      char delay[G_ASCII_DTOSTR_BUF_SIZE], run_at[G_ASCII_DTOSTR_BUF_SIZE];

      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "delay and run-at are mutually exclusive; got %s and %s",
                   g_ascii_formatd (delay, sizeof delay, "%.15g", self->delay),
                   g_ascii_formatd (run_at, sizeof run_at, "%.15g", self->run_at));
      return FALSE;
    }

  return TRUE;
}

/**
 * osiiso_task_options_validate:
 * @self: options
 * @error: return location for an error
 *
 * Checks that all options are within their ranges and go together.
 *
 * Every submission does this by itself.
 *
 * Any thread may call this.
 *
 * Errors: %OSIISO_QUEUE_ERROR_INVALID, with a message that names the first option
 * that is wrong, the rule and the value.
 *
 * Returns: %TRUE if a task can be submitted with these options
 *
 * Since: 1.0
 */
gboolean
osiiso_task_options_validate (OsiisoTaskOptions *self,
                              GError           **error)
{
  gboolean valid;

  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  pthread_mutex_lock (&self->lock);
  valid = validate_locked (self, error);
  pthread_mutex_unlock (&self->lock);

  return valid;
}

/* Snapshots */

/* With the lock held. */
static gboolean
is_default_locked (OsiisoTaskOptions *self)
{
  return self->priority == OSIISO_PRIORITY_DEFAULT &&
         !self->must_complete &&
         self->timeout == 0.0 &&
         self->retries == 0 &&
         self->retry_delay == 0.0 &&
         self->backoff == 1.0 &&
         self->max_retry_delay == 0.0 &&
         self->jitter == 0.0 &&
         self->delay == 0.0 &&
         self->run_at == 0.0 &&
         self->name == NULL &&
         self->group_id == NULL &&
         !self->detached &&
         self->metadata == NULL;
}

/* With the lock held. The times stay what they are, up to the largest double:
 * whoever turns them into microseconds has to clamp. */
static OsiisoTaskParams *
make_params_locked (OsiisoTaskOptions *self)
{
  OsiisoTaskParams *params = g_new0 (OsiisoTaskParams, 1);

  osiiso_ref_count_init (&params->ref_count);
  params->priority = self->priority;
  params->must_complete = self->must_complete != FALSE;
  params->detached = self->detached != FALSE;
  params->retries = (guint) self->retries;
  params->timeout = self->timeout;
  params->retry_delay = self->retry_delay;
  params->backoff = self->backoff;
  params->max_retry_delay = self->max_retry_delay;
  params->jitter = self->jitter;
  params->delay = self->delay;
  params->run_at = self->run_at;
  params->name = self->name != NULL ? g_ref_string_new (self->name) : NULL;
  params->group_id = self->group_id != NULL ? g_ref_string_new (self->group_id) : NULL;
  params->metadata = self->metadata != NULL ? g_variant_ref (self->metadata) : NULL;

  return params;
}

gboolean
osiiso_task_options_snapshot (OsiisoTaskOptions *options,
                              OsiisoTaskParams **params,
                              GError           **error)
{
  gboolean valid = TRUE;

  *params = NULL;
  if (options == NULL)
    return TRUE;

  pthread_mutex_lock (&options->lock);

  if (!options->has_snapshot)
    {
      valid = validate_locked (options, error);
      if (valid && !is_default_locked (options))
        options->snapshot = make_params_locked (options);
      options->has_snapshot = valid;
    }
  if (options->snapshot != NULL)
    *params = osiiso_task_params_ref (options->snapshot);

  pthread_mutex_unlock (&options->lock);

  return valid;
}

/* Accessors: from one thread at a time */

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

  change_int (self, &self->priority, priority, PROP_PRIORITY);
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

  change_int (self, &self->must_complete, !!must_complete, PROP_MUST_COMPLETE);
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

  change_double (self, &self->timeout, timeout, PROP_TIMEOUT);
}

/**
 * osiiso_task_options_get_retries:
 * @self: options
 *
 * Gets how many more attempts there may be after the first one.
 *
 * Returns: the number of retries
 *
 * Since: 1.0
 */
int
osiiso_task_options_get_retries (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0);

  return self->retries;
}

/**
 * osiiso_task_options_set_retries:
 * @self: options
 * @retries: a number of at least 0
 *
 * Sets how many more attempts there may be after the first one.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_retries (OsiisoTaskOptions *self,
                                 int                retries)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  change_int (self, &self->retries, retries, PROP_RETRIES);
}

/**
 * osiiso_task_options_get_retry_delay:
 * @self: options
 *
 * Gets how long to wait between the first attempt and the second.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_retry_delay (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->retry_delay;
}

/**
 * osiiso_task_options_set_retry_delay:
 * @self: options
 * @retry_delay: seconds, at least 0
 *
 * Sets how long to wait between the first attempt and the second.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_retry_delay (OsiisoTaskOptions *self,
                                     double             retry_delay)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  change_double (self, &self->retry_delay, retry_delay, PROP_RETRY_DELAY);
}

/**
 * osiiso_task_options_get_backoff:
 * @self: options
 *
 * Gets by what each wait between attempts is longer than the one before.
 *
 * Returns: the factor
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_backoff (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->backoff;
}

/**
 * osiiso_task_options_set_backoff:
 * @self: options
 * @backoff: a factor above 0
 *
 * Sets by what each wait between attempts is longer than the one before.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_backoff (OsiisoTaskOptions *self,
                                 double             backoff)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  change_double (self, &self->backoff, backoff, PROP_BACKOFF);
}

/**
 * osiiso_task_options_get_max_retry_delay:
 * @self: options
 *
 * Gets the longest wait between two attempts.
 *
 * Returns: seconds, or 0 for no limit
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_max_retry_delay (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->max_retry_delay;
}

/**
 * osiiso_task_options_set_max_retry_delay:
 * @self: options
 * @max_retry_delay: seconds above 0, or 0 for no limit
 *
 * Sets the longest wait between two attempts.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_max_retry_delay (OsiisoTaskOptions *self,
                                         double             max_retry_delay)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  change_double (self, &self->max_retry_delay, max_retry_delay, PROP_MAX_RETRY_DELAY);
}

/**
 * osiiso_task_options_get_jitter:
 * @self: options
 *
 * Gets by which part a wait between attempts is made shorter or longer at random.
 *
 * Returns: from 0 to 1
 *
 * Since: 1.0
 */
double
osiiso_task_options_get_jitter (OsiisoTaskOptions *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_OPTIONS (self), 0.0);

  return self->jitter;
}

/**
 * osiiso_task_options_set_jitter:
 * @self: options
 * @jitter: from 0 to 1
 *
 * Sets by which part a wait between attempts is made shorter or longer at random.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_jitter (OsiisoTaskOptions *self,
                                double             jitter)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  change_double (self, &self->jitter, jitter, PROP_JITTER);
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

  change_double (self, &self->delay, delay, PROP_DELAY);
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

  change_double (self, &self->run_at, run_at, PROP_RUN_AT);
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

  change_string (self, &self->name, name, PROP_NAME);
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

  change_string (self, &self->group_id, group_id, PROP_GROUP_ID);
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

  change_int (self, &self->detached, !!detached, PROP_DETACHED);
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

  stale = begin_change (self);
  old = self->metadata;
  self->metadata = metadata;
  end_change (self, stale, PROP_METADATA);

  g_clear_pointer (&old, g_variant_unref);
}
