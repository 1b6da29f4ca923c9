/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "index-progress.h"
#include "index-text.h"

#define TICK_MS         100
#define TICKS_PER_LINE  20 /* where it is no terminal */
/* The rates are those of the last five seconds. */
#define N_SAMPLES       50
#define DEFAULT_COLUMNS 80

#define ERASE_LINE      "\r\033[K"

typedef struct
{
  gint64     time;
  IndexCount done;
  guint64    pictures;
} Sample;

struct _IndexProgress
{
  const IndexTotals *totals;
  gboolean           is_terminal;
  gboolean           is_drawn;
  guint              source_id;
  guint              n_ticks;
  guint              n_samples;
  Sample             samples[N_SAMPLES]; /* a ring, at n_samples % N_SAMPLES */
};

static guint
get_columns (void)
{
  struct winsize size = { 0 };

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;

  return DEFAULT_COLUMNS;
}

/* Cuts @text to @columns, of which some characters take two and some none. */
static void
truncate_to_columns (GString *text,
                     guint    columns)
{
  guint used = 0;

  for (const char *p = text->str; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!g_unichar_iszerowidth (c))
        used += g_unichar_iswide (c) ? 2 : 1;
      if (used > columns)
        {
          g_string_truncate (text, p - text->str);
          return;
        }
    }
}

/* What is done, with the parts of big files that are. A task's progress is read
 * from its handle. */
static IndexCount
count_done (const IndexTotals *totals)
{
  IndexCount done = totals->done;

  for (guint i = 0; i < totals->big->len; i++)
    {
      OsiisoHandle *handle = g_ptr_array_index (totals->big, i);
      const char *path;
      guint64 size;

      index_file_metadata_get (osiiso_handle_get_metadata (handle), &path, &size);
      done.bytes += (guint64) (osiiso_handle_get_progress (handle) * (double) size);
    }

  return done;
}

static void
append_eta (GString *line,
            double   seconds)
{
  if (!isfinite (seconds) || seconds > 100 * 3600)
    g_string_append (line, "ETA --:--");
  else if (seconds >= 3600)
    g_string_append_printf (line, "ETA %d:%02d:%02d", (int) seconds / 3600,
                            (int) seconds / 60 % 60, (int) seconds % 60);
  else
    g_string_append_printf (line, "ETA %d:%02d", (int) seconds / 60, (int) seconds % 60);
}

/* Opening files, reading them and decoding pictures all take time. Which of these
 * decides depends on the files, so the estimate is the longest one. */
static double
estimate_seconds (const IndexTotals *totals,
                  const IndexCount  *done,
                  double             files_rate,
                  double             bytes_rate,
                  double             pictures_rate)
{
  double files = totals->found.files > done->files ? (double) (totals->found.files - done->files) : 0;
  double bytes = totals->found.bytes > done->bytes ? (double) (totals->found.bytes - done->bytes) : 0;
  double pictures = (double) (totals->pictures.found - totals->pictures.done);

  /* While big files are read, none may have been finished for a while; then
   * only the bytes say something. */
  double by_files = files_rate > 0 ? files / files_rate : 0;
  double by_bytes = bytes_rate > 0 ? bytes / bytes_rate : (double) INFINITY;
  double by_pictures = pictures_rate > 0 ? pictures / pictures_rate : (double) INFINITY;

  return MAX (bytes > 0 ? MAX (by_files, by_bytes) : by_files, pictures > 0 ? by_pictures : 0);
}

/* The file whose task is the furthest behind its end is the one to wait for. */
static void
append_big_file (GString           *line,
                 const IndexTotals *totals)
{
  OsiisoHandle *slowest = NULL;
  double progress = 1.0;

  for (guint i = 0; i < totals->big->len; i++)
    {
      OsiisoHandle *handle = g_ptr_array_index (totals->big, i);
      double p = osiiso_handle_get_progress (handle);

      if (p > 0.0 && p < progress)
        {
          slowest = handle;
          progress = p;
        }
    }

  if (slowest != NULL)
    {
      g_autofree char *basename = g_path_get_basename (osiiso_handle_get_name (slowest));

      g_string_append_printf (line, "  %.0f%% of %s", progress * 100, basename);
    }
}

static GString *
format_line (IndexProgress *self)
{
  const IndexTotals *totals = self->totals;
  const Sample *last = &self->samples[(self->n_samples - 1) % N_SAMPLES];
  const Sample *first = &self->samples[self->n_samples > N_SAMPLES ? self->n_samples % N_SAMPLES : 0];
  double seconds = (double) MAX (last->time - first->time, 1) / G_USEC_PER_SEC;
  double files_rate = (double) (last->done.files - first->done.files) / seconds;
  double bytes_rate = MAX ((double) last->done.bytes - (double) first->done.bytes, 0) / seconds;
  double pictures_rate = (double) (last->pictures - first->pictures) / seconds;
  g_autofree char *done_bytes = index_text_from_size (last->done.bytes);
  g_autofree char *found_bytes = index_text_from_size (totals->found.bytes);
  g_autofree char *rate = index_text_from_size ((guint64) bytes_rate);
  GString *line = g_string_new (NULL);

  g_string_append_printf (line,
                          "%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " files  %s/%s  %.0f files/s  %s/s  ",
                          last->done.files, totals->found.files, done_bytes, found_bytes,
                          files_rate, rate);
  if (totals->pictures.found > 0)
    g_string_append_printf (line, "%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " pictures  ",
                            last->pictures, totals->pictures.found);
  if (totals->listed)
    append_eta (line, estimate_seconds (totals, &last->done, files_rate, bytes_rate, pictures_rate));
  else
    g_string_append (line, "listing...");
  if (index_totals_get_failed (totals) > 0)
    g_string_append_printf (line, "  %" G_GUINT64_FORMAT " failed", index_totals_get_failed (totals));
  append_big_file (line, totals);

  return line;
}

static void
print_line (IndexProgress *self)
{
  GString *line = format_line (self);

  if (self->is_terminal)
    {
      /* A character in the last column would make some terminals wrap. */
      truncate_to_columns (line, get_columns () - 1);
      g_printerr (ERASE_LINE "%s", line->str);
      self->is_drawn = TRUE;
    }
  else
    {
      g_printerr ("%s\n", line->str);
    }

  g_string_free (line, TRUE);
}

static gboolean
on_tick (gpointer user_data)
{
  IndexProgress *self = user_data;
  Sample *sample = &self->samples[self->n_samples++ % N_SAMPLES];

  sample->time = g_get_monotonic_time ();
  sample->done = count_done (self->totals);
  sample->pictures = self->totals->pictures.done;

  self->n_ticks++;
  if (self->is_terminal || self->n_ticks % TICKS_PER_LINE == 0)
    print_line (self);

  return G_SOURCE_CONTINUE;
}

IndexProgress *
index_progress_new (const IndexTotals *totals)
{
  IndexProgress *self = g_new0 (IndexProgress, 1);

  self->totals = totals;
  self->is_terminal = isatty (STDERR_FILENO) && g_strcmp0 (g_getenv ("TERM"), "dumb") != 0;

  /* The first sample is the start, at which nothing was done. */
  self->samples[0].time = g_get_monotonic_time ();
  self->n_samples = 1;
  self->source_id = g_timeout_add (TICK_MS, on_tick, self);

  return self;
}

void
index_progress_free (IndexProgress *self)
{
  index_progress_erase (self);
  g_source_remove (self->source_id);
  g_free (self);
}

void
index_progress_erase (IndexProgress *self)
{
  if (self->is_drawn)
    g_printerr (ERASE_LINE);
  self->is_drawn = FALSE;
}
