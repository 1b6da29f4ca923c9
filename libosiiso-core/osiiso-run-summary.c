/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"
#include "osiiso-run-summary-private.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-result-private.h"

/**
 * OsiisoRunSummary:
 *
 * What became of the tasks of a run, or of a group.
 *
 * A summary is a [iface@Gio.ListModel] of [class@Osiiso.TaskResult]: in the order
 * of completion if it is that of a run, in the order of submission if it is that
 * of a group. It never changes, and stays valid when the queue is gone.
 *
 * The counts can be higher than the number of results: the successes of tasks
 * that were pushed without a handle are counted and not kept, and nothing is
 * kept while [property@Osiiso.Queue:keep-results] is off.
 *
 * ```c
 * g_autoptr (OsiisoRunSummary) summary = osiiso_queue_run (queue, NULL, &error);
 *
 * if (summary == NULL || !osiiso_run_summary_check (summary, &error))
 *   g_printerr ("%s\n", error->message);
 * ```
 *
 * ## Threads
 *
 * Use a summary from one thread at a time. Its results may go to others.
 *
 * Since: 1.0
 */

struct _OsiisoRunSummary
{
  GObject parent_instance;

  /* Set once. Both are NULL in an object that did not come from a queue, as
   * bindings can make them; it is the summary of nothing. */
  OsiisoScheduler *scheduler;
  GPtrArray       *records; /* of OsiisoRecord */

  OsiisoRunCounts  counts;
  gboolean         timed_out;
  double           duration;

  /* Made when somebody asks. */
  OsiisoTaskResult **results; /* (nullable), one place for each record, (owned) or NULL */
  guint64           *ids;     /* (nullable), of each record */
  GHashTable        *by_id;   /* (nullable), a set of pointers into ids */
};

typedef enum
{
  PROP_TOTAL_SUBMITTED = 1,
  PROP_SUCCEEDED,
  PROP_FAILED,
  PROP_CANCELLED,
  PROP_TIMED_OUT,
  PROP_DURATION,
  PROP_OK,
} OsiisoRunSummaryProperty;

static GParamSpec *props[PROP_OK + 1];

