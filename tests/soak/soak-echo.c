/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "soak.h"

/* F14, with short-io.so before it: what comes back is what was sent. */

#define BATCH    1000
#define MAX_SIZE 48

static GVariant *
payload_new (GRand *rand)
{
  guint8 data[MAX_SIZE];
  const guint size = (guint) g_rand_int_range (rand, 0, MAX_SIZE + 1);

  for (guint i = 0; i < size; i++)
    data[i] = (guint8) g_rand_int_range (rand, 0, 256);
  return g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1));
}

static guint
run_batch (OsiisoQueue *queue,
           GRand       *rand,
           guint        n)
{
  GVariant *payloads[BATCH];
  OsiisoHandle *handles[BATCH];
  guint n_same = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;

      payloads[i] = payload_new (rand);
      handles[i] = osiiso_queue_submit_call (queue, SOAK_MODULE "call_echo", payloads[i], NULL, &error);
      soak_need (error);
    }
  soak_join (queue);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = osiiso_handle_dup_error (handles[i]);

      if (soak_expect (osiiso_handle_get_status (handles[i]) == OSIISO_STATUS_SUCCEEDED &&
                       osiiso_handle_get_attempts (handles[i]) == 1, "a task failed: %s", error != NULL ? error->message : ""))
        n_same += soak_is_same (g_value_get_variant (osiiso_handle_get_value (handles[i])), payloads[i]);
      g_object_unref (handles[i]);
      g_variant_unref (payloads[i]);
    }
  return n_same;
}

static void
echo (const SoakParams *params)
{
  OsiisoQueue *queue = soak_workers_new (params->workers, NULL, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (params->seed);
  guint64 n_same = 0;

  osiiso_queue_set_keep_results (queue, FALSE);
  for (guint64 n = 0; n < params->n; n += BATCH)
    n_same += run_batch (queue, rand, (guint) MIN (BATCH, params->n - n));
  soak_report ("tasks", (double) params->n);
  soak_report ("not_the_same", (double) (params->n - n_same));
  soak_queue_free (queue);
  soak_expect (soak_has_no_child (), "there is a child left");
}

const SoakTest soak_echo[] = {
  { "echo", echo },
  { NULL },
};
