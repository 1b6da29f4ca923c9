/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <stdatomic.h>

#include "osiiso-backend-private.h"
#include "osiiso-enum-types.h"
#include "osiiso-error.h"
#include "osiiso-handle.h"
#include "osiiso-initializer-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-signal-flag-private.h"
#include "osiiso-task-list-private.h"
#include "osiiso-token-private.h"

/**
 * OsiisoQueue:
 *
 * A queue of tasks.
 *
 * A program submits functions and gets handles; the queue decides when each of
 * them runs, by priority, delay, retries and limits, and a backend decides where:
 * `main-loop` in the main context of the program, `thread-pool` in threads.
 *
 * ```c
 * g_autoptr (OsiisoQueue) queue = osiiso_queue_new ("thread-pool", &error);
 * g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (queue, work, data, g_free, NULL, &error);
 * g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (queue, NULL, &error);
 * ```
 *
 * ## Life of a queue
 *
 * Tasks may be submitted at once. They begin to run when the queue is started, by
 * [method@Osiiso.Queue.start] or by any call that waits for work, like
 * [method@Osiiso.Queue.run], which ends when no work is left and sums up what
 * happened. Then the queue rests: what is submitted waits for the next start or
 * run. [method@Osiiso.Queue.shutdown] ends the queue; [method@Osiiso.Queue.reset]
 * makes it new.
 *
 * A queue that has been started keeps itself alive while it has work, and until the
 * ends of that have been told. One that was never started and is dropped cancels its
 * tasks, and so does any that [method@GObject.Object.run_dispose] is called for.
 *
 * ## Threads and contexts
 *
 * A queue belongs to the main context that was the thread-default one when it was
 * made. Every signal, every notification, every callback and every release of
 * user data happens there. Only the task functions themselves run where the
 * backend says. Nothing that decides what runs needs that context: a program
 * that does not iterate it for a while loses nothing, it only hears of it later.
 *
 * Tasks may be submitted, looked at and cancelled from any thread. Properties are
 * set in the thread that iterates the context.
 *
 * Since: 1.0
 */

/*
 * Everything that other threads look at is in the scheduler. The fields here
 * belong to the owner's thread.
 */
typedef struct
{
  OsiisoScheduler    *scheduler;     /* (owned) */
  OsiisoBackend      *backend;       /* (nullable) (owned) */
  char               *backend_name;  /* (nullable) (owned), until constructed */
  OsiisoQueueSettings settings;
  /* (nullable) (owned), once somebody asked for it. Whoever disposes of the queue takes
   * it, perhaps in another thread than the owner's, and it is let go in the owner's. */
  _Atomic (OsiisoTaskList *) tasks;
  gboolean            closed_notified; /* as it was told last */
} OsiisoQueuePrivate;

G_DEFINE_TYPE_WITH_PRIVATE (OsiisoQueue, osiiso_queue, G_TYPE_OBJECT)

typedef enum
{
  PROP_BACKEND = 1,
  PROP_BACKEND_NAME,
  PROP_NAME,
  PROP_WORKERS,
  PROP_SIZE,
  PROP_TIMEOUT,
  PROP_SHUTDOWN_TIMEOUT,
  PROP_RATE,
  PROP_BURST,
  PROP_MODE,
  PROP_FAIL_POLICY,
  PROP_ON_TIMEOUT,
  PROP_KEEP_RESULTS,
  PROP_PAUSED,
  PROP_CLOSED,
  PROP_ACTIVE_COUNT,
  PROP_PENDING_COUNT,
  PROP_SCHEDULED_COUNT,
  PROP_COMPLETED_COUNT,
} OsiisoQueueProperty;

static GParamSpec *props[PROP_COMPLETED_COUNT + 1];

typedef enum
{
  SIGNAL_ON_START,
  SIGNAL_ON_COMPLETE,
  SIGNAL_ON_RETRY,
} OsiisoQueueSignal;

static guint signals[SIGNAL_ON_RETRY + 1];

OsiisoScheduler *
osiiso_queue_get_scheduler (OsiisoQueue *self)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  return priv->scheduler;
}

OsiisoQueueSettings *
osiiso_queue_get_settings (OsiisoQueue *self)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  return &priv->settings;
}

