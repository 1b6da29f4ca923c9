/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-enum-types.h"
#include "osiiso-handle-private.h"
#include "osiiso-record-pool-private.h"
#include "osiiso-task-options.h"

/**
 * OsiisoHandle:
 *
 * The submitter's view of one task.
 *
 * [method@Osiiso.Queue.submit] returns it at once, with the task still pending.
 * Its properties follow the task; they are notified in the context that owns
 * the queue. When the task has finished, [method@Osiiso.Handle.get_value] and
 * [method@Osiiso.Handle.dup_error] say with what.
 *
 * A handle may be dropped at any time; the task goes on without it.
 *
 * All methods may be called from any thread. Signals, [signal@GObject.Object::notify]
 * among them, are emitted only in the context that owns the queue.
 *
 * Since: 1.0
 */

struct _OsiisoHandle
{
  GObject               parent_instance;

  OsiisoRecord         *record; /* (owned), and with it its scheduler; NULL in one that
                                 * no queue has made */
  _Atomic (const char *) name;  /* (nullable) (owned), made when somebody asks */
};

G_DEFINE_FINAL_TYPE (OsiisoHandle, osiiso_handle, G_TYPE_OBJECT)

typedef enum
{
  PROP_TASK_ID = 1,
  PROP_NAME,
  PROP_STATUS,
  PROP_ATTEMPTS,
  PROP_PRIORITY,
  PROP_MUST_COMPLETE,
  PROP_DETACHED,
  PROP_GROUP_ID,
  PROP_INDEX,
  PROP_METADATA,
  PROP_PROGRESS,
  PROP_STATUS_TEXT,
  PROP_SCHEDULED_FOR,
  PROP_CREATED,
  PROP_STARTED,
  PROP_FINISHED,
  PROP_DURATION,
} OsiisoHandleProperty;

static GParamSpec *props[PROP_DURATION + 1];

/* There may be many handles, so they do not keep what the record knows. */
static inline OsiisoScheduler *
get_scheduler (OsiisoHandle *self)
{
  return osiiso_record_pool_get_owner (self->record);
}

static void
set_record (OsiisoHandle    *self,
            OsiisoScheduler *scheduler,
            OsiisoRecord    *record)
{
  osiiso_scheduler_ref (scheduler);
  self->record = osiiso_record_ref (record);
}

static OsiisoHandle *
handle_new (OsiisoScheduler *scheduler,
            OsiisoRecord    *record)
{
  OsiisoHandle *self = g_object_new (OSIISO_TYPE_HANDLE, NULL);

  set_record (self, scheduler, record);
  return self;
}

/* ext->handle does not hold the object. It is cleared in dispose(), that is,
 * while the last reference is still there, and dispose() waits for who has pinned
 * it; so whoever finds and pins it under the lock may take a reference. That is
 * not done under the lock, because it may call a binding, which has locks of its
 * own. */
OsiisoHandle *
osiiso_handle_peek_for_record (OsiisoScheduler *scheduler,
                               OsiisoRecord    *record)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  OsiisoHandle *handle;

  if (ext == NULL)
    return NULL;
  pthread_mutex_lock (&scheduler->view_lock);
  handle = ext->handle;
  if (handle != NULL)
    ext->handle_pins++;
  pthread_mutex_unlock (&scheduler->view_lock);
  if (handle == NULL)
    return NULL;

  g_object_ref (handle);
  pthread_mutex_lock (&scheduler->view_lock);
  ext->handle_pins--;
  pthread_mutex_unlock (&scheduler->view_lock);
  return handle;
}

OsiisoHandle *
osiiso_handle_get_for_record (OsiisoScheduler *scheduler,
                              OsiisoRecord    *record)
{
  OsiisoRecordExt *ext = osiiso_record_ensure_ext (record);
  OsiisoHandle *handle;

  while ((handle = osiiso_handle_peek_for_record (scheduler, record)) == NULL)
    {
      OsiisoHandle *made = handle_new (scheduler, record);
      gboolean first;
      gboolean over = FALSE;

      /* While the task goes on the core keeps the handle, so that the worker never
       * has the last reference. The flag changes in the word that has the status:
       * whoever ends the task sees it, or it was over already. */
      g_object_ref (made);
      pthread_mutex_lock (&scheduler->view_lock);
      first = ext->handle == NULL;
      if (first)
        {
          ext->handle = made;
          over = osiiso_status_is_final (osiiso_word_get_status (osiiso_record_set_flags (record, OSIISO_RECORD_HANDLED, 0)));
          if (over)
            osiiso_record_set_flags (record, 0, OSIISO_RECORD_HANDLED);
        }
      pthread_mutex_unlock (&scheduler->view_lock);
      if (!first || over)
        g_object_unref (made);
      if (first)
        return made;
      g_object_unref (made);
    }
  return handle;
}

