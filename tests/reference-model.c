/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <string.h>

#include "reference-model.h"

#define WRONG(self, what) ((self)->mutation == (what))

static void
outcome_set (RefOutcome *outcome,
             GQuark      domain,
             int         code,
             const char *message)
{
  g_free (outcome->message);
  *outcome = (RefOutcome) { .domain = domain, .code = code, .message = g_strdup (message), .retry_after = -1 };
}

static void
outcome_copy (RefOutcome       *to,
              const RefOutcome *from)
{
  g_free (to->message);
  *to = *from;
  to->message = g_strdup (from->message);
}

static void
task_free (gpointer data)
{
  RefTask *task = data;

  g_free (task->options.name);
  g_free (task->outcome.message);
  g_free (task);
}

static void
submission_free (gpointer data)
{
  RefSubmission *submission = data;

  g_free (submission->options.name);
  g_free (submission);
}

static void
group_free (gpointer data)
{
  RefGroup *group = data;

  g_array_unref (group->members);
  g_array_unref (group->completed);
  g_free (group);
}

RefModel *
ref_model_new (RefMutation mutation,
               gint64      now)
{
  RefModel *self = g_new0 (RefModel, 1);

  self->mutation = mutation;
  self->now = now;
  self->accepting = TRUE;
  self->resting = TRUE;
  self->keep_results = TRUE;
  self->limit = 1;
  self->burst = 1;
  self->tasks = g_ptr_array_new_with_free_func (task_free);
  self->groups = g_ptr_array_new_with_free_func (group_free);
  self->line = g_ptr_array_new_with_free_func (submission_free);
  self->answers = g_array_new (FALSE, FALSE, sizeof (RefAnswer));
  self->results = g_array_new (FALSE, FALSE, sizeof (guint));
  self->events = g_array_new (FALSE, TRUE, sizeof (RefEvent));
  return self;
}

void
ref_model_free (RefModel *self)
{
  g_ptr_array_unref (self->tasks);
  g_ptr_array_unref (self->groups);
  g_ptr_array_unref (self->line);
  g_array_unref (self->answers);
  g_array_unref (self->results);
  g_array_unref (self->events);
  g_free (self);
}

RefTask *
ref_model_task (RefModel *self,
                guint     index)
{
  return g_ptr_array_index (self->tasks, index);
}

RefGroup *
ref_model_group (RefModel *self,
                 guint     index)
{
  return g_ptr_array_index (self->groups, index);
}

/* The clock counts whole microseconds; a time that is not none is at least one. */
gint64
ref_microseconds (double seconds)
{
  return seconds > 0 ? MAX (1, (gint64) (seconds * G_USEC_PER_SEC)) : 0;
}

static gboolean
is_final (const RefTask *task)
{
  return task->status == OSIISO_STATUS_SUCCEEDED || task->status == OSIISO_STATUS_FAILED ||
         task->status == OSIISO_STATUS_CANCELLED;
}

static void
add_event (RefModel    *self,
           RefEventKind kind,
           RefTask     *task,
           int          code)
{
  RefEvent event = { .kind = kind, .task = task->index, .batch = task->batch, .code = code };

  g_array_append_val (self->events, event);
}

/* Counting */

guint64
ref_model_count_outstanding (RefModel *self)
{
  return self->tasks->len - self->n_completed;
}

guint64
ref_model_count_active (RefModel *self)
{
  guint64 n = 0;

  for (guint i = 0; i < self->tasks->len; i++)
    n += ref_model_task (self, i)->open;
  return n;
}

guint64
ref_model_count_scheduled (RefModel *self)
{
  guint64 n = 0;

  for (guint i = 0; i < self->tasks->len; i++)
    n += ref_model_task (self, i)->due != 0;
  return n;
}

guint
ref_group_finished (RefModel *self,
                    guint     group)
{
  return ref_model_group (self, group)->completed->len;
}

/* The end of a task */

static void abort_all (RefModel *self,
                       gboolean  must_complete_too);

