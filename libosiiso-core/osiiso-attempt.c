/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <string.h>

#include "osiiso-attempt-lone-private.h"
#include "osiiso-attempt-private.h"
#include "osiiso-backend.h"
#include "osiiso-call-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-command-private.h"
#include "osiiso-error.h"
#include "osiiso-token-private.h"

/**
 * OsiisoAttempt:
 *
 * One try at a task.
 *
 * A task function gets an attempt and reports on it: with a value through one
 * of the `return` methods, or with an error. The first report counts; it takes
 * effect when the function returns. A function that cannot finish at once calls
 * [method@Osiiso.Attempt.defer], returns, and reports later from any thread.
 *
 * When the task is cancelled or the attempt takes longer than its timeout, the
 * attempt ends there: [method@Osiiso.Attempt.get_cancellable] is cancelled and
 * later reports are ignored. Long work should check that cancellable, or hand
 * it to GIO calls.
 *
 * A function has to return. If it ends its thread instead, as `pthread_exit()` does,
 * an attempt that it has neither reported on nor deferred fails with
 * %OSIISO_QUEUE_ERROR_ABANDONED, and another thread takes the place of that one.
 *
 * ```c
 * static void
 * load (OsiisoAttempt *attempt,
 *       gpointer       user_data)
 * {
 *   GError *error = NULL;
 *   char *text = NULL;
 *
 *   if (g_file_load_contents (user_data, osiiso_attempt_get_cancellable (attempt),
 *                             &text, NULL, NULL, &error))
 *     osiiso_attempt_return_string (attempt, text);
 *   else
 *     osiiso_attempt_return_error (attempt, error);
 *   g_free (text);
 * }
 * ```
 *
 * All methods may be called from any thread.
 *
 * Since: 1.0
 */

G_DEFINE_BOXED_TYPE (OsiisoAttempt, osiiso_attempt, osiiso_attempt_ref, osiiso_attempt_unref)

static _Thread_local OsiisoAttempt *current_attempt;

static _Thread_local OsiisoTaskFrame *current_frame;

void
osiiso_task_frame_enter (OsiisoTaskFrame *self,
                         OsiisoScheduler *scheduler,
                         OsiisoAttempt  **location)
{
  *self = (OsiisoTaskFrame) { .outer = current_frame, .scheduler = scheduler, .location = location };
  current_frame = self;
}

void
osiiso_task_frame_leave (OsiisoTaskFrame *self)
{
  current_frame = self->outer;
}

OsiisoTaskFrame *
osiiso_task_frame_get_current (void)
{
  return current_frame;
}

OsiisoAttempt *
osiiso_attempt_get_current (void)
{
  return current_attempt;
}

void
osiiso_attempt_set_current (OsiisoAttempt *self)
{
  current_attempt = self;
}

gboolean
osiiso_attempt_is_inside (OsiisoScheduler *scheduler)
{
  const OsiisoTaskFrame *frame = current_frame;

  if (current_attempt != NULL && current_attempt->scheduler == scheduler)
    return TRUE;
  while (frame != NULL && frame->scheduler != scheduler)
    frame = frame->outer;
  return frame != NULL;
}

void
osiiso_task_frame_unwind (OsiisoTaskFrame *frame)
{
  current_frame = frame;
}

OsiisoOutcome *
osiiso_outcome_new_error (GError *error)
{
  OsiisoOutcome *self = g_new0 (OsiisoOutcome, 1);

  self->error = error;
  return self;
}

void
osiiso_outcome_free (OsiisoOutcome *self)
{
  if (self == NULL)
    return;
  if (G_IS_VALUE (&self->value))
    g_value_unset (&self->value);
  g_clear_error (&self->error);
  g_free (self);
}

void
osiiso_outcome_drop (OsiisoOutcome   *self,
                     OsiisoScheduler *scheduler)
{
  if (self == NULL || scheduler == NULL || osiiso_outcome_is_plain (self))
    osiiso_outcome_free (self);
  else
    osiiso_scheduler_destroy_in_owner (scheduler, (GDestroyNotify) osiiso_outcome_free, self);
}

OsiisoAttempt *
osiiso_attempt_new (OsiisoScheduler *scheduler,
                    OsiisoRecord    *record,
                    guint            number,
                    guint32          state)
{
  OsiisoAttempt *self = g_new0 (OsiisoAttempt, 1);

  osiiso_ref_count_init (&self->ref_count);
  atomic_init (&self->state, state);
  self->number = number;
  self->scheduler = osiiso_scheduler_ref (scheduler);
  self->record = (state & OSIISO_ATTEMPT_BORROWS) ? record : osiiso_record_ref (record);
  self->retry_after = -1;
  return self;
}

/* With the last reference nobody else can take one: it is in no list. */
static gboolean
is_reusable (OsiisoAttempt *self)
{
  return atomic_load_explicit (&self->ref_count, memory_order_acquire) == 1 &&
         atomic_load_explicit (&self->cancellable, memory_order_relaxed) == NULL &&
         !(atomic_load_explicit (&self->state, memory_order_relaxed) & OSIISO_ATTEMPT_HOLDS);
}

