/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dlfcn.h>
#include <grp.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <osiiso.h>

#include "test-valgrind.h"

#define N_THREADS 8
#define NOBODY    65534

/* Backends of this process. */

#define TEST_TYPE_BACKEND (test_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestBackend, test_backend, TEST, BACKEND, OsiisoBackend)

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

#define TEST_TYPE_OTHER_BACKEND (test_other_backend_get_type ())
G_DECLARE_FINAL_TYPE (TestOtherBackend, test_other_backend, TEST, OTHER_BACKEND, OsiisoBackend)

struct _TestOtherBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (TestOtherBackend, test_other_backend, OSIISO_TYPE_BACKEND)

static void
test_other_backend_class_init (TestOtherBackendClass *klass)
{
}

static void
test_other_backend_init (TestOtherBackend *self)
{
}

/* Helpers. */

static char *
dup_plugin_dir (void)
{
  return g_test_build_filename (G_TEST_BUILT, "plugins", NULL);
}

static char *
dup_second_dir (void)
{
  return g_test_build_filename (G_TEST_BUILT, "plugins", "second", NULL);
}

static char *
dup_plugin_file (const char *dir,
                 const char *name)
{
  g_autofree char *file = g_strdup_printf ("libosiiso-backend-%s.%s", name, OSIISO_MODULE_SUFFIX);

  return g_build_filename (dir, file, NULL);
}

static void
set_environment (const char *variable,
                 const char *value)
{
  if (value != NULL)
    g_setenv (variable, value, TRUE);
  else
    g_unsetenv (variable);
}

/* The folders of the loader, without those where backends may be installed. */
static void
use_path (const char *path)
{
  set_environment ("OSIISO_BACKEND_PATH", path);
  set_environment ("OSIISO_BACKEND_DIR", "");
}

static char *
make_temporary_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("osiiso-loader-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

static void
copy_file (const char *from,
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

static void
assert_message_has (const GError *error,
                    const char   *part)
{
  if (strstr (error->message, part) == NULL)
    g_test_message ("'%s' is not in: %s", part, error->message);
  g_assert_nonnull (strstr (error->message, part));
}

static void
assert_message_lacks (const GError *error,
                      const char   *part)
{
  if (strstr (error->message, part) != NULL)
    g_test_message ("'%s' is in: %s", part, error->message);
  g_assert_null (strstr (error->message, part));
}

static void assert_create_fails (const char *name,
                                 int         code,
                                 ...) G_GNUC_NULL_TERMINATED;

/* Each part has to be in the message. */
static void
assert_create_fails (const char *name,
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
  assert_message_lacks (error, "(null)");

  va_start (args, code);
  while ((part = va_arg (args, const char *)) != NULL)
    assert_message_has (error, part);
  va_end (args);
}

static void
assert_create_gives (const char *name,
                     const char *type_name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (name, &error);

  g_assert_no_error (error);
  g_assert_nonnull (backend);
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (backend), ==, type_name);
}

static void
assert_names (const char *expected)
{
  g_auto (GStrv) names = osiiso_backend_list_names ();
  g_autofree char *list = g_strjoinv (" ", names);

  g_assert_cmpstr (list, ==, expected);
}

static gboolean
is_loaded (const char *path)
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

/* How many objects this process has ever loaded. */
static unsigned long long
count_loads (void)
{
  unsigned long long loads = 0;

  dl_iterate_phdr (store_loads, &loads);
  return loads;
}

/* What a process has loaded and registered stays, so each case has a process
 * of its own. */
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

static void
add_case (const char *path,
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
  g_autofree char *dir = dup_plugin_dir ();

  g_test_summary ("A name that could lead out of the folders is refused before a path is built");
  use_path (dir);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *quoted = g_strescape (names[i], NULL);
      g_autoptr (GError) error = NULL;

      assert_create_fails (names[i], OSIISO_QUEUE_ERROR_INVALID,
                           quoted, "[a-z][a-z0-9-]*", NULL);

      g_assert_false (osiiso_backend_register (names[i], TEST_TYPE_BACKEND, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      assert_message_has (error, "[a-z][a-z0-9-]*");
    }
}

static void
test_not_found (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *second = dup_second_dir ();
  g_autofree char *file = dup_plugin_file (dir, "good");
  g_autofree char *path = g_strjoin (":", dir, "/nonexistent/folder", file, NULL);
  g_autofree char *searched = NULL;

  g_test_summary ("The message names the backend, the folders in their order, and what there is");
  use_path (path);
  set_environment ("OSIISO_BACKEND_DIR", second);
  osiiso_backend_add_directory ("/nonexistent/added");

  searched = g_strdup_printf ("searched: /nonexistent/added (does not exist), %s, "
                              "/nonexistent/folder (does not exist), %s (not a folder), %s;",
                              dir, file, second);
  assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                       "'absent'", searched,
                       "available: abstract-type, good, new-minor, ", ", wrong-type",
                       NULL);

  use_path ("relative/folder:/nonexistent/folder:");
  assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                       "; left out: 'relative/folder' of OSIISO_BACKEND_PATH, which is not an absolute path", NULL);

  use_path (NULL);
  set_environment ("OSIISO_BACKEND_DIR", "/nonexistent/folder");
  assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND,
                       "searched: /nonexistent/added (does not exist), /nonexistent/folder (does not exist); "
                       "available: none",
                       NULL);
}

