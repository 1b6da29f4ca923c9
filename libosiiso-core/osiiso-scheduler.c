/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "osiiso-attempt-private.h"
#include "osiiso-backend.h"
#include "osiiso-batch-private.h"
#include "osiiso-call-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-handle-private.h"
#include "osiiso-initializer-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-options.h"
#include "osiiso-token-private.h"
#include "osiiso-trace-private.h"
#include "osiiso-wait-private.h"

static void
client_ref (OsiisoTimerClient *client)
{
  osiiso_scheduler_ref ((OsiisoScheduler *) (void *) ((char *) client - G_STRUCT_OFFSET (OsiisoScheduler, client)));
}

static void
client_unref (OsiisoTimerClient *client)
{
  osiiso_scheduler_unref ((OsiisoScheduler *) (void *) ((char *) client - G_STRUCT_OFFSET (OsiisoScheduler, client)));
}

static void
client_tick (OsiisoTimerClient *client)
{
  osiiso_scheduler_tick ((OsiisoScheduler *) (void *) ((char *) client - G_STRUCT_OFFSET (OsiisoScheduler, client)));
}

/* Aligned as the groups of its fields are; to be freed with free(). */
static OsiisoScheduler *
new_aligned (void)
{
  OsiisoScheduler *self = aligned_alloc (OSIISO_CACHE_LINE, sizeof *self);

  if (self == NULL)
    g_error ("%s: no memory for a queue", G_STRLOC);
  memset (self, 0, sizeof *self);
  return self;
}

OsiisoScheduler *
osiiso_scheduler_new (OsiisoQueue *queue)
{
  OsiisoScheduler *self = new_aligned ();
  pthread_mutexattr_t mutex_attr;
  pthread_condattr_t attr;

  osiiso_trace_init ();

  /* Held for a few instructions, so the other one is better waited for. */
  pthread_mutexattr_init (&mutex_attr);
  pthread_mutexattr_settype (&mutex_attr, PTHREAD_MUTEX_ADAPTIVE_NP);

  osiiso_ref_count_init (&self->ref_count);
  self->client.ref = client_ref;
  self->client.unref = client_unref;
  self->client.tick = client_tick;

  pthread_mutex_init (&self->ready_lock, &mutex_attr);
  osiiso_ready_list_init (&self->ready);
  osiiso_deadline_heap_init (&self->returned);
  osiiso_deadline_heap_init (&self->delays);
  osiiso_deadline_heap_init (&self->timeouts);
  osiiso_deadline_heap_init (&self->deadlines);
  self->running.next = self->running.prev = &self->running;
  self->limit = 1;
  self->burst = 1;
  osiiso_rate_limiter_init (&self->limiter, 0, 1);
  self->resting = TRUE;

  pthread_mutex_init (&self->inbox_lock, &mutex_attr);
  pthread_mutexattr_destroy (&mutex_attr);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&self->inbox_cond, &attr);
  osiiso_ready_list_init (&self->inbox);
  osiiso_record_pool_init (&self->pool, self);
  osiiso_admission_init (&self->room);
  self->accepting = TRUE;

  pthread_mutex_init (&self->name_lock, NULL);
  pthread_mutex_init (&self->view_lock, NULL);
  pthread_cond_init (&self->view_cond, &attr);
  pthread_condattr_destroy (&attr);
  self->results = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
  atomic_init (&self->keep_results, TRUE);
  atomic_init (&self->run_fail_policy, -1);

  osiiso_outbox_init (&self->outbox, self, queue);
  return self;
}

char *
osiiso_scheduler_acquire_name (OsiisoScheduler *self)
{
  char *name;

  /* Copying it could fail, and log that, with the lock held. */
  pthread_mutex_lock (&self->name_lock);
  name = self->name != NULL ? g_ref_string_acquire (self->name) : NULL;
  pthread_mutex_unlock (&self->name_lock);
  return name;
}