OsiisoAttempt *
osiiso_attempt_retire (OsiisoAttempt *self)
{
  if (!is_reusable (self))
    {
      osiiso_attempt_unref (self);
      return NULL;
    }
  if (self->record != NULL)
    osiiso_record_unref (g_steal_pointer (&self->record));
  /* Over, as far as its last reference is concerned. */
  atomic_store_explicit (&self->state, OSIISO_ATTEMPT_CLAIMED, memory_order_relaxed);
  return self;
}

gboolean
osiiso_attempt_reuse (OsiisoAttempt *self,
                      OsiisoRecord  *record,
                      guint          number,
                      guint32        state)
{
  if (!is_reusable (self))
    return FALSE;

  self->number = number;
  atomic_store_explicit (&self->state, state, memory_order_relaxed);
  self->record = (state & OSIISO_ATTEMPT_BORROWS) ? record : osiiso_record_ref (record);
  self->retry_after = -1;
  return TRUE;
}

void
osiiso_attempt_return_loan (OsiisoAttempt *self)
{
  if (!(atomic_load_explicit (&self->state, memory_order_relaxed) & OSIISO_ATTEMPT_BORROWS))
    return;
  osiiso_record_ref (self->record);
  atomic_fetch_and (&self->state, ~(guint32) OSIISO_ATTEMPT_BORROWS);
}

/* Keeps the user data for as long as the attempt lives. */
static void
hold_payload (OsiisoAttempt *self)
{
  OsiisoRecordExt *ext;

  if (osiiso_attempt_is_lone (self))
    return;
  ext = osiiso_record_ensure_ext (self->record);
  /* After the end there is nothing left to keep. */
  if (!osiiso_ref_count_try_inc (&ext->payload_holds))
    return;
  if (atomic_fetch_or (&self->state, OSIISO_ATTEMPT_HOLDS) & OSIISO_ATTEMPT_HOLDS)
    atomic_fetch_sub_explicit (&ext->payload_holds, 1, memory_order_acq_rel);
}

/* The exchange that decides who ends the attempt. */
static gboolean
claim (OsiisoAttempt *self,
       guint32        flags)
{
  guint32 old = atomic_load (&self->state);

  do
    {
      if (old & OSIISO_ATTEMPT_CLAIMED)
        return FALSE;
      /* In one step: the thread that leaves the function knows what it was
       * written off for. */
      if ((flags & OSIISO_ATTEMPT_INTERRUPTED) && (old & OSIISO_ATTEMPT_INSIDE))
        flags |= OSIISO_ATTEMPT_STUCK;
      else
        flags &= ~(guint32) OSIISO_ATTEMPT_STUCK;
    }
  while (!atomic_compare_exchange_weak (&self->state, &old, old | OSIISO_ATTEMPT_CLAIMED | flags));
  return TRUE;
}

gboolean
osiiso_attempt_claim_back (OsiisoAttempt *self)
{
  return claim (self, OSIISO_ATTEMPT_GIVEN_BACK);
}

static void
end (OsiisoAttempt *self)
{
  if (osiiso_attempt_is_lone (self))
    return;
  osiiso_scheduler_attempt_ended (self->scheduler, self, self->status,
                                  g_steal_pointer (&self->outcome), self->retry_after);
}

static void
set_abandoned (OsiisoAttempt *self,
               const char    *how)
{
  g_autofree char *name = osiiso_record_dup_name (self->record);

  self->status = OSIISO_STATUS_FAILED;
  self->outcome = osiiso_outcome_new_error (g_error_new (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED,
                                                         "attempt %u of task '%s' %s", self->number, name, how));
}

static void
attempt_free (OsiisoAttempt *self)
{
  GCancellable *cancellable = atomic_load (&self->cancellable);

  if (atomic_load (&self->state) & OSIISO_ATTEMPT_HOLDS)
    osiiso_scheduler_drop_payload (self->scheduler, self->record);
  /* Somebody may have connected to it, where the queue lives. */
  if (cancellable != NULL)
    {
      if (self->scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES)
        osiiso_scheduler_destroy_in_owner (self->scheduler, g_object_unref, cancellable);
      else
        g_object_unref (cancellable);
    }
  if (self->record != NULL)
    osiiso_record_unref (self->record);
  osiiso_scheduler_unref (self->scheduler);
  g_free (self);
}

/**
 * osiiso_attempt_ref:
 * @self: an attempt
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
OsiisoAttempt *
osiiso_attempt_ref (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

gboolean
osiiso_attempt_try_ref (OsiisoAttempt *self)
{
  return osiiso_ref_count_try_inc (&self->ref_count);
}

/**
 * osiiso_attempt_unref:
 * @self: (transfer full): an attempt
 *
 * Drops a reference.
 *
 * If it was the last one and nobody has reported on the attempt, it fails with
 * %OSIISO_QUEUE_ERROR_ABANDONED.
 *
 * Since: 1.0
 */
