/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-task-contexts-private.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static OsiisoLink schedulers = { &schedulers, &schedulers };
static _Atomic guint n_schedulers; /* written with list_lock */

#define SCHEDULER_FROM_LINK(l) \
  ((OsiisoScheduler *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoScheduler, context_link)))

void
osiiso_task_contexts_add (OsiisoScheduler *scheduler)
{
  OsiisoLink *link = &scheduler->context_link;

  pthread_mutex_lock (&list_lock);
  if (link->next == NULL)
    {
      link->next = &schedulers;
      link->prev = schedulers.prev;
      schedulers.prev->next = link;
      schedulers.prev = link;
      atomic_fetch_add (&n_schedulers, 1);
    }
  pthread_mutex_unlock (&list_lock);
}

void
osiiso_task_contexts_remove (OsiisoScheduler *scheduler)
{
  OsiisoLink *link = &scheduler->context_link;

  pthread_mutex_lock (&list_lock);
  if (link->next != NULL)
    {
      link->prev->next = link->next;
      link->next->prev = link->prev;
      link->next = link->prev = NULL;
      atomic_fetch_sub (&n_schedulers, 1);
    }
  pthread_mutex_unlock (&list_lock);
}

GPtrArray *
osiiso_task_contexts_get_held (GMainContext *iterated)
{
  GPtrArray *contexts = NULL;

  if (atomic_load (&n_schedulers) == 0)
    return NULL;

  pthread_mutex_lock (&list_lock);
  for (OsiisoLink *link = schedulers.next; link != &schedulers; link = link->next)
    {
      OsiisoOutbox *outbox = &SCHEDULER_FROM_LINK (link)->outbox;

      if (outbox->context == iterated || (contexts != NULL && g_ptr_array_find (contexts, outbox->context, NULL)) ||
          !osiiso_outbox_is_owner_thread (outbox))
        continue;
      if (contexts == NULL)
        contexts = g_ptr_array_new_with_free_func ((GDestroyNotify) g_main_context_unref);
      g_ptr_array_add (contexts, g_main_context_ref (outbox->context));
    }
  pthread_mutex_unlock (&list_lock);
  return contexts;
}
