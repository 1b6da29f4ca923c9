/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Commands in a queue. How they are run is in test-command-runner.c. */

static OsiisoQueue *
queue_new (guint  workers,
           double grace_time)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("grace-time", grace_time, NULL);

  osiiso_queue_set_workers (queue, workers);
  return queue;
}

/* Nothing that was started is left. */
static void
queue_free (OsiisoQueue *queue)
{
  siginfo_t info;

  subprocess_queue_free (queue);
  g_assert_cmpint (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        const char        *script,
        OsiisoTaskOptions *options)
{
  const char *argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_command (queue, argv, NULL, options, &error);

  g_assert_no_error (error);
  return handle;
}

/* (transfer none) */
static OsiisoCommandResult *
get_result (const GValue *value)
{
  g_assert_nonnull (value);
  g_assert_true (G_VALUE_HOLDS (value, OSIISO_TYPE_COMMAND_RESULT));
  return g_value_get_boxed (value);
}

static void
assert_stdout (const GValue *value,
               const char   *expected)
{
  g_autofree char *text = osiiso_command_result_dup_stdout_text (get_result (value));

  g_assert_cmpstr (text, ==, expected);
}

static void
test_success (void)
{
  OsiisoQueue *queue = queue_new (1, 2);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GBytes) input = g_bytes_new_static ("text", 4);
  const char *argv[] = { "cat", NULL };

  handle = osiiso_queue_submit_command (queue, argv, input, NULL, NULL);
  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  assert_stdout (osiiso_handle_get_value (handle), "text");
  g_assert_null (osiiso_handle_get_error_details (handle));
  queue_free (queue);
}

static void
test_failure (void)
{
  OsiisoQueue *queue = queue_new (1, 2);
  g_autoptr (OsiisoHandle) failed = submit (queue, "echo out; exit 3", NULL);
  g_autoptr (OsiisoHandle) killed = submit (queue, "echo more; kill -KILL $$", NULL);

  subprocess_join (queue);
  subprocess_expect (failed, G_SPAWN_EXIT_ERROR, 3, "/bin/sh");
  g_assert_null (osiiso_handle_get_value (failed));
  assert_stdout (osiiso_handle_get_error_details (failed), "out\n");
  g_assert_cmpint (osiiso_command_result_get_exit_status (get_result (osiiso_handle_get_error_details (failed))),
                   ==, 3);
  subprocess_expect (killed, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "/bin/sh");
  assert_stdout (osiiso_handle_get_error_details (killed), "more\n");
  g_assert_cmpint (osiiso_command_result_get_signal (get_result (osiiso_handle_get_error_details (killed))),
                   ==, SIGKILL);
  queue_free (queue);
}

static void
test_not_found (void)
{
  OsiisoQueue *queue = queue_new (1, 2);
  const char *argv[] = { "osiiso-no-such-program", NULL };
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);
  g_autoptr (OsiisoHandle) next = submit (queue, "exit 0", NULL);

  subprocess_join (queue);
  subprocess_expect (handle, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "osiiso-no-such-program");
  g_assert_null (osiiso_handle_get_error_details (handle));
  g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);
  queue_free (queue);
}

static void
test_retries (void)
{
  OsiisoQueue *queue = queue_new (1, 2);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *marker = g_build_filename (folder, "marker", NULL);
  g_autofree char *script = g_strdup_printf ("rmdir '%s' && echo done", marker);
  g_autofree char *script_once = g_strdup_printf ("%s || { mkdir '%s'; exit 1; }", script, marker);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 5, "retry-delay", 0.0, NULL);
  g_autoptr (OsiisoHandle) handle = submit (queue, script_once, options);

  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  assert_stdout (osiiso_handle_get_value (handle), "done\n");
  queue_free (queue);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

