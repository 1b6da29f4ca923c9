/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#include "model-tokens.h"

/* Who has a token: threads of backends, and those who report, cancel, look at the
 * clock, or let go of the queue. See model-tokens.c for what this mirrors. */

/* By the number of the task. FALSE when it is gone. */
static gboolean
lookup (int number)
{
  TokenRecord *record = &tokens.records[number];
  gint64 n = ex_load (&record->ref_count);

  do
    if (n == 0)
      return FALSE;
  while (!ex_cas (&record->ref_count, &n, n + 1));
  return TRUE;
}

/* A thread of a backend that has one for each worker. What was stuck comes back. */
static void
serve (gpointer unused)
{
  while (token_serve ())
    ;
}

/* The owner's thread: a main loop. */
static void
own (gpointer unused)
{
  gboolean over = FALSE;

  do
    {
      if (token_serve_for ())
        continue;
      if (tokens.redelivery != NULL)
        {
          token_redeliver ();
          continue;
        }
      ex_lock (&tokens.ready_lock);
      while (tokens.parked && !tokens.stopping)
        ex_wait (&tokens.ready_cond, &tokens.ready_lock);
      over = tokens.stopping;
      ex_unlock (&tokens.ready_lock);
    }
  while (!over || tokens.redelivery != NULL);
}

/* osiiso_queue_token_done() for the attempt of that number. */
static void
report_done (int record,
             int number)
{
  TokenAttempt *attempt;

  ex_await (&tokens.records[record].out[number - 1]);
  if (tokens.scenario->last_first)
    ex_await (&tokens.records[tokens.scenario->n_tasks - 1].out[0]);
  if (!lookup (record))
    return;
  attempt = token_dup_attempt (record);
  if (attempt != NULL && (attempt->number == number || tokens.fault == TOKEN_FAULT_ANY_NUMBER) &&
      token_report (attempt, TOKEN_SUCCEEDED))
    ex_assert (attempt->number == number);
  if (attempt != NULL)
    token_unref (attempt);
  token_record_unref (&tokens.records[record]);
}

static void
report_first (gpointer data)
{
  report_done (GPOINTER_TO_INT (data), 1);
}

static void
report_second (gpointer data)
{
  report_done (GPOINTER_TO_INT (data), 2);
}

static void
cancel (gpointer data)
{
  if (!lookup (GPOINTER_TO_INT (data)))
    return;
  token_cancel (GPOINTER_TO_INT (data));
  token_record_unref (&tokens.records[GPOINTER_TO_INT (data)]);
}

/* The first attempt at the first task takes too long. */
static void
client_tick (gpointer unused)
{
  TokenAttempt *attempt = token_dup_attempt (0);

  if (attempt == NULL)
    return;
  if (attempt->number == 1)
    token_interrupt (attempt, TOKEN_TIMED_OUT);
  token_unref (attempt);
}

/* Lets go of the queue, with its runner: when it is idle, or now. */
static void
close_queue (gpointer unused)
{
  for (int i = 0; tokens.scenario->force && i < tokens.scenario->n_tasks; i++)
    cancel (GINT_TO_POINTER (i));
  ex_await (&tokens.idle);

  ex_lock (&tokens.ready_lock);
  tokens.stopping = TRUE;
  ex_broadcast (&tokens.ready_cond);
  ex_unlock (&tokens.ready_lock);
  /* osiiso_runner_close() */
  token_end_use ();
}

static void
setup (const ExModel *model)
{
  static const char *const servers[] = { "server 1", "server 2" };
  static const char *const reporters[] = { "reporter 1", "reporter 2", "reporter 3" };
  static const char *const cancellers[] = { "canceller 1", "canceller 2", "canceller 3" };
  const TokenScenario *scenario = model->data;

  memset (&tokens, 0, sizeof tokens);
  tokens.scenario = scenario;
  tokens.fault = (TokenFault) model->variant;
  tokens.limit = MAX (scenario->n_servers, 1);
  tokens.n_refusals = scenario->n_refusals;
  ex_init (&tokens.users, 1);
  for (int i = 0; i < scenario->n_tasks; i++)
    ex_init (&tokens.records[i].ref_count, 1);

  for (int i = 0; i < scenario->n_servers; i++)
    ex_spawn (servers[i], EX_THREAD_DEFAULT, serve, NULL);
  if (scenario->n_servers == 0)
    ex_spawn ("owner", EX_THREAD_DEFAULT, own, NULL);
  for (int i = 0; i < scenario->n_tasks; i++)
    {
      TokenRecord *record = &tokens.records[i];

      /* It may not come to an attempt. */
      if (scenario->reports & (1u << i))
        ex_spawn_when (reporters[i], EX_THREAD_MAY_SLEEP, report_first, GINT_TO_POINTER (i), &record->out[0]);
      if ((scenario->reports & (1u << i)) && scenario->retries > 0)
        ex_spawn_when ("late reporter", EX_THREAD_MAY_SLEEP, report_second, GINT_TO_POINTER (i), &record->out[1]);
      if (scenario->cancels & (1u << i))
        ex_spawn (cancellers[i], EX_THREAD_DEFAULT, cancel, GINT_TO_POINTER (i));
    }
  if (scenario->times_out)
    ex_spawn ("timer", EX_THREAD_DEFAULT, client_tick, NULL);
  if (scenario->force)
    ex_spawn ("closer", EX_THREAD_DEFAULT, close_queue, NULL);
  else
    ex_spawn_when ("closer", EX_THREAD_DEFAULT, close_queue, NULL, &tokens.idle);
}

