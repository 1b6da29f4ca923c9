/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>

#include "osiiso-admission-private.h"
#include "osiiso-outbox-private.h"
#include "osiiso-rate-limiter-private.h"
#include "osiiso-ready-list-private.h"
#include "osiiso-record-pool-private.h"
#include "osiiso-record-private.h"
#include "osiiso-run-summary-private.h"
#include "osiiso-signal-flag-private.h"
#include "osiiso-timer-service-private.h"

G_BEGIN_DECLS

typedef struct _OsiisoInitializer OsiisoInitializer;
typedef struct _OsiisoRunner      OsiisoRunner;

/* What is written in one is kept apart from what others read in it all the time. */
#define OSIISO_CACHE_LINE 64

/* Who has to be told about runnable tasks; decided under locks, acted upon
 * after they are released. */
typedef struct
{
  gboolean signal;  /* one thread in take_wait() */
  guint    backend; /* the backend, about that many tasks */
} OsiisoWake;

/* What a task is made of, on the way in: a function with its data, and, for one that
 * somebody may ask about, what he asks. */
typedef struct
{
  OsiisoTaskFunc   func;
  gpointer         data;
  GDestroyNotify   destroy;
  OsiisoRecordExt *ext;    /* (nullable) */
  OsiisoHandle    *handle; /* (nullable): unbound; not without the former */
} OsiisoPayload;

/* What a backend that is to be woken has asked for in vain. */
enum
{
  OSIISO_PARKED       = 1 << 0, /* take() */
  OSIISO_PARKED_AHEAD = 1 << 1, /* take_ahead(), which the limit does not hold back */
};

typedef enum
{
  OSIISO_LIFE_NEW,      /* accepts tasks, none runs */
  OSIISO_LIFE_STARTING, /* a thread is in the backend's open() */
  OSIISO_LIFE_STARTED,
  OSIISO_LIFE_DRAINING, /* started, accepts nothing, ends when no work is left */
  OSIISO_LIFE_CLOSING,  /* the backend was told to close */
  OSIISO_LIFE_CLOSED,
} OsiisoLife;

/* Who starts a queue. */
typedef enum
{
  OSIISO_START_WORK, /* a call that waits for work */
  OSIISO_START_OPEN, /* osiiso_queue_start(): what a failure halted outside a run goes on */
  OSIISO_START_RUN,  /* a run */
} OsiisoStart;

/* What a run is begun with. */
typedef struct
{
  double              timeout;     /* seconds, 0: none */
  int                 fail_policy; /* -1: the queue's */
  OsiisoTimeoutPolicy on_timeout;
  gboolean            infinite;
} OsiisoRunTerms;

/* A run in progress; see osiiso-queue-run.c. */
typedef struct
{
  gboolean            active;
  gboolean            infinite;
  gboolean            limited;   /* there is a timeout */
  gboolean            timed_out;
  OsiisoTimeoutPolicy on_timeout;
  gint64              started;
  guint               first_result;
  OsiisoRunCounts     counts; /* at its start */
  GTask              *task;   /* (nullable) (owned), of run_async() */
} OsiisoRun;

/*
 * OsiisoScheduler: decides what runs and when. Private, reference counted, and
 * apart from the OsiisoQueue, so that worker threads and views of tasks never
 * touch the public object.
 *
 * Four locks, taken in this order, none held while calling out:
 *
 *   ready_lock  what a backend takes from, timers, running attempts, limits, results
 *   inbox_lock  what submits touch, and who sleeps
 *   view_lock   handles, waiters, the life cycle and the run
 *   outbox.lock see OsiisoOutbox
 *
 * And name_lock, within which nothing but one reference is taken: what writes logs
 * needs the name, wherever somebody logs.
 *
 * Wake-ups. A puller that finds nothing registers itself (sleepers, parked)
 * while it holds both the ready and the inbox lock, after it looked at both
 * lists. A submit appends under the inbox lock and looks there for somebody to
 * wake. So either the puller saw the task or the submit sees the puller. At
 * most one thread is being woken at a time (waking); that thread clears the
 * flag under the inbox lock when it arrives, looks at both lists, and wakes the
 * next one if it leaves something behind. A task that cannot be taken because
 * of the limit or a pause is announced again by whoever lifts that, under the
 * same two locks; because of the rate, by the timer, which whoever finds this out
 * sets before it releases the ready lock.
 */
