/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-clock-private.h"
#include "osiiso-group-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-test-hooks-private.h"
#include "osiiso-timer-service-private.h"
#include "osiiso-wait-private.h"

static guint
queue_n_waiting (gpointer queue)
{
  return atomic_load (&osiiso_queue_get_scheduler (queue)->room.n_waiting);
}

static void
group_hold (gpointer group,
            gboolean held)
{
  OsiisoBatch *batch = osiiso_group_get_batch (group);

  if (held)
    pthread_mutex_lock (&batch->lock);
  else
    pthread_mutex_unlock (&batch->lock);
}

const OsiisoTestHooks *
osiiso_private_test_hooks (void)
{
  static const OsiisoTestHooks hooks = {
    .clock_set_manual = osiiso_clock_set_manual,
    .clock_advance = osiiso_timer_service_advance,
    .clock_now = osiiso_clock_now,
    .queue_n_waiting = queue_n_waiting,
    .group_hold = group_hold,
    .n_waits = osiiso_wait_graph_count,
  };

  return &hooks;
}