static void
test_long_name (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *name = g_strnfill (5000, 'a');
  g_autofree char *searched = g_strdup_printf ("searched: %s;", dir);

  g_test_summary ("No file can have such a name; this is not an unreadable folder");
  use_path (dir);

  assert_create_fails (name, OSIISO_QUEUE_ERROR_NOT_FOUND, searched, NULL);
}

static void
test_default_dir (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = NULL;

  g_test_summary ("OSIISO_BACKEND_DIR replaces the folder that was compiled in");
  set_environment ("OSIISO_BACKEND_PATH", NULL);
  set_environment ("OSIISO_BACKEND_DIR", NULL);

  assert_create_fails ("surely-absent", OSIISO_QUEUE_ERROR_NOT_FOUND, OSIISO_DEFAULT_BACKEND_DIR, NULL);

  set_environment ("OSIISO_BACKEND_DIR", dir);
  backend = osiiso_backend_create ("surely-absent", &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  assert_message_has (error, dir);
  assert_message_lacks (error, OSIISO_DEFAULT_BACKEND_DIR);
  assert_create_gives ("good", "FixtureGoodBackend");
}

/* One plugin that cannot be used, and whether it stays loaded. */
static void
assert_unusable (const char *name,
                 gboolean    stays,
                 const char *found,
                 const char *expected)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *file = dup_plugin_file (dir, name);
  g_autofree char *found_part = g_strconcat ("found ", found, NULL);
  g_autofree char *expected_part = g_strconcat ("expected ", expected, NULL);

  use_path (dir);

  /* Twice: a failure leaves nothing behind that changes the next call. */
  for (guint i = 0; i < 2; i++)
    {
      assert_create_fails (name, OSIISO_QUEUE_ERROR_FAILED, file, found_part, expected_part, NULL);
      g_assert_cmpint (is_loaded (file), ==, stays);
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
  assert_create_fails ("unresolved", OSIISO_QUEUE_ERROR_FAILED,
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
  g_autofree char *dir = make_temporary_dir ();
  g_autofree char *folder = dup_plugin_file (dir, "folder");
  g_autofree char *dangling = dup_plugin_file (dir, "dangling");
  g_autofree char *loop = dup_plugin_file (dir, "loop");

  g_test_summary ("What has the name of a plugin and is not a file is not passed over");
  use_path (dir);
  g_assert_no_errno (g_mkdir (folder, 0700));
  g_assert_no_errno (symlink ("/nonexistent/file", dangling));
  g_assert_no_errno (symlink (loop, loop));

  assert_create_fails ("folder", OSIISO_QUEUE_ERROR_FAILED,
                       folder, "found a folder", "expected a shared library", NULL);
  assert_create_fails ("dangling", OSIISO_QUEUE_ERROR_FAILED,
                       dangling, "found a link that cannot be followed (", "expected a shared library", NULL);
  assert_create_fails ("loop", OSIISO_QUEUE_ERROR_FAILED,
                       loop, "found a link that cannot be followed (", "expected a shared library", NULL);

  g_assert_no_errno (g_rmdir (folder));
  g_assert_no_errno (g_unlink (dangling));
  g_assert_no_errno (g_unlink (loop));
  g_assert_no_errno (g_rmdir (dir));
}

static void
test_list (void)
{
  static const char * const others[] = {
    "libosiiso-backend-Upper.so", "libosiiso-backend-.so", "libosiiso-backend-a_b.so",
    "libosiiso-backend-good.so.1", "osiiso-backend-none.so", "libosiiso-backend-.hidden.so",
    "libosiiso-backend.so", "README",
  };
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *second = dup_second_dir ();
  g_autofree char *temporary = make_temporary_dir ();
  g_autofree char *path = g_strjoin (":", second, temporary, dir, "/nonexistent/folder", second, NULL);
  g_autofree char *maps = NULL;
  g_autoptr (GError) error = NULL;
  unsigned long long loads;

  g_test_summary ("Names come from the names of files, sorted and each once, and nothing is loaded");
  use_path (path);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *file = g_build_filename (temporary, others[i], NULL);

      g_file_set_contents (file, "", 0, &error);
      g_assert_no_error (error);
    }

  g_assert_true (osiiso_backend_register ("in-process", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  g_assert_true (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);

  loads = count_loads ();
  assert_names ("abstract-type good in-process new-minor no-descriptor no-type-function null-descriptor "
                "old-abi recursive text unresolved wrong-name wrong-type");
  g_assert_cmpuint (count_loads (), ==, loads);

  g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL);
  if (maps != NULL)
    g_assert_null (strstr (maps, "libosiiso-backend-"));

  /* The same look does see it when something is loaded. */
  assert_create_gives ("recursive", "FixtureRecursiveBackend");
  g_assert_cmpuint (count_loads (), >, loads);

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *file = g_build_filename (temporary, others[i], NULL);

      g_assert_no_errno (g_unlink (file));
    }
  g_assert_no_errno (g_rmdir (temporary));
}

static void
test_list_empty (void)
{
  use_path (NULL);
  assert_names ("");
}

static void
test_order_path (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *second = dup_second_dir ();
  g_autofree char *path = g_strjoin (":", second, dir, NULL);

  g_test_summary ("The first folder of the path wins, and the path goes before the folder of the library");
  set_environment ("OSIISO_BACKEND_PATH", path);
  set_environment ("OSIISO_BACKEND_DIR", dir);

  assert_create_gives ("good", "FixtureSecondBackend");

  /* A loaded backend stays what it is. */
  use_path (dir);
  osiiso_backend_add_directory (dir);
  assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_added (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *second = dup_second_dir ();

  g_test_summary ("Folders added by the program go first, the latest of them before the others");
  use_path (dir);
  osiiso_backend_add_directory (second);
  osiiso_backend_add_directory ("/nonexistent/folder");

  assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_added_again (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *second = dup_second_dir ();
  g_autofree char *searched = g_strdup_printf ("searched: %s, %s;", second, dir);

  g_test_summary ("A folder that is added again moves to the front");
  use_path (second);
  osiiso_backend_add_directory (second);
  osiiso_backend_add_directory (dir);
  osiiso_backend_add_directory (second);

  assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND, searched, NULL);
  assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_broken (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *temporary = make_temporary_dir ();
  g_autofree char *broken = dup_plugin_file (temporary, "good");
  g_autoptr (GError) error = NULL;

  g_test_summary ("A broken file in front is an error, not a reason to go on; once it is gone it is forgotten");
  use_path (dir);
  osiiso_backend_add_directory (temporary);
  g_file_set_contents (broken, "broken", -1, &error);
  g_assert_no_error (error);

  assert_create_fails ("good", OSIISO_QUEUE_ERROR_FAILED, broken, NULL);

  g_assert_no_errno (g_unlink (broken));
  assert_create_gives ("good", "FixtureGoodBackend");
  g_assert_no_errno (g_rmdir (temporary));
}

static void
test_relative (void)
{
  g_autofree char *dir = dup_plugin_dir ();

  g_test_summary ("Entries that are empty or relative do not stand for the current folder");
  g_assert_no_errno (g_chdir (dir));
  set_environment ("OSIISO_BACKEND_PATH", ":.::./:second:../plugins:/nonexistent/folder:");
  set_environment ("OSIISO_BACKEND_DIR", ".");

  assert_names ("");
  assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND,
                       "searched: /nonexistent/folder (does not exist); available: none", NULL);

  set_environment ("OSIISO_BACKEND_PATH", "");
  assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND, "searched: no folder; available: none", NULL);

  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*g_path_is_absolute*");
  osiiso_backend_add_directory ("second");
  g_test_assert_expected_messages ();
  assert_names ("");
}

static void
test_appears_later (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *temporary = make_temporary_dir ();
  g_autofree char *from = dup_plugin_file (dir, "good");
  g_autofree char *to = dup_plugin_file (temporary, "good");

  g_test_summary ("Failures are not remembered");
  use_path (temporary);
  assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND, temporary, NULL);
  assert_names ("");

  copy_file (from, to, 0755);
  assert_names ("good");
  assert_create_gives ("good", "FixtureGoodBackend");

  /* Nor is a success forgotten. */
  g_assert_no_errno (g_unlink (to));
  assert_names ("good");
  assert_create_gives ("good", "FixtureGoodBackend");
  g_assert_no_errno (g_rmdir (temporary));
}

