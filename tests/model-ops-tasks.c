/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-driver.h"

/* The operations that submit tasks and run them. */

#define PASSED_DELAYS_ARE_OVER 0

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
  drawn->timeout = model_maybe_seconds (random, 30);
  drawn->delay = model_maybe_seconds (random, 25);
  if (random_chance (random, 60))
    drawn->name = g_strdup_printf ("n%u", self->tasks->len);
  options = test_options_new ("priority", drawn->priority, "must-complete", drawn->must_complete,
                              "detached", drawn->detached, "retries", drawn->retries,
                              "retry-delay", drawn->retry_delay, "backoff", drawn->backoff,
                              "max-retry-delay", drawn->max_retry_delay, "timeout", drawn->timeout,
                              "delay", drawn->delay, "name", drawn->name, NULL);
  if (drawn->retries > 0 && random_chance (random, 30))
    random_rules (random, drawn, options);
  return options;
}

static char *
describe_options (const RefOptions *options)
{
  return g_strdup_printf ("priority %d%s%s, retries %d, retry-delay %g, backoff %g, max-retry-delay %g, timeout %g, delay %g",
                          options->priority, options->must_complete ? ", must-complete" : "",
                          options->detached ? ", detached" : "", options->retries, options->retry_delay,
                          options->backoff, options->max_retry_delay, options->timeout, options->delay);
}

static void
payload_released (gpointer data)
{
  ((Payload *) data)->n_released++;
}

static void task_func (OsiisoAttempt *attempt,
                       gpointer       user_data);

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

/* How the library refuses @n tasks; -1 if it takes them. */
static int
get_refusal (Driver *self,
             guint   n)
{
  if (!ref_model_accepts (self->model))
    return OSIISO_QUEUE_ERROR_CLOSED;
  return ref_model_has_room (self->model, n) ? -1 : OSIISO_QUEUE_ERROR_FULL;
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
    return osiiso_group_submit (g_ptr_array_index (self->groups, group), task_func, payload, payload_released, options, error);
  if (with_handle && only_try)
    return osiiso_queue_try_submit (self->queue, task_func, payload, payload_released, options, error);
  if (with_handle)
    return osiiso_queue_submit (self->queue, task_func, payload, payload_released, options, error);
  if (only_try)
    *id = osiiso_queue_try_push (self->queue, task_func, payload, payload_released, options, error);
  else
    *id = osiiso_queue_push (self->queue, task_func, payload, payload_released, options, error);
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
  int refusal = get_refusal (self, 1);
  OsiisoHandle *handle;
  Payload *payload;
  guint64 id = 0;

  if (group >= 0 && would_block (self, 1))
    return;
  payload = new_payload (self, refusal < 0 ? 1 : 0);
  driver_say (self, "%s%s%s -> task %u: %s", only_try ? "try to " : "", with_handle ? "submit" : "push",
              group >= 0 ? " to a group" : "", self->tasks->len, text);
  handle = call_submit (self, only_try, with_handle, group, payload, options, &id, &error);
  driver_compare_error (self, "submit", refusal >= 0, refusal, error);
  if (handle != NULL)
    id = osiiso_handle_get_task_id (handle);
  if (refusal < 0 && error == NULL)
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

/* With a name of its own, by which the task is known when it has come in. */
void
op_submit_async (Driver *self,
                 Random *random)
{
  RefOptions drawn;
  g_autoptr (OsiisoTaskOptions) options = random_options (self, random, &drawn);
  g_autofree char *text = describe_options (&drawn);
  Wait *wait = model_new_wait (self, WAIT_SUBMIT, 0);

  wait->tag = self->n_tags++;
  if (options == NULL)
    options = osiiso_task_options_new ();
  g_free (drawn.name);
  drawn.name = g_strdup_printf ("async-%u", wait->tag);
  osiiso_task_options_set_name (options, drawn.name);
  if (!PASSED_DELAYS_ARE_OVER && !ref_model_has_room (self->model, 1))
    {
      drawn.delay = 0;
      osiiso_task_options_set_delay (options, 0);
    }
  wait->payload = new_payload (self, 0);
  wait->payload->waits = TRUE;
  wait->cancellable = g_cancellable_new ();
  driver_say (self, "submit_async %s: %s", drawn.name, text);
  wait->refused = !ref_model_enter_line (self->model, &drawn, wait->tag);
  wait->payload->waits = !wait->refused;
  osiiso_queue_submit_async (self->queue, task_func, wait->payload, payload_released, options, wait->cancellable,
                             model_returned, wait);
  driver_admit (self);
  g_free (drawn.name);
}

/* One who waits for room gives up. */
void
op_leave_line (Driver *self,
               Random *random)
{
  driver_settle (self);
  for (guint i = 0; self->difference == NULL && i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);

      if (wait->kind != WAIT_SUBMIT || wait->over || random_chance (random, 50))
        continue;
      driver_say (self, "async-%u gives up", wait->tag);
      wait->refusal = CANCELLED;
      ref_model_leave_line (self->model, wait->tag);
      g_cancellable_cancel (wait->cancellable);
      driver_settle (self);
      return;
    }
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
  if (self->groups->len == 0)
    op_new_group (self, random);
  model_submit_one (self, random, TRUE, (int) random_below (random, self->groups->len));
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
  /* Of nothing nothing is refused. */
  int refusal = n > 0 ? get_refusal (self, n) : -1;
  Payload *payload;
  int index;

  if (self->groups->len >= 6 || would_block (self, n))
    return;
  payload = new_payload (self, refusal < 0 ? n : 0);
  driver_say (self, "map of %u from task %u as group %u: %s", n, self->tasks->len, self->groups->len, text);
  group = osiiso_queue_map (self->queue, n, task_func, payload, payload_released, options, &error);
  driver_compare_error (self, "map", refusal >= 0, refusal, error);
  if (refusal >= 0 || group == NULL)
    return;
  index = (int) ref_model_new_group (self->model);
  g_ptr_array_add (self->groups, g_object_ref (group));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      add_task (self, &drawn, osiiso_handle_get_task_id (handle), NULL, payload, TRUE, index);
    }
}

