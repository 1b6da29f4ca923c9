/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* After which errors a task is tried again. */

typedef struct
{
  const int *codes; /* of G_IO_ERROR, one for each attempt; -1: return nothing */
  int        n_run;
} Script;

static void
play (OsiisoAttempt *attempt,
      gpointer       user_data)
{
  Script *script = user_data;
  int code = script->codes[g_atomic_int_add (&script->n_run, 1)];

  if (code != -1)
    osiiso_attempt_return_new_error (attempt, G_IO_ERROR, code, "code %d", code);
}

static OsiisoHandle *
run_script (const char        *backend,
            OsiisoTaskOptions *options,
            Script            *script)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoHandle *handle = test_submit (queue, play, script, options);

  test_run_all (queue);
  test_queue_free (queue);
  return handle;
}

static void
assert_failed (OsiisoHandle *handle,
               int           code,
               guint         n_attempts)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, n_attempts);
}

static void
test_on_the_list (gconstpointer backend)
{
  static const int codes[] = { G_IO_ERROR_BUSY, G_IO_ERROR_TIMED_OUT, G_IO_ERROR_BUSY, -1 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Script script = { codes };

  g_test_summary ("Errors on the list are tried again until the task succeeds");

  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_BUSY);
  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  handle = run_script (backend, options, &script);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 4);
}

static void
test_not_on_the_list (gconstpointer backend)
{
  static const int codes[] = { G_IO_ERROR_BUSY, G_IO_ERROR_NOT_FOUND, -1 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Script script = { codes };

  g_test_summary ("The first error that is not on the list is the last one");

  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_BUSY);
  handle = run_script (backend, options, &script);
  assert_failed (handle, G_IO_ERROR_NOT_FOUND, 2);
}

static void
test_never (gconstpointer backend)
{
  static const int codes[] = { G_IO_ERROR_BUSY, G_IO_ERROR_FAILED, G_IO_ERROR_NOT_FOUND, -1 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Script script = { codes };

  g_test_summary ("What is never tried again is not, though all others are");

  osiiso_task_options_never_retry_on (options, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  handle = run_script (backend, options, &script);
  assert_failed (handle, G_IO_ERROR_NOT_FOUND, 3);
}

static void
test_no_retries_left (gconstpointer backend)
{
  static const int codes[] = { G_IO_ERROR_BUSY, G_IO_ERROR_BUSY, G_IO_ERROR_BUSY, -1 };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Script script = { codes };

  g_test_summary ("The list makes no more retries than there are");

  osiiso_task_options_retry_on (options, G_IO_ERROR, -1);
  handle = run_script (backend, options, &script);
  assert_failed (handle, G_IO_ERROR_BUSY, 3);
}

static void
retry_after (OsiisoAttempt *attempt,
             gpointer       code)
{
  osiiso_attempt_retry_after (attempt, 0, g_error_new_literal (G_IO_ERROR, GPOINTER_TO_INT (code), "again"));
}

static void
test_retry_after (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, NULL);
  g_autoptr (OsiisoHandle) allowed = NULL;
  g_autoptr (OsiisoHandle) refused = NULL;

  g_test_summary ("An attempt that asks for a retry gets it only after such an error");

  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_BUSY);
  allowed = test_submit (queue, retry_after, GINT_TO_POINTER (G_IO_ERROR_BUSY), options);
  refused = test_submit (queue, retry_after, GINT_TO_POINTER (G_IO_ERROR_EXISTS), options);
  test_run_all (queue);
  assert_failed (allowed, G_IO_ERROR_BUSY, 3);
  assert_failed (refused, G_IO_ERROR_EXISTS, 1);
  test_queue_free (queue);
}

static void
test_timeout (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) with = test_options_new ("retries", 1, "timeout", 1.0, NULL);
  g_autoptr (OsiisoTaskOptions) without = test_options_new ("retries", 1, "timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) again = NULL;
  g_autoptr (OsiisoHandle) once = NULL;
  OsiisoAttempt *a = NULL;
  OsiisoAttempt *b = NULL;
  OsiisoAttempt *first;

  g_test_summary ("A timeout is an error like any other");

  osiiso_queue_set_workers (queue, 2);
  osiiso_task_options_retry_on (with, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  osiiso_task_options_never_retry_on (without, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  again = test_submit (queue, test_task_defer, &a, with);
  once = test_submit (queue, test_task_defer, &b, without);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_atomic_pointer_get (&a) == NULL || g_atomic_pointer_get (&b) == NULL)
    g_main_context_iteration (NULL, FALSE);
  first = g_steal_pointer (&a);
  hooks->clock_advance (G_USEC_PER_SEC);
  assert_failed (once, G_IO_ERROR_TIMED_OUT, 1);
  while (g_atomic_pointer_get (&a) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_handle_get_attempts (again), ==, 2);
  osiiso_attempt_return_none (a);
  test_await_status (again, OSIISO_STATUS_SUCCEEDED);
  osiiso_attempt_unref (first);
  osiiso_attempt_unref (a);
  osiiso_attempt_unref (b);
  test_queue_free (queue);
  hooks->clock_set_manual (0);
}

static void
drop (OsiisoAttempt *attempt,
      gpointer       unused)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
}

static void
test_own_errors (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) some = test_options_new ("retries", 2, NULL);
  g_autoptr (OsiisoTaskOptions) others = test_options_new ("retries", 2, NULL);
  g_autoptr (OsiisoHandle) again = NULL;
  g_autoptr (OsiisoHandle) once = NULL;

  g_test_summary ("The errors of the library can be on the list");

  osiiso_task_options_retry_on (some, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  osiiso_task_options_retry_on (others, G_IO_ERROR, -1);
  again = test_submit (queue, drop, NULL, some);
  once = test_submit (queue, drop, NULL, others);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (again), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (again), ==, 3);
  g_assert_cmpint (osiiso_handle_get_status (once), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (once), ==, 1);
  test_queue_free (queue);
}

static void
test_group (gconstpointer backend)
{
  static const int codes[] = { G_IO_ERROR_BUSY, G_IO_ERROR_BUSY, G_IO_ERROR_EXISTS, -1 };
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  Script script = { codes };

  g_test_summary ("The rules of the options hold in a group, whose id is another one");

  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_BUSY);
  group = osiiso_queue_new_group (queue, "g");
  handle = osiiso_group_submit (group, play, &script, NULL, options, &error);
  g_assert_no_error (error);
  test_run_all (queue);
  assert_failed (handle, G_IO_ERROR_EXISTS, 3);
  g_clear_object (&group);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/retry-predicate/on-the-list", test_on_the_list);
  test_add_for_backends ("/retry-predicate/not-on-the-list", test_not_on_the_list);
  test_add_for_backends ("/retry-predicate/never", test_never);
  test_add_for_backends ("/retry-predicate/no-retries-left", test_no_retries_left);
  test_add_for_backends ("/retry-predicate/retry-after", test_retry_after);
  test_add_for_backends ("/retry-predicate/timeout", test_timeout);
  test_add_for_backends ("/retry-predicate/own-errors", test_own_errors);
  test_add_for_backends ("/retry-predicate/group", test_group);

  return g_test_run ();
}
