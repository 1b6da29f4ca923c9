/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-group-private.h"
#include "osiiso-handle-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-token-private.h"
#include "osiiso-waiter-private.h"

/* Progress of a task is told at most this often. */
#define PROGRESS_INTERVAL (16 * 1000)

/* How long a dispatch may take before other sources get their turn. */
#define SLICE (2 * 1000)

typedef struct
{
  GSource       source;
  OsiisoOutbox *outbox;
} OutboxSource;

static void deliver        (OsiisoOutbox *self,
                            OsiisoEvent  *event);
static void release_handle (OsiisoOutbox *self,
                            OsiisoRecord *record);
static gboolean is_token_to_tell (OsiisoOutbox *self,
                                  OsiisoRecord *record);

static gboolean
is_of_attempt (const OsiisoEvent *event)
{
  return event->kind == OSIISO_EVENT_START || event->kind == OSIISO_EVENT_RETRY || event->kind == OSIISO_EVENT_WAIT;
}

static gboolean
has_ends_locked (const OsiisoOutbox *self)
{
  return self->is_telling || self->ends.next != &self->ends;
}

static OsiisoEvent *
pop_locked (OsiisoOutbox *self)
{
  OsiisoEvent *event = self->first;

  __atomic_store_n (&self->first, event->next, __ATOMIC_RELAXED);
  if (self->first == NULL)
    self->last = NULL;
  self->n_attempt_events -= is_of_attempt (event);
  return event;
}

/* The link of a record is free when its task is over. */
static void
append_end (OsiisoLink   *list,
            OsiisoRecord *record)
{
  record->link.next = list;
  record->link.prev = list->prev;
  list->prev->next = &record->link;
  list->prev = &record->link;
}

/* The ends that are next in the list of events. Returns the events, to be freed. */
static OsiisoEvent *
pop_ends_locked (OsiisoOutbox *self)
{
  OsiisoEvent *popped = NULL;

  while (self->first != NULL && self->first->kind == OSIISO_EVENT_END)
    {
      OsiisoEvent *event = pop_locked (self);

      append_end (&self->telling, g_steal_pointer (&event->record));
      event->next = popped;
      popped = event;
    }
  self->is_telling = popped != NULL;
  return popped;
}

/* FALSE when there is nothing left to deliver. *@event is NULL when ends are next. */
static gboolean
pop (OsiisoOutbox *self,
     OsiisoEvent **event)
{
  OsiisoEvent *popped = NULL;
  gboolean has_ends;

  *event = NULL;
  pthread_mutex_lock (&self->lock);
  has_ends = has_ends_locked (self);
  if (!has_ends)
    {
      popped = pop_ends_locked (self);
      has_ends = popped != NULL;
    }
  if (!has_ends && self->first != NULL)
    *event = pop_locked (self);
  pthread_mutex_unlock (&self->lock);

  while (popped != NULL)
    {
      OsiisoEvent *next = popped->next;

      g_free (popped);
      popped = next;
    }
  return has_ends || *event != NULL;
}

/* All that there are, in few steps: threads that end tasks want the lock. */
static void
take_ends (OsiisoOutbox *self)
{
  pthread_mutex_lock (&self->lock);
  if (self->ends.next != &self->ends)
    {
      self->telling = self->ends;
      self->telling.next->prev = self->telling.prev->next = &self->telling;
      self->ends.next = self->ends.prev = &self->ends;
      self->is_telling = TRUE;
    }
  pthread_mutex_unlock (&self->lock);
}

/* The core's references on the handles of tasks that are over, in one step. */
static void
steal_handles (OsiisoOutbox  *self,
               OsiisoRecord **records,
               guint          n,
               OsiisoHandle **handles)
{
  gboolean locked = FALSE;

  for (guint i = 0; i < n; i++)
    {
      const guint32 word = osiiso_record_get_word (records[i]);

      handles[i] = NULL;
      /* Not before the events that are told of it. Nobody makes it HANDLED any more. */
      if (!(word & OSIISO_RECORD_HANDLED) || (word & OSIISO_RECORD_END_POSTED))
        continue;
      if (!locked)
        pthread_mutex_lock (&self->scheduler->view_lock);
      locked = TRUE;
      handles[i] = osiiso_handle_steal_locked (records[i]);
    }
  if (locked)
    pthread_mutex_unlock (&self->scheduler->view_lock);
}

