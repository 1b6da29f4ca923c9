/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index-text.h"

char *
index_text_make_printable (const char *text)
{
  GString *printable = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isprint (c))
        g_string_append_unichar (printable, c);
      else
        g_string_append_printf (printable, "\\u%04x", c);
    }

  return g_string_free (printable, FALSE);
}

char *
index_text_from_filename (const char *filename)
{
  g_autofree char *display = g_filename_display_name (filename);

  return index_text_make_printable (display);
}

char *
index_text_from_size (guint64 size)
{
  g_autofree char *text = g_format_size (size);
  GString *plain = g_string_new (text);

  g_string_replace (plain, "\u00a0", " ", 0);
  return g_string_free (plain, FALSE);
}
