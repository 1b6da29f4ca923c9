/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* What workers and commands get from the process that starts them: nothing but what
 * they are meant to have. */

#define N_STANDARD 3

/* Prints its descriptors, each with what it is. */
static const char list_descriptors[] =
  "import os\n"
  "for fd in sorted(map(int, os.listdir('/proc/self/fd'))):\n"
  "  try: print(fd, os.readlink(f'/proc/self/fd/{fd}').split(':')[0])\n"
  "  except OSError: pass\n";

static OsiisoHandle *
submit_list (OsiisoQueue *queue,
             GBytes      *input) /* (nullable) */
{
  const char *argv[] = { "/usr/bin/python3", "-ISBc", list_descriptors, NULL };
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_command (queue, argv, input, NULL, &error);

  g_assert_no_error (error);
  return handle;
}

static char *
dup_stdout (OsiisoHandle *handle)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_no_error (error);
  return osiiso_command_result_dup_stdout_text (g_value_get_boxed (osiiso_handle_get_value (handle)));
}

/* Descriptors */

typedef struct
{
  char    *worker;
  char    *plain;
  char    *with_input;
  gboolean open[N_STANDARD]; /* in this process, meanwhile */
} Seen;

static void
look (Seen *seen)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (GBytes) input = g_bytes_new_static ("text", 4);
  g_autoptr (OsiisoHandle) plain = NULL;
  g_autoptr (OsiisoHandle) with_input = NULL;

  /* What it prints is in nobody's way. */
  g_free (subprocess_call (queue, "print", NULL));
  seen->worker = subprocess_call (queue, "descriptors", NULL);
  plain = submit_list (queue, NULL);
  with_input = submit_list (queue, input);
  subprocess_join (queue);
  seen->plain = dup_stdout (plain);
  seen->with_input = dup_stdout (with_input);
  for (int i = 0; i < N_STANDARD; i++)
    seen->open[i] = fcntl (i, F_GETFD) >= 0;
  subprocess_queue_free (queue);
}

/* @closed: a bit for each of 0, 1 and 2. */
static void
look_without (guint closed,
              Seen *seen)
{
  int saved[N_STANDARD];
  int others[8];

  /* Without O_CLOEXEC, as careless libraries do it. */
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    others[i] = open ("/dev/zero", O_RDWR);
  for (int i = 0; i < N_STANDARD; i++)
    {
      saved[i] = fcntl (i, F_DUPFD_CLOEXEC, 100);
      g_assert_cmpint (saved[i], >=, 0);
      if (closed & (1u << i))
        close (i);
    }
  look (seen);
  for (int i = 0; i < N_STANDARD; i++)
    {
      dup2 (saved[i], i);
      close (saved[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    close (others[i]);
}

static void
test_descriptors (gconstpointer data)
{
  const guint closed = GPOINTER_TO_UINT (data);
  g_autofree char *output = NULL;
  g_autofree char *expected = NULL;
  Seen seen;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  /* Its descriptor is there before. */
  g_main_context_default ();
  output = g_file_read_link ("/proc/self/fd/1", NULL);
  look_without (closed, &seen);

  /* The socket is 3; standard output is ours. */
  if (strchr (output, ':') != NULL)
    *strchr (output, ':') = '\0';
  expected = g_strdup_printf ("[[0, \"/dev/null\"], [1, \"%s\"], [2, \"pipe\"], [3, \"socket\"]]",
                              closed & 2 ? "/dev/null" : output);
  g_assert_cmpstr (seen.worker, ==, expected);
  g_assert_cmpstr (seen.plain, ==, "0 /dev/null\n1 pipe\n2 pipe\n");
  g_assert_cmpstr (seen.with_input, ==, "0 pipe\n1 pipe\n2 pipe\n");
  for (int i = 0; i < N_STANDARD; i++)
    g_assert_cmpint (seen.open[i], ==, !(closed & (1u << i)));
  g_free (seen.worker);
  g_free (seen.plain);
  g_free (seen.with_input);
}

/* Opens and closes, without O_CLOEXEC. */
static gpointer
be_careless (gpointer data)
{
  const atomic_bool *over = data;

  while (!atomic_load (over))
    {
      int fds[16];

      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        fds[i] = open ("/dev/zero", O_RDONLY);
      for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
        close (fds[i]);
    }
  return NULL;
}

static void
test_careless_thread (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "tasks-per-worker", 1, NULL);
  g_autoptr (GPtrArray) commands = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) calls = g_ptr_array_new_with_free_func (g_object_unref);
  atomic_bool over = FALSE;
  GThread *thread = g_thread_new ("careless", be_careless, &over);

  for (guint i = 0; i < 10; i++)
    {
      g_ptr_array_add (commands, submit_list (queue, NULL));
      g_ptr_array_add (calls, subprocess_submit (queue, "fds", NULL, NULL));
    }
  subprocess_join (queue);
  atomic_store (&over, TRUE);
  g_thread_join (thread);
  for (guint i = 0; i < commands->len; i++)
    {
      g_autofree char *text = dup_stdout (commands->pdata[i]);

      g_assert_cmpstr (text, ==, "0 /dev/null\n1 pipe\n2 pipe\n");
      g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (calls->pdata[i])), ==, "[0, 1, 2, 3]");
    }
  subprocess_queue_free (queue);
}

