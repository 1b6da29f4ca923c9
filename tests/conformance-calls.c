/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conformance-shared.h"
#include "conformance.h"

/* The cases for backends that run no functions of this process but call some by
 * name: those of conformance-module.c. Each has the name of the one with functions
 * that asks for the same. */

#define MODULE "osiiso-conformance:"

static ConformanceShared *shared;
static guint n_shared;
static int shared_fd;

static void
close_shared (void)
{
  close (shared_fd);
}

/* A number that functions see too; @n of them, and where they are. */
static guint
share (guint n)
{
  const guint index = n_shared;

  if (shared == NULL)
    {
      g_autofree char *path = NULL;

      shared_fd = g_file_open_tmp ("osiiso-conformance-XXXXXX", &path, NULL);
      g_assert_cmpint (shared_fd, >=, 0);
      g_assert_cmpint (ftruncate (shared_fd, sizeof *shared), ==, 0);
      shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
      g_assert_true (shared != MAP_FAILED);
      /* Kept open, so that the file is there as long as this process. */
      unlink (path);
      atexit (close_shared);
      g_free (path);
      path = g_strdup_printf ("/proc/%d/fd/%d", (int) getpid (), shared_fd);
      g_setenv (CONFORMANCE_VARIABLE_SHARED, path, TRUE);
    }
  n_shared += n;
  g_assert_cmpuint (n_shared, <=, CONFORMANCE_N_SHARED);
  return index;
}

static int
get (guint index)
{
  return g_atomic_int_get (&shared->numbers[index]);
}

static void
open_gate (guint index)
{
  g_atomic_int_set (&shared->numbers[index], 1);
  syscall (SYS_futex, &shared->numbers[index], FUTEX_WAKE, G_MAXINT, NULL, NULL, 0);
}

static void
await (guint index,
       int   n)
{
  conformance_await (&shared->numbers[index], n);
}

static OsiisoQueue *
queue_new (void)
{
  /* Before there is a process that could want to know where the numbers are. */
  if (shared == NULL)
    share (1);
  return conformance_queue_new ();
}

/* Takes a floating @args. */
static void
push (OsiisoQueue       *queue,
      const char        *function,
      GVariant          *args,
      OsiisoTaskOptions *options)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new (function, args);
  g_autoptr (GError) error = NULL;
  gboolean ok;

  conformance_wait_for (queue, "a call that submits to return: wake() must not block");
  ok = osiiso_queue_push_call (queue, call, options, &error) != 0;
  conformance_check (ok, "a call was refused: %s", ok ? "" : error->message);
}

static void
push_count (OsiisoQueue       *queue,
            guint              counter,
            OsiisoTaskOptions *options)
{
  push (queue, MODULE "conformance_count", g_variant_new ("(u)", counter), options);
}

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        const char        *function,
        GVariant          *args,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, options, &error);

  conformance_check (handle != NULL, "a call was refused: %s", error != NULL ? error->message : "");
  return handle;
}

/* open() */

