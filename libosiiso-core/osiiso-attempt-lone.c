/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-attempt-lone-private.h"

OsiisoAttempt *
osiiso_lone_attempt_new (guint64                task_id,
                         const char            *name,
                         guint                  number,
                         guint                  index,
                         OsiisoLoneProgressFunc on_progress,
                         gpointer               data)
{
  OsiisoLoneAttempt *self = g_new0 (OsiisoLoneAttempt, 1);

  osiiso_ref_count_init (&self->parent.ref_count);
  atomic_init (&self->parent.state, OSIISO_ATTEMPT_INSIDE);
  self->parent.number = number;
  self->parent.retry_after = -1;
  self->task_id = task_id;
  self->index = index;
  self->name = g_strdup (name);
  self->on_progress = on_progress;
  self->data = data;
  pthread_mutex_init (&self->lock, NULL);
  return &self->parent;
}

void
osiiso_lone_attempt_free (OsiisoAttempt *attempt)
{
  OsiisoLoneAttempt *self = (OsiisoLoneAttempt *) attempt;
  GCancellable *cancellable = atomic_load (&attempt->cancellable);

  osiiso_outcome_free (attempt->outcome);
  if (cancellable != NULL)
    g_object_unref (cancellable);
  pthread_mutex_destroy (&self->lock);
  g_free (self->name);
  g_free (self);
}

void
osiiso_lone_attempt_cancel (OsiisoAttempt *attempt)
{
  guint32 state = atomic_load (&attempt->state);
  GCancellable *cancellable;

  do
    {
      if (state & OSIISO_ATTEMPT_INTERRUPTED)
        return;
    }
  while (!atomic_compare_exchange_weak (&attempt->state, &state,
                                        state | OSIISO_ATTEMPT_INTERRUPTED | OSIISO_ATTEMPT_CLAIMED));

  /* The flag first: see osiiso_attempt_get_cancellable(). */
  cancellable = atomic_load (&attempt->cancellable);
  if (cancellable != NULL)
    g_cancellable_cancel (cancellable);
}

gboolean
osiiso_lone_attempt_close (OsiisoAttempt        *attempt,
                           const OsiisoOutcome **outcome)
{
  OsiisoLoneAttempt *self = (OsiisoLoneAttempt *) attempt;
  const guint32 state = atomic_fetch_or (&attempt->state, OSIISO_ATTEMPT_CLAIMED);

  pthread_mutex_lock (&self->lock);
  self->on_progress = NULL;
  pthread_mutex_unlock (&self->lock);
  /* Somebody in another thread may have claimed it and not stored what it reports:
   * then there is nothing yet. */
  *outcome = state & OSIISO_ATTEMPT_REPORTED ? attempt->outcome : NULL;
  return (state & OSIISO_ATTEMPT_REPORTED) != 0;
}

void
osiiso_lone_attempt_set_progress (OsiisoAttempt *attempt,
                                  double         fraction,
                                  const char    *status_text)
{
  OsiisoLoneAttempt *self = (OsiisoLoneAttempt *) attempt;

  pthread_mutex_lock (&self->lock);
  if (self->on_progress != NULL)
    self->on_progress (self, fraction, status_text, self->data);
  pthread_mutex_unlock (&self->lock);
}
