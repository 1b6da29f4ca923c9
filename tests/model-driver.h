/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reference-model.h"
#include "test-utils.h"

G_BEGIN_DECLS

/* Numbers that a seed decides. */
typedef struct
{
  guint64 state;
} Random;

guint64  random_next   (Random *self);
guint    random_below  (Random *self,
                        guint   n);
gboolean random_chance (Random *self,
                        guint   percent);

/* One submission: the user data of a task, or of all tasks of a map. */
typedef struct
{
  struct _Driver *driver;
  guint           first_task;
  guint           n_tasks;
  gboolean        waits;     /* for room */
  int             n_released;
} Payload;

typedef struct
{
  guint64       id;
  OsiisoHandle *handle;   /* (nullable) */
  Payload      *payload;
  char         *name;     /* as the library says */
} Task; /* id is 0 until somebody has seen the task, which came in by itself */

typedef struct
{
  OsiisoAttempt *of_backend;  /* (nullable) */
  OsiisoAttempt *deferred;    /* (nullable) */
  guint          task;
  guint          number;
  gboolean       ran;
  gboolean       ended_here;  /* by a report, not from outside */
  GCancellable  *cancellable; /* (nullable) */
} Attempt;

/* Stand for errors that are not of OSIISO_QUEUE_ERROR. */
#define CANCELLED (-1)
#define TIMED_OUT (-2)
#define NOT_REFUSED (-3)

/* An asynchronous call that has not returned, or has since the last look. */
typedef enum
{
  WAIT_RUN,
  WAIT_TASK,
  WAIT_GROUP,
  WAIT_NEXT,
  WAIT_JOIN,
  WAIT_SHUTDOWN,
  WAIT_SUBMIT,
} WaitKind;

/* Of an asynchronous submission. */
typedef enum
{
  WAY_SUBMIT,
  WAY_PUSH,
  WAY_GROUP,
  WAY_MAP,
  N_WAYS,
} Way;

typedef struct
{
  WaitKind          kind;
  Way               way;        /* of a submission */
  int               group;      /* of a submission; -1: none */
  guint             n_tasks;    /* of a submission */
  guint             index;      /* of the task or group */
  guint             tag;        /* of a submission */
  guint             source;     /* of its cancellable */
  Payload          *payload;    /* of a submission */
  GCancellable     *cancellable;
  gboolean          refused;    /* is to return with refusal, a code of OSIISO_QUEUE_ERROR or CANCELLED */
  int               refusal;
  gboolean          over;       /* what it waits for has come */
  guint             n_members;  /* of the group, then */
  guint             n_ends;     /* of the group, before */
  gint64            since;
  gboolean          returned;
  GError           *error;
  OsiisoRunSummary *summary;
  OsiisoHandle     *handle;
  guint64           id;
  OsiisoGroup      *map;
} Wait;

/*
 * Driver: a queue and its model, side by side. The queue is on a backend that
 * does nothing by itself, so that everything happens when an operation says so.
 */
typedef struct _Driver
{
  RefModel       *model;
  OsiisoQueue    *queue;
  OsiisoBackend  *backend;
  GMainContext   *context;
  gboolean        closures;     /* the backend belongs to the owner's context */
  gboolean        close_later;
  gboolean        awake;        /* the backend was woken, or has not asked in vain since */

  GPtrArray      *tasks;        /* of Task */
  GPtrArray      *payloads;     /* of Payload */
  GPtrArray      *attempts;     /* of Attempt, that somebody holds */
  GPtrArray      *groups;       /* of OsiisoGroup; NULL for a map that has not returned */
  gboolean        members_late; /* has members that the owner has not heard of */
  GPtrArray      *waits;        /* of Wait */
  GHashTable     *by_id;        /* guint64 to index + 1 */
  GArray         *events;       /* of RefEvent */
  GArray         *live;         /* of guint */
  guint           n_tags;
  GCancellable   *sources[3];   /* of submitters */
  guint           numbers[3];   /* of these, for the model */
  guint           n_sources;
  Attempt        *running;      /* (nullable) */
  Random         *plan;         /* of what runs */
  gboolean        serving;      /* the library takes and runs attempts */
  Attempt        *served;       /* (nullable), whose function was entered last then */
  gboolean        inside;       /* a function is running */
  void          (*handler) (struct _Driver *self, guint task); /* (nullable), of on-complete */

  OsiisoMode          mode;
  OsiisoTimeoutPolicy on_timeout;
  double              timeout;
  double              shutdown_timeout;

  char           *difference;   /* (nullable), the first one */
  GPtrArray      *trace;        /* (nullable), of what was done */
} Driver;

