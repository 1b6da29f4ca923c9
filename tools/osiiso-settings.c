/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-arguments.h"
#include "osiiso-settings.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What GOption fills in, as it was typed. */
typedef struct
{
  char    *jobs;
  char    *timeout;
  char    *retry_delay;
  char    *max_retry_delay;
  char    *output_limit;
  char    *halt;
  char    *separator;
  char    *delimiter;
  gboolean fail_first;
  gboolean resume;
  gboolean resume_failed;
  gboolean progress;
  gboolean no_progress;
  gboolean zero;
  gboolean skip_empty;
  int      max_args;
} Typed;

static gboolean
bad (GError    **error,
     const char *option,
     const char *value,
     const char *expected)
{
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "“%s” is no value for %s: it takes %s",
               value, option, expected);
  return FALSE;
}

/* Seconds, or with one of the letters of sleep(1). */
static gboolean
parse_duration (const char *option,
                const char *text,
                double     *seconds,
                GError    **error)
{
  static const char letters[] = "smhd";
  static const double factors[] = { 1, 60, 3600, 86400 };
  const char *letter;
  char *end;

  if (text == NULL)
    return TRUE;
  *seconds = g_ascii_strtod (text, &end);
  if (end != text && *end != '\0' && end[1] == '\0' && (letter = strchr (letters, *end)) != NULL)
    {
      *seconds *= factors[letter - letters];
      end++;
    }
  if (end == text || *end != '\0' || !isfinite (*seconds) || *seconds < 0)
    return bad (error, option, text, "seconds, or a number with s, m, h or d");
  return TRUE;
}

/* Bytes, or with K, M, G. */
static gboolean
parse_size (const char *option,
            const char *text,
            gint64     *size,
            GError    **error)
{
  static const char letters[] = "KMG";
  const char *letter;
  guint shift = 0;
  char *end;

  if (text == NULL)
    return TRUE;
  errno = 0;
  *size = g_ascii_strtoll (text, &end, 10);
  if (end != text && *end != '\0' && end[1] == '\0' && (letter = strchr (letters, g_ascii_toupper (*end))) != NULL)
    {
      shift = (guint) (letter - letters + 1) * 10;
      end++;
    }
  if (end == text || *end != '\0' || errno != 0 || *size < 0 || *size > G_MAXINT64 >> shift)
    return bad (error, option, text, "bytes, or a number with K, M or G");
  *size <<= shift;
  return TRUE;
}

/* As many as there are descriptors for, with room for others. */
static guint
get_most_jobs (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 4096)
    return 1000;
  return (guint) MAX (limit.rlim_cur / 4, 1);
}

/* 8, +2 and -1 more or less than there are processors, 50 % of these; 0: as many as can be. */
static gboolean
parse_jobs (const char *text,
            guint      *jobs,
            GError    **error)
{
  gint64 processors = g_get_num_processors ();
  gint64 number;
  char *end;

  *jobs = (guint) processors;
  if (text == NULL)
    return TRUE;
  number = g_ascii_strtoll (text, &end, 10);
  if (end == text || ABS (number) > 1000000 || !(*end == '\0' || g_str_equal (end, "%")))
    return bad (error, "--jobs", text, "N, N%, +N or -N");
  if (*end == '%')
    number = MAX ((gint64) ((double) processors * (double) number / 100), 1);
  else if (*text == '+' || *text == '-')
    number = MAX (processors + number, 1);
  *jobs = number == 0 ? get_most_jobs () : (guint) number;
  return TRUE;
}

/* Also as GNU parallel writes it, where only the first failure can be meant. */
static gboolean
parse_halt (const char *text,
            ToolHalt   *halt,
            GError    **error)
{
  if (text == NULL)
    return TRUE;
  if (g_str_equal (text, "never"))
    *halt = TOOL_HALT_NEVER;
  else if (g_str_equal (text, "soon") || g_str_equal (text, "soon,fail=1"))
    *halt = TOOL_HALT_SOON;
  else if (g_str_equal (text, "now") || g_str_equal (text, "now,fail=1"))
    *halt = TOOL_HALT_NOW;
  else
    return bad (error, "--halt", text, "never, soon or now");
  return TRUE;
}

