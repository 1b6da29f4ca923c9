/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * Waiting for the end of a task, and for the end of all work.
 *
 * Mirrors osiiso-scheduler-wait.c (wait_record, wait_until for threads, cancelled_cb,
 * add_waiter, remove_waiter, wake_waiters), osiiso-wait.c (enter, leave, graph_update),
 * and what osiiso-scheduler.c and osiiso-scheduler-life.c do at the end of a task
 * (set_status, record_ended, count_out) and to lower the number of workers (set_limit).
 *
 * Nobody waits for ever, and an asynchronous waiter gets exactly one answer. A task
 * that waits, with the last worker, is refused, and nobody is left in the graph.
 */

typedef enum
{
  FAULT_NONE,
  FAULT_TWO_WORDS,        /* flag and status are two words, the flag looked at first */
  FAULT_LOOK_FIRST,       /* a waiter looks at the status, then sets the flag */
  FAULT_UNLOCKED,         /* waiters are woken without the lock */
  FAULT_CANCEL_UNLOCKED,  /* the same when a wait is cancelled */
  FAULT_COUNT_UNLOCKED,   /* the last task is counted without the lock */
  FAULT_ADD_LATE,         /* a task looks for workers, then adds itself to the graph */
  FAULT_LOWER_FIRST,      /* who lowers looks for waits, then does it */
  FAULT_REFUSE_UNLOCKED,  /* a task is refused without the lock that it waits with */
  FAULT_DECIDE_LATE,      /* a task looks whether it was refused when it has let go of the graph */
} Fault;

enum
{
  FINAL  = 1 << 0,
  WAITED = 1 << 1,
};

typedef struct
{
  gboolean two_words; /* flag and status apart, but the status set first */
  int      n_threads; /* that wait */
  gboolean async;     /* a GTask waits too */
  gboolean removes;   /* and is cancelled */
  gboolean cancels;   /* a thread waits with a cancellable, which is cancelled */
  gboolean endless;   /* the task does not end */
  gboolean joins;     /* a thread waits for all work; otherwise there is always some */
  int      n_tasks;   /* that wait, each on a worker */
  gboolean lowers;    /* the number of workers, to as many as that */
} Scenario;

static struct
{
  const Scenario *scenario;
  Fault    fault;
  ExAtomic word;
  ExAtomic flag; /* of two words */
  ExMutex  ready_lock;
  ExAtomic n_outstanding; /* written with ready_lock: nobody comes in here */
  ExMutex  view_lock;
  ExCond   view_cond;
  gboolean in_list;   /* view_lock: the GTask */
  ExAtomic cancelled;
  ExAtomic n_answers; /* to the GTask */
  ExAtomic added;
  ExMutex  graph_lock;
  ExAtomic n_waits;     /* written with graph_lock */
  gboolean in_graph[2]; /* graph_lock */
  ExAtomic refused[2];  /* written with graph_lock */
  int      limit;       /* ready_lock */
} s;

static gboolean
has_two_words (void)
{
  return s.scenario->two_words || s.fault == FAULT_TWO_WORDS;
}

/* Says that somebody waits; TRUE when the task has ended already. */
static gboolean
set_waited (void)
{
  gboolean final;

  if (has_two_words ())
    {
      ex_store (&s.flag, 1);
      return (ex_load (&s.word) & FINAL) != 0;
    }
  if (s.fault == FAULT_LOOK_FIRST)
    {
      final = (ex_load (&s.word) & FINAL) != 0;
      ex_or (&s.word, WAITED);
      return final;
    }
  return (ex_or (&s.word, WAITED) & FINAL) != 0;
}

static void
complete_task (void)
{
  ex_assert (ex_holds_nothing ());
  ex_add (&s.n_answers, 1);
}

static void
wake_waiters (void)
{
  gboolean in_list;

  if (s.fault == FAULT_UNLOCKED)
    {
      ex_broadcast (&s.view_cond);
      return;
    }
  ex_lock (&s.view_lock);
  in_list = s.in_list;
  s.in_list = FALSE;
  ex_broadcast (&s.view_cond);
  ex_unlock (&s.view_lock);
  if (in_list)
    complete_task ();
}

static void
count_out (void)
{
  ex_lock (&s.ready_lock);
  if (s.fault == FAULT_COUNT_UNLOCKED || ex_load (&s.n_outstanding) > 1)
    {
      if (ex_add (&s.n_outstanding, -1) == 1)
        ex_broadcast (&s.view_cond);
    }
  else
    {
      ex_lock (&s.view_lock);
      ex_add (&s.n_outstanding, -1);
      ex_broadcast (&s.view_cond);
      ex_unlock (&s.view_lock);
    }
  ex_unlock (&s.ready_lock);
}

static void
end_task (gpointer unused)
{
  gboolean waited;

  if (s.fault == FAULT_TWO_WORDS)
    {
      waited = ex_load (&s.flag) != 0;
      ex_store (&s.word, FINAL);
    }
  else if (has_two_words ())
    {
      ex_store (&s.word, FINAL);
      waited = ex_load (&s.flag) != 0;
    }
  else
    {
      waited = (ex_or (&s.word, FINAL) & WAITED) != 0;
    }
  count_out ();
  if (waited)
    wake_waiters ();
}

