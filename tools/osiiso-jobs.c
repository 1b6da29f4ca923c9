/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-interrupt.h"
#include "osiiso-joblog.h"
#include "osiiso-jobs.h"
#include "osiiso-progress.h"
#include "osiiso-report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

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

typedef struct
{
  ToolSettings      *settings;
  ToolInputs        *inputs;
  const ToolJobKind *kind;
  gpointer           user_data;

  GMainLoop         *loop;
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  ToolOutput        *output;
  ToolReport        *report;
  ToolProgress      *progress;
  ToolJoblog        *joblog;   /* (nullable) */

  GHashTable        *jobs;     /* of those that have not ended, by the id of their task */
  GQueue             order;    /* with --keep-order: those that are not printed, as they were read */
  guint64            held;     /* bytes of these that have ended */
  guint              more;     /* source */

  gboolean           full;     /* of jobs that wait */
  gboolean           started;
  gboolean           no_more;  /* inputs */
  gboolean           closing;
  gboolean           closed;
  gboolean           told;     /* what it came to */
  gboolean           broken;   /* nobody reads what is printed */
  gboolean           bad;      /* failed by something that is no job */
  int                signal;   /* that came, or 0 */
  gboolean           insisted; /* it came again */
} Jobs;

static void more_later (Jobs *self);
static void check_end (Jobs *self);

static void
job_free (gpointer data)
{
  ToolJob *job = data;

  g_free (job->label);
  g_free (job->tag);
  g_free (job->complaint);
  g_clear_object (&job->handle);
  g_clear_pointer (&job->out, g_bytes_unref);
  g_clear_pointer (&job->err, g_bytes_unref);
  g_free (job);
}

static guint64 *
job_key (ToolJob *job)
{
  guint64 id = osiiso_handle_get_task_id (job->handle);

  return g_memdup2 (&id, sizeof id);
}

/* Ending early */

static void
on_shutdown (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  Jobs *self = user_data;

  osiiso_queue_shutdown_finish (OSIISO_QUEUE (object), result, NULL);
  self->closed = TRUE;
  check_end (self);
}

static void
close_queue (Jobs    *self,
             gboolean force)
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

/* What runs goes on; what waits does not begin. */
static void
halt_soon (Jobs *self)
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
halt (Jobs *self)
{
  if (self->settings->halt == TOOL_HALT_SOON)
    halt_soon (self);
  else if (self->settings->halt == TOOL_HALT_NOW)
    close_queue (self, TRUE);
}

static void
on_interrupt (int      number,
              gpointer user_data)
{
  Jobs *self = user_data;

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
  close_queue (self, TRUE);
  check_end (self);
}

/* Printing */

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
print_bytes (Jobs    *self,
             ToolJob *job,
             int      fd,
             GBytes  *bytes)
{
  g_autoptr (GBytes) tagged = NULL;

  if (bytes == NULL)
    return;
  if (job->tag != NULL)
    tagged = add_tag (job->tag, bytes);
  tool_output_add (self->output, fd, tagged != NULL ? tagged : bytes);
}

static void
print_job (Jobs    *self,
           ToolJob *job)
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
static void
release_job (Jobs    *self,
             ToolJob *job)
{
  job->ended = TRUE;
  if (!self->settings->keep_order)
    {
      print_job (self, job);
      job_free (job);
      return;
    }
  self->held += count_bytes (job);
  while ((job = g_queue_peek_head (&self->order)) != NULL && job->ended)
    {
      self->held -= count_bytes (job);
      print_job (self, job);
      job_free (g_queue_pop_head (&self->order));
    }
}

/* Ends of jobs */

static void
fail_job (Jobs       *self,
          ToolJob    *job,
          const char *message,
          gboolean    plain)
{
  tool_report_add_failure (self->report, job, message);
  /* A program that exits with a status has said itself what is wrong. */
  if (self->settings->verbose || !(plain || self->settings->quiet))
    job->complaint = g_strdup_printf ("job %" G_GUINT64_FORMAT " failed: %s: %s", job->sequence, job->label, message);
}

static void
log_job (Jobs    *self,
         ToolJob *job)
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
  close_queue (self, TRUE);
}

static void
end_job (Jobs         *self,
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
  release_job (self, job);
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      user_data)
{
  Jobs *self = user_data;
  guint64 id = osiiso_handle_get_task_id (handle);
  ToolJob *job = g_hash_table_lookup (self->jobs, &id);
  g_autoptr (GError) error = NULL;

  g_return_if_fail (job != NULL);
  g_hash_table_remove (self->jobs, &id);
  if (osiiso_handle_get_status (handle) == OSIISO_STATUS_CANCELLED)
    {
      tool_report_get_counts (self->report)->cancelled++;
      release_job (self, job);
    }
  else
    {
      error = osiiso_handle_dup_error (handle);
      job->runtime = osiiso_handle_get_duration (handle);
      self->kind->collect (job, error, self->user_data);
      end_job (self, job, error);
    }
  more_later (self);
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      user_data)
{
  Jobs *self = user_data;
  guint64 id = osiiso_handle_get_task_id (handle);
  ToolJob *job = g_hash_table_lookup (self->jobs, &id);

  tool_report_get_counts (self->report)->retries++;
  if (self->settings->verbose && job != NULL)
    tool_output_say (self->output, "job %" G_GUINT64_FORMAT " is tried again: %s: %s", job->sequence, job->label,
                     error->message);
  /* Halted: it would never begin. */
  if (osiiso_queue_get_paused (self->queue))
    osiiso_handle_cancel (handle);
  more_later (self);
}

