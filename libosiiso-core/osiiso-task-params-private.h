/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-ref-count-private.h"
#include "osiiso-retry-rules-private.h"
#include "osiiso-types.h"

G_BEGIN_DECLS

/*
 * OsiisoTaskParams: what a submit keeps of the options, immutable and shared by
 * all tasks that were submitted with the same unchanged OsiisoTaskOptions.
 * Reference counted with atomics; any thread, so there is no object in it.
 *
 * Times are seconds as in the public API; 0 means none.
 */
typedef struct
{
  OsiisoRefCount ref_count;

  int       priority;
  guint     must_complete : 1;
  guint     detached : 1;
  guint     retries;
  double    timeout;
  double    deadline;
  double    retry_delay;
  double    backoff;
  double    max_retry_delay;
  double    jitter;
  double    delay;
  double    run_at;
  char     *name;      /* (nullable), a GRefString */
  char     *group_id;  /* (nullable), a GRefString */
  GVariant *metadata;  /* (nullable) */
  OsiisoRetryRules *retry_rules; /* (nullable) (owned) */
} OsiisoTaskParams;

OsiisoTaskParams *osiiso_task_params_ref      (OsiisoTaskParams *self);
void              osiiso_task_params_unref    (OsiisoTaskParams *self);

/* The params equal to these but for the group id; takes nothing. */
OsiisoTaskParams *osiiso_task_params_with_group (OsiisoTaskParams *self,
                                                 const char       *group_id);

/* The defaults with a name, and @self (nullable), which takes nothing, with the name
 * of @named, which has nothing else, unless it has one. */
OsiisoTaskParams *osiiso_task_params_new_named  (const char       *name);
OsiisoTaskParams *osiiso_task_params_with_name  (OsiisoTaskParams *self,
                                                 OsiisoTaskParams *named);

/* Whether there is nothing in them but what the word of a record holds. */
static inline gboolean
osiiso_task_params_is_plain (const OsiisoTaskParams *self)
{
  return self->retries == 0 && self->timeout <= 0 && self->deadline <= 0 && self->delay <= 0 &&
         self->run_at <= 0 && self->name == NULL && self->group_id == NULL && self->metadata == NULL;
}

/* Whether an attempt that failed with @error may be followed by another one, as
 * far as the error is concerned. */
gboolean          osiiso_task_params_may_retry (const OsiisoTaskParams *self,
                                                const GError           *error);

/*
 * A snapshot of @options: validated, else NULL with INVALID. NULL @options give
 * NULL without an error, which stands for the defaults, and so do options that
 * are equal to the defaults.
 */
gboolean          osiiso_task_options_snapshot (OsiisoTaskOptions *options,
                                                OsiisoTaskParams **params,
                                                GError           **error);

/* The same without a lock or a reference, for options whose params are known to be
 * plain and that have no cancellable; FALSE if they are not known to. */
gboolean          osiiso_task_options_get_plain (OsiisoTaskOptions *options,
                                                 OsiisoTaskParams  *params);

/* The cancellable of @options, of which the snapshot knows nothing: a new
 * reference, to be dropped in the owner's context. NULL @options have none. */
GCancellable     *osiiso_task_options_dup_cancellable (OsiisoTaskOptions *options);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OsiisoTaskParams, osiiso_task_params_unref)

G_END_DECLS
