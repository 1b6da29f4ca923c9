/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-holder.h"

/* What a backend is given of a call, and which calls it is given. Calls that are
 * run are in test-call-module.c. */

/* Bytes that count when they go. */
static GBytes *
counted_bytes (int *counter)
{
  return g_bytes_new_with_free_func ("abc", 3, test_count, counter);
}

/* A call whose end is counted. */
static OsiisoCall *
counted_call (int *counter)
{
  OsiisoCall *call = osiiso_call_new ("m:f", NULL);
  g_autoptr (GBytes) preamble = counted_bytes (counter);

  osiiso_call_set_preamble (call, preamble);
  return call;
}

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        OsiisoCall        *call,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call_full (queue, call, options, &error);

  g_assert_no_error (error);
  g_assert_true (OSIISO_IS_HANDLE (handle));
  return handle;
}

static void
test_encodings (void)
{
  g_autoptr (OsiisoCall) empty = osiiso_call_new ("m:f", NULL);
  g_autoptr (OsiisoCall) variant = osiiso_call_new ("m:f", g_variant_new_int32 (7));
  g_autoptr (OsiisoCall) json = osiiso_call_new_json ("file:///m.js:f", "[1]");
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  g_autoptr (OsiisoCall) opaque = osiiso_call_new_bytes ("m:f.g", bytes);

  g_test_summary ("A call has arguments in one form");

  g_assert_cmpint (osiiso_call_get_encoding (empty), ==, OSIISO_ENCODING_GVARIANT);
  g_assert_null (osiiso_call_get_args (empty));

  g_assert_cmpint (osiiso_call_get_encoding (variant), ==, OSIISO_ENCODING_GVARIANT);
  g_assert_cmpint (g_variant_get_int32 (osiiso_call_get_args (variant)), ==, 7);
  g_assert_false (g_variant_is_floating (osiiso_call_get_args (variant)));
  g_assert_null (osiiso_call_get_json (variant));
  g_assert_null (osiiso_call_get_bytes (variant));

  g_assert_cmpint (osiiso_call_get_encoding (json), ==, OSIISO_ENCODING_JSON);
  g_assert_cmpstr (osiiso_call_get_json (json), ==, "[1]");
  g_assert_cmpstr (osiiso_call_get_function (json), ==, "file:///m.js:f");
  g_assert_null (osiiso_call_get_args (json));
  g_assert_null (osiiso_call_get_bytes (json));

  g_assert_cmpint (osiiso_call_get_encoding (opaque), ==, OSIISO_ENCODING_BYTES);
  g_assert_true (osiiso_call_get_bytes (opaque) == bytes);
  g_assert_null (osiiso_call_get_json (opaque));
  g_assert_null (osiiso_call_get_preamble (opaque));

  g_assert_cmpint (OSIISO_ENCODING_GVARIANT, ==, 'V');
  g_assert_cmpint (OSIISO_ENCODING_JSON, ==, 'J');
  g_assert_cmpint (OSIISO_ENCODING_BYTES, ==, 'B');
}

static void
test_references (void)
{
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  OsiisoCall *copy = g_boxed_copy (OSIISO_TYPE_CALL, call);
  g_autoptr (GVariant) args = g_variant_ref_sink (g_variant_new_string ("text"));
  OsiisoCall *other = osiiso_call_new ("m:f", args);

  g_test_summary ("A call is counted, and so is what it holds");

  g_assert_true (copy == call);
  osiiso_call_unref (call);
  g_assert_cmpint (n_gone, ==, 0);
  g_boxed_free (OSIISO_TYPE_CALL, copy);
  g_assert_cmpint (n_gone, ==, 1);

  /* An argument that was not floating is still ours. */
  osiiso_call_unref (other);
  g_assert_cmpstr (g_variant_get_string (args, NULL), ==, "text");
}

static void
test_preamble (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  int n_gone = 0;
  g_autoptr (OsiisoCall) call = counted_call (&n_gone);
  g_autoptr (GBytes) second = g_bytes_new_static ("def", 3);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) again = NULL;

  g_test_summary ("The preamble can be changed until the call is submitted");

  osiiso_call_set_preamble (call, osiiso_call_get_preamble (call));
  g_assert_cmpint (n_gone, ==, 0);
  osiiso_call_set_preamble (call, NULL);
  g_assert_null (osiiso_call_get_preamble (call));
  g_assert_cmpint (n_gone, ==, 1);
  osiiso_call_set_preamble (call, second);

  handle = submit (queue, call, NULL);
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*submitted*");
  osiiso_call_set_preamble (call, NULL);
  g_test_assert_expected_messages ();
  g_assert_true (osiiso_call_get_preamble (call) == second);

  again = submit (queue, call, NULL);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 2);
  osiiso_queue_cancel (queue);
  test_queue_free (queue);
}

