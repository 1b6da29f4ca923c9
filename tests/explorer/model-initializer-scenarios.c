/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#include "model-initializer.h"

/* The life of the queue whose threads have to get ready, and who takes part in it.
 * See model-initializer.c for what this mirrors. */

typedef enum
{
  START_WORK,
  START_OPEN,
  START_RUN,
} Start;

static void
set_open (gboolean open)
{
  ex_lock (&ready.ready_lock);
  ready.open = open;
  if (open)
    {
      ready.broken = FALSE;
      ready.n_starts++;
      ready.n_openings++;
    }
  ready.stopping = !open;
  if (!open)
    ex_broadcast (&ready.ready_cond);
  ex_unlock (&ready.ready_lock);
}

static void
open_backend (void)
{
  set_open (TRUE);
  if (ready.scenario->changes)
    init_follow_workers ();
  ex_lock (&ready.lock);
  ready.n_wanted = (int) ex_load (&ready.workers);
  ready.n_opened++;
  if (ready.fault != INIT_FAULT_COUNT_LOST)
    ready.n_lost = ready.n_starting;
  ready.closing = ready.told = FALSE;
  for (int i = 0; i < ready.n_wanted; i++)
    init_add_puller_locked ();
  ex_unlock (&ready.lock);
  if (ready.scenario->changes)
    init_follow_workers ();
}

static gboolean
stop_resting (Start    who,
              gboolean opened)
{
  gboolean renew = FALSE;
  gboolean open;
  gboolean lift;

  ex_lock (&ready.ready_lock);
  ex_lock (&ready.view_lock);
  if (opened)
    {
      ready.life = ready.accepting ? INIT_LIFE_STARTED : INIT_LIFE_DRAINING;
      ex_broadcast (&ready.view_cond);
    }
  open = ready.life >= INIT_LIFE_STARTED;
  lift = open && (who == START_RUN || (who == START_OPEN && !ready.run_active));
  if (lift)
    ex_store (&ready.halted, 0);
  ex_unlock (&ready.view_lock);
  if (open)
    {
      renew = (lift || ready.resting) && init_recover_locked ();
      ready.resting = FALSE;
      ex_broadcast (&ready.ready_cond);
    }
  ex_unlock (&ready.ready_lock);
  if (renew && ready.fault != INIT_FAULT_NO_RENEW)
    init_workers_changed ();
  return open;
}

/* FALSE when it has been shut down. */
static gboolean
start (Start who)
{
  gboolean already;
  gboolean closed;

  do
    {
      ex_lock (&ready.view_lock);
      while (ready.life == INIT_LIFE_STARTING)
        ex_wait (&ready.view_cond, &ready.view_lock);
      already = ready.life == INIT_LIFE_STARTED || ready.life == INIT_LIFE_DRAINING;
      closed = ready.life > INIT_LIFE_DRAINING;
      if (ready.life == INIT_LIFE_NEW)
        ready.life = INIT_LIFE_STARTING;
      ex_unlock (&ready.view_lock);
      if (closed)
        return FALSE;
      if (!already)
        open_backend ();
    }
  while (!stop_resting (who, !already));
  return TRUE;
}

/* With the view lock. */
static gboolean
run_is_over_locked (void)
{
  if (!ready.run_active)
    return TRUE;
  if (ready.n_outstanding > 0)
    return FALSE;
  if (!ready.run_infinite || ready.life == INIT_LIFE_CLOSED)
    return TRUE;
  return ex_load (&ready.halted) && ready.accepting;
}

static void
end_run (void)
{
  gboolean renew = FALSE;
  gboolean over;

  ex_lock (&ready.ready_lock);
  ex_lock (&ready.view_lock);
  over = run_is_over_locked ();
  if (over)
    ready.resting = TRUE;
  ready.run_active = FALSE;
  ex_unlock (&ready.view_lock);
  if (!over)
    renew = init_recover_locked ();
  if (ready.fault == INIT_FAULT_LIFT_LATE)
    {
      ex_unlock (&ready.ready_lock);
      ex_lock (&ready.ready_lock);
    }
  ex_store (&ready.halted, 0);
  ex_unlock (&ready.ready_lock);
  if (renew)
    init_workers_changed ();
}

static void
run (gboolean infinite)
{
  ex_lock (&ready.view_lock);
  ex_assert (!ready.run_active);
  ready.run_active = TRUE;
  ready.run_infinite = infinite;
  ex_unlock (&ready.view_lock);
  if (!start (START_RUN))
    {
      ex_lock (&ready.view_lock);
      ready.run_active = FALSE;
      ex_unlock (&ready.view_lock);
      return;
    }
  ex_lock (&ready.view_lock);
  while (!run_is_over_locked ())
    ex_wait (&ready.view_cond, &ready.view_lock);
  ex_unlock (&ready.view_lock);
  end_run ();
}

static void
join (void)
{
  ex_lock (&ready.view_lock);
  while (ready.n_outstanding > 0)
    ex_wait (&ready.view_cond, &ready.view_lock);
  ex_unlock (&ready.view_lock);
}

