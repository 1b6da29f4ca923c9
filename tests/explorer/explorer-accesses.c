/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "explorer-private.h"

/* What threads do to what they share. Before each access the others get their
 * chance. */

#define MAX_STEPS 5000

/* What the current thread found depends on @past. */
static void
observe (guint64 past)
{
  ex.current->past = ex_mix (ex.current->past, past);
}

/* And what comes later depends on what it did. */
static void
change (guint64 *past)
{
  observe (*past);
  *past = ex.current->past;
}

/* What the current thread has done; @format says what came of it. */
G_GNUC_PRINTF (1, 2) static void
tell (const char *format,
      ...)
{
  va_list args;

  if (ex.log == NULL)
    return;
  g_string_append_printf (ex.log, "  %-12s %s:%d: %s", ex.current->name,
                          ex.current->place.func, ex.current->place.line, ex.current->place.what);
  if (format != NULL)
    {
      va_start (args, format);
      g_string_append_vprintf (ex.log, format, args);
      va_end (args);
    }
  g_string_append_c (ex.log, '\n');
}

/* Before each access: the others get their chance. */
static void
point (ExCondition condition,
       gpointer  object,
       ExPlace   place)
{
  ExThread *self = ex.current;

  self->condition = condition;
  self->object = object;
  self->place = place;
  if (++ex.n_steps > MAX_STEPS)
    ex_fail_at ("it goes on and on", place);
  /* The first access of a thread begins with it, if it can be made. */
  if (!self->fresh || !ex_is_enabled (self))
    {
      self->fresh = FALSE;
      ex_switch_to (ex_pick_thread ());
    }
  self->fresh = FALSE;
  self->condition = EX_CONDITION_READY;
}

/* Having begun to wait for something that is not there. */
static void
block (ExCondition condition,
       gpointer  object)
{
  ex.current->condition = condition;
  ex.current->object = object;
  ex_switch_to (ex_pick_thread ());
  ex.current->condition = EX_CONDITION_READY;
}

/* Choices are not made by the threads, but they belong to their past. */
static guint
choose_here (guint n)
{
  guint taken = ex_pick_one (n, n);

  observe (taken);
  return taken;
}

void
ex_fail_at (const char *fault,
            ExPlace     place)
{
  ex.end = EX_END_FAULT;
  ex.fault = fault;
  ex.fault_place = place;
  ex_switch_to (NULL);
  g_assert_not_reached ();
}

gboolean
ex_is_held (const ExMutex *mutex)
{
  return ex.current != NULL && mutex->owner == 1 + (guint) (ex.current - ex.threads);
}

gboolean
ex_holds_nothing (void)
{
  return ex.current->n_locks == 0;
}

static void
take_mutex (ExMutex *mutex)
{
  mutex->owner = 1 + (guint) (ex.current - ex.threads);
  ex.current->n_locks++;
  observe (mutex->past);
}

static void
release_mutex (ExMutex *mutex)
{
  if (!ex_is_held (mutex))
    ex_fail_at ("this thread does not have the lock", ex.current->place);
  mutex->owner = 0;
  ex.current->n_locks--;
  change (&mutex->past);
}

void
ex_lock_at (ExMutex *mutex,
            ExPlace  place)
{
  point (EX_CONDITION_LOCKS, mutex, place);
  take_mutex (mutex);
  tell (NULL);
}

void
ex_unlock_at (ExMutex *mutex,
              ExPlace  place)
{
  point (EX_CONDITION_READY, NULL, place);
  release_mutex (mutex);
  tell (NULL);
}

void
ex_wait_at (ExCond  *cond,
            ExMutex *mutex,
            ExPlace  place)
{
  point (EX_CONDITION_READY, NULL, place);
  release_mutex (mutex);
  /* A wait that returns for no reason at some time is one that gives up the lock
   * for that long. */
  if (ex.n_spurious < ex.model->spurious && choose_here (2) == 1)
    {
      ex.n_spurious++;
      tell (": it will go on for no reason");
      block (EX_CONDITION_LOCKS, mutex);
    }
  else
    {
      change (&cond->past);
      ex.current->mutex = mutex;
      tell (NULL);
      block (EX_CONDITION_WAITS, cond);
    }
  take_mutex (mutex);
  tell (": goes on");
}

/* The threads that wait for @object. */
static guint
find_waiting (ExCondition     condition,
              gconstpointer object,
              ExThread      **found)
{
  guint n = 0;

  for (guint i = 0; i < ex.n_threads; i++)
    if (ex.threads[i].condition == condition && ex.threads[i].object == object)
      found[n++] = &ex.threads[i];
  return n;
}

