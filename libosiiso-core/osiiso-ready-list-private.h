/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-record-private.h"

G_BEGIN_DECLS

#define OSIISO_N_LEVELS 256

/*
 * OsiisoReadyList: runnable records, a FIFO per priority and a bitmap that
 * finds the most urgent one. All operations are O(1); a record leaves from
 * anywhere without the list being known. Not locked: the owner guards it.
 *
 * A bit that is set for an empty level is only a hint that has to be cleared,
 * because a removal from the middle does not know its level.
 */
typedef struct
{
  OsiisoLink levels[OSIISO_N_LEVELS];
  guint64    bitmap[OSIISO_N_LEVELS / 64];
} OsiisoReadyList;

void          osiiso_ready_list_init    (OsiisoReadyList *self);
void          osiiso_ready_list_append  (OsiisoReadyList *self,
                                         OsiisoRecord    *record);
OsiisoRecord *osiiso_ready_list_peek    (OsiisoReadyList *self);
void          osiiso_ready_list_remove  (OsiisoRecord    *record);

/* Moves all of @from behind what @self has, level by level. */
void          osiiso_ready_list_splice  (OsiisoReadyList *self,
                                         OsiisoReadyList *from);

G_END_DECLS
