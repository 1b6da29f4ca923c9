/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-group-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-waiter-private.h"

/* Submissions that wait for room without blocking. */

/* On its way, or in line. */
typedef struct
{
  OsiisoRoomWaiter   room;
  OsiisoScheduler   *scheduler; /* (owned), the source of the GTask goes first */
  OsiisoRecord     **records;   /* (owned): n of them, with the references that the queue gets */
  OsiisoRecord      *record;    /* (nullable) (owned): the only one, besides that */
  OsiisoBatch       *batch;     /* (nullable) (owned) */
  guint64           *ids;       /* (nullable) (owned): of tokens */
  gboolean           with_handle;
  OsiisoEntry        pushed;    /* what became of records with reserved places */
  OsiisoCancelWatch *watch;     /* (nullable), in use */
  GSource           *cancel_source; /* (nullable) (owned), with the watch */
  GError            *error;     /* (nullable) (owned): why the queue could not be started */
} AsyncSubmit;

GTask *
osiiso_submission_new_task (gpointer            source,
                            gpointer            tag,
                            GCancellable       *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer            user_data)
{
  GTask *task = g_task_new (source, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  /* A task that is in the queue runs, so its handle is what there is to return. */
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

void
osiiso_submission_refuse_async (GTask  *task,
                                GError *error)
{
  g_task_return_error (task, error);
  g_object_unref (task);
}

static void
async_free (gpointer data)
{
  AsyncSubmit *async = data;

  g_free (async->records);
  g_clear_pointer (&async->record, osiiso_record_unref);
  g_clear_pointer (&async->batch, osiiso_batch_unref);
  g_free (async->ids);
  g_clear_pointer (&async->cancel_source, g_source_unref);
  osiiso_submission_release_watch (async->scheduler, async->watch);
  osiiso_scheduler_unref (async->scheduler);
  g_clear_error (&async->error);
  g_free (async);
}

static AsyncSubmit *
get_async (GTask *task)
{
  return g_object_get_data (G_OBJECT (task), "osiiso-submit");
}

static void
async_drop (AsyncSubmit *async)
{
  osiiso_submission_drop_records (async->scheduler, async->records, async->room.n);
}

static void
async_answered (OsiisoRoomWaiter *room)
{
  AsyncSubmit *async = (AsyncSubmit *) room;

  async->pushed = room->entry;
  if (async->pushed == OSIISO_ENTRY_ADMITTED && room->record == NULL)
    async->pushed = osiiso_submission_push_reserved (async->scheduler, async->batch, async->records, room->n);
  if (async->pushed != OSIISO_ENTRY_ADMITTED)
    async_drop (async);
  else if (async->batch != NULL && async->record != NULL)
    osiiso_outbox_post (&async->scheduler->outbox, OSIISO_EVENT_MEMBERS, NULL, NULL, osiiso_batch_ref (async->batch),
                        NULL);
}

static void
return_success (AsyncSubmit *async,
                GTask       *task)
{
  osiiso_submission_hold_queue (async->scheduler);
  if (async->ids != NULL)
    {
      g_task_return_pointer (task, g_steal_pointer (&async->ids), g_free);
      return;
    }
  if (async->record == NULL)
    {
      g_task_return_pointer (task, osiiso_group_new (async->batch), g_object_unref);
      return;
    }
  if (async->batch != NULL)
    osiiso_group_keep_alive (g_task_get_source_object (task));
  /* Nobody else made it, or the signals of the task were told already. */
  if (async->with_handle)
    g_task_return_pointer (task, osiiso_handle_get_for_record (async->scheduler, async->record), g_object_unref);
  else
    g_task_return_boolean (task, TRUE);
}

static gboolean
async_finish (GTask *task)
{
  AsyncSubmit *async = get_async (task);

  if (async->cancel_source != NULL)
    g_source_destroy (async->cancel_source);
  if (async->pushed == OSIISO_ENTRY_ADMITTED)
    {
      return_success (async, task);
      return TRUE;
    }
  if (async->error == NULL)
    osiiso_admission_set_error (async->scheduler, async->pushed, async->room.n, &async->error);
  g_task_return_error (task, g_steal_pointer (&async->error));
  return TRUE;
}

static gboolean
async_remove (GTask *task)
{
  AsyncSubmit *async = get_async (task);

  if (!osiiso_admission_leave (async->scheduler, &async->room))
    return FALSE;
  async->pushed = OSIISO_ENTRY_LEFT;
  async_drop (async);
  if (async->cancel_source != NULL)
    g_source_destroy (async->cancel_source);
  return TRUE;
}

/* The cancellable of the options, in the context of the GTask, which has another
 * one for the wait alone. A task that is in the queue is cancelled there. */
static gboolean
async_cancelled_cb (GCancellable *cancellable,
                    gpointer      user_data)
{
  GTask *task = user_data;

  if (async_remove (task))
    {
      osiiso_scheduler_complete_task (get_async (task)->scheduler, task);
      return G_SOURCE_REMOVE;
    }
  /* Not in line yet, or on its way back, as with the cancellable of the wait. */
  g_source_set_ready_time (get_async (task)->cancel_source, 0);
  return G_SOURCE_CONTINUE;
}

static void
async_watch (AsyncSubmit *async,
             GTask       *task)
{
  if (async->watch == NULL)
    return;
  async->cancel_source = g_cancellable_source_new (osiiso_cancel_watch_get_cancellable (async->watch));
  g_source_set_callback (async->cancel_source, G_SOURCE_FUNC (async_cancelled_cb), g_object_ref (task), g_object_unref);
  g_source_attach (async->cancel_source, g_task_get_context (task));
}

/* Takes over the records, with their watch and @ids, and the GTask. */
static void
enter (const OsiisoSubmission *self,
       OsiisoScheduler        *scheduler,
       OsiisoRecord          **records,
       guint                   n,
       OsiisoRecord           *record,
       guint64                *ids,
       OsiisoCancelWatch      *watch,
       gboolean                with_handle,
       GTask                  *task)
{
  G_GNUC_UNUSED g_autoptr (GTask) alive = g_object_ref (task);
  g_autoptr (GError) error = NULL;
  AsyncSubmit *async = g_new (AsyncSubmit, 1);

  *async = (AsyncSubmit) {
    .room = {
      .n = n,
      .record = osiiso_submission_is_at_once (self, n) ? record : NULL,
      .task = task,
      .answered = async_answered,
    },
    .scheduler = osiiso_scheduler_ref (scheduler),
    .records = records,
    .record = record != NULL ? osiiso_record_ref (record) : NULL,
    .batch = self->batch != NULL ? osiiso_batch_ref (self->batch) : NULL,
    .ids = ids,
    .with_handle = with_handle,
    .watch = watch,
  };
  g_object_set_data_full (G_OBJECT (task), "osiiso-submit", async, async_free);
  osiiso_waiter_init (task, async_finish, async_remove);
  async_watch (async, task);

  if (osiiso_admission_enter (scheduler, &async->room) != OSIISO_ENTRY_WAITS)
    return;
  if (!osiiso_admission_needs_start (scheduler) || osiiso_scheduler_start (scheduler, &error))
    {
      /* The source of the GTask is not always the queue. */
      osiiso_submission_hold_queue (scheduler);
      return;
    }
  if (async_remove (task))
    {
      async->error = g_steal_pointer (&error);
      osiiso_scheduler_complete_task (scheduler, task);
    }
}

static void
fail (const OsiisoSubmission *self,
      OsiisoScheduler        *scheduler,
      GTask                  *task,
      GError                 *error)
{
  if (self->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
  osiiso_submission_refuse_async (task, error);
}

static void
submit_one (const OsiisoSubmission *self,
            OsiisoScheduler        *scheduler,
            gboolean                with_handle,
            GTask                  *task)
{
  OsiisoCancelWatch *watch = NULL;
  OsiisoRecord *record = NULL;
  OsiisoRecord **records;
  GError *error = NULL;

  if (!g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error) &&
      osiiso_submission_check_backend (self, scheduler, &error))
    record = osiiso_submission_make_one (self, scheduler, with_handle, &watch, &error);
  if (record == NULL)
    {
      fail (self, scheduler, task, error);
      return;
    }
  records = g_new (OsiisoRecord *, 1);
  records[0] = record;
  enter (self, scheduler, records, 1, record, NULL, watch, with_handle, task);
}

void
osiiso_submission_submit_async (const OsiisoSubmission *self,
                                OsiisoScheduler        *scheduler,
                                GTask                  *task)
{
  submit_one (self, scheduler, TRUE, task);
}

void
osiiso_submission_push_async (const OsiisoSubmission *self,
                              OsiisoScheduler        *scheduler,
                              GTask                  *task)
{
  submit_one (self, scheduler, FALSE, task);
}

void
osiiso_submission_send_async (OsiisoSubmission *self,
                              OsiisoScheduler  *scheduler,
                              gboolean          with_handle,
                              GTask            *task,
                              GError           *error)
{
  if (error != NULL)
    {
      osiiso_submission_refuse_async (task, error);
      return;
    }
  submit_one (self, scheduler, with_handle, task);
  osiiso_submission_clear (self);
}

guint64
osiiso_submission_push_finish (GTask   *task,
                               GError **error)
{
  return g_task_propagate_boolean (task, error) ? osiiso_record_get_id (get_async (task)->record) : 0;
}

void
osiiso_submission_map_async (const OsiisoSubmission *self,
                             OsiisoScheduler        *scheduler,
                             guint                   n,
                             GTask                  *task)
{
  OsiisoCancelWatch *watch;
  OsiisoRecord **records;
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error))
    {
      fail (self, scheduler, task, error);
      return;
    }
  records = osiiso_submission_make_map (self, scheduler, n, &watch, &error);
  if (records != NULL && n > 0)
    {
      enter (self, scheduler, records, n, NULL, NULL, watch, FALSE, task);
      return;
    }

  if (records == NULL)
    {
      g_task_return_error (task, error);
    }
  else
    {
      osiiso_submission_release_watch (scheduler, watch);
      g_task_return_pointer (task, osiiso_group_new (self->batch), g_object_unref);
    }
  g_free (records);
  g_object_unref (task);
}

void
osiiso_submission_tokens_async (const OsiisoSubmission *self,
                                OsiisoScheduler        *scheduler,
                                guint                   n,
                                GTask                  *task)
{
  OsiisoCancelWatch *watch;
  OsiisoRecord **records = NULL;
  guint64 *ids;
  GError *error = NULL;

  if (!g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error))
    records = osiiso_submission_make_tokens (self, scheduler, n, &ids, &watch, &error);
  if (records == NULL)
    {
      fail (self, scheduler, task, error);
    }
  else if (n > 0)
    {
      enter (self, scheduler, records, n, NULL, ids, watch, FALSE, task);
    }
  else
    {
      g_free (records);
      g_task_return_pointer (task, ids, g_free);
      g_object_unref (task);
    }
}

guint64 *
osiiso_submission_tokens_finish (GTask   *task,
                                 gsize   *n_ids,
                                 GError **error)
{
  guint64 *ids = g_task_propagate_pointer (task, error);
  AsyncSubmit *async = get_async (task);

  if (n_ids != NULL)
    *n_ids = ids != NULL && async != NULL ? async->room.n : 0;
  return ids;
}