static void
test_resident (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autofree char *file = dup_plugin_file (dir, "good");
  GModule *module;

  g_test_summary ("A plugin whose type is registered stays, even if somebody closes it once too often");
  use_path (dir);
  assert_create_gives ("good", "FixtureGoodBackend");

  module = g_module_open (file, G_MODULE_BIND_LAZY);
  g_assert_nonnull (module);
  g_assert_true (g_module_close (module));
  g_assert_true (g_module_close (module));
  g_assert_true (is_loaded (file));
  assert_create_gives ("good", "FixtureGoodBackend");
}

/* Whether a process without any rights can get there: builds and temporary
 * files may be in somebody's private folder. */
static gboolean
others_can_reach (const char *path)
{
  g_autofree char *current = g_canonicalize_filename (path, NULL);

  while (TRUE)
    {
      g_autofree char *parent = g_path_get_dirname (current);
      GStatBuf status;

      if (g_stat (current, &status) != 0 || (status.st_mode & S_IXOTH) == 0)
        return FALSE;
      if (g_str_equal (parent, current))
        return TRUE;

      g_free (current);
      current = g_steal_pointer (&parent);
    }
}

/* Nothing is closed to the superuser. */
static void
drop_privileges (void)
{
  if (geteuid () != 0)
    return;

  g_assert_no_errno (setgroups (0, NULL));
  g_assert_no_errno (setresgid (NOBODY, NOBODY, NOBODY));
  g_assert_no_errno (setresuid (NOBODY, NOBODY, NOBODY));

  /* A leak checker has to be able to look at the process. */
  g_assert_no_errno (prctl (PR_SET_DUMPABLE, 1));
}

