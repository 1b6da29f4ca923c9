/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-backend-loader-private.h"
#include "osiiso-call-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-foreign-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

void
osiiso_submission_set_not_supported (OsiisoScheduler *scheduler,
                                     const char      *what,
                                     GError         **error)
{
  g_autoptr (OsiisoBackend) backend = osiiso_scheduler_dup_backend (scheduler);
  g_autofree char *name = backend != NULL ? osiiso_backend_loader_dup_name (G_OBJECT_TYPE (backend)) : NULL;

  if (name != NULL)
    g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                 "the backend '%s' does not run %s", name, what);
  else
    g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                 "the backend of this queue, %s, does not run %s",
                 backend != NULL ? G_OBJECT_TYPE_NAME (backend) : "none", what);
}

gboolean
osiiso_submission_check_capability (OsiisoScheduler          *scheduler,
                                    OsiisoBackendCapabilities needed,
                                    GError                  **error)
{
  const char *what = "functions of this process; 'main-loop' and 'thread-pool' do";

  if ((scheduler->capabilities & needed) == needed)
    return TRUE;
  if (needed & OSIISO_BACKEND_CAPABILITIES_CALLS)
    what = "calls; 'main-loop', 'thread-pool' and 'subprocess' do";
  else if (needed & OSIISO_BACKEND_CAPABILITIES_COMMANDS)
    what = "commands; 'subprocess' does";
  osiiso_submission_set_not_supported (scheduler, what, error);
  return FALSE;
}

static gboolean
check_backend (const OsiisoSubmission *self,
               OsiisoScheduler        *scheduler,
               GError                **error)
{
  if (!osiiso_submission_check_capability (scheduler,
                                           self->needs != 0 ? self->needs : OSIISO_BACKEND_CAPABILITIES_FUNCTIONS,
                                           error))
    return FALSE;
  if (!(scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) &&
      osiiso_foreign_is_thread_bound (self->destroy))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                           "JavaScript functions cannot run in other threads; use the backend 'main-loop', or 'subprocess' for parallel work");
      return FALSE;
    }
  return TRUE;
}

static gboolean
needs_timer (OsiisoTaskParams *params)
{
  return params != NULL && (params->delay > 0 || params->run_at > 0 || params->timeout > 0 ||
                            params->deadline > 0 || params->retries > 0);
}

/* The params of the task, with the id of the group that it goes into. */
static gboolean
get_params (const OsiisoSubmission *self,
            OsiisoTaskParams      **params,
            GError                **error)
{
  g_autoptr (OsiisoTaskParams) snapshot = NULL;

  *params = NULL;
  if (!osiiso_task_options_snapshot (self->options, &snapshot, error))
    return FALSE;
  if (self->named != NULL)
    {
      g_autoptr (OsiisoTaskParams) unnamed = g_steal_pointer (&snapshot);

      snapshot = osiiso_task_params_with_name (unnamed, self->named);
    }
  if (needs_timer (snapshot) && !osiiso_timer_service_prepare (error))
    return FALSE;
  *params = self->batch != NULL ? osiiso_task_params_with_group (snapshot, self->batch->group_id)
                                : g_steal_pointer (&snapshot);
  return TRUE;
}

/* What cancels the tasks, in use until it is released; NULL for nothing. */
static gboolean
get_watch (const OsiisoSubmission *self,
           OsiisoScheduler        *scheduler,
           OsiisoCancelWatch     **watch,
           GError                **error)
{
  GCancellable *cancellable = osiiso_task_options_dup_cancellable (self->options);

  *watch = cancellable != NULL ? osiiso_scheduler_use_watch (scheduler, cancellable, error) : NULL;
  return cancellable == NULL || *watch != NULL;
}

static void
release_watch (OsiisoScheduler   *scheduler,
               OsiisoCancelWatch *watch)
{
  if (watch != NULL)
    osiiso_scheduler_release_watch (scheduler, watch);
}

