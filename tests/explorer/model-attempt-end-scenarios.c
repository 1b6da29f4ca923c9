/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#include "model-attempt-end.h"

/* Who has an attempt: threads of backends, and those who report, cancel, or look
 * at the clock. See model-attempt-end.c for what this mirrors. */

/* osiiso_scheduler_take(), osiiso_attempt_run(). */
static void
take_and_run (gpointer unused)
{
  for (int i = 0; i < ending.scenario->n_tasks; i++)
    {
      EndAttempt *attempt;

      ex_lock (&ending.ready_lock);
      attempt = end_begin_attempt_locked (i, NULL);
      ex_unlock (&ending.ready_lock);
      if (attempt == NULL)
        continue;
      if (end_perform (attempt))
        end_attempt_ended (attempt);
      end_unref (attempt);
    }
}

/* The next one, for which @done is handed in; NULL for none. */
static EndAttempt *
exchange (EndAttempt **done,
          int          record)
{
  EndAttempt *old = *done;
  const int old_record = old != NULL ? old->record : -1;
  gboolean borrowed = FALSE;
  EndAttempt *attempt;

  if (old_record >= 0)
    end_drop_payload (&ending.records[old_record]);
  ex_lock (&ending.ready_lock);
  if (old_record >= 0)
    {
      end_locked (old);
      borrowed = (ex_load (&old->state) & BORROWS) != 0;
    }
  attempt = end_begin_attempt_locked (record, old);
  if (record == ending.scenario->n_tasks)
    ending.n_serving--;
  ex_unlock (&ending.ready_lock);

  /* The queue's reference, unless the attempt has it. */
  if (old_record >= 0 && !borrowed)
    end_record_unref (&ending.records[old_record]);
  if (old == NULL || old == attempt)
    {
      if (old_record >= 0)
        end_record_unref (&ending.records[old_record]);
      *done = NULL;
    }
  else if (attempt != NULL || !end_is_reusable (old))
    {
      end_unref (old);
      *done = NULL;
    }
  else if (old_record >= 0)
    {
      /* osiiso_attempt_retire() */
      end_record_unref (&ending.records[old_record]);
      old->record = -1;
      ex_store (&old->state, CLAIMED);
    }
  return attempt;
}

/* osiiso_scheduler_serve(), again when it was interrupted. */
static void
serve (gpointer unused)
{
  EndAttempt *done = NULL;
  gboolean counted = FALSE;

  for (int i = 0; i <= ending.scenario->n_tasks; i++)
    {
      EndAttempt *attempt;

      if (!counted)
        {
          ex_lock (&ending.ready_lock);
          ending.n_serving++;
          ex_unlock (&ending.ready_lock);
          counted = TRUE;
        }
      attempt = exchange (&done, i);
      if (attempt == NULL)
        continue;
      if (end_perform (attempt))
        {
          done = attempt;
        }
      else
        {
          if (ex_load (&attempt->state) & STUCK)
            counted = FALSE;
          end_unref (attempt);
        }
    }
  if (done != NULL)
    end_unref (done);
}

static void
cancel (gpointer unused)
{
  EndRecord *record = &ending.records[0];
  EndAttempt *attempt = NULL;
  gboolean waited;

  ex_lock (&ending.ready_lock);
  waited = record->status == PENDING;
  if (waited)
    {
      record->status = CANCELLED;
      record->n_ends++;
    }
  else if (record->status == RUNNING && end_try_ref (record->attempt))
    {
      attempt = record->attempt;
    }
  ex_unlock (&ending.ready_lock);

  if (waited)
    {
      end_drop_payload (record);
      end_record_unref (record);
    }
  if (attempt != NULL)
    {
      end_interrupt (attempt, CANCELLED);
      end_unref (attempt);
    }
  /* Of who cancels. */
  end_record_unref (record);
}

