/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reference-model-private.h"

/* How tasks come in and run. */

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
  /* Nobody overtakes those in line, not even who would fit. */
  if (self->line->len > 0)
    return FALSE;
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
  if (options->deadline > 0)
    task->deadline = self->now + ref_microseconds (options->deadline);
  if (has_handle)
    task->created = self->now;
  /* If nobody has seen that such a run was over, it times out a moment later. */
  if (self->run.active && self->run.late)
    self->ambiguous = TRUE;
  g_ptr_array_add (self->tasks, task);
  if (group >= 0)
    {
      GArray *members = ref_model_group (self, group)->members;

      task->place = members->len;
      g_array_append_val (members, task->index);
    }
  return task;
}

/* TRUE when its deadline has passed already. */
static gboolean
admit_one (RefModel            *self,
           const RefSubmission *submission,
           guint                i)
{
  RefTask *task = ref_model_submit (self, &submission->options, submission->has_handle, submission->group);

  /* Everything counts from the call. */
  task->turn = submission->turn + i;
  if (task->created != 0)
    task->created = submission->since;
  if (task->deadline != 0)
    task->deadline = submission->since + ref_microseconds (task->options.deadline);
  if (task->due != 0)
    task->due = task->scheduled_for = submission->since + ref_microseconds (task->options.delay);
  if (task->due <= self->now)
    task->due = 0;
  return task->deadline != 0 && task->deadline <= self->now;
}

static RefSubmission *
in_line (RefModel *self,
         guint     position)
{
  return g_ptr_array_index (self->line, position);
}

/* TRUE when the deadline of who came in has passed already. */
static gboolean
answer (RefModel *self,
        guint     position,
        gboolean  admitted)
{
  RefSubmission *submission = g_ptr_array_steal_index (self->line, position);
  RefAnswer made = {
    .tag = submission->tag,
    .admitted = admitted,
    .too_many = self->size > 0 && submission->n_tasks > self->size,
    .task = self->tasks->len,
    .n_tasks = submission->n_tasks,
  };
  gboolean overdue = FALSE;

  for (guint i = 0; admitted && i < submission->n_tasks; i++)
    overdue |= admit_one (self, submission, i);
  g_array_append_val (self->answers, made);
  ref_submission_free (submission);
  return overdue;
}

static gboolean
fits (RefModel *self,
      guint     position)
{
  return self->size == 0 || ref_model_count_outstanding (self) + in_line (self, position)->n_tasks <= self->size;
}

/* Who gets in next; -1 for nobody. */
static int
next_in_line (RefModel *self)
{
  const guint first = WRONG (self, REF_LINE_BACKWARDS) ? self->line->len - 1 : 0;

  if (self->line->len > 0 && fits (self, first))
    return (int) first;
  for (guint i = 1; WRONG (self, REF_LINE_OVERTAKES) && i < self->line->len; i++)
    if (fits (self, i))
      return (int) i;
  return -1;
}

/* Lets those in who fit, and refuses all when no task is accepted any more. */
void
ref_model_serve_line (RefModel *self)
{
  gboolean overdue = FALSE;
  gboolean reserved = FALSE;
  int next;

  while (self->line->len > 0 && !ref_model_accepts (self))
    answer (self, 0, FALSE);
  while ((next = next_in_line (self)) >= 0)
    {
      const RefSubmission *submission = in_line (self, (guint) next);
      const gboolean cancelled = submission->options.source != 0 && submission->options.source == self->cancelled_source;

      reserved |= submission->group >= 0 && !cancelled;
      overdue |= answer (self, (guint) next, !cancelled);
    }
  /* Members get places first and come in then. Nobody says on which side of that
   * somebody else fails, who has come in too late. */
  if (overdue && reserved && ref_model_get_fail_policy (self) == OSIISO_FAIL_POLICY_FAIL_FIRST)
    self->ambiguous = TRUE;
  /* Nor whether such a one ends before the others that end in one go. */
  if (overdue && self->n_open_batches > 0)
    self->ambiguous = TRUE;
  if (overdue)
    ref_model_end_overdue (self);
}

void
ref_model_enter_line (RefModel         *self,
                      const RefOptions *options,
                      guint             n_tasks,
                      gboolean          has_handle,
                      int               group,
                      guint             tag)
{
  RefSubmission *submission = g_new0 (RefSubmission, 1);

  submission->options = *options;
  submission->options.name = g_strdup (options->name);
  submission->since = self->now;
  submission->turn = self->next_turn;
  submission->n_tasks = n_tasks;
  submission->has_handle = has_handle;
  submission->group = group;
  submission->tag = tag;
  self->next_turn += n_tasks;
  g_ptr_array_add (self->line, submission);
  ref_model_serve_line (self);
  /* Who waits for room waits for work. */
  if (self->line->len > 0)
    ref_model_start_work (self);
}

void
ref_model_leave_line (RefModel *self,
                      guint     tag)
{
  for (guint i = 0; i < self->line->len; i++)
    {
      if (in_line (self, i)->tag != tag)
        continue;
      answer (self, i, FALSE);
      ref_model_check_idle (self);
      return;
    }
}

void
ref_model_leave_line_of_source (RefModel *self,
                                guint     source)
{
  for (guint i = self->line->len; i > 0; i--)
    if (in_line (self, i - 1)->options.source == source)
      answer (self, i - 1, FALSE);
  ref_model_check_idle (self);
}

void
ref_model_set_size (RefModel *self,
                    guint     size)
{
  self->size = size;
  /* Who can never come in any more is told, also when others are in front. */
  for (guint i = self->line->len; size > 0 && i > 0; i--)
    if (in_line (self, i - 1)->n_tasks > size)
      answer (self, i - 1, FALSE);
  ref_model_check_idle (self);
}

guint
ref_model_new_group (RefModel *self)
{
  RefGroup *group = g_new0 (RefGroup, 1);

  group->members = g_array_new (FALSE, FALSE, sizeof (guint));
  group->completed = g_array_new (FALSE, FALSE, sizeof (guint));
  group->ends = g_array_new (FALSE, FALSE, sizeof (guint));
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
  if (WRONG (self, REF_DEADLINE_FROM_START) && task->attempts == 1 && task->options.deadline > 0)
    task->deadline = self->now + ref_microseconds (task->options.deadline);
  if (task->has_handle && task->started == 0)
    task->started = self->now;
  if (task->options.timeout > 0)
    task->times_out = (WRONG (self, REF_TIMEOUT_FROM_SUBMIT) && task->created != 0 ? task->created : self->now) +
                      ref_microseconds (task->options.timeout);
  ref_model_add_event (self, REF_EVENT_START, task, 0);
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
  ref_outcome_copy (&t->outcome, outcome);
  if (inside)
    t->reported = TRUE;
  else
    ref_model_end_attempt (self, t, FALSE);
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
    ref_outcome_copy (&t->outcome, &none);
  ref_model_end_attempt (self, t, FALSE);
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
