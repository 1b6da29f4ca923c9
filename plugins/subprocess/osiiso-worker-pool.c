/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-worker-pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "osiiso-command-runner.h"
#include "osiiso-mailbox.h"
#include "osiiso-worker-process.h"

/* What others leave word of. */
enum
{
  POST_WAKE      = 1 << 0,
  POST_INTERRUPT = 1 << 1,
  POST_WORKERS   = 1 << 2,
  POST_CLOSE     = 1 << 3,
};

/* Between starts that fail: doubled each time, up to the last. */
#define FIRST_PAUSE (G_USEC_PER_SEC / 10)
#define LAST_PAUSE  (5 * G_USEC_PER_SEC)
/* So often in a row, and nobody there who could do the work: it fails. */
#define MOST_STARTS 5

/* How often the heads of workers are looked at while something waits behind one. */
#define TICK        (5 * (G_USEC_PER_SEC / 1000))

/* For how long nobody listens while all workers are sure to have more to do. */
#define DOZE        50

typedef struct
{
  OsiisoAttempt *attempt; /* (owned) */
  OsiisoCall    *call;    /* its */
} Waiting;

typedef struct
{
  OsiisoWorkerPool    *pool;
  OsiisoCommandRunner *runner;  /* (owned) */
  OsiisoAttempt       *attempt; /* (nullable) (owned): NULL when it was ended */
} Command;

/*
 * lock guards interrupted and running, and who is in the latter is not freed while it is
 * held. All else belongs to the thread.
 */
struct _OsiisoWorkerPool
{
  OsiisoBackend       *backend;  /* (owned) */
  OsiisoWorkerSettings settings;
  OsiisoWorkerPoolOver over;
  GMainContext        *context;
  OsiisoMailbox       *mailbox;
  GSource             *timer;
  gint64               tick_due;  /* 0: not */
  gint64               start_due; /* the same */

  GPtrArray           *workers;  /* of OsiisoWorker */
  GPtrArray           *commands; /* of Command, owned */
  GQueue               waiting;  /* of Waiting: begun, for the next worker that is free */
  OsiisoAttempt       *ahead;    /* (nullable) (owned): of a command that was taken ahead */
  guint                limit;
  guint                next;     /* whose turn it is to get one ahead */
  guint                n_failed; /* starts in a row */
  gboolean             changed;  /* there may be something to be taken, or room for it */
  gboolean             closing;

  pthread_mutex_t      lock;
  GPtrArray           *interrupted; /* of OsiisoAttempt, owned */
  GHashTable          *running;     /* OsiisoCommandRunner by OsiisoAttempt, neither owned */
};

void
osiiso_worker_settings_clear (OsiisoWorkerSettings *settings)
{
  g_strfreev (settings->argv);
  g_strfreev (settings->environment);
  g_free (settings->module_path);
  g_clear_pointer (&settings->setup, g_bytes_unref);
}

/* Timers */

static void
set_timer (OsiisoWorkerPool *self)
{
  gint64 due = self->tick_due;

  if (due == 0 || (self->start_due != 0 && self->start_due < due))
    due = self->start_due;
  g_source_set_ready_time (self->timer, due != 0 ? due : -1);
}

static gboolean
timer_dispatch (GSource    *source,
                GSourceFunc callback,
                gpointer    data)
{
  OsiisoWorkerPool *self = data;
  const gint64 now = g_get_monotonic_time ();
  gboolean again = FALSE;

  if (self->start_due != 0 && now >= self->start_due)
    {
      self->start_due = 0;
      self->changed = TRUE;
    }
  if (self->tick_due != 0 && now >= self->tick_due)
    {
      for (guint i = 0; i < self->workers->len; i++)
        again |= osiiso_worker_tick (self->workers->pdata[i], now);
      self->tick_due = again ? now + TICK : 0;
    }
  set_timer (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = {
  .dispatch = timer_dispatch,
};

/* What there is */

static gboolean
is_ready (OsiisoWorker *worker)
{
  return osiiso_worker_get_state (worker) == OSIISO_WORKER_READY;
}

static OsiisoWorker *
find_idle (OsiisoWorkerPool *self)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      OsiisoWorker *worker = self->workers->pdata[i];

      if (is_ready (worker) && osiiso_worker_get_n_jobs (worker) == 0 && osiiso_worker_get_room (worker) > 0)
        return worker;
    }
  return NULL;
}

