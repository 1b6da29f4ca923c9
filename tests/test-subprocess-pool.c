/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Several workers and many calls: windows, and workers that are killed all the
 * time. The worker is subprocess-worker.c. */

static char *parent_pipe;

static OsiisoQueue *
queue_new (guint workers,
           guint window)
{
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", NULL);
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "subprocess-worker", NULL);
  const char *argv[] = { program, NULL };
  OsiisoQueue *queue;

  g_object_set (backend, "worker-argv", argv, "window", window, "grace-time", 0.2, NULL);
  queue = osiiso_queue_new_with_backend (backend);
  osiiso_queue_set_workers (queue, workers);
  return queue;
}

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        const char        *function,
        GVariant          *args,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, options, &error);

  g_assert_no_error (error);
  return handle;
}

static int
get_int (OsiisoHandle *handle)
{
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  return g_variant_get_int32 (g_value_get_variant (osiiso_handle_get_value (handle)));
}

/* Makes the automatic window of each worker large. */
static void
warm_up (OsiisoQueue *queue)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new ("echo", NULL);

  for (int i = 0; i < 2000; i++)
    g_assert_cmpuint (osiiso_queue_push_call (queue, call, NULL, NULL), !=, 0);
  subprocess_join (queue);
}

static void
test_values (void)
{
  OsiisoQueue *queue = queue_new (1, 0);
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new ("(sa{sv}d)", "text", NULL, 0.5));
  g_autoptr (OsiisoHandle) handle = submit (queue, "echo", args, NULL);
  g_autoptr (OsiisoHandle) none = submit (queue, "echo", NULL, NULL);

  subprocess_join (queue);
  g_assert_true (g_variant_equal (g_value_get_variant (osiiso_handle_get_value (handle)), args));
  g_assert_null (osiiso_handle_get_value (none));
  subprocess_queue_free (queue);
}

/* What waits behind a slow one goes to whoever is free. */
static void
test_slow_holds_up_nobody (gconstpointer window)
{
  OsiisoQueue *queue = queue_new (2, GPOINTER_TO_UINT (window));
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsiisoHandle) slow = NULL;
  TestPipe pipe;
  int pid;

  test_pipe_init (&pipe);
  warm_up (queue);
  osiiso_queue_pause (queue);
  /* Whichever worker gets it has others behind it. */
  for (int i = 0; i < 200; i++)
    {
      if (i == 50)
        slow = submit (queue, "hold", g_variant_new_string (pipe.path), NULL);
      g_ptr_array_add (handles, submit (queue, "pid", NULL, NULL));
    }
  osiiso_queue_resume (queue);
  pid = test_pipe_read (&pipe);
  for (guint i = 0; i < handles->len; i++)
    {
      g_assert_true (osiiso_handle_wait (handles->pdata[i], -1, NULL, NULL));
      g_assert_cmpuint (osiiso_handle_get_attempts (handles->pdata[i]), ==, 1);
      if (i > 80)
        g_assert_cmpint (get_int (handles->pdata[i]), !=, pid);
    }
  g_assert_cmpint (osiiso_handle_get_status (slow), ==, OSIISO_STATUS_RUNNING);
  osiiso_handle_cancel (slow);
  subprocess_join (queue);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Behind one that is cancelled nothing is lost, whether the worker stays or not. */
