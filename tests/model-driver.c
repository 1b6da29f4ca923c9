/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-driver.h"

/* A queue and its model side by side. */

guint64
random_next (Random *self)
{
  guint64 z = self->state += 0x9e3779b97f4a7c15u;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

guint
random_below (Random *self,
              guint   n)
{
  return random_next (self) % n;
}

gboolean
random_chance (Random *self,
               guint   percent)
{
  return random_below (self, 100) < percent;
}

/* A backend that does what the driver says. */
#define TEST_TYPE_MODEL_BACKEND (test_model_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestModelBackend, test_model_backend, TEST, MODEL_BACKEND, OsiisoBackend)

struct _TestModelBackend
{
  OsiisoBackend parent_instance;
  Driver       *driver;
};

G_DEFINE_FINAL_TYPE (TestModelBackend, test_model_backend, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
test_model_backend_get_capabilities (OsiisoBackend *backend)
{
  Driver *driver = TEST_MODEL_BACKEND (backend)->driver;
  OsiisoBackendCapabilities functions = OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_ASYNC;

  return driver->closures ? functions | OSIISO_BACKEND_CAPABILITIES_CLOSURES : functions;
}

static guint
test_model_backend_get_default_workers (OsiisoBackend *backend)
{
  return 3;
}

static gboolean
test_model_backend_open (OsiisoBackend *backend,
                         GError       **error)
{
  return TRUE;
}

static void
test_model_backend_wake (OsiisoBackend *backend,
                         guint          n)
{
  TEST_MODEL_BACKEND (backend)->driver->awake = TRUE;
}

static void
test_model_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  Driver *driver = TEST_MODEL_BACKEND (backend)->driver;

  if (!driver->close_later)
    osiiso_backend_closed (backend);
}

static void
test_model_backend_class_init (TestModelBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->get_capabilities = test_model_backend_get_capabilities;
  backend_class->get_default_workers = test_model_backend_get_default_workers;
  backend_class->open = test_model_backend_open;
  backend_class->wake = test_model_backend_wake;
  backend_class->close = test_model_backend_close;
}

static void
test_model_backend_init (TestModelBackend *self)
{
}

void
driver_say (Driver     *self,
            const char *format,
            ...)
{
  va_list args;

  if (self->trace == NULL)
    return;
  va_start (args, format);
  g_ptr_array_add (self->trace, g_strdup_vprintf (format, args));
  va_end (args);
}

void
driver_differ (Driver     *self,
               const char *format,
               ...)
{
  va_list args;

  if (self->difference != NULL || self->model->ambiguous)
    return;
  va_start (args, format);
  self->difference = g_strdup_vprintf (format, args);
  va_end (args);
}

Task *
driver_task (Driver *self,
             guint   index)
{
  return g_ptr_array_index (self->tasks, index);
}

Attempt *
driver_attempt (Driver *self,
                guint   index)
{
  return g_ptr_array_index (self->attempts, index);
}

guint
driver_find (Driver     *self,
             guint64     id,
             const char *name,
             guint       place)
{
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (self->by_id, &id)) - 1;

  driver_admit (self);
  for (guint i = self->live->len; index == G_MAXUINT && i > 0; i--)
    {
      guint candidate = g_array_index (self->live, guint, i - 1);
      Task *task = driver_task (self, candidate);

      if (task->id != 0 || g_strcmp0 (task->name, name) != 0 ||
          ref_model_task (self->model, candidate)->place != place)
        continue;
      task->id = id;
      g_hash_table_insert (self->by_id, g_memdup2 (&id, sizeof id), GUINT_TO_POINTER (candidate + 1));
      index = candidate;
    }
  return index;
}

guint
driver_find_handle (Driver       *self,
                    OsiisoHandle *handle)
{
  return driver_find (self, osiiso_handle_get_task_id (handle), osiiso_handle_get_name (handle),
                      osiiso_handle_get_index (handle));
}

/* NULL when the library has returned it already, which it should not have. */
static Wait *
find_submission (Driver *self,
                 guint   tag)
{
  for (guint i = 0; i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);

      if (wait->kind == WAIT_SUBMIT && wait->tag == tag)
        return wait;
    }
  driver_differ (self, "async-%u is not waiting any more", tag);
  return NULL;
}

