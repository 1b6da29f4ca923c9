/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-utils.h"

/* What all classes have in common: properties that they do not know, instances that
 * belong to nothing, and a dispose that may come twice. */

#define UNKNOWN 999

static GObject *
new_object (GType        type,
            OsiisoQueue *queue)
{
  g_autoptr (GApplication) application = NULL;

  if (type == OSIISO_TYPE_ADAPTIVE_WORKERS)
    return G_OBJECT (osiiso_adaptive_workers_new (queue, 4));
  if (type == OSIISO_TYPE_APPLICATION_HOLD)
    {
      application = g_application_new ("org.example.Test", G_APPLICATION_DEFAULT_FLAGS);
      return G_OBJECT (osiiso_application_hold_new (queue, application));
    }
  if (type == OSIISO_TYPE_GROUP)
    return G_OBJECT (osiiso_queue_new_group (queue, NULL));
  if (type == OSIISO_TYPE_HANDLE)
    return G_OBJECT (test_submit (queue, test_task_none, NULL, NULL));
  if (type == OSIISO_TYPE_QUEUE)
    return g_object_ref (G_OBJECT (queue));
  return g_object_new (type, NULL);
}

/* All that can be read, as text. */
static char *
describe (GObject *object)
{
  GString *text = g_string_new (NULL);
  guint n;
  g_autofree GParamSpec **pspecs = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;
      g_autofree char *shown = NULL;

      if (!(pspecs[i]->flags & G_PARAM_READABLE))
        continue;
      g_value_init (&value, pspecs[i]->value_type);
      g_object_get_property (object, pspecs[i]->name, &value);
      shown = g_strdup_value_contents (&value);
      g_string_append_printf (text, "%s=%s\n", pspecs[i]->name, shown);
    }
  return g_string_free (text, FALSE);
}

static void
assert_unknown (GObject *object)
{
  g_autoptr (GParamSpec) pspec = g_param_spec_ref_sink (g_param_spec_int ("surprise", NULL, NULL, 0, 9, 0, G_PARAM_READWRITE));
  GObjectClass *klass = G_OBJECT_GET_CLASS (object);
  g_autofree char *message = g_strdup_printf ("*invalid property id %d for \"surprise\"*'%s'*", UNKNOWN,
                                              G_OBJECT_TYPE_NAME (object));
  g_autofree char *before = describe (object);
  g_autofree char *after = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, 7);
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_WARNING, message);
  klass->get_property (object, UNKNOWN, &value, pspec);
  g_test_assert_expected_messages ();
  g_assert_cmpint (g_value_get_int (&value), ==, 7);
  if (klass->set_property != NULL && klass->set_property != G_OBJECT_CLASS (g_type_class_peek (G_TYPE_OBJECT))->set_property)
    {
      g_test_expect_message ("Osiiso", G_LOG_LEVEL_WARNING, message);
      klass->set_property (object, UNKNOWN, &value, pspec);
      g_test_assert_expected_messages ();
    }
  after = describe (object);
  g_assert_cmpstr (before, ==, after);
}

static void
test_unknown (void)
{
  const GType types[] = {
    OSIISO_TYPE_ADAPTIVE_WORKERS,
    OSIISO_TYPE_APPLICATION_HOLD,
    OSIISO_TYPE_COMMAND,
    OSIISO_TYPE_GROUP,
    OSIISO_TYPE_HANDLE,
    OSIISO_TYPE_QUEUE,
    OSIISO_TYPE_RUN_SUMMARY,
    OSIISO_TYPE_TASK_OPTIONS,
    OSIISO_TYPE_TASK_RESULT,
  };
  OsiisoQueue *queue = test_queue_new ("main-loop");

  g_test_summary ("A property that a class does not know, as a class derived from it may have, is a warning and changes nothing");

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GObject) object = new_object (types[i], queue);

      assert_unknown (object);
    }
  test_run_all (queue);
  test_queue_free (queue);
}

static void
test_nobodys (void)
{
  g_autoptr (OsiisoGroup) group = g_object_new (OSIISO_TYPE_GROUP, NULL);
  g_autoptr (OsiisoHandle) handle = g_object_new (OSIISO_TYPE_HANDLE, NULL);
  g_autofree char *group_id = NULL;
  g_autofree char *name = NULL;
  guint64 task_id = 1;
  guint n_finished = 1;

  g_test_summary ("A group and a handle that somebody made by hand say nothing, and can be asked nothing");

  g_object_get (group, "group-id", &group_id, "n-finished", &n_finished, NULL);
  g_assert_null (group_id);
  g_assert_cmpuint (n_finished, ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (group)), ==, 0);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (group), 0));
  g_object_get (handle, "task-id", &task_id, "name", &name, NULL);
  g_assert_cmpuint (task_id, ==, 0);
  g_assert_null (name);

  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*osiiso_group_is_whole*");
  g_assert_null (osiiso_group_get_group_id (group));
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*osiiso_group_is_whole*");
  g_assert_null (osiiso_group_wait (NULL, -1, NULL, NULL));
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*osiiso_handle_is_whole*");
  g_assert_false (osiiso_handle_cancel (handle));
  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*osiiso_handle_is_whole*");
  g_assert_cmpuint (osiiso_handle_get_task_id (NULL), ==, 0);
  g_test_assert_expected_messages ();
}

static void
test_twice (void)
{
  OsiisoQueue *queue = test_queue_new ("thread-pool");
  g_autoptr (OsiisoAdaptiveWorkers) adaptive = osiiso_adaptive_workers_new (queue, 4);
  g_autoptr (GApplication) application = g_application_new ("org.example.Test", G_APPLICATION_DEFAULT_FLAGS);
  g_autoptr (OsiisoApplicationHold) hold = osiiso_application_hold_new (queue, application);
  g_autoptr (OsiisoTaskOptions) options = test_options_new ("must-complete", TRUE, NULL);
  g_autoptr (OsiisoHandle) handle = test_submit (queue, test_task_none, NULL, options);
  g_autoptr (OsiisoGroup) group = osiiso_queue_map (queue, 2, test_task_none, NULL, NULL, NULL, NULL);
  guint workers = osiiso_queue_get_workers (queue);

  g_test_summary ("A second dispose does nothing, and what was disposed of leaves its queue alone");

  while (!osiiso_application_hold_get_holding (hold))
    g_main_context_iteration (NULL, TRUE);
  g_object_run_dispose (G_OBJECT (adaptive));
  g_object_run_dispose (G_OBJECT (hold));
  g_object_run_dispose (G_OBJECT (group));
  g_assert_false (osiiso_application_hold_get_holding (hold));
  g_assert_null (osiiso_adaptive_workers_get_queue (adaptive));
  osiiso_queue_set_workers (queue, workers + 1);
  osiiso_adaptive_workers_set_most (adaptive, 1);
  g_object_run_dispose (G_OBJECT (adaptive));
  g_object_run_dispose (G_OBJECT (hold));
  g_object_run_dispose (G_OBJECT (group));
  g_assert_cmpuint (osiiso_queue_get_workers (queue), ==, workers + 1);

  test_run_all (queue);
  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  g_assert_cmpuint (osiiso_group_get_n_finished (group), ==, 2);
  g_assert_false (osiiso_application_hold_get_holding (hold));
  test_queue_free (queue);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/properties/unknown", test_unknown);
  g_test_add_func ("/properties/nobodys", test_nobodys);
  g_test_add_func ("/properties/twice", test_twice);

  return g_test_run ();
}
