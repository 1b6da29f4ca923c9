/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <osiiso.h>
#include <string.h>
#include <sysprof.h>

#include "test-valgrind.h"

/* Plays the profiler for sysprof-program, with Sysprof's own source of data from a
 * program, and reads the capture. */

typedef struct
{
  char  *name;
  char  *message;
  gint64 time;
  gint64 duration;
} Mark;

static void
mark_free (gpointer data)
{
  Mark *self = data;

  g_free (self->name);
  g_free (self->message);
  g_free (self);
}

static void
exited (GObject      *process,
        GAsyncResult *result,
        gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  gboolean *is_over = user_data;

  g_subprocess_wait_check_finish (G_SUBPROCESS (process), result, &error);
  g_assert_no_error (error);
  *is_over = TRUE;
}

static void
finished (SysprofSource *source,
          gboolean      *is_over)
{
  *is_over = TRUE;
}

static GPtrArray *
read_marks (const char *capture,
            GPid        pid)
{
  SysprofCaptureReader *reader = sysprof_capture_reader_new (capture);
  GPtrArray *marks = g_ptr_array_new_with_free_func (mark_free);
  SysprofCaptureFrameType type;

  g_assert_nonnull (reader);
  while (sysprof_capture_reader_peek_type (reader, &type))
    {
      const SysprofCaptureMark *mark;
      Mark *copy;

      if (type != SYSPROF_CAPTURE_FRAME_MARK)
        {
          g_assert_true (sysprof_capture_reader_skip (reader));
          continue;
        }
      mark = sysprof_capture_reader_read_mark (reader);
      g_assert_nonnull (mark);
      if (strcmp (mark->group, "osiiso") != 0)
        continue;
      g_assert_cmpint (mark->frame.pid, ==, pid);
      copy = g_new0 (Mark, 1);
      copy->name = g_strdup (mark->name);
      copy->message = g_strdup (mark->message);
      copy->time = mark->frame.time;
      copy->duration = mark->duration;
      g_ptr_array_add (marks, copy);
    }
  sysprof_capture_reader_unref (reader);
  return marks;
}

/* Runs the program; @output: what it printed. */
static GPtrArray *
profile (char **output)
{
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "sysprof-program", NULL);
  g_autofree char *folder = g_dir_make_tmp ("osiiso-sysprof-XXXXXX", NULL);
  g_autofree char *capture = g_build_filename (folder, "capture.syscap", NULL);
  SysprofCaptureWriter *writer = sysprof_capture_writer_new (capture, 0);
  g_autoptr (SysprofSource) source = SYSPROF_SOURCE (sysprof_control_source_new ());
  g_autoptr (SysprofSpawnable) spawnable = sysprof_spawnable_new ();
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  gboolean has_exited = FALSE, has_finished = FALSE;
  GPtrArray *marks;
  char text[32] = "";
  GPid pid;

  sysprof_source_set_writer (source, writer);
  g_signal_connect (source, "finished", G_CALLBACK (finished), &has_finished);
  sysprof_spawnable_append_argv (spawnable, program);
  sysprof_spawnable_set_cwd (spawnable, folder);
  sysprof_spawnable_set_environ (spawnable, (const char * const *) environ);
  sysprof_spawnable_set_flags (spawnable, G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  sysprof_source_modify_spawn (source, spawnable);
  sysprof_source_prepare (source);
  sysprof_source_start (source);
  process = sysprof_spawnable_spawn (spawnable, &error);
  g_assert_no_error (error);
  pid = (GPid) g_ascii_strtoll (g_subprocess_get_identifier (process), NULL, 10);
  g_subprocess_wait_check_async (process, NULL, exited, &has_exited);
  while (!has_exited)
    g_main_context_iteration (NULL, TRUE);
  /* What its threads wrote last is there, and only to be collected. */
  sysprof_source_stop (source);
  while (!has_finished)
    g_main_context_iteration (NULL, TRUE);
  g_input_stream_read_all (g_subprocess_get_stdout_pipe (process), text, sizeof text - 1, NULL, NULL, &error);
  g_assert_no_error (error);
  *output = g_strdup (text);

  g_assert_true (sysprof_capture_writer_flush (writer));
  sysprof_capture_writer_unref (writer);
  marks = read_marks (capture, pid);
  g_remove (capture);
  g_rmdir (folder);
  return marks;
}

static Mark *
find_mark (GPtrArray  *marks,
           const char *name,
           const char *part)
{
  Mark *found = NULL;

  for (guint i = 0; i < marks->len; i++)
    {
      Mark *mark = g_ptr_array_index (marks, i);

      if (strcmp (mark->name, name) != 0 || strstr (mark->message, part) == NULL)
        continue;
      g_test_message ("%s: %s", mark->name, mark->message);
      g_assert_null (found);
      found = mark;
    }
  if (found == NULL)
    g_error ("no mark of '%s' with '%s'", name, part);
  g_assert_cmpint (found->time, >, 0);
  g_assert_cmpint (found->duration, >=, 0);
  return found;
}

static void
test_marks (void)
{
  g_autofree char *output = NULL, *first = NULL, *second = NULL;
  const gint64 before = g_get_monotonic_time () * 1000;
  g_autoptr (GPtrArray) marks = profile (&output);
  const gint64 after = g_get_monotonic_time () * 1000 + 1000;
  const char *id = g_strchomp (output);
  const char *message;
  guint n_pushed = 0;

  g_test_summary ("Each attempt has one mark, with its task, its queue, how it ended, its begin and duration");

  first = g_strdup_printf ("thumbnails: attempt 1 of task %s failed: no luck", id);
  second = g_strdup_printf ("thumbnails: attempt 2 of task %s succeeded", id);
  g_assert_cmpstr (find_mark (marks, "twice", "attempt 1")->message, ==, first);
  g_assert_cmpstr (find_mark (marks, "twice", "attempt 2")->message, ==, second);
  g_assert_cmpint (find_mark (marks, "twice", "attempt 2")->time, >=,
                   find_mark (marks, "twice", "attempt 1")->time + find_mark (marks, "twice", "attempt 1")->duration);
  find_mark (marks, "late", " succeeded");
  /* Which has a timeout of 0.05 s. */
  g_assert_cmpint (find_mark (marks, "slow", " timed out")->duration, >, 40 * 1000 * 1000);
  find_mark (marks, "stopped", " cancelled");
  message = find_mark (marks, "wordy", " failed: why")->message;
  g_assert_true (g_str_has_suffix (message, "yyy…"));
  g_assert_cmpint (g_utf8_strlen (strstr (message, "why"), -1), ==, 120 + 1);
  g_assert_true (g_str_has_prefix (find_mark (marks, "once", " succeeded")->message, "attempt 1 of task "));
  g_assert_nonnull (strstr (find_mark (marks, "program", "programs: ")->message, " failed: "));

  for (guint i = 0; i < marks->len; i++)
    {
      Mark *mark = g_ptr_array_index (marks, i);

      g_assert_cmpint (mark->time, >=, before);
      g_assert_cmpint (mark->time + mark->duration, <=, after);
      n_pushed += g_str_has_prefix (mark->name, "task-");
    }
  g_assert_cmpuint (n_pushed, ==, 100);
  g_assert_cmpuint (marks->len, ==, 108);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  sysprof_clock_init ();
  /* Its library leaves descriptors and memory behind, in each program. */
  test_add_native ("/sysprof/marks", test_marks);
  return g_test_run ();
}
