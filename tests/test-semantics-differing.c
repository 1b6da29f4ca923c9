/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

static void
test_retrying_text (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 10.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, options);

  g_test_summary ("A task that is cancelled between two attempts has run, so its message is \"cancelled\"");

  semantics_await_retrying (queue, handle);
  g_assert_true (osiiso_handle_cancel (handle));
  semantics_assert_ended (handle, OSIISO_STATUS_CANCELLED, 1, "cancelled");
  test_queue_free (queue);
}

static void
fail_and_cancel (OsiisoAttempt *attempt,
                 gpointer       handle)
{
  test_task_fail (attempt, NULL);
  g_assert_true (osiiso_handle_cancel (*(OsiisoHandle **) handle));
}

static void
test_reported_failure (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoHandle *handle = NULL;

  g_test_summary ("A report that came before the cancellation counts, also one of an error");

  handle = test_submit (queue, fail_and_cancel, &handle, NULL);
  test_run_all (queue);
  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, "attempt 1 failed");
  g_object_unref (handle);
  test_queue_free (queue);
}

static gpointer
fail_thread (gpointer attempt)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "first");
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
test_fail_first_at_once (gconstpointer backend)
{
  guint n_run = 0;

  g_test_summary ("With one worker nothing begins after the first failure, also when another thread reports it");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = semantics_queue_new (backend, 1);
      OsiisoAttempt *slot = NULL;
      g_autoptr (OsiisoHandle) next = NULL;
      GThread *thread;

      osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
      test_submit_and_drop (queue, test_task_defer, &slot, NULL);
      semantics_await (&slot);
      next = test_submit (queue, test_task_none, NULL, NULL);
      thread = g_thread_new ("fail", fail_thread, semantics_take (&slot));
      while (!osiiso_handle_is_done (next))
        g_main_context_iteration (NULL, FALSE);
      g_thread_join (thread);
      n_run += osiiso_handle_get_attempts (next);
      test_queue_free (queue);
    }
  g_assert_cmpuint (n_run, ==, 0);
}

static void
test_closed_when_run_ends (gconstpointer backend)
{
  g_test_summary ("An infinite run ends when the forced shutdown is over, not before");

  for (int round = 0; round < 50; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (GAsyncResult) run = NULL;

      osiiso_queue_set_mode (queue, OSIISO_MODE_INFINITE);
      osiiso_queue_run_async (queue, NULL, semantics_store_result, &run);
      semantics_settle ();
      osiiso_queue_cancel (queue);
      g_object_unref (semantics_run_finish (queue, &run));
      g_assert_true (osiiso_queue_get_closed (queue));
      test_queue_free (queue);
    }
}

static void
set_told (int *told)
{
  *told = 1;
}

static void
test_join_keeps_halt (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 2);
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);
  OsiisoAttempt *slots[2] = { NULL };
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  int told = 0;

  g_test_summary ("To wait for a queue that a failure halted does not open it again");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  test_submit_and_drop (queue, test_task_defer, &slots[0], must);
  semantics_await (&slots[0]);
  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (set_told), &told);
  test_submit_and_drop (queue, test_task_fail, NULL, NULL);
  test_iterate_until (&told);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  g_clear_error (&error);
  osiiso_queue_join_async (queue, NULL, semantics_store_result, &result);
  handle = osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  semantics_succeed (&slots[0]);
  semantics_await_result (&result);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
test_group_cancel (gconstpointer backend)
{
  guint n_run = 0;

  g_test_summary ("When a group is cancelled, none of its waiting members takes the place of a running one");

  for (int round = 0; round < 100; round++)
    {
      OsiisoQueue *queue = semantics_queue_new (backend, 1);
      OsiisoAttempt *slot = NULL;
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      g_autoptr (OsiisoHandle) last = NULL;

      g_object_unref (osiiso_group_submit (group, test_task_defer, &slot, NULL, NULL, NULL));
      semantics_await (&slot);
      for (int i = 0; i < 50; i++)
        g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL));
      osiiso_group_cancel (group);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      for (guint i = 1; i <= 50; i++)
        {
          g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

          n_run += osiiso_handle_get_attempts (handle);
        }
      semantics_succeed (&slot);
      test_queue_free (queue);
    }
  g_assert_cmpuint (n_run, ==, 0);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/differing/retrying-text", test_retrying_text);
  test_add_for_backends ("/semantics/differing/reported-failure", test_reported_failure);
  test_add_for_backends ("/semantics/differing/fail-first-at-once", test_fail_first_at_once);
  test_add_for_backends ("/semantics/differing/closed-when-run-ends", test_closed_when_run_ends);
  test_add_for_backends ("/semantics/differing/join-keeps-halt", test_join_keeps_halt);
  test_add_for_backends ("/semantics/differing/group-cancel", test_group_cancel);

  return g_test_run ();
}
