/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#include "model-outbox.h"

/* Who posts to the outbox, who has the queue, and its owner, who is told. See
 * model-outbox.c for what this mirrors. */

/* The context that owns the queue, iterated for ever. */
static void
own (gpointer unused)
{
  for (;;)
    {
      OutboxEvent orphans[OUTBOX_MAX_EVENTS];
      gboolean ready;
      int n_orphans;

      ex_lock (&outbox.context_lock);
      while (outbox.ready_time == OUTBOX_NEVER && outbox.n_orphans == 0)
        ex_wait (&outbox.context_cond, &outbox.context_lock);
      ready = outbox.ready_time != OUTBOX_NEVER;
      n_orphans = outbox.n_orphans;
      memcpy (orphans, outbox.orphans, sizeof orphans);
      outbox.n_orphans = 0;
      ex_unlock (&outbox.context_lock);

      if (ready)
        outbox_dispatch ();
      for (int i = 0; i < n_orphans; i++)
        outbox_deliver (orphans[i]);
    }
}

/* osiiso_scheduler_count_out(), but that only the last one is counted like this. */
static void
count_out (void)
{
  gboolean last;

  ex_lock (&outbox.view_lock);
  last = ex_add (&outbox.n_outstanding, -1) == 1;
  if (outbox.fault == OUTBOX_FAULT_SETTLE_HELD)
    last = ex_load (&outbox.n_outstanding) == 0 && ex_load (&outbox.held);
  if (last)
    outbox_post_settled ();
  ex_unlock (&outbox.view_lock);
}

/* Ends a task that runs, if nobody has. */
static void
end_task (int number)
{
  OutboxRecord *record = &outbox.records[number];
  gboolean mine;

  ex_lock (&outbox.ready_lock);
  mine = record->is_running && !record->is_over;
  if (mine)
    {
      record->is_over = TRUE;
      if (outbox.scenario->in_step)
        outbox_post_signal (OUTBOX_COMPLETE, number);
    }
  ex_unlock (&outbox.ready_lock);
  if (!mine)
    return;
  if (!outbox.scenario->in_step)
    outbox_post_signal (OUTBOX_COMPLETE, number);
  count_out ();
}

static void
work (gpointer data)
{
  const int number = GPOINTER_TO_INT (data);
  OutboxRecord *record = &outbox.records[number];

  ex_await (&record->submitted);
  ex_lock (&outbox.ready_lock);
  record->is_running = TRUE;
  if (outbox.fault != OUTBOX_FAULT_START_LATE)
    outbox_post_signal (OUTBOX_START, number);
  ex_unlock (&outbox.ready_lock);
  if (outbox.fault == OUTBOX_FAULT_START_LATE)
    outbox_post_signal (OUTBOX_START, number);
  if (outbox.scenario->progress && number == 0)
    outbox_post (OUTBOX_PROGRESS, number);
  end_task (number);
}

/* Comes when it runs, or too early, which changes nothing. */
static void
cancel (gpointer unused)
{
  end_task (0);
}

/* Has a reference on the queue. */
static void
submit (gpointer data)
{
  const gboolean early = outbox.fault == OUTBOX_FAULT_HOLD_EARLY && ex_load (&outbox.held);
  gboolean held;

  ex_add (&outbox.n_outstanding, 1);
  held = outbox.fault == OUTBOX_FAULT_HOLD_EARLY ? early : ex_load (&outbox.held) != 0;
  ex_store (&outbox.records[GPOINTER_TO_INT (data)].submitted, 1);
  if (!held)
    outbox_hold_queue ();
  outbox_queue_unref (FALSE);
}

/* osiiso_scheduler_stop_resting() */
static void
start (gpointer unused)
{
  outbox_hold_queue ();
}

static void
drop (gpointer unused)
{
  outbox_queue_unref (FALSE);
}

static void
setup (const ExModel *model)
{
  static const char *const workers[] = { "worker 1", "worker 2" };
  static const char *const producers[] = { "producer 1", "producer 2" };
  const OutboxScenario *scenario = model->data;

  memset (&outbox, 0, sizeof outbox);
  outbox.scenario = scenario;
  outbox.fault = (OutboxFault) model->variant;
  outbox.has_source = outbox.has_queue = TRUE;
  /* The user's, or those of the producers. */
  ex_init (&outbox.n_refs, scenario->running ? 1 : scenario->n_tasks);
  ex_init (&outbox.n_outstanding, scenario->running ? scenario->n_tasks : 0);

  ex_spawn ("owner", EX_THREAD_MAY_SLEEP, own, NULL);
  for (int i = 0; i < scenario->n_tasks; i++)
    {
      OutboxRecord *record = &outbox.records[i];

      ex_init (&record->submitted, scenario->running);
      ex_init (&record->handled, (scenario->handled & (1u << i)) != 0);
      ex_spawn_when (workers[i], EX_THREAD_DEFAULT, work, GINT_TO_POINTER (i), &record->submitted);
      if (!scenario->running)
        ex_spawn (producers[i], EX_THREAD_DEFAULT, submit, GINT_TO_POINTER (i));
    }
  if (scenario->cancels)
    ex_spawn ("canceller", EX_THREAD_DEFAULT, cancel, NULL);
  if (scenario->starts)
    ex_spawn ("waiter", EX_THREAD_DEFAULT, start, NULL);
  if (scenario->drops)
    ex_spawn ("user", EX_THREAD_DEFAULT, drop, NULL);
}

