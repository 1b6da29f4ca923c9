/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-frame-private.h"

#include <string.h>

#define READ_SIZE   (64u << 10)
/* Payloads from here on are handed over with the memory that they came in. */
#define HANDED_OVER (128u << 10)

static inline guint32
load_u32 (const guint8 *data)
{
  guint32 value;

  memcpy (&value, data, sizeof value);
  return GUINT32_FROM_LE (value);
}

static inline void
store_u32 (guint8 *data,
           guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (data, &value, sizeof value);
}

static double
load_double (const guint8 *data)
{
  guint64 bits;
  double value;

  G_STATIC_ASSERT (sizeof bits == sizeof value);
  memcpy (&bits, data, sizeof bits);
  bits = GUINT64_FROM_LE (bits);
  memcpy (&value, &bits, sizeof value);
  return value;
}

static void
store_double (guint8 *data,
              double  value)
{
  guint64 bits;

  memcpy (&bits, &value, sizeof bits);
  bits = GUINT64_TO_LE (bits);
  memcpy (data, &bits, sizeof bits);
}

static inline guint
load_u16 (const guint8 *data)
{
  return data[0] | ((guint) data[1] << 8);
}

static gboolean
is_text (const void *data,
         gsize       length)
{
  return g_utf8_validate_len (data, length, NULL);
}

static gboolean
is_encoding (guint8 encoding)
{
  return encoding == OSIISO_FRAME_PLAIN_NONE || encoding == OSIISO_FRAME_PLAIN_VARIANT ||
         encoding == OSIISO_FRAME_PLAIN_JSON || encoding == OSIISO_FRAME_PLAIN_BYTES;
}

gboolean
osiiso_frame_has_name (const OsiisoFrame *frame,
                       const char        *name)
{
  return strlen (name) == frame->name_length && memcmp (name, frame->name, frame->name_length) == 0;
}

void
osiiso_frame_reader_init (OsiisoFrameReader *self,
                          gsize              max_body)
{
  memset (self, 0, sizeof *self);
  self->max_body = max_body != 0 ? max_body : OSIISO_FRAME_MAX_DEFAULT;
}

void
osiiso_frame_reader_clear (OsiisoFrameReader *self)
{
  g_clear_pointer (&self->data, g_free);
  self->size = self->start = self->end = self->current = self->ahead = self->last = 0;
}

/* Moves what is there into new memory or to the front, such that the payload of
 * the first frame is aligned as a variant has to be. */
static void
make_room (OsiisoFrameReader *self,
           gsize              size)
{
  gsize length = self->end - self->start;
  gsize offset = 0;

  if (length >= OSIISO_FRAME_HEADER_SIZE)
    offset = -(gsize) (OSIISO_FRAME_HEADER_SIZE + load_u16 (self->data + self->start + 10)) % 8;
  if (size + 8 > self->size)
    {
      guint8 *data;

      size = MAX (size, 2 * READ_SIZE);
      data = g_malloc (size + 8);

      if (length != 0)
        memcpy (data + offset, self->data + self->start, length);
      g_free (self->data);
      self->data = data;
      self->size = size + 8;
    }
  else
    memmove (self->data + offset, self->data + self->start, length);
  self->start = offset;
  self->end = offset + length;
}

guint8 *
osiiso_frame_reader_reserve (OsiisoFrameReader *self,
                             gsize             *room)
{
  gsize length = self->end - self->start;
  gsize wanted = READ_SIZE;

  if (length == 0)
    {
      /* One large frame must not make the reader large for good. */
      if (self->size > 16 * READ_SIZE)
        osiiso_frame_reader_clear (self);
      self->start = self->end = 0;
    }
  else if (length >= OSIISO_FRAME_HEADER_SIZE)
    {
      gsize frame = OSIISO_FRAME_HEADER_SIZE + load_u32 (self->data + self->start);

      /* Not more than what is missing, so that a large payload comes to be alone
       * in its memory; and not more than doubling, whatever was announced. */
      if (frame > length && frame > READ_SIZE)
        wanted = MIN (frame - length, MAX (length, READ_SIZE));
    }
  if (self->size - self->end < wanted)
    {
      if (length + wanted + 8 <= self->size && length <= self->size / 2)
        make_room (self, 0);
      else
        make_room (self, length + wanted);
    }
  *room = MIN (self->size - self->end, MAX (wanted, READ_SIZE));
  if (wanted > READ_SIZE)
    *room = MIN (*room, wanted);
  return self->data + self->end;
}

