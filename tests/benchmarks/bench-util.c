/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static gint64
clock_now (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return (gint64) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

gint64
bench_now (void)
{
  return clock_now (CLOCK_MONOTONIC);
}

gint64
bench_cpu_now (void)
{
  return clock_now (CLOCK_PROCESS_CPUTIME_ID);
}

gint64
bench_thread_cpu (void)
{
  return clock_now (CLOCK_THREAD_CPUTIME_ID);
}

gint64
bench_rss (void)
{
  FILE *file = fopen ("/proc/self/statm", "r");
  long size = 0, resident = 0;

  if (file == NULL || fscanf (file, "%ld %ld", &size, &resident) != 2)
    {
      g_printerr ("cannot read /proc/self/statm\n");
      exit (1);
    }
  fclose (file);
  return (gint64) resident * sysconf (_SC_PAGESIZE);
}

void
bench_report (const char *name,
              double      value)
{
  static gboolean begun;
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_dtostr (number, sizeof number, value);
  printf ("%s\"%s\": %s", begun ? ", " : "{", name, number);
  begun = TRUE;
}

static int
compare_doubles (const void *a,
                 const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

void
bench_report_latencies (const char *name,
                        double     *values,
                        guint       n)
{
  const struct { const char *suffix; guint index; } quantiles[] = {
    { "p50", n / 2 },
    { "p99", MIN (n - 1, n * 99 / 100) },
    { "max", n - 1 },
  };

  if (n == 0)
    {
      g_printerr ("there is no value of '%s'\n", name);
      exit (1);
    }
  qsort (values, n, sizeof *values, compare_doubles);
  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++)
    {
      g_autofree char *full = g_strdup_printf ("%s_%s", name, quantiles[i].suffix);

      bench_report (full, values[quantiles[i].index]);
    }
}

void
bench_check (const GError *error)
{
  if (error == NULL)
    return;
  g_printerr ("%s\n", error->message);
  exit (1);
}

void
bench_assert_equal (const char *what,
                    guint64     a,
                    guint64     b)
{
  if (a == b)
    return;
  g_printerr ("%s: %" G_GUINT64_FORMAT ", expected %" G_GUINT64_FORMAT "\n", what, a, b);
  exit (1);
}

guint64 bench_iterations;

void
bench_set_work (const BenchParams *params)
{
  bench_iterations = (guint64) (params->work * params->rate);
}

/* A counter for each thread, on a cache line of its own. */
typedef struct
{
  _Alignas (64) _Atomic guint64 n;
} Shard;

static Shard shards[1024];
static atomic_uint n_shards;
static _Thread_local Shard *shard;

void
bench_task (void)
{
  if (shard == NULL)
    {
      guint i = atomic_fetch_add (&n_shards, 1);

      g_assert (i < G_N_ELEMENTS (shards));
      shard = &shards[i];
    }
  if (bench_iterations > 0)
    bench_spin (bench_iterations);
  /* No other thread writes here. */
  atomic_store_explicit (&shard->n, atomic_load_explicit (&shard->n, memory_order_relaxed) + 1,
                         memory_order_release);
}

guint64
bench_counted (void)
{
  guint64 n = 0;

  for (guint i = 0; i < MIN (atomic_load (&n_shards), G_N_ELEMENTS (shards)); i++)
    n += atomic_load_explicit (&shards[i].n, memory_order_acquire);
  return n;
}

void
bench_await_count (guint64 n)
{
  while (bench_counted () < n)
    g_usleep (500);
}

void
bench_settle (void)
{
  g_usleep (20000);
}

static void
place (gboolean first)
{
  cpu_set_t set;
  const long n = sysconf (_SC_NPROCESSORS_ONLN);

  CPU_ZERO (&set);
  for (int i = 0; i < MIN (n, CPU_SETSIZE); i++)
    if (first == (i == 0))
      CPU_SET (i, &set);
  if (sched_setaffinity (0, sizeof set, &set) != 0)
    {
      perror ("sched_setaffinity");
      exit (1);
    }
}

void
bench_place_workers (const BenchParams *params)
{
  if (params->apart)
    place (FALSE);
}

void
bench_place_producer (const BenchParams *params)
{
  if (params->apart)
    place (TRUE);
}

static long
n_switches (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

void
bench_begin (BenchStretch *self)
{
  self->switches = n_switches ();
  self->cpu = bench_cpu_now ();
  self->wall = self->pushed = bench_now ();
}

void
bench_pushed (BenchStretch *self)
{
  self->pushed = bench_now ();
}

void
bench_end (BenchStretch *self,
           guint64       n)
{
  gint64 now = bench_now ();
  gint64 cpu = bench_cpu_now ();

  bench_report ("wall", (double) (now - self->wall) / n);
  bench_report ("cpu", (double) (cpu - self->cpu) / n);
  if (self->pushed != self->wall)
    bench_report ("push", (double) (self->pushed - self->wall) / n);
  bench_report ("switches", (double) (n_switches () - self->switches) / n);
}

BenchGate *
bench_gate_new (void)
{
  BenchGate *self = g_new0 (BenchGate, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  return self;
}

void
bench_gate_pass (BenchGate *self)
{
  g_mutex_lock (&self->lock);
  self->n_arrived++;
  g_cond_broadcast (&self->cond);
  while (!self->open)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
bench_gate_await (BenchGate *self,
                  guint      n)
{
  g_mutex_lock (&self->lock);
  while (self->n_arrived < n)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
bench_gate_open (BenchGate *self)
{
  g_mutex_lock (&self->lock);
  self->open = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

OsiisoQueue *
bench_queue_new (const char *backend,
                 guint       workers)
{
  GError *error = NULL;
  OsiisoQueue *queue = osiiso_queue_new (backend, &error);

  bench_check (error);
  if (workers > 0)
    osiiso_queue_set_workers (queue, workers);
  return queue;
}

void
bench_queue_start (OsiisoQueue *queue)
{
  GError *error = NULL;

  osiiso_queue_start (queue, &error);
  bench_check (error);
}

void
bench_queue_join (OsiisoQueue *queue)
{
  GError *error = NULL;

  osiiso_queue_join (queue, NULL, &error);
  bench_check (error);
}

OsiisoTaskOptions **
bench_priorities (void)
{
  OsiisoTaskOptions **options = g_new (OsiisoTaskOptions *, BENCH_N_PRIORITIES);

  for (int i = 0; i < BENCH_N_PRIORITIES; i++)
    {
      options[i] = osiiso_task_options_new ();
      osiiso_task_options_set_priority (options[i], OSIISO_PRIORITY_DEFAULT - 2 + i);
    }
  return options;
}

void
bench_push (OsiisoQueue       *queue,
            OsiisoTaskFunc     func,
            gpointer           data,
            OsiisoTaskOptions *options)
{
  GError *error = NULL;

  if (osiiso_queue_push (queue, func, data, NULL, options, &error) == 0)
    bench_check (error);
}

void
bench_osiiso_task (OsiisoAttempt *attempt,
                   gpointer       data)
{
  bench_task ();
}

static void
task_func (gpointer data)
{
  bench_task ();
}

BenchTask *
bench_task_new (void)
{
  BenchTask *task = malloc (sizeof *task);

  *task = (BenchTask) { .func = task_func };
  return task;
}

void
bench_task_run (BenchTask *task)
{
  /* As something would have to that can be cancelled. */
  if (g_atomic_int_compare_and_exchange (&task->state, 0, 1))
    task->func (task->data);
  free (task);
}
