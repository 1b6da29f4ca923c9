/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/*
 * A queue with a size: who waits for room, who frees it, and the end.
 *
 * Mirrors osiiso-admission.c (judge_first_locked, judge_locked, serve_line_locked,
 * act, unlock_line, update, set_size, enter, leave, wait_in_line), answered in
 * osiiso-submission-async.c, osiiso-wait.c for room (enter, leave, is_room_hopeless,
 * resolve, graph_update), push in osiiso-scheduler.c, place_freed and has_work in
 * osiiso-scheduler-private.h, and count_out and shutdown in osiiso-scheduler-life.c.
 *
 * There are never more tasks than places; nobody waits next to a free place that
 * would do, or after the queue was shut down, or, in a task, for its own place; who
 * waits for all work to end does so for those in line too. What one thread submits
 * without blocking comes in in that order.
 *
 * The queue is full at first, with tasks that workers end. Who comes in ends its
 * own tasks then, if it blocks, and leaves them there otherwise.
 */

typedef enum
{
  FAULT_NONE,
  FAULT_LOOK_FIRST,      /* who waits looks for room, then says that it waits, with the inbox lock only */
  FAULT_PEEK_FIRST,      /* who ends a task looks who waits, then counts it out */
  FAULT_JUDGE_UNLOCKED,  /* room is looked for without the lock */
  FAULT_SERVE_ONE,       /* only one is let in at a time */
  FAULT_LEAVE_SILENT,    /* who gives up does not look who stood behind */
  FAULT_SIZE_SILENT,     /* a larger size lets nobody in */
  FAULT_SHUTDOWN_SILENT, /* the end tells nobody */
  FAULT_WORK_DISORDER,   /* has_work() looks at the tasks first */
  FAULT_WORK_SILENT,     /* the last one to leave does not tell that there is no work */
  FAULT_INSIDE_UNCOUNTED,/* tasks that wait are not counted as they begin to */
  FAULT_INSIDE_LATE,     /* a task looks at the others, then adds itself to the graph */
  FAULT_SHRINK_SILENT,   /* a smaller size is not told to tasks that wait */
  FAULT_REFUSE_UNLOCKED, /* nor with the lock that they wait with */
  FAULT_ENTER_OPEN,      /* others come in before records that follow */
  FAULT_ENTER_PASSED,    /* only who is not in line does */
  FAULT_ENTER_SILENT,    /* the line is not served again after them */
} Fault;

typedef enum
{
  WAITS,
  ADMITTED,
  FULL,
  CLOSED,
  REFUSED,
  LEFT,
} Entry;

#define MAX_COMERS 3

typedef struct
{
  int      size;
  int      n_workers;  /* each has one of the tasks that fill the queue */
  int      n_endless;  /* of them do not end it */
  int      wants[MAX_COMERS]; /* places; 0: no more comers */
  gboolean inside;     /* the comers are in these tasks */
  gboolean meet;       /* the tasks of the second and the third comer need each other */
  gboolean cancels;    /* the first comer gives up, perhaps */
  int      new_size;   /* somebody sets it; 0: nobody */
  gboolean shuts_down;
  gboolean joins;      /* somebody waits for all work to end */
  gboolean async;      /* one thread is all comers, and does not block; more than one place
                        * is for records that follow */
} Scenario;

typedef struct
{
  Entry    entry;
  int      n;
  gboolean inside;
  gboolean async;
  gboolean in_graph; /* graph_lock */
  ExAtomic refused;  /* written with graph_lock */
  ExCond   cond;
} Waiter;

static struct
{
  const Scenario *scenario;
  Fault    fault;
  ExMutex  ready_lock;
  ExMutex  inbox_lock;
  ExAtomic size;
  gboolean accepting;        /* inbox_lock */
  Waiter   waiters[MAX_COMERS];
  Waiter  *line[MAX_COMERS]; /* inbox_lock */
  int      n_line;           /* inbox_lock */
  ExAtomic n_waiting;        /* written with inbox_lock */
  ExAtomic n_in;             /* written with inbox_lock */
  ExAtomic n_out;            /* written with ready_lock */
  gboolean entering;         /* inbox_lock */
  ExMutex  graph_lock;
  ExAtomic n_waits;          /* written with graph_lock */
  ExAtomic cancelled;
  ExMutex  view_lock;
  ExCond   view_cond;

