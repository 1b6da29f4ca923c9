/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Bounded queues: who comes in, who waits, who is refused. */

#define ITERATE_UNTIL(condition)               \
  while (!(condition))                         \
    {                                          \
      g_main_context_iteration (NULL, FALSE);  \
      g_thread_yield ();                       \
    }

static OsiisoQueue *
bounded_queue (const char *backend,
               guint       size)
{
  OsiisoQueue *queue = test_queue_new (backend);

  osiiso_queue_set_workers (queue, 8);
  osiiso_queue_set_size (queue, size);
  return queue;
}

static guint
n_waiting (OsiisoQueue *queue)
{
  return osiiso_private_test_hooks ()->queue_n_waiting (queue);
}

static guint64
n_outstanding (OsiisoQueue *queue)
{
  return osiiso_queue_get_active_count (queue) + osiiso_queue_get_pending_count (queue);
}

/* Starts tasks that hold their places until they are let go, and no worker. */
static void
fill (OsiisoQueue    *queue,
      OsiisoAttempt **attempts,
      guint           n)
{
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < n; i++)
    {
      attempts[i] = NULL;
      test_submit_and_drop (queue, test_task_defer, &attempts[i], NULL);
      ITERATE_UNTIL (g_atomic_pointer_get (&attempts[i]) != NULL);
    }
}

static void
let_go (OsiisoAttempt **attempt)
{
  osiiso_attempt_return_none (*attempt);
  g_clear_pointer (attempt, osiiso_attempt_unref);
}

static void
join (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_join (queue, NULL, &error);
  g_assert_no_error (error);
}

/* User data whose release is counted, and where it happens. */
typedef struct
{
  TestLog    *log; /* (nullable) */
  const char *name;
  int         n_released;
} Data;

static void
release (gpointer data)
{
  g_assert_true (g_main_context_is_owner (g_main_context_default ()));
  ((Data *) data)->n_released++;
}

static void
task_log (OsiisoAttempt *attempt,
          gpointer       user_data)
{
  Data *data = user_data;

  if (data->log != NULL)
    test_log_add (data->log, "%s", data->name);
}

/* A thread that submits. */
typedef struct
{
  OsiisoQueue       *queue;
  OsiisoGroup       *group;   /* to submit into */
  guint              n;       /* of a map */
  gboolean           push;
  OsiisoTaskFunc     func;
  Data               data;
  OsiisoTaskOptions *options;

  GThread           *thread;
  int                returned;
  OsiisoHandle      *handle;
  OsiisoGroup       *map;
  guint64            id;
  GError            *error;
} Submitter;

static gpointer
submitter_thread (gpointer data)
{
  Submitter *self = data;

  if (self->n > 0)
    self->map = osiiso_queue_map (self->queue, self->n, self->func, &self->data, release, self->options, &self->error);
  else if (self->group != NULL)
    self->handle = osiiso_group_submit (self->group, self->func, &self->data, release, self->options, &self->error);
  else if (self->push)
    self->id = osiiso_queue_push (self->queue, self->func, &self->data, release, self->options, &self->error);
  else
    self->handle = osiiso_queue_submit (self->queue, self->func, &self->data, release, self->options, &self->error);
  g_atomic_int_set (&self->returned, 1);
  return NULL;
}

static void
submitter_start (Submitter   *self,
                 OsiisoQueue *queue)
{
  self->queue = queue;
  if (self->func == NULL)
    self->func = task_log;
  self->thread = g_thread_new ("submitter", submitter_thread, self);
}

/* Starts it and comes back when it is in line. */
static void
submitter_start_waiting (Submitter   *self,
                         OsiisoQueue *queue)
{
  guint n = n_waiting (queue) + 1;

  submitter_start (self, queue);
  ITERATE_UNTIL (n_waiting (queue) == n);
  g_assert_false (g_atomic_int_get (&self->returned));
}

static void
submitter_finish (Submitter *self)
{
  ITERATE_UNTIL (g_atomic_int_get (&self->returned));
  g_thread_join (self->thread);
  g_clear_object (&self->handle);
  g_clear_object (&self->map);
}

