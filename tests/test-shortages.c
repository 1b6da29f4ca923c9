/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test-holder.h"
#include "test-valgrind.h"

/* No memory for records, which the library allocates as nobody else does, and no
 * threads: an error that says so, and a queue that is as it was before. */

/* How many more of them succeed; nothing fails while it is negative. */
static int memory_left = -1;
static int threads_left = -1;

/* Whether the call has to fail. */
static gboolean
use_up (int *left)
{
  int n = g_atomic_int_get (left);

  if (n < 0)
    return FALSE;
  if (n > 0)
    g_atomic_int_set (left, n - 1);
  return n == 0;
}

/* Both come before those of the C library, for the library as well. */
__attribute__ ((visibility ("default"))) void *
aligned_alloc (size_t alignment,
               size_t size)
{
  void *memory = NULL;

  if (use_up (&memory_left) || posix_memalign (&memory, MAX (alignment, sizeof (void *)), size) != 0)
    return NULL;
  return memory;
}

typedef int (*ThreadCreate) (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);

/* In a program that has the runtime of a sanitizer within itself that is not next. */
extern int __interceptor_pthread_create (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *)
  __attribute__ ((weak));

__attribute__ ((visibility ("default"))) int
pthread_create (pthread_t            *thread,
                const pthread_attr_t *attr,
                void *(*start) (void *),
                void                 *data)
{
  static gsize next;
  int state = PTHREAD_CREATE_JOINABLE;

  /* GLib ends the program when it does not get one of its own, which it can join. */
  if (attr != NULL)
    pthread_attr_getdetachstate (attr, &state);
  if (state == PTHREAD_CREATE_DETACHED && use_up (&threads_left))
    return EAGAIN;
  if (g_once_init_enter (&next))
    {
      ThreadCreate found = __interceptor_pthread_create != NULL ? __interceptor_pthread_create
                                                                : (ThreadCreate) dlsym (RTLD_NEXT, "pthread_create");

      g_once_init_leave (&next, (gsize) found);
    }
  return ((ThreadCreate) next) (thread, attr, start, data);
}

/* More than there are in the pieces of memory that a queue keeps. */
#define MANY 20000

typedef struct
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options; /* (nullable) */
  guint              n;       /* of a call that submits many */
  int                n_released;
  int                n_returned;
  GError            *error;
} Try;

static void
release (gpointer data)
{
  Try *self = data;

  self->n_released++;
}

/* What a call returns when it has failed, and in fact each of them. */

static void
try_submit (Try *self)
{
  g_assert_null (osiiso_queue_submit (self->queue, test_task_none, self, release, self->options, &self->error));
}

static void
try_try_submit (Try *self)
{
  g_assert_null (osiiso_queue_try_submit (self->queue, test_task_none, self, release, self->options, &self->error));
}

static void
try_push (Try *self)
{
  g_assert_cmpuint (osiiso_queue_push (self->queue, test_task_none, self, release, self->options, &self->error), ==, 0);
}

static void
try_map (Try *self)
{
  g_assert_null (osiiso_queue_map (self->queue, self->n, test_task_none, self, release, self->options, &self->error));
}

static void
try_group (Try *self)
{
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (self->queue, NULL);

  g_assert_null (osiiso_group_submit (group, test_task_none, self, release, self->options, &self->error));
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);
}

static void
submitted_cb (GObject      *queue,
              GAsyncResult *result,
              gpointer      data)
{
  Try *self = data;

  g_assert_null (osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, &self->error));
  self->n_returned++;
}

static void
try_submit_async (Try *self)
{
  osiiso_queue_submit_async (self->queue, test_task_none, self, release, self->options, NULL, submitted_cb, self);
  test_iterate_until (&self->n_returned);
}

static void
mapped_cb (GObject      *queue,
           GAsyncResult *result,
           gpointer      data)
{
  Try *self = data;

  g_assert_null (osiiso_queue_map_finish (OSIISO_QUEUE (queue), result, &self->error));
  self->n_returned++;
}

static void
try_map_async (Try *self)
{
  osiiso_queue_map_async (self->queue, self->n, test_task_none, self, release, self->options, NULL, mapped_cb, self);
  test_iterate_until (&self->n_returned);
}

