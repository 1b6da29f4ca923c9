/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined (OSIISO_INSIDE) && !defined (OSIISO_COMPILATION)
# error "Only <osiiso.h> can be included directly."
#endif

#include <gmodule.h>

#include "osiiso-types.h"

G_BEGIN_DECLS

/**
 * OSIISO_BACKEND_ABI_MAJOR: (skip)
 *
 * The ABI that a plugin is built for; it is loaded only if it is equal to the
 * library's.
 *
 * Since: 1.0
 */
#define OSIISO_BACKEND_ABI_MAJOR 1

/**
 * OSIISO_BACKEND_ABI_MINOR: (skip)
 *
 * The additions to the ABI that a plugin may use; it is loaded only if the
 * library has them too.
 *
 * Since: 1.0
 */
#define OSIISO_BACKEND_ABI_MINOR 0

/**
 * OsiisoBackendDescriptor: (skip)
 * @abi_major: %OSIISO_BACKEND_ABI_MAJOR
 * @abi_minor: %OSIISO_BACKEND_ABI_MINOR
 * @name: the name of the backend, the one in the file name
 * @summary: one line for people
 * @version: the version of the plugin
 * @get_type: returns a non-abstract type derived from [class@Osiiso.Backend]
 *
 * What a plugin exports. It is read before any of the plugin's functions is
 * called, so its layout never changes.
 *
 * Since: 1.0
 */
typedef struct
{
  guint       abi_major;
  guint       abi_minor;
  const char *name;
  const char *summary;
  const char *version;
  GType     (*get_type) (void);

  /*< private >*/
  gpointer    padding[8];
} OsiisoBackendDescriptor;

/**
 * OSIISO_BACKEND_DEFINE: (skip)
 * @symbol: the name with underscores instead of dashes, not quoted
 * @name_: the name, quoted
 * @summary_: one line for people
 * @version_: the version of the plugin
 * @get_type_: the `get_type` function of the backend
 *
 * Defines the one symbol that a plugin exports.
 *
 * ```c
 * OSIISO_BACKEND_DEFINE (thread_pool, "thread-pool", "Threads of this process",
 *                        "1.0.0", osiiso_thread_pool_backend_get_type)
 * ```
 *
 * Since: 1.0
 */
#define OSIISO_BACKEND_DEFINE(symbol, name_, summary_, version_, get_type_) \
  G_MODULE_EXPORT const OsiisoBackendDescriptor *                           \
  osiiso_backend_##symbol##_get_descriptor (void);                          \
  const OsiisoBackendDescriptor *                                           \
  osiiso_backend_##symbol##_get_descriptor (void)                           \
  {                                                                         \
    static const OsiisoBackendDescriptor descriptor = {                     \
      .abi_major = OSIISO_BACKEND_ABI_MAJOR,                                \
      .abi_minor = OSIISO_BACKEND_ABI_MINOR,                                \
      .name = name_,                                                        \
      .summary = summary_,                                                  \
      .version = version_,                                                  \
      .get_type = get_type_,                                                \
    };                                                                      \
    return &descriptor;                                                     \
  }

G_END_DECLS
