/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

#define OSIISO_TYPE_MAIN_LOOP_BACKEND (osiiso_main_loop_backend_get_type ())

G_DECLARE_FINAL_TYPE (OsiisoMainLoopBackend, osiiso_main_loop_backend, OSIISO, MAIN_LOOP_BACKEND, OsiisoBackend)

G_END_DECLS
