/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-command-private.h"

#include "osiiso-attempt.h"
#include "osiiso-error.h"
#include "osiiso-submission-private.h"

/**
 * OsiisoCommand:
 *
 * A program to run, with its arguments and surroundings.
 *
 * [method@Osiiso.Queue.submit_command_full] takes it; for a program that only needs
 * arguments and standard input there is [method@Osiiso.Queue.submit_command]. No
 * shell is involved. The task succeeds with an [struct@Osiiso.CommandResult] when
 * the program exits with status 0, and fails with the error of
 * [func@GLib.spawn_check_wait_status] otherwise; the result is found in
 * [method@Osiiso.Handle.dup_error_details] then.
 *
 * A submit takes a copy: later changes to the object do not touch the task. An
 * object is used by one thread at a time.
 *
 * Since: 1.0
 */

#define DEFAULT_OUTPUT_LIMIT (1024 * 1024)

struct _OsiisoCommand
{
  GObject   parent_instance;

  gboolean  frozen; /* a task's own copy */
  char    **argv;   /* (nullable) (owned) */
  GBytes   *stdin_bytes; /* (nullable) (owned) */
  char     *cwd;    /* (nullable) (owned) */
  char    **env;    /* (nullable) (owned) */
  guint64   output_limit;
  gboolean  merge_stderr;
  gboolean  search_path;
};

G_DEFINE_FINAL_TYPE (OsiisoCommand, osiiso_command, G_TYPE_OBJECT)

typedef enum
{
  PROP_ARGV = 1,
  PROP_STDIN_BYTES,
  PROP_CWD,
  PROP_ENVIRON,
  PROP_OUTPUT_LIMIT,
  PROP_MERGE_STDERR,
  PROP_SEARCH_PATH,
} OsiisoCommandProperty;

static GParamSpec *props[PROP_SEARCH_PATH + 1];

static void
osiiso_command_finalize (GObject *object)
{
  OsiisoCommand *self = OSIISO_COMMAND (object);

  g_strfreev (self->argv);
  g_clear_pointer (&self->stdin_bytes, g_bytes_unref);
  g_free (self->cwd);
  g_strfreev (self->env);

  G_OBJECT_CLASS (osiiso_command_parent_class)->finalize (object);
}

