/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The model of who is woken for a task and who takes it: the protocol, in
 * model-take.c, and what is done with it, in model-take-scenarios.c. */

typedef enum
{
  TAKE_FAULT_NONE,
  TAKE_FAULT_PEEK_EARLY,    /* sleepers looked at before the ready lock is had */
  TAKE_FAULT_WAKING_EARLY,  /* cleared before the lists are looked at: more are woken than needed */
  TAKE_FAULT_WAKING_LATE,   /* cleared after them */
  TAKE_FAULT_ONE_LOCK,      /* a sleeper registers with the inbox lock only */
  TAKE_FAULT_REST_SILENT,   /* who takes one of two tasks does not announce the other */
  TAKE_FAULT_LIMIT_SILENT,  /* a limit is raised without announcing */
  TAKE_FAULT_RESUME_SILENT, /* a pause ends without announcing */
  TAKE_FAULT_TICK_SILENT,   /* a delay ends without announcing */
  TAKE_FAULT_SHRINK_SILENT, /* a limit is lowered without telling those who sleep */
  TAKE_FAULT_CLOSE_SILENT,  /* the same for the end */
  TAKE_FAULT_LOOK_ONCE,     /* the main loop goes to sleep without looking again */
  TAKE_FAULT_END_SILENT,    /* the end of an attempt makes room without announcing */
  TAKE_FAULT_HALT_SILENT,   /* a halt ends without announcing */
  TAKE_FAULT_TIMER_SILENT,  /* who finds that nothing may begin yet sets no timer */
  TAKE_FAULT_AHEAD_LIMITED, /* nobody is told beyond the limit, who takes ahead neither */
  TAKE_FAULT_AHEAD_FORGET,  /* who asks for one that begins forgets that it takes ahead */
  TAKE_FAULT_AHEAD_ONCE,    /* who takes ahead parks without looking again */
  TAKE_FAULT_BACK_SILENT,   /* what is given back is not announced */
} TakeFault;

typedef enum
{
  PULLERS_SERVE, /* osiiso_backend_serve() */
  PULLERS_TAKE,  /* osiiso_backend_take_wait(), and a report */
  PULLERS_LOOP,  /* osiiso_backend_serve_for() in a main loop */
  PULLERS_AHEAD, /* osiiso_backend_take() and _take_ahead(), for a worker elsewhere */
} Pullers;

typedef struct
{
  Pullers  pullers;
  int      n_pullers;
  int      n_tasks;
  gboolean batch;     /* all in one push */
  gboolean needy;     /* the first one needs the second */
  guint    tokens;    /* which ones are, by bits */
  gboolean complex;   /* ends of tasks are not merged with the next take */
  gboolean defers;    /* the first one ends in another thread */
  int      window;    /* how many are taken ahead */
  gboolean returns;   /* the first of these is given back by another thread */
  gboolean asks_last; /* for one that may begin, although there is no room */
  gboolean crashes;   /* a worker may give back all of them when it ends one */
  int      n_retries;
  int      limit;     /* 0: as many as pullers */
  int      limits[2]; /* somebody sets these then; 0: no more */
  gboolean paused;
  gboolean pauses;    /* somebody pauses and resumes */
  gboolean resting;   /* and somebody starts it */
  gboolean halts;     /* somebody cancels what does not have to be completed; all of this has to */
  gboolean rated;     /* one start for each step of the clock, which a timer moves */
  int      n_delayed; /* further tasks, of a timer */
  int      n_closes;  /* when all is done; opened again, and more tasks, but after the last */
} TakeScenario;

/* The fields have the names that they have in OsiisoScheduler. Tasks are numbers,
 * in the order in which they are taken; lists are how many they hold. */
typedef struct
{
  const TakeScenario *scenario;
  TakeFault fault;

  ExMutex  ready_lock;
  int      n_ready;
  int      n_taken;
  int      n_begun;    /* not in the real one, like the next */
  int      n_reserved;
  int      n_returned;
  int      n_retries;
  int      n_active;
  int      limit;
  int      n_serving;
  int      n_halting;
  int      n_out;
  int      limiter; /* when the next one may begin */
  gboolean paused;
  gboolean resting;
  gboolean open;

  ExMutex  inbox_lock;
  ExCond   inbox_cond;
  int      n_inbox;
  int      tokens;
  gboolean waking;
  int      n_coming; /* who has had a token and has not looked yet; not in the real one */
  int      shrunk;
  gboolean stopping;

  ExAtomic inbox_dirty;   /* written with inbox_lock */
  ExAtomic sleepers;      /* written with inbox_lock */
  ExAtomic parked;        /* written with inbox_lock: bits */
  ExAtomic n_in;          /* written with inbox_lock */

  /* The main loop. */
  ExMutex  context_lock;
  ExCond   context_cond;
  gboolean ready_time;
  gboolean head_done;  /* PULLERS_AHEAD: the worker has */

  /* The timers. */
  ExMutex  timer_lock;
  ExCond   timer_cond;
  int      armed; /* 0: not */
  ExAtomic clock;

  /* Of the tasks. */
  ExAtomic second_runs;
  ExAtomic deferred;
  ExAtomic begun[3];
  ExAtomic second_reserved;
  ExAtomic round_over;
} TakeModel;

extern TakeModel take;

typedef struct
{
  gboolean signal;
  gboolean backend;
} TakeWake;

void     take_announce_locked (TakeWake *wake);
void     take_act             (const TakeWake *wake);
gboolean take_nobody_sleeps   (void);
void     take_set_ready_time  (gboolean ready);
void     take_push            (int n);
void     take_attempt_ended   (void);

/* What the threads of a backend call. */
void     take_serve           (void);
void     take_and_report      (void);
gboolean take_serve_for       (gboolean slice);
gboolean take_now             (void);
gboolean take_ahead           (void);
void     take_begin           (void);
void     take_give_back       (void);

G_END_DECLS
