/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osiiso-worker-private.h"

/* As long as calls take less, on average, a worker gets more at a time, but no more
 * than take so long all together; and less when they take more than the second. */
#define SHORT_CALL   (G_USEC_PER_SEC / 1000)
#define LONG_CALL    (2 * SHORT_CALL)
#define MOST_CALLS   64
#define MOST_TIME    (16 * SHORT_CALL)
/* After this time in one call, others do not wait behind it. */
#define SLOW_CALL    (5 * (G_USEC_PER_SEC / 1000))

typedef struct
{
  GSource       source;
  OsiisoWorker *worker; /* which destroys the source */
} WorkerSource;

OsiisoWorkerState
osiiso_worker_get_state (OsiisoWorker *self)
{
  return self->state;
}

guint
osiiso_worker_get_n_jobs (OsiisoWorker *self)
{
  return self->jobs.length;
}

gboolean
osiiso_worker_is_busy (OsiisoWorker *self)
{
  OsiisoJob *head = osiiso_worker_peek_head (self);

  return head != NULL && head->attempt != NULL;
}

gboolean
osiiso_worker_is_starting (OsiisoWorker *self)
{
  if (self->state == OSIISO_WORKER_STARTING)
    return TRUE;
  return self->state != OSIISO_WORKER_READY && (self->start_error != NULL || !self->greeted);
}

gboolean
osiiso_worker_has_started (OsiisoWorker *self)
{
  return self->greeted && (self->settings->setup == NULL || self->n_answered > 0);
}

gboolean
osiiso_worker_tell_started (OsiisoWorker *self)
{
  if (self->start_told || !osiiso_worker_has_started (self))
    return FALSE;
  self->start_told = TRUE;
  return TRUE;
}

gboolean
osiiso_worker_is_used_up (OsiisoWorker *self)
{
  return self->settings->tasks_per_worker > 0 && self->n_given >= self->settings->tasks_per_worker;
}

guint
osiiso_worker_get_room (OsiisoWorker *self)
{
  OsiisoJob *head = osiiso_worker_peek_head (self);
  guint room;

  /* Behind one that is being ended nobody waits: the worker may end with it. */
  if (self->state != OSIISO_WORKER_READY || self->window <= self->jobs.length ||
      (head != NULL && (head->attempt == NULL || self->slow)))
    return 0;
  room = self->window - self->jobs.length;
  if (self->settings->tasks_per_worker > 0)
    room = MIN (room, self->settings->tasks_per_worker - MIN (self->n_given, self->settings->tasks_per_worker));
  return room;
}

gboolean
osiiso_worker_has_plenty (OsiisoWorker *self,
                          gint64        time)
{
  return self->state == OSIISO_WORKER_READY && !self->slow && !self->blocked && !self->asked &&
         self->each <= time && self->each >= time / 10 && self->each * self->jobs.length >= 4 * time;
}

void
osiiso_worker_arm (OsiisoWorker *self,
                   gint64        due)
{
  self->due = due;
  g_source_set_ready_time (self->source, due != 0 ? due : -1);
}

/* Jobs */

/* Nobody waits for what it does: it is asked to leave it, and ended otherwise. */
static void
ask_head (OsiisoWorker *self,
          OsiisoJob    *head)
{
  if (!self->can_cancel)
    {
      osiiso_worker_stop (self);
      return;
    }
  osiiso_worker_send_control (self, OSIISO_FRAME_CANCEL, head->id);
  self->asked = TRUE;
  osiiso_worker_arm (self, g_get_monotonic_time () + self->settings->grace / 2);
}

/* What has come to the front while answers were read. One that is answered
 * together with the one before it begins with that. */
