/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reference-model-private.h"

/* What time brings, and the life of the queue. */

gint64
ref_model_next_due (RefModel *self)
{
  gint64 next = self->run.deadline;

  if (self->shutdown_deadline != 0 && (next == 0 || self->shutdown_deadline < next))
    next = self->shutdown_deadline;
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);
      gint64 when = task->due != 0 ? task->due : task->open && !task->reported ? task->times_out : 0;

      if (when != 0 && (next == 0 || when < next))
        next = when;
      if (task->deadline != 0 && !task->overdue && (next == 0 || task->deadline < next))
        next = task->deadline;
    }
  return next;
}

static void
time_out_attempt (RefModel *self,
                  RefTask  *task)
{
  g_autofree char *message = NULL;

  if (task->options.name != NULL)
    message = g_strdup_printf ("task '%s' exceeded %gs timeout", task->options.name, task->options.timeout);
  ref_outcome_set (&task->outcome, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, message);
  ref_model_end_attempt (self, task, TRUE);
}

static void
time_out_run (RefModel *self)
{
  self->run.deadline = 0;
  self->run.timed_out = !WRONG (self, REF_RUN_TIMEOUT_FORGOTTEN);
  ref_model_abort (self, self->run.on_timeout == OSIISO_TIMEOUT_POLICY_CANCEL || WRONG (self, REF_RUN_TIMEOUT_ALL));
}

static void
time_out_shutdown (RefModel *self)
{
  self->shutdown_deadline = 0;
  if (!WRONG (self, REF_SHUTDOWN_TIME_ENDLESS))
    ref_model_abort (self, !WRONG (self, REF_SHUTDOWN_TIME_SPARES));
}

static void
end_overdue (RefModel *self,
             RefTask  *task,
             guint     batch)
{
  task->overdue = TRUE;
  if (task->reported || (!task->open && WRONG (self, REF_DEADLINE_OF_RUNNING)))
    return;
  ref_task_set_deadline_error (task);
  if (WRONG (self, REF_DEADLINE_RETRIES) && task->open)
    {
      task->overdue = FALSE;
      task->deadline = 0;
      ref_model_end_attempt (self, task, TRUE);
      return;
    }
  ref_model_end_task (self, task, OSIISO_STATUS_FAILED, batch);
}

/* Returns how many there were. In which order is nobody's promise, and with
 * fail-first the first one decides what becomes of the others. */
guint
ref_model_end_overdue (RefModel *self)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  guint batch = ++self->n_batches;

  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (task->deadline != 0 && task->deadline <= self->now && !task->overdue)
        g_ptr_array_add (found, task);
    }
  if (found->len > 1 && ref_model_get_fail_policy (self) == OSIISO_FAIL_POLICY_FAIL_FIRST)
    self->ambiguous = TRUE;
  self->n_open_batches++;
  for (guint i = 0; i < found->len; i++)
    if (!ref_task_is_final (g_ptr_array_index (found, i)))
      end_overdue (self, g_ptr_array_index (found, i), batch);
  self->n_open_batches--;
  return found->len;
}

/* All that falls due just now. Attempts time out in the order of submission; when
 * the run does, or a shutdown, at the same microsecond nobody says which comes
 * first. */
static void
fall_due (RefModel *self)
{
  gboolean run_is_due = self->run.deadline != 0 && self->run.deadline <= self->now;
  gboolean shutdown_is_due = self->shutdown_deadline != 0 && self->shutdown_deadline <= self->now;
  gboolean timed_out;

  /* Its work was over in time. */
  if (run_is_due && ref_model_run_is_over (self))
    {
      self->run.deadline = 0;
      self->run.late = TRUE;
      run_is_due = FALSE;
    }
  timed_out = ref_model_end_overdue (self) > 0;
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (task->due == 0 || task->due > self->now)
        continue;
      task->due = 0;
      if (WRONG (self, REF_DELAYED_LAST))
        task->turn = self->next_turn++;
    }
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (!task->open || task->reported || task->times_out == 0 || task->times_out > self->now)
        continue;
      timed_out = TRUE;
      time_out_attempt (self, task);
    }
  if (run_is_due + timed_out + shutdown_is_due > 1)
    self->ambiguous = TRUE;
  else if (run_is_due)
    time_out_run (self);
  else if (shutdown_is_due)
    time_out_shutdown (self);
}

void
ref_model_advance (RefModel *self,
                   gint64    us)
{
  gint64 target = self->now + us;
  gint64 next;

  while (!self->ambiguous && (next = ref_model_next_due (self)) != 0 && next <= target)
    {
      self->now = MAX (next, self->now);
      fall_due (self);
    }
  self->now = target;
}

/* The life cycle */

gboolean
ref_model_start_work (RefModel *self)
{
  if (self->life == REF_CLOSING || self->life == REF_CLOSED)
    return FALSE;
  if (self->life == REF_NEW)
    self->life = REF_STARTED;
  self->resting = FALSE;
  return TRUE;
}

