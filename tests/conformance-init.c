/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conformance.h"

/* osiiso_backend_init_worker(): what a program wants to have done in each thread
 * before tasks run there. */

static _Thread_local gboolean is_initialized;

typedef struct
{
  GThread *owner;
  int      n_inits;
  int      n_released;
  int      n_calls;
  int      n_too_early; /* functions in a thread that was not initialized */
  int      fails;
} Init;

static gboolean
initialize (gpointer  data,
            GError  **error)
{
  Init *init = data;

  g_atomic_int_inc (&init->n_inits);
  if (g_atomic_int_get (&init->fails))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, "not now");
      return FALSE;
    }
  is_initialized = TRUE;
  return TRUE;
}

static void
release_init (gpointer data)
{
  Init *init = data;

  conformance_check (g_thread_self () == init->owner, "the data of an initializer were released in another thread than the owner's");
  init->n_released++;
}

static void
note_initialized (OsiisoAttempt *attempt,
                  gpointer       data)
{
  Init *init = data;

  g_atomic_int_inc (&init->n_calls);
  if (!is_initialized)
    g_atomic_int_inc (&init->n_too_early);
}

static OsiisoQueue *
init_queue_new (Init *init)
{
  OsiisoQueue *queue = conformance_queue_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok;

  *init = (Init) { .owner = g_thread_self () };
  ok = osiiso_queue_set_initializer (queue, initialize, init, release_init, &error);
  conformance_check (ok, "it takes no initializer: %s", ok ? "" : error->message);
  return queue;
}

static void
init_queue_free (OsiisoQueue *queue,
                 Init        *init)
{
  conformance_queue_free (queue);
  conformance_wait_for (NULL, "the data of the initializer to be released after the queue");
  conformance_await (&init->n_released, 1);
}

static void
test_called (void)
{
  Init init;
  OsiisoQueue *queue = init_queue_new (&init);

  for (int round = 1; round <= 10; round++)
    {
      /* Threads may come and go. */
      osiiso_queue_set_workers (queue, 1 + (guint) round % 4);
      for (int i = 0; i < 50; i++)
        conformance_push (queue, note_initialized, &init, NULL, NULL);
      conformance_join (queue);
    }
  conformance_join_succeeded (queue, 500);
  conformance_check (init.n_inits > 0, "the initializer was never called: use osiiso_backend_init_worker()");
  conformance_check (init.n_too_early == 0, "%d of 500 functions were called in a thread that was not initialized: "
                     "each thread has to call osiiso_backend_init_worker() first", init.n_too_early);
  init_queue_free (queue, &init);
}

static void
test_fails (void)
{
  Init init;
  OsiisoQueue *queue = init_queue_new (&init);

  for (int round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoHandle) first = NULL;
      g_autoptr (OsiisoHandle) second = NULL;
      g_autoptr (OsiisoRunSummary) summary = NULL;
      const int n_calls = init.n_calls;

      if (round % 4 == 0)
        {
          conformance_shutdown (queue, round % 8 == 0);
          g_assert_true (osiiso_queue_reset (queue, NULL));
        }
      /* It tries again with each start, until that is good. */
      g_atomic_int_set (&init.fails, round % 4 < 2);
      first = test_submit (queue, note_initialized, &init, NULL);
      second = test_submit (queue, note_initialized, &init, NULL);
      conformance_wait_for (queue, "run %d to end, whose initializer %s", round + 1, init.fails ? "fails" : "does not fail any more");
      summary = osiiso_queue_run (queue, NULL, NULL);
      if (init.fails)
        {
          conformance_expect_error (first, G_IO_ERROR, G_IO_ERROR_BUSY, "an initializer that failed");
          conformance_expect_error (second, G_IO_ERROR, G_IO_ERROR_BUSY, "an initializer that failed");
          conformance_check (init.n_calls == n_calls, "a function was called though the initializer had failed");
        }
      else
        {
          conformance_check (osiiso_run_summary_get_succeeded (summary) == 2,
                             "after an initializer that had failed, the next start did not make workers anew");
        }
    }
  conformance_check (init.n_too_early == 0, "%d functions were called in a thread that was not initialized", init.n_too_early);
  init_queue_free (queue, &init);
}

const ConformanceCase conformance_init[] = {
  { "/conformance/init/called", test_called, "The initializer of the queue is called in each thread before tasks run there" },
  { "/conformance/init/fails", test_fails, "When the initializer fails no task is run, until a start after which it does not fail" },
  { NULL, NULL, NULL }
};