void
osiiso_attempt_unref (OsiisoAttempt *self)
{
  g_return_if_fail (self != NULL);

  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  if (osiiso_attempt_is_lone (self))
    {
      osiiso_lone_attempt_free (self);
      return;
    }

  if (claim (self, 0))
    {
      set_abandoned (self, "was dropped without a report");
      end (self);
    }
  attempt_free (self);
}

/**
 * osiiso_attempt_get_task_id:
 * @self: an attempt
 *
 * Gets the id of the task, as [property@Osiiso.Handle:task-id] has it. In a worker
 * program it is the number that the call has there, which is another one.
 *
 * Returns: the id; never 0
 *
 * Since: 1.0
 */
guint64
osiiso_attempt_get_task_id (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, 0);

  if (osiiso_attempt_is_lone (self))
    return ((OsiisoLoneAttempt *) self)->task_id;
  return osiiso_record_get_id (self->record);
}

/**
 * osiiso_attempt_dup_name:
 * @self: an attempt
 *
 * Gets the name of the task, also in a worker program.
 *
 * Returns: (transfer full): the name
 *
 * Since: 1.0
 */
char *
osiiso_attempt_dup_name (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  if (osiiso_attempt_is_lone (self))
    return g_strdup (((OsiisoLoneAttempt *) self)->name);
  return osiiso_record_dup_name (self->record);
}

/**
 * osiiso_attempt_get_number:
 * @self: an attempt
 *
 * Says which attempt of its task this is.
 *
 * Returns: 1 for the first, 2 for the first retry, and so on
 *
 * Since: 1.0
 */
guint
osiiso_attempt_get_number (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->number;
}

/**
 * osiiso_attempt_get_index:
 * @self: an attempt
 *
 * Says which member of its group the task is.
 *
 * Returns: the place in the group, from 0 on; 0 without a group
 *
 * Since: 1.0
 */
guint
osiiso_attempt_get_index (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, 0);

  if (osiiso_attempt_is_lone (self))
    return ((OsiisoLoneAttempt *) self)->index;
  return osiiso_record_get_index (self->record);
}

/* The data of the task if @func is its function, kept as long as the attempt. */
static gpointer
get_payload (OsiisoAttempt *self,
             OsiisoTaskFunc func)
{
  /* A map's is not its own. */
  if (osiiso_attempt_is_lone (self) || osiiso_record_get_word (self->record) & OSIISO_RECORD_MAP)
    return NULL;
  if (!(atomic_load (&self->state) & OSIISO_ATTEMPT_HOLDS))
    hold_payload (self);
  if (!(atomic_load (&self->state) & OSIISO_ATTEMPT_HOLDS) || self->record->func != func)
    return NULL;
  /* A token's data is a number. */
  if (osiiso_record_get_word (self->record) & OSIISO_RECORD_TOKEN)
    return self->record->call;
  return self->record->data;
}

/**
 * osiiso_attempt_get_call:
 * @self: an attempt
 *
 * Gets the call that this is an attempt at, for backends that do not run it with
 * [method@Osiiso.Attempt.run].
 *
 * Returns: (transfer none) (nullable): the call, which lives as long as the attempt;
 *   %NULL when the task is no call, or it is over and nobody asked before
 *
 * Since: 1.0
 */
OsiisoCall *
osiiso_attempt_get_call (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return get_payload (self, osiiso_call_perform);
}

/**
 * osiiso_attempt_get_command:
 * @self: an attempt
 *
 * Gets the command that this is an attempt at, for backends.
 *
 * It is the task's own copy, which must not be changed.
 *
 * Returns: (transfer none) (nullable): the command, which lives as long as the
 *   attempt; %NULL when the task is no command, or it is over and nobody asked before
 *
 * Since: 1.0
 */
OsiisoCommand *
osiiso_attempt_get_command (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return get_payload (self, osiiso_command_perform);
}

static void
cancel_and_unref (gpointer data)
{
  g_cancellable_cancel (data);
  g_object_unref (data);
}

/* On a backend that runs in the owner's context handlers of the cancellable may
 * belong to a language that knows no other thread. */
static void
cancel_cancellable (OsiisoAttempt *self)
{
  GCancellable *cancellable = atomic_load (&self->cancellable);

  if (cancellable == NULL)
    return;
  if ((self->scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) &&
      !g_main_context_is_owner (self->scheduler->outbox.context))
    osiiso_scheduler_destroy_in_owner (self->scheduler, cancel_and_unref, g_object_ref (cancellable));
  else
    g_cancellable_cancel (cancellable);
}

/**
 * osiiso_attempt_get_cancellable:
 * @self: an attempt
 *
 * Gets the cancellable of this attempt.
 *
 * It is cancelled when the task is cancelled while this attempt is under way, or
 * when the attempt takes longer than its timeout. On `main-loop` that happens in
 * the context that owns the queue, on `thread-pool` in the thread that cancelled
 * or in one that watches the timeouts.
 *
 * Returns: (transfer none): the cancellable; it lives as long as the attempt
 *
 * Since: 1.0
 */
