/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "osiiso-worker-channel-private.h"

/* What the current message is about, and what came with it. */

/**
 * osiiso_worker_channel_get_id:
 * @self: a channel
 *
 * Gets the number of the call that the current message is about, to answer it with.
 *
 * Returns: the number; 0 when it is about no call
 *
 * Since: 1.0
 */
guint
osiiso_worker_channel_get_id (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), 0);

  return self->id;
}

OsiisoWorkerName *
osiiso_worker_channel_get_name (OsiisoWorkerChannel *self)
{
  return self->name;
}

/**
 * osiiso_worker_channel_get_function:
 * @self: a channel
 *
 * Gets the name of the function that the current message is about.
 *
 * Returns: (transfer none) (nullable): the name, which lives as long as the channel;
 *   %NULL when there is no message that has one
 *
 * Since: 1.0
 */
const char *
osiiso_worker_channel_get_function (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), NULL);

  return self->has_frame ? self->name->text : NULL;
}

/**
 * osiiso_worker_channel_get_encoding:
 * @self: a channel
 *
 * Tells in which form the current message has what came with it.
 *
 * Returns: the encoding
 *
 * Since: 1.0
 */
OsiisoEncoding
osiiso_worker_channel_get_encoding (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), OSIISO_ENCODING_NONE);

  return (OsiisoEncoding) self->encoding;
}

/**
 * osiiso_worker_channel_get_size:
 * @self: a channel
 *
 * Tells how much came with the current message.
 *
 * Returns: a number of bytes
 *
 * Since: 1.0
 */
gsize
osiiso_worker_channel_get_size (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), 0);

  if (!self->has_frame)
    return 0;
  return self->bytes != NULL ? g_bytes_get_size (self->bytes) : self->frame.length;
}

/* Makes the payload a GBytes of its own, which others may move no more. */
static GBytes *
ensure_bytes (OsiisoWorkerChannel *self)
{
  pthread_mutex_lock (&self->in_lock);
  if (self->bytes == NULL && self->has_frame)
    {
      /* Somebody may have moved it while they pumped. */
      osiiso_frame_reader_peek (&self->reader, &self->frame, NULL);
      self->bytes = osiiso_frame_reader_dup_payload (&self->reader, &self->frame);
    }
  pthread_mutex_unlock (&self->in_lock);
  return self->bytes;
}

/**
 * osiiso_worker_channel_dup_bytes:
 * @self: a channel
 *
 * Gets what came with the current message, whatever its form.
 *
 * Returns: (transfer full): the bytes, none when nothing came
 *
 * Since: 1.0
 */
GBytes *
osiiso_worker_channel_dup_bytes (OsiisoWorkerChannel *self)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), NULL);

  return ensure_bytes (self) != NULL ? g_bytes_ref (self->bytes) : g_bytes_new (NULL, 0);
}

/**
 * osiiso_worker_channel_get_text:
 * @self: a channel
 *
 * Gets the text that came with the current message: JSON, or bytes that are text.
 *
 * Returns: (transfer none) (nullable): the text, until the next message is received;
 *   %NULL when it has another form, has a NUL in it, or is not UTF-8
 *
 * Since: 1.0
 */
const char *
osiiso_worker_channel_get_text (OsiisoWorkerChannel *self)
{
  gconstpointer data;
  gsize length;

  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), NULL);

  if (self->text != NULL || !self->has_frame ||
      (self->encoding != OSIISO_FRAME_PLAIN_JSON && self->encoding != OSIISO_FRAME_PLAIN_BYTES))
    return self->text;

  pthread_mutex_lock (&self->in_lock);
  if (self->bytes == NULL)
    {
      osiiso_frame_reader_peek (&self->reader, &self->frame, NULL);
      data = self->frame.payload;
      length = self->frame.length;
    }
  else
    {
      data = g_bytes_get_data (self->bytes, &length);
    }
  /* No bytes at all may be at no address. */
  self->text = g_strndup (length > 0 ? data : "", length);
  pthread_mutex_unlock (&self->in_lock);
  /* A NUL would have ended it early. */
  if (strlen (self->text) != osiiso_worker_channel_get_size (self) || !g_utf8_validate (self->text, -1, NULL))
    g_clear_pointer (&self->text, g_free);
  return self->text;
}

/**
 * osiiso_worker_channel_dup_variant:
 * @self: a channel
 *
 * Gets the variant that came with the current message.
 *
 * Returns: (transfer full) (nullable): the variant; %NULL when it has another form, or
 *   is none
 *
 * Since: 1.0
 */
GVariant *
osiiso_worker_channel_dup_variant (OsiisoWorkerChannel *self)
{
  GVariant *value;

  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), NULL);

  if (!self->has_frame || self->encoding != OSIISO_FRAME_PLAIN_VARIANT)
    return NULL;
  if (osiiso_worker_channel_get_size (self) >= 64u << 10)
    return osiiso_frame_variant_from_bytes (ensure_bytes (self));

  pthread_mutex_lock (&self->in_lock);
  if (self->bytes == NULL)
    {
      osiiso_frame_reader_peek (&self->reader, &self->frame, NULL);
      value = osiiso_frame_dup_variant (&self->frame);
    }
  else
    value = osiiso_frame_variant_from_bytes (self->bytes);
  pthread_mutex_unlock (&self->in_lock);
  return value;
}

/**
 * osiiso_worker_channel_is_cancelled:
 * @self: a channel
 * @id: the number of the call that is under way
 *
 * Tells whether it is known that nobody waits for a call any more.
 *
 * That is learnt by receiving, so a program in a single thread has to call
 * [method@Osiiso.WorkerChannel.receive] without waiting now and then. May be called
 * from any thread.
 *
 * Returns: whether it was cancelled
 *
 * Since: 1.0
 */
gboolean
osiiso_worker_channel_is_cancelled (OsiisoWorkerChannel *self,
                                    guint                id)
{
  g_return_val_if_fail (OSIISO_IS_WORKER_CHANNEL (self), FALSE);

  return id != 0 && atomic_load (&self->cancelled_id) == id;
}
