/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folder-work.h"

#include <gio/gio.h>

#define CHUNK (256 * 1024)
#define ATTRIBUTES                                                    \
  G_FILE_ATTRIBUTE_STANDARD_NAME "," G_FILE_ATTRIBUTE_STANDARD_TYPE

typedef struct
{
  OsiisoGroup *group; /* (owned) */
  GFile       *top;   /* (owned) */
} FolderWalk;

/* In the context of the window. */
static void
folder_walk_free (gpointer data)
{
  FolderWalk *walk = data;

  g_object_unref (walk->group);
  g_object_unref (walk->top);
  g_free (walk);
}

/* In a thread of the pool, as all that follows. */
static char *
hash_stream (OsiisoAttempt *attempt,
             GInputStream  *stream,
             goffset        size,
             GError       **error)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *buffer = g_malloc (CHUNK);
  goffset done = 0;
  gssize n;

  while ((n = g_input_stream_read (stream, buffer, CHUNK, cancellable, error)) > 0)
    {
      g_checksum_update (checksum, buffer, n);
      done += n;
      if (size > CHUNK)
        osiiso_attempt_set_progress (attempt, MIN (1.0, (double) done / size), NULL);
    }
  return n == 0 ? g_strdup (g_checksum_get_string (checksum)) : NULL;
}

static void
hash_file (OsiisoAttempt *attempt,
           gpointer       user_data)
{
  g_autoptr (GFile) file = g_file_new_for_path (user_data);
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  g_autoptr (GFileInputStream) stream = NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autofree char *text = NULL;
  GError *error = NULL;

  stream = g_file_read (file, cancellable, &error);
  if (stream != NULL)
    info = g_file_input_stream_query_info (stream, G_FILE_ATTRIBUTE_STANDARD_SIZE, cancellable, &error);
  if (info != NULL)
    text = hash_stream (attempt, G_INPUT_STREAM (stream), g_file_info_get_size (info), &error);
  if (text == NULL)
    {
      osiiso_attempt_return_error (attempt, error);
      return;
    }
  osiiso_attempt_set_progress (attempt, 1.0, NULL);
  osiiso_attempt_return_string (attempt, text);
}

static OsiisoHandle *
submit_file (OsiisoGroup *group,
             const char  *name,
             const char  *path,
             GError     **error)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();

  osiiso_task_options_set_name (options, name);
  osiiso_task_options_set_metadata (options, g_variant_new_bytestring (path));
  osiiso_task_options_set_retries (options, 1);
  osiiso_task_options_set_retry_delay (options, 0.5);
  osiiso_task_options_never_retry_on (options, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  return osiiso_group_submit (group, hash_file, g_strdup (path), g_free, options, error);
}

static gboolean
submit_one (FolderWalk *walk,
            GFile      *file,
            GError    **error)
{
  g_autofree char *below = g_file_get_relative_path (walk->top, file);
  g_autofree char *name = g_filename_display_name (below);
  g_autoptr (OsiisoHandle) handle = submit_file (walk->group, name, g_file_peek_path (file), error);

  return handle != NULL;
}

static gboolean
walk_folder (FolderWalk   *walk,
             GFile        *folder,
             GCancellable *cancellable,
             GError      **error)
{
  g_autoptr (GFileEnumerator) children =
    g_file_enumerate_children (folder, ATTRIBUTES, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, cancellable, error);
  GFileInfo *info;
  GFile *child;

  if (children == NULL)
    return FALSE;
  while (g_file_enumerator_iterate (children, &info, &child, cancellable, error))
    {
      GFileType type;

      if (info == NULL)
        return TRUE;
      type = g_file_info_get_file_type (info);
      if (type == G_FILE_TYPE_REGULAR && !submit_one (walk, child, error))
        return FALSE;
      /* A folder that cannot be read does not hide the others. */
      if (type == G_FILE_TYPE_DIRECTORY && !walk_folder (walk, child, cancellable, NULL) &&
          g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
    }
  return FALSE;
}

static void
walk_all (OsiisoAttempt *attempt,
          gpointer       user_data)
{
  FolderWalk *walk = user_data;
  GError *error = NULL;

  if (walk_folder (walk, walk->top, osiiso_attempt_get_cancellable (attempt), &error))
    osiiso_attempt_return_none (attempt);
  else
    osiiso_attempt_return_error (attempt, error);
}

OsiisoHandle *
folder_work_begin (OsiisoQueue *queue,
                   OsiisoGroup *group,
                   const char  *folder,
                   GError     **error)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  FolderWalk *walk = g_new (FolderWalk, 1);

  walk->group = g_object_ref (group);
  walk->top = g_file_new_for_path (folder);
  osiiso_task_options_set_name (options, folder);
  osiiso_task_options_set_priority (options, 0);
  return osiiso_queue_submit (queue, walk_all, walk, folder_walk_free, options, error);
}

OsiisoHandle *
folder_work_again (OsiisoGroup  *group,
                   OsiisoHandle *handle,
                   GError      **error)
{
  const char *path = g_variant_get_bytestring (osiiso_handle_get_metadata (handle));

  return submit_file (group, osiiso_handle_get_name (handle), path, error);
}
