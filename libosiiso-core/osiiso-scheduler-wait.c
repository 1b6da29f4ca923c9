/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-wait-private.h"
#include "osiiso-waiter-private.h"

/* Waiting: threads that block on view_cond, and GTasks that are returned in
 * their own context. A waiter registers (WAITED, view_lock) before it looks at
 * the status, and the status and that flag change in one word, so whoever ends
 * the task either is seen or sees the waiter. */

typedef struct
{
  OsiisoScheduler *scheduler;
  GMainContext    *context; /* to be woken, instead of the condition */
} CancelData;

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  CancelData *data = user_data;

  if (data->context != NULL)
    g_main_context_wakeup (data->context);
  pthread_mutex_lock (&data->scheduler->view_lock);
  pthread_cond_broadcast (&data->scheduler->view_cond);
  pthread_mutex_unlock (&data->scheduler->view_lock);
}

static gboolean
cond_wait_until (pthread_cond_t  *cond,
                 pthread_mutex_t *lock,
                 gint64           deadline)
{
  struct timespec ts;

  if (deadline == G_MAXINT64)
    {
      pthread_cond_wait (cond, lock);
      return TRUE;
    }
  ts.tv_sec = deadline / G_USEC_PER_SEC;
  ts.tv_nsec = (deadline % G_USEC_PER_SEC) * 1000;
  return pthread_cond_timedwait (cond, lock, &ts) != ETIMEDOUT;
}

/* In the owner's thread: the context is what is waited in. Each end of work
 * posts an event, which wakes it. */
static gboolean
iterate_until (OsiisoScheduler *self,
               OsiisoPredicate  over,
               gpointer         data,
               GCancellable    *cancellable,
               OsiisoWait      *wait)
{
  gboolean is_over;

  for (;;)
    {
      pthread_mutex_lock (&self->view_lock);
      is_over = over (self, data);
      pthread_mutex_unlock (&self->view_lock);
      if (is_over)
        {
          /* What belongs to the work is delivered before the wait ends, and may
           * lead to more of it. The end of a task is posted before it is
           * counted, so when both agree nothing is left. */
          osiiso_outbox_drain (&self->outbox);
          pthread_mutex_lock (&self->view_lock);
          is_over = over (self, data);
          pthread_mutex_unlock (&self->view_lock);
          if (!is_over || !osiiso_outbox_is_drained (&self->outbox))
            continue;
        }
      if (is_over || osiiso_wait_is_refused (wait) || g_cancellable_is_cancelled (cancellable))
        break;
      g_main_context_iteration (self->outbox.context, TRUE);
    }
  return is_over;
}

gboolean
osiiso_scheduler_enter_wait (OsiisoScheduler *self,
                             OsiisoWait      *wait,
                             GError         **error)
{
  wait->iterates = osiiso_outbox_is_owner_thread (&self->outbox);
  return osiiso_wait_enter (wait, error);
}

gboolean
osiiso_scheduler_wait_until (OsiisoScheduler *self,
                             OsiisoPredicate  over,
                             gpointer         data,
                             OsiisoWait      *wait,
                             double           timeout,
                             GCancellable    *cancellable,
                             GError         **error)
{
  gint64 deadline = G_MAXINT64;
  CancelData cancel = { .scheduler = self };
  gulong handler = 0;
  gboolean iterate;
  gboolean is_over;

  if (timeout >= 0)
    deadline = g_get_monotonic_time () + osiiso_clock_from_seconds (timeout);
  /* One that has a limit blocks: see osiiso_scheduler_enter_wait(). */
  g_assert (!wait->iterates || timeout < 0);
  iterate = wait->iterates && g_main_context_acquire (self->outbox.context);
  if (iterate)
    cancel.context = self->outbox.context;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &cancel, NULL);

  if (iterate)
    {
      is_over = iterate_until (self, over, data, cancellable, wait);
      g_main_context_release (self->outbox.context);
    }
  else
    {
      pthread_mutex_lock (&self->view_lock);
      while (!(is_over = over (self, data)) && !osiiso_wait_is_refused (wait) &&
             !g_cancellable_is_cancelled (cancellable) && cond_wait_until (&self->view_cond, &self->view_lock, deadline))
        ;
      pthread_mutex_unlock (&self->view_lock);
      osiiso_outbox_drain (&self->outbox);
    }
  g_cancellable_disconnect (cancellable, handler);

  if (is_over)
    return TRUE;
  if (osiiso_wait_is_refused (wait))
    return osiiso_wait_set_error (wait, error);
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the wait took longer than its timeout");
  return FALSE;
}

