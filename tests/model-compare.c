/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "model-driver.h"

/* The comparison of a queue with its model. */

#define PUSHED_HAVE_NO_END 1

void
driver_compare_int (Driver     *self,
                    const char *what,
                    gint64      expected,
                    gint64      got)
{
  if (expected != got)
    driver_differ (self, "%s: expected %" G_GINT64_FORMAT ", got %" G_GINT64_FORMAT, what, expected, got);
}

void
driver_compare_error (Driver       *self,
                      const char   *what,
                      gboolean      refused,
                      int           code,
                      const GError *error)
{
  GQuark domain = code < 0 ? G_IO_ERROR : OSIISO_QUEUE_ERROR;

  if (code < 0)
    code = code == CANCELLED ? G_IO_ERROR_CANCELLED : G_IO_ERROR_TIMED_OUT;
  if (refused ? !g_error_matches (error, domain, code) : error != NULL)
    driver_differ (self, "%s: expected error %d, got %s", what, refused ? code : -1,
                   error != NULL ? error->message : "none");
}

/* Signals */

static char *
describe_events (GArray *events)
{
  static const char *kinds[] = { "start", "retry", "complete" };
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < events->len; i++)
    {
      RefEvent *event = &g_array_index (events, RefEvent, i);

      g_string_append_printf (text, " %s(%d)", kinds[event->kind], (int) event->task);
      if (event->batch != 0)
        g_string_append_printf (text, "*%u", event->batch);
    }
  return g_string_free (text, FALSE);
}

/* Tasks that were cancelled in one go may be told of in any order, which is their
 * order from then on. Returns how many events that were, 0 if they do not fit. */
static guint
compare_batch (Driver *self,
               guint   at)
{
  GArray *expected = self->model->events;
  guint batch = g_array_index (expected, RefEvent, at).batch;
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GHashTable) left = g_hash_table_new (NULL, NULL);

  for (guint i = at; i < expected->len && g_array_index (expected, RefEvent, i).batch == batch; i++)
    g_hash_table_add (left, GUINT_TO_POINTER (g_array_index (expected, RefEvent, i).task + 1));
  while (g_hash_table_size (left) > 0)
    {
      RefEvent *event = &g_array_index (self->events, RefEvent, at + order->len);

      if (at + order->len >= self->events->len || event->kind != REF_EVENT_COMPLETE ||
          !g_hash_table_remove (left, GUINT_TO_POINTER (event->task + 1)))
        return 0;
      g_array_append_val (order, event->task);
    }
  ref_model_settle_batch (self->model, batch, (const guint *) (gpointer) order->data, order->len);
  return order->len;
}

static void
compare_events (Driver *self)
{
  GArray *expected = self->model->events;
  gboolean equal = TRUE;
  guint i = 0;

  while (equal && i < MIN (expected->len, self->events->len))
    {
      RefEvent *a = &g_array_index (expected, RefEvent, i);
      RefEvent *b = &g_array_index (self->events, RefEvent, i);
      guint n = a->batch != 0 ? compare_batch (self, i) : 1;

      equal = n > 0 && (a->batch != 0 || (a->kind == b->kind && a->task == b->task && a->code == b->code));
      i += n;
    }
  if (!equal || expected->len != self->events->len)
    {
      g_autofree char *should = describe_events (expected);
      g_autofree char *is = describe_events (self->events);

      driver_differ (self, "signals: expected%s; got%s", should, is);
    }
  g_array_set_size (expected, 0);
  g_array_set_size (self->events, 0);
}

/* Comparing tasks and results */

static void
differ_task (Driver     *self,
             guint       index,
             const char *what,
             const char *expected,
             const char *got)
{
  driver_differ (self, "task %u, %s: expected %s, got %s", index, what, expected, got);
}

static void
compare_field (Driver     *self,
               guint       index,
               const char *what,
               gint64      expected,
               gint64      got)
{
  if (expected != got)
    driver_differ (self, "task %u, %s: expected %" G_GINT64_FORMAT ", got %" G_GINT64_FORMAT,
                   index, what, expected, got);
}

static void
compare_time (Driver     *self,
              guint       index,
              const char *what,
              gint64      expected,
              double      got)
{
  compare_field (self, index, what, expected, llround (got * G_USEC_PER_SEC));
}

static void
compare_text (Driver     *self,
              guint       index,
              const char *what,
              const char *expected,
              const char *got)
{
  if (g_strcmp0 (expected, got) != 0)
    differ_task (self, index, what, expected != NULL ? expected : "none", got != NULL ? got : "none");
}

