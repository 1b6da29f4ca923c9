/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-holder.h"

/* What a failed task has to say besides its error. */

static GError *
new_error (void)
{
  return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
}

static void
fail_with_text (OsiisoAttempt *attempt,
                gpointer       text)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_string (&value, text);
  osiiso_attempt_return_error_details (attempt, new_error (), &value);
}

static void
fail_without (OsiisoAttempt *attempt,
              gpointer       unused)
{
  osiiso_attempt_return_error_details (attempt, new_error (), NULL);
}

static void
test_found (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, fail_with_text, (gpointer) "details", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (OsiisoTaskResult) listed = NULL;
  g_autoptr (GError) error = NULL;
  GValue *copy;

  g_test_summary ("The details are with the handle and the result, and are not the value");

  g_assert_null (osiiso_handle_get_error_details (handle));
  g_assert_null (osiiso_handle_dup_error_details (handle));
  summary = test_run (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_null (osiiso_handle_get_value (handle));
  g_assert_null (osiiso_handle_dup_value (handle));
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_error_details (handle)), ==, "details");

  result = osiiso_handle_dup_result (handle);
  listed = g_list_model_get_item (G_LIST_MODEL (summary), 0);
  g_assert_null (osiiso_task_result_get_value (result));
  g_assert_cmpstr (g_value_get_string (osiiso_task_result_get_error_details (result)), ==, "details");
  g_assert_cmpstr (g_value_get_string (osiiso_task_result_get_error_details (listed)), ==, "details");

  copy = osiiso_task_result_dup_error_details (result);
  g_clear_object (&result);
  g_clear_object (&listed);
  g_clear_object (&summary);
  g_clear_object (&handle);
  test_queue_free (queue);
  g_assert_cmpstr (g_value_get_string (copy), ==, "details");
  g_boxed_free (G_TYPE_VALUE, copy);
}

static void
test_none (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) without = test_submit (queue, fail_without, NULL, NULL);
  g_autoptr (OsiisoHandle) plain = test_submit (queue, test_task_fail, NULL, NULL);
  g_autoptr (OsiisoHandle) good = test_submit (queue, test_task_int, GINT_TO_POINTER (5), NULL);
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (OsiisoTaskResult) made = g_object_new (OSIISO_TYPE_TASK_RESULT, NULL);

  g_test_summary ("A task without has none, whatever its value is");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (without), ==, OSIISO_STATUS_FAILED);
  g_assert_null (osiiso_handle_get_error_details (without));
  g_assert_null (osiiso_handle_dup_error_details (plain));
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (good)), ==, 5);
  g_assert_null (osiiso_handle_get_error_details (good));
  result = osiiso_handle_dup_result (good);
  g_assert_null (osiiso_task_result_get_error_details (result));
  g_assert_null (osiiso_task_result_dup_error_details (made));
  test_queue_free (queue);
}

/* An object that knows the thread which it goes in. */
typedef struct
{
  GThread *expected;
  int      n_gone;
  int      n_elsewhere;
} Gone;

static void
gone_cb (gpointer data,
         GObject *where_it_was)
{
  Gone *gone = data;

  if (g_thread_self () != gone->expected)
    g_atomic_int_inc (&gone->n_elsewhere);
  g_atomic_int_inc (&gone->n_gone);
}

static void
fail_with_object (OsiisoAttempt *attempt,
                  gpointer       gone)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_OBJECT);
  g_value_take_object (&value, g_object_new (G_TYPE_OBJECT, NULL));
  g_object_weak_ref (g_value_get_object (&value), gone_cb, gone);
  osiiso_attempt_return_error_details (attempt, new_error (), &value);
}

static void
test_retries (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Gone gone = { g_thread_self (), 0, 0 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 3, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, fail_with_object, &gone, options);

  g_test_summary ("Only the details of the last attempt are kept, and all go where the queue lives");

  test_run_all (queue);
  /* What a worker lets go of may be on its way still. */
  while (g_atomic_int_get (&gone.n_gone) < 3)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (g_atomic_int_get (&gone.n_gone), ==, 3);
  g_assert_true (G_VALUE_HOLDS_OBJECT (osiiso_handle_get_error_details (handle)));
  g_clear_object (&handle);
  osiiso_queue_clear_results (queue);
  test_queue_free (queue);
  /* The thread that ran it may have been the last to know of it. */
  while (g_atomic_int_get (&gone.n_gone) < 4)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (gone.n_elsewhere, ==, 0);
}

static void
refuse (OsiisoAttempt *attempt,
        gpointer       waits)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_static_string (&value, "refused");
  osiiso_attempt_return_error_full (attempt, new_error (), &value,
                                    ((const double *) waits)[osiiso_attempt_get_number (attempt) - 1]);
}

static void
test_retry_after (gconstpointer backend)
{
  static const double waits[] = { 0, 0, INFINITY };
  OsiisoQueue *queue = test_queue_new (backend);
  /* Which nobody would wait for. */
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, "retry-delay", 3600.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, refuse, (gpointer) waits, options);

  g_test_summary ("A failure with details says when there may be another attempt, or that there is to be none");

  test_run_all (queue);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 3);
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_error_details (handle)), ==, "refused");
  test_queue_free (queue);
}

static gpointer
report_in_thread (gpointer attempt)
{
  fail_with_text (attempt, (gpointer) "late");
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
test_late (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_holder_take (queue);
  g_autoptr (GError) error = NULL;

  g_test_summary ("Details that come too late are dropped with their error");

  g_assert_true (osiiso_handle_cancel (handle));
  g_thread_join (g_thread_new (NULL, report_in_thread, attempt));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (osiiso_handle_get_error_details (handle));
  test_queue_free (queue);
}

static void
test_deadline (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  OsiisoAttempt *attempt = test_holder_take (queue);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task that ran out of time has the queue's error, which has no details");

  hooks->clock_advance (2 * G_USEC_PER_SEC);
  test_await_status (handle, OSIISO_STATUS_FAILED);
  fail_with_text (attempt, (gpointer) "late");
  osiiso_attempt_unref (attempt);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_null (osiiso_handle_get_error_details (handle));
  test_queue_free (queue);
}

static void
test_overdue (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  Gone gone = { g_thread_self (), 0, 0 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "deadline", 10.0, "retry-delay", 20.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  OsiisoAttempt *attempt = test_holder_take (queue);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task whose deadline comes between two attempts has no details of the first");

  fail_with_object (attempt, &gone);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  hooks->clock_advance (11 * G_USEC_PER_SEC);
  test_await_status (handle, OSIISO_STATUS_FAILED);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_null (osiiso_handle_get_error_details (handle));
  test_queue_free (queue);
  g_assert_cmpint (gone.n_gone, ==, 1);
  g_assert_cmpint (gone.n_elsewhere, ==, 0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/error-details/found", test_found);
  test_add_for_backends ("/error-details/none", test_none);
  test_add_for_backends ("/error-details/retries", test_retries);
  test_add_for_backends ("/error-details/retry-after", test_retry_after);
  g_test_add_func ("/error-details/late", test_late);
  g_test_add_func ("/error-details/timeout", test_deadline);
  g_test_add_func ("/error-details/overdue", test_overdue);

  return g_test_run ();
}
