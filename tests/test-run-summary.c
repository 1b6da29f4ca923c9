/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <osiiso.h>

#define BAR "----------------------------------------\n"

/* Tasks */

static void
succeed (OsiisoAttempt *attempt,
         gpointer       user_data)
{
  osiiso_attempt_return_int (attempt, GPOINTER_TO_INT (user_data));
}

static void
fail (OsiisoAttempt *attempt,
      gpointer       user_data)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE, user_data);
}

static void
succeed_at_second (OsiisoAttempt *attempt,
                   gpointer       user_data)
{
  if (osiiso_attempt_get_number (attempt) < 2)
    osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "not yet");
}

static void
cancel_other (OsiisoAttempt *attempt,
              gpointer       user_data)
{
  OsiisoHandle **other = user_data;

  osiiso_attempt_return_boolean (attempt, osiiso_handle_cancel (*other));
}

/* Ends when somebody else ends it. */
static void
hang (OsiisoAttempt *attempt,
      gpointer       user_data)
{
  OsiisoAttempt **kept = user_data;

  *kept = osiiso_attempt_defer (attempt);
}

/* One worker, so that the order of completion is that of the priorities. */
static OsiisoQueue *
new_queue (void)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new ("thread-pool", &error);

  g_assert_no_error (error);
  g_assert_nonnull (queue);
  osiiso_queue_set_workers (queue, 1);

  return queue;
}

static OsiisoTaskOptions *
new_options (const char *name,
             int         priority,
             const char *group_id)
{
  return g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                       "name", name,
                       "priority", priority,
                       "group-id", group_id,
                       NULL);
}

static OsiisoHandle *
submit (OsiisoQueue    *queue,
        const char     *name,
        int             priority,
        const char     *group_id,
        OsiisoTaskFunc  func,
        gconstpointer   user_data)
{
  g_autoptr (OsiisoTaskOptions) options = new_options (name, priority, group_id);
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle;

  handle = osiiso_queue_submit (queue, func, (gpointer) user_data, NULL, options, &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);

  return handle;
}

static OsiisoRunSummary *
run (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  OsiisoRunSummary *summary = osiiso_queue_run (queue, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (summary);

  return summary;
}

static void
shut_down (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  gboolean closed = osiiso_queue_shutdown (queue, FALSE, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (closed);
}

/* Something of everything; completes in the order of @mixed_names. */
static const char mixed_names[] = "victim canceller ok ok bad silent flaky ";

static OsiisoRunSummary *
run_mixed (OsiisoQueue *queue)
{
  g_autoptr (OsiisoTaskOptions) options = new_options ("flaky", 8, "one");
  g_autoptr (OsiisoHandle) victim = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  osiiso_task_options_set_retries (options, 2);
  g_ptr_array_add (handles, osiiso_queue_submit (queue, fail, (gpointer) "boom", NULL, options, NULL));
  g_assert_nonnull (g_ptr_array_index (handles, 0));

  g_ptr_array_add (handles, submit (queue, "silent", 5, NULL, fail, ""));
  g_ptr_array_add (handles, submit (queue, "bad", 4, "two", fail, "no route"));
  g_ptr_array_add (handles, submit (queue, "ok", 3, "one", succeed, GINT_TO_POINTER (1)));
  g_ptr_array_add (handles, submit (queue, "ok", 3, "three", succeed, GINT_TO_POINTER (2)));
  victim = submit (queue, "victim", 9, "two", succeed, NULL);
  g_ptr_array_add (handles, submit (queue, "canceller", 0, NULL, cancel_other, &victim));

  summary = run (queue);

  return g_steal_pointer (&summary);
}

/* The names in @model, and a look at the model. */
static char *
names_of (GListModel *model)
{
  GString *names = g_string_new (NULL);
  guint n = g_list_model_get_n_items (model);

  g_assert_true (g_list_model_get_item_type (model) == OSIISO_TYPE_TASK_RESULT);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (model, i);

      g_assert_true (OSIISO_IS_TASK_RESULT (result));
      g_string_append_printf (names, "%s ", osiiso_task_result_get_name (result));
    }
  g_assert_null (g_list_model_get_item (model, n));
  g_assert_null (g_list_model_get_item (model, G_MAXUINT));

  return g_string_free (names, FALSE);
}

static void
assert_names (GListModel *model,
              const char *expected)
{
  g_autofree char *names = names_of (model);

  g_assert_cmpstr (names, ==, expected);
}

/* Takes @model, which a selection returned. */
static void
assert_selection (OsiisoRunSummary *summary,
                  GListModel       *model,
                  const char       *expected)
{
  guint n = g_list_model_get_n_items (model);

  g_assert_true (G_IS_LIST_STORE (model));
  assert_names (model, expected);

  /* The same results as in the summary. */
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (model, i);
      g_autoptr (OsiisoTaskResult) same = NULL;

      same = osiiso_run_summary_by_task_id (summary, osiiso_task_result_get_task_id (result));
      g_assert_true (same == result);
    }
  g_object_unref (model);
}

