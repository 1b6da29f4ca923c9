/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <sqlite3.h>

#include "index-hash.h"
#include "index-pictures.h"
#include "index-store.h"

#define BATCH_SIZE      1000
#define BUSY_TIMEOUT_MS 10000

/* "OSIX": tells our databases from those of other programs. */
#define APPLICATION_ID  1330858328
#define SCHEMA_VERSION  2

#define FAILURE_TYPE   "(saysu)"
#define FAILURE_FORMAT "(&s^&ay&su)"

#define PICTURE_FORMAT "(^&ay@" INDEX_PICTURE_TYPE ")"

/* File names need not be valid in any encoding, so the key is the bytes; the
 * name is the same for people. */
static const char schema[] =
  "CREATE TABLE files ("
  "  path BLOB PRIMARY KEY NOT NULL,"
  "  name TEXT NOT NULL,"
  "  size INTEGER NOT NULL,"
  "  mtime INTEGER NOT NULL,"
  "  sha256 TEXT NOT NULL,"
  "  content_type TEXT NOT NULL,"
  "  class TEXT NOT NULL"
  ") WITHOUT ROWID;"
  "CREATE TABLE failures ("
  "  path BLOB PRIMARY KEY NOT NULL,"
  "  name TEXT NOT NULL,"
  "  kind TEXT NOT NULL,"
  "  message TEXT NOT NULL,"
  "  attempts INTEGER NOT NULL"
  ") WITHOUT ROWID;"
  "PRAGMA application_id = " G_STRINGIFY (APPLICATION_ID) ";";

/* Since version 2. */
static const char pictures_schema[] =
  "CREATE TABLE pictures ("
  "  path BLOB PRIMARY KEY NOT NULL," /* those of files */
  "  name TEXT NOT NULL,"
  "  width INTEGER NOT NULL,"
  "  height INTEGER NOT NULL,"
  "  mean_color TEXT" /* #rrggbb */
  ") WITHOUT ROWID;"
  "PRAGMA user_version = " G_STRINGIFY (SCHEMA_VERSION) ";";

static const char insert_file_sql[] =
  "INSERT OR REPLACE INTO files (path, name, size, mtime, sha256, content_type, class)"
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char insert_picture_sql[] =
  "INSERT OR REPLACE INTO pictures (path, name, width, height, mean_color)"
  " VALUES (?1, ?2, ?3, ?4, ?5)";
static const char insert_failure_sql[] =
  "INSERT OR REPLACE INTO failures (path, name, kind, message, attempts)"
  " VALUES (?1, ?2, ?3, ?4, ?5)";

struct _IndexStore
{
  sqlite3      *db;
  char         *filename;
  sqlite3_stmt *insert_file;
  sqlite3_stmt *insert_picture;
  sqlite3_stmt *insert_failure;
  GPtrArray    *files;    /* of GVariant, INDEX_ROW_TYPE */
  GPtrArray    *pictures; /* of GVariant, PICTURE_FORMAT */
  GPtrArray    *failures; /* of GVariant, FAILURE_TYPE */
};

static gboolean
set_error_from_db (IndexStore *self,
                   GError    **error)
{
  g_autofree char *display = g_filename_display_name (self->filename);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Database '%s': %s",
               display, sqlite3_errmsg (self->db));
  return FALSE;
}

