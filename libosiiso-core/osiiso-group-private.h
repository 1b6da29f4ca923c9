/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-batch-private.h"
#include "osiiso-group.h"
#include "osiiso-submission-private.h"

G_BEGIN_DECLS

/* A view of @batch, on which it takes a reference. */
OsiisoGroup *osiiso_group_new           (OsiisoBatch *batch);

OsiisoBatch *osiiso_group_get_batch     (OsiisoGroup *self);

/* What every public method has to ask first. */
gboolean     osiiso_group_is_whole      (OsiisoGroup *self);

/* One task as the next member; the data of @submission are released in any case. */
OsiisoHandle *osiiso_group_submit_member (OsiisoGroup            *self,
                                          const OsiisoSubmission *submission,
                                          GError                **error);

/* Until all members have ended. A function that belongs to another language may live
 * only as long as the object that it was given to. */
void         osiiso_group_keep_alive    (OsiisoGroup *self);

/* The batch grew; tells the group, if there is one, and drops the reference. In
 * the owner's context. */
void         osiiso_group_members_added (OsiisoBatch *batch);

/* Lets members run that have not finished. When all have, there is nothing to
 * start, and the queue may be gone; that the last one tells is a matter of
 * moments. */
gboolean     osiiso_batch_start_members (OsiisoBatch *batch,
                                         GError     **error);

/* A task of an asynchronous call that waits for members, started, or NULL when it
 * has returned the error already. */
GTask       *osiiso_group_new_task      (OsiisoGroup        *self,
                                         GCancellable       *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer            user_data,
                                         gpointer            source_tag);

/* FALSE with INVALID when that cannot be the timeout of a wait. */
gboolean     osiiso_group_check_timeout (double       timeout,
                                         GError     **error);

/* Whether the calling thread is in the function of a member that goes on; with
 * the batch's lock. */
gboolean     osiiso_batch_is_inside_locked (OsiisoBatch *batch);

G_END_DECLS