static void
compare_outcome (Driver       *self,
                 RefTask      *task,
                 const GValue *value,
                 const GError *error)
{
  gboolean ok = task->status == OSIISO_STATUS_SUCCEEDED;
  gboolean bad = task->status == OSIISO_STATUS_FAILED || task->status == OSIISO_STATUS_CANCELLED;
  gint64 expected = ok ? task->outcome.value : 0;

  compare_field (self, task->index, "value", expected, value != NULL ? g_value_get_int64 (value) : 0);
  if (bad != (error != NULL))
    compare_text (self, task->index, "error", bad ? "one" : NULL, error != NULL ? error->message : NULL);
  if (!bad || error == NULL)
    return;
  if (error->domain != task->outcome.domain || error->code != task->outcome.code)
    differ_task (self, task->index, "error", task->outcome.message, error->message);
  if (task->outcome.message != NULL)
    compare_text (self, task->index, "message", task->outcome.message, error->message);
}

/* Nobody knows that of a map which has not returned. */
static void
compare_group_id (Driver     *self,
                  RefTask    *task,
                  const char *what,
                  const char *got)
{
  OsiisoGroup *group = task->group >= 0 ? g_ptr_array_index (self->groups, task->group) : NULL;

  if (task->group < 0 || group != NULL)
    compare_text (self, task->index, what, group != NULL ? osiiso_group_get_group_id (group) : NULL, got);
}

static gint64
get_duration (RefTask *task)
{
  return task->finished != 0 && task->started != 0 ? task->finished - task->started : 0;
}

static void
compare_handle (Driver       *self,
                RefTask      *task,
                OsiisoHandle *handle)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);
  guint i = task->index;
  gboolean is_final = task->status >= OSIISO_STATUS_SUCCEEDED;

  compare_field (self, i, "status", task->status, osiiso_handle_get_status (handle));
  compare_field (self, i, "attempts", task->attempts, osiiso_handle_get_attempts (handle));
  compare_field (self, i, "priority", task->priority, osiiso_handle_get_priority (handle));
  compare_field (self, i, "must-complete", task->options.must_complete, osiiso_handle_get_must_complete (handle));
  compare_field (self, i, "detached", task->options.detached, osiiso_handle_get_detached (handle));
  compare_field (self, i, "index", task->place, osiiso_handle_get_index (handle));
  compare_field (self, i, "done", is_final, osiiso_handle_is_done (handle));
  compare_group_id (self, task, "group", osiiso_handle_get_group_id (handle));
  compare_text (self, i, "name", driver_task (self, i)->name, osiiso_handle_get_name (handle));
  compare_time (self, i, "scheduled-for", task->scheduled_for, osiiso_handle_get_scheduled_for (handle));
  compare_time (self, i, "created", task->created, osiiso_handle_get_created (handle));
  compare_time (self, i, "started", task->started, osiiso_handle_get_started (handle));
  if (task->has_handle || PUSHED_HAVE_NO_END)
    compare_time (self, i, "finished", task->finished, osiiso_handle_get_finished (handle));
  compare_time (self, i, "duration", get_duration (task), osiiso_handle_get_duration (handle));
  compare_outcome (self, task, osiiso_handle_get_value (handle), error);
}

static gboolean
is_in (GArray *list,
       guint   index)
{
  for (guint i = 0; i < list->len; i++)
    if (g_array_index (list, guint, i) == index)
      return TRUE;
  return FALSE;
}

void
driver_compare_task (Driver *self,
                     guint   index)
{
  RefTask *task = ref_model_task (self->model, index);
  g_autoptr (OsiisoHandle) found = NULL;
  OsiisoHandle *handle = driver_task (self, index)->handle;

  if (driver_task (self, index)->id == 0)
    return;
  if (handle == NULL)
    handle = found = osiiso_queue_lookup (self->queue, driver_task (self, index)->id);
  if (handle != NULL)
    compare_handle (self, task, handle);
  else if (task->status < OSIISO_STATUS_SUCCEEDED || task->group >= 0 || is_in (self->model->results, index))
    differ_task (self, index, "look-up", "a handle", "none");
}

