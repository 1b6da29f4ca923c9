/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The model of what an owner is told: the outbox, in model-outbox.c, and who posts to
 * it, in model-outbox-scenarios.c. */

typedef enum
{
  OUTBOX_FAULT_NONE,
  OUTBOX_FAULT_LOOK_EARLY,     /* who posts looks without the lock whether it is armed */
  OUTBOX_FAULT_REARM_BLIND,    /* a dispatch does not look what has come meanwhile */
  OUTBOX_FAULT_REARM_ALWAYS,   /* or comes again whatever has */
  OUTBOX_FAULT_FORGET_LATE,    /* or forgets what is to be told later */
  OUTBOX_FAULT_FINISH_EARLY,   /* the source ends with ends that have not been told */
  OUTBOX_FAULT_START_LATE,     /* a start is posted when others see the attempt */
  OUTBOX_FAULT_RELEASE_EARLY,  /* a handle is let go before what is told of it */
  OUTBOX_FAULT_DROP_ORPHAN,    /* what comes after the source is lost */
  OUTBOX_FAULT_NO_PIN,         /* a reference on the queue that nobody waits for */
  OUTBOX_FAULT_DETACH_BLIND,   /* a dispose does not look whether it is held */
  OUTBOX_FAULT_DETACH_SHORT,   /* or leaves it to who holds it */
  OUTBOX_FAULT_HOLD_EARLY,     /* a submit looks whether it is held before it counts its task */
  OUTBOX_FAULT_RELEASE_BLIND,  /* it is let go without looking for work after that */
  OUTBOX_FAULT_RELEASE_UNTOLD, /* or for ends that have not been told */
  OUTBOX_FAULT_HOLD_UNTOLD,    /* a submit that comes to hold it looks for work only */
  OUTBOX_FAULT_HOLD_UNLOCKED,  /* or looks while the last one is counted out */
  OUTBOX_FAULT_ENDS_LATER,     /* it is let go before the ends that came before that */
  OUTBOX_FAULT_ENDS_AHEAD,     /* ends are told before signals of what came first */
  OUTBOX_FAULT_ENDS_WAIT,      /* or after events that came behind them */
  OUTBOX_FAULT_SETTLE_HELD,    /* that there is no work is posted only if it is held by then */
} OutboxFault;

typedef enum
{
  OUTBOX_START,
  OUTBOX_COMPLETE,
  OUTBOX_END,
  OUTBOX_PROGRESS,
  OUTBOX_DESTROY, /* of a handle */
  OUTBOX_SETTLE,
} OutboxKind;

typedef struct
{
  OutboxKind kind;
  int        record; /* -1: none */
} OutboxEvent;

/* When the source is ready. */
typedef enum
{
  OUTBOX_NEVER,
  OUTBOX_LATER,
  OUTBOX_NOW,
} OutboxTime;

#define OUTBOX_MAX_TASKS  2
#define OUTBOX_MAX_EVENTS 12

typedef struct
{
  int      n_tasks;
  gboolean running;   /* they are; otherwise somebody submits each */
  gboolean listens;   /* somebody has connected to the signals */
  gboolean notifies;  /* or to those of handles */
  guint    handled;   /* which tasks have a handle, by bits */
  guint    tokens;    /* and which ones are tokens, whose ends are told together */
  gboolean in_step;   /* ends are posted in one step with the end */
  gboolean progress;  /* of the first one */
  gboolean cancels;   /* somebody cancels the first one */
  gboolean drops;     /* somebody drops the queue */
  gboolean starts;    /* somebody without a reference has it work: who has a handle */
  gboolean owner_drops; /* or its owner, when it has been told something */
  gboolean slices;    /* a dispatch may end before all is delivered */
} OutboxScenario;

typedef struct
{
  /* With ready_lock. */
  gboolean is_running;
  gboolean is_over;
  ExAtomic submitted;
  ExAtomic begun;
  ExAtomic handled;   /* the core has its reference on the handle */
  ExAtomic n_freed;   /* that was let go */
  /* With the lock of the outbox. */
  gboolean end_posted;
  /* The owner's. */
  gboolean told_start;
  gboolean told_complete;
  gboolean told_progress;
  int      n_told_end;
} OutboxRecord;

typedef struct
{
  const OutboxScenario *scenario;
  OutboxFault  fault;
  OutboxRecord records[OUTBOX_MAX_TASKS];
  ExMutex      ready_lock;
  ExMutex      view_lock;
  ExAtomic     n_outstanding; /* its end is seen with view_lock */

  ExMutex      lock;
  OutboxEvent  events[OUTBOX_MAX_EVENTS];
  int          n_events;
  guint        ends;          /* of records, by bits */
  guint        telling;       /* the owner's: those of them that are being told */
  gboolean     is_telling;
  guint        late;          /* the same: progress */
  gboolean     armed;
  gboolean     closed;
  gboolean     has_source;
  gboolean     has_queue;
  int          n_pins;
  ExCond       pin_cond;      /* not in the real one, which looks again and again */
  ExAtomic     held;          /* written with lock */

  /* The context, of GLib. */
  ExMutex      context_lock;
  ExCond       context_cond;
  OutboxTime   ready_time;
  gboolean     destroyed;
  OutboxEvent  orphans[OUTBOX_MAX_EVENTS];
  int          n_orphans;

  /* The queue, as an object. */
  ExAtomic     n_refs;
  ExAtomic     finalized;
  gboolean     dropped;       /* the owner's */
} OutboxModel;

extern OutboxModel outbox;

void     outbox_post_signal  (OutboxKind kind,
                              int        record);
void     outbox_post         (OutboxKind kind,
                              int        record);
void     outbox_post_settled (void);
void     outbox_hold_queue   (void);
gboolean outbox_detach       (void);
void     outbox_dispatch     (void);
void     outbox_deliver      (OutboxEvent event);
void     outbox_queue_unref  (gboolean   in_owner);

G_END_DECLS
