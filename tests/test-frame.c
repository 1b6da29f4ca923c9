/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "osiiso-frame-private.h"

static OsiisoFrameState
peek (OsiisoFrameReader *reader,
      OsiisoFrame       *frame)
{
  g_autoptr (GError) error = NULL;
  OsiisoFrameState state = osiiso_frame_reader_peek (reader, frame, &error);

  g_assert_true ((state == OSIISO_FRAME_BROKEN) == (error != NULL));
  return state;
}

/* What was written becomes what was read. */
static void
carry (OsiisoFrameBuffer *buffer,
       OsiisoFrameReader *reader)
{
  gsize length;
  const guint8 *data = osiiso_frame_buffer_peek (buffer, &length);

  osiiso_frame_reader_feed (reader, data, length);
  osiiso_frame_buffer_consume (buffer, length);
}

static void
test_layout (void)
{
  static const guint8 expected[] = {
    7, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 3, 'J', 3, 0, 'm', ':', 's', '[', '1', ',', '2',
  };
  OsiisoFrameBuffer buffer;
  const guint8 *data;
  gsize length;

  g_test_summary ("A frame is 12 bytes of header, the name and the payload, little-endian");

  osiiso_frame_buffer_init (&buffer);
  g_assert_null (osiiso_frame_buffer_peek (&buffer, &length));
  g_assert_cmpuint (length, ==, 0);
  g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 0x11223344, 'J', "m:s", "[1,2", 4));
  data = osiiso_frame_buffer_peek (&buffer, &length);
  g_assert_cmpmem (data, length, expected, sizeof expected);
  osiiso_frame_buffer_consume (&buffer, 10);
  data = osiiso_frame_buffer_peek (&buffer, &length);
  g_assert_cmpmem (data, length, expected + 10, sizeof expected - 10);
  osiiso_frame_buffer_clear (&buffer);
}

static void
test_limits (void)
{
  OsiisoFrameBuffer buffer;
  gsize length;
  g_autofree char *name = g_strnfill (70000, 'x');

  g_test_summary ("A name or body that no frame can have is refused and leaves nothing behind");

  osiiso_frame_buffer_init (&buffer);
  g_assert_false (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 1, 0, name, NULL, 0));
  g_assert_null (osiiso_frame_buffer_add (&buffer, OSIISO_FRAME_CALL, 1, 0, "n", G_MAXUINT32));
  g_assert_false (osiiso_frame_buffer_append_error (&buffer, 1, name, 1, "", 0, NULL, 0));
  osiiso_frame_buffer_peek (&buffer, &length);
  g_assert_cmpuint (length, ==, 0);
  name[65535] = '\0';
  g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 1, 0, name, NULL, 0));
  osiiso_frame_buffer_peek (&buffer, &length);
  g_assert_cmpuint (length, ==, OSIISO_FRAME_HEADER_SIZE + 65535);
  osiiso_frame_buffer_clear (&buffer);
}

static void
test_room (void)
{
  g_autofree char *payload = g_strnfill (60000, 'x');
  OsiisoFrameBuffer buffer;
  const guint8 *data;
  gsize length;

  g_test_summary ("What was sent makes room for what comes, in place or in a larger one");

  osiiso_frame_buffer_init (&buffer);
  for (guint i = 0; i < 50; i++)
    {
      const gsize size = 1 + i * 1201 % 60000;

      g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, i, 'B', "first", payload, size));
      g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, i, 'B', "second", payload, 3));
      osiiso_frame_buffer_consume (&buffer, OSIISO_FRAME_HEADER_SIZE + 5 + size);
      data = osiiso_frame_buffer_peek (&buffer, &length);
      g_assert_cmpuint (length, ==, OSIISO_FRAME_HEADER_SIZE + 6 + 3);
      g_assert_cmpmem (data + OSIISO_FRAME_HEADER_SIZE, 9, "secondxxx", 9);
      osiiso_frame_buffer_consume (&buffer, length);
    }
  g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 1, 'B', NULL, payload, 60000));
  g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 2, 'B', "left", payload, 3));
  osiiso_frame_buffer_consume (&buffer, OSIISO_FRAME_HEADER_SIZE + 60000);
  g_assert_true (osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 3, 'B', NULL, payload, 50000));
  data = osiiso_frame_buffer_peek (&buffer, &length);
  g_assert_cmpuint (length, ==, OSIISO_FRAME_HEADER_SIZE + 7 + OSIISO_FRAME_HEADER_SIZE + 50000);
  g_assert_cmpmem (data + OSIISO_FRAME_HEADER_SIZE, 7, "leftxxx", 7);
  osiiso_frame_buffer_clear (&buffer);
}

