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
  OsiisoBackendCapabilities needs; /* what the backend must be able to, 0 for functions and tokens */
  OsiisoTaskParams  *named;   /* (nullable): the name, when the options have none */
  OsiisoCall       **calls;   /* (nullable): what tokens stand for, one for each */
} OsiisoSubmission;

/* Whether the backend can run such tasks; NOT_SUPPORTED that says which ones can. */
gboolean osiiso_submission_check_capability (OsiisoScheduler          *scheduler,
                                             OsiisoBackendCapabilities needed,
                                             GError                  **error);
/* @what ends a sentence: the backend does not run ... */
void     osiiso_submission_set_not_supported (OsiisoScheduler *scheduler,
                                              const char      *what,
                                              GError         **error);

/* Makes @self, to be submitted and then cleared, of a call or a command; FALSE when
 * the backend cannot run it, or nobody can. */
gboolean osiiso_submission_init_call    (OsiisoSubmission  *self,
                                         OsiisoScheduler   *scheduler,
                                         OsiisoCall        *call,
                                         OsiisoTaskOptions *options,
                                         OsiisoBatch       *batch,
                                         GError           **error);
gboolean osiiso_submission_init_command (OsiisoSubmission  *self,
                                         OsiisoScheduler   *scheduler,
                                         OsiisoCommand     *command,
                                         OsiisoTaskOptions *options,
                                         OsiisoBatch       *batch,
                                         GError           **error);
void     osiiso_submission_clear        (OsiisoSubmission  *self);

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