static guint
count_state (OsiisoWorkerPool *self,
             OsiisoWorkerState state)
{
  guint n = 0;

  for (guint i = 0; i < self->workers->len; i++)
    n += osiiso_worker_get_state (self->workers->pdata[i]) == state;
  return n;
}

/* Of the places that the queue counts. */
static guint
count_busy (OsiisoWorkerPool *self)
{
  guint n = self->waiting.length;

  for (guint i = 0; i < self->commands->len; i++)
    n += ((Command *) self->commands->pdata[i])->attempt != NULL;
  for (guint i = 0; i < self->workers->len; i++)
    n += osiiso_worker_is_busy (self->workers->pdata[i]);
  return n;
}

/* Tasks that no worker has */

static void
free_waiting (gpointer data)
{
  Waiting *waiting = data;

  osiiso_attempt_unref (waiting->attempt);
  g_free (waiting);
}

static void
free_command (gpointer data)
{
  Command *command = data;

  osiiso_command_runner_free (command->runner);
  g_clear_pointer (&command->attempt, osiiso_attempt_unref);
  g_free (command);
}

/* An attempt that runs is somebody's until it is taken out. */
static void
set_running (OsiisoWorkerPool    *self,
             OsiisoAttempt       *attempt,
             OsiisoCommandRunner *runner) /* (nullable) */
{
  pthread_mutex_lock (&self->lock);
  if (runner != NULL)
    g_hash_table_insert (self->running, attempt, runner);
  else
    g_hash_table_remove (self->running, attempt);
  pthread_mutex_unlock (&self->lock);
}

static void
on_command_done (OsiisoCommandRunner *runner,
                 OsiisoCommandResult *result,
                 const GError        *error,
                 gpointer             data)
{
  Command *command = data;
  OsiisoWorkerPool *self = command->pool;

  if (command->attempt != NULL)
    {
      osiiso_command_runner_report (command->attempt, result, error);
      set_running (self, command->attempt, NULL);
    }
  g_ptr_array_remove_fast (self->commands, command);
  self->changed = TRUE;
}

/* Takes over @attempt. */
static void
run_command (OsiisoWorkerPool *self,
             OsiisoAttempt    *attempt)
{
  const OsiisoProcessLimits limits = {
    .nice = self->settings.nice,
    .address_space = self->settings.address_space,
    .cpu_seconds = self->settings.cpu_time,
    .die_with_parent = self->settings.commands_die,
  };
  Command *command = g_new0 (Command, 1);
  g_autoptr (GError) error = NULL;

  command->pool = self;
  command->attempt = attempt;
  command->runner = osiiso_command_runner_new (osiiso_attempt_get_command (attempt), on_command_done, command);
  /* First, so that what it writes before it is cancelled is always found. */
  set_running (self, attempt, command->runner);
  if (osiiso_command_runner_spawn (command->runner, &limits, self->context, &error))
    {
      g_ptr_array_add (self->commands, command);
      return;
    }
  set_running (self, attempt, NULL);
  osiiso_command_runner_report (attempt, NULL, error);
  free_command (command);
}

static void
fail_waiting (OsiisoWorkerPool *self,
              const GError     *error)
{
  Waiting *waiting = g_queue_pop_head (&self->waiting);

  osiiso_attempt_return_error (waiting->attempt, g_error_copy (error));
  free_waiting (waiting);
}

/* With nobody there who could do the work: all that waits now, and nothing that is
 * submitted by who hears of that. */
