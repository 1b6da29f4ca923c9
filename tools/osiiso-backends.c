/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* osiiso backends: what is installed, what it can do, and what can be set there. */
#include "osiiso-tool.h"

#include <json-glib/json-glib.h>

typedef struct
{
  const char    *name;
  OsiisoBackend *backend; /* NULL: it could not be made, and error says why */
  GError        *error;
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_clear_object (&entry->backend);
  g_clear_error (&entry->error);
  g_free (entry);
}

static GPtrArray *
load_entries (char **names)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func (entry_free);

  for (guint i = 0; names[i] != NULL; i++)
    {
      Entry *entry = g_new0 (Entry, 1);

      entry->name = names[i];
      entry->backend = osiiso_backend_create (names[i], &entry->error);
      g_ptr_array_add (entries, entry);
    }
  return entries;
}

static GPtrArray *
list_capabilities (OsiisoBackend *backend)
{
  GPtrArray *nicks = g_ptr_array_new ();
  g_autoptr (GFlagsClass) klass = g_type_class_ref (OSIISO_TYPE_BACKEND_CAPABILITIES);
  guint capabilities = osiiso_backend_get_capabilities (backend);

  for (guint i = 0; i < klass->n_values; i++)
    if (klass->values[i].value != 0 && (capabilities & klass->values[i].value) == klass->values[i].value)
      g_ptr_array_add (nicks, (gpointer) klass->values[i].value_nick);
  return nicks;
}

static guint
count_workers (OsiisoBackend *backend)
{
  OsiisoBackendClass *klass = OSIISO_BACKEND_GET_CLASS (backend);

  return klass->get_default_workers != NULL ? klass->get_default_workers (backend) : 1;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return g_strcmp0 (g_param_spec_get_name (*(GParamSpec **) a), g_param_spec_get_name (*(GParamSpec **) b));
}

/* What its class adds to OsiisoBackend, and can be set. */
static GPtrArray *
list_settings (OsiisoBackend *backend)
{
  GPtrArray *settings = g_ptr_array_new ();
  guint n;
  g_autofree GParamSpec **all = g_object_class_list_properties (G_OBJECT_GET_CLASS (backend), &n);

  for (guint i = 0; i < n; i++)
    if (all[i]->owner_type != OSIISO_TYPE_BACKEND && g_type_is_a (all[i]->owner_type, OSIISO_TYPE_BACKEND) &&
        (all[i]->flags & G_PARAM_WRITABLE) != 0)
      g_ptr_array_add (settings, all[i]);
  g_ptr_array_sort (settings, compare_names);
  return settings;
}

/* In words that do not ask for a knowledge of GObject. */
static const char *
name_type (GParamSpec *pspec)
{
  GType type = G_PARAM_SPEC_VALUE_TYPE (pspec);

  if (type == G_TYPE_STRV)
    return "strings";
  if (type == G_TYPE_BYTES)
    return "bytes";
  switch (G_TYPE_FUNDAMENTAL (type))
    {
    case G_TYPE_BOOLEAN:
      return "boolean";
    case G_TYPE_STRING:
      return "string";
    case G_TYPE_INT:
    case G_TYPE_INT64:
    case G_TYPE_LONG:
    case G_TYPE_UINT:
    case G_TYPE_UINT64:
    case G_TYPE_ULONG:
      return "integer";
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
      return "number";
    case G_TYPE_ENUM:
      return "enum";
    case G_TYPE_FLAGS:
      return "flags";
    default:
      return g_type_name (type);
    }
}

static char *
print_number (double number)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  return g_strdup (g_ascii_formatd (buffer, sizeof buffer, "%g", number));
}

