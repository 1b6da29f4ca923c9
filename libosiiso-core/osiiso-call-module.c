/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include <gmodule.h>

#include "osiiso-call-module-private.h"
#include "osiiso-error.h"
#include "osiiso-secure-private.h"

/*
 * Finds the function behind a "module:symbol".
 *
 * cache_lock guards the table, and is never held while code of a module may run.
 *
 * load_lock is held from opening a file until it is resident, because
 * g_module_make_resident() takes no lock of its own. Constructors of modules run
 * with it; it is recursive, so they may look for functions themselves.
 *
 * Two threads that look for one function at once may both open its module, and
 * come to the same.
 */

#define MODULE_SUFFIX "." OSIISO_MODULE_SUFFIX

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static GRecMutex load_lock;

/* "module:symbol" to function. Nothing is ever removed, and there are no entries
 * for failures: what could not be found may be there later. */
static GHashTable *found_functions;

static gboolean
is_symbol (const char *text)
{
  if (!g_ascii_isalpha (*text) && *text != '_')
    return FALSE;
  while (g_ascii_isalnum (*text) || *text == '_')
    text++;
  return *text == '\0';
}

/* The place of the colon; NULL if @function is no "module:symbol". */
static const char *
find_colon (const char *function)
{
  const char *colon = strrchr (function, ':');

  if (colon == NULL || !is_symbol (colon + 1))
    return NULL;
  /* A path that is not absolute would mean the folder that the program happens to
   * run in. */
  if (!g_path_is_absolute (function) && memchr (function, G_DIR_SEPARATOR, colon - function) != NULL)
    return NULL;
  return colon;
}

gboolean
osiiso_call_module_check (const char *function,
                          GError    **error)
{
  g_autofree char *escaped = NULL;

  if (find_colon (function) != NULL)
    return TRUE;

  /* It may hold anything, and messages are one line. */
  escaped = g_strescape (function, NULL);
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "'%s' is not the name of a function: expected 'module:symbol', where the module is an absolute path, a name without a slash, or empty for the program",
               escaped);
  return FALSE;
}

static void
append_files_of_folder (GPtrArray  *files,
                        const char *folder,
                        const char *name)
{
  if (g_str_has_suffix (name, MODULE_SUFFIX))
    {
      g_ptr_array_add (files, g_build_filename (folder, name, NULL));
      return;
    }
  g_ptr_array_add (files, g_strconcat (folder, G_DIR_SEPARATOR_S, name, MODULE_SUFFIX, NULL));
  g_ptr_array_add (files, g_strconcat (folder, G_DIR_SEPARATOR_S "lib", name, MODULE_SUFFIX, NULL));
}

/* The files that the module may be in, in this order. Folders that are named and do
 * not count are appended to skipped, with a comma before each. */
static GPtrArray *
list_files (const char *module,
            GString    *skipped)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_free);
  const char *path;

  if (g_path_is_absolute (module))
    {
      g_ptr_array_add (files, g_strdup (module));
      return files;
    }

  path = osiiso_secure_getenv ("OSIISO_MODULE_PATH");
  if (path != NULL)
    {
      g_auto (GStrv) folders = g_strsplit (path, G_SEARCHPATH_SEPARATOR_S, -1);

      for (gsize i = 0; folders[i] != NULL; i++)
        {
          if (g_path_is_absolute (folders[i]))
            append_files_of_folder (files, folders[i], module);
          else if (*folders[i] != '\0')
            g_string_append_printf (skipped, ", '%s'", folders[i]);
        }
    }
  append_files_of_folder (files, OSIISO_DEFAULT_MODULE_DIR, module);
  return files;
}

static char *
join_files (GPtrArray *files)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *name = g_filename_display_name (g_ptr_array_index (files, i));

      g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", name);
    }
  return g_string_free (text, FALSE);
}

static GModule *
open_file (const char *file,
           GError    **error)
{
  g_autoptr (GError) local_error = NULL;
  GModule *module;

  g_rec_mutex_lock (&load_lock);
  /* Not lazy: what is missing shows here, not in the middle of a task. */
  module = g_module_open_full (file, G_MODULE_BIND_LOCAL, &local_error);
  if (module != NULL)
    g_module_make_resident (module);
  g_rec_mutex_unlock (&load_lock);

  if (module == NULL)
    {
      g_autofree char *name = file != NULL ? g_filename_display_name (file) : g_strdup ("of the program");
      g_autofree char *reason = g_utf8_make_valid (local_error->message, -1);

      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                   "the module %s cannot be used: %s", name, reason);
    }
  return module;
}

static GModule *
open_module (const char *module,
             GError    **error)
{
  g_autoptr (GString) skipped = g_string_new (NULL);
  g_autoptr (GPtrArray) files = NULL;
  g_autofree char *tried = NULL;
  g_autofree char *hint = NULL;

  if (*module == '\0')
    return open_file (NULL, error);

  files = list_files (module, skipped);
  for (guint i = 0; i < files->len; i++)
    {
      if (g_file_test (g_ptr_array_index (files, i), G_FILE_TEST_IS_REGULAR))
        return open_file (g_ptr_array_index (files, i), error);
    }
  tried = join_files (files);
  hint = g_utf8_make_valid (skipped->str, -1);
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND,
               "there is no module '%s': tried %s%s%s", module, tried,
               *hint != '\0' ? "; not tried, because OSIISO_MODULE_PATH has to have absolute paths: " : "",
               *hint != '\0' ? hint + 2 : "");
  return NULL;
}

static gpointer
load_function (const char *function,
               const char *colon,
               GError    **error)
{
  g_autofree char *name = g_strndup (function, colon - function);
  GModule *module = open_module (name, error);
  gpointer symbol = NULL;

  if (module == NULL)
    return NULL;
  if (!g_module_symbol (module, colon + 1, &symbol) || symbol == NULL)
    {
      g_autofree char *file = *name != '\0' ? g_filename_display_name (g_module_name (module)) : NULL;

      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND,
                   "there is no function '%s' in %s", colon + 1, file != NULL ? file : "the program");
      return NULL;
    }
  return symbol;
}

OsiisoCallFunc
osiiso_call_module_find (const char *function,
                         GError    **error)
{
  const char *colon;
  gpointer symbol = NULL;

  pthread_mutex_lock (&cache_lock);
  if (found_functions != NULL)
    symbol = g_hash_table_lookup (found_functions, function);
  pthread_mutex_unlock (&cache_lock);
  if (symbol != NULL)
    return (OsiisoCallFunc) symbol;

  if (!osiiso_call_module_check (function, error))
    return NULL;
  colon = find_colon (function);
  symbol = load_function (function, colon, error);
  if (symbol == NULL)
    return NULL;

  pthread_mutex_lock (&cache_lock);
  if (found_functions == NULL)
    found_functions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!g_hash_table_contains (found_functions, function))
    g_hash_table_insert (found_functions, g_strdup (function), symbol);
  pthread_mutex_unlock (&cache_lock);
  return (OsiisoCallFunc) symbol;
}
