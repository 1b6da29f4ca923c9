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

/* @n tokens from the one that is the data on; their ids. */
guint64 *osiiso_submission_submit_tokens (const OsiisoSubmission *self,
                                          OsiisoScheduler        *scheduler,
                                          guint                   n,
                                          GError                **error);

/* @n tasks that share function and data, as the members of self->batch. */
gboolean osiiso_submission_map    (const OsiisoSubmission *self,
                                   OsiisoScheduler        *scheduler,
                                   guint                   n,
                                   GError                **error);

/* A GTask for that, of a queue or a group. */
GTask   *osiiso_submission_new_task     (gpointer            source,
                                         gpointer            tag,
                                         GCancellable       *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer            user_data);
/* Takes over the GTask, and @error, with which it returns unless that is NULL; otherwise
 * submits and clears @self. */
void     osiiso_submission_send_async   (OsiisoSubmission   *self,
                                         OsiisoScheduler    *scheduler,
                                         gboolean            with_handle,
                                         GTask              *task,
                                         GError             *error);
/* Takes over the GTask, and @error, with which it returns. */
void     osiiso_submission_refuse_async (GTask              *task,
                                         GError             *error);
/* The same for a GTask, when there is room. It is taken over, and its context is
 * where it returns: the handle of one task; what osiiso_submission_push_finish()
 * makes an id of; the group of a map; what osiiso_submission_tokens_finish() has the
 * ids from. The source of a task that goes into a group is that group. */
void     osiiso_submission_submit_async (const OsiisoSubmission *self,
                                         OsiisoScheduler        *scheduler,
                                         GTask                  *task);
void     osiiso_submission_push_async   (const OsiisoSubmission *self,
                                         OsiisoScheduler        *scheduler,
                                         GTask                  *task);
guint64  osiiso_submission_push_finish  (GTask                  *task,
                                         GError                **error);
void     osiiso_submission_map_async    (const OsiisoSubmission *self,
                                         OsiisoScheduler        *scheduler,
                                         guint                   n,
                                         GTask                  *task);
void     osiiso_submission_tokens_async (const OsiisoSubmission *self,
                                         OsiisoScheduler        *scheduler,
                                         guint                   n,
                                         GTask                  *task);
guint64 *osiiso_submission_tokens_finish (GTask                 *task,
                                         gsize                  *n_ids,
                                         GError                **error);

/* What both ways have in common. */

gboolean       osiiso_submission_check_backend (const OsiisoSubmission *self,
                                                OsiisoScheduler        *scheduler,
                                                GError                **error);

/* Records that are not in the care of the queue yet, and what cancels them, to be
 * released. A map releases the data when it fails, and the arrays are owned. */
OsiisoRecord  *osiiso_submission_make_one      (const OsiisoSubmission *self,
                                                OsiisoScheduler        *scheduler,
                                                gboolean                with_handle,
                                                OsiisoCancelWatch     **watch,
                                                GError                **error);
OsiisoRecord **osiiso_submission_make_map      (const OsiisoSubmission *self,
                                                OsiisoScheduler        *scheduler,
                                                guint                   n,
                                                OsiisoCancelWatch     **watch,
                                                GError                **error);
OsiisoRecord **osiiso_submission_make_tokens   (const OsiisoSubmission *self,
                                                OsiisoScheduler        *scheduler,
                                                guint                   n,
                                                guint64               **ids,
                                                OsiisoCancelWatch     **watch,
                                                GError                **error);
void           osiiso_submission_drop_records  (OsiisoScheduler *scheduler,
                                                OsiisoRecord   **records,
                                                guint            n);
void           osiiso_submission_release_watch (OsiisoScheduler   *scheduler,
                                                OsiisoCancelWatch *watch);

/* Whether it comes in in the step that admits it. For many tasks that would take
 * long under the locks, and members of a group have to be added to that in the same
 * step, under a lock that comes first; those wait for places and are pushed then. */
gboolean       osiiso_submission_is_at_once    (const OsiisoSubmission *self,
                                                guint                   n);
/* Gives the places back when they cannot come in after all. */
OsiisoEntry    osiiso_submission_push_reserved (OsiisoScheduler *scheduler,
                                                OsiisoBatch     *batch,
                                                OsiisoRecord   **records,
                                                guint            n);

/* A queue that works stays alive until it has nothing left to do. */
void           osiiso_submission_hold_queue    (OsiisoScheduler *scheduler);

G_END_DECLS
