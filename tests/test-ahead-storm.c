/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>

#include "test-ahead.h"

/* A backend of several threads, each of which feeds a worker that is elsewhere: it
 * has a window of attempts, runs some of them, and gives others back, as if its worker
 * had died. Wake-ups are all that keeps it going. */

#define WINDOW 5

#define FEEDING_TYPE_BACKEND (feeding_backend_get_type ())
G_DECLARE_FINAL_TYPE (FeedingBackend, feeding_backend, FEEDING, BACKEND, OsiisoBackend)

struct _FeedingBackend
{
  OsiisoBackend parent_instance;

  guint         returns; /* how many of a hundred are given back */
  GMutex        lock;
  GCond         cond;
  guint         n_wakes;
  gboolean      closing;
  guint         n_threads;
  int           n_returned; /* atomic, like the next */
  int           n_interrupts;
  _Atomic guint64 last_taken; /* the id of its task */
};

G_DEFINE_FINAL_TYPE (FeedingBackend, feeding_backend, OSIISO_TYPE_BACKEND)

/* Whether the attempt was one that has to be worked at no more is for the queue to
 * know; whatever this does, a task must end once. */
static void
deal_with (FeedingBackend *self,
           OsiisoAttempt  *attempt,
           GRand          *random)
{
  const guint percent = (guint) g_rand_int_range (random, 0, 100);

  if (percent >= self->returns)
    osiiso_attempt_run (attempt);
  else if (percent % 3 != 0 || osiiso_attempt_begin (attempt))
    g_atomic_int_add (&self->n_returned, osiiso_attempt_give_back (attempt));
  osiiso_attempt_unref (attempt);
}

static guint
fill (FeedingBackend *self,
      OsiisoAttempt **window,
      guint           n,
      GRand          *random)
{
  const guint size = (guint) g_rand_int_range (random, 1, WINDOW + 1);

  while (n < size)
    {
      if (n == 0 && g_rand_boolean (random))
        window[n] = osiiso_backend_take (OSIISO_BACKEND (self));
      else
        window[n] = osiiso_backend_take_ahead (OSIISO_BACKEND (self));
      if (window[n] == NULL)
        break;
      atomic_store (&self->last_taken, osiiso_attempt_get_task_id (window[n]));
      n++;
    }
  return n;
}

static gpointer
feed (gpointer data)
{
  g_autoptr (FeedingBackend) self = data;
  GRand *random;
  OsiisoAttempt *window[WINDOW];
  gboolean closing;
  gboolean last;
  guint n = 0;

  g_mutex_lock (&self->lock);
  random = g_rand_new_with_seed (self->n_threads);
  g_mutex_unlock (&self->lock);
  for (;;)
    {
      guint seen;

      g_mutex_lock (&self->lock);
      seen = self->n_wakes;
      closing = self->closing;
      g_mutex_unlock (&self->lock);
      if (closing)
        break;

      n = fill (self, window, n, random);
      if (n == 0)
        {
          g_mutex_lock (&self->lock);
          while (self->n_wakes == seen && !self->closing)
            g_cond_wait (&self->cond, &self->lock);
          g_mutex_unlock (&self->lock);
          continue;
        }
      /* Others have their turn while the window is full. */
      if (g_rand_int_range (random, 0, 20) == 0)
        g_thread_yield ();
      /* In any order. */
      for (guint i = (guint) g_rand_int_range (random, 1, (gint32) n + 1); i > 0; i--)
        {
          const guint at = (guint) g_rand_int_range (random, 0, (gint32) n);
          OsiisoAttempt *attempt = window[at];

          window[at] = window[--n];
          deal_with (self, attempt, random);
        }
    }

  while (n > 0)
    {
      g_assert_false (osiiso_attempt_give_back (window[--n]));
      osiiso_attempt_unref (window[n]);
    }
  g_rand_free (random);
  g_mutex_lock (&self->lock);
  last = --self->n_threads == 0;
  g_mutex_unlock (&self->lock);
  if (last)
    osiiso_backend_closed (OSIISO_BACKEND (self));
  return NULL;
}

#define N_FEEDERS 3

static gboolean
feeding_backend_open (OsiisoBackend *backend,
                      GError       **error)
{
  FeedingBackend *self = FEEDING_BACKEND (backend);

  self->closing = FALSE;
  for (guint i = 0; i < N_FEEDERS; i++)
    {
      g_mutex_lock (&self->lock);
      self->n_threads++;
      g_mutex_unlock (&self->lock);
      g_thread_unref (g_thread_new ("feeder", feed, g_object_ref (self)));
    }
  return TRUE;
}