static void
assert_counts (OsiisoRunSummary *summary,
               guint64           succeeded,
               guint64           failed,
               guint64           cancelled)
{
  guint64 total_property, succeeded_property, failed_property, cancelled_property;
  gboolean timed_out_property, ok_property;
  double duration_property;

  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, succeeded);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, failed);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, cancelled);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, succeeded + failed + cancelled);
  g_assert_cmpint (osiiso_run_summary_get_ok (summary), ==,
                   failed == 0 && cancelled == 0 && !osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpfloat (osiiso_run_summary_get_duration (summary), >=, 0.0);

  g_object_get (summary,
                "total-submitted", &total_property,
                "succeeded", &succeeded_property,
                "failed", &failed_property,
                "cancelled", &cancelled_property,
                "timed-out", &timed_out_property,
                "duration", &duration_property,
                "ok", &ok_property,
                NULL);
  g_assert_cmpuint (total_property, ==, succeeded + failed + cancelled);
  g_assert_cmpuint (succeeded_property, ==, succeeded);
  g_assert_cmpuint (failed_property, ==, failed);
  g_assert_cmpuint (cancelled_property, ==, cancelled);
  g_assert_cmpint (timed_out_property, ==, osiiso_run_summary_get_timed_out (summary));
  g_assert_cmpfloat (duration_property, ==, osiiso_run_summary_get_duration (summary));
  g_assert_cmpint (ok_property, ==, osiiso_run_summary_get_ok (summary));
}

