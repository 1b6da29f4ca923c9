/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef void (*ToolInterruptFunc) (int      signal,
                                   gpointer user_data);

/* Calls @func, in the default main context, for each SIGINT, SIGTERM and SIGHUP that
 * was not ignored when the program began; and ignores SIGPIPE. With SIGTSTP, as of
 * Ctrl-Z, the program and what it has started stop, and go on together. */
void tool_interrupt_catch  (ToolInterruptFunc func,
                            gpointer          user_data);

/* Kills what the program has started, with all that belongs to it. */
void tool_interrupt_kill   (void);

G_END_DECLS
