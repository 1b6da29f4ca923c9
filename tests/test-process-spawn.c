/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test-process.h"
#include "test-valgrind.h"

/* What a child is given, how its program is found, and what is said when it cannot be started. */

char *
test_own_program (void)
{
  char *path = g_file_read_link ("/proc/self/exe", NULL);

  g_assert_nonnull (path);
  return path;
}

int
test_list_fds (void)
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
  g_autofree char *program = test_own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autofree char *joined = NULL;

  spec.argv = (const char *[]) { program, "--list-fds", NULL };
  spec.fds[3] = fd3;
  text = test_run_and_read (&spec);
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
  test_child_start (&child, &spec);
  for (int i = 0; i < 4; i++)
    {
      if (saved[i] >= 0)
        dup2 (saved[i], i);
      else
        close (i);
      close (saved[i]);
    }
  test_child_await (&child);
  test_assert_exit_status (&child, 0);
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpint (pread (files[(i + 1) % 4], text[i], sizeof text[i] - 1, 0), ==, 2);
      g_assert_cmpint (text[i][0], ==, '0' + i);
    }
  for (int i = 0; i < 4; i++)
    close (files[i]);
}

void
test_no_leak (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  guint before = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GError) error = NULL;
      Child child;

      spec.argv = SHELL (":");
      test_child_start (&child, &spec);
      test_child_await (&child);
      spec.argv = (const char *[]) { "/nowhere/program", NULL };
      error = test_spawn_error (&spec);
      if (i == 0)
        before = test_count_fds ();
    }
  g_assert_cmpuint (test_count_fds (), ==, before);
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
  text = test_run_and_read (&spec);
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
  text = test_run_and_read (&spec);
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
  text = test_run_and_read (&spec);
  g_assert_cmpstr (text, ==, "second -x\n");

  /* As the child sees it from its folder. */
  spec.envp = (const char *[]) { "PATH=nowhere:second", NULL };
  spec.cwd = folders->folder;
  relative = test_run_and_read (&spec);
  g_assert_cmpstr (relative, ==, "second -x\n");

  spec.envp = (const char *[]) { "PATH=first", NULL };
  error = test_spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_ACCES);
  g_clear_error (&error);

  spec.search_path = FALSE;
  error = test_spawn_error (&spec);
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  spec.cwd = folders->second;
  here = test_run_and_read (&spec);
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
  text = test_run_and_read (&spec);
  g_assert_cmpstr (text, ==, expected);

  spec.argv = (const char *[]) { "-script", "a", NULL };
  spec.cwd = folders->first;
  here = test_run_and_read (&spec);
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
      error = test_spawn_error (&spec);
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
  error = test_spawn_error (&spec);
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
  test_child_start (&child, &spec);
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  test_assert_exit_status (&child, 127);
  g_assert_error (osiiso_process_get_failure (child.process), G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  g_assert_cmpstr (osiiso_process_get_failure (child.process)->message, ==, expected);
  osiiso_process_free (child.process);

  /* A program that was there is to blame for its own status. */
  spec.argv = SHELL ("echo 'error 2 /x' >&4; exit 127");
  spec.fds[2] = -1;
  test_child_start (&child, &spec);
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  test_assert_exit_status (&child, 127);
  g_assert_no_error (osiiso_process_get_failure (child.process));
  osiiso_process_free (child.process);
}

void
test_add_process_spawn (void)
{
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
}