static void
test_behind_cancelled (void)
{
  OsiisoQueue *queue = queue_new (1, 8);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  TestPipe pipe;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoHandle) slow = NULL;
      int pid;

      osiiso_queue_pause (queue);
      slow = submit (queue, "hold", g_variant_new_string (pipe.path), NULL);
      for (int i = 0; i < 10; i++)
        g_ptr_array_add (handles, submit (queue, "pid", NULL, NULL));
      osiiso_queue_resume (queue);
      pid = test_pipe_read (&pipe);
      /* Also one that waits there. */
      osiiso_handle_cancel (handles->pdata[handles->len - 9]);
      if (round % 2)
        kill (pid, SIGKILL);
      osiiso_handle_cancel (slow);
      subprocess_join (queue);
      for (guint i = 0; i < 10; i++)
        {
          OsiisoHandle *handle = handles->pdata[handles->len - 10 + i];

          g_assert_cmpint (osiiso_handle_get_status (handle), ==,
                           i == 1 ? OSIISO_STATUS_CANCELLED : OSIISO_STATUS_SUCCEEDED);
        }
    }
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* A crash is blamed on what was running, and on nothing behind it. */
static void
test_behind_crashed (void)
{
  OsiisoQueue *queue = queue_new (1, 8);
  TestPipe pipe;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (int round = 0; round < 10; round++)
    {
      g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
      g_autoptr (OsiisoHandle) slow = NULL;

      osiiso_queue_pause (queue);
      g_ptr_array_add (handles, submit (queue, "pid", NULL, NULL));
      slow = submit (queue, "hold", g_variant_new_string (pipe.path), NULL);
      for (int i = 0; i < 10; i++)
        g_ptr_array_add (handles, submit (queue, "pid", NULL, NULL));
      osiiso_queue_resume (queue);
      kill (test_pipe_read (&pipe), SIGKILL);
      subprocess_join (queue);
      subprocess_expect_crash (slow, "signal 9");
      for (guint i = 0; i < handles->len; i++)
        get_int (handles->pdata[i]);
    }
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Commands and calls share the places. */
static void
test_with_commands (void)
{
  OsiisoQueue *queue = queue_new (2, 0);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  const char *argv[] = { "/bin/echo", "text", NULL };

  for (int i = 0; i < 60; i++)
    {
      g_autoptr (GError) error = NULL;

      g_ptr_array_add (handles, submit (queue, "pid", NULL, NULL));
      g_ptr_array_add (handles, osiiso_queue_submit_command (queue, argv, NULL, NULL, &error));
      g_assert_no_error (error);
    }
  subprocess_join (queue);
  for (guint i = 0; i < handles->len; i++)
    g_assert_cmpint (osiiso_handle_get_status (handles->pdata[i]), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

static OsiisoHandle *
submit_shell (OsiisoQueue *queue,
              const char  *script,
              const char  *argument)
{
  const char *argv[] = { "/bin/sh", "-c", script, "sh", argument, NULL };
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, &error);

  g_assert_no_error (error);
  return handle;
}

static void
test_command_outcomes (void)
{
  OsiisoQueue *queue = queue_new (2, 0);
  const char *no_program[] = { "/no/such/program", NULL };
  g_autoptr (OsiisoHandle) good = submit_shell (queue, "echo out; echo err >&2", NULL);
  g_autoptr (OsiisoHandle) bad = submit_shell (queue, "echo out; exit 3", NULL);
  g_autoptr (OsiisoHandle) killed = submit_shell (queue, "kill -9 $$", NULL);
  g_autoptr (OsiisoHandle) none = osiiso_queue_submit_command (queue, no_program, NULL, NULL, NULL);
  OsiisoCommandResult *result;
  g_autofree char *text = NULL;

  subprocess_join (queue);
  result = g_value_get_boxed (osiiso_handle_get_value (good));
  text = osiiso_command_result_dup_stdout_text (result);
  g_assert_cmpstr (text, ==, "out\n");
  subprocess_expect (bad, G_SPAWN_EXIT_ERROR, 3, "");
  result = g_value_get_boxed (osiiso_handle_get_error_details (bad));
  g_assert_cmpint (osiiso_command_result_get_exit_status (result), ==, 3);
  result = g_value_get_boxed (osiiso_handle_get_error_details (killed));
  g_assert_cmpint (osiiso_command_result_get_signal (result), ==, SIGKILL);
  subprocess_expect (none, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "/no/such/program");
  subprocess_queue_free (queue);
}

/* The whole group goes with it. */
static void
test_command_cancelled (void)
{
  OsiisoQueue *queue = queue_new (1, 0);
  g_autoptr (OsiisoHandle) handle = NULL;
  TestPipe pipe;
  int pidfd;

  test_pipe_init (&pipe);
  handle = submit_shell (queue, "trap '' TERM; (echo $$ > \"$1\"; exec sleep 1000) & wait; wait", pipe.path);
  g_assert_true (osiiso_queue_start (queue, NULL));
  pidfd = test_pidfd_open (test_pipe_read (&pipe));
  g_assert_cmpint (pidfd, >=, 0);
  osiiso_handle_cancel (handle);
  subprocess_expect (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "");
  /* Its place is free, for a call too. */
  g_clear_object (&handle);
  handle = submit (queue, "pid", NULL, NULL);
  subprocess_join (queue);
  get_int (handle);
  test_pidfd_await (pidfd);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Storms */

/* Children of this process, which its threads have started. */
static GArray *
list_children (void)
{
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "children", NULL);
      g_autofree char *text = NULL;
      g_auto (GStrv) words = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL))
        continue;
      words = g_strsplit (text, " ", -1);
      for (guint i = 0; words[i] != NULL; i++)
        {
          int pid = atoi (words[i]);

          if (pid > 0)
            g_array_append_val (pids, pid);
        }
    }
  return pids;
}