static void
fail_all (OsiisoWorkerPool *self,
          const GError     *error)
{
  g_autoptr (GPtrArray) attempts = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take_ahead (self->backend)) != NULL)
    g_ptr_array_add (attempts, attempt);
  while (!g_queue_is_empty (&self->waiting))
    fail_waiting (self, error);
  for (guint i = 0; i < attempts->len; i++)
    {
      attempt = attempts->pdata[i];
      if (osiiso_attempt_get_call (attempt) != NULL)
        osiiso_attempt_return_error (attempt, g_error_copy (error));
      else
        osiiso_attempt_give_back (attempt);
    }
}

/* Workers */

static void
start_failed (OsiisoWorkerPool *self,
              const GError     *error)
{
  const gboolean hopeless = error->domain == G_SPAWN_ERROR &&
                            (error->code == G_SPAWN_ERROR_NOENT || error->code == G_SPAWN_ERROR_ACCES ||
                             error->code == G_SPAWN_ERROR_NOEXEC);
  gint64 pause = FIRST_PAUSE << MIN (self->n_failed, 6);

  if (self->closing)
    return;
  self->n_failed++;
  self->start_due = g_get_monotonic_time () + MIN (pause, LAST_PAUSE);
  set_timer (self);
  /* Others do the work. */
  for (guint i = 0; i < self->workers->len; i++)
    {
      if (is_ready (self->workers->pdata[i]) && osiiso_worker_has_started (self->workers->pdata[i]))
        return;
    }
  if (hopeless || self->n_failed >= MOST_STARTS)
    {
      g_autoptr (GError) all = g_error_copy (error);

      if (hopeless)
        g_prefix_error (&all, "no worker can be started: ");
      else
        g_prefix_error (&all, "no worker could be started, %u times in a row: ", self->n_failed);
      fail_all (self, all);
    }
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) && !g_queue_is_empty (&self->waiting))
    {
      g_autoptr (GError) one = g_error_new_literal (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, error->message);

      fail_waiting (self, one);
    }
}

static void
on_worker_heard (OsiisoWorker *worker,
                 gpointer      data)
{
  OsiisoWorkerPool *self = data;

  self->changed = TRUE;
}

static void
on_worker_gone (OsiisoWorker *worker,
                const GError *start_error,
                gpointer      data)
{
  OsiisoWorkerPool *self = data;

  g_ptr_array_remove_fast (self->workers, worker);
  if (start_error != NULL)
    start_failed (self, start_error);
  osiiso_worker_free (worker);
  self->changed = TRUE;
}

static void
start_workers (OsiisoWorkerPool *self)
{
  guint n_starting = 0;

  for (guint i = 0; i < self->workers->len; i++)
    n_starting += osiiso_worker_is_starting (self->workers->pdata[i]);
  while (self->start_due == 0 && n_starting < self->waiting.length)
    {
      g_autoptr (GError) error = NULL;
      OsiisoWorker *worker = osiiso_worker_new (&self->settings, self->context, on_worker_heard, on_worker_gone, self, &error);

      if (worker == NULL)
        {
          start_failed (self, error);
          return;
        }
      g_ptr_array_add (self->workers, worker);
      n_starting++;
    }
}

/* Sends those away that have had their share, and those that are too many. */
static void
look_at_workers (OsiisoWorkerPool *self)
{
  guint n_live = count_state (self, OSIISO_WORKER_STARTING);

  /* Not those that are asked to leave a call: others have come to their place. */
  for (guint i = 0; i < self->workers->len; i++)
    {
      OsiisoWorker *worker = self->workers->pdata[i];

      n_live += is_ready (worker) && (osiiso_worker_get_n_jobs (worker) == 0 || osiiso_worker_is_busy (worker));
    }
  for (guint i = 0; i < self->workers->len; i++)
    {
      OsiisoWorker *worker = self->workers->pdata[i];

      if (osiiso_worker_tell_started (worker))
        self->n_failed = 0;
      if (!is_ready (worker) || osiiso_worker_get_n_jobs (worker) > 0)
        continue;
      if (n_live > self->limit || osiiso_worker_is_used_up (worker))
        {
          osiiso_worker_retire (worker);
          n_live--;
        }
    }
}

/* Handing out */

