/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-application-hold.h"

#include "osiiso-handle.h"
#include "osiiso-queue.h"

/**
 * OsiisoApplicationHold:
 *
 * Keeps an application from ending while its queue has work that must complete.
 *
 * An application of GTK ends when its last window is closed, and what its queue was
 * doing ends with it. Tasks that are marked
 * [property@Osiiso.TaskOptions:must-complete] are what a user would miss: a document
 * that is being saved, say. As long as one of them waits or runs, this object holds the
 * application, as [method@Gio.Application.hold] does.
 *
 * ```c
 * static OsiisoApplicationHold *
 * keep_alive (OsiisoQueue  *queue,
 *             GApplication *application)
 * {
 *   return osiiso_application_hold_new (queue, application);
 * }
 * ```
 *
 * Keep the object as long as it shall do that. It hears of tasks when the context of the
 * queue is iterated, like everybody: one that is submitted in the very moment in which
 * the last window is closed comes too late, and is to be submitted before that.
 *
 * It makes the queue keep a list of its tasks, see [method@Osiiso.Queue.get_tasks], and a
 * handle for each of them.
 *
 * All of it belongs to the thread that iterates the context which owns the queue; that is
 * the application's as well.
 *
 * Since: 1.0
 */

/* Nothing here is touched by another thread. */
struct _OsiisoApplicationHold
{
  GObject       parent_instance;

  OsiisoQueue  *queue;       /* (owned) */
  GApplication *application; /* (owned) */
  GListModel   *tasks;       /* (owned): of the queue */
  GHashTable   *ids;         /* (owned): of the tasks that must complete and have not */
};

G_DEFINE_FINAL_TYPE (OsiisoApplicationHold, osiiso_application_hold, G_TYPE_OBJECT)

typedef enum
{
  PROP_QUEUE = 1,
  PROP_APPLICATION,
  PROP_HOLDING,
} OsiisoApplicationHoldProperty;

static GParamSpec *props[PROP_HOLDING + 1];

static void
add_task (OsiisoApplicationHold *self,
          OsiisoHandle          *handle)
{
  gint64 id = (gint64) osiiso_handle_get_task_id (handle);

  if (!osiiso_handle_get_must_complete (handle) || osiiso_handle_is_done (handle) ||
      !g_hash_table_add (self->ids, g_memdup2 (&id, sizeof id)))
    return;
  if (g_hash_table_size (self->ids) > 1)
    return;
  g_application_hold (self->application);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_HOLDING]);
}

static void
on_items_changed (GListModel            *tasks,
                  guint                  position,
                  guint                  n_removed,
                  guint                  n_added,
                  OsiisoApplicationHold *self)
{
  for (guint i = 0; i < n_added; i++)
    {
      g_autoptr (OsiisoHandle) handle = g_list_model_get_item (tasks, position + i);

      add_task (self, handle);
    }
}

static void
on_complete (OsiisoQueue           *queue,
             OsiisoHandle          *handle,
             OsiisoApplicationHold *self)
{
  gint64 id = (gint64) osiiso_handle_get_task_id (handle);

  if (!g_hash_table_remove (self->ids, &id) || g_hash_table_size (self->ids) > 0)
    return;
  /* The release may be what ends the application, and with it this object. */
  g_object_ref (self);
  g_application_release (self->application);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_HOLDING]);
  g_object_unref (self);
}

static void
osiiso_application_hold_constructed (GObject *object)
{
  OsiisoApplicationHold *self = OSIISO_APPLICATION_HOLD (object);

  G_OBJECT_CLASS (osiiso_application_hold_parent_class)->constructed (object);

  g_return_if_fail (self->queue != NULL && self->application != NULL);

  self->tasks = g_object_ref (osiiso_queue_get_tasks (self->queue));
  g_signal_connect (self->tasks, "items-changed", G_CALLBACK (on_items_changed), self);
  g_signal_connect (self->queue, "on-complete", G_CALLBACK (on_complete), self);
  on_items_changed (self->tasks, 0, 0, g_list_model_get_n_items (self->tasks), self);
}

static void
osiiso_application_hold_dispose (GObject *object)
{
  OsiisoApplicationHold *self = OSIISO_APPLICATION_HOLD (object);
  gboolean holding = g_hash_table_size (self->ids) > 0;

  if (self->tasks != NULL)
    g_signal_handlers_disconnect_by_data (self->tasks, self);
  if (self->queue != NULL)
    g_signal_handlers_disconnect_by_data (self->queue, self);
  g_hash_table_remove_all (self->ids);
  if (holding)
    g_application_release (self->application);
  g_clear_object (&self->tasks);
  g_clear_object (&self->queue);
  g_clear_object (&self->application);

  G_OBJECT_CLASS (osiiso_application_hold_parent_class)->dispose (object);
}

