/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "test-regressions.h"

/* Cancelling at any moment and in any number, and waits that take a worker. */

/* Item 13: a task that is in nobody's list between two of them. */

static void
cancel_by_handle (OsiisoQueue  *queue,
                  OsiisoHandle *handle)
{
  g_assert_true (osiiso_handle_cancel (handle));
}

static void
cancel_by_queue (OsiisoQueue  *queue,
                 OsiisoHandle *handle)
{
  osiiso_queue_cancel (queue);
}

static void
cancel_by_failure (OsiisoQueue  *queue,
                   OsiisoHandle *handle)
{
  OsiisoAttempt *attempt;

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  attempt = test_held_take (queue);
  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
}

static void
cancel_by_run_timeout (OsiisoQueue  *queue,
                       OsiisoHandle *handle)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  osiiso_queue_set_timeout (queue, 10);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  summary = osiiso_queue_run_finish (queue, result, NULL);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  hooks->clock_set_manual (0);
}

static void
test_13_taken (void)
{
  static void (*ways[]) (OsiisoQueue *, OsiisoHandle *) = {
    cancel_by_handle, cancel_by_queue, cancel_by_failure, cancel_by_run_timeout,
  };

  g_test_summary ("A task that a worker has just taken is found, however it is cancelled");

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      OsiisoQueue *queue = test_held_queue_new ();
      int n_calls = 0;
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_count_call, &n_calls, NULL);
      OsiisoAttempt *attempt = test_held_take (queue);

      g_test_message ("way %u", i);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
      ways[i] (queue, handle);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
      g_assert_false (osiiso_attempt_is_open (attempt));
      g_assert_cmpint (HELD_BACKEND (osiiso_queue_get_backend (queue))->n_interrupts, ==, 1);
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
      g_assert_cmpint (n_calls, ==, 0);
      test_queue_free (queue);
    }
}

#define N_SHARED    20000
#define N_CANCELLERS 4

typedef struct
{
  OsiisoQueue *queue;
  guint64     *ids;
  GRand       *random;
  guint        first;
  guint        n;
  guint        n_told; /* cancel() said TRUE */
} Canceller;

static gpointer
cancel_in_random_order (gpointer data)
{
  Canceller *self = data;

  for (guint i = 0; i < self->n; i++)
    {
      guint at = (guint) g_rand_int_range (self->random, 0, (gint32) self->n);
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (self->queue, self->ids[self->first + at]);

      if (handle != NULL)
        self->n_told += osiiso_handle_cancel (handle);
    }
  return NULL;
}

static guint
cancel_at_random (OsiisoQueue *queue,
                  guint64     *ids,
                  guint        n,
                  gboolean     iterate)
{
  Canceller cancellers[N_CANCELLERS];
  GThread *threads[N_CANCELLERS];
  guint n_told = 0;

  for (guint i = 0; i < N_CANCELLERS; i++)
    {
      /* Two each have the same tasks. */
      cancellers[i] = (Canceller) {
        .queue = queue,
        .ids = ids,
        .random = g_rand_new_with_seed ((guint32) g_test_rand_int ()),
        .first = i / 2 * (n / 2),
        .n = n / 2,
      };
      threads[i] = g_thread_new ("cancel", cancel_in_random_order, &cancellers[i]);
    }
  if (iterate)
    g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  for (guint i = 0; i < N_CANCELLERS; i++)
    {
      g_thread_join (threads[i]);
      g_rand_free (cancellers[i].random);
      n_told += cancellers[i].n_told;
    }
  return n_told;
}

