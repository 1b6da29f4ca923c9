/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Workers that crash, do not start, break the protocol, or do not listen. */

/* Crashes */

static gboolean
lookup (OsiisoHandle *handle,
        const char   *key,
        const char   *format,
        gpointer      location)
{
  GVariant *details = g_value_get_variant (osiiso_handle_get_error_details (handle));

  g_assert_nonnull (details);
  return g_variant_lookup (details, key, format, location);
}

static void
test_crash_signal (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "window", 4, NULL);
  g_autoptr (OsiisoHandle) before = subprocess_submit (queue, "pid", NULL, NULL);
  g_autoptr (OsiisoHandle) crashes = subprocess_submit (queue, "crash", "\"the last words\"", NULL);
  g_autoptr (OsiisoHandle) behind = subprocess_submit (queue, "pid", NULL, NULL);
  g_autoptr (OsiisoHandle) last = subprocess_submit (queue, "pid", NULL, NULL);
  g_autofree char *text = NULL;
  guint64 rss = 0;
  int pid = 0;
  int number = 0;
  int status = 0;

  subprocess_join (queue);
  subprocess_expect_crash (crashes, "was killed by signal 11 (Segmentation fault) while it ran 'crash'");
  subprocess_expect_crash (crashes, "the last words");
  g_assert_true (lookup (crashes, "signal", "i", &number));
  g_assert_cmpint (number, ==, SIGSEGV);
  g_assert_false (lookup (crashes, "exit-status", "i", &status));
  g_assert_true (lookup (crashes, "peak-rss", "t", &rss));
  g_assert_cmpuint (rss, >, 200 << 20);
  g_assert_true (lookup (crashes, "stderr", "s", &text));
  /* Who started it may have written there before. */
  if (test_under_valgrind ())
    g_assert_true (g_str_has_suffix (text, "the last words\n"));
  else
    g_assert_cmpstr (text, ==, "the last words\n");
  g_assert_true (lookup (crashes, "pid", "i", &pid));
  g_assert_cmpint (pid, ==, atoi (g_value_get_string (osiiso_handle_get_value (before))));
  /* What waited behind it ran in the next one. */
  g_assert_cmpint (pid, !=, atoi (g_value_get_string (osiiso_handle_get_value (behind))));
  g_assert_cmpint (osiiso_handle_get_status (last), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (behind), ==, 1);
  subprocess_queue_free (queue);
}

/* The peak of memory is its own, also when this process has more. */
static void
test_crash_peak (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  const gsize size = 400 << 20;
  char *memory = g_malloc (size);
  guint64 rss = 0;

  memset (memory, 1, size);
  handle = subprocess_submit (queue, "crash", "\"\"", NULL);
  subprocess_join (queue);
  g_assert_true (lookup (handle, "peak-rss", "t", &rss));
  g_assert_cmpuint (rss, >, 200 << 20);
  g_assert_cmpuint (rss, <, 300 << 20);
  /* So that it has been there. */
  g_assert_cmpint (memory[g_test_rand_int_range (0, (gint32) size)], ==, 1);
  g_free (memory);
  subprocess_queue_free (queue);
}

/* What it wrote last is what is told, however much it was. */
static void
test_crash_talkative (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);

  for (int i = 0; i < 5; i++)
    {
      g_autoptr (GString) json = g_string_new ("\"");
      g_autoptr (OsiisoHandle) handle = NULL;
      g_autofree char *text = NULL;

      for (int line = 0; line < 4000; line++)
        g_string_append_printf (json, "line %07d\\n", line);
      g_string_append (json, "the end\"");
      handle = subprocess_submit (queue, "crash", json->str, NULL);
      subprocess_join (queue);
      subprocess_expect_crash (handle, "line 0003999\nthe end");
      g_assert_true (lookup (handle, "stderr", "s", &text));
      g_assert_true (g_str_has_suffix (text, "the end\n"));
    }
  subprocess_queue_free (queue);
}

