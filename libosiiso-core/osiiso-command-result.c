/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <sys/wait.h>

#include "osiiso-command-result.h"
#include "osiiso-ref-count-private.h"

/**
 * OsiisoCommandResult:
 *
 * What became of a command: how it ended, what it wrote, what it took.
 *
 * It is the value of a task that succeeded, and found in
 * [method@Osiiso.Handle.dup_error_details] of one whose program failed. When the task
 * was cancelled or timed out while the program ran, that has what the program had
 * written by then; neither its exit status nor its signal is known, nor what it used.
 *
 * A result never changes; all methods may be called from any thread.
 *
 * Since: 1.0
 */
struct _OsiisoCommandResult
{
  OsiisoRefCount ref_count;
  int            wait_status;
  GBytes        *out; /* (owned) */
  GBytes        *err; /* (owned) */
  guint64        out_dropped;
  guint64        err_dropped;
  double         duration;
  double         user_time;
  double         system_time;
  guint64        peak_rss;
};

G_DEFINE_BOXED_TYPE (OsiisoCommandResult, osiiso_command_result, osiiso_command_result_ref, osiiso_command_result_unref)

static double
check_seconds (double seconds)
{
  return isfinite (seconds) && seconds > 0 ? seconds : 0;
}

/**
 * osiiso_command_result_new:
 * @wait_status: how the program ended, as `waitpid()` says it; -1 when it has not
 * @stdout_bytes: (nullable): what was kept of its standard output; %NULL for
 *   nothing
 * @stdout_dropped: how many bytes more it wrote there
 * @stderr_bytes: (nullable): what was kept of its standard error; %NULL for nothing
 * @stderr_dropped: how many bytes more it wrote there
 * @duration: seconds from its start to its end
 * @user_time: seconds of the processor that it used itself
 * @system_time: seconds of the processor that the system used for it
 * @peak_rss: the most memory that it had at once, in bytes; 0 when it is not known
 *
 * Makes a result, for backends that run commands.
 *
 * Returns: (transfer full): the result
 *
 * Since: 1.0
 */
OsiisoCommandResult *
osiiso_command_result_new (int     wait_status,
                           GBytes *stdout_bytes,
                           guint64 stdout_dropped,
                           GBytes *stderr_bytes,
                           guint64 stderr_dropped,
                           double  duration,
                           double  user_time,
                           double  system_time,
                           guint64 peak_rss)
{
  OsiisoCommandResult *self = g_new0 (OsiisoCommandResult, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->wait_status = wait_status;
  self->out = stdout_bytes != NULL ? g_bytes_ref (stdout_bytes) : g_bytes_new_static (NULL, 0);
  self->err = stderr_bytes != NULL ? g_bytes_ref (stderr_bytes) : g_bytes_new_static (NULL, 0);
  self->out_dropped = stdout_dropped;
  self->err_dropped = stderr_dropped;
  self->duration = check_seconds (duration);
  self->user_time = check_seconds (user_time);
  self->system_time = check_seconds (system_time);
  self->peak_rss = peak_rss;
  return self;
}

/**
 * osiiso_command_result_ref:
 * @self: a result
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
OsiisoCommandResult *
osiiso_command_result_ref (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * osiiso_command_result_unref:
 * @self: (transfer full): a result
 *
 * Drops a reference.
 *
 * Since: 1.0
 */
void
osiiso_command_result_unref (OsiisoCommandResult *self)
{
  g_return_if_fail (self != NULL);

  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  g_bytes_unref (self->out);
  g_bytes_unref (self->err);
  g_free (self);
}

/**
 * osiiso_command_result_get_exit_status:
 * @self: a result
 *
 * Gets the exit status of the program.
 *
 * Returns: 0 to 255; -1 when a signal ended it, or it was still running
 *
 * Since: 1.0
 */
int
osiiso_command_result_get_exit_status (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, -1);

  return WIFEXITED (self->wait_status) ? WEXITSTATUS (self->wait_status) : -1;
}

/**
 * osiiso_command_result_get_signal:
 * @self: a result
 *
 * Gets the signal that ended the program.
 *
 * Returns: the number of the signal; 0 when the program exited, or was still running
 *
 * Since: 1.0
 */
int
osiiso_command_result_get_signal (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return WIFSIGNALED (self->wait_status) ? WTERMSIG (self->wait_status) : 0;
}

/**
 * osiiso_command_result_get_stdout:
 * @self: a result
 *
 * Gets what was kept of the standard output: the first bytes.
 *
 * Returns: (transfer none): the bytes, none if there was no output
 *
 * Since: 1.0
 */
GBytes *
osiiso_command_result_get_stdout (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->out;
}

/**
 * osiiso_command_result_get_stderr:
 * @self: a result
 *
 * Gets what was kept of the standard error: the first bytes.
 *
 * Returns: (transfer none): the bytes, none if there was no output
 *
 * Since: 1.0
 */
GBytes *
osiiso_command_result_get_stderr (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->err;
}

static char *
dup_text (GBytes *bytes)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  return size > 0 ? g_utf8_make_valid (data, size) : g_strdup ("");
}

/**
 * osiiso_command_result_dup_stdout_text:
 * @self: a result
 *
 * Gets what was kept of the standard output as text. What is not UTF-8 is replaced
 * by U+FFFD.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
osiiso_command_result_dup_stdout_text (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return dup_text (self->out);
}

/**
 * osiiso_command_result_dup_stderr_text:
 * @self: a result
 *
 * Gets what was kept of the standard error as text. What is not UTF-8 is replaced
 * by U+FFFD.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
osiiso_command_result_dup_stderr_text (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return dup_text (self->err);
}

/**
 * osiiso_command_result_get_stdout_dropped:
 * @self: a result
 *
 * Gets how much the program wrote to its standard output beyond what was kept.
 *
 * Returns: bytes
 *
 * Since: 1.0
 */
guint64
osiiso_command_result_get_stdout_dropped (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->out_dropped;
}

/**
 * osiiso_command_result_get_stderr_dropped:
 * @self: a result
 *
 * Gets how much the program wrote to its standard error beyond what was kept.
 *
 * Returns: bytes
 *
 * Since: 1.0
 */
guint64
osiiso_command_result_get_stderr_dropped (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->err_dropped;
}

/**
 * osiiso_command_result_get_duration:
 * @self: a result
 *
 * Gets how long the program ran, or has run until then.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_command_result_get_duration (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->duration;
}

/**
 * osiiso_command_result_get_user_time:
 * @self: a result
 *
 * Gets the time of the processor that the program used itself.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_command_result_get_user_time (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->user_time;
}

/**
 * osiiso_command_result_get_system_time:
 * @self: a result
 *
 * Gets the time of the processor that the system used for the program.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
osiiso_command_result_get_system_time (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->system_time;
}

/**
 * osiiso_command_result_get_peak_rss:
 * @self: a result
 *
 * Gets the most memory that the program had at once.
 *
 * Returns: bytes; 0 when it is not known
 *
 * Since: 1.0
 */
guint64
osiiso_command_result_get_peak_rss (OsiisoCommandResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->peak_rss;
}
