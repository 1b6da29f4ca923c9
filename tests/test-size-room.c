/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-size.h"

/* Who comes into a bounded queue, and in which order. */

static void
notify_cb (GObject    *object,
           GParamSpec *pspec,
           gpointer    counter)
{
  ++*(int *) counter;
}

static void
test_property (gconstpointer backend)
{
  g_autoptr (OsiisoQueue) queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", backend, "size", 3, NULL);
  g_autoptr (OsiisoQueue) other = test_queue_new (backend);
  int n_notified = 0;
  guint size = 0;

  g_test_summary ("The size is a property, 0 by default");

  g_assert_cmpuint (osiiso_queue_get_size (other), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_size (queue), ==, 3);
  g_signal_connect (queue, "notify::size", G_CALLBACK (notify_cb), &n_notified);
  osiiso_queue_set_size (queue, 3);
  g_assert_cmpint (n_notified, ==, 0);
  g_object_set (queue, "size", G_MAXUINT, NULL);
  g_object_get (queue, "size", &size, NULL);
  g_assert_cmpuint (size, ==, G_MAXUINT);
  g_assert_cmpint (n_notified, ==, 1);
}

static void
test_blocks (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  TestSubmitter submitters[2] = { { .push = FALSE }, { .push = TRUE } };
  OsiisoAttempt *attempts[2];

  g_test_summary ("A submit to a full queue blocks until a task ends, and a push does");

  for (guint i = 0; i < G_N_ELEMENTS (submitters); i++)
    {
      test_fill (queue, attempts, 2);
      test_submitter_start_waiting (&submitters[i], queue);
      g_assert_cmpuint (test_n_outstanding (queue), ==, 2);
      test_let_go (&attempts[0]);
      test_submitter_assert_in (&submitters[i]);
      g_assert_cmpuint (test_n_waiting (queue), ==, 0);
      test_let_go (&attempts[1]);
      test_join (queue);
      g_assert_cmpint (submitters[i].data.n_released, ==, 1);
    }
  g_assert_cmpuint (submitters[1].id, !=, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
  test_queue_free (queue);
}

static void
test_fifo (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  static const char *names[] = { "a", "b", "c", "d" };
  TestSubmitter submitters[G_N_ELEMENTS (names)] = { { NULL } };
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autofree char *order = NULL;
  OsiisoAttempt *filler;
  TestLog log;

  g_test_summary ("Who waits comes in in the order of arrival, and a run goes on meanwhile");

  test_log_init (&log);
  test_fill (queue, &filler, 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      submitters[i].data = (TestData) { &log, names[i], 0 };
      test_submitter_start_waiting (&submitters[i], queue);
    }
  test_let_go (&filler);
  summary = test_run (queue);
  order = test_log_steal (&log);
  g_assert_cmpstr (order, ==, "a b c d");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    test_submitter_assert_in (&submitters[i]);
  /* Nobody was left outside when it ended. */
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 5);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 0);
  test_log_clear (&log);
  test_queue_free (queue);
}

static void
test_try (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempts[2];
  TestData data = { NULL };

  g_test_summary ("A try fails when there is no room, and takes the room that there is");

  test_fill (queue, attempts, 2);
  g_assert_null (osiiso_queue_try_submit (queue, test_task_log, &data, test_release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "queue is full (2 tasks outstanding)");
  g_clear_error (&error);
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_log, &data, test_release, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  ITERATE_UNTIL (data.n_released == 2);

  test_let_go (&attempts[0]);
  ITERATE_UNTIL (test_n_outstanding (queue) == 1);
  handle = osiiso_queue_try_submit (queue, test_task_log, &data, test_release, NULL, &error);
  g_assert_no_error (error);
  ITERATE_UNTIL (test_n_outstanding (queue) == 1);
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_log, &data, test_release, NULL, &error), !=, 0);
  test_let_go (&attempts[1]);
  test_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (data.n_released, ==, 4);
  test_queue_free (queue);
}

