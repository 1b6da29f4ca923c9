/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The snapshots have no public symbols; the sources are compiled into this
 * program. */

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-task-options.h"
#include "osiiso-task-params-private.h"

static OsiisoTaskParams *
snapshot (OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  OsiisoTaskParams *params = (OsiisoTaskParams *) &error;
  gboolean valid = osiiso_task_options_snapshot (options, &params, &error);

  g_assert_no_error (error);
  g_assert_true (valid);

  return params;
}

static void
assert_refused (OsiisoTaskOptions *options,
                const char        *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) snapshot_error = NULL;
  OsiisoTaskParams *params = (OsiisoTaskParams *) options;

  g_assert_false (osiiso_task_options_validate (options, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_false (osiiso_task_options_validate (options, NULL));

  g_assert_false (osiiso_task_options_snapshot (options, &params, &snapshot_error));
  g_assert_error (snapshot_error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_assert_cmpstr (snapshot_error->message, ==, message);
  g_assert_null (params);
}

static void
assert_accepted (OsiisoTaskOptions *options)
{
  g_autoptr (GError) error = NULL;
  gboolean valid = osiiso_task_options_validate (options, &error);

  g_assert_no_error (error);
  g_assert_true (valid);
}

static void
test_defaults (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autofree GParamSpec **specs = NULL;
  guint n;

  g_assert_cmpint (osiiso_task_options_get_priority (options), ==, OSIISO_PRIORITY_DEFAULT);
  g_assert_cmpint (OSIISO_PRIORITY_DEFAULT, ==, 3);
  g_assert_false (osiiso_task_options_get_must_complete (options));
  g_assert_cmpfloat (osiiso_task_options_get_timeout (options), ==, 0.0);
  g_assert_cmpint (osiiso_task_options_get_retries (options), ==, 0);
  g_assert_cmpfloat (osiiso_task_options_get_retry_delay (options), ==, 0.0);
  g_assert_cmpfloat (osiiso_task_options_get_backoff (options), ==, 1.0);
  g_assert_cmpfloat (osiiso_task_options_get_max_retry_delay (options), ==, 0.0);
  g_assert_cmpfloat (osiiso_task_options_get_jitter (options), ==, 0.0);
  g_assert_cmpfloat (osiiso_task_options_get_delay (options), ==, 0.0);
  g_assert_cmpfloat (osiiso_task_options_get_run_at (options), ==, 0.0);
  g_assert_null (osiiso_task_options_get_name (options));
  g_assert_null (osiiso_task_options_get_group_id (options));
  g_assert_false (osiiso_task_options_get_detached (options));
  g_assert_null (osiiso_task_options_get_metadata (options));
  g_assert_cmpfloat (osiiso_task_options_get_deadline (options), ==, 0.0);
  g_assert_null (osiiso_task_options_get_cancellable (options));
  assert_accepted (options);

  /* What the properties say is their default is what a new object has. */
  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (options), &n);
  g_assert_cmpuint (n, ==, 16);
  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      g_object_get_property (G_OBJECT (options), specs[i]->name, &value);
      g_test_message ("%s", specs[i]->name);
      g_assert_true (g_param_value_defaults (specs[i], &value));
    }
}

