/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-process.h"

G_BEGIN_DECLS

typedef struct
{
  pid_t    pid;       /* of the child, and of its group */
  int      status_fd; /* -1, or where the launcher tells what went wrong after it had told the id */
  gboolean is_small;  /* its peak of memory is its own, and not also ours */
} OsiisoSpawned;

/* Starts the child in a group of its own. FALSE with an error. */
gboolean osiiso_process_spawn_child  (const OsiisoProcessSpec *spec,
                                      OsiisoSpawned           *spawned,
                                      GError                 **error);

/* Why the launcher has not become the program, read from its descriptor after its
 * end. NULL when it has. */
GError  *osiiso_process_read_failure (int                      status_fd,
                                      const char              *program);

G_END_DECLS
