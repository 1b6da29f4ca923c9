/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The models; each array ends with one that has no name. */
extern const ExModel ex_basic_models[];
extern const ExModel ex_wake_protocol_models[];

G_END_DECLS