static void
test_odd_texts (void)
{
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  OsiisoFrameError parsed;
  g_autofree char *name = g_strnfill (70000, 'x');
  g_autoptr (GVariant) number = g_variant_ref_sink (g_variant_new_int32 (1));

  g_test_summary ("Errors without a text, domains that are none, and what is too large");

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_reader_init (&reader, 0);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (osiiso_frame_buffer_append_error (&buffer, 1, i == 0 ? NULL : "\xff", 5, NULL, 0, NULL, 0));
      carry (&buffer, &reader);
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
      g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
      g_assert_cmpint (parsed.code, ==, 5);
      g_assert_cmpuint (parsed.message_length, ==, 0);
      g_assert_true (osiiso_frame_has_name (&frame, ""));
      osiiso_frame_reader_skip (&reader);
    }
  /* Nothing is read of so many details. */
  g_assert_false (osiiso_frame_buffer_append_error (&buffer, 1, "d", 5, "m", 'B', &buffer, G_MAXUINT32));
  g_assert_false (osiiso_frame_buffer_append_variant (&buffer, OSIISO_FRAME_CALL, 1, name, number));
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

static void
test_pieces (void)
{
  static const char name[] = "module:symbol";
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  const guint8 *data;
  gsize length;

  g_test_summary ("A frame is there with its last byte, not before, however it comes");

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 7, 'B', name, "abc", 3);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CANCEL, 7, 0, NULL, NULL, 0);
  data = osiiso_frame_buffer_peek (&buffer, &length);

  osiiso_frame_reader_init (&reader, 0);
  g_assert_true (osiiso_frame_reader_is_empty (&reader));
  for (gsize i = 0; i < length - OSIISO_FRAME_HEADER_SIZE; i++)
    {
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_MORE);
      osiiso_frame_reader_feed (&reader, data + i, 1);
      g_assert_false (osiiso_frame_reader_is_empty (&reader));
    }
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_CALL);
      g_assert_cmpuint (frame.id, ==, 7);
      g_assert_cmpuint (frame.encoding, ==, 'B');
      g_assert_true (osiiso_frame_has_name (&frame, name));
      g_assert_false (osiiso_frame_has_name (&frame, "module:symbo"));
      g_assert_false (osiiso_frame_has_name (&frame, "module:symbox"));
      g_assert_cmpmem (frame.payload, frame.length, "abc", 3);
    }
  osiiso_frame_reader_skip (&reader);
  g_assert_true (osiiso_frame_reader_is_empty (&reader));
  osiiso_frame_reader_feed (&reader, data + length - OSIISO_FRAME_HEADER_SIZE, OSIISO_FRAME_HEADER_SIZE);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_CANCEL);
  g_assert_cmpuint (frame.name_length + frame.length, ==, 0);
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

typedef struct
{
  const char *what;
  guint8      bytes[16];
  gsize       length;
  int         code;
} Broken;

