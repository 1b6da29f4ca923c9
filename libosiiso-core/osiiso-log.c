/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-log.h"

#include "osiiso-attempt-private.h"
#include "osiiso-scheduler-private.h"

#define N_OWN 4

/* The fields of the task that this thread is in, and their texts. */
typedef struct
{
  GLogField fields[N_OWN];
  gsize     n_fields;
  char      task_id[24];
  char      attempt[12];
  char     *name;  /* (nullable) (owned) */
  char     *queue; /* (nullable) (owned), a reference */
} OwnFields;

static void
add_field (OwnFields  *self,
           const char *key,
           const char *value)
{
  if (value != NULL)
    self->fields[self->n_fields++] = (GLogField) { key, value, -1 };
}

static void
own_fields_init (OwnFields     *self,
                 OsiisoAttempt *attempt)
{
  self->n_fields = 0;
  self->name = osiiso_attempt_dup_name (attempt);
  self->queue = attempt->scheduler != NULL ? osiiso_scheduler_acquire_name (attempt->scheduler) : NULL;
  g_snprintf (self->task_id, sizeof self->task_id, "%" G_GUINT64_FORMAT, osiiso_attempt_get_task_id (attempt));
  g_snprintf (self->attempt, sizeof self->attempt, "%u", osiiso_attempt_get_number (attempt));

  add_field (self, "OSIISO_TASK_ID", self->task_id);
  add_field (self, "OSIISO_TASK_NAME", self->name);
  add_field (self, "OSIISO_ATTEMPT", self->attempt);
  add_field (self, "OSIISO_QUEUE", self->queue);
}

/**
 * osiiso_log_writer:
 * @log_level: the level
 * @fields: (array length=n_fields): the fields
 * @n_fields: how many there are
 * @user_data: nothing
 *
 * Writes a message like [func@GLib.log_writer_default], with the task that logs it.
 *
 * For programs in C that have a writer of their own; others call
 * [func@Osiiso.log_install_writer]. Any thread.
 *
 * Returns: whether it was written
 *
 * Since: 1.0
 */
GLogWriterOutput
osiiso_log_writer (GLogLevelFlags   log_level,
                   const GLogField *fields,
                   gsize            n_fields,
                   gpointer         user_data)
{
  OsiisoAttempt *attempt = osiiso_attempt_get_current ();
  g_autofree GLogField *all = NULL;
  GLogWriterOutput output;
  OwnFields own;

  if (attempt == NULL)
    return g_log_writer_default (log_level, fields, n_fields, user_data);

  own_fields_init (&own, attempt);
  all = g_new (GLogField, n_fields + own.n_fields);
  memcpy (all, fields, n_fields * sizeof *all);
  memcpy (all + n_fields, own.fields, own.n_fields * sizeof *all);
  output = g_log_writer_default (log_level, all, n_fields + own.n_fields, user_data);
  g_free (own.name);
  g_clear_pointer (&own.queue, g_ref_string_release);
  return output;
}

/**
 * osiiso_log_install_writer:
 *
 * Lets all messages that are logged in a task say which task that is.
 *
 * They have the fields
 *
 * - `OSIISO_TASK_ID`, the number of the task, as [method@Osiiso.Handle.get_task_id]
 *   gives it,
 * - `OSIISO_TASK_NAME`, if the task has a name,
 * - `OSIISO_ATTEMPT`, which attempt at it that is, from 1,
 * - `OSIISO_QUEUE`, if the queue has a name, see [property@Osiiso.Queue:name],
 *
 * which the journal keeps: `journalctl OSIISO_QUEUE=thumbnails` shows what the tasks of
 * one queue had to say. It is about what is logged in the thread, and while, the function
 * of a task runs.
 *
 * A program has one log writer, [func@GLib.log_set_writer_func], and this is it then. Call
 * it once, at the beginning, in any thread.
 *
 * Since: 1.0
 */
void
osiiso_log_install_writer (void)
{
  g_log_set_writer_func (osiiso_log_writer, NULL, NULL);
}
