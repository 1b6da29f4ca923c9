/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>

#include "bench-workers.h"

OsiisoQueue *
bench_workers_new (const BenchParams *params)
{
  GError *error = NULL;
  OsiisoBackend *backend = osiiso_backend_create ("subprocess", &error);
  OsiisoQueue *queue;

  bench_check (error);
  g_object_set (backend, "window", params->window, "grace-time", BENCH_GRACE, NULL);
  queue = osiiso_queue_new_with_backend (backend);
  g_object_unref (backend);
  osiiso_queue_set_workers (queue, params->workers);
  bench_queue_start (queue);
  return queue;
}

void
bench_workers_free (OsiisoQueue *queue)
{
  GError *error = NULL;

  osiiso_queue_shutdown (queue, TRUE, NULL, &error);
  bench_check (error);
  g_object_unref (queue);
}

OsiisoHandle *
bench_workers_submit (OsiisoQueue *queue,
                      const char  *function,
                      GVariant    *args)
{
  GError *error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, NULL, &error);

  bench_check (error);
  return handle;
}

void
bench_workers_await (OsiisoHandle *handle)
{
  GError *error = NULL;

  osiiso_handle_wait (handle, -1, NULL, &error);
  bench_check (error);
}

int
bench_workers_pid (OsiisoQueue *queue)
{
  g_autoptr (OsiisoHandle) handle = bench_workers_submit (queue, BENCH_MODULE "bench_pid", NULL);

  bench_workers_await (handle);
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

void
bench_workers_end (BenchStretch *stretch,
                   guint64       n,
                   OsiisoQueue  *queue)
{
  const gint64 wall = bench_now () - stretch->wall;
  const gint64 cpu = bench_cpu_now () - stretch->cpu;

  if (queue != NULL)
    bench_workers_free (queue);
  bench_report ("wall", (double) wall / n);
  bench_report ("cpu", (double) (cpu + children_cpu ()) / n);
  bench_report ("children", (double) children_cpu () / n);
  bench_report ("per_s", n * 1e9 / wall);
}
