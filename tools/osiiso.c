/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: see osiiso.1. */
#include "osiiso-tool.h"

#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  const char *name;
  int       (*run) (int argc, char **argv);
  const char *summary;
} SubCommand;

static const SubCommand sub_commands[] = {
  { "run", tool_run, "run a command for each input" },
  { "call", tool_call, "call a function of a module for each input" },
  { "backends", tool_backends, "list the backends that are installed" },
};

static void
print_help (void)
{
  g_print ("Usage: osiiso COMMAND [OPTION…]\n\nCommands:\n");
  for (guint i = 0; i < G_N_ELEMENTS (sub_commands); i++)
    g_print ("  %-10s %s\n", sub_commands[i].name, sub_commands[i].summary);
  g_print ("\n“osiiso COMMAND --help” lists the options of a command; osiiso(1) explains them.\n");
}

static gboolean
is_plain (const char *word)
{
  return *word != '\0' &&
         word[strspn (word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")] == '\0';
}

static gboolean
has_control (const char *word)
{
  for (; *word != '\0'; word++)
    if (g_ascii_iscntrl (*word))
      return TRUE;
  return FALSE;
}

/* $'…', which keeps it in one line. */
static void
append_ansi (GString    *line,
             const char *word)
{
  g_string_append (line, "$'");
  for (; *word != '\0'; word++)
    {
      if (*word == '\n')
        g_string_append (line, "\\n");
      else if (*word == '\t')
        g_string_append (line, "\\t");
      else if (g_ascii_iscntrl (*word))
        g_string_append_printf (line, "\\%03o", (guint8) *word);
      else if (*word == '\'' || *word == '\\')
        g_string_append_printf (line, "\\%c", *word);
      else
        g_string_append_c (line, *word);
    }
  g_string_append_c (line, '\'');
}

char *
tool_quote (const char * const *argv)
{
  GString *line = g_string_new (NULL);

  for (guint i = 0; argv[i] != NULL; i++)
    {
      if (i > 0)
        g_string_append_c (line, ' ');
      if (is_plain (argv[i]))
        {
          g_string_append (line, argv[i]);
        }
      else if (has_control (argv[i]))
        {
          append_ansi (line, argv[i]);
        }
      else
        {
          g_autofree char *quoted = g_shell_quote (argv[i]);

          g_string_append (line, quoted);
        }
    }
  return g_string_free (line, FALSE);
}

int
tool_usage_error (const char *command,
                  const char *format,
                  ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("%s: %s\nTry “%s --help”.\n", command, text, command);
  return TOOL_EXIT_USAGE;
}

/* Else what is opened first would be taken for standard input or output. Whoever reads
 * or writes these gets an error, as if they were still closed. */
static void
open_missing (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    {
      if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
        return;
    }
}

int
main (int    argc,
      char **argv)
{
  const char *name = argc > 1 ? argv[1] : "";

  open_missing ();
  setlocale (LC_ALL, "");
  if (strcmp (name, "--help") == 0 || strcmp (name, "-h") == 0 || strcmp (name, "help") == 0)
    {
      print_help ();
      return TOOL_EXIT_OK;
    }
  if (strcmp (name, "--version") == 0)
    {
      g_print ("osiiso %s\n", TOOL_VERSION);
      return TOOL_EXIT_OK;
    }
  for (guint i = 0; i < G_N_ELEMENTS (sub_commands); i++)
    if (strcmp (name, sub_commands[i].name) == 0)
      {
        g_autofree char *title = g_strconcat ("osiiso ", name, NULL);

        argv[1] = title;
        g_set_prgname (title);
        return sub_commands[i].run (argc - 1, argv + 1);
      }
  if (*name == '\0')
    return tool_usage_error ("osiiso", "there is no command");
  return tool_usage_error ("osiiso", "there is no command “%s”", name);
}
