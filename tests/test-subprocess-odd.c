/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test-faults.h"
#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* What is seldom: frames about calls that there are not, calls behind one that does not
 * give them back, workers that end and leave others behind, and what cannot be started. */

static void
await (OsiisoHandle *handle)
{
  osiiso_handle_wait (handle, -1, NULL, NULL);
  g_assert_true (osiiso_handle_is_done (handle));
}

/* A frame without a name, in hexadecimal and in quotes. */
static char *
make_frame (guint       kind,
            guint32     id,
            const char *payload)
{
  return g_strdup_printf ("\"%02x000000%02x%02x%02x%02x%02x000000%s\"", (guint) strlen (payload) / 2, id & 255,
                          (id >> 8) & 255, (id >> 16) & 255, id >> 24, kind, payload);
}

/* About calls that it was never given: it is ended for that, and what is told of it names
 * what it has sent. */
static void
test_unknown_calls (void)
{
  static const struct
  {
    guint       kind;
    guint32     id;
    const char *payload;
    const char *text;
  } cases[] = {
    { 4, 0, "", "sent a result of call 0, which it was never given" },
    { 4, 77, "", "sent a result of call 77, which it was never given" },
    { 5, 77, "0000000000000000", "sent an error of call 77, which it was never given" },
    { 5, 0, "0000000000000000", "sent an error of call 0, which it was never given" },
    { 6, 77, "000000000000e03f", "sent progress of call 77, which it was never given" },
    { 9, 77, "", "gave call 77 back, which was not called back" },
    { 11, 77, "000000000000e03f", "sent when to try again of call 77, which it was never given" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *json = make_frame (cases[i].kind, cases[i].id, cases[i].payload);
      OsiisoQueue *queue = subprocess_queue_new ("", NULL);
      const int pid = subprocess_call_int (queue, "pid", NULL);
      g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "raw", json, NULL);

      await (handle);
      subprocess_expect_crash (handle, cases[i].text);
      g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), !=, pid);
      subprocess_queue_free (queue);
    }
}

/* Progress of a call that nobody waits for any more is nobody's, and no fault. */
static void
test_progress_when_cancelled (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "window", 2, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoHandle) behind = NULL;
  TestPipe pipe;
  int pid;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_pause (queue);
  handle = subprocess_submit (queue, "progress-when-cancelled", pipe.json, NULL);
  behind = subprocess_submit (queue, "pid", NULL, NULL);
  osiiso_queue_resume (queue);
  pid = test_pipe_read (&pipe);
  osiiso_handle_cancel (handle);
  await (behind);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpfloat (osiiso_handle_get_progress (handle), ==, 0);
  /* It has not been ended, or another one would have done it. */
  g_assert_cmpint (osiiso_handle_get_status (behind), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (atoi (g_value_get_string (osiiso_handle_get_value (behind))), ==, pid);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* A call that was called back and is cancelled before it comes is called back once. */
static void
test_recalled_and_cancelled (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("recall", "window", 4, NULL);
  g_autoptr (OsiisoHandle) head = NULL;
  g_autoptr (OsiisoHandle) behind = NULL;
  g_autoptr (OsiisoHandle) other = NULL;
  TestPipe pipe;
  int pid;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_pause (queue);
  head = subprocess_submit (queue, "keep", pipe.json, NULL);
  behind = subprocess_submit (queue, "pid", NULL, NULL);
  other = subprocess_submit (queue, "pid", NULL, NULL);
  osiiso_queue_resume (queue);
  pid = test_pipe_read (&pipe);
  osiiso_handle_cancel (behind);
  osiiso_handle_cancel (head);
  await (behind);
  await (other);
  g_assert_cmpint (osiiso_handle_get_status (behind), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (other), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (other), ==, 1);
  g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), ==, pid);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Behind one that does not end: what is cancelled there is over, and the rest is done by
 * the next worker. */
