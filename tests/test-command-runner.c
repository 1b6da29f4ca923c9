/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <osiiso.h>

#include "osiiso-command-runner.h"
#include "test-valgrind.h"

/* Runs of commands without a queue. Children and the test meet at files and
 * pipes; nobody sleeps. */

#define LONG (1000 * (gint64) G_USEC_PER_SEC)
#define MEBI (1024 * 1024)

typedef struct
{
  OsiisoCommandRunner *runner;
  OsiisoCommandResult *result;
  GError              *error;
  gboolean             over;
} Run;

static void
run_done (OsiisoCommandRunner *runner,
          OsiisoCommandResult *result,
          const GError        *error,
          gpointer             user_data)
{
  Run *run = user_data;

  g_assert_false (run->over);
  g_assert_true (runner == run->runner);
  run->over = TRUE;
  run->result = result != NULL ? osiiso_command_result_ref (result) : NULL;
  run->error = error != NULL ? g_error_copy (error) : NULL;
  osiiso_command_runner_free (g_steal_pointer (&run->runner));
}

static void
run_start (Run           *run,
           OsiisoCommand *command)
{
  g_autoptr (GError) error = NULL;

  *run = (Run) { 0 };
  run->runner = osiiso_command_runner_start (command, NULL, NULL, run_done, run, &error);
  g_assert_no_error (error);
  g_assert_nonnull (run->runner);
}

static void
run_await (Run *run)
{
  while (!run->over)
    g_main_context_iteration (NULL, TRUE);
}

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->result, osiiso_command_result_unref);
  g_clear_error (&run->error);
}

static void
run_through (Run           *run,
             OsiisoCommand *command)
{
  run_start (run, command);
  run_await (run);
}

static OsiisoCommand *
shell (const char *script)
{
  return osiiso_command_new ((const char *[]) { "/bin/sh", "-c", script, NULL });
}

static void
assert_output (GBytes     *bytes,
               const char *expected)
{
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));

  g_assert_cmpstr (text, ==, expected);
}

static void
set_input (OsiisoCommand *command,
           const char    *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));

  osiiso_command_set_stdin_bytes (command, bytes);
}

static guint
count_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (folder) != NULL)
    n++;
  return n;
}

static void
test_success (void)
{
  g_autoptr (OsiisoCommand) command = shell ("echo out; echo err >&2");
  Run run;

  run_through (&run, command);
  g_assert_no_error (run.error);
  g_assert_cmpint (osiiso_command_result_get_exit_status (run.result), ==, 0);
  g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, 0);
  assert_output (osiiso_command_result_get_stdout (run.result), "out\n");
  assert_output (osiiso_command_result_get_stderr (run.result), "err\n");
  g_assert_cmpuint (osiiso_command_result_get_stdout_dropped (run.result), ==, 0);
  g_assert_cmpuint (osiiso_command_result_get_stderr_dropped (run.result), ==, 0);
  g_assert_cmpfloat (osiiso_command_result_get_duration (run.result), >, 0);
  g_assert_cmpfloat (osiiso_command_result_get_user_time (run.result) +
                     osiiso_command_result_get_system_time (run.result), >, 0);
  run_clear (&run);
}

static void
test_no_output (void)
{
  g_autoptr (OsiisoCommand) command = shell ("read line && exit 9; exit 0");
  Run run;

  /* There is nothing to read either. */
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "");
  assert_output (osiiso_command_result_get_stderr (run.result), "");
  run_clear (&run);
}

static void
test_exit_status (void)
{
  g_autoptr (OsiisoCommand) command = shell ("echo out; echo why >&2; exit 37");
  Run run;

  run_through (&run, command);
  g_assert_error (run.error, G_SPAWN_EXIT_ERROR, 37);
  g_assert_true (g_str_has_prefix (run.error->message, "/bin/sh: "));
  g_assert_cmpint (osiiso_command_result_get_exit_status (run.result), ==, 37);
  g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, 0);
  assert_output (osiiso_command_result_get_stdout (run.result), "out\n");
  assert_output (osiiso_command_result_get_stderr (run.result), "why\n");
  run_clear (&run);
}

