/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "osiiso-thread-pool-backend.h"

/*
 * Runs tasks in threads of its own. Each thread pulls: it takes attempts from the
 * queue until the queue has no more for it; nothing here ever sees a task.
 *
 * An attempt that was interrupted while its function runs keeps its thread until
 * the function returns. Meanwhile another puller takes its place, and when the
 * function does return there is one too many, which ends.
 *
 * A function may end its thread instead of returning. The queue interrupts its attempt
 * then, so that there is another puller already.
 *
 * A puller calls the queue's initializer first, and ends when that fails. The queue
 * announces by a change of the workers that others have to take the places of those
 * that ended; one that does not know of it yet, because it is on its way out, sees
 * to its place itself.
 *
 * lock guards all fields. It is never held while calling into the queue.
 */
struct _OsiisoThreadPoolBackend
{
  OsiisoBackend   parent_instance;

  pthread_mutex_t lock;
  guint           n_wanted;  /* workers of the queue */
  guint           n_threads; /* pullers */
  guint           n_stuck;   /* of them, in the function of an interrupted attempt */
  guint           n_starting; /* of them, in the queue's initializer */
  guint           n_lost;    /* of those, since before the last open() */
  guint           n_opened;  /* how often */
  guint           n_changes; /* how often the number of workers was looked at */
  gboolean        closing;   /* or not open yet */
  gboolean        told;      /* the queue knows that all is over */
};

G_DEFINE_FINAL_TYPE (OsiisoThreadPoolBackend, osiiso_thread_pool_backend, OSIISO_TYPE_BACKEND)

static gboolean add_puller_locked (OsiisoThreadPoolBackend *self,
                                   GError                 **error);

/* All that close() waits for is over when the pullers that are left are stuck or in
 * the initializer; nobody waits for those. */
static gboolean
is_over_locked (OsiisoThreadPoolBackend *self)
{
  gboolean over = self->closing && !self->told && self->n_threads == self->n_stuck + self->n_starting;

  self->told |= over;
  return over;
}

/* Whether a thread that came back goes on. Decided and counted in one step, so
 * that it is not one that a change of the workers has just counted on. */
static gboolean
may_stay_locked (OsiisoThreadPoolBackend *self,
                 OsiisoServeEnd           end)
{
  if (end == OSIISO_SERVE_END_INTERRUPTED)
    self->n_stuck--;
  /* With the place of this one free. */
  return !self->closing && end != OSIISO_SERVE_END_CLOSED &&
         self->n_threads - 1 - self->n_stuck - self->n_lost < self->n_wanted;
}

/* What a puller knows of when it looked last. */
typedef struct
{
  guint n_opened; /* what it has called the initializer for; 0: nothing */
  guint n_changes;
} Seen;

static gboolean
is_short_locked (OsiisoThreadPoolBackend *self)
{
  return !self->closing && self->n_threads - self->n_stuck - self->n_lost < self->n_wanted;
}

/* A thread ends for which the initializer has failed. Others take the place of those
 * when workers change, which may have been meanwhile. TRUE when it was the last one. */
static gboolean
leave_uninitialized_locked (OsiisoThreadPoolBackend *self,
                            const Seen              *seen)
{
  self->n_threads--;
  if (seen->n_changes != self->n_changes && is_short_locked (self))
    add_puller_locked (self, NULL);
  return is_over_locked (self);
}

static void
end_init_locked (OsiisoThreadPoolBackend *self,
                 guint                    opened)
{
  self->n_starting--;
  if (self->n_opened != opened)
    self->n_lost--;
}

/* What a thread is in that calls the initializer. */
typedef struct
{
  OsiisoThreadPoolBackend *self; /* (owned), by the thread */
  const Seen              *seen;
  guint                    opened;
} Init;

/* The thread ends there. */
static void
init_exits (void *data)
{
  const Init *init = data;
  g_autoptr (OsiisoThreadPoolBackend) self = init->self;
  gboolean over;

  pthread_mutex_lock (&self->lock);
  end_init_locked (self, init->opened);
  over = leave_uninitialized_locked (self, init->seen);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (OSIISO_BACKEND (self));
}

static gboolean
call_initializer (Init *init)
{
  gboolean ok;

  pthread_cleanup_push (init_exits, init);
  ok = osiiso_backend_init_worker (OSIISO_BACKEND (init->self));
  pthread_cleanup_pop (FALSE);
  return ok;
}

/* FALSE when the thread must not take anything. */
static gboolean
init_thread (OsiisoThreadPoolBackend *self,
             Seen                    *seen)
{
  gboolean ok;
  guint opened;

  pthread_mutex_lock (&self->lock);
  opened = self->n_opened;
  seen->n_changes = self->n_changes;
  if (seen->n_opened == opened)
    {
      pthread_mutex_unlock (&self->lock);
      return TRUE;
    }
  self->n_starting++;
  pthread_mutex_unlock (&self->lock);

  ok = call_initializer (&(Init) { self, seen, opened });

  pthread_mutex_lock (&self->lock);
  end_init_locked (self, opened);
  /* Nobody waited for it, so that the backend may be open for something else by now,
   * or the queue may be, and the backend is about to. */
  ok = ok && self->n_opened == opened && !self->closing;
  pthread_mutex_unlock (&self->lock);
  if (ok)
    seen->n_opened = opened;
  return ok;
}