gboolean
osiiso_scheduler_set_name (OsiisoScheduler *self,
                           const char      *name)
{
  char *other = name != NULL ? g_ref_string_new (name) : NULL;
  gboolean changed;

  pthread_mutex_lock (&self->name_lock);
  changed = g_strcmp0 (self->name, other) != 0;
  if (changed)
    {
      char *old = self->name;

      self->name = other;
      other = old;
    }
  pthread_mutex_unlock (&self->name_lock);
  g_clear_pointer (&other, g_ref_string_release);
  return changed;
}

OsiisoScheduler *
osiiso_scheduler_ref (OsiisoScheduler *self)
{
  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

void
osiiso_scheduler_unref (OsiisoScheduler *self)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->backend == NULL && self->initializer == NULL);
  g_assert (self->room.n_waiting == 0);
  g_assert (self->join_tasks == NULL && self->shutdown_tasks == NULL && self->run.task == NULL);
  g_clear_pointer (&self->results, g_ptr_array_unref);
  osiiso_runner_free (self->runner);
  osiiso_outbox_clear (&self->outbox);
  osiiso_deadline_heap_clear (&self->returned);
  osiiso_deadline_heap_clear (&self->delays);
  osiiso_deadline_heap_clear (&self->timeouts);
  osiiso_deadline_heap_clear (&self->deadlines);
  g_clear_pointer (&self->watches, g_hash_table_unref);
  g_clear_error (&self->backend_error);
  g_clear_pointer (&self->name, g_ref_string_release);
  osiiso_record_pool_clear (&self->pool);
  pthread_cond_destroy (&self->inbox_cond);
  pthread_cond_destroy (&self->view_cond);
  pthread_mutex_destroy (&self->ready_lock);
  pthread_mutex_destroy (&self->inbox_lock);
  pthread_mutex_destroy (&self->view_lock);
  pthread_mutex_destroy (&self->name_lock);
  free (self);
}

void
osiiso_scheduler_set_listener (OsiisoScheduler *self,
                               OsiisoQueue     *queue,
                               gboolean         has_slots)
{
  pthread_mutex_lock (&self->ready_lock);
  self->may_listen = queue != NULL;
  self->has_slots = has_slots;
  if (queue != NULL)
    osiiso_signal_flag_init (&self->signal_flag, (GObject *) queue);
  pthread_mutex_unlock (&self->ready_lock);
}

void
osiiso_scheduler_destroy_in_owner (OsiisoScheduler *self,
                                   GDestroyNotify   destroy,
                                   gpointer         data)
{
  osiiso_outbox_post (&self->outbox, OSIISO_EVENT_DESTROY, NULL, NULL, data, destroy);
}

void
osiiso_scheduler_release_map (OsiisoScheduler  *self,
                              OsiisoMapPayload *payload)
{
  if (!osiiso_ref_count_dec (&payload->ref_count))
    return;
  if (payload->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (self, payload->destroy, payload->data);
  g_free (payload);
}

void
osiiso_scheduler_drop_payload (OsiisoScheduler *self,
                               OsiisoRecord    *record)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);

  if (ext != NULL && atomic_fetch_sub_explicit (&ext->payload_holds, 1, memory_order_acq_rel) != 1)
    return;

  if (osiiso_record_get_word (record) & OSIISO_RECORD_TOKEN)
    {
      /* The number is told when the task is over. */
      record->func = NULL;
      g_clear_pointer (&record->call, osiiso_call_unref);
      return;
    }
  if (osiiso_record_get_word (record) & OSIISO_RECORD_MAP)
    osiiso_scheduler_release_map (self, record->data);
  else if (record->func == osiiso_call_perform)
    /* Nothing of the user's: any thread may release it. */
    osiiso_call_unref (record->data);
  else if (record->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (self, record->destroy, record->data);
  record->func = NULL;
  record->data = NULL;
}

void
osiiso_scheduler_wake (OsiisoScheduler  *self,
                       const OsiisoWake *wake)
{
  if (wake->signal)
    pthread_cond_signal (&self->inbox_cond);
  if (wake->backend > 0)
    {
      g_autoptr (OsiisoBackend) backend = osiiso_scheduler_dup_backend (self);

      if (backend != NULL && OSIISO_BACKEND_GET_CLASS (backend)->wake != NULL)
        OSIISO_BACKEND_GET_CLASS (backend)->wake (backend, wake->backend);
    }
}

