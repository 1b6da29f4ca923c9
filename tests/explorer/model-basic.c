/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

/* What the explorer itself is tested with: the smallest programs that are right
 * or wrong in each of the ways that it knows. They mirror nothing. */

static struct
{
  ExMutex  a;
  ExMutex  b;
  ExCond   cond;
  ExAtomic x;
  ExAtomic y;
  int      n;       /* with a */
  gint64   seen[2]; /* each its thread's */
} s;

static void
two (ExThreadFunc first,
     ExThreadFunc second)
{
  memset (&s, 0, sizeof s);
  ex_spawn ("one", EX_THREAD_DEFAULT, first, GINT_TO_POINTER (0));
  ex_spawn ("two", EX_THREAD_DEFAULT, second, GINT_TO_POINTER (1));
}

static void
store_twice (gpointer data)
{
  ex_store (&s.x, GPOINTER_TO_INT (data));
  ex_store (&s.y, GPOINTER_TO_INT (data));
}

static void
setup_stores (const ExModel *model)
{
  two (store_twice, store_twice);
}

static void
add_in_parts (gpointer unused)
{
  ex_store (&s.x, ex_load (&s.x) + 1);
}

static void
add_at_once (gpointer unused)
{
  ex_add (&s.x, 1);
}

static void
add_with_lock (gpointer unused)
{
  ex_lock (&s.a);
  ex_store (&s.x, ex_load (&s.x) + 1);
  ex_unlock (&s.a);
}

static void
setup_add (const ExModel *model)
{
  static const ExThreadFunc funcs[] = { add_in_parts, add_at_once, add_with_lock };

  two (funcs[model->variant], funcs[model->variant]);
}

static const char *
check_add (const ExModel *model)
{
  return s.x.value == 2 ? NULL : "an addition was lost";
}

/* Each announces itself and then looks for the other: at least one sees it. */
static void
meet (gpointer data)
{
  const int me = GPOINTER_TO_INT (data);

  ex_store (me == 0 ? &s.x : &s.y, 1);
  s.seen[me] = ex_load (me == 0 ? &s.y : &s.x);
}

static void
meet_late (gpointer data)
{
  const int me = GPOINTER_TO_INT (data);

  s.seen[me] = ex_load (me == 0 ? &s.y : &s.x);
  ex_store (me == 0 ? &s.x : &s.y, 1);
}

static void
setup_meet (const ExModel *model)
{
  two (meet, model->variant ? meet_late : meet);
}

static const char *
check_meet (const ExModel *model)
{
  return s.seen[0] || s.seen[1] ? NULL : "neither has seen the other";
}

static void
lock_in_order (gpointer unused)
{
  ex_lock (&s.a);
  ex_lock (&s.b);
  ex_unlock (&s.b);
  ex_unlock (&s.a);
}

static void
lock_in_disorder (gpointer unused)
{
  ex_lock (&s.b);
  ex_lock (&s.a);
  ex_unlock (&s.a);
  ex_unlock (&s.b);
}

static void
setup_order (const ExModel *model)
{
  two (lock_in_order, model->variant ? lock_in_disorder : lock_in_order);
}

/* A hand-over by a condition. */
static void
receive (gpointer unused)
{
  ex_lock (&s.a);
  while (s.n == 0)
    ex_wait (&s.cond, &s.a);
  s.n--;
  ex_unlock (&s.a);
}

static void
receive_once (gpointer unused)
{
  ex_lock (&s.a);
  if (s.n == 0)
    ex_wait (&s.cond, &s.a);
  ex_assert (s.n > 0);
  s.n--;
  ex_unlock (&s.a);
}

static void
give (gpointer data)
{
  ex_lock (&s.a);
  s.n++;
  ex_unlock (&s.a);
  ex_signal (&s.cond);
}

/* Looks without the lock whether there is somebody to tell. */
static void
receive_counted (gpointer unused)
{
  ex_lock (&s.a);
  while (ex_load (&s.x) == 0)
    {
      ex_store (&s.y, 1);
      ex_wait (&s.cond, &s.a);
    }
  ex_unlock (&s.a);
}

static void
give_counted (gpointer unused)
{
  ex_store (&s.x, 1);
  if (ex_load (&s.y))
    ex_signal (&s.cond);
}

static void
setup_hand_over (const ExModel *model)
{
  static const ExThreadFunc funcs[][2] = {
    { receive, give }, { receive_once, give }, { receive_counted, give_counted },
  };

  two (funcs[model->variant][0], funcs[model->variant][1]);
}

static void
sleep_until_set (gpointer unused)
{
  while (ex_load (&s.x) == 0)
    ex_futex_wait (&s.x, 0);
}

static void
set_and_wake (gpointer unused)
{
  ex_store (&s.x, 1);
  ex_futex_wake (&s.x, 1);
}

/* The wake comes when nobody sleeps yet. */
static void
wake_and_set (gpointer unused)
{
  ex_futex_wake (&s.x, 1);
  ex_store (&s.x, 1);
}

static void
setup_futex (const ExModel *model)
{
  two (sleep_until_set, model->variant ? wake_and_set : set_and_wake);
}

static void
spin (gpointer unused)
{
  while (ex_load (&s.x) == 0)
    ;
}

static void
setup_spin (const ExModel *model)
{
  two (spin, spin);
}

static void
keep_lock (gpointer unused)
{
  ex_lock (&s.a);
}

static void
unlock_foreign (gpointer unused)
{
  ex_unlock (&s.a);
}

static void
setup_misuse (const ExModel *model)
{
  two (add_at_once, model->variant ? unlock_foreign : keep_lock);
}

const ExModel ex_basic_models[] = {
  { "stores", "two threads with two accesses each", setup_stores, NULL },
  { "add", "an atomic addition", setup_add, check_add, NULL, 1 },
  { "add-locked", "an addition with a lock", setup_add, check_add, NULL, 2 },
  { "add-in-parts", "load, add and store", setup_add, check_add, NULL, 0, TRUE },
  { "meet", "announce, then look", setup_meet, check_meet },
  { "meet-late", "one of them looks, then announces", setup_meet, check_meet, NULL, 1, TRUE },
  { "order", "two locks in one order", setup_order, NULL },
  { "disorder", "two locks in two orders", setup_order, NULL, NULL, 1, TRUE },
  { "hand-over", "a condition with a loop around it", setup_hand_over, NULL, NULL, 0, FALSE, 0, 2 },
  { "hand-over-once", "no loop, and a wait that returns for no reason", setup_hand_over, NULL, NULL, 1, TRUE, 0, 1 },
  { "hand-over-lucky", "no loop, and waits that never do", setup_hand_over, NULL, NULL, 1 },
  { "hand-over-unlocked", "signalled without having had the lock", setup_hand_over, NULL, NULL, 2, TRUE },
  { "futex", "set, then wake", setup_futex, NULL },
  { "futex-late", "wake, then set", setup_futex, NULL, NULL, 1, TRUE },
  { "spin", "threads that never end", setup_spin, NULL, NULL, 0, TRUE },
  { "keep-lock", "a thread that ends with a lock", setup_misuse, NULL, NULL, 0, TRUE },
  { "unlock-foreign", "a thread that unlocks what it did not lock", setup_misuse, NULL, NULL, 1, TRUE },
  { NULL },
};
