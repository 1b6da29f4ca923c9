/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names a type that no instance can be made of. */
#include <osiiso.h>

OSIISO_BACKEND_DEFINE (abstract_type, "abstract-type", "Of an abstract type", "1.0", osiiso_backend_get_type)
