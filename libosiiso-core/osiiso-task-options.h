/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

/**
 * OSIISO_PRIORITY_DEFAULT:
 *
 * The priority of a task that does not say otherwise. Lower runs first.
 *
 * Since: 1.0
 */
#define OSIISO_PRIORITY_DEFAULT 3

/**
 * OSIISO_PRIORITY_MIN:
 *
 * The lowest number, that is, the most urgent priority.
 *
 * Since: 1.0
 */
#define OSIISO_PRIORITY_MIN (-128)

/**
 * OSIISO_PRIORITY_MAX:
 *
 * The highest number, that is, the least urgent priority.
 *
 * Since: 1.0
 */
#define OSIISO_PRIORITY_MAX 127

#define OSIISO_TYPE_TASK_OPTIONS (osiiso_task_options_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoTaskOptions, osiiso_task_options, OSIISO, TASK_OPTIONS, GObject)

OSIISO_AVAILABLE_IN_1_0
OsiisoTaskOptions *osiiso_task_options_new                 (void) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoTaskOptions *osiiso_task_options_copy                (OsiisoTaskOptions *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean           osiiso_task_options_validate            (OsiisoTaskOptions *self,
                                                            GError           **error);

OSIISO_AVAILABLE_IN_1_0
int                osiiso_task_options_get_priority        (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_priority        (OsiisoTaskOptions *self,
                                                            int                priority);
OSIISO_AVAILABLE_IN_1_0
gboolean           osiiso_task_options_get_must_complete   (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_must_complete   (OsiisoTaskOptions *self,
                                                            gboolean           must_complete);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_timeout         (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_timeout         (OsiisoTaskOptions *self,
                                                            double             timeout);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_deadline        (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_deadline        (OsiisoTaskOptions *self,
                                                            double             deadline);
OSIISO_AVAILABLE_IN_1_0
int                osiiso_task_options_get_retries         (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_retries         (OsiisoTaskOptions *self,
                                                            int                retries);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_retry_delay     (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_retry_delay     (OsiisoTaskOptions *self,
                                                            double             retry_delay);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_backoff         (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_backoff         (OsiisoTaskOptions *self,
                                                            double             backoff);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_max_retry_delay (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_max_retry_delay (OsiisoTaskOptions *self,
                                                            double             max_retry_delay);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_jitter          (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_jitter          (OsiisoTaskOptions *self,
                                                            double             jitter);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_retry_on            (OsiisoTaskOptions *self,
                                                            GQuark             domain,
                                                            int                code);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_never_retry_on      (OsiisoTaskOptions *self,
                                                            GQuark             domain,
                                                            int                code);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_delay           (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_delay           (OsiisoTaskOptions *self,
                                                            double             delay);
OSIISO_AVAILABLE_IN_1_0
double             osiiso_task_options_get_run_at          (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_run_at          (OsiisoTaskOptions *self,
                                                            double             run_at);
OSIISO_AVAILABLE_IN_1_0
const char        *osiiso_task_options_get_name            (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_name            (OsiisoTaskOptions *self,
                                                            const char        *name);
OSIISO_AVAILABLE_IN_1_0
const char        *osiiso_task_options_get_group_id        (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_group_id        (OsiisoTaskOptions *self,
                                                            const char        *group_id);
OSIISO_AVAILABLE_IN_1_0
gboolean           osiiso_task_options_get_detached        (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_detached        (OsiisoTaskOptions *self,
                                                            gboolean           detached);
OSIISO_AVAILABLE_IN_1_0
GVariant          *osiiso_task_options_get_metadata        (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_metadata        (OsiisoTaskOptions *self,
                                                            GVariant          *metadata);
OSIISO_AVAILABLE_IN_1_0
GCancellable      *osiiso_task_options_get_cancellable     (OsiisoTaskOptions *self);
OSIISO_AVAILABLE_IN_1_0
void               osiiso_task_options_set_cancellable     (OsiisoTaskOptions *self,
                                                            GCancellable      *cancellable);

G_END_DECLS