static void
assert_refused (OsiisoQueue *queue,
                OsiisoCall  *call,
                int          code,
                const char  *text)
{
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) group_error = NULL;
  g_autoptr (GError) push_error = NULL;

  g_assert_null (osiiso_queue_submit_call_full (queue, call, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, code);
  g_assert_nonnull (strstr (error->message, text));

  g_assert_null (osiiso_group_submit_call_full (group, call, NULL, &group_error));
  g_assert_error (group_error, OSIISO_QUEUE_ERROR, code);
  g_assert_cmpstr (group_error->message, ==, error->message);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);

  g_assert_cmpuint (osiiso_queue_push_call (queue, call, NULL, &push_error), ==, 0);
  g_assert_error (push_error, OSIISO_QUEUE_ERROR, code);
  g_assert_cmpuint (osiiso_queue_get_pending_count (queue), ==, 0);
}

static void
test_capability (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  g_autoptr (GBytes) preamble = g_bytes_new_static ("abc", 3);

  g_test_summary ("A backend that runs no calls gets none, and the error says which ones do");

  assert_refused (queue, call, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                  "TestHolder, does not run calls; 'main-loop', 'thread-pool' and 'subprocess' do");
  /* One that is not in a queue can still be changed, and nothing keeps it. */
  osiiso_call_set_preamble (call, preamble);
  g_assert_cmpint (n_gone, ==, 1);
  osiiso_call_unref (call);
  test_queue_free (queue);
}

static gboolean
initialize (gpointer user_data,
            GError **error)
{
  return TRUE;
}

static void
test_no_functions (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) map_error = NULL;
  g_autoptr (GError) command_error = NULL;
  g_autoptr (GError) initializer_error = NULL;
  const char *argv[] = { "true", NULL };
  int n_gone = 0;

  g_test_summary ("A backend that runs calls alone is given nothing else");

  g_assert_false (osiiso_queue_set_initializer (queue, initialize, &n_gone, test_count, &initializer_error));
  g_assert_error (initializer_error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);

  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "does not run functions of this process; 'main-loop' and 'thread-pool' do"));
  g_assert_null (osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, NULL, &map_error));
  g_assert_error (map_error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_null (osiiso_queue_submit_command (queue, argv, NULL, NULL, &command_error));
  g_assert_error (command_error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (command_error->message, "does not run commands; 'subprocess' does"));
  test_queue_free (queue);
}

static void
test_in_process_refuses (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoCall) json = osiiso_call_new_json ("m:f", "[]");
  g_autoptr (GBytes) nothing = g_bytes_new_static (NULL, 0);
  g_autoptr (OsiisoCall) bytes = osiiso_call_new_bytes ("m:f", nothing);
  g_autofree char *expected = g_strdup_printf ("'%s' does not run calls with JSON text or bytes", (const char *) backend);

  g_test_summary ("JSON text and bytes are for worker programs");

  assert_refused (queue, json, OSIISO_QUEUE_ERROR_NOT_SUPPORTED, expected);
  assert_refused (queue, bytes, OSIISO_QUEUE_ERROR_NOT_SUPPORTED, expected);
  test_queue_free (queue);
}

static void
test_bad_names (gconstpointer backend)
{
  static const char *names[] = {
    "nothing", "m:", "m:1f", "m:f g", "m:f-g", "./m:f", "a/m:f", "../m.so:f", "file:///m.js:f", "m:f\n", ":",
  };
  OsiisoQueue *queue = test_queue_new (backend);
  g_autofree char *text = g_strnfill (G_MAXUINT16, 'm');
  g_autofree char *too_long = g_strconcat (text, ":f", NULL);

  g_test_summary ("A name that can be none of a function is refused at once");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (OsiisoCall) call = osiiso_call_new (names[i], NULL);

      assert_refused (queue, call, OSIISO_QUEUE_ERROR_INVALID, "expected 'module:symbol'");
    }
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoCall) call = osiiso_call_new (i == 0 ? "" : i == 1 ? "\xff:f" : too_long, NULL);

      assert_refused (queue, call, OSIISO_QUEUE_ERROR_INVALID, "must be UTF-8 of 1 to 65535 bytes");
    }
  test_queue_free (queue);
}

static void
test_floating_refused (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  int n_gone = 0;
  g_autoptr (GBytes) bytes = NULL;
  GVariant *args = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, "abc", 4, TRUE, test_count, &n_gone);

  g_test_summary ("Floating arguments are taken over, also when the call is refused");

  g_assert_null (osiiso_queue_submit_call (queue, "no name", args, NULL, NULL));
  g_assert_cmpint (n_gone, ==, 1);
  test_queue_free (queue);
}

