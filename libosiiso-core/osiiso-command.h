/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_COMMAND (osiiso_command_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoCommand, osiiso_command, OSIISO, COMMAND, GObject)

OSIISO_AVAILABLE_IN_1_0
OsiisoCommand      *osiiso_command_new              (const char * const *argv) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
const char * const *osiiso_command_get_argv         (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_argv         (OsiisoCommand      *self,
                                                     const char * const *argv);
OSIISO_AVAILABLE_IN_1_0
GBytes             *osiiso_command_get_stdin_bytes  (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_stdin_bytes  (OsiisoCommand *self,
                                                     GBytes        *bytes);
OSIISO_AVAILABLE_IN_1_0
const char         *osiiso_command_get_cwd          (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_cwd          (OsiisoCommand *self,
                                                     const char    *cwd);
OSIISO_AVAILABLE_IN_1_0
const char * const *osiiso_command_get_environ      (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_environ      (OsiisoCommand      *self,
                                                     const char * const *env);
OSIISO_AVAILABLE_IN_1_0
guint64             osiiso_command_get_output_limit (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_output_limit (OsiisoCommand *self,
                                                     guint64        limit);
OSIISO_AVAILABLE_IN_1_0
gboolean            osiiso_command_get_merge_stderr (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_merge_stderr (OsiisoCommand *self,
                                                     gboolean       merge_stderr);
OSIISO_AVAILABLE_IN_1_0
gboolean            osiiso_command_get_search_path  (OsiisoCommand *self);
OSIISO_AVAILABLE_IN_1_0
void                osiiso_command_set_search_path  (OsiisoCommand *self,
                                                     gboolean       search_path);

G_END_DECLS
