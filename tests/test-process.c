/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-pidfd.h"
#include "osiiso-process.h"
#include "test-valgrind.h"

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
  spec->fds[1] = -1;
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

static void
test_stop_ignored (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;
  int fd;

  spec.argv = SHELL ("trap '' TERM; echo x; exec sleep 1000");
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  /* The time can become shorter. */
  osiiso_process_stop (child.process, 1000);
  child_await (&child);
  assert_signal (&child, SIGKILL);
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
  child_start (&child, &spec);
  suspend (&child);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  child_await (&child);
  assert_signal (&child, SIGTERM);

  spec.argv = SHELL ("trap '' TERM CONT; echo x; exec sleep 1000");
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  suspend (&child);
  osiiso_process_stop (child.process, 1000);
  child_await (&child);
  assert_signal (&child, SIGKILL);
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
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  child_await (&child);
  assert_signal (&child, SIGTERM);
  /* Nobody holds the pipe any more. */
  rest = read_all (fd);
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
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  child_await (&child);
  assert_signal (&child, SIGTERM);
  rest = read_all (fd);
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
  fd = child_start_with_output (&child, &spec);
  child_await (&child);
  assert_exit_status (&child, 3);
  g_assert_cmpint (write (in[1], "alive\n", 6), ==, 6);
  rest = read_all (fd);
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
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_free (g_steal_pointer (&child.process));
  rest = read_all (fd);
  while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (errno, ==, ECHILD);
  g_assert_false (child.over);
}

/* A shell and a child of the test itself, told by its first argument. */
static char *
own_program (void)
{
  char *path = g_file_read_link ("/proc/self/exe", NULL);

  g_assert_nonnull (path);
  return path;
}

static int
list_fds (void)
{
  DIR *folder = opendir ("/proc/self/fd");
  struct dirent *entry;

  while ((entry = readdir (folder)) != NULL)
    if (entry->d_name[0] != '.' && atoi (entry->d_name) != dirfd (folder))
      printf ("%s\n", entry->d_name);
  closedir (folder);
  return 0;
}

static void
assert_fds_of_child (int         fd3,
                     const char *expected)
{
  g_autofree char *program = own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autofree char *joined = NULL;

  spec.argv = (const char *[]) { program, "--list-fds", NULL };
  spec.fds[3] = fd3;
  text = run_and_read (&spec);
  lines = g_strsplit (g_strstrip (text), "\n", -1);
  joined = g_strjoinv (" ", lines);
  g_assert_cmpstr (joined, ==, expected);
}

static void
test_no_other_fds (void)
{
  int others[8];

  /* Without O_CLOEXEC, as careless libraries do it. */
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    others[i] = open ("/dev/null", O_RDWR);
  assert_fds_of_child (-1, "0 1 2");
  assert_fds_of_child (others[0], "0 1 2 3");
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    close (others[i]);
}

static void
test_fds_move (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  int saved[4], files[4];
  char text[4][8] = { { 0 } };
  Child child;

  /* Each of the four becomes another one of the four. */
  for (int i = 0; i < 4; i++)
    {
      saved[i] = fcntl (i, F_DUPFD_CLOEXEC, 10);
      files[i] = memfd_create ("test", MFD_CLOEXEC);
      g_assert_cmpint (files[i], >, 0);
    }
  for (int i = 0; i < 4; i++)
    {
      const int low = files[i];

      files[i] = fcntl (low, F_DUPFD_CLOEXEC, 20);
      close (low);
    }
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpint (dup3 (files[i], i, O_CLOEXEC), ==, i);
      spec.fds[i] = (i + 1) % 4;
    }
  spec.argv = SHELL ("for i in 0 1 2 3; do echo $i >&$i; done");
  child_start (&child, &spec);
  for (int i = 0; i < 4; i++)
    {
      if (saved[i] >= 0)
        dup2 (saved[i], i);
      else
        close (i);
      close (saved[i]);
    }
  child_await (&child);
  assert_exit_status (&child, 0);
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpint (pread (files[(i + 1) % 4], text[i], sizeof text[i] - 1, 0), ==, 2);
      g_assert_cmpint (text[i][0], ==, '0' + i);
    }
  for (int i = 0; i < 4; i++)
    close (files[i]);
}

