/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The symbol is there, the descriptor is not. */
#include <osiiso.h>

G_MODULE_EXPORT const OsiisoBackendDescriptor *osiiso_backend_null_descriptor_get_descriptor (void);

const OsiisoBackendDescriptor *
osiiso_backend_null_descriptor_get_descriptor (void)
{
  return NULL;
}