/* FALSE if one is out of its range. */
static gboolean
check_numbers (ToolSettings *self,
               GError      **error)
{
  char value[G_ASCII_DTOSTR_BUF_SIZE];
  const struct
  {
    const char *option;
    double      value;
    double      minimum;
    double      maximum;
    const char *expected;
  } numbers[] = {
    { "--retries", self->retries, 0, G_MAXINT, "0 or more" },
    { "--backoff", self->backoff, 1, G_MAXDOUBLE, "1 or more" },
    { "--jitter", self->jitter, 0, 1, "0 to 1" },
    { "--rate", self->rate, 0, G_MAXDOUBLE, "0 or more" },
    { "--burst", self->burst, 1, G_MAXINT, "1 or more" },
    { "--priority-from", self->priority_from, 0, G_MAXINT, "the number of a column, from 1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    /* Not those that are neither more nor less than anything. */
    if (!(numbers[i].value >= numbers[i].minimum && numbers[i].value <= numbers[i].maximum))
      return bad (error, numbers[i].option, g_ascii_formatd (value, sizeof value, "%.15g", numbers[i].value),
                  numbers[i].expected);
  return TRUE;
}

static gboolean
check_ranges (ToolSettings *self,
              GError      **error)
{
  if (!check_numbers (self, error))
    return FALSE;
  if (self->replacement != NULL && *self->replacement == '\0')
    return bad (error, "-I", "", "a text to replace");
  if (self->column_separator != NULL && *self->column_separator == '\0')
    return bad (error, "--colsep", "", "the text between columns");
  if (self->resume != TOOL_RESUME_NOTHING && self->joblog == NULL)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--resume needs a --joblog");
  else if (self->ungroup && (self->keep_order || self->tag))
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                         "--ungroup does not go with --keep-order or --tag");
  else if (self->line_buffer && (self->keep_order || self->ungroup))
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                         "--line-buffer does not go with --keep-order or --ungroup");
  else
    return TRUE;
  return FALSE;
}

/* One byte, which may be written as in C. */
static gboolean
parse_delimiter (const char *text,
                 char       *delimiter,
                 GError    **error)
{
  g_autofree char *bytes = g_strcompress (text);

  if (strlen (bytes) != 1 && strcmp (text, "\\0") != 0)
    return bad (error, "--delimiter", text, "one byte, also as \\n, \\t or \\0");
  *delimiter = *bytes;
  return TRUE;
}

static gboolean
take_typed (ToolSettings *self,
            Typed        *typed,
            GError      **error)
{
  char value[16];

  self->output_limit = 64 << 20;
  if (!parse_jobs (typed->jobs, &self->jobs, error) ||
      !parse_duration ("--timeout", typed->timeout, &self->timeout, error) ||
      !parse_duration ("--retry-delay", typed->retry_delay, &self->retry_delay, error) ||
      !parse_duration ("--max-retry-delay", typed->max_retry_delay, &self->max_retry_delay, error) ||
      !parse_size ("--output-limit", typed->output_limit, &self->output_limit, error) ||
      !parse_halt (typed->halt, &self->halt, error))
    return FALSE;
  if (typed->fail_first)
    self->halt = TOOL_HALT_NOW;
  if (typed->resume_failed)
    self->resume = TOOL_RESUME_FAILED;
  else if (typed->resume)
    self->resume = TOOL_RESUME_ALL;
  self->progress = typed->no_progress ? 0 : typed->progress ? 1 : -1;
  if (typed->separator != NULL)
    self->column_separator = g_strcompress (typed->separator);
  if (typed->max_args < 1)
    {
      g_snprintf (value, sizeof value, "%d", typed->max_args);
      return bad (error, "--max-args", value, "1 or more");
    }
  self->inputs.end = typed->zero ? '\0' : '\n';
  if (typed->delimiter != NULL && !parse_delimiter (typed->delimiter, &self->inputs.end, error))
    return FALSE;
  self->inputs.skip_empty = typed->skip_empty;
  self->inputs.max_args = (guint) typed->max_args;
  self->inputs.separator = self->column_separator;
  return check_ranges (self, error);
}

static void
typed_clear (Typed *typed)
{
  g_free (typed->jobs);
  g_free (typed->timeout);
  g_free (typed->retry_delay);
  g_free (typed->max_retry_delay);
  g_free (typed->output_limit);
  g_free (typed->halt);
  g_free (typed->separator);
  g_free (typed->delimiter);
}

/* --json, or --json=FILE */
static gboolean
on_json (const char *name,
         const char *value,
         gpointer    data,
         GError    **error)
{
  ToolSettings *self = data;

  self->json = TRUE;
  g_free (self->json_path);
  self->json_path = *value != '\0' ? g_strdup (value) : NULL;
  return TRUE;
}

