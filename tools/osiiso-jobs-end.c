/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-jobs-private.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

void
tool_job_free (ToolJob *job)
{
  g_free (job->label);
  g_free (job->tag);
  g_free (job->complaint);
  g_clear_object (&job->handle);
  g_clear_pointer (&job->lines, tool_lines_free);
  g_clear_pointer (&job->out, g_bytes_unref);
  g_clear_pointer (&job->err, g_bytes_unref);
  g_free (job);
}

static GBytes *
add_tag (const char *tag,
         GBytes     *bytes)
{
  GByteArray *tagged = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  for (gsize at = 0; at < size;)
    {
      const guint8 *end = memchr (data + at, '\n', size - at);
      gsize length = end != NULL ? (gsize) (end - data) + 1 - at : size - at;

      g_byte_array_append (tagged, (const guint8 *) tag, (guint) strlen (tag));
      g_byte_array_append (tagged, (const guint8 *) "\t", 1);
      g_byte_array_append (tagged, data + at, (guint) length);
      at += length;
    }
  return g_byte_array_free_to_bytes (tagged);
}

static void
print_bytes (ToolJobs *self,
             ToolJob  *job,
             int       fd,
             GBytes   *bytes)
{
  g_autoptr (GBytes) tagged = NULL;

  if (bytes == NULL)
    return;
  if (job->tag != NULL)
    tagged = add_tag (job->tag, bytes);
  tool_output_add (self->output, fd, tagged != NULL ? tagged : bytes);
}

static void
print_job (ToolJobs *self,
           ToolJob  *job)
{
  print_bytes (self, job, STDOUT_FILENO, job->out);
  print_bytes (self, job, STDERR_FILENO, job->err);
  if (job->complaint != NULL)
    tool_output_say (self->output, "%s", job->complaint);
}

static guint64
count_bytes (ToolJob *job)
{
  return (job->out != NULL ? g_bytes_get_size (job->out) : 0) + (job->err != NULL ? g_bytes_get_size (job->err) : 0);
}

/* Takes the job, which has ended. */
void
tool_jobs_release (ToolJobs *self,
                   ToolJob  *job)
{
  job->ended = TRUE;
  if (!self->settings->keep_order)
    {
      print_job (self, job);
      tool_job_free (job);
      return;
    }
  self->held += count_bytes (job);
  while ((job = g_queue_peek_head (&self->order)) != NULL && job->ended)
    {
      self->held -= count_bytes (job);
      print_job (self, job);
      tool_job_free (g_queue_pop_head (&self->order));
    }
}

/* So much that waits to be read by others is enough. */
#define MOST_LINES (1 << 20)

void
tool_jobs_listen (ToolJobs *self,
                  ToolJob  *job)
{
  if (job->lines != NULL && tool_output_get_pending (self->output) < MOST_LINES)
    tool_lines_listen (job->lines);
}

void
tool_jobs_listen_to_all (ToolJobs *self)
{
  GHashTableIter iter;
  gpointer job;

  g_hash_table_iter_init (&iter, self->jobs);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    if (osiiso_handle_get_status (((ToolJob *) job)->handle) == OSIISO_STATUS_RUNNING)
      tool_jobs_listen (self, job);
}

void
tool_jobs_print_lines (int      fd,
                       GBytes  *bytes,
                       gpointer data)
{
  ToolJob *job = data;
  ToolJobs *self = job->run;

  print_bytes (self, job, fd, bytes);
  if (tool_output_get_pending (self->output) >= MOST_LINES)
    tool_lines_pause (job->lines);
}

/* What runs goes on; what waits does not begin. */
static void
halt_soon (ToolJobs *self)
{
  GHashTableIter iter;
  gpointer job;

  if (self->no_more && osiiso_queue_get_paused (self->queue))
    return;
  self->no_more = TRUE;
  tool_inputs_stop (self->inputs);
  osiiso_queue_pause (self->queue);
  g_hash_table_iter_init (&iter, self->jobs);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    if (osiiso_handle_get_status (((ToolJob *) job)->handle) != OSIISO_STATUS_RUNNING)
      osiiso_handle_cancel (((ToolJob *) job)->handle);
}

static void
halt (ToolJobs *self)
{
  if (self->settings->halt == TOOL_HALT_SOON)
    halt_soon (self);
  else if (self->settings->halt == TOOL_HALT_NOW)
    tool_jobs_close (self, TRUE);
}

/* Bytes of a command that are told when it fails. */
#define MOST_TOLD 500