struct _OsiisoScheduler
{
  OsiisoRefCount ref_count;
  OsiisoOutbox       outbox;
  OsiisoTimerClient  client;
  OsiisoBackendCapabilities capabilities; /* constant once there is a backend */
  GError            *backend_error; /* (nullable) (owned), why there is none, constant once the queue is made */
  OsiisoLink       context_link; /* see osiiso-task-contexts-private.h */
  OsiisoRunner      *runner;       /* (nullable) (owned), constant while there is work */

  /* read all the time and seldom written, under the lock that is named */
  _Alignas (OSIISO_CACHE_LINE)
  _Atomic gboolean   halted;        /* ready_lock and inbox_lock: a run was aborted, no new work */
  _Atomic gboolean   accepting;     /* inbox_lock */
  _Atomic gboolean   started;       /* ready_lock: not resting */
  _Atomic gboolean   keep_results;
  gboolean           tracks_tasks;  /* ready_lock and inbox_lock to write, one to read: the
                                     * queue has a list of its tasks */
  _Atomic int        fail_policy;
  _Atomic int        run_fail_policy; /* view_lock: of a run that has its own, or -1 */
  OsiisoAdmission    room;          /* see there */

  /* where who submits and who takes meet */
  _Alignas (OSIISO_CACHE_LINE)
  _Atomic gboolean   inbox_dirty;   /* inbox_lock: something may be in the inbox */
  _Atomic guint      sleepers;      /* inbox_lock, and ready_lock to add one: threads
                                     * in take_wait() that wait */
  _Atomic guint      parked;        /* the same: OSIISO_PARKED bits, what has returned NULL
                                     * since the last wake */

  /* ready_lock; the atomic ones are read anywhere */
  _Alignas (OSIISO_CACHE_LINE)
  pthread_mutex_t    ready_lock;
  _Atomic guint64    n_out;         /* of the tasks that came in, how many have ended;
                                     * it reaches n_in only under all three locks */
  _Atomic guint64    n_completed;
  _Atomic guint      n_active;      /* without those that are reserved */
  guint              limit;         /* attempts at a time */
  guint              n_serving;     /* threads in serve(), but for those that are stuck */
  guint              n_halting;     /* threads that cancel what a halt has doomed */
  gboolean           open;          /* between the backend's open() and close() */
  gboolean           resting;       /* not started, or not started again after a run */
  gboolean           paused;
  gboolean           may_listen;    /* a queue is there that somebody may hear */
  gboolean           has_slots;     /* its class handles a signal */
  OsiisoSignalFlag   signal_flag;   /* of the queue; valid while may_listen */
  OsiisoLink         running;       /* attempts that are open */
  OsiisoRunCounts    counts;        /* of what ended, without detached tasks */
  GPtrArray         *results;       /* of OsiisoRecord, owned; in the order of completion */
  OsiisoRateLimiter  limiter;       /* of the starts of attempts */
  OsiisoReadyList    ready;
  OsiisoDeadlineHeap returned;      /* runnable again after a delay: (priority, seq) */
  OsiisoDeadlineHeap delays;        /* of records that wait for a time: (time, seq) */
  OsiisoDeadlineHeap timeouts;      /* of attempts: (time, seq) */
  OsiisoDeadlineHeap deadlines;     /* of tasks: (time, seq) */
  _Atomic guint      n_scheduled;
  gint64             run_deadline;  /* 0: none */
  gboolean           will_tick;     /* somebody is about to call tick(), which arms */
  _Atomic gboolean   run_overdue;   /* it came when the run had no work; counts when
                                     * the run gets some before its end */
  gint64             shutdown_deadline; /* of a shutdown that is under way; 0: none */
  double             shutdown_timeout;  /* as it was set */
  OsiisoInitializer *initializer;   /* (nullable) (owned) */
  gboolean           broken;        /* it failed; no retry follows while this is halted */
  guint              n_starts;      /* which start a call of it belongs to */
  double             rate;          /* as it was set; the limiter has one that makes sense */
  guint              burst;         /* as well */
  GHashTable        *watches;       /* (nullable): OsiisoCancelWatch by GCancellable, neither owned */

