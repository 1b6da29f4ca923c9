/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* The rate at which a queue starts attempts. The clock is the test's, and is
 * turned on only when all has started that may: on thread-pool threads may come
 * late, but never too early. */

#define START (1000 * (gint64) G_USEC_PER_SEC)
#define MS    1000

static const OsiisoTestHooks *hooks;

/* What began, and when. */
static struct
{
  GMutex   lock;
  GCond    cond;
  GString *text;
  guint    n;
} trace;

static void
trace_task (OsiisoAttempt *attempt,
            gpointer       unused)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  g_mutex_lock (&trace.lock);
  g_string_append_printf (trace.text, "%s%s@%g", trace.n > 0 ? " " : "", name,
                          (double) (hooks->clock_now () - START) / G_USEC_PER_SEC);
  trace.n++;
  g_cond_broadcast (&trace.cond);
  g_mutex_unlock (&trace.lock);
}

static void
trace_and_fail (OsiisoAttempt *attempt,
                gpointer       unused)
{
  trace_task (attempt, NULL);
  test_task_fail (attempt, NULL);
}

static void
trace_and_pass (OsiisoAttempt *attempt,
                gpointer       gate)
{
  trace_task (attempt, NULL);
  test_gate_pass (gate);
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* Waits until @n attempts have begun since the last call, and says which. */
static void
assert_began (guint       n,
              const char *expected)
{
  g_autofree char *text = NULL;

  settle ();
  g_mutex_lock (&trace.lock);
  while (trace.n < n)
    {
      g_mutex_unlock (&trace.lock);
      settle ();
      g_thread_yield ();
      g_mutex_lock (&trace.lock);
    }
  text = g_strdup (trace.text->str);
  g_string_truncate (trace.text, 0);
  trace.n = 0;
  g_mutex_unlock (&trace.lock);
  g_assert_cmpstr (text, ==, expected);
}

/* Waits until nothing runs, so that whatever may begin next begins in time. */
static void
await_idle (OsiisoQueue *queue)
{
  do
    settle ();
  while (osiiso_queue_get_active_count (queue) > 0);
}

/* The same, and until all that has ended is counted. */
static void
await_pending (OsiisoQueue *queue,
               guint64      n)
{
  do
    await_idle (queue);
  while (osiiso_queue_get_pending_count (queue) != n);
}

static void
advance (gint64 us)
{
  hooks->clock_advance (us);
  settle ();
}

static OsiisoQueue *
rated_queue (const char *backend,
             double      rate,
             guint       burst)
{
  OsiisoQueue *queue;

  hooks = test_manual_clock ();
  trace.text = g_string_new (NULL);
  trace.n = 0;
  queue = test_queue_new (backend);
  g_object_set (queue, "workers", 1, "rate", rate, "burst", burst, NULL);
  return queue;
}

static void
start (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (osiiso_queue_start (queue, &error));
  g_assert_no_error (error);
}

static void
finish (OsiisoQueue *queue)
{
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
  g_string_free (trace.text, TRUE);
  trace.text = NULL;
}

static OsiisoHandle *
submit (OsiisoQueue   *queue,
        OsiisoTaskFunc func,
        gpointer       user_data,
        const char    *name,
        int            priority)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", name, "priority", priority, NULL);

  return test_submit (queue, func, user_data, options);
}

static void
add (OsiisoQueue *queue,
     const char  *name)
{
  g_object_unref (submit (queue, trace_task, NULL, name, OSIISO_PRIORITY_DEFAULT));
}

static void
test_real_clock (gconstpointer backend)
{
  g_autoptr (OsiisoQueue) queue = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("A run takes as long as the rate makes it");

  osiiso_private_test_hooks ()->clock_set_manual (0);
  queue = test_queue_new (backend);
  osiiso_queue_set_rate (queue, 500);
  for (guint i = 0; i < 11; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 11);
  g_assert_cmpfloat (osiiso_run_summary_get_duration (summary), >=, 0.020 - 1e-6);
}

static void
test_spacing (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoHandle) last = NULL;

  g_test_summary ("Attempts begin an interval apart; who waits is pending and holds no worker");

  add (queue, "a");
  add (queue, "b");
  last = submit (queue, trace_task, NULL, "c", OSIISO_PRIORITY_DEFAULT);
  start (queue);
  assert_began (1, "a@0");
  await_pending (queue, 2);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpint (osiiso_handle_get_status (last), ==, OSIISO_STATUS_PENDING);

  advance (99 * MS + 999);
  assert_began (0, "");
  advance (1);
  assert_began (1, "b@0.1");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "c@0.2");
  await_idle (queue);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (last), 1000.2, 1e-7);

  /* What was not used is not saved up, but for one. */
  advance (10 * G_USEC_PER_SEC);
  add (queue, "d");
  add (queue, "e");
  assert_began (1, "d@10.2");
  await_idle (queue);
  assert_began (0, "");
  advance (100 * MS);
  assert_began (1, "e@10.3");
  finish (queue);
}

