/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "osiiso-queue-private.h"
#include "osiiso-token-private.h"

/* What tokens have ended with, in one piece for many. */

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
