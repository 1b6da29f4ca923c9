/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-clock-private.h"
#include "osiiso-test-hooks-private.h"
#include "osiiso-timer-service-private.h"

const OsiisoTestHooks *
osiiso_private_test_hooks (void)
{
  static const OsiisoTestHooks hooks = {
    .clock_set_manual = osiiso_clock_set_manual,
    .clock_advance = osiiso_timer_service_advance,
    .clock_now = osiiso_clock_now,
  };

  return &hooks;
}