static void
osiiso_command_get_property (GObject    *object,
                             guint       property_id,
                             GValue     *value,
                             GParamSpec *pspec)
{
  OsiisoCommand *self = OSIISO_COMMAND (object);

  switch ((OsiisoCommandProperty) property_id)
    {
    case PROP_ARGV:
      g_value_set_boxed (value, self->argv);
      break;
    case PROP_STDIN_BYTES:
      g_value_set_boxed (value, self->stdin_bytes);
      break;
    case PROP_CWD:
      g_value_set_string (value, self->cwd);
      break;
    case PROP_ENVIRON:
      g_value_set_boxed (value, self->env);
      break;
    case PROP_OUTPUT_LIMIT:
      g_value_set_uint64 (value, self->output_limit);
      break;
    case PROP_MERGE_STDERR:
      g_value_set_boolean (value, self->merge_stderr);
      break;
    case PROP_SEARCH_PATH:
      g_value_set_boolean (value, self->search_path);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_command_set_property (GObject      *object,
                             guint         property_id,
                             const GValue *value,
                             GParamSpec   *pspec)
{
  OsiisoCommand *self = OSIISO_COMMAND (object);

  switch ((OsiisoCommandProperty) property_id)
    {
    case PROP_ARGV:
      osiiso_command_set_argv (self, g_value_get_boxed (value));
      break;
    case PROP_STDIN_BYTES:
      osiiso_command_set_stdin_bytes (self, g_value_get_boxed (value));
      break;
    case PROP_CWD:
      osiiso_command_set_cwd (self, g_value_get_string (value));
      break;
    case PROP_ENVIRON:
      osiiso_command_set_environ (self, g_value_get_boxed (value));
      break;
    case PROP_OUTPUT_LIMIT:
      osiiso_command_set_output_limit (self, g_value_get_uint64 (value));
      break;
    case PROP_MERGE_STDERR:
      osiiso_command_set_merge_stderr (self, g_value_get_boolean (value));
      break;
    case PROP_SEARCH_PATH:
      osiiso_command_set_search_path (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_command_class_init (OsiisoCommandClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->finalize = osiiso_command_finalize;
  object_class->get_property = osiiso_command_get_property;
  object_class->set_property = osiiso_command_set_property;

  /**
   * OsiisoCommand:argv: (getter get_argv) (setter set_argv)
   *
   * The program and its arguments. A command without is refused when it is
   * submitted.
   *
   * Since: 1.0
   */
  props[PROP_ARGV] = g_param_spec_boxed ("argv", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * OsiisoCommand:stdin-bytes: (getter get_stdin_bytes) (setter set_stdin_bytes)
   *
   * What the program reads from its standard input; %NULL for nothing. A program
   * that does not read all of it is not wrong.
   *
   * Since: 1.0
   */
  props[PROP_STDIN_BYTES] = g_param_spec_boxed ("stdin-bytes", NULL, NULL, G_TYPE_BYTES, flags);

  /**
   * OsiisoCommand:cwd: (getter get_cwd) (setter set_cwd)
   *
   * The folder that the program starts in; %NULL for that of this process.
   *
   * Since: 1.0
   */
  props[PROP_CWD] = g_param_spec_string ("cwd", NULL, NULL, NULL, flags);

  /**
   * OsiisoCommand:environ: (getter get_environ) (setter set_environ)
   *
   * The environment of the program, as `NAME=value`; %NULL for that of this
   * process.
   *
   * Since: 1.0
   */
  props[PROP_ENVIRON] = g_param_spec_boxed ("environ", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * OsiisoCommand:output-limit: (getter get_output_limit) (setter set_output_limit)
   *
   * How many bytes are kept of each of standard output and standard error. The
   * rest is read and counted. 1 MiB by default.
   *
   * Since: 1.0
   */
  props[PROP_OUTPUT_LIMIT] = g_param_spec_uint64 ("output-limit", NULL, NULL, 0, G_MAXUINT64, DEFAULT_OUTPUT_LIMIT, flags);

  /**
   * OsiisoCommand:merge-stderr: (getter get_merge_stderr) (setter set_merge_stderr)
   *
   * Whether standard error goes where standard output goes, in the order in which
   * the program writes. %FALSE by default.
   *
   * Since: 1.0
   */
  props[PROP_MERGE_STDERR] = g_param_spec_boolean ("merge-stderr", NULL, NULL, FALSE, flags);

  /**
   * OsiisoCommand:search-path: (getter get_search_path) (setter set_search_path)
   *
   * Whether a program without a slash in its name is looked for in the folders of
   * `PATH`. %TRUE by default.
   *
   * Since: 1.0
   */
  props[PROP_SEARCH_PATH] = g_param_spec_boolean ("search-path", NULL, NULL, TRUE, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_command_init (OsiisoCommand *self)
{
  self->output_limit = DEFAULT_OUTPUT_LIMIT;
  self->search_path = TRUE;
}

/**
 * osiiso_command_new:
 * @argv: (array zero-terminated=1): the program and its arguments
 *
 * Makes a command.
 *
 * Returns: (transfer full): the command
 *
 * Since: 1.0
 */
OsiisoCommand *
osiiso_command_new (const char * const *argv)
{
  g_return_val_if_fail (argv != NULL && argv[0] != NULL, NULL);

  return g_object_new (OSIISO_TYPE_COMMAND, "argv", argv, NULL);
}

/**
 * osiiso_command_get_argv: (get-property argv)
 * @self: a command
 *
 * Gets the program and its arguments.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the arguments,
 *   the program first
 *
 * Since: 1.0
 */
const char * const *
osiiso_command_get_argv (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), NULL);

  return (const char * const *) self->argv;
}

static gboolean
strv_equal0 (const char * const *a,
             const char * const *b)
{
  return a == b || (a != NULL && b != NULL && g_strv_equal (a, b));
}

static void
change_strv (OsiisoCommand        *self,
             char               ***field,
             const char * const   *strv,
             OsiisoCommandProperty property)
{
  char **old = *field;

  if (strv_equal0 ((const char * const *) old, strv))
    return;
  *field = g_strdupv ((char **) strv);
  g_strfreev (old);
  g_object_notify_by_pspec (G_OBJECT (self), props[property]);
}

static void
change_boolean (OsiisoCommand        *self,
                gboolean             *field,
                gboolean              value,
                OsiisoCommandProperty property)
{
  if (*field == !!value)
    return;
  *field = !!value;
  g_object_notify_by_pspec (G_OBJECT (self), props[property]);
}

/**
 * osiiso_command_set_argv: (set-property argv)
 * @self: a command
 * @argv: (nullable) (array zero-terminated=1): the program and its arguments
 *
 * Sets the program and its arguments.
 *
 * Since: 1.0
 */
void
osiiso_command_set_argv (OsiisoCommand      *self,
                         const char * const *argv)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  change_strv (self, &self->argv, argv, PROP_ARGV);
}

/**
 * osiiso_command_get_stdin_bytes: (get-property stdin-bytes)
 * @self: a command
 *
 * Gets what the program reads from its standard input.
 *
 * Returns: (transfer none) (nullable): the bytes; %NULL for nothing
 *
 * Since: 1.0
 */
GBytes *
osiiso_command_get_stdin_bytes (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), NULL);

  return self->stdin_bytes;
}

/**
 * osiiso_command_set_stdin_bytes: (set-property stdin-bytes)
 * @self: a command
 * @bytes: (nullable): what the program reads; %NULL for nothing
 *
 * Sets what the program reads from its standard input.
 *
 * Since: 1.0
 */
void
osiiso_command_set_stdin_bytes (OsiisoCommand *self,
                                GBytes        *bytes)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  if (self->stdin_bytes == bytes)
    return;
  g_clear_pointer (&self->stdin_bytes, g_bytes_unref);
  self->stdin_bytes = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STDIN_BYTES]);
}

/**
 * osiiso_command_get_cwd: (get-property cwd)
 * @self: a command
 *
 * Gets the folder that the program starts in.
 *
 * Returns: (transfer none) (nullable) (type filename): the folder; %NULL for that
 *   of this process
 *
 * Since: 1.0
 */
const char *
osiiso_command_get_cwd (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), NULL);

  return self->cwd;
}

