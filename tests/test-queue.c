/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-queue.h"

/* What a queue is given, and its properties. */

static void
test_push (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  guint64 ids[4];
  int n_destroyed = 0;

  g_test_summary ("Pushed tasks are counted; only failures are kept");

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      ids[i] = osiiso_queue_push (queue, i == 2 ? test_task_fail : test_task_none, &n_destroyed, test_count, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (ids[i], !=, 0);
    }
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 3);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 1);
  g_assert_cmpint (n_destroyed, ==, 4);

  g_assert_null (osiiso_queue_lookup (queue, ids[1]));
  {
    g_autoptr (OsiisoHandle) failed = osiiso_queue_lookup (queue, ids[2]);

    g_assert_cmpint (osiiso_handle_get_status (failed), ==, OSIISO_STATUS_FAILED);
    g_assert_cmpuint (osiiso_handle_get_task_id (failed), ==, ids[2]);
  }
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue  *queue;
  OsiisoHandle *handle; /* (nullable) */
  guint64       n_completed;
  int           n_released;
} Released;

static void
release_after_end (gpointer data)
{
  Released *self = data;

  self->n_released++;
  self->n_completed = osiiso_queue_get_completed_count (self->queue);
  if (self->handle != NULL)
    g_assert_cmpint (osiiso_handle_get_status (self->handle), ==, OSIISO_STATUS_SUCCEEDED);
}

static void
test_release (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  Released submitted = { queue, NULL, 0, 0 };
  Released pushed = { queue, NULL, 0, 0 };

  g_test_summary ("In the owner's context the data of a task are released when it is over");

  submitted.handle = osiiso_queue_submit (queue, test_task_none, &submitted, release_after_end, NULL, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &pushed, release_after_end, NULL, NULL), !=, 0);
  test_run_all (queue);
  g_assert_cmpint (submitted.n_released, ==, 1);
  g_assert_cmpuint (submitted.n_completed, ==, 1);
  g_assert_cmpint (pushed.n_released, ==, 1);
  g_assert_cmpuint (pushed.n_completed, ==, 2);
  g_object_unref (submitted.handle);
  test_queue_free (queue);
}

static void
test_keep_results (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) cleared = NULL;

  g_test_summary ("Results can be forgotten, at once or later; counts stay");

  osiiso_queue_set_keep_results (queue, FALSE);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 0);

  osiiso_queue_set_keep_results (queue, TRUE);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  test_run_all (queue);
  osiiso_queue_clear_results (queue);
  cleared = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (cleared)), ==, 0);
  g_assert_cmpuint (osiiso_run_summary_get_failed (cleared), ==, 2);
  test_queue_free (queue);
}

static void
test_priority (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  static const int priorities[] = { 9, 3, 1, 3, 127, -128, 1 };
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GString) order = g_string_new (NULL);

  g_test_summary ("With one worker tasks run by priority, and equal ones as they were submitted");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], "name", name, NULL);

      test_submit_and_drop (queue, test_task_none, NULL, options);
    }
  summary = test_run (queue);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);

      g_string_append (order, osiiso_task_result_get_name (result));
    }
  g_assert_cmpstr (order->str, ==, "5261304");
  test_queue_free (queue);
}

static void
test_urgent_while_busy (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 0, "name", "urgent", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) second = NULL;
  TestGate gate;

  g_test_summary ("What is submitted urgently while others wait runs next");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_submit_and_drop (queue, test_task_gate, &gate, NULL);
  test_gate_await (&gate, 1);
  for (int i = 0; i < 100; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, urgent);
  test_gate_open (&gate);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  summary = osiiso_queue_dup_summary (queue);
  second = g_list_model_get_item (G_LIST_MODEL (summary), 1);
  g_assert_cmpstr (osiiso_task_result_get_name (second), ==, "urgent");
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_pause (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  int notified = 0;

  g_test_summary ("A paused queue begins nothing, and goes on when it is resumed");

  g_signal_connect_swapped (queue, "notify::paused", G_CALLBACK (test_count), &notified);
  osiiso_queue_pause (queue);
  g_assert_true (osiiso_queue_get_paused (queue));
  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, test_task_none, NULL, NULL);
  for (int i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  osiiso_queue_resume (queue);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (notified, ==, 2);

  /* As a button does it that is bound to it. */
  g_object_set (queue, "paused", TRUE, NULL);
  g_assert_true (osiiso_queue_get_paused (queue));
  g_object_set (queue, "paused", FALSE, NULL);
  g_assert_false (osiiso_queue_get_paused (queue));
  test_queue_free (queue);
}