void
init_close_backend (void)
{
  gboolean over;

  set_open (FALSE);
  ex_lock (&ready.lock);
  ready.closing = TRUE;
  over = init_is_over_locked ();
  ex_unlock (&ready.lock);
  if (over)
    init_backend_closed ();
}

/* What waits is cancelled, or let run. */
static void
shut_down (gboolean force)
{
  gboolean unopened;
  int n = 0;

  ex_lock (&ready.ready_lock);
  ex_lock (&ready.view_lock);
  while (ready.life == INIT_LIFE_STARTING)
    {
      ex_unlock (&ready.ready_lock);
      ex_wait (&ready.view_cond, &ready.view_lock);
      ex_unlock (&ready.view_lock);
      ex_lock (&ready.ready_lock);
      ex_lock (&ready.view_lock);
    }
  ready.accepting = FALSE;
  unopened = ready.life == INIT_LIFE_NEW;
  if (unopened)
    ready.life = INIT_LIFE_CLOSING;
  else if (ready.life == INIT_LIFE_STARTED)
    ready.life = INIT_LIFE_DRAINING;
  if (force || unopened)
    {
      ex_store (&ready.halted, 1);
      n = init_end_all_waiting_locked ();
    }
  ex_unlock (&ready.view_lock);
  ex_unlock (&ready.ready_lock);

  if (n > 0)
    init_count_out (n);
  if (unopened)
    {
      init_backend_closed ();
      return;
    }
  /* In the real one a drain without work does not, and it is one look. */
  stop_resting (START_WORK, FALSE);
  init_check_idle ();
  ex_lock (&ready.view_lock);
  while (ready.life != INIT_LIFE_CLOSED)
    ex_wait (&ready.view_cond, &ready.view_lock);
  ex_unlock (&ready.view_lock);
}

static void
reset (void)
{
  ex_lock (&ready.ready_lock);
  ex_lock (&ready.view_lock);
  ex_assert (ready.life == INIT_LIFE_CLOSED);
  ready.life = INIT_LIFE_NEW;
  ready.resting = TRUE;
  ready.accepting = TRUE;
  ex_store (&ready.halted, 0);
  ex_unlock (&ready.view_lock);
  ex_unlock (&ready.ready_lock);
}

/* The threads. */