static gboolean
execute (IndexStore *self,
         const char *sql,
         GError    **error)
{
  return sqlite3_exec (self->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
         set_error_from_db (self, error);
}

static gboolean
prepare (IndexStore    *self,
         const char    *sql,
         sqlite3_stmt **statement,
         GError       **error)
{
  return sqlite3_prepare_v2 (self->db, sql, -1, statement, NULL) == SQLITE_OK ||
         set_error_from_db (self, error);
}

/* Runs a statement that returns one number. */
static gboolean
query_int (IndexStore *self,
           const char *sql,
           int        *value,
           GError    **error)
{
  sqlite3_stmt *statement = NULL;
  gboolean ok;

  if (!prepare (self, sql, &statement, error))
    return FALSE;

  ok = sqlite3_step (statement) == SQLITE_ROW;
  if (ok)
    *value = sqlite3_column_int (statement, 0);
  else
    set_error_from_db (self, error);
  sqlite3_finalize (statement);

  return ok;
}

/* Makes the tables in a new database or adds those that an older one does not have,
 * and refuses one that is not ours. */
static gboolean
ensure_schema (IndexStore *self,
               GError    **error)
{
  int n_tables = 0;
  int application = 0;
  int version = 0;
  g_autofree char *display = g_filename_display_name (self->filename);

  if (!query_int (self, "SELECT COUNT(*) FROM sqlite_master", &n_tables, error) ||
      !query_int (self, "PRAGMA application_id", &application, error) ||
      !query_int (self, "PRAGMA user_version", &version, error))
    return FALSE;

  if (n_tables == 0)
    return execute (self, schema, error) && execute (self, pictures_schema, error);

  if (application != APPLICATION_ID)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "Database '%s' belongs to another program", display);
      return FALSE;
    }
  if (version == 1)
    return execute (self, pictures_schema, error);
  if (version != SCHEMA_VERSION)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "Database '%s' has version %d, and not %d", display, version, SCHEMA_VERSION);
      return FALSE;
    }

  return TRUE;
}

