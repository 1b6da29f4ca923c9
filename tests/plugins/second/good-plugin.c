/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has the name of the other one and another type. It is made, never opened. */
#include <osiiso.h>

#define FIXTURE_TYPE_SECOND_BACKEND (fixture_second_backend_get_type ())
G_DECLARE_FINAL_TYPE (FixtureSecondBackend, fixture_second_backend, FIXTURE, SECOND_BACKEND, OsiisoBackend)

struct _FixtureSecondBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (FixtureSecondBackend, fixture_second_backend, OSIISO_TYPE_BACKEND)

static void
fixture_second_backend_class_init (FixtureSecondBackendClass *klass)
{
}

static void
fixture_second_backend_init (FixtureSecondBackend *self)
{
}

OSIISO_BACKEND_DEFINE (good, "good", "Of the second folder", "2.0", fixture_second_backend_get_type)
