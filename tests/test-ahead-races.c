/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "test-ahead.h"

/* Two threads that do something to an attempt that was taken ahead, or to its task,
 * in the same moment: the backend's, and the program's or that of the timers. */

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoHandle  *handle;
  OsiisoAttempt *attempt;
  OsiisoAttempt *other;   /* of another task, which runs */
  gboolean       left;    /* what the backend's thread was told */
  gboolean       right;   /* what the other one was told */
} Round;

typedef gboolean (*Side) (Round *round);

/* What the task has to be in the end. */
typedef enum
{
  END_ANY,        /* it ended, or waits and runs then */
  END_WAITS,      /* it waits and runs then */
  END_IF_TOLD,    /* cancelled if the right side was told so */
  END_CANCELLED,
  END_TIMED_OUT,
  END_SUCCEEDED,
} End;

typedef struct
{
  const char *path;
  gboolean    begun;
  Side        left;
  Side        right;
  End         end;
} Race;

static gboolean
give_back (Round *round)
{
  return osiiso_attempt_give_back (round->attempt);
}

static gboolean
begin (Round *round)
{
  return osiiso_attempt_begin (round->attempt);
}

static gboolean
begin_and_give_back (Round *round)
{
  return osiiso_attempt_begin (round->attempt) && osiiso_attempt_give_back (round->attempt);
}

static gboolean
report (Round *round)
{
  osiiso_attempt_return_none (round->attempt);
  return TRUE;
}

static gboolean
cancel (Round *round)
{
  return osiiso_handle_cancel (round->handle);
}

static gboolean
cancel_all (Round *round)
{
  osiiso_queue_cancel (round->queue);
  return TRUE;
}

static gboolean
turn_clock (Round *round)
{
  osiiso_private_test_hooks ()->clock_advance (5 * G_USEC_PER_SEC);
  return TRUE;
}

static gboolean
fail_other (Round *round)
{
  test_task_fail (round->other, NULL);
  return TRUE;
}

static gboolean
shut_down (Round *round)
{
  g_assert_true (osiiso_queue_shutdown (round->queue, TRUE, NULL, NULL));
  return TRUE;
}

static gboolean
change_priority (Round *round)
{
  return osiiso_handle_set_priority (round->handle, 7);
}

static gboolean
pause_and_resume (Round *round)
{
  osiiso_queue_pause (round->queue);
  osiiso_queue_resume (round->queue);
  return TRUE;
}

/* The thread of the backend. */
typedef struct
{
  pthread_barrier_t barrier;
  Side              left;
  Round            *round; /* NULL: there are no more */
} Partner;

static gpointer
partner (gpointer data)
{
  Partner *self = data;

  for (;;)
    {
      pthread_barrier_wait (&self->barrier);
      if (self->round == NULL)
        return NULL;
      pthread_barrier_wait (&self->barrier);
      self->round->left = self->left (self->round);
      pthread_barrier_wait (&self->barrier);
    }
}

static void
count_cb (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          int          *n)
{
  (*n)++;
}

static gboolean
is_final (OsiisoHandle *handle)
{
  return osiiso_handle_get_status (handle) >= OSIISO_STATUS_SUCCEEDED;
}

/* The thread of the timers may be about to end it, if it began when its time was over.
 * TRUE if the attempt was open; that it is not any more is known before the status is. */
static gboolean
settle (Round *round)
{
  for (;;)
    {
      if (osiiso_attempt_is_open (round->attempt))
        return TRUE;
      if (osiiso_handle_get_status (round->handle) != OSIISO_STATUS_RUNNING)
        return FALSE;
      g_thread_yield ();
    }
}

/* Whatever has happened: a task that is not over can be taken and ended. */
static void
finish (Round *round)
{
  OsiisoAttempt *attempt = round->attempt;

  if (!settle (round) && !is_final (round->handle))
    {
      g_assert_cmpint (osiiso_handle_get_status (round->handle), ==, OSIISO_STATUS_PENDING);
      g_assert_cmpuint (osiiso_handle_get_attempts (round->handle), ==, 0);
      round->attempt = test_take_ahead (round->queue);
      g_assert_cmpuint (osiiso_attempt_get_task_id (round->attempt), ==, osiiso_handle_get_task_id (round->handle));
      g_assert_cmpuint (osiiso_attempt_get_number (round->attempt), ==, 1);
      osiiso_attempt_unref (attempt);
    }
  if (!is_final (round->handle))
    report (round);
  settle (round);
  osiiso_attempt_unref (round->attempt);
}

