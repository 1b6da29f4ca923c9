/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-record-private.h"
#include "osiiso-run-summary.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 succeeded;
  guint64 failed;
  guint64 cancelled;
} OsiisoRunCounts;

/* Takes a reference on @scheduler and takes over @records, finished records on
 * each of which the array holds a reference (its free function drops it). The
 * counts may exceed the number of records: successes of pushed tasks are
 * counted and not kept. */
OsiisoRunSummary *osiiso_run_summary_new (OsiisoScheduler       *scheduler,
                                          GPtrArray             *records,
                                          const OsiisoRunCounts *counts,
                                          gboolean               timed_out,
                                          double                 duration);

G_END_DECLS
