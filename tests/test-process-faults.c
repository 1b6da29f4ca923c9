/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-pidfd.h"
#include "osiiso-process.h"
#include "osiiso-process-spawn-private.h"
#include "test-faults.h"
#include "test-valgrind.h"

/* Each call of the C library by which a process is started, watched and waited for fails
 * in its turn. What cannot be started says why, and leaves neither a process nor a
 * descriptor behind; what was started is told with its status. */

typedef struct
{
  OsiisoProcess *process;
  gboolean       over;
  int            status;
} Child;

static void
child_exited (OsiisoProcess       *process,
              int                  status,
              const struct rusage *usage,
              gpointer             user_data)
{
  Child *child = user_data;

  child->over = TRUE;
  child->status = status;
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

/* A process that ends with status 7, in all the ways in which one is started. */
typedef struct
{
  OsiisoProcessSpec spec;
  char             *script; /* without a first line that says who runs it */
  int               fds[2];
} Shape;

enum
{
  PLAIN,
  EVERYTHING,
  SCRIPT,
  LIMITED,
  LIMITED_LOW,
  N_SHAPES
};

static void
shape_init (Shape *self,
            guint  which)
{
  static const char * const argv[] = { "sh", "-c", "exit 7", NULL };
  static const char *script_argv[] = { NULL, NULL };

  *self = (Shape) { .spec = OSIISO_PROCESS_SPEC_INIT, .fds = { -1, -1 } };
  self->spec.argv = argv;
  self->spec.search_path = TRUE;
  switch (which)
    {
    case EVERYTHING:
      g_assert_cmpint (pipe2 (self->fds, O_CLOEXEC), ==, 0);
      self->spec.fds[0] = self->fds[0];
      self->spec.fds[1] = STDERR_FILENO;
      self->spec.fds[2] = STDOUT_FILENO;
      self->spec.fds[3] = self->fds[1];
      self->spec.cwd = "/";
      break;
    case SCRIPT:
      self->script = g_build_filename (g_get_tmp_dir (), "osiiso-script-XXXXXX", NULL);
      close (g_mkstemp (self->script));
      g_assert_true (g_file_set_contents (self->script, "exit 7\n", -1, NULL));
      g_assert_cmpint (g_chmod (self->script, 0755), ==, 0);
      script_argv[0] = self->script;
      self->spec.argv = script_argv;
      break;
    case LIMITED_LOW:
      self->spec.fds[1] = STDERR_FILENO;
      self->spec.fds[2] = STDOUT_FILENO;
      self->spec.cwd = "/";
      G_GNUC_FALLTHROUGH;
    case LIMITED:
      self->spec.limits.die_with_parent = TRUE;
      break;
    case PLAIN:
    default:
      break;
    }
}

static void
shape_clear (Shape *self)
{
  if (self->script != NULL)
    g_assert_cmpint (g_unlink (self->script), ==, 0);
  g_free (self->script);
  for (guint i = 0; i < 2; i++)
    if (self->fds[i] >= 0)
      close (self->fds[i]);
}

typedef struct
{
  const char *name;
  int         number;
  /* what has to come of it */
  int         told;      /* the errno that the error tells; 0: all goes well */
  gboolean    may_lose;  /* the status */
  gboolean    may_leave; /* a child that nobody is told of: it cannot happen */
} Fault;

static void
expect_error (const Fault  *fault,
              const GError *error)
{
  g_assert_cmpint (fault->told, !=, 0);
  g_assert_nonnull (error);
  g_assert_true (error->domain == G_SPAWN_ERROR);
  if (strstr (error->message, g_strerror (fault->told)) == NULL)
    g_error ("%s: “%s” is not in: %s", fault->name, g_strerror (fault->told), error->message);
}

/* Whether the fault has happened. */
static gboolean
try_fault (const Fault             *fault,
           const OsiisoProcessSpec *spec,
           guint                    at)
{
  g_autoptr (GError) error = NULL;
  const guint before = count_fds ();
  Child child = { 0 };
  gboolean happened;

  test_faults_set (fault->name, at, fault->number, FALSE);
  child.process = osiiso_process_spawn (spec, NULL, child_exited, &child, &error);
  while (child.process != NULL && !child.over)
    g_main_context_iteration (NULL, TRUE);
  happened = test_faults_clear ();

  if (child.process == NULL)
    expect_error (fault, error);
  else if (child.status == OSIISO_PROCESS_STATUS_LOST)
    g_assert_true (fault->may_lose);
  else
    g_assert_cmpint (WEXITSTATUS (child.status), ==, 7);
  g_clear_pointer (&child.process, osiiso_process_free);
  if (count_fds () != before)
    g_error ("%s, %u: it has left a descriptor open", fault->name, at);
  if (fault->may_leave || fault->may_lose)
    while (waitpid (-1, NULL, 0) > 0)
      ;
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
  return happened;
}

static const Fault faults[] = {
  { "stat", EIO, EIO },
  { "faccessat", EACCES, EACCES },
  { "pipe2", ENFILE, ENFILE },
  { "fcntl", EMFILE, EMFILE },
  { "fcntl", EINVAL, EMFILE },
  { "posix_spawn_file_actions_init", ENOMEM, ENOMEM },
  { "posix_spawn_file_actions_adddup2", ENOMEM, ENOMEM },
  { "posix_spawn_file_actions_addclose", ENOMEM, ENOMEM },
  { "posix_spawn_file_actions_addclosefrom_np", ENOMEM, ENOMEM },
  { "posix_spawn_file_actions_addopen", ENOMEM, ENOMEM },
  { "posix_spawn_file_actions_addchdir_np", ENOMEM, ENOMEM },
  { "posix_spawnattr_init", ENOMEM, ENOMEM },
  { "posix_spawnattr_setflags", EINVAL, EINVAL },
  { "posix_spawnattr_setpgroup", EINVAL, EINVAL },
  { "posix_spawnattr_setsigmask", EINVAL, EINVAL },
  { "posix_spawnattr_setsigdefault", EINVAL, EINVAL },
  { "posix_spawn", EAGAIN, EAGAIN },
  { "posix_spawn", EBADF, EMFILE },
  { "pidfd_open", EMFILE, EMFILE },
  { "eventfd", ENFILE, ENFILE },
  { "pthread_create", EAGAIN, EAGAIN },
  { "read", EINTR, 0 },
  { "read", EIO, ECHILD, .may_leave = TRUE },
  { "waitpid", EINTR, 0 },
  { "waitpid", ECHILD, 0, .may_leave = TRUE },
  { "waitid", EINTR, 0 },
  { "waitid, directly", EINTR, 0 },
  { "waitid, directly", ECHILD, 0, .may_lose = TRUE },
  { "pidfd_send_signal", EPERM, 0 },
};

static void
sweep (gboolean no_pidfds)
{
  guint n = 0;

  osiiso_pidfd_disabled = no_pidfds;
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      for (guint which = 0; which < N_SHAPES; which++)
        {
          Shape shape;
          guint at = 1;

          shape_init (&shape, which);
          while (try_fault (&faults[i], &shape.spec, at))
            at++;
          n += at - 1;
          shape_clear (&shape);
        }
    }
  osiiso_pidfd_disabled = FALSE;
  g_test_message ("%u calls have failed", n);
  g_assert_cmpuint (n, >, 60);
}

