/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* Groups: members, list model, waiting and the order of completion. */

static void
return_index (OsiisoAttempt *attempt,
              gpointer       unused)
{
  osiiso_attempt_return_int (attempt, osiiso_attempt_get_index (attempt));
}

static void
test_map (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("group-id", "numbers", "name", "number", NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1000, return_index, NULL, NULL, options, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GListModel) by_group = NULL;
  g_autoptr (GListModel) by_name = NULL;

  g_test_summary ("The members of a map know their place, and the group lists them in that order");

  g_assert_cmpstr (osiiso_group_get_group_id (group), ==, "numbers");
  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (group)) == OSIISO_TYPE_HANDLE);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 1000);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (group), 1000));
  summary = test_run (queue);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (OsiisoHandle) handle = g_list_model_get_item (G_LIST_MODEL (group), i);
      g_autoptr (OsiisoHandle) again = osiiso_group_get_handle (group, i);

      g_assert_true (handle == again);
      g_assert_cmpuint (osiiso_handle_get_index (handle), ==, i);
      g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, i);
    }
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 1000);
  by_group = osiiso_run_summary_by_group (summary, "numbers");
  by_name = osiiso_run_summary_by_name (summary, "number");
  g_assert_cmpuint (g_list_model_get_n_items (by_group), ==, 1000);
  g_assert_cmpuint (g_list_model_get_n_items (by_name), ==, 1000);
  test_queue_free (queue);
}

static void
test_map_data (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoGroup) empty = NULL;
  g_autoptr (GError) error = NULL;
  int n_destroyed = 0;

  g_test_summary ("The data of a map are released once, after the last member, also when there is none or the call fails");

  group = osiiso_queue_map (queue, 100, test_task_none, &n_destroyed, test_count, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (n_destroyed, ==, 1);

  empty = osiiso_queue_map (queue, 0, test_task_none, &n_destroyed, test_count, NULL, NULL);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (empty)), ==, 0);
  test_run_all (queue);
  g_assert_cmpint (n_destroyed, ==, 2);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_null (osiiso_queue_map (queue, 10, test_task_none, &n_destroyed, test_count, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n_destroyed, ==, 3);
  test_queue_free (queue);
}

static void
note_change (GListModel *model,
             guint       position,
             guint       removed,
             guint       added,
             gpointer    log)
{
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, position + added);
  test_log_add (log, "%u-%u+%u", position, removed, added);
}

static gpointer
submit_thread (gpointer group)
{
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);

      g_assert_true (OSIISO_IS_HANDLE (handle));
    }
  return NULL;
}

