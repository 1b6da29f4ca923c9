/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <string.h>

#include "reference-model-private.h"

/* What becomes of tasks: their ends, and what follows from them. */

void
ref_outcome_set (RefOutcome *outcome,
                 GQuark      domain,
                 int         code,
                 const char *message)
{
  g_free (outcome->message);
  *outcome = (RefOutcome) { .domain = domain, .code = code, .message = g_strdup (message), .retry_after = -1 };
}

void
ref_outcome_copy (RefOutcome       *to,
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

void
ref_submission_free (gpointer data)
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
  g_array_unref (group->ends);
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
  self->run_fail_policy = -1;
  self->tasks = g_ptr_array_new_with_free_func (task_free);
  self->groups = g_ptr_array_new_with_free_func (group_free);
  self->line = g_ptr_array_new_with_free_func (ref_submission_free);
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

gboolean
ref_task_is_final (const RefTask *task)
{
  return task->status == OSIISO_STATUS_SUCCEEDED || task->status == OSIISO_STATUS_FAILED ||
         task->status == OSIISO_STATUS_CANCELLED;
}

void
ref_model_add_event (RefModel    *self,
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

void
ref_model_check_idle (RefModel *self)
{
  ref_model_serve_line (self);
  if (ref_model_count_outstanding (self) > 0)
    return;
  self->n_joined += self->n_joins;
  self->n_joins = 0;
  if (self->life == REF_DRAINING)
    {
      self->life = self->close_later ? REF_CLOSING : REF_CLOSED;
      if (self->life == REF_CLOSED)
        self->run.deadline = 0;
      self->shutdown_deadline = 0;
    }
}

OsiisoFailPolicy
ref_model_get_fail_policy (RefModel *self)
{
  return self->run_fail_policy >= 0 && !WRONG (self, REF_RUN_POLICY_IGNORED) ? (OsiisoFailPolicy) self->run_fail_policy
                                                                             : self->fail_policy;
}

static gboolean
is_counted (RefModel *self,
            RefTask  *task)
{
  return !task->options.detached || WRONG (self, REF_DETACHED_COUNTED);
}

static void
count (RefModel *self,
       RefTask  *task)
{
  gboolean keep = self->keep_results;

  if (!is_counted (self, task))
    return;
  self->counts.succeeded += task->status == OSIISO_STATUS_SUCCEEDED;
  self->counts.failed += task->status == OSIISO_STATUS_FAILED;
  self->counts.cancelled += task->status == OSIISO_STATUS_CANCELLED;
  if (task->status == OSIISO_STATUS_SUCCEEDED && !task->has_handle && !WRONG (self, REF_PUSH_KEEPS))
    keep = FALSE;
  if (keep)
    g_array_append_val (self->results, task->index);
}

/* When the place of the one that is over is taken: whoever comes in there may be another
 * member. */
static void
note_group_end (RefGroup *group)
{
  if (group->completed->len == group->members->len)
    g_array_append_val (group->ends, group->members->len);
}

void
ref_model_end_task (RefModel    *self,
                    RefTask     *task,
                    OsiisoStatus status,
                    guint        batch)
{
  task->status = status;
  task->open = FALSE;
  task->reported = FALSE;
  task->due = 0;
  task->times_out = 0;
  task->deadline = 0;
  task->batch = batch;
  if (task->has_handle)
    task->finished = self->now;

  self->n_completed++;
  count (self, task);
  if (task->group >= 0)
    g_array_append_val (ref_model_group (self, task->group)->completed, task->index);
  /* The victims are told first, although the failure came first. */
  if (status == OSIISO_STATUS_FAILED && ref_model_get_fail_policy (self) == OSIISO_FAIL_POLICY_FAIL_FIRST)
    ref_model_abort (self, WRONG (self, REF_FAIL_FIRST_ALL));
  ref_model_add_event (self, REF_EVENT_COMPLETE, task, 0);
  ref_model_check_idle (self);
  if (task->group >= 0)
    note_group_end (ref_model_group (self, task->group));
}

static void
end_cancelled (RefModel *self,
               RefTask  *task,
               guint     batch)
{
  ref_outcome_set (&task->outcome, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                   task->attempts == 0 ? "cancelled before execution" : "cancelled");
  ref_model_end_task (self, task, OSIISO_STATUS_CANCELLED, batch);
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

  if (task->outcome.final)
    return FALSE;
  if (attempts > task->options.retries || (timed_out && WRONG (self, REF_NO_TIMEOUT_RETRY)))
    return FALSE;
  if (task->cancel_asked && !WRONG (self, REF_CANCEL_RETRIES))
    return FALSE;
  return rules_allow (self, task) && (!self->halted || task->options.must_complete);
}

void
ref_task_set_deadline_error (RefTask *task)
{
  g_autofree char *message = NULL;

  if (task->options.name != NULL)
    message = g_strdup_printf ("task '%s' exceeded its deadline of %gs", task->options.name, task->options.deadline);
  ref_outcome_set (&task->outcome, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, message);
}

/* The attempt is over with what is in task->outcome. */
void
ref_model_end_attempt (RefModel *self,
                       RefTask  *task,
                       gboolean  timed_out)
{
  gint64 wait;

  task->reported = FALSE;
  task->times_out = 0;
  if (task->outcome.ok)
    {
      ref_model_end_task (self, task, OSIISO_STATUS_SUCCEEDED, 0);
      return;
    }
  /* A report that was made before somebody cancelled counts. */
  if (!may_retry (self, task, timed_out))
    {
      ref_model_end_task (self, task, OSIISO_STATUS_FAILED, 0);
      return;
    }

  if (task->overdue)
    {
      ref_task_set_deadline_error (task);
      ref_model_end_task (self, task, OSIISO_STATUS_FAILED, 0);
      return;
    }

  wait = retry_wait (self, task);
  task->status = OSIISO_STATUS_RETRYING;
  task->open = FALSE;
  task->due = wait > 0 ? self->now + wait : 0;
  if (WRONG (self, REF_RETRY_LAST))
    task->turn = self->next_turn++;
  ref_model_add_event (self, REF_EVENT_RETRY, task, task->outcome.code);
}

/* Cancelling */

static gboolean
cancel (RefModel *self,
        RefTask  *task,
        guint     batch)
{
  if (ref_task_is_final (task))
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
  /* Without those who come in when others go. */
  const guint n_members = members->len;
  guint n = 0;

  self->n_open_batches++;
  for (guint i = 0; i < n_members; i++)
    {
      RefTask *task = ref_model_task (self, g_array_index (members, guint, i));

      n += cancel (self, task, batch) || WRONG (self, REF_GROUP_CANCEL_COUNTS);
    }
  self->n_open_batches--;
  return n;
}

void
ref_model_cancel_source (RefModel *self,
                         guint     source)
{
  guint batch = ++self->n_batches;

  self->cancelled_source = source;
  self->n_open_batches++;
  for (guint i = 0; i < self->tasks->len; i++)
    {
      RefTask *task = ref_model_task (self, i);

      if (task->options.source == source && !(task->open && WRONG (self, REF_SOURCE_SPARES_RUNNING)))
        cancel (self, task, batch);
    }
  self->n_open_batches--;
  /* Who waits in line hears of it later. */
  ref_model_leave_line_of_source (self, source);
  self->cancelled_source = 0;
}

void
ref_model_abort (RefModel *self,
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
  ref_model_serve_line (self);
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
          if (list == self->results ? is_counted (self, task)
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
