/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

void test_add_queue_run     (void);
void test_add_queue_workers (void);

G_END_DECLS