static void
test_try_closed (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GError) error = NULL;
  TestData data = { NULL };

  g_test_summary ("A try works without a size, and fails like a submit otherwise");

  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_log, &data, test_release, NULL, &error), !=, 0);
  g_assert_no_error (error);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_null (osiiso_queue_try_submit (queue, test_task_log, &data, test_release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  ITERATE_UNTIL (data.n_released == 2);
  test_queue_free (queue);
}

static void
test_no_overtaking (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  g_autoptr (GError) error = NULL;
  TestSubmitter map = { .n = 2, .func = test_task_none };
  TestSubmitter single = { .push = TRUE };
  OsiisoAttempt *attempts[2];
  TestData data = { NULL };

  g_test_summary ("Nobody overtakes who waits for more room than there is");

  test_fill (queue, attempts, 2);
  test_submitter_start_waiting (&map, queue);
  /* There is room for one, but not for them. */
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_log, &data, test_release, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  test_submitter_start_waiting (&single, queue);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 2);

  osiiso_queue_pause (queue);
  test_let_go (&attempts[0]);
  test_submitter_assert_in (&map);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 3);
  osiiso_queue_resume (queue);
  test_submitter_assert_in (&single);
  test_let_go (&attempts[1]);
  test_join (queue);
  ITERATE_UNTIL (data.n_released == 1);
  test_queue_free (queue);
}

static void
test_map (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 4);
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (GError) error = NULL;
  TestSubmitter map = { .n = 4, .func = test_task_none };
  OsiisoAttempt *filler;
  TestData data = { NULL };

  g_test_summary ("A map takes places for all or for none");

  g_assert_null (osiiso_queue_map (queue, 5, test_task_none, &data, test_release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "5 tasks can never fit into a queue of size 4");
  g_clear_error (&error);
  ITERATE_UNTIL (data.n_released == 1);

  test_fill (queue, &filler, 1);
  test_submitter_start_waiting (&map, queue);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 1);
  osiiso_queue_pause (queue);
  test_let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&map.returned));
  g_assert_cmpuint (test_n_outstanding (queue), ==, 4);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (map.map)), ==, 4);
  osiiso_queue_resume (queue);
  test_join (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (map.map), ==, 4);
  test_submitter_assert_in (&map);
  g_assert_cmpint (map.data.n_released, ==, 1);

  group = osiiso_queue_map (queue, 4, test_task_none, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  test_join (queue);
  test_queue_free (queue);
}

static void
test_grow (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  TestSubmitter submitters[3] = { { .push = TRUE }, { .push = TRUE }, { .n = 3 } };
  OsiisoAttempt *filler;

  g_test_summary ("A larger size lets in who waits, and none at all everybody");

  test_fill (queue, &filler, 1);
  osiiso_queue_pause (queue);
  test_submitter_start_waiting (&submitters[0], queue);
  test_submitter_start_waiting (&submitters[1], queue);
  osiiso_queue_set_size (queue, 3);
  test_submitter_assert_in (&submitters[0]);
  test_submitter_assert_in (&submitters[1]);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 3);
  test_submitter_start_waiting (&submitters[2], queue);
  osiiso_queue_set_size (queue, 0);
  test_submitter_assert_in (&submitters[2]);
  g_assert_cmpuint (test_n_outstanding (queue), ==, 6);
  osiiso_queue_resume (queue);
  test_let_go (&filler);
  test_join (queue);
  test_queue_free (queue);
}

