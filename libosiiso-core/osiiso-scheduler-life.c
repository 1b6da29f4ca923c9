/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-backend-private.h"
#include "osiiso-error.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-contexts-private.h"

/* How a queue starts, drains and closes. The backend's slots are called by the
 * thread that made the transition, with no lock held; the life cycle in
 * view_lock makes sure that this is exactly one. */

static gboolean
is_closing (OsiisoScheduler *self)
{
  gboolean closing;

  pthread_mutex_lock (&self->view_lock);
  closing = self->life == OSIISO_LIFE_CLOSING;
  pthread_mutex_unlock (&self->view_lock);
  return closing;
}

void
osiiso_scheduler_set_backend (OsiisoScheduler *self,
                              OsiisoBackend   *backend)
{
  OsiisoBackend *old;

  if (backend != NULL)
    g_object_ref (backend);
  pthread_mutex_lock (&self->inbox_lock);
  old = g_steal_pointer (&self->backend);
  self->backend = backend;
  pthread_mutex_unlock (&self->inbox_lock);
  if (backend != NULL)
    self->capabilities = osiiso_backend_get_capabilities (backend);
  if (backend != NULL && (self->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES))
    osiiso_task_contexts_add (self);
  else
    osiiso_task_contexts_remove (self);
  if (old != NULL)
    {
      osiiso_backend_unbind (old, self);
      g_object_unref (old);
      /* It cannot tell any more that it has closed. */
      if (is_closing (self))
        osiiso_scheduler_backend_closed (self);
    }
}

OsiisoBackend *
osiiso_scheduler_dup_backend (OsiisoScheduler *self)
{
  OsiisoBackend *backend = NULL;

  pthread_mutex_lock (&self->inbox_lock);
  if (self->backend != NULL)
    backend = g_object_ref (self->backend);
  pthread_mutex_unlock (&self->inbox_lock);
  return backend;
}

static void
set_open (OsiisoScheduler *self,
          gboolean         open)
{
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->inbox_lock);
  self->open = open;
  if (open)
    {
      self->broken = FALSE;
      self->n_starts++;
    }
  self->stopping = !open;
  /* There is nobody yet, or nobody any more, who could be woken. */
  self->parked = 0;
  if (!open)
    pthread_cond_broadcast (&self->inbox_cond);
  pthread_mutex_unlock (&self->inbox_lock);
  pthread_mutex_unlock (&self->ready_lock);
}

static void
follow_workers (OsiisoScheduler *self,
                OsiisoBackend   *backend)
{
  guint workers;

  /* Until what was set is what is wanted: another thread may have changed that and
   * set it in between, and its number would be lost. */
  do
    {
      workers = osiiso_backend_get_workers (backend);
      osiiso_scheduler_set_limit (self, workers);
    }
  while (workers != osiiso_backend_get_workers (backend));
}

/* A thread that serves is sent away when the queue has a lower limit than the backend
 * has threads, and comes back as long as the backend wants it. So the limit is never
 * the lower one: it is raised before the backend can see more workers, which it may
 * look at whenever it likes, and lowered after it has heard of fewer. */
void
osiiso_scheduler_set_workers (OsiisoScheduler *self,
                              OsiisoBackend   *backend,
                              guint            workers)
{
  const guint wanted = osiiso_backend_resolve_workers (backend, workers);

  if (wanted > osiiso_backend_get_workers (backend))
    osiiso_scheduler_set_limit (self, wanted);
  if (osiiso_backend_set_workers (backend, workers))
    osiiso_backend_tell_workers (backend);
  follow_workers (self, backend);
}

static gboolean
set_error_closed (GError **error)
{
  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, "the queue has been shut down");
  return FALSE;
}

/* FALSE when it is shut down, or about to be. */
static gboolean
begin_start (OsiisoScheduler *self,
             gboolean        *already)
{
  gboolean closed;

  pthread_mutex_lock (&self->view_lock);
  while (self->life == OSIISO_LIFE_STARTING)
    pthread_cond_wait (&self->view_cond, &self->view_lock);
  *already = self->life == OSIISO_LIFE_STARTED || self->life == OSIISO_LIFE_DRAINING;
  closed = self->life > OSIISO_LIFE_DRAINING;
  if (self->life == OSIISO_LIFE_NEW)
    self->life = OSIISO_LIFE_STARTING;
  pthread_mutex_unlock (&self->view_lock);
  return !closed;
}

