/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

#define OSIISO_TYPE_SUBPROCESS_BACKEND (osiiso_subprocess_backend_get_type ())

G_DECLARE_FINAL_TYPE (OsiisoSubprocessBackend, osiiso_subprocess_backend, OSIISO, SUBPROCESS_BACKEND, OsiisoBackend)

G_END_DECLS
