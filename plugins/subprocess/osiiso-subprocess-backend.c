/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "osiiso-subprocess-backend.h"
#include "osiiso-worker-pool.h"

/*
 * Runs calls in worker processes, and commands. All of that is done by a thread of
 * its own, see OsiisoWorkerPool; here are the settings, and word is left for it.
 *
 * What is set while the backend is open counts from the next time that it is opened.
 *
 * lock guards all fields. It is never held while calling into the queue.
 */
struct _OsiisoSubprocessBackend
{
  OsiisoBackend     parent_instance;

  pthread_mutex_t   lock;
  OsiisoWorkerPool *pool; /* (nullable): from open() until it is over */

  char            **worker_argv; /* (nullable) */
  char            **environment; /* (nullable) */
  char             *module_path; /* (nullable) */
  GBytes           *setup;       /* (nullable) */
  int               setup_encoding;
  double            grace_time;
  double            start_timeout;
  guint             tasks_per_worker;
  guint64           address_space_limit;
  double            cpu_time_limit;
  int               nice;
  guint             window;
  guint             max_frame_size;
  gboolean          commands_die;
};

G_DEFINE_FINAL_TYPE (OsiisoSubprocessBackend, osiiso_subprocess_backend, OSIISO_TYPE_BACKEND)

typedef enum
{
  PROP_WORKER_ARGV = 1,
  PROP_ENVIRONMENT,
  PROP_MODULE_PATH,
  PROP_SETUP,
  PROP_SETUP_ENCODING,
  PROP_GRACE_TIME,
  PROP_START_TIMEOUT,
  PROP_TASKS_PER_WORKER,
  PROP_ADDRESS_SPACE_LIMIT,
  PROP_CPU_TIME_LIMIT,
  PROP_NICE,
  PROP_WINDOW,
  PROP_MAX_FRAME_SIZE,
  PROP_COMMANDS_DIE_WITH_PARENT,
} OsiisoSubprocessBackendProperty;

static GParamSpec *props[PROP_COMMANDS_DIE_WITH_PARENT + 1];

static OsiisoBackendCapabilities
osiiso_subprocess_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_CALLS | OSIISO_BACKEND_CAPABILITIES_COMMANDS |
         OSIISO_BACKEND_CAPABILITIES_KILL | OSIISO_BACKEND_CAPABILITIES_ASYNC;
}

static guint
osiiso_subprocess_backend_get_default_workers (OsiisoBackend *backend)
{
  return g_get_num_processors ();
}

static gint64
to_microseconds (double seconds)
{
  return (gint64) (seconds * G_USEC_PER_SEC);
}

static OsiisoWorkerSettings
dup_settings_locked (OsiisoSubprocessBackend *self)
{
  return (OsiisoWorkerSettings) {
    .argv = g_strdupv (self->worker_argv),
    .environment = g_strdupv (self->environment),
    .module_path = g_strdup (self->module_path),
    .setup = self->setup != NULL ? g_bytes_ref (self->setup) : NULL,
    .setup_encoding = (guint8) self->setup_encoding,
    .grace = to_microseconds (self->grace_time),
    .start_timeout = to_microseconds (self->start_timeout),
    .tasks_per_worker = self->tasks_per_worker,
    .window = self->window,
    .address_space = self->address_space_limit,
    .cpu_time = (guint64) self->cpu_time_limit + (self->cpu_time_limit > (double) (guint64) self->cpu_time_limit),
    .nice = self->nice,
    .max_frame = self->max_frame_size,
    .commands_die = self->commands_die,
  };
}

/* The pool has nothing left to do. */
static void
on_over (OsiisoBackend *backend)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  self->pool = NULL;
  pthread_mutex_unlock (&self->lock);
}

static gboolean
osiiso_subprocess_backend_open (OsiisoBackend *backend,
                                GError       **error)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);
  OsiisoWorkerSettings settings;
  gboolean ok;

  pthread_mutex_lock (&self->lock);
  settings = dup_settings_locked (self);
  self->pool = osiiso_worker_pool_new (backend, &settings, on_over, error);
  ok = self->pool != NULL;
  pthread_mutex_unlock (&self->lock);
  return ok;
}

