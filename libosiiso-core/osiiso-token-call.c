/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

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
            guint64      last,
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
  if (last > G_MAXSIZE)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "a token must be at most %" G_GSIZE_FORMAT "; got %" G_GUINT64_FORMAT, G_MAXSIZE, last);
      return FALSE;
    }
  return TRUE;
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
  g_autoptr (OsiisoCall) derived = NULL;
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  const OsiisoSubmission submission = {
    .data = (gpointer) (gsize) token,
    .options = options,
    .only_try = only_try,
    .needs = OSIISO_BACKEND_CAPABILITIES_CALLS,
    .calls = data != NULL ? &derived : &call,
    .named = osiiso_call_get_params (call),
  };
  guint64 id = 0;

  if (!check_told (self, token, error) || !osiiso_call_prepare (call, scheduler, error))
    return 0;
  if (data != NULL)
    {
      GBytes *bytes = g_bytes_new (data, length);

      derived = osiiso_call_derive (call, bytes);
      g_bytes_unref (bytes);
    }
  if (!osiiso_submission_submit (&submission, scheduler, NULL, &id, error))
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

/* One call for each part of the payloads; NULL when they do not have so much. */
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
  OsiisoScheduler *scheduler;
  OsiisoSubmission submission = {
    .data = (gpointer) (gsize) first,
    .options = options,
    .needs = OSIISO_BACKEND_CAPABILITIES_CALLS,
  };
  g_autoptr (GPtrArray) calls = NULL;
  g_autofree guint64 *ids = NULL;

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

  scheduler = osiiso_queue_get_scheduler (self);
  if (!check_told (self, n > 0 && first <= G_MAXUINT64 - (n - 1) ? first + (n - 1) : first, error) ||
      !osiiso_call_prepare (call, scheduler, error))
    return NULL;
  calls = cut_payloads (call, payloads, lengths, n, error);
  if (calls == NULL)
    return NULL;
  submission.calls = (OsiisoCall **) calls->pdata;
  submission.named = osiiso_call_get_params (call);
  ids = g_new (guint64, MAX (n, 1));
  if (!osiiso_submission_submit_tokens (&submission, scheduler, (guint) n, ids, error))
    return NULL;
  if (n_ids != NULL)
    *n_ids = n;
  return g_steal_pointer (&ids);
}

/* How dup_told_results() begins for each token. */
typedef struct
{
  guint64 token;
  guint64 id;
  gint64  started;
  gint64  finished;
  guint64 length;
  guint32 status;
  guint32 attempts;
  guint32 encoding;
  guint32 reserved;
} Told;

G_STATIC_ASSERT (sizeof (Told) == 56);

static const GValue *
get_outcome_value (OsiisoRecord *record)
{
  const GValue *value = osiiso_record_get_value (record);

  return value != NULL ? value : osiiso_record_get_error_details (record);
}

/* What of a value is told here: bytes and text. */
static gconstpointer
get_told_data (OsiisoRecord *record,
               guint32      *encoding,
               guint64      *length)
{
  const GValue *value = record != NULL ? get_outcome_value (record) : NULL;
  gconstpointer data = NULL;
  gsize size = 0;

  *encoding = OSIISO_ENCODING_NONE;
  if (value != NULL && G_VALUE_HOLDS (value, G_TYPE_BYTES))
    {
      *encoding = OSIISO_ENCODING_BYTES;
      data = g_bytes_get_data (g_value_get_boxed (value), &size);
    }
  else if (value != NULL && G_VALUE_HOLDS_STRING (value))
    {
      *encoding = OSIISO_ENCODING_JSON;
      data = g_value_get_string (value);
      size = strlen (data);
    }
  else if (value != NULL)
    {
      *encoding = OSIISO_ENCODING_GVARIANT;
    }
  *length = size;
  return data;
}

static void
fill_told (Told         *told,
           OsiisoRecord *record)
{
  OsiisoRecordExt *ext;

  /* Not the end of a task. */
  if (record == NULL)
    {
      *told = (Told) { .encoding = OSIISO_ENCODING_NONE };
      return;
    }
  ext = osiiso_record_get_ext (record);
  *told = (Told) {
    .token = (guint64) (gsize) record->data,
    .id = osiiso_record_get_id (record),
    .started = ext != NULL ? atomic_load (&ext->started) : 0,
    .finished = ext != NULL ? ext->finished : 0,
    .status = osiiso_record_get_status (record),
    .attempts = osiiso_record_get_attempts (record),
  };
  get_told_data (record, &told->encoding, &told->length);
}

/**
 * osiiso_queue_dup_told_results:
 * @self: a queue
 *
 * Gets what the tasks have ended with of which a completions function is told, in
 * one piece. Only in [callback@Osiiso.CompletionsFunc], in its thread.
 *
 * It begins with 56 bytes for each token, in the order in which the function got
 * them, and in the byte order of the machine: five numbers of 64 bits, which are the
 * token, the id of the task, when it began and when it ended (in microseconds of
 * [func@GLib.get_monotonic_time], 0 for never) and the length of its data, and four
 * of 32 bits: its [enum@Osiiso.Status], how often it was begun, the
 * [enum@Osiiso.Encoding] of its data, and one that means nothing. Behind the last
 * one are the data of all, in the same order: the value, or what came with the
 * error, when that is bytes or text. Others have the length 0, and are there for
 * [method@Osiiso.Queue.lookup]. Where the function is told of something that is no
 * task, as by [method@Osiiso.Queue.tell_run], all of these numbers are 0.
 *
 * Returns: (transfer full) (nullable): the results; %NULL when the thread is not in
 *   a completions function of this queue
 *
 * Since: 1.0
 */
GBytes *
osiiso_queue_dup_told_results (OsiisoQueue *self)
{
  OsiisoRecord **records;
  gsize n, size;
  guint8 *block, *place;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  n = osiiso_token_get_told (osiiso_queue_get_scheduler (self), &records);
  if (n == 0)
    return NULL;

  size = n * sizeof (Told);
  for (gsize i = 0; i < n; i++)
    {
      guint32 encoding;
      guint64 length;

      get_told_data (records[i], &encoding, &length);
      size += length;
    }
  block = g_malloc (size);
  place = block + n * sizeof (Told);
  for (gsize i = 0; i < n; i++)
    {
      Told told;
      gconstpointer data = get_told_data (records[i], &told.encoding, &told.length);

      fill_told (&told, records[i]);
      memcpy (block + i * sizeof told, &told, sizeof told);
      if (told.length > 0)
        memcpy (place, data, told.length);
      place += told.length;
    }
  return g_bytes_new_take (block, size);
}
