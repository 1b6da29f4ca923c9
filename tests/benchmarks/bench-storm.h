/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Calls wait that are so far behind the start at which a worker was to be killed, so
 * that none is spared because nobody had the time for that. */
#define BENCH_STORM_AHEAD 16

/* Calls note here, in a file that all processes have in their memory, that they
 * have begun: in the order in which that happened. */
typedef struct
{
  gint32  pid;
  guint32 index;
} BenchStart;

typedef struct
{
  guint      n;   /* atomic */
  guint      due; /* atomic; so many starts until a worker is killed, about */
  guint      size;
  BenchStart starts[];
} BenchLog;
