/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* The worker for functions in C, its limits, and what comes through to the queue. */

#define MODULE "osiiso-subprocess-functions:"

static OsiisoHandle *
submit (OsiisoQueue       *queue,
        const char        *function,
        GVariant          *args,
        OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call (queue, function, args, options, &error);

  g_assert_no_error (error);
  return handle;
}

static GVariant *
call (OsiisoQueue *queue,
      const char  *function,
      GVariant    *args)
{
  g_autoptr (OsiisoHandle) handle = submit (queue, function, args, NULL);
  g_autoptr (GError) error = NULL;

  subprocess_join (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_no_error (error);
  return g_variant_ref (g_value_get_variant (osiiso_handle_get_value (handle)));
}

static void
test_memory (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("address-space-limit", (guint64) 512 << 20, NULL);
  g_autoptr (OsiisoHandle) small = submit (queue, MODULE "allocate", g_variant_new_uint64 (16 << 20), NULL);
  g_autoptr (OsiisoHandle) large = submit (queue, MODULE "allocate", g_variant_new_uint64 (1024 << 20), NULL);
  g_autoptr (OsiisoHandle) after = submit (queue, MODULE "allocate", g_variant_new_uint64 (16 << 20), NULL);

  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (small), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_expect_crash (large, "signal");
  /* What GLib says when there is no memory left. */
  subprocess_expect_crash (large, "failed to allocate");
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

static void
test_cpu_time (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("cpu-time-limit", 0.5, NULL);
  g_autoptr (OsiisoHandle) endless = submit (queue, MODULE "compute", NULL, NULL);
  g_autoptr (OsiisoHandle) after = submit (queue, MODULE "limits", NULL, NULL);

  subprocess_join (queue);
  subprocess_expect_crash (endless, "signal 24");
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

static void
test_settings (void)
{
  const int own = getpriority (PRIO_PROCESS, 0);
  OsiisoQueue *queue = subprocess_c_queue_new ("nice", 3, "cpu-time-limit", 100.5,
                                               "address-space-limit", (guint64) 1 << 30, NULL);
  g_autoptr (GVariant) value = call (queue, MODULE "limits", NULL);
  guint64 memory;
  guint64 time;
  int niceness;

  g_variant_get (value, "(itt)", &niceness, &memory, &time);
  g_assert_cmpint (niceness, ==, MIN (own + 3, 19));
  g_assert_cmpuint (memory, ==, 1 << 30);
  g_assert_cmpuint (time, ==, 101);
  subprocess_queue_free (queue);
}

static guint64
get_time_limit (OsiisoQueue *queue)
{
  g_autoptr (GVariant) value = call (queue, MODULE "limits", NULL);
  guint64 time;

  g_variant_get (value, "(itt)", NULL, NULL, &time);
  return time;
}

/* A queue that rests keeps its backend open, and what is set then waits for the next
 * time that it is opened. */
static void
test_later_settings (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("cpu-time-limit", 100.0, "tasks-per-worker", 1, NULL);

  g_assert_cmpuint (get_time_limit (queue), ==, 100);
  test_run_all (queue);
  g_object_set (osiiso_queue_get_backend (queue), "cpu-time-limit", 200.0, NULL);
  g_assert_cmpuint (get_time_limit (queue), ==, 100);
  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  g_assert_cmpuint (get_time_limit (queue), ==, 200);
  subprocess_queue_free (queue);
}

/* GErrors keep their domain and code, of this library and of others. */
static void
test_errors (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new (NULL, NULL);
  g_autoptr (OsiisoHandle) own = submit (queue, MODULE "fail", NULL, NULL);
  g_autoptr (OsiisoHandle) module = submit (queue, "osiiso-no-such-module:function", NULL, NULL);
  g_autoptr (OsiisoHandle) symbol = submit (queue, MODULE "no_such_function", NULL, NULL);

  subprocess_join (queue);
  subprocess_expect (own, G_FILE_ERROR, G_FILE_ERROR_NXIO, "of its own");
  subprocess_expect (module, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND, "osiiso-no-such-module");
  subprocess_expect (symbol, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND, "no_such_function");
  subprocess_queue_free (queue);
}

/* A function chooses the wait before the next attempt, and knows which one it is. */
static void
test_retry_after (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new (NULL, NULL);
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoHandle) patient = NULL;
  g_autoptr (OsiisoHandle) wrong = NULL;

  /* Nobody would wait for that. */
  osiiso_task_options_set_retries (options, 3);
  osiiso_task_options_set_retry_delay (options, 3600);
  patient = submit (queue, MODULE "patient", g_variant_new ("(ud)", 3, 0.001), options);
  wrong = submit (queue, MODULE "patient", g_variant_new ("(ud)", 3, -1.0), options);
  subprocess_join (queue);
  g_assert_cmpuint (g_variant_get_uint32 (g_value_get_variant (osiiso_handle_get_value (patient))), ==, 3);
  g_assert_cmpuint (osiiso_handle_get_attempts (patient), ==, 3);
  subprocess_expect (wrong, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID, "got -1");
  g_assert_cmpuint (osiiso_handle_get_attempts (wrong), ==, 1);
  subprocess_queue_free (queue);
}

/* What a function is told of its task is the same as on other backends. */
static void
test_task (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new (NULL, NULL);
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, "group");
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoHandle) plain = submit (queue, MODULE "task", NULL, NULL);
  OsiisoHandle *members[3] = { NULL };
  g_autoptr (OsiisoHandle) named = NULL;
  OsiisoHandle *handles[] = { NULL, NULL, NULL, NULL, NULL };
  const char *names[] = { MODULE "task", MODULE "task", MODULE "task", MODULE "task", "n\xc3\xa4me" };
  const guint places[] = { 0, 0, 1, 2, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    members[i] = osiiso_group_submit_call (group, MODULE "task", NULL, NULL, NULL);
  osiiso_task_options_set_name (options, names[4]);
  named = submit (queue, MODULE "task", NULL, options);
  handles[0] = plain;
  memcpy (handles + 1, members, sizeof members);
  handles[4] = named;
  subprocess_join (queue);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    {
      const char *name;
      guint32 number;
      guint32 index;

      g_variant_get (g_value_get_variant (osiiso_handle_get_value (handles[i])), "(&suu)", &name, &number, &index);
      g_assert_cmpstr (name, ==, names[i]);
      g_assert_cmpuint (number, ==, 1);
      g_assert_cmpuint (index, ==, places[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    g_object_unref (members[i]);
  subprocess_queue_free (queue);
}

/* A name that no frame has room for is that of the function. */
static void
test_long_task_name (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("max-frame-size", 4096, NULL);
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  const guint lengths[] = { 4088, 4089 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *name = g_strnfill (lengths[i], 'x');
      g_autoptr (OsiisoHandle) handle = NULL;
      const char *told;

      osiiso_task_options_set_name (options, name);
      handle = submit (queue, MODULE "length", NULL, options);
      subprocess_join (queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      told = i == 0 ? name : MODULE "length";
      g_assert_cmpuint (g_variant_get_uint32 (g_value_get_variant (osiiso_handle_get_value (handle))), ==, strlen (told));
    }
  subprocess_queue_free (queue);
}

/* A name that is no text becomes one, and one that is too long for a frame is not told. */
static void
test_odd_names (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new (NULL, NULL);
  g_autofree char *endless = g_strnfill (70000, 'n');
  const char *names[] = { "a\xff" "b", endless };
  const char *told[] = { "a\xef\xbf\xbd" "b", MODULE "task" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
      g_autoptr (OsiisoHandle) handle = NULL;
      const char *name;

      osiiso_task_options_set_name (options, names[i]);
      handle = submit (queue, MODULE "task", NULL, options);
      subprocess_join (queue);
      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      g_variant_get (g_value_get_variant (osiiso_handle_get_value (handle)), "(&suu)", &name, NULL, NULL);
      g_assert_cmpstr (name, ==, told[i]);
    }
  subprocess_queue_free (queue);
}

static void
test_set_up (void)
{
  g_autoptr (GVariant) name = g_variant_ref_sink (g_variant_new_variant (g_variant_new_string (MODULE "set_up")));
  g_autoptr (GBytes) setup = g_variant_get_data_as_bytes (name);
  OsiisoQueue *queue = subprocess_c_queue_new ("setup", setup, "setup-encoding", OSIISO_ENCODING_GVARIANT, NULL);
  g_autoptr (GVariant) value = call (queue, MODULE "get_set_up", NULL);

  g_assert_true (g_variant_get_boolean (value));
  subprocess_queue_free (queue);
}

/* Runs until it is told to end, and knows it. */
static void
test_cancellable (void)
{
  OsiisoQueue *queue = subprocess_c_queue_new ("grace-time", 60.0, NULL);
  TestPipe pipe;

  test_pipe_init (&pipe);
  for (int i = 0; i < 5; i++)
    {
      g_autoptr (OsiisoHandle) handle = submit (queue, MODULE "listen", g_variant_new_string (pipe.path), NULL);
      int pid;

      g_assert_true (osiiso_queue_start (queue, NULL));
      pid = test_pipe_read (&pipe);
      g_assert_true (osiiso_handle_cancel (handle));
      /* It says so. */
      g_assert_cmpint (test_pipe_read (&pipe), ==, -pid);
      subprocess_join (queue);
    }
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

static void
test_module_path (void)
{
  g_autofree char *folder = g_test_build_filename (G_TEST_BUILT, ".", NULL);
  const char *environment[] = { "LC_ALL=C.UTF-8", NULL, NULL };
  g_autofree char *library_path = NULL;
  OsiisoQueue *queue;
  g_autoptr (GVariant) value = NULL;

  if (g_getenv ("LD_LIBRARY_PATH") != NULL)
    environment[1] = library_path = g_strdup_printf ("LD_LIBRARY_PATH=%s", g_getenv ("LD_LIBRARY_PATH"));
  queue = subprocess_c_queue_new ("environment", environment, "module-path", folder, NULL);
  value = call (queue, MODULE "limits", NULL);
  g_assert_nonnull (value);
  subprocess_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* What valgrind says of a crash is the last that such a worker writes. */
  test_add_native ("/workers/limits/memory", test_memory);
  g_test_add_func ("/workers/limits/cpu-time", test_cpu_time);
  g_test_add_func ("/workers/limits/settings", test_settings);
  g_test_add_func ("/workers/limits/later-settings", test_later_settings);
  g_test_add_func ("/workers/c/errors", test_errors);
  g_test_add_func ("/workers/c/retry-after", test_retry_after);
  g_test_add_func ("/workers/c/task", test_task);
  g_test_add_func ("/workers/c/long-task-name", test_long_task_name);
  g_test_add_func ("/workers/c/odd-names", test_odd_names);
  g_test_add_func ("/workers/c/set-up", test_set_up);
  g_test_add_func ("/workers/c/cancellable", test_cancellable);
  g_test_add_func ("/workers/c/module-path", test_module_path);

  return g_test_run ();
}
