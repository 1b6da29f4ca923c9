/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the pieces of C in the documentation take for granted. */
#include <stdlib.h>

#include <osiiso.h>

G_GNUC_UNUSED static void
work (OsiisoAttempt *attempt,
      gpointer       user_data)
{
}

G_GNUC_UNUSED static void
fetch (OsiisoAttempt *attempt,
       gpointer       user_data)
{
}

GType osiiso_thread_pool_backend_get_type (void);
const char *call (const char *function, const char *text);

#define SNIPPET_ARGUMENTS \
  OsiisoQueue *queue, OsiisoGroup *group, OsiisoHandle *handle, OsiisoTaskOptions *options, \
  OsiisoAttempt *attempt, OsiisoRunSummary *summary, OsiisoBackend *backend, \
  OsiisoWorkerChannel *channel, const OsiisoTaskResult *result, GCancellable *cancellable, GError *error, \
  gpointer data, char *url, const char *path, GVariant *args