/* (transfer full): the beginning of a long one, in whole characters. */
static char *
shorten (const char *label)
{
  gsize length = strlen (label);

  if (length <= MOST_TOLD)
    return g_strdup (label);
  for (length = MOST_TOLD; length > 0 && (label[length] & 0xc0) == 0x80; length--)
    ;
  return g_strdup_printf ("%.*s…", (int) length, label);
}

static void
fail_job (ToolJobs   *self,
          ToolJob    *job,
          const char *message,
          gboolean    plain)
{
  g_autofree char *label = shorten (job->label);

  tool_report_add_failure (self->report, job, message);
  /* A program that exits with a status has said itself what is wrong. */
  if (self->settings->verbose || !(plain || self->settings->quiet))
    job->complaint = g_strdup_printf ("job %" G_GUINT64_FORMAT " failed: %s: %s", job->sequence, label, message);
}

static void
log_job (ToolJobs *self,
         ToolJob  *job)
{
  double now = (double) g_get_monotonic_time () / G_USEC_PER_SEC;
  double ended = job->handle != NULL ? osiiso_handle_get_finished (job->handle) : now;
  double started = (double) g_get_real_time () / G_USEC_PER_SEC - (now - ended) - job->runtime;
  g_autoptr (GError) error = NULL;

  if (self->joblog == NULL || tool_joblog_write (self->joblog, job, started, &error))
    return;
  tool_output_say (self->output, "%s", error->message);
  g_clear_pointer (&self->joblog, tool_joblog_free);
  self->bad = TRUE;
  tool_jobs_close (self, TRUE);
}

void
tool_jobs_end (ToolJobs     *self,
               ToolJob      *job,
               const GError *error)
{
  g_autofree char *message = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    {
      job->exit_status = -1;
      job->signal = SIGTERM;
    }
  else if (error != NULL && job->exit_status == 0 && job->signal == 0)
    {
      job->exit_status = 1;
    }
  if (job->dropped > 0)
    message = g_strdup_printf ("%" G_GUINT64_FORMAT " bytes of its output are lost, see --output-limit", job->dropped);

  log_job (self, job);
  if (error != NULL)
    fail_job (self, job, error->message, error->domain == G_SPAWN_EXIT_ERROR);
  else if (message != NULL)
    fail_job (self, job, message, FALSE);
  else
    tool_report_get_counts (self->report)->succeeded++;
  if (error != NULL || message != NULL)
    halt (self);
  tool_jobs_release (self, job);
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      user_data)
{
  ToolJobs *self = user_data;
  guint64 id = osiiso_handle_get_task_id (handle);
  ToolJob *job = g_hash_table_lookup (self->jobs, &id);
  g_autoptr (GError) error = NULL;

  g_return_if_fail (job != NULL);
  g_hash_table_remove (self->jobs, &id);
  if (job->lines != NULL)
    tool_lines_finish (job->lines);
  if (osiiso_handle_get_status (handle) == OSIISO_STATUS_CANCELLED)
    {
      tool_report_get_counts (self->report)->cancelled++;
      tool_jobs_release (self, job);
    }
  else
    {
      error = osiiso_handle_dup_error (handle);
      job->runtime = osiiso_handle_get_duration (handle);
      self->kind->collect (job, error, self->user_data);
      tool_jobs_end (self, job, error);
    }
  tool_jobs_more_later (self);
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      user_data)
{
  ToolJobs *self = user_data;
  guint64 id = osiiso_handle_get_task_id (handle);
  ToolJob *job = g_hash_table_lookup (self->jobs, &id);

  tool_report_get_counts (self->report)->retries++;
  if (self->settings->verbose && job != NULL)
    {
      g_autofree char *label = shorten (job->label);

      tool_output_say (self->output, "job %" G_GUINT64_FORMAT " is tried again: %s: %s", job->sequence, label,
                       error->message);
    }
  /* Halted: it would never begin. */
  if (osiiso_queue_get_paused (self->queue))
    osiiso_handle_cancel (handle);
  tool_jobs_more_later (self);
}

static void
on_start (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          gpointer      user_data)
{
  ToolJobs *self = user_data;
  guint64 id = osiiso_handle_get_task_id (handle);
  ToolJob *job = g_hash_table_lookup (self->jobs, &id);

  if (job != NULL)
    tool_jobs_listen (self, job);
}

void
tool_jobs_connect (ToolJobs *self)
{
  g_signal_connect (self->queue, "on-complete", G_CALLBACK (on_complete), self);
  if (self->settings->line_buffer)
    g_signal_connect (self->queue, "on-start", G_CALLBACK (on_start), self);
  if (self->settings->retries != 0)
    g_signal_connect (self->queue, "on-retry", G_CALLBACK (on_retry), self);
}
