/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-group-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-run-summary-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

/**
 * OsiisoGroup:
 *
 * A named batch of tasks.
 *
 * [method@Osiiso.Queue.map] makes a group whose members share one function;
 * [method@Osiiso.Queue.new_group] makes an empty one that tasks are submitted
 * into with [method@Osiiso.Group.submit].
 *
 * A group is a list model of [class@Osiiso.Handle], in the order of submission.
 * The handles are made when somebody looks, so a large group that nobody lists
 * is cheap. While the group lives, it keeps the results of its members.
 *
 * Methods may be called from any thread; as a list model it belongs to the
 * context that owns the queue, where [signal@Gio.ListModel::items-changed] is
 * emitted.
 *
 * Since: 1.0
 */

struct _OsiisoGroup
{
  GObject      parent_instance;

  OsiisoBatch *batch;     /* (owned); NULL in one that no queue has made, see below */
  guint        n_visible; /* as list model; owner's context only, after construction */
};

typedef enum
{
  PROP_GROUP_ID = 1,
  PROP_N_FINISHED,
} OsiisoGroupProperty;

static GParamSpec *props[PROP_N_FINISHED + 1];

static GType
osiiso_group_get_item_type (GListModel *model)
{
  return OSIISO_TYPE_HANDLE;
}

static guint
osiiso_group_get_n_items (GListModel *model)
{
  return OSIISO_GROUP (model)->n_visible;
}

