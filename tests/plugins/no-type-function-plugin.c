/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The descriptor lacks the function that gives the type. */
#include <osiiso.h>

OSIISO_BACKEND_DEFINE (no_type_function, "no-type-function", "Of no type", "1.0", NULL)
