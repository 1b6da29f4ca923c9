/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../libosiiso-core/osiiso-test-hooks-private.h"
#include "soak-mix.h"
#include "soak-slots.h"

/* F22: with false-clock.so before it, the time of day jumps; what waits counts on. And,
 * on the manual clock, the machine sleeps for a day. */

#define DELAY_US 30000

typedef struct
{
  gint64 submitted;
  gint64 entered;
} Wait;

static void
note_time (OsiisoAttempt *attempt,
           gpointer       data)
{
  Wait *wait = data;

  wait->entered = osiiso_private_test_hooks ()->clock_now ();
  osiiso_attempt_return_none (attempt);
}

/* Goes on for a while when its task is over: nothing of the test may be touched. */
static void
time_out (OsiisoAttempt *attempt,
          gpointer       data)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);

  while (!g_cancellable_is_cancelled (cancellable))
    g_usleep (200);
}

/* A day passes at once: all that waits is due, and begins once. */
static void
check_gap (const char *backend)
{
  const OsiisoTestHooks *hooks = osiiso_private_test_hooks ();
  const gint64 begun = 1000 * G_TIME_SPAN_SECOND;
  const guint n = 100;
  OsiisoQueue *queue;
  Wait waits[100] = { { 0 } };

  hooks->clock_set_manual (begun);
  queue = soak_queue_new (backend, 1);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

      osiiso_task_options_set_delay (options, 60 + i * 600.0);
      osiiso_queue_push (queue, note_time, &waits[i], NULL, options, NULL);
    }
  osiiso_queue_start (queue, NULL);
  hooks->clock_advance (59 * G_TIME_SPAN_SECOND);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  soak_expect (waits[0].entered == 0, "a task has begun before its delay is over");
  hooks->clock_advance (G_TIME_SPAN_DAY);
  soak_join (queue);
  for (guint i = 0; i < n; i++)
    soak_expect (waits[i].entered >= begun + (60 + i * 600) * G_TIME_SPAN_SECOND, "a task has begun before its delay is over");
  soak_queue_free (queue);
  hooks->clock_set_manual (0);
}

static void
check_jumps (OsiisoQueue *queue,
             guint        n,
             GArray      *lates)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autofree Wait *waits = g_new0 (Wait, n);

  osiiso_task_options_set_delay (options, DELAY_US / 1e6);
  for (guint i = 0; i < n; i++)
    {
      /* Something that asks for the time of day. */
      g_get_real_time ();
      waits[i].submitted = g_get_monotonic_time ();
      osiiso_queue_push (queue, note_time, &waits[i], NULL, options, NULL);
    }
  soak_join (queue);
  for (guint i = 0; i < n; i++)
    {
      const double late = (double) (waits[i].entered - waits[i].submitted - DELAY_US) / 1000;

      soak_expect (late >= 0, "a task has begun %g ms before its delay is over", -late);
      g_array_append_val (lates, late);
    }
}

/* By the thread for timers, and by workers on their own. */
static void
check_timeouts (OsiisoQueue *queue,
                GArray      *lates)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoHandle) handle = NULL;
  double late;

  osiiso_task_options_set_timeout (options, DELAY_US / 1e6);
  handle = osiiso_queue_submit (queue, time_out, NULL, NULL, options, NULL);
  soak_join (queue);
  soak_expect (osiiso_handle_get_status (handle) == OSIISO_STATUS_FAILED, "a task has not timed out");
  late = (osiiso_handle_get_duration (handle) * 1e6 - DELAY_US) / 1000;
  soak_expect (late >= -0.001, "a timeout came %g ms before its time", -late);
  g_array_append_val (lates, late);
}

/* Whether something in a worker listens to the parent, also after the time of day was set
 * back; if not, this hangs. */
static void
check_worker (guint n)
{
  SoakSlots *slots = soak_slots_new ();
  OsiisoQueue *queue = soak_workers_new (1, "grace-time", 3600.0, NULL);

  osiiso_queue_start (queue, NULL);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_call (queue, SOAK_MODULE "call_listen", NULL, NULL, NULL);
      SoakSlot *slot = NULL;

      while (slot == NULL)
        {
          const guint n_slots = (guint) g_atomic_int_get (&slots->n);

          for (guint k = 0; k < n_slots; k++)
            if (g_atomic_int_get (&slots->slots[k].running) != 0)
              slot = &slots->slots[k];
          g_main_context_iteration (NULL, FALSE);
        }
      osiiso_handle_cancel (handle);
      while (g_atomic_int_get (&slot->running) != 0)
        g_main_context_iteration (NULL, FALSE);
    }
  soak_queue_free (queue);
  soak_slots_free (slots);
}

static void
jumps (const SoakParams *params)
{
  static const char *const backends[] = { "main-loop", "thread-pool" };
  g_autoptr (GArray) lates = g_array_new (FALSE, FALSE, sizeof (double));
  const gint64 today = g_get_real_time ();
  guint n_jumps = 0;
  SoakMix *mix;

  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    {
      check_gap (backends[b]);
      for (guint64 i = 0; i < params->n; i++)
        {
          OsiisoQueue *queue = soak_queue_new (backends[b], 2);

          check_jumps (queue, 20, lates);
          if (g_str_equal (backends[b], "thread-pool"))
            check_timeouts (queue, lates);
          n_jumps += ABS (g_get_real_time () - today) > G_TIME_SPAN_HOUR;
          soak_queue_free (queue);
        }
    }
  soak_expect (n_jumps > 0 || g_getenv ("LD_PRELOAD") == NULL, "the time of day never jumped");
  /* Their workers have clocks, too. */
  mix = soak_mix_new ("subprocess", params->workers, 100, params->seed);
  for (guint64 i = 0; i < params->n; i++)
    {
      soak_mix_begin (mix);
      soak_mix_end (mix);
    }
  soak_mix_free (mix);
  check_worker ((guint) params->n);
  soak_report ("timers", lates->len);
  soak_report ("jumps_seen", n_jumps);
  soak_report_quantiles ("late_ms", (double *) (void *) lates->data, lates->len);
}

const SoakTest soak_time[] = {
  { "time", jumps },
  { NULL },
};
