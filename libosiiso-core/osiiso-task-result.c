/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-enum-types.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-options.h"
#include "osiiso-task-result-private.h"

/**
 * OsiisoTaskResult:
 *
 * What became of a task that is finished.
 *
 * A result never changes. It stays valid when the queue is gone, and keeps the
 * value of the task alive.
 *
 * Times are seconds of the monotonic clock, as in [func@GLib.get_monotonic_time],
 * and 0 where there is none. Tasks that nobody holds a handle on may have been
 * run without looking at the clock; their times are 0.
 *
 * ```c
 * for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (summary)); i++)
 *   {
 *     g_autoptr (OsiisoTaskResult) result = g_list_model_get_item (G_LIST_MODEL (summary), i);
 *
 *     g_print ("%s: %s\n", osiiso_task_result_get_name (result),
 *              osiiso_task_result_get_message (result));
 *   }
 * ```
 *
 * ## Threads
 *
 * All methods may be called from any thread.
 *
 * Since: 1.0
 */

struct _OsiisoTaskResult
{
  GObject parent_instance;

  /* Set once, before anybody else sees the object. All three are NULL in an
   * object that did not come from a queue, as bindings can make them; it
   * describes a task that never was. */
  OsiisoScheduler *scheduler;
  OsiisoRecord    *record;
  char            *name;
};

typedef enum
{
  PROP_TASK_ID = 1,
  PROP_NAME,
  PROP_STATUS,
  PROP_ERROR,
  PROP_MESSAGE,
  PROP_ATTEMPTS,
  PROP_PRIORITY,
  PROP_MUST_COMPLETE,
  PROP_GROUP_ID,
  PROP_INDEX,
  PROP_DETACHED,
  PROP_METADATA,
  PROP_SCHEDULED_FOR,
  PROP_CREATED,
  PROP_STARTED,
  PROP_FINISHED,
  PROP_DURATION,
} OsiisoTaskResultProperty;

static GParamSpec *props[PROP_DURATION + 1];

G_DEFINE_FINAL_TYPE (OsiisoTaskResult, osiiso_task_result, G_TYPE_OBJECT)

static void
osiiso_task_result_finalize (GObject *object)
{
  OsiisoTaskResult *self = OSIISO_TASK_RESULT (object);

  /* The record lives in the memory of the scheduler. */
  g_clear_pointer (&self->record, osiiso_record_unref);
  g_clear_pointer (&self->scheduler, osiiso_scheduler_unref);
  g_clear_pointer (&self->name, g_free);

  G_OBJECT_CLASS (osiiso_task_result_parent_class)->finalize (object);
}

