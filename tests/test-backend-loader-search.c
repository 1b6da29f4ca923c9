/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <glib/gstdio.h>

#include "test-backend-loader.h"

/* Where plugins are looked for, in which order, and what is listed. */

static void
test_default_dir (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = NULL;

  g_test_summary ("OSIISO_BACKEND_DIR replaces the folder that was compiled in");
  test_set_environment ("OSIISO_BACKEND_PATH", NULL);
  test_set_environment ("OSIISO_BACKEND_DIR", NULL);

  test_assert_create_fails ("surely-absent", OSIISO_QUEUE_ERROR_NOT_FOUND, OSIISO_DEFAULT_BACKEND_DIR, NULL);

  test_set_environment ("OSIISO_BACKEND_DIR", dir);
  backend = osiiso_backend_create ("surely-absent", &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  test_assert_message_has (error, dir);
  test_assert_message_lacks (error, OSIISO_DEFAULT_BACKEND_DIR);
  test_assert_create_gives ("good", "FixtureGoodBackend");
}

static void
test_list (void)
{
  static const char * const others[] = {
    "libosiiso-backend-Upper.so", "libosiiso-backend-.so", "libosiiso-backend-a_b.so",
    "libosiiso-backend-good.so.1", "osiiso-backend-none.so", "libosiiso-backend-.hidden.so",
    "libosiiso-backend.so", "README",
  };
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *second = test_dup_second_dir ();
  g_autofree char *temporary = test_make_temporary_dir ();
  g_autofree char *path = g_strjoin (":", second, temporary, dir, "/nonexistent/folder", second, NULL);
  g_autofree char *maps = NULL;
  g_autoptr (GError) error = NULL;
  unsigned long long loads;

  g_test_summary ("Names come from the names of files, sorted and each once, and nothing is loaded");
  test_use_path (path);
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

  loads = test_count_loads ();
  test_assert_names ("abstract-type good in-process new-minor no-descriptor no-type-function null-descriptor "
                     "old-abi recursive text unresolved wrong-name wrong-type");
  g_assert_cmpuint (test_count_loads (), ==, loads);

  g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL);
  if (maps != NULL)
    g_assert_null (strstr (maps, "libosiiso-backend-"));

  /* The same look does see it when something is loaded. */
  test_assert_create_gives ("recursive", "FixtureRecursiveBackend");
  g_assert_cmpuint (test_count_loads (), >, loads);

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
  test_use_path (NULL);
  test_assert_names ("");
}

static void
test_order_path (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *second = test_dup_second_dir ();
  g_autofree char *path = g_strjoin (":", second, dir, NULL);

  g_test_summary ("The first folder of the path wins, and the path goes before the folder of the library");
  test_set_environment ("OSIISO_BACKEND_PATH", path);
  test_set_environment ("OSIISO_BACKEND_DIR", dir);

  test_assert_create_gives ("good", "FixtureSecondBackend");

  /* A loaded backend stays what it is. */
  test_use_path (dir);
  osiiso_backend_add_directory (dir);
  test_assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_added (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *second = test_dup_second_dir ();

  g_test_summary ("Folders added by the program go first, the latest of them before the others");
  test_use_path (dir);
  osiiso_backend_add_directory (second);
  osiiso_backend_add_directory ("/nonexistent/folder");

  test_assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_added_again (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *second = test_dup_second_dir ();
  g_autofree char *searched = g_strdup_printf ("searched: %s, %s;", second, dir);

  g_test_summary ("A folder that is added again moves to the front");
  test_use_path (second);
  osiiso_backend_add_directory (second);
  osiiso_backend_add_directory (dir);
  osiiso_backend_add_directory (second);

  test_assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND, searched, NULL);
  test_assert_create_gives ("good", "FixtureSecondBackend");
}

static void
test_order_broken (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *temporary = test_make_temporary_dir ();
  g_autofree char *broken = test_dup_plugin_file (temporary, "good");
  g_autoptr (GError) error = NULL;

  g_test_summary ("A broken file in front is an error, not a reason to go on; once it is gone it is forgotten");
  test_use_path (dir);
  osiiso_backend_add_directory (temporary);
  g_file_set_contents (broken, "broken", -1, &error);
  g_assert_no_error (error);

  test_assert_create_fails ("good", OSIISO_QUEUE_ERROR_FAILED, broken, NULL);

  g_assert_no_errno (g_unlink (broken));
  test_assert_create_gives ("good", "FixtureGoodBackend");
  g_assert_no_errno (g_rmdir (temporary));
}

static void
test_relative (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();

  g_test_summary ("Entries that are empty or relative do not stand for the current folder");
  g_assert_no_errno (g_chdir (dir));
  test_set_environment ("OSIISO_BACKEND_PATH", ":.::./:second:../plugins:/nonexistent/folder:");
  test_set_environment ("OSIISO_BACKEND_DIR", ".");

  test_assert_names ("");
  test_assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND,
                            "searched: /nonexistent/folder (does not exist); available: none", NULL);

  test_set_environment ("OSIISO_BACKEND_PATH", "");
  test_assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND, "searched: no folder; available: none", NULL);

  g_test_expect_message ("Osiiso", G_LOG_LEVEL_CRITICAL, "*g_path_is_absolute*");
  osiiso_backend_add_directory ("second");
  g_test_assert_expected_messages ();
  test_assert_names ("");
}

static void
test_appears_later (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *temporary = test_make_temporary_dir ();
  g_autofree char *from = test_dup_plugin_file (dir, "good");
  g_autofree char *to = test_dup_plugin_file (temporary, "good");

  g_test_summary ("Failures are not remembered");
  test_use_path (temporary);
  test_assert_create_fails ("good", OSIISO_QUEUE_ERROR_NOT_FOUND, temporary, NULL);
  test_assert_names ("");

  test_copy_file (from, to, 0755);
  test_assert_names ("good");
  test_assert_create_gives ("good", "FixtureGoodBackend");

  /* Nor is a success forgotten. */
  g_assert_no_errno (g_unlink (to));
  test_assert_names ("good");
  test_assert_create_gives ("good", "FixtureGoodBackend");
  g_assert_no_errno (g_rmdir (temporary));
}

static void
test_resident (void)
{
  g_autofree char *dir = test_dup_plugin_dir ();
  g_autofree char *file = test_dup_plugin_file (dir, "good");
  GModule *module;

  g_test_summary ("A plugin whose type is registered stays, even if somebody closes it once too often");
  test_use_path (dir);
  test_assert_create_gives ("good", "FixtureGoodBackend");

  module = g_module_open (file, G_MODULE_BIND_LAZY);
  g_assert_nonnull (module);
  g_assert_true (g_module_close (module));
  g_assert_true (g_module_close (module));
  g_assert_true (test_is_loaded (file));
  test_assert_create_gives ("good", "FixtureGoodBackend");
}

void
test_add_backend_loader_search (void)
{
  test_add_case ("/backend-loader/default-dir", test_default_dir);
  test_add_case ("/backend-loader/list/names", test_list);
  test_add_case ("/backend-loader/list/empty", test_list_empty);
  test_add_case ("/backend-loader/order/path", test_order_path);
  test_add_case ("/backend-loader/order/added", test_order_added);
  test_add_case ("/backend-loader/order/added-again", test_order_added_again);
  test_add_case ("/backend-loader/order/broken", test_order_broken);
  test_add_case ("/backend-loader/relative", test_relative);
  test_add_case ("/backend-loader/appears-later", test_appears_later);
  test_add_case ("/backend-loader/resident", test_resident);
}
