/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conformance.h"

/* wake(), get_default_workers() and workers_changed(). */

static void
test_wake_once (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;

  conformance_start (queue);
  for (int round = 1; round <= 20; round++)
    {
      osiiso_queue_pause (queue);
      for (int i = 0; i < 500; i++)
        conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      /* One wake for all of them. */
      osiiso_queue_resume (queue);
      conformance_join (queue);
      conformance_check (n_calls == 500 * round, "of %d tasks %d were run", 500 * round, n_calls);
    }
  conformance_queue_free (queue);
}

static void
test_wake_again (void)
{
  OsiisoQueue *queue = conformance_queue_new ();

  conformance_start (queue);
  for (int i = 0; i < 2000; i++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

      conformance_join (queue);
      conformance_check (osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED, "task %d of 2000 was lost", i + 1);
    }
  conformance_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
  int          stop;
} Waking;

static gpointer
wake_for_nothing (gpointer data)
{
  Waking *waking = data;
  OsiisoBackend *backend = osiiso_queue_get_backend (waking->queue);

  while (!g_atomic_int_get (&waking->stop))
    {
      OSIISO_BACKEND_GET_CLASS (backend)->wake (backend, 1000);
      g_thread_yield ();
    }
  return NULL;
}

static void
test_wake_for_nothing (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *threads[3];

  conformance_start (waking.queue);
  if (OSIISO_BACKEND_GET_CLASS (osiiso_queue_get_backend (waking.queue))->wake != NULL)
    {
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("wake", wake_for_nothing, &waking);
      for (int i = 0; i < 2000; i++)
        {
          conformance_push (waking.queue, conformance_count, &waking.n_calls, NULL, NULL);
          if (i % 50 == 0)
            conformance_join (waking.queue);
        }
      conformance_join (waking.queue);
      g_atomic_int_set (&waking.stop, 1);
      conformance_wait_for (waking.queue, "calls of wake() to return: it must not block");
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      conformance_check (waking.n_calls == 2000, "2000 tasks were run %d times", waking.n_calls);
    }
  conformance_queue_free (waking.queue);
}

static gpointer
push_many (gpointer data)
{
  Waking *waking = data;

  for (int i = 0; i < 2500; i++)
    osiiso_queue_push (waking->queue, conformance_count, &waking->n_calls, NULL, NULL, NULL);
  g_atomic_int_inc (&waking->stop);
  return NULL;
}

static void
test_wake_from_threads (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *threads[4];

  conformance_start (waking.queue);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("push", push_many, &waking);
  conformance_wait_for (waking.queue, "calls that submit in other threads to return: wake() must not block");
  conformance_await (&waking.stop, G_N_ELEMENTS (threads));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  conformance_join (waking.queue);
  conformance_check (waking.n_calls == 10000, "10000 tasks were run %d times", waking.n_calls);
  conformance_queue_free (waking.queue);
}

static gpointer
push_in_turn (gpointer data)
{
  Waking *waking = data;
  /* Fewer on a machine that has much else to do. */
  gint64 enough = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND;

  for (int i = 0; i < 5000 && (i == 0 || g_get_monotonic_time () < enough); i++)
    {
      osiiso_queue_push (waking->queue, conformance_count, &waking->n_calls, NULL, NULL, NULL);
      while (g_atomic_int_get (&waking->n_calls) <= i)
        g_thread_yield ();
      /* Another moment each time: the backend is about to find nothing more. */
      for (volatile int j = 0; j < i % 1000; j++)
        ;
    }
  g_atomic_int_set (&waking->stop, 1);
  return NULL;
}

static void
test_wake_in_turn (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *thread;

  conformance_start (waking.queue);
  conformance_wait_for (waking.queue, "tasks that are submitted one after the other by another thread");
  thread = g_thread_new ("push", push_in_turn, &waking);
  conformance_await (&waking.stop, 1);
  g_thread_join (thread);
  conformance_join_succeeded (waking.queue, g_atomic_int_get (&waking.n_calls));
  conformance_queue_free (waking.queue);
}

/* get_default_workers() and workers_changed() */

typedef struct
{
  int n_now;
  int n_most;
} Gauge;

static void
measure (OsiisoAttempt *attempt,
         gpointer       data)
{
  Gauge *gauge = data;
  int now = g_atomic_int_add (&gauge->n_now, 1) + 1;
  int most = g_atomic_int_get (&gauge->n_most);

  while (now > most && !g_atomic_int_compare_and_exchange (&gauge->n_most, most, now))
    most = g_atomic_int_get (&gauge->n_most);
  g_thread_yield ();
  g_atomic_int_add (&gauge->n_now, -1);
}

