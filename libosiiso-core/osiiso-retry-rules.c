/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "osiiso-retry-rules-private.h"

OsiisoRetryRules *
osiiso_retry_rules_ref (OsiisoRetryRules *self)
{
  osiiso_ref_count_inc (&self->ref_count);

  return self;
}

void
osiiso_retry_rules_unref (OsiisoRetryRules *self)
{
  if (osiiso_ref_count_dec (&self->ref_count))
    g_free (self);
}

OsiisoRetryRules *
osiiso_retry_rules_add (const OsiisoRetryRules *self,
                        GQuark                  domain,
                        int                     code,
                        gboolean                never)
{
  const guint n = self != NULL ? self->n_rules : 0;
  OsiisoRetryRules *more;

  for (guint i = 0; i < n; i++)
    {
      const OsiisoRetryRule *rule = &self->rules[i];

      if (rule->domain == domain && rule->code == code && rule->never == never)
        return NULL;
    }

  more = g_malloc0 (sizeof *more + (n + 1) * sizeof more->rules[0]);
  osiiso_ref_count_init (&more->ref_count);
  more->only = !never;
  if (self != NULL)
    {
      more->only |= self->only;
      memcpy (more->rules, self->rules, n * sizeof more->rules[0]);
    }
  more->rules[n] = (OsiisoRetryRule) { domain, code, never };
  more->n_rules = n + 1;

  return more;
}

gboolean
osiiso_retry_rules_allow (const OsiisoRetryRules *self,
                          const GError           *error)
{
  gboolean allowed = !self->only;

  for (guint i = 0; i < self->n_rules; i++)
    {
      const OsiisoRetryRule *rule = &self->rules[i];

      if (rule->domain != error->domain || (rule->code != -1 && rule->code != error->code))
        continue;
      if (rule->never)
        return FALSE;
      allowed = TRUE;
    }

  return allowed;
}