static void
test_signal (void)
{
  g_autoptr (OsiisoCommand) command = shell ("echo out; kill -USR1 $$");
  Run run;

  run_through (&run, command);
  g_assert_error (run.error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED);
  g_assert_cmpint (osiiso_command_result_get_exit_status (run.result), ==, -1);
  g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, SIGUSR1);
  assert_output (osiiso_command_result_get_stdout (run.result), "out\n");
  run_clear (&run);
}

static void
test_input (void)
{
  g_autoptr (OsiisoCommand) command = osiiso_command_new ((const char *[]) { "cat", NULL });
  Run run;

  set_input (command, "one\ntwo");
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "one\ntwo");
  run_clear (&run);

  set_input (command, "");
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "");
  run_clear (&run);
}

static GBytes *
pattern (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + i / 251);
  return g_bytes_new_take (data, size);
}

/* More than the pipes hold, both ways at once. */
static void
test_full_pipes (void)
{
  g_autoptr (OsiisoCommand) command = osiiso_command_new ((const char *[]) { "cat", NULL });
  g_autoptr (GBytes) input = pattern (10 * MEBI);
  Run run;

  osiiso_command_set_stdin_bytes (command, input);
  osiiso_command_set_output_limit (command, 20 * MEBI);
  run_through (&run, command);
  g_assert_no_error (run.error);
  g_assert_true (g_bytes_equal (osiiso_command_result_get_stdout (run.result), input));
  run_clear (&run);
}

/* Prints all before it reads anything. */
static void
test_full_pipes_output_first (void)
{
  g_autoptr (OsiisoCommand) command = shell ("head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; wc -c");
  g_autoptr (GBytes) input = pattern (10 * MEBI);
  GBytes *out;
  Run run;

  osiiso_command_set_stdin_bytes (command, input);
  osiiso_command_set_output_limit (command, 20 * MEBI);
  run_through (&run, command);
  g_assert_no_error (run.error);
  out = osiiso_command_result_get_stdout (run.result);
  g_assert_cmpuint (g_bytes_get_size (out), ==, 10 * MEBI + strlen ("10485760\n"));
  g_assert_cmpmem ((const char *) g_bytes_get_data (out, NULL) + 10 * MEBI, strlen ("10485760\n"),
                   "10485760\n", strlen ("10485760\n"));
  g_assert_cmpuint (g_bytes_get_size (osiiso_command_result_get_stderr (run.result)), ==, 10 * MEBI);
  run_clear (&run);
}

/* Who does not read its input is not killed by it, nor are we. */
static void
test_input_is_not_read (void)
{
  g_autoptr (OsiisoCommand) command = shell ("exec <&-; echo done");
  g_autoptr (OsiisoCommand) later = shell ("head -c 1 >&2; exec <&-; echo done");
  g_autoptr (GBytes) input = pattern (MEBI);
  sigset_t pending;
  Run run;

  signal (SIGPIPE, SIG_DFL);
  osiiso_command_set_stdin_bytes (command, input);
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "done\n");
  run_clear (&run);

  osiiso_command_set_stdin_bytes (later, input);
  run_through (&run, later);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "done\n");
  run_clear (&run);

  sigpending (&pending);
  g_assert_false (sigismember (&pending, SIGPIPE));
}

static void
test_output_limit (void)
{
  g_autoptr (OsiisoCommand) command = shell ("printf 0123456789; printf abcdef >&2; head -c 3000000 /dev/zero");
  Run run;

  osiiso_command_set_output_limit (command, 4);
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "0123");
  g_assert_cmpuint (osiiso_command_result_get_stdout_dropped (run.result), ==, 3000006);
  assert_output (osiiso_command_result_get_stderr (run.result), "abcd");
  g_assert_cmpuint (osiiso_command_result_get_stderr_dropped (run.result), ==, 2);
  run_clear (&run);

  osiiso_command_set_output_limit (command, 0);
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "");
  g_assert_cmpuint (osiiso_command_result_get_stdout_dropped (run.result), ==, 3000010);
  g_assert_cmpuint (osiiso_command_result_get_stderr_dropped (run.result), ==, 6);
  run_clear (&run);

  osiiso_command_set_output_limit (command, G_MAXUINT64);
  run_through (&run, command);
  g_assert_cmpuint (osiiso_command_result_get_stdout_dropped (run.result), ==, 0);
  g_assert_cmpuint (g_bytes_get_size (osiiso_command_result_get_stdout (run.result)), ==, 3000010);
  run_clear (&run);
}

