/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-report.h"

#include <json-glib/json-glib.h>

/* Of a million failures the first ones tell enough. */
#define MOST_FAILURES 1000

typedef struct
{
  guint64 sequence;
  char   *label;
  char   *message;
  int     exit_status;
  int     signal;
  guint   attempts;
} Failure;

struct _ToolReport
{
  ToolCounts counts;
  gint64     started; /* monotonic us */
  GArray    *failures;
};

static void
failure_clear (gpointer data)
{
  Failure *failure = data;

  g_free (failure->label);
  g_free (failure->message);
}

ToolReport *
tool_report_new (void)
{
  ToolReport *self = g_new0 (ToolReport, 1);

  self->started = g_get_monotonic_time ();
  self->failures = g_array_new (FALSE, FALSE, sizeof (Failure));
  g_array_set_clear_func (self->failures, failure_clear);
  return self;
}

void
tool_report_free (ToolReport *self)
{
  g_array_unref (self->failures);
  g_free (self);
}

ToolCounts *
tool_report_get_counts (ToolReport *self)
{
  return &self->counts;
}

guint64
tool_report_get_done (ToolReport *self)
{
  return self->counts.skipped + self->counts.succeeded + self->counts.failed + self->counts.cancelled;
}

double
tool_report_get_elapsed (ToolReport *self)
{
  return (double) (g_get_monotonic_time () - self->started) / G_USEC_PER_SEC;
}

void
tool_report_add_failure (ToolReport *self,
                         ToolJob    *job,
                         const char *message)
{
  Failure failure = { 0 };

  self->counts.failed++;
  if (self->failures->len >= MOST_FAILURES)
    return;
  failure.sequence = job->sequence;
  failure.label = g_utf8_make_valid (job->label, -1);
  failure.message = g_utf8_make_valid (message, -1);
  failure.exit_status = job->exit_status;
  failure.signal = job->signal;
  failure.attempts = job->handle != NULL ? osiiso_handle_get_attempts (job->handle) : 0;
  g_array_append_val (self->failures, failure);
}

static void
build_int (JsonBuilder *builder,
           const char  *member,
           gint64       number)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_int_value (builder, number);
}

static void
build_string (JsonBuilder *builder,
              const char  *member,
              const char  *text)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_string_value (builder, text);
}

static void
build_failures (ToolReport  *self,
                JsonBuilder *builder)
{
  json_builder_set_member_name (builder, "failures");
  json_builder_begin_array (builder);
  for (guint i = 0; i < self->failures->len; i++)
    {
      Failure *failure = &g_array_index (self->failures, Failure, i);

      json_builder_begin_object (builder);
      build_int (builder, "seq", (gint64) failure->sequence);
      build_string (builder, "command", failure->label);
      build_string (builder, "error", failure->message);
      build_int (builder, "exit_status", failure->exit_status);
      build_int (builder, "signal", failure->signal);
      build_int (builder, "attempts", failure->attempts);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

char *
tool_report_to_json (ToolReport *self,
                     int         exit_status,
                     int         signal)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  build_int (builder, "total", (gint64) self->counts.read);
  build_int (builder, "succeeded", (gint64) self->counts.succeeded);
  build_int (builder, "failed", (gint64) self->counts.failed);
  build_int (builder, "cancelled", (gint64) self->counts.cancelled);
  build_int (builder, "skipped", (gint64) self->counts.skipped);
  build_int (builder, "retries", (gint64) self->counts.retries);
  json_builder_set_member_name (builder, "duration");
  json_builder_add_double_value (builder, tool_report_get_elapsed (self));
  build_int (builder, "exit_status", exit_status);
  build_int (builder, "signal", signal);
  build_failures (self, builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}