void
osiiso_scheduler_make_runnable_locked (OsiisoScheduler *self,
                                       OsiisoRecord    *record)
{
  OsiisoRecordRare *rare = osiiso_record_ensure_rare (record);

  osiiso_record_set_flags (record, OSIISO_RECORD_RETURNED, 0);
  osiiso_deadline_heap_insert (&self->returned, &rare->timer,
                               osiiso_record_get_priority (record), record->seq);
}

static void
schedule_locked (OsiisoScheduler *self,
                 OsiisoRecord    *record,
                 gint64           when)
{
  osiiso_record_set_flags (record, OSIISO_RECORD_SCHEDULED, 0);
  osiiso_deadline_heap_insert (&self->delays, &osiiso_record_ensure_rare (record)->timer, when, record->seq);
  atomic_fetch_add_explicit (&self->n_scheduled, 1, memory_order_relaxed);
  osiiso_scheduler_arm_timers_locked (self);
}

void
osiiso_scheduler_set_run_deadline (OsiisoScheduler *self,
                                   gint64           when)
{
  pthread_mutex_lock (&self->ready_lock);
  self->run_deadline = when;
  self->run_overdue = FALSE;
  osiiso_scheduler_arm_timers_locked (self);
  pthread_mutex_unlock (&self->ready_lock);
}

static guint32
make_word (const OsiisoTaskParams *params,
           guint32                 flags)
{
  int priority = OSIISO_PRIORITY_DEFAULT;

  if (params != NULL)
    {
      priority = params->priority;
      if (params->must_complete)
        flags |= OSIISO_RECORD_MUST_COMPLETE;
      if (params->detached)
        flags |= OSIISO_RECORD_DETACHED;
    }
  return (guint32) (guint8) (gint8) priority << OSIISO_RECORD_PRIORITY_SHIFT | flags | OSIISO_STATUS_PENDING;
}

OsiisoRecord *
osiiso_scheduler_new_record (OsiisoScheduler  *self,
                             OsiisoTaskParams *params,
                             guint32           flags,
                             GError          **error)
{
  OsiisoRecord *record;

  pthread_mutex_lock (&self->inbox_lock);
  record = osiiso_record_pool_alloc (&self->pool);
  if (record != NULL)
    {
      record->seq = self->next_seq++;
      /* Nobody finds it before it is in the queue. */
      atomic_store_explicit (&record->word, make_word (params, flags | OSIISO_RECORD_OUTSIDE), memory_order_relaxed);
    }
  pthread_mutex_unlock (&self->inbox_lock);
  if (record == NULL)
    {
      osiiso_admission_set_error (self, OSIISO_ENTRY_NO_MEMORY, 1, error);
      return NULL;
    }

  if (params != NULL && !osiiso_task_params_is_plain (params))
    osiiso_record_ensure_ext (record)->params = osiiso_task_params_ref (params);
  return record;
}

/* The line is shared with who takes, so it is left alone when it says so. */
static inline void
mark_dirty_locked (OsiisoScheduler *self)
{
  if (!atomic_load_explicit (&self->inbox_dirty, memory_order_relaxed))
    atomic_store_explicit (&self->inbox_dirty, TRUE, memory_order_relaxed);
}

void
osiiso_scheduler_count_in_locked (OsiisoScheduler *self,
                                  guint            n)
{
  const guint64 n_in = atomic_load_explicit (&self->n_in, memory_order_relaxed);
  const gboolean first = n_in == atomic_load_explicit (&self->n_out, memory_order_relaxed);

  /* Work keeps the scheduler alive, in whose memory the records are. */
  if (first)
    osiiso_scheduler_ref (self);
  /* Sequentially consistent, like the looks at run_overdue and outbox.held that
   * follow. */
  atomic_store (&self->n_in, n_in + n);
  if (first && G_UNLIKELY (atomic_load (&self->run_overdue)))
    osiiso_timer_service_arm (&self->client, osiiso_clock_now ());
}

static gboolean
is_delayed (OsiisoRecord *record)
{
  OsiisoRecordRare *rare = osiiso_record_get_rare (record);

  return rare != NULL && rare->scheduled_for != 0;
}

