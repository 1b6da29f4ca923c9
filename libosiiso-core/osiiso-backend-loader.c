/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-backend-loader-private.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>
#include <gmodule.h>

#include "osiiso-error.h"
#include "osiiso-secure-private.h"

/*
 * Finds the GType behind the name of a backend, in a table of the types that
 * this process knows and then in files, one plugin each.
 *
 * ELF constructors run as soon as a file is opened, so the folders are what a
 * user trusts, not the descriptor: names are validated before a path is built
 * from them, and the environment counts for nothing in a process with more
 * rights than its caller.
 *
 * Locking. loader_lock guards the table and the list of folders, and is held
 * for no longer than it takes to read or change one of them, never while code
 * of a plugin may run. So a constructor may register a backend or list names in
 * one thread, with the dynamic linker's lock held, while another thread that
 * loads something waits for that lock.
 *
 * load_lock is held from opening a file until its module has been made resident
 * or closed, because g_module_make_resident() and g_module_open_full() change
 * the same word of a module and the former takes no lock. Constructors and the
 * descriptor function run with it, as they do with GModule's own lock; like that
 * one it is recursive, so they may make other backends. It is released before
 * get_type() and g_object_new(), which may use everything in this file, from
 * any thread.
 *
 * Two threads that want the same plugin at once both open it. They get the same
 * module, each with a reference, make the same checks on constant data and come
 * to the same type; the table keeps what was entered first.
 */

#define PLUGIN_PREFIX "libosiiso-backend-"
#define PLUGIN_SUFFIX "." OSIISO_MODULE_SUFFIX

#define NAME_PATTERN "[a-z][a-z0-9-]*"

#define DEFAULT_BACKEND "thread-pool"

static pthread_mutex_t loader_lock = PTHREAD_MUTEX_INITIALIZER;
static GRecMutex load_lock;

/* Name to GType, both registered and loaded; protected by loader_lock. What is
 * in here is never changed or removed. There are no entries for failures: what
 * could not be found or used may be so later. */
static GHashTable *known_types;

/* The folders added by API, the latest last; protected by loader_lock. */
static GPtrArray *added_directories;

typedef const OsiisoBackendDescriptor *(*GetDescriptorFunc) (void);

static G_DEFINE_QUARK (osiiso-backend-summary, summary)

/* Names come from callers and from the environment, and end up in paths: no
 * slash, no dot. */
static gboolean
name_is_valid (const char *name)
{
  if (!g_ascii_islower (name[0]))
    return FALSE;

  for (const char *p = name + 1; *p != '\0'; p++)
    {
      if (!g_ascii_islower (*p) && !g_ascii_isdigit (*p) && *p != '-')
        return FALSE;
    }

  return TRUE;
}

static gboolean
check_name (const char *name,
            GError    **error)
{
  g_autofree char *escaped = NULL;

  if (name_is_valid (name))
    return TRUE;

  /* It may hold anything, and messages are one line of UTF-8. */
  escaped = g_strescape (name, NULL);
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "'%s' is not a name for a backend: expected a match of %s, such as '%s'",
               escaped, NAME_PATTERN, DEFAULT_BACKEND);
  return FALSE;
}

/* What is wrong with @type, with @expected set; NULL if a backend can be made
 * of it. */
static char *
describe_bad_type (GType        type,
                   const char **expected)
{
  const char *type_name = type != G_TYPE_INVALID ? g_type_name (type) : NULL;

  *expected = "a type derived from OsiisoBackend";
  if (type_name == NULL)
    return g_strdup ("no type");
  if (!g_type_is_a (type, OSIISO_TYPE_BACKEND))
    return g_strdup_printf ("the type %s", type_name);

  *expected = "a type derived from OsiisoBackend that is not abstract";
  if (G_TYPE_IS_ABSTRACT (type))
    return g_strdup_printf ("the abstract type %s", type_name);

  return NULL;
}

static GType
lookup_type (const char *name)
{
  GType type = G_TYPE_INVALID;

  pthread_mutex_lock (&loader_lock);
  if (known_types != NULL)
    type = GPOINTER_TO_SIZE (g_hash_table_lookup (known_types, name));
  pthread_mutex_unlock (&loader_lock);

  return type;
}

