/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-lines.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536
/* What has no end of a line by then is printed without. */
#define LONGEST_LINE (1 << 20)
#define N_OUTPUTS 2

typedef struct
{
  ToolLines  *lines;
  char       *path;
  int         fd;      /* ours; -1 before the job begins */
  int         number;  /* the job's */
  guint       watch;
  GByteArray *rest;    /* of a line */
} Output;

struct _ToolLines
{
  Output         outputs[N_OUTPUTS];
  ToolLinesPrint print;
  gpointer       user_data;
};

const char *
tool_lines_get_path (ToolLines *self,
                     int        fd)
{
  return self->outputs[fd - STDOUT_FILENO].path;
}

ToolLines *
tool_lines_new (const char    *folder,
                guint64        sequence,
                ToolLinesPrint print,
                gpointer       user_data,
                GError       **error)
{
  ToolLines *self = g_new0 (ToolLines, 1);

  self->print = print;
  self->user_data = user_data;
  for (int i = 0; i < N_OUTPUTS; i++)
    {
      self->outputs[i] = (Output) { .lines = self, .fd = -1, .number = STDOUT_FILENO + i };
      self->outputs[i].path = g_strdup_printf ("%s/%" G_GUINT64_FORMAT ".%d", folder, sequence, STDOUT_FILENO + i);
      self->outputs[i].rest = g_byte_array_new ();
    }
  for (int i = 0; i < N_OUTPUTS; i++)
    if (mkfifo (self->outputs[i].path, 0600) != 0)
      {
        const int saved_errno = errno;

        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "--line-buffer: %s: %s",
                     self->outputs[i].path, g_strerror (saved_errno));
        tool_lines_free (self);
        return NULL;
      }
  return self;
}

/* The lines that are whole. */
static void
print_lines (Output *output)
{
  GByteArray *rest = output->rest;
  const guint8 *end = memrchr (rest->data, '\n', rest->len);
  guint length = end != NULL ? (guint) (end + 1 - rest->data) : 0;
  g_autoptr (GBytes) bytes = NULL;

  if (rest->len - length >= LONGEST_LINE)
    length = rest->len;
  if (length == 0)
    return;
  bytes = g_bytes_new (rest->data, length);
  g_byte_array_remove_range (rest, 0, length);
  output->lines->print (output->number, bytes, output->lines->user_data);
}

/* FALSE when there is nothing now. */
static gboolean
read_some (Output *output)
{
  guint8 buffer[CHUNK];
  ssize_t n = read (output->fd, buffer, sizeof buffer);

  if (n < 0 && errno == EINTR)
    return TRUE;
  if (n <= 0)
    return FALSE;
  g_byte_array_append (output->rest, buffer, (guint) n);
  print_lines (output);
  return TRUE;
}

static gboolean
on_readable (int          fd,
             GIOCondition condition,
             gpointer     user_data)
{
  read_some (user_data);
  return G_SOURCE_CONTINUE;
}

void
tool_lines_listen (ToolLines *self)
{
  for (int i = 0; i < N_OUTPUTS; i++)
    {
      Output *output = &self->outputs[i];

      /* Also for writing, so that it has no end when the job closes it, or another
       * attempt is yet to come. */
      if (output->fd < 0)
        output->fd = open (output->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
      if (output->fd >= 0 && output->watch == 0)
        output->watch = g_unix_fd_add (output->fd, G_IO_IN, on_readable, output);
    }
}

void
tool_lines_pause (ToolLines *self)
{
  for (int i = 0; i < N_OUTPUTS; i++)
    g_clear_handle_id (&self->outputs[i].watch, g_source_remove);
}

void
tool_lines_finish (ToolLines *self)
{
  for (int i = 0; i < N_OUTPUTS; i++)
    {
      Output *output = &self->outputs[i];
      g_autoptr (GBytes) bytes = NULL;

      /* As much as a pipe holds: whoever is left and goes on printing is not waited for. */
      for (int n = 0; n < (1 << 20) / CHUNK && output->fd >= 0 && read_some (output); n++)
        ;
      if (output->rest->len == 0)
        continue;
      bytes = g_bytes_new (output->rest->data, output->rest->len);
      g_byte_array_set_size (output->rest, 0);
      self->print (output->number, bytes, self->user_data);
    }
}

void
tool_lines_free (ToolLines *self)
{
  for (int i = 0; i < N_OUTPUTS; i++)
    {
      Output *output = &self->outputs[i];

      g_clear_handle_id (&output->watch, g_source_remove);
      if (output->fd >= 0)
        close (output->fd);
      unlink (output->path);
      g_free (output->path);
      g_byte_array_unref (output->rest);
    }
  g_free (self);
}
