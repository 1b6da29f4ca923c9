/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The heap has no public symbols; its source is compiled into this program. */

#include "osiiso-deadline-heap-private.h"

typedef struct
{
  OsiisoHeapNode node;
  gint64         key;
  guint32        tie;
} Item;

static int
compare (gconstpointer a,
         gconstpointer b)
{
  const Item *x = *(Item *const *) a;
  const Item *y = *(Item *const *) b;

  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  if (x->tie != y->tie)
    return (gint32) (x->tie - y->tie) < 0 ? -1 : 1;
  return 0;
}

static Item *
item_of (OsiisoHeapNode *node)
{
  return (Item *) (void *) ((char *) node - G_STRUCT_OFFSET (Item, node));
}

/* Every node is where it says it is, and none comes before its parent. */
static void
assert_sound (const OsiisoDeadlineHeap *heap)
{
  for (guint i = 0; i < heap->n_nodes; i++)
    {
      Item *item = item_of (heap->nodes[i]);

      g_assert_cmpuint (item->node.position, ==, i + 1);
      g_assert_true (osiiso_heap_node_is_queued (&item->node));
      g_assert_cmpint (item->node.key, ==, item->key);
      g_assert_cmpuint (item->node.tie, ==, item->tie);
      if (i > 0)
        {
          Item *parent = item_of (heap->nodes[(i - 1) / 4]);

          g_assert_cmpint (compare (&parent, &item), <=, 0);
        }
    }
  g_assert_cmpuint (heap->n_nodes, <=, heap->n_allocated);
}

static void
insert (OsiisoDeadlineHeap *heap,
        Item               *item,
        gint64              key,
        guint32             tie)
{
  item->key = key;
  item->tie = tie;
  osiiso_deadline_heap_insert (heap, &item->node, key, tie);
}

static Item *
pop (OsiisoDeadlineHeap *heap)
{
  OsiisoHeapNode *node = osiiso_deadline_heap_peek (heap);

  g_assert_nonnull (node);
  g_assert_true (osiiso_deadline_heap_remove (heap, node));
  g_assert_false (osiiso_heap_node_is_queued (node));

  return item_of (node);
}

static void
test_empty (void)
{
  OsiisoDeadlineHeap heap;
  Item item = { 0 };

  osiiso_deadline_heap_init (&heap);
  g_assert_null (osiiso_deadline_heap_peek (&heap));
  g_assert_false (osiiso_heap_node_is_queued (&item.node));
  g_assert_false (osiiso_deadline_heap_remove (&heap, &item.node));

  insert (&heap, &item, G_MININT64, 0);
  g_assert_true (osiiso_deadline_heap_peek (&heap) == &item.node);
  g_assert_true (osiiso_deadline_heap_remove (&heap, &item.node));
  g_assert_false (osiiso_deadline_heap_remove (&heap, &item.node));
  g_assert_null (osiiso_deadline_heap_peek (&heap));

  osiiso_deadline_heap_clear (&heap);
  osiiso_deadline_heap_clear (&heap);
}

static void
test_key_order (void)
{
  const gint64 keys[] = { 5, G_MAXINT64, -3, 0, G_MININT64, 5, 1, -3, G_MAXINT64 - 1 };
  OsiisoDeadlineHeap heap;
  Item items[G_N_ELEMENTS (keys)] = { 0 };
  gint64 last = G_MININT64;

  osiiso_deadline_heap_init (&heap);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      insert (&heap, &items[i], keys[i], i);
      assert_sound (&heap);
    }

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      Item *item = pop (&heap);

      g_assert_cmpint (item->key, >=, last);
      last = item->key;
      assert_sound (&heap);
    }

  g_assert_null (osiiso_deadline_heap_peek (&heap));
  osiiso_deadline_heap_clear (&heap);
}

/* A counter gives the ties; the order of equal keys is that of the counter, also
 * where it wraps. */
static void
test_tie_wraps (void)
{
  const guint n = 1000;
  const guint32 start = G_MAXUINT32 - 499;
  g_autofree Item *items = g_new0 (Item, n);
  g_autofree guint *order = g_new (guint, n);
  OsiisoDeadlineHeap heap;

  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n - 1; i > 0; i--)
    {
      guint j = (guint) g_test_rand_int_range (0, (gint32) i + 1);
      guint swap = order[i];

      order[i] = order[j];
      order[j] = swap;
    }

  osiiso_deadline_heap_init (&heap);
  for (guint i = 0; i < n; i++)
    insert (&heap, &items[order[i]], 7, start + order[i]);
  assert_sound (&heap);

  for (guint i = 0; i < n; i++)
    g_assert_true (pop (&heap) == &items[i]);

  osiiso_deadline_heap_clear (&heap);
}