typedef struct
{
  OsiisoQueue *queue;
  guint        n_tasks;
  guint        n_kills;
  gint64       seed;
} Storm;

static gpointer
kill_children (gpointer data)
{
  Storm *storm = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) storm->seed);
  const guint n_wanted = storm->n_tasks / 20;

  while (storm->n_kills < n_wanted && osiiso_queue_get_completed_count (storm->queue) < storm->n_tasks)
    {
      g_autoptr (GArray) pids = NULL;

      /* Spread over the whole run. */
      if (osiiso_queue_get_completed_count (storm->queue) < (guint64) storm->n_kills * storm->n_tasks / n_wanted)
        {
          g_thread_yield ();
          continue;
        }
      pids = list_children ();
      if (pids->len > 0 &&
          kill (g_array_index (pids, int, (guint) g_rand_int_range (rand, 0, (gint32) pids->len)), SIGKILL) == 0)
        storm->n_kills++;
    }
  return NULL;
}

static void
run_storm (guint retries,
           guint window)
{
  /* A start of a worker takes a second under valgrind. */
  const guint n_tasks = test_under_valgrind () ? 400 : 10000;
  Storm storm = { .queue = queue_new (2, window), .n_tasks = n_tasks, .seed = g_test_rand_int () };
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", retries, NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_crashed = 0;
  guint n_tries = 0;
  GThread *thread;

  osiiso_queue_pause (storm.queue);
  for (guint i = 0; i < storm.n_tasks; i++)
    g_ptr_array_add (handles, submit (storm.queue, "work", g_variant_new_uint32 (i), options));
  thread = g_thread_new ("kill", kill_children, &storm);
  osiiso_queue_resume (storm.queue);
  subprocess_join (storm.queue);
  g_thread_join (thread);
  g_assert_cmpuint (osiiso_queue_get_completed_count (storm.queue), ==, storm.n_tasks);
  for (guint i = 0; i < handles->len; i++)
    {
      OsiisoHandle *handle = handles->pdata[i];

      n_tries += osiiso_handle_get_attempts (handle);
      if (osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED)
        {
          g_assert_cmpuint (g_variant_get_uint32 (g_value_get_variant (osiiso_handle_get_value (handle))), ==, i);
          continue;
        }
      n_crashed++;
      subprocess_expect_crash (handle, "");
    }
  g_test_message ("%u workers were killed, %u tasks have failed, in %u attempts", storm.n_kills, n_crashed, n_tries);
  /* One for each that was killed at most. */
  g_assert_cmpuint (n_crashed, <=, storm.n_kills);
  g_assert_cmpuint (n_tries, <=, storm.n_tasks + storm.n_kills);
  if (retries > 0)
    g_assert_cmpuint (n_crashed, ==, 0);
  subprocess_queue_free (storm.queue);
}

