/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The model of threads that have to get ready: what they do, in model-initializer.c,
 * and the queue that they belong to, in model-initializer-scenarios.c. */

typedef enum
{
  INIT_FAULT_NONE,
  INIT_FAULT_FAIL_APART,    /* marked as broken, and tasks ended later */
  INIT_FAULT_STALE,         /* a failure counts whatever was started since */
  INIT_FAULT_NO_RENEW,      /* a start does not make up for the threads that have left */
  INIT_FAULT_NO_PLACE,      /* who leaves does not look whether somebody counted on it */
  INIT_FAULT_LIFT_LATE,     /* the end of a run lets tasks in again when others may have started it */
  INIT_FAULT_OTHER_OPENING, /* a thread is ready that was for what has been closed */
  INIT_FAULT_OTHER_OPEN,    /* the same, before that is open again */
  INIT_FAULT_COUNT_LOST,    /* one that is in the initializer since then is counted on */
  INIT_FAULT_NO_IDLE,       /* a failure with nothing to end tells nobody */
  INIT_FAULT_WAIT_STARTING, /* the end waits for threads that get ready */
} InitFault;

typedef enum
{
  INIT_LIFE_NEW,
  INIT_LIFE_STARTING,
  INIT_LIFE_STARTED,
  INIT_LIFE_DRAINING,
  INIT_LIFE_CLOSING,
  INIT_LIFE_CLOSED,
} InitLife;

/* What the first call of the initializer does. */
typedef enum
{
  INIT_HANGS_NOT,
  INIT_HANGS_AND_SUCCEEDS,
  INIT_HANGS_AND_FAILS,
  INIT_HANGS_FOR_EVER,
} InitHang;

#define INIT_MAX_THREADS 6

typedef struct
{
  /* What two threads do, one letter for each step; see do_step(). */
  const char *owner;
  const char *other;
  int         n_workers;
  int         n_tasks;    /* there at first */
  int         n_failures; /* so many calls of the initializer may fail */
  gboolean    must_fail;  /* and the first ones do */
  gboolean    changes;    /* the number of workers does */
  InitHang    hangs;
} InitScenario;

typedef struct
{
  const InitScenario *scenario;
  InitFault fault;

  /* The queue. */
  ExMutex  ready_lock;
  ExCond   ready_cond;
  gboolean open;
  gboolean resting;
  gboolean stopping;
  gboolean broken;
  int      n_starts;
  int      n_openings;  /* not in the real one */
  int      n_ready;
  int      n_serving;
  int      limit;
  ExAtomic limit_seq;   /* not in the real one, which looks again and again */
  ExAtomic halted;      /* written with ready_lock */
  ExMutex  view_lock;
  ExCond   view_cond;
  int      n_outstanding;
  gboolean accepting;   /* ready_lock and view_lock */
  InitLife life;
  int      n_closed;
  gboolean run_active;
  gboolean run_infinite;

  /* The backend. */
  ExAtomic workers;
  ExMutex  lock;
  int      n_wanted;
  int      n_threads;
  int      n_starting;
  int      n_lost;
  int      n_opened;
  int      n_changes;
  gboolean closing;
  gboolean told;
  int      n_made;
  ExAtomic made; /* that have not begun */

  /* The initializer. */
  ExAtomic n_calls;
  ExAtomic n_failures;
  ExAtomic let_go;
} InitModel;

extern InitModel ready;

/* The queue. */
void     init_submit                 (void);
/* Returns how many there were, to be counted out. */
int      init_end_all_waiting_locked (void);
void     init_count_out              (int      n);
void     init_check_idle             (void);
gboolean init_recover_locked         (void);
void     init_follow_workers         (void);
void     init_set_workers            (int      workers);
void     init_close_backend          (void);

/* Its backend. */
void     init_puller                 (gpointer unused);
void     init_add_puller_locked      (void);
void     init_workers_changed        (void);
gboolean init_is_over_locked         (void);
void     init_backend_closed         (void);

G_END_DECLS
