/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-call.h"

G_BEGIN_DECLS

/* Whether @function is a "module:symbol" that osiiso_call_module_find() can look
 * for; INVALID if not. */
gboolean       osiiso_call_module_check (const char *function,
                                         GError    **error);

/* The function of that name; its module is opened the first time and stays. Any
 * thread; runs constructors of modules. */
OsiisoCallFunc osiiso_call_module_find  (const char *function,
                                         GError    **error);

G_END_DECLS
