/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "test-backend-loader.h"
#include "test-valgrind.h"

/* Programs that have rights which their callers have not, and folders that cannot be read. */

#define NOBODY 65534

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
  g_autofree char *file = test_dup_plugin_file (open, "good");
  g_autofree char *path = g_strjoin (":", closed, open, NULL);
  g_autofree char *searched = g_strdup_printf ("searched: %s (unreadable: %s), %s;",
                                               closed, g_strerror (EACCES), open);

  drop_privileges ();
  test_use_path (path);

  test_assert_names ("good");
  test_assert_create_fails ("absent", OSIISO_QUEUE_ERROR_NOT_FOUND, searched, "available: good", NULL);

  /* It is treated as not having the file, so the next folder has its turn. */
  test_assert_create_fails ("good", OSIISO_QUEUE_ERROR_FAILED, file, NULL);
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
  base = test_make_temporary_dir ();
  closed = g_build_filename (base, "closed", NULL);
  open = g_build_filename (base, "open", NULL);
  closed_file = test_dup_plugin_file (closed, "good");
  open_file = test_dup_plugin_file (open, "good");

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
  g_autofree char *plugins = test_dup_plugin_dir ();
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

  dir = test_make_temporary_dir ();
  copy = g_build_filename (dir, "secure-probe", NULL);
  g_assert_no_errno (g_chmod (dir, 0755));
  test_copy_file (probe, copy, 0755);

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

void
test_add_backend_loader_secure (void)
{
  g_test_add_func ("/backend-loader/unreadable", test_unreadable);
  /* valgrind runs no program that gets the rights of another user or group. */
  test_add_native ("/backend-loader/secure/user", test_secure_user);
  test_add_native ("/backend-loader/secure/group", test_secure_group);
}