gboolean
osiiso_queue_check_backend (OsiisoQueue *self,
                            GError     **error)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  if (priv->scheduler->backend_error == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (priv->scheduler->backend_error));
  return FALSE;
}

/* A subclass handles a signal. */
static gboolean
has_slots (OsiisoQueue *self)
{
  OsiisoQueueClass *klass = OSIISO_QUEUE_GET_CLASS (self);

  return klass->on_start != NULL || klass->on_complete != NULL || klass->on_retry != NULL;
}

gboolean
osiiso_queue_listens (OsiisoQueue    *self,
                      OsiisoEventKind kind)
{
  OsiisoQueueClass *klass = OSIISO_QUEUE_GET_CLASS (self);
  OsiisoSignalFlag flag;

  osiiso_signal_flag_init (&flag, (GObject *) self);
  if (!osiiso_signal_flag_get (&flag) && !has_slots (self))
    return FALSE;

  switch (kind)
    {
    case OSIISO_EVENT_START:
      return klass->on_start != NULL || g_signal_has_handler_pending (self, signals[SIGNAL_ON_START], 0, TRUE);
    case OSIISO_EVENT_COMPLETE:
      return klass->on_complete != NULL || g_signal_has_handler_pending (self, signals[SIGNAL_ON_COMPLETE], 0, TRUE);
    case OSIISO_EVENT_RETRY:
      return klass->on_retry != NULL || g_signal_has_handler_pending (self, signals[SIGNAL_ON_RETRY], 0, TRUE);
    case OSIISO_EVENT_WAIT:
    case OSIISO_EVENT_PROGRESS:
    case OSIISO_EVENT_DESTROY:
    case OSIISO_EVENT_RETURN:
    case OSIISO_EVENT_MEMBERS:
    case OSIISO_EVENT_END:
    case OSIISO_EVENT_SETTLE:
    default:
      return FALSE;
    }
}

void
osiiso_queue_emit (OsiisoQueue    *self,
                   OsiisoEventKind kind,
                   OsiisoHandle   *handle,
                   const GError   *error)
{
  if (kind == OSIISO_EVENT_START)
    g_signal_emit (self, signals[SIGNAL_ON_START], 0, handle);
  else if (kind == OSIISO_EVENT_COMPLETE)
    g_signal_emit (self, signals[SIGNAL_ON_COMPLETE], 0, handle);
  else if (kind == OSIISO_EVENT_RETRY)
    g_signal_emit (self, signals[SIGNAL_ON_RETRY], 0, handle, error);
}

void
osiiso_queue_notify_closed (OsiisoQueue *self,
                            gboolean     closed)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  if (priv->closed_notified == closed)
    return;
  priv->closed_notified = closed;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CLOSED]);
}

void
osiiso_queue_update_tasks (OsiisoQueue *self,
                           GArray      *changes)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);
  OsiisoTaskList *tasks = atomic_load (&priv->tasks);

  if (tasks != NULL)
    osiiso_task_list_update (tasks, changes);
  else
    g_array_unref (changes);
}