static void
assert_no_memory (Try *self)
{
  g_assert_error (self->error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_cmpstr (self->error->message, ==, "no memory for one more task");
  g_clear_error (&self->error);
}

/* The call fails and releases what it was given, once; nothing is in the queue, and
 * nothing keeps the cancellable. */
static void
assert_fails (Try   *self,
              void (*call) (Try *),
              int    left)
{
  GCancellable *cancellable = g_cancellable_new ();

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = i > 0 ? test_options_new ("name", "it", "cancellable", cancellable, NULL) : NULL;

      self->options = options;
      self->n_released = self->n_returned = 0;
      g_atomic_int_set (&memory_left, left);
      call (self);
      g_atomic_int_set (&memory_left, -1);
      assert_no_memory (self);
      test_iterate_until (&self->n_released);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_cmpint (self->n_released, ==, 1);
      g_assert_cmpuint (osiiso_queue_get_pending_count (self->queue), ==, 0);
    }
  self->options = NULL;
  g_assert_cmpuint (G_OBJECT (cancellable)->ref_count, ==, 1);
  g_object_unref (cancellable);
}

/* All tasks that it is given now run, and no others. */
static void
assert_works (OsiisoQueue *queue)
{
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, MANY, test_task_none, NULL, NULL, NULL, NULL);

  g_assert_nonnull (group);
  summary = test_run (queue);
  g_assert_cmpuint (osiiso_run_summary_get_total_submitted (summary), ==, MANY);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, MANY);
}

static void
test_tasks (gconstpointer backend)
{
  static void (*const calls[]) (Try *) = { try_submit, try_try_submit, try_push, try_map, try_group, try_submit_async,
                                           try_map_async };
  OsiisoQueue *queue = test_queue_new (backend);
  Try try = { .queue = queue, .n = 3 };

  g_test_summary ("Whatever submits a task says that there is no memory for it, and releases its data");

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    assert_fails (&try, calls[i], 0);
  assert_works (queue);
  test_queue_free (queue);
}

static void
test_many (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Try try = { .queue = queue, .n = MANY };

  g_test_summary ("When there is memory for some tasks only none of them comes in");

  assert_fails (&try, try_map, 2);
  assert_fails (&try, try_map_async, 1);
  assert_works (queue);
  test_queue_free (queue);
}

/* Waits for room are none when there is no memory for a task that waits. */
static void
test_full (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  Try try = { .queue = queue };
  g_autoptr (OsiisoHandle) first = NULL;

  g_test_summary ("A queue with a size says so, too, when there is room");

  osiiso_queue_set_size (queue, 1);
  g_atomic_int_set (&memory_left, 0);
  try_submit (&try);
  assert_no_memory (&try);
  g_atomic_int_set (&memory_left, -1);
  test_iterate_until (&try.n_released);
  first = test_submit (queue, test_task_int, GINT_TO_POINTER (1), NULL);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

/* Tokens. */

static guint64
refuse (guint64  token,
        guint64  id,
        guint    attempt,
        gpointer unused)
{
  g_assert_not_reached ();
}

static void
tokens_cb (GObject      *queue,
           GAsyncResult *result,
           gpointer      data)
{
  Try *self = data;
  gsize n_ids = 1;

  g_assert_null (osiiso_queue_submit_tokens_finish (OSIISO_QUEUE (queue), result, &n_ids, &self->error));
  g_assert_cmpuint (n_ids, ==, 0);
  self->n_returned++;
}

static void
fail_tokens (OsiisoQueue       *queue,
             OsiisoTaskOptions *options)
{
  Try try = { .queue = queue };
  gsize n_ids = 1;

  g_atomic_int_set (&memory_left, 0);
  g_assert_cmpuint (osiiso_queue_submit_token (queue, 7, options, &try.error), ==, 0);
  assert_no_memory (&try);
  g_assert_cmpuint (osiiso_queue_try_submit_token (queue, 7, options, &try.error), ==, 0);
  assert_no_memory (&try);
  g_atomic_int_set (&memory_left, 2);
  g_assert_null (osiiso_queue_submit_tokens (queue, 7, MANY, options, &n_ids, &try.error));
  assert_no_memory (&try);
  g_assert_cmpuint (n_ids, ==, 0);
  g_atomic_int_set (&memory_left, 0);
  osiiso_queue_submit_tokens_async (queue, 7, MANY, options, NULL, tokens_cb, &try);
  test_iterate_until (&try.n_returned);
  assert_no_memory (&try);
  g_atomic_int_set (&memory_left, -1);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
}

static void
test_tokens (void)
{
  g_autoptr (OsiisoTaskOptions) named = test_options_new ("name", "it", NULL);

  g_test_summary ("The same for tokens, one or many");

  for (guint i = 0; i < 2; i++)
    {
      OsiisoQueue *queue =
        test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_ASYNC);
      g_autofree guint64 *ids = NULL;
      g_autofree guint64 *numbers = NULL;
      gsize n;

      g_assert_true (osiiso_queue_set_runner (queue, refuse, NULL, NULL, NULL));
      fail_tokens (queue, i > 0 ? named : NULL);
      ids = osiiso_queue_submit_tokens (queue, 7, 2, NULL, &n, NULL);
      g_assert_cmpuint (n, ==, 2);
      numbers = osiiso_backend_take_tokens (osiiso_queue_get_backend (queue), 1, &n);
      g_assert_cmpuint (n, ==, 3);
      g_assert_cmpuint (numbers[0], ==, 7);
      g_assert_cmpuint (numbers[1], ==, ids[0]);
      g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
      test_queue_free (queue);
    }
}

