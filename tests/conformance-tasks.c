/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "conformance.h"

/* What a queue promises to its tasks, and can keep only with a backend that does
 * its part. */

static void
test_each_once (void)
{
  const int n = 10000;
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;
  int n_released = 0;

  for (int i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", i % 7, NULL);

      conformance_push (queue, conformance_count, &n_calls, NULL, options);
      conformance_push (queue, test_task_none, &n_released, conformance_count_release, NULL);
    }
  conformance_join_succeeded (queue, 2 * (guint) n);
  conformance_check (n_calls == n, "%d tasks were run %d times", n, n_calls);
  conformance_wait_for (NULL, "the data of all tasks to be released");
  conformance_await (&n_released, n);
  conformance_check (n_released == n, "the data of %d tasks were released %d times", n, n_released);
  conformance_queue_free (queue);
}

static void
return_by_index (OsiisoAttempt *attempt,
                 gpointer       unused)
{
  const guint index = osiiso_attempt_get_index (attempt);

  switch (index % 4)
    {
    case 0:
      osiiso_attempt_return_int (attempt, index);
      break;
    case 1:
      osiiso_attempt_return_string (attempt, "text");
      break;
    case 2:
      osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "number %u", index);
      break;
    default:
      break;
    }
}

static void
check_outcome (OsiisoHandle *handle,
               guint         index)
{
  const GValue *value = osiiso_handle_get_value (handle);
  gboolean ok;

  switch (index % 4)
    {
    case 0:
      ok = value != NULL && G_VALUE_HOLDS_INT64 (value) && g_value_get_int64 (value) == index;
      break;
    case 1:
      ok = value != NULL && G_VALUE_HOLDS_STRING (value) && g_str_equal (g_value_get_string (value), "text");
      break;
    case 2:
      conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "a report of an error");
      return;
    default:
      ok = value == NULL;
      break;
    }
  conformance_check (ok && osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED,
                     "the value of a task is not the one that its function returned");
}

static void
test_outcomes (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 400, return_by_index, NULL, NULL, NULL, NULL);

  conformance_join (queue);
  for (guint i = 0; i < 400; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      check_outcome (handle, i);
    }
  conformance_queue_free (queue);
}

typedef struct
{
  GThread *owner;
  int      n_elsewhere;
  int      n_without_context;
} Where;

static void
note_where (OsiisoAttempt *attempt,
            gpointer       data)
{
  Where *where = data;

  if (g_thread_self () != where->owner)
    g_atomic_int_inc (&where->n_elsewhere);
  else if (!g_main_context_is_owner (g_main_context_default ()))
    g_atomic_int_inc (&where->n_without_context);
}

static gpointer
push_where (gpointer data)
{
  OsiisoQueue *queue = ((gpointer *) data)[0];

  for (int i = 0; i < 100; i++)
    osiiso_queue_push (queue, note_where, ((gpointer *) data)[1], NULL, NULL, NULL);
  return NULL;
}

static void
test_where (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  Where where = { .owner = g_thread_self () };
  gpointer both[] = { queue, &where };

  conformance_start (queue);
  conformance_wait_for (queue, "calls that submit in another thread to return");
  g_thread_join (g_thread_new ("push", push_where, both));
  push_where (both);
  conformance_join_succeeded (queue, 200);
  if (conformance_in_owner ())
    {
      conformance_check (where.n_elsewhere == 0, "it has the capability CLOSURES, but ran %d of 200 functions in other threads",
                         where.n_elsewhere);
      conformance_check (where.n_without_context == 0, "it has the capability CLOSURES, but ran %d of 200 functions outside the owner's context",
                         where.n_without_context);
    }
  conformance_queue_free (queue);
}

static void
note_order (OsiisoAttempt *attempt,
            gpointer       log)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  test_log_add (log, "%s", name);
}

