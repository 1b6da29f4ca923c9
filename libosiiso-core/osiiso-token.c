/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-attempt-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-error.h"
#include "osiiso-foreign-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-token-private.h"

/* Tokens: tasks of which the core knows a number, and a language layer the rest.
 * Nothing is allocated for one but its record, and no object is made. */

/* How long a runner that did not take a call is left alone, in milliseconds, and
 * how often that happens before the task is given up. */
#define REDELIVERY_INTERVAL 20
#define MAX_REDELIVERIES    3000

static guint64
token_of (OsiisoRecord *record)
{
  return (guint64) (gsize) record->data;
}

static void
release (OsiisoScheduler *scheduler,
         GDestroyNotify   destroy,
         gpointer         data)
{
  if (destroy != NULL)
    osiiso_scheduler_destroy_in_owner (scheduler, destroy, data);
}

void
osiiso_runner_free (OsiisoRunner *self)
{
  if (self != NULL)
    g_clear_pointer (&self->operations, g_hash_table_unref);
  g_free (self);
}

OsiisoRunner *
osiiso_runner_begin_use (OsiisoScheduler *scheduler)
{
  return osiiso_ref_count_try_inc (&scheduler->runner->users) ? scheduler->runner : NULL;
}

void
osiiso_runner_end_use (OsiisoScheduler *scheduler)
{
  OsiisoRunner *self = scheduler->runner;

  if (!osiiso_ref_count_dec (&self->users))
    return;
  release (scheduler, self->destroy, self->data);
  release (scheduler, self->completed_destroy, self->completed_data);
  release (scheduler, self->thread_end_destroy, self->thread_end_data);
}

/* The runner that the thread is in, and those around it. Not in the frames of who
 * called them: when a function ends the thread these are gone. */
static _Thread_local OsiisoScheduler *current_use;
static _Thread_local GSList *outer_uses;

static void
enter_runner (OsiisoScheduler *scheduler)
{
  if (G_UNLIKELY (current_use != NULL))
    outer_uses = g_slist_prepend (outer_uses, current_use);
  current_use = scheduler;
}

static void
leave_runner (void)
{
  OsiisoScheduler *scheduler = g_steal_pointer (&current_use);

  if (G_UNLIKELY (outer_uses != NULL))
    {
      current_use = outer_uses->data;
      outer_uses = g_slist_delete_link (outer_uses, outer_uses);
    }
  osiiso_runner_end_use (scheduler);
}

void
osiiso_token_thread_exits (void)
{
  while (current_use != NULL)
    leave_runner ();
}

void
osiiso_runner_leave_thread (OsiisoScheduler *scheduler)
{
  OsiisoRunner *runner = scheduler->runner;

  if (runner == NULL || runner->thread_end == NULL || osiiso_runner_begin_use (scheduler) == NULL)
    return;
  runner->thread_end (runner->thread_end_data);
  osiiso_runner_end_use (scheduler);
}

void
osiiso_runner_close (OsiisoScheduler *scheduler)
{
  if (scheduler->runner != NULL && !atomic_exchange (&scheduler->runner->closed, TRUE))
    osiiso_runner_end_use (scheduler);
}

/* TRUE when the runner took the call. What it did besides does not matter: it has
 * been there when it reported, or asked for the next token. */
static gboolean
deliver (OsiisoAttempt **location)
{
  OsiisoAttempt *self = *location;
  OsiisoScheduler *scheduler = self->scheduler;
  OsiisoRunner *runner = osiiso_runner_begin_use (scheduler);
  const guint64 id = osiiso_record_get_id (self->record);
  guint64 acknowledged;

  if (runner == NULL)
    return FALSE;
  enter_runner (scheduler);
  acknowledged = runner->func (token_of (self->record), id, self->number, runner->data);
  leave_runner ();
  return acknowledged == id || *location != self || osiiso_attempt_get_task_id (self) != id ||
         !osiiso_attempt_is_open (self);
}

typedef struct
{
  OsiisoAttempt *attempt; /* (owned) */
  guint          n_tries;
} Redelivery;