static void
submitter_assert_in (Submitter *self)
{
  submitter_finish (self);
  g_assert_no_error (self->error);
}

static void
submitter_assert_error (Submitter  *self,
                        GQuark      domain,
                        int         code,
                        const char *message)
{
  submitter_finish (self);
  g_assert_error (self->error, domain, code);
  if (message != NULL)
    g_assert_cmpstr (self->error->message, ==, message);
  g_clear_error (&self->error);
  ITERATE_UNTIL (self->data.n_released == 1);
}

static void
notify_cb (GObject    *object,
           GParamSpec *pspec,
           gpointer    counter)
{
  ++*(int *) counter;
}

static void
test_property (gconstpointer backend)
{
  g_autoptr (OsiisoQueue) queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", backend, "size", 3, NULL);
  g_autoptr (OsiisoQueue) other = test_queue_new (backend);
  int n_notified = 0;
  guint size = 0;

  g_test_summary ("The size is a property, 0 by default");

  g_assert_cmpuint (osiiso_queue_get_size (other), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_size (queue), ==, 3);
  g_signal_connect (queue, "notify::size", G_CALLBACK (notify_cb), &n_notified);
  osiiso_queue_set_size (queue, 3);
  g_assert_cmpint (n_notified, ==, 0);
  g_object_set (queue, "size", G_MAXUINT, NULL);
  g_object_get (queue, "size", &size, NULL);
  g_assert_cmpuint (size, ==, G_MAXUINT);
  g_assert_cmpint (n_notified, ==, 1);
}

static void
test_blocks (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  Submitter submitters[2] = { { .push = FALSE }, { .push = TRUE } };
  OsiisoAttempt *attempts[2];

  g_test_summary ("A submit to a full queue blocks until a task ends, and a push does");

  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    {
      fill (queue, attempts, 2);
      submitter_start_waiting (&submitters[i], queue);
      g_assert_cmpuint (n_outstanding (queue), ==, 2);
      let_go (&attempts[0]);
      submitter_assert_in (&submitters[i]);
      g_assert_cmpuint (n_waiting (queue), ==, 0);
      let_go (&attempts[1]);
      join (queue);
      g_assert_cmpint (submitters[i].data.n_released, ==, 1);
    }
  g_assert_cmpuint (submitters[1].id, !=, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
  test_queue_free (queue);
}

static void
test_fifo (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  static const char *names[] = { "a", "b", "c", "d" };
  Submitter submitters[G_N_ELEMENTS (names)] = { { NULL } };
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autofree char *order = NULL;
  OsiisoAttempt *filler;
  TestLog log;

  g_test_summary ("Who waits comes in in the order of arrival, and a run goes on meanwhile");

  test_log_init (&log);
  fill (queue, &filler, 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      submitters[i].data = (Data) { &log, names[i], 0 };
      submitter_start_waiting (&submitters[i], queue);
    }
  let_go (&filler);
  summary = test_run (queue);
  order = test_log_steal (&log);
  g_assert_cmpstr (order, ==, "a b c d");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    submitter_assert_in (&submitters[i]);
  /* Nobody was left outside when it ended. */
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 5);
  g_assert_cmpuint (n_outstanding (queue), ==, 0);
  test_log_clear (&log);
  test_queue_free (queue);
}

