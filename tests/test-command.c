/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "test-holder.h"

/* Commands and their results, as objects. Programs are not run here. */

static const char *const argv_true[] = { "true", NULL };

/* What waitpid() says of a program that exited, and of one that a signal ended. */
#define EXITED(status) ((status) << 8)
#define SIGNALLED(number) (number)

static void
assert_strv (const char *const *strv,
             const char        *expected)
{
  g_autofree char *text = g_strjoinv (" ", (char **) strv);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_defaults (void)
{
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv_true);

  g_test_summary ("A command needs nothing but its arguments");

  assert_strv (osiiso_command_get_argv (command), "true");
  g_assert_null (osiiso_command_get_stdin_bytes (command));
  g_assert_null (osiiso_command_get_cwd (command));
  g_assert_null (osiiso_command_get_environ (command));
  g_assert_cmpuint (osiiso_command_get_output_limit (command), ==, 1024 * 1024);
  g_assert_false (osiiso_command_get_merge_stderr (command));
  g_assert_true (osiiso_command_get_search_path (command));
}

static void
log_notify (GObject    *object,
            GParamSpec *pspec,
            gpointer    log)
{
  test_log_add (log, "%s", pspec->name);
}

/* Sets all properties to what they are not by default, or are then. */
static void
set_all (OsiisoCommand *command,
         GBytes        *bytes)
{
  const char *argv[] = { "sort", "-r", NULL };
  const char *env[] = { "A=1", "B=", NULL };

  osiiso_command_set_argv (command, argv);
  osiiso_command_set_stdin_bytes (command, bytes);
  osiiso_command_set_cwd (command, "/tmp");
  osiiso_command_set_environ (command, env);
  osiiso_command_set_output_limit (command, 0);
  osiiso_command_set_merge_stderr (command, TRUE);
  osiiso_command_set_search_path (command, FALSE);
}

static void
assert_all (OsiisoCommand *command,
            GBytes        *bytes)
{
  assert_strv (osiiso_command_get_argv (command), "sort -r");
  g_assert_true (osiiso_command_get_stdin_bytes (command) == bytes);
  g_assert_cmpstr (osiiso_command_get_cwd (command), ==, "/tmp");
  assert_strv (osiiso_command_get_environ (command), "A=1 B=");
  g_assert_cmpuint (osiiso_command_get_output_limit (command), ==, 0);
  g_assert_true (osiiso_command_get_merge_stderr (command));
  g_assert_false (osiiso_command_get_search_path (command));
}

static void
test_properties (void)
{
  g_autoptr (OsiisoCommand) command = g_object_new (OSIISO_TYPE_COMMAND, NULL);
  g_autoptr (OsiisoCommand) other = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("b\na\n", 4);
  g_auto (GStrv) argv = NULL;
  g_auto (GStrv) env = NULL;
  g_autoptr (GBytes) stdin_bytes = NULL;
  g_autofree char *cwd = NULL;
  g_autofree char *notified = NULL;
  guint64 limit;
  gboolean merge;
  gboolean search;
  TestLog log;

  g_test_summary ("Properties can be set and read both ways, and tell of changes");

  test_log_init (&log);
  g_signal_connect (command, "notify", G_CALLBACK (log_notify), &log);
  set_all (command, bytes);
  assert_all (command, bytes);
  notified = test_log_steal (&log);
  g_assert_cmpstr (notified, ==, "argv stdin-bytes cwd environ output-limit merge-stderr search-path");
  set_all (command, bytes);
  g_clear_pointer (&notified, g_free);
  notified = test_log_steal (&log);
  g_assert_cmpstr (notified, ==, "");

  g_object_get (command, "argv", &argv, "stdin-bytes", &stdin_bytes, "cwd", &cwd, "environ", &env,
                "output-limit", &limit, "merge-stderr", &merge, "search-path", &search, NULL);
  other = g_object_new (OSIISO_TYPE_COMMAND, "argv", argv, "stdin-bytes", stdin_bytes, "cwd", cwd, "environ", env,
                        "output-limit", limit, "merge-stderr", merge, "search-path", search, NULL);
  assert_all (other, bytes);

  osiiso_command_set_stdin_bytes (command, NULL);
  osiiso_command_set_cwd (command, NULL);
  osiiso_command_set_environ (command, NULL);
  g_assert_null (osiiso_command_get_stdin_bytes (command));
  g_assert_null (osiiso_command_get_cwd (command));
  g_assert_null (osiiso_command_get_environ (command));
  test_log_clear (&log);
}

