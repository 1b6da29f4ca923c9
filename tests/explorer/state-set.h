/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The states that an exploration has come through, by their fingerprints, each
 * with the smallest number of preemptions that led to it, and in which run. */
typedef struct _StateSet StateSet;

StateSet *state_set_new  (void);
void      state_set_free (StateSet *self);
/* 0 when it is new, or known at a higher cost only; otherwise the run that was
 * there. */
guint     state_set_add  (StateSet *self,
                          guint64   state,
                          guint     cost,
                          guint     run);

G_END_DECLS
