/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-joblog.h"
#include "osiiso-jobs.h"
#include "osiiso-output.h"
#include "osiiso-progress.h"
#include "osiiso-report.h"

G_BEGIN_DECLS

/*
 * A run. Three files have to do with it: osiiso-jobs.c from its set-up to its end,
 * osiiso-jobs-begin.c with jobs until they are in the queue, osiiso-jobs-end.c with
 * those that come out of it. All is done in one thread.
 */
typedef struct _ToolJobs ToolJobs;

struct _ToolJobs
{
  ToolSettings      *settings;
  ToolInputs        *inputs;
  const ToolJobKind *kind;
  gpointer           user_data;

  GMainLoop         *loop;
  OsiisoQueue       *queue;
  OsiisoTaskOptions *options;
  ToolOutput        *output;
  ToolReport        *report;
  ToolProgress      *progress;
  ToolJoblog        *joblog;   /* (nullable) */

  GHashTable        *jobs;     /* of those that have not ended, by the id of their task */
  GQueue             order;    /* with --keep-order: those that are not printed, as they were read */
  guint64            held;     /* bytes of these that have ended */
  guint              more;     /* source */

  gboolean           full;     /* of jobs that wait */
  gboolean           started;
  gboolean           no_more;  /* inputs */
  gboolean           closing;
  gboolean           closed;
  gboolean           told;     /* what it came to */
  gboolean           broken;   /* nobody reads what is printed */
  gboolean           bad;      /* failed by something that is no job */
  int                signal;   /* that came, or 0 */
  gboolean           insisted; /* it came again */
};

/* osiiso-jobs.c: no more inputs, and the end of the queue as soon as all jobs have
 * ended, with @force by their cancellation. */
void tool_jobs_close      (ToolJobs *self,
                           gboolean  force);
/* Ends the run if there is nothing left to do. */
void tool_jobs_check_end  (ToolJobs *self);

/* osiiso-jobs-begin.c: looks for inputs soon, and for the end. */
void tool_jobs_more_later (ToolJobs *self);

/* osiiso-jobs-end.c: of a job that has ended, succeeded or with @error. Takes @job. */
void tool_jobs_end        (ToolJobs     *self,
                           ToolJob      *job,
                           const GError *error);
/* Prints a job whose end needs no other book-keeping. Takes @job. */
void tool_jobs_release    (ToolJobs     *self,
                           ToolJob      *job);
void tool_jobs_connect    (ToolJobs     *self);
/* With --line-buffer, as far as there is room: a job that runs, or all of them. */
void tool_jobs_listen     (ToolJobs     *self,
                           ToolJob      *job);
void tool_jobs_listen_to_all (ToolJobs  *self);
void tool_job_free        (ToolJob      *job);

G_END_DECLS
