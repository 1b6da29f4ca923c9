/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

OSIISO_AVAILABLE_IN_1_0
int osiiso_worker_main (int    argc,
                        char **argv);

G_END_DECLS