static void
test_snapshot (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv_true);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("b\na\n", 4);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoCommand *given;
  OsiisoAttempt *attempt;

  g_test_summary ("A submit takes a copy, which nobody can change");

  set_all (command, bytes);
  handle = osiiso_queue_submit_command_full (queue, command, NULL, NULL);
  osiiso_command_set_argv (command, argv_true);
  osiiso_command_set_cwd (command, NULL);
  g_clear_object (&command);

  attempt = test_holder_take (queue);
  given = osiiso_attempt_get_command (attempt);
  assert_all (given, bytes);
  g_assert_null (osiiso_attempt_get_call (attempt));
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*frozen*");
  osiiso_command_set_cwd (given, NULL);
  g_test_assert_expected_messages ();
  assert_all (given, bytes);

  osiiso_attempt_return_none (attempt);
  assert_all (osiiso_attempt_get_command (attempt), bytes);
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
}

static void
test_name (void)
{
  static const struct
  {
    const char *program;
    const char *name;
  } cases[] = { { "sort", "sort" }, { "/usr/bin/sort", "sort" }, { "\xff", "\xef\xbf\xbd" } };
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoTaskOptions) named = test_options_new ("name", "mine", NULL);
  g_autoptr (OsiisoHandle) with_name = osiiso_queue_submit_command (queue, argv_true, NULL, named, NULL);

  g_test_summary ("A task has the name of its program unless its options have one");

  g_assert_cmpstr (osiiso_handle_get_name (with_name), ==, "mine");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *argv[] = { cases[i].program, "-r", NULL };
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);

      g_assert_cmpstr (osiiso_handle_get_name (handle), ==, cases[i].name);
    }
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
}

static void
test_ways_in (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "id");
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv_true);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("a", 1);
  g_autoptr (OsiisoHandle) plain = osiiso_queue_submit_command (queue, argv_true, bytes, NULL, NULL);
  g_autoptr (OsiisoHandle) full = osiiso_queue_submit_command_full (queue, command, NULL, NULL);
  g_autoptr (OsiisoHandle) member = osiiso_group_submit_command (group, argv_true, bytes, NULL, NULL);
  g_autoptr (OsiisoHandle) full_member = osiiso_group_submit_command_full (group, command, NULL, NULL);
  guint64 id = osiiso_queue_push_command (queue, command, NULL, NULL);
  OsiisoHandle *handles[] = { plain, full, member, full_member, NULL };
  const gboolean with_bytes[] = { TRUE, FALSE, TRUE, FALSE, FALSE };

  g_test_summary ("Commands get in by all ways, in order");

  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 2);
  g_assert_cmpuint (osiiso_handle_get_index (full_member), ==, 1);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    {
      OsiisoAttempt *attempt = test_holder_take (queue);
      OsiisoCommand *given = osiiso_attempt_get_command (attempt);

      g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==,
                        handles[i] != NULL ? osiiso_handle_get_task_id (handles[i]) : id);
      assert_strv (osiiso_command_get_argv (given), "true");
      g_assert_true (osiiso_command_get_stdin_bytes (given) == (with_bytes[i] ? bytes : NULL));
      osiiso_attempt_return_none (attempt);
      osiiso_attempt_unref (attempt);
    }
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_queue_free (queue);
}

