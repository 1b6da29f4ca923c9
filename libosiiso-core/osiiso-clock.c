/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdatomic.h>

#include "osiiso-clock-private.h"

#define FAR_AWAY ((gint64) 1 << 61)

/* 0: the real clock. */
static _Atomic gint64 manual_now;

gint64
osiiso_clock_now (void)
{
  gint64 now = atomic_load_explicit (&manual_now, memory_order_acquire);

  return G_LIKELY (now == 0) ? g_get_monotonic_time () : now;
}

gint64
osiiso_clock_from_seconds (double seconds)
{
  double us = seconds * G_USEC_PER_SEC;

  if (!(us > 0))
    return 0;
  /* A time that is not none does not become none by rounding. */
  return us >= (double) FAR_AWAY ? FAR_AWAY : MAX (1, (gint64) us);
}

void
osiiso_clock_set_manual (gint64 now)
{
  atomic_store_explicit (&manual_now, now, memory_order_release);
}

gboolean
osiiso_clock_is_manual (void)
{
  return atomic_load_explicit (&manual_now, memory_order_acquire) != 0;
}