static void
feeding_backend_wake (OsiisoBackend *backend,
                      guint          n)
{
  FeedingBackend *self = FEEDING_BACKEND (backend);

  g_mutex_lock (&self->lock);
  self->n_wakes++;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void
feeding_backend_interrupt (OsiisoBackend        *backend,
                           OsiisoAttempt        *attempt,
                           OsiisoInterruptReason reason)
{
  g_atomic_int_inc (&FEEDING_BACKEND (backend)->n_interrupts);
}

static void
feeding_backend_close (OsiisoBackend *backend,
                       gboolean       force)
{
  FeedingBackend *self = FEEDING_BACKEND (backend);

  g_mutex_lock (&self->lock);
  self->closing = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void
feeding_backend_finalize (GObject *object)
{
  FeedingBackend *self = FEEDING_BACKEND (object);

  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (feeding_backend_parent_class)->finalize (object);
}

static void
feeding_backend_class_init (FeedingBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = feeding_backend_finalize;
  backend_class->open = feeding_backend_open;
  backend_class->wake = feeding_backend_wake;
  backend_class->interrupt = feeding_backend_interrupt;
  backend_class->close = feeding_backend_close;
}

static void
feeding_backend_init (FeedingBackend *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->returns = 30;
}

/* What is known of each task. */
typedef struct
{
  int n_calls;
  int n_released;
} Slot;

static void
count_call (OsiisoAttempt *attempt,
            gpointer       data)
{
  Slot *slot = data;

  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, (guint) g_atomic_int_add (&slot->n_calls, 1) + 1);
}

static void
fail_once (OsiisoAttempt *attempt,
           gpointer       data)
{
  count_call (attempt, data);
  if (osiiso_attempt_get_number (attempt) == 1)
    test_task_fail (attempt, NULL);
}

static void
count_release (gpointer data)
{
  g_atomic_int_inc (&((Slot *) data)->n_released);
}

static void
count_cb (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          int          *n)
{
  (*n)++;
}

#define N_TASKS 100000

/* Somebody who cancels, changes priorities, pauses and changes the workers. */
typedef struct
{
  OsiisoQueue *queue;
  guint64     *ids;
  GHashTable  *told;    /* of ids: cancel() said so */
  guint        n_told;
  int          stop;        /* atomic */
} Meddler;

static gpointer
meddle (gpointer data)
{
  Meddler *self = data;
  GRand *random = g_rand_new_with_seed (4711);

  while (!g_atomic_int_get (&self->stop))
    {
      /* One that waits, most of the time, or one that a backend has. */
      const guint64 any = self->ids[g_rand_int_range (random, 0, N_TASKS)];
      const guint64 taken = atomic_load (&FEEDING_BACKEND (osiiso_queue_get_backend (self->queue))->last_taken);
      const guint64 id = taken != 0 && g_rand_boolean (random) ? taken : any;
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (self->queue, id);

      switch (g_rand_int_range (random, 0, 8))
        {
        case 0:
          osiiso_queue_pause (self->queue);
          osiiso_queue_resume (self->queue);
          break;
        case 1:
          osiiso_queue_set_workers (self->queue, (guint) g_rand_int_range (random, 1, 5));
          break;
        case 2:
        case 3:
          /* Half of them are left for the others. */
          if (handle != NULL && self->n_told < N_TASKS / 2 && osiiso_handle_cancel (handle))
            {
              g_hash_table_add (self->told, g_memdup2 (&id, sizeof id));
              self->n_told++;
            }
          break;
        default:
          if (handle != NULL)
            osiiso_handle_set_priority (handle, g_rand_int_range (random, -5, 6));
        }
    }
  g_rand_free (random);
  return NULL;
}

static void
push_all (OsiisoQueue *queue,
          Slot        *slots,
          guint64     *ids)
{
  g_autoptr (OsiisoTaskOptions) retried = test_options_new ("retries", 1, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_TASKS; i++)
    {
      ids[i] = osiiso_queue_push (queue, i % 4 == 0 ? fail_once : count_call, &slots[i], count_release,
                                  i % 4 == 0 ? retried : NULL, &error);
      g_assert_no_error (error);
    }
}

/* Nothing has ended in this way but what the meddler was told is cancelled. */
static void
check_told (GListModel *results,
            Meddler    *meddler)
{
  for (guint i = 0; i < g_list_model_get_n_items (results); i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (results, i);
      const guint64 id = osiiso_task_result_get_task_id (result);

      g_assert_true (g_hash_table_contains (meddler->told, &id));
    }
}

static void
test_storm (void)
{
  g_autoptr (FeedingBackend) backend = g_object_new (FEEDING_TYPE_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));
  g_autofree Slot *slots = g_new0 (Slot, N_TASKS);
  g_autofree guint64 *ids = g_new0 (guint64, N_TASKS);
  g_autoptr (GHashTable) told = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  Meddler meddler = { .queue = queue, .ids = ids, .told = told };
  g_autoptr (GListModel) failures = NULL;
  g_autoptr (GListModel) cancellations = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  guint n_called = 0;
  GThread *thread;

  g_test_summary ("Of a hundred thousand tasks each ends once, whatever is taken ahead, given back and cancelled");

  osiiso_queue_set_workers (queue, N_FEEDERS);
  push_all (queue, slots, ids);
  thread = g_thread_new ("meddler", meddle, &meddler);
  test_run_all (queue);
  g_atomic_int_set (&meddler.stop, 1);
  g_thread_join (thread);
  /* What was cancelled before the run is not the run's. */
  summary = osiiso_queue_dup_summary (queue);

  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, N_TASKS);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (guint i = 0; i < N_TASKS; i++)
    {
      g_assert_cmpint (slots[i].n_released, ==, 1);
      g_assert_cmpint (slots[i].n_calls, <=, i % 4 == 0 ? 2 : 1);
      n_called += slots[i].n_calls == (i % 4 == 0 ? 2 : 1) ? 1 : 0;
    }
  g_test_message ("%u called, %d given back, %u cancelled, %d interrupted", n_called, backend->n_returned,
                  meddler.n_told, backend->n_interrupts);
  /* One that failed and was cancelled before its retry has failed. */
  failures = osiiso_run_summary_errors (summary);
  cancellations = osiiso_run_summary_cancellations (summary);
  g_assert_cmpuint (g_list_model_get_n_items (cancellations), ==, osiiso_run_summary_get_cancelled (summary));
  check_told (failures, &meddler);
  check_told (cancellations, &meddler);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==,
                    N_TASKS - osiiso_run_summary_get_cancelled (summary) - osiiso_run_summary_get_failed (summary));
  /* One that was running when it was cancelled may have been called. */
  g_assert_cmpuint (n_called, >=, osiiso_run_summary_get_succeeded (summary));
  g_assert_cmpint (backend->n_returned, >, N_TASKS / 10);
  test_queue_free (queue);
}