void
osiiso_frame_reader_commit (OsiisoFrameReader *self,
                            gsize              length)
{
  g_assert (length <= self->size - self->end);
  self->end += length;
}

void
osiiso_frame_reader_feed (OsiisoFrameReader *self,
                          const void        *data,
                          gsize              length)
{
  while (length > 0)
    {
      gsize room;
      guint8 *place = osiiso_frame_reader_reserve (self, &room);
      gsize part = MIN (room, length);

      memcpy (place, data, part);
      osiiso_frame_reader_commit (self, part);
      data = (const guint8 *) data + part;
      length -= part;
    }
}

static gboolean
check_header (OsiisoFrameReader *self,
              const guint8      *header,
              GError           **error)
{
  gsize body = load_u32 (header);

  if (header[8] < OSIISO_FRAME_HELLO || header[8] > OSIISO_FRAME_RETRY)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "frame of unknown kind %u", header[8]);
  else if (!is_encoding (header[9]))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "frame with unknown encoding %u", header[9]);
  else if (body > self->max_body)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                 "frame of %" G_GSIZE_FORMAT " bytes, at most %" G_GSIZE_FORMAT " are allowed", body, self->max_body);
  else if (load_u16 (header + 10) > body)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "frame whose name is longer than its body");
  else
    return TRUE;
  return FALSE;
}

/* The frame that begins @offset bytes from start. */
static OsiisoFrameState
peek_at (OsiisoFrameReader *self,
         gsize              offset,
         OsiisoFrame       *frame,
         GError           **error)
{
  const guint8 *header;
  gsize length = self->end - self->start - offset;
  gsize body;

  if (length < OSIISO_FRAME_HEADER_SIZE)
    return OSIISO_FRAME_MORE;
  header = self->data + self->start + offset;
  if (!check_header (self, header, error))
    return OSIISO_FRAME_BROKEN;
  body = load_u32 (header);
  if (length - OSIISO_FRAME_HEADER_SIZE < body)
    return OSIISO_FRAME_MORE;

  frame->kind = header[8];
  frame->encoding = header[9];
  frame->id = load_u32 (header + 4);
  frame->name_length = load_u16 (header + 10);
  frame->name = (const char *) header + OSIISO_FRAME_HEADER_SIZE;
  frame->payload = header + OSIISO_FRAME_HEADER_SIZE + frame->name_length;
  frame->length = body - frame->name_length;
  if (!is_text (frame->name, frame->name_length))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "frame whose name is not UTF-8");
      return OSIISO_FRAME_BROKEN;
    }
  return OSIISO_FRAME_READY;
}

static gsize
frame_size (const OsiisoFrame *frame)
{
  return OSIISO_FRAME_HEADER_SIZE + frame->name_length + frame->length;
}

static void
advance (OsiisoFrameReader *self,
         gsize              length)
{
  self->start += length;
  self->ahead = self->ahead > length ? self->ahead - length : 0;
  self->last = self->last > length ? self->last - length : 0;
  if (self->start == self->end)
    self->start = self->end = 0;
}

/* No frame that came in has this kind: it stands for one that was taken out. */
#define DROPPED 0

