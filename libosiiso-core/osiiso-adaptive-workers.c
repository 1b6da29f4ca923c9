/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-adaptive-workers.h"

#include "osiiso-queue.h"

/**
 * OsiisoAdaptiveWorkers:
 *
 * Makes a queue work less while the system has little power or memory.
 *
 * No queue does that by itself. With this object the number of workers is
 *
 * - [property@Osiiso.AdaptiveWorkers:most] ordinarily,
 * - half of that while the user saves power, as [iface@Gio.PowerProfileMonitor] tells,
 * - half of that too after a warning of [iface@Gio.MemoryMonitor] that memory gets low,
 *   a quarter after one that it is low, and one worker when it is critically low, until
 *   there was no such warning for [property@Osiiso.AdaptiveWorkers:calm] seconds.
 *
 * Both together make it less, and it is never less than one. Nothing that runs is
 * interrupted: workers that are too many go when their task is over.
 *
 * ```c
 * OsiisoAdaptiveWorkers *adaptive = osiiso_adaptive_workers_new (queue, g_get_num_processors ());
 * ```
 *
 * Keep the object as long as it shall do that; when it goes the queue gets all its
 * workers. Meanwhile [property@Osiiso.Queue:workers] is this object's to set. A system
 * without such services tells nothing, and the queue has all its workers.
 *
 * All of it belongs to the thread that iterates the context which owns the queue, which
 * must be the default context: the monitors tell their news there.
 *
 * Since: 1.0
 */

#define DEFAULT_CALM 60.0
#define MOST_WORKERS 65536

/* Nothing here is touched by another thread. */
struct _OsiisoAdaptiveWorkers
{
  GObject               parent_instance;

  OsiisoQueue          *queue;  /* (owned) */
  GMemoryMonitor       *memory; /* (nullable) (owned) */
  GPowerProfileMonitor *power;  /* (nullable) (owned) */
  guint                 most;
  double                calm;   /* seconds */
  guint                 part;   /* of the workers that memory is there for: 1 in so many; 0 for one worker */
  guint                 timer;  /* the source that ends a warning, or 0 */
  gboolean              ready;  /* constructed, and not disposed of */
};

G_DEFINE_FINAL_TYPE (OsiisoAdaptiveWorkers, osiiso_adaptive_workers, G_TYPE_OBJECT)

typedef enum
{
  PROP_QUEUE = 1,
  PROP_MOST,
  PROP_CALM,
  PROP_MEMORY_MONITOR,
  PROP_POWER_PROFILE_MONITOR,
} OsiisoAdaptiveWorkersProperty;

static GParamSpec *props[PROP_POWER_PROFILE_MONITOR + 1];

static void
update (OsiisoAdaptiveWorkers *self)
{
  guint workers = self->part > 0 ? self->most / self->part : 1;

  if (self->power != NULL && g_power_profile_monitor_get_power_saver_enabled (self->power))
    workers /= 2;
  osiiso_queue_set_workers (self->queue, MAX (workers, 1));
}

static gboolean
on_calm (gpointer user_data)
{
  OsiisoAdaptiveWorkers *self = user_data;

  self->timer = 0;
  self->part = 1;
  update (self);
  return G_SOURCE_REMOVE;
}

static guint
get_part (GMemoryMonitorWarningLevel level)
{
  if (level >= G_MEMORY_MONITOR_WARNING_LEVEL_CRITICAL)
    return 0;
  return level >= G_MEMORY_MONITOR_WARNING_LEVEL_MEDIUM ? 4 : 2;
}

static void
on_low_memory (GMemoryMonitor            *monitor,
               GMemoryMonitorWarningLevel level,
               OsiisoAdaptiveWorkers     *self)
{
  self->part = get_part (level);
  g_clear_handle_id (&self->timer, g_source_remove);
  self->timer = g_timeout_add ((guint) (self->calm * 1000), on_calm, self);
  update (self);
}

static void
osiiso_adaptive_workers_constructed (GObject *object)
{
  OsiisoAdaptiveWorkers *self = OSIISO_ADAPTIVE_WORKERS (object);

  G_OBJECT_CLASS (osiiso_adaptive_workers_parent_class)->constructed (object);

  g_return_if_fail (self->queue != NULL);

  if (self->memory == NULL)
    self->memory = g_memory_monitor_dup_default ();
  if (self->power == NULL)
    self->power = g_power_profile_monitor_dup_default ();
  if (self->memory != NULL)
    g_signal_connect (self->memory, "low-memory-warning", G_CALLBACK (on_low_memory), self);
  if (self->power != NULL)
    g_signal_connect_swapped (self->power, "notify::power-saver-enabled", G_CALLBACK (update), self);
  self->ready = TRUE;
  update (self);
}

