/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_TASK_RESULT (osiiso_task_result_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoTaskResult, osiiso_task_result, OSIISO, TASK_RESULT, GObject)

OSIISO_AVAILABLE_IN_1_0
guint64       osiiso_task_result_get_task_id       (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
const char   *osiiso_task_result_get_name          (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoStatus  osiiso_task_result_get_status        (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
const GValue *osiiso_task_result_get_value         (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
GError       *osiiso_task_result_dup_error         (OsiisoTaskResult *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
const GValue *osiiso_task_result_get_error_details (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
GValue       *osiiso_task_result_dup_error_details (OsiisoTaskResult *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
const char   *osiiso_task_result_get_message       (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
guint         osiiso_task_result_get_attempts      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
int           osiiso_task_result_get_priority      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
gboolean      osiiso_task_result_get_must_complete (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
const char   *osiiso_task_result_get_group_id      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
guint         osiiso_task_result_get_index         (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
gboolean      osiiso_task_result_get_detached      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
GVariant     *osiiso_task_result_get_metadata      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
double        osiiso_task_result_get_scheduled_for (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
double        osiiso_task_result_get_created       (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
double        osiiso_task_result_get_started       (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
double        osiiso_task_result_get_finished      (OsiisoTaskResult *self);
OSIISO_AVAILABLE_IN_1_0
double        osiiso_task_result_get_duration      (OsiisoTaskResult *self);

G_END_DECLS
