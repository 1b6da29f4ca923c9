/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

struct _ToolJoblog
{
  char   *path;
  int     fd;
  GArray *done; /* guint64, sorted */
  guint   next; /* of done */
};

static gboolean
fail (ToolJoblog *self,
      const char *what,
      int         saved_errno,
      GError    **error)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "Cannot %s the joblog %s: %s", what,
               self->path, g_strerror (saved_errno));
  return FALSE;
}

static int
compare_numbers (gconstpointer a,
                 gconstpointer b)
{
  guint64 x = *(const guint64 *) a;
  guint64 y = *(const guint64 *) b;

  return (x > y) - (x < y);
}

/* FALSE for what is no line of a joblog. */
static gboolean
parse_line (const char *line,
            guint64    *sequence,
            gboolean   *succeeded)
{
  g_auto (GStrv) fields = g_strsplit (line, "\t", 9);

  if (g_strv_length (fields) < 9 || !g_ascii_string_to_unsigned (fields[0], 10, 1, G_MAXUINT64, sequence, NULL))
    return FALSE;
  *succeeded = strcmp (fields[6], "0") == 0 && strcmp (fields[7], "0") == 0;
  return TRUE;
}

static gboolean
read_old (ToolJoblog *self,
          ToolResume  resume,
          GError    **error)
{
  FILE *file = fopen (self->path, "re");
  g_autofree char *line = NULL;
  size_t size = 0;
  gboolean first = TRUE;
  gboolean ok;

  if (file == NULL)
    return errno == ENOENT || fail (self, "read", errno, error);
  /* g_free() is free(), since GLib 2.46. The last line has no end if it could not
   * be written whole. */
  while (getline (&line, &size, file) > 0 && g_str_has_suffix (line, "\n"))
    {
      guint64 sequence;
      gboolean succeeded;

      if (first && strcmp (line, HEADER) != 0)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s is no joblog", self->path);
          fclose (file);
          return FALSE;
        }
      first = FALSE;
      if (parse_line (line, &sequence, &succeeded) && (succeeded || resume == TOOL_RESUME_ALL))
        g_array_append_val (self->done, sequence);
    }
  ok = !ferror (file) || fail (self, "read", errno, error);
  fclose (file);
  g_array_sort (self->done, compare_numbers);
  return ok;
}

static gboolean
write_all (ToolJoblog *self,
           const char *text,
           gsize       length,
           GError    **error)
{
  while (length > 0)
    {
      ssize_t n = write (self->fd, text, length);

      if (n < 0 && errno != EINTR)
        return fail (self, "write", errno, error);
      text += MAX (n, 0);
      length -= (gsize) MAX (n, 0);
    }
  return TRUE;
}

static gboolean
begin (ToolJoblog *self,
       GError    **error)
{
  struct stat info;
  char last = '\n';

  if (fstat (self->fd, &info) < 0)
    return fail (self, "open", errno, error);
  /* In a file that is no regular one, there is nothing yet. */
  if (info.st_size == 0)
    return write_all (self, HEADER, strlen (HEADER), error);
  if (pread (self->fd, &last, 1, info.st_size - 1) == 1 && last != '\n')
    return write_all (self, "\n", 1, error);
  return TRUE;
}

ToolJoblog *
tool_joblog_open (const char *path,
                  ToolResume  resume,
                  GError    **error)
{
  g_autoptr (ToolJoblog) self = g_new0 (ToolJoblog, 1);
  int flags = resume == TOOL_RESUME_NOTHING ? O_WRONLY | O_TRUNC : O_RDWR;

  self->path = g_strdup (path);
  self->done = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->fd = -1;
  if (resume != TOOL_RESUME_NOTHING && !read_old (self, resume, error))
    return NULL;
  self->fd = open (path, flags | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (self->fd < 0)
    {
      fail (self, "open", errno, error);
      return NULL;
    }
  return begin (self, error) ? g_steal_pointer (&self) : NULL;
}

void
tool_joblog_free (ToolJoblog *self)
{
  if (self->fd >= 0)
    close (self->fd);
  g_array_unref (self->done);
  g_free (self->path);
  g_free (self);
}

gboolean
tool_joblog_skips (ToolJoblog *self,
                   guint64     sequence)
{
  while (self->next < self->done->len && g_array_index (self->done, guint64, self->next) < sequence)
    self->next++;
  return self->next < self->done->len && g_array_index (self->done, guint64, self->next) == sequence;
}

gboolean
tool_joblog_write (ToolJoblog *self,
                   ToolJob    *job,
                   double      started,
                   GError    **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char start[G_ASCII_DTOSTR_BUF_SIZE];
  char runtime[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (start, sizeof start, "%.3f", started);
  g_ascii_formatd (runtime, sizeof runtime, "%10.3f", job->runtime);
  /* In one write(), so that a line is there as a whole or not at all. */
  g_string_append_printf (line, "%" G_GUINT64_FORMAT "\t:\t%s\t%s\t0\t%" G_GSIZE_FORMAT "\t%d\t%d\t%s\n",
                          job->sequence, start, runtime, job->out != NULL ? g_bytes_get_size (job->out) : 0,
                          job->exit_status, job->signal, job->label);
  return write_all (self, line->str, line->len, error);
}
