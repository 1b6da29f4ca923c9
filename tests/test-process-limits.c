/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test-process.h"
#include "test-valgrind.h"

/* What a child may use and has used, and what happens when there is no more. */

static void
test_too_big (void)
{
  g_autofree char *huge = g_strnfill (1024 * 1024, 'x');
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autoptr (GError) error = NULL;

  spec.argv = (const char *[]) { "/bin/true", huge, NULL };
  error = test_spawn_error (&spec);
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
  test_child_start (&child, &spec);
  test_child_await (&child);
  test_assert_exit_status (&child, 0);
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
  error = test_spawn_error (&spec);
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
  error = test_spawn_error (&spec);
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
  error = test_spawn_error (&spec);
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
  text = test_run_and_read (&spec);
  g_assert_cmpstr (text, ==, expected);
}

int
test_be_parent (void)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  Child child;

  spec.argv = SHELL ("echo x; exec sleep 1000");
  spec.fds[1] = STDOUT_FILENO;
  spec.limits.die_with_parent = TRUE;
  test_child_start (&child, &spec);
  test_child_await (&child);
  return 1;
}

static void
test_dies_with_parent (void)
{
  g_autofree char *program = test_own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  g_autofree char *rest = NULL;
  Child child;
  int fd;

  spec.argv = (const char *[]) { program, "--be-parent", NULL };
  fd = test_child_start_with_output (&child, &spec);
  test_read_byte (fd);
  osiiso_process_kill (child.process);
  test_child_await (&child);
  test_assert_signal (&child, SIGKILL);
  /* Its child is in another group, and is gone anyway. */
  rest = test_read_all (fd);
}

#define MEBI (1024 * 1024)

int
test_use_memory (gsize n_mebi)
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
  g_autofree char *program = test_own_program ();
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  struct rusage ours;
  Child child;

  getrusage (RUSAGE_SELF, &ours);
  g_assert_cmpint (ours.ru_maxrss, <, 150 * 1024);
  spec.argv = (const char *[]) { program, "--use-memory", NULL };
  test_child_start (&child, &spec);
  test_child_await (&child);
  test_assert_exit_status (&child, 0);
  g_assert_cmpint (child.usage.ru_maxrss, >=, 200 * 1024);
  g_assert_cmpint (child.usage.ru_utime.tv_usec + child.usage.ru_stime.tv_usec, >, 0);

  /* What we use ourselves is not its. */
  g_assert_cmpint (test_use_memory (100), ==, 0);
  spec.argv = (const char *[]) { "/bin/true", NULL };
  test_child_start (&child, &spec);
  test_child_await (&child);
  g_assert_cmpint (child.usage.ru_maxrss, <, 100 * 1024);

  /* With the launcher it is known even if it is less. */
  spec.limits.die_with_parent = TRUE;
  test_child_start (&child, &spec);
  test_child_await (&child);
  g_assert_cmpint (child.usage.ru_maxrss, >, 0);
  g_assert_cmpint (child.usage.ru_maxrss, <, 50 * 1024);
}

void
test_add_process_limits (void)
{
  test_add_native ("/process/too-big", test_too_big);
  test_add_native ("/process/out-of-fds", test_out_of_fds);
  test_add_native ("/process/out-of-processes", test_out_of_processes);
  test_add_native ("/process/out-of-memory", test_out_of_memory);
  g_test_add_func ("/process/limits", test_limits);
  g_test_add_func ("/process/dies-with-parent", test_dies_with_parent);
  g_test_add_func ("/process/usage", test_usage);
}
