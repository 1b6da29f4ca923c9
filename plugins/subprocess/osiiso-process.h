/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <glib.h>

G_BEGIN_DECLS

/*
 * One child process in a process group of its own, watched in a
 * GMainContext. All functions are called in the thread that iterates that
 * context, and the callback comes there.
 *
 * A child with die_with_parent dies with the *thread* that spawned it, because
 * that is what the kernel offers (PR_SET_PDEATHSIG). That thread therefore has
 * to live as long as its children.
 */
typedef struct _OsiisoProcess OsiisoProcess;

/* Limits cost a second exec, by osiiso-launch, and a fork of that; all zero means
 * none. */
typedef struct
{
  int      nice;            /* added to ours */
  guint64  address_space;   /* bytes; 0 for no limit */
  guint64  cpu_seconds;     /* 0 for no limit */
  gboolean die_with_parent;
} OsiisoProcessLimits;

typedef struct
{
  const char * const *argv;        /* as the program sees it; argv[0] is what to run */
  const char * const *envp;        /* (nullable): NULL for ours */
  const char         *cwd;         /* (nullable): NULL for ours */
  int                 fds[4];      /* what the child gets as 0 to 3; not closed here. -1 is
                                    * /dev/null, and nothing for 3. There are no others */
  gboolean            search_path; /* looks for argv[0] in the PATH of the child if it has no '/' */
  OsiisoProcessLimits limits;
} OsiisoProcessSpec;

#define OSIISO_PROCESS_SPEC_INIT { .fds = { -1, -1, -1, -1 } }

/* What waitpid() gives, or this: somebody else has waited for the child, or the
 * program ignores SIGCHLD. */
#define OSIISO_PROCESS_STATUS_LOST (-1)

/* The process has ended. Called once, from the context and never from within a
 * function of this file; may free the process. @usage is all zero when the
 * status was lost; ru_maxrss is 0 when it is not known, see
 * osiiso_process_spawn(). */
typedef void (*OsiisoProcessExited) (OsiisoProcess       *self,
                                     int                  wait_status,
                                     const struct rusage *usage,
                                     gpointer             user_data);

/* (transfer full), or NULL with an error of G_SPAWN_ERROR which names the
 * program. The kernel counts our own memory in the child's peak until exec; without
 * limits a ru_maxrss that is not larger than our peak so far therefore says nothing,
 * and is given as 0. With limits it is true. */
OsiisoProcess *osiiso_process_spawn       (const OsiisoProcessSpec *spec,
                                           GMainContext            *context,
                                           OsiisoProcessExited      exited,
                                           gpointer                 user_data,
                                           GError                 **error) G_GNUC_WARN_UNUSED_RESULT;

/* SIGTERM to the group (and SIGCONT, for those that are stopped), and SIGKILL
 * @grace_us microseconds later; at once if that is 0. Whatever is left of the
 * group when the process ends is killed then. A second call can only shorten
 * the time. Nothing happens after the end. */
void           osiiso_process_stop        (OsiisoProcess *self,
                                           gint64         grace_us);
void           osiiso_process_kill        (OsiisoProcess *self);

/* The process id, which is also the id of the group. Not to be used as a target
 * after the end. */
pid_t          osiiso_process_get_pid     (OsiisoProcess *self);
gboolean       osiiso_process_has_exited  (OsiisoProcess *self);

/* After the end: why the program has never run, of G_SPAWN_ERROR. Only with limits,
 * because what went wrong is known later then. (transfer none) (nullable) */
const GError  *osiiso_process_get_failure (OsiisoProcess *self);

/* A process that has not ended is killed, and its end is taken note of as long
 * as the context is iterated, but not told. */
void           osiiso_process_free        (OsiisoProcess *self);

/* Moves descriptors of ours away from 0, 1 and 2, which are free when this program has
 * closed its own: what it prints, and a worker's standard output, would end there. 0,
 * or an errno; they have to be closed in any case. */
int            osiiso_process_raise_fd    (int *fd);
int            osiiso_process_raise_fds   (int fds[2]);

/* Sets an error of G_SPAWN_ERROR for what went wrong while @program was
 * started. */
void           osiiso_process_set_error   (GError    **error,
                                           int         saved_errno,
                                           const char *program);

/* Where a helper program of the project is: in the folder that the environment
 * variable OSIISO_LIBEXEC_PATH names (not in a program with more rights than its
 * user), or where it was installed. (transfer full) */
char          *osiiso_process_find_helper (const char *name);

G_END_DECLS
