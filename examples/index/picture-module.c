/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What worker processes of osiiso-index load: a function that decodes a picture.
 * Nothing of the program is in these, so a call and its value are GVariants.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <osiiso.h>

#include "index-pictures.h"

#define PPM_TYPE        "image/x-portable-pixmap"
#define PPM_HEADER_SIZE 512

G_MODULE_EXPORT GVariant *index_picture_measure (OsiisoAttempt *attempt,
                                                 GVariant      *args,
                                                 GError       **error);

/* Sums over all pixels; colours count as much as they can be seen. */
typedef struct
{
  guint64 red;
  guint64 green;
  guint64 blue;
  guint64 opacity;
} Sums;

static void
add_row (Sums         *sums,
         const guint8 *row,
         guint         width,
         guint         n_channels)
{
  for (guint x = 0; x < width; x++, row += n_channels)
    {
      guint opacity = n_channels == 4 ? row[3] : 255;

      sums->red += row[0] * opacity;
      sums->green += row[1] * opacity;
      sums->blue += row[2] * opacity;
      sums->opacity += opacity;
    }
}

static guint32
mean (guint64 sum,
      guint64 opacity)
{
  return (guint32) ((sum + opacity / 2) / opacity);
}

static GVariant *
make_value (guint       width,
            guint       height,
            const Sums *sums)
{
  gboolean visible = sums->opacity > 0;
  guint32 color = 0;

  if (visible)
    color = mean (sums->red, sums->opacity) << 16 | mean (sums->green, sums->opacity) << 8 |
            mean (sums->blue, sums->opacity);

  return g_variant_new (INDEX_PICTURE_TYPE, width, height, visible, color);
}

/* PPM, a format that is so simple that anybody writes a decoder for it: a line of
 * text, and then three bytes for each pixel. */

typedef struct
{
  guint width;
  guint height;
  gsize offset; /* of the pixels */
} PpmHeader;

/* One number, behind white space and comments. */
static const char *
parse_number (const char *p,
              guint      *number)
{
  guint64 value;
  char *end;

  while (g_ascii_isspace (*p) || *p == '#')
    p += *p == '#' ? strcspn (p, "\n") : 1;
  if (!g_ascii_isdigit (*p))
    return NULL;

  value = g_ascii_strtoull (p, &end, 10);
  *number = (guint) value;
  return value > 0 && value < 1 << 16 ? end : NULL;
}

/* FALSE for what is no PPM, or of the kinds that are not for the decoder here. */
static gboolean
parse_ppm_header (const char *text,
                  PpmHeader  *header)
{
  guint max = 0;
  const char *p;

  if (!g_str_has_prefix (text, "P6"))
    return FALSE;

  p = parse_number (text + 2, &header->width);
  if (p != NULL)
    p = parse_number (p, &header->height);
  if (p != NULL)
    p = parse_number (p, &max);
  if (p == NULL || max != 255 || !g_ascii_isspace (*p))
    return FALSE;

  header->offset = p + 1 - text;
  return TRUE;
}

/* This is wrong, as such decoders are: it believes the header. If the file is much
 * shorter than that says, there is nothing where the rest would be, and the process
 * gets SIGBUS. The check at the end is right and comes too late.
 *
 * In a thread of the program that would be the end of all the work. */
static GVariant *
measure_ppm (int              fd,
             const PpmHeader *header,
             GError         **error)
{
  gsize stride = (gsize) header->width * 3;
  gsize length = header->offset + stride * header->height;
  guint8 *data = mmap (NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
  struct stat status;
  Sums sums = { 0 };

  if (data == MAP_FAILED)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "Cannot map: %s", g_strerror (errno));
      return NULL;
    }

  for (guint y = 0; y < header->height; y++)
    add_row (&sums, data + header->offset + y * stride, header->width, 3);
  munmap (data, length);

  if (fstat (fd, &status) != 0 || (gsize) status.st_size < length)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "The picture is cut off");
      return NULL;
    }
  return make_value (header->width, header->height, &sums);
}

/* All other formats */

/* Whether there is a decoder at all. Without one a picture is not broken. */
static gboolean
is_supported (const char *content_type)
{
  g_autofree char *mime_type = g_content_type_get_mime_type (content_type);
  GSList *formats = gdk_pixbuf_get_formats ();
  gboolean found = FALSE;

  for (GSList *l = formats; l != NULL && !found; l = l->next)
    {
      g_auto (GStrv) types = gdk_pixbuf_format_get_mime_types (l->data);

      found = mime_type != NULL && g_strv_contains ((const char * const *) types, mime_type);
    }
  g_slist_free (formats);

  return found;
}

static GVariant *
measure_pixbuf (const char *path,
                GError    **error)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new_from_file (path, error);
  const guint8 *pixels;
  guint width;
  guint height;
  Sums sums = { 0 };

  if (pixbuf == NULL)
    return NULL;

  width = (guint) gdk_pixbuf_get_width (pixbuf);
  height = (guint) gdk_pixbuf_get_height (pixbuf);
  pixels = gdk_pixbuf_read_pixels (pixbuf);
  for (guint y = 0; y < height; y++)
    add_row (&sums, pixels + (gsize) y * (guint) gdk_pixbuf_get_rowstride (pixbuf), width,
             (guint) gdk_pixbuf_get_n_channels (pixbuf));

  return make_value (width, height, &sums);
}

/* The function that is called: with a path and a content type, see INDEX_PICTURE_ARGS. */
GVariant *
index_picture_measure (OsiisoAttempt *attempt,
                       GVariant      *args,
                       GError       **error)
{
  g_autofree char *text = g_malloc0 (PPM_HEADER_SIZE + 1);
  const char *path;
  const char *content_type;
  GVariant *value;
  PpmHeader header;
  int fd;

  g_variant_get (args, "(^&ay&s)", &path, &content_type);
  if (!g_content_type_equals (content_type, PPM_TYPE))
    return is_supported (content_type) ? measure_pixbuf (path, error) : NULL;

  fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 || TEMP_FAILURE_RETRY (pread (fd, text, PPM_HEADER_SIZE, 0)) < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "Cannot read: %s", g_strerror (errno));
      value = NULL;
    }
  else if (parse_ppm_header (text, &header))
    {
      value = measure_ppm (fd, &header, error);
    }
  else
    {
      value = measure_pixbuf (path, error);
    }
  if (fd >= 0)
    close (fd);

  return value;
}
