/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* How many tasks run at a time, and where. */

static void
test_default (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoBackend *used = osiiso_queue_get_backend (queue);

  g_test_summary ("Left to the backend there are four workers per processor, at least 4 and at most 32");

  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, 0);
  g_assert_cmpuint (osiiso_backend_get_workers (used), ==, MAX (4, MIN (32, 4 * g_get_num_processors ())));
  osiiso_queue_set_workers (queue, 3);
  g_assert_cmpuint (osiiso_backend_get_workers (used), ==, 3);
  osiiso_queue_set_workers (queue, 0);
  g_assert_cmpuint (osiiso_backend_get_workers (used), ==, MAX (4, MIN (32, 4 * g_get_num_processors ())));
  test_queue_free (queue);
}

static void
test_all_at_work (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const guint n = osiiso_backend_get_workers (osiiso_queue_get_backend (queue));
  g_autofree OsiisoAttempt **slots = g_new0 (OsiisoAttempt *, n + 1);
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("As many tasks as there are workers are under way at a time, and no more");

  for (guint i = 0; i <= n; i++)
    test_submit_and_drop (queue, test_task_defer, &slots[i], NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  for (guint i = 0; i < n; i++)
    semantics_await (&slots[i]);
  semantics_settle ();
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, n);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  g_assert_null (g_atomic_pointer_get (&slots[n]));
  for (guint i = 0; i <= n; i++)
    semantics_succeed (&slots[i]);
  g_object_unref (semantics_run_finish (queue, &result));
  test_queue_free (queue);
}

static void
return_thread (OsiisoAttempt *attempt,
               gpointer       context)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_atomic_pointer_set ((GMainContext **) context, g_main_context_get_thread_default ());
  g_value_init (&value, G_TYPE_POINTER);
  g_value_set_pointer (&value, g_thread_self ());
  osiiso_attempt_return_value (attempt, &value);
}

static GThread *
thread_of (OsiisoGroup *group,
           guint        index)
{
  g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, index);

  return g_value_get_pointer (osiiso_handle_get_value (handle));
}

static void
test_thread_of_loop (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  GMainContext *context = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 20, return_thread, &context, NULL, NULL, NULL);

  g_test_summary ("On main-loop functions run in the thread that iterates the context, one after the other");

  test_run_all (queue);
  for (guint i = 0; i < 20; i++)
    g_assert_true (thread_of (group, i) == g_thread_self ());
  test_queue_free (queue);
}

static void
test_thread_of_pool (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  GMainContext *context = (gpointer) queue;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 20, return_thread, &context, NULL, NULL, NULL);

  g_test_summary ("On thread-pool a worker is one thread, which runs one function after the other, without a context");

  osiiso_queue_set_workers (queue, 1);
  test_run_all (queue);
  for (guint i = 0; i < 20; i++)
    g_assert_true (thread_of (group, i) == thread_of (group, 0));
  g_assert_true (thread_of (group, 0) != g_thread_self ());
  g_assert_null (context);
  test_queue_free (queue);
}

static void
test_kept_between_runs (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  GMainContext *context = NULL;
  GThread *thread = NULL;

  g_test_summary ("Workers stay from one run to the next");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 2, return_thread, &context, NULL, NULL, NULL);

      test_run_all (queue);
      if (thread == NULL)
        thread = thread_of (group, 0);
      g_assert_true (thread_of (group, 1) == thread);
    }
  test_queue_free (queue);
}

static void
test_must_complete_after_halt (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, "delay", 100.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("A must-complete task that becomes due after the timeout of its run finds a worker");

  osiiso_queue_set_timeout (queue, 1);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_advance (1);
  semantics_settle ();
  g_assert_null (result);
  semantics_advance (99);
  summary = semantics_run_finish (queue, &result);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/workers/default", test_default);
  test_add_for_backends ("/semantics/workers/all-at-work", test_all_at_work);
  g_test_add_func ("/semantics/workers/thread-of-loop", test_thread_of_loop);
  g_test_add_func ("/semantics/workers/thread-of-pool", test_thread_of_pool);
  g_test_add_func ("/semantics/workers/kept-between-runs", test_kept_between_runs);
  test_add_for_backends ("/semantics/workers/must-complete-after-halt", test_must_complete_after_halt);

  return g_test_run ();
}