/* With the life cycle at STARTING, where it stays. */
static gboolean
open_backend (OsiisoScheduler *self,
              GError         **error)
{
  g_autoptr (OsiisoBackend) backend = NULL;
  gboolean ok;

  backend = osiiso_scheduler_dup_backend (self);
  if (backend == NULL)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND, "the queue has no backend");
      ok = FALSE;
    }
  else if (!osiiso_scheduler_check_rate (self, error))
    {
      ok = FALSE;
    }
  else
    {
      set_open (self, TRUE);
      /* For threads that it starts; and after it, which may know better then. */
      follow_workers (self, backend);
      ok = osiiso_backend_open (backend, error);
      if (!ok)
        set_open (self, FALSE);
    }

  if (ok)
    {
      /* A new backend has not asked yet; the first wake makes it ask. */
      pthread_mutex_lock (&self->inbox_lock);
      self->parked = OSIISO_PARKED;
      pthread_mutex_unlock (&self->inbox_lock);
      follow_workers (self, backend);
    }
  return ok;
}

static void
set_life (OsiisoScheduler *self,
          OsiisoLife       life)
{
  pthread_mutex_lock (&self->view_lock);
  self->life = life;
  pthread_cond_broadcast (&self->view_cond);
  pthread_mutex_unlock (&self->view_lock);
}

gboolean
osiiso_scheduler_start (OsiisoScheduler *self,
                        GError         **error)
{
  return osiiso_scheduler_start_for (self, OSIISO_START_WORK, error);
}

gboolean
osiiso_scheduler_start_for (OsiisoScheduler *self,
                            OsiisoStart      who,
                            GError         **error)
{
  gboolean already;

  do
    {
      /* All work has been ended then or is just being ended, and who waits for it needs
       * nothing to be started. */
      if (!begin_start (self, &already))
        return who == OSIISO_START_WORK || set_error_closed (error);
      if (!already && !open_backend (self, error))
        {
          set_life (self, OSIISO_LIFE_NEW);
          return FALSE;
        }
    }
  /* What was submitted before is announced now. */
  while (!osiiso_scheduler_stop_resting (self, who, !already));
  return TRUE;
}

/* With the life cycle at CLOSING. */
static void
disarm_timers (OsiisoScheduler *self)
{
  gboolean run_goes_on;

  pthread_mutex_lock (&self->ready_lock);
  self->shutdown_deadline = 0;
  run_goes_on = self->run_deadline != 0;
  pthread_mutex_unlock (&self->ready_lock);
  /* The time of an infinite run passes until all is closed. */
  if (!run_goes_on)
    osiiso_timer_service_disarm (&self->client);
}

static void
close_backend (OsiisoScheduler *self)
{
  g_autoptr (OsiisoBackend) backend = osiiso_scheduler_dup_backend (self);

  set_open (self, FALSE);
  disarm_timers (self);
  if (backend != NULL && OSIISO_BACKEND_GET_CLASS (backend)->close != NULL)
    OSIISO_BACKEND_GET_CLASS (backend)->close (backend, TRUE);
  else
    osiiso_scheduler_backend_closed (self);
}

/* Something came to its end, visible to others once the lock is released. The
 * event is posted before that, so that who waits for it has it to be delivered. */
static void
announce_end_locked (OsiisoScheduler *self)
{
  osiiso_outbox_post_settled (&self->outbox);
  pthread_cond_broadcast (&self->view_cond);
}

/* Returns the asynchronous calls that waited for what has come. */
static void
return_tasks (OsiisoScheduler *self)
{
  GSList *done = NULL;

  pthread_mutex_lock (&self->view_lock);
  if (self->run.task != NULL && osiiso_scheduler_run_is_over (self))
    done = g_slist_prepend (done, g_steal_pointer (&self->run.task));
  if (!osiiso_scheduler_has_work (self))
    done = g_slist_concat (done, g_slist_reverse (g_steal_pointer (&self->join_tasks)));
  if (self->life == OSIISO_LIFE_CLOSED)
    done = g_slist_concat (done, g_slist_reverse (g_steal_pointer (&self->shutdown_tasks)));
  pthread_mutex_unlock (&self->view_lock);

  while (done != NULL)
    {
      osiiso_scheduler_complete_task (self, done->data);
      done = g_slist_delete_link (done, done);
    }
}

