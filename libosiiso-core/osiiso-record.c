/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-batch-private.h"
#include "osiiso-clock-private.h"
#include "osiiso-command-result.h"
#include "osiiso-record-pool-private.h"
#include "osiiso-record-private.h"
#include "osiiso-scheduler-private.h"

OsiisoRecord *
osiiso_record_ref (OsiisoRecord *self)
{
  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

/* Values that any thread may free: all that are not somebody's object. */
static gboolean
value_is_plain (const GValue *value)
{
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (value)))
    {
    case G_TYPE_INVALID:
    case G_TYPE_CHAR:
    case G_TYPE_UCHAR:
    case G_TYPE_BOOLEAN:
    case G_TYPE_INT:
    case G_TYPE_UINT:
    case G_TYPE_LONG:
    case G_TYPE_ULONG:
    case G_TYPE_INT64:
    case G_TYPE_UINT64:
    case G_TYPE_ENUM:
    case G_TYPE_FLAGS:
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
    case G_TYPE_STRING:
    case G_TYPE_VARIANT:
      return TRUE;
    default:
      return G_VALUE_TYPE (value) == G_TYPE_BYTES || G_VALUE_TYPE (value) == G_TYPE_STRV ||
             G_VALUE_TYPE (value) == OSIISO_TYPE_COMMAND_RESULT;
    }
}

gboolean
osiiso_outcome_is_plain (const OsiisoOutcome *self)
{
  return !osiiso_outcome_has_value (self) || value_is_plain (&self->value);
}

static void
outcome_free (gpointer data)
{
  OsiisoOutcome *outcome = data;

  if (osiiso_outcome_has_value (outcome))
    g_value_unset (&outcome->value);
  g_clear_error (&outcome->error);
  g_free (outcome);
}

static void
rare_free (OsiisoRecordRare *rare)
{
  if (rare == NULL)
    return;
  if (rare->progress != NULL)
    {
      g_free (rare->progress->status_text);
      g_free (rare->progress);
    }
  g_free (rare);
}

/* All but the memory. */
static void
record_clear (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = atomic_load_explicit (&self->ext, memory_order_acquire);

  if (ext != NULL)
    {
      g_assert (ext->handle == NULL);
      g_assert (ext->waiters == NULL);

      g_clear_pointer (&ext->params, osiiso_task_params_unref);
      g_clear_pointer (&ext->batch, osiiso_batch_unref);
      if (ext->outcome != NULL)
        {
          if (osiiso_outcome_is_plain (ext->outcome))
            outcome_free (ext->outcome);
          else
            osiiso_scheduler_destroy_in_owner (osiiso_record_pool_get_owner (self),
                                               outcome_free, ext->outcome);
        }
      rare_free (atomic_load_explicit (&ext->rare, memory_order_acquire));
      g_free (ext);
    }
}

void
osiiso_record_unref (OsiisoRecord *self)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  record_clear (self);
  osiiso_record_pool_return (self);
}

void
osiiso_record_unref_later (OsiisoRecord      *self,
                           OsiisoRecordChain *chain)
{
  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  record_clear (self);
  self->link.next = (OsiisoLink *) chain->first;
  if (chain->first == NULL)
    chain->last = self;
  chain->first = self;
  chain->n++;
}

OsiisoRecordExt *
osiiso_record_ext_new (void)
{
  OsiisoRecordExt *self = g_new0 (OsiisoRecordExt, 1);

  atomic_init (&self->payload_holds, 1);
  return self;
}

OsiisoRecordExt *
osiiso_record_ensure_ext (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);
  OsiisoRecordExt *made;

  if (ext != NULL)
    return ext;

  made = osiiso_record_ext_new ();
  if (atomic_compare_exchange_strong_explicit (&self->ext, &ext, made,
                                               memory_order_acq_rel, memory_order_acquire))
    return made;
  g_free (made);
  return ext;
}

OsiisoRecordRare *
osiiso_record_ensure_rare (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_ensure_ext (self);
  OsiisoRecordRare *rare = atomic_load_explicit (&ext->rare, memory_order_acquire);
  OsiisoRecordRare *made;

  if (rare != NULL)
    return rare;

  made = g_new0 (OsiisoRecordRare, 1);
  made->record = self;
  if (atomic_compare_exchange_strong_explicit (&ext->rare, &rare, made,
                                               memory_order_acq_rel, memory_order_acquire))
    return made;
  g_free (made);
  return rare;
}

OsiisoRecordBounds *
osiiso_record_make_bounds (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_ensure_ext (self);
  OsiisoRecordBounds *bounds = g_new0 (OsiisoRecordBounds, 1);

  g_assert (osiiso_record_get_rare (self) == NULL);
  bounds->rare.record = self;
  atomic_store_explicit (&ext->rare, &bounds->rare, memory_order_release);
  osiiso_record_set_flags (self, OSIISO_RECORD_BOUNDED, 0);
  return bounds;
}

guint32
osiiso_record_set_flags (OsiisoRecord *self,
                         guint32       set,
                         guint32       clear)
{
  guint32 old = atomic_load_explicit (&self->word, memory_order_relaxed);

  while (!atomic_compare_exchange_weak_explicit (&self->word, &old, (old & ~clear) | set,
                                                 memory_order_acq_rel, memory_order_relaxed))
    ;
  return old;
}

