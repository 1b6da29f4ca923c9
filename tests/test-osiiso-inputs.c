/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../tools/osiiso-inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* How inputs are read while signals come and while there are none: never by waiting. */

static guint n_interruptions;

/* What is compiled in here calls this one, under the name of test_poll(). */
int
poll (struct pollfd *fds,
      nfds_t         n_fds,
      int            timeout)
{
  const struct timespec time = { timeout / 1000, 0 };

  if (n_interruptions == 0)
    return ppoll (fds, n_fds, timeout < 0 ? NULL : &time, NULL);
  n_interruptions--;
  errno = EINTR;
  return -1;
}

typedef struct
{
  int         fds[2];
  ToolInputs *inputs;
} Fixture;

/* A pipe, and with @several a word as another source. */
static void
set_up (Fixture *self,
        gboolean several)
{
  static char files[] = "::::";
  static char list[] = ":::";
  static char word[] = "x";
  const ToolInputFormat format = { .end = '\n' };
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  char *sources[] = { files, NULL, several ? list : NULL, word, NULL };

  g_assert_true (g_unix_open_pipe (self->fds, FD_CLOEXEC, &error));
  sources[1] = path = g_strdup_printf ("/proc/self/fd/%d", self->fds[0]);
  self->inputs = tool_inputs_new (sources, &format, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *self)
{
  tool_inputs_free (self->inputs);
  close (self->fds[0]);
}

static void
put (Fixture    *self,
     const char *text)
{
  g_assert_cmpint (write (self->fds[1], text, strlen (text)), ==, strlen (text));
}

static void
assert_state (Fixture       *self,
              ToolInputState expected)
{
  g_auto (GStrv) columns = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (tool_inputs_next (self->inputs, &columns, &error), ==, expected);
  g_assert_no_error (error);
}

static void
assert_row (Fixture    *self,
            const char *expected)
{
  g_auto (GStrv) columns = NULL;
  g_autofree char *row = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (tool_inputs_next (self->inputs, &columns, &error), ==, TOOL_INPUT_ROW);
  g_assert_no_error (error);
  row = g_strjoinv (" ", columns);
  g_assert_cmpstr (row, ==, expected);
}

static void
test_interrupted (void)
{
  Fixture self;

  set_up (&self, FALSE);
  put (&self, "a\n");
  n_interruptions = 1;
  /* It is not known whether there is something, and so it is not read. */
  assert_state (&self, TOOL_INPUT_WAIT);
  assert_row (&self, "a");
  close (self.fds[1]);
  n_interruptions = 1;
  assert_state (&self, TOOL_INPUT_WAIT);
  assert_state (&self, TOOL_INPUT_END);
  tear_down (&self);
}

static void
test_interrupted_of_several (void)
{
  Fixture self;

  set_up (&self, TRUE);
  put (&self, "a\nb\n");
  n_interruptions = 1;
  assert_state (&self, TOOL_INPUT_WAIT);
  /* All is read, and there may be more. */
  assert_state (&self, TOOL_INPUT_WAIT);
  close (self.fds[1]);
  assert_row (&self, "a x");
  assert_row (&self, "b x");
  assert_state (&self, TOOL_INPUT_END);
  tear_down (&self);
}

static gboolean
count_call (gpointer data)
{
  ++*(guint *) data;
  return G_SOURCE_REMOVE;
}

/* So many that others get a turn meanwhile. */
static void
test_many_of_several (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  guint n_calls = 0;
  guint n_turns = 0;
  guint n_rows = 0;
  ToolInputState state;
  Fixture self;

  set_up (&self, TRUE);
  for (guint i = 0; i < 10000; i++)
    g_string_append (text, "a\n");
  put (&self, text->str);
  close (self.fds[1]);
  do
    {
      g_auto (GStrv) columns = NULL;

      state = tool_inputs_next (self.inputs, &columns, NULL);
      n_rows += state == TOOL_INPUT_ROW;
      if (state != TOOL_INPUT_WAIT)
        continue;
      tool_inputs_watch (self.inputs, count_call, &n_calls);
      for (n_turns++; n_calls < n_turns;)
        g_main_context_iteration (NULL, TRUE);
    }
  while (state == TOOL_INPUT_ROW || state == TOOL_INPUT_WAIT);
  g_assert_cmpint (state, ==, TOOL_INPUT_END);
  g_assert_cmpuint (n_rows, ==, 10000);
  g_assert_cmpuint (n_turns, ==, 2);
  tear_down (&self);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/osiiso-inputs/interrupted", test_interrupted);
  g_test_add_func ("/osiiso-inputs/interrupted-of-several", test_interrupted_of_several);
  g_test_add_func ("/osiiso-inputs/many-of-several", test_many_of_several);
  return g_test_run ();
}