/* TRUE when the backend has to be closed by the caller. */
static gboolean
check_idle_locked (OsiisoScheduler *self)
{
  gboolean close_now = self->life == OSIISO_LIFE_DRAINING && osiiso_scheduler_get_outstanding (self) == 0;

  if (close_now)
    self->life = OSIISO_LIFE_CLOSING;
  announce_end_locked (self);
  return close_now;
}

void
osiiso_scheduler_check_idle (OsiisoScheduler *self)
{
  gboolean close_now;

  pthread_mutex_lock (&self->view_lock);
  close_now = check_idle_locked (self);
  pthread_mutex_unlock (&self->view_lock);

  return_tasks (self);
  if (close_now)
    close_backend (self);
}

void
osiiso_scheduler_count_out (OsiisoScheduler *self)
{
  gboolean close_now = FALSE;
  gboolean last = FALSE;

  pthread_mutex_lock (&self->ready_lock);
  if (osiiso_scheduler_get_outstanding (self) > 1)
    {
      osiiso_scheduler_count_out_locked (self);
    }
  else
    {
      /* Perhaps the last one: nobody may see that there is none before all that
       * follows from it is on its way, and nobody may come in meanwhile. */
      pthread_mutex_lock (&self->inbox_lock);
      pthread_mutex_lock (&self->view_lock);
      osiiso_scheduler_count_out_locked (self);
      last = osiiso_scheduler_get_outstanding (self) == 0;
      if (last)
        close_now = check_idle_locked (self);
      pthread_mutex_unlock (&self->view_lock);
      pthread_mutex_unlock (&self->inbox_lock);
    }
  pthread_mutex_unlock (&self->ready_lock);
  osiiso_admission_place_freed (self);
  if (!last)
    return;

  return_tasks (self);
  if (close_now)
    close_backend (self);
  /* The reference that work has on the scheduler. */
  osiiso_scheduler_unref (self);
}

void
osiiso_scheduler_backend_closed (OsiisoScheduler *self)
{
  /* With both, so that the timer is of nobody who opens the queue again. */
  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  if (self->life == OSIISO_LIFE_CLOSING)
    {
      self->life = OSIISO_LIFE_CLOSED;
      self->n_closed++;
      osiiso_timer_service_disarm (&self->client);
    }
  announce_end_locked (self);
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->ready_lock);
  return_tasks (self);
}

gboolean
osiiso_scheduler_is_closed (OsiisoScheduler *self)
{
  gboolean closed;

  pthread_mutex_lock (&self->view_lock);
  closed = self->life == OSIISO_LIFE_CLOSED;
  pthread_mutex_unlock (&self->view_lock);
  return closed;
}

gboolean
osiiso_scheduler_shutdown_is_over_locked (OsiisoScheduler *self,
                                          guint            shutdown)
{
  return self->life == OSIISO_LIFE_CLOSED || self->n_closed != shutdown;
}

/* Takes all locks when nobody is opening the backend. */
static void
lock_settled (OsiisoScheduler *self)
{
  for (;;)
    {
      pthread_mutex_lock (&self->ready_lock);
      pthread_mutex_lock (&self->inbox_lock);
      pthread_mutex_lock (&self->view_lock);
      if (self->life != OSIISO_LIFE_STARTING)
        return;
      pthread_mutex_unlock (&self->inbox_lock);
      pthread_mutex_unlock (&self->ready_lock);
      pthread_cond_wait (&self->view_cond, &self->view_lock);
      pthread_mutex_unlock (&self->view_lock);
    }
}

/* Moves the life cycle in one step, and says where the caller has to take it on: from
 * STARTING, for work of a queue that was never started, or from CLOSING, without such
 * work. From DRAINING it goes on by itself. */