static void
test_broken (void)
{
  static const Broken cases[] = {
    { "kind 0", { 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, 12, G_IO_ERROR_INVALID_DATA },
    { "kind 12", { 0, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0 }, 12, G_IO_ERROR_INVALID_DATA },
    { "encoding", { 0, 0, 0, 0, 1, 0, 0, 0, 3, 'X', 0, 0 }, 12, G_IO_ERROR_INVALID_DATA },
    { "length", { 1, 4, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0 }, 12, G_IO_ERROR_MESSAGE_TOO_LARGE },
    { "all ones", { 255, 255, 255, 255, 1, 0, 0, 0, 3, 0, 0, 0 }, 12, G_IO_ERROR_MESSAGE_TOO_LARGE },
    { "name", { 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 2, 0 }, 12, G_IO_ERROR_INVALID_DATA },
    { "UTF-8", { 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 2, 0, 0xc3, 'x' }, 14, G_IO_ERROR_INVALID_DATA },
    { "NUL", { 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 2, 0, 0, 'x' }, 14, G_IO_ERROR_INVALID_DATA },
  };

  g_test_summary ("What cannot be a frame is told as soon as that is known");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      OsiisoFrameReader reader;
      OsiisoFrame frame;

      g_test_message ("%s", cases[i].what);
      osiiso_frame_reader_init (&reader, 1024);
      osiiso_frame_reader_feed (&reader, cases[i].bytes, cases[i].length - 1);
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_MORE);
      osiiso_frame_reader_feed (&reader, cases[i].bytes + cases[i].length - 1, 1);
      g_assert_cmpint (osiiso_frame_reader_peek (&reader, &frame, &error), ==, OSIISO_FRAME_BROKEN);
      g_assert_error (error, G_IO_ERROR, cases[i].code);
      osiiso_frame_reader_clear (&reader);
    }
}

static void
test_memory (void)
{
  guint8 header[OSIISO_FRAME_HEADER_SIZE] = { 0, 0, 0, 2, 1, 0, 0, 0, OSIISO_FRAME_CALL, 'B', 0, 0 };
  g_autofree guint8 *part = g_malloc0 (300000);
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  gsize room;

  g_test_summary ("Memory grows with what has arrived, not with what was announced, and goes again");

  osiiso_frame_reader_init (&reader, 0);
  osiiso_frame_reader_feed (&reader, header, sizeof header);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_MORE);
  osiiso_frame_reader_reserve (&reader, &room);
  g_assert_cmpuint (reader.size, <, 1 << 20);
  osiiso_frame_reader_feed (&reader, part, 300000);
  osiiso_frame_reader_reserve (&reader, &room);
  g_assert_cmpuint (reader.size, <, 1 << 20);
  for (gsize left = (32u << 20) - 300000, n; left > 0; left -= n)
    {
      n = MIN (left, 300000);
      osiiso_frame_reader_feed (&reader, part, n);
    }
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  osiiso_frame_reader_skip (&reader);
  osiiso_frame_reader_reserve (&reader, &room);
  g_assert_cmpuint (reader.size, <, 1 << 20);
  osiiso_frame_reader_clear (&reader);
}