static void
osiiso_task_result_get_property (GObject    *object,
                                 guint       prop_id,
                                 GValue     *value,
                                 GParamSpec *pspec)
{
  OsiisoTaskResult *self = OSIISO_TASK_RESULT (object);

  switch ((OsiisoTaskResultProperty) prop_id)
    {
    case PROP_TASK_ID:
      g_value_set_uint64 (value, osiiso_task_result_get_task_id (self));
      break;
    case PROP_NAME:
      g_value_set_string (value, osiiso_task_result_get_name (self));
      break;
    case PROP_STATUS:
      g_value_set_enum (value, osiiso_task_result_get_status (self));
      break;
    case PROP_ERROR:
      g_value_take_boxed (value, osiiso_task_result_dup_error (self));
      break;
    case PROP_MESSAGE:
      g_value_set_string (value, osiiso_task_result_get_message (self));
      break;
    case PROP_ATTEMPTS:
      g_value_set_uint (value, osiiso_task_result_get_attempts (self));
      break;
    case PROP_PRIORITY:
      g_value_set_int (value, osiiso_task_result_get_priority (self));
      break;
    case PROP_MUST_COMPLETE:
      g_value_set_boolean (value, osiiso_task_result_get_must_complete (self));
      break;
    case PROP_GROUP_ID:
      g_value_set_string (value, osiiso_task_result_get_group_id (self));
      break;
    case PROP_INDEX:
      g_value_set_uint (value, osiiso_task_result_get_index (self));
      break;
    case PROP_DETACHED:
      g_value_set_boolean (value, osiiso_task_result_get_detached (self));
      break;
    case PROP_METADATA:
      g_value_set_variant (value, osiiso_task_result_get_metadata (self));
      break;
    case PROP_SCHEDULED_FOR:
      g_value_set_double (value, osiiso_task_result_get_scheduled_for (self));
      break;
    case PROP_CREATED:
      g_value_set_double (value, osiiso_task_result_get_created (self));
      break;
    case PROP_STARTED:
      g_value_set_double (value, osiiso_task_result_get_started (self));
      break;
    case PROP_FINISHED:
      g_value_set_double (value, osiiso_task_result_get_finished (self));
      break;
    case PROP_DURATION:
      g_value_set_double (value, osiiso_task_result_get_duration (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

static void
osiiso_task_result_class_init (OsiisoTaskResultClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = osiiso_task_result_finalize;
  object_class->get_property = osiiso_task_result_get_property;

  /**
   * OsiisoTaskResult:task-id:
   *
   * The id that the queue gave the task.
   *
   * Since: 1.0
   */
  props[PROP_TASK_ID] =
    g_param_spec_uint64 ("task-id", NULL, NULL,
                         0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoTaskResult:name:
   *
   * What the task is called: the name from its options, or one that the queue
   * found.
   *
   * Since: 1.0
   */
  props[PROP_NAME] =
    g_param_spec_string ("name", NULL, NULL, "", flags);

  /**
   * OsiisoTaskResult:status:
   *
   * How the task ended: succeeded, failed or cancelled.
   *
   * Since: 1.0
   */
  props[PROP_STATUS] =
    g_param_spec_enum ("status", NULL, NULL,
                       OSIISO_TYPE_STATUS, OSIISO_STATUS_PENDING, flags);

  /**
   * OsiisoTaskResult:error:
   *
   * Why the task failed or was cancelled, or %NULL if it succeeded.
   *
   * Since: 1.0
   */
  props[PROP_ERROR] =
    g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);

  /**
   * OsiisoTaskResult:message:
   *
   * The message of the error, or an empty string if the task succeeded.
   *
   * Since: 1.0
   */
  props[PROP_MESSAGE] =
    g_param_spec_string ("message", NULL, NULL, "", flags);

  /**
   * OsiisoTaskResult:attempts:
   *
   * How many attempts were made; 0 if the task was cancelled before the first.
   *
   * Since: 1.0
   */
  props[PROP_ATTEMPTS] =
    g_param_spec_uint ("attempts", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * OsiisoTaskResult:priority:
   *
   * The priority that the task had in the end.
   *
   * Since: 1.0
   */
  props[PROP_PRIORITY] =
    g_param_spec_int ("priority", NULL, NULL,
                      OSIISO_PRIORITY_MIN, OSIISO_PRIORITY_MAX, 0, flags);

  /**
   * OsiisoTaskResult:must-complete:
   *
   * Whether the task was to run to its end although others were cancelled.
   *
   * Since: 1.0
   */
  props[PROP_MUST_COMPLETE] =
    g_param_spec_boolean ("must-complete", NULL, NULL, FALSE, flags);

  /**
   * OsiisoTaskResult:group-id:
   *
   * The group of the task, or %NULL if it was in none.
   *
   * Since: 1.0
   */
  props[PROP_GROUP_ID] =
    g_param_spec_string ("group-id", NULL, NULL, NULL, flags);

  /**
   * OsiisoTaskResult:index:
   *
   * The place of the task in its group, from 0; 0 if it was in none.
   *
   * Since: 1.0
   */
  props[PROP_INDEX] =
    g_param_spec_uint ("index", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * OsiisoTaskResult:detached:
   *
   * Whether the task was to be left out of the summary of a run.
   *
   * Since: 1.0
   */
  props[PROP_DETACHED] =
    g_param_spec_boolean ("detached", NULL, NULL, FALSE, flags);

  /**
   * OsiisoTaskResult:metadata:
   *
   * The metadata from the options of the task, or %NULL.
   *
   * Since: 1.0
   */
  props[PROP_METADATA] =
    g_param_spec_variant ("metadata", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, flags);

  /**
   * OsiisoTaskResult:scheduled-for:
   *
   * When the task was to become ready, or 0 if it was ready at once.
   *
   * Since: 1.0
   */
  props[PROP_SCHEDULED_FOR] =
    g_param_spec_double ("scheduled-for", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  /**
   * OsiisoTaskResult:created:
   *
   * When the task was submitted.
   *
   * Since: 1.0
   */
  props[PROP_CREATED] =
    g_param_spec_double ("created", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  /**
   * OsiisoTaskResult:started:
   *
   * When the first attempt began, or 0 if there was none.
   *
   * Since: 1.0
   */
  props[PROP_STARTED] =
    g_param_spec_double ("started", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  /**
   * OsiisoTaskResult:finished:
   *
   * When the task ended.
   *
   * Since: 1.0
   */
  props[PROP_FINISHED] =
    g_param_spec_double ("finished", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  /**
   * OsiisoTaskResult:duration:
   *
   * How many seconds passed from the start of the first attempt to the end of
   * the task, the waits between attempts included; 0 if there was no attempt.
   *
   * Since: 1.0
   */
  props[PROP_DURATION] =
    g_param_spec_double ("duration", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_task_result_init (OsiisoTaskResult *self)
{
}

OsiisoTaskResult *
osiiso_task_result_new (OsiisoScheduler *scheduler,
                        OsiisoRecord    *record)
{
  OsiisoTaskResult *self = g_object_new (OSIISO_TYPE_TASK_RESULT, NULL);

  self->scheduler = osiiso_scheduler_ref (scheduler);
  self->record = osiiso_record_ref (record);
  self->name = osiiso_record_dup_name (record);

  return self;
}

/**
 * osiiso_task_result_get_task_id:
 * @self: a result
 *
 * Gets the id that the queue gave the task.
 *
 * Returns: the id
 *
 * Since: 1.0
 */
guint64
osiiso_task_result_get_task_id (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0);

  return self->record != NULL ? osiiso_record_get_id (self->record) : 0;
}

/**
 * osiiso_task_result_get_name:
 * @self: a result
 *
 * Gets what the task is called.
 *
 * Returns: (transfer none): the name
 *
 * Since: 1.0
 */
const char *
osiiso_task_result_get_name (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  return self->name != NULL ? self->name : "";
}

/**
 * osiiso_task_result_get_status:
 * @self: a result
 *
 * Gets how the task ended.
 *
 * Returns: a final status
 *
 * Since: 1.0
 */
OsiisoStatus
osiiso_task_result_get_status (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), OSIISO_STATUS_PENDING);

  return self->record != NULL ? osiiso_record_get_status (self->record) : OSIISO_STATUS_PENDING;
}

/**
 * osiiso_task_result_get_value:
 * @self: a result
 *
 * Gets the value that the task returned.
 *
 * It is %NULL when the task returned none, or did not succeed.
 *
 * Returns: (transfer none) (nullable): the value, which belongs to @self, or %NULL
 *
 * Since: 1.0
 */
const GValue *
osiiso_task_result_get_value (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  return self->record != NULL ? osiiso_record_get_value (self->record) : NULL;
}

/**
 * osiiso_task_result_dup_error:
 * @self: a result
 *
 * Gets why the task failed or was cancelled.
 *
 * A cancelled task has %G_IO_ERROR_CANCELLED, one that ran out of time
 * %G_IO_ERROR_TIMED_OUT.
 *
 * Returns: (transfer full) (nullable): a copy of the error, or %NULL
 *
 * Since: 1.0
 */
GError *
osiiso_task_result_dup_error (OsiisoTaskResult *self)
{
  const GError *error;

  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  error = self->record != NULL ? osiiso_record_get_error (self->record) : NULL;

  return error != NULL ? g_error_copy (error) : NULL;
}

/**
 * osiiso_task_result_get_error_details:
 * @self: a result
 *
 * Gets what a failed task has to say besides its error, as it was given to
 * [method@Osiiso.Attempt.return_error_details]: of a command that failed an
 * [struct@Osiiso.CommandResult].
 *
 * The value belongs to the task, which @self keeps. In Python use
 * [method@Osiiso.TaskResult.dup_error_details] for boxed values.
 *
 * Returns: (transfer none) (nullable): the details; %NULL when there are none, or the
 *   task did not fail
 *
 * Since: 1.0
 */
const GValue *
osiiso_task_result_get_error_details (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  return self->record != NULL ? osiiso_record_get_error_details (self->record) : NULL;
}

/**
 * osiiso_task_result_dup_error_details:
 * @self: a result
 *
 * Gets a copy of [method@Osiiso.TaskResult.get_error_details].
 *
 * Returns: (transfer full) (nullable): the details; %NULL when there are none, or the
 *   task did not fail
 *
 * Since: 1.0
 */
GValue *
osiiso_task_result_dup_error_details (OsiisoTaskResult *self)
{
  const GValue *details;

  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  details = osiiso_task_result_get_error_details (self);
  return details != NULL ? g_boxed_copy (G_TYPE_VALUE, details) : NULL;
}

/**
 * osiiso_task_result_get_message:
 * @self: a result
 *
 * Gets the message of the error, or an empty string if the task succeeded.
 *
 * Returns: (transfer none): the message
 *
 * Since: 1.0
 */
const char *
osiiso_task_result_get_message (OsiisoTaskResult *self)
{
  const GError *error;

  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  error = self->record != NULL ? osiiso_record_get_error (self->record) : NULL;

  return error != NULL ? error->message : "";
}

/**
 * osiiso_task_result_get_attempts:
 * @self: a result
 *
 * Gets how many attempts were made.
 *
 * Returns: the number of attempts
 *
 * Since: 1.0
 */
guint
osiiso_task_result_get_attempts (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0);

  return self->record != NULL ? osiiso_record_get_attempts (self->record) : 0;
}

/**
 * osiiso_task_result_get_priority:
 * @self: a result
 *
 * Gets the priority that the task had in the end.
 *
 * Returns: the priority
 *
 * Since: 1.0
 */
int
osiiso_task_result_get_priority (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0);

  return self->record != NULL ? osiiso_record_get_priority (self->record) : 0;
}

/**
 * osiiso_task_result_get_must_complete:
 * @self: a result
 *
 * Gets whether the task was to run to its end although others were cancelled.
 *
 * Returns: whether it was to complete
 *
 * Since: 1.0
 */
gboolean
osiiso_task_result_get_must_complete (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), FALSE);

  return self->record != NULL ? osiiso_record_get_must_complete (self->record) : FALSE;
}

/**
 * osiiso_task_result_get_group_id:
 * @self: a result
 *
 * Gets the group of the task.
 *
 * Returns: (transfer none) (nullable): the id of the group, or %NULL
 *
 * Since: 1.0
 */
const char *
osiiso_task_result_get_group_id (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  return self->record != NULL ? osiiso_record_get_group_id (self->record) : NULL;
}

/**
 * osiiso_task_result_get_index:
 * @self: a result
 *
 * Gets the place of the task in its group.
 *
 * Returns: the place, from 0
 *
 * Since: 1.0
 */
guint
osiiso_task_result_get_index (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0);

  return self->record != NULL ? osiiso_record_get_index (self->record) : 0;
}

/**
 * osiiso_task_result_get_detached:
 * @self: a result
 *
 * Gets whether the task was to be left out of the summary of a run.
 *
 * Returns: whether it was detached
 *
 * Since: 1.0
 */
gboolean
osiiso_task_result_get_detached (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), FALSE);

  return self->record != NULL ? osiiso_record_get_detached (self->record) : FALSE;
}

/**
 * osiiso_task_result_get_metadata:
 * @self: a result
 *
 * Gets the metadata from the options of the task.
 *
 * Returns: (transfer none) (nullable): the metadata, or %NULL
 *
 * Since: 1.0
 */
GVariant *
osiiso_task_result_get_metadata (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), NULL);

  return self->record != NULL ? osiiso_record_get_metadata (self->record) : NULL;
}

