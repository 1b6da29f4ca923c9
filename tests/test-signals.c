/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* The three signals, class handlers, and where and in which order they come. */

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
  Watch *watch = data;

  g_assert_true (g_thread_self () == watch->owner);
  test_log_add (&watch->log, "start:%s", osiiso_handle_get_name (handle));
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      data)
{
  Watch *watch = data;

  g_assert_true (g_thread_self () == watch->owner);
  g_assert_true (osiiso_handle_is_done (handle));
  test_log_add (&watch->log, "complete:%s:%d", osiiso_handle_get_name (handle), osiiso_handle_get_status (handle));
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      data)
{
  Watch *watch = data;

  g_assert_true (g_thread_self () == watch->owner);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  test_log_add (&watch->log, "retry:%s:%s", osiiso_handle_get_name (handle), error->message);
}

static void
watch_queue (Watch       *watch,
             OsiisoQueue *queue)
{
  test_log_init (&watch->log);
  watch->owner = g_thread_self ();
  g_signal_connect (queue, "on-start", G_CALLBACK (on_start), watch);
  g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), watch);
  g_signal_connect (queue, "on-retry", G_CALLBACK (on_retry), watch);
}

static void
test_order (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) good = test_options_new ("name", "good", NULL);
  g_autoptr (OsiisoTaskOptions) bad = test_options_new ("name", "bad", "retries", 1, "priority", 5, NULL);
  g_autofree char *text = NULL;
  Watch watch;

  g_test_summary ("Each attempt starts, each task completes once, and what happens to a task is told in order");

  osiiso_queue_set_workers (queue, 1);
  watch_queue (&watch, queue);
  test_submit_and_drop (queue, test_task_fail, NULL, bad);
  g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, good, NULL), !=, 0);
  text = test_log_steal (&watch.log);
  g_assert_cmpstr (text, ==, "");
  g_free (text);

  test_run_all (queue);
  text = test_log_steal (&watch.log);
  g_assert_cmpstr (text, ==,
                   "start:good complete:good:3 "
                   "start:bad retry:bad:attempt 1 failed start:bad complete:bad:4");
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

static void
test_cancelled (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "never", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autofree char *text = NULL;
  Watch watch;

  g_test_summary ("A task that is cancelled before it starts completes, and not inside the call that cancels");

  watch_queue (&watch, queue);
  handle = test_submit (queue, test_task_none, NULL, options);
  g_assert_true (osiiso_handle_cancel (handle));
  text = test_log_steal (&watch.log);
  g_assert_cmpstr (text, ==, "");
  g_free (text);
  g_main_context_iteration (NULL, FALSE);
  text = test_log_steal (&watch.log);
  g_assert_cmpstr (text, ==, "complete:never:5");
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

static void
check_started (OsiisoAttempt *attempt,
               gpointer       data)
{
  Watch *watch = data;
  g_autofree char *text = test_log_steal (&watch->log);

  g_assert_cmpstr (text, ==, "start:task");
}

static void
test_start_first (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "task", NULL);
  Watch watch;

  g_test_summary ("On main-loop on-start is emitted before the function is called");

  watch_queue (&watch, queue);
  test_submit_and_drop (queue, check_started, &watch, options);
  test_run_all (queue);
  test_queue_free (queue);
  test_log_clear (&watch.log);
}

static void
count (int *counter)
{
  (*counter)++;
}

static void
test_late_handler (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  int n = 0;

  g_test_summary ("A handler that is connected after the submit hears of the task");

  for (int i = 0; i < 100; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (count), &n);
  test_run_all (queue);
  g_assert_cmpint (n, ==, 100);
  test_queue_free (queue);
}

static void
submit_again (OsiisoQueue  *queue,
              OsiisoHandle *handle,
              gpointer      left)
{
  if ((*(int *) left)-- > 0)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
}

static void
test_submit_in_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) async_summary = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  int left = 20;

  g_test_summary ("What a handler of on-complete submits belongs to the run, blocking or not");

  g_signal_connect (queue, "on-complete", G_CALLBACK (submit_again), &left);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 21);

  left = 20;
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  osiiso_queue_run_async (queue, NULL, test_store_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  async_summary = osiiso_queue_run_finish (queue, result, NULL);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (async_summary), ==, 21);
  g_clear_object (&result);
  test_queue_free (queue);
}

static void
disconnect_and_drop (OsiisoQueue  *queue,
                     OsiisoHandle *handle,
                     gpointer      location)
{
  g_clear_object ((OsiisoQueue **) location);
}

static void
set_flag (gpointer flag,
          GObject *where_it_was)
{
  *(int *) flag = 1;
}

