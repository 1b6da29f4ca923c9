/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Monitors of power and memory that say what the test wants. */

typedef struct
{
  GObject  parent_instance;
  gboolean saving;
} TestPower;
typedef GObjectClass TestPowerClass;

static GType test_power_get_type (void);
static void test_initable_init (GInitableIface *iface);

static void
test_power_iface_init (GPowerProfileMonitorInterface *iface)
{
}

G_DEFINE_TYPE_WITH_CODE (TestPower, test_power, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, test_initable_init)
                         G_IMPLEMENT_INTERFACE (G_TYPE_POWER_PROFILE_MONITOR, test_power_iface_init))

static void
test_power_get_property (GObject    *object,
                         guint       property_id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  g_value_set_boolean (value, ((TestPower *) object)->saving);
}

static void
test_power_class_init (TestPowerClass *klass)
{
  klass->get_property = test_power_get_property;
  g_object_class_override_property (klass, 1, "power-saver-enabled");
}

static void
test_power_init (TestPower *self)
{
}

static void
test_power_set (TestPower *self,
                gboolean   saving)
{
  self->saving = saving;
  g_object_notify (G_OBJECT (self), "power-saver-enabled");
}

typedef GObject TestMemory;
typedef GObjectClass TestMemoryClass;

static GType test_memory_get_type (void);

static void
test_memory_iface_init (GMemoryMonitorInterface *iface)
{
}

static gboolean
initable_init (GInitable    *initable,
               GCancellable *cancellable,
               GError      **error)
{
  return TRUE;
}

static void
test_initable_init (GInitableIface *iface)
{
  iface->init = initable_init;
}

G_DEFINE_TYPE_WITH_CODE (TestMemory, test_memory, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, test_initable_init)
                         G_IMPLEMENT_INTERFACE (G_TYPE_MEMORY_MONITOR, test_memory_iface_init))

static void
test_memory_class_init (TestMemoryClass *klass)
{
}

static void
test_memory_init (TestMemory *self)
{
}

static void
test_memory_warn (TestMemory                *self,
                  GMemoryMonitorWarningLevel level)
{
  g_signal_emit_by_name (self, "low-memory-warning", level);
}

static void
test_calm_for_long (void)
{
  TestPower *power = g_object_new (test_power_get_type (), NULL);
  TestMemory *memory = g_object_new (test_memory_get_type (), NULL);
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAdaptiveWorkers *adaptive =
    g_object_new (OSIISO_TYPE_ADAPTIVE_WORKERS, "queue", queue, "most", 8, "power-profile-monitor", power,
                  "memory-monitor", memory, "calm", (double) (G_MAXINT / 1000), NULL);

  g_test_summary ("Memory may have to be calm for as long as a timer of the main loop can wait");

  test_memory_warn (memory, G_MEMORY_MONITOR_WARNING_LEVEL_LOW);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 4);
  for (guint i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 4);
  g_assert_finalize_object (adaptive);
  test_queue_free (queue);
  g_assert_finalize_object (power);
  g_assert_finalize_object (memory);
}

static void
test_power (void)
{
  TestPower *power = g_object_new (test_power_get_type (), NULL);
  TestMemory *memory = g_object_new (test_memory_get_type (), NULL);
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAdaptiveWorkers *adaptive;

  g_test_summary ("While power is saved there are half of the workers, at least one");

  power->saving = TRUE;
  adaptive = g_object_new (OSIISO_TYPE_ADAPTIVE_WORKERS, "queue", queue, "most", 8, "power-profile-monitor", power,
                           "memory-monitor", memory, NULL);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 4);
  test_power_set (power, FALSE);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 8);
  osiiso_adaptive_workers_set_most (adaptive, 1);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 1);
  test_power_set (power, TRUE);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 1);
  osiiso_adaptive_workers_set_most (adaptive, 6);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 3);

  g_assert_finalize_object (adaptive);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 6);
  test_power_set (power, FALSE);
  test_queue_free (queue);
  g_assert_finalize_object (power);
  g_assert_finalize_object (memory);
}

