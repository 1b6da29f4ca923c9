/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The task that does the work, and all of it that runs outside of the main
 * thread. It shares nothing with the rest of the program: a path comes in, a
 * GVariant goes out, and what happens in between depends on the attempt only.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index-hash.h"

#define CHUNK_SIZE   (256 * 1024)
#define SNIFF_SIZE   (4 * 1024)
/* Progress of smaller files is over before anybody could look at it. */
#define PROGRESS_MIN (4 * 1024 * 1024)

static const char *const class_names[INDEX_N_CLASSES] = {
  [INDEX_CLASS_TEXT] = "text",
  [INDEX_CLASS_DOCUMENT] = "document",
  [INDEX_CLASS_IMAGE] = "image",
  [INDEX_CLASS_AUDIO] = "audio",
  [INDEX_CLASS_VIDEO] = "video",
  [INDEX_CLASS_FONT] = "font",
  [INDEX_CLASS_ARCHIVE] = "archive",
  [INDEX_CLASS_PROGRAM] = "program",
  [INDEX_CLASS_EMPTY] = "empty",
  [INDEX_CLASS_DATA] = "data",
};

/* The first prefix that fits decides. Types that are kinds of text (source code,
 * JSON, scripts) need not be here: the content type database knows them. */
static const struct
{
  const char *prefix;
  IndexClass  klass;
} class_prefixes[] = {
  { "application/font", INDEX_CLASS_FONT },
  { "application/gzip", INDEX_CLASS_ARCHIVE },
  { "application/java-archive", INDEX_CLASS_ARCHIVE },
  { "application/msword", INDEX_CLASS_DOCUMENT },
  { "application/epub", INDEX_CLASS_DOCUMENT },
  { "application/pdf", INDEX_CLASS_DOCUMENT },
  { "application/postscript", INDEX_CLASS_DOCUMENT },
  { "application/rtf", INDEX_CLASS_DOCUMENT },
  { "application/vnd.debian.binary-package", INDEX_CLASS_ARCHIVE },
  { "application/vnd.microsoft.portable-executable", INDEX_CLASS_PROGRAM },
  { "application/vnd.ms-cab", INDEX_CLASS_ARCHIVE },
  { "application/vnd.ms-excel", INDEX_CLASS_DOCUMENT },
  { "application/vnd.ms-opentype", INDEX_CLASS_FONT },
  { "application/vnd.ms-powerpoint", INDEX_CLASS_DOCUMENT },
  { "application/vnd.oasis.opendocument", INDEX_CLASS_DOCUMENT },
  { "application/vnd.openxmlformats", INDEX_CLASS_DOCUMENT },
  { "application/wasm", INDEX_CLASS_PROGRAM },
  { "application/x-7z", INDEX_CLASS_ARCHIVE },
  { "application/x-archive", INDEX_CLASS_ARCHIVE },
  { "application/x-bzip", INDEX_CLASS_ARCHIVE },
  { "application/x-compress", INDEX_CLASS_ARCHIVE },
  { "application/x-cpio", INDEX_CLASS_ARCHIVE },
  { "application/x-dvi", INDEX_CLASS_DOCUMENT },
  { "application/x-executable", INDEX_CLASS_PROGRAM },
  { "application/x-font", INDEX_CLASS_FONT },
  { "application/x-gzdvi", INDEX_CLASS_DOCUMENT },
  { "application/x-gzpdf", INDEX_CLASS_DOCUMENT },
  { "application/x-gzpostscript", INDEX_CLASS_DOCUMENT },
  { "application/x-java", INDEX_CLASS_PROGRAM },
  { "application/x-lz", INDEX_CLASS_ARCHIVE },
  { "application/x-msdownload", INDEX_CLASS_PROGRAM },
  { "application/x-object", INDEX_CLASS_PROGRAM },
  { "application/x-pie-executable", INDEX_CLASS_PROGRAM },
  { "application/x-python-bytecode", INDEX_CLASS_PROGRAM },
  { "application/x-rpm", INDEX_CLASS_ARCHIVE },
  { "application/x-sharedlib", INDEX_CLASS_PROGRAM },
  { "application/x-tar", INDEX_CLASS_ARCHIVE },
  { "application/x-xz", INDEX_CLASS_ARCHIVE },
  { "application/zip", INDEX_CLASS_ARCHIVE },
  { "application/zstd", INDEX_CLASS_ARCHIVE },
  { "audio/", INDEX_CLASS_AUDIO },
  { "font/", INDEX_CLASS_FONT },
  { "image/", INDEX_CLASS_IMAGE },
  { "text/", INDEX_CLASS_TEXT },
  { "video/", INDEX_CLASS_VIDEO },
};

/* A file while it is read. */
typedef struct
{
  OsiisoAttempt *attempt;
  const char    *path;
  int            fd;
  struct stat    stat;
  guint64        done;
  GChecksum     *checksum;
  char          *content_type;
  IndexClass     klass;
} Reader;