static void
test_open (void)
{
  g_autoptr (OsiisoBackend) backend = NULL;

  share (1);
  backend = conformance_backend_new ();
  for (int round = 0; round < 2; round++)
    {
      OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
      const guint n_calls = share (1);

      push_count (queue, n_calls, NULL);
      conformance_check (get (n_calls) == 0, "a function was called before open()");
      conformance_start (queue);
      conformance_start (queue);
      conformance_join_succeeded (queue, 1);
      conformance_check (get (n_calls) == 1, "a task that was submitted before open() was not run, in round %d", round + 1);
      conformance_shutdown (queue, FALSE);
      g_object_unref (queue);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

static void
test_open_never (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);

  test_manual_clock ();
  push (queue, MODULE "conformance_none", NULL, NULL);
  push (queue, MODULE "conformance_none", NULL, delayed);
  conformance_queue_free (queue);
}

static void
test_open_fails (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok;

  if (!conformance_set_no_threads (TRUE))
    {
      g_test_message ("there is no way to forbid threads on this system");
      conformance_queue_free (queue);
      return;
    }
  conformance_wait_for (NULL, "open() to return while the system has no thread left");
  ok = osiiso_queue_start (queue, &error);
  conformance_check (ok == (error == NULL), "open() returned %s an error set", ok ? "TRUE with" : "FALSE without");
  conformance_set_no_threads (FALSE);
  push (queue, MODULE "conformance_none", NULL, NULL);
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

static void
test_open_again (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  for (int round = 1; round <= 20; round++)
    {
      g_autoptr (GError) error = NULL;
      gboolean ok;

      osiiso_queue_set_workers (queue, 1 + (guint) round % 4);
      for (int i = 0; i < 20; i++)
        push_count (queue, n_calls, NULL);
      conformance_join_succeeded (queue, 20);
      conformance_shutdown (queue, round % 2 == 0);
      conformance_check (get (n_calls) == 20 * round, "in round %d, 20 tasks were not run once each", round);
      ok = osiiso_queue_reset (queue, &error);
      conformance_check (ok, "a queue that was closed cannot be reset: %s", ok ? "" : error->message);
    }
  conformance_queue_free (queue);
}

/* wake() */

static void
test_wake_once (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  conformance_start (queue);
  for (int round = 1; round <= 20; round++)
    {
      osiiso_queue_pause (queue);
      for (int i = 0; i < 500; i++)
        push_count (queue, n_calls, NULL);
      osiiso_queue_resume (queue);
      conformance_join (queue);
      conformance_check (get (n_calls) == 500 * round, "of %d tasks %d were run", 500 * round, get (n_calls));
    }
  conformance_queue_free (queue);
}

static void
test_wake_again (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  conformance_start (queue);
  for (int i = 0; i < 1000; i++)
    {
      push_count (queue, n_calls, NULL);
      conformance_join (queue);
      conformance_check (get (n_calls) == i + 1, "task %d of 1000 was lost", i + 1);
    }
  conformance_queue_free (queue);
}

typedef struct
{
  OsiisoQueue *queue;
  guint        n_calls;
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
  Waking waking = { queue_new (), share (1), 0 };
  GThread *thread;

  conformance_start (waking.queue);
  if (OSIISO_BACKEND_GET_CLASS (osiiso_queue_get_backend (waking.queue))->wake != NULL)
    {
      thread = g_thread_new ("wake", wake_for_nothing, &waking);
      for (int i = 0; i < 1000; i++)
        {
          push_count (waking.queue, waking.n_calls, NULL);
          if (i % 50 == 0)
            conformance_join (waking.queue);
        }
      conformance_join_succeeded (waking.queue, 1000);
      g_atomic_int_set (&waking.stop, 1);
      conformance_wait_for (waking.queue, "calls of wake() to return: it must not block");
      g_thread_join (thread);
      conformance_check (get (waking.n_calls) == 1000, "1000 tasks were run %d times", get (waking.n_calls));
    }
  conformance_queue_free (waking.queue);
}

static gpointer
push_many (gpointer data)
{
  Waking *waking = data;

  for (int i = 0; i < 2500; i++)
    {
      g_autoptr (OsiisoCall) call = osiiso_call_new (MODULE "conformance_count", g_variant_new ("(u)", waking->n_calls));

      osiiso_queue_push_call (waking->queue, call, NULL, NULL);
    }
  g_atomic_int_inc (&waking->stop);
  return NULL;
}

static void
test_wake_from_threads (void)
{
  Waking waking = { queue_new (), share (1), 0 };
  GThread *threads[4];

  conformance_start (waking.queue);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("push", push_many, &waking);
  conformance_wait_for (waking.queue, "calls that submit in other threads to return: wake() must not block");
  conformance_await (&waking.stop, G_N_ELEMENTS (threads));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  conformance_join_succeeded (waking.queue, 10000);
  conformance_check (get (waking.n_calls) == 10000, "10000 tasks were run %d times", get (waking.n_calls));
  conformance_queue_free (waking.queue);
}

static gpointer
push_in_turn (gpointer data)
{
  Waking *waking = data;
  g_autoptr (OsiisoCall) call = osiiso_call_new (MODULE "conformance_count", g_variant_new ("(u)", waking->n_calls));

  for (int i = 0; i < 2000; i++)
    {
      osiiso_queue_push_call (waking->queue, call, NULL, NULL);
      while (get (waking->n_calls) <= i)
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
  Waking waking = { queue_new (), share (1), 0 };
  GThread *thread;

  conformance_start (waking.queue);
  conformance_wait_for (waking.queue, "2000 calls that are submitted one after the other by another thread");
  thread = g_thread_new ("push", push_in_turn, &waking);
  conformance_await (&waking.stop, 1);
  g_thread_join (thread);
  conformance_join_succeeded (waking.queue, 2000);
  conformance_queue_free (waking.queue);
}

/* The number of workers */

static void
push_measure (OsiisoQueue *queue,
              guint        gauge)
{
  push (queue, MODULE "conformance_measure", g_variant_new ("(uu)", gauge, gauge + 1), NULL);
}

static void
test_workers_limit (void)
{
  static const guint workers[] = { 1, 4, 2, 1, 3, 0, 1 };
  OsiisoQueue *queue = queue_new ();

  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    {
      const guint gauge = share (2);
      guint n;

      osiiso_queue_set_workers (queue, workers[i]);
      n = osiiso_backend_get_workers (osiiso_queue_get_backend (queue));
      for (int j = 0; j < 300; j++)
        push_measure (queue, gauge);
      conformance_join (queue);
      conformance_check (get (gauge + 1) <= (int) n, "%d functions were running at a time, with %u workers", get (gauge + 1), n);
    }
  conformance_queue_free (queue);
}

static void
test_workers_change (void)
{
  static const guint workers[] = { 1, 4, 2, 3, 1, 4, 1 };
  OsiisoQueue *queue = queue_new ();
  const guint gauge = share (2);

  conformance_start (queue);
  for (int round = 0; round < 20; round++)
    for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
      {
        osiiso_queue_set_workers (queue, workers[i]);
        for (int j = 0; j < 20; j++)
          push_measure (queue, gauge);
      }
  conformance_join_succeeded (queue, 20 * 20 * G_N_ELEMENTS (workers));
  conformance_check (get (gauge + 1) <= 4, "%d functions were running at a time, with never more than 4 workers", get (gauge + 1));
  conformance_queue_free (queue);
}

static void
test_workers_at_once (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n = MIN (conformance_get_workers (), 8);
  const guint gate = share (2);

  conformance_start (queue);
  for (guint i = 0; i < n; i++)
    push (queue, MODULE "conformance_gate", g_variant_new ("(uu)", gate, gate + 1), NULL);
  conformance_wait_for (queue, "%u functions to be inside at a time, because it says that it has %u workers", n,
                        conformance_get_workers ());
  await (gate, (int) n);
  open_gate (gate + 1);
  conformance_join_succeeded (queue, n);
  conformance_queue_free (queue);
}

/* interrupt() */

static void
test_interrupt (const char           *function,
                OsiisoInterruptReason reason)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  const guint gate = share (2);

  osiiso_queue_set_workers (queue, 1);
  handle = submit (queue, function, g_variant_new ("(uu)", gate, gate + 1), options);
  conformance_start (queue);
  conformance_wait_for (queue, "a function to be called");
  await (gate, 1);
  conformance_wait_for (queue, "interrupt() to return while the function is inside");
  if (reason == OSIISO_INTERRUPT_REASON_TIMED_OUT)
    hooks->clock_advance (G_USEC_PER_SEC);
  else
    osiiso_handle_cancel (handle);
  conformance_wait_for (queue, "an interrupted task to end");
  conformance_await_status (handle, reason == OSIISO_INTERRUPT_REASON_TIMED_OUT ? OSIISO_STATUS_FAILED
                                                                                : OSIISO_STATUS_CANCELLED);
  conformance_expect_error (handle, G_IO_ERROR,
                            reason == OSIISO_INTERRUPT_REASON_TIMED_OUT ? G_IO_ERROR_TIMED_OUT : G_IO_ERROR_CANCELLED,
                            "an interruption");
  /* It goes on, with as many workers as before, also while that one is inside. */
  push (queue, MODULE "conformance_none", NULL, NULL);
  conformance_join (queue);
  conformance_check (osiiso_queue_get_completed_count (queue) == 2, "no task ends after an interrupted one");
  if (g_str_has_suffix (function, "listen"))
    {
      conformance_wait_for (queue, "the cancellable of an interrupted attempt to be cancelled");
      await (gate + 1, 1);
    }
  conformance_queue_free (queue);
}

static void
test_interrupt_timed_out (void)
{
  test_interrupt (MODULE "conformance_gate", OSIISO_INTERRUPT_REASON_TIMED_OUT);
}

static void
test_interrupt_cancelled (void)
{
  test_interrupt (MODULE "conformance_gate", OSIISO_INTERRUPT_REASON_CANCELLED);
}

static void
test_interrupt_listens (void)
{
  test_interrupt (MODULE "conformance_listen", OSIISO_INTERRUPT_REASON_CANCELLED);
  test_interrupt (MODULE "conformance_listen", OSIISO_INTERRUPT_REASON_TIMED_OUT);
}

/* close() */

static void
test_close_idle (void)
{
  for (int round = 0; round < 30; round++)
    {
      OsiisoQueue *queue = queue_new ();
      OsiisoBackend *backend = osiiso_queue_get_backend (queue);

      conformance_start (queue);
      if (round % 2)
        {
          push (queue, MODULE "conformance_none", NULL, NULL);
          conformance_join (queue);
        }
      conformance_shutdown (queue, round % 3 == 0);
      conformance_check (osiiso_queue_get_closed (queue), "the queue is not closed");
      conformance_check (osiiso_backend_take (backend) == NULL, "there is an attempt after close()");
      conformance_queue_free (queue);
    }
}

static void
test_close_graceful (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 10.0, NULL);
  const guint n_calls = share (1);
  const guint gate = share (2);

  /* One for the call that stays. */
  osiiso_queue_set_workers (queue, 2);
  for (int i = 0; i < 100; i++)
    push_count (queue, n_calls, i % 2 ? delayed : NULL);
  push (queue, MODULE "conformance_gate", g_variant_new ("(uu)", gate, gate + 1), NULL);
  conformance_start (queue);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  conformance_wait_for (queue, "tasks to run while the queue is being shut down");
  await (n_calls, 50);
  await (gate, 1);
  hooks->clock_advance (10 * G_USEC_PER_SEC);
  conformance_wait_for (queue, "delayed tasks to run while the queue is being shut down");
  await (n_calls, 100);
  conformance_check (!osiiso_queue_get_closed (queue), "the queue is closed while a function is inside");
  open_gate (gate + 1);
  conformance_shutdown (queue, FALSE);
  conformance_check (osiiso_queue_get_completed_count (queue) == 101, "not all tasks ended before the queue was closed");
  conformance_queue_free (queue);
}

static void
test_close_force (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint gate = share (2);
  g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "conformance_gate", g_variant_new ("(uu)", gate, gate + 1), NULL);

  conformance_start (queue);
  conformance_wait_for (queue, "a function to be called");
  await (gate, 1);
  /* One that waits, for ever, and one that cuts it short. */
  osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
  conformance_shutdown (queue, TRUE);
  conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "a forced shutdown");
  conformance_queue_free (queue);
}