static void
test_hand_over (void)
{
  static const gsize sizes[] = { 0, 1, 1000, 131071, 131072, 200000, 1 << 20, (16 << 20) + 3 };

  g_test_summary ("A payload is the same whether it is copied or handed over, and so is what follows it");

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      for (gsize n_follow = 0; n_follow < (sizes[i] > 1 << 20 ? 1 : 3); n_follow++)
        {
          OsiisoFrameBuffer buffer;
          OsiisoFrameReader reader;
          OsiisoFrame frame;
          guint8 *place;
          const guint8 *was;
          g_autoptr (GBytes) payload = NULL;
          const guint8 *got;

          osiiso_frame_buffer_init (&buffer);
          osiiso_frame_reader_init (&reader, 0);
          place = osiiso_frame_buffer_add (&buffer, OSIISO_FRAME_RESULT, 5, 'B', "abc", sizes[i]);
          for (gsize k = 0; k < sizes[i]; k++)
            place[k] = (guint8) (k * 7 + (k >> 11));
          for (gsize k = 0; k < n_follow; k++)
            osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_RESULT, 6 + (guint32) k, 'B', NULL, "follow", 6);
          carry (&buffer, &reader);

          g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
          was = frame.payload;
          payload = osiiso_frame_reader_dup_payload (&reader, &frame);
          got = g_bytes_get_data (payload, NULL);
          g_assert_cmpuint (g_bytes_get_size (payload), ==, sizes[i]);
          for (gsize k = 0; k < sizes[i]; k++)
            if (got[k] != (guint8) (k * 7 + (k >> 11)))
              g_assert_not_reached ();
          if (sizes[i] >= 1 << 20)
            {
              g_assert_true (got == was);
              g_assert_cmpuint ((guintptr) got % 8, ==, 0);
            }
          osiiso_frame_reader_skip (&reader);
          for (gsize k = 0; k < n_follow; k++)
            {
              g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
              g_assert_cmpuint (frame.id, ==, 6 + k);
              g_assert_cmpmem (frame.payload, frame.length, "follow", 6);
              osiiso_frame_reader_skip (&reader);
            }
          g_assert_true (osiiso_frame_reader_is_empty (&reader));
          osiiso_frame_reader_clear (&reader);
          osiiso_frame_buffer_clear (&buffer);
        }
    }
}

static void
test_ahead (void)
{
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  g_autoptr (GBytes) payload = NULL;

  g_test_summary ("Frames are looked at ahead and taken out, whatever happens to the first one");

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_reader_init (&reader, 0);
  memset (osiiso_frame_buffer_add (&buffer, OSIISO_FRAME_CALL, 1, 'B', "f", 1 << 20), 1, 1 << 20);
  for (guint i = 2; i < 6; i++)
    osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, i, 'B', "f", "abc", 3);
  carry (&buffer, &reader);

  g_assert_false (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 3));
  for (guint i = 1; i < 5; i++)
    {
      g_assert_cmpint (osiiso_frame_reader_look_ahead (&reader, &frame, NULL), ==, OSIISO_FRAME_READY);
      g_assert_cmpuint (frame.id, ==, i);
    }
  osiiso_frame_reader_drop_last (&reader);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_false (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 1));
  g_assert_false (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CANCEL, 3));
  payload = osiiso_frame_reader_dup_payload (&reader, &frame);
  g_assert_cmpuint (g_bytes_get_size (payload), ==, 1 << 20);
  g_assert_true (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 3));
  g_assert_false (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 3));
  osiiso_frame_reader_skip (&reader);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_cmpuint (frame.id, ==, 2);
  osiiso_frame_reader_skip (&reader);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_cmpuint (frame.id, ==, 5);
  osiiso_frame_reader_skip (&reader);
  g_assert_true (osiiso_frame_reader_is_empty (&reader));

  /* Taken out to the last one. */
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 6, 'B', "f", "abc", 3);
  carry (&buffer, &reader);
  g_assert_cmpint (osiiso_frame_reader_look_ahead (&reader, &frame, NULL), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 6));
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_MORE);
  g_assert_true (osiiso_frame_reader_is_empty (&reader));
  g_assert_cmpint (osiiso_frame_reader_look_ahead (&reader, &frame, NULL), ==, OSIISO_FRAME_MORE);
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

/* What was not looked at is not there yet: it may be half a frame, or none. */
static void
test_ahead_ends (void)
{
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_reader_init (&reader, 0);
  for (guint32 id = 1; id < 4; id++)
    osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, id, 'B', "f", "abc", 3);
  carry (&buffer, &reader);
  for (guint32 id = 1; id < 3; id++)
    {
      g_assert_cmpint (osiiso_frame_reader_look_ahead (&reader, &frame, NULL), ==, OSIISO_FRAME_READY);
      g_assert_false (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, id + 1));
    }
  g_assert_true (osiiso_frame_reader_drop (&reader, OSIISO_FRAME_CALL, 2));
  g_assert_cmpint (osiiso_frame_reader_look_ahead (&reader, &frame, NULL), ==, OSIISO_FRAME_READY);
  g_assert_cmpuint (frame.id, ==, 3);
  for (guint32 id = 1; id < 4; id += 2)
    {
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
      g_assert_cmpuint (frame.id, ==, id);
      g_assert_cmpmem (frame.payload, frame.length, "abc", 3);
      osiiso_frame_reader_skip (&reader);
    }
  g_assert_true (osiiso_frame_reader_is_empty (&reader));
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

