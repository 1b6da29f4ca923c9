/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state-set.h"

typedef struct
{
  guint64 state;
  guint   cost;
  guint   run; /* from 1 on; 0: free */
} Slot;

/* Open addressing: there are millions of states, and nothing is ever removed. */
struct _StateSet
{
  Slot *slots;
  gsize n_slots; /* a power of 2 */
  gsize n_used;
};

StateSet *
state_set_new (void)
{
  StateSet *self = g_new0 (StateSet, 1);

  self->n_slots = 1 << 12;
  self->slots = g_new0 (Slot, self->n_slots);
  return self;
}

void
state_set_free (StateSet *self)
{
  g_free (self->slots);
  g_free (self);
}

/* The slot that has the state, or the free one for it. */
static Slot *
find (StateSet *self,
      guint64   state)
{
  gsize i = (gsize) state & (self->n_slots - 1);

  while (self->slots[i].run != 0 && self->slots[i].state != state)
    i = (i + 1) & (self->n_slots - 1);
  return &self->slots[i];
}

static void
grow (StateSet *self)
{
  g_autofree Slot *old = self->slots;
  gsize n_old = self->n_slots;

  self->n_slots *= 2;
  self->slots = g_new0 (Slot, self->n_slots);
  for (gsize i = 0; i < n_old; i++)
    if (old[i].run != 0)
      *find (self, old[i].state) = old[i];
}

guint
state_set_add (StateSet *self,
               guint64   state,
               guint     cost,
               guint     run)
{
  Slot *slot = find (self, state);
  const gboolean is_new = slot->run == 0;

  if (!is_new && (slot->cost <= cost || slot->run == run))
    return slot->run;
  *slot = (Slot) { .state = state, .cost = cost, .run = run };
  if (is_new && ++self->n_used > self->n_slots / 4 * 3)
    grow (self);
  return 0;
}
