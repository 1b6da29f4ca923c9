/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-utils.h"

G_BEGIN_DECLS

/* What the tests of the subprocess backend have in common: queues whose workers
 * run subprocess-worker.py, which does what its calls say. */

/* @how: its argument; see start() there. */
OsiisoQueue  *subprocess_queue_new   (const char *how,
                                      ...) G_GNUC_NULL_TERMINATED;
/* With osiiso-worker, which calls C functions. */
OsiisoQueue  *subprocess_c_queue_new (const char *first_property,
                                      ...) G_GNUC_NULL_TERMINATED;
void          subprocess_queue_free  (OsiisoQueue *queue);

/* @json: (nullable): the argument */
OsiisoHandle *subprocess_submit      (OsiisoQueue       *queue,
                                      const char        *function,
                                      const char        *json,
                                      OsiisoTaskOptions *options);
/* Submits, waits, and returns the value, which is JSON. */
char         *subprocess_call        (OsiisoQueue *queue,
                                      const char  *function,
                                      const char  *json);
int           subprocess_call_int    (OsiisoQueue *queue,
                                      const char  *function,
                                      const char  *json);
void          subprocess_join        (OsiisoQueue *queue);
/* It has failed with that, and its message has the text. */
void          subprocess_expect      (OsiisoHandle *handle,
                                      GQuark        domain,
                                      int           code,
                                      const char   *text);
#define subprocess_expect_crash(handle, text) \
  subprocess_expect (handle, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_CRASHED, text)

/* A pipe with a name, which a worker writes its process id into. */
typedef struct
{
  char *folder;
  char *path;
  char *json; /* the path as the argument of a call */
} TestPipe;

void          test_pipe_init         (TestPipe *self);
/* Waits until one has written, and returns what. */
int           test_pipe_read         (TestPipe *self);
void          test_pipe_clear        (TestPipe *self);

/* A descriptor of a process, and waiting for the end of that. */
int           test_pidfd_open        (int pid);
void          test_pidfd_await       (int pidfd);

guint         test_count_fds         (void);

G_END_DECLS
