/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/*
 * RefModel: what a queue is supposed to do, in the plainest way that one can
 * write it down. One thread, arrays, linear searches, and no code of the library:
 * a second opinion on every decision that the scheduler takes.
 *
 * Times are microseconds of the clock that the test turns, 0 for none.
 */

/* Wrong on purpose, one at a time, to show that the comparison would notice. */
typedef enum
{
  REF_RIGHT,
  REF_NEWEST_FIRST,           /* among equal priorities */
  REF_HIGH_NUMBER_FIRST,
  REF_DELAYED_LAST,           /* a task that was delayed gets a new turn */
  REF_RETRY_LAST,             /* so does one that is tried again */
  REF_PRIORITY_LAST,          /* and one whose priority is changed */
  REF_RETRY_MISSING,          /* one retry too few */
  REF_RETRY_TOO_MANY,
  REF_BACKOFF_EARLY,          /* already for the first wait */
  REF_NO_MAX_DELAY,
  REF_NO_TIMEOUT_RETRY,
  REF_TIMEOUT_FROM_SUBMIT,
  REF_RETRY_HOLDS_WORKER,
  REF_LATE_REPORT_COUNTS,
  REF_LAST_REPORT_COUNTS,
  REF_CANCEL_RETRIES,         /* a cancelled task is tried again */
  REF_FAIL_FIRST_ALL,         /* spares no must-complete task */
  REF_FAIL_FIRST_ORDINARY,    /* cancels nobody */
  REF_FAIL_FIRST_OPEN,        /* goes on accepting tasks */
  REF_HALTED_FOR_GOOD,        /* start() does not end that */
  REF_RUN_TIMEOUT_ALL,
  REF_RUN_TIMEOUT_FORGOTTEN,  /* the summary does not tell */
  REF_RUN_IGNORES_DETACHED,   /* does not wait for them */
  REF_DETACHED_COUNTED,
  REF_NO_REST,                /* goes on after a run */
  REF_PUSH_KEEPS,             /* a success without handle */
  REF_CLEAR_COUNTS,           /* clear_results() zeroes the counts as well */
  REF_FORCE_SPARES,           /* must-complete tasks survive a forced shutdown */
  REF_SHUTDOWN_STAYS_PAUSED,
  REF_LIMIT_PLUS_ONE,
  REF_PAUSE_LEAKS,            /* lets returning tasks through */
  REF_GROUP_CANCEL_COUNTS,    /* finished members as well */
  REF_SIZE_PLUS_ONE,
  REF_SIZE_WITHOUT_RUNNING,
  REF_MAP_IN_PARTS,           /* lets a map in that has too many tasks */
  REF_RATE_FIRST_ONLY,        /* retries are free */
  REF_BURST_PLUS_ONE,
  REF_SLOTS_SAVED_UP,         /* what was not used may be used later */
  REF_LINE_BACKWARDS,         /* who came last gets the first place that is free */
  REF_LINE_OVERTAKES,         /* who fits passes a map that does not */
  REF_RETRY_ON_ANYTHING,
  REF_RETRY_ON_WINS,          /* over never_retry_on() */
  REF_DEADLINE_RETRIES,       /* is one more timeout of an attempt */
  REF_DEADLINE_OF_RUNNING,    /* does not end a task that waits */
  REF_DEADLINE_FROM_START,
  REF_SOURCE_SPARES_RUNNING,  /* a submitter's cancellable ends waiting tasks only */
  REF_RUN_POLICY_IGNORED,     /* the queue's counts in a run that has its own */
  REF_RUN_POLICY_STAYS,       /* after that run */
  REF_SHUTDOWN_TIME_ENDLESS,
  REF_SHUTDOWN_TIME_SPARES,   /* what must complete */
  REF_RESET_SPARES,           /* what must complete */
  REF_RESET_COUNTS_ON,
  REF_RESET_STAYS_CLOSED,
  REF_N_MUTATIONS,
} RefMutation;

/* Of errors after which a task is tried again, or never is. */
typedef struct
{
  gboolean never;
  GQuark   domain;
  int      code;            /* -1: any */
} RefRule;

