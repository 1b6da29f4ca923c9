/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-driver.h"

/* The operations that submit tasks. */

/* Submitting */

/* After which errors to try again, from those that functions report here. */
static void
random_rules (Random            *random,
              RefOptions        *drawn,
              OsiisoTaskOptions *options)
{
  static const int codes[] = { G_IO_ERROR_NOT_FOUND, G_IO_ERROR_BUSY, G_IO_ERROR_CANCELLED, G_IO_ERROR_TIMED_OUT, -1 };

  drawn->n_rules = random_below (random, G_N_ELEMENTS (drawn->rules) + 1);
  for (guint i = 0; i < drawn->n_rules; i++)
    {
      RefRule *rule = &drawn->rules[i];

      rule->never = random_chance (random, 35);
      rule->domain = G_IO_ERROR;
      rule->code = codes[random_below (random, G_N_ELEMENTS (codes))];
      if (random_chance (random, 15))
        {
          rule->domain = OSIISO_QUEUE_ERROR;
          rule->code = OSIISO_QUEUE_ERROR_ABANDONED;
        }
      if (rule->never)
        osiiso_task_options_never_retry_on (options, rule->domain, rule->code);
      else
        osiiso_task_options_retry_on (options, rule->domain, rule->code);
    }
}

/* NULL for the defaults; what is drawn is in @drawn as well. */
static OsiisoTaskOptions *
random_options (Driver     *self,
                Random     *random,
                RefOptions *drawn)
{
  static const double backoffs[] = { 1, 1, 2, 0.5, 1.5, 3 };
  OsiisoTaskOptions *options;

  *drawn = (RefOptions) { .priority = OSIISO_PRIORITY_DEFAULT, .backoff = 1 };
  if (random_chance (random, 20))
    return NULL;

  drawn->priority = random_chance (random, 40) ? OSIISO_PRIORITY_DEFAULT : model_random_priority (random);
  drawn->must_complete = random_chance (random, 25);
  drawn->detached = random_chance (random, 10);
  drawn->retries = random_chance (random, 50) ? random_below (random, 4) : 0;
  drawn->retry_delay = model_maybe_seconds (random, 60);
  drawn->backoff = backoffs[random_below (random, G_N_ELEMENTS (backoffs))];
  drawn->max_retry_delay = model_maybe_seconds (random, 30);
  drawn->timeout = random_chance (random, 2) ? -1 : model_maybe_seconds (random, 30);
  drawn->delay = model_maybe_seconds (random, 25);
  drawn->deadline = model_maybe_seconds (random, 15);
  if (random_chance (random, 60))
    drawn->name = g_strdup_printf ("n%u", self->tasks->len);
  options = test_options_new ("priority", drawn->priority, "must-complete", drawn->must_complete,
                              "detached", drawn->detached, "retries", drawn->retries,
                              "retry-delay", drawn->retry_delay, "backoff", drawn->backoff,
                              "max-retry-delay", drawn->max_retry_delay, "timeout", drawn->timeout,
                              "delay", drawn->delay, "deadline", drawn->deadline, "name", drawn->name, NULL);
  if (drawn->retries > 0 && random_chance (random, 30))
    random_rules (random, drawn, options);
  if (random_chance (random, 15))
    {
      guint i = random_below (random, G_N_ELEMENTS (self->sources));

      drawn->source = self->numbers[i];
      osiiso_task_options_set_cancellable (options, self->sources[i]);
    }
  return options;
}

static char *
describe_options (const RefOptions *options)
{
  return g_strdup_printf ("priority %d%s%s, retries %d, retry-delay %g, backoff %g, max-retry-delay %g, timeout %g, "
                          "delay %g, deadline %g, source %u, %u rules",
                          options->priority, options->must_complete ? ", must-complete" : "",
                          options->detached ? ", detached" : "", options->retries, options->retry_delay,
                          options->backoff, options->max_retry_delay, options->timeout, options->delay,
                          options->deadline, options->source, options->n_rules);
}

static void
payload_released (gpointer data)
{
  ((Payload *) data)->n_released++;
}

/* Of a submission that is refused it has no tasks, and is released once the owner
 * has had its turn. */