/* Who keeps the queue, or has it kept by its work, is told all. */
static const char *
check_told (int number)
{
  const OutboxScenario *scenario = outbox.scenario;
  const OutboxRecord *record = &outbox.records[number];
  const gboolean handled = (scenario->handled & (1u << number)) != 0;
  const gboolean token = (scenario->tokens & (1u << number)) != 0;
  const gboolean wanted = scenario->listens || (scenario->notifies && handled);

  if (!record->is_over)
    return "a task has not ended";
  if (record->handled.value || record->n_freed.value != handled)
    return "a handle was not let go";
  if (scenario->drops || scenario->owner_drops)
    return NULL;
  if (wanted && (!record->told_start || !record->told_complete))
    return "something was not told";
  if (record->n_told_end != token)
    return "the end of a token was not told once";
  if (scenario->progress && number == 0 && !record->told_progress)
    return "progress was not told";
  return NULL;
}

static const char *
check (const ExModel *model)
{
  const OutboxScenario *scenario = model->data;
  const char *wrong = NULL;
  const gboolean gone = scenario->drops || scenario->owner_drops || !scenario->running;

  for (int i = 0; wrong == NULL && i < scenario->n_tasks; i++)
    wrong = check_told (i);
  if (wrong == NULL && (outbox.n_events > 0 || outbox.ends != 0 || outbox.telling != 0 || outbox.is_telling ||
                        outbox.late != 0 || outbox.n_orphans > 0))
    wrong = "something is left in the outbox";
  if (wrong == NULL && (outbox.held.value || outbox.n_pins != 0))
    wrong = "the queue is held although there is no work";
  if (wrong == NULL && outbox.finalized.value != gone)
    wrong = gone ? "the queue was not freed" : "the queue was freed";
  if (wrong == NULL && outbox.destroyed != gone)
    wrong = gone ? "the source has not ended" : "the source has ended";
  return wrong;
}

#define RUNNING .running = TRUE

static const OutboxScenario two = { 2, RUNNING, .listens = TRUE };
static const OutboxScenario two_in_step = { 2, RUNNING, .listens = TRUE, .in_step = TRUE, .slices = TRUE };
static const OutboxScenario cancels = { 1, RUNNING, .listens = TRUE, .cancels = TRUE };
static const OutboxScenario handles = { 2, RUNNING, .handled = 3 };
static const OutboxScenario handles_told = { 2, RUNNING, .handled = 1, .notifies = TRUE, .tokens = 3 };
static const OutboxScenario tokens = { 2, RUNNING, .tokens = 3, .in_step = TRUE };
static const OutboxScenario tokens_told = { 1, RUNNING, .tokens = 1, .handled = 1, .listens = TRUE, .cancels = TRUE };
static const OutboxScenario tokens_ordered = { 2, RUNNING, .tokens = 3, .listens = TRUE, .in_step = TRUE, .slices = TRUE };
static const OutboxScenario progress = { 1, RUNNING, .listens = TRUE, .progress = TRUE };
static const OutboxScenario drops = { 1, RUNNING, .listens = TRUE, .handled = 1, .drops = TRUE };
static const OutboxScenario drops_handles = { 2, RUNNING, .handled = 3, .drops = TRUE };
static const OutboxScenario drops_progress = { 1, RUNNING, .listens = TRUE, .progress = TRUE, .drops = TRUE };
static const OutboxScenario drops_started = { 1, RUNNING, .listens = TRUE, .drops = TRUE, .starts = TRUE };
static const OutboxScenario owner_drops = { 2, RUNNING, .listens = TRUE, .handled = 1, .owner_drops = TRUE };
static const OutboxScenario holds = { 1, .listens = TRUE, .handled = 1 };
static const OutboxScenario holds_two = { 2, .listens = TRUE };
static const OutboxScenario holds_tokens = { 2, .tokens = 3, .in_step = TRUE };
static const OutboxScenario holds_ordered = { 1, .tokens = 1, .listens = TRUE };
static const OutboxScenario holds_silent = { 2 };

