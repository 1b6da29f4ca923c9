/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-ahead.h"

/* What ends attempts that were taken ahead from outside, or holds them back, and who
 * is woken for those that come back. */

static void
assert_error (OsiisoHandle *handle,
              OsiisoStatus  status,
              GIOErrorEnum  code,
              const char   *message)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, status);
  g_assert_error (error, G_IO_ERROR, (gint) code);
  g_assert_cmpstr (error->message, ==, message);
}

static void
assert_interrupts (OsiisoQueue *queue,
                   int          n)
{
  g_assert_cmpint (g_atomic_int_get (&test_ahead_backend (queue)->n_interrupts), ==, n);
}

/* An attempt that was ended from outside and that nobody works at. */
static void
drop_ended (OsiisoAttempt *attempt)
{
  g_assert_false (osiiso_attempt_is_open (attempt));
  g_assert_false (osiiso_attempt_begin (attempt));
  g_assert_false (osiiso_attempt_give_back (attempt));
  osiiso_attempt_unref (attempt);
}

static void
test_cancel (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);

  g_test_summary ("A task that was taken ahead is cancelled like one that runs, before execution");

  g_assert_true (osiiso_handle_cancel (handle));
  assert_error (handle, OSIISO_STATUS_CANCELLED, G_IO_ERROR_CANCELLED, "cancelled before execution");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_started (handle), ==, 0);
  assert_interrupts (queue, 1);
  g_assert_true (test_ahead_backend (queue)->last == attempt);
  g_assert_true (g_cancellable_is_cancelled (cancellable));
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  drop_ended (attempt);
  test_nothing_to_take (queue);
  test_queue_free (queue);
}

static void
test_cancel_returned (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoHandle) never = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) begun = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *first = test_take_ahead (queue);
  OsiisoAttempt *second = test_take_ahead (queue);

  g_test_summary ("A task that was given back waits, and is cancelled as one that does");

  g_assert_true (osiiso_attempt_give_back (first));
  g_assert_true (osiiso_attempt_begin (second));
  g_assert_true (osiiso_attempt_give_back (second));
  g_assert_true (osiiso_handle_cancel (never));
  g_assert_true (osiiso_handle_cancel (begun));
  assert_error (never, OSIISO_STATUS_CANCELLED, G_IO_ERROR_CANCELLED, "cancelled before execution");
  assert_error (begun, OSIISO_STATUS_CANCELLED, G_IO_ERROR_CANCELLED, "cancelled before execution");
  assert_interrupts (queue, 0);
  drop_ended (first);
  drop_ended (second);
  test_nothing_to_take (queue);
  test_queue_free (queue);
}

