/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test-channel-pair.h"

void
pair_send (Pair *pair)
{
  gsize length;
  const guint8 *data;

  while ((data = osiiso_frame_buffer_peek (&pair->out, &length)) != NULL)
    {
      gssize n = send (pair->fd, data, length, MSG_NOSIGNAL);

      g_assert_no_errno (n);
      osiiso_frame_buffer_consume (&pair->out, (gsize) n);
    }
}

gboolean
pair_receive (Pair        *pair,
              OsiisoFrame *frame)
{
  g_autoptr (GError) error = NULL;
  OsiisoFrameState state;

  if (pair->taken)
    osiiso_frame_reader_skip (&pair->in);
  pair->taken = FALSE;
  while ((state = osiiso_frame_reader_peek (&pair->in, frame, &error)) == OSIISO_FRAME_MORE)
    {
      gsize room;
      guint8 *place = osiiso_frame_reader_reserve (&pair->in, &room);
      gssize n = recv (pair->fd, place, room, 0);

      g_assert_no_errno (n);
      if (n == 0)
        return FALSE;
      osiiso_frame_reader_commit (&pair->in, (gsize) n);
    }
  g_assert_no_error (error);
  pair->taken = TRUE;
  return TRUE;
}

void
assert_frame (Pair           *pair,
              OsiisoFrameKind kind,
              guint32         id,
              const char     *payload)
{
  OsiisoFrame frame;

  g_assert_true (pair_receive (pair, &frame));
  g_assert_cmpint (frame.kind, ==, kind);
  g_assert_cmpuint (frame.id, ==, id);
  if (payload != NULL)
    g_assert_cmpmem (frame.payload, frame.length, payload, strlen (payload));
}

void
assert_silence (Pair *pair)
{
  char byte;

  g_assert_true (osiiso_frame_reader_is_empty (&pair->in) || pair->in.current == pair->in.end - pair->in.start);
  g_assert_cmpint (recv (pair->fd, &byte, 1, MSG_DONTWAIT), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
}

void
pair_start (Pair *pair)
{
  pair_start_with_limit (pair, 1 << 20);
}

void
pair_start_with_limit (Pair   *pair,
                       guint32 max_body)
{
  g_autoptr (GError) error = NULL;
  OsiisoFrame frame;
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM, 0, fds));
  memset (pair, 0, sizeof *pair);
  pair->fd = fds[0];
  osiiso_frame_buffer_init (&pair->out);
  osiiso_frame_reader_init (&pair->in, 0);
  pair->channel = osiiso_worker_channel_new (fds[1], "cancel", &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fds[1], F_GETFD), ==, FD_CLOEXEC);

  g_assert_true (pair_receive (pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_HELLO);
  g_assert_cmpuint (frame.id, ==, OSIISO_FRAME_PROTOCOL);
  g_assert_true (osiiso_frame_hello_has_word (&frame, "recall"));
  g_assert_true (osiiso_frame_hello_has_word (&frame, "cancel"));
  osiiso_frame_buffer_append_parent_hello (&pair->out, OSIISO_FRAME_PROTOCOL, "test", max_body);
  pair_send (pair);
}

void
pair_stop (Pair *pair)
{
  g_object_add_weak_pointer (G_OBJECT (pair->channel), (gpointer *) &pair->channel);
  g_object_unref (pair->channel);
  g_assert_null (pair->channel);
  close (pair->fd);
  osiiso_frame_buffer_clear (&pair->out);
  osiiso_frame_reader_clear (&pair->in);
}

void
send_call (Pair       *pair,
           guint32     id,
           char        encoding,
           const char *payload)
{
  osiiso_frame_buffer_append (&pair->out, OSIISO_FRAME_CALL, id, (guint8) encoding, "m:f", payload, strlen (payload));
  pair_send (pair);
}

void
send_word (Pair           *pair,
           OsiisoFrameKind kind,
           guint32         id)
{
  osiiso_frame_buffer_append (&pair->out, kind, id, 0, NULL, NULL, 0);
  pair_send (pair);
}

OsiisoWorkerMessage
receive (Pair *pair)
{
  g_autoptr (GError) error = NULL;
  OsiisoWorkerMessage message = osiiso_worker_channel_receive (pair->channel, FALSE, NULL, &error);

  g_assert_no_error (error);
  return message;
}

void
append_call (Pair   *pair,
             guint32 id)
{
  osiiso_frame_buffer_append (&pair->out, OSIISO_FRAME_CALL, id, 0, "function", NULL, 0);
}
