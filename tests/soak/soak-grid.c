/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "soak-mix.h"

/* F6: one cell of the grid, which is run with chaos.so before it. Also the mix alone. */

#define ROUNDS 2

static void
grid (const SoakParams *params)
{
  SoakMix *mix = soak_mix_new (params->backend, params->workers, (guint) params->n, params->seed);

  for (guint i = 0; i < ROUNDS; i++)
    {
      soak_mix_begin (mix);
      soak_mix_end (mix);
    }
  soak_report ("tasks", (double) params->n * ROUNDS);
  soak_report ("cancelled", (double) soak_mix_get_n_cancelled (mix));
  soak_report ("crashes", (double) soak_mix_get_n_crashes (mix));
  soak_mix_free (mix);
  soak_expect (soak_has_no_child (), "there is a child left");
}

const SoakTest soak_grid[] = {
  { "grid", grid },
  { NULL },
};