static void
test_no_leak (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  guint before = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GError) error = NULL;
      Child child;

      spec.argv = SHELL (":");
      child_start (&child, &spec);
      child_await (&child);
      spec.argv = (const char *[]) { "/nowhere/program", NULL };
      error = spawn_error (&spec);
      if (i == 0)
        before = count_fds ();
    }
  g_assert_cmpuint (count_fds (), ==, before);
}

static void
test_place (void)
{
  g_autofree char *folder = g_dir_make_tmp ("osiiso-XXXXXX", NULL);
  g_autofree char *real = realpath (folder, NULL);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_autofree char *expected = g_strdup_printf ("%s|yes|", real);

  spec.argv = SHELL ("printf '%s|%s|%s' \"$(pwd -P)\" \"$ONE\" \"$HOME\"");
  spec.cwd = folder;
  spec.envp = (const char *[]) { "ONE=yes", NULL };
  text = run_and_read (&spec);
  g_assert_cmpstr (text, ==, expected);
  g_rmdir (folder);
}

static void
test_signals_are_reset (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  guint64 blocked, ignored;
  sigset_t usr1, old;

  sigemptyset (&usr1);
  sigaddset (&usr1, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &usr1, &old);
  signal (SIGPIPE, SIG_IGN);
  spec.argv = (const char *[]) { "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL };
  spec.search_path = TRUE;
  text = run_and_read (&spec);
  signal (SIGPIPE, SIG_DFL);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  g_assert_cmpint (sscanf (text, "SigBlk: %" G_GINT64_MODIFIER "x SigIgn: %" G_GINT64_MODIFIER "x",
                           &blocked, &ignored), ==, 2);
  g_assert_cmphex (blocked, ==, 0);
  /* 32 and 33 belong to the C library, which leaves them ignored. */
  ignored &= ~((guint64) 3 << 31);
  g_assert_cmphex (ignored, ==, 0);
}

typedef struct
{
  char *folder;
  char *first;  /* folders in it */
  char *second;
} Folders;

static void
folders_set_up (Folders      *self,
                gconstpointer unused)
{
  self->folder = g_dir_make_tmp ("osiiso-XXXXXX", NULL);
  self->first = g_build_filename (self->folder, "first", NULL);
  self->second = g_build_filename (self->folder, "second", NULL);
  g_mkdir (self->first, 0755);
  g_mkdir (self->second, 0755);
}

static void
folders_tear_down (Folders      *self,
                   gconstpointer unused)
{
  const char *folders[] = { self->first, self->second, self->folder };

  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autoptr (GDir) dir = g_dir_open (folders[i], 0, NULL);
      const char *name;

      while ((name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *file = g_build_filename (folders[i], name, NULL);

          g_assert_cmpint (g_remove (file), ==, 0);
        }
      g_assert_cmpint (g_rmdir (folders[i]), ==, 0);
    }
  g_free (self->first);
  g_free (self->second);
  g_free (self->folder);
}

static char *
write_program (const char *folder,
               const char *name,
               const char *text,
               int         mode)
{
  char *file = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_chmod (file, mode), ==, 0);
  return file;
}

static void
test_search (Folders      *folders,
             gconstpointer unused)
{
  g_autofree char *path = g_strdup_printf ("PATH=%s:%s", folders->first, folders->second);
  g_autofree char *cannot = write_program (folders->first, "osiiso-program", "#!/bin/sh\necho first\n", 0644);
  g_autofree char *can = write_program (folders->second, "osiiso-program", "#!/bin/sh\necho second $1\n", 0755);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_autofree char *relative = NULL;
  g_autofree char *here = NULL;
  g_autoptr (GError) error = NULL;

  /* In the PATH of the child; what cannot be executed is not it. */
  spec.argv = (const char *[]) { "osiiso-program", "-x", NULL };
  spec.envp = (const char *[]) { path, NULL };
  spec.search_path = TRUE;
  text = run_and_read (&spec);
  g_assert_cmpstr (text, ==, "second -x\n");

  /* As the child sees it from its folder. */
  spec.envp = (const char *[]) { "PATH=nowhere:second", NULL };
  spec.cwd = folders->folder;
  relative = run_and_read (&spec);
  g_assert_cmpstr (relative, ==, "second -x\n");

  spec.envp = (const char *[]) { "PATH=first", NULL };
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_ACCES);
  g_clear_error (&error);

  spec.search_path = FALSE;
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  spec.cwd = folders->second;
  here = run_and_read (&spec);
  g_assert_cmpstr (here, ==, "second -x\n");
}

