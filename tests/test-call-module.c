/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include <glib/gstdio.h>

#include "test-utils.h"

/* Calls that run in this process. */

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT GVariant *test_of_program (OsiisoAttempt *attempt,
                                  GVariant      *args,
                                  GError       **error);

/* A call to the program itself finds this one. */
GVariant *
test_of_program (OsiisoAttempt *attempt,
                 GVariant      *args,
                 GError       **error)
{
  return g_variant_new_string ("program");
}

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        const char        *function,
        GVariant          *args,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, options, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_HANDLE (handle));
  return handle;
}

/* Runs one call; its value as text, or its error. */
static char *
call (const char *backend,
      const char *function,
      GVariant   *args,
      GError    **error)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit (queue, function, args, NULL);
  const GValue *value;
  char *text = NULL;
  GError *why;

  test_run_all (queue);
  why = osiiso_handle_dup_error (handle);
  value = osiiso_handle_get_value (handle);
  if (why != NULL)
    {
      g_assert_null (value);
      g_propagate_error (error, why);
    }
  else if (value == NULL)
    text = g_strdup ("none");
  else if (G_VALUE_HOLDS_VARIANT (value))
    {
      g_assert_false (g_variant_is_floating (g_value_get_variant (value)));
      text = g_variant_print (g_value_get_variant (value), FALSE);
    }
  else
    text = g_strdup (G_VALUE_TYPE_NAME (value));
  test_queue_free (queue);
  return text;
}