static void
append_filled (OsiisoFrameBuffer *buffer,
               guint32            id,
               gsize              length)
{
  memset (osiiso_frame_buffer_add (buffer, OSIISO_FRAME_CALL, id, 'B', "f", length), (int) id, length);
}

static void
expect_filled (const OsiisoFrame *frame,
               const void        *payload,
               guint32            id,
               gsize              length)
{
  const guint8 *data = payload;

  g_assert_cmpuint (frame->id, ==, id);
  for (gsize i = 0; i < length; i++)
    g_assert_cmpuint (data[i], ==, id);
}

/* Payloads that are large, but small beside the memory that they are in: those that
 * follow stay where they are, and more comes in behind them. */
static void
test_large (void)
{
  const gsize kibi = 1 << 10;

  for (gsize size = 130; size < 1200; size += 97)
    {
      OsiisoFrameBuffer buffer;
      OsiisoFrameReader reader;
      OsiisoFrame frame;
      const guint8 *data;
      gsize length;

      osiiso_frame_buffer_init (&buffer);
      osiiso_frame_reader_init (&reader, 0);
      append_filled (&buffer, 1, size * kibi);
      append_filled (&buffer, 2, 800 * kibi);
      append_filled (&buffer, 3, 90 * kibi);
      append_filled (&buffer, 4, 300 * kibi);
      data = osiiso_frame_buffer_peek (&buffer, &length);
      /* The first two, and a part of the third one. */
      osiiso_frame_reader_feed (&reader, data, (size + 800 + 40) * kibi);
      for (guint32 id = 1; id < 3; id++)
        {
          g_autoptr (GBytes) payload = NULL;

          g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
          g_assert_cmpuint (frame.length, ==, (id == 1 ? size : 800) * kibi);
          payload = osiiso_frame_reader_dup_payload (&reader, &frame);
          expect_filled (&frame, g_bytes_get_data (payload, NULL), id, g_bytes_get_size (payload));
          osiiso_frame_reader_skip (&reader);
          /* And some more of it. */
          osiiso_frame_reader_feed (&reader, data + (size + 800 + 40 + 10 * (id - 1)) * kibi, 10 * kibi);
        }
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_MORE);
      osiiso_frame_buffer_consume (&buffer, (size + 800 + 60) * kibi);
      carry (&buffer, &reader);
      for (guint32 id = 3; id < 5; id++)
        {
          g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
          expect_filled (&frame, frame.payload, id, frame.length);
          osiiso_frame_reader_skip (&reader);
        }
      g_assert_true (osiiso_frame_reader_is_empty (&reader));
      osiiso_frame_reader_clear (&reader);
      osiiso_frame_buffer_clear (&buffer);
    }
}

/* A buffer of which a part was sent grows with the rest in it. */
static void
test_partly_sent (void)
{
  const gsize kibi = 1 << 10;

  for (gsize sent = 0; sent < 60; sent += 7)
    {
      OsiisoFrameBuffer buffer;
      OsiisoFrameReader reader;
      OsiisoFrame frame;
      gsize length;
      const guint8 *data;

      osiiso_frame_buffer_init (&buffer);
      osiiso_frame_reader_init (&reader, 0);
      append_filled (&buffer, 1, 60 * kibi);
      data = osiiso_frame_buffer_peek (&buffer, &length);
      osiiso_frame_reader_feed (&reader, data, sent * kibi);
      osiiso_frame_buffer_consume (&buffer, sent * kibi);
      append_filled (&buffer, 2, 3 * kibi);
      append_filled (&buffer, 3, 200 * kibi);
      carry (&buffer, &reader);
      for (guint32 id = 1; id < 4; id++)
        {
          g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
          expect_filled (&frame, frame.payload, id, frame.length);
          osiiso_frame_reader_skip (&reader);
        }
      osiiso_frame_reader_clear (&reader);
      osiiso_frame_buffer_clear (&buffer);
    }
}