static void
admit (Driver *self,
       Wait   *wait,
       guint   index)
{
  Task *task = g_new0 (Task, 1);

  g_assert_cmpuint (index, ==, self->tasks->len);
  task->name = g_strdup (ref_model_task (self->model, index)->options.name);
  g_ptr_array_add (self->tasks, task);
  g_array_append_val (self->live, index);
  self->members_late = self->members_late || ref_model_task (self->model, index)->group >= 0;
  if (wait == NULL)
    return;
  task->payload = wait->payload;
}

void
driver_admit (Driver *self)
{
  for (guint i = 0; i < self->model->answers->len; i++)
    {
      RefAnswer *answer = &g_array_index (self->model->answers, RefAnswer, i);
      Wait *wait = find_submission (self, answer->tag);

      for (guint j = 0; answer->admitted && j < answer->n_tasks; j++)
        admit (self, wait, answer->task + j);
      if (wait == NULL)
        continue;
      wait->over = TRUE;
      wait->refused = !answer->admitted;
      if (wait->refused && answer->too_many && wait->refusal == OSIISO_QUEUE_ERROR_CLOSED)
        wait->refusal = OSIISO_QUEUE_ERROR_FULL;
      wait->index = answer->task;
      wait->payload->waits = FALSE;
      wait->payload->first_task = answer->task;
      wait->payload->n_tasks = answer->admitted ? answer->n_tasks : 0;
    }
  g_array_set_size (self->model->answers, 0);
}

static void
group_free (gpointer data)
{
  if (data != NULL)
    g_object_unref (data);
}

static void
task_free (gpointer data)
{
  Task *task = data;

  g_clear_object (&task->handle);
  g_free (task->name);
  g_free (task);
}

static void
wait_free (gpointer data)
{
  Wait *wait = data;

  g_clear_error (&wait->error);
  g_clear_object (&wait->summary);
  g_clear_object (&wait->handle);
  g_clear_object (&wait->map);
  g_clear_object (&wait->cancellable);
  g_free (wait);
}

void
driver_release (Driver  *self,
                Attempt *attempt,
                gboolean of_backend,
                gboolean deferred)
{
  RefOutcome abandoned = {
    .domain = OSIISO_QUEUE_ERROR, .code = OSIISO_QUEUE_ERROR_ABANDONED, .retry_after = -1,
  };

  if ((attempt->of_backend == NULL || of_backend) && (attempt->deferred == NULL || deferred))
    {
      if (ref_model_is_open (self->model, attempt->task, attempt->number))
        attempt->ended_here = TRUE;
      ref_model_report (self->model, attempt->task, attempt->number, &abandoned, FALSE);
    }
  if (of_backend)
    g_clear_pointer (&attempt->of_backend, osiiso_attempt_unref);
  if (deferred)
    g_clear_pointer (&attempt->deferred, osiiso_attempt_unref);
  if (attempt->of_backend == NULL && attempt->deferred == NULL)
    {
      g_clear_object (&attempt->cancellable);
      g_ptr_array_remove (self->attempts, attempt);
    }
}

/* Signals of the queue, to be compared with the events of the model. */

static void
add_event (Driver       *self,
           RefEventKind  kind,
           OsiisoHandle *handle,
           const GError *error)
{
  RefEvent event = {
    .kind = kind,
    .task = driver_find_handle (self, handle),
    .code = error != NULL ? error->code : 0,
  };

  g_array_append_val (self->events, event);
}

static void
on_start (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          gpointer      driver)
{
  add_event (driver, REF_EVENT_START, handle, NULL);
}

static void
on_retry (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          const GError *error,
          gpointer      driver)
{
  add_event (driver, REF_EVENT_RETRY, handle, error);
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             gpointer      driver)
{
  Driver *self = driver;

  add_event (self, REF_EVENT_COMPLETE, handle, NULL);
  if (!osiiso_handle_is_done (handle))
    driver_differ (self, "on-complete before the end");
  if (self->handler != NULL && self->difference == NULL)
    self->handler (self, g_array_index (self->events, RefEvent, self->events->len - 1).task);
}

