/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <ucontext.h>

#include "explorer.h"
#include "state-set.h"

G_BEGIN_DECLS

/* What the parts of the explorer share: the search is in explorer.c, the threads
 * are in explorer-threads.c, and what they do in explorer-accesses.c. */

#define EX_MAX_THREADS 8

typedef enum
{
  EX_CONDITION_READY,
  EX_CONDITION_LOCKS,   /* wants a mutex */
  EX_CONDITION_WAITS,   /* for a condition, which then makes it want the mutex */
  EX_CONDITION_SLEEPS,  /* in a futex */
  EX_CONDITION_AWAITS,  /* a value */
  EX_CONDITION_FINISHED,
} ExCondition;

typedef struct
{
  ucontext_t    context;
  char         *stack;
  const char   *name;
  ExThreadFlags flags;
  ExThreadFunc  func;
  gpointer      data;
  ExCondition   condition;
  gpointer      object;  /* what the condition is about */
  ExMutex      *mutex;   /* to be had again after a wait */
  guint         n_locks;
  gboolean      fresh;   /* has made no access yet */
  guint64       past;    /* of all that it did and found */
  ExPlace       place;
} ExThread;

/* A point at which more than one thing could happen. */
typedef struct
{
  guint16 taken;
  guint16 n;       /* all that could happen */
  guint16 allowed; /* of them, how many are to be explored */
} ExChoice;

typedef enum
{
  EX_END_NONE,
  EX_END_QUIET, /* no thread can go on */
  EX_END_CUT,   /* a known state */
  EX_END_FAULT,
} ExEnd;

typedef struct
{
  const ExModel *model;
  guint          preemptions;
  gboolean       cut;
  StateSet      *states;
  StateSet      *ends;
  guint          n_runs;
  GArray        *choices; /* of ExChoice; those of the run and, after it, of the next one */

  /* The run. */
  ExThread       threads[EX_MAX_THREADS];
  guint          n_threads;
  ExThread      *current;  /* (nullable) */
  ucontext_t     main;
  guint          depth;    /* choices made */
  guint          n_known;  /* choices that were there when it began */
  guint          n_preemptions;
  guint          n_spurious;
  guint          n_steps;
  ExEnd          end;
  const char    *fault;
  ExPlace        fault_place;
  GString       *log;      /* (nullable) */
} Explorer;

extern Explorer ex;

static inline guint64
ex_mix (guint64 a,
        guint64 b)
{
  guint64 h = a * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) + b + G_GUINT64_CONSTANT (0x632be59bd9b4e019);

  h = (h ^ (h >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  h = (h ^ (h >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return h ^ (h >> 31);
}

/* One of @n things, of which @allowed are to be explored. */
guint     ex_pick_one        (guint n,
                              guint allowed);
/* Who goes on; NULL when the run ends. */
ExThread *ex_pick_thread     (void);

/* From the current thread, or from outside, to another one, or to outside. */
void      ex_switch_to       (ExThread *to);
gboolean  ex_is_enabled      (const ExThread *thread);
void      ex_check_stacks    (void);
void      ex_free_stacks     (void);

G_END_DECLS