static void
test_workers_limit (void)
{
  static const guint workers[] = { 1, 4, 2, 1, 3, 0, 1 };
  OsiisoQueue *queue = conformance_queue_new ();

  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    {
      Gauge gauge = { 0 };
      guint n;

      osiiso_queue_set_workers (queue, workers[i]);
      n = osiiso_backend_get_workers (osiiso_queue_get_backend (queue));
      for (int j = 0; j < 300; j++)
        conformance_push (queue, measure, &gauge, NULL, NULL);
      conformance_join (queue);
      conformance_check (gauge.n_most <= (int) n, "%d functions were running at a time, with %u workers", gauge.n_most, n);
    }
  conformance_queue_free (queue);
}

static void
test_workers_change (void)
{
  static const guint workers[] = { 1, 4, 2, 3, 1, 4, 1 };
  OsiisoQueue *queue = conformance_queue_new ();
  Gauge gauge = { 0 };

  conformance_start (queue);
  for (int round = 0; round < 20; round++)
    for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
      {
        osiiso_queue_set_workers (queue, workers[i]);
        for (int j = 0; j < 20; j++)
          conformance_push (queue, measure, &gauge, NULL, NULL);
      }
  conformance_join_succeeded (queue, 20 * 20 * G_N_ELEMENTS (workers));
  conformance_check (gauge.n_most <= 4, "%d functions were running at a time, with never more than 4 workers", gauge.n_most);
  conformance_queue_free (queue);
}

static gpointer
open_when_there (gpointer gate)
{
  test_gate_await (gate, MIN (conformance_get_workers (), 8));
  test_gate_open (gate);
  return NULL;
}

static void
test_workers_at_once (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  const guint n = MIN (conformance_get_workers (), 8);
  TestGate gate;
  GThread *thread;

  /* Functions in the owner's thread come one after the other. */
  if (!conformance_in_owner ())
    {
      test_gate_init (&gate);
      thread = g_thread_new ("open", open_when_there, &gate);
      osiiso_queue_pause (queue);
      for (guint i = 0; i < n; i++)
        conformance_push (queue, test_task_gate, &gate, NULL, NULL);
      osiiso_queue_resume (queue);
      conformance_wait_for (queue, "%u functions to be inside at a time, because it says that it has %u workers", n,
                            conformance_get_workers ());
      osiiso_queue_join (queue, NULL, NULL);
      g_thread_join (thread);
      test_gate_clear (&gate);
      conformance_join_succeeded (queue, n);
    }
  conformance_queue_free (queue);
}

static guint
count_deferred (OsiisoAttempt **attempts,
                guint           n)
{
  guint n_set = 0;

  for (guint i = 0; i < n; i++)
    n_set += g_atomic_pointer_get (&attempts[i]) != NULL;
  return n_set;
}

static void
test_workers_deferred (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  OsiisoAttempt *attempts[12] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    conformance_push (queue, test_task_defer, &attempts[i], NULL, NULL);
  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  for (guint n = 1; n <= G_N_ELEMENTS (attempts); n++)
    {
      osiiso_queue_set_workers (queue, n);
      conformance_wait_for (queue, "%u attempts to be deferred, with %u workers: one more may run after each workers_changed()", n, n);
      while (count_deferred (attempts, G_N_ELEMENTS (attempts)) < n)
        g_main_context_iteration (NULL, FALSE);
      conformance_check (osiiso_queue_get_active_count (queue) == n, "%u attempts are under way, with %u workers",
                         (guint) osiiso_queue_get_active_count (queue), n);
    }
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    {
      osiiso_attempt_return_none (attempts[i]);
      osiiso_attempt_unref (attempts[i]);
    }
  conformance_join_succeeded (queue, G_N_ELEMENTS (attempts));
  conformance_queue_free (queue);
}

const ConformanceCase conformance_wake[] = {
  { "/conformance/wake/once", test_wake_once, "One wake is enough for any number of tasks" },
  { "/conformance/wake/again", test_wake_again, "It wakes up for each task, again and again" },
  { "/conformance/wake/for-nothing", test_wake_for_nothing, "A wake without a task does no harm" },
  { "/conformance/wake/from-threads", test_wake_from_threads, "It can be woken from any thread" },
  { "/conformance/wake/in-turn", test_wake_in_turn, "A wake that comes just when there was nothing more is not forgotten" },
  { "/conformance/workers/limit", test_workers_limit, "No more functions are inside at a time than there are workers" },
  { "/conformance/workers/change", test_workers_change, "The number of workers may change while functions are inside" },
  { "/conformance/workers/at-once", test_workers_at_once, "As many functions run at a time as it says that it has workers" },
  { "/conformance/workers/deferred", test_workers_deferred, "Deferred attempts need nothing but a place, and get one for each worker more" },
  { NULL, NULL, NULL }
};
