/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "test-backend-loader.h"

/* Which plugins are found, and which are refused. */

struct _TestBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestBackend, test_backend, OSIISO_TYPE_BACKEND)

static void
test_backend_class_init (TestBackendClass *klass)
{
}

static void
test_backend_init (TestBackend *self)
{
}

/* Helpers. */

char *
test_dup_plugin_dir (void)
{
  return g_test_build_filename (G_TEST_BUILT, "plugins", NULL);
}

char *
test_dup_second_dir (void)
{
  return g_test_build_filename (G_TEST_BUILT, "plugins", "second", NULL);
}

char *
test_dup_plugin_file (const char *dir,
                      const char *name)
{
  g_autofree char *file = g_strdup_printf ("libosiiso-backend-%s.%s", name, OSIISO_MODULE_SUFFIX);

  return g_build_filename (dir, file, NULL);
}

void
test_set_environment (const char *variable,
                      const char *value)
{
  if (value != NULL)
    g_setenv (variable, value, TRUE);
  else
    g_unsetenv (variable);
}

void
test_use_path (const char *path)
{
  test_set_environment ("OSIISO_BACKEND_PATH", path);
  test_set_environment ("OSIISO_BACKEND_DIR", "");
}

char *
test_make_temporary_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("osiiso-loader-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

void
test_copy_file (const char *from,
                const char *to,
                int         mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = NULL;
  gsize length;

  g_file_get_contents (from, &contents, &length, &error);
  g_assert_no_error (error);
  g_file_set_contents_full (to, contents, length, G_FILE_SET_CONTENTS_NONE, mode, &error);
  g_assert_no_error (error);
}

void
test_assert_message_has (const GError *error,
                         const char   *part)
{
  if (strstr (error->message, part) == NULL)
    g_test_message ("'%s' is not in: %s", part, error->message);
  g_assert_nonnull (strstr (error->message, part));
}

void
test_assert_message_lacks (const GError *error,
                           const char   *part)
{
  if (strstr (error->message, part) != NULL)
    g_test_message ("'%s' is in: %s", part, error->message);
  g_assert_null (strstr (error->message, part));
}

void
test_assert_create_fails (const char *name,
                          int         code,
                          ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (name, &error);
  const char *part;
  va_list args;

  g_assert_error (error, OSIISO_QUEUE_ERROR, code);
  g_assert_null (backend);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  test_assert_message_lacks (error, "(null)");

  va_start (args, code);
  while ((part = va_arg (args, const char *)) != NULL)
    test_assert_message_has (error, part);
  va_end (args);
}

void
test_assert_create_gives (const char *name,
                          const char *type_name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (name, &error);

  g_assert_no_error (error);
  g_assert_nonnull (backend);
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (backend), ==, type_name);
}

void
test_assert_names (const char *expected)
{
  g_auto (GStrv) names = osiiso_backend_list_names ();
  g_autofree char *list = g_strjoinv (" ", names);

  g_assert_cmpstr (list, ==, expected);
}

gboolean
test_is_loaded (const char *path)
{
  void *handle = dlopen (path, RTLD_LAZY | RTLD_NOLOAD);

  if (handle == NULL)
    return FALSE;

  dlclose (handle);
  return TRUE;
}

static int
store_loads (struct dl_phdr_info *info,
             size_t               size,
             void                *data)
{
  unsigned long long *loads = data;

  *loads = info->dlpi_adds;
  return 1;
}

unsigned long long
test_count_loads (void)
{
  unsigned long long loads = 0;

  dl_iterate_phdr (store_loads, &loads);
  return loads;
}

