/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* osiiso run: a command for each input. */
#include "osiiso-jobs.h"
#include "osiiso-template.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  ToolSettings *settings;
  ToolTemplate *template;
  char         *direct[2]; /* where jobs print to with --ungroup */
  char         *folder;    /* (nullable) of the pipes that they print to with --line-buffer */
  gboolean      not_found; /* a program, by a job */
} Run;

/* Lets @argv print to these files. A child has no descriptors of ours but it can open
 * them again. */
static char **
make_direct (const char *out,
             const char *err,
             char      **argv)
{
  GPtrArray *words = g_ptr_array_new ();

  g_ptr_array_add (words, g_strdup ("/bin/sh"));
  g_ptr_array_add (words, g_strdup ("-c"));
  g_ptr_array_add (words, g_strdup ("out=$1 err=$2; shift 2; exec \"$@\" >>\"$out\" 2>>\"$err\""));
  g_ptr_array_add (words, g_strdup ("osiiso"));
  g_ptr_array_add (words, g_strdup (out));
  g_ptr_array_add (words, g_strdup (err));
  for (guint i = 0; argv[i] != NULL; i++)
    g_ptr_array_add (words, argv[i]);
  g_ptr_array_add (words, NULL);
  g_free (argv);
  return (char **) g_ptr_array_free (words, FALSE);
}

static char *
make_label (Run   *run,
            char **argv)
{
  /* Of a script, the script. */
  if (run->settings->shell || run->settings->words[0] == NULL)
    return g_strdelimit (g_strdup (argv[2]), "\n\t", ' ');
  return tool_quote ((const char * const *) argv);
}

static OsiisoHandle *
submit_command (ToolJob            *job,
                const char * const *columns,
                guint               without,
                OsiisoQueue        *queue,
                OsiisoTaskOptions  *options,
                gpointer            user_data,
                GError            **error)
{
  Run *run = user_data;
  ToolSettings *settings = run->settings;
  g_auto (GStrv) argv = tool_template_expand (run->template, columns, job->sequence, without);
  g_autoptr (OsiisoCommand) command = NULL;

  job->label = make_label (run, argv);
  if (settings->dry_run)
    return NULL;
  if (settings->ungroup)
    {
      argv = make_direct (run->direct[0], run->direct[1], g_steal_pointer (&argv));
    }
  else if (settings->line_buffer)
    {
      job->lines = tool_lines_new (run->folder, job->sequence, tool_jobs_print_lines, job, error);
      if (job->lines == NULL)
        return NULL;
      argv = make_direct (tool_lines_get_path (job->lines, STDOUT_FILENO),
                          tool_lines_get_path (job->lines, STDERR_FILENO), g_steal_pointer (&argv));
    }
  command = osiiso_command_new ((const char * const *) argv);
  osiiso_command_set_output_limit (command, (guint64) settings->output_limit);
  if (settings->cwd != NULL)
    osiiso_command_set_cwd (command, settings->cwd);
  return osiiso_queue_submit_command_full (queue, command, options, error);
}

static void
collect_result (ToolJob             *job,
                OsiisoCommandResult *result)
{
  job->out = g_bytes_ref (osiiso_command_result_get_stdout (result));
  job->err = g_bytes_ref (osiiso_command_result_get_stderr (result));
  job->dropped = osiiso_command_result_get_stdout_dropped (result) + osiiso_command_result_get_stderr_dropped (result);
  job->signal = osiiso_command_result_get_signal (result);
  job->exit_status = job->signal != 0 ? 0 : osiiso_command_result_get_exit_status (result);
  job->runtime = osiiso_command_result_get_duration (result);
}

