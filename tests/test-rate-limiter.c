/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The limiter has no public symbols; its source is compiled into this program. */

#include <math.h>

#include "osiiso-rate-limiter-private.h"

#define START (1000 * (gint64) G_USEC_PER_SEC)

static const double rates[] = {
  1e-6, 0.001, 0.3, 0.5, 1, 1 / 3.0, 3, 7, 9.99, 10, 30, 100, 12345.678, 1e6, 1.5e6, 3e8, 999999999, 1e9,
};

/* Whether @n more starts than a burst fit into @us microseconds. The sign of a
 * fused operation is exact, for factors that are. */
static gboolean
fit (double rate,
     gint64 us,
     guint  n)
{
  return fma (rate, (double) us, -1e6 * n) >= 0;
}

static gint64
start_next (OsiisoRateLimiter *limiter,
            gint64             now)
{
  gint64 when = osiiso_rate_limiter_peek (limiter, now);

  g_assert_cmpint (when, >=, now);
  g_assert_cmpint (osiiso_rate_limiter_peek (limiter, when), ==, when);
  if (when > now)
    g_assert_cmpint (osiiso_rate_limiter_peek (limiter, when - 1), ==, when);
  osiiso_rate_limiter_take (limiter, when);
  return when;
}

static void
test_model (void)
{
  static const gint64 expected[] = { 0, 0, 0, 100000, 200000, 300000 };
  OsiisoRateLimiter limiter;

  g_test_summary ("A burst of three at ten per second starts at 0, 0, 0, 0.1, 0.2, 0.3");

  osiiso_rate_limiter_init (&limiter, 10, 3);
  g_assert_true (osiiso_rate_limiter_is_on (&limiter));
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpint (start_next (&limiter, START) - START, ==, expected[i]);
}

static void
test_off (void)
{
  OsiisoRateLimiter limiter;

  g_test_summary ("Without a rate everything may start at once");

  osiiso_rate_limiter_init (&limiter, 0, 1);
  g_assert_false (osiiso_rate_limiter_is_on (&limiter));
  for (guint i = 0; i < 100; i++)
    g_assert_cmpint (start_next (&limiter, START), ==, START);
}

static void
test_idle (void)
{
  OsiisoRateLimiter limiter;

  g_test_summary ("A pause saves up one burst and no more");

  osiiso_rate_limiter_init (&limiter, 2, 2);
  g_assert_cmpint (start_next (&limiter, START), ==, START);
  g_assert_cmpint (start_next (&limiter, START + 60 * G_USEC_PER_SEC), ==, START + 60 * G_USEC_PER_SEC);
  g_assert_cmpint (start_next (&limiter, START + 60 * G_USEC_PER_SEC), ==, START + 60 * G_USEC_PER_SEC);
  g_assert_cmpint (start_next (&limiter, START + 60 * G_USEC_PER_SEC), ==, START + 60 * G_USEC_PER_SEC + 500000);
}

static void
test_no_drift (void)
{
  g_test_summary ("Under load each start comes at the very microsecond that the rate allows");

  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    {
      for (guint burst = 1; burst < 1000; burst = burst * 7 + 2)
        {
          OsiisoRateLimiter limiter;

          osiiso_rate_limiter_init (&limiter, rates[i], burst);
          for (guint k = 0; k < 20000; k++)
            {
              gint64 when = start_next (&limiter, START) - START;
              guint beyond = k < burst ? 0 : k - burst + 1;

              if (when >= (gint64) 1 << 53)
                break;
              g_assert_true (fit (rates[i], when, beyond));
              if (when > 0)
                g_assert_false (fit (rates[i], when - 1, beyond));
            }
        }
    }
}

