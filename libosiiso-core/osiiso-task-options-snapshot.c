/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-task-options-private.h"

/* What a submission does with options: it checks them and keeps a snapshot. */

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

  if (!is_time (self->deadline))
    return refuse (error, "deadline", "a finite number > 0, or 0 for none", self->deadline);

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

/* With the lock held. The cancellable is none of what a task keeps: see
 * osiiso_task_options_dup_cancellable(). */
static gboolean
is_default_locked (OsiisoTaskOptions *self)
{
  return self->priority == OSIISO_PRIORITY_DEFAULT &&
         !self->must_complete &&
         self->timeout == 0.0 &&
         self->deadline == 0.0 &&
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
         self->metadata == NULL &&
         self->retry_rules == NULL;
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
  params->deadline = self->deadline;
  params->retry_delay = self->retry_delay;
  params->backoff = self->backoff;
  params->max_retry_delay = self->max_retry_delay;
  params->jitter = self->jitter;
  params->delay = self->delay;
  params->run_at = self->run_at;
  params->name = self->name != NULL ? g_ref_string_new (self->name) : NULL;
  params->group_id = self->group_id != NULL ? g_ref_string_new (self->group_id) : NULL;
  params->metadata = self->metadata != NULL ? g_variant_ref (self->metadata) : NULL;
  params->retry_rules = self->retry_rules != NULL ? osiiso_retry_rules_ref (self->retry_rules) : NULL;

  return params;
}

#define PLAIN_KNOWN         (1u << 31)
#define PLAIN_PRIORITY      0xffu /* above the least one */
#define PLAIN_MUST_COMPLETE (1u << 8)
#define PLAIN_DETACHED      (1u << 9)

static void
note_plain_locked (OsiisoTaskOptions *self)
{
  if ((self->snapshot == NULL || osiiso_task_params_is_plain (self->snapshot)) && self->cancellable == NULL)
    atomic_store (&self->plain, PLAIN_KNOWN | ((guint32) (self->priority - G_MININT8) & PLAIN_PRIORITY) |
                                (self->must_complete ? PLAIN_MUST_COMPLETE : 0) |
                                (self->detached ? PLAIN_DETACHED : 0));
}

gboolean
osiiso_task_options_get_plain (OsiisoTaskOptions *options,
                               OsiisoTaskParams  *params)
{
  guint32 plain;

  *params = (OsiisoTaskParams) { .priority = OSIISO_PRIORITY_DEFAULT };
  if (options == NULL)
    return TRUE;
  plain = atomic_load (&options->plain);
  if (plain == 0)
    return FALSE;
  params->priority = (int) (plain & PLAIN_PRIORITY) + G_MININT8;
  params->must_complete = (plain & PLAIN_MUST_COMPLETE) != 0;
  params->detached = (plain & PLAIN_DETACHED) != 0;
  return TRUE;
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
      if (valid)
        note_plain_locked (options);
    }
  if (options->snapshot != NULL)
    *params = osiiso_task_params_ref (options->snapshot);

  pthread_mutex_unlock (&options->lock);

  return valid;
}

GCancellable *
osiiso_task_options_dup_cancellable (OsiisoTaskOptions *options)
{
  GCancellable *cancellable = NULL;

  if (options == NULL || !atomic_load_explicit (&options->has_cancellable, memory_order_relaxed))
    return NULL;

  pthread_mutex_lock (&options->lock);
  if (options->cancellable != NULL)
    cancellable = g_object_ref (options->cancellable);
  pthread_mutex_unlock (&options->lock);

  return cancellable;
}
