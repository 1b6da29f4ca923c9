/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * How many threads there are: when functions of interrupted tasks keep theirs, the
 * number of workers changes, and the backend closes.
 *
 * Mirrors osiiso-thread-pool-backend.c (puller, init_thread, may_stay_locked,
 * is_over_locked, add_puller_locked, interrupt, workers_changed, close; but not that
 * an initializer may fail), of osiiso-scheduler-take.c what counts in serve, exchange
 * and write_off, claim in osiiso-attempt.c, leave in osiiso-attempt-run.c, begin_init in
 * osiiso-initializer.c, and osiiso_scheduler_set_workers(). Who is woken is the matter
 * of another model: here all sleepers are.
 *
 * In the end there are as many threads as workers, not counting those that are
 * stuck, and the queue counts the same; no task waits next to them; and the queue
 * is told exactly once that the backend has closed, whatever is stuck or gets ready.
 */

typedef enum
{
  FAULT_NONE,
  FAULT_NO_WRITE_OFF,   /* the queue counts a stuck thread among those that serve */
  FAULT_STUCK_IN_PARTS, /* claimed, then looked whether somebody is inside */
  FAULT_STAY_IN_PARTS,  /* decided to end, counted later */
  FAULT_NO_SPARE,       /* nobody takes the place of a stuck thread */
  FAULT_TOLD_TWICE,     /* nobody remembers that the queue was told */
  FAULT_INIT_BLIND,     /* the initializer is called although the end has come */
  FAULT_WAIT_STUCK,     /* the end waits for stuck threads too */
  FAULT_LIMIT_LAST,     /* the queue hears of more workers after the backend */
  FAULT_LIMIT_LATE,     /* or after the backend may have looked */
  FAULT_LIMIT_FIRST,    /* and of fewer before it */
} Fault;

enum
{
  CLAIMED = 1 << 0,
  INSIDE  = 1 << 1,
  STUCK   = 1 << 2,
};

typedef enum
{
  END_CLOSED,
  END_SURPLUS,
  END_INTERRUPTED,
} ServeEnd;

#define MAX_THREADS 4
#define MAX_TASKS   2

typedef struct
{
  int      n_workers;
  int      n_tasks;
  gboolean hangs;      /* the first one does not return */
  gboolean interrupts; /* somebody interrupts it while it runs */
  int      workers[2]; /* somebody sets these; 0: no more */
  gboolean renews;     /* meanwhile the backend is told to look at them anyway */
  gboolean closes;     /* when all tasks have ended */
  gboolean inits;      /* threads call an initializer first */
  gboolean init_hangs; /* which does not return in the first one */
} Scenario;

static struct
{
  const Scenario *scenario;
  Fault    fault;

  /* The queue. */
  ExMutex  ready_lock;
  ExCond   ready_cond;
  int      n_taken;
  int      n_serving;
  int      limit;
  gboolean stopping;
  ExAtomic states[MAX_TASKS];
  ExAtomic n_outstanding;
  ExAtomic all_ended;

  /* The backend. */
  ExAtomic workers;   /* of the queue, as the backend may see them */
  ExMutex  lock;
  guint    n_wanted;
  guint    n_threads;
  guint    n_stuck;
  guint    n_starting;
  gboolean closing;
  gboolean told;
  guint    n_made; /* with the lock: of the threads below */
  ExAtomic made[MAX_THREADS];
  ExAtomic n_told;

  ExAtomic entered; /* the first task */
  ExAtomic never;
} s;

static void
end_task (void)
{
  if (ex_add (&s.n_outstanding, -1) == 1)
    ex_store (&s.all_ended, 1);
}

static void
call_function (int task)
{
  ex_assert (ex_holds_nothing ());
  if (task > 0)
    return;
  ex_store (&s.entered, 1);
  if (s.scenario->hangs)
    ex_await (&s.never);
}

/* TRUE when the thread was written off meanwhile. */
static gboolean
perform (int task)
{
  gint64 state = ex_or (&s.states[task], INSIDE);
  gint64 left;

  if (!(state & CLAIMED))
    call_function (task);
  state = ex_load (&s.states[task]);
  do
    left = (state & ~(gint64) INSIDE) | CLAIMED;
  while (!ex_cas (&s.states[task], &state, left));
  if (!(state & CLAIMED))
    end_task ();
  return (left & STUCK) != 0;
}

