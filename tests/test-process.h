/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/resource.h>

#include "osiiso-process.h"

G_BEGIN_DECLS

#define SHELL(script) ((const char *[]) { "/bin/sh", "-c", script, NULL })

typedef struct
{
  OsiisoProcess *process;
  gboolean       over;
  int            status;
  struct rusage  usage;
  gboolean       free_it; /* from the callback */
} Child;

void    test_child_start             (Child                   *child,
                                      const OsiisoProcessSpec *spec);
/* The same with its standard output to a pipe that is returned. */
int     test_child_start_with_output (Child             *child,
                                      OsiisoProcessSpec *spec);
void    test_child_await             (Child *child);
void    test_assert_exit_status      (const Child *child,
                                      int          expected);
void    test_assert_signal           (const Child *child,
                                      int          expected);

/* All until nobody has the other end any more. */
char   *test_read_all                (int fd);
void    test_read_byte               (int fd);
char   *test_run_and_read            (OsiisoProcessSpec *spec);
GError *test_spawn_error             (const OsiisoProcessSpec *spec);
guint   test_count_fds               (void);

/* The test program itself, as a child that is told by its first argument what to do:
 * --list-fds, --be-parent, which starts a child that dies with it and never ends, and
 * --use-memory. */
char   *test_own_program             (void);
int     test_list_fds                (void);
int     test_be_parent               (void);
int     test_use_memory              (gsize n_mebi);

/* A case that is of interest without descriptors of processes, too. */
void    test_no_leak                 (void);

void    test_add_process_limits      (void);
void    test_add_process_spawn       (void);

G_END_DECLS
