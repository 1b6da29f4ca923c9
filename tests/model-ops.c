/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "model-driver.h"

/* The operations: each is done with the queue and with its model. All that an
 * operation decides comes from its own seed and from what there is, so that any
 * part of a sequence is a sequence too. */

static const OsiisoTestHooks *
hooks (void)
{
  return osiiso_private_test_hooks ();
}

/* Times with a fraction of a microsecond, so that neither side depends on how
 * the last digit is rounded. */
static double
random_seconds (Random *random)
{
  static const guint scales[] = { 20, 2000, 1000000, 10000000 };
  guint us = 1 + random_below (random, scales[random_below (random, G_N_ELEMENTS (scales))]);

  return (us + 0.25) / G_USEC_PER_SEC;
}

double
model_maybe_seconds (Random *random,
                     guint   percent)
{
  return random_chance (random, percent) ? random_seconds (random) : 0;
}

int
model_random_priority (Random *random)
{
  static const int priorities[] = { 3, 3, 3, 0, 1, 2, 4, 5, -128, 127, -1 };

  return priorities[random_below (random, G_N_ELEMENTS (priorities))];
}

guint
model_pick_task (Driver *self,
                 Random *random)
{
  if (self->live->len > 0 && random_chance (random, 85))
    return g_array_index (self->live, guint, random_below (random, self->live->len));
  return random_below (random, self->tasks->len);
}

/* Changing tasks */

void
model_cancel_task (Driver *self,
                   guint   index)
{
  Task *task = driver_task (self, index);
  g_autoptr (OsiisoHandle) found = NULL;
  OsiisoHandle *handle = task->handle;

  driver_say (self, "  cancel task %u", index);
  if (handle == NULL)
    handle = found = osiiso_queue_lookup (self->queue, task->id);
  if (handle != NULL)
    driver_compare_int (self, "cancel", ref_model_cancel (self->model, index), osiiso_handle_cancel (handle));
}

static void
op_cancel (Driver *self,
           Random *random)
{
  if (self->tasks->len > 0)
    model_cancel_task (self, model_pick_task (self, random));
}

static void
op_cancel_group (Driver *self,
                 Random *random)
{
  guint index;

  if (self->groups->len == 0)
    return;
  index = random_below (random, self->groups->len);
  if (g_ptr_array_index (self->groups, index) == NULL)
    return;
  driver_say (self, "cancel group %u", index);
  driver_compare_int (self, "cancelled members", ref_model_cancel_group (self->model, index),
                      osiiso_group_cancel (g_ptr_array_index (self->groups, index)));
}

static void
op_set_priority (Driver *self,
                 Random *random)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  int priority = model_random_priority (random);
  guint index;

  if (self->tasks->len == 0)
    return;
  index = model_pick_task (self, random);
  handle = osiiso_queue_lookup (self->queue, driver_task (self, index)->id);
  if (handle == NULL)
    return;
  driver_say (self, "priority of task %u to %d", index, priority);
  driver_compare_int (self, "set_priority", ref_model_set_priority (self->model, index, priority),
                      osiiso_handle_set_priority (handle, priority));
}

static void
op_drop_handle (Driver *self,
                Random *random)
{
  guint index;

  if (self->tasks->len == 0)
    return;
  index = model_pick_task (self, random);
  driver_say (self, "drop the handle of task %u", index);
  g_clear_object (&driver_task (self, index)->handle);
}

static void
op_look_up (Driver *self,
            Random *random)
{
  guint index;
  RefTask *task;
  gboolean held = FALSE;

  if (self->tasks->len == 0)
    return;
  driver_settle (self);
  if (self->difference != NULL)
    return;
  index = random_below (random, self->tasks->len);
  task = ref_model_task (self->model, index);
  driver_say (self, "look up task %u", index);
  driver_compare_task (self, index);
  for (guint i = 0; i < self->attempts->len; i++)
    held = held || driver_attempt (self, i)->task == index;
  for (guint i = 0; i < self->waits->len; i++)
    held = held || ((Wait *) g_ptr_array_index (self->waits, i))->kind == WAIT_TASK;
  for (guint i = 0; i < self->model->results->len; i++)
    held = held || g_array_index (self->model->results, guint, i) == index;
  if (task->status >= OSIISO_STATUS_SUCCEEDED && task->group < 0 && driver_task (self, index)->handle == NULL &&
      driver_task (self, index)->id != 0 && !held)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (self->queue, driver_task (self, index)->id);

      driver_compare_int (self, "a task that nobody keeps is found", FALSE, handle != NULL);
    }
}

