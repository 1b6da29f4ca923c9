/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library, and no plugin: the symbol is not the one that is looked for. */
#include <osiiso.h>

OSIISO_BACKEND_DEFINE (something, "no-descriptor", "Of another symbol", "1.0", g_object_get_type)
