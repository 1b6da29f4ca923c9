/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <stddef.h>

#include "../test-interpose.h"

/* To be preloaded: lets large allocations fail.
 *
 *   FAIL_AT    which one, from 1 on; 0 counts only
 *   FAIL_MORE  whether those after it fail as well
 *   FAIL_SIZE  how many bytes are large (default: 4096) */

extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t n, size_t size);
extern void *__libc_realloc (void *memory, size_t size);

TEST_INTERPOSED unsigned fail_allocations_get_n (void);

static atomic_uint n_large;

unsigned
fail_allocations_get_n (void)
{
  return atomic_load (&n_large);
}

static int
fails (size_t size)
{
  uint64_t at;
  unsigned n;

  if (size < test_get_setting ("FAIL_SIZE", 4096))
    return 0;
  n = atomic_fetch_add (&n_large, 1) + 1;
  at = test_get_setting ("FAIL_AT", 0);
  if (at == 0 || n < at || (n > at && test_get_setting ("FAIL_MORE", 0) == 0))
    return 0;
  errno = ENOMEM;
  return 1;
}

TEST_INTERPOSED void *
malloc (size_t size)
{
  return fails (size) ? NULL : __libc_malloc (size);
}

TEST_INTERPOSED void *
calloc (size_t n,
        size_t size)
{
  return size > 0 && n <= SIZE_MAX / size && fails (n * size) ? NULL : __libc_calloc (n, size);
}

TEST_INTERPOSED void *
realloc (void  *memory,
         size_t size)
{
  return fails (size) ? NULL : __libc_realloc (memory, size);
}
