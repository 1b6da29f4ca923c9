/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-attempt.h"
#include "osiiso-token.h"
#include "osiiso-scheduler-private.h"

G_BEGIN_DECLS

/*
 * OsiisoRunner: what a language layer has given to a queue to run its tokens
 * with, and to hear of their ends. Set before the first token and constant as
 * long as there is one.
 *
 * users: 1 for the queue, 1 for each call that is under way. With the last one the
 * user data are released, in the owner's context, and nothing is called any more.
 */
typedef struct _OsiisoUntold OsiisoUntold;

struct _OsiisoRunner
{
  OsiisoRefCount        users;
  _Atomic gboolean      closed; /* the queue's use is over; it may be disposed of twice */
  OsiisoRunnerFunc      func;
  gpointer              data;
  GDestroyNotify        destroy;
  OsiisoCompletionsFunc completed; /* (nullable) */
  gpointer              completed_data;
  GDestroyNotify        completed_destroy;
  OsiisoCompletionFlags flags;
  OsiisoThreadEndFunc   thread_end; /* (nullable) */
  gpointer              thread_end_data;
  GDestroyNotify        thread_end_destroy;
  /* These in the owner's context only. */
  OsiisoUntold         *untold;     /* (nullable): what was told and not heard */
  gboolean              telling_untold;
  GHashTable           *operations; /* (nullable): results that a layer waits for, by token */
};

void          osiiso_runner_free      (OsiisoRunner    *self);

/* NULL when the queue is gone. */
OsiisoRunner *osiiso_runner_begin_use (OsiisoScheduler *scheduler);
void          osiiso_runner_end_use   (OsiisoScheduler *scheduler);

/* Whether the numbers from @first on can be tokens. */
gboolean osiiso_token_check_numbers (guint64  first,
                                     guint64  n,
                                     GError **error);

/* Calls the runner for the attempt of a token; see osiiso_attempt_perform(). */
void osiiso_token_run       (OsiisoAttempt  **location);

/* The thread ends in the functions that it is in. */
void osiiso_token_thread_exits (void);

/* A token has ended, in this thread. */
void osiiso_token_ended     (OsiisoScheduler *scheduler,
                             OsiisoRecord    *record);

/* Whether the end of a token has to be told in the owner's context. */
gboolean osiiso_token_is_told_in_owner (OsiisoScheduler *scheduler,
                                        OsiisoRecord    *record);

/* Ends of tokens, on the way to be told there at once: so many. */
#define OSIISO_TOKEN_BATCH_SIZE 256

typedef struct
{
  gsize   n;
  guint64 tokens[OSIISO_TOKEN_BATCH_SIZE];
  guint   statuses[OSIISO_TOKEN_BATCH_SIZE];
  OsiisoRecord *records[OSIISO_TOKEN_BATCH_SIZE]; /* not owned */
} OsiisoTokenBatch;

void osiiso_token_batch_add  (OsiisoTokenBatch *self,
                              OsiisoRecord     *record);
void osiiso_token_batch_tell (OsiisoTokenBatch *self,
                              OsiisoScheduler  *scheduler);

/* Tells that something is over that the layer has called by that token; in the
 * owner's context. */
void osiiso_token_tell        (OsiisoScheduler *scheduler,
                               guint64          token,
                               OsiisoStatus     status);

/* Those that the calling thread is telling of this moment; how many. One that
 * is no task is NULL. */
gsize osiiso_token_get_told  (OsiisoScheduler *scheduler,
                              OsiisoRecord  ***records);

/* The queue is gone. */
void osiiso_runner_close     (OsiisoScheduler  *scheduler);

/* The calling thread leaves the queue. */
void osiiso_runner_leave_thread (OsiisoScheduler *scheduler);

gboolean osiiso_runner_set_thread_end (OsiisoScheduler    *scheduler,
                                       OsiisoThreadEndFunc func,
                                       gpointer            user_data,
                                       GDestroyNotify      user_data_destroy,
                                       GError            **error);

G_END_DECLS