OsiisoFrameState
osiiso_frame_reader_peek (OsiisoFrameReader *self,
                          OsiisoFrame       *frame,
                          GError           **error)
{
  OsiisoFrameState state;

  while (self->current == 0 && self->ahead > 0 && self->data[self->start + 8] == DROPPED)
    advance (self, OSIISO_FRAME_HEADER_SIZE + load_u32 (self->data + self->start));
  state = peek_at (self, 0, frame, error);
  if (state == OSIISO_FRAME_READY)
    self->current = frame_size (frame);
  return state;
}

void
osiiso_frame_reader_skip (OsiisoFrameReader *self)
{
  g_assert (self->current != 0);
  advance (self, self->current);
  self->current = 0;
}

OsiisoFrameState
osiiso_frame_reader_look_ahead (OsiisoFrameReader *self,
                                OsiisoFrame       *frame,
                                GError           **error)
{
  OsiisoFrameState state = peek_at (self, self->ahead, frame, error);

  if (state == OSIISO_FRAME_READY)
    {
      self->last = self->ahead;
      self->ahead += frame_size (frame);
    }
  return state;
}

gboolean
osiiso_frame_reader_drop (OsiisoFrameReader *self,
                          OsiisoFrameKind    kind,
                          guint32            id)
{
  gsize offset = self->current;

  while (offset < self->ahead)
    {
      guint8 *header = self->data + self->start + offset;

      if (header[8] == kind && load_u32 (header + 4) == id)
        {
          header[8] = DROPPED;
          return TRUE;
        }
      offset += OSIISO_FRAME_HEADER_SIZE + load_u32 (header);
    }
  return FALSE;
}

void
osiiso_frame_reader_drop_last (OsiisoFrameReader *self)
{
  g_assert (self->last < self->ahead && self->last >= self->current);
  self->data[self->start + self->last + 8] = DROPPED;
}

GBytes *
osiiso_frame_reader_dup_payload (OsiisoFrameReader *self,
                                 OsiisoFrame       *frame)
{
  g_autoptr (GBytes) whole = NULL;
  GBytes *payload;
  guint8 *old = self->data;
  gsize end = self->start + self->current;
  gsize offset = end - frame->length;
  gsize rest = self->end - end;

  g_assert (self->current != 0);
  if (frame->length < HANDED_OVER || frame->length < self->size / 2)
    return g_bytes_new (frame->payload, frame->length);

  whole = g_bytes_new_take (old, self->end);
  payload = g_bytes_new_from_bytes (whole, offset, frame->length);

  /* An empty frame stands for the one that is to be skipped. */
  self->ahead -= MIN (self->ahead, self->current - OSIISO_FRAME_HEADER_SIZE);
  self->last -= MIN (self->last, self->current - OSIISO_FRAME_HEADER_SIZE);
  self->size = MAX (rest, READ_SIZE) + OSIISO_FRAME_HEADER_SIZE;
  self->data = g_malloc (self->size);
  self->start = 0;
  self->current = OSIISO_FRAME_HEADER_SIZE;
  self->end = OSIISO_FRAME_HEADER_SIZE + rest;
  memset (self->data, 0, OSIISO_FRAME_HEADER_SIZE);
  memcpy (self->data + OSIISO_FRAME_HEADER_SIZE, old + end, rest);

  frame->name = NULL;
  frame->payload = NULL;
  frame->name_length = frame->length = 0;
  return payload;
}

gboolean
osiiso_frame_reader_is_empty (OsiisoFrameReader *self)
{
  return self->start == self->end;
}

void
osiiso_frame_buffer_init (OsiisoFrameBuffer *self)
{
  memset (self, 0, sizeof *self);
}

void
osiiso_frame_buffer_clear (OsiisoFrameBuffer *self)
{
  g_clear_pointer (&self->data, g_free);
  self->size = self->start = self->end = 0;
}

const guint8 *
osiiso_frame_buffer_peek (OsiisoFrameBuffer *self,
                          gsize             *length)
{
  *length = self->end - self->start;
  return *length > 0 ? self->data + self->start : NULL;
}

