/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* The list of the tasks that are not over. */

/* A copy of the list that is kept by what it tells. */
typedef struct
{
  GListModel *model;
  GPtrArray  *names;
  guint       n_signals;
  GThread    *owner;
} Mirror;

static char *
dup_name (GListModel *model,
          guint       position)
{
  g_autoptr (OsiisoHandle) handle = g_list_model_get_item (model, position);

  return g_strdup (osiiso_handle_get_name (handle));
}

static void
follow (GListModel *model,
        guint       position,
        guint       removed,
        guint       added,
        Mirror     *self)
{
  g_assert_true (g_thread_self () == self->owner);
  self->n_signals++;
  if (removed > 0)
    g_ptr_array_remove_range (self->names, position, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (self->names, (int) (position + i), dup_name (model, position + i));
  g_assert_cmpuint (self->names->len, ==, g_list_model_get_n_items (model));
}

static void
mirror_init (Mirror      *self,
             OsiisoQueue *queue)
{
  *self = (Mirror) { .model = g_object_ref (osiiso_queue_get_tasks (queue)), .owner = g_thread_self () };
  self->names = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < g_list_model_get_n_items (self->model); i++)
    g_ptr_array_add (self->names, dup_name (self->model, i));
  g_signal_connect (self->model, "items-changed", G_CALLBACK (follow), self);
}

static void
mirror_clear (Mirror *self)
{
  g_signal_handlers_disconnect_by_data (self->model, self);
  g_object_unref (self->model);
  g_ptr_array_unref (self->names);
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
assert_names (Mirror     *self,
              const char *expected)
{
  g_autoptr (GString) told = g_string_new (NULL);
  g_autoptr (GString) there = g_string_new (NULL);

  for (guint i = 0; i < self->names->len; i++)
    {
      g_autofree char *name = dup_name (self->model, i);

      g_string_append_printf (told, "%s%s", i > 0 ? " " : "", (char *) g_ptr_array_index (self->names, i));
      g_string_append_printf (there, "%s%s", i > 0 ? " " : "", name);
    }
  g_assert_cmpstr (told->str, ==, expected);
  g_assert_cmpstr (there->str, ==, expected);
}

static OsiisoHandle *
submit (OsiisoQueue   *queue,
        const char    *name,
        int            priority,
        OsiisoTaskFunc func,
        gpointer       data)
{
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", name, "priority", priority, NULL);

  return test_submit (queue, func, data, options);
}

static void
test_comes_and_goes (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) a = submit (queue, "a", 3, test_task_none, NULL);
  g_autoptr (OsiisoHandle) b = submit (queue, "b", 1, test_task_none, NULL);
  g_autoptr (OsiisoTaskOptions) delayed = test_options_new ("name", "c", "delay", 1000.0, NULL);
  g_autoptr (OsiisoHandle) c = test_submit (queue, test_task_none, NULL, delayed);
  g_autoptr (OsiisoHandle) d = NULL;
  g_autoptr (GObject) item = NULL;
  Mirror mirror;

  g_test_summary ("The list has what is not over, in the order of submission, and tells what comes and goes");

  mirror_init (&mirror, queue);
  g_assert_true (g_list_model_get_item_type (mirror.model) == OSIISO_TYPE_HANDLE);
  g_assert_true (osiiso_queue_get_tasks (queue) == mirror.model);
  assert_names (&mirror, "a b c");
  item = g_list_model_get_item (mirror.model, 1);
  g_assert_true (item == G_OBJECT (b));
  g_assert_null (g_list_model_get_item (mirror.model, 3));

  d = submit (queue, "d", 0, test_task_none, NULL);
  assert_names (&mirror, "a b c");
  settle ();
  assert_names (&mirror, "a b c d");
  g_assert_true (osiiso_handle_cancel (b));
  settle ();
  assert_names (&mirror, "a c d");
  g_assert_true (osiiso_handle_set_priority (a, 5));
  g_assert_true (osiiso_handle_cancel (c));
  test_run_all (queue);
  settle ();
  assert_names (&mirror, "");
  mirror_clear (&mirror);
  test_queue_free (queue);
}