static void
test_properties (void)
{
  g_autoptr (OsiisoTaskOptions) options = NULL;
  g_autoptr (GVariant) metadata = NULL;
  g_autofree char *name = NULL;
  g_autofree char *group_id = NULL;
  gboolean must_complete, detached;
  int priority, retries;
  double timeout, deadline, retry_delay, backoff, max_retry_delay, jitter, delay, run_at;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) same = NULL;

  options = g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                          "priority", -5,
                          "must-complete", TRUE,
                          "timeout", 1.5,
                          "deadline", 60.0,
                          "retries", 4,
                          "retry-delay", 0.25,
                          "backoff", 2.0,
                          "max-retry-delay", 30.0,
                          "jitter", 0.5,
                          "delay", 3.0,
                          "run-at", 1e9,
                          "name", "fetch",
                          "group-id", "pages",
                          "detached", TRUE,
                          "metadata", g_variant_new_int32 (42),
                          "cancellable", cancellable,
                          NULL);

  g_assert_cmpint (osiiso_task_options_get_priority (options), ==, -5);
  g_assert_true (osiiso_task_options_get_must_complete (options));
  g_assert_cmpfloat (osiiso_task_options_get_timeout (options), ==, 1.5);
  g_assert_cmpfloat (osiiso_task_options_get_deadline (options), ==, 60.0);
  g_assert_cmpint (osiiso_task_options_get_retries (options), ==, 4);
  g_assert_cmpfloat (osiiso_task_options_get_retry_delay (options), ==, 0.25);
  g_assert_cmpfloat (osiiso_task_options_get_backoff (options), ==, 2.0);
  g_assert_cmpfloat (osiiso_task_options_get_max_retry_delay (options), ==, 30.0);
  g_assert_cmpfloat (osiiso_task_options_get_jitter (options), ==, 0.5);
  g_assert_cmpfloat (osiiso_task_options_get_delay (options), ==, 3.0);
  g_assert_cmpfloat (osiiso_task_options_get_run_at (options), ==, 1e9);
  g_assert_cmpstr (osiiso_task_options_get_name (options), ==, "fetch");
  g_assert_cmpstr (osiiso_task_options_get_group_id (options), ==, "pages");
  g_assert_true (osiiso_task_options_get_detached (options));
  g_assert_cmpint (g_variant_get_int32 (osiiso_task_options_get_metadata (options)), ==, 42);
  g_assert_true (osiiso_task_options_get_cancellable (options) == cancellable);

  g_object_get (options,
                "priority", &priority,
                "must-complete", &must_complete,
                "timeout", &timeout,
                "deadline", &deadline,
                "retries", &retries,
                "retry-delay", &retry_delay,
                "backoff", &backoff,
                "max-retry-delay", &max_retry_delay,
                "jitter", &jitter,
                "delay", &delay,
                "run-at", &run_at,
                "name", &name,
                "group-id", &group_id,
                "detached", &detached,
                "metadata", &metadata,
                "cancellable", &same,
                NULL);

  g_assert_cmpint (priority, ==, -5);
  g_assert_true (must_complete);
  g_assert_cmpfloat (timeout, ==, 1.5);
  g_assert_cmpfloat (deadline, ==, 60.0);
  g_assert_cmpint (retries, ==, 4);
  g_assert_cmpfloat (retry_delay, ==, 0.25);
  g_assert_cmpfloat (backoff, ==, 2.0);
  g_assert_cmpfloat (max_retry_delay, ==, 30.0);
  g_assert_cmpfloat (jitter, ==, 0.5);
  g_assert_cmpfloat (delay, ==, 3.0);
  g_assert_cmpfloat (run_at, ==, 1e9);
  g_assert_cmpstr (name, ==, "fetch");
  g_assert_cmpstr (group_id, ==, "pages");
  g_assert_true (detached);
  g_assert_cmpint (g_variant_get_int32 (metadata), ==, 42);
  g_assert_false (g_variant_is_floating (metadata));
  g_assert_true (same == cancellable);

  /* Back to none. */
  g_object_set (options, "name", NULL, "group-id", NULL, "metadata", NULL, "cancellable", NULL, NULL);
  g_assert_null (osiiso_task_options_get_name (options));
  g_assert_null (osiiso_task_options_get_group_id (options));
  g_assert_null (osiiso_task_options_get_metadata (options));
  g_assert_null (osiiso_task_options_get_cancellable (options));
}

static void
on_notify (GObject    *object,
           GParamSpec *pspec,
           gpointer    user_data)
{
  GString *names = user_data;

  g_string_append_printf (names, "%s ", pspec->name);
}

