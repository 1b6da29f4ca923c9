/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_HANDLE (osiiso_handle_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoHandle, osiiso_handle, OSIISO, HANDLE, GObject)

OSIISO_AVAILABLE_IN_1_0
guint64           osiiso_handle_get_task_id       (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
const char       *osiiso_handle_get_name          (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoStatus      osiiso_handle_get_status        (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
guint             osiiso_handle_get_attempts      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
int               osiiso_handle_get_priority      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_set_priority      (OsiisoHandle *self,
                                                   int           priority);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_get_must_complete (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_get_detached      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
const char       *osiiso_handle_get_group_id      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
guint             osiiso_handle_get_index         (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
GVariant         *osiiso_handle_get_metadata      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_progress      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
char             *osiiso_handle_dup_status_text   (OsiisoHandle *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_scheduled_for (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_created       (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_started       (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_finished      (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
double            osiiso_handle_get_duration      (OsiisoHandle *self);

OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_is_done           (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
const GValue     *osiiso_handle_get_value         (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
GValue           *osiiso_handle_dup_value         (OsiisoHandle *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
GError           *osiiso_handle_dup_error         (OsiisoHandle *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
const GValue     *osiiso_handle_get_error_details (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
GValue           *osiiso_handle_dup_error_details (OsiisoHandle *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoTaskResult *osiiso_handle_dup_result        (OsiisoHandle *self) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_cancel            (OsiisoHandle *self);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_wait              (OsiisoHandle *self,
                                                   double        timeout,
                                                   GCancellable *cancellable,
                                                   GError      **error);
OSIISO_AVAILABLE_IN_1_0
void              osiiso_handle_wait_async        (OsiisoHandle       *self,
                                                   GCancellable       *cancellable,
                                                   GAsyncReadyCallback callback,
                                                   gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
gboolean          osiiso_handle_wait_finish       (OsiisoHandle *self,
                                                   GAsyncResult *result,
                                                   GError      **error);

G_END_DECLS
