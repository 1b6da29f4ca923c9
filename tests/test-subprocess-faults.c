/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "test-faults.h"
#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Each call of the C library that the backend makes fails in its turn, while a worker is
 * started and answers, and a command reads and writes. What an interrupted call says is
 * not noticed; another failure is told as what it is, or made up for; nothing waits for
 * ever, and afterwards all is well. */

typedef struct
{
  const char *name;
  int         number;
  gboolean    hidden; /* nothing fails because of it */
  const char *text;   /* (nullable): what may be told of it instead of that number */
  gboolean    leaves; /* a child that nobody is told of; it is a failure that does not happen */
} Fault;

static OsiisoQueue *
queue_new (void)
{
  g_autofree char *worker = g_test_build_filename (G_TEST_BUILT, "subprocess-worker", NULL);
  /* It writes to its standard error, too. */
  const char *argv[] = { "/bin/sh", "-c", "echo '# from a worker' >&2; exec \"$0\"", worker, NULL };
  OsiisoQueue *queue = subprocess_queue_new ("", "worker-argv", argv, NULL);

  osiiso_queue_set_workers (queue, 2);
  return queue;
}

static OsiisoHandle *
submit_call (OsiisoQueue *queue)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new ("echo", g_variant_new_string ("text"));
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call_full (queue, call, NULL, &error);

  g_assert_no_error (error);
  return handle;
}

static OsiisoHandle *
submit_command (OsiisoQueue *queue)
{
  const char *argv[] = { "cat", NULL };
  g_autoptr (GBytes) input = g_bytes_new_static ("text", 4);
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_command (queue, argv, input, NULL, &error);

  g_assert_no_error (error);
  return handle;
}

static void
check_error (const Fault  *fault,
             const GError *error)
{
  if (fault->hidden)
    g_error ("%s: this was not to be told: %s", fault->name, error->message);
  if (strstr (error->message, g_strerror (fault->number)) != NULL ||
      (fault->text != NULL && strstr (error->message, fault->text) != NULL))
    return;
  g_error ("%s, “%s”: this does not tell it: %s", fault->name, g_strerror (fault->number), error->message);
}

static void
check_call (const Fault  *fault, /* (nullable): nothing is to fail */
            OsiisoHandle *handle)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_true (osiiso_handle_is_done (handle));
  if (error == NULL)
    g_assert_cmpstr (g_variant_get_string (g_value_get_variant (osiiso_handle_get_value (handle)), NULL), ==, "text");
  else if (fault == NULL)
    g_assert_no_error (error);
  else
    check_error (fault, error);
}

static void
check_command (const Fault  *fault,
               OsiisoHandle *handle)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_true (osiiso_handle_is_done (handle));
  if (error == NULL)
    {
      OsiisoCommandResult *result = g_value_get_boxed (osiiso_handle_get_value (handle));
      g_autofree char *text = osiiso_command_result_dup_stdout_text (result);

      /* A pipe that cannot be read or written ends there. */
      if (fault == NULL || fault->hidden || (!g_str_equal (fault->name, "read") && !g_str_equal (fault->name, "write")))
        g_assert_cmpstr (text, ==, "text");
    }
  else if (fault == NULL)
    g_assert_no_error (error);
  else
    check_error (fault, error);
}

/* Whether it has happened. */
static gboolean
try_fault (const Fault *fault,
           guint        at,
           gboolean     started)
{
  OsiisoQueue *queue = queue_new ();
  g_autoptr (GError) error = NULL;
  gboolean happened;

  if (started)
    g_assert_true (osiiso_queue_start (queue, NULL));
  test_faults_set (fault->name, at, fault->number, FALSE);
  if (osiiso_queue_start (queue, &error))
    {
      g_autoptr (OsiisoHandle) call = submit_call (queue);
      g_autoptr (OsiisoHandle) command = submit_command (queue);

      subprocess_join (queue);
      happened = test_faults_clear ();
      check_call (fault, call);
      check_command (fault, command);
    }
  else
    {
      happened = test_faults_clear ();
      g_assert_true (happened);
      check_error (fault, error);
    }
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (OsiisoHandle) call = submit_call (queue);
      g_autoptr (OsiisoHandle) command = submit_command (queue);

      subprocess_join (queue);
      check_call (NULL, call);
      check_command (NULL, command);
    }
  subprocess_queue_free (queue);
  while (fault->leaves && waitpid (-1, NULL, 0) > 0)
    ;
  return happened;
}

static const Fault faults[] = {
  { "read", EINTR, .hidden = TRUE },
  { "write", EINTR, .hidden = TRUE },
  { "read, of an event", EINTR, .hidden = TRUE },
  { "write, of an event", EINTR, .hidden = TRUE },
  { "recv", EINTR, .hidden = TRUE },
  { "send", EINTR, .hidden = TRUE },
  { "waitpid", EINTR, .hidden = TRUE },
  { "waitid, directly", EINTR, .hidden = TRUE },
  { "recv", EAGAIN, .hidden = TRUE },
  { "send", EAGAIN, .hidden = TRUE },
  { "write", EAGAIN, .hidden = TRUE },
  { "poll", EINTR, .hidden = TRUE },
  { "eventfd", EMFILE },
  { "socketpair", EMFILE },
  { "pipe2", ENFILE },
  { "fcntl", EMFILE },
  { "posix_spawn", EAGAIN },
  { "pidfd_open", EMFILE },
  { "pthread_create", EAGAIN },
  /* What the launcher says cannot be read then. */
  { "read", EIO, .text = "the launcher has ended", .leaves = TRUE },
  { "write", EIO },
  /* A connection that breaks is a worker that is lost. */
  { "recv", ECONNRESET, .text = "worker " },
  { "recv", EIO, .text = "worker " },
};

static void
sweep (gboolean started)
{
  const guint before = test_count_fds ();
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      guint at = 1;

      while (try_fault (&faults[i], at, started))
        at++;
      g_test_message ("%s: %s %u times", faults[i].name, g_strerror (faults[i].number), at - 1);
      n += at - 1;
    }
  g_assert_cmpuint (n, >, 40);
  g_assert_cmpuint (test_count_fds (), ==, before);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

static void
test_start (void)
{
  sweep (FALSE);
}

int
main (int   argc,
      char *argv[])
{
  OsiisoQueue *queue;

  g_test_init (&argc, &argv, NULL);
  /* What is there once and for all. */
  queue = queue_new ();
  g_assert_true (osiiso_queue_start (queue, NULL));
  subprocess_queue_free (queue);

  test_add_native ("/faults/start", test_start);

  return g_test_run ();
}