/* The lines of to_string(); @failures are the lines of that part, or "". */
static void
assert_text (OsiisoRunSummary *summary,
             const char       *verdict,
             const char       *failures)
{
  char duration[G_ASCII_DTOSTR_BUF_SIZE];
  g_autofree char *expected = NULL;
  g_autofree char *text = NULL;

  g_ascii_formatd (duration, sizeof duration, "%.3f", osiiso_run_summary_get_duration (summary));
  expected = g_strdup_printf (BAR
                              "  Run Summary: %s\n"
                              BAR
                              "  Total tasks : %" G_GUINT64_FORMAT "\n"
                              "  Succeeded   : %" G_GUINT64_FORMAT "\n"
                              "  Failed      : %" G_GUINT64_FORMAT "\n"
                              "  Cancelled   : %" G_GUINT64_FORMAT "\n"
                              "  Duration    : %ss\n"
                              "%s"
                              BAR,
                              verdict,
                              osiiso_run_summary_get_total_submitted (summary),
                              osiiso_run_summary_get_succeeded (summary),
                              osiiso_run_summary_get_failed (summary),
                              osiiso_run_summary_get_cancelled (summary),
                              duration,
                              failures);
  text = osiiso_run_summary_to_string (summary);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_check_passes (OsiisoRunSummary *summary)
{
  g_autoptr (GError) error = NULL;
  gboolean passed = osiiso_run_summary_check (summary, &error);

  g_assert_no_error (error);
  g_assert_true (passed);
  g_assert_true (osiiso_run_summary_check (summary, NULL));
}

static void
assert_check_fails (OsiisoRunSummary *summary,
                    const char       *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (osiiso_run_summary_check (summary, NULL));
  g_assert_false (osiiso_run_summary_check (summary, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_cmpstr (error->message, ==, message);
}

/* The summary */

static void
test_empty (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoRunSummary) summary = run (queue);
  g_auto (GStrv) names = osiiso_run_summary_list_names (summary);
  g_auto (GStrv) groups = osiiso_run_summary_list_groups (summary);

  assert_counts (summary, 0, 0, 0);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  assert_names (G_LIST_MODEL (summary), "");
  assert_selection (summary, osiiso_run_summary_errors (summary), "");
  assert_selection (summary, osiiso_run_summary_by_name (summary, "ok"), "");
  assert_selection (summary, osiiso_run_summary_by_group (summary, NULL), "");
  g_assert_null (osiiso_run_summary_by_task_id (summary, 1));
  g_assert_cmpuint (g_strv_length (names), ==, 0);
  g_assert_cmpuint (g_strv_length (groups), ==, 0);
  assert_check_passes (summary);
  assert_text (summary, "PASSED", "");

  shut_down (queue);
}

/* What a binding can make. */
static void
test_not_from_a_queue (void)
{
  g_autoptr (OsiisoRunSummary) summary = g_object_new (OSIISO_TYPE_RUN_SUMMARY, NULL);
  g_autoptr (OsiisoTaskResult) result = g_object_new (OSIISO_TYPE_TASK_RESULT, NULL);
  g_autofree GParamSpec **specs = NULL;
  g_auto (GStrv) names = osiiso_run_summary_list_names (summary);
  guint n;

  assert_counts (summary, 0, 0, 0);
  assert_names (G_LIST_MODEL (summary), "");
  g_assert_null (osiiso_run_summary_by_task_id (summary, 1));
  g_assert_cmpuint (g_strv_length (names), ==, 0);
  assert_check_passes (summary);
  assert_text (summary, "PASSED", "");

  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (result), &n);
  g_assert_cmpuint (n, ==, 17);
  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      g_assert_cmpuint (specs[i]->flags & G_PARAM_WRITABLE, ==, 0);
      g_object_get_property (G_OBJECT (result), specs[i]->name, &value);
      g_assert_true (g_param_value_defaults (specs[i], &value));
    }
  g_assert_null (osiiso_task_result_get_value (result));
}

static void
test_passed (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoHandle) last = submit (queue, "last", 5, NULL, succeed, GINT_TO_POINTER (3));
  g_autoptr (OsiisoHandle) first = submit (queue, "first", -5, NULL, succeed, GINT_TO_POINTER (1));
  g_autoptr (OsiisoHandle) middle = submit (queue, "middle", 0, NULL, succeed, GINT_TO_POINTER (2));
  g_autoptr (OsiisoRunSummary) summary = run (queue);

  assert_counts (summary, 3, 0, 0);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  assert_names (G_LIST_MODEL (summary), "first middle last ");
  assert_check_passes (summary);
  assert_text (summary, "PASSED", "");

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);
      g_autoptr (OsiisoTaskResult) again = g_list_model_get_item (G_LIST_MODEL (summary), i);

      g_assert_true (result == again);
      g_assert_cmpint (g_value_get_int64 (osiiso_task_result_get_value (result)), ==, i + 1);
    }

  shut_down (queue);
}

static void
test_mixed (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoRunSummary) summary = run_mixed (queue);

  assert_counts (summary, 3, 3, 1);
  g_assert_false (osiiso_run_summary_get_ok (summary));
  g_assert_false (osiiso_run_summary_get_timed_out (summary));
  assert_names (G_LIST_MODEL (summary), mixed_names);
  assert_check_fails (summary, "3 task(s) failed; 1 task(s) cancelled: bad: no route");
  assert_text (summary, "COMPLETED WITH ERRORS",
               BAR
               "  Failures:\n"
               "    - bad\n"
               "      no route\n"
               "    - silent\n"
               "    - flaky (3 attempts)\n"
               "      boom\n");

  shut_down (queue);
}