static void
test_own_context (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  OsiisoQueue *queue;
  OsiisoRunSummary *summary;

  g_test_summary ("A queue belongs to the thread-default context of its maker");

  g_main_context_push_thread_default (context);
  queue = test_queue_new ("main-loop");
  g_assert_true (osiiso_queue_get_context (queue) == context);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  g_object_unref (summary);
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
}

static void
test_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoBackend) backend = NULL;
  guint workers;
  double timeout;
  OsiisoMode mode;
  OsiisoFailPolicy fail_policy;
  OsiisoTimeoutPolicy on_timeout;
  gboolean keep_results, paused, closed;
  guint64 active, pending, scheduled, completed;
  g_autofree char *name = NULL;
  double rate;
  guint burst;

  g_test_summary ("Properties are what was set, and defaults are the model's");

  g_object_get (queue, "backend", &backend, "workers", &workers, "timeout", &timeout, "mode", &mode,
                "fail-policy", &fail_policy, "on-timeout", &on_timeout, "keep-results", &keep_results,
                "paused", &paused, "closed", &closed, "active-count", &active, "pending-count", &pending,
                "scheduled-count", &scheduled, "completed-count", &completed, NULL);
  g_assert_true (OSIISO_IS_BACKEND (backend));
  g_assert_cmpuint (workers, ==, 0);
  g_assert_cmpfloat (timeout, ==, 0);
  g_assert_cmpint (mode, ==, OSIISO_MODE_FINITE);
  g_assert_cmpint (fail_policy, ==, OSIISO_FAIL_POLICY_CONTINUE);
  g_assert_cmpint (on_timeout, ==, OSIISO_TIMEOUT_POLICY_COMPLETE);
  g_assert_true (keep_results);
  g_assert_false (paused);
  g_assert_false (closed);
  g_assert_cmpuint (active + pending + scheduled + completed, ==, 0);

  g_object_set (queue, "workers", 3, "timeout", 1.5, "mode", OSIISO_MODE_INFINITE,
                "fail-policy", OSIISO_FAIL_POLICY_FAIL_FIRST, "on-timeout", OSIISO_TIMEOUT_POLICY_CANCEL,
                "keep-results", FALSE, "name", "batch", "rate", 5.0, "burst", 4, NULL);
  g_object_get (queue, "name", &name, "rate", &rate, "burst", &burst, NULL);
  g_assert_cmpstr (name, ==, "batch");
  g_assert_cmpfloat (rate, ==, 5);
  g_assert_cmpuint (burst, ==, 4);
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 3);
  g_assert_cmpuint (osiiso_backend_get_workers (backend), ==, 3);
  g_assert_cmpfloat (osiiso_queue_get_timeout (queue), ==, 1.5);
  g_assert_cmpint (osiiso_queue_get_mode (queue), ==, OSIISO_MODE_INFINITE);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpint (osiiso_queue_get_on_timeout (queue), ==, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_assert_false (osiiso_queue_get_keep_results (queue));

  g_object_get (queue, "workers", &workers, "timeout", &timeout, "mode", &mode, "fail-policy", &fail_policy,
                "on-timeout", &on_timeout, "keep-results", &keep_results, NULL);
  g_assert_cmpuint (workers, ==, 3);
  g_assert_cmpfloat (timeout, ==, 1.5);
  g_assert_cmpint (mode, ==, OSIISO_MODE_INFINITE);
  g_assert_cmpint (fail_policy, ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpint (on_timeout, ==, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_assert_false (keep_results);
  g_clear_object (&backend);
  test_queue_free (queue);
}

/* Those that have other defaults, and what counts. */
static void
test_more_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 3600.0, NULL);
  g_autofree char *name = NULL;
  guint size, burst;
  double rate, shutdown_timeout;
  gboolean paused, closed;
  guint64 pending, scheduled;

  g_test_summary ("Properties are what was set, also where a number is counted");

  g_object_set (queue, "size", 7, "rate", 2.5, "burst", 4, "shutdown-timeout", 3.5, "paused", TRUE, "name", "seven", NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, later);
  g_object_get (queue, "size", &size, "rate", &rate, "burst", &burst, "shutdown-timeout", &shutdown_timeout,
                "paused", &paused, "closed", &closed, "name", &name, "pending-count", &pending,
                "scheduled-count", &scheduled, NULL);
  g_assert_cmpuint (size, ==, 7);
  g_assert_cmpfloat (rate, ==, 2.5);
  g_assert_cmpuint (burst, ==, 4);
  g_assert_cmpfloat (shutdown_timeout, ==, 3.5);
  g_assert_true (paused);
  g_assert_false (closed);
  g_assert_cmpstr (name, ==, "seven");
  g_assert_cmpuint (pending, ==, osiiso_queue_get_pending_count (queue));
  g_assert_cmpuint (scheduled, ==, 1);
  test_queue_free (queue);
}