/* Tasks */

static void
test_each_once (void)
{
  const int n = 10000;
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  for (int i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", i % 7, NULL);

      push_count (queue, n_calls, options);
      push (queue, MODULE "conformance_none", NULL, NULL);
    }
  conformance_join_succeeded (queue, 2 * (guint) n);
  conformance_check (get (n_calls) == n, "%d tasks were run %d times", n, get (n_calls));
  conformance_queue_free (queue);
}

static void
test_outcomes (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < 300; i++)
    g_ptr_array_add (handles, submit (queue,
                                      i % 3 == 0 ? MODULE "conformance_value" : i % 3 == 1 ? MODULE "conformance_fail"
                                                                                           : MODULE "conformance_none",
                                      g_variant_new ("(is)", i, "text"), NULL));
  conformance_join (queue);
  for (int i = 0; i < 300; i++)
    {
      OsiisoHandle *handle = handles->pdata[i];
      const GValue *value = osiiso_handle_get_value (handle);
      int number = -1;

      if (i % 3 == 1)
        {
          conformance_expect_error (handle, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "an error of the function");
          continue;
        }
      if (i % 3 == 0 && value != NULL && G_VALUE_HOLDS_VARIANT (value))
        g_variant_get_child (g_value_get_variant (value), 0, "i", &number);
      conformance_check (i % 3 == 0 ? number == i : value == NULL,
                         "the value of a task is not the one that its function returned");
    }
  conformance_queue_free (queue);
}

