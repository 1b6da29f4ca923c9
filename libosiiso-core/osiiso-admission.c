/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-wait-private.h"

static void
list_init (OsiisoLink *list)
{
  list->next = list->prev = list;
}

static void
list_append (OsiisoLink *list,
             OsiisoLink *link)
{
  link->next = list;
  link->prev = list->prev;
  list->prev->next = link;
  list->prev = link;
}

static void
list_remove (OsiisoLink *link)
{
  link->prev->next = link->next;
  link->next->prev = link->prev;
}

void
osiiso_admission_init (OsiisoAdmission *self)
{
  list_init (&self->line);
}

void
osiiso_admission_set_error (OsiisoScheduler *scheduler,
                            OsiisoEntry      entry,
                            guint            n,
                            GError         **error)
{
  guint size = atomic_load (&scheduler->room.size);

  switch (entry)
    {
    case OSIISO_ENTRY_FULL:
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL,
                   "queue is full (%" G_GUINT64_FORMAT " tasks outstanding)", osiiso_scheduler_get_outstanding (scheduler));
      break;
    case OSIISO_ENTRY_TOO_MANY:
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL,
                   "%u tasks can never fit into a queue of size %u", n, size);
      break;
    case OSIISO_ENTRY_CLOSED:
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, "the queue is not accepting tasks");
      break;
    case OSIISO_ENTRY_NO_MEMORY:
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED, "no memory for one more task");
      break;
    case OSIISO_ENTRY_LAST_WORKER:
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                           "this task would take the last worker while it waits for room in its queue");
      break;
    case OSIISO_ENTRY_STUCK:
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                   "this task would wait for places that it and other waiting tasks have themselves (size %u)", size);
      break;
    case OSIISO_ENTRY_CYCLE:
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                           "this call would wait for room that only tasks can make which wait for it");
      break;
    case OSIISO_ENTRY_LEFT:
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "the wait was cancelled");
      break;
    case OSIISO_ENTRY_CANCELLED:
      osiiso_scheduler_set_error_cancelled (error);
      break;
    case OSIISO_ENTRY_NONE:
    case OSIISO_ENTRY_WAITS:
    case OSIISO_ENTRY_ADMITTED:
    default:
      g_assert_not_reached ();
    }
}

/* Whether @n tasks may come in when nobody waits longer. */
static OsiisoEntry
judge_first_locked (OsiisoScheduler *scheduler,
                    guint            n)
{
  guint size = atomic_load_explicit (&scheduler->room.size, memory_order_relaxed);

  if (!scheduler->accepting || scheduler->halted)
    return OSIISO_ENTRY_CLOSED;
  if (size == 0)
    return OSIISO_ENTRY_ADMITTED;
  if (n > size)
    return OSIISO_ENTRY_TOO_MANY;
  return osiiso_scheduler_get_outstanding (scheduler) + n <= size ? OSIISO_ENTRY_ADMITTED : OSIISO_ENTRY_FULL;
}

OsiisoEntry
osiiso_admission_judge_locked (OsiisoScheduler *scheduler,
                               guint            n)
{
  OsiisoEntry entry = judge_first_locked (scheduler, n);

  if (entry == OSIISO_ENTRY_ADMITTED &&
      (scheduler->room.entering || atomic_load_explicit (&scheduler->room.n_waiting, memory_order_relaxed) > 0))
    entry = OSIISO_ENTRY_FULL;
  return entry;
}

/* What changed in the line, to be acted upon once the locks are released. */
typedef struct
{
  OsiisoWake wake;
  OsiisoLink answered; /* asynchronous waiters */
  gboolean   removed;
  gboolean   entering; /* one of those brings its records now */
  gboolean   due;      /* a time of who came in has passed in line */
} LineChange;

gboolean
osiiso_admission_is_due (OsiisoRecord *record)
{
  OsiisoRecordRare *rare = osiiso_record_get_rare (record);
  OsiisoRecordBounds *bounds = osiiso_record_get_bounds (record);
  gint64 when = G_MAXINT64;

  if (rare != NULL && rare->scheduled_for != 0)
    when = rare->scheduled_for;
  if (bounds != NULL && bounds->deadline.key != 0)
    when = MIN (when, bounds->deadline.key);
  return when != G_MAXINT64 && when <= osiiso_clock_now ();
}

static void
remove_locked (OsiisoScheduler  *scheduler,
               OsiisoRoomWaiter *waiter,
               OsiisoEntry       entry,
               LineChange       *change)
{
  list_remove (&waiter->link);
  waiter->entry = entry;
  atomic_fetch_sub (&scheduler->room.n_waiting, 1);
  change->removed = TRUE;
}

/* Tells a waiter that is in line no more, or never was. */
static void
answer_locked (OsiisoRoomWaiter *waiter,
               LineChange       *change)
{
  if (waiter->task != NULL)
    list_append (&change->answered, &waiter->link);
  else
    pthread_cond_signal (&waiter->cond);
}

