/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * Frames: what a queue and its worker programs say to each other. No I/O here,
 * and nothing that needs the rest of the library; a plugin has its own copy.
 *
 * A frame is a header of 12 bytes, little-endian, and a body:
 *
 *   u32 length of the body   u32 id   u8 kind   u8 encoding   u16 length of the name
 *   the name, UTF-8 without NUL, and then the payload
 *
 * docs/worker-protocol.md says what the kinds mean.
 */
#define OSIISO_FRAME_PROTOCOL    1
#define OSIISO_FRAME_HEADER_SIZE 12
#define OSIISO_FRAME_MAX_DEFAULT (256u << 20)
#define OSIISO_FRAME_NAME_MAX    G_MAXUINT16

typedef enum
{
  OSIISO_FRAME_HELLO = 1,
  OSIISO_FRAME_DEFINE,
  OSIISO_FRAME_CALL,
  OSIISO_FRAME_RESULT,
  OSIISO_FRAME_ERROR,
  OSIISO_FRAME_PROGRESS,
  OSIISO_FRAME_CANCEL,
  OSIISO_FRAME_RECALL,
  OSIISO_FRAME_RECALLED,
  OSIISO_FRAME_TASK,
  OSIISO_FRAME_RETRY,
} OsiisoFrameKind;

/* The values of OsiisoEncoding. */
enum
{
  OSIISO_FRAME_PLAIN_NONE    = 0,
  OSIISO_FRAME_PLAIN_VARIANT = 'V',
  OSIISO_FRAME_PLAIN_JSON    = 'J',
  OSIISO_FRAME_PLAIN_BYTES   = 'B',
};

/* A frame where it was read: valid until the reader is used again. */
typedef struct
{
  OsiisoFrameKind kind;
  guint8          encoding;
  guint32         id;
  const char     *name; /* not terminated, but valid UTF-8 without NUL */
  gsize           name_length;
  const guint8   *payload;
  gsize           length; /* of the payload */
} OsiisoFrame;

/* Whether its name is that text. */
gboolean  osiiso_frame_has_name    (const OsiisoFrame *frame,
                                    const char        *name);

/*
 * OsiisoFrameReader: what came in and is not yet used up. One thread at a time.
 *
 * A frame is judged as soon as its header is there, and memory grows with what
 * has arrived, not with what was announced.
 */
typedef struct
{
  guint8 *data; /* (nullable) */
  gsize   size;
  gsize   start; /* of what is not used up */
  gsize   end;
  gsize   current; /* length of the frame at start that was peeked, 0 for none */
  gsize   ahead;   /* of the bytes from start on, those that were looked at */
  gsize   last;    /* the one of those that comes last, from start on */
  gsize   max_body;
} OsiisoFrameReader;

typedef enum
{
  OSIISO_FRAME_MORE,   /* no whole frame yet */
  OSIISO_FRAME_READY,
  OSIISO_FRAME_BROKEN, /* not a frame: the stream cannot be used any more */
} OsiisoFrameState;

/* 0 for the default. */
void      osiiso_frame_reader_init     (OsiisoFrameReader *self,
                                        gsize              max_body);
void      osiiso_frame_reader_clear    (OsiisoFrameReader *self);

/* Where the next bytes may be written and how many, always some; then how many
 * there were. */
guint8   *osiiso_frame_reader_reserve  (OsiisoFrameReader *self,
                                        gsize             *room);
void      osiiso_frame_reader_commit   (OsiisoFrameReader *self,
                                        gsize              length);
/* Both, with bytes from elsewhere. */
void      osiiso_frame_reader_feed     (OsiisoFrameReader *self,
                                        const void        *data,
                                        gsize              length);

/* The next frame, the same one until it is skipped. @error when BROKEN:
 * G_IO_ERROR_MESSAGE_TOO_LARGE or G_IO_ERROR_INVALID_DATA. */
OsiisoFrameState osiiso_frame_reader_peek (OsiisoFrameReader *self,
                                           OsiisoFrame       *frame,
                                           GError           **error);
void      osiiso_frame_reader_skip     (OsiisoFrameReader *self);

/* The payload of the frame that was just peeked, which may be taken over with the
 * memory that it is in: then @frame is of no use any more but for its numbers.
 * The frame still has to be skipped. */
GBytes   *osiiso_frame_reader_dup_payload (OsiisoFrameReader *self,
                                           OsiisoFrame       *frame);

/* The next frame that was not looked at ahead, each only once and before it can be
 * peeked in its turn. */
OsiisoFrameState osiiso_frame_reader_look_ahead (OsiisoFrameReader *self,
                                                 OsiisoFrame       *frame,
                                                 GError           **error);
/* Takes a frame out of those that were looked at, but for one that was peeked: the
 * first of that kind and number, or the last that was looked at. */
gboolean  osiiso_frame_reader_drop     (OsiisoFrameReader *self,
                                        OsiisoFrameKind    kind,
                                        guint32            id);
void      osiiso_frame_reader_drop_last (OsiisoFrameReader *self);

