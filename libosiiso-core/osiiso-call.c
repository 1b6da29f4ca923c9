/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "osiiso-attempt-private.h"
#include "osiiso-call-module-private.h"
#include "osiiso-call-private.h"
#include "osiiso-error.h"
#include "osiiso-submission-private.h"

/**
 * OsiisoCall:
 *
 * A function by name, with its arguments: work that can go to another process.
 *
 * What the name means is the business of who runs it. The backends `main-loop` and
 * `thread-pool`, and the C workers of `subprocess`, take `module:symbol`: an
 * [callback@Osiiso.CallFunc] in a shared object, with arguments in a
 * [struct@GLib.Variant]. The module is an absolute path; or a name, which is looked
 * for in the folders of `OSIISO_MODULE_PATH` and in `osiiso-1/modules` of the
 * system's library folder, `foo` as `foo.so` and `libfoo.so`; or empty for the
 * program itself. Modules stay loaded. Worker programs in other languages have
 * names of their own, and arguments as JSON text or bytes.
 *
 * ```c
 * GVariant *
 * example_add (OsiisoAttempt *attempt,
 *              GVariant      *args,
 *              GError       **error)
 * {
 *   gint32 a, b;
 *
 *   g_variant_get (args, "(ii)", &a, &b);
 *   return g_variant_new_int32 (a + b);
 * }
 *
 * handle = osiiso_queue_submit_call (queue, "example:example_add", g_variant_new ("(ii)", 1, 2), NULL, &error);
 * ```
 *
 * A call does not change once it was submitted, and may be submitted again. All
 * methods may be called from any thread.
 *
 * Since: 1.0
 */

/* What fits into the name of a frame. */
#define MAX_FUNCTION G_MAXUINT16

/*
 * ref_count, submitted: atomic. func: found once, then constant. preamble: constant
 * from the submit on. All others are constant.
 */
struct _OsiisoCall
{
  OsiisoRefCount    ref_count;
  _Atomic gboolean  submitted;
  OsiisoEncoding    encoding;
  OsiisoTaskParams *params;   /* (owned): its name is the function */
  GVariant         *args;     /* (nullable) (owned) */
  char             *json;     /* (nullable) (owned) */
  GBytes           *bytes;    /* (nullable) (owned) */
  GBytes           *preamble; /* (nullable) (owned) */
  _Atomic (OsiisoCallFunc) func; /* (nullable) */
};

G_DEFINE_BOXED_TYPE (OsiisoCall, osiiso_call, osiiso_call_ref, osiiso_call_unref)

static OsiisoCall *
call_new (const char    *function,
          OsiisoEncoding encoding)
{
  OsiisoCall *self = g_new0 (OsiisoCall, 1);

  osiiso_ref_count_init (&self->ref_count);
  self->encoding = encoding;
  self->params = osiiso_task_params_new_named (function);
  return self;
}

/**
 * osiiso_call_new:
 * @function: the name of the function
 * @args: (nullable): its arguments; a floating reference is taken over
 *
 * Makes a call with a [struct@GLib.Variant], which runs on every backend.
 *
 * Whether there is such a function shows when the task runs.
 *
 * Returns: (transfer full): the call
 *
 * Since: 1.0
 */
OsiisoCall *
osiiso_call_new (const char *function,
                 GVariant   *args)
{
  OsiisoCall *self;

  g_return_val_if_fail (function != NULL, NULL);

  self = call_new (function, OSIISO_ENCODING_GVARIANT);
  if (args != NULL)
    self->args = g_variant_ref_sink (args);
  return self;
}

/**
 * osiiso_call_new_json:
 * @function: the name of the function
 * @json: its arguments, which is text that the queue passes on as it is
 *
 * Makes a call for a worker program that understands JSON.
 *
 * Returns: (transfer full): the call
 *
 * Since: 1.0
 */
