/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-arguments.h"

#include <string.h>

/* The entry of a long option, or, without @name, of a short one. */
static const GOptionEntry *
find_entry (const GOptionEntry * const *groups,
            const char                 *name,
            char                        letter)
{
  for (; *groups != NULL; groups++)
    for (const GOptionEntry *entry = *groups; entry->long_name != NULL; entry++)
      if (name != NULL ? strcmp (entry->long_name, name) == 0 : entry->short_name == letter)
        return entry;
  return NULL;
}

static gboolean
wants_value (const GOptionEntry *entry)
{
  return entry != NULL && entry->arg != G_OPTION_ARG_NONE && (entry->flags & G_OPTION_FLAG_OPTIONAL_ARG) == 0;
}

/* Letters up to the first one that has a value. TRUE if that is the next word. */
static gboolean
split_letters (const char                 *letters,
               const GOptionEntry * const *groups,
               GPtrArray                  *words)
{
  for (; *letters != '\0'; letters++)
    {
      g_ptr_array_add (words, g_strdup_printf ("-%c", *letters));
      if (wants_value (find_entry (groups, NULL, *letters)))
        {
          if (letters[1] != '\0')
            g_ptr_array_add (words, g_strdup (letters + 1));
          return letters[1] == '\0';
        }
    }
  return FALSE;
}

char **
tool_arguments_spell_out (char                      **argv,
                          const GOptionEntry * const *groups)
{
  GPtrArray *words = g_ptr_array_new ();
  gboolean is_value = FALSE;

  g_ptr_array_add (words, g_strdup (*argv++));
  for (; *argv != NULL; argv++)
    {
      const char *word = *argv;
      const GOptionEntry *entry;

      if (is_value)
        {
          g_ptr_array_add (words, g_strdup (word));
          is_value = FALSE;
        }
      else if (word[0] != '-' || word[1] == '\0' || strcmp (word, "--") == 0)
        {
          break;
        }
      else if (word[1] != '-')
        {
          is_value = split_letters (word + 1, groups, words);
        }
      else
        {
          entry = find_entry (groups, word + 2, '\0');
          is_value = wants_value (entry);
          g_ptr_array_add (words, entry != NULL && entry->flags & G_OPTION_FLAG_OPTIONAL_ARG
                                    ? g_strconcat (word, "=", NULL) : g_strdup (word));
        }
    }
  for (; *argv != NULL; argv++)
    g_ptr_array_add (words, g_strdup (*argv));
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (words, FALSE);
}
