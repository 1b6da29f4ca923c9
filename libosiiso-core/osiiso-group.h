/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_GROUP (osiiso_group_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoGroup, osiiso_group, OSIISO, GROUP, GObject)

OSIISO_AVAILABLE_IN_1_0
const char       *osiiso_group_get_group_id          (OsiisoGroup *self);
OSIISO_AVAILABLE_IN_1_0
guint             osiiso_group_get_n_finished        (OsiisoGroup *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_get_handle            (OsiisoGroup *self,
                                                      guint        index) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit                (OsiisoGroup       *self,
                                                      OsiisoTaskFunc     func,
                                                      gpointer           user_data,
                                                      GDestroyNotify     user_data_destroy,
                                                      OsiisoTaskOptions *options,
                                                      GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void              osiiso_group_submit_async          (OsiisoGroup        *self,
                                                      OsiisoTaskFunc      func,
                                                      gpointer            user_data,
                                                      GDestroyNotify      user_data_destroy,
                                                      OsiisoTaskOptions  *options,
                                                      GCancellable       *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer            callback_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_finish         (OsiisoGroup  *self,
                                                      GAsyncResult *result,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_call           (OsiisoGroup       *self,
                                                      const char        *function,
                                                      GVariant          *args,
                                                      OsiisoTaskOptions *options,
                                                      GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_call_full      (OsiisoGroup       *self,
                                                      OsiisoCall        *call,
                                                      OsiisoTaskOptions *options,
                                                      GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void              osiiso_group_submit_call_async     (OsiisoGroup        *self,
                                                      OsiisoCall         *call,
                                                      OsiisoTaskOptions  *options,
                                                      GCancellable       *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_call_finish    (OsiisoGroup  *self,
                                                      GAsyncResult *result,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_command        (OsiisoGroup        *self,
                                                      const char * const *argv,
                                                      GBytes             *stdin_bytes,
                                                      OsiisoTaskOptions  *options,
                                                      GError            **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_command_full   (OsiisoGroup       *self,
                                                      OsiisoCommand     *command,
                                                      OsiisoTaskOptions *options,
                                                      GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void              osiiso_group_submit_command_async  (OsiisoGroup        *self,
                                                      OsiisoCommand      *command,
                                                      OsiisoTaskOptions  *options,
                                                      GCancellable       *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_submit_command_finish (OsiisoGroup  *self,
                                                      GAsyncResult *result,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint             osiiso_group_cancel                (OsiisoGroup *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary *osiiso_group_wait                  (OsiisoGroup  *self,
                                                      double        timeout,
                                                      GCancellable *cancellable,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void              osiiso_group_wait_async            (OsiisoGroup        *self,
                                                      GCancellable       *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary *osiiso_group_wait_finish           (OsiisoGroup  *self,
                                                      GAsyncResult *result,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_next_completed        (OsiisoGroup  *self,
                                                      double        timeout,
                                                      GCancellable *cancellable,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void              osiiso_group_next_completed_async  (OsiisoGroup        *self,
                                                      GCancellable       *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle     *osiiso_group_next_completed_finish (OsiisoGroup  *self,
                                                      GAsyncResult *result,
                                                      GError      **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
