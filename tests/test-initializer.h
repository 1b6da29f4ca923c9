/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* What an initializer is given, which counts and fails as it is told to. */
typedef struct
{
  OsiisoQueue *queue;
  int          n_calls;
  int          n_released;
  int          fails;     /* all calls do */
  guint        fail_from; /* with the call of this number, and up to the next one */
  guint        fail_to;
  guint        wait_at;   /* the call that stops at the gate first */
  gboolean     wait_for_it; /* calls of a lower number wait until it is there */
  TestGate     gate;
} Init;

void     test_init_init       (Init        *self,
                               OsiisoQueue *queue);
void     test_init_release    (gpointer      data);
/* The initializer itself. */
gboolean test_initialize      (gpointer  data,
                               GError  **error);
void     test_init_set        (OsiisoQueue *queue,
                               Init        *init);
/* Drops the queue, and with it the initializer. */
void     test_init_free       (OsiisoQueue *queue,
                               Init        *init);

/* A task function: reports which call has initialized its thread, behind a gate or
 * without one. */
void     test_report_maker    (OsiisoAttempt *attempt,
                               gpointer       gate);
int      test_get_maker       (OsiisoHandle *handle);
void     test_assert_failed   (OsiisoHandle *handle,
                               const char   *message);
/* Runs as many tasks at a time as there should be workers, each in a thread that
 * has been initialized. */
void     test_assert_strength (OsiisoQueue *queue,
                               guint        n);

void     test_add_initializer_failures (void);

G_END_DECLS