gboolean
osiiso_scheduler_is_inside (OsiisoScheduler *self)
{
  return osiiso_attempt_is_inside (self);
}

gboolean
osiiso_scheduler_check_outside (OsiisoScheduler *self,
                                const char      *what,
                                GError         **error)
{
  if (!osiiso_scheduler_is_inside (self))
    return TRUE;
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
               "a task cannot %s its own queue, which waits for it", what);
  return FALSE;
}

gboolean
osiiso_scheduler_may_block (OsiisoScheduler *self,
                            GError         **error)
{
  if ((self->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) && osiiso_outbox_is_owner_thread (&self->outbox))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK,
                           "the tasks of this queue run in this thread, so it cannot block until they end; use the _async call");
      return FALSE;
    }
  return TRUE;
}

static gboolean
record_is_final (OsiisoScheduler *self,
                 gpointer         data)
{
  return osiiso_status_is_final (osiiso_record_get_status (data));
}

gboolean
osiiso_scheduler_wait_record (OsiisoScheduler *self,
                              OsiisoRecord    *record,
                              double           timeout,
                              GCancellable    *cancellable,
                              GError         **error)
{
  OsiisoWait wait = { .kind = OSIISO_WAIT_TASK, .scheduler = self, .record = record, .limited = timeout >= 0 };
  gboolean ok;

  if (record_is_final (self, record))
    {
      osiiso_outbox_drain (&self->outbox);
      return TRUE;
    }
  if (!osiiso_scheduler_may_block (self, error) || !osiiso_scheduler_start (self, error) ||
      !osiiso_wait_enter (&wait, error))
    return FALSE;
  osiiso_record_set_flags (record, OSIISO_RECORD_WAITED, 0);
  ok = osiiso_scheduler_wait_until (self, record_is_final, record, &wait, timeout, cancellable, error);
  osiiso_wait_leave (&wait);
  return ok;
}

void
osiiso_scheduler_add_waiter (OsiisoScheduler *self,
                             OsiisoRecord    *record,
                             GTask           *task)
{
  OsiisoRecordExt *ext = osiiso_record_ensure_ext (record);
  gboolean done;

  pthread_mutex_lock (&self->view_lock);
  done = osiiso_status_is_final (osiiso_word_get_status (osiiso_record_set_flags (record, OSIISO_RECORD_WAITED, 0)));
  if (!done)
    ext->waiters = g_slist_prepend (ext->waiters, task);
  pthread_mutex_unlock (&self->view_lock);
  if (done)
    osiiso_scheduler_complete_task (self, task);
}

gboolean
osiiso_scheduler_remove_waiter (OsiisoScheduler *self,
                                OsiisoRecord    *record,
                                GTask           *task)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  GSList *link;

  pthread_mutex_lock (&self->view_lock);
  link = g_slist_find (ext->waiters, task);
  if (link != NULL)
    ext->waiters = g_slist_delete_link (ext->waiters, link);
  pthread_mutex_unlock (&self->view_lock);
  return link != NULL;
}

void
osiiso_scheduler_wake_waiters (OsiisoScheduler *self,
                               OsiisoRecord    *record)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (record);
  GSList *waiters = NULL;

  pthread_mutex_lock (&self->view_lock);
  if (ext != NULL)
    waiters = g_slist_reverse (g_steal_pointer (&ext->waiters));
  pthread_cond_broadcast (&self->view_cond);
  pthread_mutex_unlock (&self->view_lock);

  while (waiters != NULL)
    {
      osiiso_scheduler_complete_task (self, waiters->data);
      waiters = g_slist_delete_link (waiters, waiters);
    }
}

static gboolean
return_task_cb (gpointer user_data)
{
  osiiso_waiter_complete (user_data);
  return G_SOURCE_REMOVE;
}

void
osiiso_scheduler_complete_task (OsiisoScheduler *self,
                                GTask           *task)
{
  GMainContext *context = g_task_get_context (task);

  if (context == self->outbox.context)
    {
      osiiso_outbox_post (&self->outbox, OSIISO_EVENT_RETURN, NULL, NULL, task, NULL);
    }
  else
    {
      /* Not g_main_context_invoke(): that may call from here, and the last
       * reference has to be dropped there. */
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_priority (source, g_task_get_priority (task));
      g_source_set_callback (source, return_task_cb, task, NULL);
      g_source_attach (source, context);
    }
}
