/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* A queue, started, on a backend that has these capabilities, runs nothing, and
 * leaves it to the test to take attempts. */
OsiisoQueue   *test_holder_queue_new (OsiisoBackendCapabilities capabilities);

/* The next attempt; there has to be one. */
OsiisoAttempt *test_holder_take      (OsiisoQueue              *queue);

G_END_DECLS