static void
check_order (TestLog    *log,
             const char *expected)
{
  g_autofree char *order = test_log_steal (log);

  conformance_check (g_str_equal (order, expected), "with one worker, the order was \"%s\" instead of \"%s\"", order, expected);
}

static void
test_priorities (void)
{
  static const int priorities[] = { 3, 1, 127, 3, -128, 0, 1, 2 };
  OsiisoQueue *queue = conformance_queue_new ();
  TestLog log;

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autofree char *name = g_strdup_printf ("%u:%d", i, priorities[i]);
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], "name", name, NULL);

      conformance_push (queue, note_order, &log, NULL, options);
    }
  conformance_join (queue);
  check_order (&log, "4:-128 5:0 1:1 6:1 7:2 0:3 3:3 2:127");
  conformance_queue_free (queue);
  test_log_clear (&log);
}

static void
test_delays (void)
{
  static const double delays[] = { 3, 1, 2, 2 };
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;
  TestLog log;

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      g_autofree char *name = g_strdup_printf ("%g", delays[i]);
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", delays[i], "name", name, NULL);

      conformance_push (queue, note_order, &log, NULL, options);
    }
  for (int second = 0; second <= 3; second++)
    {
      conformance_wait_for (queue, "a task without a delay");
      conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      conformance_await (&n_calls, second + 1);
      hooks->clock_advance (G_USEC_PER_SEC);
    }
  conformance_join_succeeded (queue, G_N_ELEMENTS (delays) + 4);
  check_order (&log, "1 2 2 3");
  conformance_queue_free (queue);
  test_log_clear (&log);
}

static void
test_retries (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, "retry-delay", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) at_once = test_options_new ("retries", 4, NULL);
  g_autoptr (OsiisoGroup) waiting = osiiso_queue_map (queue, 50, test_task_fail, NULL, NULL, options, NULL);
  g_autoptr (OsiisoGroup) hasty = osiiso_queue_map (queue, 50, test_task_fail, NULL, NULL, at_once, NULL);

  conformance_start (queue);
  for (guint attempt = 1; attempt <= 3; attempt++)
    {
      for (guint i = 0; i < 50; i++)
        {
          g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (waiting, i);

          conformance_wait_for (queue, "attempt %u of a failing task to end", attempt);
          while (osiiso_handle_get_attempts (handle) < attempt)
            g_main_context_iteration (NULL, FALSE);
          conformance_await_status (handle, attempt < 3 ? OSIISO_STATUS_RETRYING : OSIISO_STATUS_FAILED);
          conformance_check (osiiso_handle_get_attempts (handle) == attempt, "a failing task has had %u attempts instead of %u",
                             osiiso_handle_get_attempts (handle), attempt);
        }
      hooks->clock_advance (G_USEC_PER_SEC);
    }
  conformance_join (queue);
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (hasty, i);

      conformance_check (osiiso_handle_get_attempts (handle) == 5, "a failing task with 4 retries has had %u attempts",
                         osiiso_handle_get_attempts (handle));
    }
  conformance_queue_free (queue);
}

typedef struct
{
  OsiisoAttempt *attempts[50];
  int            n_calls[50];
} Deferring;

static void
defer_by_index (OsiisoAttempt *attempt,
                gpointer       data)
{
  Deferring *deferring = data;
  const guint index = osiiso_attempt_get_index (attempt);

  if (g_atomic_int_add (&deferring->n_calls[index], 1) == 0)
    g_atomic_pointer_set (&deferring->attempts[index], osiiso_attempt_defer (attempt));
}

static gpointer
report_all (gpointer data)
{
  Deferring *deferring = data;

  for (guint i = 0; i < G_N_ELEMENTS (deferring->attempts); i++)
    {
      osiiso_attempt_return_int (deferring->attempts[i], i);
      osiiso_attempt_unref (deferring->attempts[i]);
    }
  return NULL;
}

