/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A file that workers and the test have in their memory: what each of them is in. Its
 * name is in this variable of the environment. */
#define SOAK_SLOTS_VARIABLE "OSIISO_SOAK_SLOTS"
#define SOAK_MAX_SLOTS 65536

/* Of one process, and never of another one. */
typedef struct
{
  gint    pid;     /* atomic; 0 until the rest is there */
  guint32 running; /* atomic: 1 + the number of the task that it is in, 0 for none */
} SoakSlot;

typedef struct
{
  guint    n; /* atomic */
  SoakSlot slots[SOAK_MAX_SLOTS];
} SoakSlots;

/* In the test: makes the file. */
SoakSlots *soak_slots_new  (void);
/* In the test: once there is no worker any more. */
void       soak_slots_free (SoakSlots *self);
/* For both: the file that there is; NULL without. */
SoakSlots *soak_slots_open (void);