/* With both locks, because a record may be a delayed one. */
static void
serve_line_locked (OsiisoScheduler *scheduler,
                   gboolean         size_changed,
                   LineChange      *change)
{
  gboolean blocked = FALSE; /* by somebody in front */
  OsiisoLink *next;

  for (OsiisoLink *link = scheduler->room.line.next; link != &scheduler->room.line; link = next)
    {
      OsiisoRoomWaiter *waiter = OSIISO_ROOM_WAITER_FROM_LINK (link);
      OsiisoEntry entry = judge_first_locked (scheduler, waiter->n);

      next = link->next;
      if (entry == OSIISO_ENTRY_FULL || (entry == OSIISO_ENTRY_ADMITTED && (blocked || scheduler->room.entering)))
        {
          /* Nobody behind gets in. But who can never come in any more is told, also
           * when others are in front. */
          if (!size_changed)
            break;
          blocked = TRUE;
          continue;
        }
      if (entry == OSIISO_ENTRY_ADMITTED && waiter->record != NULL && osiiso_admission_is_due (waiter->record))
        change->due = scheduler->will_tick = TRUE;
      if (entry == OSIISO_ENTRY_ADMITTED && waiter->record != NULL &&
          osiiso_record_get_bounds (waiter->record) != NULL &&
          !osiiso_scheduler_bind_locked (scheduler, &waiter->record, 1))
        entry = OSIISO_ENTRY_CANCELLED;
      if (entry == OSIISO_ENTRY_ADMITTED)
        {
          osiiso_scheduler_count_in_locked (scheduler, waiter->n);
          if (waiter->record != NULL)
            osiiso_scheduler_enqueue_locked (scheduler, &waiter->record, 1, TRUE, &change->wake);
          else if (waiter->task != NULL)
            scheduler->room.entering = change->entering = TRUE;
        }
      remove_locked (scheduler, waiter, entry, change);
      answer_locked (waiter, change);
    }
}

static void
lock_line (OsiisoScheduler *scheduler,
           LineChange      *change)
{
  *change = (LineChange) { 0, };
  list_init (&change->answered);
  pthread_mutex_lock (&scheduler->ready_lock);
  pthread_mutex_lock (&scheduler->inbox_lock);
}

/* Releases the locks, and then does what is to be done without them. */
static void
act (OsiisoScheduler *scheduler,
     LineChange      *change)
{
  pthread_mutex_unlock (&scheduler->inbox_lock);
  pthread_mutex_unlock (&scheduler->ready_lock);

  /* Before anybody is woken for it. */
  if (change->due)
    osiiso_scheduler_tick (scheduler);
  osiiso_scheduler_act (scheduler, &change->wake);
  while (change->answered.next != &change->answered)
    {
      OsiisoRoomWaiter *waiter = OSIISO_ROOM_WAITER_FROM_LINK (change->answered.next);

      list_remove (&waiter->link);
      waiter->answered (waiter);
      osiiso_scheduler_complete_task (scheduler, waiter->task);
    }
}

static void
unlock_line (OsiisoScheduler *scheduler,
             LineChange      *change)
{
  gboolean removed = change->removed;

  act (scheduler, change);
  /* Those behind who had to stay in line for the records of somebody in front. */
  while (change->entering)
    {
      lock_line (scheduler, change);
      scheduler->room.entering = FALSE;
      serve_line_locked (scheduler, FALSE, change);
      removed = removed || change->removed;
      act (scheduler, change);
    }
  /* Who got no place was perhaps all that a run waited for. */
  if (removed && !osiiso_scheduler_has_work (scheduler))
    osiiso_scheduler_check_idle (scheduler);
}

void
osiiso_admission_update (OsiisoScheduler *scheduler)
{
  LineChange change;

  if (atomic_load (&scheduler->room.n_waiting) == 0)
    return;
  lock_line (scheduler, &change);
  serve_line_locked (scheduler, FALSE, &change);
  unlock_line (scheduler, &change);
}

void
osiiso_admission_set_size (OsiisoScheduler *scheduler,
                           guint            size)
{
  LineChange change;

  lock_line (scheduler, &change);
  atomic_store (&scheduler->room.size, size);
  serve_line_locked (scheduler, TRUE, &change);
  unlock_line (scheduler, &change);
  osiiso_wait_graph_update ();
}

OsiisoEntry
osiiso_admission_enter (OsiisoScheduler  *scheduler,
                        OsiisoRoomWaiter *waiter)
{
  LineChange change;
  OsiisoEntry entry;

  lock_line (scheduler, &change);
  entry = osiiso_admission_judge_locked (scheduler, waiter->n);
  if (entry == OSIISO_ENTRY_ADMITTED || entry == OSIISO_ENTRY_FULL)
    entry = OSIISO_ENTRY_WAITS;

  waiter->entry = entry;
  if (entry == OSIISO_ENTRY_WAITS)
    {
      list_append (&scheduler->room.line, &waiter->link);
      atomic_fetch_add (&scheduler->room.n_waiting, 1);
      serve_line_locked (scheduler, FALSE, &change);
      entry = waiter->entry;
    }
  else
    {
      answer_locked (waiter, &change);
    }
  unlock_line (scheduler, &change);
  return entry;
}

