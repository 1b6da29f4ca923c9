/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/* What osiiso(1) promises as exit statuses. One that a signal has ended exits with
 * 128 and the signal's number. */
enum
{
  TOOL_EXIT_OK        = 0,
  TOOL_EXIT_FAILED    = 1,
  TOOL_EXIT_USAGE     = 2,
  TOOL_EXIT_NO_RUN    = 126, /* as shells say it */
  TOOL_EXIT_NOT_FOUND = 127,
};

typedef struct _ToolSettings ToolSettings;

/* The sub-commands. argv[0] is what usage says, "osiiso run". */
int     tool_backends    (int    argc,
                          char **argv);
int     tool_run         (int    argc,
                          char **argv);
int     tool_call        (int    argc,
                          char **argv);

/* Says on standard error that the command line is wrong, and returns the exit status for that. */
int     tool_usage_error (const char *command,
                          const char *format,
                          ...) G_GNUC_PRINTF (2, 3);

/* As one could type it into a shell, in one line. (transfer full) */
char   *tool_quote       (const char * const *argv);

G_END_DECLS
