/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * The words of a command with places for inputs: {} {.} {/} {//} {/.} as in GNU
 * parallel, the same with a number of a column, as {2/.}, and {#}.
 *
 * A word with {} is there once for each column of the input. If no word has a place,
 * {} is added as the last one.
 */
typedef struct _ToolTemplate ToolTemplate;

typedef enum
{
  TOOL_TEMPLATE_WORDS,
  TOOL_TEMPLATE_SCRIPT,   /* for sh: words are joined, and what is put into them is quoted */
  TOOL_TEMPLATE_COMPLETE, /* words to which nothing is added */
} ToolTemplateKind;

/* @replacement stands for {}. Without words, the input is the script. */
ToolTemplate *tool_template_new    (const char * const *words,
                                    const char         *replacement,
                                    ToolTemplateKind    kind);
void          tool_template_free   (ToolTemplate       *self);

/* Whether the first word, the program, depends on the input. */
gboolean      tool_template_varies (ToolTemplate       *self);

/* (transfer full) The command for one input. @without is the number of a column that
 * {} leaves out, 0 for none. */
char        **tool_template_expand (ToolTemplate       *self,
                                    const char * const *columns,
                                    guint64             sequence,
                                    guint               without);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ToolTemplate, tool_template_free)

G_END_DECLS
