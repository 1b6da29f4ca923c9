/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_ADAPTIVE_WORKERS (osiiso_adaptive_workers_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (OsiisoAdaptiveWorkers, osiiso_adaptive_workers, OSIISO, ADAPTIVE_WORKERS, GObject)

OSIISO_AVAILABLE_IN_1_0
OsiisoAdaptiveWorkers *osiiso_adaptive_workers_new         (OsiisoQueue *queue,
                                                            guint        most) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoQueue           *osiiso_adaptive_workers_get_queue   (OsiisoAdaptiveWorkers *self);
OSIISO_AVAILABLE_IN_1_0
guint                  osiiso_adaptive_workers_get_most    (OsiisoAdaptiveWorkers *self);
OSIISO_AVAILABLE_IN_1_0
void                   osiiso_adaptive_workers_set_most    (OsiisoAdaptiveWorkers *self,
                                                            guint                  most);
OSIISO_AVAILABLE_IN_1_0
double                 osiiso_adaptive_workers_get_calm    (OsiisoAdaptiveWorkers *self);
OSIISO_AVAILABLE_IN_1_0
void                   osiiso_adaptive_workers_set_calm    (OsiisoAdaptiveWorkers *self,
                                                            double                 calm);

G_END_DECLS
