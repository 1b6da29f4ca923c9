/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-deadline-heap-private.h"

G_BEGIN_DECLS

/*
 * The one thread of the process that wakes schedulers when their next deadline
 * has come, so that no queue depends on a main loop being iterated. It is
 * started with the first deadline and ends when there has been none for a
 * while.
 *
 * A client is embedded in what it serves. While it is armed the service holds a
 * reference on that, through the two functions; `tick` is called without any
 * lock, in the thread of the service (in osiiso_timer_service_advance() with
 * the manual clock), and arms again if there is more to come.
 */
typedef struct _OsiisoTimerClient OsiisoTimerClient;
struct _OsiisoTimerClient
{
  OsiisoHeapNode node; /* guarded by the lock of the service */
  void (*ref)   (OsiisoTimerClient *self);
  void (*unref) (OsiisoTimerClient *self);
  void (*tick)  (OsiisoTimerClient *self);
};

/* Starts the thread if it does not run; FALSE when there can be none. */
gboolean osiiso_timer_service_prepare (GError **error);

/* Makes the next tick come at @when or earlier. */
void     osiiso_timer_service_arm     (OsiisoTimerClient *client,
                                       gint64             when);
void     osiiso_timer_service_disarm  (OsiisoTimerClient *client);

/* Turns the manual clock forward, one deadline after the other. */
void     osiiso_timer_service_advance (gint64 us);

G_END_DECLS
