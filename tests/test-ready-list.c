/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "osiiso-ready-list-private.h"

/* Records by themselves, without a pool. */
static OsiisoRecord *
make_records (guint n)
{
  return g_new0 (OsiisoRecord, n);
}

static void
set_priority (OsiisoRecord *record,
              int           priority)
{
  atomic_store (&record->word, (guint32) (guint8) (gint8) priority << OSIISO_RECORD_PRIORITY_SHIFT);
}

static OsiisoRecord *
pop (OsiisoReadyList *list)
{
  OsiisoRecord *record = osiiso_ready_list_peek (list);

  if (record != NULL)
    osiiso_ready_list_remove (record);
  return record;
}

static void
test_order (void)
{
  static const int priorities[] = { 3, -128, 127, 3, 0, 127, -1, 3 };
  static const guint expected[] = { 1, 6, 4, 0, 3, 7, 2, 5 };
  g_autofree OsiisoRecord *records = make_records (G_N_ELEMENTS (priorities));
  OsiisoReadyList list;

  g_test_summary ("Lower priorities come first, and equal ones in the order in which they came");

  osiiso_ready_list_init (&list);
  g_assert_null (osiiso_ready_list_peek (&list));
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      set_priority (&records[i], priorities[i]);
      osiiso_ready_list_append (&list, &records[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_true (pop (&list) == &records[expected[i]]);
  g_assert_null (osiiso_ready_list_peek (&list));
}

static void
test_remove (void)
{
  g_autofree OsiisoRecord *records = make_records (5);
  OsiisoReadyList list;

  g_test_summary ("A record leaves from the front, the middle and the end, and a level that runs empty is passed over");

  osiiso_ready_list_init (&list);
  for (guint i = 0; i < 5; i++)
    {
      set_priority (&records[i], i < 3 ? 1 : 2);
      osiiso_ready_list_append (&list, &records[i]);
    }
  osiiso_ready_list_remove (&records[1]);
  g_assert_null (records[1].link.next);
  osiiso_ready_list_remove (&records[0]);
  osiiso_ready_list_remove (&records[2]);
  osiiso_ready_list_remove (&records[4]);
  g_assert_true (osiiso_ready_list_peek (&list) == &records[3]);
  osiiso_ready_list_remove (&records[3]);
  g_assert_null (osiiso_ready_list_peek (&list));

  osiiso_ready_list_append (&list, &records[0]);
  g_assert_true (pop (&list) == &records[0]);
}

static void
test_splice (void)
{
  g_autofree OsiisoRecord *records = make_records (6);
  OsiisoReadyList list;
  OsiisoReadyList inbox;

  g_test_summary ("What is spliced in goes behind what is there, level by level, and leaves nothing behind");

  osiiso_ready_list_init (&list);
  osiiso_ready_list_init (&inbox);
  for (guint i = 0; i < 6; i++)
    {
      set_priority (&records[i], (int) (i % 2));
      osiiso_ready_list_append (i < 2 ? &list : &inbox, &records[i]);
    }
  /* A level whose bit is set but that is empty again. */
  osiiso_ready_list_splice (&list, &inbox);
  g_assert_null (osiiso_ready_list_peek (&inbox));
  osiiso_ready_list_splice (&list, &inbox);

  g_assert_true (pop (&list) == &records[0]);
  g_assert_true (pop (&list) == &records[2]);
  g_assert_true (pop (&list) == &records[4]);
  g_assert_true (pop (&list) == &records[1]);
  osiiso_ready_list_remove (&records[3]);
  g_assert_true (pop (&list) == &records[5]);
  g_assert_null (pop (&list));
}

static void
test_random (void)
{
  const guint n = 500;
  g_autofree OsiisoRecord *records = make_records (n);
  g_autoptr (GPtrArray) model = g_ptr_array_new ();
  OsiisoReadyList list;
  OsiisoReadyList inbox;
  guint n_used = 0;

  g_test_summary ("Random appends, splices and removals agree with a stable sort");

  osiiso_ready_list_init (&list);
  osiiso_ready_list_init (&inbox);
  while (n_used < n || model->len > 0)
    {
      guint what = (guint) g_test_rand_int_range (0, 10);

      if (what < 5 && n_used < n)
        {
          guint place = 0;
          int priority = g_test_rand_int_range (-128, 128);

          set_priority (&records[n_used], priority);
          osiiso_ready_list_append (&inbox, &records[n_used]);
          osiiso_ready_list_splice (&list, &inbox);
          while (place < model->len &&
                 osiiso_word_get_priority (osiiso_record_get_word (g_ptr_array_index (model, place))) <= priority)
            place++;
          g_ptr_array_insert (model, (int) place, &records[n_used++]);
        }
      else if (what < 7 && model->len > 0)
        {
          guint place = (guint) g_test_rand_int_range (0, (int) model->len);

          osiiso_ready_list_remove (g_ptr_array_index (model, place));
          g_ptr_array_remove_index (model, place);
        }
      else if (model->len > 0)
        {
          g_assert_true (pop (&list) == g_ptr_array_index (model, 0));
          g_ptr_array_remove_index (model, 0);
        }
    }
  g_assert_null (pop (&list));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/ready-list/order", test_order);
  g_test_add_func ("/ready-list/remove", test_remove);
  g_test_add_func ("/ready-list/splice", test_splice);
  g_test_add_func ("/ready-list/random", test_random);

  return g_test_run ();
}