OsiisoHandle *
osiiso_handle_new_for_record (OsiisoScheduler *scheduler,
                              OsiisoRecord    *record)
{
  OsiisoHandle *handle = handle_new (scheduler, record);

  osiiso_record_ensure_ext (record)->handle = g_object_ref (handle);
  osiiso_record_set_flags (record, OSIISO_RECORD_HANDLED, 0);
  return handle;
}

OsiisoHandle *
osiiso_handle_new_unbound (void)
{
  return g_object_ref (g_object_new (OSIISO_TYPE_HANDLE, NULL));
}

void
osiiso_handle_bind (OsiisoHandle    *self,
                    OsiisoScheduler *scheduler,
                    OsiisoRecord    *record)
{
  set_record (self, scheduler, record);
  osiiso_record_get_ext (record)->handle = self;
}

gboolean
osiiso_handle_may_notify (OsiisoRecord *record)
{
  OsiisoSignalFlag flag;

  /* Stays as it is while the core holds it. */
  osiiso_signal_flag_init (&flag, (GObject *) osiiso_record_get_ext (record)->handle);
  return osiiso_signal_flag_get (&flag);
}

OsiisoHandle *
osiiso_handle_steal_locked (OsiisoRecord *record)
{
  if (osiiso_record_set_flags (record, 0, OSIISO_RECORD_HANDLED) & OSIISO_RECORD_HANDLED)
    return osiiso_record_get_ext (record)->handle;
  return NULL;
}

OsiisoHandle *
osiiso_handle_steal_for_record (OsiisoScheduler *scheduler,
                                OsiisoRecord    *record)
{
  OsiisoHandle *handle;

  if (osiiso_record_get_ext (record) == NULL)
    return NULL;
  pthread_mutex_lock (&scheduler->view_lock);
  handle = osiiso_handle_steal_locked (record);
  pthread_mutex_unlock (&scheduler->view_lock);
  return handle;
}

void
osiiso_handle_notify (OsiisoHandle   *self,
                      OsiisoEventKind kind)
{
  GObject *object = G_OBJECT (self);
  OsiisoSignalFlag flag;

  osiiso_signal_flag_init (&flag, object);
  if (!osiiso_signal_flag_get (&flag))
    return;

  g_object_freeze_notify (object);
  switch (kind)
    {
    case OSIISO_EVENT_START:
    case OSIISO_EVENT_WAIT:
      g_object_notify_by_pspec (object, props[PROP_STATUS]);
      g_object_notify_by_pspec (object, props[PROP_ATTEMPTS]);
      g_object_notify_by_pspec (object, props[PROP_STARTED]);
      break;
    case OSIISO_EVENT_RETRY:
      g_object_notify_by_pspec (object, props[PROP_STATUS]);
      break;
    case OSIISO_EVENT_COMPLETE:
      g_object_notify_by_pspec (object, props[PROP_STATUS]);
      g_object_notify_by_pspec (object, props[PROP_FINISHED]);
      g_object_notify_by_pspec (object, props[PROP_DURATION]);
      break;
    case OSIISO_EVENT_PROGRESS:
      g_object_notify_by_pspec (object, props[PROP_PROGRESS]);
      g_object_notify_by_pspec (object, props[PROP_STATUS_TEXT]);
      break;
    case OSIISO_EVENT_DESTROY:
    case OSIISO_EVENT_RETURN:
    case OSIISO_EVENT_MEMBERS:
    case OSIISO_EVENT_END:
    case OSIISO_EVENT_SETTLE:
    default:
      break;
    }
  g_object_thaw_notify (object);
}

/* Bindings can make a handle of no task, which nothing can be asked. */
gboolean
osiiso_handle_is_whole (OsiisoHandle *self)
{
  return OSIISO_IS_HANDLE (self) && self->record != NULL;
}

OsiisoRecord *
osiiso_handle_get_record (OsiisoHandle *self)
{
  return self->record;
}

