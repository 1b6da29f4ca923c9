/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_QUEUE (osiiso_queue_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (OsiisoQueue, osiiso_queue, OSIISO, QUEUE, GObject)

/**
 * OsiisoQueueClass:
 * @parent_class: the parent class
 * @on_start: the class handler of [signal@Osiiso.Queue::on-start]
 * @on_complete: the class handler of [signal@Osiiso.Queue::on-complete]
 * @on_retry: the class handler of [signal@Osiiso.Queue::on-retry]
 *
 * Class handlers run in the context that owns the queue, like all handlers.
 *
 * Since: 1.0
 */
struct _OsiisoQueueClass
{
  GObjectClass parent_class;

  void (*on_start)    (OsiisoQueue  *self,
                       OsiisoHandle *handle);
  void (*on_complete) (OsiisoQueue  *self,
                       OsiisoHandle *handle);
  void (*on_retry)    (OsiisoQueue  *self,
                       OsiisoHandle *handle,
                       const GError *error);

  /*< private >*/
  gpointer padding[8];
};

/**
 * OsiisoInitializerFunc:
 * @user_data: (closure): what was given with the function
 * @error: return location for an error
 *
 * Gets a worker thread ready for the tasks of a queue; see
 * [method@Osiiso.Queue.set_initializer].
 *
 * In JavaScript a function fails by throwing an error: one that returns false and
 * says nothing is called once more, because it looks like one that was not called.
 *
 * Returns: %TRUE if the thread may run tasks, %FALSE with @error set if not
 *
 * Since: 1.0
 */
typedef gboolean (*OsiisoInitializerFunc) (gpointer user_data,
                                           GError **error);

OSIISO_AVAILABLE_IN_1_0
OsiisoQueue         *osiiso_queue_new                 (const char *backend,
                                                       GError    **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoQueue         *osiiso_queue_new_with_backend    (OsiisoBackend *backend) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
OsiisoBackend       *osiiso_queue_get_backend         (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
GListModel          *osiiso_queue_get_tasks           (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
GMainContext        *osiiso_queue_get_context         (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
char                *osiiso_queue_dup_name            (OsiisoQueue *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_name            (OsiisoQueue *self,
                                                       const char  *name);
OSIISO_AVAILABLE_IN_1_0
guint                osiiso_queue_get_workers         (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_workers         (OsiisoQueue *self,
                                                       guint        workers);
OSIISO_AVAILABLE_IN_1_0
guint                osiiso_queue_get_size            (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_size            (OsiisoQueue *self,
                                                       guint        size);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_queue_get_timeout         (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_timeout         (OsiisoQueue *self,
                                                       double       timeout);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_queue_get_shutdown_timeout (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_shutdown_timeout (OsiisoQueue *self,
                                                        double       timeout);
OSIISO_AVAILABLE_IN_1_0
double               osiiso_queue_get_rate            (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_rate            (OsiisoQueue *self,
                                                       double       rate);
OSIISO_AVAILABLE_IN_1_0
guint                osiiso_queue_get_burst           (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_burst           (OsiisoQueue *self,
                                                       guint        burst);
OSIISO_AVAILABLE_IN_1_0
OsiisoMode           osiiso_queue_get_mode            (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_mode            (OsiisoQueue *self,
                                                       OsiisoMode   mode);
OSIISO_AVAILABLE_IN_1_0
OsiisoFailPolicy     osiiso_queue_get_fail_policy     (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_fail_policy     (OsiisoQueue     *self,
                                                       OsiisoFailPolicy policy);
OSIISO_AVAILABLE_IN_1_0
OsiisoTimeoutPolicy  osiiso_queue_get_on_timeout      (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_on_timeout      (OsiisoQueue        *self,
                                                       OsiisoTimeoutPolicy policy);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_get_keep_results    (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_set_keep_results    (OsiisoQueue *self,
                                                       gboolean     keep_results);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_get_paused          (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_get_closed          (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_get_active_count    (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_get_pending_count   (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_get_scheduled_count (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_get_completed_count (OsiisoQueue *self);

OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_set_initializer     (OsiisoQueue          *self,
                                                       OsiisoInitializerFunc func,
                                                       gpointer              user_data,
                                                       GDestroyNotify        user_data_destroy,
                                                       GError              **error);

OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit              (OsiisoQueue       *self,
                                                       OsiisoTaskFunc     func,
                                                       gpointer           user_data,
                                                       GDestroyNotify     user_data_destroy,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_submit_async        (OsiisoQueue        *self,
                                                       OsiisoTaskFunc      func,
                                                       gpointer            user_data,
                                                       GDestroyNotify      user_data_destroy,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            callback_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_finish       (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push                (OsiisoQueue       *self,
                                                       OsiisoTaskFunc     func,
                                                       gpointer           user_data,
                                                       GDestroyNotify     user_data_destroy,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_push_async          (OsiisoQueue        *self,
                                                       OsiisoTaskFunc      func,
                                                       gpointer            user_data,
                                                       GDestroyNotify      user_data_destroy,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            callback_data);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push_finish         (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_call         (OsiisoQueue       *self,
                                                       const char        *function,
                                                       GVariant          *args,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_call_full    (OsiisoQueue       *self,
                                                       OsiisoCall        *call,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_submit_call_async   (OsiisoQueue        *self,
                                                       OsiisoCall         *call,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_call_finish  (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push_call           (OsiisoQueue       *self,
                                                       OsiisoCall        *call,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_push_call_async     (OsiisoQueue        *self,
                                                       OsiisoCall         *call,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push_call_finish    (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_command      (OsiisoQueue        *self,
                                                       const char * const *argv,
                                                       GBytes             *stdin_bytes,
                                                       OsiisoTaskOptions  *options,
                                                       GError            **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_command_full (OsiisoQueue       *self,
                                                       OsiisoCommand     *command,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_submit_command_async (OsiisoQueue        *self,
                                                        OsiisoCommand      *command,
                                                        OsiisoTaskOptions  *options,
                                                        GCancellable       *cancellable,
                                                        GAsyncReadyCallback callback,
                                                        gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_submit_command_finish (OsiisoQueue  *self,
                                                         GAsyncResult *result,
                                                         GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push_command        (OsiisoQueue       *self,
                                                       OsiisoCommand     *command,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_push_command_async  (OsiisoQueue        *self,
                                                       OsiisoCommand      *command,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_push_command_finish (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_try_submit          (OsiisoQueue       *self,
                                                       OsiisoTaskFunc     func,
                                                       gpointer           user_data,
                                                       GDestroyNotify     user_data_destroy,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint64              osiiso_queue_try_push            (OsiisoQueue       *self,
                                                       OsiisoTaskFunc     func,
                                                       gpointer           user_data,
                                                       GDestroyNotify     user_data_destroy,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoGroup         *osiiso_queue_map                 (OsiisoQueue       *self,
                                                       guint              n,
                                                       OsiisoTaskFunc     func,
                                                       gpointer           user_data,
                                                       GDestroyNotify     user_data_destroy,
                                                       OsiisoTaskOptions *options,
                                                       GError           **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_map_async           (OsiisoQueue        *self,
                                                       guint               n,
                                                       OsiisoTaskFunc      func,
                                                       gpointer            user_data,
                                                       GDestroyNotify      user_data_destroy,
                                                       OsiisoTaskOptions  *options,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            callback_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoGroup         *osiiso_queue_map_finish          (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoGroup         *osiiso_queue_new_group           (OsiisoQueue *self,
                                                       const char  *group_id) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoHandle        *osiiso_queue_lookup              (OsiisoQueue *self,
                                                       guint64      task_id) G_GNUC_WARN_UNUSED_RESULT;

OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_start               (OsiisoQueue *self,
                                                       GError     **error);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary    *osiiso_queue_run                 (OsiisoQueue  *self,
                                                       GCancellable *cancellable,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_run_async           (OsiisoQueue        *self,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary    *osiiso_queue_run_finish          (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary    *osiiso_queue_run_full            (OsiisoQueue     *self,
                                                       double           timeout,
                                                       OsiisoFailPolicy fail_policy,
                                                       GCancellable    *cancellable,
                                                       GError         **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_run_full_async      (OsiisoQueue        *self,
                                                       double              timeout,
                                                       OsiisoFailPolicy    fail_policy,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary    *osiiso_queue_run_full_finish     (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_join                (OsiisoQueue  *self,
                                                       GCancellable *cancellable,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_join_async          (OsiisoQueue        *self,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_join_finish         (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_shutdown            (OsiisoQueue  *self,
                                                       gboolean      force,
                                                       GCancellable *cancellable,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_shutdown_async      (OsiisoQueue        *self,
                                                       gboolean            force,
                                                       GCancellable       *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer            user_data);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_shutdown_finish     (OsiisoQueue  *self,
                                                       GAsyncResult *result,
                                                       GError      **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_cancel              (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_pause               (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_resume              (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
gboolean             osiiso_queue_reset               (OsiisoQueue *self,
                                                       GError     **error);
OSIISO_AVAILABLE_IN_1_0
void                 osiiso_queue_clear_results       (OsiisoQueue *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoRunSummary    *osiiso_queue_dup_summary         (OsiisoQueue *self) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
