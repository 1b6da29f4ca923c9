/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-process.h"

G_BEGIN_DECLS

/* Starts the child in a group of its own: the id of both, or -1 with an error. */
pid_t osiiso_process_spawn_pid (const OsiisoProcessSpec *spec,
                                GError                 **error);

G_END_DECLS
