/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <string.h>

#include "test-utils.h"

/* What another thread may do between two steps of one. No test can hold a thread there,
 * but the first step ends in a function of GLib, and here that does it. */

static void (*between) (void); /* (nullable): once */
static GThread *owner;

static void
come_in_between (void)
{
  void (*func) (void) = between;

  if (func == NULL || g_thread_self () != owner)
    return;
  between = NULL;
  func ();
}

/* They come before those of GLib, for the library as well. */

#undef g_object_new
gpointer
g_object_new (GType       type,
              const char *first_property_name,
              ...)
{
  GObject *object;
  va_list args;

  if (type == OSIISO_TYPE_HANDLE)
    come_in_between ();
  va_start (args, first_property_name);
  object = g_object_new_valist (type, first_property_name, args);
  va_end (args);
  return object;
}

GCancellable *
g_cancellable_new (void)
{
  come_in_between ();
  return G_CANCELLABLE (g_object_new (G_TYPE_CANCELLABLE, NULL));
}

gpointer
g_malloc0 (gsize size)
{
  gpointer memory;

  come_in_between ();
  memory = g_malloc (size);
  return memory != NULL ? memset (memory, 0, size) : NULL;
}

/* What g_new0() is without optimisation. */
gpointer
g_malloc0_n (gsize n,
             gsize size)
{
  return g_malloc0 (n * size);
}

char *
g_strdup_printf (const char *format,
                 ...)
{
  char *text;
  va_list args;

  come_in_between ();
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return text;
}

/* What it is done to, and what it got. */
static struct
{
  OsiisoQueue   *queue;
  guint64        id;
  OsiisoHandle  *handle;
  OsiisoAttempt *attempt;
  gconstpointer  got;
} scene;

static void
look_up (void)
{
  scene.got = osiiso_queue_lookup (scene.queue, scene.id);
  g_assert_nonnull (scene.got);
}

