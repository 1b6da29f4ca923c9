/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-jobs.h"

G_BEGIN_DECLS

/* A file with a line for each job that has ended, as GNU parallel writes it. */
typedef struct _ToolJoblog ToolJoblog;

/* Begins the file anew, unless it is to be resumed. */
ToolJoblog *tool_joblog_open  (const char *path,
                               ToolResume  resume,
                               GError    **error);
void        tool_joblog_free  (ToolJoblog *self);

/* Whether a job can be left out. Asked with growing numbers. */
gboolean    tool_joblog_skips (ToolJoblog *self,
                               guint64     sequence);

/* @started is in seconds since 1970. */
gboolean    tool_joblog_write (ToolJoblog *self,
                               ToolJob    *job,
                               double      started,
                               GError    **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ToolJoblog, tool_joblog_free)

G_END_DECLS
