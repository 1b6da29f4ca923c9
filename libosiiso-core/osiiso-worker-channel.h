/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_WORKER_CHANNEL (osiiso_worker_channel_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoWorkerChannel, osiiso_worker_channel, OSIISO, WORKER_CHANNEL, GObject)

/**
 * OsiisoWorkerReadyFunc:
 * @channel: the channel
 * @user_data: (closure): what was given with the function
 *
 * Told that a message may be there, for a worker program with a main loop. It calls
 * [method@Osiiso.WorkerChannel.receive] without waiting until that returns
 * %OSIISO_WORKER_MESSAGE_NONE.
 *
 * Returns: %TRUE; anything else means that the function did not run, as can happen to
 *   those in JavaScript, and it is called again
 *
 * Since: 1.0
 */
typedef gboolean (*OsiisoWorkerReadyFunc) (OsiisoWorkerChannel *channel,
                                           gpointer             user_data);

OSIISO_AVAILABLE_IN_1_0
OsiisoWorkerChannel *osiiso_worker_channel_new           (int                    fd,
                                                          const char            *abilities,
                                                          GError               **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoWorkerChannel *osiiso_worker_channel_new_default   (const char            *abilities,
                                                          GError               **error) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
OsiisoWorkerMessage  osiiso_worker_channel_receive       (OsiisoWorkerChannel   *self,
                                                          gboolean               block,
                                                          GCancellable          *cancellable,
                                                          GError               **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_attach        (OsiisoWorkerChannel   *self,
                                                          OsiisoWorkerReadyFunc  func,
                                                          gpointer               user_data,
                                                          GDestroyNotify         destroy);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_detach        (OsiisoWorkerChannel   *self);

OSIISO_AVAILABLE_IN_1_0
guint                osiiso_worker_channel_get_id        (OsiisoWorkerChannel   *self);
OSIISO_AVAILABLE_IN_1_0
const char          *osiiso_worker_channel_get_function  (OsiisoWorkerChannel   *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoEncoding       osiiso_worker_channel_get_encoding  (OsiisoWorkerChannel   *self);
OSIISO_AVAILABLE_IN_1_0
gsize                osiiso_worker_channel_get_size      (OsiisoWorkerChannel   *self);
OSIISO_AVAILABLE_IN_1_0
const char          *osiiso_worker_channel_get_text      (OsiisoWorkerChannel   *self);
OSIISO_AVAILABLE_IN_1_0
GBytes              *osiiso_worker_channel_dup_bytes     (OsiisoWorkerChannel   *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GVariant            *osiiso_worker_channel_dup_variant   (OsiisoWorkerChannel   *self) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
guint                osiiso_worker_channel_get_attempt_number (OsiisoWorkerChannel *self);
OSIISO_AVAILABLE_IN_1_0
guint                osiiso_worker_channel_get_task_index     (OsiisoWorkerChannel *self);
OSIISO_AVAILABLE_IN_1_0
const char          *osiiso_worker_channel_get_task_name      (OsiisoWorkerChannel *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_set_retry_after    (OsiisoWorkerChannel *self,
                                                               guint                id,
                                                               double               seconds);

OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_worker_channel_is_cancelled  (OsiisoWorkerChannel   *self,
                                                          guint                  id);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_none    (OsiisoWorkerChannel   *self,
                                                          guint                  id);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_text    (OsiisoWorkerChannel   *self,
                                                          guint                  id,
                                                          const char            *json);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_bytes   (OsiisoWorkerChannel   *self,
                                                          guint                  id,
                                                          GBytes                *bytes);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_variant (OsiisoWorkerChannel   *self,
                                                          guint                  id,
                                                          GVariant              *value);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_error   (OsiisoWorkerChannel   *self,
                                                          guint                  id,
                                                          const char            *domain,
                                                          int                    code,
                                                          const char            *message);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_error_text  (OsiisoWorkerChannel *self,
                                                              guint                id,
                                                              const char          *domain,
                                                              int                  code,
                                                              const char          *message,
                                                              const char          *details);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_reply_error_bytes (OsiisoWorkerChannel *self,
                                                              guint                id,
                                                              const char          *domain,
                                                              int                  code,
                                                              const char          *message,
                                                              GBytes              *details);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_set_progress  (OsiisoWorkerChannel   *self,
                                                          guint                  id,
                                                          double                 fraction,
                                                          const char            *status_text);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_worker_channel_exit_when_closed (OsiisoWorkerChannel *self);

G_END_DECLS
