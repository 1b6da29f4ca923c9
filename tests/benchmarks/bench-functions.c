/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <osiiso.h>

#include "bench-spin.h"
#include "bench-storm.h"

/* What the benchmarks call in osiiso-worker. */

#define FUNCTION(name)                                                    \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, \
                                  GError **error);                        \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

FUNCTION (bench_echo)
{
  return args != NULL ? g_variant_ref (args) : NULL;
}

/* (t): works for so many iterations. */
FUNCTION (bench_work)
{
  guint64 iterations;

  g_variant_get (args, "(t)", &iterations);
  bench_spin (iterations);
  return NULL;
}

FUNCTION (bench_pid)
{
  return g_variant_new_int32 (getpid ());
}

/* Never returns, whatever it is told. Its progress says that it is in here. */
FUNCTION (bench_deaf)
{
  signal (SIGTERM, SIG_IGN);
  osiiso_attempt_set_progress (attempt, 0.5, NULL);
  while (pause () < 0)
    ;
  return NULL;
}

static BenchLog *
open_log (const char *path,
          GError    **error)
{
  const int fd = open (path, O_RDWR | O_CLOEXEC);
  struct stat status;
  BenchLog *log = MAP_FAILED;

  if (fd >= 0 && fstat (fd, &status) == 0)
    log = mmap (NULL, (gsize) status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (log == MAP_FAILED)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s: %s", path, g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return log != MAP_FAILED ? log : NULL;
}

/* (suu): notes in the log of that path that the task of that number has begun, and
 * works for so many microseconds, or longer. */
FUNCTION (bench_note)
{
  static BenchLog *log;
  const char *path;
  guint32 index;
  guint32 length;
  gint64 end;
  guint i;

  g_variant_get (args, "(&suu)", &path, &index, &length);
  if (log == NULL && (log = open_log (path, error)) == NULL)
    return NULL;

  end = g_get_monotonic_time () + length;
  i = (guint) g_atomic_int_add (&log->n, 1);
  if (i < log->size)
    {
      log->starts[i].index = index;
      g_atomic_int_set (&log->starts[i].pid, getpid ());
    }
  while (g_get_monotonic_time () < end || i > (guint) g_atomic_int_get (&log->due) + BENCH_STORM_AHEAD)
    ;
  return NULL;
}