static void
hand_out (OsiisoWorkerPool *self)
{
  OsiisoWorker *worker;

  while (!g_queue_is_empty (&self->waiting) && (worker = find_idle (self)) != NULL)
    {
      Waiting *waiting = g_queue_pop_head (&self->waiting);

      osiiso_worker_give (worker, waiting->attempt, waiting->call);
      g_free (waiting);
    }
}

static void
begin_ahead (OsiisoWorkerPool *self)
{
  OsiisoAttempt *attempt = self->ahead;

  if (attempt == NULL || count_busy (self) >= self->limit)
    return;
  self->ahead = NULL;
  if (osiiso_attempt_begin (attempt))
    run_command (self, attempt);
  else
    osiiso_attempt_unref (attempt);
}

/* One for each place that is free. */
static void
take_now (OsiisoWorkerPool *self)
{
  OsiisoAttempt *attempt;
  OsiisoWorker *worker;

  while ((attempt = osiiso_backend_take (self->backend)) != NULL)
    {
      OsiisoCall *call = osiiso_attempt_get_call (attempt);

      if (call == NULL)
        {
          run_command (self, attempt);
        }
      else if (g_queue_is_empty (&self->waiting) && (worker = find_idle (self)) != NULL)
        {
          osiiso_worker_give (worker, attempt, call);
        }
      else
        {
          Waiting *waiting = g_new (Waiting, 1);

          *waiting = (Waiting) { attempt, call };
          g_queue_push_tail (&self->waiting, waiting);
        }
    }
}

/* The next worker that has room in its window, behind something. */
static OsiisoWorker *
find_room (OsiisoWorkerPool *self)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      OsiisoWorker *worker = self->workers->pdata[(self->next + i) % self->workers->len];

      if (osiiso_worker_get_n_jobs (worker) > 0 && osiiso_worker_get_room (worker) > 0)
        {
          self->next = (self->next + i + 1) % self->workers->len;
          return worker;
        }
    }
  return NULL;
}

static void
take_ahead (OsiisoWorkerPool *self)
{
  gboolean taken = FALSE;
  OsiisoWorker *worker;

  /* A command that could not begin shows that there is no place, and it is next. */
  while (self->ahead == NULL && (worker = find_room (self)) != NULL)
    {
      OsiisoAttempt *attempt = osiiso_backend_take_ahead (self->backend);
      OsiisoCall *call;

      if (attempt == NULL)
        break;
      call = osiiso_attempt_get_call (attempt);
      if (call == NULL)
        self->ahead = attempt;
      else
        osiiso_worker_give (worker, attempt, call);
      taken = TRUE;
    }
  if (taken && self->tick_due == 0)
    {
      self->tick_due = g_get_monotonic_time () + TICK;
      set_timer (self);
    }
}

/* After each turn of the loop. */
static void
settle (OsiisoWorkerPool *self)
{
  if (!self->closing && self->changed)
    {
      self->changed = FALSE;
      hand_out (self);
      begin_ahead (self);
      take_now (self);
      look_at_workers (self);
      start_workers (self);
      take_ahead (self);
    }
  for (guint i = 0; i < self->workers->len; i++)
    osiiso_worker_flush (self->workers->pdata[i]);
}

/* Calls that take some microseconds are answered one by one. If this thread waited for
 * each of these answers, it would be woken for each, by the worker, and to wake somebody
 * takes as long as such a call. So it sees to many of them at a time, as long as no worker
 * can run out of calls meanwhile: each has several times as much to do. An answer is told
 * that much later then, and so is what others have posted. */
static gboolean
may_doze (OsiisoWorkerPool *self)
{
  if (self->closing || self->changed || self->workers->len == 0 || self->commands->len > 0 ||
      !g_queue_is_empty (&self->waiting))
    return FALSE;
  for (guint i = 0; i < self->workers->len; i++)
    {
      if (!osiiso_worker_has_plenty (self->workers->pdata[i], DOZE))
        return FALSE;
    }
  return TRUE;
}

/* Word from others */