/* What is no text does not cut off what is behind it. */
static void
test_crash_binary (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "crash", "\"before\\u0000behind\"", NULL);

  subprocess_join (queue);
  subprocess_expect_crash (handle, "before\357\277\275behind");
  subprocess_queue_free (queue);
}

static void
test_crash_exit (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "grace-time", 60.0, NULL);
  g_autoptr (OsiisoHandle) bad = subprocess_submit (queue, "exit", "3", NULL);
  g_autoptr (OsiisoHandle) good = subprocess_submit (queue, "exit", "0", NULL);
  int status = -1;

  subprocess_join (queue);
  subprocess_expect_crash (bad, "exited with status 3 while it ran 'exit'");
  g_assert_true (lookup (bad, "exit-status", "i", &status));
  g_assert_cmpint (status, ==, 3);
  subprocess_expect_crash (good, "exited with status 0");
  subprocess_queue_free (queue);
}

static void
test_crash_retried (void)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 1, NULL);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "once", NULL);
  g_autofree char *json = g_strdup_printf ("\"%s\"", path);
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;

  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  handle = subprocess_submit (queue, "crash-once", json, options);
  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  subprocess_queue_free (queue);
  g_rmdir (folder);
}

/* One that has got a call, but not looked at it, ends without harm as well. */
static void
test_crash_unread (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  const int pid = subprocess_call_int (queue, "pid", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  siginfo_t info;
  int other;

  g_test_summary ("A call that was sent to a worker which is killed before it has read it runs in another one");

  kill (pid, SIGSTOP);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WSTOPPED | WNOWAIT), ==, 0);
  handle = subprocess_submit (queue, "pid", NULL, NULL);
  test_await_status (handle, OSIISO_STATUS_RUNNING);
  kill (pid, SIGKILL);
  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 1);
  other = atoi (g_value_get_string (osiiso_handle_get_value (handle)));
  g_assert_cmpint (other, !=, pid);
  subprocess_queue_free (queue);
}

/* One that has nothing to do ends without harm. */
static void
test_crash_idle (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  const int pid = subprocess_call_int (queue, "pid", NULL);
  int pidfd = test_pidfd_open (pid);

  kill (pid, SIGKILL);
  test_pidfd_await (pidfd);
  /* Whether the backend knows it yet or not. */
  g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), !=, pid);
  subprocess_queue_free (queue);
}

/* What workers say wrong */

static const struct
{
  const char *function;
  const char *text;
  const char *json;
  gboolean    stays; /* until it is ended */
} wrongs[] = {
  { "truncated", "in the middle of a frame" },
  { "oversized", "frame of 4294967280 bytes, at most 268435456 are allowed" },
  { "kind", "frame of unknown kind 99" },
  { "other-side", "kind 3 (CALL), which only the other side sends" },
  { "encoding", "unknown encoding 90" },
  { "not-a-variant", "not a GVariant" },
  { "not-text", "not UTF-8" },
  { "not-an-error", "an error that cannot be read, 1 bytes long" },
  { "not-progress", "progress that cannot be read, 1 bytes long" },
  { "progress-text", "progress that cannot be read, 9 bytes long" },
  { "progress", "a progress of nan, which is not from 0 to 1", "\"nan\"" },
  { "progress", "a progress of inf, which", "\"inf\"" },
  { "progress", "a progress of -inf, which", "\"-inf\"" },
  { "progress", "a progress of 1.5, which", "1.5" },
  { "progress", "a progress of -0.25, which", "-0.25" },
  { "wait", "tried again after -1 seconds", "-1" },
  { "wait", "tried again after nan seconds", "\"nan\"" },
  { "not-a-wait", "in 3 bytes instead of 8" },
  { "unknown-id", "which it was never given" },
  { "not-details", "not in the encoding that it says, 74" },
  { "not-a-variant-in-details", "not in the encoding that it says, 86" },
  { "not-recalled", "which was not called back" },
  { "hang-up", "closed its connection", NULL, TRUE },
  { "greet-again", "second greeting" },
  { "close", "while it ran 'close'", NULL, TRUE },
};