static void
test_variants (void)
{
  static const char * const texts[] = {
    "(1, 2)", "'text'", "[1.5, 2.5]", "{'a': <1>, 'b': <@as []>}", "<<<uint64 7>>>", "(byte 1, uint64 2, @ms nothing)",
    "@ay []", "[byte 0, 0x61, 0x79]", "[byte 0, 0, 0x61, 0x79, 0]", "<@ay [255]>", "(@ay [0], true)",
  };
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;

  g_test_summary ("A variant comes out as it went in, with its type, and nothing else is taken for one");

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_reader_init (&reader, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, NULL);
      g_autoptr (GVariant) box = g_variant_ref_sink (g_variant_new_variant (value));
      g_autoptr (GVariant) back = NULL;

      osiiso_frame_buffer_append_variant (&buffer, OSIISO_FRAME_CALL, 1, "n", value);
      carry (&buffer, &reader);
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
      g_assert_cmpmem (frame.payload, frame.length, g_variant_get_data (box), g_variant_get_size (box));
      back = osiiso_frame_dup_variant (&frame);
      g_assert_false (g_variant_is_floating (back));
      g_assert_cmpvariant (back, value);
      osiiso_frame_reader_skip (&reader);
    }

  osiiso_frame_buffer_append_variant (&buffer, OSIISO_FRAME_CALL, 1, "n", NULL);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 2, 'V', NULL, NULL, 0);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 3, 'V', NULL, "abc", 3);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 4, 'V', NULL, "\2\0b", 3); /* a boolean of 2 */
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 5, 'V', NULL, "\1\0a{", 4);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 6, 'J', NULL, "\1\0b", 3);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 7, 'V', NULL, "ay", 2);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 8, 'V', NULL, "\1\0aay", 5);
  osiiso_frame_buffer_append (&buffer, OSIISO_FRAME_CALL, 9, 'V', NULL, "\1\0ay)", 5);
  carry (&buffer, &reader);
  for (guint i = 0; i < 9; i++)
    {
      g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
      g_assert_null (osiiso_frame_dup_variant (&frame));
      osiiso_frame_reader_skip (&reader);
    }
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

