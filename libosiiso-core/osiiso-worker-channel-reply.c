/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>

#include "osiiso-error.h"
#include "osiiso-worker-channel-private.h"

#define PROGRESS_SPACING (10 * G_TIME_SPAN_MILLISECOND)

/* With the out lock. Waits until the parent has taken it all. An answer is never kept
 * to be sent together with others: if the process dies in the next call, the parent
 * would blame this one. */
static void
flush_locked (OsiisoWorkerChannel *self)
{
  gsize length;
  const guint8 *data;

  while ((data = osiiso_frame_buffer_peek (&self->buffer, &length)) != NULL)
    {
      gssize n = self->mute ? -1 : send (self->fd, data, length, MSG_NOSIGNAL);

      if (n < 0 && !self->mute && errno == EINTR)
        continue;
      if (n < 0)
        {
          self->closed = TRUE;
          self->mute = TRUE;
        }
      osiiso_frame_buffer_consume (&self->buffer, n < 0 ? length : (gsize) n);
    }
}

/* A frame that is too long for the parent would be the end of the worker. */
static void
cut_text (char  *text,
          gsize  room)
{
  if (text == NULL || strlen (text) <= room)
    return;
  /* Not within a character. */
  while (room > 0 && (text[room] & 0xc0) == 0x80)
    room--;
  text[room] = '\0';
}

/* With the out lock, and there is some. */
static void
send_progress_locked (OsiisoWorkerChannel *self)
{
  const gsize max_body = self->max_reply;

  self->has_progress = FALSE;
  cut_text (self->progress_text, max_body - MIN (max_body, 8));
  osiiso_frame_buffer_append_progress (&self->buffer, self->progress_id, self->progress_fraction, self->progress_text);
  g_clear_pointer (&self->progress_text, g_free);
}

void
osiiso_worker_channel_send (OsiisoWorkerChannel *self,
                            OsiisoFrameKind      kind,
                            guint32              id,
                            const char          *name,
                            const char          *payload)
{
  pthread_mutex_lock (&self->out_lock);
  osiiso_frame_buffer_append (&self->buffer, kind, id, OSIISO_FRAME_PLAIN_NONE, name,
                              payload, payload != NULL ? strlen (payload) : 0);
  flush_locked (self);
  pthread_mutex_unlock (&self->out_lock);
}

/* Who answers a call takes it back, and there is one who does: a second answer
 * would be taken for that of another call. Number 0 is the set-up. */
static gboolean
begin_reply (OsiisoWorkerChannel *self,
             guint32              id)
{
  guint32 busy = id;

  if (id != 0 && !atomic_compare_exchange_strong (&self->busy_id, &busy, 0))
    return FALSE;
  pthread_mutex_lock (&self->out_lock);
  if (self->has_progress && self->progress_id == id)
    send_progress_locked (self);
  return TRUE;
}

static void
end_reply (OsiisoWorkerChannel *self)
{
  flush_locked (self);
  pthread_mutex_unlock (&self->out_lock);
}

static void
append_too_large (OsiisoWorkerChannel *self,
                  guint32              id,
                  gsize                length)
{
  g_autofree char *message = g_strdup_printf ("the answer has %" G_GSIZE_FORMAT " bytes, at most %u are allowed",
                                              length, self->max_reply);

  osiiso_frame_buffer_append_error (&self->buffer, id, g_quark_to_string (G_IO_ERROR), G_IO_ERROR_MESSAGE_TOO_LARGE,
                                    message, OSIISO_FRAME_PLAIN_NONE, NULL, 0);
}

static void
reply (OsiisoWorkerChannel *self,
       guint32              id,
       guint8               encoding,
       const void          *payload,
       gsize                length)
{
  if (!begin_reply (self, id))
    return;
  /* What is no longer than that fits into a frame. */
  if (length > self->max_reply)
    append_too_large (self, id, length);
  else
    osiiso_frame_buffer_append (&self->buffer, OSIISO_FRAME_RESULT, id, encoding, NULL, payload, length);
  end_reply (self);
}

