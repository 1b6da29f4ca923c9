/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* A backend that runs nothing by itself: the test takes, takes ahead and gives
 * back. */
#define AHEAD_TYPE_BACKEND (ahead_backend_get_type ())
G_DECLARE_FINAL_TYPE (AheadBackend, ahead_backend, AHEAD, BACKEND, OsiisoBackend)

struct _AheadBackend
{
  OsiisoBackend parent_instance;

  int           n_wakes;
  int           n_interrupts;
  gpointer      last;      /* the attempt that was interrupted last, not owned */
  void        (*hook) (AheadBackend *backend); /* (nullable): called when one is */
  gpointer      hook_data;
  OsiisoQueue  *queue;     /* (nullable), not owned, for the hook */
};

/* A started queue on such a backend, with that many workers. */
OsiisoQueue   *test_ahead_queue_new (guint workers);
AheadBackend  *test_ahead_backend   (OsiisoQueue *queue);
OsiisoAttempt *test_take            (OsiisoQueue *queue);
OsiisoAttempt *test_take_ahead      (OsiisoQueue *queue);
void           test_nothing_to_take (OsiisoQueue *queue);
/* Reports that it has succeeded, and drops it. */
void           test_end             (OsiisoAttempt *attempt);
/* Takes and ends until there is no more. */
void           test_end_all         (OsiisoQueue *queue);
/* That it was woken that often since the last look. */
void           test_woken           (OsiisoQueue *queue,
                                     int          times);

void           test_add_ahead_ends  (void);
void           test_add_ahead_races (void);
void           test_add_ahead_storms (void);

G_END_DECLS