void
osiiso_scheduler_enqueue_locked (OsiisoScheduler *self,
                                 OsiisoRecord   **records,
                                 guint            n,
                                 gboolean         may_delay,
                                 OsiisoWake      *wake)
{
  guint n_ready = 0;

  for (guint i = 0; i < n; i++)
    {
      osiiso_record_set_flags (records[i], 0, OSIISO_RECORD_OUTSIDE);
      if (G_UNLIKELY (self->tracks_tasks))
        osiiso_outbox_note_task (&self->outbox, records[i], FALSE);
      if (may_delay && is_delayed (records[i]))
        {
          schedule_locked (self, records[i], osiiso_record_get_rare (records[i])->scheduled_for);
        }
      else
        {
          osiiso_ready_list_append (&self->inbox, records[i]);
          n_ready++;
        }
    }
  if (n_ready > 0)
    {
      mark_dirty_locked (self);
      osiiso_scheduler_decide_wake_locked (self, n_ready, wake);
    }
}

static OsiisoEntry
judge_accepting_locked (OsiisoScheduler *self)
{
  return self->accepting && !self->halted ? OSIISO_ENTRY_ADMITTED : OSIISO_ENTRY_CLOSED;
}

static OsiisoEntry
judge_locked (OsiisoScheduler *self,
              guint            n)
{
  if (G_LIKELY (atomic_load_explicit (&self->room.size, memory_order_relaxed) == 0))
    return judge_accepting_locked (self);
  return osiiso_admission_judge_locked (self, n);
}

OsiisoEntry
osiiso_scheduler_push_plain (OsiisoScheduler        *self,
                             const OsiisoTaskParams *params,
                             const OsiisoPayload    *payload,
                             guint32                 flags,
                             guint64                *id,
                             OsiisoWake             *wake)
{
  const guint32 word = make_word (params, flags | (payload->handle != NULL ? OSIISO_RECORD_HANDLED : 0));
  OsiisoRecord *record = NULL;
  OsiisoEntry entry;

  pthread_mutex_lock (&self->inbox_lock);
  entry = judge_locked (self, 1);
  if (entry == OSIISO_ENTRY_ADMITTED)
    {
      record = osiiso_record_pool_alloc (&self->pool);
      if (record == NULL)
        entry = OSIISO_ENTRY_NO_MEMORY;
    }
  if (record != NULL)
    {
      record->seq = self->next_seq++;
      record->func = payload->func;
      record->data = payload->data;
      record->destroy = payload->destroy;
      /* Nobody finds it before the lock is released. */
      atomic_store_explicit (&record->ext, payload->ext, memory_order_relaxed);
      atomic_store_explicit (&record->word, word, memory_order_relaxed);
      if (payload->handle != NULL)
        osiiso_handle_bind (payload->handle, self, record);
      if (id != NULL)
        *id = osiiso_record_get_id (record);
      osiiso_scheduler_count_in_locked (self, 1);
      if (G_UNLIKELY (self->tracks_tasks))
        osiiso_outbox_note_task (&self->outbox, record, FALSE);
      osiiso_ready_list_append (&self->inbox, record);
      mark_dirty_locked (self);
      osiiso_scheduler_decide_wake_locked (self, 1, wake);
    }
  pthread_mutex_unlock (&self->inbox_lock);
  return entry;
}

OsiisoEntry
osiiso_scheduler_push (OsiisoScheduler *self,
                       OsiisoRecord   **records,
                       guint            n,
                       gboolean         reserved,
                       OsiisoWake      *wake)
{
  /* The last one is due last, when all wait for the same time. */
  gboolean delayed = is_delayed (records[n - 1]);
  gboolean bounded = (osiiso_record_get_word (records[0]) & OSIISO_RECORD_BOUNDED) != 0;
  OsiisoEntry entry;

  /* Times are in the heaps of the other lock, which comes first. */
  if (delayed || bounded)
    pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  entry = reserved ? judge_accepting_locked (self) : judge_locked (self, n);
  if (entry == OSIISO_ENTRY_ADMITTED && bounded && !osiiso_scheduler_bind_locked (self, records, n))
    entry = OSIISO_ENTRY_CANCELLED;
  if (entry == OSIISO_ENTRY_ADMITTED)
    {
      if (!reserved)
        osiiso_scheduler_count_in_locked (self, n);
      osiiso_scheduler_enqueue_locked (self, records, n, delayed, wake);
    }
  pthread_mutex_unlock (&self->inbox_lock);
  if (delayed || bounded)
    pthread_mutex_unlock (&self->ready_lock);
  return entry;
}

