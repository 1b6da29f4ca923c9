/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "bench-peer.h"

/*
 * oneTBB: a task_group, in an arena with as many workers besides the thread that waits.
 * That one helps while it waits, which cannot be helped.
 */

namespace
{

struct Pool
{
  explicit Pool (int workers)
    : control (tbb::global_control::max_allowed_parallelism, static_cast<std::size_t> (workers) + 1),
      arena (workers + 1, 1)
  {
  }

  tbb::global_control control;
  tbb::task_arena     arena;
  tbb::task_group     group;
};

gpointer
create (const BenchParams *params)
{
  return new Pool (static_cast<int> (params->workers));
}

void
post (gpointer pool,
      void   (*func) (void),
      guint64  n)
{
  auto self = static_cast<Pool *> (pool);

  self->arena.execute ([=] {
    for (guint64 i = 0; i < n; i++)
      self->group.run (func);
  });
}

void
await (gpointer pool)
{
  auto self = static_cast<Pool *> (pool);

  self->arena.execute ([=] { self->group.wait (); });
}

const BenchPeer tbb_peer = { create, post, await, nullptr };
BENCH_PEER_CONTESTANTS ("tbb", tbb_peer)

}

const BenchContestant *const bench_families[] = { tbb_peer_contestants, nullptr };
