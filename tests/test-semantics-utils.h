/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* For the test-semantics programs, which are about what a user of the Python
 * package `osiiso` knows; docs/semantics.md says where each case belongs. */

/* g_test_init(), and a clock that stands still until a test turns it. */
void              semantics_init           (int    *argc,
                                            char ***argv);
/* Seconds of that clock, as handles and results show them. */
double            semantics_now            (void);
void              semantics_advance        (double  seconds);
/* Iterates the default context until nothing is left to do there. */
void              semantics_settle         (void);

/* One step of a loop that waits for what other threads do. */
void              semantics_turn           (void);

/* Queues that are started, with that many workers. */
OsiisoQueue      *semantics_queue_new      (const char *backend,
                                            guint       workers);

/* For a task that is test_task_defer with the same slot: waits until an attempt
 * of it is in the slot, takes it out, or ends it. */
void              semantics_await          (OsiisoAttempt **slot);
OsiisoAttempt    *semantics_take           (OsiisoAttempt **slot);
void              semantics_succeed        (OsiisoAttempt **slot);
void              semantics_fail           (OsiisoAttempt **slot,
                                            const char     *message);

/* A task that adds its name to a TestLog. */
void              semantics_task_log       (OsiisoAttempt *attempt,
                                            gpointer       log);
/* A task whose first attempt fails with "not yet". */
void              semantics_task_second    (OsiisoAttempt *attempt,
                                            gpointer       unused);

/* Iterates until the handle shows the status. */
void              semantics_await_status   (OsiisoHandle *handle,
                                            OsiisoStatus  status);
/* Iterates until an attempt has failed and the wait for the next one has begun. */
void              semantics_await_retrying (OsiisoQueue  *queue,
                                            OsiisoHandle *handle);
/* A task that has ended, and its error if it is not one that succeeded. */
void              semantics_assert_ended   (OsiisoHandle *handle,
                                            OsiisoStatus  status,
                                            guint         attempts,
                                            const char   *message);
/* The log from here on; takes what is in it. */
void              semantics_assert_log     (TestLog    *log,
                                            const char *expected);

/* The names in a list model of results, with spaces between them. */
void              semantics_assert_names   (GListModel *results,
                                            const char *expected);

/* Iterates until there is a result of a call with test_store_result(). */
void              semantics_await_result   (GAsyncResult **result);
/* Waits for the result of osiiso_queue_run_async() and clears it. */
OsiisoRunSummary *semantics_run_finish     (OsiisoQueue   *queue,
                                            GAsyncResult **result);
/* The same for osiiso_queue_shutdown_async(). */
void              semantics_shutdown_finish (OsiisoQueue   *queue,
                                             GAsyncResult **result);

G_END_DECLS
