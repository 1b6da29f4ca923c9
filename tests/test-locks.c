/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dlfcn.h>

#include "osiiso-attempt-private.h"
#include "osiiso-batch-private.h"
#include "test-utils.h"

/* Locks that the library takes for a look, or again in a loop that is seldom entered.
 * All its locks know their owner here: who releases one that it has not taken ends the
 * test. */

static int (*next_init) (pthread_mutex_t *, const pthread_mutexattr_t *);
static int (*next_lock) (pthread_mutex_t *);
static int (*next_unlock) (pthread_mutex_t *);

/* In a program that has the runtime of a sanitizer within itself these are not next. */
extern int __interceptor_pthread_mutex_init (pthread_mutex_t *, const pthread_mutexattr_t *) __attribute__ ((weak));
extern int __interceptor_pthread_mutex_lock (pthread_mutex_t *) __attribute__ ((weak));
extern int __interceptor_pthread_mutex_unlock (pthread_mutex_t *) __attribute__ ((weak));

static void
find_next (void)
{
  next_init = __interceptor_pthread_mutex_init;
  next_lock = __interceptor_pthread_mutex_lock;
  next_unlock = __interceptor_pthread_mutex_unlock;
  if (next_init == NULL)
    *(void **) &next_init = dlsym (RTLD_NEXT, "pthread_mutex_init");
  if (next_lock == NULL)
    *(void **) &next_lock = dlsym (RTLD_NEXT, "pthread_mutex_lock");
  if (next_unlock == NULL)
    *(void **) &next_unlock = dlsym (RTLD_NEXT, "pthread_mutex_unlock");
}

/* They come before those of the C library, and of GLib, for the library as well. */

__attribute__ ((visibility ("default"))) int
pthread_mutex_init (pthread_mutex_t           *lock,
                    const pthread_mutexattr_t *wanted)
{
  pthread_mutexattr_t attr;
  int type = PTHREAD_MUTEX_NORMAL;
  int err;

  if (next_init == NULL)
    find_next ();
  if (wanted != NULL)
    pthread_mutexattr_gettype (wanted, &type);
  /* GLib has some of these; they know their owner, too. */
  if (type == PTHREAD_MUTEX_RECURSIVE)
    return next_init (lock, wanted);
  pthread_mutexattr_init (&attr);
  pthread_mutexattr_settype (&attr, PTHREAD_MUTEX_ERRORCHECK);
  err = next_init (lock, &attr);
  pthread_mutexattr_destroy (&attr);
  return err;
}

/* Where this thread has no lock, and is about to take one, another comes in before it. */
static _Thread_local gboolean is_overtaken;
static struct
{
  guint       step;   /* that time */
  guint       n_steps;
  guint       n_held;
  GThreadFunc func;
  gpointer    data;
} overtaken;

static void
overtake (void)
{
  if (overtaken.n_held++ == 0 && ++overtaken.n_steps == overtaken.step)
    g_thread_join (g_thread_new ("overtake", overtaken.func, overtaken.data));
}

__attribute__ ((visibility ("default"))) int
pthread_mutex_lock (pthread_mutex_t *lock)
{
  if (next_lock == NULL)
    find_next ();
  if (is_overtaken)
    overtake ();
  return next_lock (lock);
}

__attribute__ ((visibility ("default"))) int
pthread_mutex_unlock (pthread_mutex_t *lock)
{
  int err;

  if (next_unlock == NULL)
    find_next ();
  err = next_unlock (lock);
  g_assert_cmpint (err, ==, 0);
  if (is_overtaken)
    overtaken.n_held--;
  return err;
}

/* Who is about to take a reference, for as long as somebody waits this often. */
#define N_YIELDS 3

static struct
{
  pthread_mutex_t *lock; /* (nullable): of @n_pins */
  guint           *n_pins;
  guint            n_yields;
} pinned;

void
g_thread_yield (void)
{
  sched_yield ();
  if (pinned.lock == NULL)
    return;
  /* Not held while it is waited for. */
  g_assert_cmpint (pthread_mutex_trylock (pinned.lock), ==, 0);
  g_assert_cmpuint (*pinned.n_pins, ==, 1);
  if (++pinned.n_yields == N_YIELDS)
    *pinned.n_pins = 0;
  pthread_mutex_unlock (pinned.lock);
}

static void
pin (pthread_mutex_t *lock,
     guint           *n_pins)
{
  pthread_mutex_lock (lock);
  g_assert_cmpuint (*n_pins, ==, 0);
  *n_pins = 1;
  pthread_mutex_unlock (lock);
  pinned.n_yields = 0;
  pinned.n_pins = n_pins;
  pinned.lock = lock;
}