static void
test_notify (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_signal_connect (options, "notify", G_CALLBACK (on_notify), names);

  /* What is there already. */
  osiiso_task_options_set_priority (options, 3);
  osiiso_task_options_set_must_complete (options, FALSE);
  osiiso_task_options_set_timeout (options, 0.0);
  osiiso_task_options_set_retries (options, 0);
  osiiso_task_options_set_retry_delay (options, 0.0);
  osiiso_task_options_set_backoff (options, 1.0);
  osiiso_task_options_set_max_retry_delay (options, 0.0);
  osiiso_task_options_set_jitter (options, 0.0);
  osiiso_task_options_set_delay (options, 0.0);
  osiiso_task_options_set_run_at (options, 0.0);
  osiiso_task_options_set_name (options, NULL);
  osiiso_task_options_set_group_id (options, NULL);
  osiiso_task_options_set_detached (options, FALSE);
  osiiso_task_options_set_metadata (options, NULL);
  osiiso_task_options_set_deadline (options, 0.0);
  osiiso_task_options_set_cancellable (options, NULL);
  g_assert_cmpstr (names->str, ==, "");

  /* Something else, twice. */
  for (guint i = 0; i < 2; i++)
    {
      osiiso_task_options_set_priority (options, 1);
      osiiso_task_options_set_must_complete (options, (gboolean) (2 + i));
      osiiso_task_options_set_timeout (options, NAN);
      osiiso_task_options_set_retries (options, 1);
      osiiso_task_options_set_retry_delay (options, 1.0);
      osiiso_task_options_set_backoff (options, 3.0);
      osiiso_task_options_set_max_retry_delay (options, 1.0);
      osiiso_task_options_set_jitter (options, 1.0);
      osiiso_task_options_set_delay (options, 1.0);
      osiiso_task_options_set_run_at (options, 1.0);
      osiiso_task_options_set_name (options, "a");
      osiiso_task_options_set_group_id (options, "b");
      osiiso_task_options_set_detached (options, (gboolean) (2 + i));
      osiiso_task_options_set_metadata (options, g_variant_new_string ("c"));
      osiiso_task_options_set_deadline (options, 1.0);
      osiiso_task_options_set_cancellable (options, cancellable);
    }
  g_assert_cmpstr (names->str, ==,
                   "priority must-complete timeout retries retry-delay backoff max-retry-delay "
                   "jitter delay run-at name group-id detached metadata deadline cancellable ");
  g_assert_cmpint (osiiso_task_options_get_must_complete (options), ==, TRUE);
  g_assert_cmpint (osiiso_task_options_get_detached (options), ==, TRUE);

  /* g_object_set_property() goes the same way. */
  g_string_truncate (names, 0);
  g_object_set (options, "priority", 1, "name", "a", NULL);
  g_assert_cmpstr (names->str, ==, "");
  g_object_set (options, "priority", 2, NULL);
  g_object_set (options, "name", "", NULL);
  g_assert_cmpstr (names->str, ==, "priority name ");
}

static void
test_setting_what_one_got (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

  osiiso_task_options_set_name (options, "name");
  osiiso_task_options_set_name (options, osiiso_task_options_get_name (options));
  g_assert_cmpstr (osiiso_task_options_get_name (options), ==, "name");
  osiiso_task_options_set_name (options, osiiso_task_options_get_name (options) + 2);
  g_assert_cmpstr (osiiso_task_options_get_name (options), ==, "me");
  osiiso_task_options_set_group_id (options, osiiso_task_options_get_name (options));
  g_assert_cmpstr (osiiso_task_options_get_group_id (options), ==, "me");

  osiiso_task_options_set_metadata (options, g_variant_new_string ("x"));
  osiiso_task_options_set_metadata (options, osiiso_task_options_get_metadata (options));
  g_assert_cmpstr (g_variant_get_string (osiiso_task_options_get_metadata (options), NULL), ==, "x");
}

