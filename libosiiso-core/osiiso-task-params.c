/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-task-params-private.h"

#include "osiiso-task-options.h"

/* The count is changed with the atomic operations that the compiler expands
 * here, not with the functions of GLib, and the strings are shared with no other
 * params: race detectors see only the former when GLib was not built for them. */

OsiisoTaskParams *
osiiso_task_params_ref (OsiisoTaskParams *self)
{
  osiiso_ref_count_inc (&self->ref_count);

  return self;
}

void
osiiso_task_params_unref (OsiisoTaskParams *self)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->name, g_ref_string_release);
  g_clear_pointer (&self->group_id, g_ref_string_release);
  g_clear_pointer (&self->metadata, g_variant_unref);
  g_clear_pointer (&self->retry_rules, osiiso_retry_rules_unref);
  g_free (self);
}

static OsiisoTaskParams *
params_new (void)
{
  OsiisoTaskParams *self = g_new0 (OsiisoTaskParams, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->priority = OSIISO_PRIORITY_DEFAULT;
  self->backoff = 1.0;
  return self;
}

/* All but the group id. Field by field: another thread may be changing the count
 * of @self. */
static OsiisoTaskParams *
params_copy (OsiisoTaskParams *self)
{
  OsiisoTaskParams *copy = params_new ();

  copy->priority = self->priority;
  copy->must_complete = self->must_complete;
  copy->detached = self->detached;
  copy->retries = self->retries;
  copy->timeout = self->timeout;
  copy->deadline = self->deadline;
  copy->retry_delay = self->retry_delay;
  copy->backoff = self->backoff;
  copy->max_retry_delay = self->max_retry_delay;
  copy->jitter = self->jitter;
  copy->delay = self->delay;
  copy->run_at = self->run_at;
  copy->name = self->name != NULL ? g_ref_string_new (self->name) : NULL;
  copy->metadata = self->metadata != NULL ? g_variant_ref (self->metadata) : NULL;
  copy->retry_rules = self->retry_rules != NULL ? osiiso_retry_rules_ref (self->retry_rules) : NULL;
  return copy;
}

/* @self may be NULL, which stands for the defaults; so may the return value, for
 * the defaults without a group id. */
OsiisoTaskParams *
osiiso_task_params_with_group (OsiisoTaskParams *self,
                               const char       *group_id)
{
  OsiisoTaskParams *copy;

  if (self == NULL && group_id == NULL)
    return NULL;
  if (self != NULL && g_strcmp0 (self->group_id, group_id) == 0)
    return osiiso_task_params_ref (self);

  copy = self != NULL ? params_copy (self) : params_new ();
  copy->group_id = group_id != NULL ? g_ref_string_new (group_id) : NULL;
  return copy;
}

OsiisoTaskParams *
osiiso_task_params_new_named (const char *name)
{
  OsiisoTaskParams *self = params_new ();

  self->name = g_ref_string_new (name);
  return self;
}

OsiisoTaskParams *
osiiso_task_params_with_name (OsiisoTaskParams *self,
                              OsiisoTaskParams *named)
{
  OsiisoTaskParams *copy;

  if (self == NULL)
    return osiiso_task_params_ref (named);
  if (self->name != NULL)
    return osiiso_task_params_ref (self);

  copy = params_copy (self);
  copy->group_id = self->group_id != NULL ? g_ref_string_new (self->group_id) : NULL;
  copy->name = g_ref_string_new (named->name);
  return copy;
}

gboolean
osiiso_task_params_may_retry (const OsiisoTaskParams *self,
                              const GError           *error)
{
  return self->retry_rules == NULL || osiiso_retry_rules_allow (self->retry_rules, error);
}