static void
test_plain_script (Folders      *folders,
                   gconstpointer unused)
{
  g_autofree char *script = write_program (folders->first, "-script", "echo \"$0 $*\"\n", 0755);
  g_autofree char *expected = g_strdup_printf ("%s a b\n", script);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_autofree char *here = NULL;

  spec.argv = (const char *[]) { script, "a", "b", NULL };
  text = run_and_read (&spec);
  g_assert_cmpstr (text, ==, expected);

  spec.argv = (const char *[]) { "-script", "a", NULL };
  spec.cwd = folders->first;
  here = run_and_read (&spec);
  g_assert_cmpstr (here, ==, "./-script a\n");
}

static void
assert_spawn_error (const char *program,
                    const char *cwd,
                    gboolean    search_path,
                    int         code,
                    const char *mentions)
{
  OsiisoProcessLimits limits[] = { { 0 }, { .die_with_parent = TRUE } };

  /* With and without the launcher. */
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
      g_autoptr (GError) error = NULL;

      spec.argv = (const char *[]) { program, "x", NULL };
      spec.cwd = cwd;
      spec.search_path = search_path;
      spec.limits = limits[i];
      error = spawn_error (&spec);
      g_assert_error (error, G_SPAWN_ERROR, code);
      g_assert_nonnull (strstr (error->message, program));
      g_assert_nonnull (strstr (error->message, mentions));
    }
}

static void
test_errors (Folders      *folders,
             gconstpointer unused)
{
  g_autofree char *file = write_program (folders->first, "file", "#!/bin/sh\n", 0644);
  g_autofree char *inside = g_build_filename (file, "more", NULL);

  assert_spawn_error ("osiiso-no-such-program", NULL, TRUE, G_SPAWN_ERROR_NOENT, g_strerror (ENOENT));
  assert_spawn_error ("", NULL, TRUE, G_SPAWN_ERROR_NOENT, g_strerror (ENOENT));
  assert_spawn_error ("/nowhere/program", NULL, TRUE, G_SPAWN_ERROR_NOENT, g_strerror (ENOENT));
  assert_spawn_error (file, NULL, FALSE, G_SPAWN_ERROR_ACCES, g_strerror (EACCES));
  assert_spawn_error (folders->first, NULL, FALSE, G_SPAWN_ERROR_ACCES, g_strerror (EACCES));
  assert_spawn_error (inside, NULL, FALSE, G_SPAWN_ERROR_NOTDIR, g_strerror (ENOTDIR));
  assert_spawn_error ("/bin/true", "/nowhere", FALSE, G_SPAWN_ERROR_CHDIR, "“/nowhere”");
  assert_spawn_error ("/bin/true", file, FALSE, G_SPAWN_ERROR_CHDIR, file);
}

static void
test_no_interpreter (Folders      *folders,
                     gconstpointer unused)
{
  g_autofree char *script = write_program (folders->first, "script", "#!/nowhere/interpreter\n", 0755);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;

  spec.argv = (const char *[]) { script, NULL };
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  g_assert_nonnull (strstr (error->message, "interpreter"));
}

/* With the launcher it is known only at the end, and no less clear. */
static void
test_late_failure (Folders      *folders,
                   gconstpointer unused)
{
  g_autofree char *script = write_program (folders->first, "script", "#!/nowhere/interpreter\n", 0755);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *expected = g_strdup_printf ("Cannot start “%s”: the interpreter that it asks for does not exist", script);
  Child child;

  spec.argv = (const char *[]) { script, NULL };
  spec.limits.die_with_parent = TRUE;
  child_start (&child, &spec);
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  assert_exit_status (&child, 127);
  g_assert_error (osiiso_process_get_failure (child.process), G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  g_assert_cmpstr (osiiso_process_get_failure (child.process)->message, ==, expected);
  osiiso_process_free (child.process);

  /* A program that was there is to blame for its own status. */
  spec.argv = SHELL ("echo 'error 2 /x' >&4; exit 127");
  spec.fds[2] = -1;
  child_start (&child, &spec);
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  assert_exit_status (&child, 127);
  g_assert_no_error (osiiso_process_get_failure (child.process));
  osiiso_process_free (child.process);
}

static void
test_too_big (void)
{
  g_autofree char *huge = g_strnfill (1024 * 1024, 'x');
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;

  spec.argv = (const char *[]) { "/bin/true", huge, NULL };
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_TOO_BIG);
}

