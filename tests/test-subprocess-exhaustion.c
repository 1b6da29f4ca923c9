/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-subprocess-utils.h"
#include "test-valgrind.h"

/* Calls and commands of a queue with every number of descriptors and of processes
 * between none and enough: what cannot be started says why, the others succeed, and as
 * soon as there is enough again, everything does. */

#define N_EACH     2
#define ENOUGH_FDS 256

typedef struct
{
  int         resource;
  const char *reasons[3]; /* one of them has to be told */
  gboolean    started;    /* the queue, before the limit holds */
  rlim_t      first;
  rlim_t      last;
  const char * const *argv; /* (nullable): of workers */
  /* what has happened */
  guint       n_refused;  /* starts of the queue */
  guint       n_failed[2]; /* calls, commands */
  guint       n_succeeded[2];
} Sweep;

static void
set_limit (const Sweep *sweep,
           rlim_t       value)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (sweep->resource, &limit), ==, 0);
  limit.rlim_cur = MIN (value, limit.rlim_max);
  g_assert_cmpint (setrlimit (sweep->resource, &limit), ==, 0);
}

static void
lift_limit (const Sweep *sweep)
{
  set_limit (sweep, sweep->resource == RLIMIT_NOFILE ? ENOUGH_FDS : RLIM_INFINITY);
}

static void
check_reason (const Sweep *sweep,
              rlim_t       value,
              const char  *message)
{
  for (guint i = 0; i < G_N_ELEMENTS (sweep->reasons) && sweep->reasons[i] != NULL; i++)
    {
      if (strstr (message, sweep->reasons[i]) != NULL)
        return;
    }
  g_error ("with a limit of %u, this does not say what is missing: %s", (guint) value, message);
}

static OsiisoQueue *
queue_new (const Sweep *sweep)
{
  OsiisoQueue *queue = sweep->argv != NULL ? subprocess_queue_new ("", "worker-argv", sweep->argv, NULL)
                                           : subprocess_queue_new ("", NULL);

  osiiso_queue_set_workers (queue, 2 * N_EACH);
  return queue;
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
submit_all (OsiisoQueue *queue,
            GPtrArray   *handles)
{
  for (guint i = 0; i < N_EACH; i++)
    {
      g_ptr_array_add (handles, subprocess_submit (queue, "pid", NULL, NULL));
      g_ptr_array_add (handles, submit_command (queue));
    }
}

static void
expect_all_good (OsiisoQueue *queue)
{
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);

  submit_all (queue, handles);
  subprocess_join (queue);
  for (guint i = 0; i < handles->len; i++)
    {
      g_autoptr (GError) error = osiiso_handle_dup_error (handles->pdata[i]);

      g_assert_no_error (error);
    }
}

static void
expect_all_good_once (const Sweep *sweep)
{
  OsiisoQueue *queue = queue_new (sweep);

  expect_all_good (queue);
  subprocess_queue_free (queue);
}

static void
check_one (Sweep        *sweep,
           rlim_t        value,
           OsiisoHandle *handle,
           guint         kind)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_true (osiiso_handle_is_done (handle));
  if (error == NULL)
    {
      sweep->n_succeeded[kind]++;
      return;
    }
  sweep->n_failed[kind]++;
  check_reason (sweep, value, error->message);
}

static void
try_value (Sweep *sweep,
           rlim_t value)
{
  OsiisoQueue *queue = queue_new (sweep);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  if (sweep->started)
    g_assert_true (osiiso_queue_start (queue, NULL));
  set_limit (sweep, value);
  if (!osiiso_queue_start (queue, &error))
    {
      sweep->n_refused++;
      check_reason (sweep, value, error->message);
    }
  else
    {
      submit_all (queue, handles);
      subprocess_join (queue);
    }
  lift_limit (sweep);
  for (guint i = 0; i < handles->len; i++)
    check_one (sweep, value, handles->pdata[i], i % 2);
  expect_all_good (queue);
  subprocess_queue_free (queue);
}

static void
run_sweep (Sweep *sweep)
{
  const guint before = test_count_fds ();

  for (rlim_t value = sweep->first; value <= sweep->last; value++)
    try_value (sweep, value);
  g_assert_cmpuint (test_count_fds (), ==, before);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_test_message ("%u starts refused, calls %u failed and %u succeeded, commands %u and %u", sweep->n_refused,
                  sweep->n_failed[0], sweep->n_succeeded[0], sweep->n_failed[1], sweep->n_succeeded[1]);
  g_assert_cmpuint (sweep->n_refused == 0, ==, sweep->started);
  if (!sweep->started || sweep->first == sweep->last)
    return;
  /* It has gone from too little to enough. */
  for (guint kind = 0; kind < 2; kind++)
    {
      g_assert_cmpuint (sweep->n_failed[kind], >, 0);
      g_assert_cmpuint (sweep->n_succeeded[kind], >=, N_EACH);
    }
}