static void
test_drop_in_handler (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoQueue *mine = queue;
  int gone = 0;

  g_test_summary ("A handler may drop the last reference of the program");

  g_object_weak_ref (G_OBJECT (queue), set_flag, &gone);
  g_signal_connect (queue, "on-complete", G_CALLBACK (disconnect_and_drop), &mine);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_iterate_until (&gone);
  g_assert_null (mine);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
cancel_handle (OsiisoQueue  *queue,
               OsiisoHandle *handle,
               gpointer      unused)
{
  osiiso_handle_cancel (handle);
}

static void
test_cancel_in_handler (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  int n_run = 0;

  g_test_summary ("A handler of on-start may cancel the task, whose function is not called then");

  g_signal_connect (queue, "on-start", G_CALLBACK (cancel_handle), NULL);
  for (int i = 0; i < 10; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, (OsiisoTaskFunc) (void *) count, &n_run, NULL, NULL, NULL), !=, 0);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_cancelled (summary), ==, 10);
  g_assert_cmpint (n_run, ==, 0);
  test_queue_free (queue);
}

static void
cancel_next (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      location)
{
  OsiisoHandle **next = location;

  if (*next != NULL)
    osiiso_handle_cancel (*next);
  g_clear_object (next);
}

static void
test_event_in_handler (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) first = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) third = NULL;
  OsiisoHandle *second = test_submit (queue, test_task_none, NULL, NULL);
  int n = 0;

  g_test_summary ("What a handler makes happen is told, and so is what happens after that");

  g_signal_connect (queue, "on-complete", G_CALLBACK (cancel_next), &second);
  g_signal_connect_swapped (queue, "on-complete", G_CALLBACK (count), &n);
  osiiso_handle_cancel (first);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n, ==, 2);

  third = test_submit (queue, test_task_none, NULL, NULL);
  osiiso_handle_cancel (third);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n, ==, 3);
  test_queue_free (queue);
}

/* A queue with class handlers. */
typedef struct
{
  OsiisoQueue parent_instance;
  TestLog     log;
} LoggingQueue;

typedef OsiisoQueueClass LoggingQueueClass;

static GType logging_queue_get_type (void);

G_DEFINE_TYPE (LoggingQueue, logging_queue, OSIISO_TYPE_QUEUE)

static void
logging_queue_on_start (OsiisoQueue  *queue,
                        OsiisoHandle *handle)
{
  test_log_add (&((LoggingQueue *) queue)->log, "class-start");
}

static void
logging_queue_on_complete (OsiisoQueue  *queue,
                           OsiisoHandle *handle)
{
  test_log_add (&((LoggingQueue *) queue)->log, "class-complete");
}

static void
logging_queue_on_retry (OsiisoQueue  *queue,
                        OsiisoHandle *handle,
                        const GError *error)
{
  test_log_add (&((LoggingQueue *) queue)->log, "class-retry");
}

static void
logging_queue_class_init (LoggingQueueClass *klass)
{
  klass->on_start = logging_queue_on_start;
  klass->on_complete = logging_queue_on_complete;
  klass->on_retry = logging_queue_on_retry;
}

static void
logging_queue_init (LoggingQueue *self)
{
  test_log_init (&self->log);
}

static void
test_class_handlers (void)
{
  LoggingQueue *queue = g_object_new (logging_queue_get_type (), "backend-name", "thread-pool", NULL);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autofree char *text = NULL;

  g_test_summary ("A subclass hears of tasks without connecting");

  g_assert_cmpuint (osiiso_queue_push (OSIISO_QUEUE (queue), test_task_fail, NULL, NULL, options, NULL), !=, 0);
  test_run_all (OSIISO_QUEUE (queue));
  text = test_log_steal (&queue->log);
  g_assert_cmpstr (text, ==, "class-start class-retry class-start class-complete");
  test_log_clear (&queue->log);
  test_queue_free (OSIISO_QUEUE (queue));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/signals/order", test_order);
  g_test_add_func ("/signals/cancelled", test_cancelled);
  g_test_add_func ("/signals/start-first", test_start_first);
  g_test_add_func ("/signals/late-handler", test_late_handler);
  test_add_for_backends ("/signals/submit-in-handler", test_submit_in_handler);
  test_add_for_backends ("/signals/drop-in-handler", test_drop_in_handler);
  g_test_add_func ("/signals/cancel-in-handler", test_cancel_in_handler);
  g_test_add_func ("/signals/event-in-handler", test_event_in_handler);
  g_test_add_func ("/signals/class-handlers", test_class_handlers);

  return g_test_run ();
}
