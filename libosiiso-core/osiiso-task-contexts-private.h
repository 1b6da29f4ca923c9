/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/*
 * The main contexts in which queues run tasks: what a thread keeps from going on there
 * when it blocks, whether it is in a task or not.
 *
 * A lock of its own guards the list of the queues; nothing is locked under it but the
 * locks of contexts.
 */

/* A queue has got a backend that runs tasks in the context that owns the queue, or has
 * it no more; both may be called again. */
void       osiiso_task_contexts_add     (OsiisoScheduler *scheduler);
void       osiiso_task_contexts_remove  (OsiisoScheduler *scheduler);

/* (transfer full) (nullable): those that are up to the calling thread, but for
 * @iterated, as an array of GMainContext; NULL for none. Without a lock, like the end
 * of the array. */
GPtrArray *osiiso_task_contexts_get_held (GMainContext *iterated);

G_END_DECLS
