/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-interrupt.h"
#include "osiiso-jobs-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void
on_shutdown (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  ToolJobs *self = user_data;

  osiiso_queue_shutdown_finish (OSIISO_QUEUE (object), result, NULL);
  self->closed = TRUE;
  tool_jobs_check_end (self);
}

void
tool_jobs_close (ToolJobs *self,
                 gboolean  force)
{
  self->no_more = TRUE;
  tool_inputs_stop (self->inputs);
  if (self->closing && !force)
    return;
  if (self->closing)
    {
      osiiso_queue_cancel (self->queue);
      return;
    }
  self->closing = TRUE;
  osiiso_queue_shutdown_async (self->queue, force, NULL, on_shutdown, self);
}

static void
on_interrupt (int      number,
              gpointer user_data)
{
  ToolJobs *self = user_data;

  if (self->signal != 0)
    {
      tool_interrupt_kill ();
      /* A function in a thread does not come back. */
      if (self->insisted)
        g_main_loop_quit (self->loop);
      self->insisted = TRUE;
      return;
    }
  self->signal = number;
  tool_jobs_close (self, TRUE);
  tool_jobs_check_end (self);
}

static int
get_exit_status (ToolJobs *self)
{
  ToolCounts *counts = tool_report_get_counts (self->report);

  if (self->signal != 0)
    return 128 + self->signal;
  if (self->broken)
    return 128 + SIGPIPE;
  return counts->failed > 0 || counts->cancelled > 0 || self->bad ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}

static void
tell_json (ToolJobs *self)
{
  g_autofree char *json = tool_report_to_json (self->report, get_exit_status (self), self->signal);
  g_autofree char *line = g_strconcat (json, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (line, strlen (line));
  g_autoptr (GError) error = NULL;

  if (self->settings->json_path == NULL)
    {
      tool_output_add (self->output, STDOUT_FILENO, bytes);
    }
  else if (!g_file_set_contents (self->settings->json_path, line, -1, &error))
    {
      tool_output_say (self->output, "%s", error->message);
      self->bad = TRUE;
    }
}

static void
tell_end (ToolJobs *self)
{
  ToolCounts *counts = tool_report_get_counts (self->report);

  self->told = TRUE;
  tool_progress_finish (self->progress);
  if (self->broken)
    return;
  if (counts->failed > 0 && !self->settings->quiet)
    tool_output_say (self->output, "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " jobs failed", counts->failed,
                     tool_report_get_done (self->report) - counts->skipped);
  if (self->settings->json)
    tell_json (self);
}

void
tool_jobs_check_end (ToolJobs *self)
{
  if (g_hash_table_size (self->jobs) > 0 || !(self->no_more || self->closing))
    return;
  if (!self->closing)
    tool_jobs_close (self, FALSE);
  if (!self->closed)
    return;
  if (!self->told)
    tell_end (self);
  /* Who is told to end does not wait for a reader. */
  if (self->signal != 0 || tool_output_get_pending (self->output) == 0)
    g_main_loop_quit (self->loop);
}

static void
on_before_output (gpointer user_data)
{
  ToolJobs *self = user_data;

  if (self->progress != NULL)
    tool_progress_hide (self->progress);
}

static void
on_drained (gpointer user_data)
{
  ToolJobs *self = user_data;

  if (self->settings->line_buffer)
    tool_jobs_listen_to_all (self);
  tool_jobs_more_later (self);
}

static void
on_output_failed (int      saved_errno,
                  gpointer user_data)
{
  ToolJobs *self = user_data;

  if (saved_errno == EPIPE)
    {
      self->broken = TRUE;
    }
  else
    {
      self->bad = TRUE;
      tool_output_say (self->output, "cannot write to standard output: %s", g_strerror (saved_errno));
    }
  tool_jobs_close (self, TRUE);
  tool_jobs_more_later (self);
}

static const ToolOutputEvents output_events = {
  .before = on_before_output,
  .drained = on_drained,
  .failed = on_output_failed,
};

static OsiisoTaskOptions *
make_options (ToolSettings *settings)
{
  OsiisoTaskOptions *options = osiiso_task_options_new ();

  osiiso_task_options_set_retries (options, settings->retries);
  osiiso_task_options_set_retry_delay (options, settings->retry_delay);
  osiiso_task_options_set_backoff (options, settings->backoff);
  osiiso_task_options_set_max_retry_delay (options, settings->max_retry_delay);
  osiiso_task_options_set_jitter (options, settings->jitter);
  osiiso_task_options_set_timeout (options, settings->timeout);
  return options;
}

static OsiisoQueue *
make_queue (ToolJobs      *self,
            OsiisoBackend *backend)
{
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_set_workers (queue, self->settings->jobs);
  osiiso_queue_set_rate (queue, self->settings->rate);
  osiiso_queue_set_burst (queue, (guint) self->settings->burst);
  return queue;
}

static void
jobs_clear (ToolJobs *self)
{
  GHashTableIter iter;
  gpointer job;

  g_clear_handle_id (&self->more, g_source_remove);
  g_signal_handlers_disconnect_by_data (self->queue, self);
  g_hash_table_iter_init (&iter, self->jobs);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    if (!self->settings->keep_order)
      tool_job_free (job);
  g_hash_table_unref (self->jobs);
  g_queue_clear_full (&self->order, (GDestroyNotify) tool_job_free);
  tool_progress_free (self->progress);
  tool_report_free (self->report);
  g_clear_pointer (&self->joblog, tool_joblog_free);
  tool_output_free (self->output);
  g_object_unref (self->options);
  g_object_unref (self->queue);
  g_main_loop_unref (self->loop);
}

int
tool_jobs_run (ToolSettings      *settings,
               OsiisoBackend     *backend,
               ToolInputs        *inputs,
               const ToolJobKind *kind,
               gpointer           user_data)
{
  ToolJobs self = { settings, inputs, kind, user_data };
  g_autoptr (GError) error = NULL;
  int status;

  if (settings->joblog != NULL && !settings->dry_run)
    {
      self.joblog = tool_joblog_open (settings->joblog, settings->resume, &error);
      if (self.joblog == NULL)
        {
          g_printerr ("%s: %s\n", settings->title, error->message);
          return TOOL_EXIT_FAILED;
        }
    }
  self.loop = g_main_loop_new (NULL, FALSE);
  self.queue = make_queue (&self, backend);
  tool_jobs_connect (&self);
  self.options = make_options (settings);
  self.jobs = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_queue_init (&self.order);
  self.output = tool_output_new (&output_events, &self);
  self.report = tool_report_new ();
  self.progress = tool_progress_new (settings->progress, self.report, inputs, self.queue, self.output);
  tool_interrupt_catch (on_interrupt, &self);
  tool_jobs_more_later (&self);
  g_main_loop_run (self.loop);
  status = get_exit_status (&self);
  jobs_clear (&self);
  return status;
}
