/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

/* Tasks in a main context: the backend main-loop beside the sources of GLib. */

static guint64 n_run;

static void
count_task (OsiisoAttempt *attempt,
            gpointer       data)
{
  if (bench_iterations > 0)
    bench_spin (bench_iterations);
  n_run++;
}

static gboolean
count_source (gpointer user_data)
{
  if (bench_iterations > 0)
    bench_spin (bench_iterations);
  n_run++;
  return G_SOURCE_REMOVE;
}

static OsiisoQueue *
new_loop_queue (double slice)
{
  OsiisoQueue *queue = bench_queue_new ("main-loop", 0);

  g_object_set (osiiso_queue_get_backend (queue), "slice", slice, NULL);
  bench_queue_start (queue);
  return queue;
}

static void
iterate_until (guint64 n)
{
  while (n_run < n)
    g_main_context_iteration (NULL, TRUE);
}

/* Pushed in the thread of the context. */

static void
push_tasks (OsiisoQueue *queue,
            guint64      n)
{
  static OsiisoTaskOptions **options;

  if (options == NULL)
    options = bench_priorities ();
  for (guint64 i = 0; i < n; i++)
    bench_push (queue, count_task, NULL, options[i % BENCH_N_PRIORITIES]);
}

static void
add_idles (gpointer unused,
           guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    g_idle_add_full (G_PRIORITY_DEFAULT, count_source, NULL, NULL);
}

static void
invoke (gpointer unused,
        guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT, count_source, NULL, NULL);
}

typedef void (*ProduceFunc) (gpointer data,
                             guint64  n);

static void
run_same_thread (const BenchParams *params,
                 ProduceFunc        produce,
                 gpointer           data)
{
  const guint64 n_warm = MIN (params->n, 1000);
  BenchStretch stretch;

  produce (data, n_warm);
  iterate_until (n_warm);

  bench_begin (&stretch);
  produce (data, params->n);
  bench_pushed (&stretch);
  iterate_until (n_warm + params->n);
  bench_end (&stretch, params->n);
}

static void
loop_osiiso (const BenchParams *params)
{
  run_same_thread (params, (ProduceFunc) push_tasks, new_loop_queue (params->slice));
}

static void
loop_idle (const BenchParams *params)
{
  run_same_thread (params, add_idles, NULL);
}

/* Pushed by another thread. */

typedef struct
{
  const BenchParams *params;
  ProduceFunc        produce;
  gpointer           data;
  BenchGate         *gate;
  BenchStretch       stretch;
} Producer;

static gpointer
producer_thread (gpointer data)
{
  Producer *self = data;

  bench_gate_pass (self->gate);
  bench_settle ();
  bench_begin (&self->stretch);
  self->produce (self->data, self->params->n);
  bench_pushed (&self->stretch);
  return NULL;
}

static gboolean
open_gate (gpointer gate)
{
  bench_gate_open (gate);
  return G_SOURCE_REMOVE;
}

static void
run_other_thread (const BenchParams *params,
                  ProduceFunc        produce,
                  gpointer           data)
{
  Producer producer = { params, produce, data, bench_gate_new () };
  GThread *thread;

  /* The context has an owner all the time, or an invoke would run in the thread
   * that calls. */
  g_main_context_acquire (NULL);
  thread = g_thread_new ("producer", producer_thread, &producer);
  g_idle_add_full (G_PRIORITY_DEFAULT, open_gate, producer.gate, NULL);
  iterate_until (params->n);
  g_thread_join (thread);
  bench_end (&producer.stretch, params->n);
  g_main_context_release (NULL);
}

static void
loop_osiiso_thread (const BenchParams *params)
{
  run_other_thread (params, (ProduceFunc) push_tasks, new_loop_queue (params->slice));
}

static void
loop_invoke (const BenchParams *params)
{
  run_other_thread (params, invoke, NULL);
}

/* Stalls: another source while tasks drain. One is due again and again, and what
 * counts is how late it is; the other is always ready, and what counts is how
 * long it waits from one turn to the next. The loop never sleeps then, so that this
 * is told in processor time of its thread, too, which no other program prolongs. */

#define PERIOD 100 /* microseconds */

typedef struct
{
  GSource source;
  gboolean always_ready;
  gint64   last;  /* when it had its last turn */
  gint64   cpu;   /* the same by the processor time of the thread */
  double  *waits; /* nanoseconds, before each dispatch */
  double  *turns; /* the same in processor time */
  guint    n;
  guint    n_allocated;
} Ticker;

