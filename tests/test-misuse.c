/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* Bad input: errors for what a program may be given, criticals for what a
 * programmer may not write, and a queue that works on after each. */

/* The queue still runs a task, and nothing that was refused is in it. */
static void
assert_works (OsiisoQueue *queue)
{
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_int, GINT_TO_POINTER (1), NULL);
  g_autoptr (OsiisoRunSummary) summary = test_run (queue);

  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
}

#define assert_critical(expression, call)                                          \
  G_STMT_START                                                                     \
    {                                                                              \
      g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*" expression "*");  \
      call;                                                                        \
      g_test_assert_expected_messages ();                                          \
    }                                                                              \
  G_STMT_END

static void
test_options_values (gconstpointer backend)
{
  static const struct
  {
    const char *property;
    double      value;
    const char *shown;
  } cases[] = {
    { "timeout", -1, "-1" },
    { "timeout", NAN, "nan" },
    { "timeout", INFINITY, "inf" },
    { "retry-delay", -0.5, "-0.5" },
    { "backoff", 0, "0" },
    { "backoff", -2, "-2" },
    { "delay", -3, "-3" },
    { "delay", NAN, "nan" },
    { "jitter", 1.5, "1.5" },
    { "max-retry-delay", -1, "-1" },
    { "run-at", -1, "-1" },
  };
  OsiisoQueue *queue = test_queue_new (backend);
  int n_destroyed = 0;

  g_test_summary ("An option that makes no sense is refused with its name and value, and the data are released");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new (cases[i].property, cases[i].value, NULL);
      g_autoptr (GError) error = NULL;

      g_assert_null (osiiso_queue_submit (queue, test_task_none, &n_destroyed, test_count, options, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_nonnull (g_strrstr (error->message, cases[i].property));
      g_assert_nonnull (g_strrstr (error->message, cases[i].shown));
      g_clear_error (&error);
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, &n_destroyed, test_count, options, &error), ==, 0);
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_null (osiiso_queue_map (queue, 3, test_task_none, &n_destroyed, test_count, options, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
    }
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n_destroyed, ==, 3 * G_N_ELEMENTS (cases));
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_options_integers (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) retries = test_options_new ("retries", -1, NULL);
  g_autoptr (OsiisoTaskOptions) low = test_options_new ("priority", -129, NULL);
  g_autoptr (OsiisoTaskOptions) high = test_options_new ("priority", 128, NULL);
  g_autoptr (OsiisoTaskOptions) both = test_options_new ("delay", 1.0, "run-at", 1.0, NULL);
  OsiisoTaskOptions *all[] = { retries, low, high, both };

  g_test_summary ("Numbers out of range, and a delay together with a time, are refused");

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, all[i], &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
    }
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_queue_timeout (void)
{
  static const double values[] = { -1, NAN, INFINITY };
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

  g_test_summary ("A run with a timeout that makes no sense fails, and the tasks wait for the next one");

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GError) error = NULL;

      osiiso_queue_set_timeout (queue, values[i]);
      g_assert_null (osiiso_queue_run (queue, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
    }
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  osiiso_queue_set_timeout (queue, 0);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_queue_numbers (void)
{
  static const struct
  {
    const char *property;
    const char *named;
  } numbers[] = {
    { "timeout", "timeout of a queue" },
    { "rate", "rate of a queue" },
    { "shutdown-timeout", "timeout of a shutdown" },
  };
  static const struct
  {
    double      value;
    const char *shown;
  } values[] = { { NAN, "nan" }, { INFINITY, "inf" }, { -INFINITY, "-inf" }, { -2, "-2" } };

  g_test_summary ("A number of a queue that makes no sense gets in as a property, and is refused by name where it counts");

  for (guint i = 0; i < G_N_ELEMENTS (numbers) * G_N_ELEMENTS (values); i++)
    {
      const char *property = numbers[i % G_N_ELEMENTS (numbers)].property;
      const double value = values[i / G_N_ELEMENTS (numbers)].value;
      g_autoptr (OsiisoQueue) queue = test_queue_new ("thread-pool");
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
      g_autoptr (GError) error = NULL;
      double stored;

      g_object_set (queue, property, value, NULL);
      g_object_get (queue, property, &stored, NULL);
      g_assert_true (isnan (value) ? isnan (stored) : stored == value);
      if (g_str_equal (property, "shutdown-timeout"))
        g_assert_false (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
      else
        g_assert_null (osiiso_queue_run (queue, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_nonnull (g_strrstr (error->message, numbers[i % G_N_ELEMENTS (numbers)].named));
      g_assert_nonnull (g_strrstr (error->message, values[i / G_N_ELEMENTS (numbers)].shown));
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);

      g_object_set (queue, property, 0.0, NULL);
      test_run_all (queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      test_queue_free (g_steal_pointer (&queue));
    }
}

static void
test_enumerations (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  guint n_notified = 0;

  g_test_summary ("A value that an enumeration does not have is refused, and what was set stays");

  osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_set_on_timeout (queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_signal_connect_swapped (queue, "notify", G_CALLBACK (test_count), &n_notified);
  assert_critical ("osiiso_queue_set_mode: expected finite (0) or infinite (1); got 7",
                   osiiso_queue_set_mode (queue, (OsiisoMode) 7));
  assert_critical ("osiiso_queue_set_fail_policy: expected continue (0) or fail-first (1); got -1",
                   osiiso_queue_set_fail_policy (queue, (OsiisoFailPolicy) -1));
  assert_critical ("osiiso_queue_set_on_timeout: expected complete (0) or cancel (1); got 2",
                   osiiso_queue_set_on_timeout (queue, (OsiisoTimeoutPolicy) 2));
  g_test_expect_message ("GLib-GObject", G_LOG_LEVEL_WARNING, "*7*'mode'*");
  g_object_set (queue, "mode", 7, NULL);
  g_test_assert_expected_messages ();
  g_assert_cmpint (osiiso_queue_get_mode (queue), ==, OSIISO_MODE_INFINITE);
  g_assert_cmpint (osiiso_queue_get_fail_policy (queue), ==, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_assert_cmpint (osiiso_queue_get_on_timeout (queue), ==, OSIISO_TIMEOUT_POLICY_CANCEL);
  g_assert_cmpuint (n_notified, ==, 0);

  osiiso_queue_set_mode (queue, OSIISO_MODE_FINITE);
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_unknown_backend (void)
{
  g_autoptr (OsiisoQueue) queue = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue on a backend that does not exist is not made, and one made by property says so when used");

  g_assert_null (osiiso_queue_new ("no-such-thing", &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_assert_nonnull (g_strrstr (error->message, "no-such-thing"));
  g_clear_error (&error);
  g_assert_null (osiiso_queue_new ("../evil", &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);

  queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", "no-such-thing", NULL);
  g_assert_null (osiiso_queue_get_backend (queue));
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);
}

static void
test_shared_backend (void)
{
  OsiisoQueue *first = test_queue_new ("thread-pool");
  g_autoptr (OsiisoQueue) second = NULL;
  g_autoptr (OsiisoBackend) backend = g_object_ref (osiiso_queue_get_backend (first));
  OsiisoQueue *third;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A backend has one queue at a time");

  second = osiiso_queue_new_with_backend (backend);
  g_assert_false (osiiso_queue_start (second, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  assert_works (first);
  test_queue_free (first);

  third = osiiso_queue_new_with_backend (backend);
  assert_works (third);
  test_queue_free (third);
}

static void
test_criticals (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("What a programmer may not write is a critical, and the queue works on");

  assert_critical ("func != NULL", osiiso_queue_push (queue, NULL, NULL, NULL, NULL, NULL));
  assert_critical ("func != NULL", g_assert_null (osiiso_queue_submit (queue, NULL, NULL, NULL, NULL, NULL)));
  assert_critical ("func != NULL", g_assert_null (osiiso_queue_map (queue, 1, NULL, NULL, NULL, NULL, NULL)));
  assert_critical ("func != NULL", g_assert_null (osiiso_group_submit (group, NULL, NULL, NULL, NULL, NULL)));
  assert_critical ("OSIISO_IS_TASK_OPTIONS",
                   osiiso_queue_push (queue, test_task_none, NULL, NULL, (OsiisoTaskOptions *) object, NULL));
  assert_critical ("OSIISO_IS_QUEUE", osiiso_queue_push ((OsiisoQueue *) object, test_task_none, NULL, NULL, NULL, NULL));
  assert_critical ("OSIISO_IS_QUEUE", osiiso_queue_push (NULL, test_task_none, NULL, NULL, NULL, NULL));
  assert_critical ("OSIISO_IS_QUEUE", g_assert_null (osiiso_queue_run (NULL, NULL, NULL)));
  assert_critical ("G_IS_CANCELLABLE", g_assert_null (osiiso_queue_run (queue, (GCancellable *) object, NULL)));
  assert_critical ("workers <= 65536", osiiso_queue_set_workers (queue, G_MAXUINT));
  assert_critical ("OSIISO_IS_BACKEND", g_assert_null (osiiso_queue_new_with_backend (NULL)));

  handle = test_submit (queue, test_task_none, NULL, NULL);
  assert_critical ("OSIISO_PRIORITY_MAX", osiiso_handle_set_priority (handle, 1000));
  assert_critical ("osiiso_handle_is_whole", osiiso_handle_cancel (NULL));
  test_run_all (queue);
  assert_works (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
report_nonsense (OsiisoAttempt *attempt,
                 gpointer       unused)
{
  GValue unset = G_VALUE_INIT;

  assert_critical ("G_IS_VALUE", osiiso_attempt_return_value (attempt, &unset));
  assert_critical ("error != NULL", osiiso_attempt_return_error (attempt, NULL));
  assert_critical ("G_IS_OBJECT", osiiso_attempt_return_object (attempt, NULL));
  osiiso_attempt_return_string (attempt, NULL);
}

static void
test_attempt_criticals (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, report_nonsense, NULL, NULL);

  g_test_summary ("A report that is none leaves the attempt open");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_null (g_value_get_string (osiiso_handle_get_value (handle)));
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/misuse/options-values", test_options_values);
  g_test_add_func ("/misuse/options-integers", test_options_integers);
  g_test_add_func ("/misuse/queue-timeout", test_queue_timeout);
  g_test_add_func ("/misuse/queue-numbers", test_queue_numbers);
  g_test_add_func ("/misuse/enumerations", test_enumerations);
  g_test_add_func ("/misuse/unknown-backend", test_unknown_backend);
  g_test_add_func ("/misuse/shared-backend", test_shared_backend);
  test_add_for_backends ("/misuse/criticals", test_criticals);
  g_test_add_func ("/misuse/attempt-criticals", test_attempt_criticals);

  return g_test_run ();
}
