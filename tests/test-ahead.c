/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-ahead.h"

/* Attempts that a backend takes ahead, begins, and gives back. What ends them from
 * outside is in test-ahead-ends.c, races are in test-ahead-races.c, and a backend with
 * threads is in test-ahead-storm.c. */

G_DEFINE_FINAL_TYPE (AheadBackend, ahead_backend, OSIISO_TYPE_BACKEND)

static void
ahead_backend_wake (OsiisoBackend *backend,
                    guint          n)
{
  g_atomic_int_inc (&AHEAD_BACKEND (backend)->n_wakes);
}

static void
ahead_backend_interrupt (OsiisoBackend        *backend,
                         OsiisoAttempt        *attempt,
                         OsiisoInterruptReason reason)
{
  g_atomic_int_inc (&AHEAD_BACKEND (backend)->n_interrupts);
  g_atomic_pointer_set (&AHEAD_BACKEND (backend)->last, attempt);
  if (AHEAD_BACKEND (backend)->hook != NULL)
    AHEAD_BACKEND (backend)->hook (AHEAD_BACKEND (backend));
}

static void
ahead_backend_close (OsiisoBackend *backend,
                     gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
ahead_backend_class_init (AheadBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->wake = ahead_backend_wake;
  backend_class->interrupt = ahead_backend_interrupt;
  backend_class->close = ahead_backend_close;
}

static void
ahead_backend_init (AheadBackend *self)
{
}

OsiisoQueue *
test_ahead_queue_new (guint workers)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (AHEAD_TYPE_BACKEND, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);

  osiiso_queue_set_workers (queue, workers);
  osiiso_queue_start (queue, &error);
  g_assert_no_error (error);
  return queue;
}

AheadBackend *
test_ahead_backend (OsiisoQueue *queue)
{
  return AHEAD_BACKEND (osiiso_queue_get_backend (queue));
}

OsiisoAttempt *
test_take (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt = osiiso_backend_take (osiiso_queue_get_backend (queue));

  g_assert_nonnull (attempt);
  return attempt;
}

OsiisoAttempt *
test_take_ahead (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt = osiiso_backend_take_ahead (osiiso_queue_get_backend (queue));

  g_assert_nonnull (attempt);
  g_assert_true (osiiso_attempt_is_open (attempt));
  return attempt;
}

void
test_nothing_to_take (OsiisoQueue *queue)
{
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  g_assert_null (osiiso_backend_take_ahead (osiiso_queue_get_backend (queue)));
}

void
test_end (OsiisoAttempt *attempt)
{
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

void
test_end_all (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (osiiso_queue_get_backend (queue))) != NULL)
    test_end (attempt);
}

void
test_woken (OsiisoQueue *queue,
            int          times)
{
  g_assert_cmpint (g_atomic_int_exchange (&test_ahead_backend (queue)->n_wakes, 0), ==, times);
}

static void
give_back (OsiisoAttempt *attempt)
{
  g_assert_true (osiiso_attempt_give_back (attempt));
  g_assert_false (osiiso_attempt_is_open (attempt));
  osiiso_attempt_unref (attempt);
}

