/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

#include "bench-spin.h"

G_BEGIN_DECLS

/*
 * One process is one measurement: a contestant, with parameters, prints one
 * JSON object of numbers and ends. The driver compares them.
 */

typedef struct
{
  guint64 n;            /* tasks */
  guint   workers;
  double  work;         /* microseconds of work in a task */
  double  rate;         /* iterations of the work loop in a microsecond */
  guint   trials;       /* for latencies */
  guint64 pending;      /* tasks that wait meanwhile */
  guint   repeat;
  double  slice;        /* seconds; of the main-loop backend */
  guint   window;       /* calls that a process has at a time; 0: its choice */
  guint   retries;
  guint64 ballast;      /* bytes that the process has besides */
  gboolean apart;       /* see bench_place_workers() */
} BenchParams;

typedef struct
{
  const char *name;
  void (*run) (const BenchParams *params);
  gboolean (*is_there) (void); /* NULL: always */
} BenchContestant;

/* What a program has, ended by NULL. */
extern const BenchContestant *const bench_families[];

/* Each ends with an entry without a name. */
extern const BenchContestant bench_limits[];
extern const BenchContestant bench_threads[];
extern const BenchContestant bench_latency[];
extern const BenchContestant bench_memory[];
extern const BenchContestant bench_backlog[];
extern const BenchContestant bench_main_context[];
extern const BenchContestant bench_subprocess[];
extern const BenchContestant bench_replacements[];
extern const BenchContestant bench_storm[];

/* Time, in nanoseconds. */
gint64  bench_now         (void);
gint64  bench_cpu_now     (void); /* of the process */
gint64  bench_thread_cpu  (void);

/* Bytes of memory that the process has resident. */
gint64  bench_rss         (void);

/* What the child prints. */
void    bench_report      (const char *name,
                           double      value);
/* Sorts the values and reports NAME_p50, NAME_p99 and NAME_max. */
void    bench_report_latencies (const char *name,
                                double     *values,
                                guint       n);

/* Ends the program if there is an error. */
void    bench_check       (const GError *error);
void    bench_assert_equal (const char *what,
                            guint64     a,
                            guint64     b);

/* Work is counted in iterations, so that a task that is preempted does no less
 * of it. */
extern guint64 bench_iterations;
void    bench_set_work    (const BenchParams *params);

/* What each task does: the work, and a count that costs no shared cache line. */
void    bench_task        (void);
guint64 bench_counted     (void);
/* Sleeps until so many tasks have run; not for what is measured. */
void    bench_await_count (guint64 n);
/* Lets threads that have nothing to do fall asleep. */
void    bench_settle      (void);

/* Whether the producer and the workers share a processor is up to the kernel, and
 * differs from run to run. With params->apart, threads that are made after
 * bench_place_workers() have all processors but the first, and the calling thread
 * has only that from bench_place_producer() on. */
void    bench_place_workers  (const BenchParams *params);
void    bench_place_producer (const BenchParams *params);

/* How long a task waits from its submission until it begins to run: it notes its start, and the
 * producer sleeps until it has seen that. */
void    bench_note_start    (void);
void    bench_forget_start  (void);
double  bench_latency_since (gint64 submitted,
                             guint  pause);
/* Of tasks that come every now and then, to workers that sleep. */
double *bench_idle_latencies (const BenchParams *params,
                              void             (*push) (gpointer data),
                              gpointer           data);

/* How soon the most urgent task begins behind very many others. */
typedef struct
{
  void (*fill)   (gpointer data,
                  guint64  n);
  void (*urgent) (gpointer data); /* a task that notes its start */
  void (*open)   (gpointer data); /* if it is filled while nothing runs */
} BenchUrgent;

void    bench_run_urgent    (const BenchParams *params,
                             const BenchUrgent *executor,
                             gpointer           data);

/* A measured stretch: wall clock, processor time and waits. */
typedef struct
{
  gint64 wall;
  gint64 cpu;
  long   switches;
  gint64 pushed; /* when the producer was done */
} BenchStretch;

void    bench_begin       (BenchStretch *self);
void    bench_pushed      (BenchStretch *self);
/* Reports wall, cpu, push and switches per task. */
void    bench_end         (BenchStretch *self,
                           guint64       n);

/* Tasks arrive and wait until it is open. It is never freed: threads may be in
 * it when the program ends. */
typedef struct
{
  GMutex   lock;
  GCond    cond;
  guint    n_arrived;
  gboolean open;
} BenchGate;

BenchGate *bench_gate_new  (void);
void    bench_gate_pass    (BenchGate *self);
void    bench_gate_await   (BenchGate *self,
                            guint      n);
void    bench_gate_open    (BenchGate *self);

/* A started queue. */
OsiisoQueue *bench_queue_new   (const char *backend,
                                guint       workers);
void         bench_queue_start (OsiisoQueue *queue);
void         bench_queue_join  (OsiisoQueue *queue);

/* Options of four priorities, to be used in turn. */
#define BENCH_N_PRIORITIES 4
OsiisoTaskOptions **bench_priorities (void);

void         bench_push    (OsiisoQueue       *queue,
                            OsiisoTaskFunc     func,
                            gpointer           data,
                            OsiisoTaskOptions *options);
void         bench_osiiso_task (OsiisoAttempt *attempt,
                                gpointer       data);

/* The least that a task in a GThreadPool is, if it has a state and can be
 * cancelled. 56 bytes. */
typedef struct
{
  void        (*func) (gpointer data);
  gpointer      data;
  GDestroyNotify destroy;
  GCancellable *cancellable;
  gint64        id;
  int           priority;
  int           state;
  GError       *error;
} BenchTask;

G_STATIC_ASSERT (GLIB_SIZEOF_VOID_P != 8 || sizeof (BenchTask) == 56);

BenchTask   *bench_task_new    (void);
void         bench_task_run    (BenchTask *task);

G_END_DECLS
