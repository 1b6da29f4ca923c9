/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-holder.h"

typedef struct
{
  OsiisoBackend             parent_instance;
  OsiisoBackendCapabilities capabilities;
} TestHolder;

typedef OsiisoBackendClass TestHolderClass;

GType test_holder_get_type (void);

G_DEFINE_TYPE (TestHolder, test_holder, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
test_holder_get_capabilities (OsiisoBackend *backend)
{
  return ((TestHolder *) backend)->capabilities;
}

static gboolean
test_holder_open (OsiisoBackend *backend,
                  GError       **error)
{
  return TRUE;
}

static void
test_holder_close (OsiisoBackend *backend,
                   gboolean       force)
{
  osiiso_backend_closed (backend);
}

static void
test_holder_class_init (TestHolderClass *klass)
{
  klass->get_capabilities = test_holder_get_capabilities;
  klass->open = test_holder_open;
  klass->close = test_holder_close;
}

static void
test_holder_init (TestHolder *self)
{
}

OsiisoQueue *
test_holder_queue_new (OsiisoBackendCapabilities capabilities)
{
  g_autoptr (OsiisoBackend) backend = g_object_new (test_holder_get_type (), NULL);
  OsiisoQueue *queue;

  ((TestHolder *) backend)->capabilities = capabilities;
  queue = osiiso_queue_new_with_backend (backend);
  g_assert_true (osiiso_queue_start (queue, NULL));
  return queue;
}

OsiisoAttempt *
test_holder_take (OsiisoQueue *queue)
{
  OsiisoAttempt *attempt = osiiso_backend_take (osiiso_queue_get_backend (queue));

  g_assert_nonnull (attempt);
  return attempt;
}
