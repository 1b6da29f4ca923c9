/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The work of a task; also of those in worker processes. */
static inline void
bench_spin (guint64 iterations)
{
  guint64 x = iterations;

  for (guint64 i = 0; i < iterations; i++)
    {
      x = x * 6364136223846793005u + 1442695040888963407u;
      /* So that the compiler cannot see through it. */
      __asm__ volatile ("" : "+r" (x));
    }
}
