/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>

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
  { "main-loop", 1000 },
  { "thread-pool", 9000 },
};
/* Before that, caches and pools fill. */
#define WARM_UP_MINUTES 5
#define MAX_SAMPLES     (1 << 14)

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

/* KiB per minute, by least squares. */
static double
get_slope (GArray  *samples,
           gboolean heap)
{
  double n = samples->len, x = 0, y = 0, xx = 0, xy = 0;

  for (guint i = 0; i < samples->len; i++)
    {
      const Sample *sample = &g_array_index (samples, Sample, i);
      const double value = heap ? sample->heap : sample->rss;

      x += sample->minutes;
      y += value;
      xx += sample->minutes * sample->minutes;
      xy += sample->minutes * value;
    }
  return samples->len < 3 ? 0 : (n * xy - x * y) / (n * xx - x * x);
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

static void
take_sample (GArray *samples,
             double  minutes)
{
  const struct mallinfo2 info = mallinfo2 ();
  const Sample sample = { minutes, (double) soak_rss () / 1024, (double) (info.uordblks + info.hblkhd) / 1024 };

  g_array_append_val (samples, sample);
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

/* For so many seconds, or for two rounds; n: ten thousands of plain tasks in a round. */
static void
run_long (const SoakParams *params)
{
  g_autoptr (GArray) samples = g_array_sized_new (FALSE, FALSE, sizeof (Sample), MAX_SAMPLES);
  const gint64 begun = g_get_monotonic_time ();
  const double warm_up = MIN (WARM_UP_MINUTES, params->seconds / 60 / 3);
  double minutes = 0, last = -1;
  guint n_rounds = 0;
  guint max_fds = 0, max_fds_early = 0;
  Load load;

  /* So that it does not grow while it is looked at. */
  memset (samples->data, 1, sizeof (Sample) * MAX_SAMPLES);
  begin_load (&load, params);
  for (; minutes * 60 < params->seconds || n_rounds < 2; n_rounds++)
    {
      run_round (&load);
      minutes = (double) (g_get_monotonic_time () - begun) / G_USEC_PER_SEC / 60;
      max_fds = MAX (max_fds, soak_count_fds ());
      if (minutes < warm_up)
        max_fds_early = max_fds;
      else if (minutes - last > 1.0 / 60)
        take_sample (samples, last = minutes);
      keep_rate (&load, minutes);
    }
  soak_report ("minutes", minutes);
  soak_report ("rounds", n_rounds);
  soak_report ("tasks", (double) load.n_tasks);
  soak_report ("rss_kib", (double) soak_rss () / 1024);
  soak_report ("rss_slope_kib_per_minute", get_slope (samples, FALSE));
  soak_report ("heap_slope_kib_per_minute", get_slope (samples, TRUE));
  soak_report ("fds_early", max_fds_early);
  soak_report ("fds", max_fds);
  end_load (&load);
}

const SoakTest soak_long[] = {
  { "long", run_long },
  { NULL },
};
