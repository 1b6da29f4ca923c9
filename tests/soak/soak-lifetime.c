/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "soak.h"

/* F18: what is dropped, in every order and in every callback, is gone; and a queue with
 * much to do is gone at once. */

typedef enum
{
  DROP_AT_ONCE,
  DROP_IN_START,    /* on-start */
  DROP_IN_COMPLETE, /* on-complete */
  DROP_IN_CALLBACK, /* of an asynchronous wait */
  DROP_IN_DESTROY,  /* of the data of a task, by whoever that is */
  N_PLACES
} DropPlace;

/* All orders of three. */
static const guint orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

typedef struct
{
  GObject  *objects[3]; /* (owned): queue, handle, group */
  GWeakRef  weak[3];
  guint     order;
  DropPlace place;
  gint      dropped;    /* atomic */
  gint      n_data;     /* atomic */
} Life;

static void
drop (Life     *self,
      DropPlace place)
{
  if (self->place != place || !g_atomic_int_compare_and_exchange (&self->dropped, FALSE, TRUE))
    return;
  for (guint i = 0; i < 3; i++)
    g_clear_object (&self->objects[orders[self->order][i]]);
}

static void
perform (OsiisoAttempt *attempt,
         gpointer       data)
{
  osiiso_attempt_return_none (attempt);
}

static void
release (gpointer data)
{
  Life *self = data;

  drop (self, DROP_IN_DESTROY);
  g_atomic_int_add (&self->n_data, -1);
}

static void
on_start (OsiisoQueue  *queue,
          OsiisoHandle *handle,
          Life         *self)
{
  drop (self, DROP_IN_START);
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             Life         *self)
{
  drop (self, DROP_IN_COMPLETE);
}

static void
on_waited (GObject      *handle,
           GAsyncResult *result,
           gpointer      data)
{
  osiiso_handle_wait_finish (OSIISO_HANDLE (handle), result, NULL);
  drop (data, DROP_IN_CALLBACK);
}

static gboolean
is_gone (Life *self)
{
  gboolean gone = g_atomic_int_get (&self->n_data) == 0;

  for (guint i = 0; i < 3; i++)
    {
      GObject *object = g_weak_ref_get (&self->weak[i]);

      gone &= object == NULL;
      g_clear_object (&object);
    }
  return gone;
}

static void
live (const char *backend,
      guint       order,
      DropPlace   place,
      gboolean    start)
{
  Life self = { .order = order, .place = place };
  OsiisoQueue *queue = soak_queue_new (backend, 2);
  OsiisoGroup *group = osiiso_queue_new_group (queue, NULL);
  OsiisoHandle *handle;
  g_autoptr (GError) error = NULL;

  self.n_data = 3;
  handle = osiiso_queue_submit (queue, perform, &self, release, NULL, &error);
  soak_need (error);
  for (guint i = 0; i < 2; i++)
    g_object_unref (osiiso_group_submit (group, perform, &self, release, NULL, NULL));
  self.objects[0] = G_OBJECT (queue);
  self.objects[1] = G_OBJECT (handle);
  self.objects[2] = G_OBJECT (group);
  for (guint i = 0; i < 3; i++)
    g_weak_ref_init (&self.weak[i], self.objects[i]);
  g_signal_connect (queue, "on-start", G_CALLBACK (on_start), &self);
  g_signal_connect (queue, "on-complete", G_CALLBACK (on_complete), &self);
  osiiso_handle_wait_async (handle, NULL, on_waited, &self);
  if (start || place != DROP_AT_ONCE)
    osiiso_queue_start (queue, NULL);
  drop (&self, DROP_AT_ONCE);
  /* A hang, where something is left, is found from outside. */
  while (!is_gone (&self))
    g_main_context_iteration (NULL, FALSE);
  for (guint i = 0; i < 3; i++)
    g_weak_ref_clear (&self.weak[i]);
}

static void
count (gpointer n)
{
  g_atomic_int_inc ((gint *) n);
}

static double
get_cpu_ms (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &ts);
  return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}

/* Milliseconds of the dispose of a queue with so many tasks; *cpu_ms is what it computed. */
static double
dispose_full (const char *backend,
              guint       n,
              gboolean    start,
              double     *cpu_ms)
{
  OsiisoQueue *queue = soak_queue_new (backend, 2);
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  gint n_released = 0;
  gint64 begun;
  double ms;

  /* So that none of them is over before. */
  osiiso_task_options_set_delay (options, 3600);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;

      osiiso_queue_push (queue, perform, &n_released, count, i % 2 ? options : NULL, &error);
      soak_need (error);
    }
  if (start)
    osiiso_queue_pause (queue);
  if (start)
    osiiso_queue_start (queue, NULL);
  *cpu_ms = get_cpu_ms ();
  begun = g_get_monotonic_time ();
  g_object_run_dispose (G_OBJECT (queue));
  *cpu_ms = get_cpu_ms () - *cpu_ms;
  ms = (double) (g_get_monotonic_time () - begun) / 1000;
  g_object_unref (queue);
  while (g_atomic_int_get (&n_released) < (gint) n)
    g_main_context_iteration (NULL, FALSE);
  return ms;
}

static void
lifetime (const SoakParams *params)
{
  static const char *const backends[] = { "main-loop", "thread-pool" };
  double longest = 0, most = 0;
  guint n = 0;

  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    {
      for (guint order = 0; order < G_N_ELEMENTS (orders); order++)
        for (DropPlace place = DROP_AT_ONCE; place < N_PLACES; place++)
          for (guint i = 0; i < 20; i++, n++)
            live (backends[b], order, place, i % 2);
      for (guint i = 0; i < 4; i++)
        {
          double cpu;

          longest = MAX (longest, dispose_full (backends[b], (guint) params->n, i % 2, &cpu));
          most = MAX (most, cpu);
        }
    }
  soak_report ("lives", n);
  soak_report ("pending", (double) params->n);
  soak_report ("dispose_ms_max", longest);
  soak_report ("dispose_cpu_ms_max", most);
}

const SoakTest soak_lifetime[] = {
  { "lifetime", lifetime },
  { NULL },
};