/* Both are needed for either to end. */
static void
test_at_once (void)
{
  OsiisoQueue *queue = queue_new (2, 2);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  TestPipe there, back;

  test_pipe_init (&there);
  test_pipe_init (&back);
  for (int i = 0; i < 2; i++)
    {
      TestPipe *own = i == 0 ? &there : &back;
      TestPipe *other = i == 0 ? &back : &there;
      g_autofree char *script =
        i == 0 ? g_strdup_printf ("echo from-%d >%s; cat %s", i, own->path, other->path)
               : g_strdup_printf ("cat %s; echo from-%d >%s", other->path, i, own->path);

      g_ptr_array_add (handles, submit (queue, script, NULL));
    }
  subprocess_join (queue);
  assert_stdout (osiiso_handle_get_value (handles->pdata[0]), "from-1\n");
  assert_stdout (osiiso_handle_get_value (handles->pdata[1]), "from-0\n");
  queue_free (queue);
  test_pipe_clear (&there);
  test_pipe_clear (&back);
}

/* No more at a time than there are workers. */
static void
test_one_at_a_time (void)
{
  OsiisoQueue *queue = queue_new (1, 2);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *script = g_strdup_printf ("mkdir '%s/lock' && rmdir '%s/lock'", folder, folder);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < 30; i++)
    g_ptr_array_add (handles, submit (queue, script, NULL));
  subprocess_join (queue);
  for (guint i = 0; i < handles->len; i++)
    g_assert_cmpint (osiiso_handle_get_status (handles->pdata[i]), ==, OSIISO_STATUS_SUCCEEDED);
  queue_free (queue);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_many (void)
{
  OsiisoQueue *queue = queue_new (4, 2);
  guint n_fds = 0;

  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

      for (guint i = 0; i < 100; i++)
        {
          g_autofree char *script = g_strdup_printf ("echo %u; exit %u", i, i % 2);

          g_ptr_array_add (handles, submit (queue, script, NULL));
        }
      subprocess_join (queue);
      for (guint i = 0; i < handles->len; i++)
        {
          g_autofree char *expected = g_strdup_printf ("%u\n", i);

          assert_stdout (i % 2 == 0 ? osiiso_handle_get_value (handles->pdata[i])
                                    : osiiso_handle_get_error_details (handles->pdata[i]), expected);
        }
      if (round == 0)
        n_fds = test_count_fds ();
    }
  g_assert_cmpuint (test_count_fds (), ==, n_fds);
  queue_free (queue);
}

static void
test_timeout (void)
{
  OsiisoQueue *queue = queue_new (1, 0.01);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.02, "retries", 1, "retry-delay", 0.0, NULL);
  g_autoptr (OsiisoHandle) listens = submit (queue, "exec sleep 1000", options);
  g_autoptr (OsiisoHandle) deaf = submit (queue, "trap '' TERM; sleep 1000; sleep 1000", options);
  g_autoptr (OsiisoHandle) suspended = submit (queue, "trap '' TERM; kill -STOP $$", options);
  g_autoptr (OsiisoHandle) next = submit (queue, "exit 0", NULL);

  subprocess_join (queue);
  subprocess_expect (listens, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "");
  g_assert_cmpuint (osiiso_handle_get_attempts (listens), ==, 2);
  subprocess_expect (deaf, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "");
  subprocess_expect (suspended, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "");
  g_assert_cmpint (osiiso_handle_get_status (next), ==, OSIISO_STATUS_SUCCEEDED);
  queue_free (queue);
}

static void
test_cancel (void)
{
  OsiisoQueue *queue = queue_new (1, 1000);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) waiting = NULL;
  g_autofree char *script = NULL;
  TestPipe pipe;
  int pidfd;

  /* The whole group: it is the shell's child that tells its id. */
  test_pipe_init (&pipe);
  script = g_strdup_printf ("sleep 1000 & echo $! >%s; wait", pipe.path);
  handle = submit (queue, script, NULL);
  waiting = submit (queue, "exit 0", NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  pidfd = test_pidfd_open (test_pipe_read (&pipe));
  osiiso_handle_cancel (handle);
  test_pidfd_await (pidfd);
  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_SUCCEEDED);
  queue_free (queue);
  test_pipe_clear (&pipe);
}

