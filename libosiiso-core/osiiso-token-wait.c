/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-error.h"
#include "osiiso-queue-private.h"
#include "osiiso-token-private.h"

/* What a language layer waits for is told like the ends of its tokens, which it can
 * acknowledge: a callback that the language refuses is never called again. */

typedef struct
{
  OsiisoRunSummary *summary; /* (nullable) (owned) */
  GError           *error;   /* (nullable) (owned) */
} Outcome;

static void
outcome_free (gpointer data)
{
  Outcome *self = data;

  g_clear_object (&self->summary);
  g_clear_error (&self->error);
  g_free (self);
}

static gboolean
check_layer (OsiisoQueue *self,
             GError     **error)
{
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);

  if (!osiiso_queue_check_backend (self, error))
    return FALSE;
  if (scheduler->runner == NULL || scheduler->runner->completed == NULL)
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "nobody hears of the ends of tokens; see osiiso_queue_set_completions_func()");
      return FALSE;
    }
  if (!osiiso_outbox_is_owner_thread (&scheduler->outbox))
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "what a token stands for is only told to the thread that owns the queue, which this is not");
      return FALSE;
    }
  return TRUE;
}

/* Who waits; the queue is the source object and lives that long. */
static guint64 *
waiting_new (guint64 token)
{
  guint64 *waiting = g_new (guint64, 1);

  *waiting = token;
  return waiting;
}

/* The outcome is taken over. */
static void
tell_outcome (OsiisoQueue      *self,
              guint64          *waiting,
              OsiisoRunSummary *summary,
              GError           *error)
{
  g_autofree guint64 *token = waiting;
  OsiisoScheduler *scheduler = osiiso_queue_get_scheduler (self);
  Outcome *outcome = g_new (Outcome, 1);

  *outcome = (Outcome) { summary, error };
  if (scheduler->runner->operations == NULL)
    scheduler->runner->operations = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, outcome_free);
  g_hash_table_replace (scheduler->runner->operations, waiting_new (*token), outcome);
  osiiso_token_tell (scheduler, *token, error == NULL ? OSIISO_STATUS_SUCCEEDED : OSIISO_STATUS_FAILED);
}

static void
run_cb (GObject      *source,
        GAsyncResult *result,
        gpointer      user_data)
{
  OsiisoQueue *self = OSIISO_QUEUE (source);
  GError *error = NULL;
  OsiisoRunSummary *summary = osiiso_queue_run_full_finish (self, result, &error);

  tell_outcome (self, user_data, summary, error);
}

static void
join_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  OsiisoQueue *self = OSIISO_QUEUE (source);
  GError *error = NULL;

  osiiso_queue_join_finish (self, result, &error);
  tell_outcome (self, user_data, NULL, error);
}

static void
shutdown_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  OsiisoQueue *self = OSIISO_QUEUE (source);
  GError *error = NULL;

  osiiso_queue_shutdown_finish (self, result, &error);
  tell_outcome (self, user_data, NULL, error);
}

/* The owner's context is where it is told. */
static GMainContext *
push_owner (OsiisoQueue *self)
{
  GMainContext *context = osiiso_queue_get_scheduler (self)->outbox.context;

  g_main_context_push_thread_default (context);
  return context;
}