static void
test_handle (gconstpointer backend)
{
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("Two threads that look a task up get one handle");

  scene.queue = test_queue_new (backend);
  scene.id = osiiso_queue_push (scene.queue, test_task_none, NULL, NULL, NULL, NULL);
  between = look_up;
  handle = osiiso_queue_lookup (scene.queue, scene.id);
  g_assert_null (between);
  g_assert_true (handle == scene.got);
  g_object_unref (handle);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
  test_run_all (scene.queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_object_add_weak_pointer (G_OBJECT (handle), (gpointer *) &scene.got);
  g_clear_object (&handle);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_null (scene.got);
  test_queue_free (scene.queue);
}

static void
end_task (void)
{
  osiiso_attempt_return_int (scene.attempt, 7);
  g_clear_pointer (&scene.attempt, osiiso_attempt_unref);
}

static void
test_ended (void)
{
  g_autoptr (OsiisoHandle) handle = NULL;

  g_test_summary ("A task that ends while somebody looks it up is over when that has its handle");

  scene.queue = test_queue_new ("thread-pool");
  scene.attempt = NULL;
  scene.id = osiiso_queue_push (scene.queue, test_task_defer, &scene.attempt, NULL, NULL, NULL);
  g_assert_true (osiiso_queue_start (scene.queue, NULL));
  while (g_atomic_pointer_get (&scene.attempt) == NULL)
    g_thread_yield ();
  between = end_task;
  handle = osiiso_queue_lookup (scene.queue, scene.id);
  g_assert_null (between);
  g_assert_nonnull (handle);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpint (g_value_get_int64 (osiiso_handle_get_value (handle)), ==, 7);
  g_assert_true (osiiso_handle_wait (handle, -1, NULL, NULL));
  g_object_add_weak_pointer (G_OBJECT (handle), (gpointer *) &scene.got);
  scene.got = handle;
  g_clear_object (&handle);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  /* Nothing that would be told is left that could keep it. */
  g_assert_null (scene.got);
  g_assert_true (osiiso_queue_join (scene.queue, NULL, NULL));
  test_queue_free (scene.queue);
}

static void
get_name (void)
{
  scene.got = osiiso_handle_get_name (scene.handle);
}

static void
test_name (void)
{
  g_test_summary ("The name of a task stays where it is for all who have asked for it");

  scene.queue = test_queue_new ("main-loop");
  scene.handle = test_submit (scene.queue, test_task_none, NULL, NULL);
  between = get_name;
  g_assert_true (osiiso_handle_get_name (scene.handle) == scene.got);
  g_assert_null (between);
  g_assert_cmpstr (scene.got, ==, "task-1");
  test_run_all (scene.queue);
  g_assert_cmpstr (scene.got, ==, "task-1");
  g_object_unref (scene.handle);
  test_queue_free (scene.queue);
}

static void
get_cancellable (void)
{
  scene.got = osiiso_attempt_get_cancellable (scene.attempt);
}

static void
cancel_between (OsiisoAttempt *attempt,
                gpointer       unused)
{
  GCancellable *cancellable;

  scene.attempt = attempt;
  between = get_cancellable;
  cancellable = osiiso_attempt_get_cancellable (attempt);
  g_assert_null (between);
  g_assert_true (cancellable == scene.got);
  g_assert_false (g_cancellable_is_cancelled (cancellable));
  g_assert_true (osiiso_handle_cancel (scene.handle));
  g_assert_true (g_cancellable_is_cancelled (cancellable));
}

static void
test_cancellable (void)
{
  g_test_summary ("An attempt has one cancellable, whoever asks for it first");

  scene.queue = test_queue_new ("main-loop");
  scene.handle = test_submit (scene.queue, cancel_between, NULL, NULL);
  test_run_all (scene.queue);
  g_assert_cmpint (osiiso_handle_get_status (scene.handle), ==, OSIISO_STATUS_CANCELLED);
  g_object_unref (scene.handle);
  test_queue_free (scene.queue);
}

static void
set_progress (void)
{
  osiiso_attempt_set_progress (scene.attempt, 0.25, "between");
}

static void
progress_between (OsiisoAttempt *attempt,
                  gpointer       unused)
{
  g_autofree char *text = NULL;

  scene.attempt = attempt;
  between = set_progress;
  osiiso_attempt_set_progress (attempt, 0.5, "last");
  g_assert_null (between);
  text = osiiso_handle_dup_status_text (scene.handle);
  g_assert_cmpstr (text, ==, "last");
  g_assert_cmpfloat (osiiso_handle_get_progress (scene.handle), ==, 0.5);
}

static void
test_progress (void)
{
  g_test_summary ("Of two that tell the progress of a task the last one is heard");

  scene.queue = test_queue_new ("main-loop");
  scene.handle = test_submit (scene.queue, progress_between, NULL, NULL);
  test_run_all (scene.queue);
  g_assert_cmpint (osiiso_handle_get_status (scene.handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_object_unref (scene.handle);
  test_queue_free (scene.queue);
}

/* Waits of another context, cancelled when what they wait for has come, but before
 * that is told. */

typedef struct
{
  GMainContext *context;
  GCancellable *cancellable;
  OsiisoGroup  *group;
  gboolean      keeps; /* it got something that nobody else gets, which is not lost */
  int           n_returned;
} Late;

static void
late_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  Late *self = data;

  g_assert_true (g_main_context_is_owner (self->context));
  g_assert_true (g_task_had_error (G_TASK (result)) != self->keeps);
  self->n_returned++;
}

static void
wait_for_task (Late *self)
{
  osiiso_handle_wait_async (scene.handle, self->cancellable, late_cb, self);
}

static void
wait_for_group (Late *self)
{
  osiiso_group_wait_async (self->group, self->cancellable, late_cb, self);
}

static void
wait_for_member (Late *self)
{
  osiiso_group_next_completed_async (self->group, self->cancellable, late_cb, self);
}

static void
wait_for_work (Late *self)
{
  osiiso_queue_join_async (scene.queue, self->cancellable, late_cb, self);
}

static void
wait_for_run (Late *self)
{
  osiiso_queue_run_full_async (scene.queue, 0, OSIISO_FAIL_POLICY_CONTINUE, self->cancellable, late_cb, self);
}

static void
wait_for_room (Late *self)
{
  osiiso_queue_submit_async (scene.queue, test_task_none, NULL, NULL, NULL, self->cancellable, late_cb, self);
}

static void
test_late (void)
{
  static void (*const calls[])(Late *) = { wait_for_task, wait_for_group, wait_for_member, wait_for_work, wait_for_run,
                                           wait_for_room };

  g_test_summary ("A wait that is cancelled when it is over returns once, and gives out what only it has got");

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      Late late = { g_main_context_new (), g_cancellable_new (), NULL, FALSE, 0 };
      OsiisoAttempt *attempt = NULL;

      late.keeps = calls[i] == wait_for_member || calls[i] == wait_for_room;

      scene.queue = test_queue_new ("thread-pool");
      late.group = osiiso_queue_new_group (scene.queue, NULL);
      osiiso_queue_set_size (scene.queue, 1);
      scene.handle = osiiso_group_submit (late.group, test_task_defer, &attempt, NULL, NULL, NULL);
      if (calls[i] != wait_for_run)
        g_assert_true (osiiso_queue_start (scene.queue, NULL));
      g_main_context_push_thread_default (late.context);
      calls[i] (&late);
      g_main_context_pop_thread_default (late.context);
      while (g_atomic_pointer_get (&attempt) == NULL)
        g_thread_yield ();
      osiiso_attempt_return_none (attempt);
      osiiso_attempt_unref (attempt);
      g_cancellable_cancel (late.cancellable);
      while (late.n_returned == 0)
        g_main_context_iteration (late.context, TRUE);
      while (g_main_context_iteration (late.context, FALSE))
        ;
      g_assert_cmpint (late.n_returned, ==, 1);
      g_assert_cmpint (osiiso_handle_get_status (scene.handle), ==, OSIISO_STATUS_SUCCEEDED);
      g_assert_true (osiiso_queue_join (scene.queue, NULL, NULL));
      g_object_unref (late.cancellable);
      g_object_unref (late.group);
      g_object_unref (scene.handle);
      g_main_context_unref (late.context);
      test_queue_free (scene.queue);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  owner = g_thread_self ();

  test_add_for_backends ("/between/handle", test_handle);
  g_test_add_func ("/between/ended", test_ended);
  g_test_add_func ("/between/name", test_name);
  g_test_add_func ("/between/cancellable", test_cancellable);
  g_test_add_func ("/between/progress", test_progress);
  g_test_add_func ("/between/late", test_late);

  return g_test_run ();
}
