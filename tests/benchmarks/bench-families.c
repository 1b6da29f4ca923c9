/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

/* What the program osiiso-bench has. */
const BenchContestant *const bench_families[] = {
  bench_limits,
  bench_threads,
  bench_latency,
  bench_memory,
  bench_backlog,
  bench_main_context,
  bench_subprocess,
  bench_replacements,
  bench_storm,
  NULL
};