static gpointer
osiiso_group_get_item (GListModel *model,
                       guint       position)
{
  OsiisoGroup *self = OSIISO_GROUP (model);

  return position < self->n_visible ? osiiso_group_get_handle (self, position) : NULL;
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = osiiso_group_get_item_type;
  iface->get_n_items = osiiso_group_get_n_items;
  iface->get_item = osiiso_group_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (OsiisoGroup, osiiso_group, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

/* Bindings can make a group that belongs to no queue, of which nothing can be asked. */
gboolean
osiiso_group_is_whole (OsiisoGroup *self)
{
  return OSIISO_IS_GROUP (self) && self->batch != NULL;
}

static void
osiiso_group_get_property (GObject    *object,
                           guint       property_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  OsiisoGroup *self = OSIISO_GROUP (object);

  if (self->batch == NULL)
    return;
  switch ((OsiisoGroupProperty) property_id)
    {
    case PROP_GROUP_ID:
      g_value_set_string (value, self->batch->group_id);
      break;
    case PROP_N_FINISHED:
      g_value_set_uint (value, osiiso_batch_get_finished (self->batch));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
leave_batch (OsiisoGroup *self)
{
  pthread_mutex_lock (&self->batch->lock);
  while (self->batch->n_pins > 0)
    {
      pthread_mutex_unlock (&self->batch->lock);
      g_thread_yield ();
      pthread_mutex_lock (&self->batch->lock);
    }
  self->batch->group = NULL;
  pthread_mutex_unlock (&self->batch->lock);
}

static void
osiiso_group_dispose (GObject *object)
{
  OsiisoGroup *self = OSIISO_GROUP (object);

  if (self->batch != NULL)
    leave_batch (self);

  G_OBJECT_CLASS (osiiso_group_parent_class)->dispose (object);
}

static void
osiiso_group_finalize (GObject *object)
{
  OsiisoGroup *self = OSIISO_GROUP (object);

  g_clear_pointer (&self->batch, osiiso_batch_unref);

  G_OBJECT_CLASS (osiiso_group_parent_class)->finalize (object);
}

static void
osiiso_group_class_init (OsiisoGroupClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = osiiso_group_get_property;
  object_class->dispose = osiiso_group_dispose;
  object_class->finalize = osiiso_group_finalize;

  /**
   * OsiisoGroup:group-id: (getter get_group_id)
   *
   * The id of the group, which its members and their results carry.
   *
   * Since: 1.0
   */
  props[PROP_GROUP_ID] = g_param_spec_string ("group-id", NULL, NULL, NULL,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);

  /**
   * OsiisoGroup:n-finished: (getter get_n_finished)
   *
   * How many members have finished. It is not notified; the handles are.
   *
   * Since: 1.0
   */
  props[PROP_N_FINISHED] = g_param_spec_uint ("n-finished", NULL, NULL, 0, G_MAXUINT, 0,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_group_init (OsiisoGroup *self)
{
}

OsiisoGroup *
osiiso_group_new (OsiisoBatch *batch)
{
  OsiisoGroup *self = g_object_new (OSIISO_TYPE_GROUP, NULL);

  self->batch = osiiso_batch_ref (batch);
  self->n_visible = osiiso_batch_get_size (batch);
  pthread_mutex_lock (&batch->lock);
  batch->group = self;
  pthread_mutex_unlock (&batch->lock);
  return self;
}

OsiisoBatch *
osiiso_group_get_batch (OsiisoGroup *self)
{
  return self->batch;
}

static void
show_members (OsiisoGroup *self)
{
  guint old = self->n_visible;

  self->n_visible = osiiso_batch_get_size (self->batch);
  if (self->n_visible > old)
    g_list_model_items_changed (G_LIST_MODEL (self), old, 0, self->n_visible - old);
}

void
osiiso_group_members_added (OsiisoBatch *batch)
{
  g_autoptr (OsiisoGroup) self = NULL;

  /* The same as with the handle of a record: dispose() waits for pins. */
  pthread_mutex_lock (&batch->lock);
  self = batch->group;
  if (self != NULL)
    batch->n_pins++;
  pthread_mutex_unlock (&batch->lock);

  if (self != NULL)
    {
      g_object_ref (self);
      pthread_mutex_lock (&batch->lock);
      batch->n_pins--;
      pthread_mutex_unlock (&batch->lock);
      show_members (self);
    }
  osiiso_batch_unref (batch);
}

/**
 * osiiso_group_get_group_id: (get-property group-id)
 * @self: a group
 *
 * Gets the id of the group.
 *
 * Returns: (transfer none): the id
 *
 * Since: 1.0
 */
const char *
osiiso_group_get_group_id (OsiisoGroup *self)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);

  return self->batch->group_id;
}

/**
 * osiiso_group_get_n_finished: (get-property n-finished)
 * @self: a group
 *
 * Gets how many members have finished.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint
osiiso_group_get_n_finished (OsiisoGroup *self)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), 0);

  return osiiso_batch_get_finished (self->batch);
}

/**
 * osiiso_group_get_handle:
 * @self: a group
 * @index: the place in the group, from 0 on
 *
 * Gets a member, also one that was submitted a moment ago in another thread and
 * is not in the list model yet.
 *
 * Returns: (transfer full) (nullable): the handle; %NULL if there is no such
 *   member
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_get_handle (OsiisoGroup *self,
                         guint        index)
{
  OsiisoRecord *record;
  OsiisoHandle *handle;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);

  record = osiiso_batch_dup_record (self->batch, index);
  if (record == NULL)
    return NULL;
  handle = osiiso_handle_get_for_record (self->batch->scheduler, record);
  osiiso_record_unref (record);
  return handle;
}

void
osiiso_group_keep_alive (OsiisoGroup *self)
{
  OsiisoBatch *batch = self->batch;
  gboolean taken;

  g_object_ref (self);
  pthread_mutex_lock (&batch->lock);
  taken = batch->held == NULL && !osiiso_batch_is_over (batch);
  if (taken)
    batch->held = self;
  pthread_mutex_unlock (&batch->lock);
  if (!taken)
    g_object_unref (self);
}

OsiisoHandle *
osiiso_group_submit_member (OsiisoGroup            *self,
                            const OsiisoSubmission *submission,
                            GError                **error)
{
  OsiisoScheduler *scheduler = self->batch->scheduler;
  OsiisoHandle *handle = NULL;

  if (!osiiso_submission_submit (submission, scheduler, &handle, NULL, error))
    return NULL;

  osiiso_group_keep_alive (self);
  if (osiiso_outbox_is_owner_thread (&scheduler->outbox))
    show_members (self);
  else
    osiiso_outbox_post (&scheduler->outbox, OSIISO_EVENT_MEMBERS, NULL, NULL, osiiso_batch_ref (self->batch), NULL);
  return handle;
}

/**
 * osiiso_group_submit:
 * @self: a group
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): the work
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns
 *   the queue
 * @options: (nullable): how to run it; %NULL for the defaults. A group id in it
 *   is overruled by the group's
 * @error: return location for an error
 *
 * Submits a task as the next member. The group lives until it has ended.
 *
 * Otherwise like [method@Osiiso.Queue.submit], with the same waits for room and
 * the same errors.
 *
 * Returns: (transfer full): the handle
 *
 * Since: 1.0
 */
OsiisoHandle *
osiiso_group_submit (OsiisoGroup       *self,
                     OsiisoTaskFunc     func,
                     gpointer           user_data,
                     GDestroyNotify     user_data_destroy,
                     OsiisoTaskOptions *options,
                     GError           **error)
{
  OsiisoSubmission submission = { func, user_data, user_data_destroy, options, NULL, FALSE };

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  submission.batch = self->batch;
  return osiiso_group_submit_member (self, &submission, error);
}

/**
 * osiiso_group_cancel:
 * @self: a group
 *
 * Cancels all members that have not finished; see [method@Osiiso.Handle.cancel].
 *
 * Returns: how many there were
 *
 * Since: 1.0
 */
guint
osiiso_group_cancel (OsiisoGroup *self)
{
  g_autoptr (GPtrArray) records = NULL;

  g_return_val_if_fail (osiiso_group_is_whole (self), 0);

  records = osiiso_batch_dup_records (self->batch, G_MAXUINT);
  return osiiso_scheduler_cancel_all (self->batch->scheduler, records);
}

/* Of the first @n members, with which the wait was over. */
static OsiisoRunSummary *
make_summary (OsiisoBatch *batch,
              guint        n,
              gint64       since)
{
  GPtrArray *records = osiiso_batch_dup_records (batch, n);
  OsiisoRunCounts counts = { 0, };

  for (guint i = 0; i < records->len; i++)
    {
      OsiisoStatus status = osiiso_record_get_status (g_ptr_array_index (records, i));

      counts.succeeded += status == OSIISO_STATUS_SUCCEEDED;
      counts.failed += status == OSIISO_STATUS_FAILED;
      counts.cancelled += status == OSIISO_STATUS_CANCELLED;
    }
  return osiiso_run_summary_new (batch->scheduler, records, &counts, FALSE,
                                 osiiso_clock_to_seconds (osiiso_clock_now () - since));
}

gboolean
osiiso_batch_start_members (OsiisoBatch *batch,
                            GError     **error)
{
  return osiiso_batch_get_finished (batch) == osiiso_batch_get_size (batch) ||
         osiiso_scheduler_start (batch->scheduler, error);
}

gboolean
osiiso_batch_is_inside_locked (OsiisoBatch *batch)
{
  OsiisoAttempt *current = osiiso_attempt_get_current ();
  guint index;

  if (current == NULL || current->scheduler != batch->scheduler ||
      (atomic_load (&current->state) & OSIISO_ATTEMPT_INTERRUPTED))
    return FALSE;
  index = osiiso_record_get_index (current->record);
  return index < batch->records->len && g_ptr_array_index (batch->records, index) == current->record &&
         !osiiso_status_is_final (osiiso_record_get_status (current->record));
}

static gboolean
check_not_member (OsiisoBatch *batch,
                  GError     **error)
{
  gboolean inside;

  pthread_mutex_lock (&batch->lock);
  inside = osiiso_batch_is_inside_locked (batch);
  pthread_mutex_unlock (&batch->lock);
  if (inside)
    g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                         "a task cannot wait for its own group");
  return !inside;
}

gboolean
osiiso_group_check_timeout (double   timeout,
                            GError **error)
{
  if (!isnan (timeout))
    return TRUE;
  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                       "the timeout of a wait must be a number of seconds, or negative for none; got nan");
  return FALSE;
}

GTask *
osiiso_group_new_task (OsiisoGroup        *self,
                       GCancellable       *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer            user_data,
                       gpointer            source_tag)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (task, source_tag);
  if (!osiiso_batch_start_members (self->batch, &error))
    {
      g_task_return_error (task, error);
      g_clear_object (&task);
    }
  return task;
}

typedef struct
{
  OsiisoBatch *batch;
  guint        n_members; /* when it was over */
} GroupWait;

static gboolean
group_wait_is_over (OsiisoScheduler *scheduler,
                    gpointer         data)
{
  GroupWait *wait = data;

  /* In this order: only what is counted here has been announced. */
  wait->n_members = atomic_load (&wait->batch->n_records);
  return atomic_load (&wait->batch->n_announced) == wait->n_members;
}

/**
 * osiiso_group_wait:
 * @self: a group
 * @timeout: how long to wait at most, in seconds; negative for as long as it
 *   takes
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until all members have finished, however they finished.
 *
 * Starts the queue if it has not been started. Fails like
 * [method@Osiiso.Handle.wait], with %OSIISO_QUEUE_ERROR_WOULD_DEADLOCK in a member of
 * the group, and in a task that a member waits for.
 *
 * Returns: (transfer full): the results in the order of submission
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_group_wait (OsiisoGroup  *self,
                   double        timeout,
                   GCancellable *cancellable,
                   GError      **error)
{
  OsiisoWait wait = { .kind = OSIISO_WAIT_GROUP, .limited = timeout >= 0 };
  GroupWait group;
  OsiisoScheduler *scheduler;
  gint64 since = osiiso_clock_now ();
  gboolean ok;

  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!osiiso_group_check_timeout (timeout, error))
    return NULL;

  scheduler = self->batch->scheduler;
  group.batch = self->batch;
  if (!group_wait_is_over (scheduler, &group))
    {
      if (osiiso_batch_get_finished (self->batch) < osiiso_batch_get_size (self->batch) &&
          !(osiiso_scheduler_may_block (scheduler, error) && check_not_member (self->batch, error)))
        return NULL;
      wait.scheduler = scheduler;
      wait.batch = self->batch;
      if (!osiiso_batch_start_members (self->batch, error) || !osiiso_wait_enter (&wait, error))
        return NULL;
      ok = osiiso_scheduler_wait_until (scheduler, group_wait_is_over, &group, &wait, timeout, cancellable, error);
      osiiso_wait_leave (&wait);
      if (!ok)
        return NULL;
    }
  return make_summary (self->batch, group.n_members, since);
}

static gboolean
wait_finish (GTask *task)
{
  OsiisoGroup *self = g_task_get_source_object (task);
  gint64 *since = g_object_get_data (G_OBJECT (task), "osiiso-since");

  g_task_return_pointer (task, make_summary (self->batch, osiiso_waiter_get (task)->index, *since), g_object_unref);
  return TRUE;
}

static gboolean
wait_remove (GTask *task)
{
  OsiisoGroup *self = g_task_get_source_object (task);
  GSList *link;

  pthread_mutex_lock (&self->batch->lock);
  link = g_slist_find (self->batch->waiters, task);
  if (link != NULL)
    self->batch->waiters = g_slist_delete_link (self->batch->waiters, link);
  pthread_mutex_unlock (&self->batch->lock);
  return link != NULL;
}

/**
 * osiiso_group_wait_async:
 * @self: a group
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: (scope async) (closure user_data): called when all members have finished
 * @user_data: user data for @callback
 *
 * Waits until all members have finished, without blocking.
 *
 * Starts the queue if it has not been started. @callback is called in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_group_wait_async (OsiisoGroup        *self,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            user_data)
{
  GTask *task;
  gint64 *since;
  gboolean over;

  g_return_if_fail (osiiso_group_is_whole (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_group_new_task (self, cancellable, callback, user_data, osiiso_group_wait_async);
  if (task == NULL)
    return;
  since = g_new (gint64, 1);
  *since = osiiso_clock_now ();
  g_object_set_data_full (G_OBJECT (task), "osiiso-since", since, g_free);
  osiiso_waiter_init (task, wait_finish, wait_remove);

  pthread_mutex_lock (&self->batch->lock);
  over = osiiso_batch_is_over (self->batch);
  osiiso_waiter_get (task)->index = self->batch->records->len;
  if (!over)
    self->batch->waiters = g_slist_prepend (self->batch->waiters, task);
  pthread_mutex_unlock (&self->batch->lock);
  if (over)
    osiiso_scheduler_complete_task (self->batch->scheduler, task);
}

/**
 * osiiso_group_wait_finish:
 * @self: a group
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Group.wait_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait was cancelled, and with what
 * [method@Osiiso.Queue.start] fails with.
 *
 * Returns: (transfer full): the results in the order of submission
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_group_wait_finish (OsiisoGroup  *self,
                          GAsyncResult *result,
                          GError      **error)
{
  g_return_val_if_fail (osiiso_group_is_whole (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_group_wait_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
