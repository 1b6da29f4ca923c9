/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench-peer.h"

/* Qt's own words are names in GLib's headers. */
#include <QRunnable>
#include <QThreadPool>

/* Qt: a QThreadPool of its own, with four priorities in turn. */

namespace
{

class Task : public QRunnable
{
public:
  explicit Task (void (*task_func) (void))
    : func (task_func)
  {
  }

  void
  run () override
  {
    func ();
  }

private:
  void (*func) (void);
};

gpointer
create (const BenchParams *params)
{
  auto pool = new QThreadPool;

  pool->setMaxThreadCount (static_cast<int> (params->workers));
  pool->setExpiryTimeout (-1);
  return pool;
}

void
post (gpointer pool,
      void   (*func) (void),
      guint64  n)
{
  auto self = static_cast<QThreadPool *> (pool);

  for (guint64 i = 0; i < n; i++)
    self->start (new Task (func), static_cast<int> (i % BENCH_N_PRIORITIES));
}

class Pass : public QRunnable
{
public:
  explicit Pass (BenchGate *a_gate)
    : gate (a_gate)
  {
  }

  void
  run () override
  {
    bench_gate_pass (gate);
  }

private:
  BenchGate *gate;
};

/* As waitForDone(), which also ends the threads: everything before this has ended once each
 * of them is in here. */
void
await (gpointer pool)
{
  auto self = static_cast<QThreadPool *> (pool);
  auto gate = bench_gate_new ();
  auto n = static_cast<guint> (self->maxThreadCount ());

  for (guint i = 0; i < n; i++)
    self->start (new Pass (gate), -1);
  bench_gate_await (gate, n);
  bench_gate_open (gate);
}

void
urgent (gpointer pool,
        void   (*func) (void))
{
  static_cast<QThreadPool *> (pool)->start (new Task (func), BENCH_N_PRIORITIES);
}

const BenchPeer qt = { create, post, await, urgent };
BENCH_PEER_CONTESTANTS ("qt", qt)

void
urgent_qt (const BenchParams *params)
{
  bench_peer_urgent (params, &qt);
}

const BenchContestant urgent_contestants[] = {
  { "urgent-qt", urgent_qt, nullptr },
  { nullptr, nullptr, nullptr },
};

}

const BenchContestant *const bench_families[] = { qt_contestants, urgent_contestants, nullptr };