OsiisoAttempt *
osiiso_scheduler_dup_attempt (OsiisoScheduler *self,
                              OsiisoRecord    *record)
{
  OsiisoAttempt *attempt = NULL;

  pthread_mutex_lock (&self->ready_lock);
  if (osiiso_record_get_status (record) == OSIISO_STATUS_RUNNING)
    attempt = OSIISO_ATTEMPT_FROM_LINK (record->link.next);
  if (attempt != NULL && !osiiso_attempt_try_ref (attempt))
    attempt = NULL;
  pthread_mutex_unlock (&self->ready_lock);
  return attempt;
}

/* Not in the queue yet, or over with nobody who keeps it: the thread that ended it
 * may have the memory a moment longer. */
static gboolean
is_hidden (OsiisoScheduler *self,
           OsiisoRecord    *record)
{
  const guint32 word = osiiso_record_get_word (record);
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  gboolean hidden;

  if (word & OSIISO_RECORD_OUTSIDE)
    return TRUE;
  if (osiiso_word_get_status (word) != OSIISO_STATUS_SUCCEEDED || (word & (OSIISO_RECORD_KEEP | OSIISO_RECORD_TOKEN)))
    return FALSE;
  if (ext == NULL)
    return TRUE;
  pthread_mutex_lock (&self->view_lock);
  hidden = ext->handle == NULL;
  pthread_mutex_unlock (&self->view_lock);
  return hidden;
}

OsiisoRecord *
osiiso_scheduler_lookup (OsiisoScheduler *self,
                         guint64          id)
{
  OsiisoRecord *record;

  pthread_mutex_lock (&self->inbox_lock);
  record = osiiso_record_pool_lookup (&self->pool, id);
  pthread_mutex_unlock (&self->inbox_lock);
  if (record != NULL && is_hidden (self, record))
    g_clear_pointer (&record, osiiso_record_unref);
  return record;
}

void
osiiso_scheduler_count_end_locked (OsiisoScheduler *self,
                                   guint32          word,
                                   OsiisoStatus     status)
{
  atomic_store_explicit (&self->n_completed, self->n_completed + 1, memory_order_relaxed);
  if (word & OSIISO_RECORD_DETACHED)
    return;
  if (status == OSIISO_STATUS_SUCCEEDED)
    self->counts.succeeded++;
  else if (status == OSIISO_STATUS_FAILED)
    self->counts.failed++;
  else
    self->counts.cancelled++;
}

void
osiiso_scheduler_keep_result_locked (OsiisoScheduler *self,
                                     OsiisoRecord    *record,
                                     guint32          word,
                                     OsiisoStatus     status)
{
  if (G_UNLIKELY (self->tracks_tasks))
    osiiso_outbox_note_task (&self->outbox, record, TRUE);
  if ((word & OSIISO_RECORD_DETACHED) || (!(word & OSIISO_RECORD_KEEP) && status == OSIISO_STATUS_SUCCEEDED) ||
      !atomic_load_explicit (&self->keep_results, memory_order_relaxed))
    return;
  g_ptr_array_add (self->results, osiiso_record_ref (record));
}