static void
begin_head (OsiisoWorker *self)
{
  OsiisoJob *head = osiiso_worker_peek_head (self);

  if (head == NULL || head->begun || self->state == OSIISO_WORKER_STOPPED)
    return;
  head->begun = TRUE;
  if (head->attempt != NULL && !osiiso_attempt_begin (head->attempt))
    g_clear_pointer (&head->attempt, osiiso_attempt_unref);
  /* It ended while it waited here, and could not be called back any more. */
  if (head->attempt == NULL)
    ask_head (self, head);
}

void
osiiso_worker_give (OsiisoWorker  *self,
                    OsiisoAttempt *attempt,
                    OsiisoCall    *call)
{
  GError *error = NULL;
  OsiisoJob *job;

  if (!osiiso_worker_check_call (self, call, &error))
    {
      osiiso_attempt_return_error (attempt, error);
      osiiso_attempt_unref (attempt);
      return;
    }
  job = g_new0 (OsiisoJob, 1);
  /* From 1 on, and around. */
  self->next_id = self->next_id % G_MAXUINT32 + 1;
  job->id = self->next_id;
  job->attempt = attempt;
  job->retry_after = -1;
  job->link.data = job;
  g_queue_push_tail_link (&self->jobs, &job->link);
  self->n_given++;
  osiiso_worker_send_call (self, job, call);
  if (self->jobs.length == 1)
    {
      job->begun = TRUE;
      self->since = g_get_monotonic_time ();
    }
}

static void
free_job (OsiisoWorker *self,
          OsiisoJob    *job)
{
  g_queue_unlink (&self->jobs, &job->link);
  if (job->attempt != NULL)
    osiiso_attempt_unref (job->attempt);
  g_free (job);
}

void
osiiso_worker_remove_job (OsiisoWorker *self,
                          OsiisoJob    *job)
{
  const gboolean was_head = self->jobs.head == &job->link;

  free_job (self, job);
  if (!was_head)
    return;
  if (self->asked && self->state != OSIISO_WORKER_STOPPED)
    {
      /* It has done what it was asked for. */
      self->asked = FALSE;
      osiiso_worker_arm (self, 0);
    }
}

/* Behind it, newest first, so that none is begun while the one behind it is on its
 * way back. */
static void
recall_waiting (OsiisoWorker *self)
{
  if (!self->can_recall || self->state == OSIISO_WORKER_STOPPED)
    return;
  for (GList *l = self->jobs.tail; l != self->jobs.head; l = l->prev)
    {
      OsiisoJob *job = l->data;

      if (!job->recalled)
        osiiso_worker_send_control (self, OSIISO_FRAME_RECALL, job->id);
      job->recalled = TRUE;
    }
}

static void
adapt_window (OsiisoWorker *self,
              gint64        now)
{
  const gint64 each = (now - self->since) / self->n_news;

  self->n_news = 0;
  self->since = now;
  self->each = each;
  self->slow = FALSE;
  if (self->settings->window > 0)
    return;
  /* What waits behind a slow one has to be able to come back. */
  if (each < SHORT_CALL && self->can_recall)
    self->window = (guint) MIN (self->window * 2, MIN (MOST_CALLS, MOST_TIME / MAX (each, 1)));
  else if (each > LONG_CALL)
    self->window = 1;
}

gboolean
osiiso_worker_tick (OsiisoWorker *self,
                    gint64        now)
{
  if (self->jobs.length < 2 || !self->can_recall)
    return FALSE;
  if (now - self->since < SLOW_CALL)
    return TRUE;
  self->slow = TRUE;
  recall_waiting (self);
  return FALSE;
}

gboolean
osiiso_worker_interrupt (OsiisoWorker  *self,
                         OsiisoAttempt *attempt)
{
  OsiisoJob *job = NULL;

  for (GList *l = self->jobs.head; l != NULL && job == NULL; l = l->next)
    {
      if (((OsiisoJob *) l->data)->attempt == attempt)
        job = l->data;
    }
  if (job == NULL)
    return FALSE;

  g_clear_pointer (&job->attempt, osiiso_attempt_unref);
  if (self->state == OSIISO_WORKER_STOPPED)
    return TRUE;
  if (job != osiiso_worker_peek_head (self))
    {
      if (!job->recalled && (self->can_recall || self->can_cancel))
        osiiso_worker_send_control (self, self->can_recall ? OSIISO_FRAME_RECALL : OSIISO_FRAME_CANCEL, job->id);
      job->recalled |= self->can_recall;
      return TRUE;
    }
  recall_waiting (self);
  ask_head (self, job);
  return TRUE;
}

