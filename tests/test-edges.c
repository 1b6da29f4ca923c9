/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <string.h>

#include "test-utils.h"

/* What is left out, is not there yet, or is asked for in the wrong place. */

/* Values. */

static gpointer
copy_text (gpointer text)
{
  return g_strdup (text);
}

static GType
js_object_get_type (void)
{
  static GType type;

  if (type == 0)
    type = g_boxed_type_register_static ("JSObject", copy_text, g_free);
  return type;
}

static void
return_js_object (OsiisoAttempt *attempt,
                  gpointer       unused)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, js_object_get_type ());
  g_value_set_boxed (&value, "object");
  osiiso_attempt_return_value (attempt, &value);
}

static void
fail_with_js_object (OsiisoAttempt *attempt,
                     gpointer       retry_after)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, js_object_get_type ());
  osiiso_attempt_return_error_full (attempt, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "failed"), &value,
                                    *(double *) retry_after);
}

static void
test_js_objects (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 3, NULL);
  double never = INFINITY;
  double now = 0;
  double unsaid = -INFINITY;
  g_autoptr (OsiisoHandle) value = test_submit (queue, return_js_object, NULL, NULL);
  g_autoptr (OsiisoHandle) once = test_submit (queue, fail_with_js_object, &never, options);
  g_autoptr (OsiisoHandle) often = test_submit (queue, fail_with_js_object, &now, options);
  g_autoptr (OsiisoHandle) plain = test_submit (queue, fail_with_js_object, &unsaid, NULL);
  g_autoptr (GError) refused = NULL;
  g_autoptr (GError) failed = NULL;

  g_test_summary ("An object of JavaScript is no value and no details; an error says whether it is worth another attempt");

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (value), ==, OSIISO_STATUS_FAILED);
  refused = osiiso_handle_dup_error (value);
  g_assert_error (refused, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (refused->message, "JavaScript object"));
  g_assert_null (osiiso_handle_dup_value (value));
  failed = osiiso_handle_dup_error (once);
  g_assert_error (failed, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_null (osiiso_handle_dup_error_details (once));
  g_assert_cmpuint (osiiso_handle_get_attempts (once), ==, 1);
  g_assert_cmpuint (osiiso_handle_get_attempts (often), ==, 4);
  g_assert_cmpuint (osiiso_handle_get_attempts (plain), ==, 1);
  test_queue_free (queue);
}

static void
return_strings (OsiisoAttempt *attempt,
                gpointer       unused)
{
  static const char *strings[] = { "one", "two", NULL };
  g_auto (GValue) value = G_VALUE_INIT;

  g_assert_cmpuint (osiiso_attempt_get_index (attempt), ==, 0);
  g_value_init (&value, G_TYPE_STRV);
  g_value_set_boxed (&value, strings);
  osiiso_attempt_return_value (attempt, &value);
}

static void
fail_with_details (OsiisoAttempt *attempt,
                   gpointer       unused)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, 7);
  osiiso_attempt_return_error_full (attempt, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "failed"), &value, -1);
}

static void
test_copies (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) strings = test_submit (queue, return_strings, NULL, NULL);
  g_autoptr (OsiisoHandle) nothing = test_submit (queue, test_task_none, NULL, NULL);
  g_autoptr (OsiisoHandle) failing = test_submit (queue, fail_with_details, NULL, NULL);
  GValue *value;
  GValue *details;

  g_test_summary ("Values and details can be had as copies, and a pushed task has them for nobody");

  g_assert_cmpuint (osiiso_queue_push (queue, return_strings, NULL, NULL, NULL, NULL), !=, 0);
  g_assert_null (osiiso_handle_dup_value (strings));
  test_run_all (queue);
  g_assert_null (osiiso_handle_dup_value (nothing));
  g_assert_null (osiiso_handle_dup_error_details (nothing));
  value = osiiso_handle_dup_value (strings);
  details = osiiso_handle_dup_error_details (failing);
  g_clear_object (&strings);
  g_clear_object (&failing);
  osiiso_queue_clear_results (queue);
  g_assert_true (G_VALUE_HOLDS (value, G_TYPE_STRV));
  g_assert_cmpstr (((char **) g_value_get_boxed (value))[1], ==, "two");
  g_assert_cmpint (g_value_get_int (details), ==, 7);
  g_boxed_free (G_TYPE_VALUE, value);
  g_boxed_free (G_TYPE_VALUE, details);
  test_queue_free (queue);
}

