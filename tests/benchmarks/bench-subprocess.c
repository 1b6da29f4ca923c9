/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-frame-private.h"
#include "bench-workers.h"

/* What the backend subprocess takes for a call and for a command. */

#define ARGS g_variant_new ("(ii)", 20, 22)
/* With an argument, as xargs gives it one: then it looks for its translations, which
 * takes as long as all the rest. */
#define COMMAND  "/bin/true"
#define ARGUMENT "1"

/* Calls */

static void
run_calls (const BenchParams *params,
           GVariant          *args)
{
  OsiisoQueue *queue = bench_workers_new (params);
  g_autoptr (OsiisoCall) call = osiiso_call_new (BENCH_MODULE "bench_echo", args);
  BenchStretch stretch;

  bench_workers_pid (queue);
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    osiiso_queue_push_call (queue, call, NULL, NULL);
  bench_queue_join (queue);
  bench_assert_equal ("calls", osiiso_queue_get_completed_count (queue), params->n + 1);
  bench_workers_end (&stretch, params->n, queue);
}

static void
call_osiiso (const BenchParams *params)
{
  run_calls (params, ARGS);
}

/* Without arguments and a value: what is left is the call itself. */
static void
call_empty_osiiso (const BenchParams *params)
{
  run_calls (params, NULL);
}

static void
call_wait_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_workers_new (params);
  BenchStretch stretch;

  bench_workers_pid (queue);
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    {
      g_autoptr (OsiisoHandle) handle = bench_workers_submit (queue, BENCH_MODULE "bench_echo", ARGS);

      bench_workers_await (handle);
    }
  bench_workers_end (&stretch, params->n, queue);
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

/* A process that answers so many bytes with so many others. */
static int
start_echo (gsize  there,
            gsize  back,
            pid_t *pid)
{
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 || (*pid = fork ()) < 0)
    {
      perror ("socketpair");
      exit (1);
    }
  if (*pid == 0)
    {
      close (fds[0]);
      for (;;)
        {
          transfer (fds[1], FALSE, there);
          transfer (fds[1], TRUE, back);
        }
    }
  close (fds[1]);
  return fds[0];
}

static void
ping_socketpair (const BenchParams *params)
{
  const gsize there = frame_length (OSIISO_FRAME_CALL, BENCH_MODULE "bench_echo") * MAX (params->window, 1);
  const gsize back = frame_length (OSIISO_FRAME_RESULT, "") * MAX (params->window, 1);
  const guint64 n = params->n / MAX (params->window, 1);
  BenchStretch stretch;
  pid_t pid;
  const int fd = start_echo (there, back, &pid);

  bench_begin (&stretch);
  for (guint64 i = 0; i < n; i++)
    {
      transfer (fd, TRUE, there);
      transfer (fd, FALSE, back);
    }
  close (fd);
  waitpid (pid, NULL, 0);
  bench_workers_end (&stretch, n * MAX (params->window, 1), NULL);
}

/* Calls that work. */
static void
work_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_workers_new (params);
  g_autoptr (OsiisoCall) call = osiiso_call_new (BENCH_MODULE "bench_work", g_variant_new ("(t)", bench_iterations));
  BenchStretch stretch;

  bench_workers_pid (queue);
  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    osiiso_queue_push_call (queue, call, NULL, NULL);
  bench_queue_join (queue);
  bench_workers_end (&stretch, params->n, queue);
}

/* One call every now and then, with everything asleep before; and its bytes. */

#define PAUSE 300 /* microseconds */

static void
trip_osiiso (const BenchParams *params)
{
  OsiisoQueue *queue = bench_workers_new (params);
  g_autofree double *values = g_new (double, params->trials);

  bench_workers_pid (queue);
  for (guint i = 0; i < params->trials; i++)
    {
      OsiisoHandle *handle;
      gint64 begun;

      g_usleep (PAUSE);
      begun = bench_now ();
      handle = bench_workers_submit (queue, BENCH_MODULE "bench_echo", ARGS);
      bench_workers_await (handle);
      values[i] = (double) (bench_now () - begun);
      g_object_unref (handle);
    }
  bench_report_latencies ("trip", values, params->trials);
  bench_workers_free (queue);
}

static void
trip_socketpair (const BenchParams *params)
{
  const gsize there = frame_length (OSIISO_FRAME_CALL, BENCH_MODULE "bench_echo");
  const gsize back = frame_length (OSIISO_FRAME_RESULT, "");
  g_autofree double *values = g_new (double, params->trials);
  pid_t pid;
  const int fd = start_echo (there, back, &pid);

  for (guint i = 0; i < params->trials; i++)
    {
      gint64 begun;

      g_usleep (PAUSE);
      begun = bench_now ();
      transfer (fd, TRUE, there);
      transfer (fd, FALSE, back);
      values[i] = (double) (bench_now () - begun);
    }
  close (fd);
  waitpid (pid, NULL, 0);
  bench_report_latencies ("trip", values, params->trials);
}

/* Commands */

static void
command_osiiso (const BenchParams *params)
{
  const char *argv[] = { COMMAND, ARGUMENT, NULL };
  OsiisoQueue *queue = bench_workers_new (params);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);
  BenchStretch stretch;

  bench_begin (&stretch);
  for (guint64 i = 0; i < params->n; i++)
    osiiso_queue_push_command (queue, command, NULL, NULL);
  bench_queue_join (queue);
  bench_assert_equal ("commands", osiiso_queue_get_completed_count (queue), params->n);
  bench_workers_end (&stretch, params->n, queue);
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
  bench_workers_end (&stretch, params->n, NULL);
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
  bench_workers_end (&stretch, params->n, NULL);
}

const BenchContestant bench_subprocess[] = {
  { "process-call", call_osiiso },
  { "process-call-empty", call_empty_osiiso },
  { "process-call-wait", call_wait_osiiso },
  { "process-ping", ping_socketpair },
  { "process-work", work_osiiso },
  { "process-trip", trip_osiiso },
  { "process-ping-trip", trip_socketpair },
  { "command-osiiso", command_osiiso },
  { "command-run", command_run, has_tool },
  { "command-xargs", command_xargs },
  { "command-parallel", command_parallel, has_parallel },
  { "command-gsubprocess", command_gsubprocess },
  { NULL },
};
