/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-process-spawn-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-secure-private.h"

#define N_FDS 4
/* What the launcher has as well. */
#define STATUS_FD N_FDS
#define MAX_FDS   (N_FDS + 1)

static int
spawn_code (int saved_errno)
{
  switch (saved_errno)
    {
    case E2BIG: return G_SPAWN_ERROR_TOO_BIG;
    case EACCES: return G_SPAWN_ERROR_ACCES;
    case EAGAIN: return G_SPAWN_ERROR_FORK;
    case EINVAL: return G_SPAWN_ERROR_INVAL;
    case EIO: return G_SPAWN_ERROR_IO;
    case EISDIR: return G_SPAWN_ERROR_ISDIR;
    case ELIBBAD: return G_SPAWN_ERROR_LIBBAD;
    case ELOOP: return G_SPAWN_ERROR_LOOP;
    case EMFILE: return G_SPAWN_ERROR_MFILE;
    case ENAMETOOLONG: return G_SPAWN_ERROR_NAMETOOLONG;
    case ENFILE: return G_SPAWN_ERROR_NFILE;
    case ENOENT: return G_SPAWN_ERROR_NOENT;
    case ENOEXEC: return G_SPAWN_ERROR_NOEXEC;
    case ENOMEM: return G_SPAWN_ERROR_NOMEM;
    case ENOTDIR: return G_SPAWN_ERROR_NOTDIR;
    case EPERM: return G_SPAWN_ERROR_PERM;
    case ETXTBSY: return G_SPAWN_ERROR_TXTBUSY;
    default: return G_SPAWN_ERROR_FAILED;
    }
}

void
osiiso_process_set_error (GError    **error,
                          int         saved_errno,
                          const char *program)
{
  const char *hint = "";

  if (saved_errno == EAGAIN)
    hint = " (too many processes; see “ulimit -u”)";
  else if (saved_errno == EMFILE)
    hint = " (see “ulimit -n”)";
  g_set_error (error, G_SPAWN_ERROR, spawn_code (saved_errno), "Cannot start “%s”: %s%s",
               program, g_strerror (saved_errno), hint);
}

char *
osiiso_process_find_helper (const char *name)
{
  const char *folder = osiiso_secure_getenv ("OSIISO_LIBEXEC_PATH");

  return g_build_filename (folder != NULL && *folder != '\0' ? folder : OSIISO_LIBEXECDIR, name, NULL);
}