/* The process */

static void
close_socket (OsiisoWorker *self)
{
  if (self->fd < 0)
    return;
  g_source_remove_unix_fd (self->source, self->fd_tag);
  close (self->fd);
  self->fd = -1;
}

void
osiiso_worker_greeted (OsiisoWorker *self)
{
  self->greeted = TRUE;
  self->state = OSIISO_WORKER_READY;
  osiiso_worker_arm (self, 0);
}

void
osiiso_worker_lost (OsiisoWorker *self)
{
  self->eof = TRUE;
  close_socket (self);
  /* It ends now, by itself, which takes its time on a busy machine. */
  if (!self->exited && self->state != OSIISO_WORKER_STOPPED)
    {
      self->state = OSIISO_WORKER_RETIRED;
      osiiso_worker_arm (self, g_get_monotonic_time () + self->settings->grace);
    }
}

void
osiiso_worker_did_wrong (OsiisoWorker *self,
                         GError       *error)
{
  self->wrong = error;
  self->state = OSIISO_WORKER_STOPPED;
  osiiso_worker_arm (self, 0);
  if (!self->exited)
    osiiso_process_kill (self->process);
}

void
osiiso_worker_stop (OsiisoWorker *self)
{
  self->state = OSIISO_WORKER_STOPPED;
  osiiso_worker_arm (self, 0);
  osiiso_process_stop (self->process, self->asked ? self->settings->grace / 2 : self->settings->grace);
}

void
osiiso_worker_retire (OsiisoWorker *self)
{
  self->unwanted = TRUE;
  if (self->state == OSIISO_WORKER_STARTING)
    {
      osiiso_worker_stop (self);
      return;
    }
  if (self->state != OSIISO_WORKER_READY)
    return;
  self->state = OSIISO_WORKER_RETIRED;
  /* Whoever reads gets the end, after all that was sent before. */
  osiiso_worker_flush (self);
  shutdown (self->fd, SHUT_WR);
  osiiso_worker_arm (self, g_get_monotonic_time () + self->settings->grace);
}

static void
on_due (OsiisoWorker *self)
{
  osiiso_worker_arm (self, 0);
  if (self->state == OSIISO_WORKER_STARTING)
    {
      const double seconds = (double) self->settings->start_timeout / G_USEC_PER_SEC;

      osiiso_worker_did_wrong (self, g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                                                  "did not greet within %g seconds of its start", seconds));
    }
  else
    {
      /* The signal that ends it now says nothing. */
      if (self->eof && !self->unwanted)
        self->wrong = g_error_new_literal (OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED,
                                           "closed its connection and did not end");
      osiiso_worker_stop (self);
    }
}

