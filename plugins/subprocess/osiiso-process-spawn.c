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
#include <unistd.h>

#include "osiiso-secure-private.h"

#define N_FDS 4

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

/* The command of the launcher, which starts @file. */
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
  g_ptr_array_add (argv, g_strdup ("--"));
  /* The program sees the file as its argv[0]. */
  g_ptr_array_add (argv, g_strdup (file));
  for (guint i = 1; spec->argv[i] != NULL; i++)
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

/* A descriptor that must become another one's number would be overwritten
 * before its turn: move those out of the way. 0 or an errno. */
static int
move_low_fds (int *fds,
              int *moved)
{
  for (int i = 0; i < N_FDS; i++)
    {
      moved[i] = -1;
      if (fds[i] < 0 || fds[i] >= N_FDS || fds[i] == i)
        continue;
      moved[i] = fcntl (fds[i], F_DUPFD_CLOEXEC, N_FDS);
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
  int result = 0;

  for (int i = 0; i < N_FDS && result == 0; i++)
    if (fds[i] >= 0)
      result = posix_spawn_file_actions_adddup2 (actions, fds[i], i);
  /* Before anything is opened, so that there is room for it. */
#ifdef HAVE_SPAWN_CLOSEFROM
  if (result == 0)
    result = posix_spawn_file_actions_addclosefrom_np (actions, fds[3] >= 0 ? N_FDS : N_FDS - 1);
#else
  mark_all_cloexec ();
#endif
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

static int
spawn_limited (const OsiisoProcessSpec *spec,
               const int               *fds,
               const char              *file,
               pid_t                   *pid,
               char                   **launcher)
{
  g_autoptr (GPtrArray) argv = NULL;
  int result = check_program (file, spec->cwd, NULL);

  if (result != 0)
    return result;
  argv = launcher_argv (spec, file);
  result = spawn_file (spec, fds, argv->pdata[0], (const char * const *) argv->pdata, pid);
  if (result != 0)
    *launcher = g_strdup (argv->pdata[0]);
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

/* posix_spawn() says which error, but not where. */
static void
explain (const OsiisoProcessSpec *spec,
         int                      result,
         const char              *file,     /* (nullable): it was not found */
         const char              *launcher, /* (nullable): it was not its fault */
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
  else if (launcher != NULL)
    osiiso_process_set_error (error, result, launcher);
  else if (result == ENOENT && file != NULL && check_program (file, spec->cwd, NULL) == 0)
    g_set_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT,
                 "Cannot start “%s”: the interpreter that it asks for does not exist", program);
  else
    osiiso_process_set_error (error, result, program);
}

pid_t
osiiso_process_spawn_pid (const OsiisoProcessSpec *spec,
                          GError                 **error)
{
  int fds[N_FDS] = { spec->fds[0], spec->fds[1], spec->fds[2], spec->fds[3] };
  int moved[N_FDS] = { -1, -1, -1, -1 };
  g_autofree char *launcher = NULL;
  g_autofree char *file = NULL;
  pid_t pid = -1;
  int result;

  file = find_program (spec, &result);
  if (file != NULL)
    result = move_low_fds (fds, moved);
  if (result == 0 && needs_launcher (&spec->limits))
    {
      result = spawn_limited (spec, fds, file, &pid, &launcher);
    }
  else if (result == 0)
    {
      result = spawn_file (spec, fds, file, spec->argv, &pid);
      if (result == ENOEXEC)
        result = spawn_script (spec, fds, file, &pid);
    }
  for (int i = 0; i < N_FDS; i++)
    if (moved[i] >= 0)
      close (moved[i]);

  if (result == 0)
    return pid;
  explain (spec, result, file, launcher, error);
  return -1;
}