static void
check_end (const Race *race,
           Round      *round,
           gboolean    was_final)
{
  const OsiisoStatus status = osiiso_handle_get_status (round->handle);
  g_autoptr (GError) error = osiiso_handle_dup_error (round->handle);

  switch (race->end)
    {
    case END_ANY:
      break;
    case END_WAITS:
      g_assert_true (round->left);
      g_assert_false (was_final);
      g_assert_cmpint (status, ==, OSIISO_STATUS_SUCCEEDED);
      break;
    case END_IF_TOLD:
      if (round->right && race->left != report)
        g_assert_cmpint (status, ==, OSIISO_STATUS_CANCELLED);
      break;
    case END_CANCELLED:
      g_assert_cmpint (status, ==, OSIISO_STATUS_CANCELLED);
      break;
    case END_TIMED_OUT:
      g_assert_cmpint (status, ==, OSIISO_STATUS_FAILED);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      break;
    case END_SUCCEEDED:
      g_assert_cmpint (status, ==, OSIISO_STATUS_SUCCEEDED);
      break;
    default:
      g_assert_not_reached ();
    }
  if (status == OSIISO_STATUS_CANCELLED)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
run_round (const Race *race,
           Partner    *other)
{
  OsiisoQueue *queue = test_ahead_queue_new (2);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, NULL);
  Round round = { .queue = queue };
  gboolean was_final;
  int n_ends = 0;

  /* The other one is there to fail, or for its place in front of this one. */
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  round.other = test_take (queue);
  if (race->right == turn_clock)
    g_object_set (options, race->end == END_TIMED_OUT ? "deadline" : "timeout", 5.0, "retries",
                  race->end == END_TIMED_OUT ? 2 : 0, NULL);
  if (race->right == shut_down)
    g_object_set (options, "must-complete", TRUE, NULL);
  if (race->right == fail_other)
    osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  round.handle = test_submit (queue, test_task_none, NULL, options);
  round.attempt = test_take_ahead (queue);
  if (race->begun)
    g_assert_true (osiiso_attempt_begin (round.attempt));
  g_signal_connect (queue, "on-complete", G_CALLBACK (count_cb), &n_ends);

  other->round = &round;
  pthread_barrier_wait (&other->barrier);
  pthread_barrier_wait (&other->barrier);
  round.right = race->right (&round);
  pthread_barrier_wait (&other->barrier);

  was_final = is_final (round.handle);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), <=, 2);
  finish (&round);
  check_end (race, &round, was_final);
  test_end (round.other);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n_ends, ==, 2);
  g_object_unref (round.handle);
  test_queue_free (queue);
}

#define N_ROUNDS 300

static void
test_race (gconstpointer data)
{
  const Race *race = data;
  const OsiisoTestHooks *hooks = race->right == turn_clock ? test_manual_clock () : NULL;
  Partner other = { .left = race->left };
  GThread *thread;

  g_test_summary ("Two threads do something to an attempt that was taken ahead: its task ends once, and as was said");

  pthread_barrier_init (&other.barrier, NULL, 2);
  thread = g_thread_new ("partner", partner, &other);
  for (guint i = 0; i < N_ROUNDS; i++)
    run_round (race, &other);
  other.round = NULL;
  pthread_barrier_wait (&other.barrier);
  g_thread_join (thread);
  pthread_barrier_destroy (&other.barrier);
  if (hooks != NULL)
    hooks->clock_set_manual (0);
}

static const Race races[] = {
  { "/ahead/races/give-back-cancel", FALSE, give_back, cancel, END_IF_TOLD },
  { "/ahead/races/give-back-begun-cancel", TRUE, give_back, cancel, END_IF_TOLD },
  { "/ahead/races/begin-cancel", FALSE, begin, cancel, END_IF_TOLD },
  { "/ahead/races/begin-give-back-cancel", FALSE, begin_and_give_back, cancel, END_IF_TOLD },
  { "/ahead/races/report-cancel", FALSE, report, cancel, END_IF_TOLD },
  { "/ahead/races/give-back-cancel-all", FALSE, give_back, cancel_all, END_CANCELLED },
  { "/ahead/races/begin-cancel-all", FALSE, begin, cancel_all, END_CANCELLED },
  { "/ahead/races/give-back-deadline", FALSE, give_back, turn_clock, END_TIMED_OUT },
  { "/ahead/races/begin-deadline", FALSE, begin, turn_clock, END_TIMED_OUT },
  { "/ahead/races/begin-give-back-deadline", FALSE, begin_and_give_back, turn_clock, END_TIMED_OUT },
  { "/ahead/races/give-back-timeout", TRUE, give_back, turn_clock, END_ANY },
  { "/ahead/races/begin-timeout", FALSE, begin, turn_clock, END_ANY },
  { "/ahead/races/give-back-fail-first", FALSE, give_back, fail_other, END_CANCELLED },
  { "/ahead/races/give-back-begun-fail-first", TRUE, give_back, fail_other, END_CANCELLED },
  { "/ahead/races/begin-fail-first", FALSE, begin, fail_other, END_CANCELLED },
  { "/ahead/races/give-back-shutdown", FALSE, give_back, shut_down, END_CANCELLED },
  { "/ahead/races/give-back-begun-shutdown", TRUE, give_back, shut_down, END_CANCELLED },
  { "/ahead/races/begin-shutdown", FALSE, begin, shut_down, END_CANCELLED },
  { "/ahead/races/give-back-priority", FALSE, give_back, change_priority, END_WAITS },
  { "/ahead/races/give-back-begun-priority", TRUE, give_back, change_priority, END_WAITS },
  { "/ahead/races/give-back-pause", FALSE, give_back, pause_and_resume, END_WAITS },
  { "/ahead/races/give-back-twice", FALSE, give_back, give_back, END_ANY },
  { "/ahead/races/give-back-begin", FALSE, give_back, begin, END_WAITS },
  { "/ahead/races/give-back-report", FALSE, give_back, report, END_SUCCEEDED },
  { "/ahead/races/begin-twice", FALSE, begin, begin, END_SUCCEEDED },
  { "/ahead/races/begin-report", FALSE, begin, report, END_SUCCEEDED },
};

void
test_add_ahead_races (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (races); i++)
    g_test_add_data_func (races[i].path, &races[i], test_race);
}
