/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-regressions.h"

/* The Python package whose API this library follows has known ways to hang and to
 * lose tasks. Each of them is a numbered item here and must not be possible. The
 * cases are in test-regressions-*.c, by what goes wrong. */

G_DEFINE_FINAL_TYPE (HeldBackend, held_backend, OSIISO_TYPE_BACKEND)

static void
held_backend_wake (OsiisoBackend *backend,
                   guint          n)
{
  g_atomic_int_inc (&HELD_BACKEND (backend)->n_wakes);
}

static void
held_backend_interrupt (OsiisoBackend        *backend,
                        OsiisoAttempt        *attempt,
                        OsiisoInterruptReason reason)
{
  g_atomic_int_inc (&HELD_BACKEND (backend)->n_interrupts);
}

static void
held_backend_close (OsiisoBackend *backend,
                    gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
held_backend_class_init (HeldBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->wake = held_backend_wake;
  backend_class->interrupt = held_backend_interrupt;
  backend_class->close = held_backend_close;
}

static void
held_backend_init (HeldBackend *self)
{
}

OsiisoQueue *
test_held_queue_new (void)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (HELD_TYPE_BACKEND, NULL);
  g_autoptr (GError) error = NULL;
  OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);

  osiiso_queue_start (queue, &error);
  g_assert_no_error (error);
  return queue;
}

OsiisoAttempt *
test_held_take (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt = osiiso_backend_take (osiiso_queue_get_backend (queue));

  g_assert_nonnull (attempt);
  return attempt;
}

void
test_held_run_all (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (osiiso_queue_get_backend (queue))) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

void
test_count_call (OsiisoAttempt *attempt,
                 gpointer       counter)
{
  g_atomic_int_inc ((int *) counter);
}

static gboolean
wake_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

void
test_await_done (OsiisoHandle *handle)
{
  guint id = g_timeout_add (1, wake_cb, NULL);

  while (!osiiso_handle_is_done (handle))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

int
test_count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  int n = 0;

  if (dir == NULL)
    return -1;
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_regressions_waits ();
  test_add_regressions_ends ();
  test_add_regressions_limits ();
  test_add_regressions_system ();
  test_add_regressions_races ();

  return g_test_run ();
}
