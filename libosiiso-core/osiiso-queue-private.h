/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-queue.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/* What only the owner's thread looks at. */
typedef struct
{
  guint               workers;
  double              timeout;
  OsiisoMode          mode;
  OsiisoTimeoutPolicy on_timeout;
} OsiisoQueueSettings;

OsiisoScheduler     *osiiso_queue_get_scheduler (OsiisoQueue *self);
OsiisoQueueSettings *osiiso_queue_get_settings  (OsiisoQueue *self);

/* Why the queue has no backend; FALSE with the error if it has none. */
gboolean         osiiso_queue_check_backend (OsiisoQueue    *self,
                                             GError        **error);

/* Lets work run that is there, and opens nothing. */
gboolean         osiiso_queue_start_work    (OsiisoQueue    *self,
                                             GError        **error);

/* Whether anybody would see a signal. Any thread, while the queue lives. */
gboolean         osiiso_queue_listens       (OsiisoQueue    *self,
                                             OsiisoEventKind kind);
/* In the owner's context. */
void             osiiso_queue_emit          (OsiisoQueue    *self,
                                             OsiisoEventKind kind,
                                             OsiisoHandle   *handle,
                                             const GError   *error);
/* Takes over @changes, of OsiisoTaskChange. */
void             osiiso_queue_update_tasks  (OsiisoQueue    *self,
                                             GArray         *changes);
void             osiiso_queue_notify_closed (OsiisoQueue    *self,
                                             gboolean        closed);

G_END_DECLS
