/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "test-utils.h"

/* What a function can report, when it counts, and how long its data live. */

static void
return_all_kinds (OsiisoAttempt *attempt,
                  gpointer       unused)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  g_autoptr (GObject) object = NULL;

  switch (osiiso_attempt_get_index (attempt))
    {
    case 0:
      osiiso_attempt_return_none (attempt);
      break;
    case 1:
      osiiso_attempt_return_boolean (attempt, TRUE);
      break;
    case 2:
      osiiso_attempt_return_int (attempt, G_MAXINT64);
      break;
    case 3:
      osiiso_attempt_return_double (attempt, 0.5);
      break;
    case 4:
      osiiso_attempt_return_string (attempt, "text");
      break;
    case 5:
      osiiso_attempt_return_bytes (attempt, bytes);
      break;
    case 6:
      osiiso_attempt_return_variant (attempt, g_variant_new_int32 (6));
      break;
    case 7:
      object = g_object_new (OSIISO_TYPE_TASK_OPTIONS, "priority", 77, NULL);
      osiiso_attempt_return_object (attempt, object);
      break;
    default:
      g_value_init (&value, G_TYPE_UINT);
      g_value_set_uint (&value, 8);
      osiiso_attempt_return_value (attempt, &value);
    }
}

static void
test_values (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 9, return_all_kinds, NULL, NULL, NULL, NULL);
  const GValue *values[9];

  g_test_summary ("Every kind of value arrives as it was returned");

  test_run_all (queue);
  for (guint i = 0; i < 9; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      values[i] = osiiso_handle_get_value (handle);
    }
  g_assert_null (values[0]);
  g_assert_true (g_value_get_boolean (values[1]));
  g_assert_cmpint (g_value_get_int64 (values[2]), ==, G_MAXINT64);
  g_assert_cmpfloat (g_value_get_double (values[3]), ==, 0.5);
  g_assert_cmpstr (g_value_get_string (values[4]), ==, "text");
  g_assert_cmpuint (g_bytes_get_size (g_value_get_boxed (values[5])), ==, 3);
  g_assert_cmpint (g_variant_get_int32 (g_value_get_variant (values[6])), ==, 6);
  g_assert_cmpint (osiiso_task_options_get_priority (g_value_get_object (values[7])), ==, 77);
  g_assert_cmpuint (g_value_get_uint (values[8]), ==, 8);
  test_queue_free (queue);
}

static void
report_twice (OsiisoAttempt *attempt,
              gpointer       unused)
{
  g_assert_true (osiiso_attempt_is_open (attempt));
  osiiso_attempt_return_int (attempt, 1);
  g_assert_false (osiiso_attempt_is_open (attempt));
  osiiso_attempt_return_int (attempt, 2);
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_FAILED, "too late");
  osiiso_attempt_set_progress (attempt, 0.7, "too late");
}

static void
test_first_report_counts (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, report_twice, NULL, NULL);

  g_test_summary ("The first report counts and later ones are ignored");

  test_run_all (queue);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 1);
  g_assert_null (osiiso_handle_dup_error (handle));
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0);
  test_queue_free (queue);
}

typedef struct
{
  int n_freed;
  int value;
} Data;

static void
data_freed (gpointer data)
{
  ((Data *) data)->n_freed++;
}

static void
use_after_report (OsiisoAttempt *attempt,
                  gpointer       user_data)
{
  Data *data = user_data;

  osiiso_attempt_return_none (attempt);
  /* Whatever the owner does meanwhile, the data are there until the end. */
  for (int i = 0; i < 1000; i++)
    g_assert_cmpint (data->n_freed, ==, 0);
}

static void
test_data_live (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  Data data = { 0 };

  g_test_summary ("User data live until the function returns, also after its report");

  g_assert_cmpuint (osiiso_queue_push (queue, use_after_report, &data, data_freed, NULL, NULL), !=, 0);
  test_run_all (queue);
  g_assert_cmpint (data.n_freed, ==, 1);
  test_queue_free (queue);
}

static void
test_data_of_interrupted (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoGroup) group = NULL;
  TestGate gate;

  g_test_summary ("A cancelled function keeps its thread and its data until it returns, and the pool stays at strength");

  test_gate_init (&gate);
  osiiso_queue_set_workers (queue, 1);
  handle = osiiso_queue_submit (queue, test_task_gate, &gate, test_gate_release, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 1);
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  group = osiiso_queue_map (queue, 10, test_task_none, NULL, NULL, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 10);
  g_assert_cmpint (gate.n_released, ==, 0);
  test_gate_open (&gate);
  test_iterate_until (&gate.n_released);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static gpointer
return_later (gpointer attempt)
{
  osiiso_attempt_return_int (attempt, 11);
  osiiso_attempt_unref (attempt);
  return NULL;
}

