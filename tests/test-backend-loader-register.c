/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <glib/gstdio.h>

#include "test-backend-loader.h"

/* Backends of the program itself, the default one, and threads that ask at the same time. */

#define N_THREADS 8

#define TEST_TYPE_OTHER_BACKEND (test_other_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestOtherBackend, test_other_backend, TEST, OTHER_BACKEND, OsiisoBackend)

struct _TestOtherBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestOtherBackend, test_other_backend, OSIISO_TYPE_BACKEND)

static void
test_other_backend_class_init (TestOtherBackendClass *klass)
{
}

static void
test_other_backend_init (TestOtherBackend *self)
{
}

static void
test_register (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = NULL;
  g_autoptr (OsiisoBackend) another = NULL;

  g_test_summary ("A type of this process can have a name, for good, and goes before files");
  test_use_path (dir);

  g_assert_true (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  test_assert_create_gives ("good", "TestBackend");

  /* Once more is fine, another type is not. */
  g_assert_true (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  g_assert_false (osiiso_backend_register ("good", TEST_TYPE_OTHER_BACKEND, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  test_assert_message_has (error, "'good'");
  test_assert_message_has (error, "TestOtherBackend");
  test_assert_message_has (error, "belongs to TestBackend");
  g_clear_error (&error);
  test_assert_create_gives ("good", "TestBackend");

  /* One type may have several names. */
  g_assert_true (osiiso_backend_register ("test-2", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);

  backend = osiiso_backend_create ("test-2", &error);
  g_assert_no_error (error);
  another = osiiso_backend_create ("test-2", &error);
  g_assert_no_error (error);
  g_assert_true (backend != another);

  g_assert_false (osiiso_backend_register ("test-2", TEST_TYPE_OTHER_BACKEND, NULL));
}

static void
test_register_loaded (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autoptr (GError) error = NULL;

  g_test_summary ("The name of a plugin is taken once it is loaded");
  test_use_path (dir);
  test_assert_create_gives ("good", "FixtureGoodBackend");

  g_assert_false (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  test_assert_message_has (error, "belongs to FixtureGoodBackend");
  g_clear_error (&error);

  g_assert_true (osiiso_backend_register ("good", g_type_from_name ("FixtureGoodBackend"), &error));
  g_assert_no_error (error);
}

static void
test_register_bad_type (void)
{
  const struct
  {
    GType       type;
    const char *found;
    const char *expected;
  } cases[] = {
    { G_TYPE_INVALID, "found no type", "expected a type derived from OsiisoBackend" },
    { G_TYPE_STRING, "found the type gchararray", "expected a type derived from OsiisoBackend" },
    { G_TYPE_OBJECT, "found the type GObject", "expected a type derived from OsiisoBackend" },
    { G_TYPE_LIST_MODEL, "found the type GListModel", "expected a type derived from OsiisoBackend" },
    { OSIISO_TYPE_BACKEND, "found the abstract type OsiisoBackend", "that is not abstract" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (osiiso_backend_register ("bad-type", cases[i].type, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      test_assert_message_has (error, "'bad-type'");
      test_assert_message_has (error, cases[i].found);
      test_assert_message_has (error, cases[i].expected);
    }

  test_use_path (NULL);
  test_assert_names ("");
}

static void
test_default (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autoptr (GError) error = NULL;

  g_test_summary ("Without a name the user chooses, and thread-pool is what one gets otherwise");
  test_use_path (dir);

  test_assert_create_fails (NULL, OSIISO_QUEUE_ERROR_NOT_FOUND, "there is no backend 'thread-pool'", NULL);
  g_assert_true (osiiso_backend_register ("thread-pool", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  test_assert_create_gives (NULL, "TestBackend");

  test_set_environment ("OSIISO_BACKEND", "");
  test_assert_create_gives (NULL, "TestBackend");

  test_set_environment ("OSIISO_BACKEND", "good");
  test_assert_create_gives (NULL, "FixtureGoodBackend");
  test_assert_create_gives ("thread-pool", "TestBackend");

  /* A mistake of the user is not passed over, and says where it was made. */
  test_set_environment ("OSIISO_BACKEND", "absent");
  test_assert_create_fails (NULL, OSIISO_QUEUE_ERROR_NOT_FOUND, "OSIISO_BACKEND: ", "'absent'", NULL);
  test_set_environment ("OSIISO_BACKEND", "../good");
  test_assert_create_fails (NULL, OSIISO_QUEUE_ERROR_INVALID, "OSIISO_BACKEND: ", "'../good'", NULL);
  test_set_environment ("OSIISO_BACKEND", "old-abi");
  test_assert_create_fails (NULL, OSIISO_QUEUE_ERROR_FAILED, "OSIISO_BACKEND: ", "found ABI", NULL);
}

static void
test_help (void)
{
  g_autofree char *dir = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_test_subprocess ())
    {
      g_test_summary ("OSIISO_BACKEND=help prints the names once and chooses nothing");
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stdout ("*Backends*OSIISO_BACKEND*default: thread-pool*\n  good\n*\n  thread-pool\n*");
      g_test_trap_assert_stdout_unmatched ("*\n  good\n*\n  good\n*");
      return;
    }

  dir = test_dup_plugin_dir ();
  test_use_path (dir);
  test_set_environment ("OSIISO_BACKEND", "help");
  g_assert_true (osiiso_backend_register ("thread-pool", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);

  test_assert_create_gives (NULL, "TestBackend");
  test_assert_create_gives (NULL, "TestBackend");

  /* The word means nothing elsewhere. */
  test_assert_create_fails ("help", OSIISO_QUEUE_ERROR_NOT_FOUND, "'help'", NULL);
}

static void
test_recursive (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();

  g_test_summary ("A plugin may use the loader while it is being loaded");
  test_use_path (dir);

  test_assert_create_gives ("recursive", "FixtureRecursiveBackend");
  test_assert_create_gives ("recursive-helper", "FixtureGoodBackend");
}

typedef struct
{
  pthread_barrier_t barrier;
  const char       *names[2];
  gint              n_started; /* (atomic) */
} Start;

static gpointer
create_in_thread (gpointer data)
{
  Start *start = data;
  /* Half of the threads go the other way round, so that they would meet in
   * both orders if loading one plugin kept others waiting. */
  int order = g_atomic_int_add (&start->n_started, 1) % 2;
  g_autoptr (OsiisoBackend) first = NULL;
  g_autoptr (OsiisoBackend) second = NULL;
  g_autoptr (OsiisoBackend) broken = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;

  pthread_barrier_wait (&start->barrier);

  first = osiiso_backend_create (start->names[order], &error);
  g_assert_no_error (error);
  names = osiiso_backend_list_names ();
  g_assert_true (g_strv_contains ((const char * const *) names, "good"));
  second = osiiso_backend_create (start->names[!order], &error);
  g_assert_no_error (error);
  broken = osiiso_backend_create ("old-abi", &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);

  return g_object_ref (order == 0 ? first : second);
}

/* The two may be one and the same. */
static void
create_in_threads (const char *one,
                   const char *other)
{
  Start start = { .names = { one, other } };
  GThread *threads[N_THREADS];
  GType type = G_TYPE_INVALID;

  g_assert_cmpint (pthread_barrier_init (&start.barrier, NULL, N_THREADS), ==, 0);
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("create", create_in_thread, &start);

  for (guint i = 0; i < N_THREADS; i++)
    {
      g_autoptr (OsiisoBackend) backend = g_thread_join (threads[i]);

      g_assert_nonnull (backend);
      if (type == G_TYPE_INVALID)
        type = G_OBJECT_TYPE (backend);
      g_assert_true (G_OBJECT_TYPE (backend) == type);
    }
  pthread_barrier_destroy (&start.barrier);
}

static void
test_threads (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();

  g_test_summary ("Threads that want the same plugin at once get the same type");
  test_use_path (dir);
  create_in_threads ("good", "good");
  g_assert_cmpuint (g_type_from_name ("FixtureGoodBackend"), !=, G_TYPE_INVALID);
}

static void
test_threads_recursive (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();

  g_test_summary ("Nor do threads wait for each other when a plugin uses the loader");
  test_use_path (dir);
  create_in_threads ("good", "recursive");
}

static void
answer (OsiisoAttempt *attempt,
        gpointer       user_data)
{
  osiiso_attempt_return_int (attempt, GPOINTER_TO_INT (user_data));
}

static void
test_queue (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoQueue) queue = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  const GValue *value;

  g_test_summary ("A queue runs on a backend that comes from a file");
  test_use_path (dir);

  queue = osiiso_queue_new ("good", &error);
  g_assert_no_error (error);
  g_assert_nonnull (queue);
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (osiiso_queue_get_backend (queue)), ==, "FixtureGoodBackend");

  handle = osiiso_queue_submit (queue, answer, GINT_TO_POINTER (42), NULL, NULL, &error);
  g_assert_no_error (error);
  summary = osiiso_queue_run (queue, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (summary);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  value = osiiso_handle_get_value (handle);
  g_assert_nonnull (value);
  g_assert_cmpint (g_value_get_int64 (value), ==, 42);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);

  g_assert_null (osiiso_queue_new ("old-abi", &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
}

void
test_add_backend_loader_register (void)
{
  test_add_case ("/backend-loader/register/good", test_register);
  test_add_case ("/backend-loader/register/loaded", test_register_loaded);
  test_add_case ("/backend-loader/register/bad-type", test_register_bad_type);
  test_add_case ("/backend-loader/default", test_default);
  g_test_add_func ("/backend-loader/help", test_help);
  test_add_case ("/backend-loader/recursive", test_recursive);
  test_add_case ("/backend-loader/threads/same", test_threads);
  test_add_case ("/backend-loader/threads/recursive", test_threads_recursive);
  test_add_case ("/backend-loader/queue", test_queue);
}
