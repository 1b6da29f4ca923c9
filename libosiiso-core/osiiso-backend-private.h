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
/* 0: what the backend thinks best. */
void     osiiso_backend_set_workers (OsiisoBackend *self,
                                     guint          workers);

G_END_DECLS