static void
test_names_of_tasks (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  g_autoptr (OsiisoCall) call = osiiso_call_new ("module:symbol", NULL);
  g_autoptr (OsiisoTaskOptions) named = test_options_new ("name", "mine", NULL);
  g_autoptr (OsiisoTaskOptions) unnamed = test_options_new ("priority", 7, "must-complete", TRUE, "group-id", "id", NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  g_autoptr (OsiisoHandle) plain = submit (queue, call, NULL);
  g_autoptr (OsiisoHandle) with_name = submit (queue, call, named);
  g_autoptr (OsiisoHandle) without = submit (queue, call, unnamed);
  g_autoptr (OsiisoHandle) member = osiiso_group_submit_call_full (group, call, unnamed, NULL);
  g_autoptr (OsiisoHandle) pushed = osiiso_queue_lookup (queue, osiiso_queue_push_call (queue, call, NULL, NULL));

  g_test_summary ("A task has the name of its function unless its options have one");

  g_assert_cmpstr (osiiso_handle_get_name (plain), ==, "module:symbol");
  g_assert_cmpint (osiiso_handle_get_priority (plain), ==, OSIISO_PRIORITY_DEFAULT);
  g_assert_cmpstr (osiiso_handle_get_name (with_name), ==, "mine");
  g_assert_cmpstr (osiiso_handle_get_name (without), ==, "module:symbol");
  g_assert_cmpint (osiiso_handle_get_priority (without), ==, 7);
  g_assert_true (osiiso_handle_get_must_complete (without));
  g_assert_cmpstr (osiiso_handle_get_group_id (without), ==, "id");
  g_assert_cmpstr (osiiso_handle_get_name (member), ==, "module:symbol");
  g_assert_cmpstr (osiiso_handle_get_group_id (member), ==, "group");
  g_assert_cmpint (osiiso_handle_get_priority (member), ==, 7);
  g_assert_cmpstr (osiiso_handle_get_name (pushed), ==, "module:symbol");

  osiiso_queue_cancel (queue);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (osiiso_handle_get_name (pushed), ==, "module:symbol");
  test_queue_free (queue);
}

static void
test_given_to_backend (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  g_autoptr (OsiisoCall) call = osiiso_call_new_json ("file:///m.js:f", "[1]");
  g_autoptr (OsiisoHandle) handle = submit (queue, call, NULL);
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("A backend that is no place for functions gets calls in any form");

  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  g_assert_null (osiiso_attempt_get_command (attempt));
  osiiso_attempt_return_string (attempt, "[2]");
  osiiso_attempt_unref (attempt);
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (handle)), ==, "[2]");
  test_queue_free (queue);
}

