/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>

#include "osiiso-rate-limiter-private.h"

/* Three of them can be added. */
#define FAR_AWAY ((gint64) 1 << 61)

/* Nothing can start faster than this, and its mantissa is a whole number. */
#define FASTEST 0x1p52

static OsiisoFineTime
add (OsiisoFineTime a,
     OsiisoFineTime b,
     guint64        parts)
{
  OsiisoFineTime sum = { a.us + b.us, a.part + b.part };

  if (sum.part >= parts)
    {
      sum.part -= parts;
      sum.us++;
    }
  return sum;
}

/* No more than FAR_AWAY. */
static OsiisoFineTime
multiply (OsiisoFineTime time,
          guint          factor,
          guint64        parts)
{
  OsiisoFineTime product = { 0, 0 };

  for (guint bit = 1u << 31; bit != 0; bit >>= 1)
    {
      product = add (product, product, parts);
      if (factor & bit)
        product = add (product, time, parts);
      if (product.us >= FAR_AWAY)
        return (OsiisoFineTime) { FAR_AWAY, 0 };
    }
  return product;
}

static double
to_double (OsiisoFineTime time,
           guint64        parts)
{
  return (double) time.us + (double) time.part / (double) parts;
}

/* A double is mantissa * 2^exponent. So the interval, a second divided by the
 * rate, is a second * 2^-exponent over the mantissa, which is the number of parts
 * then. */
static void
set_interval (OsiisoRateLimiter *self,
              double             rate)
{
  int exponent;
  guint64 mantissa = (guint64) ldexp (frexp (MIN (rate, FASTEST), &exponent), 53);

  exponent -= 53;
  while (mantissa % 2 == 0)
    {
      mantissa /= 2;
      exponent++;
    }
  for (; exponent > 0; exponent--)
    mantissa *= 2;

  self->parts = mantissa;
  self->interval.us = (gint64) (G_USEC_PER_SEC / mantissa);
  self->interval.part = G_USEC_PER_SEC % mantissa;
  for (; exponent < 0; exponent++)
    {
      self->interval = add (self->interval, self->interval, self->parts);
      if (self->interval.us >= FAR_AWAY)
        {
          self->interval = (OsiisoFineTime) { FAR_AWAY, 0 };
          break;
        }
    }
}

void
osiiso_rate_limiter_init (OsiisoRateLimiter *self,
                          double             rate,
                          guint              burst)
{
  g_assert (isfinite (rate) && rate >= 0);
  g_assert (burst >= 1);

  *self = (OsiisoRateLimiter) { .rate = rate };
  if (rate > 0)
    {
      set_interval (self, rate);
      self->slack = multiply (self->interval, burst - 1, self->parts);
    }
}

void
osiiso_rate_limiter_set (OsiisoRateLimiter *self,
                         gint64             now,
                         double             rate,
                         guint              burst)
{
  const OsiisoRateLimiter old = *self;
  OsiisoFineTime full_until;

  osiiso_rate_limiter_init (self, rate, burst);
  if (self->parts == 0 || old.parts == 0 || old.empty_at.us < now)
    return;

  full_until = add ((OsiisoFineTime) { now, 0 }, add (self->interval, self->slack, self->parts), self->parts);
  if (rate == old.rate)
    {
      self->empty_at = old.empty_at;
    }
  else
    {
      OsiisoFineTime left = { old.empty_at.us - now, old.empty_at.part };
      double us = to_double (left, old.parts) / to_double (old.interval, old.parts) *
                  to_double (self->interval, self->parts);

      self->empty_at = us < (double) FAR_AWAY ? (OsiisoFineTime) { now + (gint64) ceil (us), 0 } : full_until;
    }
  if (self->empty_at.us > full_until.us ||
      (self->empty_at.us == full_until.us && self->empty_at.part > full_until.part))
    self->empty_at = full_until;
}

gint64
osiiso_rate_limiter_peek (const OsiisoRateLimiter *self,
                          gint64                   now)
{
  gint64 when = self->empty_at.us - self->slack.us;

  /* Rounded up: no start comes too early. */
  if (self->empty_at.part > self->slack.part)
    when++;
  return MAX (when, now);
}

void
osiiso_rate_limiter_take (OsiisoRateLimiter *self,
                          gint64             now)
{
  if (self->parts == 0)
    return;

  /* Not when it became empty within the last microsecond: that is when this start
   * was allowed, or later. */
  if (self->empty_at.us < now - 1 || (self->empty_at.us == now - 1 && self->empty_at.part == 0))
    self->empty_at = (OsiisoFineTime) { now, 0 };
  self->empty_at = add (self->empty_at, self->interval, self->parts);
}