/* What the owner has to know of tasks that are over when no signal tells it: the
 * ends of tokens, and that the core lets go of a handle, of which it may have the
 * last reference. As many as are told at a time: whoever iterates the context then
 * finds the others. */
static void
deliver_ends (OsiisoOutbox *self)
{
  OsiisoRecord *records[OSIISO_TOKEN_BATCH_SIZE];
  OsiisoHandle *handles[OSIISO_TOKEN_BATCH_SIZE];
  OsiisoTokenBatch batch;
  guint n = 0;

  if (self->telling.next == &self->telling)
    take_ends (self);
  batch.n = 0;
  while (self->telling.next != &self->telling && n < G_N_ELEMENTS (records))
    {
      records[n] = OSIISO_RECORD_FROM_LINK (self->telling.next);
      self->telling.next = records[n]->link.next;
      self->telling.next->prev = &self->telling;
      if (is_token_to_tell (self, records[n]))
        osiiso_token_batch_add (&batch, records[n]);
      n++;
    }
  if (self->telling.next == &self->telling)
    {
      pthread_mutex_lock (&self->lock);
      self->is_telling = FALSE;
      pthread_mutex_unlock (&self->lock);
    }
  osiiso_token_batch_tell (&batch, self->scheduler);

  /* Held until then, so that a token can be looked up when it is told. */
  steal_handles (self, records, n, handles);
  for (guint i = 0; i < n; i++)
    {
      g_clear_object (&handles[i]);
      osiiso_record_unref (records[i]);
    }
}

static void
clear_change (gpointer change)
{
  osiiso_record_unref (((OsiisoTaskChange *) change)->record);
}

/* What came in and what ended, all at once. */
static void
deliver_changes (OsiisoOutbox *self)
{
  g_autoptr (OsiisoQueue) queue = NULL;
  GArray *changes;

  pthread_mutex_lock (&self->lock);
  changes = g_steal_pointer (&self->changes);
  pthread_mutex_unlock (&self->lock);
  if (changes == NULL)
    return;

  queue = osiiso_outbox_dup_queue (self);
  if (queue != NULL)
    osiiso_queue_update_tasks (queue, changes);
  else
    g_array_unref (changes);
}

/* Delivers events one by one, so that a handler that iterates the context finds
 * the rest in order. */
static void
deliver_all (OsiisoOutbox *self,
             gint64        until)
{
  OsiisoEvent *late = NULL;
  OsiisoEvent *event;
  guint n = 0;

  pthread_mutex_lock (&self->lock);
  self->armed = FALSE;
  if (self->late != NULL && g_get_monotonic_time () >= self->late_at)
    {
      late = g_steal_pointer (&self->late);
      self->last_late = g_get_monotonic_time ();
    }
  pthread_mutex_unlock (&self->lock);

  deliver_changes (self);
  while (late != NULL)
    {
      event = late;
      late = late->next;
      deliver (self, event);
    }
  while (pop (self, &event))
    {
      if (event != NULL)
        deliver (self, event);
      else
        deliver_ends (self);
      if ((event == NULL || ++n % 32 == 0) && g_get_monotonic_time () >= until)
        break;
    }
}

/* TRUE when the source has to end; nobody arms it any more then. */
static gboolean
rearm (OsiisoOutbox *self,
       GSource      *source)
{
  gint64 ready_time = -1;
  gboolean finished;

  pthread_mutex_lock (&self->lock);
  /* Whatever was posted during the delivery has armed it and may be delivered. */
  self->armed = self->first != NULL || has_ends_locked (self) || self->changes != NULL;
  if (self->armed)
    ready_time = 0;
  else if (self->late != NULL)
    ready_time = self->late_at;
  finished = self->closed && !self->armed && self->late == NULL;
  g_source_set_ready_time (source, ready_time);
  if (finished)
    self->source = NULL;
  pthread_mutex_unlock (&self->lock);
  return finished;
}

static gboolean
outbox_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  OsiisoOutbox *self = ((OutboxSource *) source)->outbox;

  deliver_all (self, g_get_monotonic_time () + SLICE);
  return rearm (self, source) ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* A matter of moments: between a pin and its reference there is nothing but the
 * reference. */
static void
wait_for_pins_locked (OsiisoOutbox *self)
{
  while (self->n_pins > 0)
    {
      pthread_mutex_unlock (&self->lock);
      g_thread_yield ();
      pthread_mutex_lock (&self->lock);
    }
}

