/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-output.h"
#include "osiiso-report.h"

G_BEGIN_DECLS

/*
 * Tells on standard error how far a run is, and when it will be over. On a terminal
 * that is the last line, which goes away before anything else is written there;
 * elsewhere, and only when it is asked for, a line per second.
 */
typedef struct _ToolProgress ToolProgress;

/* @mode: as in ToolSettings. All others must outlive what is returned. */
ToolProgress *tool_progress_new    (int           mode,
                                    ToolReport   *report,
                                    ToolInputs   *inputs,
                                    OsiisoQueue  *queue,
                                    ToolOutput   *output);
/* Also takes the line away. */
void          tool_progress_free   (ToolProgress *self);

/* Before somebody else writes to the terminal; it is drawn again later. */
void          tool_progress_hide   (ToolProgress *self);
/* It is over. */
void          tool_progress_finish (ToolProgress *self);

G_END_DECLS
