/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-attempt-private.h"
#include "osiiso-batch-private.h"
#include "osiiso-waiter-private.h"

G_BEGIN_DECLS

/* What a thread in a task blocks for. */
typedef enum
{
  OSIISO_WAIT_TASK,   /* the end of record */
  OSIISO_WAIT_GROUP,  /* the end of all members of batch */
  OSIISO_WAIT_MEMBER, /* the next end of a member of batch, for waiter in its line */
  OSIISO_WAIT_WORK,   /* the end of all work of scheduler */
  OSIISO_WAIT_ROOM,   /* a place in scheduler, for room in its line */
} OsiisoWaitKind;

/* Why a wait would never end. */
typedef enum
{
  OSIISO_HOPELESS_SELF,    /* the task waits for itself */
  OSIISO_HOPELESS_WORKERS, /* tasks that wait have all workers */
  OSIISO_HOPELESS_CONTEXT, /* a thread that waits keeps the main context */
  OSIISO_HOPELESS_PLACES,  /* tasks that wait have the places */
  OSIISO_HOPELESS_CYCLE,   /* what it waits for waits for the task */
} OsiisoHopeless;

/*
 * OsiisoWait: a wait of a thread that is in a task, or that keeps a main context in
 * which tasks run, on its stack, and with all others of the process a graph that tells
 * which of them can still end.
 *
 * A task goes on only when the wait of its thread has ended, and so does what runs in a
 * context that the thread would have to iterate. A wait is hopeless when
 * all that could end it is up to tasks of threads in hopeless waits: for a task that
 * runs, itself; for one that has to be run, all workers of its queue, or its context;
 * for room, those that have the places. The hopeless waits are what is left when all others, one after
 * the other, are taken out. Whatever else a task does ends some day, as far as is
 * known here, so no wait is refused that could end.
 *
 * Whoever begins to wait looks, and is refused when it would be the one that makes
 * others hopeless. Usually a wait stays as it was then. Where it need not, because
 * less is left that it could wait for, osiiso_wait_graph_update() refuses as few
 * waits as it takes, and those that block are woken. That nobody is missed:
 *
 *   W1  adds itself to the graph
 *   W2  looks at workers, places and tasks, with their locks
 *
 *   C1  changes one of these, with its lock
 *   C2  looks whether there are waits; if so looks at all of them
 *
 * Either W2 sees the change or C2 sees the wait.
 *
 * The lock of the graph comes before those of batches and schedulers. It guards
 * link and state, and mark and holds of the frames. Waits of threads that hold nothing,
 * and those with a time limit, are not in the graph; nor is anything without such waits
 * made slower by it than by the look whether there are any.
 */
struct _OsiisoWait
{
  OsiisoWaitKind   kind;
  OsiisoScheduler *scheduler;
  union
  {
    OsiisoRecord     *record;
    OsiisoBatch      *batch;
    OsiisoRoomWaiter *room;
  };
  OsiisoWaiter    *waiter;   /* with OSIISO_WAIT_MEMBER */
  gboolean         limited;  /* it ends when its time is over */
  gboolean         iterates; /* the context of scheduler, so that tasks run there */
  gboolean         cuts;     /* of work: when a time is over what need not complete is cancelled */

  gboolean         in_graph;
  OsiisoTaskFrame *frames;   /* (nullable): of the tasks that its thread is in */
  GPtrArray       *contexts; /* (nullable) (owned): that its thread keeps; constant while
                              * it is in the graph */
  OsiisoLink       link;
  guint            state;
  OsiisoHopeless   why;      /* when it is refused */
  _Atomic gboolean refused;
};

/* Before the thread blocks. FALSE with WOULD_DEADLOCK when that would never end. */
gboolean osiiso_wait_enter     (OsiisoWait *self,
                                GError    **error);
/* After that has returned TRUE. */
void     osiiso_wait_leave     (OsiisoWait *self);
gboolean osiiso_wait_set_error (OsiisoWait *self,
                                GError    **error);

/* Once the wait is hopeless, which may come while the thread blocks. */
static inline gboolean
osiiso_wait_is_refused (OsiisoWait *self)
{
  return atomic_load (&self->refused);
}

/* Without a lock, when there are fewer workers or places, when a task has to be run
 * again, when there are more members, or when a time limit was lifted. */
void     osiiso_wait_graph_update (void);
/* How many waits there are. */
guint    osiiso_wait_graph_count  (void);

G_END_DECLS
