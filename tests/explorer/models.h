/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "explorer.h"

G_BEGIN_DECLS

/* The models; each array ends with one that has no name. */
extern const ExModel ex_basic_models[];
extern const ExModel ex_wake_protocol_models[];
extern const ExModel ex_take_models[];
extern const ExModel ex_ahead_models[];
extern const ExModel ex_attempt_end_models[];
extern const ExModel ex_waiter_models[];
extern const ExModel ex_admission_models[];
extern const ExModel ex_shutdown_models[];
extern const ExModel ex_thread_pool_models[];
extern const ExModel ex_token_models[];
extern const ExModel ex_initializer_models[];
extern const ExModel ex_outbox_models[];

G_END_DECLS
