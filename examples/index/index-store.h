/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * IndexStore: the SQLite database. Used from one thread.
 *
 * What is added is collected first and written in one transaction when there is
 * enough of it, or by index_store_flush(). So the database is never locked for
 * longer than a write takes, and what it holds is always whole.
 */
typedef struct _IndexStore IndexStore;

/* A task that failed for good. */
typedef struct
{
  const char *kind;    /* "file", "folder" or "picture" */
  const char *path;    /* any bytes */
  const char *message;
  guint       attempts;
} IndexFailure;

typedef void (*IndexFailureFunc) (const IndexFailure *failure,
                                  gpointer            user_data);

IndexStore *index_store_open         (const char *filename,
                                      GError    **error);
void        index_store_free         (IndexStore *self);
gboolean    index_store_clear_folder (IndexStore *self,
                                      const char *folder,
                                      GError    **error);
gboolean    index_store_add_file     (IndexStore *self,
                                      GVariant   *row,
                                      GError    **error);
gboolean    index_store_add_picture  (IndexStore *self,
                                      const char *path,
                                      GVariant   *value,
                                      GError    **error);
gboolean    index_store_add_failure  (IndexStore         *self,
                                      const IndexFailure *failure,
                                      GError            **error);
gboolean    index_store_flush        (IndexStore *self,
                                      GError    **error);

/* The failures of @folder in the order of their paths: @limit of them, or all
 * with a negative one. */
gboolean    index_store_foreach_failure (IndexStore      *self,
                                         const char      *folder,
                                         int              limit,
                                         IndexFailureFunc func,
                                         gpointer         user_data,
                                         GError         **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (IndexStore, index_store_free)

G_END_DECLS