static gboolean
ticker_dispatch (GSource    *source,
                 GSourceFunc callback,
                 gpointer    user_data)
{
  Ticker *self = (Ticker *) source;
  gint64 now = bench_now ();
  gint64 due = self->always_ready ? self->last : g_source_get_ready_time (source) * 1000;

  if (self->n < self->n_allocated)
    {
      const gint64 cpu = bench_thread_cpu ();

      self->turns[self->n] = (double) (cpu - self->cpu);
      self->waits[self->n++] = (double) (now - due);
      self->cpu = cpu;
    }
  self->last = now;
  if (!self->always_ready)
    g_source_set_ready_time (source, now / 1000 + PERIOD);
  return G_SOURCE_CONTINUE;
}

static void
run_stall (const BenchParams *params,
           gboolean           always_ready,
           ProduceFunc        produce,
           gpointer           data)
{
  static GSourceFuncs funcs = { .dispatch = ticker_dispatch };
  Ticker *ticker = (Ticker *) g_source_new (&funcs, sizeof (Ticker));

  ticker->always_ready = always_ready;
  ticker->n_allocated = 1000000;
  ticker->waits = g_new0 (double, ticker->n_allocated);
  ticker->turns = g_new0 (double, ticker->n_allocated);
  produce (data, params->n);
  ticker->last = bench_now ();
  ticker->cpu = bench_thread_cpu ();
  g_source_set_ready_time (&ticker->source, always_ready ? 0 : g_get_monotonic_time () + PERIOD);
  g_source_attach (&ticker->source, NULL);
  iterate_until (params->n);
  if (ticker->n == 0)
    g_main_context_iteration (NULL, TRUE);
  bench_report ("n", ticker->n);
  bench_report_latencies ("stall", ticker->waits, ticker->n);
  if (always_ready)
    bench_report_latencies ("turn", ticker->turns, ticker->n);
}

static void
stall_osiiso (const BenchParams *params)
{
  run_stall (params, FALSE, (ProduceFunc) push_tasks, new_loop_queue (params->slice));
}

static void
turn_osiiso (const BenchParams *params)
{
  run_stall (params, TRUE, (ProduceFunc) push_tasks, new_loop_queue (params->slice));
}

static void
stall_idle (const BenchParams *params)
{
  run_stall (params, FALSE, add_idles, NULL);
}

/* Deadlines: what an iteration of the loop costs while many tasks wait for a
 * time that is far away. */

static gboolean
always_ready (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

static double
iteration_cost (guint n)
{
  gint64 begun;

  /* The first one may have to do with what came before. */
  for (guint i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  begun = bench_now ();
  for (guint i = 0; i < n; i++)
    g_main_context_iteration (NULL, FALSE);
  return (double) (bench_now () - begun) / n;
}

static void
delay_tasks (OsiisoQueue *queue,
             guint64      n)
{
  OsiisoTaskOptions *options = osiiso_task_options_new ();

  for (guint64 i = 0; i < n; i++)
    {
      osiiso_task_options_set_delay (options, 3600 + (double) (i * 7919 % 1000));
      bench_push (queue, count_task, NULL, options);
    }
}

static void
delay_sources (gpointer unused,
               guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    g_timeout_add_full (G_PRIORITY_DEFAULT, 3600000 + (guint) (i * 7919 % 1000000), count_source, NULL, NULL);
}

/* Half a second at most for what is slow. */
static guint
n_iterations (const BenchParams *params,
              gboolean           slow)
{
  return slow ? MAX (5, params->trials / 500) : params->trials;
}

static void
run_deadlines (const BenchParams *params,
               ProduceFunc        produce,
               gpointer           data,
               gboolean           slow)
{
  gint64 begun, rss;
  double none, many;

  g_idle_add_full (G_PRIORITY_DEFAULT, always_ready, NULL, NULL);
  none = iteration_cost (params->trials);
  rss = bench_rss ();
  begun = bench_now ();
  produce (data, params->n);
  bench_report ("push", (double) (bench_now () - begun) / params->n);
  bench_report ("bytes", (double) (bench_rss () - rss) / params->n);
  many = iteration_cost (n_iterations (params, slow));
  bench_report ("none", none);
  bench_report ("many", many);
}

static void
deadlines_osiiso (const BenchParams *params)
{
  run_deadlines (params, (ProduceFunc) delay_tasks, new_loop_queue (params->slice), FALSE);
}

static void
deadlines_sources (const BenchParams *params)
{
  run_deadlines (params, delay_sources, NULL, TRUE);
}

const BenchContestant bench_main_context[] = {
  { "loop-osiiso", loop_osiiso },
  { "loop-idle", loop_idle },
  { "loop-osiiso-thread", loop_osiiso_thread },
  { "loop-invoke", loop_invoke },
  { "stall-osiiso", stall_osiiso },
  { "stall-idle", stall_idle },
  { "turn-osiiso", turn_osiiso },
  { "deadlines-osiiso", deadlines_osiiso },
  { "deadlines-sources", deadlines_sources },
  { NULL },
};
