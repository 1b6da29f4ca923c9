/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-batch-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

OsiisoBatch *
osiiso_batch_new (OsiisoScheduler *scheduler,
                  const char      *group_id)
{
  OsiisoBatch *self = g_new0 (OsiisoBatch, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->scheduler = osiiso_scheduler_ref (scheduler);
  self->group_id = g_ref_string_new (group_id);
  pthread_mutex_init (&self->lock, NULL);
  self->records = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
  self->completed = g_array_new (FALSE, FALSE, sizeof (guint));
  g_queue_init (&self->next_waiters);
  return self;
}

OsiisoBatch *
osiiso_batch_ref (OsiisoBatch *self)
{
  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

void
osiiso_batch_unref (OsiisoBatch *self)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->waiters == NULL);
  g_assert (self->next_waiters.length == 0);
  g_ptr_array_unref (self->records);
  g_array_unref (self->completed);
  g_ref_string_release (self->group_id);
  pthread_mutex_destroy (&self->lock);
  osiiso_scheduler_unref (self->scheduler);
  g_free (self);
}

OsiisoEntry
osiiso_batch_push_all (OsiisoBatch   *self,
                       OsiisoRecord **records,
                       guint          n,
                       gboolean       reserved,
                       OsiisoWake    *wake)
{
  OsiisoEntry entry;

  pthread_mutex_lock (&self->lock);
  for (guint i = 0; i < n; i++)
    osiiso_record_get_ext (records[i])->index = self->records->len + i;
  entry = osiiso_scheduler_push (self->scheduler, records, n, reserved, wake);
  for (guint i = 0; entry == OSIISO_ENTRY_ADMITTED && i < n; i++)
    g_ptr_array_add (self->records, osiiso_record_ref (records[i]));
  atomic_store (&self->n_records, self->records->len);
  pthread_mutex_unlock (&self->lock);
  /* Who waits for all members waits for these too. */
  osiiso_wait_graph_update ();
  return entry;
}

guint
osiiso_batch_get_size (OsiisoBatch *self)
{
  guint n;

  pthread_mutex_lock (&self->lock);
  n = self->records->len;
  pthread_mutex_unlock (&self->lock);
  return n;
}

guint
osiiso_batch_get_finished (OsiisoBatch *self)
{
  guint n;

  pthread_mutex_lock (&self->lock);
  n = self->completed->len;
  pthread_mutex_unlock (&self->lock);
  return n;
}

OsiisoRecord *
osiiso_batch_dup_record (OsiisoBatch *self,
                         guint        index)
{
  OsiisoRecord *record = NULL;

  pthread_mutex_lock (&self->lock);
  if (index < self->records->len)
    record = osiiso_record_ref (g_ptr_array_index (self->records, index));
  pthread_mutex_unlock (&self->lock);
  return record;
}

GPtrArray *
osiiso_batch_dup_records (OsiisoBatch *self,
                          guint        n)
{
  GPtrArray *records = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);

  pthread_mutex_lock (&self->lock);
  for (guint i = 0; i < self->records->len && i < n; i++)
    g_ptr_array_add (records, osiiso_record_ref (g_ptr_array_index (self->records, i)));
  pthread_mutex_unlock (&self->lock);
  return records;
}

void
osiiso_batch_member_ended (OsiisoBatch  *self,
                           OsiisoRecord *record)
{
  guint index = osiiso_record_get_index (record);

  pthread_mutex_lock (&self->lock);
  g_array_append_val (self->completed, index);
  pthread_mutex_unlock (&self->lock);
}

gboolean
osiiso_batch_is_over (OsiisoBatch *self)
{
  return atomic_load (&self->n_announced) == atomic_load (&self->n_records);
}

/* Tells who waits for a member which one it is, G_MAXUINT for none; with the lock.
 * Returns the list of tasks to be returned. */
static GSList *
answer_next_locked (OsiisoWaiter *waiter,
                    guint         index,
                    GSList       *tasks)
{
  waiter->index = index;
  if (waiter->task != NULL)
    return g_slist_prepend (tasks, waiter->task);
  atomic_store (&waiter->answered, TRUE);
  return tasks;
}

void
osiiso_batch_wake (OsiisoBatch *self)
{
  OsiisoGroup *held = NULL;
  GSList *done = NULL;
  GSList *waiters = NULL;
  OsiisoWaiter *next;

  pthread_mutex_lock (&self->lock);
  atomic_fetch_add (&self->n_announced, 1);
  while (self->n_delivered < self->completed->len && (next = g_queue_pop_head (&self->next_waiters)) != NULL)
    done = answer_next_locked (next, g_array_index (self->completed, guint, self->n_delivered++), done);
  if (osiiso_batch_is_over (self))
    {
      held = g_steal_pointer (&self->held);
      /* Who comes in from here on is none of theirs. */
      for (GSList *l = self->waiters; l != NULL; l = l->next)
        osiiso_waiter_get (l->data)->index = self->records->len;
      waiters = g_slist_reverse (g_steal_pointer (&self->waiters));
      /* Who asks for more than there are gets none. */
      while ((next = g_queue_pop_head (&self->next_waiters)) != NULL)
        done = answer_next_locked (next, G_MAXUINT, done);
    }
  pthread_mutex_unlock (&self->lock);

  pthread_mutex_lock (&self->scheduler->view_lock);
  pthread_cond_broadcast (&self->scheduler->view_cond);
  pthread_mutex_unlock (&self->scheduler->view_lock);

  if (held != NULL)
    osiiso_scheduler_destroy_in_owner (self->scheduler, g_object_unref, held);
  done = g_slist_concat (g_slist_reverse (done), waiters);
  while (done != NULL)
    {
      osiiso_scheduler_complete_task (self->scheduler, done->data);
      done = g_slist_delete_link (done, done);
    }
}