/* BEGIN IMMEDIATE also shows here and now whether the database can be written. */
static gboolean
prepare_database (IndexStore *self,
                  GError    **error)
{
  if (!execute (self, "BEGIN IMMEDIATE", error))
    return FALSE;

  if (!ensure_schema (self, error) ||
      !execute (self, "COMMIT", error))
    {
      sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
      return FALSE;
    }

  /* With a write-ahead log a commit does not wait for the disk, and others can
   * read meanwhile. Where it cannot be had, all works without it, so the result
   * does not matter. */
  sqlite3_exec (self->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  sqlite3_exec (self->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);

  return prepare (self, insert_file_sql, &self->insert_file, error) &&
         prepare (self, insert_picture_sql, &self->insert_picture, error) &&
         prepare (self, insert_failure_sql, &self->insert_failure, error);
}

IndexStore *
index_store_open (const char *filename,
                  GError    **error)
{
  g_autoptr (IndexStore) self = g_new0 (IndexStore, 1);

  self->filename = g_strdup (filename);
  self->files = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  self->pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  self->failures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  if (sqlite3_open_v2 (filename, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
    {
      set_error_from_db (self, error);
      return NULL;
    }

  sqlite3_busy_timeout (self->db, BUSY_TIMEOUT_MS);
  if (!prepare_database (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
index_store_free (IndexStore *self)
{
  sqlite3_finalize (self->insert_file);
  sqlite3_finalize (self->insert_picture);
  sqlite3_finalize (self->insert_failure);
  sqlite3_close (self->db);
  g_ptr_array_unref (self->files);
  g_ptr_array_unref (self->pictures);
  g_ptr_array_unref (self->failures);
  g_free (self->filename);
  g_free (self);
}

static void
bind_bytes (sqlite3_stmt *statement,
            int           position,
            const char   *bytes)
{
  sqlite3_bind_blob (statement, position, bytes, strlen (bytes), SQLITE_TRANSIENT);
}

static void
bind_text (sqlite3_stmt *statement,
           int           position,
           const char   *text)
{
  sqlite3_bind_text (statement, position, text, -1, SQLITE_TRANSIENT);
}

/* The paths below a folder are those from "folder/" up to, but without,
 * "folder0", because 0 follows / in ASCII. The folder itself may be there too,
 * as a failure. */
static void
bind_folder (sqlite3_stmt *statement,
             const char   *folder)
{
  gboolean is_root = g_str_has_suffix (folder, "/");
  g_autofree char *first = g_strconcat (folder, is_root ? "" : "/", NULL);
  g_autofree char *end = g_strdup (first);

  end[strlen (end) - 1] = '/' + 1;
  bind_bytes (statement, 1, folder);
  bind_bytes (statement, 2, first);
  bind_bytes (statement, 3, end);
}

static gboolean
step_and_reset (IndexStore   *self,
                sqlite3_stmt *statement,
                GError      **error)
{
  gboolean ok = sqlite3_step (statement) == SQLITE_DONE || set_error_from_db (self, error);

  sqlite3_reset (statement);
  return ok;
}

static gboolean
clear_table (IndexStore *self,
             const char *sql,
             const char *folder,
             GError    **error)
{
  sqlite3_stmt *statement = NULL;
  gboolean ok;

  if (!prepare (self, sql, &statement, error))
    return FALSE;

  bind_folder (statement, folder);
  ok = step_and_reset (self, statement, error);
  sqlite3_finalize (statement);

  return ok;
}

/* Forgets what an earlier run stored of @folder and of all below it. */
gboolean
index_store_clear_folder (IndexStore *self,
                          const char *folder,
                          GError    **error)
{
  if (!execute (self, "BEGIN IMMEDIATE", error))
    return FALSE;

  if (clear_table (self, "DELETE FROM files WHERE path = ?1 OR (path >= ?2 AND path < ?3)", folder, error) &&
      clear_table (self, "DELETE FROM pictures WHERE path = ?1 OR (path >= ?2 AND path < ?3)", folder, error) &&
      clear_table (self, "DELETE FROM failures WHERE path = ?1 OR (path >= ?2 AND path < ?3)", folder, error) &&
      execute (self, "COMMIT", error))
    return TRUE;

  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static gboolean
insert_file (IndexStore *self,
             GVariant   *variant,
             GError    **error)
{
  IndexRow row;
  g_autofree char *name = NULL;

  index_row_unpack (variant, &row);
  name = g_filename_display_name (row.path);

  bind_bytes (self->insert_file, 1, row.path);
  bind_text (self->insert_file, 2, name);
  sqlite3_bind_int64 (self->insert_file, 3, row.size);
  sqlite3_bind_int64 (self->insert_file, 4, row.mtime);
  bind_text (self->insert_file, 5, row.sha256);
  bind_text (self->insert_file, 6, row.content_type);
  bind_text (self->insert_file, 7, index_class_get_name (row.klass));

  return step_and_reset (self, self->insert_file, error);
}

static gboolean
insert_picture (IndexStore *self,
                GVariant   *variant,
                GError    **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autofree char *name = NULL;
  char color[sizeof "#rrggbb"];
  IndexPicture picture;
  const char *path;

  g_variant_get (variant, PICTURE_FORMAT, &path, &value);
  index_picture_unpack (value, &picture);
  name = g_filename_display_name (path);
  g_snprintf (color, sizeof color, "#%06x", picture.color & 0xffffff);

  bind_bytes (self->insert_picture, 1, path);
  bind_text (self->insert_picture, 2, name);
  sqlite3_bind_int64 (self->insert_picture, 3, picture.width);
  sqlite3_bind_int64 (self->insert_picture, 4, picture.height);
  if (picture.has_color)
    bind_text (self->insert_picture, 5, color);
  else
    sqlite3_bind_null (self->insert_picture, 5);

  return step_and_reset (self, self->insert_picture, error);
}

static gboolean
insert_failure (IndexStore *self,
                GVariant   *variant,
                GError    **error)
{
  IndexFailure failure;
  g_autofree char *name = NULL;

  g_variant_get (variant, FAILURE_FORMAT,
                 &failure.kind, &failure.path, &failure.message, &failure.attempts);
  name = g_filename_display_name (failure.path);

  bind_bytes (self->insert_failure, 1, failure.path);
  bind_text (self->insert_failure, 2, name);
  bind_text (self->insert_failure, 3, failure.kind);
  bind_text (self->insert_failure, 4, failure.message);
  sqlite3_bind_int64 (self->insert_failure, 5, failure.attempts);

  return step_and_reset (self, self->insert_failure, error);
}

static gboolean
insert_all (IndexStore *self,
            GError    **error)
{
  for (guint i = 0; i < self->files->len; i++)
    {
      if (!insert_file (self, g_ptr_array_index (self->files, i), error))
        return FALSE;
    }
  for (guint i = 0; i < self->pictures->len; i++)
    {
      if (!insert_picture (self, g_ptr_array_index (self->pictures, i), error))
        return FALSE;
    }
  for (guint i = 0; i < self->failures->len; i++)
    {
      if (!insert_failure (self, g_ptr_array_index (self->failures, i), error))
        return FALSE;
    }

  return TRUE;
}

static guint
count_added (IndexStore *self)
{
  return self->files->len + self->pictures->len + self->failures->len;
}

/* Writes what was added since the last time: all of it or, with an error,
 * nothing. */
gboolean
index_store_flush (IndexStore *self,
                   GError    **error)
{
  if (count_added (self) == 0)
    return TRUE;

  if (!execute (self, "BEGIN IMMEDIATE", error))
    return FALSE;
  if (!insert_all (self, error) || !execute (self, "COMMIT", error))
    {
      sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
      return FALSE;
    }

  g_ptr_array_set_size (self->files, 0);
  g_ptr_array_set_size (self->pictures, 0);
  g_ptr_array_set_size (self->failures, 0);
  return TRUE;
}

static gboolean
flush_if_full (IndexStore *self,
               GError    **error)
{
  return count_added (self) < BATCH_SIZE || index_store_flush (self, error);
}

gboolean
index_store_add_file (IndexStore *self,
                      GVariant   *row,
                      GError    **error)
{
  g_ptr_array_add (self->files, g_variant_ref (row));
  return flush_if_full (self, error);
}

/* @value: INDEX_PICTURE_TYPE */
gboolean
index_store_add_picture (IndexStore *self,
                         const char *path,
                         GVariant   *value,
                         GError    **error)
{
  g_ptr_array_add (self->pictures, g_variant_ref_sink (g_variant_new ("(^ay@" INDEX_PICTURE_TYPE ")", path, value)));
  return flush_if_full (self, error);
}

gboolean
index_store_add_failure (IndexStore         *self,
                         const IndexFailure *failure,
                         GError            **error)
{
  GVariant *variant = g_variant_new ("(s^aysu)", failure->kind, failure->path,
                                     failure->message, failure->attempts);

  g_ptr_array_add (self->failures, g_variant_ref_sink (variant));
  return flush_if_full (self, error);
}

gboolean
index_store_foreach_failure (IndexStore      *self,
                             const char      *folder,
                             int              limit,
                             IndexFailureFunc func,
                             gpointer         user_data,
                             GError         **error)
{
  sqlite3_stmt *statement = NULL;
  int status;

  if (!prepare (self,
                "SELECT kind, path, message, attempts FROM failures"
                " WHERE path = ?1 OR (path >= ?2 AND path < ?3) ORDER BY path LIMIT ?4",
                &statement, error))
    return FALSE;

  bind_folder (statement, folder);
  sqlite3_bind_int (statement, 4, limit);
  while ((status = sqlite3_step (statement)) == SQLITE_ROW)
    {
      /* A blob has no nul at its end. */
      g_autofree char *path = g_strndup (sqlite3_column_blob (statement, 1),
                                         sqlite3_column_bytes (statement, 1));
      const IndexFailure failure = {
        .kind = (const char *) sqlite3_column_text (statement, 0),
        .path = path,
        .message = (const char *) sqlite3_column_text (statement, 2),
        .attempts = sqlite3_column_int (statement, 3),
      };

      func (&failure, user_data);
    }
  if (status != SQLITE_DONE)
    set_error_from_db (self, error);
  sqlite3_finalize (statement);

  return status == SQLITE_DONE;
}
