/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "index-totals.h"

G_BEGIN_DECLS

/*
 * IndexProgress: says on stderr how far the job is, as long as it lives. On a
 * terminal that is one line which is written anew ten times a second, elsewhere
 * a line every two seconds.
 *
 * Standard error, so that it can be seen while the report goes to a file.
 */
typedef struct _IndexProgress IndexProgress;

IndexProgress *index_progress_new   (const IndexTotals *totals);
void           index_progress_free  (IndexProgress *self);

/* Makes room for another message; the line comes back with the next tick. */
void           index_progress_erase (IndexProgress *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (IndexProgress, index_progress_free)

G_END_DECLS
