/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "osiiso-thread-pool-backend.h"

/*
 * Runs tasks in the threads of an exclusive GThreadPool. Each thread gets one
 * item, the pool's own puller, which takes attempts from the queue until the
 * queue has no more for it; the pool never sees a task.
 *
 * An attempt that was interrupted while its function runs keeps its thread until
 * the function returns. Meanwhile another puller takes its place, and when the
 * function does return there is one too many, which ends.
 *
 * lock guards all fields. It is never held while calling into the queue.
 */
struct _OsiisoThreadPoolBackend
{
  OsiisoBackend   parent_instance;

  pthread_mutex_t lock;
  GThreadPool    *pool;      /* (nullable) (owned), between open and close */
  guint           n_wanted;  /* workers of the queue */
  guint           n_threads; /* pullers that are there or on their way */
  guint           n_stuck;   /* of them, in the function of an interrupted attempt */
  gboolean        closing;
  gboolean        told;      /* the queue knows that all is over */
};

G_DEFINE_FINAL_TYPE (OsiisoThreadPoolBackend, osiiso_thread_pool_backend, OSIISO_TYPE_BACKEND)

static void
remove_puller_locked (OsiisoThreadPoolBackend *self)
{
  self->n_threads--;
  if (self->pool != NULL)
    g_thread_pool_set_max_threads (self->pool, MAX (1, (int) self->n_threads), NULL);
}

/* All that close() waits for is over when the pullers that are left are stuck;
 * nobody waits for those. */
static gboolean
is_over_locked (OsiisoThreadPoolBackend *self)
{
  gboolean over = self->closing && !self->told && self->n_threads == self->n_stuck;

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
  return !self->closing && end != OSIISO_SERVE_END_CLOSED && self->n_threads - 1 - self->n_stuck < self->n_wanted;
}

static void
puller (gpointer item,
        gpointer user_data)
{
  /* The reference that came with the item. */
  g_autoptr (OsiisoThreadPoolBackend) self = user_data;
  gboolean stay;
  gboolean over;

  do
    {
      OsiisoServeEnd end = osiiso_backend_serve (OSIISO_BACKEND (self));

      pthread_mutex_lock (&self->lock);
      stay = may_stay_locked (self, end);
      if (!stay)
        remove_puller_locked (self);
      over = is_over_locked (self);
      pthread_mutex_unlock (&self->lock);
    }
  while (stay);
  if (over)
    osiiso_backend_closed (OSIISO_BACKEND (self));
}

static gboolean
add_puller_locked (OsiisoThreadPoolBackend *self,
                   GError                 **error)
{
  GError *local_error = NULL;

  if (!g_thread_pool_set_max_threads (self->pool, (int) self->n_threads + 1, &local_error))
    {
      g_thread_pool_set_max_threads (self->pool, MAX (1, (int) self->n_threads), NULL);
      g_propagate_error (error, local_error);
      return FALSE;
    }
  self->n_threads++;
  g_object_ref (self);
  g_thread_pool_push (self->pool, GINT_TO_POINTER (1), NULL);
  return TRUE;
}

static OsiisoBackendCapabilities
osiiso_thread_pool_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS;
}

static gboolean
osiiso_thread_pool_backend_open (OsiisoBackend *backend,
                                 GError       **error)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);
  GError *local_error = NULL;
  GThreadPool *pool;
  guint wanted;
  gboolean ok;

  /* An exclusive pool may come with an error, when it got fewer threads than it
   * was asked for. */
  pool = g_thread_pool_new (puller, self, 1, TRUE, &local_error);

  pthread_mutex_lock (&self->lock);
  /* Read here, so that of two changes the later one is seen last. */
  wanted = osiiso_backend_get_workers (backend);
  self->pool = pool;
  self->n_wanted = wanted;
  self->closing = self->told = FALSE;
  ok = local_error == NULL;
  for (guint i = 0; ok && i < wanted; i++)
    ok = add_puller_locked (self, &local_error);
  if (!ok)
    {
      self->pool = NULL;
      self->closing = self->told = TRUE;
    }
  pthread_mutex_unlock (&self->lock);

  if (!ok)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                   "%u threads were wanted: %s", wanted, local_error->message);
      g_clear_error (&local_error);
      if (pool != NULL)
        g_thread_pool_free (pool, FALSE, FALSE);
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
  /* With fewer workers, the queue sends those away that are too many. */
  while (self->pool != NULL && !self->closing && self->n_threads - self->n_stuck < self->n_wanted &&
         add_puller_locked (self, NULL))
    ;
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_thread_pool_backend_close (OsiisoBackend *backend,
                                  gboolean       force)
{
  OsiisoThreadPoolBackend *self = OSIISO_THREAD_POOL_BACKEND (backend);
  GThreadPool *pool;
  gboolean over;

  pthread_mutex_lock (&self->lock);
  pool = g_steal_pointer (&self->pool);
  self->closing = TRUE;
  over = is_over_locked (self);
  pthread_mutex_unlock (&self->lock);

  /* Returns at once; the pool goes with its last thread. */
  if (pool != NULL)
    g_thread_pool_free (pool, FALSE, FALSE);
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
}
