/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-frame-private.h"

/*
 * soak-worker STEP HOW [PATH]
 *
 * A worker that returns what it gets, and dies at a step of the protocol: with "exit",
 * or of a signal, "segv" or "kill". With PATH only if it is the first to make a file of
 * that name.
 */

static const char *step;
static const char *how;

static OsiisoFrameReader in;
static OsiisoFrameBuffer out;

static void
die_at (const char *name)
{
  if (strcmp (step, name) != 0)
    return;
  prctl (PR_SET_DUMPABLE, 0);
  if (strcmp (how, "segv") == 0)
    raise (SIGSEGV);
  else if (strcmp (how, "kill") == 0)
    raise (SIGKILL);
  _exit (3);
}

static void
write_all (const guint8 *data,
           gsize         length)
{
  while (length > 0)
    {
      const ssize_t n = send (3, data, length, MSG_NOSIGNAL);

      if (n < 0 && errno != EINTR)
        _exit (1);
      data += MAX (n, 0);
      length -= (gsize) MAX (n, 0);
    }
}

/* Writes what there is, and less than that if it is to die in the middle. */
static void
flush (const char *mid_header,
       const char *mid_payload)
{
  gsize length;
  const guint8 *data = osiiso_frame_buffer_peek (&out, &length);

  write_all (data, OSIISO_FRAME_HEADER_SIZE / 2);
  die_at (mid_header);
  write_all (data + OSIISO_FRAME_HEADER_SIZE / 2, length / 2);
  die_at (mid_payload);
  write_all (data + OSIISO_FRAME_HEADER_SIZE / 2 + length / 2, length - OSIISO_FRAME_HEADER_SIZE / 2 - length / 2);
  osiiso_frame_buffer_consume (&out, length);
}

static void
answer (const OsiisoFrame *frame)
{
  g_autoptr (GVariant) value = osiiso_frame_dup_variant (frame);

  die_at ("after-read");
  osiiso_frame_buffer_append_variant (&out, OSIISO_FRAME_RESULT, frame->id, "", value);
  die_at ("before-reply");
  flush ("mid-reply-header", "mid-reply-payload");
  die_at ("after-reply");
}

int
main (int    argc,
      char **argv)
{
  OsiisoFrame frame;
  guint8 *data;
  gsize room;
  gssize n;

  step = argc > 2 ? argv[1] : "";
  how = argc > 2 ? argv[2] : "";
  if (argc > 3 && open (argv[3], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) < 0)
    step = "";

  osiiso_frame_reader_init (&in, 0);
  osiiso_frame_buffer_init (&out);
  die_at ("before-hello");
  osiiso_frame_buffer_append_hello (&out, OSIISO_FRAME_PROTOCOL, "soak", "");
  flush ("mid-hello-header", "mid-hello-payload");
  die_at ("after-hello");
  for (;;)
    {
      data = osiiso_frame_reader_reserve (&in, &room);
      n = read (3, data, room);
      if (n <= 0)
        return 0;
      osiiso_frame_reader_commit (&in, (gsize) n);
      while (osiiso_frame_reader_peek (&in, &frame, NULL) == OSIISO_FRAME_READY)
        {
          if (frame.kind == OSIISO_FRAME_CALL)
            answer (&frame);
          osiiso_frame_reader_skip (&in);
        }
    }
}