static void
test_notify (void)
{
  static const char *const names[] = { "workers", "timeout", "mode", "fail-policy", "on-timeout", "keep-results", "size",
                                       "rate", "burst", "shutdown-timeout", "name" };
  OsiisoQueue *queue = test_queue_new ("main-loop");
  int n_notified[G_N_ELEMENTS (names)] = { 0 };

  g_test_summary ("Each setting that changes is notified of, once");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *signal = g_strconcat ("notify::", names[i], NULL);

      g_signal_connect_swapped (queue, signal, G_CALLBACK (test_count), &n_notified[i]);
    }
  osiiso_queue_set_workers (queue, 3);
  osiiso_queue_set_timeout (queue, 1.5);
  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  osiiso_queue_set_keep_results (queue, FALSE);
  osiiso_queue_set_size (queue, 9);
  osiiso_queue_set_rate (queue, 2);
  osiiso_queue_set_burst (queue, 3);
  osiiso_queue_set_shutdown_timeout (queue, 2.5);
  osiiso_queue_set_name (queue, "named");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (n_notified[i] != 1)
      g_error ("notify::%s came %d times", names[i], n_notified[i]);
  test_queue_free (queue);
}

static void
test_slice (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  GObject *backend = G_OBJECT (osiiso_queue_get_backend (queue));
  double slice;

  g_test_summary ("How long tasks may take of a main loop at a time is what was set");

  for (double wanted = 0; wanted < 2; wanted += 0.5)
    {
      g_object_set (backend, "slice", wanted, NULL);
      g_object_set (backend, "slice", wanted, NULL);
      g_object_get (backend, "slice", &slice, NULL);
      g_assert_cmpfloat (slice, ==, wanted);
    }
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/queue/push", test_push);
  g_test_add_func ("/queue/release", test_release);
  g_test_add_func ("/queue/keep-results", test_keep_results);
  test_add_for_backends ("/queue/priority", test_priority);
  g_test_add_func ("/queue/urgent-while-busy", test_urgent_while_busy);
  test_add_for_backends ("/queue/pause", test_pause);
  g_test_add_func ("/queue/own-context", test_own_context);
  g_test_add_func ("/queue/properties", test_properties);
  g_test_add_func ("/queue/properties/more", test_more_properties);
  g_test_add_func ("/queue/properties/notify", test_notify);
  g_test_add_func ("/queue/slice", test_slice);
  test_add_queue_run ();
  test_add_queue_workers ();

  return g_test_run ();
}
