/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-foreign-private.h"
#include "osiiso-queue-private.h"
#include "osiiso-token-private.h"

/* Tells a language layer of the ends of its tokens, and of what it waits for. */

/* How long a function that did not acknowledge is left alone, in milliseconds. */
#define REPETITION_INTERVAL 20

/* Whether somebody hears of that end. */
static gboolean
is_told (const OsiisoRunner *runner,
         OsiisoRecord       *record)
{
  return runner->completed != NULL &&
         (!(runner->flags & OSIISO_COMPLETION_FLAGS_SKIP_SUCCEEDED) ||
          osiiso_record_get_status (record) != OSIISO_STATUS_SUCCEEDED);
}

gboolean
osiiso_token_is_told_in_owner (OsiisoScheduler *scheduler,
                               OsiisoRecord    *record)
{
  return !(scheduler->runner->flags & OSIISO_COMPLETION_FLAGS_ANY_THREAD) && is_told (scheduler->runner, record);
}

/* What the completions function of a thread is called for. */
typedef struct _Telling Telling;
struct _Telling
{
  Telling         *outer;
  OsiisoScheduler *scheduler;
  OsiisoRecord   **records;
  gsize            n;
  gboolean         acknowledged;
};

static _Thread_local Telling *current_telling;

/* FALSE when it has to be told again. */
static gboolean
tell (OsiisoScheduler *scheduler,
      const guint64   *tokens,
      const guint     *statuses,
      OsiisoRecord   **records,
      gsize            n)
{
  OsiisoRunner *runner = osiiso_runner_begin_use (scheduler);
  Telling telling = { current_telling, scheduler, records, n, FALSE };

  if (runner == NULL)
    return TRUE;
  telling.acknowledged = !(runner->flags & OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED);
  current_telling = &telling;
  runner->completed (tokens, statuses, n, runner->completed_data);
  current_telling = telling.outer;
  osiiso_runner_end_use (scheduler);
  return telling.acknowledged;
}

gsize
osiiso_token_get_told (OsiisoScheduler *scheduler,
                       OsiisoRecord  ***records)
{
  if (current_telling == NULL || current_telling->scheduler != scheduler)
    return 0;
  *records = current_telling->records;
  return current_telling->n;
}

/**
 * osiiso_queue_acknowledge_told:
 * @self: a queue
 *
 * Acknowledges what a completions function is told, see
 * %OSIISO_COMPLETION_FLAGS_ACKNOWLEDGED. Only in [callback@Osiiso.CompletionsFunc],
 * in its thread; at its begin, so that nothing is told twice that it has begun to
 * take in.
 *
 * Returns: %TRUE if the thread is in a completions function of this queue
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_acknowledge_told (OsiisoQueue *self)
{
  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);

  if (current_telling == NULL || current_telling->scheduler != osiiso_queue_get_scheduler (self))
    return FALSE;
  current_telling->acknowledged = TRUE;
  return TRUE;
}

/* What a layer did not hear, on its way to be told again; in the owner's context. */
struct _OsiisoUntold
{
  OsiisoQueue *queue;    /* (owned): it does not go before all is told */
  GArray      *tokens;   /* of guint64 */
  GArray      *statuses; /* of guint */
  GPtrArray   *records;  /* (owned) (element-type OsiisoRecord) (nullable elements) */
};

static void
record_release (gpointer record)
{
  if (record != NULL)
    osiiso_record_unref (record);
}

static OsiisoUntold *
untold_new (OsiisoQueue *queue)
{
  OsiisoUntold *self = g_new (OsiisoUntold, 1);

  *self = (OsiisoUntold) {
    .queue = queue,
    .tokens = g_array_new (FALSE, FALSE, sizeof (guint64)),
    .statuses = g_array_new (FALSE, FALSE, sizeof (guint)),
    .records = g_ptr_array_new_with_free_func (record_release),
  };
  return self;
}

static void
untold_free (OsiisoUntold *self)
{
  g_array_unref (self->tokens);
  g_array_unref (self->statuses);
  g_ptr_array_unref (self->records);
  g_object_unref (self->queue);
  g_free (self);
}

/* Lets a language that is collecting garbage be done with it. */
static gboolean
tell_after_collection (OsiisoScheduler *scheduler,
                       const guint64   *tokens,
                       const guint     *statuses,
                       OsiisoRecord   **records,
                       gsize            n)
{
  osiiso_foreign_collect_garbage ();
  return tell (scheduler, tokens, statuses, records, n);
}

/* All that is left, in order; what comes meanwhile is put behind it. TRUE when
 * nothing is left. */
