/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* The results of tasks: in which order they come, how they are found, and how
 * long they stay. */

static void
assert_found (OsiisoRunSummary *summary,
              OsiisoHandle     *handle)
{
  g_autoptr (OsiisoTaskResult) by_id = osiiso_run_summary_by_task_id (summary, osiiso_handle_get_task_id (handle));
  g_autoptr (GListModel) by_name = osiiso_run_summary_by_name (summary, osiiso_handle_get_name (handle));
  g_autoptr (OsiisoTaskResult) named = g_list_model_get_item (by_name, 0);

  g_assert_nonnull (by_id);
  g_assert_cmpuint (g_list_model_get_n_items (by_name), ==, 1);
  g_assert_true (named == by_id);
  g_assert_cmpstr (osiiso_task_result_get_name (by_id), ==, osiiso_handle_get_name (handle));
}

static void
test_order (gconstpointer backend)
{
  static const char * const names[] = { "a", "b", "c", "alone" };
  static const guint ends[] = { 2, 3, 0, 1 };
  OsiisoQueue *queue = semantics_queue_new (backend, 4);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "letters");
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  OsiisoAttempt *slots[4] = { NULL };
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) of_group = NULL;
  g_autoptr (GListModel) grouped = NULL;
  g_autoptr (GListModel) ungrouped = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("Results of a run are in the order of completion, those of a group in the order of submission");

  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", names[i], NULL);

      g_ptr_array_add (handles, i < 3 ? osiiso_group_submit (group, test_task_defer, &slots[i], NULL, options, NULL)
                                      : test_submit (queue, test_task_defer, &slots[i], options));
    }
  for (guint i = 0; i < 4; i++)
    {
      semantics_succeed (&slots[ends[i]]);
      semantics_await_status (g_ptr_array_index (handles, ends[i]), OSIISO_STATUS_SUCCEEDED);
      while (osiiso_queue_get_completed_count (queue) <= i)
        g_thread_yield ();
    }
  summary = semantics_run_finish (queue, &result);
  semantics_assert_names (G_LIST_MODEL (summary), "c alone a b");
  of_group = osiiso_group_wait (group, -1, NULL, NULL);
  semantics_assert_names (G_LIST_MODEL (of_group), "a b c");

  for (guint i = 0; i < 4; i++)
    assert_found (summary, g_ptr_array_index (handles, i));
  grouped = osiiso_run_summary_by_group (summary, "letters");
  semantics_assert_names (grouped, "c a b");
  ungrouped = osiiso_run_summary_by_group (summary, NULL);
  semantics_assert_names (ungrouped, "alone");
  test_queue_free (queue);
}

static void
test_as_completed (gconstpointer backend)
{
  static const guint ends[] = { 1, 2, 0 };
  OsiisoQueue *queue = semantics_queue_new (backend, 3);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  OsiisoAttempt *slots[3] = { NULL };

  g_test_summary ("The members of a group are handed out in the order in which they ended");

  for (guint i = 0; i < 3; i++)
    g_object_unref (osiiso_group_submit (group, test_task_defer, &slots[i], NULL, NULL, NULL));
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = NULL;
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;

      osiiso_group_next_completed_async (group, NULL, test_store_result, &result);
      semantics_succeed (&slots[ends[i]]);
      semantics_await_result (&result);
      handle = osiiso_group_next_completed_finish (group, result, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_handle_get_index (handle), ==, ends[i]);
    }
  test_queue_free (queue);
}

static void
test_of_group (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 20.0, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) never = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) run = NULL;
  g_autoptr (GAsyncResult) wait = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The summary of a group has the duration of the wait, and no timeout of a run");

  g_object_unref (osiiso_group_submit (group, test_task_defer, &slot, NULL, NULL, NULL));
  never = osiiso_group_submit (group, test_task_none, NULL, NULL, delayed, NULL);
  osiiso_queue_set_timeout (queue, 10);
  osiiso_queue_run_async (queue, NULL, test_store_result, &run);
  semantics_await (&slot);
  semantics_advance (3);
  osiiso_group_wait_async (group, NULL, test_store_result, &wait);
  semantics_settle ();
  g_assert_null (wait);
  semantics_succeed (&slot);
  semantics_advance (7);
  semantics_await_result (&wait);
  summary = osiiso_group_wait_finish (group, wait, &error);
  g_assert_no_error (error);
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  g_assert_cmpfloat_with_epsilon (osiiso_run_summary_get_duration (summary), 7, 1e-6);
  g_object_unref (semantics_run_finish (queue, &run));
  g_clear_object (&wait);
  test_queue_free (queue);
}

