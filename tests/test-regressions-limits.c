/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-regressions.h"

/* Limits that nobody could get past any more. */

/* Item 6: a bounded queue that is filled before it is started, or by a task in
 * its only worker. */

typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
  int          submitted;
} Filling;

static gpointer
fill_beyond_size (gpointer data)
{
  Filling *filling = data;

  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GError) error = NULL;

      osiiso_queue_push (filling->queue, test_count_call, &filling->n_calls, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  g_atomic_int_set (&filling->submitted, 1);
  return NULL;
}

static void
test_06_before_start (gconstpointer backend)
{
  Filling filling = { test_queue_new (backend), 0, 0 };

  g_test_summary ("Who fills a queue that was not started gets its room, because the queue is started for that");

  osiiso_queue_set_size (filling.queue, 3);
  /* In the owner's thread only where that is not the one that runs the tasks. */
  if (g_str_equal (backend, "main-loop"))
    {
      GThread *thread = g_thread_new ("fill", fill_beyond_size, &filling);

      test_iterate_until (&filling.submitted);
      g_thread_join (thread);
    }
  else
    {
      fill_beyond_size (&filling);
    }
  g_assert_true (osiiso_queue_join (filling.queue, NULL, NULL));
  g_assert_cmpint (filling.n_calls, ==, 20);
  test_queue_free (filling.queue);
}

static void
test_06_owner_refused (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (GError) error = NULL;
  int n_calls = 0;
  int n_destroyed = 0;

  g_test_summary ("Where waiting for room could never end, the call fails at once, and what it was given is let go");

  osiiso_queue_set_size (queue, 3);
  for (int i = 0; i < 3; i++)
    test_submit_and_drop (queue, test_count_call, &n_calls, NULL);
  g_assert_cmpuint (osiiso_queue_push (queue, test_count_call, &n_destroyed, test_count, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "queue is full (3 tasks outstanding)");
  test_run_all (queue);
  g_assert_cmpint (n_calls, ==, 3);
  g_assert_cmpint (n_destroyed, ==, 1);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  guint        room; /* besides this task */
  int          code; /* of the error after that */
  int          n_calls;
} Reentrant;

static void
submit_into_own (OsiisoAttempt *attempt,
                 gpointer       data)
{
  Reentrant *self = data;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < self->room; i++)
    test_submit_and_drop (self->queue, test_count_call, &self->n_calls, NULL);
  g_assert_cmpuint (osiiso_queue_push (self->queue, test_count_call, &self->n_calls, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, self->code);
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_try_push (self->queue, test_count_call, &self->n_calls, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
}

static void
test_06_from_only_worker (gconstpointer backend)
{
  const int code = g_str_equal (backend, "main-loop") ? OSIISO_QUEUE_ERROR_FULL : OSIISO_QUEUE_ERROR_WOULD_DEADLOCK;

  g_test_summary ("A task that submits into its own full queue from its only worker hears that, and goes on");

  for (guint size = 1; size <= 3; size++)
    {
      Reentrant reentrant = { test_queue_new (backend), size - 1, code, 0 };
      g_autoptr (OsiisoHandle) handle = NULL;

      osiiso_queue_set_workers (reentrant.queue, 1);
      osiiso_queue_set_size (reentrant.queue, size);
      handle = test_submit (reentrant.queue, submit_into_own, &reentrant, NULL);
      test_run_all (reentrant.queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpint (reentrant.n_calls, ==, (int) size - 1);
      test_queue_free (reentrant.queue);
    }
}

/* Item 23, the other wait that took a worker: for the rate. */

static void
test_23_rate (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoHandle *handles[5];
  int n_calls = 0;

  g_test_summary ("A task that waits for the rate is pending and in no worker, so it can be cancelled and overtaken");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_rate (queue, 0.01);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    handles[i] = test_submit (queue, test_count_call, &n_calls, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_done (handles[0]);
  for (guint i = 1; i < G_N_ELEMENTS (handles); i++)
    g_assert_cmpint (osiiso_handle_get_status (handles[i]), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  /* A task is counted out a moment after it has ended. */
  while (osiiso_queue_get_pending_count (queue) > 4)
    g_thread_yield ();
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 4);

  /* Who is first is decided when the time has come. */
  g_assert_true (osiiso_handle_cancel (handles[1]));
  g_assert_true (osiiso_handle_set_priority (handles[4], 0));
  hooks->clock_advance (100 * G_USEC_PER_SEC);
  test_await_done (handles[4]);
  g_assert_cmpint (osiiso_handle_get_status (handles[2]), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpint (n_calls, ==, 2);

  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    g_object_unref (handles[i]);
  test_queue_free (queue);
  hooks->clock_set_manual (0);
}

void
test_add_regressions_limits (void)
{
  test_add_for_backends ("/regressions/item-06-filled-before-start", test_06_before_start);
  g_test_add_func ("/regressions/item-06-owner-refused", test_06_owner_refused);
  test_add_for_backends ("/regressions/item-06-from-only-worker", test_06_from_only_worker);
  test_add_for_backends ("/regressions/item-23-rate", test_23_rate);
}
