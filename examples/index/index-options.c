/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <gio/gio.h>

#include "index-options.h"

#define DEFAULT_FOLDER "/usr/share"
#define MAX_WORKERS    1024

static gboolean
check_numbers (int      workers,
               double   timeout,
               GError **error)
{
  if (workers < 0 || workers > MAX_WORKERS)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--workers must be between 0 and %d, not %d", MAX_WORKERS, workers);
      return FALSE;
    }

  /* The parser accepts "nan" and "inf" as numbers; neither is a time. */
  if (!isfinite (timeout) || timeout < 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--timeout must be 0 or a positive number of seconds, not %g", timeout);
      return FALSE;
    }

  return TRUE;
}

/* Resolves links, so that a folder has one name in the database however it was
 * reached, and makes sure that it can be listed. */
static char *
resolve_folder (const char *argument,
                GError    **error)
{
  g_autofree char *real = realpath (argument, NULL);
  g_autoptr (GDir) dir = NULL;

  if (real == NULL)
    {
      int saved_errno = errno;
      g_autofree char *display = g_filename_display_name (argument);

      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
                   "Cannot index '%s': %s", display, g_strerror (saved_errno));
      return NULL;
    }

  dir = g_dir_open (real, 0, error);
  if (dir == NULL)
    {
      g_prefix_error (error, "Cannot index: ");
      return NULL;
    }

  return g_steal_pointer (&real);
}

static char *
default_database (GError **error)
{
  g_autofree char *folder = g_build_filename (g_get_user_cache_dir (), "osiiso-index", NULL);

  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      int saved_errno = errno;
      g_autofree char *display = g_filename_display_name (folder);

      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
                   "Cannot make the folder '%s': %s", display, g_strerror (saved_errno));
      return NULL;
    }

  return g_build_filename (folder, "index.db", NULL);
}

gboolean
index_options_parse (IndexOptions *self,
                     int          *argc,
                     char       ***argv,
                     GError      **error)
{
  int workers = 0;
  double timeout = 0;
  g_autofree char *database = NULL;
  g_auto (GStrv) folders = NULL;
  /* File names are taken as bytes: they need not be valid in any encoding. */
  const GOptionEntry entries[] = {
    { "workers", 'w', 0, G_OPTION_ARG_INT, &workers,
      "Hash with N threads and decode with N processes (default: depends on the processors)", "N" },
    { "timeout", 't', 0, G_OPTION_ARG_DOUBLE, &timeout,
      "Give up an attempt at a file after this time (default: never)", "SECONDS" },
    { "no-pictures", 0, 0, G_OPTION_ARG_NONE, &self->no_pictures,
      "Do not decode pictures", NULL },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &self->json,
      "Print one JSON object instead of text", NULL },
    { "database", 'd', 0, G_OPTION_ARG_FILENAME, &database,
      "Where to store the index (default: osiiso-index/index.db in the user's cache folder)", "FILE" },
    { "version", 0, 0, G_OPTION_ARG_NONE, &self->version,
      "Print the version and exit", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &folders, NULL, "[FOLDER]" },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_summary (context,
                                "Hashes and classifies all files below FOLDER (default: " DEFAULT_FOLDER "),\n"
                                "decodes the pictures among them, and stores what it finds in an SQLite\n"
                                "database, in place of what was there of that folder. Links are not followed.");
  g_option_context_set_description (context,
                                    "Ctrl-C stops and keeps what is done; a second one stops at once.\n\n"
                                    "Exit status: 0 all went well, 1 some files, folders or pictures failed, 2 the\n"
                                    "job could not be done, 130 interrupted (143 by SIGTERM).");
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (self->version)
    return TRUE;

  if (!check_numbers (workers, timeout, error))
    return FALSE;
  if (folders != NULL && g_strv_length (folders) > 1)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "More than one folder was given");
      return FALSE;
    }
  if (database != NULL && *database == '\0')
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--database needs a file name");
      return FALSE;
    }

  self->workers = workers;
  self->timeout = timeout;
  self->folder = resolve_folder (folders != NULL && folders[0] != NULL ? folders[0] : DEFAULT_FOLDER, error);
  if (self->folder == NULL)
    return FALSE;
  self->database = database != NULL ? g_steal_pointer (&database) : default_database (error);
  return self->database != NULL;
}

void
index_options_clear (IndexOptions *self)
{
  g_clear_pointer (&self->folder, g_free);
  g_clear_pointer (&self->database, g_free);
}
