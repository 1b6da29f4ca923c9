/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uses the loader while it is being loaded, and while its type is asked for. */
#include <osiiso.h>

#define FIXTURE_TYPE_RECURSIVE_BACKEND (fixture_recursive_backend_get_type ())
G_DECLARE_FINAL_TYPE (FixtureRecursiveBackend, fixture_recursive_backend, FIXTURE, RECURSIVE_BACKEND, OsiisoBackend)

struct _FixtureRecursiveBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (FixtureRecursiveBackend, fixture_recursive_backend, OSIISO_TYPE_BACKEND)

static gpointer
look_only (gpointer data)
{
  g_auto (GStrv) names = osiiso_backend_list_names ();
  g_autoptr (OsiisoBackend) backend = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_strv_contains ((const char * const *) names, "recursive"));

  backend = osiiso_backend_create ("absent", &error);
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_FOUND);
  g_assert_null (backend);

  return NULL;
}

static gpointer
use_loader (gpointer data)
{
  g_autoptr (OsiisoBackend) backend = NULL;
  g_autoptr (GError) error = NULL;

  look_only (NULL);

  backend = osiiso_backend_create ("good", &error);
  g_assert_no_error (error);
  g_assert_nonnull (backend);

  osiiso_backend_register ("recursive-helper", G_OBJECT_TYPE (backend), &error);
  g_assert_no_error (error);

  return NULL;
}

/* A constructor holds the lock of the dynamic linker. The other thread stands
 * for one that wants the loader at the same time, and must get it; it must not
 * load anything itself. */
static void __attribute__ ((constructor))
at_load (void)
{
  g_thread_join (g_thread_new ("look", look_only, NULL));
  use_loader (NULL);
}

static void
fixture_recursive_backend_class_init (FixtureRecursiveBackendClass *klass)
{
  use_loader (NULL);
}

static void
fixture_recursive_backend_init (FixtureRecursiveBackend *self)
{
  use_loader (NULL);
}

static GType
get_type (void)
{
  g_thread_join (g_thread_new ("use", use_loader, NULL));
  use_loader (NULL);

  return fixture_recursive_backend_get_type ();
}

OSIISO_BACKEND_DEFINE (recursive, "recursive", "Uses the loader", "1.0", get_type)
