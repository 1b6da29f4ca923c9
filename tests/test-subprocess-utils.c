/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test-subprocess-utils.h"

static OsiisoQueue *
queue_new (const char * const *argv,
           const char         *first_property,
           va_list             args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("subprocess", &error);

  g_assert_no_error (error);
  if (argv != NULL)
    g_object_set (backend, "worker-argv", argv, NULL);
  if (first_property != NULL)
    g_object_set_valist (G_OBJECT (backend), first_property, args);
  return osiiso_queue_new_with_backend (backend);
}

OsiisoQueue *
subprocess_queue_new (const char *how,
                      ...)
{
  g_autofree char *script = g_test_build_filename (G_TEST_DIST, "subprocess-worker.py", NULL);
  const char *argv[] = { "/usr/bin/python3", "-ISB", script, how, NULL };
  const char *first_property;
  OsiisoQueue *queue;
  va_list args;

  va_start (args, how);
  first_property = va_arg (args, const char *);
  queue = queue_new (argv, first_property, args);
  va_end (args);
  osiiso_queue_set_workers (queue, 1);
  return queue;
}

OsiisoQueue *
subprocess_c_queue_new (const char *first_property,
                        ...)
{
  OsiisoQueue *queue;
  va_list args;

  va_start (args, first_property);
  queue = queue_new (NULL, first_property, args);
  va_end (args);
  osiiso_queue_set_workers (queue, 1);
  return queue;
}

void
subprocess_queue_free (OsiisoQueue *queue)
{
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  test_queue_free (queue);
}

OsiisoHandle *
subprocess_submit (OsiisoQueue       *queue,
                   const char        *function,
                   const char        *json,
                   OsiisoTaskOptions *options)
{
  g_autoptr (OsiisoCall) call = osiiso_call_new_json (function, json != NULL ? json : "null");
  g_autoptr (GError) error = NULL;
  OsiisoHandle *handle = osiiso_queue_submit_call_full (queue, call, options, &error);

  g_assert_no_error (error);
  return handle;
}

void
subprocess_join (OsiisoQueue *queue)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_join (queue, NULL, &error);
  g_assert_no_error (error);
}

char *
subprocess_call (OsiisoQueue *queue,
                 const char  *function,
                 const char  *json)
{
  g_autoptr (OsiisoHandle) handle = subprocess_submit (queue, function, json, NULL);
  g_autoptr (GError) error = NULL;

  osiiso_handle_wait (handle, -1, NULL, NULL);
  error = osiiso_handle_dup_error (handle);
  g_assert_no_error (error);
  return g_value_dup_string (osiiso_handle_get_value (handle));
}

int
subprocess_call_int (OsiisoQueue *queue,
                     const char  *function,
                     const char  *json)
{
  g_autofree char *value = subprocess_call (queue, function, json);

  return atoi (value);
}

void
subprocess_expect (OsiisoHandle *handle,
                   GQuark        domain,
                   int           code,
                   const char   *text)
{
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  g_assert_error (error, domain, code);
  if (strstr (error->message, text) == NULL)
    g_error ("“%s” is not in: %s", text, error->message);
}

void
test_pipe_init (TestPipe *self)
{
  self->folder = g_dir_make_tmp (NULL, NULL);
  self->path = g_build_filename (self->folder, "pipe", NULL);
  self->json = g_strdup_printf ("\"%s\"", self->path);
  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
}

int
test_pipe_read (TestPipe *self)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (self->path, &text, NULL, NULL));
  return atoi (text);
}

void
test_pipe_clear (TestPipe *self)
{
  g_unlink (self->path);
  g_rmdir (self->folder);
  g_free (self->folder);
  g_free (self->path);
  g_free (self->json);
}

int
test_pidfd_open (int pid)
{
  return (int) syscall (SYS_pidfd_open, pid, 0);
}

void
test_pidfd_await (int pidfd)
{
  struct pollfd poll_fd = { pidfd, POLLIN, 0 };

  /* None: it has ended, and its parent has been told. */
  if (pidfd < 0)
    return;
  while (poll (&poll_fd, 1, -1) < 0 && errno == EINTR)
    ;
  close (pidfd);
}

guint
test_count_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (folder) != NULL)
    n++;
  return n;
}