static void
test_remove_any (void)
{
  const guint n = 200;
  g_autofree Item *items = g_new0 (Item, n);

  /* Each place in turn, on a heap with branches so different that the node that
   * fills the gap has to go up in some cases and down in others. */
  for (guint victim = 0; victim < n; victim++)
    {
      g_autoptr (GPtrArray) expected = g_ptr_array_new ();
      OsiisoDeadlineHeap heap;

      osiiso_deadline_heap_init (&heap);
      for (guint i = 0; i < n; i++)
        insert (&heap, &items[i], g_test_rand_int_range (0, 50), i);

      g_assert_true (osiiso_deadline_heap_remove (&heap, heap.nodes[victim]));
      assert_sound (&heap);
      g_assert_cmpuint (heap.n_nodes, ==, n - 1);

      for (guint i = 0; i < n; i++)
        {
          if (osiiso_heap_node_is_queued (&items[i].node))
            g_ptr_array_add (expected, &items[i]);
        }
      g_assert_cmpuint (expected->len, ==, n - 1);
      g_ptr_array_sort (expected, compare);
      for (guint i = 0; i < n - 1; i++)
        g_assert_true (pop (&heap) == g_ptr_array_index (expected, i));

      osiiso_deadline_heap_clear (&heap);
    }
}

static void
test_random (void)
{
  const guint n = 600;
  const guint n_steps = g_test_thorough () ? 500000 : 30000;
  g_autofree Item *items = g_new0 (Item, n);
  g_autoptr (GPtrArray) expected = g_ptr_array_new ();
  guint32 tie = G_MAXUINT32 - n_steps / 20;
  guint32 oldest = tie;
  OsiisoDeadlineHeap heap;

  osiiso_deadline_heap_init (&heap);

  for (guint step = 0; step < n_steps; step++)
    {
      Item *item = &items[g_test_rand_int_range (0, (gint32) n)];
      /* The load goes up and down, so that the array grows and shrinks. */
      gboolean filling = (step / 2000) % 2 == 0;

      if (osiiso_heap_node_is_queued (&item->node))
        {
          if (filling && g_test_rand_bit ())
            continue;
          g_assert_true (g_ptr_array_remove (expected, item));
          g_assert_true (osiiso_deadline_heap_remove (&heap, &item->node));
        }
      else if (filling || g_test_rand_int_range (0, 8) == 0)
        {
          insert (&heap, item, g_test_rand_int_range (-20, 20), tie++);
          g_ptr_array_add (expected, item);
        }
      else if (expected->len > 0)
        {
          g_ptr_array_sort (expected, compare);
          g_assert_true (pop (&heap) == g_ptr_array_steal_index (expected, 0));
        }

      g_assert_cmpuint (heap.n_nodes, ==, expected->len);
      if (step % 97 == 0)
        {
          assert_sound (&heap);
          g_ptr_array_sort (expected, compare);
          g_assert_true (osiiso_deadline_heap_peek (&heap) ==
                         (expected->len > 0 ? &((Item *) g_ptr_array_index (expected, 0))->node : NULL));
        }
    }

  g_assert_cmpuint (tie, <, oldest); /* it did wrap */

  g_ptr_array_sort (expected, compare);
  for (guint i = 0; i < expected->len; i++)
    g_assert_true (pop (&heap) == g_ptr_array_index (expected, i));
  g_assert_null (osiiso_deadline_heap_peek (&heap));

  osiiso_deadline_heap_clear (&heap);
}

static void
test_shrink (void)
{
  const guint n = 100000;
  g_autofree Item *items = g_new0 (Item, n);
  OsiisoDeadlineHeap heap;

  osiiso_deadline_heap_init (&heap);
  for (guint i = 0; i < n; i++)
    insert (&heap, &items[i], (gint64) (i % 1000), i);
  g_assert_cmpuint (heap.n_allocated, >=, n);

  for (guint i = 0; i < n - 10; i++)
    pop (&heap);
  assert_sound (&heap);
  g_assert_cmpuint (heap.n_allocated, <=, 64);

  osiiso_deadline_heap_clear (&heap);
}

static void
test_clear (void)
{
  OsiisoDeadlineHeap heap;
  Item items[100] = { 0 };

  osiiso_deadline_heap_init (&heap);
  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    insert (&heap, &items[i], -(gint64) i, i);

  osiiso_deadline_heap_clear (&heap);
  g_assert_null (osiiso_deadline_heap_peek (&heap));
  g_assert_cmpuint (heap.n_nodes, ==, 0);
  g_assert_cmpuint (heap.n_allocated, ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    g_assert_false (osiiso_heap_node_is_queued (&items[i].node));

  /* It can be used again, and so can the nodes. */
  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    insert (&heap, &items[i], (gint64) i, i);
  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    g_assert_true (pop (&heap) == &items[i]);

  osiiso_deadline_heap_clear (&heap);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/deadline-heap/empty", test_empty);
  g_test_add_func ("/deadline-heap/key-order", test_key_order);
  g_test_add_func ("/deadline-heap/tie-wraps", test_tie_wraps);
  g_test_add_func ("/deadline-heap/remove-any", test_remove_any);
  g_test_add_func ("/deadline-heap/random", test_random);
  g_test_add_func ("/deadline-heap/shrink", test_shrink);
  g_test_add_func ("/deadline-heap/clear", test_clear);

  return g_test_run ();
}