/* Whether the stream may end here. */
gboolean  osiiso_frame_reader_is_empty (OsiisoFrameReader *self);

/*
 * OsiisoFrameBuffer: frames on their way out. One thread at a time.
 */
typedef struct
{
  guint8 *data; /* (nullable) */
  gsize   size;
  gsize   start;
  gsize   end;
} OsiisoFrameBuffer;

void      osiiso_frame_buffer_init     (OsiisoFrameBuffer *self);
void      osiiso_frame_buffer_clear    (OsiisoFrameBuffer *self);

/* What is to be written, and that some of it was. */
const guint8 *osiiso_frame_buffer_peek (OsiisoFrameBuffer *self,
                                        gsize             *length);
void      osiiso_frame_buffer_consume  (OsiisoFrameBuffer *self,
                                        gsize              length);

/* Appends a frame and returns where its payload has to be written; NULL when the
 * name or the body is too long for any frame, and then nothing was appended. */
guint8   *osiiso_frame_buffer_add      (OsiisoFrameBuffer *self,
                                        OsiisoFrameKind    kind,
                                        guint32            id,
                                        guint8             encoding,
                                        const char        *name,
                                        gsize              length);
gboolean  osiiso_frame_buffer_append   (OsiisoFrameBuffer *self,
                                        OsiisoFrameKind    kind,
                                        guint32            id,
                                        guint8             encoding,
                                        const char        *name,
                                        const void        *payload,
                                        gsize              length);

/* What the payloads of some kinds are made of. The parsers are for frames of
 * unknown origin: FALSE when the payload is not of that form. */

/* An argument or a result: serialised as a variant in a variant; none for NULL.
 * A floating @value is not taken over. */
gboolean  osiiso_frame_buffer_append_variant (OsiisoFrameBuffer *self,
                                              OsiisoFrameKind    kind,
                                              guint32            id,
                                              const char        *name,
                                              GVariant          *value);
/* (transfer full) (nullable), never floating */
GVariant *osiiso_frame_dup_variant     (const OsiisoFrame *frame);
/* The same from a payload by itself; of details, too. */
GVariant *osiiso_frame_variant_from_data  (const guint8 *data,
                                           gsize         length);
GVariant *osiiso_frame_variant_from_bytes (GBytes       *bytes);

/* A greeting: a worker tells its words, a parent the longest body that it takes. */
gboolean  osiiso_frame_buffer_append_hello (OsiisoFrameBuffer *self,
                                            guint32            protocol,
                                            const char        *program,
                                            const char        *words);
gboolean  osiiso_frame_buffer_append_parent_hello (OsiisoFrameBuffer *self,
                                                   guint32            protocol,
                                                   const char        *program,
                                                   guint32            max_body);
gboolean  osiiso_frame_parse_parent_hello (const OsiisoFrame *frame,
                                           guint32           *max_body);
/* Whether a worker's greeting has that word. */
gboolean  osiiso_frame_hello_has_word  (const OsiisoFrame *frame,
                                        const char        *word);

typedef struct
{
  gint32        code;
  const char   *message; /* not terminated, but valid UTF-8 without NUL */
  gsize         message_length;
  const guint8 *details;
  gsize         details_length;
} OsiisoFrameError;

/* The encoding is that of the details. Text that is not UTF-8 is made so. */
gboolean  osiiso_frame_buffer_append_error (OsiisoFrameBuffer *self,
                                            guint32            id,
                                            const char        *domain,
                                            gint32             code,
                                            const char        *message,
                                            guint8             encoding,
                                            const void        *details,
                                            gsize              details_length);
gboolean  osiiso_frame_parse_error     (const OsiisoFrame *frame,
                                        OsiisoFrameError  *parsed);
/* (transfer full): the GError that the frame tells of */
GError   *osiiso_frame_dup_gerror      (const OsiisoFrame      *frame,
                                        const OsiisoFrameError *parsed);

gboolean  osiiso_frame_buffer_append_progress (OsiisoFrameBuffer *self,
                                               guint32            id,
                                               double             fraction,
                                               const char        *status_text);
/* Any number is one. */
gboolean  osiiso_frame_parse_progress  (const OsiisoFrame *frame,
                                        double            *fraction,
                                        char             **status_text); /* (out) (transfer full) (nullable) */

/* What a call says nothing of: its task. The name of the frame is that of the task. */
gboolean  osiiso_frame_buffer_append_task (OsiisoFrameBuffer *self,
                                           guint32            id,
                                           const char        *name,
                                           guint32            attempt,
                                           guint32            index);
gboolean  osiiso_frame_parse_task      (const OsiisoFrame *frame,
                                        guint32           *attempt,
                                        guint32           *index);

/* When to try again after the error that comes next: seconds, infinite for never. */
gboolean  osiiso_frame_buffer_append_retry (OsiisoFrameBuffer *self,
                                            guint32            id,
                                            double             seconds);
/* Any number is one. */
gboolean  osiiso_frame_parse_retry     (const OsiisoFrame *frame,
                                        double            *seconds);

G_END_DECLS
