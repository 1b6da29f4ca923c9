/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

#include "osiiso-process.h"

G_BEGIN_DECLS

/*
 * One run of a command: writes its standard input, reads what it prints, and
 * waits for its end. All functions but one are called in the thread that iterates
 * the context.
 *
 * The run is over when the process has ended and everybody has closed its
 * output. A program may leave somebody behind who keeps the output open (a
 * daemon); that one is waited for OSIISO_COMMAND_LINGER_US, and then gets
 * SIGPIPE when it prints. Nobody is waited for once the run is interrupted.
 */
typedef struct _OsiisoCommandRunner OsiisoCommandRunner;

#define OSIISO_COMMAND_LINGER_US (100 * 1000)

/* The run is over. @result is there whenever the program has run and could be waited
 * for; @error unless it exited with 0, as of g_spawn_check_wait_status(). Called once,
 * from the context and never from within a function of this file; may free the
 * runner. */
typedef void (*OsiisoCommandRunnerDone) (OsiisoCommandRunner *self,
                                         OsiisoCommandResult *result, /* (nullable) */
                                         const GError        *error,  /* (nullable) */
                                         gpointer             user_data);

/* (transfer full), or NULL with an error of G_SPAWN_ERROR, and nothing is called.
 * @command must not change; @limits is copied. */
OsiisoCommandRunner *osiiso_command_runner_start     (OsiisoCommand             *command,
                                                      const OsiisoProcessLimits *limits,
                                                      GMainContext              *context,
                                                      OsiisoCommandRunnerDone    done,
                                                      gpointer                   user_data,
                                                      GError                   **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same in two steps. Between them, and while it spawns, osiiso_command_runner_peek_result()
 * may be called already. */
OsiisoCommandRunner *osiiso_command_runner_new       (OsiisoCommand             *command,
                                                      OsiisoCommandRunnerDone    done,
                                                      gpointer                   user_data);
gboolean             osiiso_command_runner_spawn     (OsiisoCommandRunner       *self,
                                                      const OsiisoProcessLimits *limits,
                                                      GMainContext              *context,
                                                      GError                   **error);

/* Ends the run early, see osiiso_process_stop(). */
void                 osiiso_command_runner_interrupt (OsiisoCommandRunner *self,
                                                      gint64               grace_us);

/* What there is until now; all that was written by now is in it. The one function
 * that may be called from any thread, as long as the runner is not freed. (transfer
 * full) */
OsiisoCommandResult *osiiso_command_runner_peek_result (OsiisoCommandRunner *self);

pid_t                osiiso_command_runner_get_pid   (OsiisoCommandRunner *self);

/* If it is not over, the process is killed, and nothing is called. */
void                 osiiso_command_runner_free      (OsiisoCommandRunner *self);

/* Ends an attempt with what came out of a run, or with why there was none. */
void                 osiiso_command_runner_report    (OsiisoAttempt       *attempt,
                                                      OsiisoCommandResult *result, /* (nullable) */
                                                      const GError        *error); /* (nullable) */

G_END_DECLS
