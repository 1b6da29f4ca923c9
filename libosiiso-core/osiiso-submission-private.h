/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-batch-private.h"

G_BEGIN_DECLS

/* A function with its data on the way into a queue. */
typedef struct
{
  OsiisoTaskFunc     func;    /* (nullable): NULL for a token, which is the data */
  gpointer           data;
  GDestroyNotify     destroy;
  OsiisoTaskOptions *options; /* (nullable) */
  OsiisoBatch       *batch;   /* (nullable): the group to submit into */
  gboolean           only_try; /* fails with FULL instead of waiting for room */
} OsiisoSubmission;

/* One task. The data are released by the queue in any case, also after an error.
 * @handle and @id may be NULL; a task for which both are, or only @id is asked
 * for, keeps no result when it succeeds. */
gboolean osiiso_submission_submit (const OsiisoSubmission *self,
                                   OsiisoScheduler        *scheduler,
                                   OsiisoHandle          **handle,
                                   guint64                *id,
                                   GError                **error);

/* @n tokens from the one that is the data on; their ids go into @ids. */
gboolean osiiso_submission_submit_tokens (const OsiisoSubmission *self,
                                          OsiisoScheduler        *scheduler,
                                          guint                   n,
                                          guint64                *ids,
                                          GError                **error);

/* One task, when there is room. @task returns its handle; takes it over. Not into
 * a group. */
void     osiiso_submission_submit_async (const OsiisoSubmission *self,
                                         OsiisoScheduler        *scheduler,
                                         GTask                  *task);

/* @n tasks that share function and data, as the members of self->batch. */
gboolean osiiso_submission_map    (const OsiisoSubmission *self,
                                   OsiisoScheduler        *scheduler,
                                   guint                   n,
                                   GError                **error);

G_END_DECLS
