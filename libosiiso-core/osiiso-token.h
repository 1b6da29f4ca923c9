/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

/**
 * OsiisoRunnerFunc:
 * @token: the number that was submitted
 * @task_id: the id of its task
 * @attempt: which attempt this is, from 1 on
 * @user_data: (closure): what was given with the function
 *
 * Runs a token of [method@Osiiso.Queue.submit_token].
 *
 * It is called where the backend runs tasks, once per attempt unless it asks for
 * the next token itself with [method@Osiiso.Queue.exchange_token]. It reports with
 * [method@Osiiso.Queue.token_done] or [method@Osiiso.Queue.token_failed], before
 * it returns or later from any thread. A token that was acknowledged and of which
 * nothing is ever reported goes on until its timeout, or until it is cancelled.
 *
 * The return value acknowledges that the function was really entered. Languages
 * may refuse to, as GJS does while it collects garbage; on a backend in the owner's
 * context the call is then repeated, every 20 milliseconds for about a minute. On
 * others, and after that, the attempt fails with %OSIISO_QUEUE_ERROR_ABANDONED. So
 * a function that was entered must not end without the return value, whatever it
 * raises.
 *
 * The queue does not wait for a function whose task was cancelled or has timed out:
 * its last reference may be dropped while the function is entered. So one that uses
 * the queue, if only to report, does so with a reference that it has got when it
 * began, from a [struct@GObject.WeakRef] or what its language has for that; a
 * reference in @user_data would keep the queue for ever. Without one it returns.
 *
 * Returns: @task_id
 *
 * Since: 1.0
 */
typedef guint64 (*OsiisoRunnerFunc) (guint64  token,
                                     guint64  task_id,
                                     guint    attempt,
                                     gpointer user_data);

/**
 * OsiisoCompletionsFunc:
 * @tokens: (array length=n): numbers of tokens whose tasks are over
 * @statuses: (array length=n): for each the [enum@Osiiso.Status] that it ended with
 * @n: how many
 * @user_data: (closure): what was given with the function
 *
 * Hears of the ends of tokens, many at a time.
 *
 * Since: 1.0
 */
typedef void (*OsiisoCompletionsFunc) (const guint64 *tokens,
                                       const guint   *statuses,
                                       gsize          n,
                                       gpointer       user_data);

/**
 * OsiisoThreadEndFunc:
 * @user_data: (closure): what was given with the function
 *
 * Hears that the thread which calls it leaves a queue.
 *
 * Since: 1.0
 */
typedef void (*OsiisoThreadEndFunc) (gpointer user_data);

OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_set_runner           (OsiisoQueue     *self,
                                            OsiisoRunnerFunc func,
                                            gpointer         user_data,
                                            GDestroyNotify   user_data_destroy,
                                            GError         **error);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_set_completions_func (OsiisoQueue          *self,
                                            OsiisoCompletionFlags flags,
                                            OsiisoCompletionsFunc func,
                                            gpointer              user_data,
                                            GDestroyNotify        user_data_destroy,
                                            GError              **error);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_submit_token         (OsiisoQueue       *self,
                                            guint64            token,
                                            OsiisoTaskOptions *options,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_try_submit_token     (OsiisoQueue       *self,
                                            guint64            token,
                                            OsiisoTaskOptions *options,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
guint64 *osiiso_queue_submit_tokens        (OsiisoQueue       *self,
                                            guint64            first,
                                            guint              n,
                                            OsiisoTaskOptions *options,
                                            gsize             *n_ids,
                                            GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void     osiiso_queue_submit_token_async   (OsiisoQueue        *self,
                                            guint64             token,
                                            OsiisoTaskOptions  *options,
                                            GCancellable       *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_submit_token_finish  (OsiisoQueue  *self,
                                            GAsyncResult *result,
                                            GError      **error);
OSIISO_AVAILABLE_IN_1_0
void     osiiso_queue_submit_tokens_async  (OsiisoQueue        *self,
                                            guint64             first,
                                            guint               n,
                                            OsiisoTaskOptions  *options,
                                            GCancellable       *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64 *osiiso_queue_submit_tokens_finish (OsiisoQueue  *self,
                                            GAsyncResult *result,
                                            gsize        *n_ids,
                                            GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_exchange_token       (OsiisoQueue *self,
                                            gboolean    *accepted,
                                            guint64     *token,
                                            guint64     *task_id,
                                            guint       *attempt);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_token_done           (OsiisoQueue *self,
                                            guint64      task_id,
                                            guint        attempt);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_token_failed         (OsiisoQueue *self,
                                            guint64      task_id,
                                            guint        attempt,
                                            GQuark       domain,
                                            int          code,
                                            const char  *message,
                                            double       retry_after);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_token_progress       (OsiisoQueue *self,
                                            guint64      task_id,
                                            guint        attempt,
                                            double       fraction,
                                            const char  *status_text);
OSIISO_AVAILABLE_IN_1_0
GCancellable *osiiso_queue_token_dup_cancellable (OsiisoQueue *self,
                                                  guint64      task_id,
                                                  guint        attempt) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_set_thread_end_func  (OsiisoQueue        *self,
                                            OsiisoThreadEndFunc func,
                                            gpointer            user_data,
                                            GDestroyNotify      user_data_destroy,
                                            GError            **error);
OSIISO_AVAILABLE_IN_1_0
guint64 *osiiso_backend_take_tokens        (OsiisoBackend *self,
                                            guint          max,
                                            gsize         *n) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint    osiiso_queue_tokens_done          (OsiisoQueue   *self,
                                            const guint64 *numbers,
                                            gsize          n);
OSIISO_AVAILABLE_IN_1_0
guint    osiiso_queue_exchange_tokens      (guint64       *slots,
                                            guint          max);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_exchange_token_slots (guint64       *slots);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_submit_token_call    (OsiisoQueue       *self,
                                            guint64            token,
                                            OsiisoCall        *call,
                                            const guint8      *data,
                                            gsize              length,
                                            OsiisoTaskOptions *options,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_try_submit_token_call (OsiisoQueue       *self,
                                            guint64            token,
                                            OsiisoCall        *call,
                                            const guint8      *data,
                                            gsize              length,
                                            OsiisoTaskOptions *options,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
guint64 *osiiso_queue_submit_token_calls   (OsiisoQueue       *self,
                                            guint64            first,
                                            OsiisoCall        *call,
                                            GBytes            *payloads,
                                            const guint64     *lengths,
                                            gsize              n,
                                            OsiisoTaskOptions *options,
                                            gsize             *n_ids,
                                            GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void     osiiso_queue_submit_token_call_async (OsiisoQueue        *self,
                                            guint64             token,
                                            OsiisoCall         *call,
                                            const guint8       *data,
                                            gsize               length,
                                            OsiisoTaskOptions  *options,
                                            GCancellable       *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64  osiiso_queue_submit_token_call_finish (OsiisoQueue  *self,
                                            GAsyncResult *result,
                                            GError      **error);
OSIISO_AVAILABLE_IN_1_0
void     osiiso_queue_submit_token_calls_async (OsiisoQueue        *self,
                                            guint64             first,
                                            OsiisoCall         *call,
                                            GBytes             *payloads,
                                            const guint64      *lengths,
                                            gsize               n,
                                            OsiisoTaskOptions  *options,
                                            GCancellable       *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64 *osiiso_queue_submit_token_calls_finish (OsiisoQueue  *self,
                                            GAsyncResult *result,
                                            gsize        *n_ids,
                                            GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GBytes  *osiiso_queue_dup_told_results     (OsiisoQueue       *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_token_cancel         (OsiisoQueue       *self,
                                            guint64            task_id);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_acknowledge_told     (OsiisoQueue       *self);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_tell_run             (OsiisoQueue       *self,
                                            guint64            token,
                                            double             timeout,
                                            OsiisoFailPolicy   fail_policy,
                                            GCancellable      *cancellable,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_tell_join            (OsiisoQueue       *self,
                                            guint64            token,
                                            GCancellable      *cancellable,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
gboolean osiiso_queue_tell_shutdown        (OsiisoQueue       *self,
                                            guint64            token,
                                            gboolean           force,
                                            GCancellable      *cancellable,
                                            GError           **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary *osiiso_queue_finish_told (OsiisoQueue       *self,
                                            guint64            token,
                                            GError           **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
