/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-faults.h"
#include "test-interpose.h"

static struct
{
  pthread_mutex_t lock;
  atomic_bool     armed; /* the rest is guarded by the lock */
  const char     *name;
  guint           at;
  guint           n;
  int             number;
  gboolean        more;
  gboolean        happened;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
test_faults_set (const char *name,
                 guint       at,
                 int         number,
                 gboolean    more)
{
  pthread_mutex_lock (&state.lock);
  state.name = name;
  state.at = at;
  state.n = 0;
  state.number = number;
  state.more = more;
  state.happened = FALSE;
  pthread_mutex_unlock (&state.lock);
  atomic_store (&state.armed, TRUE);
}

gboolean
test_faults_happened (void)
{
  gboolean happened;

  pthread_mutex_lock (&state.lock);
  happened = state.happened;
  pthread_mutex_unlock (&state.lock);
  return happened;
}

gboolean
test_faults_clear (void)
{
  gboolean happened;

  atomic_store (&state.armed, FALSE);
  pthread_mutex_lock (&state.lock);
  state.name = NULL;
  happened = state.happened;
  state.happened = FALSE;
  pthread_mutex_unlock (&state.lock);
  return happened;
}

/* In the program itself, in a library or in a plugin of the project. */
static gboolean
is_ours (const void *caller)
{
  Dl_info info, own;

  if (dladdr (caller, &info) == 0 || dladdr ((void *) is_ours, &own) == 0)
    return FALSE;
  return info.dli_fbase == own.dli_fbase || strstr (info.dli_fname, "osiiso") != NULL;
}

/* 0, or the errno that this call fails with. */
static int
next_fault (const char *name,
            const void *caller)
{
  int number = 0;

  if (!atomic_load (&state.armed))
    return 0;
  pthread_mutex_lock (&state.lock);
  if (state.name != NULL && strcmp (state.name, name) == 0 &&
      (strcmp (name, "pthread_create") == 0 || is_ours (caller)))
    {
      state.n++;
      if (state.n == state.at || (state.more && state.n > state.at))
        {
          number = state.number;
          state.happened = TRUE;
        }
    }
  pthread_mutex_unlock (&state.lock);
  return number;
}

static gboolean
fails (const char *name,
       const void *caller)
{
  const int saved = errno;
  const int number = next_fault (name, caller);

  errno = number != 0 ? number : saved;
  return number != 0;
}

/* -1 and errno */
#define WITH_ERRNO(type, name, parameters, arguments)         \
  TEST_INTERPOSED type (name) parameters                      \
  {                                                           \
    static _Atomic (void *) cache;                            \
    type (*next) parameters = test_find_next (&cache, #name); \
                                                              \
    if (fails (#name, __builtin_return_address (0)))          \
      return -1;                                              \
    return next arguments;                                    \
  }

/* Returns it. */
#define WITH_NUMBER(name, parameters, arguments)                         \
  TEST_INTERPOSED int (name) parameters                                  \
  {                                                                      \
    static _Atomic (void *) cache;                                       \
    int (*next) parameters = test_find_next (&cache, #name);             \
    const int number = next_fault (#name, __builtin_return_address (0)); \
                                                                         \
    return number != 0 ? number : next arguments;                        \
  }

WITH_ERRNO (ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WITH_ERRNO (ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WITH_ERRNO (int, pipe2, (int fds[2], int flags), (fds, flags))
WITH_ERRNO (int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
WITH_ERRNO (int, getsockopt, (int fd, int level, int option, void *value, socklen_t *length),
            (fd, level, option, value, length))
WITH_ERRNO (int, eventfd, (unsigned start, int flags), (start, flags))
WITH_ERRNO (int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout))
WITH_ERRNO (int, sem_wait, (sem_t *semaphore), (semaphore))
WITH_ERRNO (int, faccessat, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags))
WITH_ERRNO (pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
WITH_ERRNO (int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
WITH_ERRNO (int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
            (set, info, timeout))

WITH_NUMBER (pthread_create, (pthread_t *thread, const pthread_attr_t *attributes, void *(*start) (void *), void *data),
             (thread, attributes, start, data))
WITH_NUMBER (posix_spawn, (pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]),
             (pid, path, actions, attributes, argv, envp))
WITH_NUMBER (posix_spawnattr_init, (posix_spawnattr_t *attributes), (attributes))
WITH_NUMBER (posix_spawnattr_setflags, (posix_spawnattr_t *attributes, short flags), (attributes, flags))
WITH_NUMBER (posix_spawnattr_setpgroup, (posix_spawnattr_t *attributes, pid_t group), (attributes, group))
WITH_NUMBER (posix_spawnattr_setsigmask, (posix_spawnattr_t *attributes, const sigset_t *set), (attributes, set))
WITH_NUMBER (posix_spawnattr_setsigdefault, (posix_spawnattr_t *attributes, const sigset_t *set), (attributes, set))
WITH_NUMBER (posix_spawn_file_actions_init, (posix_spawn_file_actions_t *actions), (actions))
WITH_NUMBER (posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t *actions, int fd, int to), (actions, fd, to))
WITH_NUMBER (posix_spawn_file_actions_addclose, (posix_spawn_file_actions_t *actions, int fd), (actions, fd))
#ifdef HAVE_SPAWN_CLOSEFROM
WITH_NUMBER (posix_spawn_file_actions_addclosefrom_np, (posix_spawn_file_actions_t *actions, int from), (actions, from))
#endif
#ifdef HAVE_SPAWN_CHDIR
WITH_NUMBER (posix_spawn_file_actions_addchdir_np, (posix_spawn_file_actions_t *actions, const char *path), (actions, path))
#endif

/* What wakes somebody has eight bytes, and nothing but a signal keeps it from that. */
#define EVENT_SIZE sizeof (eventfd_t)

TEST_INTERPOSED ssize_t
read (int    fd,
      void  *data,
      size_t size)
{
  static _Atomic (void *) cache;
  ssize_t (*next) (int, void *, size_t) = test_find_next (&cache, "read");

  if (fails (size == EVENT_SIZE ? "read, of an event" : "read", __builtin_return_address (0)))
    return -1;
  return next (fd, data, size);
}

TEST_INTERPOSED ssize_t
write (int         fd,
       const void *data,
       size_t      size)
{
  static _Atomic (void *) cache;
  ssize_t (*next) (int, const void *, size_t) = test_find_next (&cache, "write");

  if (fails (size == EVENT_SIZE ? "write, of an event" : "write", __builtin_return_address (0)))
    return -1;
  return next (fd, data, size);
}

/* Those that have another name when files can be large. */
#if defined __USE_FILE_OFFSET64 && defined __GLIBC__
# define LARGE(name) name "64"
#else
# define LARGE(name) name
#endif

TEST_INTERPOSED int
stat (const char  *path,
      struct stat *info)
{
  static _Atomic (void *) cache;
  int (*next) (const char *, struct stat *) = test_find_next (&cache, LARGE ("stat"));

  return fails ("stat", __builtin_return_address (0)) ? -1 : next (path, info);
}

TEST_INTERPOSED int
posix_spawn_file_actions_addopen (posix_spawn_file_actions_t *actions,
                                  int                         fd,
                                  const char                 *path,
                                  int                         flags,
                                  mode_t                      mode)
{
  static _Atomic (void *) cache;
  int (*next) (posix_spawn_file_actions_t *, int, const char *, int, mode_t) =
    test_find_next (&cache, "posix_spawn_file_actions_addopen");
  const int number = next_fault ("posix_spawn_file_actions_addopen", __builtin_return_address (0));

  return number != 0 ? number : next (actions, fd, path, flags, mode);
}

TEST_INTERPOSED int
fcntl (int fd,
       int command,
       ...)
{
  static _Atomic (void *) cache;
  int (*next) (int, int, ...) = test_find_next (&cache, LARGE ("fcntl"));
  va_list args;
  void *argument;

  va_start (args, command);
  argument = va_arg (args, void *);
  va_end (args);
  return fails ("fcntl", __builtin_return_address (0)) ? -1 : next (fd, command, argument);
}

/* Those that the C library has no function for. */
static const char *
name_call (long number)
{
  switch (number)
    {
    case SYS_pidfd_open: return "pidfd_open";
    case SYS_pidfd_send_signal: return "pidfd_send_signal";
    case SYS_waitid: return "waitid, directly";
    default: return NULL;
    }
}

TEST_INTERPOSED long
syscall (long number,
         ...)
{
  static _Atomic (void *) cache;
  long (*next) (long, ...) = test_find_next (&cache, "syscall");
  const char *name = name_call (number);
  long arguments[6];
  va_list args;

  va_start (args, number);
  for (guint i = 0; i < G_N_ELEMENTS (arguments); i++)
    arguments[i] = va_arg (args, long);
  va_end (args);
  if (name != NULL && fails (name, __builtin_return_address (0)))
    return -1;
  return next (number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