/* When the first attempt may begin; 0 for at once. */
static gint64
due_time (OsiisoTaskParams *params,
          gint64            now)
{
  gint64 delay = 0;

  if (params == NULL)
    return 0;
  if (params->delay > 0)
    delay = osiiso_clock_from_seconds (params->delay);
  else if (params->run_at > 0)
    delay = osiiso_clock_from_seconds (params->run_at - (double) g_get_real_time () / G_USEC_PER_SEC);
  return delay > 0 ? now + delay : 0;
}

static void
add_bounds (OsiisoRecord      *record,
            OsiisoTaskParams  *params,
            OsiisoCancelWatch *watch,
            gint64             now)
{
  const double deadline = params != NULL ? params->deadline : 0;
  OsiisoRecordBounds *bounds;

  if (deadline <= 0 && watch == NULL)
    return;
  bounds = osiiso_record_make_bounds (record);
  bounds->watch = watch;
  if (deadline > 0)
    bounds->deadline.key = now + osiiso_clock_from_seconds (deadline);
}

/* @now is when it is made; 0 when nobody has looked at the clock yet. */
static OsiisoRecord *
new_record (OsiisoScheduler   *scheduler,
            OsiisoTaskParams  *params,
            OsiisoCancelWatch *watch,
            guint32            flags,
            gboolean           with_times,
            gint64             now,
            GError           **error)
{
  OsiisoRecord *record = osiiso_scheduler_new_record (scheduler, params, flags, error);

  if (record != NULL && (params != NULL || watch != NULL || with_times))
    {
      gint64 due;

      if (now == 0)
        now = osiiso_clock_now ();
      due = due_time (params, now);

      add_bounds (record, params, watch, now);
      if (with_times)
        osiiso_record_ensure_ext (record)->created = now;
      if (due != 0)
        osiiso_record_ensure_rare (record)->scheduled_for = due;
    }
  return record;
}

/* A queue that works stays alive until it has nothing left to do. */
static void
hold_queue (OsiisoScheduler *scheduler)
{
  if (atomic_load (&scheduler->started) && !atomic_load (&scheduler->outbox.held))
    osiiso_outbox_hold (&scheduler->outbox);
}

static OsiisoEntry
push_plain (const OsiisoSubmission *self,
            OsiisoScheduler        *scheduler,
            const OsiisoTaskParams *params,
            guint64                *id)
{
  const OsiisoPayload payload = { self->func, self->data, self->destroy };
  OsiisoWake wake = { 0 };
  OsiisoEntry entry;

  entry = osiiso_scheduler_push_plain (scheduler, params, &payload, self->func == NULL ? OSIISO_RECORD_TOKEN : 0,
                                       id, &wake);
  osiiso_scheduler_act (scheduler, &wake);
  if (entry == OSIISO_ENTRY_ADMITTED)
    hold_queue (scheduler);
  return entry;
}

static OsiisoEntry
push_now (OsiisoScheduler *scheduler,
          OsiisoBatch     *batch,
          OsiisoRecord   **records,
          guint            n,
          gboolean         reserved)
{
  OsiisoWake wake = { 0 };
  OsiisoEntry entry;

  if (batch != NULL)
    entry = osiiso_batch_push_all (batch, records, n, reserved, &wake);
  else
    entry = osiiso_scheduler_push (scheduler, records, n, reserved, &wake);
  osiiso_scheduler_act (scheduler, &wake);
  return entry;
}

/* Blocks until there is room. One task comes in in the step that admits it. For
 * many that would take long under the locks, and members of a group have to be
 * added to that in the same step, under a lock that comes first; those wait for
 * places. */