static void
test_selections (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoRunSummary) summary = run_mixed (queue);

  /* First of all, so that it is not the summary that made the results. */
  assert_selection (summary, osiiso_run_summary_errors (summary), "bad silent flaky ");
  assert_selection (summary, osiiso_run_summary_successes (summary), "canceller ok ok ");
  assert_selection (summary, osiiso_run_summary_cancellations (summary), "victim ");

  assert_selection (summary, osiiso_run_summary_by_name (summary, "ok"), "ok ok ");
  assert_selection (summary, osiiso_run_summary_by_name (summary, "flaky"), "flaky ");
  assert_selection (summary, osiiso_run_summary_by_name (summary, "other"), "");
  assert_selection (summary, osiiso_run_summary_by_name (summary, ""), "");

  assert_selection (summary, osiiso_run_summary_by_group (summary, "one"), "ok flaky ");
  assert_selection (summary, osiiso_run_summary_by_group (summary, "two"), "victim bad ");
  assert_selection (summary, osiiso_run_summary_by_group (summary, "four"), "");
  assert_selection (summary, osiiso_run_summary_by_group (summary, NULL), "canceller silent ");

  shut_down (queue);
}

static void
test_lists (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoRunSummary) summary = run_mixed (queue);
  g_auto (GStrv) names = osiiso_run_summary_list_names (summary);
  g_auto (GStrv) groups = osiiso_run_summary_list_groups (summary);
  const char * const expected_names[] = { "victim", "canceller", "ok", "bad", "silent", "flaky", NULL };
  const char * const expected_groups[] = { "two", "one", "three", NULL };

  g_assert_cmpstrv (names, expected_names);
  g_assert_cmpstrv (groups, expected_groups);

  shut_down (queue);
}

static void
test_by_task_id (void)
{
  const guint n = 1000;
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (handles, submit (queue, "ok", 3, NULL, succeed, GINT_TO_POINTER ((int) i)));
  summary = run (queue);
  assert_counts (summary, n, 0, 0);

  for (guint i = 0; i < n; i++)
    {
      OsiisoHandle *handle = g_ptr_array_index (handles, i);
      g_autoptr (OsiisoTaskResult) result = NULL;

      result = osiiso_run_summary_by_task_id (summary, osiiso_handle_get_task_id (handle));
      g_assert_nonnull (result);
      g_assert_cmpuint (osiiso_task_result_get_task_id (result), ==, osiiso_handle_get_task_id (handle));
      g_assert_cmpint (g_value_get_int64 (osiiso_task_result_get_value (result)), ==, i);
    }
  g_assert_null (osiiso_run_summary_by_task_id (summary, 0));
  g_assert_null (osiiso_run_summary_by_task_id (summary, G_MAXUINT64));

  shut_down (queue);
}

static void
test_only_cancelled (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoHandle) victim = submit (queue, "victim", 9, NULL, succeed, NULL);
  g_autoptr (OsiisoHandle) canceller = submit (queue, "canceller", 0, NULL, cancel_other, &victim);
  g_autoptr (OsiisoRunSummary) summary = run (queue);

  assert_counts (summary, 1, 0, 1);
  g_assert_false (osiiso_run_summary_get_ok (summary));
  assert_check_passes (summary);
  assert_text (summary, "COMPLETED WITH ERRORS", "");

  shut_down (queue);
}

static void
test_only_failed (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoHandle) handle = submit (queue, "silent", 3, NULL, fail, "");
  g_autoptr (OsiisoRunSummary) summary = run (queue);

  assert_counts (summary, 0, 1, 0);
  assert_check_fails (summary, "1 task(s) failed: silent");
  assert_text (summary, "COMPLETED WITH ERRORS",
               BAR
               "  Failures:\n"
               "    - silent\n");

  shut_down (queue);
}

static void
test_timed_out (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoAttempt) kept = NULL;
  g_autoptr (OsiisoHandle) handle = submit (queue, "endless", 3, NULL, hang, &kept);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  osiiso_queue_set_timeout (queue, 0.02);
  summary = run (queue);

  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  assert_counts (summary, 0, 0, 1);
  g_assert_false (osiiso_run_summary_get_ok (summary));
  g_assert_cmpfloat (osiiso_run_summary_get_duration (summary), >=, 0.02);
  assert_selection (summary, osiiso_run_summary_cancellations (summary), "endless ");
  assert_check_passes (summary);
  assert_text (summary, "TIMED OUT", "");

  g_clear_pointer (&kept, osiiso_attempt_unref);
  shut_down (queue);
}

