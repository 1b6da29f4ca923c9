/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-queue.h"

/* How many tasks run at a time, and what comes in from other threads meanwhile. */

static void
test_workers (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = NULL;
  TestGate gate;

  g_test_summary ("No more tasks run at a time than there are workers, and more do when there are more");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 2);
  g_assert_true (osiiso_queue_start (queue, NULL));
  group = osiiso_queue_map (queue, 20, test_task_gate, &gate, NULL, NULL, NULL);
  test_gate_await (&gate, 2);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 2);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 18);
  osiiso_queue_set_workers (queue, 7);
  test_gate_await (&gate, 7);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 7);
  osiiso_queue_set_workers (queue, 1);
  test_gate_open (&gate);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 20);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_fewer_workers (void)
{
  g_test_summary ("When the workers become fewer while all are at work, exactly as many as are wanted stay");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      TestGate gate;

      test_gate_init (&gate);
      osiiso_queue_set_workers (queue, 8);
      g_assert_true (osiiso_queue_start (queue, NULL));
      for (int i = 0; i < 8; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_task_gate, &gate, NULL, NULL, NULL), !=, 0);
      test_gate_await (&gate, 8);
      osiiso_queue_set_workers (queue, 1);
      for (int i = 0; i < 8; i++)
        g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
      test_gate_open (&gate);
      g_assert_true (osiiso_queue_join (queue, NULL, NULL));
      g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 16);
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

typedef struct
{
  OsiisoQueue   *queue;
  OsiisoTaskFunc func;
  guint          n;
  TestGate      *gate;
} Producer;

static gpointer
producer_thread (gpointer data)
{
  Producer *producer = data;

  for (guint i = 0; i < producer->n; i++)
    g_assert_cmpuint (osiiso_queue_push (producer->queue, producer->func, NULL, NULL, NULL, NULL), !=, 0);
  return NULL;
}

static void
test_producers (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Producer producer = { queue, test_task_none, 5000, NULL };
  GThread *threads[4];

  g_test_summary ("Many threads submit into a queue that works, and nothing is lost");

  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("producer", producer_thread, &producer);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 20000);
  test_queue_free (queue);
}

static gpointer
push_at_gate (gpointer data)
{
  Producer *producer = data;

  test_gate_pass (producer->gate);
  return producer_thread (data);
}

static void
test_push_while_starting (gconstpointer backend)
{
  g_test_summary ("What is submitted while the queue is being started runs without a further push");

  for (int round = 0; round < 300; round++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      Producer producer = { queue, test_task_none, 1, NULL };
      GThread *thread;
      TestGate gate;

      test_gate_init (&gate);
      producer.gate = &gate;
      thread = g_thread_new ("producer", push_at_gate, &producer);
      test_gate_await (&gate, 1);
      test_gate_open (&gate);
      g_assert_true (osiiso_queue_start (queue, NULL));
      while (osiiso_queue_get_completed_count (queue) == 0)
        g_main_context_iteration (NULL, FALSE);
      g_thread_join (thread);
      test_queue_free (queue);
      test_gate_clear (&gate);
    }
}

/* A backend into whose queue another thread pushes while it opens. */
#define TEST_TYPE_SLOW_BACKEND (test_slow_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestSlowBackend, test_slow_backend, TEST, SLOW_BACKEND, OsiisoBackend)

struct _TestSlowBackend
{
  OsiisoBackend parent_instance;

  Producer      producer;
  gboolean      opened;
};

G_DEFINE_FINAL_TYPE (TestSlowBackend, test_slow_backend, OSIISO_TYPE_BACKEND)

static gboolean
test_slow_backend_open (OsiisoBackend *backend,
                        GError       **error)
{
  TestSlowBackend *self = TEST_SLOW_BACKEND (backend);

  g_thread_join (g_thread_new ("producer", producer_thread, &self->producer));
  self->opened = TRUE;
  return TRUE;
}