static OsiisoEntry
push_later (const OsiisoSubmission *self,
            OsiisoScheduler        *scheduler,
            OsiisoCancelWatch      *watch,
            OsiisoRecord          **records,
            guint                   n,
            GError                **error)
{
  const gboolean at_once = self->batch == NULL && n == 1;
  GCancellable *cancellable = watch != NULL ? osiiso_cancel_watch_get_cancellable (watch) : NULL;
  OsiisoEntry entry;
  gboolean due;

  if (!osiiso_admission_wait (scheduler, at_once ? records[0] : NULL, n, cancellable, error))
    return OSIISO_ENTRY_LEFT;
  if (at_once)
    return OSIISO_ENTRY_ADMITTED;

  due = osiiso_admission_is_due (records[n - 1]);
  if (due)
    {
      pthread_mutex_lock (&scheduler->ready_lock);
      scheduler->will_tick = TRUE;
      pthread_mutex_unlock (&scheduler->ready_lock);
    }
  entry = push_now (scheduler, self->batch, records, n, TRUE);
  if (due)
    osiiso_scheduler_tick (scheduler);
  if (entry != OSIISO_ENTRY_ADMITTED)
    {
      osiiso_admission_set_error (scheduler, entry, n, error);
      osiiso_admission_give_back (scheduler, n);
    }
  /* Until now these may have been taken for tasks that end. */
  osiiso_wait_graph_update ();
  return entry;
}

static gboolean
push (const OsiisoSubmission *self,
      OsiisoScheduler        *scheduler,
      OsiisoCancelWatch      *watch,
      OsiisoRecord          **records,
      guint                   n,
      GError                **error)
{
  OsiisoEntry entry = push_now (scheduler, self->batch, records, n, FALSE);

  if (entry == OSIISO_ENTRY_FULL && !self->only_try)
    entry = push_later (self, scheduler, watch, records, n, error);
  else if (entry != OSIISO_ENTRY_ADMITTED)
    osiiso_admission_set_error (scheduler, entry, n, error);
  if (entry == OSIISO_ENTRY_ADMITTED)
    hold_queue (scheduler);
  return entry == OSIISO_ENTRY_ADMITTED;
}

static void
set_call (OsiisoRecord *record,
          OsiisoCall   *call)
{
  record->func = osiiso_call_perform;
  record->call = osiiso_call_ref (call);
}

/* The record of one task, which is not in the care of the queue yet. */
static OsiisoRecord *
make_one (const OsiisoSubmission *self,
          OsiisoScheduler        *scheduler,
          OsiisoTaskParams       *params,
          OsiisoCancelWatch      *watch,
          gboolean                with_handle,
          GError                **error)
{
  OsiisoRecord *record = new_record (scheduler, params, watch,
                                     (with_handle ? OSIISO_RECORD_KEEP : 0) | (self->func == NULL ? OSIISO_RECORD_TOKEN : 0),
                                     with_handle || self->calls != NULL, 0, error);

  if (record != NULL)
    {
      record->func = self->func;
      record->data = self->data;
      record->destroy = self->destroy;
      if (self->calls != NULL)
        set_call (record, self->calls[0]);
    }
  return record;
}

