/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

#include "index-hash.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 files;
  guint64 bytes;
} IndexCount;

/* The counts that the progress and the report are made of. They are the main
 * thread's: everything that changes them is a callback there. */
typedef struct
{
  IndexCount found;    /* handed to the hash queue */
  IndexCount done;     /* of these, finished in whatever way; sizes as found */
  IndexCount hashed;   /* of these, succeeded; sizes as hashed */
  IndexCount classes[INDEX_N_CLASSES];
  guint64    files_failed;
  guint64    folders;
  guint64    folders_failed;
  guint64    links;
  guint64    specials;
  guint64    retries;
  struct
  {
    guint64  found;    /* handed to the queue of pictures */
    guint64  done;     /* of these, finished in whatever way */
    guint64  decoded;  /* of these, succeeded; failed and skipped as well */
    guint64  failed;
    guint64  skipped;  /* there is no decoder */
    guint64  pixels;
  } pictures;
  gboolean   listed;   /* nothing more will be found */
  GPtrArray *big;      /* of OsiisoHandle: unfinished tasks whose progress is worth a look */
} IndexTotals;

void index_totals_init  (IndexTotals *self);
void index_totals_clear (IndexTotals *self);

/* Files, folders and pictures. */
guint64 index_totals_get_failed (const IndexTotals *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IndexTotals, index_totals_clear)

G_END_DECLS