static void
test_pidfds (void)
{
  sweep (FALSE);
}

static void
test_no_pidfds (void)
{
  sweep (TRUE);
}

/* What is opened would be its standard input, and has to move out of the way first. */
static void
test_closed_input (void)
{
  const int saved = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 10);

  close (STDIN_FILENO);
  sweep (FALSE);
  sweep (TRUE);
  g_assert_cmpint (fcntl (STDIN_FILENO, F_GETFD), ==, -1);
  if (saved >= 0)
    {
      dup2 (saved, STDIN_FILENO);
      close (saved);
    }
}

/* Not while the process is watched, but when it is ended. */
static void
test_stop_fails (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child = { 0 };

  spec.argv = (const char *[]) { "sleep", "1000", NULL };
  spec.search_path = TRUE;
  child.process = osiiso_process_spawn (&spec, NULL, child_exited, &child, NULL);
  g_assert_nonnull (child.process);
  /* It has been waited for, as far as that call knows: no signal may be sent to what may
   * be another one's id by now. */
  test_faults_set ("pidfd_send_signal", 1, ESRCH, TRUE);
  osiiso_process_stop (child.process, 1000 * (gint64) G_USEC_PER_SEC);
  g_assert_true (test_faults_clear ());
  g_assert_cmpint (waitpid (osiiso_process_get_pid (child.process), NULL, WNOHANG), ==, 0);
  g_assert_false (child.over);
  /* Whatever else is wrong, it is there. */
  test_faults_set ("pidfd_send_signal", 1, EPERM, TRUE);
  osiiso_process_kill (child.process);
  g_assert_true (test_faults_clear ());
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (WIFSIGNALED (child.status));
  g_assert_cmpint (WTERMSIG (child.status), ==, SIGKILL);
  osiiso_process_free (child.process);
}