static void
collect_command (ToolJob      *job,
                 const GError *error,
                 gpointer      user_data)
{
  const GValue *value = error == NULL ? osiiso_handle_get_value (job->handle)
                                      : osiiso_handle_get_error_details (job->handle);
  Run *run = user_data;

  if (value != NULL && G_VALUE_HOLDS (value, OSIISO_TYPE_COMMAND_RESULT))
    {
      collect_result (job, g_value_get_boxed (value));
    }
  else if (g_error_matches (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
    {
      job->exit_status = TOOL_EXIT_NOT_FOUND;
      run->not_found = TRUE;
    }
  else if (error != NULL && error->domain == G_SPAWN_ERROR)
    {
      job->exit_status = TOOL_EXIT_NO_RUN;
    }
}

static const ToolJobKind command_kind = {
  .submit = submit_command,
  .collect = collect_command,
};

/* For those who are used to a shell that looks at it. */
static void
hint_at_shell (Run *run)
{
  char **words = run->settings->words;

  if (words[0] != NULL && words[1] == NULL && strchr (words[0], ' ') != NULL)
    g_printerr ("%s: a command in one word is a line for sh only with --shell\n", run->settings->title);
}

/* One message instead of one for each input, and the status. */
static int
check_program (Run *run)
{
  const char *program = run->settings->words[0];
  g_autofree char *found = NULL;

  if (tool_template_varies (run->template))
    return TOOL_EXIT_OK;
  /* A path is looked for in the folder that jobs run in. */
  if (strchr (program, '/') != NULL && run->settings->cwd != NULL)
    return TOOL_EXIT_OK;
  found = g_find_program_in_path (program);
  if (found != NULL)
    return TOOL_EXIT_OK;
  if (strchr (program, '/') != NULL && access (program, F_OK) == 0)
    {
      g_printerr ("%s: %s: it cannot be executed\n", run->settings->title, program);
      return TOOL_EXIT_NO_RUN;
    }
  g_printerr ("%s: %s: there is no such program\n", run->settings->title, program);
  hint_at_shell (run);
  return TOOL_EXIT_NOT_FOUND;
}

static gboolean
open_direct (Run *run)
{
  if (!run->settings->ungroup)
    return TRUE;
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
    {
      char *path = g_strdup_printf ("/proc/%ld/fd/%d", (long) getpid (), fd);
      int copy = open (path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);

      run->direct[fd - STDOUT_FILENO] = path;
      if (copy < 0)
        {
          g_printerr ("%s: --ungroup: the output cannot be opened by others: %s\n", run->settings->title,
                      g_strerror (errno));
          return FALSE;
        }
      close (copy);
    }
  return TRUE;
}

static gboolean
make_folder (Run *run)
{
  g_autoptr (GError) error = NULL;

  if (!run->settings->line_buffer || run->settings->dry_run)
    return TRUE;
  run->folder = g_dir_make_tmp ("osiiso-XXXXXX", &error);
  if (run->folder == NULL)
    g_printerr ("%s: --line-buffer: %s\n", run->settings->title, error->message);
  return run->folder != NULL;
}

/* Who shares our descriptors goes on where the jobs have stopped. */
static void
close_direct (Run *run)
{
  for (int fd = STDOUT_FILENO; run->settings->ungroup && fd <= STDERR_FILENO; fd++)
    lseek (fd, 0, SEEK_END);
}

static int
run_with_inputs (Run        *run,
                 ToolInputs *inputs)
{
  g_autoptr (OsiisoBackend) backend = NULL;
  g_autoptr (GError) error = NULL;
  int status = check_program (run);

  if (status != TOOL_EXIT_OK)
    return status;
  if (!open_direct (run) || !make_folder (run))
    return TOOL_EXIT_FAILED;
  backend = osiiso_backend_create ("subprocess", &error);
  if (backend == NULL)
    {
      g_printerr ("%s: %s\n", run->settings->title, error->message);
      return TOOL_EXIT_FAILED;
    }
  if (!tool_settings_apply (run->settings, backend, &error))
    return tool_usage_error (run->settings->title, "%s", error->message);
  status = tool_jobs_run (run->settings, backend, inputs, &command_kind, run);
  close_direct (run);
  if (run->not_found)
    hint_at_shell (run);
  return status;
}

int
tool_run (int    argc,
          char **argv)
{
  ToolSettings settings;
  Run run = { .settings = &settings };
  g_autoptr (ToolInputs) inputs = NULL;
  int status = TOOL_EXIT_OK;

  if (tool_settings_parse (&settings, TRUE, argv, &status) &&
      (inputs = tool_settings_open_inputs (&settings, &status)) != NULL)
    {
      run.template = tool_template_new ((const char * const *) settings.words, settings.replacement,
                                        settings.shell ? TOOL_TEMPLATE_SCRIPT : TOOL_TEMPLATE_WORDS);
      status = run_with_inputs (&run, inputs);
      tool_template_free (run.template);
    }
  g_free (run.direct[0]);
  g_free (run.direct[1]);
  if (run.folder != NULL)
    rmdir (run.folder);
  g_free (run.folder);
  tool_settings_clear (&settings);
  return status;
}