static void
test_validate (void)
{
  static const struct
  {
    const char *property;
    double      value;
    const char *message; /* (nullable): accepted */
  } cases[] = {
    { "timeout", -1.0, "timeout must be a finite number > 0, or 0 for none; got -1" },
    { "timeout", -0.001, "timeout must be a finite number > 0, or 0 for none; got -0.001" },
    { "timeout", INFINITY, "timeout must be a finite number > 0, or 0 for none; got inf" },
    { "timeout", -INFINITY, "timeout must be a finite number > 0, or 0 for none; got -inf" },
    { "timeout", NAN, "timeout must be a finite number > 0, or 0 for none; got nan" },
    { "timeout", -NAN, "timeout must be a finite number > 0, or 0 for none; got nan" },
    { "timeout", -0.0, NULL },
    { "timeout", G_MINDOUBLE, NULL },
    { "timeout", 0.001, NULL },
    { "timeout", 1e300, NULL },
    { "timeout", G_MAXDOUBLE, NULL },
    { "deadline", -1.0, "deadline must be a finite number > 0, or 0 for none; got -1" },
    { "deadline", INFINITY, "deadline must be a finite number > 0, or 0 for none; got inf" },
    { "deadline", NAN, "deadline must be a finite number > 0, or 0 for none; got nan" },
    { "deadline", 0.001, NULL },
    { "deadline", 1e300, NULL },
    { "retry-delay", -1.0, "retry-delay must be a finite number >= 0; got -1" },
    { "retry-delay", INFINITY, "retry-delay must be a finite number >= 0; got inf" },
    { "retry-delay", NAN, "retry-delay must be a finite number >= 0; got nan" },
    { "retry-delay", 1e300, NULL },
    { "backoff", 0.0, "backoff must be a finite number > 0; got 0" },
    { "backoff", -0.0, "backoff must be a finite number > 0; got -0" },
    { "backoff", -2.5, "backoff must be a finite number > 0; got -2.5" },
    { "backoff", INFINITY, "backoff must be a finite number > 0; got inf" },
    { "backoff", NAN, "backoff must be a finite number > 0; got nan" },
    { "backoff", 0.5, NULL },
    { "backoff", 1e300, NULL },
    { "max-retry-delay", -1.0, "max-retry-delay must be a finite number > 0, or 0 for none; got -1" },
    { "max-retry-delay", INFINITY, "max-retry-delay must be a finite number > 0, or 0 for none; got inf" },
    { "max-retry-delay", NAN, "max-retry-delay must be a finite number > 0, or 0 for none; got nan" },
    { "max-retry-delay", 1e300, NULL },
    { "jitter", -0.1, "jitter must be a number from 0 to 1; got -0.1" },
    { "jitter", 1.5, "jitter must be a number from 0 to 1; got 1.5" },
    { "jitter", INFINITY, "jitter must be a number from 0 to 1; got inf" },
    { "jitter", NAN, "jitter must be a number from 0 to 1; got nan" },
    { "jitter", 0.0, NULL },
    { "jitter", 1.0, NULL },
    { "delay", -1.0, "delay must be a finite number > 0, or 0 for none; got -1" },
    { "delay", INFINITY, "delay must be a finite number > 0, or 0 for none; got inf" },
    { "delay", NAN, "delay must be a finite number > 0, or 0 for none; got nan" },
    { "delay", 1e300, NULL },
    { "run-at", -1.0, "run-at must be a finite number > 0 of seconds since 1970, or 0 for none; got -1" },
    { "run-at", INFINITY, "run-at must be a finite number > 0 of seconds since 1970, or 0 for none; got inf" },
    { "run-at", NAN, "run-at must be a finite number > 0 of seconds since 1970, or 0 for none; got nan" },
    { "run-at", 1.0, NULL },
    { "run-at", 1e300, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
      double stored;

      /* Bad values are stored, and without a warning. */
      g_object_set (options, cases[i].property, cases[i].value, NULL);
      g_object_get (options, cases[i].property, &stored, NULL);
      if (isnan (cases[i].value))
        g_assert_true (isnan (stored));
      else
        g_assert_cmpfloat (stored, ==, cases[i].value);

      if (cases[i].message != NULL)
        assert_refused (options, cases[i].message);
      else
        assert_accepted (options);
    }
}

static void
test_validate_integers (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

  osiiso_task_options_set_priority (options, OSIISO_PRIORITY_MIN - 1);
  assert_refused (options, "priority must be from -128 to 127; got -129");
  osiiso_task_options_set_priority (options, OSIISO_PRIORITY_MAX + 1);
  assert_refused (options, "priority must be from -128 to 127; got 128");
  g_object_set (options, "priority", G_MININT, NULL);
  assert_refused (options, "priority must be from -128 to 127; got -2147483648");
  g_object_set (options, "priority", G_MAXINT, NULL);
  assert_refused (options, "priority must be from -128 to 127; got 2147483647");
  osiiso_task_options_set_priority (options, OSIISO_PRIORITY_MIN);
  assert_accepted (options);
  osiiso_task_options_set_priority (options, OSIISO_PRIORITY_MAX);
  assert_accepted (options);

  osiiso_task_options_set_retries (options, -1);
  assert_refused (options, "retries must be >= 0; got -1");
  g_object_set (options, "retries", G_MININT, NULL);
  assert_refused (options, "retries must be >= 0; got -2147483648");
  g_object_set (options, "retries", G_MAXINT, NULL);
  assert_accepted (options);
}

static void
test_delay_or_run_at (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

  osiiso_task_options_set_delay (options, 0.5);
  assert_accepted (options);
  osiiso_task_options_set_run_at (options, 1700000000.0);
  assert_refused (options, "delay and run-at are mutually exclusive; got 0.5 and 1700000000");
  osiiso_task_options_set_delay (options, 0.0);
  assert_accepted (options);
}

static void
test_copy (void)
{
  g_autoptr (OsiisoTaskOptions) options = NULL;
  g_autoptr (OsiisoTaskOptions) copy = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree GParamSpec **specs = NULL;
  guint n;

  options = g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                          "priority", 300,
                          "must-complete", TRUE,
                          "timeout", -1.5,
                          "deadline", 60.0,
                          "retries", 4,
                          "retry-delay", 0.25,
                          "backoff", 2.0,
                          "max-retry-delay", 30.0,
                          "jitter", 0.5,
                          "delay", 3.0,
                          "run-at", 1e9,
                          "name", "fetch",
                          "group-id", "pages",
                          "detached", TRUE,
                          "metadata", g_variant_new_int32 (42),
                          "cancellable", cancellable,
                          NULL);
  copy = osiiso_task_options_copy (options);
  g_assert_true (copy != options);

  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (options), &n);
  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) a = G_VALUE_INIT;
      g_auto (GValue) b = G_VALUE_INIT;

      g_object_get_property (G_OBJECT (options), specs[i]->name, &a);
      g_object_get_property (G_OBJECT (copy), specs[i]->name, &b);
      g_assert_cmpint (g_param_values_cmp (specs[i], &a, &b), ==, 0);
      g_assert_false (g_param_value_defaults (specs[i], &a));
    }

  osiiso_task_options_set_name (copy, "other");
  osiiso_task_options_set_metadata (copy, NULL);
  osiiso_task_options_set_retries (options, 1);
  g_assert_cmpstr (osiiso_task_options_get_name (options), ==, "fetch");
  g_assert_nonnull (osiiso_task_options_get_metadata (options));
  g_assert_cmpint (osiiso_task_options_get_retries (copy), ==, 4);

  g_clear_object (&options);
  g_assert_cmpstr (osiiso_task_options_get_group_id (copy), ==, "pages");
}

