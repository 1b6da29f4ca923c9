/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest backend that works: each task runs where it became runnable. */
#include <osiiso.h>

#define FIXTURE_TYPE_GOOD_BACKEND (fixture_good_backend_get_type ())
G_DECLARE_FINAL_TYPE (FixtureGoodBackend, fixture_good_backend, FIXTURE, GOOD_BACKEND, OsiisoBackend)

struct _FixtureGoodBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (FixtureGoodBackend, fixture_good_backend, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
fixture_good_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS;
}

static guint
fixture_good_backend_get_default_workers (OsiisoBackend *backend)
{
  return 1;
}

static gboolean
fixture_good_backend_open (OsiisoBackend *backend,
                           GError       **error)
{
  return TRUE;
}

static void
fixture_good_backend_wake (OsiisoBackend *backend,
                           guint          n)
{
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static void
fixture_good_backend_close (OsiisoBackend *backend,
                            gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
fixture_good_backend_class_init (FixtureGoodBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->get_capabilities = fixture_good_backend_get_capabilities;
  backend_class->get_default_workers = fixture_good_backend_get_default_workers;
  backend_class->open = fixture_good_backend_open;
  backend_class->wake = fixture_good_backend_wake;
  backend_class->close = fixture_good_backend_close;
}

static void
fixture_good_backend_init (FixtureGoodBackend *self)
{
}

OSIISO_BACKEND_DEFINE (good, "good", "Runs tasks at once", "1.0", fixture_good_backend_get_type)
