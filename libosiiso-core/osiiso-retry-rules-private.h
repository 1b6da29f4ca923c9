/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-ref-count-private.h"

G_BEGIN_DECLS

typedef struct
{
  GQuark   domain;
  int      code;  /* -1: any */
  gboolean never;
} OsiisoRetryRule;

/*
 * OsiisoRetryRules: after which errors a task is tried again; immutable, and
 * shared by options, their copies and what tasks keep of them. Reference counted
 * with atomics; any thread.
 */
typedef struct
{
  OsiisoRefCount  ref_count;
  guint           n_rules;
  gboolean        only;    /* there is a rule that is not never: the others fail */
  OsiisoRetryRule rules[];
} OsiisoRetryRules;

OsiisoRetryRules *osiiso_retry_rules_ref   (OsiisoRetryRules *self);
void              osiiso_retry_rules_unref (OsiisoRetryRules *self);

/* @self, which may be NULL for no rules, and one more; NULL when it is there
 * already. */
OsiisoRetryRules *osiiso_retry_rules_add   (const OsiisoRetryRules *self,
                                            GQuark                  domain,
                                            int                     code,
                                            gboolean                never);

gboolean          osiiso_retry_rules_allow (const OsiisoRetryRules *self,
                                            const GError           *error);

G_END_DECLS
