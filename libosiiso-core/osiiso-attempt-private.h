/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-attempt.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

enum
{
  OSIISO_ATTEMPT_CLAIMED     = 1 << 0, /* somebody ends it: the one exchange that decides */
  OSIISO_ATTEMPT_INSIDE      = 1 << 1, /* the function is running */
  OSIISO_ATTEMPT_REPORTED    = 1 << 2, /* an outcome is stored, to be used when the function is left */
  OSIISO_ATTEMPT_DEFERRED    = 1 << 3,
  OSIISO_ATTEMPT_INTERRUPTED = 1 << 4, /* ended by a timeout or a cancellation */
  OSIISO_ATTEMPT_HOLDS       = 1 << 5, /* keeps the user data until it is freed */
  OSIISO_ATTEMPT_STUCK       = 1 << 6, /* interrupted while the function was running */
  OSIISO_ATTEMPT_SERVED      = 1 << 7, /* its thread is counted in n_serving */
  OSIISO_ATTEMPT_PARKED      = 1 << 8, /* of a token, deferred: whoever claims it drops a reference */
  OSIISO_ATTEMPT_BORROWS     = 1 << 9, /* its reference on the record is the queue's */
  OSIISO_ATTEMPT_RESERVED    = 1 << 10, /* taken ahead and not begun; ready lock */
  OSIISO_ATTEMPT_GIVEN_BACK  = 1 << 11, /* ended by a backend that did not run it */
  OSIISO_ATTEMPT_ENTERED     = 1 << 12, /* somebody calls the function, or has */
  OSIISO_ATTEMPT_TRACED      = 1 << 13, /* a mark of it is still to be written */
};

/*
 * OsiisoAttempt: one try at a task.
 *
 * scheduler, record, number: constant.
 * link, timer: guarded by the scheduler's ready lock.
 * status, outcome, retry_after: written by whoever set CLAIMED, before REPORTED.
 */
struct _OsiisoAttempt
{
  OsiisoRefCount ref_count;
  guint            number;
  _Atomic guint32  state;
  OsiisoStatus     status;
  OsiisoScheduler *scheduler; /* (owned) */
  OsiisoRecord    *record;    /* (owned) */
  OsiisoLink       link;
  OsiisoHeapNode   timer;
  _Atomic (GCancellable *) cancellable; /* (nullable) (owned) */
  OsiisoOutcome   *outcome;   /* (nullable) (owned) */
  gint64           retry_after;
#ifdef HAVE_SYSPROF
  _Atomic gint64   begun;     /* in ns, when it is traced; 0: not yet */
#endif
};

#define OSIISO_ATTEMPT_FROM_LINK(l)  ((OsiisoAttempt *) (void *) ((char *) (l) - G_STRUCT_OFFSET (OsiisoAttempt, link)))
#define OSIISO_ATTEMPT_FROM_TIMER(n) ((OsiisoAttempt *) (void *) ((char *) (n) - G_STRUCT_OFFSET (OsiisoAttempt, timer)))

/*
 * OsiisoTaskFrame: a function of a queue that a thread is in, on the stack of that
 * thread. A function that iterates a context may have others within it.
 *
 * Constant while the thread blocks: outer, scheduler, location and what is there.
 * The rest belongs to the graph of waits; see osiiso-wait-private.h.
 */
typedef struct _OsiisoTaskFrame OsiisoTaskFrame;
struct _OsiisoTaskFrame
{
  OsiisoTaskFrame *outer;     /* (nullable) */
  OsiisoScheduler *scheduler;
  OsiisoAttempt  **location;  /* (nullable): of the attempt, which may be NULL between
                               * two tokens; NULL for the initializer */
  guint            mark;
  gboolean         holds;
};

void             osiiso_task_frame_enter       (OsiisoTaskFrame *self,
                                                OsiisoScheduler *scheduler,
                                                OsiisoAttempt  **location);
void             osiiso_task_frame_leave       (OsiisoTaskFrame *self);
/* The innermost one of the calling thread; NULL outside of all queues. */
OsiisoTaskFrame *osiiso_task_frame_get_current (void);
/* That one is @frame again, without the functions within it having returned. */
void             osiiso_task_frame_unwind      (OsiisoTaskFrame *frame);

/* Takes references on both, but on the record when @state says that it BORROWS.
 * With INSIDE and ENTERED in @state the thread that has it is going to enter at
 * once. */