static gboolean
tell_untold (OsiisoScheduler *scheduler)
{
  OsiisoRunner *runner = scheduler->runner;
  OsiisoUntold *untold = runner->untold;
  gboolean told;

  if (untold == NULL)
    return TRUE;
  /* A function that iterates the context does not get the same again. */
  if (runner->telling_untold)
    return FALSE;
  runner->telling_untold = TRUE;
  do
    {
      const gsize n = untold->tokens->len;
      g_autoptr (GArray) tokens = g_array_copy (untold->tokens);
      g_autoptr (GArray) statuses = g_array_copy (untold->statuses);
      g_autoptr (GPtrArray) records = g_ptr_array_copy (untold->records, NULL, NULL);

      told = tell_after_collection (scheduler, (const guint64 *) tokens->data, (const guint *) statuses->data,
                                    (OsiisoRecord **) records->pdata, n);
      if (told)
        {
          g_array_remove_range (untold->tokens, 0, n);
          g_array_remove_range (untold->statuses, 0, n);
          g_ptr_array_remove_range (untold->records, 0, n);
        }
      g_ptr_array_set_free_func (records, NULL);
    }
  while (told && untold->tokens->len > 0);
  runner->telling_untold = FALSE;
  if (told)
    {
      runner->untold = NULL;
      untold_free (untold);
    }
  return told;
}

static gboolean
tell_again_cb (gpointer user_data)
{
  OsiisoScheduler *scheduler = user_data;
  gboolean told;

  /* The queue may be all that keeps it. */
  osiiso_scheduler_ref (scheduler);
  told = tell_untold (scheduler);
  if (!told && scheduler->runner->untold == NULL)
    told = TRUE;
  osiiso_scheduler_unref (scheduler);
  return told ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
release_scheduler (gpointer scheduler)
{
  osiiso_scheduler_unref (scheduler);
}

static void
tell_later (OsiisoScheduler *scheduler,
            const guint64   *tokens,
            const guint     *statuses,
            OsiisoRecord   **records,
            gsize            n)
{
  OsiisoRunner *runner = scheduler->runner;

  if (runner->untold == NULL)
    {
      g_autoptr (GSource) source = NULL;
      OsiisoQueue *queue = osiiso_outbox_dup_queue (&scheduler->outbox);

      /* Nobody is told any more. */
      if (queue == NULL)
        return;
      runner->untold = untold_new (queue);
      source = g_timeout_source_new (REPETITION_INTERVAL);
      g_source_set_callback (source, tell_again_cb, osiiso_scheduler_ref (scheduler), release_scheduler);
      g_source_attach (source, scheduler->outbox.context);
    }
  g_array_append_vals (runner->untold->tokens, tokens, (guint) n);
  g_array_append_vals (runner->untold->statuses, statuses, (guint) n);
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (runner->untold->records, records[i] != NULL ? osiiso_record_ref (records[i]) : NULL);
}

/* In the owner's context. What was not heard before comes first. */
static void
tell_in_owner (OsiisoScheduler *scheduler,
               const guint64   *tokens,
               const guint     *statuses,
               OsiisoRecord   **records,
               gsize            n)
{
  if (!tell_untold (scheduler) ||
      (!tell (scheduler, tokens, statuses, records, n) &&
       !tell_after_collection (scheduler, tokens, statuses, records, n)))
    tell_later (scheduler, tokens, statuses, records, n);
}

void
osiiso_token_tell (OsiisoScheduler *scheduler,
                   guint64          token,
                   OsiisoStatus     status)
{
  const guint status_number = status;
  OsiisoRecord *none = NULL;

  tell_in_owner (scheduler, &token, &status_number, &none, 1);
}

void
osiiso_token_ended (OsiisoScheduler *scheduler,
                    OsiisoRecord    *record)
{
  OsiisoRunner *runner = scheduler->runner;
  guint64 token = (guint64) (gsize) record->data;
  guint status = osiiso_record_get_status (record);

  if ((runner->flags & OSIISO_COMPLETION_FLAGS_ANY_THREAD) && is_told (runner, record))
    tell (scheduler, &token, &status, &record, 1);
}

void
osiiso_token_batch_add (OsiisoTokenBatch *self,
                        OsiisoRecord     *record)
{
  g_assert (self->n < OSIISO_TOKEN_BATCH_SIZE);
  self->tokens[self->n] = (guint64) (gsize) record->data;
  self->statuses[self->n] = osiiso_record_get_status (record);
  self->records[self->n] = record;
  self->n++;
}

void
osiiso_token_batch_tell (OsiisoTokenBatch *self,
                         OsiisoScheduler  *scheduler)
{
  if (self->n > 0)
    tell_in_owner (scheduler, self->tokens, self->statuses, self->records, self->n);
  self->n = 0;
}
