/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-backend-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-initializer-private.h"

/**
 * OsiisoBackend:
 *
 * Where tasks run.
 *
 * A queue decides what runs and when, its backend where. Backends are plugins,
 * found by name with [func@Osiiso.Backend.create], or subclasses of this class
 * in the program itself, in C, Vala or Python.
 *
 * A backend pulls. When tasks are runnable the queue calls
 * [vfunc@Osiiso.Backend.wake], and the backend takes them, one for each place
 * that it has, with [method@Osiiso.Backend.take], until it gets %NULL. It runs
 * each attempt, in this process with [method@Osiiso.Attempt.run], and drops the
 * reference. A thread that has nothing else to do takes with
 * [method@Osiiso.Backend.take_wait], which blocks, and does not need to be woken.
 *
 * Priorities, retries, timeouts, limits and groups are the queue's business. The
 * settings of a backend are the GObject properties of its class.
 *
 * ## A backend that runs tasks where they are submitted
 *
 * ```c
 * static void
 * inline_backend_wake (OsiisoBackend *backend,
 *                      guint          n)
 * {
 *   OsiisoAttempt *attempt;
 *
 *   while ((attempt = osiiso_backend_take (backend)) != NULL)
 *     {
 *       osiiso_attempt_run (attempt);
 *       osiiso_attempt_unref (attempt);
 *     }
 * }
 * ```
 *
 * Since: 1.0
 */

/*
 * lock guards scheduler and workers.
 */
typedef struct
{
  pthread_mutex_t  lock;
  OsiisoScheduler *scheduler; /* (nullable) (owned), while it belongs to a queue */
  guint            workers;   /* 0: the default */
} OsiisoBackendPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (OsiisoBackend, osiiso_backend, G_TYPE_OBJECT)

static OsiisoBackendCapabilities
osiiso_backend_real_get_capabilities (OsiisoBackend *self)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS;
}

static guint
osiiso_backend_real_get_default_workers (OsiisoBackend *self)
{
  return CLAMP (g_get_num_processors () * 4, 4, 32);
}

static void
osiiso_backend_finalize (GObject *object)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (OSIISO_BACKEND (object));

  g_clear_pointer (&priv->scheduler, osiiso_scheduler_unref);
  pthread_mutex_destroy (&priv->lock);

  G_OBJECT_CLASS (osiiso_backend_parent_class)->finalize (object);
}

static void
osiiso_backend_class_init (OsiisoBackendClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = osiiso_backend_finalize;

  klass->get_capabilities = osiiso_backend_real_get_capabilities;
  klass->get_default_workers = osiiso_backend_real_get_default_workers;
}

static void
osiiso_backend_init (OsiisoBackend *self)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (self);

  pthread_mutex_init (&priv->lock, NULL);
}

static OsiisoScheduler *
dup_scheduler (OsiisoBackend *self)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (self);
  OsiisoScheduler *scheduler = NULL;

  pthread_mutex_lock (&priv->lock);
  if (priv->scheduler != NULL)
    scheduler = osiiso_scheduler_ref (priv->scheduler);
  pthread_mutex_unlock (&priv->lock);
  return scheduler;
}

gboolean
osiiso_backend_bind (OsiisoBackend   *self,
                     OsiisoScheduler *scheduler,
                     GError         **error)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (self);
  gboolean free;

  pthread_mutex_lock (&priv->lock);
  free = priv->scheduler == NULL;
  if (free)
    priv->scheduler = osiiso_scheduler_ref (scheduler);
  pthread_mutex_unlock (&priv->lock);

  if (!free)
    g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY,
                 "this %s belongs to another queue", G_OBJECT_TYPE_NAME (self));
  return free;
}

void
osiiso_backend_unbind (OsiisoBackend   *self,
                       OsiisoScheduler *scheduler)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (self);
  OsiisoScheduler *old = NULL;

  pthread_mutex_lock (&priv->lock);
  if (priv->scheduler == scheduler)
    old = g_steal_pointer (&priv->scheduler);
  pthread_mutex_unlock (&priv->lock);
  g_clear_pointer (&old, osiiso_scheduler_unref);
}