static void
outbox_finalize (GSource *source)
{
  OsiisoOutbox *self = ((OutboxSource *) source)->outbox;
  OsiisoQueue *queue = NULL;
  OsiisoEvent *event;
  OsiisoEvent *late;

  /* Somebody has destroyed it, or the outbox is done; nobody is told any more. What
   * events own is released, because no better place is left, and so is the queue, which
   * no event will let go of. */
  pthread_mutex_lock (&self->lock);
  wait_for_pins_locked (self);
  if (self->held)
    queue = self->queue;
  self->held = FALSE;
  self->closed = TRUE;
  self->queue = NULL;
  self->source = NULL;
  late = g_steal_pointer (&self->late);
  pthread_mutex_unlock (&self->lock);
  deliver_changes (self);
  while ((event = late) != NULL)
    {
      late = event->next;
      deliver (self, event);
    }
  while (pop (self, &event))
    {
      if (event != NULL)
        deliver (self, event);
      else
        deliver_ends (self);
    }
  g_clear_object (&queue);
  osiiso_scheduler_unref (self->scheduler);
}

static GSourceFuncs outbox_source_funcs = {
  .dispatch = outbox_dispatch,
  .finalize = outbox_finalize,
};

void
osiiso_outbox_init (OsiisoOutbox    *self,
                    OsiisoScheduler *scheduler,
                    OsiisoQueue     *queue)
{
  self->scheduler = scheduler;
  self->queue = queue;
  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_ref (g_thread_self ());
  pthread_mutex_init (&self->lock, NULL);
  self->ends.next = self->ends.prev = &self->ends;
  self->telling.next = self->telling.prev = &self->telling;

  self->source = g_source_new (&outbox_source_funcs, sizeof (OutboxSource));
  g_source_set_name (self->source, "OsiisoQueue");
  g_source_set_can_recurse (self->source, TRUE);
  ((OutboxSource *) self->source)->outbox = self;
  osiiso_scheduler_ref (scheduler);
  g_source_attach (self->source, self->context);
  /* The context keeps it; finalize() clears the pointer. */
  g_source_unref (self->source);
}

void
osiiso_outbox_clear (OsiisoOutbox *self)
{
  g_assert (self->source == NULL);
  g_assert (self->first == NULL && self->changes == NULL);
  g_main_context_unref (self->context);
  g_thread_unref (self->thread);
  pthread_mutex_destroy (&self->lock);
}

static void
arm_locked (OsiisoOutbox *self,
            gint64        when)
{
  if (self->source != NULL)
    g_source_set_ready_time (self->source, when);
}

static void
arm_now_locked (OsiisoOutbox *self)
{
  if (!self->armed)
    {
      self->armed = TRUE;
      arm_locked (self, 0);
    }
}

/* The queue, to be unpinned when a reference was taken; with the lock. */
static OsiisoQueue *
pin_queue_locked (OsiisoOutbox *self)
{
  if (self->queue != NULL)
    self->n_pins++;
  return self->queue;
}

static void
unpin_queue (OsiisoOutbox *self)
{
  pthread_mutex_lock (&self->lock);
  self->n_pins--;
  pthread_mutex_unlock (&self->lock);
}

OsiisoQueue *
osiiso_outbox_dup_queue (OsiisoOutbox *self)
{
  OsiisoQueue *queue;

  pthread_mutex_lock (&self->lock);
  queue = pin_queue_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (queue != NULL)
    {
      g_object_ref (queue);
      unpin_queue (self);
    }
  return queue;
}

void
osiiso_outbox_detach (OsiisoOutbox *self)
{
  OsiisoQueue *queue = NULL;

  pthread_mutex_lock (&self->lock);
  wait_for_pins_locked (self);
  /* Somebody without a reference has come too late to keep it. If it was left alone
   * for that the owner might let go, and the unref that brought us here would free it
   * then without another dispose. */
  if (self->held)
    queue = self->queue;
  self->held = FALSE;
  self->queue = NULL;
  self->closed = TRUE;
  self->armed = TRUE;
  arm_locked (self, 0);
  pthread_mutex_unlock (&self->lock);
  /* Not the last one: whoever disposes of it has another. */
  g_clear_object (&queue);
}

/* Whether the end of a task is still to be told. A SETTLE event comes after that, or
 * is there, when there is no work. */
