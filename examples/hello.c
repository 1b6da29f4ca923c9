/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <osiiso.h>

static void
square (OsiisoAttempt *attempt, /* one try at one task, in a thread of the pool */
        gpointer       user_data)
{
  guint index = osiiso_attempt_get_index (attempt);

  osiiso_attempt_return_int (attempt, index * index);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoQueue) queue = osiiso_queue_new ("thread-pool", &error);
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (OsiisoGroup) group = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  osiiso_task_options_set_retries (options, 2);
  osiiso_task_options_set_timeout (options, 5.0);

  if (queue != NULL)
    group = osiiso_queue_map (queue, 5, square, NULL, NULL, options, &error);
  if (group != NULL)
    summary = osiiso_queue_run (queue, NULL, &error);
  if (summary == NULL || !osiiso_run_summary_check (summary, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (OsiisoHandle) handle = osiiso_group_get_handle (group, i);

      g_print ("%" G_GINT64_FORMAT "\n", g_value_get_int64 (osiiso_handle_get_value (handle)));
    }
  return 0;
}
