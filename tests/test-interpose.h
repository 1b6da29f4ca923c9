/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* For what puts functions of its own before those of a library, by being preloaded or by
 * being in the program: it allocates nothing and takes no lock. */

#define TEST_INTERPOSED __attribute__ ((visibility ("default")))

/* The next definition of what another stands before. It is looked for at the first
 * call, which may be before any constructor. */
static inline void *
test_find_next (_Atomic (void *) *cache,
                const char       *name)
{
  void *found = atomic_load (cache);

  if (found == NULL)
    {
      found = dlsym (RTLD_NEXT, name);
      if (found == NULL)
        abort ();
      atomic_store (cache, found);
    }
  return found;
}

static inline uint64_t
test_get_setting (const char *variable,
                  uint64_t    otherwise)
{
  const char *text = getenv (variable);

  return text != NULL && *text != '\0' ? strtoull (text, NULL, 10) : otherwise;
}

/* Random numbers of a thread, which begin with an environment variable and with how many
 * threads there have been: xorshift64*, of which the upper bits are the good ones. */
static inline uint64_t
test_random (const char *seed_variable)
{
  static atomic_uint n_threads;
  /* Of the initial kind: a first access to it must not allocate. */
  static _Thread_local uint64_t state __attribute__ ((tls_model ("initial-exec")));

  if (state == 0)
    state = (test_get_setting (seed_variable, 1) * UINT64_C (0x9e3779b97f4a7c15)) ^
            ((uint64_t) atomic_fetch_add (&n_threads, 1) + 1) * UINT64_C (0xbf58476d1ce4e5b9);
  state |= state == 0;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * UINT64_C (0x2545f4914f6cdd1d);
}
