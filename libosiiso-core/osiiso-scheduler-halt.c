/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-admission-private.h"
#include "osiiso-attempt-private.h"
#include "osiiso-scheduler-private.h"

/* Ends many tasks at once: all that there are, or those that need not complete. */

static void
collect (GPtrArray    *found,
         OsiisoRecord *record,
         gboolean      must_complete_too)
{
  if (must_complete_too || !osiiso_record_get_must_complete (record))
    g_ptr_array_add (found, osiiso_record_ref (record));
}

static void
collect_list (GPtrArray       *found,
              OsiisoReadyList *list,
              gboolean         must_complete_too)
{
  for (guint i = 0; i < OSIISO_N_LEVELS; i++)
    for (OsiisoLink *l = list->levels[i].next; l != &list->levels[i]; l = l->next)
      collect (found, OSIISO_RECORD_FROM_LINK (l), must_complete_too);
}

static void
collect_heap (GPtrArray          *found,
              OsiisoDeadlineHeap *heap,
              gboolean            must_complete_too)
{
  for (guint i = 0; i < heap->n_nodes; i++)
    collect (found, OSIISO_RARE_FROM_TIMER (heap->nodes[i])->record, must_complete_too);
}

GPtrArray *
osiiso_scheduler_halt_locked (OsiisoScheduler *self,
                              gboolean         must_complete_too)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);

  pthread_mutex_lock (&self->inbox_lock);
  self->halted = TRUE;
  collect_list (found, &self->ready, must_complete_too);
  collect_list (found, &self->inbox, must_complete_too);
  pthread_mutex_unlock (&self->inbox_lock);
  collect_heap (found, &self->returned, must_complete_too);
  collect_heap (found, &self->delays, must_complete_too);
  for (OsiisoLink *l = self->running.next; l != &self->running; l = l->next)
    {
      OsiisoRecord *record = OSIISO_ATTEMPT_FROM_LINK (l)->record;

      if (!must_complete_too && osiiso_record_get_must_complete (record))
        continue;
      /* From here on no attempt begins, neither one that is reserved nor the next. */
      osiiso_record_set_flags (record, OSIISO_RECORD_CANCEL_ASKED, 0);
      g_ptr_array_add (found, osiiso_record_ref (record));
    }
  self->n_halting++;
  return found;
}

GPtrArray *
osiiso_scheduler_track_tasks (OsiisoScheduler *self)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);

  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  self->tracks_tasks = TRUE;
  collect_list (found, &self->ready, TRUE);
  collect_list (found, &self->inbox, TRUE);
  pthread_mutex_unlock (&self->inbox_lock);
  collect_heap (found, &self->returned, TRUE);
  collect_heap (found, &self->delays, TRUE);
  for (OsiisoLink *l = self->running.next; l != &self->running; l = l->next)
    collect (found, OSIISO_ATTEMPT_FROM_LINK (l)->record, TRUE);
  pthread_mutex_unlock (&self->ready_lock);
  return found;
}

void
osiiso_scheduler_untrack_tasks (OsiisoScheduler *self)
{
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  self->tracks_tasks = FALSE;
  pthread_mutex_unlock (&self->inbox_lock);
  pthread_mutex_unlock (&self->ready_lock);
}

/* First those that wait, so that none of them takes the place of a running one. */
static guint
cancel_waiting (OsiisoScheduler *self,
                GPtrArray       *records)
{
  guint n = 0;

  for (guint i = 0; i < records->len; i++)
    if (!osiiso_word_has_attempt (osiiso_record_get_word (g_ptr_array_index (records, i))))
      n += osiiso_scheduler_cancel (self, g_ptr_array_index (records, i)) ? 1 : 0;
  return n;
}

void
osiiso_scheduler_cancel_doomed_waiting (OsiisoScheduler *self,
                                        GPtrArray       *doomed)
{
  OsiisoWake wake = { 0 };

  osiiso_admission_update (self);
  cancel_waiting (self, doomed);

  pthread_mutex_lock (&self->ready_lock);
  self->n_halting--;
  osiiso_scheduler_announce_locked (self, &wake);
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_act (self, &wake);
}

void
osiiso_scheduler_cancel_doomed (OsiisoScheduler *self,
                                GPtrArray       *doomed)
{
  osiiso_scheduler_cancel_doomed_waiting (self, doomed);
  for (guint i = 0; i < doomed->len; i++)
    osiiso_scheduler_cancel (self, g_ptr_array_index (doomed, i));
}

guint
osiiso_scheduler_cancel_all (OsiisoScheduler *self,
                             GPtrArray       *records)
{
  guint n = cancel_waiting (self, records);

  for (guint i = 0; i < records->len; i++)
    n += osiiso_scheduler_cancel (self, g_ptr_array_index (records, i)) ? 1 : 0;
  return n;
}

void
osiiso_scheduler_abort (OsiisoScheduler *self,
                        gboolean         must_complete_too)
{
  g_autoptr (GPtrArray) found = NULL;

  pthread_mutex_lock (&self->ready_lock);
  found = osiiso_scheduler_halt_locked (self, must_complete_too);
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_scheduler_cancel_doomed (self, found);
}

void
osiiso_scheduler_abort_shutdown (OsiisoScheduler *self,
                                 guint            shutdown)
{
  g_autoptr (GPtrArray) found = NULL;
  gboolean over;

  /* What comes after a reset is not meant, which needs this lock too. */
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  over = osiiso_scheduler_shutdown_is_over_locked (self, shutdown);
  pthread_mutex_unlock (&self->view_lock);
  if (!over)
    found = osiiso_scheduler_halt_locked (self, TRUE);
  pthread_mutex_unlock (&self->ready_lock);
  if (found != NULL)
    osiiso_scheduler_cancel_doomed (self, found);
}