static void
test_deferred (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  Deferring deferring;
  int n_released = 0;

  memset (&deferring, 0, sizeof deferring);
  osiiso_queue_set_workers (queue, G_N_ELEMENTS (deferring.attempts));
  g_object_unref (osiiso_queue_map (queue, G_N_ELEMENTS (deferring.attempts), defer_by_index, &deferring, NULL, NULL, NULL));
  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (deferring.attempts); i++)
    {
      conformance_wait_for (queue, "deferred attempt %u of %u", i + 1, (guint) G_N_ELEMENTS (deferring.attempts));
      while (g_atomic_pointer_get (&deferring.attempts[i]) == NULL)
        g_main_context_iteration (NULL, FALSE);
    }
  conformance_check (osiiso_queue_get_completed_count (queue) == 0, "deferred attempts ended when their functions returned");
  conformance_wait_for (queue, "a report on a deferred attempt to return");
  g_thread_join (g_thread_new ("report", report_all, &deferring));
  conformance_join_succeeded (queue, G_N_ELEMENTS (deferring.attempts));
  for (guint i = 0; i < G_N_ELEMENTS (deferring.attempts); i++)
    conformance_check (deferring.n_calls[i] == 1, "the function of one attempt was called %d times: call osiiso_attempt_run() once",
                       deferring.n_calls[i]);

  /* Nothing but the function and the backend has had this attempt. */
  conformance_push (queue, (OsiisoTaskFunc) osiiso_attempt_return_none, &n_released, conformance_count_release, NULL);
  conformance_join (queue);
  conformance_queue_free (queue);
  conformance_check (n_released == 1, "the data of a task were released %d times", n_released);
}

static void
drop_deferred (OsiisoAttempt *attempt,
               gpointer       unused)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
}

static void
test_dropped (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  int n_released = 0;

  handle = osiiso_queue_submit (queue, drop_deferred, &n_released, conformance_count_release, NULL, NULL);
  conformance_wait_for (queue, "the end of an attempt that its function has deferred and dropped: drop the reference on each attempt when it was run");
  osiiso_queue_join (queue, NULL, NULL);
  conformance_expect_error (handle, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED, "an attempt that was dropped");
  conformance_wait_for (NULL, "the data of a task to be released");
  conformance_await (&n_released, 1);
  conformance_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
} Tree;

static void
grow (OsiisoAttempt *attempt,
      gpointer       data)
{
  Tree *tree = data;
  const int n = g_atomic_int_add (&tree->n_calls, 1);

  if (n < 500)
    {
      osiiso_queue_push (tree->queue, grow, tree, NULL, NULL, NULL);
      osiiso_queue_push (tree->queue, grow, tree, NULL, NULL, NULL);
    }
}

static void
test_from_tasks (void)
{
  Tree tree = { conformance_queue_new (), 0 };

  conformance_push (tree.queue, grow, &tree, NULL, NULL);
  conformance_join_succeeded (tree.queue, 1001);
  conformance_check (tree.n_calls == 1001, "1001 tasks were run %d times", tree.n_calls);
  conformance_queue_free (tree.queue);
}

static void
test_rest (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;

  for (int round = 1; round <= 50; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;

      for (int i = 0; i < 20; i++)
        conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      conformance_check (n_calls == 20 * (round - 1), "a task was run while the queue rested between two runs");
      conformance_wait_for (queue, "run %d to end", round);
      summary = osiiso_queue_run (queue, NULL, NULL);
      conformance_check (n_calls == 20 * round, "of %d tasks %d were run after a rest", 20 * round, n_calls);
      conformance_check (osiiso_run_summary_get_succeeded (summary) == 20, "a run has not counted its own tasks");
    }
  conformance_queue_free (queue);
}

/* Cancelling, in every state that a task can be in. */

static void
check_cancelled (OsiisoHandle *handle,
                 const char   *when)
{
  conformance_check (osiiso_handle_cancel (handle), "a task that %s could not be cancelled", when);
  conformance_check (osiiso_handle_get_status (handle) == OSIISO_STATUS_CANCELLED,
                     "a task that was cancelled when it %s is not over", when);
  conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "a cancellation");
  conformance_check (!osiiso_handle_cancel (handle), "a task was cancelled twice");
}

