/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test-channel-pair.h"
#include "test-valgrind.h"

static void
test_messages (void)
{
  Pair pair;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) none = NULL;

  g_test_summary ("What a message is and holds, in each encoding, and one call at a time");

  pair_start (&pair);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  g_assert_cmpuint (osiiso_worker_channel_get_id (pair.channel), ==, 0);
  g_assert_null (osiiso_worker_channel_get_function (pair.channel));
  g_assert_null (osiiso_worker_channel_get_text (pair.channel));
  g_assert_null (osiiso_worker_channel_dup_variant (pair.channel));
  none = osiiso_worker_channel_dup_bytes (pair.channel);
  g_assert_cmpuint (g_bytes_get_size (none), ==, 0);

  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_DEFINE, 0, 'J', "", "{}", 2);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_DEFINE, 0, 'B', "f", "abc", 3);
  send_call (&pair, 7, 'J', "[1]");
  send_call (&pair, 8, 'V', "1234567");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_SETUP);
  g_assert_cmpstr (osiiso_worker_channel_get_text (pair.channel), ==, "{}");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_DEFINE);
  g_assert_cmpstr (osiiso_worker_channel_get_function (pair.channel), ==, "f");
  g_assert_cmpint (osiiso_worker_channel_get_encoding (pair.channel), ==, OSIISO_ENCODING_BYTES);
  g_assert_cmpuint (osiiso_worker_channel_get_size (pair.channel), ==, 3);
  bytes = osiiso_worker_channel_dup_bytes (pair.channel);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "abc", 3);
  g_assert_cmpuint (osiiso_worker_channel_get_size (pair.channel), ==, 3);
  g_assert_cmpstr (osiiso_worker_channel_get_text (pair.channel), ==, "abc");

  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_cmpuint (osiiso_worker_channel_get_id (pair.channel), ==, 7);
  g_assert_cmpstr (osiiso_worker_channel_get_function (pair.channel), ==, "m:f");
  g_assert_cmpstr (osiiso_worker_channel_get_text (pair.channel), ==, "[1]");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  /* Of calls that are not under way. */
  osiiso_worker_channel_reply_none (pair.channel, 8);
  osiiso_worker_channel_set_progress (pair.channel, 8, 0.5, NULL);
  assert_silence (&pair);
  osiiso_worker_channel_reply_text (pair.channel, 7, "[2]");
  osiiso_worker_channel_reply_none (pair.channel, 7);
  assert_frame (&pair, OSIISO_FRAME_RESULT, 7, "[2]");
  assert_silence (&pair);

  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_null (osiiso_worker_channel_dup_variant (pair.channel));
  osiiso_worker_channel_reply_error_text (pair.channel, 8, "d", 3, "m", "{}");
  assert_frame (&pair, OSIISO_FRAME_ERROR, 8, NULL);

  send_call (&pair, 9, 'J', "\xff");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_null (osiiso_worker_channel_get_text (pair.channel));
  g_assert_cmpuint (osiiso_worker_channel_get_size (pair.channel), ==, 1);
  pair_stop (&pair);
}

static void
test_values (void)
{
  static const gsize sizes[] = { 1, 1000, 70000, 900000 };
  Pair pair;

  g_test_summary ("Variants and bytes of all sizes come out as they went in");

  pair_start (&pair);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strnfill (sizes[i], 'x');
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new ("(ysd)", 1, text, 0.5));
      g_autoptr (GVariant) got = NULL;
      g_autoptr (GVariant) back = NULL;
      g_autoptr (GBytes) bytes = NULL;
      OsiisoFrame frame;

      osiiso_frame_buffer_append_variant (&pair.out, OSIISO_FRAME_CALL, 1, "m:f", value);
      /* Not more than the socket takes: the other end is in this thread. */
      while (pair.out.end > pair.out.start)
        {
          gssize n = send (pair.fd, pair.out.data + pair.out.start, pair.out.end - pair.out.start,
                           MSG_NOSIGNAL | MSG_DONTWAIT);

          if (n > 0)
            osiiso_frame_buffer_consume (&pair.out, (gsize) n);
          if (pair.out.end > pair.out.start)
            g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
        }
      g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
      got = osiiso_worker_channel_dup_variant (pair.channel);
      g_assert_cmpvariant (got, value);
      bytes = osiiso_worker_channel_dup_bytes (pair.channel);
      back = osiiso_frame_variant_from_bytes (bytes);
      g_assert_cmpvariant (back, value);
      g_clear_pointer (&back, g_variant_unref);
      back = osiiso_worker_channel_dup_variant (pair.channel);
      g_assert_cmpvariant (back, value);
      if (sizes[i] > 1000)
        {
          osiiso_worker_channel_reply_none (pair.channel, 1);
          assert_frame (&pair, OSIISO_FRAME_RESULT, 1, "");
          continue;
        }
      osiiso_worker_channel_reply_variant (pair.channel, 1, g_variant_new ("(ysd)", 1, text, 0.5));
      g_clear_pointer (&back, g_variant_unref);
      g_assert_true (pair_receive (&pair, &frame));
      back = osiiso_frame_dup_variant (&frame);
      g_assert_cmpvariant (back, value);
    }
  pair_stop (&pair);
}

