/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak.h"
#include "soak-slots.h"

/* F7: somebody kills a worker every ten milliseconds, whatever that is doing. */

#define PERIOD_US 10000
#define WINDOW    64
#define PENDING   1000
#define MAX_TASKS (16 << 20)
#define MIN_US    10
#define MAX_US    1000

typedef struct
{
  int    pidfd;
  gint64 killed_at; /* atomic; 0: it was not */
  guint  n_charged; /* attempts that were lost with it */
  guint  charged;   /* the number of the last of those tasks */
} Worker;

typedef struct
{
  const SoakParams *params;
  OsiisoQueue      *queue;
  GRand            *rand;
  SoakSlots        *slots;
  Worker           *workers;   /* as there are slots */
  guint             n_workers; /* that were seen; of the killer until it has ended */
  GMutex            lock;
  GHashTable       *by_pid;    /* slot + 1; with the lock */
  atomic_int        over;
  guint             n_kills;   /* of the killer until it has ended */
  guint             max_zombies;
  GArray           *deaths;     /* double, microseconds; of the killer until it has ended */
  GArray           *detections; /* the same, as on-retry tells it */
  GByteArray       *n_ends;    /* of each task */
  guint             n_retries;
  guint             n_crossed; /* charges that name no worker that was killed */
} Storm;

static void
see_new_workers (Storm *self)
{
  const guint n = MIN ((guint) g_atomic_int_get (&self->slots->n), SOAK_MAX_SLOTS);

  while (self->n_workers < n)
    {
      Worker *worker = &self->workers[self->n_workers];
      const int pid = g_atomic_int_get (&self->slots->slots[self->n_workers].pid);

      if (pid == 0)
        return;
      self->n_workers++;
      worker->pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
      /* The number may be another's by now. */
      if (worker->pidfd >= 0 && soak_get_child_state (pid) == 0)
        {
          close (worker->pidfd);
          worker->pidfd = -1;
        }
      g_mutex_lock (&self->lock);
      g_hash_table_insert (self->by_pid, GINT_TO_POINTER (pid), GUINT_TO_POINTER (self->n_workers));
      g_mutex_unlock (&self->lock);
    }
}

/* How long the kernel takes until anybody can see it, so that one knows how much of a
 * detection is ours. */
static void
witness (Storm  *self,
         Worker *worker,
         gint64  until)
{
  struct pollfd fd = { worker->pidfd, POLLIN, 0 };
  const gint64 left = until - g_get_monotonic_time ();
  double us;

  if (poll (&fd, 1, (int) (MAX (left, 0) / 1000)) != 1)
    return;
  us = (double) (g_get_monotonic_time () - worker->killed_at);
  g_array_append_val (self->deaths, us);
}

static void
kill_one (Storm *self,
          GRand *rand,
          gint64 next)
{
  guint living[64];
  guint n = 0;
  Worker *worker;

  /* The living are among the last. */
  for (guint i = self->n_workers; i > 0 && n < G_N_ELEMENTS (living) && i + 256 > self->n_workers; i--)
    if (self->workers[i - 1].killed_at == 0 && self->workers[i - 1].pidfd >= 0)
      living[n++] = i - 1;
  if (n == 0)
    return;
  worker = &self->workers[living[g_rand_int_range (rand, 0, (gint32) n)]];
  __atomic_store_n (&worker->killed_at, g_get_monotonic_time (), __ATOMIC_SEQ_CST);
  /* Before, because the others may know of it at once. */
  if (syscall (SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0) != 0)
    return;
  self->n_kills++;
  witness (self, worker, next);
}

/* Children that have ended, and whose parent has not asked. */
static guint
count_zombies (Storm *self)
{
  guint n = 0;

  for (guint i = self->n_workers > 256 ? self->n_workers - 256 : 0; i < self->n_workers; i++)
    n += soak_get_child_state (self->slots->slots[i].pid) == 'Z';
  return n;
}

static gpointer
kill_all (gpointer data)
{
  Storm *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->params->seed + 1);
  gint64 next = g_get_monotonic_time ();

  while (!atomic_load (&self->over))
    {
      gint64 now;

      see_new_workers (self);
      kill_one (self, rand, next + PERIOD_US);
      if (self->n_kills % 100 == 0)
        self->max_zombies = MAX (self->max_zombies, count_zombies (self));
      next += PERIOD_US;
      now = g_get_monotonic_time ();
      if (now < next)
        g_usleep ((gulong) (next - now));
      else
        next = now;
      if (self->params->seconds == 0 && self->n_kills >= self->params->n)
        atomic_store (&self->over, TRUE);
    }
  return NULL;
}

static void
submit (Storm *self)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (GVariant) metadata = g_variant_ref_sink (g_variant_new_uint32 (self->n_ends->len));
  const guint32 us = (guint32) g_rand_int_range (self->rand, MIN_US, MAX_US + 1);
  const guint8 none = 0;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  osiiso_task_options_set_metadata (options, metadata);
  osiiso_task_options_set_retries (options, 1000);
  handle = osiiso_queue_submit_call (self->queue, SOAK_MODULE "call_note", g_variant_new ("(uu)", self->n_ends->len, us),
                                     options, &error);
  soak_need (error);
  g_byte_array_append (self->n_ends, &none, 1);
}

