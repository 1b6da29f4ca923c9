/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "explorer-private.h"

/* The search: which choices a run makes, and which run comes next. */

Explorer ex;

guint
ex_pick_one (guint n,
             guint allowed)
{
  ExChoice fresh = { .taken = 0, .n = (guint16) n, .allowed = (guint16) allowed };
  ExChoice *choice;

  if (n == 1)
    return 0;
  if (ex.depth == ex.choices->len)
    g_array_append_val (ex.choices, fresh);
  choice = &g_array_index (ex.choices, ExChoice, ex.depth++);
  /* Those of a replay do not say it. */
  if (choice->n != 0 && choice->n != n)
    g_error ("The model %s does not do the same each time", ex.model->name);
  return MIN (choice->taken, n - 1);
}

/* Of the state: what the threads did and found, and whether they have gone as far
 * as they can from there. Threads that do the same are not told apart, so it makes
 * no difference which of them did what. */
static guint64
fingerprint (gboolean goes_on)
{
  guint64 all = goes_on ? ex_mix (ex.current->past, G_MAXUINT) : 0;

  for (guint i = 0; i < ex.n_threads; i++)
    all += ex_mix (ex.threads[i].past, (guint64) ex.threads[i].condition << 1 | ex.threads[i].fresh);
  return all;
}

/* Another one that has not begun either would do just the same. */
static gboolean
has_twin (const ExThread *thread,
          ExThread      **others,
          guint         n)
{
  for (guint i = 0; thread->fresh && i < n; i++)
    if (others[i]->fresh && others[i]->func == thread->func && others[i]->data == thread->data &&
        others[i]->flags == thread->flags)
      return TRUE;
  return FALSE;
}

/* The threads that can go on: the current one first, those that would do the same
 * as another one last. Returns how many are different. */
static guint
find_able (ExThread **able,
           guint   *n_able)
{
  ExThread *twins[EX_MAX_THREADS];
  guint n_twins = 0;
  guint n = 0;

  if (ex.current != NULL && ex_is_enabled (ex.current))
    able[n++] = ex.current;
  for (guint i = 0; i < ex.n_threads; i++)
    {
      ExThread *thread = &ex.threads[i];

      if (thread == ex.current || !ex_is_enabled (thread))
        continue;
      if (has_twin (thread, able, n))
        twins[n_twins++] = thread;
      else
        able[n++] = thread;
    }
  for (guint i = 0; i < n_twins; i++)
    able[n + i] = twins[i];
  *n_able = n + n_twins;
  return n;
}

/* Whether what may follow from the state has been explored. */
static gboolean
is_known (guint64 state)
{
  guint run = state_set_add (ex.states, state, ex.n_preemptions, ex.n_runs);

  /* Every step changes somebody's past or condition. */
  if (run == ex.n_runs)
    g_error ("The explorer takes two states of the model %s for one", ex.model->name);
  return run != 0;
}

/* Who goes on; NULL when the run ends. The first choice is always not to switch. */
ExThread *
ex_pick_thread (void)
{
  const gboolean goes_on = ex.current != NULL && ex_is_enabled (ex.current);
  ExThread *able[EX_MAX_THREADS];
  guint n_able;
  guint n_explored = find_able (able, &n_able);
  guint taken;

  if (n_able == 0)
    {
      ex.end = EX_END_QUIET;
      return NULL;
    }
  if (!ex.cut)
    n_explored = n_able;
  if (goes_on && ex.n_preemptions == ex.preemptions)
    n_explored = 1;
  /* Where a thread can only go on, which is most of the time, the states are not
   * worth the memory. */
  else if (ex.cut && ex.depth >= ex.n_known && is_known (fingerprint (goes_on)))
    {
      ex.end = EX_END_CUT;
      return NULL;
    }

  taken = ex_pick_one (n_able, n_explored);
  if (goes_on && taken > 0)
    {
      ex.n_preemptions++;
      if (ex.log != NULL)
        g_string_append_printf (ex.log, "-- %s is preempted\n", ex.current->name);
    }
  return able[taken];
}

/* What is wrong when no thread can go on; NULL for nothing. */
static const char *
check_quiet (void)
{
  for (guint i = 0; i < ex.n_threads; i++)
    {
      const ExThread *thread = &ex.threads[i];

      if (thread->condition == EX_CONDITION_FINISHED)
        continue;
      ex.fault_place = thread->place;
      if (thread->condition == EX_CONDITION_LOCKS)
        return "deadlock: a thread waits for a lock for ever";
      if (!(thread->flags & EX_THREAD_MAY_SLEEP))
        return "stuck: a thread waits for ever";
    }
  ex.fault_place = EX_HERE (NULL);
  return ex.model->check != NULL ? ex.model->check (ex.model) : NULL;
}

