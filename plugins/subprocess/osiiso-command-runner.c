/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-command-runner.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* As much as a pipe holds, unless the child changes that. */
#define CHUNK (64 * 1024)

/* How often that is read, at most, to get all that was written. */
#define N_READS 16

/* One end of a pipe. */
typedef struct
{
  int         fd;      /* -1 when it is closed */
  gpointer    tag;
  GByteArray *kept;    /* (nullable) */
  guint64     dropped;
} Output;

enum
{
  OUT,
  ERR,
  N_OUTPUTS,
};

/*
 * lock guards outputs but for the tags, result and ended.
 */
struct _OsiisoCommandRunner
{
  pthread_mutex_t         lock;
  OsiisoCommand          *command; /* (owned) */
  OsiisoProcess          *process; /* (owned) */
  GSource                *source;  /* (owned), of the pipes */
  OsiisoCommandRunnerDone done;
  gpointer                user_data;

  Output                  outputs[N_OUTPUTS];
  guint64                 limit;
  GBytes                 *input;      /* (owned) (nullable) */
  gsize                   input_done; /* bytes that are written */
  int                     input_fd;   /* -1 when it is closed */
  gpointer                input_tag;

  gint64                  started; /* monotonic us */
  gint64                  ended;   /* 0 until the process has ended */
  int                     wait_status;
  struct rusage           usage;
  gboolean                interrupted;
  OsiisoCommandResult    *result; /* (owned) (nullable): when it is over */
};

typedef struct
{
  GSource              source;
  OsiisoCommandRunner *runner; /* which destroys the source */
} RunnerSource;

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
stop_watching (OsiisoCommandRunner *self,
               gpointer            *tag)
{
  if (*tag != NULL)
    g_source_remove_unix_fd (self->source, g_steal_pointer (tag));
}

static void
close_output (OsiisoCommandRunner *self,
              Output              *output)
{
  stop_watching (self, &output->tag);
  pthread_mutex_lock (&self->lock);
  close_fd (&output->fd);
  pthread_mutex_unlock (&self->lock);
}

static void
close_input (OsiisoCommandRunner *self)
{
  stop_watching (self, &self->input_tag);
  close_fd (&self->input_fd);
  g_clear_pointer (&self->input, g_bytes_unref);
}

/* With the lock. */
static void
keep (OsiisoCommandRunner *self,
      Output              *output,
      const guint8        *data,
      gsize                length)
{
  gsize held = output->kept != NULL ? output->kept->len : 0;
  /* An array cannot hold more. */
  guint64 limit = MIN (self->limit, G_MAXINT32);
  gsize room = limit > held ? limit - held : 0;
  gsize n = MIN (length, room);

  output->dropped += length - n;
  if (n == 0)
    return;
  if (output->kept == NULL)
    output->kept = g_byte_array_new ();
  g_byte_array_append (output->kept, data, (guint) n);
}

/* With the lock: what is there. FALSE at the end. */
static gboolean
read_locked (OsiisoCommandRunner *self,
             Output              *output,
             gboolean            *more)
{
  guint8 buffer[CHUNK];
  ssize_t n = read (output->fd, buffer, sizeof buffer);

  *more = n > 0;
  if (n > 0)
    keep (self, output, buffer, (gsize) n);
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void
read_output (OsiisoCommandRunner *self,
             Output              *output)
{
  gboolean more;
  gboolean open;

  pthread_mutex_lock (&self->lock);
  open = read_locked (self, output, &more);
  pthread_mutex_unlock (&self->lock);
  if (!open)
    close_output (self, output);
}

/* write() without SIGPIPE, whatever the program has done about that signal. */
static ssize_t
write_quietly (int         fd,
               const void *data,
               gsize       length)
{
  const struct timespec now = { 0, 0 };
  sigset_t pipe_signal, old, pending;
  gboolean was_pending;
  ssize_t n;
  int saved_errno;

  sigemptyset (&pipe_signal);
  sigaddset (&pipe_signal, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_signal, &old);
  sigpending (&pending);
  was_pending = sigismember (&pending, SIGPIPE);
  n = write (fd, data, length);
  saved_errno = errno;
  if (n < 0 && saved_errno == EPIPE && !was_pending)
    while (sigtimedwait (&pipe_signal, NULL, &now) < 0 && errno == EINTR)
      ;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  errno = saved_errno;
  return n;
}

/* As much as fits. A program need not read its input: that is no error. */
static void
write_input (OsiisoCommandRunner *self)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (self->input, &length);

  while (self->input_done < length)
    {
      ssize_t n = write_quietly (self->input_fd, data + self->input_done, length - self->input_done);

      if (n >= 0)
        self->input_done += (gsize) n;
      else if (errno == EAGAIN)
        return;
      else if (errno != EINTR)
        break;
    }
  close_input (self);
}

