/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-peer.h"

static guint64
n_warm (const BenchParams *params)
{
  return MIN (params->n, 2000);
}

/* Its threads exist when this returns. */
static gpointer
create_warm (const BenchParams *params,
             const BenchPeer   *peer)
{
  gpointer pool;

  bench_place_workers (params);
  pool = peer->create (params);
  peer->post (pool, bench_task, n_warm (params));
  peer->wait (pool);
  bench_place_producer (params);
  bench_settle ();
  return pool;
}

void
bench_peer_throughput (const BenchParams *params,
                       const BenchPeer   *peer)
{
  gpointer pool = create_warm (params, peer);
  BenchStretch stretch;

  bench_begin (&stretch);
  peer->post (pool, bench_task, params->n);
  bench_pushed (&stretch);
  peer->wait (pool);
  bench_end (&stretch, params->n);
  bench_assert_equal ("tasks run", bench_counted (), n_warm (params) + params->n);
}

typedef struct
{
  const BenchPeer *peer;
  gpointer         pool;
} Posting;

static void
post_note (gpointer data)
{
  Posting *self = data;

  self->peer->post (self->pool, bench_note_start, 1);
}

void
bench_peer_idle (const BenchParams *params,
                 const BenchPeer   *peer)
{
  Posting posting = { peer, create_warm (params, peer) };

  bench_report_latencies ("start", bench_idle_latencies (params, post_note, &posting), params->trials);
}

static void
fill (gpointer data,
      guint64  n)
{
  Posting *self = data;

  self->peer->post (self->pool, bench_task, n);
}

static void
post_urgent (gpointer data)
{
  Posting *self = data;

  self->peer->urgent (self->pool, bench_note_start);
}

void
bench_peer_urgent (const BenchParams *params,
                   const BenchPeer   *peer)
{
  static const BenchUrgent executor = { fill, post_urgent, NULL };
  Posting posting = { peer, peer->create (params) };

  bench_run_urgent (params, &executor, &posting);
}

static BenchGate *gate;

static void
pass_gate (void)
{
  bench_gate_pass (gate);
}

void
bench_peer_curve (const BenchParams *params,
                  const BenchPeer   *peer)
{
  gpointer pool = create_warm (params, peer);
  const guint64 n_counted = bench_counted ();
  gint64 push = 0, run = 0, rss = 0;

  for (guint i = 0; i < params->repeat; i++)
    {
      gint64 begun, pushed;

      gate = bench_gate_new ();
      peer->post (pool, pass_gate, params->workers);
      bench_gate_await (gate, params->workers);
      if (i == 0)
        rss = bench_rss ();
      begun = bench_now ();
      peer->post (pool, bench_task, params->n);
      pushed = bench_now ();
      if (i == 0)
        rss = bench_rss () - rss;
      bench_gate_open (gate);
      peer->wait (pool);
      push += pushed - begun;
      run += bench_now () - pushed;
    }
  bench_assert_equal ("tasks run", bench_counted () - n_counted, params->n * params->repeat);
  bench_report ("push", (double) push / params->n / params->repeat);
  bench_report ("run", (double) run / params->n / params->repeat);
  bench_report ("wall", (double) (push + run) / params->n / params->repeat);
  bench_report ("bytes", (double) rss / params->n);
}