static void list_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (OsiisoRunSummary, osiiso_run_summary, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

static guint
get_n_records (OsiisoRunSummary *self)
{
  return self->records != NULL ? self->records->len : 0;
}

static OsiisoRecord *
get_record (OsiisoRunSummary *self,
            guint             position)
{
  return g_ptr_array_index (self->records, position);
}

/* The result at @position, which exists; the summary keeps it. */
static OsiisoTaskResult *
get_result (OsiisoRunSummary *self,
            guint             position)
{
  if (self->results == NULL)
    self->results = g_new0 (OsiisoTaskResult *, self->records->len);

  if (self->results[position] == NULL)
    self->results[position] = osiiso_task_result_new (self->scheduler, get_record (self, position));

  return self->results[position];
}

/* GListModel */

static GType
osiiso_run_summary_get_item_type (GListModel *model)
{
  return OSIISO_TYPE_TASK_RESULT;
}

static guint
osiiso_run_summary_get_n_items (GListModel *model)
{
  return get_n_records (OSIISO_RUN_SUMMARY (model));
}

static gpointer
osiiso_run_summary_get_item (GListModel *model,
                             guint       position)
{
  OsiisoRunSummary *self = OSIISO_RUN_SUMMARY (model);

  if (position >= get_n_records (self))
    return NULL;

  return g_object_ref (get_result (self, position));
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = osiiso_run_summary_get_item_type;
  iface->get_n_items = osiiso_run_summary_get_n_items;
  iface->get_item = osiiso_run_summary_get_item;
}

/* GObject */

static void
osiiso_run_summary_finalize (GObject *object)
{
  OsiisoRunSummary *self = OSIISO_RUN_SUMMARY (object);

  if (self->results != NULL)
    {
      for (guint i = 0; i < self->records->len; i++)
        g_clear_object (&self->results[i]);
      g_clear_pointer (&self->results, g_free);
    }
  g_clear_pointer (&self->by_id, g_hash_table_unref);
  g_clear_pointer (&self->ids, g_free);

  /* The records live in the memory of the scheduler. */
  g_clear_pointer (&self->records, g_ptr_array_unref);
  g_clear_pointer (&self->scheduler, osiiso_scheduler_unref);

  G_OBJECT_CLASS (osiiso_run_summary_parent_class)->finalize (object);
}

static void
osiiso_run_summary_get_property (GObject    *object,
                                 guint       prop_id,
                                 GValue     *value,
                                 GParamSpec *pspec)
{
  OsiisoRunSummary *self = OSIISO_RUN_SUMMARY (object);

  switch ((OsiisoRunSummaryProperty) prop_id)
    {
    case PROP_TOTAL_SUBMITTED:
      g_value_set_uint64 (value, osiiso_run_summary_get_total_submitted (self));
      break;
    case PROP_SUCCEEDED:
      g_value_set_uint64 (value, osiiso_run_summary_get_succeeded (self));
      break;
    case PROP_FAILED:
      g_value_set_uint64 (value, osiiso_run_summary_get_failed (self));
      break;
    case PROP_CANCELLED:
      g_value_set_uint64 (value, osiiso_run_summary_get_cancelled (self));
      break;
    case PROP_TIMED_OUT:
      g_value_set_boolean (value, osiiso_run_summary_get_timed_out (self));
      break;
    case PROP_DURATION:
      g_value_set_double (value, osiiso_run_summary_get_duration (self));
      break;
    case PROP_OK:
      g_value_set_boolean (value, osiiso_run_summary_get_ok (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

static void
osiiso_run_summary_class_init (OsiisoRunSummaryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = osiiso_run_summary_finalize;
  object_class->get_property = osiiso_run_summary_get_property;

  /**
   * OsiisoRunSummary:total-submitted:
   *
   * How many tasks the summary covers.
   *
   * Since: 1.0
   */
  props[PROP_TOTAL_SUBMITTED] =
    g_param_spec_uint64 ("total-submitted", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoRunSummary:succeeded:
   *
   * How many of them succeeded.
   *
   * Since: 1.0
   */
  props[PROP_SUCCEEDED] =
    g_param_spec_uint64 ("succeeded", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoRunSummary:failed:
   *
   * How many of them failed.
   *
   * Since: 1.0
   */
  props[PROP_FAILED] =
    g_param_spec_uint64 ("failed", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoRunSummary:cancelled:
   *
   * How many of them were cancelled.
   *
   * Since: 1.0
   */
  props[PROP_CANCELLED] =
    g_param_spec_uint64 ("cancelled", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * OsiisoRunSummary:timed-out:
   *
   * Whether the run was ended by its timeout.
   *
   * A task that ran out of its own time is one that failed and does not count
   * here.
   *
   * Since: 1.0
   */
  props[PROP_TIMED_OUT] =
    g_param_spec_boolean ("timed-out", NULL, NULL, FALSE, flags);

  /**
   * OsiisoRunSummary:duration:
   *
   * How many seconds the run, or the wait for the group, took.
   *
   * Since: 1.0
   */
  props[PROP_DURATION] =
    g_param_spec_double ("duration", NULL, NULL, 0.0, G_MAXDOUBLE, 0.0, flags);

  /**
   * OsiisoRunSummary:ok:
   *
   * Whether no task failed, none was cancelled, and the run did not time out.
   *
   * A run without tasks is a good one.
   *
   * Since: 1.0
   */
  props[PROP_OK] =
    g_param_spec_boolean ("ok", NULL, NULL, TRUE, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_run_summary_init (OsiisoRunSummary *self)
{
}

OsiisoRunSummary *
osiiso_run_summary_new (OsiisoScheduler       *scheduler,
                        GPtrArray             *records,
                        const OsiisoRunCounts *counts,
                        gboolean               timed_out,
                        double                 duration)
{
  OsiisoRunSummary *self = g_object_new (OSIISO_TYPE_RUN_SUMMARY, NULL);

  self->scheduler = osiiso_scheduler_ref (scheduler);
  self->records = records;
  self->counts = *counts;
  self->timed_out = timed_out != FALSE;
  self->duration = duration;

  return self;
}

/* Counts */

/**
 * osiiso_run_summary_get_total_submitted:
 * @self: a summary
 *
 * Gets how many tasks the summary covers.
 *
 * Returns: the number of tasks
 *
 * Since: 1.0
 */
guint64
osiiso_run_summary_get_total_submitted (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), 0);

  return self->counts.succeeded + self->counts.failed + self->counts.cancelled;
}

/**
 * osiiso_run_summary_get_succeeded:
 * @self: a summary
 *
 * Gets how many tasks succeeded.
 *
 * Returns: the number of tasks
 *
 * Since: 1.0
 */
guint64
osiiso_run_summary_get_succeeded (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), 0);

  return self->counts.succeeded;
}

/**
 * osiiso_run_summary_get_failed:
 * @self: a summary
 *
 * Gets how many tasks failed.
 *
 * Returns: the number of tasks
 *
 * Since: 1.0
 */
guint64
osiiso_run_summary_get_failed (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), 0);

  return self->counts.failed;
}

/**
 * osiiso_run_summary_get_cancelled:
 * @self: a summary
 *
 * Gets how many tasks were cancelled.
 *
 * Returns: the number of tasks
 *
 * Since: 1.0
 */
guint64
osiiso_run_summary_get_cancelled (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), 0);

  return self->counts.cancelled;
}

/**
 * osiiso_run_summary_get_timed_out:
 * @self: a summary
 *
 * Gets whether the run was ended by its timeout.
 *
 * Returns: whether the run timed out
 *
 * Since: 1.0
 */
gboolean
osiiso_run_summary_get_timed_out (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), FALSE);

  return self->timed_out;
}

/**
 * osiiso_run_summary_get_duration:
 * @self: a summary
 *
 * Gets how long the run, or the wait for the group, took.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_run_summary_get_duration (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), 0.0);

  return self->duration;
}

/**
 * osiiso_run_summary_get_ok:
 * @self: a summary
 *
 * Gets whether no task failed, none was cancelled, and the run did not time out.
 *
 * Returns: whether all is well
 *
 * Since: 1.0
 */
gboolean
osiiso_run_summary_get_ok (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), FALSE);

  return self->counts.failed == 0 && self->counts.cancelled == 0 && !self->timed_out;
}