static void serve_line (RefModel *self);

static void
check_idle (RefModel *self)
{
  serve_line (self);
  if (ref_model_count_outstanding (self) > 0)
    return;
  self->n_joined += self->n_joins;
  self->n_joins = 0;
  if (self->life == REF_DRAINING)
    {
      self->life = self->close_later ? REF_CLOSING : REF_CLOSED;
      self->run.deadline = 0;
    }
}

static void
count (RefModel *self,
       RefTask  *task)
{
  gboolean keep = self->keep_results;

  if (task->options.detached && !WRONG (self, REF_DETACHED_COUNTED))
    return;
  self->counts.succeeded += task->status == OSIISO_STATUS_SUCCEEDED;
  self->counts.failed += task->status == OSIISO_STATUS_FAILED;
  self->counts.cancelled += task->status == OSIISO_STATUS_CANCELLED;
  if (task->status == OSIISO_STATUS_SUCCEEDED && !task->has_handle && !WRONG (self, REF_PUSH_KEEPS))
    keep = FALSE;
  if (keep)
    g_array_append_val (self->results, task->index);
}

static void
end_task (RefModel    *self,
          RefTask     *task,
          OsiisoStatus status,
          guint        batch)
{
  task->status = status;
  task->open = FALSE;
  task->reported = FALSE;
  task->due = 0;
  task->times_out = 0;
  task->batch = batch;
  if (task->has_handle)
    task->finished = self->now;

  self->n_completed++;
  count (self, task);
  if (task->group >= 0)
    g_array_append_val (ref_model_group (self, task->group)->completed, task->index);
  /* The victims are told first, although the failure came first. */
  if (status == OSIISO_STATUS_FAILED && self->fail_policy == OSIISO_FAIL_POLICY_FAIL_FIRST)
    abort_all (self, WRONG (self, REF_FAIL_FIRST_ALL));
  add_event (self, REF_EVENT_COMPLETE, task, 0);
  check_idle (self);
}

static void
end_cancelled (RefModel *self,
               RefTask  *task,
               guint     batch)
{
  outcome_set (&task->outcome, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               task->attempts == 0 ? "cancelled before execution" : "cancelled");
  end_task (self, task, OSIISO_STATUS_CANCELLED, batch);
}

static gint64
retry_wait (RefModel *self,
            RefTask  *task)
{
  const RefOptions *options = &task->options;
  guint k = task->attempts + 1;
  double wait;

  if (task->outcome.retry_after >= 0)
    return ref_microseconds (task->outcome.retry_after);
  wait = options->retry_delay * pow (options->backoff, (int) k - (WRONG (self, REF_BACKOFF_EARLY) ? 1 : 2));
  if (options->max_retry_delay > 0 && !WRONG (self, REF_NO_MAX_DELAY))
    wait = MIN (wait, options->max_retry_delay);
  return ref_microseconds (wait);
}

static gboolean
has_rule (RefTask *task,
          gboolean never,
          gboolean any)
{
  for (guint i = 0; i < task->options.n_rules; i++)
    {
      const RefRule *rule = &task->options.rules[i];

      if (rule->never == never &&
          (any || (rule->domain == task->outcome.domain && (rule->code == -1 || rule->code == task->outcome.code))))
        return TRUE;
    }
  return FALSE;
}

static gboolean
rules_allow (RefModel *self,
             RefTask  *task)
{
  gboolean wanted = has_rule (task, FALSE, FALSE);

  if (WRONG (self, REF_RETRY_ON_WINS) && wanted)
    return TRUE;
  if (has_rule (task, TRUE, FALSE))
    return FALSE;
  return wanted || !has_rule (task, FALSE, TRUE) || WRONG (self, REF_RETRY_ON_ANYTHING);
}

