/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
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

/* To be preloaded: it disturbs the order in which threads and processes come to
 * run, by giving up the processor or sleeping for a moment before and after what
 * they meet at. An order that a calm machine shows once a year is then common.
 *
 *   CHAOS_SEED  what the random numbers of each thread begin with (default: 1)
 *   CHAOS_PM    how many of 1000 such calls are disturbed (default: 20)
 *
 * It is for programs that are not made for it: it allocates nothing, keeps errno,
 * and takes no lock. */

#define CHAOS_PUBLIC __attribute__ ((visibility ("default")))
#define LONGEST_SLEEP_NS 300000

static atomic_uint n_threads;
/* Of the initial kind: a first access to it must not allocate. */
static _Thread_local uint64_t state __attribute__ ((tls_model ("initial-exec")));

static uint64_t
get_setting (const char *name,
             uint64_t    otherwise)
{
  const char *text = getenv (name);

  return text != NULL && *text != '\0' ? strtoull (text, NULL, 10) : otherwise;
}

static uint64_t
next_random (void)
{
  if (state == 0)
    state = (get_setting ("CHAOS_SEED", 1) * UINT64_C (0x9e3779b97f4a7c15)) ^
            ((uint64_t) atomic_fetch_add (&n_threads, 1) + 1) * UINT64_C (0xbf58476d1ce4e5b9);
  state |= state == 0;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * UINT64_C (0x2545f4914f6cdd1d);
}

static void
disturb (void)
{
  static _Atomic int64_t per_mille = -1;
  const int saved_errno = errno;
  uint64_t random = next_random () >> 16;

  if (atomic_load (&per_mille) < 0)
    atomic_store (&per_mille, (int64_t) MIN (get_setting ("CHAOS_PM", 20), 1000));
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

/* The next definition of what this one stands before. It is looked for at the
 * first call, which may be before any constructor of ours. */
static void *
find_next (_Atomic (void *) *cache,
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

/* The names in parentheses are not those of macros. */
#define DISTURBED(type, name, parameters, arguments) \
  CHAOS_PUBLIC type (name) parameters                \
  {                                                  \
    static _Atomic (void *) cache;                   \
    type (*next) parameters;                         \
    type result;                                     \
                                                     \
    next = find_next (&cache, #name);                \
    disturb ();                                      \
    result = next arguments;                         \
    disturb ();                                      \
    return result;                                   \
  }

#define DISTURBED_VOID(name, parameters, arguments) \
  CHAOS_PUBLIC void (name) parameters               \
  {                                                 \
    static _Atomic (void *) cache;                  \
    void (*next) parameters;                        \
                                                    \
    next = find_next (&cache, #name);               \
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
