/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* How often a task is tried, when, and what goes on meanwhile. */

static OsiisoTaskOptions *
retry_options (int    retries,
               double delay,
               double backoff)
{
  return test_options_new ("retries", retries, "retry-delay", delay, "backoff", backoff, NULL);
}

/* Waits for the end of attempt @n, then checks that the next one may begin after
 * @wait and not earlier. */
static void
assert_retried_after (OsiisoQueue  *queue,
                      OsiisoHandle *handle,
                      guint         n,
                      double        wait)
{
  while (osiiso_queue_get_scheduled_count (queue) == 0)
    semantics_turn ();
  semantics_await_retrying (queue, handle);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, n);
  semantics_advance (wait - 0.001);
  semantics_settle ();
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, n);
  semantics_advance (0.001);
}

static void
test_waits (gconstpointer backend)
{
  static const struct
  {
    double delay;
    double backoff;
    double waits[3];
  } cases[] = {
    { 2, 3, { 2, 6, 18 } },
    { 4, 1, { 4, 4, 4 } },
    { 8, 0.5, { 8, 4, 2 } },
  };
  OsiisoQueue *queue = semantics_queue_new (backend, 1);

  g_test_summary ("The wait before attempt k is retry-delay times backoff to the power of k - 2");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = retry_options (3, cases[i].delay, cases[i].backoff);
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, options);
      double sum = 0;

      for (guint k = 0; k < 3; k++)
        {
          assert_retried_after (queue, handle, k + 1, cases[i].waits[k]);
          sum += cases[i].waits[k];
        }
      semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 4, "attempt 4 failed");
      g_assert_cmpfloat_with_epsilon (osiiso_handle_get_duration (handle), sum, 1e-6);
    }
  test_queue_free (queue);
}

static void
test_jitter (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, "retry-delay", 10.0, "jitter", 0.5,
                                                            "max-retry-delay", 10.0, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 100, test_task_fail, NULL, NULL, options, NULL);

  g_test_summary ("Jitter makes a wait shorter or longer, and then the longest wait cuts it down");

  while (osiiso_queue_get_scheduled_count (queue) < 100)
    semantics_turn ();
  semantics_advance (4.999);
  semantics_settle ();
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 100);
  /* Half of them are cut down; one in 2^100 times it is all or none. */
  semantics_advance (5);
  semantics_settle ();
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), >, 0);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), <, 100);
  semantics_advance (0.001);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 100);
  test_queue_free (queue);
}

static void
test_default (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_fail, NULL, NULL);

  g_test_summary ("Without the option there is no retry");

  semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 1, "attempt 1 failed");
  test_queue_free (queue);
}

static void
test_stops_at_success (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = retry_options (5, 0, 1);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, semantics_task_second, NULL, options);

  g_test_summary ("After an attempt that succeeded there is no other, and earlier errors are forgotten");

  semantics_assert_ended (handle, OSIISO_STATUS_SUCCEEDED, 2, "");
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  test_queue_free (queue);
}

/* Fails in every attempt, and submits something more urgent in the first. */
typedef struct
{
  OsiisoQueue *queue;
  TestLog      log;
} Interleaved;

static void
log_and_fail (OsiisoAttempt *attempt,
              gpointer       data)
{
  Interleaved *self = data;
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("name", "urgent", "priority", 0, NULL);

  semantics_task_log (attempt, &self->log);
  if (osiiso_attempt_get_number (attempt) == 1)
    test_submit_and_drop (self->queue, semantics_task_log, &self->log, urgent);
  test_task_fail (attempt, NULL);
}

static void
test_at_once (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) first = test_options_new ("name", "first", "retries", 2, NULL);
  g_autoptr (OsiisoTaskOptions) second = test_options_new ("name", "second", NULL);
  Interleaved data = { .queue = queue };

  g_test_summary ("A retry without a wait comes before later tasks of its priority, and after more urgent ones");

  test_log_init (&data.log);
  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, log_and_fail, &data, first);
  test_submit_and_drop (queue, semantics_task_log, &data.log, second);
  test_run_all (queue);
  semantics_assert_log (&data.log, "first urgent first first second");
  test_queue_free (queue);
  test_log_clear (&data.log);
}

static gboolean
count_turn (gpointer counter)
{
  (*(int *) counter)++;
  return G_SOURCE_CONTINUE;
}

static void
test_lets_others_run (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("main-loop", &error);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoTaskOptions) options = retry_options (100, 0, 1);
  int n_turns = 0;
  guint id;

  g_test_summary ("On main-loop other sources get their turn between attempts that follow each other at once");

  g_assert_no_error (error);
  /* One task in a turn, however fast it is. */
  g_object_set (backend, "slice", 0.0, NULL);
  id = g_timeout_add_full (G_PRIORITY_DEFAULT, 0, count_turn, &n_turns, NULL);
  test_submit_and_drop (queue, test_task_fail, NULL, options);
  test_run_all (queue);
  g_assert_cmpint (n_turns, >=, 100);
  g_source_remove (id);
  test_queue_free (queue);
}