static void
drain (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
count_cb (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          int          *n)
{
  (*n)++;
}

static void
test_waits (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  int n_starts = 0;

  g_test_summary ("A task that was taken ahead waits for everybody to see until it begins");

  g_signal_connect (queue, "on-start", G_CALLBACK (count_cb), &n_starts);
  drain ();
  g_assert_cmpint (n_starts, ==, 0);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_started (handle), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 1);
  test_nothing_to_take (queue);

  hooks->clock_advance (3 * G_USEC_PER_SEC);
  g_assert_true (osiiso_attempt_begin (attempt));
  drain ();
  g_assert_cmpint (n_starts, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RUNNING);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  g_assert_cmpfloat (osiiso_handle_get_started (handle) - osiiso_handle_get_created (handle), ==, 3);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);

  g_assert_true (osiiso_attempt_begin (attempt));
  drain ();
  g_assert_cmpint (n_starts, ==, 1);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 1);
  test_end (attempt);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_beyond_limit (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  OsiisoAttempt *attempts[4];

  g_test_summary ("Taking ahead goes beyond the number of workers, and take() counts what has begun");

  for (guint i = 0; i < 4; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  attempts[0] = test_take_ahead (queue);
  attempts[1] = test_take (queue);
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  attempts[2] = test_take_ahead (queue);
  attempts[3] = test_take_ahead (queue);
  test_nothing_to_take (queue);

  /* The number of workers does not hold back who begins. */
  g_assert_true (osiiso_attempt_begin (attempts[0]));
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 2);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_end (attempts[1]);
  g_assert_null (osiiso_backend_take (osiiso_queue_get_backend (queue)));
  test_end (attempts[0]);
  test_end (test_take (queue));
  test_end (attempts[2]);
  test_end (attempts[3]);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_queue_free (queue);
}

static void
test_give_back_reserved (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  OsiisoAttempt *next;
  int n_starts = 0;

  g_test_summary ("What is given back without having begun was never there");

  g_signal_connect (queue, "on-start", G_CALLBACK (count_cb), &n_starts);
  g_assert_true (osiiso_attempt_give_back (attempt));
  g_assert_false (osiiso_attempt_is_open (attempt));
  g_assert_false (osiiso_attempt_give_back (attempt));
  g_assert_false (osiiso_attempt_begin (attempt));
  osiiso_attempt_return_int (attempt, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  drain ();
  g_assert_cmpint (n_starts, ==, 0);

  next = test_take (queue);
  g_assert_cmpuint (osiiso_attempt_get_task_id (next), ==, osiiso_handle_get_task_id (handle));
  g_assert_cmpuint (osiiso_attempt_get_number (next), ==, 1);
  osiiso_attempt_return_int (next, 2);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 2);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  g_assert_false (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  osiiso_attempt_unref (next);
  osiiso_attempt_unref (attempt);
  drain ();
  g_assert_cmpint (n_starts, ==, 1);
  g_assert_cmpint (test_ahead_backend (queue)->n_interrupts, ==, 0);
  test_queue_free (queue);
}

static void
notify_cb (GObject    *object,
           GParamSpec *spec,
           GString    *log)
{
  g_string_append_printf (log, "%d ", osiiso_handle_get_status (OSIISO_HANDLE (object)));
}

static void
test_give_back_begun (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  const OsiisoTestHooks *hooks = test_manual_clock ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (GString) log = g_string_new (NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);
  int n_starts = 0;

  g_test_summary ("What is given back when it had begun is told of again, by the same number");

  g_signal_connect (queue, "on-start", G_CALLBACK (count_cb), &n_starts);
  g_signal_connect (handle, "notify::status", G_CALLBACK (notify_cb), log);
  g_assert_true (osiiso_attempt_begin (attempt));
  drain ();
  give_back (attempt);
  drain ();
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_started (handle), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);

  hooks->clock_advance (2 * G_USEC_PER_SEC);
  attempt = test_take (queue);
  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 1);
  drain ();
  g_assert_cmpint (n_starts, ==, 2);
  g_assert_cmpstr (log->str, ==, "1 0 1 ");
  g_assert_cmpfloat (osiiso_handle_get_started (handle) - osiiso_handle_get_created (handle), ==, 2);
  test_task_fail (attempt, NULL);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);

  /* The second attempt is given back, too, as often as somebody likes. */
  for (guint i = 0; i < 3; i++)
    {
      attempt = i == 1 ? test_take_ahead (queue) : test_take (queue);
      g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 2);
      give_back (attempt);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_RETRYING);
      g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
    }
  attempt = test_take (queue);
  test_task_fail (attempt, NULL);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_old_place (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (8);
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", -5, NULL);
  g_autoptr (GString) order = g_string_new (NULL);
  OsiisoAttempt *attempts[4];
  OsiisoAttempt *attempt;
  guint64 first;

  g_test_summary ("What is given back waits in its old place, whatever the order it comes back in");

  for (guint i = 0; i < 6; i++)
    test_submit_and_drop (queue, test_task_none, NULL, i == 3 ? urgent : NULL);
  /* 3 0 1 2, and 4 5 stay there. */
  for (guint i = 0; i < 4; i++)
    attempts[i] = i % 2 == 0 ? test_take_ahead (queue) : test_take (queue);
  first = osiiso_attempt_get_task_id (attempts[0]);
  give_back (attempts[2]);
  give_back (attempts[0]);
  give_back (attempts[3]);
  give_back (attempts[1]);
  while ((attempt = osiiso_backend_take (osiiso_queue_get_backend (queue))) != NULL)
    {
      g_autofree char *name = osiiso_attempt_dup_name (attempt);

      if (order->len == 0)
        g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==, first);
      g_string_append_printf (order, "%s ", name);
      test_end (attempt);
    }
  g_assert_cmpstr (order->str, ==, "task-4 task-1 task-2 task-3 task-5 task-6 ");
  test_queue_free (queue);
}

