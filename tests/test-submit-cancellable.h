/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* Iterates as long as there is something to do. */
void     cancellable_settle            (void);
void     cancellable_start             (OsiisoQueue  *queue);
void     cancellable_finish            (OsiisoQueue  *queue);
/* How many handlers are connected. */
guint    cancellable_count_connections (GCancellable *cancellable);
/* A destroy function that counts. */
void     cancellable_assert_cancelled  (OsiisoHandle *handle);
/* A thread that cancels. */
gpointer cancellable_cancel_thread     (gpointer      cancellable);

void     test_add_submit_cancellable_room (void);

G_END_DECLS