  /* Of the model. */
  Entry    entries[MAX_COMERS]; /* each its thread's */
  int      order[MAX_COMERS];   /* inbox_lock: who has come in */
  int      n_order;             /* inbox_lock */
  ExAtomic in_line;
  ExAtomic n_met;
  ExAtomic met;
} s;

static gint64
get_outstanding (void)
{
  const gint64 n_out = ex_load (&s.n_out);

  return ex_load (&s.n_in) - n_out;
}

static gboolean
has_work (void)
{
  if (s.fault == FAULT_WORK_DISORDER)
    return get_outstanding () > 0 || ex_load (&s.n_waiting) > 0;
  return ex_load (&s.n_waiting) > 0 || get_outstanding () > 0;
}

static void
check_idle (void)
{
  ex_lock (&s.view_lock);
  ex_broadcast (&s.view_cond);
  ex_unlock (&s.view_lock);
}

static Entry
judge_first_locked (int n)
{
  if (!s.accepting)
    return CLOSED;
  return get_outstanding () + n <= ex_peek (&s.size) ? ADMITTED : FULL;
}

static Entry
judge_locked (int n)
{
  Entry entry = judge_first_locked (n);

  if (entry == ADMITTED && s.entering && s.fault != FAULT_ENTER_OPEN && s.fault != FAULT_ENTER_PASSED)
    return FULL;
  return entry == ADMITTED && ex_peek (&s.n_waiting) > 0 ? FULL : entry;
}

static void
count_in (int n)
{
  const gint64 n_in = ex_add (&s.n_in, n) + n;

  /* As there may be fewer tasks by now, that is at least how many there were. */
  ex_assert (n_in - ex_load (&s.n_out) <= MAX (s.scenario->size, s.scenario->new_size));
}

/* The records of a comer are in the queue. */
static void
enqueue_locked (const Waiter *waiter)
{
  s.order[s.n_order++] = (int) (waiter - s.waiters);
}

typedef struct
{
  gboolean removed;
  gboolean entering;
  Waiter  *answered[MAX_COMERS];
  int      n_answered;
} LineChange;

static void
remove_locked (int         place,
               Entry       entry,
               LineChange *change)
{
  s.line[place]->entry = entry;
  for (int i = place; i + 1 < s.n_line; i++)
    s.line[i] = s.line[i + 1];
  s.n_line--;
  ex_add (&s.n_waiting, -1);
  change->removed = TRUE;
}

static void
serve_line_locked (gboolean    size_changed,
                   LineChange *change)
{
  gboolean blocked = FALSE;
  int i = 0;

  while (i < s.n_line && !(change->removed && s.fault == FAULT_SERVE_ONE))
    {
      Waiter *waiter = s.line[i];
      Entry entry = judge_first_locked (waiter->n);

      if (entry == FULL ||
          (entry == ADMITTED && (blocked || (s.entering && s.fault != FAULT_ENTER_OPEN))))
        {
          if (!size_changed)
            break;
          blocked = TRUE;
          i++;
          continue;
        }
      if (entry == ADMITTED)
        {
          count_in (waiter->n);
          if (waiter->async && waiter->n > 1)
            s.entering = change->entering = TRUE;
          else
            enqueue_locked (waiter);
        }
      remove_locked (i, entry, change);
      if (waiter->async)
        change->answered[change->n_answered++] = waiter;
      else
        ex_signal (&waiter->cond);
    }
}

static void
lock_line (LineChange *change)
{
  memset (change, 0, sizeof *change);
  ex_lock (&s.ready_lock);
  ex_lock (&s.inbox_lock);
}

static void count_out (void);

