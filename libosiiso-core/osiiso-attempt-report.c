/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <string.h>

#include "osiiso-attempt-lone-private.h"
#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"

/* What a function tells of its attempt: how it went, or how far it is. */

gboolean
osiiso_value_is_js_object (const GValue *value)
{
  return strcmp (G_VALUE_TYPE_NAME (value), "JSObject") == 0;
}

static void
report (OsiisoAttempt *self,
        OsiisoStatus   status,
        OsiisoOutcome *outcome,
        gint64         retry_after)
{
  osiiso_attempt_report (self, status, outcome, retry_after);
}

/**
 * osiiso_attempt_return_none:
 * @self: an attempt
 *
 * Reports success without a value.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_none (OsiisoAttempt *self)
{
  g_return_if_fail (self != NULL);

  report (self, OSIISO_STATUS_SUCCEEDED, NULL, -1);
}

static OsiisoOutcome *
outcome_new (GType type)
{
  OsiisoOutcome *outcome = g_new0 (OsiisoOutcome, 1);

  g_value_init (&outcome->value, type);
  return outcome;
}

/**
 * osiiso_attempt_return_value:
 * @self: an attempt
 * @value: the value, which is copied
 *
 * Reports success with a value of any type.
 *
 * A value that holds a JavaScript object is refused, because nothing would keep
 * that object alive: the attempt fails with %OSIISO_QUEUE_ERROR_NOT_SUPPORTED.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_value (OsiisoAttempt *self,
                             const GValue  *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (G_IS_VALUE (value));

  if (osiiso_value_is_js_object (value))
    {
      osiiso_attempt_return_error_literal (self, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                           "a JavaScript object cannot be a task's value; keep it in JavaScript, or return a string, a number, a GObject or a GLib.Variant");
      return;
    }
  outcome = outcome_new (G_VALUE_TYPE (value));
  g_value_copy (value, &outcome->value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_boolean:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gboolean`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_boolean (OsiisoAttempt *self,
                               gboolean       value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_BOOLEAN);
  g_value_set_boolean (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_int:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gint64`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_int (OsiisoAttempt *self,
                           gint64         value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_INT64);
  g_value_set_int64 (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_double:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gdouble`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_double (OsiisoAttempt *self,
                              double         value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_DOUBLE);
  g_value_set_double (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_string:
 * @self: an attempt
 * @value: (nullable): the value, which is copied
 *
 * Reports success with a string.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_string (OsiisoAttempt *self,
                              const char    *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_STRING);
  g_value_set_string (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_bytes:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a [struct@GLib.Bytes].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_bytes (OsiisoAttempt *self,
                             GBytes        *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (value != NULL);

  outcome = outcome_new (G_TYPE_BYTES);
  g_value_set_boxed (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_variant:
 * @self: an attempt
 * @value: the value; a floating reference is taken over
 *
 * Reports success with a [struct@GLib.Variant].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_variant (OsiisoAttempt *self,
                               GVariant      *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (value != NULL);

  outcome = outcome_new (G_TYPE_VARIANT);
  g_value_set_variant (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

void
osiiso_attempt_take_variant (OsiisoAttempt *self,
                             GVariant      *value)
{
  OsiisoOutcome *outcome = outcome_new (G_TYPE_VARIANT);

  g_value_take_variant (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_object:
 * @self: an attempt
 * @value: the value, on which a reference is taken
 *
 * Reports success with an object.
 *
 * The queue drops its reference in the context that owns the queue.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_object (OsiisoAttempt *self,
                              GObject       *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (G_IS_OBJECT (value));

  outcome = outcome_new (G_OBJECT_TYPE (value));
  g_value_set_object (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_error:
 * @self: an attempt
 * @error: (transfer full): the error
 *
 * Reports failure.
 *
 * The task is tried again if its options leave it a retry. An error of
 * %G_IO_ERROR_CANCELLED is a failure like any other as long as nobody cancelled
 * the task.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error (OsiisoAttempt *self,
                             GError        *error)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);

  report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), -1);
}

/**
 * osiiso_attempt_return_error_details:
 * @self: an attempt
 * @error: (transfer full): the error
 * @details: (nullable): what more there is to say of it, which is copied
 *
 * Reports failure like [method@Osiiso.Attempt.return_error], with a value that says
 * more than the error can: the output of a program, an exception of another
 * language.
 *
 * When the task fails with it, [method@Osiiso.Handle.dup_error_details] has them. Of
 * attempts that are followed by another one they are dropped, in the context that
 * owns the queue unless their type may be released anywhere. A JavaScript object is
 * left out, because nothing would keep it alive.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_details (OsiisoAttempt *self,
                                     GError        *error,
                                     const GValue  *details)
{
  osiiso_attempt_return_error_full (self, error, details, -1);
}

/**
 * osiiso_attempt_return_error_full:
 * @self: an attempt
 * @error: (transfer full): the error
 * @details: (nullable): what more there is to say of it, which is copied
 * @retry_after: how long to wait before the next attempt, in seconds; negative for
 *   what the options say, infinite when there is not to be another one
 *
 * Reports failure like [method@Osiiso.Attempt.return_error_details], and says whether
 * and when it makes sense to try again: a refusal, for example, will be one again.
 *
 * How often a task is tried is still what its options say. Neither jitter nor the
 * longest wait of those changes @retry_after.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_full (OsiisoAttempt *self,
                                  GError        *error,
                                  const GValue  *details,
                                  double         retry_after)
{
  OsiisoOutcome *outcome;
  gint64 wait = -1;

  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);
  g_return_if_fail (details == NULL || G_IS_VALUE (details));
  g_return_if_fail (!isnan (retry_after));

  outcome = osiiso_outcome_new_error (error);
  if (details != NULL && !osiiso_value_is_js_object (details))
    {
      g_value_init (&outcome->value, G_VALUE_TYPE (details));
      g_value_copy (details, &outcome->value);
    }
  if (isinf (retry_after) && retry_after > 0)
    wait = OSIISO_RETRY_NEVER;
  else if (retry_after >= 0)
    wait = osiiso_clock_from_seconds (retry_after);
  report (self, OSIISO_STATUS_FAILED, outcome, wait);
}

/**
 * osiiso_attempt_return_new_error: (skip)
 * @self: an attempt
 * @domain: the error domain
 * @code: the error code
 * @format: a printf() format for the message
 * @...: what the format asks for
 *
 * Reports failure with an error made on the spot.
 *
 * Languages other than C have [method@Osiiso.Attempt.return_error_literal].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_new_error (OsiisoAttempt *self,
                                 GQuark         domain,
                                 int            code,
                                 const char    *format,
                                 ...)
{
  GError *error;
  va_list args;

  g_return_if_fail (self != NULL);
  g_return_if_fail (domain != 0);
  g_return_if_fail (format != NULL);

  va_start (args, format);
  error = g_error_new_valist (domain, code, format, args);
  va_end (args);
  osiiso_attempt_return_error (self, error);
}

/**
 * osiiso_attempt_return_error_literal:
 * @self: an attempt
 * @domain: the error domain
 * @code: the error code
 * @message: the message
 *
 * Reports failure with an error made on the spot.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_literal (OsiisoAttempt *self,
                                     GQuark         domain,
                                     int            code,
                                     const char    *message)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (domain != 0);
  g_return_if_fail (message != NULL);

  osiiso_attempt_return_error (self, g_error_new_literal (domain, code, message));
}

/**
 * osiiso_attempt_retry_after:
 * @self: an attempt
 * @seconds: how long to wait before the next attempt, in seconds, >= 0
 * @error: (transfer full): why this attempt did not work
 *
 * Reports failure and chooses the wait before the next attempt, instead of the
 * one that the options ask for: for a server, say, that tells when to come back.
 *
 * The wait is what @seconds says. Neither [property@Osiiso.TaskOptions:jitter] nor
 * [property@Osiiso.TaskOptions:max-retry-delay] changes it; who does not trust a
 * server has to limit it here.
 *
 * A task without a retry left fails with @error. A negative or infinite wait, or
 * one that is not a number, fails the task with %OSIISO_QUEUE_ERROR_INVALID, and it
 * is not tried again.
 *
 * Since: 1.0
 */