/* Enters @type unless @name has one; returns the one that it has then. */
static GType
enter_type (const char *name,
            GType       type)
{
  GType known;

  pthread_mutex_lock (&loader_lock);
  if (known_types == NULL)
    known_types = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  known = GPOINTER_TO_SIZE (g_hash_table_lookup (known_types, name));
  if (known == G_TYPE_INVALID)
    {
      g_hash_table_insert (known_types, g_strdup (name), GSIZE_TO_POINTER (type));
      known = type;
    }
  pthread_mutex_unlock (&loader_lock);

  return known;
}

char *
osiiso_backend_loader_dup_name (GType type)
{
  GHashTableIter iter;
  gpointer name;
  gpointer known;
  char *found = NULL;

  pthread_mutex_lock (&loader_lock);
  if (known_types != NULL)
    {
      g_hash_table_iter_init (&iter, known_types);
      while (found == NULL && g_hash_table_iter_next (&iter, &name, &known))
        {
          if (GPOINTER_TO_SIZE (known) == type)
            found = g_strdup (name);
        }
    }
  pthread_mutex_unlock (&loader_lock);

  return found;
}

static void
append_folder (GPtrArray  *folders,
               const char *folder)
{
  if (!g_ptr_array_find_with_equal_func (folders, folder, g_str_equal, NULL))
    g_ptr_array_add (folders, g_strdup (folder));
}

/* A relative path, and an empty one, would mean the folder that the program
 * happens to run in. */
static void
append_folder_from_environment (GPtrArray  *folders,
                                const char *variable,
                                const char *folder)
{
  if (g_path_is_absolute (folder))
    append_folder (folders, folder);
  else if (*folder != '\0')
    g_debug ("%s: ignoring '%s', which is not an absolute path", variable, folder);
}

/* The folders to search, in this order. The environment is read each time, as a
 * program may set it up before it makes its first queue. */
static GPtrArray *
dup_search_path (void)
{
  g_autoptr (GPtrArray) folders = g_ptr_array_new_with_free_func (g_free);
  const char *value;

  pthread_mutex_lock (&loader_lock);
  if (added_directories != NULL)
    {
      for (guint i = added_directories->len; i > 0; i--)
        append_folder (folders, g_ptr_array_index (added_directories, i - 1));
    }
  pthread_mutex_unlock (&loader_lock);

  value = osiiso_secure_getenv ("OSIISO_BACKEND_PATH");
  if (value != NULL)
    {
      g_auto (GStrv) entries = g_strsplit (value, G_SEARCHPATH_SEPARATOR_S, -1);

      for (gsize i = 0; entries[i] != NULL; i++)
        append_folder_from_environment (folders, "OSIISO_BACKEND_PATH", entries[i]);
    }

  value = osiiso_secure_getenv ("OSIISO_BACKEND_DIR");
  if (value != NULL)
    append_folder_from_environment (folders, "OSIISO_BACKEND_DIR", value);
  else
    append_folder (folders, OSIISO_DEFAULT_BACKEND_DIR);

  return g_steal_pointer (&folders);
}

static char *
dup_name_from_file (const char *file)
{
  g_autofree char *name = NULL;

  if (!g_str_has_prefix (file, PLUGIN_PREFIX) || !g_str_has_suffix (file, PLUGIN_SUFFIX))
    return NULL;

  file += strlen (PLUGIN_PREFIX);
  if (strlen (file) <= strlen (PLUGIN_SUFFIX))
    return NULL;

  name = g_strndup (file, strlen (file) - strlen (PLUGIN_SUFFIX));
  return name_is_valid (name) ? g_steal_pointer (&name) : NULL;
}

static void
append_names_of_folder (GPtrArray  *names,
                        const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const char *file;

  if (dir == NULL)
    {
      g_debug ("Not listing backends: %s", error->message);
      return;
    }

  while ((file = g_dir_read_name (dir)) != NULL)
    {
      char *name = dup_name_from_file (file);

      if (name != NULL)
        g_ptr_array_add (names, name);
    }
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char * const *) a, *(const char * const *) b);
}

