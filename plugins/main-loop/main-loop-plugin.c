/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-main-loop-backend.h"

OSIISO_BACKEND_DEFINE (main_loop, "main-loop", "Asynchronous tasks in the main context of the program",
                       OSIISO_PLUGIN_VERSION, osiiso_main_loop_backend_get_type)
