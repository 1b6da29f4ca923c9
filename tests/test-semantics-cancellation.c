/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* What ends tasks before their time: which tasks it ends, in which state, and
 * what is left of them. */

typedef enum
{
  EVENT_SHUTDOWN,
  EVENT_TIMEOUT_COMPLETE,
  EVENT_TIMEOUT_CANCEL,
  EVENT_FAIL_FIRST,
  EVENT_HANDLE,
  EVENT_GROUP,
  EVENT_FORCE,
  EVENT_QUEUE,
} Event;

/* Does it end ordinary tasks, and those that must complete? */
static const struct
{
  const char *name;
  gboolean ends[2];
} events[] = {
  [EVENT_SHUTDOWN] = { "shutdown", { FALSE, FALSE } },
  [EVENT_TIMEOUT_COMPLETE] = { "timeout-complete", { TRUE, FALSE } },
  [EVENT_TIMEOUT_CANCEL] = { "timeout-cancel", { TRUE, TRUE } },
  [EVENT_FAIL_FIRST] = { "fail-first", { TRUE, FALSE } },
  [EVENT_HANDLE] = { "handle", { TRUE, TRUE } },
  [EVENT_GROUP] = { "group", { TRUE, TRUE } },
  [EVENT_FORCE] = { "force", { TRUE, TRUE } },
  [EVENT_QUEUE] = { "queue", { TRUE, TRUE } },
};

static const char * const backends[] = { "main-loop", "thread-pool" };

enum
{
  RETRYING,
  RUNNING,
  SCHEDULED,
  QUEUED,
  N_STATES,
};

/* A task in each state, once an ordinary one and once one that must complete,
 * and one that is running and decides when work goes on. */
typedef struct
{
  OsiisoQueue   *queue;
  OsiisoGroup   *group;
  OsiisoHandle  *handles[N_STATES][2];
  OsiisoAttempt *slots[2];
  OsiisoAttempt *trigger;
  GAsyncResult  *run;
  GAsyncResult  *shutdown;
  int            n_completed;
} Matrix;

static OsiisoHandle *
add_member (Matrix        *self,
            OsiisoTaskFunc func,
            gpointer       data,
            const char    *delay,
            double         seconds,
            gboolean       must_complete)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "must-complete", must_complete,
                                                            delay, seconds, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_group_submit (self->group, func, data, NULL, options, &error);

  g_assert_no_error (error);
  return handle;
}

static void
count_event (int *counter)
{
  (*counter)++;
}

static void
matrix_init (Matrix     *self,
             const char *backend)
{
  g_autoptr (OsiisoTaskOptions) must = test_options_new ("must-complete", TRUE, NULL);

  *self = (Matrix) { .queue = semantics_queue_new (backend, 3) };
  g_signal_connect_swapped (self->queue, "on-complete", G_CALLBACK (count_event), &self->n_completed);
  self->group = osiiso_queue_new_group (self->queue, NULL);
  for (guint i = 0; i < 2; i++)
    {
      self->handles[RETRYING][i] = add_member (self, semantics_task_second, NULL, "retry-delay", 50, i == 1);
      semantics_await_retrying (self->queue, self->handles[RETRYING][i]);
    }
  test_submit_and_drop (self->queue, test_task_defer, &self->trigger, must);
  semantics_await (&self->trigger);
  for (guint i = 0; i < 2; i++)
    {
      self->handles[RUNNING][i] = add_member (self, test_task_defer, &self->slots[i], "delay", 0, i == 1);
      semantics_await (&self->slots[i]);
    }
  /* All workers are taken now. */
  for (guint i = 0; i < 2; i++)
    {
      self->handles[SCHEDULED][i] = add_member (self, test_task_none, NULL, "delay", 100, i == 1);
      self->handles[QUEUED][i] = add_member (self, test_task_none, NULL, "delay", 0, i == 1);
    }
}