gboolean
osiiso_submission_submit (const OsiisoSubmission *self,
                          OsiisoScheduler        *scheduler,
                          OsiisoHandle          **handle,
                          guint64                *id,
                          GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  g_autoptr (OsiisoHandle) made = NULL;
  OsiisoCancelWatch *watch = NULL;
  OsiisoTaskParams plain;
  OsiisoRecord *record;

  if (!check_backend (self, scheduler, error))
    goto failed;
  if (handle == NULL && self->batch == NULL && self->named == NULL && self->calls == NULL &&
      osiiso_task_options_get_plain (self->options, &plain))
    {
      OsiisoEntry entry = push_plain (self, scheduler, &plain, id);

      if (entry == OSIISO_ENTRY_ADMITTED)
        return TRUE;
      /* With a record of its own it can wait in line. */
      if (entry != OSIISO_ENTRY_FULL || self->only_try)
        {
          osiiso_admission_set_error (scheduler, entry, 1, error);
          goto failed;
        }
    }
  if (!get_params (self, &params, error) || !get_watch (self, scheduler, &watch, error))
    goto failed;
  record = make_one (self, scheduler, params, watch, handle != NULL, error);
  if (record == NULL)
    goto failed;

  if (self->batch != NULL)
    osiiso_record_ensure_ext (record)->batch = osiiso_batch_ref (self->batch);
  if (id != NULL)
    *id = osiiso_record_get_id (record);
  /* Before the task can run, so that nobody else makes it. */
  if (handle != NULL)
    made = osiiso_handle_new_for_record (scheduler, record);

  if (!push (self, scheduler, watch, &record, 1, error))
    {
      if (made != NULL)
        g_object_unref (osiiso_handle_steal_for_record (scheduler, record));
      if (self->calls != NULL)
        osiiso_scheduler_drop_payload (scheduler, record);
      osiiso_record_unref (record);
      goto failed;
    }
  release_watch (scheduler, watch);
  if (handle != NULL)
    *handle = g_steal_pointer (&made);
  return TRUE;

failed:
  release_watch (scheduler, watch);
  if (self->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
  return FALSE;
}

/* An asynchronous submit, on its way or in line. */
typedef struct
{
  OsiisoRoomWaiter   room;
  OsiisoScheduler   *scheduler; /* (owned), the source of the GTask goes first */
  OsiisoRecord      *record;    /* (owned), besides the reference that the queue gets */
  OsiisoCancelWatch *watch;     /* (nullable), in use */
  GSource           *cancel_source; /* (nullable) (owned), with the watch */
  GError            *error;     /* (nullable) (owned): why the queue could not be started */
} AsyncSubmit;

static void
async_free (gpointer data)
{
  AsyncSubmit *async = data;

  osiiso_record_unref (async->record);
  g_clear_pointer (&async->cancel_source, g_source_unref);
  release_watch (async->scheduler, async->watch);
  osiiso_scheduler_unref (async->scheduler);
  g_clear_error (&async->error);
  g_free (async);
}

static AsyncSubmit *
get_async (GTask *task)
{
  return g_object_get_data (G_OBJECT (task), "osiiso-submit");
}

static gboolean
async_finish (GTask *task)
{
  AsyncSubmit *async = get_async (task);

  if (async->cancel_source != NULL)
    g_source_destroy (async->cancel_source);
  if (async->room.entry == OSIISO_ENTRY_ADMITTED)
    {
      hold_queue (async->scheduler);
      /* Nobody else made it, or the signals of the task were told already. */
      g_task_return_pointer (task, osiiso_handle_get_for_record (async->scheduler, async->record), g_object_unref);
      return TRUE;
    }
  if (async->error == NULL)
    osiiso_admission_set_error (async->scheduler, async->room.entry, 1, &async->error);
  g_task_return_error (task, g_steal_pointer (&async->error));
  return TRUE;
}

static gboolean
async_remove (GTask *task)
{
  AsyncSubmit *async = get_async (task);

  if (!osiiso_admission_leave (async->scheduler, &async->room))
    return FALSE;
  osiiso_admission_drop_record (async->scheduler, &async->room);
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

void
osiiso_submission_submit_async (const OsiisoSubmission *self,
                                OsiisoScheduler        *scheduler,
                                GTask                  *task)
{
  g_autoptr (GTask) alive = g_object_ref (task);
  g_autoptr (OsiisoTaskParams) params = NULL;
  OsiisoCancelWatch *watch = NULL;
  OsiisoRecord *record = NULL;
  GError *error = NULL;
  AsyncSubmit *async;

  if (!g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error) &&
      check_backend (self, scheduler, &error) && get_params (self, &params, &error) &&
      get_watch (self, scheduler, &watch, &error))
    record = make_one (self, scheduler, params, watch, TRUE, &error);
  if (record == NULL)
    {
      release_watch (scheduler, watch);
      if (self->destroy != NULL)
        osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  async = g_new (AsyncSubmit, 1);
  *async = (AsyncSubmit) {
    .room = { .n = 1, .record = record, .task = task },
    .scheduler = osiiso_scheduler_ref (scheduler),
    .record = osiiso_record_ref (record),
    .watch = watch,
  };
  g_object_set_data_full (G_OBJECT (task), "osiiso-submit", async, async_free);
  osiiso_waiter_init (task, async_finish, async_remove);
  async_watch (async, task);

  if (osiiso_admission_enter (scheduler, &async->room) == OSIISO_ENTRY_WAITS &&
      osiiso_admission_needs_start (scheduler) && !osiiso_scheduler_start (scheduler, &error))
    {
      if (async_remove (task))
        {
          async->error = g_steal_pointer (&error);
          osiiso_scheduler_complete_task (scheduler, task);
        }
      g_clear_error (&error);
    }
}

gboolean
osiiso_submission_submit_tokens (const OsiisoSubmission *self,
                                 OsiisoScheduler        *scheduler,
                                 guint                   n,
                                 guint64                *ids,
                                 GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  g_autofree OsiisoRecord **records = NULL;
  OsiisoCancelWatch *watch = NULL;
  gint64 now;
  guint n_made;
  gboolean ok;

  if (!check_backend (self, scheduler, error) || !get_params (self, &params, error))
    return FALSE;
  if (n == 0)
    return TRUE;
  if (!get_watch (self, scheduler, &watch, error))
    return FALSE;

  records = g_new (OsiisoRecord *, n);
  now = osiiso_clock_now ();
  for (n_made = 0; n_made < n; n_made++)
    {
      records[n_made] = new_record (scheduler, params, watch, OSIISO_RECORD_TOKEN, self->calls != NULL, now,
                                    error);
      if (records[n_made] == NULL)
        break;
      records[n_made]->data = (gpointer) ((gsize) self->data + n_made);
      if (self->calls != NULL)
        set_call (records[n_made], self->calls[n_made]);
      ids[n_made] = osiiso_record_get_id (records[n_made]);
    }
  ok = n_made == n && push (self, scheduler, watch, records, n, error);
  for (guint i = 0; !ok && i < n_made; i++)
    {
      osiiso_scheduler_drop_payload (scheduler, records[i]);
      osiiso_record_unref (records[i]);
    }
  release_watch (scheduler, watch);
  return ok;
}

gboolean
osiiso_submission_map (const OsiisoSubmission *self,
                       OsiisoScheduler        *scheduler,
                       guint                   n,
                       GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  g_autofree OsiisoRecord **records = NULL;
  OsiisoCancelWatch *watch = NULL;
  OsiisoMapPayload *payload;
  gint64 now;
  guint n_made = 0;
  gboolean ok;

  ok = check_backend (self, scheduler, error) && get_params (self, &params, error) &&
       get_watch (self, scheduler, &watch, error);
  if (!ok || n == 0)
    {
      release_watch (scheduler, watch);
      if (self->destroy != NULL)
        osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
      return ok;
    }

  payload = g_new (OsiisoMapPayload, 1);
  *payload = (OsiisoMapPayload) { .func = self->func, .data = self->data, .destroy = self->destroy };
  osiiso_ref_count_init (&payload->ref_count);

  records = g_new (OsiisoRecord *, n);
  now = osiiso_clock_now ();
  for (n_made = 0; n_made < n; n_made++)
    {
      OsiisoRecord *record = new_record (scheduler, params, watch, OSIISO_RECORD_KEEP | OSIISO_RECORD_MAP, TRUE, now,
                                         error);

      if (record == NULL)
        break;
      osiiso_ref_count_inc (&payload->ref_count);
      record->data = payload;
      osiiso_record_get_ext (record)->batch = osiiso_batch_ref (self->batch);
      records[n_made] = record;
    }

  ok = n_made == n && push (self, scheduler, watch, records, n, error);
  if (!ok)
    {
      for (guint i = 0; i < n_made; i++)
        {
          osiiso_scheduler_drop_payload (scheduler, records[i]);
          osiiso_record_unref (records[i]);
        }
    }
  osiiso_scheduler_release_map (scheduler, payload);
  release_watch (scheduler, watch);
  return ok;
}
