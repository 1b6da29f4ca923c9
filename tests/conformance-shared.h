/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the program and the functions that it calls by name, perhaps in other
 * processes, have in common: numbers in a file that all of them map. */

#define CONFORMANCE_VARIABLE_SHARED "OSIISO_CONFORMANCE_SHARED"
#define CONFORMANCE_N_SHARED        16384

typedef struct
{
  int numbers[CONFORMANCE_N_SHARED];
} ConformanceShared;

G_END_DECLS