static void
test_holds_no_worker (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = retry_options (1, 10, 1);
  g_autoptr (OsiisoHandle) waiting = test_submit (queue, semantics_task_second, NULL, options);
  g_autoptr (OsiisoGroup) others = NULL;

  g_test_summary ("While a task waits for its retry the only worker does other work");

  semantics_await_retrying (queue, waiting);
  others = osiiso_queue_map (queue, 20, test_task_none, NULL, NULL, NULL, NULL);
  while (osiiso_group_get_n_finished (others) < 20)
    semantics_turn ();
  g_assert_cmpint (osiiso_handle_get_status (waiting), ==, OSIISO_STATUS_RETRYING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  semantics_advance (10);
  semantics_assert_ended (waiting, OSIISO_STATUS_SUCCEEDED, 2, "");
  test_queue_free (queue);
}

static void
fail_somehow (OsiisoAttempt *attempt,
              gpointer       unused)
{
  static const struct
  {
    int code;
    const char *message;
  } errors[] = {
    { G_IO_ERROR_NOT_FOUND, "not found" },
    { G_IO_ERROR_CANCELLED, "cancelled by somebody else" },
    { G_IO_ERROR_TIMED_OUT, "timed out somewhere else" },
  };
  const guint index = osiiso_attempt_get_index (attempt);

  if (index < G_N_ELEMENTS (errors))
    osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, errors[index].code, errors[index].message);
  else if (index == 3)
    osiiso_attempt_return_error_literal (attempt, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, "of this library");
  else
    osiiso_attempt_unref (osiiso_attempt_defer (attempt));
}

static void
test_any_error (gconstpointer backend)
{
  static const char * const messages[] = {
    "not found", "cancelled by somebody else", "timed out somewhere else", "of this library",
    "attempt 3 of task 'any' was dropped without a report",
  };
  OsiisoQueue *queue = semantics_queue_new (backend, 2);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "any", "retries", 2, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 5, fail_somehow, NULL, NULL, options, NULL);

  g_test_summary ("An error of any kind is retried, one that says cancelled or timed out included");

  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      semantics_assert_ended (handle, OSIISO_STATUS_FAILED, 3, messages[i]);
    }
  test_queue_free (queue);
}

typedef struct
{
  OsiisoAttempt *slot;
  TestLog       *log;
} Second;

/* The first attempt ends when the test says so, the second one is logged. */
static void
log_second (OsiisoAttempt *attempt,
            gpointer       data)
{
  Second *self = data;

  if (osiiso_attempt_get_number (attempt) == 1)
    test_task_defer (attempt, &self->slot);
  else
    semantics_task_log (attempt, self->log);
}

static void
test_by_priority (gconstpointer backend)
{
  static const int priorities[] = { 5, 3, 3, 1 };
  static const char * const names[] = { "a", "b", "c", "d" };
  OsiisoQueue *queue = semantics_queue_new (backend, 4);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  Second data[4];
  TestLog log;

  g_test_summary ("Tasks whose waits are over at the same time take their turn by priority and submission");

  test_log_init (&log);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", names[i], "priority", priorities[i],
                                                                "retries", 1, "retry-delay", 10.0, NULL);

      data[i] = (Second) { NULL, &log };
      g_ptr_array_add (handles, test_submit (queue, log_second, &data[i], options));
    }
  /* The first attempts fail in another order. */
  for (guint i = 4; i-- > 0;)
    {
      semantics_fail (&data[i].slot, "not yet");
      semantics_await_retrying (queue, g_ptr_array_index (handles, i));
    }
  osiiso_queue_set_workers (queue, 1);
  semantics_advance (10);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  semantics_assert_log (&log, "d b c a");
  test_queue_free (queue);
  test_log_clear (&log);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/retries/waits", test_waits);
  test_add_for_backends ("/semantics/retries/jitter", test_jitter);
  test_add_for_backends ("/semantics/retries/default", test_default);
  test_add_for_backends ("/semantics/retries/stops-at-success", test_stops_at_success);
  test_add_for_backends ("/semantics/retries/at-once", test_at_once);
  g_test_add_func ("/semantics/retries/lets-others-run", test_lets_others_run);
  test_add_for_backends ("/semantics/retries/holds-no-worker", test_holds_no_worker);
  test_add_for_backends ("/semantics/retries/any-error", test_any_error);
  test_add_for_backends ("/semantics/retries/by-priority", test_by_priority);

  return g_test_run ();
}
