/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-attempt-private.h"

G_BEGIN_DECLS

/*
 * Marks in a capture of Sysprof, one for each attempt.
 *
 * Whether there is a profiler is found out once, before the first queue, and is a bit
 * in the state of each attempt from its beginning. The paths that all attempts take
 * look at that state anyway, so that those which are not traced pay nothing for it.
 * Whoever clears the bit writes the mark.
 */

#ifdef HAVE_SYSPROF

/* OSIISO_ATTEMPT_TRACED, or 0 when nobody profiles; constant once there is a queue,
 * but for a child made by fork(). */
G_GNUC_INTERNAL extern guint32 osiiso_trace_state;

void     osiiso_trace_init  (void);
/* Notes when an attempt that is traced begins. Like the next one it returns TRUE, so
 * that the paths which all take can end with it and need not keep anything for after. */
gboolean osiiso_trace_begin (OsiisoAttempt *self);
/* Writes its mark, once; for who ends it and has stored how. No lock is held. */
gboolean osiiso_trace_end   (OsiisoAttempt *self);

#else

#define osiiso_trace_state 0u

static inline void
osiiso_trace_init (void)
{
}

static inline gboolean
osiiso_trace_begin (OsiisoAttempt *self)
{
  return TRUE;
}

static inline gboolean
osiiso_trace_end (OsiisoAttempt *self)
{
  return TRUE;
}

#endif

G_END_DECLS