/* Both are NULL where the type has no range. */
static void
get_range (GParamSpec *pspec,
           char      **minimum,
           char      **maximum)
{
  *minimum = NULL;
  *maximum = NULL;
  if (G_IS_PARAM_SPEC_INT (pspec))
    {
      *minimum = g_strdup_printf ("%d", G_PARAM_SPEC_INT (pspec)->minimum);
      *maximum = g_strdup_printf ("%d", G_PARAM_SPEC_INT (pspec)->maximum);
    }
  else if (G_IS_PARAM_SPEC_INT64 (pspec))
    {
      *minimum = g_strdup_printf ("%" G_GINT64_FORMAT, G_PARAM_SPEC_INT64 (pspec)->minimum);
      *maximum = g_strdup_printf ("%" G_GINT64_FORMAT, G_PARAM_SPEC_INT64 (pspec)->maximum);
    }
  else if (G_IS_PARAM_SPEC_UINT (pspec))
    {
      *minimum = g_strdup_printf ("%u", G_PARAM_SPEC_UINT (pspec)->minimum);
      *maximum = g_strdup_printf ("%u", G_PARAM_SPEC_UINT (pspec)->maximum);
    }
  else if (G_IS_PARAM_SPEC_UINT64 (pspec))
    {
      *minimum = g_strdup_printf ("%" G_GUINT64_FORMAT, G_PARAM_SPEC_UINT64 (pspec)->minimum);
      *maximum = g_strdup_printf ("%" G_GUINT64_FORMAT, G_PARAM_SPEC_UINT64 (pspec)->maximum);
    }
  else if (G_IS_PARAM_SPEC_DOUBLE (pspec))
    {
      *minimum = print_number (G_PARAM_SPEC_DOUBLE (pspec)->minimum);
      *maximum = print_number (G_PARAM_SPEC_DOUBLE (pspec)->maximum);
    }
}

/* The values of an enumeration, as they are written. (nullable) */
static GPtrArray *
list_values (GParamSpec *pspec)
{
  GPtrArray *nicks = NULL;

  if (G_IS_PARAM_SPEC_ENUM (pspec))
    {
      GEnumClass *klass = G_PARAM_SPEC_ENUM (pspec)->enum_class;

      nicks = g_ptr_array_new ();
      for (guint i = 0; i < klass->n_values; i++)
        g_ptr_array_add (nicks, (gpointer) klass->values[i].value_nick);
    }
  return nicks;
}

/* NULL where there is none. */
static char *
get_default (GParamSpec *pspec)
{
  const GValue *value = g_param_spec_get_default_value (pspec);
  g_auto (GValue) text = G_VALUE_INIT;

  if (G_VALUE_HOLDS_STRING (value))
    return g_value_dup_string (value);
  if (G_VALUE_HOLDS_DOUBLE (value))
    return print_number (g_value_get_double (value));
  if (G_VALUE_HOLDS_BOOLEAN (value))
    return g_strdup (g_value_get_boolean (value) ? "true" : "false");
  if (G_IS_PARAM_SPEC_ENUM (pspec))
    {
      GEnumValue *found = g_enum_get_value (G_PARAM_SPEC_ENUM (pspec)->enum_class, g_value_get_enum (value));

      return g_strdup (found != NULL ? found->value_nick : NULL);
    }
  if (G_VALUE_HOLDS_BOXED (value))
    return NULL;
  g_value_init (&text, G_TYPE_STRING);
  return g_value_transform (value, &text) ? g_value_dup_string (&text) : NULL;
}

static char *
join (GPtrArray  *words,
      const char *separator)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < words->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? separator : "", (char *) words->pdata[i]);
  return g_string_free (text, FALSE);
}

/* Lines of cells, each column as wide as its widest cell. */
typedef struct
{
  guint      n_columns;
  GPtrArray *cells;
} Table;

static void
table_init (Table *table,
            guint  n_columns)
{
  table->n_columns = n_columns;
  table->cells = g_ptr_array_new_with_free_func (g_free);
}

static void
table_take (Table *table,
            char  *text)
{
  g_ptr_array_add (table->cells, text != NULL ? text : g_strdup (""));
}

static void
table_add (Table      *table,
           const char *text)
{
  table_take (table, g_strdup (text));
}

