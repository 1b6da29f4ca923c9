/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Calls that come and go as they should, and workers that are kept and replaced. */

static void
test_call (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autofree char *value = subprocess_call (queue, "echo", "{\"a\": [1, 2]}");

  g_assert_cmpstr (value, ==, "{\"a\": [1, 2]}");
  subprocess_queue_free (queue);
}

static void
test_error (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) own = subprocess_submit (queue, "error", "{\"domain\": \"g-io-error-quark\", \"code\": 1, \"message\": \"not there\"}", NULL);
  g_autoptr (OsiisoHandle) other = subprocess_submit (queue, "error", "{\"domain\": \"of-a-worker\", \"code\": -7, \"message\": \"\"}", NULL);
  g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "echo", "1", NULL);

  subprocess_join (queue);
  subprocess_expect (own, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "not there");
  g_assert_cmpstr (g_value_get_string (osiiso_handle_get_error_details (own)), ==, "\"details\"");
  g_assert_null (osiiso_handle_get_value (own));
  subprocess_expect (other, g_quark_from_string ("of-a-worker"), -7, "");
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

static void
test_functions_refused (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (osiiso_queue_submit (queue, test_task_none, NULL, NULL, NULL, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED);
  subprocess_queue_free (queue);
}

static void
test_kept (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  const int pid = subprocess_call_int (queue, "pid", NULL);
  int pidfd = test_pidfd_open (pid);

  for (int i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "pid", NULL, NULL);

      test_run_all (queue);
      g_assert_cmpint (atoi (g_value_get_string (osiiso_handle_get_value (handle))), ==, pid);
    }
  subprocess_queue_free (queue);
  test_pidfd_await (pidfd);
}

static void
test_recycled (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "tasks-per-worker", 2, "window", 8, NULL);
  OsiisoHandle *handles[6];
  int pids[6];

  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    handles[i] = subprocess_submit (queue, "pid", NULL, NULL);
  subprocess_join (queue);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    {
      pids[i] = atoi (g_value_get_string (osiiso_handle_get_value (handles[i])));
      g_object_unref (handles[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (pids); i += 2)
    {
      g_assert_cmpint (pids[i], ==, pids[i + 1]);
      g_assert_cmpint (pids[i], !=, pids[(i + 2) % 6]);
    }
  subprocess_queue_free (queue);
}

/* The attempts of a queue that are inside at a time, each in a worker of its own. */
static void
stay_in_all (OsiisoQueue *queue,
             guint        n,
             int         *pidfds)
{
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  TestPipe pipe;

  test_pipe_init (&pipe);
  osiiso_queue_set_workers (queue, n);
  g_assert_true (osiiso_queue_start (queue, NULL));
  for (guint i = 0; i < n; i++)
    {
      g_ptr_array_add (handles, subprocess_submit (queue, "until-cancelled", pipe.json, NULL));
      pidfds[i] = test_pidfd_open (test_pipe_read (&pipe));
      g_assert_cmpint (pidfds[i], >=, 0);
    }
  for (guint i = 0; i < n; i++)
    osiiso_handle_cancel (handles->pdata[i]);
  subprocess_join (queue);
  test_pipe_clear (&pipe);
}

static void
test_fewer (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "grace-time", 60.0, NULL);
  struct pollfd polled[3];
  int pidfds[3];
  guint n_gone = 0;

  stay_in_all (queue, G_N_ELEMENTS (pidfds), pidfds);
  osiiso_queue_set_workers (queue, 1);
  /* Those that are too many go. Whether the last one stays depends on whether it is
   * back from its call before somebody else has come to its place. */
  for (guint i = 0; i < G_N_ELEMENTS (polled); i++)
    polled[i] = (struct pollfd) { pidfds[i], POLLIN, 0 };
  while (n_gone < 2)
    {
      g_assert_cmpint (poll (polled, G_N_ELEMENTS (polled), -1), >, 0);
      for (guint i = 0; i < G_N_ELEMENTS (polled); i++)
        {
          if (polled[i].revents == 0)
            continue;
          polled[i].fd = -1;
          polled[i].revents = 0;
          n_gone++;
        }
    }
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
  for (guint i = 0; i < G_N_ELEMENTS (pidfds); i++)
    test_pidfd_await (pidfds[i]);
}

static void
test_set_up (void)
{
  g_autoptr (GBytes) setup = g_bytes_new_static ("first", 5);
  OsiisoQueue *queue = subprocess_queue_new ("", "setup", setup, NULL);
  g_autofree char *value = subprocess_call (queue, "defined", NULL);

  g_assert_cmpstr (value, ==, "{\"\": \"first\"}");
  subprocess_queue_free (queue);
}

