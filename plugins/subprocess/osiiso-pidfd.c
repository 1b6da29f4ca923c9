/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-pidfd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-process.h"

#ifndef P_PIDFD
# define P_PIDFD 3
#endif

int osiiso_pidfd_disabled = FALSE;

typedef struct
{
  int   fd;
  pid_t pid;
} Watch;

/* Leaves the child a zombie, so that its id stays its own. The descriptor is not
 * closed before this has written to it. */
static void *
watch_thread (void *data)
{
  Watch watch = *(Watch *) data;
  siginfo_t info;

  g_free (data);
  while (waitid (P_PID, (id_t) watch.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
    ;
  eventfd_write (watch.fd, 1);
  return NULL;
}

static int
raise_fd (OsiisoPidfd *self)
{
  const int result = osiiso_process_raise_fd (&self->fd);

  if (result != 0)
    osiiso_pidfd_close (self);
  return result;
}

static int
start_thread (OsiisoPidfd *self)
{
  pthread_attr_t attributes;
  sigset_t all, old;
  pthread_t thread;
  Watch *watch;
  int result;

  self->fd = eventfd (0, EFD_CLOEXEC);
  if (self->fd < 0)
    return errno;
  result = raise_fd (self);
  if (result != 0)
    return result;
  watch = g_new (Watch, 1);
  watch->fd = self->fd;
  watch->pid = self->pid;
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  result = pthread_create (&thread, &attributes, watch_thread, watch);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  pthread_attr_destroy (&attributes);
  if (result != 0)
    {
      osiiso_pidfd_close (self);
      g_free (watch);
    }
  return result;
}

int
osiiso_pidfd_open (OsiisoPidfd *self,
                   pid_t        pid)
{
  int result;

  self->pid = pid;
  self->is_real = !g_atomic_int_get (&osiiso_pidfd_disabled);
  if (!self->is_real)
    return start_thread (self);
  self->fd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (self->fd >= 0)
    return raise_fd (self);
  result = errno;
  /* Nobody waited for it: the program ignores SIGCHLD. */
  if (result == ESRCH)
    return 0;
  if (result != ENOSYS)
    return result;
  g_atomic_int_set (&osiiso_pidfd_disabled, TRUE);
  self->is_real = FALSE;
  return start_thread (self);
}

void
osiiso_pidfd_close (OsiisoPidfd *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

gboolean
osiiso_pidfd_is_ours (const OsiisoPidfd *self)
{
  if (self->fd < 0)
    return FALSE;
  if (!self->is_real)
    {
      siginfo_t info;

      return waitid (P_PID, (id_t) self->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    }
  return syscall (SYS_pidfd_send_signal, self->fd, 0, NULL, 0) == 0 || errno != ESRCH;
}

gboolean
osiiso_pidfd_wait (const OsiisoPidfd *self,
                   int               *status,
                   struct rusage     *usage)
{
  siginfo_t info = { 0 };
  eventfd_t n_written;
  long result;

  *status = -1;
  if (self->fd < 0)
    return TRUE;
  /* That of the C library does not tell the usage. */
  do
    result = syscall (SYS_waitid, self->is_real ? P_PIDFD : P_PID, self->is_real ? self->fd : (int) self->pid,
                      &info, WEXITED | WNOHANG, usage);
  while (result < 0 && errno == EINTR);
  if (result >= 0 && info.si_pid == 0)
    return FALSE;
  /* Whoever asks has seen that the thread has written, and that is all it does. */
  if (!self->is_real)
    eventfd_read (self->fd, &n_written);
  if (result < 0)
    {
      memset (usage, 0, sizeof *usage);
      return TRUE;
    }
  if (info.si_code == CLD_EXITED)
    *status = W_EXITCODE (info.si_status, 0);
  else
    *status = W_EXITCODE (0, info.si_status) | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
  return TRUE;
}
