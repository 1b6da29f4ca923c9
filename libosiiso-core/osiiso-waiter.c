/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-waiter-private.h"

static void
waiter_free (gpointer data)
{
  OsiisoWaiter *self = data;

  g_clear_pointer (&self->cancel_source, g_source_unref);
  g_free (self);
}

static gboolean
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  GTask *task = user_data;

  if (osiiso_waiter_get (task)->remove (task))
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "the wait was cancelled");
      g_object_unref (task);
      return G_SOURCE_REMOVE;
    }
  /* Not in its list yet, or on its way back; completing it ends this source,
   * which goes off only once by itself. */
  g_source_set_ready_time (osiiso_waiter_get (task)->cancel_source, 0);
  return G_SOURCE_CONTINUE;
}

void
osiiso_waiter_init (GTask             *task,
                    OsiisoWaiterFinish finish,
                    OsiisoWaiterRemove remove)
{
  OsiisoWaiter *self = g_new0 (OsiisoWaiter, 1);
  GCancellable *cancellable = g_task_get_cancellable (task);

  self->finish = finish;
  self->remove = remove;
  self->task = task;
  g_task_set_task_data (task, self, waiter_free);

  if (cancellable != NULL)
    {
      self->cancel_source = g_cancellable_source_new (cancellable);
      g_source_set_static_name (self->cancel_source, "OsiisoWaiter");
      /* Attached last: from then on it may fire. */
      g_source_set_callback (self->cancel_source, G_SOURCE_FUNC (cancelled_cb),
                             g_object_ref (task), g_object_unref);
      g_source_attach (self->cancel_source, g_task_get_context (task));
    }
}

OsiisoWaiter *
osiiso_waiter_get (GTask *task)
{
  return g_task_get_task_data (task);
}

void
osiiso_waiter_complete (GTask *task)
{
  OsiisoWaiter *self = osiiso_waiter_get (task);
  /* A task that is in no list cannot cancel itself. */
  if (!self->finish (task))
    return;
  if (self->cancel_source != NULL)
    g_source_destroy (self->cancel_source);
  g_object_unref (task);
}