static void
test_merge_stderr (void)
{
  g_autoptr (OsiisoCommand) command = shell ("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
  Run run;

  osiiso_command_set_merge_stderr (command, TRUE);
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "1\n2\n3\n4\n");
  assert_output (osiiso_command_result_get_stderr (run.result), "");
  run_clear (&run);
}

static void
test_place (void)
{
  g_autoptr (OsiisoCommand) command = shell ("pwd; echo \"$ONE|$HOME\"");
  Run run;

  osiiso_command_set_cwd (command, "/");
  osiiso_command_set_environ (command, (const char *[]) { "ONE=yes", NULL });
  run_through (&run, command);
  g_assert_no_error (run.error);
  assert_output (osiiso_command_result_get_stdout (run.result), "/\nyes|\n");
  run_clear (&run);
}

static void
assert_start_fails (OsiisoCommand *command,
                    int            code,
                    const char    *mentions)
{
  guint before = count_fds ();
  g_autoptr (GError) error = NULL;
  Run run = { 0 };

  g_assert_null (osiiso_command_runner_start (command, NULL, NULL, run_done, &run, &error));
  g_assert_error (error, G_SPAWN_ERROR, code);
  g_assert_nonnull (strstr (error->message, mentions));
  g_assert_cmpuint (count_fds (), ==, before);
  g_assert_false (g_main_context_pending (NULL));
  g_assert_false (run.over);
}

static void
test_errors (void)
{
  g_autoptr (OsiisoCommand) missing = osiiso_command_new ((const char *[]) { "osiiso-no-such-program", NULL });
  g_autoptr (OsiisoCommand) cannot = osiiso_command_new ((const char *[]) { "/dev/null", NULL });
  g_autoptr (OsiisoCommand) nowhere = shell ("exit 0");

  set_input (missing, "more than nothing");
  assert_start_fails (missing, G_SPAWN_ERROR_NOENT, "osiiso-no-such-program");
  assert_start_fails (cannot, G_SPAWN_ERROR_ACCES, "/dev/null");
  osiiso_command_set_cwd (nowhere, "/nowhere");
  assert_start_fails (nowhere, G_SPAWN_ERROR_CHDIR, "/nowhere");
}

static void
test_interrupt (void)
{
  /* Each of them is stopped in another way. */
  const char *scripts[] = {
    "echo x; exec sleep 1000",
    "trap '' TERM; echo x; exec sleep 1000",
    "echo x; sleep 1000 & sleep 1000",
    "sh -c 'trap \"\" TERM; echo x; exec sleep 1000' & sleep 1000; wait",
  };
  const int signals[] = { SIGTERM, SIGKILL, SIGTERM, SIGTERM };

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (OsiisoCommand) command = NULL;
      g_autofree char *script = NULL;
      int ready[2];
      char byte;
      Run run;

      g_assert_true (g_unix_open_pipe (ready, FD_CLOEXEC, NULL));
      /* The children open our pipe by its name. */
      script = g_strdup_printf ("exec >/proc/%d/fd/%d; %s", (int) getpid (), ready[1], scripts[i]);
      command = shell (script);
      run_start (&run, command);
      g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
      osiiso_command_runner_interrupt (run.runner, signals[i] == SIGKILL ? 1000 : LONG);
      run_await (&run);
      g_assert_nonnull (run.error);
      g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, signals[i]);
      run_clear (&run);
      /* All who had the pipe are gone. */
      close (ready[1]);
      while (read (ready[0], &byte, 1) > 0)
        ;
      close (ready[0]);
    }
}