static void
test_not_kept (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoTaskOptions) options = new_options ("bad", 5, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 10; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, succeed, NULL, NULL, NULL, &error), !=, 0);
  g_assert_cmpuint (osiiso_queue_push (queue, fail, (gpointer) "no route", NULL, options, &error), !=, 0);
  g_assert_no_error (error);

  /* The successes are counted, the failure is kept. */
  summary = run (queue);
  assert_counts (summary, 10, 1, 0);
  assert_names (G_LIST_MODEL (summary), "bad ");
  assert_selection (summary, osiiso_run_summary_successes (summary), "");
  assert_check_fails (summary, "1 task(s) failed: bad: no route");
  g_clear_object (&summary);

  /* Nothing is kept. */
  osiiso_queue_set_keep_results (queue, FALSE);
  g_assert_cmpuint (osiiso_queue_push (queue, succeed, NULL, NULL, NULL, &error), !=, 0);
  g_assert_cmpuint (osiiso_queue_push (queue, fail, (gpointer) "no route", NULL, options, &error), !=, 0);
  g_assert_no_error (error);
  summary = run (queue);
  assert_counts (summary, 1, 1, 0);
  assert_names (G_LIST_MODEL (summary), "");
  assert_check_fails (summary, "1 task(s) failed");
  assert_text (summary, "COMPLETED WITH ERRORS", "");

  shut_down (queue);
}

static void
test_outlives_the_queue (void)
{
  OsiisoQueue *queue = new_queue ();
  OsiisoRunSummary *summary = run_mixed (queue);
  g_autoptr (OsiisoTaskResult) bad = NULL;
  g_autoptr (OsiisoTaskResult) ok = NULL;
  g_autoptr (GError) error = NULL;

  shut_down (queue);
  osiiso_queue_clear_results (queue);
  g_assert_finalize_object (queue);

  assert_counts (summary, 3, 3, 1);
  assert_names (G_LIST_MODEL (summary), mixed_names);

  /* And results outlive the summary. */
  ok = g_list_model_get_item (G_LIST_MODEL (summary), 2);
  bad = g_list_model_get_item (G_LIST_MODEL (summary), 4);
  g_assert_finalize_object (summary);

  g_assert_cmpstr (osiiso_task_result_get_name (ok), ==, "ok");
  g_assert_cmpint (g_value_get_int64 (osiiso_task_result_get_value (ok)), ==, 1);
  g_assert_cmpstr (osiiso_task_result_get_message (bad), ==, "no route");
  error = osiiso_task_result_dup_error (bad);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE);
}

static void
test_of_a_group (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "pages");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) run_summary = NULL;
  g_autoptr (GError) error = NULL;
  const struct
  {
    const char    *name;
    int            priority;
    OsiisoTaskFunc func;
    gpointer       user_data;
  } members[] = {
    { "a", 9, succeed, NULL },
    { "b", 5, fail, (gpointer) "no route" },
    { "c", 1, succeed, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = new_options (members[i].name, members[i].priority, "ignored");
      g_autoptr (OsiisoHandle) handle = NULL;

      handle = osiiso_group_submit (group, members[i].func, members[i].user_data, NULL, options, &error);
      g_assert_no_error (error);
      g_assert_nonnull (handle);
    }
  run_summary = run (queue);
  assert_names (G_LIST_MODEL (run_summary), "c b a ");

  summary = osiiso_group_wait (group, -1, NULL, &error);
  g_assert_no_error (error);
  assert_counts (summary, 2, 1, 0);
  assert_names (G_LIST_MODEL (summary), "a b c ");
  assert_selection (summary, osiiso_run_summary_by_group (summary, "pages"), "a b c ");
  assert_selection (summary, osiiso_run_summary_by_group (summary, "ignored"), "");
  assert_check_fails (summary, "1 task(s) failed: b: no route");

  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);

      g_assert_cmpuint (osiiso_task_result_get_index (result), ==, i);
      g_assert_cmpstr (osiiso_task_result_get_group_id (result), ==, "pages");
      g_assert_cmpint (osiiso_task_result_get_priority (result), ==, members[i].priority);
    }

  shut_down (queue);
}

/* The results */

