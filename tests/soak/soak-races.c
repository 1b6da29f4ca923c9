/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>

#include "soak.h"

/* F17: tasks are cancelled, or their time is over, just when they begin or end. */

#define BATCH  1000
#define MAX_US 50

typedef struct
{
  atomic_uint n_entered;
  guint       us;
} Race;

typedef struct
{
  OsiisoQueue  *queue;
  GRand        *rand;
  OsiisoHandle *handles[BATCH];
  guint8        n_told[BATCH];
  gboolean      cancelled[BATCH]; /* of the canceller until it is joined */
  guint         n;
  guint64       n_succeeded;
  guint64       n_cancelled;
  guint64       n_timed_out;
  guint64       n_reported_first;
} Races;

static void
perform (OsiisoAttempt *attempt,
         gpointer       data)
{
  Race *race = data;
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  const gint64 until = g_get_monotonic_time () + race->us;

  atomic_fetch_add (&race->n_entered, 1);
  while (g_get_monotonic_time () < until && !g_cancellable_is_cancelled (cancellable))
    ;
  osiiso_attempt_return_none (attempt);
}

/* At a random moment of the life of each. */
static gpointer
cancel_all (gpointer data)
{
  Races *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (g_rand_int (self->rand));

  for (guint i = 0; i < self->n; i++)
    {
      soak_spin ((guint) g_rand_int_range (rand, 0, MAX_US));
      if (g_rand_boolean (rand))
        self->cancelled[i] = osiiso_handle_cancel (self->handles[i]);
    }
  return NULL;
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             Races        *self)
{
  self->n_told[g_variant_get_uint32 (osiiso_handle_get_metadata (handle))]++;
}

static void
check (Races *self,
       guint  i,
       Race  *race)
{
  const OsiisoStatus status = osiiso_handle_get_status (self->handles[i]);
  g_autoptr (GError) error = osiiso_handle_dup_error (self->handles[i]);

  soak_expect (self->n_told[i] == 1, "a task was told %u times", self->n_told[i]);
  soak_expect (atomic_load (&race->n_entered) <= 1, "a function was entered %u times", atomic_load (&race->n_entered));
  /* One that was may have reported just before, and that counts. */
  soak_expect (self->cancelled[i] || status != OSIISO_STATUS_CANCELLED, "a task that nobody has cancelled was cancelled");
  self->n_reported_first += self->cancelled[i] && status != OSIISO_STATUS_CANCELLED;
  if (status == OSIISO_STATUS_FAILED)
    soak_expect (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT), "a task failed: %s", error->message);
  else
    soak_expect (status == OSIISO_STATUS_SUCCEEDED || status == OSIISO_STATUS_CANCELLED, "a task has status %d", status);
  self->n_succeeded += status == OSIISO_STATUS_SUCCEEDED;
  self->n_cancelled += status == OSIISO_STATUS_CANCELLED;
  self->n_timed_out += status == OSIISO_STATUS_FAILED;
}

static void
run_batch (Races *self)
{
  /* A function may be in its task when that has ended. */
  Race *races[BATCH];
  GThread *canceller;

  for (guint i = 0; i < self->n; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
      g_autoptr (GVariant) metadata = g_variant_ref_sink (g_variant_new_uint32 (i));
      g_autoptr (GError) error = NULL;

      races[i] = g_atomic_rc_box_new0 (Race);
      races[i]->us = (guint) g_rand_int_range (self->rand, 0, MAX_US);
      self->n_told[i] = 0;
      self->cancelled[i] = FALSE;
      osiiso_task_options_set_metadata (options, metadata);
      if (i % 4 == 0)
        osiiso_task_options_set_timeout (options, (1 + g_rand_int_range (self->rand, 0, MAX_US)) / 1e6);
      self->handles[i] = osiiso_queue_submit (self->queue, perform, g_atomic_rc_box_acquire (races[i]),
                                              g_atomic_rc_box_release, options, &error);
      soak_need (error);
    }
  canceller = g_thread_new ("canceller", cancel_all, self);
  soak_join (self->queue);
  g_thread_join (canceller);
  soak_join (self->queue);
  for (guint i = 0; i < self->n; i++)
    {
      check (self, i, races[i]);
      g_object_unref (self->handles[i]);
      g_atomic_rc_box_release (races[i]);
    }
}

static void
races (const SoakParams *params)
{
  Races self = { .queue = soak_queue_new ("thread-pool", params->workers), .rand = g_rand_new_with_seed (params->seed) };
  g_autoptr (OsiisoRunSummary) summary = NULL;

  osiiso_queue_set_keep_results (self.queue, FALSE);
  g_signal_connect (self.queue, "on-complete", G_CALLBACK (on_complete), &self);
  for (guint64 n = 0; n < params->n; n += self.n)
    {
      self.n = (guint) MIN (BATCH, params->n - n);
      run_batch (&self);
    }
  soak_report ("tasks", (double) params->n);
  soak_report ("succeeded", (double) self.n_succeeded);
  soak_report ("cancelled", (double) self.n_cancelled);
  soak_report ("timed_out", (double) self.n_timed_out);
  soak_report ("reported_before_cancelled", (double) self.n_reported_first);
  soak_report ("lost", (double) params->n - (double) (self.n_succeeded + self.n_cancelled + self.n_timed_out));
  soak_expect (osiiso_queue_get_completed_count (self.queue) == params->n, "the queue has counted %u tasks",
               (guint) osiiso_queue_get_completed_count (self.queue));
  soak_queue_free (self.queue);
  g_rand_free (self.rand);
}

const SoakTest soak_races[] = {
  { "races", races },
  { NULL },
};
