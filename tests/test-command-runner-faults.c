/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <osiiso.h>

#include "osiiso-command-runner.h"
#include "test-faults.h"
#include "test-valgrind.h"

/* Runs of commands whose calls of the C library fail one after the other, and what is seen
 * of a run by others at times when there is little to be seen. */

typedef struct
{
  OsiisoCommandRunner *runner;
  OsiisoCommandResult *result; /* (nullable) (owned) */
  OsiisoCommandResult *peeked; /* (nullable) (owned): when it was over */
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

  run->over = TRUE;
  run->result = result != NULL ? osiiso_command_result_ref (result) : NULL;
  run->error = error != NULL ? g_error_copy (error) : NULL;
  if (result != NULL)
    run->peeked = osiiso_command_runner_peek_result (runner);
  osiiso_command_runner_free (g_steal_pointer (&run->runner));
}

static gboolean
run_start (Run           *run,
           OsiisoCommand *command,
           GError       **error)
{
  *run = (Run) { 0 };
  run->runner = osiiso_command_runner_start (command, NULL, NULL, run_done, run, error);
  return run->runner != NULL;
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
  g_clear_pointer (&run->peeked, osiiso_command_result_unref);
  g_clear_error (&run->error);
}

static OsiisoCommand *
shell (const char *script,
       const char *input) /* (nullable) */
{
  OsiisoCommand *command = osiiso_command_new ((const char *[]) { "/bin/sh", "-c", script, NULL });
  g_autoptr (GBytes) bytes = input != NULL ? g_bytes_new (input, strlen (input)) : NULL;

  osiiso_command_set_stdin_bytes (command, bytes);
  return command;
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

/* Whether it has happened. */
static gboolean
try_fault (const char *name,
           int         number,
           gboolean    hidden,
           gboolean    merged,
           guint       at)
{
  g_autoptr (OsiisoCommand) command = shell ("cat; echo err >&2", "text");
  g_autoptr (GError) error = NULL;
  const guint before = count_fds ();
  gboolean happened;
  Run run;

  osiiso_command_set_merge_stderr (command, merged);
  test_faults_set (name, at, number, FALSE);
  if (run_start (&run, command, &error))
    {
      g_autofree char *text = NULL;

      run_await (&run);
      happened = test_faults_clear ();
      text = osiiso_command_result_dup_stdout_text (run.result);
      if (!happened || hidden)
        {
          g_assert_no_error (run.error);
          g_assert_cmpstr (text, ==, merged ? "texterr\n" : "text");
        }
      /* What it writes into a pipe that nobody reads any more may end it. */
      else if (run.error != NULL)
        g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, SIGPIPE);
      /* It stays what it was. */
      g_assert_true (run.peeked == run.result);
    }
  else
    {
      happened = test_faults_clear ();
      g_assert_true (happened && !hidden);
      g_assert_true (error->domain == G_SPAWN_ERROR);
      g_assert_nonnull (strstr (error->message, "/bin/sh"));
      g_assert_nonnull (strstr (error->message, g_strerror (number)));
    }
  run_clear (&run);
  g_assert_cmpuint (count_fds (), ==, before);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  return happened;
}

static void
sweep (void)
{
  static const struct
  {
    const char *name;
    int         number;
    gboolean    hidden;
  } faults[] = {
    { "pipe2", EMFILE, FALSE },
    { "fcntl", EMFILE, FALSE },
    { "posix_spawn", EAGAIN, FALSE },
    { "read", EINTR, TRUE },
    { "read", EAGAIN, TRUE },
    { "read", EIO, FALSE },
    { "write", EINTR, TRUE },
    { "write", EAGAIN, TRUE },
    { "write", EIO, FALSE },
  };
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      for (guint merged = 0; merged < 2; merged++)
        {
          guint at = 1;

          while (try_fault (faults[i].name, faults[i].number, faults[i].hidden, merged != 0, at))
            at++;
          n += at - 1;
        }
    }
  g_assert_cmpuint (n, >, 25);
}

static void
test_sweep (void)
{
  sweep ();
}

/* Pipes that would be its standard streams have to move first. */
static void
test_closed_input (void)
{
  const int saved = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 10);

  close (STDIN_FILENO);
  sweep ();
  if (saved >= 0)
    {
      dup2 (saved, STDIN_FILENO);
      close (saved);
    }
}

static gboolean
is_pending (int signum)
{
  sigset_t pending;

  sigpending (&pending);
  return sigismember (&pending, signum) == 1;
}

/* A program that does not read its input raises nothing here, and takes nothing away of
 * what was raised by others. */
static void
test_no_reader (void)
{
  g_autofree char *input = g_strnfill (1 << 20, 'i');
  sigset_t pipe_signal, old;

  sigemptyset (&pipe_signal);
  sigaddset (&pipe_signal, SIGPIPE);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoCommand) command = shell ("exec <&-; exec sleep 1000", input);
      guint n_open;
      Run run;

      pthread_sigmask (SIG_BLOCK, &pipe_signal, &old);
      if (i == 1)
        raise (SIGPIPE);
      if (i == 2)
        test_faults_set ("sigtimedwait", 1, EINTR, FALSE);
      g_assert_true (run_start (&run, command, NULL));
      /* Until it has seen that nobody reads. */
      n_open = count_fds ();
      while (count_fds () == n_open)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (test_faults_clear (), ==, i == 2);
      g_assert_false (run.over);
      g_assert_cmpint (is_pending (SIGPIPE), ==, i == 1);
      if (i == 1)
        g_assert_cmpint (sigwaitinfo (&pipe_signal, NULL), ==, SIGPIPE);
      pthread_sigmask (SIG_SETMASK, &old, NULL);
      osiiso_command_runner_interrupt (run.runner, 0);
      run_await (&run);
      g_assert_cmpint (osiiso_command_result_get_signal (run.result), ==, SIGKILL);
      run_clear (&run);
    }
}

/* Whoever has its output outlives it: it has lasted as long as itself. */
static void
test_ended (void)
{
  g_autoptr (OsiisoCommand) command = shell ("sleep 1000 & echo $!", NULL);
  g_autofree char *text = NULL;
  double duration;
  Run run;

  g_assert_true (run_start (&run, command, NULL));
  do
    {
      OsiisoCommandResult *result = osiiso_command_runner_peek_result (run.runner);

      duration = osiiso_command_result_get_duration (result);
      osiiso_command_result_unref (result);
      g_main_context_iteration (NULL, TRUE);
    }
  while (!run.over);
  /* That of the last look, when it had ended, or before. */
  g_assert_cmpfloat (duration, <=, osiiso_command_result_get_duration (run.result));
  g_assert_no_error (run.error);
  text = osiiso_command_result_dup_stdout_text (run.result);
  g_assert_cmpint (kill (atoi (text), SIGKILL), ==, 0);
  run_clear (&run);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  /* Has a descriptor, which is not counted. */
  g_main_context_default ();

  test_add_native ("/runner-faults/sweep", test_sweep);
  test_add_native ("/runner-faults/closed-input", test_closed_input);
  g_test_add_func ("/runner-faults/no-reader", test_no_reader);
  g_test_add_func ("/runner-faults/ended", test_ended);

  return g_test_run ();
}