/* In a process of its own: sets a limit there, and that one only. */
static void
set_soft_limit (int    resource,
                rlim_t value)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (resource, &limit), ==, 0);
  limit.rlim_cur = MIN (value, limit.rlim_max);
  g_assert_cmpint (setrlimit (resource, &limit), ==, 0);
}

static void
assert_runs (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = (const char *[]) { "/bin/true", NULL };
  child_start (&child, &spec);
  child_await (&child);
  assert_exit_status (&child, 0);
}

static void
test_out_of_fds (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;
  int fd, last = -1;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  assert_runs ();
  set_soft_limit (RLIMIT_NOFILE, 64);
  while ((fd = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    last = fd;
  g_assert_cmpint (errno, ==, EMFILE);
  spec.argv = (const char *[]) { "/bin/true", NULL };
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_MFILE);
  /* One is enough: the child opens its own from none. */
  close (last);
  assert_runs ();
}

static void
test_out_of_processes (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  /* The limit does not hold for root. */
  if (geteuid () == 0)
    {
      g_assert_cmpint (setgid (54321), ==, 0);
      g_assert_cmpint (setuid (54321), ==, 0);
    }
  assert_runs ();
  set_soft_limit (RLIMIT_NPROC, 1);
  spec.argv = (const char *[]) { "/bin/true", NULL };
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_FORK);
  g_assert_nonnull (strstr (error->message, "/bin/true"));
  set_soft_limit (RLIMIT_NPROC, RLIM_INFINITY);
  assert_runs ();
}

/* Bytes that this process has mapped. */
static rlim_t
address_space (void)
{
  g_autofree char *text = NULL;
  guint64 pages;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  pages = g_ascii_strtoull (text, NULL, 10);
  return (rlim_t) pages * (rlim_t) sysconf (_SC_PAGESIZE);
}

static void
test_out_of_memory (void)
{
  const guint n = 8 * 1024 * 1024;
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree const char **argv = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  assert_runs ();
  /* The stack of the child has room for its arguments: 64 MiB here. */
  argv = g_new (const char *, n + 1);
  for (guint i = 0; i < n; i++)
    argv[i] = "/bin/true";
  argv[n] = NULL;
  spec.argv = argv;
  set_soft_limit (RLIMIT_AS, address_space () + n);
  error = spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOMEM);
  assert_runs ();
}

static void
test_limits (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_autofree char *expected = g_strdup_printf ("1048576\n77\n%d\n--as=1\n", MIN (getpriority (PRIO_PROCESS, 0) + 3, 19));

  spec.argv = (const char *[]) { "sh", "-c", "ulimit -v; ulimit -t; nice; echo \"$1\"", "-", "--as=1", NULL };
  spec.search_path = TRUE;
  spec.limits.address_space = 1024 * 1024 * 1024;
  spec.limits.cpu_seconds = 77;
  spec.limits.nice = 3;
  text = run_and_read (&spec);
  g_assert_cmpstr (text, ==, expected);
}

/* Starts a child that dies with it, and never ends. */
static int
be_parent (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = SHELL ("echo x; exec sleep 1000");
  spec.fds[1] = STDOUT_FILENO;
  spec.limits.die_with_parent = TRUE;
  child_start (&child, &spec);
  child_await (&child);
  return 1;
}

static void
test_dies_with_parent (void)
{
  g_autofree char *program = own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  Child child;
  int fd;

  spec.argv = (const char *[]) { program, "--be-parent", NULL };
  fd = child_start_with_output (&child, &spec);
  read_byte (fd);
  osiiso_process_kill (child.process);
  child_await (&child);
  assert_signal (&child, SIGKILL);
  /* Its child is in another group, and is gone anyway. */
  rest = read_all (fd);
}

