/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/*
 * PROGRAM list
 * PROGRAM info
 * PROGRAM CONTESTANT [KEY=VALUE...]
 *
 * A program that answers the first and the last of these in the same way can be
 * a contestant too; see run-benchmarks.py.
 */

static void
list (void)
{
  for (guint i = 0; bench_families[i] != NULL; i++)
    for (const BenchContestant *c = bench_families[i]; c->name != NULL; c++)
      if (c->is_there == NULL || c->is_there ())
        printf ("%s\n", c->name);
}

static void
info (void)
{
#ifdef __OPTIMIZE__
  gboolean optimised = TRUE;
#else
  gboolean optimised = FALSE;
#endif
#if defined (__SANITIZE_ADDRESS__) || defined (__SANITIZE_THREAD__)
  gboolean sanitised = TRUE;
#else
  gboolean sanitised = FALSE;
#endif

  printf ("{\"glib\": \"%u.%u.%u\", \"compiler\": \"%s\", \"optimised\": %s, \"sanitised\": %s}\n",
          glib_major_version, glib_minor_version, glib_micro_version, __VERSION__,
          optimised ? "true" : "false", sanitised ? "true" : "false");
}

static void
pin (int cpu)
{
  cpu_set_t set;

  CPU_ZERO (&set);
  CPU_SET (cpu, &set);
  if (sched_setaffinity (0, sizeof set, &set) != 0)
    {
      perror ("sched_setaffinity");
      exit (1);
    }
}

static void
parse (BenchParams *params,
       const char  *argument)
{
  const char *equals = strchr (argument, '=');
  g_autofree char *key = equals != NULL ? g_strndup (argument, equals - argument) : g_strdup (argument);
  double value = equals != NULL ? g_ascii_strtod (equals + 1, NULL) : 1;

  if (g_str_equal (key, "n"))
    params->n = (guint64) value;
  else if (g_str_equal (key, "workers"))
    params->workers = (guint) value;
  else if (g_str_equal (key, "work"))
    params->work = value;
  else if (g_str_equal (key, "rate"))
    params->rate = value;
  else if (g_str_equal (key, "trials"))
    params->trials = (guint) value;
  else if (g_str_equal (key, "pending"))
    params->pending = (guint64) value;
  else if (g_str_equal (key, "repeat"))
    params->repeat = (guint) value;
  else if (g_str_equal (key, "slice"))
    params->slice = value;
  else if (g_str_equal (key, "window"))
    params->window = (guint) value;
  else if (g_str_equal (key, "retries"))
    params->retries = (guint) value;
  else if (g_str_equal (key, "ballast"))
    params->ballast = (guint64) value;
  else if (g_str_equal (key, "apart"))
    params->apart = value != 0;
  else if (g_str_equal (key, "cpu"))
    pin ((int) value);
  else
    {
      g_printerr ("unknown parameter '%s'\n", argument);
      exit (1);
    }
}

static const BenchContestant *
find (const char *name)
{
  for (guint i = 0; bench_families[i] != NULL; i++)
    for (const BenchContestant *c = bench_families[i]; c->name != NULL; c++)
      if (g_str_equal (c->name, name))
        return c;
  return NULL;
}

int
main (int    argc,
      char **argv)
{
  BenchParams params = { .n = 10000, .workers = 2, .rate = 500, .trials = 100, .repeat = 1, .slice = 0.001 };
  const BenchContestant *contestant;

  if (argc < 2)
    {
      g_printerr ("Usage: %s list|info|CONTESTANT [KEY=VALUE...]\n", argv[0]);
      return 1;
    }
  if (g_str_equal (argv[1], "list"))
    {
      list ();
      return 0;
    }
  if (g_str_equal (argv[1], "info"))
    {
      info ();
      return 0;
    }

  contestant = find (argv[1]);
  if (contestant == NULL)
    {
      g_printerr ("there is no contestant '%s'\n", argv[1]);
      return 1;
    }
  for (int i = 2; i < argc; i++)
    parse (&params, argv[i]);
  bench_set_work (&params);
  if (params.ballast > 0)
    memset (g_malloc (params.ballast), 1, params.ballast);
  contestant->run (&params);
  printf ("}\n");
  fflush (stdout);
  /* What is left of tasks and threads is not taken down one by one. */
  _exit (0);
}