static char **
list_names_in (GPtrArray *folders)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  pthread_mutex_lock (&loader_lock);
  if (known_types != NULL)
    {
      GHashTableIter iter;
      gpointer name;

      g_hash_table_iter_init (&iter, known_types);
      while (g_hash_table_iter_next (&iter, &name, NULL))
        g_ptr_array_add (all, g_strdup (name));
    }
  pthread_mutex_unlock (&loader_lock);

  for (guint i = 0; i < folders->len; i++)
    append_names_of_folder (all, g_ptr_array_index (folders, i));

  g_ptr_array_sort (all, compare_names);
  for (guint i = 0; i < all->len; i++)
    {
      const char *name = g_ptr_array_index (all, i);

      if (names->len == 0 || strcmp (name, g_ptr_array_index (names, names->len - 1)) != 0)
        g_ptr_array_add (names, (gpointer) name);
    }
  g_ptr_array_add (names, NULL);

  return g_strdupv ((char **) names->pdata);
}

static void
set_unusable_error (GError    **error,
                    const char *path,
                    const char *expected,
                    const char *found_format,
                    ...) G_GNUC_PRINTF (4, 5);

static void
set_unusable_error (GError    **error,
                    const char *path,
                    const char *expected,
                    const char *found_format,
                    ...)
{
  g_autofree char *display_path = g_filename_display_name (path);
  g_autofree char *found = NULL;
  g_autofree char *valid = NULL;
  va_list args;

  va_start (args, found_format);
  found = g_strdup_vprintf (found_format, args);
  va_end (args);

  /* What is quoted from the file or from the linker may be in any encoding. */
  valid = g_utf8_make_valid (found, -1);
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
               "the backend plugin %s cannot be used: found %s, expected %s",
               display_path, valid, expected);
}

/* The descriptor in @module, if it is one for this library and for @name. */
static const OsiisoBackendDescriptor *
read_descriptor (GModule    *module,
                 const char *path,
                 const char *name,
                 GError    **error)
{
  g_autofree char *identifier = g_strdelimit (g_strdup (name), "-", '_');
  g_autofree char *symbol_name = g_strdup_printf ("osiiso_backend_%s_get_descriptor", identifier);
  g_autofree char *expected = NULL;
  const OsiisoBackendDescriptor *descriptor;
  gpointer symbol;

  if (!g_module_symbol (module, symbol_name, &symbol) || symbol == NULL)
    {
      expected = g_strdup_printf ("the exported function %s()", symbol_name);
      set_unusable_error (error, path, expected, "no descriptor");
      return NULL;
    }

  descriptor = ((GetDescriptorFunc) symbol) ();
  if (descriptor == NULL)
    {
      expected = g_strdup_printf ("a descriptor from %s()", symbol_name);
      set_unusable_error (error, path, expected, "NULL");
      return NULL;
    }

  /* The numbers come first: they say whether the rest means what we think. */
  if (descriptor->abi_major != OSIISO_BACKEND_ABI_MAJOR)
    {
      expected = g_strdup_printf ("ABI %u", (guint) OSIISO_BACKEND_ABI_MAJOR);
      set_unusable_error (error, path, expected, "ABI %u", descriptor->abi_major);
      return NULL;
    }

  if (descriptor->abi_minor > OSIISO_BACKEND_ABI_MINOR)
    {
      expected = g_strdup_printf ("ABI %u.%u or an older minor",
                                  (guint) OSIISO_BACKEND_ABI_MAJOR, (guint) OSIISO_BACKEND_ABI_MINOR);
      set_unusable_error (error, path, expected, "ABI %u.%u",
                          descriptor->abi_major, descriptor->abi_minor);
      return NULL;
    }

  if (g_strcmp0 (descriptor->name, name) != 0)
    {
      expected = g_strdup_printf ("the name '%s'", name);
      if (descriptor->name != NULL)
        set_unusable_error (error, path, expected, "the name '%s'", descriptor->name);
      else
        set_unusable_error (error, path, expected, "no name");
      return NULL;
    }

  if (descriptor->get_type == NULL)
    {
      set_unusable_error (error, path, "a type derived from OsiisoBackend",
                          "no function for the type");
      return NULL;
    }

  return descriptor;
}

static gboolean
check_file (const char *path,
            GError    **error)
{
  GStatBuf status;

  if (g_stat (path, &status) != 0)
    {
      set_unusable_error (error, path, "a shared library",
                          "a link that cannot be followed (%s)", g_strerror (errno));
      return FALSE;
    }

  /* GModule would go on to try other suffixes. */
  if (!S_ISREG (status.st_mode))
    {
      set_unusable_error (error, path, "a shared library", "%s",
                          S_ISDIR (status.st_mode) ? "a folder" : "something that is not a regular file");
      return FALSE;
    }

  return TRUE;
}

