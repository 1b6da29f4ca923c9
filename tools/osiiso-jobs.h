/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-lines.h"
#include "osiiso-settings.h"

G_BEGIN_DECLS

/*
 * Takes one job after another from the inputs to a queue, prints what comes out, and
 * keeps the books. There are never more than some thousand jobs in memory, so that
 * inputs have no end that matters.
 */

typedef struct
{
  guint64       sequence;    /* from 1 */
  char         *label;       /* what it runs, for people */
  char         *tag;         /* (nullable) what begins its lines */
  OsiisoHandle *handle;      /* (nullable) */
  gboolean      ended;       /* but not printed yet */
  ToolLines    *lines;       /* (nullable) with --line-buffer */
  gpointer      run;         /* for tool_jobs_print_lines() */

  /* What came out. */
  GBytes       *out;         /* (nullable) */
  GBytes       *err;         /* (nullable) */
  guint64       dropped;     /* bytes that did not fit */
  int           exit_status;
  int           signal;
  double        runtime;     /* s */
  char         *complaint;   /* (nullable) what is wrong, for people */
} ToolJob;

typedef struct
{
  /* (transfer full) Gives a job to the queue, and sets its label. NULL: with an error,
   * or, without one, it is only a rehearsal. One that prints itself has lines. */
  OsiisoHandle *(*submit)  (ToolJob            *job,
                            const char * const *columns,
                            guint               without,
                            OsiisoQueue        *queue,
                            OsiisoTaskOptions  *options,
                            gpointer            user_data,
                            GError            **error);
  /* Fills in what came out of one that has succeeded or failed. */
  void          (*collect) (ToolJob            *job,
                            const GError       *error, /* (nullable) */
                            gpointer            user_data);
} ToolJobKind;

/* A ToolLinesPrint: prints lines of a job, which is its data. */
void tool_jobs_print_lines (int      fd,
                            GBytes  *bytes,
                            gpointer job);

/* Runs all jobs on @backend and returns the exit status. */
int tool_jobs_run (ToolSettings      *settings,
                   OsiisoBackend     *backend,
                   ToolInputs        *inputs,
                   const ToolJobKind *kind,
                   gpointer           user_data);

G_END_DECLS