/* Attempts */

static void
random_report (Driver        *self,
               Random        *random,
               guint          task,
               guint          number,
               gboolean       inside,
               OsiisoAttempt *attempt)
{
  static const int codes[] = { G_IO_ERROR_NOT_FOUND, G_IO_ERROR_BUSY, G_IO_ERROR_CANCELLED, G_IO_ERROR_TIMED_OUT };
  RefOutcome outcome = { .retry_after = -1 };
  guint kind = random_below (random, 10);
  gboolean wait_is_bad = FALSE;

  if (kind < 4)
    {
      outcome.ok = TRUE;
      outcome.value = kind < 2 ? 0 : 1 + random_below (random, 1000);
    }
  else
    {
      outcome.domain = G_IO_ERROR;
      outcome.code = codes[random_below (random, G_N_ELEMENTS (codes))];
      outcome.message = g_strdup_printf ("failure %u", random_below (random, 1000));
    }
  driver_say (self, "  report on attempt %u of task %u: %s", number, task,
              outcome.ok ? outcome.value != 0 ? "a value" : "nothing" : outcome.message);
  if (outcome.ok && outcome.value == 0)
    osiiso_attempt_return_none (attempt);
  else if (outcome.ok)
    osiiso_attempt_return_int (attempt, outcome.value);
  else if (kind < 8)
    osiiso_attempt_return_error (attempt, g_error_new_literal (outcome.domain, outcome.code, outcome.message));
  else
    {
      wait_is_bad = random_chance (random, 10);
      outcome.retry_after = wait_is_bad ? -1 : model_maybe_seconds (random, 75);
      driver_say (self, "    retry after %g", outcome.retry_after);
      osiiso_attempt_retry_after (attempt, outcome.retry_after,
                                  g_error_new_literal (outcome.domain, outcome.code, outcome.message));
    }
  if (wait_is_bad)
    {
      outcome.domain = OSIISO_QUEUE_ERROR;
      outcome.code = OSIISO_QUEUE_ERROR_INVALID;
      g_clear_pointer (&outcome.message, g_free);
    }
  ref_model_report (self->model, task, number, &outcome, inside);
  g_free (outcome.message);
}

static void
report_on (Driver  *self,
           Random  *random,
           Attempt *attempt,
           gboolean inside)
{
  if (ref_model_is_open (self->model, attempt->task, attempt->number))
    attempt->ended_here = TRUE;
  random_report (self, random, attempt->task, attempt->number, inside,
                 attempt->of_backend != NULL ? attempt->of_backend : attempt->deferred);
}