static gboolean
may_retry (RefModel *self,
           RefTask  *task,
           gboolean  timed_out)
{
  int attempts = (int) task->attempts + WRONG (self, REF_RETRY_MISSING) - WRONG (self, REF_RETRY_TOO_MANY);

  if (attempts > task->options.retries || (timed_out && WRONG (self, REF_NO_TIMEOUT_RETRY)))
    return FALSE;
  if (task->cancel_asked && !WRONG (self, REF_CANCEL_RETRIES))
    return FALSE;
  return rules_allow (self, task) && (!self->halted || task->options.must_complete);
}

/* The attempt is over with what is in task->outcome. */
static void
end_attempt (RefModel *self,
             RefTask  *task,
             gboolean  timed_out)
{
  gint64 wait;

  task->reported = FALSE;
  task->times_out = 0;
  if (task->outcome.ok)
    {
      end_task (self, task, OSIISO_STATUS_SUCCEEDED, 0);
      return;
    }
  /* A report that was made before somebody cancelled counts. */
  if (!may_retry (self, task, timed_out))
    {
      end_task (self, task, OSIISO_STATUS_FAILED, 0);
      return;
    }

  wait = retry_wait (self, task);
  task->status = OSIISO_STATUS_RETRYING;
  task->open = FALSE;
  task->due = wait > 0 ? self->now + wait : 0;
  if (WRONG (self, REF_RETRY_LAST))
    task->turn = self->next_turn++;
  add_event (self, REF_EVENT_RETRY, task, task->outcome.code);
}

/* Cancelling */

static gboolean
cancel (RefModel *self,
        RefTask  *task,
        guint     batch)
{
  if (is_final (task))
    return FALSE;
  task->cancel_asked = TRUE;
  if (!task->reported)
    end_cancelled (self, task, batch);
  return TRUE;
}

gboolean
ref_model_cancel (RefModel *self,
                  guint     task)
{
  return cancel (self, ref_model_task (self, task), 0);
}

guint
ref_model_cancel_group (RefModel *self,
                        guint     group)
{
  GArray *members = ref_model_group (self, group)->members;
  guint batch = ++self->n_batches;
  guint n = 0;

  for (guint i = 0; i < members->len; i++)
    n += cancel (self, ref_model_task (self, g_array_index (members, guint, i)), batch) || WRONG (self, REF_GROUP_CANCEL_COUNTS);
  return n;
}

static void
abort_all (RefModel *self,
           gboolean  must_complete_too)
{
  guint batch = ++self->n_batches;

  self->halted = TRUE;
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (task->options.must_complete ? must_complete_too : !WRONG (self, REF_FAIL_FIRST_ORDINARY))
        cancel (self, task, batch);
    }
  serve_line (self);
}

static void
settle_list (GArray      *list,
             RefModel    *self,
             guint        batch,
             const guint *order,
             guint        n)
{
  guint next = 0;

  for (guint i = 0; i < list->len; i++)
    {
      if (ref_model_task (self, g_array_index (list, guint, i))->batch != batch)
        continue;
      /* The next one of the batch that is in this list. */
      for (;;)
        {
          RefTask *task = ref_model_task (self, order[next++]);

          g_assert_cmpuint (next, <=, n);
          if (list == self->results ? !task->options.detached || WRONG (self, REF_DETACHED_COUNTED)
                                    : task->group >= 0 && ref_model_group (self, task->group)->completed == list)
            {
              g_array_index (list, guint, i) = task->index;
              break;
            }
        }
    }
}

void
ref_model_settle_batch (RefModel    *self,
                        guint        batch,
                        const guint *order,
                        guint        n)
{
  settle_list (self->results, self, batch, order, n);
  for (guint i = 0; i < self->groups->len; i++)
    settle_list (ref_model_group (self, i)->completed, self, batch, order, n);
  for (guint i = 0; i < n; i++)
    ref_model_task (self, order[i])->batch = 0;
}

/* Into the queue */

gboolean
ref_model_accepts (RefModel *self)
{
  return self->accepting && (!self->halted || WRONG (self, REF_FAIL_FIRST_OPEN));
}

