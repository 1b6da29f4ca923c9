/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "osiiso-record-pool-private.h"

/* Large enough that the C library maps it by itself, so that what the alignment
 * wastes is address space and no memory. */
#define SLAB_SIZE   (64 * 1024)
#define SLAB_HEADER 256
#define N_RECORDS   ((SLAB_SIZE - SLAB_HEADER) / sizeof (OsiisoRecord))

/* Ids stay below 2^53, so that they survive a JavaScript number: 27 bits of
 * slot, 26 bits of generation. */
#define SLOT_BITS       27
#define SLOT_MASK       ((1u << SLOT_BITS) - 1)
#define GENERATION_MASK ((1u << 26) - 1)

/* How many records ahead. */
#define PREFETCH 4

/* Empty slabs that are kept for the next burst. */
#define N_SPARE_SLABS 4

struct _OsiisoRecordSlab
{
  OsiisoLink        link; /* in pool->partial, or linked to itself */
  OsiisoRecordPool *pool;
  OsiisoRecord     *free_list; /* of records that were used */
  guint             n_fresh;   /* the records from here on never were */
  guint             n_free;    /* of both kinds */
  guint             number;
};

G_STATIC_ASSERT (sizeof (OsiisoRecordSlab) <= SLAB_HEADER);

static inline OsiisoRecordSlab *
slab_of (OsiisoRecord *record)
{
  return (OsiisoRecordSlab *) ((gsize) record & ~(gsize) (SLAB_SIZE - 1));
}

static inline OsiisoRecord *
slab_record (OsiisoRecordSlab *slab,
             guint             i)
{
  return (OsiisoRecord *) (void *) ((char *) slab + SLAB_HEADER) + i;
}

static inline void
link_init (OsiisoLink *link)
{
  link->next = link->prev = link;
}

static inline void
link_remove (OsiisoLink *link)
{
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link_init (link);
}

static inline void
link_push_front (OsiisoLink *list,
                 OsiisoLink *link)
{
  link->next = list->next;
  link->prev = list;
  list->next->prev = link;
  list->next = link;
}

void
osiiso_record_pool_init (OsiisoRecordPool *self,
                         gpointer          owner)
{
  memset (self, 0, sizeof *self);
  self->owner = owner;
  self->free_numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  link_init (&self->partial);
  atomic_init (&self->returned, NULL);
}

void
osiiso_record_pool_clear (OsiisoRecordPool *self)
{
  for (guint i = 0; i < self->n_slabs; i++)
    free (self->slabs[i]);
  g_free (self->slabs);
  g_free (self->generations);
  g_array_unref (self->free_numbers);
}

static gboolean
add_slab (OsiisoRecordPool *self)
{
  OsiisoRecordSlab *slab;
  guint number;

  if (self->free_numbers->len > 0)
    {
      number = g_array_index (self->free_numbers, guint, self->free_numbers->len - 1);
    }
  else
    {
      number = self->n_slabs;
      if ((guint64) (number + 1) * N_RECORDS > SLOT_MASK)
        return FALSE;
      if (number == self->n_allocated)
        {
          guint n = MAX (16, self->n_allocated * 2);

          self->slabs = g_renew (OsiisoRecordSlab *, self->slabs, n);
          self->generations = g_renew (guint32, self->generations, n);
          self->n_allocated = n;
        }
    }

  slab = aligned_alloc (SLAB_SIZE, SLAB_SIZE);
  if (slab == NULL)
    return FALSE;

  if (number == self->n_slabs)
    {
      self->generations[number] = 1;
      self->n_slabs++;
    }
  else
    {
      g_array_set_size (self->free_numbers, self->free_numbers->len - 1);
    }

  /* The records are left alone, so that a queue with few tasks is small. */
  memset (slab, 0, sizeof *slab);
  slab->pool = self;
  slab->number = number;
  slab->n_free = N_RECORDS;
  self->slabs[number] = slab;
  link_push_front (&self->partial, &slab->link);
  self->n_empty++;
  return TRUE;
}

static void
free_slab (OsiisoRecordPool *self,
           OsiisoRecordSlab *slab)
{
  guint32 generation = self->generations[slab->number];

  for (guint i = 0; i < slab->n_fresh; i++)
    generation = MAX (generation, slab_record (slab, i)->generation);
  self->generations[slab->number] = generation + 1;
  self->slabs[slab->number] = NULL;
  g_array_append_val (self->free_numbers, slab->number);
  link_remove (&slab->link);
  self->n_empty--;
  free (slab);
}

