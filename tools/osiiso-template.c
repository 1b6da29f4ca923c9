/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "osiiso-template.h"

#include <string.h>

typedef enum
{
  PART_TEXT,
  PART_SEQUENCE, /* {#} */
  PART_INPUT,    /* {} */
  PART_NO_SUFFIX,/* {.} */
  PART_BASE,     /* {/} */
  PART_FOLDER,   /* {//} */
  PART_STEM,     /* {/.} */
} PartKind;

typedef struct
{
  PartKind kind;
  guint    column; /* from 1; 0: all */
  char    *text;   /* (nullable) */
} Part;

typedef struct
{
  GArray  *parts;
  gboolean repeats; /* has a place for all columns */
} Word;

struct _ToolTemplate
{
  GPtrArray *words;
  gboolean   shell;
  gboolean   raw; /* the input is the script */
};

static void
part_clear (gpointer data)
{
  g_free (((Part *) data)->text);
}

static void
word_free (gpointer data)
{
  Word *word = data;

  g_array_unref (word->parts);
  g_free (word);
}

static void
word_add (Word    *word,
          PartKind kind,
          guint    column)
{
  Part part = { kind, column, NULL };

  g_array_append_val (word->parts, part);
  if (kind >= PART_INPUT && column == 0)
    word->repeats = TRUE;
}

static void
word_add_text (Word    *word,
               GString *text)
{
  Part part = { PART_TEXT, 0, NULL };

  if (text->len == 0)
    return;
  part.text = g_strdup (text->str);
  g_array_append_val (word->parts, part);
  g_string_truncate (text, 0);
}

/* How many bytes a place at @text has, 0 if there is none. */
static gsize
parse_place (const char *text,
             PartKind   *kind,
             guint      *column)
{
  static const struct
  {
    const char *end;
    PartKind    kind;
  } forms[] = {
    { "}", PART_INPUT },
    { ".}", PART_NO_SUFFIX },
    { "/}", PART_BASE },
    { "//}", PART_FOLDER },
    { "/.}", PART_STEM },
  };
  const char *p = text + 1;

  *column = 0;
  if (*text != '{')
    return 0;
  if (g_str_has_prefix (p, "#}"))
    {
      *kind = PART_SEQUENCE;
      return 3;
    }
  while (g_ascii_isdigit (*p) && *column < 100000)
    *column = *column * 10 + (guint) (*p++ - '0');
  if (p > text + 1 && *column == 0)
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    if (g_str_has_prefix (p, forms[i].end))
      {
        *kind = forms[i].kind;
        return (gsize) (p - text) + strlen (forms[i].end);
      }
  return 0;
}

static Word *
word_parse (const char *text,
            const char *replacement)
{
  Word *word = g_new0 (Word, 1);
  g_autoptr (GString) literal = g_string_new (NULL);

  word->parts = g_array_new (FALSE, FALSE, sizeof (Part));
  g_array_set_clear_func (word->parts, part_clear);
  while (*text != '\0')
    {
      PartKind kind = PART_INPUT;
      guint column = 0;
      gsize n;

      if (g_str_has_prefix (text, replacement))
        n = strlen (replacement);
      else if (g_str_has_prefix (text, "{}"))
        n = 0;
      else
        n = parse_place (text, &kind, &column);
      if (n == 0)
        {
          g_string_append_c (literal, *text++);
          continue;
        }
      word_add_text (word, literal);
      word_add (word, kind, column);
      text += n;
    }
  word_add_text (word, literal);
  return word;
}

static gboolean
word_has_place (Word *word)
{
  for (guint i = 0; i < word->parts->len; i++)
    if (g_array_index (word->parts, Part, i).kind != PART_TEXT)
      return TRUE;
  return FALSE;
}

ToolTemplate *
tool_template_new (const char * const *words,
                   const char         *replacement,
                   ToolTemplateKind    kind)
{
  ToolTemplate *self = g_new0 (ToolTemplate, 1);
  gboolean has_place = kind == TOOL_TEMPLATE_COMPLETE;

  self->words = g_ptr_array_new_with_free_func (word_free);
  self->raw = words[0] == NULL;
  self->shell = kind == TOOL_TEMPLATE_SCRIPT || self->raw;
  for (guint i = 0; words[i] != NULL; i++)
    {
      Word *word = word_parse (words[i], replacement);

      g_ptr_array_add (self->words, word);
      has_place = has_place || word_has_place (word);
    }
  if (!has_place)
    g_ptr_array_add (self->words, word_parse (replacement, replacement));
  return self;
}

