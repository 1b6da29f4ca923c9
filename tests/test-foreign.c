/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gmodule.h>
#include <string.h>

#include "test-utils.h"

/* Callbacks of a language that may only be called in the thread that they come from;
 * a module poses as that language. */

static GDestroyNotify destroy_callback;
static int *n_destroyed;
static int *n_collections;

#define assert_refused(call)                                                    \
  G_STMT_START                                                                  \
    {                                                                           \
      g_autoptr (GError) error = NULL;                                          \
                                                                                \
      g_assert_false (call);                                                    \
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED); \
      g_assert_nonnull (strstr (error->message, "JavaScript"));                 \
    }                                                                           \
  G_STMT_END

static guint64
run_token (guint64  token,
           guint64  task_id,
           guint    attempt,
           gpointer user_data)
{
  return token;
}

static void
told (const guint64 *tokens,
      const guint   *statuses,
      gsize          n,
      gpointer       user_data)
{
}

static void
destroy_anywhere (gpointer data)
{
}

/* Succeeds when it is called for the second time. */
static gboolean
initialize (gpointer counter,
            GError **error)
{
  return ++*(int *) counter == 2;
}

static gboolean
initialize_never (gpointer counter,
                  GError **error)
{
  (*(int *) counter)++;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "never");
  return FALSE;
}

static void
test_threads (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (GError) failure = NULL;
  int counter = 0;

  g_test_summary ("They are refused where they would be called in other threads, and destroyed in their own");

  *n_destroyed = 0;
  assert_refused (osiiso_queue_submit (queue, test_task_none, NULL, destroy_callback, NULL, &error) != NULL);
  assert_refused (osiiso_queue_push (queue, test_task_none, NULL, destroy_callback, NULL, &error) != 0);
  assert_refused (osiiso_queue_map (queue, 3, test_task_none, NULL, destroy_callback, NULL, &error) != NULL);
  assert_refused (osiiso_queue_set_initializer (queue, initialize, &counter, destroy_callback, &error));
  assert_refused (osiiso_queue_set_runner (queue, run_token, NULL, destroy_callback, &error));
  assert_refused (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_ANY_THREAD, told, NULL,
                                                     destroy_callback, &error));
  g_assert_cmpint (counter, ==, 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (*n_destroyed, ==, 6);

  /* In the owner's thread they may be called, also where tasks run elsewhere. */
  g_assert_true (osiiso_queue_set_completions_func (queue, OSIISO_COMPLETION_FLAGS_NONE, told, NULL, destroy_callback, &failure));
  g_assert_no_error (failure);
  /* Others may be called anywhere. */
  g_assert_true (osiiso_queue_push (queue, test_task_none, NULL, destroy_anywhere, NULL, &failure) != 0);
  g_assert_no_error (failure);
  test_run_all (queue);
  test_queue_free (queue);
  g_assert_cmpint (*n_destroyed, ==, 7);
}

static void
test_garbage (gconstpointer data)
{
  const gboolean succeeds = GPOINTER_TO_INT (data);
  OsiisoQueue *queue = test_queue_new ("main-loop");
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  int counter = 0;

  g_test_summary ("One that fails without a reason may not have been entered: it is called once more after a collection");

  *n_destroyed = *n_collections = 0;
  g_assert_true (osiiso_queue_set_initializer (queue, succeeds ? initialize : initialize_never, &counter,
                                               destroy_callback, &error));
  g_assert_no_error (error);
  handle = test_submit (queue, test_task_none, NULL, NULL);
  test_run_all (queue);
  g_assert_cmpint (counter, ==, succeeds ? 2 : 1);
  g_assert_cmpint (*n_collections, ==, succeeds ? 1 : 0);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, succeeds ? OSIISO_STATUS_SUCCEEDED : OSIISO_STATUS_FAILED);
  test_queue_free (queue);
  g_assert_cmpint (*n_destroyed, ==, 1);
}

int
main (int   argc,
      char *argv[])
{
  GModule *module;
  gpointer symbol;
  GType (*get_type) (void);

  g_test_init (&argc, &argv, NULL);
  module = g_module_open (TEST_LIBGJS, G_MODULE_BIND_LAZY);
  g_assert_nonnull (module);
  g_module_make_resident (module);
  g_assert_true (g_module_symbol (module, "destroy_callback", &symbol));
  destroy_callback = (GDestroyNotify) symbol;
  g_assert_true (g_module_symbol (module, "n_destroyed", (gpointer *) &n_destroyed));
  g_assert_true (g_module_symbol (module, "n_collections", (gpointer *) &n_collections));
  g_assert_true (g_module_symbol (module, "gjs_context_get_type", &symbol));
  get_type = (GType (*) (void)) symbol;
  g_type_ensure (get_type ());

  g_test_add_func ("/foreign/threads", test_threads);
  g_test_add_data_func ("/foreign/garbage/once-more", GINT_TO_POINTER (TRUE), test_garbage);
  g_test_add_data_func ("/foreign/garbage/with-reason", GINT_TO_POINTER (FALSE), test_garbage);

  return g_test_run ();
}
