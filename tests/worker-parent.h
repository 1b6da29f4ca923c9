/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-frame-private.h"

G_BEGIN_DECLS

/* The other end of a worker program, as simple as can be: everything blocks. */
typedef struct
{
  int               fd;
  GPid              pid;
  OsiisoFrameReader reader;
  OsiisoFrameBuffer buffer;
  gboolean          taken; /* the current frame has to be skipped */
} WorkerParent;

/* Starts it with the socket as descriptor 3 and reads its greeting, without an
 * answer. */
void     worker_parent_start   (WorkerParent       *self,
                                const char * const *argv);
void     worker_parent_greet   (WorkerParent       *self);
void     worker_parent_send    (WorkerParent       *self);
/* FALSE at the end of the stream. The frame is valid until the next call. */
gboolean worker_parent_receive (WorkerParent       *self,
                                OsiisoFrame        *frame);
/* Closes the socket and returns the wait status. */
int      worker_parent_stop    (WorkerParent       *self);

G_END_DECLS