static void
test_group_submit (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("group-id", "ignored", NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoGroup) other = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autofree char *text = NULL;
  TestLog log;

  g_test_summary ("Tasks are submitted into a group one by one, and the list model tells, in the owner's context only");

  test_log_init (&log);
  g_signal_connect (group, "items-changed", G_CALLBACK (note_change), &log);
  g_assert_cmpstr (osiiso_group_get_group_id (group), !=, osiiso_group_get_group_id (other));
  handle = osiiso_group_submit (group, test_task_none, NULL, NULL, options, NULL);
  g_assert_cmpstr (osiiso_handle_get_group_id (handle), ==, osiiso_group_get_group_id (group));
  text = test_log_steal (&log);
  g_assert_cmpstr (text, ==, "0-0+1");
  g_free (text);

  g_thread_join (g_thread_new ("submit", submit_thread, group));
  text = test_log_steal (&log);
  g_assert_cmpstr (text, ==, "");
  g_free (text);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 1);
  test_run_all (queue);
  text = test_log_steal (&log);
  g_assert_cmpstr (text, ==, "1-0+3");
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 4);
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_wait (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "mixed");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoRunSummary) empty_summary = NULL;
  g_autoptr (OsiisoGroup) empty = osiiso_queue_new_group (queue, "empty");
  g_autoptr (GError) error = NULL;
  TestGate gate;

  g_test_summary ("Waiting for a group gives the results in the order of submission");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 4);
  g_object_unref (osiiso_group_submit (group, test_task_gate, &gate, NULL, NULL, NULL));
  g_object_unref (osiiso_group_submit (group, test_task_fail, NULL, NULL, NULL, NULL));
  g_object_unref (osiiso_group_submit (group, return_index, NULL, NULL, NULL, NULL));
  g_assert_null (osiiso_group_wait (group, 0.001, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  test_gate_open (&gate);
  summary = osiiso_group_wait (group, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 2);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary), ==, 1);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);

      g_assert_cmpuint (osiiso_task_result_get_index (result), ==, i);
    }
  empty_summary = osiiso_group_wait (empty, -1, NULL, &error);
  g_assert_true (osiiso_run_summary_get_ok (empty_summary));
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_wait_async (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 10, test_task_none, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  g_autoptr (OsiisoGroup) never = osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, delayed, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) cancelled = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("An asynchronous wait for a group ends with the group or with its cancellable");

  osiiso_group_wait_async (group, NULL, test_store_result, &result);
  osiiso_group_wait_async (never, cancellable, test_store_result, &cancelled);
  summary = osiiso_group_wait_finish (group, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 10);
  g_cancellable_cancel (cancellable);
  g_assert_null (osiiso_group_wait_finish (never, test_await_result (&cancelled), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (osiiso_group_cancel (never), ==, 2);
  g_assert_cmpuint (osiiso_group_cancel (never), ==, 0);
  test_run_all (queue);
  g_clear_object (&result);
  g_clear_object (&cancelled);
  test_queue_free (queue);
}

static void
test_next_completed (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  static const int priorities[] = { 3, 1, 2 };
  static const guint expected[] = { 1, 2, 0 };
  g_autoptr (GError) error = NULL;
  GAsyncResult *results[5] = { NULL };

  g_test_summary ("Members are given out in the order of completion, once each, and then there is none");

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], NULL);

      g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, options, NULL));
    }
  /* More than there are members, and before any of them has finished. */
  for (guint i = 0; i < 4; i++)
    osiiso_group_next_completed_async (group, NULL, test_store_result, &results[i]);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_next_completed_finish (group, test_await_result (&results[i]), &error);

      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_handle_get_index (handle), ==, expected[i]);
    }
  g_assert_null (osiiso_group_next_completed_finish (group, test_await_result (&results[3]), &error));
  g_assert_no_error (error);
  osiiso_group_next_completed_async (group, NULL, test_store_result, &results[4]);
  g_assert_null (osiiso_group_next_completed_finish (group, test_await_result (&results[4]), &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 5; i++)
    g_object_unref (results[i]);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_next_cancelled (void)
{
  g_test_summary ("A cancelled call of next_completed either has the member or leaves it to the next call");

  for (int round = 0; round < 100; round++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1, test_task_none, NULL, NULL, NULL, NULL);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (OsiisoHandle) first = NULL;
      g_autoptr (OsiisoHandle) second = NULL;
      g_autoptr (GAsyncResult) first_result = NULL;
      g_autoptr (GAsyncResult) second_result = NULL;
      g_autoptr (GError) error = NULL;

      /* This thread does not iterate, so both are there when it does. */
      osiiso_group_next_completed_async (group, cancellable, test_store_result, &first_result);
      while (osiiso_group_get_n_finished (group) == 0)
        g_thread_yield ();
      g_cancellable_cancel (cancellable);
      first = osiiso_group_next_completed_finish (group, test_await_result (&first_result), &error);
      g_assert_true ((first == NULL) == (error != NULL));
      if (first == NULL)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);

      osiiso_group_next_completed_async (group, NULL, test_store_result, &second_result);
      second = osiiso_group_next_completed_finish (group, test_await_result (&second_result), &error);
      g_assert_no_error (error);
      g_assert_true ((first == NULL) != (second == NULL));
      g_clear_object (&first_result);
      g_clear_object (&second_result);
      test_queue_free (queue);
    }
}

