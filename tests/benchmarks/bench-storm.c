/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "bench-storm.h"

/* Workers that somebody kills all the time, without asking whether they have
 * something to do: which tasks suffer from that? */

/* So many tasks come for each worker that is killed: 5 %. */
#define TASKS_PER_KILL 20
#define TASK_US        150

typedef struct
{
  const BenchParams *params;
  OsiisoQueue       *queue;
  char              *path;
  BenchLog          *log;
  OsiisoHandle     **handles;
  guint             *n_ends;
  GHashTable        *killed;  /* of pids; the killer's until it is over */
  GHashTable        *crashed; /* pid to the number of tasks that crashed with it */
  gint               over;    /* atomic */
} Storm;

static void
open_log (Storm *self)
{
  const gsize size = (gsize) self->params->n * 4;
  const gsize length = sizeof (BenchLog) + size * sizeof (BenchStart);
  GError *error = NULL;
  const int fd = g_file_open_tmp ("osiiso-bench-XXXXXX", &self->path, &error);

  bench_check (error);
  if (ftruncate (fd, (off_t) length) != 0 ||
      (self->log = mmap (NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
    {
      perror (self->path);
      _exit (1);
    }
  self->log->size = (guint) size;
  self->log->due = TASKS_PER_KILL / 2;
  close (fd);
}

static int
read_parent (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *p = NULL;
  int parent = 0;

  if (g_file_get_contents (path, &text, NULL, NULL))
    p = strrchr (text, ')');
  if (p != NULL && sscanf (p, ") %*c %d", &parent) != 1)
    parent = 0;
  return parent;
}

/* Only a child of this process, also when the number belongs to another one by now. */
static gboolean
kill_worker (int pid)
{
  const int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  gboolean ok = fd >= 0 && read_parent (pid) == getpid () && syscall (SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;

  if (fd >= 0)
    close (fd);
  return ok;
}

/* One of those that have begun something lately. */
static gpointer
kill_some (gpointer data)
{
  Storm *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (20);

  while (!g_atomic_int_get (&self->over))
    {
      const guint n = MIN ((guint) g_atomic_int_get (&self->log->n), self->log->size);
      int pid;

      if (n < self->log->due)
        {
          g_usleep (50);
          continue;
        }
      pid = g_atomic_int_get (&self->log->starts[n - 1 - (guint) g_rand_int_range (rand, 0, MIN (n, 8))].pid);
      if (pid > 0 && !g_hash_table_contains (self->killed, GINT_TO_POINTER (pid)) && kill_worker (pid))
        {
          g_hash_table_add (self->killed, GINT_TO_POINTER (pid));
          g_atomic_int_add (&self->log->due, g_rand_int_range (rand, 1, 2 * TASKS_PER_KILL));
        }
      else
        {
          g_usleep (50);
        }
    }
  return NULL;
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      data)
{
  Storm *self = data;

  self->n_ends[g_variant_get_uint32 (osiiso_handle_get_metadata (handle))]++;
}

static void
submit_all (Storm *self)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  GError *error = NULL;

  osiiso_task_options_set_retries (options, self->params->retries);
  osiiso_task_options_retry_on (options, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED);
  for (guint32 i = 0; i < self->params->n; i++)
    {
      GVariant *args = g_variant_new ("(suu)", self->path, i, TASK_US);

      osiiso_task_options_set_metadata (options, g_variant_new_uint32 (i));
      self->handles[i] = osiiso_queue_submit_call (self->queue, "osiiso-bench-functions:bench_note", args, options, &error);
      bench_check (error);
    }
}

/* The worker that the task crashed with; 0 if it did not say. */
static int
get_crash_pid (OsiisoHandle *handle)
{
  const GValue *details = osiiso_handle_get_error_details (handle);
  gint32 pid = 0;

  if (details != NULL)
    g_variant_lookup (g_value_get_variant (details), "pid", "i", &pid);
  return pid;
}

/* Whether the worker had that task and no other at its end. One that had answered
 * may have been about to begin the next. */
static gboolean
was_running (Storm *self,
             int    pid,
             guint  index)
{
  gint64 last = -1;

  for (guint i = 0; i < MIN (self->log->n, self->log->size); i++)
    {
      if (self->log->starts[i].pid != pid)
        continue;
      if (last == index)
        return FALSE;
      last = self->log->starts[i].index;
    }
  return last == -1 || last == index || osiiso_handle_get_status (self->handles[last]) == OSIISO_STATUS_SUCCEEDED;
}

/* Without retries: one task at most for each worker that was killed, the one that it
 * was in. */
static gboolean
is_stranger (Storm *self,
             guint  index)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (self->handles[index]);
  const int pid = get_crash_pid (self->handles[index]);
  gpointer key = GINT_TO_POINTER (pid);
  guint n = GPOINTER_TO_UINT (g_hash_table_lookup (self->crashed, key)) + 1;

  g_hash_table_insert (self->crashed, key, GUINT_TO_POINTER (n));
  return !g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED) || n > 1 ||
         !g_hash_table_contains (self->killed, key) || !was_running (self, pid, index);
}

static void
report (Storm *self)
{
  const guint n = (guint) self->params->n;
  g_autofree guint *n_starts = g_new0 (guint, n);
  guint n_failed = 0, n_wrong = 0, n_again = 0, n_strangers = 0, n_attempts = 0;

  bench_assert_equal ("the log is long enough", self->log->n <= self->log->size, TRUE);
  /* One that was killed while it made its note has left none. */
  for (guint i = 0; i < self->log->n; i++)
    n_starts[self->log->starts[i].index] += self->log->starts[i].pid != 0;
  for (guint i = 0; i < n; i++)
    {
      const OsiisoStatus status = osiiso_handle_get_status (self->handles[i]);
      const guint attempts = osiiso_handle_get_attempts (self->handles[i]);

      n_attempts += attempts;
      n_wrong += self->n_ends[i] != 1 || (status != OSIISO_STATUS_SUCCEEDED && status != OSIISO_STATUS_FAILED);
      n_failed += status != OSIISO_STATUS_SUCCEEDED;
      /* Attempts may crash before they say that they have begun; but none begins twice. */
      n_again += n_starts[i] > attempts || (status == OSIISO_STATUS_SUCCEEDED && n_starts[i] == 0);
      n_strangers += self->params->retries == 0 && status == OSIISO_STATUS_FAILED && is_stranger (self, i);
    }
  bench_assert_equal ("enough were killed", g_hash_table_size (self->killed) >= n / TASKS_PER_KILL / 2, TRUE);
  bench_report ("tasks", n);
  bench_report ("kills", g_hash_table_size (self->killed));
  bench_report ("attempts", n_attempts);
  bench_report ("failed", n_failed);
  bench_report ("not_once", n_wrong);
  bench_report ("again", n_again);
  bench_report ("strangers", n_strangers);
  /* Each attempt beyond one per task is one that a kill has cost. */
  bench_report ("unpaid", MAX (0, (double) (n_attempts - n) + (self->params->retries == 0 ? n_failed : 0) -
                               g_hash_table_size (self->killed)));
}

static void
storm (const BenchParams *params)
{
  Storm self = {
    .params = params,
    .queue = bench_queue_new ("subprocess", params->workers),
    .handles = g_new (OsiisoHandle *, params->n),
    .n_ends = g_new0 (guint, params->n),
    .killed = g_hash_table_new (NULL, NULL),
    .crashed = g_hash_table_new (NULL, NULL),
  };
  BenchStretch stretch;
  GThread *killer;

  open_log (&self);
  g_signal_connect (self.queue, "on-complete", G_CALLBACK (on_complete), &self);
  submit_all (&self);
  killer = g_thread_new ("killer", kill_some, &self);
  bench_begin (&stretch);
  bench_queue_start (self.queue);
  bench_queue_join (self.queue);
  bench_end (&stretch, params->n);
  g_atomic_int_set (&self.over, TRUE);
  g_thread_join (killer);

  osiiso_queue_shutdown (self.queue, TRUE, NULL, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  report (&self);
  unlink (self.path);
}

const BenchContestant bench_storm[] = {
  { "process-storm", storm },
  { NULL },
};
