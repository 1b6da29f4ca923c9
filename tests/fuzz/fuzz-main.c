/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gives the files of a folder to a fuzzer, one after another, and all their beginnings. */
#include "fuzz.h"

#define MOST_BEGINNINGS 2000

int
main (int    argc,
      char **argv)
{
  int n = 0;

  g_test_init (&argc, &argv, NULL);
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GDir) dir = g_dir_open (argv[i], 0, NULL);
      const char *name;

      g_assert_nonnull (dir);
      while ((name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *path = g_build_filename (argv[i], name, NULL);
          g_autofree char *text = NULL;
          gsize length;

          g_assert_true (g_file_get_contents (path, &text, &length, NULL));
          LLVMFuzzerTestOneInput ((const uint8_t *) text, length);
          for (gsize part = 0; part < MIN (length, MOST_BEGINNINGS); part++)
            {
              g_autofree guint8 *beginning = g_memdup2 (text, part);

              LLVMFuzzerTestOneInput (beginning, part);
            }
          n++;
        }
    }
  g_print ("1..1\n%s 1 - %d inputs\n", n > 0 ? "ok" : "not ok", n);
  return n > 0 ? 0 : 1;
}
