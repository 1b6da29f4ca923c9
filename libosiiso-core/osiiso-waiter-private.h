/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/*
 * OsiisoWaiter: the task data of a GTask that waits for something in the queue.
 *
 * The GTask is owned by the list that it waits in, and whoever takes it out of
 * that list, under the lock of the list, completes it. A cancelled wait takes
 * itself out, so cancelling never has to wait for what was waited for.
 *
 * Where threads may block for the same thing, they are in the list with one on
 * their stack that has no GTask. It is answered once, which is the last that
 * others do with it.
 */
typedef struct _OsiisoWaiter OsiisoWaiter;

/* Returns the task with what was waited for; in the task's context. FALSE when
 * it has to wait on after all and is in its list again. */
typedef gboolean (*OsiisoWaiterFinish) (GTask *task);
/* TRUE when the task was still in its list and has been taken out. */
typedef gboolean (*OsiisoWaiterRemove) (GTask *task);

struct _OsiisoWaiter
{
  OsiisoWaiterFinish finish;
  OsiisoWaiterRemove remove;
  GSource           *cancel_source; /* (nullable) (owned) */
  GTask             *task;          /* (nullable), not owned */
  guint              index;         /* of the group member that ended */
  _Atomic gboolean   answered;      /* without a GTask: index is there */
};

/* To be called before the task is put into its list. */
void          osiiso_waiter_init     (GTask             *task,
                                      OsiisoWaiterFinish finish,
                                      OsiisoWaiterRemove remove);
OsiisoWaiter *osiiso_waiter_get      (GTask             *task);
/* In the task's context; drops the reference that the list had. */
void          osiiso_waiter_complete (GTask             *task);

G_END_DECLS
