/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <glib.h>

G_BEGIN_DECLS

/*
 * A descriptor that becomes readable when a child has ended. It is the kernel's
 * where there is one (Linux 5.4); elsewhere, and in valgrind, a thread waits for
 * the child and tells.
 */
typedef struct
{
  int      fd;      /* -1: the child was over and waited for already */
  pid_t    pid;
  gboolean is_real; /* fd is the kernel's */
} OsiisoPidfd;

/* 0 or an errno. @pid is a child that nobody else waits for. */
int      osiiso_pidfd_open    (OsiisoPidfd *self,
                               pid_t        pid);
/* Only when the child was waited for, or never started to be watched. */
void     osiiso_pidfd_close   (OsiisoPidfd *self);

/* Whether the child's id, and that of its group, is still its own. */
gboolean osiiso_pidfd_is_ours (const OsiisoPidfd *self);

/* FALSE when the child has not ended. *status is as of waitpid(), or -1 when it
 * cannot be known because somebody else has waited for the child. */
gboolean osiiso_pidfd_wait    (const OsiisoPidfd *self,
                               int               *status,
                               struct rusage     *usage);

/* Atomic. The kernel has none, or a test wants it to look like that. */
extern int osiiso_pidfd_disabled;

G_END_DECLS