static void
test_snapshot_values (void)
{
  g_autoptr (OsiisoTaskOptions) options = NULL;
  g_autoptr (OsiisoTaskParams) params = NULL;

  options = g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                          "priority", -5,
                          "must-complete", TRUE,
                          "timeout", 1.5,
                          "deadline", 60.0,
                          "retries", G_MAXINT,
                          "retry-delay", 0.25,
                          "backoff", 2.0,
                          "max-retry-delay", 30.0,
                          "jitter", 0.5,
                          "delay", 1e300,
                          "name", "fetch",
                          "group-id", "pages",
                          "detached", TRUE,
                          "metadata", g_variant_new_int32 (42),
                          NULL);
  params = snapshot (options);

  /* It belongs to nobody. */
  g_clear_object (&options);

  g_assert_cmpint (params->priority, ==, -5);
  g_assert_true (params->must_complete);
  g_assert_cmpfloat (params->timeout, ==, 1.5);
  g_assert_cmpfloat (params->deadline, ==, 60.0);
  g_assert_cmpuint (params->retries, ==, G_MAXINT);
  g_assert_cmpfloat (params->retry_delay, ==, 0.25);
  g_assert_cmpfloat (params->backoff, ==, 2.0);
  g_assert_cmpfloat (params->max_retry_delay, ==, 30.0);
  g_assert_cmpfloat (params->jitter, ==, 0.5);
  g_assert_cmpfloat (params->delay, ==, 1e300);
  g_assert_cmpfloat (params->run_at, ==, 0.0);
  g_assert_cmpstr (params->name, ==, "fetch");
  g_assert_cmpstr (params->group_id, ==, "pages");
  g_assert_true (params->detached);
  g_assert_cmpint (g_variant_get_int32 (params->metadata), ==, 42);
}