/* Time */

void
model_advance (Driver *self,
               Random *random)
{
  gint64 next = ref_model_next_due (self->model);
  gint64 start = ref_model_next_start (self->model);
  gint64 us = (gint64) (random_seconds (random) * G_USEC_PER_SEC);

  /* Whether a run that is over still can run out of time before its owner has
   * heard of it is nobody's concern. */
  if (self->model->run.active && ref_model_run_is_over (self->model))
    {
      if (self->inside)
        return;
      driver_settle (self);
    }
  if (start != 0 && (next == 0 || start < next || random_chance (random, 30)))
    next = start;
  /* At the moment itself and just before it is where mistakes are. */
  if (next > self->model->now && random_chance (random, 60))
    us = next - self->model->now - random_below (random, 2);
  driver_say (self, "  advance by %" G_GINT64_FORMAT " us", us);
  ref_model_advance (self->model, us);
  hooks ()->clock_advance (us);
}

static void
op_advance (Driver *self,
            Random *random)
{
  model_advance (self, random);
}

static void
op_settle (Driver *self,
           Random *random)
{
  driver_settle (self);
}

/* Settings */

static void
op_pause (Driver *self,
          Random *random)
{
  driver_say (self, "pause");
  osiiso_queue_pause (self->queue);
  self->model->paused = TRUE;
}

static void
op_resume (Driver *self,
           Random *random)
{
  driver_say (self, "resume");
  osiiso_queue_resume (self->queue);
  self->model->paused = FALSE;
}

static void
op_workers (Driver *self,
            Random *random)
{
  guint workers = random_below (random, 6);

  driver_say (self, "workers %u", workers);
  osiiso_queue_set_workers (self->queue, workers);
  self->model->limit = workers != 0 ? workers : 3;
}

static void
op_size (Driver *self,
         Random *random)
{
  guint size = random_chance (random, 50) ? 0 : 1 + random_below (random, 20);

  driver_say (self, "size %u", size);
  ref_model_set_size (self->model, size);
  driver_admit (self);
  osiiso_queue_set_size (self->queue, size);
}

/* Rates with a whole number of microseconds for each start. Another rate comes
 * only when all starts so far are paid for, because a debt is converted in a way
 * that promises no exact time. */
static void
op_rate (Driver *self,
         Random *random)
{
  static const gint64 intervals[] = { 0, 0, 2000000, 1000000, 500000, 125000, 15625 };
  gint64 interval = intervals[random_below (random, G_N_ELEMENTS (intervals))];
  guint burst = random_chance (random, 50) ? 1 : 1 + random_below (random, 5);

  if (interval != 0 && self->model->empty_at > self->model->now)
    interval = self->model->interval;
  driver_say (self, "rate of one in %" G_GINT64_FORMAT " us, burst %u", interval, burst);
  osiiso_queue_set_burst (self->queue, burst);
  osiiso_queue_set_rate (self->queue, interval != 0 ? (double) G_USEC_PER_SEC / interval : 0);
  ref_model_set_rate (self->model, interval, burst);
}