static void
end_other (gpointer unused)
{
  count_out ();
}

static void
wait_record (gpointer cancellable)
{
  if (ex_load (&s.word) & FINAL)
    return;
  set_waited ();
  ex_lock (&s.view_lock);
  while (!(ex_load (&s.word) & FINAL) && !(cancellable != NULL && ex_load (&s.cancelled)))
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
}

static void
cancel_wait (gpointer unused)
{
  ex_store (&s.cancelled, 1);
  if (s.fault == FAULT_CANCEL_UNLOCKED)
    {
      ex_broadcast (&s.view_cond);
      return;
    }
  ex_lock (&s.view_lock);
  ex_broadcast (&s.view_cond);
  ex_unlock (&s.view_lock);
}

static void
join_all (gpointer unused)
{
  ex_lock (&s.view_lock);
  while (ex_load (&s.n_outstanding) > 0)
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
}

static void
add_waiter (gpointer unused)
{
  gboolean done;

  ex_lock (&s.view_lock);
  done = set_waited ();
  if (!done)
    s.in_list = TRUE;
  ex_unlock (&s.view_lock);
  if (done)
    complete_task ();
  ex_store (&s.added, 1);
}

/* In the real one it comes again until it finds the GTask in its list or gone. */
static void
remove_waiter (gpointer unused)
{
  gboolean in_list;

  ex_await (&s.added);
  ex_lock (&s.view_lock);
  in_list = s.in_list;
  s.in_list = FALSE;
  ex_unlock (&s.view_lock);
  if (in_list)
    complete_task ();
}

/* With the graph: whether tasks that wait have all workers. */
static gboolean
is_hopeless (void)
{
  int n_held = 0;
  int limit;

  for (int i = 0; i < 2; i++)
    n_held += s.in_graph[i] && !ex_load (&s.refused[i]) ? 1 : 0;
  ex_lock (&s.ready_lock);
  limit = s.limit;
  ex_unlock (&s.ready_lock);
  return n_held >= limit && !(ex_load (&s.word) & FINAL);
}

static void
resolve (void)
{
  for (int i = 1; i >= 0; i--)
    {
      if (!s.in_graph[i] || ex_load (&s.refused[i]) || !is_hopeless ())
        continue;
      ex_store (&s.refused[i], 1);
      if (s.fault != FAULT_REFUSE_UNLOCKED)
        ex_lock (&s.view_lock);
      ex_broadcast (&s.view_cond);
      if (s.fault != FAULT_REFUSE_UNLOCKED)
        ex_unlock (&s.view_lock);
    }
}

static gboolean
enter_graph (int me)
{
  gboolean ok = TRUE;
  int limit = 0;

  if (s.fault == FAULT_ADD_LATE)
    {
      ex_lock (&s.ready_lock);
      limit = s.limit;
      ex_unlock (&s.ready_lock);
    }
  ex_lock (&s.graph_lock);
  s.in_graph[me] = TRUE;
  ex_add (&s.n_waits, 1);
  if (s.fault != FAULT_ADD_LATE || limit <= 1)
    resolve ();
  ok = !ex_load (&s.refused[me]);
  if (!ok)
    {
      s.in_graph[me] = FALSE;
      ex_add (&s.n_waits, -1);
    }
  ex_unlock (&s.graph_lock);
  if (ok && s.fault == FAULT_DECIDE_LATE)
    ok = !ex_load (&s.refused[me]);
  return ok;
}

static void
wait_in_task (gpointer data)
{
  const int me = GPOINTER_TO_INT (data);

  if (!enter_graph (me))
    return;
  set_waited ();
  ex_lock (&s.view_lock);
  while (!(ex_load (&s.word) & FINAL) && !ex_load (&s.refused[me]))
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
  ex_lock (&s.graph_lock);
  s.in_graph[me] = FALSE;
  ex_add (&s.n_waits, -1);
  ex_unlock (&s.graph_lock);
}

static void
lower (gpointer unused)
{
  const gboolean nobody = s.fault == FAULT_LOWER_FIRST && ex_load (&s.n_waits) == 0;

  ex_lock (&s.ready_lock);
  s.limit = 1;
  ex_unlock (&s.ready_lock);
  if (nobody || ex_load (&s.n_waits) == 0)
    return;
  ex_lock (&s.graph_lock);
  resolve ();
  ex_unlock (&s.graph_lock);
}

