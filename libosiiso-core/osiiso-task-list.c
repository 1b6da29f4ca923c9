/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-handle-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-task-list-private.h"

/* The tasks that are not over, for who wants to show them. */

struct _OsiisoTaskList
{
  GObject          parent_instance;

  OsiisoScheduler *scheduler; /* (owned), in whose memory the records are */
  GSequence       *records;   /* of OsiisoRecord, owned, by their order of submission */
  GHashTable      *iters;     /* GSequenceIter by OsiisoRecord */
  gboolean         closed;    /* the queue is gone */
};

static GType
osiiso_task_list_get_item_type (GListModel *model)
{
  return OSIISO_TYPE_HANDLE;
}

static guint
osiiso_task_list_get_n_items (GListModel *model)
{
  return g_hash_table_size (OSIISO_TASK_LIST (model)->iters);
}

/* Nobody has a handle who does not look. */
static gpointer
osiiso_task_list_get_item (GListModel *model,
                           guint       position)
{
  OsiisoTaskList *self = OSIISO_TASK_LIST (model);

  if (position >= g_hash_table_size (self->iters))
    return NULL;
  return osiiso_handle_get_for_record (self->scheduler,
                                       g_sequence_get (g_sequence_get_iter_at_pos (self->records, (int) position)));
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = osiiso_task_list_get_item_type;
  iface->get_n_items = osiiso_task_list_get_n_items;
  iface->get_item = osiiso_task_list_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (OsiisoTaskList, osiiso_task_list, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

static void
osiiso_task_list_finalize (GObject *object)
{
  OsiisoTaskList *self = OSIISO_TASK_LIST (object);

  g_hash_table_unref (self->iters);
  g_sequence_free (self->records);
  osiiso_scheduler_unref (self->scheduler);

  G_OBJECT_CLASS (osiiso_task_list_parent_class)->finalize (object);
}

static void
osiiso_task_list_class_init (OsiisoTaskListClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = osiiso_task_list_finalize;
}

static void
osiiso_task_list_init (OsiisoTaskList *self)
{
  self->records = g_sequence_new ((GDestroyNotify) osiiso_record_unref);
  self->iters = g_hash_table_new (NULL, NULL);
}

/* By the order of submission; the numbers come round. */
static int
compare (gconstpointer a,
         gconstpointer b,
         gpointer      unused)
{
  return (gint32) (((const OsiisoRecord *) a)->seq - ((const OsiisoRecord *) b)->seq);
}

static int
compare_pointers (gconstpointer a,
                  gconstpointer b)
{
  return compare (*(OsiisoRecord * const *) a, *(OsiisoRecord * const *) b, NULL);
}

static int
compare_iters (gconstpointer a,
               gconstpointer b)
{
  return g_sequence_iter_compare (*(GSequenceIter * const *) a, *(GSequenceIter * const *) b);
}

/* Nearly every task comes last. */
static gboolean
comes_before (OsiisoTaskList *self,
              OsiisoRecord   *record)
{
  GSequenceIter *end = g_sequence_get_end_iter (self->records);

  return !g_sequence_iter_is_begin (end) && compare (g_sequence_get (g_sequence_iter_prev (end)), record, NULL) > 0;
}

/* Takes over the reference. */
static GSequenceIter *
add (OsiisoTaskList *self,
     OsiisoRecord   *record)
{
  GSequenceIter *iter;

  if (comes_before (self, record))
    iter = g_sequence_insert_sorted (self->records, record, compare, NULL);
  else
    iter = g_sequence_append (self->records, record);
  g_hash_table_insert (self->iters, record, iter);
  return iter;
}

OsiisoTaskList *
osiiso_task_list_new (OsiisoScheduler *scheduler)
{
  OsiisoTaskList *self = g_object_new (OSIISO_TYPE_TASK_LIST, NULL);
  g_autoptr (GPtrArray) found = NULL;

  self->scheduler = osiiso_scheduler_ref (scheduler);
  found = osiiso_scheduler_track_tasks (scheduler);
  g_ptr_array_sort (found, compare_pointers);
  for (guint i = 0; i < found->len; i++)
    add (self, osiiso_record_ref (g_ptr_array_index (found, i)));
  return self;
}

/* From @first to @last, which are neighbours or the same. */
static void
remove_range (OsiisoTaskList *self,
              GSequenceIter  *first,
              GSequenceIter  *last)
{
  const int position = g_sequence_iter_get_position (first);
  GSequenceIter *end = g_sequence_iter_next (last);
  guint n = 0;

  for (GSequenceIter *iter = first; iter != end; iter = g_sequence_iter_next (iter), n++)
    g_hash_table_remove (self->iters, g_sequence_get (iter));
  g_sequence_remove_range (first, end);
  g_list_model_items_changed (G_LIST_MODEL (self), (guint) position, n, 0);
}

/* From the end on, neighbours at once. A handler may let more changes come, which
 * are of other tasks: the order of these stays, but not where they are; or drop the
 * queue. */
static void
remove_all (OsiisoTaskList *self,
            GPtrArray      *iters)
{
  g_ptr_array_sort (iters, compare_iters);
  while (iters->len > 0 && !self->closed)
    {
      GSequenceIter *last = g_ptr_array_index (iters, iters->len - 1);
      GSequenceIter *first = last;

      g_ptr_array_set_size (iters, (int) iters->len - 1);
      while (iters->len > 0 && !g_sequence_iter_is_begin (first) &&
             g_ptr_array_index (iters, iters->len - 1) == g_sequence_iter_prev (first))
        {
          first = g_ptr_array_index (iters, iters->len - 1);
          g_ptr_array_set_size (iters, (int) iters->len - 1);
        }
      remove_range (self, first, last);
    }
}

/* Adds records from number @i on as long as each comes last, or one that does not, and
 * tells it at once. Returns the number of the next one. */
static guint
add_some (OsiisoTaskList *self,
          GPtrArray      *records,
          guint           i)
{
  guint position = g_hash_table_size (self->iters);
  guint n = 0;

  for (; i < records->len; i++)
    {
      OsiisoRecord *record = g_ptr_array_index (records, i);
      GSequenceIter *iter;

      /* Its end comes with later changes, or came with those of a handler. */
      if (osiiso_status_is_final (osiiso_record_get_status (record)))
        continue;
      if (n > 0 && comes_before (self, record))
        break;
      iter = add (self, osiiso_record_ref (record));
      n++;
      if (!g_sequence_iter_is_end (g_sequence_iter_next (iter)))
        {
          position = (guint) g_sequence_iter_get_position (iter);
          i++;
          break;
        }
    }
  if (n > 0)
    g_list_model_items_changed (G_LIST_MODEL (self), position, 0, n);
  return i;
}

void
osiiso_task_list_update (OsiisoTaskList *self,
                         GArray         *changes)
{
  G_GNUC_UNUSED g_autoptr (OsiisoTaskList) alive = g_object_ref (self);
  g_autoptr (GPtrArray) added = g_ptr_array_new ();
  g_autoptr (GPtrArray) iters = g_ptr_array_new ();

  for (guint i = 0; i < changes->len; i++)
    {
      const OsiisoTaskChange *change = &g_array_index (changes, OsiisoTaskChange, i);
      GSequenceIter *iter = change->ended ? g_hash_table_lookup (self->iters, change->record) : NULL;

      if (iter != NULL)
        g_ptr_array_add (iters, iter);
      else if (!change->ended)
        g_ptr_array_add (added, change->record);
    }
  remove_all (self, iters);
  for (guint i = 0; i < added->len && !self->closed;)
    i = add_some (self, added, i);
  g_array_unref (changes);
}

static void
clear_and_unref (gpointer data)
{
  OsiisoTaskList *self = data;

  self->closed = TRUE;
  if (!g_sequence_is_empty (self->records))
    remove_range (self, g_sequence_get_begin_iter (self->records),
                  g_sequence_iter_prev (g_sequence_get_end_iter (self->records)));
  g_object_unref (self);
}

void
osiiso_task_list_close (OsiisoTaskList *self)
{
  osiiso_scheduler_untrack_tasks (self->scheduler);
  osiiso_scheduler_destroy_in_owner (self->scheduler, clear_and_unref, self);
}
