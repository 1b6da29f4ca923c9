/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-deadline-heap-private.h"

/* Four children per node: half the levels of a binary heap, and the pointers to
 * all children of a node lie in one or two cache lines. */
#define ARITY 4

#define MIN_ALLOCATED 64u

static inline gboolean
is_before (const OsiisoHeapNode *a,
           const OsiisoHeapNode *b)
{
  if (a->key != b->key)
    return a->key < b->key;

  return (gint32) (a->tie - b->tie) < 0;
}

static inline void
place (OsiisoDeadlineHeap *self,
       OsiisoHeapNode     *node,
       guint               index)
{
  self->nodes[index] = node;
  node->position = index + 1;
}

static void
set_allocated (OsiisoDeadlineHeap *self,
               guint               n_allocated)
{
  self->nodes = g_renew (OsiisoHeapNode *, self->nodes, n_allocated);
  self->n_allocated = n_allocated;
}

/* Puts @node where it belongs between @index, which is free, and the root. */
static void
sift_up (OsiisoDeadlineHeap *self,
         OsiisoHeapNode     *node,
         guint               index)
{
  while (index > 0)
    {
      guint parent = (index - 1) / ARITY;

      if (!is_before (node, self->nodes[parent]))
        break;

      place (self, self->nodes[parent], index);
      index = parent;
    }

  place (self, node, index);
}

/* Puts @node where it belongs between @index, which is free, and the leaves. */
static void
sift_down (OsiisoDeadlineHeap *self,
           OsiisoHeapNode     *node,
           guint               index)
{
  for (;;)
    {
      /* gsize, so that the number of a child that cannot exist is no small one. */
      gsize first = (gsize) index * ARITY + 1;
      gsize end = MIN (first + ARITY, (gsize) self->n_nodes);
      gsize best = first;

      if (first >= self->n_nodes)
        break;

      for (gsize child = first + 1; child < end; child++)
        {
          if (is_before (self->nodes[child], self->nodes[best]))
            best = child;
        }

      if (!is_before (self->nodes[best], node))
        break;

      place (self, self->nodes[best], index);
      index = best;
    }

  place (self, node, index);
}

void
osiiso_deadline_heap_init (OsiisoDeadlineHeap *self)
{
  *self = (OsiisoDeadlineHeap) { NULL, 0, 0 };
}

/* Takes all nodes out, which must still exist, and frees the array. The heap
 * can be used again. */
void
osiiso_deadline_heap_clear (OsiisoDeadlineHeap *self)
{
  for (guint i = 0; i < self->n_nodes; i++)
    self->nodes[i]->position = 0;

  g_free (self->nodes);
  osiiso_deadline_heap_init (self);
}

/* @node must be in no heap. */
void
osiiso_deadline_heap_insert (OsiisoDeadlineHeap *self,
                             OsiisoHeapNode     *node,
                             gint64              key,
                             guint32             tie)
{
  g_assert (node->position == 0);
  /* A position is 32 bits wide, and 0 says something else. */
  g_assert (self->n_nodes < G_MAXUINT32 - 1);

  if (self->n_nodes == self->n_allocated)
    set_allocated (self, self->n_allocated <= G_MAXUINT32 / 2
                           ? MAX (self->n_allocated * 2, MIN_ALLOCATED)
                           : G_MAXUINT32);

  node->key = key;
  node->tie = tie;
  sift_up (self, node, self->n_nodes++);
}

/* Whether @node was in the heap, which must be this one if it is in any. */
gboolean
osiiso_deadline_heap_remove (OsiisoDeadlineHeap *self,
                             OsiisoHeapNode     *node)
{
  OsiisoHeapNode *last;
  guint index;

  if (node->position == 0)
    return FALSE;

  index = node->position - 1;
  g_assert (index < self->n_nodes && self->nodes[index] == node);

  node->position = 0;
  last = self->nodes[--self->n_nodes];

  /* The last node fills the gap. It comes from another branch perhaps, so that
   * it may have to go either way. */
  if (last != node)
    {
      if (index > 0 && is_before (last, self->nodes[(index - 1) / ARITY]))
        sift_up (self, last, index);
      else
        sift_down (self, last, index);
    }

  /* A burst of delayed tasks must not hold its memory for ever; shrinking at a
   * quarter and to a half keeps the cost per removal constant. */
  if (self->n_allocated > MIN_ALLOCATED && self->n_nodes < self->n_allocated / 4)
    set_allocated (self, self->n_allocated / 2);

  return TRUE;
}