static void
test_behind_deaf (gconstpointer how)
{
  OsiisoQueue *queue = subprocess_queue_new (how, "window", 4, "grace-time", 0.3, NULL);
  g_autoptr (OsiisoHandle) head = NULL;
  g_autoptr (OsiisoHandle) early = NULL;
  g_autoptr (OsiisoHandle) late = NULL;
  g_autoptr (OsiisoHandle) other = NULL;
  TestPipe pipe;
  int pid;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_pause (queue);
  head = subprocess_submit (queue, "deaf", pipe.json, NULL);
  early = subprocess_submit (queue, "pid", NULL, NULL);
  late = subprocess_submit (queue, "pid", NULL, NULL);
  other = subprocess_submit (queue, "pid", NULL, NULL);
  osiiso_queue_resume (queue);
  pid = test_pipe_read (&pipe);
  osiiso_handle_cancel (early);
  osiiso_handle_cancel (head);
  osiiso_handle_cancel (late);
  await (other);
  g_assert_cmpint (osiiso_handle_get_status (early), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (late), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (head), ==, OSIISO_STATUS_CANCELLED);
  g_assert_cmpint (osiiso_handle_get_status (other), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (atoi (g_value_get_string (osiiso_handle_get_value (other))), !=, pid);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* What was cancelled behind another call, and could not be called back, is asked to end as
 * soon as it begins. */
static void
test_cancelled_behind (gconstpointer how)
{
  OsiisoQueue *queue = subprocess_queue_new (how, "window", 2, "grace-time", 60.0, NULL);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *file = g_build_filename (folder, "file", NULL);
  g_autofree char *json = NULL;
  g_autoptr (OsiisoHandle) head = NULL;
  g_autoptr (OsiisoHandle) behind = NULL;
  TestPipe pipe;
  int pidfd;

  test_pipe_init (&pipe);
  json = g_strdup_printf ("[\"%s\", \"%s\"]", pipe.path, file);
  pidfd = test_pidfd_open (subprocess_call_int (queue, "pid", NULL));
  osiiso_queue_pause (queue);
  head = subprocess_submit (queue, "tell-and-wait-for", json, NULL);
  behind = subprocess_submit (queue, "until-cancelled", pipe.json, NULL);
  osiiso_queue_resume (queue);
  /* Both have been sent. */
  test_pipe_read (&pipe);
  osiiso_handle_cancel (behind);
  g_assert_true (g_file_set_contents (file, "", 0, NULL));
  await (head);
  g_assert_cmpint (osiiso_handle_get_status (head), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (osiiso_handle_get_status (behind), ==, OSIISO_STATUS_CANCELLED);
  /* It waits until somebody reads. */
  if (g_str_equal (how, "no-words"))
    test_pidfd_await (pidfd);
  else
    {
      test_pipe_read (&pipe);
      close (pidfd);
    }
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
  g_unlink (file);
  g_rmdir (folder);
}

/* The end of a worker is seen though somebody has its descriptors. */
static void
test_leaves_child (gconstpointer data)
{
  const char *fault = data;
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  TestPipe pipe;
  int child;

  test_pipe_init (&pipe);
  g_assert_true (osiiso_queue_start (queue, NULL));
  if (fault != NULL)
    test_faults_set (fault, 1, EBADF, TRUE);
  handle = subprocess_submit (queue, "leave-child", pipe.json, NULL);
  child = test_pipe_read (&pipe);
  await (handle);
  g_assert_cmpint (test_faults_clear (), ==, fault != NULL);
  subprocess_expect_crash (handle, "exited with status 9 while it ran 'leave-child'");
  subprocess_expect_crash (handle, "left");
  subprocess_call_int (queue, "pid", NULL);
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Of what it wrote last so much is told, whole lines or not. */
static void
test_mid_line (void)
{
  static const int lengths[] = { 1, 999, 1000, 1001, 3000, 5000 };
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *json = g_strdup_printf ("%d", lengths[i]);
      g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "mid-line", json, NULL);
      g_autoptr (GError) error = NULL;
      const char *told;

      await (handle);
      error = osiiso_handle_dup_error (handle);
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED);
      told = strstr (error->message, "to standard error: ");
      g_assert_nonnull (told);
      told += strlen ("to standard error: ");
      g_assert_cmpuint (strlen (told), ==, (gsize) MIN (lengths[i], 1000));
      g_assert_cmpuint (strspn (told, "x"), ==, strlen (told));
    }
  subprocess_queue_free (queue);
}

/* One that was sent away and closes its connection has done nothing wrong, and is ended. */
static void
test_stays (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "tasks-per-worker", 1, "grace-time", 0.1, NULL);
  int pids[3];

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    {
      int pidfd;

      pids[i] = subprocess_call_int (queue, "stays", NULL);
      pidfd = test_pidfd_open (pids[i]);
      test_pidfd_await (pidfd);
    }
  g_assert_cmpint (pids[0], !=, pids[1]);
  g_assert_cmpint (pids[1], !=, pids[2]);
  subprocess_queue_free (queue);
}

static void
test_tasks_per_worker (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "tasks-per-worker", 2, NULL);
  int pids[4];

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    pids[i] = subprocess_call_int (queue, "pid", NULL);
  g_assert_cmpint (pids[0], ==, pids[1]);
  g_assert_cmpint (pids[1], !=, pids[2]);
  g_assert_cmpint (pids[2], ==, pids[3]);
  subprocess_queue_free (queue);
}