gboolean
osiiso_backend_open (OsiisoBackend *self,
                     GError       **error)
{
  GError *local_error = NULL;

  if (OSIISO_BACKEND_GET_CLASS (self)->open == NULL)
    return TRUE;
  if (OSIISO_BACKEND_GET_CLASS (self)->open (self, &local_error))
    {
      g_clear_error (&local_error);
      return TRUE;
    }
  /* Other languages may fail without saying why. */
  if (local_error == NULL)
    local_error = g_error_new (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                               "%s could not be opened", G_OBJECT_TYPE_NAME (self));
  g_propagate_error (error, local_error);
  return FALSE;
}

guint
osiiso_backend_resolve_workers (OsiisoBackend *self,
                                guint          workers)
{
  if (workers == 0)
    workers = OSIISO_BACKEND_GET_CLASS (self)->get_default_workers (self);
  return MAX (workers, 1);
}

gboolean
osiiso_backend_set_workers (OsiisoBackend *self,
                            guint          workers)
{
  OsiisoBackendPrivate *priv = osiiso_backend_get_instance_private (self);
  gboolean changed;

  pthread_mutex_lock (&priv->lock);
  changed = priv->workers != workers;
  priv->workers = workers;
  pthread_mutex_unlock (&priv->lock);
  return changed;
}

void
osiiso_backend_tell_workers (OsiisoBackend *self)
{
  if (OSIISO_BACKEND_GET_CLASS (self)->workers_changed != NULL)
    OSIISO_BACKEND_GET_CLASS (self)->workers_changed (self);
}

/**
 * osiiso_backend_get_capabilities:
 * @self: a backend
 *
 * Asks what the backend can do. Any thread.
 *
 * Returns: the capabilities
 *
 * Since: 1.0
 */
OsiisoBackendCapabilities
osiiso_backend_get_capabilities (OsiisoBackend *self)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), OSIISO_BACKEND_CAPABILITIES_NONE);

  return OSIISO_BACKEND_GET_CLASS (self)->get_capabilities (self);
}

/**
 * osiiso_backend_get_workers:
 * @self: a backend
 *
 * Asks how many attempts the queue hands out at a time: what its
 * [property@Osiiso.Queue:workers] says, or the default of the backend. Any
 * thread.
 *
 * Returns: the number, at least 1
 *
 * Since: 1.0
 */
guint
osiiso_backend_get_workers (OsiisoBackend *self)
{
  OsiisoBackendPrivate *priv;
  guint workers;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), 1);

  priv = osiiso_backend_get_instance_private (self);
  pthread_mutex_lock (&priv->lock);
  workers = priv->workers;
  pthread_mutex_unlock (&priv->lock);
  return osiiso_backend_resolve_workers (self, workers);
}

/**
 * osiiso_backend_get_context:
 * @self: a backend
 *
 * Gets the context that owns the queue, for backends that attach sources to it.
 * Any thread.
 *
 * Returns: (transfer none) (nullable): the context; %NULL without a queue
 *
 * Since: 1.0
 */
GMainContext *
osiiso_backend_get_context (OsiisoBackend *self)
{
  OsiisoBackendPrivate *priv;
  GMainContext *context = NULL;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);

  priv = osiiso_backend_get_instance_private (self);
  pthread_mutex_lock (&priv->lock);
  if (priv->scheduler != NULL)
    context = priv->scheduler->outbox.context;
  pthread_mutex_unlock (&priv->lock);
  return context;
}

typedef enum
{
  TAKE_NOW,
  TAKE_WAIT,
  TAKE_AHEAD,
} Take;

static OsiisoAttempt *
take (OsiisoBackend *self,
      Take           how)
{
  OsiisoScheduler *scheduler = dup_scheduler (self);
  OsiisoAttempt *attempt;

  if (scheduler == NULL)
    return NULL;
  /* Handlers of what ended before may wait for all work, so no attempt may have
   * begun meanwhile that waits for them. */
  if (how != TAKE_WAIT && (scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES))
    osiiso_outbox_drain (&scheduler->outbox);
  if (how == TAKE_AHEAD)
    attempt = osiiso_scheduler_take_ahead (scheduler);
  else
    attempt = osiiso_scheduler_take (scheduler, how == TAKE_WAIT);
  osiiso_scheduler_unref (scheduler);
  return attempt;
}

