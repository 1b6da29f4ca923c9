/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-call-private.h"
#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-submission-private.h"
#include "osiiso-task-options.h"
#include "osiiso-token-private.h"

/* Calls that a language layer knows by a number of its own: no handle is made for
 * one, and their ends are told like those of tokens, many at a time, with their
 * values. */

/* Where there is nobody to tell, tasks would end for nothing. */
static gboolean
check_told (OsiisoQueue *self,
            guint64      first,
            gsize        n,
            GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  if (!osiiso_queue_check_backend (self, error))
    return FALSE;
  if (scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_FUNCTIONS)
    {
      osiiso_submission_set_not_supported (scheduler, "calls by token; 'subprocess' does", error);
      return FALSE;
    }
  if (scheduler->runner == NULL || scheduler->runner->completed == NULL)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "nobody hears of the ends of tokens; see osiiso_queue_set_completions_func()");
      return FALSE;
    }
  return osiiso_token_check_numbers (first, n, error);
}

/* What the tokens from @first on are submitted with; @calls are kept by the caller. */
static OsiisoSubmission
make_submission (guint64            first,
                 OsiisoCall        *call,
                 OsiisoCall       **calls,
                 OsiisoTaskOptions *options)
{
  return (OsiisoSubmission) {
    .data = (gpointer) (gsize) first,
    .options = options,
    .needs = OSIISO_BACKEND_CAPABILITIES_CALLS,
    .calls = calls,
    .named = osiiso_call_get_params (call),
  };
}

/* The call to submit, with those arguments; NULL with an error. */
static OsiisoCall *
prepare_call (OsiisoQueue  *self,
              guint64       token,
              OsiisoCall   *call,
              const guint8 *data,
              gsize         length,
              GError      **error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!check_told (self, token, 1, error) || !osiiso_call_prepare (call, osiiso_queue_get_scheduler (self), error))
    return NULL;
  if (data == NULL)
    return osiiso_call_ref (call);
  bytes = g_bytes_new (data, length);
  return osiiso_call_derive (call, bytes);
}

static guint64
submit_call (OsiisoQueue       *self,
             guint64            token,
             OsiisoCall        *call,
             const guint8      *data,
             gsize              length,
             gboolean           only_try,
             OsiisoTaskOptions *options,
             GError           **error)
{
  g_autoptr (OsiisoCall) prepared = prepare_call (self, token, call, data, length, error);
  OsiisoSubmission submission;
  guint64 id = 0;

  if (prepared == NULL)
    return 0;
  submission = make_submission (token, call, &prepared, options);
  submission.only_try = only_try;
  if (!osiiso_submission_submit (&submission, osiiso_queue_get_scheduler (self), NULL, &id, error))
    return 0;
  return id;
}

/**
 * osiiso_queue_submit_token_call:
 * @self: a queue
 * @token: a number of the submitter
 * @call: the call, which does not change any more from now on
 * @data: (nullable) (array length=length): bytes that take the place of the call's
 *   arguments; %NULL for those
 * @length: the length of @data
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a call under a number. Any thread.
 *
 * For layers that bind the queue to another language, as
 * [method@Osiiso.Queue.submit_token] is, when a worker program runs the function:
 * [method@Osiiso.Queue.set_completions_func] says who hears of the end, which needs
 * no handle, and finds there what the function has returned with
 * [method@Osiiso.Queue.dup_told_results]. The queue needs no runner.
 *
 * A summary counts the task, but has its result only if it failed or was
 * cancelled. Fails like [method@Osiiso.Queue.submit_call_full], with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED also when the backend runs calls in this
 * process, and with %OSIISO_QUEUE_ERROR_INVALID also when nobody hears of ends.
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_submit_token_call (OsiisoQueue       *self,
                                guint64            token,
                                OsiisoCall        *call,
                                const guint8      *data,
                                gsize              length,
                                OsiisoTaskOptions *options,
                                GError           **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (call != NULL, 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return submit_call (self, token, call, data, length, FALSE, options, error);
}

/**
 * osiiso_queue_try_submit_token_call:
 * @self: a queue
 * @token: a number of the submitter
 * @call: the call, which does not change any more from now on
 * @data: (nullable) (array length=length): bytes that take the place of the call's
 *   arguments; %NULL for those
 * @length: the length of @data
 * @options: (nullable): how to run it; %NULL for the defaults
 * @error: return location for an error
 *
 * Submits a call like [method@Osiiso.Queue.submit_token_call], but fails with
 * %OSIISO_QUEUE_ERROR_FULL instead of waiting when the queue has as many tasks as
 * its size allows. Any thread.
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_try_submit_token_call (OsiisoQueue       *self,
                                    guint64            token,
                                    OsiisoCall        *call,
                                    const guint8      *data,
                                    gsize              length,
                                    OsiisoTaskOptions *options,
                                    GError           **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (call != NULL, 0);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return submit_call (self, token, call, data, length, TRUE, options, error);
}

/* One call for each part of the payloads, unless they have more or less than that. */
static GPtrArray *
cut_payloads (OsiisoCall    *call,
              GBytes        *payloads,
              const guint64 *lengths,
              gsize          n,
              GError       **error)
{
  g_autoptr (GPtrArray) calls = g_ptr_array_new_full ((guint) n, (GDestroyNotify) osiiso_call_unref);
  const gsize size = g_bytes_get_size (payloads);
  gsize start = 0;

  for (gsize i = 0; i < n; i++)
    {
      GBytes *bytes;

      if (lengths[i] > size - start)
        break;
      bytes = g_bytes_new_from_bytes (payloads, start, lengths[i]);
      g_ptr_array_add (calls, osiiso_call_derive (call, bytes));
      g_bytes_unref (bytes);
      start += lengths[i];
    }
  if (calls->len == n && start == size)
    return g_steal_pointer (&calls);
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "the lengths of the payloads do not add up to %" G_GSIZE_FORMAT " bytes", size);
  return NULL;
}