/**
 * osiiso_worker_channel_reply_none:
 * @self: a channel
 * @id: the number of a call
 *
 * Answers a call: it succeeded, without a value.
 *
 * A call is answered once. An answer to a call that is not under way is ignored. The
 * answer is sent before this returns, which takes as long as the parent takes to
 * read it.
 *
 * May be called from any thread, like all answers.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_none (OsiisoWorkerChannel *self,
                                  guint                id)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (id != 0);

  reply (self, id, OSIISO_FRAME_PLAIN_NONE, NULL, 0);
}

/**
 * osiiso_worker_channel_reply_text:
 * @self: a channel
 * @id: the number of a call
 * @json: the value, as JSON
 *
 * Answers a call: it succeeded, with a value as JSON text, which is not parsed
 * here.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_text (OsiisoWorkerChannel *self,
                                  guint                id,
                                  const char          *json)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (id != 0);
  g_return_if_fail (json != NULL);

  reply (self, id, OSIISO_FRAME_PLAIN_JSON, json, strlen (json));
}

/**
 * osiiso_worker_channel_reply_bytes:
 * @self: a channel
 * @id: the number of a call
 * @bytes: the value
 *
 * Answers a call: it succeeded, with bytes.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_bytes (OsiisoWorkerChannel *self,
                                   guint                id,
                                   GBytes              *bytes)
{
  gsize length;
  gconstpointer data;

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (id != 0);
  g_return_if_fail (bytes != NULL);

  data = g_bytes_get_data (bytes, &length);
  reply (self, id, OSIISO_FRAME_PLAIN_BYTES, data, length);
}

/**
 * osiiso_worker_channel_reply_variant:
 * @self: a channel
 * @id: the number of a call
 * @value: the value; a floating reference is taken over
 *
 * Answers a call: it succeeded, with a variant.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_variant (OsiisoWorkerChannel *self,
                                     guint                id,
                                     GVariant            *value)
{
  gsize length;

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (id != 0);
  g_return_if_fail (value != NULL);

  g_variant_ref_sink (value);
  length = g_variant_get_size (value) + 1 + strlen (g_variant_get_type_string (value));
  if (begin_reply (self, id))
    {
      if (length > self->max_reply)
        append_too_large (self, id, length);
      else
        osiiso_frame_buffer_append_variant (&self->buffer, OSIISO_FRAME_RESULT, id, NULL, value);
      end_reply (self);
    }
  g_variant_unref (value);
}

void
osiiso_worker_channel_reply_details (OsiisoWorkerChannel *self,
                                     guint32              id,
                                     const char          *domain,
                                     int                  code,
                                     const char          *message,
                                     guint8               encoding,
                                     const void          *details,
                                     gsize                length)
{
  if (!begin_reply (self, id))
    return;
  if (id != 0 && self->retry_id == id)
    osiiso_frame_buffer_append_retry (&self->buffer, id, self->retry_after);
  if (8 + strlen (domain) + strlen (message) + length > self->max_reply ||
      !osiiso_frame_buffer_append_error (&self->buffer, id, domain, code, message, encoding, details, length))
    append_too_large (self, id, length + strlen (message));
  end_reply (self);
}

void
osiiso_worker_channel_send_cancelled (OsiisoWorkerChannel *self,
                                      guint32              id)
{
  pthread_mutex_lock (&self->out_lock);
  osiiso_frame_buffer_append_error (&self->buffer, id, g_quark_to_string (G_IO_ERROR), G_IO_ERROR_CANCELLED, "cancelled",
                                    OSIISO_FRAME_PLAIN_NONE, NULL, 0);
  flush_locked (self);
  pthread_mutex_unlock (&self->out_lock);
}

/**
 * osiiso_worker_channel_reply_error:
 * @self: a channel
 * @id: the number of a call; 0 when the program cannot do what it was set up for,
 *   and then it should end
 * @domain: the name of an error domain, like `g-io-error-quark`, or one that stands
 *   for the errors of a language
 * @code: the error code
 * @message: the message
 *
 * Answers a call: it failed.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_error (OsiisoWorkerChannel *self,
                                   guint                id,
                                   const char          *domain,
                                   int                  code,
                                   const char          *message)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (domain != NULL);
  g_return_if_fail (message != NULL);

  osiiso_worker_channel_reply_details (self, id, domain, code, message, OSIISO_FRAME_PLAIN_NONE, NULL, 0);
}

/**
 * osiiso_worker_channel_reply_error_text:
 * @self: a channel
 * @id: the number of a call, or 0
 * @domain: the name of an error domain
 * @code: the error code
 * @message: the message
 * @details: what more there is to say of it, as JSON
 *
 * Answers a call: it failed, with details as JSON text.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_error_text (OsiisoWorkerChannel *self,
                                        guint                id,
                                        const char          *domain,
                                        int                  code,
                                        const char          *message,
                                        const char          *details)
{
  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (domain != NULL);
  g_return_if_fail (message != NULL);
  g_return_if_fail (details != NULL);

  osiiso_worker_channel_reply_details (self, id, domain, code, message, OSIISO_FRAME_PLAIN_JSON,
                                       details, strlen (details));
}

/**
 * osiiso_worker_channel_reply_error_bytes:
 * @self: a channel
 * @id: the number of a call, or 0
 * @domain: the name of an error domain
 * @code: the error code
 * @message: the message
 * @details: what more there is to say of it
 *
 * Answers a call: it failed, with details as bytes.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_reply_error_bytes (OsiisoWorkerChannel *self,
                                         guint                id,
                                         const char          *domain,
                                         int                  code,
                                         const char          *message,
                                         GBytes              *details)
{
  gsize length;
  gconstpointer data;

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));
  g_return_if_fail (domain != NULL);
  g_return_if_fail (message != NULL);
  g_return_if_fail (details != NULL);

  data = g_bytes_get_data (details, &length);
  osiiso_worker_channel_reply_details (self, id, domain, code, message, OSIISO_FRAME_PLAIN_BYTES, data, length);
}

void
osiiso_worker_channel_send_progress (OsiisoWorkerChannel *self)
{
  pthread_mutex_lock (&self->out_lock);
  if (self->has_progress)
    {
      self->progress_sent = g_get_monotonic_time ();
      send_progress_locked (self);
      flush_locked (self);
    }
  pthread_mutex_unlock (&self->out_lock);
}

/**
 * osiiso_worker_channel_set_progress:
 * @self: a channel
 * @id: the number of the call that is under way
 * @fraction: how much is done, from 0 to 1; values outside are clamped, and one
 *   that is not a number leaves the fraction as it is
 * @status_text: (nullable): what is going on, for people
 *
 * Tells how far a call is.
 *
 * It is sent at once, but at most every 10 milliseconds; what comes in between is
 * replaced by what comes later, or sent with the answer. A text that is longer than
 * the parent takes is cut.
 *
 * May be called from any thread.
 *
 * Since: 1.0
 */