static void
test_shrink (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  TestSubmitter first = { .push = TRUE };
  TestSubmitter map = { .n = 3 };
  TestSubmitter last = { .push = TRUE };
  OsiisoAttempt *attempts[3];

  g_test_summary ("A smaller size refuses who can never come in, and others wait longer");

  test_fill (queue, attempts, 3);
  test_submitter_start_waiting (&first, queue);
  test_submitter_start_waiting (&map, queue);
  test_submitter_start_waiting (&last, queue);
  osiiso_queue_set_size (queue, 1);
  test_submitter_assert_error (&map, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL,
                          "3 tasks can never fit into a queue of size 1");
  g_assert_cmpuint (test_n_waiting (queue), ==, 2);

  test_let_go (&attempts[0]);
  test_let_go (&attempts[1]);
  ITERATE_UNTIL (test_n_outstanding (queue) == 1);
  g_assert_cmpuint (test_n_waiting (queue), ==, 2);
  test_let_go (&attempts[2]);
  test_submitter_assert_in (&first);
  test_submitter_assert_in (&last);
  test_join (queue);
  test_queue_free (queue);
}

static void
test_filled_before_start (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  TestSubmitter submitter = { .push = TRUE };

  g_test_summary ("A queue that is full before it was started is started to make room");

  for (guint i = 0; i < 2; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  test_submitter_start (&submitter, queue);
  test_submitter_assert_in (&submitter);
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 3);

  /* After a run a queue rests. */
  test_run_all (queue);
  for (guint i = 0; i < 2; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  submitter.returned = FALSE;
  test_submitter_start (&submitter, queue);
  test_submitter_assert_in (&submitter);
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 6);
  test_queue_free (queue);
}

static void
test_owner_blocks (void)
{
  OsiisoQueue *queue = test_bounded_queue ("thread-pool", 2);
  g_autoptr (GError) error = NULL;

  g_test_summary ("The owner of a queue on threads blocks too, and need not have started it");

  for (guint i = 0; i < 100; i++)
    {
      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, &error), !=, 0);
      g_assert_no_error (error);
    }
  test_join (queue);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 100);
  test_queue_free (queue);
}

