/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-queue.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/*
 * OsiisoInitializer: what a queue has to call in each thread of its backend before
 * that takes tasks. Constant; the scheduler has one reference, and each call that
 * is under way another one, because nobody waits for a thread that stays in it.
 *
 * A failure. The thread that it happens in marks the scheduler as broken, and in
 * the same step, under the ready lock, halts it and ends all tasks that wait. From
 * then on no thread gets through init_worker(), until a start or a run takes the
 * mark away, in one step with letting tasks begin, and asks the backend to make up
 * for the threads that have left. n_starts tells whether the start in which a call
 * began is still the one that its failure would spoil.
 */
struct _OsiisoInitializer
{
  OsiisoRefCount        ref_count;
  OsiisoInitializerFunc func;
  gpointer              data;
  GDestroyNotify        destroy;
  gboolean              foreign; /* of a language that refuses calls for a while */
};

/* In a thread of the backend, before it takes tasks; FALSE when it must not. */
gboolean osiiso_scheduler_init_worker     (OsiisoScheduler *self);

/* Takes the mark away; with the ready lock. TRUE when threads have to be renewed
 * once it is released. */
gboolean osiiso_scheduler_recover_locked  (OsiisoScheduler *self);
void     osiiso_scheduler_renew_workers   (OsiisoScheduler *self);

/* The queue is gone. */
void     osiiso_scheduler_drop_initializer (OsiisoScheduler *self);

G_END_DECLS