static void
test_cancel (void)
{
  Pair pair;

  g_test_summary ("A cancelled call is told of once, one that did not begin is answered for the program");

  pair_start (&pair);
  send_call (&pair, 1, 0, "");
  send_call (&pair, 2, 0, "");
  send_call (&pair, 3, 0, "");
  send_call (&pair, 4, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  send_word (&pair, OSIISO_FRAME_CANCEL, 1);
  send_word (&pair, OSIISO_FRAME_CANCEL, 1);
  send_word (&pair, OSIISO_FRAME_CANCEL, 3);
  send_word (&pair, OSIISO_FRAME_RECALL, 2);
  send_word (&pair, OSIISO_FRAME_RECALL, 1);
  g_assert_false (osiiso_worker_channel_is_cancelled (pair.channel, 1));
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CANCEL);
  g_assert_cmpuint (osiiso_worker_channel_get_id (pair.channel), ==, 1);
  g_assert_true (osiiso_worker_channel_is_cancelled (pair.channel, 1));
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  assert_frame (&pair, OSIISO_FRAME_ERROR, 3, NULL);
  assert_frame (&pair, OSIISO_FRAME_RECALLED, 2, "");
  osiiso_worker_channel_reply_none (pair.channel, 1);
  assert_frame (&pair, OSIISO_FRAME_RESULT, 1, "");

  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_cmpuint (osiiso_worker_channel_get_id (pair.channel), ==, 4);
  g_assert_false (osiiso_worker_channel_is_cancelled (pair.channel, 4));
  osiiso_worker_channel_reply_none (pair.channel, 4);
  assert_frame (&pair, OSIISO_FRAME_RESULT, 4, "");
  /* Too late, and of a number that is used again. */
  send_word (&pair, OSIISO_FRAME_CANCEL, 4);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  send_call (&pair, 4, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_false (osiiso_worker_channel_is_cancelled (pair.channel, 4));
  pair_stop (&pair);
}

static void
test_closed (void)
{
  g_autoptr (GError) error = NULL;
  Pair pair;

  g_test_summary ("A parent that is gone raises no signal, and nothing that it wanted is begun");

  pair_start (&pair);
  send_call (&pair, 1, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  send_call (&pair, 2, 0, "");
  shutdown (pair.fd, SHUT_RDWR);
  osiiso_worker_channel_set_progress (pair.channel, 1, 0.5, "half");
  osiiso_worker_channel_reply_none (pair.channel, 1);
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_no_error (error);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  pair_stop (&pair);

  pair_start (&pair);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_RESULT, 1, 0, NULL, NULL, 0);
  pair_send (&pair);
  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, FALSE, NULL, &error), ==,
                       OSIISO_WORKER_MESSAGE_CLOSED);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      g_clear_error (&error);
    }
  pair_stop (&pair);
}

static gpointer
cancel_when_asked (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancellable (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread;
  Pair pair;

  g_test_summary ("A wait can be cancelled, and what comes later is not lost");

  pair_start (&pair);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  thread = g_thread_new ("cancel", cancel_when_asked, cancellable);
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, cancellable, &error), ==,
                   OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  send_call (&pair, 1, 0, "");
  g_cancellable_reset (cancellable);
  g_clear_error (&error);
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, cancellable, &error), ==,
                   OSIISO_WORKER_MESSAGE_CALL);
  g_assert_no_error (error);
  pair_stop (&pair);
}

typedef struct
{
  Pair *pair;
  guint n_refused; /* how often it is as if it had not run */
  guint n_called;
  guint n_calls;
  gboolean closed;
  gboolean destroyed;
} Ready;