/* Nothing can be done to one that somebody else has waited for. */
static void
test_nobody_there (void)
{
  OsiisoPidfd none = { .fd = -1 };
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child = { 0 };
  pid_t pid;

  g_assert_false (osiiso_pidfd_is_ours (&none));
  spec.argv = (const char *[]) { "sleep", "1000", NULL };
  spec.search_path = TRUE;
  test_faults_set ("pidfd_open", 1, ESRCH, FALSE);
  child.process = osiiso_process_spawn (&spec, NULL, child_exited, &child, NULL);
  g_assert_true (test_faults_clear ());
  g_assert_nonnull (child.process);
  pid = osiiso_process_get_pid (child.process);
  osiiso_process_stop (child.process, 0);
  osiiso_process_stop (child.process, 1000);
  osiiso_process_kill (child.process);
  g_assert_cmpint (waitpid (pid, NULL, WNOHANG), ==, 0);
  while (!child.over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (child.status, ==, OSIISO_PROCESS_STATUS_LOST);
  /* Nor after its end. */
  osiiso_process_stop (child.process, 1000);
  osiiso_process_kill (child.process);
  osiiso_process_free (child.process);
  g_assert_cmpint (waitpid (pid, NULL, WNOHANG), ==, 0);
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

/* A process that has not ended cannot be waited for yet. */
static void
test_not_yet (gboolean no_pidfds)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  OsiisoSpawned spawned;
  OsiisoPidfd pidfd = { .fd = -1 };
  struct rusage usage;
  int status;

  osiiso_pidfd_disabled = no_pidfds;
  spec.argv = (const char *[]) { "sleep", "1000", NULL };
  spec.search_path = TRUE;
  g_assert_true (osiiso_process_spawn_child (&spec, &spawned, NULL));
  g_assert_cmpint (osiiso_pidfd_open (&pidfd, spawned.pid), ==, 0);
  g_assert_true (osiiso_pidfd_is_ours (&pidfd));
  g_assert_false (osiiso_pidfd_wait (&pidfd, &status, &usage));
  kill (spawned.pid, SIGKILL);
  while (!osiiso_pidfd_wait (&pidfd, &status, &usage))
    g_thread_yield ();
  g_assert_true (WIFSIGNALED (status));
  g_assert_false (osiiso_pidfd_is_ours (&pidfd));
  osiiso_pidfd_close (&pidfd);
  osiiso_pidfd_close (&pidfd);
  osiiso_pidfd_disabled = FALSE;
}

static void
test_not_yet_each (void)
{
  test_not_yet (FALSE);
  test_not_yet (TRUE);
}

/* The folder is to blame, and not the program, which was not found either. */
static void
test_closed_folder (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;

  spec.argv = (const char *[]) { "/nowhere/program", NULL };
  spec.cwd = "/";
  test_faults_set ("faccessat", 1, EACCES, FALSE);
  g_assert_null (osiiso_process_spawn (&spec, NULL, child_exited, NULL, &error));
  g_assert_true (test_faults_clear ());
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_CHDIR);
  g_assert_nonnull (strstr (error->message, "in “/”"));
  g_assert_nonnull (strstr (error->message, g_strerror (EACCES)));
}

/* An old kernel has no such call, and then it is never tried again. */
static void
test_old_kernel (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;

  spec.argv = (const char *[]) { "/bin/sh", "-c", "exit 7", NULL };
  g_assert_false (osiiso_pidfd_disabled);
  for (guint i = 0; i < 2; i++)
    {
      const Fault fault = { "pidfd_open", ENOSYS, 0 };

      g_assert_cmpint (try_fault (&fault, &spec, 1), ==, i == 0);
      g_assert_true (osiiso_pidfd_disabled);
    }
  osiiso_pidfd_disabled = FALSE;
}

