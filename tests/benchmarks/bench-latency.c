/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

/* How long a task waits from its submission until it begins to run. */

static void
osiiso_note (OsiisoAttempt *attempt,
             gpointer       data)
{
  bench_note_start ();
}

/* The urgent task: how soon the most important task begins when very many
 * others are queued. */

static void
osiiso_fill (gpointer data,
             guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    bench_push (data, bench_osiiso_task, NULL, NULL);
}

static void
osiiso_urgent (gpointer data)
{
  static OsiisoTaskOptions *options;

  if (options == NULL)
    {
      options = osiiso_task_options_new ();
      osiiso_task_options_set_priority (options, 0);
    }
  bench_push (data, osiiso_note, NULL, options);
}

static void
urgent_osiiso (const BenchParams *params)
{
  static const BenchUrgent executor = { osiiso_fill, osiiso_urgent, NULL };
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);

  bench_queue_start (queue);
  bench_run_urgent (params, &executor, queue);
}

/* GThreadPool, with what is more urgent as the smaller pointer. */

#define URGENT GINT_TO_POINTER (1)
#define NORMAL GINT_TO_POINTER (2)
#define HOLD   GINT_TO_POINTER (3)

typedef struct
{
  GThreadPool *pool;
  BenchGate   *gate;
} Pool;

static void
pool_func (gpointer item,
           gpointer user_data)
{
  Pool *self = user_data;

  if (item == URGENT)
    bench_note_start ();
  else if (item == NORMAL)
    bench_task ();
  else
    bench_gate_pass (self->gate);
}

static int
compare_items (gconstpointer a,
               gconstpointer b,
               gpointer      user_data)
{
  return GPOINTER_TO_INT (a) - GPOINTER_TO_INT (b);
}

static void
pool_fill (gpointer data,
           guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    g_thread_pool_push (((Pool *) data)->pool, NORMAL, NULL);
}

static void
pool_urgent (gpointer data)
{
  g_thread_pool_push (((Pool *) data)->pool, URGENT, NULL);
}

static void
pool_open (gpointer data)
{
  bench_gate_open (((Pool *) data)->gate);
}

/* Never freed: its threads may be in it when the program ends. */
static Pool *
pool_new (const BenchParams *params)
{
  Pool *self = g_new0 (Pool, 1);
  GError *error = NULL;

  self->gate = bench_gate_new ();
  self->pool = g_thread_pool_new (pool_func, self, (int) params->workers, TRUE, &error);
  bench_check (error);
  return self;
}

static void
run_pool_urgent (const BenchParams *params,
                 gboolean           sorted)
{
  static const BenchUrgent executor = { pool_fill, pool_urgent, NULL };
  static const BenchUrgent held_executor = { pool_fill, pool_urgent, pool_open };
  Pool *self = pool_new (params);

  if (sorted)
    {
      /* To push is slower than to run, so it is filled while nothing runs. */
      for (guint i = 0; i < params->workers; i++)
        g_thread_pool_push (self->pool, HOLD, NULL);
      bench_gate_await (self->gate, params->workers);
      g_thread_pool_set_sort_function (self->pool, compare_items, NULL);
    }
  bench_run_urgent (params, sorted ? &held_executor : &executor, self);
}

static void
urgent_tp (const BenchParams *params)
{
  run_pool_urgent (params, FALSE);
}

static void
urgent_tp_sort (const BenchParams *params)
{
  run_pool_urgent (params, TRUE);
}

/* The idle start: workers that have nothing to do, a task every now and then. */

static void
osiiso_push_note (gpointer data)
{
  bench_push (data, osiiso_note, NULL, NULL);
}

static void
idle_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);

  bench_queue_start (queue);
  bench_report_latencies ("start", bench_idle_latencies (params, osiiso_push_note, queue), params->trials);
}

static void
idle_tp (const BenchParams *params)
{
  Pool *self = pool_new (params);

  bench_report_latencies ("start", bench_idle_latencies (params, pool_urgent, self), params->trials);
}

/* Isolation: the same while another queue is blocked in all its workers. */

static void
gate_task (OsiisoAttempt *attempt,
           gpointer       gate)
{
  bench_gate_pass (gate);
}

static void
isolation_osiiso (const BenchParams *params)
{
  const guint n_blocked = (guint) params->n;
  OsiisoQueue *busy = bench_queue_new ("thread-pool", n_blocked);
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  BenchGate *gate = bench_gate_new ();

  bench_queue_start (queue);
  bench_queue_start (busy);
  bench_settle ();
  bench_report_latencies ("alone", bench_idle_latencies (params, osiiso_push_note, queue), params->trials);
  for (guint i = 0; i < n_blocked; i++)
    bench_push (busy, gate_task, gate, NULL);
  bench_gate_await (gate, n_blocked);
  bench_report_latencies ("beside", bench_idle_latencies (params, osiiso_push_note, queue), params->trials);
  bench_gate_open (gate);
}

static void
gtask_gate (GTask        *task,
            gpointer      source_object,
            gpointer      gate,
            GCancellable *cancellable)
{
  bench_gate_pass (gate);
  g_task_return_boolean (task, TRUE);
}

static void
gtask_note (GTask        *task,
            gpointer      source_object,
            gpointer      data,
            GCancellable *cancellable)
{
  bench_note_start ();
  g_task_return_boolean (task, TRUE);
}

static void
gtask_push_note (gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

  g_task_run_in_thread (task, gtask_note);
}

static void
isolation_gtask (const BenchParams *params)
{
  BenchGate *gate = bench_gate_new ();
  gint64 submitted;

  bench_report_latencies ("alone", bench_idle_latencies (params, gtask_push_note, NULL), params->trials);
  /* As many as its pool has threads to begin with; with more of them the next
   * task waits for seconds. */
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

      g_task_set_task_data (task, gate, NULL);
      g_task_run_in_thread (task, gtask_gate);
    }
  bench_gate_await (gate, 10);
  bench_forget_start ();
  submitted = bench_now ();
  gtask_push_note (NULL);
  bench_report ("beside_p50", bench_latency_since (submitted, 300));
  bench_gate_open (gate);
}

static void
idle_gtask (const BenchParams *params)
{
  bench_report_latencies ("start", bench_idle_latencies (params, gtask_push_note, NULL), params->trials);
}

const BenchContestant bench_latency[] = {
  { "urgent-osiiso", urgent_osiiso },
  { "urgent-tp", urgent_tp },
  { "urgent-tp-sort", urgent_tp_sort },
  { "idle-osiiso", idle_osiiso },
  { "idle-tp", idle_tp },
  { "idle-gtask", idle_gtask },
  { "isolation-osiiso", isolation_osiiso },
  { "isolation-gtask", isolation_gtask },
  { NULL },
};
