/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "conformance.h"

/* The slots of OsiisoBackendClass, one after the other. */

/* open() */

static void
test_describe (void)
{
  g_autoptr (OsiisoBackend) first = conformance_backend_new ();
  g_autoptr (OsiisoBackend) second = conformance_backend_new ();

  conformance_check (osiiso_backend_get_capabilities (first) == osiiso_backend_get_capabilities (second),
                     "two new objects have different capabilities");
  conformance_check (OSIISO_BACKEND_GET_CLASS (first)->get_default_workers (first) >= 1,
                     "get_default_workers() returned 0");
  conformance_check (osiiso_backend_get_workers (first) == osiiso_backend_get_workers (second),
                     "two new objects have different numbers of workers");
  conformance_check (osiiso_backend_take (first) == NULL, "it has an attempt before it has a queue");
}

static void
test_open (void)
{
  g_autoptr (OsiisoBackend) backend = conformance_backend_new ();

  /* The second round is a second queue on the same object. */
  for (int round = 0; round < 2; round++)
    {
      OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
      int n_calls = 0;
      int n_gone = 0;

      conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      conformance_check (n_calls == 0, "a function was called before open()");
      conformance_start (queue);
      conformance_start (queue);
      conformance_join (queue);
      conformance_check (n_calls == 1, "a task that was submitted before open() was not run, in round %d", round + 1);
      conformance_shutdown (queue, FALSE);
      g_object_weak_ref (G_OBJECT (queue), (GWeakNotify) conformance_count_release, &n_gone);
      g_object_unref (queue);
      conformance_wait_for (NULL, "the queue to be freed");
      conformance_await (&n_gone, 1);
    }
}

static void
test_open_never (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  int n_released = 0;

  test_manual_clock ();
  conformance_push (queue, test_task_none, &n_released, conformance_count_release, NULL);
  conformance_push (queue, test_task_none, &n_released, conformance_count_release, delayed);
  conformance_queue_free (queue);
  conformance_check (n_released == 2, "the data of tasks that were never run were not released");
}

/* Where threads cannot be had, for as long as @none. */
static gboolean
set_no_threads (gboolean none)
{
#ifdef __GLIBC__
  static size_t usual;
  pthread_attr_t attr;
  gboolean ok;

  pthread_getattr_default_np (&attr);
  if (none)
    pthread_attr_getstacksize (&attr, &usual);
  ok = pthread_attr_setstacksize (&attr, none ? (size_t) 1 << 50 : usual) == 0 && pthread_setattr_default_np (&attr) == 0;
  pthread_attr_destroy (&attr);
  return ok;
#else
  return FALSE;
#endif
}