static void
test_at_once (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoHandle) last = NULL;
  Mirror mirror;

  g_test_summary ("All that happened is told at once, and what came and went meanwhile is not told");

  mirror_init (&mirror, queue);
  osiiso_queue_set_workers (queue, 1);
  for (guint i = 0; i < 1000; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  settle ();
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 1000);
  g_assert_cmpuint (mirror.n_signals, ==, 1);

  for (guint i = 0; i < 1000; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  last = test_submit (queue, test_task_none, NULL, NULL);
  g_assert_true (osiiso_queue_start (queue, NULL));
  /* Without a turn of the context. */
  while (osiiso_queue_get_completed_count (queue) < 2001)
    g_thread_yield ();
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 1000);
  g_assert_cmpuint (mirror.n_signals, ==, 1);
  while (osiiso_queue_get_pending_count (queue) > 0)
    g_thread_yield ();
  settle ();
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 0);
  g_assert_cmpuint (mirror.n_signals, ==, 2);
  mirror_clear (&mirror);
  test_queue_free (queue);
}

static void
test_gaps (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  OsiisoHandle *handles[8];
  Mirror mirror;

  g_test_summary ("Neighbours that end are told of together, others apart");

  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    handles[i] = submit (queue, (const char *[]) { "0", "1", "2", "3", "4", "5", "6", "7" }[i], 3, test_task_none, NULL);
  mirror_init (&mirror, queue);
  osiiso_handle_cancel (handles[6]);
  osiiso_handle_cancel (handles[2]);
  osiiso_handle_cancel (handles[1]);
  osiiso_handle_cancel (handles[5]);
  osiiso_handle_cancel (handles[7]);
  settle ();
  assert_names (&mirror, "0 3 4");
  g_assert_cmpuint (mirror.n_signals, ==, 2);
  for (guint i = 0; i < G_N_ELEMENTS (handles); i++)
    g_object_unref (handles[i]);
  mirror_clear (&mirror);
  test_queue_free (queue);
}

static void
store_handle (GObject      *queue,
              GAsyncResult *result,
              gpointer      location)
{
  *(OsiisoHandle **) location = osiiso_queue_submit_finish (OSIISO_QUEUE (queue), result, NULL);
}

static void
test_in_line (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) first = NULL;
  g_autoptr (OsiisoHandle) late = NULL;
  g_autoptr (OsiisoHandle) other = NULL;
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("name", "in-line", NULL);
  Mirror mirror;

  g_test_summary ("Who waits for room is not there before it comes in, and has its place by the time it asked");

  osiiso_queue_set_size (queue, 1);
  osiiso_queue_pause (queue);
  first = submit (queue, "first", 3, test_task_none, NULL);
  mirror_init (&mirror, queue);
  osiiso_queue_submit_async (queue, test_task_none, NULL, NULL, options, NULL, store_handle, &late);
  settle ();
  assert_names (&mirror, "first");
  osiiso_queue_set_size (queue, 0);
  other = submit (queue, "other", 3, test_task_none, NULL);
  settle ();
  g_assert_nonnull (late);
  assert_names (&mirror, "first in-line other");
  osiiso_queue_resume (queue);
  test_run_all (queue);
  settle ();
  assert_names (&mirror, "");
  mirror_clear (&mirror);
  test_queue_free (queue);
}

static void
test_after_run (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);

  g_test_summary ("When a run has returned in the owner's thread, the list is without what it ran, retries included");

  g_assert_cmpuint (g_list_model_get_n_items (osiiso_queue_get_tasks (queue)), ==, 0);
  for (guint round = 0; round < 20; round++)
    {
      g_autoptr (OsiisoTaskOptions) options = test_options_new ("retries", 2, NULL);
      g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 50, test_task_fail, NULL, NULL, options, NULL);

      g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
      test_run_all (queue);
      g_assert_cmpuint (g_list_model_get_n_items (osiiso_queue_get_tasks (queue)), ==, 0);
    }
  test_queue_free (queue);
}

static void
iterate_inside (GListModel *model,
                guint       position,
                guint       removed,
                guint       added,
                GPtrArray  *handles)
{
  if (handles->len > 0)
    {
      g_autoptr (OsiisoHandle) next = g_ptr_array_steal_index (handles, 0);

      osiiso_handle_cancel (next);
      settle ();
    }
}

