/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-jobs.h"

G_BEGIN_DECLS

/* What a run comes to. */
typedef struct _ToolReport ToolReport;

typedef struct
{
  guint64 read;      /* inputs, or as many as one job gets */
  guint64 skipped;   /* that the joblog has already */
  guint64 succeeded;
  guint64 failed;
  guint64 cancelled;
  guint64 retries;
} ToolCounts;

ToolReport *tool_report_new         (void);
void        tool_report_free        (ToolReport *self);

/* To be changed by the caller. */
ToolCounts *tool_report_get_counts  (ToolReport *self);
guint64     tool_report_get_done    (ToolReport *self);
double      tool_report_get_elapsed (ToolReport *self);

void        tool_report_add_failure (ToolReport *self,
                                     ToolJob    *job,
                                     const char *message);

/* (transfer full) A line in JSON. @signal is 0 if none came. */
char       *tool_report_to_json     (ToolReport *self,
                                     int         exit_status,
                                     int         signal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ToolReport, tool_report_free)

G_END_DECLS
