/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-semantics-utils.h"

/* Which of the tasks that may run runs next. */

static void
test_zero_delay (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  const double yesterday = (double) g_get_real_time () / G_USEC_PER_SEC - 86400;
  g_autoptr (OsiisoTaskOptions) zero = test_options_new ("name", "zero", "delay", 0.0, NULL);
  g_autoptr (OsiisoTaskOptions) past = test_options_new ("name", "past", "run-at", yesterday, NULL);
  g_autoptr (OsiisoTaskOptions) last = test_options_new ("name", "last", NULL);
  g_autoptr (OsiisoHandle) a = NULL;
  g_autoptr (OsiisoHandle) b = NULL;
  TestLog log;

  g_test_summary ("A delay of zero is none, and a time that is over is as good as none");

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  a = test_submit (queue, semantics_task_log, &log, zero);
  b = test_submit (queue, semantics_task_log, &log, past);
  test_submit_and_drop (queue, semantics_task_log, &log, last);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_scheduled_for (a), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_scheduled_for (b), ==, 0);
  test_run_all (queue);
  semantics_assert_log (&log, "zero past last");
  test_queue_free (queue);
  test_log_clear (&log);
}

/* Submits another task like itself until there have been enough. */
typedef struct
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  int                n_left;
  int                n_run;
} Chain;

static void
submit_next (OsiisoAttempt *attempt,
             gpointer       data)
{
  Chain *self = data;

  self->n_run++;
  if (self->n_left-- > 0)
    test_submit_and_drop (self->queue, submit_next, self, self->options);
}

static void
note_n_run (OsiisoAttempt *attempt,
            gpointer       data)
{
  osiiso_attempt_return_int (attempt, ((Chain *) data)->n_run);
}

static void
test_no_ageing (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) urgent = test_options_new ("priority", 2, NULL);
  Chain chain = { queue, urgent, 500, 0 };
  g_autoptr (OsiisoHandle) patient = NULL;

  g_test_summary ("A task waits as long as there are more urgent ones, however long that is");

  osiiso_queue_set_workers (queue, 1);
  patient = test_submit (queue, note_n_run, &chain, NULL);
  test_submit_and_drop (queue, submit_next, &chain, urgent);
  test_run_all (queue);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (patient)), ==, 501);
  test_queue_free (queue);
}

static void
test_delayed (gconstpointer backend)
{
  static const struct
  {
    const char *name;
    int priority;
    double delay;
  } tasks[] = {
    { "a", 3, 30 }, { "b", 3, 10 }, { "c", 3, 0 }, { "d", 1, 20 }, { "e", 3, 20 }, { "f", 3, 0 },
  };
  OsiisoQueue *queue = test_queue_new (backend);
  TestLog log;

  g_test_summary ("Tasks that are due take their turn by priority, then by submission, not by when they were due");

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", tasks[i].name, "priority", tasks[i].priority,
                                                                "delay", tasks[i].delay, NULL);

      g_assert_cmpuint (osiiso_queue_push (queue, semantics_task_log, &log, NULL, options, NULL), !=, 0);
    }
  semantics_advance (30);
  test_run_all (queue);
  semantics_assert_log (&log, "d a b c e f");
  test_queue_free (queue);
  test_log_clear (&log);
}

static void
test_group_members (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("group-id", "g", NULL);
  g_autoptr (OsiisoTaskOptions) before = test_options_new ("name", "before", NULL);
  g_autoptr (OsiisoTaskOptions) after = test_options_new ("name", "after", NULL);
  g_autoptr (OsiisoGroup) group = NULL;
  TestLog log;

  g_test_summary ("The members of a map have their turn at the place of the call, in the order of their index");

  test_log_init (&log);
  osiiso_queue_set_workers (queue, 1);
  test_submit_and_drop (queue, semantics_task_log, &log, before);
  group = osiiso_queue_map (queue, 3, semantics_task_log, &log, NULL, options, NULL);
  test_submit_and_drop (queue, semantics_task_log, &log, after);
  test_run_all (queue);
  semantics_assert_log (&log, "before g[0] g[1] g[2] after");
  test_queue_free (queue);
  test_log_clear (&log);
}

int
main (int   argc,
      char *argv[])
{
  semantics_init (&argc, &argv);

  test_add_for_backends ("/semantics/order/zero-delay", test_zero_delay);
  test_add_for_backends ("/semantics/order/no-ageing", test_no_ageing);
  test_add_for_backends ("/semantics/order/delayed", test_delayed);
  test_add_for_backends ("/semantics/order/group-members", test_group_members);

  return g_test_run ();
}