static ServeEnd
serve (void)
{
  ServeEnd end = END_CLOSED;

  ex_lock (&s.ready_lock);
  s.n_serving++;
  for (;;)
    {
      const int task = s.n_taken;

      if (s.n_serving > s.limit)
        {
          end = END_SURPLUS;
          break;
        }
      if (task < s.scenario->n_tasks)
        {
          s.n_taken++;
          ex_unlock (&s.ready_lock);
          if (perform (task))
            return END_INTERRUPTED;
          ex_lock (&s.ready_lock);
          continue;
        }
      if (s.stopping)
        break;
      ex_wait (&s.ready_cond, &s.ready_lock);
    }
  s.n_serving--;
  ex_unlock (&s.ready_lock);
  return end;
}

static gboolean
is_over_locked (void)
{
  gboolean over = s.closing && !s.told &&
                  (s.fault == FAULT_WAIT_STUCK ? s.n_threads == 0 : s.n_threads == s.n_stuck + s.n_starting);

  if (s.fault != FAULT_TOLD_TWICE)
    s.told |= over;
  return over;
}

static void
tell_closed (void)
{
  ex_assert (ex_holds_nothing ());
  ex_add (&s.n_told, 1);
}

static void
add_puller_locked (void)
{
  if (s.n_made == MAX_THREADS)
    ex_fail_at ("there are far too many threads", EX_HERE ("add puller"));
  s.n_threads++;
  ex_store (&s.made[s.n_made++], 1);
}

static gboolean
may_stay_locked (ServeEnd end)
{
  if (end == END_INTERRUPTED)
    s.n_stuck--;
  return !s.closing && end != END_CLOSED && s.n_threads - 1 - s.n_stuck < s.n_wanted;
}

/* FALSE when the thread must not take anything. */
static gboolean
init_thread (int number)
{
  gboolean ok;

  ex_lock (&s.lock);
  s.n_starting++;
  ex_unlock (&s.lock);

  /* begin_init() */
  ex_lock (&s.ready_lock);
  ok = !s.stopping || s.fault == FAULT_INIT_BLIND;
  ex_unlock (&s.ready_lock);
  if (ok && s.scenario->init_hangs && number == 0)
    ex_await (&s.never);

  ex_lock (&s.lock);
  s.n_starting--;
  ex_unlock (&s.lock);
  return ok;
}

static void
puller (gpointer data)
{
  guint n_surplus = 0;
  gboolean ready;
  gboolean stay;
  gboolean over;

  ex_await (&s.made[GPOINTER_TO_INT (data)]);
  ready = !s.scenario->inits || init_thread (GPOINTER_TO_INT (data));
  do
    {
      ServeEnd end = ready ? serve () : END_CLOSED;

      ex_lock (&s.lock);
      stay = may_stay_locked (end);
      if (!stay && s.fault == FAULT_STAY_IN_PARTS)
        {
          ex_unlock (&s.lock);
          ex_lock (&s.lock);
        }
      if (!stay)
        s.n_threads--;
      over = is_over_locked ();
      ex_unlock (&s.lock);
      /* Once it may have been too many and be needed again. */
      if (stay && end == END_SURPLUS && ++n_surplus > 1)
        ex_fail_at ("a thread comes and goes until the queue knows of more workers", EX_HERE ("stay"));
    }
  while (stay);
  if (over)
    tell_closed ();
}

/* The first task takes too long. */
static void
interrupt (gpointer unused)
{
  gint64 old;
  gint64 flags;
  gboolean over = FALSE;

  ex_await (&s.entered);
  old = ex_load (&s.states[0]);
  do
    {
      if (old & CLAIMED)
        return;
      flags = CLAIMED;
      if ((old & INSIDE) && s.fault != FAULT_STUCK_IN_PARTS)
        flags |= STUCK;
    }
  while (!ex_cas (&s.states[0], &old, old | flags));
  if (s.fault == FAULT_STUCK_IN_PARTS && (ex_load (&s.states[0]) & INSIDE))
    {
      flags |= STUCK;
      ex_or (&s.states[0], STUCK);
    }

  if (flags & STUCK)
    {
      ex_lock (&s.ready_lock);
      if (s.fault != FAULT_NO_WRITE_OFF)
        s.n_serving--;
      ex_unlock (&s.ready_lock);

      ex_lock (&s.lock);
      s.n_stuck++;
      if (!s.closing && s.fault != FAULT_NO_SPARE)
        add_puller_locked ();
      over = is_over_locked ();
      ex_unlock (&s.lock);
      if (over)
        tell_closed ();
    }
  end_task ();
}