static gboolean
on_ready (OsiisoWorkerChannel *channel,
          gpointer             data)
{
  Ready *self = data;
  OsiisoWorkerMessage message;

  self->n_called++;
  if (self->n_refused > 0)
    {
      self->n_refused--;
      return FALSE;
    }
  while ((message = receive (self->pair)) != OSIISO_WORKER_MESSAGE_NONE)
    {
      if (message == OSIISO_WORKER_MESSAGE_CLOSED)
        {
          self->closed = TRUE;
          break;
        }
      if (message == OSIISO_WORKER_MESSAGE_CALL)
        self->n_calls++;
    }
  return TRUE;
}

static void
on_destroyed (gpointer data)
{
  ((Ready *) data)->destroyed = TRUE;
}

static void
iterate_until_idle (GMainContext *context)
{
  while (g_main_context_iteration (context, FALSE))
    ;
}

static void
test_attach (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Pair pair;
  Ready ready = { .pair = &pair, .n_refused = 3 };
  Ready other = { .pair = &pair };

  g_test_summary ("A function that did not run is called again; and for what was read but had to wait");

  pair_start (&pair);
  g_main_context_push_thread_default (context);
  osiiso_worker_channel_attach (pair.channel, on_ready, &other, on_destroyed);
  osiiso_worker_channel_attach (pair.channel, on_ready, &ready, on_destroyed);
  g_main_context_pop_thread_default (context);
  g_assert_true (other.destroyed);

  send_call (&pair, 1, 0, "");
  send_call (&pair, 2, 0, "");
  iterate_until_idle (context);
  g_assert_cmpuint (ready.n_called, >=, 4);
  g_assert_cmpuint (ready.n_calls, ==, 1);
  /* The second one has been read: nothing will come on the socket. */
  ready.n_refused = 2;
  osiiso_worker_channel_reply_none (pair.channel, 1);
  iterate_until_idle (context);
  g_assert_cmpuint (ready.n_calls, ==, 2);
  osiiso_worker_channel_reply_none (pair.channel, 2);

  /* The end is told once and does not keep the loop busy. */
  shutdown (pair.fd, SHUT_WR);
  iterate_until_idle (context);
  g_assert_true (ready.closed);
  g_assert_false (ready.destroyed);
  osiiso_worker_channel_detach (pair.channel);
  g_assert_true (ready.destroyed);
  g_assert_cmpuint (other.n_called, ==, 0);
  pair_stop (&pair);
}

static gpointer
answer (gpointer data)
{
  OsiisoWorkerChannel *channel = data;

  for (guint i = 0; i < 100; i++)
    {
      osiiso_worker_channel_set_progress (channel, 1, i / 100.0, "text");
      osiiso_worker_channel_is_cancelled (channel, 1);
    }
  osiiso_worker_channel_reply_text (channel, 1, "1");
  return NULL;
}

static void
test_threads (void)
{
  g_test_summary ("Of many threads that answer one call, one does, and its progress is whole");

  for (guint round = 0; round < 20; round++)
    {
      GThread *threads[4];
      OsiisoFrame frame;
      Pair pair;

      pair_start (&pair);
      send_call (&pair, 1, 0, "");
      g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("answer", answer, pair.channel);
      do
        {
          g_assert_true (pair_receive (&pair, &frame));
          g_assert_cmpuint (frame.id, ==, 1);
        }
      while (frame.kind == OSIISO_FRAME_PROGRESS);
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_RESULT);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      assert_silence (&pair);
      pair_stop (&pair);
    }
}

static gpointer
read_slowly (gpointer data)
{
  Pair *pair = data;
  OsiisoFrame frame;

  g_assert_true (pair_receive (pair, &frame));
  g_assert_cmpuint (frame.length, ==, 1000000);
  return NULL;
}

