/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name inside is not the one of the file. */
#include <osiiso.h>

OSIISO_BACKEND_DEFINE (wrong_name, "another-name", "Of another name", "1.0", g_object_get_type)
