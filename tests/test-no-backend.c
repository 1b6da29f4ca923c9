/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* Queues that can run nothing: with the name of a backend that there is not, and with a
 * backend that does not open. */

#define TEST_TYPE_SHUT (test_shut_get_type ())
G_DECLARE_FINAL_TYPE (TestShut, test_shut, TEST, SHUT, OsiisoBackend)

struct _TestShut
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestShut, test_shut, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
test_shut_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CLOSURES;
}

static gboolean silent;

static gboolean
test_shut_open (OsiisoBackend *backend,
                GError       **error)
{
  if (!silent)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED, "shut");
  return FALSE;
}

static void
test_shut_class_init (TestShutClass *klass)
{
  OSIISO_BACKEND_CLASS (klass)->get_capabilities = test_shut_get_capabilities;
  OSIISO_BACKEND_CLASS (klass)->open = test_shut_open;
}

static void
test_shut_init (TestShut *self)
{
}

/* What was started and has not returned, or what came back. */
typedef struct
{
  int     n_returned;
  GError *error;
} Wait;

static void
returned_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Wait *self = user_data;

  g_clear_error (&self->error);
  if (g_async_result_is_tagged (result, osiiso_queue_join_async))
    g_assert_false (osiiso_queue_join_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_run_async))
    g_assert_null (osiiso_queue_run_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_handle_wait_async))
    g_assert_false (osiiso_handle_wait_finish (OSIISO_HANDLE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_group_wait_async))
    g_assert_null (osiiso_group_wait_finish (OSIISO_GROUP (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_group_next_completed_async))
    g_assert_null (osiiso_group_next_completed_finish (OSIISO_GROUP (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_submit_async))
    g_assert_null (osiiso_queue_submit_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_push_async))
    g_assert_cmpuint (osiiso_queue_push_finish (OSIISO_QUEUE (source), result, &self->error), ==, 0);
  else if (g_async_result_is_tagged (result, osiiso_queue_map_async))
    g_assert_null (osiiso_queue_map_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_submit_call_async))
    g_assert_null (osiiso_queue_submit_call_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_push_call_async))
    g_assert_cmpuint (osiiso_queue_push_call_finish (OSIISO_QUEUE (source), result, &self->error), ==, 0);
  else if (g_async_result_is_tagged (result, osiiso_queue_submit_command_async))
    g_assert_null (osiiso_queue_submit_command_finish (OSIISO_QUEUE (source), result, &self->error));
  else if (g_async_result_is_tagged (result, osiiso_queue_push_command_async))
    g_assert_cmpuint (osiiso_queue_push_command_finish (OSIISO_QUEUE (source), result, &self->error), ==, 0);
  else
    g_assert_not_reached ();
  self->n_returned++;
}

static void
await_error (Wait  *self,
             GQuark domain,
             int    code)
{
  while (self->n_returned == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (self->error, domain, code);
  g_clear_error (&self->error);
  self->n_returned = 0;
}

#define assert_none(call)                                                \
  G_STMT_START                                                           \
    {                                                                    \
      g_autoptr (GError) error = NULL;                                   \
                                                                         \
      g_assert_false (call);                                             \
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND); \
    }                                                                    \
  G_STMT_END

#define assert_none_async(start)                                              \
  G_STMT_START                                                                \
    {                                                                         \
      start;                                                                  \
      await_error (&wait, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND); \
    }                                                                         \
  G_STMT_END

static void
test_unknown (void)
{
  OsiisoQueue *queue = g_object_new (OSIISO_TYPE_QUEUE, "backend-name", "no-such-backend", NULL);
  g_autoptr (OsiisoCall) call = osiiso_call_new ("m:f", NULL);
  const char *argv[] = { "true", NULL };
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);
  Wait wait = { 0 };
  int n = 0;

  g_test_summary ("A queue whose backend there is not says so, whatever is asked of it, and releases what it was given");

  assert_none (osiiso_queue_start (queue, &error));
  assert_none (osiiso_queue_run (queue, NULL, &error) != NULL);
  assert_none (osiiso_queue_submit (queue, test_task_none, &n, test_count, NULL, &error) != NULL);
  assert_none (osiiso_queue_try_submit (queue, test_task_none, &n, test_count, NULL, &error) != NULL);
  assert_none (osiiso_queue_push (queue, test_task_none, &n, test_count, NULL, &error) != 0);
  assert_none (osiiso_queue_map (queue, 3, test_task_none, &n, test_count, NULL, &error) != NULL);
  assert_none (osiiso_queue_submit_call_full (queue, call, NULL, &error) != NULL);
  assert_none (osiiso_queue_push_call (queue, call, NULL, &error) != 0);
  assert_none (osiiso_queue_submit_command_full (queue, command, NULL, &error) != NULL);
  assert_none (osiiso_queue_submit_token (queue, 1, NULL, &error) != 0);
  assert_none (osiiso_queue_submit_token_call (queue, 1, call, NULL, 0, NULL, &error) != 0);
  assert_none (osiiso_queue_tell_join (queue, 1, NULL, &error));

  assert_none_async (osiiso_queue_submit_async (queue, test_task_none, &n, test_count, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_push_async (queue, test_task_none, &n, test_count, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_map_async (queue, 3, test_task_none, &n, test_count, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_submit_call_async (queue, call, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_push_call_async (queue, call, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_submit_command_async (queue, command, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_push_command_async (queue, command, NULL, NULL, returned_cb, &wait));
  assert_none_async (osiiso_queue_run_async (queue, NULL, returned_cb, &wait));

  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (n, ==, 7);
  test_queue_free (queue);
}

static void
test_shut (gconstpointer data)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (TEST_TYPE_SHUT, NULL);
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);
  const GQuark domain = GPOINTER_TO_INT (data) ? OSIISO_QUEUE_ERROR : G_IO_ERROR;
  const int code = GPOINTER_TO_INT (data) ? (int) OSIISO_QUEUE_ERROR_FAILED : (int) G_IO_ERROR_NOT_CONNECTED;
  g_autoptr (GError) error = NULL;
  Wait wait = { 0 };

  g_test_summary ("Waits for what cannot be started fail with the reason, or say that there was none");

  silent = GPOINTER_TO_INT (data);
  g_assert_nonnull (handle);
  g_assert_false (osiiso_queue_join (queue, NULL, &error));
  g_assert_error (error, domain, code);
  osiiso_queue_join_async (queue, NULL, returned_cb, &wait);
  await_error (&wait, domain, code);
  osiiso_handle_wait_async (handle, NULL, returned_cb, &wait);
  await_error (&wait, domain, code);
  osiiso_group_wait_async (group, NULL, returned_cb, &wait);
  await_error (&wait, domain, code);
  osiiso_group_next_completed_async (group, NULL, returned_cb, &wait);
  await_error (&wait, domain, code);
  osiiso_queue_run_async (queue, NULL, returned_cb, &wait);
  await_error (&wait, domain, code);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  /* Work that cannot be started cannot be waited for either. */
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_clear_object (&backend);
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/no-backend/unknown", test_unknown);
  g_test_add_data_func ("/no-backend/shut/reason", GINT_TO_POINTER (FALSE), test_shut);
  g_test_add_data_func ("/no-backend/shut/none", GINT_TO_POINTER (TRUE), test_shut);

  return g_test_run ();
}