gboolean
ref_model_has_room (RefModel *self,
                    guint     n)
{
  guint64 outstanding = ref_model_count_outstanding (self);

  if (WRONG (self, REF_SIZE_WITHOUT_RUNNING))
    outstanding -= ref_model_count_active (self);
  if (WRONG (self, REF_MAP_IN_PARTS))
    n = MIN (n, 1);
  return self->size == 0 || outstanding + n <= self->size + WRONG (self, REF_SIZE_PLUS_ONE);
}

RefTask *
ref_model_submit (RefModel         *self,
                  const RefOptions *options,
                  gboolean          has_handle,
                  int               group)
{
  RefTask *task = g_new0 (RefTask, 1);

  task->index = self->tasks->len;
  task->options = *options;
  task->options.name = g_strdup (options->name);
  task->group = group;
  task->has_handle = has_handle;
  task->status = OSIISO_STATUS_PENDING;
  task->priority = options->priority;
  task->turn = self->next_turn++;
  if (options->delay > 0)
    task->due = task->scheduled_for = self->now + ref_microseconds (options->delay);
  if (has_handle)
    task->created = self->now;
  g_ptr_array_add (self->tasks, task);
  if (group >= 0)
    {
      GArray *members = ref_model_group (self, group)->members;

      task->place = members->len;
      g_array_append_val (members, task->index);
    }
  return task;
}

static void
answer (RefModel *self,
        guint     position,
        gboolean  admitted)
{
  RefSubmission *submission = g_ptr_array_steal_index (self->line, position);
  RefAnswer made = { .tag = submission->tag, .admitted = admitted };

  if (admitted)
    {
      RefTask *task = ref_model_submit (self, &submission->options, TRUE, -1);

      /* Everything counts from the call. */
      made.task = task->index;
      task->turn = submission->turn;
      task->created = submission->since;
      if (task->due != 0)
        task->due = task->scheduled_for = submission->since + ref_microseconds (task->options.delay);
      if (task->due <= self->now)
        task->due = 0;
    }
  g_array_append_val (self->answers, made);
  submission_free (submission);
}

/* Lets those in who fit, and refuses all when no task is accepted any more. */
static void
serve_line (RefModel *self)
{
  while (self->line->len > 0 && !ref_model_accepts (self))
    answer (self, 0, FALSE);
  while (self->line->len > 0 && (self->size == 0 || ref_model_count_outstanding (self) < self->size))
    answer (self, WRONG (self, REF_LINE_BACKWARDS) ? self->line->len - 1 : 0, TRUE);
}

gboolean
ref_model_enter_line (RefModel         *self,
                      const RefOptions *options,
                      guint             tag)
{
  RefSubmission *submission;

  if (!ref_model_accepts (self))
    return FALSE;
  submission = g_new0 (RefSubmission, 1);
  submission->options = *options;
  submission->options.name = g_strdup (options->name);
  submission->since = self->now;
  submission->turn = self->next_turn++;
  submission->tag = tag;
  g_ptr_array_add (self->line, submission);
  serve_line (self);
  /* Who waits for room waits for work. */
  if (self->line->len > 0)
    ref_model_start_work (self);
  return TRUE;
}

void
ref_model_leave_line (RefModel *self,
                      guint     tag)
{
  for (guint i = 0; i < self->line->len; i++)
    {
      RefSubmission *submission = g_ptr_array_index (self->line, i);

      if (submission->tag != tag)
        continue;
      answer (self, i, FALSE);
      check_idle (self);
      return;
    }
}

void
ref_model_set_size (RefModel *self,
                    guint     size)
{
  self->size = size;
  serve_line (self);
}

guint
ref_model_new_group (RefModel *self)
{
  RefGroup *group = g_new0 (RefGroup, 1);

  group->members = g_array_new (FALSE, FALSE, sizeof (guint));
  group->completed = g_array_new (FALSE, FALSE, sizeof (guint));
  g_ptr_array_add (self->groups, group);
  return self->groups->len - 1;
}

/* Attempts */

