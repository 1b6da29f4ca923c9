/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "explorer-private.h"

#include <string.h>

#if defined (__SANITIZE_ADDRESS__)
#define EX_ASAN 1
#elif defined (__has_feature)
#if __has_feature (address_sanitizer)
#define EX_ASAN 1
#endif
#endif

#ifdef EX_ASAN
/* Their headers do not come with every compiler that can check addresses. */
void __asan_unpoison_memory_region (const volatile void *address, gsize size);
void __sanitizer_start_switch_fiber (void **saved, const void *stack, gsize size);
void __sanitizer_finish_switch_fiber (void *saved, const void **stack, gsize *size);
#endif

/* The threads: coroutines on stacks that are used again in the next run. Only
 * switches from one to another cost anything. */

#define STACK_SIZE (128 * 1024)
#define STACK_MARK G_GUINT64_CONSTANT (0x6f7369697369736f)

#ifdef EX_ASAN
/* It has to know what stack it looks at. */
static const void *main_stack;
static gsize main_stack_size;
#endif

gboolean
ex_is_enabled (const ExThread *thread)
{
  switch (thread->condition)
    {
    case EX_CONDITION_READY:
      return TRUE;
    case EX_CONDITION_LOCKS:
      return ((const ExMutex *) thread->object)->owner == 0;
    case EX_CONDITION_AWAITS:
      return ((const ExAtomic *) thread->object)->value != 0;
    case EX_CONDITION_WAITS:
    case EX_CONDITION_SLEEPS:
    case EX_CONDITION_FINISHED:
    default:
      return FALSE;
    }
}

static void
begin_switch (ExThread *to,
              void    **saved)
{
#ifdef EX_ASAN
  if (to != NULL)
    __sanitizer_start_switch_fiber (saved, to->stack, STACK_SIZE);
  else
    __sanitizer_start_switch_fiber (saved, main_stack, main_stack_size);
#endif
}

static void
finish_switch (void *saved)
{
#ifdef EX_ASAN
  const void *stack;
  gsize size;

  __sanitizer_finish_switch_fiber (saved, &stack, &size);
  /* The first switch of all comes from outside. */
  if (main_stack == NULL)
    {
      main_stack = stack;
      main_stack_size = size;
    }
#endif
}

void
ex_switch_to (ExThread *to)
{
  ExThread *from = ex.current;
  void *saved = NULL;

  if (to == from)
    return;
  ex.current = to;
  begin_switch (to, &saved);
  swapcontext (from != NULL ? &from->context : &ex.main, to != NULL ? &to->context : &ex.main);
  finish_switch (saved);
}

static void thread_main (void) G_GNUC_NORETURN;

static void
thread_main (void)
{
  ExThread *self = ex.current;

  finish_switch (NULL);
  self->func (self->data);
  if (self->n_locks > 0)
    ex_fail_at ("a thread ends with a lock", EX_HERE ("the end"));
  self->condition = EX_CONDITION_FINISHED;
  self->past = ex_mix (self->past, 0);
  ex_switch_to (ex_pick_thread ());
  g_assert_not_reached ();
}

void
ex_spawn (const char   *name,
          ExThreadFlags flags,
          ExThreadFunc  func,
          gpointer      data)
{
  ExThread *self = &ex.threads[ex.n_threads++];

  g_assert (ex.n_threads <= EX_MAX_THREADS);
  if (self->stack == NULL)
    {
      self->stack = g_malloc (STACK_SIZE);
      memcpy (self->stack, &(guint64) { STACK_MARK }, sizeof (guint64));
    }
#ifdef EX_ASAN
  /* Of a thread that was dropped where it was. */
  __asan_unpoison_memory_region (self->stack, STACK_SIZE);
#endif
  self->name = name;
  self->flags = flags;
  self->func = func;
  self->data = data;
  self->condition = EX_CONDITION_READY;
  self->object = self->mutex = NULL;
  self->n_locks = 0;
  self->fresh = TRUE;
  self->past = ex_mix (ex_mix ((guint64) (gsize) func, (guint64) (gsize) data), flags);
  self->place = EX_HERE ("the beginning");
  getcontext (&self->context);
  self->context.uc_stack.ss_sp = self->stack;
  self->context.uc_stack.ss_size = STACK_SIZE;
  self->context.uc_link = NULL;
  makecontext (&self->context, thread_main, 0);
}

void
ex_spawn_when (const char   *name,
               ExThreadFlags flags,
               ExThreadFunc  func,
               gpointer      data,
               ExAtomic     *atomic)
{
  ex_spawn (name, flags, func, data);
  ex.threads[ex.n_threads - 1].condition = EX_CONDITION_AWAITS;
  ex.threads[ex.n_threads - 1].object = atomic;
}

void
ex_check_stacks (void)
{
  guint64 mark;

  for (guint i = 0; i < ex.n_threads; i++)
    {
      memcpy (&mark, ex.threads[i].stack, sizeof mark);
      g_assert (mark == STACK_MARK);
    }
}

void
ex_free_stacks (void)
{
  for (guint i = 0; i < EX_MAX_THREADS; i++)
    g_clear_pointer (&ex.threads[i].stack, g_free);
}
