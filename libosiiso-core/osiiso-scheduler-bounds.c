/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-scheduler-private.h"

/* What ends tasks from outside: their deadlines, and the cancellables that they
 * were submitted with. Both belong to the few tasks that have bounds. */

GError *
osiiso_scheduler_new_deadline_error (OsiisoRecord *record)
{
  g_autofree char *name = osiiso_record_dup_name (record);

  return g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "task '%s' exceeded its deadline of %gs",
                      name, osiiso_record_get_ext (record)->params->deadline);
}

#define BOUNDS_FROM_DEADLINE(n) ((OsiisoRecordBounds *) (void *) ((char *) (n) - G_STRUCT_OFFSET (OsiisoRecordBounds, deadline)))
#define BOUNDS_FROM_LINK(l)     ((OsiisoRecordBounds *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoRecordBounds, link)))

static void
end_one_overdue_locked (OsiisoScheduler *self,
                        OsiisoRecord    *record,
                        GPtrArray       *late,
                        GPtrArray       *ended)
{
  const guint32 word = osiiso_record_get_word (record);

  if (osiiso_status_is_final (osiiso_word_get_status (word)))
    return;
  if (osiiso_word_has_attempt (word))
    {
      OsiisoAttempt *attempt = OSIISO_ATTEMPT_FROM_LINK (record->link.next);

      /* From here on no attempt follows, whoever ends this one. */
      osiiso_record_set_flags (record, OSIISO_RECORD_OVERDUE, 0);
      if (osiiso_attempt_try_ref (attempt))
        g_ptr_array_add (late, attempt);
      return;
    }
  g_ptr_array_add (ended, osiiso_record_ref (record));
  osiiso_scheduler_end_waiting_locked (self, record, OSIISO_STATUS_FAILED,
                                       osiiso_outcome_new_error (osiiso_scheduler_new_deadline_error (record)));
}

void
osiiso_scheduler_end_overdue_locked (OsiisoScheduler *self,
                                     gint64           now,
                                     GPtrArray       *late,
                                     GPtrArray       *ended)
{
  OsiisoHeapNode *node;

  while ((node = osiiso_deadline_heap_peek (&self->deadlines)) != NULL && node->key <= now)
    {
      osiiso_deadline_heap_remove (&self->deadlines, node);
      end_one_overdue_locked (self, BOUNDS_FROM_DEADLINE (node)->rare.record, late, ended);
    }
}

/*
 * OsiisoCancelWatch: the one connection of a scheduler to a cancellable, for all
 * tasks that were submitted with it and have not ended.
 *
 * The handler may run in any thread at any time, also while the last of these
 * tasks ends. So the connection has a reference of its own, and it is let go by
 * g_signal_handler_disconnect(), which waits for nobody, so that it may even be
 * called from within the handler; that happens in the owner's context. The
 * scheduler is not owned: the tasks in the list keep it alive.
 *
 * scheduler, cancellable: constant.
 * handler: written by who made it, before the first use is released.
 * n_uses: guarded by the scheduler's ready lock.
 * lock guards the rest; it is a leaf.
 */
struct _OsiisoCancelWatch
{
  OsiisoRefCount   ref_count;
  OsiisoScheduler *scheduler;
  GCancellable    *cancellable; /* (owned) until the owner lets go */
  gulong           handler;
  guint            n_uses;      /* records, and submissions */

  pthread_mutex_t  lock;
  gboolean         fired;
  OsiisoLink       members;
};

static void
watch_unref (OsiisoCancelWatch *self)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  pthread_mutex_destroy (&self->lock);
  g_free (self);
}

static void
connection_gone (gpointer  data,
                 GClosure *unused)
{
  watch_unref (data);
}

static void
cancelled_cb (GCancellable      *cancellable,
              OsiisoCancelWatch *self)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_record_unref);
  OsiisoScheduler *scheduler = NULL;

  pthread_mutex_lock (&self->lock);
  self->fired = TRUE;
  for (OsiisoLink *l = self->members.next; l != &self->members; l = l->next)
    g_ptr_array_add (found, osiiso_record_ref (BOUNDS_FROM_LINK (l)->rare.record));
  if (found->len > 0)
    scheduler = osiiso_scheduler_ref (self->scheduler);
  pthread_mutex_unlock (&self->lock);

  osiiso_scheduler_cancel_all (scheduler, found);
  /* Before the scheduler, in whose memory they are. */
  g_ptr_array_set_size (found, 0);
  g_clear_pointer (&scheduler, osiiso_scheduler_unref);
}

static OsiisoCancelWatch *
watch_new (OsiisoScheduler *scheduler,
           GCancellable    *cancellable)
{
  OsiisoCancelWatch *self = g_new0 (OsiisoCancelWatch, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->scheduler = scheduler;
  self->cancellable = cancellable;
  self->n_uses = 1;
  pthread_mutex_init (&self->lock, NULL);
  self->members.next = self->members.prev = &self->members;
  return self;
}

/* In the owner's context, when nobody uses it any more. */
static void
watch_let_go (gpointer data)
{
  OsiisoCancelWatch *self = data;

  if (self->handler != 0)
    g_signal_handler_disconnect (self->cancellable, self->handler);
  g_clear_object (&self->cancellable);
  watch_unref (self);
}

GCancellable *
osiiso_cancel_watch_get_cancellable (OsiisoCancelWatch *watch)
{
  return watch->cancellable;
}

gboolean
osiiso_scheduler_set_error_cancelled (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "the cancellable of the options was cancelled");
  return FALSE;
}