static void
assert_waited (void)
{
  pinned.lock = NULL;
  g_assert_cmpuint (pinned.n_yields, ==, N_YIELDS);
}

/* An attempt that the test keeps. */
static OsiisoAttempt *
hold (OsiisoAttempt **slot)
{
  OsiisoAttempt *attempt;

  while ((attempt = g_atomic_pointer_get (slot)) == NULL)
    sched_yield ();
  return attempt;
}

static void
let_go (OsiisoAttempt *attempt)
{
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
}

static void
test_leave_group (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoGroup *group = osiiso_queue_new_group (queue, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, test_task_defer, &slot, NULL, NULL, NULL);
  OsiisoAttempt *attempt;
  OsiisoBatch *batch;

  g_test_summary ("A group that is dropped waits for who is about to take a reference on it");

  g_assert_true (osiiso_queue_start (queue, NULL));
  attempt = hold (&slot);
  batch = osiiso_record_get_ext (attempt->record)->batch;
  pin (&batch->lock, &batch->n_pins);
  g_object_run_dispose (G_OBJECT (group));
  assert_waited ();
  g_assert_null (batch->group);

  let_go (attempt);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_object_unref (group);
  test_queue_free (queue);
}

static void
test_drop_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, NULL);
  OsiisoAttempt *attempt;
  OsiisoScheduler *scheduler;

  g_test_summary ("So does a queue");

  g_assert_true (osiiso_queue_start (queue, NULL));
  attempt = hold (&slot);
  scheduler = attempt->scheduler;
  pin (&scheduler->outbox.lock, &scheduler->outbox.n_pins);
  g_object_run_dispose (G_OBJECT (queue));
  assert_waited ();
  g_assert_null (scheduler->outbox.queue);

  let_go (attempt);
  test_await_status (handle, OSIISO_STATUS_CANCELLED);
  test_queue_free (queue);
}

static void
test_lookup (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "it", NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) again = NULL;
  OsiisoAttempt *attempt;
  guint64 id;

  g_test_summary ("A task that is over is found as long as somebody has its handle");

  id = osiiso_queue_push (queue, test_task_defer, &slot, NULL, options, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  attempt = osiiso_attempt_ref (hold (&slot));
  handle = osiiso_queue_lookup (queue, id);
  g_assert_nonnull (handle);
  let_go (slot);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  again = osiiso_queue_lookup (queue, id);
  g_assert_true (again == handle);
  g_assert_cmpint (osiiso_handle_get_status (again), ==, OSIISO_STATUS_SUCCEEDED);
  g_clear_object (&again);
  g_clear_object (&handle);
  /* The attempt has the memory of the task still. */
  g_assert_null (osiiso_queue_lookup (queue, id));
  osiiso_attempt_unref (attempt);
  test_queue_free (queue);
}

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoAttempt *attempt;
} End;

static gpointer
end_all (gpointer data)
{
  End *end = data;

  let_go (end->attempt);
  osiiso_queue_cancel (end->queue);
  return NULL;
}

/* FALSE when the wait, which does not sleep, has fewer steps. */
static gboolean
wait_overtaken (guint    step,
                gboolean for_task)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  End end = { queue, NULL };
  gboolean over;

  g_cancellable_cancel (cancellable);
  g_assert_true (osiiso_queue_start (queue, NULL));
  end.attempt = hold (&slot);
  overtaken.func = end_all;
  overtaken.data = &end;
  overtaken.step = step;
  overtaken.n_steps = overtaken.n_held = 0;
  is_overtaken = TRUE;
  over = for_task ? osiiso_handle_wait (handle, -1, cancellable, &error) : osiiso_queue_join (queue, cancellable, &error);
  is_overtaken = FALSE;
  if (!over)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  if (overtaken.n_steps < step)
    end_all (&end);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
  return overtaken.n_steps >= step;
}

static void
test_overtaken (void)
{
  guint n_steps[2];

  g_test_summary ("A wait for work is not refused when the work ends and the queue is shut down between two of its steps");

  for (guint i = 0; i < G_N_ELEMENTS (n_steps); i++)
    for (n_steps[i] = 0; wait_overtaken (n_steps[i] + 1, i == 0); n_steps[i]++)
      ;
  g_test_message ("%u steps of a wait, %u of a join", n_steps[0], n_steps[1]);
  g_assert_cmpuint (n_steps[0], >, 1);
  g_assert_cmpuint (n_steps[1], >, 1);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/locks/leave-group", test_leave_group);
  g_test_add_func ("/locks/drop-queue", test_drop_queue);
  g_test_add_func ("/locks/lookup", test_lookup);
  g_test_add_func ("/locks/overtaken", test_overtaken);

  return g_test_run ();
}
