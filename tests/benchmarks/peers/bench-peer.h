/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../bench.h"

G_BEGIN_DECLS

/*
 * An executor of another library. Each is a program of its own, so that none is loaded
 * into the process in which another one is measured.
 */
typedef struct
{
  /* With threads that have not been started yet, perhaps. */
  gpointer (*create) (const BenchParams *params);
  /* Submits so many tasks that call func; in turn with as many priorities as ours, if it
   * knows of priorities. The loop is in here so that a task costs no call more. */
  void     (*post)   (gpointer           pool,
                      void             (*func) (void),
                      guint64            n);
  /* Returns when all tasks have run. */
  void     (*wait)   (gpointer           pool);
  /* Submits a task before all others; NULL: it has no priorities. */
  void     (*urgent) (gpointer           pool,
                      void             (*func) (void));
} BenchPeer;

/* Many small tasks, from the first post to the end of the last one. */
void bench_peer_throughput (const BenchParams *params,
                            const BenchPeer   *peer);
void bench_peer_idle       (const BenchParams *params,
                            const BenchPeer   *peer);
void bench_peer_urgent     (const BenchParams *params,
                            const BenchPeer   *peer);
/* Posts while nothing runs, then runs all; reports the memory too. */
void bench_peer_curve      (const BenchParams *params,
                            const BenchPeer   *peer);

/* The contestants that each peer has: NAME, idle-NAME and curve-NAME. */
#define BENCH_PEER_CONTESTANTS(name, peer)                                                        \
  static void peer##_throughput (const BenchParams *params) { bench_peer_throughput (params, &peer); } \
  static void peer##_idle (const BenchParams *params) { bench_peer_idle (params, &peer); }        \
  static void peer##_curve (const BenchParams *params) { bench_peer_curve (params, &peer); }      \
  static const BenchContestant peer##_contestants[] = {                                           \
    { name, peer##_throughput, NULL },                                                                  \
    { "idle-" name, peer##_idle, NULL },                                                                \
    { "curve-" name, peer##_curve, NULL },                                                              \
    { NULL, NULL, NULL },                                                                                     \
  };

G_END_DECLS