static void
test_interrupt_suspended (void)
{
  g_autoptr (OsiisoCommand) command = shell ("trap '' TERM; kill -STOP $$");
  siginfo_t info;
  pid_t pid;
  Run run;

  run_start (&run, command);
  pid = osiiso_command_runner_get_pid (run.runner);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WSTOPPED | WNOWAIT), ==, 0);
  g_assert_cmpint (info.si_code, ==, CLD_STOPPED);
  osiiso_command_runner_interrupt (run.runner, 0);
  run_await (&run);
  g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, SIGKILL);
  run_clear (&run);
}

/* Somebody who outlives the command and keeps its output open. What was printed
 * is there; it goes on, and may even print. */
static void
test_left_behind (void)
{
  g_autoptr (OsiisoCommand) command = NULL;
  g_autofree char *script = NULL;
  char buffer[16] = { 0 };
  int go[2], tell[2];
  gint64 start = g_get_monotonic_time ();
  Run run;

  g_assert_true (g_unix_open_pipe (go, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_open_pipe (tell, FD_CLOEXEC, NULL));
  script = g_strdup_printf ("{ read line; echo $line >&3; } </proc/%d/fd/%d 3>/proc/%d/fd/%d & echo out; exit 4",
                            (int) getpid (), go[0], (int) getpid (), tell[1]);
  command = shell (script);
  run_through (&run, command);
  g_assert_error (run.error, G_SPAWN_EXIT_ERROR, 4);
  assert_output (osiiso_command_result_get_stdout (run.result), "out\n");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, OSIISO_COMMAND_LINGER_US);
  run_clear (&run);

  g_assert_cmpint (write (go[1], "alive\n", 6), ==, 6);
  g_assert_cmpint (read (tell[0], buffer, sizeof buffer), ==, 6);
  g_assert_cmpstr (buffer, ==, "alive\n");
  close (go[0]);
  close (go[1]);
  close (tell[0]);
  close (tell[1]);
}

/* One that prints for ever does not keep the run from its end. */
static void
test_left_behind_printing (void)
{
  g_autoptr (OsiisoCommand) command = shell ("yes & exit 0");
  Run run;

  run_through (&run, command);
  g_assert_no_error (run.error);
  run_clear (&run);
}

static void
test_interrupt_left_behind (void)
{
  g_autoptr (OsiisoCommand) command = NULL;
  g_autofree char *script = NULL;
  siginfo_t info = { 0 };
  pid_t pid;
  int go[2];
  Run run;

  g_assert_true (g_unix_open_pipe (go, FD_CLOEXEC, NULL));
  script = g_strdup_printf ("read line </proc/%d/fd/%d & exit 0", (int) getpid (), go[0]);
  command = shell (script);
  run_start (&run, command);
  pid = osiiso_command_runner_get_pid (run.runner);
  /* Until it has been waited for, so that only the pipe is left. */
  while (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOWAIT) == 0 && !run.over)
    g_main_context_iteration (NULL, TRUE);
  if (!run.over)
    osiiso_command_runner_interrupt (run.runner, LONG);
  run_await (&run);
  g_assert_no_error (run.error);
  run_clear (&run);
  close (go[0]);
  close (go[1]);
}

static void
test_free_early (void)
{
  g_autoptr (OsiisoCommand) command = shell ("exec sleep 1000");
  guint before = count_fds ();
  siginfo_t info;
  Run run;

  run_start (&run, command);
  osiiso_command_runner_free (run.runner);
  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (errno, ==, ECHILD);
  g_assert_false (run.over);
  g_assert_cmpuint (count_fds (), ==, before);
}

