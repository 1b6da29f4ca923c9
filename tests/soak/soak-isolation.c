/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "soak.h"

/* F19: a queue all of whose workers are blocked does not delay another one. */

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
note_time (OsiisoAttempt *attempt,
           gpointer       data)
{
  *(gint64 *) data = g_get_monotonic_time ();
  osiiso_attempt_return_none (attempt);
}

/* Microseconds from a submit to an idle queue to the begin of the function; the median of
 * this time. */
static double
measure (OsiisoQueue *queue,
         guint        n,
         GArray      *latencies)
{
  const guint first = latencies->len;

  for (guint i = 0; i < n; i++)
    {
      gint64 started = 0;
      gint64 begun;
      double latency;
      g_autoptr (OsiisoHandle) handle = NULL;

      g_usleep (200);
      begun = g_get_monotonic_time ();
      handle = osiiso_queue_submit (queue, note_time, &started, NULL, NULL, NULL);
      soak_expect (osiiso_handle_wait (handle, -1, NULL, NULL), "a task of the queue that is not blocked has failed");
      latency = (double) (started - begun);
      g_array_append_val (latencies, latency);
    }
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

  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_start (queue, NULL);
  for (guint round = 0; round < ROUNDS; round++)
    {
      OsiisoQueue *blocked = soak_queue_new ("thread-pool", N_BLOCKED);
      Gate gate = { .open = FALSE };

      ratios[round] = measure (queue, n, alone);
      g_mutex_init (&gate.lock);
      g_cond_init (&gate.cond);
      osiiso_queue_start (blocked, NULL);
      for (guint i = 0; i < 2 * N_BLOCKED; i++)
        osiiso_queue_push (blocked, block, &gate, NULL, NULL, NULL);
      g_mutex_lock (&gate.lock);
      while (gate.n_in < N_BLOCKED)
        g_cond_wait (&gate.cond, &gate.lock);
      g_mutex_unlock (&gate.lock);
      ratios[round] = measure (queue, n, beside) / MAX (ratios[round], 1);
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