/* Selections */

typedef gboolean (*RecordFilter) (OsiisoRecord *record,
                                  gconstpointer wanted);

/* Looks at the records, so that results are made only for those that match. */
static GListModel *
select_results (OsiisoRunSummary *self,
                RecordFilter      filter,
                gconstpointer     wanted)
{
  g_autoptr (GPtrArray) matches = g_ptr_array_new ();
  GListStore *store = g_list_store_new (OSIISO_TYPE_TASK_RESULT);

  for (guint i = 0; i < get_n_records (self); i++)
    {
      if (filter (get_record (self, i), wanted))
        g_ptr_array_add (matches, get_result (self, i));
    }

  if (matches->len > 0)
    g_list_store_splice (store, 0, 0, matches->pdata, matches->len);

  return G_LIST_MODEL (store);
}

static gboolean
has_status (OsiisoRecord *record,
            gconstpointer wanted)
{
  return osiiso_record_get_status (record) == (OsiisoStatus) GPOINTER_TO_UINT (wanted);
}

static gboolean
has_name (OsiisoRecord *record,
          gconstpointer wanted)
{
  g_autofree char *name = osiiso_record_dup_name (record);

  return g_str_equal (name, wanted);
}

static gboolean
has_group_id (OsiisoRecord *record,
              gconstpointer wanted)
{
  return g_strcmp0 (osiiso_record_get_group_id (record), wanted) == 0;
}

/**
 * osiiso_run_summary_errors:
 * @self: a summary
 *
 * Gets the results of the tasks that failed.
 *
 * Returns: (transfer full): a list model of [class@Osiiso.TaskResult], in the
 *   order of @self
 *
 * Since: 1.0
 */
GListModel *
osiiso_run_summary_errors (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  return select_results (self, has_status, GUINT_TO_POINTER (OSIISO_STATUS_FAILED));
}

/**
 * osiiso_run_summary_successes:
 * @self: a summary
 *
 * Gets the results of the tasks that succeeded, as far as they were kept.
 *
 * Returns: (transfer full): a list model of [class@Osiiso.TaskResult], in the
 *   order of @self
 *
 * Since: 1.0
 */
GListModel *
osiiso_run_summary_successes (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  return select_results (self, has_status, GUINT_TO_POINTER (OSIISO_STATUS_SUCCEEDED));
}

/**
 * osiiso_run_summary_cancellations:
 * @self: a summary
 *
 * Gets the results of the tasks that were cancelled.
 *
 * Returns: (transfer full): a list model of [class@Osiiso.TaskResult], in the
 *   order of @self
 *
 * Since: 1.0
 */