static void
test_13_random (gconstpointer backend)
{
  /* Not on the stack: the function of a task that was cancelled while it ran may
   * come to its end in a later round. */
  static int calls[10];
  static guint n_rounds;
  g_autofree guint64 *ids = g_new (guint64, N_SHARED);

  g_test_summary ("A hundred thousand tasks, cancelled at random moments, are finished or cancelled, once each");

  for (int round = 0; round < 5; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (OsiisoRunSummary) summary = NULL;
      int *n_calls = &calls[n_rounds++];
      int n_destroyed = 0;
      guint n_told;

      osiiso_queue_set_workers (queue, 2);
      for (guint i = 0; i < N_SHARED; i++)
        {
          ids[i] = osiiso_queue_push (queue, i % 2 ? test_count_call : test_task_none, i % 2 ? n_calls : &n_destroyed,
                                      i % 2 ? NULL : test_count, NULL, NULL);
          g_assert_cmpuint (ids[i], !=, 0);
        }
      g_assert_true (osiiso_queue_start (queue, NULL));
      n_told = cancel_at_random (queue, ids, N_SHARED, TRUE);
      summary = osiiso_queue_dup_summary (queue);
      g_test_message ("%u of %u were cancelled", (guint) osiiso_run_summary_get_cancelled (summary), N_SHARED);
      g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 0);
      g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary) + osiiso_run_summary_get_cancelled (summary), ==, N_SHARED);
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, N_SHARED);
      /* Who was told no, or was not asked, was not cancelled. */
      g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), <=, n_told);
      g_assert_cmpint (g_atomic_int_get (n_calls), <=, N_SHARED / 2);
      test_queue_free (queue);
      while (g_atomic_int_get (&n_destroyed) < N_SHARED / 2)
        g_main_context_iteration (NULL, FALSE);
      g_assert_cmpint (n_destroyed, ==, N_SHARED / 2);
    }
}

static void
test_13_waiting (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autofree guint64 *ids = g_new (guint64, N_SHARED);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  guint n_told;

  g_test_summary ("Of threads that cancel the same waiting task at the same time exactly one is told that it did");

  for (guint i = 0; i < N_SHARED; i++)
    ids[i] = osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL);
  n_told = cancel_at_random (queue, ids, N_SHARED, FALSE);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, n_told);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, N_SHARED - n_told);
  g_assert_cmpuint (n_told, >, 0);
  test_queue_free (queue);
}

#define N_CONTESTS 20000

typedef struct
{
  OsiisoAttempt *attempt;
  int            go;
  int            n_through;
} Contest;

/* Close to the moment, and yet where another thread may need the processor. */
static void
spin_until (int *counter,
            int  n)
{
  for (guint i = 1; g_atomic_int_get (counter) < n; i++)
    if (i % 1024 == 0)
      g_thread_yield ();
}

static void
spin_for (int n)
{
  for (volatile int i = 0; i < n; i++)
    ;
}

static gpointer
contest_report (gpointer data)
{
  Contest *contest = data;

  for (int round = 1; round <= N_CONTESTS; round++)
    {
      spin_until (&contest->go, round);
      /* A cancellation has a longer way; each round meets another step of it. */
      spin_for (round % 500);
      osiiso_attempt_return_int (contest->attempt, round);
      g_atomic_int_inc (&contest->n_through);
    }
  return NULL;
}

static void
test_13_one_end (void)
{
  OsiisoQueue *queue = test_held_queue_new ();
  Contest contest = { .go = 0 };
  GThread *reporter = g_thread_new ("report", contest_report, &contest);
  guint n_cancelled = 0;

  g_test_summary ("When a report and a cancellation come at the same moment, one of them ends the task");

  for (int round = 1; round <= N_CONTESTS; round++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
      OsiisoStatus status;

      contest.attempt = test_held_take (queue);
      g_atomic_int_set (&contest.go, round);
      osiiso_handle_cancel (handle);
      spin_until (&contest.n_through, round);

      status = osiiso_handle_get_status (handle);
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, (guint) round);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
      g_assert_true (status == OSIISO_STATUS_CANCELLED || status == OSIISO_STATUS_SUCCEEDED);
      g_assert_true ((status == OSIISO_STATUS_SUCCEEDED) == (osiiso_handle_get_value (handle) != NULL));
      n_cancelled += status == OSIISO_STATUS_CANCELLED;
      osiiso_attempt_unref (contest.attempt);
    }
  g_test_message ("%u of %u were cancelled", n_cancelled, N_CONTESTS);
  g_thread_join (reporter);
  test_queue_free (queue);
}

