/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The model of the end of a task: an attempt, in model-attempt-end.c, and who has
 * one, in model-attempt-end-scenarios.c. */

typedef enum
{
  END_FAULT_NONE,
  END_FAULT_CLAIM_IN_PARTS,  /* looked at and set in two steps */
  END_FAULT_LEAVE_IN_PARTS,  /* looked for a report, then left the function */
  END_FAULT_REPORT_IN_PARTS, /* looked whether somebody is inside, then reported */
  END_FAULT_NO_HOLD,         /* an interruption does not keep the user data */
  END_FAULT_NO_END,          /* a dropped attempt does not end */
  END_FAULT_BLIND_REF,       /* an attempt found in a list is referenced whatever its count */
  END_FAULT_KEEP_LOAN,       /* a borrowed reference on the record is dropped by its owner */
  END_FAULT_BLIND_REUSE,     /* an attempt is used again whoever has it */
  END_FAULT_PARK_BLIND,      /* a token is parked although somebody has claimed it */
  END_FAULT_ASK_EARLY,       /* an interruption is looked for before the cancellable is shown */
} EndFault;

enum
{
  CLAIMED     = 1 << 0,
  INSIDE      = 1 << 1,
  REPORTED    = 1 << 2,
  DEFERRED    = 1 << 3,
  INTERRUPTED = 1 << 4,
  HOLDS       = 1 << 5,
  STUCK       = 1 << 6,
  SERVED      = 1 << 7,
  PARKED      = 1 << 8,
  BORROWS     = 1 << 9,
  FREED       = 1 << 10, /* not in the real one */
};

typedef enum
{
  PENDING,
  RUNNING,
  SUCCEEDED,
  FAILED,
  CANCELLED,
  TIMED_OUT,
  ABANDONED,
} EndStatus;

typedef enum
{
  FUNC_RETURNS,
  FUNC_REPORTS,
  FUNC_DEFERS,   /* another thread reports and drops it */
  FUNC_DROPS,    /* another thread only drops it */
  FUNC_PARKS,    /* of a token: another thread reports by its number */
} EndFunc;

typedef struct
{
  EndFunc  func;
  int      n_tasks;   /* one after the other; all but the first return */
  gboolean asks;      /* for the cancellable */
  gboolean serves;    /* ends and takes in one step */
  gboolean cancels;   /* somebody cancels the first task */
  gboolean times_out; /* the first task does */
  gboolean has_ext;   /* the first task has options */
  gboolean numbered;  /* somebody reports on the first task by its number */
} EndScenario;

typedef struct
{
  ExAtomic ref_count;
  ExAtomic state;
  ExAtomic status;      /* written by who claimed */
  ExAtomic cancellable; /* 0: none, 1: made, 2: cancelled */
  int      record;
} EndAttempt;

typedef struct
{
  EndStatus   status;  /* ready_lock */
  EndAttempt *attempt; /* ready_lock: while it is running */
  int         n_ends;  /* ready_lock */
  ExAtomic    ref_count;
  ExAtomic    ext;     /* 0: none */
  ExAtomic    payload_holds;
  ExAtomic    payload_freed;
} EndRecord;

typedef struct
{
  const EndScenario *scenario;
  EndFault   fault;
  ExMutex    ready_lock;
  EndRecord  records[2];
  EndAttempt attempts[2];
  int        n_attempts; /* ready_lock */
  int        n_serving;  /* ready_lock */
  ExAtomic   deferred;
} EndModel;

extern EndModel ending;

void        end_record_unref         (EndRecord  *record);
void        end_drop_payload         (EndRecord  *record);

gboolean    end_try_ref              (EndAttempt *self);
void        end_unref                (EndAttempt *self);
void        end_locked               (EndAttempt *self);
void        end_attempt_ended        (EndAttempt *self);
void        end_interrupt            (EndAttempt *self,
                                      EndStatus   status);
void        end_report               (EndAttempt *self,
                                      EndStatus   status);
gboolean    end_perform              (EndAttempt *self);
gboolean    end_is_reusable          (EndAttempt *self);
/* With the ready lock; NULL when there is nothing to take. */
EndAttempt *end_begin_attempt_locked (int         record,
                                      EndAttempt *spare);

G_END_DECLS