static void
test_long_window (void)
{
  OsiisoRateLimiter limiter;
  gint64 now = START;

  g_test_summary ("Millions of starts per millisecond, and millions over ten days, are counted exactly");

  /* By calls at every millisecond: a million starts each. */
  osiiso_rate_limiter_init (&limiter, 1e9, 1000001);
  for (guint ms = 0; ms < 5; ms++)
    {
      guint n = 0;

      for (; osiiso_rate_limiter_peek (&limiter, now) == now; n++)
        osiiso_rate_limiter_take (&limiter, now);
      g_assert_cmpuint (n, ==, ms == 0 ? 1000001 : 1000000);
      now += 1000;
    }

  osiiso_rate_limiter_init (&limiter, 3, 1);
  for (guint i = 0; i <= 3 * 86400 * 10; i++)
    now = start_next (&limiter, START);
  g_assert_cmpint (now - START, ==, 86400 * 10 * (gint64) G_USEC_PER_SEC);
}

/* Never more than burst + rate * t starts in any window, over all windows; each
 * ends with the microsecond of its last start. */
static void
assert_windows (const gint64 *starts,
                guint         n,
                double        rate,
                guint         burst)
{
  for (guint i = 0; i < n; i++)
    for (guint j = i + burst; j < n; j++)
      g_assert_true (fit (rate, starts[j] - starts[i] + 1, j - i + 1 - burst));
}

static void
test_windows (void)
{
  gint64 starts[400];

  g_test_summary ("No window of a random trace has more than burst + rate * t starts");

  for (guint round = 0; round < 300; round++)
    {
      double rate = g_test_rand_bit () ? rates[g_test_rand_int_range (0, G_N_ELEMENTS (rates))]
                                       : pow (10, g_test_rand_double_range (-6, 9));
      guint burst = g_test_rand_bit () ? 1 : (guint) g_test_rand_int_range (1, 50);
      OsiisoRateLimiter limiter;
      gint64 now = START;

      osiiso_rate_limiter_init (&limiter, rate, burst);
      for (guint i = 0; i < G_N_ELEMENTS (starts); i++)
        {
          /* Bursts of requests, and gaps of up to ten intervals between them. */
          if (g_test_rand_int_range (0, 4) == 0)
            now += (gint64) (g_test_rand_double_range (0, 10) * 1e6 / rate);
          now = starts[i] = start_next (&limiter, now);
        }
      assert_windows (starts, G_N_ELEMENTS (starts), rate, burst);
    }
}

static guint
start_all (OsiisoRateLimiter *limiter,
           gint64             now)
{
  guint n = 0;

  for (; osiiso_rate_limiter_peek (limiter, now) == now && n < 1000; n++)
    osiiso_rate_limiter_take (limiter, now);
  return n;
}

static void
test_set (void)
{
  OsiisoRateLimiter limiter;
  gint64 now = START;

  g_test_summary ("What was started counts after a change, and nobody waits for the old interval");

  osiiso_rate_limiter_init (&limiter, 0.01, 3);
  g_assert_cmpuint (start_all (&limiter, now), ==, 3);

  /* The same again changes nothing. */
  osiiso_rate_limiter_set (&limiter, now, 0.01, 3);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, now), ==, now + 100 * G_USEC_PER_SEC);
  /* Half of the wait is over, at any rate. */
  now += 50 * G_USEC_PER_SEC;
  osiiso_rate_limiter_set (&limiter, now, 10, 3);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, now), ==, now + 50000);
  osiiso_rate_limiter_set (&limiter, now, 1, 3);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, now), ==, now + 500000);
  /* A longer burst: what it has more. */
  osiiso_rate_limiter_set (&limiter, now, 1, 5);
  g_assert_cmpuint (start_all (&limiter, now), ==, 2);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, now), ==, now + 500000);
  /* A shorter one: it is used up. */
  osiiso_rate_limiter_set (&limiter, now, 1, 1);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, now), ==, now + 1000000);
  /* No limit, and a new one. */
  osiiso_rate_limiter_set (&limiter, now, 0, 1);
  g_assert_cmpuint (start_all (&limiter, now), ==, 1000);
  osiiso_rate_limiter_set (&limiter, now, 5, 2);
  g_assert_cmpuint (start_all (&limiter, now), ==, 2);
}

