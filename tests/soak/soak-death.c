/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "soak.h"

/* F8: a worker dies at each step of the protocol. */

#define N_TASKS 3
/* What is told. */
#define SLOW_MS 1000

typedef enum
{
  STARTING, /* before it has greeted */
  GREETED,  /* before it has read a call; nobody knows whether that is its fault */
  IN_CALL,  /* in the first one */
  BETWEEN,  /* behind its answer; it may have read the next one */
} Phase;

static const struct
{
  const char *name;
  Phase       phase;
} steps[] = {
  { "before-hello", STARTING },
  { "mid-hello-header", STARTING },
  { "mid-hello-payload", STARTING },
  { "after-hello", GREETED },
  { "after-read", IN_CALL },
  { "before-reply", IN_CALL },
  { "mid-reply-header", IN_CALL },
  { "mid-reply-payload", IN_CALL },
  { "after-reply", BETWEEN },
};
static const char *const ways[] = { "exit", "segv", "kill" };
static const gsize sizes[] = { 0, 64 << 10, 4 << 20 };

typedef struct
{
  guint    step;
  guint    way;
  guint    size;
  gboolean once;      /* only the first worker dies */
  gboolean shut_down; /* while the calls are under way */
} Case;

static OsiisoQueue *
queue_new (const SoakParams *params,
           const Case       *c,
           const char       *path)
{
  g_autofree char *folder = g_path_get_dirname (params->program);
  g_autofree char *program = g_build_filename (folder, "osiiso-soak-worker", NULL);
  const char *argv[] = { program, steps[c->step].name, ways[c->way], c->once ? path : NULL, NULL };

  return soak_workers_new (1, "worker-argv", argv, NULL);
}

static GVariant *
payload_new (gsize size)
{
  guint8 *data = g_malloc (MAX (size, 1));

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + (i >> 8));
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

static void
check (const Case   *c,
       OsiisoHandle *handle,
       guint         index,
       GVariant     *payload,
       const char   *name)
{
  const OsiisoStatus status = osiiso_handle_get_status (handle);
  const guint attempts = osiiso_handle_get_attempts (handle);
  const Phase phase = steps[c->step].phase;
  const gboolean may_crash = !c->once && (phase != BETWEEN || index > 0);
  const gboolean may_succeed = c->once || phase == BETWEEN;
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);
  guint expected = 1;

  if (status == OSIISO_STATUS_FAILED)
    {
      soak_expect (may_crash && g_error_matches (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED),
                   "%s: task %u failed: %s", name, index, error->message);
      return;
    }
  if (!soak_expect (may_succeed && status == OSIISO_STATUS_SUCCEEDED, "%s: task %u has status %d", name, index, status))
    return;
  soak_expect (soak_is_same (g_value_get_variant (osiiso_handle_get_value (handle)), payload),
               "%s: task %u returned something else", name, index);
  if (phase == IN_CALL && index == 0)
    expected = 2;
  /* Nobody knows how much it had read. */
  if ((phase == GREETED && index == 0) || (phase == BETWEEN && index == 1))
    soak_expect (attempts <= 2, "%s: task %u had %u attempts", name, index, attempts);
  else
    soak_expect (attempts == expected, "%s: task %u had %u attempts", name, index, attempts);
}

static double
run_case (const SoakParams *params,
          const Case       *c,
          const char       *path)
{
  g_autofree char *name = g_strdup_printf ("%s %s %" G_GSIZE_FORMAT " bytes%s%s", steps[c->step].name, ways[c->way],
                                           sizes[c->size], c->once ? " once" : "", c->shut_down ? " shut down" : "");
  OsiisoQueue *queue = queue_new (params, c, path);
  g_autoptr (OsiisoTaskOptions) options = osiiso_task_options_new ();
  g_autoptr (GVariant) payload = g_variant_ref_sink (payload_new (sizes[c->size]));
  OsiisoHandle *handles[N_TASKS];
  const gint64 begun = g_get_monotonic_time ();
  double ms;

  osiiso_task_options_set_retries (options, c->once ? 1 : 0);
  osiiso_queue_start (queue, NULL);
  for (guint i = 0; i < N_TASKS; i++)
    {
      g_autoptr (GError) error = NULL;

      handles[i] = osiiso_queue_submit_call (queue, "echo", payload, options, &error);
      soak_need (error);
    }
  if (c->shut_down)
    soak_expect (osiiso_queue_shutdown (queue, FALSE, NULL, NULL), "%s: cannot be shut down", name);
  else
    soak_join (queue);
  ms = (double) (g_get_monotonic_time () - begun) / 1000;
  for (guint i = 0; i < N_TASKS; i++)
    {
      check (c, handles[i], i, payload, name);
      g_object_unref (handles[i]);
    }
  soak_queue_free (queue);
  g_unlink (path);
  if (ms > SLOW_MS)
    g_printerr ("%s: %.0f ms\n", name, ms);
  return ms;
}

/* No worker ever starts; one that greets and dies is the same if its end is seen with the
 * greeting. There are pauses until that is given up. */
static gboolean
never_starts (const Case *c)
{
  return steps[c->step].phase <= GREETED && !c->once;
}

/* Every n-th case; of those that never start all, or one. */
static void
death (const SoakParams *params)
{
  const gboolean all = g_strcmp0 (params->what, "all") == 0;
  g_autofree char *folder = g_dir_make_tmp ("osiiso-soak-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "dead", NULL);
  const guint n = G_N_ELEMENTS (steps) * G_N_ELEMENTS (ways) * G_N_ELEMENTS (sizes) * 4;
  g_autofree double *times = g_new (double, n);
  guint n_times = 0;
  guint n_given_up = 0;
  double given_up = 0;

  for (guint i = 0; i < n; i++)
    {
      const Case c = {
        .once = i % 2,
        .shut_down = i / 2 % 2,
        .size = i / 4 % G_N_ELEMENTS (sizes),
        .way = i / (4 * G_N_ELEMENTS (sizes)) % G_N_ELEMENTS (ways),
        .step = i / (4 * G_N_ELEMENTS (sizes) * G_N_ELEMENTS (ways)),
      };

      if (i % MAX (params->n, 1) != 0)
        continue;
      if (!never_starts (&c))
        times[n_times++] = run_case (params, &c, path);
      else if (all || n_given_up == 0)
        {
          given_up = MAX (given_up, run_case (params, &c, path));
          n_given_up++;
        }
    }
  g_rmdir (folder);
  soak_report ("cases", n_times);
  soak_report_quantiles ("case_ms", times, n_times);
  soak_report ("cases_that_never_start", n_given_up);
  soak_report ("given_up_ms_max", given_up);
  soak_expect (soak_has_no_child (), "there is a child left");
}

const SoakTest soak_death[] = {
  { "death", death },
  { NULL },
};