static void
defer_to_thread (OsiisoAttempt *attempt,
                 gpointer       unused)
{
  /* It may report before this function returns. */
  g_thread_unref (g_thread_new ("later", return_later, osiiso_attempt_defer (attempt)));
}

static void
test_defer (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 50, defer_to_thread, NULL, NULL, NULL, NULL);

  g_test_summary ("A deferred attempt is finished by another thread, soon or late");

  test_run_all (queue);
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 11);
    }
  test_queue_free (queue);
}

static void
test_defer_holds_slot (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoAttempt *attempts[3] = { NULL };
  g_autoptr (OsiisoHandle) third = NULL;

  g_test_summary ("On main-loop no more attempts are deferred at a time than there are workers");

  osiiso_queue_set_workers (queue, 2);
  for (guint i = 0; i < 2; i++)
    test_submit_and_drop (queue, test_task_defer, &attempts[i], NULL);
  third = test_submit (queue, test_task_defer, &attempts[2], NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_nonnull (attempts[0]);
  g_assert_nonnull (attempts[1]);
  g_assert_null (attempts[2]);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 2);

  osiiso_attempt_return_none (attempts[1]);
  test_await_status (third, OSIISO_STATUS_RUNNING);
  while (attempts[2] == NULL)
    g_main_context_iteration (NULL, TRUE);
  osiiso_attempt_return_none (attempts[0]);
  osiiso_attempt_return_none (attempts[2]);
  for (guint i = 0; i < 3; i++)
    osiiso_attempt_unref (attempts[i]);
  test_run_all (queue);
  test_queue_free (queue);
}

static void
defer_and_drop (OsiisoAttempt *attempt,
                gpointer       unused)
{
  osiiso_attempt_unref (osiiso_attempt_defer (attempt));
}

static void
test_abandoned (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "lost", "retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, defer_and_drop, NULL, options);
  g_autoptr (GError) error = NULL;

  g_test_summary ("An attempt that is dropped without a report fails, and can be retried");

  test_run_all (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_ABANDONED);
  g_assert_cmpstr (error->message, ==, "attempt 2 of task 'lost' was dropped without a report");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  test_queue_free (queue);
}

static void
wait_for_cancel (OsiisoAttempt *attempt,
                 gpointer       gate)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  g_autoptr (GError) error = NULL;
  GPollFD fd;

  test_gate_pass (gate);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  while (!g_cancellable_is_cancelled (cancellable))
    g_poll (&fd, 1, -1);
  g_cancellable_release_fd (cancellable);
  g_cancellable_set_error_if_cancelled (cancellable, &error);
  osiiso_attempt_return_error (attempt, g_steal_pointer (&error));
}

static void
test_cancellable (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 3, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  TestGate gate;

  g_test_summary ("The cancellable of a running attempt tells that the task was cancelled, and there is no retry");

  test_gate_init (&gate);
  test_gate_open (&gate);
  handle = osiiso_queue_submit (queue, wait_for_cancel, &gate, test_gate_release, options, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_gate_await (&gate, 1);
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  test_iterate_until (&gate.n_released);
  test_queue_free (queue);
  test_gate_clear (&gate);
}

static void
test_stale_attempt (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, NULL);

  g_test_summary ("An attempt that outlives its queue may still report, and nobody minds");

  g_assert_true (osiiso_queue_start (queue, NULL));
  while (attempt == NULL)
    g_main_context_iteration (NULL, TRUE);
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_true (g_cancellable_is_cancelled (osiiso_attempt_get_cancellable (attempt)));
  osiiso_attempt_return_string (attempt, "hello?");
  osiiso_attempt_set_progress (attempt, 1, NULL);
  osiiso_attempt_unref (attempt);
  g_assert_null (osiiso_handle_get_value (handle));
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
tell_progress (OsiisoAttempt *attempt,
               gpointer       unused)
{
  for (int i = 0; i <= 1000; i++)
    {
      g_autofree char *text = g_strdup_printf ("step %d", i);

      osiiso_attempt_set_progress (attempt, i / 1000.0, text);
    }
  osiiso_attempt_set_progress (attempt, NAN, "nan leaves it");
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    counter)
{
  (*(int *) counter)++;
}

static void
test_progress (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, tell_progress, NULL, NULL);
  g_autofree char *text = NULL;
  int n = 0;

  g_test_summary ("Progress is there at once, and notified in few steps in the owner's context");

  g_signal_connect (handle, "notify::progress", G_CALLBACK (count_notify), &n);
  test_run_all (queue);
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 1);
  text = osiiso_handle_dup_status_text (handle);
  g_assert_cmpstr (text, ==, "nan leaves it");
  while (n == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (n, <, 100);
  test_queue_free (queue);
}