static void
op_settings (Driver *self,
             Random *random)
{
  self->mode = random_chance (random, 25) ? OSIISO_MODE_INFINITE : OSIISO_MODE_FINITE;
  self->on_timeout = random_chance (random, 40) ? OSIISO_TIMEOUT_POLICY_CANCEL : OSIISO_TIMEOUT_POLICY_COMPLETE;
  self->timeout = random_chance (random, 5) ? -1 : model_maybe_seconds (random, 50);
  self->shutdown_timeout = random_chance (random, 5) ? -1 : model_maybe_seconds (random, 30);
  self->model->fail_policy = random_chance (random, 40) ? OSIISO_FAIL_POLICY_FAIL_FIRST : OSIISO_FAIL_POLICY_CONTINUE;
  self->model->keep_results = random_chance (random, 85);
  driver_say (self, "mode %d, on-timeout %d, timeout %g, shutdown-timeout %g, fail-policy %d, keep-results %d",
              self->mode, self->on_timeout, self->timeout, self->shutdown_timeout, self->model->fail_policy,
              self->model->keep_results);
  osiiso_queue_set_mode (self->queue, self->mode);
  osiiso_queue_set_on_timeout (self->queue, self->on_timeout);
  osiiso_queue_set_timeout (self->queue, self->timeout);
  osiiso_queue_set_shutdown_timeout (self->queue, self->shutdown_timeout);
  osiiso_queue_set_fail_policy (self->queue, self->model->fail_policy);
  osiiso_queue_set_keep_results (self->queue, self->model->keep_results);
}

static void
op_clear_results (Driver *self,
                  Random *random)
{
  driver_say (self, "clear results");
  osiiso_queue_clear_results (self->queue);
  ref_model_clear_results (self->model);
}

static void
op_summary (Driver *self,
            Random *random)
{
  RefModel *model = self->model;
  g_autoptr (OsiisoRunSummary) summary = osiiso_queue_dup_summary (self->queue);

  driver_say (self, "summary");
  driver_compare_summary (self, "summary", summary, model->results, 0, &model->counts,
                          model->run.active && model->run.timed_out,
                          model->run.active ? model->now - model->run.started : 0);
}

static const struct
{
  guint     weight;
  Operation perform;
} ops[] = {
  { 90, op_submit },
  { 40, op_push },
  { 8, op_map },
  { 3, op_new_group },
  { 20, op_group_submit },
  { 35, op_submit_async },
  { 10, op_leave_wait },
  { 6, op_cancel_source },
  { 100, op_take },
  { 90, op_run },
  { 50, op_serve },
  { 60, op_report },
  { 25, op_release },
  { 3, op_drain },
  { 15, op_cancel },
  { 2, op_cancel_group },
  { 25, op_set_priority },
  { 5, op_drop_handle },
  { 8, op_look_up },
  { 50, op_advance },
  { 5, op_settle },
  { 6, op_pause },
  { 20, op_resume },
  { 8, op_workers },
  { 8, op_size },
  { 5, op_rate },
  { 10, op_settings },
  { 2, op_clear_results },
  { 2, op_summary },
  { 15, op_start },
  { 15, op_run_async },
  { 4, op_leave_run },
  { 6, op_wait },
  { 10, op_group_wait },
  { 6, op_next_completed },
  { 4, op_join },
  { 2, op_shutdown },
  { 1, op_force },
  { 4, op_reset },
  { 30, op_close },
};

guint
model_ops_pick (Random *random)
{
  guint total = 0;
  guint drawn;
  guint i = 0;

  for (guint j = 0; j < G_N_ELEMENTS (ops); j++)
    total += ops[j].weight;
  drawn = random_below (random, total);
  while (drawn >= ops[i].weight)
    drawn -= ops[i++].weight;
  return i;
}

/* What a program does when it hears of the end of a task. It depends on the task
 * alone, so that it stays the same when other operations are left out. */
static void
handle_complete (Driver *self,
                 guint   task)
{
  Random random = { task };
  guint what = random_below (&random, 100);

  if (what < 5)
    driver_say (self, "  in on-complete of task %u:", task);
  if (what < 3)
    model_submit_one (self, &random, what == 0, -1);
  else if (what < 5)
    model_cancel_task (self, model_pick_task (self, &random));
}

void
model_ops_perform (Driver *self,
                   guint   op,
                   guint64 seed)
{
  Random random = { seed };

  self->handler = handle_complete;
  ops[op].perform (self, &random);
  if (self->difference == NULL && !self->model->ambiguous)
    driver_compare (self, &random);
}
