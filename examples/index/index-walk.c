/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Listing a tree with asynchronous GIO. A task of a main-loop queue may take
 * its time without taking a thread: it defers its attempt, starts an operation,
 * and returns; the callback of the last operation finishes the attempt. The
 * queue sees to it that no more folders than it has workers are open at a time.
 */

#include "index-text.h"
#include "index-walk.h"

#define ATTRIBUTES                       \
  G_FILE_ATTRIBUTE_STANDARD_NAME "," \
  G_FILE_ATTRIBUTE_STANDARD_TYPE "," \
  G_FILE_ATTRIBUTE_STANDARD_SIZE
#define BATCH_SIZE 256

struct _IndexWalk
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  IndexWalkFunc      func;
  gpointer           user_data;
  gboolean           held;
  GQueue             parked;     /* of Listing, owned */
  guint              n_listings; /* all, whether parked or not */
};

/* What a folder task is given. It is the queue's, which frees it when the task
 * is over and no attempt at it is left. */
typedef struct
{
  IndexWalk *walk;
  char      *path;
  guint      depth;
} Folder;

/* A deferred attempt, until its last callback. That can be later than the end
 * of the task, which a cancellation brings about at once; but as long as there
 * is the attempt, there is the folder. */
typedef struct
{
  OsiisoAttempt   *attempt;
  Folder          *folder;
  GFileEnumerator *enumerator;
} Listing;

static void listing_next (Listing *self);

static Listing *
listing_new (Folder        *folder,
             OsiisoAttempt *attempt)
{
  Listing *self = g_new0 (Listing, 1);

  self->attempt = osiiso_attempt_defer (attempt);
  self->folder = folder;
  folder->walk->n_listings++;

  return self;
}

static void
listing_free (Listing *self)
{
  self->folder->walk->n_listings--;
  g_clear_object (&self->enumerator);
  /* If nothing had been returned on it, the task would fail with ABANDONED. */
  osiiso_attempt_unref (self->attempt);
  g_free (self);
}

/* Ends the attempt, with @error or without one. Ending an attempt that is over
 * already, because it was cancelled, does nothing. */
static void
listing_finish (Listing *self,
                GError  *error)
{
  if (error != NULL)
    osiiso_attempt_return_error (self->attempt, error);
  else
    osiiso_attempt_return_none (self->attempt);

  listing_free (self);
}

static gboolean
listing_add_entry (Listing   *self,
                   GFileInfo *info,
                   GError   **error)
{
  IndexWalk *walk = self->folder->walk;
  g_autofree char *path = g_build_filename (self->folder->path, g_file_info_get_name (info), NULL);
  GFileType type = g_file_info_get_file_type (info);

  if (type == G_FILE_TYPE_DIRECTORY)
    return index_walk_push_folder (walk, path, self->folder->depth + 1, error);
  if (type == G_FILE_TYPE_REGULAR)
    return walk->func (INDEX_ENTRY_FILE, path, g_file_info_get_size (info), walk->user_data, error);
  if (type == G_FILE_TYPE_SYMBOLIC_LINK)
    return walk->func (INDEX_ENTRY_LINK, path, 0, walk->user_data, error);

  return walk->func (INDEX_ENTRY_SPECIAL, path, 0, walk->user_data, error);
}

static gboolean
listing_add_entries (Listing *self,
                     GList   *infos,
                     GError **error)
{
  /* A cancelled operation can still bring what it had. Nobody waits for it, and
   * the other queue may not accept it any more. */
  if (!osiiso_attempt_is_open (self->attempt))
    return FALSE;

  for (GList *l = infos; l != NULL; l = l->next)
    {
      if (!listing_add_entry (self, l->data, error))
        return FALSE;
    }

  return TRUE;
}

static void
on_next_files (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  Listing *self = user_data;
  IndexWalk *walk = self->folder->walk;
  GError *error = NULL;
  GList *infos = g_file_enumerator_next_files_finish (G_FILE_ENUMERATOR (source), result, &error);
  gboolean more = infos != NULL && listing_add_entries (self, infos, &error);

  g_list_free_full (infos, g_object_unref);

  if (!more)
    listing_finish (self, error);
  else if (walk->held)
    g_queue_push_tail (&walk->parked, self);
  else
    listing_next (self);
}

