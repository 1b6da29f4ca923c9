/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

void
test_gate_init (TestGate *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->n_arrived = 0;
  self->open = FALSE;
  self->n_released = 0;
}

void
test_gate_clear (TestGate *self)
{
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
}

void
test_gate_release (gpointer gate)
{
  g_atomic_int_inc (&((TestGate *) gate)->n_released);
}

void
test_gate_open (TestGate *self)
{
  g_mutex_lock (&self->lock);
  self->open = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
test_gate_pass (TestGate *self)
{
  g_mutex_lock (&self->lock);
  self->n_arrived++;
  g_cond_broadcast (&self->cond);
  while (!self->open)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
test_gate_await (TestGate *self,
                 guint     n_arrived)
{
  g_mutex_lock (&self->lock);
  while (self->n_arrived < n_arrived)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
test_log_init (TestLog *self)
{
  g_mutex_init (&self->lock);
  self->text = g_string_new (NULL);
}

void
test_log_clear (TestLog *self)
{
  g_mutex_clear (&self->lock);
  g_string_free (self->text, TRUE);
}

void
test_log_add (TestLog    *self,
              const char *format,
              ...)
{
  va_list args;

  g_mutex_lock (&self->lock);
  if (self->text->len > 0)
    g_string_append_c (self->text, ' ');
  va_start (args, format);
  g_string_append_vprintf (self->text, format, args);
  va_end (args);
  g_mutex_unlock (&self->lock);
}

char *
test_log_steal (TestLog *self)
{
  char *text;

  g_mutex_lock (&self->lock);
  text = g_strdup (self->text->str);
  g_string_truncate (self->text, 0);
  g_mutex_unlock (&self->lock);
  return text;
}

void
test_add_for_backends (const char   *path,
                       GTestDataFunc func)
{
  static const char *backends[] = { "main-loop", "thread-pool" };

  for (guint i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autofree char *full = g_strdup_printf ("%s/%s", path, backends[i]);

      g_test_add_data_func (full, backends[i], func);
    }
}

OsiisoQueue *
test_queue_new (const char *backend)
{
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new (backend, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_QUEUE (queue));
  return queue;
}

OsiisoTaskOptions *
test_options_new (const char *first_property,
                  ...)
{
  OsiisoTaskOptions *options;
  va_list args;

  va_start (args, first_property);
  options = OSIISO_TASK_OPTIONS (g_object_new_valist (OSIISO_TYPE_TASK_OPTIONS, first_property, args));
  va_end (args);
  return options;
}

static gboolean
wake_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

void
test_iterate_until (const int *flag)
{
  /* Another thread may set the flag without waking the context. */
  guint id = g_timeout_add (1, wake_cb, NULL);

  while (!g_atomic_int_get (flag))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

void
test_store_result (GObject      *source,
                   GAsyncResult *result,
                   gpointer      location)
{
  *(GAsyncResult **) location = g_object_ref (result);
}

GAsyncResult *
test_await_result (GAsyncResult **location)
{
  while (*location == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *location;
}

void
test_count (gpointer counter)
{
  g_atomic_int_inc ((int *) counter);
}

static void
gone_cb (gpointer data,
         GObject *where_it_was)
{
  g_atomic_int_set ((int *) data, 1);
}

void
test_queue_free (OsiisoQueue *queue)
{
  int gone = 0;

  g_object_weak_ref (G_OBJECT (queue), gone_cb, &gone);
  g_object_unref (queue);
  test_iterate_until (&gone);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

OsiisoHandle *
test_submit (OsiisoQueue       *queue,
             OsiisoTaskFunc     func,
             gpointer           user_data,
             OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit (queue, func, user_data, NULL, options, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_HANDLE (handle));
  return handle;
}

void
test_submit_and_drop (OsiisoQueue       *queue,
                      OsiisoTaskFunc     func,
                      gpointer           user_data,
                      OsiisoTaskOptions *options)
{
  g_object_unref (test_submit (queue, func, user_data, options));
}

OsiisoRunSummary *
test_run (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;
  OsiisoRunSummary *summary = osiiso_queue_run (queue, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_RUN_SUMMARY (summary));
  return summary;
}

void
test_run_all (OsiisoQueue *queue)
{
  g_object_unref (test_run (queue));
}

void
test_await_status (OsiisoHandle *handle,
                   OsiisoStatus  status)
{
  guint id = g_timeout_add (1, wake_cb, NULL);

  while (osiiso_handle_get_status (handle) != status)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

const OsiisoTestHooks *
test_manual_clock (void)
{
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();

  hooks->clock_set_manual (1000 * G_USEC_PER_SEC);
  return hooks;
}

void
test_task_none (OsiisoAttempt *attempt,
                gpointer       unused)
{
}

void
test_task_int (OsiisoAttempt *attempt,
               gpointer       value)
{
  osiiso_attempt_return_int (attempt, GPOINTER_TO_INT (value));
}

void
test_task_fail (OsiisoAttempt *attempt,
                gpointer       unused)
{
  osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                                   "attempt %u failed", osiiso_attempt_get_number (attempt));
}

void
test_task_gate (OsiisoAttempt *attempt,
                gpointer       gate)
{
  test_gate_pass (gate);
}

void
test_task_defer (OsiisoAttempt *attempt,
                 gpointer       location)
{
  g_atomic_pointer_set ((OsiisoAttempt **) location, osiiso_attempt_defer (attempt));
}
