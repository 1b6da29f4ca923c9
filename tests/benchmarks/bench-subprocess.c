/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-frame-private.h"
#include "bench.h"

/* What the backend subprocess takes for a call, for a command, and for a worker that
 * has to be replaced. */

#define MODULE   "osiiso-bench-functions:"
#define ARGS     g_variant_new ("(ii)", 20, 22)
#define GRACE    0.1
/* With an argument, as xargs gives it one: then it looks for its translations, which
 * takes as long as all the rest. */
#define COMMAND  "/bin/true"
#define ARGUMENT "1"

static OsiisoQueue *
queue_new (const BenchParams *params)
{
  GError *error = NULL;
  OsiisoBackend *backend = osiiso_backend_create ("subprocess", &error);
  OsiisoQueue *queue;

  bench_check (error);
  g_object_set (backend, "window", params->window, "grace-time", GRACE, NULL);
  queue = osiiso_queue_new_with_backend (backend);
  g_object_unref (backend);
  osiiso_queue_set_workers (queue, params->workers);
  bench_queue_start (queue);
  return queue;
}

/* Waits for the processes: the driver counts their time as ours. */
static void
queue_free (OsiisoQueue *queue)
{
  GError *error = NULL;

  osiiso_queue_shutdown (queue, TRUE, NULL, &error);
  bench_check (error);
  g_object_unref (queue);
}

static OsiisoHandle *
submit (OsiisoQueue *queue,
        const char  *function,
        GVariant    *args)
{
  GError *error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, NULL, &error);

  bench_check (error);
  return handle;
}

static void
await (OsiisoHandle *handle)
{
  GError *error = NULL;

  osiiso_handle_wait (handle, -1, NULL, &error);
  bench_check (error);
}

static int
call_pid (OsiisoQueue *queue)
{
  g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "bench_pid", NULL);

  await (handle);
  return g_variant_get_int32 (g_value_get_variant (osiiso_handle_get_value (handle)));
}

/* Processor time of processes that are gone, in nanoseconds. */
static gint64
children_cpu (void)
{
  struct rusage usage;

  getrusage (RUSAGE_CHILDREN, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_GINT64_CONSTANT (1000000000) +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* As bench_end(), with the processes. Frees the queue, if there is one: then they are
 * gone. */
static void
end_many (BenchStretch *stretch,
          guint64       n,
          OsiisoQueue  *queue)
{
  const gint64 wall = bench_now () - stretch->wall;
  const gint64 cpu = bench_cpu_now () - stretch->cpu;

  if (queue != NULL)
    queue_free (queue);
  bench_report ("wall", (double) wall / n);
  bench_report ("cpu", (double) (cpu + children_cpu ()) / n);
  bench_report ("children", (double) children_cpu () / n);
  bench_report ("per_s", n * 1e9 / wall);
}

/* Calls */

static void
call_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = queue_new (params);
  g_autoptr (OsiisoCall) call = osiiso_call_new (MODULE "bench_echo", ARGS);
  BenchStretch stretch;

  call_pid (queue);
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    osiiso_queue_push_call (queue, call, NULL, NULL);
  bench_queue_join (queue);
  bench_assert_equal ("calls", osiiso_queue_get_completed_count (queue), params->n + 1);
  end_many (&stretch, params->n, queue);
}

static void
call_wait_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = queue_new (params);
  BenchStretch stretch;

  call_pid (queue);
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    {
      g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "bench_echo", ARGS);

      await (handle);
    }
  end_many (&stretch, params->n, queue);
}

/* The least that a call can be: its bytes there and those of its value back, over
 * the same kind of socket, with so many on their way at a time. */

static gsize
frame_length (OsiisoFrameKind kind,
              const char     *name)
{
  g_autoptr (GVariant) args = g_variant_ref_sink (ARGS);
  OsiisoFrameBuffer buffer = { 0 };
  gsize length;

  osiiso_frame_buffer_append_variant (&buffer, kind, 1, name, args);
  osiiso_frame_buffer_peek (&buffer, &length);
  osiiso_frame_buffer_clear (&buffer);
  return length;
}

static void
transfer (int      fd,
          gboolean out,
          gsize    length)
{
  static char data[65536];

  while (length > 0)
    {
      const gssize n = out ? send (fd, data, length, 0) : recv (fd, data, length, 0);

      /* The other side has finished. */
      if (n == 0)
        _exit (0);
      if (n < 0)
        {
          perror ("socket");
          _exit (1);
        }
      length -= (gsize) n;
    }
}

static void
ping_socketpair (const BenchParams *params)
{
  const gsize there = frame_length (OSIISO_FRAME_CALL, MODULE "bench_echo") * MAX (params->window, 1);
  const gsize back = frame_length (OSIISO_FRAME_RESULT, "") * MAX (params->window, 1);
  const guint64 n = params->n / MAX (params->window, 1);
  BenchStretch stretch;
  int fds[2];
  pid_t pid;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 || (pid = fork ()) < 0)
    {
      perror ("socketpair");
      exit (1);
    }
  if (pid == 0)
    {
      close (fds[0]);
      for (;;)
        {
          transfer (fds[1], FALSE, there);
          transfer (fds[1], TRUE, back);
        }
    }
  close (fds[1]);
  bench_begin (&stretch);
  for (guint64 i = 0; i < n; i++)
    {
      transfer (fds[0], TRUE, there);
      transfer (fds[0], FALSE, back);
    }
  close (fds[0]);
  waitpid (pid, NULL, 0);
  end_many (&stretch, n * MAX (params->window, 1), NULL);
}

/* Commands */

