/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-output.h"

G_BEGIN_DECLS

/*
 * ToolLines: the two outputs of one job, which are printed line by line while it runs.
 * The job opens two pipes that have names; that waits until it is listened to.
 */
typedef struct _ToolLines ToolLines;

/* Whole lines, or what is left at the end. */
typedef void (*ToolLinesPrint) (int      fd,
                                GBytes  *bytes,
                                gpointer user_data);

/* Makes the pipes in @folder. */
ToolLines  *tool_lines_new      (const char     *folder,
                                 guint64         sequence,
                                 ToolLinesPrint  print,
                                 gpointer        user_data,
                                 GError        **error);
/* Which file the job opens as STDOUT_FILENO or STDERR_FILENO. */
const char *tool_lines_get_path (ToolLines      *self,
                                 int             fd);
/* The job begins, or there is room for what it prints again. */
void        tool_lines_listen   (ToolLines      *self);
/* There is no room. */
void        tool_lines_pause    (ToolLines      *self);
/* The job has ended: prints what is left. */
void        tool_lines_finish   (ToolLines      *self);
void        tool_lines_free     (ToolLines      *self);

G_END_DECLS
