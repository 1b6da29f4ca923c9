/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* The thread of the backend dozes while all workers are sure to have more to do than it
 * takes. This program has the function that it dozes with: a doze can be as long as
 * something else takes, and is counted. */

#define DOZE_PUBLIC __attribute__ ((visibility ("default")))

static struct
{
  GMutex      lock;
  GCond       changed;
  guint       n;
  gboolean    held;  /* dozes last until they are let go */
  gboolean    dozes; /* now, one that is held */
} dozes;

/* Nothing else of the backend, and nothing here, calls this. */
DOZE_PUBLIC void
g_usleep (gulong microseconds)
{
  g_assert_cmpuint (microseconds, <, 1000);
  g_mutex_lock (&dozes.lock);
  dozes.n++;
  dozes.dozes = dozes.held;
  g_cond_broadcast (&dozes.changed);
  while (dozes.held)
    g_cond_wait (&dozes.changed, &dozes.lock);
  dozes.dozes = FALSE;
  g_mutex_unlock (&dozes.lock);
}

static guint
count_dozes (void)
{
  guint n;

  g_mutex_lock (&dozes.lock);
  n = dozes.n;
  g_mutex_unlock (&dozes.lock);
  return n;
}

static void
set_held (gboolean held)
{
  g_mutex_lock (&dozes.lock);
  dozes.held = held;
  g_cond_broadcast (&dozes.changed);
  g_mutex_unlock (&dozes.lock);
}

static gboolean
is_held (void)
{
  gboolean is;

  g_mutex_lock (&dozes.lock);
  is = dozes.dozes;
  g_mutex_unlock (&dozes.lock);
  return is;
}

static OsiisoQueue *
queue_new (guint workers)
{
  g_autofree char *worker = g_test_build_filename (G_TEST_BUILT, "subprocess-worker", NULL);
  const char *argv[] = { worker, NULL };
  OsiisoQueue *queue = subprocess_queue_new ("", "worker-argv", argv, NULL);

  osiiso_queue_set_workers (queue, workers);
  g_assert_true (osiiso_queue_start (queue, NULL));
  return queue;
}

/* Calls that take no time, one behind the other. */
static void
submit_calls (OsiisoQueue *queue,
              GPtrArray   *handles)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new ("echo", NULL);

  for (guint i = 0; i < 500; i++)
    {
      OsiisoHandle *handle = osiiso_queue_submit_call_full (queue, call, NULL, NULL);

      g_assert_nonnull (handle);
      g_ptr_array_add (handles, handle);
    }
}

static OsiisoHandle *
submit_command (OsiisoQueue *queue,
                const char  *script,
                const char  *argument)
{
  const char *argv[] = { "/bin/sh", "-c", script, "sh", argument, NULL };
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_command (queue, argv, NULL, NULL, &error);

  g_assert_no_error (error);
  return handle;
}

/* Keeps the workers busy until there is one, however busy the machine is. Returns the
 * handles of what it has submitted. */
static GPtrArray *
await_doze (OsiisoQueue *queue)
{
  GPtrArray *handles = g_ptr_array_new_with_free_func (g_object_unref);

  set_held (TRUE);
  while (!is_held ())
    {
      if (osiiso_queue_get_pending_count (queue) < 100)
        {
          g_ptr_array_set_size (handles, 0);
          submit_calls (queue, handles);
        }
      g_main_context_iteration (NULL, FALSE);
    }
  return handles;
}

/* What is posted during a doze is seen after it, whatever it is. */
static void
test_posted (void)
{
  OsiisoQueue *queue = queue_new (1);

  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (OsiisoHandle) call = NULL;
      g_autoptr (OsiisoHandle) cancelled = NULL;
      g_autoptr (OsiisoHandle) command = NULL;
      g_autoptr (OsiisoCall) last = osiiso_call_new ("pid", NULL);
      g_autoptr (GPtrArray) handles = await_doze (queue);

      /* Once the worker has answered what it has, nothing but what is posted now could
       * wake that thread. */
      for (guint i = 0; i < handles->len; i++)
        osiiso_handle_cancel (handles->pdata[i]);
      call = osiiso_queue_submit_call_full (queue, last, NULL, NULL);
      cancelled = osiiso_queue_submit_call_full (queue, last, NULL, NULL);
      command = submit_command (queue, "exit 0", NULL);
      osiiso_handle_cancel (cancelled);
      osiiso_queue_set_workers (queue, 2 - round % 2);
      g_assert_true (is_held ());
      g_assert_cmpint (osiiso_handle_get_status (call), ==, OSIISO_STATUS_PENDING);
      set_held (FALSE);
      subprocess_join (queue);
      g_assert_cmpint (osiiso_handle_get_status (call), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpint (osiiso_handle_get_status (command), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpint (osiiso_handle_get_status (cancelled), ==, OSIISO_STATUS_CANCELLED);
    }
  subprocess_queue_free (queue);
}

/* It does not end with a doze, and ends after one. */
static void
test_closed (void)
{
  OsiisoQueue *queue = queue_new (1);
  g_autoptr (GPtrArray) handles = await_doze (queue);

  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  g_assert_true (is_held ());
  set_held (FALSE);
  subprocess_queue_free (queue);
}

static void
run_calls (OsiisoQueue *queue,
           GPtrArray   *handles)
{
  g_ptr_array_set_size (handles, 0);
  for (guint i = 0; i < 10; i++)
    submit_calls (queue, handles);
  for (guint i = 0; i < handles->len; i++)
    g_assert_true (osiiso_handle_wait (handles->pdata[i], -1, NULL, NULL));
}

/* Calls that are not answered in a moment, and commands, are looked at when they are over
 * and not later. */
static void
test_other_things (void)
{
  OsiisoQueue *queue = queue_new (1);
  TestPipe pipe;
  g_autoptr (GPtrArray) handles = NULL;
  g_autoptr (OsiisoHandle) command = NULL;
  g_autoptr (OsiisoHandle) slow = NULL;
  guint n;

  test_pipe_init (&pipe);
  /* It dozes as long as there is nothing else… */
  handles = await_doze (queue);
  set_held (FALSE);
  subprocess_join (queue);

  /* … and not beside a command, which has a place of its own, */
  osiiso_queue_set_workers (queue, 2);
  command = submit_command (queue, "echo $$ >\"$1\"; exec sleep 1000", pipe.path);
  test_pipe_read (&pipe);
  n = count_dozes ();
  run_calls (queue, handles);
  g_assert_cmpuint (count_dozes (), ==, n);
  osiiso_handle_cancel (command);
  subprocess_join (queue);
  osiiso_queue_set_workers (queue, 1);
  g_ptr_array_unref (handles);
  handles = await_doze (queue);
  set_held (FALSE);
  subprocess_join (queue);
  osiiso_queue_set_workers (queue, 2);

  /* … nor, as soon as that is known, beside a worker whose call takes long. */
  slow = osiiso_queue_submit_call (queue, "hold", g_variant_new_string (pipe.path), NULL, NULL);
  test_pipe_read (&pipe);
  do
    {
      n = count_dozes ();
      run_calls (queue, handles);
    }
  while (count_dozes () != n);
  osiiso_handle_cancel (slow);
  subprocess_join (queue);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_native ("/doze/posted", test_posted);
  test_add_native ("/doze/closed", test_closed);
  test_add_native ("/doze/other-things", test_other_things);

  return g_test_run ();
}