static void
osiiso_handle_get_property (GObject    *object,
                            guint       property_id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  OsiisoHandle *self = OSIISO_HANDLE (object);

  if (self->record == NULL)
    return;
  switch ((OsiisoHandleProperty) property_id)
    {
    case PROP_TASK_ID:
      g_value_set_uint64 (value, osiiso_handle_get_task_id (self));
      break;
    case PROP_NAME:
      g_value_set_string (value, osiiso_handle_get_name (self));
      break;
    case PROP_STATUS:
      g_value_set_enum (value, osiiso_handle_get_status (self));
      break;
    case PROP_ATTEMPTS:
      g_value_set_uint (value, osiiso_handle_get_attempts (self));
      break;
    case PROP_PRIORITY:
      g_value_set_int (value, osiiso_handle_get_priority (self));
      break;
    case PROP_MUST_COMPLETE:
      g_value_set_boolean (value, osiiso_handle_get_must_complete (self));
      break;
    case PROP_DETACHED:
      g_value_set_boolean (value, osiiso_handle_get_detached (self));
      break;
    case PROP_GROUP_ID:
      g_value_set_string (value, osiiso_handle_get_group_id (self));
      break;
    case PROP_INDEX:
      g_value_set_uint (value, osiiso_handle_get_index (self));
      break;
    case PROP_METADATA:
      g_value_set_variant (value, osiiso_handle_get_metadata (self));
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, osiiso_handle_get_progress (self));
      break;
    case PROP_STATUS_TEXT:
      g_value_take_string (value, osiiso_handle_dup_status_text (self));
      break;
    case PROP_SCHEDULED_FOR:
      g_value_set_double (value, osiiso_handle_get_scheduled_for (self));
      break;
    case PROP_CREATED:
      g_value_set_double (value, osiiso_handle_get_created (self));
      break;
    case PROP_STARTED:
      g_value_set_double (value, osiiso_handle_get_started (self));
      break;
    case PROP_FINISHED:
      g_value_set_double (value, osiiso_handle_get_finished (self));
      break;
    case PROP_DURATION:
      g_value_set_double (value, osiiso_handle_get_duration (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
leave_record (OsiisoHandle *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self->record);

  pthread_mutex_lock (&get_scheduler (self)->view_lock);
  while (ext->handle == self && ext->handle_pins > 0)
    {
      pthread_mutex_unlock (&get_scheduler (self)->view_lock);
      g_thread_yield ();
      pthread_mutex_lock (&get_scheduler (self)->view_lock);
    }
  /* Somebody may dispose of it while the core has a reference and relies on it. */
  if (ext->handle == self && !(osiiso_record_get_word (self->record) & OSIISO_RECORD_HANDLED))
    ext->handle = NULL;
  pthread_mutex_unlock (&get_scheduler (self)->view_lock);
}

static void
osiiso_handle_dispose (GObject *object)
{
  OsiisoHandle *self = OSIISO_HANDLE (object);

  if (self->record != NULL)
    leave_record (self);

  G_OBJECT_CLASS (osiiso_handle_parent_class)->dispose (object);
}

static void
osiiso_handle_finalize (GObject *object)
{
  OsiisoHandle *self = OSIISO_HANDLE (object);

  g_free ((char *) atomic_load_explicit (&self->name, memory_order_acquire));
  if (self->record != NULL)
    {
      OsiisoScheduler *scheduler = get_scheduler (self);

      osiiso_record_unref (self->record);
      osiiso_scheduler_unref (scheduler);
    }

  G_OBJECT_CLASS (osiiso_handle_parent_class)->finalize (object);
}

static void
osiiso_handle_class_init (OsiisoHandleClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = osiiso_handle_get_property;
  object_class->dispose = osiiso_handle_dispose;
  object_class->finalize = osiiso_handle_finalize;

  /**
   * OsiisoHandle:task-id: (getter get_task_id)
   *
   * The id of the task, unique within its queue among the tasks that somebody
   * still holds, and small enough for a JavaScript number.
   *
   * Since: 1.0
   */
  props[PROP_TASK_ID] = g_param_spec_uint64 ("task-id", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoHandle:name: (getter get_name)
   *
   * The name of the task, from its options or made up.
   *
   * Since: 1.0
   */
  props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);

  /**
   * OsiisoHandle:status: (getter get_status)
   *
   * Where the task stands.
   *
   * Since: 1.0
   */
  props[PROP_STATUS] = g_param_spec_enum ("status", NULL, NULL, OSIISO_TYPE_STATUS, OSIISO_STATUS_PENDING, flags);

  /**
   * OsiisoHandle:attempts: (getter get_attempts)
   *
   * How many attempts have begun.
   *
   * Since: 1.0
   */
  props[PROP_ATTEMPTS] = g_param_spec_uint ("attempts", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * OsiisoHandle:priority: (getter get_priority)
   *
   * The priority; lower runs first.
   *
   * Since: 1.0
   */
  props[PROP_PRIORITY] = g_param_spec_int ("priority", NULL, NULL, OSIISO_PRIORITY_MIN, OSIISO_PRIORITY_MAX,
                                           OSIISO_PRIORITY_DEFAULT, flags);

  /**
   * OsiisoHandle:must-complete: (getter get_must_complete)
   *
   * Whether the task outlives the timeout of a run and the failure of others.
   *
   * Since: 1.0
   */
  props[PROP_MUST_COMPLETE] = g_param_spec_boolean ("must-complete", NULL, NULL, FALSE, flags);

  /**
   * OsiisoHandle:detached: (getter get_detached)
   *
   * Whether the task is left out of summaries.
   *
   * Since: 1.0
   */
  props[PROP_DETACHED] = g_param_spec_boolean ("detached", NULL, NULL, FALSE, flags);

  /**
   * OsiisoHandle:group-id: (getter get_group_id)
   *
   * The group that the task belongs to, or %NULL.
   *
   * Since: 1.0
   */
  props[PROP_GROUP_ID] = g_param_spec_string ("group-id", NULL, NULL, NULL, flags);

  /**
   * OsiisoHandle:index: (getter get_index)
   *
   * The place of the task in its group, from 0 on.
   *
   * Since: 1.0
   */
  props[PROP_INDEX] = g_param_spec_uint ("index", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * OsiisoHandle:metadata: (getter get_metadata)
   *
   * What the options had as metadata, or %NULL.
   *
   * Since: 1.0
   */
  props[PROP_METADATA] = g_param_spec_variant ("metadata", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, flags);

  /**
   * OsiisoHandle:progress: (getter get_progress)
   *
   * What the task told last about how much is done, from 0 to 1.
   *
   * Since: 1.0
   */
  props[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);

  /**
   * OsiisoHandle:status-text:
   *
   * What the task told last about what it does, or %NULL.
   *
   * Since: 1.0
   */
  props[PROP_STATUS_TEXT] = g_param_spec_string ("status-text", NULL, NULL, NULL, flags);

  /**
   * OsiisoHandle:scheduled-for: (getter get_scheduled_for)
   *
   * When the first attempt may begin, in seconds of the monotonic clock; 0
   * without a delay.
   *
   * Since: 1.0
   */
  props[PROP_SCHEDULED_FOR] = g_param_spec_double ("scheduled-for", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);

  /**
   * OsiisoHandle:created: (getter get_created)
   *
   * When the task was submitted, in seconds of the monotonic clock; 0 for a
   * pushed task.
   *
   * Since: 1.0
   */
  props[PROP_CREATED] = g_param_spec_double ("created", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);

  /**
   * OsiisoHandle:started: (getter get_started)
   *
   * When the first attempt began, in seconds of the monotonic clock; 0 before
   * that and for a pushed task.
   *
   * Since: 1.0
   */
  props[PROP_STARTED] = g_param_spec_double ("started", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);

  /**
   * OsiisoHandle:finished: (getter get_finished)
   *
   * When the task finished, in seconds of the monotonic clock; 0 before that and
   * for a pushed task.
   *
   * Since: 1.0
   */
  props[PROP_FINISHED] = g_param_spec_double ("finished", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);

  /**
   * OsiisoHandle:duration: (getter get_duration)
   *
   * How long it took from the start of the first attempt to the end, in seconds,
   * waits between attempts included; 0 for a task that never started.
   *
   * Since: 1.0
   */
  props[PROP_DURATION] = g_param_spec_double ("duration", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_handle_init (OsiisoHandle *self)
{
}

/**
 * osiiso_handle_get_name: (get-property name)
 * @self: a handle
 *
 * Gets the name of the task.
 *
 * Returns: (transfer none): the name
 *
 * Since: 1.0
 */
const char *
osiiso_handle_get_name (OsiisoHandle *self)
{
  const char *name;
  char *made;

  g_return_val_if_fail (osiiso_handle_is_whole (self), NULL);

  name = atomic_load_explicit (&self->name, memory_order_acquire);
  if (name != NULL)
    return name;
  made = osiiso_record_dup_name (self->record);
  if (atomic_compare_exchange_strong_explicit (&self->name, &name, made,
                                               memory_order_acq_rel, memory_order_acquire))
    return made;
  g_free (made);
  return name;
}