void
osiiso_scheduler_record_ended (OsiisoScheduler *self,
                               OsiisoRecord    *record,
                               guint32          word,
                               OsiisoStatus     status,
                               GPtrArray       *doomed)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  g_autoptr (OsiisoBatch) batch = NULL;

  osiiso_scheduler_drop_payload (self, record);
  if (word & OSIISO_RECORD_BOUNDED)
    osiiso_scheduler_unbind (self, record);

  if (ext != NULL && ext->batch != NULL)
    {
      batch = g_steal_pointer (&ext->batch);
      osiiso_batch_member_ended (batch, record);
    }

  if (doomed != NULL)
    osiiso_scheduler_cancel_doomed (self, doomed);

  osiiso_outbox_post_signal (&self->outbox, OSIISO_EVENT_COMPLETE, record, NULL,
                             (word & OSIISO_RECORD_HANDLED) != 0);
  if (word & OSIISO_RECORD_TOKEN)
    osiiso_token_ended (self, record);

  osiiso_scheduler_count_out (self);

  /* Last, so that who waited for this task finds the queue knowing about it. The
   * flag may have come after the status; that waiter has seen the status. */
  if (batch != NULL)
    osiiso_batch_wake (batch);
  if (word & OSIISO_RECORD_WAITED)
    osiiso_scheduler_wake_waiters (self, record);
  osiiso_record_unref (record);
}

static gint64
retry_delay (OsiisoTaskParams *params,
             guint             failed_attempt)
{
  double seconds = params->retry_delay * pow (params->backoff, failed_attempt - 1);

  if (params->jitter > 0)
    seconds *= 1 + params->jitter * g_random_double_range (-1, 1);
  if (params->max_retry_delay > 0)
    seconds = MIN (seconds, params->max_retry_delay);
  return osiiso_clock_from_seconds (seconds);
}

gboolean
osiiso_scheduler_is_doomed_locked (OsiisoScheduler *self,
                                   guint32          word)
{
  return (word & OSIISO_RECORD_CANCEL_ASKED) ||
         (self->halted && (self->broken || !(word & OSIISO_RECORD_MUST_COMPLETE)));
}

void
osiiso_scheduler_attempt_ended (OsiisoScheduler *self,
                                OsiisoAttempt   *attempt,
                                OsiisoStatus     status,
                                OsiisoOutcome   *outcome,
                                gint64           retry_after)
{
  OsiisoRecord *record = attempt->record;
  OsiisoRecordExt *ext = outcome != NULL ? osiiso_record_ensure_ext (record) : osiiso_record_get_ext (record);
  OsiisoTaskParams *params = ext != NULL ? ext->params : NULL;
  OsiisoOutcome *spent = NULL;
  gboolean retry;
  gint64 now;
  g_autoptr (GPtrArray) doomed = NULL;
  OsiisoWake wake = { 0 };
  guint32 word;

  g_assert (status != OSIISO_STATUS_FAILED || outcome != NULL);
  retry = status == OSIISO_STATUS_FAILED && params != NULL && attempt->number <= params->retries &&
          retry_after != OSIISO_RETRY_NEVER && osiiso_task_params_may_retry (params, outcome->error);
  now = ext != NULL && (ext->created != 0 || retry) ? osiiso_clock_now () : 0;
  osiiso_attempt_return_loan (attempt);
  if (retry && retry_after < 0)
    retry_after = retry_delay (params, attempt->number);

  pthread_mutex_lock (&self->ready_lock);
  /* Whoever reports on an attempt tells that it has begun. */
  if ((attempt->state & OSIISO_ATTEMPT_RESERVED) &&
      !(attempt->state & (OSIISO_ATTEMPT_INTERRUPTED | OSIISO_ATTEMPT_GIVEN_BACK)))
    osiiso_scheduler_start_attempt_locked (self, attempt, now);
  osiiso_scheduler_unlink_attempt_locked (self, attempt);
  word = osiiso_record_get_word (record);
  if (osiiso_scheduler_is_doomed_locked (self, word))
    retry = FALSE;
  if (retry && (word & OSIISO_RECORD_OVERDUE))
    {
      retry = FALSE;
      spent = outcome;
      outcome = osiiso_outcome_new_error (osiiso_scheduler_new_deadline_error (record));
    }
  if (retry)
    {
      osiiso_record_set_status (record, OSIISO_STATUS_RETRYING, 0, 0);
      if (osiiso_scheduler_may_listen_locked (self) || (word & OSIISO_RECORD_HANDLED))
          osiiso_outbox_post_signal (&self->outbox, OSIISO_EVENT_RETRY, record, outcome->error,
                                   (word & OSIISO_RECORD_HANDLED) != 0);
      if (retry_after > 0)
        schedule_locked (self, record, now + retry_after);
      else
        osiiso_scheduler_make_runnable_locked (self, record);
    }
  else
    {
      if (ext != NULL)
        {
          ext->outcome = g_steal_pointer (&outcome);
          ext->finished = ext->created != 0 ? now : 0;
        }
      word = osiiso_record_set_status (record, status, 0, 0);
      osiiso_scheduler_count_end_locked (self, word, status);
      osiiso_scheduler_keep_result_locked (self, record, word, status);
      /* In one step with the failure: nothing begins after it. */
      if (status == OSIISO_STATUS_FAILED && osiiso_scheduler_fails_first (self))
        doomed = osiiso_scheduler_halt_locked (self, FALSE);
    }
  osiiso_scheduler_announce_locked (self, &wake);
  pthread_mutex_unlock (&self->ready_lock);

  osiiso_scheduler_act (self, &wake);
  if (retry)
    spent = outcome;
  osiiso_outcome_drop (spent, self);
  if (retry)
    {
      /* It needs a worker again. */
      osiiso_wait_graph_update ();
    }
  else
    {
      osiiso_scheduler_record_ended (self, record, word, status, doomed);
    }
}

