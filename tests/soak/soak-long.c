/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "soak-mix.h"

/* F20: everything at once, for long. Memory and descriptors are looked at whenever all
 * is done. */

#define N_MIXES  3
#define N_PLAINS 2

/* In each round: a mix on each backend, and plain tasks on queues that nobody listens to. */
static const struct
{
  const char *backend;
  guint       n;
} mix_loads[N_MIXES] = {
  { "main-loop", 100 },
  { "thread-pool", 200 },
  { "subprocess", 100 },
};
static const struct
{
  const char *backend;
  guint       n; /* for each that params->n says */
} plain_loads[N_PLAINS] = {
  { "main-loop", 100 },
  { "thread-pool", 900 },
};
/* Before that, caches and pools fill. */
#define WARM_UP_MINUTES 5
#define MAX_SAMPLES     (1 << 12)
/* So many stretches of the time after that count, each with one level. */
#define N_STRETCHES     25
/* Descriptors of processes that begin and end are there for a moment: what counts is the
 * median of the first five minutes, and of so much of the time at last. */
#define LATE            0.2
#define MAX_FDS         256
/* How long a sample waits for a worker that is on its way. */
#define PATIENCE_US     20000
#define PERIOD_MINUTES  (0.5 / 60)

static atomic_uint n_done;

static void
count (OsiisoAttempt *attempt,
       gpointer       unused)
{
  atomic_fetch_add_explicit (&n_done, 1, memory_order_relaxed);
  osiiso_attempt_return_none (attempt);
}

typedef struct
{
  double minutes;
  double rss;  /* KiB */
  double heap; /* KiB that are in use */
} Sample;

static guint
stretch_of (const GArray *samples,
            guint         i)
{
  const Sample *all = (const Sample *) (const void *) samples->data;
  const double part = (all[i].minutes - all[0].minutes) / (all[samples->len - 1].minutes - all[0].minutes);

  return (guint) MIN (part * N_STRETCHES, N_STRETCHES - 1);
}

/* The median of each stretch: memory of tasks and workers comes and goes in pieces. */
static guint
get_stretches (const GArray *samples,
               gboolean      heap,
               double        times[N_STRETCHES],
               double        values[N_STRETCHES])
{
  const Sample *all = (const Sample *) (const void *) samples->data;
  g_autofree double *some = g_new (double, samples->len);
  guint n = 0;

  for (guint i = 0, end = 0; i < samples->len; i = end)
    {
      const guint stretch = stretch_of (samples, i);

      for (end = i; end < samples->len && stretch_of (samples, end) == stretch; end++)
        some[end - i] = heap ? all[end].heap : all[end].rss;
      times[n] = (all[i].minutes + all[end - 1].minutes) / 2;
      values[n++] = soak_quantile (some, end - i, 0.5);
    }
  return n;
}

/* KiB per minute: the median of the slopes between any two stretches (Theil and Sen),
 * and the bounds in which it is with a probability of 95 %. */
static void
report_slope (const char   *name,
              const GArray *samples,
              gboolean      heap)
{
  static const char *const suffixes[] = { "", "_low", "_high" };
  double times[N_STRETCHES], values[N_STRETCHES], slopes[N_STRETCHES * (N_STRETCHES - 1) / 2];
  const guint n = samples->len < 2 ? 0 : get_stretches (samples, heap, times, values);
  guint n_slopes = 0;

  for (guint i = 0; i < n; i++)
    for (guint j = i + 1; j < n; j++)
      slopes[n_slopes++] = (values[j] - values[i]) / (times[j] - times[i]);
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *full = g_strdup_printf ("%s_slope%s_kib_per_minute", name, suffixes[i]);
      const double half = 1.96 * sqrt (n * (n - 1.0) * (2 * n + 5) / 18) / 2 / MAX (n_slopes, 1);
      const double quantile = 0.5 + (i == 0 ? 0 : i == 1 ? -half : half);

      soak_report (full, soak_quantile (slopes, n_slopes, CLAMP (quantile, 0, 1)));
    }
}

typedef struct
{
  const SoakParams *params;
  SoakMix          *mixes[N_MIXES];
  OsiisoQueue      *plains[N_PLAINS];
  guint64           n_tasks;
} Load;

static void
run_round (Load *self)
{
  OsiisoGroup *groups[N_PLAINS];
  guint n_plain = 0;

  atomic_store (&n_done, 0);
  for (guint i = 0; i < N_MIXES; i++)
    {
      soak_mix_begin (self->mixes[i]);
      self->n_tasks += mix_loads[i].n;
    }
  for (guint i = 0; i < N_PLAINS; i++)
    {
      const guint n = plain_loads[i].n * (guint) self->params->n;

      groups[i] = osiiso_queue_map (self->plains[i], n, count, NULL, NULL, NULL, NULL);
      osiiso_queue_start (self->plains[i], NULL);
      n_plain += n;
    }
  for (guint i = 0; i < N_MIXES; i++)
    soak_mix_end (self->mixes[i]);
  for (guint i = 0; i < N_PLAINS; i++)
    {
      const guint n = plain_loads[i].n * (guint) self->params->n;

      soak_join (self->plains[i]);
      soak_expect (osiiso_group_get_n_finished (groups[i]) == n, "of %u tasks %u have ended", n,
                   osiiso_group_get_n_finished (groups[i]));
      g_object_unref (groups[i]);
    }
  soak_expect (atomic_load (&n_done) == n_plain, "%u tasks were run %u times", n_plain, atomic_load (&n_done));
  self->n_tasks += n_plain;
}

