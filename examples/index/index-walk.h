/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/*
 * IndexWalk: lists a tree, one task of a main-loop queue per folder.
 *
 * Everything in it happens in the thread that owns the queue, so nothing is
 * locked.
 */
typedef struct _IndexWalk IndexWalk;

/* What is met on the way. Links are never followed. */
typedef enum
{
  INDEX_ENTRY_FILE,
  INDEX_ENTRY_LINK,
  INDEX_ENTRY_SPECIAL, /* pipe, socket, device */
} IndexEntry;

/* Called for everything that is not a folder. FALSE with an error ends the
 * listing of the folder that it is in, as a failure. */
typedef gboolean (*IndexWalkFunc) (IndexEntry  entry,
                                   const char *path,
                                   guint64     size,
                                   gpointer    user_data,
                                   GError    **error);

IndexWalk *index_walk_new         (OsiisoQueue  *queue,
                                   IndexWalkFunc func,
                                   gpointer      user_data);
void       index_walk_free        (IndexWalk *self);
gboolean   index_walk_push_folder (IndexWalk  *self,
                                   const char *path,
                                   guint       depth,
                                   GError    **error);
void       index_walk_set_held    (IndexWalk *self,
                                   gboolean   held);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (IndexWalk, index_walk_free)

G_END_DECLS