static void
command_osiiso (const BenchParams *params)
{
  const char *argv[] = { COMMAND, ARGUMENT, NULL };
  OsiisoQueue *queue = queue_new (params);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);
  BenchStretch stretch;

  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    osiiso_queue_push_command (queue, command, NULL, NULL);
  bench_queue_join (queue);
  bench_assert_equal ("commands", osiiso_queue_get_completed_count (queue), params->n);
  end_many (&stretch, params->n, queue);
}

/* By a program that reads one input for each command. */
static void
run_line (const BenchParams *params,
          const char        *program)
{
  g_autofree char *line = g_strdup_printf ("seq %" G_GUINT64_FORMAT " | %s " COMMAND, params->n, program);
  const char *argv[] = { "/bin/sh", "-c", line, NULL };
  GError *error = NULL;
  BenchStretch stretch;
  int status;

  bench_begin (&stretch);
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error);
  bench_check (error);
  bench_assert_equal ("status", status, 0);
  end_many (&stretch, params->n, NULL);
}

static void
command_xargs (const BenchParams *params)
{
  g_autofree char *program = g_strdup_printf ("xargs -P%u -n1", params->workers);

  run_line (params, program);
}

static void
command_parallel (const BenchParams *params)
{
  g_autofree char *program = g_strdup_printf ("parallel --will-cite -j%u", params->workers);

  run_line (params, program);
}

static gboolean
has_parallel (void)
{
  g_autofree char *path = g_find_program_in_path ("parallel");

  return path != NULL;
}

/* The command line of this project, if it was built. */
static void
command_run (const BenchParams *params)
{
  g_autofree char *quoted = g_shell_quote (g_getenv ("OSIISO_BENCH_TOOL"));
  g_autofree char *program = g_strdup_printf ("%s run -j%u", quoted, params->workers);

  run_line (params, program);
}

static gboolean
has_tool (void)
{
  return g_getenv ("OSIISO_BENCH_TOOL") != NULL;
}

typedef struct
{
  guint64 n_left;
  guint   n_running;
} Spawner;

static void spawn_next (Spawner *self);

static void
on_exited (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  Spawner *self = data;
  GError *error = NULL;

  g_subprocess_wait_check_finish (G_SUBPROCESS (source), result, &error);
  bench_check (error);
  g_object_unref (source);
  self->n_running--;
  spawn_next (self);
}

static void
spawn_next (Spawner *self)
{
  GError *error = NULL;
  GSubprocess *process;

  if (self->n_left == 0)
    return;
  self->n_left--;
  self->n_running++;
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, COMMAND, ARGUMENT, NULL);
  bench_check (error);
  g_subprocess_wait_check_async (process, NULL, on_exited, self);
}

static void
command_gsubprocess (const BenchParams *params)
{
  Spawner self = { .n_left = params->n };
  BenchStretch stretch;

  bench_begin (&stretch);
  for (guint i = 0; i < params->workers; i++)
    spawn_next (&self);
  while (self.n_running > 0)
    g_main_context_iteration (NULL, TRUE);
  end_many (&stretch, params->n, NULL);
}

/* Replacements */

/* A worker's first answer, from a queue that has none yet. */
static void
start_osiiso (const BenchParams *params)
{
  g_autofree double *values = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      OsiisoQueue *queue = queue_new (params);
      const gint64 begun = bench_now ();

      call_pid (queue);
      values[i] = bench_now () - begun;
      queue_free (queue);
    }
  bench_report_latencies ("start", values, params->trials);
}

static OsiisoHandle *
submit_deaf (OsiisoQueue *queue)
{
  OsiisoHandle *handle = submit (queue, MODULE "bench_deaf", NULL);

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
  OsiisoQueue *queue = queue_new (params);
  g_autofree double *values = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      const int pid = call_pid (queue);
      g_autoptr (OsiisoHandle) deaf = submit_deaf (queue);
      const gint64 begun = bench_now ();

      kill (pid, SIGKILL);
      call_pid (queue);
      values[i] = bench_now () - begun;
      bench_assert_equal ("status of the killed", osiiso_handle_get_status (deaf), OSIISO_STATUS_FAILED);
    }
  bench_report_latencies ("replaced", values, params->trials);
  queue_free (queue);
}

/* Cancelled, in a call that does not listen: until another worker has answered, and
 * until this one is gone, less the grace time. */
static void
cancel_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = queue_new (params);
  g_autofree double *replaced = g_new (double, params->trials);
  g_autofree double *gone = g_new (double, params->trials);

  for (guint i = 0; i < params->trials; i++)
    {
      const int pidfd = (int) syscall (SYS_pidfd_open, call_pid (queue), 0);
      g_autoptr (OsiisoHandle) deaf = submit_deaf (queue);
      GPollFD poll_fd = { pidfd, G_IO_IN, 0 };
      const gint64 begun = bench_now ();

      osiiso_handle_cancel (deaf);
      call_pid (queue);
      replaced[i] = bench_now () - begun;
      g_poll (&poll_fd, 1, -1);
      gone[i] = bench_now () - begun - GRACE * 1e9;
      close (pidfd);
    }
  bench_report_latencies ("replaced", replaced, params->trials);
  bench_report_latencies ("gone", gone, params->trials);
  queue_free (queue);
}

const BenchContestant bench_subprocess[] = {
  { "process-call", call_osiiso },
  { "process-call-wait", call_wait_osiiso },
  { "process-ping", ping_socketpair },
  { "command-osiiso", command_osiiso },
  { "command-run", command_run, has_tool },
  { "command-xargs", command_xargs },
  { "command-parallel", command_parallel, has_parallel },
  { "command-gsubprocess", command_gsubprocess },
  { "process-start", start_osiiso },
  { "process-kill", kill_osiiso },
  { "process-cancel", cancel_osiiso },
  { NULL },
};