void
osiiso_frame_buffer_consume (OsiisoFrameBuffer *self,
                             gsize              length)
{
  g_assert (length <= self->end - self->start);
  self->start += length;
  if (self->start < self->end)
    return;
  self->start = self->end = 0;
  if (self->size > 16 * READ_SIZE)
    osiiso_frame_buffer_clear (self);
}

static void
buffer_grow (OsiisoFrameBuffer *self,
             gsize              length)
{
  gsize used = self->end - self->start;

  if (self->start > 0 && used + length <= self->size && self->start >= used)
    {
      memcpy (self->data, self->data + self->start, used);
    }
  else
    {
      gsize size = MAX (READ_SIZE, MAX (2 * used, used + length));
      guint8 *data = g_malloc (size);

      if (used != 0)
        memcpy (data, self->data + self->start, used);
      g_free (self->data);
      self->data = data;
      self->size = size;
    }
  self->start = 0;
  self->end = used;
}

guint8 *
osiiso_frame_buffer_add (OsiisoFrameBuffer *self,
                         OsiisoFrameKind    kind,
                         guint32            id,
                         guint8             encoding,
                         const char        *name,
                         gsize              length)
{
  gsize name_length = name != NULL ? strlen (name) : 0;
  guint8 *header;

  if (name_length > OSIISO_FRAME_NAME_MAX || length > G_MAXUINT32 - name_length)
    return NULL;
  /* With some bytes to spare, for append_variant(). */
  if (self->size - self->end < OSIISO_FRAME_HEADER_SIZE + name_length + length + 8)
    buffer_grow (self, OSIISO_FRAME_HEADER_SIZE + name_length + length + 8);

  header = self->data + self->end;
  store_u32 (header, (guint32) (name_length + length));
  store_u32 (header + 4, id);
  header[8] = (guint8) kind;
  header[9] = encoding;
  header[10] = (guint8) name_length;
  header[11] = (guint8) (name_length >> 8);
  if (name_length > 0)
    memcpy (header + OSIISO_FRAME_HEADER_SIZE, name, name_length);
  self->end += OSIISO_FRAME_HEADER_SIZE + name_length + length;
  return header + OSIISO_FRAME_HEADER_SIZE + name_length;
}

gboolean
osiiso_frame_buffer_append (OsiisoFrameBuffer *self,
                            OsiisoFrameKind    kind,
                            guint32            id,
                            guint8             encoding,
                            const char        *name,
                            const void        *payload,
                            gsize              length)
{
  guint8 *place = osiiso_frame_buffer_add (self, kind, id, encoding, name, length);

  if (place == NULL)
    return FALSE;
  if (length > 0)
    memcpy (place, payload, length);
  return TRUE;
}

gboolean
osiiso_frame_buffer_append_variant (OsiisoFrameBuffer *self,
                                    OsiisoFrameKind    kind,
                                    guint32            id,
                                    const char        *name,
                                    GVariant          *value)
{
  const char *type;
  gsize type_length;
  gsize size;
  guint8 *place;
  guint8 *aligned;

  if (value == NULL)
    return osiiso_frame_buffer_append (self, kind, id, OSIISO_FRAME_PLAIN_NONE, name, NULL, 0);

  /* As g_variant_new_variant() would be serialised: the value, NUL, its type. */
  type = g_variant_get_type_string (value);
  type_length = strlen (type);
  size = g_variant_get_size (value);
  place = osiiso_frame_buffer_add (self, kind, id, OSIISO_FRAME_PLAIN_VARIANT, name, size + 1 + type_length);
  if (place == NULL)
    return FALSE;
  /* It can only be serialised where it would be aligned. */
  aligned = place + -(guintptr) place % 8;
  g_variant_store (value, aligned);
  if (aligned != place)
    memmove (place, aligned, size);
  place[size] = 0;
  memcpy (place + size + 1, type, type_length);
  return TRUE;
}