static void
client_tick (gpointer unused)
{
  EndAttempt *attempt = NULL;

  ex_lock (&ending.ready_lock);
  if (ending.records[0].status == RUNNING && end_try_ref (ending.records[0].attempt))
    attempt = ending.records[0].attempt;
  ex_unlock (&ending.ready_lock);
  if (attempt != NULL)
    {
      end_interrupt (attempt, TIMED_OUT);
      end_unref (attempt);
    }
}

/* Has a reference from the function. */
static void
report_later (gpointer unused)
{
  ex_await (&ending.deferred);
  if (ending.scenario->func == FUNC_DEFERS)
    end_report (&ending.attempts[0], FAILED);
  end_unref (&ending.attempts[0]);
}

/* By the number of the task: before its function is entered, in it, or later. */
static void
report_by_number (gpointer unused)
{
  EndRecord *record = &ending.records[0];
  EndAttempt *attempt = NULL;

  ex_lock (&ending.ready_lock);
  if (record->status == RUNNING && end_try_ref (record->attempt))
    attempt = record->attempt;
  ex_unlock (&ending.ready_lock);
  if (attempt != NULL)
    {
      end_report (attempt, FAILED);
      end_unref (attempt);
    }
  end_record_unref (record);
}

static void
setup (const ExModel *model)
{
  const EndScenario *scenario = model->data;

  memset (&ending, 0, sizeof ending);
  ending.scenario = scenario;
  ending.fault = (EndFault) model->variant;
  for (int i = 0; i < 2; i++)
    {
      ex_init (&ending.records[i].payload_holds, 1);
      /* The queue's, and those of who found the task by its number. */
      ex_init (&ending.records[i].ref_count, 1);
      if (i == 0)
        ex_init (&ending.records[i].ref_count, 1 + scenario->cancels + scenario->numbered);
      /* The other half is there for tasks that can end in more than one way. */
      ex_init (&ending.records[i].ext, scenario->has_ext && i == 0);
    }

  ex_spawn ("worker", EX_THREAD_DEFAULT, scenario->serves ? serve : take_and_run, NULL);
  if (scenario->cancels)
    ex_spawn ("canceller", EX_THREAD_DEFAULT, cancel, NULL);
  if (scenario->times_out)
    ex_spawn ("timer", EX_THREAD_DEFAULT, client_tick, NULL);
  /* It waits for ever when the function is not entered. */
  if (scenario->func == FUNC_DEFERS || scenario->func == FUNC_DROPS)
    ex_spawn ("reporter", EX_THREAD_MAY_SLEEP, report_later, NULL);
  if (scenario->numbered)
    ex_spawn ("reporter", EX_THREAD_DEFAULT, report_by_number, NULL);
}

static const char *
check_record (const EndRecord *record)
{
  if (record->n_ends != 1 || record->status <= RUNNING)
    return record->n_ends > 1 ? "a task ended twice" : "a task has not ended";
  if (!record->payload_freed.value)
    return "the user data were not released";
  if (record->ref_count.value != 0)
    return "a task was not freed";
  return NULL;
}

static const char *
check_attempt (const EndAttempt *attempt)
{
  if (!(attempt->state.value & FREED))
    return "an attempt was not freed";
  if ((attempt->state.value & INTERRUPTED) && attempt->cancellable.value == 1)
    return "the cancellable was not cancelled";
  return NULL;
}

static const char *
check (const ExModel *model)
{
  const EndScenario *scenario = model->data;
  const char *wrong = NULL;

  for (int i = 0; wrong == NULL && i < scenario->n_tasks; i++)
    wrong = check_record (&ending.records[i]);
  for (int i = 0; wrong == NULL && i < ending.n_attempts; i++)
    wrong = check_attempt (&ending.attempts[i]);
  if (wrong == NULL && scenario->n_tasks > 1 && ending.records[1].status != SUCCEEDED)
    wrong = "another task was hit";
  if (wrong == NULL && ending.n_serving != 0)
    wrong = "threads were counted wrong";
  return wrong;
}

/* A task that may take too long has options. */
#define BOTH .cancels = TRUE, .times_out = TRUE, .has_ext = TRUE