/* Called with load_lock held. */
static const OsiisoBackendDescriptor *
open_plugin_locked (const char *path,
                    const char *name,
                    GError    **error)
{
  g_autoptr (GError) local_error = NULL;
  const OsiisoBackendDescriptor *descriptor;
  GModule *module;

  /* Not lazy: a function that exists nowhere is an error here and now, not a
   * crash in the middle of a task. */
  module = g_module_open_full (path, G_MODULE_BIND_LOCAL, &local_error);
  if (module == NULL)
    {
      set_unusable_error (error, path, "a shared library whose symbols can all be resolved",
                          "a file that cannot be loaded (%s)", local_error->message);
      return NULL;
    }

  descriptor = read_descriptor (module, path, name, error);

  /* Resident before anybody calls get_type(): a type that has been registered
   * must never lose its code. So a plugin with a wrong type stays, too. */
  if (descriptor != NULL)
    g_module_make_resident (module);
  else
    g_module_close (module);

  return descriptor;
}

static GType
load_plugin (const char *path,
             const char *name,
             GError    **error)
{
  g_autofree char *found = NULL;
  const OsiisoBackendDescriptor *descriptor;
  const char *expected;
  GType type;

  if (!check_file (path, error))
    return G_TYPE_INVALID;

  g_rec_mutex_lock (&load_lock);
  descriptor = open_plugin_locked (path, name, error);
  g_rec_mutex_unlock (&load_lock);
  if (descriptor == NULL)
    return G_TYPE_INVALID;

  type = descriptor->get_type ();
  found = describe_bad_type (type, &expected);
  if (found != NULL)
    {
      set_unusable_error (error, path, expected, "%s", found);
      return G_TYPE_INVALID;
    }

  /* As resident as the module. */
  g_type_set_qdata (type, summary_quark (), (gpointer) descriptor->summary);
  g_debug ("Backend '%s' is %s of %s", name, g_type_name (type), path);
  return type;
}

/* What append_folder_from_environment() has not taken. */
static void
append_left_out (GString    *message,
                 const char *variable)
{
  const char *value = osiiso_secure_getenv (variable);
  g_auto (GStrv) entries = g_strsplit (value != NULL ? value : "", G_SEARCHPATH_SEPARATOR_S, -1);

  for (gsize i = 0; entries[i] != NULL; i++)
    if (*entries[i] != '\0' && !g_path_is_absolute (entries[i]))
      {
        g_autofree char *folder = g_filename_display_name (entries[i]);

        g_string_append_printf (message, "; left out: '%s' of %s, which is not an absolute path", folder, variable);
      }
}

static void
set_not_found_error (GError    **error,
                     const char *name,
                     GPtrArray  *folders,
                     GPtrArray  *remarks)
{
  g_auto (GStrv) names = list_names_in (folders);
  g_autoptr (GString) message = g_string_new (NULL);

  g_string_append_printf (message, "there is no backend '%s'; searched: ", name);
  if (folders->len == 0)
    g_string_append (message, "no folder");
  for (guint i = 0; i < folders->len; i++)
    {
      g_autofree char *folder = g_filename_display_name (g_ptr_array_index (folders, i));
      const char *remark = g_ptr_array_index (remarks, i);

      g_string_append_printf (message, "%s%s", i > 0 ? ", " : "", folder);
      if (remark != NULL)
        g_string_append_printf (message, " (%s)", remark);
    }

  g_string_append (message, "; available: ");
  if (names[0] == NULL)
    g_string_append (message, "none");
  for (gsize i = 0; names[i] != NULL; i++)
    g_string_append_printf (message, "%s%s", i > 0 ? ", " : "", names[i]);

  append_left_out (message, "OSIISO_BACKEND_PATH");
  append_left_out (message, "OSIISO_BACKEND_DIR");
  g_set_error_literal (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND, message->str);
}

