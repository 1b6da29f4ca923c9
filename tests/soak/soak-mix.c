/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>

#include "soak-mix.h"

/* Kept by the array of the mix, and by its function, which may still be in it when the
 * task has ended. */
typedef struct
{
  SoakMix      *mix;
  OsiisoHandle *handle; /* (owned): until the end of the round */
  SoakKind      kind;
  guint         index;
  guint         spin;      /* microseconds */
  atomic_uint   n_entered; /* in this process */
  guint         n_told;
  gboolean      cancelled; /* and that was TRUE; of the meddler until it is joined */
} MixTask;

struct _SoakMix
{
  OsiisoQueue  *queue;
  gboolean      has_processes;
  gboolean      has_one_thread;
  GRand        *rand;
  GThread      *meddler;
  GThreadPool  *reporters; /* of deferred attempts */
  guint         n;
  MixTask     **tasks;
  atomic_uint   n_functions; /* that have their tasks */
  guint64       n_cancelled;
  guint64       n_crashes;
};

static gint64
value_of (MixTask *task)
{
  return (gint64) task->index * 7 + task->kind;
}

static void
release (gpointer data)
{
  MixTask *task = data;
  SoakMix *mix = task->mix;

  g_atomic_rc_box_release (task);
  atomic_fetch_sub (&mix->n_functions, 1);
}

static void
report (gpointer data,
        gpointer unused)
{
  OsiisoAttempt *attempt = data;

  osiiso_attempt_return_int (attempt, (gint64) osiiso_attempt_get_index (attempt));
  osiiso_attempt_unref (attempt);
}

static void
listen (OsiisoAttempt *attempt)
{
  GCancellable *cancellable = osiiso_attempt_get_cancellable (attempt);
  const gint64 until = g_get_monotonic_time () + 1000;

  while (!g_cancellable_is_cancelled (cancellable) && g_get_monotonic_time () < until)
    g_usleep (50);
}

static void
perform (OsiisoAttempt *attempt,
         gpointer       data)
{
  MixTask *task = data;

  atomic_fetch_add (&task->n_entered, 1);
  switch (task->kind)
    {
    case SOAK_FAIL_ONCE:
    case SOAK_CRASH:
      if (osiiso_attempt_get_number (attempt) == 1)
        {
          osiiso_attempt_return_new_error (attempt, G_IO_ERROR, G_IO_ERROR_BUSY, "not yet");
          return;
        }
      break;
    case SOAK_SPIN:
      soak_spin (task->spin);
      break;
    case SOAK_LISTEN:
    case SOAK_LIMITED:
      listen (attempt);
      break;
    case SOAK_DEFER:
      g_thread_pool_push (task->mix->reporters, osiiso_attempt_defer (attempt), NULL);
      return;
    case SOAK_QUICK:
    case SOAK_N_KINDS:
    default:
      break;
    }
  osiiso_attempt_return_int (attempt, value_of (task));
}

static void
submit (SoakMix *self,
        MixTask *task)
{
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (GVariant) metadata = g_variant_ref_sink (g_variant_new_uint32 (task->index));
  g_autoptr (GError) error = NULL;

  osiiso_task_options_set_metadata (options, metadata);
  osiiso_task_options_set_priority (options, g_rand_int_range (self->rand, 0, 4));
  if (task->kind == SOAK_FAIL_ONCE || task->kind == SOAK_CRASH)
    osiiso_task_options_set_retries (options, 1);
  if (task->kind == SOAK_LIMITED)
    osiiso_task_options_set_timeout (options, 0.0005);
  if (self->has_processes)
    task->handle = osiiso_queue_submit_call (self->queue, SOAK_MODULE "call_mix",
                                             g_variant_new ("(uux)", task->kind, task->spin, value_of (task)),
                                             options, &error);
  else
    {
      atomic_fetch_add (&self->n_functions, 1);
      task->handle = osiiso_queue_submit (self->queue, perform, g_atomic_rc_box_acquire (task), release, options, &error);
    }
  soak_need (error);
}

/* Does what users do, at any time. */
static gpointer
meddle (gpointer data)
{
  SoakMix *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (g_rand_int (self->rand));
  const guint n = self->n / 4;

  for (guint i = 0; i < n; i++)
    {
      MixTask *task = self->tasks[g_rand_int_range (rand, 0, (gint32) self->n)];

      switch (g_rand_int_range (rand, 0, 8))
        {
        case 0:
          osiiso_queue_pause (self->queue);
          osiiso_queue_resume (self->queue);
          break;
        case 1:
          osiiso_handle_set_priority (task->handle, g_rand_int_range (rand, 0, 4));
          break;
        case 2:
          g_thread_yield ();
          break;
        default:
          if (osiiso_handle_cancel (task->handle))
            task->cancelled = TRUE;
          break;
        }
    }
  return NULL;
}

static void
on_complete (OsiisoQueue  *queue,
             OsiisoHandle *handle,
             SoakMix      *self)
{
  GVariant *metadata = osiiso_handle_get_metadata (handle);

  /* Others are not of the mix. */
  if (metadata != NULL)
    self->tasks[g_variant_get_uint32 (metadata)]->n_told++;
}

