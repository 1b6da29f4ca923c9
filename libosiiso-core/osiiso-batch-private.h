/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>

#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/*
 * OsiisoBatch: the members of a group; what OsiisoGroup is a view of. Members
 * hold a reference until they end, the view holds one on top, and the batch
 * holds its members, so that their results can be read while the view lives.
 *
 * lock guards everything below it. Order: it comes before the locks of the
 * scheduler, so that a member is pushed and added in one step.
 */
struct _OsiisoBatch
{
  OsiisoRefCount ref_count;
  OsiisoScheduler *scheduler; /* (owned) */
  char            *group_id;  /* (owned), a GRefString; constant */

  _Atomic guint    n_records;   /* of the members that there are ... */
  _Atomic guint    n_announced; /* ... how many have ended and told everybody */

  pthread_mutex_t  lock;
  OsiisoGroup     *group;     /* (nullable), not owned; cleared by its dispose */
  OsiisoGroup     *held;      /* (nullable) (owned), while members that were submitted
                               * through it have not ended: a binding may keep their
                               * functions with it */
  guint            n_pins;    /* threads about to take a reference on group */
  GPtrArray       *records;   /* of OsiisoRecord, owned; in the order of submission */
  GArray          *completed; /* of guint: indices in the order of completion */
  guint            n_delivered; /* how many of them next_completed gave out */
  GSList          *waiters;      /* of GTask, for the end of all members; newest first */
  GQueue           next_waiters; /* of OsiisoWaiter, for the next member that ends; the
                                  * GTasks of them owned */
};

OsiisoBatch *osiiso_batch_new          (OsiisoScheduler *scheduler,
                                        const char      *group_id);
OsiisoBatch *osiiso_batch_ref          (OsiisoBatch     *self);
void         osiiso_batch_unref        (OsiisoBatch     *self);

/* Pushes records and adds them as the next members, all or none. The caller acts
 * on @wake afterwards. */
OsiisoEntry  osiiso_batch_push_all     (OsiisoBatch     *self,
                                        OsiisoRecord   **records,
                                        guint            n,
                                        gboolean         reserved,
                                        OsiisoWake      *wake);
guint        osiiso_batch_get_size     (OsiisoBatch     *self);
guint        osiiso_batch_get_finished (OsiisoBatch     *self);
OsiisoRecord *osiiso_batch_dup_record  (OsiisoBatch     *self,
                                        guint            index);

/* All members, as a new array that owns references. */
/* The first @n. */
GPtrArray   *osiiso_batch_dup_records  (OsiisoBatch     *self,
                                        guint            n);

/* The two steps in which the thread that ended a member tells: first it counts,
 * then, when the queue knows too, it wakes those who wait. */
void         osiiso_batch_member_ended (OsiisoBatch     *self,
                                        OsiisoRecord    *record);
void         osiiso_batch_wake         (OsiisoBatch     *self);

/* TRUE when all members have ended and told so; any lock may be held. */
gboolean     osiiso_batch_is_over      (OsiisoBatch     *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OsiisoBatch, osiiso_batch_unref)

G_END_DECLS