static guint
number_of (OsiisoHandle *handle)
{
  return g_variant_get_uint32 (osiiso_handle_get_metadata (handle));
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          Storm        *self)
{
  const gint64 now = g_get_monotonic_time ();
  int pid = 0;
  guint slot;
  Worker *worker;
  gint64 killed_at;
  double detection;

  self->n_retries++;
  soak_expect (g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED), "%s", error->message);
  if (sscanf (error->message, "worker %d was killed by signal 9", &pid) != 1)
    pid = 0;
  g_mutex_lock (&self->lock);
  slot = GPOINTER_TO_UINT (g_hash_table_lookup (self->by_pid, GINT_TO_POINTER (pid)));
  g_mutex_unlock (&self->lock);
  killed_at = slot > 0 ? __atomic_load_n (&self->workers[slot - 1].killed_at, __ATOMIC_SEQ_CST) : 0;
  if (!soak_expect (killed_at > 0, "an attempt was lost with a worker that nobody has killed: %s", error->message))
    return;
  worker = &self->workers[slot - 1];
  worker->n_charged++;
  worker->charged = number_of (handle);
  detection = (double) (now - killed_at);
  g_array_append_val (self->detections, detection);
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             Storm        *self)
{
  soak_expect (osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED, "a task failed");
  self->n_ends->data[number_of (handle)]++;
  if (!atomic_load (&self->over))
    submit (self);
}

/* Compares what workers were in at their ends with the attempts that were lost. */
static void
report (Storm *self)
{
  guint n_in = 0, n_charged = 0, n_lost = 0;

  for (guint i = 0; i < self->n_workers; i++)
    {
      Worker *worker = &self->workers[i];
      const guint running = self->slots->slots[i].running;

      if (worker->pidfd >= 0)
        close (worker->pidfd);
      if (worker->killed_at == 0)
        continue;
      n_charged += worker->n_charged;
      soak_expect (worker->n_charged <= 1, "%u attempts were lost with one worker", worker->n_charged);
      if (running == 0)
        continue;
      n_in++;
      soak_expect (worker->n_charged == 1 && worker->charged == running - 1,
                   "task %u was running when its worker was killed, and %u attempts were charged, of task %u", running - 1,
                   worker->n_charged, worker->charged);
    }
  for (guint i = 0; i < self->n_ends->len; i++)
    n_lost += self->n_ends->data[i] != 1;
  soak_report ("tasks", self->n_ends->len);
  soak_report ("kills", self->n_kills);
  soak_report ("kills_in_a_function", n_in);
  soak_report ("attempts_charged", n_charged);
  soak_report ("lost", n_lost);
  soak_report ("zombies_at_once", self->max_zombies);
  soak_expect (n_charged == self->n_retries, "%u attempts were charged in %u retries", n_charged, self->n_retries);
  soak_report_quantiles ("death_us", (double *) (void *) self->deaths->data, self->deaths->len);
  soak_report_quantiles ("detection_us", (double *) (void *) self->detections->data, self->detections->len);
}

static void
wait_for (Storm  *self,
          double  seconds)
{
  const gint64 until = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);

  while (!atomic_load (&self->over) && g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, TRUE);
}

static void
reserve (GArray *times)
{
  g_array_set_size (times, SOAK_MAX_SLOTS);
  memset (times->data, 1, SOAK_MAX_SLOTS * sizeof (double));
  g_array_set_size (times, 0);
}

static void
storm (const SoakParams *params)
{
  Storm self = {
    .params = params,
    .rand = g_rand_new_with_seed (params->seed),
    .slots = soak_slots_new (),
    .workers = g_new0 (Worker, SOAK_MAX_SLOTS),
    .by_pid = g_hash_table_new (NULL, NULL),
    .deaths = g_array_new (FALSE, FALSE, sizeof (double)),
    .detections = g_array_new (FALSE, FALSE, sizeof (double)),
    .n_ends = g_byte_array_new (),
  };
  guint n_fds;
  guint64 rss;
  GThread *killer;

  /* So that what the test itself needs does not seem to grow. */
  g_byte_array_set_size (self.n_ends, MAX_TASKS);
  memset (self.n_ends->data, 1, MAX_TASKS);
  g_byte_array_set_size (self.n_ends, 0);
  reserve (self.deaths);
  reserve (self.detections);
  for (guint i = 0; i < SOAK_MAX_SLOTS; i++)
    self.workers[i].pidfd = -1;
  g_mutex_init (&self.lock);
  /* What GLib opens once. */
  self.queue = soak_workers_new (1, NULL, NULL);
  soak_join (self.queue);
  soak_queue_free (self.queue);
  n_fds = soak_count_fds ();
  self.queue = soak_workers_new (params->workers, "window", WINDOW, NULL);
  osiiso_queue_set_keep_results (self.queue, FALSE);
  g_signal_connect (self.queue, "on-retry", G_CALLBACK (on_retry), &self);
  g_signal_connect (self.queue, "on-complete", G_CALLBACK (on_complete), &self);
  for (guint i = 0; i < PENDING; i++)
    submit (&self);
  killer = g_thread_new ("killer", kill_all, &self);
  osiiso_queue_start (self.queue, NULL);
  wait_for (&self, params->seconds > 0 ? params->seconds / 3 : 3600);
  rss = soak_rss ();
  wait_for (&self, params->seconds * 2 / 3);
  soak_report ("rss_growth_kib", ((double) soak_rss () - (double) rss) / 1024);
  atomic_store (&self.over, TRUE);
  g_thread_join (killer);
  soak_join (self.queue);
  see_new_workers (&self);

  soak_queue_free (self.queue);
  report (&self);
  soak_expect (soak_has_no_child (), "there is a child left");
  soak_report ("fds_left", (double) soak_count_fds () - n_fds);
  soak_slots_free (self.slots);
  g_byte_array_unref (self.n_ends);
  g_array_unref (self.deaths);
  g_array_unref (self.detections);
  g_hash_table_unref (self.by_pid);
  g_mutex_clear (&self.lock);
  g_free (self.workers);
  g_rand_free (self.rand);
}

const SoakTest soak_kill[] = {
  { "kill", storm },
  { NULL },
};