/* One that has just crashed, and will be replaced, takes no memory. */
static gboolean
has_all_workers (Load *self)
{
  const gint64 until = g_get_monotonic_time () + PATIENCE_US;

  /* Not every kernel tells. */
  if (access ("/proc/thread-self/children", F_OK) != 0)
    return TRUE;
  while (soak_count_children () != self->params->workers)
    {
      if (g_get_monotonic_time () >= until)
        return FALSE;
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  return TRUE;
}

/* FALSE when it is not the time for one. What is free is given back before, so that it
 * does not count. */
static gboolean
take_sample (Load   *self,
             GArray *samples,
             double  minutes)
{
  struct mallinfo2 info;
  Sample sample;

  if (samples->len == MAX_SAMPLES || !has_all_workers (self))
    return FALSE;
  while (g_main_context_iteration (NULL, FALSE))
    ;
  malloc_trim (0);
  info = mallinfo2 ();
  sample = (Sample) { minutes, (double) soak_exact_rss () / 1024, (double) (info.uordblks + info.hblkhd) / 1024 };
  g_array_append_val (samples, sample);
  return TRUE;
}

static void
begin_load (Load             *self,
            const SoakParams *params)
{
  *self = (Load) { .params = params };
  for (guint i = 0; i < N_MIXES; i++)
    {
      self->mixes[i] = soak_mix_new (mix_loads[i].backend, params->workers, mix_loads[i].n, params->seed + i);
      osiiso_queue_set_keep_results (soak_mix_get_queue (self->mixes[i]), FALSE);
    }
  for (guint i = 0; i < N_PLAINS; i++)
    {
      self->plains[i] = soak_queue_new (plain_loads[i].backend, params->workers);
      osiiso_queue_set_keep_results (self->plains[i], FALSE);
    }
}

static void
end_load (Load *self)
{
  guint64 n_crashes = 0, n_cancelled = 0;

  for (guint i = 0; i < N_MIXES; i++)
    {
      n_crashes += soak_mix_get_n_crashes (self->mixes[i]) * g_str_equal (mix_loads[i].backend, "subprocess");
      n_cancelled += soak_mix_get_n_cancelled (self->mixes[i]);
      soak_mix_free (self->mixes[i]);
    }
  for (guint i = 0; i < N_PLAINS; i++)
    soak_queue_free (self->plains[i]);
  soak_report ("workers_crashed", (double) n_crashes);
  soak_report ("cancelled", (double) n_cancelled);
  soak_expect (soak_has_no_child (), "there is a child left");
}

/* So that others get processors, too. */
static void
keep_rate (Load  *self,
           double minutes)
{
  const double ahead = self->params->rate > 0 ? (double) self->n_tasks / self->params->rate - minutes * 60 : 0;

  if (ahead > 0)
    g_usleep ((gulong) (ahead * G_USEC_PER_SEC));
}

/* How often there were so many; not a list, which would grow. */
static void
count_fds (guint counts[MAX_FDS])
{
  counts[MIN (soak_count_fds (), MAX_FDS - 1)]++;
}

static guint
get_median (const guint counts[MAX_FDS])
{
  guint n = 0, below = 0, i = 0;

  for (guint j = 0; j < MAX_FDS; j++)
    n += counts[j];
  while (i < MAX_FDS - 1 && below + counts[i] <= n / 2)
    below += counts[i++];
  return i;
}

/* For so many seconds, or for two rounds; n: thousands of plain tasks in a round. */
static void
run_long (const SoakParams *params)
{
  g_autoptr (GArray) samples = g_array_sized_new (FALSE, FALSE, sizeof (Sample), MAX_SAMPLES);
  const gint64 begun = g_get_monotonic_time ();
  const double warm_up = MIN (WARM_UP_MINUTES, params->seconds / 60 / 3);
  double minutes = 0, last = -1;
  guint n_rounds = 0;
  guint fds_early[MAX_FDS] = { 0 }, fds_late[MAX_FDS] = { 0 };
  Load load;

  /* So that it does not grow while it is looked at. */
  memset (samples->data, 1, sizeof (Sample) * MAX_SAMPLES);
  begin_load (&load, params);
  for (; minutes * 60 < params->seconds || n_rounds < 2; n_rounds++)
    {
      run_round (&load);
      minutes = (double) (g_get_monotonic_time () - begun) / G_USEC_PER_SEC / 60;
      if (minutes < warm_up || n_rounds == 0)
        count_fds (fds_early);
      if (minutes * 60 >= params->seconds * (1 - LATE))
        count_fds (fds_late);
      if (minutes >= warm_up && minutes - last > PERIOD_MINUTES)
        last = take_sample (&load, samples, minutes) ? minutes : last;
      keep_rate (&load, minutes);
    }
  soak_report ("minutes", minutes);
  soak_report ("rounds", n_rounds);
  soak_report ("tasks", (double) load.n_tasks);
  soak_report ("samples", samples->len);
  soak_report ("rss_kib", (double) soak_exact_rss () / 1024);
  soak_report ("heap_kib", samples->len > 0 ? g_array_index (samples, Sample, samples->len - 1).heap : 0);
  report_slope ("rss", samples, FALSE);
  report_slope ("heap", samples, TRUE);
  soak_report ("fds_early", get_median (fds_early));
  soak_report ("fds", get_median (fds_late));
  end_load (&load);
}

const SoakTest soak_long[] = {
  { "long", run_long },
  { NULL },
};
