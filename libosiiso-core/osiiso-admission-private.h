/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <pthread.h>

#include "osiiso-record-private.h"

G_BEGIN_DECLS

/* What becomes of tasks that want to come in. */
typedef enum
{
  OSIISO_ENTRY_NONE,        /* has not asked */
  OSIISO_ENTRY_WAITS,       /* in line */
  OSIISO_ENTRY_ADMITTED,    /* the places are counted */
  OSIISO_ENTRY_FULL,        /* no room, or others wait for it */
  OSIISO_ENTRY_TOO_MANY,    /* more than ever fit */
  OSIISO_ENTRY_CLOSED,
  OSIISO_ENTRY_NO_MEMORY,
  OSIISO_ENTRY_LAST_WORKER, /* a task that waits would leave no worker for others */
  OSIISO_ENTRY_STUCK,       /* a task that waits would do so for itself */
  OSIISO_ENTRY_CYCLE,       /* the same for tasks that wait for it */
  OSIISO_ENTRY_LEFT,        /* gave up waiting */
  OSIISO_ENTRY_CANCELLED,   /* by the cancellable of the options, just now */
} OsiisoEntry;

/*
 * Whoever waits for room, on the stack of a thread that blocks or with a GTask.
 *
 * Constant while it is in line: n, record, wait, task, answered.
 * Guarded by the inbox lock: the rest. Once entry is something else than WAITS,
 * nobody but the owner of this touches it, after the signal or the return of the
 * GTask that tells so.
 */
typedef struct _OsiisoRoomWaiter OsiisoRoomWaiter;

struct _OsiisoRoomWaiter
{
  OsiisoLink     link;
  OsiisoEntry    entry;
  guint          n;      /* places */
  OsiisoRecord  *record; /* (nullable): put into the queue in the step that admits it.
                          * NULL: the places are reserved, and the records follow */
  OsiisoWait    *wait;   /* (nullable): of a thread that blocks */
  GTask         *task;   /* (nullable) (owned), of an asynchronous call */
  void         (*answered) (OsiisoRoomWaiter *self); /* with a GTask: puts the records into reserved places,
                                                      * or releases them; without a lock, in any thread */
  pthread_cond_t cond;   /* without a GTask: signalled with the inbox lock */
};

#define OSIISO_ROOM_WAITER_FROM_LINK(l) ((OsiisoRoomWaiter *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoRoomWaiter, link)))

/*
 * OsiisoAdmission: how many tasks a queue may have outstanding, and who waits to
 * come in. A part of the scheduler.
 *
 * Places are taken only under the inbox lock, where the number of outstanding
 * tasks is looked at before, so there are never more of them than size. They are
 * freed under the ready lock, where an ended task is counted out; after that
 * whoever freed one looks at n_waiting, and if somebody waits serves the line.
 *
 * No wake-up is lost. The waiter, with both locks:
 *
 *   W1  adds itself to the line and to n_waiting
 *   W2  serves the line: looks whether there is room
 *
 * Whoever ends a task:
 *
 *   E1  counts it out, with the ready lock
 *   E2  looks at n_waiting; if it is not 0, serves the line, with both locks
 *
 * W1 and W2 are one step for E1. If it comes before them, the waiter finds the
 * place itself; else E2 sees the waiter. Whoever is admitted or leaves may uncover
 * another one who fits; so the line is always served up to the first who does not,
 * or to an asynchronous one whose records follow. Nobody comes in until they have,
 * or later tasks would run before them; who has put them in serves the rest of the
 * line then. A thread that blocks puts in its own, some time after it has woken.
 *
 * A queue without a limit has nobody in line: it pays for one look at n_waiting
 * with each end of a task and one at size with each push.
 *
 * Who is admitted is counted as outstanding first and in n_waiting no longer
 * then. So whoever looks in the other order, n_waiting first, never finds a queue
 * without work in between (osiiso_scheduler_has_work). A run does not end while
 * somebody waits; otherwise those who wait longer would do so for a queue at
 * rest. Whoever leaves the line another way tells that there may be no work left.
 */
typedef struct
{
  _Atomic guint size;      /* inbox_lock; 0: no limit */
  _Atomic guint n_waiting; /* inbox_lock: the length of the line */
  OsiisoLink    line;      /* inbox_lock: of OsiisoRoomWaiter, in the order of arrival */
  gboolean      entering;  /* inbox_lock: the records of an asynchronous one follow */
} OsiisoAdmission;

void        osiiso_admission_init          (OsiisoAdmission *self);
void        osiiso_admission_set_size      (OsiisoScheduler *scheduler,
                                            guint            size);

/* Whether @n newcomers may come in now; with the inbox lock. */
OsiisoEntry osiiso_admission_judge_locked  (OsiisoScheduler *scheduler,
                                            guint            n);

/* Blocks until there is room for @n tasks. Starts the queue if it rests. With
 * @record that is in the queue then; without, the places are reserved for a push
 * or to be given back. */
gboolean    osiiso_admission_wait          (OsiisoScheduler *scheduler,
                                            OsiisoRecord    *record,
                                            guint            n,
                                            GCancellable    *cancellable,
                                            GError         **error);
void        osiiso_admission_give_back     (OsiisoScheduler *scheduler,
                                            guint            n);

/* Lets those in who fit, and refuses all when the queue takes nothing any more. To
 * be called, without a lock, after a place was freed, and after that has changed
 * unless a place is freed then anyway. */
void        osiiso_admission_update        (OsiisoScheduler *scheduler);

/* Whether @scheduler has to be started for those who wait. */
gboolean    osiiso_admission_needs_start   (OsiisoScheduler *scheduler);

/* Gets in line, or in at once. A GTask is completed when there is an answer, which
 * may be now. */
OsiisoEntry osiiso_admission_enter         (OsiisoScheduler  *scheduler,
                                            OsiisoRoomWaiter *waiter);
/* TRUE when it was still in line. */
gboolean    osiiso_admission_leave         (OsiisoScheduler  *scheduler,
                                            OsiisoRoomWaiter *waiter);

/* Whether the delay or the deadline of a task has passed while it was in line. */
gboolean    osiiso_admission_is_due        (OsiisoRecord *record);

void        osiiso_admission_set_error     (OsiisoScheduler *scheduler,
                                            OsiisoEntry      entry,
                                            guint            n,
                                            GError         **error);

G_END_DECLS
