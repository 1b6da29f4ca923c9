/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-error.h"
#include "osiiso-scheduler-private.h"

/* Ends of many tasks at once, in one step, and the reset that needs it. */

typedef struct
{
  OsiisoRecord *record;
  guint32       word; /* before its end */
  OsiisoStatus  status;
} Ended;

static OsiisoRecord *
first_waiting_locked (OsiisoScheduler *self)
{
  OsiisoRecord *record = osiiso_ready_list_peek (&self->ready);
  OsiisoHeapNode *node;

  if (record != NULL)
    return record;
  node = osiiso_deadline_heap_peek (&self->returned);
  if (node == NULL)
    node = osiiso_deadline_heap_peek (&self->delays);
  return node != NULL ? OSIISO_RARE_FROM_TIMER (node)->record : NULL;
}

GArray *
osiiso_scheduler_end_all_waiting_locked (OsiisoScheduler *self,
                                         OsiisoStatus     status,
                                         const GError    *error)
{
  GArray *ended = g_array_new (FALSE, FALSE, sizeof (Ended));
  OsiisoRecord *record;

  pthread_mutex_lock (&self->inbox_lock);
  osiiso_ready_list_splice (&self->ready, &self->inbox);
  atomic_store_explicit (&self->inbox_dirty, FALSE, memory_order_relaxed);
  pthread_mutex_unlock (&self->inbox_lock);

  while ((record = first_waiting_locked (self)) != NULL)
    {
      OsiisoOutcome *outcome = osiiso_outcome_new_error (g_error_copy (error));
      guint32 word = osiiso_scheduler_end_waiting_locked (self, record, status, outcome);

      g_array_append_val (ended, ((Ended) { record, word, status }));
    }
  return ended;
}

void
osiiso_scheduler_tell_ended (OsiisoScheduler *self,
                             GArray          *ended)
{
  for (guint i = 0; i < ended->len; i++)
    {
      Ended *end = &g_array_index (ended, Ended, i);

      osiiso_scheduler_record_ended (self, end->record, end->word, end->status, NULL);
    }
  g_array_unref (ended);
}

/* With the ready and the view lock. */
static gboolean
check_reset_locked (OsiisoScheduler *self,
                    GError         **error)
{
  const char *why = NULL;

  if (self->run.active)
    why = "cannot reset during a run";
  else if (self->life == OSIISO_LIFE_DRAINING || self->life == OSIISO_LIFE_CLOSING)
    why = "cannot reset during a shutdown";
  else if (self->life == OSIISO_LIFE_STARTING || (self->life == OSIISO_LIFE_STARTED && !self->resting))
    why = "cannot reset while the queue is started; shut it down first";

  if (why != NULL)
    g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY, why);
  return why == NULL;
}

/* What is left of before, to be dropped without a lock. */
typedef struct
{
  GArray    *ended;
  GPtrArray *results;
  GSList    *shutdown_tasks;
} Rest;

/* With all three locks. A backend that was closed can be opened again; one that is
 * open stays that. */
static void
reopen_locked (OsiisoScheduler *self,
               Rest            *rest)
{
  if (self->life == OSIISO_LIFE_CLOSED)
    {
      self->life = OSIISO_LIFE_NEW;
      osiiso_scheduler_rest_locked (self);
    }
  self->accepting = TRUE;
  self->halted = FALSE;
  /* What they waited for has come; nobody may have told them yet. */
  rest->shutdown_tasks = g_slist_reverse (g_steal_pointer (&self->shutdown_tasks));
}

/* With the ready lock, without which nothing is counted and no run begins. */
static void
clear_locked (OsiisoScheduler *self,
              Rest            *rest)
{
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled before execution");

  rest->ended = osiiso_scheduler_end_all_waiting_locked (self, OSIISO_STATUS_CANCELLED, error);
  self->counts = (OsiisoRunCounts) { 0, };
  atomic_store (&self->n_completed, 0);
  rest->results = g_steal_pointer (&self->results);
  self->results = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
}

gboolean
osiiso_scheduler_reset (OsiisoScheduler *self,
                        GError         **error)
{
  Rest rest = { NULL };
  gboolean ok;

  /* One step: what was submitted before it is cancelled, what comes after it is
   * the new queue's, and nothing runs, because the queue rests. */
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  pthread_mutex_lock (&self->view_lock);
  ok = check_reset_locked (self, error);
  if (ok)
    reopen_locked (self, &rest);
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->inbox_lock);
  if (ok)
    clear_locked (self, &rest);
  pthread_mutex_unlock (&self->ready_lock);
  if (!ok)
    return FALSE;

  osiiso_scheduler_tell_ended (self, rest.ended);
  g_ptr_array_unref (rest.results);
  while (rest.shutdown_tasks != NULL)
    {
      osiiso_scheduler_complete_task (self, rest.shutdown_tasks->data);
      rest.shutdown_tasks = g_slist_delete_link (rest.shutdown_tasks, rest.shutdown_tasks);
    }
  /* Tells that it is not closed any more. */
  osiiso_scheduler_check_idle (self);
  return TRUE;
}
