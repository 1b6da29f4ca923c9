/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "soak.h"

G_BEGIN_DECLS

/* What a task of the mix does; the functions in workers know these numbers, too. */
typedef enum
{
  SOAK_QUICK,
  SOAK_FAIL_ONCE, /* its first attempt */
  SOAK_SPIN,
  SOAK_LISTEN,    /* until it is cancelled, at most a millisecond */
  SOAK_LIMITED,   /* the same, with a timeout of half a millisecond */
  SOAK_CRASH,     /* kills its process in its first attempt; FAIL_ONCE elsewhere */
  SOAK_DEFER,     /* reported by another thread; QUICK in a worker */
  SOAK_N_KINDS
} SoakKind;

/* A queue with tasks of every kind, while another thread cancels some of them, changes
 * priorities, and pauses and resumes the queue. */
typedef struct _SoakMix SoakMix;

SoakMix     *soak_mix_new      (const char *backend,
                                guint       workers,
                                guint       n,
                                guint32     seed);
OsiisoQueue *soak_mix_get_queue (SoakMix *self);
/* Submits n tasks and lets the thread go. */
void         soak_mix_begin    (SoakMix *self);
/* Waits for them, and checks that each has ended once, and as it should. */
void         soak_mix_end      (SoakMix *self);
guint64      soak_mix_get_n_cancelled (SoakMix *self);
guint64      soak_mix_get_n_crashes (SoakMix *self);
void         soak_mix_free     (SoakMix *self);

G_END_DECLS