static void
test_handlers_change_it (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (GPtrArray) handles = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) rest = g_ptr_array_new_with_free_func (g_object_unref);
  GListModel *model = osiiso_queue_get_tasks (queue);

  g_test_summary ("A handler that iterates the context, and so lets more changes come, finds the list as it is");

  for (guint i = 0; i < 40; i++)
    g_ptr_array_add (i % 4 == 1 ? handles : rest, test_submit (queue, test_task_none, NULL, NULL));
  settle ();
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 40);
  g_signal_connect (model, "items-changed", G_CALLBACK (iterate_inside), handles);
  /* Of four, the first and the third; so there are gaps. */
  for (guint i = 0; i < rest->len; i++)
    if (i % 3 != 2)
      osiiso_handle_cancel (g_ptr_array_index (rest, i));
  for (guint i = 0; i < 5; i++)
    test_submit_and_drop (queue, test_task_none, NULL, NULL);
  settle ();
  g_assert_cmpuint (handles->len, ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 15);
  for (guint i = 0; i < 15; i++)
    {
      g_autoptr (OsiisoHandle) handle = g_list_model_get_item (model, i);

      g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_PENDING);
    }
  g_signal_handlers_disconnect_by_data (model, handles);
  test_queue_free (queue);
}

static void
drop_queue (GListModel   *model,
            guint         position,
            guint         removed,
            guint         added,
            OsiisoQueue **queue)
{
  g_clear_object (queue);
}

static void
test_outlives_queue (gconstpointer backend)
{
  OsiisoQueue *queue = test_queue_new (backend);
  g_autoptr (OsiisoHandle) first = submit (queue, "first", 3, test_task_none, NULL);
  g_autoptr (OsiisoHandle) second = submit (queue, "second", 3, test_task_none, NULL);
  g_autoptr (OsiisoHandle) third = submit (queue, "third", 3, test_task_none, NULL);
  g_autoptr (OsiisoHandle) fourth = submit (queue, "fourth", 3, test_task_none, NULL);
  Mirror mirror;

  g_test_summary ("When the queue goes, also in a handler of the list, the list is empty and says so");

  mirror_init (&mirror, queue);
  g_signal_connect (mirror.model, "items-changed", G_CALLBACK (drop_queue), &queue);
  osiiso_handle_cancel (first);
  osiiso_handle_cancel (third);
  settle ();
  g_assert_null (queue);
  assert_names (&mirror, "");
  g_assert_cmpint (osiiso_handle_get_status (fourth), ==, OSIISO_STATUS_CANCELLED);
  mirror_clear (&mirror);
}

static void
dispose_queue (GListModel  *model,
               guint        position,
               guint        removed,
               guint        added,
               OsiisoQueue *queue)
{
  g_signal_handlers_disconnect_by_func (model, dispose_queue, queue);
  g_object_run_dispose (G_OBJECT (queue));
}

static void
test_disposed_meanwhile (gconstpointer backend)
{
  g_test_summary ("A handler that disposes of the queue is told that the list is empty, and of nothing else that was to come");

  for (guint added = 0; added < 2; added++)
    {
      OsiisoQueue *queue = test_queue_new (backend);
      g_autoptr (OsiisoHandle) first = submit (queue, "first", 3, test_task_none, NULL);
      g_autoptr (OsiisoHandle) second = submit (queue, "second", 3, test_task_none, NULL);
      g_autoptr (OsiisoHandle) third = submit (queue, "third", 3, test_task_none, NULL);
      g_autoptr (OsiisoHandle) fourth = NULL;
      Mirror mirror;

      mirror_init (&mirror, queue);
      settle ();
      assert_names (&mirror, "first second third");
      g_signal_connect (mirror.model, "items-changed", G_CALLBACK (dispose_queue), queue);
      osiiso_handle_cancel (first);
      if (added)
        fourth = submit (queue, "fourth", 3, test_task_none, NULL);
      else
        osiiso_handle_cancel (third);
      settle ();
      assert_names (&mirror, "");
      g_assert_cmpint (osiiso_handle_get_status (second), ==, OSIISO_STATUS_CANCELLED);
      if (fourth != NULL)
        g_assert_cmpint (osiiso_handle_get_status (fourth), ==, OSIISO_STATUS_CANCELLED);
      mirror_clear (&mirror);
      test_queue_free (queue);
    }
}

static gpointer
push_many (gpointer queue)
{
  for (guint i = 0; i < 2000; i++)
    g_assert_cmpuint (osiiso_queue_push (queue, test_task_none, NULL, NULL, NULL, NULL), !=, 0);
  return NULL;
}