static void
run_in_child (gconstpointer data)
{
  void (*func) (void) = (void (*) (void)) data;

  if (g_test_subprocess ())
    {
      func ();
      return;
    }

  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

void
test_add_case (const char *path,
               void      (*func) (void))
{
  g_test_add_data_func (path, (gconstpointer) func, run_in_child);
}

/* Cases. */

static void
test_invalid_name (void)
{
  static const char * const names[] = {
    "", "Good", "gooD", "1good", "-good", "go_od", "go.od", "go od", "good\n",
    "../good", "plugins/good", "/good", "g\xc3\xb6od", "\xff", "*",
  };
  g_autofree char *dir = test_dup_plugin_dir ();

  g_test_summary ("A name that could lead out of the folders is refused before a path is built");
  test_use_path (dir);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *quoted = g_strescape (names[i], NULL);
      g_autoptr (GError) error = NULL;

      test_assert_create_fails (names[i], OSIISO_QUEUE_ERROR_INVALID,
                                quoted, "[a-z][a-z0-9-]*", NULL);

      g_assert_false (osiiso_backend_register (names[i], TEST_TYPE_BACKEND, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      test_assert_message_has (error, "[a-z][a-z0-9-]*");
    }
}

static void
test_not_found (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *second = test_dup_second_dir ();
  g_autofree char *file = test_dup_plugin_file (dir, "good");
  g_autofree char *path = g_strjoin (":", dir, "/nonexistent/folder", file, NULL);
  g_autofree char *searched = NULL;

  g_test_summary ("The message names the backend, the folders in their order, and what there is");
  test_use_path (path);
  test_set_environment ("OSIISO_BACKEND_DIR", second);
  osiiso_backend_add_directory ("/nonexistent/added");

  searched = g_strdup_printf ("searched: /nonexistent/added (does not exist), %s, "
                              "/nonexistent/folder (does not exist), %s (not a folder), %s;",
                              dir, file, second);
  test_assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                            "'absent'", searched,
                            "available: abstract-type, good, new-minor, ", ", wrong-type",
                            NULL);

  test_use_path ("relative/folder:/nonexistent/folder:");
  test_assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                            "; left out: 'relative/folder' of OSIISO_BACKEND_PATH, which is not an absolute path", NULL);

  test_use_path (NULL);
  test_set_environment ("OSIISO_BACKEND_DIR", "/nonexistent/folder");
  test_assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                            "searched: /nonexistent/added (does not exist), /nonexistent/folder (does not exist); "
                            "available: none",
                            NULL);
}

static void
test_long_name (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *name = g_strnfill (5000, 'a');
  g_autofree char *searched = g_strdup_printf ("searched: %s;", dir);

  g_test_summary ("No file can have such a name; this is not an unreadable folder");
  test_use_path (dir);

  test_assert_create_fails (name, OSIISO_QUEUE_ERROR_NOT_FOUND, searched, NULL);
}

/* One plugin that cannot be used, and whether it stays loaded. */
static void
assert_unusable (const char *name,
                 gboolean    stays,
                 const char *found,
                 const char *expected)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *file = test_dup_plugin_file (dir, name);
  g_autofree char *found_part = g_strconcat ("found ", found, NULL);
  g_autofree char *expected_part = g_strconcat ("expected ", expected, NULL);

  test_use_path (dir);

  /* Twice: a failure leaves nothing behind that changes the next call. */
  for (guint i = 0; i < 2; i++)
    {
      test_assert_create_fails (name, OSIISO_QUEUE_ERROR_FAILED, file, found_part, expected_part, NULL);
      g_assert_cmpint (test_is_loaded (file), ==, stays);
    }
}

static void
test_not_a_library (void)
{
  assert_unusable ("text", FALSE,
                   "a file that cannot be loaded (", "a shared library");
}

static void
test_unresolved (void)
{
  g_test_summary ("A missing function is an error when the plugin is loaded, not when it is called");
  assert_unusable ("unresolved", FALSE,
                   "a file that cannot be loaded (", "a shared library whose symbols can all be resolved");
  test_assert_create_fails ("unresolved", OSIISO_QUEUE_ERROR_FAILED,
                            "fixture_function_that_exists_nowhere", NULL);
}

static void
test_no_descriptor (void)
{
  assert_unusable ("no-descriptor", FALSE, "no descriptor",
                   "the exported function osiiso_backend_no_descriptor_get_descriptor()");
}

static void
test_null_descriptor (void)
{
  assert_unusable ("null-descriptor", FALSE, "NULL",
                   "a descriptor from osiiso_backend_null_descriptor_get_descriptor()");
}

static void
test_no_type_function (void)
{
  assert_unusable ("no-type-function", FALSE, "no function for the type",
                   "a type derived from OsiisoBackend");
}

