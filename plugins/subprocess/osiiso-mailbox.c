/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-mailbox.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

static gboolean
mailbox_prepare (GSource *source,
                 int     *timeout)
{
  OsiisoMailbox *self = (OsiisoMailbox *) source;

  *timeout = -1;
  atomic_store (&self->sleeping, TRUE);
  if (atomic_load (&self->bits) == 0)
    return FALSE;
  atomic_store (&self->sleeping, FALSE);
  return TRUE;
}

static gboolean
mailbox_check (GSource *source)
{
  OsiisoMailbox *self = (OsiisoMailbox *) source;

  atomic_store (&self->sleeping, FALSE);
  return atomic_load (&self->bits) != 0 || g_source_query_unix_fd (source, self->tag) != 0;
}

static gboolean
mailbox_dispatch (GSource    *source,
                  GSourceFunc callback,
                  gpointer    user_data)
{
  OsiisoMailbox *self = (OsiisoMailbox *) source;
  guint64 count;
  guint bits;

  /* Before the bits: what is posted after that is announced again. */
  if (g_source_query_unix_fd (source, self->tag) != 0)
    {
      while (read (self->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    }
  bits = atomic_exchange (&self->bits, 0);
  if (bits != 0)
    ((OsiisoMailboxFunc) (void *) callback) (bits, user_data);
  return G_SOURCE_CONTINUE;
}

static void
mailbox_finalize (GSource *source)
{
  close (((OsiisoMailbox *) source)->fd);
}

static GSourceFuncs mailbox_funcs = {
  .prepare = mailbox_prepare,
  .check = mailbox_check,
  .dispatch = mailbox_dispatch,
  .finalize = mailbox_finalize,
};

OsiisoMailbox *
osiiso_mailbox_new (OsiisoMailboxFunc func,
                    gpointer          data,
                    GError          **error)
{
  const int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  OsiisoMailbox *self;

  if (fd < 0)
    {
      const int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "no descriptor to be woken by: %s", g_strerror (saved_errno));
      return NULL;
    }
  self = (OsiisoMailbox *) g_source_new (&mailbox_funcs, sizeof (OsiisoMailbox));
  self->fd = fd;
  atomic_init (&self->bits, 0);
  atomic_init (&self->sleeping, FALSE);
  self->tag = g_source_add_unix_fd (&self->source, fd, G_IO_IN);
  g_source_set_static_name (&self->source, "OsiisoMailbox");
  /* See OsiisoWorker. */
  g_source_set_can_recurse (&self->source, TRUE);
  g_source_set_callback (&self->source, (GSourceFunc) (void *) func, data, NULL);
  return self;
}

void
osiiso_mailbox_post (OsiisoMailbox *self,
                     guint          bits)
{
  static const guint64 one = 1;

  if ((atomic_fetch_or (&self->bits, bits) & bits) == bits || !atomic_load (&self->sleeping))
    return;
  while (write (self->fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}
