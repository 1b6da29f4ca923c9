/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-attempt-private.h"

G_BEGIN_DECLS

typedef struct _OsiisoLoneAttempt OsiisoLoneAttempt;

/* Told of progress, in the thread that tells. */
typedef void (*OsiisoLoneProgressFunc) (OsiisoLoneAttempt *attempt,
                                        double             fraction,
                                        const char        *status_text,
                                        gpointer           data);

/*
 * OsiisoLoneAttempt: an attempt at a task that is not of this process: it has no
 * scheduler and no record. What is reported on it stays in it.
 *
 * All constant but for on_progress, which is taken away under the lock when nobody
 * listens any more: who kept a reference may go on reporting.
 */
struct _OsiisoLoneAttempt
{
  OsiisoAttempt          parent;
  guint64                task_id;
  guint                  index;
  char                  *name;
  pthread_mutex_t        lock;
  OsiisoLoneProgressFunc on_progress; /* (nullable) */
  gpointer               data;
};

static inline gboolean
osiiso_attempt_is_lone (OsiisoAttempt *self)
{
  return G_UNLIKELY (self->scheduler == NULL);
}

/* (transfer full) @name: copied; @number and @index: see OsiisoAttempt */
OsiisoAttempt *osiiso_lone_attempt_new    (guint64                task_id,
                                           const char            *name,
                                           guint                  number,
                                           guint                  index,
                                           OsiisoLoneProgressFunc on_progress,
                                           gpointer               data);
/* Ends it from outside, from any thread: its cancellable is cancelled, and nothing
 * that it reports counts any more. */
void           osiiso_lone_attempt_cancel (OsiisoAttempt         *self);
/* The function has returned. The outcome, if it reported one before it was
 * cancelled: (transfer none), as long as the attempt. TRUE when it reported. */
gboolean       osiiso_lone_attempt_close  (OsiisoAttempt         *self,
                                           const OsiisoOutcome  **outcome);

/* For osiiso-attempt.c. */
void           osiiso_lone_attempt_free         (OsiisoAttempt   *self);
void           osiiso_lone_attempt_set_progress (OsiisoAttempt   *self,
                                                 double           fraction,
                                                 const char      *status_text);

G_END_DECLS
