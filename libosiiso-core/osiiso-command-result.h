/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_COMMAND_RESULT (osiiso_command_result_get_type ())

OSIISO_AVAILABLE_IN_1_0
GType                osiiso_command_result_get_type           (void);
OSIISO_AVAILABLE_IN_1_0
OsiisoCommandResult *osiiso_command_result_new                (int     wait_status,
                                                               GBytes *stdout_bytes,
                                                               guint64 stdout_dropped,
                                                               GBytes *stderr_bytes,
                                                               guint64 stderr_dropped,
                                                               double  duration,
                                                               double  user_time,
                                                               double  system_time,
                                                               guint64 peak_rss) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoCommandResult *osiiso_command_result_ref                (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_command_result_unref              (OsiisoCommandResult *self);

OSIISO_AVAILABLE_IN_1_0
int                  osiiso_command_result_get_exit_status    (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
int                  osiiso_command_result_get_signal         (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
GBytes              *osiiso_command_result_get_stdout         (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
GBytes              *osiiso_command_result_get_stderr         (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
char                *osiiso_command_result_dup_stdout_text    (OsiisoCommandResult *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
char                *osiiso_command_result_dup_stderr_text    (OsiisoCommandResult *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_command_result_get_stdout_dropped (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_command_result_get_stderr_dropped (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_command_result_get_duration       (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_command_result_get_user_time      (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_command_result_get_system_time    (OsiisoCommandResult *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_command_result_get_peak_rss       (OsiisoCommandResult *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OsiisoCommandResult, osiiso_command_result_unref)

G_END_DECLS
