/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-jobs-private.h"

#include <string.h>

/* How many jobs there are more than can run, so that workers find the next one in the
 * queue. That some have ended and are not printed yet counts as well. */
#define MOST_WAITING 2048
/* How many there are, with those that wait for a retry or to be printed. With
 * priorities all of them wait in the queue. */
#define MOST_JOBS 100000
/* How many bytes wait to be printed, while jobs are still begun. */
#define MOST_OUTPUT (64 << 20)
/* How many inputs are read until others get a turn. */
#define BATCH 256

static guint64 *
job_key (ToolJob *job)
{
  guint64 id = osiiso_handle_get_task_id (job->handle);

  return g_memdup2 (&id, sizeof id);
}

/* Takes one of the fields of *input, which have tabs in between. (nullable) */
static char *
cut_field (char **input,
           guint  number)
{
  char **fields = g_strsplit (*input, "\t", -1);
  char *field;

  if (number > g_strv_length (fields))
    {
      g_strfreev (fields);
      return NULL;
    }
  field = fields[number - 1];
  for (char **rest = fields + number - 1; *rest != NULL; rest++)
    rest[0] = rest[1];
  g_free (*input);
  *input = g_strjoinv ("\t", fields);
  g_strfreev (fields);
  return field;
}

/* Sets the priority of what is submitted next. Without columns, the fields of the
 * input are looked at, and it loses one. */
static gboolean
take_priority (ToolJobs  *self,
               char     **columns,
               GError   **error)
{
  guint column = (guint) self->settings->priority_from;
  g_autofree char *text = NULL;
  gint64 priority;

  if (column == 0)
    return TRUE;
  if (self->settings->inputs.separator == NULL)
    text = cut_field (&columns[0], column);
  else if (column <= g_strv_length (columns))
    text = g_strdup (columns[column - 1]);
  if (text == NULL ||
      !g_ascii_string_to_signed (text, 10, OSIISO_PRIORITY_MIN, OSIISO_PRIORITY_MAX, &priority, NULL))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "Column %u is no priority from %d to %d", column,
                   OSIISO_PRIORITY_MIN, OSIISO_PRIORITY_MAX);
      return FALSE;
    }
  osiiso_task_options_set_priority (self->options, (int) priority);
  return TRUE;
}

static void
rehearse (ToolJobs *self,
          ToolJob  *job)
{
  g_autofree char *line = g_strconcat (job->label, "\n", NULL);

  job->out = g_bytes_new (line, strlen (line));
  tool_report_get_counts (self->report)->succeeded++;
  tool_jobs_release (self, job);
}

static void
begin_job (ToolJobs  *self,
           char     **columns,
           guint64    sequence)
{
  ToolSettings *settings = self->settings;
  ToolJob *job = g_new0 (ToolJob, 1);
  const char * const *row = (const char * const *) columns;
  guint without = settings->inputs.separator != NULL ? (guint) settings->priority_from : 0;
  g_autoptr (GError) error = NULL;

  job->sequence = sequence;
  job->run = self;
  if (settings->tag)
    job->tag = g_strjoinv ("\t", columns);
  if (settings->keep_order)
    g_queue_push_tail (&self->order, job);
  if (take_priority (self, columns, &error))
    job->handle = self->kind->submit (job, row, without, self->queue, self->options, self->user_data, &error);
  if (job->label == NULL)
    job->label = tool_quote (row);
  if (job->handle != NULL)
    {
      if (settings->verbose)
        tool_output_say (self->output, "job %" G_GUINT64_FORMAT ": %s", job->sequence, job->label);
      g_hash_table_insert (self->jobs, job_key (job), job);
    }
  else if (error != NULL)
    {
      tool_jobs_end (self, job, error);
    }
  else
    {
      rehearse (self, job);
    }
}

/* Whether there are as many jobs as there should be, without those that wait for a retry. */
static gboolean
is_full (ToolJobs *self)
{
  guint64 retrying = osiiso_queue_get_scheduled_count (self->queue);
  guint64 jobs = g_hash_table_size (self->jobs);
  guint64 most = self->settings->jobs + MOST_WAITING;

  if (self->settings->priority_from != 0)
    return FALSE;
  jobs -= MIN (jobs, retrying);
  /* What waits could begin before a failure is known here. */
  if (self->settings->halt != TOOL_HALT_NEVER)
    return jobs >= self->settings->jobs;
  /* Many at once disturb those who work less than one by one. */
  if (jobs >= most)
    self->full = TRUE;
  else if (jobs <= most - MOST_WAITING / 2)
    self->full = FALSE;
  return self->full;
}

static gboolean
has_room (ToolJobs *self)
{
  return g_hash_table_size (self->jobs) < MOST_JOBS && g_queue_get_length (&self->order) < MOST_JOBS &&
         self->held + tool_output_get_pending (self->output) < MOST_OUTPUT && !is_full (self);
}

static gboolean
on_more_inputs (gpointer user_data)
{
  tool_jobs_more_later (user_data);
  return G_SOURCE_REMOVE;
}

/* Reads one input; FALSE if there is none now. */
static gboolean
take_input (ToolJobs *self)
{
  ToolCounts *counts = tool_report_get_counts (self->report);
  g_auto (GStrv) columns = NULL;
  g_autoptr (GError) error = NULL;

  switch (tool_inputs_next (self->inputs, &columns, &error))
    {
    case TOOL_INPUT_ROW:
      counts->read++;
      if (self->joblog != NULL && tool_joblog_skips (self->joblog, counts->read))
        counts->skipped++;
      else
        begin_job (self, columns, counts->read);
      return TRUE;
    case TOOL_INPUT_WAIT:
      tool_inputs_watch (self->inputs, on_more_inputs, self);
      return FALSE;
    case TOOL_INPUT_ERROR:
      tool_output_say (self->output, "%s", error->message);
      self->bad = TRUE;
      self->no_more = TRUE;
      return FALSE;
    case TOOL_INPUT_END:
    default:
      self->no_more = TRUE;
      return FALSE;
    }
}

static gboolean
take_inputs (gpointer user_data)
{
  ToolJobs *self = user_data;
  guint n = 0;

  while (!self->no_more && has_room (self))
    {
      if (++n > BATCH)
        return G_SOURCE_CONTINUE;
      if (!take_input (self))
        break;
    }
  self->more = 0;
  /* Not before: the first input need not be the most urgent one of those that come at once. */
  if (!self->started && !self->closing && (self->no_more || g_hash_table_size (self->jobs) > 0))
    {
      g_autoptr (GError) error = NULL;

      self->started = TRUE;
      if (!self->settings->dry_run && !osiiso_queue_start (self->queue, &error))
        {
          tool_output_say (self->output, "%s", error->message);
          self->bad = TRUE;
          tool_jobs_close (self, TRUE);
        }
    }
  tool_jobs_check_end (self);
  return G_SOURCE_REMOVE;
}

void
tool_jobs_more_later (ToolJobs *self)
{
  if (self->more == 0)
    self->more = g_idle_add_full (G_PRIORITY_DEFAULT, take_inputs, self, NULL);
}