static Payload *
new_payload (Driver *self,
             guint   n_tasks)
{
  Payload *payload = g_new0 (Payload, 1);

  driver_admit (self);
  payload->driver = self;
  payload->first_task = self->tasks->len;
  payload->n_tasks = n_tasks;
  g_ptr_array_add (self->payloads, payload);
  return payload;
}

static void
add_task (Driver           *self,
          const RefOptions *options,
          guint64           id,
          OsiisoHandle     *handle,
          Payload          *payload,
          gboolean          has_handle,
          int               group)
{
  g_autoptr (OsiisoHandle) found = NULL;
  Task *task = g_new0 (Task, 1);
  RefTask *expected;

  driver_admit (self);
  expected = ref_model_submit (self->model, options, has_handle, group);

  task->id = id;
  task->handle = handle;
  task->payload = payload;
  if (handle == NULL)
    handle = found = osiiso_queue_lookup (self->queue, id);
  task->name = g_strdup (handle != NULL ? osiiso_handle_get_name (handle) : NULL);
  if (options->name != NULL && g_strcmp0 (task->name, options->name) != 0)
    driver_differ (self, "name of task %u: expected %s, got %s", expected->index, options->name, task->name);
  g_ptr_array_add (self->tasks, task);
  g_array_append_val (self->live, expected->index);
  if (g_hash_table_contains (self->by_id, &id))
    driver_differ (self, "task %u has the id of another one", expected->index);
  g_hash_table_insert (self->by_id, g_memdup2 (&id, sizeof id), GUINT_TO_POINTER (expected->index + 1));
}

/* How the library refuses @n tasks; NOT_REFUSED if it takes them. */
static int
get_refusal (Driver           *self,
             const RefOptions *options,
             guint             n)
{
  if (options->timeout < 0)
    return OSIISO_QUEUE_ERROR_INVALID;
  for (guint i = 0; options->source != 0 && i < G_N_ELEMENTS (self->sources); i++)
    if (self->numbers[i] == options->source && g_cancellable_is_cancelled (self->sources[i]))
      return CANCELLED;
  if (n == 0)
    return NOT_REFUSED;
  if (!ref_model_accepts (self->model))
    return OSIISO_QUEUE_ERROR_CLOSED;
  return ref_model_has_room (self->model, n) ? NOT_REFUSED : OSIISO_QUEUE_ERROR_FULL;
}

/* A call that waits for room would wait for ever here, where nothing happens by
 * itself. In the thread that runs the tasks it is refused instead. That the queue
 * is asked keeps a wrong model from blocking the test. */
static gboolean
would_block (Driver *self,
             guint   n)
{
  guint64 outstanding = osiiso_queue_get_active_count (self->queue) + osiiso_queue_get_pending_count (self->queue);
  guint size = osiiso_queue_get_size (self->queue);

  for (guint i = 0; i < self->waits->len; i++)
    if (((Wait *) g_ptr_array_index (self->waits, i))->kind == WAIT_SUBMIT)
      outstanding = size;
  return !self->closures && n <= size && outstanding + n > size;
}

static OsiisoHandle *
call_submit (Driver            *self,
             gboolean           only_try,
             gboolean           with_handle,
             int                group,
             Payload           *payload,
             OsiisoTaskOptions *options,
             guint64           *id,
             GError           **error)
{
  if (group >= 0)
    return osiiso_group_submit (g_ptr_array_index (self->groups, group), model_task_func, payload, payload_released,
                                options, error);
  if (with_handle && only_try)
    return osiiso_queue_try_submit (self->queue, model_task_func, payload, payload_released, options, error);
  if (with_handle)
    return osiiso_queue_submit (self->queue, model_task_func, payload, payload_released, options, error);
  if (only_try)
    *id = osiiso_queue_try_push (self->queue, model_task_func, payload, payload_released, options, error);
  else
    *id = osiiso_queue_push (self->queue, model_task_func, payload, payload_released, options, error);
  return NULL;
}

