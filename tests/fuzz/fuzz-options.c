/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options of unknown origin: a dictionary of GVariants, as a message of D-Bus has them,
 * becomes the properties of options. Whatever it says, they are accepted or refused with
 * an error that names what is wrong, and what is accepted is within its bounds.
 */
#include "fuzz.h"

#include <math.h>

#include "osiiso-error.h"
#include "osiiso-task-options.h"

static void
set_property (GObject    *object,
              const char *name,
              GVariant   *value)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), name);
  g_auto (GValue) given = G_VALUE_INIT, wanted = G_VALUE_INIT;

  if (pspec == NULL || !(pspec->flags & G_PARAM_WRITABLE))
    return;
  if (pspec->value_type == G_TYPE_VARIANT)
    {
      g_object_set (object, name, value, NULL);
      return;
    }
  g_dbus_gvariant_to_gvalue (value, &given);
  g_value_init (&wanted, pspec->value_type);
  if (g_value_type_transformable (G_VALUE_TYPE (&given), pspec->value_type) && g_value_transform (&given, &wanted))
    g_object_set_property (object, name, &wanted);
}

static void
check_valid (OsiisoTaskOptions *options)
{
  g_assert_cmpint (osiiso_task_options_get_priority (options), >=, OSIISO_PRIORITY_MIN);
  g_assert_cmpint (osiiso_task_options_get_priority (options), <=, OSIISO_PRIORITY_MAX);
  g_assert_true (isfinite (osiiso_task_options_get_timeout (options)));
  g_assert_cmpfloat (osiiso_task_options_get_timeout (options), >=, 0);
  g_assert_true (isfinite (osiiso_task_options_get_retry_delay (options)));
  g_assert_cmpfloat (osiiso_task_options_get_retry_delay (options), >=, 0);
  g_assert_cmpfloat (osiiso_task_options_get_backoff (options), >, 0);
  g_assert_true (isfinite (osiiso_task_options_get_delay (options)));
  g_assert_cmpfloat (osiiso_task_options_get_delay (options), >=, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GVariant) raw = NULL;
  g_autoptr (GVariant) dict = NULL;
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoTaskOptions) copy = NULL;
  g_autoptr (GError) error = NULL;
  GVariantIter iter;
  const char *name;
  GVariant *value;

  raw = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));
  dict = g_variant_get_normal_form (raw);

  g_variant_iter_init (&iter, dict);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      set_property (G_OBJECT (options), name, value);
      g_variant_unref (value);
    }
  copy = osiiso_task_options_copy (options);
  if (osiiso_task_options_validate (options, &error))
    {
      check_valid (options);
      check_valid (copy);
      g_assert_true (osiiso_task_options_validate (copy, NULL));
    }
  else
    {
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      g_assert_cmpstr (error->message, !=, "");
      g_assert_false (osiiso_task_options_validate (copy, NULL));
    }
  return 0;
}
