/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-command.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-params-private.h"

G_BEGIN_DECLS

/* The task function of commands, for a backend that calls it instead of running
 * the program; the data is the snapshot. */
void              osiiso_command_perform    (OsiisoAttempt   *attempt,
                                             gpointer         command);

/* What a submit keeps: a copy that nobody can change. NULL with INVALID when it
 * cannot be run, with NOT_SUPPORTED when the backend does not. */
OsiisoCommand    *osiiso_command_snapshot   (OsiisoCommand   *self,
                                             OsiisoScheduler *scheduler,
                                             GError         **error);

/* Params with nothing but a name. */
OsiisoTaskParams *osiiso_command_new_params (OsiisoCommand   *self);

G_END_DECLS