static void
test_deadline (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "deadline", 5.0, "retries", 3, NULL);
  g_autoptr (OsiisoHandle) ahead = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoHandle) returned = test_submit (queue, test_task_none, NULL, options);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  OsiisoAttempt *other = test_take_ahead (queue);

  g_test_summary ("A deadline counts for tasks that were taken ahead and for those that came back");

  g_assert_true (osiiso_attempt_give_back (other));
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  assert_error (ahead, OSIISO_STATUS_FAILED, G_IO_ERROR_TIMED_OUT, "task 't' exceeded its deadline of 5s");
  assert_error (returned, OSIISO_STATUS_FAILED, G_IO_ERROR_TIMED_OUT, "task 't' exceeded its deadline of 5s");
  g_assert_cmpuint (osiiso_handle_get_attempts (ahead), ==, 0);
  assert_interrupts (queue, 1);
  drop_ended (attempt);
  drop_ended (other);
  test_nothing_to_take (queue);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_timeout (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "t", "timeout", 5.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  OsiisoAttempt *attempt = test_take_ahead (queue);

  g_test_summary ("The timeout of an attempt runs from its beginning, and not for one that was given back");

  hooks->clock_advance (100 * G_USEC_PER_SEC);
  g_assert_true (osiiso_attempt_begin (attempt));
  hooks->clock_advance (4 * G_USEC_PER_SEC);
  g_assert_true (osiiso_attempt_give_back (attempt));
  hooks->clock_advance (100 * G_USEC_PER_SEC);
  drop_ended (attempt);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  assert_interrupts (queue, 0);

  attempt = test_take_ahead (queue);
  g_assert_true (osiiso_attempt_begin (attempt));
  hooks->clock_advance (5 * G_USEC_PER_SEC - 1);
  g_assert_true (osiiso_attempt_is_open (attempt));
  hooks->clock_advance (1);
  assert_error (handle, OSIISO_STATUS_FAILED, G_IO_ERROR_TIMED_OUT, "task 't' exceeded 5s timeout");
  assert_interrupts (queue, 1);
  drop_ended (attempt);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

/* What a backend may do in the middle of a halt, when its slot is called for the
 * first of several attempts. */
typedef struct
{
  OsiisoAttempt *begin;
  OsiisoAttempt *give_back;
  OsiisoAttempt *give_back_begun;
} Meanwhile;

static void
do_meanwhile (AheadBackend *backend)
{
  Meanwhile *meanwhile = backend->hook_data;

  backend->hook = NULL;
  g_assert_false (osiiso_attempt_begin (meanwhile->begin));
  g_assert_true (osiiso_attempt_give_back (meanwhile->give_back));
  g_assert_true (osiiso_attempt_give_back (meanwhile->give_back_begun));
  test_nothing_to_take (backend->queue);
}

static void
on_start_cb (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             GString      *log)
{
  g_string_append_printf (log, "%s ", osiiso_handle_get_name (handle));
}

typedef enum
{
  HALT_FAIL_FIRST,
  HALT_CANCEL,
  HALT_SHUTDOWN,
} Halt;

static void
test_halt (gconstpointer data)
{
  const Halt how = (Halt) GPOINTER_TO_INT (data);
  /* That one ends everything, the others leave tasks alone that must complete. */
  const gboolean must_complete = how == HALT_SHUTDOWN;
  OsiisoQueue *queue = test_ahead_queue_new (3);
  AheadBackend *backend = test_ahead_backend (queue);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", must_complete, NULL);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  OsiisoAttempt *attempts[6];
  Meanwhile meanwhile;

  g_test_summary ("Of what was taken ahead nothing begins any more, and what is given back ends, when all is cancelled");

  for (guint i = 0; i < 6; i++)
    g_ptr_array_add (handles, test_submit (queue, test_task_none, NULL, options));
  attempts[0] = test_take (queue);
  attempts[1] = test_take (queue);
  for (guint i = 2; i < 6; i++)
    attempts[i] = test_take_ahead (queue);
  g_assert_true (osiiso_attempt_begin (attempts[2]));
  meanwhile = (Meanwhile) { attempts[3], attempts[4], attempts[2] };
  backend->queue = queue;
  backend->hook = do_meanwhile;
  backend->hook_data = &meanwhile;
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_signal_connect (queue, "on-start", G_CALLBACK (on_start_cb), log);

  if (how == HALT_FAIL_FIRST)
    {
      osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
      test_task_fail (attempts[0], NULL);
    }
  else if (how == HALT_CANCEL)
    {
      osiiso_attempt_return_none (attempts[0]);
      osiiso_queue_cancel (queue);
    }
  else
    {
      osiiso_attempt_return_none (attempts[0]);
      g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
    }

  g_assert_null (backend->hook);
  for (guint i = 1; i < 6; i++)
    {
      assert_error (g_ptr_array_index (handles, i), OSIISO_STATUS_CANCELLED, G_IO_ERROR_CANCELLED,
                    i <= 2 ? "cancelled" : "cancelled before execution");
      g_assert_false (osiiso_attempt_is_open (attempts[i]));
    }
  /* Those that the slot was not called for are the three above. */
  assert_interrupts (queue, 2);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (log->str, ==, "");
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  for (guint i = 0; i < 6; i++)
    osiiso_attempt_unref (attempts[i]);
  test_queue_free (queue);
}

static void
test_must_complete (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) other = test_submit (queue, test_task_fail, NULL, NULL);
  g_autoptr (OsiisoHandle) begins = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoHandle) returns = test_submit (queue, test_task_none, NULL, options);
  OsiisoAttempt *attempts[3];

  g_test_summary ("The failure that cancels all others leaves those alone that must complete, given back or not");

  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  for (guint i = 0; i < 3; i++)
    attempts[i] = test_take_ahead (queue);
  osiiso_attempt_run (attempts[0]);
  g_assert_cmpint (osiiso_handle_get_status (other), ==, OSIISO_STATUS_FAILED);
  g_assert_true (osiiso_attempt_begin (attempts[1]));
  g_assert_true (osiiso_attempt_give_back (attempts[2]));
  g_assert_cmpint (osiiso_handle_get_status (returns), ==, OSIISO_STATUS_PENDING);
  test_end (attempts[1]);
  test_end_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (begins), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (returns), ==, OSIISO_STATUS_SUCCEEDED);
  assert_interrupts (queue, 0);
  osiiso_attempt_unref (attempts[0]);
  osiiso_attempt_unref (attempts[2]);
  test_queue_free (queue);
}

static void
shutdown_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      done)
{
  g_assert_true (osiiso_queue_shutdown_finish (OSIISO_QUEUE (source), result, NULL));
  *(int *) done = 1;
}

static void
test_drain (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoHandle) first = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) second = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  OsiisoAttempt *other = test_take_ahead (queue);
  int done = 0;

  g_test_summary ("A queue that is shut down waits for what was taken ahead, and for what is given back");

  osiiso_queue_shutdown_async (queue, FALSE, NULL, shutdown_cb, &done);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (done, ==, 0);
  g_assert_true (osiiso_attempt_give_back (other));
  osiiso_attempt_unref (other);
  g_assert_true (osiiso_attempt_begin (attempt));
  test_end (attempt);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (done, ==, 0);
  test_end_all (queue);
  test_iterate_until (&done);
  g_assert_true (osiiso_queue_get_closed (queue));
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_SUCCEEDED);
  test_nothing_to_take (queue);
  test_queue_free (queue);
}

