/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test-channel-pair.h"
#include "test-faults.h"
#include "test-valgrind.h"

#include "osiiso-worker-channel-private.h"

/* What a worker's channel does when calls of the C library fail, when its parent goes or
 * says what makes no sense, and at the edges of what one may ask of it. */

static void
begin_call (Pair   *pair,
            guint32 id)
{
  append_call (pair, id);
  pair_send (pair);
  g_assert_cmpint (receive (pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_cmpuint (osiiso_worker_channel_get_id (pair->channel), ==, id);
}

static void
end_call (Pair   *pair,
          guint32 id)
{
  osiiso_worker_channel_reply_none (pair->channel, id);
  assert_frame (pair, OSIISO_FRAME_RESULT, id, "");
}

static OsiisoWorkerMessage
receive_and_wait (Pair *pair)
{
  g_autoptr (GError) error = NULL;
  OsiisoWorkerMessage message = osiiso_worker_channel_receive (pair->channel, TRUE, NULL, &error);

  g_assert_no_error (error);
  return message;
}

/* Those that are interrupted are called again, and nobody notices. */
static void
test_interrupted (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Pair pair;

  pair_start (&pair);
  append_call (&pair, 1);
  pair_send (&pair);
  test_faults_set ("recv", 1, EINTR, FALSE);
  g_assert_cmpint (receive_and_wait (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_true (test_faults_clear ());
  test_faults_set ("send", 1, EINTR, FALSE);
  end_call (&pair, 1);
  g_assert_true (test_faults_clear ());

  append_call (&pair, 2);
  pair_send (&pair);
  test_faults_set ("poll", 1, EINTR, FALSE);
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, cancellable, NULL), ==, OSIISO_WORKER_MESSAGE_CALL);
  g_assert_true (test_faults_clear ());
  end_call (&pair, 2);
  pair_stop (&pair);
}

/* A parent that goes without having read all is one that is gone. */
static void
test_reset (void)
{
  OsiisoWorkerChannel *channel;
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM, 0, fds));
  channel = osiiso_worker_channel_new (fds[1], NULL, &error);
  g_assert_no_error (error);
  /* With the greeting in it. */
  close (fds[0]);
  g_assert_cmpint (osiiso_worker_channel_receive (channel, TRUE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_no_error (error);
  /* What is answered goes nowhere, and raises nothing. */
  osiiso_worker_channel_reply_error (channel, 0, "domain", 1, "message");
  g_assert_cmpint (osiiso_worker_channel_receive (channel, FALSE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_no_error (error);
  g_object_unref (channel);
}

/* The end is seen where something is sent, too. */
static void
test_send_fails (void)
{
  Pair pair;

  pair_start (&pair);
  begin_call (&pair, 1);
  append_call (&pair, 2);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_RECALL, 2, 0, NULL, NULL, 0);
  pair_send (&pair);
  /* The answer to the second one. */
  test_faults_set ("send", 1, EPIPE, FALSE);
  g_assert_cmpint (receive_and_wait (&pair), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_true (test_faults_clear ());
  /* From then on nothing is sent any more. */
  osiiso_worker_channel_reply_none (pair.channel, 1);
  assert_silence (&pair);
  pair_stop (&pair);
}

/* Frames that no parent sends. */
static void
test_nonsense (void)
{
  static const OsiisoFrameKind kinds[] = {
    OSIISO_FRAME_CALL, OSIISO_FRAME_CANCEL, OSIISO_FRAME_RECALL, OSIISO_FRAME_TASK, OSIISO_FRAME_RESULT
  };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *text = g_strdup_printf ("unexpected frame of kind %d with number 0", (int) kinds[i]);
      g_autoptr (GError) error = NULL;
      Pair pair;

      pair_start (&pair);
      g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
      send_word (&pair, kinds[i], 0);
      g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      g_assert_cmpstr (error->message, ==, text);
      pair_stop (&pair);
    }
}

/* More than is read at a time, of which the first bytes are no frame. */
static void
test_much_nonsense (void)
{
  g_autofree char *nonsense = g_strnfill (190 << 10, 'x');
  g_autoptr (GError) error = NULL;
  Pair pair;

  pair_start (&pair);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  g_assert_cmpint (send (pair.fd, nonsense, strlen (nonsense), MSG_DONTWAIT), >, 140 << 10);
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, FALSE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  /* For ever. */
  g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, TRUE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  pair_stop (&pair);
}

/* Half a frame, and the end. */
static void
test_half (void)
{
  Pair pair;

  pair_start (&pair);
  append_call (&pair, 1);
  g_assert_cmpint (send (pair.fd, pair.out.data, 15, 0), ==, 15);
  shutdown (pair.fd, SHUT_WR);
  for (guint i = 0; i < 3; i++)
    {
      const gint64 now = g_get_monotonic_time ();
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (osiiso_worker_channel_receive (pair.channel, i != 1, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
      /* Until it would look at the socket again. */
      while (g_get_monotonic_time () < now + 2 * G_TIME_SPAN_MILLISECOND)
        ;
    }
  pair_stop (&pair);
}

/* What is told of a task in too few bytes is as good as nothing. */
static void
test_short_task (void)
{
  Pair pair;

  pair_start (&pair);
  osiiso_frame_buffer_append (&pair.out, OSIISO_FRAME_TASK, 1, 0, "name", "abc", 3);
  begin_call (&pair, 1);
  g_assert_cmpstr (osiiso_worker_channel_get_task_name (pair.channel), ==, "function");
  g_assert_cmpuint (osiiso_worker_channel_get_attempt_number (pair.channel), ==, 1);
  /* Nobody's wait. */
  osiiso_worker_channel_set_retry_after (pair.channel, 0, 5);
  osiiso_worker_channel_reply_error (pair.channel, 1, "domain", 1, "message");
  assert_frame (&pair, OSIISO_FRAME_ERROR, 1, NULL);
  pair_stop (&pair);
}

static void
test_no_message (void)
{
  Pair pair;

  pair_start (&pair);
  g_assert_cmpuint (osiiso_worker_channel_get_size (pair.channel), ==, 0);
  g_assert_null (osiiso_worker_channel_get_text (pair.channel));
  g_assert_null (osiiso_worker_channel_dup_variant (pair.channel));
  g_assert_false (osiiso_worker_channel_is_cancelled (pair.channel, 0));
  send_call (&pair, 1, 'J', "\"text\"");
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CALL);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpstr (osiiso_worker_channel_get_text (pair.channel), ==, "\"text\"");
  end_call (&pair, 1);
  pair_stop (&pair);
}

/* One that has no socket, which a binding can make. */
static void
test_nothing (void)
{
  OsiisoWorkerChannel *channel = g_object_new (OSIISO_TYPE_WORKER_CHANNEL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (osiiso_worker_channel_receive (channel, TRUE, NULL, &error), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_no_error (error);
  g_object_unref (channel);
}

/* Of a program that has no name, with a socket where it is without being told. */
static void
test_default (void)
{
  g_autofree char *name = g_strdup (g_get_prgname ());
  const int saved = fcntl (3, F_DUPFD_CLOEXEC, 10);
  OsiisoWorkerChannel *channel;
  g_autoptr (GError) error = NULL;
  char hello[64] = { 0 };
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM, 0, fds));
  for (guint i = 0; i < 2; i++)
    {
      const int low = fds[i];

      fds[i] = fcntl (low, F_DUPFD_CLOEXEC, 20);
      close (low);
    }
  g_assert_cmpint (dup2 (fds[1], 3), ==, 3);
  close (fds[1]);
  g_unsetenv ("OSIISO_WORKER_FD");
  g_set_prgname (NULL);
  channel = osiiso_worker_channel_new_default (NULL, &error);
  g_set_prgname (name);
  g_assert_no_error (error);
  /* Directly behind the header, as there is no name. */
  g_assert_cmpint (recv (fds[0], hello, sizeof hello - 1, 0), >, OSIISO_FRAME_HEADER_SIZE);
  g_assert_cmpstr (hello + OSIISO_FRAME_HEADER_SIZE, ==, "recall task");
  g_object_unref (channel);
  close (fds[0]);
  if (saved >= 0)
    {
      dup2 (saved, 3);
      close (saved);
    }
}

/* Answers */

static void
test_answers (void)
{
  g_autofree char *long_domain = g_strnfill (70000, 'd');
  OsiisoFrameError parsed;
  OsiisoFrame frame;
  Pair pair;

  pair_start (&pair);
  /* To a call that is not under way. */
  osiiso_worker_channel_reply_variant (pair.channel, 5, g_variant_new_int32 (1));
  assert_silence (&pair);
  /* What cannot be said is said to be too long. */
  begin_call (&pair, 1);
  osiiso_worker_channel_reply_error (pair.channel, 1, long_domain, 1, "message");
  g_assert_true (pair_receive (&pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_ERROR);
  g_assert_true (osiiso_frame_has_name (&frame, "g-io-error-quark"));
  g_assert_true (osiiso_frame_parse_error (&frame, &parsed));
  g_assert_cmpint (parsed.code, ==, G_IO_ERROR_MESSAGE_TOO_LARGE);
  pair_stop (&pair);
}

static void
assert_progress (Pair       *pair,
                 guint32     id,
                 double      expected,
                 const char *expected_text)
{
  g_autofree char *text = NULL;
  OsiisoFrame frame;
  double fraction;

  g_assert_true (pair_receive (pair, &frame));
  g_assert_cmpint (frame.kind, ==, OSIISO_FRAME_PROGRESS);
  g_assert_cmpuint (frame.id, ==, id);
  g_assert_true (osiiso_frame_parse_progress (&frame, &fraction, &text));
  g_assert_cmpfloat (fraction, ==, expected);
  g_assert_cmpstr (text, ==, expected_text);
}

/* That is what is held back of it, so that it does not depend on how long this takes. */
static void
hold_back (Pair       *pair,
           guint32     id,
           double      fraction,
           const char *text)
{
  pair->channel->progress_sent = G_MAXINT64 / 2;
  osiiso_worker_channel_set_progress (pair->channel, id, fraction, text);
}

static void
test_progress (void)
{
  Pair pair;

  pair_start (&pair);
  begin_call (&pair, 1);
  osiiso_worker_channel_set_progress (pair.channel, 1, -5, "less");
  assert_progress (&pair, 1, 0, "less");
  hold_back (&pair, 1, 5, "more");
  /* What is no number leaves it as it was. */
  hold_back (&pair, 1, NAN, "other");
  /* With another answer it stays where it is. */
  osiiso_worker_channel_reply_error (pair.channel, 0, "domain", 1, "message");
  assert_frame (&pair, OSIISO_FRAME_ERROR, 0, NULL);
  assert_silence (&pair);
  osiiso_worker_channel_reply_none (pair.channel, 1);
  assert_progress (&pair, 1, 1, "other");
  assert_frame (&pair, OSIISO_FRAME_RESULT, 1, "");

  /* Of another call it is none. */
  begin_call (&pair, 2);
  osiiso_worker_channel_set_progress (pair.channel, 2, NAN, NULL);
  assert_progress (&pair, 2, 0, NULL);
  end_call (&pair, 2);
  pair_stop (&pair);
}

static gboolean
on_ready (OsiisoWorkerChannel *channel,
          gpointer             n)
{
  (*(guint *) n)++;
  return TRUE;
}

/* Whoever has a main loop sends what was held back from there. */
static void
test_progress_in_loop (void)
{
  guint n = 0;
  Pair pair;

  pair_start (&pair);
  begin_call (&pair, 1);
  osiiso_worker_channel_attach (pair.channel, on_ready, &n, NULL);
  osiiso_worker_channel_set_progress (pair.channel, 1, 0.25, NULL);
  assert_progress (&pair, 1, 0.25, NULL);
  pair.channel->progress_sent = g_get_monotonic_time ();
  osiiso_worker_channel_set_progress (pair.channel, 1, 0.5, "text");
  while (pair.channel->has_progress)
    g_main_context_iteration (NULL, TRUE);
  assert_progress (&pair, 1, 0.5, "text");
  end_call (&pair, 1);
  pair_stop (&pair);
}

/* A source is ready as long as there is something that was not received. */
static void
test_loop (void)
{
  guint n = 0;
  Pair pair;

  pair_start (&pair);
  begin_call (&pair, 1);
  osiiso_worker_channel_attach (pair.channel, on_ready, &n, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  n = 0;
  g_assert_false (g_main_context_iteration (NULL, FALSE));
  g_assert_cmpuint (n, ==, 0);
  /* That it is cancelled was read by another thread. */
  pair.channel->cancelled_id = 1;
  g_assert_true (g_main_context_iteration (NULL, FALSE));
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CANCEL);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_NONE);
  n = 0;
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (n, ==, 0);

  /* And so was its end. */
  test_faults_set ("send", 1, EPIPE, FALSE);
  osiiso_worker_channel_reply_none (pair.channel, 1);
  g_assert_true (test_faults_clear ());
  g_assert_true (g_main_context_iteration (NULL, FALSE));
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpint (receive (&pair), ==, OSIISO_WORKER_MESSAGE_CLOSED);
  g_assert_false (g_main_context_iteration (NULL, FALSE));
  g_assert_false (g_main_context_iteration (NULL, FALSE));
  g_assert_cmpuint (n, ==, 1);
  pair_stop (&pair);
}

static void
count (gpointer n)
{
  (*(guint *) n)++;
}

/* A channel that is gone for a binding takes no more functions. */
static void
test_disposed (void)
{
  guint n_ready = 0, n_destroyed = 0;
  Pair pair;

  pair_start (&pair);
  osiiso_worker_channel_attach (pair.channel, on_ready, &n_destroyed, count);
  g_object_run_dispose (G_OBJECT (pair.channel));
  g_assert_cmpuint (n_destroyed, ==, 1);
  osiiso_worker_channel_attach (pair.channel, on_ready, &n_destroyed, count);
  g_assert_cmpuint (n_destroyed, ==, 2);
  osiiso_worker_channel_attach (pair.channel, on_ready, &n_ready, NULL);
  append_call (&pair, 1);
  pair_send (&pair);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (n_ready, ==, 0);
  pair_stop (&pair);
}

/* The thread that listens */

/* The thread has the channel for good. */
static void
pair_leave (Pair *pair)
{
  g_object_unref (pair->channel);
  osiiso_frame_buffer_clear (&pair->out);
  osiiso_frame_reader_clear (&pair->in);
}

/* While a call takes long, what waits behind it can be taken back. */
static void
expect_watched (Pair   *pair,
                guint32 id)
{
  append_call (pair, id + 1);
  osiiso_frame_buffer_append (&pair->out, OSIISO_FRAME_RECALL, id + 1, 0, NULL, NULL, 0);
  pair_send (pair);
  assert_frame (pair, OSIISO_FRAME_RECALLED, id + 1, "");
}

static void
test_watcher_sleeps (void)
{
  Pair pair;

  pair_start (&pair);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  for (guint32 id = 1; id < 6; id += 2)
    {
      /* A sleep that is interrupted goes on. */
      test_faults_set ("sem_wait", 1, EINTR, FALSE);
      while (!test_faults_happened ())
        g_thread_yield ();
      test_faults_clear ();
      g_assert_true (pair.channel->watcher_sleeps);
      begin_call (&pair, id);
      expect_watched (&pair, id);
      end_call (&pair, id);
    }
  pair_leave (&pair);
}

static gboolean
on_cancelled (OsiisoWorkerChannel *channel,
              gpointer             cancelled)
{
  *(gboolean *) cancelled |= osiiso_worker_channel_receive (channel, FALSE, NULL, NULL) == OSIISO_WORKER_MESSAGE_CANCEL;
  return TRUE;
}

/* What that thread has read is told to a main loop, which sees nothing in the socket. */
static void
test_watcher_and_loop (void)
{
  gboolean cancelled = FALSE;
  Pair pair;

  pair_start (&pair);
  begin_call (&pair, 1);
  osiiso_worker_channel_attach (pair.channel, on_cancelled, &cancelled, NULL);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  send_word (&pair, OSIISO_FRAME_CANCEL, 1);
  while (!osiiso_worker_channel_is_cancelled (pair.channel, 1))
    g_thread_yield ();
  while (!cancelled)
    g_main_context_iteration (NULL, TRUE);
  osiiso_worker_channel_detach (pair.channel);
  end_call (&pair, 1);
  pair_leave (&pair);
}

/* Nothing ends because there is no thread, and it is there as soon as there can be one. */
static void
test_no_watcher (void)
{
  Pair pair;

  pair_start (&pair);
  test_faults_set ("pthread_create", 1, EAGAIN, TRUE);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  g_assert_true (test_faults_clear ());
  g_assert_true (pair.channel->lacks_watcher);
  g_assert_cmpuint (G_OBJECT (pair.channel)->ref_count, ==, 1);

  test_faults_set ("pthread_create", 1, EAGAIN, TRUE);
  begin_call (&pair, 1);
  g_assert_true (test_faults_clear ());
  g_assert_true (pair.channel->lacks_watcher);
  end_call (&pair, 1);

  begin_call (&pair, 3);
  g_assert_false (pair.channel->lacks_watcher);
  expect_watched (&pair, 3);
  end_call (&pair, 3);
  pair_leave (&pair);
}

/* Ends the process, with success, from within a call that never comes back. */
static void
test_parent_gone (void)
{
  Pair pair;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stdout ("*in the call*");
      g_test_trap_assert_stdout_unmatched ("*back*");
      return;
    }
  pair_start (&pair);
  osiiso_worker_channel_exit_when_closed (pair.channel);
  begin_call (&pair, 1);
  g_print ("in the call\n");
  close (pair.fd);
  for (gint64 until = g_get_monotonic_time () + 60 * G_USEC_PER_SEC; g_get_monotonic_time () < until;)
    g_thread_yield ();
  g_print ("back\n");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/channel-faults/interrupted", test_interrupted);
  g_test_add_func ("/channel-faults/reset", test_reset);
  g_test_add_func ("/channel-faults/send", test_send_fails);
  g_test_add_func ("/channel-faults/nonsense/each", test_nonsense);
  g_test_add_func ("/channel-faults/nonsense/much", test_much_nonsense);
  g_test_add_func ("/channel-faults/half", test_half);
  g_test_add_func ("/channel-faults/short-task", test_short_task);
  g_test_add_func ("/channel-faults/no-message", test_no_message);
  g_test_add_func ("/channel-faults/nothing", test_nothing);
  g_test_add_func ("/channel-faults/default", test_default);
  g_test_add_func ("/channel-faults/answers", test_answers);
  g_test_add_func ("/channel-faults/progress/edges", test_progress);
  g_test_add_func ("/channel-faults/progress/loop", test_progress_in_loop);
  g_test_add_func ("/channel-faults/loop", test_loop);
  g_test_add_func ("/channel-faults/disposed", test_disposed);
  /* The thread that listens keeps its socket for good, which valgrind takes for forgotten. */
  test_add_native ("/channel-faults/watcher/sleeps", test_watcher_sleeps);
  test_add_native ("/channel-faults/watcher/loop", test_watcher_and_loop);
  test_add_native ("/channel-faults/watcher/none", test_no_watcher);
  g_test_add_func ("/channel-faults/watcher/parent-gone", test_parent_gone);

  return g_test_run ();
}