static gboolean
worker_source_dispatch (GSource    *source,
                        GSourceFunc callback,
                        gpointer    user_data)
{
  OsiisoWorker *self = ((WorkerSource *) source)->worker;
  GIOCondition condition;

  if (self->err_fd >= 0 && g_source_query_unix_fd (source, self->err_tag) != 0)
    osiiso_worker_read_stderr (self);
  if (self->fd >= 0 && (condition = g_source_query_unix_fd (source, self->fd_tag)) != 0)
    {
      if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        {
          osiiso_worker_read (self);
          if (self->n_news > 0)
            adapt_window (self, g_get_monotonic_time ());
          begin_head (self);
          self->heard (self, self->data);
        }
      if (self->fd >= 0 && (condition & G_IO_OUT))
        osiiso_worker_flush (self);
    }
  if (self->due != 0 && g_get_monotonic_time () >= self->due)
    on_due (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs worker_source_funcs = {
  .dispatch = worker_source_dispatch,
};

/* Whether it has ended with nothing to do, as far as it knew; also when it was ended for
 * what it did then. One that has never answered a call may do that each time, and is not
 * given the benefit of the doubt. */
static gboolean
was_idle (OsiisoWorker *self,
          OsiisoJob    *head)
{
  return self->n_answered > 0 && osiiso_worker_has_not_read (self, head);
}

/* What it had to do, after its end. */
static void
end_jobs (OsiisoWorker *self)
{
  OsiisoJob *job = osiiso_worker_peek_head (self);

  if (job != NULL && job->attempt != NULL && self->start_error == NULL && !was_idle (self, job) &&
      (self->state != OSIISO_WORKER_STOPPED || self->wrong != NULL || job->begun))
    {
      g_auto (GValue) details = G_VALUE_INIT;
      OsiisoCall *call = osiiso_attempt_get_call (job->attempt);

      osiiso_worker_init_details (self, &details);
      osiiso_attempt_return_error_details (job->attempt,
                                           osiiso_worker_new_crash_error (self, osiiso_call_get_function (call)),
                                           &details);
      free_job (self, job);
    }
  while ((job = osiiso_worker_peek_head (self)) != NULL)
    {
      if (job->attempt != NULL)
        osiiso_attempt_give_back (job->attempt);
      free_job (self, job);
    }
}

static void
on_exited (OsiisoProcess       *process,
           int                  wait_status,
           const struct rusage *usage,
           gpointer             data)
{
  OsiisoWorker *self = data;
  /* Also when its greeting comes together with its end: it has been of no use. */
  const gboolean was_starting = !self->greeted && !self->unwanted;

  self->exited = TRUE;
  self->wait_status = wait_status;
  self->usage = *usage;
  osiiso_worker_read_rest (self);
  osiiso_worker_arm (self, 0);
  if (osiiso_process_get_failure (process) != NULL && self->start_error == NULL)
    self->start_error = g_error_copy (osiiso_process_get_failure (process));
  else if (was_starting && self->start_error == NULL)
    self->start_error = osiiso_worker_new_start_error (self);
  end_jobs (self);
  self->gone (self, self->start_error, self->data);
}

/* Environment and arguments */

static char **
make_environment (const OsiisoWorkerSettings *settings)
{
  char **made = settings->environment != NULL ? g_strdupv (settings->environment) : g_get_environ ();

  made = g_environ_setenv (made, "OSIISO_WORKER_FD", "3", TRUE);
  if (settings->module_path != NULL)
    made = g_environ_setenv (made, "OSIISO_MODULE_PATH", settings->module_path, TRUE);
  /* A profiler's socket, which it does not have: that number is often its own socket. */
  return g_environ_unsetenv (made, "SYSPROF_CONTROL_FD");
}

static gboolean
set_nonblocking (int      fd,
                 GError **error)
{
  return g_unix_set_fd_nonblocking (fd, TRUE, error);
}

static void
close_pair (int fds[2])
{
  for (int i = 0; i < 2; i++)
    {
      if (fds[i] >= 0)
        close (fds[i]);
      fds[i] = -1;
    }
}

/* Closed by the caller in any case. */
static gboolean
prepare_pair (int         fds[2],
              int         result,
              const char *what,
              GError    **error)
{
  int saved_errno = errno;

  if (result != 0)
    fds[0] = fds[1] = -1;
  else if ((saved_errno = osiiso_process_raise_fds (fds)) == 0)
    return set_nonblocking (fds[0], error);
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "no %s for a worker: %s", what, g_strerror (saved_errno));
  return FALSE;
}

static gboolean
open_pairs (int      sockets[2],
            int      pipes[2],
            GError **error)
{
  return prepare_pair (sockets, socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), "socket", error) &&
         prepare_pair (pipes, pipe2 (pipes, O_CLOEXEC), "pipe", error);
}