OsiisoCall *
osiiso_call_new_json (const char *function,
                      const char *json)
{
  OsiisoCall *self;

  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (json != NULL, NULL);

  self = call_new (function, OSIISO_ENCODING_JSON);
  self->json = g_strdup (json);
  return self;
}

/**
 * osiiso_call_new_bytes:
 * @function: the name of the function
 * @bytes: its arguments, in whatever form the worker program knows
 *
 * Makes a call with plain bytes.
 *
 * Returns: (transfer full): the call
 *
 * Since: 1.0
 */
OsiisoCall *
osiiso_call_new_bytes (const char *function,
                       GBytes     *bytes)
{
  OsiisoCall *self;

  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (bytes != NULL, NULL);

  self = call_new (function, OSIISO_ENCODING_BYTES);
  self->bytes = g_bytes_ref (bytes);
  return self;
}

/**
 * osiiso_call_ref:
 * @self: a call
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
OsiisoCall *
osiiso_call_ref (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  osiiso_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * osiiso_call_unref:
 * @self: (transfer full): a call
 *
 * Drops a reference.
 *
 * Since: 1.0
 */
void
osiiso_call_unref (OsiisoCall *self)
{
  g_return_if_fail (self != NULL);

  if (!osiiso_ref_count_dec (&self->ref_count))
    return;
  osiiso_task_params_unref (self->params);
  g_clear_pointer (&self->args, g_variant_unref);
  g_clear_pointer (&self->json, g_free);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->preamble, g_bytes_unref);
  g_free (self);
}

/**
 * osiiso_call_get_function:
 * @self: a call
 *
 * Gets the name of the function.
 *
 * Returns: (transfer none): the name
 *
 * Since: 1.0
 */
const char *
osiiso_call_get_function (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->params->name;
}

/**
 * osiiso_call_get_encoding:
 * @self: a call
 *
 * Gets in which form the arguments are.
 *
 * Returns: %OSIISO_ENCODING_GVARIANT, %OSIISO_ENCODING_JSON or
 *   %OSIISO_ENCODING_BYTES; the first one also for a call without arguments
 *
 * Since: 1.0
 */
OsiisoEncoding
osiiso_call_get_encoding (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, OSIISO_ENCODING_NONE);

  return self->encoding;
}

/**
 * osiiso_call_get_args:
 * @self: a call
 *
 * Gets the arguments of [ctor@Osiiso.Call.new].
 *
 * Returns: (transfer none) (nullable): the arguments; %NULL if there are none, or
 *   they are in another form
 *
 * Since: 1.0
 */
GVariant *
osiiso_call_get_args (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->args;
}

/**
 * osiiso_call_get_json:
 * @self: a call
 *
 * Gets the arguments of [ctor@Osiiso.Call.new_json].
 *
 * Returns: (transfer none) (nullable): the text; %NULL if they are in another form
 *
 * Since: 1.0
 */
const char *
osiiso_call_get_json (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->json;
}

/**
 * osiiso_call_get_bytes:
 * @self: a call
 *
 * Gets the arguments of [ctor@Osiiso.Call.new_bytes].
 *
 * Returns: (transfer none) (nullable): the bytes; %NULL if they are in another form
 *
 * Since: 1.0
 */
GBytes *
osiiso_call_get_bytes (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->bytes;
}

/**
 * osiiso_call_get_preamble:
 * @self: a call
 *
 * Gets what [method@Osiiso.Call.set_preamble] set.
 *
 * Returns: (transfer none) (nullable): the preamble
 *
 * Since: 1.0
 */
GBytes *
osiiso_call_get_preamble (OsiisoCall *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->preamble;
}

/**
 * osiiso_call_set_preamble:
 * @self: a call that was not submitted yet
 * @preamble: (nullable): what a worker program has to know of the function
 *
 * Sets what each worker process is told before its first call of this function, and
 * keeps under the function's name: a function in a form that can be sent, for
 * example.
 *
 * Calls that share one [struct@GLib.Bytes] share its way to the worker; another one
 * takes its place. Backends without worker programs have no use for it.
 *
 * Since: 1.0
 */