void
driver_open (Driver     *self,
             RefMutation mutation,
             Random     *random)
{
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  TestModelBackend *backend;

  self->closures = random_chance (random, 40);
  self->close_later = random_chance (random, 30);
  self->awake = FALSE;
  self->mode = OSIISO_MODE_FINITE;
  self->on_timeout = OSIISO_TIMEOUT_POLICY_COMPLETE;
  self->timeout = 0;
  self->shutdown_timeout = 0;
  self->tasks = g_ptr_array_new_with_free_func (task_free);
  self->payloads = g_ptr_array_new_with_free_func (g_free);
  self->attempts = g_ptr_array_new_with_free_func (g_free);
  self->groups = g_ptr_array_new_with_free_func (group_free);
  self->waits = g_ptr_array_new_with_free_func (wait_free);
  self->by_id = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->events = g_array_new (FALSE, TRUE, sizeof (RefEvent));
  self->live = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < G_N_ELEMENTS (self->sources); i++)
    {
      self->sources[i] = g_cancellable_new ();
      self->numbers[i] = ++self->n_sources;
    }

  self->context = g_main_context_new ();
  g_main_context_push_thread_default (self->context);
  backend = g_object_new (TEST_TYPE_MODEL_BACKEND, NULL);
  backend->driver = self;
  self->backend = OSIISO_BACKEND (backend);
  self->queue = osiiso_queue_new_with_backend (self->backend);
  g_signal_connect (self->queue, "on-start", G_CALLBACK (on_start), self);
  g_signal_connect (self->queue, "on-retry", G_CALLBACK (on_retry), self);
  g_signal_connect (self->queue, "on-complete", G_CALLBACK (on_complete), self);

  self->model = ref_model_new (mutation, hooks->clock_now ());
  self->model->limit = 3;
  self->model->close_later = self->close_later;
}

/* A thread of the library that is about to end what has fallen due holds up a run. What
 * does not return in ten seconds never will. */
static void
await_returns (Driver *self)
{
  const gint64 until = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  guint n_returned;

  do
    {
      while (g_main_context_iteration (self->context, FALSE))
        ;
      n_returned = 0;
      for (guint i = 0; i < self->waits->len; i++)
        n_returned += ((Wait *) g_ptr_array_index (self->waits, i))->returned;
      g_thread_yield ();
    }
  while (n_returned < self->waits->len && g_get_monotonic_time () < until);
}

static void
end_all (Driver *self)
{
  gboolean comparable = self->difference == NULL && !self->model->ambiguous;

  if (comparable)
    driver_settle (self);
  self->handler = NULL;
  ref_model_shutdown (self->model, TRUE, 0);
  osiiso_queue_shutdown_async (self->queue, TRUE, NULL, NULL, NULL);
  if (self->close_later)
    osiiso_backend_closed (self->backend);
  ref_model_closed (self->model);
  while (self->attempts->len > 0)
    driver_release (self, driver_attempt (self, 0), TRUE, TRUE);
  if (!comparable)
    {
      await_returns (self);
      return;
    }
  driver_settle (self);
  driver_compare_counts (self);
  for (guint i = 0; i < self->tasks->len; i++)
    driver_compare_task (self, i);
  driver_compare_int (self, "calls that wait for ever", 0, self->waits->len);
}

void
driver_close (Driver *self)
{
  gpointer queue = self->queue;

  end_all (self);
  g_ptr_array_unref (self->waits);
  g_ptr_array_unref (self->tasks);
  g_ptr_array_unref (self->groups);
  g_object_add_weak_pointer (queue, &queue);
  g_clear_object (&self->queue);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  if (queue != NULL)
    {
      g_object_remove_weak_pointer (queue, &queue);
      driver_differ (self, "something keeps the queue");
    }
  g_clear_object (&self->backend);
  for (guint i = 0; i < G_N_ELEMENTS (self->sources); i++)
    g_clear_object (&self->sources[i]);
  g_ptr_array_unref (self->attempts);
  g_ptr_array_unref (self->payloads);
  g_hash_table_unref (self->by_id);
  g_array_unref (self->events);
  g_array_unref (self->live);
  ref_model_free (self->model);
  g_main_context_pop_thread_default (self->context);
  g_main_context_unref (self->context);
}