static GBytes *
steal_output (Output *output)
{
  if (output->kept == NULL)
    return g_bytes_new_static ("", 0);
  return g_byte_array_free_to_bytes (g_steal_pointer (&output->kept));
}

static double
seconds (const struct timeval *time)
{
  return (double) time->tv_sec + (double) time->tv_usec / G_USEC_PER_SEC;
}

static void
make_result (OsiisoCommandRunner *self)
{
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;

  pthread_mutex_lock (&self->lock);
  out = steal_output (&self->outputs[OUT]);
  err = steal_output (&self->outputs[ERR]);
  self->result = osiiso_command_result_new (self->wait_status,
                                            out, self->outputs[OUT].dropped,
                                            err, self->outputs[ERR].dropped,
                                            (double) (self->ended - self->started) / G_USEC_PER_SEC,
                                            seconds (&self->usage.ru_utime), seconds (&self->usage.ru_stime),
                                            (guint64) self->usage.ru_maxrss * 1024);
  pthread_mutex_unlock (&self->lock);
}

/* With the lock: everything that was written by now. */
static GBytes *
dup_output (OsiisoCommandRunner *self,
            Output              *output)
{
  gboolean more = output->fd >= 0;

  for (int i = 0; i < N_READS && more; i++)
    read_locked (self, output, &more);
  return output->kept != NULL ? g_bytes_new (output->kept->data, output->kept->len) : g_bytes_new_static ("", 0);
}

OsiisoCommandResult *
osiiso_command_runner_peek_result (OsiisoCommandRunner *self)
{
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;
  OsiisoCommandResult *result;
  gint64 until;

  pthread_mutex_lock (&self->lock);
  if (self->result != NULL)
    {
      result = osiiso_command_result_ref (self->result);
    }
  else
    {
      out = dup_output (self, &self->outputs[OUT]);
      err = dup_output (self, &self->outputs[ERR]);
      until = self->ended != 0 ? self->ended : g_get_monotonic_time ();
      result = osiiso_command_result_new (-1, out, self->outputs[OUT].dropped, err, self->outputs[ERR].dropped,
                                          (double) (until - self->started) / G_USEC_PER_SEC, 0, 0, 0);
    }
  pthread_mutex_unlock (&self->lock);
  return result;
}

static void
finish (OsiisoCommandRunner *self)
{
  g_autoptr (GError) error = NULL;
  const char *program = osiiso_command_get_argv (self->command)[0];

  for (guint i = 0; i < N_OUTPUTS; i++)
    close_output (self, &self->outputs[i]);
  close_input (self);
  g_source_destroy (self->source);

  if (osiiso_process_get_failure (self->process) != NULL)
    {
      error = g_error_copy (osiiso_process_get_failure (self->process));
    }
  else if (self->wait_status == OSIISO_PROCESS_STATUS_LOST)
    {
      g_set_error (&error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                   "%s: how it ended is not known: this program ignores SIGCHLD or waits for all its children",
                   program);
    }
  else
    {
      make_result (self);
      if (!g_spawn_check_wait_status (self->wait_status, &error))
        g_prefix_error (&error, "%s: ", program);
    }
  self->done (self, self->result, error, self->user_data);
}

static gboolean
is_read (OsiisoCommandRunner *self)
{
  return self->outputs[OUT].fd < 0 && self->outputs[ERR].fd < 0;
}