static void
test_unreadable_child (void)
{
  const char *base = g_getenv ("TEST_UNREADABLE_DIR");
  g_autofree char *closed = g_build_filename (base, "closed", NULL);
  g_autofree char *open = g_build_filename (base, "open", NULL);
  g_autofree char *file = dup_plugin_file (open, "good");
  g_autofree char *path = g_strjoin (":", closed, open, NULL);
  g_autofree char *searched = g_strdup_printf ("searched: %s (unreadable: %s), %s;",
                                               closed, g_strerror (EACCES), open);

  drop_privileges ();
  use_path (path);

  assert_names ("good");
  assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND, searched, "available: good", NULL);

  /* It is treated as not having the file, so the next folder has its turn. */
  assert_create_fails ("good", OSIISO_QUEUE_ERROR_FAILED, file, NULL);
}

static void
test_unreadable (void)
{
  g_autofree char *base = NULL;
  g_autofree char *closed = NULL;
  g_autofree char *open = NULL;
  g_autofree char *closed_file = NULL;
  g_autofree char *open_file = NULL;
  g_autoptr (GError) error = NULL;

  if (g_test_subprocess ())
    {
      test_unreadable_child ();
      return;
    }

  g_test_summary ("A folder that cannot be read is not an error, and is mentioned");
  base = make_temporary_dir ();
  closed = g_build_filename (base, "closed", NULL);
  open = g_build_filename (base, "open", NULL);
  closed_file = dup_plugin_file (closed, "good");
  open_file = dup_plugin_file (open, "good");

  g_assert_no_errno (g_mkdir (closed, 0755));
  g_assert_no_errno (g_mkdir (open, 0755));
  g_file_set_contents (closed_file, "closed", -1, &error);
  g_assert_no_error (error);
  g_file_set_contents (open_file, "open", -1, &error);
  g_assert_no_error (error);
  g_assert_no_errno (g_chmod (base, 0755));
  g_assert_no_errno (g_chmod (closed, 0));

  if (geteuid () != 0 || others_can_reach (base))
    {
      g_setenv ("TEST_UNREADABLE_DIR", base, TRUE);
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
    }
  else
    {
      g_test_skip ("The temporary folder is private to the superuser");
    }

  g_assert_no_errno (g_chmod (closed, 0700));
  g_assert_no_errno (g_unlink (closed_file));
  g_assert_no_errno (g_unlink (open_file));
  g_assert_no_errno (g_rmdir (closed));
  g_assert_no_errno (g_rmdir (open));
  g_assert_no_errno (g_rmdir (base));
}

