/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "bench.h"

/* What a task costs when very many others wait. */

/* The cost of a push while others wait: blocks of pushes, each on a queue of its
 * own if few wait, or one after the other. The median says what one costs; each
 * block gets memory that was never used before. */

#define BLOCK 1000

static void
report_blocks (double *blocks,
               guint   n)
{
  bench_report_latencies ("push", blocks, n);
}

static void
push_some (OsiisoQueue        *queue,
           OsiisoTaskOptions **options,
           guint64             n)
{
  for (guint64 i = 0; i < n; i++)
    bench_push (queue, bench_osiiso_task, NULL, options[i % BENCH_N_PRIORITIES]);
}

static void
backlog_osiiso (const BenchParams *params)
{
  OsiisoTaskOptions **options = bench_priorities ();
  g_autofree double *blocks = g_new (double, params->repeat);
  OsiisoQueue *queue = NULL;

  for (guint i = 0; i < params->repeat; i++)
    {
      gint64 begun;

      if (queue == NULL || params->pending <= 10 * BLOCK)
        {
          queue = bench_queue_new ("thread-pool", params->workers);
          push_some (queue, options, params->pending);
        }
      begun = bench_now ();
      push_some (queue, options, BLOCK);
      blocks[i] = (double) (bench_now () - begun) / BLOCK;
    }
  report_blocks (blocks, params->repeat);
}

static void
hold_worker (gpointer item,
             gpointer user_data)
{
  bench_gate_pass (user_data);
}

static int
compare_items (gconstpointer a,
               gconstpointer b,
               gpointer      user_data)
{
  return GPOINTER_TO_INT (a) - GPOINTER_TO_INT (b);
}

static void
push_items (GThreadPool *pool,
            guint64      n)
{
  for (guint64 i = 0; i < n; i++)
    g_thread_pool_push (pool, GINT_TO_POINTER (1 + i % BENCH_N_PRIORITIES), NULL);
}

static void
run_pool_backlog (const BenchParams *params,
                  gboolean           sorted)
{
  g_autofree double *blocks = g_new (double, params->repeat);
  GThreadPool *pool = NULL;
  BenchGate *gate = bench_gate_new ();

  for (guint i = 0; i < params->repeat; i++)
    {
      gint64 begun;

      if (pool == NULL || params->pending <= 10 * BLOCK)
        {
          pool = g_thread_pool_new (hold_worker, gate, 1, TRUE, NULL);
          g_thread_pool_push (pool, GINT_TO_POINTER (1), NULL);
          bench_gate_await (gate, i + 1);
          /* What waits is put in order before, which is not measured. */
          push_items (pool, params->pending);
          if (sorted)
            g_thread_pool_set_sort_function (pool, compare_items, NULL);
        }
      begun = bench_now ();
      push_items (pool, BLOCK);
      blocks[i] = (double) (bench_now () - begun) / BLOCK;
    }
  report_blocks (blocks, params->repeat);
}

static void
backlog_tp (const BenchParams *params)
{
  run_pool_backlog (params, FALSE);
}

static void
backlog_tp_sort (const BenchParams *params)
{
  run_pool_backlog (params, TRUE);
}

/* The curve: push so many while nothing runs, then run them all. */

static void
curve_osiiso (const BenchParams *params)
{
  OsiisoTaskOptions **options = bench_priorities ();
  gint64 push = 0, run = 0, cpu = bench_cpu_now (), rss = 0;

  for (guint i = 0; i < params->repeat; i++)
    {
      OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
      gint64 begun, pushed;

      if (i == 0)
        rss = bench_rss ();
      begun = bench_now ();
      push_some (queue, options, params->n);
      pushed = bench_now ();
      if (i == 0)
        rss = bench_rss () - rss;
      bench_queue_start (queue);
      bench_queue_join (queue);
      push += pushed - begun;
      run += bench_now () - pushed;
      g_object_unref (queue);
    }
  bench_assert_equal ("tasks run", bench_counted (), params->n * params->repeat);
  bench_report ("push", (double) push / params->n / params->repeat);
  bench_report ("run", (double) run / params->n / params->repeat);
  bench_report ("wall", (double) (push + run) / params->n / params->repeat);
  bench_report ("cpu", (double) (bench_cpu_now () - cpu) / params->n / params->repeat);
  bench_report ("bytes", (double) rss / params->n);
}

static void
count_item (gpointer item,
            gpointer gate)
{
  if (item == gate)
    bench_gate_pass (gate);
  else
    bench_task ();
}

static void
curve_tp (const BenchParams *params)
{
  gint64 push = 0, run = 0, rss = 0;

  for (guint i = 0; i < params->repeat; i++)
    {
      BenchGate *gate = bench_gate_new ();
      GThreadPool *pool = g_thread_pool_new (count_item, gate, (int) params->workers, TRUE, NULL);
      gint64 begun, pushed;

      for (guint k = 0; k < params->workers; k++)
        g_thread_pool_push (pool, gate, NULL);
      bench_gate_await (gate, params->workers);
      if (i == 0)
        rss = bench_rss ();
      begun = bench_now ();
      push_items (pool, params->n);
      pushed = bench_now ();
      if (i == 0)
        rss = bench_rss () - rss;
      bench_gate_open (gate);
      g_thread_pool_free (pool, FALSE, TRUE);
      push += pushed - begun;
      run += bench_now () - pushed;
    }
  bench_assert_equal ("tasks run", bench_counted (), params->n * params->repeat);
  bench_report ("push", (double) push / params->n / params->repeat);
  bench_report ("run", (double) run / params->n / params->repeat);
  bench_report ("wall", (double) (push + run) / params->n / params->repeat);
  bench_report ("bytes", (double) rss / params->n);
}

/* Cancel tasks that wait one by one, in no order, until their ends have been
 * delivered. */
static void
cancel_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  g_autofree OsiisoHandle **handles = g_new (OsiisoHandle *, params->n);
  guint64 seed = 1, n_cancelled = 0;
  GError *error = NULL;
  gint64 begun, cancelled;

  for (guint64 i = 0; i < params->n; i++)
    {
      handles[i] = osiiso_queue_submit (queue, bench_osiiso_task, NULL, NULL, NULL, &error);
      bench_check (error);
    }
  for (guint64 i = params->n - 1; i > 0; i--)
    {
      guint64 j = (seed = seed * 6364136223846793005u + 1442695040888963407u) % (i + 1);
      OsiisoHandle *other = handles[i];

      handles[i] = handles[j];
      handles[j] = other;
    }

  begun = bench_now ();
  for (guint64 i = 0; i < params->n; i++)
    n_cancelled += osiiso_handle_cancel (handles[i]);
  cancelled = bench_now ();
  while (g_main_context_iteration (NULL, FALSE))
    ;
  bench_report ("cancel", (double) (cancelled - begun) / 1e9);
  bench_report ("total", (double) (bench_now () - begun) / 1e9);
  bench_assert_equal ("cancelled", n_cancelled, params->n);
  bench_assert_equal ("outstanding", osiiso_queue_get_pending_count (queue), 0);
}

const BenchContestant bench_backlog[] = {
  { "backlog-osiiso", backlog_osiiso },
  { "backlog-tp", backlog_tp },
  { "backlog-tp-sort", backlog_tp_sort },
  { "curve-osiiso", curve_osiiso },
  { "curve-tp", curve_tp },
  { "cancel-osiiso", cancel_osiiso },
  { NULL },
};