static void
matrix_cause (Matrix *self,
              Event   event)
{
  const gboolean with_timeout = event == EVENT_TIMEOUT_COMPLETE || event == EVENT_TIMEOUT_CANCEL;

  if (event == EVENT_TIMEOUT_CANCEL)
    osiiso_queue_set_on_timeout (self->queue, OSIISO_TIMEOUT_POLICY_CANCEL);
  if (with_timeout)
    osiiso_queue_set_timeout (self->queue, 30);
  if (event == EVENT_FAIL_FIRST)
    osiiso_queue_set_fail_policy (self->queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_run_async (self->queue, NULL, test_store_result, &self->run);
  semantics_settle ();
  /* One after the other is cancelled here, and none may take the place of another. */
  if (event == EVENT_HANDLE)
    osiiso_queue_pause (self->queue);

  if (event == EVENT_SHUTDOWN || event == EVENT_FORCE)
    osiiso_queue_shutdown_async (self->queue, event == EVENT_FORCE, NULL, test_store_result, &self->shutdown);
  else if (with_timeout)
    semantics_advance (30);
  else if (event == EVENT_FAIL_FIRST)
    semantics_fail (&self->trigger, "first");
  else if (event == EVENT_GROUP)
    g_assert_cmpuint (osiiso_group_cancel (self->group), ==, 2 * N_STATES);
  else if (event == EVENT_QUEUE)
    osiiso_queue_cancel (self->queue);
  else
    for (guint state = 0; state < N_STATES; state++)
      for (guint i = 0; i < 2; i++)
        g_assert_true (osiiso_handle_cancel (self->handles[state][i]));
}

static void
assert_cancelled (OsiisoHandle *handle,
                  guint         state)
{
  g_autoptr (GError) error = NULL;

  semantics_await_status (handle, OSIISO_STATUS_CANCELLED);
  g_assert_false (osiiso_handle_cancel (handle));
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  if (state == RUNNING || state == RETRYING)
    semantics_assert_ended (handle, OSIISO_STATUS_CANCELLED, 1, "cancelled");
  else
    semantics_assert_ended (handle, OSIISO_STATUS_CANCELLED, 0, "cancelled before execution");
}

static void
matrix_check (Matrix *self,
              Event   event)
{
  static const OsiisoStatus before[] = {
    [RETRYING] = OSIISO_STATUS_RETRYING,
    [RUNNING] = OSIISO_STATUS_RUNNING,
    [SCHEDULED] = OSIISO_STATUS_PENDING,
    [QUEUED] = OSIISO_STATUS_PENDING,
  };

  for (guint state = 0; state < N_STATES; state++)
    for (guint i = 0; i < 2; i++)
      {
        OsiisoHandle *handle = self->handles[state][i];

        if (events[event].ends[i])
          assert_cancelled (handle, state);
        /* What was cancelled has left its worker to what may still begin. */
        else if (state == QUEUED && events[event].ends[0])
          semantics_await_status (handle, OSIISO_STATUS_SUCCEEDED);
        else
          g_assert_cmpint (osiiso_handle_get_status (handle), ==, before[state]);
      }
}

/* Lets what was spared come to its end. */
static void
matrix_finish (Matrix *self,
               Event   event)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;

  osiiso_queue_resume (self->queue);
  if (self->trigger != NULL)
    semantics_succeed (&self->trigger);
  for (guint i = 0; i < 2; i++)
    semantics_succeed (&self->slots[i]);
  semantics_advance (100);
  for (guint state = 0; state < N_STATES; state++)
    for (guint i = 0; i < 2; i++)
      {
        if (!events[event].ends[i])
          semantics_assert_ended (self->handles[state][i], OSIISO_STATUS_SUCCEEDED, state == RETRYING ? 2 : 1, "");
        g_object_unref (self->handles[state][i]);
      }
  summary = semantics_run_finish (self->queue, &self->run);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, 2 * N_STATES + 1);
  g_assert_cmpint (osiiso_run_summary_get_timed_out (summary), ==,
                   event == EVENT_TIMEOUT_COMPLETE || event == EVENT_TIMEOUT_CANCEL);
  if (event == EVENT_SHUTDOWN || event == EVENT_FORCE)
    semantics_shutdown_finish (self->queue, &self->shutdown);
  g_assert_cmpint (self->n_completed, ==, 2 * N_STATES + 1);
  g_object_unref (self->group);
  test_queue_free (self->queue);
}

static void
test_matrix (gconstpointer data)
{
  const Event event = GPOINTER_TO_UINT (data) / G_N_ELEMENTS (backends);
  Matrix matrix;

  g_test_summary ("What ends which tasks, in every state that a task can be in");

  matrix_init (&matrix, backends[GPOINTER_TO_UINT (data) % G_N_ELEMENTS (backends)]);
  matrix_cause (&matrix, event);
  matrix_check (&matrix, event);
  matrix_finish (&matrix, event);
}

