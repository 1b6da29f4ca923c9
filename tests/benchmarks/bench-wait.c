/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>

#include "bench.h"

static _Atomic gint64 started_at;

void
bench_note_start (void)
{
  atomic_store (&started_at, bench_now ());
}

void
bench_forget_start (void)
{
  atomic_store (&started_at, 0);
}

/* Sleeps, so that the processors are left to the workers. */
double
bench_latency_since (gint64 submitted,
                     guint  pause)
{
  gint64 started;

  for (;;)
    {
      g_usleep (pause);
      started = atomic_load (&started_at);
      if (started != 0)
        return (double) (started - submitted);
    }
}

#define IDLE_PAUSE 300 /* microseconds */

double *
bench_idle_latencies (const BenchParams *params,
                      void             (*push) (gpointer data),
                      gpointer           data)
{
  double *latencies = g_new (double, params->trials);
  const guint n_warm = MIN (20, params->trials);

  for (guint i = 0; i < n_warm + params->trials; i++)
    {
      double latency;
      gint64 submitted;

      bench_forget_start ();
      submitted = bench_now ();
      push (data);
      latency = bench_latency_since (submitted, IDLE_PAUSE);
      if (i >= n_warm)
        latencies[i - n_warm] = latency;
    }
  return latencies;
}

/* The urgent task: how soon the most important task begins when very many
 * others are queued. */

/* What the work in a task takes now, in this process. */
static double
task_length (void)
{
  double lengths[401];

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      gint64 begun = bench_now ();

      bench_spin (bench_iterations);
      lengths[i] = (double) (bench_now () - begun);
    }
  bench_report_latencies ("length", lengths, G_N_ELEMENTS (lengths));
  return lengths[G_N_ELEMENTS (lengths) / 2];
}

void
bench_run_urgent (const BenchParams *params,
                  const BenchUrgent *executor,
                  gpointer           data)
{
  g_autofree double *latencies = g_new (double, params->trials);
  guint64 n_submitted = params->n;
  guint n = 0;

  task_length ();
  executor->fill (data, n_submitted);
  if (executor->open != NULL)
    executor->open (data);
  g_usleep (1000);

  while (n < params->trials)
    {
      guint64 left = n_submitted - bench_counted ();
      gint64 submitted;

      /* What is filled while it is held is not filled again. */
      if (left < params->n * 3 / 4 && executor->open != NULL && n > 0)
        break;
      if (left < params->n * 3 / 4 && executor->open == NULL)
        {
          executor->fill (data, params->n - left);
          n_submitted += params->n - left;
        }
      bench_forget_start ();
      submitted = bench_now ();
      executor->urgent (data);
      latencies[n++] = bench_latency_since (submitted, 200);
    }
  bench_report ("trials", n);
  bench_report_latencies ("start", latencies, n);
}
