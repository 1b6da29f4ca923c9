/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker program for functions in C; see osiiso_worker_main(). */
#include <osiiso.h>

int
main (int    argc,
      char **argv)
{
  return osiiso_worker_main (argc, argv);
}
