/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-pidfd.h"
#include "test-process.h"
#include "test-valgrind.h"

/* Child processes, how they end and are ended. They and the test meet at pipes: a child says that
 * it got somewhere by writing, and waits by reading what nobody writes. */

static void
child_exited (OsiisoProcess       *process,
              int                  status,
              const struct rusage *usage,
              gpointer             user_data)
{
  Child *child = user_data;

  g_assert_false (child->over);
  g_assert_true (process == child->process);
  g_assert_true (osiiso_process_has_exited (process));
  child->over = TRUE;
  child->status = status;
  child->usage = *usage;
  if (child->free_it)
    osiiso_process_free (g_steal_pointer (&child->process));
}

void
test_child_start (Child                   *child,
                  const OsiisoProcessSpec *spec)
{
  g_autoptr (GError) error = NULL;

  *child = (Child) { 0 };
  child->process = osiiso_process_spawn (spec, NULL, child_exited, child, &error);
  g_assert_no_error (error);
  g_assert_nonnull (child->process);
  g_assert_cmpint (osiiso_process_get_pid (child->process), >, 1);
  g_assert_false (osiiso_process_has_exited (child->process));
}

void
test_child_await (Child *child)
{
  while (!child->over)
    g_main_context_iteration (NULL, TRUE);
  g_clear_pointer (&child->process, osiiso_process_free);
}

void
test_assert_exit_status (const Child *child,
                         int          expected)
{
  g_assert_true (WIFEXITED (child->status));
  g_assert_cmpint (WEXITSTATUS (child->status), ==, expected);
}

void
test_assert_signal (const Child *child,
                    int          expected)
{
  g_assert_true (WIFSIGNALED (child->status));
  g_assert_cmpint (WTERMSIG (child->status), ==, expected);
}

static void
open_pipe (int *fds)
{
  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
}

char *
test_read_all (int fd)
{
  GString *text = g_string_new (NULL);
  char buffer[4096];
  ssize_t n;

  while ((n = read (fd, buffer, sizeof buffer)) != 0)
    {
      if (n < 0 && errno == EINTR)
        continue;
      g_assert_cmpint (n, >, 0);
      g_string_append_len (text, buffer, n);
    }
  close (fd);
  return g_string_free (text, FALSE);
}

void
test_read_byte (int fd)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
}

int
test_child_start_with_output (Child             *child,
                              OsiisoProcessSpec *spec)
{
  int out[2];

  open_pipe (out);
  spec->fds[1] = out[1];
  test_child_start (child, spec);
  close (out[1]);
  spec->fds[1] = -1;
  return out[0];
}

char *
test_run_and_read (OsiisoProcessSpec *spec)
{
  Child child;
  char *text = test_read_all (test_child_start_with_output (&child, spec));

  test_child_await (&child);
  test_assert_exit_status (&child, 0);
  return text;
}

GError *
test_spawn_error (const OsiisoProcessSpec *spec)
{
  Child child = { 0 };
  GError *error = NULL;

  g_assert_null (osiiso_process_spawn (spec, NULL, child_exited, &child, &error));
  g_assert_nonnull (error);
  /* Nothing is left to be waited for. */
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
  return error;
}

guint
test_count_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (folder) != NULL)
    n++;
  return n;
}

static void
test_exit_status (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = SHELL ("exit 0");
  test_child_start (&child, &spec);
  test_child_await (&child);
  test_assert_exit_status (&child, 0);

  spec.argv = SHELL ("exit 37");
  test_child_start (&child, &spec);
  child.free_it = TRUE;
  test_child_await (&child);
  test_assert_exit_status (&child, 37);

  spec.argv = SHELL ("kill -USR1 $$");
  test_child_start (&child, &spec);
  test_child_await (&child);
  test_assert_signal (&child, SIGUSR1);
}

static void
test_stop (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  /* Ends by SIGTERM, long before the grace is over. */
  spec.argv = (const char *[]) { "sleep", "1000", NULL };
  spec.search_path = TRUE;
  test_child_start (&child, &spec);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  osiiso_process_stop (child.process, G_MAXINT64);
  test_child_await (&child);
  test_assert_signal (&child, SIGTERM);

  test_child_start (&child, &spec);
  osiiso_process_kill (child.process);
  osiiso_process_kill (child.process);
  osiiso_process_stop (child.process, 1);
  test_child_await (&child);
  test_assert_signal (&child, SIGKILL);

  /* No grace is no SIGTERM. */
  test_child_start (&child, &spec);
  osiiso_process_stop (child.process, 0);
  test_child_await (&child);
  test_assert_signal (&child, SIGKILL);
}

static void
test_stop_handled (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;
  int fd;

  spec.argv = SHELL ("trap 'exit 5' TERM; echo x; while :; do :; done");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  test_child_await (&child);
  test_assert_exit_status (&child, 5);
  close (fd);
}