static gboolean
interrupt_waiting (OsiisoWorkerPool *self,
                   OsiisoAttempt    *attempt)
{
  for (GList *l = self->waiting.head; l != NULL; l = l->next)
    {
      if (((Waiting *) l->data)->attempt == attempt)
        {
          free_waiting (l->data);
          g_queue_delete_link (&self->waiting, l);
          return TRUE;
        }
    }
  if (self->ahead != attempt)
    return FALSE;
  g_clear_pointer (&self->ahead, osiiso_attempt_unref);
  return TRUE;
}

static gboolean
interrupt_command (OsiisoWorkerPool *self,
                   OsiisoAttempt    *attempt)
{
  for (guint i = 0; i < self->commands->len; i++)
    {
      Command *command = self->commands->pdata[i];

      if (command->attempt != attempt)
        continue;
      set_running (self, attempt, NULL);
      g_clear_pointer (&command->attempt, osiiso_attempt_unref);
      osiiso_command_runner_interrupt (command->runner, self->settings.grace);
      return TRUE;
    }
  return FALSE;
}

static void
interrupt_one (OsiisoWorkerPool *self,
               OsiisoAttempt    *attempt)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      if (osiiso_worker_interrupt (self->workers->pdata[i], attempt))
        return;
    }
  if (!interrupt_command (self, attempt))
    interrupt_waiting (self, attempt);
}

static void
interrupt_all (OsiisoWorkerPool *self)
{
  g_autoptr (GPtrArray) attempts = NULL;

  pthread_mutex_lock (&self->lock);
  attempts = self->interrupted;
  self->interrupted = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
  pthread_mutex_unlock (&self->lock);

  for (guint i = 0; i < attempts->len; i++)
    interrupt_one (self, attempts->pdata[i]);
}

static void
close_all (OsiisoWorkerPool *self)
{
  self->closing = TRUE;
  self->start_due = self->tick_due = 0;
  set_timer (self);
  /* All of these have ended as far as the queue is concerned. */
  g_queue_clear_full (&self->waiting, free_waiting);
  g_clear_pointer (&self->ahead, osiiso_attempt_unref);
  for (guint i = 0; i < self->workers->len; i++)
    {
      OsiisoWorker *worker = self->workers->pdata[i];

      if (osiiso_worker_get_n_jobs (worker) == 0)
        osiiso_worker_retire (worker);
      else
        osiiso_worker_stop (worker);
    }
  for (guint i = 0; i < self->commands->len; i++)
    osiiso_command_runner_interrupt (((Command *) self->commands->pdata[i])->runner, self->settings.grace);
}

static void
on_mail (guint    bits,
         gpointer data)
{
  OsiisoWorkerPool *self = data;

  if (bits & POST_WORKERS)
    self->limit = osiiso_backend_get_workers (self->backend);
  if (bits & POST_INTERRUPT)
    interrupt_all (self);
  if ((bits & POST_CLOSE) && !self->closing)
    close_all (self);
  self->changed = TRUE;
}

void
osiiso_worker_pool_wake (OsiisoWorkerPool *self)
{
  osiiso_mailbox_post (self->mailbox, POST_WAKE);
}

OsiisoCommandResult *
osiiso_worker_pool_interrupt (OsiisoWorkerPool *self,
                              OsiisoAttempt    *attempt)
{
  OsiisoCommandResult *result = NULL;
  OsiisoCommandRunner *runner;

  pthread_mutex_lock (&self->lock);
  runner = g_hash_table_lookup (self->running, attempt);
  if (runner != NULL)
    result = osiiso_command_runner_peek_result (runner);
  g_ptr_array_add (self->interrupted, osiiso_attempt_ref (attempt));
  pthread_mutex_unlock (&self->lock);
  osiiso_mailbox_post (self->mailbox, POST_INTERRUPT);
  return result;
}

void
osiiso_worker_pool_workers_changed (OsiisoWorkerPool *self)
{
  osiiso_mailbox_post (self->mailbox, POST_WORKERS);
}

void
osiiso_worker_pool_close (OsiisoWorkerPool *self)
{
  osiiso_mailbox_post (self->mailbox, POST_CLOSE);
}

/* The thread */

