/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* osiiso call: a function for each input. */
#include "osiiso-jobs.h"
#include "osiiso-template.h"

int
tool_call (int    argc,
           char **argv)
{
  return tool_usage_error (argv[0], "not yet");
}
