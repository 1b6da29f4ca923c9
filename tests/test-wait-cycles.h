/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* Tasks that wait for each other, in an order that does not depend on the threads. */

#define MAX_ACTORS 4
#define N_QUEUES   2

typedef struct _Actor Actor;

/* A task that makes one call, which may block. */
struct _Actor
{
  gboolean         (*call) (Actor *, GError **);
  guint              after;   /* not before that many threads wait in tasks */
  guint              queue;   /* in which of the queues it is */
  OsiisoTaskOptions *options; /* (nullable) */
  OsiisoGroup       *member;  /* (nullable): which it is submitted to */

  /* What it calls, and with what. */
  Actor             *other;
  OsiisoHandle      *target;  /* (nullable): instead of that */
  OsiisoGroup       *group;
  OsiisoQueue       *work;
  double             timeout; /* 0 for none */
  gboolean           force;
  OsiisoTaskFunc     func;    /* (nullable): what it submits */

  OsiisoHandle      *handle;
  OsiisoQueue      **queues;
  OsiisoAttempt     *attempt; /* (not owned), while it calls */
  GError            *error;
  int                done;
};

typedef struct
{
  OsiisoQueue *queues[N_QUEUES];
  Actor       *actors[MAX_ACTORS];
  guint        n_actors;
} Scene;

/* Two queues on thread-pool, with that many workers. A scene that takes too long
 * ends the program. */
void  scene_init      (Scene *self,
                       guint  workers);
void  scene_add       (Scene *self,
                       Actor *actor);
/* Lets all begin. */
void  scene_start     (Scene *self);
/* Until that many threads wait in tasks. */
void  scene_await     (guint  n_waits);
void  scene_await_done (Actor *actor);
/* Until all are done, and nothing is left. */
void  scene_finish    (Scene *self);

/* How the call of a finished scene went; drops what is left of it. */
void  actor_assert_ok (Actor *self);
void  actor_assert_refused (Actor      *self,
                            const char *part); /* (nullable): of the message */
void  actor_assert_timed_out (Actor *self);

/* Calls. */
gboolean actor_wait     (Actor *self, GError **error);
gboolean actor_wait_group (Actor *self, GError **error);
gboolean actor_next     (Actor *self, GError **error);
gboolean actor_join     (Actor *self, GError **error);
gboolean actor_run      (Actor *self, GError **error);
gboolean actor_shutdown (Actor *self, GError **error);
gboolean actor_submit   (Actor *self, GError **error);

/* The other files. */
void     test_add_wait_changes (void);
void     test_add_wait_contexts (void);
void     test_add_wait_ends (void);
void     test_add_wait_room (void);

G_END_DECLS