void
model_submit_one (Driver  *self,
                  Random  *random,
                  gboolean with_handle,
                  int      group)
{
  RefOptions drawn;
  g_autoptr (OsiisoTaskOptions) options = random_options (self, random, &drawn);
  g_autofree char *text = describe_options (&drawn);
  g_autofree char *name = drawn.name;
  g_autoptr (GError) error = NULL;
  gboolean only_try = random_chance (random, 40) || would_block (self, 1);
  int refusal = get_refusal (self, &drawn, 1);
  OsiisoHandle *handle;
  Payload *payload;
  guint64 id = 0;

  if (group >= 0 && would_block (self, 1))
    return;
  payload = new_payload (self, refusal == NOT_REFUSED ? 1 : 0);
  driver_say (self, "%s%s%s -> task %u: %s", only_try ? "try to " : "", with_handle ? "submit" : "push",
              group >= 0 ? " to a group" : "", self->tasks->len, text);
  handle = call_submit (self, only_try, with_handle, group, payload, options, &id, &error);
  driver_compare_error (self, "submit", refusal != NOT_REFUSED, refusal, error);
  if (handle != NULL)
    id = osiiso_handle_get_task_id (handle);
  if (refusal == NOT_REFUSED && error == NULL)
    add_task (self, &drawn, id, handle, payload, with_handle, group);
  else
    g_clear_object (&handle);
}

void
op_submit (Driver *self,
           Random *random)
{
  model_submit_one (self, random, TRUE, -1);
}

void
op_push (Driver *self,
         Random *random)
{
  model_submit_one (self, random, FALSE, -1);
}

static void
call_submit_async (Driver            *self,
                   Wait              *wait,
                   OsiisoTaskOptions *options)
{
  if (wait->way == WAY_SUBMIT)
    osiiso_queue_submit_async (self->queue, model_task_func, wait->payload, payload_released, options,
                               wait->cancellable, model_returned, wait);
  else if (wait->way == WAY_PUSH)
    osiiso_queue_push_async (self->queue, model_task_func, wait->payload, payload_released, options,
                             wait->cancellable, model_returned, wait);
  else if (wait->way == WAY_GROUP)
    osiiso_group_submit_async (g_ptr_array_index (self->groups, wait->group), model_task_func, wait->payload,
                               payload_released, options, wait->cancellable, model_returned, wait);
  else
    osiiso_queue_map_async (self->queue, wait->n_tasks, model_task_func, wait->payload, payload_released, options,
                            wait->cancellable, model_returned, wait);
}

/* What becomes of it at once in the model: it is refused, in line, or in. */
static void
enter_line (Driver     *self,
            Wait       *wait,
            RefOptions *options)
{
  const guint size = self->model->size;

  wait->refusal = get_refusal (self, options, wait->n_tasks);
  wait->refused = wait->refusal != NOT_REFUSED &&
                  (wait->refusal != OSIISO_QUEUE_ERROR_FULL || (size > 0 && wait->n_tasks > size));
  wait->payload->waits = !wait->refused && wait->n_tasks > 0;
  if (wait->refused)
    return;
  wait->refusal = OSIISO_QUEUE_ERROR_CLOSED;
  if (wait->way == WAY_MAP)
    {
      wait->group = (int) ref_model_new_group (self->model);
      g_ptr_array_add (self->groups, NULL);
    }
  if (wait->n_tasks > 0)
    ref_model_enter_line (self->model, options, wait->n_tasks, wait->way != WAY_PUSH, wait->group, wait->tag);
  else
    wait->over = TRUE;
}

/* The group for it, and how many tasks; FALSE when there is none. */
static gboolean
prepare_way (Driver *self,
             Random *random,
             Way     way,
             int    *group,
             guint  *n_tasks)
{
  *group = -1;
  *n_tasks = way == WAY_MAP ? random_below (random, 6) : 1;
  if (way == WAY_MAP)
    return self->groups->len < 6;
  if (way != WAY_GROUP)
    return TRUE;
  if (self->groups->len == 0)
    return FALSE;
  *group = (int) random_below (random, self->groups->len);
  return g_ptr_array_index (self->groups, *group) != NULL;
}

