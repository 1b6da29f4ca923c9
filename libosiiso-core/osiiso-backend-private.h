/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-backend.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/* Gives the backend to a queue; BUSY when it has one. */
gboolean osiiso_backend_bind   (OsiisoBackend   *self,
                                OsiisoScheduler *scheduler,
                                GError         **error);
void     osiiso_backend_unbind (OsiisoBackend   *self,
                                OsiisoScheduler *scheduler);
gboolean osiiso_backend_open   (OsiisoBackend   *self,
                                GError         **error);
/* What get_workers() says; 0: what the backend thinks best. TRUE when it was another
 * number; the backend is to be told then. */
gboolean osiiso_backend_set_workers  (OsiisoBackend *self,
                                      guint          workers);
void     osiiso_backend_tell_workers (OsiisoBackend *self);
/* What get_workers() would say. */
guint    osiiso_backend_resolve_workers (OsiisoBackend *self,
                                         guint          workers);

G_END_DECLS
