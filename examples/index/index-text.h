/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Text for a terminal: without control characters, with which a file name could
 * do anything there. */
char *index_text_make_printable (const char *text);

/* The same for a file name, which need not be valid text at all. */
char *index_text_from_filename  (const char *filename);

/* As g_format_size(), but with a plain space, which every terminal has. */
char *index_text_from_size      (guint64 size);

G_END_DECLS