/* What the launcher says, and what is told of that. */
static void
test_launcher (void)
{
  static const struct
  {
    const char *script;
    int         code;
    const char *text;
  } cases[] = {
    { "exit 0", G_SPAWN_ERROR_FAILED, "“x (the launcher has ended)”" },
    { "printf 'error 13' >&4", G_SPAWN_ERROR_FAILED, "“x (the launcher has ended)”" },
    { "echo 'error 13 setrlimit' >&4", G_SPAWN_ERROR_ACCES, "“x (setrlimit)”" },
    { "echo 'error 0 nothing' >&4", G_SPAWN_ERROR_INVAL, "“x (nothing)”" },
    { "echo 'error -3' >&4", G_SPAWN_ERROR_INVAL, "“x ()”" },
  };
  g_autofree char *saved = g_strdup (g_getenv ("OSIISO_LIBEXEC_PATH"));
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *launcher = g_build_filename (folder, "osiiso-launch", NULL);
  g_autofree char *program = g_build_filename (folder, "x", NULL);
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;

  g_assert_cmpint (symlink ("/bin/true", program), ==, 0);
  g_setenv ("OSIISO_LIBEXEC_PATH", folder, TRUE);
  spec.argv = (const char *[]) { "x", NULL };
  spec.cwd = folder;
  spec.limits.die_with_parent = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("#!/bin/sh\n%s\n", cases[i].script);
      g_autoptr (GError) error = NULL;
      const guint before = count_fds ();

      g_assert_true (g_file_set_contents (launcher, text, -1, NULL));
      g_assert_cmpint (g_chmod (launcher, 0755), ==, 0);
      g_assert_null (osiiso_process_spawn (&spec, NULL, child_exited, NULL, &error));
      g_assert_error (error, G_SPAWN_ERROR, cases[i].code);
      if (strstr (error->message, cases[i].text) == NULL)
        g_error ("“%s” is not in: %s", cases[i].text, error->message);
      g_assert_cmpuint (count_fds (), ==, before);
      g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
    }
  g_setenv ("OSIISO_LIBEXEC_PATH", saved, TRUE);
  g_unlink (launcher);
  g_unlink (program);
  g_rmdir (folder);
}