static void
test_status_is_lost (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = (const char *[]) { "/bin/true", NULL };
  child_start (&child, &spec);
  g_assert_cmpint (waitpid (-1, NULL, 0), ==, osiiso_process_get_pid (child.process));
  osiiso_process_kill (child.process);
  child_await (&child);
  g_assert_cmpint (child.status, ==, OSIISO_PROCESS_STATUS_LOST);
  g_assert_cmpint (child.usage.ru_maxrss, ==, 0);

  signal (SIGCHLD, SIG_IGN);
  for (guint i = 0; i < 20; i++)
    {
      child_start (&child, &spec);
      child_await (&child);
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

#define MEBI (1024 * 1024)

static int
use_memory (gsize n_mebi)
{
  volatile char *memory = malloc (n_mebi * MEBI);

  for (gsize i = 0; i < n_mebi * MEBI; i += 1024)
    memory[i] = 1;
  free ((void *) memory);
  return 0;
}

static void
test_usage (void)
{
  g_autofree char *program = own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  struct rusage ours;
  Child child;

  getrusage (RUSAGE_SELF, &ours);
  g_assert_cmpint (ours.ru_maxrss, <, 150 * 1024);
  spec.argv = (const char *[]) { program, "--use-memory", NULL };
  child_start (&child, &spec);
  child_await (&child);
  assert_exit_status (&child, 0);
  g_assert_cmpint (child.usage.ru_maxrss, >=, 200 * 1024);
  g_assert_cmpint (child.usage.ru_utime.tv_usec + child.usage.ru_stime.tv_usec, >, 0);

  /* What we use ourselves is not its. */
  g_assert_cmpint (use_memory (100), ==, 0);
  spec.argv = (const char *[]) { "/bin/true", NULL };
  child_start (&child, &spec);
  child_await (&child);
  g_assert_cmpint (child.usage.ru_maxrss, <, 100 * 1024);

  /* With the launcher it is known even if it is less. */
  spec.limits.die_with_parent = TRUE;
  child_start (&child, &spec);
  child_await (&child);
  g_assert_cmpint (child.usage.ru_maxrss, >, 0);
  g_assert_cmpint (child.usage.ru_maxrss, <, 50 * 1024);
}

int
main (int    argc,
      char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--list-fds") == 0)
    return list_fds ();
  if (argc > 1 && strcmp (argv[1], "--use-memory") == 0)
    return use_memory (200);
  if (argc > 1 && strcmp (argv[1], "--be-parent") == 0)
    return be_parent ();
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
  test_add_native ("/process/fds/no-others", test_no_other_fds);
  test_add_native ("/process/fds/move", test_fds_move);
  test_add_native ("/process/fds/no-leak", test_no_leak);
  g_test_add_func ("/process/place", test_place);
  g_test_add_func ("/process/signals-are-reset", test_signals_are_reset);
  if (!test_under_valgrind ())
    {
      g_test_add ("/process/search", Folders, NULL, folders_set_up, test_search, folders_tear_down);
      g_test_add ("/process/plain-script", Folders, NULL, folders_set_up, test_plain_script, folders_tear_down);
      g_test_add ("/process/errors", Folders, NULL, folders_set_up, test_errors, folders_tear_down);
      g_test_add ("/process/no-interpreter", Folders, NULL, folders_set_up, test_no_interpreter, folders_tear_down);
      g_test_add ("/process/late-failure", Folders, NULL, folders_set_up, test_late_failure, folders_tear_down);
    }
  test_add_native ("/process/too-big", test_too_big);
  test_add_native ("/process/out-of-fds", test_out_of_fds);
  test_add_native ("/process/out-of-processes", test_out_of_processes);
  test_add_native ("/process/out-of-memory", test_out_of_memory);
  g_test_add_func ("/process/limits", test_limits);
  g_test_add_func ("/process/dies-with-parent", test_dies_with_parent);
  g_test_add_func ("/process/status-is-lost", test_status_is_lost);
  test_add_native ("/process/no-pidfds", test_no_pidfds);
  g_test_add_func ("/process/usage", test_usage);
  return g_test_run ();
}