static void
act (LineChange *change)
{
  ex_unlock (&s.inbox_lock);
  if (ex_is_held (&s.ready_lock))
    ex_unlock (&s.ready_lock);
  for (int i = 0; i < change->n_answered; i++)
    {
      Waiter *waiter = change->answered[i];

      if (waiter->entry != ADMITTED || waiter->n == 1)
        continue;
      ex_lock (&s.inbox_lock);
      if (s.accepting)
        enqueue_locked (waiter);
      else
        waiter->entry = CLOSED;
      ex_unlock (&s.inbox_lock);
      /* Gives the places back. */
      for (int j = 0; waiter->entry == CLOSED && j < waiter->n; j++)
        count_out ();
    }
}

static void
unlock_line (LineChange *change)
{
  gboolean removed = change->removed;

  act (change);
  while (change->entering)
    {
      lock_line (change);
      s.entering = FALSE;
      if (s.fault != FAULT_ENTER_SILENT)
        serve_line_locked (FALSE, change);
      removed = removed || change->removed;
      act (change);
    }
  if (removed && s.fault != FAULT_WORK_SILENT && !has_work ())
    check_idle ();
}

static void
update (void)
{
  LineChange change;

  if (ex_load (&s.n_waiting) == 0)
    return;
  lock_line (&change);
  serve_line_locked (FALSE, &change);
  unlock_line (&change);
}

static void
count_out (void)
{
  const gboolean nobody = s.fault == FAULT_PEEK_FIRST && ex_load (&s.n_waiting) == 0;

  ex_lock (&s.ready_lock);
  if (get_outstanding () > 1)
    {
      ex_add (&s.n_out, 1);
    }
  else
    {
      ex_lock (&s.inbox_lock);
      ex_lock (&s.view_lock);
      ex_add (&s.n_out, 1);
      if (get_outstanding () == 0)
        ex_broadcast (&s.view_cond);
      ex_unlock (&s.view_lock);
      ex_unlock (&s.inbox_lock);
    }
  ex_unlock (&s.ready_lock);
  if (!nobody)
    update ();
}

static void
enter (Waiter *waiter)
{
  LineChange change;
  gboolean full;
  Entry entry;

  lock_line (&change);
  entry = judge_locked (waiter->n);
  if (entry == ADMITTED || entry == FULL)
    entry = WAITS;
  waiter->entry = entry;
  if (entry == WAITS)
    {
      if (s.fault == FAULT_LOOK_FIRST)
        ex_unlock (&s.ready_lock);
      full = s.fault == FAULT_LOOK_FIRST && judge_first_locked (waiter->n) == FULL;
      s.line[s.n_line++] = waiter;
      ex_add (&s.n_waiting, 1);
      if (!full)
        serve_line_locked (FALSE, &change);
    }
  unlock_line (&change);
}

static void
leave (Waiter *waiter)
{
  LineChange change;

  lock_line (&change);
  for (int i = 0; i < s.n_line && !change.removed; i++)
    {
      if (s.line[i] == waiter)
        remove_locked (i, LEFT, &change);
    }
  if (change.removed && s.fault != FAULT_LEAVE_SILENT)
    serve_line_locked (FALSE, &change);
  unlock_line (&change);
}

/* The graph, with its lock. */

static gboolean
is_hopeless (Waiter *waiter,
             int     n_held)
{
  gboolean hopeless = FALSE;
  LineChange change;
  int total = n_held;
  int most = 0;

  lock_line (&change);
  if (waiter->entry == WAITS)
    {
      for (int i = 0; i < s.n_line; i++)
        {
          if (s.line[i] == waiter || !ex_load (&s.line[i]->refused))
            {
              total += s.line[i]->n;
              most = MAX (most, s.line[i]->n);
            }
          if (s.line[i] == waiter)
            break;
        }
      hopeless = (n_held < s.scenario->n_workers ? n_held + most : total) > ex_peek (&s.size);
    }
  unlock_line (&change);
  return hopeless;
}