static void
give_up (OsiisoAttempt *self)
{
  osiiso_attempt_return_new_error (self, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED,
                                   "the runner of the queue did not acknowledge token %" G_GUINT64_FORMAT,
                                   token_of (self->record));
}

static gboolean
redeliver_cb (gpointer user_data)
{
  Redelivery *self = user_data;
  OsiisoAttempt *outer = osiiso_attempt_get_current ();
  OsiisoAttempt *attempt = self->attempt;
  gboolean taken;

  if (!osiiso_attempt_is_open (attempt))
    return G_SOURCE_REMOVE;
  osiiso_attempt_set_current (attempt);
  taken = deliver (&attempt);
  osiiso_attempt_set_current (outer);

  if (taken)
    osiiso_attempt_park (self->attempt);
  else if (++self->n_tries >= MAX_REDELIVERIES)
    give_up (self->attempt);
  else
    return G_SOURCE_CONTINUE;
  return G_SOURCE_REMOVE;
}

static void
redelivery_free (gpointer data)
{
  Redelivery *self = data;

  osiiso_attempt_unref (self->attempt);
  g_free (self);
}

/* In the owner's context, where a language that refuses calls for a while lives. */
static void
redeliver_later (OsiisoAttempt *attempt)
{
  g_autoptr (GSource) source = g_timeout_source_new (REDELIVERY_INTERVAL);
  Redelivery *self = g_new0 (Redelivery, 1);

  self->attempt = osiiso_attempt_defer (attempt);
  g_source_set_callback (source, redeliver_cb, self, redelivery_free);
  g_source_attach (source, attempt->scheduler->outbox.context);
}

void
osiiso_token_run (OsiisoAttempt **location)
{
  OsiisoAttempt *self = *location;
  const gboolean in_owner = (self->scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) != 0;
  gboolean taken = deliver (location);

  if (!taken && in_owner)
    {
      /* What keeps it from being called may be over when it is finished. */
      osiiso_foreign_collect_garbage ();
      taken = deliver (location);
      if (!taken)
        redeliver_later (self);
    }
  else if (!taken)
    {
      give_up (self);
    }
  if (taken && *location != NULL)
    osiiso_attempt_park (*location);
}

static gboolean
refuse (OsiisoScheduler *scheduler,
        GDestroyNotify   destroy,
        gpointer         data)
{
  release (scheduler, destroy, data);
  return FALSE;
}

/* Tokens that are there would see the change, and so would a function that goes on
 * after its task was cancelled. */
static gboolean
check_no_work (OsiisoScheduler *scheduler,
               GError         **error)
{
  g_autoptr (OsiisoQueue) queue = osiiso_outbox_dup_queue (&scheduler->outbox);

  /* What it had is released, and nothing would release more. */
  if (queue == NULL)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED, "the queue was disposed of");
      return FALSE;
    }
  if (!osiiso_scheduler_has_work (scheduler) &&
      (scheduler->runner == NULL || atomic_load (&scheduler->runner->users) <= 1))
    return TRUE;
  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY,
                       "what runs tokens cannot be changed while the queue has work");
  return FALSE;
}

static gboolean
check_thread (OsiisoScheduler *scheduler,
              GDestroyNotify   destroy,
              GError         **error)
{
  if (!osiiso_foreign_is_thread_bound (destroy))
    return TRUE;
  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                       "JavaScript functions cannot be called in other threads; use the backend 'main-loop', or 'subprocess' for parallel work");
  return FALSE;
}

static OsiisoRunner *
ensure_runner (OsiisoScheduler *scheduler)
{
  if (scheduler->runner == NULL)
    {
      scheduler->runner = g_new0 (OsiisoRunner, 1);
      osiiso_ref_count_init (&scheduler->runner->users);
    }
  return scheduler->runner;
}