typedef struct
{
  char    *name;            /* (nullable), as given */
  int      priority;
  gboolean must_complete;
  gboolean detached;
  int      retries;
  double   retry_delay;     /* all times here: seconds, as a caller gives them */
  double   backoff;
  double   max_retry_delay;
  double   timeout;
  double   delay;
  double   deadline;
  guint    source;          /* a number for the submitter's cancellable; 0: none */
  RefRule  rules[4];
  guint    n_rules;
} RefOptions;

/* What an attempt reports. */
typedef struct
{
  gboolean ok;
  gint64   value;           /* 0: none */
  GQuark   domain;
  int      code;
  char    *message;         /* NULL: not compared */
  double   retry_after;     /* seconds; < 0: as the options say */
  gboolean final;           /* no retry follows, whatever the options say */
} RefOutcome;

/* Who waits for room. */
typedef struct
{
  RefOptions options;
  gint64     since;
  gint64     turn;          /* of the first task */
  guint      n_tasks;
  gboolean   has_handle;
  int        group;         /* -1: none */
  guint      tag;           /* of the test */
} RefSubmission;

/* How that ended. */
typedef struct
{
  guint    tag;
  gboolean admitted;
  gboolean too_many;        /* why they were not: they do not fit any more */
  guint    task;            /* the first one */
  guint    n_tasks;
} RefAnswer;

typedef struct
{
  guint        index;       /* in the order in which they came in */
  RefOptions   options;
  int          group;       /* -1: none */
  guint        place;       /* in the group */
  gboolean     has_handle;  /* from the beginning */

  OsiisoStatus status;
  int          priority;
  gint64       turn;        /* order among equal priorities */
  guint        attempts;
  gboolean     open;        /* the attempt of that number is under way */
  gboolean     reported;    /* its function has reported and not returned */
  gboolean     cancel_asked;
  RefOutcome   outcome;     /* of that report, and in the end of the task */
  gint64       due;         /* waits until then */
  gint64       scheduled_for;
  gint64       times_out;
  gint64       deadline;
  gboolean     overdue;     /* it has passed while the function had reported */
  gint64       created;
  gint64       started;
  gint64       finished;
  guint        batch;       /* tasks that were cancelled in one go, in any order; 0: alone */
} RefTask;

typedef enum
{
  REF_EVENT_START,
  REF_EVENT_RETRY,
  REF_EVENT_COMPLETE,
} RefEventKind;

typedef struct
{
  RefEventKind kind;
  guint        task;
  guint        batch;
  int          code;        /* of the error, with a retry */
} RefEvent;

typedef struct
{
  guint64 succeeded, failed, cancelled;
} RefCounts;

typedef struct
{
  GArray *members;          /* of guint, tasks in the order of submission */
  GArray *completed;        /* of guint, tasks in the order of completion */
  guint   n_given;          /* by next_completed() */
  GArray *ends;             /* of guint, how many members it had whenever the last of them was over */
} RefGroup;

typedef enum
{
  REF_NEW,
  REF_STARTED,
  REF_DRAINING,
  REF_CLOSING,
  REF_CLOSED,
} RefLife;

typedef struct
{
  RefMutation mutation;
  gint64      now;
  RefLife     life;
  gboolean    close_later;  /* the backend takes its time */
  gboolean    accepting;
  gboolean    halted;       /* a failure or a timeout has stopped it */
  gboolean    resting;
  gboolean    paused;
  guint       limit;
  guint       size;         /* 0: any number */
  gint64      interval;     /* between two starts; 0: none */
  guint       burst;
  gint64      empty_at;     /* when all starts so far are paid for */
  gint64      next_turn;
  OsiisoFailPolicy fail_policy;
  int         run_fail_policy; /* of a run that has its own, or -1 */
  gint64      shutdown_deadline;
  gboolean    keep_results;

  GPtrArray  *tasks;        /* of RefTask, all that ever were */
  GPtrArray  *groups;       /* of RefGroup */
  GPtrArray  *line;         /* of RefSubmission, in the order of arrival */
  GArray     *answers;      /* of RefAnswer, since the last look */
  GArray     *results;      /* of guint */
  GArray     *events;       /* of RefEvent, since the last look */
  RefCounts   counts;
  guint64     n_completed;
  guint64     n_forgotten;  /* of them, by resets */
  guint       n_batches;
  guint       n_open_batches; /* that are being ended just now */
  guint       cancelled_source; /* right now, so that nobody who has it comes in */
  guint       n_joins;      /* that wait */
  guint       n_joined;     /* that have been told, since the last look */
  gboolean    ambiguous;    /* two things fell due at the same time */

  struct
  {
    gboolean  active;
    gboolean  infinite;
    gboolean  timed_out;
    gboolean  late;          /* its time passed when its work was over */
    OsiisoTimeoutPolicy on_timeout;
    gint64    started;
    gint64    deadline;
    guint     first_result;
    RefCounts before;
  } run;
} RefModel;

