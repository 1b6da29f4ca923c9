/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * GOption does not know “-j4”, and takes the word after an option whose value can be
 * left out. This writes the options at the beginning of a command line so that it
 * understands them as everybody else does: “-j 4”, and “--json=”.
 *
 * @groups are arrays of entries, with NULL after the last one. (transfer full)
 */
char **tool_arguments_spell_out (char                      **argv,
                                 const GOptionEntry * const *groups);

G_END_DECLS
