/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-size.h"

/* Bounded queues: what their tests share. */

OsiisoQueue *
test_bounded_queue (const char *backend,
                    guint       size)
{
  OsiisoQueue *queue = test_queue_new (backend);

  osiiso_queue_set_workers (queue, 8);
  osiiso_queue_set_size (queue, size);
  return queue;
}

guint
test_n_waiting (OsiisoQueue *queue)
{
  return osiiso_private_test_hooks ()->queue_n_waiting (queue);
}

guint64
test_n_outstanding (OsiisoQueue *queue)
{
  return osiiso_queue_get_active_count (queue) + osiiso_queue_get_pending_count (queue);
}

void
test_fill (OsiisoQueue    *queue,
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

void
test_let_go (OsiisoAttempt **attempt)
{
  osiiso_attempt_return_none (*attempt);
  g_clear_pointer (attempt, osiiso_attempt_unref);
}

void
test_join (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_join (queue, NULL, &error);
  g_assert_no_error (error);
}

void
test_release (gpointer data)
{
  g_assert_true (g_main_context_is_owner (g_main_context_default ()));
  ((TestData *) data)->n_released++;
}

void
test_task_log (OsiisoAttempt *attempt,
               gpointer       user_data)
{
  TestData *data = user_data;

  if (data->log != NULL)
    test_log_add (data->log, "%s", data->name);
}

static gpointer
submitter_thread (gpointer data)
{
  TestSubmitter *self = data;

  if (self->n > 0)
    self->map = osiiso_queue_map (self->queue, self->n, self->func, &self->data, test_release,
                                  self->options, &self->error);
  else if (self->group != NULL)
    self->handle = osiiso_group_submit (self->group, self->func, &self->data, test_release,
                                        self->options, &self->error);
  else if (self->push)
    self->id = osiiso_queue_push (self->queue, self->func, &self->data, test_release,
                                  self->options, &self->error);
  else
    self->handle = osiiso_queue_submit (self->queue, self->func, &self->data, test_release,
                                        self->options, &self->error);
  g_atomic_int_set (&self->returned, 1);
  return NULL;
}

void
test_submitter_start (TestSubmitter *self,
                      OsiisoQueue   *queue)
{
  self->queue = queue;
  if (self->func == NULL)
    self->func = test_task_log;
  self->thread = g_thread_new ("submitter", submitter_thread, self);
}

void
test_submitter_start_waiting (TestSubmitter *self,
                              OsiisoQueue   *queue)
{
  guint n = test_n_waiting (queue) + 1;

  test_submitter_start (self, queue);
  ITERATE_UNTIL (test_n_waiting (queue) == n);
  g_assert_false (g_atomic_int_get (&self->returned));
}

void
test_submitter_finish (TestSubmitter *self)
{
  ITERATE_UNTIL (g_atomic_int_get (&self->returned));
  g_thread_join (self->thread);
  g_clear_object (&self->handle);
  g_clear_object (&self->map);
}

void
test_submitter_assert_in (TestSubmitter *self)
{
  test_submitter_finish (self);
  g_assert_no_error (self->error);
}

void
test_submitter_assert_error (TestSubmitter *self,
                             GQuark         domain,
                             int            code,
                             const char    *message)
{
  test_submitter_finish (self);
  g_assert_error (self->error, domain, code);
  if (message != NULL)
    g_assert_cmpstr (self->error->message, ==, message);
  g_clear_error (&self->error);
  ITERATE_UNTIL (self->data.n_released == 1);
}

gpointer
test_run_thread (gpointer data)
{
  return test_run (data);
}

void
test_gone_cb (gpointer flag,
              GObject *where_it_was)
{
  *(gboolean *) flag = TRUE;
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

OsiisoQueue *
test_shut_queue_new (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_SHUT_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);

  osiiso_queue_set_size (queue, 1);
  return queue;
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_size_room ();
  test_add_size_waits ();
  test_add_size_async ();
  test_add_size_async_pairs ();

  return g_test_run ();
}
