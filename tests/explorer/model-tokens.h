/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The model of tokens: how they are given out and end, in model-tokens.c, and who
 * has one, in model-tokens-scenarios.c. */

typedef enum
{
  TOKEN_FAULT_NONE,
  TOKEN_FAULT_PARK_BLIND,      /* a token is parked although somebody has claimed it */
  TOKEN_FAULT_DROP_TWICE,      /* who reports too late drops the parked reference as well */
  TOKEN_FAULT_DROP_NEVER,      /* who interrupts leaves it to who reports */
  TOKEN_FAULT_NO_WRITE_OFF,    /* a stuck thread goes on being counted among those that serve */
  TOKEN_FAULT_STUCK_GOES_ON,   /* a thread that was written off asks for more */
  TOKEN_FAULT_TAKE_APART,      /* what is next is looked at when the last one ends, and taken later */
  TOKEN_FAULT_LEAVE_BLIND,     /* who asks for the next one ends the last one, whoever has */
  TOKEN_FAULT_REST_SILENT,     /* what the thread must not take itself is not announced */
  TOKEN_FAULT_ANY_NUMBER,      /* a report on another attempt counts */
  TOKEN_FAULT_ACK_ONLY,        /* only an acknowledgement shows that a call was taken */
  TOKEN_FAULT_REDELIVER_OVER,  /* what is over is delivered again */
  TOKEN_FAULT_REDELIVER_TAKEN, /* what was taken is, too */
  TOKEN_FAULT_NO_HOLD,         /* whoever delivers again later does not keep the attempt */
  TOKEN_FAULT_RUNNER_BLIND,    /* the runner is called although the queue is gone */
} TokenFault;

enum
{
  TOKEN_CLAIMED     = 1 << 0,
  TOKEN_INSIDE      = 1 << 1,
  TOKEN_REPORTED    = 1 << 2,
  TOKEN_DEFERRED    = 1 << 3,
  TOKEN_INTERRUPTED = 1 << 4,
  TOKEN_STUCK       = 1 << 6,
  TOKEN_SERVED      = 1 << 7,
  TOKEN_PARKED      = 1 << 8,
  TOKEN_BORROWS     = 1 << 9,
  TOKEN_FREED       = 1 << 10, /* not in the real one */
};

typedef enum
{
  TOKEN_PENDING,
  TOKEN_RUNNING,
  TOKEN_RETRYING,
  TOKEN_SUCCEEDED,
  TOKEN_FAILED,
  TOKEN_CANCELLED,
  TOKEN_TIMED_OUT,
  TOKEN_ABANDONED,
} TokenStatus;

/* What the runner does with a token. */
typedef enum
{
  TOKEN_ASKS,    /* asks for the next one, and so ends this one */
  TOKEN_FAILS,   /* the same after it reported a failure, the first time */
  TOKEN_PARKS,   /* acknowledges it; another thread reports */
  TOKEN_REFUSES, /* does not take the call for a while, then parks it */
  TOKEN_SILENT,  /* asks, and does not acknowledge what it was called for */
  TOKEN_LATER,   /* does not take the call for a while, then asks */
  TOKEN_NEEDS,   /* asks, and needs the last task before it returns */
  TOKEN_PLAIN,   /* no token: a function that returns */
} TokenRun;

#define TOKEN_MAX_TASKS    3
#define TOKEN_MAX_ATTEMPTS 5 /* at a time, and those whose memory is not used again */
#define TOKEN_MAX_NUMBER   2

typedef struct
{
  int      n_tasks;
  TokenRun runs[TOKEN_MAX_TASKS];
  int      n_servers;
  gboolean slices;     /* or one thread that serves slices, in the owner's context */
  int      retries;    /* of the first task */
  int      n_refusals; /* of the runner */
  guint    reports;    /* somebody reports on these by their number, by bits */
  gboolean last_first; /* and needs the last task for that */
  guint    cancels;    /* somebody cancels these */
  gboolean times_out;  /* the first task does */
  gboolean has_ext;    /* tasks have options */
  gboolean force;      /* the end does not wait */
} TokenScenario;

