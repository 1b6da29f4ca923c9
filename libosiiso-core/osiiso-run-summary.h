/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_RUN_SUMMARY (osiiso_run_summary_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoRunSummary, osiiso_run_summary, OSIISO, RUN_SUMMARY, GObject)

OSIISO_AVAILABLE_IN_1_0
guint64           osiiso_run_summary_get_total_submitted (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
guint64           osiiso_run_summary_get_succeeded       (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
guint64           osiiso_run_summary_get_failed          (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
guint64           osiiso_run_summary_get_cancelled       (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_run_summary_get_timed_out       (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_run_summary_get_duration        (OsiisoRunSummary *self);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_run_summary_get_ok              (OsiisoRunSummary *self);

OSIISO_AVAILABLE_IN_1_0
GListModel       *osiiso_run_summary_errors              (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GListModel       *osiiso_run_summary_successes           (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GListModel       *osiiso_run_summary_cancellations       (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
OsiisoTaskResult *osiiso_run_summary_by_task_id          (OsiisoRunSummary *self,
                                                          guint64           task_id) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GListModel       *osiiso_run_summary_by_name             (OsiisoRunSummary *self,
                                                          const char       *name) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GListModel       *osiiso_run_summary_by_group            (OsiisoRunSummary *self,
                                                          const char       *group_id) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
char            **osiiso_run_summary_list_names          (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
char            **osiiso_run_summary_list_groups         (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_run_summary_check               (OsiisoRunSummary *self,
                                                          GError          **error);
OSIISO_AVAILABLE_IN_1_0
char             *osiiso_run_summary_to_string           (OsiisoRunSummary *self) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
