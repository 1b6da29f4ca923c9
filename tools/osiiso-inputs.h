/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Where inputs come from: lists on the command line (:::), files (::::, -a), or
 * standard input, one per line or ended by another character each. A single source is read as it
 * is needed; several are read at once, since each input of one meets all of the others.
 */
typedef struct _ToolInputs ToolInputs;

typedef enum
{
  TOOL_INPUT_ROW,  /* there is one */
  TOOL_INPUT_WAIT, /* there is none yet, see tool_inputs_watch() */
  TOOL_INPUT_END,
  TOOL_INPUT_ERROR,
} ToolInputState;

typedef struct
{
  char      **arg_files;  /* (nullable) of -a */
  char        end;        /* of inputs in files */
  gboolean    skip_empty;
  const char *separator;  /* (nullable) of columns */
  guint       max_args;   /* inputs in one row; 0 is 1 */
} ToolInputFormat;

/* Whether a word of the command line begins a source: ::: :::+ :::: ::::+ */
gboolean       tool_inputs_is_mark   (const char            *word);

/* @sources begins with such a word, or is empty. It must outlive what is returned. */
ToolInputs    *tool_inputs_new       (char                 **sources,
                                      const ToolInputFormat *format,
                                      GError               **error);
void           tool_inputs_free      (ToolInputs            *self);

/* The columns of the next job, (transfer full). Never blocks: with several sources, there
 * is none before all are read. */
ToolInputState tool_inputs_next      (ToolInputs            *self,
                                      char                ***columns,
                                      GError               **error);

/* Calls @callback once, in the default main context, when it is worth to try again. */
void           tool_inputs_watch     (ToolInputs            *self,
                                      GSourceFunc            callback,
                                      gpointer               user_data);
/* No more inputs are wanted. */
void           tool_inputs_stop      (ToolInputs            *self);

/* How many rows there are, given that @read have been read; 0 if that cannot be said.
 * *exact is FALSE if it is guessed from the part of a file that was read. */
guint64        tool_inputs_get_total (ToolInputs            *self,
                                      guint64                read,
                                      gboolean              *exact);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ToolInputs, tool_inputs_free)

G_END_DECLS