static void
test_try (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempts[2];
  Data data = { NULL };

  g_test_summary ("A try fails when there is no room, and takes the room that there is");

  fill (queue, attempts, 2);
  g_assert_null (osiiso_queue_try_submit (queue, task_log, &data, release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "queue is full (2 tasks outstanding)");
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_try_push (queue, task_log, &data, release, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  ITERATE_UNTIL (data.n_released == 2);

  let_go (&attempts[0]);
  ITERATE_UNTIL (n_outstanding (queue) == 1);
  handle = osiiso_queue_try_submit (queue, task_log, &data, release, NULL, &error);
  g_assert_no_error (error);
  ITERATE_UNTIL (n_outstanding (queue) == 1);
  g_assert_cmpuint (osiiso_queue_try_push (queue, task_log, &data, release, NULL, &error), !=, 0);
  let_go (&attempts[1]);
  join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (data.n_released, ==, 4);
  test_queue_free (queue);
}

static void
test_try_closed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;
  Data data = { NULL };

  g_test_summary ("A try works without a size, and fails like a submit otherwise");

  g_assert_cmpuint (osiiso_queue_try_push (queue, task_log, &data, release, NULL, &error), !=, 0);
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_null (osiiso_queue_try_submit (queue, task_log, &data, release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  ITERATE_UNTIL (data.n_released == 2);
  test_queue_free (queue);
}

static void
test_no_overtaking (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 3);
  g_autoptr (GError) error = NULL;
  Submitter map = { .n = 2, .func = test_task_none };
  Submitter single = { .push = TRUE };
  OsiisoAttempt *attempts[2];
  Data data = { NULL };

  g_test_summary ("Nobody overtakes who waits for more room than there is");

  fill (queue, attempts, 2);
  submitter_start_waiting (&map, queue);
  /* There is room for one, but not for them. */
  g_assert_cmpuint (osiiso_queue_try_push (queue, task_log, &data, release, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  submitter_start_waiting (&single, queue);
  g_assert_cmpuint (n_outstanding (queue), ==, 2);

  osiiso_queue_pause (queue);
  let_go (&attempts[0]);
  submitter_assert_in (&map);
  g_assert_cmpuint (n_waiting (queue), ==, 1);
  g_assert_cmpuint (n_outstanding (queue), ==, 3);
  osiiso_queue_resume (queue);
  submitter_assert_in (&single);
  let_go (&attempts[1]);
  join (queue);
  ITERATE_UNTIL (data.n_released == 1);
  test_queue_free (queue);
}

static void
test_map (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 4);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (GError) error = NULL;
  Submitter map = { .n = 4, .func = test_task_none };
  OsiisoAttempt *filler;
  Data data = { NULL };

  g_test_summary ("A map takes places for all or for none");

  g_assert_null (osiiso_queue_map (queue, 5, test_task_none, &data, release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "5 tasks can never fit into a queue of size 4");
  g_clear_error (&error);
  ITERATE_UNTIL (data.n_released == 1);

  fill (queue, &filler, 1);
  submitter_start_waiting (&map, queue);
  g_assert_cmpuint (n_outstanding (queue), ==, 1);
  osiiso_queue_pause (queue);
  let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&map.returned));
  g_assert_cmpuint (n_outstanding (queue), ==, 4);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (map.map)), ==, 4);
  osiiso_queue_resume (queue);
  join (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (map.map), ==, 4);
  submitter_assert_in (&map);
  g_assert_cmpint (map.data.n_released, ==, 1);

  group = osiiso_queue_map (queue, 4, test_task_none, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  join (queue);
  test_queue_free (queue);
}

typedef enum
{
  CLOSE_CANCEL,
  CLOSE_SHUTDOWN,
  CLOSE_FAILURE,
} Close;

static void
close_waiting (const char *backend,
               Close       how)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Submitter submitters[] = { { .push = FALSE }, { .n = 2 }, { .group = group } };
  const char *message = "the queue is not accepting tasks";
  OsiisoAttempt *attempts[2];

  fill (queue, attempts, 2);
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    submitter_start_waiting (&submitters[i], queue);

  if (how == CLOSE_CANCEL)
    {
      osiiso_queue_cancel (queue);
    }
  else if (how == CLOSE_SHUTDOWN)
    {
      osiiso_queue_shutdown_async (queue, FALSE, NULL, NULL, NULL);
      g_assert_cmpuint (n_outstanding (queue), ==, 2);
    }
  else
    {
      osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
      osiiso_attempt_return_new_error (attempts[0], G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
    }
  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    submitter_assert_error (&submitters[i], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, message);
  g_assert_cmpuint (n_waiting (queue), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++)
    let_go (&attempts[i]);
  join (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
test_cancelled_queue (gconstpointer backend)
{
  g_test_summary ("A queue that is cancelled refuses who waits");

  close_waiting (backend, CLOSE_CANCEL);
}

static void
test_shutdown (gconstpointer backend)
{
  g_test_summary ("A queue that is shut down refuses who waits, and lets the rest finish");

  close_waiting (backend, CLOSE_SHUTDOWN);
}

static void
test_halted (gconstpointer backend)
{
  g_test_summary ("A queue that a failure halts refuses who waits");

  close_waiting (backend, CLOSE_FAILURE);
}

static void
test_grow (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  Submitter submitters[3] = { { .push = TRUE }, { .push = TRUE }, { .n = 3 } };
  OsiisoAttempt *filler;

  g_test_summary ("A larger size lets in who waits, and none at all everybody");

  fill (queue, &filler, 1);
  osiiso_queue_pause (queue);
  submitter_start_waiting (&submitters[0], queue);
  submitter_start_waiting (&submitters[1], queue);
  osiiso_queue_set_size (queue, 3);
  submitter_assert_in (&submitters[0]);
  submitter_assert_in (&submitters[1]);
  g_assert_cmpuint (n_outstanding (queue), ==, 3);
  submitter_start_waiting (&submitters[2], queue);
  osiiso_queue_set_size (queue, 0);
  submitter_assert_in (&submitters[2]);
  g_assert_cmpuint (n_outstanding (queue), ==, 6);
  osiiso_queue_resume (queue);
  let_go (&filler);
  join (queue);
  test_queue_free (queue);
}

static void
test_shrink (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 3);
  Submitter first = { .push = TRUE };
  Submitter map = { .n = 3 };
  Submitter last = { .push = TRUE };
  OsiisoAttempt *attempts[3];

  g_test_summary ("A smaller size refuses who can never come in, and others wait longer");

  fill (queue, attempts, 3);
  submitter_start_waiting (&first, queue);
  submitter_start_waiting (&map, queue);
  submitter_start_waiting (&last, queue);
  osiiso_queue_set_size (queue, 1);
  submitter_assert_error (&map, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL,
                          "3 tasks can never fit into a queue of size 1");
  g_assert_cmpuint (n_waiting (queue), ==, 2);

  let_go (&attempts[0]);
  let_go (&attempts[1]);
  ITERATE_UNTIL (n_outstanding (queue) == 1);
  g_assert_cmpuint (n_waiting (queue), ==, 2);
  let_go (&attempts[2]);
  submitter_assert_in (&first);
  submitter_assert_in (&last);
  join (queue);
  test_queue_free (queue);
}

static void
test_filled_before_start (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  Submitter submitter = { .push = TRUE };

  g_test_summary ("A queue that is full before it was started is started to make room");

  for (guint i = 0; i < 2; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  submitter_start (&submitter, queue);
  submitter_assert_in (&submitter);
  join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);

  /* After a run a queue rests. */
  test_run_all (queue);
  for (guint i = 0; i < 2; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  submitter.returned = FALSE;
  submitter_start (&submitter, queue);
  submitter_assert_in (&submitter);
  join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
  test_queue_free (queue);
}

static void
test_owner_blocks (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 2);
  g_autoptr (GError) error = NULL;

  g_test_summary ("The owner of a queue on threads blocks too, and need not have started it");

  for (guint i = 0; i < 100; i++)
    {
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), !=, 0);
      g_assert_no_error (error);
    }
  join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 100);
  test_queue_free (queue);
}