/* Takes a task that waits out of whatever it waits in. */
static void
unqueue_locked (OsiisoScheduler *self,
                OsiisoRecord    *record)
{
  if (osiiso_record_get_word (record) & OSIISO_RECORD_SCHEDULED)
    {
      osiiso_deadline_heap_remove (&self->delays, &osiiso_record_get_rare (record)->timer);
      osiiso_record_set_flags (record, 0, OSIISO_RECORD_SCHEDULED);
      atomic_fetch_sub_explicit (&self->n_scheduled, 1, memory_order_relaxed);
    }
  else
    {
      /* It may still be in the inbox. */
      pthread_mutex_lock (&self->inbox_lock);
      osiiso_scheduler_remove_ready_locked (self, record);
      pthread_mutex_unlock (&self->inbox_lock);
    }
}

guint32
osiiso_scheduler_end_waiting_locked (OsiisoScheduler *self,
                                     OsiisoRecord    *record,
                                     OsiisoStatus     status,
                                     OsiisoOutcome   *outcome)
{
  OsiisoRecordExt *ext = outcome != NULL ? osiiso_record_ensure_ext (record) : osiiso_record_get_ext (record);
  guint32 word;

  unqueue_locked (self, record);
  if (ext != NULL)
    {
      ext->outcome = outcome;
      ext->finished = ext->created != 0 ? osiiso_clock_now () : 0;
    }
  word = osiiso_record_set_status (record, status, 0, 0);
  osiiso_scheduler_count_end_locked (self, word, status);
  osiiso_scheduler_keep_result_locked (self, record, word, status);
  return word;
}

gboolean
osiiso_scheduler_cancel (OsiisoScheduler *self,
                         OsiisoRecord    *record)
{
  guint32 word;

  if (osiiso_status_is_final (osiiso_record_get_status (record)))
    return FALSE;

  pthread_mutex_lock (&self->ready_lock);
  word = osiiso_record_get_word (record);
  if (osiiso_word_has_attempt (word))
    {
      OsiisoAttempt *attempt = OSIISO_ATTEMPT_FROM_LINK (record->link.next);

      /* From here on no attempt follows, whoever ends this one. */
      osiiso_record_set_flags (record, OSIISO_RECORD_CANCEL_ASKED, 0);
      if (!osiiso_attempt_try_ref (attempt))
        attempt = NULL;
      pthread_mutex_unlock (&self->ready_lock);
      if (attempt != NULL)
        {
          osiiso_attempt_interrupt (attempt, OSIISO_INTERRUPT_REASON_CANCELLED);
          osiiso_attempt_unref (attempt);
        }
      return TRUE;
    }
  if (osiiso_status_is_final (osiiso_word_get_status (word)))
    {
      pthread_mutex_unlock (&self->ready_lock);
      return FALSE;
    }

  word = osiiso_scheduler_end_waiting_locked (self, record, OSIISO_STATUS_CANCELLED, NULL);
  pthread_mutex_unlock (&self->ready_lock);

  osiiso_scheduler_record_ended (self, record, word, OSIISO_STATUS_CANCELLED, NULL);
  return TRUE;
}