static void
test_old_abi (void)
{
  g_autofree char *found = g_strdup_printf ("ABI %u,", (guint) OSIISO_BACKEND_ABI_MAJOR - 1);
  g_autofree char *expected = g_strdup_printf ("ABI %u", (guint) OSIISO_BACKEND_ABI_MAJOR);

  assert_unusable ("old-abi", FALSE, found, expected);
}

static void
test_new_minor (void)
{
  g_autofree char *found = g_strdup_printf ("ABI %u.%u,", (guint) OSIISO_BACKEND_ABI_MAJOR,
                                            (guint) OSIISO_BACKEND_ABI_MINOR + 1);
  g_autofree char *expected = g_strdup_printf ("ABI %u.%u", (guint) OSIISO_BACKEND_ABI_MAJOR,
                                               (guint) OSIISO_BACKEND_ABI_MINOR);

  assert_unusable ("new-minor", FALSE, found, expected);
}

static void
test_wrong_name (void)
{
  assert_unusable ("wrong-name", FALSE, "the name 'another-name'", "the name 'wrong-name'");
}

static void
test_wrong_type (void)
{
  g_test_summary ("The type may be registered by now, so its code stays");
  assert_unusable ("wrong-type", TRUE, "the type GObject", "a type derived from OsiisoBackend");
}

static void
test_abstract_type (void)
{
  assert_unusable ("abstract-type", TRUE, "the abstract type OsiisoBackend",
                   "a type derived from OsiisoBackend that is not abstract");
}

static void
test_not_a_file (void)
{
  g_autofree char *dir = test_make_temporary_dir ();
  g_autofree char *folder = test_dup_plugin_file (dir, "folder");
  g_autofree char *dangling = test_dup_plugin_file (dir, "dangling");
  g_autofree char *loop = test_dup_plugin_file (dir, "loop");

  g_test_summary ("What has the name of a plugin and is not a file is not passed over");
  test_use_path (dir);
  g_assert_no_errno (g_mkdir (folder, 0700));
  g_assert_no_errno (symlink ("/nonexistent/file", dangling));
  g_assert_no_errno (symlink (loop, loop));

  test_assert_create_fails ("folder", OSIISO_QUEUE_ERROR_FAILED,
                            folder, "found a folder", "expected a shared library", NULL);
  test_assert_create_fails ("dangling", OSIISO_QUEUE_ERROR_FAILED,
                            dangling, "found a link that cannot be followed (", "expected a shared library", NULL);
  test_assert_create_fails ("loop", OSIISO_QUEUE_ERROR_FAILED,
                            loop, "found a link that cannot be followed (", "expected a shared library", NULL);

  g_assert_no_errno (g_rmdir (folder));
  g_assert_no_errno (g_unlink (dangling));
  g_assert_no_errno (g_unlink (loop));
  g_assert_no_errno (g_rmdir (dir));
}

int
main (int   argc,
      char *argv[])
{
  /* The messages that are compared are those of the C locale, and what the
   * caller has set for other tests does not count here. */
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_unsetenv ("OSIISO_BACKEND");
  test_use_path (NULL);

  g_test_init (&argc, &argv, NULL);

  test_add_case ("/backend-loader/invalid-name", test_invalid_name);
  test_add_case ("/backend-loader/not-found", test_not_found);
  test_add_case ("/backend-loader/long-name", test_long_name);

  test_add_case ("/backend-loader/unusable/not-a-library", test_not_a_library);
  test_add_case ("/backend-loader/unusable/unresolved", test_unresolved);
  test_add_case ("/backend-loader/unusable/no-descriptor", test_no_descriptor);
  test_add_case ("/backend-loader/unusable/null-descriptor", test_null_descriptor);
  test_add_case ("/backend-loader/unusable/old-abi", test_old_abi);
  test_add_case ("/backend-loader/unusable/new-minor", test_new_minor);
  test_add_case ("/backend-loader/unusable/wrong-name", test_wrong_name);
  test_add_case ("/backend-loader/unusable/no-type-function", test_no_type_function);
  test_add_case ("/backend-loader/unusable/wrong-type", test_wrong_type);
  test_add_case ("/backend-loader/unusable/abstract-type", test_abstract_type);
  test_add_case ("/backend-loader/unusable/not-a-file", test_not_a_file);
  test_add_backend_loader_search ();
  test_add_backend_loader_secure ();
  test_add_backend_loader_register ();

  return g_test_run ();
}
