/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/* The broad classes that files are sorted into. Their order is the order of the
 * report. */
typedef enum
{
  INDEX_CLASS_TEXT,
  INDEX_CLASS_DOCUMENT,
  INDEX_CLASS_IMAGE,
  INDEX_CLASS_AUDIO,
  INDEX_CLASS_VIDEO,
  INDEX_CLASS_FONT,
  INDEX_CLASS_ARCHIVE,
  INDEX_CLASS_PROGRAM,
  INDEX_CLASS_EMPTY,
  INDEX_CLASS_DATA,
} IndexClass;

#define INDEX_N_CLASSES (INDEX_CLASS_DATA + 1)

/* What is found out about a file; the value of a task that succeeded. A
 * GVariant is immutable, so it may travel from the worker thread that made it.
 *
 * ay path (bytes with a nul), t size, x modification time in seconds since
 * 1970, s SHA-256 in hex, s content type, y IndexClass */
#define INDEX_ROW_TYPE   "(aytxssy)"
#define INDEX_ROW_FORMAT "(^&aytx&s&sy)"

typedef struct
{
  const char *path;
  guint64     size;
  gint64      mtime;
  const char *sha256;
  const char *content_type;
  guint8      klass;
} IndexRow;

/* The strings live as long as @row. */
void        index_row_unpack     (GVariant *row,
                                  IndexRow *unpacked);

const char *index_class_get_name (IndexClass klass);

/* What goes along with a hash task and is found on its handle. */
GVariant   *index_file_metadata_new (const char *path,
                                     guint64     size);
void        index_file_metadata_get (GVariant    *metadata,
                                     const char **path,
                                     guint64     *size);

/* An OsiisoTaskFunc. @user_data is the path of a regular file. */
void        index_hash_file      (OsiisoAttempt *attempt,
                                  gpointer       user_data);

G_END_DECLS
