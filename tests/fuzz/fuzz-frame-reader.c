/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of frames alone, as many times a second as it can be: streams that are
 * there at once, in pieces, and looked at ahead. fuzz-frame does the same with
 * sanitizers, and makes of each frame all that can be made of one.
 *
 * Nothing is allocated for an input. It lies just before a page that cannot be read, so
 * that whoever reads on is found without the sanitizer for addresses.
 *
 * The first byte is the seed of the pieces and says the like of which frame
 * is dropped, the second one what is dropped as it is looked at.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "osiiso-frame-private.h"

#define LONGEST  4096
#define MAX_FRAMES (LONGEST / OSIISO_FRAME_HEADER_SIZE)
#define MAX_BODY   (64 * 1024)

FUZZ_BEGIN_WATCHER

/* Where the reader meant a frame to be. */
typedef struct
{
  OsiisoFrame frame; /* its texts are in the input */
  gboolean    dropped;
} Found;

typedef struct
{
  Found    frames[MAX_FRAMES];
  guint    n;
  gboolean broken;
} Stream;

static guint8 *
get_guard (void)
{
  static guint8 *guard;
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  const gsize size = (LONGEST + page - 1) / page * page;

  if (G_LIKELY (guard != NULL))
    return guard;
  guard = mmap (NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (guard != MAP_FAILED);
  guard += size;
  g_assert_true (mprotect (guard, page, PROT_NONE) == 0);
  return guard;
}

/* A reader that has exactly that. It is neither fed nor cleared. */
static OsiisoFrameReader
read_guarded (const guint8 *data,
              gsize         size)
{
  OsiisoFrameReader reader;

  osiiso_frame_reader_init (&reader, MAX_BODY);
  reader.data = get_guard () - size;
  reader.size = reader.end = size;
  memcpy (reader.data, data, size);
  return reader;
}

/* What can be made of it without allocating. */
static void
use_frame (const OsiisoFrame *frame)
{
  OsiisoFrameError parsed;
  double number;
  guint32 first, second;

  g_assert_null (memchr (frame->name, 0, frame->name_length));
  if (osiiso_frame_parse_error (frame, &parsed))
    g_assert_true (parsed.details + parsed.details_length == frame->payload + frame->length &&
                   (const guint8 *) parsed.message >= frame->payload &&
                   (const guint8 *) parsed.message + parsed.message_length == parsed.details);
  if (frame->kind == OSIISO_FRAME_PROGRESS)
    {
      char *status_text = NULL;

      osiiso_frame_parse_progress (frame, &number, &status_text);
      g_free (status_text);
    }
  osiiso_frame_parse_retry (frame, &number);
  osiiso_frame_parse_task (frame, &first, &second);
  osiiso_frame_parse_parent_hello (frame, &first);
  osiiso_frame_hello_has_word (frame, "recall");
}

static void
read_whole (Stream       *stream,
            const guint8 *data,
            gsize         size)
{
  OsiisoFrameReader reader = read_guarded (data, size);
  OsiisoFrameState state;
  OsiisoFrame frame;

  stream->n = 0;
  while ((state = osiiso_frame_reader_peek (&reader, &frame, NULL)) == OSIISO_FRAME_READY)
    {
      Found *found = &stream->frames[stream->n++];
      const guint8 *header = (const guint8 *) frame.name - OSIISO_FRAME_HEADER_SIZE;

      g_assert_true (header == reader.data + reader.start);
      g_assert_true (frame.payload == (const guint8 *) frame.name + frame.name_length);
      g_assert_true (frame.length <= (gsize) (get_guard () - frame.payload));
      use_frame (&frame);
      found->frame = frame;
      found->frame.name = (const char *) data + ((const guint8 *) frame.name - (get_guard () - size));
      found->dropped = FALSE;
      osiiso_frame_reader_skip (&reader);
    }
  stream->broken = state == OSIISO_FRAME_BROKEN;
}

static void
check_same (const Found       *found,
            const OsiisoFrame *frame)
{
  const OsiisoFrame *expected = &found->frame;

  g_assert_cmpuint (frame->kind, ==, expected->kind);
  g_assert_cmpuint (frame->encoding, ==, expected->encoding);
  g_assert_cmpuint (frame->id, ==, expected->id);
  g_assert_cmpuint (frame->name_length, ==, expected->name_length);
  g_assert_cmpuint (frame->length, ==, expected->length);
  g_assert_true (memcmp (frame->name, expected->name, frame->name_length + frame->length) == 0);
}

/* So late in its memory that what comes next makes it move what is there. */
static void
move_to_the_end (OsiisoFrameReader *reader)
{
  const gsize length = reader->end - reader->start;
  const gsize start = reader->size - length - 1;

  memmove (reader->data + start, reader->data + reader->start, length);
  reader->start = start;
  reader->end = start + length;
}

static void
read_pieces (const Stream *stream,
             const guint8 *data,
             gsize         size,
             guint32       seed)
{
  static OsiisoFrameReader reader;
  const gsize moved_at = seed % 64;
  OsiisoFrameState state = OSIISO_FRAME_MORE;
  OsiisoFrame frame;
  guint n = 0;

  if (reader.data == NULL)
    osiiso_frame_reader_init (&reader, MAX_BODY);
  reader.start = reader.end = reader.current = reader.ahead = reader.last = 0;
  for (gsize at = 0; at < size && state != OSIISO_FRAME_BROKEN;)
    {
      const gsize piece = MIN (1 + (seed >> 16) % 40, size - at);

      seed = seed * 1103515245 + 12345;
      osiiso_frame_reader_feed (&reader, data + at, piece);
      at += piece;
      if (at - piece <= moved_at && moved_at < at)
        move_to_the_end (&reader);
      while ((state = osiiso_frame_reader_peek (&reader, &frame, NULL)) == OSIISO_FRAME_READY)
        {
          g_assert_cmpuint (n, <, stream->n);
          check_same (&stream->frames[n++], &frame);
          osiiso_frame_reader_skip (&reader);
        }
    }
  g_assert_cmpuint (n, ==, stream->n);
  g_assert_true ((state == OSIISO_FRAME_BROKEN) == stream->broken);
}

/* Drops the first one that is like that, and not the one that was peeked. */
static void
drop_one (Stream            *stream,
          OsiisoFrameReader *reader,
          const OsiisoFrame *like,
          guint              peeked)
{
  guint i = peeked + 1;

  while (i < stream->n && (stream->frames[i].dropped || stream->frames[i].frame.kind != like->kind ||
                           stream->frames[i].frame.id != like->id))
    i++;
  g_assert_true (osiiso_frame_reader_drop (reader, like->kind, like->id) == (i < stream->n));
  if (i < stream->n)
    stream->frames[i].dropped = TRUE;
}

/* Looking ahead and dropping finds no frame that is not there, and loses none. */
static void
look_ahead (Stream       *stream,
            const guint8 *data,
            gsize         size,
            guint8        number,
            guint8        drops)
{
  OsiisoFrameReader reader = read_guarded (data, size);
  OsiisoFrame frame;
  guint n = 0;

  for (; osiiso_frame_reader_look_ahead (&reader, &frame, NULL) == OSIISO_FRAME_READY; n++, drops >>= 1)
    {
      g_assert_cmpuint (n, <, stream->n);
      check_same (&stream->frames[n], &frame);
      stream->frames[n].dropped = drops & 1;
      if (drops & 1)
        osiiso_frame_reader_drop_last (&reader);
    }
  g_assert_cmpuint (n, ==, stream->n);
  for (n = 0; n < stream->n; n++)
    {
      if (stream->frames[n].dropped)
        continue;
      g_assert_true (osiiso_frame_reader_peek (&reader, &frame, NULL) == OSIISO_FRAME_READY);
      check_same (&stream->frames[n], &frame);
      drop_one (stream, &reader, &stream->frames[number % stream->n].frame, n);
      osiiso_frame_reader_skip (&reader);
    }
  g_assert_true (osiiso_frame_reader_peek (&reader, &frame, NULL) != OSIISO_FRAME_READY);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static Stream stream;

  if (size < 2 || size > LONGEST)
    return 0;
  read_whole (&stream, data + 2, size - 2);
  read_pieces (&stream, data + 2, size - 2, data[0] * 0x01010101u);
  look_ahead (&stream, data + 2, size - 2, data[0], data[1]);
  return 0;
}

FUZZ_END_WATCHER