static void
test_pause (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  OsiisoAttempt *attempt;

  g_test_summary ("A pause holds back what would be taken ahead, and not what was");

  for (guint i = 0; i < 3; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  attempt = test_take_ahead (queue);
  osiiso_queue_pause (queue);
  test_nothing_to_take (queue);
  g_assert_true (osiiso_attempt_begin (attempt));
  g_assert_true (osiiso_attempt_give_back (attempt));
  osiiso_attempt_unref (attempt);
  test_nothing_to_take (queue);
  test_woken (queue, 1);
  osiiso_queue_resume (queue);
  test_woken (queue, 1);
  test_end_all (queue);
  test_queue_free (queue);
}

static void
test_rate (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_ahead_queue_new (1);
  OsiisoAttempt *attempt;

  g_test_summary ("An attempt that is taken ahead uses up a start of the rate, also if it is given back");

  osiiso_queue_set_rate (queue, 1);
  for (guint i = 0; i < 3; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  attempt = test_take_ahead (queue);
  test_nothing_to_take (queue);
  g_assert_true (osiiso_attempt_give_back (attempt));
  osiiso_attempt_unref (attempt);
  test_nothing_to_take (queue);
  test_woken (queue, 1);

  hooks->clock_advance (G_USEC_PER_SEC);
  test_woken (queue, 1);
  attempt = test_take (queue);
  test_nothing_to_take (queue);
  hooks->clock_advance (G_USEC_PER_SEC);
  /* Only for who takes ahead: the only worker has something to do. */
  test_woken (queue, 1);
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  test_end (test_take_ahead (queue));
  hooks->clock_advance (G_USEC_PER_SEC);
  test_end (test_take_ahead (queue));
  test_end (attempt);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_wakes (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 5.0, NULL);
  OsiisoAttempt *attempts[3];

  g_test_summary ("Who took ahead in vain is woken for what comes, beyond the number of workers too");

  for (guint i = 0; i < 3; i++)
    test_submit_and_drop (queue, test_task_none, NULL, i < 2 ? NULL : later);
  test_woken (queue, 1);
  attempts[0] = test_take (queue);
  attempts[1] = test_take_ahead (queue);
  /* It has room for one more at most when it has asked in vain. */
  g_assert_true (osiiso_attempt_give_back (attempts[1]));
  osiiso_attempt_unref (attempts[1]);
  test_woken (queue, 0);
  attempts[1] = test_take_ahead (queue);

  test_nothing_to_take (queue);
  g_assert_true (osiiso_attempt_give_back (attempts[1]));
  osiiso_attempt_unref (attempts[1]);
  test_woken (queue, 1);
  attempts[1] = test_take_ahead (queue);

  /* The order of the two does not matter. */
  g_assert_null (osiiso_backend_take_ahead (osiiso_queue_get_backend (queue)));
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  test_woken (queue, 1);
  attempts[2] = test_take_ahead (queue);

  /* Without a wish for more there is nothing to tell while the worker is busy. */
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  g_assert_true (osiiso_attempt_give_back (attempts[2]));
  osiiso_attempt_unref (attempts[2]);
  test_woken (queue, 0);
  test_end (attempts[0]);
  test_woken (queue, 1);
  attempts[2] = test_take (queue);
  test_end (attempts[1]);
  test_end (attempts[2]);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_misuse (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  OsiisoAttempt *deferred = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &deferred, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);

  g_test_summary ("An attempt whose function was entered cannot be given back");

  osiiso_attempt_run (attempt);
  g_assert_true (deferred == attempt);
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*OSIISO_ATTEMPT_DEFERRED*");
  g_assert_false (osiiso_attempt_give_back (attempt));
  g_test_assert_expected_messages ();
  osiiso_attempt_unref (attempt);
  test_end (deferred);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

void
test_add_ahead_ends (void)
{
  g_test_add_func ("/ahead/cancel", test_cancel);
  g_test_add_func ("/ahead/cancel-returned", test_cancel_returned);
  g_test_add_func ("/ahead/deadline", test_deadline);
  g_test_add_func ("/ahead/timeout", test_timeout);
  g_test_add_data_func ("/ahead/halt/fail-first", GINT_TO_POINTER (HALT_FAIL_FIRST), test_halt);
  g_test_add_data_func ("/ahead/halt/cancel", GINT_TO_POINTER (HALT_CANCEL), test_halt);
  g_test_add_data_func ("/ahead/halt/shutdown", GINT_TO_POINTER (HALT_SHUTDOWN), test_halt);
  g_test_add_func ("/ahead/must-complete", test_must_complete);
  g_test_add_func ("/ahead/drain", test_drain);
  g_test_add_func ("/ahead/pause", test_pause);
  g_test_add_func ("/ahead/rate", test_rate);
  g_test_add_func ("/ahead/wakes", test_wakes);
  g_test_add_func ("/ahead/misuse", test_misuse);
}