/* How many waits are hopeless, which it marks. */
static int
find_hopeless (gboolean *hopeless)
{
  gboolean changed;
  int n = 0;

  for (int i = 0; i < MAX_COMERS; i++)
    {
      hopeless[i] = s.waiters[i].in_graph && !ex_load (&s.waiters[i].refused);
      n += hopeless[i] ? 1 : 0;
    }
  do
    {
      changed = FALSE;
      for (int i = 0; i < MAX_COMERS; i++)
        {
          if (!hopeless[i] || is_hopeless (&s.waiters[i], n))
            continue;
          hopeless[i] = FALSE;
          changed = TRUE;
          n--;
        }
    }
  while (changed);
  return n;
}

static void
resolve (void)
{
  gboolean hopeless[MAX_COMERS];

  while (find_hopeless (hopeless) > 0)
    {
      Waiter *culprit = NULL;

      for (int i = 0; i < MAX_COMERS; i++)
        if (hopeless[i])
          culprit = &s.waiters[i];
      ex_store (&culprit->refused, 1);
      if (s.fault != FAULT_REFUSE_UNLOCKED)
        ex_lock (&s.inbox_lock);
      ex_signal (&culprit->cond);
      if (s.fault != FAULT_REFUSE_UNLOCKED)
        ex_unlock (&s.inbox_lock);
    }
}

static void
graph_update (void)
{
  if (ex_load (&s.n_waits) == 0)
    return;
  ex_lock (&s.graph_lock);
  resolve ();
  ex_unlock (&s.graph_lock);
}

static void
enter_graph (Waiter *waiter)
{
  if (s.fault == FAULT_INSIDE_UNCOUNTED)
    return;
  ex_lock (&s.graph_lock);
  if (s.fault == FAULT_INSIDE_LATE)
    {
      resolve ();
      ex_unlock (&s.graph_lock);
      ex_lock (&s.graph_lock);
    }
  waiter->in_graph = TRUE;
  ex_add (&s.n_waits, 1);
  if (s.fault != FAULT_INSIDE_LATE)
    resolve ();
  ex_unlock (&s.graph_lock);
}

static void
leave_graph (Waiter *waiter)
{
  if (s.fault == FAULT_INSIDE_UNCOUNTED)
    return;
  ex_lock (&s.graph_lock);
  waiter->in_graph = FALSE;
  ex_add (&s.n_waits, -1);
  ex_unlock (&s.graph_lock);
}

static gboolean
is_cancelled (const Waiter *waiter)
{
  return s.scenario->cancels && waiter == &s.waiters[0] && ex_load (&s.cancelled);
}

static Entry
wait_in_line (Waiter *waiter)
{
  Entry entry;

  ex_lock (&s.inbox_lock);
  while (waiter->entry == WAITS && !is_cancelled (waiter) && !ex_load (&waiter->refused))
    ex_wait (&waiter->cond, &s.inbox_lock);
  entry = waiter->entry;
  ex_unlock (&s.inbox_lock);
  if (entry == WAITS)
    {
      leave (waiter);
      /* Nobody else touches it now. */
      entry = waiter->entry;
      if (entry == LEFT && ex_load (&waiter->refused))
        entry = REFUSED;
    }
  return entry;
}

static Entry
push (const Waiter *waiter)
{
  const int n = waiter->n;
  Entry entry = ADMITTED;

  if (s.fault == FAULT_JUDGE_UNLOCKED)
    {
      entry = get_outstanding () + n <= ex_load (&s.size) && ex_load (&s.n_waiting) == 0 ? ADMITTED : FULL;
      ex_lock (&s.inbox_lock);
      if (!s.accepting)
        entry = CLOSED;
    }
  else
    {
      ex_lock (&s.inbox_lock);
      entry = judge_locked (n);
    }
  if (entry == ADMITTED)
    {
      count_in (n);
      enqueue_locked (waiter);
    }
  ex_unlock (&s.inbox_lock);
  return entry;
}

/* The threads. */