static void
test_open_fails (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok;

  if (!set_no_threads (TRUE))
    {
      g_test_message ("there is no way to forbid threads on this system");
      conformance_queue_free (queue);
      return;
    }
  conformance_wait_for (NULL, "open() to return while the system has no thread left");
  ok = osiiso_queue_start (queue, &error);
  conformance_check (ok == (error == NULL), "open() returned %s an error set", ok ? "TRUE with" : "FALSE without");
  set_no_threads (FALSE);
  conformance_push (queue, test_task_none, NULL, NULL, NULL);
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

/* wake() */

static void
test_wake_once (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  int n_calls = 0;

  conformance_start (queue);
  for (int round = 1; round <= 20; round++)
    {
      osiiso_queue_pause (queue);
      for (int i = 0; i < 500; i++)
        conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      /* One wake for all of them. */
      osiiso_queue_resume (queue);
      conformance_join (queue);
      conformance_check (n_calls == 500 * round, "of %d tasks %d were run", 500 * round, n_calls);
    }
  conformance_queue_free (queue);
}

static void
test_wake_again (void)
{
  OsiisoQueue *queue = conformance_queue_new ();

  conformance_start (queue);
  for (int i = 0; i < 2000; i++)
    {
      g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

      conformance_join (queue);
      conformance_check (osiiso_handle_get_status (handle) == OSIISO_STATUS_SUCCEEDED, "task %d of 2000 was lost", i + 1);
    }
  conformance_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
  int          stop;
} Waking;

static gpointer
wake_for_nothing (gpointer data)
{
  Waking *waking = data;
  OsiisoBackend *backend = osiiso_queue_get_backend (waking->queue);

  while (!g_atomic_int_get (&waking->stop))
    {
      OSIISO_BACKEND_GET_CLASS (backend)->wake (backend, 1000);
      g_thread_yield ();
    }
  return NULL;
}

static void
test_wake_for_nothing (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *threads[3];

  conformance_start (waking.queue);
  if (OSIISO_BACKEND_GET_CLASS (osiiso_queue_get_backend (waking.queue))->wake != NULL)
    {
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("wake", wake_for_nothing, &waking);
      for (int i = 0; i < 2000; i++)
        {
          conformance_push (waking.queue, conformance_count, &waking.n_calls, NULL, NULL);
          if (i % 50 == 0)
            conformance_join (waking.queue);
        }
      conformance_join (waking.queue);
      g_atomic_int_set (&waking.stop, 1);
      conformance_wait_for (waking.queue, "calls of wake() to return: it must not block");
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      conformance_check (waking.n_calls == 2000, "2000 tasks were run %d times", waking.n_calls);
    }
  conformance_queue_free (waking.queue);
}

static gpointer
push_many (gpointer data)
{
  Waking *waking = data;

  for (int i = 0; i < 2500; i++)
    osiiso_queue_push (waking->queue, conformance_count, &waking->n_calls, NULL, NULL, NULL);
  g_atomic_int_inc (&waking->stop);
  return NULL;
}

static void
test_wake_from_threads (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *threads[4];

  conformance_start (waking.queue);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("push", push_many, &waking);
  conformance_wait_for (waking.queue, "calls that submit in other threads to return: wake() must not block");
  conformance_await (&waking.stop, G_N_ELEMENTS (threads));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  conformance_join (waking.queue);
  conformance_check (waking.n_calls == 10000, "10000 tasks were run %d times", waking.n_calls);
  conformance_queue_free (waking.queue);
}

static gpointer
push_in_turn (gpointer data)
{
  Waking *waking = data;

  for (int i = 0; i < 5000; i++)
    {
      osiiso_queue_push (waking->queue, conformance_count, &waking->n_calls, NULL, NULL, NULL);
      while (g_atomic_int_get (&waking->n_calls) <= i)
        g_thread_yield ();
      /* Another moment each time: the backend is about to find nothing more. */
      for (volatile int j = 0; j < i % 1000; j++)
        ;
    }
  g_atomic_int_set (&waking->stop, 1);
  return NULL;
}

static void
test_wake_in_turn (void)
{
  Waking waking = { conformance_queue_new (), 0, 0 };
  GThread *thread;

  conformance_start (waking.queue);
  conformance_wait_for (waking.queue, "5000 tasks that are submitted one after the other by another thread");
  thread = g_thread_new ("push", push_in_turn, &waking);
  conformance_await (&waking.stop, 1);
  g_thread_join (thread);
  conformance_join_succeeded (waking.queue, 5000);
  conformance_queue_free (waking.queue);
}

/* get_default_workers() and workers_changed() */

typedef struct
{
  int n_now;
  int n_most;
} Gauge;

static void
measure (OsiisoAttempt *attempt,
         gpointer       data)
{
  Gauge *gauge = data;
  int now = g_atomic_int_add (&gauge->n_now, 1) + 1;
  int most = g_atomic_int_get (&gauge->n_most);

  while (now > most && !g_atomic_int_compare_and_exchange (&gauge->n_most, most, now))
    most = g_atomic_int_get (&gauge->n_most);
  g_thread_yield ();
  g_atomic_int_add (&gauge->n_now, -1);
}

static void
test_workers_limit (void)
{
  static const guint workers[] = { 1, 4, 2, 1, 3, 0, 1 };
  OsiisoQueue *queue = conformance_queue_new ();

  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    {
      Gauge gauge = { 0 };
      guint n;

      osiiso_queue_set_workers (queue, workers[i]);
      n = osiiso_backend_get_workers (osiiso_queue_get_backend (queue));
      for (int j = 0; j < 300; j++)
        conformance_push (queue, measure, &gauge, NULL, NULL);
      conformance_join (queue);
      conformance_check (gauge.n_most <= (int) n, "%d functions were running at a time, with %u workers", gauge.n_most, n);
    }
  conformance_queue_free (queue);
}

static void
test_workers_change (void)
{
  static const guint workers[] = { 1, 4, 2, 3, 1, 4, 1 };
  OsiisoQueue *queue = conformance_queue_new ();
  Gauge gauge = { 0 };

  conformance_start (queue);
  for (int round = 0; round < 20; round++)
    for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
      {
        osiiso_queue_set_workers (queue, workers[i]);
        for (int j = 0; j < 20; j++)
          conformance_push (queue, measure, &gauge, NULL, NULL);
      }
  conformance_join_succeeded (queue, 20 * 20 * G_N_ELEMENTS (workers));
  conformance_check (gauge.n_most <= 4, "%d functions were running at a time, with never more than 4 workers", gauge.n_most);
  conformance_queue_free (queue);
}

static gpointer
open_when_there (gpointer gate)
{
  test_gate_await (gate, MIN (conformance_get_workers (), 8));
  test_gate_open (gate);
  return NULL;
}

static void
test_workers_at_once (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  const guint n = MIN (conformance_get_workers (), 8);
  TestGate gate;
  GThread *thread;

  /* Functions in the owner's thread come one after the other. */
  if (!conformance_in_owner ())
    {
      test_gate_init (&gate);
      thread = g_thread_new ("open", open_when_there, &gate);
      osiiso_queue_pause (queue);
      for (guint i = 0; i < n; i++)
        conformance_push (queue, test_task_gate, &gate, NULL, NULL);
      osiiso_queue_resume (queue);
      conformance_wait_for (queue, "%u functions to be inside at a time, because it says that it has %u workers", n,
                            conformance_get_workers ());
      osiiso_queue_join (queue, NULL, NULL);
      g_thread_join (thread);
      test_gate_clear (&gate);
      conformance_join_succeeded (queue, n);
    }
  conformance_queue_free (queue);
}

static guint
count_deferred (OsiisoAttempt **attempts,
                guint           n)
{
  guint n_set = 0;

  for (guint i = 0; i < n; i++)
    n_set += g_atomic_pointer_get (&attempts[i]) != NULL;
  return n_set;
}

static void
test_workers_deferred (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  OsiisoAttempt *attempts[12] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    conformance_push (queue, test_task_defer, &attempts[i], NULL, NULL);
  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  for (guint n = 1; n <= G_N_ELEMENTS (attempts); n++)
    {
      osiiso_queue_set_workers (queue, n);
      conformance_wait_for (queue, "%u attempts to be deferred, with %u workers: one more may run after each workers_changed()", n, n);
      while (count_deferred (attempts, G_N_ELEMENTS (attempts)) < n)
        g_main_context_iteration (NULL, FALSE);
      conformance_check (osiiso_queue_get_active_count (queue) == n, "%u attempts are under way, with %u workers",
                         (guint) osiiso_queue_get_active_count (queue), n);
    }
  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    {
      osiiso_attempt_return_none (attempts[i]);
      osiiso_attempt_unref (attempts[i]);
    }
  conformance_join_succeeded (queue, G_N_ELEMENTS (attempts));
  conformance_queue_free (queue);
}

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

const ConformanceCase conformance_slots[] = {
  { "/conformance/open/describe", test_describe, "It says what it can do, always the same, and has at least one worker" },
  { "/conformance/open/open", test_open, "It opens, and after close() the same object can serve another queue" },
  { "/conformance/open/never", test_open_never, "It can be dropped without having been opened" },
  { "/conformance/open/fails", test_open_fails, "When open() fails it says why, and it can be opened later" },
  { "/conformance/open/again", test_open_again, "It can be opened again after close(), when its queue was reset" },
  { "/conformance/open/again-inside", test_open_again_inside, "It can be opened again while a function of its former life is inside" },
  { "/conformance/wake/once", test_wake_once, "One wake is enough for any number of tasks" },
  { "/conformance/wake/again", test_wake_again, "It wakes up for each task, again and again" },
  { "/conformance/wake/for-nothing", test_wake_for_nothing, "A wake without a task does no harm" },
  { "/conformance/wake/from-threads", test_wake_from_threads, "It can be woken from any thread" },
  { "/conformance/wake/in-turn", test_wake_in_turn, "A wake that comes just when there was nothing more is not forgotten" },
  { "/conformance/workers/limit", test_workers_limit, "No more functions are inside at a time than there are workers" },
  { "/conformance/workers/change", test_workers_change, "The number of workers may change while functions are inside" },
  { "/conformance/workers/at-once", test_workers_at_once, "As many functions run at a time as it says that it has workers" },
  { "/conformance/workers/deferred", test_workers_deferred, "Deferred attempts need nothing but a place, and get one for each worker more" },
  { "/conformance/interrupt/timed-out", test_interrupt_timed_out, "It goes on after a function whose attempt timed out" },
  { "/conformance/interrupt/cancelled", test_interrupt_cancelled, "It goes on after a function whose task was cancelled" },
  { "/conformance/interrupt/stale", test_interrupt_stale, "A stale attempt may report while the next one is under way" },
  { "/conformance/close/idle", test_close_idle, "It closes when it has nothing to do" },
  { "/conformance/close/graceful", test_close_graceful, "It goes on while the queue drains, and closes then" },
  { "/conformance/close/force", test_close_force, "A forced shutdown cuts short one that waits" },
  { "/conformance/close/inside", test_close_inside, "A forced shutdown does not wait for a function that does not listen" },
  { NULL, NULL, NULL }
};