void
tool_template_free (ToolTemplate *self)
{
  g_ptr_array_unref (self->words);
  g_free (self);
}

gboolean
tool_template_varies (ToolTemplate *self)
{
  return self->shell || word_has_place (self->words->pdata[0]);
}

static gsize
find_base (const char *input)
{
  const char *slash = strrchr (input, '/');

  return slash != NULL ? (gsize) (slash - input) + 1 : 0;
}

/* Where the suffix of what begins at @from begins. */
static gsize
find_suffix (const char *input,
             gsize       from)
{
  const char *dot = strrchr (input + from, '.');

  return dot != NULL ? (gsize) (dot - input) : strlen (input);
}

static gsize
find_folder_end (const char *input)
{
  gsize end = find_base (input);

  while (end > 1 && input[end - 1] == '/')
    end--;
  return end;
}

static void
append_form (GString    *text,
             const char *input,
             PartKind    kind)
{
  gsize base = find_base (input);

  switch (kind)
    {
    case PART_NO_SUFFIX:
      g_string_append_len (text, input, (gssize) find_suffix (input, base));
      break;
    case PART_BASE:
      g_string_append (text, input + base);
      break;
    case PART_FOLDER:
      if (base == 0)
        g_string_append_c (text, '.');
      else
        g_string_append_len (text, input, (gssize) find_folder_end (input));
      break;
    case PART_STEM:
      g_string_append_len (text, input + base, (gssize) (find_suffix (input, base) - base));
      break;
    case PART_INPUT:
      g_string_append (text, input);
      break;
    case PART_TEXT:
    case PART_SEQUENCE:
    default:
      g_assert_not_reached ();
    }
}

static void
append_input (ToolTemplate *self,
              GString      *text,
              const char   *input,
              PartKind      kind)
{
  g_autoptr (GString) value = NULL;
  g_autofree char *quoted = NULL;

  if (!self->shell || self->raw)
    {
      append_form (text, input, kind);
      return;
    }
  value = g_string_new (NULL);
  append_form (value, input, kind);
  quoted = g_shell_quote (value->str);
  g_string_append (text, quoted);
}

/* One word, with @input where all columns would be. A column that is not there is empty. */
static char *
expand_word (ToolTemplate       *self,
             Word               *word,
             const char * const *columns,
             guint               n_columns,
             const char         *input,
             guint64             sequence)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < word->parts->len; i++)
    {
      Part *part = &g_array_index (word->parts, Part, i);

      if (part->kind == PART_TEXT)
        g_string_append (text, part->text);
      else if (part->kind == PART_SEQUENCE)
        g_string_append_printf (text, "%" G_GUINT64_FORMAT, sequence);
      else if (part->column == 0)
        append_input (self, text, input, part->kind);
      else if (part->column <= n_columns)
        append_input (self, text, columns[part->column - 1], part->kind);
    }
  return g_string_free (text, FALSE);
}

static char **
make_script (GPtrArray *words)
{
  g_autofree char *script = NULL;
  const char *argv[] = { "/bin/sh", "-c", NULL, NULL };

  g_ptr_array_add (words, NULL);
  script = g_strjoinv (" ", (char **) words->pdata);
  argv[2] = script;
  return g_strdupv ((char **) argv);
}

char **
tool_template_expand (ToolTemplate       *self,
                      const char * const *columns,
                      guint64             sequence,
                      guint               without)
{
  guint n_columns = g_strv_length ((char **) columns);
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  for (guint w = 0; w < self->words->len; w++)
    {
      Word *word = self->words->pdata[w];

      if (!word->repeats)
        g_ptr_array_add (words, expand_word (self, word, columns, n_columns, "", sequence));
      else
        for (guint c = 0; c < n_columns; c++)
          if (c + 1 != without)
            g_ptr_array_add (words, expand_word (self, word, columns, n_columns, columns[c], sequence));
    }
  if (self->shell)
    return make_script (words);
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}