GCancellable *
osiiso_attempt_get_cancellable (OsiisoAttempt *self)
{
  GCancellable *cancellable;
  GCancellable *made;

  g_return_val_if_fail (self != NULL, NULL);

  cancellable = atomic_load (&self->cancellable);
  if (cancellable != NULL)
    return cancellable;

  made = g_cancellable_new ();
  if (!atomic_compare_exchange_strong (&self->cancellable, &cancellable, made))
    {
      g_object_unref (made);
      return cancellable;
    }
  /* Whoever interrupts sets the flag first and looks for a cancellable then; one
   * of the two sees the other. */
  if (atomic_load (&self->state) & OSIISO_ATTEMPT_INTERRUPTED)
    g_cancellable_cancel (made);
  return made;
}

/**
 * osiiso_attempt_is_open:
 * @self: an attempt
 *
 * Whether a report would still count.
 *
 * Returns: %FALSE when somebody has reported, the task was cancelled or the
 *   attempt timed out
 *
 * Since: 1.0
 */
gboolean
osiiso_attempt_is_open (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return !(atomic_load (&self->state) & OSIISO_ATTEMPT_CLAIMED);
}

/**
 * osiiso_attempt_is_stuck:
 * @self: an attempt
 *
 * Whether the attempt was ended by a timeout or a cancellation while its function
 * was running, so that the thread which runs it is not free until it returns; or
 * whether the function has ended that thread.
 *
 * For backends with threads, in [vfunc@Osiiso.Backend.interrupt].
 *
 * Returns: %TRUE if it was; that does not change any more, not even when the
 *   function returns
 *
 * Since: 1.0
 */
gboolean
osiiso_attempt_is_stuck (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return (atomic_load (&self->state) & OSIISO_ATTEMPT_STUCK) != 0;
}

/* Nothing would keep it alive. */
static gboolean
is_js_object (const GValue *value)
{
  return strcmp (G_VALUE_TYPE_NAME (value), "JSObject") == 0;
}

/* The attempt whose backend the calling thread tells of its end. */
static _Thread_local OsiisoAttempt *interrupting;

static void
tell_backend (OsiisoAttempt         *self,
              OsiisoInterruptReason  reason)
{
  g_autoptr (OsiisoBackend) backend = osiiso_scheduler_dup_backend (self->scheduler);
  OsiisoAttempt *outer = interrupting;

  if (backend == NULL || OSIISO_BACKEND_GET_CLASS (backend)->interrupt == NULL)
    return;
  interrupting = self;
  OSIISO_BACKEND_GET_CLASS (backend)->interrupt (backend, self, reason);
  interrupting = outer;
}

/**
 * osiiso_attempt_set_interrupt_details:
 * @self: an attempt
 * @details: what there is to say of it, which is copied
 *
 * Says what has become of an attempt until it was cancelled or timed out: what a
 * program had written by then, for example. It is found where the details of a
 * failure are, see [method@Osiiso.Handle.dup_error_details].
 *
 * For backends, within [vfunc@Osiiso.Backend.interrupt] for that attempt and in the
 * same thread. Anywhere else it is ignored, like a JavaScript object, which nothing
 * would keep alive.
 *
 * Since: 1.0
 */
void
osiiso_attempt_set_interrupt_details (OsiisoAttempt *self,
                                      const GValue  *details)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (G_IS_VALUE (details));

  if (interrupting != self || is_js_object (details))
    return;
  if (G_IS_VALUE (&self->outcome->value))
    g_value_unset (&self->outcome->value);
  g_value_init (&self->outcome->value, G_VALUE_TYPE (details));
  g_value_copy (details, &self->outcome->value);
}

gboolean
osiiso_attempt_interrupt (OsiisoAttempt        *self,
                          OsiisoInterruptReason reason)
{
  GError *error;

  if (!claim (self, OSIISO_ATTEMPT_INTERRUPTED))
    return FALSE;

  /* The function may be running and goes on with its user data. */
  hold_payload (self);
  if (reason == OSIISO_INTERRUPT_REASON_TIMED_OUT)
    {
      OsiisoRecordExt *ext = osiiso_record_get_ext (self->record);
      g_autofree char *name = osiiso_record_dup_name (self->record);

      self->status = OSIISO_STATUS_FAILED;
      if (osiiso_record_get_word (self->record) & OSIISO_RECORD_OVERDUE)
        error = osiiso_scheduler_new_deadline_error (self->record);
      else
        error = g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "task '%s' exceeded %gs timeout",
                             name, ext->params->timeout);
    }
  else
    {
      self->status = OSIISO_STATUS_CANCELLED;
      error = osiiso_scheduler_new_cancel_error (self->record);
    }
  self->outcome = osiiso_outcome_new_error (error);

  if ((atomic_load (&self->state) & (OSIISO_ATTEMPT_STUCK | OSIISO_ATTEMPT_SERVED)) ==
      (OSIISO_ATTEMPT_STUCK | OSIISO_ATTEMPT_SERVED))
    osiiso_scheduler_write_off (self->scheduler);
  /* The backend first: the end of the attempt lets another one start, for which
   * it may have to make room. */
  tell_backend (self, reason);
  end (self);
  cancel_cancellable (self);
  if (atomic_load (&self->state) & OSIISO_ATTEMPT_PARKED)
    osiiso_attempt_unref (self);
  return TRUE;
}

