/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made for the ABI before this one. Only the number may be read: what follows
 * would crash. */
#include <osiiso.h>

G_MODULE_EXPORT const OsiisoBackendDescriptor *osiiso_backend_old_abi_get_descriptor (void);

const OsiisoBackendDescriptor *
osiiso_backend_old_abi_get_descriptor (void)
{
  static const OsiisoBackendDescriptor descriptor = {
    .abi_major = OSIISO_BACKEND_ABI_MAJOR - 1,
    .abi_minor = OSIISO_BACKEND_ABI_MINOR,
    .name = (const char *) 1,
    .get_type = (GType (*) (void)) 1,
  };

  return &descriptor;
}
