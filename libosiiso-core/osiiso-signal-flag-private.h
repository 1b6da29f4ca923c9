/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/*
 * Whether an object ever had a signal handler, for threads that ask millions of
 * times: one load instead of g_signal_has_handler_pending(), which takes a lock
 * that the whole process shares.
 *
 * GObject keeps such a flag in every instance, and this reads it there, after it
 * has seen on an object of its own that it is where it is expected and that it
 * changes as expected. Where that fails every object may have handlers, and only
 * the slow question is asked.
 */
typedef struct
{
  const guint32 *word; /* (nullable): in the object, valid as long as that is */
  guint32        mask;
} OsiisoSignalFlag;

void            osiiso_signal_flag_init (OsiisoSignalFlag *self,
                                         GObject          *object);

/* FALSE: there is no handler now, nor was there any that was connected before
 * this call. */
static inline gboolean
osiiso_signal_flag_get (const OsiisoSignalFlag *self)
{
  return self->word == NULL || (__atomic_load_n (self->word, __ATOMIC_ACQUIRE) & self->mask) != 0;
}

G_END_DECLS