/**
 * osiiso_command_set_cwd: (set-property cwd)
 * @self: a command
 * @cwd: (nullable) (type filename): the folder; %NULL for that of this process
 *
 * Sets the folder that the program starts in.
 *
 * Since: 1.0
 */
void
osiiso_command_set_cwd (OsiisoCommand *self,
                        const char    *cwd)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  if (g_strcmp0 (self->cwd, cwd) == 0)
    return;
  g_free (self->cwd);
  self->cwd = g_strdup (cwd);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CWD]);
}

/**
 * osiiso_command_get_environ: (get-property environ)
 * @self: a command
 *
 * Gets the environment of the program.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the variables, as
 *   `NAME=value`; %NULL for those of this process
 *
 * Since: 1.0
 */
const char * const *
osiiso_command_get_environ (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), NULL);

  return (const char * const *) self->env;
}

/**
 * osiiso_command_set_environ: (set-property environ)
 * @self: a command
 * @env: (nullable) (array zero-terminated=1): the variables, as `NAME=value`; %NULL
 *   for those of this process
 *
 * Sets the environment of the program.
 *
 * To change some variables, start with [func@GLib.get_environ] and use
 * [func@GLib.environ_setenv].
 *
 * Since: 1.0
 */
void
osiiso_command_set_environ (OsiisoCommand      *self,
                            const char * const *env)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  change_strv (self, &self->env, env, PROP_ENVIRON);
}