static gboolean
parse_options (ToolSettings *self,
               Typed        *typed,
               gboolean      command,
               char        **argv,
               GError      **error)
{
  const GOptionEntry running[] = {
    { "jobs", 'j', 0, G_OPTION_ARG_STRING, &typed->jobs, "How many run at a time (default: one per processor; 0: as many as can be)", "N|N%|+N|-N" },
    { "max-procs", 'P', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &typed->jobs, NULL, NULL },
    { "retries", 0, 0, G_OPTION_ARG_INT, &self->retries, "Attempts after one that failed", "N" },
    { "retry-delay", 0, 0, G_OPTION_ARG_STRING, &typed->retry_delay, "Wait before the second attempt", "TIME" },
    { "backoff", 0, 0, G_OPTION_ARG_DOUBLE, &self->backoff, "Each further wait is that many times longer", "FACTOR" },
    { "max-retry-delay", 0, 0, G_OPTION_ARG_STRING, &typed->max_retry_delay, "The longest such wait", "TIME" },
    { "jitter", 0, 0, G_OPTION_ARG_DOUBLE, &self->jitter, "Part by which such a wait is changed at random, from 0 to 1", "PART" },
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &typed->timeout, "End an attempt that takes longer", "TIME" },
    { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &self->rate, "Begin no more attempts per second", "N" },
    { "burst", 0, 0, G_OPTION_ARG_INT, &self->burst, "How many of them may come at once", "N" },
    { "fail-first", 0, 0, G_OPTION_ARG_NONE, &typed->fail_first, "End everything when one job has failed (--halt=now)", NULL },
    { "halt", 0, 0, G_OPTION_ARG_STRING, &typed->halt, "What to do when one job has failed", "never|soon|now" },
    { "set", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &self->set, "Change a setting of the backend", "NAME=VALUE" },
    G_OPTION_ENTRY_NULL
  };
  const GOptionEntry inputs[] = {
    { "arg-file", 'a', 0, G_OPTION_ARG_FILENAME_ARRAY, &self->inputs.arg_files, "Read inputs from a file (-: standard input)", "FILE" },
    { "null", '0', 0, G_OPTION_ARG_NONE, &typed->zero, "Inputs in files end with NUL, not with a newline", NULL },
    { "delimiter", 'd', 0, G_OPTION_ARG_STRING, &typed->delimiter, "Inputs in files end with that, not with a newline", "CHAR" },
    { "no-run-if-empty", 'r', 0, G_OPTION_ARG_NONE, &typed->skip_empty, "Leave out empty lines", NULL },
    { "max-args", 'n', 0, G_OPTION_ARG_INT, &typed->max_args, "Up to that many inputs in one job", "N" },
    { "colsep", 'C', 0, G_OPTION_ARG_STRING, &typed->separator, "Text between the columns of an input: {1} {2} …", "TEXT" },
    { "priority-from", 0, 0, G_OPTION_ARG_INT, &self->priority_from, "Column that is the priority, the lowest number first", "N" },
    { "replace", 'I', 0, G_OPTION_ARG_FILENAME, &self->replacement, "Text to replace instead of {}", "TEXT" },
    G_OPTION_ENTRY_NULL
  };
  const GOptionEntry outputs[] = {
    { "keep-order", 'k', 0, G_OPTION_ARG_NONE, &self->keep_order, "Print in the order of the inputs", NULL },
    { "tag", 0, 0, G_OPTION_ARG_NONE, &self->tag, "Begin each line with the input", NULL },
    { "joblog", 0, 0, G_OPTION_ARG_FILENAME, &self->joblog, "Write a line for each job that has ended", "FILE" },
    { "resume", 0, 0, G_OPTION_ARG_NONE, &typed->resume, "Leave out jobs that are in the joblog", NULL },
    { "resume-failed", 0, 0, G_OPTION_ARG_NONE, &typed->resume_failed, "Leave out jobs that succeeded in the joblog", NULL },
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &self->dry_run, "Only print what would be run", NULL },
    { "json", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, on_json, "Write a summary as the last line of the output, or to a file", "FILE" },
    { "progress", 0, 0, G_OPTION_ARG_NONE, &typed->progress, "Tell how far it is, also where standard error is no terminal", NULL },
    { "no-progress", 0, 0, G_OPTION_ARG_NONE, &typed->no_progress, "Do not tell how far it is", NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &self->verbose, "Say what is run, retried and failed", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &self->quiet, "Say nothing of jobs that failed", NULL },
    G_OPTION_ENTRY_NULL
  };
  const GOptionEntry of_run[] = {
    { "ungroup", 'u', 0, G_OPTION_ARG_NONE, &self->ungroup, "Let jobs print directly", NULL },
    { "line-buffer", 0, 0, G_OPTION_ARG_NONE, &self->line_buffer, "Print lines of jobs as they come", NULL },
    { "output-limit", 0, 0, G_OPTION_ARG_STRING, &typed->output_limit, "How much a job may print to each of its two outputs (default: 64M)", "SIZE" },
    { "shell", 0, 0, G_OPTION_ARG_NONE, &self->shell, "The command is a line for sh; inputs are quoted", NULL },
    { "workdir", 0, 0, G_OPTION_ARG_FILENAME, &self->cwd, "Folder that jobs run in", "FOLDER" },
    G_OPTION_ENTRY_NULL
  };
  const GOptionEntry of_call[] = {
    { "backend", 0, 0, G_OPTION_ARG_STRING, &self->backend, "Where the functions run (default: subprocess)", "NAME" },
    { "type", 't', 0, G_OPTION_ARG_STRING, &self->type, "What type inputs are, in the text format of GVariant (default: s, as they are)", "TYPE" },
    G_OPTION_ENTRY_NULL
  };
  const GOptionEntry * const groups[] = { running, inputs, outputs, command ? of_run : of_call, NULL };
  const char *usage = command ? "[COMMAND…] [::: INPUT…] — run a command for each input"
                              : "MODULE:SYMBOL [ARGUMENT] [::: INPUT…] — call a function for each input";
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  GOptionGroup *group = g_option_group_new ("osiiso", "", "", self, NULL);
  int argc;

  g_option_context_set_strict_posix (context, TRUE);
  for (guint i = 0; groups[i] != NULL; i++)
    g_option_group_add_entries (group, groups[i]);
  g_option_context_set_main_group (context, group);
  g_option_context_set_description (context,
    "In COMMAND, {} is the input, {.} the same without its suffix, {/} without its folder,\n"
    "{//} the folder, {/.} without both, {#} the number of the job. If none is there, the\n"
    "input comes last. Without “:::” and -a, inputs are the lines of standard input.\n"
    "Times are seconds, or have one of the letters s, m, h, d. See osiiso(1).");
  self->argv = tool_arguments_spell_out (argv, groups);
  argc = (int) g_strv_length (self->argv);
  /* It takes words out of the array, which still owns them. */
  self->rest = g_memdup2 (self->argv, (gsize) (argc + 1) * sizeof (char *));
  return g_option_context_parse (context, &argc, &self->rest, error);
}