/* Environment */

static int
compare (gconstpointer a,
         gconstpointer b)
{
  return strcmp (*(const char * const *) a, *(const char * const *) b);
}

/* Sorted, one per line, as @text has it with any order. */
static char *
sort_lines (char **lines)
{
  qsort (lines, g_strv_length (lines), sizeof *lines, compare);
  return g_strjoinv ("\n", lines);
}

static char *
run_env (OsiisoQueue        *queue,
         const char * const *environ_)
{
  const char *argv[] = { "/usr/bin/env", "-0", NULL };
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GPtrArray) lines = g_ptr_array_new ();
  const char *text;
  gsize length;

  if (environ_ != NULL)
    osiiso_command_set_environ (command, environ_);
  handle = osiiso_queue_submit_command_full (queue, command, NULL, &error);
  g_assert_no_error (error);
  subprocess_join (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_no_error (error);
  bytes = g_bytes_ref (osiiso_command_result_get_stdout (g_value_get_boxed (osiiso_handle_get_value (handle))));
  text = g_bytes_get_data (bytes, &length);
  for (gsize i = 0; i < length; i += strlen (text + i) + 1)
    g_ptr_array_add (lines, (char *) text + i);
  g_ptr_array_add (lines, NULL);
  return sort_lines ((char **) lines->pdata);
}

static void
test_environment_commands (void)
{
  const char *own[] = { "A=1", "B=\xff two\nlines", "EMPTY=", NULL };
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_auto (GStrv) ours = g_get_environ ();
  g_autofree char *expected = sort_lines (ours);
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;

  /* A worker is there, and what that has is not told to others. */
  g_free (subprocess_call (queue, "pid", NULL));
  first = run_env (queue, NULL);
  second = run_env (queue, own);
  third = run_env (queue, (const char *[]) { NULL });
  g_assert_cmpstr (first, ==, expected);
  g_assert_cmpstr (second, ==, "A=1\nB=\xff two\nlines\nEMPTY=");
  g_assert_cmpstr (third, ==, "");
  subprocess_queue_free (queue);
}

/* Ours, and where the socket is. */
static void
test_environment_worker (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autofree char *value = subprocess_call (queue, "environment", NULL);
  g_auto (GStrv) names = g_listenv ();
  g_autoptr (GString) expected = g_string_new ("[");
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();

  for (guint i = 0; names[i] != NULL; i++)
    g_ptr_array_add (sorted, names[i]);
  g_ptr_array_add (sorted, (char *) "OSIISO_WORKER_FD");
  g_ptr_array_sort (sorted, compare);
  for (guint i = 0; i < sorted->len; i++)
    g_string_append_printf (expected, "%s\"%s\"", i > 0 ? ", " : "", (char *) sorted->pdata[i]);
  g_string_append_c (expected, ']');
  g_assert_cmpstr (value, ==, expected->str);
  subprocess_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  for (guint closed = 0; closed < 1u << N_STANDARD; closed++)
    {
      g_autofree char *path = g_strdup_printf ("/hygiene/descriptors/closed-%s%s%s%s", closed == 0 ? "none" : "",
                                               closed & 1 ? "0" : "", closed & 2 ? "1" : "", closed & 4 ? "2" : "");

      g_test_add_data_func (path, GUINT_TO_POINTER (closed), test_descriptors);
    }
  g_test_add_func ("/hygiene/descriptors/careless-thread", test_careless_thread);
  test_add_native ("/hygiene/environment/commands", test_environment_commands);
  test_add_native ("/hygiene/environment/worker", test_environment_worker);

  return g_test_run ();
}