static gboolean
has_fired (OsiisoCancelWatch *watch)
{
  gboolean fired;

  pthread_mutex_lock (&watch->lock);
  fired = watch->fired;
  pthread_mutex_unlock (&watch->lock);
  return fired;
}

/* The watch to use for @cancellable, @made or another one. One that has fired
 * stays with its tasks: the cancellable was reset. */
static OsiisoCancelWatch *
find_or_add_locked (OsiisoScheduler   *self,
                    GCancellable      *cancellable,
                    OsiisoCancelWatch *made)
{
  OsiisoCancelWatch *watch = NULL;

  if (self->watches == NULL)
    self->watches = g_hash_table_new (NULL, NULL);
  watch = g_hash_table_lookup (self->watches, cancellable);
  if (watch != NULL && !has_fired (watch))
    {
      watch->n_uses++;
      return watch;
    }
  if (made != NULL)
    g_hash_table_insert (self->watches, cancellable, made);
  return made;
}

OsiisoCancelWatch *
osiiso_scheduler_use_watch (OsiisoScheduler *self,
                            GCancellable    *cancellable,
                            GError         **error)
{
  OsiisoCancelWatch *made = NULL;
  OsiisoCancelWatch *watch;

  if (g_cancellable_is_cancelled (cancellable))
    {
      osiiso_scheduler_destroy_in_owner (self, g_object_unref, cancellable);
      osiiso_scheduler_set_error_cancelled (error);
      return NULL;
    }

  pthread_mutex_lock (&self->ready_lock);
  watch = find_or_add_locked (self, cancellable, NULL);
  pthread_mutex_unlock (&self->ready_lock);
  if (watch == NULL)
    {
      made = watch_new (self, cancellable);
      pthread_mutex_lock (&self->ready_lock);
      watch = find_or_add_locked (self, cancellable, made);
      pthread_mutex_unlock (&self->ready_lock);
    }
  if (watch != made)
    {
      /* Not the last one: the watch has its own. */
      g_object_unref (cancellable);
      g_clear_pointer (&made, watch_unref);
      return watch;
    }

  /* Others use it already; if it is cancelled just now, their tasks are too. */
  osiiso_ref_count_inc (&made->ref_count);
  made->handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), made,
                                         (GDestroyNotify) (GCallback) connection_gone);
  return made;
}

void
osiiso_scheduler_release_watch (OsiisoScheduler   *self,
                                OsiisoCancelWatch *watch)
{
  gboolean last;

  pthread_mutex_lock (&self->ready_lock);
  last = --watch->n_uses == 0;
  if (last && g_hash_table_lookup (self->watches, watch->cancellable) == watch)
    g_hash_table_remove (self->watches, watch->cancellable);
  pthread_mutex_unlock (&self->ready_lock);
  if (last)
    osiiso_scheduler_destroy_in_owner (self, watch_let_go, watch);
}

gboolean
osiiso_scheduler_bind_locked (OsiisoScheduler *self,
                              OsiisoRecord   **records,
                              guint            n)
{
  OsiisoCancelWatch *watch = osiiso_record_get_bounds (records[0])->watch;
  gboolean fired = FALSE;

  if (watch != NULL)
    {
      pthread_mutex_lock (&watch->lock);
      fired = watch->fired;
      for (guint i = 0; !fired && i < n; i++)
        {
          OsiisoLink *link = &osiiso_record_get_bounds (records[i])->link;

          link->next = &watch->members;
          link->prev = watch->members.prev;
          watch->members.prev->next = link;
          watch->members.prev = link;
        }
      pthread_mutex_unlock (&watch->lock);
      if (fired)
        return FALSE;
      watch->n_uses += n;
    }

  for (guint i = 0; i < n; i++)
    {
      OsiisoHeapNode *node = &osiiso_record_get_bounds (records[i])->deadline;

      if (node->key != 0)
        osiiso_deadline_heap_insert (&self->deadlines, node, node->key, records[i]->seq);
    }
  osiiso_scheduler_arm_timers_locked (self);
  return TRUE;
}

void
osiiso_scheduler_unbind (OsiisoScheduler *self,
                         OsiisoRecord    *record)
{
  OsiisoRecordBounds *bounds = osiiso_record_get_bounds (record);
  OsiisoCancelWatch *watch = g_steal_pointer (&bounds->watch);

  pthread_mutex_lock (&self->ready_lock);
  osiiso_deadline_heap_remove (&self->deadlines, &bounds->deadline);
  pthread_mutex_unlock (&self->ready_lock);
  if (watch == NULL)
    return;

  pthread_mutex_lock (&watch->lock);
  bounds->link.prev->next = bounds->link.next;
  bounds->link.next->prev = bounds->link.prev;
  pthread_mutex_unlock (&watch->lock);
  osiiso_scheduler_release_watch (self, watch);
}