/* What was written until then is not lost. */
static void
test_cancel_output (void)
{
  OsiisoQueue *queue = queue_new (2, 0.01);
  TestPipe pipe;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *script = g_strdup_printf ("echo before; echo error >&2; echo $$ >%s; exec sleep 1000", pipe.path);
      g_autoptr (OsiisoHandle) handle = submit (queue, script, NULL);
      g_autofree char *out = NULL;
      g_autofree char *err = NULL;
      OsiisoCommandResult *result;

      test_pipe_read (&pipe);
      g_assert_true (osiiso_handle_cancel (handle));
      subprocess_join (queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
      result = g_value_get_boxed (osiiso_handle_get_error_details (handle));
      out = osiiso_command_result_dup_stdout_text (result);
      err = osiiso_command_result_dup_stderr_text (result);
      g_assert_cmpstr (out, ==, "before\n");
      g_assert_cmpstr (err, ==, "error\n");
      g_assert_cmpint (osiiso_command_result_get_exit_status (result), ==, -1);
      g_assert_cmpint (osiiso_command_result_get_signal (result), ==, 0);
      g_assert_cmpfloat (osiiso_command_result_get_duration (result), >, 0);
    }
  queue_free (queue);
  test_pipe_clear (&pipe);
}

static void
test_timeout_output (void)
{
  OsiisoQueue *queue = queue_new (1, 0.01);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.5, NULL);
  g_autoptr (OsiisoHandle) handle = submit (queue, "echo before; exec sleep 1000", options);
  g_autofree char *out = NULL;
  const GValue *details;

  subprocess_join (queue);
  subprocess_expect (handle, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "0.5s");
  /* It may not have got so far, or not even begun. */
  details = osiiso_handle_get_error_details (handle);
  if (details != NULL)
    out = osiiso_command_result_dup_stdout_text (g_value_get_boxed (details));
  if (out != NULL && *out != '\0')
    g_assert_cmpstr (out, ==, "before\n");
  queue_free (queue);
}