void
osiiso_attempt_retry_after (OsiisoAttempt *self,
                            double         seconds,
                            GError        *error)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);

  if (!isfinite (seconds) || seconds < 0)
    {
      g_error_free (error);
      error = g_error_new (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "the wait before a retry must be a finite number >= 0; got %g", seconds);
      /* The next attempt would do the same. */
      report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), OSIISO_RETRY_NEVER);
      return;
    }
  report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), osiiso_clock_from_seconds (seconds));
}

/**
 * osiiso_attempt_set_progress:
 * @self: an attempt
 * @fraction: how much is done, from 0 to 1; values outside are clamped, and one
 *   that is not a number leaves the fraction as it is
 * @status_text: (nullable): what is going on, for people
 *
 * Tells how far the attempt is.
 *
 * It shows in [property@Osiiso.Handle:progress] and
 * [property@Osiiso.Handle:status-text], which are notified in the context that
 * owns the queue, at most every 16 milliseconds per task.
 *
 * Since: 1.0
 */
void
osiiso_attempt_set_progress (OsiisoAttempt *self,
                             double         fraction,
                             const char    *status_text)
{
  OsiisoScheduler *scheduler;
  OsiisoRecordRare *rare;
  g_autofree char *old_text = NULL;

  g_return_if_fail (self != NULL);

  if (!osiiso_attempt_is_open (self))
    return;
  if (osiiso_attempt_is_lone (self))
    {
      osiiso_lone_attempt_set_progress (self, fraction, status_text);
      return;
    }

  scheduler = self->scheduler;
  rare = osiiso_record_ensure_rare (self->record);
  pthread_mutex_lock (&scheduler->view_lock);
  if (rare->progress == NULL)
    rare->progress = g_new0 (OsiisoProgress, 1);
  if (!isnan (fraction))
    rare->progress->fraction = CLAMP (fraction, 0, 1);
  old_text = rare->progress->status_text;
  rare->progress->status_text = g_strdup (status_text);
  pthread_mutex_unlock (&scheduler->view_lock);

  if (!(osiiso_record_set_flags (self->record, OSIISO_RECORD_NOTIFY_PENDING, 0) & OSIISO_RECORD_NOTIFY_PENDING))
    osiiso_outbox_post (&scheduler->outbox, OSIISO_EVENT_PROGRESS, self->record, NULL, NULL, NULL);
}