/* One run, by the choices that are there and the first ones after that. */
static void
run (void)
{
  ex.n_runs++;
  ex.n_threads = 0;
  ex.current = NULL;
  ex.depth = ex.n_preemptions = ex.n_spurious = ex.n_steps = 0;
  ex.n_known = ex.choices->len;
  ex.end = EX_END_NONE;
  ex.fault = NULL;
  ex.fault_place = EX_HERE (NULL);
  ex.model->setup (ex.model);

  ex_switch_to (ex_pick_thread ());
  if (ex.end == EX_END_QUIET && (ex.fault = check_quiet ()) != NULL)
    ex.end = EX_END_FAULT;

  ex_check_stacks ();
}

/* The next run in depth-first order; FALSE when that was the last. */
static gboolean
advance (void)
{
  while (ex.choices->len > 0)
    {
      ExChoice *last = &g_array_index (ex.choices, ExChoice, ex.choices->len - 1);

      if (++last->taken < last->allowed)
        return TRUE;
      g_array_set_size (ex.choices, ex.choices->len - 1);
    }
  return FALSE;
}

static char *
format_choices (void)
{
  GString *text = g_string_new (NULL);
  guint n = ex.choices->len;

  while (n > 0 && g_array_index (ex.choices, ExChoice, n - 1).taken == 0)
    n--;
  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, i > 0 ? ",%u" : "%u", g_array_index (ex.choices, ExChoice, i).taken);
  return g_string_free (text, n == 0);
}

static void
append_conditions (GString *log)
{
  static const char *const words[] = { "can go on at", "wants", "waits in", "sleeps in", "waits in", "has ended" };

  for (guint i = 0; i < ex.n_threads; i++)
    {
      const ExThread *thread = &ex.threads[i];

      g_string_append_printf (log, "at the end %s %s", thread->name, words[thread->condition]);
      if (thread->condition != EX_CONDITION_FINISHED)
        g_string_append_printf (log, " %s:%d: %s", thread->place.func, thread->place.line, thread->place.what);
      g_string_append_c (log, '\n');
    }
}

/* Runs once more what was run last, and tells about it. */
static void
run_and_tell (ExReport *report)
{
  g_autoptr (GString) log = g_string_new (NULL);

  ex.cut = FALSE;
  ex.log = log;
  run ();
  ex.log = NULL;
  append_conditions (log);
  report->schedule = g_strdup (log->str);
  report->choices = format_choices ();
  report->preemptions = ex.n_preemptions;
  if (ex.end == EX_END_FAULT && ex.fault_place.what != NULL)
    report->fault = g_strdup_printf ("%s (%s:%d)", ex.fault, ex.fault_place.func, ex.fault_place.line);
  else if (ex.end == EX_END_FAULT)
    report->fault = g_strdup (ex.fault);
}

static void
begin (const ExModel *model,
       guint          preemptions,
       gboolean       cut)
{
  ex.model = model;
  ex.preemptions = preemptions;
  ex.cut = cut;
  ex.n_runs = 0;
  ex.states = state_set_new ();
  ex.ends = state_set_new ();
  ex.choices = g_array_new (FALSE, FALSE, sizeof (ExChoice));
}

static void
finish (void)
{
  g_clear_pointer (&ex.states, state_set_free);
  g_clear_pointer (&ex.ends, state_set_free);
  g_clear_pointer (&ex.choices, g_array_unref);
  ex_free_stacks ();
}

gboolean
ex_explore (const ExModel *model,
            ExReport      *report)
{
  begin (model, report->preemptions, !report->every);
  do
    {
      run ();
      if (ex.end == EX_END_CUT)
        report->n_cut++;
      else
        report->n_schedules++;
      if (ex.end == EX_END_QUIET && state_set_add (ex.ends, fingerprint (FALSE), 0, ex.n_runs) == 0)
        report->n_ends++;
    }
  while (ex.end != EX_END_FAULT && advance ());

  if (ex.end == EX_END_FAULT)
    {
      run_and_tell (report);
      g_assert (report->fault != NULL);
    }
  finish ();
  return report->fault == NULL;
}

gboolean
ex_replay (const ExModel *model,
           const char    *choices,
           ExReport      *report)
{
  g_auto (GStrv) words = g_strsplit (choices, ",", -1);
  gboolean ok = TRUE;

  begin (model, EX_UNLIMITED, FALSE);
  for (guint i = 0; words[i] != NULL && ok; i++)
    {
      ExChoice choice = { 0 };
      guint64 taken;

      ok = g_ascii_string_to_unsigned (words[i], 10, 0, G_MAXUINT8, &taken, NULL);
      choice.taken = (guint16) taken;
      g_array_append_val (ex.choices, choice);
    }
  if (ok)
    run_and_tell (report);
  finish ();
  return ok;
}

void
ex_report_clear (ExReport *report)
{
  g_clear_pointer (&report->fault, g_free);
  g_clear_pointer (&report->schedule, g_free);
  g_clear_pointer (&report->choices, g_free);
}