OsiisoAttempt *osiiso_attempt_new       (OsiisoScheduler *scheduler,
                                         OsiisoRecord    *record,
                                         guint            number,
                                         guint32          state);

/* The same in the memory of an attempt that has ended and that nobody else has;
 * FALSE when somebody has, or it cannot be used again. Its reference on its old
 * record is the caller's then. */
gboolean       osiiso_attempt_reuse     (OsiisoAttempt   *self,
                                         OsiisoRecord    *record,
                                         guint            number,
                                         guint32          state);

/* The queue needs its reference on the record for itself. */
void           osiiso_attempt_return_loan (OsiisoAttempt *self);

/* Lets go of its record when nobody else has the attempt, to be used again; NULL
 * when somebody has, and then the reference is gone. */
OsiisoAttempt *osiiso_attempt_retire    (OsiisoAttempt   *self);

/* Calls the function unless the attempt has ended. TRUE when the caller has to
 * end it, with what is in status, outcome and retry_after. A token's function may
 * put another attempt into @location, or NULL when it has seen to the end. */
gboolean       osiiso_attempt_perform   (OsiisoAttempt  **location);

/* The two ends of that: FALSE when there is nothing to enter any more, TRUE when
 * the caller has to end it. */
gboolean       osiiso_attempt_enter     (OsiisoAttempt   *self);
gboolean       osiiso_attempt_leave     (OsiisoAttempt   *self);

/* The thread ends in the function, which does not return. */
void           osiiso_attempt_thread_exits (OsiisoAttempt *self);

/* The function of a token has been called and reports by number from now on. */
void           osiiso_attempt_park      (OsiisoAttempt   *self);
/* A token's function is done with it. TRUE when what it reported counts. */
gboolean       osiiso_attempt_finish_token (OsiisoAttempt *self);

/* What the public calls report with; FALSE when it does not count any more. Takes
 * over @outcome. */
gboolean       osiiso_attempt_report    (OsiisoAttempt   *self,
                                         OsiisoStatus     status,
                                         OsiisoOutcome   *outcome,
                                         gint64           retry_after);

/* Success with that value, which may be floating and is taken over. */
void           osiiso_attempt_take_variant (OsiisoAttempt *self,
                                            GVariant      *value);

/* The exchange that decides who ends the attempt, which is the caller when it returns
 * TRUE; sets @flags besides. */
gboolean       osiiso_attempt_claim     (OsiisoAttempt   *self,
                                         guint32          flags);

/* What whoever has claimed it does at last, with what is in status, outcome and
 * retry_after. */
void           osiiso_attempt_end       (OsiisoAttempt   *self);
/* Puts in there that nobody reports any more. */
void           osiiso_attempt_set_abandoned (OsiisoAttempt *self,
                                             const char    *how);

/* Nothing would keep such a value alive. */
gboolean       osiiso_value_is_js_object (const GValue    *value);

/* Calls the interrupt slot. */
void           osiiso_attempt_tell_backend (OsiisoAttempt         *self,
                                            OsiisoInterruptReason  reason);

/* Ends an attempt that did not happen, for who is going to see to its task; FALSE
 * when it has ended already. */
gboolean       osiiso_attempt_claim_back (OsiisoAttempt  *self);

/* For whoever found the attempt in a list that does not hold it. */
gboolean       osiiso_attempt_try_ref   (OsiisoAttempt   *self);

/* Ends an attempt from outside, unless it has ended already: nothing that it reports
 * counts any more. */
void           osiiso_attempt_interrupt (OsiisoAttempt         *self,
                                         OsiisoInterruptReason  reason);

/* The attempt whose function the calling thread is in. */
OsiisoAttempt *osiiso_attempt_get_current (void);
void           osiiso_attempt_set_current (OsiisoAttempt *self);
/* Whether the calling thread is in a function of that queue or its initializer, also
 * when that iterates a context in which it is in one of another queue now. */
gboolean       osiiso_attempt_is_inside   (OsiisoScheduler *scheduler);

OsiisoOutcome *osiiso_outcome_new_error (GError *error);
void           osiiso_outcome_free      (OsiisoOutcome *self);
/* The same where it may be freed: here, also without a scheduler, or in the owner's context. */
void           osiiso_outcome_drop      (OsiisoOutcome   *self,
                                         OsiisoScheduler *scheduler);

G_END_DECLS