/**
 * osiiso_queue_tell_run:
 * @self: a queue
 * @token: a number of the caller
 * @timeout: how long the run may take, in seconds; 0 for as long as it takes
 * @fail_policy: what the failure of one task means for the rest of the run
 * @cancellable: (nullable): ends the run, not the tasks
 * @error: return location for an error
 *
 * Does what [method@Osiiso.Queue.run_full_async] does, for layers that bind the queue
 * to another language: that it is over is told to the function of
 * [method@Osiiso.Queue.set_completions_func], as the end of @token, and
 * [method@Osiiso.Queue.finish_told] has the summary then. The tasks that ended
 * during the run were told before.
 *
 * In the thread that owns the queue. Fails with %OSIISO_QUEUE_ERROR_INVALID in another
 * one and when nobody hears of ends. What the run itself fails with is told.
 *
 * Returns: %TRUE if it will be told
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_tell_run (OsiisoQueue     *self,
                       guint64          token,
                       double           timeout,
                       OsiisoFailPolicy fail_policy,
                       GCancellable    *cancellable,
                       GError         **error)
{
  GMainContext *context;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_layer (self, error))
    return FALSE;
  context = push_owner (self);
  osiiso_queue_run_full_async (self, timeout, fail_policy, cancellable, run_cb, waiting_new (token));
  g_main_context_pop_thread_default (context);
  return TRUE;
}

/**
 * osiiso_queue_tell_join:
 * @self: a queue
 * @token: a number of the caller
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Does what [method@Osiiso.Queue.join_async] does, and tells the end like
 * [method@Osiiso.Queue.tell_run], whose errors it has. [method@Osiiso.Queue.finish_told]
 * says whether it failed.
 *
 * Returns: %TRUE if it will be told
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_tell_join (OsiisoQueue  *self,
                        guint64       token,
                        GCancellable *cancellable,
                        GError      **error)
{
  GMainContext *context;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_layer (self, error))
    return FALSE;
  context = push_owner (self);
  osiiso_queue_join_async (self, cancellable, join_cb, waiting_new (token));
  g_main_context_pop_thread_default (context);
  return TRUE;
}

/**
 * osiiso_queue_tell_shutdown:
 * @self: a queue
 * @token: a number of the caller
 * @force: whether to cancel what is left, rather than to wait for it
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @error: return location for an error
 *
 * Does what [method@Osiiso.Queue.shutdown_async] does, and tells the end like
 * [method@Osiiso.Queue.tell_run], whose errors it has. [method@Osiiso.Queue.finish_told]
 * says whether it failed.
 *
 * Returns: %TRUE if it will be told
 *
 * Since: 1.0
 */
gboolean
osiiso_queue_tell_shutdown (OsiisoQueue  *self,
                            guint64       token,
                            gboolean      force,
                            GCancellable *cancellable,
                            GError      **error)
{
  GMainContext *context;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_layer (self, error))
    return FALSE;
  context = push_owner (self);
  osiiso_queue_shutdown_async (self, force, cancellable, shutdown_cb, waiting_new (token));
  g_main_context_pop_thread_default (context);
  return TRUE;
}

/**
 * osiiso_queue_finish_told:
 * @self: a queue
 * @token: the number that stood for it
 * @error: return location for an error
 *
 * Ends what [method@Osiiso.Queue.tell_run], [method@Osiiso.Queue.tell_join] or
 * [method@Osiiso.Queue.tell_shutdown] has begun, when its end was told; once. In the
 * thread that owns the queue.
 *
 * Fails with what it has failed with, and with %OSIISO_QUEUE_ERROR_NOT_FOUND when
 * nothing has ended that @token stands for.
 *
 * Returns: (transfer full) (nullable): the summary of a run; %NULL for anything else,
 *   and on error
 *
 * Since: 1.0
 */
OsiisoRunSummary *
osiiso_queue_finish_told (OsiisoQueue *self,
                          guint64      token,
                          GError     **error)
{
  OsiisoRunner *runner;
  g_autofree gpointer key = NULL;
  gpointer value = NULL;
  OsiisoRunSummary *summary;
  Outcome *outcome;

  g_return_val_if_fail (OSIISO_IS_QUEUE (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  runner = osiiso_queue_get_scheduler (self)->runner;
  if (runner == NULL || runner->operations == NULL ||
      !g_hash_table_steal_extended (runner->operations, &token, &key, &value))
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND,
                   "nothing has ended that token %" G_GUINT64_FORMAT " stands for", token);
      return NULL;
    }
  outcome = value;
  summary = g_steal_pointer (&outcome->summary);
  if (outcome->error != NULL)
    g_propagate_error (error, g_steal_pointer (&outcome->error));
  outcome_free (outcome);
  return summary;
}
