/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_APPLICATION_HOLD (osiiso_application_hold_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoApplicationHold, osiiso_application_hold, OSIISO, APPLICATION_HOLD, GObject)

OSIISO_AVAILABLE_IN_1_0
OsiisoApplicationHold *osiiso_application_hold_new             (OsiisoQueue  *queue,
                                                                GApplication *application) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoQueue           *osiiso_application_hold_get_queue       (OsiisoApplicationHold *self);
OSIISO_AVAILABLE_IN_1_0
GApplication          *osiiso_application_hold_get_application (OsiisoApplicationHold *self);
OSIISO_AVAILABLE_IN_1_0
gboolean               osiiso_application_hold_get_holding     (OsiisoApplicationHold *self);

G_END_DECLS
