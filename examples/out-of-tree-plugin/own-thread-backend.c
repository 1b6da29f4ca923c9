/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The backend "own-thread": each attempt has a new thread to itself, with a stack of
 * the size that its tasks need.
 *
 * For functions that recurse deeply, such as parsers of nested input, and for those
 * that leave their thread in a state that the next one must not find. */

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include <osiiso.h>

#define OWN_TYPE_THREAD_BACKEND (own_thread_backend_get_type ())
G_DECLARE_FINAL_TYPE (OwnThreadBackend, own_thread_backend, OWN, THREAD_BACKEND, OsiisoBackend)

struct _OwnThreadBackend
{
  OsiisoBackend parent_instance;

  /* Bytes; 0: what the system gives. Atomic, because it may be set while wake() runs
   * in another thread. */
  atomic_size_t stack_size;
};

G_DEFINE_FINAL_TYPE (OwnThreadBackend, own_thread_backend, OSIISO_TYPE_BACKEND)

typedef enum
{
  PROP_STACK_SIZE = 1,
} OwnThreadBackendProperty;

static GParamSpec *props[PROP_STACK_SIZE + 1];

static void *
run_attempt (void *data)
{
  OsiisoAttempt *attempt = data;

  osiiso_attempt_run (attempt);
  osiiso_attempt_unref (attempt);
  return NULL;
}

/* Returns 0 or a number of errno. */
static int
init_attributes (OwnThreadBackend *self,
                 pthread_attr_t   *attributes)
{
  const size_t stack_size = atomic_load (&self->stack_size);
  int result;

  pthread_attr_init (attributes);
  pthread_attr_setdetachstate (attributes, PTHREAD_CREATE_DETACHED);
  if (stack_size == 0)
    return 0;
  result = pthread_attr_setstacksize (attributes, stack_size);
  if (result != 0)
    pthread_attr_destroy (attributes);
  return result;
}

static int
start_thread (OwnThreadBackend *self,
              OsiisoAttempt    *attempt)
{
  pthread_attr_t attributes;
  pthread_t thread;
  int result;

  result = init_attributes (self, &attributes);
  if (result != 0)
    return result;
  result = pthread_create (&thread, &attributes, run_attempt, attempt);
  pthread_attr_destroy (&attributes);
  return result;
}

static void
own_thread_backend_wake (OsiisoBackend *backend,
                         guint          n)
{
  OsiisoAttempt *attempt;
  int result;

  while ((attempt = osiiso_backend_take (backend)) != NULL)
    {
      result = start_thread (OWN_THREAD_BACKEND (backend), attempt);
      if (result != 0)
        {
          /* This is an attempt that failed, so the task may be tried again. */
          osiiso_attempt_return_new_error (attempt, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_FAILED,
                                           "no thread could be started: %s", g_strerror (result));
          osiiso_attempt_unref (attempt);
        }
    }
}

static gboolean
own_thread_backend_open (OsiisoBackend *backend,
                         GError       **error)
{
  OwnThreadBackend *self = OWN_THREAD_BACKEND (backend);
  pthread_attr_t attributes;

  if (init_attributes (self, &attributes) != 0)
    {
      g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
                   "stack-size is %zu bytes; it has to be 0, or %zu or more",
                   atomic_load (&self->stack_size), (size_t) PTHREAD_STACK_MIN);
      return FALSE;
    }
  pthread_attr_destroy (&attributes);
  return TRUE;
}

static void
own_thread_backend_close (OsiisoBackend *backend,
                          gboolean       force)
{
  /* No thread of ours takes anything, and none has to be waited for. */
  osiiso_backend_closed (backend);
}

static OsiisoBackendCapabilities
own_thread_backend_get_capabilities (OsiisoBackend *backend)
{
  /* A function that defers its attempt gives its thread back. */
  return OSIISO_BACKEND_CAPABILITIES_FUNCTIONS | OSIISO_BACKEND_CAPABILITIES_CALLS |
         OSIISO_BACKEND_CAPABILITIES_ASYNC;
}

static guint
own_thread_backend_get_default_workers (OsiisoBackend *backend)
{
  return g_get_num_processors ();
}

static void
own_thread_backend_get_property (GObject    *object,
                                 guint       property_id,
                                 GValue     *value,
                                 GParamSpec *pspec)
{
  switch ((OwnThreadBackendProperty) property_id)
    {
    case PROP_STACK_SIZE:
      g_value_set_uint64 (value, atomic_load (&OWN_THREAD_BACKEND (object)->stack_size));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
own_thread_backend_set_property (GObject      *object,
                                 guint         property_id,
                                 const GValue *value,
                                 GParamSpec   *pspec)
{
  switch ((OwnThreadBackendProperty) property_id)
    {
    case PROP_STACK_SIZE:
      atomic_store (&OWN_THREAD_BACKEND (object)->stack_size, g_value_get_uint64 (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
own_thread_backend_class_init (OwnThreadBackendClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  OsiisoBackendClass *backend_class = OSIISO_BACKEND_CLASS (klass);

  object_class->get_property = own_thread_backend_get_property;
  object_class->set_property = own_thread_backend_set_property;

  backend_class->get_capabilities = own_thread_backend_get_capabilities;
  backend_class->get_default_workers = own_thread_backend_get_default_workers;
  backend_class->open = own_thread_backend_open;
  backend_class->wake = own_thread_backend_wake;
  backend_class->close = own_thread_backend_close;

  props[PROP_STACK_SIZE] = g_param_spec_uint64 ("stack-size", NULL, NULL, 0, G_MAXSIZE, 0,
                                                G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
own_thread_backend_init (OwnThreadBackend *self)
{
}

OSIISO_BACKEND_DEFINE (own_thread, "own-thread", "A new thread for each task, with a stack of any size",
                       "1.0", own_thread_backend_get_type)