static void
do_step (char step)
{
  switch (step)
    {
    case 't':
      init_submit ();
      break;
    case 's':
      start (START_OPEN);
      break;
    case 'w':
      start (START_WORK);
      break;
    case 'r':
    case 'i':
      run (step == 'i');
      break;
    case 'j':
      join ();
      break;
    case 'c':
    case 'f':
      shut_down (step == 'f');
      break;
    case 'R':
      reset ();
      break;
    case 'g':
      ex_store (&ready.let_go, 1);
      break;
    case '1':
    case '2':
      init_set_workers (step - '0');
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
do_steps (gpointer steps)
{
  for (const char *step = steps; *step != '\0'; step++)
    do_step (*step);
}

static void
setup (const ExModel *model)
{
  static const char *const pullers[] = { "puller 1", "puller 2", "puller 3", "puller 4", "puller 5", "puller 6" };
  const InitScenario *scenario = model->data;

  memset (&ready, 0, sizeof ready);
  ready.scenario = scenario;
  ready.fault = (InitFault) model->variant;
  ready.resting = ready.closing = ready.told = TRUE;
  ready.limit = scenario->n_workers;
  ex_init (&ready.workers, scenario->n_workers);
  ready.n_ready = scenario->n_tasks;
  ready.n_outstanding = scenario->n_tasks;
  ready.accepting = TRUE;
  ex_init (&ready.n_failures, scenario->n_failures);

  ex_spawn ("owner", EX_THREAD_DEFAULT, do_steps, (gpointer) scenario->owner);
  if (scenario->other != NULL)
    ex_spawn ("other", EX_THREAD_DEFAULT, do_steps, (gpointer) scenario->other);
  for (int i = 0; i < INIT_MAX_THREADS; i++)
    ex_spawn_when (pullers[i], EX_THREAD_MAY_SLEEP, init_puller, NULL, &ready.made);
}

static const char *
check (const ExModel *model)
{
  const int n_hung = ready.n_starting;

  if (n_hung != (ready.scenario->hangs == INIT_HANGS_FOR_EVER && ready.n_calls.value > 0))
    return "threads that get ready were counted wrong";
  if (ready.n_outstanding > 0 && !ready.resting)
    return "stuck: a task was not taken, and nobody will";
  if (ready.broken && !ready.resting && !ready.halted.value && ready.open)
    return "a broken queue accepts tasks";
  if (ready.life == INIT_LIFE_CLOSED && (ready.n_threads != n_hung || ready.n_serving != 0 || ready.n_outstanding != 0))
    return "threads or tasks are left";
  if (ready.life == INIT_LIFE_STARTED && !ready.broken &&
      (ready.n_threads - ready.n_lost != ready.n_wanted || ready.n_serving != ready.n_wanted - (n_hung - ready.n_lost)))
    return "there are not as many threads as workers";
  return NULL;
}

static const InitScenario fails = { "r", NULL, 2, 2, 1 };
static const InitScenario fails_all = { "rtr", NULL, 2, 1, 2, .must_fail = TRUE };
static const InitScenario fails_again = { "rtr", NULL, 1, 1, 2 };
static const InitScenario infinite = { "itr", NULL, 1, 0, 1, .must_fail = TRUE };
static const InitScenario submits = { "rr", "t", 1, 1, 1, .must_fail = TRUE };
static const InitScenario starts = { "r", "stwj", 1, 1, 2, .must_fail = TRUE };
static const InitScenario opens = { "stjstj", NULL, 1, 0, 1, .must_fail = TRUE };
static const InitScenario changes = { "rtr", "2", 1, 1, 1, .must_fail = TRUE, .changes = TRUE };
static const InitScenario changes_less = { "r", "1", 2, 1, 1, .changes = TRUE };
static const InitScenario closes = { "r", "c", 1, 1, 1 };
static const InitScenario closes_run = { "rtr", "c", 1, 1, 2 };
static const InitScenario reopens = { "rcRtr", "t", 1, 1, 2 };
static const InitScenario closes_two = { "sc", NULL, 2, 1, 1 };
static const InitScenario closes_force = { "s", "f", 1, 1, 1 };
static const InitScenario late = { "rtr", "g", 2, 1, 1, .must_fail = TRUE, .hangs = INIT_HANGS_AND_FAILS };
static const InitScenario hangs = { "sfR" "tr", "g", 1, 0, 0, .hangs = INIT_HANGS_AND_SUCCEEDS };
static const InitScenario hangs_fails = { "sfR" "trtr", NULL, 1, 0, 1, .must_fail = TRUE,
                                          .hangs = INIT_HANGS_FOR_EVER };
static const InitScenario hangs_closes = { "sf", NULL, 1, 1, 0, .hangs = INIT_HANGS_FOR_EVER };

#define CLEAN(name, summary, scenario, more) { name, summary, setup, check, &scenario, INIT_FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_initializer_models[] = {
  CLEAN ("fail", "one thread of two does not get ready", fails, 0),
  CLEAN ("fail-all", "none does, and the next run succeeds", fails_all, -1),
  CLEAN ("fail-again", "runs that fail and succeed", fails_again, 0),
  CLEAN ("infinite", "an infinite run without tasks that fails", infinite, 0),
  CLEAN ("submit", "a task that comes while it fails", submits, 0),
  CLEAN ("start", "a queue that is started by another thread when a run has failed", starts, 0),
  CLEAN ("open", "a queue that fails outside a run", opens, 0),
  CLEAN ("change", "more workers meanwhile", changes, -2),
  CLEAN ("change-less", "fewer workers meanwhile", changes_less, -2),
  CLEAN ("close", "a shutdown meanwhile", closes, 0),
  CLEAN ("close-two", "a shutdown while two threads get ready", closes_two, 0),
  CLEAN ("close-run", "a shutdown when it has failed", closes_run, -1),
  CLEAN ("close-reset", "the same, and then it is opened again", reopens, -1),
  CLEAN ("close-force", "the same, and nothing is let run", closes_force, 0),
  CLEAN ("late", "a failure that comes after the next start", late, -1),
  CLEAN ("hang", "a thread that gets ready when the backend was opened again", hangs, 0),
  CLEAN ("hang-fail", "one that never does, and others that fail", hangs_fails, 0),
  CLEAN ("hang-close", "a shutdown next to one that never does", hangs_closes, 0),

  FAULTY ("fail-apart", "marked as broken and halted in two steps", submits, INIT_FAULT_FAIL_APART),
  FAULTY ("stale", "a failure that counts whatever was started since", late, INIT_FAULT_STALE),
  FAULTY ("no-renew", "a start that does not make up for threads that have left", fails_all, INIT_FAULT_NO_RENEW),
  FAULTY ("no-place", "a place that was counted on while its thread left", fails_all, INIT_FAULT_NO_PLACE),
  FAULTY ("lift-late", "a run that lets tasks in again after another start", starts, INIT_FAULT_LIFT_LATE),
  FAULTY ("other-opening", "a thread that is ready for what has been closed", hangs, INIT_FAULT_OTHER_OPENING),
  FAULTY ("other-open", "one that is ready as it is opened again", hangs, INIT_FAULT_OTHER_OPEN),
  FAULTY ("count-lost", "a thread counted on that may never get ready", hangs_fails, INIT_FAULT_COUNT_LOST),
  FAULTY ("no-idle", "an infinite run that is not told", infinite, INIT_FAULT_NO_IDLE),
  FAULTY ("wait-starting", "an end that waits for threads that get ready", hangs_closes, INIT_FAULT_WAIT_STARTING),
  { NULL },
};
