/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-private.h"
#include "osiiso-backend-private.h"
#include "osiiso-error.h"
#include "osiiso-foreign-private.h"
#include "osiiso-initializer-private.h"
#include "osiiso-queue-private.h"

/* What a program does in each worker thread before tasks run there. */

static OsiisoInitializer *
initializer_new (OsiisoInitializerFunc func,
                 gpointer              data,
                 GDestroyNotify        destroy)
{
  OsiisoInitializer *self = g_new (OsiisoInitializer, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->func = func;
  self->data = data;
  self->destroy = destroy;
  self->foreign = osiiso_foreign_is_thread_bound (destroy);
  return self;
}

static void
initializer_unref (OsiisoInitializer *self,
                   OsiisoScheduler   *scheduler)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  if (self->destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, self->destroy, self->data);
  g_free (self);
}

static gboolean
call (OsiisoInitializer *self,
      OsiisoScheduler   *scheduler,
      GError           **error)
{
  GError *local_error = NULL;
  OsiisoTaskFrame frame;
  gboolean ok;

  osiiso_task_frame_enter (&frame, scheduler, NULL);
  ok = self->func (self->data, &local_error);
  if (!ok && local_error == NULL && self->foreign)
    {
      /* It may not have been entered; see osiiso_token_run(). */
      osiiso_foreign_collect_garbage ();
      ok = self->func (self->data, &local_error);
    }
  osiiso_task_frame_leave (&frame);

  if (ok)
    {
      g_clear_error (&local_error);
      return TRUE;
    }
  if (local_error == NULL)
    local_error = g_error_new_literal (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED, "it did not say why");
  g_prefix_error_literal (&local_error, "worker initializer failed: ");
  g_propagate_error (error, local_error);
  return FALSE;
}

/* With the ready lock. A backend that gets no further has to be woken when it is
 * worth trying again. */
static void
park_locked (OsiisoScheduler *self)
{
  pthread_mutex_lock (&self->inbox_lock);
  osiiso_scheduler_park_locked (self, OSIISO_PARKED);
  pthread_mutex_unlock (&self->inbox_lock);
}

/* Ends what waits, so that the run ends and tells why. A queue at rest has no run
 * that could: there the next start tries again. */
static GArray *
halt_and_fail_locked (OsiisoScheduler *self,
                      const GError    *error)
{
  if (self->resting)
    return NULL;
  pthread_mutex_lock (&self->inbox_lock);
  self->halted = TRUE;
  pthread_mutex_unlock (&self->inbox_lock);
  return osiiso_scheduler_end_all_waiting_locked (self, OSIISO_STATUS_FAILED, error);
}

static void
failed (OsiisoScheduler *self,
        guint            start,
        const GError    *error)
{
  GArray *ended = NULL;

  pthread_mutex_lock (&self->ready_lock);
  /* Nothing follows from a call that began before the latest start. */
  if (!self->broken && self->n_starts == start && self->open)
    {
      self->broken = TRUE;
      ended = halt_and_fail_locked (self, error);
    }
  park_locked (self);
  pthread_mutex_unlock (&self->ready_lock);
  if (ended == NULL)
    return;

  osiiso_admission_update (self);
  /* Before these are counted out, so that no other run is meant. */
  if (ended->len > 0 && osiiso_scheduler_fails_first (self))
    osiiso_scheduler_abort (self, FALSE);
  osiiso_scheduler_tell_ended (self, ended);
  /* There may have been nothing to end. */
  osiiso_scheduler_check_idle (self);
}

static OsiisoInitializer *
dup_initializer (OsiisoScheduler *self)
{
  OsiisoInitializer *initializer;

  pthread_mutex_lock (&self->ready_lock);
  initializer = self->initializer;
  if (initializer != NULL)
    osiiso_ref_count_inc (&initializer->ref_count);
  pthread_mutex_unlock (&self->ready_lock);
  return initializer;
}

/* FALSE when the initializer must not be called and the thread must not go on. */
static gboolean
begin_init (OsiisoScheduler *self,
            guint           *start)
{
  gboolean ok;

  /* Until tasks may begin there is nobody whom a failure could be told. */
  pthread_mutex_lock (&self->view_lock);
  while (self->life == OSIISO_LIFE_STARTING)
    pthread_cond_wait (&self->view_cond, &self->view_lock);
  pthread_mutex_unlock (&self->view_lock);

  pthread_mutex_lock (&self->ready_lock);
  *start = self->n_starts;
  ok = self->open && !self->broken;
  if (!ok)
    park_locked (self);
  pthread_mutex_unlock (&self->ready_lock);
  return ok;
}

/* A call of the initializer. */
typedef struct
{
  OsiisoInitializer *initializer; /* (owned) */
  OsiisoScheduler   *scheduler;
  guint              start;
  OsiisoTaskFrame   *outer;
} Call;

/* The function has ended the thread, of which nothing returns any more. */
static void
call_exits (void *data)
{
  Call *self = data;
  g_autoptr (GError) error = g_error_new_literal (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED,
                                                  "worker initializer failed: it ended its thread");

  osiiso_task_frame_unwind (self->outer);
  failed (self->scheduler, self->start, error);
  initializer_unref (self->initializer, self->scheduler);
}

static gboolean
call_or_fail (Call *self)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  pthread_cleanup_push (call_exits, self);
  ok = call (self->initializer, self->scheduler, &error);
  pthread_cleanup_pop (FALSE);
  if (!ok)
    failed (self->scheduler, self->start, error);
  return ok;
}