/* The thread ends in a function, which the queue has told as one that is stuck. */
static void
puller_exits (void *data)
{
  g_autoptr (OsiisoThreadPoolBackend) self = data;
  gboolean over;

  pthread_mutex_lock (&self->lock);
  self->n_stuck--;
  self->n_threads--;
  /* Perhaps there was no thread to be had. */
  if (is_short_locked (self))
    add_puller_locked (self, NULL);
  over = is_over_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (OSIISO_BACKEND (self));
}

static OsiisoServeEnd
serve (OsiisoThreadPoolBackend *self)
{
  OsiisoServeEnd end;

  pthread_cleanup_push (puller_exits, self);
  end = osiiso_backend_serve (OSIISO_BACKEND (self));
  pthread_cleanup_pop (FALSE);
  return end;
}

static gpointer
puller (gpointer data)
{
  /* The reference that was taken for the thread. */
  g_autoptr (OsiisoThreadPoolBackend) self = data;
  Seen seen = { 0, 0 };
  gboolean stay;
  gboolean over;

  do
    {
      const gboolean ready = init_thread (self, &seen);
      const OsiisoServeEnd end = ready ? serve (self) : OSIISO_SERVE_END_CLOSED;

      pthread_mutex_lock (&self->lock);
      stay = may_stay_locked (self, end);
      if (!ready)
        over = leave_uninitialized_locked (self, &seen);
      else
        {
          self->n_threads -= stay ? 0 : 1;
          over = is_over_locked (self);
        }
      pthread_mutex_unlock (&self->lock);
    }
  while (stay);
  if (over)
    osiiso_backend_closed (OSIISO_BACKEND (self));
  return NULL;
}

static gboolean
add_puller_locked (OsiisoThreadPoolBackend *self,
                   GError                 **error)
{
  GThread *thread = g_thread_try_new ("osiiso-worker", puller, g_object_ref (self), error);

  if (thread == NULL)
    {
      /* Not the last one: the queue has its own. */
      g_object_unref (self);
      return FALSE;
    }
  self->n_threads++;
  g_thread_unref (thread);
  return TRUE;
}

static OsiisoBackendCapabilities
osiiso_thread_pool_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CALLS |
         OSIISO_BACKEND_CAPABILITIES_INITIALIZER;
}

static gboolean
osiiso_thread_pool_backend_open (OsiisoBackend *backend,
                                 GError       **error)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);
  GError *local_error = NULL;
  gboolean ok = TRUE;
  guint wanted;

  pthread_mutex_lock (&self->lock);
  /* Read here, so that of two changes the later one is seen last. */
  wanted = osiiso_backend_get_workers (backend);
  self->n_wanted = wanted;
  self->n_opened++;
  /* They may never come back. */
  self->n_lost = self->n_starting;
  self->closing = self->told = FALSE;
  for (guint i = 0; ok && i < wanted; i++)
    ok = add_puller_locked (self, &local_error);
  if (!ok)
    self->closing = self->told = TRUE;
  pthread_mutex_unlock (&self->lock);

  if (!ok)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                   "%u threads were wanted: %s", wanted, local_error->message);
      g_clear_error (&local_error);
    }
  return ok;
}

static void
osiiso_thread_pool_backend_interrupt (OsiisoBackend        *backend,
                                      OsiisoAttempt        *attempt,
                                      OsiisoInterruptReason reason)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);
  gboolean over = FALSE;

  if (!osiiso_attempt_is_stuck (attempt))
    return;
  pthread_mutex_lock (&self->lock);
  self->n_stuck++;
  /* Without a thread to be had the pool is one short until the function returns. */
  if (!self->closing)
    add_puller_locked (self, NULL);
  over = is_over_locked (self);
  pthread_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (backend);
}

static void
osiiso_thread_pool_backend_workers_changed (OsiisoBackend *backend)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  self->n_wanted = osiiso_backend_get_workers (backend);
  self->n_changes++;
  /* With fewer workers, the queue sends those away that are too many. */
  while (is_short_locked (self) && add_puller_locked (self, NULL))
    ;
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_thread_pool_backend_close (OsiisoBackend *backend,
                                  gboolean       force)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);
  gboolean over;

  pthread_mutex_lock (&self->lock);
  self->closing = TRUE;
  over = is_over_locked (self);
  pthread_mutex_unlock (&self->lock);

  if (over)
    osiiso_backend_closed (backend);
}

static void
osiiso_thread_pool_backend_finalize (GObject *object)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (object);

  pthread_mutex_destroy (&self->lock);

  G_OBJECT_CLASS (osiiso_thread_pool_backend_parent_class)->finalize (object);
}

static void
osiiso_thread_pool_backend_class_init (OsiisoThreadPoolBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = osiiso_thread_pool_backend_finalize;

  backend_class->get_capabilities = osiiso_thread_pool_backend_get_capabilities;
  backend_class->open = osiiso_thread_pool_backend_open;
  backend_class->interrupt = osiiso_thread_pool_backend_interrupt;
  backend_class->workers_changed = osiiso_thread_pool_backend_workers_changed;
  backend_class->close = osiiso_thread_pool_backend_close;
}

static void
osiiso_thread_pool_backend_init (OsiisoThreadPoolBackend *self)
{
  pthread_mutex_init (&self->lock, NULL);
  self->closing = self->told = TRUE;
}