static void
test_set_up_fails (void)
{
  g_autoptr (GBytes) setup = g_bytes_new_static ("fail", 4);
  OsiisoQueue *queue = subprocess_queue_new ("", "setup", setup, NULL);
  g_autoptr (OsiisoHandle) first = subprocess_submit (queue, "echo", "1", NULL);
  g_autoptr (OsiisoHandle) second = subprocess_submit (queue, "echo", "2", NULL);

  subprocess_join (queue);
  subprocess_expect (first, g_quark_from_string ("test-domain"), 7, "no such thing");
  subprocess_expect (second, g_quark_from_string ("test-domain"), 7, "no such thing");
  subprocess_queue_free (queue);
}

static char *
call_with_preamble (OsiisoQueue *queue,
                    GBytes      *preamble)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new_json ("preamble", "\"preamble\"");
  g_autoptr (OsiisoHandle) handle = NULL;

  osiiso_call_set_preamble (call, preamble);
  handle = osiiso_queue_submit_call_full (queue, call, NULL, NULL);
  subprocess_join (queue);
  return g_value_dup_string (osiiso_handle_get_value (handle));
}

static void
test_preamble (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (GBytes) one = g_bytes_new_static ("one", 3);
  g_autoptr (GBytes) two = g_bytes_new_static ("two", 3);
  g_autofree char *first = call_with_preamble (queue, one);
  g_autofree char *again = call_with_preamble (queue, one);
  g_autofree char *other = call_with_preamble (queue, two);

  g_assert_cmpstr (first, ==, "\"one\"");
  g_assert_cmpstr (again, ==, "\"one\"");
  g_assert_cmpstr (other, ==, "\"two\"");
  subprocess_queue_free (queue);
}

static void
test_descriptors (void)
{
  const guint before = test_count_fds ();

  for (int i = 0; i < 3; i++)
    {
      OsiisoQueue *queue = subprocess_queue_new ("", NULL);
      g_autofree char *fds = subprocess_call (queue, "fds", NULL);

      g_assert_cmpstr (fds, ==, "[0, 1, 2, 3]");
      subprocess_queue_free (queue);
    }
  g_assert_cmpuint (test_count_fds (), ==, before);
}

static void
test_environment (void)
{
  const char *environment[] = { "LC_ALL=C.UTF-8", "ONLY=this", NULL };
  OsiisoQueue *queue = subprocess_queue_new ("", "environment", environment, "module-path", "/modules", NULL);
  g_autofree char *value = subprocess_call (queue, "environment", NULL);

  g_assert_cmpstr (value, ==, "[\"LC_ALL\", \"ONLY\", \"OSIISO_MODULE_PATH\", \"OSIISO_WORKER_FD\"]");
  subprocess_queue_free (queue);
}

static void
test_large (void)
{
  const gsize size = 64 << 20;
  guint8 *data = g_malloc (size);
  g_autoptr (GBytes) bytes = NULL;
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoCall) call = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + (i >> 16));
  bytes = g_bytes_new_take (data, size);
  call = osiiso_call_new_bytes ("echo-bytes", bytes);
  handle = osiiso_queue_submit_call_full (queue, call, NULL, NULL);
  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (g_bytes_equal (g_value_get_boxed (osiiso_handle_get_value (handle)), bytes));
  subprocess_queue_free (queue);
}

static void
test_too_large (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "max-frame-size", 5000, NULL);
  g_autofree char *text = g_strnfill (4994, 'x');
  g_autofree char *json = g_strdup_printf ("\"%s\"", text);
  g_autofree char *too_long = g_strdup_printf ("\"%sx\"", text);
  g_autoptr (OsiisoHandle) good = subprocess_submit (queue, "echo", json, NULL);
  g_autoptr (OsiisoHandle) bad = subprocess_submit (queue, "echo", too_long, NULL);
  g_autoptr (OsiisoHandle) grows = subprocess_submit (queue, "grow", "5001", NULL);
  g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "pid", NULL, NULL);

  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (good), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_expect (bad, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID, "max-frame-size is 5000");
  subprocess_expect_crash (grows, "frame of 5001 bytes, at most 5000 are allowed");
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

/* More than both directions hold, with both sides writing at a time. */
static void
test_full_pipes (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "window", 16, NULL);
  g_autofree char *text = g_strnfill (300000, 'x');
  g_autofree char *json = g_strdup_printf ("\"%s\"", text);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < 32; i++)
    g_ptr_array_add (handles, subprocess_submit (queue, "echo", json, NULL));
  subprocess_join (queue);
  for (guint i = 0; i < handles->len; i++)
    g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (handles->pdata[i])), ==, json);
  subprocess_queue_free (queue);
}

