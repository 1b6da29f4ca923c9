/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conformance.h"

/* interrupt(), close(), and open() after close(). */

/* interrupt() */

typedef struct
{
  OsiisoQueue           *queue;
  TestGate               gate;
  OsiisoInterruptReason  reason;
  guint64                id;
  OsiisoAttempt         *attempt; /* kept to be looked at */
  int                    n_released;
} Inside;

static void
be_inside (OsiisoAttempt *attempt,
           gpointer       data)
{
  Inside *inside = data;

  inside->id = osiiso_attempt_get_task_id (attempt);
  inside->attempt = osiiso_attempt_ref (attempt);
  test_gate_pass (&inside->gate);
  /* Too late. */
  osiiso_attempt_return_int (attempt, 1);
}

static void
release_inside (gpointer data)
{
  g_atomic_int_inc (&((Inside *) data)->n_released);
}

static gpointer
interrupt_inside (gpointer data)
{
  Inside *inside = data;
  g_autoptr (OsiisoHandle) handle = NULL;

  test_gate_await (&inside->gate, 1);
  handle = osiiso_queue_lookup (inside->queue, inside->id);
  if (inside->reason == OSIISO_INTERRUPT_REASON_TIMED_OUT)
    osiiso_private_test_hooks ()->clock_advance (G_USEC_PER_SEC);
  else
    osiiso_handle_cancel (handle);
  conformance_check (osiiso_handle_is_done (handle), "an interrupted task is still running");
  test_gate_open (&inside->gate);
  return NULL;
}

static void
test_interrupt (OsiisoInterruptReason reason)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  Inside inside = { .queue = queue, .reason = reason };
  g_autoptr (OsiisoHandle) handle = NULL;
  GThread *thread;

  test_manual_clock ();
  test_gate_init (&inside.gate);
  osiiso_queue_set_workers (queue, 1);
  thread = g_thread_new ("interrupt", interrupt_inside, &inside);
  handle = osiiso_queue_submit (queue, be_inside, &inside, release_inside, options, NULL);
  conformance_wait_for (queue, "interrupt() to return while the function is inside");
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_thread_join (thread);

  if (reason == OSIISO_INTERRUPT_REASON_TIMED_OUT)
    conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "a timeout");
  else
    conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "a cancellation");
  conformance_wait_for (queue, "the cancellable of an interrupted attempt to be cancelled");
  while (!g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (inside.attempt)))
    g_main_context_iteration (NULL, FALSE);
  conformance_check (inside.n_released == 0, "the data of an attempt were released that is still there");
  osiiso_attempt_unref (inside.attempt);
  conformance_wait_for (NULL, "the data of an interrupted task to be released: drop the reference on the attempt when it was run");
  conformance_await (&inside.n_released, 1);

  /* It goes on, with as many workers as before. */
  conformance_push (queue, test_task_none, NULL, NULL, NULL);
  conformance_join (queue);
  conformance_check (osiiso_queue_get_completed_count (queue) == 2, "no task ends after an interrupted one");
  conformance_queue_free (queue);
  test_gate_clear (&inside.gate);
}

static void
test_interrupt_timed_out (void)
{
  test_interrupt (OSIISO_INTERRUPT_REASON_TIMED_OUT);
}

static void
test_interrupt_cancelled (void)
{
  test_interrupt (OSIISO_INTERRUPT_REASON_CANCELLED);
}

static gpointer
report_and_drop (gpointer attempt)
{
  osiiso_attempt_return_int (attempt, 1);
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
test_interrupt_stale (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, "retries", 1, NULL);
  OsiisoAttempt *attempt = NULL;
  OsiisoAttempt *first;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, options);

  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  conformance_wait_for (queue, "a function to defer its attempt");
  while ((first = g_atomic_pointer_get (&attempt)) == NULL)
    g_main_context_iteration (NULL, FALSE);
  hooks->clock_advance (G_USEC_PER_SEC);
  conformance_wait_for (queue, "the second attempt, after a timeout of the first one");
  while (g_atomic_pointer_get (&attempt) == first)
    g_main_context_iteration (NULL, FALSE);

  /* The first attempt is still there and reports now. */
  g_thread_join (g_thread_new ("report", report_and_drop, first));
  conformance_check (osiiso_handle_get_status (handle) == OSIISO_STATUS_RUNNING, "the report of a stale attempt was counted");
  g_thread_join (g_thread_new ("report", report_and_drop, attempt));
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

