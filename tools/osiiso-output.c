/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-output.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a pipe takes without blocking once poll() says that it takes something. */
#define CHUNK 4096

typedef struct
{
  int     fd;
  GBytes *bytes;
} Piece;

struct _ToolOutput
{
  ToolOutputEvents events;
  gpointer         user_data;
  GQueue           pieces;
  gsize            done;     /* of the first piece */
  guint64          pending;
  guint            watch;
  gboolean         regular[STDERR_FILENO + 1];
  gboolean         terminal[STDERR_FILENO + 1];
  gboolean         broken[STDERR_FILENO + 1];
  gboolean         at_start;
};

static void
piece_free (gpointer data)
{
  Piece *piece = data;

  g_bytes_unref (piece->bytes);
  g_free (piece);
}

ToolOutput *
tool_output_new (const ToolOutputEvents *events,
                 gpointer                user_data)
{
  ToolOutput *self = g_new0 (ToolOutput, 1);

  self->events = *events;
  self->user_data = user_data;
  self->at_start = TRUE;
  g_queue_init (&self->pieces);
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
    {
      struct stat info;

      self->regular[fd] = fstat (fd, &info) == 0 && S_ISREG (info.st_mode);
      self->terminal[fd] = isatty (fd);
    }
  return self;
}

void
tool_output_free (ToolOutput *self)
{
  g_clear_handle_id (&self->watch, g_source_remove);
  g_queue_clear_full (&self->pieces, piece_free);
  g_free (self);
}

static void
drop_first (ToolOutput *self)
{
  Piece *piece = g_queue_pop_head (&self->pieces);

  self->pending -= g_bytes_get_size (piece->bytes) - self->done;
  self->done = 0;
  piece_free (piece);
}

static void
fail (ToolOutput *self,
      int         fd,
      int         saved_errno)
{
  drop_first (self);
  if (self->broken[fd])
    return;
  self->broken[fd] = TRUE;
  /* Nobody would be told of a broken standard error. */
  if (fd == STDOUT_FILENO)
    self->events.failed (saved_errno, self->user_data);
}

/* One step; FALSE if it would block. */
static gboolean
write_some (ToolOutput *self)
{
  Piece *piece = g_queue_peek_head (&self->pieces);
  gsize size;
  const char *data = g_bytes_get_data (piece->bytes, &size);
  struct pollfd pfd = { piece->fd, POLLOUT, 0 };
  gsize length = size - self->done;
  ssize_t n;

  if (self->broken[piece->fd])
    {
      drop_first (self);
      return TRUE;
    }
  if (!self->regular[piece->fd])
    {
      if (poll (&pfd, 1, 0) <= 0)
        return FALSE;
      length = MIN (length, CHUNK);
    }
  if (self->terminal[piece->fd])
    self->events.before (self->user_data);
  n = write (piece->fd, data + self->done, length);
  if (n < 0 && errno == EAGAIN)
    return FALSE;
  if (n < 0 && errno != EINTR)
    {
      fail (self, piece->fd, errno);
      return TRUE;
    }
  if (n <= 0)
    return TRUE;
  self->done += (gsize) n;
  self->pending -= (guint64) n;
  if (self->terminal[piece->fd])
    self->at_start = data[self->done - 1] == '\n';
  if (self->done == size)
    drop_first (self);
  return TRUE;
}

static gboolean on_writable (int          fd,
                             GIOCondition condition,
                             gpointer     user_data);

static void
flush (ToolOutput *self)
{
  while (!g_queue_is_empty (&self->pieces))
    if (!write_some (self))
      {
        if (self->watch == 0)
          self->watch = g_unix_fd_add (((Piece *) g_queue_peek_head (&self->pieces))->fd,
                                       G_IO_OUT | G_IO_ERR | G_IO_HUP, on_writable, self);
        return;
      }
}

static gboolean
on_writable (int          fd,
             GIOCondition condition,
             gpointer     user_data)
{
  ToolOutput *self = user_data;

  self->watch = 0;
  flush (self);
  if (g_queue_is_empty (&self->pieces))
    self->events.drained (self->user_data);
  return G_SOURCE_REMOVE;
}

void
tool_output_add (ToolOutput *self,
                 int         fd,
                 GBytes     *bytes)
{
  Piece *piece;

  if (g_bytes_get_size (bytes) == 0)
    return;
  piece = g_new0 (Piece, 1);
  piece->fd = fd;
  piece->bytes = g_bytes_ref (bytes);
  g_queue_push_tail (&self->pieces, piece);
  self->pending += g_bytes_get_size (bytes);
  if (self->watch == 0)
    flush (self);
}

void
tool_output_say (ToolOutput *self,
                 const char *format,
                 ...)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autoptr (GBytes) bytes = NULL;
  va_list args;

  g_string_append_printf (line, "%s: ", g_get_prgname ());
  va_start (args, format);
  g_string_append_vprintf (line, format, args);
  va_end (args);
  g_string_append_c (line, '\n');
  bytes = g_bytes_new (line->str, line->len);
  tool_output_add (self, STDERR_FILENO, bytes);
}

guint64
tool_output_get_pending (ToolOutput *self)
{
  return self->pending;
}

gboolean
tool_output_at_start (ToolOutput *self)
{
  return self->at_start;
}
