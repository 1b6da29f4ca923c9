/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* The text of a summary, letter by letter. */

static void
assert_text (OsiisoRunSummary *summary,
             const char       *expected)
{
  g_autofree char *text = osiiso_run_summary_to_string (summary);

  g_assert_cmpstr (text, ==, expected);
}

/* The text of a run of what is in @queue, which the clock takes @seconds for. A
 * task with a slot ends only then. */
static void
assert_text_of_run (OsiisoQueue    *queue,
                    OsiisoAttempt **slot,
                    double          seconds,
                    const char     *expected)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  if (slot != NULL)
    semantics_await (slot);
  semantics_advance (seconds);
  if (slot != NULL)
    semantics_succeed (slot);
  summary = semantics_run_finish (queue, &result);
  assert_text (summary, expected);
}

static void
submit_named (OsiisoQueue   *queue,
              const char    *name,
              int            retries,
              OsiisoTaskFunc func,
              gconstpointer  data)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", name, "retries", retries, NULL);

  test_submit_and_drop (queue, func, (gpointer) data, options);
}

static void
fail_with (OsiisoAttempt *attempt,
           gpointer       message)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, message);
}

static void
test_empty (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = test_run (queue);

  g_test_summary ("A run without tasks has passed, in no time");

  assert_text (summary,
               "----------------------------------------\n"
               "  Run Summary: PASSED\n"
               "----------------------------------------\n"
               "  Total tasks : 0\n"
               "  Succeeded   : 0\n"
               "  Failed      : 0\n"
               "  Cancelled   : 0\n"
               "  Duration    : 0.000s\n"
               "----------------------------------------\n");
  test_queue_free (queue);
}

static void
test_passed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoAttempt *slot = NULL;

  g_test_summary ("A run whose tasks all succeeded has passed; the duration has three decimals");

  osiiso_queue_set_workers (queue, 1);
  submit_named (queue, "quick", 0, test_task_none, NULL);
  submit_named (queue, "flaky", 3, semantics_task_second, NULL);
  submit_named (queue, "slow", 0, test_task_defer, &slot);
  assert_text_of_run (queue, &slot, 1234.5678,
                      "----------------------------------------\n"
                      "  Run Summary: PASSED\n"
                      "----------------------------------------\n"
                      "  Total tasks : 3\n"
                      "  Succeeded   : 3\n"
                      "  Failed      : 0\n"
                      "  Cancelled   : 0\n"
                      "  Duration    : 1234.568s\n"
                      "----------------------------------------\n");
  test_queue_free (queue);
}

static void
test_failures (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) given_up = test_options_new ("name", "given up", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *slot = NULL;

  g_test_summary ("Failures come with name, number of attempts if there were more than one, and message if there is one");

  osiiso_queue_set_workers (queue, 1);
  submit_named (queue, "download", 2, fail_with, "no route to host");
  submit_named (queue, "silent", 0, fail_with, "");
  submit_named (queue, "good", 0, test_task_none, NULL);
  submit_named (queue, "retried in silence", 1, fail_with, "");
  submit_named (queue, "upload", 0, fail_with, "permission denied");
  submit_named (queue, "slow", 0, test_task_defer, &slot);
  handle = test_submit (queue, test_task_none, NULL, given_up);
  g_assert_true (osiiso_handle_cancel (handle));
  /* Cancelled before the run, so that it is in the counts of the queue only. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  assert_text_of_run (queue, &slot, 0.25,
                      "----------------------------------------\n"
                      "  Run Summary: COMPLETED WITH ERRORS\n"
                      "----------------------------------------\n"
                      "  Total tasks : 7\n"
                      "  Succeeded   : 3\n"
                      "  Failed      : 4\n"
                      "  Cancelled   : 0\n"
                      "  Duration    : 0.250s\n"
                      "----------------------------------------\n"
                      "  Failures:\n"
                      "    - download (3 attempts)\n"
                      "      no route to host\n"
                      "    - silent\n"
                      "    - retried in silence (2 attempts)\n"
                      "    - upload\n"
                      "      permission denied\n"
                      "----------------------------------------\n");
  test_queue_free (queue);
}

static void
test_cancelled (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  OsiisoAttempt *slot = NULL;

  g_test_summary ("Cancelled tasks are errors that are counted and not listed");

  handle = test_submit (queue, test_task_defer, &slot, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await (&slot);
  semantics_advance (3);
  g_assert_true (osiiso_handle_cancel (handle));
  semantics_succeed (&slot);
  summary = semantics_run_finish (queue, &result);
  assert_text (summary,
               "----------------------------------------\n"
               "  Run Summary: COMPLETED WITH ERRORS\n"
               "----------------------------------------\n"
               "  Total tasks : 2\n"
               "  Succeeded   : 1\n"
               "  Failed      : 0\n"
               "  Cancelled   : 1\n"
               "  Duration    : 3.000s\n"
               "----------------------------------------\n");
  test_queue_free (queue);
}

static void
test_timed_out (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) limited = test_options_new ("name", "limited", "timeout", 0.5, "must-complete", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) endless = test_options_new ("name", "endless", NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  OsiisoAttempt *slots[2] = { NULL };

  g_test_summary ("A run that took too long says so before anything else, and lists failures like any other");

  osiiso_queue_set_timeout (queue, 2);
  test_submit_and_drop (queue, test_task_defer, &slots[0], limited);
  test_submit_and_drop (queue, test_task_defer, &slots[1], endless);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  semantics_await (&slots[0]);
  semantics_await (&slots[1]);
  semantics_advance (2);
  summary = semantics_run_finish (queue, &result);
  for (guint i = 0; i < 2; i++)
    semantics_succeed (&slots[i]);
  assert_text (summary,
               "----------------------------------------\n"
               "  Run Summary: TIMED OUT\n"
               "----------------------------------------\n"
               "  Total tasks : 2\n"
               "  Succeeded   : 0\n"
               "  Failed      : 1\n"
               "  Cancelled   : 1\n"
               "  Duration    : 2.000s\n"
               "----------------------------------------\n"
               "  Failures:\n"
               "    - limited\n"
               "      task 'limited' exceeded 0.5s timeout\n"
               "----------------------------------------\n");
  test_queue_free (queue);
}

static void
test_timed_out_only (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  OsiisoAttempt *slot = NULL;

  g_test_summary ("A run that took too long has not passed, though all of its tasks succeeded");

  osiiso_queue_set_timeout (queue, 1);
  test_submit_and_drop (queue, test_task_defer, &slot, must);
  assert_text_of_run (queue, &slot, 9.0625,
                      "----------------------------------------\n"
                      "  Run Summary: TIMED OUT\n"
                      "----------------------------------------\n"
                      "  Total tasks : 1\n"
                      "  Succeeded   : 1\n"
                      "  Failed      : 0\n"
                      "  Cancelled   : 0\n"
                      "  Duration    : 9.062s\n"
                      "----------------------------------------\n");
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/summary/empty", test_empty);
  test_add_for_backends ("/semantics/summary/passed", test_passed);
  test_add_for_backends ("/semantics/summary/failures", test_failures);
  test_add_for_backends ("/semantics/summary/cancelled", test_cancelled);
  test_add_for_backends ("/semantics/summary/timed-out", test_timed_out);
  test_add_for_backends ("/semantics/summary/timed-out-only", test_timed_out_only);

  return g_test_run ();
}