/* What is said after that, when the program could not be run. */
static void
test_read_failure (void)
{
  static const struct
  {
    const char *line;
    int         code;
    const char *text; /* (nullable): there is nothing to tell */
  } cases[] = {
    { "", 0, NULL },
    { "error 2 /x/y", 0, NULL },
    { "pid 5\n", 0, NULL },
    { "error 2 /x/y\n", G_SPAWN_ERROR_NOENT, "Cannot start “y”: the interpreter that it asks for does not exist" },
    { "error 13 /x/y\n", G_SPAWN_ERROR_ACCES, "Cannot start “y”: " },
    { "error 22 setrlimit\n", G_SPAWN_ERROR_INVAL, "Cannot start “y (setrlimit)”: " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      int fds[2];

      g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
      g_assert_cmpint (write (fds[1], cases[i].line, strlen (cases[i].line)), ==, (gssize) strlen (cases[i].line));
      /* Also when somebody else has the other end. */
      if (i % 2 == 0)
        close (fds[1]);
      error = osiiso_process_read_failure (fds[0], "y");
      if (cases[i].text == NULL)
        g_assert_no_error (error);
      else
        g_assert_error (error, G_SPAWN_ERROR, cases[i].code);
      if (error != NULL && !g_str_has_prefix (error->message, cases[i].text))
        g_error ("“%s” is not what this begins with: %s", cases[i].text, error->message);
      close (fds[0]);
      if (i % 2 != 0)
        close (fds[1]);
    }
}

/* Each errno that exec() may have is told as what it is. */
static void
test_codes (void)
{
  static const int codes[][2] = {
    { E2BIG, G_SPAWN_ERROR_TOO_BIG },
    { EACCES, G_SPAWN_ERROR_ACCES },
    { EAGAIN, G_SPAWN_ERROR_FORK },
    { EINVAL, G_SPAWN_ERROR_INVAL },
    { EIO, G_SPAWN_ERROR_IO },
    { EISDIR, G_SPAWN_ERROR_ISDIR },
    { ELIBBAD, G_SPAWN_ERROR_LIBBAD },
    { ELOOP, G_SPAWN_ERROR_LOOP },
    { EMFILE, G_SPAWN_ERROR_MFILE },
    { ENAMETOOLONG, G_SPAWN_ERROR_NAMETOOLONG },
    { ENFILE, G_SPAWN_ERROR_NFILE },
    { ENOENT, G_SPAWN_ERROR_NOENT },
    { ENOEXEC, G_SPAWN_ERROR_NOEXEC },
    { ENOMEM, G_SPAWN_ERROR_NOMEM },
    { ENOTDIR, G_SPAWN_ERROR_NOTDIR },
    { EPERM, G_SPAWN_ERROR_PERM },
    { ETXTBSY, G_SPAWN_ERROR_TXTBUSY },
    { ENOSYS, G_SPAWN_ERROR_FAILED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
      g_autoptr (GError) error = NULL;

      spec.argv = (const char *[]) { "/bin/true", NULL };
      test_faults_set ("posix_spawn", 1, codes[i][0], TRUE);
      g_assert_null (osiiso_process_spawn (&spec, NULL, child_exited, NULL, &error));
      g_assert_true (test_faults_clear ());
      /* Looked at, it is there. */
      if (codes[i][0] == ENOENT)
        g_assert_nonnull (strstr (error->message, "interpreter"));
      else
        g_assert_nonnull (strstr (error->message, g_strerror (codes[i][0])));
      g_assert_error (error, G_SPAWN_ERROR, codes[i][1]);
      g_assert_nonnull (strstr (error->message, "/bin/true"));
    }
}

/* Where the child has no PATH, and where nobody has. */
static void
test_search_path (void)
{
  static const char * const paths[] = { "/bin:/usr/bin", NULL, "/nowhere", ":/nowhere" };
  g_autofree char *saved = g_strdup (g_getenv ("PATH"));

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
      g_autoptr (GError) error = NULL;
      Child child = { 0 };

      if (paths[i] != NULL)
        g_setenv ("PATH", paths[i], TRUE);
      else
        g_unsetenv ("PATH");
      spec.argv = (const char *[]) { "sh", "-c", "exit 7", NULL };
      spec.envp = (const char *[]) { "ONE=1", NULL };
      spec.search_path = TRUE;
      /* An empty folder is that where it runs. */
      spec.cwd = i == 3 ? "/bin" : NULL;
      child.process = osiiso_process_spawn (&spec, NULL, child_exited, &child, &error);
      if (i == 2)
        {
          g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
          g_assert_null (child.process);
          continue;
        }
      g_assert_no_error (error);
      while (!child.over)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (WEXITSTATUS (child.status), ==, 7);
      osiiso_process_free (child.process);
    }
  g_setenv ("PATH", saved, TRUE);
}

/* The folder, in which no helper is looked for when it has no name. */
static void
test_helper (void)
{
  g_autofree char *saved = g_strdup (g_getenv ("OSIISO_LIBEXEC_PATH"));
  g_autofree char *installed = g_build_filename (OSIISO_LIBEXECDIR, "name", NULL);
  static const char * const folders[] = { "/folder", "", NULL };

  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = NULL;

      if (folders[i] != NULL)
        g_setenv ("OSIISO_LIBEXEC_PATH", folders[i], TRUE);
      else
        g_unsetenv ("OSIISO_LIBEXEC_PATH");
      path = osiiso_process_find_helper ("name");
      g_assert_cmpstr (path, ==, i == 0 ? "/folder/name" : installed);
    }
  g_setenv ("OSIISO_LIBEXEC_PATH", saved, TRUE);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  /* Has a descriptor, which is not counted. */
  g_main_context_default ();

  test_add_native ("/process-faults/pidfds", test_pidfds);
  test_add_native ("/process-faults/no-pidfds", test_no_pidfds);
  test_add_native ("/process-faults/closed-input", test_closed_input);
  test_add_native ("/process-faults/nobody-there", test_nobody_there);
  test_add_native ("/process-faults/not-yet", test_not_yet_each);
  test_add_native ("/process-faults/closed-folder", test_closed_folder);
  test_add_native ("/process-faults/stop", test_stop_fails);
  test_add_native ("/process-faults/old-kernel", test_old_kernel);
  test_add_native ("/process-faults/launcher", test_launcher);
  test_add_native ("/process-faults/read-failure", test_read_failure);
  test_add_native ("/process-faults/codes", test_codes);
  test_add_native ("/process-faults/search-path", test_search_path);
  test_add_native ("/process-faults/helper", test_helper);

  return g_test_run ();
}
