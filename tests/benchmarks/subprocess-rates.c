/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <osiiso.h>

/* What the backend subprocess takes for a call, a command, and a worker that has to
 * be replaced. Prints; nothing is asserted, because all of it depends on the machine. */

#define MODULE "osiiso-subprocess-functions:"
#define GRACE  0.2

static OsiisoQueue *
queue_new (guint workers,
           guint window)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", &error);
  OsiisoQueue *queue;

  if (backend == NULL)
    g_error ("%s", error->message);
  g_object_set (backend, "window", window, "grace-time", GRACE, NULL);
  queue = osiiso_queue_new_with_backend (backend);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

static void
queue_free (OsiisoQueue *queue)
{
  osiiso_queue_shutdown (queue, TRUE, NULL, NULL);
  g_object_unref (queue);
}

static double
now (void)
{
  return (double) g_get_monotonic_time () / G_USEC_PER_SEC;
}

static OsiisoHandle *
submit (OsiisoQueue *queue,
        const char  *function)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, NULL, NULL, &error);

  if (handle == NULL)
    g_error ("%s", error->message);
  return handle;
}

/* Returns when it has succeeded. */
static int
call_pid (OsiisoQueue *queue)
{
  g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "get_pid");
  g_autoptr (GError) error = NULL;

  if (!osiiso_handle_wait (handle, -1, NULL, &error))
    g_error ("%s", error->message);
  return g_variant_get_int32 (g_value_get_variant (osiiso_handle_get_value (handle)));
}

static void
measure_calls (const char *what,
               guint       workers,
               guint       window,
               guint       n)
{
  OsiisoQueue *queue = queue_new (workers, window);
  g_autoptr (OsiisoCall) call = osiiso_call_new (MODULE "echo", g_variant_new ("(ii)", 1, 2));
  double start;

  call_pid (queue);
  start = now ();
  for (guint i = 0; i < n; i++)
    osiiso_queue_push_call (queue, call, NULL, NULL);
  osiiso_queue_join (queue, NULL, NULL);
  g_print ("%-44s %9.0f/s\n", what, n / (now () - start));
  queue_free (queue);
}

static void
measure_round_trips (guint n)
{
  OsiisoQueue *queue = queue_new (1, 0);
  double start;

  call_pid (queue);
  start = now ();
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "echo");

      osiiso_handle_wait (handle, -1, NULL, NULL);
    }
  g_print ("%-44s %9.0f/s\n", "submitted and waited for, one by one", n / (now () - start));
  queue_free (queue);
}

static void
measure_commands (guint n)
{
  const char *argv[] = { "/bin/true", NULL };
  OsiisoQueue *queue = queue_new (2, 0);
  const double start = now ();

  for (guint i = 0; i < n; i++)
    g_object_unref (osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL));
  osiiso_queue_join (queue, NULL, NULL);
  g_print ("%-44s %9.0f/s\n", "commands, /bin/true, 2 at a time", n / (now () - start));
  queue_free (queue);
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  const double difference = *(const double *) a - *(const double *) b;

  return difference < 0 ? -1 : difference > 0;
}

static void
print_times (const char *what,
             double     *times,
             guint       n)
{
  qsort (times, n, sizeof *times, compare);
  g_print ("%-44s %9.2f ms (median; longest %.2f)\n", what, times[n / 2] * 1000, times[n - 1] * 1000);
}

static void
measure_starts (guint n)
{
  g_autofree double *times = g_new (double, n);

  for (guint i = 0; i < n; i++)
    {
      OsiisoQueue *queue = queue_new (1, 0);
      const double start = now ();

      call_pid (queue);
      times[i] = now () - start;
      queue_free (queue);
    }
  print_times ("start of a worker to its first result", times, n);
}

/* A worker that is killed in a call, until the next one has answered. */
static void
measure_kills (guint n)
{
  OsiisoQueue *queue = queue_new (1, 0);
  g_autofree double *times = g_new (double, n);

  for (guint i = 0; i < n; i++)
    {
      const int pid = call_pid (queue);
      g_autoptr (OsiisoHandle) deaf = submit (queue, MODULE "deaf");
      double start;

      /* So that it is in there, most probably. */
      while (osiiso_handle_get_status (deaf) != OSIISO_STATUS_RUNNING)
        g_main_context_iteration (NULL, FALSE);
      start = now ();
      kill (pid, SIGKILL);
      call_pid (queue);
      times[i] = now () - start;
    }
  print_times ("kill to the first result of the replacement", times, n);
  queue_free (queue);
}

/* One that does not listen, until it is gone and until its place is taken. */
static void
measure_cancels (guint n)
{
  OsiisoQueue *queue = queue_new (1, 0);
  g_autofree double *gone = g_new (double, n);
  g_autofree double *replaced = g_new (double, n);

  for (guint i = 0; i < n; i++)
    {
      const int pid = call_pid (queue);
      const int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
      g_autoptr (OsiisoHandle) deaf = submit (queue, MODULE "deaf");
      GPollFD poll_fd = { pidfd, G_IO_IN, 0 };
      double start;

      while (osiiso_handle_get_status (deaf) != OSIISO_STATUS_RUNNING)
        g_main_context_iteration (NULL, FALSE);
      start = now ();
      osiiso_handle_cancel (deaf);
      call_pid (queue);
      replaced[i] = now () - start;
      g_poll (&poll_fd, 1, -1);
      gone[i] = now () - start - GRACE;
      close (pidfd);
    }
  print_times ("cancel to the first result of the replacement", replaced, n);
  print_times ("cancel to the end of a deaf one, after grace", gone, n);
  queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  const gboolean quick = argc > 1 && strcmp (argv[1], "--quick") == 0;
  const guint scale = quick ? 100 : 1;

  measure_calls ("calls, 1 worker, pipelined", 1, 0, 400000 / scale);
  measure_calls ("calls, 1 worker, one at a time", 1, 1, 200000 / scale);
  measure_calls ("calls, 2 workers, pipelined", 2, 0, 400000 / scale);
  measure_round_trips (50000 / scale);
  measure_commands (2000 / scale);
  measure_starts (quick ? 3 : 50);
  measure_kills (quick ? 3 : 50);
  measure_cancels (quick ? 2 : 10);
  return 0;
}