/* With a name of its own, by which the task is known when it has come in. */
void
op_submit_async (Driver *self,
                 Random *random)
{
  static const char *names[N_WAYS] = { "submit", "push", "group submit", "map" };
  RefOptions drawn;
  g_autoptr (OsiisoTaskOptions) options = random_options (self, random, &drawn);
  g_autofree char *text = describe_options (&drawn);
  g_autofree char *unused = drawn.name;
  Way way = random_below (random, N_WAYS);
  Wait *wait;
  guint n_tasks;
  int group;

  if (!prepare_way (self, random, way, &group, &n_tasks))
    return;
  wait = model_new_wait (self, WAIT_SUBMIT, 0);
  wait->way = way;
  wait->group = group;
  wait->n_tasks = n_tasks;
  wait->tag = self->n_tags++;
  if (options == NULL)
    options = osiiso_task_options_new ();
  drawn.name = g_strdup_printf ("async-%u", wait->tag);
  osiiso_task_options_set_name (options, drawn.name);
  wait->payload = new_payload (self, 0);
  driver_say (self, "%s_async %s of %u tasks, group %d: %s", names[way], drawn.name, n_tasks, group, text);
  wait->source = drawn.source;
  enter_line (self, wait, &drawn);
  call_submit_async (self, wait, options);
  driver_admit (self);
  g_free (drawn.name);
}

/* A submitter cancels all that it has submitted; the next one may be another. */
void
op_cancel_source (Driver *self,
                  Random *random)
{
  guint i = random_below (random, G_N_ELEMENTS (self->sources));
  void (*handler) (Driver *, guint) = self->handler;

  driver_settle (self);
  if (self->difference != NULL)
    return;
  driver_say (self, "cancel source %u", self->numbers[i]);
  for (guint j = 0; j < self->waits->len; j++)
    {
      Wait *wait = g_ptr_array_index (self->waits, j);

      if (wait->kind != WAIT_SUBMIT || wait->over || wait->source != self->numbers[i])
        continue;
      wait->refusal = CANCELLED;
    }
  ref_model_cancel_source (self->model, self->numbers[i]);
  g_cancellable_cancel (self->sources[i]);
  /* They leave in their context, in which a handler that comes before that would still
   * find them in line. */
  self->handler = NULL;
  driver_settle (self);
  self->handler = handler;
  if (random_chance (random, 30))
    return;
  g_object_unref (self->sources[i]);
  self->sources[i] = g_cancellable_new ();
  self->numbers[i] = ++self->n_sources;
}

void
op_new_group (Driver *self,
              Random *random)
{
  if (self->groups->len >= 6)
    return;
  driver_say (self, "new group %u", self->groups->len);
  g_ptr_array_add (self->groups, osiiso_queue_new_group (self->queue, random_chance (random, 50) ? "g" : NULL));
  ref_model_new_group (self->model);
}

void
op_group_submit (Driver *self,
                 Random *random)
{
  guint group;

  if (self->groups->len == 0)
    op_new_group (self, random);
  group = random_below (random, self->groups->len);
  if (g_ptr_array_index (self->groups, group) != NULL)
    model_submit_one (self, random, TRUE, (int) group);
}

void
op_map (Driver *self,
        Random *random)
{
  RefOptions drawn;
  g_autoptr (OsiisoTaskOptions) options = random_options (self, random, &drawn);
  g_autofree char *text = describe_options (&drawn);
  g_autofree char *name = drawn.name;
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoGroup) group = NULL;
  guint n = random_below (random, 6);
  int refusal = get_refusal (self, &drawn, n);
  Payload *payload;
  int index;

  if (self->groups->len >= 6 || would_block (self, n))
    return;
  payload = new_payload (self, refusal == NOT_REFUSED ? n : 0);
  driver_say (self, "map of %u from task %u as group %u: %s", n, self->tasks->len, self->groups->len, text);
  group = osiiso_queue_map (self->queue, n, model_task_func, payload, payload_released, options, &error);
  driver_compare_error (self, "map", refusal != NOT_REFUSED, refusal, error);
  if (refusal != NOT_REFUSED || group == NULL)
    return;
  index = (int) ref_model_new_group (self->model);
  g_ptr_array_add (self->groups, g_object_ref (group));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      add_task (self, &drawn, osiiso_handle_get_task_id (handle), NULL, payload, TRUE, index);
    }
}
