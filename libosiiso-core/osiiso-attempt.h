/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_ATTEMPT (osiiso_attempt_get_type ())

OSIISO_AVAILABLE_IN_1_0
GType          osiiso_attempt_get_type               (void);
OSIISO_AVAILABLE_IN_1_0
OsiisoAttempt *osiiso_attempt_ref                    (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_unref                  (OsiisoAttempt *self);

OSIISO_AVAILABLE_IN_1_0
guint64        osiiso_attempt_get_task_id            (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
char          *osiiso_attempt_dup_name               (OsiisoAttempt *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
guint          osiiso_attempt_get_number             (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
guint          osiiso_attempt_get_index              (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoCall    *osiiso_attempt_get_call               (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoCommand *osiiso_attempt_get_command            (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
GCancellable  *osiiso_attempt_get_cancellable        (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
gboolean       osiiso_attempt_is_stuck             (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
gboolean       osiiso_attempt_is_open                (OsiisoAttempt *self);

OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_none            (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_value           (OsiisoAttempt *self,
                                                      const GValue  *value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_boolean         (OsiisoAttempt *self,
                                                      gboolean       value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_int             (OsiisoAttempt *self,
                                                      gint64         value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_double          (OsiisoAttempt *self,
                                                      double         value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_string          (OsiisoAttempt *self,
                                                      const char    *value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_bytes           (OsiisoAttempt *self,
                                                      GBytes        *value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_variant         (OsiisoAttempt *self,
                                                      GVariant      *value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_object          (OsiisoAttempt *self,
                                                      GObject       *value);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_error           (OsiisoAttempt *self,
                                                      GError        *error);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_error_details   (OsiisoAttempt *self,
                                                      GError        *error,
                                                      const GValue  *details);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_error_full      (OsiisoAttempt *self,
                                                      GError        *error,
                                                      const GValue  *details,
                                                      double         retry_after);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_new_error       (OsiisoAttempt *self,
                                                      GQuark         domain,
                                                      int            code,
                                                      const char    *format,
                                                      ...) G_GNUC_PRINTF (4, 5);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_return_error_literal   (OsiisoAttempt *self,
                                                      GQuark         domain,
                                                      int            code,
                                                      const char    *message);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_retry_after            (OsiisoAttempt *self,
                                                      double         seconds,
                                                      GError        *error);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_set_interrupt_details  (OsiisoAttempt *self,
                                                      const GValue  *details);

OSIISO_AVAILABLE_IN_1_0
OsiisoAttempt *osiiso_attempt_defer                  (OsiisoAttempt *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_set_progress           (OsiisoAttempt *self,
                                                      double         fraction,
                                                      const char    *status_text);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_attempt_run                    (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
gboolean       osiiso_attempt_begin                  (OsiisoAttempt *self);
OSIISO_AVAILABLE_IN_1_0
gboolean       osiiso_attempt_give_back              (OsiisoAttempt *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OsiisoAttempt, osiiso_attempt_unref)

G_END_DECLS
