/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-worker-settings.h"

G_BEGIN_DECLS

/*
 * OsiisoWorkerPool: the thread in which a backend starts processes, talks to them
 * and sees them end. It lives from the backend's open() until everything is over
 * after close(); it says so with osiiso_backend_closed() and is gone then.
 *
 * Others only leave word for it, in any thread.
 */
typedef struct _OsiisoWorkerPool OsiisoWorkerPool;

/* Called in the thread of the pool when everything is over: nobody may use it after
 * that. */
typedef void (*OsiisoWorkerPoolOver) (OsiisoBackend *backend);

/* Takes over what @settings point to. NULL when there can be no thread. */
OsiisoWorkerPool *osiiso_worker_pool_new             (OsiisoBackend              *backend,
                                                      const OsiisoWorkerSettings *settings,
                                                      OsiisoWorkerPoolOver        over,
                                                      GError                    **error);

void              osiiso_worker_pool_wake            (OsiisoWorkerPool *self);
/* What a command has written by now, if that is what it runs. (transfer full)
 * (nullable) */
OsiisoCommandResult *osiiso_worker_pool_interrupt    (OsiisoWorkerPool *self,
                                                      OsiisoAttempt    *attempt);
void              osiiso_worker_pool_workers_changed (OsiisoWorkerPool *self);
void              osiiso_worker_pool_close           (OsiisoWorkerPool *self);

void              osiiso_worker_settings_clear       (OsiisoWorkerSettings *settings);

G_END_DECLS