/* A report: stored at once, used when the function is left. */
gboolean
osiiso_attempt_report (OsiisoAttempt *self,
                       OsiisoStatus   status,
                       OsiisoOutcome *outcome,
                       gint64         retry_after)
{
  guint32 state;

  if (!claim (self, 0))
    {
      osiiso_outcome_drop (outcome, self->scheduler);
      return FALSE;
    }

  self->status = status;
  self->outcome = outcome;
  self->retry_after = retry_after;
  /* Either the function has been left and it ends here, or run() sees the
   * report when it leaves. */
  state = atomic_fetch_or (&self->state, OSIISO_ATTEMPT_REPORTED);
  if (!(state & OSIISO_ATTEMPT_INSIDE))
    end (self);
  /* Nobody else will; the caller has one of its own. */
  if (state & OSIISO_ATTEMPT_PARKED)
    osiiso_attempt_unref (self);
  return TRUE;
}

static void
report (OsiisoAttempt *self,
        OsiisoStatus   status,
        OsiisoOutcome *outcome,
        gint64         retry_after)
{
  osiiso_attempt_report (self, status, outcome, retry_after);
}


/**
 * osiiso_attempt_return_none:
 * @self: an attempt
 *
 * Reports success without a value.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_none (OsiisoAttempt *self)
{
  g_return_if_fail (self != NULL);

  report (self, OSIISO_STATUS_SUCCEEDED, NULL, -1);
}

static OsiisoOutcome *
outcome_new (GType type)
{
  OsiisoOutcome *outcome = g_new0 (OsiisoOutcome, 1);

  g_value_init (&outcome->value, type);
  return outcome;
}

/**
 * osiiso_attempt_return_value:
 * @self: an attempt
 * @value: the value, which is copied
 *
 * Reports success with a value of any type.
 *
 * A value that holds a JavaScript object is refused, because nothing would keep
 * that object alive: the attempt fails with %OSIISO_QUEUE_ERROR_NOT_SUPPORTED.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_value (OsiisoAttempt *self,
                             const GValue  *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (G_IS_VALUE (value));

  if (is_js_object (value))
    {
      osiiso_attempt_return_error_literal (self, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                           "a JavaScript object cannot be a task's value; keep it in JavaScript, or return a string, a number, a GObject or a GLib.Variant");
      return;
    }
  outcome = outcome_new (G_VALUE_TYPE (value));
  g_value_copy (value, &outcome->value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_boolean:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gboolean`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_boolean (OsiisoAttempt *self,
                               gboolean       value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_BOOLEAN);
  g_value_set_boolean (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_int:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gint64`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_int (OsiisoAttempt *self,
                           gint64         value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_INT64);
  g_value_set_int64 (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_double:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a `gdouble`.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_double (OsiisoAttempt *self,
                              double         value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_DOUBLE);
  g_value_set_double (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_string:
 * @self: an attempt
 * @value: (nullable): the value, which is copied
 *
 * Reports success with a string.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_string (OsiisoAttempt *self,
                              const char    *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);

  outcome = outcome_new (G_TYPE_STRING);
  g_value_set_string (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_bytes:
 * @self: an attempt
 * @value: the value
 *
 * Reports success with a [struct@GLib.Bytes].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_bytes (OsiisoAttempt *self,
                             GBytes        *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (value != NULL);

  outcome = outcome_new (G_TYPE_BYTES);
  g_value_set_boxed (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_variant:
 * @self: an attempt
 * @value: the value; a floating reference is taken over
 *
 * Reports success with a [struct@GLib.Variant].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_variant (OsiisoAttempt *self,
                               GVariant      *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (value != NULL);

  outcome = outcome_new (G_TYPE_VARIANT);
  g_value_set_variant (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

void
osiiso_attempt_take_variant (OsiisoAttempt *self,
                             GVariant      *value)
{
  OsiisoOutcome *outcome = outcome_new (G_TYPE_VARIANT);

  g_value_take_variant (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_object:
 * @self: an attempt
 * @value: the value, on which a reference is taken
 *
 * Reports success with an object.
 *
 * The queue drops its reference in the context that owns the queue.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_object (OsiisoAttempt *self,
                              GObject       *value)
{
  OsiisoOutcome *outcome;

  g_return_if_fail (self != NULL);
  g_return_if_fail (G_IS_OBJECT (value));

  outcome = outcome_new (G_OBJECT_TYPE (value));
  g_value_set_object (&outcome->value, value);
  report (self, OSIISO_STATUS_SUCCEEDED, outcome, -1);
}

/**
 * osiiso_attempt_return_error:
 * @self: an attempt
 * @error: (transfer full): the error
 *
 * Reports failure.
 *
 * The task is tried again if its options leave it a retry. An error of
 * %G_IO_ERROR_CANCELLED is a failure like any other as long as nobody cancelled
 * the task.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error (OsiisoAttempt *self,
                             GError        *error)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);

  report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), -1);
}

/**
 * osiiso_attempt_return_error_details:
 * @self: an attempt
 * @error: (transfer full): the error
 * @details: (nullable): what more there is to say of it, which is copied
 *
 * Reports failure like [method@Osiiso.Attempt.return_error], with a value that says
 * more than the error can: the output of a program, an exception of another
 * language.
 *
 * When the task fails with it, [method@Osiiso.Handle.dup_error_details] has them. Of
 * attempts that are followed by another one they are dropped, in the context that
 * owns the queue unless their type may be released anywhere. A JavaScript object is
 * left out, because nothing would keep it alive.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_details (OsiisoAttempt *self,
                                     GError        *error,
                                     const GValue  *details)
{
  osiiso_attempt_return_error_full (self, error, details, -1);
}

/**
 * osiiso_attempt_return_error_full:
 * @self: an attempt
 * @error: (transfer full): the error
 * @details: (nullable): what more there is to say of it, which is copied
 * @retry_after: how long to wait before the next attempt, in seconds; negative for
 *   what the options say, infinite when there is not to be another one
 *
 * Reports failure like [method@Osiiso.Attempt.return_error_details], and says whether
 * and when it makes sense to try again: a refusal, for example, will be one again.
 *
 * How often a task is tried is still what its options say. Neither jitter nor the
 * longest wait of those changes @retry_after.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_full (OsiisoAttempt *self,
                                  GError        *error,
                                  const GValue  *details,
                                  double         retry_after)
{
  OsiisoOutcome *outcome;
  gint64 wait = -1;

  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);
  g_return_if_fail (details == NULL || G_IS_VALUE (details));
  g_return_if_fail (!isnan (retry_after));

  outcome = osiiso_outcome_new_error (error);
  if (details != NULL && !is_js_object (details))
    {
      g_value_init (&outcome->value, G_VALUE_TYPE (details));
      g_value_copy (details, &outcome->value);
    }
  if (isinf (retry_after) && retry_after > 0)
    wait = OSIISO_RETRY_NEVER;
  else if (retry_after >= 0)
    wait = osiiso_clock_from_seconds (retry_after);
  report (self, OSIISO_STATUS_FAILED, outcome, wait);
}

/**
 * osiiso_attempt_return_new_error: (skip)
 * @self: an attempt
 * @domain: the error domain
 * @code: the error code
 * @format: a printf() format for the message
 * @...: what the format asks for
 *
 * Reports failure with an error made on the spot.
 *
 * Languages other than C have [method@Osiiso.Attempt.return_error_literal].
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_new_error (OsiisoAttempt *self,
                                 GQuark         domain,
                                 int            code,
                                 const char    *format,
                                 ...)
{
  GError *error;
  va_list args;

  g_return_if_fail (self != NULL);
  g_return_if_fail (domain != 0);
  g_return_if_fail (format != NULL);

  va_start (args, format);
  error = g_error_new_valist (domain, code, format, args);
  va_end (args);
  osiiso_attempt_return_error (self, error);
}

/**
 * osiiso_attempt_return_error_literal:
 * @self: an attempt
 * @domain: the error domain
 * @code: the error code
 * @message: the message
 *
 * Reports failure with an error made on the spot.
 *
 * Since: 1.0
 */