static gboolean
has_end_to_tell_locked (OsiisoOutbox *self)
{
  const OsiisoEvent *event = self->first;

  while (event != NULL && event->kind != OSIISO_EVENT_COMPLETE && event->kind != OSIISO_EVENT_END &&
         event->kind != OSIISO_EVENT_SETTLE)
    event = event->next;
  return event != NULL || has_ends_locked (self);
}

void
osiiso_outbox_hold (OsiisoOutbox *self)
{
  OsiisoQueue *queue = NULL;

  /* Who counts the last task posts the event that tells it in one step. */
  pthread_mutex_lock (&self->scheduler->view_lock);
  pthread_mutex_lock (&self->lock);
  /* When the work is over already, and told, no event will come that lets go again. */
  if (!self->held && (osiiso_scheduler_get_outstanding (self->scheduler) > 0 || has_end_to_tell_locked (self)) &&
      atomic_load (&self->scheduler->started))
    {
      queue = pin_queue_locked (self);
      self->held = queue != NULL;
    }
  pthread_mutex_unlock (&self->lock);
  pthread_mutex_unlock (&self->scheduler->view_lock);
  if (queue != NULL)
    {
      g_object_ref (queue);
      unpin_queue (self);
    }
}

static void
release_hold (OsiisoOutbox *self)
{
  OsiisoQueue *queue = NULL;

  pthread_mutex_lock (&self->lock);
  /* Who holds has said so and may be about to take the reference. */
  wait_for_pins_locked (self);
  /* A submit counts its task first and looks at held then, and this is the other
   * way round; so either it is seen here or it holds anew. */
  if (self->held)
    {
      self->held = FALSE;
      /* Tasks of a queue at rest do not keep it. Those that came and ended meanwhile
       * do, until that is told. */
      if (!atomic_load (&self->scheduler->started) ||
          (!osiiso_scheduler_has_work (self->scheduler) && !has_end_to_tell_locked (self)))
        queue = self->queue;
      else
        self->held = TRUE;
    }
  pthread_mutex_unlock (&self->lock);
  g_clear_object (&queue);
}

static void
append_locked (OsiisoOutbox    *self,
               OsiisoEventKind  kind,
               OsiisoRecord    *record,
               GError          *error,
               gpointer         data,
               GDestroyNotify   destroy)
{
  OsiisoEvent *event = g_new (OsiisoEvent, 1);

  *event = (OsiisoEvent) {
    .kind = kind,
    .record = record != NULL ? osiiso_record_ref (record) : NULL,
    .error = error,
    .data = data,
    .destroy = destroy,
  };

  if (kind == OSIISO_EVENT_PROGRESS)
    {
      event->next = self->late;
      if (self->late == NULL)
        {
          self->late_at = MAX (g_get_monotonic_time (), self->last_late + PROGRESS_INTERVAL);
          if (!self->armed)
            arm_locked (self, self->late_at);
        }
      self->late = event;
      return;
    }

  if (self->last != NULL)
    self->last->next = event;
  else
    __atomic_store_n (&self->first, event, __ATOMIC_RELAXED);
  self->last = event;
  self->n_attempt_events += is_of_attempt (event);
  arm_now_locked (self);
}

static gboolean
is_token_to_tell (OsiisoOutbox *self,
                  OsiisoRecord *record)
{
  return (osiiso_record_get_word (record) & OSIISO_RECORD_TOKEN) &&
         osiiso_token_is_told_in_owner (self->scheduler, record);
}

static void
end_later_locked (OsiisoOutbox *self,
                  OsiisoRecord *record)
{
  if (self->n_attempt_events > 0)
    {
      append_locked (self, OSIISO_EVENT_END, record, NULL, NULL, NULL);
      return;
    }
  append_end (&self->ends, osiiso_record_ref (record));
  arm_now_locked (self);
}

static gboolean
orphan_cb (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

static void
orphan_free (gpointer user_data)
{
  /* None of the kinds that come here looks at the outbox. */
  deliver (NULL, user_data);
}

/* The queue is gone and its source with it, but its context may well go on. The
 * event does not hold the scheduler, which holds the context. */
static void
deliver_late (OsiisoOutbox *self,
              OsiisoEvent  *event)
{
  g_autoptr (GSource) source = NULL;

  if ((event->kind != OSIISO_EVENT_DESTROY && event->kind != OSIISO_EVENT_RETURN && event->kind != OSIISO_EVENT_MEMBERS) ||
      g_main_context_is_owner (self->context))
    {
      deliver (self, event);
      return;
    }
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, orphan_cb, event, orphan_free);
  g_source_attach (source, self->context);
}