static void
test_wrong (void)
{
  /* Those that end by themselves may take long to do so. */
  OsiisoQueue *patient = subprocess_queue_new ("", "grace-time", 60.0, NULL);
  OsiisoQueue *hasty = subprocess_queue_new ("", "grace-time", 0.2, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (wrongs); i++)
    {
      OsiisoQueue *queue = wrongs[i].stays ? hasty : patient;
      g_autoptr (OsiisoHandle) wrong = subprocess_submit (queue, wrongs[i].function, wrongs[i].json, NULL);
      g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "pid", NULL, NULL);

      g_test_message ("%s", wrongs[i].function);
      subprocess_join (queue);
      subprocess_expect_crash (wrong, wrongs[i].text);
      subprocess_expect_crash (wrong, wrongs[i].function);
      g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
    }
  subprocess_queue_free (patient);
  subprocess_queue_free (hasty);
}

static void
test_details (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  /* True, as a GVariant in one; and bytes. */
  g_autoptr (OsiisoHandle) variant = subprocess_submit (queue, "details", "[\"V\", \"010062\"]", NULL);
  g_autoptr (OsiisoHandle) bytes = subprocess_submit (queue, "details", "[\"B\", \"00ff\"]", NULL);
  g_autoptr (OsiisoHandle) none = subprocess_submit (queue, "details", "[\"\", \"\"]", NULL);

  g_test_summary ("Details of errors come in each encoding");

  subprocess_join (queue);
  subprocess_expect (variant, g_quark_from_string ("of-a-worker"), 5, "text");
  g_assert_true (g_variant_get_boolean (g_value_get_variant (osiiso_handle_get_error_details (variant))));
  subprocess_expect (bytes, g_quark_from_string ("of-a-worker"), 5, "text");
  g_assert_cmpuint (g_bytes_get_size (g_value_get_boxed (osiiso_handle_get_error_details (bytes))), ==, 2);
  subprocess_expect (none, g_quark_from_string ("of-a-worker"), 5, "text");
  g_assert_null (osiiso_handle_get_error_details (none));
  subprocess_queue_free (queue);
}

/* Whatever comes of the worker: the task is not in it any more. */
static void
test_answers_twice (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) twice = subprocess_submit (queue, "twice", NULL, NULL);
  g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "pid", NULL, NULL);

  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (twice), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_true (osiiso_handle_is_done (after));
  if (osiiso_handle_get_status (after) == OSIISO_STATUS_FAILED)
    subprocess_expect_crash (after, "which is over; 'pid' has no part in that");
  subprocess_queue_free (queue);
}

/* What has not begun goes to another worker. */
static void
test_answers_twice_unread (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);

  for (int i = 0; i < 3; i++)
    {
      g_autoptr (OsiisoHandle) twice = subprocess_submit (queue, "twice-unread", NULL, NULL);
      g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "pid", NULL, NULL);

      subprocess_join (queue);
      g_assert_cmpint (osiiso_handle_get_status (twice), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpstr (g_value_get_string (osiiso_handle_get_value (twice)), ==, "1");
      g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_cmpuint (osiiso_handle_get_attempts (after), ==, 1);
    }
  subprocess_queue_free (queue);
}

/* What has begun is lost, as with any crash, and told that it is not to blame. */
static void
test_answers_once_more (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) before = subprocess_submit (queue, "pid", NULL, NULL);
  g_autoptr (OsiisoHandle) runs = subprocess_submit (queue, "once-more", NULL, NULL);
  g_autoptr (OsiisoHandle) after = subprocess_submit (queue, "pid", NULL, NULL);

  subprocess_join (queue);
  g_assert_cmpint (osiiso_handle_get_status (before), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_expect_crash (runs, "sent a result of call 1, which is over; 'once-more' has no part in that");
  g_assert_cmpint (osiiso_handle_get_status (after), ==, OSIISO_STATUS_SUCCEEDED);
  subprocess_queue_free (queue);
}

/* It is an error all the same. */
static void
test_no_domain (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "no-domain", NULL, NULL);

  subprocess_join (queue);
  subprocess_expect (handle, g_quark_from_static_string ("osiiso-worker"), 7, "why");
  subprocess_queue_free (queue);
}

