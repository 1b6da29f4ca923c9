/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backend as somebody else would write it, built against what is installed: one
 * thread, which sleeps in the queue. */
#include <osiiso.h>

#define LONE_TYPE_BACKEND (lone_backend_get_type ())
G_DECLARE_FINAL_TYPE (LoneBackend, lone_backend, LONE, BACKEND, OsiisoBackend)

struct _LoneBackend
{
  OsiisoBackend parent_instance;
};

G_DEFINE_FINAL_TYPE (LoneBackend, lone_backend, OSIISO_TYPE_BACKEND)

static guint
lone_backend_get_default_workers (OsiisoBackend *backend)
{
  return 1;
}

static gpointer
lone_thread (gpointer data)
{
  g_autoptr (OsiisoBackend) backend = data;
  OsiisoAttempt *attempt;

  while ((attempt = osiiso_backend_take_wait (backend)) != NULL)
    {
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
  return NULL;
}

static gboolean
lone_backend_open (OsiisoBackend *backend,
                   GError       **error)
{
  GThread *thread = g_thread_try_new ("lone", lone_thread, g_object_ref (backend), error);

  if (thread == NULL)
    {
      g_object_unref (backend);
      return FALSE;
    }
  g_thread_unref (thread);
  return TRUE;
}

static void
lone_backend_close (OsiisoBackend *backend,
                    gboolean       force)
{
  /* The thread leaves by itself, at once or when a function returns that was
   * cancelled. Nobody waits for it. */
  osiiso_backend_closed (backend);
}

static void
lone_backend_class_init (LoneBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->get_default_workers = lone_backend_get_default_workers;
  backend_class->open = lone_backend_open;
  backend_class->close = lone_backend_close;
}

static void
lone_backend_init (LoneBackend *self)
{
}

OSIISO_BACKEND_DEFINE (lone, "lone", "One thread of its own", "1.0", lone_backend_get_type)