static void
bad_retry_after (OsiisoAttempt *attempt,
                 gpointer       unused)
{
  osiiso_attempt_retry_after (attempt, NAN, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "x"));
}

static void
test_bad_retry_after (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 3, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait before a retry that is not a number fails the task and says so, whatever retries are left");

  osiiso_task_options_retry_on (options, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  handle = test_submit (queue, bad_retry_after, NULL, options);
  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_FAILED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_nonnull (g_strrstr (error->message, "nan"));
  test_queue_free (queue);
}

static void
look_at_attempt (OsiisoAttempt *attempt,
                 gpointer       unused)
{
  g_autofree char *name = osiiso_attempt_dup_name (attempt);

  g_assert_cmpuint (osiiso_attempt_get_task_id (attempt), !=, 0);
  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 1);
  osiiso_attempt_return_string (attempt, name);
}

static void
test_names (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) named = test_options_new ("name", "given", NULL);
  g_autoptr (OsiisoTaskOptions) group_id = test_options_new ("group-id", "letters", NULL);
  g_autoptr (OsiisoHandle) a = test_submit (queue, look_at_attempt, NULL, named);
  g_autoptr (OsiisoHandle) b = test_submit (queue, look_at_attempt, NULL, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 2, look_at_attempt, NULL, NULL, group_id, NULL);
  g_autoptr (OsiisoHandle) c = osiiso_group_get_handle (group, 1);

  g_test_summary ("A task has the name of its options, or one that tells which it is");

  test_run_all (queue);
  g_assert_cmpstr (osiiso_handle_get_name (a), ==, "given");
  g_assert_cmpstr (osiiso_handle_get_name (b), ==, "task-2");
  g_assert_cmpstr (osiiso_handle_get_name (c), ==, "letters[1]");
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (b)), ==, "task-2");
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (c)), ==, "letters[1]");
  test_queue_free (queue);
}

typedef struct
{
  OsiisoAttempt *attempt;
  int            n_freed;
} Kept;

static void
keep_attempt (OsiisoAttempt *attempt,
              gpointer       data)
{
  ((Kept *) data)->attempt = osiiso_attempt_ref (attempt);
}

static void
kept_freed (gpointer data)
{
  ((Kept *) data)->n_freed++;
}

static void
check_defer_late (OsiisoQueue *queue,
                  Kept        *kept)
{
  OsiisoAttempt *deferred;

  test_run_all (queue);
  g_assert_nonnull (kept->attempt);
  g_assert_false (osiiso_attempt_is_open (kept->attempt));
  g_assert_cmpint (kept->n_freed, ==, 1);
  deferred = osiiso_attempt_defer (kept->attempt);
  osiiso_attempt_return_int (deferred, 1);
  osiiso_attempt_unref (deferred);
  osiiso_attempt_unref (kept->attempt);
  test_queue_free (queue);
  g_assert_cmpint (kept->n_freed, ==, 1);
}

static void
test_defer_late (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Kept kept = { 0 };
  g_autoptr (OsiisoHandle) handle = osiiso_queue_submit (queue, keep_attempt, &kept, kept_freed, NULL, NULL);

  g_test_summary ("An attempt that is deferred when its task is over has no effect, and the data are released once");

  check_defer_late (queue, &kept);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_null (osiiso_handle_get_value (handle));
}

static void
test_defer_late_map (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  Kept kept = { 0 };
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1, keep_attempt, &kept, kept_freed, NULL, NULL);

  g_test_summary ("The data of a map are released once, also when an attempt of it is deferred too late");

  check_defer_late (queue, &kept);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 1);
}

/* A backend that reports on an attempt by itself, and runs it all the same. */
#define TEST_TYPE_EAGER_BACKEND (test_eager_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestEagerBackend, test_eager_backend, TEST, EAGER_BACKEND, OsiisoBackend)

struct _TestEagerBackend
{
  OsiisoBackend parent_instance;

  gboolean      lazy; /* leaves it to the test to take */
};

G_DEFINE_FINAL_TYPE (TestEagerBackend, test_eager_backend, OSIISO_TYPE_BACKEND)

static gboolean
test_eager_backend_open (OsiisoBackend *backend,
                         GError       **error)
{
  return TRUE;
}

static void
test_eager_backend_wake (OsiisoBackend *backend,
                         guint          n)
{
  OsiisoAttempt *attempt;

  if (TEST_EAGER_BACKEND (backend)->lazy)
    return;
  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      osiiso_attempt_return_int (attempt, 5);
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static void
test_eager_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_eager_backend_class_init (TestEagerBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->open = test_eager_backend_open;
  backend_class->wake = test_eager_backend_wake;
  backend_class->close = test_eager_backend_close;
}

static void
test_eager_backend_init (TestEagerBackend *self)
{
}

static void
count_run (OsiisoAttempt *attempt,
           gpointer       counter)
{
  (*(int *) counter)++;
}

static void
test_run_reported (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_EAGER_BACKEND, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  int n_run = 0;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, count_run, &n_run, NULL);

  g_test_summary ("An attempt that was reported on before it is run ends once, without its function");

  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 5);
  g_assert_cmpint (n_run, ==, 0);
  g_assert_cmpuint (osiiso_queue_get_active_count (queue), ==, 0);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  test_queue_free (queue);
}