gboolean
osiiso_scheduler_init_worker (OsiisoScheduler *self)
{
  Call data = { dup_initializer (self), self, 0, osiiso_task_frame_get_current () };
  gboolean ok;

  if (data.initializer == NULL)
    return TRUE;
  ok = begin_init (self, &data.start) && call_or_fail (&data);
  initializer_unref (data.initializer, self);
  return ok;
}

gboolean
osiiso_scheduler_recover_locked (OsiisoScheduler *self)
{
  gboolean was_broken = self->broken;

  self->broken = FALSE;
  if (was_broken)
    self->n_starts++;
  return was_broken;
}

void
osiiso_scheduler_renew_workers (OsiisoScheduler *self)
{
  g_autoptr (OsiisoBackend) backend = osiiso_scheduler_dup_backend (self);

  if (backend != NULL)
    osiiso_backend_tell_workers (backend);
}

/* BUSY when threads may have called the one that there is. */
static gboolean
exchange (OsiisoScheduler    *self,
          OsiisoInitializer **initializer,
          GError            **error)
{
  OsiisoInitializer *old;
  gboolean ok;

  pthread_mutex_lock (&self->ready_lock);
  pthread_mutex_lock (&self->view_lock);
  ok = self->life == OSIISO_LIFE_NEW;
  pthread_mutex_unlock (&self->view_lock);
  if (ok)
    {
      old = self->initializer;
      self->initializer = *initializer;
      *initializer = old;
    }
  pthread_mutex_unlock (&self->ready_lock);

  if (!ok)
    g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY,
                         "the initializer of a queue that has been started cannot be changed");
  return ok;
}

void
osiiso_scheduler_drop_initializer (OsiisoScheduler *self)
{
  OsiisoInitializer *initializer;

  pthread_mutex_lock (&self->ready_lock);
  initializer = g_steal_pointer (&self->initializer);
  pthread_mutex_unlock (&self->ready_lock);
  if (initializer != NULL)
    initializer_unref (initializer, self);
}

static gboolean
check_supported (OsiisoScheduler *scheduler,
                 GDestroyNotify   destroy,
                 GError         **error)
{
  if (!(scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_FUNCTIONS))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                           "the backend of this queue does not run functions of this process");
      return FALSE;
    }
  /* Nobody would call it, and nobody would notice. */
  if (!(scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_INITIALIZER))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                           "the backend of this queue does not call initializers");
      return FALSE;
    }
  if (!(scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) && osiiso_foreign_is_thread_bound (destroy))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                           "JavaScript functions cannot run in other threads; use the backend 'main-loop', or 'subprocess' for parallel work");
      return FALSE;
    }
  return TRUE;
}

/**
 * osiiso_queue_set_initializer:
 * @self: a queue
 * @func: (nullable) (scope notified) (closure user_data) (destroy user_data_destroy):
 *   what to call; %NULL for nothing
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns the
 *   queue, when the queue is gone or has got another initializer, and no thread is
 *   in @func any more; also when this call fails with an error
 * @error: return location for an error
 *
 * Sets a function that is called once in each worker thread before tasks run there.
 *
 * What it sets up for its thread, tasks find there. On `thread-pool` it is called in
 * every thread that the queue gets, those included that replace one whose task was
 * interrupted; on `main-loop` once after each start that follows the making of the
 * queue, a shutdown or a failure, in the context that owns the queue. No lock is held
 * meanwhile. It must not wait for the queue.
 *
 * When it fails, every task that waits fails with its error, must-complete or not,
 * with "worker initializer failed: " before the message, so that
 * [method@Osiiso.RunSummary.check] tells it. What runs in other threads runs on,
 * without retries. The run ends, an infinite one too, and until then, or until the
 * next start where there is no run, tasks are refused with
 * %OSIISO_QUEUE_ERROR_CLOSED. The next start or run tries again in a new thread. It
 * fails as well, with %OSIISO_QUEUE_ERROR_ABANDONED, when it does not return but ends
 * its thread, as `pthread_exit()` does.
 *
 * Any thread, before the queue is started. Fails with %OSIISO_QUEUE_ERROR_BUSY when
 * it has been started, and not reset since a shutdown, with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when @func cannot be called where the backend
 * runs tasks or the backend calls no initializers, which
 * %OSIISO_BACKEND_CAPABILITIES_INITIALIZER tells, and with the error of
 * [func@Osiiso.Backend.create] when the queue has no backend.
 *
 * Returns: %TRUE if it was set
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_set_initializer (OsiisoQueue          *self,
                              OsiisoInitializerFunc func,
                              gpointer              user_data,
                              GDestroyNotify        user_data_destroy,
                              GError              **error)
{
  OsiisoInitializer *initializer = NULL;
  OsiisoScheduler *scheduler;
  gboolean ok;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  scheduler = osiiso_queue_get_scheduler (self);
  if (func != NULL)
    initializer = initializer_new (func, user_data, user_data_destroy);
  else if (user_data_destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, user_data_destroy, user_data);
  ok = osiiso_queue_check_backend (self, error) &&
       (func == NULL || check_supported (scheduler, user_data_destroy, error)) &&
       exchange (scheduler, &initializer, error);
  /* The one of before, or the new one when there was an error. */
  if (initializer != NULL)
    initializer_unref (initializer, scheduler);
  return ok;
}