static void
test_owner_refused (void)
{
  OsiisoQueue *queue = test_bounded_queue ("main-loop", 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  TestData data = { NULL };

  g_test_summary ("Where tasks run in the thread that submits, a full queue is an error at once");

  handle = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_null (osiiso_queue_submit (queue, test_task_log, &data, test_release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_assert_cmpstr (error->message, ==, "queue is full (1 tasks outstanding)");
  g_clear_error (&error);
  g_assert_null (osiiso_queue_map (queue, 1, test_task_log, &data, test_release, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  /* Nor did that start it. */
  ITERATE_UNTIL (data.n_released == 2);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_detached (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 2);
  g_autoptr (OsiisoTaskOptions) detached = test_options_new ("detached", TRUE, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("detached", TRUE, "delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Detached and delayed tasks have their places too");

  test_submit_and_drop (queue, test_task_none, NULL, detached);
  handle = test_submit (queue, test_task_none, NULL, delayed);
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, &error), ==, 0);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  g_clear_error (&error);
  /* A task that is cancelled makes room. */
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpuint (osiiso_queue_try_push (queue, test_task_none, NULL, NULL, NULL, &error), !=, 0);
  g_assert_no_error (error);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_delayed (gconstpointer backend)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("delay", 10.0, NULL);
  TestSubmitter submitter = { .options = options };
  OsiisoAttempt *filler;

  g_test_summary ("A delayed task that waited for room begins when it would have begun");

  test_fill (queue, &filler, 1);
  test_submitter_start_waiting (&submitter, queue);
  hooks->clock_advance (4 * G_USEC_PER_SEC);
  test_let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitter.returned));
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  hooks->clock_advance (5 * G_USEC_PER_SEC);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 1);
  hooks->clock_advance (1 * G_USEC_PER_SEC);
  g_assert_cmpuint (osiiso_queue_get_scheduled_count (queue), ==, 0);
  test_join (queue);
  test_submitter_assert_in (&submitter);
  hooks->clock_set_manual (0);
  test_queue_free (queue);
}

static void
test_group (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  TestSubmitter submitters[2] = { { .group = group }, { .group = group } };
  OsiisoAttempt *filler;

  g_test_summary ("A group grows when there is room for the member");

  test_fill (queue, &filler, 1);
  test_submitter_start_waiting (&submitters[0], queue);
  test_submitter_start_waiting (&submitters[1], queue);
  g_assert_null (osiiso_group_get_handle (group, 0));
  test_let_go (&filler);
  for (guint i = 0; i < 2; i++)
    test_submitter_assert_in (&submitters[i]);
  test_join (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 2);
  g_clear_object (&group);
  test_queue_free (queue);
}

static guint64
run_token (guint64  token,
           guint64  task_id,
           guint    attempt,
           gpointer user_data)
{
  osiiso_queue_token_done (user_data, task_id, attempt);
  return task_id;
}

typedef struct
{
  OsiisoQueue *queue;
  guint        n;
  int          returned;
} TokenSubmitter;

static gpointer
token_thread (gpointer data)
{
  TokenSubmitter *self = data;
  g_autoptr (GError) error = NULL;
  gsize n_ids = 1;

  if (self->n == 1)
    {
      g_assert_cmpuint (osiiso_queue_submit_token (self->queue, 1, NULL, &error), !=, 0);
    }
  else
    {
      g_autofree guint64 *ids = osiiso_queue_submit_tokens (self->queue, 1, self->n, NULL, &n_ids, &error);

      g_assert_nonnull (ids);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_ids, ==, self->n);
  g_atomic_int_set (&self->returned, 1);
  return NULL;
}

static void
test_tokens (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 3);
  g_autoptr (GError) error = NULL;
  TokenSubmitter submitters[2] = { { queue, 1, 0 }, { queue, 3, 0 } };
  GThread *threads[2];
  OsiisoAttempt *attempts[3];
  gsize n_ids;

  g_test_summary ("Tokens wait for room too");

  g_assert_true (osiiso_queue_set_runner (queue, run_token, queue, NULL, &error));
  test_fill (queue, attempts, 3);
  for (guint i = 0; i < 2; i++)
    {
      threads[i] = g_thread_new ("tokens", token_thread, &submitters[i]);
      ITERATE_UNTIL (test_n_waiting (queue) == i + 1);
    }
  g_assert_null (osiiso_queue_submit_tokens (queue, 1, 4, NULL, &n_ids, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FULL);
  test_let_go (&attempts[0]);
  ITERATE_UNTIL (g_atomic_int_get (&submitters[0].returned));
  test_let_go (&attempts[1]);
  g_assert_cmpuint (test_n_waiting (queue), ==, 1);
  test_let_go (&attempts[2]);
  ITERATE_UNTIL (g_atomic_int_get (&submitters[1].returned));
  test_join (queue);
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 7);
  test_queue_free (queue);
}

static void
test_hidden (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, 1);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  TestSubmitter submitters[2] = { { .push = FALSE }, { .group = group } };
  OsiisoAttempt *filler;
  guint64 id;

  g_test_summary ("A task that waits to come in is not found");

  test_fill (queue, &filler, 1);
  for (guint i = 0; i < 2; i++)
    test_submitter_start_waiting (&submitters[i], queue);
  id = osiiso_attempt_get_task_id (filler);
  for (guint64 other = id > 64 ? id - 64 : 1; other < id + 64; other++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, other);

      g_assert_true ((handle != NULL) == (other == id));
    }
  osiiso_queue_pause (queue);
  test_let_go (&filler);
  ITERATE_UNTIL (g_atomic_int_get (&submitters[0].returned));
  {
    g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (queue, osiiso_handle_get_task_id (submitters[0].handle));

    g_assert_true (handle == submitters[0].handle);
  }
  osiiso_queue_resume (queue);
  for (guint i = 0; i < 2; i++)
    test_submitter_assert_in (&submitters[i]);
  test_join (queue);
  g_clear_object (&group);
  test_queue_free (queue);
}

/* Many at a time. */
#define N_PRODUCERS 8
#define N_ROUNDS    60
#define SIZE        4

typedef struct
{
  OsiisoQueue *queue;
  OsiisoGroup *group;
  int          n_running;
  int          most;
  int          n_run;
  int          n_in;
  int          n_released;
  int          n_done;
} Stress;

