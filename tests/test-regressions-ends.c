/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "test-regressions.h"

/* Tasks that ended in no way, or in the wrong one. */

/* Item 4: a function that leaves in a way that nobody reckoned with. */

static void
drop_deferred (OsiisoAttempt *attempt,
               gpointer       unused)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
}

static gpointer
unref_attempt (gpointer attempt)
{
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
drop_elsewhere (OsiisoAttempt *attempt,
                gpointer       unused)
{
  g_thread_unref (g_thread_new ("drop", unref_attempt, osiiso_attempt_defer (attempt)));
}

static void
fail_without_text (OsiisoAttempt *attempt,
                   gpointer       unused)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "");
}

/* As an exception of cancellation would in the model. */
static void
fail_as_cancelled (OsiisoAttempt *attempt,
                   gpointer       unused)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_CANCELLED, "not by you");
}

static void
fail_as_timed_out (OsiisoAttempt *attempt,
                   gpointer       unused)
{
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "some socket");
}

static void
fail_then_succeed (OsiisoAttempt *attempt,
                   gpointer       unused)
{
  fail_without_text (attempt, NULL);
  osiiso_attempt_return_int (attempt, 1);
  osiiso_attempt_return_none (attempt);
}

static void
test_04_odd_ends (gconstpointer backend)
{
  static const struct
  {
    OsiisoTaskFunc func;
    GQuark       (*domain) (void);
    int            code;
  } cases[] = {
    { drop_deferred, osiiso_queue_error_quark, OSIISO_QUEUE_ERROR_ABANDONED },
    { drop_elsewhere, osiiso_queue_error_quark, OSIISO_QUEUE_ERROR_ABANDONED },
    { fail_without_text, g_io_error_quark, G_IO_ERROR_BUSY },
    { fail_as_cancelled, g_io_error_quark, G_IO_ERROR_CANCELLED },
    { fail_as_timed_out, g_io_error_quark, G_IO_ERROR_TIMED_OUT },
    { fail_then_succeed, g_io_error_quark, G_IO_ERROR_BUSY },
  };
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("However a function ends, its task fails with an error, the run ends, and the only worker goes on");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
      g_autoptr (OsiisoHandle) odd = test_submit (queue, cases[i].func, NULL, options);
      g_autoptr (OsiisoHandle) next = test_submit (queue, test_task_none, NULL, NULL);
      g_autoptr (OsiisoRunSummary) summary = test_run (queue);
      g_autoptr (GError) error = osiiso_handle_dup_error (odd);

      g_test_message ("case %u", i);
      g_assert_cmpint (osiiso_handle_get_status (odd), ==, OSIISO_STATUS_FAILED);
      g_assert_error (error, cases[i].domain (), cases[i].code);
      g_assert_null (osiiso_handle_get_value (odd));
      g_assert_cmpuint (osiiso_handle_get_attempts (odd), ==, 2);
      g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
    }
  test_queue_free (queue);
}

static void
report_null (OsiisoAttempt *attempt,
             gpointer       unused)
{
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*error != NULL*");
  osiiso_attempt_return_error (attempt, NULL);
  g_test_assert_expected_messages ();
  /* The mistake was not taken for a report. */
  g_assert_true (osiiso_attempt_is_open (attempt));
  test_task_fail (attempt, NULL);
}

static void
test_04_null_error (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) handle = test_submit (queue, report_null, NULL, NULL);

  g_test_summary ("An error that is none is the programmer's mistake, and the task can still end as it should");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  test_queue_free (queue);
}

static void
test_04_never_run (void)
{
  OsiisoQueue *queue = test_held_queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "lost", "retries", 1, NULL);
  int n_calls = 0;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_count_call, &n_calls, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("An attempt that a backend drops without running it has failed and says so, and is tried again");

  osiiso_attempt_unref (test_held_take (queue));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  osiiso_attempt_unref (test_held_take (queue));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  g_assert_cmpstr (error->message, ==, "attempt 2 of task 'lost' was dropped without a report");
  g_assert_cmpint (n_calls, ==, 0);
  test_queue_free (queue);
}