void
osiiso_attempt_return_error_literal (OsiisoAttempt *self,
                                     GQuark         domain,
                                     int            code,
                                     const char    *message)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (domain != 0);
  g_return_if_fail (message != NULL);

  osiiso_attempt_return_error (self, g_error_new_literal (domain, code, message));
}

/**
 * osiiso_attempt_retry_after:
 * @self: an attempt
 * @seconds: how long to wait before the next attempt, in seconds, >= 0
 * @error: (transfer full): why this attempt did not work
 *
 * Reports failure and chooses the wait before the next attempt, instead of the
 * one that the options ask for: for a server, say, that tells when to come back.
 *
 * The wait is what @seconds says. Neither [property@Osiiso.TaskOptions:jitter] nor
 * [property@Osiiso.TaskOptions:max-retry-delay] changes it; who does not trust a
 * server has to limit it here.
 *
 * A task without a retry left fails with @error. A negative or infinite wait, or
 * one that is not a number, fails the task with %OSIISO_QUEUE_ERROR_INVALID, and it
 * is not tried again.
 *
 * Since: 1.0
 */
void
osiiso_attempt_retry_after (OsiisoAttempt *self,
                            double         seconds,
                            GError        *error)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (error != NULL);

  if (!isfinite (seconds) || seconds < 0)
    {
      g_error_free (error);
      error = g_error_new (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "the wait before a retry must be a finite number >= 0; got %g", seconds);
      /* The next attempt would do the same. */
      report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), OSIISO_RETRY_NEVER);
      return;
    }
  report (self, OSIISO_STATUS_FAILED, osiiso_outcome_new_error (error), osiiso_clock_from_seconds (seconds));
}

