/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backend as somebody else would write it, built against what is installed: one
 * thread, which sleeps in the queue. */
#include <osiiso.h>

#define LONE_TYPE_BACKEND (lone_backend_get_type ())
G_DECLARE_FINAL_TYPE (LoneBackend, lone_backend, LONE, BACKEND, OsiisoBackend)

/* lock guards all fields; it is not held while calling into the queue. */
struct _LoneBackend
{
  OsiisoBackend parent_instance;

  GMutex        lock;
  guint         life;       /* how often it was opened; a thread belongs to one life */
  gboolean      is_open;
  gboolean      has_thread;
  gboolean      busy;       /* the thread is in a function, or in the initializer */
  gboolean      wanted;     /* another thread, since this one began */
  gboolean      told;       /* that all is over */
};

G_DEFINE_FINAL_TYPE (LoneBackend, lone_backend, OSIISO_TYPE_BACKEND)

static gpointer lone_thread (gpointer data);

static guint
lone_backend_get_default_workers (OsiisoBackend *backend)
{
  return 1;
}

typedef struct
{
  LoneBackend *self; /* (owned) */
  guint        life;
} Start;

static void
start_free (Start *start)
{
  g_object_unref (start->self);
  g_free (start);
}

static gboolean
start_thread_locked (LoneBackend *self,
                     GError     **error)
{
  Start *start = g_new (Start, 1);
  GThread *thread;

  *start = (Start) { g_object_ref (self), self->life };
  thread = g_thread_try_new ("lone", lone_thread, start, error);
  if (thread == NULL)
    {
      start_free (start);
      return FALSE;
    }
  g_thread_unref (thread);
  self->has_thread = TRUE;
  self->busy = TRUE;
  return TRUE;
}

/* FALSE when the thread is not the one that is meant any more. */
static gboolean
set_busy (LoneBackend *self,
          guint        life,
          gboolean     busy)
{
  gboolean current;

  g_mutex_lock (&self->lock);
  current = self->life == life;
  if (current)
    self->busy = busy;
  g_mutex_unlock (&self->lock);
  return current;
}

static void
take_all (LoneBackend *self,
          guint        life)
{
  OsiisoAttempt *attempt;

  while (set_busy (self, life, FALSE) && (attempt = osiiso_backend_take_wait (OSIISO_BACKEND (self))) != NULL)
    {
      set_busy (self, life, TRUE);
      osiiso_attempt_run (attempt);
      osiiso_attempt_unref (attempt);
    }
}

static gpointer
lone_thread (gpointer data)
{
  LoneBackend *self = ((Start *) data)->self;
  const guint life = ((Start *) data)->life;
  gboolean over = FALSE;

  g_mutex_lock (&self->lock);
  if (self->life == life)
    self->wanted = FALSE;
  g_mutex_unlock (&self->lock);

  if (osiiso_backend_init_worker (OSIISO_BACKEND (self)))
    take_all (self, life);

  g_mutex_lock (&self->lock);
  if (self->life == life)
    {
      self->has_thread = FALSE;
      /* The initializer failed, and the queue was started again meanwhile. */
      if (self->is_open && self->wanted)
        start_thread_locked (self, NULL);
      over = !self->is_open && !self->told;
      self->told |= over;
    }
  g_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (OSIISO_BACKEND (self));
  start_free (data);
  return NULL;
}

static gboolean
lone_backend_open (OsiisoBackend *backend,
                   GError       **error)
{
  LoneBackend *self = LONE_BACKEND (backend);
  gboolean ok;

  g_mutex_lock (&self->lock);
  self->life++;
  self->told = FALSE;
  ok = self->is_open = start_thread_locked (self, error);
  g_mutex_unlock (&self->lock);
  return ok;
}

static void
lone_backend_workers_changed (OsiisoBackend *backend)
{
  LoneBackend *self = LONE_BACKEND (backend);

  g_mutex_lock (&self->lock);
  self->wanted = TRUE;
  if (self->is_open && !self->has_thread)
    start_thread_locked (self, NULL);
  g_mutex_unlock (&self->lock);
}

static void
lone_backend_close (OsiisoBackend *backend,
                    gboolean       force)
{
  LoneBackend *self = LONE_BACKEND (backend);
  gboolean over;

  /* The thread tells when it is out of the queue. Nobody waits for a function that
   * does not listen. */
  g_mutex_lock (&self->lock);
  self->is_open = FALSE;
  over = !self->has_thread || self->busy;
  self->told = over;
  g_mutex_unlock (&self->lock);
  if (over)
    osiiso_backend_closed (backend);
}

static void
lone_backend_finalize (GObject *object)
{
  g_mutex_clear (&LONE_BACKEND (object)->lock);

  G_OBJECT_CLASS (lone_backend_parent_class)->finalize (object);
}

static OsiisoBackendCapabilities
lone_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_INITIALIZER;
}

static void
lone_backend_class_init (LoneBackendClass *klass)
{
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = lone_backend_finalize;

  backend_class->get_capabilities = lone_backend_get_capabilities;
  backend_class->get_default_workers = lone_backend_get_default_workers;
  backend_class->open = lone_backend_open;
  backend_class->workers_changed = lone_backend_workers_changed;
  backend_class->close = lone_backend_close;
}

static void
lone_backend_init (LoneBackend *self)
{
  g_mutex_init (&self->lock);
}

OSIISO_BACKEND_DEFINE (lone, "lone", "One thread of its own", "1.0", lone_backend_get_type)
