/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"
#include "osiiso-token-private.h"

/* How tokens get into a queue. */

gboolean
osiiso_token_check_numbers (guint64  first,
                            guint64  n,
                            GError **error)
{
  /* They are kept where a pointer to user data is. */
  if (first <= G_MAXSIZE && (n == 0 || n - 1 <= G_MAXSIZE - first))
    return TRUE;
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "a token must be at most %" G_GSIZE_FORMAT "; got %" G_GUINT64_FORMAT " of them from %" G_GUINT64_FORMAT " on",
               G_MAXSIZE, n, first);
  return FALSE;
}

static gboolean
check_tokens (OsiisoQueue *self,
              guint64      first,
              guint        n,
              GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  if (!osiiso_queue_check_backend (self, error))
    return FALSE;
  if (scheduler->runner == NULL || scheduler->runner->func == NULL)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "the queue has no runner for tokens; see osiiso_queue_set_runner()");
      return FALSE;
    }
  return osiiso_token_check_numbers (first, n, error);
}

static guint64
submit_token (OsiisoQueue       *self,
              guint64            token,
              gboolean           only_try,
              OsiisoTaskOptions *options,
              GError           **error)
{
  const OsiisoSubmission submission = { .data = (gpointer) (gsize) token, .options = options, .only_try = only_try };
  guint64 id = 0;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  if (!check_tokens (self, token, 1, error) ||
      !osiiso_submission_submit (&submission, osiiso_queue_get_scheduler (self), NULL, &id, error))
    return 0;
  return id;
}

/**
 * osiiso_queue_submit_token:
 * @self: a queue
 * @token: a number that the runner of the queue knows
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a token. Any thread.
 *
 * A summary counts the task, but has its result only if it failed or was
 * cancelled. Fails like [method@Osiiso.Queue.submit], and with
 * %OSIISO_QUEUE_ERROR_INVALID when the queue has no runner.
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_submit_token (OsiisoQueue       *self,
                           guint64            token,
                           OsiisoTaskOptions *options,
                           GError           **error)
{
  return submit_token (self, token, FALSE, options, error);
}

/**
 * osiiso_queue_try_submit_token:
 * @self: a queue
 * @token: a number that the runner of the queue knows
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a token like [method@Osiiso.Queue.submit_token], but fails with
 * %OSIISO_QUEUE_ERROR_FULL instead of waiting when the queue has as many tasks as
 * its size allows. Any thread.
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_try_submit_token (OsiisoQueue       *self,
                               guint64            token,
                               OsiisoTaskOptions *options,
                               GError           **error)
{
  return submit_token (self, token, TRUE, options, error);
}

/**
 * osiiso_queue_submit_tokens:
 * @self: a queue
 * @first: the first token
 * @n: how many; the tokens are @first and the numbers that follow
 * @options: (nullable): how to run them; %NULL for the defaults
 * @n_ids: (out) (optional): the number of ids, which is @n
 * @error: return location for an error
 *
 * Submits many tokens at once, which costs less than one by one. Any thread.
 *
 * Either all are submitted or none. Fails like [method@Osiiso.Queue.submit_token],
 * also with @n = 0, which submits nothing and gives an array without ids.
 *
 * Returns: (transfer full) (array length=n_ids) (nullable): the ids of the tasks, to
 *   be freed with [func@GLib.free]; %NULL on error
 *
 * Since: 1.0
 */
guint64 *
osiiso_queue_submit_tokens (OsiisoQueue       *self,
                            guint64            first,
                            guint              n,
                            OsiisoTaskOptions *options,
                            gsize             *n_ids,
                            GError           **error)
{
  const OsiisoSubmission submission = { .data = (gpointer) (gsize) first, .options = options };
  guint64 *ids;

  /* Bindings look at it in any case. */
  if (n_ids != NULL)
    *n_ids = 0;
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!check_tokens (self, first, n, error))
    return NULL;
  ids = osiiso_submission_submit_tokens (&submission, osiiso_queue_get_scheduler (self), n, error);
  if (ids != NULL && n_ids != NULL)
    *n_ids = n;
  return ids;
}

/**
 * osiiso_queue_submit_token_async:
 * @self: a queue
 * @token: a number that the runner of the queue knows
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a token as soon as there is room for it, without blocking; see
 * [method@Osiiso.Queue.submit_token] and [method@Osiiso.Queue.submit_async]. Any
 * thread.
 *
 * The token may run, and end, before @callback is called, which is in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_token_async (OsiisoQueue        *self,
                                 guint64             token,
                                 OsiisoTaskOptions  *options,
                                 GCancellable       *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer            user_data)
{
  const OsiisoSubmission submission = { .data = (gpointer) (gsize) token, .options = options };
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_submit_token_async, cancellable, callback, user_data);
  if (check_tokens (self, token, 1, &error))
    osiiso_submission_push_async (&submission, osiiso_queue_get_scheduler (self), task);
  else
    osiiso_submission_refuse_async (task, error);
}

/**
 * osiiso_queue_submit_token_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_token_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.submit_token].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_submit_token_finish (OsiisoQueue  *self,
                                  GAsyncResult *result,
                                  GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (g_task_is_valid (result, self), 0);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_token_async), 0);

  return osiiso_submission_push_finish (G_TASK (result), error);
}

/**
 * osiiso_queue_submit_tokens_async:
 * @self: a queue
 * @first: the first token
 * @n: how many; the tokens are @first and the numbers that follow
 * @options: (nullable): how to run them; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the tasks once they are in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the tasks are in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits many tokens as soon as there is room for all of them, without blocking; see
 * [method@Osiiso.Queue.submit_tokens] and [method@Osiiso.Queue.submit_async]. Any
 * thread.
 *
 * The tokens may run, and end, before @callback is called, which is in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_tokens_async (OsiisoQueue        *self,
                                  guint64             first,
                                  guint               n,
                                  OsiisoTaskOptions  *options,
                                  GCancellable       *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer            user_data)
{
  const OsiisoSubmission submission = { .data = (gpointer) (gsize) first, .options = options };
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_submit_tokens_async, cancellable, callback, user_data);
  if (check_tokens (self, first, n, &error))
    osiiso_submission_tokens_async (&submission, osiiso_queue_get_scheduler (self), n, task);
  else
    osiiso_submission_refuse_async (task, error);
}

/**
 * osiiso_queue_submit_tokens_finish:
 * @self: a queue
 * @result: what the callback got
 * @n_ids: (out) (optional): the number of ids
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_tokens_async].
 *
 * Fails like [method@Osiiso.Queue.submit_token_finish], and then none was submitted;
 * with %OSIISO_QUEUE_ERROR_FULL when they can never fit.
 *
 * Returns: (transfer full) (array length=n_ids) (nullable): the ids of the tasks, to
 *   be freed with [func@GLib.free]; %NULL on error
 *
 * Since: 1.0
 */
guint64 *
osiiso_queue_submit_tokens_finish (OsiisoQueue  *self,
                                   GAsyncResult *result,
                                   gsize        *n_ids,
                                   GError      **error)
{
  /* Bindings look at it in any case. */
  if (n_ids != NULL)
    *n_ids = 0;
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_tokens_async), NULL);

  return osiiso_submission_tokens_finish (G_TASK (result), n_ids, error);
}