/**
 * osiiso_queue_set_runner:
 * @self: a queue
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): runs tokens
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns the
 *   queue, when the queue is gone; also when this call fails
 * @error: return location for an error
 *
 * Sets the function that runs tokens.
 *
 * Tokens are for layers that bind the queue to another language and keep
 * functions, arguments and values on their side: the queue gets a number and gives
 * it back when it is its turn. Everything else, from priorities to retries, is as
 * with [method@Osiiso.Queue.submit]. In the thread that made the queue, before the
 * first token.
 *
 * Fails with %OSIISO_QUEUE_ERROR_BUSY while the queue has work, with
 * %OSIISO_QUEUE_ERROR_CLOSED when it was disposed of, and with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when the function is one of a language that
 * cannot be called where the backend runs tasks.
 *
 * Returns: %TRUE if it was set
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_set_runner (OsiisoQueue     *self,
                         OsiisoRunnerFunc func,
                         gpointer         user_data,
                         GDestroyNotify   user_data_destroy,
                         GError         **error)
{
  OsiisoScheduler *scheduler;
  OsiisoRunner *runner;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  scheduler = osiiso_queue_get_scheduler (self);
  if (!check_no_work (scheduler, error) ||
      (!(scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) &&
       !check_thread (scheduler, user_data_destroy, error)))
    return refuse (scheduler, user_data_destroy, user_data);

  runner = ensure_runner (scheduler);
  release (scheduler, runner->destroy, runner->data);
  runner->func = func;
  runner->data = user_data;
  runner->destroy = user_data_destroy;
  return TRUE;
}

/**
 * osiiso_queue_set_completions_func:
 * @self: a queue
 * @flags: what @func hears of, and where
 * @func: (scope notified) (closure user_data) (destroy user_data_destroy): hears of
 *   the ends of tokens
 * @user_data: (nullable): data for @func
 * @user_data_destroy: (nullable): releases @user_data, in the context that owns the
 *   queue, when the queue is gone; also when this call fails
 * @error: return location for an error
 *
 * Sets the function that hears of the ends of tokens.
 *
 * It is called in the context that owns the queue, for many at a time. What signals
 * tell of the attempts at a task comes before that, and
 * [signal@Osiiso.Queue::on-complete] after it. With
 * %OSIISO_COMPLETION_FLAGS_ANY_THREAD it is called for each one as it ends, in the
 * thread that ended it, before the end is counted; several threads may be in it at
 * a time, and it must not wait for the queue. While it is called,
 * [method@Osiiso.Queue.lookup] finds the tasks.
 *
 * A language may refuse to be called, as GJS does while it collects garbage. With
 * %OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED what was told counts only if the function
 * has called [method@Osiiso.Queue.acknowledge_told]; otherwise it is told again,
 * before anything else is, every 20 milliseconds as long as it takes.
 *
 * In the thread that made the queue, before the first token. Fails with
 * %OSIISO_QUEUE_ERROR_BUSY while the queue has work, with
 * %OSIISO_QUEUE_ERROR_CLOSED when it was disposed of, with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED when the function is one of a language that
 * cannot be called in other threads and %OSIISO_COMPLETION_FLAGS_ANY_THREAD is set,
 * and with %OSIISO_QUEUE_ERROR_INVALID when that is set and
 * %OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED too.
 *
 * Returns: %TRUE if it was set
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_set_completions_func (OsiisoQueue          *self,
                                   OsiisoCompletionFlags flags,
                                   OsiisoCompletionsFunc func,
                                   gpointer              user_data,
                                   GDestroyNotify        user_data_destroy,
                                   GError              **error)
{
  OsiisoScheduler *scheduler;
  OsiisoRunner *runner;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  scheduler = osiiso_queue_get_scheduler (self);
  if ((flags & OSIISO_COMPLETION_FLAGS_ANY_THREAD) && (flags & OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "ends that are told in any thread are not acknowledged; expected one of the flags ANY_THREAD and ACKNOWLEDGED at most");
      return refuse (scheduler, user_data_destroy, user_data);
    }
  if (!check_no_work (scheduler, error) ||
      ((flags & OSIISO_COMPLETION_FLAGS_ANY_THREAD) && !check_thread (scheduler, user_data_destroy, error)))
    return refuse (scheduler, user_data_destroy, user_data);

  runner = ensure_runner (scheduler);
  release (scheduler, runner->completed_destroy, runner->completed_data);
  runner->flags = flags;
  runner->completed = func;
  runner->completed_data = user_data;
  runner->completed_destroy = user_data_destroy;
  return TRUE;
}

gboolean
osiiso_runner_set_thread_end (OsiisoScheduler    *scheduler,
                              OsiisoThreadEndFunc func,
                              gpointer            user_data,
                              GDestroyNotify      user_data_destroy,
                              GError            **error)
{
  OsiisoRunner *runner;

  if (!check_no_work (scheduler, error) || !check_thread (scheduler, user_data_destroy, error))
    return refuse (scheduler, user_data_destroy, user_data);

  runner = ensure_runner (scheduler);
  release (scheduler, runner->thread_end_destroy, runner->thread_end_data);
  runner->thread_end = func;
  runner->thread_end_data = user_data;
  runner->thread_end_destroy = user_data_destroy;
  return TRUE;
}

/**
 * osiiso_queue_exchange_token:
 * @self: a queue
 * @accepted: (out): whether what was reported of the current token counts; it does
 *   not when the task was cancelled or has timed out meanwhile
 * @token: (out): the next token
 * @task_id: (out): the id of its task
 * @attempt: (out): which attempt it is
 *
 * Ends the token that the runner works on and gives out the next one, so that a
 * language is entered once for many.
 *
 * Only in the runner, in its thread, before it returns, and with a reference on the
 * queue, see [callback@Osiiso.RunnerFunc]. A token of which nothing was reported has
 * succeeded. After %FALSE the runner has to return.
 *
 * Returns: %TRUE when there is another token, that has to be run as if the runner
 *   had been called with it
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_exchange_token (OsiisoQueue *self,
                             gboolean    *accepted,
                             guint64     *token,
                             guint64     *task_id,
                             guint       *attempt)
{
  OsiisoAttempt *next;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (accepted != NULL && token != NULL && task_id != NULL && attempt != NULL, FALSE);

  next = osiiso_scheduler_exchange_token (osiiso_queue_get_scheduler (self), accepted);
  *token = next != NULL ? token_of (next->record) : 0;
  *task_id = next != NULL ? osiiso_record_get_id (next->record) : 0;
  *attempt = next != NULL ? next->number : 0;
  return next != NULL;
}

/* The attempt of that number, if it goes on. */
static OsiisoAttempt *
dup_attempt (OsiisoQueue *self,
             guint64      task_id,
             guint        number)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  OsiisoAttempt *attempt = osiiso_attempt_get_current ();
  OsiisoRecord *record;

  /* Most report from within. */
  if (attempt != NULL && attempt->scheduler == scheduler && attempt->number == number &&
      osiiso_record_get_id (attempt->record) == task_id)
    return osiiso_attempt_ref (attempt);

  record = osiiso_scheduler_lookup (scheduler, task_id);
  if (record == NULL)
    return NULL;
  attempt = osiiso_scheduler_dup_attempt (scheduler, record);
  if (attempt != NULL && attempt->number != number)
    g_clear_pointer (&attempt, osiiso_attempt_unref);
  osiiso_record_unref (record);
  return attempt;
}

