/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "osiiso-worker-channel-private.h"

/* How often is looked at a call that is under way, in milliseconds, and how often in
 * vain before the watcher sleeps. */
#define TICK       20
#define IDLE_TICKS 20

static void
sleep_until_call (OsiisoWorkerChannel *self)
{
  atomic_store (&self->watcher_sleeps, TRUE);
  while (atomic_load (&self->watcher_sleeps) && atomic_load (&self->busy_id) == 0)
    while (sem_wait (&self->bell) < 0 && errno == EINTR)
      ;
  atomic_store (&self->watcher_sleeps, FALSE);
}

/* Whoever waits in a main loop for bytes does not see those that were read here. */
static void
wake_loop (OsiisoWorkerChannel *self)
{
  g_autoptr (GMainContext) context = NULL;

  pthread_mutex_lock (&self->out_lock);
  if (self->source != NULL && g_source_get_context (self->source) != NULL)
    context = g_main_context_ref (g_source_get_context (self->source));
  pthread_mutex_unlock (&self->out_lock);
  if (context != NULL)
    g_main_context_wakeup (context);
}

/* Listens to the parent for a while, as long as that call is under way. */
static void
watch_call (OsiisoWorkerChannel *self,
            guint32              id,
            gboolean             takes_long)
{
  struct pollfd poll_fd = { self->fd, POLLRDHUP | (takes_long ? POLLIN : 0), 0 };

  if (poll (&poll_fd, 1, TICK) <= 0 || atomic_load (&self->busy_id) != id)
    return;
  if (!osiiso_worker_channel_pump (self) && atomic_load (&self->busy_id) == id)
    _exit (EXIT_SUCCESS);
  wake_loop (self);
}

static gpointer
watch (gpointer data)
{
  OsiisoWorkerChannel *self = data;
  guint32 last = 0;
  guint n_idle = 0;

  for (;;)
    {
      const guint32 id = atomic_load (&self->busy_id);

      /* Between calls the program sees everything itself, and ends as it should. */
      if (id == 0 && ++n_idle > IDLE_TICKS)
        sleep_until_call (self);
      else if (id == 0)
        g_usleep (TICK * G_TIME_SPAN_MILLISECOND);
      else
        watch_call (self, id, id == last);
      if (id != 0)
        n_idle = 0;
      last = id;
    }
  return NULL;
}

void
osiiso_worker_channel_start_watcher (OsiisoWorkerChannel *self)
{
  GThread *thread = g_thread_try_new ("osiiso-parent", watch, g_object_ref (self), NULL);

  atomic_store (&self->lacks_watcher, thread == NULL);
  if (thread != NULL)
    g_thread_unref (thread);
  else
    g_object_unref (self);
}

/**
 * osiiso_worker_channel_exit_when_closed:
 * @self: a channel
 *
 * Listens to the parent, in a thread, while a call takes long: ends the process when
 * the parent is gone, even if the call never comes back, and gives back calls that
 * wait behind it.
 *
 * For programs that cannot look for messages while a function runs. Between calls
 * [method@Osiiso.WorkerChannel.receive] tells them that the parent is gone, and they
 * end by themselves. The channel is never freed after this.
 *
 * When no thread can be started, it is tried again with each call that is received; a
 * call that begins without one is not listened to.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_exit_when_closed (OsiisoWorkerChannel *self)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));

  if (self->watched)
    return;
  self->watched = TRUE;
  osiiso_worker_channel_start_watcher (self);
}