static void
osiiso_subprocess_backend_wake (OsiisoBackend *backend,
                                guint          n)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  if (self->pool != NULL)
    osiiso_worker_pool_wake (self->pool);
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_subprocess_backend_interrupt (OsiisoBackend        *backend,
                                     OsiisoAttempt        *attempt,
                                     OsiisoInterruptReason reason)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);
  g_autoptr (OsiisoCommandResult) result = NULL;
  g_auto (GValue) details = G_VALUE_INIT;

  pthread_mutex_lock (&self->lock);
  if (self->pool != NULL)
    result = osiiso_worker_pool_interrupt (self->pool, attempt);
  pthread_mutex_unlock (&self->lock);
  if (result == NULL)
    return;
  g_value_init (&details, OSIISO_TYPE_COMMAND_RESULT);
  g_value_set_boxed (&details, result);
  osiiso_attempt_set_interrupt_details (attempt, &details);
}

static void
osiiso_subprocess_backend_workers_changed (OsiisoBackend *backend)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  if (self->pool != NULL)
    osiiso_worker_pool_workers_changed (self->pool);
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_subprocess_backend_close (OsiisoBackend *backend,
                                 gboolean       force)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  if (self->pool != NULL)
    osiiso_worker_pool_close (self->pool);
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_subprocess_backend_get_property (GObject    *object,
                                        guint       property_id,
                                        GValue     *value,
                                        GParamSpec *pspec)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (object);

  pthread_mutex_lock (&self->lock);
  switch ((OsiisoSubprocessBackendProperty) property_id)
    {
    case PROP_WORKER_ARGV:
      g_value_set_boxed (value, self->worker_argv);
      break;
    case PROP_ENVIRONMENT:
      g_value_set_boxed (value, self->environment);
      break;
    case PROP_MODULE_PATH:
      g_value_set_string (value, self->module_path);
      break;
    case PROP_SETUP:
      g_value_set_boxed (value, self->setup);
      break;
    case PROP_SETUP_ENCODING:
      g_value_set_enum (value, self->setup_encoding);
      break;
    case PROP_GRACE_TIME:
      g_value_set_double (value, self->grace_time);
      break;
    case PROP_START_TIMEOUT:
      g_value_set_double (value, self->start_timeout);
      break;
    case PROP_TASKS_PER_WORKER:
      g_value_set_uint (value, self->tasks_per_worker);
      break;
    case PROP_ADDRESS_SPACE_LIMIT:
      g_value_set_uint64 (value, self->address_space_limit);
      break;
    case PROP_CPU_TIME_LIMIT:
      g_value_set_double (value, self->cpu_time_limit);
      break;
    case PROP_NICE:
      g_value_set_int (value, self->nice);
      break;
    case PROP_WINDOW:
      g_value_set_uint (value, self->window);
      break;
    case PROP_MAX_FRAME_SIZE:
      g_value_set_uint (value, self->max_frame_size);
      break;
    case PROP_COMMANDS_DIE_WITH_PARENT:
      g_value_set_boolean (value, self->commands_die);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_subprocess_backend_set_property (GObject      *object,
                                        guint         property_id,
                                        const GValue *value,
                                        GParamSpec   *pspec)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (object);

  pthread_mutex_lock (&self->lock);
  switch ((OsiisoSubprocessBackendProperty) property_id)
    {
    case PROP_WORKER_ARGV:
      g_strfreev (self->worker_argv);
      self->worker_argv = g_value_dup_boxed (value);
      /* An empty one would be a program without a name. */
      if (self->worker_argv != NULL && self->worker_argv[0] == NULL)
        g_clear_pointer (&self->worker_argv, g_strfreev);
      break;
    case PROP_ENVIRONMENT:
      g_strfreev (self->environment);
      self->environment = g_value_dup_boxed (value);
      break;
    case PROP_MODULE_PATH:
      g_free (self->module_path);
      self->module_path = g_value_dup_string (value);
      break;
    case PROP_SETUP:
      g_clear_pointer (&self->setup, g_bytes_unref);
      self->setup = g_value_dup_boxed (value);
      break;
    case PROP_SETUP_ENCODING:
      self->setup_encoding = g_value_get_enum (value);
      break;
    case PROP_GRACE_TIME:
      self->grace_time = g_value_get_double (value);
      break;
    case PROP_START_TIMEOUT:
      self->start_timeout = g_value_get_double (value);
      break;
    case PROP_TASKS_PER_WORKER:
      self->tasks_per_worker = g_value_get_uint (value);
      break;
    case PROP_ADDRESS_SPACE_LIMIT:
      self->address_space_limit = g_value_get_uint64 (value);
      break;
    case PROP_CPU_TIME_LIMIT:
      self->cpu_time_limit = g_value_get_double (value);
      break;
    case PROP_NICE:
      self->nice = g_value_get_int (value);
      break;
    case PROP_WINDOW:
      self->window = g_value_get_uint (value);
      break;
    case PROP_MAX_FRAME_SIZE:
      self->max_frame_size = g_value_get_uint (value);
      break;
    case PROP_COMMANDS_DIE_WITH_PARENT:
      self->commands_die = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
  pthread_mutex_unlock (&self->lock);
}

static void
osiiso_subprocess_backend_finalize (GObject *object)
{
  OsiisoSubprocessBackend *self = OSIISO_SUBPROCESS_BACKEND (object);

  g_strfreev (self->worker_argv);
  g_strfreev (self->environment);
  g_free (self->module_path);
  g_clear_pointer (&self->setup, g_bytes_unref);
  pthread_mutex_destroy (&self->lock);

  G_OBJECT_CLASS (osiiso_subprocess_backend_parent_class)->finalize (object);
}

static void
osiiso_subprocess_backend_class_init (OsiisoSubprocessBackendClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  object_class->get_property = osiiso_subprocess_backend_get_property;
  object_class->set_property = osiiso_subprocess_backend_set_property;
  object_class->finalize = osiiso_subprocess_backend_finalize;

  backend_class->get_capabilities = osiiso_subprocess_backend_get_capabilities;
  backend_class->get_default_workers = osiiso_subprocess_backend_get_default_workers;
  backend_class->open = osiiso_subprocess_backend_open;
  backend_class->wake = osiiso_subprocess_backend_wake;
  backend_class->interrupt = osiiso_subprocess_backend_interrupt;
  backend_class->workers_changed = osiiso_subprocess_backend_workers_changed;
  backend_class->close = osiiso_subprocess_backend_close;

  /**
   * OsiisoSubprocessBackend:worker-argv:
   *
   * The program that workers run and its arguments, looked for in the `PATH`; without
   * them, `osiiso-worker`, which calls functions in modules written in C. An empty list
   * is the same as none.
   *
   * Since: 1.0
   */
  props[PROP_WORKER_ARGV] = g_param_spec_boxed ("worker-argv", "Worker command", "Program that workers run, and its arguments",
                                                G_TYPE_STRV, flags);
  /**
   * OsiisoSubprocessBackend:environment:
   *
   * What workers have as environment, `NAME=VALUE` each; without it, that of this
   * process. Commands have their own.
   *
   * Since: 1.0
   */
  props[PROP_ENVIRONMENT] = g_param_spec_boxed ("environment", "Environment", "Environment of workers, NAME=VALUE each",
                                                G_TYPE_STRV, flags);
  /**
   * OsiisoSubprocessBackend:module-path:
   *
   * Where workers look for modules that are not given by their path: folders, with
   * colons between them. It is in their environment as `OSIISO_MODULE_PATH`.
   *
   * Since: 1.0
   */
  props[PROP_MODULE_PATH] = g_param_spec_string ("module-path", "Module path", "Folders in which workers look for modules",
                                                 NULL, flags);
  /**
   * OsiisoSubprocessBackend:setup:
   *
   * What each worker gets before its first call; what it does with that is its
   * program's business. A worker that cannot be set up is one that cannot be started.
   *
   * Since: 1.0
   */
  props[PROP_SETUP] = g_param_spec_boxed ("setup", "Set-up", "What each worker gets before its first call",
                                          G_TYPE_BYTES, flags);
  /**
   * OsiisoSubprocessBackend:setup-encoding:
   *
   * What the set-up is encoded in.
   *
   * Since: 1.0
   */
  props[PROP_SETUP_ENCODING] = g_param_spec_enum ("setup-encoding", "Set-up encoding", "What the set-up is encoded in",
                                                  OSIISO_TYPE_ENCODING, OSIISO_ENCODING_BYTES, flags);
  /**
   * OsiisoSubprocessBackend:grace-time:
   *
   * How long, in seconds, a process may take to leave a task that was cancelled or
   * timed out.
   *
   * A worker that listens is told first; at half the time it gets `SIGTERM`, and
   * `SIGKILL` at the end. One that does not listen, and a command, gets `SIGTERM` at
   * once. The signals go to the whole process group, and those that are stopped are
   * continued. A worker that closes its connection has as long to end by itself.
   *
   * Since: 1.0
   */
  props[PROP_GRACE_TIME] = g_param_spec_double ("grace-time", "Grace time", "Seconds between being told to end and being killed",
                                                0, 3600, 2, flags);
  /**
   * OsiisoSubprocessBackend:start-timeout:
   *
   * How long, in seconds, a worker may take until it greets. One that does not is
   * ended, and the task that it was started for fails.
   *
   * Since: 1.0
   */
  props[PROP_START_TIMEOUT] = g_param_spec_double ("start-timeout", "Start timeout", "Seconds that a worker may take until it greets",
                                                   0.001, 3600, 10, flags);
  /**
   * OsiisoSubprocessBackend:tasks-per-worker:
   *
   * After how many calls a worker is replaced by a new one; 0: never.
   *
   * Since: 1.0
   */
  props[PROP_TASKS_PER_WORKER] = g_param_spec_uint ("tasks-per-worker", "Tasks per worker", "Calls after which a worker is replaced; 0: never",
                                                    0, G_MAXUINT, 0, flags);
  /**
   * OsiisoSubprocessBackend:address-space-limit:
   *
   * How much memory a worker or a command may map, in bytes, as `RLIMIT_AS`; 0: as much
   * as this process.
   *
   * Since: 1.0
   */
  props[PROP_ADDRESS_SPACE_LIMIT] = g_param_spec_uint64 ("address-space-limit", "Limit of address space", "Bytes that a worker or a command may map; 0: no limit",
                                                         0, G_MAXUINT64, 0, flags);
  /**
   * OsiisoSubprocessBackend:cpu-time-limit:
   *
   * How long a worker or a command may compute in its whole life, in seconds, rounded
   * up to whole ones, as `RLIMIT_CPU`; 0: as long as this process. It gets `SIGXCPU`
   * then, and `SIGKILL` a second later.
   *
   * Since: 1.0
   */
  props[PROP_CPU_TIME_LIMIT] = g_param_spec_double ("cpu-time-limit", "Limit of CPU time", "Seconds that a worker or a command may compute; 0: no limit",
                                                    0, G_MAXUINT, 0, flags);
  /**
   * OsiisoSubprocessBackend:nice:
   *
   * How much nicer than this process workers and commands are. To be less nice is a
   * privilege; without it nothing starts.
   *
   * Since: 1.0
   */
  props[PROP_NICE] = g_param_spec_int ("nice", "Nice", "How much nicer workers and commands are",
                                       -20, 19, 0, flags);
  /**
   * OsiisoSubprocessBackend:window:
   *
   * How many calls a worker may have at a time, one that it runs and others that wait
   * behind it; 0: one, and more while calls take less than a millisecond: up to 64, which
   * take no more than 16 milliseconds together.
   *
   * What waits behind a call that takes longer than 5 milliseconds is taken back, if
   * the worker program is one that gives calls back.
   *
   * Since: 1.0
   */
  props[PROP_WINDOW] = g_param_spec_uint ("window", "Window", "Calls that a worker has at a time; 0: by their duration",
                                          0, 4096, 0, flags);
  /**
   * OsiisoSubprocessBackend:max-frame-size:
   *
   * How long a message to or from a worker may be, in bytes. A call that is longer
   * fails, and so does one whose answer is; a worker that sends more than this is
   * ended.
   *
   * Since: 1.0
   */
  props[PROP_MAX_FRAME_SIZE] = g_param_spec_uint ("max-frame-size", "Largest frame", "Bytes of the longest message to or from a worker",
                                                  4096, G_MAXUINT32 - 64, 256 << 20, flags);
  /**
   * OsiisoSubprocessBackend:commands-die-with-parent:
   *
   * Whether commands are killed when this process ends without having been able to do
   * so, as workers always are. It holds for the program itself, not for what that has
   * started.
   *
   * Commands are ended anyway when the queue is closed. Each of them costs a second
   * `exec()` then, some 0.2 milliseconds; and their peak of memory is known also when
   * it is less than that of this process.
   *
   * Since: 1.0
   */
  props[PROP_COMMANDS_DIE_WITH_PARENT] = g_param_spec_boolean ("commands-die-with-parent", "Commands die with parent", "Whether commands are killed when this process dies",
                                                               FALSE, flags);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_subprocess_backend_init (OsiisoSubprocessBackend *self)
{
  pthread_mutex_init (&self->lock, NULL);
}
