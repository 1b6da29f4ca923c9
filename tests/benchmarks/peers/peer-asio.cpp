/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "bench-peer.h"

/* Boost.Asio: a thread_pool. */

namespace
{

struct Pool
{
  explicit Pool (unsigned workers)
    : threads (workers), workers (workers)
  {
  }

  boost::asio::thread_pool threads;
  unsigned                 workers;
};

gpointer
create (const BenchParams *params)
{
  return new Pool (params->workers);
}

void
post (gpointer pool,
      void   (*func) (void),
      guint64  n)
{
  auto self = static_cast<Pool *> (pool);

  for (guint64 i = 0; i < n; i++)
    boost::asio::post (self->threads, func);
}

/* As join(), but the threads live on: everything before this has ended once each of them
 * is in here. */
void
await (gpointer pool)
{
  auto self = static_cast<Pool *> (pool);
  auto gate = bench_gate_new ();

  for (unsigned i = 0; i < self->workers; i++)
    boost::asio::post (self->threads, [gate] { bench_gate_pass (gate); });
  bench_gate_await (gate, self->workers);
  bench_gate_open (gate);
}

const BenchPeer asio_peer = { create, post, await, nullptr };
BENCH_PEER_CONTESTANTS ("asio", asio_peer)

}

const BenchContestant *const bench_families[] = { asio_peer_contestants, nullptr };