/* Of data that may be anything: the value must be in the one form that there is. */
static GVariant *
unbox (GVariant *box)
{
  GVariant *value = NULL;

  g_variant_ref_sink (box);
  if (g_variant_is_normal_form (box))
    value = g_variant_get_variant (box);
  g_variant_unref (box);
  return value;
}

/* A box with an array of bytes is right whatever they are, but GLib would look at each
 * of them. */
static gboolean
is_box_of_bytes (const guint8 *data,
                 gsize         length)
{
  static const guint8 end[] = { 0, 'a', 'y' };

  return length >= sizeof end && memcmp (data + length - sizeof end, end, sizeof end) == 0;
}

GVariant *
osiiso_frame_variant_from_data (const guint8 *data,
                                gsize         length)
{
  gpointer copy = g_memdup2 (data, length);

  return unbox (g_variant_new_from_data (G_VARIANT_TYPE_VARIANT, copy, length, is_box_of_bytes (data, length), g_free, copy));
}

GVariant *
osiiso_frame_variant_from_bytes (GBytes *bytes)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);

  return unbox (g_variant_new_from_bytes (G_VARIANT_TYPE_VARIANT, bytes, is_box_of_bytes (data, length)));
}

GVariant *
osiiso_frame_dup_variant (const OsiisoFrame *frame)
{
  if (frame->encoding != OSIISO_FRAME_PLAIN_VARIANT)
    return NULL;
  return osiiso_frame_variant_from_data (frame->payload, frame->length);
}

gboolean
osiiso_frame_buffer_append_hello (OsiisoFrameBuffer *self,
                                  guint32            protocol,
                                  const char        *program,
                                  const char        *words)
{
  return osiiso_frame_buffer_append (self, OSIISO_FRAME_HELLO, protocol, OSIISO_FRAME_PLAIN_NONE,
                                     program, words, strlen (words));
}

gboolean
osiiso_frame_buffer_append_parent_hello (OsiisoFrameBuffer *self,
                                         guint32            protocol,
                                         const char        *program,
                                         guint32            max_body)
{
  guint8 payload[4];

  store_u32 (payload, max_body);
  return osiiso_frame_buffer_append (self, OSIISO_FRAME_HELLO, protocol, OSIISO_FRAME_PLAIN_NONE,
                                     program, payload, sizeof payload);
}

gboolean
osiiso_frame_parse_parent_hello (const OsiisoFrame *frame,
                                 guint32           *max_body)
{
  /* A later one may say more. */
  if (frame->length < 4)
    return FALSE;
  *max_body = load_u32 (frame->payload);
  return *max_body > 0;
}

gboolean
osiiso_frame_hello_has_word (const OsiisoFrame *frame,
                             const char        *word)
{
  const char *text = (const char *) frame->payload;
  gsize length = strlen (word);
  gsize at = 0;

  while (at < frame->length)
    {
      gsize end = at;

      while (end < frame->length && text[end] != ' ')
        end++;
      if (end - at == length && memcmp (text + at, word, length) == 0)
        return TRUE;
      at = end + 1;
    }
  return FALSE;
}

gboolean
osiiso_frame_buffer_append_error (OsiisoFrameBuffer *self,
                                  guint32            id,
                                  const char        *domain,
                                  gint32             code,
                                  const char        *message,
                                  guint8             encoding,
                                  const void        *details,
                                  gsize              details_length)
{
  g_autofree char *valid = NULL;
  gsize message_length;
  guint8 *place;

  if (message == NULL)
    message = "";
  if (!g_utf8_validate (message, -1, NULL))
    message = valid = g_utf8_make_valid (message, -1);
  if (domain == NULL || !g_utf8_validate (domain, -1, NULL))
    domain = "";
  message_length = strlen (message);
  if (MAX (details_length, message_length) > G_MAXUINT32 / 2)
    return FALSE;

  place = osiiso_frame_buffer_add (self, OSIISO_FRAME_ERROR, id, encoding, domain,
                                   8 + message_length + details_length);
  if (place == NULL)
    return FALSE;
  store_u32 (place, (guint32) code);
  store_u32 (place + 4, (guint32) message_length);
  memcpy (place + 8, message, message_length);
  if (details_length > 0)
    memcpy (place + 8 + message_length, details, details_length);
  return TRUE;
}