/**
 * osiiso_task_result_get_scheduled_for:
 * @self: a result
 *
 * Gets when the task was to become ready.
 *
 * Returns: seconds of the monotonic clock, or 0
 *
 * Since: 1.0
 */
double
osiiso_task_result_get_scheduled_for (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0.0);

  return self->record != NULL ? osiiso_record_get_scheduled_for (self->record) : 0.0;
}

/**
 * osiiso_task_result_get_created:
 * @self: a result
 *
 * Gets when the task was submitted.
 *
 * Returns: seconds of the monotonic clock, or 0
 *
 * Since: 1.0
 */
double
osiiso_task_result_get_created (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0.0);

  return self->record != NULL ? osiiso_record_get_created (self->record) : 0.0;
}

/**
 * osiiso_task_result_get_started:
 * @self: a result
 *
 * Gets when the first attempt began.
 *
 * Returns: seconds of the monotonic clock, or 0
 *
 * Since: 1.0
 */
double
osiiso_task_result_get_started (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0.0);

  return self->record != NULL ? osiiso_record_get_started (self->record) : 0.0;
}

/**
 * osiiso_task_result_get_finished:
 * @self: a result
 *
 * Gets when the task ended.
 *
 * Returns: seconds of the monotonic clock, or 0
 *
 * Since: 1.0
 */
double
osiiso_task_result_get_finished (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0.0);

  return self->record != NULL ? osiiso_record_get_finished (self->record) : 0.0;
}

/**
 * osiiso_task_result_get_duration:
 * @self: a result
 *
 * Gets how long the task took, from the start of the first attempt to its end.
 *
 * Returns: seconds, or 0
 *
 * Since: 1.0
 */
double
osiiso_task_result_get_duration (OsiisoTaskResult *self)
{
  g_return_val_if_fail (OSIISO_IS_TASK_RESULT (self), 0.0);

  return self->record != NULL ? osiiso_record_get_duration (self->record) : 0.0;
}