static gboolean
runner_source_dispatch (GSource    *source,
                        GSourceFunc callback,
                        gpointer    user_data)
{
  OsiisoCommandRunner *self = ((RunnerSource *) source)->runner;

  for (guint i = 0; i < N_OUTPUTS; i++)
    {
      Output *output = &self->outputs[i];

      if (output->tag != NULL && g_source_query_unix_fd (source, output->tag) != 0)
        read_output (self, output);
    }
  if (self->input_tag != NULL && g_source_query_unix_fd (source, self->input_tag) != 0)
    write_input (self);

  if (self->ended != 0 &&
      (self->interrupted || is_read (self) ||
       g_source_get_time (source) >= self->ended + OSIISO_COMMAND_LINGER_US))
    finish (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs runner_source_funcs = {
  .dispatch = runner_source_dispatch,
};

static void
process_exited (OsiisoProcess       *process,
                int                  wait_status,
                const struct rusage *usage,
                gpointer             user_data)
{
  OsiisoCommandRunner *self = user_data;

  pthread_mutex_lock (&self->lock);
  self->ended = g_get_monotonic_time ();
  pthread_mutex_unlock (&self->lock);
  self->wait_status = wait_status;
  self->usage = *usage;
  /* Who is left may read it, but is not worth the wait. */
  close_input (self);
  if (self->interrupted || is_read (self))
    finish (self);
  else
    g_source_set_ready_time (self->source, self->ended + OSIISO_COMMAND_LINGER_US);
}

static gboolean
open_pipe (int fds[2])
{
  int result;

  if (pipe2 (fds, O_CLOEXEC) < 0)
    return FALSE;
  result = osiiso_process_raise_fds (fds);
  if (result == 0)
    return TRUE;
  close (fds[0]);
  close (fds[1]);
  errno = result;
  return FALSE;
}

/* Opens a pipe for each output; *ends are the child's, and ours are in self. */
static gboolean
open_outputs (OsiisoCommandRunner *self,
              int                 *ends)
{
  guint n = osiiso_command_get_merge_stderr (self->command) ? 1 : N_OUTPUTS;

  for (guint i = 0; i < n; i++)
    {
      int fds[2];

      if (!open_pipe (fds))
        return FALSE;
      ends[i] = fds[1];
      /* There may be two who read, see peek_result(). The child's end blocks. */
      if (fcntl (fds[0], F_SETFL, O_NONBLOCK) < 0)
        {
          close (fds[0]);
          return FALSE;
        }
      pthread_mutex_lock (&self->lock);
      self->outputs[i].fd = fds[0];
      pthread_mutex_unlock (&self->lock);
    }
  return TRUE;
}

/* Most inputs fit into the pipe before anybody reads. */
static gboolean
open_input (OsiisoCommandRunner *self,
            int                 *end)
{
  int fds[2];

  if (self->input == NULL)
    return TRUE;
  if (!open_pipe (fds))
    return FALSE;
  *end = fds[0];
  self->input_fd = fds[1];
  if (fcntl (fds[1], F_SETFL, O_NONBLOCK) < 0)
    return FALSE;
  write_input (self);
  return TRUE;
}

static gboolean
spawn (OsiisoCommandRunner       *self,
       const OsiisoProcessLimits *limits,
       GMainContext              *context,
       GError                   **error)
{
  OsiisoProcessSpec spec = OSIISO_PROCESS_SPEC_INIT;
  int out_ends[N_OUTPUTS] = { -1, -1 };
  int in_end = -1;

  spec.argv = osiiso_command_get_argv (self->command);
  spec.envp = osiiso_command_get_environ (self->command);
  spec.cwd = osiiso_command_get_cwd (self->command);
  spec.search_path = osiiso_command_get_search_path (self->command);
  if (limits != NULL)
    spec.limits = *limits;

  if (open_outputs (self, out_ends) && open_input (self, &in_end))
    {
      spec.fds[0] = in_end;
      spec.fds[1] = out_ends[OUT];
      spec.fds[2] = out_ends[ERR] >= 0 ? out_ends[ERR] : out_ends[OUT];
      self->process = osiiso_process_spawn (&spec, context, process_exited, self, error);
    }
  else
    {
      osiiso_process_set_error (error, errno, spec.argv[0]);
    }
  close_fd (&in_end);
  close_fd (&out_ends[OUT]);
  close_fd (&out_ends[ERR]);
  return self->process != NULL;
}

OsiisoCommandRunner *
osiiso_command_runner_new (OsiisoCommand          *command,
                           OsiisoCommandRunnerDone done,
                           gpointer                user_data)
{
  OsiisoCommandRunner *self = g_new0 (OsiisoCommandRunner, 1);
  GBytes *input = osiiso_command_get_stdin_bytes (command);

  pthread_mutex_init (&self->lock, NULL);
  self->command = g_object_ref (command);
  self->done = done;
  self->user_data = user_data;
  self->limit = osiiso_command_get_output_limit (command);
  self->input_fd = -1;
  self->outputs[OUT].fd = -1;
  self->outputs[ERR].fd = -1;
  if (input != NULL && g_bytes_get_size (input) > 0)
    self->input = g_bytes_ref (input);
  self->started = g_get_monotonic_time ();
  self->source = g_source_new (&runner_source_funcs, sizeof (RunnerSource));
  ((RunnerSource *) self->source)->runner = self;
  g_source_set_static_name (self->source, "OsiisoCommandRunner");
  /* As for OsiisoProcess. */
  g_source_set_can_recurse (self->source, TRUE);
  return self;
}

gboolean
osiiso_command_runner_spawn (OsiisoCommandRunner       *self,
                             const OsiisoProcessLimits *limits,
                             GMainContext              *context,
                             GError                   **error)
{
  if (!spawn (self, limits, context, error))
    return FALSE;
  for (guint i = 0; i < N_OUTPUTS; i++)
    if (self->outputs[i].fd >= 0)
      self->outputs[i].tag = g_source_add_unix_fd (self->source, self->outputs[i].fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  if (self->input_fd >= 0)
    self->input_tag = g_source_add_unix_fd (self->source, self->input_fd, G_IO_OUT | G_IO_ERR);
  g_source_attach (self->source, context);
  return TRUE;
}

OsiisoCommandRunner *
osiiso_command_runner_start (OsiisoCommand             *command,
                             const OsiisoProcessLimits *limits,
                             GMainContext              *context,
                             OsiisoCommandRunnerDone    done,
                             gpointer                   user_data,
                             GError                   **error)
{
  OsiisoCommandRunner *self = osiiso_command_runner_new (command, done, user_data);

  if (osiiso_command_runner_spawn (self, limits, context, error))
    return self;
  osiiso_command_runner_free (self);
  return NULL;
}

void
osiiso_command_runner_interrupt (OsiisoCommandRunner *self,
                                 gint64               grace_us)
{
  self->interrupted = TRUE;
  if (self->ended == 0)
    osiiso_process_stop (self->process, grace_us);
  else
    g_source_set_ready_time (self->source, 0);
}

pid_t
osiiso_command_runner_get_pid (OsiisoCommandRunner *self)
{
  return osiiso_process_get_pid (self->process);
}

void
osiiso_command_runner_free (OsiisoCommandRunner *self)
{
  for (guint i = 0; i < N_OUTPUTS; i++)
    {
      close_output (self, &self->outputs[i]);
      g_clear_pointer (&self->outputs[i].kept, g_byte_array_unref);
    }
  close_input (self);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_clear_pointer (&self->process, osiiso_process_free);
  g_clear_pointer (&self->result, osiiso_command_result_unref);
  g_object_unref (self->command);
  pthread_mutex_destroy (&self->lock);
  g_free (self);
}

void
osiiso_command_runner_report (OsiisoAttempt       *attempt,
                              OsiisoCommandResult *result,
                              const GError        *error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (result != NULL)
    {
      g_value_init (&value, OSIISO_TYPE_COMMAND_RESULT);
      g_value_set_boxed (&value, result);
    }
  if (error == NULL)
    osiiso_attempt_return_value (attempt, &value);
  else
    osiiso_attempt_return_error_details (attempt, g_error_copy (error), result != NULL ? &value : NULL);
}