  /* inbox_lock */
  _Alignas (OSIISO_CACHE_LINE)
  pthread_mutex_t    inbox_lock;
  _Atomic guint64    n_in;      /* tasks that came in; read anywhere */
  guint32            next_seq;
  guint              tokens;    /* sleepers that may leave */
  gboolean           waking;    /* one of them is on its way */
  guint              shrunk;    /* how often the limit was lowered */
  gboolean           stopping;  /* take_wait() returns NULL */
  OsiisoBackend     *backend;   /* (nullable) (owned), dropped with the queue */
  OsiisoReadyList    inbox;
  OsiisoRecordPool   pool;
  pthread_cond_t     inbox_cond;

  /* view_lock; signalled when work or the life cycle ends */
  _Alignas (OSIISO_CACHE_LINE)
  pthread_mutex_t    view_lock;
  pthread_cond_t     view_cond;
  OsiisoLife         life;
  guint              n_closed;  /* how often it has come to CLOSED */
  OsiisoRun          run;
  GSList            *join_tasks;     /* of GTask, owned */
  GSList            *shutdown_tasks; /* of GTask, owned */
  _Atomic guint64    n_groups;  /* none */

  pthread_mutex_t    name_lock;
  char              *name;      /* name_lock; (nullable) (owned), a reference-counted string:
                                 * of the queue */
};

/* How many tasks were submitted and have not ended. In this order, so that it is
 * never less than none. Who submits and who ends tasks count apart, because a
 * number that both write to costs more than the rest of a push. */
static inline guint64
osiiso_scheduler_get_outstanding (OsiisoScheduler *self)
{
  const guint64 n_out = atomic_load (&self->n_out);

  return atomic_load (&self->n_in) - n_out;
}

/* Whether the failure of a task cancels others. */
static inline gboolean
osiiso_scheduler_fails_first (OsiisoScheduler *self)
{
  int policy = atomic_load_explicit (&self->run_fail_policy, memory_order_relaxed);

  if (policy < 0)
    policy = atomic_load_explicit (&self->fail_policy, memory_order_relaxed);
  return policy == OSIISO_FAIL_POLICY_FAIL_FIRST;
}

/* Whether there is work, or somebody waits to bring some. In this order; see
 * OsiisoAdmission. */
static inline gboolean
osiiso_scheduler_has_work (OsiisoScheduler *self)
{
  return atomic_load (&self->room.n_waiting) > 0 || osiiso_scheduler_get_outstanding (self) > 0;
}

/* After a task was counted out, without a lock. */
static inline void
osiiso_admission_place_freed (OsiisoScheduler *self)
{
  if (G_UNLIKELY (atomic_load (&self->room.n_waiting) > 0))
    osiiso_admission_update (self);
}

OsiisoScheduler *osiiso_scheduler_new          (OsiisoQueue     *queue);
OsiisoScheduler *osiiso_scheduler_ref          (OsiisoScheduler *self);
void             osiiso_scheduler_unref        (OsiisoScheduler *self);
void             osiiso_scheduler_set_backend  (OsiisoScheduler *self,
                                                OsiisoBackend   *backend);
OsiisoBackend   *osiiso_scheduler_dup_backend  (OsiisoScheduler *self);
/* The name of the queue, to be released with g_ref_string_release(); NULL if it has
 * none. With any lock. */
char            *osiiso_scheduler_acquire_name (OsiisoScheduler *self);
/* FALSE if that was its name already. */
gboolean         osiiso_scheduler_set_name     (OsiisoScheduler *self,
                                                const char      *name);

/* Into the queue. The records are the caller's, the scheduler takes over one
 * reference on each; all or none are ADMITTED. With @reserved their places are
 * counted already. */
OsiisoRecord    *osiiso_scheduler_new_record   (OsiisoScheduler  *self,
                                                OsiisoTaskParams *params,
                                                guint32           flags,
                                                GError          **error);
/* A new record in one step, for plain params: the cheapest way in. Takes over what is
 * in @payload if it is ADMITTED. */
OsiisoEntry      osiiso_scheduler_push_plain   (OsiisoScheduler        *self,
                                                const OsiisoTaskParams *params,
                                                const OsiisoPayload    *payload,
                                                guint32                 flags,
                                                guint64                *id,
                                                OsiisoWake             *wake);
OsiisoEntry      osiiso_scheduler_push         (OsiisoScheduler *self,
                                                OsiisoRecord   **records,
                                                guint            n,
                                                gboolean         reserved,
                                                OsiisoWake      *wake);
