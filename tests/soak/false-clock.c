/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

/* To be preloaded: somebody sets the time of day all the time, to yesterday, tomorrow, and
 * back. A new time for each so many calls that ask for it: FALSE_CLOCK_CALLS (default: 2). */

#define FALSE_PUBLIC __attribute__ ((visibility ("default")))
#define DAY 86400

static atomic_uint n_calls;

static time_t
get_offset (void)
{
  const char *text = getenv ("FALSE_CLOCK_CALLS");
  const unsigned calls = text != NULL ? (unsigned) strtoul (text, NULL, 10) : 2;
  const unsigned n = atomic_fetch_add (&n_calls, 1);

  return ((time_t) (n / (calls > 0 ? calls : 1) % 3) - 1) * DAY;
}

FALSE_PUBLIC int
clock_gettime (clockid_t        clock,
               struct timespec *ts)
{
  static _Atomic (void *) cache;
  int (*next) (clockid_t, struct timespec *) = atomic_load (&cache);
  int result;

  if (next == NULL)
    {
      next = dlsym (RTLD_NEXT, "clock_gettime");
      atomic_store (&cache, (void *) next);
    }
  result = next (clock, ts);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    ts->tv_sec += get_offset ();
  return result;
}

FALSE_PUBLIC int
gettimeofday (struct timeval *restrict tv,
              void *restrict           zone)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  tv->tv_sec = ts.tv_sec;
  tv->tv_usec = ts.tv_nsec / 1000;
  return 0;
}

FALSE_PUBLIC time_t
time (time_t *location)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  if (location != NULL)
    *location = ts.tv_sec;
  return ts.tv_sec;
}