/* A preamble counts for the size of a call when it is the larger part. */
static void
test_preamble_size (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "max-frame-size", 4096, NULL);

  for (gsize size = 4000; size < 4300; size += 200)
    {
      g_autofree char *text = g_strnfill (size, 'p');
      g_autoptr (GBytes) preamble = g_bytes_new (text, size);
      g_autoptr (OsiisoCall) call = osiiso_call_new_json ("pid", "null");
      g_autoptr (OsiisoHandle) handle = NULL;

      osiiso_call_set_preamble (call, preamble);
      handle = osiiso_queue_submit_call_full (queue, call, NULL, NULL);
      await (handle);
      if (size < 4096)
        g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
      else
        subprocess_expect (handle, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID, "max-frame-size is 4096");
    }
  subprocess_queue_free (queue);
}

/* Before its greeting it may say why it cannot be used. */
static void
test_error_first (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("error-first", NULL);
  g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "pid", NULL, NULL);

  await (handle);
  subprocess_expect (handle, g_quark_from_string ("test-domain"), 7, "a worker could not be set up: no licence");
  subprocess_queue_free (queue);
}

/* Without hope: calls fail at once, and commands, which need no worker, run. */
static void
test_hopeless (gconstpointer data)
{
  const int code = GPOINTER_TO_INT (data);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *program = g_build_filename (folder, "program", NULL);
  const char *worker[] = { program, NULL };
  const char *argv[] = { "/bin/sh", "-c", "exit 0", NULL };
  OsiisoQueue *queue = subprocess_queue_new ("", "worker-argv", worker, NULL);
  OsiisoHandle *handles[6];

  if (code != G_SPAWN_ERROR_NOENT)
    {
      g_assert_true (g_file_set_contents (program, "#!/nowhere/interpreter\n", -1, NULL));
      g_assert_cmpint (g_chmod (program, code == G_SPAWN_ERROR_ACCES ? 0600 : 0700), ==, 0);
    }
  g_assert_true (osiiso_queue_start (queue, NULL));
  osiiso_queue_pause (queue);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    handles[i] = i % 2 == 0 ? subprocess_submit (queue, "pid", NULL, NULL)
                            : osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);
  if (code == G_SPAWN_ERROR_NOEXEC)
    test_faults_set ("posix_spawn", 1, ENOEXEC, FALSE);
  osiiso_queue_resume (queue);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    {
      await (handles[i]);
      if (i == 0)
        subprocess_expect (handles[i], G_SPAWN_ERROR, code == -1 ? G_SPAWN_ERROR_NOENT : code, "no worker can be started: ");
      if (i == 0 && code == -1)
        subprocess_expect (handles[i], G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "the interpreter that it asks for");
      if (i % 2 == 1)
        g_assert_cmpint (osiiso_handle_get_status (handles[i]), ==, OSIISO_STATUS_SUCCEEDED);
      g_object_unref (handles[i]);
    }
  g_assert_cmpint (test_faults_clear (), ==, code == G_SPAWN_ERROR_NOEXEC);
  subprocess_queue_free (queue);
  g_unlink (program);
  g_rmdir (folder);
}

/* A command that was taken ahead, and is cancelled before there is a place for it. */
static void
test_command_ahead (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("recall", "window", 4, NULL);
  const char *argv[] = { "/bin/false", NULL };
  TestPipe pipe;

  test_pipe_init (&pipe);
  subprocess_call_int (queue, "pid", NULL);
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (OsiisoHandle) head = NULL;
      g_autoptr (OsiisoHandle) command = NULL;
      g_autoptr (OsiisoHandle) call = NULL;

      osiiso_queue_pause (queue);
      head = subprocess_submit (queue, "until-cancelled", pipe.json, NULL);
      command = osiiso_queue_submit_command (queue, argv, NULL, NULL, NULL);
      osiiso_queue_resume (queue);
      test_pipe_read (&pipe);
      osiiso_handle_cancel (command);
      await (command);
      g_assert_cmpint (osiiso_handle_get_status (command), ==, OSIISO_STATUS_CANCELLED);
      osiiso_handle_cancel (head);
      call = subprocess_submit (queue, "pid", NULL, NULL);
      await (call);
      g_assert_cmpint (osiiso_handle_get_status (call), ==, OSIISO_STATUS_SUCCEEDED);
    }
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* Where nobody is told how children end. */
static void
test_status_is_lost (void)
{
  OsiisoQueue *queue;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GVariant) details = NULL;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  signal (SIGCHLD, SIG_IGN);
  queue = subprocess_queue_new ("", NULL);
  handle = subprocess_submit (queue, "exit", "3", NULL);
  await (handle);
  subprocess_expect_crash (handle, "ended (somebody else has asked for its status) while it ran 'exit'");
  details = g_value_dup_variant (osiiso_handle_get_error_details (handle));
  g_assert_true (g_variant_lookup (details, "pid", "i", NULL));
  g_assert_false (g_variant_lookup (details, "exit-status", "i", NULL));
  g_assert_false (g_variant_lookup (details, "signal", "i", NULL));
  g_assert_false (g_variant_lookup (details, "peak-rss", "t", NULL));
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
}