static void
set_limit (int limit)
{
  ex_lock (&s.ready_lock);
  s.limit = limit;
  ex_broadcast (&s.ready_cond);
  ex_unlock (&s.ready_lock);
}

static void
workers_changed (void)
{
  ex_lock (&s.lock);
  s.n_wanted = (guint) ex_load (&s.workers);
  while (!s.closing && s.n_threads - s.n_stuck < s.n_wanted)
    add_puller_locked ();
  ex_unlock (&s.lock);
}

static void
set_workers (gpointer unused)
{
  for (int i = 0; i < 2 && s.scenario->workers[i] > 0; i++)
    {
      const int workers = s.scenario->workers[i];
      const gboolean limit_first = s.fault == FAULT_LIMIT_FIRST ||
                                   (workers > s.limit && s.fault != FAULT_LIMIT_LAST);

      if (limit_first && s.fault != FAULT_LIMIT_LATE)
        set_limit (workers);
      ex_store (&s.workers, workers);
      if (limit_first && s.fault == FAULT_LIMIT_LATE)
        set_limit (workers);
      workers_changed ();
      if (!limit_first)
        set_limit (workers);
    }
}

/* osiiso_scheduler_renew_workers() */
static void
renew (gpointer unused)
{
  workers_changed ();
}

static void
close_when_over (gpointer unused)
{
  gboolean over;

  ex_await (&s.all_ended);
  /* set_open() */
  ex_lock (&s.ready_lock);
  s.stopping = TRUE;
  ex_broadcast (&s.ready_cond);
  ex_unlock (&s.ready_lock);

  ex_lock (&s.lock);
  s.closing = TRUE;
  over = is_over_locked ();
  ex_unlock (&s.lock);
  if (over)
    tell_closed ();
}

static void
setup (const ExModel *model)
{
  static const char *const pullers[] = { "puller 1", "puller 2", "puller 3", "puller 4" };
  const Scenario *scenario = model->data;

  memset (&s, 0, sizeof s);
  s.scenario = scenario;
  s.fault = (Fault) model->variant;
  s.limit = scenario->n_workers;
  ex_init (&s.workers, scenario->n_workers);
  s.n_wanted = s.n_threads = s.n_made = (guint) scenario->n_workers;
  ex_init (&s.n_outstanding, scenario->n_tasks);

  for (int i = 0; i < MAX_THREADS; i++)
    {
      ex_init (&s.made[i], i < scenario->n_workers);
      ex_spawn (pullers[i], EX_THREAD_MAY_SLEEP, puller, GINT_TO_POINTER (i));
    }
  if (scenario->interrupts)
    ex_spawn ("timer", EX_THREAD_DEFAULT, interrupt, NULL);
  if (scenario->workers[0] > 0)
    ex_spawn ("owner", EX_THREAD_DEFAULT, set_workers, NULL);
  if (scenario->renews)
    ex_spawn ("starter", EX_THREAD_DEFAULT, renew, NULL);
  if (scenario->closes)
    ex_spawn ("closer", EX_THREAD_DEFAULT, close_when_over, NULL);
}

static const char *
check (const ExModel *model)
{
  const Scenario *scenario = model->data;
  const guint n_stuck = scenario->hangs ? 1 : 0;
  /* The initializer hangs, unless the end came before it. */
  const guint n_starting = scenario->init_hangs ? s.n_starting : 0;

  if (s.n_outstanding.value != 0)
    return "stuck: a task was not taken, and nobody will";
  if (s.n_stuck != n_stuck || s.n_starting != n_starting)
    return "stuck threads were counted wrong";
  if (scenario->closes && (s.n_told.value != 1 || s.n_threads != n_stuck + n_starting || s.n_serving != 0))
    return s.n_told.value != 1 ? "the end was not told once" : "threads are left";
  if (!scenario->closes && (s.n_threads - n_stuck != s.n_wanted || s.n_serving != s.limit))
    return "there are not as many threads as workers";
  return NULL;
}