static void
test_not_yet (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 100.0, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, later);

  g_test_summary ("A task that waits for its time has told nothing");

  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0);
  g_assert_null (osiiso_handle_dup_status_text (handle));
  g_assert_cmpfloat (osiiso_handle_get_scheduled_for (handle), >, 0);
  g_assert_cmpfloat (osiiso_handle_get_started (handle), ==, 0);
  g_assert_cmpfloat (osiiso_handle_get_duration (handle), ==, 0);
  g_assert_null (osiiso_handle_get_metadata (handle));
  g_assert_true (osiiso_handle_cancel (handle));
  test_queue_free (queue);
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    counter)
{
  test_count (counter);
}

static void
test_same_options (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  int n_told = 0;

  g_test_summary ("An option that is set to what it was tells nobody, also when it is no number");

  g_signal_connect (options, "notify", G_CALLBACK (count_notify), &n_told);
  osiiso_task_options_set_timeout (options, NAN);
  g_assert_cmpint (n_told, ==, 1);
  osiiso_task_options_set_timeout (options, -NAN);
  g_assert_cmpint (n_told, ==, 1);
  osiiso_task_options_set_timeout (options, 3);
  osiiso_task_options_set_timeout (options, NAN);
  g_assert_cmpint (n_told, ==, 3);
  osiiso_task_options_set_metadata (options, g_variant_new_int32 (1));
  g_assert_cmpint (n_told, ==, 4);
  osiiso_task_options_set_metadata (options, g_variant_new_int32 (1));
  g_assert_cmpint (n_told, ==, 4);
  osiiso_task_options_set_metadata (options, g_variant_new_int32 (2));
  g_assert_cmpint (n_told, ==, 5);
  g_assert_cmpint (g_variant_get_int32 (osiiso_task_options_get_metadata (options)), ==, 2);
  osiiso_task_options_set_metadata (options, NULL);
  g_assert_null (osiiso_task_options_get_metadata (options));
  g_assert_cmpint (n_told, ==, 6);
}

/* Classes that hear of one thing only. */

typedef struct
{
  OsiisoQueue parent_instance;
  guint       n_heard;
} HearingQueue;

typedef OsiisoQueueClass HearingQueueClass;

static void
hear_complete (OsiisoQueue  *queue,
               OsiisoHandle *handle)
{
  ((HearingQueue *) queue)->n_heard++;
}

static void
hear_retry (OsiisoQueue  *queue,
            OsiisoHandle *handle,
            const GError *error)
{
  g_assert_cmpstr (error->message, ==, "failed");
  ((HearingQueue *) queue)->n_heard++;
}

static void
class_init_complete (gpointer klass,
                     gpointer unused)
{
  ((OsiisoQueueClass *) klass)->on_complete = hear_complete;
}

static void
class_init_retry (gpointer klass,
                  gpointer unused)
{
  ((OsiisoQueueClass *) klass)->on_retry = hear_retry;
}

static void
test_subclasses (void)
{
  GTypeInfo info = { .class_size = sizeof (HearingQueueClass), .instance_size = sizeof (HearingQueue) };
  double again = 0;

  g_test_summary ("A class may hear of ends only, or of retries only");

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, NULL);
      OsiisoQueue *queue;

      info.class_init = i == 0 ? class_init_complete : class_init_retry;
      queue = g_object_new (g_type_register_static (OSIISO_TYPE_QUEUE, i == 0 ? "TestEnds" : "TestRetries", &info, 0),
                            "backend-name", "main-loop", NULL);
      test_submit_and_drop (queue, fail_with_js_object, &again, options);
      test_submit_and_drop (queue, test_task_none, NULL, NULL);
      test_run_all (queue);
      g_assert_cmpuint (((HearingQueue *) queue)->n_heard, ==, 2);
      test_queue_free (queue);
    }
}

/* Objects, which may be released in the owner's thread only. */

static GThread *owner;