static void
compare_result (Driver           *self,
                guint             index,
                OsiisoTaskResult *result)
{
  RefTask *task = ref_model_task (self->model, index);
  g_autoptr (GError) error = osiiso_task_result_dup_error (result);

  if (osiiso_task_result_get_task_id (result) != driver_task (self, index)->id)
    {
      guint64 id = osiiso_task_result_get_task_id (result);

      driver_differ (self, "a result: expected task %u, got %d", index,
                     GPOINTER_TO_INT (g_hash_table_lookup (self->by_id, &id)) - 1);
      return;
    }
  compare_field (self, index, "status in a summary", task->status, osiiso_task_result_get_status (result));
  compare_field (self, index, "attempts in a summary", task->attempts, osiiso_task_result_get_attempts (result));
  compare_field (self, index, "priority in a summary", task->priority, osiiso_task_result_get_priority (result));
  compare_field (self, index, "index in a summary", task->place, osiiso_task_result_get_index (result));
  compare_text (self, index, "name in a summary", driver_task (self, index)->name,
                osiiso_task_result_get_name (result));
  compare_group_id (self, task, "group in a summary", osiiso_task_result_get_group_id (result));
  if (task->has_handle || PUSHED_HAVE_NO_END)
    compare_time (self, index, "finished in a summary", task->finished, osiiso_task_result_get_finished (result));
  compare_time (self, index, "duration in a summary", get_duration (task), osiiso_task_result_get_duration (result));
  compare_text (self, index, "message in a summary", error != NULL ? error->message : "",
                osiiso_task_result_get_message (result));
  compare_outcome (self, task, osiiso_task_result_get_value (result), error);
}

void
driver_compare_summary (Driver           *self,
                        const char       *what,
                        OsiisoRunSummary *summary,
                        GArray           *tasks,
                        guint             first,
                        const RefCounts  *counts,
                        gboolean          timed_out,
                        gint64            duration)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (summary));
  guint64 total = counts->succeeded + counts->failed + counts->cancelled;

  if (osiiso_run_summary_get_succeeded (summary) != counts->succeeded ||
      osiiso_run_summary_get_failed (summary) != counts->failed ||
      osiiso_run_summary_get_cancelled (summary) != counts->cancelled)
    driver_differ (self, "%s: expected %d succeeded, %d failed, %d cancelled, got %d, %d, %d", what,
                   (int) counts->succeeded, (int) counts->failed, (int) counts->cancelled,
                   (int) osiiso_run_summary_get_succeeded (summary), (int) osiiso_run_summary_get_failed (summary),
                   (int) osiiso_run_summary_get_cancelled (summary));
  driver_compare_int (self, "total-submitted", total, osiiso_run_summary_get_total_submitted (summary));
  driver_compare_int (self, "timed-out", timed_out, osiiso_run_summary_get_timed_out (summary));
  driver_compare_int (self, "duration of a summary", duration,
                      llround (osiiso_run_summary_get_duration (summary) * G_USEC_PER_SEC));
  driver_compare_int (self, "number of results", (gint64) tasks->len - first, n);
  for (guint i = 0; self->difference == NULL && i < n; i++)
    {
      g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);

      compare_result (self, g_array_index (tasks, guint, first + i), result);
    }
}

/* Comparing calls that wait */

/* What has come, has come, whatever happens until the owner hears of it. */
static void
latch_waits (Driver *self)
{
  for (guint i = 0; i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);
      RefGroup *group = NULL;

      if (wait->over || wait->refused)
        continue;
      if (wait->kind == WAIT_GROUP || wait->kind == WAIT_NEXT)
        group = ref_model_group (self->model, wait->index);
      if (wait->kind == WAIT_TASK)
        wait->over = ref_model_task (self->model, wait->index)->status >= OSIISO_STATUS_SUCCEEDED;
      else if (wait->kind == WAIT_JOIN)
        wait->over = self->model->n_joined > 0;
      else if (wait->kind == WAIT_SHUTDOWN)
        wait->over = self->model->life == REF_CLOSED;
      else if (wait->kind == WAIT_GROUP)
        {
          wait->over = group->completed->len == group->members->len || group->ends->len > wait->n_ends;
          /* Others may have come in since. */
          wait->n_members = group->ends->len > wait->n_ends ? g_array_index (group->ends, guint, wait->n_ends)
                                                            : group->members->len;
        }
      else if (wait->kind == WAIT_NEXT)
        {
          wait->over = group->n_given < group->completed->len || group->completed->len == group->members->len;
          if (group->n_given < group->completed->len)
            wait->index = g_array_index (group->completed, guint, group->n_given++);
          else if (wait->over)
            wait->index = G_MAXUINT;
        }
    }
  self->model->n_joined = 0;
}

static void
compare_run (Driver *self,
             Wait   *wait)
{
  RefModel *model = self->model;
  RefCounts counts = {
    model->counts.succeeded - model->run.before.succeeded,
    model->counts.failed - model->run.before.failed,
    model->counts.cancelled - model->run.before.cancelled,
  };

  if (wait->summary != NULL)
    driver_compare_summary (self, "run", wait->summary, model->results, model->run.first_result, &counts,
                            model->run.timed_out, model->now - model->run.started);
  ref_model_end_run (model);
}