static void
test_cancel_waiting (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("retries", 1, "retry-delay", 1000.0, NULL);
  int n_calls = 0;
  g_autoptr (OsiisoHandle) pending = NULL;
  g_autoptr (OsiisoHandle) scheduled = NULL;
  g_autoptr (OsiisoHandle) failing = NULL;
  g_autoptr (OsiisoHandle) done = NULL;

  test_manual_clock ();
  failing = test_submit (queue, test_task_fail, NULL, retrying);
  scheduled = test_submit (queue, conformance_count, &n_calls, delayed);
  done = test_submit (queue, test_task_none, NULL, NULL);
  conformance_start (queue);
  conformance_wait_for (queue, "an attempt to fail");
  conformance_await_status (failing, OSIISO_STATUS_RETRYING);
  conformance_wait_for (queue, "a task to succeed");
  conformance_await_status (done, OSIISO_STATUS_SUCCEEDED);
  osiiso_queue_pause (queue);
  pending = test_submit (queue, conformance_count, &n_calls, NULL);
  check_cancelled (pending, "was waiting for a worker");
  check_cancelled (scheduled, "was waiting for its time");
  check_cancelled (failing, "was waiting for its next attempt");
  conformance_check (!osiiso_handle_cancel (done), "a task that had ended was cancelled");
  osiiso_queue_resume (queue);
  conformance_join (queue);
  conformance_check (n_calls == 0, "a task was run that had been cancelled before");
  conformance_queue_free (queue);
}

static void
cancel_self (OsiisoAttempt *attempt,
             gpointer       queue)
{
  g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, osiiso_attempt_get_task_id (attempt));

  check_cancelled (handle, "was in its function");
  conformance_check (!osiiso_attempt_is_open (attempt), "the attempt of a cancelled task is open");
}

static void
test_cancel_running (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) deferred = test_submit (queue, test_task_defer, &attempt, NULL);

  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  conformance_wait_for (queue, "a function to defer its attempt");
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  check_cancelled (deferred, "had been deferred");
  osiiso_attempt_unref (attempt);
  for (int i = 0; i < 100; i++)
    conformance_push (queue, cancel_self, queue, NULL, NULL);
  conformance_join (queue);
  conformance_check (osiiso_queue_get_completed_count (queue) == 101, "tasks that were cancelled while they ran did not all end");
  conformance_push (queue, test_task_none, NULL, NULL, NULL);
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

const ConformanceCase conformance_tasks[] = {
  { "/conformance/tasks/each-once", test_each_once, "Every task is run exactly once, and its data are released exactly once" },
  { "/conformance/tasks/outcomes", test_outcomes, "A task ends with what its function has returned" },
  { "/conformance/tasks/where", test_where, "With the capability CLOSURES functions run in the owner's context" },
  { "/conformance/tasks/priorities", test_priorities, "Tasks are begun in the order in which the queue hands them out" },
  { "/conformance/tasks/delays", test_delays, "Delayed tasks are run when their time has come" },
  { "/conformance/tasks/retries", test_retries, "A failing task gets the attempts that it may have and no more" },
  { "/conformance/tasks/deferred", test_deferred, "A deferred attempt is under way until somebody reports, and its function is not called again" },
  { "/conformance/tasks/dropped", test_dropped, "An attempt that was run is let go, and so ends if nobody else has it" },
  { "/conformance/tasks/from-tasks", test_from_tasks, "Tasks may submit tasks" },
  { "/conformance/tasks/rest", test_rest, "After a run nothing happens until the next one, and then all" },
  { "/conformance/cancel/waiting", test_cancel_waiting, "A task can be cancelled whatever it waits for, and is not run then" },
  { "/conformance/cancel/running", test_cancel_running, "A task can be cancelled while it runs" },
  { NULL, NULL, NULL }
};