static void
stress_task (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Stress *stress = user_data;
  int n = g_atomic_int_add (&stress->n_running, 1) + 1;

  for (int most = g_atomic_int_get (&stress->most); n > most; most = g_atomic_int_get (&stress->most))
    g_atomic_int_compare_and_exchange (&stress->most, most, n);
  g_thread_yield ();
  g_atomic_int_inc (&stress->n_run);
  g_atomic_int_add (&stress->n_running, -1);
}

static void
stress_release (gpointer user_data)
{
  g_atomic_int_inc (&((Stress *) user_data)->n_released);
}

static gpointer
stress_thread (gpointer user_data)
{
  Stress *stress = user_data;
  GError *error = NULL;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      OsiisoHandle *handle = NULL;
      OsiisoGroup *map = NULL;
      int n = 1;

      if (i % 5 == 1)
        map = osiiso_queue_map (stress->queue, n = 1 + i % SIZE, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 2)
        handle = osiiso_group_submit (stress->group, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 3)
        handle = osiiso_queue_submit (stress->queue, stress_task, stress, stress_release, NULL, &error);
      else if (i % 5 == 4)
        n = osiiso_queue_try_push (stress->queue, stress_task, stress, stress_release, NULL, NULL) != 0 ? 1 : 0;
      else
        osiiso_queue_push (stress->queue, stress_task, stress, stress_release, NULL, &error);
      g_assert_no_error (error);
      g_atomic_int_add (&stress->n_in, n);
      g_clear_object (&handle);
      g_clear_object (&map);
    }
  g_atomic_int_inc (&stress->n_done);
  return NULL;
}

static void
test_stress (gconstpointer backend)
{
  OsiisoQueue *queue = test_bounded_queue (backend, SIZE);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  Stress stress = { .queue = queue, .group = group };
  GThread *threads[N_PRODUCERS];

  g_test_summary ("Many who submit all come in, and never more than the size at a time");

  for (guint i = 0; i < N_PRODUCERS; i++)
    threads[i] = g_thread_new ("producer", stress_thread, &stress);
  ITERATE_UNTIL (g_atomic_int_get (&stress.n_done) == N_PRODUCERS);
  for (guint i = 0; i < N_PRODUCERS; i++)
    g_thread_join (threads[i]);
  test_join (queue);

  g_assert_cmpint (stress.n_run, ==, stress.n_in);
  g_assert_cmpint (stress.most, <=, SIZE);
  ITERATE_UNTIL (g_atomic_int_get (&stress.n_released) == N_PRODUCERS * N_ROUNDS);
  g_assert_cmpuint (test_n_waiting (queue), ==, 0);
  g_clear_object (&group);
  test_queue_free (queue);
}

void
test_add_size_room (void)
{
  test_add_for_backends ("/size/property", test_property);
  test_add_for_backends ("/size/blocks", test_blocks);
  test_add_for_backends ("/size/fifo", test_fifo);
  test_add_for_backends ("/size/try", test_try);
  test_add_for_backends ("/size/try-closed", test_try_closed);
  test_add_for_backends ("/size/no-overtaking", test_no_overtaking);
  test_add_for_backends ("/size/map", test_map);
  test_add_for_backends ("/size/grow", test_grow);
  test_add_for_backends ("/size/shrink", test_shrink);
  test_add_for_backends ("/size/filled-before-start", test_filled_before_start);
  g_test_add_func ("/size/owner-blocks", test_owner_blocks);
  g_test_add_func ("/size/owner-refused", test_owner_refused);
  test_add_for_backends ("/size/detached", test_detached);
  test_add_for_backends ("/size/delayed", test_delayed);
  test_add_for_backends ("/size/group", test_group);
  test_add_for_backends ("/size/tokens", test_tokens);
  test_add_for_backends ("/size/hidden", test_hidden);
  test_add_for_backends ("/size/stress", test_stress);
}
