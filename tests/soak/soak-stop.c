/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "soak.h"
#include "soak-slots.h"

/* F9: a worker is stopped in a task that has a timeout, again and again. */

#define TIMEOUT     0.2
#define GRACE       0.2
#define PERIOD_US   500000
#define OUTSTANDING 8
#define MIN_US      10
#define MAX_US      1000

typedef struct
{
  OsiisoQueue *queue;
  GRand       *rand;
  SoakSlots   *slots;
  gboolean     over;
  guint        n_outstanding;
  guint        n_submitted;
  GArray      *latencies; /* double, ms; of what has succeeded */
  GArray      *timeouts;  /* the same, since their starts */
} Stop;

static void
submit (Stop *self)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  osiiso_task_options_set_timeout (options, TIMEOUT);
  handle = osiiso_queue_submit_call (self->queue, SOAK_MODULE "call_note",
                                     g_variant_new ("(uu)", self->n_submitted, g_rand_int_range (self->rand, MIN_US, MAX_US)),
                                     options, &error);
  soak_need (error);
  self->n_submitted++;
  self->n_outstanding++;
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             Stop         *self)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);
  const double latency = (osiiso_handle_get_finished (handle) - osiiso_handle_get_created (handle)) * 1000;
  const double duration = osiiso_handle_get_duration (handle) * 1000;

  self->n_outstanding--;
  if (osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED)
    g_array_append_val (self->latencies, latency);
  else if (soak_expect (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT), "a task failed: %s", error->message))
    g_array_append_val (self->timeouts, duration);
  if (!self->over)
    submit (self);
}

static gboolean
on_time (gpointer flag)
{
  *(gboolean *) flag = TRUE;
  return G_SOURCE_REMOVE;
}

static void
iterate_for (guint us)
{
  gboolean over = FALSE;

  g_timeout_add (us / 1000, on_time, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
}

/* One that is in a task. */
static gboolean
stop_one (Stop *self)
{
  const guint n = (guint) g_atomic_int_get (&self->slots->n);
  const guint first = (guint) g_rand_int_range (self->rand, 0, 1 << 16);

  for (guint i = 0; i < n; i++)
    {
      SoakSlot *slot = &self->slots->slots[(first + i) % n];

      /* One that was stopped stays in its task, and its process may be gone. */
      if (g_atomic_int_get (&slot->running) == 0 || slot->running == G_MAXUINT32 || soak_get_child_state (slot->pid) == 0)
        continue;
      if (kill (slot->pid, SIGSTOP) == 0 && slot->running != 0)
        {
          slot->running = G_MAXUINT32;
          return TRUE;
        }
      kill (slot->pid, SIGCONT);
    }
  return FALSE;
}

static void
stop (const SoakParams *params)
{
  Stop self = {
    .rand = g_rand_new_with_seed (params->seed),
    .slots = soak_slots_new (),
    .latencies = g_array_new (FALSE, FALSE, sizeof (double)),
    .timeouts = g_array_new (FALSE, FALSE, sizeof (double)),
  };
  guint n_stopped = 0;
  double calm;

  self.queue = soak_workers_new (params->workers, "grace-time", GRACE, NULL);
  osiiso_queue_set_keep_results (self.queue, FALSE);
  g_signal_connect (self.queue, "on-complete", G_CALLBACK (on_complete), &self);
  osiiso_queue_start (self.queue, NULL);
  for (guint i = 0; i < OUTSTANDING; i++)
    submit (&self);
  /* The start of the workers is not what is compared. */
  iterate_for (PERIOD_US);
  g_array_set_size (self.latencies, 0);
  iterate_for ((guint) params->n * PERIOD_US);
  calm = soak_quantile ((double *) (void *) self.latencies->data, self.latencies->len, 0.99);
  g_array_set_size (self.latencies, 0);
  g_array_set_size (self.timeouts, 0);
  for (guint i = 0; i < params->n; i++)
    {
      n_stopped += stop_one (&self);
      iterate_for (PERIOD_US);
    }
  self.over = TRUE;
  soak_join (self.queue);
  soak_expect (self.n_outstanding == 0, "%u tasks are lost", self.n_outstanding);
  soak_queue_free (self.queue);
  soak_expect (soak_has_no_child (), "there is a child left");

  soak_report ("tasks", self.n_submitted);
  soak_report ("stopped", n_stopped);
  soak_report ("timed_out", self.timeouts->len);
  soak_expect (self.timeouts->len >= n_stopped / 2, "%u workers were stopped, and only %u tasks timed out", n_stopped,
               self.timeouts->len);
  soak_report_quantiles ("timed_out_ms", (double *) (void *) self.timeouts->data, self.timeouts->len);
  soak_report ("calm_ms_p99", calm);
  soak_report_quantiles ("others_ms", (double *) (void *) self.latencies->data, self.latencies->len);
  soak_report ("others_to_calm_p99", soak_quantile ((double *) (void *) self.latencies->data, self.latencies->len, 0.99) / calm);
  soak_slots_free (self.slots);
  g_array_unref (self.timeouts);
  g_array_unref (self.latencies);
  g_rand_free (self.rand);
}

const SoakTest soak_stop[] = {
  { "stop", stop },
  { NULL },
};
