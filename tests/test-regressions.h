/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* A backend that runs nothing by itself: the test takes and runs, and so can do
 * something between the two. */
#define HELD_TYPE_BACKEND (held_backend_get_type ())
G_DECLARE_FINAL_TYPE (HeldBackend, held_backend, HELD, BACKEND, OsiisoBackend)

struct _HeldBackend
{
  OsiisoBackend parent_instance;

  int           n_wakes;
  int           n_interrupts;
};

/* A started queue on such a backend. */
OsiisoQueue   *test_held_queue_new (void);
OsiisoAttempt *test_held_take      (OsiisoQueue *queue);
/* Takes and runs until there is no more. */
void           test_held_run_all   (OsiisoQueue *queue);

/* A function that counts in an int. */
void           test_count_call     (OsiisoAttempt *attempt,
                                    gpointer       counter);

/* Iterates the default context until the task is over. */
void           test_await_done     (OsiisoHandle *handle);

/* The entries of a folder of /proc/self; -1 where there is none. */
int            test_count_entries  (const char *path);

void           test_add_regressions_waits  (void);
void           test_add_regressions_ends   (void);
void           test_add_regressions_limits (void);
void           test_add_regressions_system (void);
void           test_add_regressions_races  (void);

G_END_DECLS