static void
listing_next (Listing *self)
{
  g_file_enumerator_next_files_async (self->enumerator, BATCH_SIZE, G_PRIORITY_DEFAULT,
                                      osiiso_attempt_get_cancellable (self->attempt),
                                      on_next_files, self);
}

static void
on_enumerate_children (GObject      *source,
                       GAsyncResult *result,
                       gpointer      user_data)
{
  Listing *self = user_data;
  GError *error = NULL;

  self->enumerator = g_file_enumerate_children_finish (G_FILE (source), result, &error);
  if (self->enumerator == NULL)
    listing_finish (self, error);
  else
    listing_next (self);
}

/* The function of a folder task. */
static void
list_folder (OsiisoAttempt *attempt,
             gpointer       user_data)
{
  Folder *folder = user_data;
  Listing *self = listing_new (folder, attempt);
  g_autoptr (GFile) file = g_file_new_for_path (folder->path);

  /* With the attempt's cancellable, the operation ends early when the task does. */
  g_file_enumerate_children_async (file, ATTRIBUTES, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS,
                                   G_PRIORITY_DEFAULT,
                                   osiiso_attempt_get_cancellable (self->attempt),
                                   on_enumerate_children, self);
}

static void
folder_free (gpointer data)
{
  Folder *self = data;

  g_free (self->path);
  g_free (self);
}

IndexWalk *
index_walk_new (OsiisoQueue  *queue,
                IndexWalkFunc func,
                gpointer      user_data)
{
  IndexWalk *self = g_new0 (IndexWalk, 1);

  self->queue = g_object_ref (queue);
  self->func = func;
  self->user_data = user_data;
  g_queue_init (&self->parked);

  /* Folders are not retried: the entries of the first half of a listing would
   * be handed on twice. */
  self->options = osiiso_task_options_new ();

  return self;
}

void
index_walk_free (IndexWalk *self)
{
  /* Cancelled listings end by themselves, but not before their callbacks. */
  index_walk_set_held (self, FALSE);
  while (self->n_listings > 0)
    g_main_context_iteration (osiiso_queue_get_context (self->queue), TRUE);

  g_object_unref (self->options);
  g_object_unref (self->queue);
  g_free (self);
}

/* Adds a task for the folder @path. */
gboolean
index_walk_push_folder (IndexWalk  *self,
                        const char *path,
                        guint       depth,
                        GError    **error)
{
  Folder *folder = g_new0 (Folder, 1);
  g_autofree char *name = index_text_from_filename (path);

  folder->walk = self;
  folder->path = g_strdup (path);
  folder->depth = depth;

  /* One options object serves all tasks: a push takes a snapshot of it. The
   * metadata come back on the task's handle. Deep folders first: the number of
   * folders that wait stays small, as in a search that goes into the depth. */
  osiiso_task_options_set_name (self->options, name);
  osiiso_task_options_set_metadata (self->options, g_variant_new_bytestring (path));
  osiiso_task_options_set_priority (self->options,
                                    MAX (OSIISO_PRIORITY_DEFAULT - (int) MIN (depth, 255), OSIISO_PRIORITY_MIN));

  /* Pushed and not submitted: nobody needs the handle before the task is over.
   * An id of 0 stands for an error. */
  return osiiso_queue_push (self->queue, list_folder, folder, folder_free, self->options, error) != 0;
}

/* While the walk is held, listings that are under way stop after the batch that
 * they are at. Each keeps its place in the queue, so that no others begin once
 * all places are taken. */
void
index_walk_set_held (IndexWalk *self,
                     gboolean   held)
{
  GQueue parked = G_QUEUE_INIT;
  Listing *listing;

  self->held = held;
  if (held)
    return;

  /* Those that park again, because the walk is held again meanwhile, are not
   * for this loop. */
  parked = self->parked;
  g_queue_init (&self->parked);
  while ((listing = g_queue_pop_head (&parked)) != NULL)
    listing_next (listing);
}