static void
assert_error_property (OsiisoTaskResult *result,
                       GQuark            domain,
                       int               code,
                       const char       *message)
{
  g_autoptr (GError) copy = osiiso_task_result_dup_error (result);
  g_autoptr (GError) property = NULL;
  g_autofree char *message_property = NULL;

  g_object_get (result, "error", &property, "message", &message_property, NULL);
  g_assert_cmpstr (osiiso_task_result_get_message (result), ==, message);
  g_assert_cmpstr (message_property, ==, message);

  if (domain == 0)
    {
      g_assert_no_error (copy);
      g_assert_no_error (property);
      return;
    }
  g_assert_error (copy, domain, code);
  g_assert_error (property, domain, code);
  g_assert_cmpstr (copy->message, ==, message);
  g_assert_cmpstr (property->message, ==, message);
}

static void
test_result_of_success (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoTaskOptions) options = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  g_autofree char *group_id = NULL;
  g_autoptr (GVariant) metadata = NULL;
  guint64 task_id;
  OsiisoStatus status;
  guint attempts, index;
  int priority;
  gboolean must_complete, detached;
  double scheduled_for, created, started, finished, duration;

  options = g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                          "name", "fetch",
                          "priority", -2,
                          "must-complete", TRUE,
                          "group-id", "pages",
                          "retries", 3,
                          "delay", 0.001,
                          "metadata", g_variant_new_string ("tag"),
                          NULL);
  handle = osiiso_queue_submit (queue, succeed_at_second, NULL, NULL, options, &error);
  g_assert_no_error (error);
  summary = run (queue);
  result = g_list_model_get_item (G_LIST_MODEL (summary), 0);

  g_assert_cmpuint (osiiso_task_result_get_task_id (result), ==, osiiso_handle_get_task_id (handle));
  g_assert_cmpstr (osiiso_task_result_get_name (result), ==, "fetch");
  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_null (osiiso_task_result_get_value (result));
  assert_error_property (result, 0, 0, "");
  g_assert_cmpuint (osiiso_task_result_get_attempts (result), ==, 2);
  g_assert_cmpint (osiiso_task_result_get_priority (result), ==, -2);
  g_assert_true (osiiso_task_result_get_must_complete (result));
  g_assert_cmpstr (osiiso_task_result_get_group_id (result), ==, "pages");
  g_assert_cmpuint (osiiso_task_result_get_index (result), ==, 0);
  g_assert_false (osiiso_task_result_get_detached (result));
  g_assert_cmpstr (g_variant_get_string (osiiso_task_result_get_metadata (result), NULL), ==, "tag");
  g_assert_cmpfloat (osiiso_task_result_get_created (result), >, 0.0);
  g_assert_cmpfloat (osiiso_task_result_get_scheduled_for (result), >, osiiso_task_result_get_created (result));
  g_assert_cmpfloat (osiiso_task_result_get_started (result), >=, osiiso_task_result_get_scheduled_for (result));
  g_assert_cmpfloat (osiiso_task_result_get_finished (result), >=, osiiso_task_result_get_started (result));
  g_assert_cmpfloat_with_epsilon (osiiso_task_result_get_duration (result),
                                  osiiso_task_result_get_finished (result) - osiiso_task_result_get_started (result),
                                  1e-6);

  g_object_get (result,
                "task-id", &task_id,
                "name", &name,
                "status", &status,
                "attempts", &attempts,
                "priority", &priority,
                "must-complete", &must_complete,
                "group-id", &group_id,
                "index", &index,
                "detached", &detached,
                "metadata", &metadata,
                "scheduled-for", &scheduled_for,
                "created", &created,
                "started", &started,
                "finished", &finished,
                "duration", &duration,
                NULL);
  g_assert_cmpuint (task_id, ==, osiiso_task_result_get_task_id (result));
  g_assert_cmpstr (name, ==, "fetch");
  g_assert_cmpint (status, ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (attempts, ==, 2);
  g_assert_cmpint (priority, ==, -2);
  g_assert_true (must_complete);
  g_assert_cmpstr (group_id, ==, "pages");
  g_assert_cmpuint (index, ==, 0);
  g_assert_false (detached);
  g_assert_true (metadata == osiiso_task_result_get_metadata (result));
  g_assert_cmpfloat (scheduled_for, ==, osiiso_task_result_get_scheduled_for (result));
  g_assert_cmpfloat (created, ==, osiiso_task_result_get_created (result));
  g_assert_cmpfloat (started, ==, osiiso_task_result_get_started (result));
  g_assert_cmpfloat (finished, ==, osiiso_task_result_get_finished (result));
  g_assert_cmpfloat (duration, ==, osiiso_task_result_get_duration (result));

  shut_down (queue);
}