static void
test_snapshot_of_defaults (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autofree GParamSpec **specs = NULL;
  guint n;

  g_assert_null (snapshot (NULL));
  g_assert_null (snapshot (options));
  g_assert_null (snapshot (options));

  /* Each property alone makes a difference, and none once it is taken back. */
  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (options), &n);
  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) old = G_VALUE_INIT;
      g_auto (GValue) new = G_VALUE_INIT;
      g_autoptr (OsiisoTaskParams) params = NULL;

      /* It is none of what a task keeps. */
      if (g_str_equal (specs[i]->name, "cancellable"))
        continue;
      g_object_get_property (G_OBJECT (options), specs[i]->name, &old);
      g_value_init (&new, specs[i]->value_type);
      switch (specs[i]->value_type)
        {
        case G_TYPE_BOOLEAN:
          g_value_set_boolean (&new, TRUE);
          break;
        case G_TYPE_INT:
          g_value_set_int (&new, 1);
          break;
        case G_TYPE_DOUBLE:
          g_value_set_double (&new, 0.5);
          break;
        case G_TYPE_STRING:
          g_value_set_string (&new, "");
          break;
        case G_TYPE_VARIANT:
          g_value_set_variant (&new, g_variant_new ("()"));
          break;
        default:
          g_assert_not_reached ();
        }

      g_object_set_property (G_OBJECT (options), specs[i]->name, &new);
      params = snapshot (options);
      g_assert_nonnull (params);

      g_object_set_property (G_OBJECT (options), specs[i]->name, &old);
      g_assert_null (snapshot (options));
    }
}

static void
test_cancellable (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  GCancellable *cancellable = g_cancellable_new ();
  GCancellable *held;
  gpointer alive = cancellable;

  g_assert_null (osiiso_task_options_dup_cancellable (NULL));
  g_assert_null (osiiso_task_options_dup_cancellable (options));

  g_object_add_weak_pointer (G_OBJECT (cancellable), &alive);
  osiiso_task_options_set_cancellable (options, cancellable);
  g_object_unref (cancellable);
  g_assert_nonnull (alive);
  /* The tasks keep nothing of it. */
  g_assert_null (snapshot (options));

  held = osiiso_task_options_dup_cancellable (options);
  g_assert_true (held == alive);
  osiiso_task_options_set_cancellable (options, NULL);
  g_assert_nonnull (alive);
  g_object_unref (held);
  g_assert_null (alive);
}

static void
test_snapshot_is_shared (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoTaskParams) first = NULL;
  g_autoptr (OsiisoTaskParams) second = NULL;
  g_autoptr (OsiisoTaskParams) third = NULL;

  osiiso_task_options_set_retries (options, 3);
  first = snapshot (options);
  osiiso_task_options_set_retries (options, 3);
  second = snapshot (options);
  g_assert_true (first == second);

  osiiso_task_options_set_retries (options, 4);
  third = snapshot (options);
  g_assert_true (third != first);
  g_assert_cmpuint (first->retries, ==, 3);
  g_assert_cmpuint (third->retries, ==, 4);

  /* A value that is refused leaves none behind. */
  osiiso_task_options_set_retries (options, -1);
  assert_refused (options, "retries must be >= 0; got -1");
  osiiso_task_options_set_retries (options, 4);
  g_clear_pointer (&second, osiiso_task_params_unref);
  second = snapshot (options);
  g_assert_cmpuint (second->retries, ==, 4);
}