void
osiiso_call_set_preamble (OsiisoCall *self,
                          GBytes     *preamble)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!atomic_load (&self->submitted));

  if (preamble != NULL)
    g_bytes_ref (preamble);
  g_clear_pointer (&self->preamble, g_bytes_unref);
  self->preamble = preamble;
}

OsiisoCall *
osiiso_call_derive (OsiisoCall *self,
                    GBytes     *bytes)
{
  OsiisoCall *derived = g_new0 (OsiisoCall, 1);

  osiiso_ref_count_init (&derived->ref_count);
  atomic_init (&derived->submitted, TRUE);
  derived->encoding = OSIISO_ENCODING_BYTES;
  derived->params = osiiso_task_params_ref (self->params);
  derived->bytes = g_bytes_ref (bytes);
  if (self->preamble != NULL)
    derived->preamble = g_bytes_ref (self->preamble);
  return derived;
}

OsiisoTaskParams *
osiiso_call_get_params (OsiisoCall *self)
{
  return self->params;
}

static gboolean
check_function (const char *function,
                GError    **error)
{
  const gsize length = strlen (function);

  if (length > 0 && length <= MAX_FUNCTION && g_utf8_validate_len (function, length, NULL))
    return TRUE;
  g_set_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID,
               "the name of a function must be UTF-8 of 1 to %d bytes; got %" G_GSIZE_FORMAT " bytes", MAX_FUNCTION, length);
  return FALSE;
}

gboolean
osiiso_call_prepare (OsiisoCall      *self,
                     OsiisoScheduler *scheduler,
                     GError         **error)
{
  if (!osiiso_submission_check_capability (scheduler, OSIISO_BACKEND_CAPABILITIES_CALLS, error) ||
      (!atomic_load (&self->submitted) && !check_function (self->params->name, error)))
    return FALSE;

  /* A backend that also runs functions runs calls as such, in this process. */
  if (scheduler->capabilities & OSIISO_BACKEND_CAPABILITIES_FUNCTIONS)
    {
      if (self->encoding != OSIISO_ENCODING_GVARIANT)
        {
          osiiso_submission_set_not_supported (scheduler, "calls with JSON text or bytes; 'subprocess' does", error);
          return FALSE;
        }
      if (!osiiso_call_module_check (self->params->name, error))
        return FALSE;
    }
  atomic_store (&self->submitted, TRUE);
  return TRUE;
}

static OsiisoCallFunc
find_func (OsiisoCall *self,
           GError    **error)
{
  OsiisoCallFunc func = atomic_load_explicit (&self->func, memory_order_acquire);

  if (func == NULL)
    {
      func = osiiso_call_module_find (self->params->name, error);
      atomic_store_explicit (&self->func, func, memory_order_release);
    }
  return func;
}

void
osiiso_call_perform (OsiisoAttempt *attempt,
                     gpointer       call)
{
  OsiisoCall *self = call;
  OsiisoCallFunc func;
  GVariant *value = NULL;
  GError *error = NULL;

  if (self->encoding != OSIISO_ENCODING_GVARIANT)
    {
      osiiso_attempt_return_error_literal (attempt, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                           "calls with JSON text or bytes cannot run in this process");
      return;
    }

  func = find_func (self, &error);
  if (func != NULL)
    value = func (attempt, self->args, &error);
  if (error != NULL)
    {
      if (value != NULL)
        g_variant_unref (g_variant_take_ref (value));
      osiiso_attempt_return_error (attempt, error);
    }
  else if (value != NULL)
    {
      osiiso_attempt_take_variant (attempt, value);
    }
  else if (osiiso_attempt_is_open (attempt) && (atomic_load (&attempt->state) & OSIISO_ATTEMPT_DEFERRED))
    {
      osiiso_attempt_return_new_error (attempt, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_NOT_SUPPORTED,
                                       "%s deferred its attempt; a call has to return its value", self->params->name);
    }
}
