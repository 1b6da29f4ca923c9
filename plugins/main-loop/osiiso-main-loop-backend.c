/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include "osiiso-main-loop-backend.h"

/*
 * Runs tasks in the context that owns the queue, one after the other, in slices
 * so that other sources get their turn. A task that defers its attempt goes on
 * by itself; the queue sees to it that not too many do so at a time.
 *
 * lock guards source. It is never held while calling into the queue.
 */
struct _OsiisoMainLoopBackend
{
  OsiisoBackend   parent_instance;

  pthread_mutex_t lock;
  GSource        *source; /* (nullable) (owned), between open and close */
  double          slice;  /* seconds; owner's thread */
};

G_DEFINE_FINAL_TYPE (OsiisoMainLoopBackend, osiiso_main_loop_backend, OSIISO_TYPE_BACKEND)

typedef enum
{
  PROP_SLICE = 1,
} OsiisoMainLoopBackendProperty;

static GParamSpec *props[PROP_SLICE + 1];

typedef struct
{
  GSource                source;
  OsiisoMainLoopBackend *backend; /* (owned), until the source is closed */
  gboolean               yields;  /* lets the others go first */
  gboolean               ready;   /* the initializer of the queue was called; in the
                                   * owner's thread, like the next one */
  gboolean               getting_ready;
} BackendSource;

/* Once for each source. FALSE when no task may run now. */
static gboolean
get_ready (BackendSource *self)
{
  if (self->ready)
    return TRUE;
  /* Whoever wakes it from now on finds it asleep. */
  g_source_set_ready_time (&self->source, -1);
  /* The initializer iterates the context; what is there waits for its end. */
  if (self->getting_ready)
    return FALSE;
  self->getting_ready = TRUE;
  self->ready = osiiso_backend_init_worker (OSIISO_BACKEND (self->backend));
  self->getting_ready = FALSE;
  if (self->ready)
    g_source_set_ready_time (&self->source, 0);
  return self->ready;
}

static gboolean
backend_source_dispatch (GSource    *source,
                         GSourceFunc callback,
                         gpointer    user_data)
{
  BackendSource *backend_source = (BackendSource *) source;
  g_autoptr (OsiisoMainLoopBackend) self = g_object_ref (backend_source->backend);

  /* A source that became ready during a slice is dispatched in the order in which
   * both were attached, so it might have to wait for a second one. */
  if (backend_source->yields)
    {
      backend_source->yields = FALSE;
      return G_SOURCE_CONTINUE;
    }

  if (!get_ready (backend_source))
    return G_SOURCE_CONTINUE;
  /* The source stays ready while there may be more to take, so that tasks and
   * handlers that iterate the context let others run. */
  if (osiiso_backend_serve_for (OSIISO_BACKEND (self), self->slice))
    {
      backend_source->yields = TRUE;
    }
  else
    {
      /* A wake that came before this would be forgotten, so look again. */
      g_source_set_ready_time (source, -1);
      if (osiiso_backend_serve_for (OSIISO_BACKEND (self), 0))
        g_source_set_ready_time (source, 0);
    }
  return G_SOURCE_CONTINUE;
}

static void
backend_source_finalize (GSource *source)
{
  g_object_unref (((BackendSource *) source)->backend);
}

static GSourceFuncs backend_source_funcs = {
  .dispatch = backend_source_dispatch,
  .finalize = backend_source_finalize,
};

static OsiisoBackendCapabilities
osiiso_main_loop_backend_get_capabilities (OsiisoBackend *backend)
{
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CLOSURES |
         OSIISO_BACKEND_CAPABILITIES_ASYNC | OSIISO_BACKEND_CAPABILITIES_CALLS |
         OSIISO_BACKEND_CAPABILITIES_INITIALIZER;
}