static void
osiiso_queue_get_property (GObject    *object,
                           guint       property_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  OsiisoQueue *self = OSIISO_QUEUE (object);
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  switch ((OsiisoQueueProperty) property_id)
    {
    case PROP_BACKEND:
      g_value_set_object (value, priv->backend);
      break;
    case PROP_NAME:
      g_value_take_string (value, osiiso_queue_dup_name (self));
      break;
    case PROP_WORKERS:
      g_value_set_uint (value, priv->settings.workers);
      break;
    case PROP_SIZE:
      g_value_set_uint (value, osiiso_queue_get_size (self));
      break;
    case PROP_TIMEOUT:
      g_value_set_double (value, priv->settings.timeout);
      break;
    case PROP_SHUTDOWN_TIMEOUT:
      g_value_set_double (value, osiiso_queue_get_shutdown_timeout (self));
      break;
    case PROP_RATE:
      g_value_set_double (value, osiiso_queue_get_rate (self));
      break;
    case PROP_BURST:
      g_value_set_uint (value, osiiso_queue_get_burst (self));
      break;
    case PROP_MODE:
      g_value_set_enum (value, priv->settings.mode);
      break;
    case PROP_FAIL_POLICY:
      g_value_set_enum (value, osiiso_queue_get_fail_policy (self));
      break;
    case PROP_ON_TIMEOUT:
      g_value_set_enum (value, priv->settings.on_timeout);
      break;
    case PROP_KEEP_RESULTS:
      g_value_set_boolean (value, osiiso_queue_get_keep_results (self));
      break;
    case PROP_PAUSED:
      g_value_set_boolean (value, osiiso_queue_get_paused (self));
      break;
    case PROP_CLOSED:
      g_value_set_boolean (value, osiiso_queue_get_closed (self));
      break;
    case PROP_ACTIVE_COUNT:
      g_value_set_uint64 (value, osiiso_queue_get_active_count (self));
      break;
    case PROP_PENDING_COUNT:
      g_value_set_uint64 (value, osiiso_queue_get_pending_count (self));
      break;
    case PROP_SCHEDULED_COUNT:
      g_value_set_uint64 (value, osiiso_queue_get_scheduled_count (self));
      break;
    case PROP_COMPLETED_COUNT:
      g_value_set_uint64 (value, osiiso_queue_get_completed_count (self));
      break;
    case PROP_BACKEND_NAME: /* write-only */
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_queue_set_property (GObject      *object,
                           guint         property_id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  OsiisoQueue *self = OSIISO_QUEUE (object);
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  switch ((OsiisoQueueProperty) property_id)
    {
    case PROP_BACKEND:
      priv->backend = g_value_dup_object (value);
      break;
    case PROP_BACKEND_NAME:
      priv->backend_name = g_value_dup_string (value);
      break;
    case PROP_NAME:
      osiiso_queue_set_name (self, g_value_get_string (value));
      break;
    case PROP_WORKERS:
      osiiso_queue_set_workers (self, g_value_get_uint (value));
      break;
    case PROP_SIZE:
      osiiso_queue_set_size (self, g_value_get_uint (value));
      break;
    case PROP_TIMEOUT:
      osiiso_queue_set_timeout (self, g_value_get_double (value));
      break;
    case PROP_SHUTDOWN_TIMEOUT:
      osiiso_queue_set_shutdown_timeout (self, g_value_get_double (value));
      break;
    case PROP_RATE:
      osiiso_queue_set_rate (self, g_value_get_double (value));
      break;
    case PROP_BURST:
      osiiso_queue_set_burst (self, g_value_get_uint (value));
      break;
    case PROP_MODE:
      osiiso_queue_set_mode (self, g_value_get_enum (value));
      break;
    case PROP_FAIL_POLICY:
      osiiso_queue_set_fail_policy (self, g_value_get_enum (value));
      break;
    case PROP_ON_TIMEOUT:
      osiiso_queue_set_on_timeout (self, g_value_get_enum (value));
      break;
    case PROP_KEEP_RESULTS:
      osiiso_queue_set_keep_results (self, g_value_get_boolean (value));
      break;
    case PROP_PAUSED:
      if (g_value_get_boolean (value))
        osiiso_queue_pause (self);
      else
        osiiso_queue_resume (self);
      break;
    case PROP_CLOSED: /* read-only, all of these */
    case PROP_ACTIVE_COUNT:
    case PROP_PENDING_COUNT:
    case PROP_SCHEDULED_COUNT:
    case PROP_COMPLETED_COUNT:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_queue_constructed (GObject *object)
{
  OsiisoQueue *self = OSIISO_QUEUE (object);
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  G_OBJECT_CLASS (osiiso_queue_parent_class)->constructed (object);

  osiiso_scheduler_set_listener (priv->scheduler, self, has_slots (self));
  if (priv->backend == NULL)
    priv->backend = osiiso_backend_create (priv->backend_name, &priv->scheduler->backend_error);
  if (priv->backend != NULL && !osiiso_backend_bind (priv->backend, priv->scheduler, &priv->scheduler->backend_error))
    g_clear_object (&priv->backend);
  if (priv->backend != NULL)
    {
      osiiso_scheduler_set_workers (priv->scheduler, priv->backend, priv->settings.workers);
      osiiso_scheduler_set_backend (priv->scheduler, priv->backend);
    }
}

static void
osiiso_queue_dispose (GObject *object)
{
  OsiisoQueue *self = OSIISO_QUEUE (object);
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);
  OsiisoTaskList *tasks;

  osiiso_outbox_detach (&priv->scheduler->outbox);
  osiiso_scheduler_set_listener (priv->scheduler, NULL, FALSE);
  atomic_store (&priv->scheduler->keep_results, FALSE);

  if (priv->backend != NULL)
    {
      osiiso_scheduler_shutdown (priv->scheduler, TRUE, 0);
      osiiso_scheduler_set_backend (priv->scheduler, NULL);
      g_clear_object (&priv->backend);
    }
  tasks = atomic_exchange (&priv->tasks, NULL);
  if (tasks != NULL)
    osiiso_task_list_close (tasks);
  osiiso_runner_close (priv->scheduler);
  osiiso_scheduler_drop_initializer (priv->scheduler);
  osiiso_scheduler_clear_results (priv->scheduler);
  /* Nobody may iterate the context again. */
  osiiso_outbox_release_events (&priv->scheduler->outbox);

  G_OBJECT_CLASS (osiiso_queue_parent_class)->dispose (object);
}

static void
osiiso_queue_finalize (GObject *object)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (OSIISO_QUEUE (object));

  g_free (priv->backend_name);
  osiiso_scheduler_unref (priv->scheduler);

  G_OBJECT_CLASS (osiiso_queue_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  /* A number that makes no sense is stored and refused with an error where it would
   * count, which every language sees; a setter has none. Lax validation lets a NaN
   * through, which would only be warned of, and leave a run without a limit. */
  const GParamFlags writable = readable | G_PARAM_WRITABLE;

  /**
   * OsiisoQueue:backend: (getter get_backend)
   *
   * Where the tasks run; %NULL if the one that was asked for could not be had.
   *
   * Since: 1.0
   */
  props[PROP_BACKEND] = g_param_spec_object ("backend", NULL, NULL, OSIISO_TYPE_BACKEND,
                                             writable | G_PARAM_CONSTRUCT_ONLY);

  /**
   * OsiisoQueue:backend-name:
   *
   * The name of the backend to make when [property@Osiiso.Queue:backend] is not
   * given; %NULL for the default.
   *
   * When it cannot be had, starting the queue and submitting to it fail with the
   * error of [func@Osiiso.Backend.create].
   *
   * Since: 1.0
   */
  props[PROP_BACKEND_NAME] = g_param_spec_string ("backend-name", NULL, NULL, NULL,
                                                  G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY |
                                                  G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);

  /**
   * OsiisoQueue:name: (getter dup_name) (setter set_name)
   *
   * What people know the queue by, in logs and profiles; see
   * [func@Osiiso.log_install_writer]. It need not be the only one of that name.
   *
   * Since: 1.0
   */
  props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, writable);

  /**
   * OsiisoQueue:workers: (getter get_workers) (setter set_workers)
   *
   * How many tasks run at a time; 0 leaves it to the backend.
   *
   * Since: 1.0
   */
  props[PROP_WORKERS] = g_param_spec_uint ("workers", NULL, NULL, 0, 65536, 0, writable | G_PARAM_CONSTRUCT);

  /**
   * OsiisoQueue:size: (getter get_size) (setter set_size)
   *
   * How many tasks may be outstanding, running ones, delayed ones and detached
   * ones included; 0 for any number.
   *
   * On a full queue [method@Osiiso.Queue.submit] blocks until there is room,
   * [method@Osiiso.Queue.submit_async] waits for it, and
   * [method@Osiiso.Queue.try_submit] fails. Whoever waits gets room in the order
   * of arrival.
   *
   * Since: 1.0
   */
  props[PROP_SIZE] = g_param_spec_uint ("size", NULL, NULL, 0, G_MAXUINT, 0, writable);

  /**
   * OsiisoQueue:timeout: (getter get_timeout) (setter set_timeout)
   *
   * How long a run may take, in seconds; 0 for as long as it takes. A run with
   * a negative or infinite value, or one that is not a number, fails.
   *
   * Since: 1.0
   */
  props[PROP_TIMEOUT] = g_param_spec_double ("timeout", NULL, NULL, -HUGE_VAL, HUGE_VAL, 0,
                                             writable | G_PARAM_LAX_VALIDATION);

  /**
   * OsiisoQueue:shutdown-timeout: (getter get_shutdown_timeout) (setter set_shutdown_timeout)
   *
   * How long a shutdown may let work go on, in seconds, counted from the call; 0 for
   * as long as it takes.
   *
   * Then it becomes a forced one: what has not ended is cancelled, must-complete or
   * not. It counts for shutdowns that begin afterwards. A shutdown with a negative
   * or infinite value, or one that is not a number, fails.
   *
   * Since: 1.0
   */
  props[PROP_SHUTDOWN_TIMEOUT] = g_param_spec_double ("shutdown-timeout", NULL, NULL, -HUGE_VAL, HUGE_VAL, 0,
                                                      writable | G_PARAM_LAX_VALIDATION);

  /**
   * OsiisoQueue:rate: (getter get_rate) (setter set_rate)
   *
   * How many attempts may begin per second, over all tasks of the queue; 0 for any
   * number.
   *
   * In any window of *t* seconds no more than [property@Osiiso.Queue:burst] + rate
   * * *t* attempts begin, retries included. A task that has to wait stays pending,
   * holds no worker and has no claim to a turn: when an attempt may begin, it is
   * that of the task which is first by then. A queue with a negative or infinite
   * rate, or one that is not a number, cannot be started; one that works already
   * goes on with the rate of before.
   *
   * Since: 1.0
   */
  props[PROP_RATE] = g_param_spec_double ("rate", NULL, NULL, -HUGE_VAL, HUGE_VAL, 0,
                                          writable | G_PARAM_LAX_VALIDATION);

  /**
   * OsiisoQueue:burst: (getter get_burst) (setter set_burst)
   *
   * How many attempts may begin at once after a pause, with a
   * [property@Osiiso.Queue:rate]; at least 1. A queue with a burst of 0 cannot be
   * started.
   *
   * Since: 1.0
   */
  props[PROP_BURST] = g_param_spec_uint ("burst", NULL, NULL, 0, G_MAXUINT, 1, writable);

  /**
   * OsiisoQueue:mode: (getter get_mode) (setter set_mode)
   *
   * When a run ends. It counts when the run begins.
   *
   * Since: 1.0
   */
  props[PROP_MODE] = g_param_spec_enum ("mode", NULL, NULL, OSIISO_TYPE_MODE, OSIISO_MODE_FINITE, writable);

  /**
   * OsiisoQueue:fail-policy: (getter get_fail_policy) (setter set_fail_policy)
   *
   * What the failure of one task means for the rest.
   *
   * Since: 1.0
   */
  props[PROP_FAIL_POLICY] = g_param_spec_enum ("fail-policy", NULL, NULL, OSIISO_TYPE_FAIL_POLICY,
                                               OSIISO_FAIL_POLICY_CONTINUE, writable);

  /**
   * OsiisoQueue:on-timeout: (getter get_on_timeout) (setter set_on_timeout)
   *
   * What happens to unfinished tasks when the time of a run is over. It counts
   * when the run begins.
   *
   * Since: 1.0
   */
  props[PROP_ON_TIMEOUT] = g_param_spec_enum ("on-timeout", NULL, NULL, OSIISO_TYPE_TIMEOUT_POLICY,
                                              OSIISO_TIMEOUT_POLICY_COMPLETE, writable);

  /**
   * OsiisoQueue:keep-results: (getter get_keep_results) (setter set_keep_results)
   *
   * Whether results are kept for summaries. Without it tasks are only counted,
   * so a queue that runs for weeks does not grow.
   *
   * Since: 1.0
   */
  props[PROP_KEEP_RESULTS] = g_param_spec_boolean ("keep-results", NULL, NULL, TRUE, writable);

  /**
   * OsiisoQueue:paused: (getter get_paused)
   *
   * Whether no task begins for the time being. To set it is to call
   * [method@Osiiso.Queue.pause] or [method@Osiiso.Queue.resume], so that a button
   * can be bound to it.
   *
   * Since: 1.0
   */
  props[PROP_PAUSED] = g_param_spec_boolean ("paused", NULL, NULL, FALSE, writable);

  /**
   * OsiisoQueue:closed: (getter get_closed)
   *
   * Whether the queue has been shut down, with all work over.
   *
   * Since: 1.0
   */
  props[PROP_CLOSED] = g_param_spec_boolean ("closed", NULL, NULL, FALSE, readable);

  /**
   * OsiisoQueue:active-count: (getter get_active_count)
   *
   * How many attempts are running. The counts are not notified.
   *
   * Since: 1.0
   */
  props[PROP_ACTIVE_COUNT] = g_param_spec_uint64 ("active-count", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  /**
   * OsiisoQueue:pending-count: (getter get_pending_count)
   *
   * How many tasks wait, those that wait for a delay or a retry included.
   *
   * Since: 1.0
   */
  props[PROP_PENDING_COUNT] = g_param_spec_uint64 ("pending-count", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  /**
   * OsiisoQueue:scheduled-count: (getter get_scheduled_count)
   *
   * How many tasks wait for a delay or a retry.
   *
   * Since: 1.0
   */
  props[PROP_SCHEDULED_COUNT] = g_param_spec_uint64 ("scheduled-count", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  /**
   * OsiisoQueue:completed-count: (getter get_completed_count)
   *
   * How many tasks have finished, however they finished.
   *
   * Since: 1.0
   */
  props[PROP_COMPLETED_COUNT] = g_param_spec_uint64 ("completed-count", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_queue_class_init (OsiisoQueueClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = osiiso_queue_get_property;
  object_class->set_property = osiiso_queue_set_property;
  object_class->constructed = osiiso_queue_constructed;
  object_class->dispose = osiiso_queue_dispose;
  object_class->finalize = osiiso_queue_finalize;

  install_properties (object_class);

  /**
   * OsiisoQueue::on-start:
   * @self: the queue
   * @handle: the task
   *
   * An attempt at a task has begun.
   *
   * Emitted for each attempt, in the context that owns the queue. On `main-loop`
   * that is before the function is called.
   *
   * Since: 1.0
   */
  signals[SIGNAL_ON_START] =
    g_signal_new ("on-start", OSIISO_TYPE_QUEUE, G_SIGNAL_RUN_LAST,
                  G_STRUCT_OFFSET (OsiisoQueueClass, on_start), NULL, NULL, NULL,
                  G_TYPE_NONE, 1, OSIISO_TYPE_HANDLE);

  /**
   * OsiisoQueue::on-complete:
   * @self: the queue
   * @handle: the task
   *
   * A task has finished: succeeded, failed or was cancelled.
   *
   * Emitted once for each task, in the context that owns the queue.
   *
   * Since: 1.0
   */
  signals[SIGNAL_ON_COMPLETE] =
    g_signal_new ("on-complete", OSIISO_TYPE_QUEUE, G_SIGNAL_RUN_LAST,
                  G_STRUCT_OFFSET (OsiisoQueueClass, on_complete), NULL, NULL, NULL,
                  G_TYPE_NONE, 1, OSIISO_TYPE_HANDLE);

  /**
   * OsiisoQueue::on-retry:
   * @self: the queue
   * @handle: the task
   * @error: why the attempt failed
   *
   * An attempt has failed and another one will be made.
   *
   * Emitted in the context that owns the queue.
   *
   * Since: 1.0
   */
  signals[SIGNAL_ON_RETRY] =
    g_signal_new ("on-retry", OSIISO_TYPE_QUEUE, G_SIGNAL_RUN_LAST,
                  G_STRUCT_OFFSET (OsiisoQueueClass, on_retry), NULL, NULL, NULL,
                  G_TYPE_NONE, 2, OSIISO_TYPE_HANDLE, G_TYPE_ERROR);
}

static void
osiiso_queue_init (OsiisoQueue *self)
{
  OsiisoQueuePrivate *priv = osiiso_queue_get_instance_private (self);

  priv->scheduler = osiiso_scheduler_new (self);
}

/**
 * osiiso_queue_new:
 * @backend: (nullable): the name of a backend, like `main-loop` or
 *   `thread-pool`; %NULL for the default
 * @error: return location for an error
 *
 * Makes a queue on a backend that is found by its name.
 *
 * The queue belongs to the thread-default main context of the caller. The default
 * backend is what the environment variable `OSIISO_BACKEND` says, or
 * `thread-pool`. Fails like [func@Osiiso.Backend.create].
 *
 * Returns: (transfer full): a new queue, which has not been started
 *
 * Since: 1.0
 */
OsiisoQueue *
osiiso_queue_new (const char *backend,
                  GError    **error)
{
  g_autoptr (OsiisoQueue) self = NULL;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", backend, NULL);
  return osiiso_queue_check_backend (self, error) ? g_steal_pointer (&self) : NULL;
}

/**
 * osiiso_queue_new_with_backend:
 * @backend: a backend that has no queue
 *
 * Makes a queue on a backend that the caller has made, and set up perhaps.
 *
 * The queue belongs to the thread-default main context of the caller. If
 * @backend belongs to another queue, starting this one and submitting to it fail
 * with %OSIISO_QUEUE_ERROR_BUSY.
 *
 * Returns: (transfer full): a new queue, which has not been started
 *
 * Since: 1.0
 */
OsiisoQueue *
osiiso_queue_new_with_backend (OsiisoBackend *backend)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (backend), NULL);

  return g_object_new (OSIISO_TYPE_QUEUE, "backend", backend, NULL);
}

/**
 * osiiso_queue_get_backend: (get-property backend)
 * @self: a queue
 *
 * Gets the backend.
 *
 * Returns: (transfer none) (nullable): the backend; %NULL if it could not be had
 *
 * Since: 1.0
 */
OsiisoBackend *
osiiso_queue_get_backend (OsiisoQueue *self)
{
  OsiisoQueuePrivate *priv;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  priv = osiiso_queue_get_instance_private (self);
  return priv->backend;
}

/**
 * osiiso_queue_get_context:
 * @self: a queue
 *
 * Gets the main context that the queue belongs to.
 *
 * Returns: (transfer none): the context
 *
 * Since: 1.0
 */
GMainContext *
osiiso_queue_get_context (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  return osiiso_queue_get_scheduler (self)->outbox.context;
}

/**
 * osiiso_queue_dup_name: (get-property name)
 * @self: a queue
 *
 * Gets what people know the queue by. Any thread.
 *
 * Returns: (transfer full) (nullable): the name; %NULL if it has none
 *
 * Since: 1.0
 */
char *
osiiso_queue_dup_name (OsiisoQueue *self)
{
  char *name;
  char *copy;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  name = osiiso_scheduler_acquire_name (osiiso_queue_get_scheduler (self));
  copy = g_strdup (name);
  g_clear_pointer (&name, g_ref_string_release);
  return copy;
}

/**
 * osiiso_queue_set_name: (set-property name)
 * @self: a queue
 * @name: (nullable): the name; %NULL for none
 *
 * Sets what people know the queue by.
 *
 * Since: 1.0
 */
void
osiiso_queue_set_name (OsiisoQueue *self,
                       const char  *name)
{
  g_return_if_fail (OSIISO_IS_QUEUE (self));

  if (osiiso_scheduler_set_name (osiiso_queue_get_scheduler (self), name))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_NAME]);
}

/**
 * osiiso_queue_get_tasks:
 * @self: a queue
 *
 * Gets a list of all tasks that have not finished, in the order of submission: those
 * that wait, for a delay or a retry as well, and those that run, detached ones
 * included.
 *
 * Its items are handles, which are made when somebody looks at them. It changes, and
 * emits [signal@Gio.ListModel::items-changed], only when the context that owns the
 * queue is iterated or a call iterates it, and then for all that has happened since at
 * once. So a task that is in the list may be over, which
 * [property@Osiiso.Handle:status] shows; its end is told of by
 * [signal@Osiiso.Queue::on-complete] before or after it leaves the list. One that
 * begins and ends in between is never in it.
 *
 * The list is made by the first call, and the queue keeps it then. From there on a
 * submission and an end cost more, and each task in the list takes some 150 bytes
 * besides its own; a queue that nobody asks for it pays nothing. When the queue is gone
 * the list is empty.
 *
 * In the thread that iterates the context which owns the queue.
 *
 * Returns: (transfer none): the list, of [class@Osiiso.Handle]; it is the same one in
 *   each call
 *
 * Since: 1.0
 */
GListModel *
osiiso_queue_get_tasks (OsiisoQueue *self)
{
  OsiisoQueuePrivate *priv;
  OsiisoTaskList *tasks;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  priv = osiiso_queue_get_instance_private (self);
  tasks = atomic_load (&priv->tasks);
  if (tasks == NULL)
    {
      tasks = osiiso_task_list_new (priv->scheduler);
      atomic_store (&priv->tasks, tasks);
    }
  return G_LIST_MODEL (tasks);
}