/* Starts that fail */

static void
expect_start_failure (const char *how,
                      GQuark      domain,
                      int         code,
                      const char *text)
{
  OsiisoQueue *queue = subprocess_queue_new (how, NULL);
  g_autoptr (OsiisoHandle) first = subprocess_submit (queue, "pid", NULL, NULL);
  g_autoptr (OsiisoHandle) second = subprocess_submit (queue, "pid", NULL, NULL);

  subprocess_join (queue);
  subprocess_expect (first, domain, code, text);
  subprocess_expect (second, domain, code, "5 times in a row");
  subprocess_queue_free (queue);
}

static void
test_start_exit (void)
{
  expect_start_failure ("exit", OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "cannot go on");
}

static void
test_start_version (void)
{
  expect_start_failure ("version", OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "version 77 of the protocol");
}

static void
test_start_answer (void)
{
  expect_start_failure ("answer", OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "kind 4 (RESULT) before it greeted");
}

static void
test_start_garbage (void)
{
  expect_start_failure ("garbage", OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "not a frame");
}

static void
test_start_early (void)
{
  expect_start_failure ("early", OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, "before it greeted");
}

/* The connection ends before the process does; that is one start, not as many as fit
 * in between. */
static void
test_start_hang_up (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "starts", NULL);
  g_autofree char *how = g_strdup_printf ("hang-up:%s", path);
  OsiisoQueue *queue = subprocess_queue_new (how, "grace-time", 0.2, NULL);
  g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "pid", NULL, NULL);
  g_autofree char *starts = NULL;

  subprocess_join (queue);
  subprocess_expect_crash (handle, "5 times in a row");
  subprocess_expect_crash (handle, "closed its connection");
  g_assert_true (g_file_get_contents (path, &starts, NULL, NULL));
  g_assert_cmpstr (starts, ==, "xxxxx");
  subprocess_queue_free (queue);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_start_silent (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("silent", "start-timeout", 0.1, NULL);
  g_autoptr (OsiisoHandle) first = subprocess_submit (queue, "pid", NULL, NULL);
  g_autoptr (OsiisoHandle) second = subprocess_submit (queue, "pid", NULL, NULL);

  /* Each of them fails exactly one. */
  subprocess_join (queue);
  subprocess_expect_crash (first, "did not greet within 0.1 seconds");
  subprocess_expect_crash (second, "did not greet within 0.1 seconds");
  subprocess_queue_free (queue);
}

static void
test_start_recovers (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "now", NULL);
  g_autofree char *how = g_strdup_printf ("until:%s", path);
  OsiisoQueue *queue = subprocess_queue_new (how, "grace-time", 60.0, NULL);
  g_autoptr (OsiisoHandle) first = subprocess_submit (queue, "pid", NULL, NULL);

  subprocess_join (queue);
  subprocess_expect_crash (first, "exited with status 4");
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_start_no_program (void)
{
  const char *argv[] = { "/no/such/program", NULL };
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue;

  g_object_set (backend, "worker-argv", argv, NULL);
  queue = osiiso_queue_new_with_backend (backend);
  handle = subprocess_submit (queue, "pid", NULL, NULL);
  subprocess_join (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "/no/such/program"));
  g_clear_object (&backend);
  subprocess_queue_free (queue);
}

static void
test_start_no_descriptors (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;
  struct rlimit usual;
  struct rlimit none;

  g_assert_true (osiiso_queue_start (queue, NULL));
  getrlimit (RLIMIT_NOFILE, &usual);
  none = usual;
  none.rlim_cur = test_count_fds ();
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  handle = subprocess_submit (queue, "pid", NULL, NULL);
  subprocess_join (queue);
  error = osiiso_handle_dup_error (handle);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, g_strerror (EMFILE)));

  setrlimit (RLIMIT_NOFILE, &usual);
  subprocess_call_int (queue, "pid", NULL);
  subprocess_queue_free (queue);
}

