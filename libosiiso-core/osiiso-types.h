/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include <gio/gio.h>

#include "osiiso-enums.h"
#include "osiiso-version-macros.h"

G_BEGIN_DECLS

typedef struct _OsiisoAttempt       OsiisoAttempt;
typedef struct _OsiisoBackend       OsiisoBackend;
typedef struct _OsiisoCall          OsiisoCall;
typedef struct _OsiisoCommand       OsiisoCommand;
typedef struct _OsiisoCommandResult OsiisoCommandResult;
typedef struct _OsiisoGroup         OsiisoGroup;
typedef struct _OsiisoHandle        OsiisoHandle;
typedef struct _OsiisoQueue         OsiisoQueue;
typedef struct _OsiisoRunSummary    OsiisoRunSummary;
typedef struct _OsiisoTaskOptions   OsiisoTaskOptions;
typedef struct _OsiisoTaskResult    OsiisoTaskResult;

/**
 * OsiisoTaskFunc:
 * @attempt: (transfer none): the attempt that this call is
 * @user_data: (closure): what was given with the function
 *
 * The work of a task.
 *
 * It is called once per attempt, in the thread or the main context that the
 * queue's backend decides on: on `main-loop` in the context that owns the queue,
 * on `thread-pool` in a worker thread. It reports through @attempt, with one of
 * the `osiiso_attempt_return_*` functions, or later from anywhere after
 * [method@Osiiso.Attempt.defer]. A function that returns without doing either
 * has succeeded with no value.
 *
 * Since: 1.0
 */
typedef void (*OsiisoTaskFunc) (OsiisoAttempt *attempt,
                                gpointer       user_data);

G_END_DECLS