static void
setup (const ExModel *model)
{
  static const char *const names[] = { "waiter 1", "waiter 2" };
  static const char *const tasks[] = { "task 1", "task 2" };
  const Scenario *scenario = model->data;

  memset (&s, 0, sizeof s);
  s.scenario = scenario;
  s.fault = (Fault) model->variant;
  ex_init (&s.n_outstanding, 2);
  s.limit = scenario->n_tasks + 1;

  if (!scenario->endless)
    ex_spawn ("worker", EX_THREAD_DEFAULT, end_task, NULL);
  for (int i = 0; i < scenario->n_threads; i++)
    ex_spawn (names[i], EX_THREAD_DEFAULT, wait_record, NULL);
  for (int i = 0; i < scenario->n_tasks; i++)
    ex_spawn (tasks[i], EX_THREAD_DEFAULT, wait_in_task, GINT_TO_POINTER (i));
  if (scenario->lowers)
    ex_spawn ("lowerer", EX_THREAD_DEFAULT, lower, NULL);
  if (scenario->async)
    ex_spawn ("adder", EX_THREAD_DEFAULT, add_waiter, NULL);
  if (scenario->removes)
    ex_spawn ("remover", EX_THREAD_DEFAULT, remove_waiter, NULL);
  if (scenario->cancels)
    {
      ex_spawn ("cancelled", EX_THREAD_DEFAULT, wait_record, &s.cancelled);
      ex_spawn ("canceller", EX_THREAD_DEFAULT, cancel_wait, NULL);
    }
  if (scenario->joins)
    {
      ex_spawn ("other worker", EX_THREAD_DEFAULT, end_other, NULL);
      ex_spawn ("joiner", EX_THREAD_DEFAULT, join_all, NULL);
    }
}

static const char *
check (const ExModel *model)
{
  const Scenario *scenario = model->data;

  if (scenario->async && s.n_answers.value != 1)
    return s.n_answers.value == 0 ? "an asynchronous waiter got no answer" : "it got two answers";
  if (s.n_waits.value != 0)
    return "a wait was left in the graph";
  if (scenario->n_tasks > 0 && scenario->endless && !s.refused[0].value && !s.refused[1].value)
    return "nobody was refused";
  if (!scenario->lowers && (s.refused[0].value || s.refused[1].value))
    return "a wait was refused that could end";
  return NULL;
}

static const Scenario one = { .n_threads = 1 };
static const Scenario two = { .n_threads = 2 };
static const Scenario two_words = { .n_threads = 2, .two_words = TRUE };
static const Scenario async = { .async = TRUE };
static const Scenario async_removed = { .async = TRUE, .removes = TRUE };
static const Scenario all = { .n_threads = 1, .async = TRUE, .removes = TRUE, .joins = TRUE };
static const Scenario cancels = { .cancels = TRUE };
static const Scenario cancels_endless = { .cancels = TRUE, .endless = TRUE };
static const Scenario joins = { .joins = TRUE };
static const Scenario in_tasks = { .n_tasks = 2 };
static const Scenario lowers = { .n_tasks = 1, .lowers = TRUE };
static const Scenario lowers_endless = { .n_tasks = 1, .lowers = TRUE, .endless = TRUE };
static const Scenario lowers_two = { .n_tasks = 2, .lowers = TRUE, .endless = TRUE };

#define CLEAN(name, summary, scenario, ...) { name, summary, setup, check, &scenario, FAULT_NONE, FALSE, __VA_ARGS__ }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_waiter_models[] = {
  CLEAN ("one", "a thread that waits for a task", one, 1, 2),
  CLEAN ("two", "two of them", two, 0),
  CLEAN ("two-words", "flag and status in two words, set and looked at in the right order", two_words, 0),
  CLEAN ("async", "an asynchronous waiter", async, 0),
  CLEAN ("async-cancel", "an asynchronous waiter that is cancelled", async_removed, 0),
  CLEAN ("cancel", "a thread whose wait is cancelled", cancels, 0),
  CLEAN ("cancel-endless", "the same for a task that does not end", cancels_endless, 0),
  CLEAN ("join", "a thread that waits for all work", joins, 0),
  CLEAN ("all", "a thread, an asynchronous waiter, and one for all work", all, -1),
  CLEAN ("in-tasks", "two tasks that wait, with a worker left", in_tasks, 0),
  CLEAN ("lower", "a task that waits, and a number of workers that is lowered", lowers, 0),
  CLEAN ("lower-endless", "the same for a task that does not end, because it has no worker", lowers_endless, 1),
  CLEAN ("lower-two", "two tasks that do", lowers_two, 0),

  FAULTY ("two-words-disorder", "flag and status in two words, looked at in the wrong order", one, FAULT_TWO_WORDS),
  FAULTY ("look-first", "the status looked at before the flag is set", async, FAULT_LOOK_FIRST),
  FAULTY ("unlocked", "woken without the lock", one, FAULT_UNLOCKED),
  FAULTY ("cancel-unlocked", "cancelled without the lock", cancels_endless, FAULT_CANCEL_UNLOCKED),
  FAULTY ("count-unlocked", "counted without the lock", joins, FAULT_COUNT_UNLOCKED),
  FAULTY ("add-late", "looked for workers, then added to the graph", lowers_endless, FAULT_ADD_LATE),
  FAULTY ("lower-first", "looked for waits, then lowered the number of workers", lowers_endless, FAULT_LOWER_FIRST),
  FAULTY ("refuse-unlocked", "refused without the lock", lowers_endless, FAULT_REFUSE_UNLOCKED),
  FAULTY ("decide-late", "looked for a refusal when it had let go of the graph", lowers_endless, FAULT_DECIDE_LATE),
  { NULL },
};
