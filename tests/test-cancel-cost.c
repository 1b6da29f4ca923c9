/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "osiiso-deadline-heap-private.h"
#include "osiiso-ready-list-private.h"
#include "test-valgrind.h"

/* What it takes to remove one task out of many, counted and not timed: each task
 * lies in a page of its own that cannot be accessed, and the first access to each
 * is noticed. */

#define N_TASKS 4096

static char *arena;
static gsize page_size;
static volatile guint n_touched;

static void
touched (int        signo,
         siginfo_t *info,
         void      *context)
{
  char *at = info->si_addr;

  if (at < arena || at >= arena + N_TASKS * page_size)
    {
      /* Something else is wrong; it happens again when this returns. */
      signal (SIGSEGV, SIG_DFL);
      return;
    }
  n_touched++;
  mprotect (arena + (gsize) (at - arena) / page_size * page_size, page_size, PROT_READ | PROT_WRITE);
}

static gpointer
task_at (guint i)
{
  return arena + i * page_size;
}

static void
arena_open (void)
{
  const struct sigaction action = { .sa_sigaction = touched, .sa_flags = SA_SIGINFO };

  page_size = (gsize) sysconf (_SC_PAGESIZE);
  arena = mmap (NULL, N_TASKS * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (arena != MAP_FAILED);
  g_assert_cmpint (sigaction (SIGSEGV, &action, NULL), ==, 0);
}

static void
arena_close (void)
{
  signal (SIGSEGV, SIG_DFL);
  g_assert_cmpint (munmap (arena, N_TASKS * page_size), ==, 0);
}

/* From here on accesses are counted. */
static void
arena_lock (void)
{
  n_touched = 0;
  g_assert_cmpint (mprotect (arena, N_TASKS * page_size, PROT_NONE), ==, 0);
}

static guint
arena_unlock (void)
{
  g_assert_cmpint (mprotect (arena, N_TASKS * page_size, PROT_READ | PROT_WRITE), ==, 0);
  return n_touched;
}

static void
test_list (void)
{
  g_autofree OsiisoReadyList *list = g_new (OsiisoReadyList, 1);
  guint n_left = N_TASKS;

  g_test_summary ("Taking a task out of the list of runnable ones touches it and its two neighbours");

  arena_open ();
  osiiso_ready_list_init (list);
  for (guint i = 0; i < N_TASKS; i++)
    osiiso_ready_list_append (list, task_at (i));
  for (guint i = 1; i < N_TASKS; i += 7)
    {
      arena_lock ();
      osiiso_ready_list_remove (task_at (N_TASKS - i));
      n_left--;
      g_assert_cmpuint (arena_unlock (), <=, 3);
    }
  for (OsiisoRecord *record; (record = osiiso_ready_list_peek (list)) != NULL; n_left--)
    osiiso_ready_list_remove (record);
  g_assert_cmpuint (n_left, ==, 0);
  arena_close ();
}

static void
test_heap (void)
{
  /* Four children each: six levels. */
  const guint depth = 6;
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  OsiisoDeadlineHeap heap;

  g_test_summary ("Taking a task out of a heap touches no more than one branch and its neighbours");

  arena_open ();
  osiiso_deadline_heap_init (&heap);
  for (guint i = 0; i < N_TASKS; i++)
    osiiso_deadline_heap_insert (&heap, task_at (i), g_rand_int (random), i);
  for (guint i = 1; i < N_TASKS; i += 7)
    {
      arena_lock ();
      g_assert_true (osiiso_deadline_heap_remove (&heap, task_at (N_TASKS - i)));
      /* The task, the one that takes its place, and four per level. */
      g_assert_cmpuint (arena_unlock (), <=, 2 + 4 * depth);
    }
  osiiso_deadline_heap_clear (&heap);
  arena_close ();
}

static void
test_counting (void)
{
  OsiisoReadyList *list = g_new (OsiisoReadyList, 1);
  guint n = 0;

  g_test_summary ("The way of counting notices one who walks through all tasks");

  arena_open ();
  osiiso_ready_list_init (list);
  for (guint i = 0; i < N_TASKS; i++)
    osiiso_ready_list_append (list, task_at (i));
  arena_lock ();
  for (OsiisoLink *link = list->levels[128].next; link != &list->levels[128]; link = link->next)
    n++;
  g_assert_cmpuint (arena_unlock (), ==, N_TASKS);
  g_assert_cmpuint (n, ==, N_TASKS);
  g_free (list);
  arena_close ();
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* An access that is tried again does not find all registers as they were there. */
  test_add_native ("/cancel-cost/counting", test_counting);
  test_add_native ("/cancel-cost/list", test_list);
  test_add_native ("/cancel-cost/heap", test_heap);

  return g_test_run ();
}