RefModel *ref_model_new        (RefMutation mutation,
                                gint64      now);
void      ref_model_free       (RefModel   *self);

RefTask  *ref_model_task       (RefModel   *self,
                                guint       index);
RefGroup *ref_model_group      (RefModel   *self,
                                guint       index);
gint64    ref_microseconds     (double      seconds);

/* Into the queue. */
gboolean  ref_model_accepts    (RefModel   *self);
gboolean  ref_model_has_room   (RefModel   *self,
                                guint       n);
RefTask  *ref_model_submit     (RefModel         *self,
                                const RefOptions *options,
                                gboolean          has_handle,
                                int               group);
guint     ref_model_new_group  (RefModel   *self);
void      ref_model_set_size   (RefModel   *self,
                                guint       size);
/* The same for tasks that come in together, and wait in line until there is room. */
void      ref_model_enter_line (RefModel         *self,
                                const RefOptions *options,
                                guint             n_tasks,
                                gboolean          has_handle,
                                int               group,
                                guint             tag);
void      ref_model_leave_line (RefModel   *self,
                                guint       tag);
void      ref_model_leave_line_of_source (RefModel *self,
                                          guint     source);

/* Attempts. */
RefTask  *ref_model_peek       (RefModel   *self);
RefTask  *ref_model_take       (RefModel   *self);
gboolean  ref_model_is_open    (RefModel   *self,
                                guint       task,
                                guint       number);
void      ref_model_report     (RefModel         *self,
                                guint             task,
                                guint             number,
                                const RefOutcome *outcome,
                                gboolean          inside);
void      ref_model_leave      (RefModel   *self,
                                guint       task,
                                guint       number,
                                gboolean    deferred);

gboolean  ref_model_cancel     (RefModel   *self,
                                guint       task);
guint     ref_model_cancel_group (RefModel *self,
                                guint       group);
/* A submitter cancels what was submitted with its cancellable. */
void      ref_model_cancel_source (RefModel *self,
                                guint       source);
gboolean  ref_model_set_priority (RefModel *self,
                                guint       task,
                                int         priority);
/* So many microseconds for each start; 0 for any number of them. */
void      ref_model_set_rate   (RefModel   *self,
                                gint64      interval,
                                guint       burst);
/* When something falls due next, and when the next start is allowed if it is not
 * now; 0 for never. */
gint64    ref_model_next_due   (RefModel   *self);
gint64    ref_model_next_start (RefModel   *self);
void      ref_model_advance    (RefModel   *self,
                                gint64      us);

/* The life cycle. FALSE where the library has an error. Whoever waits lets work
 * run; only a start lets a halted queue take tasks again. */
gboolean  ref_model_start_work (RefModel   *self);
gboolean  ref_model_start      (RefModel   *self);
gboolean  ref_model_begin_run  (RefModel           *self,
                                double              timeout,
                                int                 fail_policy,
                                OsiisoTimeoutPolicy on_timeout,
                                gboolean            infinite);
gboolean  ref_model_run_is_over (RefModel  *self);
void      ref_model_end_run    (RefModel   *self);
gboolean  ref_model_join       (RefModel   *self);
void      ref_model_shutdown   (RefModel   *self,
                                gboolean    force,
                                double      timeout);
void      ref_model_closed     (RefModel   *self);
gboolean  ref_model_reset      (RefModel   *self);
void      ref_model_clear_results (RefModel *self);

guint64   ref_model_count_outstanding (RefModel *self);
guint64   ref_model_count_active (RefModel *self);
guint64   ref_model_count_scheduled (RefModel *self);
guint     ref_group_finished   (RefModel   *self,
                                guint       group);

/* Tells in which order the tasks of a batch were cancelled. */
void      ref_model_settle_batch (RefModel    *self,
                                  guint        batch,
                                  const guint *order,
                                  guint        n);

G_END_DECLS