static void
test_stop_ignored (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;
  int fd;

  spec.argv = SHELL ("trap '' TERM; echo x; exec sleep 1000");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  /* The time can become shorter. */
  osiiso_process_stop (child.process, 1000);
  test_child_await (&child);
  test_assert_signal (&child, SIGKILL);
  close (fd);
}

/* Returns when the child is stopped. */
static void
suspend (Child *child)
{
  pid_t pid = osiiso_process_get_pid (child->process);
  siginfo_t info;

  g_assert_cmpint (kill (pid, SIGSTOP), ==, 0);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WSTOPPED | WNOWAIT), ==, 0);
}

static void
test_stop_suspended (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;
  int fd;

  spec.argv = SHELL ("exec sleep 1000");
  test_child_start (&child, &spec);
  suspend (&child);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  test_child_await (&child);
  test_assert_signal (&child, SIGTERM);

  spec.argv = SHELL ("trap '' TERM CONT; echo x; exec sleep 1000");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  suspend (&child);
  osiiso_process_stop (child.process, 1000);
  test_child_await (&child);
  test_assert_signal (&child, SIGKILL);
  close (fd);
}

static void
test_group_is_stopped (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  Child child;
  int fd;

  spec.argv = SHELL ("sleep 1000 & echo x; wait");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  test_child_await (&child);
  test_assert_signal (&child, SIGTERM);
  /* Nobody holds the pipe any more. */
  rest = test_read_all (fd);
}

static void
test_group_after_stop (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  Child child;
  int fd;

  /* What outlives its leader is killed with it. */
  spec.argv = SHELL ("sh -c 'trap \"\" TERM; echo x; exec sleep 1000' & wait");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  test_child_await (&child);
  test_assert_signal (&child, SIGTERM);
  rest = test_read_all (fd);
}

static void
test_group_after_end (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  Child child;
  int in[2];
  int fd;

  /* Who ends by itself may leave others behind. */
  open_pipe (in);
  spec.argv = SHELL ("{ read line <&3; echo $line; } & exit 3");
  spec.fds[3] = in[0];
  fd = test_child_start_with_output (&child, &spec);
  test_child_await (&child);
  test_assert_exit_status (&child, 3);
  g_assert_cmpint (write (in[1], "alive\n", 6), ==, 6);
  rest = test_read_all (fd);
  g_assert_cmpstr (rest, ==, "alive\n");
  close (in[0]);
  close (in[1]);
}

static void
test_free_early (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  siginfo_t info;
  Child child;
  int fd;

  spec.argv = SHELL ("trap '' TERM; echo x; sleep 1000");
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_free (g_steal_pointer (&child.process));
  rest = test_read_all (fd);
  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (errno, ==, ECHILD);
  g_assert_false (child.over);
}

static void
test_status_is_lost (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = (const char *[]) { "/bin/true", NULL };
  test_child_start (&child, &spec);
  g_assert_cmpint (waitpid (-1, NULL, 0), ==, osiiso_process_get_pid (child.process));
  osiiso_process_kill (child.process);
  test_child_await (&child);
  g_assert_cmpint (child.status, ==, OSIISO_PROCESS_STATUS_LOST);
  g_assert_cmpint (child.usage.ru_maxrss, ==, 0);

  signal (SIGCHLD, SIG_IGN);
  for (guint i = 0; i < 20; i++)
    {
      test_child_start (&child, &spec);
      test_child_await (&child);
      g_assert_cmpint (child.status, ==, OSIISO_PROCESS_STATUS_LOST);
    }
  signal (SIGCHLD, SIG_DFL);
}

/* With a thread that waits. */
static void
test_no_pidfds (void)
{
  osiiso_pidfd_disabled = TRUE;
  test_exit_status ();
  test_stop ();
  test_stop_ignored ();
  test_group_after_stop ();
  test_free_early ();
  test_status_is_lost ();
  test_no_leak ();
  osiiso_pidfd_disabled = FALSE;
}

int
main (int    argc,
      char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--list-fds") == 0)
    return test_list_fds ();
  if (argc > 1 && strcmp (argv[1], "--use-memory") == 0)
    return test_use_memory (200);
  if (argc > 1 && strcmp (argv[1], "--be-parent") == 0)
    return test_be_parent ();
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/process/exit-status", test_exit_status);
  g_test_add_func ("/process/stop", test_stop);
  g_test_add_func ("/process/stop-handled", test_stop_handled);
  g_test_add_func ("/process/stop-ignored", test_stop_ignored);
  g_test_add_func ("/process/stop-suspended", test_stop_suspended);
  g_test_add_func ("/process/group/is-stopped", test_group_is_stopped);
  g_test_add_func ("/process/group/after-stop", test_group_after_stop);
  g_test_add_func ("/process/group/after-end", test_group_after_end);
  g_test_add_func ("/process/free-early", test_free_early);
  g_test_add_func ("/process/status-is-lost", test_status_is_lost);
  test_add_native ("/process/no-pidfds", test_no_pidfds);
  test_add_process_spawn ();
  test_add_process_limits ();

  return g_test_run ();
}
