/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* What has a place in a queue of a bounded size. */

static void
assert_full (OsiisoQueue *queue,
             const char  *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (osiiso_queue_try_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, message);
}

/* A task in each state, so that there is no room for another one. */
static void
test_every_state (gconstpointer backend)
{
  OsiisoQueue *queue = semantics_queue_new (backend, 1);
  g_autoptr (OsiisoTaskOptions) flaky = test_options_new ("retries", 1, "retry-delay", 50.0, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 100.0, NULL);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) retrying = NULL;
  g_autoptr (OsiisoHandle) queued = NULL;
  g_autoptr (OsiisoHandle) last = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A task has its place from the submission to the end: waiting, running, between attempts, detached");

  osiiso_queue_set_size (queue, 5);
  retrying = test_submit (queue, semantics_task_second, NULL, flaky);
  semantics_await_retrying (queue, retrying);
  test_submit_and_drop (queue, test_task_defer, &slot, NULL);
  semantics_await (&slot);
  queued = test_submit (queue, test_task_none, NULL, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, delayed);
  test_submit_and_drop (queue, test_task_none, NULL, detached);
  assert_full (queue, "queue is full (5 tasks outstanding)");

  g_assert_true (osiiso_handle_cancel (queued));
  last = osiiso_queue_try_submit (queue, test_task_none, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  assert_full (queue, "queue is full (5 tasks outstanding)");
  semantics_succeed (&slot);
  semantics_advance (100);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  semantics_assert_ended (last, OSIISO_STATUS_SUCCEEDED, 1, "");
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/size/every-state", test_every_state);

  return g_test_run ();
}
