/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-frame-private.h"

/* A worker in C of the plainest kind. It reads while it is in a call, too, so that
 * it gives back what waits behind that.
 *
 *   echo   returns its argument
 *   work   the same, and takes 200 microseconds
 *   pid    returns its process id
 *   hold   writes its process id into the pipe with that name, and returns it when it
 *          is cancelled
 */

typedef struct
{
  guint32   id;
  char     *name;
  GVariant *args; /* (nullable) (owned) */
} Call;

static OsiisoFrameReader in;
static OsiisoFrameBuffer out;
static GQueue calls = G_QUEUE_INIT;
static guint32 held; /* 0: none */

static void
flush (void)
{
  const guint8 *data;
  gsize length;

  while ((data = osiiso_frame_buffer_peek (&out, &length)) != NULL)
    {
      gssize n = send (3, data, length, MSG_NOSIGNAL);

      if (n < 0 && errno != EINTR)
        exit (1);
      osiiso_frame_buffer_consume (&out, n > 0 ? (gsize) n : 0);
    }
}

static void
free_call (Call *call)
{
  g_free (call->name);
  g_clear_pointer (&call->args, g_variant_unref);
  g_free (call);
}

static void
recall (guint32 id)
{
  for (GList *l = calls.head; l != NULL; l = l->next)
    {
      Call *call = l->data;

      if (call->id != id)
        continue;
      g_queue_delete_link (&calls, l);
      free_call (call);
      osiiso_frame_buffer_append (&out, OSIISO_FRAME_RECALLED, id, 0, "", NULL, 0);
      return;
    }
}

static void
answer_pid (guint32 id)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_int32 (getpid ()));

  osiiso_frame_buffer_append_variant (&out, OSIISO_FRAME_RESULT, id, "", value);
}

static void
handle (const OsiisoFrame *frame)
{
  Call *call;

  switch ((int) frame->kind)
    {
    case OSIISO_FRAME_CALL:
      call = g_new (Call, 1);
      call->id = frame->id;
      call->name = g_strndup (frame->name, frame->name_length);
      call->args = osiiso_frame_dup_variant (frame);
      g_queue_push_tail (&calls, call);
      break;
    case OSIISO_FRAME_RECALL:
      recall (frame->id);
      break;
    case OSIISO_FRAME_CANCEL:
      if (frame->id == held)
        {
          answer_pid (held);
          held = 0;
        }
      break;
    default:
      break;
    }
}

static void
tell (const char *path)
{
  g_autofree char *text = g_strdup_printf ("%d", (int) getpid ());
  const int fd = open (path, O_WRONLY | O_CLOEXEC);

  if (fd < 0 || write (fd, text, strlen (text)) < 0)
    exit (1);
  close (fd);
}

static void
perform (Call *call)
{
  if (g_str_equal (call->name, "pid"))
    {
      answer_pid (call->id);
    }
  else if (g_str_equal (call->name, "hold"))
    {
      held = call->id;
      tell (g_variant_get_string (call->args, NULL));
    }
  else
    {
      const gint64 until = g_get_monotonic_time () + 200;

      while (g_str_equal (call->name, "work") && g_get_monotonic_time () < until)
        ;
      osiiso_frame_buffer_append_variant (&out, OSIISO_FRAME_RESULT, call->id, "", call->args);
    }
  free_call (call);
  /* Before the next one begins, so that this one is not lost with it. */
  flush ();
}

int
main (void)
{
  OsiisoFrame frame;
  guint8 *data;
  gsize room;
  gssize n;

  osiiso_frame_reader_init (&in, 0);
  osiiso_frame_buffer_init (&out);
  osiiso_frame_buffer_append_hello (&out, OSIISO_FRAME_PROTOCOL, "test", "cancel recall");
  for (;;)
    {
      flush ();
      if (held == 0 && calls.length > 0)
        {
          perform (g_queue_pop_head (&calls));
          continue;
        }
      data = osiiso_frame_reader_reserve (&in, &room);
      n = read (3, data, room);
      if (n <= 0)
        return 0;
      osiiso_frame_reader_commit (&in, (gsize) n);
      while (osiiso_frame_reader_peek (&in, &frame, NULL) == OSIISO_FRAME_READY)
        {
          handle (&frame);
          osiiso_frame_reader_skip (&in);
        }
    }
}
