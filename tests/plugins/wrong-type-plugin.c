/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names a type that is not a backend. */
#include <osiiso.h>

OSIISO_BACKEND_DEFINE (wrong_type, "wrong-type", "Of any type", "1.0", g_object_get_type)
