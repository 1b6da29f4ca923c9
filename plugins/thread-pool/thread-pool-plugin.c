/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-thread-pool-backend.h"

OSIISO_BACKEND_DEFINE (thread_pool, "thread-pool", "Tasks in threads of this process",
                       OSIISO_PLUGIN_VERSION, osiiso_thread_pool_backend_get_type)