static void
osiiso_application_hold_finalize (GObject *object)
{
  OsiisoApplicationHold *self = OSIISO_APPLICATION_HOLD (object);

  g_hash_table_unref (self->ids);

  G_OBJECT_CLASS (osiiso_application_hold_parent_class)->finalize (object);
}

static void
osiiso_application_hold_get_property (GObject    *object,
                                      guint       property_id,
                                      GValue     *value,
                                      GParamSpec *pspec)
{
  OsiisoApplicationHold *self = OSIISO_APPLICATION_HOLD (object);

  switch ((OsiisoApplicationHoldProperty) property_id)
    {
    case PROP_QUEUE:
      g_value_set_object (value, self->queue);
      break;
    case PROP_APPLICATION:
      g_value_set_object (value, self->application);
      break;
    case PROP_HOLDING:
      g_value_set_boolean (value, osiiso_application_hold_get_holding (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_application_hold_set_property (GObject      *object,
                                      guint         property_id,
                                      const GValue *value,
                                      GParamSpec   *pspec)
{
  OsiisoApplicationHold *self = OSIISO_APPLICATION_HOLD (object);

  switch ((OsiisoApplicationHoldProperty) property_id)
    {
    case PROP_QUEUE:
      self->queue = g_value_dup_object (value);
      break;
    case PROP_APPLICATION:
      self->application = g_value_dup_object (value);
      break;
    case PROP_HOLDING: /* read-only */
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_application_hold_class_init (OsiisoApplicationHoldClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags once = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = osiiso_application_hold_constructed;
  object_class->dispose = osiiso_application_hold_dispose;
  object_class->finalize = osiiso_application_hold_finalize;
  object_class->get_property = osiiso_application_hold_get_property;
  object_class->set_property = osiiso_application_hold_set_property;

  /**
   * OsiisoApplicationHold:queue: (getter get_queue)
   *
   * The queue whose work must complete.
   *
   * Since: 1.0
   */
  props[PROP_QUEUE] = g_param_spec_object ("queue", NULL, NULL, OSIISO_TYPE_QUEUE, once);

  /**
   * OsiisoApplicationHold:application: (getter get_application)
   *
   * The application that is held.
   *
   * Since: 1.0
   */
  props[PROP_APPLICATION] = g_param_spec_object ("application", NULL, NULL, G_TYPE_APPLICATION, once);

  /**
   * OsiisoApplicationHold:holding: (getter get_holding)
   *
   * Whether there is work that must complete, so that the application is held.
   *
   * Since: 1.0
   */
  props[PROP_HOLDING] = g_param_spec_boolean ("holding", NULL, NULL, FALSE,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_application_hold_init (OsiisoApplicationHold *self)
{
  self->ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
}

/**
 * osiiso_application_hold_new:
 * @queue: a queue that belongs to the context of @application
 * @application: the application
 *
 * Begins to hold @application while @queue has work that must complete.
 *
 * Returns: (transfer full): an object that does so as long as it lives
 *
 * Since: 1.0
 */
OsiisoApplicationHold *
osiiso_application_hold_new (OsiisoQueue  *queue,
                             GApplication *application)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (queue), NULL);
  g_return_val_if_fail (G_IS_APPLICATION (application), NULL);

  return g_object_new (OSIISO_TYPE_APPLICATION_HOLD, "queue", queue, "application", application, NULL);
}

/**
 * osiiso_application_hold_get_queue: (get-property queue)
 * @self: a hold
 *
 * Gets the queue whose work must complete.
 *
 * Returns: (transfer none): the queue
 *
 * Since: 1.0
 */
OsiisoQueue *
osiiso_application_hold_get_queue (OsiisoApplicationHold *self)
{
  g_return_val_if_fail (OSIISO_IS_APPLICATION_HOLD (self), NULL);

  return self->queue;
}

/**
 * osiiso_application_hold_get_application: (get-property application)
 * @self: a hold
 *
 * Gets the application that is held.
 *
 * Returns: (transfer none): the application
 *
 * Since: 1.0
 */
GApplication *
osiiso_application_hold_get_application (OsiisoApplicationHold *self)
{
  g_return_val_if_fail (OSIISO_IS_APPLICATION_HOLD (self), NULL);

  return self->application;
}

/**
 * osiiso_application_hold_get_holding: (get-property holding)
 * @self: a hold
 *
 * Gets whether there is work that must complete.
 *
 * Returns: whether the application is held
 *
 * Since: 1.0
 */
gboolean
osiiso_application_hold_get_holding (OsiisoApplicationHold *self)
{
  g_return_val_if_fail (OSIISO_IS_APPLICATION_HOLD (self), FALSE);

  return g_hash_table_size (self->ids) > 0;
}
