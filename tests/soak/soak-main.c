/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"

/*
 * osiiso-soak TEST [KEY=VALUE...]
 */

static const SoakTest *const families[] = {
  soak_grid,
  soak_kill,
  soak_death,
  soak_stop,
  soak_limits,
  soak_echo,
  soak_races,
  soak_lifetime,
  soak_isolation,
  soak_long,
  soak_host,
  soak_time,
};

static gboolean
parse (SoakParams *params,
       const char *argument)
{
  const char *value = strchr (argument, '=');

  if (value == NULL)
    return FALSE;
  value++;
  if (g_str_has_prefix (argument, "seed="))
    params->seed = (guint32) g_ascii_strtoull (value, NULL, 10);
  else if (g_str_has_prefix (argument, "n="))
    params->n = g_ascii_strtoull (value, NULL, 10);
  else if (g_str_has_prefix (argument, "seconds="))
    params->seconds = g_ascii_strtod (value, NULL);
  else if (g_str_has_prefix (argument, "rate="))
    params->rate = g_ascii_strtod (value, NULL);
  else if (g_str_has_prefix (argument, "workers="))
    params->workers = (guint) g_ascii_strtoull (value, NULL, 10);
  else if (g_str_has_prefix (argument, "backend="))
    params->backend = value;
  else if (g_str_has_prefix (argument, "what="))
    params->what = value;
  else
    return FALSE;
  return TRUE;
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  SoakParams params = { .seed = 1, .n = 1000, .workers = 2, .program = program };

  for (int i = 2; i < argc; i++)
    if (!parse (&params, argv[i]))
      {
        g_printerr ("'%s' is no parameter\n", argv[i]);
        return 2;
      }
  for (guint f = 0; argc > 1 && f < G_N_ELEMENTS (families); f++)
    for (const SoakTest *test = families[f]; test->name != NULL; test++)
      if (strcmp (test->name, argv[1]) == 0)
        {
          test->run (&params);
          soak_report (NULL, 0);
          return 0;
        }
  for (guint f = 0; f < G_N_ELEMENTS (families); f++)
    for (const SoakTest *test = families[f]; test->name != NULL; test++)
      g_printerr ("%s\n", test->name);
  return 2;
}
