/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest backend that works: each task runs where it became runnable. */
#include <osiiso.h>

#define FIXTURE_TYPE_GOOD_BACKEND (fixture_good_backend_get_type ())
G_DECLARE_FINAL_TYPE (FixtureGoodBackend, fixture_good_backend, FIXTURE, GOOD_BACKEND, OsiisoBackend)

struct _FixtureGoodBackend
{
  OsiisoBackend parent_instance;

  int           state; /* whether the queue's initializer was called */
};

enum
{
  NOT_READY,
  GETTING_READY,
  READY,
};

G_DEFINE_FINAL_TYPE (FixtureGoodBackend, fixture_good_backend, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
fixture_good_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_INITIALIZER;
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
  g_atomic_int_set (&FIXTURE_GOOD_BACKEND (backend)->state, NOT_READY);
  return TRUE;
}

/* FALSE when it failed, or when another thread is about it, which takes all that
 * there is when it is done. */
static gboolean
get_ready (FixtureGoodBackend *self)
{
  gboolean ok;

  if (g_atomic_int_get (&self->state) == READY)
    return TRUE;
  if (!g_atomic_int_compare_and_exchange (&self->state, NOT_READY, GETTING_READY))
    return FALSE;
  ok = osiiso_backend_init_worker (OSIISO_BACKEND (self));
  g_atomic_int_set (&self->state, ok ? READY : NOT_READY);
  return ok;
}

static void
fixture_good_backend_wake (OsiisoBackend *backend,
                           guint          n)
{
  OsiisoAttempt *attempt;

  if (!get_ready (FIXTURE_GOOD_BACKEND (backend)))
    return;
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