gboolean
osiiso_admission_leave (OsiisoScheduler  *scheduler,
                        OsiisoRoomWaiter *waiter)
{
  LineChange change;
  gboolean waits;

  lock_line (scheduler, &change);
  waits = waiter->entry == OSIISO_ENTRY_WAITS;
  if (waits)
    {
      remove_locked (scheduler, waiter, OSIISO_ENTRY_LEFT, &change);
      /* It may have stood before others who fit. */
      serve_line_locked (scheduler, FALSE, &change);
    }
  unlock_line (scheduler, &change);
  return waits;
}

void
osiiso_admission_give_back (OsiisoScheduler *scheduler,
                            guint            n)
{
  for (guint i = 0; i < n; i++)
    osiiso_scheduler_count_out (scheduler);
}

/* To be asked by who is in line: a run that ends from then on sees that and does
 * not make the queue rest. */
gboolean
osiiso_admission_needs_start (OsiisoScheduler *scheduler)
{
  gboolean resting;

  pthread_mutex_lock (&scheduler->ready_lock);
  resting = scheduler->resting;
  pthread_mutex_unlock (&scheduler->ready_lock);
  return resting;
}

typedef struct
{
  OsiisoScheduler  *scheduler;
  OsiisoRoomWaiter *waiter;
} CancelData;

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  CancelData *data = user_data;

  pthread_mutex_lock (&data->scheduler->inbox_lock);
  pthread_cond_signal (&data->waiter->cond);
  pthread_mutex_unlock (&data->scheduler->inbox_lock);
}

static OsiisoEntry
get_refusal (OsiisoWait *wait)
{
  switch (wait->why)
    {
    case OSIISO_HOPELESS_WORKERS:
      return OSIISO_ENTRY_LAST_WORKER;
    case OSIISO_HOPELESS_PLACES:
      return OSIISO_ENTRY_STUCK;
    case OSIISO_HOPELESS_SELF:
    case OSIISO_HOPELESS_CONTEXT:
    case OSIISO_HOPELESS_CYCLE:
    default:
      return OSIISO_ENTRY_CYCLE;
    }
}

/* Blocks as long as it waits in line. */
static OsiisoEntry
wait_in_line (OsiisoScheduler  *scheduler,
              OsiisoRoomWaiter *waiter,
              GCancellable     *cancellable)
{
  CancelData data = { scheduler, waiter };
  gulong handler = 0;
  OsiisoEntry entry;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &data, NULL);
  pthread_mutex_lock (&scheduler->inbox_lock);
  while (waiter->entry == OSIISO_ENTRY_WAITS && !osiiso_wait_is_refused (waiter->wait) &&
         !g_cancellable_is_cancelled (cancellable))
    pthread_cond_wait (&waiter->cond, &scheduler->inbox_lock);
  entry = waiter->entry;
  pthread_mutex_unlock (&scheduler->inbox_lock);
  g_cancellable_disconnect (cancellable, handler);

  /* Cancelled or refused, unless it was admitted after all. */
  if (entry == OSIISO_ENTRY_WAITS && osiiso_admission_leave (scheduler, waiter) &&
      osiiso_wait_is_refused (waiter->wait))
    return get_refusal (waiter->wait);
  return waiter->entry;
}

gboolean
osiiso_admission_wait (OsiisoScheduler *scheduler,
                       OsiisoRecord    *record,
                       guint            n,
                       GCancellable    *cancellable,
                       GError         **error)
{
  OsiisoWait wait = { .kind = OSIISO_WAIT_ROOM, .scheduler = scheduler };
  OsiisoRoomWaiter waiter = { .n = n, .record = record, .wait = &wait };
  GError *local_error = NULL;
  OsiisoEntry entry;

  /* Where blocking could never end. */
  if (!osiiso_scheduler_may_block (scheduler, NULL))
    {
      osiiso_admission_set_error (scheduler, OSIISO_ENTRY_FULL, n, error);
      return FALSE;
    }

  wait.room = &waiter;
  pthread_cond_init (&waiter.cond, NULL);
  entry = osiiso_admission_enter (scheduler, &waiter);
  /* In its place, which decides whether the wait can end. */
  if (entry == OSIISO_ENTRY_WAITS && osiiso_wait_enter (&wait, NULL) && osiiso_admission_needs_start (scheduler) &&
      !osiiso_scheduler_start (scheduler, &local_error))
    osiiso_admission_leave (scheduler, &waiter);
  entry = wait_in_line (scheduler, &waiter, cancellable);
  osiiso_wait_leave (&wait);
  pthread_cond_destroy (&waiter.cond);

  if (entry == OSIISO_ENTRY_LEFT && local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else if (entry != OSIISO_ENTRY_ADMITTED)
    osiiso_admission_set_error (scheduler, entry, n, error);
  g_clear_error (&local_error);
  return entry == OSIISO_ENTRY_ADMITTED;
}