static const char *
check_record (const TokenRecord *record)
{
  if (record->n_ends != 1)
    return record->n_ends > 1 ? "a token ended twice" : "a token has not ended";
  if (record->status == TOKEN_SUCCEEDED && !record->out[record->attempts - 1].value)
    return "a token succeeded that nobody ran";
  if (record->ref_count.value != 0)
    return "a task was not freed";
  return NULL;
}

static const char *
check (const ExModel *model)
{
  const TokenScenario *scenario = model->data;
  const char *wrong = NULL;

  for (int i = 0; wrong == NULL && i < scenario->n_tasks; i++)
    wrong = check_record (&tokens.records[i]);
  for (int i = 0; wrong == NULL && i < tokens.n_attempts; i++)
    if (!(tokens.attempts[i].state.value & TOKEN_FREED))
      wrong = "an attempt was not freed";
  if (wrong == NULL && (tokens.n_active != 0 || tokens.n_out != scenario->n_tasks))
    wrong = "attempts or tasks were counted wrong";
  if (wrong == NULL && tokens.n_serving != 0)
    wrong = "threads were counted wrong";
  if (wrong == NULL && tokens.released.value != 1)
    wrong = "the runner was not released once";
  return wrong;
}

static const TokenScenario asks = { 3, { TOKEN_ASKS, TOKEN_ASKS, TOKEN_ASKS }, 1, .cancels = 1 << 1 };
static const TokenScenario asks_two = { 3, { TOKEN_ASKS, TOKEN_ASKS, TOKEN_ASKS }, 2 };
static const TokenScenario asks_both = { 2, { TOKEN_ASKS, TOKEN_ASKS }, 2, .cancels = 1 << 0 };
static const TokenScenario asks_first = { 2, { TOKEN_ASKS, TOKEN_ASKS }, 1, .cancels = 1 << 0, .reports = 1 << 0 };
static const TokenScenario asks_next = { 2, { TOKEN_ASKS, TOKEN_ASKS }, 1, .cancels = 1 << 1, .has_ext = TRUE };
static const TokenScenario parks = { 2, { TOKEN_PARKS, TOKEN_ASKS }, 1, .reports = 1 << 0, .cancels = 1 << 0 };
static const TokenScenario parks_next = { 2, { TOKEN_ASKS, TOKEN_PARKS }, 1, .reports = 1 << 1, .cancels = 1 << 1 };
static const TokenScenario parks_late = { 1, { TOKEN_PARKS }, 1, .retries = 1, .reports = 1 << 0, .times_out = TRUE,
                                          .has_ext = TRUE };
static const TokenScenario fails = { 2, { TOKEN_FAILS, TOKEN_ASKS }, 1, .retries = 1, .reports = 1 << 0,
                                     .has_ext = TRUE };
static const TokenScenario fails_cancel = { 1, { TOKEN_FAILS }, 1, .retries = 1, .cancels = 1 << 0, .has_ext = TRUE };
static const TokenScenario mixed = { 2, { TOKEN_NEEDS, TOKEN_PLAIN }, 2 };
static const TokenScenario mixed_full = { 3, { TOKEN_PARKS, TOKEN_NEEDS, TOKEN_PLAIN }, 2, .reports = 1 << 0,
                                          .last_first = TRUE };
static const TokenScenario silent = { 2, { TOKEN_SILENT, TOKEN_ASKS }, 1, .cancels = 1 << 0 };
static const TokenScenario refuses = { 1, { TOKEN_REFUSES }, 1, .n_refusals = 1, .cancels = 1 << 0 };
static const TokenScenario forced = { 2, { TOKEN_ASKS, TOKEN_ASKS }, 1, .force = TRUE };
static const TokenScenario forced_parks = { 2, { TOKEN_PARKS, TOKEN_ASKS }, 1, .force = TRUE };
static const TokenScenario slices = { 3, { TOKEN_ASKS, TOKEN_ASKS, TOKEN_PLAIN }, .cancels = 1 << 1 };
static const TokenScenario redelivers = { 2, { TOKEN_REFUSES, TOKEN_ASKS }, .n_refusals = 2, .reports = 1 << 0,
                                          .cancels = 1 << 0 };
