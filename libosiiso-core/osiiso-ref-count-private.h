/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* An atomic reference count, inline, so that checkers of threads see what it
 * orders; gatomicrefcount is a call into GLib. */
typedef _Atomic guint32 OsiisoRefCount;

static inline void
osiiso_ref_count_init (OsiisoRefCount *self)
{
  atomic_init (self, 1);
}

static inline void
osiiso_ref_count_inc (OsiisoRefCount *self)
{
  atomic_fetch_add_explicit (self, 1, memory_order_relaxed);
}

/* For whoever found the pointer in a place that does not hold it; FALSE when the
 * last reference is gone. */
static inline gboolean
osiiso_ref_count_try_inc (OsiisoRefCount *self)
{
  guint32 old = atomic_load_explicit (self, memory_order_relaxed);

  do
    {
      if (old == 0)
        return FALSE;
    }
  while (!atomic_compare_exchange_weak_explicit (self, &old, old + 1, memory_order_acquire, memory_order_relaxed));
  return TRUE;
}

/* TRUE when that was the last reference. */
static inline gboolean
osiiso_ref_count_dec (OsiisoRefCount *self)
{
  return atomic_fetch_sub_explicit (self, 1, memory_order_acq_rel) == 1;
}

G_END_DECLS