/* The two halves of that; with the inbox lock, the latter with the ready lock too
 * if records @may_delay. */
void             osiiso_scheduler_count_in_locked (OsiisoScheduler *self,
                                                   guint            n);
void             osiiso_scheduler_enqueue_locked  (OsiisoScheduler *self,
                                                   OsiisoRecord   **records,
                                                   guint            n,
                                                   gboolean         may_delay,
                                                   OsiisoWake      *wake);
void             osiiso_scheduler_wake         (OsiisoScheduler  *self,
                                                const OsiisoWake *wake);
static inline void
osiiso_scheduler_act (OsiisoScheduler  *self,
                      const OsiisoWake *wake)
{
  if (wake->signal || wake->backend > 0)
    osiiso_scheduler_wake (self, wake);
}
OsiisoRecord    *osiiso_scheduler_lookup       (OsiisoScheduler *self,
                                                guint64          id);

/* Begins to note what comes in and what ends, for the list of tasks. Returns those
 * that are there, as OsiisoRecord. */
GPtrArray       *osiiso_scheduler_track_tasks   (OsiisoScheduler *self);
void             osiiso_scheduler_untrack_tasks (OsiisoScheduler *self);

/* Out of it, for backends. */
OsiisoAttempt   *osiiso_scheduler_take         (OsiisoScheduler *self,
                                                gboolean         wait);
OsiisoServeEnd   osiiso_scheduler_serve        (OsiisoScheduler *self);
/* A thread that serves is stuck in the function of an interrupted attempt. */
void             osiiso_scheduler_write_off    (OsiisoScheduler *self);
gboolean         osiiso_scheduler_serve_for    (OsiisoScheduler *self,
                                                gint64           us);

/* Attempts beyond the limit; see osiiso-attempt-ahead.c. */
OsiisoAttempt   *osiiso_scheduler_take_ahead   (OsiisoScheduler *self);

/* In the function of a token's attempt: ends that and returns the next one, which
 * is entered. */
OsiisoAttempt   *osiiso_scheduler_exchange_token (OsiisoScheduler *self,
                                                  gboolean        *accepted);
/* The attempt that goes on; NULL if none does. */
OsiisoAttempt   *osiiso_scheduler_dup_attempt  (OsiisoScheduler *self,
                                                OsiisoRecord    *record);

/* Shared by the files of the scheduler; with the locks that it says there. */
void             osiiso_scheduler_decide_wake_locked (OsiisoScheduler *self,
                                                      guint            n,
                                                      OsiisoWake      *wake);
void             osiiso_scheduler_announce_locked (OsiisoScheduler *self,
                                                   OsiisoWake      *wake);
/* With both of the locks. */
static inline void
osiiso_scheduler_park_locked (OsiisoScheduler *self,
                              guint            bits)
{
  atomic_store_explicit (&self->parked, atomic_load_explicit (&self->parked, memory_order_relaxed) | bits,
                         memory_order_relaxed);
}
void             osiiso_scheduler_arm_timers_locked (OsiisoScheduler *self);
/* What may be taken ahead now, taken out of what it waits in; NULL for nothing. */
OsiisoRecord    *osiiso_scheduler_pop_locked   (OsiisoScheduler *self);
void             osiiso_scheduler_link_attempt_locked (OsiisoScheduler *self,
                                                       OsiisoAttempt   *attempt);
/* An attempt begins that was linked before. @now is 0 when nobody has looked at the
 * clock yet. */
void             osiiso_scheduler_start_attempt_locked (OsiisoScheduler *self,
                                                        OsiisoAttempt   *attempt,
                                                        gint64           now);
/* Lets a task that is in no list wait for its turn. */
void             osiiso_scheduler_make_runnable_locked (OsiisoScheduler *self,
                                                        OsiisoRecord    *record);
/* Whether no attempt of a task may follow the one that it has. */
gboolean         osiiso_scheduler_is_doomed_locked (OsiisoScheduler *self,
                                                    guint32          word);
void             osiiso_scheduler_remove_ready_locked (OsiisoScheduler *self,
                                                       OsiisoRecord    *record);
void             osiiso_scheduler_unlink_attempt_locked (OsiisoScheduler *self,
                                                         OsiisoAttempt   *attempt);