static void
test_shutdown (void)
{
  OsiisoQueue *queue = queue_new (1, 0.01);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autofree char *script = NULL;
  TestPipe pipe;

  test_pipe_init (&pipe);
  script = g_strdup_printf ("trap '' TERM; echo $$ >%s; exec sleep 1000", pipe.path);
  handle = submit (queue, script, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_pipe_read (&pipe);
  queue_free (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  test_pipe_clear (&pipe);
}

static void
test_limits (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("nice", 3, "cpu-time-limit", 77.0,
                                               "address-space-limit", (guint64) 1024 * 1024 * 1024, NULL);
  g_autoptr (OsiisoHandle) handle = submit (queue, "ulimit -v; ulimit -t; nice", NULL);
  g_autofree char *expected = NULL;

  subprocess_join (queue);
  expected = g_strdup_printf ("1048576\n77\n%d\n", MIN (getpriority (PRIO_PROCESS, 0) + 3, 19));
  assert_stdout (osiiso_handle_get_value (handle), expected);
  queue_free (queue);
}

/* What cannot be started is told as clearly with limits as without. */
static void
test_no_interpreter (gconstpointer niceness)
{
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", NULL);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "script", NULL);
  const char *argv[] = { path, NULL };
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue;

  g_object_set (backend, "nice", GPOINTER_TO_INT (niceness), NULL);
  queue = osiiso_queue_new_with_backend (backend);
  g_assert_true (g_file_set_contents_full (path, "#!/nowhere/interpreter\n", -1, G_FILE_SET_CONTENTS_NONE, 0755, &error));
  handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, &error);
  g_assert_no_error (error);
  subprocess_join (queue);
  subprocess_expect (handle, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "the interpreter that it asks for does not exist");
  g_assert_null (osiiso_handle_get_error_details (handle));
  queue_free (queue);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_with_calls (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < 10; i++)
    {
      g_ptr_array_add (handles, submit (queue, "echo x", NULL));
      g_ptr_array_add (handles, subprocess_submit (queue, "pid", NULL, NULL));
    }
  subprocess_join (queue);
  for (guint i = 0; i < handles->len; i++)
    g_assert_cmpint (osiiso_handle_get_status (handles->pdata[i]), ==, OSIISO_STATUS_SUCCEEDED);
  queue_free (queue);
}

static void
test_descriptors (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;

  /* A worker is there, too; 3 is the folder. */
  g_free (subprocess_call (queue, "pid", NULL));
  handle = submit (queue, "ls /proc/self/fd", NULL);
  subprocess_join (queue);
  assert_stdout (osiiso_handle_get_value (handle), "0\n1\n2\n3\n");
  queue_free (queue);
}

static void
test_group (void)
{
  OsiisoQueue *queue = queue_new (2, 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  const char *argv[] = { "/bin/sh", "-c", "echo out; exit 1", NULL };
  g_autoptr (OsiisoHandle) handle = osiiso_group_submit_command (group, argv, NULL, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;

  subprocess_join (queue);
  summary = osiiso_group_wait (group, -1, NULL, NULL);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  assert_stdout (osiiso_handle_get_error_details (handle), "out\n");
  queue_free (queue);
}

/* Files that cannot be executed, and what the error of that is. */
static void
test_cannot_start (gconstpointer data)
{
  const gboolean limits = GPOINTER_TO_INT (data);
  OsiisoQueue *queue = subprocess_c_queue_new ("nice", limits ? 1 : 0, NULL);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *loop = g_build_filename (folder, "loop", NULL);
  g_autofree char *text = g_build_filename (folder, "text", NULL);
  g_autofree char *busy = g_build_filename (folder, "busy", NULL);
  g_autofree char *below = g_build_filename (text, "program", NULL);
  g_autofree char *nothing = g_strnfill (5000, 'x');
  g_autofree char *name = g_strconcat ("/", nothing, NULL);
  g_autofree char *program = NULL;
  gsize length;
  const struct
  {
    const char *path;
    int         code;
  } cases[] = {
    { loop, G_SPAWN_ERROR_LOOP },    { name, G_SPAWN_ERROR_NAMETOOLONG }, { busy, G_SPAWN_ERROR_TXTBUSY },
    { below, G_SPAWN_ERROR_NOTDIR }, { folder, G_SPAWN_ERROR_ACCES },
  };
  int fd;

  g_assert_no_errno (symlink ("loop", loop));
  g_assert_true (g_file_set_contents_full (text, "\001\002\003", 3, 0, 0700, NULL));
  g_assert_true (g_file_get_contents ("/bin/true", &program, &length, NULL));
  g_assert_true (g_file_set_contents_full (busy, program, (gssize) length, 0, 0700, NULL));
  fd = open (busy, O_WRONLY | O_CLOEXEC);
  g_assert_no_errno (fd);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *argv[] = { cases[i].path, NULL };
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);

      g_test_message ("%.100s", cases[i].path);
      subprocess_join (queue);
      subprocess_expect (handle, G_SPAWN_ERROR, cases[i].code, "Cannot start");
    }

  close (fd);
  queue_free (queue);
  g_unlink (loop);
  g_unlink (text);
  g_unlink (busy);
  g_rmdir (folder);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/commands/success", test_success);
  g_test_add_func ("/commands/failure", test_failure);
  test_add_native ("/commands/not-found", test_not_found);
  g_test_add_func ("/commands/retries", test_retries);
  g_test_add_func ("/commands/at-once", test_at_once);
  g_test_add_func ("/commands/one-at-a-time", test_one_at_a_time);
  g_test_add_func ("/commands/many", test_many);
  g_test_add_func ("/commands/timeout", test_timeout);
  g_test_add_func ("/commands/cancel", test_cancel);
  g_test_add_func ("/commands/output/cancelled", test_cancel_output);
  g_test_add_func ("/commands/output/timed-out", test_timeout_output);
  g_test_add_func ("/commands/shutdown", test_shutdown);
  g_test_add_func ("/commands/limits", test_limits);
  if (!test_under_valgrind ())
    {
      g_test_add_data_func ("/commands/no-interpreter/plain", GINT_TO_POINTER (0), test_no_interpreter);
      g_test_add_data_func ("/commands/no-interpreter/limits", GINT_TO_POINTER (1), test_no_interpreter);
      g_test_add_data_func ("/commands/cannot-start/plain", GINT_TO_POINTER (FALSE), test_cannot_start);
      g_test_add_data_func ("/commands/cannot-start/limits", GINT_TO_POINTER (TRUE), test_cannot_start);
    }
  g_test_add_func ("/commands/with-calls", test_with_calls);
  g_test_add_func ("/commands/descriptors", test_descriptors);
  g_test_add_func ("/commands/group", test_group);
  return g_test_run ();
}
