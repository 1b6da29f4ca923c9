/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made for a newer library of the same ABI. */
#include <osiiso.h>

G_MODULE_EXPORT const OsiisoBackendDescriptor *osiiso_backend_new_minor_get_descriptor (void);

const OsiisoBackendDescriptor *
osiiso_backend_new_minor_get_descriptor (void)
{
  static const OsiisoBackendDescriptor descriptor = {
    .abi_major = OSIISO_BACKEND_ABI_MAJOR,
    .abi_minor = OSIISO_BACKEND_ABI_MINOR + 1,
    .name = "new-minor",
    .summary = "Of a newer minor",
    .version = "1.0",
    .get_type = g_object_get_type,
  };

  return &descriptor;
}