static void
check_log (guint       log,
           const char *expected)
{
  g_autoptr (GString) order = g_string_new (NULL);

  for (int i = 0; i < get (log); i++)
    g_string_append_printf (order, "%s%d", i > 0 ? " " : "", get (log + 1 + (guint) i));
  conformance_check (g_str_equal (order->str, expected), "with one worker, the order was \"%s\" instead of \"%s\"",
                     order->str, expected);
}

static void
test_priorities (void)
{
  static const int priorities[] = { 3, 1, 127, 3, -128, 0, 1, 2 };
  OsiisoQueue *queue = queue_new ();
  const guint log = share (20);

  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("priority", priorities[i], NULL);

      push (queue, MODULE "conformance_log", g_variant_new ("(ui)", log, (int) i), options);
    }
  conformance_join (queue);
  check_log (log, "4 5 1 6 7 0 3 2");
  conformance_queue_free (queue);
}

static void
test_delays (void)
{
  static const double delays[] = { 3, 1, 2, 2 };
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = queue_new ();
  const guint log = share (20);
  const guint n_calls = share (1);

  osiiso_queue_set_workers (queue, 1);
  conformance_start (queue);
  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", delays[i], NULL);

      push (queue, MODULE "conformance_log", g_variant_new ("(ui)", log, (int) delays[i]), options);
    }
  for (int second = 0; second <= 3; second++)
    {
      push_count (queue, n_calls, NULL);
      conformance_wait_for (queue, "a task without a delay");
      await (n_calls, second + 1);
      hooks->clock_advance (G_USEC_PER_SEC);
    }
  conformance_join_succeeded (queue, G_N_ELEMENTS (delays) + 4);
  check_log (log, "1 2 2 3");
  conformance_queue_free (queue);
}