static void
test_next_blocking (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  static const guint order[] = { 2, 0, 1 };
  g_autoptr (GError) error = NULL;
  TestGate gates[3];

  g_test_summary ("A call that blocks gives members out in the order of completion, and starts the queue");

  osiiso_queue_set_workers (queue, 3);
  for (guint i = 0; i < 3; i++)
    {
      test_gate_init (&gates[i]);
      g_object_unref (osiiso_group_submit (group, test_task_gate, &gates[i], NULL, NULL, NULL));
    }
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = NULL;

      g_assert_null (osiiso_group_next_completed (group, 0, NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      g_clear_error (&error);
      test_gate_open (&gates[order[i]]);
      handle = osiiso_group_next_completed (group, -1, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_handle_get_index (handle), ==, order[i]);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
    }
  for (int i = 0; i < 2; i++)
    {
      g_assert_null (osiiso_group_next_completed (group, -1, NULL, &error));
      g_assert_no_error (error);
    }

  /* Until there are more of them. */
  {
    g_autoptr (OsiisoHandle) more = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);
    g_autoptr (OsiisoHandle) next = osiiso_group_next_completed (group, -1, NULL, &error);

    g_assert_true (next == more);
  }
  test_queue_free (queue);
  for (guint i = 0; i < 3; i++)
    test_gate_clear (&gates[i]);
}

