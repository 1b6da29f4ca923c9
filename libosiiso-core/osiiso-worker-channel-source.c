/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib-unix.h>

#include "osiiso-foreign-private.h"
#include "osiiso-worker-channel-private.h"

/* A channel in a main loop. */

typedef struct
{
  GSource              source;
  OsiisoWorkerChannel *channel; /* the channel destroys the source first */
  gpointer             tag;     /* (nullable) of the file descriptor */
} ChannelSource;

static gboolean
has_message (OsiisoWorkerChannel *self)
{
  const guint32 busy_id = atomic_load (&self->busy_id);
  gboolean has;

  pthread_mutex_lock (&self->in_lock);
  if (self->closed_told)
    has = FALSE;
  else if (self->closed || self->broken != NULL)
    has = TRUE;
  else if (busy_id != 0)
    has = self->cancelled_id == busy_id && !self->cancel_told;
  else
    has = self->reader.ahead > self->reader.current;
  pthread_mutex_unlock (&self->in_lock);
  return has;
}

static gboolean
source_prepare (GSource *source,
                int     *timeout)
{
  ChannelSource *self = (ChannelSource *) source;

  *timeout = -1;
  /* The end stays readable for ever. */
  if (self->channel->closed_told && self->tag != NULL)
    g_source_remove_unix_fd (source, g_steal_pointer (&self->tag));
  return has_message (self->channel);
}

static gboolean
source_check (GSource *source)
{
  ChannelSource *self = (ChannelSource *) source;

  return has_message (self->channel) ||
         (self->tag != NULL && g_source_query_unix_fd (source, self->tag) != 0);
}

static gboolean
source_dispatch (GSource    *source,
                 GSourceFunc callback,
                 gpointer    data)
{
  ChannelSource *self = (ChannelSource *) source;
  OsiisoWorkerChannel *channel = g_object_ref (self->channel);

  /* Progress that was held back; there may be no message. */
  if (g_source_get_ready_time (source) != -1)
    {
      g_source_set_ready_time (source, -1);
      osiiso_worker_channel_send_progress (channel);
    }
  /* An interpreter that collects garbage calls nothing until it is done. */
  if (((OsiisoWorkerReadyFunc) (gpointer) callback) (channel, data) != TRUE)
    osiiso_foreign_collect_garbage ();
  g_object_unref (channel);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
};

/**
 * osiiso_worker_channel_attach:
 * @self: a channel
 * @func: (scope notified) (closure user_data) (destroy destroy): a function
 * @user_data: what it gets
 * @destroy: called with @user_data when the function is not needed any more
 *
 * Has a function called when there is something to receive, in the thread's default
 * main context.
 *
 * For programs that run a main loop, instead of receiving with a wait. It is called
 * again and again as long as something is there, and sometimes when nothing is.
 * Replaces what was attached before. On a channel that was disposed it does nothing
 * but to call @destroy.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_attach (OsiisoWorkerChannel  *self,
                              OsiisoWorkerReadyFunc func,
                              gpointer              user_data,
                              GDestroyNotify        destroy)
{
  g_autoptr (GMainContext) context = NULL;
  ChannelSource *source;

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (func != NULL);

  osiiso_worker_channel_detach (self);
  /* A binding lets go of the function of a disposed object, whoever still needs it. */
  if (self->disposed)
    {
      if (destroy != NULL)
        destroy (user_data);
      return;
    }
  source = (ChannelSource *) g_source_new (&source_funcs, sizeof *source);
  source->channel = self;
  source->tag = g_source_add_unix_fd (&source->source, self->fd, G_IO_IN);
  g_source_set_static_name (&source->source, "OsiisoWorkerChannel");
  g_source_set_callback (&source->source, (GSourceFunc) (gpointer) func, user_data, destroy);
  context = g_main_context_ref_thread_default ();
  g_source_attach (&source->source, context);
  pthread_mutex_lock (&self->out_lock);
  self->source = &source->source;
  pthread_mutex_unlock (&self->out_lock);
}

/**
 * osiiso_worker_channel_detach:
 * @self: a channel
 *
 * Undoes [method@Osiiso.WorkerChannel.attach].
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_detach (OsiisoWorkerChannel *self)
{
  GSource *source;

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));

  pthread_mutex_lock (&self->out_lock);
  source = g_steal_pointer (&self->source);
  pthread_mutex_unlock (&self->out_lock);
  if (source == NULL)
    return;
  g_source_destroy (source);
  g_source_unref (source);
}