static void
released_cb (gpointer n_released,
             GObject *object)
{
  g_assert_true (g_thread_self () == owner);
  test_count (n_released);
}

static void
return_object (OsiisoAttempt *attempt,
               gpointer       n_released)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_OBJECT);
  g_value_take_object (&value, g_object_new (G_TYPE_OBJECT, NULL));
  g_object_weak_ref (g_value_get_object (&value), released_cb, n_released);
  osiiso_attempt_return_value (attempt, &value);
}

static void
test_objects (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  int n_released = 0;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, return_object, &n_released, NULL);

  g_test_summary ("A value that is an object is released in the owner's context, whoever lets go of it");

  g_assert_cmpuint (osiiso_queue_push (queue, return_object, &n_released, NULL, NULL, NULL), !=, 0);
  test_run_all (queue);
  while (g_atomic_int_get (&n_released) < 1)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (G_VALUE_HOLDS_OBJECT (osiiso_handle_get_value (handle)));
  osiiso_queue_clear_results (queue);
  g_assert_cmpint (n_released, ==, 1);
  g_clear_object (&handle);
  while (g_atomic_int_get (&n_released) < 2)
    g_main_context_iteration (NULL, TRUE);
  test_queue_free (queue);
}

/* Queues. */

static void
ran_cb (GObject      *queue,
        GAsyncResult *result,
        gpointer      summary)
{
  *(OsiisoRunSummary **) summary = osiiso_queue_run_full_finish (OSIISO_QUEUE (queue), result, NULL);
}

static void
test_only_late (void)
{
  const OsiisoTestHooks *hooks = test_manual_clock ();
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  OsiisoAttempt *slot = NULL;
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_defer, &slot, options);
  OsiisoRunSummary *summary = NULL;
  OsiisoQueue *strict = test_queue_new ("thread-pool");

  g_test_summary ("A run that took too long is not well, even if all tasks are");

  osiiso_queue_run_full_async (queue, 10, OSIISO_FAIL_POLICY_CONTINUE, NULL, ran_cb, &summary);
  while (g_atomic_pointer_get (&slot) == NULL)
    g_thread_yield ();
  hooks->clock_advance (11 * G_USEC_PER_SEC);
  osiiso_attempt_return_none (slot);
  osiiso_attempt_unref (slot);
  while (summary == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (osiiso_run_summary_get_succeeded (summary), ==, 1);
  g_assert_cmpuint (osiiso_run_summary_get_failed (summary) + osiiso_run_summary_get_cancelled (summary), ==, 0);
  g_assert_true (osiiso_run_summary_get_timed_out (summary));
  g_assert_false (osiiso_run_summary_get_ok (summary));
  g_object_unref (summary);
  test_queue_free (queue);

  /* One that is in time, where all would have been cancelled. */
  osiiso_queue_set_on_timeout (strict, OSIISO_TIMEOUT_POLICY_CANCEL);
  test_submit_and_drop (strict, test_task_none, NULL, options);
  summary = osiiso_queue_run_full (strict, 10, OSIISO_FAIL_POLICY_CONTINUE, NULL, NULL);
  g_assert_true (osiiso_run_summary_get_ok (summary));
  g_object_unref (summary);
  test_queue_free (strict);
  hooks->clock_set_manual (0);
}

static void
test_no_queue (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoBackend) backend = g_object_ref (osiiso_queue_get_backend (queue));

  g_test_summary ("A backend without a queue has no context");

  g_assert_true (osiiso_backend_get_context (backend) == osiiso_queue_get_context (queue));
  test_queue_free (queue);
  g_assert_null (osiiso_backend_get_context (backend));
}

static gboolean
initialize (gpointer unused,
            GError **error)
{
  return TRUE;
}

static void
test_disposed (void)
{
  g_autoptr (OsiisoQueue) queue = test_queue_new ("thread-pool");
  g_autoptr (GError) error = NULL;

  g_test_summary ("A queue that was disposed of can neither be started nor run");

  g_object_run_dispose (G_OBJECT (queue));
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_run (queue, NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_nonnull (error);
  osiiso_queue_set_workers (queue, 3);
  osiiso_queue_pause (queue);
  osiiso_queue_resume (queue);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
}

typedef struct
{
  int     n_released;
  int     n_returned;
  GError *error;
} Comer;

static void
release_comer (gpointer data)
{
  test_count (&((Comer *) data)->n_released);
}

static void
came_cb (GObject      *queue,
         GAsyncResult *result,
         gpointer      data)
{
  Comer *self = data;

  g_assert_null (osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, &self->error));
  test_count (&self->n_returned);
}

