/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For coverage.sh, which includes it in every file: what the library did in a process
 * that it ends with _exit() is counted, too.
 */
#pragma once

#ifdef OSIISO_COMPILATION

#include <unistd.h>

void __gcov_dump (void);

static inline void osiiso_coverage_exit (int status) __attribute__ ((noreturn, unused));

static inline void
osiiso_coverage_exit (int status)
{
  __gcov_dump ();
  _exit (status);
}

#define _exit osiiso_coverage_exit

#endif
