/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

#include "osiiso-test-hooks-private.h"

G_BEGIN_DECLS

/* A place where threads meet: open() lets everybody through who waits. */
typedef struct
{
  GMutex   lock;
  GCond    cond;
  guint    n_arrived;
  gboolean open;
  int      n_released;
} TestGate;

void               test_gate_init      (TestGate *self);
void               test_gate_clear     (TestGate *self);
/* A destroy function for a gate that is user data: counts in n_released. */
void               test_gate_release   (gpointer  gate);
void               test_gate_open      (TestGate *self);
/* Waits until the gate is open. */
void               test_gate_pass      (TestGate *self);
/* Waits until that many have arrived at the gate. */
void               test_gate_await     (TestGate *self,
                                        guint     n_arrived);

/* A log that any thread writes to. */
typedef struct
{
  GMutex   lock;
  GString *text;
} TestLog;

void               test_log_init       (TestLog    *self);
void               test_log_clear      (TestLog    *self);
void               test_log_add        (TestLog    *self,
                                        const char *format,
                                        ...) G_GNUC_PRINTF (2, 3);
char              *test_log_steal      (TestLog    *self);

/* Adds a case once for each backend of this project, with its name as data and
 * at the end of its path. */
void               test_add_for_backends (const char   *path,
                                          GTestDataFunc func);

OsiisoQueue       *test_queue_new      (const char *backend);
OsiisoTaskOptions *test_options_new    (const char *first_property,
                                        ...) G_GNUC_NULL_TERMINATED;
/* Drops the queue and checks that it is gone once its context had its turn. */
void               test_queue_free     (OsiisoQueue *queue);
OsiisoHandle      *test_submit         (OsiisoQueue       *queue,
                                        OsiisoTaskFunc     func,
                                        gpointer           user_data,
                                        OsiisoTaskOptions *options);
void               test_submit_and_drop (OsiisoQueue     *queue,
                                        OsiisoTaskFunc     func,
                                        gpointer           user_data,
                                        OsiisoTaskOptions *options);
OsiisoRunSummary  *test_run            (OsiisoQueue *queue);

/* The same and drops the summary. */
void               test_run_all        (OsiisoQueue *queue);

/* Iterates the default context until *flag is not zero. */
void               test_iterate_until  (const int *flag);

/* A callback that keeps the result, which the caller clears, in a GAsyncResult **. */
void               test_store_result   (GObject      *source,
                                        GAsyncResult *result,
                                        gpointer      location);
/* Iterates the default context until it is there. */
GAsyncResult      *test_await_result   (GAsyncResult **location);

/* A destroy function, or a swapped handler of a signal: adds 1 to an int. */
void               test_count          (gpointer counter);

/* Iterates until the handle shows the status. */
void               test_await_status   (OsiisoHandle *handle,
                                        OsiisoStatus  status);

/* Stops the clock for the rest of the test program. */
const OsiisoTestHooks *test_manual_clock (void);

/* Task functions. */
void               test_task_none      (OsiisoAttempt *attempt,
                                        gpointer       unused);
void               test_task_int       (OsiisoAttempt *attempt,
                                        gpointer       value);
void               test_task_fail      (OsiisoAttempt *attempt,
                                        gpointer       unused);
void               test_task_gate      (OsiisoAttempt *attempt,
                                        gpointer       gate);
/* Defers, and keeps the attempt in an OsiisoAttempt ** for the test. */
void               test_task_defer     (OsiisoAttempt *attempt,
                                        gpointer       location);

G_END_DECLS