static char *
run_probe (const char *probe,
           const char *plugins)
{
  g_auto (GStrv) environment = g_get_environ ();
  const char *argv[] = { probe, NULL };
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  environment = g_environ_setenv (environment, "OSIISO_BACKEND_PATH", plugins, TRUE);
  environment = g_environ_setenv (environment, "OSIISO_BACKEND_DIR", plugins, TRUE);
  environment = g_environ_setenv (environment, "OSIISO_BACKEND", "good", TRUE);
  g_assert_nonnull (g_environ_getenv (environment, "OSIISO_MODULE_PATH"));

  g_spawn_sync (NULL, (char **) argv, environment, G_SPAWN_DEFAULT, NULL, NULL,
                &output, &errors, &status, &error);
  g_assert_no_error (error);
  g_test_message ("%s%s", output, errors);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);

  return g_steal_pointer (&output);
}

/* @uid and @gid own the copy; @mode has the bit that gives their rights. */
static void
check_secure (uid_t uid,
              gid_t gid,
              int   mode)
{
  g_autofree char *plugins = dup_plugin_dir ();
  g_autofree char *probe = g_test_build_filename (G_TEST_BUILT, "plugins", "secure-probe", NULL);
  g_autofree char *dir = NULL;
  g_autofree char *copy = NULL;
  g_autofree char *output = NULL;
  g_autofree char *library_dir = g_test_build_filename (G_TEST_BUILT, "..", "libosiiso-core", NULL);
  const char *skip = NULL;
  struct statvfs fs;

  if (geteuid () != 0)
    {
      g_test_skip ("Only the superuser can give a program away");
      return;
    }

  dir = make_temporary_dir ();
  copy = g_build_filename (dir, "secure-probe", NULL);
  g_assert_no_errno (g_chmod (dir, 0755));
  copy_file (probe, copy, 0755);

  /* As an ordinary program the probe listens to the environment. */
  output = run_probe (copy, plugins);
  g_assert_nonnull (strstr (output, "secure: 0\n"));
  g_assert_nonnull (strstr (output, " good "));
  g_assert_nonnull (strstr (output, "good: FixtureGoodBackend\n"));
  g_assert_nonnull (strstr (output, "default: FixtureGoodBackend\n"));
  g_assert_nonnull (strstr (output, "test-calls:test_none: done\n"));
  g_clear_pointer (&output, g_free);

  g_assert_no_errno (chown (copy, uid, gid));
  g_assert_no_errno (g_chmod (copy, mode));
  g_assert_no_errno (statvfs (dir, &fs));
  if ((fs.f_flag & ST_NOSUID) != 0)
    skip = "The temporary folder is on a file system without set-user-ID";
  else if (prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    skip = "This process may not gain rights";
  else if (uid != 0 && !others_can_reach (library_dir))
    skip = "The build folder is private to the superuser";

  if (skip == NULL)
    {
      g_autofree char *no_folder = g_strdup_printf ("searched: %s", plugins);

      output = run_probe (copy, plugins);
      g_assert_nonnull (strstr (output, "secure: 1\n"));
      g_assert_null (strstr (output, "no-descriptor"));
      g_assert_null (strstr (output, no_folder));
      g_assert_null (strstr (output, plugins));
      g_assert_null (strstr (output, "Fixture"));
      g_assert_nonnull (strstr (output, "good: there is no backend 'good'; searched: " OSIISO_DEFAULT_BACKEND_DIR));
      g_assert_nonnull (strstr (output, "test-calls:test_none: there is no module 'test-calls': tried "
                                        OSIISO_DEFAULT_MODULE_DIR "/test-calls.so, "));

      /* The default is what is compiled in, be it installed or not. */
      g_assert_null (strstr (output, "OSIISO_BACKEND:"));
    }
  else
    {
      g_test_skip (skip);
    }

  g_assert_no_errno (g_unlink (copy));
  g_assert_no_errno (g_rmdir (dir));
}

static void
test_secure_user (void)
{
  g_test_summary ("The environment counts for nothing in a set-user-ID program");
  check_secure (NOBODY, 0, 04755);
}

static void
test_secure_group (void)
{
  g_test_summary ("The environment counts for nothing in a set-group-ID program");
  check_secure (0, NOBODY, 02755);
}

static void
test_register (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = NULL;
  g_autoptr (OsiisoBackend) another = NULL;

  g_test_summary ("A type of this process can have a name, for good, and goes before files");
  use_path (dir);

  g_assert_true (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  assert_create_gives ("good", "TestBackend");

  /* Once more is fine, another type is not. */
  g_assert_true (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  g_assert_false (osiiso_backend_register ("good", TEST_TYPE_OTHER_BACKEND, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  assert_message_has (error, "'good'");
  assert_message_has (error, "TestOtherBackend");
  assert_message_has (error, "belongs to TestBackend");
  g_clear_error (&error);
  assert_create_gives ("good", "TestBackend");

  /* One type may have several names. */
  g_assert_true (osiiso_backend_register ("test-2", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);

  backend = osiiso_backend_create ("test-2", &error);
  g_assert_no_error (error);
  another = osiiso_backend_create ("test-2", &error);
  g_assert_no_error (error);
  g_assert_true (backend != another);

  g_assert_false (osiiso_backend_register ("test-2", TEST_TYPE_OTHER_BACKEND, NULL));
}

static void
test_register_loaded (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autoptr (GError) error = NULL;

  g_test_summary ("The name of a plugin is taken once it is loaded");
  use_path (dir);
  assert_create_gives ("good", "FixtureGoodBackend");

  g_assert_false (osiiso_backend_register ("good", TEST_TYPE_BACKEND, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_BUSY);
  assert_message_has (error, "belongs to FixtureGoodBackend");
  g_clear_error (&error);

  g_assert_true (osiiso_backend_register ("good", g_type_from_name ("FixtureGoodBackend"), &error));
  g_assert_no_error (error);
}

static void
test_register_bad_type (void)
{
  const struct
  {
    GType       type;
    const char *found;
    const char *expected;
  } cases[] = {
    { G_TYPE_INVALID, "found no type", "expected a type derived from OsiisoBackend" },
    { G_TYPE_STRING, "found the type gchararray", "expected a type derived from OsiisoBackend" },
    { G_TYPE_OBJECT, "found the type GObject", "expected a type derived from OsiisoBackend" },
    { G_TYPE_LIST_MODEL, "found the type GListModel", "expected a type derived from OsiisoBackend" },
    { OSIISO_TYPE_BACKEND, "found the abstract type OsiisoBackend", "that is not abstract" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (osiiso_backend_register ("bad-type", cases[i].type, &error));
      g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
      assert_message_has (error, "'bad-type'");
      assert_message_has (error, cases[i].found);
      assert_message_has (error, cases[i].expected);
    }

  use_path (NULL);
  assert_names ("");
}

static void
test_default (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autoptr (GError) error = NULL;

  g_test_summary ("Without a name the user chooses, and thread-pool is what one gets otherwise");
  use_path (dir);

  assert_create_fails (NULL, OSIISO_QUEUE_ERROR_NOT_FOUND, "there is no backend 'thread-pool'", NULL);
  g_assert_true (osiiso_backend_register ("thread-pool", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);
  assert_create_gives (NULL, "TestBackend");

  set_environment ("OSIISO_BACKEND", "");
  assert_create_gives (NULL, "TestBackend");

  set_environment ("OSIISO_BACKEND", "good");
  assert_create_gives (NULL, "FixtureGoodBackend");
  assert_create_gives ("thread-pool", "TestBackend");

  /* A mistake of the user is not passed over, and says where it was made. */
  set_environment ("OSIISO_BACKEND", "absent");
  assert_create_fails (NULL, OSIISO_QUEUE_ERROR_NOT_FOUND, "OSIISO_BACKEND: ", "'absent'", NULL);
  set_environment ("OSIISO_BACKEND", "../good");
  assert_create_fails (NULL, OSIISO_QUEUE_ERROR_INVALID, "OSIISO_BACKEND: ", "'../good'", NULL);
  set_environment ("OSIISO_BACKEND", "old-abi");
  assert_create_fails (NULL, OSIISO_QUEUE_ERROR_FAILED, "OSIISO_BACKEND: ", "found ABI", NULL);
}

static void
test_help (void)
{
  g_autofree char *dir = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_test_subprocess ())
    {
      g_test_summary ("OSIISO_BACKEND=help prints the names once and chooses nothing");
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stdout ("*Backends*OSIISO_BACKEND*default: thread-pool*\n  good\n*\n  thread-pool\n*");
      g_test_trap_assert_stdout_unmatched ("*\n  good\n*\n  good\n*");
      return;
    }

  dir = dup_plugin_dir ();
  use_path (dir);
  set_environment ("OSIISO_BACKEND", "help");
  g_assert_true (osiiso_backend_register ("thread-pool", TEST_TYPE_BACKEND, &error));
  g_assert_no_error (error);

  assert_create_gives (NULL, "TestBackend");
  assert_create_gives (NULL, "TestBackend");

  /* The word means nothing elsewhere. */
  assert_create_fails ("help", OSIISO_QUEUE_ERROR_NOT_FOUND, "'help'", NULL);
}

static void
test_recursive (void)
{
  g_autofree char *dir = dup_plugin_dir ();

  g_test_summary ("A plugin may use the loader while it is being loaded");
  use_path (dir);

  assert_create_gives ("recursive", "FixtureRecursiveBackend");
  assert_create_gives ("recursive-helper", "FixtureGoodBackend");
}

typedef struct
{
  pthread_barrier_t barrier;
  const char       *names[2];
  gint              n_started; /* (atomic) */
} Start;

static gpointer
create_in_thread (gpointer data)
{
  Start *start = data;
  /* Half of the threads go the other way round, so that they would meet in
   * both orders if loading one plugin kept others waiting. */
  int order = g_atomic_int_add (&start->n_started, 1) % 2;
  g_autoptr (OsiisoBackend) first = NULL;
  g_autoptr (OsiisoBackend) second = NULL;
  g_autoptr (OsiisoBackend) broken = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;

  pthread_barrier_wait (&start->barrier);

  first = osiiso_backend_create (start->names[order], &error);
  g_assert_no_error (error);
  names = osiiso_backend_list_names ();
  g_assert_true (g_strv_contains ((const char * const *) names, "good"));
  second = osiiso_backend_create (start->names[!order], &error);
  g_assert_no_error (error);
  broken = osiiso_backend_create ("old-abi", &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);

  return g_object_ref (order == 0 ? first : second);
}

/* The two may be one and the same. */
static void
create_in_threads (const char *one,
                   const char *other)
{
  Start start = { .names = { one, other } };
  GThread *threads[N_THREADS];
  GType type = G_TYPE_INVALID;

  g_assert_cmpint (pthread_barrier_init (&start.barrier, NULL, N_THREADS), ==, 0);
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("create", create_in_thread, &start);

  for (guint i = 0; i < N_THREADS; i++)
    {
      g_autoptr (OsiisoBackend) backend = g_thread_join (threads[i]);

      g_assert_nonnull (backend);
      if (type == G_TYPE_INVALID)
        type = G_OBJECT_TYPE (backend);
      g_assert_true (G_OBJECT_TYPE (backend) == type);
    }
  pthread_barrier_destroy (&start.barrier);
}

static void
test_threads (void)
{
  g_autofree char *dir = dup_plugin_dir ();

  g_test_summary ("Threads that want the same plugin at once get the same type");
  use_path (dir);
  create_in_threads ("good", "good");
  g_assert_cmpuint (g_type_from_name ("FixtureGoodBackend"), !=, G_TYPE_INVALID);
}

static void
test_threads_recursive (void)
{
  g_autofree char *dir = dup_plugin_dir ();

  g_test_summary ("Nor do threads wait for each other when a plugin uses the loader");
  use_path (dir);
  create_in_threads ("good", "recursive");
}

static void
answer (OsiisoAttempt *attempt,
        gpointer       user_data)
{
  osiiso_attempt_return_int (attempt, GPOINTER_TO_INT (user_data));
}

static void
test_queue (void)
{
  g_autofree char *dir = dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoQueue) queue = NULL;
  g_autoptr (OsiisoHandle) handle = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;
  const GValue *value;

  g_test_summary ("A queue runs on a backend that comes from a file");
  use_path (dir);

  queue = osiiso_queue_new ("good", &error);
  g_assert_no_error (error);
  g_assert_nonnull (queue);
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (osiiso_queue_get_backend (queue)), ==, "FixtureGoodBackend");

  handle = osiiso_queue_submit (queue, answer, GINT_TO_POINTER (42), NULL, NULL, &error);
  g_assert_no_error (error);
  summary = osiiso_queue_run (queue, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (summary);

  g_assert_cmpint (osiiso_handle_get_status (handle), ==, OSIISO_STATUS_SUCCEEDED);
  value = osiiso_handle_get_value (handle);
  g_assert_nonnull (value);
  g_assert_cmpint (g_value_get_int64 (value), ==, 42);

  g_assert_true (osiiso_queue_shutdown (queue, FALSE, NULL, &error));
  g_assert_no_error (error);

  g_assert_null (osiiso_queue_new ("old-abi", &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED);
}

int
main (int   argc,
      char *argv[])
{
  /* The messages that are compared are those of the C locale, and what the
   * caller has set for other tests does not count here. */
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_unsetenv ("OSIISO_BACKEND");
  use_path (NULL);

  g_test_init (&argc, &argv, NULL);

  add_case ("/backend-loader/invalid-name", test_invalid_name);
  add_case ("/backend-loader/not-found", test_not_found);
  add_case ("/backend-loader/long-name", test_long_name);
  add_case ("/backend-loader/default-dir", test_default_dir);

  add_case ("/backend-loader/unusable/not-a-library", test_not_a_library);
  add_case ("/backend-loader/unusable/unresolved", test_unresolved);
  add_case ("/backend-loader/unusable/no-descriptor", test_no_descriptor);
  add_case ("/backend-loader/unusable/null-descriptor", test_null_descriptor);
  add_case ("/backend-loader/unusable/old-abi", test_old_abi);
  add_case ("/backend-loader/unusable/new-minor", test_new_minor);
  add_case ("/backend-loader/unusable/wrong-name", test_wrong_name);
  add_case ("/backend-loader/unusable/no-type-function", test_no_type_function);
  add_case ("/backend-loader/unusable/wrong-type", test_wrong_type);
  add_case ("/backend-loader/unusable/abstract-type", test_abstract_type);
  add_case ("/backend-loader/unusable/not-a-file", test_not_a_file);

  add_case ("/backend-loader/list/names", test_list);
  add_case ("/backend-loader/list/empty", test_list_empty);

  add_case ("/backend-loader/order/path", test_order_path);
  add_case ("/backend-loader/order/added", test_order_added);
  add_case ("/backend-loader/order/added-again", test_order_added_again);
  add_case ("/backend-loader/order/broken", test_order_broken);
  add_case ("/backend-loader/relative", test_relative);
  add_case ("/backend-loader/appears-later", test_appears_later);
  add_case ("/backend-loader/resident", test_resident);
  g_test_add_func ("/backend-loader/unreadable", test_unreadable);

  /* valgrind runs no program that gets the rights of another user or group. */
  test_add_native ("/backend-loader/secure/user", test_secure_user);
  test_add_native ("/backend-loader/secure/group", test_secure_group);

  add_case ("/backend-loader/register/good", test_register);
  add_case ("/backend-loader/register/loaded", test_register_loaded);
  add_case ("/backend-loader/register/bad-type", test_register_bad_type);
  add_case ("/backend-loader/default", test_default);
  g_test_add_func ("/backend-loader/help", test_help);

  add_case ("/backend-loader/recursive", test_recursive);
  add_case ("/backend-loader/threads/same", test_threads);
  add_case ("/backend-loader/threads/recursive", test_threads_recursive);
  add_case ("/backend-loader/queue", test_queue);

  return g_test_run ();
}
