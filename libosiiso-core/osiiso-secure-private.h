/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The value of an environment variable that decides which code is loaded or
 * started: (nullable), and always NULL in a process that has more rights than
 * the one that started it (set-user-ID, set-group-ID, file capabilities). Valid
 * until the environment changes. Any thread. */
const char *osiiso_secure_getenv (const char *name);

G_END_DECLS