static void
test_slow_backend_wake (OsiisoBackend *backend,
                        guint          n)
{
  OsiisoAttempt *attempt;

  g_assert_true (TEST_SLOW_BACKEND (backend)->opened);
  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static void
test_slow_backend_close (OsiisoBackend *backend,
                         gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_slow_backend_class_init (TestSlowBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->open = test_slow_backend_open;
  backend_class->wake = test_slow_backend_wake;
  backend_class->close = test_slow_backend_close;
}

static void
test_slow_backend_init (TestSlowBackend *self)
{
}

#define TEST_TYPE_STAFF_BACKEND (test_staff_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestStaffBackend, test_staff_backend, TEST, STAFF_BACKEND, OsiisoBackend)

/* Takes all that it can get when its workers change, and, if it is to look then too,
 * when it is asked how many it would like. */
struct _TestStaffBackend
{
  OsiisoBackend parent_instance;

  GPtrArray    *attempts;
  gboolean      looks;
  guint         most; /* that it has seen */
};

G_DEFINE_FINAL_TYPE (TestStaffBackend, test_staff_backend, OSIISO_TYPE_BACKEND)

static void
test_staff_backend_take_all (OsiisoBackend *backend)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (backend)) != NULL)
    g_ptr_array_add (TEST_STAFF_BACKEND (backend)->attempts, attempt);
}

static guint
test_staff_backend_get_default_workers (OsiisoBackend *backend)
{
  TestStaffBackend *self = TEST_STAFF_BACKEND (backend);

  if (self->looks)
    {
      self->looks = FALSE;
      self->most = MAX (self->most, osiiso_backend_get_workers (backend));
      test_staff_backend_take_all (backend);
      g_assert_cmpuint (self->attempts->len, >=, self->most);
      self->looks = TRUE;
    }
  return 3;
}

static void
test_staff_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_staff_backend_finalize (GObject *object)
{
  g_ptr_array_unref (TEST_STAFF_BACKEND (object)->attempts);
  G_OBJECT_CLASS (test_staff_backend_parent_class)->finalize (object);
}

static void
test_staff_backend_class_init (TestStaffBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = test_staff_backend_finalize;
  backend_class->workers_changed = test_staff_backend_take_all;
  backend_class->get_default_workers = test_staff_backend_get_default_workers;
  backend_class->close = test_staff_backend_close;
}

static void
test_staff_backend_init (TestStaffBackend *self)
{
  self->attempts = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
}

static void
test_workers_changed (void)
{
  g_autoptr (TestStaffBackend) backend = g_object_new (TEST_TYPE_STAFF_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend that hears of more workers gets tasks for them, one that hears of fewer for those of before");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_cmpuint (backend->attempts->len, ==, 0);
  osiiso_queue_set_workers (queue, 3);
  g_assert_cmpuint (backend->attempts->len, ==, 3);
  osiiso_attempt_run (g_ptr_array_index (backend->attempts, 0));
  osiiso_attempt_run (g_ptr_array_index (backend->attempts, 1));
  osiiso_queue_set_workers (queue, 2);
  g_assert_cmpuint (backend->attempts->len, ==, 5);
  for (guint i = 2; i < 4; i++)
    osiiso_attempt_run (g_ptr_array_index (backend->attempts, i));
  test_staff_backend_take_all (OSIISO_BACKEND (backend));
  g_assert_cmpuint (backend->attempts->len, ==, 6);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_workers_seen (void)
{
  g_autoptr (TestStaffBackend) backend = g_object_new (TEST_TYPE_STAFF_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend that sees more workers before it is told of them gets tasks for them");

  osiiso_queue_set_workers (queue, 1);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  backend->looks = TRUE;
  osiiso_queue_set_workers (queue, 0);
  backend->looks = FALSE;
  g_assert_cmpuint (backend->most, ==, 3);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

static void
test_push_while_opening (void)
{
  g_autoptr (TestSlowBackend) backend = g_object_new (TEST_TYPE_SLOW_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));

  g_test_summary ("A backend is woken when it has been opened, and then for all that came before");

  backend->producer = (Producer) { queue, test_task_none, 3, NULL };
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (osiiso_queue_get_completed_count (queue) < 3)
    g_main_context_iteration (NULL, FALSE);
  test_queue_free (queue);
}

void
test_add_queue_workers (void)
{
  g_test_add_func ("/queue/workers", test_workers);
  g_test_add_func ("/queue/fewer-workers", test_fewer_workers);
  test_add_for_backends ("/queue/producers", test_producers);
  test_add_for_backends ("/queue/push-while-starting", test_push_while_starting);
  g_test_add_func ("/queue/workers-changed", test_workers_changed);
  g_test_add_func ("/queue/workers-seen", test_workers_seen);
  g_test_add_func ("/queue/push-while-opening", test_push_while_opening);
}