static void
test_storm (void)
{
  run_storm (0, 0);
}

static void
test_storm_retried (void)
{
  run_storm (20, 0);
}

static void
test_storm_one_by_one (void)
{
  run_storm (0, 1);
}

/* The end of the program */

/* In another process: says who its worker is, or its command, and waits for its end. */
static int
be_parent (const char *how)
{
  g_autofree char *script = g_strdup_printf ("echo $$ >%s; exec sleep 1000", parent_pipe);
  const char *argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", NULL);
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);
  OsiisoQueue *queue;

  if (strcmp (how, "--worker") == 0)
    {
      queue = queue_new (1, 0);
      submit (queue, "hold", g_variant_new_string (parent_pipe), NULL);
    }
  else
    {
      g_object_set (backend, "commands-die-with-parent", TRUE, NULL);
      queue = osiiso_queue_new_with_backend (backend);
      osiiso_queue_push_command (queue, command, NULL, NULL);
    }
  osiiso_queue_join (queue, NULL, NULL);
  return 0;
}

static void
run_parent (const char *how,
            gboolean    stop)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  TestPipe pipe;
  char *argv[] = { program, (char *) how, NULL, NULL };
  GError *error = NULL;
  GPid parent;
  int pid;
  int pidfd;

  test_pipe_init (&pipe);
  argv[2] = pipe.path;
  g_spawn_async (NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &parent, &error);
  g_assert_no_error (error);
  pid = test_pipe_read (&pipe);
  pidfd = test_pidfd_open (pid);
  g_assert_cmpint (pidfd, >=, 0);
  if (stop)
    kill (pid, SIGSTOP);
  kill (parent, SIGKILL);
  test_pidfd_await (pidfd);
  test_pipe_clear (&pipe);
}

static void
test_parent_killed (void)
{
  run_parent ("--worker", FALSE);
}

static void
test_parent_killed_stopped (void)
{
  run_parent ("--worker", TRUE);
}

static void
test_parent_killed_command (void)
{
  run_parent ("--command", FALSE);
}

int
main (int   argc,
      char *argv[])
{
  if (argc == 3 && (strcmp (argv[1], "--worker") == 0 || strcmp (argv[1], "--command") == 0))
    {
      const char *how = argv[1];

      parent_pipe = argv[2];
      g_test_init (&(int) { 1 }, &argv, NULL);
      return be_parent (how);
    }
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/workers/values", test_values);
  g_test_add_data_func ("/workers/window/slow/automatic", GUINT_TO_POINTER (0), test_slow_holds_up_nobody);
  g_test_add_data_func ("/workers/window/slow/set", GUINT_TO_POINTER (16), test_slow_holds_up_nobody);
  g_test_add_func ("/workers/window/behind-cancelled", test_behind_cancelled);
  g_test_add_func ("/workers/window/behind-crashed", test_behind_crashed);
  g_test_add_func ("/workers/with-commands", test_with_commands);
  test_add_native ("/workers/command/outcomes", test_command_outcomes);
  test_add_native ("/workers/command/cancelled", test_command_cancelled);
  g_test_add_func ("/workers/storm/once", test_storm);
  g_test_add_func ("/workers/storm/retried", test_storm_retried);
  g_test_add_func ("/workers/storm/one-by-one", test_storm_one_by_one);
  test_add_native ("/workers/parent/killed", test_parent_killed);
  test_add_native ("/workers/parent/killed-stopped", test_parent_killed_stopped);
  test_add_native ("/workers/parent/killed/command", test_parent_killed_command);

  return g_test_run ();
}
