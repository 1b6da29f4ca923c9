/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "index-options.h"
#include "index-store.h"
#include "index-totals.h"

G_BEGIN_DECLS

/* All that the reports are made of; nothing here is owned. */
typedef struct
{
  const IndexOptions *options;
  const IndexTotals  *totals;
  OsiisoRunSummary   *summary; /* of the hash queue's run */
  IndexStore         *store;
  gboolean            interrupted;
} IndexReport;

gboolean index_report_print_text (const IndexReport *self,
                                  GError           **error);
gboolean index_report_print_json (const IndexReport *self,
                                  GError           **error);

G_END_DECLS
