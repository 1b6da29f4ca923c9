/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-parent.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void
worker_parent_start (WorkerParent       *self,
                     const char * const *argv)
{
  posix_spawn_file_actions_t actions;
  OsiisoFrame frame;
  int fds[2];
  int code;

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  /* So that it is another number in the child, where the flag goes. */
  code = fcntl (fds[1], F_DUPFD_CLOEXEC, 10);
  g_assert_cmpint (code, >=, 10);
  close (fds[1]);
  fds[1] = code;
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, fds[1], 3);
  code = posix_spawnp (&self->pid, argv[0], &actions, NULL, (char **) argv, environ);
  g_assert_cmpint (code, ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  close (fds[1]);
  self->fd = fds[0];
  self->taken = FALSE;
  osiiso_frame_reader_init (&self->reader, 0);
  osiiso_frame_buffer_init (&self->buffer);

  g_assert_true (worker_parent_receive (self, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_HELLO);
  g_assert_cmpuint (frame.id, ==, OSIISO_FRAME_PROTOCOL);
}

void
worker_parent_greet (WorkerParent *self)
{
  osiiso_frame_buffer_append_parent_hello (&self->buffer, OSIISO_FRAME_PROTOCOL, "parent", OSIISO_FRAME_MAX_DEFAULT);
}

void
worker_parent_send (WorkerParent *self)
{
  gsize length;
  const guint8 *data;

  while ((data = osiiso_frame_buffer_peek (&self->buffer, &length)) != NULL)
    {
      gssize n = send (self->fd, data, length, MSG_NOSIGNAL);

      g_assert_no_errno (n);
      osiiso_frame_buffer_consume (&self->buffer, (gsize) n);
    }
}

gboolean
worker_parent_receive (WorkerParent *self,
                       OsiisoFrame  *frame)
{
  g_autoptr (GError) error = NULL;
  OsiisoFrameState state;

  if (self->taken)
    osiiso_frame_reader_skip (&self->reader);
  self->taken = FALSE;
  while ((state = osiiso_frame_reader_peek (&self->reader, frame, &error)) == OSIISO_FRAME_MORE)
    {
      gsize room;
      guint8 *place = osiiso_frame_reader_reserve (&self->reader, &room);
      gssize n = recv (self->fd, place, room, 0);

      if (n == 0 || (n < 0 && errno == ECONNRESET))
        return FALSE;
      g_assert_no_errno (n);
      osiiso_frame_reader_commit (&self->reader, (gsize) n);
    }
  g_assert_no_error (error);
  self->taken = TRUE;
  return TRUE;
}

int
worker_parent_stop (WorkerParent *self)
{
  int status = 0;

  close (self->fd);
  while (waitpid (self->pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  osiiso_frame_reader_clear (&self->reader);
  osiiso_frame_buffer_clear (&self->buffer);
  return status;
}
