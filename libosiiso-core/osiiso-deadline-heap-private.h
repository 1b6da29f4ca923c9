/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * OsiisoDeadlineHeap: a 4-ary heap of nodes that live in other structs, ordered
 * by (key, tie). Insert, remove and pop are O(log n), a look at the first is
 * O(1). Not locked: the owner guards it.
 *
 * The key is a time in microseconds for timers and a priority for the tasks
 * that come back to the ready queue; the tie compares modulo 2^32, so that a
 * counter that wraps keeps its order.
 */
typedef struct
{
  gint64  key;
  guint32 tie;
  guint32 position; /* 1-based place in the heap, 0 when it is in none */
} OsiisoHeapNode;

typedef struct
{
  OsiisoHeapNode **nodes;
  guint            n_nodes;
  guint            n_allocated;
} OsiisoDeadlineHeap;

void            osiiso_deadline_heap_init   (OsiisoDeadlineHeap *self);
void            osiiso_deadline_heap_clear  (OsiisoDeadlineHeap *self);
void            osiiso_deadline_heap_insert (OsiisoDeadlineHeap *self,
                                             OsiisoHeapNode     *node,
                                             gint64              key,
                                             guint32             tie);
gboolean        osiiso_deadline_heap_remove (OsiisoDeadlineHeap *self,
                                             OsiisoHeapNode     *node);

static inline OsiisoHeapNode *
osiiso_deadline_heap_peek (const OsiisoDeadlineHeap *self)
{
  return self->n_nodes > 0 ? self->nodes[0] : NULL;
}

static inline gboolean
osiiso_heap_node_is_queued (const OsiisoHeapNode *node)
{
  return node->position != 0;
}

G_END_DECLS