GListModel *
osiiso_run_summary_cancellations (OsiisoRunSummary *self)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  return select_results (self, has_status, GUINT_TO_POINTER (OSIISO_STATUS_CANCELLED));
}

/**
 * osiiso_run_summary_by_task_id:
 * @self: a summary
 * @task_id: the id of a task
 *
 * Looks a result up by the id of its task.
 *
 * Returns: (transfer full) (nullable): the result, or %NULL if there is none
 *
 * Since: 1.0
 */
OsiisoTaskResult *
osiiso_run_summary_by_task_id (OsiisoRunSummary *self,
                               guint64           task_id)
{
  gpointer id;
  guint n;

  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  n = get_n_records (self);
  if (n == 0)
    return NULL;

  if (self->by_id == NULL)
    {
      self->ids = g_new (guint64, n);
      self->by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
      for (guint i = 0; i < n; i++)
        {
          self->ids[i] = osiiso_record_get_id (get_record (self, i));
          g_hash_table_add (self->by_id, &self->ids[i]);
        }
    }

  if (!g_hash_table_lookup_extended (self->by_id, &task_id, &id, NULL))
    return NULL;

  return g_object_ref (get_result (self, (guint) ((guint64 *) id - self->ids)));
}

/**
 * osiiso_run_summary_by_name:
 * @self: a summary
 * @name: the name of tasks
 *
 * Gets the results of all tasks with the same name.
 *
 * Returns: (transfer full): a list model of [class@Osiiso.TaskResult], in the
 *   order of @self; empty if there is no such task
 *
 * Since: 1.0
 */
GListModel *
osiiso_run_summary_by_name (OsiisoRunSummary *self,
                            const char       *name)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);

  return select_results (self, has_name, name);
}

/**
 * osiiso_run_summary_by_group:
 * @self: a summary
 * @group_id: (nullable): the id of a group, or %NULL for tasks without one
 *
 * Gets the results of all tasks of a group, or of those that are in none.
 *
 * Returns: (transfer full): a list model of [class@Osiiso.TaskResult], in the
 *   order of @self; empty if there is no such task
 *
 * Since: 1.0
 */
GListModel *
osiiso_run_summary_by_group (OsiisoRunSummary *self,
                             const char       *group_id)
{
  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  return select_results (self, has_group_id, group_id);
}

/**
 * osiiso_run_summary_list_names:
 * @self: a summary
 *
 * Gets the names of the tasks, each once, in the order in which they are first
 * seen.
 *
 * Returns: (transfer full) (array zero-terminated=1): the names
 *
 * Since: 1.0
 */
char **
osiiso_run_summary_list_names (OsiisoRunSummary *self)
{
  g_autoptr (GHashTable) seen = NULL;
  g_autoptr (GStrvBuilder) builder = NULL;

  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  builder = g_strv_builder_new ();

  for (guint i = 0; i < get_n_records (self); i++)
    {
      g_autofree char *name = osiiso_record_dup_name (get_record (self, i));

      if (g_hash_table_contains (seen, name))
        continue;

      g_strv_builder_add (builder, name);
      g_hash_table_add (seen, g_steal_pointer (&name));
    }

  return g_strv_builder_end (builder);
}

/**
 * osiiso_run_summary_list_groups:
 * @self: a summary
 *
 * Gets the ids of the groups, each once, in the order in which they are first
 * seen. Tasks that are in no group are left out.
 *
 * Returns: (transfer full) (array zero-terminated=1): the ids
 *
 * Since: 1.0
 */
char **
osiiso_run_summary_list_groups (OsiisoRunSummary *self)
{
  g_autoptr (GHashTable) seen = NULL;
  g_autoptr (GStrvBuilder) builder = NULL;

  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  seen = g_hash_table_new (g_str_hash, g_str_equal);
  builder = g_strv_builder_new ();

  for (guint i = 0; i < get_n_records (self); i++)
    {
      const char *group_id = osiiso_record_get_group_id (get_record (self, i));

      /* The string belongs to the record, which outlives the set. */
      if (group_id != NULL && g_hash_table_add (seen, (gpointer) group_id))
        g_strv_builder_add (builder, group_id);
    }

  return g_strv_builder_end (builder);
}

/* Verdicts */