gboolean
ref_model_start (RefModel *self)
{
  if (!ref_model_start_work (self))
    return FALSE;
  if (!self->run.active && !WRONG (self, REF_HALTED_FOR_GOOD))
    self->halted = FALSE;
  return TRUE;
}

gboolean
ref_model_begin_run (RefModel           *self,
                     double              timeout,
                     int                 fail_policy,
                     OsiisoTimeoutPolicy on_timeout,
                     gboolean            infinite)
{
  if (self->run.active || !ref_model_start_work (self))
    return FALSE;
  self->halted = FALSE;
  self->run_fail_policy = fail_policy;
  self->run.active = TRUE;
  self->run.infinite = infinite;
  self->run.timed_out = FALSE;
  self->run.late = FALSE;
  self->run.on_timeout = on_timeout;
  self->run.started = self->now;
  self->run.deadline = timeout > 0 ? self->now + ref_microseconds (timeout) : 0;
  self->run.first_result = self->results->len;
  self->run.before = self->counts;
  return TRUE;
}

gboolean
ref_model_run_is_over (RefModel *self)
{
  guint64 left = ref_model_count_outstanding (self);

  if (WRONG (self, REF_RUN_IGNORES_DETACHED))
    for (guint i = 0; i < self->tasks->len; i++)
      left -= !ref_task_is_final (ref_model_task (self, i)) && ref_model_task (self, i)->options.detached;
  if (left > 0)
    return FALSE;
  /* A halted queue refuses work, so there is nothing more to wait for but the end
   * of a shutdown. */
  return !self->run.infinite || self->run.timed_out || self->life == REF_CLOSED || (self->halted && self->accepting);
}

/* It may also be ended before it is over, by who does not wait any longer. */
void
ref_model_end_run (RefModel *self)
{
  if (ref_model_run_is_over (self) && !WRONG (self, REF_NO_REST))
    self->resting = TRUE;
  self->run.active = FALSE;
  self->run.deadline = 0;
  if (!WRONG (self, REF_RUN_POLICY_STAYS))
    self->run_fail_policy = -1;
  self->halted = FALSE;
}

gboolean
ref_model_join (RefModel *self)
{
  if (ref_model_count_outstanding (self) > 0 && !ref_model_start_work (self))
    return FALSE;
  self->n_joins++;
  ref_model_check_idle (self);
  return TRUE;
}

void
ref_model_shutdown (RefModel *self,
                    gboolean  force,
                    double    timeout)
{
  gint64 deadline = self->now + ref_microseconds (timeout);

  if (!WRONG (self, REF_SHUTDOWN_STAYS_PAUSED))
    self->paused = FALSE;
  self->accepting = FALSE;
  ref_model_serve_line (self);
  if (!force && timeout > 0 && (self->shutdown_deadline == 0 || deadline < self->shutdown_deadline) &&
      self->life < REF_CLOSING)
    self->shutdown_deadline = deadline;
  if (force)
    ref_model_abort (self, !WRONG (self, REF_FORCE_SPARES));
  else if (ref_model_count_outstanding (self) > 0)
    ref_model_start_work (self);

  if (self->life == REF_NEW)
    {
      self->life = REF_CLOSED;
      self->shutdown_deadline = 0;
    }
  else if (self->life == REF_STARTED)
    self->life = REF_DRAINING;
  ref_model_check_idle (self);
}

/* The backend says that it is closed. */
void
ref_model_closed (RefModel *self)
{
  if (self->life != REF_CLOSING)
    return;
  self->life = REF_CLOSED;
  self->run.deadline = 0;
}

void
ref_model_clear_results (RefModel *self)
{
  g_array_set_size (self->results, 0);
  self->run.first_result = 0;
  if (WRONG (self, REF_CLEAR_COUNTS))
    self->counts = (RefCounts) { 0, 0, 0 };
}

gboolean
ref_model_reset (RefModel *self)
{
  gboolean was_halted = self->halted;

  if (self->run.active || self->life == REF_DRAINING || self->life == REF_CLOSING ||
      (self->life == REF_STARTED && !self->resting))
    return FALSE;

  ref_model_abort (self, !WRONG (self, REF_RESET_SPARES));
  self->halted = WRONG (self, REF_RESET_STAYS_CLOSED) && was_halted;
  self->accepting = self->accepting || !WRONG (self, REF_RESET_STAYS_CLOSED);
  if (self->life == REF_CLOSED)
    {
      self->life = REF_NEW;
      self->resting = TRUE;
    }
  ref_model_clear_results (self);
  if (!WRONG (self, REF_RESET_COUNTS_ON))
    self->counts = (RefCounts) { 0, 0, 0 };
  self->n_forgotten = self->n_completed;
  return TRUE;
}