/* Whether a signal may be heard. Nobody has connected when it says no; if it says
 * yes it has to be asked exactly. */
static inline gboolean
osiiso_scheduler_may_listen_locked (OsiisoScheduler *self)
{
  return self->may_listen && (self->has_slots || osiiso_signal_flag_get (&self->signal_flag));
}
/* From the construction of the queue to its end. */
void             osiiso_scheduler_set_listener (OsiisoScheduler *self,
                                                OsiisoQueue     *queue,
                                                gboolean         has_slots);
/* A task ends; @word is what its word was before. */
void             osiiso_scheduler_count_end_locked (OsiisoScheduler *self,
                                                    guint32          word,
                                                    OsiisoStatus     status);
/* For the summary, if it is to be kept; with the ready lock, so that results and
 * counts fit each other. */
void             osiiso_scheduler_keep_result_locked (OsiisoScheduler *self,
                                                      OsiisoRecord    *record,
                                                      guint32          word,
                                                      OsiisoStatus     status);

/* Everything that follows from the end of a task; the final status is visible
 * and counted. @word is what the record's word was before, @doomed what it takes
 * along (nullable). The caller has a reference on the scheduler. */
void             osiiso_scheduler_record_ended (OsiisoScheduler *self,
                                                OsiisoRecord    *record,
                                                guint32          word,
                                                OsiisoStatus     status,
                                                GPtrArray       *doomed);
/* Ends a task that waits, takes over @outcome (nullable, when it is cancelled), and
 * returns what its word was; record_ended() has to follow without the lock. */
guint32          osiiso_scheduler_end_waiting_locked (OsiisoScheduler *self,
                                                      OsiisoRecord    *record,
                                                      OsiisoStatus     status,
                                                      OsiisoOutcome   *outcome);

/* The same for all tasks that wait, with copies of @error. What is returned is to be
 * told once the lock is released; see osiiso-scheduler-reset.c. */
GArray          *osiiso_scheduler_end_all_waiting_locked (OsiisoScheduler *self,
                                                          OsiisoStatus     status,
                                                          const GError    *error);
void             osiiso_scheduler_tell_ended   (OsiisoScheduler *self,
                                                GArray          *ended);

/* Deadlines, and the cancellables of submitters; see osiiso-scheduler-bounds.c. */
GError          *osiiso_scheduler_new_deadline_error (OsiisoRecord *record);
/* Takes over @cancellable. NULL with CANCELLED when that is cancelled. The watch
 * is in use until it is released; the records that are pushed use it themselves. */
OsiisoCancelWatch *osiiso_scheduler_use_watch (OsiisoScheduler *self,
                                               GCancellable    *cancellable,
                                               GError         **error);
/* Valid while it is in use. */
GCancellable    *osiiso_cancel_watch_get_cancellable (OsiisoCancelWatch *watch);
gboolean         osiiso_scheduler_set_error_cancelled (GError **error);
void             osiiso_scheduler_release_watch (OsiisoScheduler   *self,
                                                 OsiisoCancelWatch *watch);
/* All or none of the records, which have the same bounds; FALSE when they must not
 * get in because their cancellable was cancelled meanwhile. */
gboolean         osiiso_scheduler_bind_locked  (OsiisoScheduler *self,
                                                OsiisoRecord   **records,
                                                guint            n);
/* Once they have ended. */
void             osiiso_scheduler_unbind       (OsiisoScheduler *self,
                                                OsiisoRecord    *record);
/* Adds to @late the attempts that have to be interrupted, and to @ended the tasks
 * that waited, for record_ended() with FAILED. */
void             osiiso_scheduler_end_overdue_locked (OsiisoScheduler *self,
                                                      gint64           now,
                                                      GPtrArray       *late,
                                                      GPtrArray       *ended);

/* The end of an attempt that the caller has claimed. Takes over @outcome. With
 * @retry_after >= 0 that is the delay of a retry instead of what the options
 * say, in microseconds. */
#define OSIISO_RETRY_NEVER G_MININT64
void             osiiso_scheduler_attempt_ended (OsiisoScheduler *self,
                                                 OsiisoAttempt   *attempt,
                                                 OsiisoStatus     status,
                                                 OsiisoOutcome   *outcome,
                                                 gint64           retry_after);

/* Does what has fallen due; the timer does that by itself. Whoever is going to call
 * it says so before, with the ready lock, so that the timer does not come for it. */