static void
test_payloads (void)
{
  OsiisoFrameBuffer buffer;
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  OsiisoFrameError parsed;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  guint32 max_body;
  double fraction;

  g_test_summary ("Greetings, errors and progress are read as they were written");

  osiiso_frame_buffer_init (&buffer);
  osiiso_frame_reader_init (&reader, 0);
  osiiso_frame_buffer_append_hello (&buffer, 1, "worker", "cancel recall");
  osiiso_frame_buffer_append_parent_hello (&buffer, 1, "parent", 77777);
  osiiso_frame_buffer_append_error (&buffer, 3, "some-domain", -5, "it failed\xff", 'B', "det", 3);
  osiiso_frame_buffer_append_progress (&buffer, 4, 0.25, "a quarter");
  osiiso_frame_buffer_append_progress (&buffer, 4, -1, NULL);
  carry (&buffer, &reader);

  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_has_name (&frame, "worker"));
  g_assert_true (osiiso_frame_hello_has_word (&frame, "cancel"));
  g_assert_true (osiiso_frame_hello_has_word (&frame, "recall"));
  g_assert_false (osiiso_frame_hello_has_word (&frame, "can"));
  g_assert_false (osiiso_frame_hello_has_word (&frame, "cancel recall"));
  osiiso_frame_reader_skip (&reader);

  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_parse_parent_hello (&frame, &max_body));
  g_assert_cmpuint (max_body, ==, 77777);
  g_assert_false (osiiso_frame_parse_error (&frame, &parsed));
  g_assert_false (osiiso_frame_parse_progress (&frame, &fraction, &text));
  osiiso_frame_reader_skip (&reader);

  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
  error = osiiso_frame_dup_gerror (&frame, &parsed);
  g_assert_error (error, g_quark_from_static_string ("some-domain"), -5);
  g_assert_cmpstr (error->message, ==, "it failed\357\277\275");
  g_assert_cmpmem (parsed.details, parsed.details_length, "det", 3);
  g_assert_cmpuint (frame.encoding, ==, 'B');
  osiiso_frame_reader_skip (&reader);

  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_parse_progress (&frame, &fraction, &text));
  g_assert_cmpfloat (fraction, ==, 0.25);
  g_assert_cmpstr (text, ==, "a quarter");
  g_clear_pointer (&text, g_free);
  osiiso_frame_reader_skip (&reader);
  g_assert_cmpint (peek (&reader, &frame), ==, OSIISO_FRAME_READY);
  g_assert_true (osiiso_frame_parse_progress (&frame, &fraction, &text));
  g_assert_null (text);
  osiiso_frame_reader_clear (&reader);
  osiiso_frame_buffer_clear (&buffer);
}

/* Looks at everything that a frame may be looked at for. */
static void
use_frame (OsiisoFrameReader *reader,
           OsiisoFrame       *frame)
{
  g_autoptr (GVariant) value = osiiso_frame_dup_variant (frame);
  g_autoptr (GVariant) again = NULL;
  g_autoptr (GBytes) payload = NULL;
  OsiisoFrameError parsed;
  guint32 max_body;
  double fraction;
  g_autofree char *text = NULL;

  if (value != NULL)
    {
      g_autofree char *printed = g_variant_print (value, TRUE);

      g_assert_nonnull (printed);
    }
  osiiso_frame_hello_has_word (frame, "cancel");
  osiiso_frame_parse_parent_hello (frame, &max_body);
  if (osiiso_frame_parse_error (frame, &parsed))
    {
      g_autoptr (GError) error = osiiso_frame_dup_gerror (frame, &parsed);

      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      again = osiiso_frame_variant_from_data (parsed.details, parsed.details_length);
    }
  osiiso_frame_parse_progress (frame, &fraction, &text);
  payload = osiiso_frame_reader_dup_payload (reader, frame);
  g_assert_nonnull (payload);
}

/* Feeds @data in random pieces; returns the number of frames in it. */
static guint
read_all (GRand        *rand,
          const guint8 *data,
          gsize         length)
{
  OsiisoFrameReader reader;
  OsiisoFrame frame;
  OsiisoFrameState state = OSIISO_FRAME_MORE;
  guint n = 0;

  osiiso_frame_reader_init (&reader, 1 << 20);
  while (length > 0 && state != OSIISO_FRAME_BROKEN)
    {
      gsize part = (gsize) g_rand_int_range (rand, 1, (gint32) MIN (length, 4096) + 1);

      osiiso_frame_reader_feed (&reader, data, part);
      data += part;
      length -= part;
      while ((state = peek (&reader, &frame)) == OSIISO_FRAME_READY)
        {
          use_frame (&reader, &frame);
          osiiso_frame_reader_skip (&reader);
          n++;
        }
      g_assert_cmpuint (reader.size, <=, 4 << 20);
    }
  osiiso_frame_reader_clear (&reader);
  return n;
}