static OsiisoLife
begin_shutdown (OsiisoScheduler *self,
                gboolean         force,
                gint64           deadline,
                guint           *shutdown)
{
  OsiisoLife todo = OSIISO_LIFE_DRAINING;

  lock_settled (self);
  self->accepting = FALSE;
  if (self->life == OSIISO_LIFE_NEW)
    self->life = todo = !force && osiiso_scheduler_get_outstanding (self) > 0 ? OSIISO_LIFE_STARTING : OSIISO_LIFE_CLOSING;
  else if (self->life == OSIISO_LIFE_STARTED)
    self->life = OSIISO_LIFE_DRAINING;
  /* Counts only as long as there may be something to be cut short: whoever decides
   * that there is not takes it back. */
  if (!force && deadline != 0 && self->life < OSIISO_LIFE_CLOSING &&
      (self->shutdown_deadline == 0 || deadline < self->shutdown_deadline))
    self->shutdown_deadline = deadline;
  /* If it is closed that one is over, whatever comes. */
  *shutdown = self->n_closed - (self->life == OSIISO_LIFE_CLOSED ? 1 : 0);
  pthread_mutex_unlock (&self->view_lock);
  pthread_mutex_unlock (&self->inbox_lock);
  osiiso_scheduler_arm_timers_locked (self);
  pthread_mutex_unlock (&self->ready_lock);
  return todo;
}

/* Of a queue whose backend is not open. */
static void
close_unopened (OsiisoScheduler *self)
{
  /* Work that cannot be started cannot be waited for either. */
  osiiso_scheduler_abort (self, TRUE);
  /* Delayed tasks have armed them. */
  disarm_timers (self);
  osiiso_scheduler_backend_closed (self);
}

/* From STARTING to DRAINING. */
static void
open_to_drain (OsiisoScheduler *self)
{
  if (open_backend (self, NULL))
    {
      osiiso_scheduler_stop_resting (self, OSIISO_START_WORK, TRUE);
      osiiso_scheduler_check_idle (self);
      return;
    }
  set_life (self, OSIISO_LIFE_CLOSING);
  close_unopened (self);
}

guint
osiiso_scheduler_shutdown (OsiisoScheduler *self,
                           gboolean         force,
                           gint64           deadline)
{
  guint shutdown;
  OsiisoLife todo = begin_shutdown (self, force, deadline, &shutdown);

  osiiso_admission_update (self);
  if (todo == OSIISO_LIFE_STARTING)
    {
      open_to_drain (self);
    }
  else if (todo == OSIISO_LIFE_CLOSING)
    {
      close_unopened (self);
    }
  else
    {
      if (force)
        osiiso_scheduler_abort_shutdown (self, shutdown);
      else if (osiiso_scheduler_get_outstanding (self) > 0)
        osiiso_scheduler_stop_resting (self, OSIISO_START_WORK, FALSE);
      osiiso_scheduler_check_idle (self);
    }
  return shutdown;
}

void
osiiso_scheduler_add_task (OsiisoScheduler *self,
                           GSList         **list,
                           GTask           *task)
{
  pthread_mutex_lock (&self->view_lock);
  *list = g_slist_prepend (*list, task);
  pthread_mutex_unlock (&self->view_lock);
}

gboolean
osiiso_scheduler_add_shutdown_task (OsiisoScheduler *self,
                                    guint            shutdown,
                                    GTask           *task)
{
  gboolean over;

  pthread_mutex_lock (&self->view_lock);
  over = osiiso_scheduler_shutdown_is_over_locked (self, shutdown);
  if (!over)
    self->shutdown_tasks = g_slist_prepend (self->shutdown_tasks, task);
  pthread_mutex_unlock (&self->view_lock);
  return !over;
}

gboolean
osiiso_scheduler_remove_task (OsiisoScheduler *self,
                              GSList         **list,
                              GTask           *task)
{
  GSList *link;

  pthread_mutex_lock (&self->view_lock);
  link = g_slist_find (*list, task);
  if (link != NULL)
    *list = g_slist_delete_link (*list, link);
  pthread_mutex_unlock (&self->view_lock);
  return link != NULL;
}
