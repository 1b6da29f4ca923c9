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
  if (scheduler->backend_error != NULL)
    {
      g_propagate_error (error, g_error_copy (scheduler->backend_error));
      return FALSE;
    }
  if (needed & OSIISO_BACKEND_CAPABILITIES_CALLS)
    what = "calls; 'main-loop', 'thread-pool' and 'subprocess' do";
  else if (needed & OSIISO_BACKEND_CAPABILITIES_COMMANDS)
    what = "commands; 'subprocess' does";
  osiiso_submission_set_not_supported (scheduler, what, error);
  return FALSE;
}

gboolean
osiiso_submission_check_backend (const OsiisoSubmission *self,
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

void
osiiso_submission_release_watch (OsiisoScheduler   *scheduler,
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

void
osiiso_submission_hold_queue (OsiisoScheduler *scheduler)
{
  if (atomic_load (&scheduler->started) && !atomic_load (&scheduler->outbox.held))
    osiiso_outbox_hold (&scheduler->outbox);
}

static OsiisoEntry
push_plain (const OsiisoSubmission *self,
            OsiisoScheduler        *scheduler,
            const OsiisoTaskParams *params,
            OsiisoHandle          **handle,
            guint64                *id)
{
  OsiisoPayload payload = { self->func, self->data, self->destroy, NULL, NULL };
  guint32 flags = self->func == NULL ? OSIISO_RECORD_TOKEN : 0;
  OsiisoWake wake = { 0 };
  OsiisoEntry entry;

  if (handle != NULL)
    {
      flags |= OSIISO_RECORD_KEEP;
      payload.ext = osiiso_record_ext_new ();
      payload.ext->created = osiiso_clock_now ();
      payload.handle = osiiso_handle_new_unbound ();
    }
  entry = osiiso_scheduler_push_plain (scheduler, params, &payload, flags, id, &wake);
  osiiso_scheduler_act (scheduler, &wake);
  if (entry == OSIISO_ENTRY_ADMITTED)
    {
      osiiso_submission_hold_queue (scheduler);
      if (handle != NULL)
        *handle = payload.handle;
    }
  else if (handle != NULL)
    {
      g_object_unref (payload.handle);
      g_object_unref (payload.handle);
      g_free (payload.ext);
    }
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

void
osiiso_submission_drop_records (OsiisoScheduler *scheduler,
                                OsiisoRecord   **records,
                                guint            n)
{
  for (guint i = 0; i < n; i++)
    {
      osiiso_scheduler_drop_payload (scheduler, records[i]);
      osiiso_record_unref (records[i]);
    }
}

gboolean
osiiso_submission_is_at_once (const OsiisoSubmission *self,
                              guint                   n)
{
  return self->batch == NULL && n == 1;
}

OsiisoEntry
osiiso_submission_push_reserved (OsiisoScheduler *scheduler,
                                 OsiisoBatch     *batch,
                                 OsiisoRecord   **records,
                                 guint            n)
{
  gboolean due = osiiso_admission_is_due (records[n - 1]);
  OsiisoEntry entry;

  if (due)
    {
      pthread_mutex_lock (&scheduler->ready_lock);
      scheduler->will_tick = TRUE;
      pthread_mutex_unlock (&scheduler->ready_lock);
    }
  entry = push_now (scheduler, batch, records, n, TRUE);
  if (due)
    osiiso_scheduler_tick (scheduler);
  if (entry != OSIISO_ENTRY_ADMITTED)
    osiiso_admission_give_back (scheduler, n);
  /* Until now these may have been taken for tasks that end. */
  osiiso_wait_graph_update ();
  return entry;
}

/* Blocks until there is room. */
static OsiisoEntry
push_later (const OsiisoSubmission *self,
            OsiisoScheduler        *scheduler,
            OsiisoCancelWatch      *watch,
            OsiisoRecord          **records,
            guint                   n,
            GError                **error)
{
  const gboolean at_once = osiiso_submission_is_at_once (self, n);
  GCancellable *cancellable = watch != NULL ? osiiso_cancel_watch_get_cancellable (watch) : NULL;
  OsiisoEntry entry;

  if (!osiiso_admission_wait (scheduler, at_once ? records[0] : NULL, n, cancellable, error))
    return OSIISO_ENTRY_LEFT;
  if (at_once)
    return OSIISO_ENTRY_ADMITTED;

  entry = osiiso_submission_push_reserved (scheduler, self->batch, records, n);
  if (entry != OSIISO_ENTRY_ADMITTED)
    osiiso_admission_set_error (scheduler, entry, n, error);
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
    osiiso_submission_hold_queue (scheduler);
  return entry == OSIISO_ENTRY_ADMITTED;
}

/* Takes over the records and the watch. */
static gboolean
push_all (const OsiisoSubmission *self,
          OsiisoScheduler        *scheduler,
          OsiisoCancelWatch      *watch,
          OsiisoRecord          **records,
          guint                   n,
          GError                **error)
{
  gboolean ok = n == 0 || push (self, scheduler, watch, records, n, error);

  if (!ok)
    osiiso_submission_drop_records (scheduler, records, n);
  osiiso_submission_release_watch (scheduler, watch);
  return ok;
}

static void
set_call (OsiisoRecord *record,
          OsiisoCall   *call)
{
  record->func = osiiso_call_perform;
  record->call = osiiso_call_ref (call);
}

OsiisoRecord *
osiiso_submission_make_one (const OsiisoSubmission *self,
                            OsiisoScheduler        *scheduler,
                            gboolean                with_handle,
                            OsiisoCancelWatch     **watch,
                            GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  OsiisoRecord *record;

  *watch = NULL;
  if (!get_params (self, &params, error) || !get_watch (self, scheduler, watch, error))
    return NULL;
  record = new_record (scheduler, params, *watch,
                       (with_handle ? OSIISO_RECORD_KEEP : 0) | (self->func == NULL ? OSIISO_RECORD_TOKEN : 0),
                       with_handle || self->calls != NULL, 0, error);
  if (record == NULL)
    {
      osiiso_submission_release_watch (scheduler, g_steal_pointer (watch));
      return NULL;
    }

  record->func = self->func;
  record->data = self->data;
  record->destroy = self->destroy;
  if (self->calls != NULL)
    set_call (record, self->calls[0]);
  if (self->batch != NULL)
    osiiso_record_ensure_ext (record)->batch = osiiso_batch_ref (self->batch);
  return record;
}

gboolean
osiiso_submission_submit (const OsiisoSubmission *self,
                          OsiisoScheduler        *scheduler,
                          OsiisoHandle          **handle,
                          guint64                *id,
                          GError                **error)
{
  g_autoptr (OsiisoHandle) made = NULL;
  OsiisoCancelWatch *watch = NULL;
  OsiisoTaskParams plain;
  OsiisoRecord *record;

  if (!osiiso_submission_check_backend (self, scheduler, error))
    goto failed;
  if (self->batch == NULL && self->named == NULL && self->calls == NULL &&
      osiiso_task_options_get_plain (self->options, &plain))
    {
      OsiisoEntry entry = push_plain (self, scheduler, &plain, handle, id);

      if (entry == OSIISO_ENTRY_ADMITTED)
        return TRUE;
      /* With a record of its own it can wait in line. */
      if (entry != OSIISO_ENTRY_FULL || self->only_try)
        {
          osiiso_admission_set_error (scheduler, entry, 1, error);
          goto failed;
        }
    }
  record = osiiso_submission_make_one (self, scheduler, handle != NULL, &watch, error);
  if (record == NULL)
    goto failed;

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
  osiiso_submission_release_watch (scheduler, watch);
  if (handle != NULL)
    *handle = g_steal_pointer (&made);
  return TRUE;

failed:
  osiiso_submission_release_watch (scheduler, watch);
  if (self->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
  return FALSE;
}

OsiisoRecord **
osiiso_submission_make_tokens (const OsiisoSubmission *self,
                               OsiisoScheduler        *scheduler,
                               guint                   n,
                               guint64               **ids,
                               OsiisoCancelWatch     **watch,
                               GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  OsiisoRecord **records;
  gint64 now;
  guint n_made;

  *ids = NULL;
  *watch = NULL;
  if (!osiiso_submission_check_backend (self, scheduler, error) || !get_params (self, &params, error) ||
      (n > 0 && !get_watch (self, scheduler, watch, error)))
    return NULL;

  /* Not NULL without any, either. */
  records = g_new (OsiisoRecord *, (gsize) n + 1);
  *ids = g_new (guint64, (gsize) n + 1);
  now = osiiso_clock_now ();
  for (n_made = 0; n_made < n; n_made++)
    {
      records[n_made] = new_record (scheduler, params, *watch, OSIISO_RECORD_TOKEN, self->calls != NULL, now,
                                    error);
      if (records[n_made] == NULL)
        break;
      records[n_made]->data = (gpointer) ((gsize) self->data + n_made);
      if (self->calls != NULL)
        set_call (records[n_made], self->calls[n_made]);
      (*ids)[n_made] = osiiso_record_get_id (records[n_made]);
    }
  if (n_made == n)
    return records;

  osiiso_submission_drop_records (scheduler, records, n_made);
  g_free (records);
  g_clear_pointer (ids, g_free);
  osiiso_submission_release_watch (scheduler, g_steal_pointer (watch));
  return NULL;
}

guint64 *
osiiso_submission_submit_tokens (const OsiisoSubmission *self,
                                 OsiisoScheduler        *scheduler,
                                 guint                   n,
                                 GError                **error)
{
  OsiisoCancelWatch *watch;
  g_autofree guint64 *ids = NULL;
  g_autofree OsiisoRecord **records = osiiso_submission_make_tokens (self, scheduler, n, &ids, &watch, error);

  if (records == NULL)
    return NULL;
  if (!push_all (self, scheduler, watch, records, n, error))
    return NULL;
  return g_steal_pointer (&ids);
}

OsiisoRecord **
osiiso_submission_make_map (const OsiisoSubmission *self,
                            OsiisoScheduler        *scheduler,
                            guint                   n,
                            OsiisoCancelWatch     **watch,
                            GError                **error)
{
  g_autoptr (OsiisoTaskParams) params = NULL;
  OsiisoRecord **records;
  OsiisoMapPayload *payload;
  gint64 now;
  guint n_made;

  *watch = NULL;
  if (!osiiso_submission_check_backend (self, scheduler, error) || !get_params (self, &params, error) ||
      !get_watch (self, scheduler, watch, error))
    {
      if (self->destroy != NULL)
        osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
      return NULL;
    }

  payload = g_new (OsiisoMapPayload, 1);
  *payload = (OsiisoMapPayload) { .func = self->func, .data = self->data, .destroy = self->destroy };
  osiiso_ref_count_init (&payload->ref_count);

  /* Not NULL without any, either. */
  records = g_new (OsiisoRecord *, (gsize) n + 1);
  now = osiiso_clock_now ();
  for (n_made = 0; n_made < n; n_made++)
    {
      OsiisoRecord *record = new_record (scheduler, params, *watch, OSIISO_RECORD_KEEP | OSIISO_RECORD_MAP, TRUE, now,
                                         error);

      if (record == NULL)
        break;
      osiiso_ref_count_inc (&payload->ref_count);
      record->data = payload;
      osiiso_record_get_ext (record)->batch = osiiso_batch_ref (self->batch);
      records[n_made] = record;
    }
  osiiso_scheduler_release_map (scheduler, payload);
  if (n_made == n)
    return records;

  osiiso_submission_drop_records (scheduler, records, n_made);
  g_free (records);
  osiiso_submission_release_watch (scheduler, g_steal_pointer (watch));
  return NULL;
}

gboolean
osiiso_submission_map (const OsiisoSubmission *self,
                       OsiisoScheduler        *scheduler,
                       guint                   n,
                       GError                **error)
{
  OsiisoCancelWatch *watch;
  g_autofree OsiisoRecord **records = osiiso_submission_make_map (self, scheduler, n, &watch, error);

  return records != NULL && push_all (self, scheduler, watch, records, n, error);
}