static gboolean
is_ready (const RefTask *task)
{
  return (task->status == OSIISO_STATUS_PENDING || task->status == OSIISO_STATUS_RETRYING) && task->due == 0;
}

static gboolean
comes_before (RefModel *self,
              RefTask  *a,
              RefTask  *b)
{
  if (a->priority != b->priority)
    return (a->priority < b->priority) != WRONG (self, REF_HIGH_NUMBER_FIRST);
  return (a->turn < b->turn) != WRONG (self, REF_NEWEST_FIRST);
}

gint64
ref_model_next_start (RefModel *self)
{
  gint64 when = self->empty_at - (gint64) (self->burst - !WRONG (self, REF_BURST_PLUS_ONE)) * self->interval;

  return self->interval != 0 && when > self->now ? when : 0;
}

static void
count_start (RefModel *self,
             RefTask  *task)
{
  if (self->interval == 0 || (WRONG (self, REF_RATE_FIRST_ONLY) && task->attempts > 1))
    return;
  if (self->empty_at < self->now && !WRONG (self, REF_SLOTS_SAVED_UP))
    self->empty_at = self->now;
  self->empty_at += self->interval;
}

void
ref_model_set_rate (RefModel *self,
                    gint64    interval,
                    guint     burst)
{
  self->interval = interval;
  self->burst = burst;
  if (interval == 0)
    self->empty_at = 0;
  /* No more than a burst is ever owed. */
  self->empty_at = MIN (self->empty_at, self->now + (gint64) burst * interval);
}

/* The task that is first of those that wait, whatever the rate says. */
static RefTask *
peek_first (RefModel *self)
{
  RefTask *first = NULL;
  guint64 active = ref_model_count_active (self);

  if (WRONG (self, REF_RETRY_HOLDS_WORKER))
    for (guint i = 0; i < self->tasks->len; i++)
      active += ref_model_task (self, i)->status == OSIISO_STATUS_RETRYING;
  if ((self->life != REF_STARTED && self->life != REF_DRAINING) || self->resting ||
      active >= self->limit + WRONG (self, REF_LIMIT_PLUS_ONE))
    return NULL;
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (self->paused && !(WRONG (self, REF_PAUSE_LEAKS) && task->attempts > 0))
        continue;
      if (is_ready (task) && (first == NULL || comes_before (self, task, first)))
        first = task;
    }
  return first;
}

/* The task whose attempt may begin now. */
RefTask *
ref_model_peek (RefModel *self)
{
  return ref_model_next_start (self) == 0 ? peek_first (self) : NULL;
}

RefTask *
ref_model_take (RefModel *self)
{
  RefTask *task = ref_model_peek (self);

  if (task == NULL)
    return NULL;
  task->status = OSIISO_STATUS_RUNNING;
  task->attempts++;
  task->open = TRUE;
  count_start (self, task);
  if (task->has_handle && task->started == 0)
    task->started = self->now;
  if (task->options.timeout > 0)
    task->times_out = (WRONG (self, REF_TIMEOUT_FROM_SUBMIT) && task->created != 0 ? task->created : self->now) +
                      ref_microseconds (task->options.timeout);
  add_event (self, REF_EVENT_START, task, 0);
  return task;
}

gboolean
ref_model_is_open (RefModel *self,
                   guint     task,
                   guint     number)
{
  RefTask *t = ref_model_task (self, task);

  return t->open && (t->attempts == number || WRONG (self, REF_LATE_REPORT_COUNTS)) && !t->reported;
}

void
ref_model_report (RefModel         *self,
                  guint             task,
                  guint             number,
                  const RefOutcome *outcome,
                  gboolean          inside)
{
  RefTask *t = ref_model_task (self, task);

  if (!ref_model_is_open (self, task, number) &&
      !(WRONG (self, REF_LAST_REPORT_COUNTS) && t->open && t->attempts == number))
    return;
  outcome_copy (&t->outcome, outcome);
  if (inside)
    t->reported = TRUE;
  else
    end_attempt (self, t, FALSE);
}