/**
 * osiiso_run_summary_check:
 * @self: a summary
 * @error: return location for an error
 *
 * Turns failed tasks into an error.
 *
 * Tasks that were cancelled, and a run that timed out, are no error here if no
 * task failed; see [method@Osiiso.RunSummary.get_ok] for that.
 *
 * Errors: %OSIISO_QUEUE_ERROR_FAILED, with a message that tells how many tasks
 * failed and how many were cancelled, and the name and the error of the first
 * that failed if its result was kept.
 *
 * Returns: %TRUE if no task failed
 *
 * Since: 1.0
 */
gboolean
osiiso_run_summary_check (OsiisoRunSummary *self,
                          GError          **error)
{
  g_autoptr (GString) message = NULL;

  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->counts.failed == 0)
    return TRUE;

  message = g_string_new (NULL);
  g_string_append_printf (message, "%" G_GUINT64_FORMAT " task(s) failed", self->counts.failed);
  if (self->counts.cancelled > 0)
    g_string_append_printf (message, "; %" G_GUINT64_FORMAT " task(s) cancelled", self->counts.cancelled);

  for (guint i = 0; i < get_n_records (self); i++)
    {
      OsiisoTaskResult *result;

      if (osiiso_record_get_status (get_record (self, i)) != OSIISO_STATUS_FAILED)
        continue;

      result = get_result (self, i);
      g_string_append_printf (message, ": %s", osiiso_task_result_get_name (result));
      if (*osiiso_task_result_get_message (result) != '\0')
        g_string_append_printf (message, ": %s", osiiso_task_result_get_message (result));
      break;
    }

  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED, message->str);

  return FALSE;
}

/**
 * osiiso_run_summary_to_string:
 * @self: a summary
 *
 * Writes the summary for people: the counts, the duration, and each task that
 * failed with its error, as far as the results were kept.
 *
 * The text is the same in every locale, but for the messages of the errors, which
 * come from elsewhere.
 *
 * Returns: (transfer full): lines of text, the last one with a newline too
 *
 * Since: 1.0
 */
char *
osiiso_run_summary_to_string (OsiisoRunSummary *self)
{
  static const char bar[] = "----------------------------------------\n";
  char duration[G_ASCII_DTOSTR_BUF_SIZE];
  const char *verdict;
  gboolean has_heading = FALSE;
  GString *text;

  g_return_val_if_fail (OSIISO_IS_RUN_SUMMARY (self), NULL);

  if (self->timed_out)
    verdict = "TIMED OUT";
  else if (osiiso_run_summary_get_ok (self))
    verdict = "PASSED";
  else
    verdict = "COMPLETED WITH ERRORS";

  text = g_string_new (bar);
  g_string_append_printf (text, "  Run Summary: %s\n", verdict);
  g_string_append (text, bar);
  g_string_append_printf (text, "  Total tasks : %" G_GUINT64_FORMAT "\n",
                          osiiso_run_summary_get_total_submitted (self));
  g_string_append_printf (text, "  Succeeded   : %" G_GUINT64_FORMAT "\n", self->counts.succeeded);
  g_string_append_printf (text, "  Failed      : %" G_GUINT64_FORMAT "\n", self->counts.failed);
  g_string_append_printf (text, "  Cancelled   : %" G_GUINT64_FORMAT "\n", self->counts.cancelled);
  g_string_append_printf (text, "  Duration    : %ss\n",
                          g_ascii_formatd (duration, sizeof duration, "%.3f", self->duration));

  for (guint i = 0; i < get_n_records (self); i++)
    {
      OsiisoTaskResult *result;

      if (osiiso_record_get_status (get_record (self, i)) != OSIISO_STATUS_FAILED)
        continue;

      if (!has_heading)
        {
          g_string_append (text, bar);
          g_string_append (text, "  Failures:\n");
          has_heading = TRUE;
        }

      result = get_result (self, i);
      g_string_append_printf (text, "    - %s", osiiso_task_result_get_name (result));
      if (osiiso_task_result_get_attempts (result) > 1)
        g_string_append_printf (text, " (%u attempts)", osiiso_task_result_get_attempts (result));
      g_string_append_c (text, '\n');
      if (*osiiso_task_result_get_message (result) != '\0')
        g_string_append_printf (text, "      %s\n", osiiso_task_result_get_message (result));
    }

  g_string_append (text, bar);

  return g_string_free (text, FALSE);
}
