/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "test-utils.h"

/* A backend that calls the queue from within its functions, and has only those that
 * it needs. */

typedef struct
{
  OsiisoBackend parent_instance;
  OsiisoQueue  *queue; /* not owned */
  GError       *reset_error;
  guint         n_wakes;
  guint         wake; /* which of them sets ... */
  guint         workers; /* ... so many workers */
} TestCaller;

typedef OsiisoBackendClass TestCallerClass;

GType test_caller_get_type (void);

G_DEFINE_TYPE (TestCaller, test_caller, OSIISO_TYPE_BACKEND)

static gboolean
test_caller_open (OsiisoBackend *backend,
                  GError       **error)
{
  TestCaller *self = (TestCaller *) backend;

  g_assert_false (osiiso_queue_reset (self->queue, &self->reset_error));
  return TRUE;
}

static void
test_caller_wake (OsiisoBackend *backend,
                  guint          n)
{
  TestCaller *self = (TestCaller *) backend;

  if (self->n_wakes++ == self->wake)
    osiiso_queue_set_workers (self->queue, self->workers);
}

static void
test_caller_class_init (TestCallerClass *klass)
{
  klass->open = test_caller_open;
  klass->wake = test_caller_wake;
}

static void
test_caller_init (TestCaller *self)
{
  self->wake = G_MAXUINT;
}

static OsiisoQueue *
caller_queue_new (TestCaller **caller)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (test_caller_get_type (), NULL);

  *caller = (TestCaller *) backend;
  (*caller)->queue = osiiso_queue_new_with_backend (backend);
  return (*caller)->queue;
}

static void
test_open (void)
{
  TestCaller *caller;
  OsiisoQueue *queue = caller_queue_new (&caller);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, NULL);

  g_test_summary ("A queue that is being started cannot be reset, and a backend need not be told of its end");

  g_assert_true (osiiso_queue_start (queue, NULL));
  g_assert_error (caller->reset_error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  g_assert_cmpstr (caller->reset_error->message, ==, "cannot reset while the queue is started; shut it down first");
  g_clear_error (&caller->reset_error);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
  g_assert_true (osiiso_queue_get_closed (queue));
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_CANCELLED);
  test_queue_free (queue);
}

#define N_TASKS 20

static void
test_workers (void)
{
  g_test_summary ("Whoever sets the workers last has set them, also from within a function of the backend");

  for (guint wake = 0; wake < 6; wake++)
    {
      TestCaller *caller;
      OsiisoQueue *queue = caller_queue_new (&caller);
      OsiisoBackend *backend = osiiso_queue_get_backend (queue);
      OsiisoAttempt *attempts[N_TASKS];
      guint n = 0;

      osiiso_queue_set_workers (queue, 1);
      for (guint i = 0; i < N_TASKS; i++)
        test_submit_and_drop (queue, test_task_none, NULL, NULL);
      caller->wake = wake;
      caller->workers = 5;
      g_assert_true (osiiso_queue_start (queue, NULL));
      osiiso_queue_set_workers (queue, 3);
      while (n < N_TASKS && (attempts[n] = osiiso_backend_take (backend)) != NULL)
        n++;
      g_assert_cmpuint (n, ==, osiiso_queue_get_workers (queue));
      g_assert_true (n == 3 || n == 5);
      while (n > 0)
        {
          osiiso_attempt_return_none (attempts[--n]);
          osiiso_attempt_unref (attempts[n]);
        }
      g_clear_error (&caller->reset_error);
      g_assert_true (osiiso_queue_shutdown (queue, TRUE, NULL, NULL));
      test_queue_free (queue);
    }
}

/* A thread that starts something the owner is told of. */
static gpointer
submit_member (gpointer group)
{
  g_autoptr (OsiisoHandle) handle = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, NULL);

  g_assert_nonnull (handle);
  return NULL;
}

static void
never (void)
{
  g_assert_not_reached ();
}

static void
test_group_gone (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoGroup *group = osiiso_queue_new_group (queue, NULL);

  g_test_summary ("A group that was disposed of is not told of members that came from elsewhere");

  g_signal_connect (group, "items-changed", G_CALLBACK (never), NULL);
  g_thread_join (g_thread_new ("member", submit_member, group));
  g_object_run_dispose (G_OBJECT (group));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  test_run_all (queue);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 1);
  g_object_unref (group);
  test_queue_free (queue);
}

static void
test_names (void)
{
  static const struct
  {
    const char *name;
    int         code;
  } cases[] = {
    { "osiiso-nonesuch:9lives", OSIISO_QUEUE_ERROR_INVALID },
    { "osiiso-nonesuch:", OSIISO_QUEUE_ERROR_INVALID },
    { "osiiso-nonesuch:a-b", OSIISO_QUEUE_ERROR_INVALID },
    { "osiiso-nonesuch:_function", OSIISO_QUEUE_ERROR_NOT_FOUND },
    { "osiiso-nonesuch:Function_9", OSIISO_QUEUE_ERROR_NOT_FOUND },
  };
  OsiisoQueue *queue = test_queue_new ("thread-pool");

  g_test_summary ("The name of a function begins with a letter or with a line below, like that of a C function");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (OsiisoHandle) handle = osiiso_queue_submit_call (queue, cases[i].name, NULL, NULL, &error);

      if (handle != NULL)
        {
          test_run_all (queue);
          error = osiiso_handle_dup_error (handle);
        }
      g_assert_error (error, OSIISO_QUEUE_ERROR, cases[i].code);
      g_assert_nonnull (strstr (error->message, "osiiso-nonesuch"));
    }
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/callbacks/open", test_open);
  g_test_add_func ("/callbacks/workers", test_workers);
  g_test_add_func ("/callbacks/group-gone", test_group_gone);
  g_test_add_func ("/callbacks/names", test_names);

  return g_test_run ();
}