/**
 * osiiso_backend_take:
 * @self: a backend
 *
 * Takes the next attempt that may run now: of the runnable tasks the one with
 * the lowest priority number, and of these the one that was submitted first.
 *
 * After %NULL, be it because there is nothing, because the queue is paused or
 * because as many attempts are under way as the queue has workers,
 * [vfunc@Osiiso.Backend.wake] is called when it is worth asking again. As long as
 * attempts are returned it is not called, so the caller has to go on asking.
 *
 * Any thread.
 *
 * Returns: (transfer full) (nullable): an attempt, which is running from now on
 *
 * Since: 1.0
 */
OsiisoAttempt *
osiiso_backend_take (OsiisoBackend *self)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);

  return take (self, TAKE_NOW);
}

/**
 * osiiso_backend_take_wait:
 * @self: a backend
 *
 * Takes the next attempt like [method@Osiiso.Backend.take], and blocks until
 * there is one.
 *
 * Any thread that belongs to the backend; never the one that owns the queue.
 *
 * Returns: (transfer full) (nullable): an attempt; %NULL when the backend is to
 *   close, and the thread with it
 *
 * Since: 1.0
 */
OsiisoAttempt *
osiiso_backend_take_wait (OsiisoBackend *self)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);

  return take (self, TAKE_WAIT);
}

/**
 * osiiso_backend_take_ahead:
 * @self: a backend
 *
 * Reserves the next attempt like [method@Osiiso.Backend.take], also when as many
 * are under way as the queue has workers.
 *
 * For backends whose workers are slow to be reached, and which hand them the next
 * attempt before they are done with the one before. How many they reserve is their
 * matter; the fewer, the less a slow task holds up those behind it. Nothing of an
 * attempt that was reserved shows: its task waits, as one more that is pending, no
 * signal is emitted, and its timeout does not run. What follows is one of these:
 *
 * - [method@Osiiso.Attempt.begin] when it really begins, then a report;
 * - [method@Osiiso.Attempt.give_back] when it has not happened;
 * - [vfunc@Osiiso.Backend.interrupt] when its task was cancelled, also by a forced
 *   shutdown, or its deadline has come. That ends it like one that runs.
 *
 * Priorities, pauses and the rate limit are looked at now and not when it begins: a
 * queue that is paused afterwards does not hold it back, and it has used up a start
 * of the rate even if it is given back. The number of workers does not hold it back
 * either when it begins; [method@Osiiso.Backend.take] counts what has begun and does
 * not return more as long as that is too many.
 *
 * After %NULL [vfunc@Osiiso.Backend.wake] is called when it is worth asking again,
 * also when only this call would return something. A backend that has no use for
 * another one need not ask until %NULL comes.
 *
 * Not for backends that run functions of this process in a few threads: a function
 * may wait for another task, which would never begin behind it.
 *
 * Any thread.
 *
 * Returns: (transfer full) (nullable): an attempt, which is reserved
 *
 * Since: 1.0
 */
OsiisoAttempt *
osiiso_backend_take_ahead (OsiisoBackend *self)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);

  return take (self, TAKE_AHEAD);
}

static void
drop_scheduler (void *scheduler)
{
  osiiso_scheduler_unref (scheduler);
}

/**
 * osiiso_backend_init_worker:
 * @self: a backend
 *
 * Calls what the queue has to do in a thread before tasks run there, see
 * [method@Osiiso.Queue.set_initializer], in this thread and now.
 *
 * A backend with worker threads calls it once in each of them, before the thread
 * takes its first attempt; one that runs tasks in a thread of the program does so
 * there, after each time that it was opened. Not from within
 * [vfunc@Osiiso.Backend.open].
 *
 * A thread for which it returns %FALSE has to end. The initializer has failed, here
 * or in another thread, or the backend is to close. When the queue is started the
 * next time [vfunc@Osiiso.Backend.workers_changed] is called, for others to take the
 * place of those that left; a thread that leaves after that has to be replaced at
 * once. A backend without threads of its own tries again when it is woken.
 *
 * When the initializer ends the thread, as with `pthread_exit()`, it has failed and the
 * call does not return; a cleanup handler may count the thread out, as if it had
 * returned %FALSE.
 *
 * Any thread that belongs to the backend.
 *
 * Returns: %TRUE if this thread may take attempts
 *
 * Since: 1.0
 */
