/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-task-options-private.h"

/* The options about retries: how often, when, and after which errors. */

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

  osiiso_task_options_change_int (self, &self->retries, retries, PROP_RETRIES);
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

  osiiso_task_options_change_double (self, &self->retry_delay, retry_delay, PROP_RETRY_DELAY);
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

  osiiso_task_options_change_double (self, &self->backoff, backoff, PROP_BACKOFF);
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

  osiiso_task_options_change_double (self, &self->max_retry_delay, max_retry_delay, PROP_MAX_RETRY_DELAY);
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
 * Sets by which part a wait between attempts is made shorter or longer at random,
 * before [property@Osiiso.TaskOptions:max-retry-delay] limits it.
 *
 * Since: 1.0
 */
void
osiiso_task_options_set_jitter (OsiisoTaskOptions *self,
                                double             jitter)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));

  osiiso_task_options_change_double (self, &self->jitter, jitter, PROP_JITTER);
}

static void
add_rule (OsiisoTaskOptions *self,
          GQuark             domain,
          int                code,
          gboolean           never)
{
  OsiisoRetryRules *rules = osiiso_retry_rules_add (self->retry_rules, domain, code, never);
  OsiisoRetryRules *old;
  OsiisoTaskParams *stale;

  if (rules == NULL)
    return;

  stale = osiiso_task_options_begin_change (self);
  old = self->retry_rules;
  self->retry_rules = rules;
  osiiso_task_options_end_change (self, stale, PROP_0);

  g_clear_pointer (&old, osiiso_retry_rules_unref);
}

/**
 * osiiso_task_options_retry_on:
 * @self: options
 * @domain: an error domain
 * @code: an error code of that domain, or -1 for all of them; every other number,
 *   also a negative one, is that code alone
 *
 * Adds errors after which there is another attempt, if there are retries left.
 *
 * Once this was called, no other errors are followed by an attempt; without it all
 * of them are. What takes longer than its timeout has failed with
 * %G_IO_ERROR_TIMED_OUT. An attempt that asks for a retry by
 * [method@Osiiso.Attempt.retry_after] gets it under the same condition.
 *
 * ```c
 * osiiso_task_options_set_retries (options, 3);
 * osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
 * osiiso_task_options_retry_on (options, G_RESOLVER_ERROR, -1);
 * ```
 *
 * Since: 1.0
 */
void
osiiso_task_options_retry_on (OsiisoTaskOptions *self,
                              GQuark             domain,
                              int                code)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));
  g_return_if_fail (domain != 0);

  add_rule (self, domain, code, FALSE);
}

/**
 * osiiso_task_options_never_retry_on:
 * @self: options
 * @domain: an error domain
 * @code: an error code of that domain, or -1 for all of them; every other number,
 *   also a negative one, is that code alone
 *
 * Adds errors after which there is no other attempt, whatever
 * [method@Osiiso.TaskOptions.retry_on] says.
 *
 * Since: 1.0
 */
void
osiiso_task_options_never_retry_on (OsiisoTaskOptions *self,
                                    GQuark             domain,
                                    int                code)
{
  g_return_if_fail (OSIISO_IS_TASK_OPTIONS (self));
  g_return_if_fail (domain != 0);

  add_rule (self, domain, code, TRUE);
}
