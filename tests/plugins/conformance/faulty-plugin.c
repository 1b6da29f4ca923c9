/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backends that do one thing wrong each: built once for each FAULT, under the
 * name FAULT_NAME. Without a fault, tasks run where they became runnable. */
#include <osiiso.h>

enum
{
  NEVER_RUNS,     /* what it has taken */
  DROPS,          /* the same, but lets it go */
  RUNS_TWICE,
  NOT_RELEASED,   /* runs, and keeps the reference */
  TAKES_ONE,      /* at each wake */
  IGNORES_CLOSE,
  BLOCKS,         /* in wake() */
  WRONG_THREAD,   /* says that it runs in the owner's context, and does not */
  CANNOT_OPEN,    /* and does not say why */
  NEVER_GONE,     /* keeps a reference on itself */
  NO_WORKERS,
  NOT_INITIALIZED, /* does not call the queue's initializer */
};

#define FAULTY_TYPE_BACKEND (faulty_backend_get_type ())
G_DECLARE_FINAL_TYPE (FaultyBackend, faulty_backend, FAULTY, BACKEND, OsiisoBackend)

struct _FaultyBackend
{
  OsiisoBackend parent_instance;

  gboolean      ready; /* the queue's initializer was called */
};

G_DEFINE_FINAL_TYPE (FaultyBackend, faulty_backend, OSIISO_TYPE_BACKEND)

static OsiisoBackendCapabilities
faulty_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_INITIALIZER |
         (FAULT == WRONG_THREAD ? OSIISO_BACKEND_CAPABILITIES_CLOSURES : OSIISO_BACKEND_CAPABILITIES_NONE);
}

static guint
faulty_backend_get_default_workers (OsiisoBackend *backend)
{
  return FAULT == NO_WORKERS ? 0 : 1;
}

static gboolean
faulty_backend_open (OsiisoBackend *backend,
                     GError       **error)
{
  FAULTY_BACKEND (backend)->ready = FAULT == NOT_INITIALIZED;
  if (FAULT == NEVER_GONE)
    g_object_ref (backend);
  return FAULT != CANNOT_OPEN;
}

static void
run (OsiisoAttempt *attempt)
{
  if (FAULT != NEVER_RUNS && FAULT != DROPS)
    osiiso_attempt_run (attempt);
  if (FAULT == RUNS_TWICE)
    osiiso_attempt_run (attempt);
  if (FAULT != NEVER_RUNS && FAULT != NOT_RELEASED)
    osiiso_attempt_unref (attempt);
}

static gpointer
run_all (gpointer backend)
{
  FaultyBackend *self = backend;
  OsiisoAttempt *attempt;

  if (!self->ready)
    self->ready = osiiso_backend_init_worker (backend);
  while (self->ready && (attempt = osiiso_backend_take (backend)) != NULL)
    {
      run (attempt);
      if (FAULT == TAKES_ONE)
        break;
    }
  g_object_unref (backend);
  return NULL;
}

static void
faulty_backend_wake (OsiisoBackend *backend,
                     guint          n)
{
  if (FAULT == BLOCKS)
    {
      g_autoptr (GMainLoop) loop = g_main_loop_new (g_main_context_new (), FALSE);

      g_main_loop_run (loop);
    }
  if (FAULT == WRONG_THREAD)
    g_thread_unref (g_thread_new ("wrong", run_all, g_object_ref (backend)));
  else
    run_all (g_object_ref (backend));
}

static void
faulty_backend_close (OsiisoBackend *backend,
                      gboolean       force)
{
  if (FAULT != IGNORES_CLOSE)
    osiiso_backend_closed (backend);
}

static void
faulty_backend_class_init (FaultyBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  backend_class->get_capabilities = faulty_backend_get_capabilities;
  backend_class->get_default_workers = faulty_backend_get_default_workers;
  backend_class->open = faulty_backend_open;
  backend_class->wake = faulty_backend_wake;
  backend_class->close = faulty_backend_close;
}

static void
faulty_backend_init (FaultyBackend *self)
{
}

#define DEFINE(symbol, name) \
  OSIISO_BACKEND_DEFINE (symbol, name, "Does one thing wrong", "1.0", faulty_backend_get_type)

DEFINE (FAULT_SYMBOL, FAULT_NAME)
