/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-subprocess-backend.h"

OSIISO_BACKEND_DEFINE (subprocess, "subprocess", "Calls in worker processes that are kept, and commands",
                       OSIISO_PLUGIN_VERSION, osiiso_subprocess_backend_get_type)