/* How others call what is there. */
static const struct
{
  const char *theirs;
  const char *ours;
} hints[] = {
  { "-i", "-I" },
  { "-L", "-n" },
  { "-N", "-n" },
  { "-X", "-n" },
  { "-t", "-v" },
  { "--bar", "--progress" },
  { "--eta", "--progress" },
  { "--delay", "--rate" },
  { "--dryrun", "--dry-run" },
  { "--link", ":::+" },
  { "--xapply", ":::+" },
  { "--nice", "--set=nice=N" },
  { "--tagstring", "--tag" },
  { "--wd", "--workdir" },
};

static void
add_hint (GError *error)
{
  const char *option = strrchr (error->message, ' ');

  if (!g_error_matches (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION) || option == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (hints); i++)
    {
      const gsize length = strlen (hints[i].theirs);

      if (strncmp (option + 1, hints[i].theirs, length) == 0 && strchr ("=", option[1 + length]) != NULL)
        {
          char *text = g_strdup_printf ("%s; see %s", error->message, hints[i].ours);

          g_free (error->message);
          error->message = text;
          return;
        }
    }
}

static void
split_rest (ToolSettings *self,
            char        **rest)
{
  guint n = 0;

  while (rest[n] != NULL && !tool_inputs_is_mark (rest[n]))
    n++;
  self->words = g_new0 (char *, n + 1);
  memcpy (self->words, rest, n * sizeof (char *));
  self->sources = rest + n;
}

gboolean
tool_settings_parse (ToolSettings *self,
                     gboolean      command,
                     char        **argv,
                     int          *status)
{
  g_autoptr (GError) error = NULL;
  Typed typed = { .max_args = 1 };
  gboolean ok;

  memset (self, 0, sizeof *self);
  self->title = argv[0];
  self->backoff = 1;
  self->burst = 1;
  ok = parse_options (self, &typed, command, argv, &error) && take_typed (self, &typed, &error);
  typed_clear (&typed);
  if (!ok)
    {
      add_hint (error);
      *status = tool_usage_error (self->title, "%s", error->message);
      return FALSE;
    }
  if (self->replacement == NULL)
    self->replacement = g_strdup ("{}");
  split_rest (self, self->rest + (self->rest[1] != NULL && g_str_equal (self->rest[1], "--") ? 2 : 1));
  return TRUE;
}