/**
 * osiiso_attempt_defer:
 * @self: an attempt
 *
 * Announces that the report comes later, after the function has returned.
 *
 * The caller keeps the reference until it has reported. If it drops it without a
 * report the attempt fails with %OSIISO_QUEUE_ERROR_ABANDONED. The user data of
 * the task stay valid as long as the attempt.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
OsiisoAttempt *
osiiso_attempt_defer (OsiisoAttempt *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  hold_payload (self);
  atomic_fetch_or (&self->state, OSIISO_ATTEMPT_DEFERRED);
  return osiiso_attempt_ref (self);
}

/**
 * osiiso_attempt_set_progress:
 * @self: an attempt
 * @fraction: how much is done, from 0 to 1; values outside are clamped, and one
 *   that is not a number leaves the fraction as it is
 * @status_text: (nullable): what is going on, for people
 *
 * Tells how far the attempt is.
 *
 * It shows in [property@Osiiso.Handle:progress] and
 * [property@Osiiso.Handle:status-text], which are notified in the context that
 * owns the queue, at most every 16 milliseconds per task.
 *
 * Since: 1.0
 */
void
osiiso_attempt_set_progress (OsiisoAttempt *self,
                             double         fraction,
                             const char    *status_text)
{
  OsiisoScheduler *scheduler;
  OsiisoRecordRare *rare;
  g_autofree char *old_text = NULL;

  g_return_if_fail (self != NULL);

  if (!osiiso_attempt_is_open (self))
    return;
  if (osiiso_attempt_is_lone (self))
    {
      osiiso_lone_attempt_set_progress (self, fraction, status_text);
      return;
    }

  scheduler = self->scheduler;
  rare = osiiso_record_ensure_rare (self->record);
  pthread_mutex_lock (&scheduler->view_lock);
  if (rare->progress == NULL)
    rare->progress = g_new0 (OsiisoProgress, 1);
  if (!isnan (fraction))
    rare->progress->fraction = CLAMP (fraction, 0, 1);
  old_text = rare->progress->status_text;
  rare->progress->status_text = g_strdup (status_text);
  pthread_mutex_unlock (&scheduler->view_lock);

  if (!(osiiso_record_set_flags (self->record, OSIISO_RECORD_NOTIFY_PENDING, 0) & OSIISO_RECORD_NOTIFY_PENDING))
    osiiso_outbox_post (&scheduler->outbox, OSIISO_EVENT_PROGRESS, self->record, NULL, NULL, NULL);
}

gboolean
osiiso_attempt_enter (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);

  if (!(state & OSIISO_ATTEMPT_INSIDE))
    {
      state = atomic_fetch_or (&self->state, OSIISO_ATTEMPT_INSIDE);
      if (state & OSIISO_ATTEMPT_REPORTED)
        {
          /* Whoever reported found nobody inside and has ended it. */
          atomic_fetch_and (&self->state, ~(guint32) OSIISO_ATTEMPT_INSIDE);
          return FALSE;
        }
    }
  if (!(state & OSIISO_ATTEMPT_CLAIMED))
    return TRUE;
  /* Ended from outside, or claimed by somebody who sees this one inside. */
  if (osiiso_attempt_leave (self))
    end (self);
  return FALSE;
}

gboolean
osiiso_attempt_leave (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);
  guint32 left;

  /* Left, and claimed when nobody has: one step, so that whoever reports either
   * finds somebody inside or nothing left to claim. */
  do
    {
      left = state & ~(guint32) OSIISO_ATTEMPT_INSIDE;
      if (!(state & (OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_DEFERRED)))
        left |= OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_REPORTED;
    }
  while (!atomic_compare_exchange_weak (&self->state, &state, left));

  /* The one who is out first has ended it. */
  if (!(state & OSIISO_ATTEMPT_INSIDE) || !(left & OSIISO_ATTEMPT_REPORTED))
    return FALSE;
  if (!(state & OSIISO_ATTEMPT_REPORTED))
    self->status = OSIISO_STATUS_SUCCEEDED;
  return TRUE;
}

/* The thread is as good as stuck in the function. What it ran may go on, when the
 * function has deferred it, so the backend is told of another attempt at the task. */
static void
write_off_thread (OsiisoAttempt *self)
{
  g_autoptr (OsiisoAttempt) last = osiiso_attempt_new (self->scheduler, self->record, self->number,
                                                       OSIISO_ATTEMPT_CLAIMED | OSIISO_ATTEMPT_STUCK);

  if (atomic_load (&self->state) & OSIISO_ATTEMPT_SERVED)
    osiiso_scheduler_write_off (self->scheduler);
  tell_backend (last, OSIISO_INTERRUPT_REASON_CANCELLED);
}

void
osiiso_attempt_thread_exits (OsiisoAttempt *self)
{
  gboolean ended;

  osiiso_attempt_return_loan (self);
  if (!(atomic_load (&self->state) & OSIISO_ATTEMPT_DEFERRED) && claim (self, 0))
    {
      set_abandoned (self, "was dropped by its function, which ended the thread");
      atomic_fetch_or (&self->state, OSIISO_ATTEMPT_REPORTED);
    }
  ended = osiiso_attempt_leave (self);
  /* Unless that has been done when it was interrupted, which has come first. */
  if (!osiiso_attempt_is_stuck (self))
    write_off_thread (self);
  if (ended)
    end (self);
}

