/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak-slots.h"

SoakSlots *
soak_slots_open (void)
{
  const char *path = g_getenv (SOAK_SLOTS_VARIABLE);
  const int fd = path != NULL ? open (path, O_RDWR | O_CLOEXEC) : -1;
  SoakSlots *self = MAP_FAILED;

  if (fd >= 0)
    {
      self = mmap (NULL, sizeof *self, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      close (fd);
    }
  return self != MAP_FAILED ? self : NULL;
}

SoakSlots *
soak_slots_new (void)
{
  g_autofree char *path = NULL;
  const int fd = g_file_open_tmp ("osiiso-soak-XXXXXX", &path, NULL);
  SoakSlots *self;

  if (fd < 0 || ftruncate (fd, sizeof *self) != 0)
    {
      perror ("a file of slots");
      exit (1);
    }
  close (fd);
  g_setenv (SOAK_SLOTS_VARIABLE, path, TRUE);
  self = soak_slots_open ();
  if (self == NULL)
    {
      perror (path);
      exit (1);
    }
  return self;
}

void
soak_slots_free (SoakSlots *self)
{
  g_unlink (g_getenv (SOAK_SLOTS_VARIABLE));
  g_unsetenv (SOAK_SLOTS_VARIABLE);
  munmap (self, sizeof *self);
}
