/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "osiiso-record-pool-private.h"

static void
give_back (OsiisoRecord *record)
{
  if (atomic_fetch_sub (&record->ref_count, 1) == 1)
    osiiso_record_pool_return (record);
}

static void
test_fresh (void)
{
  OsiisoRecordPool pool;
  OsiisoRecord *record;

  g_test_summary ("A record is a clean cache line, also when it was used before");

  osiiso_record_pool_init (&pool, &pool);
  for (guint i = 0; i < 200; i++)
    {
      record = osiiso_record_pool_alloc (&pool);
      g_assert_nonnull (record);
      g_assert_cmpuint ((gsize) record % 64, ==, 0);
      g_assert_cmpint (osiiso_record_get_status (record), ==, OSIISO_STATUS_PENDING);
      g_assert_null (osiiso_record_get_ext (record));
      g_assert_null (record->data);
      g_assert_true (osiiso_record_pool_get_owner (record) == &pool);
      record->data = record;
      atomic_store (&record->word, 0xffffffff);
      give_back (record);
    }
  osiiso_record_pool_clear (&pool);
}

static void
test_ids (void)
{
  const guint n = 3000;
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  OsiisoRecordPool pool;

  g_test_summary ("Ids are unique, fit into a JavaScript number, and find their record until it is given back");

  osiiso_record_pool_init (&pool, NULL);
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < n; i++)
        {
          OsiisoRecord *record = osiiso_record_pool_alloc (&pool);
          guint64 id = osiiso_record_pool_get_id (record);
          OsiisoRecord *found;

          g_assert_cmpuint (id, >, 0);
          g_assert_cmpuint (id, <, G_GUINT64_CONSTANT (1) << 53);
          g_assert_true (g_hash_table_add (seen, g_memdup2 (&id, sizeof id)));
          found = osiiso_record_pool_lookup (&pool, id);
          g_assert_true (found == record);
          give_back (found);
          g_ptr_array_add (records, record);
        }
      while (records->len > 0)
        {
          OsiisoRecord *record = g_ptr_array_steal_index (records, (guint) g_test_rand_int_range (0, (int) records->len));
          guint64 id = osiiso_record_pool_get_id (record);

          give_back (record);
          g_assert_null (osiiso_record_pool_lookup (&pool, id));
        }
    }
  g_assert_null (osiiso_record_pool_lookup (&pool, 0));
  g_assert_null (osiiso_record_pool_lookup (&pool, G_MAXUINT64));
  osiiso_record_pool_clear (&pool);
}

static void
test_shrinks (void)
{
  const guint n = 1020 * 50;
  g_autofree OsiisoRecord **records = g_new (OsiisoRecord *, n);
  g_autofree guint64 *ids = g_new (guint64, n);
  OsiisoRecordPool pool;
  guint n_slabs = 0;

  g_test_summary ("After a burst most memory goes back, and old ids still find nothing");

  osiiso_record_pool_init (&pool, NULL);
  for (guint i = 0; i < n; i++)
    {
      records[i] = osiiso_record_pool_alloc (&pool);
      ids[i] = osiiso_record_pool_get_id (records[i]);
    }
  g_assert_cmpuint (pool.n_slabs, ==, 50);
  for (guint i = 0; i < n; i++)
    give_back (records[i]);

  /* The next allocation takes back what was returned. */
  records[0] = osiiso_record_pool_alloc (&pool);
  for (guint i = 0; i < pool.n_slabs; i++)
    n_slabs += pool.slabs[i] != NULL;
  g_assert_cmpuint (n_slabs, <, 10);
  for (guint i = 1; i < n; i++)
    g_assert_null (osiiso_record_pool_lookup (&pool, ids[i]));

  for (guint i = 1; i < n; i++)
    records[i] = osiiso_record_pool_alloc (&pool);
  g_assert_cmpuint (pool.n_slabs, ==, 50);
  for (guint i = 0; i < n; i++)
    g_assert_null (osiiso_record_pool_lookup (&pool, ids[i]));
  for (guint i = 0; i < n; i++)
    give_back (records[i]);
  osiiso_record_pool_clear (&pool);
}

/* Without GLib's queues and locks, which checkers of threads do not know. */
typedef struct
{
  pthread_mutex_t lock;
  pthread_cond_t  cond;
  OsiisoRecord   *records[64];
  guint           n;
  gboolean        over;
} Basket;

static void
basket_put (Basket       *self,
            OsiisoRecord *record)
{
  pthread_mutex_lock (&self->lock);
  while (self->n == G_N_ELEMENTS (self->records))
    pthread_cond_wait (&self->cond, &self->lock);
  self->records[self->n++] = record;
  pthread_cond_broadcast (&self->cond);
  pthread_mutex_unlock (&self->lock);
}

static OsiisoRecord *
basket_take (Basket *self)
{
  OsiisoRecord *record = NULL;

  pthread_mutex_lock (&self->lock);
  while (self->n == 0 && !self->over)
    pthread_cond_wait (&self->cond, &self->lock);
  if (self->n > 0)
    record = self->records[--self->n];
  pthread_cond_broadcast (&self->cond);
  pthread_mutex_unlock (&self->lock);
  return record;
}

static void *
return_thread (void *data)
{
  OsiisoRecord *record;

  while ((record = basket_take (data)) != NULL)
    give_back (record);
  return NULL;
}

static void
test_other_threads (void)
{
  Basket basket = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };
  pthread_t threads[3];
  OsiisoRecordPool pool;

  g_test_summary ("Records come back from other threads while new ones are made");

  osiiso_record_pool_init (&pool, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, return_thread, &basket), ==, 0);
  for (guint i = 0; i < 50000; i++)
    {
      OsiisoRecord *record = osiiso_record_pool_alloc (&pool);

      g_assert_null (record->data);
      record->data = record;
      basket_put (&basket, record);
    }
  pthread_mutex_lock (&basket.lock);
  basket.over = TRUE;
  pthread_cond_broadcast (&basket.cond);
  pthread_mutex_unlock (&basket.lock);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  osiiso_record_pool_clear (&pool);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/record-pool/fresh", test_fresh);
  g_test_add_func ("/record-pool/ids", test_ids);
  g_test_add_func ("/record-pool/shrinks", test_shrinks);
  g_test_add_func ("/record-pool/other-threads", test_other_threads);

  return g_test_run ();
}
