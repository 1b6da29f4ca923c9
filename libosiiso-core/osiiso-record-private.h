/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>

#include "osiiso-deadline-heap-private.h"
#include "osiiso-task-params-private.h"
#include "osiiso-types.h"

G_BEGIN_DECLS

typedef struct _OsiisoBatch     OsiisoBatch;
typedef struct _OsiisoCancelWatch OsiisoCancelWatch;
typedef struct _OsiisoRecord    OsiisoRecord;
typedef struct _OsiisoScheduler OsiisoScheduler;
typedef struct _OsiisoWait      OsiisoWait;

/* A link of a circular list with a sentinel: removal needs no list head. */
typedef struct _OsiisoLink OsiisoLink;
struct _OsiisoLink
{
  OsiisoLink *next;
  OsiisoLink *prev;
};

/* What a task ended with; written once, before the final status is published. One that
 * was cancelled while it waited has none. */
typedef struct
{
  GValue  value; /* G_VALUE_INIT for none; with an error: its details */
  GError *error; /* (nullable) */
} OsiisoOutcome;

/* Progress of a task, replaced whole at each report. */
typedef struct
{
  double fraction;
  char  *status_text; /* (nullable) */
} OsiisoProgress;

/*
 * OsiisoRecordRare: what only tasks need that wait for a time, change their
 * priority or tell their progress.
 *
 * Constant: record. Set before the record is visible to others: scheduled_for.
 * Guarded by the scheduler's ready lock: timer.
 * Guarded by the scheduler's view lock: progress.
 */
typedef struct
{
  OsiisoRecord     *record;
  OsiisoHeapNode    timer;
  gint64            scheduled_for; /* microseconds of the scheduler's clock, 0: at once */
  OsiisoProgress   *progress;      /* (nullable) */
} OsiisoRecordRare;

#define OSIISO_RARE_FROM_TIMER(n) ((OsiisoRecordRare *) (void *) ((char *) (n) - G_STRUCT_OFFSET (OsiisoRecordRare, timer)))

/*
 * OsiisoRecordBounds: the same for tasks that have a deadline or were submitted
 * with a cancellable, which is what OSIISO_RECORD_BOUNDED says.
 *
 * Set before the record is visible to others: watch, and the key of deadline, 0
 * for none.
 * Guarded by the scheduler's ready lock: deadline.
 * Guarded by the lock of the watch: link.
 */
typedef struct
{
  OsiisoRecordRare   rare;
  OsiisoHeapNode     deadline;
  OsiisoCancelWatch *watch; /* (nullable), in use by the record while that is queued */
  OsiisoLink         link;  /* of those that share the watch */
} OsiisoRecordBounds;

/*
 * OsiisoRecordExt: the other half of a record, made with it when somebody may
 * ask for what is in here, or when the task ends with a value or an error. Every
 * task with a handle has one, so it is kept small.
 *
 * Set before the record is visible to others, then constant: params, batch,
 * index, created.
 * Published once, with release: rare.
 * Guarded by the scheduler's view lock: handle, handle_pins, waiters.
 * Written by whoever ended the task, before the final status is published:
 * outcome, finished.
 */
typedef struct
{
  OsiisoTaskParams *params;   /* (nullable) */
  OsiisoBatch      *batch;    /* (nullable), owned */
  OsiisoOutcome    *outcome;  /* (nullable) */
  OsiisoHandle     *handle;   /* (nullable), not owned; cleared by its dispose */
  GSList           *waiters;  /* of GTask, owned */
  _Atomic (OsiisoRecordRare *) rare; /* (nullable) (owned) */
  gint64            created;  /* microseconds of the scheduler's clock, 0: not asked for */
  _Atomic gint64    started;
  gint64            finished;
  _Atomic guint32   attempts;
  guint32           index;
  guint32           handle_pins;   /* view lock: threads about to take a reference on handle */
  _Atomic guint32   payload_holds; /* 1 for the task, 1 for each attempt that may outlive it */
} OsiisoRecordExt;

/* The payload that all elements of a map share; freed with the last of them. */
typedef struct
{
  OsiisoRefCount ref_count;
  OsiisoTaskFunc  func;
  gpointer        data;
  GDestroyNotify  destroy;
} OsiisoMapPayload;