static void
test_burst (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 3);
  static const char *expected[] = { "3@0.1", "4@0.2", "5@0.3" };

  g_test_summary ("A burst begins at once, the rest an interval apart");

  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      add (queue, name);
    }
  start (queue);
  assert_began (3, "0@0 1@0 2@0");
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      await_idle (queue);
      assert_began (0, "");
      advance (100 * MS);
      assert_began (1, expected[i]);
    }
  finish (queue);
}

static void
test_retries (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "r", "retries", 2, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, trace_and_fail, NULL, options);

  g_test_summary ("Each attempt counts, retries too");

  start (queue);
  assert_began (1, "r@0");
  test_await_status (handle, OSIISO_STATUS_RETRYING);
  /* It was there first. */
  add (queue, "n");
  advance (100 * MS);
  assert_began (1, "r@0.1");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "r@0.2");
  test_await_status (handle, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 3);
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "n@0.3");
  finish (queue);
}

static void
test_delay (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "late", "delay", 0.25, NULL);

  g_test_summary ("A delayed task needs a turn like any other, once it is due");

  test_submit_and_drop (queue, trace_task, NULL, options);
  start (queue);
  advance (220 * MS);
  add (queue, "now");
  assert_began (1, "now@0.22");
  await_idle (queue);
  advance (50 * MS);
  assert_began (0, "");
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  await_pending (queue, 1);
  advance (50 * MS);
  assert_began (1, "late@0.32");
  finish (queue);
}

static void
test_cancel (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoHandle) b = NULL;

  g_test_summary ("A task that is cancelled while it waits uses no turn");

  add (queue, "a");
  b = submit (queue, trace_task, NULL, "b", OSIISO_PRIORITY_DEFAULT);
  add (queue, "c");
  start (queue);
  assert_began (1, "a@0");
  await_idle (queue);
  g_assert_true (osiiso_handle_cancel (b));
  advance (100 * MS);
  assert_began (1, "c@0.1");
  g_assert_cmpint (osiiso_handle_get_status (b), ==, OSIISO_STATUS_CANCELLED);
  finish (queue);
}

static void
test_priority (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoHandle) raised = NULL;

  g_test_summary ("Who is first is decided when an attempt may begin");

  add (queue, "a");
  add (queue, "b");
  add (queue, "c");
  raised = submit (queue, trace_task, NULL, "raised", OSIISO_PRIORITY_DEFAULT);
  start (queue);
  assert_began (1, "a@0");
  await_idle (queue);
  advance (99 * MS);
  g_object_unref (submit (queue, trace_task, NULL, "urgent", 0));
  advance (1 * MS);
  assert_began (1, "urgent@0.1");
  await_idle (queue);
  g_assert_true (osiiso_handle_set_priority (raised, 1));
  advance (100 * MS);
  assert_began (1, "raised@0.2");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "b@0.3");
  finish (queue);
}

static void
test_pause (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 1);

  g_test_summary ("A pause goes before a turn, and a turn before the end of a pause");

  add (queue, "a");
  add (queue, "b");
  add (queue, "c");
  add (queue, "d");
  start (queue);
  assert_began (1, "a@0");
  await_idle (queue);
  osiiso_queue_pause (queue);
  advance (250 * MS);
  assert_began (0, "");
  osiiso_queue_resume (queue);
  assert_began (1, "b@0.25");
  await_idle (queue);
  advance (50 * MS);
  osiiso_queue_pause (queue);
  osiiso_queue_resume (queue);
  assert_began (0, "");
  advance (50 * MS);
  assert_began (1, "c@0.35");
  await_idle (queue);
  /* The timer of this one falls into the pause. */
  osiiso_queue_pause (queue);
  advance (100 * MS);
  osiiso_queue_resume (queue);
  assert_began (1, "d@0.45");
  finish (queue);
}