static void
end_thread (OsiisoAttempt *attempt,
            gpointer       unused)
{
  pthread_exit (NULL);
}

static void
test_04_thread_ends (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) odd = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A function that ends its thread, which GLib forbids, has abandoned its task");

  osiiso_queue_set_workers (queue, 1);
  odd = test_submit (queue, end_thread, NULL, NULL);
  next = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  error = osiiso_handle_dup_error (odd);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

/* Item 5: data and values that are nothing, or look like a sign of the queue's. */

static void
note_data (OsiisoAttempt *attempt,
           gpointer       data)
{
  osiiso_attempt_return_int (attempt, GPOINTER_TO_INT (data));
}

static void
return_null_string (OsiisoAttempt *attempt,
                    gpointer       unused)
{
  osiiso_attempt_return_string (attempt, NULL);
}

static void
return_null_pointer (OsiisoAttempt *attempt,
                     gpointer       unused)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_POINTER);
  osiiso_attempt_return_value (attempt, &value);
}

static void
test_05_nothing (gconstpointer backend)
{
  static const int data[] = { 0, 1, 0, -1, 0 };
  static const int priorities[] = { 127, -128, 0 };
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoGroup) empty = osiiso_queue_map (queue, 0, test_task_none, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoHandle) null_string = NULL;
  g_autoptr (OsiisoHandle) null_pointer = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_test_summary ("NULL is a task's data and a task's value like any other, and stops no worker, with any priority");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], NULL);

      for (guint j = 0; j < G_N_ELEMENTS (data); j++)
        {
          g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, note_data, GINT_TO_POINTER (data[j]), NULL, options, NULL);

          g_assert_nonnull (handle);
        }
    }
  null_string = test_submit (queue, return_null_string, NULL, NULL);
  null_pointer = test_submit (queue, return_null_pointer, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, G_N_ELEMENTS (priorities) * G_N_ELEMENTS (data) + 2);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (group)); i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, data[i % G_N_ELEMENTS (data)]);
    }
  g_assert_null (g_value_get_string (osiiso_handle_get_value (null_string)));
  g_assert_true (G_VALUE_HOLDS_POINTER (osiiso_handle_get_value (null_pointer)));
  g_assert_null (g_value_get_pointer (osiiso_handle_get_value (null_pointer)));

  /* A group of nothing is over before it begins. */
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (empty)), ==, 0);
  g_clear_object (&summary);
  summary = osiiso_group_wait (empty, -1, NULL, NULL);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 0);
  test_queue_free (queue);
}

/* Item 11: errors that lose what they are on their way, and work that cannot be
 * cancelled. */

typedef struct
{
  int answer;
} OddErrorPrivate;

static void
odd_error_private_init (OddErrorPrivate *priv)
{
  priv->answer = 42;
}

static void
odd_error_private_copy (const OddErrorPrivate *src,
                        OddErrorPrivate       *dest)
{
  dest->answer = src->answer;
}

static void
odd_error_private_clear (OddErrorPrivate *priv)
{
  priv->answer = 0;
}

static GQuark odd_error_quark (void);
G_DEFINE_EXTENDED_ERROR (OddError, odd_error)

static GQuark
no_domain_quark (void)
{
  /* Nobody has registered it as the domain of an enumeration. */
  return g_quark_from_static_string ("osiiso-test-no-such-domain");
}

static const struct
{
  GQuark    (*domain) (void);
  int         code;
  const char *message;
} odd_errors[] = {
  { no_domain_quark, -7, "%s %n is no format" },
  { no_domain_quark, G_MAXINT, "" },
  { no_domain_quark, G_MININT, "two\nlines" },
  { odd_error_quark, 3, "has data of its own" },
};

static void
fail_oddly (OsiisoAttempt *attempt,
            gpointer       which)
{
  const guint i = GPOINTER_TO_UINT (which);

  osiiso_attempt_return_error_literal (attempt, odd_errors[i].domain (), odd_errors[i].code, odd_errors[i].message);
}

