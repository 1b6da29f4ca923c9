/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

#define OSIISO_TYPE_THREAD_POOL_BACKEND (osiiso_thread_pool_backend_get_type ())

G_DECLARE_FINAL_TYPE (OsiisoThreadPoolBackend, osiiso_thread_pool_backend, OSIISO, THREAD_POOL_BACKEND, OsiisoBackend)

G_END_DECLS
