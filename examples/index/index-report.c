/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>

#include <json-glib/json-glib.h>

#include "index-pictures.h"
#include "index-report.h"
#include "index-text.h"

#define MAX_FAILURES_SHOWN 10

static void
print_classes (const IndexTotals *totals)
{
  g_print ("\n%-10s %10s %12s\n", "class", "files", "size");
  for (guint i = 0; i < INDEX_N_CLASSES; i++)
    {
      const IndexCount *count = &totals->classes[i];
      g_autofree char *size = index_text_from_size (count->bytes);

      if (count->files > 0)
        g_print ("%-10s %10" G_GUINT64_FORMAT " %12s\n",
                 index_class_get_name (i), count->files, size);
    }
}

static void
print_pictures (const IndexReport *self)
{
  const IndexTotals *totals = self->totals;

  if (self->options->no_pictures)
    return;

  if (index_pictures_are_built ())
    g_print ("\nPictures: %" G_GUINT64_FORMAT " decoded, %" G_GUINT64_FORMAT " failed, %" G_GUINT64_FORMAT
             " of kinds without a decoder\n",
             totals->pictures.decoded, totals->pictures.failed, totals->pictures.skipped);
  else
    g_print ("\nPictures: none decoded, because this program was built without gdk-pixbuf\n");
}

static void
print_failure (const IndexFailure *failure,
               gpointer            user_data)
{
  g_autofree char *path = index_text_from_filename (failure->path);
  g_autofree char *message = index_text_make_printable (failure->message);

  g_print ("  %s: %s (%u %s)\n", path, message,
           failure->attempts, failure->attempts == 1 ? "attempt" : "attempts");
}

static gboolean
print_failures (const IndexReport *self,
                GError           **error)
{
  guint64 n = index_totals_get_failed (self->totals);

  if (n == 0)
    return TRUE;

  g_print ("\nFailed: %" G_GUINT64_FORMAT " %s\n", n, n == 1 ? "file, folder or picture" : "files, folders and pictures");
  if (!index_store_foreach_failure (self->store, self->options->folder, MAX_FAILURES_SHOWN,
                                    print_failure, NULL, error))
    return FALSE;
  if (n > MAX_FAILURES_SHOWN)
    g_print ("  and %" G_GUINT64_FORMAT " more, all in the table 'failures'\n", n - MAX_FAILURES_SHOWN);

  return TRUE;
}

gboolean
index_report_print_text (const IndexReport *self,
                         GError           **error)
{
  const IndexTotals *totals = self->totals;
  g_autofree char *summary = osiiso_run_summary_to_string (self->summary);
  g_autofree char *folder = index_text_from_filename (self->options->folder);
  g_autofree char *database = index_text_from_filename (self->options->database);
  g_autofree char *size = index_text_from_size (totals->hashed.bytes);

  g_print ("%s %s: %" G_GUINT64_FORMAT " files, %s, in %" G_GUINT64_FORMAT " folders"
           " (left out: %" G_GUINT64_FORMAT " links, %" G_GUINT64_FORMAT " special files)\n",
           self->interrupted ? "Interrupted, indexed only a part of" : "Indexed",
           folder, totals->hashed.files, size, totals->folders, totals->links, totals->specials);
  g_print ("%s\n", g_strchomp (summary));

  print_classes (totals);
  print_pictures (self);
  if (!print_failures (self, error))
    return FALSE;
  g_print ("\nDatabase: %s\n", database);

  return TRUE;
}

static void
add_int (JsonBuilder *builder,
         const char  *name,
         guint64      value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_filename (JsonBuilder *builder,
              const char  *name,
              const char  *filename)
{
  /* JSON is UTF-8. The exact bytes are in the database. */
  g_autofree char *display = g_filename_display_name (filename);

  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, display);
}