static GType
find_plugin (const char *name,
             GError    **error)
{
  g_autoptr (GPtrArray) folders = dup_search_path ();
  g_autoptr (GPtrArray) remarks = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *file = g_strconcat (PLUGIN_PREFIX, name, PLUGIN_SUFFIX, NULL);

  for (guint i = 0; i < folders->len; i++)
    {
      const char *folder = g_ptr_array_index (folders, i);
      g_autofree char *path = g_build_filename (folder, file, NULL);
      g_autofree char *remark = NULL;
      GStatBuf status;

      /* The first hit wins, broken or not: to go on would hide from people that
       * the plugin they put in front is not the one that runs. */
      if (g_lstat (path, &status) == 0)
        return load_plugin (path, name, error);

      if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
        remark = g_strdup_printf ("unreadable: %s", g_strerror (errno));
      else if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
        remark = g_strdup (g_file_test (folder, G_FILE_TEST_EXISTS) ? "not a folder" : "does not exist");
      g_ptr_array_add (remarks, g_steal_pointer (&remark));
    }

  set_not_found_error (error, name, folders, remarks);
  return G_TYPE_INVALID;
}

static GType
find_type (const char *name,
           GError    **error)
{
  GType type;

  if (!check_name (name, error))
    return G_TYPE_INVALID;

  type = lookup_type (name);
  if (type != G_TYPE_INVALID)
    return type;

  type = find_plugin (name, error);
  if (type == G_TYPE_INVALID)
    return G_TYPE_INVALID;

  return enter_type (name, type);
}

static void
print_names_once (void)
{
  static atomic_flag printed = ATOMIC_FLAG_INIT;
  g_auto (GStrv) names = NULL;
  g_autoptr (GString) text = NULL;

  if (atomic_flag_test_and_set (&printed))
    return;

  names = osiiso_backend_list_names ();
  text = g_string_new ("Backends that OSIISO_BACKEND can name (default: " DEFAULT_BACKEND "):\n");
  for (gsize i = 0; names[i] != NULL; i++)
    g_string_append_printf (text, "  %s\n", names[i]);
  g_print ("%s", text->str);
}

/* The name that the user chose, or NULL. */
static char *
dup_name_from_environment (void)
{
  const char *value = osiiso_secure_getenv ("OSIISO_BACKEND");

  if (value == NULL || *value == '\0')
    return NULL;

  if (strcmp (value, "help") == 0)
    {
      print_names_once ();
      return NULL;
    }

  return g_strdup (value);
}

/* @name: (nullable): NULL for the default */
GType
osiiso_backend_loader_find (const char *name,
                            GError    **error)
{
  g_autofree char *chosen = NULL;
  GType type;

  if (name != NULL)
    return find_type (name, error);

  chosen = dup_name_from_environment ();
  if (chosen == NULL)
    return find_type (DEFAULT_BACKEND, error);

  type = find_type (chosen, error);
  if (type == G_TYPE_INVALID)
    g_prefix_error (error, "OSIISO_BACKEND: ");

  return type;
}

/**
 * osiiso_backend_create:
 * @name: (nullable): the name of a backend, or %NULL for the default
 * @error: return location for a #GError
 *
 * Makes a backend by its name.
 *
 * A name is looked up among those that were registered with
 * [func@Osiiso.Backend.register] and those that were loaded before, then as the
 * plugin `libosiiso-backend-NAME.so` in these folders:
 *
 * 1. those given to [func@Osiiso.Backend.add_directory], the latest first
 * 2. those in the environment variable `OSIISO_BACKEND_PATH`, separated by
 *    colons
 * 3. the one in the environment variable `OSIISO_BACKEND_DIR` if that is set
 *    (set to nothing, it stands for no folder), otherwise the one where the
 *    library's own backends are installed
 *
 * Entries of the environment that are empty or not absolute are skipped. The
 * first file that has the right name is the one that is used: if it is broken,
 * the call fails. A plugin that has been loaded stays for the life of the
 * process. Failures are not remembered, so that a plugin that is installed later
 * is found.
 *
 * The default is the backend that the environment variable `OSIISO_BACKEND`
 * names, otherwise `thread-pool`. With `OSIISO_BACKEND=help` the first call that
 * asks for the default also prints the names of all backends.
 *
 * In a process that runs with more rights than its caller (set-user-ID and
 * the like) none of these variables is used.
 *
 * Every call makes a new instance; a backend serves one queue. May be called
 * from any thread.
 *
 * Fails with
 *
 * - %OSIISO_QUEUE_ERROR_INVALID if the name does not match `[a-z][a-z0-9-]*`
 * - %OSIISO_QUEUE_ERROR_NOT_FOUND if no backend has that name
 * - %OSIISO_QUEUE_ERROR_FAILED if its plugin cannot be used: it cannot be
 *   loaded, was made for another ABI or another name, or has no type that
 *   derives from [class@Osiiso.Backend] and is not abstract
 *
 * Returns: (transfer full): a new backend, or %NULL with @error set
 *
 * Since: 1.0
 */
