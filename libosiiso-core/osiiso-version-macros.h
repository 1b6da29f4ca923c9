/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include <glib.h>

#include "osiiso-version.h"

#ifndef _OSIISO_EXTERN
# define _OSIISO_EXTERN extern
#endif

#define OSIISO_VERSION_1_0 (G_ENCODE_VERSION (1, 0))

/* The cycle that this tree belongs to. */
#define OSIISO_VERSION_CUR (G_ENCODE_VERSION (OSIISO_MAJOR_VERSION, OSIISO_MINOR_VERSION))

#ifndef OSIISO_VERSION_MIN_REQUIRED
# define OSIISO_VERSION_MIN_REQUIRED OSIISO_VERSION_CUR
#endif
#ifndef OSIISO_VERSION_MAX_ALLOWED
# define OSIISO_VERSION_MAX_ALLOWED OSIISO_VERSION_CUR
#endif

#if OSIISO_VERSION_MAX_ALLOWED < OSIISO_VERSION_MIN_REQUIRED
# error "OSIISO_VERSION_MAX_ALLOWED must not be below OSIISO_VERSION_MIN_REQUIRED"
#endif

#if OSIISO_VERSION_MAX_ALLOWED < OSIISO_VERSION_1_0
# define OSIISO_AVAILABLE_IN_1_0 G_UNAVAILABLE (1, 0) _OSIISO_EXTERN
#else
# define OSIISO_AVAILABLE_IN_1_0 _OSIISO_EXTERN
#endif