void
index_row_unpack (GVariant *row,
                  IndexRow *unpacked)
{
  g_variant_get (row, INDEX_ROW_FORMAT,
                 &unpacked->path, &unpacked->size, &unpacked->mtime,
                 &unpacked->sha256, &unpacked->content_type, &unpacked->klass);
}

const char *
index_class_get_name (IndexClass klass)
{
  g_return_val_if_fail (klass < INDEX_N_CLASSES, NULL);

  return class_names[klass];
}

GVariant *
index_file_metadata_new (const char *path,
                         guint64     size)
{
  return g_variant_new ("(^ayt)", path, size);
}

void
index_file_metadata_get (GVariant    *metadata,
                         const char **path,
                         guint64     *size)
{
  g_variant_get (metadata, "(^&ayt)", path, size);
}

static void
set_error_from_errno (GError    **error,
                      int         saved_errno,
                      const char *what)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "%s: %s", what, g_strerror (saved_errno));
}

static gboolean
reader_open (Reader  *self,
             GError **error)
{
  /* The file was a regular one when it was listed, but that was a while ago.
   * O_NOFOLLOW refuses a link that took its place, and O_NONBLOCK keeps a pipe
   * that did from holding up the worker. */
  self->fd = open (self->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (self->fd < 0)
    {
      set_error_from_errno (error, errno, "Cannot open");
      return FALSE;
    }

  if (fstat (self->fd, &self->stat) != 0)
    {
      set_error_from_errno (error, errno, "Cannot inspect");
      return FALSE;
    }

  if (!S_ISREG (self->stat.st_mode))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "No longer a regular file");
      return FALSE;
    }

  return TRUE;
}

static void
reader_clear (Reader *self)
{
  if (self->fd >= 0)
    close (self->fd);
  g_clear_pointer (&self->checksum, g_checksum_free);
  g_clear_pointer (&self->content_type, g_free);
}

static IndexClass
classify (const char *content_type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (class_prefixes); i++)
    {
      if (g_str_has_prefix (content_type, class_prefixes[i].prefix))
        return class_prefixes[i].klass;
    }

  if (g_content_type_is_a (content_type, "text/plain"))
    return INDEX_CLASS_TEXT;

  return INDEX_CLASS_DATA;
}

static void
reader_sniff (Reader       *self,
              const guint8 *data,
              gsize         length)
{
  /* The guess looks at the name too, and wants it in UTF-8. */
  g_autofree char *name = g_filename_display_basename (self->path);

  self->content_type = g_content_type_guess (name, data, MIN (length, SNIFF_SIZE), NULL);
  self->klass = length == 0 ? INDEX_CLASS_EMPTY : classify (self->content_type);
}

static void
reader_report (Reader *self)
{
  if (self->stat.st_size >= PROGRESS_MIN)
    {
      /* A file that grows meanwhile does not get more than finished. */
      double fraction = (double) self->done / (double) self->stat.st_size;

      osiiso_attempt_set_progress (self->attempt, MIN (fraction, 1.0), NULL);
    }
}

static gboolean
reader_read (Reader  *self,
             GError **error)
{
  /* One byte more than the file has, so that a small file is read to its end
   * with a small buffer. */
  gsize buffer_size = CLAMP (self->stat.st_size + 1, SNIFF_SIZE, CHUNK_SIZE);
  g_autofree guint8 *buffer = g_malloc (buffer_size);
  GCancellable *cancellable = osiiso_attempt_get_cancellable (self->attempt);

  while (TRUE)
    {
      gssize n;

      /* Nobody can stop a thread from outside. A timeout or a cancellation ends
       * the task at once, but this thread goes on until it looks here. */
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;

      n = TEMP_FAILURE_RETRY (read (self->fd, buffer, buffer_size));
      if (n < 0)
        {
          set_error_from_errno (error, errno, "Cannot read");
          return FALSE;
        }

      if (self->content_type == NULL)
        reader_sniff (self, buffer, n);
      if (n == 0)
        return TRUE;

      g_checksum_update (self->checksum, buffer, n);
      self->done += n;
      reader_report (self);
    }
}

static GVariant *
reader_make_row (Reader *self)
{
  /* The size is what was read and hashed, even if the file has grown since. */
  return g_variant_new ("(^aytxssy)",
                        self->path,
                        self->done,
                        (gint64) self->stat.st_mtime,
                        g_checksum_get_string (self->checksum),
                        self->content_type,
                        (guint8) self->klass);
}

/* The function of a hash task. It is called once for each attempt: what it
 * returns as an error is what the queue decides about, by the retries that the
 * task has left. */
void
index_hash_file (OsiisoAttempt *attempt,
                 gpointer       user_data)
{
  g_autoptr (GError) error = NULL;
  Reader reader = {
    .attempt = attempt,
    .path = user_data,
    .fd = -1,
    .checksum = g_checksum_new (G_CHECKSUM_SHA256),
  };

  if (reader_open (&reader, &error) && reader_read (&reader, &error))
    osiiso_attempt_return_variant (attempt, reader_make_row (&reader));
  else
    osiiso_attempt_return_error (attempt, g_steal_pointer (&error));

  reader_clear (&reader);
}