#define N_ENDS      300
#define N_END_TASKS 40

/* The queue ends at any moment, in one of the ways there are. */
static void
end_at_some_moment (OsiisoQueue *queue,
                    guint        round)
{
  for (guint i = 0; i < round % 7; i++)
    g_thread_yield ();
  if (round % 3 == 1)
    osiiso_queue_cancel (queue);
  g_assert_true (osiiso_queue_shutdown (queue, round % 3 == 0, NULL, NULL));
  g_assert_true (osiiso_queue_get_closed (queue));
}

static void
test_storm_of_ends (void)
{
  g_test_summary ("A queue ends at any moment, and with it each task that was taken ahead or given back");

  for (guint round = 0; round < N_ENDS; round++)
    {
      g_autoptr (FeedingBackend) backend = g_object_new (FEEDING_TYPE_BACKEND, NULL);
      OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));
      g_autoptr (OsiisoTaskOptions) retried = test_options_new ("retries", 1, "must-complete", TRUE, NULL);
      Slot slots[N_END_TASKS] = { { 0 } };
      OsiisoHandle *handles[N_END_TASKS];
      g_autoptr (GError) error = NULL;
      int n_ends = 0;

      backend->returns = 60;
      osiiso_queue_set_workers (queue, 1 + round % 3);
      g_signal_connect (queue, "on-complete", G_CALLBACK (count_cb), &n_ends);
      for (guint i = 0; i < N_END_TASKS; i++)
        {
          handles[i] = osiiso_queue_submit (queue, i % 2 == 0 ? fail_once : count_call, &slots[i], count_release,
                                            i % 2 == 0 ? retried : NULL, &error);
          g_assert_no_error (error);
          if (i == N_END_TASKS / 2)
            g_assert_true (osiiso_queue_start (queue, NULL));
        }
      end_at_some_moment (queue, round);
      while (g_main_context_iteration (NULL, FALSE))
        ;

      g_assert_cmpint (n_ends, ==, N_END_TASKS);
      g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
      for (guint i = 0; i < N_END_TASKS; i++)
        {
          const OsiisoStatus status = osiiso_handle_get_status (handles[i]);

          /* Only what was ended from outside has not succeeded. */
          if (round % 3 == 2)
            g_assert_cmpint (status, ==, OSIISO_STATUS_SUCCEEDED);
          else
            g_assert_true (status == OSIISO_STATUS_SUCCEEDED || status == OSIISO_STATUS_CANCELLED ||
                           (status == OSIISO_STATUS_FAILED && i % 2 == 0));
          g_assert_cmpint (slots[i].n_released, ==, 1);
          g_object_unref (handles[i]);
        }
      test_queue_free (queue);
    }
}

void
test_add_ahead_storms (void)
{
  g_test_add_func ("/ahead/storm/tasks", test_storm);
  g_test_add_func ("/ahead/storm/ends", test_storm_of_ends);
}