static void
submit (gpointer data)
{
  const int me = GPOINTER_TO_INT (data);
  Waiter *waiter = &s.waiters[me];
  Entry entry;

  waiter->n = s.scenario->wants[me];
  waiter->inside = s.scenario->inside;
  entry = push (waiter);
  if (entry == FULL)
    {
      enter (waiter);
      if (s.scenario->joins)
        ex_store (&s.in_line, 1);
      if (waiter->inside)
        enter_graph (waiter);
      entry = wait_in_line (waiter);
      if (waiter->inside)
        leave_graph (waiter);
    }
  else if (s.scenario->joins)
    {
      ex_store (&s.in_line, 1);
    }
  s.entries[me] = entry;
  if (s.scenario->meet && me > 0)
    {
      if (ex_add (&s.n_met, 1) == 1)
        ex_store (&s.met, 1);
      ex_await (&s.met);
    }
  for (int i = 0; entry == ADMITTED && i < waiter->n; i++)
    count_out ();
  /* The task that it is in. */
  if (s.scenario->inside)
    count_out ();
}

static void
submit_async (gpointer unused)
{
  for (int i = 0; i < MAX_COMERS && s.scenario->wants[i] > 0; i++)
    {
      Waiter *waiter = &s.waiters[i];

      waiter->n = s.scenario->wants[i];
      waiter->async = TRUE;
      waiter->entry = push (waiter);
      if (waiter->entry == FULL)
        enter (waiter);
    }
}

static void
work (gpointer unused)
{
  count_out ();
}

static void
cancel (gpointer unused)
{
  ex_store (&s.cancelled, 1);
  ex_lock (&s.inbox_lock);
  ex_signal (&s.waiters[0].cond);
  ex_unlock (&s.inbox_lock);
}

static void
set_size (gpointer unused)
{
  LineChange change;

  lock_line (&change);
  ex_store (&s.size, s.scenario->new_size);
  if (s.fault != FAULT_SIZE_SILENT)
    serve_line_locked (TRUE, &change);
  unlock_line (&change);
  if (s.fault != FAULT_SHRINK_SILENT)
    graph_update ();
}

static void
shut_down (gpointer unused)
{
  ex_lock (&s.inbox_lock);
  s.accepting = FALSE;
  ex_unlock (&s.inbox_lock);
  if (s.fault != FAULT_SHUTDOWN_SILENT)
    update ();
}

/* Once the comer is in line; whoever waits for work then waits for it too. */
static void
join_all (gpointer unused)
{
  ex_await (&s.in_line);
  ex_lock (&s.view_lock);
  while (has_work ())
    ex_wait (&s.view_cond, &s.view_lock);
  ex_unlock (&s.view_lock);
  if (!s.scenario->cancels)
    ex_assert (ex_load (&s.n_waiting) == 0 && get_outstanding () == 0);
}

static void
setup (const ExModel *model)
{
  static const char *const comers[] = { "comer 1", "comer 2", "comer 3" };
  static const char *const workers[] = { "worker 1", "worker 2", "worker 3" };
  const Scenario *scenario = model->data;

  memset (&s, 0, sizeof s);
  s.scenario = scenario;
  s.fault = (Fault) model->variant;
  s.accepting = TRUE;
  ex_init (&s.size, scenario->size);
  ex_init (&s.n_in, scenario->n_workers);

  if (scenario->async)
    ex_spawn ("submitter", EX_THREAD_DEFAULT, submit_async, NULL);
  for (int i = 0; i < MAX_COMERS && scenario->wants[i] > 0 && !scenario->async; i++)
    ex_spawn (comers[i], EX_THREAD_DEFAULT, submit, GINT_TO_POINTER (i));
  for (int i = 0; i < scenario->n_workers - scenario->n_endless && !scenario->inside; i++)
    ex_spawn (workers[i], EX_THREAD_DEFAULT, work, NULL);
  if (scenario->cancels)
    ex_spawn ("canceller", EX_THREAD_DEFAULT, cancel, NULL);
  if (scenario->new_size > 0)
    ex_spawn ("sizer", EX_THREAD_DEFAULT, set_size, NULL);
  if (scenario->shuts_down)
    ex_spawn ("owner", EX_THREAD_DEFAULT, shut_down, NULL);
  if (scenario->joins)
    ex_spawn ("joiner", EX_THREAD_DEFAULT, join_all, NULL);
}

