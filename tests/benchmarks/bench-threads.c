/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>

#include "bench.h"

/*
 * Many small tasks, pushed by one thread, from the first push to the end of the
 * last task. The workers exist, are warm and sleep when it begins.
 */

static guint64
n_warm (const BenchParams *params)
{
  return MIN (params->n, 2000);
}

/* libosiiso */

typedef void (*PushFunc) (OsiisoQueue *queue,
                          guint64      n);

static void
push_default (OsiisoQueue *queue,
              guint64      n)
{
  for (guint64 i = 0; i < n; i++)
    bench_push (queue, bench_osiiso_task, NULL, NULL);
}

static void
push_priorities (OsiisoQueue *queue,
                 guint64      n)
{
  static OsiisoTaskOptions **options;

  if (options == NULL)
    options = bench_priorities ();
  for (guint64 i = 0; i < n; i++)
    bench_push (queue, bench_osiiso_task, NULL, options[i % BENCH_N_PRIORITIES]);
}

/* With all that a task can have, and none of it in the way: ten priorities, retries, a
 * timeout. */
#define N_LEVELS 10

static OsiisoTaskOptions **
everything (void)
{
  static OsiisoTaskOptions *options[N_LEVELS];

  for (int i = 0; i < N_LEVELS && options[i] == NULL; i++)
    {
      options[i] = osiiso_task_options_new ();
      osiiso_task_options_set_priority (options[i], OSIISO_PRIORITY_DEFAULT - N_LEVELS / 2 + i);
      osiiso_task_options_set_retries (options[i], 3);
      osiiso_task_options_set_retry_delay (options[i], 0.1);
      osiiso_task_options_set_timeout (options[i], 60);
    }
  return options;
}

static void
push_everything (OsiisoQueue *queue,
                 guint64      n)
{
  OsiisoTaskOptions **options = everything ();

  for (guint64 i = 0; i < n; i++)
    bench_push (queue, bench_osiiso_task, NULL, options[i % N_LEVELS]);
}

#define MAP_SIZE 64

static void
push_map (OsiisoQueue *queue,
          guint64      n)
{
  for (guint64 i = 0; i < n; i += MAP_SIZE)
    {
      GError *error = NULL;
      OsiisoGroup *group = osiiso_queue_map (queue, (guint) MIN (MAP_SIZE, n - i), bench_osiiso_task,
                                             NULL, NULL, NULL, &error);

      bench_check (error);
      g_object_unref (group);
    }
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             guint64      *n_completed)
{
  (*n_completed)++;
}

static void
run_osiiso_queue (const BenchParams *params,
                  OsiisoQueue       *queue,
                  PushFunc           push)
{
  BenchStretch stretch;

  bench_place_workers (params);
  bench_queue_start (queue);
  push (queue, n_warm (params));
  bench_queue_join (queue);
  bench_place_producer (params);
  bench_settle ();

  bench_begin (&stretch);
  push (queue, params->n);
  bench_pushed (&stretch);
  bench_queue_join (queue);
  bench_end (&stretch, params->n);
  bench_assert_equal ("tasks run", bench_counted (), n_warm (params) + params->n);
}

static void
run_osiiso (const BenchParams *params,
            PushFunc           push)
{
  run_osiiso_queue (params, bench_queue_new ("thread-pool", params->workers), push);
}

static void
osiiso_push (const BenchParams *params)
{
  run_osiiso (params, push_priorities);
}

static void
osiiso_push_default (const BenchParams *params)
{
  run_osiiso (params, push_default);
}

static void
osiiso_push_everything (const BenchParams *params)
{
  run_osiiso (params, push_everything);
}

static void
osiiso_map (const BenchParams *params)
{
  run_osiiso (params, push_map);
}

/* Each of the tasks is told about. */
static void
osiiso_map_signal (const BenchParams *params)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  guint64 n_completed = 0;

  g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), &n_completed);
  run_osiiso_queue (params, queue, push_map);
  bench_assert_equal ("signals", n_completed, n_warm (params) + params->n);
}

/* With handles, which are kept until the end, when each is looked at. */

static void
submit_and_read (OsiisoQueue       *queue,
                 guint64            n,
                 OsiisoHandle     **handles,
                 OsiisoTaskOptions **options,
                 guint              n_options,
                 BenchStretch      *stretch)
{
  guint64 n_succeeded = 0;
  GError *error = NULL;

  for (guint64 i = 0; i < n; i++)
    {
      handles[i] = osiiso_queue_submit (queue, bench_osiiso_task, NULL, NULL,
                                        options != NULL ? options[i % n_options] : NULL, &error);
      bench_check (error);
    }
  if (stretch != NULL)
    bench_pushed (stretch);
  bench_queue_join (queue);
  for (guint64 i = 0; i < n; i++)
    {
      if (osiiso_handle_get_status (handles[i]) == OSIISO_STATUS_SUCCEEDED)
        n_succeeded++;
      g_object_unref (handles[i]);
    }
  bench_assert_equal ("handles that succeeded", n_succeeded, n);
}