static gboolean
osiiso_main_loop_backend_open (OsiisoBackend *backend,
                               GError       **error)
{
  OsiisoMainLoopBackend *self = OSIISO_MAIN_LOOP_BACKEND (backend);
  GSource *source = g_source_new (&backend_source_funcs, sizeof (BackendSource));

  ((BackendSource *) source)->backend = g_object_ref (self);
  g_source_set_name (source, "OsiisoMainLoopBackend");
  /* A task may iterate the context, and other tasks go on meanwhile. */
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, osiiso_backend_get_context (backend));

  pthread_mutex_lock (&self->lock);
  self->source = source;
  pthread_mutex_unlock (&self->lock);
  return TRUE;
}

static void
osiiso_main_loop_backend_wake (OsiisoBackend *backend,
                               guint          n)
{
  OsiisoMainLoopBackend *self = OSIISO_MAIN_LOOP_BACKEND (backend);

  pthread_mutex_lock (&self->lock);
  if (self->source != NULL)
    g_source_set_ready_time (self->source, 0);
  pthread_mutex_unlock (&self->lock);
}

static void
destroy_source (OsiisoMainLoopBackend *self)
{
  GSource *source;

  pthread_mutex_lock (&self->lock);
  source = g_steal_pointer (&self->source);
  pthread_mutex_unlock (&self->lock);
  if (source != NULL)
    {
      g_source_destroy (source);
      g_source_unref (source);
    }
}

static void
osiiso_main_loop_backend_close (OsiisoBackend *backend,
                                gboolean       force)
{
  destroy_source (OSIISO_MAIN_LOOP_BACKEND (backend));
  osiiso_backend_closed (backend);
}

static void
osiiso_main_loop_backend_get_property (GObject    *object,
                                       guint       property_id,
                                       GValue     *value,
                                       GParamSpec *pspec)
{
  switch ((OsiisoMainLoopBackendProperty) property_id)
    {
    case PROP_SLICE:
      g_value_set_double (value, OSIISO_MAIN_LOOP_BACKEND (object)->slice);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_main_loop_backend_set_property (GObject      *object,
                                       guint         property_id,
                                       const GValue *value,
                                       GParamSpec   *pspec)
{
  OsiisoMainLoopBackend *self = OSIISO_MAIN_LOOP_BACKEND (object);

  switch ((OsiisoMainLoopBackendProperty) property_id)
    {
    case PROP_SLICE:
      if (self->slice != g_value_get_double (value))
        {
          self->slice = g_value_get_double (value);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
osiiso_main_loop_backend_finalize (GObject *object)
{
  OsiisoMainLoopBackend *self = OSIISO_MAIN_LOOP_BACKEND (object);

  destroy_source (self);
  pthread_mutex_destroy (&self->lock);

  G_OBJECT_CLASS (osiiso_main_loop_backend_parent_class)->finalize (object);
}

static void
osiiso_main_loop_backend_class_init (OsiisoMainLoopBackendClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  object_class->get_property = osiiso_main_loop_backend_get_property;
  object_class->set_property = osiiso_main_loop_backend_set_property;
  object_class->finalize = osiiso_main_loop_backend_finalize;

  backend_class->get_capabilities = osiiso_main_loop_backend_get_capabilities;
  backend_class->open = osiiso_main_loop_backend_open;
  backend_class->wake = osiiso_main_loop_backend_wake;
  backend_class->close = osiiso_main_loop_backend_close;

  /**
   * OsiisoMainLoopBackend:slice:
   *
   * For how long tasks are begun one after the other, in seconds, before other sources
   * of the context get their turn; with 0 they get it after each task.
   *
   * Since: 1.0
   */
  props[PROP_SLICE] = g_param_spec_double ("slice", "Slice", "Seconds of tasks before other sources get their turn",
                                           0, 3600, 0.001,
                                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT |
                                           G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
osiiso_main_loop_backend_init (OsiisoMainLoopBackend *self)
{
  pthread_mutex_init (&self->lock, NULL);
}
