/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* After which errors a task is tried again. The snapshots have no public symbols;
 * the sources are compiled into this program. */

#include "osiiso-task-options.h"
#include "osiiso-task-params-private.h"

static OsiisoTaskParams *
snapshot (OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoTaskParams *params = NULL;
  gboolean valid = osiiso_task_options_snapshot (options, &params, &error);

  g_assert_no_error (error);
  g_assert_true (valid);

  return params;
}

static gboolean
may_retry (OsiisoTaskOptions *options,
           GQuark             domain,
           int                code)
{
  g_autoptr (OsiisoTaskParams) params = snapshot (options);
  g_autoptr (GError) error = g_error_new_literal (domain, code, "");

  return osiiso_task_params_may_retry (params, error);
}

static OsiisoTaskOptions *
options_with_retries (void)
{
  OsiisoTaskOptions *options = osiiso_task_options_new ();

  osiiso_task_options_set_retries (options, 1);
  return options;
}

static void
test_no_rules (void)
{
  g_autoptr (OsiisoTaskOptions) options = options_with_retries ();

  g_test_summary ("Without a list there is another attempt after any error");

  g_assert_true (may_retry (options, G_IO_ERROR, G_IO_ERROR_FAILED));
  g_assert_true (may_retry (options, G_FILE_ERROR, 7));
}

static void
test_retry_on (void)
{
  g_autoptr (OsiisoTaskOptions) options = options_with_retries ();

  g_test_summary ("Once there is a list, only what is on it is tried again");

  osiiso_task_options_retry_on (options, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_true (may_retry (options, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  g_assert_false (may_retry (options, G_IO_ERROR, G_IO_ERROR_FAILED));
  g_assert_false (may_retry (options, G_FILE_ERROR, G_IO_ERROR_TIMED_OUT));

  osiiso_task_options_retry_on (options, G_IO_ERROR, 0);
  osiiso_task_options_retry_on (options, G_FILE_ERROR, -1);
  g_assert_true (may_retry (options, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  g_assert_true (may_retry (options, G_IO_ERROR, 0));
  g_assert_false (may_retry (options, G_IO_ERROR, -1));
  /* Only -1 stands for all of them. */
  osiiso_task_options_retry_on (options, G_IO_ERROR, -5);
  g_assert_true (may_retry (options, G_IO_ERROR, -5));
  g_assert_false (may_retry (options, G_IO_ERROR, -6));
  g_assert_false (may_retry (options, G_IO_ERROR, G_IO_ERROR_BUSY));
  g_assert_true (may_retry (options, G_FILE_ERROR, 0));
  g_assert_true (may_retry (options, G_FILE_ERROR, 1234));
  g_assert_true (may_retry (options, G_FILE_ERROR, -2));
  g_assert_false (may_retry (options, G_MARKUP_ERROR, 0));
}

static void
test_never_retry_on (void)
{
  g_autoptr (OsiisoTaskOptions) options = options_with_retries ();

  g_test_summary ("What is on the other list never is, in whatever order the calls come");

  osiiso_task_options_never_retry_on (options, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_false (may_retry (options, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  g_assert_true (may_retry (options, G_IO_ERROR, G_IO_ERROR_FAILED));
  g_assert_true (may_retry (options, G_FILE_ERROR, 0));

  osiiso_task_options_retry_on (options, G_IO_ERROR, -1);
  g_assert_false (may_retry (options, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  g_assert_true (may_retry (options, G_IO_ERROR, G_IO_ERROR_FAILED));
  g_assert_false (may_retry (options, G_FILE_ERROR, 0));

  osiiso_task_options_never_retry_on (options, G_IO_ERROR, -1);
  g_assert_false (may_retry (options, G_IO_ERROR, G_IO_ERROR_FAILED));
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    n)
{
  (*(guint *) n)++;
}

static void
test_snapshots (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoTaskParams) none = NULL;
  g_autoptr (OsiisoTaskParams) first = NULL;
  g_autoptr (OsiisoTaskParams) second = NULL;
  g_autoptr (OsiisoTaskParams) third = NULL;
  g_autoptr (OsiisoTaskParams) grouped = NULL;
  g_autoptr (GError) error = g_error_new_literal (G_FILE_ERROR, 1, "");
  guint n_notified = 0;

  g_test_summary ("Rules make options that are not the defaults, and one snapshot until there is one more");

  g_signal_connect (options, "notify", G_CALLBACK (count_notify), &n_notified);
  none = snapshot (options);
  g_assert_null (none);
  osiiso_task_options_retry_on (options, G_IO_ERROR, 1);
  first = snapshot (options);
  g_assert_nonnull (first);
  osiiso_task_options_retry_on (options, G_IO_ERROR, 1);
  second = snapshot (options);
  g_assert_true (second == first);

  osiiso_task_options_retry_on (options, G_FILE_ERROR, 1);
  third = snapshot (options);
  g_assert_true (third != first);
  g_assert_true (osiiso_task_params_may_retry (third, error));
  /* The tasks of before keep theirs. */
  g_assert_false (osiiso_task_params_may_retry (first, error));

  grouped = osiiso_task_params_with_group (first, "group");
  g_assert_false (osiiso_task_params_may_retry (grouped, error));
  g_clear_object (&options);
  g_clear_pointer (&first, osiiso_task_params_unref);
  g_clear_pointer (&second, osiiso_task_params_unref);
  g_assert_false (osiiso_task_params_may_retry (grouped, error));
  g_assert_true (osiiso_task_params_may_retry (third, error));
  g_assert_cmpuint (n_notified, ==, 0);
}

static void
test_copy (void)
{
  g_autoptr (OsiisoTaskOptions) options = options_with_retries ();
  g_autoptr (OsiisoTaskOptions) copy = NULL;

  g_test_summary ("A copy has the rules, and later ones of its own");

  osiiso_task_options_retry_on (options, G_IO_ERROR, 1);
  copy = osiiso_task_options_copy (options);
  osiiso_task_options_retry_on (copy, G_IO_ERROR, 2);
  osiiso_task_options_never_retry_on (options, G_IO_ERROR, 1);

  g_assert_false (may_retry (options, G_IO_ERROR, 1));
  g_assert_false (may_retry (options, G_IO_ERROR, 2));
  g_assert_true (may_retry (copy, G_IO_ERROR, 1));
  g_assert_true (may_retry (copy, G_IO_ERROR, 2));
  g_assert_false (may_retry (copy, G_IO_ERROR, 3));
}

static void
test_misuse (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

  g_test_summary ("An error has a domain");

  g_test_expect_message ("OsiisoTest", G_LOG_LEVEL_CRITICAL, "*domain != 0*");
  osiiso_task_options_retry_on (options, 0, 1);
  g_test_assert_expected_messages ();
  g_test_expect_message ("OsiisoTest", G_LOG_LEVEL_CRITICAL, "*domain != 0*");
  osiiso_task_options_never_retry_on (options, 0, -1);
  g_test_assert_expected_messages ();
  g_assert_null (snapshot (options));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/task-options/retry/no-rules", test_no_rules);
  g_test_add_func ("/task-options/retry/retry-on", test_retry_on);
  g_test_add_func ("/task-options/retry/never-retry-on", test_never_retry_on);
  g_test_add_func ("/task-options/retry/snapshots", test_snapshots);
  g_test_add_func ("/task-options/retry/copy", test_copy);
  g_test_add_func ("/task-options/retry/misuse", test_misuse);

  return g_test_run ();
}