OsiisoBackend *
osiiso_backend_create (const char *name,
                       GError    **error)
{
  GType type;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  type = osiiso_backend_loader_find (name, error);
  if (type == G_TYPE_INVALID)
    return NULL;

  return g_object_new (type, NULL);
}

/**
 * osiiso_backend_get_summary:
 * @self: a backend
 *
 * Gets the line in which the plugin of a backend says what it is, for people. May be
 * called from any thread.
 *
 * Returns: (transfer none) (nullable): the line; %NULL when the plugin has none, or
 *   the type is not from a plugin
 *
 * Since: 1.0
 */
const char *
osiiso_backend_get_summary (OsiisoBackend *self)
{
  g_return_val_if_fail (OSIISO_IS_BACKEND (self), NULL);

  return g_type_get_qdata (G_OBJECT_TYPE (self), summary_quark ());
}

/**
 * osiiso_backend_list_names:
 *
 * Lists the names that [func@Osiiso.Backend.create] knows or finds a file for.
 *
 * No plugin is loaded for this, so a name in the list may belong to a plugin
 * that cannot be used. Folders that cannot be read are left out. Reads folders,
 * so it may block for as long as that takes. May be called from any thread.
 *
 * Returns: (transfer full) (array zero-terminated=1): the names, sorted, each
 *   of them once
 *
 * Since: 1.0
 */
char **
osiiso_backend_list_names (void)
{
  g_autoptr (GPtrArray) folders = dup_search_path ();

  return list_names_in (folders);
}

/**
 * osiiso_backend_add_directory:
 * @path: (type filename): the absolute path of a folder
 *
 * Adds a folder to those that plugins are searched in, before all others.
 *
 * A folder that was added before is moved to the front. It need not exist yet.
 * Backends that are registered or loaded already stay what they are.
 *
 * Whoever can write to the folder can run code in this process; the
 * path is used in set-user-ID programs too. May be called from any thread.
 *
 * Since: 1.0
 */
void
osiiso_backend_add_directory (const char *path)
{
  guint index;

  g_return_if_fail (path != NULL);
  g_return_if_fail (g_path_is_absolute (path));

  pthread_mutex_lock (&loader_lock);
  if (added_directories == NULL)
    added_directories = g_ptr_array_new_with_free_func (g_free);
  if (g_ptr_array_find_with_equal_func (added_directories, path, g_str_equal, &index))
    g_ptr_array_remove_index (added_directories, index);
  g_ptr_array_add (added_directories, g_strdup (path));
  pthread_mutex_unlock (&loader_lock);
}

/**
 * osiiso_backend_register:
 * @name: the name to register, a match of `[a-z][a-z0-9-]*`
 * @type: a type that derives from [class@Osiiso.Backend] and is not abstract
 * @error: return location for a #GError
 *
 * Gives a backend that is part of this process a name.
 *
 * This is for backends that are linked into the program, and for those that are
 * written in Python or Vala. From now on [func@Osiiso.Backend.create] makes
 * instances of @type for @name, even if there is a plugin file of that name. The
 * type must stay valid for the life of the process; there is no way to take a
 * registration back. To register the same type again does nothing. May be
 * called from any thread.
 *
 * Fails with
 *
 * - %OSIISO_QUEUE_ERROR_INVALID if @name or @type is not as described
 * - %OSIISO_QUEUE_ERROR_BUSY if the name belongs to another type, registered or
 *   loaded from a plugin
 *
 * Returns: %TRUE if @name now stands for @type, otherwise %FALSE with @error set
 *
 * Since: 1.0
 */
gboolean
osiiso_backend_register (const char *name,
                         GType       type,
                         GError    **error)
{
  g_autofree char *found = NULL;
  const char *expected;
  GType known;

  g_return_val_if_fail (name != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_name (name, error))
    return FALSE;

  found = describe_bad_type (type, &expected);
  if (found != NULL)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "the backend '%s' cannot be registered: found %s, expected %s",
                   name, found, expected);
      return FALSE;
    }

  known = enter_type (name, type);
  if (known != type)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY,
                   "the backend '%s' cannot be registered as %s: the name belongs to %s",
                   name, g_type_name (type), g_type_name (known));
      return FALSE;
    }

  return TRUE;
}
