/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-record-private.h"
#include "osiiso-task-result.h"

G_BEGIN_DECLS

/* A view of @record, which is finished; takes references on both. The record
 * lives in the memory of the scheduler, hence both. */
OsiisoTaskResult *osiiso_task_result_new        (OsiisoScheduler  *scheduler,
                                                 OsiisoRecord     *record);

G_END_DECLS
