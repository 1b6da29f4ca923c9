/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that tests call by their names. */
#include <osiiso.h>

#define EXPORT __attribute__ ((visibility ("default")))

#define CALL(name)                               \
  EXPORT GVariant *name (OsiisoAttempt *attempt, \
                         GVariant      *args,    \
                         GError       **error);  \
  GVariant *name (OsiisoAttempt *attempt,        \
                  GVariant      *args,           \
                  GError       **error)

/* How often the module was loaded, as far as one process can see. */
static int n_states;
/* Values of test_counted() that are there. */
static int n_alive;

/* (ii): their sum, floating. */
CALL (test_add)
{
  gint32 a;
  gint32 b;

  g_variant_get (args, "(ii)", &a, &b);
  return g_variant_new_int32 (a + b);
}

/* What it got, with a full reference; none for none. */
CALL (test_echo)
{
  return args != NULL ? g_variant_ref (args) : NULL;
}

/* The first child of what it got, with a full reference. */
CALL (test_child)
{
  return g_variant_get_child_value (args, 0);
}

CALL (test_none)
{
  return NULL;
}

CALL (test_fail)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, "attempt %u failed", osiiso_attempt_get_number (attempt));
  return NULL;
}

/* i: fails until that attempt; then its number. */
CALL (test_fail_until)
{
  if ((int) osiiso_attempt_get_number (attempt) < g_variant_get_int32 (args))
    return test_fail (attempt, NULL, error);
  return g_variant_new_int32 (osiiso_attempt_get_number (attempt));
}

CALL (test_progress)
{
  osiiso_attempt_set_progress (attempt, 0.25, "a quarter");
  return NULL;
}

/* Until it is cancelled. */
CALL (test_wait)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  GPollFD fd = { 0 };

  if (g_cancellable_make_pollfd (cancellable, &fd))
    {
      g_poll (&fd, 1, -1);
      g_cancellable_release_fd (cancellable);
    }
  g_cancellable_set_error_if_cancelled (cancellable, error);
  return NULL;
}

/* Breaks the rules: defers, and reports nothing. */
CALL (test_defer)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
  return NULL;
}

/* Breaks the rules: reports by itself. b: and returns a value besides. */
CALL (test_report)
{
  osiiso_attempt_return_string (attempt, "reported");
  return g_variant_get_boolean (args) ? g_variant_new_string ("returned") : NULL;
}

/* What an attempt knows of itself. */
CALL (test_describe)
{
  OsiisoCall *call = osiiso_attempt_get_call (attempt);
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  return g_variant_new ("(suus)", name, osiiso_attempt_get_number (attempt), osiiso_attempt_get_index (attempt),
                        osiiso_call_get_function (call));
}

/* The count of calls of this function. */
CALL (test_count_up)
{
  return g_variant_new_int32 (g_atomic_int_add (&n_states, 1) + 1);
}

static void
uncount (gpointer unused)
{
  g_atomic_int_add (&n_alive, -1);
}

static GVariant *
new_counted (void)
{
  static const guint8 data[] = { 1, 2, 3, 4 };

  g_atomic_int_inc (&n_alive);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, sizeof data, TRUE, uncount, NULL);
}

/* i: a value that is counted while it lives: floating, full, or with an error that
 * makes it superfluous; 3: how many live. */
CALL (test_counted)
{
  switch (g_variant_get_int32 (args))
    {
    case 0:
      return new_counted ();
    case 1:
      return g_variant_ref_sink (new_counted ());
    case 2:
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
      return new_counted ();
    default:
      return g_variant_new_int32 (g_atomic_int_get (&n_alive));
    }
}