/* 0, or why the file cannot be executed; relative to the child's folder. */
static int
check_program (const char *file,
               const char *cwd,
               gboolean   *exists) /* (nullable) */
{
  g_autofree char *path = cwd != NULL && !g_path_is_absolute (file) ? g_build_filename (cwd, file, NULL) : NULL;
  struct stat info;

  if (path != NULL)
    file = path;
  if (stat (file, &info) < 0)
    return errno;
  if (exists != NULL)
    *exists = TRUE;
  if (S_ISDIR (info.st_mode))
    return EACCES;
  return faccessat (AT_FDCWD, file, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* The PATH of the child, as a shell would do it; ours if it has none. */
static const char *
search_path (const char * const *envp)
{
  const char *path = NULL;

  if (envp != NULL)
    path = g_environ_getenv ((char **) envp, "PATH");
  if (path == NULL)
    path = g_getenv ("PATH");
  return path != NULL ? path : "/bin:/usr/bin";
}

/* The file to execute, with a '/' in it, or NULL and *saved_errno. */
static char *
find_program (const OsiisoProcessSpec *spec,
              int                     *saved_errno)
{
  const char *name = spec->argv[0];
  g_auto (GStrv) folders = NULL;

  *saved_errno = ENOENT;
  if (*name == '\0')
    return NULL;
  if (strchr (name, '/') != NULL)
    return g_strdup (name);
  if (!spec->search_path)
    return g_strconcat ("./", name, NULL);

  folders = g_strsplit (search_path (spec->envp), ":", -1);
  for (guint i = 0; folders[i] != NULL; i++)
    {
      /* An empty folder is the current one. */
      g_autofree char *file = g_strconcat (*folders[i] != '\0' ? folders[i] : ".", "/", name, NULL);
      gboolean exists = FALSE;

      if (check_program (file, spec->cwd, &exists) == 0)
        {
          *saved_errno = 0;
          return g_steal_pointer (&file);
        }
      if (exists)
        *saved_errno = EACCES;
    }
  return NULL;
}

/* The command of the launcher, which starts @file and tells of that. */
static GPtrArray *
launcher_argv (const OsiisoProcessSpec *spec,
               const char              *file)
{
  const OsiisoProcessLimits *limits = &spec->limits;
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (argv, osiiso_process_find_helper ("osiiso-launch"));
  if (limits->die_with_parent)
    g_ptr_array_add (argv, g_strdup_printf ("--ppid=%d", (int) getpid ()));
  if (limits->nice != 0)
    g_ptr_array_add (argv, g_strdup_printf ("--nice=%d", limits->nice));
  if (limits->address_space != 0)
    g_ptr_array_add (argv, g_strdup_printf ("--as=%" G_GUINT64_FORMAT, limits->address_space));
  if (limits->cpu_seconds != 0)
    g_ptr_array_add (argv, g_strdup_printf ("--cpu=%" G_GUINT64_FORMAT, limits->cpu_seconds));
  g_ptr_array_add (argv, g_strdup_printf ("--status-fd=%d", STATUS_FD));
  g_ptr_array_add (argv, g_strdup ("--file"));
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (file));
  for (guint i = 0; spec->argv[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (spec->argv[i]));
  g_ptr_array_add (argv, NULL);
  return argv;
}

static gboolean
needs_launcher (const OsiisoProcessLimits *limits)
{
  return limits->nice != 0 || limits->address_space != 0 || limits->cpu_seconds != 0 || limits->die_with_parent;
}

#ifndef HAVE_SPAWN_CLOSEFROM
/* Without the help of the C library: nothing of ours that is open now survives
 * exec. What another thread opens meanwhile without O_CLOEXEC does. */
static void
mark_all_cloexec (void)
{
  DIR *folder = opendir ("/proc/self/fd");
  struct dirent *entry;

  if (folder == NULL)
    return;
  while ((entry = readdir (folder)) != NULL)
    {
      int fd = atoi (entry->d_name);

      if (fd > 2)
        fcntl (fd, F_SETFD, FD_CLOEXEC);
    }
  closedir (folder);
}
#endif

/* A number from @least on, or -1 and errno. */
static int
dup_from (int fd,
          int least)
{
  const int copy = fcntl (fd, F_DUPFD_CLOEXEC, least);

  /* The limit is lower than that. */
  if (copy < 0 && errno == EINVAL)
    errno = EMFILE;
  return copy;
}

int
osiiso_process_raise_fd (int *fd)
{
  int raised;

  if (*fd > STDERR_FILENO)
    return 0;
  raised = dup_from (*fd, STDERR_FILENO + 1);
  if (raised < 0)
    return errno;
  close (*fd);
  *fd = raised;
  return 0;
}

int
osiiso_process_raise_fds (int fds[2])
{
  const int result = osiiso_process_raise_fd (&fds[0]);

  return result != 0 ? result : osiiso_process_raise_fd (&fds[1]);
}

/* A descriptor that must become another one's number would be overwritten
 * before its turn: move those out of the way. 0 or an errno. */
static int
move_low_fds (int *fds,
              int *moved)
{
  for (int i = 0; i < MAX_FDS; i++)
    {
      moved[i] = -1;
      if (fds[i] < 0 || fds[i] >= MAX_FDS || fds[i] == i)
        continue;
      moved[i] = dup_from (fds[i], MAX_FDS);
      if (moved[i] < 0)
        return errno;
      fds[i] = moved[i];
    }
  return 0;
}

static int
add_actions (posix_spawn_file_actions_t *actions,
             const OsiisoProcessSpec    *spec,
             const int                  *fds)
{
  int n_fds = MAX_FDS;
  int result = 0;

  while (n_fds > N_FDS - 1 && fds[n_fds - 1] < 0)
    n_fds--;
  for (int i = 0; i < n_fds && result == 0; i++)
    if (fds[i] >= 0)
      result = posix_spawn_file_actions_adddup2 (actions, fds[i], i);
  /* Before anything is opened, so that there is room for it. */
#ifdef HAVE_SPAWN_CLOSEFROM
  if (result == 0)
    result = posix_spawn_file_actions_addclosefrom_np (actions, n_fds);
#else
  mark_all_cloexec ();
#endif
  if (result == 0 && n_fds == MAX_FDS && fds[3] < 0)
    result = posix_spawn_file_actions_addclose (actions, 3);
  for (int i = 0; i < 3 && result == 0; i++)
    if (fds[i] < 0)
      result = posix_spawn_file_actions_addopen (actions, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
  if (result == 0 && spec->cwd != NULL)
#ifdef HAVE_SPAWN_CHDIR
    result = posix_spawn_file_actions_addchdir_np (actions, spec->cwd);
#else
    result = ENOSYS;
#endif
  return result;
}

static int
set_attributes (posix_spawnattr_t *attributes)
{
  sigset_t signals;
  int result;

  result = posix_spawnattr_setflags (attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF);
  if (result == 0)
    result = posix_spawnattr_setpgroup (attributes, 0);
  sigemptyset (&signals);
  if (result == 0)
    result = posix_spawnattr_setsigmask (attributes, &signals);
  sigfillset (&signals);
  if (result == 0)
    result = posix_spawnattr_setsigdefault (attributes, &signals);
  return result;
}

static int
spawn_file (const OsiisoProcessSpec *spec,
            const int               *fds,
            const char              *file,
            const char * const      *argv,
            pid_t                   *pid)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int result;

  result = posix_spawn_file_actions_init (&actions);
  if (result != 0)
    return result;
  result = posix_spawnattr_init (&attributes);
  if (result == 0)
    {
      result = set_attributes (&attributes);
      if (result == 0)
        result = add_actions (&actions, spec, fds);
      if (result == 0)
        result = posix_spawn (pid, file, &actions, &attributes, (char **) argv,
                              spec->envp != NULL ? (char **) spec->envp : environ);
      /* What is duplicated exists, but the numbers may be beyond the limit. */
      if (result == EBADF)
        result = EMFILE;
      posix_spawnattr_destroy (&attributes);
    }
  posix_spawn_file_actions_destroy (&actions);
  return result;
}

/* A script without a first line that says who runs it is the shell's, as for
 * execvp(). */
static int
spawn_script (const OsiisoProcessSpec *spec,
              const int               *fds,
              const char              *file,
              pid_t                   *pid)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  g_ptr_array_add (argv, (char *) "/bin/sh");
  g_ptr_array_add (argv, (char *) file);
  for (guint i = 1; spec->argv[i] != NULL; i++)
    g_ptr_array_add (argv, (char *) spec->argv[i]);
  g_ptr_array_add (argv, NULL);
  return spawn_file (spec, fds, "/bin/sh", (const char * const *) argv->pdata, pid);
}

/* One line of the launcher: "pid N" or "error ERRNO WHAT". FALSE at the end. */
static gboolean
read_line (int     fd,
           GString *line)
{
  char byte;
  gssize n;

  g_string_truncate (line, 0);
  for (;;)
    {
      n = read (fd, &byte, 1);
      if (n < 0 && errno == EINTR)
        continue;
      if (n != 1)
        return FALSE;
      if (byte == '\n')
        return TRUE;
      g_string_append_c (line, byte);
    }
}

/* 0, or the error that it tells of, with what it was doing. */
static int
parse_failure (GString *line,
               char   **what)
{
  char *end = NULL;
  gint64 code;

  if (!g_str_has_prefix (line->str, "error "))
    return 0;
  code = g_ascii_strtoll (line->str + strlen ("error "), &end, 10);
  if (*end == ' ')
    end++;
  *what = g_strdup (end);
  return code > 0 ? (int) code : EINVAL;
}

/* Takes over the launcher, which ends when it has said who is the child. */
static int
await_child (pid_t          launcher,
             int            fd,
             OsiisoSpawned *spawned,
             char         **what)
{
  g_autoptr (GString) line = g_string_new (NULL);
  int result = ECHILD;

  if (!read_line (fd, line))
    *what = g_strdup ("the launcher has ended");
  else if (g_str_has_prefix (line->str, "pid "))
    result = 0;
  else
    result = parse_failure (line, what);
  while (waitpid (launcher, NULL, 0) < 0 && errno == EINTR)
    ;
  if (result != 0)
    return result;
  spawned->pid = (pid_t) g_ascii_strtoll (line->str + strlen ("pid "), NULL, 10);
  spawned->is_small = TRUE;
  return 0;
}

/* @status_fd: where the launcher is read from.
 * @what: what went wrong, when it was not the program. */
static int
spawn_limited (const OsiisoProcessSpec *spec,
               int                     *fds,
               int                      status_fd,
               const char              *file,
               OsiisoSpawned           *spawned,
               char                   **what)
{
  g_autoptr (GPtrArray) argv = launcher_argv (spec, file);
  pid_t launcher;
  int result;

  result = spawn_file (spec, fds, argv->pdata[0], (const char * const *) argv->pdata, &launcher);
  /* Its end would not be seen. */
  close (fds[STATUS_FD]);
  fds[STATUS_FD] = -1;
  if (result == 0)
    return await_child (launcher, status_fd, spawned, what);
  *what = g_strdup (argv->pdata[0]);
  return result;
}

/* A pipe from the launcher, whose end for that is out of the way of others. 0 or an
 * errno. */
static int
open_status (int *ours,
             int *its)
{
  int ends[2];
  int result;

  if (pipe2 (ends, O_CLOEXEC) != 0)
    return errno;
  result = osiiso_process_raise_fds (ends);
  *its = result == 0 ? dup_from (ends[1], MAX_FDS) : -1;
  if (result == 0 && *its < 0)
    result = errno;
  close (ends[1]);
  *ours = ends[0];
  if (result != 0)
    close (ends[0]);
  return result;
}

static int
spawn_with_launcher (const OsiisoProcessSpec *spec,
                     int                     *fds,
                     const char              *file,
                     OsiisoSpawned           *spawned,
                     char                   **what)
{
  int status_fd = -1;
  int result = check_program (file, spec->cwd, NULL);

  if (result == 0)
    result = open_status (&status_fd, &fds[STATUS_FD]);
  if (result != 0)
    return result;
  result = spawn_limited (spec, fds, status_fd, file, spawned, what);
  if (result == 0)
    spawned->status_fd = status_fd;
  else
    close (status_fd);
  return result;
}

/* 0, or why no process can be in that folder. */
static int
check_folder (const char *folder)
{
  struct stat info;

  if (stat (folder, &info) < 0)
    return errno;
  if (!S_ISDIR (info.st_mode))
    return ENOTDIR;
  return faccessat (AT_FDCWD, folder, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* ENOENT and the like can have two reasons, of which posix_spawn() tells none. */
static void
set_program_error (int         result,
                   const char *program,
                   gboolean    exists,
                   GError    **error)
{
  if (result == ENOENT && exists)
    g_set_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT,
                 "Cannot start “%s”: the interpreter that it asks for does not exist", program);
  else
    osiiso_process_set_error (error, result, program);
}

static void
set_launcher_error (int         result,
                    const char *program,
                    const char *what,
                    GError    **error)
{
  g_autofree char *both = g_strdup_printf ("%s (%s)", program, what);

  osiiso_process_set_error (error, result, both);
}

/* posix_spawn() says which error, but not where. */
static void
explain (const OsiisoProcessSpec *spec,
         int                      result,
         const char              *file, /* (nullable): it was not found */
         const char              *what, /* (nullable): it was not its fault */
         GError                 **error)
{
  const char *program = spec->argv[0];
  int folder_result = spec->cwd != NULL ? check_folder (spec->cwd) : 0;

#ifndef HAVE_SPAWN_CHDIR
  if (spec->cwd != NULL && result == ENOSYS)
    folder_result = ENOSYS;
#endif
  if (folder_result != 0)
    g_set_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_CHDIR, "Cannot start “%s” in “%s”: %s",
                 program, spec->cwd, g_strerror (folder_result));
  else if (what != NULL)
    set_launcher_error (result, program, what, error);
  else
    set_program_error (result, program, file != NULL && check_program (file, spec->cwd, NULL) == 0, error);
}

GError *
osiiso_process_read_failure (int         status_fd,
                             const char *program)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autofree char *what = NULL;
  GError *error = NULL;
  int result;

  /* Nobody has the other end any more, but whoever copied it in a careless fork. */
  if (fcntl (status_fd, F_SETFL, O_NONBLOCK) < 0 || !read_line (status_fd, line))
    return NULL;
  result = parse_failure (line, &what);
  if (what == NULL)
    return NULL;
  /* The program was there, and what it is called has a '/' in it. */
  if (strchr (what, '/') != NULL)
    set_program_error (result, program, TRUE, &error);
  else
    set_launcher_error (result, program, what, &error);
  return error;
}

gboolean
osiiso_process_spawn_child (const OsiisoProcessSpec *spec,
                            OsiisoSpawned           *spawned,
                            GError                 **error)
{
  int fds[MAX_FDS] = { spec->fds[0], spec->fds[1], spec->fds[2], spec->fds[3], -1 };
  int moved[MAX_FDS] = { -1, -1, -1, -1, -1 };
  g_autofree char *what = NULL;
  g_autofree char *file = NULL;
  int result;

  *spawned = (OsiisoSpawned) { .pid = -1, .status_fd = -1 };
  file = find_program (spec, &result);
  if (file != NULL)
    result = move_low_fds (fds, moved);
  if (result == 0 && needs_launcher (&spec->limits))
    {
      result = spawn_with_launcher (spec, fds, file, spawned, &what);
    }
  else if (result == 0)
    {
      result = spawn_file (spec, fds, file, spec->argv, &spawned->pid);
      if (result == ENOEXEC)
        result = spawn_script (spec, fds, file, &spawned->pid);
    }
  for (int i = 0; i < MAX_FDS; i++)
    if (moved[i] >= 0)
      close (moved[i]);

  if (result == 0)
    return TRUE;
  explain (spec, result, file, what, error);
  return FALSE;
}
