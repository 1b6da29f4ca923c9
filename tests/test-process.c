/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-process.h"

/* Child processes. They and the test meet at pipes: a child says that it got
 * somewhere by writing, and waits by reading what nobody writes. */

typedef struct
{
  OsiisoProcess *process;
  gboolean       over;
  int            status;
  struct rusage  usage;
  gboolean       free_it; /* from the callback */
} Child;

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

static void
child_start (Child                   *child,
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

static void
child_await (Child *child)
{
  while (!child->over)
    g_main_context_iteration (NULL, TRUE);
  g_clear_pointer (&child->process, osiiso_process_free);
}

static void
assert_exit_status (const Child *child,
                    int          expected)
{
  g_assert_true (WIFEXITED (child->status));
  g_assert_cmpint (WEXITSTATUS (child->status), ==, expected);
}

static void
assert_signal (const Child *child,
               int          expected)
{
  g_assert_true (WIFSIGNALED (child->status));
  g_assert_cmpint (WTERMSIG (child->status), ==, expected);
}

#define SHELL(script) ((const char *[]) { "/bin/sh", "-c", script, NULL })

static void
open_pipe (int *fds)
{
  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
}

/* All until nobody has the other end any more. */
static char *
read_all (int fd)
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

static void
read_byte (int fd)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
}

/* Starts it with its standard output to a pipe that is returned. */
static int
child_start_with_output (Child             *child,
                         OsiisoProcessSpec *spec)
{
  int out[2];

  open_pipe (out);
  spec->fds[1] = out[1];
  child_start (child, spec);
  close (out[1]);
  return out[0];
}

static char *
run_and_read (OsiisoProcessSpec *spec)
{
  Child child;
  char *text = read_all (child_start_with_output (&child, spec));

  child_await (&child);
  assert_exit_status (&child, 0);
  return text;
}

static GError *
spawn_error (const OsiisoProcessSpec *spec)
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
test_exit_status (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = SHELL ("exit 0");
  child_start (&child, &spec);
  child_await (&child);
  assert_exit_status (&child, 0);

  spec.argv = SHELL ("exit 37");
  child_start (&child, &spec);
  child.free_it = TRUE;
  child_await (&child);
  assert_exit_status (&child, 37);

  spec.argv = SHELL ("kill -USR1 $$");
  child_start (&child, &spec);
  child_await (&child);
  assert_signal (&child, SIGUSR1);
}

static void
test_stop (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  /* Ends by SIGTERM, long before the grace is over. */
  spec.argv = (const char *[]) { "sleep", "1000", NULL };
  spec.search_path = TRUE;
  child_start (&child, &spec);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  osiiso_process_stop (child.process, G_MAXINT64);
  child_await (&child);
  assert_signal (&child, SIGTERM);

  child_start (&child, &spec);
  osiiso_process_kill (child.process);
  osiiso_process_kill (child.process);
  osiiso_process_stop (child.process, 1);
  child_await (&child);
  assert_signal (&child, SIGKILL);

  /* No grace is no SIGTERM. */
  child_start (&child, &spec);
  osiiso_process_stop (child.process, 0);
  child_await (&child);
  assert_signal (&child, SIGKILL);
}

static void
test_stop_handled (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;
  int fd;

  spec.argv = SHELL ("trap 'exit 5' TERM; echo x; while :; do :; done");
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  child_await (&child);
  assert_exit_status (&child, 5);
  close (fd);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/process/exit-status", test_exit_status);
  g_test_add_func ("/process/stop", test_stop);
  g_test_add_func ("/process/stop-handled", test_stop_handled);
  (void) run_and_read; (void) spawn_error; (void) count_fds;
  return g_test_run ();
}