typedef struct
{
  ExAtomic ref_count;
  ExAtomic state;
  ExAtomic status; /* written by who claimed */
  int      record; /* -1: none */
  int      number;
} TokenAttempt;

typedef struct
{
  TokenStatus   status;   /* ready_lock */
  TokenAttempt *attempt;  /* ready_lock: while it is running */
  int           n_ends;   /* ready_lock */
  int           attempts; /* ready_lock */
  gboolean      cancel_asked; /* ready_lock */
  ExAtomic      ref_count;
  /* Of the model. */
  int           n_taken[TOKEN_MAX_NUMBER]; /* how often the runner took the attempt */
  ExAtomic      out[TOKEN_MAX_NUMBER];     /* it did, so that somebody may report on it */
} TokenRecord;

typedef struct
{
  TokenAttempt *attempt; /* (nullable) (owned) */
  gboolean      pending;
  gboolean      ready;
  int           record;  /* once it has ended; -1: none */
  gboolean      borrowed;
} TokenDone;

typedef struct
{
  gboolean      counts;  /* its thread is in n_serving */
  TokenAttempt *attempt; /* (nullable) (owned) */
  TokenDone     done;
} TokenServing;

typedef struct
{
  const TokenScenario *scenario;
  TokenFault   fault;
  ExMutex      ready_lock;
  ExCond       ready_cond;
  TokenRecord  records[TOKEN_MAX_TASKS];
  TokenAttempt attempts[TOKEN_MAX_ATTEMPTS];
  int          n_attempts; /* ready_lock */
  int          n_active;   /* ready_lock */
  int          n_serving;  /* ready_lock */
  int          limit;
  int          n_out;      /* ready_lock */
  gboolean     parked;     /* ready_lock */
  gboolean     stopping;   /* ready_lock */
  ExAtomic     idle;       /* there is no work any more */
  ExAtomic     users;      /* of the runner */
  ExAtomic     released;

  /* The owner's, in whose thread all of it happens. */
  TokenAttempt *redelivery; /* (nullable) (owned) */
  int          n_refusals;
} TokenModel;

extern TokenModel tokens;

/* Attempts, and what they are at. */
void          token_record_unref         (TokenRecord  *record);
void          token_count_out            (void);
TokenAttempt *token_dup_attempt          (int           record);
void          token_ref                  (TokenAttempt *self);
void          token_unref                (TokenAttempt *self);
gboolean      token_is_reusable          (TokenAttempt *self);
gboolean      token_enter                (TokenAttempt *self);
/* TRUE when the caller has to end it. */
gboolean      token_leave                (TokenAttempt *self);
void          token_park                 (TokenAttempt *self);
gboolean      token_report               (TokenAttempt *self,
                                          TokenStatus   status);
void          token_interrupt            (TokenAttempt *self,
                                          TokenStatus   status);
void          token_attempt_ended        (TokenAttempt *self);
void          token_cancel               (int           record);
/* With the ready lock. */
int           token_peek_ready_locked    (void);
gboolean      token_may_take_locked      (void);
void          token_announce_locked      (void);
void          token_set_end_locked       (TokenRecord  *record,
                                          TokenStatus   status);
void          token_unlink_locked        (TokenAttempt *self);
TokenAttempt *token_begin_attempt_locked (int           record,
                                          TokenAttempt *spare,
                                          gboolean      counts);

/* A thread of a backend. TRUE when it was written off. */
gboolean      token_serve                (void);
/* In a slice; FALSE when there is nothing more to take. */
gboolean      token_serve_for            (void);
/* In the owner's context, when there is something to be delivered again. */
void          token_redeliver            (void);
/* Lets go of the runner. */
void          token_end_use              (void);

G_END_DECLS