static const TokenScenario redelivers_more = { 1, { TOKEN_REFUSES }, .n_refusals = 4, .reports = 1 << 0,
                                               .cancels = 1 << 0 };
static const TokenScenario redelivers_asks = { 2, { TOKEN_LATER, TOKEN_ASKS }, .n_refusals = 2, .cancels = 1 << 0 };
static const TokenScenario redelivers_force = { 1, { TOKEN_REFUSES }, .n_refusals = 3, .force = TRUE };

#define CLEAN(name, summary, scenario, more) \
  { name, summary, setup, check, &scenario, TOKEN_FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_token_models[] = {
  CLEAN ("asks", "a runner that asks for one after the other, of which one is cancelled", asks, 0),
  CLEAN ("asks-two", "two threads that do so", asks_two, 0),
  CLEAN ("asks-both", "the same with one that is cancelled", asks_both, 0),
  CLEAN ("asks-first", "one that somebody reports on and cancels while the runner has it", asks_first, 0),
  CLEAN ("asks-next", "one that is cancelled as it is given out", asks_next, 0),
  CLEAN ("parks", "one that is reported on later", parks, 0),
  CLEAN ("parks-next", "the same with one that was asked for", parks_next, 0),
  CLEAN ("parks-late", "the same with one that takes too long, and is tried again", parks_late, 0),
  CLEAN ("fails", "one that fails, is tried again, and reported on by its first number", fails, 0),
  CLEAN ("fails-cancel", "one that fails and is cancelled", fails_cancel, 0),
  CLEAN ("mixed", "a token that needs a function which is next", mixed, 0),
  CLEAN ("mixed-full", "the same when it is the limit that keeps that from running", mixed_full, 0),
  CLEAN ("silent", "a runner that acknowledges nothing", silent, 0),
  CLEAN ("refuses", "a runner that does not take a call", refuses, 0),
  CLEAN ("forced", "a queue that goes while a token is out", forced, 0),
  CLEAN ("forced-parks", "the same while it is parked", forced_parks, 0),
  CLEAN ("slices", "a runner in the owner's context", slices, 0),
  CLEAN ("redelivers", "one that does not take a call at first", redelivers, -1),
  CLEAN ("redelivers-more", "the same for longer", redelivers_more, 0),
  CLEAN ("redelivers-asks", "one that then asks for the next token", redelivers_asks, 0),
  CLEAN ("redelivers-force", "a queue that goes while a call has not been taken", redelivers_force, 0),

  FAULTY ("park-blind", "parked although somebody has claimed it", parks, TOKEN_FAULT_PARK_BLIND),
  FAULTY ("drop-twice", "the parked reference dropped by who reports too late", parks, TOKEN_FAULT_DROP_TWICE),
  FAULTY ("drop-never", "not dropped by who interrupts", parks, TOKEN_FAULT_DROP_NEVER),
  FAULTY ("no-write-off", "a stuck thread counted among those that serve", asks_next, TOKEN_FAULT_NO_WRITE_OFF),
  FAULTY ("stuck-goes-on", "a thread that was written off and asks for more", asks, TOKEN_FAULT_STUCK_GOES_ON),
  FAULTY ("take-apart", "ended and taken in two steps", asks_two, TOKEN_FAULT_TAKE_APART),
  FAULTY ("leave-blind", "ended by who asks for the next, whoever has", asks_first, TOKEN_FAULT_LEAVE_BLIND),
  FAULTY ("rest-silent", "left for another thread that is not told", mixed_full, TOKEN_FAULT_REST_SILENT),
  FAULTY ("any-number", "a report that counts for another attempt", fails, TOKEN_FAULT_ANY_NUMBER),
  FAULTY ("ack-only", "delivered again although the runner asked for more", silent, TOKEN_FAULT_ACK_ONLY),
  FAULTY ("redeliver-over", "delivered again although it is over", redelivers, TOKEN_FAULT_REDELIVER_OVER),
  FAULTY ("redeliver-taken", "delivered again although it was taken", redelivers, TOKEN_FAULT_REDELIVER_TAKEN),
  FAULTY ("no-hold", "delivered again without keeping it", redelivers, TOKEN_FAULT_NO_HOLD),
  FAULTY ("runner-blind", "a runner that nobody keeps", forced, TOKEN_FAULT_RUNNER_BLIND),
  { NULL },
};