static void
test_refused (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  OsiisoQueue *other = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  g_autoptr (OsiisoCommand) command = g_object_new (OSIISO_TYPE_COMMAND, NULL);
  const char *nothing[] = { NULL };
  const char *empty[] = { "", "a", NULL };
  const char *const *bad[] = { NULL, nothing, empty };

  g_test_summary ("A command without a program is refused, and so are all where they cannot run");

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      osiiso_command_set_argv (command, bad[i]);
      g_assert_null (osiiso_queue_submit_command_full (queue, command, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_cmpuint (osiiso_queue_push_command (queue, command, NULL, &error), ==, 0);
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      osiiso_command_set_argv (command, argv_true);
      g_assert_null (osiiso_queue_submit_command_full (other, command, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
    }
  for (guint i = 1; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      g_autoptr (GError) error = NULL;

      g_assert_null (osiiso_queue_submit_command (queue, bad[i], NULL, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_null (osiiso_group_submit_command (group, bad[i], NULL, NULL, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
    }
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  test_queue_free (queue);
  test_queue_free (other);
}

static void
test_run_by_mistake (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_command (queue, argv_true, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("A backend that runs the task instead of the program makes it fail");

  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  test_queue_free (queue);
}

static void
test_result (void)
{
  g_autoptr (GBytes) out = g_bytes_new_static ("a\xff" "b\n", 4);
  g_autoptr (GBytes) err = g_bytes_new_static ("a\0b", 3);
  g_autoptr (OsiisoCommandResult) result = osiiso_command_result_new (EXITED (3), out, 5, err, 6, 1.5, 0.25, 0.125, 4096);
  OsiisoCommandResult *copy = g_boxed_copy (OSIISO_TYPE_COMMAND_RESULT, result);
  g_autofree char *out_text = osiiso_command_result_dup_stdout_text (result);
  g_autofree char *err_text = osiiso_command_result_dup_stderr_text (result);

  g_test_summary ("A result says how a program ended, what it wrote and what it took");

  g_assert_true (copy == result);
  g_boxed_free (OSIISO_TYPE_COMMAND_RESULT, copy);
  g_assert_cmpint (osiiso_command_result_get_exit_status (result), ==, 3);
  g_assert_cmpint (osiiso_command_result_get_signal (result), ==, 0);
  g_assert_true (osiiso_command_result_get_stdout (result) == out);
  g_assert_true (osiiso_command_result_get_stderr (result) == err);
  g_assert_cmpstr (out_text, ==, "a\xef\xbf\xbd" "b\n");
  g_assert_cmpstr (err_text, ==, "a\xef\xbf\xbd" "b");
  g_assert_cmpuint (osiiso_command_result_get_stdout_dropped (result), ==, 5);
  g_assert_cmpuint (osiiso_command_result_get_stderr_dropped (result), ==, 6);
  g_assert_cmpfloat (osiiso_command_result_get_duration (result), ==, 1.5);
  g_assert_cmpfloat (osiiso_command_result_get_user_time (result), ==, 0.25);
  g_assert_cmpfloat (osiiso_command_result_get_system_time (result), ==, 0.125);
  g_assert_cmpuint (osiiso_command_result_get_peak_rss (result), ==, 4096);
}

static void
test_result_of_signal (void)
{
  g_autoptr (OsiisoCommandResult) result = osiiso_command_result_new (SIGNALLED (SIGKILL), NULL, 0, NULL, 0, -1, NAN,
                                                                      INFINITY, 0);
  g_autofree char *text = osiiso_command_result_dup_stdout_text (result);

  g_test_summary ("A program that a signal ended has no exit status, and one that wrote nothing no output");

  g_assert_cmpint (osiiso_command_result_get_exit_status (result), ==, -1);
  g_assert_cmpint (osiiso_command_result_get_signal (result), ==, SIGKILL);
  g_assert_cmpuint (g_bytes_get_size (osiiso_command_result_get_stdout (result)), ==, 0);
  g_assert_cmpuint (g_bytes_get_size (osiiso_command_result_get_stderr (result)), ==, 0);
  g_assert_cmpstr (text, ==, "");
  g_assert_cmpfloat (osiiso_command_result_get_duration (result), ==, 0);
  g_assert_cmpfloat (osiiso_command_result_get_user_time (result), ==, 0);
  g_assert_cmpfloat (osiiso_command_result_get_system_time (result), ==, 0);
}

/* Ends the attempt as a backend does that has run the program. */
static void
end_with (OsiisoAttempt *attempt,
          int            wait_status)
{
  g_autoptr (OsiisoCommandResult) result = osiiso_command_result_new (wait_status, NULL, 0, NULL, 0, 1, 0, 0, 0);
  g_auto (GValue) value = G_VALUE_INIT;
  GError *error = NULL;

  g_value_init (&value, OSIISO_TYPE_COMMAND_RESULT);
  g_value_set_boxed (&value, result);
  if (g_spawn_check_wait_status (wait_status, &error))
    osiiso_attempt_return_value (attempt, &value);
  else
    osiiso_attempt_return_error_details (attempt, error, &value);
  osiiso_attempt_unref (attempt);
}

static void
test_end (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoHandle) good = osiiso_queue_submit_command (queue, argv_true, NULL, NULL, NULL);
  g_autoptr (OsiisoHandle) bad = osiiso_queue_submit_command (queue, argv_true, NULL, NULL, NULL);
  g_autoptr (OsiisoTaskResult) result = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoCommandResult *found;

  g_test_summary ("The result is the value of a task that succeeded, and in the details of one that failed");

  end_with (test_holder_take (queue), EXITED (0));
  end_with (test_holder_take (queue), EXITED (3));
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));

  found = g_value_get_boxed (osiiso_handle_get_value (good));
  g_assert_cmpint (osiiso_command_result_get_exit_status (found), ==, 0);
  g_assert_null (osiiso_handle_get_error_details (good));

  error = osiiso_handle_dup_error (bad);
  g_assert_error (error, G_SPAWN_EXIT_ERROR, 3);
  g_assert_null (osiiso_handle_get_value (bad));
  result = osiiso_handle_dup_result (bad);
  found = g_value_get_boxed (osiiso_task_result_get_error_details (result));
  g_assert_cmpint (osiiso_command_result_get_exit_status (found), ==, 3);
  test_queue_free (queue);
}

/* A submission that waits for room. */
typedef struct
{
  gboolean      returned;
  OsiisoHandle *handle;
  GError       *error;
} Async;

static void
submitted (GObject      *queue,
           GAsyncResult *result,
           gpointer      user_data)
{
  Async *self = user_data;

  self->handle = osiiso_queue_submit_command_finish (OSIISO_QUEUE (queue), result, &self->error);
  g_assert_true ((self->handle == NULL) == (self->error != NULL));
  self->returned = TRUE;
}

static void
async_await (Async *self)
{
  while (!self->returned)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_async (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv_true);
  g_autoptr (OsiisoHandle) first = osiiso_queue_submit_command_full (queue, command, NULL, NULL);
  Async waits = { FALSE };
  Async refused = { FALSE };

  g_test_summary ("A command gets in when there is room, and nothing blocks until then");

  osiiso_queue_set_size (queue, 1);
  osiiso_queue_submit_command_async (queue, command, NULL, NULL, submitted, &waits);
  g_assert_false (waits.returned);
  /* A copy has been taken. */
  osiiso_command_set_argv (command, NULL);
  osiiso_queue_submit_command_async (queue, command, NULL, NULL, submitted, &refused);
  async_await (&refused);
  g_assert_error (refused.error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_false (waits.returned);

  for (guint i = 0; i < 2; i++)
    {
      OsiisoAttempt *attempt = test_holder_take (queue);

      assert_strv (osiiso_command_get_argv (osiiso_attempt_get_command (attempt)), "true");
      osiiso_attempt_return_none (attempt);
      osiiso_attempt_unref (attempt);
      if (i == 0)
        async_await (&waits);
    }
  g_assert_no_error (waits.error);
  g_assert_cmpstr (osiiso_handle_get_name (waits.handle), ==, "true");
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_object_unref (waits.handle);
  g_error_free (refused.error);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/command/defaults", test_defaults);
  g_test_add_func ("/command/properties", test_properties);
  g_test_add_func ("/command/snapshot", test_snapshot);
  g_test_add_func ("/command/name", test_name);
  g_test_add_func ("/command/ways-in", test_ways_in);
  g_test_add_func ("/command/refused", test_refused);
  g_test_add_func ("/command/run-by-mistake", test_run_by_mistake);
  g_test_add_func ("/command/result", test_result);
  g_test_add_func ("/command/result-of-signal", test_result_of_signal);
  g_test_add_func ("/command/end", test_end);
  g_test_add_func ("/command/async", test_async);

  return g_test_run ();
}
