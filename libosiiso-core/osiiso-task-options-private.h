/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "osiiso-retry-rules-private.h"
#include "osiiso-task-options.h"
#include "osiiso-task-params-private.h"

G_BEGIN_DECLS

struct _OsiisoTaskOptions
{
  GObject parent_instance;

  pthread_mutex_t lock;

  /* Written with the lock held by the one thread that may, which therefore
   * reads them without. */
  int               priority;
  int               retries;
  double            timeout;
  double            deadline;
  double            retry_delay;
  double            backoff;
  double            max_retry_delay;
  double            jitter;
  double            delay;
  double            run_at;
  char             *name;        /* (nullable) (owned) */
  char             *group_id;    /* (nullable) (owned) */
  GVariant         *metadata;    /* (nullable) (owned) */
  GCancellable     *cancellable; /* (nullable) (owned) */
  OsiisoRetryRules *retry_rules; /* (nullable) (owned) */
  gboolean          must_complete;
  gboolean          detached;
  _Atomic gboolean  has_cancellable; /* a look without the lock */
  _Atomic guint32   plain;           /* the same: see osiiso_task_options_get_plain(); 0: not known */

  /* Protected by the lock. */
  gboolean          has_snapshot;
  OsiisoTaskParams *snapshot; /* (nullable): the defaults */
};

typedef enum
{
  PROP_0, /* none */
  PROP_PRIORITY,
  PROP_MUST_COMPLETE,
  PROP_TIMEOUT,
  PROP_DEADLINE,
  PROP_RETRIES,
  PROP_RETRY_DELAY,
  PROP_BACKOFF,
  PROP_MAX_RETRY_DELAY,
  PROP_JITTER,
  PROP_DELAY,
  PROP_RUN_AT,
  PROP_NAME,
  PROP_GROUP_ID,
  PROP_DETACHED,
  PROP_METADATA,
  PROP_CANCELLABLE,
} OsiisoTaskOptionsProperty;

/* Locks, and takes the snapshot out, which is for end_change() to drop. */
OsiisoTaskParams *osiiso_task_options_begin_change  (OsiisoTaskOptions        *self);

/* Unlocks, and notifies of the property unless it is 0. */
void              osiiso_task_options_end_change    (OsiisoTaskOptions        *self,
                                                     OsiisoTaskParams         *stale,
                                                     OsiisoTaskOptionsProperty property);

/* What most setters do: nothing when the value is there already. */
void              osiiso_task_options_change_int    (OsiisoTaskOptions        *self,
                                                     int                      *field,
                                                     int                       value,
                                                     OsiisoTaskOptionsProperty property);
void              osiiso_task_options_change_double (OsiisoTaskOptions        *self,
                                                     double                   *field,
                                                     double                    value,
                                                     OsiisoTaskOptionsProperty property);
void              osiiso_task_options_change_string (OsiisoTaskOptions        *self,
                                                     char                    **field,
                                                     const char               *value,
                                                     OsiisoTaskOptionsProperty property);

G_END_DECLS