void
ref_model_leave (RefModel *self,
                 guint     task,
                 guint     number,
                 gboolean  deferred)
{
  static const RefOutcome none = { .ok = TRUE, .retry_after = -1 };
  RefTask *t = ref_model_task (self, task);

  if (!t->open || t->attempts != number)
    return;
  if (!t->reported && deferred)
    return;
  if (!t->reported)
    outcome_copy (&t->outcome, &none);
  end_attempt (self, t, FALSE);
}

gboolean
ref_model_set_priority (RefModel *self,
                        guint     task,
                        int       priority)
{
  RefTask *t = ref_model_task (self, task);

  if (t->status != OSIISO_STATUS_PENDING && t->status != OSIISO_STATUS_RETRYING)
    return FALSE;
  t->priority = priority;
  if (WRONG (self, REF_PRIORITY_LAST))
    t->turn = self->next_turn++;
  return TRUE;
}

/* Time */

gint64
ref_model_next_due (RefModel *self)
{
  gint64 next = self->run.deadline;

  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);
      gint64 when = task->due != 0 ? task->due : task->open && !task->reported ? task->times_out : 0;

      if (when != 0 && (next == 0 || when < next))
        next = when;
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
  outcome_set (&task->outcome, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, message);
  end_attempt (self, task, TRUE);
}

static void
time_out_run (RefModel *self)
{
  self->run.deadline = 0;
  self->run.timed_out = !WRONG (self, REF_RUN_TIMEOUT_FORGOTTEN);
  abort_all (self, self->run.on_timeout == OSIISO_TIMEOUT_POLICY_CANCEL || WRONG (self, REF_RUN_TIMEOUT_ALL));
}

/* All that falls due just now. Attempts time out in the order of submission; when
 * the run does at the same microsecond nobody says which comes first. */
static void
fall_due (RefModel *self)
{
  gboolean timed_out = FALSE;

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
  if (self->run.deadline != 0 && self->run.deadline <= self->now)
    {
      self->ambiguous = timed_out;
      time_out_run (self);
    }
}

void
ref_model_advance (RefModel *self,
                   gint64    us)
{
  gint64 target = self->now + us;
  gint64 next;

  while ((next = ref_model_next_due (self)) != 0 && next <= target)
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
                     OsiisoTimeoutPolicy on_timeout,
                     gboolean            infinite)
{
  if (self->run.active || !ref_model_start_work (self))
    return FALSE;
  self->halted = FALSE;
  self->run.active = TRUE;
  self->run.infinite = infinite;
  self->run.timed_out = FALSE;
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
      left -= !is_final (ref_model_task (self, i)) && ref_model_task (self, i)->options.detached;
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
  self->halted = FALSE;
}

gboolean
ref_model_join (RefModel *self)
{
  if (ref_model_count_outstanding (self) > 0 && !ref_model_start_work (self))
    return FALSE;
  self->n_joins++;
  check_idle (self);
  return TRUE;
}

void
ref_model_shutdown (RefModel *self,
                    gboolean  force)
{
  if (!WRONG (self, REF_SHUTDOWN_STAYS_PAUSED))
    self->paused = FALSE;
  self->accepting = FALSE;
  serve_line (self);
  if (force)
    abort_all (self, !WRONG (self, REF_FORCE_SPARES));
  else if (ref_model_count_outstanding (self) > 0)
    ref_model_start_work (self);

  if (self->life == REF_NEW)
    self->life = REF_CLOSED;
  else if (self->life == REF_STARTED)
    self->life = REF_DRAINING;
  check_idle (self);
}

/* The backend says that it is closed. */
void
ref_model_closed (RefModel *self)
{
  if (self->life == REF_CLOSING)
    self->life = REF_CLOSED;
}

void
ref_model_clear_results (RefModel *self)
{
  g_array_set_size (self->results, 0);
  self->run.first_result = 0;
  if (WRONG (self, REF_CLEAR_COUNTS))
    self->counts = (RefCounts) { 0, 0, 0 };
}