static void
test_times (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) running = test_submit (queue, test_task_defer, &slot, NULL);
  g_autoptr (OsiisoHandle) queued = NULL;
  const double now = semantics_now ();

  g_test_summary ("A task that was cancelled has the times up to then; one that never ran has no start");

  semantics_await (&slot);
  queued = test_submit (queue, test_task_none, NULL, NULL);
  semantics_advance (4);
  g_assert_true (osiiso_handle_cancel (queued));
  g_assert_true (osiiso_handle_cancel (running));
  g_assert_cmpfloat (osiiso_handle_get_started (queued), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_duration (queued), ==, 0);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_finished (queued), now + 4, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_started (running), now, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_finished (running), now + 4, 1e-6);
  g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (running), 4, 1e-6);
  semantics_succeed (&slot);
  test_queue_free (queue);
}

static void
return_and_cancel (OsiisoAttempt *attempt,
                   gpointer       handle)
{
  osiiso_attempt_return_int (attempt, 7);
  g_assert_true (osiiso_handle_cancel (*(OsiisoHandle **) handle));
}

static void
test_reported (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoHandle *handle = NULL;

  g_test_summary ("A function that has reported a value has succeeded, also when it is cancelled before it returns");

  handle = test_submit (queue, return_and_cancel, &handle, NULL);
  test_run_all (queue);
  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 1, "");
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 7);
  g_object_unref (handle);
  test_queue_free (queue);
}

static void
fail_and_cancel (OsiisoAttempt *attempt,
                 gpointer       handle)
{
  test_task_fail (attempt, NULL);
  g_assert_true (osiiso_handle_cancel (*(OsiisoHandle **) handle));
}

static void
test_reported_failure (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 3, NULL);
  OsiisoHandle *handle = NULL;

  g_test_summary ("A function that has reported an error has failed, also when it is cancelled then, and is not retried");

  handle = test_submit (queue, fail_and_cancel, &handle, options);
  test_run_all (queue);
  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, "attempt 1 failed");
  g_object_unref (handle);
  test_queue_free (queue);
}

static void
test_group_at_once (gconstpointer backend)
{
  guint n_run = 0;

  g_test_summary ("When a group is cancelled, none of its waiting members takes the place of a running one");

  for (int round = 0; round < 100; round++)
    {
      OsiisoQueue *queue = semantics_queue_new (backend, 1);
      OsiisoAttempt *slot = NULL;
      g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
      g_autoptr (OsiisoHandle) last = NULL;

      g_object_unref (osiiso_group_submit (group, test_task_defer, &slot, NULL, NULL, NULL));
      semantics_await (&slot);
      for (int i = 0; i < 50; i++)
        g_object_unref (osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL));
      osiiso_group_cancel (group);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      for (guint i = 1; i <= 50; i++)
        {
          g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

          n_run += osiiso_handle_get_attempts (handle);
        }
      semantics_succeed (&slot);
      test_queue_free (queue);
    }
  g_assert_cmpuint (n_run, ==, 0);
}

static void
note_thread (GCancellable *cancellable,
             gpointer      thread)
{
  g_atomic_pointer_set ((GThread **) thread, g_thread_self ());
}

static gpointer
cancel_thread (gpointer handle)
{
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_false (osiiso_handle_cancel (handle));
  return NULL;
}

static void
test_from_thread (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, NULL);
  OsiisoAttempt *attempt = semantics_take (&slot);
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  GThread *thread = NULL;

  g_test_summary ("Another thread may cancel and hears whether it did; on main-loop the function hears of it in its own");

  g_cancellable_connect (cancellable, G_CALLBACK (note_thread), &thread, NULL);
  g_thread_join (g_thread_new ("cancel", cancel_thread, handle));
  semantics_assert_ended (handle, OSIISO_STATUS_CANCELLED, 1, "cancelled");
  while (!g_cancellable_is_cancelled (cancellable))
    semantics_turn ();
  g_assert_nonnull (thread);
  if (g_str_equal (backend, "main-loop"))
    g_assert_true (thread == g_thread_self ());
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  for (guint event = 0; event < G_N_ELEMENTS (events); event++)
    for (guint i = 0; i < G_N_ELEMENTS (backends); i++)
      {
        g_autofree char *path = g_strdup_printf ("/semantics/cancellation/%s/%s", events[event].name, backends[i]);

        g_test_add_data_func (path, GUINT_TO_POINTER (event * G_N_ELEMENTS (backends) + i), test_matrix);
      }
  test_add_for_backends ("/semantics/cancellation/times", test_times);
  test_add_for_backends ("/semantics/cancellation/reported", test_reported);
  test_add_for_backends ("/semantics/cancellation/reported-failure", test_reported_failure);
  test_add_for_backends ("/semantics/cancellation/group-at-once", test_group_at_once);
  test_add_for_backends ("/semantics/cancellation/from-thread", test_from_thread);

  return g_test_run ();
}
