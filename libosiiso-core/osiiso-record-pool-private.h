/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-record-private.h"

G_BEGIN_DECLS

typedef struct _OsiisoRecordSlab OsiisoRecordSlab;

/*
 * OsiisoRecordPool: memory of the records of one scheduler, in slabs. A record knows its slab by its address, and a slab its number, so the
 * number of a task needs no table: it is made of the slot and of how often the
 * slot was used.
 *
 * The owner's lock guards everything but `returned`, the stack to which any
 * thread gives records back. The stack is only ever pushed to and taken whole,
 * so it has no ABA problem.
 */
typedef struct
{
  OsiisoRecordSlab **slabs; /* by number; NULL where one was freed */
  guint32           *generations;
  guint              n_slabs;
  guint              n_allocated;
  GArray            *free_numbers;
  OsiisoLink         partial; /* slabs with a free record */
  guint              n_empty; /* slabs without a record in use */
  _Atomic (OsiisoRecord *) returned;
  gpointer           owner;
} OsiisoRecordPool;

void             osiiso_record_pool_init   (OsiisoRecordPool *self,
                                            gpointer          owner);
void             osiiso_record_pool_clear  (OsiisoRecordPool *self);

/* A record with one reference, status PENDING, all else zero, or NULL when
 * there is no memory or no number left. Under the owner's lock. */
OsiisoRecord    *osiiso_record_pool_alloc  (OsiisoRecordPool *self);

/* Records of one pool that are on their way back, linked by link.next. */
typedef struct
{
  OsiisoRecord *first; /* (nullable) */
  OsiisoRecord *last;
  guint         n;
} OsiisoRecordChain;

/* Any thread, no lock. */
void             osiiso_record_pool_return (OsiisoRecord *record);
/* The same for many at once, which leaves the chain empty. */
void             osiiso_record_pool_return_chain (OsiisoRecordChain *chain);

/* A new reference on the record with that id, if it is still in use. Under the
 * owner's lock. */
OsiisoRecord    *osiiso_record_pool_lookup (OsiisoRecordPool *self,
                                            guint64           id);

/* Drops a reference; if it was the last one the record goes into the chain instead
 * of back to its pool. */
void             osiiso_record_unref_later (OsiisoRecord      *record,
                                            OsiisoRecordChain *chain);

guint64          osiiso_record_pool_get_id (OsiisoRecord *record);

/* What was given to osiiso_record_pool_init(), from a record. */
gpointer         osiiso_record_pool_get_owner (OsiisoRecord *record);

G_END_DECLS