static void
test_full_socket (void)
{
  g_autofree guint8 *data = g_malloc0 (1000000);
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, 1000000);
  g_autoptr (GBytes) more = g_bytes_new_take (g_malloc0 ((1 << 20) + 1), (1 << 20) + 1);
  int size = 4096;
  GThread *thread;
  Pair pair;

  g_test_summary ("An answer that the socket does not take at once, and one that the parent takes never");

  pair_start (&pair);
  g_assert_no_errno (setsockopt (pair.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
  send_call (&pair, 1, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  thread = g_thread_new ("read", read_slowly, &pair);
  osiiso_worker_channel_reply_bytes (pair.channel, 1, bytes);
  g_thread_join (thread);
  send_call (&pair, 2, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  osiiso_worker_channel_reply_bytes (pair.channel, 2, more);
  assert_frame (&pair, OSIISO_FRAME_ERROR, 2, NULL);
  pair_stop (&pair);
}

static void
test_errors (void)
{
  /* One after the other, so that nothing is left of the one before. */
  static const struct
  {
    const char *data;
    gsize       length;
  } details[] = { { "\0\377", 2 }, { "details", 7 }, { "\0", 1 } };
  g_autofree char *text = g_strnfill (1 << 20, 'x');
  OsiisoFrame frame;
  OsiisoFrameError parsed;
  Pair pair;

  g_test_summary ("Errors have details, and one that is too large says so instead");

  pair_start (&pair);
  for (guint32 i = 0; i < G_N_ELEMENTS (details); i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new (details[i].data, details[i].length);

      send_call (&pair, 10 + i, 0, "");
      g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
      osiiso_worker_channel_reply_error_bytes (pair.channel, 10 + i, "domain", 7, "message", bytes);
      g_assert_true (pair_receive (&pair, &frame));
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
      g_assert_cmpuint (frame.encoding, ==, OSIISO_FRAME_PLAIN_BYTES);
      g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
      g_assert_cmpint (parsed.code, ==, 7);
      g_assert_cmpmem (parsed.details, parsed.details_length, details[i].data, details[i].length);
    }

  send_call (&pair, 2, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  osiiso_worker_channel_reply_error (pair.channel, 2, "domain", 7, text);
  g_assert_true (pair_receive (&pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
  g_assert_true (osiiso_frame_has_name (&frame, "g-io-error-quark"));
  g_assert_cmpuint (frame.length, <, 1000);
  /* One that has been answered is not answered again. */
  osiiso_worker_channel_reply_error (pair.channel, 2, "domain", 7, "again");
  assert_silence (&pair);
  pair_stop (&pair);
}

static void
test_progress (void)
{
  OsiisoFrame frame;
  g_autofree char *text = NULL;
  double fraction;
  Pair pair;

  g_test_summary ("The first progress of a call is sent at once; what is no number is none");

  pair_start (&pair);
  for (guint32 id = 1; id <= 2; id++)
    {
      send_call (&pair, id, 0, "");
      g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
      osiiso_worker_channel_set_progress (pair.channel, id, id == 1 ? 7 : NAN, id == 1 ? NULL : "text");
      g_assert_true (pair_receive (&pair, &frame));
      g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_PROGRESS);
      g_assert_true (osiiso_frame_parse_progress (&frame, &fraction, &text));
      g_assert_cmpfloat (fraction, ==, id == 1 ? 1 : 0);
      g_assert_cmpstr (text, ==, id == 1 ? NULL : "text");
      osiiso_worker_channel_reply_none (pair.channel, id);
      assert_frame (&pair, OSIISO_FRAME_RESULT, id, "");
    }
  /* Of a call that is over. */
  osiiso_worker_channel_set_progress (pair.channel, 2, 0.5, NULL);
  assert_silence (&pair);
  pair_stop (&pair);
}

static void
test_long_progress (void)
{
  g_autoptr (GString) told = g_string_new ("x");
  g_autofree char *text = NULL;
  OsiisoFrame frame;
  double fraction;
  Pair pair;

  g_test_summary ("A text that is longer than the parent takes is cut, between two characters");

  while (told->len < 2000)
    g_string_append (told, "ä");
  pair_start_with_limit (&pair, 1000);
  send_call (&pair, 1, 0, "");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  osiiso_worker_channel_set_progress (pair.channel, 1, 0.5, told->str);
  g_assert_true (pair_receive (&pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_PROGRESS);
  g_assert_cmpuint (frame.length, ==, 999);
  g_assert_true (osiiso_frame_parse_progress (&frame, &fraction, &text));
  g_assert_cmpmem (text, strlen (text), told->str, frame.length - 8);
  pair_stop (&pair);
}

static void
test_no_socket (void)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_test_summary ("A channel needs a stream socket");

  g_assert_null (osiiso_worker_channel_new (1000, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_no_errno (pipe (fds));
  g_assert_null (osiiso_worker_channel_new (fds[0], NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  close (fds[0]);
  close (fds[1]);
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_DGRAM, 0, fds));
  g_assert_null (osiiso_worker_channel_new (fds[0], NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  close (fds[0]);
  close (fds[1]);
}

static void
append_something (Pair *pair)
{
  guint8 noise[40];
  gsize length = (gsize) g_test_rand_int_range (0, 40);
  OsiisoFrameKind kind = (OsiisoFrameKind) g_test_rand_int_range (OSIISO_FRAME_DEFINE, OSIISO_FRAME_CALL + 1);

  for (gsize i = 0; i < sizeof noise; i++)
    noise[i] = (guint8) g_test_rand_int ();
  if (g_test_rand_int_range (0, 3) == 0)
    kind = g_test_rand_bit () ? OSIISO_FRAME_CANCEL : OSIISO_FRAME_RECALL;
  osiiso_frame_buffer_append (&pair->out, kind, (guint32) g_test_rand_int_range (1, 9), "\0VJB"[noise[0] % 4],
                              noise[1] % 2 ? "f" : "m:g", noise, length);
}

/* What a program might do next; FALSE at the end. */
static gboolean
do_something (Pair *pair)
{
  OsiisoWorkerChannel *channel = pair->channel;
  guint id = osiiso_worker_channel_get_id (channel);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) value = NULL;

  switch (g_test_rand_int_range (0, 7))
    {
    case 0:
      bytes = osiiso_worker_channel_dup_bytes (channel);
      break;
    case 1:
      value = osiiso_worker_channel_dup_variant (channel);
      break;
    case 2:
      osiiso_worker_channel_get_text (channel);
      break;
    case 3:
      if (id != 0)
        osiiso_worker_channel_reply_none (channel, id);
      break;
    case 4:
      osiiso_worker_channel_set_progress (channel, id, 0.5, "x");
      break;
    default:
      return osiiso_worker_channel_receive (channel, FALSE, NULL, NULL) != OSIISO_WORKER_MESSAGE_CLOSED;
    }
  return TRUE;
}

static void
test_fuzz (void)
{
  const guint n_rounds = g_test_thorough () ? 5000 : 300;

  g_test_summary ("Whatever a parent says, in whatever pieces, is received or refused");

  for (guint round = 0; round < n_rounds; round++)
    {
      gboolean broken = g_test_rand_bit ();
      gboolean open = TRUE;
      OsiisoFrame frame;
      Pair pair;

      pair_start (&pair);
      for (guint i = 0; i < 30; i++)
        append_something (&pair);
      if (broken)
        for (guint i = 0; i < 4; i++)
          pair.out.data[g_test_rand_int_range ((gint) pair.out.start, (gint) pair.out.end)] = (guint8) g_test_rand_int ();
      while (pair.out.end > pair.out.start && open)
        {
          gsize length = (gsize) g_test_rand_int_range (1, 60);
          gssize n = send (pair.fd, pair.out.data + pair.out.start, MIN (length, pair.out.end - pair.out.start),
                           MSG_NOSIGNAL);

          g_assert_no_errno (n);
          osiiso_frame_buffer_consume (&pair.out, (gsize) n);
          open = do_something (&pair);
        }
      shutdown (pair.fd, SHUT_WR);
      while (open)
        open = do_something (&pair);
      g_object_unref (g_steal_pointer (&pair.channel));
      osiiso_frame_buffer_clear (&pair.out);
      /* What it said is whole. */
      while (pair_receive (&pair, &frame))
        ;
      g_assert_true (osiiso_frame_reader_is_empty (&pair.in));
      osiiso_frame_reader_clear (&pair.in);
      close (pair.fd);
    }
}

static void
test_task (void)
{
  OsiisoWorkerChannel *channel;
  OsiisoFrame frame;
  double seconds;
  Pair pair;

  g_test_summary ("A call tells of its task what the parent says of it, and when to try again");

  pair_start (&pair);
  channel = pair.channel;
  g_assert_null (osiiso_worker_channel_get_task_name (channel));
  osiiso_frame_buffer_append_task (&pair.out, 7, "name", 3, 12);
  append_call (&pair, 7);
  /* Of a call that was taken back. */
  osiiso_frame_buffer_append_task (&pair.out, 8, "other", 4, 5);
  append_call (&pair, 9);
  pair_send (&pair);

  g_assert_cmpint (osiiso_worker_channel_receive (channel, TRUE, NULL, NULL), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_cmpstr (osiiso_worker_channel_get_task_name (channel), ==, "name");
  g_assert_cmpuint (osiiso_worker_channel_get_attempt_number (channel), ==, 3);
  g_assert_cmpuint (osiiso_worker_channel_get_task_index (channel), ==, 12);
  osiiso_worker_channel_set_retry_after (channel, 1, 5);
  osiiso_worker_channel_set_retry_after (channel, 7, 0.25);
  osiiso_worker_channel_reply_error (channel, 7, "domain", 1, "message");
  g_assert_true (pair_receive (&pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_RETRY);
  g_assert_cmpuint (frame.id, ==, 7);
  g_assert_true (osiiso_frame_parse_retry (&frame, &seconds));
  g_assert_cmpfloat (seconds, ==, 0.25);
  assert_frame (&pair, OSIISO_FRAME_ERROR, 7, NULL);

  g_assert_cmpint (osiiso_worker_channel_receive (channel, TRUE, NULL, NULL), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_cmpstr (osiiso_worker_channel_get_task_name (channel), ==, "function");
  g_assert_cmpuint (osiiso_worker_channel_get_attempt_number (channel), ==, 1);
  g_assert_cmpuint (osiiso_worker_channel_get_task_index (channel), ==, 0);
  osiiso_worker_channel_reply_error (channel, 9, "domain", 1, "message");
  assert_frame (&pair, OSIISO_FRAME_ERROR, 9, NULL);
  pair_stop (&pair);
}

static gboolean
on_cancelled (OsiisoWorkerChannel *channel,
              gpointer             cancelled)
{
  OsiisoWorkerMessage message;

  while ((message = osiiso_worker_channel_receive (channel, FALSE, NULL, NULL)) != OSIISO_WORKER_MESSAGE_NONE)
    {
      g_assert_cmpint (message, ==, OSIISO_WORKER_MESSAGE_CANCEL);
      *(gboolean *) cancelled = TRUE;
    }
  return TRUE;
}

static void
test_watched (void)
{
  Pair pair;

  g_test_summary ("Another thread listens while a call takes long, and whoever has a main loop still hears of all");

  pair_start (&pair);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  for (guint32 id = 1; id < 20; id += 2)
    {
      gboolean cancelled = FALSE;

      append_call (&pair, id);
      append_call (&pair, id + 1);
      pair_send (&pair);
      g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, NULL, NULL), ==, OSIISO_WORKER_MESSAGE_CALL);
      g_assert_cmpuint (osiiso_worker_channel_get_id (pair.channel), ==, id);
      /* This thread is in the call. */
      osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_RECALL, id + 1, 0, "", NULL, 0);
      pair_send (&pair);
      assert_frame (&pair, OSIISO_FRAME_RECALLED, id + 1, "");

      osiiso_worker_channel_attach (pair.channel, on_cancelled, &cancelled, NULL);
      osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_CANCEL, id, 0, "", NULL, 0);
      pair_send (&pair);
      while (!cancelled)
        g_main_context_iteration (NULL, TRUE);
      osiiso_worker_channel_detach (pair.channel);
      osiiso_worker_channel_reply_none (pair.channel, id);
      assert_frame (&pair, OSIISO_FRAME_RESULT, id, "");
    }
  /* The thread has the channel for good. */
  g_object_unref (pair.channel);
  osiiso_frame_buffer_clear (&pair.out);
  osiiso_frame_reader_clear (&pair.in);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/worker-channel/messages", test_messages);
  g_test_add_func ("/worker-channel/values", test_values);
  g_test_add_func ("/worker-channel/cancel", test_cancel);
  g_test_add_func ("/worker-channel/closed", test_closed);
  g_test_add_func ("/worker-channel/cancellable", test_cancellable);
  g_test_add_func ("/worker-channel/attach", test_attach);
  g_test_add_func ("/worker-channel/threads", test_threads);
  g_test_add_func ("/worker-channel/full-socket", test_full_socket);
  g_test_add_func ("/worker-channel/errors", test_errors);
  g_test_add_func ("/worker-channel/progress", test_progress);
  g_test_add_func ("/worker-channel/long-progress", test_long_progress);
  g_test_add_func ("/worker-channel/no-socket", test_no_socket);
  g_test_add_func ("/worker-channel/task", test_task);
  g_test_add_func ("/worker-channel/fuzz", test_fuzz);
  /* The thread that listens keeps its socket for good, which valgrind takes for forgotten. */
  test_add_native ("/worker-channel/watched", test_watched);

  return g_test_run ();
}