/* close() */

static void
test_close_idle (void)
{
  for (int round = 0; round < 50; round++)
    {
      OsiisoQueue *queue = conformance_queue_new ();
      OsiisoBackend *backend = osiiso_queue_get_backend (queue);

      conformance_start (queue);
      /* Workers may be on their way only, or wait for something to do. */
      if (round % 2)
        {
          conformance_push (queue, test_task_none, NULL, NULL, NULL);
          conformance_join (queue);
        }
      conformance_shutdown (queue, round % 3 == 0);
      conformance_check (osiiso_queue_get_closed (queue), "the queue is not closed");
      conformance_check (osiiso_backend_take (backend) == NULL, "there is an attempt after close()");
      conformance_wait_for (NULL, "take_wait() to return after close()");
      conformance_check (osiiso_backend_take_wait (backend) == NULL, "there is an attempt after close()");
      conformance_queue_free (queue);
    }
}

static void
test_close_graceful (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 10.0, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = NULL;
  int n_calls = 0;
  gboolean ok;

  /* One for the attempt that is deferred. */
  osiiso_queue_set_workers (queue, 2);
  for (int i = 0; i < 100; i++)
    conformance_push (queue, conformance_count, &n_calls, NULL, i % 2 ? delayed : NULL);
  conformance_push (queue, test_task_defer, &attempt, NULL, NULL);
  conformance_start (queue);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  ok = osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error) != 0;
  conformance_check (!ok && g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED),
                     "a queue that is closing accepts tasks");
  conformance_wait_for (queue, "tasks to run while the queue is being shut down");
  while (g_atomic_int_get (&n_calls) < 50 || g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  conformance_wait_for (queue, "delayed tasks to run while the queue is being shut down");
  conformance_await (&n_calls, 100);
  conformance_check (!osiiso_queue_get_closed (queue), "the queue is closed while an attempt is still deferred");
  report_and_drop (attempt);
  conformance_shutdown (queue, FALSE);
  conformance_check (osiiso_queue_get_completed_count (queue) == 101, "not all tasks ended before the queue was closed");
  conformance_queue_free (queue);
}

static void
test_close_force (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, NULL);

  conformance_start (queue);
  conformance_wait_for (queue, "a function to defer its attempt");
  while (g_atomic_pointer_get (&attempt) == NULL)
    g_main_context_iteration (NULL, FALSE);
  /* One that waits, for ever, and one that cuts it short. */
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  conformance_shutdown (queue, TRUE);
  conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "a forced shutdown");
  report_and_drop (attempt);
  conformance_queue_free (queue);
}

static gpointer
close_inside (gpointer data)
{
  Inside *inside = data;

  test_gate_await (&inside->gate, 1);
  conformance_wait_for (inside->queue, "a forced shutdown to return while a function is inside that does not listen");
  conformance_check (osiiso_queue_shutdown (inside->queue, TRUE, NULL, NULL), "a forced shutdown failed");
  conformance_check (inside->n_released == 0, "data were released that a function still uses");
  test_gate_open (&inside->gate);
  return NULL;
}

static void
test_close_inside (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  Inside inside = { .queue = queue };
  g_autoptr (OsiisoHandle) handle = NULL;
  GThread *thread;

  test_gate_init (&inside.gate);
  thread = g_thread_new ("close", close_inside, &inside);
  handle = osiiso_queue_submit (queue, be_inside, &inside, release_inside, NULL, NULL);
  conformance_start (queue);
  conformance_wait_for (queue, "a function to be called");
  while (!osiiso_handle_is_done (handle))
    g_main_context_iteration (NULL, FALSE);
  g_thread_join (thread);
  osiiso_attempt_unref (inside.attempt);
  conformance_wait_for (NULL, "the data of an interrupted task to be released when its function has returned");
  conformance_await (&inside.n_released, 1);
  conformance_queue_free (queue);
  test_gate_clear (&inside.gate);
}