static void
reclaim (OsiisoRecordPool *self)
{
  OsiisoRecord *record = atomic_exchange_explicit (&self->returned, NULL, memory_order_acquire);

  while (record != NULL)
    {
      OsiisoRecord *next = (OsiisoRecord *) record->link.next;
      OsiisoRecordSlab *slab = slab_of (record);

      /* The records are in the cache of whoever gave them back. They were taken one
       * after the other, so those before this one come next, and it is not waited for. */
      __builtin_prefetch (record - PREFETCH, 1);

      record->link.next = (OsiisoLink *) slab->free_list;
      slab->free_list = record;
      if (slab->n_free++ == 0)
        link_push_front (&self->partial, &slab->link);
      if (slab->n_free == N_RECORDS)
        {
          self->n_empty++;
          if (self->n_empty > N_SPARE_SLABS)
            free_slab (self, slab);
        }
      record = next;
    }
}

OsiisoRecord *
osiiso_record_pool_alloc (OsiisoRecordPool *self)
{
  OsiisoRecordSlab *slab;
  OsiisoRecord *record;

  if (self->partial.next == &self->partial)
    {
      reclaim (self);
      if (self->partial.next == &self->partial && !add_slab (self))
        return NULL;
    }

  slab = (OsiisoRecordSlab *) (void *) self->partial.next;
  record = slab->free_list;
  if (record != NULL)
    {
      slab->free_list = (OsiisoRecord *) record->link.next;
    }
  else
    {
      record = slab_record (slab, slab->n_fresh++);
      /* Goes on from where an earlier slab of this number stopped, so that an old
       * id does not find a new task. */
      record->generation = self->generations[slab->number];
    }
  if (slab->n_free-- == N_RECORDS)
    self->n_empty--;
  if (slab->n_free == 0)
    link_remove (&slab->link);

  record->generation++;
  record->link.next = record->link.prev = NULL;
  record->func = NULL;
  record->data = NULL;
  record->destroy = NULL;
  record->seq = 0;
  atomic_store_explicit (&record->ext, NULL, memory_order_relaxed);
  atomic_store_explicit (&record->word, OSIISO_STATUS_PENDING, memory_order_relaxed);
  atomic_store_explicit (&record->ref_count, 1, memory_order_release);
  return record;
}

void
osiiso_record_pool_return_chain (OsiisoRecordChain *chain)
{
  OsiisoRecordPool *self;
  OsiisoRecord *first;

  if (chain->first == NULL)
    return;
  self = slab_of (chain->first)->pool;
  first = atomic_load_explicit (&self->returned, memory_order_relaxed);
  do
    chain->last->link.next = (OsiisoLink *) first;
  while (!atomic_compare_exchange_weak_explicit (&self->returned, &first, chain->first,
                                                 memory_order_release, memory_order_relaxed));
  *chain = (OsiisoRecordChain) { NULL, NULL, 0 };
}

void
osiiso_record_pool_return (OsiisoRecord *record)
{
  OsiisoRecordChain chain = { record, record, 1 };

  osiiso_record_pool_return_chain (&chain);
}

OsiisoRecord *
osiiso_record_pool_lookup (OsiisoRecordPool *self,
                           guint64           id)
{
  guint slot = id & SLOT_MASK;
  guint32 generation = id >> SLOT_BITS;
  guint number = slot / N_RECORDS;
  OsiisoRecord *record;

  if (number >= self->n_slabs || self->slabs[number] == NULL || slot % N_RECORDS >= self->slabs[number]->n_fresh)
    return NULL;
  record = slab_record (self->slabs[number], slot % N_RECORDS);

  /* The generation changes only in alloc, under the same lock as this. */
  if ((record->generation & GENERATION_MASK) != generation)
    return NULL;

  /* A record that nobody holds any more may not be revived. */
  if (!osiiso_ref_count_try_inc (&record->ref_count))
    return NULL;
  return record;
}

guint64
osiiso_record_pool_get_id (OsiisoRecord *record)
{
  OsiisoRecordSlab *slab = slab_of (record);
  guint slot = slab->number * N_RECORDS + (guint) (record - slab_record (slab, 0));

  return (guint64) (record->generation & GENERATION_MASK) << SLOT_BITS | slot;
}

gpointer
osiiso_record_pool_get_owner (OsiisoRecord *record)
{
  return slab_of (record)->pool->owner;
}
