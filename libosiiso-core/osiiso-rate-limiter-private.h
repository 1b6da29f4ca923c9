/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A time, or a length of time: microseconds and parts of one. How many parts a
 * microsecond has depends on the rate. */
typedef struct
{
  gint64  us;
  guint64 part;
} OsiisoFineTime;

/*
 * OsiisoRateLimiter: so many starts per second, as a leaky bucket (GCRA). In any
 * window of t seconds there are no more than burst + rate * t of them, where the
 * window ends with the microsecond in which the last one began.
 *
 * Everything is one number, the time at which the bucket has run empty. It is
 * exact: a microsecond is divided into as many parts as make the interval
 * between two starts a whole number of them, and a start that had to wait for
 * the clock's next microsecond is booked for the time at which it was allowed.
 * So no rate drifts, however long it is kept up, not even one of many starts per
 * microsecond. Times are microseconds of the scheduler's clock, never negative.
 *
 * Not locked: the owner guards it. No memory but its own.
 */
typedef struct
{
  double         rate;     /* starts per second, 0: any number */
  guint64        parts;    /* of a microsecond, 0: no limit */
  OsiisoFineTime interval; /* from one start to the next */
  OsiisoFineTime slack;    /* by how much the bucket may be filled before a start */
  OsiisoFineTime empty_at;
} OsiisoRateLimiter;

/* @rate must be finite and >= 0, @burst >= 1. A burst whose slack is longer than
 * 70,000 years is cut down to that. */
void   osiiso_rate_limiter_init (OsiisoRateLimiter *self,
                                 double             rate,
                                 guint              burst);

/* Changes the rate and keeps what the bucket has in it, in numbers of starts,
 * up to one burst: the starts of before count, and the wait for the next one is
 * no longer than the new interval. Without a limit nothing is counted. */
void   osiiso_rate_limiter_set  (OsiisoRateLimiter *self,
                                 gint64             now,
                                 double             rate,
                                 guint              burst);

/* The first time from @now on at which one start is allowed. */
gint64 osiiso_rate_limiter_peek (const OsiisoRateLimiter *self,
                                 gint64                   now);

/* Books a start at @now, which must be allowed. */
void   osiiso_rate_limiter_take (OsiisoRateLimiter *self,
                                 gint64             now);

static inline gboolean
osiiso_rate_limiter_is_on (const OsiisoRateLimiter *self)
{
  return self->parts != 0;
}

G_END_DECLS
