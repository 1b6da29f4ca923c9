/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-main-loop-backend.h"

OSIISO_BACKEND_DEFINE (main_loop, "main-loop", "Tasks in the main context that owns the queue",
                       OSIISO_PLUGIN_VERSION, osiiso_main_loop_backend_get_type)
