/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * What the tests of this project may turn in the library. Not installed, not
 * introspected, no part of the ABI.
 */
typedef struct
{
  /* Stops the clock at @now (microseconds, > 0), for the whole process; 0 lets
   * it run again. */
  void   (*clock_set_manual) (gint64 now);
  /* Turns the stopped clock forward and calls what falls due, in order. */
  void   (*clock_advance)    (gint64 us);
  gint64 (*clock_now)        (void);
  /* How many submits wait for room in an OsiisoQueue. */
  guint  (*queue_n_waiting)  (gpointer queue);
  /* Keeps others from changing an OsiisoGroup, until this thread lets them. */
  void   (*group_hold)       (gpointer group,
                              gboolean held);
  /* How many threads wait in tasks without a time limit. */
  guint  (*n_waits)          (void);
} OsiisoTestHooks;

__attribute__ ((visibility ("default")))
extern const OsiisoTestHooks *osiiso_private_test_hooks (void);

G_END_DECLS