static const char *
check (const ExModel *model)
{
  const Scenario *scenario = model->data;
  int n_outstanding = scenario->n_endless;
  int n_refused = 0;

  for (int i = 0; i < MAX_COMERS && scenario->async && scenario->wants[i] > 0; i++)
    {
      s.entries[i] = s.waiters[i].entry;
      n_outstanding += s.entries[i] == ADMITTED ? scenario->wants[i] : 0;
    }
  for (int i = 1; i < s.n_order && scenario->async; i++)
    if (s.order[i] < s.order[i - 1])
      return "somebody came in before somebody in front";
  if (s.n_in.value - s.n_out.value != n_outstanding || s.entering ||
      s.n_waiting.value != 0 || s.n_line != 0 || s.n_waits.value != 0)
    return "the places were counted wrong";
  for (int i = 0; i < MAX_COMERS && scenario->wants[i] > 0; i++)
    {
      if (s.entries[i] == WAITS || s.entries[i] == FULL)
        return "somebody got no answer";
      if (s.entries[i] == CLOSED && !scenario->shuts_down)
        return "somebody was refused";
      if (s.entries[i] == LEFT && !(scenario->cancels && i == 0))
        return "somebody has left who did not want to";
      n_refused += s.entries[i] == REFUSED ? 1 : 0;
    }
  if (n_refused > (scenario->inside ? 1 : 0) ||
      (scenario->inside && scenario->new_size == 0 && !scenario->cancels && n_refused == 0))
    return "the wrong number of tasks was refused";
  return NULL;
}

static const Scenario one = { 1, 1, .wants = { 1 } };
static const Scenario two = { 1, 1, .wants = { 1, 1 } };
static const Scenario two_places = { 2, 2, .wants = { 1, 1 } };
static const Scenario one_endless = { 2, 2, .wants = { 1 }, .n_endless = 1 };
static const Scenario map = { 2, 2, .wants = { 2, 1 } };
static const Scenario cancels = { 2, 1, .wants = { 2, 1 }, .cancels = TRUE };
static const Scenario cancels_endless = { 2, 1, .wants = { 2, 1 }, .cancels = TRUE, .n_endless = 1 };
static const Scenario meet = { 3, 1, .wants = { 3, 1, 1 }, .meet = TRUE, .cancels = TRUE, .n_endless = 1 };
static const Scenario grows = { 1, 1, .wants = { 1, 1 }, .new_size = 2 };
static const Scenario grows_endless = { 1, 1, .wants = { 1 }, .new_size = 2, .n_endless = 1 };
static const Scenario shuts_down = { 1, 1, .wants = { 1, 1 }, .shuts_down = TRUE };
static const Scenario shuts_down_endless = { 1, 1, .wants = { 1, 1 }, .shuts_down = TRUE, .n_endless = 1 };
static const Scenario joins = { 1, 1, .wants = { 1 }, .joins = TRUE };
static const Scenario joins_cancelled = { 1, 1, .wants = { 1 }, .joins = TRUE, .cancels = TRUE };
static const Scenario inside = { 2, 2, .wants = { 1, 1 }, .inside = TRUE };
static const Scenario inside_grows = { 2, 2, .wants = { 1, 1 }, .inside = TRUE, .new_size = 3 };
static const Scenario inside_shrinks = { 2, 2, .wants = { 1 }, .inside = TRUE, .new_size = 1, .n_endless = 1 };
static const Scenario inside_cancelled = { 2, 2, .wants = { 1, 1 }, .inside = TRUE, .cancels = TRUE };
static const Scenario async = { 3, 3, .wants = { 2, 1 }, .async = TRUE };
static const Scenario async_maps = { 4, 3, .wants = { 2, 2 }, .async = TRUE };
static const Scenario async_three = { 4, 2, .wants = { 3, 2, 1 }, .async = TRUE, .new_size = 6 };
static const Scenario async_closed = { 3, 3, .wants = { 2, 1 }, .async = TRUE, .shuts_down = TRUE };