static void
test_change (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 0.01, 1);

  g_test_summary ("A change of the rate counts for those who wait already");

  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      add (queue, name);
    }
  start (queue);
  assert_began (1, "0@0");
  await_idle (queue);
  /* Faster: what is left of the wait becomes that part of the new interval. */
  advance (50 * G_USEC_PER_SEC);
  assert_began (0, "");
  osiiso_queue_set_rate (queue, 10);
  assert_began (0, "");
  advance (50 * MS);
  assert_began (1, "1@50.05");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "2@50.15");
  await_idle (queue);
  /* Slower. */
  osiiso_queue_set_rate (queue, 1);
  advance (999 * MS);
  assert_began (0, "");
  advance (1 * MS);
  assert_began (1, "3@51.15");
  await_idle (queue);
  /* A longer burst, of which one is used. */
  osiiso_queue_set_burst (queue, 3);
  assert_began (2, "4@51.15 5@51.15");
  await_idle (queue);
  assert_began (0, "");
  /* No limit any more. */
  osiiso_queue_set_rate (queue, 0);
  assert_began (4, "6@51.15 7@51.15 8@51.15 9@51.15");
  finish (queue);
}

static void
test_workers (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 10, 2);
  TestGate gate;

  g_test_summary ("Both limits hold: that of the workers, and the rate");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 3);
  for (guint i = 0; i < 7; i++)
    g_object_unref (submit (queue, trace_and_pass, &gate, "t", OSIISO_PRIORITY_DEFAULT));
  start (queue);
  assert_began (2, "t@0 t@0");
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 2);
  advance (100 * MS);
  assert_began (1, "t@0.1");
  /* No worker is left, and two turns are saved up meanwhile. */
  advance (900 * MS);
  assert_began (0, "");
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 3);
  test_gate_open (&gate);
  assert_began (2, "t@1 t@1");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "t@1.1");
  await_idle (queue);
  advance (100 * MS);
  assert_began (1, "t@1.2");
  finish (queue);
  test_gate_clear (&gate);
}

static int
compare_times (gconstpointer a,
               gconstpointer b)
{
  const gint64 x = *(const gint64 *) a;
  const gint64 y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

static void
test_windows (gconstpointer backend)
{
  enum { N = 150 };
  const gint64 rate = 7;
  const guint burst = 4;
  OsiisoQueue *queue = rated_queue (backend, (double) rate, burst);
  OsiisoHandle *handles[N];
  gint64 starts[N];

  g_test_summary ("No window of a run has more than burst + rate * t starts, however the clock goes");

  osiiso_queue_set_workers (queue, 3);
  start (queue);
  for (guint i = 0; i < N; i++)
    {
      handles[i] = submit (queue, test_task_none, NULL, "t", g_test_rand_int_range (0, 9));
      if (g_test_rand_int_range (0, 3) == 0)
        advance (g_test_rand_int_range (1, 300 * MS));
    }
  while (osiiso_queue_get_completed_count (queue) < N)
    {
      advance (g_test_rand_int_range (1, 300 * MS));
      g_thread_yield ();
    }
  for (guint i = 0; i < N; i++)
    {
      starts[i] = (gint64) (osiiso_handle_get_started (handles[i]) * G_USEC_PER_SEC + 0.5);
      g_object_unref (handles[i]);
    }
  qsort (starts, N, sizeof starts[0], compare_times);
  for (guint i = 0; i < N; i++)
    for (guint j = i + burst; j < N; j++)
      g_assert_cmpint (rate * (starts[j] - starts[i] + 1), >=, (j - i + 1 - burst) * (gint64) G_USEC_PER_SEC);
  finish (queue);
}

static void
test_full_speed (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 30, 1);

  g_test_summary ("Under load no turn is lost: thirty per second for ten seconds");

  osiiso_queue_set_workers (queue, 2);
  for (guint i = 0; i < 400; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  start (queue);
  for (guint i = 0; i < 300; i++)
    {
      while (osiiso_queue_get_completed_count (queue) <= i || osiiso_queue_get_active_count (queue) > 0)
        {
          settle ();
          g_thread_yield ();
        }
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, i + 1);
      /* To the microsecond in which the next one is due. */
      advance (START + ((i + 1) * (gint64) G_USEC_PER_SEC + 29) / 30 - hooks->clock_now ());
    }
  g_assert_cmpint (hooks->clock_now (), ==, START + 10 * G_USEC_PER_SEC);
  finish (queue);
}

