/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "../test-interpose.h"

/* To be preloaded: somebody sets the time of day all the time, to yesterday, tomorrow, and
 * back. A new time for each so many calls that ask for it: FALSE_CLOCK_CALLS (default: 2). */

#define DAY 86400

static atomic_uint n_calls;

static time_t
get_offset (void)
{
  const unsigned calls = (unsigned) test_get_setting ("FALSE_CLOCK_CALLS", 2);
  const unsigned n = atomic_fetch_add (&n_calls, 1);

  return ((time_t) (n / (calls > 0 ? calls : 1) % 3) - 1) * DAY;
}

TEST_INTERPOSED int
clock_gettime (clockid_t        clock,
               struct timespec *ts)
{
  static _Atomic (void *) cache;
  int (*next) (clockid_t, struct timespec *) = test_find_next (&cache, "clock_gettime");
  const int result = next (clock, ts);

  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    ts->tv_sec += get_offset ();
  return result;
}

TEST_INTERPOSED int
gettimeofday (struct timeval *restrict tv,
              void *restrict           zone)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  tv->tv_sec = ts.tv_sec;
  tv->tv_usec = ts.tv_nsec / 1000;
  return 0;
}

TEST_INTERPOSED time_t
time (time_t *location)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  if (location != NULL)
    *location = ts.tv_sec;
  return ts.tv_sec;
}
