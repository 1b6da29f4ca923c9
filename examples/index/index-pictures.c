/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pictures come from anywhere, and what decodes them is large and not always
 * right. So none of it is in this program: a call names a function in a module,
 * and the backend "subprocess" has worker processes that load it. One that is
 * taken down by a picture fails one task, and is replaced.
 */

#include "index-pictures.h"
#include "index-text.h"

/* The module is libosiiso-index-pictures.so, see picture-module.c. */
#define FUNCTION "osiiso-index-pictures:index_picture_measure"

/* A picture that would take more is refused by the decoder, which cannot get the
 * memory. Sanitizers reserve far more than that for themselves. */
#if defined (__SANITIZE_ADDRESS__) || defined (__SANITIZE_THREAD__)
#define MEMORY_LIMIT 0
#else
#define MEMORY_LIMIT (G_GUINT64_CONSTANT (2) << 30)
#endif

/* Decoders do not look whether they are cancelled, and have nothing to put in
 * order: they may be killed soon. */
#define GRACE_TIME 0.2

/* The memory of a machine can run out through no fault of the picture. */
#define RETRIES 1

struct _IndexPictures
{
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
};

void
index_picture_unpack (GVariant     *value,
                      IndexPicture *unpacked)
{
  g_variant_get (value, INDEX_PICTURE_TYPE,
                 &unpacked->width, &unpacked->height, &unpacked->has_color, &unpacked->color);
}

gboolean
index_pictures_are_built (void)
{
  return INDEX_HAVE_PICTURES;
}

/* The module is beside the program. */
static char *
get_module_folder (GError **error)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", error);

  return program != NULL ? g_path_get_dirname (program) : NULL;
}

IndexPictures *
index_pictures_new (guint    workers,
                    double   timeout,
                    GError **error)
{
  g_autoptr (IndexPictures) self = g_new0 (IndexPictures, 1);
  g_autofree char *folder = get_module_folder (error);
  g_autoptr (OsiisoBackend) backend = NULL;

  if (folder == NULL)
    return NULL;

  /* A backend has properties of its own. Who does not need them gives its name to
   * osiiso_queue_new(). */
  backend = osiiso_backend_create ("subprocess", error);
  if (backend == NULL)
    return NULL;
  g_object_set (backend,
                "module-path", folder,
                "address-space-limit", MEMORY_LIMIT,
                "grace-time", GRACE_TIME,
                NULL);

  self->queue = osiiso_queue_new_with_backend (backend);
  osiiso_queue_set_mode (self->queue, OSIISO_MODE_INFINITE);
  osiiso_queue_set_workers (self->queue, workers);
  osiiso_queue_set_keep_results (self->queue, FALSE);

  /* A decoder that refuses a picture would do so again; but one that was killed
   * may have been the victim of others. */
  self->options = osiiso_task_options_new ();
  osiiso_task_options_set_timeout (self->options, timeout);
  osiiso_task_options_set_retries (self->options, RETRIES);
  osiiso_task_options_retry_on (self->options, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED);

  return g_steal_pointer (&self);
}

void
index_pictures_free (IndexPictures *self)
{
  g_clear_object (&self->options);
  g_clear_object (&self->queue);
  g_free (self);
}

OsiisoQueue *
index_pictures_get_queue (IndexPictures *self)
{
  return self->queue;
}

gboolean
index_pictures_push (IndexPictures *self,
                     const char    *path,
                     const char    *content_type,
                     GError       **error)
{
  g_autofree char *name = index_text_from_filename (path);
  g_autoptr (OsiisoCall) call = osiiso_call_new (FUNCTION, g_variant_new (INDEX_PICTURE_ARGS, path, content_type));

  osiiso_task_options_set_name (self->options, name);
  osiiso_task_options_set_metadata (self->options, g_variant_new_bytestring (path));

  return osiiso_queue_push_call (self->queue, call, self->options, error) != 0;
}