static void
test_cancelled_in_line (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("cancellable", cancellable, NULL);
  g_autoptr (OsiisoHandle) first = test_submit (queue, test_task_none, NULL, NULL);
  Comer comer = { 0, 0, NULL };

  g_test_summary ("A task that was cancelled while it waited for room does not come in when there is some");

  osiiso_queue_set_size (queue, 1);
  osiiso_queue_pause (queue);
  osiiso_queue_submit_async (queue, test_task_none, &comer, release_comer, options, NULL, came_cb, &comer);
  g_cancellable_cancel (cancellable);
  osiiso_queue_set_size (queue, 2);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 1);
  test_iterate_until (&comer.n_returned);
  g_assert_error (comer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&comer.error);
  test_iterate_until (&comer.n_released);
  osiiso_queue_resume (queue);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (first), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_queue_get_completed_count (queue), ==, 1);
  g_assert_cmpint (comer.n_released, ==, 1);
  g_assert_cmpint (comer.n_returned, ==, 1);
  test_queue_free (queue);
}

static void
test_no_initializer (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GError) error = NULL;
  int n_released = 0;

  g_test_summary ("Data for no initializer are released");

  g_assert_true (osiiso_queue_set_initializer (queue, NULL, &n_released, test_count, NULL));
  test_iterate_until (&n_released);
  g_assert_cmpint (n_released, ==, 1);
  test_queue_free (queue);

  /* Nor is there one where no backend is. */
  queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", "nonesuch", NULL);
  g_assert_false (osiiso_queue_set_initializer (queue, initialize, &n_released, test_count, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  while (n_released < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (n_released, ==, 2);
  test_queue_free (queue);
}

static void
test_cancelled_push (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoRunSummary) summary = NULL;
  g_autoptr (OsiisoTaskResult) result = NULL;
  guint64 id;

  g_test_summary ("A pushed task that is cancelled while it waits has a result, without times");

  osiiso_queue_set_workers (queue, 1);
  osiiso_queue_set_fail_policy (queue, OSIISO_FAIL_POLICY_FAIL_FIRST);
  osiiso_queue_push (queue, test_task_fail, NULL, NULL, NULL, NULL);
  id = osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL);
  summary = osiiso_queue_run (queue, NULL, NULL);
  result = osiiso_run_summary_by_task_id (summary, id);
  g_assert_nonnull (result);
  g_assert_cmpint (osiiso_task_result_get_status (result), ==, OSIISO_STATUS_CANCELLED);
  g_assert_null (osiiso_task_result_get_group_id (result));
  g_assert_null (osiiso_task_result_get_metadata (result));
  g_assert_cmpfloat (osiiso_task_result_get_created (result), ==, 0);
  g_assert_cmpfloat (osiiso_task_result_get_started (result), ==, 0);
  g_assert_cmpfloat (osiiso_task_result_get_finished (result), ==, 0);
  g_assert_cmpfloat (osiiso_task_result_get_duration (result), ==, 0);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  owner = g_thread_self ();

  test_add_for_backends ("/edges/js-objects", test_js_objects);
  test_add_for_backends ("/edges/copies", test_copies);
  g_test_add_func ("/edges/not-yet", test_not_yet);
  g_test_add_func ("/edges/same-options", test_same_options);
  g_test_add_func ("/edges/subclasses", test_subclasses);
  test_add_for_backends ("/edges/cancelled-in-line", test_cancelled_in_line);
  g_test_add_func ("/edges/objects", test_objects);
  g_test_add_func ("/edges/only-late", test_only_late);
  g_test_add_func ("/edges/no-queue", test_no_queue);
  g_test_add_func ("/edges/disposed", test_disposed);
  g_test_add_func ("/edges/no-initializer", test_no_initializer);
  g_test_add_func ("/edges/cancelled-push", test_cancelled_push);

  return g_test_run ();
}