#define CLEAN(name, summary, scenario, more) { name, summary, setup, check, &scenario, FAULT_NONE, FALSE, more }
#define FAULTY(name, summary, scenario, fault) { name, summary, setup, check, &scenario, fault, TRUE }

const ExModel ex_admission_models[] = {
  CLEAN ("one", "one who waits for a place", one, 0),
  CLEAN ("two", "two who do", two, 0),
  CLEAN ("two-places", "two who wait for two places", two_places, -1),
  CLEAN ("one-endless", "one who waits for one of two places", one_endless, 0),
  CLEAN ("map", "one who wants two places, and one who wants one", map, -1),
  CLEAN ("cancel", "the same when the first one gives up", cancels, -1),
  CLEAN ("cancel-endless", "the same when no place is freed", cancels_endless, 0),
  CLEAN ("meet", "the same with two behind that need each other", meet, -2),
  CLEAN ("grow", "a size that grows", grows, -1),
  CLEAN ("grow-endless", "the same when no place is freed", grows_endless, 0),
  CLEAN ("shutdown", "a queue that is shut down", shuts_down, -1),
  CLEAN ("shutdown-endless", "the same when no place is freed", shuts_down_endless, 0),
  CLEAN ("join", "one who waits for all work", joins, 0),
  CLEAN ("join-cancel", "the same when who is in line gives up", joins_cancelled, 0),
  CLEAN ("inside", "tasks that submit to their own queue", inside, 0),
  CLEAN ("inside-grow", "the same with a size that grows", inside_grows, -1),
  CLEAN ("inside-shrink", "one with a size that shrinks, when no place is freed", inside_shrinks, 0),
  CLEAN ("inside-cancel", "two of which one gives up", inside_cancelled, -1),
  CLEAN ("async", "a map, and a task behind it, that do not block", async, -1),
  CLEAN ("async-maps", "two maps that do not block", async_maps, -1),
  CLEAN ("async-grow", "two maps and a task, and a size that grows", async_three, -1),
  CLEAN ("async-shutdown", "a map and a task in a queue that is shut down", async_closed, -1),

  FAULTY ("look-first", "looked for room, then said to be waiting, with one lock", one_endless, FAULT_LOOK_FIRST),
  FAULTY ("peek-first", "looked who waits, then freed the place", one, FAULT_PEEK_FIRST),
  FAULTY ("judge-unlocked", "looked for room without the lock", two, FAULT_JUDGE_UNLOCKED),
  FAULTY ("serve-one", "let in one at a time", meet, FAULT_SERVE_ONE),
  FAULTY ("leave-silent", "given up in front of others who fit", cancels_endless, FAULT_LEAVE_SILENT),
  FAULTY ("size-silent", "made room without letting anybody in", grows_endless, FAULT_SIZE_SILENT),
  FAULTY ("shutdown-silent", "shut down without telling who waits", shuts_down_endless, FAULT_SHUTDOWN_SILENT),
  FAULTY ("work-disorder", "looked for tasks first, then who brings some", joins, FAULT_WORK_DISORDER),
  FAULTY ("work-silent", "left as the last one without a word", joins_cancelled, FAULT_WORK_SILENT),
  FAULTY ("inside-uncounted", "tasks that wait, not counted", inside, FAULT_INSIDE_UNCOUNTED),
  FAULTY ("inside-late", "looked at the others, then added to the graph", inside, FAULT_INSIDE_LATE),
  FAULTY ("shrink-silent", "a smaller size without a look at who waits", inside_shrinks, FAULT_SHRINK_SILENT),
  FAULTY ("refuse-unlocked", "refused without the lock", inside_shrinks, FAULT_REFUSE_UNLOCKED),
  FAULTY ("enter-open", "let in before records that follow", async, FAULT_ENTER_OPEN),
  FAULTY ("enter-passed", "passed records that follow, outside of the line", async, FAULT_ENTER_PASSED),
  FAULTY ("enter-silent", "left the line alone after records that follow", async, FAULT_ENTER_SILENT),
  { NULL },
};