static void
test_owner_refused (void)
{
  OsiisoQueue *queue = bounded_queue ("main-loop", 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  Data data = { NULL };

  g_test_summary ("Where tasks run in the thread that submits, a full queue is an error at once");

  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_null (osiiso_queue_submit (queue, task_log, &data, release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "queue is full (1 tasks outstanding)");
  g_clear_error (&error);
  g_assert_null (osiiso_queue_map (queue, 1, task_log, &data, release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  /* Nor did that start it. */
  ITERATE_UNTIL (data.n_released == 2);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  test_run_all (queue);
  test_queue_free (queue);
}

#define TEST_TYPE_SHUT_BACKEND (test_shut_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestShutBackend, test_shut_backend, TEST, SHUT_BACKEND, OsiisoBackend)

struct _TestShutBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestShutBackend, test_shut_backend, OSIISO_TYPE_BACKEND)

static gboolean
test_shut_backend_open (OsiisoBackend *backend,
                        GError       **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED, "shut");
  return FALSE;
}

static void
test_shut_backend_close (OsiisoBackend *backend,
                         gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_shut_backend_class_init (TestShutBackendClass *klass)
{
  OSIISO_BACKEND_CLASS (klass)->open = test_shut_backend_open;
  OSIISO_BACKEND_CLASS (klass)->close = test_shut_backend_close;
}

static void
test_shut_backend_init (TestShutBackend *self)
{
}

static void
test_failing_start (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_SHUT_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (GError) error = NULL;
  Data data = { NULL };

  g_test_summary ("Who would wait for a queue that cannot be started gets its error");

  osiiso_queue_set_size (queue, 1);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  g_assert_null (osiiso_queue_submit (queue, task_log, &data, release, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
  g_assert_cmpuint (n_waiting (queue), ==, 0);
  ITERATE_UNTIL (data.n_released == 1);
  test_queue_free (queue);
}

/* A task that submits to its own queue. */
typedef struct
{
  OsiisoQueue *queue;
  OsiisoGroup *group; /* (nullable) */
  int          n_tried;
  GError      *errors[2];
} Inside;

static void
task_submit (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Inside *inside = user_data;
  GError *error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;

  if (inside->group != NULL)
    handle = osiiso_group_submit (inside->group, test_task_none, NULL, NULL, NULL, &error);
  else
    handle = osiiso_queue_submit (inside->queue, test_task_none, NULL, NULL, NULL, &error);
  inside->errors[g_atomic_int_add (&inside->n_tried, 1)] = error;
}

static void
test_inside_last_worker (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  Inside inside = { .queue = queue };
  const gboolean threads = g_str_equal (backend, "thread-pool");
  const int code = threads ? (int) OSIISO_QUEUE_ERROR_WOULD_DEADLOCK : (int) OSIISO_QUEUE_ERROR_FULL;

  g_test_summary ("A task on the only worker may not wait for room that only others can make");

  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, code);
  if (threads)
    g_assert_cmpstr (inside.errors[0]->message, ==,
                     "this task would take the last worker while it waits for room in its queue");
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_own_place (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 1);
  Inside inside = { .queue = queue };

  g_test_summary ("A task may not wait for its own place");

  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_run_all (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_assert_cmpstr (inside.errors[0]->message, ==,
                   "this task would wait for places that it and other waiting tasks have themselves (size 1)");
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_both (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);

  g_test_summary ("Of two tasks that have all places one may wait, whichever comes first");

  inside.group = group;
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  test_run_all (queue);
  g_assert_cmpint (inside.n_tried, ==, 2);
  /* The second one ends with its error, which makes room for the first. */
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_assert_no_error (inside.errors[1]);
  g_clear_error (&inside.errors[0]);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
test_inside_behind_map (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  Submitter map = { .n = 2 };

  g_test_summary ("A task may not wait behind somebody who waits for its place");

  osiiso_queue_pause (queue);
  test_submit_and_drop (queue, task_submit, &inside, NULL);
  submitter_start_waiting (&map, queue);
  osiiso_queue_resume (queue);
  submitter_assert_in (&map);
  join (queue);
  g_assert_error (inside.errors[0], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&inside.errors[0]);
  test_queue_free (queue);
}

static void
test_inside_waits (void)
{
  OsiisoQueue *queue = bounded_queue ("thread-pool", 2);
  Inside inside = { .queue = queue };
  OsiisoAttempt *filler;

  g_test_summary ("A task waits for room that another one makes, and is told when it cannot any more");

  for (guint i = 0; i < 2; i++)
    {
      fill (queue, &filler, 1);
      test_submit_and_drop (queue, task_submit, &inside, NULL);
      ITERATE_UNTIL (n_waiting (queue) == 1);
      if (i == 0)
        let_go (&filler);
      else
        osiiso_queue_set_size (queue, 1);
      ITERATE_UNTIL (g_atomic_int_get (&inside.n_tried) == (int) i + 1);
      if (i == 1)
        let_go (&filler);
      join (queue);
    }
  g_assert_no_error (inside.errors[0]);
  g_assert_error (inside.errors[1], OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_WOULD_DEADLOCK);
  g_clear_error (&inside.errors[1]);
  test_queue_free (queue);
}

static void
test_detached (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 2);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("detached", TRUE, "delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Detached and delayed tasks have their places too");

  test_submit_and_drop (queue, test_task_none, NULL, detached);
  handle = test_submit (queue, test_task_none, NULL, delayed);
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  /* A task that is cancelled makes room. */
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, &error), !=, 0);
  g_assert_no_error (error);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_delayed (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = bounded_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 10.0, NULL);
  Submitter submitter = { .options = options };
  OsiisoAttempt *filler;

  g_test_summary ("A delayed task that waited for room begins when it would have begun");

  fill (queue, &filler, 1);
  submitter_start_waiting (&submitter, queue);
  hooks->clock_advance (4 * G_USEC_PER_SEC);
  let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitter.returned));
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  hooks->clock_advance (1 * G_USEC_PER_SEC);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  join (queue);
  submitter_assert_in (&submitter);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_group (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  Submitter submitters[2] = { { .group = group }, { .group = group } };
  OsiisoAttempt *filler;

  g_test_summary ("A group grows when there is room for the member");

  fill (queue, &filler, 1);
  submitter_start_waiting (&submitters[0], queue);
  submitter_start_waiting (&submitters[1], queue);
  g_assert_null (osiiso_group_get_handle (group, 0));
  let_go (&filler);
  for (guint i = 0; i < 2; i++)
    submitter_assert_in (&submitters[i]);
  join (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 2);
  g_clear_object (&group);
  test_queue_free (queue);
}

static void
gone_cb (gpointer flag,
         GObject *where_it_was)
{
  *(gboolean *) flag = TRUE;
}

static void
test_dropped (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  Submitter submitter = { .group = group };
  gboolean gone = FALSE;
  OsiisoAttempt *filler;

  g_test_summary ("A queue that was dropped lives until those who wait have come in and are done");

  fill (queue, &filler, 1);
  submitter_start_waiting (&submitter, queue);
  g_object_weak_ref (G_OBJECT (queue), gone_cb, &gone);
  g_object_unref (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (gone);
  let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitter.returned));
  g_assert_no_error (submitter.error);
  ITERATE_UNTIL (gone);
  g_assert_cmpint (osiiso_handle_get_status (submitter.handle), ==, OSIISO_STATUS_SUCCEEDED);
  submitter_assert_in (&submitter);
}

static void
test_hidden (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Submitter submitters[2] = { { .push = FALSE }, { .group = group } };
  OsiisoAttempt *filler;
  guint64 id;

  g_test_summary ("A task that waits to come in is not found");

  fill (queue, &filler, 1);
  for (guint i = 0; i < 2; i++)
    submitter_start_waiting (&submitters[i], queue);
  id = osiiso_attempt_get_task_id (filler);
  for (guint64 other = id > 64 ? id - 64 : 1; other < id + 64; other++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, other);

      g_assert_true ((handle != NULL) == (other == id));
    }
  osiiso_queue_pause (queue);
  let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitters[0].returned));
  {
    g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, osiiso_handle_get_task_id (submitters[0].handle));

    g_assert_true (handle == submitters[0].handle);
  }
  osiiso_queue_resume (queue);
  for (guint i = 0; i < 2; i++)
    submitter_assert_in (&submitters[i]);
  join (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

/* Many at a time. */
#define N_PRODUCERS 8
#define N_ROUNDS    60
#define SIZE        4

typedef struct
{
  OsiisoQueue *queue;
  OsiisoGroup *group;
  int          n_running;
  int          most;
  int          n_run;
  int          n_in;
  int          n_released;
  int          n_done;
} Stress;

static void
stress_task (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Stress *stress = user_data;
  int n = g_atomic_int_add (&stress->n_running, 1) + 1;

  for (int most = g_atomic_int_get (&stress->most); n > most; most = g_atomic_int_get (&stress->most))
    g_atomic_int_compare_and_exchange (&stress->most, most, n);
  g_thread_yield ();
  g_atomic_int_inc (&stress->n_run);
  g_atomic_int_add (&stress->n_running, -1);
}

static void
stress_release (gpointer user_data)
{
  g_atomic_int_inc (&((Stress *) user_data)->n_released);
}

static gpointer
stress_thread (gpointer user_data)
{
  Stress *stress = user_data;
  GError *error = NULL;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      OsiisoHandle *handle = NULL;
      OsiisoGroup *map = NULL;
      int n = 1;

      if (i % 5 == 1)
        map = osiiso_queue_map (stress->queue, n = 1 + i % SIZE, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 2)
        handle = osiiso_group_submit (stress->group, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 3)
        handle = osiiso_queue_submit (stress->queue, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 4)
        n = osiiso_queue_try_push (stress->queue, stress_task, stress, stress_release, NULL, NULL) != 0 ? 1 : 0;
      else
        osiiso_queue_push (stress->queue, stress_task, stress, stress_release, NULL, &error);
      g_assert_no_error (error);
      g_atomic_int_add (&stress->n_in, n);
      g_clear_object (&handle);
      g_clear_object (&map);
    }
  g_atomic_int_inc (&stress->n_done);
  return NULL;
}