static const EndScenario returns = { FUNC_RETURNS, 1, BOTH };
static const EndScenario reports = { FUNC_REPORTS, 1, BOTH };
static const EndScenario defers = { FUNC_DEFERS, 1, BOTH };
static const EndScenario defers_alone = { FUNC_DEFERS, 1 };
static const EndScenario drops = { FUNC_DROPS, 1, BOTH };
static const EndScenario drops_cancel = { FUNC_DROPS, 1, .cancels = TRUE };
static const EndScenario drops_alone = { FUNC_DROPS, 1 };
static const EndScenario parks = { FUNC_PARKS, 1, .numbered = TRUE, .cancels = TRUE };
static const EndScenario numbered = { FUNC_RETURNS, 1, .numbered = TRUE, .cancels = TRUE };
static const EndScenario serves_parks = { FUNC_PARKS, 2, .serves = TRUE, .numbered = TRUE, .cancels = TRUE };
static const EndScenario serves_numbered = { FUNC_RETURNS, 2, .serves = TRUE, .numbered = TRUE, .cancels = TRUE };
static const EndScenario asks = { FUNC_RETURNS, 1, .asks = TRUE, .cancels = TRUE };
static const EndScenario serves = { FUNC_RETURNS, 2, .serves = TRUE, BOTH };
static const EndScenario serves_plain = { FUNC_RETURNS, 2, .serves = TRUE };
static const EndScenario serves_cancel = { FUNC_RETURNS, 2, .serves = TRUE, .cancels = TRUE };
static const EndScenario serves_defers = { FUNC_DEFERS, 2, .serves = TRUE, .cancels = TRUE };

#define CLEAN(name, summary, scenario) { name, summary, setup, check, &scenario, END_FAULT_NONE }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_attempt_end_models[] = {
  CLEAN ("returns", "a function that returns, is cancelled and takes too long", returns),
  CLEAN ("reports", "one that reports", reports),
  CLEAN ("defers", "one whose report comes later", defers),
  CLEAN ("drops", "one whose report never comes", drops),
  CLEAN ("parks", "one of a token, which is reported on by its number", parks),
  CLEAN ("numbered", "the same with one that returns", numbered),
  CLEAN ("serves-parks", "a thread that serves tokens", serves_parks),
  CLEAN ("serves-numbered", "the same with functions that return", serves_numbered),
  CLEAN ("asks", "one that asks for its cancellable", asks),
  CLEAN ("serves", "a thread that uses attempts again", serves),
  CLEAN ("serves-plain", "the same with tasks that nobody asks about", serves_plain),
  CLEAN ("serves-cancel", "the same with one that is cancelled", serves_cancel),
  CLEAN ("serves-defers", "the same with a report that comes later", serves_defers),

  FAULTY ("claim-in-parts", "looked at and claimed in two steps", returns, END_FAULT_CLAIM_IN_PARTS),
  FAULTY ("leave-in-parts", "looked for a report and left in two steps", defers_alone, END_FAULT_LEAVE_IN_PARTS),
  FAULTY ("report-in-parts", "looked who is inside and reported in two steps", defers_alone, END_FAULT_REPORT_IN_PARTS),
  FAULTY ("no-hold", "user data that are not kept for a function that goes on", returns, END_FAULT_NO_HOLD),
  FAULTY ("no-end", "an attempt that is dropped and does not end", drops_alone, END_FAULT_NO_END),
  FAULTY ("blind-ref", "a reference on an attempt that is about to be freed", drops_cancel, END_FAULT_BLIND_REF),
  FAULTY ("blind-reuse", "an attempt used again while somebody has it", serves_cancel, END_FAULT_BLIND_REUSE),
  FAULTY ("keep-loan", "a borrowed reference that its owner drops", serves_cancel, END_FAULT_KEEP_LOAN),
  FAULTY ("park-blind", "a token that is parked although somebody has claimed it", parks, END_FAULT_PARK_BLIND),
  FAULTY ("ask-early", "looked for an interruption before the cancellable is shown", asks, END_FAULT_ASK_EARLY),
  { NULL },
};
