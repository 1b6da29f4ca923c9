/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Lets calls of the C library fail. A program that links this has the functions that
 * are named in test-faults.c itself, in front of those of the C library, and for the
 * plugins that it loads, too. They do what they always do, but for the one that is set.
 *
 * Only calls of code of this project count, not those of GLib; but a thread is mostly
 * GLib's. */

/* The @at-th call of that function from now on, counted from 1, fails with that errno;
 * so do all that follow, with @more. */
void     test_faults_set      (const char *name,
                               guint       at,
                               int         number,
                               gboolean    more);
gboolean test_faults_happened (void);
/* No call fails any more. Returns whether one has. */
gboolean test_faults_clear    (void);

G_END_DECLS
