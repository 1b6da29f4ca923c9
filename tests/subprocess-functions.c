/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <osiiso.h>

/* What the tests of the subprocess backend call in osiiso-worker. */

#define FUNCTION(name)                                                    \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, \
                                  GError **error);                        \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

static gboolean was_set_up;

FUNCTION (echo)
{
  return args != NULL ? g_variant_ref (args) : NULL;
}

FUNCTION (get_pid)
{
  return g_variant_new_int32 (getpid ());
}

/* Never returns, whatever it is told. */
FUNCTION (deaf)
{
  signal (SIGTERM, SIG_IGN);
  while (pause () < 0)
    ;
  return NULL;
}

FUNCTION (set_up)
{
  was_set_up = TRUE;
  return NULL;
}

FUNCTION (get_set_up)
{
  return g_variant_new_boolean (was_set_up);
}

FUNCTION (allocate)
{
  const gsize size = g_variant_get_uint64 (args);
  char *memory = g_malloc (size);
  gsize sum = 0;

  memset (memory, 1, size);
  for (gsize i = 0; i < size; i += 4096)
    sum += (gsize) memory[i];
  g_free (memory);
  return g_variant_new_uint64 (sum);
}

FUNCTION (compute)
{
  volatile guint n = 0;

  while (!g_cancellable_is_cancelled (NULL))
    n++;
  return NULL;
}

FUNCTION (limits)
{
  struct rlimit memory;
  struct rlimit time;

  getrlimit (RLIMIT_AS, &memory);
  getrlimit (RLIMIT_CPU, &time);
  return g_variant_new ("(itt)", getpriority (PRIO_PROCESS, 0), (guint64) memory.rlim_cur, (guint64) time.rlim_cur);
}

FUNCTION (task)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  return g_variant_new ("(suu)", name, osiiso_attempt_get_number (attempt), osiiso_attempt_get_index (attempt));
}

/* Of the name of the task. */
FUNCTION (length)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  return g_variant_new_uint32 ((guint32) strlen (name));
}

/* Fails until it is the attempt of that number. */
FUNCTION (patient)
{
  const guint number = osiiso_attempt_get_number (attempt);
  guint32 last;
  double wait;

  g_variant_get (args, "(ud)", &last, &wait);
  if (number < last)
    osiiso_attempt_retry_after (attempt, wait, g_error_new (G_IO_ERROR, G_IO_ERROR_BUSY, "attempt %u", number));
  return g_variant_new_uint32 (number);
}

FUNCTION (fail)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NXIO, "one of its own");
  return NULL;
}

/* Into a pipe: opened for nothing but writing, so that it waits for who reads. */
static gboolean
tell (const char *path,
      int         number,
      GError    **error)
{
  g_autofree char *text = g_strdup_printf ("%d", number);
  const int fd = open (path, O_WRONLY | O_CLOEXEC);
  const gboolean ok = fd >= 0 && write (fd, text, strlen (text)) > 0;

  if (!ok)
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", path, g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return ok;
}

FUNCTION (listen)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  const char *path = g_variant_get_string (args, NULL);
  GPollFD poll_fd;

  if (!tell (path, getpid (), error) || !g_cancellable_make_pollfd (cancellable, &poll_fd))
    return NULL;
  while (!g_cancellable_is_cancelled (cancellable))
    g_poll (&poll_fd, 1, -1);
  g_cancellable_release_fd (cancellable);
  tell (path, -getpid (), NULL);
  g_cancellable_set_error_if_cancelled (cancellable, error);
  return NULL;
}