static void
test_priority (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (2);
  g_autoptr (OsiisoHandle) first = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) second = test_submit (queue, test_task_none, NULL, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);

  g_test_summary ("The priority of a task that was taken ahead can be changed, and counts when it is given back");

  g_assert_true (osiiso_handle_set_priority (first, 10));
  g_assert_cmpint (osiiso_handle_get_priority (first), ==, 10);
  give_back (attempt);
  attempt = test_take (queue);
  g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==, osiiso_handle_get_task_id (second));
  g_assert_false (osiiso_handle_set_priority (second, -10));
  give_back (attempt);
  g_assert_true (osiiso_handle_set_priority (second, 20));
  attempt = test_take_ahead (queue);
  g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), ==, osiiso_handle_get_task_id (first));
  test_end (attempt);
  test_end_all (queue);
  test_queue_free (queue);
}

static void
test_report_begins (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (GError) error = NULL;
  int n_starts = 0;

  g_test_summary ("A report about an attempt that has not begun makes it begin");

  g_signal_connect (queue, "on-start", G_CALLBACK (count_cb), &n_starts);
  for (guint i = 1; i <= 2; i++)
    {
      OsiisoAttempt *attempt = test_take_ahead (queue);

      g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, i);
      /* The second one is dropped without any. */
      if (i == 1)
        test_task_fail (attempt, NULL);
      osiiso_attempt_unref (attempt);
      g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, i);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
    }
  drain ();
  g_assert_cmpint (n_starts, ==, 2);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  test_queue_free (queue);
}

static void
count_call (OsiisoAttempt *attempt,
            gpointer       counter)
{
  (*(int *) counter)++;
}

static void
test_run_begins (void)
{
  OsiisoQueue *queue = test_ahead_queue_new (1);
  int n_calls = 0;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, count_call, &n_calls, NULL);
  OsiisoAttempt *attempt = test_take_ahead (queue);

  g_test_summary ("An attempt that is run begins, and one that was given back is not run");

  g_assert_true (osiiso_attempt_give_back (attempt));
  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (n_calls, ==, 0);

  attempt = test_take_ahead (queue);
  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (n_calls, ==, 1);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/ahead/waits", test_waits);
  g_test_add_func ("/ahead/beyond-limit", test_beyond_limit);
  g_test_add_func ("/ahead/give-back-reserved", test_give_back_reserved);
  g_test_add_func ("/ahead/give-back-begun", test_give_back_begun);
  g_test_add_func ("/ahead/old-place", test_old_place);
  g_test_add_func ("/ahead/priority", test_priority);
  g_test_add_func ("/ahead/report-begins", test_report_begins);
  g_test_add_func ("/ahead/run-begins", test_run_begins);
  test_add_ahead_ends ();
  test_add_ahead_races ();
  test_add_ahead_storms ();

  return g_test_run ();
}
