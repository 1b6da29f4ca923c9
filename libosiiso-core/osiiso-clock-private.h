/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Microseconds of the monotonic clock, or of the clock that a test turns. */
gint64 osiiso_clock_now (void);

/* Seconds as the public API has them to microseconds, from 0 to a time that no
 * program reaches, so that sums of two cannot overflow. */
gint64 osiiso_clock_from_seconds (double seconds);

static inline double
osiiso_clock_to_seconds (gint64 us)
{
  return (double) us / G_USEC_PER_SEC;
}

/* For tests, through osiiso_private_get_test_hooks(). */
void     osiiso_clock_set_manual (gint64 now);
gboolean osiiso_clock_is_manual  (void);

G_END_DECLS