static void
assert_odd_error (const GError *error,
                  guint         i)
{
  g_assert_error (error, odd_errors[i].domain (), odd_errors[i].code);
  g_assert_cmpstr (error->message, ==, odd_errors[i].message);
  if (error->domain == odd_error_quark ())
    g_assert_cmpint (odd_error_get_private (error)->answer, ==, 42);
}

static void
check_retry_error (OsiisoQueue  *queue,
                   OsiisoHandle *handle,
                   const GError *error,
                   gpointer      counter)
{
  assert_odd_error (error, (guint) (*(int *) counter)++);
}

/* Item 10: an initializer of threads in which no task runs, and whose failure
 * nobody gets to see. */

static _Thread_local int state_of_thread;

static gboolean
set_up_thread (gpointer  n_calls,
               GError  **error)
{
  g_atomic_int_inc ((int *) n_calls);
  state_of_thread = 10;
  return TRUE;
}

static void
return_state (OsiisoAttempt *attempt,
              gpointer       unused)
{
  osiiso_attempt_return_int (attempt, state_of_thread);
}

static void
test_10_state (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (GError) error = NULL;
  int n_calls = 0;

  g_test_summary ("A task finds what the initializer has set up for its thread");

  state_of_thread = 0;
  osiiso_queue_set_workers (queue, 4);
  g_assert_true (osiiso_queue_set_initializer (queue, set_up_thread, &n_calls, NULL, &error));
  g_assert_no_error (error);
  group = osiiso_queue_map (queue, 500, return_state, NULL, NULL, NULL, NULL);
  test_run_all (queue);
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 10);
    }
  g_assert_cmpint (g_atomic_int_get (&n_calls), >=, 1);
  g_clear_object (&group);
  test_queue_free (queue);
}

static gboolean
fail_to_set_up (gpointer  unused,
                GError  **error)
{
  g_set_error_literal (error, no_domain_quark (), -7, "no licence");
  return FALSE;
}

static void
test_10_failure (gconstpointer backend)
{
  g_test_summary ("An initializer that fails ends the run, an infinite one too, and what it failed with is the error of each task");

  for (int infinite = 0; infinite < 2; infinite++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, "retries", 3, NULL);
      g_autoptr (OsiisoHandle) plain = NULL;
      g_autoptr (OsiisoHandle) dear = NULL;
      g_autoptr (OsiisoRunSummary) summary = NULL;
      OsiisoHandle *both[2];
      int n_calls = 0;

      osiiso_queue_set_mode (queue, infinite ? OSIISO_MODE_INFINITE : OSIISO_MODE_FINITE);
      g_assert_true (osiiso_queue_set_initializer (queue, fail_to_set_up, NULL, NULL, NULL));
      both[0] = plain = test_submit (queue, test_count_call, &n_calls, NULL);
      both[1] = dear = test_submit (queue, test_count_call, &n_calls, must);
      summary = test_run (queue);
      g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 2);
      g_assert_false (osiiso_run_summary_check (summary, NULL));
      g_assert_cmpint (n_calls, ==, 0);
      for (int i = 0; i < 2; i++)
        {
          g_autoptr (GError) error = osiiso_handle_dup_error (both[i]);

          g_assert_error (error, no_domain_quark (), -7);
          g_assert_cmpstr (error->message, ==, "worker initializer failed: no licence");
        }
      test_queue_free (queue);
    }
}

static void
test_11_error_kept (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  int n_retries = 0;

  g_test_summary ("An error arrives as it was reported, whatever its domain and code");

  osiiso_queue_set_workers (queue, 1);
  g_signal_connect (queue, "on-retry", G_CALLBACK (check_retry_error), &n_retries);
  for (guint i = 0; i < G_N_ELEMENTS (odd_errors); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
      g_autoptr (OsiisoHandle) handle = test_submit (queue, fail_oddly, GUINT_TO_POINTER (i), options);
      g_autoptr (OsiisoRunSummary) summary = test_run (queue);
      g_autoptr (OsiisoTaskResult) result = osiiso_handle_dup_result (handle);
      g_autoptr (GError) error = osiiso_handle_dup_error (handle);
      g_autoptr (GError) again = osiiso_task_result_dup_error (result);

      assert_odd_error (error, i);
      assert_odd_error (again, i);
      g_assert_cmpstr (osiiso_task_result_get_message (result), ==, odd_errors[i].message);
      g_assert_cmpint (n_retries, ==, (int) i + 1);
    }
  test_queue_free (queue);
}