/* In a process of its own: FALSE in the one that has only to wait for that. */
static gboolean
enter_subprocess (void)
{
  if (g_test_subprocess ())
    return TRUE;
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
  return FALSE;
}

/* Descriptors */

static rlim_t
next_fd (void)
{
  const int fd = dup (STDIN_FILENO);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  return (rlim_t) fd;
}

static void
test_descriptors (gconstpointer data)
{
  Sweep sweep = { .resource = RLIMIT_NOFILE, .started = GPOINTER_TO_INT (data) };

  if (!enter_subprocess ())
    return;
  lift_limit (&sweep);
  /* What is there once and for all. */
  expect_all_good_once (&sweep);
  sweep.reasons[0] = g_strerror (EMFILE);
  sweep.first = next_fd ();
  /* The rest is the same for both. */
  sweep.last = sweep.first + (sweep.started ? 40 : 4);
  run_sweep (&sweep);
}

/* Processes, and the threads among them */

/* Somebody else, for whom there is a limit, and who is alone with it. What workers need
 * is copied to where that one can read it. */
static char *
become_somebody (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *from = g_build_filename (g_getenv ("OSIISO_LIBEXEC_PATH"), "osiiso-launch", NULL);
  g_autofree char *to = g_build_filename (folder, "osiiso-launch", NULL);
  g_autofree char *program = NULL;
  const uid_t user = 20000 + (uid_t) getpid () % 40000;
  gsize length;

  g_assert_true (g_file_get_contents (from, &program, &length, NULL));
  g_assert_true (g_file_set_contents (to, program, (gssize) length, NULL));
  g_assert_cmpint (chmod (to, 0755), ==, 0);
  g_assert_cmpint (chmod (folder, 0755), ==, 0);
  g_assert_cmpint (chown (folder, user, user), ==, 0);
  g_assert_cmpint (chown (to, user, user), ==, 0);
  g_setenv ("OSIISO_LIBEXEC_PATH", folder, TRUE);
  g_assert_cmpint (setgid (user), ==, 0);
  g_assert_cmpint (setuid (user), ==, 0);
  return g_steal_pointer (&folder);
}

static void
leave (char *folder)
{
  g_autofree char *file = g_build_filename (folder, "osiiso-launch", NULL);

  g_unlink (file);
  g_rmdir (folder);
  g_free (folder);
}

static void
test_processes (gconstpointer data)
{
  Sweep sweep = { .resource = RLIMIT_NPROC, .started = GPOINTER_TO_INT (data), .first = 1 };
  const char *argv[] = { "/usr/bin/python3", "-ISBc", NULL, NULL };
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "subprocess-worker.py", NULL);
  g_autofree char *script = NULL;
  char *folder = NULL;

  if (!enter_subprocess ())
    return;
  g_assert_true (g_file_get_contents (path, &script, NULL, NULL));
  argv[2] = script;
  sweep.argv = argv;
  /* Loads the backend. */
  expect_all_good_once (&sweep);
  sweep.reasons[0] = g_strerror (EAGAIN);
  sweep.last = 1;
  /* The limit does not hold for root; and others have processes that count. */
  if (geteuid () == 0)
    {
      folder = become_somebody ();
      expect_all_good_once (&sweep);
      sweep.last = sweep.started ? 12 : 4;
    }
  run_sweep (&sweep);
  if (folder != NULL)
    leave (folder);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* The limit is that of valgrind too, which has descriptors of its own. */
  if (!test_under_valgrind ())
    {
      g_test_add_data_func ("/exhaustion/descriptors/start", GINT_TO_POINTER (FALSE), test_descriptors);
      g_test_add_data_func ("/exhaustion/descriptors/work", GINT_TO_POINTER (TRUE), test_descriptors);
    }
  g_test_add_data_func ("/exhaustion/processes/start", GINT_TO_POINTER (FALSE), test_processes);
  g_test_add_data_func ("/exhaustion/processes/work", GINT_TO_POINTER (TRUE), test_processes);

  return g_test_run ();
}