static void
osiiso_adaptive_workers_dispose (GObject *object)
{
  OsiisoAdaptiveWorkers *self = OSIISO_ADAPTIVE_WORKERS (object);

  self->ready = FALSE;
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->memory != NULL)
    g_signal_handlers_disconnect_by_data (self->memory, self);
  if (self->power != NULL)
    g_signal_handlers_disconnect_by_data (self->power, self);
  if (self->queue != NULL)
    osiiso_queue_set_workers (self->queue, self->most);
  g_clear_object (&self->memory);
  g_clear_object (&self->power);
  g_clear_object (&self->queue);

  G_OBJECT_CLASS (osiiso_adaptive_workers_parent_class)->dispose (object);
}

static void
osiiso_adaptive_workers_get_property (GObject    *object,
                                      guint       property_id,
                                      GValue     *value,
                                      GParamSpec *pspec)
{
  OsiisoAdaptiveWorkers *self = OSIISO_ADAPTIVE_WORKERS (object);

  switch ((OsiisoAdaptiveWorkersProperty) property_id)
    {
    case PROP_QUEUE:
      g_value_set_object (value, self->queue);
      break;
    case PROP_MOST:
      g_value_set_uint (value, self->most);
      break;
    case PROP_CALM:
      g_value_set_double (value, self->calm);
      break;
    case PROP_MEMORY_MONITOR:
      g_value_set_object (value, self->memory);
      break;
    case PROP_POWER_PROFILE_MONITOR:
      g_value_set_object (value, self->power);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_adaptive_workers_set_property (GObject      *object,
                                      guint         property_id,
                                      const GValue *value,
                                      GParamSpec   *pspec)
{
  OsiisoAdaptiveWorkers *self = OSIISO_ADAPTIVE_WORKERS (object);

  switch ((OsiisoAdaptiveWorkersProperty) property_id)
    {
    case PROP_QUEUE:
      self->queue = g_value_dup_object (value);
      break;
    case PROP_MOST:
      osiiso_adaptive_workers_set_most (self, g_value_get_uint (value));
      break;
    case PROP_CALM:
      osiiso_adaptive_workers_set_calm (self, g_value_get_double (value));
      break;
    case PROP_MEMORY_MONITOR:
      self->memory = g_value_dup_object (value);
      break;
    case PROP_POWER_PROFILE_MONITOR:
      self->power = g_value_dup_object (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_adaptive_workers_class_init (OsiisoAdaptiveWorkersClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags writable = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->constructed = osiiso_adaptive_workers_constructed;
  object_class->dispose = osiiso_adaptive_workers_dispose;
  object_class->get_property = osiiso_adaptive_workers_get_property;
  object_class->set_property = osiiso_adaptive_workers_set_property;

  /**
   * OsiisoAdaptiveWorkers:queue: (getter get_queue)
   *
   * The queue whose workers are set.
   *
   * Since: 1.0
   */
  props[PROP_QUEUE] = g_param_spec_object ("queue", NULL, NULL, OSIISO_TYPE_QUEUE, writable | G_PARAM_CONSTRUCT_ONLY);

  /**
   * OsiisoAdaptiveWorkers:most: (getter get_most) (setter set_most)
   *
   * How many workers there are when there is enough of everything, from 1 to 65536.
   *
   * Since: 1.0
   */
  props[PROP_MOST] = g_param_spec_uint ("most", NULL, NULL, 1, MOST_WORKERS, 1, writable | G_PARAM_CONSTRUCT);

  /**
   * OsiisoAdaptiveWorkers:calm: (getter get_calm) (setter set_calm)
   *
   * How many seconds without a warning have to pass until memory is believed to be
   * enough again.
   *
   * Since: 1.0
   */
  props[PROP_CALM] = g_param_spec_double ("calm", NULL, NULL, 0, G_MAXINT / 1000, DEFAULT_CALM,
                                          writable | G_PARAM_CONSTRUCT);

  /**
   * OsiisoAdaptiveWorkers:memory-monitor:
   *
   * Who tells of memory; the system's when nothing is said.
   *
   * Since: 1.0
   */
  props[PROP_MEMORY_MONITOR] = g_param_spec_object ("memory-monitor", NULL, NULL, G_TYPE_MEMORY_MONITOR,
                                                    writable | G_PARAM_CONSTRUCT_ONLY);

  /**
   * OsiisoAdaptiveWorkers:power-profile-monitor:
   *
   * Who tells of power; the system's when nothing is said.
   *
   * Since: 1.0
   */
  props[PROP_POWER_PROFILE_MONITOR] = g_param_spec_object ("power-profile-monitor", NULL, NULL,
                                                           G_TYPE_POWER_PROFILE_MONITOR,
                                                           writable | G_PARAM_CONSTRUCT_ONLY);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_adaptive_workers_init (OsiisoAdaptiveWorkers *self)
{
  self->part = 1;
}

/**
 * osiiso_adaptive_workers_new:
 * @queue: a queue that belongs to the default main context
 * @most: how many workers there are ordinarily, from 1 to 65536
 *
 * Begins to set the number of workers of @queue.
 *
 * Returns: (transfer full): an object that does so as long as it lives
 *
 * Since: 1.0
 */
OsiisoAdaptiveWorkers *
osiiso_adaptive_workers_new (OsiisoQueue *queue,
                             guint        most)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (queue), NULL);
  g_return_val_if_fail (most >= 1 && most <= MOST_WORKERS, NULL);

  return g_object_new (OSIISO_TYPE_ADAPTIVE_WORKERS, "queue", queue, "most", most, NULL);
}

/**
 * osiiso_adaptive_workers_get_queue: (get-property queue)
 * @self: adaptive workers
 *
 * Gets the queue whose workers are set.
 *
 * Returns: (transfer none): the queue
 *
 * Since: 1.0
 */
OsiisoQueue *
osiiso_adaptive_workers_get_queue (OsiisoAdaptiveWorkers *self)
{
  g_return_val_if_fail (OSIISO_IS_ADAPTIVE_WORKERS (self), NULL);

  return self->queue;
}

/**
 * osiiso_adaptive_workers_get_most: (get-property most)
 * @self: adaptive workers
 *
 * Gets how many workers there are ordinarily.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint
osiiso_adaptive_workers_get_most (OsiisoAdaptiveWorkers *self)
{
  g_return_val_if_fail (OSIISO_IS_ADAPTIVE_WORKERS (self), 0);

  return self->most;
}

/**
 * osiiso_adaptive_workers_set_most: (set-property most)
 * @self: adaptive workers
 * @most: the number, from 1 to 65536
 *
 * Sets how many workers there are ordinarily.
 *
 * Since: 1.0
 */
void
osiiso_adaptive_workers_set_most (OsiisoAdaptiveWorkers *self,
                                  guint                  most)
{
  g_return_if_fail (OSIISO_IS_ADAPTIVE_WORKERS (self));
  g_return_if_fail (most >= 1 && most <= MOST_WORKERS);

  if (self->most == most)
    return;
  self->most = most;
  if (self->ready)
    update (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_MOST]);
}

/**
 * osiiso_adaptive_workers_get_calm: (get-property calm)
 * @self: adaptive workers
 *
 * Gets after which time without a warning memory is believed to be enough.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_adaptive_workers_get_calm (OsiisoAdaptiveWorkers *self)
{
  g_return_val_if_fail (OSIISO_IS_ADAPTIVE_WORKERS (self), 0);

  return self->calm;
}

/**
 * osiiso_adaptive_workers_set_calm: (set-property calm)
 * @self: adaptive workers
 * @calm: seconds, from 0 to about 24 days
 *
 * Sets after which time without a warning memory is believed to be enough. It counts
 * for warnings that come afterwards.
 *
 * Since: 1.0
 */
void
osiiso_adaptive_workers_set_calm (OsiisoAdaptiveWorkers *self,
                                  double                 calm)
{
  g_return_if_fail (OSIISO_IS_ADAPTIVE_WORKERS (self));
  g_return_if_fail (calm >= 0 && calm <= G_MAXINT / 1000);

  if (self->calm == calm)
    return;
  self->calm = calm;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CALM]);
}