static void
test_clear_in_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) late = test_options_new ("name", "late", NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) early = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  g_test_summary ("To clear the results in a run takes them out of its summary, which counts them all the same");

  osiiso_queue_set_workers (queue, 1);
  early = test_submit (queue, test_task_fail, NULL, NULL);
  test_submit_and_drop (queue, test_task_defer, &slot, late);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  /* One worker, so the first one has ended in every respect. */
  semantics_await (&slot);
  osiiso_queue_clear_results (queue);
  semantics_succeed (&slot);
  summary = semantics_run_finish (queue, &result);
  semantics_assert_names (G_LIST_MODEL (summary), "late");
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 2);
  /* The handle has not forgotten anything. */
  semantics_assert_ended (early, OSIISO_STATUS_FAILED, 1, "attempt 1 failed");
  test_queue_free (queue);
}

static void
test_accumulate (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) all = NULL;
  g_autoptr (OsiisoRunSummary) none = NULL;
  g_autoptr (OsiisoRunSummary) last = NULL;

  g_test_summary ("Results of one run after the other stay with the queue until they are cleared");

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strdup_printf ("run%d", i);
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", name, NULL);

      test_submit_and_drop (queue, test_task_none, NULL, options);
      test_run_all (queue);
    }
  all = osiiso_queue_dup_summary (queue);
  semantics_assert_names (G_LIST_MODEL (all), "run0 run1 run2");
  osiiso_queue_clear_results (queue);
  semantics_assert_names (G_LIST_MODEL (all), "run0 run1 run2");
  none = osiiso_queue_dup_summary (queue);
  semantics_assert_names (G_LIST_MODEL (none), "");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  last = test_run (queue);
  semantics_assert_names (G_LIST_MODEL (last), "task-4");
  test_queue_free (queue);
}

static void
test_stays_as_it_is (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "first", "priority", 7, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (5), options);
  g_autoptr (OsiisoRunSummary) summary = test_run (queue);
  g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), 0);
  g_autoptr (OsiisoTaskResult) of_handle = osiiso_handle_dup_result (handle);

  g_test_summary ("A result never changes, whatever becomes of options, handle and queue");

  osiiso_task_options_set_name (options, "second");
  g_assert_false (osiiso_handle_set_priority (handle, 1));
  g_assert_false (osiiso_handle_cancel (handle));
  osiiso_queue_clear_results (queue);
  g_clear_object (&handle);
  g_clear_object (&summary);
  test_queue_free (queue);
  for (int i = 0; i < 2; i++)
    {
      OsiisoTaskResult *one = i ? of_handle : result;

      g_assert_cmpint (osiiso_task_result_get_status (one), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpstr (osiiso_task_result_get_name (one), ==, "first");
      g_assert_cmpint (osiiso_task_result_get_priority (one), ==, 7);
      g_assert_cmpint (g_value_get_int64 (osiiso_task_result_get_value (one)), ==, 5);
      g_assert_cmpstr (osiiso_task_result_get_message (one), ==, "");
    }
}

static void
test_pushed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) bad = test_options_new ("name", "bad", NULL);
  g_autoptr (OsiisoTaskOptions) given_up = test_options_new ("name", "given-up", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  guint64 id;

  g_test_summary ("Of what is pushed without a handle successes are counted, failures and cancellations kept");

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 10; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  id = osiiso_queue_push (queue, test_task_none, NULL, NULL, given_up, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_fail, NULL, NULL, bad, NULL), !=, 0);
  {
    g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, id);

    g_assert_true (osiiso_handle_cancel (handle));
  }
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  summary = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 10);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 1);
  semantics_assert_names (G_LIST_MODEL (summary), "given-up bad");
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/results/order", test_order);
  test_add_for_backends ("/semantics/results/as-completed", test_as_completed);
  test_add_for_backends ("/semantics/results/of-group", test_of_group);
  test_add_for_backends ("/semantics/results/clear-in-run", test_clear_in_run);
  test_add_for_backends ("/semantics/results/accumulate", test_accumulate);
  test_add_for_backends ("/semantics/results/stays-as-it-is", test_stays_as_it_is);
  test_add_for_backends ("/semantics/results/pushed", test_pushed);

  return g_test_run ();
}
