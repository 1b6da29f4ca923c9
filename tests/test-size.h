/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

#define ITERATE_UNTIL(condition)               \
  while (!(condition))                         \
    {                                          \
      g_main_context_iteration (NULL, FALSE);  \
      g_thread_yield ();                       \
    }

/* With workers for all tasks that a test has. */
OsiisoQueue *test_bounded_queue   (const char *backend,
                                   guint       size);
/* A queue of size 1 that cannot be started. */
OsiisoQueue *test_shut_queue_new  (void);

guint        test_n_waiting       (OsiisoQueue *queue);
guint64      test_n_outstanding   (OsiisoQueue *queue);

/* Starts the queue, and tasks that hold their places until they are let go, but
 * no worker. */
void         test_fill            (OsiisoQueue    *queue,
                                   OsiisoAttempt **attempts,
                                   guint           n);
void         test_let_go          (OsiisoAttempt **attempt);
void         test_join            (OsiisoQueue *queue);

/* User data whose release is counted, which has to come in the default context. */
typedef struct
{
  TestLog    *log; /* (nullable) */
  const char *name;
  int         n_released;
} TestData;

void         test_release         (gpointer data);
void         test_task_log        (OsiisoAttempt *attempt,
                                   gpointer       user_data);

/* A thread that submits. */
typedef struct
{
  OsiisoQueue       *queue;
  OsiisoGroup       *group;   /* to submit into */
  guint              n;       /* of a map */
  gboolean           push;
  OsiisoTaskFunc     func;
  TestData           data;
  OsiisoTaskOptions *options;

  GThread           *thread;
  int                returned;
  OsiisoHandle      *handle;
  OsiisoGroup       *map;
  guint64            id;
  GError            *error;
} TestSubmitter;

void         test_submitter_start         (TestSubmitter *self,
                                           OsiisoQueue   *queue);
/* Starts it and comes back when it is in line. */
void         test_submitter_start_waiting (TestSubmitter *self,
                                           OsiisoQueue   *queue);
/* Wait for it to come back. */
void         test_submitter_finish        (TestSubmitter *self);
void         test_submitter_assert_in     (TestSubmitter *self);
void         test_submitter_assert_error  (TestSubmitter *self,
                                           GQuark         domain,
                                           int            code,
                                           const char    *message);

/* A thread that runs the queue and returns the summary. */
gpointer     test_run_thread      (gpointer queue);

/* A weak notify. */
void         test_gone_cb         (gpointer  flag,
                                   GObject  *where_it_was);

void         test_add_size_room   (void);
void         test_add_size_waits  (void);
void         test_add_size_async  (void);
void         test_add_size_async_pairs (void);

G_END_DECLS