static void
assert_change (double old_rate,
               guint  old_burst,
               double rate,
               guint  burst,
               guint  most)
{
  const double interval = 1e6 / rate;
  OsiisoRateLimiter limiter;
  guint before = 0;
  guint after;

  osiiso_rate_limiter_init (&limiter, old_rate, old_burst);
  for (; before < most && osiiso_rate_limiter_peek (&limiter, START) == START; before++)
    osiiso_rate_limiter_take (&limiter, START);
  osiiso_rate_limiter_set (&limiter, START, rate, burst);
  g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, START), <=, START + (gint64) ceil (interval * (1 + 1e-15)));
  /* Some start in the microsecond itself when they come faster than that. */
  if (rate < 1e6 && old_rate < 1e6)
    {
      /* What the clock does not show, and what is lost when starts are counted at
       * another rate: the last digit of the time that a burst takes. */
      const gint64 give = 1 + (gint64) ceil (interval * burst * 1e-15);

      after = start_all (&limiter, START);
      g_assert_cmpuint (before + after, <=, MAX (before, burst));
      after += start_all (&limiter, START + give);
      g_assert_cmpuint (before + after, >=, burst);
    }
}

static void
test_set_slow (void)
{
  g_test_summary ("At a rate whose burst takes a year nothing but the last digit is lost");

  assert_change (53707.568210868638, 17, 1.5582593202368272e-06, 7, 5);
}

static void
test_set_random (void)
{
  g_test_summary ("After any change: no more than one new burst, no longer than one new interval");

  for (guint round = 0; round < 20000; round++)
    {
      double old_rate = pow (10, g_test_rand_double_range (-6, 9));
      double rate = pow (10, g_test_rand_double_range (-6, 9));
      guint old_burst = (guint) g_test_rand_int_range (1, 20);
      guint burst = (guint) g_test_rand_int_range (1, 20);
      guint most = 0;

      while (most < 40 && g_test_rand_int_range (0, 30) != 0)
        most++;
      assert_change (old_rate, old_burst, rate, burst, most);
    }
}

static void
test_extremes (void)
{
  static const double extremes[] = { 5e-324, 1e-300, 1e-18, 1e15, 1e18, 1.7e308 };

  g_test_summary ("No rate and no burst overflows");

  for (guint i = 0; i < G_N_ELEMENTS (extremes); i++)
    {
      static const guint bursts[] = { 1, 2, 1000000, G_MAXUINT };

      for (guint j = 0; j < G_N_ELEMENTS (bursts); j++)
        {
          OsiisoRateLimiter limiter;
          gint64 when = START;

          osiiso_rate_limiter_init (&limiter, extremes[i], bursts[j]);
          for (guint k = 0; k < 10 && when < G_MAXINT64 / 4; k++)
            when = start_next (&limiter, when);
          if (bursts[j] == 1 && extremes[i] < 1)
            g_assert_cmpint (when, >, G_MAXINT64 / 5);
          else if (bursts[j] == 1)
            g_assert_cmpint (when, ==, START + 1);
          osiiso_rate_limiter_set (&limiter, START, extremes[G_N_ELEMENTS (extremes) - 1 - i], bursts[j]);
          g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, START), >=, START);
          osiiso_rate_limiter_set (&limiter, START, 1, 1);
          g_assert_cmpint (osiiso_rate_limiter_peek (&limiter, START), <=, START + G_USEC_PER_SEC);
        }
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/rate-limiter/model", test_model);
  g_test_add_func ("/rate-limiter/off", test_off);
  g_test_add_func ("/rate-limiter/idle", test_idle);
  g_test_add_func ("/rate-limiter/no-drift", test_no_drift);
  g_test_add_func ("/rate-limiter/long-window", test_long_window);
  g_test_add_func ("/rate-limiter/windows", test_windows);
  g_test_add_func ("/rate-limiter/set", test_set);
  g_test_add_func ("/rate-limiter/set-slow", test_set_slow);
  g_test_add_func ("/rate-limiter/set-random", test_set_random);
  g_test_add_func ("/rate-limiter/extremes", test_extremes);

  return g_test_run ();
}
