/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/*
 * OsiisoTaskList: the tasks of a queue that have not finished, as a GListModel of
 * handles. Of the owner's context alone; it hears of changes by the outbox, many at
 * a time, so that workers never wait for it.
 *
 * From its first moment on the scheduler notes every task that comes in and every
 * end, in one step with either.
 */
#define OSIISO_TYPE_TASK_LIST (osiiso_task_list_get_type ())
G_DECLARE_FINAL_TYPE (OsiisoTaskList, osiiso_task_list, OSIISO, TASK_LIST, GObject)

/* Begins to note changes. */
OsiisoTaskList *osiiso_task_list_new     (OsiisoScheduler *scheduler);

/* Tells what has changed; in the owner's context. Takes over @changes, of
 * OsiisoTaskChange. */
void            osiiso_task_list_update  (OsiisoTaskList  *self,
                                          GArray          *changes);

/* Ends that: the list is empty from then on, which is told in the owner's context.
 * Takes over the reference. Any thread. */
void            osiiso_task_list_close   (OsiisoTaskList  *self);

G_END_DECLS