/* To be woken, and told that it was. */
static void
test_woken (gconstpointer name)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);

  subprocess_call_int (queue, "pid", NULL);
  test_faults_set (name, 1, EINTR, FALSE);
  /* As often as it takes until its thread sleeps. */
  while (!test_faults_happened ())
    subprocess_call_int (queue, "pid", NULL);
  test_faults_clear ();
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
}

/* A backend that is not open. */
static void
test_not_open (void)
{
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", NULL);

  OSIISO_BACKEND_GET_CLASS (backend)->wake (backend, 1);
  OSIISO_BACKEND_GET_CLASS (backend)->workers_changed (backend);
  OSIISO_BACKEND_GET_CLASS (backend)->close (backend, TRUE);
}

/* Number 99 of each: nothing is changed, and somebody hears of it. */
static void
expect_no_property_99 (GObject *object)
{
  GObjectClass *object_class = G_OBJECT_GET_CLASS (object);
  guint n = 0;
  g_autofree GParamSpec **specs = g_object_class_list_properties (object_class, &n);
  guint n_tried = 0;

  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      if (specs[i]->owner_type != G_OBJECT_TYPE (object))
        continue;
      g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (specs[i]));
      g_test_expect_message ("Osiiso", G_LOG_LEVEL_WARNING, "*invalid property id 99*");
      object_class->get_property (object, 99, &value, specs[i]);
      g_test_expect_message ("Osiiso", G_LOG_LEVEL_WARNING, "*invalid property id 99*");
      object_class->set_property (object, 99, &value, specs[i]);
      g_test_assert_expected_messages ();
      n_tried++;
    }
  g_assert_cmpuint (n_tried, >, 0);
}

static void
test_properties (void)
{
  static const char * const names[] = { "subprocess", "main-loop" };
  const char *argv[] = { "program", NULL };
  g_autoptr (OsiisoCommand) command = osiiso_command_new (argv);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (OsiisoBackend) backend = osiiso_backend_create (names[i], NULL);

      expect_no_property_99 (G_OBJECT (backend));
    }
  expect_no_property_99 (G_OBJECT (command));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/odd/unknown-calls", test_unknown_calls);
  g_test_add_func ("/odd/progress-when-cancelled", test_progress_when_cancelled);
  g_test_add_func ("/odd/recalled-and-cancelled", test_recalled_and_cancelled);
  g_test_add_data_func ("/odd/behind-deaf/recall", "recall", test_behind_deaf);
  g_test_add_data_func ("/odd/behind-deaf/only-recall", "only-recall", test_behind_deaf);
  g_test_add_data_func ("/odd/behind-deaf/cancel", "", test_behind_deaf);
  g_test_add_data_func ("/odd/behind-deaf/no-words", "no-words", test_behind_deaf);
  g_test_add_data_func ("/odd/cancelled-behind/cancel", "", test_cancelled_behind);
  g_test_add_data_func ("/odd/cancelled-behind/no-words", "no-words", test_cancelled_behind);
  g_test_add_data_func ("/odd/leaves-child/plain", NULL, test_leaves_child);
  g_test_add_data_func ("/odd/leaves-child/no-error", "getsockopt", test_leaves_child);
  /* To the character: what valgrind writes there counts too. */
  test_add_native ("/odd/mid-line", test_mid_line);
  test_add_native ("/odd/stays", test_stays);
  g_test_add_func ("/odd/tasks-per-worker", test_tasks_per_worker);
  g_test_add_func ("/odd/preamble-size", test_preamble_size);
  g_test_add_func ("/odd/error-first", test_error_first);
  if (!test_under_valgrind ())
    {
      g_test_add_data_func ("/odd/hopeless/no-program", GINT_TO_POINTER (G_SPAWN_ERROR_NOENT), test_hopeless);
      g_test_add_data_func ("/odd/hopeless/not-allowed", GINT_TO_POINTER (G_SPAWN_ERROR_ACCES), test_hopeless);
      g_test_add_data_func ("/odd/hopeless/no-format", GINT_TO_POINTER (G_SPAWN_ERROR_NOEXEC), test_hopeless);
      g_test_add_data_func ("/odd/hopeless/no-interpreter", GINT_TO_POINTER (-1), test_hopeless);
    }
  g_test_add_func ("/odd/command-ahead", test_command_ahead);
  g_test_add_func ("/odd/status-is-lost", test_status_is_lost);
  g_test_add_data_func ("/odd/woken/write", "write, of an event", test_woken);
  g_test_add_data_func ("/odd/woken/read", "read, of an event", test_woken);
  g_test_add_func ("/odd/not-open", test_not_open);
  g_test_add_func ("/odd/properties", test_properties);

  return g_test_run ();
}
