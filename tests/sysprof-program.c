/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <osiiso.h>

/* Runs under a profiler, which test-sysprof.c plays: a program that tells what it does
 * by its tasks only. It prints the number of the task that is called "twice". */

/* Sysprof keeps those of threads that have not ended. */
const char *__lsan_default_suppressions (void);

const char *
__lsan_default_suppressions (void)
{
  return "leak:mapped_ring_buffer";
}

static void
fail_once (OsiisoAttempt *attempt,
           gpointer       user_data)
{
  if (osiiso_attempt_get_number (attempt) == 1)
    osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "no luck");
  else
    osiiso_attempt_return_none (attempt);
}

/* With more to say than a profiler shows. */
static void
fail_at_length (OsiisoAttempt *attempt,
                gpointer       user_data)
{
  g_autofree char *text = g_strnfill (500, 'y');

  osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "wh%s", text);
}

static gpointer
cancel_running (gpointer handle)
{
  while (osiiso_handle_get_status (handle) != OSIISO_STATUS_RUNNING)
    g_thread_yield ();
  osiiso_handle_cancel (handle);
  return NULL;
}

static void
do_nothing (OsiisoAttempt *attempt,
            gpointer       user_data)
{
}

static void
wait_for_cancel (OsiisoAttempt *attempt,
                 gpointer       user_data)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);

  while (!g_cancellable_is_cancelled (cancellable))
    g_thread_yield ();
}

static gpointer
report_late (gpointer data)
{
  osiiso_attempt_return_int (data, 1);
  osiiso_attempt_unref (data);
  return NULL;
}

static void
defer (OsiisoAttempt *attempt,
       gpointer       user_data)
{
  g_thread_unref (g_thread_new ("late", report_late, osiiso_attempt_defer (attempt)));
}

static OsiisoHandle *
submit (OsiisoQueue   *queue,
        const char    *name,
        OsiisoTaskFunc func,
        double         timeout,
        guint          retries)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle;

  osiiso_task_options_set_name (options, name);
  osiiso_task_options_set_timeout (options, timeout);
  osiiso_task_options_set_retries (options, retries);
  handle = osiiso_queue_submit (queue, func, NULL, NULL, options, &error);
  g_assert_no_error (error);
  return handle;
}

static void
run (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (queue, NULL, &error);

  g_assert_no_error (error);
}

static OsiisoQueue *
new_queue (const char *backend,
           const char *name)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new (backend, &error);

  g_assert_no_error (error);
  osiiso_queue_set_name (queue, name);
  return queue;
}

static void
run_threads (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ("thread-pool", "thumbnails");
  g_autoptr (OsiisoHandle) twice = submit (queue, "twice", fail_once, 0, 1);
  g_autoptr (OsiisoHandle) late = submit (queue, "late", defer, 0, 0);
  g_autoptr (OsiisoHandle) slow = submit (queue, "slow", wait_for_cancel, 0.05, 0);
  g_autoptr (OsiisoHandle) wordy = submit (queue, "wordy", fail_at_length, 0, 0);
  g_autoptr (OsiisoHandle) stopped = submit (queue, "stopped", wait_for_cancel, 0, 0);
  GThread *thread = g_thread_new ("stop", cancel_running, stopped);
  g_autoptr (GError) error = NULL;

  g_print ("%" G_GUINT64_FORMAT "\n", osiiso_handle_get_task_id (twice));
  run (queue);
  g_thread_join (thread);
  /* Without anything else of it. */
  for (guint i = 0; i < 100; i++)
    osiiso_queue_push (queue, do_nothing, NULL, NULL, NULL, &error);
  run (queue);
  g_assert_no_error (error);
}

static void
run_main_loop (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ("main-loop", NULL);
  g_autoptr (OsiisoHandle) once = submit (queue, "once", do_nothing, 0, 0);

  run (queue);
}

static void
run_processes (void)
{
  g_autoptr (OsiisoQueue) queue = new_queue ("subprocess", "programs");
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  const char * const argv[] = { "/bin/sh", "-c", "exit 3", NULL };
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  osiiso_task_options_set_name (options, "program");
  handle = osiiso_queue_submit_command (queue, argv, NULL, options, &error);
  g_assert_no_error (error);
  run (queue);
}

int
main (void)
{
  run_threads ();
  run_main_loop ();
  run_processes ();
  return 0;
}