gboolean
osiiso_scheduler_set_priority (OsiisoScheduler *self,
                               OsiisoRecord    *record,
                               int              priority)
{
  const guint32 mask = 0xffu << OSIISO_RECORD_PRIORITY_SHIFT;
  const guint32 bits = (guint32) (guint8) (gint8) priority << OSIISO_RECORD_PRIORITY_SHIFT;
  OsiisoStatus status;
  gboolean waits;

  pthread_mutex_lock (&self->ready_lock);
  status = osiiso_record_get_status (record);
  waits = status == OSIISO_STATUS_PENDING || status == OSIISO_STATUS_RETRYING;
  if (waits && (osiiso_record_get_word (record) & (OSIISO_RECORD_SCHEDULED | OSIISO_RECORD_RESERVED)))
    {
      /* It matters when its time has come, or if it is given back. */
      osiiso_record_set_flags (record, bits, mask & ~bits);
    }
  else if (waits)
    {
      /* It keeps its turn among the tasks of its new priority, so it goes into
       * the heap that knows the order of submission. */
      unqueue_locked (self, record);
      osiiso_record_set_flags (record, bits, mask & ~bits);
      osiiso_scheduler_make_runnable_locked (self, record);
    }
  pthread_mutex_unlock (&self->ready_lock);
  return waits;
}

void
osiiso_scheduler_set_limit (OsiisoScheduler *self,
                            guint            limit)
{
  OsiisoWake wake = { 0 };

  pthread_mutex_lock (&self->ready_lock);
  self->limit = limit;
  if (self->n_serving > limit)
    {
      /* Those who wait and are too many leave at once. */
      pthread_mutex_lock (&self->inbox_lock);
      self->shrunk++;
      pthread_cond_broadcast (&self->inbox_cond);
      pthread_mutex_unlock (&self->inbox_lock);
    }
  osiiso_scheduler_announce_locked (self, &wake);
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
  osiiso_wait_graph_update ();
}

void
osiiso_scheduler_set_paused (OsiisoScheduler *self,
                             gboolean         paused)
{
  OsiisoWake wake = { 0 };

  pthread_mutex_lock (&self->ready_lock);
  self->paused = paused;
  osiiso_scheduler_announce_locked (self, &wake);
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
}

void
osiiso_scheduler_rest_locked (OsiisoScheduler *self)
{
  self->resting = TRUE;
  atomic_store (&self->started, FALSE);
}

gboolean
osiiso_scheduler_stop_resting (OsiisoScheduler *self,
                               OsiisoStart      who,
                               gboolean         opened)
{
  OsiisoWake wake = { 0 };
  gboolean renew = FALSE;
  gboolean open;
  gboolean lift;

  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  pthread_mutex_lock (&self->view_lock);
  if (opened)
    {
      self->life = self->accepting ? OSIISO_LIFE_STARTED : OSIISO_LIFE_DRAINING;
      pthread_cond_broadcast (&self->view_cond);
    }
  /* It may have been shut down and reset since the caller looked. */
  open = self->life >= OSIISO_LIFE_STARTED;
  /* In one step with the start: a failure that comes after it counts. */
  lift = open && (who == OSIISO_START_RUN || (who == OSIISO_START_OPEN && !self->run.active));
  if (lift)
    self->halted = FALSE;
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->inbox_lock);
  if (open)
    {
      renew = (lift || self->resting) && osiiso_scheduler_recover_locked (self);
      self->resting = FALSE;
      atomic_store (&self->started, TRUE);
      osiiso_scheduler_announce_locked (self, &wake);
    }
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
  if (renew)
    osiiso_scheduler_renew_workers (self);

  /* A submit counts its task first and looks at started then. */
  if (open)
    osiiso_outbox_hold (&self->outbox);
  return open;
}