static void
table_print (Table      *table,
             const char *indent)
{
  g_autofree long *widths = g_new0 (long, table->n_columns);

  for (guint i = 0; i < table->cells->len; i++)
    widths[i % table->n_columns] = MAX (widths[i % table->n_columns], g_utf8_strlen (table->cells->pdata[i], -1));
  for (guint i = 0; i < table->cells->len; i += table->n_columns)
    {
      g_autoptr (GString) line = g_string_new (indent);

      for (guint c = 0; c < table->n_columns; c++)
        {
          const char *cell = table->cells->pdata[i + c];

          g_string_append (line, cell);
          for (long pad = g_utf8_strlen (cell, -1); pad < widths[c] + 2; pad++)
            g_string_append_c (line, ' ');
        }
      g_strchomp (line->str);
      g_print ("%s\n", line->str);
    }
  g_clear_pointer (&table->cells, g_ptr_array_unref);
}

static void
print_settings (Entry *entry)
{
  g_autoptr (GPtrArray) settings = list_settings (entry->backend);
  Table table;

  if (settings->len == 0)
    return;
  g_print ("\n%s\n", entry->name);
  table_init (&table, 5);
  table_add (&table, "SETTING");
  table_add (&table, "TYPE");
  table_add (&table, "RANGE");
  table_add (&table, "DEFAULT");
  table_add (&table, "DESCRIPTION");
  for (guint i = 0; i < settings->len; i++)
    {
      GParamSpec *pspec = settings->pdata[i];
      g_autoptr (GPtrArray) values = list_values (pspec);
      g_autofree char *minimum = NULL;
      g_autofree char *maximum = NULL;

      get_range (pspec, &minimum, &maximum);
      table_add (&table, g_param_spec_get_name (pspec));
      table_add (&table, name_type (pspec));
      if (values != NULL)
        table_take (&table, join (values, "|"));
      else
        table_take (&table, minimum != NULL ? g_strdup_printf ("%s…%s", minimum, maximum) : NULL);
      table_take (&table, get_default (pspec));
      table_add (&table, g_param_spec_get_blurb (pspec));
    }
  table_print (&table, "  ");
}

static void
print_table (GPtrArray *entries)
{
  Table table;

  table_init (&table, 4);
  table_add (&table, "BACKEND");
  table_add (&table, "WORKERS");
  table_add (&table, "CAPABILITIES");
  table_add (&table, "DESCRIPTION");
  for (guint i = 0; i < entries->len; i++)
    {
      Entry *entry = entries->pdata[i];

      table_add (&table, entry->name);
      if (entry->backend == NULL)
        {
          table_add (&table, "");
          table_take (&table, g_strdup_printf ("(%s)", entry->error->message));
          table_add (&table, NULL);
        }
      else
        {
          g_autoptr (GPtrArray) capabilities = list_capabilities (entry->backend);

          table_take (&table, g_strdup_printf ("%u", count_workers (entry->backend)));
          table_take (&table, join (capabilities, " "));
          table_add (&table, osiiso_backend_get_summary (entry->backend));
        }
    }
  table_print (&table, "");
  for (guint i = 0; i < entries->len; i++)
    if (((Entry *) entries->pdata[i])->backend != NULL)
      print_settings (entries->pdata[i]);
}

static void
build_strings (JsonBuilder *builder,
               const char  *member,
               GPtrArray   *words)
{
  json_builder_set_member_name (builder, member);
  json_builder_begin_array (builder);
  for (guint i = 0; i < words->len; i++)
    json_builder_add_string_value (builder, words->pdata[i]);
  json_builder_end_array (builder);
}