/* Two queues at a time have nothing to do with each other. */
static void
test_two_queues (void)
{
  OsiisoQueue *first = subprocess_queue_new ("", NULL);
  OsiisoQueue *second = subprocess_queue_new ("", NULL);

  g_assert_cmpint (subprocess_call_int (first, "pid", NULL), !=, subprocess_call_int (second, "pid", NULL));
  subprocess_queue_free (first);
  subprocess_queue_free (second);
}

static void
test_again (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  const int first = subprocess_call_int (queue, "pid", NULL);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, NULL));
  g_assert_true (osiiso_queue_reset (queue, NULL));
  g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), !=, first);
  subprocess_queue_free (queue);
}

static void
test_properties (void)
{
  const char *argv[] = { "worker", "--quiet", NULL };
  const char *environment[] = { "A=1", NULL };
  g_autoptr (GBytes) setup = g_bytes_new_static ("first", 5);
  OsiisoQueue *queue = subprocess_queue_new ("", "worker-argv", argv, "environment", environment, "module-path", "/a:/b",
                                             "setup", setup, "setup-encoding", OSIISO_ENCODING_JSON, "grace-time", 0.5,
                                             "start-timeout", 3.0, "tasks-per-worker", 7,
                                             "address-space-limit", G_GUINT64_CONSTANT (1) << 40, "cpu-time-limit", 9.0,
                                             "nice", 5, "window", 6, "max-frame-size", 1 << 16,
                                             "commands-die-with-parent", FALSE, NULL);
  OsiisoBackend *backend = osiiso_queue_get_backend (queue);
  const char *none[] = { NULL };
  g_auto (GStrv) got_argv = NULL;
  g_auto (GStrv) got_environment = NULL;
  g_auto (GStrv) no_argv = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GBytes) got_setup = NULL;
  OsiisoEncoding encoding;
  double grace, start, cpu;
  guint tasks, window, frame;
  guint64 space;
  int nice;
  gboolean die;

  g_test_summary ("Settings are what was set");

  g_object_get (backend, "worker-argv", &got_argv, "environment", &got_environment, "module-path", &path,
                "setup", &got_setup, "setup-encoding", &encoding, "grace-time", &grace, "start-timeout", &start,
                "tasks-per-worker", &tasks, "address-space-limit", &space, "cpu-time-limit", &cpu, "nice", &nice,
                "window", &window, "max-frame-size", &frame, "commands-die-with-parent", &die, NULL);
  g_assert_cmpstrv (got_argv, argv);
  g_assert_cmpstrv (got_environment, environment);
  g_assert_cmpstr (path, ==, "/a:/b");
  g_assert_true (got_setup == setup);
  g_assert_cmpint (encoding, ==, OSIISO_ENCODING_JSON);
  g_assert_cmpfloat (grace, ==, 0.5);
  g_assert_cmpfloat (start, ==, 3);
  g_assert_cmpuint (tasks, ==, 7);
  g_assert_cmpuint (space, ==, G_GUINT64_CONSTANT (1) << 40);
  g_assert_cmpfloat (cpu, ==, 9);
  g_assert_cmpint (nice, ==, 5);
  g_assert_cmpuint (window, ==, 6);
  g_assert_cmpuint (frame, ==, 1 << 16);
  g_assert_false (die);

  /* An empty one would be a program without a name. */
  g_object_set (backend, "worker-argv", none, NULL);
  g_object_get (backend, "worker-argv", &no_argv, NULL);
  g_assert_null (no_argv);
  subprocess_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/workers/call", test_call);
  g_test_add_func ("/workers/error", test_error);
  g_test_add_func ("/workers/functions-refused", test_functions_refused);
  g_test_add_func ("/workers/kept", test_kept);
  g_test_add_func ("/workers/recycled", test_recycled);
  test_add_native ("/workers/fewer", test_fewer);
  g_test_add_func ("/workers/set-up/done", test_set_up);
  g_test_add_func ("/workers/set-up/fails", test_set_up_fails);
  g_test_add_func ("/workers/preamble", test_preamble);
  g_test_add_func ("/workers/descriptors", test_descriptors);
  test_add_native ("/workers/environment", test_environment);
  g_test_add_func ("/workers/large", test_large);
  g_test_add_func ("/workers/too-large", test_too_large);
  g_test_add_func ("/workers/full-pipes", test_full_pipes);
  g_test_add_func ("/workers/two-queues", test_two_queues);
  g_test_add_func ("/workers/again", test_again);
  g_test_add_func ("/workers/properties", test_properties);

  return g_test_run ();
}
