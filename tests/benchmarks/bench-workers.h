/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench.h"

G_BEGIN_DECLS

/* Queues of worker processes. */

#define BENCH_MODULE "osiiso-bench-functions:"
/* Seconds that a worker has when it is asked to end. */
#define BENCH_GRACE  0.1

OsiisoQueue  *bench_workers_new    (const BenchParams *params);
/* Waits for the processes: the driver counts their time as ours. */
void          bench_workers_free   (OsiisoQueue       *queue);
OsiisoHandle *bench_workers_submit (OsiisoQueue       *queue,
                                    const char        *function,
                                    GVariant          *args);
void          bench_workers_await  (OsiisoHandle      *handle);
/* Of the worker that answers. */
int           bench_workers_pid    (OsiisoQueue       *queue);
/* As bench_end(), with the processes. Frees the queue, if there is one: then they are
 * gone. */
void          bench_workers_end    (BenchStretch      *stretch,
                                    guint64            n,
                                    OsiisoQueue       *queue);

G_END_DECLS
