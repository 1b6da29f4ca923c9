/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index-totals.h"

void
index_totals_init (IndexTotals *self)
{
  *self = (IndexTotals) { 0 };
  self->big = g_ptr_array_new_with_free_func (g_object_unref);
}

void
index_totals_clear (IndexTotals *self)
{
  g_clear_pointer (&self->big, g_ptr_array_unref);
}

guint64
index_totals_get_failed (const IndexTotals *self)
{
  return self->files_failed + self->folders_failed + self->pictures.failed;
}
