/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker-round-trips [--json] [--seconds=S] FUNCTION PROGRAM ARGUMENT...
 *
 * How many calls of add (a, b) one worker program answers per second, parent
 * included: one at a time, and with 16 or 64 under way. Best of five rounds.
 */
#include <stdlib.h>
#include <string.h>

#include "../worker-parent.h"

static gboolean json;
static double seconds = 0.3;

static void
append_call (WorkerParent *parent,
             const char   *function,
             guint32       id)
{
  if (json)
    {
      static const char text[] = "[20,22]";

      osiiso_frame_buffer_append (&parent->buffer, OSIISO_FRAME_CALL, id, OSIISO_FRAME_PLAIN_JSON, function,
                                  text, sizeof text - 1);
    }
  else
    {
      g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new ("(ii)", 20, 22));

      osiiso_frame_buffer_append_variant (&parent->buffer, OSIISO_FRAME_CALL, id, function, args);
    }
}

static void
check_result (const OsiisoFrame *frame)
{
  g_assert_cmpint (frame->kind, ==, OSIISO_FRAME_RESULT);
  if (json)
    {
      g_assert_cmpmem (frame->payload, frame->length, "42", 2);
    }
  else
    {
      g_autoptr (GVariant) value = osiiso_frame_dup_variant (frame);

      g_assert_cmpint (g_variant_get_int32 (value), ==, 42);
    }
}

static double
measure (WorkerParent *parent,
         const char   *function,
         guint         window)
{
  gint64 begin = g_get_monotonic_time ();
  gint64 end = begin + (gint64) (seconds * G_USEC_PER_SEC);
  guint64 n = 0;
  guint32 next = 1;
  guint under_way = 0;
  OsiisoFrame frame;

  for (;;)
    {
      gboolean stop = g_get_monotonic_time () >= end;

      if (stop && under_way == 0)
        break;
      while (!stop && under_way < window)
        {
          append_call (parent, function, next++);
          under_way++;
        }
      worker_parent_send (parent);
      /* As many as have come, so that what follows goes out together. */
      do
        {
          g_assert_true (worker_parent_receive (parent, &frame));
          check_result (&frame);
          under_way--;
          n++;
        }
      while (under_way > 0 &&
             parent->reader.end - parent->reader.start > parent->reader.current + OSIISO_FRAME_HEADER_SIZE);
    }
  return n / ((g_get_monotonic_time () - begin) / 1e6);
}

int
main (int   argc,
      char *argv[])
{
  static const guint windows[] = { 1, 16, 64 };
  WorkerParent parent;
  const char *function;
  int first = 1;

  for (; first < argc && argv[first][0] == '-'; first++)
    {
      if (strcmp (argv[first], "--json") == 0)
        json = TRUE;
      else if (g_str_has_prefix (argv[first], "--seconds="))
        seconds = g_ascii_strtod (argv[first] + strlen ("--seconds="), NULL);
      else
        g_error ("unknown option %s", argv[first]);
    }
  if (argc - first < 2)
    g_error ("a function and a program are needed");

  function = argv[first];
  worker_parent_start (&parent, (const char * const *) argv + first + 1);
  worker_parent_greet (&parent);
  measure (&parent, function, 1);
  for (guint i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      double best = 0;

      for (guint round = 0; round < 5; round++)
        best = MAX (best, measure (&parent, function, windows[i]));
      g_print ("window %u: %.0f/s\n", windows[i], best);
    }
  return worker_parent_stop (&parent) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
