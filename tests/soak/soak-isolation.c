/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <time.h>

#include "soak.h"

/* F19: a queue all of whose workers are blocked does not delay another one. */

/*
 * The thread that submits and the worker each stay on a processor of their own while it is
 * measured: to wake a thread on the own one takes a third of the time that it takes on
 * another, and after 64 threads have started and ended the kernel puts the two elsewhere.
 */

#define N_BLOCKED 64
#define ROUNDS    20

typedef struct
{
  GMutex   lock;
  GCond    cond;
  guint    n_in;
  gboolean open;
} Gate;

static void
block (OsiisoAttempt *attempt,
       gpointer       data)
{
  Gate *gate = data;

  g_mutex_lock (&gate->lock);
  gate->n_in++;
  g_cond_broadcast (&gate->cond);
  while (!gate->open)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
  osiiso_attempt_return_none (attempt);
}

static void
stay_on (const cpu_set_t *allowed,
         gboolean         last)
{
  cpu_set_t set;
  int chosen = -1;

  for (int cpu = 0; cpu < CPU_SETSIZE && (last || chosen < 0); cpu++)
    if (CPU_ISSET (cpu, allowed))
      chosen = cpu;
  CPU_ZERO (&set);
  CPU_SET (chosen, &set);
  soak_expect (sched_setaffinity (0, sizeof set, &set) == 0, "a thread cannot stay on one processor");
}

static void
stay_on_last (OsiisoAttempt *attempt,
              gpointer       data)
{
  stay_on (data, TRUE);
  osiiso_attempt_return_none (attempt);
}

/* Whole microseconds would be too coarse: a task of a calm machine begins after two. */
static double
now_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

static void
note_time (OsiisoAttempt *attempt,
           gpointer       data)
{
  *(double *) data = now_us ();
  osiiso_attempt_return_none (attempt);
}

/* Microseconds from a submit to an idle queue to the begin of the function; the median of
 * this time. */
static double
measure (OsiisoQueue     *queue,
         guint            n,
         const cpu_set_t *allowed,
         GArray          *latencies)
{
  const guint first = latencies->len;

  stay_on (allowed, FALSE);
  for (guint i = 0; i < n; i++)
    {
      double started = 0;
      double begun;
      double latency;
      g_autoptr (OsiisoHandle) handle = NULL;

      g_usleep (200);
      begun = now_us ();
      handle = osiiso_queue_submit (queue, note_time, &started, NULL, NULL, NULL);
      soak_expect (osiiso_handle_wait (handle, -1, NULL, NULL), "a task of the queue that is not blocked has failed");
      latency = started - begun;
      g_array_append_val (latencies, latency);
    }
  /* Threads that this one starts inherit it. */
  sched_setaffinity (0, sizeof *allowed, allowed);
  return soak_quantile (&g_array_index (latencies, double, first), n, 0.5);
}

static void
isolation (const SoakParams *params)
{
  OsiisoQueue *queue = soak_queue_new ("thread-pool", 1);
  g_autoptr (GArray) alone = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) beside = g_array_new (FALSE, FALSE, sizeof (double));
  const guint n = (guint) MAX (params->n / ROUNDS, 1);
  double ratios[ROUNDS];
  cpu_set_t allowed;

  soak_expect (sched_getaffinity (0, sizeof allowed, &allowed) == 0, "the processors are not known");
  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_start (queue, NULL);
  osiiso_queue_push (queue, stay_on_last, &allowed, NULL, NULL, NULL);
  for (guint round = 0; round < ROUNDS; round++)
    {
      OsiisoQueue *blocked = soak_queue_new ("thread-pool", N_BLOCKED);
      Gate gate = { .open = FALSE };

      ratios[round] = measure (queue, n, &allowed, alone);
      g_mutex_init (&gate.lock);
      g_cond_init (&gate.cond);
      osiiso_queue_start (blocked, NULL);
      for (guint i = 0; i < 2 * N_BLOCKED; i++)
        osiiso_queue_push (blocked, block, &gate, NULL, NULL, NULL);
      g_mutex_lock (&gate.lock);
      while (gate.n_in < N_BLOCKED)
        g_cond_wait (&gate.cond, &gate.lock);
      g_mutex_unlock (&gate.lock);
      ratios[round] = measure (queue, n, &allowed, beside) / ratios[round];
      g_mutex_lock (&gate.lock);
      gate.open = TRUE;
      g_cond_broadcast (&gate.cond);
      g_mutex_unlock (&gate.lock);
      soak_join (blocked);
      soak_queue_free (blocked);
    }
  soak_report ("tasks", alone->len + beside->len);
  soak_report ("alone_us_p50", soak_quantile ((double *) (void *) alone->data, alone->len, 0.5));
  soak_report_quantiles ("beside_us", (double *) (void *) beside->data, beside->len);
  /* Of the rounds, because a machine is not equally busy all the time. */
  soak_report ("p50_ratio", soak_quantile (ratios, ROUNDS, 0.5));
  soak_queue_free (queue);
}

const SoakTest soak_isolation[] = {
  { "isolation", isolation },
  { NULL },
};