void      driver_open    (Driver     *self,
                          RefMutation mutation,
                          Random     *random);
void      driver_close   (Driver     *self);
void      driver_say     (Driver     *self,
                          const char *format,
                          ...) G_GNUC_PRINTF (2, 3);
void      driver_differ  (Driver     *self,
                          const char *format,
                          ...) G_GNUC_PRINTF (2, 3);
/* The index of the task that has an id, or a name and a place in its group if nobody
 * knows the id so far. */
guint     driver_find    (Driver     *self,
                          guint64     id,
                          const char *name,
                          guint       place);
guint     driver_find_handle (Driver       *self,
                          OsiisoHandle *handle);
/* Adds tasks that have come in by themselves. */
void      driver_admit   (Driver     *self);
Task     *driver_task    (Driver     *self,
                          guint       index);
Attempt  *driver_attempt (Driver     *self,
                          guint       index);

/* Delivers what the library has to tell, and compares it. */
void      driver_settle  (Driver     *self);
/* Notes which of the calls that wait are over by what has happened. An operation that
 * does several things says so after each. */
void      driver_latch_waits (Driver *self);
/* Compares what can be seen at any time. */
void      driver_compare (Driver     *self,
                          Random     *random);
void      driver_compare_counts (Driver *self);
void      driver_compare_task (Driver *self,
                               guint   index);
void      driver_compare_summary (Driver           *self,
                                  const char       *what,
                                  OsiisoRunSummary *summary,
                                  GArray           *tasks,
                                  guint             first,
                                  const RefCounts  *counts,
                                  gboolean          timed_out,
                                  gint64            duration);
void      driver_compare_error (Driver       *self,
                                const char   *what,
                                gboolean      refused,
                                int           code,
                                const GError *error);
void      driver_compare_int (Driver     *self,
                              const char *what,
                              gint64      expected,
                              gint64      got);
/* Drops references of an attempt, and the attempt when it was the last. */
void      driver_release (Driver     *self,
                          Attempt    *attempt,
                          gboolean    of_backend,
                          gboolean    deferred);

/* The operations. */
typedef void (*Operation) (Driver *self,
                           Random *random);

guint     model_ops_pick    (Random     *random);
void      model_ops_perform (Driver     *self,
                             guint       op,
                             guint64     seed);

/* What several of them do. */
void      model_task_func   (OsiisoAttempt *attempt,
                             gpointer       payload);
Wait     *model_new_wait    (Driver     *self,
                             WaitKind    kind,
                             guint       index);
void      model_returned    (GObject      *source,
                             GAsyncResult *result,
                             gpointer      wait);
void      model_submit_one  (Driver     *self,
                             Random     *random,
                             gboolean    with_handle,
                             int         group);
guint     model_pick_task   (Driver     *self,
                             Random     *random);
int       model_random_priority (Random *random);
double    model_maybe_seconds (Random   *random,
                               guint     percent);
void      model_cancel_task (Driver     *self,
                             guint       index);
void      model_advance     (Driver     *self,
                             Random     *random);

/* Submitting and running tasks. */
void      op_submit         (Driver *self,
                             Random *random);
void      op_push           (Driver *self,
                             Random *random);
void      op_submit_async   (Driver *self,
                             Random *random);
void      op_cancel_source  (Driver *self,
                             Random *random);
void      op_map            (Driver *self,
                             Random *random);
void      op_new_group      (Driver *self,
                             Random *random);
void      op_group_submit   (Driver *self,
                             Random *random);
void      op_take           (Driver *self,
                             Random *random);
void      op_run            (Driver *self,
                             Random *random);
void      op_serve          (Driver *self,
                             Random *random);
void      op_report         (Driver *self,
                             Random *random);
void      op_release        (Driver *self,
                             Random *random);
void      op_drain          (Driver *self,
                             Random *random);

/* Waiting for them, starting and ending the queue. */
void      op_start          (Driver *self,
                             Random *random);
void      op_run_async      (Driver *self,
                             Random *random);
void      op_leave_wait     (Driver *self,
                             Random *random);
void      op_leave_run      (Driver *self,
                             Random *random);
void      op_wait           (Driver *self,
                             Random *random);
void      op_group_wait     (Driver *self,
                             Random *random);
void      op_next_completed (Driver *self,
                             Random *random);
void      op_join           (Driver *self,
                             Random *random);
void      op_shutdown       (Driver *self,
                             Random *random);
void      op_force          (Driver *self,
                             Random *random);
void      op_reset          (Driver *self,
                             Random *random);
void      op_close          (Driver *self,
                             Random *random);

G_END_DECLS
