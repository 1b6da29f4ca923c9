/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

static const OsiisoTestHooks *hooks;

void
semantics_init (int    *argc,
                char ***argv)
{
  g_test_init (argc, argv, NULL);
  hooks = test_manual_clock ();
}

double
semantics_now (void)
{
  return (double) hooks->clock_now () / G_USEC_PER_SEC;
}

void
semantics_advance (double seconds)
{
  hooks->clock_advance ((gint64) (seconds * G_USEC_PER_SEC + 0.5));
}

void
semantics_settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

void
semantics_turn (void)
{
  /* A worker may have set a timer just after the clock passed it. */
  semantics_advance (0);
  if (!g_main_context_iteration (NULL, FALSE))
    g_thread_yield ();
}

OsiisoQueue *
semantics_queue_new (const char *backend,
                     guint       workers)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;

  osiiso_queue_set_workers (queue, workers);
  osiiso_queue_start (queue, &error);
  g_assert_no_error (error);
  return queue;
}

void
semantics_await (OsiisoAttempt **slot)
{
  while (g_atomic_pointer_get (slot) == NULL)
    semantics_turn ();
}

OsiisoAttempt *
semantics_take (OsiisoAttempt **slot)
{
  semantics_await (slot);
  return g_steal_pointer (slot);
}

void
semantics_succeed (OsiisoAttempt **slot)
{
  OsiisoAttempt *attempt = semantics_take (slot);

  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

void
semantics_fail (OsiisoAttempt **slot,
                const char     *message)
{
  OsiisoAttempt *attempt = semantics_take (slot);

  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, message);
  osiiso_attempt_unref (attempt);
}

void
semantics_task_log (OsiisoAttempt *attempt,
                    gpointer       log)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  test_log_add (log, "%s", name);
}

void
semantics_task_second (OsiisoAttempt *attempt,
                       gpointer       unused)
{
  if (osiiso_attempt_get_number (attempt) == 1)
    osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "not yet");
}

void
semantics_await_status (OsiisoHandle *handle,
                        OsiisoStatus  status)
{
  while (osiiso_handle_get_status (handle) != status)
    semantics_turn ();
}

void
semantics_await_retrying (OsiisoQueue  *queue,
                          OsiisoHandle *handle)
{
  semantics_await_status (handle, OSIISO_STATUS_RETRYING);
  /* Status and timer are set in one step, which is over when the lock that this
   * call takes is free. */
  osiiso_queue_get_paused (queue);
}

void
semantics_assert_ended (OsiisoHandle *handle,
                        OsiisoStatus  status,
                        guint         attempts,
                        const char   *message)
{
  g_autoptr (OsiisoTaskResult) result = NULL;

  semantics_await_status (handle, status);
  g_assert_true (osiiso_handle_is_done (handle));
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, attempts);
  result = osiiso_handle_dup_result (handle);
  g_assert_cmpint (osiiso_task_result_get_status (result), ==, status);
  g_assert_cmpuint (osiiso_task_result_get_attempts (result), ==, attempts);
  g_assert_cmpstr (osiiso_task_result_get_message (result), ==, message);
}

void
semantics_assert_log (TestLog    *log,
                      const char *expected)
{
  g_autofree char *text = test_log_steal (log);

  g_assert_cmpstr (text, ==, expected);
}

void
semantics_assert_names (GListModel *results,
                        const char *expected)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < g_list_model_get_n_items (results); i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (results, i);

      g_string_append_printf (names, "%s%s", i > 0 ? " " : "", osiiso_task_result_get_name (result));
    }
  g_assert_cmpstr (names->str, ==, expected);
}

void
semantics_await_result (GAsyncResult **result)
{
  while (*result == NULL)
    semantics_turn ();
}

OsiisoRunSummary *
semantics_run_finish (OsiisoQueue   *queue,
                      GAsyncResult **result)
{
  g_autoptr (GError) error = NULL;
  OsiisoRunSummary *summary;

  semantics_await_result (result);
  summary = osiiso_queue_run_finish (queue, *result, &error);
  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_RUN_SUMMARY (summary));
  g_clear_object (result);
  return summary;
}

void
semantics_shutdown_finish (OsiisoQueue   *queue,
                           GAsyncResult **result)
{
  g_autoptr (GError) error = NULL;
  gboolean closed;

  semantics_await_result (result);
  closed = osiiso_queue_shutdown_finish (queue, *result, &error);
  g_assert_no_error (error);
  g_assert_true (closed);
  g_clear_object (result);
}
