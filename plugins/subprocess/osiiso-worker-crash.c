/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/wait.h>

#include "osiiso-worker-private.h"

/* Of the lines that a worker wrote last, so many bytes are told in the message. */
#define N_TOLD 1000

char *
osiiso_worker_describe_exit (int wait_status)
{
  if (wait_status == OSIISO_PROCESS_STATUS_LOST)
    return g_strdup ("ended (somebody else has asked for its status)");
  if (WIFSIGNALED (wait_status))
    return g_strdup_printf ("was killed by signal %d (%s)", WTERMSIG (wait_status), strsignal (WTERMSIG (wait_status)));
  return g_strdup_printf ("exited with status %d", WEXITSTATUS (wait_status));
}

/* The last lines, whole ones if possible; NULL when there are none. */
static char *
dup_last_lines (OsiisoWorker *self)
{
  const char *start = self->tail->str;
  const char *end = start + self->tail->len;
  const char *line;
  char *text;

  if (end - start > N_TOLD)
    {
      start = end - N_TOLD;
      line = memchr (start, '\n', N_TOLD);
      if (line != NULL && line + 1 < end)
        start = line + 1;
    }
  text = g_strchomp (g_utf8_make_valid (start, end - start));
  if (*text == '\0')
    g_clear_pointer (&text, g_free);
  return text;
}

static GString *
begin_message (OsiisoWorker *self)
{
  g_autofree char *exit = osiiso_worker_describe_exit (self->wait_status);
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "worker %d %s", (int) osiiso_process_get_pid (self->process), exit);
  return text;
}

static void
append_last_lines (OsiisoWorker *self,
                   GString      *text)
{
  g_autofree char *lines = dup_last_lines (self);

  if (lines != NULL)
    g_string_append_printf (text, "; the last that it wrote to standard error: %s", lines);
}

/* 0 when it is not known. */
static guint64
get_peak_rss (OsiisoWorker *self)
{
  /* ru_maxrss is in KiB. */
  return (guint64) self->usage.ru_maxrss * 1024;
}

GError *
osiiso_worker_new_crash_error (OsiisoWorker *self,
                               const char   *function)
{
  GString *text = begin_message (self);
  GError *error;

  g_string_append_printf (text, " while it ran '%s'", function);
  if (self->wrong != NULL)
    {
      /* Killed for it, so that the signal says nothing. */
      g_string_printf (text, "worker %d, while it ran '%s', %s",
                       (int) osiiso_process_get_pid (self->process), function, self->wrong->message);
      if (self->wrong_before)
        g_string_append_printf (text, "; '%s' has no part in that, but was lost with the worker", function);
    }
  else if (!osiiso_frame_reader_is_empty (&self->in))
    {
      g_string_append (text, ", in the middle of a frame");
    }
  if (get_peak_rss (self) > 0)
    g_string_append_printf (text, "; its peak memory was %.1f MiB", (double) get_peak_rss (self) / (1 << 20));
  append_last_lines (self, text);
  error = g_error_new_literal (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, text->str);
  g_string_free (text, TRUE);
  return error;
}

GError *
osiiso_worker_new_start_error (OsiisoWorker *self)
{
  GString *text = begin_message (self);
  GError *error;

  if (self->wrong != NULL)
    g_string_printf (text, "worker %d %s", (int) osiiso_process_get_pid (self->process), self->wrong->message);
  else
    g_string_append (text, " before it was ready");
  append_last_lines (self, text);
  error = g_error_new_literal (self->wrong != NULL ? self->wrong->domain : OSIISO_QUEUE_ERROR,
                               self->wrong != NULL ? self->wrong->code : OSIISO_QUEUE_ERROR_CRASHED, text->str);
  g_string_free (text, TRUE);
  return error;
}

static double
to_seconds (const struct timeval *time)
{
  return (double) time->tv_sec + (double) time->tv_usec / G_USEC_PER_SEC;
}

void
osiiso_worker_init_details (OsiisoWorker *self,
                            GValue       *details)
{
  g_autofree char *text = g_utf8_make_valid (self->tail->str, (gssize) self->tail->len);
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "pid", "i", (gint32) osiiso_process_get_pid (self->process));
  if (self->wait_status == OSIISO_PROCESS_STATUS_LOST)
    ;
  else if (WIFSIGNALED (self->wait_status))
    g_variant_dict_insert (&dict, "signal", "i", (gint32) WTERMSIG (self->wait_status));
  else
    g_variant_dict_insert (&dict, "exit-status", "i", (gint32) WEXITSTATUS (self->wait_status));
  if (get_peak_rss (self) > 0)
    g_variant_dict_insert (&dict, "peak-rss", "t", get_peak_rss (self));
  g_variant_dict_insert (&dict, "user-time", "d", to_seconds (&self->usage.ru_utime));
  g_variant_dict_insert (&dict, "system-time", "d", to_seconds (&self->usage.ru_stime));
  g_variant_dict_insert (&dict, "stderr", "s", text);
  g_value_init (details, G_TYPE_VARIANT);
  g_value_set_variant (details, g_variant_dict_end (&dict));
}