/**
 * osiiso_command_get_output_limit: (get-property output-limit)
 * @self: a command
 *
 * Gets how much is kept of what the program writes.
 *
 * Returns: bytes, for each of standard output and standard error
 *
 * Since: 1.0
 */
guint64
osiiso_command_get_output_limit (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), 0);

  return self->output_limit;
}

/**
 * osiiso_command_set_output_limit: (set-property output-limit)
 * @self: a command
 * @limit: bytes, for each of standard output and standard error
 *
 * Sets how much is kept of what the program writes.
 *
 * Since: 1.0
 */
void
osiiso_command_set_output_limit (OsiisoCommand *self,
                                 guint64        limit)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  if (self->output_limit == limit)
    return;
  self->output_limit = limit;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_OUTPUT_LIMIT]);
}

/**
 * osiiso_command_get_merge_stderr: (get-property merge-stderr)
 * @self: a command
 *
 * Gets whether standard error goes where standard output goes.
 *
 * Returns: whether it does
 *
 * Since: 1.0
 */
gboolean
osiiso_command_get_merge_stderr (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), FALSE);

  return self->merge_stderr;
}

/**
 * osiiso_command_set_merge_stderr: (set-property merge-stderr)
 * @self: a command
 * @merge_stderr: whether it does
 *
 * Sets whether standard error goes where standard output goes.
 *
 * Since: 1.0
 */
void
osiiso_command_set_merge_stderr (OsiisoCommand *self,
                                 gboolean       merge_stderr)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  change_boolean (self, &self->merge_stderr, merge_stderr, PROP_MERGE_STDERR);
}

/**
 * osiiso_command_get_search_path: (get-property search-path)
 * @self: a command
 *
 * Gets whether the program is looked for in the folders of `PATH`.
 *
 * Returns: whether it is
 *
 * Since: 1.0
 */
gboolean
osiiso_command_get_search_path (OsiisoCommand *self)
{
  g_return_val_if_fail (OSIISO_IS_COMMAND (self), FALSE);

  return self->search_path;
}

/**
 * osiiso_command_set_search_path: (set-property search-path)
 * @self: a command
 * @search_path: whether it is
 *
 * Sets whether the program is looked for in the folders of `PATH`.
 *
 * Since: 1.0
 */
void
osiiso_command_set_search_path (OsiisoCommand *self,
                                gboolean       search_path)
{
  g_return_if_fail (OSIISO_IS_COMMAND (self));
  g_return_if_fail (!self->frozen);

  change_boolean (self, &self->search_path, search_path, PROP_SEARCH_PATH);
}

OsiisoCommand *
osiiso_command_snapshot (OsiisoCommand   *self,
                         OsiisoScheduler *scheduler,
                         GError         **error)
{
  OsiisoCommand *copy;

  if (!osiiso_submission_check_capability (scheduler, OSIISO_BACKEND_CAPABILITIES_COMMANDS, error))
    return NULL;
  if (self->argv == NULL || self->argv[0] == NULL || self->argv[0][0] == '\0')
    {
      g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                           "a command needs the name of a program");
      return NULL;
    }

  copy = g_object_new (OSIISO_TYPE_COMMAND, NULL);
  copy->frozen = TRUE;
  copy->argv = g_strdupv (self->argv);
  copy->stdin_bytes = self->stdin_bytes != NULL ? g_bytes_ref (self->stdin_bytes) : NULL;
  copy->cwd = g_strdup (self->cwd);
  copy->env = g_strdupv (self->env);
  copy->output_limit = self->output_limit;
  copy->merge_stderr = self->merge_stderr;
  copy->search_path = self->search_path;
  return copy;
}

OsiisoTaskParams *
osiiso_command_new_params (OsiisoCommand *self)
{
  /* Names are UTF-8, those of files anything. */
  g_autofree char *name = g_filename_display_basename (self->argv[0]);

  return osiiso_task_params_new_named (name);
}

void
osiiso_command_perform (OsiisoAttempt *attempt,
                        gpointer       command)
{
  osiiso_attempt_return_error_literal (attempt, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                       "a command is not a function of this process");
}