static void
test_stress (gconstpointer backend)
{
  OsiisoQueue *queue = bounded_queue (backend, SIZE);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Stress stress = { .queue = queue, .group = group };
  GThread *threads[N_PRODUCERS];

  g_test_summary ("Many who submit all come in, and never more than the size at a time");

  for (guint i = 0; i < N_PRODUCERS; i++)
    threads[i] = g_thread_new ("producer", stress_thread, &stress);
  ITERATE_UNTIL (g_atomic_int_get (&stress.n_done) == N_PRODUCERS);
  for (guint i = 0; i < N_PRODUCERS; i++)
    g_thread_join (threads[i]);
  join (queue);

  g_assert_cmpint (stress.n_run, ==, stress.n_in);
  g_assert_cmpint (stress.most, <=, SIZE);
  ITERATE_UNTIL (g_atomic_int_get (&stress.n_released) == N_PRODUCERS * N_ROUNDS);
  g_assert_cmpuint (n_waiting (queue), ==, 0);
  g_clear_object (&group);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/size/property", test_property);
  test_add_for_backends ("/size/blocks", test_blocks);
  test_add_for_backends ("/size/fifo", test_fifo);
  test_add_for_backends ("/size/try", test_try);
  test_add_for_backends ("/size/try-closed", test_try_closed);
  test_add_for_backends ("/size/no-overtaking", test_no_overtaking);
  test_add_for_backends ("/size/map", test_map);
  test_add_for_backends ("/size/cancelled-queue", test_cancelled_queue);
  test_add_for_backends ("/size/shutdown", test_shutdown);
  test_add_for_backends ("/size/halted", test_halted);
  test_add_for_backends ("/size/grow", test_grow);
  test_add_for_backends ("/size/shrink", test_shrink);
  test_add_for_backends ("/size/filled-before-start", test_filled_before_start);
  g_test_add_func ("/size/owner-blocks", test_owner_blocks);
  g_test_add_func ("/size/owner-refused", test_owner_refused);
  g_test_add_func ("/size/failing-start", test_failing_start);
  test_add_for_backends ("/size/inside/last-worker", test_inside_last_worker);
  g_test_add_func ("/size/inside/own-place", test_inside_own_place);
  g_test_add_func ("/size/inside/both", test_inside_both);
  g_test_add_func ("/size/inside/behind-map", test_inside_behind_map);
  g_test_add_func ("/size/inside/waits", test_inside_waits);
  test_add_for_backends ("/size/detached", test_detached);
  test_add_for_backends ("/size/delayed", test_delayed);
  test_add_for_backends ("/size/group", test_group);
  test_add_for_backends ("/size/dropped", test_dropped);
  test_add_for_backends ("/size/hidden", test_hidden);
  test_add_for_backends ("/size/stress", test_stress);

  return g_test_run ();
}