/* Flags of a record, in the same word as its status: one read-modify-write
 * changes the status and shows who has to be told. */
enum
{
  OSIISO_RECORD_RESERVED       = 1 << 7,  /* it waits, but a backend has taken an attempt ahead */
  OSIISO_RECORD_STARTED        = 1 << 8,  /* an attempt began once */
  OSIISO_RECORD_MAP            = 1 << 9,  /* data is an OsiisoMapPayload, index is valid */
  OSIISO_RECORD_WAITED         = 1 << 10, /* a thread blocks, or a GTask waits, for the end */
  OSIISO_RECORD_KEEP           = 1 << 11, /* a success is kept for summaries too */
  OSIISO_RECORD_MUST_COMPLETE  = 1 << 12,
  OSIISO_RECORD_DETACHED       = 1 << 13,
  OSIISO_RECORD_HANDLED        = 1 << 14, /* the core holds a reference on ext->handle */
  OSIISO_RECORD_SCHEDULED      = 1 << 15, /* waits in the timer heap */
  OSIISO_RECORD_RETURNED       = 1 << 16, /* waits in the return heap */
  OSIISO_RECORD_NOTIFY_PENDING = 1 << 17, /* a progress event is on its way */
  OSIISO_RECORD_CANCEL_ASKED   = 1 << 18, /* no further attempt */
  OSIISO_RECORD_TOKEN          = 1 << 19, /* data is a number that the queue's runner knows */
  OSIISO_RECORD_OUTSIDE        = 1 << 20, /* waits to be let in; nobody finds it yet */
  OSIISO_RECORD_BOUNDED        = 1 << 21, /* rare is an OsiisoRecordBounds */
  OSIISO_RECORD_OVERDUE        = 1 << 22, /* no further attempt, the deadline has come */
  OSIISO_RECORD_END_POSTED     = 1 << 23, /* an event tells the end, and lets the handle go */
};
#define OSIISO_RECORD_STATUS_MASK    0x7u
#define OSIISO_RECORD_PRIORITY_SHIFT 24

/*
 * OsiisoRecord: a task. 64 bytes, one cache line; the truth that handles and
 * results are views of. Never a GObject, so that worker threads may touch it.
 *
 * link: guarded by the lock of the list that it is in (see the scheduler).
 * link.next is the attempt while there is one, see osiiso_word_has_attempt()
 * (ready lock).
 * func, data, destroy: set at submit, cleared by whoever ends the task. A token that
 * is the number of a call has osiiso_call_perform() as func, and keeps its data.
 * ext: published once, with release.
 * word: status (3 bits), flags, priority (the top 8 bits, signed).
 */
struct _OsiisoRecord
{
  OsiisoLink link;
  OsiisoTaskFunc func;
  gpointer data;
  union
  {
    GDestroyNotify destroy;
    gsize          index; /* with OSIISO_RECORD_MAP */
    OsiisoCall    *call;  /* (nullable) (owned): with OSIISO_RECORD_TOKEN */
  };
  _Atomic (OsiisoRecordExt *) ext;
  guint32 generation;
  guint32 seq;
  _Atomic guint32 word;
  OsiisoRefCount ref_count;
};

G_STATIC_ASSERT (GLIB_SIZEOF_VOID_P != 8 || sizeof (OsiisoRecord) == 64);

#define OSIISO_RECORD_FROM_LINK(l) ((OsiisoRecord *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoRecord, link)))

static inline OsiisoStatus
osiiso_word_get_status (guint32 word)
{
  return (OsiisoStatus) (word & OSIISO_RECORD_STATUS_MASK);
}

static inline int
osiiso_word_get_priority (guint32 word)
{
  return (gint8) (word >> OSIISO_RECORD_PRIORITY_SHIFT);
}

/* Runs, or is going to: it is in no list, and whoever ends it has to end the
 * attempt. */
static inline gboolean
osiiso_word_has_attempt (guint32 word)
{
  return osiiso_word_get_status (word) == OSIISO_STATUS_RUNNING || (word & OSIISO_RECORD_RESERVED) != 0;
}