static void
test_invalid (gconstpointer backend)
{
  static const struct
  {
    double      rate;
    const char *shown;
  } cases[] = { { -1, "-1" }, { -0.5, "-0.5" }, { INFINITY, "inf" }, { NAN, "nan" } };
  OsiisoQueue *queue = rated_queue (backend, 10, 1);
  g_autoptr (OsiisoHandle) handle = submit (queue, trace_task, NULL, "a", OSIISO_PRIORITY_DEFAULT);
  g_autoptr (GError) error = NULL;

  g_test_summary ("With a rate or a burst that makes no sense a queue is not started");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double rate;

      g_object_set (queue, "rate", cases[i].rate, NULL);
      g_object_get (queue, "rate", &rate, NULL);
      g_assert_true (rate == cases[i].rate || (isnan (rate) && isnan (cases[i].rate)));
      g_assert_false (osiiso_queue_start (queue, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_nonnull (g_strrstr (error->message, "rate"));
      g_assert_nonnull (g_strrstr (error->message, cases[i].shown));
      g_clear_error (&error);
      g_assert_null (osiiso_queue_run (queue, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_false (osiiso_queue_join (queue, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      if (g_str_equal (backend, "thread-pool"))
        {
          g_assert_false (osiiso_handle_wait (handle, -1, NULL, &error));
          g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
          g_clear_error (&error);
        }
    }
  g_object_set (queue, "rate", 10.0, "burst", 0, NULL);
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_cmpstr (error->message, ==, "the burst of a queue must be at least 1; got 0");
  g_clear_error (&error);
  assert_began (0, "");

  g_object_set (queue, "burst", 1, NULL);
  start (queue);
  assert_began (1, "a@0");
  await_idle (queue);

  /* A queue that works goes on as it did. */
  osiiso_queue_set_rate (queue, -3);
  add (queue, "b");
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  assert_began (0, "");
  advance (100 * MS);
  assert_began (1, "b@0.1");
  finish (queue);
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    text)
{
  g_string_append_printf (text, "%s ", pspec->name);
}

static void
test_properties (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 0, 1);
  g_autoptr (GString) notified = g_string_new (NULL);

  g_test_summary ("The properties have defaults, and tell of changes only");

  g_assert_cmpfloat (osiiso_queue_get_rate (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_burst (queue), ==, 1);
  g_signal_connect (queue, "notify", G_CALLBACK (count_notify), notified);
  osiiso_queue_set_rate (queue, 0);
  osiiso_queue_set_burst (queue, 1);
  g_assert_cmpstr (notified->str, ==, "");
  osiiso_queue_set_rate (queue, 2.5);
  osiiso_queue_set_burst (queue, 4);
  g_assert_cmpstr (notified->str, ==, "rate burst ");
  g_assert_cmpfloat (osiiso_queue_get_rate (queue), ==, 2.5);
  g_assert_cmpuint (osiiso_queue_get_burst (queue), ==, 4);
  finish (queue);
}

static void
test_shutdown (gconstpointer backend)
{
  OsiisoQueue *queue = rated_queue (backend, 0.1, 1);
  g_autoptr (OsiisoHandle) b = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A forced shutdown waits for no turn, and an ordinary one for all");

  add (queue, "a");
  b = submit (queue, trace_task, NULL, "b", OSIISO_PRIORITY_DEFAULT);
  start (queue);
  assert_began (1, "a@0");
  await_idle (queue);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  settle ();
  g_assert_false (osiiso_queue_get_closed (queue));
  advance (10 * G_USEC_PER_SEC);
  assert_began (1, "b@10");
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
  finish (queue);

  queue = rated_queue (backend, 0.1, 1);
  add (queue, "a");
  add (queue, "b");
  start (queue);
  assert_began (1, "a@0");
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  assert_began (0, "");
  finish (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/rate/real-clock", test_real_clock);
  test_add_for_backends ("/rate/properties", test_properties);
  test_add_for_backends ("/rate/invalid", test_invalid);
  test_add_for_backends ("/rate/spacing", test_spacing);
  test_add_for_backends ("/rate/burst", test_burst);
  test_add_for_backends ("/rate/retries", test_retries);
  test_add_for_backends ("/rate/delay", test_delay);
  test_add_for_backends ("/rate/cancel", test_cancel);
  test_add_for_backends ("/rate/priority", test_priority);
  test_add_for_backends ("/rate/pause", test_pause);
  test_add_for_backends ("/rate/change", test_change);
  /* Where tasks may block. */
  g_test_add_data_func ("/rate/workers/thread-pool", "thread-pool", test_workers);
  test_add_for_backends ("/rate/windows", test_windows);
  test_add_for_backends ("/rate/full-speed", test_full_speed);
  test_add_for_backends ("/rate/shutdown", test_shutdown);

  return g_test_run ();
}