/* open() again, after close(), on behalf of the same queue. */

static void
reset (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = osiiso_queue_reset (queue, &error);

  conformance_check (ok, "a queue that was closed cannot be reset: %s", ok ? "" : error->message);
}

static void
test_open_again (void)
{
  OsiisoQueue *queue = conformance_queue_new ();

  for (int round = 1; round <= 50; round++)
    {
      int n_calls = 0;

      osiiso_queue_set_workers (queue, 1 + (guint) round % 4);
      for (int i = 0; i < 20; i++)
        conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      conformance_join_succeeded (queue, 20);
      conformance_shutdown (queue, round % 2 == 0);
      conformance_check (n_calls == 20, "in round %d, 20 tasks were run %d times", round, n_calls);
      reset (queue);
    }
  conformance_queue_free (queue);
}

typedef struct
{
  Inside inside;
  int    n_calls;
} Again;

static gpointer
open_again_inside (gpointer data)
{
  Again *again = data;
  OsiisoQueue *queue = again->inside.queue;

  test_gate_await (&again->inside.gate, 1);
  conformance_wait_for (queue, "a forced shutdown to return while a function is inside that does not listen");
  conformance_check (osiiso_queue_shutdown (queue, TRUE, NULL, NULL), "a forced shutdown failed");
  reset (queue);
  for (int i = 0; i < 20; i++)
    conformance_push (queue, conformance_count, &again->n_calls, NULL, NULL);
  conformance_start (queue);
  test_gate_open (&again->inside.gate);
  return NULL;
}

static void
test_open_again_inside (void)
{
  Again again = { .inside = { .queue = conformance_queue_new () } };
  OsiisoQueue *queue = again.inside.queue;
  GThread *thread;

  test_gate_init (&again.inside.gate);
  osiiso_queue_set_workers (queue, 1);
  thread = g_thread_new ("again", open_again_inside, &again);
  conformance_push (queue, be_inside, &again.inside, release_inside, NULL);
  conformance_start (queue);
  conformance_wait_for (queue, "tasks to run in a queue that was closed and opened again while a function was inside");
  conformance_await (&again.n_calls, 20);
  g_thread_join (thread);
  conformance_join_succeeded (queue, 20);
  osiiso_attempt_unref (again.inside.attempt);
  conformance_wait_for (NULL, "the data of a task to be released whose function was inside while the queue was closed");
  conformance_await (&again.inside.n_released, 1);
  conformance_queue_free (queue);
  test_gate_clear (&again.inside.gate);
}

const ConformanceCase conformance_close[] = {
  { "/conformance/open/again", test_open_again, "It can be opened again after close(), when its queue was reset" },
  { "/conformance/open/again-inside", test_open_again_inside, "It can be opened again while a function of its former life is inside" },
  { "/conformance/interrupt/timed-out", test_interrupt_timed_out, "It goes on after a function whose attempt timed out" },
  { "/conformance/interrupt/cancelled", test_interrupt_cancelled, "It goes on after a function whose task was cancelled" },
  { "/conformance/interrupt/stale", test_interrupt_stale, "A stale attempt may report while the next one is under way" },
  { "/conformance/close/idle", test_close_idle, "It closes when it has nothing to do" },
  { "/conformance/close/graceful", test_close_graceful, "It goes on while the queue drains, and closes then" },
  { "/conformance/close/force", test_close_force, "A forced shutdown cuts short one that waits" },
  { "/conformance/close/inside", test_close_inside, "A forced shutdown does not wait for a function that does not listen" },
  { NULL, NULL, NULL }
};
