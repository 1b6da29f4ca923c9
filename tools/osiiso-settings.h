/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-inputs.h"
#include "osiiso-tool.h"

G_BEGIN_DECLS

typedef enum
{
  TOOL_HALT_NEVER,
  TOOL_HALT_SOON, /* begin nothing more */
  TOOL_HALT_NOW,  /* and end what runs */
} ToolHalt;

typedef enum
{
  TOOL_RESUME_NOTHING,
  TOOL_RESUME_ALL,    /* leave out what the joblog has */
  TOOL_RESUME_FAILED, /* leave out what succeeded there */
} ToolResume;

/* What the command line says. */
struct _ToolSettings
{
  const char  *title; /* "osiiso run" */

  guint        jobs;
  int          retries;
  double       retry_delay;
  double       backoff;
  double       max_retry_delay;
  double       jitter;
  double       timeout;
  double       rate;
  int          burst;
  ToolHalt     halt;
  char       **set; /* (nullable) NAME=VALUE for the backend */

  ToolInputFormat inputs;
  char        *column_separator;
  int          priority_from; /* column; 0: none */
  char        *replacement;

  gboolean     keep_order;
  gboolean     ungroup;
  gboolean     line_buffer;
  gboolean     tag;
  gint64       output_limit;
  char        *joblog;
  ToolResume   resume;
  gboolean     dry_run;
  gboolean     json;
  char        *json_path; /* (nullable) standard output */
  gboolean     verbose;
  gboolean     quiet;
  int          progress; /* -1: on a terminal */

  /* run */
  gboolean     shell;
  char        *cwd;
  /* call */
  char        *backend;
  char        *type;

  /* The command line, what is left of it without options, and two parts of that: */
  char       **argv;
  char       **rest;
  char       **words;   /* before the first source */
  char       **sources; /* from the first source on */
};

/* FALSE if the program ends with *status. @command is TRUE for run, FALSE for call. */
gboolean tool_settings_parse (ToolSettings *self,
                              gboolean      command,
                              char        **argv,
                              int          *status);
void     tool_settings_clear (ToolSettings *self);

/* (transfer full) NULL if the program ends with *status. */
ToolInputs *tool_settings_open_inputs (ToolSettings *self,
                                       int          *status);

/* Sets properties of @backend as --set says. */
gboolean tool_settings_apply (ToolSettings  *self,
                              OsiisoBackend *backend,
                              GError       **error);

G_END_DECLS
