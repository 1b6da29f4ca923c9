/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../test-interpose.h"

/* To be preloaded: it disturbs the order in which threads and processes come to
 * run, by giving up the processor or sleeping for a moment before and after what
 * they meet at. An order that a calm machine shows once a year is then common.
 *
 *   CHAOS_SEED  what the random numbers of each thread begin with (default: 1)
 *   CHAOS_PM    how many of 1000 such calls are disturbed (default: 20)
 *
 * It is for programs that are not made for it: it allocates nothing, keeps errno,
 * and takes no lock. */

#define LONGEST_SLEEP_NS 300000

static void
disturb (void)
{
  static _Atomic int64_t per_mille = -1;
  const int saved_errno = errno;
  uint64_t random = test_random ("CHAOS_SEED") >> 16;

  if (atomic_load (&per_mille) < 0)
    atomic_store (&per_mille, (int64_t) MIN (test_get_setting ("CHAOS_PM", 20), 1000));
  if ((int64_t) (random % 1000) < atomic_load (&per_mille))
    {
      random >>= 10;
      if (random % 2 == 0)
        sched_yield ();
      else
        nanosleep (&(struct timespec) { 0, (long) ((random >> 1) % LONGEST_SLEEP_NS) }, NULL);
    }
  errno = saved_errno;
}

/* The names in parentheses are not those of macros. */
#define DISTURBED(type, name, parameters, arguments) \
  TEST_INTERPOSED type (name) parameters             \
  {                                                  \
    static _Atomic (void *) cache;                   \
    type (*next) parameters;                         \
    type result;                                     \
                                                     \
    next = test_find_next (&cache, #name);           \
    disturb ();                                      \
    result = next arguments;                         \
    disturb ();                                      \
    return result;                                   \
  }

#define DISTURBED_VOID(name, parameters, arguments) \
  TEST_INTERPOSED void (name) parameters            \
  {                                                 \
    static _Atomic (void *) cache;                  \
    void (*next) parameters;                        \
                                                    \
    next = test_find_next (&cache, #name);          \
    disturb ();                                     \
    next arguments;                                 \
    disturb ();                                     \
  }

DISTURBED (int, pthread_mutex_lock, (pthread_mutex_t *mutex), (mutex))
DISTURBED (int, pthread_mutex_trylock, (pthread_mutex_t *mutex), (mutex))
DISTURBED (int, pthread_mutex_unlock, (pthread_mutex_t *mutex), (mutex))
DISTURBED (int, pthread_cond_signal, (pthread_cond_t *cond), (cond))
DISTURBED (int, pthread_cond_broadcast, (pthread_cond_t *cond), (cond))
DISTURBED (int, pthread_cond_wait, (pthread_cond_t *cond, pthread_mutex_t *mutex), (cond, mutex))
DISTURBED (int, pthread_cond_timedwait,
           (pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until),
           (cond, mutex, until))

DISTURBED_VOID (g_mutex_lock, (GMutex *mutex), (mutex))
DISTURBED_VOID (g_mutex_unlock, (GMutex *mutex), (mutex))
DISTURBED (gboolean, g_mutex_trylock, (GMutex *mutex), (mutex))
DISTURBED_VOID (g_cond_signal, (GCond *cond), (cond))
DISTURBED_VOID (g_cond_broadcast, (GCond *cond), (cond))
DISTURBED_VOID (g_cond_wait, (GCond *cond, GMutex *mutex), (cond, mutex))
DISTURBED (gboolean, g_cond_wait_until, (GCond *cond, GMutex *mutex, gint64 until), (cond, mutex, until))

DISTURBED (ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
DISTURBED (ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
DISTURBED (ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
DISTURBED (ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
DISTURBED (ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
DISTURBED (ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
