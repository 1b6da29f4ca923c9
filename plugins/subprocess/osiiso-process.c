/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-process.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osiiso-pidfd.h"
#include "osiiso-process-spawn-private.h"

/* The source waits for the pidfd and, while the process is being stopped, for
 * the time to kill it. */
struct _OsiisoProcess
{
  GSource            *source;     /* (owned) (nullable) */
  gpointer            tag;        /* of the pidfd */
  OsiisoPidfd         pidfd;
  pid_t               pid;
  OsiisoProcessExited exited;     /* (nullable): NULL once it was freed */
  gpointer            user_data;
  long                our_peak;   /* kB, right after exec */
  int                 status_fd;  /* of the launcher; -1 without one */
  char               *program;
  GError             *failure;    /* (nullable) (owned) */
  gint64              kill_time;  /* monotonic us; only while it is being stopped */
  guint               stopping : 1;
  guint               killed   : 1;
  guint               over     : 1;
  guint               orphan   : 1; /* freed before its end */
  guint               is_small : 1; /* its peak is not also ours */
};

typedef struct
{
  GSource        source;
  OsiisoProcess *process; /* which destroys the source */
} ProcessSource;

/* As long as its leader was not waited for, nobody else gets the id of the
 * group. The leader might have been waited for by the program itself. */
static void
signal_group (OsiisoProcess *self,
              int            signum)
{
  if (osiiso_pidfd_is_ours (&self->pidfd))
    kill (-self->pid, signum);
}

static void
destroy (OsiisoProcess *self)
{
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_source_unref (g_steal_pointer (&self->source));
    }
  osiiso_pidfd_close (&self->pidfd);
  if (self->status_fd >= 0)
    close (self->status_fd);
  self->status_fd = -1;
}

static void
process_free (OsiisoProcess *self)
{
  g_clear_error (&self->failure);
  g_free (self->program);
  g_free (self);
}

/* Kilobytes, by which the kernel may be wrong: it counts pages for each processor
 * apart, and adds them up now and then. */
static long
memory_slack (void)
{
  static gsize slack;

  if (g_once_init_enter (&slack))
    g_once_init_leave (&slack, 4 * 32 * g_get_num_processors ());
  return (long) slack;
}

static void
reap (OsiisoProcess *self)
{
  struct rusage usage = { 0 };
  int status;

  /* While the leader is a zombie, see signal_group(). */
  if (self->stopping)
    signal_group (self, SIGKILL);
  if (!osiiso_pidfd_wait (&self->pidfd, &status, &usage))
    return;
  if (!self->is_small && usage.ru_maxrss <= self->our_peak + memory_slack ())
    usage.ru_maxrss = 0;
  if (self->status_fd >= 0)
    self->failure = osiiso_process_read_failure (self->status_fd, self->program);

  self->over = TRUE;
  destroy (self);
  if (self->orphan)
    process_free (self);
  else
    self->exited (self, status, &usage, self->user_data);
}

static gboolean
process_source_dispatch (GSource    *source,
                         GSourceFunc callback,
                         gpointer    user_data)
{
  OsiisoProcess *self = ((ProcessSource *) source)->process;

  if (self->tag == NULL || g_source_query_unix_fd (source, self->tag) != 0)
    reap (self);
  else if (self->stopping && !self->killed && g_source_get_time (source) >= self->kill_time)
    osiiso_process_kill (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs process_source_funcs = {
  .dispatch = process_source_dispatch,
};

/* The child has just been started. */
static gboolean
watch (OsiisoProcess *self,
       const char    *program,
       GError       **error)
{
  int result = osiiso_pidfd_open (&self->pidfd, self->pid);

  if (result == 0)
    return TRUE;
  kill (-self->pid, SIGKILL);
  while (waitpid (self->pid, NULL, 0) < 0 && errno == EINTR)
    ;
  osiiso_process_set_error (error, result, program);
  return FALSE;
}

OsiisoProcess *
osiiso_process_spawn (const OsiisoProcessSpec *spec,
                      GMainContext            *context,
                      OsiisoProcessExited      exited,
                      gpointer                 user_data,
                      GError                 **error)
{
  OsiisoProcess *self;
  OsiisoSpawned spawned;
  struct rusage usage;

  g_return_val_if_fail (spec->argv != NULL && spec->argv[0] != NULL, NULL);
  g_return_val_if_fail (exited != NULL, NULL);

  if (!osiiso_process_spawn_child (spec, &spawned, error))
    return NULL;
  self = g_new0 (OsiisoProcess, 1);
  self->exited = exited;
  self->user_data = user_data;
  self->pid = spawned.pid;
  self->status_fd = spawned.status_fd;
  self->is_small = spawned.is_small;
  self->program = g_strdup (spec->argv[0]);
  if (!watch (self, spec->argv[0], error))
    {
      destroy (self);
      process_free (self);
      return NULL;
    }

  getrusage (RUSAGE_SELF, &usage);
  self->our_peak = usage.ru_maxrss;
  self->source = g_source_new (&process_source_funcs, sizeof (ProcessSource));
  ((ProcessSource *) self->source)->process = self;
  g_source_set_static_name (self->source, "OsiisoProcess");
  /* It does not, but then its descriptor is not taken out and put back, with
   * wake-ups, each time that it is dispatched. */
  g_source_set_can_recurse (self->source, TRUE);
  if (self->pidfd.fd >= 0)
    self->tag = g_source_add_unix_fd (self->source, self->pidfd.fd, G_IO_IN);
  else
    g_source_set_ready_time (self->source, 0);
  g_source_attach (self->source, context);
  return self;
}

void
osiiso_process_kill (OsiisoProcess *self)
{
  if (self->over || self->pidfd.fd < 0)
    return;
  self->stopping = TRUE;
  self->killed = TRUE;
  g_source_set_ready_time (self->source, -1);
  signal_group (self, SIGKILL);
}

void
osiiso_process_stop (OsiisoProcess *self,
                     gint64         grace_us)
{
  gint64 kill_time;

  if (self->over || self->killed || self->pidfd.fd < 0)
    return;
  if (grace_us <= 0)
    {
      osiiso_process_kill (self);
      return;
    }

  kill_time = g_get_monotonic_time ();
  kill_time = grace_us > G_MAXINT64 - kill_time ? G_MAXINT64 : kill_time + grace_us;
  if (!self->stopping || kill_time < self->kill_time)
    {
      self->kill_time = kill_time;
      g_source_set_ready_time (self->source, kill_time);
    }
  if (!self->stopping)
    {
      self->stopping = TRUE;
      signal_group (self, SIGTERM);
      /* Who is stopped handles SIGTERM only when it goes on. */
      signal_group (self, SIGCONT);
    }
}

pid_t
osiiso_process_get_pid (OsiisoProcess *self)
{
  return self->pid;
}

gboolean
osiiso_process_has_exited (OsiisoProcess *self)
{
  return self->over;
}

const GError *
osiiso_process_get_failure (OsiisoProcess *self)
{
  return self->failure;
}

void
osiiso_process_free (OsiisoProcess *self)
{
  if (self->over)
    {
      process_free (self);
      return;
    }
  self->orphan = TRUE;
  osiiso_process_kill (self);
}