static void
test_result_of_failure (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoHandle) handle = submit (queue, "bad", 3, NULL, fail, "no route");
  g_autoptr (OsiisoRunSummary) summary = run (queue);
  g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), 0);

  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_FAILED);
  g_assert_null (osiiso_task_result_get_value (result));
  assert_error_property (result, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE, "no route");
  g_assert_cmpuint (osiiso_task_result_get_attempts (result), ==, 1);
  g_assert_null (osiiso_task_result_get_group_id (result));
  g_assert_null (osiiso_task_result_get_metadata (result));
  g_assert_cmpfloat (osiiso_task_result_get_scheduled_for (result), ==, 0.0);
  g_assert_false (osiiso_task_result_get_must_complete (result));

  shut_down (queue);
}

static void
test_result_of_cancellation (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoHandle) victim = submit (queue, "victim", 9, NULL, succeed, NULL);
  g_autoptr (OsiisoTaskResult) result = NULL;

  g_assert_null (osiiso_handle_dup_result (victim));
  g_assert_true (osiiso_handle_cancel (victim));
  result = osiiso_handle_dup_result (victim);
  g_assert_nonnull (result);

  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_CANCELLED);
  g_assert_null (osiiso_task_result_get_value (result));
  assert_error_property (result, G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled before execution");
  g_assert_cmpuint (osiiso_task_result_get_attempts (result), ==, 0);
  g_assert_cmpfloat (osiiso_task_result_get_started (result), ==, 0.0);
  g_assert_cmpfloat (osiiso_task_result_get_finished (result), >=, osiiso_task_result_get_created (result));
  g_assert_cmpfloat (osiiso_task_result_get_duration (result), ==, 0.0);

  shut_down (queue);
}

static void
test_result_of_detached (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ();
  g_autoptr (OsiisoTaskOptions) options = new_options ("aside", 3, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (GError) error = NULL;

  osiiso_task_options_set_detached (options, TRUE);
  handle = osiiso_queue_submit (queue, succeed, GINT_TO_POINTER (7), NULL, options, &error);
  g_assert_no_error (error);
  summary = run (queue);

  assert_counts (summary, 0, 0, 0);
  assert_names (G_LIST_MODEL (summary), "");
  result = osiiso_handle_dup_result (handle);
  g_assert_true (osiiso_task_result_get_detached (result));
  g_assert_cmpint (g_value_get_int64 (osiiso_task_result_get_value (result)), ==, 7);

  shut_down (queue);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/run-summary/empty", test_empty);
  g_test_add_func ("/run-summary/not-from-a-queue", test_not_from_a_queue);
  g_test_add_func ("/run-summary/passed", test_passed);
  g_test_add_func ("/run-summary/mixed", test_mixed);
  g_test_add_func ("/run-summary/selections", test_selections);
  g_test_add_func ("/run-summary/lists", test_lists);
  g_test_add_func ("/run-summary/by-task-id", test_by_task_id);
  g_test_add_func ("/run-summary/only-cancelled", test_only_cancelled);
  g_test_add_func ("/run-summary/only-failed", test_only_failed);
  g_test_add_func ("/run-summary/timed-out", test_timed_out);
  g_test_add_func ("/run-summary/not-kept", test_not_kept);
  g_test_add_func ("/run-summary/outlives-the-queue", test_outlives_the_queue);
  g_test_add_func ("/run-summary/of-a-group", test_of_a_group);
  g_test_add_func ("/task-result/success", test_result_of_success);
  g_test_add_func ("/task-result/failure", test_result_of_failure);
  g_test_add_func ("/task-result/cancellation", test_result_of_cancellation);
  g_test_add_func ("/task-result/detached", test_result_of_detached);

  return g_test_run ();
}
