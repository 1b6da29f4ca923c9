/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <osiiso.h>

#include "conformance-shared.h"

/* What osiiso-backend-conformance calls by name. Numbers are given by where they
 * are in the shared memory. */

#define FUNCTION(name)                                                    \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, \
                                  GError **error);                        \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

static int *
get_number (guint index)
{
  static ConformanceShared *shared;

  if (g_once_init_enter (&shared))
    {
      const char *path = g_getenv (CONFORMANCE_VARIABLE_SHARED);
      const int fd = path != NULL ? open (path, O_RDWR | O_CLOEXEC) : -1;
      void *map = fd < 0 ? MAP_FAILED
                         : mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

      if (map == MAP_FAILED)
        g_error ("the memory that " CONFORMANCE_VARIABLE_SHARED " names cannot be had: %s", g_strerror (errno));
      close (fd);
      g_once_init_leave (&shared, map);
    }
  g_assert (index < CONFORMANCE_N_SHARED);
  return &shared->numbers[index];
}

static int *
get_argument (GVariant *args,
              gsize     i)
{
  guint index;

  g_variant_get_child (args, i, "u", &index);
  return get_number (index);
}

static void
pass_gate (const int *gate)
{
  while (g_atomic_int_get (gate) == 0)
    syscall (SYS_futex, gate, FUTEX_WAIT, 0, NULL, NULL, 0);
}

FUNCTION (conformance_none)
{
  return NULL;
}

FUNCTION (conformance_value)
{
  return g_variant_ref (args);
}

FUNCTION (conformance_fail)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "as it should");
  return NULL;
}

FUNCTION (conformance_count)
{
  g_atomic_int_inc (get_argument (args, 0));
  return NULL;
}

/* (number that arrived, gate) */
FUNCTION (conformance_gate)
{
  g_atomic_int_inc (get_argument (args, 0));
  pass_gate (get_argument (args, 1));
  return g_variant_new_int32 (1);
}

/* (number that arrived, number that were cancelled) */
FUNCTION (conformance_listen)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  GPollFD poll_fd;

  g_atomic_int_inc (get_argument (args, 0));
  if (g_cancellable_make_pollfd (cancellable, &poll_fd))
    {
      while (!g_cancellable_is_cancelled (cancellable))
        g_poll (&poll_fd, 1, -1);
      g_cancellable_release_fd (cancellable);
    }
  g_atomic_int_inc (get_argument (args, 1));
  g_cancellable_set_error_if_cancelled (cancellable, error);
  return NULL;
}

/* (number inside, most of them so far) */
FUNCTION (conformance_measure)
{
  int *n_now = get_argument (args, 0);
  int *n_most = get_argument (args, 1);
  const int now = g_atomic_int_add (n_now, 1) + 1;
  int most = g_atomic_int_get (n_most);

  while (now > most && !g_atomic_int_compare_and_exchange (n_most, most, now))
    most = g_atomic_int_get (n_most);
  g_thread_yield ();
  g_atomic_int_add (n_now, -1);
  return NULL;
}

/* (log: how many, and then what; what) */
FUNCTION (conformance_log)
{
  int *log = get_argument (args, 0);
  int what;

  g_variant_get_child (args, 1, "i", &what);
  log[1 + g_atomic_int_add (log, 1)] = what;
  return NULL;
}

FUNCTION (conformance_work)
{
  const gint64 until = g_get_monotonic_time () + 100;

  while (g_get_monotonic_time () < until)
    g_thread_yield ();
  return NULL;
}

/* (number that arrived, gate) */
FUNCTION (conformance_progress)
{
  osiiso_attempt_set_progress (attempt, 0.5, "half of it");
  return conformance_gate (attempt, args, error);
}

FUNCTION (conformance_crash)
{
  raise (SIGABRT);
  return NULL;
}