guint32
osiiso_record_set_status (OsiisoRecord *self,
                          OsiisoStatus  status,
                          guint32       set,
                          guint32       clear)
{
  return osiiso_record_set_flags (self, set | status, clear | (OSIISO_RECORD_STATUS_MASK & ~(guint32) status));
}

guint64
osiiso_record_get_id (OsiisoRecord *self)
{
  return osiiso_record_pool_get_id (self);
}

char *
osiiso_record_dup_name (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  if (ext != NULL && ext->params != NULL && ext->params->name != NULL)
    return g_strdup (ext->params->name);
  if (osiiso_record_get_word (self) & OSIISO_RECORD_MAP)
    return g_strdup_printf ("%s[%u]", osiiso_record_get_group_id (self), osiiso_record_get_index (self));
  return g_strdup_printf ("task-%u", self->seq + 1);
}

guint
osiiso_record_get_attempts (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);
  guint attempts = ext != NULL ? atomic_load_explicit (&ext->attempts, memory_order_acquire) : 0;

  /* A task that may run only once does not count. */
  if (attempts == 0 && (osiiso_record_get_word (self) & OSIISO_RECORD_STARTED))
    return 1;
  return attempts;
}

int
osiiso_record_get_priority (OsiisoRecord *self)
{
  return osiiso_word_get_priority (osiiso_record_get_word (self));
}

gboolean
osiiso_record_get_must_complete (OsiisoRecord *self)
{
  return (osiiso_record_get_word (self) & OSIISO_RECORD_MUST_COMPLETE) != 0;
}

gboolean
osiiso_record_get_detached (OsiisoRecord *self)
{
  return (osiiso_record_get_word (self) & OSIISO_RECORD_DETACHED) != 0;
}

const char *
osiiso_record_get_group_id (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL && ext->params != NULL ? ext->params->group_id : NULL;
}

guint
osiiso_record_get_index (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL ? ext->index : 0;
}

GVariant *
osiiso_record_get_metadata (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL && ext->params != NULL ? ext->params->metadata : NULL;
}

double
osiiso_record_get_scheduled_for (OsiisoRecord *self)
{
  OsiisoRecordRare *rare = osiiso_record_get_rare (self);

  return rare != NULL ? osiiso_clock_to_seconds (rare->scheduled_for) : 0;
}

double
osiiso_record_get_created (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL ? osiiso_clock_to_seconds (ext->created) : 0;
}

double
osiiso_record_get_started (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  return ext != NULL ? osiiso_clock_to_seconds (atomic_load (&ext->started)) : 0;
}

static gint64
finished_us (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);

  /* Written before the final status, so the status says whether it is there. */
  if (ext == NULL || !osiiso_status_is_final (osiiso_record_get_status (self)))
    return 0;
  return ext->finished;
}

double
osiiso_record_get_finished (OsiisoRecord *self)
{
  return osiiso_clock_to_seconds (finished_us (self));
}

double
osiiso_record_get_duration (OsiisoRecord *self)
{
  OsiisoRecordExt *ext = osiiso_record_get_ext (self);
  gint64 finished = finished_us (self);
  gint64 started = ext != NULL ? atomic_load (&ext->started) : 0;

  return finished != 0 && started != 0 ? osiiso_clock_to_seconds (finished - started) : 0;
}

static OsiisoOutcome *
get_outcome (OsiisoRecord *self)
{
  OsiisoRecordExt *ext;

  if (!osiiso_status_is_final (osiiso_record_get_status (self)))
    return NULL;
  ext = osiiso_record_get_ext (self);
  return ext != NULL ? ext->outcome : NULL;
}

const GValue *
osiiso_record_get_value (OsiisoRecord *self)
{
  OsiisoOutcome *outcome = get_outcome (self);

  return outcome != NULL && outcome->error == NULL && osiiso_outcome_has_value (outcome) ? &outcome->value : NULL;
}

const GValue *
osiiso_record_get_error_details (OsiisoRecord *self)
{
  OsiisoOutcome *outcome = get_outcome (self);

  return outcome != NULL && outcome->error != NULL && osiiso_outcome_has_value (outcome) ? &outcome->value : NULL;
}

/* Of all tasks that were cancelled while they waited: most are dropped many at a time,
 * and then nobody asks. */
static const GError *
get_cancel_error (gboolean began)
{
  static gsize made;
  static GError *errors[2];

  if (g_once_init_enter (&made))
    {
      errors[FALSE] = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled before execution");
      errors[TRUE] = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled");
      g_once_init_leave (&made, 1);
    }
  return errors[began];
}

GError *
osiiso_record_new_cancel_error (OsiisoRecord *self)
{
  return g_error_copy (get_cancel_error (osiiso_record_get_attempts (self) > 0));
}

const GError *
osiiso_record_get_error (OsiisoRecord *self)
{
  OsiisoOutcome *outcome = get_outcome (self);

  if (outcome == NULL && osiiso_record_get_status (self) == OSIISO_STATUS_CANCELLED)
    return get_cancel_error (osiiso_record_get_attempts (self) > 0);
  return outcome != NULL ? outcome->error : NULL;
}
