/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <uv.h>

#include "bench-peer.h"

/* libuv: uv_queue_work() of the default loop, whose pool belongs to the process. */

typedef struct
{
  uv_work_t work;
  void    (*func) (void);
} Work;

static gpointer
create (const BenchParams *params)
{
  g_autofree char *number = g_strdup_printf ("%u", params->workers);

  /* Read when the first work is queued. */
  g_setenv ("UV_THREADPOOL_SIZE", number, TRUE);
  return uv_default_loop ();
}

static void
on_work (uv_work_t *work)
{
  ((Work *) work)->func ();
}

static void
on_after_work (uv_work_t *work,
               int        status)
{
  free (work);
}

static void
post (gpointer pool,
      void   (*func) (void),
      guint64  n)
{
  for (guint64 i = 0; i < n; i++)
    {
      Work *work = malloc (sizeof *work);

      work->func = func;
      uv_queue_work (pool, &work->work, on_work, on_after_work);
    }
}

static void
await (gpointer pool)
{
  uv_run (pool, UV_RUN_DEFAULT);
}

static const BenchPeer uv = { create, post, await, NULL };
BENCH_PEER_CONTESTANTS ("uv", uv)

const BenchContestant *const bench_families[] = { uv_contestants, NULL };