void
tool_settings_clear (ToolSettings *self)
{
  g_strfreev (self->set);
  g_strfreev (self->inputs.arg_files);
  g_free (self->column_separator);
  g_free (self->replacement);
  g_free (self->joblog);
  g_free (self->json_path);
  g_free (self->cwd);
  g_free (self->backend);
  g_free (self->type);
  g_free (self->words);
  g_free (self->rest);
  g_strfreev (self->argv);
}

ToolInputs *
tool_settings_open_inputs (ToolSettings *self,
                           int          *status)
{
  g_autoptr (GError) error = NULL;
  ToolInputs *inputs = tool_inputs_new (self->sources, &self->inputs, &error);

  if (inputs != NULL)
    {
      if (self->sources[0] == NULL && self->inputs.arg_files == NULL && isatty (STDIN_FILENO) && !self->quiet)
        g_printerr ("%s: reads its inputs from the terminal; Control-D ends them\n", self->title);
      return inputs;
    }
  if (error->domain == G_OPTION_ERROR)
    {
      *status = tool_usage_error (self->title, "%s", error->message);
      return NULL;
    }
  g_printerr ("%s: %s\n", self->title, error->message);
  *status = TOOL_EXIT_FAILED;
  return NULL;
}

/* What cannot be told as text is refused. */
static gboolean
parse_setting (GParamSpec *pspec,
               const char *text,
               GValue     *value)
{
  g_auto (GValue) number = G_VALUE_INIT;
  g_auto (GStrv) words = NULL;
  char *end = NULL;

  g_value_init (value, G_PARAM_SPEC_VALUE_TYPE (pspec));
  if (G_VALUE_HOLDS_STRING (value))
    {
      g_value_set_string (value, text);
      return TRUE;
    }
  if (G_VALUE_HOLDS (value, G_TYPE_STRV))
    return g_shell_parse_argv (text, NULL, &words, NULL) && (g_value_take_boxed (value, g_steal_pointer (&words)), TRUE);
  if (G_VALUE_HOLDS_BOOLEAN (value))
    {
      g_value_set_boolean (value, g_str_equal (text, "true"));
      return g_str_equal (text, "true") || g_str_equal (text, "false");
    }
  if (G_VALUE_HOLDS_ENUM (value))
    {
      GEnumValue *found = g_enum_get_value_by_nick (G_PARAM_SPEC_ENUM (pspec)->enum_class, text);

      if (found != NULL)
        g_value_set_enum (value, found->value);
      return found != NULL;
    }
  errno = 0;
  if (G_VALUE_HOLDS_DOUBLE (value))
    {
      g_value_set_double (value, g_ascii_strtod (text, &end));
    }
  else if (G_VALUE_HOLDS_UINT64 (value))
    {
      g_value_set_uint64 (value, g_ascii_strtoull (text, &end, 10));
    }
  else if (g_value_type_transformable (G_TYPE_INT64, G_VALUE_TYPE (value)) && !G_VALUE_HOLDS_BOXED (value))
    {
      gint64 integer = g_ascii_strtoll (text, &end, 10);

      /* Else the value would lose its upper half. */
      if (integer > G_MAXUINT32 || integer < G_MININT32)
        return FALSE;
      g_value_init (&number, G_TYPE_INT64);
      g_value_set_int64 (&number, integer);
      g_value_transform (&number, value);
    }
  return end != NULL && end != text && *end == '\0' && errno == 0;
}

gboolean
tool_settings_apply (ToolSettings  *self,
                     OsiisoBackend *backend,
                     GError       **error)
{
  for (guint i = 0; self->set != NULL && self->set[i] != NULL; i++)
    {
      const char *equals = strchr (self->set[i], '=');
      g_autofree char *name = g_strndup (self->set[i], equals != NULL ? (gsize) (equals - self->set[i]) : 0);
      GParamSpec *pspec = equals != NULL ? g_object_class_find_property (G_OBJECT_GET_CLASS (backend), name) : NULL;
      g_auto (GValue) value = G_VALUE_INIT;

      if (pspec == NULL || (pspec->flags & G_PARAM_WRITABLE) == 0)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       equals == NULL ? "“%s” is no value for --set: it takes NAME=VALUE"
                                      : "“%s” names no setting of this backend (see “osiiso backends”)",
                       self->set[i]);
          return FALSE;
        }
      if (!parse_setting (pspec, equals + 1, &value) || g_param_value_validate (pspec, &value))
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "“%s” is no value for the setting %s (see “osiiso backends” for what it takes)", equals + 1, name);
          return FALSE;
        }
      g_object_set_property (G_OBJECT (backend), name, &value);
    }
  return TRUE;
}