static void
add_classes (JsonBuilder       *builder,
             const IndexTotals *totals)
{
  json_builder_set_member_name (builder, "classes");
  json_builder_begin_object (builder);
  for (guint i = 0; i < INDEX_N_CLASSES; i++)
    {
      if (totals->classes[i].files == 0)
        continue;

      json_builder_set_member_name (builder, index_class_get_name (i));
      json_builder_begin_object (builder);
      add_int (builder, "files", totals->classes[i].files);
      add_int (builder, "bytes", totals->classes[i].bytes);
      json_builder_end_object (builder);
    }
  json_builder_end_object (builder);
}

/* null: not looked for, or not built. */
static void
add_pictures (JsonBuilder       *builder,
              const IndexReport *self)
{
  const IndexTotals *totals = self->totals;

  json_builder_set_member_name (builder, "pictures");
  if (self->options->no_pictures || !index_pictures_are_built ())
    {
      json_builder_add_null_value (builder);
      return;
    }

  json_builder_begin_object (builder);
  add_int (builder, "found", totals->pictures.found);
  add_int (builder, "decoded", totals->pictures.decoded);
  add_int (builder, "failed", totals->pictures.failed);
  add_int (builder, "skipped", totals->pictures.skipped);
  add_int (builder, "cancelled", totals->pictures.done - totals->pictures.decoded - totals->pictures.failed -
                                 totals->pictures.skipped);
  add_int (builder, "pixels", totals->pictures.pixels);
  json_builder_end_object (builder);
}

static void
add_failure (const IndexFailure *failure,
             gpointer            user_data)
{
  JsonBuilder *builder = user_data;

  json_builder_begin_object (builder);
  add_filename (builder, "path", failure->path);
  json_builder_set_member_name (builder, "kind");
  json_builder_add_string_value (builder, failure->kind);
  json_builder_set_member_name (builder, "message");
  json_builder_add_string_value (builder, failure->message);
  add_int (builder, "attempts", failure->attempts);
  json_builder_end_object (builder);
}

static gboolean
add_failures (JsonBuilder       *builder,
              const IndexReport *self,
              GError           **error)
{
  gboolean ok;

  json_builder_set_member_name (builder, "failures");
  json_builder_begin_array (builder);
  ok = index_store_foreach_failure (self->store, self->options->folder, -1, add_failure, builder, error);
  json_builder_end_array (builder);

  return ok;
}

static gboolean
build_json (JsonBuilder       *builder,
            const IndexReport *self,
            GError           **error)
{
  const IndexTotals *totals = self->totals;

  json_builder_begin_object (builder);
  add_filename (builder, "folder", self->options->folder);
  add_filename (builder, "database", self->options->database);
  json_builder_set_member_name (builder, "interrupted");
  json_builder_add_boolean_value (builder, self->interrupted);
  json_builder_set_member_name (builder, "duration");
  json_builder_add_double_value (builder, osiiso_run_summary_get_duration (self->summary));
  add_int (builder, "files", totals->found.files);
  add_int (builder, "bytes", totals->hashed.bytes);
  add_int (builder, "folders", totals->folders);
  add_int (builder, "folders_failed", totals->folders_failed);
  add_int (builder, "symlinks", totals->links);
  add_int (builder, "specials", totals->specials);
  add_int (builder, "succeeded", osiiso_run_summary_get_succeeded (self->summary));
  add_int (builder, "failed", osiiso_run_summary_get_failed (self->summary));
  add_int (builder, "cancelled", osiiso_run_summary_get_cancelled (self->summary));
  add_int (builder, "retries", totals->retries);
  add_classes (builder, totals);
  add_pictures (builder, self);
  if (!add_failures (builder, self, error))
    return FALSE;
  json_builder_end_object (builder);

  return TRUE;
}

gboolean
index_report_print_json (const IndexReport *self,
                         GError           **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  if (!build_json (builder, self, error))
    return FALSE;

  root = json_builder_get_root (builder);
  text = json_to_string (root, TRUE);
  /* JSON is UTF-8 whatever the locale is, which g_print() would not be. */
  fputs (text, stdout);
  fputc ('\n', stdout);

  return TRUE;
}