/* Already at the start of the queue, for whatever it opens then. */
static void
test_open_no_descriptors (void)
{
  struct rlimit usual;

  getrlimit (RLIMIT_NOFILE, &usual);
  for (guint room = 0; room < 2; room++)
    {
      OsiisoQueue *queue = subprocess_queue_new ("", NULL);
      struct rlimit few = usual;
      const int next = dup (STDIN_FILENO);
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (next, >=, 0);
      close (next);
      few.rlim_cur = (rlim_t) next + room;
      g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
      g_assert_false (osiiso_queue_start (queue, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);

      setrlimit (RLIMIT_NOFILE, &usual);
      subprocess_call_int (queue, "pid", NULL);
      subprocess_queue_free (queue);
    }
}

/* Those that do not listen */

static void
test_deaf (gboolean    stop,
           const char *function,
           const char *how)
{
  OsiisoQueue *queue = subprocess_queue_new (how, "grace-time", 0.2, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  TestPipe pipe;
  int pid;
  int pidfd;

  test_pipe_init (&pipe);
  handle = subprocess_submit (queue, function, pipe.json, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  pid = test_pipe_read (&pipe);
  pidfd = test_pidfd_open (pid);
  g_assert_cmpint (pidfd, >=, 0);
  if (stop)
    kill (pid, SIGSTOP);
  g_assert_true (osiiso_handle_cancel (handle));
  subprocess_expect (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "");
  /* Its place is free at once. */
  g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), !=, pid);
  test_pidfd_await (pidfd);
  g_assert_cmpint (subprocess_call_int (queue, "pid", NULL), !=, pid);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

static void
test_deaf_ignores (void)
{
  test_deaf (FALSE, "deaf", "");
}

static void
test_deaf_stopped (void)
{
  test_deaf (TRUE, "deaf", "");
}

static void
test_deaf_no_words (void)
{
  test_deaf (FALSE, "stay", "no-words");
}

/* One replacement is enough, however long the one before it takes to end. */
static void
test_deaf_replaced_once (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "starts", NULL);
  g_autofree char *how = g_strdup_printf ("count:%s", path);
  OsiisoQueue *queue = subprocess_queue_new (how, "grace-time", 1.0, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autofree char *starts = NULL;
  TestPipe pipe;

  test_pipe_init (&pipe);
  handle = subprocess_submit (queue, "deaf", pipe.json, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  test_pipe_read (&pipe);
  osiiso_handle_cancel (handle);
  for (int i = 0; i < 3; i++)
    subprocess_call_int (queue, "pid", NULL);
  g_assert_true (g_file_get_contents (path, &starts, NULL, NULL));
  g_assert_cmpstr (starts, ==, "xx");
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
  g_unlink (path);
  g_rmdir (folder);
}

/* However long the machine takes to start one: the time of an attempt runs, and those
 * that had not got so far are followed by others. */
static void
test_timeout (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "grace-time", 0.2, NULL);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("timeout", 0.5, "retries", 1000, NULL);
  TestPipe pipe;
  g_autoptr (OsiisoHandle) handle = NULL;
  int pidfds[2];

  test_pipe_init (&pipe);
  handle = subprocess_submit (queue, "deaf", pipe.json, options);
  g_assert_true (osiiso_queue_start (queue, NULL));
  pidfds[0] = test_pidfd_open (test_pipe_read (&pipe));
  pidfds[1] = test_pidfd_open (test_pipe_read (&pipe));
  osiiso_handle_cancel (handle);
  subprocess_join (queue);
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), >=, 2);
  test_pidfd_await (pidfds[0]);
  test_pidfd_await (pidfds[1]);
  g_clear_object (&handle);

  /* The one that is not tried again has the error. */
  osiiso_task_options_set_retries (options, 1);
  handle = subprocess_submit (queue, "deaf", pipe.json, options);
  subprocess_join (queue);
  subprocess_expect (handle, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "");
  g_assert_cmpuint (osiiso_handle_get_attempts (handle), ==, 2);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

/* One that does listen is used again, if not always: another one may have come to its
 * place before it is back. */
static void
test_listens (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "grace-time", 60.0, NULL);
  g_autoptr (GHashTable) pids = g_hash_table_new (NULL, NULL);
  const guint n_rounds = 8;
  TestPipe pipe;

  test_pipe_init (&pipe);
  osiiso_queue_set_workers (queue, 2);
  for (guint i = 0; i < n_rounds; i++)
    {
      g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, "until-cancelled", pipe.json, NULL);

      g_assert_true (osiiso_queue_start (queue, NULL));
      g_hash_table_add (pids, GINT_TO_POINTER (test_pipe_read (&pipe)));
      osiiso_handle_cancel (handle);
      subprocess_call_int (queue, "pid", NULL);
      subprocess_join (queue);
    }
  g_assert_cmpuint (g_hash_table_size (pids), <, n_rounds);
  subprocess_queue_free (queue);
  test_pipe_clear (&pipe);
}

