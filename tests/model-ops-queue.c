/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-driver.h"

/* The operations that start a queue, wait for it and end it. */

#define CANCEL_RESUMES 0

void
op_start (Driver *self,
          Random *random)
{
  g_autoptr (GError) error = NULL;

  driver_say (self, "start");
  osiiso_queue_start (self->queue, &error);
  driver_compare_error (self, "start", !ref_model_start (self->model), OSIISO_QUEUE_ERROR_CLOSED, error);
}

static void
submitted (Wait         *wait,
           GObject      *source,
           GAsyncResult *result)
{
  if (wait->way == WAY_SUBMIT)
    wait->handle = osiiso_queue_submit_finish (OSIISO_QUEUE (source), result, &wait->error);
  else if (wait->way == WAY_PUSH)
    wait->id = osiiso_queue_push_finish (OSIISO_QUEUE (source), result, &wait->error);
  else if (wait->way == WAY_GROUP)
    wait->handle = osiiso_group_submit_finish (OSIISO_GROUP (source), result, &wait->error);
  else
    wait->map = osiiso_queue_map_finish (OSIISO_QUEUE (source), result, &wait->error);
}

void
model_returned (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  Wait *wait = user_data;

  if (wait->returned)
    g_error ("a call has returned twice");
  wait->returned = TRUE;
  switch (wait->kind)
    {
    case WAIT_RUN:
      wait->summary = osiiso_queue_run_finish (OSIISO_QUEUE (source), result, &wait->error);
      break;
    case WAIT_TASK:
      osiiso_handle_wait_finish (OSIISO_HANDLE (source), result, &wait->error);
      break;
    case WAIT_GROUP:
      wait->summary = osiiso_group_wait_finish (OSIISO_GROUP (source), result, &wait->error);
      break;
    case WAIT_NEXT:
      wait->handle = osiiso_group_next_completed_finish (OSIISO_GROUP (source), result, &wait->error);
      break;
    case WAIT_JOIN:
      osiiso_queue_join_finish (OSIISO_QUEUE (source), result, &wait->error);
      break;
    case WAIT_SUBMIT:
      submitted (wait, source, result);
      break;
    case WAIT_SHUTDOWN:
    default:
      osiiso_queue_shutdown_finish (OSIISO_QUEUE (source), result, &wait->error);
    }
}

Wait *
model_new_wait (Driver  *self,
                WaitKind kind,
                guint    index)
{
  Wait *wait = g_new0 (Wait, 1);

  wait->kind = kind;
  wait->index = index;
  wait->since = self->model->now;
  wait->refusal = OSIISO_QUEUE_ERROR_CLOSED;
  wait->cancellable = g_cancellable_new ();
  g_ptr_array_add (self->waits, wait);
  return wait;
}

void
op_run_async (Driver *self,
              Random *random)
{
  Wait *wait = model_new_wait (self, WAIT_RUN, 0);
  gboolean full = random_chance (random, 40);
  double timeout = full ? random_chance (random, 5) ? -1 : model_maybe_seconds (random, 50) : self->timeout;
  OsiisoFailPolicy policy = random_chance (random, 50) ? OSIISO_FAIL_POLICY_FAIL_FIRST : OSIISO_FAIL_POLICY_CONTINUE;
  gboolean busy = self->model->run.active;
  gboolean begun = timeout >= 0 && ref_model_begin_run (self->model, timeout, full ? (int) policy : -1,
                                                        self->on_timeout, self->mode == OSIISO_MODE_INFINITE);

  wait->refused = !begun;
  if (timeout < 0)
    wait->refusal = OSIISO_QUEUE_ERROR_INVALID;
  else if (busy)
    wait->refusal = OSIISO_QUEUE_ERROR_BUSY;
  if (full)
    {
      driver_say (self, "run_full_async for %g s, fail-policy %d", timeout, (int) policy);
      osiiso_queue_run_full_async (self->queue, timeout, policy, wait->cancellable, model_returned, wait);
    }
  else
    {
      driver_say (self, "run_async");
      osiiso_queue_run_async (self->queue, wait->cancellable, model_returned, wait);
    }
}

static void
leave (Driver *self,
       Wait   *wait)
{
  wait->refused = TRUE;
  wait->refusal = CANCELLED;
  if (wait->kind == WAIT_RUN)
    ref_model_end_run (self->model);
  else if (wait->kind == WAIT_SUBMIT)
    ref_model_leave_line (self->model, wait->tag);
  else if (wait->kind == WAIT_JOIN)
    self->model->n_joins--;
  g_cancellable_cancel (wait->cancellable);
  driver_settle (self);
}

/* One who waits waits no longer, and the tasks go on. */
void
op_leave_wait (Driver *self,
               Random *random)
{
  driver_settle (self);
  for (guint i = 0; self->difference == NULL && i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);

      if (wait->kind == WAIT_RUN || random_chance (random, 50))
        continue;
      driver_say (self, "leave wait %u", i);
      leave (self, wait);
      return;
    }
}

void
op_leave_run (Driver *self,
              Random *random)
{
  driver_settle (self);
  for (guint i = 0; self->difference == NULL && i < self->waits->len; i++)
    {
      Wait *wait = g_ptr_array_index (self->waits, i);

      if (wait->kind != WAIT_RUN)
        continue;
      driver_say (self, "leave the run");
      leave (self, wait);
      return;
    }
}