#define CLEAN(name, summary, scenario, more) \
  { name, summary, setup, check, &scenario, OUTBOX_FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_outbox_models[] = {
  CLEAN ("two", "two tasks that end", two, 0),
  CLEAN ("two-in-step", "the same where the next one begins with the end, in slices", two_in_step, -1),
  CLEAN ("cancel", "one that is cancelled as it begins", cancels, 0),
  CLEAN ("handles", "two that nobody hears of, with handles to be let go", handles, 0),
  CLEAN ("handles-told", "the same with handlers, and of tokens", handles_told, 0),
  CLEAN ("tokens", "ends of tokens, which are told together", tokens, 0),
  CLEAN ("tokens-told", "the same with signals and a handle", tokens_told, 0),
  CLEAN ("tokens-ordered", "two with signals, in slices", tokens_ordered, -1),
  CLEAN ("progress", "progress, which is told later", progress, 0),
  CLEAN ("drop", "a queue that is dropped meanwhile", drops, 0),
  CLEAN ("drop-handles", "the same with handles that nobody hears of", drops_handles, -1),
  CLEAN ("drop-progress", "the same with progress", drops_progress, 0),
  CLEAN ("drop-started", "the same when somebody else has it work", drops_started, 0),
  CLEAN ("owner-drop", "one that is dropped in a handler", owner_drops, 0),
  CLEAN ("hold", "one that is dropped after a submit, and kept for its work", holds, 0),
  CLEAN ("hold-two", "the same with two tasks and two threads", holds_two, -1),
  CLEAN ("hold-tokens", "the same with tokens", holds_tokens, -1),
  CLEAN ("hold-ordered", "the same with a token and signals", holds_ordered, 0),
  CLEAN ("hold-silent", "the same without handlers", holds_silent, -1),

  FAULTY ("look-early", "looked without the lock whether it is armed", two, OUTBOX_FAULT_LOOK_EARLY),
  FAULTY ("rearm-blind", "a dispatch that does not look what has come", two_in_step, OUTBOX_FAULT_REARM_BLIND),
  FAULTY ("rearm-always", "one that comes again without a reason", two, OUTBOX_FAULT_REARM_ALWAYS),
  FAULTY ("forget-late", "one that forgets what is to be told later", progress, OUTBOX_FAULT_FORGET_LATE),
  FAULTY ("finish-early", "a source that ends before the ends are told", drops_handles, OUTBOX_FAULT_FINISH_EARLY),
  FAULTY ("start-late", "a start posted when others see the attempt", cancels, OUTBOX_FAULT_START_LATE),
  FAULTY ("release-early", "a handle let go before what is told of it", tokens_told, OUTBOX_FAULT_RELEASE_EARLY),
  FAULTY ("drop-orphan", "what comes after the end of the source is lost", drops, OUTBOX_FAULT_DROP_ORPHAN),
  FAULTY ("no-pin", "a reference that a dispose does not wait for", drops, OUTBOX_FAULT_NO_PIN),
  FAULTY ("detach-blind", "a dispose that does not look whether it is held", drops_started, OUTBOX_FAULT_DETACH_BLIND),
  FAULTY ("detach-short", "one that leaves it to who lets go before it is over", drops_started, OUTBOX_FAULT_DETACH_SHORT),
  FAULTY ("hold-early", "a submit that looks who holds it, then counts its task", holds_two, OUTBOX_FAULT_HOLD_EARLY),
  FAULTY ("release-blind", "let go without looking for work again", holds_two, OUTBOX_FAULT_RELEASE_BLIND),
  FAULTY ("release-untold", "let go before ends that came meanwhile are told", holds_two, OUTBOX_FAULT_RELEASE_UNTOLD),
  FAULTY ("hold-untold", "not held for an end that has not been told", holds, OUTBOX_FAULT_HOLD_UNTOLD),
  FAULTY ("hold-unlocked", "held for work that is just being counted out", holds, OUTBOX_FAULT_HOLD_UNLOCKED),
  FAULTY ("ends-later", "an end told after the event that lets go", holds_tokens, OUTBOX_FAULT_ENDS_LATER),
  FAULTY ("ends-ahead", "an end told before the start", tokens_told, OUTBOX_FAULT_ENDS_AHEAD),
  FAULTY ("ends-wait", "an end told after the signal of it", tokens_ordered, OUTBOX_FAULT_ENDS_WAIT),
  FAULTY ("settle-held", "an end of the work told only to who holds it by then", holds, OUTBOX_FAULT_SETTLE_HELD),
  { NULL },
};