void
osiiso_outbox_post (OsiisoOutbox    *self,
                    OsiisoEventKind  kind,
                    OsiisoRecord    *record,
                    GError          *error,
                    gpointer         data,
                    GDestroyNotify   destroy)
{
  gboolean orphaned;

  pthread_mutex_lock (&self->lock);
  orphaned = self->source == NULL;
  if (!orphaned)
    append_locked (self, kind, record, error, data, destroy);
  pthread_mutex_unlock (&self->lock);

  if (orphaned)
    {
      OsiisoEvent *event = g_new (OsiisoEvent, 1);

      *event = (OsiisoEvent) {
        .kind = kind,
        .record = record != NULL ? osiiso_record_ref (record) : NULL,
        .error = error,
        .data = data,
        .destroy = destroy,
      };
      deliver_late (self, event);
    }
}

void
osiiso_outbox_post_settled (OsiisoOutbox *self)
{
  pthread_mutex_lock (&self->lock);
  /* Without a context there is no queue that could be told, and one event that is
   * the next to be delivered does for all. */
  if (self->source != NULL && (self->last == NULL || self->last->kind != OSIISO_EVENT_SETTLE))
    append_locked (self, OSIISO_EVENT_SETTLE, NULL, NULL, NULL, NULL);
  /* Nobody is told, but who iterates the context until the work is over has to look. */
  if (self->source == NULL)
    g_main_context_wakeup (self->context);
  pthread_mutex_unlock (&self->lock);
}

void
osiiso_outbox_post_signal (OsiisoOutbox    *self,
                           OsiisoEventKind  kind,
                           OsiisoRecord    *record,
                           const GError    *error,
                           gboolean         handled)
{
  gboolean wanted;
  gboolean orphaned = FALSE;

  pthread_mutex_lock (&self->lock);
  wanted = (handled && osiiso_handle_may_notify (record)) ||
           (self->queue != NULL && osiiso_queue_listens (self->queue, kind));
  if (self->source == NULL)
    orphaned = handled;
  else if (kind == OSIISO_EVENT_COMPLETE && ((handled && !wanted) || is_token_to_tell (self, record)))
    end_later_locked (self, record);
  if (self->source != NULL && wanted)
    {
      if (kind == OSIISO_EVENT_COMPLETE)
        osiiso_record_set_flags (record, OSIISO_RECORD_END_POSTED, 0);
      append_locked (self, kind, record, error != NULL ? g_error_copy (error) : NULL, NULL, NULL);
    }
  pthread_mutex_unlock (&self->lock);

  /* The queue is gone and nobody is told, but the handle is let go. */
  if (orphaned && kind == OSIISO_EVENT_COMPLETE)
    {
      OsiisoHandle *handle = osiiso_handle_steal_for_record (self->scheduler, record);

      if (handle != NULL)
        osiiso_outbox_post (self, OSIISO_EVENT_DESTROY, NULL, NULL, handle, g_object_unref);
    }
}

void
osiiso_outbox_note_task (OsiisoOutbox *self,
                         OsiisoRecord *record,
                         gboolean      ended)
{
  pthread_mutex_lock (&self->lock);
  if (self->source != NULL)
    {
      OsiisoTaskChange change = { osiiso_record_ref (record), ended };

      if (self->changes == NULL)
        {
          self->changes = g_array_new (FALSE, FALSE, sizeof (OsiisoTaskChange));
          g_array_set_clear_func (self->changes, clear_change);
        }
      g_array_append_val (self->changes, change);
      arm_now_locked (self);
    }
  pthread_mutex_unlock (&self->lock);
}

gboolean
osiiso_outbox_is_owner_thread (OsiisoOutbox *self)
{
  if (g_main_context_is_owner (self->context))
    return TRUE;
  /* Nobody iterates it just now, so it is up to the thread that made the queue. */
  if (self->thread != g_thread_self () || !g_main_context_acquire (self->context))
    return FALSE;
  g_main_context_release (self->context);
  return TRUE;
}

gboolean
osiiso_outbox_is_drained (OsiisoOutbox *self)
{
  gboolean drained;

  pthread_mutex_lock (&self->lock);
  drained = self->first == NULL && !has_ends_locked (self) && self->changes == NULL;
  pthread_mutex_unlock (&self->lock);
  return drained;
}

