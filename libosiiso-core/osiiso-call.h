/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include "osiiso-types.h"

G_BEGIN_DECLS

#define OSIISO_TYPE_CALL (osiiso_call_get_type ())

/**
 * OsiisoCallFunc:
 * @attempt: (transfer none): the attempt that this call is
 * @args: (transfer none) (nullable): what was given with the call
 * @error: return location for an error
 *
 * A function that is called by its name: `module:symbol`.
 *
 * It is called once per attempt, in a thread of the program, in the context that
 * owns the queue, or in a worker process, as the backend decides. It returns its
 * value or fails with @error; @attempt is there for progress and for the
 * cancellable. So that it can run anywhere, it neither reports on @attempt nor
 * defers it: one that defers and returns nothing fails with
 * %OSIISO_QUEUE_ERROR_NOT_SUPPORTED.
 *
 * A value may be floating or not: both
 *
 * ```c
 * return g_variant_new_int32 (1);
 * return g_variant_get_child_value (args, 0);
 * ```
 *
 * are right. @args is never floating; to return it, take a reference first.
 *
 * Returns: (transfer full) (nullable): the value; %NULL for none, or on error
 *
 * Since: 1.0
 */
typedef GVariant *(*OsiisoCallFunc) (OsiisoAttempt *attempt,
                                     GVariant      *args,
                                     GError       **error);

OSIISO_AVAILABLE_IN_1_0
GType          osiiso_call_get_type     (void);
OSIISO_AVAILABLE_IN_1_0
OsiisoCall    *osiiso_call_new          (const char *function,
                                         GVariant   *args) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoCall    *osiiso_call_new_json     (const char *function,
                                         const char *json) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoCall    *osiiso_call_new_bytes    (const char *function,
                                         GBytes     *bytes) G_GNUC_WARN_UNUSED_RESULT;
OSIISO_AVAILABLE_IN_1_0
OsiisoCall    *osiiso_call_ref          (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_call_unref        (OsiisoCall *self);

OSIISO_AVAILABLE_IN_1_0
const char    *osiiso_call_get_function (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
OsiisoEncoding osiiso_call_get_encoding (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
GVariant      *osiiso_call_get_args     (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
const char    *osiiso_call_get_json     (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
GBytes        *osiiso_call_get_bytes    (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
GBytes        *osiiso_call_get_preamble (OsiisoCall *self);
OSIISO_AVAILABLE_IN_1_0
void           osiiso_call_set_preamble (OsiisoCall *self,
                                         GBytes     *preamble);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OsiisoCall, osiiso_call_unref)

G_END_DECLS