static void
run_submit (const BenchParams  *params,
            gboolean            with_signal,
            OsiisoTaskOptions **options,
            guint               n_options)
{
  OsiisoQueue *queue = bench_queue_new ("thread-pool", params->workers);
  OsiisoHandle **handles = g_new0 (OsiisoHandle *, params->n);
  guint64 n_completed = 0;
  BenchStretch stretch;

  if (with_signal)
    g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), &n_completed);
  bench_place_workers (params);
  bench_queue_start (queue);
  submit_and_read (queue, n_warm (params), handles, options, n_options, NULL);
  bench_place_producer (params);
  bench_settle ();

  bench_begin (&stretch);
  submit_and_read (queue, params->n, handles, options, n_options, &stretch);
  bench_end (&stretch, params->n);
  if (with_signal)
    bench_assert_equal ("signals", n_completed, n_warm (params) + params->n);
}

static void
osiiso_submit (const BenchParams *params)
{
  run_submit (params, FALSE, bench_priorities (), BENCH_N_PRIORITIES);
}

static void
osiiso_submit_default (const BenchParams *params)
{
  run_submit (params, FALSE, NULL, 0);
}

static void
osiiso_submit_signal (const BenchParams *params)
{
  run_submit (params, TRUE, NULL, 0);
}

static void
osiiso_submit_everything (const BenchParams *params)
{
  run_submit (params, TRUE, everything (), N_LEVELS);
}

/* GThreadPool */

static void
pool_bare (gpointer item,
           gpointer user_data)
{
  bench_task ();
}

static void
pool_struct (gpointer item,
             gpointer user_data)
{
  bench_task_run (item);
}

static int
compare_priorities (gconstpointer a,
                    gconstpointer b,
                    gpointer      user_data)
{
  return GPOINTER_TO_INT (a) - GPOINTER_TO_INT (b);
}

static GThreadPool *
new_pool (const BenchParams *params,
          GFunc              func)
{
  GError *error = NULL;
  GThreadPool *pool = g_thread_pool_new (func, NULL, (int) params->workers, TRUE, &error);

  bench_check (error);
  return pool;
}

static inline void
push_pool (GThreadPool *pool,
           guint64      n,
           gboolean     structs)
{
  for (guint64 i = 0; i < n; i++)
    g_thread_pool_push (pool, structs ? (gpointer) bench_task_new () : GINT_TO_POINTER (1 + i % BENCH_N_PRIORITIES), NULL);
}

static void
run_pool (const BenchParams *params,
          gboolean           structs,
          gboolean           sorted)
{
  GThreadPool *pool;
  BenchStretch stretch;

  bench_place_workers (params);
  pool = new_pool (params, structs ? pool_struct : pool_bare);
  push_pool (pool, n_warm (params), structs);
  bench_await_count (n_warm (params));
  if (sorted)
    g_thread_pool_set_sort_function (pool, compare_priorities, NULL);
  bench_place_producer (params);
  bench_settle ();

  bench_begin (&stretch);
  push_pool (pool, params->n, structs);
  bench_pushed (&stretch);
  g_thread_pool_free (pool, FALSE, TRUE);
  bench_end (&stretch, params->n);
  bench_assert_equal ("tasks run", bench_counted (), n_warm (params) + params->n);
}

static void
tp (const BenchParams *params)
{
  run_pool (params, FALSE, FALSE);
}

static void
tp_struct (const BenchParams *params)
{
  run_pool (params, TRUE, FALSE);
}

static void
tp_sort (const BenchParams *params)
{
  run_pool (params, FALSE, TRUE);
}

/* GTask */

static void
gtask_thread (GTask        *task,
              gpointer      source_object,
              gpointer      task_data,
              GCancellable *cancellable)
{
  bench_task ();
  g_task_return_boolean (task, TRUE);
}

static void
gtask_done (GObject      *source_object,
            GAsyncResult *result,
            gpointer      user_data)
{
  if (g_task_propagate_boolean (G_TASK (result), NULL))
    (*(guint64 *) user_data)++;
}

static void
run_gtasks (guint64       n,
            BenchStretch *stretch)
{
  guint64 n_done = 0;

  for (guint64 i = 0; i < n; i++)
    {
      GTask *task = g_task_new (NULL, NULL, gtask_done, &n_done);

      g_task_run_in_thread (task, gtask_thread);
      g_object_unref (task);
    }
  if (stretch != NULL)
    bench_pushed (stretch);
  while (n_done < n)
    g_main_context_iteration (NULL, TRUE);
}

static void
gtask (const BenchParams *params)
{
  BenchStretch stretch;

  bench_place_workers (params);
  run_gtasks (n_warm (params), NULL);
  bench_place_producer (params);
  bench_settle ();
  bench_begin (&stretch);
  run_gtasks (params->n, &stretch);
  bench_end (&stretch, params->n);
}

const BenchContestant bench_threads[] = {
  { "osiiso-push", osiiso_push },
  { "osiiso-push-default", osiiso_push_default },
  { "osiiso-push-everything", osiiso_push_everything },
  { "osiiso-map", osiiso_map },
  { "osiiso-map-signal", osiiso_map_signal },
  { "osiiso-submit", osiiso_submit },
  { "osiiso-submit-default", osiiso_submit_default },
  { "osiiso-submit-signal", osiiso_submit_signal },
  { "osiiso-submit-everything", osiiso_submit_everything },
  { "tp", tp },
  { "tp-struct", tp_struct },
  { "tp-sort", tp_sort },
  { "gtask", gtask },
  { NULL },
};
