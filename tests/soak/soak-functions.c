/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "soak-mix.h"
#include "soak-slots.h"

/* What the soak tests call in osiiso-worker. */

#define FUNCTION(name)                                                    \
  G_MODULE_EXPORT GVariant *name (OsiisoAttempt *attempt, GVariant *args, \
                                  GError **error);                        \
  GVariant *name (OsiisoAttempt *attempt, GVariant *args, GError **error)

static void
spin (guint us)
{
  const gint64 until = g_get_monotonic_time () + us;

  while (g_get_monotonic_time () < until)
    ;
}

/* (uux): the kind, microseconds of work, and the value that is returned. */
FUNCTION (call_mix)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  const gint64 until = g_get_monotonic_time () + 1000;
  guint32 kind;
  guint32 us;
  gint64 value;

  g_variant_get (args, "(uux)", &kind, &us, &value);
  if (kind == SOAK_CRASH && osiiso_attempt_get_number (attempt) == 1)
    kill (getpid (), SIGKILL);
  if (kind == SOAK_FAIL_ONCE && osiiso_attempt_get_number (attempt) == 1)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, "not yet");
      return NULL;
    }
  if (kind == SOAK_SPIN)
    spin (us);
  while ((kind == SOAK_LISTEN || kind == SOAK_LIMITED) && !g_cancellable_is_cancelled (cancellable) &&
         g_get_monotonic_time () < until)
    g_usleep (50);
  return g_variant_new_int64 (value);
}

FUNCTION (call_echo)
{
  return args != NULL ? g_variant_ref (args) : NULL;
}

FUNCTION (call_pid)
{
  return g_variant_new_int32 (getpid ());
}

/* u: works for so many microseconds. */
FUNCTION (call_work)
{
  spin (g_variant_get_uint32 (args));
  return NULL;
}

/* The first call of a process takes a slot for it. */
static SoakSlot *
get_own_slot (void)
{
  static SoakSlot *own;
  SoakSlots *slots = own == NULL ? soak_slots_open () : NULL;
  guint i;

  if (slots == NULL)
    return own;
  i = (guint) g_atomic_int_add (&slots->n, 1);
  if (i >= SOAK_MAX_SLOTS)
    g_error ("there are too many workers");
  own = &slots->slots[i];
  g_atomic_int_set (&own->pid, getpid ());
  return own;
}

/* Until it is cancelled; its slot tells that it is in there. */
FUNCTION (call_listen)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  SoakSlot *slot = get_own_slot ();

  g_atomic_int_set (&slot->running, 1);
  while (!g_cancellable_is_cancelled (cancellable))
    g_usleep (200);
  g_atomic_int_set (&slot->running, 0);
  return NULL;
}

/* (uu): takes so many microseconds, the second, and notes meanwhile that it is in the task of
 * that number. It sleeps: as many that compute as there are workers keep each other from being
 * killed, and the test from seeing it. */
FUNCTION (call_note)
{
  SoakSlot *slot = get_own_slot ();
  guint32 number;
  guint32 us;

  g_variant_get (args, "(uu)", &number, &us);
  g_atomic_int_set (&slot->running, number + 1);
  g_usleep (us);
  g_atomic_int_set (&slot->running, 0);
  return NULL;
}
