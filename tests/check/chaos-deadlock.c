/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A program that is wrong: its two threads take two locks in two orders, though
 * only for a moment and not at the same time as a rule. It is for the test of
 * chaos.c, which has to bring the deadlock about.
 *
 * Each thread counts itself while it has its first lock and not yet its second.
 * Two such threads can never go on, which is seen here without waiting. */

#define EXIT_DEADLOCK 3
#define N_ROUNDS 200

static pthread_mutex_t locks[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
static atomic_int n_between;
static volatile unsigned shared;

static void *
run (void *data)
{
  const int first = *(const int *) data;

  for (int i = 0; i < N_ROUNDS; i++)
    {
      pthread_mutex_lock (&locks[first]);
      if (atomic_fetch_add (&n_between, 1) == 1)
        _exit (EXIT_DEADLOCK);
      pthread_mutex_lock (&locks[1 - first]);
      atomic_fetch_sub (&n_between, 1);
      shared++;
      pthread_mutex_unlock (&locks[1 - first]);
      pthread_mutex_unlock (&locks[first]);
    }
  return NULL;
}

int
main (void)
{
  static const int orders[2] = { 0, 1 };
  pthread_t thread;

  if (pthread_create (&thread, NULL, run, (void *) &orders[0]) != 0)
    return EXIT_FAILURE;
  run ((void *) &orders[1]);
  pthread_join (thread, NULL);
  return shared == 2 * N_ROUNDS ? EXIT_SUCCESS : EXIT_FAILURE;
}