static void
test_no_leak (void)
{
  g_autoptr (OsiisoCommand) command = shell ("cat; echo err >&2");
  guint before = 0;

  set_input (command, "text");
  for (guint i = 0; i < 500; i++)
    {
      Run run;

      run_through (&run, command);
      g_assert_no_error (run.error);
      run_clear (&run);
      if (i == 0)
        before = count_fds ();
    }
  g_assert_cmpuint (count_fds (), ==, before);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

/* Each descriptor that is missing is noticed, and none of the others stays. */
static void
test_out_of_fds (void)
{
  g_autoptr (OsiisoCommand) command = NULL;
  guint n_failed = 0;
  int fds[64];
  guint n = 0;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  command = shell ("cat");
  set_input (command, "text");
  g_assert_false (g_main_context_pending (NULL));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit) { 64, 64 }), ==, 0);
  while ((fds[n] = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n++;
  for (;;)
    {
      g_autoptr (GError) error = NULL;
      Run run = { 0 };

      run.runner = osiiso_command_runner_start (command, NULL, NULL, run_done, &run, &error);
      if (run.runner != NULL)
        {
          run_await (&run);
          g_assert_no_error (run.error);
          assert_output (osiiso_command_result_get_stdout (run.result), "text");
          run_clear (&run);
          break;
        }
      g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_MFILE);
      n_failed++;
      close (fds[--n]);
    }
  /* Two for each of three pipes; the child's were needed when the pidfd was. */
  g_assert_cmpuint (n_failed, ==, 6);
}

static void
test_many_at_once (void)
{
  Run runs[20];

  for (guint i = 0; i < G_N_ELEMENTS (runs); i++)
    {
      g_autofree char *script = g_strdup_printf ("cat; exit %u", i);
      g_autoptr (OsiisoCommand) command = shell (script);

      set_input (command, script);
      run_start (&runs[i], command);
    }
  for (guint i = 0; i < G_N_ELEMENTS (runs); i++)
    {
      g_autofree char *script = g_strdup_printf ("cat; exit %u", i);

      run_await (&runs[i]);
      g_assert_cmpint (osiiso_command_result_get_exit_status (runs[i].result), ==, i);
      assert_output (osiiso_command_result_get_stdout (runs[i].result), script);
      run_clear (&runs[i]);
    }
}

static void
test_status_is_lost (void)
{
  g_autoptr (OsiisoCommand) command = shell ("exit 0");
  Run run;

  signal (SIGCHLD, SIG_IGN);
  run_through (&run, command);
  signal (SIGCHLD, SIG_DFL);
  g_assert_error (run.error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_null (run.result);
  run_clear (&run);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/command-runner/success", test_success);
  g_test_add_func ("/command-runner/no-output", test_no_output);
  g_test_add_func ("/command-runner/exit-status", test_exit_status);
  g_test_add_func ("/command-runner/signal", test_signal);
  g_test_add_func ("/command-runner/input", test_input);
  g_test_add_func ("/command-runner/full-pipes", test_full_pipes);
  g_test_add_func ("/command-runner/full-pipes/output-first", test_full_pipes_output_first);
  g_test_add_func ("/command-runner/input-is-not-read", test_input_is_not_read);
  g_test_add_func ("/command-runner/output-limit", test_output_limit);
  g_test_add_func ("/command-runner/merge-stderr", test_merge_stderr);
  g_test_add_func ("/command-runner/place", test_place);
  test_add_native ("/command-runner/errors", test_errors);
  g_test_add_func ("/command-runner/interrupt", test_interrupt);
  g_test_add_func ("/command-runner/interrupt/suspended", test_interrupt_suspended);
  g_test_add_func ("/command-runner/interrupt/left-behind", test_interrupt_left_behind);
  g_test_add_func ("/command-runner/left-behind", test_left_behind);
  g_test_add_func ("/command-runner/left-behind/printing", test_left_behind_printing);
  g_test_add_func ("/command-runner/free-early", test_free_early);
  g_test_add_func ("/command-runner/no-leak", test_no_leak);
  test_add_native ("/command-runner/out-of-fds", test_out_of_fds);
  g_test_add_func ("/command-runner/many-at-once", test_many_at_once);
  g_test_add_func ("/command-runner/status-is-lost", test_status_is_lost);
  return g_test_run ();
}
