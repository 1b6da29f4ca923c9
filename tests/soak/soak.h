/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

G_BEGIN_DECLS

/*
 * One process is one test: it does what its parameters say, prints one JSON object of
 * figures, and ends with 0. What must never be, whatever the machine does, is checked
 * here and counted as "broken"; bars for the figures are in cases.py.
 */

typedef struct
{
  guint32     seed;
  guint64     n;       /* tasks, rounds or trials */
  double      seconds; /* 0: until n is reached */
  double      rate;    /* tasks per second, at most; 0: no limit */
  guint       workers;
  const char *backend; /* (nullable) */
  const char *what;    /* (nullable): which of several */
  const char *program; /* this one */
} SoakParams;

typedef struct
{
  const char *name;
  void (*run) (const SoakParams *params);
} SoakTest;

/* A test in each file, or several. Ended by an entry without a name. */
extern const SoakTest soak_grid[];
extern const SoakTest soak_kill[];
extern const SoakTest soak_death[];
extern const SoakTest soak_stop[];
extern const SoakTest soak_limits[];
extern const SoakTest soak_echo[];
extern const SoakTest soak_races[];
extern const SoakTest soak_lifetime[];
extern const SoakTest soak_isolation[];
extern const SoakTest soak_long[];
extern const SoakTest soak_host[];
extern const SoakTest soak_time[];

/* A figure for the JSON. */
void         soak_report           (const char *name,
                                    double      value);
/* Sorts the values and reports NAME_p50, NAME_p99 and NAME_max. */
void         soak_report_quantiles (const char *name,
                                    double     *values,
                                    guint       n);
double       soak_quantile         (double     *values,
                                    guint       n,
                                    double      quantile);
/* Counts what is broken, and says it. In any thread. */
gboolean     soak_expect           (gboolean    holds,
                                    const char *format,
                                    ...) G_GNUC_PRINTF (2, 3);
/* For what the test itself needs: ends it. */
void         soak_need             (const GError *error);

OsiisoQueue *soak_queue_new        (const char *backend,
                                    guint       workers);
/* With osiiso-worker, and that property. */
OsiisoQueue *soak_workers_new      (guint       workers,
                                    const char *first_property,
                                    ...) G_GNUC_NULL_TERMINATED;
/* Also looks whether it is gone then. */
void         soak_queue_free       (OsiisoQueue *queue);
void         soak_join             (OsiisoQueue *queue);

/* The bytes of two variants: g_variant_equal() prints large ones that are of unknown origin. */
gboolean     soak_is_same          (GVariant *a,
                                    GVariant *b);

/* Work that is measured by the clock. */
void         soak_spin             (guint us);

/* Of this process. */
guint        soak_count_fds        (void);
guint        soak_count_threads    (void);
guint64      soak_rss              (void);
/* The kernel counts pages for each processor apart, and is wrong by hundreds of KiB as it
 * adds them up. This counts them anew, which takes a millisecond. */
guint64      soak_exact_rss        (void);
/* Processes that have not been reaped. */
guint        soak_count_children   (void);
/* The state of a child of this process, as ps shows it; 0 for whatever else has that number. */
char         soak_get_child_state  (int pid);
/* There is no child, neither running nor a zombie. */
gboolean     soak_has_no_child     (void);
/* Waits until there are only that many threads: one that has ended is listed for a moment. */
void         soak_await_threads    (guint n);

/* Functions that workers call. */
#define SOAK_MODULE "osiiso-soak-functions:"

G_END_DECLS