static void
test_with_group (void)
{
  g_autoptr (OsiisoTaskOptions) options = NULL;
  g_autoptr (OsiisoTaskParams) params = NULL;
  g_autoptr (OsiisoTaskParams) grouped = NULL;
  g_autoptr (OsiisoTaskParams) again = NULL;
  g_autoptr (OsiisoTaskParams) ungrouped = NULL;
  g_autoptr (OsiisoTaskParams) defaults = NULL;

  options = g_object_new (OSIISO_TYPE_TASK_OPTIONS,
                          "priority", 9,
                          "must-complete", TRUE,
                          "timeout", 1.5,
                          "deadline", 60.0,
                          "retries", 4,
                          "retry-delay", 0.25,
                          "backoff", 2.0,
                          "max-retry-delay", 30.0,
                          "jitter", 0.5,
                          "run-at", 1e9,
                          "name", "fetch",
                          "group-id", "pages",
                          "detached", TRUE,
                          "metadata", g_variant_new_int32 (42),
                          NULL);
  params = snapshot (options);
  grouped = osiiso_task_params_with_group (params, "images");
  g_assert_true (grouped != params);
  g_assert_cmpstr (params->group_id, ==, "pages");
  g_clear_pointer (&params, osiiso_task_params_unref);
  g_clear_object (&options);

  g_assert_cmpstr (grouped->group_id, ==, "images");
  g_assert_cmpint (grouped->priority, ==, 9);
  g_assert_true (grouped->must_complete);
  g_assert_cmpfloat (grouped->timeout, ==, 1.5);
  g_assert_cmpfloat (grouped->deadline, ==, 60.0);
  g_assert_cmpuint (grouped->retries, ==, 4);
  g_assert_cmpfloat (grouped->retry_delay, ==, 0.25);
  g_assert_cmpfloat (grouped->backoff, ==, 2.0);
  g_assert_cmpfloat (grouped->max_retry_delay, ==, 30.0);
  g_assert_cmpfloat (grouped->jitter, ==, 0.5);
  g_assert_cmpfloat (grouped->delay, ==, 0.0);
  g_assert_cmpfloat (grouped->run_at, ==, 1e9);
  g_assert_cmpstr (grouped->name, ==, "fetch");
  g_assert_true (grouped->detached);
  g_assert_cmpint (g_variant_get_int32 (grouped->metadata), ==, 42);

  again = osiiso_task_params_with_group (grouped, "images");
  g_assert_true (again == grouped);
  ungrouped = osiiso_task_params_with_group (grouped, NULL);
  g_assert_null (ungrouped->group_id);
  g_assert_cmpstr (ungrouped->name, ==, "fetch");

  g_assert_null (osiiso_task_params_with_group (NULL, NULL));
  defaults = osiiso_task_params_with_group (NULL, "g");
  g_assert_cmpstr (defaults->group_id, ==, "g");
  g_assert_cmpint (defaults->priority, ==, OSIISO_PRIORITY_DEFAULT);
  g_assert_cmpfloat (defaults->backoff, ==, 1.0);
  g_assert_cmpuint (defaults->retries, ==, 0);
  g_assert_null (defaults->name);
}

typedef struct
{
  OsiisoTaskOptions *options;
  gint               stop; /* (atomic) */
} ThreadData;

static gpointer
snapshot_thread (gpointer user_data)
{
  ThreadData *data = user_data;
  guint last = 0;

  do
    {
      g_autoptr (OsiisoTaskParams) params = snapshot (data->options);
      g_autoptr (OsiisoTaskOptions) copy = osiiso_task_options_copy (data->options);
      g_autofree char *name = g_strdup_printf ("task %u", params->retries);

      /* The name is set after the number, so it is that number's or the one's
       * before. Nothing older comes back. */
      if (!g_str_equal (params->name, name))
        {
          g_free (name);
          name = g_strdup_printf ("task %u", params->retries - 1);
        }
      g_assert_cmpstr (params->name, ==, name);
      g_assert_cmpuint (params->retries, >=, last);
      g_assert_cmpint (osiiso_task_options_get_retries (copy), >=, (int) params->retries);
      last = params->retries;
    }
  while (!g_atomic_int_get (&data->stop));

  return NULL;
}

static void
test_threads (void)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  ThreadData data = { options, FALSE };
  GThread *threads[3];

  osiiso_task_options_set_retries (options, 1);
  osiiso_task_options_set_name (options, "task 1");
  osiiso_task_options_set_metadata (options, g_variant_new_int32 (1));

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("snapshot", snapshot_thread, &data);

  for (int i = 2; i < 5000; i++)
    {
      g_autofree char *name = g_strdup_printf ("task %d", i);

      osiiso_task_options_set_retries (options, i);
      osiiso_task_options_set_name (options, name);
    }

  g_atomic_int_set (&data.stop, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/task-options/defaults", test_defaults);
  g_test_add_func ("/task-options/properties", test_properties);
  g_test_add_func ("/task-options/notify", test_notify);
  g_test_add_func ("/task-options/setting-what-one-got", test_setting_what_one_got);
  g_test_add_func ("/task-options/validate", test_validate);
  g_test_add_func ("/task-options/validate-integers", test_validate_integers);
  g_test_add_func ("/task-options/delay-or-run-at", test_delay_or_run_at);
  g_test_add_func ("/task-options/copy", test_copy);
  g_test_add_func ("/task-options/cancellable", test_cancellable);
  g_test_add_func ("/task-options/snapshot/values", test_snapshot_values);
  g_test_add_func ("/task-options/snapshot/of-defaults", test_snapshot_of_defaults);
  g_test_add_func ("/task-options/snapshot/is-shared", test_snapshot_is_shared);
  g_test_add_func ("/task-options/snapshot/with-group", test_with_group);
  g_test_add_func ("/task-options/threads", test_threads);

  return g_test_run ();
}