static void
append_random (GRand             *rand,
               OsiisoFrameBuffer *buffer)
{
  guint8 noise[64];
  g_autoptr (GVariant) value = NULL;

  for (gsize i = 0; i < sizeof noise; i++)
    noise[i] = (guint8) g_rand_int (rand);
  switch (g_rand_int_range (rand, 0, 6))
    {
    case 0:
      osiiso_frame_buffer_append_hello (buffer, 1, "p", "cancel recall");
      break;
    case 1:
      osiiso_frame_buffer_append (buffer, OSIISO_FRAME_CALL, noise[0], 'B', "m:s", noise, noise[1] % 64);
      break;
    case 2:
      value = g_variant_ref_sink (g_variant_new ("(ia{sv}s)", noise[0], NULL, "text"));
      osiiso_frame_buffer_append_variant (buffer, OSIISO_FRAME_RESULT, noise[0], "m:s", value);
      break;
    case 3:
      osiiso_frame_buffer_append_error (buffer, noise[0], "dom", noise[1], "message", 'V', noise, noise[2] % 64);
      break;
    case 4:
      osiiso_frame_buffer_append_progress (buffer, noise[0], noise[1] / 255.0, "text");
      break;
    default:
      {
        gsize length = (gsize) g_rand_int_range (rand, 1, 400000);

        memset (osiiso_frame_buffer_add (buffer, OSIISO_FRAME_RESULT, 1, 'V', "n", length), noise[0], length);
      }
    }
}

static void
test_fuzz (void)
{
  const guint n_rounds = g_test_thorough () ? 20000 : 400;
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  g_autofree guint8 *noise = g_malloc (2000);

  g_test_summary ("Frames in random pieces are all read; mutated ones and noise are read or refused, never worse");

  for (guint round = 0; round < n_rounds; round++)
    {
      guint n = (guint) g_rand_int_range (rand, 1, 6);
      OsiisoFrameBuffer buffer;
      const guint8 *data;
      gsize length;
      gsize in_use;
      g_autofree guint8 *copy = NULL;

      osiiso_frame_buffer_init (&buffer);
      for (guint i = 0; i < n; i++)
        append_random (rand, &buffer);
      data = osiiso_frame_buffer_peek (&buffer, &length);
      copy = g_memdup2 (data, length);
      osiiso_frame_buffer_clear (&buffer);
      g_assert_cmpuint (read_all (rand, copy, length), ==, n);

      /* Most of the bytes that matter are near the front. */
      in_use = g_rand_boolean (rand) ? MIN (length, 64) : length;
      for (guint i = (guint) g_rand_int_range (rand, 1, 8); i > 0; i--)
        copy[g_rand_int_range (rand, 0, (gint32) in_use)] = (guint8) g_rand_int (rand);
      read_all (rand, copy, length - (gsize) g_rand_int_range (rand, 0, (gint32) length));

      for (gsize i = 0; i < 2000; i++)
        noise[i] = g_rand_int_range (rand, 0, 3) == 0 ? (guint8) g_rand_int (rand) : (guint8) g_rand_int_range (rand, 0, 12);
      read_all (rand, noise, 2000);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/frame/layout", test_layout);
  g_test_add_func ("/frame/limits", test_limits);
  g_test_add_func ("/frame/room", test_room);
  g_test_add_func ("/frame/odd-texts", test_odd_texts);
  g_test_add_func ("/frame/pieces", test_pieces);
  g_test_add_func ("/frame/broken", test_broken);
  g_test_add_func ("/frame/memory", test_memory);
  g_test_add_func ("/frame/hand-over", test_hand_over);
  g_test_add_func ("/frame/ahead", test_ahead);
  g_test_add_func ("/frame/ahead-ends", test_ahead_ends);
  g_test_add_func ("/frame/large", test_large);
  g_test_add_func ("/frame/partly-sent", test_partly_sent);
  g_test_add_func ("/frame/variants", test_variants);
  g_test_add_func ("/frame/payloads", test_payloads);
  g_test_add_func ("/frame/fuzz", test_fuzz);

  return g_test_run ();
}