static OsiisoProcess *
spawn (OsiisoWorker *self,
       GMainContext *context,
       int           socket_fd,
       int           err_fd,
       GError      **error)
{
  const OsiisoWorkerSettings *settings = self->settings;
  g_auto (GStrv) environment = make_environment (settings);
  g_autofree char *program = osiiso_process_find_helper ("osiiso-worker");
  const char * const own_argv[] = { program, NULL };
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;

  spec.argv = settings->argv != NULL ? (const char * const *) settings->argv : own_argv;
  spec.envp = (const char * const *) environment;
  spec.fds[1] = fcntl (STDOUT_FILENO, F_GETFD) >= 0 ? STDOUT_FILENO : -1;
  spec.fds[2] = err_fd;
  spec.fds[3] = socket_fd;
  spec.search_path = TRUE;
  spec.limits.die_with_parent = TRUE;
  spec.limits.nice = settings->nice;
  spec.limits.address_space = settings->address_space;
  spec.limits.cpu_seconds = settings->cpu_time;
  return osiiso_process_spawn (&spec, context, on_exited, self, error);
}

static void
attach (OsiisoWorker *self,
        GMainContext *context)
{
  self->source = g_source_new (&worker_source_funcs, sizeof (WorkerSource));
  ((WorkerSource *) self->source)->worker = self;
  g_source_set_static_name (self->source, "OsiisoWorker");
  /* It does not, but then its descriptors are not taken out and put back, with
   * wake-ups, each time that it is dispatched. */
  g_source_set_can_recurse (self->source, TRUE);
  self->fd_tag = g_source_add_unix_fd (self->source, self->fd, G_IO_IN);
  self->err_tag = g_source_add_unix_fd (self->source, self->err_fd, G_IO_IN);
  g_source_attach (self->source, context);
}

OsiisoWorker *
osiiso_worker_new (const OsiisoWorkerSettings *settings,
                   GMainContext               *context,
                   OsiisoWorkerHeard           heard,
                   OsiisoWorkerGone            gone,
                   gpointer                    data,
                   GError                    **error)
{
  OsiisoWorker *self = g_new0 (OsiisoWorker, 1);
  int sockets[2] = { -1, -1 };
  int pipes[2] = { -1, -1 };

  self->settings = settings;
  if (open_pairs (sockets, pipes, error))
    self->process = spawn (self, context, sockets[1], pipes[1], error);
  if (self->process == NULL)
    {
      close_pair (sockets);
      close_pair (pipes);
      g_free (self);
      return NULL;
    }
  close (sockets[1]);
  close (pipes[1]);
  self->fd = sockets[0];
  self->err_fd = pipes[0];
  self->heard = heard;
  self->gone = gone;
  self->data = data;
  self->window = settings->window > 0 ? settings->window : 1;
  self->tail = g_string_new (NULL);
  g_queue_init (&self->jobs);
  osiiso_frame_reader_init (&self->in, settings->max_frame);
  osiiso_frame_buffer_init (&self->out);
  attach (self, context);
  osiiso_worker_arm (self, g_get_monotonic_time () + settings->start_timeout);
  osiiso_worker_send_greeting (self);
  return self;
}

void
osiiso_worker_free (OsiisoWorker *self)
{
  close_socket (self);
  if (self->err_fd >= 0)
    close (self->err_fd);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  osiiso_process_free (self->process);
  osiiso_frame_reader_clear (&self->in);
  osiiso_frame_buffer_clear (&self->out);
  g_clear_pointer (&self->preambles, g_hash_table_unref);
  g_string_free (self->tail, TRUE);
  g_clear_error (&self->start_error);
  g_clear_error (&self->wrong);
  g_free (self);
}