static void
test_retries (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 4, NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < 50; i++)
    g_ptr_array_add (handles, submit (queue, MODULE "conformance_fail", NULL, options));
  conformance_join (queue);
  for (guint i = 0; i < handles->len; i++)
    conformance_check (osiiso_handle_get_attempts (handles->pdata[i]) == 5, "a failing task with 4 retries has had %u attempts",
                       osiiso_handle_get_attempts (handles->pdata[i]));
  conformance_queue_free (queue);
}

static void
test_rest (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  for (int round = 1; round <= 50; round++)
    {
      g_autoptr (OsiisoRunSummary) summary = NULL;

      for (int i = 0; i < 20; i++)
        push_count (queue, n_calls, NULL);
      conformance_check (get (n_calls) == 20 * (round - 1), "a task was run while the queue rested between two runs");
      conformance_wait_for (queue, "run %d to end", round);
      summary = osiiso_queue_run (queue, NULL, NULL);
      conformance_check (get (n_calls) == 20 * round, "of %d tasks %d were run after a rest", 20 * round, get (n_calls));
      conformance_check (osiiso_run_summary_get_succeeded (summary) == 20, "a run has not counted its own tasks");
    }
  conformance_queue_free (queue);
}

static void
test_progress (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint gate = share (2);
  g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "conformance_progress", g_variant_new ("(uu)", gate, gate + 1), NULL);
  g_autofree char *text = NULL;

  conformance_start (queue);
  conformance_wait_for (queue, "the progress of a call to be told while it is inside");
  while (osiiso_handle_get_progress (handle) != 0.5)
    g_main_context_iteration (NULL, FALSE);
  text = osiiso_handle_dup_status_text (handle);
  conformance_check (g_strcmp0 (text, "half of it") == 0, "the text of the progress is not the one that was set");
  open_gate (gate + 1);
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

static void
test_cancel_waiting (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  const guint n_calls = share (1);
  g_autoptr (OsiisoHandle) pending = NULL;
  g_autoptr (OsiisoHandle) scheduled = NULL;

  test_manual_clock ();
  scheduled = submit (queue, MODULE "conformance_count", g_variant_new ("(u)", n_calls), delayed);
  conformance_start (queue);
  osiiso_queue_pause (queue);
  pending = submit (queue, MODULE "conformance_count", g_variant_new ("(u)", n_calls), NULL);
  conformance_check (osiiso_handle_cancel (pending), "a task that was waiting could not be cancelled");
  conformance_check (osiiso_handle_cancel (scheduled), "a task that was waiting for its time could not be cancelled");
  osiiso_queue_resume (queue);
  conformance_join (queue);
  conformance_check (get (n_calls) == 0, "a task was run that had been cancelled before");
  conformance_queue_free (queue);
}

