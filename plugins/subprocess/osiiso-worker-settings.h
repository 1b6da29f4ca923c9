/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/*
 * OsiisoWorkerSettings: what workers are started with, and some of it commands, too.
 * Constant while a backend is open; times are in microseconds.
 */
typedef struct
{
  char  **argv;          /* (nullable): the worker that comes with the library */
  char  **environment;   /* (nullable): that of this process */
  char   *module_path;   /* (nullable) */
  GBytes *setup;         /* (nullable): sent to each worker before its first call */
  guint8  setup_encoding;
  gint64  grace;         /* between being asked to end and being killed */
  gint64  start_timeout; /* until the greeting */
  guint   tasks_per_worker; /* 0: no limit */
  guint   window;        /* calls that a worker has at a time; 0: by their duration */
  guint32 max_frame;     /* bytes, not 0 */
  /* of workers and commands */
  guint64 address_space; /* bytes, 0: no limit */
  guint64 cpu_time;      /* seconds, 0: no limit */
  int     nice;          /* added */
  /* of commands */
  gboolean commands_die; /* with this process; workers do */
} OsiisoWorkerSettings;

G_END_DECLS