SoakMix *
soak_mix_new (const char *backend,
              guint       workers,
              guint       n,
              guint32     seed)
{
  SoakMix *self = g_new0 (SoakMix, 1);

  self->queue = soak_queue_new (backend, workers);
  self->has_processes = g_str_equal (backend, "subprocess");
  self->has_one_thread = g_str_equal (backend, "main-loop");
  self->rand = g_rand_new_with_seed (seed);
  self->n = n;
  self->tasks = g_new0 (MixTask *, n);
  self->reporters = g_thread_pool_new (report, NULL, 1, TRUE, NULL);
  g_signal_connect (self->queue, "on-complete", G_CALLBACK (on_complete), self);
  return self;
}

OsiisoQueue *
soak_mix_get_queue (SoakMix *self)
{
  return self->queue;
}

void
soak_mix_begin (SoakMix *self)
{
  g_autoptr (GError) error = NULL;

  osiiso_queue_start (self->queue, &error);
  soak_need (error);
  for (guint i = 0; i < self->n; i++)
    {
      MixTask *task = g_atomic_rc_box_new0 (MixTask);

      self->tasks[i] = task;
      task->mix = self;
      task->index = i;
      task->spin = (guint) g_rand_int_range (self->rand, 5, 50);
      task->kind = (SoakKind) g_rand_int_range (self->rand, 0, SOAK_N_KINDS);
      /* A process for each takes long, and so does what nobody can interrupt. */
      if (task->kind == SOAK_CRASH && self->has_processes && g_rand_int_range (self->rand, 0, 4) != 0)
        task->kind = SOAK_QUICK;
      submit (self, task);
    }
  self->meddler = g_thread_new ("meddler", meddle, self);
}

static guint
attempts_of (MixTask *task)
{
  return task->kind == SOAK_FAIL_ONCE || task->kind == SOAK_CRASH ? 2 : 1;
}

static gboolean
has_value (SoakMix *self,
           MixTask *task)
{
  const GValue *value = osiiso_handle_get_value (task->handle);

  if (value == NULL)
    return FALSE;
  if (self->has_processes)
    return G_VALUE_HOLDS_VARIANT (value) && g_variant_get_int64 (g_value_get_variant (value)) == value_of (task);
  return G_VALUE_HOLDS_INT64 (value) && g_value_get_int64 (value) == (task->kind == SOAK_DEFER ? 0 : value_of (task));
}

static void
check (SoakMix *self,
       MixTask *task)
{
  const OsiisoStatus status = osiiso_handle_get_status (task->handle);
  const guint attempts = osiiso_handle_get_attempts (task->handle);
  g_autoptr (GError) error = osiiso_handle_dup_error (task->handle);
  const char *message = error != NULL ? error->message : "no error";
  const guint kind = task->kind;

  soak_expect (task->n_told == 1, "a task of kind %u was told %u times", kind, task->n_told);
  soak_expect (atomic_load (&task->n_entered) <= attempts, "a task of kind %u was entered %u times in %u attempts", kind,
               atomic_load (&task->n_entered), attempts);
  soak_expect (attempts <= attempts_of (task), "a task of kind %u had %u attempts: %s", kind, attempts, message);
  soak_expect (osiiso_handle_is_done (task->handle), "a task of kind %u has not ended", kind);
  /* One that was cancelled may have reported just before, and that counts. */
  if (task->cancelled)
    self->n_cancelled++;
  else if (task->kind == SOAK_LIMITED && status == OSIISO_STATUS_FAILED)
    soak_expect (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT), "a task with a timeout: %s", message);
  else if (soak_expect (status == OSIISO_STATUS_SUCCEEDED, "a task of kind %u has status %d: %s", kind, status, message))
    {
      soak_expect (has_value (self, task), "a task of kind %u has another value", kind);
      soak_expect (attempts == attempts_of (task), "a task of kind %u had %u attempts", kind, attempts);
    }
  self->n_crashes += task->kind == SOAK_CRASH && attempts == 2;
}

void
soak_mix_end (SoakMix *self)
{
  soak_join (self->queue);
  g_thread_join (g_steal_pointer (&self->meddler));
  /* What it cancelled last may not have been told. */
  soak_join (self->queue);
  soak_expect (osiiso_queue_get_pending_count (self->queue) == 0 && osiiso_queue_get_active_count (self->queue) == 0,
               "there is work left after a join");
  for (guint i = 0; i < self->n; i++)
    {
      check (self, self->tasks[i]);
      g_clear_object (&self->tasks[i]->handle);
      g_clear_pointer (&self->tasks[i], g_atomic_rc_box_release);
    }
}

guint64
soak_mix_get_n_cancelled (SoakMix *self)
{
  return self->n_cancelled;
}

guint64
soak_mix_get_n_crashes (SoakMix *self)
{
  return self->n_crashes;
}

void
soak_mix_free (SoakMix *self)
{
  soak_queue_free (self->queue);
  while (atomic_load (&self->n_functions) > 0)
    g_main_context_iteration (NULL, FALSE);
  g_thread_pool_free (self->reporters, FALSE, TRUE);
  g_rand_free (self->rand);
  g_free (self->tasks);
  g_free (self);
}
