/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions for the tests of workers: a module. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmodule.h>
#include <osiiso.h>

#define FUNCTION(name) \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error); \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

static int value_of_setup;

FUNCTION (add)
{
  gint32 a;
  gint32 b;

  g_variant_get (args, "(ii)", &a, &b);
  return g_variant_new_int32 (a + b);
}

FUNCTION (echo)
{
  return args != NULL ? g_variant_ref (args) : NULL;
}

FUNCTION (big)
{
  g_autofree char *text = g_strnfill (1000, 'x');

  return g_variant_new_string (text);
}

FUNCTION (fail)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space left for %s", "this");
  return NULL;
}

FUNCTION (fail_with_details)
{
  GValue details = G_VALUE_INIT;

  g_value_init (&details, G_TYPE_VARIANT);
  g_value_take_variant (&details, g_variant_new ("(si)", "line", 7));
  osiiso_attempt_return_error_details (attempt, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy"), &details);
  g_value_unset (&details);
  return NULL;
}

FUNCTION (report_bytes)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("bytes", 5);

  osiiso_attempt_return_bytes (attempt, bytes);
  return g_variant_new_string ("too late");
}

/* Reports a value of that type, by a letter. */
FUNCTION (report)
{
  const char *type = g_variant_get_string (args, NULL);
  GValue value = G_VALUE_INIT;

  if (g_str_equal (type, "b"))
    osiiso_attempt_return_boolean (attempt, TRUE);
  else if (g_str_equal (type, "i"))
    osiiso_attempt_return_int (attempt, -7);
  else if (g_str_equal (type, "d"))
    osiiso_attempt_return_double (attempt, 0.5);
  else if (g_str_equal (type, "s"))
    osiiso_attempt_return_string (attempt, "text");
  else if (g_str_equal (type, "v"))
    osiiso_attempt_return_variant (attempt, g_variant_new_string ("variant"));
  else if (g_str_equal (type, "x"))
    {
      g_value_init (&value, G_TYPE_INT);
      g_value_set_int (&value, 9);
      osiiso_attempt_return_value (attempt, &value);
    }
  else if (g_str_equal (type, "no-text"))
    osiiso_attempt_return_string (attempt, NULL);
  else if (g_str_equal (type, "none"))
    osiiso_attempt_return_none (attempt);
  return NULL;
}

/* Fails with bytes, or what cannot leave the process, as details. */
FUNCTION (fail_with)
{
  GError *failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  const char *what = g_variant_get_string (args, NULL);
  GValue details = G_VALUE_INIT;

  if (g_str_equal (what, "bytes"))
    {
      g_value_init (&details, G_TYPE_BYTES);
      g_value_take_boxed (&details, g_bytes_new ("abc", 3));
    }
  else
    {
      g_value_init (&details, G_TYPE_STRV);
    }
  osiiso_attempt_return_error_full (attempt, failure, &details, -1);
  g_value_unset (&details);
  return NULL;
}

/* Ends when it is cancelled, without a word. */
FUNCTION (wait_quietly)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);

  osiiso_attempt_set_progress (attempt, 0, "waits");
  while (!g_cancellable_is_cancelled (cancellable))
    g_usleep (1000);
  return NULL;
}

FUNCTION (report_object)
{
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);

  osiiso_attempt_return_object (attempt, object);
  return NULL;
}

FUNCTION (defer)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
  return NULL;
}

FUNCTION (about)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  return g_variant_new ("(stuubb)", name, osiiso_attempt_get_task_id (attempt), osiiso_attempt_get_number (attempt),
                        osiiso_attempt_get_index (attempt), osiiso_attempt_is_open (attempt),
                        osiiso_attempt_get_call (attempt) == NULL);
}

FUNCTION (task)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  return g_variant_new_printf ("[\"%s\", %u, %u]", name, osiiso_attempt_get_number (attempt),
                               osiiso_attempt_get_index (attempt));
}

FUNCTION (retry_after)
{
  GError *refused = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "not yet");

  osiiso_attempt_return_error_full (attempt, refused, NULL, g_variant_get_double (args));
  return NULL;
}

FUNCTION (progress)
{
  for (int i = 0; i <= 1000; i++)
    osiiso_attempt_set_progress (attempt, i / 1000.0, i == 1000 ? "last" : "more");
  return NULL;
}

/* Waits until somebody has written to a pipe that has that name. */
FUNCTION (gate)
{
  char *text = NULL;
  GVariant *value;

  if (!g_file_get_contents (g_variant_get_string (args, NULL), &text, NULL, error))
    return NULL;
  value = g_variant_new_string (text);
  g_free (text);
  return value;
}

FUNCTION (progress_then_gate)
{
  progress (attempt, args, error);
  return gate (attempt, args, error);
}

/* Tells that it has begun, and waits to be cancelled. */
FUNCTION (wait)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  GPollFD fd;

  osiiso_attempt_set_progress (attempt, 0, "waits");
  if (g_cancellable_make_pollfd (cancellable, &fd))
    {
      /* SIGTERM may come in here. */
      while (g_poll (&fd, 1, -1) < 0)
        ;
      g_cancellable_release_fd (cancellable);
    }
  if (osiiso_attempt_is_open (attempt))
    abort ();
  if (args != NULL)
    return g_variant_new_string ("finished");
  g_cancellable_set_error_if_cancelled (cancellable, error);
  return NULL;
}

/* The same and never comes back. */
FUNCTION (hang)
{
  osiiso_attempt_set_progress (attempt, 0, "hangs");
  while (osiiso_attempt_get_number (attempt) > 0)
    g_usleep (G_USEC_PER_SEC);
  return NULL;
}

FUNCTION (print)
{
  printf ("printed\n");
  fflush (stdout);
  return NULL;
}

FUNCTION (crash)
{
  raise (SIGKILL);
  return NULL;
}

FUNCTION (set_up)
{
  if (args == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot be set up");
      return NULL;
    }
  value_of_setup = g_variant_get_int32 (args);
  return NULL;
}

FUNCTION (get_set_up)
{
  return g_variant_new_int32 (value_of_setup);
}

/* What a program that is started here finds. */
FUNCTION (inherited)
{
  const char *argv[] = { "sh", "-c", "printf %s \"${OSIISO_WORKER_FD-nothing}\"", NULL };
  g_autofree char *output = NULL;

  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, NULL, error))
    return NULL;
  return g_variant_new_string (output);
}