static void
compare_group_wait (Driver *self,
                    Wait   *wait)
{
  GArray *all = ref_model_group (self->model, wait->index)->members;
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (guint));
  RefCounts counts = { 0, 0, 0 };

  g_array_append_vals (members, all->data, wait->n_members);
  for (guint i = 0; i < members->len; i++)
    {
      OsiisoStatus status = ref_model_task (self->model, g_array_index (members, guint, i))->status;

      counts.succeeded += status == OSIISO_STATUS_SUCCEEDED;
      counts.failed += status == OSIISO_STATUS_FAILED;
      counts.cancelled += status == OSIISO_STATUS_CANCELLED;
    }
  if (wait->summary != NULL)
    driver_compare_summary (self, "group", wait->summary, members, 0, &counts, FALSE, self->model->now - wait->since);
}

static void
compare_map (Driver *self,
             Wait   *wait)
{
  if (wait->map == NULL)
    return;
  driver_compare_int (self, "map_async ()", wait->n_tasks, g_list_model_get_n_items (G_LIST_MODEL (wait->map)));
  for (guint i = 0; self->difference == NULL && i < wait->n_tasks; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (wait->map, i);

      driver_compare_int (self, "map_async ()", wait->index + i, (int) driver_find_handle (self, handle));
    }
  g_ptr_array_index (self->groups, wait->group) = g_steal_pointer (&wait->map);
}

static void
compare_submit (Driver *self,
                Wait   *wait)
{
  Task *task = wait->n_tasks > 0 ? driver_task (self, wait->index) : NULL;

  if (wait->way == WAY_PUSH)
    {
      driver_compare_int (self, "push_async ()", wait->index, (int) driver_find (self, wait->id, task->name, 0));
    }
  else if (wait->way == WAY_MAP)
    {
      compare_map (self, wait);
    }
  else if (wait->handle != NULL)
    {
      driver_compare_int (self, "submit_async ()", wait->index, (int) driver_find_handle (self, wait->handle));
      task->handle = g_steal_pointer (&wait->handle);
    }
}

static void
compare_wait (Driver *self,
              Wait   *wait)
{
  static const char *names[] = { "run", "wait", "group wait", "next-completed", "join", "shutdown", "submit" };
  guint64 id = wait->handle != NULL ? osiiso_handle_get_task_id (wait->handle) : 0;

  if (wait->returned != (wait->over || wait->refused))
    driver_differ (self, "%s_async (): expected %s, got %s", names[wait->kind],
                   wait->over || wait->refused ? "a return" : "none", wait->returned ? "one" : "none");
  if (!wait->returned)
    return;
  driver_compare_error (self, names[wait->kind], wait->refused, wait->refusal, wait->error);
  if (wait->refused || !wait->over)
    return;
  if (wait->kind == WAIT_RUN)
    compare_run (self, wait);
  else if (wait->kind == WAIT_GROUP)
    compare_group_wait (self, wait);
  else if (wait->kind == WAIT_SUBMIT)
    compare_submit (self, wait);
  else if (wait->kind == WAIT_NEXT)
    driver_compare_int (self, "next_completed_async ()", (int) wait->index,
                        GPOINTER_TO_INT (g_hash_table_lookup (self->by_id, &id)) - 1);
}

static void
compare_waits (Driver  *self,
               gboolean run_is_over)
{
  for (guint i = 0; i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);

      if (wait->kind == WAIT_RUN && !wait->refused)
        wait->over = run_is_over;
      compare_wait (self, wait);
    }
  for (guint i = self->waits->len; i > 0; i--)
    if (((Wait *) g_ptr_array_index (self->waits, i - 1))->returned)
      g_ptr_array_remove_index (self->waits, i - 1);
}

/* Comparing what is held and released */

static void
compare_attempts (Driver  *self,
                  gboolean settled)
{
  for (guint i = 0; i < self->attempts->len; i++)
    {
      Attempt *attempt = driver_attempt (self, i);
      OsiisoAttempt *held = attempt->of_backend != NULL ? attempt->of_backend : attempt->deferred;
      gboolean open = ref_model_is_open (self->model, attempt->task, attempt->number);

      compare_field (self, attempt->task, "whether its attempt is open", open, osiiso_attempt_is_open (held));
      if (settled && attempt->cancellable != NULL)
        compare_field (self, attempt->task, "cancellable", !open && !attempt->ended_here,
                       g_cancellable_is_cancelled (attempt->cancellable));
    }
}

