/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-lone-private.h"
#include "osiiso-attempt-private.h"
#include "osiiso-backend.h"
#include "osiiso-call-private.h"
#include "osiiso-command-private.h"
#include "osiiso-error.h"
#include "osiiso-trace-private.h"

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
  if (osiiso_outcome_has_value (self))
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
gboolean
osiiso_attempt_claim (OsiisoAttempt *self,
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
  return osiiso_attempt_claim (self, OSIISO_ATTEMPT_GIVEN_BACK);
}

void
osiiso_attempt_end (OsiisoAttempt *self)
{
  if (osiiso_attempt_is_lone (self))
    return;
  if (G_UNLIKELY (atomic_load (&self->state) & OSIISO_ATTEMPT_TRACED))
    osiiso_trace_end (self);
  osiiso_scheduler_attempt_ended (self->scheduler, self, self->status,
                                  g_steal_pointer (&self->outcome), self->retry_after);
}

void
osiiso_attempt_set_abandoned (OsiisoAttempt *self,
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

  if (osiiso_attempt_claim (self, 0))
    {
      osiiso_attempt_set_abandoned (self, "was dropped without a report");
      osiiso_attempt_end (self);
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

/* The attempt whose backend the calling thread tells of its end. */
static _Thread_local OsiisoAttempt *interrupting;

void
osiiso_attempt_tell_backend (OsiisoAttempt         *self,
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

  if (interrupting != self || osiiso_value_is_js_object (details))
    return;
  if (osiiso_outcome_has_value (self->outcome))
    g_value_unset (&self->outcome->value);
  g_value_init (&self->outcome->value, G_VALUE_TYPE (details));
  g_value_copy (details, &self->outcome->value);
}

void
osiiso_attempt_interrupt (OsiisoAttempt        *self,
                          OsiisoInterruptReason reason)
{
  GError *error;

  if (!osiiso_attempt_claim (self, OSIISO_ATTEMPT_INTERRUPTED))
    return;

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
      error = osiiso_record_new_cancel_error (self->record);
    }
  self->outcome = osiiso_outcome_new_error (error);

  if ((atomic_load (&self->state) & (OSIISO_ATTEMPT_STUCK | OSIISO_ATTEMPT_SERVED)) ==
      (OSIISO_ATTEMPT_STUCK | OSIISO_ATTEMPT_SERVED))
    osiiso_scheduler_write_off (self->scheduler);
  /* The backend first: the end of the attempt lets another one start, for which
   * it may have to make room. */
  osiiso_attempt_tell_backend (self, reason);
  osiiso_attempt_end (self);
  cancel_cancellable (self);
  if (atomic_load (&self->state) & OSIISO_ATTEMPT_PARKED)
    osiiso_attempt_unref (self);
}

/* A report: stored at once, used when the function is left. */
gboolean
osiiso_attempt_report (OsiisoAttempt *self,
                       OsiisoStatus   status,
                       OsiisoOutcome *outcome,
                       gint64         retry_after)
{
  guint32 state;

  if (!osiiso_attempt_claim (self, 0))
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
    osiiso_attempt_end (self);
  /* Nobody else will; the caller has one of its own. */
  if (state & OSIISO_ATTEMPT_PARKED)
    osiiso_attempt_unref (self);
  return TRUE;
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