void             osiiso_scheduler_tick         (OsiisoScheduler *self);

gboolean         osiiso_scheduler_cancel       (OsiisoScheduler *self,
                                                OsiisoRecord    *record);
/* Returns how many of them it cancelled. */
guint            osiiso_scheduler_cancel_all   (OsiisoScheduler *self,
                                                GPtrArray       *records);
gboolean         osiiso_scheduler_set_priority (OsiisoScheduler *self,
                                                OsiisoRecord    *record,
                                                int              priority);

/* Lets no new work in and no task begin; with the ready lock. Returns the tasks for
 * cancel_doomed(), to be called after it is released. */
GPtrArray       *osiiso_scheduler_halt_locked  (OsiisoScheduler *self,
                                                gboolean         must_complete_too);
void             osiiso_scheduler_cancel_doomed (OsiisoScheduler *self,
                                                 GPtrArray       *doomed);
/* The first half of it: of those that wait. Then those that must complete go on: to
 * interrupt the others may call handlers, which may take their time. */
void             osiiso_scheduler_cancel_doomed_waiting (OsiisoScheduler *self,
                                                         GPtrArray       *doomed);
void             osiiso_scheduler_abort        (OsiisoScheduler *self,
                                                gboolean         must_complete_too);
/* Everything, if that shutdown is not over. */
void             osiiso_scheduler_abort_shutdown (OsiisoScheduler *self,
                                                  guint            shutdown);
void             osiiso_scheduler_set_limit    (OsiisoScheduler *self,
                                                guint            limit);
/* Changes the number of workers of the backend, and the limit with it. */
void             osiiso_scheduler_set_workers (OsiisoScheduler *self,
                                               OsiisoBackend   *backend,
                                               guint            workers);
/* A rate or a burst that makes no sense is kept for check_rate() and changes
 * nothing; see osiiso-scheduler-rate.c. */
void             osiiso_scheduler_set_rate     (OsiisoScheduler *self,
                                                double           rate,
                                                guint            burst);
void             osiiso_scheduler_get_rate     (OsiisoScheduler *self,
                                                double          *rate,
                                                guint           *burst);
/* FALSE with INVALID for such a rate, and when there can be no timer for it. */
gboolean         osiiso_scheduler_check_rate   (OsiisoScheduler *self,
                                                GError         **error);
/* Holds tasks back until the next start; with the ready lock. */
void             osiiso_scheduler_rest_locked  (OsiisoScheduler *self);
/* FALSE when the queue is not open any more. With @opened that is the end of STARTING,
 * by who brought it there. */
gboolean         osiiso_scheduler_stop_resting (OsiisoScheduler *self,
                                                OsiisoStart      who,
                                                gboolean         opened);
void             osiiso_scheduler_set_paused   (OsiisoScheduler *self,
                                                gboolean         paused);

/* Drops one reference on what the tasks of a map share. */
void             osiiso_scheduler_release_map  (OsiisoScheduler  *self,
                                                OsiisoMapPayload *payload);

/* Drops one claim on the user data of a task; the last one destroys it. */
void             osiiso_scheduler_drop_payload (OsiisoScheduler *self,
                                                OsiisoRecord    *record);

/* The life cycle; see osiiso-scheduler-life.c. */
gboolean         osiiso_scheduler_start        (OsiisoScheduler *self,
                                                GError         **error);
gboolean         osiiso_scheduler_start_for    (OsiisoScheduler *self,
                                                OsiisoStart      who,
                                                GError         **error);
/* Without @force what has not ended at @deadline is cancelled; 0: never. Returns
 * what osiiso_scheduler_shutdown_is_over_locked() has to be asked with. */
guint            osiiso_scheduler_shutdown     (OsiisoScheduler *self,
                                                gboolean         force,
                                                gint64           deadline);
/* That one, which need not have been the last; with the view lock. */
gboolean         osiiso_scheduler_shutdown_is_over_locked (OsiisoScheduler *self,
                                                           guint            shutdown);
/* The queue is as new; see osiiso-scheduler-reset.c. */
gboolean         osiiso_scheduler_reset        (OsiisoScheduler *self,
                                                GError         **error);
void             osiiso_scheduler_check_idle   (OsiisoScheduler *self);
/* A task has ended and told so, when another one is known to be there; with the
 * ready lock. */