void
op_wait (Driver *self,
         Random *random)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  RefTask *task;
  guint index;
  Wait *wait;

  if (self->tasks->len == 0)
    return;
  index = model_pick_task (self, random);
  handle = osiiso_queue_lookup (self->queue, driver_task (self, index)->id);
  if (handle == NULL)
    return;
  driver_say (self, "wait_async for task %u", index);
  task = ref_model_task (self->model, index);
  wait = model_new_wait (self, WAIT_TASK, index);
  wait->refused = task->status < OSIISO_STATUS_SUCCEEDED && !ref_model_start_work (self->model);
  osiiso_handle_wait_async (handle, wait->cancellable, model_returned, wait);
}

void
op_group_wait (Driver *self,
               Random *random)
{
  gboolean next = random_chance (random, 60);
  OsiisoGroup *object;
  RefGroup *group;
  guint index;
  Wait *wait;

  if (self->groups->len == 0)
    return;
  index = random_below (random, self->groups->len);
  group = ref_model_group (self->model, index);
  object = g_ptr_array_index (self->groups, index);
  if (object == NULL)
    return;
  driver_say (self, "%s for group %u", next ? "next_completed_async" : "wait_async", index);
  wait = model_new_wait (self, next ? WAIT_NEXT : WAIT_GROUP, index);
  wait->n_ends = group->ends->len;
  wait->refused = group->completed->len < group->members->len && !ref_model_start_work (self->model);
  if (next)
    osiiso_group_next_completed_async (object, wait->cancellable, model_returned, wait);
  else
    osiiso_group_wait_async (object, wait->cancellable, model_returned, wait);
}

/* The blocking call, which has no time to wait. */
void
op_next_completed (Driver *self,
                   Random *random)
{
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  int refusal = NOT_REFUSED;
  int expected = -1;
  RefGroup *group;
  guint index;

  if (self->groups->len == 0)
    return;
  driver_settle (self);
  if (self->difference != NULL)
    return;
  index = random_below (random, self->groups->len);
  group = ref_model_group (self->model, index);
  if (g_ptr_array_index (self->groups, index) == NULL)
    return;
  driver_say (self, "next_completed of group %u", index);
  if (group->n_given < group->completed->len)
    expected = (int) g_array_index (group->completed, guint, group->n_given++);
  else if (group->completed->len < group->members->len)
    refusal = self->closures ? OSIISO_QUEUE_ERROR_WOULD_DEADLOCK
              : ref_model_start_work (self->model) ? TIMED_OUT : OSIISO_QUEUE_ERROR_CLOSED;
  handle = osiiso_group_next_completed (g_ptr_array_index (self->groups, index), 0, NULL, &error);
  driver_compare_error (self, "next_completed ()", refusal != NOT_REFUSED, refusal, error);
  driver_compare_int (self, "next_completed ()", expected,
                      handle != NULL ? (int) driver_find_handle (self, handle) : -1);
}

void
op_join (Driver *self,
         Random *random)
{
  Wait *wait = model_new_wait (self, WAIT_JOIN, 0);

  driver_say (self, "join_async");
  wait->refused = !ref_model_join (self->model);
  osiiso_queue_join_async (self->queue, wait->cancellable, model_returned, wait);
}

static void
shut_down (Driver  *self,
           gboolean force)
{
  Wait *wait = model_new_wait (self, WAIT_SHUTDOWN, 0);

  driver_say (self, "shutdown%s", force ? " with force" : "");
  wait->refused = !force && self->shutdown_timeout < 0;
  wait->refusal = OSIISO_QUEUE_ERROR_INVALID;
  if (!wait->refused)
    ref_model_shutdown (self->model, force, self->shutdown_timeout);
  osiiso_queue_shutdown_async (self->queue, force, wait->cancellable, model_returned, wait);
}

static void
cancel_queue (Driver *self)
{
  gboolean was_paused = self->model->paused;

  driver_say (self, "cancel the queue");
  ref_model_shutdown (self->model, TRUE, 0);
  if (!CANCEL_RESUMES)
    self->model->paused = was_paused;
  osiiso_queue_cancel (self->queue);
}

void
op_shutdown (Driver *self,
             Random *random)
{
  shut_down (self, FALSE);
}

void
op_force (Driver *self,
          Random *random)
{
  if (random_chance (random, 30))
    cancel_queue (self);
  else
    shut_down (self, TRUE);
}

void
op_reset (Driver *self,
          Random *random)
{
  g_autoptr (GError) error = NULL;
  gboolean busy;

  driver_settle (self);
  if (self->difference != NULL)
    return;
  driver_say (self, "reset");
  busy = !ref_model_reset (self->model);
  /* A backend that is opened again has not asked for anything yet. */
  if (!busy && self->model->life == REF_NEW)
    self->awake = FALSE;
  osiiso_queue_reset (self->queue, &error);
  driver_compare_error (self, "reset", busy, OSIISO_QUEUE_ERROR_BUSY, error);
}

/* The backend has come to its end, or the next queue begins. */
void
op_close (Driver *self,
          Random *random)
{
  RefMutation mutation = self->model->mutation;

  if (self->close_later && self->model->life == REF_CLOSING)
    {
      driver_say (self, "backend closed");
      ref_model_closed (self->model);
      osiiso_backend_closed (self->backend);
    }
  else if (self->model->life == REF_CLOSED)
    {
      driver_say (self, "next queue");
      driver_settle (self);
      driver_close (self);
      driver_open (self, mutation, random);
    }
}
