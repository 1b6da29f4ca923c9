/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Writes to standard output and standard error, in one order, without ever blocking
 * the program: who reads may be slow, and a signal must be heard meanwhile. The flags
 * of the descriptors stay as they are, since others share them.
 */
typedef struct _ToolOutput ToolOutput;

typedef struct
{
  /* Something will be written to a terminal, which must be clean. */
  void (*before)  (gpointer user_data);
  /* All is written. */
  void (*drained) (gpointer user_data);
  /* It cannot be written; what was left is gone. @saved_errno is EPIPE if nobody reads. */
  void (*failed)  (int saved_errno, gpointer user_data);
} ToolOutputEvents;

ToolOutput *tool_output_new         (const ToolOutputEvents *events,
                                     gpointer                user_data);
void        tool_output_free        (ToolOutput             *self);

void        tool_output_add         (ToolOutput             *self,
                                     int                     fd,
                                     GBytes                 *bytes);
/* A line on standard error that the program itself says. */
void        tool_output_say         (ToolOutput             *self,
                                     const char             *format,
                                     ...) G_GNUC_PRINTF (2, 3);

/* How many bytes wait. */
guint64     tool_output_get_pending (ToolOutput             *self);
/* Whether what was written last to a terminal ended its line. */
gboolean    tool_output_at_start    (ToolOutput             *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ToolOutput, tool_output_free)

G_END_DECLS
