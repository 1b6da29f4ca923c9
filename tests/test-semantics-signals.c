/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* The signals of a queue, which are what the hooks of the model are. */

typedef struct
{
  TestLog  log;
  GThread *owner;
} Watch;

static void
on_start (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          gpointer      data)
{
  g_assert_true (g_thread_self () == ((Watch *) data)->owner);
  test_log_add (&((Watch *) data)->log, "start:%s", osiiso_handle_get_name (handle));
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      data)
{
  g_assert_true (g_thread_self () == ((Watch *) data)->owner);
  test_log_add (&((Watch *) data)->log, "retry:%s", osiiso_handle_get_name (handle));
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      data)
{
  g_assert_true (g_thread_self () == ((Watch *) data)->owner);
  test_log_add (&((Watch *) data)->log, "complete:%s", osiiso_handle_get_name (handle));
}

static void
watch_queue (Watch       *self,
             OsiisoQueue *queue)
{
  test_log_init (&self->log);
  self->owner = g_thread_self ();
  g_signal_connect (queue, "on-start", G_CALLBACK (on_start), self);
  g_signal_connect (queue, "on-retry", G_CALLBACK (on_retry), self);
  g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), self);
}

static void
test_wait_for_owner (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "task", "retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Watch watch;

  g_test_summary ("On thread-pool a task does not wait for the signals about it, which come when the owner iterates");

  watch_queue (&watch, queue);
  g_assert_true (osiiso_queue_start (queue, NULL));
  handle = test_submit (queue, semantics_task_second, NULL, options);
  while (osiiso_queue_get_completed_count (queue) == 0)
    g_thread_yield ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  semantics_assert_log (&watch.log, "");
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  semantics_assert_log (&watch.log, "start:task retry:task start:task complete:task");
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

static gpointer
cancel_thread (gpointer handle)
{
  g_assert_true (osiiso_handle_cancel (handle));
  return NULL;
}

static void
test_cancelled_elsewhere (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "task", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  Watch watch;

  g_test_summary ("What another thread cancels is told in the owner's context, not in that thread");

  watch_queue (&watch, queue);
  handle = test_submit (queue, test_task_none, NULL, options);
  g_thread_join (g_thread_new ("cancel", cancel_thread, handle));
  semantics_assert_log (&watch.log, "");
  semantics_settle ();
  semantics_assert_log (&watch.log, "complete:task");
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

static void
test_every_kind (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) pushed = test_options_new ("name", "pushed", NULL);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("name", "detached", "detached", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) mapped = test_options_new ("name", "mapped", NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  Watch watch;

  g_test_summary ("Signals are emitted for every task, with a handle or without, detached or in a map");

  watch_queue (&watch, queue);
  osiiso_queue_set_workers (queue, 1);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, pushed, NULL), !=, 0);
  test_submit_and_drop (queue, test_task_fail, NULL, detached);
  group = osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, mapped, NULL);
  test_run_all (queue);
  semantics_assert_log (&watch.log,
                        "start:pushed complete:pushed start:detached complete:detached "
                        "start:mapped complete:mapped start:mapped complete:mapped");
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  g_test_add_func ("/semantics/signals/wait-for-owner", test_wait_for_owner);
  test_add_for_backends ("/semantics/signals/cancelled-elsewhere", test_cancelled_elsewhere);
  test_add_for_backends ("/semantics/signals/every-kind", test_every_kind);

  return g_test_run ();
}