static void
pool_free (OsiisoWorkerPool *self)
{
  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  g_source_destroy (&self->mailbox->source);
  g_source_unref (&self->mailbox->source);
  g_ptr_array_unref (self->workers);
  g_ptr_array_unref (self->commands);
  g_ptr_array_unref (self->interrupted);
  g_hash_table_unref (self->running);
  g_main_context_unref (self->context);
  osiiso_worker_settings_clear (&self->settings);
  pthread_mutex_destroy (&self->lock);
  g_free (self);
}

static gpointer
pool_thread (gpointer data)
{
  OsiisoWorkerPool *self = data;
  /* The reference that was taken for the thread. */
  g_autoptr (OsiisoBackend) backend = self->backend;

  g_main_context_push_thread_default (self->context);
  while (!self->closing || self->workers->len > 0 || self->commands->len > 0)
    {
      g_main_context_iteration (self->context, TRUE);
      settle (self);
      if (may_doze (self))
        g_usleep (DOZE);
    }
  g_main_context_pop_thread_default (self->context);
  self->over (backend);
  pool_free (self);
  osiiso_backend_closed (backend);
  return NULL;
}

/* g_main_context_new() needs a descriptor, and ends the program when there is none. */
static gboolean
check_descriptors (OsiisoWorkerPool *self,
                   GError          **error)
{
  const int fd = fcntl (self->mailbox->fd, F_DUPFD_CLOEXEC, 0);
  const int saved_errno = errno;

  if (fd >= 0)
    {
      close (fd);
      return TRUE;
    }
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "no descriptor for a thread to be woken by: %s", g_strerror (saved_errno));
  return FALSE;
}

/* What is opened from now on, also by GLib, is none of 0, 1 and 2, see
 * osiiso_process_raise_fds(). */
static void
hold_low_fds (int held[3])
{
  for (int i = 0; i < 3; i++)
    {
      held[i] = open ("/dev/null", O_RDWR | O_CLOEXEC);
      if (held[i] > STDERR_FILENO)
        {
          close (held[i]);
          held[i] = -1;
        }
    }
}

static void
release_low_fds (const int held[3])
{
  for (int i = 0; i < 3; i++)
    {
      if (held[i] >= 0)
        close (held[i]);
    }
}

static gboolean
open_own_fds (OsiisoWorkerPool *self,
              GError          **error)
{
  gboolean opened;
  int held[3];

  hold_low_fds (held);
  self->mailbox = osiiso_mailbox_new (on_mail, self, error);
  opened = self->mailbox != NULL && check_descriptors (self, error);
  if (opened)
    self->context = g_main_context_new ();
  release_low_fds (held);
  return opened;
}

OsiisoWorkerPool *
osiiso_worker_pool_new (OsiisoBackend              *backend,
                        const OsiisoWorkerSettings *settings,
                        OsiisoWorkerPoolOver        over,
                        GError                    **error)
{
  OsiisoWorkerPool *self = g_new0 (OsiisoWorkerPool, 1);
  GThread *thread;

  self->settings = *settings;
  if (!open_own_fds (self, error))
    {
      if (self->mailbox != NULL)
        g_source_unref (&self->mailbox->source);
      osiiso_worker_settings_clear (&self->settings);
      g_free (self);
      return NULL;
    }
  self->backend = g_object_ref (backend);
  self->over = over;
  self->limit = osiiso_backend_get_workers (backend);
  pthread_mutex_init (&self->lock, NULL);
  self->workers = g_ptr_array_new ();
  self->commands = g_ptr_array_new_with_free_func (free_command);
  self->interrupted = g_ptr_array_new_with_free_func ((GDestroyNotify) osiiso_attempt_unref);
  self->running = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->waiting);
  self->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (self->timer, NULL, self, NULL);
  g_source_attach (self->timer, self->context);
  g_source_attach (&self->mailbox->source, self->context);

  thread = g_thread_try_new ("osiiso-subproc", pool_thread, self, error);
  if (thread == NULL)
    {
      pool_free (self);
      g_object_unref (backend);
      return NULL;
    }
  g_thread_unref (thread);
  return self;
}