static void
defer_and_count (OsiisoAttempt *attempt,
                 gpointer       counter)
{
  (*(int *) counter)++;
  g_assert_true (osiiso_attempt_defer (attempt) == attempt);
}

static void
run_again (OsiisoAttempt *attempt)
{
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*call osiiso_attempt_run() once");
  osiiso_attempt_run (attempt);
  g_test_assert_expected_messages ();
}

static void
test_run_twice (void)
{
  g_autoptr (TestEagerBackend) backend = g_object_new (TEST_TYPE_EAGER_BACKEND, NULL);
  OsiisoQueue *queue;
  g_autoptr (OsiisoHandle) handle = NULL;
  OsiisoAttempt *attempt;
  int n_run = 0;

  g_test_summary ("An attempt whose function has returned and that is deferred is not run again");

  backend->lazy = TRUE;
  queue = osiiso_queue_new_with_backend (OSIISO_BACKEND (backend));
  handle = test_submit (queue, defer_and_count, &n_run, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  attempt = osiiso_backend_take (OSIISO_BACKEND (backend));
  osiiso_attempt_run (attempt);
  run_again (attempt);
  g_assert_cmpint (n_run, ==, 1);
  g_assert_true (osiiso_attempt_is_open (attempt));
  osiiso_attempt_return_int (attempt, 7);
  /* Over: there is nothing to be run, and nothing wrong with that. */
  osiiso_attempt_run (attempt);
  g_assert_cmpint (n_run, ==, 1);
  osiiso_attempt_unref (attempt);
  /* The one of defer(). */
  osiiso_attempt_unref (attempt);
  test_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 7);
  test_queue_free (queue);
}

static void
test_run_deferred (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, NULL);
  OsiisoAttempt *deferred;

  g_test_summary ("Nor is one that a backend has served");

  g_assert_true (osiiso_queue_start (queue, NULL));
  while (attempt == NULL)
    g_main_context_iteration (NULL, FALSE);
  deferred = attempt;
  attempt = NULL;
  run_again (deferred);
  g_assert_null (attempt);
  osiiso_attempt_return_none (deferred);
  osiiso_attempt_unref (deferred);
  test_await_status (handle, OSIISO_STATUS_SUCCEEDED);
  test_queue_free (queue);
}

static void
test_progress_comes (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &attempt, NULL);
  int n = 0;

  g_test_summary ("Progress of a task that goes on is told while its owner does nothing but iterate");

  g_signal_connect (handle, "notify::progress", G_CALLBACK (count_notify), &n);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (handle, OSIISO_STATUS_RUNNING);
  for (int i = 1; i <= 3; i++)
    {
      osiiso_attempt_set_progress (attempt, i / 4.0, NULL);
      while (n < i)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, i / 4.0);
    }
  osiiso_attempt_set_progress (attempt, 7, NULL);
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 1);
  osiiso_attempt_set_progress (attempt, -7, NULL);
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/attempt/values", test_values);
  test_add_for_backends ("/attempt/first-report-counts", test_first_report_counts);
  g_test_add_func ("/attempt/data-live", test_data_live);
  g_test_add_func ("/attempt/data-of-interrupted", test_data_of_interrupted);
  test_add_for_backends ("/attempt/defer", test_defer);
  g_test_add_func ("/attempt/defer-holds-slot", test_defer_holds_slot);
  test_add_for_backends ("/attempt/defer-late", test_defer_late);
  test_add_for_backends ("/attempt/defer-late-map", test_defer_late_map);
  g_test_add_func ("/attempt/run-reported", test_run_reported);
  g_test_add_func ("/attempt/run-twice", test_run_twice);
  g_test_add_func ("/attempt/run-deferred", test_run_deferred);
  test_add_for_backends ("/attempt/abandoned", test_abandoned);
  g_test_add_func ("/attempt/cancellable", test_cancellable);
  g_test_add_func ("/attempt/stale", test_stale_attempt);
  test_add_for_backends ("/attempt/progress", test_progress);
  g_test_add_func ("/attempt/bad-retry-after", test_bad_retry_after);
  g_test_add_func ("/attempt/names", test_names);
  g_test_add_func ("/attempt/progress-comes", test_progress_comes);

  return g_test_run ();
}
