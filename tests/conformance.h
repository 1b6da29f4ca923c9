/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/*
 * What the cases of osiiso-backend-conformance have in common.
 *
 * They are written for backends that they know nothing of, so:
 *
 * - A function may run in the thread that owns the queue, in the one that submits
 *   it, or in any other. Whatever a function waits for is done by a thread that
 *   the case has made.
 * - Times are those of the manual clock, where a case does not say otherwise.
 * - Each case has a process of its own. What the backend did wrong ends it, with
 *   a sentence that says what, and so does a wait that takes too long.
 */
typedef struct
{
  const char *path;
  void      (*func) (void);
  const char *promise; /* what a backend has to do */
} ConformanceCase;

/* A case that some backends cannot be asked for. */
typedef struct
{
  const char *path;
  const char *reason;
} ConformanceOmission;

/* With the capability FUNCTIONS: */
extern const ConformanceCase conformance_open[];
extern const ConformanceCase conformance_init[];
extern const ConformanceCase conformance_wake[];
extern const ConformanceCase conformance_close[];
extern const ConformanceCase conformance_tasks[];
extern const ConformanceCase conformance_storms[];
/* Without it, but with CALLS; and what of the others there is nothing like. */
extern const ConformanceCase conformance_calls[];
extern const ConformanceOmission conformance_omissions[];

/* The backend that is tested: a new one, and what it says of itself. */
OsiisoBackend *conformance_backend_new    (void);
gboolean       conformance_in_owner       (void);
guint          conformance_get_workers    (void);

/* A queue on a new backend. */
OsiisoQueue   *conformance_queue_new      (void);
/* Shuts it down, drops it and waits until its backend is gone too. */
void           conformance_queue_free     (OsiisoQueue *queue);

/* Ends the case, unless @condition, with what the backend has done wrong. */
#define conformance_check(condition, ...) \
  G_STMT_START                            \
    {                                     \
      if (!(condition))                   \
        conformance_wrong (__VA_ARGS__);  \
    }                                     \
  G_STMT_END
void           conformance_wrong          (const char *format,
                                           ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;

/* Says what is waited for and what it would take, until the next call; for the
 * case that it never comes. @queue, if any, is asked for its counts then. */
void           conformance_wait_for       (OsiisoQueue *queue,
                                           const char  *format,
                                           ...) G_GNUC_PRINTF (2, 3);

/* Iterates the owner's context until *counter is at least @n. */
void           conformance_await          (const int *counter,
                                           int        n);
void           conformance_await_status   (OsiisoHandle *handle,
                                           OsiisoStatus  status);

/* These end the case when they fail, and say what they wait for. */
void           conformance_start          (OsiisoQueue *queue);
void           conformance_join           (OsiisoQueue *queue);
void           conformance_shutdown       (OsiisoQueue *queue,
                                           gboolean     force);
void           conformance_push           (OsiisoQueue       *queue,
                                           OsiisoTaskFunc     func,
                                           gpointer           data,
                                           GDestroyNotify     destroy,
                                           OsiisoTaskOptions *options);
/* Joins, and checks that this many tasks have succeeded since the queue was
 * made, and no other ended. */
void           conformance_join_succeeded (OsiisoQueue *queue,
                                           guint        n);
void           conformance_expect_error   (OsiisoHandle *handle,
                                           GQuark        domain,
                                           int           code,
                                           const char   *after);

/* Takes the possibility to make threads away, and gives it back. FALSE when that
 * cannot be done on this system. */
gboolean       conformance_set_no_threads (gboolean none);

/* A task function that counts, and a destroy function that does. */
void           conformance_count          (OsiisoAttempt *attempt,
                                           gpointer       counter);
void           conformance_count_release  (gpointer       counter);

G_END_DECLS