/* Numbers as numbers; a 64-bit one may lose digits there, as it would in most readers. */
static void
build_value (JsonBuilder *builder,
             const char  *member,
             GParamSpec  *pspec,
             const char  *text)
{
  const char *type = name_type (pspec);

  json_builder_set_member_name (builder, member);
  if (text == NULL)
    json_builder_add_null_value (builder);
  else if (g_str_equal (type, "boolean"))
    json_builder_add_boolean_value (builder, g_str_equal (text, "true"));
  else if (g_str_equal (type, "integer") && g_ascii_strtoull (text, NULL, 10) <= G_MAXINT64)
    json_builder_add_int_value (builder, g_ascii_strtoll (text, NULL, 10));
  else if (g_str_equal (type, "integer") || g_str_equal (type, "number"))
    json_builder_add_double_value (builder, g_ascii_strtod (text, NULL));
  else
    json_builder_add_string_value (builder, text);
}

static void
build_setting (JsonBuilder *builder,
               GParamSpec  *pspec)
{
  g_autoptr (GPtrArray) values = list_values (pspec);
  g_autofree char *minimum = NULL;
  g_autofree char *maximum = NULL;
  g_autofree char *standard = get_default (pspec);

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "name");
  json_builder_add_string_value (builder, g_param_spec_get_name (pspec));
  json_builder_set_member_name (builder, "type");
  json_builder_add_string_value (builder, name_type (pspec));
  get_range (pspec, &minimum, &maximum);
  if (minimum != NULL)
    {
      build_value (builder, "minimum", pspec, minimum);
      build_value (builder, "maximum", pspec, maximum);
    }
  if (values != NULL)
    build_strings (builder, "values", values);
  build_value (builder, "default", pspec, standard);
  json_builder_set_member_name (builder, "description");
  if (g_param_spec_get_blurb (pspec) != NULL)
    json_builder_add_string_value (builder, g_param_spec_get_blurb (pspec));
  else
    json_builder_add_null_value (builder);
  json_builder_end_object (builder);
}

static void
build_entry (JsonBuilder *builder,
             Entry       *entry)
{
  g_autoptr (GPtrArray) capabilities = NULL;
  g_autoptr (GPtrArray) settings = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "name");
  json_builder_add_string_value (builder, entry->name);
  if (entry->backend == NULL)
    {
      json_builder_set_member_name (builder, "error");
      json_builder_add_string_value (builder, entry->error->message);
    }
  else
    {
      capabilities = list_capabilities (entry->backend);
      settings = list_settings (entry->backend);
      json_builder_set_member_name (builder, "description");
      if (osiiso_backend_get_summary (entry->backend) != NULL)
        json_builder_add_string_value (builder, osiiso_backend_get_summary (entry->backend));
      else
        json_builder_add_null_value (builder);
      json_builder_set_member_name (builder, "workers");
      json_builder_add_int_value (builder, count_workers (entry->backend));
      build_strings (builder, "capabilities", capabilities);
      json_builder_set_member_name (builder, "settings");
      json_builder_begin_array (builder);
      for (guint i = 0; i < settings->len; i++)
        build_setting (builder, settings->pdata[i]);
      json_builder_end_array (builder);
    }
  json_builder_end_object (builder);
}

static void
print_json (GPtrArray *entries)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  json_builder_begin_array (builder);
  for (guint i = 0; i < entries->len; i++)
    build_entry (builder, entries->pdata[i]);
  json_builder_end_array (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, TRUE);
  g_print ("%s\n", text);
}

int
tool_backends (int    argc,
               char **argv)
{
  gboolean json = FALSE;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print an array in JSON", NULL },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("— list the backends that are installed");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  gboolean ok = TRUE;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return tool_usage_error (argv[0], "%s", error->message);
  if (argc > 1)
    return tool_usage_error (argv[0], "“%s” is one argument too many", argv[1]);

  names = osiiso_backend_list_names ();
  entries = load_entries (names);
  if (json)
    print_json (entries);
  else
    print_table (entries);
  for (guint i = 0; i < entries->len; i++)
    ok = ok && ((Entry *) entries->pdata[i])->backend != NULL;
  return ok ? TOOL_EXIT_OK : TOOL_EXIT_FAILED;
}
