/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* To be preloaded: what goes through sockets and pipes goes one byte at a time, and half
 * of the calls are interrupted; some of those that need not wait would have to.
 *
 *   SHORT_SEED  what the random numbers of each thread begin with (default: 1) */

#define SHORT_PUBLIC __attribute__ ((visibility ("default")))

static atomic_uint n_threads;
static _Thread_local uint64_t state __attribute__ ((tls_model ("initial-exec")));

static unsigned
next_random (unsigned n)
{
  if (state == 0)
    {
      const char *seed = getenv ("SHORT_SEED");

      state = (seed != NULL ? strtoull (seed, NULL, 10) : 1) * UINT64_C (0x9e3779b97f4a7c15) + atomic_fetch_add (&n_threads, 1);
      state |= state == 0;
    }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (unsigned) ((state * UINT64_C (0x2545f4914f6cdd1d)) >> 33) % n;
}

static int
is_stream (int fd)
{
  struct stat info;
  const int saved = errno;
  const int is = fstat (fd, &info) == 0 && (S_ISSOCK (info.st_mode) || S_ISFIFO (info.st_mode));

  errno = saved;
  return is;
}

/* How many bytes of that many; -1 with errno for none now. */
static ssize_t
cut (int    fd,
     size_t size,
     int    flags)
{
  if (size == 0 || !is_stream (fd))
    return (ssize_t) size;
  if (next_random (2) == 0)
    {
      errno = EINTR;
      return -1;
    }
  if (next_random (20) == 0 && ((flags & MSG_DONTWAIT) != 0 || (fcntl (fd, F_GETFL) & O_NONBLOCK) != 0))
    {
      errno = EAGAIN;
      return -1;
    }
  return 1;
}

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

#define SHORTENED(name, parameters, flags, arguments) \
  SHORT_PUBLIC ssize_t (name) parameters              \
  {                                                   \
    static _Atomic (void *) cache;                    \
    ssize_t (*next) parameters;                       \
    const ssize_t cut_size = cut (fd, size, flags);   \
                                                      \
    next = find_next (&cache, #name);                 \
    if (cut_size < 0)                                 \
      return -1;                                      \
    size = (size_t) cut_size;                         \
    return next arguments;                            \
  }

SHORTENED (read, (int fd, void *data, size_t size), 0, (fd, data, size))
SHORTENED (write, (int fd, const void *data, size_t size), 0, (fd, data, size))
SHORTENED (recv, (int fd, void *data, size_t size, int flags), flags, (fd, data, size, flags))
SHORTENED (send, (int fd, const void *data, size_t size, int flags), flags, (fd, data, size, flags))

/* Of several pieces the first that is not empty. */
#define SHORTENED_VECTOR(name, single)                                 \
  SHORT_PUBLIC ssize_t (name) (int fd, const struct iovec *v, int n)   \
  {                                                                    \
    static _Atomic (void *) cache;                                     \
    ssize_t (*next) (int, const struct iovec *, int);                  \
                                                                       \
    next = find_next (&cache, #name);                                  \
    if (!is_stream (fd))                                               \
      return next (fd, v, n);                                          \
    while (n > 1 && v->iov_len == 0)                                   \
      {                                                                \
        v++;                                                           \
        n--;                                                           \
      }                                                                \
    return n < 1 ? next (fd, v, n) : single (fd, v->iov_base, v->iov_len); \
  }

SHORTENED_VECTOR (readv, read)
SHORTENED_VECTOR (writev, write)