gboolean
osiiso_backend_init_worker (OsiisoBackend *self)
{
  OsiisoScheduler *scheduler;
  gboolean ok;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), FALSE);

  scheduler = dup_scheduler (self);
  if (scheduler == NULL)
    return FALSE;
  pthread_cleanup_push (drop_scheduler, scheduler);
  ok = osiiso_scheduler_init_worker (scheduler);
  pthread_cleanup_pop (TRUE);
  return ok;
}

/**
 * osiiso_backend_serve:
 * @self: a backend
 *
 * Takes attempts and runs their functions in this thread, one after the other,
 * and waits when there are none.
 *
 * This is what a backend with threads calls in each of them, with as many threads
 * as [method@Osiiso.Backend.get_workers] says. It costs less than
 * [method@Osiiso.Backend.take_wait] with [method@Osiiso.Attempt.run]. An attempt
 * that is interrupted while its function runs keeps its thread until the function
 * returns; [method@Osiiso.Attempt.is_stuck] says so in the interrupt slot, which
 * may then start another thread.
 *
 * When a function ends the thread, as with `pthread_exit()`, the call does not return.
 * The interrupt slot has been called then for an attempt that is stuck, as far as it
 * had not before, and a cleanup handler may count the thread out, like one for which
 * the call has returned %OSIISO_SERVE_END_INTERRUPTED.
 *
 * Any thread, for as long as the call lasts.
 *
 * Returns: why it ended
 *
 * Since: 1.0
 */
OsiisoServeEnd
osiiso_backend_serve (OsiisoBackend *self)
{
  OsiisoScheduler *scheduler;
  OsiisoServeEnd end;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), OSIISO_SERVE_END_CLOSED);

  scheduler = dup_scheduler (self);
  if (scheduler == NULL)
    return OSIISO_SERVE_END_CLOSED;
  pthread_cleanup_push (drop_scheduler, scheduler);
  end = osiiso_scheduler_serve (scheduler);
  pthread_cleanup_pop (TRUE);
  return end;
}

/**
 * osiiso_backend_serve_for:
 * @self: a backend
 * @seconds: for how long; after that no other function is entered
 *
 * Takes attempts and runs their functions in this thread, one after the other,
 * until there are none or the time is over.
 *
 * This is what a backend calls that shares its thread with others, when it was
 * woken. At least one function is called if there is one to be called.
 *
 * Any thread.
 *
 * Returns: %TRUE when the time was over and there may be more, %FALSE when there
 *   was nothing left to take
 *
 * Since: 1.0
 */
gboolean
osiiso_backend_serve_for (OsiisoBackend *self,
                          double         seconds)
{
  OsiisoScheduler *scheduler;
  gboolean more;

  g_return_val_if_fail (OSIISO_IS_BACKEND (self), FALSE);
  g_return_val_if_fail (seconds >= 0, FALSE);

  scheduler = dup_scheduler (self);
  if (scheduler == NULL)
    return FALSE;
  more = osiiso_scheduler_serve_for (scheduler, osiiso_clock_from_seconds (seconds));
  osiiso_scheduler_unref (scheduler);
  return more;
}

/**
 * osiiso_backend_closed:
 * @self: a backend
 *
 * Tells the queue that everything is over that [vfunc@Osiiso.Backend.close] had
 * to see to.
 *
 * Any thread, once after each call of `close`.
 *
 * Since: 1.0
 */
void
osiiso_backend_closed (OsiisoBackend *self)
{
  OsiisoScheduler *scheduler;

  g_return_if_fail (OSIISO_IS_BACKEND (self));

  scheduler = dup_scheduler (self);
  if (scheduler == NULL)
    return;
  osiiso_scheduler_backend_closed (scheduler);
  osiiso_scheduler_unref (scheduler);
}
