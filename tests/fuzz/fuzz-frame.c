/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames of unknown origin: whatever comes in, in whatever pieces, the reader finds the
 * same frames or refuses the same one, and every payload is parsed or refused.
 *
 * The first byte is the seed of the pieces, the second one what may be taken ahead.
 */
#include "fuzz.h"

#include "osiiso-frame-private.h"

#define MAX_BODY (64 * 1024)

FUZZ_BEGIN_WATCHER

/* GLib never forgets a domain, and lets go of no table of them when it makes a larger
 * one, which is a leak. */
static gboolean
may_make_error (const OsiisoFrame *frame)
{
  static guint n_domains;
  g_autofree char *domain = g_strndup (frame->name, frame->name_length);

  return g_quark_try_string (domain) != 0 || n_domains++ < 1000;
}

/* All that can be made of one frame. What is accepted must survive being written again. */
static void
use_frame (const OsiisoFrame *frame)
{
  g_autofree char *status_text = NULL;
  static OsiisoFrameBuffer out; /* its memory is kept */
  OsiisoFrameError parsed;
  gsize length;
  double number;
  guint32 first, second;

  g_assert_true (g_utf8_validate_len (frame->name, frame->name_length, NULL));
  g_assert_null (memchr (frame->name, 0, frame->name_length));

  if (frame->encoding == OSIISO_FRAME_PLAIN_VARIANT)
    {
      g_autoptr (GVariant) variant = osiiso_frame_dup_variant (frame);

      if (variant != NULL)
        {
          g_autofree char *text = g_variant_print (variant, TRUE);

          g_assert_true (g_variant_is_normal_form (variant));
          g_assert_true (osiiso_frame_buffer_append_variant (&out, OSIISO_FRAME_RESULT, frame->id, NULL, variant));
        }
    }
  if (osiiso_frame_parse_error (frame, &parsed) && may_make_error (frame))
    {
      g_autoptr (GError) error = osiiso_frame_dup_gerror (frame, &parsed);
      g_autoptr (GVariant) details = osiiso_frame_variant_from_data (parsed.details, parsed.details_length);

      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_true (osiiso_frame_buffer_append_error (&out, frame->id, g_quark_to_string (error->domain), error->code,
                                                       error->message, frame->encoding, parsed.details,
                                                       parsed.details_length));
    }
  osiiso_frame_parse_progress (frame, &number, &status_text);
  osiiso_frame_parse_retry (frame, &number);
  osiiso_frame_parse_task (frame, &first, &second);
  osiiso_frame_parse_parent_hello (frame, &first);
  osiiso_frame_hello_has_word (frame, "recall");
  osiiso_frame_buffer_peek (&out, &length);
  osiiso_frame_buffer_consume (&out, length);
}

/* What became of the stream: a sum over the frames, and how many there were. */
typedef struct
{
  guint64 sum;
  guint   n_frames;
  gboolean broken;
} Outcome;

static void
add_frame (Outcome           *outcome,
           const OsiisoFrame *frame)
{
  guint64 sum = outcome->sum * 31 + frame->kind + frame->id + frame->encoding + frame->length;

  for (gsize i = 0; i < frame->length; i++)
    sum = sum * 31 + frame->payload[i];
  for (gsize i = 0; i < frame->name_length; i++)
    sum = sum * 31 + (guint8) frame->name[i];
  outcome->sum = sum;
  outcome->n_frames++;
}

static void
read_frames (OsiisoFrameReader *reader,
             Outcome           *outcome,
             gboolean           use)
{
  for (;;)
    {
      g_autoptr (GError) error = NULL;
      OsiisoFrameState state;
      OsiisoFrame frame;

      state = osiiso_frame_reader_peek (reader, &frame, &error);
      g_assert_true ((state == OSIISO_FRAME_BROKEN) == (error != NULL));
      outcome->broken = state == OSIISO_FRAME_BROKEN;
      if (state != OSIISO_FRAME_READY)
        return;
      add_frame (outcome, &frame);
      if (use)
        use_frame (&frame);
      osiiso_frame_reader_skip (reader);
    }
}

/* A reader that has exactly that, so that whoever reads on is found. It is not fed. */
static void
init_whole (OsiisoFrameReader *reader,
            const guint8      *data,
            gsize              size)
{
  osiiso_frame_reader_init (reader, MAX_BODY);
  reader->data = g_memdup2 (data, size);
  reader->size = reader->end = size;
}

static Outcome
read_whole (const guint8 *data,
            gsize         size)
{
  OsiisoFrameReader reader;
  Outcome outcome = { 0 };

  init_whole (&reader, data, size);
  read_frames (&reader, &outcome, TRUE);
  osiiso_frame_reader_clear (&reader);
  return outcome;
}

static Outcome
read_in_pieces (const guint8 *data,
                gsize         size,
                guint32       seed)
{
  /* Its memory is large, and is kept: to get and to release that takes a hundred times
   * as long as to read an input. */
  static OsiisoFrameReader reader;
  Outcome outcome = { 0 };

  if (reader.data == NULL)
    osiiso_frame_reader_init (&reader, MAX_BODY);
  reader.start = reader.end = reader.current = reader.ahead = reader.last = 0;
  while (size > 0 && !outcome.broken)
    {
      const gsize piece = MIN (1 + (seed >> 16) % 40, size);

      seed = seed * 1103515245 + 12345;
      osiiso_frame_reader_feed (&reader, data, piece);
      data += piece;
      size -= piece;
      read_frames (&reader, &outcome, FALSE);
    }
  if (size == 0 && !outcome.broken && outcome.n_frames == 0)
    osiiso_frame_reader_is_empty (&reader);
  return outcome;
}

/* Looking ahead and dropping finds no frame that is not there, and loses none. */
static void
look_ahead (const guint8 *data,
            gsize         size,
            guint8        drops)
{
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  guint n_ahead = 0, n_dropped = 0, n_read = 0;

  init_whole (&reader, data, size);
  while (osiiso_frame_reader_look_ahead (&reader, &frame, NULL) == OSIISO_FRAME_READY)
    {
      n_ahead++;
      if (drops & 1)
        {
          osiiso_frame_reader_drop_last (&reader);
          n_dropped++;
        }
      drops >>= 1;
    }
  while (osiiso_frame_reader_peek (&reader, &frame, NULL) == OSIISO_FRAME_READY)
    {
      n_read++;
      osiiso_frame_reader_skip (&reader);
    }
  g_assert_cmpuint (n_read, ==, n_ahead - n_dropped);
  osiiso_frame_reader_clear (&reader);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  Outcome whole, pieces;

  if (size < 2)
    return 0;
  whole = read_whole (data + 2, size - 2);
  pieces = read_in_pieces (data + 2, size - 2, data[0] + 1u);
  g_assert_cmpuint (whole.n_frames, ==, pieces.n_frames);
  g_assert_cmpuint (whole.sum, ==, pieces.sum);
  g_assert_cmpint (whole.broken, ==, pieces.broken);
  look_ahead (data + 2, size - 2, data[1]);
  return 0;
}

FUZZ_END_WATCHER
