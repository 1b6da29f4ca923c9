/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"

G_DEFINE_QUARK (osiiso-queue-error-quark, osiiso_queue_error)
