/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conformance.h"

/* Much at once, by the real clock: what goes wrong at one moment in a thousand. */

static void
work_a_little (OsiisoAttempt *attempt,
               gpointer       unused)
{
  const gint64 until = g_get_monotonic_time () + 100;

  while (g_get_monotonic_time () < until)
    g_thread_yield ();
}

static void
test_timeouts (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.0001, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 3000; i++)
    conformance_push (queue, work_a_little, NULL, NULL, options);
  conformance_join (queue);
  summary = osiiso_queue_dup_summary (queue);
  conformance_check (osiiso_run_summary_get_total_submitted (summary) == 3000, "of 3000 tasks %u have ended",
                     (guint) osiiso_run_summary_get_total_submitted (summary));
  conformance_queue_free (queue);
}

static gpointer
cancel_all (gpointer group)
{
  return GUINT_TO_POINTER (osiiso_group_cancel (group));
}

static void
test_cancellations (void)
{
  for (int round = 0; round < 20; round++)
    {
      OsiisoQueue *queue = conformance_queue_new ();
      int n_calls = 0;
      int n_released = 0;
      g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1000, conformance_count, &n_calls, NULL, NULL, NULL);
      g_autoptr (OsiisoRunSummary) summary = NULL;
      GThread *thread;

      for (int i = 0; i < 1000; i++)
        conformance_push (queue, test_task_none, &n_released, conformance_count_release, NULL);
      thread = g_thread_new ("cancel", cancel_all, group);
      conformance_join (queue);
      g_thread_join (thread);
      conformance_join (queue);
      summary = osiiso_queue_dup_summary (queue);
      conformance_check (osiiso_run_summary_get_total_submitted (summary) == 2000, "of 2000 tasks %u have ended",
                         (guint) osiiso_run_summary_get_total_submitted (summary));
      conformance_check (n_calls <= 1000, "1000 tasks were run %d times", n_calls);
      conformance_wait_for (NULL, "the data of all tasks to be released");
      conformance_await (&n_released, 1000);
      conformance_queue_free (queue);
    }
}

static void
test_force (void)
{
  for (int round = 0; round < 50; round++)
    {
      OsiisoQueue *queue = conformance_queue_new ();
      g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
      g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("retries", 5, "retry-delay", 1000.0, NULL);
      int n_released = 0;

      for (int i = 0; i < 50; i++)
        {
          conformance_push (queue, test_task_none, &n_released, conformance_count_release, delayed);
          conformance_push (queue, test_task_fail, &n_released, conformance_count_release, retrying);
          conformance_push (queue, test_task_none, &n_released, conformance_count_release, NULL);
        }
      if (round % 2)
        conformance_start (queue);
      if (round % 3 == 0)
        g_main_context_iteration (NULL, FALSE);
      conformance_shutdown (queue, TRUE);
      conformance_check (osiiso_queue_get_active_count (queue) == 0 && osiiso_queue_get_pending_count (queue) == 0,
                         "there is work after a forced shutdown");
      /* A function that was inside keeps its data until it has returned. */
      conformance_wait_for (NULL, "the data of all tasks to be released");
      conformance_await (&n_released, 150);
      conformance_queue_free (queue);
    }
}

static void
test_pauses (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;

  conformance_start (queue);
  for (int i = 0; i < 3000; i++)
    {
      if (i % 3 == 0)
        osiiso_queue_pause (queue);
      conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      if (i % 3 == 1)
        osiiso_queue_resume (queue);
    }
  osiiso_queue_resume (queue);
  conformance_join_succeeded (queue, 3000);
  conformance_check (n_calls == 3000, "3000 tasks were run %d times", n_calls);
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
test_two_queues (void)
{
  OsiisoQueue *blocked = conformance_queue_new ();
  OsiisoQueue *other = conformance_queue_new ();
  OsiisoAttempt *attempts[40] = { NULL };

  osiiso_queue_set_workers (blocked, 2);
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    conformance_push (blocked, test_task_defer, &attempts[i], NULL, NULL);
  conformance_start (blocked);
  for (int i = 0; i < 100; i++)
    conformance_push (other, test_task_none, NULL, NULL, NULL);
  conformance_join_succeeded (other, 100);
  /* Both functions that there are workers for have left what they defer. */
  conformance_wait_for (blocked, "two attempts to be deferred, with two workers");
  while (count_deferred (attempts, G_N_ELEMENTS (attempts)) < 2)
    g_main_context_iteration (NULL, FALSE);
  conformance_shutdown (blocked, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    if (attempts[i] != NULL)
      osiiso_attempt_unref (attempts[i]);
  conformance_queue_free (blocked);
  conformance_queue_free (other);
}

typedef struct
{
  OsiisoQueue *queue;
  TestGate     gate;
  int          n_ended;
  int          n_refused;
} Waits;

static void
wait_for_child (OsiisoAttempt *attempt,
                gpointer       data)
{
  Waits *waits = data;
  g_autoptr (OsiisoHandle) child = test_submit (waits->queue, test_task_none, NULL, NULL);
  g_autoptr (GError) error = NULL;

  test_gate_pass (&waits->gate);
  if (!osiiso_handle_wait (child, -1, NULL, &error))
    {
      conformance_check (g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK),
                         "a task could not wait for another one: %s", error->message);
      g_atomic_int_inc (&waits->n_refused);
    }
  g_atomic_int_inc (&waits->n_ended);
}

static gpointer
open_for (gpointer data)
{
  Waits *waits = data;

  /* All at the same time, where functions run at the same time. */
  test_gate_await (&waits->gate, osiiso_queue_get_workers (waits->queue));
  test_gate_open (&waits->gate);
  return NULL;
}

static void
test_waits (void)
{
  const guint n = conformance_in_owner () ? 1 : MIN (2, conformance_get_workers ());
  Waits waits = { .queue = conformance_queue_new () };

  osiiso_queue_set_workers (waits.queue, n);
  for (int round = 1; round <= 200; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;
      GThread *thread;

      test_gate_init (&waits.gate);
      for (guint i = 0; i < n; i++)
        conformance_push (waits.queue, wait_for_child, &waits, NULL, NULL);
      thread = g_thread_new ("open", open_for, &waits);
      conformance_wait_for (waits.queue, "tasks that wait for others of their queue, which %u workers can do", n);
      summary = osiiso_queue_run (waits.queue, NULL, NULL);
      g_thread_join (thread);
      conformance_check (waits.n_ended == (int) n * round, "a function that waited for another task was not called, or twice");
      conformance_check (osiiso_queue_get_completed_count (waits.queue) == 2 * n * (guint) round, "not all tasks have ended");
      test_gate_clear (&waits.gate);
    }
  g_test_message ("%d of %d waits were refused", waits.n_refused, waits.n_ended);
  conformance_queue_free (waits.queue);
}

const ConformanceCase conformance_storms[] = {
  { "/conformance/storms/timeouts", test_timeouts, "Timeouts that come just when the function returns lose neither tasks nor workers" },
  { "/conformance/storms/cancellations", test_cancellations, "Tasks that are cancelled while they run and wait end once each" },
  { "/conformance/storms/force", test_force, "A forced shutdown ends at once with work of every kind about" },
  { "/conformance/storms/pauses", test_pauses, "Pausing and resuming at any moment loses nothing" },
  { "/conformance/storms/two-queues", test_two_queues, "A queue whose workers are all taken does not hold up another one" },
  { "/conformance/storms/waits", test_waits, "When as many tasks as there are workers wait for others, no wait lasts for ever" },
  { NULL, NULL, NULL }
};
