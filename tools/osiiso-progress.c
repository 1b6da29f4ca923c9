/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-progress.h"

#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_MS 200
#define TICKS_PER_LINE 5 /* where it is no terminal */
/* What is over at once needs no line. */
#define FIRST_TICK 3

struct _ToolProgress
{
  gboolean     terminal;
  ToolReport  *report;
  ToolInputs  *inputs;
  OsiisoQueue *queue;
  ToolOutput  *output;
  guint        timer; /* 0: nothing is told */
  guint        ticks;
  gboolean     drawn;
};

static guint
get_columns (void)
{
  struct winsize size;

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
    return 80;
  return size.ws_col;
}

/* To standard error, or not at all if that would block. */
static void
put (const char *text)
{
  struct pollfd pfd = { STDERR_FILENO, POLLOUT, 0 };

  if (poll (&pfd, 1, 0) > 0 && write (STDERR_FILENO, text, strlen (text)) < 0)
    return;
}

static void
append_time (GString *line,
             double   seconds)
{
  guint64 s = (guint64) ceil (MIN (seconds, 1e9));

  if (s >= 3600)
    g_string_append_printf (line, "%" G_GUINT64_FORMAT ":%02u:%02u", s / 3600, (guint) (s / 60 % 60), (guint) (s % 60));
  else
    g_string_append_printf (line, "%u:%02u", (guint) (s / 60), (guint) (s % 60));
}

static char *
make_line (ToolProgress *self)
{
  GString *line = g_string_new (NULL);
  ToolCounts *counts = tool_report_get_counts (self->report);
  guint64 done = tool_report_get_done (self->report);
  gboolean exact;
  guint64 total = MAX (tool_inputs_get_total (self->inputs, counts->read, &exact), done);
  /* What was left out tells nothing about how long the rest takes. */
  guint64 own = done - counts->skipped;
  /* What was ended before its time is not done. */
  guint64 over = done - counts->cancelled;

  g_string_append_printf (line, "%" G_GUINT64_FORMAT, over);
  if (total > done || exact)
    g_string_append_printf (line, "/%s%" G_GUINT64_FORMAT " %u%%", exact ? "" : "~", total,
                            (guint) (total > 0 ? (double) over / (double) total * 100 : 100));
  g_string_append_printf (line, "  %" G_GUINT64_FORMAT " running", osiiso_queue_get_active_count (self->queue));
  if (counts->failed > 0)
    g_string_append_printf (line, "  %" G_GUINT64_FORMAT " failed", counts->failed);
  if (counts->cancelled > 0)
    g_string_append_printf (line, "  %" G_GUINT64_FORMAT " cancelled", counts->cancelled);
  if (counts->retries > 0)
    g_string_append_printf (line, "  %" G_GUINT64_FORMAT " retries", counts->retries);
  if (own > 0 && total > done && counts->cancelled == 0)
    {
      g_string_append (line, "  ETA ");
      append_time (line, tool_report_get_elapsed (self->report) / (double) own * (double) (total - done));
    }
  return g_string_free (line, FALSE);
}

static void
draw (ToolProgress *self)
{
  g_autofree char *line = make_line (self);
  g_autofree char *text = NULL;

  if (!self->terminal)
    {
      text = g_strdup_printf ("%s: %s\n", g_get_prgname (), line);
    }
  else
    {
      /* A job has left its line open, which must not be overwritten. */
      if (!tool_output_at_start (self->output) || tool_output_get_pending (self->output) > 0)
        return;
      text = g_strdup_printf ("\r\033[K%.*s", (int) get_columns () - 1, line);
      self->drawn = TRUE;
    }
  put (text);
}

static gboolean
on_tick (gpointer user_data)
{
  ToolProgress *self = user_data;

  self->ticks++;
  if (self->terminal ? self->ticks >= FIRST_TICK : self->ticks % TICKS_PER_LINE == 0)
    draw (self);
  return G_SOURCE_CONTINUE;
}

ToolProgress *
tool_progress_new (int          mode,
                   ToolReport  *report,
                   ToolInputs  *inputs,
                   OsiisoQueue *queue,
                   ToolOutput  *output)
{
  ToolProgress *self = g_new0 (ToolProgress, 1);

  self->terminal = isatty (STDERR_FILENO) && g_strcmp0 (g_getenv ("TERM"), "dumb") != 0;
  self->report = report;
  self->inputs = inputs;
  self->queue = queue;
  self->output = output;
  if (mode > 0 || (mode < 0 && self->terminal))
    self->timer = g_timeout_add (TICK_MS, on_tick, self);
  return self;
}

void
tool_progress_hide (ToolProgress *self)
{
  if (self->drawn)
    put ("\r\033[K");
  self->drawn = FALSE;
}

void
tool_progress_finish (ToolProgress *self)
{
  tool_progress_hide (self);
  if (self->timer != 0 && !self->terminal)
    draw (self);
  g_clear_handle_id (&self->timer, g_source_remove);
}

void
tool_progress_free (ToolProgress *self)
{
  tool_progress_hide (self);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_free (self);
}
