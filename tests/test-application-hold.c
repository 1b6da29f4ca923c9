/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

static void
iterate (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* An application that quits when nothing holds it: it has no windows. */
typedef struct
{
  GApplication          *application;
  OsiisoQueue           *queue;
  OsiisoApplicationHold *hold;
  TestGate               gate;
  OsiisoHandle          *handle;
  gboolean               must;
} Fixture;

static void
pass (OsiisoAttempt *attempt,
      gpointer       user_data)
{
  test_gate_pass (user_data);
  osiiso_attempt_return_int (attempt, 1);
}

static gboolean
on_opened (gpointer user_data)
{
  Fixture *fixture = user_data;

  /* Everything else is over by now, so the application lives by the task alone. */
  g_assert_true (osiiso_application_hold_get_holding (fixture->hold));
  test_gate_open (&fixture->gate);
  return G_SOURCE_REMOVE;
}

static void
on_activate (GApplication *application,
             Fixture      *fixture)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);

  fixture->queue = test_queue_new ("thread-pool");
  g_assert_true (osiiso_queue_start (fixture->queue, NULL));
  fixture->handle = test_submit (fixture->queue, pass, &fixture->gate, options);
  fixture->hold = osiiso_application_hold_new (fixture->queue, application);
  g_assert_true (osiiso_application_hold_get_holding (fixture->hold));
  g_idle_add_full (G_PRIORITY_LOW, on_opened, fixture, NULL);
}

static void
test_runs_on (void)
{
  g_autoptr (GApplication) application = g_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  Fixture fixture = { .application = application };

  g_test_summary ("An application without windows runs until what must complete is over");

  test_gate_init (&fixture.gate);
  g_signal_connect (application, "activate", G_CALLBACK (on_activate), &fixture);
  g_assert_cmpint (g_application_run (application, 0, NULL), ==, 0);

  g_assert_cmpint (osiiso_handle_get_status (fixture.handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_false (osiiso_application_hold_get_holding (fixture.hold));
  g_object_unref (fixture.hold);
  g_object_unref (fixture.handle);
  test_queue_free (fixture.queue);
  test_gate_clear (&fixture.gate);
}

static void
count (int *n)
{
  (*n)++;
}

static void
test_which (void)
{
  g_autoptr (GApplication) application = g_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoApplicationHold) hold = NULL;
  g_autoptr (OsiisoHandle) plain = NULL, first = NULL, second = NULL;
  OsiisoQueue *queue = test_queue_new ("main-loop");
  int n = 0;

  g_test_summary ("Only tasks that must complete hold, from the submission to the end, all of them once");

  hold = osiiso_application_hold_new (queue, application);
  g_signal_connect_swapped (hold, "notify::holding", G_CALLBACK (count), &n);
  plain = test_submit (queue, test_task_none, NULL, NULL);
  iterate ();
  g_assert_false (osiiso_application_hold_get_holding (hold));

  /* The queue was not started: they wait. */
  first = test_submit (queue, test_task_none, NULL, options);
  second = test_submit (queue, test_task_none, NULL, options);
  iterate ();
  g_assert_true (osiiso_application_hold_get_holding (hold));
  g_assert_cmpint (n, ==, 1);

  g_assert_true (osiiso_handle_cancel (first));
  iterate ();
  g_assert_true (osiiso_application_hold_get_holding (hold));
  test_run_all (queue);
  iterate ();
  g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_false (osiiso_application_hold_get_holding (hold));
  g_assert_cmpint (n, ==, 2);

  g_clear_object (&hold);
  test_queue_free (queue);
}

static void
test_dropped (void)
{
  g_autoptr (GApplication) application = g_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  OsiisoApplicationHold *hold;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoQueue) got = NULL;
  g_autoptr (GApplication) got_application = NULL;
  OsiisoQueue *queue = test_queue_new ("main-loop");
  gboolean holding = FALSE;

  g_test_summary ("An object that goes holds no more; it has its properties before");

  hold = osiiso_application_hold_new (queue, application);
  handle = test_submit (queue, test_task_none, NULL, options);
  iterate ();
  g_object_get (hold, "queue", &got, "application", &got_application, "holding", &holding, NULL);
  g_assert_true (holding);
  g_assert_true (got == queue && osiiso_application_hold_get_queue (hold) == queue);
  g_assert_true (got_application == application && osiiso_application_hold_get_application (hold) == application);
  g_clear_object (&got);
  g_assert_true (osiiso_application_hold_get_holding (hold));
  g_assert_finalize_object (hold);
  /* A release too many would be a critical. */
  g_application_hold (application);
  g_application_release (application);
  test_run_all (queue);
  test_queue_free (queue);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/application-hold/runs-on", test_runs_on);
  g_test_add_func ("/application-hold/which", test_which);
  g_test_add_func ("/application-hold/dropped", test_dropped);

  return g_test_run ();
}