static void
compare_payload (Driver  *self,
                 Payload *payload)
{
  gboolean needed = payload->waits;
  gboolean held = FALSE;

  for (guint i = 0; i < payload->n_tasks; i++)
    needed = needed || ref_model_task (self->model, payload->first_task + i)->status < OSIISO_STATUS_SUCCEEDED;
  for (guint i = 0; i < self->attempts->len; i++)
    {
      Attempt *attempt = driver_attempt (self, i);

      if (attempt->task < payload->first_task || attempt->task >= payload->first_task + payload->n_tasks)
        continue;
      held = TRUE;
      needed = needed || attempt->deferred != NULL;
    }
  if (needed || !held)
    driver_compare_int (self, "releases of user data", needed ? 0 : 1, payload->n_released);
}

static void
compare_payloads (Driver *self)
{
  for (guint i = self->payloads->len; i > 0; i--)
    {
      Payload *payload = g_ptr_array_index (self->payloads, i - 1);

      compare_payload (self, payload);
      if (payload->n_released > 1)
        driver_differ (self, "user data of task %u released %d times", payload->first_task, payload->n_released);
    }
}

void
driver_settle (Driver *self)
{
  gboolean run_is_over;

  driver_admit (self);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  driver_admit (self);
  /* A handler may have added to it, or ended what was left. */
  run_is_over = self->model->run.active && ref_model_run_is_over (self->model);
  if (!self->model->ambiguous)
    compare_events (self);
  if (self->difference != NULL || self->model->ambiguous)
    return;
  latch_waits (self);
  compare_waits (self, run_is_over);
  compare_attempts (self, TRUE);
  compare_payloads (self);
}

void
driver_latch_waits (Driver *self)
{
  gboolean any_order = FALSE;

  for (guint i = 0; i < self->model->events->len; i++)
    any_order = any_order || g_array_index (self->model->events, RefEvent, i).batch != 0;
  /* Which one was first of those that ended in one go is known when they have been told. */
  if (any_order && self->difference == NULL)
    driver_settle (self);
  latch_waits (self);
}

void
driver_compare_counts (Driver *self)
{
  guint64 active = ref_model_count_active (self->model);
  guint64 outstanding = ref_model_count_outstanding (self->model);

  driver_compare_int (self, "active-count", active, osiiso_queue_get_active_count (self->queue));
  driver_compare_int (self, "pending-count", outstanding - active, osiiso_queue_get_pending_count (self->queue));
  driver_compare_int (self, "scheduled-count", ref_model_count_scheduled (self->model),
                      osiiso_queue_get_scheduled_count (self->queue));
  driver_compare_int (self, "completed-count", self->model->n_completed - self->model->n_forgotten,
                      osiiso_queue_get_completed_count (self->queue));
  driver_compare_int (self, "paused", self->model->paused, osiiso_queue_get_paused (self->queue));
  driver_compare_int (self, "closed", self->model->life == REF_CLOSED, osiiso_queue_get_closed (self->queue));
}

void
driver_compare (Driver *self,
                Random *random)
{
  driver_admit (self);
  driver_compare_counts (self);
  for (guint i = self->live->len; i > 0; i--)
    {
      guint index = g_array_index (self->live, guint, i - 1);

      driver_compare_task (self, index);
      if (ref_model_task (self->model, index)->status >= OSIISO_STATUS_SUCCEEDED && driver_task (self, index)->id != 0)
        g_array_remove_index (self->live, i - 1);
    }
  for (guint i = 0; i < 2 && self->tasks->len > 0; i++)
    driver_compare_task (self, random_below (random, self->tasks->len));
  if (self->members_late)
    driver_settle (self);
  self->members_late = FALSE;
  for (guint i = 0; i < self->groups->len; i++)
    {
      OsiisoGroup *group = g_ptr_array_index (self->groups, i);

      if (group == NULL)
        continue;
      driver_compare_int (self, "members of a group", ref_model_group (self->model, i)->members->len,
                          g_list_model_get_n_items (G_LIST_MODEL (group)));
      driver_compare_int (self, "n-finished", ref_group_finished (self->model, i), osiiso_group_get_n_finished (group));
    }
  compare_attempts (self, FALSE);
  if (ref_model_peek (self->model) != NULL && !self->awake)
    driver_differ (self, "a task could run, but the backend was not woken");
  if (self->difference == NULL && random_chance (random, 70))
    driver_settle (self);
  driver_latch_waits (self);
}