void
osiiso_outbox_release_events (OsiisoOutbox *self)
{
  gboolean only_releases = TRUE;

  pthread_mutex_lock (&self->lock);
  for (OsiisoEvent *event = self->first; event != NULL; event = event->next)
    only_releases = only_releases && event->kind != OSIISO_EVENT_RETURN && event->kind != OSIISO_EVENT_MEMBERS;
  pthread_mutex_unlock (&self->lock);
  if (only_releases)
    osiiso_outbox_drain (self);
}

void
osiiso_outbox_drain (OsiisoOutbox *self)
{
  g_autoptr (GSource) source = NULL;
  OsiisoScheduler *scheduler = self->scheduler;

  if (!osiiso_outbox_is_owner_thread (self) || !g_main_context_acquire (self->context))
    return;
  osiiso_scheduler_ref (scheduler);
  pthread_mutex_lock (&self->lock);
  /* Held, so that it outlives handlers that iterate the context. */
  if (self->source != NULL)
    source = g_source_ref (self->source);
  pthread_mutex_unlock (&self->lock);
  if (source != NULL)
    {
      deliver_all (self, G_MAXINT64);
      if (rearm (self, source))
        g_source_destroy (source);
      g_clear_pointer (&source, g_source_unref);
    }
  g_main_context_release (self->context);
  osiiso_scheduler_unref (scheduler);
}

/* The core's reference on the handle of a task that is over. */
static void
release_handle (OsiisoOutbox *self,
                OsiisoRecord *record)
{
  OsiisoHandle *handle = osiiso_handle_steal_for_record (self->scheduler, record);

  g_clear_object (&handle);
}

/* A signal of the queue and notifies of the handle, in the owner's context. */
static void
deliver_view (OsiisoOutbox *self,
              OsiisoEvent  *event)
{
  g_autoptr (OsiisoQueue) queue = osiiso_outbox_dup_queue (self);
  g_autoptr (OsiisoHandle) handle = NULL;
  const gboolean is_signal = event->kind != OSIISO_EVENT_PROGRESS && event->kind != OSIISO_EVENT_WAIT;

  /* A queue that was dropped tells nobody any more: this may be its dispose. */
  if (queue == NULL)
    {
      if (event->kind == OSIISO_EVENT_COMPLETE)
        release_handle (self, event->record);
      return;
    }

  /* Somebody listened when it was posted, to the queue or to the handle, and to ask again
   * takes longer than a signal that nobody hears. */
  handle = is_signal ? osiiso_handle_get_for_record (self->scheduler, event->record)
                     : osiiso_handle_peek_for_record (self->scheduler, event->record);
  if (handle != NULL)
    osiiso_handle_notify (handle, event->kind);
  if (is_signal)
    osiiso_queue_emit (queue, event->kind, handle, event->error);
  if (event->kind == OSIISO_EVENT_COMPLETE)
    release_handle (self, event->record);
}

static void
deliver_settled (OsiisoOutbox *self)
{
  g_autoptr (OsiisoQueue) queue = osiiso_outbox_dup_queue (self);

  if (queue != NULL)
    osiiso_queue_notify_closed (queue, osiiso_scheduler_is_closed (self->scheduler));
  release_hold (self);
}

static void
deliver (OsiisoOutbox *self,
         OsiisoEvent  *event)
{
  switch (event->kind)
    {
    case OSIISO_EVENT_PROGRESS:
      osiiso_record_set_flags (event->record, 0, OSIISO_RECORD_NOTIFY_PENDING);
      deliver_view (self, event);
      break;
    case OSIISO_EVENT_START:
    case OSIISO_EVENT_RETRY:
    case OSIISO_EVENT_WAIT:
    case OSIISO_EVENT_COMPLETE:
      deliver_view (self, event);
      break;
    case OSIISO_EVENT_DESTROY:
      event->destroy (event->data);
      break;
    case OSIISO_EVENT_RETURN:
      /* Who waited for the end of work finds the list without it. */
      if (self != NULL)
        deliver_changes (self);
      osiiso_waiter_complete (event->data);
      break;
    case OSIISO_EVENT_MEMBERS:
      osiiso_group_members_added (event->data);
      break;
    case OSIISO_EVENT_SETTLE:
      deliver_settled (self);
      break;
    case OSIISO_EVENT_END: /* see pop() */
    default:
      g_assert_not_reached ();
    }
  g_clear_pointer (&event->record, osiiso_record_unref);
  g_clear_error (&event->error);
  g_free (event);
}