static const Scenario returns = { 1, 2, .interrupts = TRUE };
static const Scenario returns_two = { 2, 2, .interrupts = TRUE };
static const Scenario hangs = { 1, 2, .interrupts = TRUE, .hangs = TRUE };
static const Scenario closes = { 2, 1, .closes = TRUE };
static const Scenario closes_returns = { 1, 2, .interrupts = TRUE, .closes = TRUE };
static const Scenario closes_hangs = { 1, 2, .interrupts = TRUE, .hangs = TRUE, .closes = TRUE };
static const Scenario closes_inits = { 2, 1, .inits = TRUE, .closes = TRUE };
static const Scenario closes_init_hangs = { 2, 1, .inits = TRUE, .init_hangs = TRUE, .closes = TRUE };
static const Scenario grows = { 1, 1, .interrupts = TRUE, .workers = { 2 } };
static const Scenario shrinks = { 2, 1, .interrupts = TRUE, .workers = { 1 } };
static const Scenario grows_renews = { 1, 1, .workers = { 2 }, .renews = TRUE };
static const Scenario shrinks_renews = { 2, 1, .workers = { 1 }, .renews = TRUE };
static const Scenario shrinks_grows = { 2, 1, .workers = { 1, 2 } };

#define CLEAN(name, summary, scenario, more) { name, summary, setup, check, &scenario, FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_thread_pool_models[] = {
  CLEAN ("return", "a function that returns while it is interrupted", returns, 0),
  CLEAN ("return-two", "the same with two workers", returns_two, -1),
  CLEAN ("hang", "a function that never returns", hangs, 0),
  CLEAN ("close", "a backend that closes", closes, 0),
  CLEAN ("close-return", "the same with a function that returns while it is interrupted", closes_returns, 0),
  CLEAN ("close-hang", "the same with a function that never returns", closes_hangs, 0),
  CLEAN ("close-init", "a backend that closes while a thread gets ready", closes_inits, -1),
  CLEAN ("close-init-hang", "the same with a thread that never does", closes_init_hangs, 0),
  CLEAN ("grow", "more workers meanwhile", grows, -1),
  CLEAN ("shrink", "fewer workers meanwhile", shrinks, -1),
  CLEAN ("grow-renew", "more workers while the backend looks at them anyway", grows_renews, -1),
  CLEAN ("shrink-renew", "fewer workers meanwhile", shrinks_renews, -1),
  CLEAN ("shrink-grow", "fewer workers, then more", shrinks_grows, -1),

  FAULTY ("no-write-off", "a stuck thread counted among those that serve", hangs, FAULT_NO_WRITE_OFF),
  FAULTY ("stuck-in-parts", "claimed, then looked who is inside", returns, FAULT_STUCK_IN_PARTS),
  FAULTY ("stay-in-parts", "decided to end and counted in two steps", shrinks_grows, FAULT_STAY_IN_PARTS),
  FAULTY ("no-spare", "nobody takes the place of a stuck thread", hangs, FAULT_NO_SPARE),
  FAULTY ("told-twice", "nobody remembers that the queue was told", closes_returns, FAULT_TOLD_TWICE),
  FAULTY ("init-blind", "an initializer called although the end has come", closes_init_hangs, FAULT_INIT_BLIND),
  FAULTY ("limit-last", "a queue that hears of more workers too late", grows, FAULT_LIMIT_LAST),
  FAULTY ("limit-late", "one that hears when the backend may have looked", grows_renews, FAULT_LIMIT_LATE),
  FAULTY ("limit-first", "a queue that hears of fewer workers too early", shrinks, FAULT_LIMIT_FIRST),
  FAULTY ("wait-stuck", "an end that waits for stuck threads", closes_hangs, FAULT_WAIT_STUCK),
  { NULL },
};