gboolean
osiiso_frame_parse_error (const OsiisoFrame *frame,
                          OsiisoFrameError  *parsed)
{
  if (frame->length < 8)
    return FALSE;
  parsed->code = (gint32) load_u32 (frame->payload);
  parsed->message_length = load_u32 (frame->payload + 4);
  if (parsed->message_length > frame->length - 8)
    return FALSE;
  parsed->message = (const char *) frame->payload + 8;
  parsed->details = frame->payload + 8 + parsed->message_length;
  parsed->details_length = frame->length - 8 - parsed->message_length;
  return is_text (parsed->message, parsed->message_length);
}

GError *
osiiso_frame_dup_gerror (const OsiisoFrame      *frame,
                         const OsiisoFrameError *parsed)
{
  g_autofree char *domain = g_strndup (frame->name, frame->name_length);
  g_autofree char *message = g_strndup (parsed->message, parsed->message_length);

  /* An error has to have a domain; a worker of another language may have none. */
  return g_error_new_literal (g_quark_from_string (*domain != '\0' ? domain : "osiiso-worker"), parsed->code, message);
}

gboolean
osiiso_frame_buffer_append_progress (OsiisoFrameBuffer *self,
                                     guint32            id,
                                     double             fraction,
                                     const char        *status_text)
{
  gsize length = status_text != NULL ? strlen (status_text) : 0;
  guint8 *place;

  place = osiiso_frame_buffer_add (self, OSIISO_FRAME_PROGRESS, id, OSIISO_FRAME_PLAIN_NONE, NULL, 8 + length);
  if (place == NULL)
    return FALSE;
  store_double (place, fraction);
  if (length > 0)
    memcpy (place + 8, status_text, length);
  return TRUE;
}

gboolean
osiiso_frame_parse_progress (const OsiisoFrame *frame,
                             double            *fraction,
                             char             **status_text)
{
  if (frame->length < 8 || !is_text (frame->payload + 8, frame->length - 8))
    return FALSE;
  *fraction = load_double (frame->payload);
  *status_text = frame->length > 8 ? g_strndup ((const char *) frame->payload + 8, frame->length - 8) : NULL;
  return TRUE;
}

gboolean
osiiso_frame_buffer_append_task (OsiisoFrameBuffer *self,
                                 guint32            id,
                                 const char        *name,
                                 guint32            attempt,
                                 guint32            index)
{
  guint8 payload[8];

  store_u32 (payload, attempt);
  store_u32 (payload + 4, index);
  return osiiso_frame_buffer_append (self, OSIISO_FRAME_TASK, id, OSIISO_FRAME_PLAIN_NONE, name, payload,
                                     sizeof payload);
}

gboolean
osiiso_frame_parse_task (const OsiisoFrame *frame,
                         guint32           *attempt,
                         guint32           *index)
{
  /* A later one may say more. */
  if (frame->length < 8)
    return FALSE;
  *attempt = load_u32 (frame->payload);
  *index = load_u32 (frame->payload + 4);
  return *attempt > 0;
}

gboolean
osiiso_frame_buffer_append_retry (OsiisoFrameBuffer *self,
                                  guint32            id,
                                  double             seconds)
{
  guint8 payload[8];

  store_double (payload, seconds);
  return osiiso_frame_buffer_append (self, OSIISO_FRAME_RETRY, id, OSIISO_FRAME_PLAIN_NONE, NULL, payload,
                                     sizeof payload);
}

gboolean
osiiso_frame_parse_retry (const OsiisoFrame *frame,
                          double            *seconds)
{
  if (frame->length != 8)
    return FALSE;
  *seconds = load_double (frame->payload);
  return TRUE;
}