static void
test_crash (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);
  g_autoptr (OsiisoHandle) crash = NULL;

  if (osiiso_backend_get_capabilities (osiiso_queue_get_backend (queue)) & OSIISO_BACKEND_CAPABILITIES_KILL)
    {
      for (int i = 0; i < 50; i++)
        push_count (queue, n_calls, NULL);
      crash = submit (queue, MODULE "conformance_crash", NULL, NULL);
      for (int i = 0; i < 50; i++)
        push_count (queue, n_calls, NULL);
      conformance_join (queue);
      conformance_expect_error (crash, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "a crash");
      conformance_check (get (n_calls) == 100, "beside a function that crashed, of 100 tasks %d were run", get (n_calls));
    }
  conformance_queue_free (queue);
}

/* Much at once */

static void
test_timeouts (void)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.0001, NULL);

  osiiso_queue_set_workers (queue, 1);
  for (int i = 0; i < 1000; i++)
    push (queue, MODULE "conformance_work", NULL, options);
  conformance_join (queue);
  conformance_check (osiiso_queue_get_completed_count (queue) == 1000, "of 1000 tasks %u have ended",
                     (guint) osiiso_queue_get_completed_count (queue));
  conformance_queue_free (queue);
}

static gpointer
cancel_all (gpointer data)
{
  GPtrArray *handles = data;

  for (guint i = 0; i < handles->len; i++)
    osiiso_handle_cancel (handles->pdata[i]);
  return NULL;
}

static void
test_cancellations (void)
{
  OsiisoQueue *queue = queue_new ();

  for (int round = 1; round <= 20; round++)
    {
      g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
      const guint n_calls = share (1);
      GThread *thread;

      for (int i = 0; i < 1000; i++)
        g_ptr_array_add (handles, submit (queue, MODULE "conformance_count", g_variant_new ("(u)", n_calls), NULL));
      thread = g_thread_new ("cancel", cancel_all, handles);
      conformance_join (queue);
      g_thread_join (thread);
      conformance_join (queue);
      conformance_check (osiiso_queue_get_completed_count (queue) == 1000 * (guint64) round, "of 1000 tasks not all have ended");
      conformance_check (get (n_calls) <= 1000, "1000 tasks were run %d times", get (n_calls));
    }
  conformance_queue_free (queue);
}

static void
test_force (void)
{
  for (int round = 0; round < 30; round++)
    {
      OsiisoQueue *queue = queue_new ();
      g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
      g_autoptr (OsiisoTaskOptions) retrying = test_options_new ("retries", 5, "retry-delay", 1000.0, NULL);

      for (int i = 0; i < 50; i++)
        {
          push (queue, MODULE "conformance_none", NULL, delayed);
          push (queue, MODULE "conformance_fail", NULL, retrying);
          push (queue, MODULE "conformance_none", NULL, NULL);
        }
      if (round % 2)
        conformance_start (queue);
      if (round % 3 == 0)
        g_main_context_iteration (NULL, FALSE);
      conformance_shutdown (queue, TRUE);
      conformance_check (osiiso_queue_get_active_count (queue) == 0 && osiiso_queue_get_pending_count (queue) == 0,
                         "there is work after a forced shutdown");
      conformance_queue_free (queue);
    }
}

static void
test_pauses (void)
{
  OsiisoQueue *queue = queue_new ();
  const guint n_calls = share (1);

  conformance_start (queue);
  for (int i = 0; i < 3000; i++)
    {
      if (i % 3 == 0)
        osiiso_queue_pause (queue);
      push_count (queue, n_calls, NULL);
      if (i % 3 == 1)
        osiiso_queue_resume (queue);
    }
  osiiso_queue_resume (queue);
  conformance_join_succeeded (queue, 3000);
  conformance_check (get (n_calls) == 3000, "3000 tasks were run %d times", get (n_calls));
  conformance_queue_free (queue);
}

static void
test_two_queues (void)
{
  OsiisoQueue *blocked = queue_new ();
  OsiisoQueue *other = queue_new ();
  const guint gate = share (2);

  osiiso_queue_set_workers (blocked, 2);
  for (guint i = 0; i < 40; i++)
    push (blocked, MODULE "conformance_gate", g_variant_new ("(uu)", gate, gate + 1), NULL);
  conformance_start (blocked);
  for (int i = 0; i < 100; i++)
    push (other, MODULE "conformance_none", NULL, NULL);
  conformance_join_succeeded (other, 100);
  conformance_wait_for (blocked, "two functions to be inside, with two workers");
  await (gate, 2);
  conformance_shutdown (blocked, TRUE);
  conformance_queue_free (blocked);
  conformance_queue_free (other);
}

