/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

/* What other figures are compared with: the work alone, an object alone. */

/* The fastest of many tries is what the processor can do undisturbed. */
static void
calibrate (const BenchParams *params)
{
  const guint64 iterations = 20000;
  gint64 best = G_MAXINT64;

  for (guint i = 0; i < 400; i++)
    {
      gint64 begun = bench_now ();

      bench_spin (iterations);
      best = MIN (best, bench_now () - begun);
    }
  bench_report ("rate", iterations * 1000.0 / best);
}

static gpointer
work_thread (gpointer data)
{
  for (guint64 i = GPOINTER_TO_SIZE (data); i > 0; i--)
    bench_task ();
  return NULL;
}

/* All the work of the tasks on as many threads as there are workers, and nothing
 * else. */
static void
work_alone (const BenchParams *params)
{
  g_autofree GThread **threads = g_new (GThread *, params->workers);
  guint64 each = params->n / params->workers;
  BenchStretch stretch;

  bench_begin (&stretch);
  for (guint i = 0; i < params->workers; i++)
    threads[i] = g_thread_new ("work", work_thread, GSIZE_TO_POINTER (each));
  for (guint i = 0; i < params->workers; i++)
    g_thread_join (threads[i]);
  bench_end (&stretch, each * params->workers);
}

#define TYPE_PLAIN (plain_get_type ())
G_DECLARE_FINAL_TYPE (Plain, plain, BENCH, PLAIN, GObject)

struct _Plain
{
  GObject parent_instance;
};

typedef struct
{
  gpointer fields[4];
} PlainPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (Plain, plain, G_TYPE_OBJECT)

static void
plain_class_init (PlainClass *klass)
{
}

static void
plain_init (Plain *self)
{
}

static void
object_alone (const BenchParams *params)
{
  BenchStretch stretch;

  g_object_unref (g_object_new (TYPE_PLAIN, NULL));
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    g_object_unref (g_object_new (TYPE_PLAIN, NULL));
  bench_end (&stretch, params->n);
}

const BenchContestant bench_limits[] = {
  { "calibrate", calibrate },
  { "work", work_alone },
  { "object", object_alone },
  { NULL },
};
