/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../test-interpose.h"

/* To be preloaded: what goes through sockets and pipes goes one byte at a time, and half
 * of the calls are interrupted; some of those that need not wait would have to.
 *
 *   SHORT_SEED  what the random numbers of each thread begin with (default: 1) */

static unsigned
next_random (unsigned n)
{
  return (unsigned) (test_random ("SHORT_SEED") >> 33) % n;
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

#define SHORTENED(name, parameters, flags, arguments) \
  TEST_INTERPOSED ssize_t (name) parameters           \
  {                                                   \
    static _Atomic (void *) cache;                    \
    ssize_t (*next) parameters;                       \
    const ssize_t cut_size = cut (fd, size, flags);   \
                                                      \
    next = test_find_next (&cache, #name);            \
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
#define SHORTENED_VECTOR(name, single)                                     \
  TEST_INTERPOSED ssize_t (name) (int fd, const struct iovec *v, int n)    \
  {                                                                        \
    static _Atomic (void *) cache;                                         \
    ssize_t (*next) (int, const struct iovec *, int);                      \
                                                                           \
    next = test_find_next (&cache, #name);                                 \
    if (!is_stream (fd))                                                   \
      return next (fd, v, n);                                              \
    while (n > 1 && v->iov_len == 0)                                       \
      {                                                                    \
        v++;                                                               \
        n--;                                                               \
      }                                                                    \
    return n < 1 ? next (fd, v, n) : single (fd, v->iov_base, v->iov_len); \
  }

SHORTENED_VECTOR (readv, read)
SHORTENED_VECTOR (writev, write)
