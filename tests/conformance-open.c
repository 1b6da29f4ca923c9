/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "conformance.h"
#include "test-valgrind.h"

/* What a backend says of itself, and open(). */

static void
test_describe (void)
{
  g_autoptr (OsiisoBackend) first = conformance_backend_new ();
  g_autoptr (OsiisoBackend) second = conformance_backend_new ();

  conformance_check (osiiso_backend_get_capabilities (first) == osiiso_backend_get_capabilities (second),
                     "two new objects have different capabilities");
  conformance_check (OSIISO_BACKEND_GET_CLASS (first)->get_default_workers (first) >= 1,
                     "get_default_workers() returned 0");
  conformance_check (osiiso_backend_get_workers (first) == osiiso_backend_get_workers (second),
                     "two new objects have different numbers of workers");
  conformance_check (osiiso_backend_take (first) == NULL, "it has an attempt before it has a queue");
}

static void
test_open (void)
{
  g_autoptr (OsiisoBackend) backend = conformance_backend_new ();

  /* The second round is a second queue on the same object. */
  for (int round = 0; round < 2; round++)
    {
      OsiisoQueue *queue = osiiso_queue_new_with_backend (backend);
      int n_calls = 0;
      int n_gone = 0;

      conformance_push (queue, conformance_count, &n_calls, NULL, NULL);
      conformance_check (n_calls == 0, "a function was called before open()");
      conformance_start (queue);
      conformance_start (queue);
      conformance_join (queue);
      conformance_check (n_calls == 1, "a task that was submitted before open() was not run, in round %d", round + 1);
      conformance_shutdown (queue, FALSE);
      g_object_weak_ref (G_OBJECT (queue), (GWeakNotify) conformance_count_release, &n_gone);
      g_object_unref (queue);
      conformance_wait_for (NULL, "the queue to be freed");
      conformance_await (&n_gone, 1);
    }
}

static void
test_open_never (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("delay", 1000.0, NULL);
  int n_released = 0;

  test_manual_clock ();
  conformance_push (queue, test_task_none, &n_released, conformance_count_release, NULL);
  conformance_push (queue, test_task_none, &n_released, conformance_count_release, delayed);
  conformance_queue_free (queue);
  conformance_check (n_released == 2, "the data of tasks that were never run were not released");
}

gboolean
conformance_set_no_threads (gboolean none)
{
#ifdef __GLIBC__
  static size_t usual;
  pthread_attr_t attr;
  gboolean ok;

  /* It gives another error for that, one with which GLib ends the program. */
  if (none && test_under_valgrind ())
    return FALSE;
  pthread_getattr_default_np (&attr);
  if (none)
    pthread_attr_getstacksize (&attr, &usual);
  ok = pthread_attr_setstacksize (&attr, none ? (size_t) 1 << 50 : usual) == 0 && pthread_setattr_default_np (&attr) == 0;
  pthread_attr_destroy (&attr);
  return ok;
#else
  return FALSE;
#endif
}

static void
test_open_fails (void)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok;

  if (!conformance_set_no_threads (TRUE))
    {
      g_test_message ("there is no way to forbid threads on this system");
      conformance_queue_free (queue);
      return;
    }
  conformance_wait_for (NULL, "open() to return while the system has no thread left");
  ok = osiiso_queue_start (queue, &error);
  conformance_check (ok == (error == NULL), "open() returned %s an error set", ok ? "TRUE with" : "FALSE without");
  conformance_set_no_threads (FALSE);
  conformance_push (queue, test_task_none, NULL, NULL, NULL);
  conformance_join_succeeded (queue, 1);
  conformance_queue_free (queue);
}

const ConformanceCase conformance_open[] = {
  { "/conformance/open/describe", test_describe, "It says what it can do, always the same, and has at least one worker" },
  { "/conformance/open/open", test_open, "It opens, and after close() the same object can serve another queue" },
  { "/conformance/open/never", test_open_never, "It can be dropped without having been opened" },
  { "/conformance/open/fails", test_open_fails, "When open() fails it says why, and it can be opened later" },
  { NULL, NULL, NULL }
};