static inline void
osiiso_scheduler_count_out_locked (OsiisoScheduler *self)
{
  atomic_store_explicit (&self->n_out, atomic_load_explicit (&self->n_out, memory_order_relaxed) + 1,
                         memory_order_release);
}
/* The same for any, without a lock. */
void             osiiso_scheduler_count_out    (OsiisoScheduler *self);
void             osiiso_scheduler_backend_closed (OsiisoScheduler *self);
void             osiiso_scheduler_set_run_deadline (OsiisoScheduler *self,
                                                    gint64           when);
/* Adds a GTask of a queue's asynchronous call to one of the two lists. */
void             osiiso_scheduler_add_task     (OsiisoScheduler *self,
                                                GSList         **list,
                                                GTask           *task);
/* TRUE unless that is over already. */
gboolean         osiiso_scheduler_add_shutdown_task (OsiisoScheduler *self,
                                                     guint            shutdown,
                                                     GTask           *task);
gboolean         osiiso_scheduler_remove_task  (OsiisoScheduler *self,
                                                GSList         **list,
                                                GTask           *task);
gboolean         osiiso_scheduler_is_closed    (OsiisoScheduler *self);

/* Runs; see osiiso-scheduler-run.c. */
gboolean         osiiso_scheduler_begin_run    (OsiisoScheduler      *self,
                                                const OsiisoRunTerms *terms,
                                                GError              **error);
gboolean         osiiso_scheduler_run_is_over  (OsiisoScheduler *self);
OsiisoRunSummary *osiiso_scheduler_end_run     (OsiisoScheduler *self);
gboolean         osiiso_scheduler_time_out_run (OsiisoScheduler *self,
                                                gboolean        *must_complete_too);
OsiisoRunSummary *osiiso_scheduler_dup_summary (OsiisoScheduler *self);
void             osiiso_scheduler_clear_results (OsiisoScheduler *self);

/* Waiting; see osiiso-scheduler-wait.c. */
typedef gboolean (*OsiisoPredicate) (OsiisoScheduler *self,
                                     gpointer         data);

/* The same as osiiso_wait_enter() for a wait that iterates the owner's context when it
 * is in the owner's thread. */
gboolean         osiiso_scheduler_enter_wait   (OsiisoScheduler *self,
                                                OsiisoWait      *wait,
                                                GError         **error);
/* Waits until @over, which is called with the view lock held, says so, or @wait is
 * refused, which has been entered. */
gboolean         osiiso_scheduler_wait_until   (OsiisoScheduler *self,
                                                OsiisoPredicate  over,
                                                gpointer         data,
                                                OsiisoWait      *wait,
                                                double           timeout,
                                                GCancellable    *cancellable,
                                                GError         **error);
gboolean         osiiso_scheduler_wait_record  (OsiisoScheduler *self,
                                                OsiisoRecord    *record,
                                                double           timeout,
                                                GCancellable    *cancellable,
                                                GError         **error);
/* FALSE with WOULD_DEADLOCK if blocking in this thread until other tasks end
 * could keep them from ending. */
gboolean         osiiso_scheduler_may_block    (OsiisoScheduler *self,
                                                GError         **error);
/* In a task of this scheduler, or its initializer? */
gboolean         osiiso_scheduler_is_inside    (OsiisoScheduler *self);
/* FALSE with WOULD_DEADLOCK there, for what waits for all work: @what it does. */
gboolean         osiiso_scheduler_check_outside (OsiisoScheduler *self,
                                                 const char      *what,
                                                 GError         **error);
void             osiiso_scheduler_add_waiter   (OsiisoScheduler *self,
                                                OsiisoRecord    *record,
                                                GTask           *task);
gboolean         osiiso_scheduler_remove_waiter (OsiisoScheduler *self,
                                                 OsiisoRecord    *record,
                                                 GTask           *task);
void             osiiso_scheduler_wake_waiters (OsiisoScheduler *self,
                                                OsiisoRecord    *record);
/* Returns a GTask that waited, in the context that it belongs to; takes it. */
void             osiiso_scheduler_complete_task (OsiisoScheduler *self,
                                                 GTask           *task);
void             osiiso_scheduler_destroy_in_owner (OsiisoScheduler *self,
                                                    GDestroyNotify   destroy,
                                                    gpointer         data);

G_END_DECLS