static guint
find_attempt (Driver        *self,
              OsiisoAttempt *held)
{
  g_autofree char *name = osiiso_attempt_dup_name (held);

  return driver_find (self, osiiso_attempt_get_task_id (held), name);
}

void
op_take (Driver *self,
         Random *random)
{
  guint n = 1 + random_below (random, 3);

  while (n-- > 0 && self->difference == NULL)
    {
      OsiisoAttempt *taken;
      RefTask *expected;
      Attempt *attempt;
      guint task;

      if (self->closures)
        driver_settle (self);
      expected = ref_model_take (self->model);
      taken = osiiso_backend_take (self->backend);
      task = taken != NULL ? find_attempt (self, taken) : G_MAXUINT;
      driver_say (self, "take -> %d", (int) task);
      driver_compare_int (self, "taken task", expected != NULL ? (int) expected->index : -1, (int) task);
      if (taken == NULL)
        {
          self->awake = FALSE;
          return;
        }
      attempt = g_new0 (Attempt, 1);
      attempt->of_backend = taken;
      attempt->task = task;
      attempt->number = osiiso_attempt_get_number (taken);
      if (random_chance (random, 30))
        attempt->cancellable = g_object_ref (osiiso_attempt_get_cancellable (taken));
      g_ptr_array_add (self->attempts, attempt);
      if (expected != NULL)
        driver_compare_int (self, "number of the attempt", expected->attempts, attempt->number);
    }
}

/* The function of the attempt that is served has returned. */
static void
leave_served (Driver *self)
{
  Attempt *attempt = g_steal_pointer (&self->served);

  if (attempt == NULL)
    return;
  if (attempt->deferred == NULL && ref_model_is_open (self->model, attempt->task, attempt->number))
    attempt->ended_here = TRUE;
  ref_model_leave (self->model, attempt->task, attempt->number, attempt->deferred != NULL);
  attempt->of_backend = NULL;
  if (attempt->deferred == NULL)
    g_ptr_array_remove (self->attempts, attempt);
}

/* The library has taken an attempt and entered its function by itself. It has the
 * reference. */
static void
enter_served (Driver        *self,
              OsiisoAttempt *held)
{
  RefTask *expected;
  Attempt *attempt;

  leave_served (self);
  expected = ref_model_take (self->model);
  attempt = g_new0 (Attempt, 1);
  attempt->of_backend = held;
  attempt->task = find_attempt (self, held);
  attempt->number = osiiso_attempt_get_number (held);
  attempt->ran = TRUE;
  g_ptr_array_add (self->attempts, attempt);
  self->running = self->served = attempt;
  driver_say (self, "  task %u is served", attempt->task);
  driver_compare_int (self, "served task", expected != NULL ? (int) expected->index : -1, (int) attempt->task);
}

static void
task_func (OsiisoAttempt *held,
           gpointer       user_data)
{
  Payload *payload = user_data;
  Driver *self = payload->driver;
  Attempt *attempt;
  Random *plan = self->plan;
  g_autofree char *name = osiiso_attempt_dup_name (held);

  if (self->serving)
    enter_served (self, held);
  attempt = self->running;
  if (attempt == NULL || attempt->of_backend != held)
    {
      driver_differ (self, "a function was entered out of turn");
      return;
    }
  self->running = NULL;
  if (!ref_model_is_open (self->model, attempt->task, attempt->number))
    driver_differ (self, "task %u: a function was entered after its end", attempt->task);
  if (payload->n_released != 0 || driver_task (self, attempt->task)->payload != payload)
    driver_differ (self, "task %u: wrong user data", attempt->task);
  if (g_strcmp0 (name, driver_task (self, attempt->task)->name) != 0)
    driver_differ (self, "task %u: wrong name %s", attempt->task, name);
  driver_compare_int (self, "index of the attempt", ref_model_task (self->model, attempt->task)->place,
                      osiiso_attempt_get_index (held));

  if (random_chance (plan, 8))
    model_cancel_task (self, attempt->task);
  if (random_chance (plan, 8))
    model_advance (self, plan);
  if (random_chance (plan, 45))
    {
      driver_say (self, "  defer");
      attempt->deferred = osiiso_attempt_defer (held);
    }
  if (random_chance (plan, attempt->deferred != NULL ? 20 : 80))
    {
      report_on (self, plan, attempt, TRUE);
      if (random_chance (plan, 15))
        report_on (self, plan, attempt, TRUE);
      if (random_chance (plan, 15))
        model_cancel_task (self, attempt->task);
    }
  if (random_chance (plan, 8))
    model_submit_one (self, plan, random_chance (plan, 50), -1);
  if (random_chance (plan, 8))
    model_advance (self, plan);
}

