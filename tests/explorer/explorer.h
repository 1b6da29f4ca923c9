/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A schedule explorer: runs a model of a few threads in every order that a
 * bounded number of preemptions allows, and tells which order breaks it.
 *
 * The threads are coroutines, and one runs at a time until its next access to
 * what they share. There the explorer decides who goes on. It goes through all
 * decisions depth first, each time from the start, so a model has to do the same
 * when it is decided the same. A preemption is a switch away from a thread that
 * could have gone on; switches away from one that waits are free. Memory is
 * sequentially consistent.
 *
 * What a model shares is either one of the types below or guarded by an ExMutex
 * (then it is a plain variable). Zero is the initial state of them all, so
 * setup() clears the state of the model and sets what is not zero. Models
 * allocate nothing, because threads are dropped where they are when a run ends.
 *
 * Runs that reach a state that was seen before are cut short. Two orders lead to
 * the same state when every thread has made the same accesses and found the same
 * past there; that is why nothing may be shared in another way. Threads that have
 * the same function, data and flags may take each other's place.
 */

typedef struct
{
  guint   owner; /* 1 + the thread */
  guint64 past;
} ExMutex;

typedef struct
{
  guint64 past;
} ExCond;

typedef struct
{
  gint64  value;
  guint64 past;
} ExAtomic;

/* Where a thread is, for people. */
typedef struct
{
  const char *func;
  int         line;
  const char *what;
} ExPlace;

#define EX_HERE(what) ((ExPlace) { G_STRFUNC, __LINE__, what })

typedef struct _ExModel ExModel;
struct _ExModel
{
  const char *name;
  const char *summary;
  /* Clears the state of the model and spawns its threads. */
  void      (*setup)  (const ExModel *model);
  /* (nullable): called when no thread can go on; NULL when all is as it should
   * be, otherwise what is not. */
  const char *(*check) (const ExModel *model);
  gconstpointer data;     /* the setup's */
  guint       variant;    /* the setup's */
  gboolean    faulty;     /* the explorer has to find the fault */
  int         more;       /* preemptions, than other models; < 0: fewer */
  guint       spurious;   /* how many waits may return without a reason, in a run */
};

typedef enum
{
  EX_THREAD_DEFAULT = 0,
  EX_THREAD_MAY_SLEEP = 1 << 0, /* need not end: waiting for good is fine, but for a mutex */
} ExThreadFlags;

typedef void (*ExThreadFunc) (gpointer data);

#define EX_UNLIMITED G_MAXUINT

typedef struct
{
  guint       preemptions;
  gboolean    every;        /* do not cut runs short, nor take threads for each other */
  guint64     n_schedules;  /* how many were run to their end */
  guint64     n_cut;        /* how many ended at a state that was known */
  guint64     n_ends;       /* in how many states */
  char       *fault;        /* (nullable) (owned): what went wrong */
  char       *schedule;     /* (nullable) (owned): and how, a line for each step */
  char       *choices;      /* (nullable) (owned): the same for ex_replay() */
} ExReport;

/* Fills in @report, in which the caller sets preemptions and every; TRUE when no
 * fault was found. The first fault ends it. */
gboolean ex_explore      (const ExModel *model,
                          ExReport      *report);
/* Runs one schedule; FALSE when @choices makes no sense. */
gboolean ex_replay       (const ExModel *model,
                          const char    *choices,
                          ExReport      *report);
void     ex_report_clear (ExReport      *report);

/* In setup(). @name is not copied. */
void     ex_spawn        (const char    *name,
                          ExThreadFlags  flags,
                          ExThreadFunc   func,
                          gpointer       data);

/* The same for one that does not begin before @atomic is not 0: cheaper than one that
 * waits for that. */
void     ex_spawn_when   (const char    *name,
                          ExThreadFlags  flags,
                          ExThreadFunc   func,
                          gpointer       data,
                          ExAtomic      *atomic);

