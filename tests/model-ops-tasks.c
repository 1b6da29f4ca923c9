/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-driver.h"

/* The operations that take attempts, run them and report on them. */

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
      outcome.final = TRUE;
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

  return driver_find (self, osiiso_attempt_get_task_id (held), name, osiiso_attempt_get_index (held));
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

void
model_task_func (OsiisoAttempt *held,
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
  driver_say (self, "release attempt %u of task %u (%s)", attempt->number, attempt->task,
              of_backend ? "backend" : "deferred");
  driver_release (self, attempt, of_backend, !of_backend);
}

/* Everything that may run, runs, so that the queue comes to its end now and then. */
void
op_drain (Driver *self,
          Random *random)
{
  driver_say (self, "drain");
  for (guint i = 0; i < 60 && ref_model_count_outstanding (self->model) > 0; i++)
    {
      if (self->difference != NULL || self->model->ambiguous)
        return;
      op_take (self, random);
      while (self->attempts->len > 0 && self->difference == NULL)
        {
          Attempt *attempt = driver_attempt (self, 0);

          report_on (self, random, attempt, FALSE);
          driver_latch_waits (self);
          driver_release (self, attempt, TRUE, TRUE);
        }
      if (ref_model_peek (self->model) == NULL && ref_model_next_due (self->model) != 0)
        model_advance (self, random);
      driver_latch_waits (self);
    }
}
