/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdatomic.h>

#include "osiiso-error.h"

/* Not G_DEFINE_QUARK: that keeps the number in a variable which threads read and
 * write without saying so. */
GQuark
osiiso_queue_error_quark (void)
{
  static _Atomic GQuark quark;
  GQuark number = atomic_load_explicit (&quark, memory_order_relaxed);

  if (number == 0)
    {
      number = g_quark_from_static_string ("osiiso-queue-error-quark");
      atomic_store_explicit (&quark, number, memory_order_relaxed);
    }
  return number;
}
