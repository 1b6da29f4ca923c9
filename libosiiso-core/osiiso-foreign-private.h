/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether a callback belongs to a language whose callbacks may only be called in
 * the thread that they come from, judging by its destroy function. */
gboolean osiiso_foreign_is_thread_bound (GDestroyNotify destroy);

/* Lets a language that is collecting garbage, and takes no calls until it is
 * ready, do so at once. In the owner's thread, outside of that language. */
void     osiiso_foreign_collect_garbage (void);

G_END_DECLS