static void
test_forced (void)
{
  OsiisoQueue *queue = subprocess_queue_new ("", "grace-time", 0.2, NULL);
  g_autoptr (OsiisoHandle) handle = NULL;
  TestPipe pipe;
  int pidfd;

  test_pipe_init (&pipe);
  handle = subprocess_submit (queue, "deaf", pipe.json, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  pidfd = test_pidfd_open (test_pipe_read (&pipe));
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  subprocess_expect (handle, G_IO_ERROR, G_IO_ERROR_CANCELLED, "");
  /* It is gone when that returns. */
  g_assert_cmpint (poll (&(struct pollfd) { pidfd, POLLIN, 0 }, 1, 0), ==, 1);
  close (pidfd);
  test_queue_free (queue);
  test_pipe_clear (&pipe);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/workers/crash/signal", test_crash_signal);
  g_test_add_func ("/workers/crash/peak", test_crash_peak);
  g_test_add_func ("/workers/crash/talkative", test_crash_talkative);
  g_test_add_func ("/workers/crash/binary", test_crash_binary);
  g_test_add_func ("/workers/crash/exit", test_crash_exit);
  g_test_add_func ("/workers/crash/retried", test_crash_retried);
  test_add_native ("/workers/crash/idle", test_crash_idle);
  g_test_add_func ("/workers/crash/unread", test_crash_unread);
  g_test_add_func ("/workers/wrong/each", test_wrong);
  g_test_add_func ("/workers/details", test_details);
  g_test_add_func ("/workers/wrong/answers-twice", test_answers_twice);
  g_test_add_func ("/workers/wrong/answers-twice/unread", test_answers_twice_unread);
  g_test_add_func ("/workers/wrong/answers-once-more", test_answers_once_more);
  g_test_add_func ("/workers/wrong/no-domain", test_no_domain);
  g_test_add_func ("/workers/start/exit", test_start_exit);
  g_test_add_func ("/workers/start/version", test_start_version);
  g_test_add_func ("/workers/start/answer", test_start_answer);
  g_test_add_func ("/workers/start/garbage", test_start_garbage);
  g_test_add_func ("/workers/start/early", test_start_early);
  g_test_add_func ("/workers/start/hang-up", test_start_hang_up);
  g_test_add_func ("/workers/start/silent", test_start_silent);
  g_test_add_func ("/workers/start/recovers", test_start_recovers);
  test_add_native ("/workers/start/no-program", test_start_no_program);
  test_add_native ("/workers/start/no-descriptors", test_start_no_descriptors);
  test_add_native ("/workers/start/open-no-descriptors", test_open_no_descriptors);
  test_add_native ("/workers/deaf/ignores", test_deaf_ignores);
  test_add_native ("/workers/deaf/stopped", test_deaf_stopped);
  test_add_native ("/workers/deaf/no-words", test_deaf_no_words);
  test_add_native ("/workers/deaf/replaced-once", test_deaf_replaced_once);
  test_add_native ("/workers/deaf/timeout", test_timeout);
  test_add_native ("/workers/deaf/forced", test_forced);
  g_test_add_func ("/workers/listens", test_listens);

  return g_test_run ();
}