/* Item 20: cancelling many tasks one by one. test-cancel-cost.c counts what the
 * lists touch for one; this is the whole way through. It takes less than a tenth
 * of a second of processor time, whatever else the machine does, and more than
 * three when each call looks through all tasks, even if at nothing but pointers. */
#define MOST_CPU_SECONDS 2.5

static double
cpu_seconds (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void
cancel_one_by_one (const char *backend,
                   guint       n,
                   gboolean    delayed)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 3600.0, NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  const char *preloaded = g_getenv ("LD_PRELOAD");
  double before;
  double taken;

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, delayed ? options : NULL));
  before = cpu_seconds ();
  /* From both ends, and so from the middle at last. */
  for (guint i = 0; i < n; i++)
    g_assert_true (osiiso_handle_cancel (g_ptr_array_index (handles, i % 2 ? n - 1 - i / 2 : i / 2)));
  taken = cpu_seconds () - before;
  g_test_message ("%u %s tasks: %.3f s", n, delayed ? "delayed" : "waiting", taken);
  /* Valgrind takes a hundred times as long for everything. */
  if (g_strrstr (preloaded != NULL ? preloaded : "", "vgpreload") == NULL)
    g_assert_cmpfloat (taken, <, MOST_CPU_SECONDS);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, n);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  test_queue_free (queue);
}

static void
test_20_one_by_one (gconstpointer backend)
{
  g_test_summary ("Cancelling two hundred thousand waiting tasks one by one is no work to speak of");

  cancel_one_by_one (backend, 4000, FALSE);
  cancel_one_by_one (backend, 4000, TRUE);
  cancel_one_by_one (backend, 200000, FALSE);
  cancel_one_by_one (backend, 200000, TRUE);
}

/* Item 23: a wait for the next attempt that takes a worker. */

static void
test_23_back_off (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, "retry-delay", 100.0, "backoff", 2.0, NULL);
  g_autoptr (OsiisoGroup) failing = osiiso_queue_new_group (queue, "failing");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_calls = 0;

  g_test_summary ("With one worker, tasks that wait for their next attempt do not hold up the others");

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 8; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_submit (failing, test_task_fail, NULL, NULL, options, NULL);

      g_assert_nonnull (handle);
    }
  g_assert_true (osiiso_queue_start (queue, NULL));

  for (int attempt = 1; attempt <= 3; attempt++)
    {
      g_autoptr (OsiisoHandle) other = test_submit (queue, test_count_call, &n_calls, NULL);

      /* The clock stands still, so this cannot be waiting for a delay. */
      test_await_done (other);
      g_assert_cmpint (n_calls, ==, attempt);
      for (guint i = 0; i < 8; i++)
        {
          g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (failing, i);

          test_await_status (handle, attempt < 3 ? OSIISO_STATUS_RETRYING : OSIISO_STATUS_FAILED);
          g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, (guint) attempt);
        }
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
      g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, attempt < 3 ? 8 : 0);
      hooks->clock_advance (attempt * 100 * G_USEC_PER_SEC);
    }
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_queue_free (queue);
  hooks->clock_set_manual (0);
}

void
test_add_regressions_races (void)
{
  g_test_add_func ("/regressions/item-13-taken", test_13_taken);
  g_test_add_func ("/regressions/item-13-one-end", test_13_one_end);
  test_add_for_backends ("/regressions/item-13-random", test_13_random);
  test_add_for_backends ("/regressions/item-13-waiting", test_13_waiting);
  test_add_for_backends ("/regressions/item-20-one-by-one", test_20_one_by_one);
  test_add_for_backends ("/regressions/item-23-back-off", test_23_back_off);
}