/* In threads. */
#define ex_assert(expr) \
  G_STMT_START { \
    if (!(expr)) \
      ex_fail_at ("assertion failed: " #expr, EX_HERE ("assert " #expr)); \
  } G_STMT_END
#define ex_lock(mutex)            ex_lock_at ((mutex), EX_HERE ("lock " #mutex))
#define ex_unlock(mutex)          ex_unlock_at ((mutex), EX_HERE ("unlock " #mutex))
#define ex_wait(cond, mutex)      ex_wait_at ((cond), (mutex), EX_HERE ("wait " #cond))
#define ex_signal(cond)           ex_signal_at ((cond), FALSE, EX_HERE ("signal " #cond))
#define ex_broadcast(cond)        ex_signal_at ((cond), TRUE, EX_HERE ("broadcast " #cond))
#define ex_load(atomic)           ex_load_at ((atomic), EX_HERE ("load " #atomic))
#define ex_store(atomic, v)       ex_store_at ((atomic), (v), EX_HERE ("store " #atomic))
#define ex_exchange(atomic, v)    ex_exchange_at ((atomic), (v), EX_HERE ("exchange " #atomic))
#define ex_add(atomic, v)         ex_add_at ((atomic), (v), EX_HERE ("add " #atomic))
#define ex_or(atomic, v)          ex_or_at ((atomic), (v), EX_HERE ("or " #atomic))
#define ex_and(atomic, v)         ex_and_at ((atomic), (v), EX_HERE ("and " #atomic))
#define ex_cas(atomic, old, v)    ex_cas_at ((atomic), (old), (v), EX_HERE ("compare and exchange " #atomic))
#define ex_futex_wait(atomic, v)  ex_futex_wait_at ((atomic), (v), EX_HERE ("futex wait " #atomic))
#define ex_futex_wake(atomic, n)  ex_futex_wake_at ((atomic), (n), EX_HERE ("futex wake " #atomic))
/* Blocks until the value is not 0: what a task needs from another one. */
#define ex_await(atomic)          ex_await_at ((atomic), EX_HERE ("await " #atomic))
/* The same, and takes 1 away in that step; returns what was there before. */
#define ex_take(atomic)           ex_take_at ((atomic), EX_HERE ("take " #atomic))
#define ex_yield(what)            ex_yield_at (EX_HERE (what))
/* Something else that nobody can foresee: 0 to n - 1. */
#define ex_choose(n)              ex_choose_at ((n), EX_HERE ("choose of " #n))

/* The value of an atomic to a thread that holds the lock under which it is
 * written: no access of its own. */
static inline gint64
ex_peek (const ExAtomic *atomic)
{
  return atomic->value;
}

/* For setup(). */
static inline void
ex_init (ExAtomic *atomic,
         gint64    value)
{
  atomic->value = value;
}

gboolean ex_is_held       (const ExMutex *mutex);
gboolean ex_holds_nothing (void);

void     ex_lock_at       (ExMutex  *mutex,
                           ExPlace   place);
void     ex_unlock_at     (ExMutex  *mutex,
                           ExPlace   place);
void     ex_wait_at       (ExCond   *cond,
                           ExMutex  *mutex,
                           ExPlace   place);
void     ex_signal_at     (ExCond   *cond,
                           gboolean  all,
                           ExPlace   place);
gint64   ex_load_at       (ExAtomic *atomic,
                           ExPlace   place);
void     ex_store_at      (ExAtomic *atomic,
                           gint64    value,
                           ExPlace   place);
/* These return what was there before. */
gint64   ex_exchange_at   (ExAtomic *atomic,
                           gint64    value,
                           ExPlace   place);
gint64   ex_add_at        (ExAtomic *atomic,
                           gint64    value,
                           ExPlace   place);
gint64   ex_or_at         (ExAtomic *atomic,
                           gint64    value,
                           ExPlace   place);
gint64   ex_and_at        (ExAtomic *atomic,
                           gint64    value,
                           ExPlace   place);
gboolean ex_cas_at        (ExAtomic *atomic,
                           gint64   *expected,
                           gint64    value,
                           ExPlace   place);
void     ex_futex_wait_at (ExAtomic *atomic,
                           gint64    expected,
                           ExPlace   place);
void     ex_futex_wake_at (ExAtomic *atomic,
                           guint     n,
                           ExPlace   place);
void     ex_await_at      (ExAtomic *atomic,
                           ExPlace   place);
gint64   ex_take_at       (ExAtomic *atomic,
                           ExPlace   place);
void     ex_yield_at      (ExPlace   place);
guint    ex_choose_at     (guint     n,
                           ExPlace   place);
void     ex_fail_at       (const char *fault,
                           ExPlace     place) G_GNUC_NORETURN;

G_END_DECLS