void
osiiso_worker_channel_set_progress (OsiisoWorkerChannel *self,
                                    guint                id,
                                    double               fraction,
                                    const char          *status_text)
{
  gint64 now = g_get_monotonic_time ();

  g_return_if_fail (OSIISO_IS_WORKER_CHANNEL (self));

  pthread_mutex_lock (&self->out_lock);
  if (id != 0 && atomic_load (&self->busy_id) == id)
    {
      g_free (self->progress_text);
      self->progress_text = status_text != NULL ? g_utf8_make_valid (status_text, -1) : NULL;
      /* The first one of a call does not wait for that of another. */
      if (self->progress_id != id)
        self->progress_sent = now - PROGRESS_SPACING;
      if (!isnan (fraction))
        self->progress_fraction = CLAMP (fraction, 0, 1);
      else if (self->progress_id != id)
        self->progress_fraction = 0;
      self->progress_id = id;
      self->has_progress = TRUE;
      if (now - self->progress_sent >= PROGRESS_SPACING)
        {
          self->progress_sent = now;
          send_progress_locked (self);
          flush_locked (self);
        }
      else if (self->source != NULL)
        {
          g_source_set_ready_time (self->source, self->progress_sent + PROGRESS_SPACING);
        }
    }
  pthread_mutex_unlock (&self->out_lock);
}
