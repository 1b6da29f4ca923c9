/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* osiiso call: a function for each input. */
#include "osiiso-jobs.h"
#include "osiiso-template.h"

#include <string.h>

typedef struct
{
  ToolSettings *settings;
  const char   *function;
  ToolTemplate *template; /* (nullable) of the argument, in the text format of GVariant */
  GVariantType *type;     /* (nullable) */
} Call;

static gboolean
refuse (GError    **error,
        const char *message)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, message);
  return FALSE;
}

/* Without a type an input is text: one string, or, where there can be several, an array. */
static GVariant *
make_strings (Call               *call,
              const char * const *columns,
              guint               without,
              GError            **error)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  for (guint i = 0; columns[i] != NULL; i++)
    {
      if (i + 1 == without)
        continue;
      if (!g_utf8_validate (columns[i], -1, NULL))
        {
          refuse (error, "The input is not UTF-8");
          return NULL;
        }
      g_ptr_array_add (texts, (gpointer) columns[i]);
    }
  if (texts->len == 1 && call->settings->inputs.max_args <= 1)
    return g_variant_new_string (texts->pdata[0]);
  return g_variant_new_strv ((const char * const *) texts->pdata, texts->len);
}

static GVariant *
parse_text (Call       *call,
            const char *text,
            GError    **error)
{
  g_autoptr (GError) reason = NULL;
  GVariant *value = NULL;

  /* As they are. */
  if (call->type != NULL && g_variant_type_equal (call->type, G_VARIANT_TYPE_BYTESTRING))
    return g_variant_new_bytestring (text);
  if (g_utf8_validate (text, -1, NULL))
    value = g_variant_parse (call->type, text, NULL, NULL, &reason);
  if (value == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is no argument: %s", text,
                 reason != NULL ? reason->message : "it is not UTF-8");
  return value;
}

static GVariant *
make_argument (Call               *call,
               const char * const *columns,
               guint               without,
               guint64             sequence,
               GError            **error)
{
  g_auto (GStrv) texts = NULL;

  if (call->template == NULL && call->type == NULL)
    return make_strings (call, columns, without, error);
  if (call->template != NULL)
    texts = tool_template_expand (call->template, columns, sequence, without);
  else
    texts = g_strdupv ((char **) columns);
  if (g_strv_length (texts) == 1)
    return parse_text (call, texts[0], error);
  refuse (error, "There are several columns, which have to be named in the argument: {1}, {2}, …");
  return NULL;
}

static OsiisoHandle *
submit_call (ToolJob            *job,
             const char * const *columns,
             guint               without,
             OsiisoQueue        *queue,
             OsiisoTaskOptions  *options,
             gpointer            user_data,
             GError            **error)
{
  Call *call = user_data;
  g_autoptr (GVariant) argument = make_argument (call, columns, without, job->sequence, error);
  g_autofree char *text = NULL;

  if (argument == NULL)
    return NULL;
  g_variant_take_ref (argument);
  text = g_variant_is_of_type (argument, G_VARIANT_TYPE_STRING) ? g_variant_dup_string (argument, NULL)
                                                                : g_variant_print (argument, FALSE);
  job->label = tool_quote ((const char *[]) { call->function, text, NULL });
  if (call->settings->dry_run)
    return NULL;
  return osiiso_queue_submit_call (queue, call->function, argument, options, error);
}

/* Text and bytes as they are, the rest as GVariant prints it. */
static GBytes *
print_value (const GValue *value)
{
  g_auto (GValue) transformed = G_VALUE_INIT;
  GVariant *variant = G_VALUE_HOLDS_VARIANT (value) ? g_value_get_variant (value) : NULL;
  g_autofree char *text = NULL;
  char *line;

  if (G_VALUE_HOLDS (value, G_TYPE_BYTES))
    return g_value_dup_boxed (value);
  g_value_init (&transformed, G_TYPE_STRING);
  if (variant != NULL && g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING))
    text = g_variant_dup_string (variant, NULL);
  else if (variant != NULL)
    text = g_variant_print (variant, FALSE);
  else if (g_value_transform (value, &transformed))
    text = g_value_dup_string (&transformed);
  if (text == NULL)
    return NULL;
  line = g_strconcat (text, "\n", NULL);
  return g_bytes_new_take (line, strlen (line));
}

static void
collect_call (ToolJob      *job,
              const GError *error,
              gpointer      user_data)
{
  const GValue *value = osiiso_handle_get_value (job->handle);

  if (value != NULL)
    job->out = print_value (value);
}

static const ToolJobKind call_kind = {
  .submit = submit_call,
  .collect = collect_call,
};

static gboolean
parse_words (Call    *call,
             GError **error)
{
  char **words = call->settings->words;
  const char *type = call->settings->type;
  guint n = g_strv_length (words);

  if (n == 0)
    return refuse (error, "there is no MODULE:SYMBOL");
  if (strchr (words[0], ':') == NULL)
    return refuse (error, "a function is named MODULE:SYMBOL");
  if (n > 2)
    return refuse (error, "there are words after the argument");
  if (type != NULL && (!g_variant_type_string_is_valid (type) || !g_variant_type_is_definite ((const GVariantType *) type)))
    return refuse (error, "the value of --type is no type of GVariant");
  call->function = words[0];
  if (n == 2)
    call->template = tool_template_new ((const char * const *) words + 1, call->settings->replacement,
                                        TOOL_TEMPLATE_COMPLETE);
  if (type != NULL)
    call->type = g_variant_type_new (type);
  return TRUE;
}

static int
call_with_inputs (Call       *call,
                  ToolInputs *inputs)
{
  const char *name = call->settings->backend != NULL ? call->settings->backend : "subprocess";
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create (name, &error);

  if (backend == NULL)
    {
      g_printerr ("%s: %s\n", call->settings->title, error->message);
      return TOOL_EXIT_FAILED;
    }
  if ((osiiso_backend_get_capabilities (backend) & OSIISO_BACKEND_CAPABILITIES_CALLS) == 0)
    return tool_usage_error (call->settings->title, "the backend %s makes no calls", name);
  if (!tool_settings_apply (call->settings, backend, &error))
    return tool_usage_error (call->settings->title, "%s", error->message);
  return tool_jobs_run (call->settings, backend, inputs, &call_kind, call);
}

int
tool_call (int    argc,
           char **argv)
{
  ToolSettings settings;
  Call call = { &settings, NULL, NULL, NULL };
  g_autoptr (ToolInputs) inputs = NULL;
  g_autoptr (GError) error = NULL;
  int status = TOOL_EXIT_OK;

  if (tool_settings_parse (&settings, FALSE, argv, &status))
    {
      if (!parse_words (&call, &error))
        status = tool_usage_error (settings.title, "%s", error->message);
      else if ((inputs = tool_settings_open_inputs (&settings, &status)) != NULL)
        status = call_with_inputs (&call, inputs);
    }
  g_clear_pointer (&call.template, tool_template_free);
  g_clear_pointer (&call.type, g_variant_type_free);
  tool_settings_clear (&settings);
  return status;
}