/* The calls to submit; NULL with an error. */
static GPtrArray *
prepare_calls (OsiisoQueue   *self,
               guint64        first,
               OsiisoCall    *call,
               GBytes        *payloads,
               const guint64 *lengths,
               gsize          n,
               GError       **error)
{
  if (!check_told (self, first, n, error) || !osiiso_call_prepare (call, osiiso_queue_get_scheduler (self), error))
    return NULL;
  return cut_payloads (call, payloads, lengths, n, error);
}

/**
 * osiiso_queue_submit_token_call_async:
 * @self: a queue
 * @token: a number of the submitter
 * @call: the call, which does not change any more from now on
 * @data: (nullable) (array length=length): bytes that take the place of the call's
 *   arguments; %NULL for those
 * @length: the length of @data
 * @options: (nullable): how to run it; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the task once it is in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the task is in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits a call under a number as soon as there is room for it, without blocking; see
 * [method@Osiiso.Queue.submit_token_call] and [method@Osiiso.Queue.submit_async]. Any
 * thread.
 *
 * The task may run, and end, before @callback is called, which is in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_token_call_async (OsiisoQueue        *self,
                                      guint64             token,
                                      OsiisoCall         *call,
                                      const guint8       *data,
                                      gsize               length,
                                      OsiisoTaskOptions  *options,
                                      GCancellable       *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer            user_data)
{
  g_autoptr (OsiisoCall) prepared = NULL;
  OsiisoSubmission submission;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (call != NULL);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_submit_token_call_async, cancellable, callback, user_data);
  prepared = prepare_call (self, token, call, data, length, &error);
  if (prepared == NULL)
    {
      osiiso_submission_refuse_async (task, error);
      return;
    }
  submission = make_submission (token, call, &prepared, options);
  osiiso_submission_push_async (&submission, osiiso_queue_get_scheduler (self), task);
}

/**
 * osiiso_queue_submit_token_call_finish:
 * @self: a queue
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_token_call_async].
 *
 * Fails with %G_IO_ERROR_CANCELLED when the wait for room was cancelled, with
 * %OSIISO_QUEUE_ERROR_CLOSED when the queue does not accept tasks, also when it
 * stopped to while the submission waited, and otherwise like
 * [method@Osiiso.Queue.submit_token_call].
 *
 * Returns: the id of the task, for [method@Osiiso.Queue.lookup]; 0 on error
 *
 * Since: 1.0
 */
guint64
osiiso_queue_submit_token_call_finish (OsiisoQueue  *self,
                                       GAsyncResult *result,
                                       GError      **error)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), 0);
  g_return_val_if_fail (g_task_is_valid (result, self), 0);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_token_call_async), 0);

  return osiiso_submission_push_finish (G_TASK (result), error);
}

/**
 * osiiso_queue_submit_token_calls:
 * @self: a queue
 * @first: the first token
 * @call: the function to call, and its preamble; its arguments do not count
 * @payloads: the arguments of all calls, one behind the other
 * @lengths: (array length=n): how many bytes of @payloads each call has
 * @n: how many calls; the tokens are @first and the numbers that follow
 * @options: (nullable): how to run them; %NULL for the defaults
 * @n_ids: (out) (optional): the number of ids, which is @n
 * @error: return location for an error
 *
 * Submits many calls of one function under numbers, which costs less than one by
 * one. Any thread.
 *
 * Either all are submitted or none. Fails like
 * [method@Osiiso.Queue.submit_token_call], and with %OSIISO_QUEUE_ERROR_INVALID when
 * the lengths do not add up to that of @payloads.
 *
 * Returns: (transfer full) (array length=n_ids) (nullable): the ids of the tasks, to
 *   be freed with [func@GLib.free]; %NULL on error
 *
 * Since: 1.0
 */
