/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* What tasks that wait take: growth of the resident memory per task, while
 * nothing runs. */

static void
report_growth (gint64  before,
               guint64 n)
{
  bench_report ("bytes", (double) (bench_rss () - before) / n);
}

/* An array that is resident already, for what the caller keeps. */
static gpointer *
new_array (guint64 n)
{
  gpointer *array = g_new (gpointer, n);

  memset (array, 1, n * sizeof *array);
  return array;
}

static void
hold_pushes (const BenchParams  *params,
             OsiisoTaskOptions **options)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  gint64 before;

  bench_push (queue, bench_osiiso_task, NULL, options != NULL ? options[0] : NULL);
  before = bench_rss ();
  for (guint64 i = 0; i < params->n; i++)
    bench_push (queue, bench_osiiso_task, NULL, options != NULL ? options[i % BENCH_N_PRIORITIES] : NULL);
  report_growth (before, params->n);
}

static void
memory_push (const BenchParams *params)
{
  hold_pushes (params, bench_priorities ());
}

static void
memory_push_default (const BenchParams *params)
{
  hold_pushes (params, NULL);
}

static void
memory_submit (const BenchParams *params)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  gpointer *handles = new_array (params->n);
  gint64 before = bench_rss ();
  GError *error = NULL;

  for (guint64 i = 0; i < params->n; i++)
    {
      handles[i] = osiiso_queue_submit (queue, bench_osiiso_task, NULL, NULL, NULL, &error);
      bench_check (error);
    }
  report_growth (before, params->n);
}

static void
hold_worker (gpointer item,
             gpointer user_data)
{
  bench_gate_pass (user_data);
}

static void
hold_pool (const BenchParams *params,
           gboolean           structs)
{
  BenchGate *gate = bench_gate_new ();
  GThreadPool *pool;
  gint64 before;

  pool = g_thread_pool_new (hold_worker, gate, 1, TRUE, NULL);
  g_thread_pool_push (pool, GINT_TO_POINTER (1), NULL);
  bench_gate_await (gate, 1);

  before = bench_rss ();
  for (guint64 i = 0; i < params->n; i++)
    g_thread_pool_push (pool, structs ? (gpointer) bench_task_new () : GINT_TO_POINTER (1), NULL);
  report_growth (before, params->n);
}

static void
memory_tp (const BenchParams *params)
{
  hold_pool (params, FALSE);
}

static void
memory_tp_struct (const BenchParams *params)
{
  hold_pool (params, TRUE);
}

static void
memory_gtask (const BenchParams *params)
{
  gpointer *tasks = new_array (params->n);
  gint64 before;

  g_object_unref (g_task_new (NULL, NULL, NULL, NULL));
  before = bench_rss ();
  for (guint64 i = 0; i < params->n; i++)
    {
      tasks[i] = g_task_new (NULL, NULL, NULL, NULL);
      g_task_set_task_data (tasks[i], bench_task_new (), free);
    }
  report_growth (before, params->n);
}

static gboolean
never_called (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

static void
memory_idle (const BenchParams *params)
{
  gint64 before = bench_rss ();

  for (guint64 i = 0; i < params->n; i++)
    g_idle_add_full (G_PRIORITY_DEFAULT, never_called, NULL, NULL);
  report_growth (before, params->n);
}

const BenchContestant bench_memory[] = {
  { "memory-osiiso-push", memory_push },
  { "memory-osiiso-push-default", memory_push_default },
  { "memory-osiiso-submit", memory_submit },
  { "memory-tp", memory_tp },
  { "memory-tp-struct", memory_tp_struct },
  { "memory-gtask", memory_gtask },
  { "memory-idle", memory_idle },
  { NULL },
};