const ConformanceCase conformance_calls[] = {
  { "/conformance/open/open", test_open, "It opens, and after close() the same object can serve another queue" },
  { "/conformance/open/never", test_open_never, "It can be dropped without having been opened" },
  { "/conformance/open/fails", test_open_fails, "When open() fails it says why, and it can be opened later" },
  { "/conformance/open/again", test_open_again, "It can be opened again after close(), when its queue was reset" },
  { "/conformance/wake/once", test_wake_once, "One wake is enough for any number of tasks" },
  { "/conformance/wake/again", test_wake_again, "It wakes up for each task, again and again" },
  { "/conformance/wake/for-nothing", test_wake_for_nothing, "A wake without a task does no harm" },
  { "/conformance/wake/from-threads", test_wake_from_threads, "It can be woken from any thread" },
  { "/conformance/wake/in-turn", test_wake_in_turn, "A wake that comes just when there was nothing more is not forgotten" },
  { "/conformance/workers/limit", test_workers_limit, "No more functions are inside at a time than there are workers" },
  { "/conformance/workers/change", test_workers_change, "The number of workers may change while functions are inside" },
  { "/conformance/workers/at-once", test_workers_at_once, "As many functions run at a time as it says that it has workers" },
  { "/conformance/interrupt/timed-out", test_interrupt_timed_out, "It goes on after a function whose attempt timed out" },
  { "/conformance/interrupt/cancelled", test_interrupt_cancelled, "It goes on after a function whose task was cancelled" },
  { "/conformance/interrupt/listens", test_interrupt_listens, "A function sees that its attempt was interrupted" },
  { "/conformance/close/idle", test_close_idle, "It closes when it has nothing to do" },
  { "/conformance/close/graceful", test_close_graceful, "It goes on while the queue drains, and closes then" },
  { "/conformance/close/force", test_close_force, "A forced shutdown cuts short one that waits for a function that does not listen" },
  { "/conformance/tasks/each-once", test_each_once, "Every task is run exactly once" },
  { "/conformance/tasks/outcomes", test_outcomes, "A task ends with what its function has returned" },
  { "/conformance/tasks/priorities", test_priorities, "Tasks are begun in the order in which the queue hands them out" },
  { "/conformance/tasks/delays", test_delays, "Delayed tasks are run when their time has come" },
  { "/conformance/tasks/retries", test_retries, "A failing task gets the attempts that it may have and no more" },
  { "/conformance/tasks/rest", test_rest, "After a run nothing happens until the next one, and then all" },
  { "/conformance/tasks/progress", test_progress, "The progress of a function is told while it is inside" },
  { "/conformance/tasks/crash", test_crash, "With the capability KILL, a function that crashes fails its task and no other" },
  { "/conformance/cancel/waiting", test_cancel_waiting, "A task can be cancelled whatever it waits for, and is not run then" },
  { "/conformance/storms/timeouts", test_timeouts, "Timeouts that come just when the function returns lose neither tasks nor workers" },
  { "/conformance/storms/cancellations", test_cancellations, "Tasks that are cancelled while they run and wait end once each" },
  { "/conformance/storms/force", test_force, "A forced shutdown ends at once with work of every kind about" },
  { "/conformance/storms/pauses", test_pauses, "Pausing and resuming at any moment loses nothing" },
  { "/conformance/storms/two-queues", test_two_queues, "A queue whose workers are all taken does not hold up another one" },
  { NULL, NULL, NULL }
};

const ConformanceOmission conformance_omissions[] = {
  { "/conformance/init", "an initializer is a function of this process, and the queue refuses it" },
  { "/conformance/open/again-inside", "what was inside has been ended by close(), not left behind" },
  { "/conformance/tasks/where", "no function runs in a thread of this process" },
  { "/conformance/tasks/deferred", "a call cannot be deferred" },
  { "/conformance/tasks/dropped", "a call cannot be deferred, and a function has no reference on the attempt" },
  { "/conformance/tasks/from-tasks", "a function that is called by name does not know the queue" },
  { "/conformance/workers/deferred", "a call cannot be deferred" },
  { "/conformance/interrupt/stale", "a call cannot be deferred; one that is interrupted is ended instead" },
  { "/conformance/cancel/running", "a function does not know its task; see interrupt/cancelled" },
  { "/conformance/close/inside", "the same as close/force, where functions have no data of this process" },
  { "/conformance/storms/waits", "a function that is called by name cannot wait for other tasks" },
  { NULL, NULL }
};