static void
call_function (OsiisoAttempt **location)
{
  OsiisoAttempt *outer = current_attempt;
  OsiisoAttempt *self = *location;
  OsiisoRecord *record = self->record;
  const guint32 word = osiiso_record_get_word (record);

  current_attempt = self;
  if (word & OSIISO_RECORD_TOKEN)
    {
      osiiso_token_run (location);
    }
  else if (word & OSIISO_RECORD_MAP)
    {
      OsiisoMapPayload *payload = record->data;

      payload->func (self, payload->data);
    }
  else
    {
      record->func (self, record->data);
    }
  current_attempt = outer;
}

gboolean
osiiso_attempt_perform (OsiisoAttempt **location)
{
  OsiisoScheduler *scheduler = (*location)->scheduler;
  OsiisoTaskFrame frame;
  gboolean ended = FALSE;

  osiiso_task_frame_enter (&frame, scheduler, location);
  /* In the owner's thread what was told before comes first, so that on-start is
   * seen before the function. */
  if ((scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_CLOSURES) &&
      !osiiso_outbox_is_empty (&scheduler->outbox))
    {
      OsiisoAttempt *outer = current_attempt;

      /* A handler that waits for all work waits for this attempt too. */
      current_attempt = *location;
      osiiso_outbox_drain (&scheduler->outbox);
      current_attempt = outer;
    }

  if (osiiso_attempt_enter (*location))
    {
      call_function (location);
      ended = *location != NULL && osiiso_attempt_leave (*location);
    }
  osiiso_task_frame_leave (&frame);
  return ended;
}

void
osiiso_attempt_park (OsiisoAttempt *self)
{
  guint32 state = atomic_load (&self->state);

  osiiso_attempt_ref (self);
  do
    {
      if (state & OSIISO_ATTEMPT_CLAIMED)
        {
          osiiso_attempt_unref (self);
          return;
        }
    }
  while (!atomic_compare_exchange_weak (&self->state, &state,
                                        state | OSIISO_ATTEMPT_DEFERRED | OSIISO_ATTEMPT_PARKED));
}

gboolean
osiiso_attempt_finish_token (OsiisoAttempt *self)
{
  return osiiso_attempt_report (self, OSIISO_STATUS_SUCCEEDED, NULL, -1) ||
         !(atomic_load (&self->state) & OSIISO_ATTEMPT_INTERRUPTED);
}

/* What a thread was in before the function that it calls for a backend. */
typedef struct
{
  OsiisoAttempt   *attempt;
  OsiisoAttempt   *outer_attempt;
  OsiisoTaskFrame *outer_frame;
} Run;

/* The function has ended the thread, of which nothing returns any more. */
static void
run_exits (void *data)
{
  Run *run = data;

  osiiso_attempt_set_current (run->outer_attempt);
  osiiso_task_frame_unwind (run->outer_frame);
  osiiso_token_thread_exits ();
  osiiso_attempt_thread_exits (run->attempt);
}

/**
 * osiiso_attempt_run:
 * @self: an attempt
 *
 * Calls the task's function, in this thread and now.
 *
 * For backends that run functions of this process, once for each attempt: while it
 * goes on, or is deferred, a second call is an error of the program and calls
 * nothing. Nothing is called either when the attempt has ended already. When the
 * function returns without a report and without having deferred it, the attempt
 * succeeds without a value. One that is only reserved begins first, see
 * [method@Osiiso.Attempt.begin].
 *
 * When the function ends the thread, as with `pthread_exit()`, the call does not return.
 * The task goes on without the thread, see [struct@Osiiso.Attempt], and the interrupt
 * slot has been called for an attempt that is stuck, as far as it had not before. A
 * cleanup handler of the caller may drop the reference on the attempt, and count the
 * thread out.
 *
 * Since: 1.0
 */
void
osiiso_attempt_run (OsiisoAttempt *self)
{
  Run run = { self, current_attempt, current_frame };
  gboolean ended;
  guint32 state;

  g_return_if_fail (self != NULL);
  g_return_if_fail (!osiiso_attempt_is_lone (self));

  state = atomic_fetch_or (&self->state, OSIISO_ATTEMPT_ENTERED);
  g_return_if_fail (!(state & OSIISO_ATTEMPT_INSIDE));
  if ((state & OSIISO_ATTEMPT_ENTERED) && (state & OSIISO_ATTEMPT_CLAIMED))
    return;
  if (state & OSIISO_ATTEMPT_ENTERED)
    {
      g_critical ("%s: the function of attempt %" G_GUINT32_FORMAT " of task %" G_GUINT64_FORMAT
                  " was called already: call osiiso_attempt_run() once",
                  G_STRFUNC, self->number, osiiso_record_get_id (self->record));
      return;
    }

  if ((atomic_load (&self->state) & OSIISO_ATTEMPT_RESERVED) && !osiiso_attempt_begin (self))
    return;
  pthread_cleanup_push (run_exits, &run);
  ended = osiiso_attempt_perform (&run.attempt);
  pthread_cleanup_pop (FALSE);
  if (ended)
    end (run.attempt);
}