static void
test_queue (void)
{
  if (g_test_subprocess ())
    {
      g_atomic_int_set (&memory_left, 0);
      test_queue_new ("main-loop");
      return;
    }
  g_test_summary ("A program that has no memory for a queue ends, as it does within GLib");

  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*no memory for a queue*");
}

/* Threads. */

static void
assert_no_timers (GError **error)
{
  g_assert_error (*error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
  g_assert_true (g_str_has_prefix ((*error)->message, "no thread for timers: "));
  g_assert_nonnull (strstr ((*error)->message, g_strerror (EAGAIN)));
  g_clear_error (error);
}

static void
shut_down_cb (GObject      *queue,
              GAsyncResult *result,
              gpointer      data)
{
  Try *self = data;

  g_assert_false (osiiso_queue_shutdown_finish (OSIISO_QUEUE (queue), result, &self->error));
  self->n_returned++;
}

static void
assert_no_timers_anywhere (OsiisoQueue *queue)
{
  static const char *times[] = { "delay", "run-at", "timeout", "deadline" };
  g_autoptr (OsiisoTaskOptions) retries = test_options_new ("retries", 1, NULL);
  Try try = { .queue = queue };

  for (guint i = 0; i <= G_N_ELEMENTS (times); i++)
    {
      g_autoptr (OsiisoTaskOptions) options =
        i < G_N_ELEMENTS (times) ? test_options_new (times[i], 100.0, NULL) : g_object_ref (retries);

      try.options = options;
      try.n_released = 0;
      try_submit (&try);
      assert_no_timers (&try.error);
      test_iterate_until (&try.n_released);
      g_assert_cmpint (try.n_released, ==, 1);
    }
  g_assert_null (osiiso_queue_run_full (queue, 100, OSIISO_FAIL_POLICY_CONTINUE, NULL, &try.error));
  assert_no_timers (&try.error);

  osiiso_queue_set_shutdown_timeout (queue, 100);
  g_assert_false (osiiso_queue_shutdown (queue, FALSE, NULL, &try.error));
  assert_no_timers (&try.error);
  osiiso_queue_shutdown_async (queue, FALSE, NULL, shut_down_cb, &try);
  test_iterate_until (&try.n_returned);
  assert_no_timers (&try.error);
  g_assert_false (osiiso_queue_get_closed (queue));

  osiiso_queue_set_rate (queue, 1e6);
  g_assert_false (osiiso_queue_start (queue, &try.error));
  assert_no_timers (&try.error);
  g_assert_null (osiiso_queue_run (queue, NULL, &try.error));
  assert_no_timers (&try.error);
  osiiso_queue_set_rate (queue, 0);
}

static void
test_timers (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("Where there is no thread for timers nothing begins that needs them, and the rest goes on");

  /* The thread stays for two seconds after the last of them. */
  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }
  g_atomic_int_set (&threads_left, 0);
  assert_no_timers_anywhere (queue);
  g_atomic_int_set (&threads_left, -1);
  assert_works (queue);
  handle = test_submit (queue, test_task_int, GINT_TO_POINTER (1), options);
  osiiso_queue_set_rate (queue, 1e6);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* valgrind has an aligned_alloc() of its own, which it puts in place of ours. */
  if (!test_under_valgrind ())
    {
      test_add_for_backends ("/shortages/memory/tasks", test_tasks);
      test_add_for_backends ("/shortages/memory/many", test_many);
    }
  test_add_native ("/shortages/memory/full", test_full);
  test_add_native ("/shortages/memory/tokens", test_tokens);
  test_add_native ("/shortages/memory/queue", test_queue);
  test_add_for_backends ("/shortages/threads/timers", test_timers);

  return g_test_run ();
}