guint64 *
osiiso_queue_submit_token_calls (OsiisoQueue       *self,
                                 guint64            first,
                                 OsiisoCall        *call,
                                 GBytes            *payloads,
                                 const guint64     *lengths,
                                 gsize              n,
                                 OsiisoTaskOptions *options,
                                 gsize             *n_ids,
                                 GError           **error)
{
  g_autoptr (GPtrArray) calls = NULL;
  OsiisoSubmission submission;
  guint64 *ids;

  /* Bindings look at it in any case. */
  if (n_ids != NULL)
    *n_ids = 0;
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (call != NULL, NULL);
  g_return_val_if_fail (payloads != NULL, NULL);
  g_return_val_if_fail (n == 0 || lengths != NULL, NULL);
  g_return_val_if_fail (n <= G_MAXUINT, NULL);
  g_return_val_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  calls = prepare_calls (self, first, call, payloads, lengths, n, error);
  if (calls == NULL)
    return NULL;
  submission = make_submission (first, call, (OsiisoCall **) calls->pdata, options);
  ids = osiiso_submission_submit_tokens (&submission, osiiso_queue_get_scheduler (self), (guint) n, error);
  if (ids != NULL && n_ids != NULL)
    *n_ids = n;
  return ids;
}

/**
 * osiiso_queue_submit_token_calls_async:
 * @self: a queue
 * @first: the first token
 * @call: the function to call, and its preamble; its arguments do not count
 * @payloads: the arguments of all calls, one behind the other
 * @lengths: (array length=n): how many bytes of @payloads each call has
 * @n: how many calls; the tokens are @first and the numbers that follow
 * @options: (nullable): how to run them; %NULL for the defaults
 * @cancellable: (nullable): ends the wait for room, not the tasks once they are in the
 *   queue; the cancellable of @options does both
 * @callback: (nullable) (scope async) (closure user_data): called when the tasks are in
 *   the queue, or will never be
 * @user_data: user data for @callback
 *
 * Submits many calls of one function under numbers as soon as there is room for all
 * of them, without blocking; see [method@Osiiso.Queue.submit_token_calls] and
 * [method@Osiiso.Queue.submit_async]. Any thread.
 *
 * The tasks may run, and end, before @callback is called, which is in the
 * thread-default context of the caller.
 *
 * Since: 1.0
 */
void
osiiso_queue_submit_token_calls_async (OsiisoQueue        *self,
                                       guint64             first,
                                       OsiisoCall         *call,
                                       GBytes             *payloads,
                                       const guint64      *lengths,
                                       gsize               n,
                                       OsiisoTaskOptions  *options,
                                       GCancellable       *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer            user_data)
{
  g_autoptr (GPtrArray) calls = NULL;
  OsiisoSubmission submission;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (OSIISO_IS_QUEUE (self));
  g_return_if_fail (call != NULL);
  g_return_if_fail (payloads != NULL);
  g_return_if_fail (n == 0 || lengths != NULL);
  g_return_if_fail (n <= G_MAXUINT);
  g_return_if_fail (options == NULL || OSIISO_IS_TASK_OPTIONS (options));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = osiiso_submission_new_task (self, osiiso_queue_submit_token_calls_async, cancellable, callback, user_data);
  calls = prepare_calls (self, first, call, payloads, lengths, n, &error);
  if (calls == NULL)
    {
      osiiso_submission_refuse_async (task, error);
      return;
    }
  submission = make_submission (first, call, (OsiisoCall **) calls->pdata, options);
  osiiso_submission_tokens_async (&submission, osiiso_queue_get_scheduler (self), (guint) n, task);
}

/**
 * osiiso_queue_submit_token_calls_finish:
 * @self: a queue
 * @result: what the callback got
 * @n_ids: (out) (optional): the number of ids
 * @error: return location for an error
 *
 * Ends [method@Osiiso.Queue.submit_token_calls_async].
 *
 * Fails like [method@Osiiso.Queue.submit_token_call_finish], and then none was
 * submitted; with %OSIISO_QUEUE_ERROR_FULL when they can never fit, and with
 * %OSIISO_QUEUE_ERROR_INVALID when the lengths do not add up.
 *
 * Returns: (transfer full) (array length=n_ids) (nullable): the ids of the tasks, to
 *   be freed with [func@GLib.free]; %NULL on error
 *
 * Since: 1.0
 */
guint64 *
osiiso_queue_submit_token_calls_finish (OsiisoQueue  *self,
                                        GAsyncResult *result,
                                        gsize        *n_ids,
                                        GError      **error)
{
  /* Bindings look at it in any case. */
  if (n_ids != NULL)
    *n_ids = 0;
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, osiiso_queue_submit_token_calls_async), NULL);

  return osiiso_submission_tokens_finish (G_TASK (result), n_ids, error);
}
