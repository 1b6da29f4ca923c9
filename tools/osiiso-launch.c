/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * osiiso-launch [--ppid=N] [--nice=N] [--as=BYTES] [--cpu=SECONDS] [--core=BYTES] [--status-fd=N] [--] PROGRAM ARGUMENT...
 * osiiso-launch … --file -- FILE NAME ARGUMENT...
 *
 * Runs PROGRAM in its own place, with limits, and such that it is killed when its
 * parent is gone. posix_spawn() can do none of this, and what calls it may have
 * threads, so nothing may happen between fork and exec there. It starts for each
 * command, so it needs the C library only.
 *
 * With --file it runs FILE, which gets NAME as its name.
 *
 * With --status-fd it makes a child of its parent, a sibling of itself, which is the
 * one that becomes PROGRAM, and ends. A process counts the memory of the one that
 * spawned it as its own peak, and that one may be large; a child of this program has
 * next to none. The descriptor gets "pid N\n" from the new process when that has a
 * process group of its own; what goes wrong is not printed but written there, as
 * "error ERRNO WHAT\n". It is closed when PROGRAM runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum
{
  EXIT_USAGE      = 125,
  EXIT_CANNOT_RUN = 126,
  EXIT_NOT_FOUND  = 127,
};

static int status_fd = -1;

static void fail (int         status,
                  const char *what,
                  int         code) __attribute__ ((noreturn));

static void
fail (int         status,
      const char *what,
      int         code)
{
  if (status_fd >= 0)
    dprintf (status_fd, "error %d %s\n", code, what);
  else if (code != 0)
    fprintf (stderr, "osiiso-launch: %s: %s\n", what, strerror (code));
  else
    fprintf (stderr, "osiiso-launch: %s\n", what);
  exit (status);
}

/* The number behind "--name=", if the argument is that option. */
static int
read_option (const char *argument,
             const char *name,
             long long  *value)
{
  size_t length = strlen (name);
  char *end = NULL;

  if (strncmp (argument, name, length) != 0 || argument[length] != '=')
    return 0;
  errno = 0;
  *value = strtoll (argument + length + 1, &end, 10);
  if (errno != 0 || end == argument + length + 1 || *end != '\0')
    fail (EXIT_USAGE, argument, EINVAL);
  return 1;
}

/* Never more than there was before: that would need a right. */
static void
limit (int         resource,
       long long   value,
       long long   grace,
       const char *what)
{
  struct rlimit old;
  struct rlimit new;

  if (value < 0)
    return;
  new.rlim_cur = (rlim_t) value;
  new.rlim_max = (rlim_t) (value + grace);
  if (getrlimit (resource, &old) == 0 && old.rlim_max != RLIM_INFINITY)
    {
      if (new.rlim_max > old.rlim_max)
        new.rlim_max = old.rlim_max;
      if (new.rlim_cur > old.rlim_max)
        new.rlim_cur = old.rlim_max;
    }
  if (setrlimit (resource, &new) != 0)
    fail (EXIT_USAGE, what, errno);
}

/* The program is a child of our parent, whose peak of memory is its own. */
static void
become_sibling (void)
{
  long pid;

  if (fcntl (status_fd, F_SETFD, FD_CLOEXEC) != 0)
    {
      status_fd = -1;
      fail (EXIT_USAGE, "--status-fd", errno);
    }
  pid = syscall (SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid < 0)
    fail (EXIT_USAGE, "clone", errno);
  if (pid > 0)
    _exit (0);
  if (setpgid (0, 0) != 0)
    fail (EXIT_USAGE, "setpgid", errno);
}

static void
tell_pid (void)
{
  char text[32];
  int length = snprintf (text, sizeof text, "pid %ld\n", (long) getpid ());

  for (int done = 0; done < length;)
    {
      ssize_t n = write (status_fd, text + done, (size_t) (length - done));

      if (n < 0 && errno != EINTR)
        _exit (EXIT_USAGE);
      done += n > 0 ? (int) n : 0;
    }
}

static void
reset_signals (void)
{
  struct sigaction action;
  sigset_t none;

  memset (&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  for (int i = 1; i < NSIG; i++)
    sigaction (i, &action, NULL);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

int
main (int    argc,
      char **argv)
{
  long long parent = 0;
  long long niceness = 0;
  long long address_space = -1;
  long long cpu = -1;
  long long core = -1;
  long long fd = -1;
  int is_file = 0;
  int first = 1;
  int code;

  for (; first < argc && strncmp (argv[first], "--", 2) == 0; first++)
    {
      if (strcmp (argv[first], "--") == 0)
        {
          first++;
          break;
        }
      if (strcmp (argv[first], "--file") == 0)
        {
          is_file = 1;
          continue;
        }
      if (!read_option (argv[first], "--ppid", &parent) && !read_option (argv[first], "--nice", &niceness) &&
          !read_option (argv[first], "--as", &address_space) && !read_option (argv[first], "--cpu", &cpu) &&
          !read_option (argv[first], "--core", &core) && !read_option (argv[first], "--status-fd", &fd))
        {
          fprintf (stderr, "osiiso-launch: unknown option %s\n", argv[first]);
          return EXIT_USAGE;
        }
    }
  if (first + is_file >= argc)
    fail (EXIT_USAGE, "no program was given", 0);

  if (fd >= 0)
    {
      status_fd = (int) fd;
      become_sibling ();
    }
  if (parent > 0)
    {
      /* First the wish, then the look: whoever dies in between is seen by one of
       * the two. */
      if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0)
        fail (EXIT_USAGE, "prctl", errno);
      if (getppid () != parent)
        raise (SIGKILL);
    }
  if (status_fd >= 0)
    tell_pid ();
  errno = 0;
  if (niceness != 0 && nice ((int) niceness) == -1 && errno != 0)
    fail (EXIT_USAGE, "nice", errno);
  /* Out of its time a program gets SIGXCPU, and SIGKILL a second later. */
  limit (RLIMIT_CPU, cpu, 1, "limit of CPU time");
  limit (RLIMIT_CORE, core, 0, "limit of core files");
  reset_signals ();
  /* Last: it holds for this program, too. */
  limit (RLIMIT_AS, address_space, 0, "limit of address space");

  /* Not looked for: the file has a '/' in it. */
  execvp (argv[first], argv + first + is_file);
  code = errno;
  fail (code == ENOENT || code == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, argv[first], code);
}