static void
test_storm (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  GThread *threads[3];
  Mirror mirror;

  g_test_summary ("While threads submit and others run, the list agrees with what it tells");

  osiiso_queue_set_workers (queue, 3);
  g_assert_true (osiiso_queue_start (queue, NULL));
  threads[0] = g_thread_new ("push", push_many, queue);
  mirror_init (&mirror, queue);
  for (guint i = 1; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("push", push_many, queue);
  while (osiiso_queue_get_completed_count (queue) < 6000)
    g_main_context_iteration (NULL, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (osiiso_queue_join (queue, NULL, NULL));
  settle ();
  assert_names (&mirror, "");
  mirror_clear (&mirror);
  test_queue_free (queue);
}

static void
test_own_context (void)
{
  GMainContext *context = g_main_context_new ();
  OsiisoQueue *queue;
  Mirror mirror;

  g_test_summary ("It changes in the context that owns the queue, and nowhere else");

  g_main_context_push_thread_default (context);
  queue = test_queue_new ("thread-pool");
  mirror_init (&mirror, queue);
  test_submit_and_drop (queue, test_task_none, NULL, NULL);
  settle ();
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 0);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 1);
  g_object_unref (queue);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (g_list_model_get_n_items (mirror.model), ==, 0);
  mirror_clear (&mirror);
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
}

static gpointer
unref_queue (gpointer queue)
{
  g_object_run_dispose (queue);
  g_object_unref (queue);
  return NULL;
}

static void
test_dropped_elsewhere (void)
{
  g_test_summary ("A queue may be dropped in another thread while its list changes");

  for (guint i = 0; i < 300; i++)
    {
      OsiisoQueue *queue = test_queue_new ("thread-pool");
      g_autoptr (GListModel) tasks = g_object_ref (osiiso_queue_get_tasks (queue));
      GThread *thread;

      for (guint n = 0; n < 3; n++)
        test_submit_and_drop (queue, test_task_none, NULL, NULL);
      thread = g_thread_new ("drop", unref_queue, queue);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_thread_join (thread);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_cmpuint (g_list_model_get_n_items (tasks), ==, 0);
    }
}

static void
test_asked_late (void)
{
  OsiisoQueue *queue = test_queue_new ("main-loop");
  OsiisoAttempt *attempt = NULL;
  g_autoptr (OsiisoTaskOptions) later = test_options_new ("delay", 3600.0, NULL);
  g_autoptr (OsiisoHandle) running = test_submit (queue, test_task_defer, &attempt, NULL);
  g_autoptr (OsiisoHandle) delayed = test_submit (queue, test_task_none, NULL, later);
  GListModel *tasks;

  g_test_summary ("Who asks for the list only now finds what runs and what waits for its time");

  g_assert_true (osiiso_queue_start (queue, NULL));
  test_await_status (running, OSIISO_STATUS_RUNNING);
  tasks = osiiso_queue_get_tasks (queue);
  g_assert_cmpuint (g_list_model_get_n_items (tasks), ==, 2);
  osiiso_attempt_return_none (attempt);
  osiiso_attempt_unref (attempt);
  while (g_list_model_get_n_items (tasks) != 1)
    g_main_context_iteration (NULL, TRUE);
  osiiso_handle_cancel (delayed);
  while (g_list_model_get_n_items (tasks) != 0)
    g_main_context_iteration (NULL, TRUE);
  test_queue_free (queue);
}

static void
test_left_behind (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoGroup) group = osiiso_queue_new_group (queue, NULL);
  g_autoptr (GListModel) tasks = g_object_ref (osiiso_queue_get_tasks (queue));
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("What is left of a queue that had a list says that it is closed");

  g_object_unref (queue);
  handle = osiiso_group_submit (group, test_task_none, NULL, NULL, NULL, &error);
  g_assert_null (handle);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CLOSED);
  settle ();
  g_assert_cmpuint (g_list_model_get_n_items (tasks), ==, 0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  test_add_for_backends ("/task-list/comes-and-goes", test_comes_and_goes);
  g_test_add_func ("/task-list/at-once", test_at_once);
  test_add_for_backends ("/task-list/gaps", test_gaps);
  test_add_for_backends ("/task-list/in-line", test_in_line);
  test_add_for_backends ("/task-list/after-run", test_after_run);
  test_add_for_backends ("/task-list/handlers-change-it", test_handlers_change_it);
  test_add_for_backends ("/task-list/outlives-queue", test_outlives_queue);
  test_add_for_backends ("/task-list/disposed-meanwhile", test_disposed_meanwhile);
  g_test_add_func ("/task-list/storm", test_storm);
  g_test_add_func ("/task-list/own-context", test_own_context);
  g_test_add_func ("/task-list/dropped-elsewhere", test_dropped_elsewhere);
  g_test_add_func ("/task-list/asked-late", test_asked_late);
  g_test_add_func ("/task-list/left-behind", test_left_behind);

  return g_test_run ();
}
