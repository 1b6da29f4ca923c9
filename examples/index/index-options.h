/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The command line, checked. */
typedef struct
{
  char    *folder;   /* absolute, links resolved; a file name, so any bytes */
  char    *database; /* a file name too */
  guint    workers;  /* 0: as many as the backend thinks best */
  double   timeout;  /* seconds for one attempt at one file, 0: no limit */
  gboolean json;
  gboolean no_pictures;
  gboolean version;
} IndexOptions;

gboolean index_options_parse (IndexOptions *self,
                              int          *argc,
                              char       ***argv,
                              GError      **error);
void     index_options_clear (IndexOptions *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IndexOptions, index_options_clear)

G_END_DECLS