static void
test_11_deaf_function (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) second = NULL;
  g_autoptr (OsiisoHandle) next = NULL;
  TestGate gate;

  g_test_summary ("A function that does not listen delays neither its cancellation, nor other tasks, nor a forced shutdown");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  first = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 1);
  g_assert_true (osiiso_handle_cancel (first));
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_CANCELLED);

  next = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);

  second = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 2);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_CANCELLED);
  g_assert_true (osiiso_queue_get_closed (queue));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  /* Both are still inside and need their data. */
  g_assert_cmpint (g_atomic_int_get (&gate.n_released), ==, 0);

  test_gate_open (&gate);
  while (g_atomic_int_get (&gate.n_released) < 2)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_CANCELLED);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

/* Item 14: success that was none, and data that nobody let go. */

static void
defer_and_report (OsiisoAttempt *attempt,
                  gpointer       unused)
{
  g_autoptr (OsiisoAttempt) later = osiiso_attempt_defer (attempt);

  osiiso_attempt_return_int (later, 5);
}

static void
test_14_no_false_success (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) silent = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) dropped = test_submit (queue, drop_deferred, NULL, NULL);
  g_autoptr (OsiisoHandle) reported = test_submit (queue, defer_and_report, NULL, NULL);
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) deferred = test_submit (queue, test_task_defer, &attempt, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A function that returns has succeeded, one that deferred has not before it reports");

  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  test_await_done (silent);
  test_await_done (dropped);
  test_await_done (reported);
  g_assert_cmpint (osiiso_handle_get_status (silent), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_null (osiiso_handle_get_value (silent));
  error = osiiso_handle_dup_error (dropped);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (reported)), ==, 5);

  g_assert_cmpint (osiiso_handle_get_status (deferred), ==, OSIISO_STATUS_RUNNING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
  osiiso_attempt_unref (attempt);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_clear_error (&error);
  error = osiiso_handle_dup_error (deferred);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  test_queue_free (queue);
}

static void
test_14_cancelled_data (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 3600.0, NULL);
  int n_calls = 0;
  int n_destroyed = 0;

  g_test_summary ("The data of a task that is cancelled before it runs are let go, without anything being called");

  for (int i = 0; i < 20; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (queue, test_task_none, &n_destroyed, test_count,
                                                             i % 2 ? delayed : NULL, NULL);
      g_autoptr (OsiisoHandle) counted = test_submit (queue, test_count_call, &n_calls, i % 2 ? delayed : NULL);

      g_assert_true (osiiso_handle_cancel (handle));
      g_assert_true (osiiso_handle_cancel (counted));
    }
  test_run_all (queue);
  g_assert_cmpint (n_calls, ==, 0);
  g_assert_cmpint (n_destroyed, ==, 20);
  test_queue_free (queue);
}

void
test_add_regressions_ends (void)
{
  test_add_for_backends ("/regressions/item-04-odd-ends", test_04_odd_ends);
  g_test_add_func ("/regressions/item-04-null-error", test_04_null_error);
  g_test_add_func ("/regressions/item-04-never-run", test_04_never_run);
  g_test_add_func ("/regressions/item-04-thread-ends", test_04_thread_ends);
  test_add_for_backends ("/regressions/item-05-null-is-no-sentinel", test_05_nothing);
  test_add_for_backends ("/regressions/item-10-state", test_10_state);
  test_add_for_backends ("/regressions/item-10-failure", test_10_failure);
  test_add_for_backends ("/regressions/item-11-error-kept", test_11_error_kept);
  g_test_add_func ("/regressions/item-11-deaf-function", test_11_deaf_function);
  test_add_for_backends ("/regressions/item-14-no-false-success", test_14_no_false_success);
  test_add_for_backends ("/regressions/item-14-cancelled-data", test_14_cancelled_data);
}