static gboolean
report (OsiisoQueue   *self,
        guint64        task_id,
        guint          number,
        OsiisoStatus   status,
        OsiisoOutcome *outcome,
        gint64         retry_after)
{
  OsiisoAttempt *attempt = dup_attempt (self, task_id, number);
  gboolean accepted = FALSE;

  if (attempt != NULL)
    {
      accepted = osiiso_attempt_report (attempt, status, outcome, retry_after);
      osiiso_attempt_unref (attempt);
    }
  else
    {
      osiiso_outcome_free (outcome);
    }
  return accepted;
}

/**
 * osiiso_queue_token_done:
 * @self: a queue
 * @task_id: the id of the task
 * @attempt: which attempt it was
 *
 * Reports that a token has succeeded. Any thread.
 *
 * Returns: %TRUE if it counts; %FALSE when that attempt is over already
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_token_done (OsiisoQueue *self,
                         guint64      task_id,
                         guint        attempt)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  return report (self, task_id, attempt, OSIISO_STATUS_SUCCEEDED, NULL, -1);
}

/**
 * osiiso_queue_token_failed:
 * @self: a queue
 * @task_id: the id of the task
 * @attempt: which attempt it was
 * @domain: the domain of the error; not 0
 * @code: its code
 * @message: its message
 * @retry_after: how long to wait before a retry, in seconds; negative for what the
 *   options say, but a number
 *
 * Reports that a token has failed, to be retried if its options say so. Any thread.
 *
 * Neither jitter nor the longest wait of the options changes @retry_after. A domain
 * of 0 and a wait that is not a number are errors of the program: nothing is reported
 * then, and the attempt goes on.
 *
 * Returns: %TRUE if it counts; %FALSE when that attempt is over already
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_token_failed (OsiisoQueue *self,
                           guint64      task_id,
                           guint        attempt,
                           GQuark       domain,
                           int          code,
                           const char  *message,
                           double       retry_after)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (domain != 0, FALSE);
  g_return_val_if_fail (message != NULL, FALSE);
  g_return_val_if_fail (!isnan (retry_after), FALSE);

  return report (self, task_id, attempt, OSIISO_STATUS_FAILED,
                 osiiso_outcome_new_error (g_error_new_literal (domain, code, message)),
                 retry_after >= 0 ? osiiso_clock_from_seconds (retry_after) : -1);
}

/**
 * osiiso_queue_token_progress:
 * @self: a queue
 * @task_id: the id of the task
 * @attempt: which attempt it is
 * @fraction: how much is done, from 0 to 1
 * @status_text: (nullable): what is going on, for people
 *
 * Tells how far a token is; see [method@Osiiso.Attempt.set_progress]. Any thread.
 *
 * Returns: %FALSE when that attempt is over already
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_token_progress (OsiisoQueue *self,
                             guint64      task_id,
                             guint        attempt,
                             double       fraction,
                             const char  *status_text)
{
  OsiisoAttempt *found;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  found = dup_attempt (self, task_id, attempt);
  if (found == NULL)
    return FALSE;
  osiiso_attempt_set_progress (found, fraction, status_text);
  osiiso_attempt_unref (found);
  return TRUE;
}

/**
 * osiiso_queue_token_dup_cancellable:
 * @self: a queue
 * @task_id: the id of the task
 * @attempt: which attempt it is
 *
 * Gets the cancellable of an attempt at a token; see
 * [method@Osiiso.Attempt.get_cancellable]. Any thread.
 *
 * Returns: (transfer full) (nullable): the cancellable; %NULL when that attempt is
 *   over already
 *
 * Since: 1.0
 */
GCancellable *
osiiso_queue_token_dup_cancellable (OsiisoQueue *self,
                                    guint64      task_id,
                                    guint        attempt)
{
  OsiisoAttempt *found;
  GCancellable *cancellable;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);

  found = dup_attempt (self, task_id, attempt);
  if (found == NULL)
    return NULL;
  cancellable = g_object_ref (osiiso_attempt_get_cancellable (found));
  osiiso_attempt_unref (found);
  return cancellable;
}

/**
 * osiiso_queue_token_cancel:
 * @self: a queue
 * @task_id: the id of the task
 *
 * Cancels the task of a token like [method@Osiiso.Handle.cancel], without a handle.
 * Any thread.
 *
 * Returns: %FALSE when the task had finished before
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_token_cancel (OsiisoQueue *self,
                           guint64      task_id)
{
  OsiisoScheduler *scheduler;
  OsiisoRecord *record;
  gboolean cancelled;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  scheduler = osiiso_queue_get_scheduler (self);
  record = osiiso_scheduler_lookup (scheduler, task_id);
  if (record == NULL)
    return FALSE;
  cancelled = osiiso_scheduler_cancel (scheduler, record);
  osiiso_record_unref (record);
  return cancelled;
}