static void
test_run_by_mistake (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  g_autoptr (OsiisoCall) call = osiiso_call_new_json ("m:f", "[1]");
  g_autoptr (OsiisoHandle) handle = submit (queue, call, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("What cannot run in this process fails if a backend tries");

  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
  error = osiiso_handle_dup_error (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  test_queue_free (queue);
}

/* How the task of a call ends before the attempt at it goes. */
typedef enum
{
  END_REPORT,
  END_CANCEL,
  END_ABANDON,
} End;

static void
test_lifetime (gconstpointer data)
{
  const End end = GPOINTER_TO_INT (data);
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  g_autoptr (OsiisoHandle) handle = submit (queue, call, NULL);
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("A call lives as long as an attempt that it was asked of, and is released in any thread");

  osiiso_call_unref (call);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  if (end == END_REPORT)
    osiiso_attempt_return_none (attempt);
  else if (end == END_CANCEL)
    g_assert_true (osiiso_handle_cancel (handle));
  g_assert_true (end == END_ABANDON || osiiso_handle_is_done (handle));
  g_assert_cmpint (n_gone, ==, 0);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  g_assert_cmpstr (osiiso_call_get_function (call), ==, "m:f");
  osiiso_attempt_unref (attempt);

  /* At once: the context had no turn. */
  g_assert_cmpint (n_gone, ==, 1);
  g_assert_true (osiiso_handle_is_done (handle));
  test_queue_free (queue);
}

static void
test_asked_late (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  g_autoptr (OsiisoHandle) handle = submit (queue, call, NULL);
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("Who asks for the call when the task is over gets none");

  osiiso_call_unref (call);
  osiiso_attempt_return_none (attempt);
  g_assert_cmpint (n_gone, ==, 1);
  g_assert_null (osiiso_attempt_get_call (attempt));
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (n_gone, ==, 1);
  test_queue_free (queue);
}

static void
test_retry_gets_it (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autoptr (OsiisoHandle) handle = submit (queue, call, options);
  OsiisoAttempt *attempt = test_holder_take (queue);

  g_test_summary ("Each attempt has the call");

  osiiso_call_unref (call);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  osiiso_attempt_return_error_literal (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (n_gone, ==, 0);

  attempt = test_holder_take (queue);
  g_assert_cmpuint (osiiso_attempt_get_number (attempt), ==, 2);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_cmpint (n_gone, ==, 1);
  test_queue_free (queue);
}

static void
test_never_taken (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  int n_gone = 0;
  OsiisoCall *call = counted_call (&n_gone);
  g_autoptr (OsiisoHandle) handle = submit (queue, call, NULL);

  g_test_summary ("A call that is cancelled while it waits is released");

  osiiso_call_unref (call);
  g_assert_cmpint (n_gone, ==, 0);
  g_assert_true (osiiso_handle_cancel (handle));
  g_assert_cmpint (n_gone, ==, 1);
  test_queue_free (queue);
}

static void
test_not_a_call (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_FUNCTIONS);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, queue, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 1, test_task_none, queue, NULL, NULL, NULL);

  g_test_summary ("A function is no call");

  for (guint i = 0; i < 2; i++)
    {
      OsiisoAttempt *attempt = test_holder_take (queue);

      g_assert_null (osiiso_attempt_get_call (attempt));
      g_assert_null (osiiso_attempt_get_command (attempt));
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 1);
  test_queue_free (queue);
}

/* A submission that waits for room. */
typedef struct
{
  gboolean      returned;
  OsiisoHandle *handle;
  GError       *error;
} Async;

static void
submitted (GObject      *queue,
           GAsyncResult *result,
           gpointer      user_data)
{
  Async *self = user_data;

  self->handle = osiiso_queue_submit_call_finish (OSIISO_QUEUE (queue), result, &self->error);
  g_assert_true ((self->handle == NULL) == (self->error != NULL));
  self->returned = TRUE;
}

static void
async_await (Async *self)
{
  while (!self->returned)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_async (void)
{
  OsiisoQueue *queue = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_CALLS);
  OsiisoQueue *other = test_holder_queue_new (OSIISO_BACKEND_CAPABILITIES_COMMANDS);
  g_autoptr (OsiisoCall) call = osiiso_call_new ("module:symbol", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (OsiisoHandle) first = NULL;
  Async waits = { FALSE };
  Async cancelled = { FALSE };
  Async refused = { FALSE };
  OsiisoAttempt *attempt;

  g_test_summary ("A call gets in when there is room, and nothing blocks until then");

  osiiso_queue_set_size (queue, 1);
  first = submit (queue, call, NULL);
  osiiso_queue_submit_call_async (queue, call, NULL, NULL, submitted, &waits);
  osiiso_queue_submit_call_async (queue, call, NULL, cancellable, submitted, &cancelled);
  g_cancellable_cancel (cancellable);
  async_await (&cancelled);
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (waits.returned);

  attempt = test_holder_take (queue);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  async_await (&waits);
  g_assert_no_error (waits.error);
  g_assert_cmpstr (osiiso_handle_get_name (waits.handle), ==, "module:symbol");
  attempt = test_holder_take (queue);
  g_assert_true (osiiso_attempt_get_call (attempt) == call);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));

  osiiso_queue_submit_call_async (other, call, NULL, NULL, submitted, &refused);
  async_await (&refused);
  g_assert_error (refused.error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  g_object_unref (waits.handle);
  g_error_free (cancelled.error);
  g_error_free (refused.error);
  test_queue_free (queue);
  test_queue_free (other);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/call/encodings", test_encodings);
  g_test_add_func ("/call/references", test_references);
  g_test_add_func ("/call/preamble", test_preamble);
  g_test_add_func ("/call/capability", test_capability);
  g_test_add_func ("/call/no-functions", test_no_functions);
  test_add_for_backends ("/call/in-process-refuses", test_in_process_refuses);
  test_add_for_backends ("/call/bad-names", test_bad_names);
  g_test_add_func ("/call/floating-refused", test_floating_refused);
  g_test_add_func ("/call/names", test_names_of_tasks);
  g_test_add_func ("/call/given-to-backend", test_given_to_backend);
  g_test_add_func ("/call/run-by-mistake", test_run_by_mistake);
  g_test_add_data_func ("/call/lifetime/report", GINT_TO_POINTER (END_REPORT), test_lifetime);
  g_test_add_data_func ("/call/lifetime/cancel", GINT_TO_POINTER (END_CANCEL), test_lifetime);
  g_test_add_data_func ("/call/lifetime/abandon", GINT_TO_POINTER (END_ABANDON), test_lifetime);
  g_test_add_func ("/call/asked-late", test_asked_late);
  g_test_add_func ("/call/retry", test_retry_gets_it);
  g_test_add_func ("/call/never-taken", test_never_taken);
  g_test_add_func ("/call/not-a-call", test_not_a_call);
  g_test_add_func ("/call/async", test_async);

  return g_test_run ();
}
