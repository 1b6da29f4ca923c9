/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/wait.h>
#include <unistd.h>

#include "test-utils.h"
#include "test-valgrind.h"

/* A process that forks: what its child can still do. */

/* In the child, seconds after which it is taken for hanging. */
#define GIVE_UP 20

static void
run_delayed (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 0.001, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoQueue *queue;

  g_main_context_push_thread_default (context);
  queue = test_queue_new ("main-loop");
  handle = test_submit (queue, test_task_none, NULL, options);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&handle);
  test_queue_free (queue);
  g_main_context_pop_thread_default (context);
}

static void
test_timers (void)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) waiting = NULL;
  OsiisoQueue *queue = test_queue_new ("main-loop");
  int status;
  pid_t pid;

  g_test_summary ("A child has timers of its own, also when those of its parent were at work");

  run_delayed ();
  waiting = test_submit (queue, test_task_none, NULL, options);
  g_assert_true (osiiso_queue_start (queue, NULL));

  pid = fork ();
  if (pid == 0)
    {
      alarm (GIVE_UP);
      run_delayed ();
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  /* Those of the parent go on. */
  run_delayed ();
  osiiso_handle_cancel (waiting);
  g_clear_object (&waiting);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* What the other threads of the parent held is lost in its child, and counts there. */
  test_add_native ("/fork/timers", test_timers);

  return g_test_run ();
}
