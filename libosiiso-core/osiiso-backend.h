/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_BACKEND (osiiso_backend_get_type ())

OSIISO_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (OsiisoBackend, osiiso_backend, OSIISO, BACKEND, GObject)

/**
 * OsiisoBackendClass:
 * @parent_class: the parent class
 * @get_capabilities: says what the backend can do; constant for an instance
 * @get_default_workers: the number of workers that a queue gets which asks for
 *   0; at least 1
 * @open: gets ready to take attempts. Called before anything else, with the
 *   queue's context known, and again when a queue that was closed was reset and
 *   is started; %FALSE with @error set leaves the queue not started
 * @wake: tells that up to @n tasks became runnable. Called from any thread,
 *   with no lock held; must not block, but see to it that
 *   [method@Osiiso.Backend.take] is called soon, again and again until it
 *   returns %NULL. Not called for tasks that a thread waits for in
 *   [method@Osiiso.Backend.take_wait]
 * @interrupt: tells that @attempt has been ended by a timeout or a cancellation
 *   while it was running or reserved; its result will be ignored. Called from any thread,
 *   with no lock held. Its [class@Gio.Cancellable] is cancelled besides. What became of it
 *   can be told with [method@Osiiso.Attempt.set_interrupt_details]
 * @workers_changed: tells that [method@Osiiso.Backend.get_workers] returns
 *   another number than before, or that threads which left because of
 *   [method@Osiiso.Backend.init_worker] have to be replaced. More attempts are handed
 *   out before that, fewer after it. Called from any thread
 * @close: stops taking attempts. With @force, which is always %TRUE so far, the
 *   ones that are running are not waited for. Must not block; [method@Osiiso.Backend.closed] is called when all
 *   is over, from here or later from any thread
 *
 * What a backend implements. All slots but @open and @close have a default.
 *
 * Since: 1.0
 */
struct _OsiisoBackendClass
{
  GObjectClass parent_class;

  OsiisoBackendCapabilities (*get_capabilities)    (OsiisoBackend *self);
  guint                     (*get_default_workers) (OsiisoBackend *self);
  gboolean                  (*open)                (OsiisoBackend *self,
                                                    GError       **error);
  void                      (*wake)                (OsiisoBackend *self,
                                                    guint          n);
  void                      (*interrupt)           (OsiisoBackend        *self,
                                                    OsiisoAttempt        *attempt,
                                                    OsiisoInterruptReason reason);
  void                      (*workers_changed)     (OsiisoBackend *self);
  void                      (*close)               (OsiisoBackend *self,
                                                    gboolean       force);

  /*< private >*/
  gpointer padding[12];
};

OSIISO_AVAILABLE_IN_1_0
OsiisoBackend            *osiiso_backend_create           (const char *name,
                                                           GError    **error) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
const char               *osiiso_backend_get_summary      (OsiisoBackend *self);
OSIISO_AVAILABLE_IN_1_0
char                    **osiiso_backend_list_names       (void) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
void                      osiiso_backend_add_directory    (const char *path);
OSIISO_AVAILABLE_IN_1_0
gboolean                  osiiso_backend_register         (const char *name,
                                                           GType       type,
                                                           GError    **error);

OSIISO_AVAILABLE_IN_1_0
OsiisoBackendCapabilities osiiso_backend_get_capabilities (OsiisoBackend *self);
OSIISO_AVAILABLE_IN_1_0
guint                     osiiso_backend_get_workers      (OsiisoBackend *self);
OSIISO_AVAILABLE_IN_1_0
GMainContext             *osiiso_backend_get_context      (OsiisoBackend *self);

OSIISO_AVAILABLE_IN_1_0
OsiisoAttempt            *osiiso_backend_take             (OsiisoBackend *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoAttempt            *osiiso_backend_take_wait        (OsiisoBackend *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoAttempt            *osiiso_backend_take_ahead       (OsiisoBackend *self) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
gboolean                  osiiso_backend_init_worker      (OsiisoBackend *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoServeEnd            osiiso_backend_serve            (OsiisoBackend *self);
OSIISO_AVAILABLE_IN_1_0
gboolean                  osiiso_backend_serve_for        (OsiisoBackend *self,
                                                           double         seconds);
OSIISO_AVAILABLE_IN_1_0
void                      osiiso_backend_closed           (OsiisoBackend *self);

G_END_DECLS
