/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * osiiso-launch [--ppid=N] [--nice=N] [--as=BYTES] [--cpu=SECONDS] [--core=BYTES] [--] PROGRAM ARGUMENT...
 *
 * Runs PROGRAM in its own place, with limits, and such that it is killed when its
 * parent is gone. posix_spawn() can do none of this, and what calls it may have
 * threads, so nothing may happen between fork and exec there. It starts for each
 * command, so it needs the C library only.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum
{
  EXIT_USAGE      = 125,
  EXIT_CANNOT_RUN = 126,
  EXIT_NOT_FOUND  = 127,
};

static void fail (int         status,
                  const char *what,
                  int         code) __attribute__ ((noreturn));

static void
fail (int         status,
      const char *what,
      int         code)
{
  if (code != 0)
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
  int first = 1;
  int code;

  for (; first < argc && strncmp (argv[first], "--", 2) == 0; first++)
    {
      if (strcmp (argv[first], "--") == 0)
        {
          first++;
          break;
        }
      if (!read_option (argv[first], "--ppid", &parent) && !read_option (argv[first], "--nice", &niceness) &&
          !read_option (argv[first], "--as", &address_space) && !read_option (argv[first], "--cpu", &cpu) &&
          !read_option (argv[first], "--core", &core))
        {
          fprintf (stderr, "osiiso-launch: unknown option %s\n", argv[first]);
          return EXIT_USAGE;
        }
    }
  if (first >= argc)
    fail (EXIT_USAGE, "no program was given", 0);

  if (parent > 0)
    {
      /* First the wish, then the look: whoever dies in between is seen by one of
       * the two. */
      if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0)
        fail (EXIT_USAGE, "prctl", errno);
      if (getppid () != parent)
        raise (SIGKILL);
    }
  errno = 0;
  if (niceness != 0 && nice ((int) niceness) == -1 && errno != 0)
    fail (EXIT_USAGE, "nice", errno);
  /* Out of its time a program gets SIGXCPU, and SIGKILL a second later. */
  limit (RLIMIT_CPU, cpu, 1, "limit of CPU time");
  limit (RLIMIT_CORE, core, 0, "limit of core files");
  reset_signals ();
  /* Last: it holds for this program, too. */
  limit (RLIMIT_AS, address_space, 0, "limit of address space");

  execvp (argv[first], argv + first);
  code = errno;
  fail (code == ENOENT || code == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, argv[first], code);
}