/* A backend enters the function, and drops its reference some time after that. */
static void
run_attempt (Driver  *self,
             Random  *random,
             Attempt *attempt)
{
  gboolean open;

  if (self->closures)
    driver_settle (self);
  open = ref_model_is_open (self->model, attempt->task, attempt->number);
  driver_say (self, "run attempt %u of task %u", attempt->number, attempt->task);
  attempt->ran = TRUE;
  self->running = attempt;
  self->plan = random;
  self->inside = TRUE;
  osiiso_attempt_run (attempt->of_backend);
  self->inside = FALSE;
  driver_compare_int (self, "function not entered", !open, self->running != NULL);
  self->running = NULL;
  if (open)
    {
      if (attempt->deferred == NULL && ref_model_is_open (self->model, attempt->task, attempt->number))
        attempt->ended_here = TRUE;
      ref_model_leave (self->model, attempt->task, attempt->number, attempt->deferred != NULL);
    }
  if (random_chance (random, 90))
    driver_release (self, attempt, TRUE, FALSE);
}

void
op_run (Driver *self,
        Random *random)
{
  guint first = random_below (random, MAX (self->attempts->len, 1));

  for (guint i = 0; i < self->attempts->len; i++)
    {
      Attempt *attempt = driver_attempt (self, (first + i) % self->attempts->len);

      if (attempt->ran || attempt->of_backend == NULL)
        continue;
      run_attempt (self, random, attempt);
      return;
    }
}

/* A backend lets the library take and run attempts: one, or all there are. */
void
op_serve (Driver *self,
          Random *random)
{
  gboolean many;
  gboolean may_one;
  gboolean more;

  if (self->closures)
    driver_settle (self);
  if (self->difference != NULL)
    return;
  /* One at a time where handlers are called in between, and while somebody waits
   * for room: who comes in when one task ends need not be there yet when the same
   * thread takes the next. */
  many = !self->closures && self->model->line->len == 0 && random_chance (random, 40);
  may_one = ref_model_peek (self->model) != NULL;
  driver_say (self, many ? "serve all" : "serve");
  self->serving = self->inside = TRUE;
  self->plan = random;
  more = osiiso_backend_serve_for (self->backend, many ? 1e6 : 0);
  leave_served (self);
  self->serving = self->inside = FALSE;
  self->running = NULL;
  if (!more)
    self->awake = FALSE;
  driver_compare_int (self, "whether there may be more to serve", may_one && !many, more);
  if (many)
    driver_compare_int (self, "whether all was served", FALSE, ref_model_peek (self->model) != NULL);
}

void
op_report (Driver *self,
           Random *random)
{
  Attempt *attempt;

  if (self->attempts->len == 0)
    return;
  attempt = driver_attempt (self, random_below (random, self->attempts->len));
  report_on (self, random, attempt, FALSE);
  if (attempt->ran && random_chance (random, 70))
    driver_release (self, attempt, TRUE, TRUE);
}

void
op_release (Driver *self,
            Random *random)
{
  Attempt *attempt;
  gboolean of_backend = random_chance (random, 60);

  if (self->attempts->len == 0)
    return;
  attempt = driver_attempt (self, random_below (random, self->attempts->len));
  driver_say (self, "release attempt %u of task %u (%s)", attempt->number, attempt->task, of_backend ? "backend" : "deferred");
  driver_release (self, attempt, of_backend, !of_backend);
}

/* Everything that may run, runs, so that the queue comes to its end now and then. */
void
op_drain (Driver *self,
          Random *random)
{
  driver_say (self, "drain");
  for (guint i = 0; i < 60 && self->difference == NULL && !self->model->ambiguous && ref_model_count_outstanding (self->model) > 0; i++)
    {
      op_take (self, random);
      while (self->attempts->len > 0 && self->difference == NULL)
        {
          Attempt *attempt = driver_attempt (self, 0);

          report_on (self, random, attempt, FALSE);
          driver_release (self, attempt, TRUE, TRUE);
        }
      if (ref_model_peek (self->model) == NULL && ref_model_next_due (self->model) != 0)
        model_advance (self, random);
    }
}