static void
test_memory (void)
{
  TestPower *power = g_object_new (test_power_get_type (), NULL);
  TestMemory *memory = g_object_new (test_memory_get_type (), NULL);
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAdaptiveWorkers *adaptive;

  g_test_summary ("The less memory there is, the fewer workers, until there was no warning for a while");

  adaptive = g_object_new (OSIISO_TYPE_ADAPTIVE_WORKERS, "memory-monitor", memory, "power-profile-monitor", power,
                           "most", 8, "queue", queue, NULL);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 8);
  test_memory_warn (memory, G_MEMORY_MONITOR_WARNING_LEVEL_LOW);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 4);
  test_memory_warn (memory, G_MEMORY_MONITOR_WARNING_LEVEL_MEDIUM);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 2);
  test_power_set (power, TRUE);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 1);
  test_power_set (power, FALSE);

  /* The last warning counts, and the pause begins with it. */
  osiiso_adaptive_workers_set_calm (adaptive, 0);
  g_assert_cmpfloat (osiiso_adaptive_workers_get_calm (adaptive), ==, 0);
  test_memory_warn (memory, G_MEMORY_MONITOR_WARNING_LEVEL_CRITICAL);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 1);
  while (osiiso_queue_get_workers (queue) != 8)
    g_main_context_iteration (NULL, TRUE);

  g_assert_finalize_object (adaptive);
  test_queue_free (queue);
  g_assert_finalize_object (memory);
  g_assert_finalize_object (power);
}

static void
test_system (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAdaptiveWorkers *adaptive = osiiso_adaptive_workers_new (queue, 3);

  g_test_summary ("The monitors of the system do, whatever they say");

  g_assert_true (osiiso_adaptive_workers_get_queue (adaptive) == queue);
  g_assert_cmpuint (osiiso_adaptive_workers_get_most (adaptive), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), >=, 1);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), <=, 3);
  g_assert_finalize_object (adaptive);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 3);
  test_queue_free (queue);
}

static void
count_notify (int *n)
{
  (*n)++;
}

static void
test_properties (void)
{
  TestPower *power = g_object_new (test_power_get_type (), NULL);
  TestMemory *memory = g_object_new (test_memory_get_type (), NULL);
  g_autoptr (GPowerProfileMonitor) got_power = NULL;
  g_autoptr (GMemoryMonitor) got_memory = NULL;
  g_autoptr (OsiisoQueue) got_queue = NULL;
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAdaptiveWorkers *adaptive;
  guint most;
  double calm;
  int n = 0;

  g_test_summary ("Properties are what was set, and say when they change, only then");

  adaptive = g_object_new (OSIISO_TYPE_ADAPTIVE_WORKERS, "queue", queue, "most", 5, "calm", 7.5,
                           "memory-monitor", memory, "power-profile-monitor", power, NULL);
  g_object_get (adaptive, "queue", &got_queue, "most", &most, "calm", &calm, "memory-monitor", &got_memory,
                "power-profile-monitor", &got_power, NULL);
  g_assert_true (got_queue == queue && (gpointer) got_memory == memory && (gpointer) got_power == power);
  g_assert_cmpuint (most, ==, 5);
  g_assert_cmpfloat (calm, ==, 7.5);

  g_signal_connect_swapped (adaptive, "notify", G_CALLBACK (count_notify), &n);
  osiiso_adaptive_workers_set_most (adaptive, 5);
  osiiso_adaptive_workers_set_calm (adaptive, 7.5);
  g_assert_cmpint (n, ==, 0);
  osiiso_adaptive_workers_set_most (adaptive, 6);
  osiiso_adaptive_workers_set_calm (adaptive, 8);
  g_assert_cmpint (n, ==, 2);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 6);

  /* One that is about to calm down is told no more when it goes. */
  test_memory_warn (memory, G_MEMORY_MONITOR_WARNING_LEVEL_LOW);
  g_clear_object (&got_queue);
  g_clear_object (&got_power);
  g_clear_object (&got_memory);
  g_assert_finalize_object (adaptive);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 6);
  test_queue_free (queue);
  g_assert_finalize_object (power);
  g_assert_finalize_object (memory);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/adaptive-workers/power", test_power);
  g_test_add_func ("/adaptive-workers/calm-for-long", test_calm_for_long);
  g_test_add_func ("/adaptive-workers/memory", test_memory);
  g_test_add_func ("/adaptive-workers/system", test_system);
  g_test_add_func ("/adaptive-workers/properties", test_properties);

  return g_test_run ();
}