static inline gboolean
osiiso_status_is_final (OsiisoStatus status)
{
  return status >= OSIISO_STATUS_SUCCEEDED;
}

static inline guint32
osiiso_record_get_word (OsiisoRecord *self)
{
  return atomic_load_explicit (&self->word, memory_order_acquire);
}

static inline OsiisoRecordExt *
osiiso_record_get_ext (OsiisoRecord *self)
{
  return atomic_load_explicit (&self->ext, memory_order_acquire);
}

/* NULL when nobody needed it so far. */
static inline OsiisoRecordRare *
osiiso_record_get_rare (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL ? atomic_load_explicit (&ext->rare, memory_order_acquire) : NULL;
}

/* NULL without OSIISO_RECORD_BOUNDED. */
static inline OsiisoRecordBounds *
osiiso_record_get_bounds (OsiisoRecord *self)
{
  return osiiso_record_get_word (self) & OSIISO_RECORD_BOUNDED ? (OsiisoRecordBounds *) osiiso_record_get_rare (self)
                                                               : NULL;
}

static inline OsiisoStatus
osiiso_record_get_status (OsiisoRecord *self)
{
  return osiiso_word_get_status (osiiso_record_get_word (self));
}

/* References; the last one gives the record back to its pool. Any thread. */
OsiisoRecord    *osiiso_record_ref        (OsiisoRecord *self);
void             osiiso_record_unref      (OsiisoRecord *self);

OsiisoRecordExt *osiiso_record_ensure_ext (OsiisoRecord *self);
/* For a record to come; to be freed with g_free() while it is as new. */
OsiisoRecordExt *osiiso_record_ext_new    (void);
OsiisoRecordRare *osiiso_record_ensure_rare (OsiisoRecord *self);
/* Of a new record, before anything else is made of it. */
OsiisoRecordBounds *osiiso_record_make_bounds (OsiisoRecord *self);
guint32          osiiso_record_set_flags  (OsiisoRecord *self,
                                           guint32       set,
                                           guint32       clear);
guint32          osiiso_record_set_status (OsiisoRecord *self,
                                           OsiisoStatus  status,
                                           guint32       set,
                                           guint32       clear);

/* As G_IS_VALUE(), which takes a lock, would say of what is a value or nothing. */
static inline gboolean
osiiso_outcome_has_value (const OsiisoOutcome *self)
{
  return G_VALUE_TYPE (&self->value) != G_TYPE_INVALID;
}

/* Whether any thread may free it: what a user put into it is dropped where the user
 * lives. */
gboolean         osiiso_outcome_is_plain  (const OsiisoOutcome *self);

/* What the views show; any thread. Times are seconds, 0 for none. The value and
 * the error are NULL until the status is final and constant afterwards. */
guint64          osiiso_record_get_id            (OsiisoRecord *self);
char            *osiiso_record_dup_name          (OsiisoRecord *self);
guint            osiiso_record_get_attempts      (OsiisoRecord *self);
int              osiiso_record_get_priority      (OsiisoRecord *self);
gboolean         osiiso_record_get_must_complete (OsiisoRecord *self);
gboolean         osiiso_record_get_detached      (OsiisoRecord *self);
const char      *osiiso_record_get_group_id      (OsiisoRecord *self);
guint            osiiso_record_get_index         (OsiisoRecord *self);
GVariant        *osiiso_record_get_metadata      (OsiisoRecord *self);
double           osiiso_record_get_scheduled_for (OsiisoRecord *self);
double           osiiso_record_get_created       (OsiisoRecord *self);
double           osiiso_record_get_started       (OsiisoRecord *self);
double           osiiso_record_get_finished      (OsiisoRecord *self);
double           osiiso_record_get_duration      (OsiisoRecord *self);
const GValue    *osiiso_record_get_value         (OsiisoRecord *self);
const GValue    *osiiso_record_get_error_details (OsiisoRecord *self);
const GError    *osiiso_record_get_error         (OsiisoRecord *self);
/* What a task that is cancelled now ends with. */
GError          *osiiso_record_new_cancel_error  (OsiisoRecord *self);

G_END_DECLS