/* Beginning jobs */

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
take_priority (Jobs    *self,
               char   **columns,
               GError **error)
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
rehearse (Jobs    *self,
          ToolJob *job)
{
  g_autofree char *line = g_strconcat (job->label, "\n", NULL);

  job->out = g_bytes_new (line, strlen (line));
  tool_report_get_counts (self->report)->succeeded++;
  release_job (self, job);
}

static void
begin_job (Jobs    *self,
           char   **columns,
           guint64  sequence)
{
  ToolSettings *settings = self->settings;
  ToolJob *job = g_new0 (ToolJob, 1);
  const char * const *row = (const char * const *) columns;
  guint without = settings->inputs.separator != NULL ? (guint) settings->priority_from : 0;
  g_autoptr (GError) error = NULL;

  job->sequence = sequence;
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
      end_job (self, job, error);
    }
  else
    {
      rehearse (self, job);
    }
}

/* Whether there are as many jobs as there should be, without those that wait for a retry. */
static gboolean
is_full (Jobs *self)
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
has_room (Jobs *self)
{
  return g_hash_table_size (self->jobs) < MOST_JOBS && g_queue_get_length (&self->order) < MOST_JOBS &&
         self->held + tool_output_get_pending (self->output) < MOST_OUTPUT && !is_full (self);
}

static gboolean
on_more_inputs (gpointer user_data)
{
  more_later (user_data);
  return G_SOURCE_REMOVE;
}

/* Reads one input; FALSE if there is none now. */
static gboolean
take_input (Jobs *self)
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
  Jobs *self = user_data;
  guint n = 0;

  while (!self->no_more && has_room (self))
    {
      if (++n > BATCH)
        return G_SOURCE_CONTINUE;
      if (!take_input (self))
        break;
    }
  self->more = 0;
  /* Not before: the first input need not be the most urgent one. */
  if (!self->started && !self->closing)
    {
      g_autoptr (GError) error = NULL;

      self->started = TRUE;
      if (!self->settings->dry_run && !osiiso_queue_start (self->queue, &error))
        {
          tool_output_say (self->output, "%s", error->message);
          self->bad = TRUE;
          close_queue (self, TRUE);
        }
    }
  check_end (self);
  return G_SOURCE_REMOVE;
}

static void
more_later (Jobs *self)
{
  if (self->more == 0)
    self->more = g_idle_add_full (G_PRIORITY_DEFAULT, take_inputs, self, NULL);
}

/* The end */

static int
get_exit_status (Jobs *self)
{
  ToolCounts *counts = tool_report_get_counts (self->report);

  if (self->signal != 0)
    return 128 + self->signal;
  if (self->broken)
    return 128 + SIGPIPE;
  return counts->failed > 0 || counts->cancelled > 0 || self->bad ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}

static void
tell_json (Jobs *self)
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
tell_end (Jobs *self)
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

static void
check_end (Jobs *self)
{
  if (g_hash_table_size (self->jobs) > 0 || !(self->no_more || self->closing))
    return;
  if (!self->closing)
    close_queue (self, FALSE);
  if (!self->closed)
    return;
  if (!self->told)
    tell_end (self);
  /* Who is told to end does not wait for a reader. */
  if (self->signal != 0 || tool_output_get_pending (self->output) == 0)
    g_main_loop_quit (self->loop);
}

/* Output events */

static void
on_before_output (gpointer user_data)
{
  Jobs *self = user_data;

  if (self->progress != NULL)
    tool_progress_hide (self->progress);
}

static void
on_drained (gpointer user_data)
{
  Jobs *self = user_data;

  more_later (self);
}

static void
on_output_failed (int      saved_errno,
                  gpointer user_data)
{
  Jobs *self = user_data;

  if (saved_errno == EPIPE)
    {
      self->broken = TRUE;
    }
  else
    {
      self->bad = TRUE;
      tool_output_say (self->output, "cannot write to standard output: %s", g_strerror (saved_errno));
    }
  close_queue (self, TRUE);
  more_later (self);
}

static const ToolOutputEvents output_events = {
  .before = on_before_output,
  .drained = on_drained,
  .failed = on_output_failed,
};

/* Set-up */

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
make_queue (Jobs          *self,
            OsiisoBackend *backend)
{
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_set_workers (queue, self->settings->jobs);
  osiiso_queue_set_rate (queue, self->settings->rate);
  osiiso_queue_set_burst (queue, (guint) self->settings->burst);
  g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), self);
  if (self->settings->retries != 0)
    g_signal_connect (queue, "on-retry", G_CALLBACK (on_retry), self);
  return queue;
}

static void
jobs_clear (Jobs *self)
{
  GHashTableIter iter;
  gpointer job;

  g_clear_handle_id (&self->more, g_source_remove);
  g_signal_handlers_disconnect_by_data (self->queue, self);
  g_hash_table_iter_init (&iter, self->jobs);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    if (!self->settings->keep_order)
      job_free (job);
  g_hash_table_unref (self->jobs);
  g_queue_clear_full (&self->order, job_free);
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
  Jobs self = { settings, inputs, kind, user_data };
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
  self.options = make_options (settings);
  self.jobs = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_queue_init (&self.order);
  self.output = tool_output_new (&output_events, &self);
  self.report = tool_report_new ();
  self.progress = tool_progress_new (settings->progress, self.report, inputs, self.queue, self.output);
  tool_interrupt_catch (on_interrupt, &self);
  more_later (&self);
  g_main_loop_run (self.loop);
  status = get_exit_status (&self);
  jobs_clear (&self);
  return status;
}
