/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-backend.h"
#include "osiiso-backend-descriptor.h"

G_BEGIN_DECLS

/* The type that implements the backend @name, loading its plugin if need be;
 * G_TYPE_INVALID with an error. Any thread. */
GType osiiso_backend_loader_find (const char *name,
                                  GError    **error);

/* A name under which the type is known, for people: (nullable) (transfer full). Any
 * thread. */
char *osiiso_backend_loader_dup_name (GType type);

G_END_DECLS