static void
test_next_refused (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 2, return_index, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoGroup) empty = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A call that cannot end, or has a timeout that makes no sense, fails; what is over is given out anywhere");

  g_assert_null (osiiso_group_next_completed (group, NAN, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (osiiso_group_next_completed (group, -1, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&error);
  g_assert_null (osiiso_group_next_completed (empty, -1, NULL, &error));
  g_assert_no_error (error);

  test_run_all (queue);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_next_completed (group, 0, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (osiiso_handle_get_index (handle), ==, i);
    }
  g_assert_null (osiiso_group_next_completed (group, -1, NULL, &error));
  g_assert_no_error (error);
  test_queue_free (queue);
}

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_next_left (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;
  TestGate gate;

  g_test_summary ("A call that was cancelled leaves the member to those who wait behind it");

  test_gate_init (&gate);
  g_object_unref (osiiso_group_submit (group, test_task_gate, &gate, NULL, NULL, NULL));
  thread = g_thread_new ("cancel", cancel_thread, cancellable);
  g_assert_null (osiiso_group_next_completed (group, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_thread_join (thread);
  osiiso_group_next_completed_async (group, NULL, test_store_result, &result);
  g_assert_null (osiiso_group_next_completed (group, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  test_gate_open (&gate);
  handle = osiiso_group_next_completed_finish (group, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (osiiso_handle_get_index (handle), ==, 0);
  g_assert_null (osiiso_group_next_completed (group, -1, NULL, &error));
  g_assert_no_error (error);
  g_clear_object (&result);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

typedef struct
{
  OsiisoGroup *group;
  int         *n_given_out; /* of each member */
  int          n_left;      /* threads */
} Readers;

static gpointer
read_members (gpointer data)
{
  Readers *readers = data;
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle;

  while ((handle = osiiso_group_next_completed (readers->group, -1, NULL, &error)) != NULL)
    {
      g_atomic_int_inc (&readers->n_given_out[osiiso_handle_get_index (handle)]);
      g_object_unref (handle);
    }
  g_assert_no_error (error);
  g_atomic_int_dec_and_test (&readers->n_left);
  return NULL;
}

static void
test_next_many (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const guint n = 500;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, n, test_task_none, NULL, NULL, NULL, NULL);
  g_autofree int *n_given_out = g_new0 (int, n);
  Readers readers = { group, n_given_out, 3 };
  GThread *threads[3];

  g_test_summary ("Several threads that read a group get each member once");

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("read", read_members, &readers);
  test_run_all (queue);
  while (g_atomic_int_get (&readers.n_left) > 0)
    g_main_context_iteration (NULL, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (n_given_out[i], ==, 1);
  /* A reader that came late may have started the queue again. */
  test_run_all (queue);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoGroup *group;
  TestGate     both;
  int          n_read;
  int          n_refused;
} Siblings;

static void
wait_for_sibling (OsiisoAttempt *attempt,
                  gpointer       data)
{
  Siblings *siblings = data;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  test_gate_pass (&siblings->both);
  handle = osiiso_group_next_completed (siblings->group, -1, NULL, &error);
  if (handle != NULL)
    {
      g_assert_cmpuint (osiiso_handle_get_task_id (handle), !=, osiiso_attempt_get_task_id (attempt));
      g_atomic_int_inc (&siblings->n_read);
    }
  else
    {
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
      g_atomic_int_inc (&siblings->n_refused);
    }
}

static void
wait_for_own_group (OsiisoAttempt *attempt,
                    gpointer       group)
{
  GError *error = NULL;

  g_assert_null (osiiso_group_wait (group, -1, NULL, &error));
  osiiso_attempt_return_error (attempt, error);
}

static void
test_next_inside (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) waiting = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A member can wait for others of its group, and never for itself");

  osiiso_queue_set_workers (queue, 4);
  for (int round = 0; round < 50; round++)
    {
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      Siblings siblings = { .group = group };

      test_gate_init (&siblings.both);
      for (int i = 0; i < 2; i++)
        g_object_unref (osiiso_group_submit (group, wait_for_sibling, &siblings, NULL, NULL, NULL));
      g_assert_true (osiiso_queue_start (queue, NULL));
      test_gate_await (&siblings.both, 2);
      test_gate_open (&siblings.both);
      test_run_all (queue);
      /* The one that came second was refused, and the first one got that. */
      g_assert_cmpint (siblings.n_read, ==, 1);
      g_assert_cmpint (siblings.n_refused, ==, 1);
      test_gate_clear (&siblings.both);
    }

  handle = osiiso_group_submit (waiting, wait_for_own_group, waiting, NULL, NULL, NULL);
  test_run_all (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoGroup  *group;
  TestGate      both; /* the one who fails, and the one who is cancelled by that */
  OsiisoHandle *taken; /* (nullable) */
  GError       *error; /* (nullable) */
  int           left;  /* the one who is cancelled has come back, and uses this no more */
} Queuer;

static void
fail_at_gate (OsiisoAttempt *attempt,
              gpointer       user_data)
{
  Queuer *self = user_data;

  test_gate_pass (&self->both);
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
}

/* In the thread of the one who fails, when that has ended and nobody was told. */
static void
jump_the_queue (GCancellable *cancellable,
                gpointer      user_data)
{
  Queuer *self = user_data;

  self->taken = osiiso_group_next_completed (self->group, 0, NULL, &self->error);
}

static void
be_cancelled (OsiisoAttempt *attempt,
              gpointer       user_data)
{
  Queuer *self = user_data;
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  const gulong id = g_cancellable_connect (cancellable, G_CALLBACK (jump_the_queue), self, NULL);
  GPollFD fd;

  test_gate_pass (&self->both);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  g_poll (&fd, 1, -1);
  g_cancellable_release_fd (cancellable);
  g_cancellable_disconnect (cancellable, id);
  g_atomic_int_set (&self->left, TRUE);
}

static void
test_next_in_turn (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Queuer queuer = { .group = group };

  g_test_summary ("A member that has ended goes to who was first in line, also when it is not told yet");

  test_gate_init (&queuer.both);
  osiiso_queue_set_workers (queue, 2);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  g_object_unref (osiiso_group_submit (group, fail_at_gate, &queuer, NULL, NULL, NULL));
  g_object_unref (osiiso_queue_submit (queue, be_cancelled, &queuer, NULL, NULL, NULL));
  osiiso_group_next_completed_async (group, NULL, test_store_result, &result);
  test_gate_await (&queuer.both, 2);
  test_gate_open (&queuer.both);
  handle = osiiso_group_next_completed_finish (group, test_await_result (&result), &error);
  g_assert_no_error (error);
  g_assert_nonnull (handle);
  test_run_all (queue);
  /* A task is over when it is cancelled, whatever its function does. */
  while (!g_atomic_int_get (&queuer.left))
    g_thread_yield ();
  g_assert_null (queuer.taken);
  g_assert_error (queuer.error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&queuer.error);
  test_gate_clear (&queuer.both);
  test_queue_free (queue);
}

static void
test_outlives_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 5, return_index, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A group keeps its results when its queue is gone, and takes no more tasks");

  test_run_all (queue);
  test_queue_free (queue);
  handle = osiiso_group_get_handle (group, 4);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 4);
  summary = osiiso_group_wait (group, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
}

static void
store_wait (GObject      *group,
            GAsyncResult *result,
            gpointer      location)
{
  g_autoptr (GError) error = NULL;

  *(OsiisoRunSummary **) location = osiiso_group_wait_finish (OSIISO_GROUP (group), result, &error);
  g_assert_no_error (error);
}

static void
test_submit_after_wait (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, NULL, NULL);
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoHandle) late = NULL;

  g_test_summary ("A wait that was over before somebody submitted another member does not tell of that one");

  /* A run does not wait until the last member has told everybody. */
  osiiso_group_wait_async (group, NULL, store_wait, &summary);
  while (summary == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_clear_object (&summary);
  osiiso_queue_pause (queue);
  osiiso_group_wait_async (group, NULL, store_wait, &summary);
  late = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);
  g_assert_nonnull (late);
  while (summary == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (summary)), ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (late), ==, OSIISO_STATUS_PENDING);
  osiiso_queue_resume (queue);
  g_clear_object (&group);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_properties (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "batch");
  g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);
  g_autofree char *group_id = NULL;
  guint n_finished;

  g_test_summary ("A group has its properties");

  g_object_get (group, "group-id", &group_id, "n-finished", &n_finished, NULL);
  g_assert_cmpstr (group_id, ==, "batch");
  g_assert_cmpuint (n_finished, ==, 0);
  test_run_all (queue);
  g_object_get (group, "n-finished", &n_finished, NULL);
  g_assert_cmpuint (n_finished, ==, 1);
  test_queue_free (queue);
}

static void
test_wait_timeouts (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (GError) error = NULL;
  TestGate gate;

  g_test_summary ("Waits in the owner's thread end when their time is over, and say which times there are");

  test_gate_init (&gate);
  handle = osiiso_group_submit (group, test_task_gate, &gate, NULL, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  g_assert_null (osiiso_group_wait (group, 0.01, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_null (osiiso_group_next_completed (group, 0.01, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_false (osiiso_handle_wait (handle, 0.01, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_null (osiiso_group_wait (group, NAN, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (osiiso_group_next_completed (group, NAN, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);

  test_gate_open (&gate);
  summary = osiiso_group_wait (group, 3600, NULL, NULL);
  g_assert_nonnull (summary);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_queue_free (queue);
  test_gate_clear (&gate);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/group/map", test_map);
  g_test_add_func ("/group/map-data", test_map_data);
  g_test_add_func ("/group/submit", test_group_submit);
  g_test_add_func ("/group/wait", test_wait);
  test_add_for_backends ("/group/wait-async", test_wait_async);
  g_test_add_func ("/group/next-completed", test_next_completed);
  g_test_add_func ("/group/next-cancelled", test_next_cancelled);
  g_test_add_func ("/group/next-blocking", test_next_blocking);
  g_test_add_func ("/group/next-refused", test_next_refused);
  g_test_add_func ("/group/next-left", test_next_left);
  test_add_for_backends ("/group/next-many", test_next_many);
  g_test_add_func ("/group/next-inside", test_next_inside);
  g_test_add_func ("/group/next-in-turn", test_next_in_turn);
  g_test_add_func ("/group/outlives-queue", test_outlives_queue);
  g_test_add_func ("/group/properties", test_properties);
  g_test_add_func ("/group/wait-timeouts", test_wait_timeouts);

  test_add_for_backends ("/group/submit-after-wait", test_submit_after_wait);

  return g_test_run ();
}
