/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-size.h"

/* Waits for room that end otherwise, or may not begin. */

typedef enum
{
  CLOSE_CANCEL,
  CLOSE_SHUTDOWN,
  CLOSE_FAILURE,
} Close;

static void
close_waiting (const char *backend,
               Close       how)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  TestSubmitter submitters[] = { { .push = FALSE }, { .n = 2 }, { .group = group } };
  const char *message = "the queue is not accepting tasks";
  OsiisoAttempt *attempts[2];

  test_fill (queue, attempts, 2);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    test_submitter_start_waiting (&submitters[i], queue);

  if (how == CLOSE_CANCEL)
    {
      osiiso_queue_cancel (queue);
    }
  else if (how == CLOSE_SHUTDOWN)
    {
      osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
      g_assert_cmpuint (test_n_outstanding (queue), ==, 2);
    }
  else
    {
      osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
      osiiso_attempt_return_new_error (attempts[0], G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
    }
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    test_submitter_assert_error (&submitters[i], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, message);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    test_let_go (&attempts[i]);
  test_join (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
test_cancelled_queue (gconstpointer backend)
{
  g_test_summary ("A queue that is cancelled refuses who waits");

  close_waiting (backend, CLOSE_CANCEL);
}

static void
test_shutdown (gconstpointer backend)
{
  g_test_summary ("A queue that is shut down refuses who waits, and lets the rest finish");

  close_waiting (backend, CLOSE_SHUTDOWN);
}

static void
test_halted (gconstpointer backend)
{
  g_test_summary ("A queue that a failure halts refuses who waits");

  close_waiting (backend, CLOSE_FAILURE);
}

static void
test_cancellable (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  TestSubmitter submitters[] = { { .n = 2 }, { .push = TRUE }, { .group = group } };
  TestSubmitter behind = { .push = TRUE };
  OsiisoAttempt *attempts[3];

  g_test_summary ("A wait ends when the cancellable of the options is cancelled");

  test_fill (queue, attempts, 3);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    {
      submitters[i].options = options;
      test_submitter_start_waiting (&submitters[i], queue);
    }
  test_submitter_start_waiting (&behind, queue);
  g_cancellable_cancel (cancellable);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    test_submitter_assert_error (&submitters[i], G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  for (guint i = 0; i < 3; i++)
    test_let_go (&attempts[i]);
  test_submitter_assert_in (&behind);
  test_join (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
test_cancelled_in_front (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  TestSubmitter map = { .n = 2, .options = options };
  TestSubmitter behind = { .push = TRUE };
  OsiisoAttempt *attempts[2];

  g_test_summary ("Who fits comes in at once when who stood in front gives up");

  test_fill (queue, attempts, 2);
  test_submitter_start_waiting (&map, queue);
  test_submitter_start_waiting (&behind, queue);
  g_cancellable_cancel (cancellable);
  test_submitter_assert_error (&map, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
  test_submitter_assert_in (&behind);
  for (guint i = 0; i < 2; i++)
    test_let_go (&attempts[i]);
  test_join (queue);
  test_queue_free (queue);
}

static void
test_closed_late (gconstpointer backend)
{
  g_test_summary ("A queue that closes when somebody has just got a place gets that back");

  for (guint i = 0; i < 20; i++)
    {
      OsiisoQueue *queue = test_bounded_queue (backend, 1);
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      TestSubmitter submitter = { .group = group };
      OsiisoAttempt *filler;

      test_fill (queue, &filler, 1);
      test_submitter_start_waiting (&submitter, queue);
      /* Has the place now, but goes on only when it has woken up. */
      test_let_go (&filler);
      osiiso_queue_cancel (queue);
      test_submitter_finish (&submitter);
      if (submitter.error != NULL)
        g_assert_error (submitter.error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
      g_clear_error (&submitter.error);
      test_join (queue);
      ITERATE_UNTIL (osiiso_queue_get_closed (queue) && submitter.data.n_released == 1);
      g_clear_object (&group);
      test_queue_free (queue);
    }
}

static void
run_cb (GObject      *object,
        GAsyncResult *result,
        gpointer      summary)
{
  g_autoptr (GError) error = NULL;

  *(OsiisoRunSummary **) summary = osiiso_queue_run_finish (OSIISO_QUEUE (object), result, &error);
  g_assert_no_error (error);
}

static void
test_run_timeout (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  TestSubmitter submitter = { .push = TRUE };
  OsiisoAttempt *attempt = NULL;

  g_test_summary ("A run that has no time left refuses who waits, also while a task goes on");

  osiiso_queue_set_timeout (queue, 1);
  test_submit_and_drop (queue, test_task_defer, &attempt, options);
  osiiso_queue_run_async (queue, NULL, run_cb, &summary);
  ITERATE_UNTIL (g_atomic_pointer_get (&attempt) != NULL);
  test_submitter_start_waiting (&submitter, queue);
  hooks->clock_advance (1 * G_USEC_PER_SEC);
  test_submitter_assert_error (&submitter, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, NULL);
  g_assert_null (summary);
  test_let_go (&attempt);
  ITERATE_UNTIL (summary != NULL);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_failing_start (void)
{
  OsiisoQueue *queue = test_shut_queue_new ();
  g_autoptr (GError) error = NULL;
  TestData data = { NULL };

  g_test_summary ("Who would wait for a queue that cannot be started gets its error");

  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  g_assert_null (osiiso_queue_submit (queue, test_task_log, &data, test_release, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  ITERATE_UNTIL (data.n_released == 1);
  test_queue_free (queue);
}

/* A task that submits to its own queue. */
typedef struct
{
  OsiisoQueue *queue;
  OsiisoGroup *group; /* (nullable) */
  int          n_tried;
  GError      *errors[2];
} Inside;

static void
task_submit (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Inside *inside = user_data;
  GError *error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;

  if (inside->group != NULL)
    handle = osiiso_group_submit (inside->group, test_task_none, NULL, NULL, NULL, &error);
  else
    handle = osiiso_queue_submit (inside->queue, test_task_none, NULL, NULL, NULL, &error);
  inside->errors[g_atomic_int_add (&inside->n_tried, 1)] = error;
}

static void
test_inside_last_worker (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  Inside inside = { .queue = queue };
  const gboolean threads = g_str_equal (backend, "thread-pool");
  const int code = threads ? (int) OSIISO_QUEUE_ERROR_WOULD_DEADLOCK : (int) OSIISO_QUEUE_ERROR_FULL;

  g_test_summary ("A task on the only worker may not wait for room that only others can make");

  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, code);
  if (threads)
    g_assert_cmpstr (inside.errors[0]->message, ==,
                     "this task would take the last worker while it waits for room in its queue");
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_own_place (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 1);
  Inside inside = { .queue = queue };

  g_test_summary ("A task may not wait for its own place");

  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_run_all (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_assert_cmpstr (inside.errors[0]->message, ==,
                   "this task would wait for places that it and other waiting tasks have themselves (size 1)");
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_both (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);

  g_test_summary ("Of two tasks that have all places one may wait, whichever comes first");

  inside.group = group;
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_run_all (queue);
  g_assert_cmpint (inside.n_tried, ==, 2);
  /* The second one ends with its error, which makes room for the first. */
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_assert_no_error (inside.errors[1]);
  g_clear_error (&inside.errors[0]);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
test_inside_behind_map (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  TestSubmitter map = { .n = 2 };

  g_test_summary ("A task may not wait behind somebody who waits for its place");

  osiiso_queue_pause (queue);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_submitter_start_waiting (&map, queue);
  osiiso_queue_resume (queue);
  test_submitter_assert_in (&map);
  test_join (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_waits (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  OsiisoAttempt *filler;

  g_test_summary ("A task waits for room that another one makes, and is told when it cannot any more");

  for (guint i = 0; i < 2; i++)
    {
      test_fill (queue, &filler, 1);
      test_submit_and_drop (queue, task_submit, &inside, NULL);
      ITERATE_UNTIL (test_n_waiting (queue) == 1);
      if (i == 0)
        test_let_go (&filler);
      else
        osiiso_queue_set_size (queue, 1);
      ITERATE_UNTIL (g_atomic_int_get (&inside.n_tried) == (int) i + 1);
      if (i == 1)
        test_let_go (&filler);
      test_join (queue);
    }
  g_assert_no_error (inside.errors[0]);
  g_assert_error (inside.errors[1], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&inside.errors[1]);
  test_queue_free (queue);
}

static void
test_dropped (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  TestSubmitter submitter = { .group = group };
  gboolean gone = FALSE;
  OsiisoAttempt *filler;

  g_test_summary ("A queue that was dropped lives until those who wait have come in and are done");

  test_fill (queue, &filler, 1);
  test_submitter_start_waiting (&submitter, queue);
  g_object_weak_ref (G_OBJECT (queue), test_gone_cb, &gone);
  g_object_unref (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (gone);
  test_let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitter.returned));
  g_assert_no_error (submitter.error);
  ITERATE_UNTIL (gone);
  g_assert_cmpint (osiiso_handle_get_status (submitter.handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_submitter_assert_in (&submitter);
}

static void
test_dropped_busy (void)
{
  g_test_summary ("So does one whose work seems to be over again and again before that");

  for (guint round = 0; round < 20; round++)
    {
      OsiisoQueue *queue = test_bounded_queue ("thread-pool", 1);
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
      TestSubmitter submitters[8] = { { NULL } };
      gboolean gone = FALSE;
      OsiisoAttempt *filler;

      test_fill (queue, &filler, 1);
      for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
        {
          submitters[i].group = group;
          test_submitter_start_waiting (&submitters[i], queue);
        }
      g_object_weak_ref (G_OBJECT (queue), test_gone_cb, &gone);
      g_object_unref (queue);
      test_let_go (&filler);
      for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
        test_submitter_assert_in (&submitters[i]);
      ITERATE_UNTIL (gone);
    }
}

void
test_add_size_waits (void)
{
  test_add_for_backends ("/size/cancelled-queue", test_cancelled_queue);
  test_add_for_backends ("/size/shutdown", test_shutdown);
  test_add_for_backends ("/size/halted", test_halted);
  test_add_for_backends ("/size/cancellable", test_cancellable);
  test_add_for_backends ("/size/cancelled-in-front", test_cancelled_in_front);
  test_add_for_backends ("/size/closed-late", test_closed_late);
  test_add_for_backends ("/size/run-timeout", test_run_timeout);
  g_test_add_func ("/size/failing-start", test_failing_start);
  test_add_for_backends ("/size/inside/last-worker", test_inside_last_worker);
  g_test_add_func ("/size/inside/own-place", test_inside_own_place);
  g_test_add_func ("/size/inside/both", test_inside_both);
  g_test_add_func ("/size/inside/behind-map", test_inside_behind_map);
  g_test_add_func ("/size/inside/waits", test_inside_waits);
  test_add_for_backends ("/size/dropped", test_dropped);
  g_test_add_func ("/size/dropped/busy", test_dropped_busy);
}
