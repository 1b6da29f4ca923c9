/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../worker-parent.h"
#include "bench-workers.h"

/* How long it takes until a worker answers, from the first or in place of another one. */

/* A worker's first answer, from a queue that has none yet. */
static void
start_osiiso (const BenchParams *params)
{
  g_autofree double *values = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      OsiisoQueue *queue = bench_workers_new (params);
      const gint64 begun = bench_now ();

      bench_workers_pid (queue);
      values[i] = bench_now () - begun;
      bench_workers_free (queue);
    }
  bench_report_latencies ("start", values, params->trials);
}

static OsiisoHandle *
submit_deaf (OsiisoQueue *queue)
{
  OsiisoHandle *handle = bench_workers_submit (queue, BENCH_MODULE "bench_deaf", NULL);

  /* It says when it is in there: a call that was not begun would be dropped, and
   * the worker go on. */
  while (osiiso_handle_get_progress (handle) <= 0)
    g_usleep (100);
  return handle;
}

/* Killed from outside, in a call; until another one has answered in its place. */
static void
kill_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_workers_new (params);
  g_autofree double *values = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      const int pid = bench_workers_pid (queue);
      g_autoptr (OsiisoHandle) deaf = submit_deaf (queue);
      const gint64 begun = bench_now ();

      kill (pid, SIGKILL);
      bench_workers_pid (queue);
      values[i] = bench_now () - begun;
      bench_assert_equal ("status of the killed", osiiso_handle_get_status (deaf), OSIISO_STATUS_FAILED);
    }
  bench_report_latencies ("replaced", values, params->trials);
  bench_workers_free (queue);
}

/* Cancelled, in a call that does not listen: until another worker has answered, and
 * until this one is gone, less the grace time. */
static void
cancel_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_workers_new (params);
  g_autofree double *replaced = g_new (double, params->trials);
  g_autofree double *gone = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      const int pidfd = (int) syscall (SYS_pidfd_open, bench_workers_pid (queue), 0);
      g_autoptr (OsiisoHandle) deaf = submit_deaf (queue);
      GPollFD poll_fd = { pidfd, G_IO_IN, 0 };
      const gint64 begun = bench_now ();

      osiiso_handle_cancel (deaf);
      bench_workers_pid (queue);
      replaced[i] = bench_now () - begun;
      g_poll (&poll_fd, 1, -1);
      gone[i] = bench_now () - begun - BENCH_GRACE * 1e9;
      close (pidfd);
    }
  bench_report_latencies ("replaced", replaced, params->trials);
  bench_report_latencies ("gone", gone, params->trials);
  bench_workers_free (queue);
}

/* The same without the library: the worker program, started by posix_spawn() and asked over
 * a socket, as simply as can be. */

static void
ask_pid (WorkerParent *parent)
{
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new ("()"));
  OsiisoFrame frame;

  worker_parent_greet (parent);
  osiiso_frame_buffer_append_variant (&parent->buffer, OSIISO_FRAME_CALL, 1, BENCH_MODULE "bench_pid", args);
  worker_parent_send (parent);
  bench_assert_equal ("an answer", worker_parent_receive (parent, &frame), TRUE);
  bench_assert_equal ("kind of the answer", frame.kind, OSIISO_FRAME_RESULT);
}

static void
spawn_replacement (const BenchParams *params)
{
  g_autofree char *program = g_build_filename (g_getenv ("OSIISO_LIBEXEC_PATH"), "osiiso-worker", NULL);
  const char *argv[] = { program, NULL };
  g_autofree double *values = g_new (double, params->trials);
  WorkerParent parent;

  worker_parent_start (&parent, argv);
  ask_pid (&parent);
  for (guint i = 0; i < params->trials; i++)
    {
      const gint64 begun = bench_now ();

      kill (parent.pid, SIGKILL);
      worker_parent_stop (&parent);
      worker_parent_start (&parent, argv);
      ask_pid (&parent);
      values[i] = (double) (bench_now () - begun);
    }
  worker_parent_stop (&parent);
  bench_report_latencies ("replaced", values, params->trials);
}

const BenchContestant bench_replacements[] = {
  { "process-start", start_osiiso },
  { "process-kill", kill_osiiso },
  { "process-cancel", cancel_osiiso },
  { "process-spawn", spawn_replacement },
  { NULL },
};