static void
assert_call (const char *backend,
             const char *function,
             GVariant   *args,
             const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = call (backend, function, args, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_values (gconstpointer backend)
{
  GVariant *one = g_variant_new_string ("one");

  g_test_summary ("A call has the value that its function returned, floating or not, or none");

  assert_call (backend, "test-calls:test_add", g_variant_new ("(ii)", 3, 4), "7");
  assert_call (backend, "test-calls:test_echo", g_variant_new_string ("text"), "'text'");
  assert_call (backend, "test-calls:test_echo", NULL, "none");
  assert_call (backend, "test-calls:test_child", g_variant_new_tuple (&one, 1), "'one'");
  assert_call (backend, "test-calls:test_none", NULL, "none");
}

/* Threads may be on the way out of what they ran last. */
static void
await_released (const char *backend)
{
  g_autofree char *text = NULL;

  do
    {
      g_free (text);
      text = call (backend, "test-calls:test_counted", g_variant_new_int32 (3), NULL);
    }
  while (g_strcmp0 (text, "0") != 0);
}

static void
test_errors (gconstpointer backend)
{
  g_autoptr (GError) error = NULL;

  g_test_summary ("A call fails with the error of its function, whatever it returned besides");

  g_assert_null (call (backend, "test-calls:test_fail", NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpstr (error->message, ==, "attempt 1 failed");
  g_clear_error (&error);
  g_assert_null (call (backend, "test-calls:test_counted", g_variant_new_int32 (2), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  await_released (backend);
}

static void
test_retries (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 4, NULL);
  g_autoptr (OsiisoHandle) handle = submit (queue, "test-calls:test_fail_until", g_variant_new_int32 (3), options);

  g_test_summary ("A call is retried like any task, with the same arguments");

  test_run_all (queue);
  g_assert_cmpint (g_variant_get_int32 (g_value_get_variant (osiiso_handle_get_value (handle))), ==, 3);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 3);
  test_queue_free (queue);
}

static void
test_progress (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = submit (queue, "test-calls:test_progress", NULL, NULL);
  g_autofree char *text = NULL;

  g_test_summary ("A call tells its progress");

  test_run_all (queue);
  text = osiiso_handle_dup_status_text (handle);
  g_assert_cmpstr (text, ==, "a quarter");
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0.25);
  test_queue_free (queue);
}

static void
test_cancel (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = submit (queue, "test-calls:test_wait", NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A call sees that it was cancelled");

  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (handle, OSIISO_STATUS_RUNNING);
  g_assert_true (osiiso_handle_cancel (handle));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  /* Ends only when the function has returned. */
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_rules (gconstpointer backend)
{
  g_autoptr (GError) error = NULL;

  g_test_summary ("A call that defers fails; of one that reports by itself the report counts");

  g_assert_null (call (backend, "test-calls:test_defer", NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_cmpstr (error->message, ==, "test-calls:test_defer deferred its attempt; a call has to return its value");
  assert_call (backend, "test-calls:test_report", g_variant_new_boolean (FALSE), "gchararray");
  assert_call (backend, "test-calls:test_report", g_variant_new_boolean (TRUE), "gchararray");
}

static void
test_describe (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) first = osiiso_group_submit_call (group, "test-calls:test_describe", NULL, NULL, NULL);
  g_autoptr (OsiisoHandle) second = osiiso_group_submit_call (group, "test-calls:test_describe", NULL, NULL, NULL);
  g_autofree char *text = NULL;

  g_test_summary ("A call in a group knows its place, and what it was called as");

  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 2);
  test_run_all (queue);
  text = g_variant_print (g_value_get_variant (osiiso_handle_get_value (second)), FALSE);
  g_assert_cmpstr (text, ==, "('test-calls:test_describe', 1, 1, 'test-calls:test_describe')");
  test_queue_free (queue);
}

static void
test_lookup (gconstpointer backend)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "modules", "test-calls.so:test_none", NULL);

  g_test_summary ("A module is a path, a name with or without prefix and suffix, or the program");

  assert_call (backend, path, NULL, "none");
  assert_call (backend, "test-calls.so:test_none", NULL, "none");
  assert_call (backend, "test-prefixed:test_prefixed", NULL, "'prefixed'");
  assert_call (backend, "libtest-prefixed:test_prefixed", NULL, "'prefixed'");
  assert_call (backend, ":test_of_program", NULL, "'program'");
}

static void
test_stays_loaded (gconstpointer backend)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *first = call (backend, "test-calls:test_count_up", NULL, &error);
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "modules", "test-calls.so:test_count_up", NULL);
  g_autofree char *expected = NULL;

  g_test_summary ("A module is loaded once and keeps what it knows");

  g_assert_no_error (error);
  expected = g_strdup_printf ("%d", atoi (first) + 1);
  assert_call (backend, path, NULL, expected);
}

static void
assert_not_found (const char *function,
                  const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (call ("main-loop", function, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, message));
}

static void
test_not_found (void)
{
  g_autofree char *folder = g_test_build_filename (G_TEST_BUILT, "modules", NULL);
  g_autofree char *tried = g_strdup_printf ("there is no module 'absent': tried %s/absent.so, %s/libabsent.so, /",
                                            folder, folder);
  g_autofree char *symbol = g_strdup_printf ("there is no function 'absent' in %s/test-calls.so", folder);

  g_test_summary ("What is not there fails the task, and the error says where it was looked for");

  assert_not_found ("absent:f", tried);
  assert_not_found ("absent:f", "/osiiso-1/modules/libabsent.so");
  assert_not_found ("absent.so:f", "/osiiso-1/modules/absent.so");
  assert_not_found ("/nonexistent/m.so:f", "there is no module '/nonexistent/m.so': tried /nonexistent/m.so");
  assert_not_found ("test-calls:absent", symbol);
  assert_not_found (":absent", "there is no function 'absent' in the program");
  /* A folder is no module. */
  assert_not_found ("/tmp:f", "there is no module '/tmp'");
}

static void
test_unusable (void)
{
  g_autoptr (GError) error = NULL;

  g_test_summary ("A file that cannot be loaded is an error of its own");

  g_assert_null (call ("thread-pool", "test-text:f", NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "modules/test-text.so cannot be used: "));
  g_clear_error (&error);
  g_assert_null (call ("thread-pool", "test-unresolved:test_unresolved", NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "osiiso_test_nowhere"));
}

static void
test_relative_folders (void)
{
  g_autofree char *path = g_strdup (g_getenv ("OSIISO_MODULE_PATH"));
  g_autofree char *here = g_get_current_dir ();
  g_autofree char *folder = g_test_build_filename (G_TEST_BUILT, "modules", NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("Folders that are not absolute count for nothing");

  g_assert_cmpint (g_chdir (folder), ==, 0);
  g_setenv ("OSIISO_MODULE_PATH", ":.::./:", TRUE);
  g_assert_null (call ("main-loop", "test-calls:test_only_here", NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_assert_true (g_str_has_prefix (error->message, "there is no module 'test-calls': tried /"));
  g_assert_true (g_str_has_suffix (error->message,
                                   "; not tried, because OSIISO_MODULE_PATH has to have absolute paths: '.', './'"));
  g_setenv ("OSIISO_MODULE_PATH", path, TRUE);
  g_assert_cmpint (g_chdir (here), ==, 0);
}

static void
test_many (gconstpointer backend)
{
  const guint n = 5000;
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("Thousands of calls each have their value");

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (handles, submit (queue, "test-calls:test_add", g_variant_new ("(ii)", i, 2 * i), NULL));
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, n);
  for (guint i = 0; i < n; i++)
    {
      const GValue *value = osiiso_handle_get_value (g_ptr_array_index (handles, i));

      g_assert_cmpint (g_variant_get_int32 (g_value_get_variant (value)), ==, 3 * i);
    }
  test_queue_free (queue);
}

static void
test_released (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("Values are released once, floating or not, with or without anybody who reads them");

  g_object_set (queue, "keep-results", FALSE, NULL);
  for (guint i = 0; i < 3000; i++)
    {
      g_autoptr (OsiisoCall) counted = osiiso_call_new ("test-calls:test_counted", g_variant_new_int32 (i % 3));

      if (i % 2 == 0)
        g_object_unref (osiiso_queue_submit_call_full (queue, counted, NULL, NULL));
      else
        g_assert_cmpuint (osiiso_queue_push_call (queue, counted, NULL, NULL), !=, 0);
    }
  test_run_all (queue);
  osiiso_queue_clear_results (queue);
  test_queue_free (queue);
  await_released (backend);
}

static void
test_pushed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoCall) good = osiiso_call_new ("test-calls:test_none", NULL);
  g_autoptr (OsiisoCall) bad = osiiso_call_new ("test-calls:test_fail", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;

  g_test_summary ("A pushed call has a result only when it failed, under its name");

  g_assert_cmpuint (osiiso_queue_push_call (queue, good, NULL, NULL), !=, 0);
  g_assert_cmpuint (osiiso_queue_push_call (queue, bad, NULL, NULL), !=, 0);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 1);
  result = g_list_model_get_item (G_LIST_MODEL (summary), 0);
  g_assert_cmpstr (osiiso_task_result_get_name (result), ==, "test-calls:test_fail");
  test_queue_free (queue);
}

static gpointer
submit_many (gpointer queue)
{
  for (guint i = 0; i < 500; i++)
    g_object_unref (submit (queue, i % 2 == 0 ? "test-calls:test_echo" : "test-prefixed:test_prefixed", NULL, NULL));
  return NULL;
}

static void
test_threads (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  GThread *threads[4];

  g_test_summary ("Calls are submitted and found by many threads at once");

  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new (NULL, submit_many, queue);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  summary = osiiso_queue_dup_summary (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2000);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* First, when nothing has been loaded from elsewhere. */
  g_test_add_func ("/call-module/relative-folders", test_relative_folders);
  test_add_for_backends ("/call-module/values", test_values);
  test_add_for_backends ("/call-module/errors", test_errors);
  test_add_for_backends ("/call-module/retries", test_retries);
  test_add_for_backends ("/call-module/progress", test_progress);
  g_test_add_func ("/call-module/cancel", test_cancel);
  test_add_for_backends ("/call-module/rules", test_rules);
  test_add_for_backends ("/call-module/describe", test_describe);
  test_add_for_backends ("/call-module/lookup", test_lookup);
  test_add_for_backends ("/call-module/stays-loaded", test_stays_loaded);
  g_test_add_func ("/call-module/not-found", test_not_found);
  g_test_add_func ("/call-module/unusable", test_unusable);
  test_add_for_backends ("/call-module/many", test_many);
  test_add_for_backends ("/call-module/released", test_released);
  test_add_for_backends ("/call-module/pushed", test_pushed);
  g_test_add_func ("/call-module/threads", test_threads);

  return g_test_run ();
}
