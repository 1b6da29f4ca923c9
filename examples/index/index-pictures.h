/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/*
 * IndexPictures: the queue whose tasks decode pictures, each in a process that
 * may die of it. It belongs to the thread that made it.
 */
typedef struct _IndexPictures IndexPictures;

/* What the task says of a picture that could be decoded, see picture-module.c:
 * u width, u height, mu mean colour as 0xRRGGBB. One that cannot be seen at all
 * has no colour. Without a value there is no decoder for that type. */
#define INDEX_PICTURE_ARGS   "(^ays)" /* path, content type */
#define INDEX_PICTURE_TYPE   "(uumu)"

typedef struct
{
  guint32  width;
  guint32  height;
  gboolean has_color;
  guint32  color;
} IndexPicture;

void           index_picture_unpack      (GVariant       *value,
                                          IndexPicture   *unpacked);

/* FALSE if this program was built without them. */
gboolean       index_pictures_are_built  (void);

IndexPictures *index_pictures_new        (guint           workers,
                                          double          timeout,
                                          GError        **error);
void           index_pictures_free       (IndexPictures  *self);
/* Of INFINITE mode, and not started yet. The metadata of tasks are their paths,
 * as bytestrings. */
OsiisoQueue   *index_pictures_get_queue  (IndexPictures  *self);
gboolean       index_pictures_push       (IndexPictures  *self,
                                          const char     *path,
                                          const char     *content_type,
                                          GError        **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (IndexPictures, index_pictures_free)

G_END_DECLS