/* Wakes any @n of them. */
static void
wake (ExCondition condition,
      gpointer  object,
      guint     n)
{
  ExThread *found[EX_MAX_THREADS];
  guint n_found;

  while (n > 0 && (n_found = find_waiting (condition, object, found)) > 0)
    {
      /* It makes no difference in which order all are woken. */
      ExThread *lucky = found[n-- < n_found ? ex_pick_one (n_found, n_found) : 0];

      if (condition == EX_CONDITION_WAITS)
        {
          lucky->condition = EX_CONDITION_LOCKS;
          lucky->object = lucky->mutex;
        }
      else
        {
          lucky->condition = EX_CONDITION_READY;
        }
      observe (lucky->past);
      lucky->past = ex_mix (lucky->past, ex.current->past);
      tell (": wakes %s", lucky->name);
    }
}

void
ex_signal_at (ExCond  *cond,
              gboolean all,
              ExPlace  place)
{
  point (EX_CONDITION_READY, NULL, place);
  change (&cond->past);
  tell (NULL);
  wake (EX_CONDITION_WAITS, cond, all ? EX_MAX_THREADS : 1);
}

gint64
ex_load_at (ExAtomic *atomic,
            ExPlace   place)
{
  point (EX_CONDITION_READY, NULL, place);
  observe (atomic->past);
  tell (": %" G_GINT64_FORMAT, atomic->value);
  return atomic->value;
}

void
ex_store_at (ExAtomic *atomic,
             gint64    value,
             ExPlace   place)
{
  ex_exchange_at (atomic, value, place);
}

gint64
ex_exchange_at (ExAtomic *atomic,
                gint64    value,
                ExPlace   place)
{
  gint64 old;

  point (EX_CONDITION_READY, NULL, place);
  old = atomic->value;
  atomic->value = value;
  change (&atomic->past);
  tell (": %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT, old, value);
  return old;
}

gint64
ex_add_at (ExAtomic *atomic,
           gint64    value,
           ExPlace   place)
{
  point (EX_CONDITION_READY, NULL, place);
  change (&atomic->past);
  atomic->value += value;
  tell (": %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT, atomic->value - value, atomic->value);
  return atomic->value - value;
}

gint64
ex_or_at (ExAtomic *atomic,
          gint64    value,
          ExPlace   place)
{
  gint64 old;

  point (EX_CONDITION_READY, NULL, place);
  old = atomic->value;
  atomic->value |= value;
  change (&atomic->past);
  tell (": 0x%x -> 0x%x", (guint) old, (guint) atomic->value);
  return old;
}

gint64
ex_and_at (ExAtomic *atomic,
           gint64    value,
           ExPlace   place)
{
  gint64 old;

  point (EX_CONDITION_READY, NULL, place);
  old = atomic->value;
  atomic->value &= value;
  change (&atomic->past);
  tell (": 0x%x -> 0x%x", (guint) old, (guint) atomic->value);
  return old;
}

gboolean
ex_cas_at (ExAtomic *atomic,
           gint64   *expected,
           gint64    value,
           ExPlace   place)
{
  gint64 old;

  point (EX_CONDITION_READY, NULL, place);
  old = atomic->value;
  if (old != *expected)
    {
      observe (atomic->past);
      tell (": it is 0x%x, not 0x%x", (guint) old, (guint) *expected);
      *expected = old;
      return FALSE;
    }
  atomic->value = value;
  change (&atomic->past);
  tell (": 0x%x -> 0x%x", (guint) old, (guint) value);
  return TRUE;
}

void
ex_futex_wait_at (ExAtomic *atomic,
                  gint64    expected,
                  ExPlace   place)
{
  point (EX_CONDITION_READY, NULL, place);
  if (atomic->value != expected)
    {
      observe (atomic->past);
      tell (": it is %" G_GINT64_FORMAT ", goes on", atomic->value);
      return;
    }
  change (&atomic->past);
  tell (NULL);
  block (EX_CONDITION_SLEEPS, atomic);
  tell (": goes on");
}

void
ex_futex_wake_at (ExAtomic *atomic,
                  guint     n,
                  ExPlace   place)
{
  point (EX_CONDITION_READY, NULL, place);
  change (&atomic->past);
  tell (NULL);
  wake (EX_CONDITION_SLEEPS, atomic, n);
}

void
ex_await_at (ExAtomic *atomic,
             ExPlace   place)
{
  point (EX_CONDITION_AWAITS, atomic, place);
  observe (atomic->past);
  tell (NULL);
}

gint64
ex_take_at (ExAtomic *atomic,
            ExPlace   place)
{
  point (EX_CONDITION_AWAITS, atomic, place);
  change (&atomic->past);
  tell (": %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT, atomic->value, atomic->value - 1);
  return atomic->value--;
}

void
ex_yield_at (ExPlace place)
{
  point (EX_CONDITION_READY, NULL, place);
  observe (0);
  tell (NULL);
}

guint
ex_choose_at (guint   n,
              ExPlace place)
{
  guint taken = choose_here (n);

  ex.current->place = place;
  tell (": %u", taken);
  return taken;
}
