/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak-mix.h"

/* F21: an application that forks, has closed its standard descriptors, may have few of
 * them, and handles SIGCHLD itself, while there is load. */

#define FEW_FDS 64

static atomic_int over;
static atomic_uint n_children;
static atomic_uint n_wrong;

static void
on_child (int number)
{
}

/* Its own children end as they should, and with what they returned. */
static void
run_child (guint i)
{
  static const char *const argv[] = { "/bin/sh", "-c", "exit 7", NULL };
  const gboolean forks = i % 2;
  pid_t pid = -1;
  int status = 0;

  if (forks)
    {
      pid = fork ();
      if (pid == 0)
        {
          execv (argv[0], (char **) argv);
          _exit (1);
        }
    }
  else if (posix_spawn (&pid, argv[0], NULL, NULL, (char **) argv, environ) != 0)
    {
      pid = -1;
    }
  if (pid < 0)
    return;
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  atomic_fetch_add (&n_children, 1);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 7)
    atomic_fetch_add (&n_wrong, 1);
}

static gpointer
run_children (gpointer unused)
{
  for (guint i = 0; !atomic_load (&over); i++)
    run_child (i);
  return NULL;
}

static void
host (const SoakParams *params)
{
  static const char *const backends[] = { "main-loop", "thread-pool", "subprocess" };
  const struct rlimit few = { FEW_FDS, FEW_FDS };
  struct sigaction action = { .sa_handler = on_child };
  struct sigaction now;
  GThread *thread;
  SoakMix *mixes[G_N_ELEMENTS (backends)];
  guint64 n = 0;
  /* What is printed at last goes here. */
  const int out = dup (STDOUT_FILENO);
  const int err = dup (STDERR_FILENO);

  soak_expect (setrlimit (RLIMIT_NOFILE, &few) == 0, "cannot set a limit");
  sigaction (SIGCHLD, &action, NULL);
  for (int fd = 0; fd < 3; fd++)
    close (fd);
  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    mixes[b] = soak_mix_new (backends[b], params->workers, 60, params->seed + b);
  thread = g_thread_new ("children", run_children, NULL);
  for (guint i = 0; i < params->n; i++)
    {
      for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
        soak_mix_begin (mixes[b]);
      for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
        soak_mix_end (mixes[b]);
      n += 60 * G_N_ELEMENTS (backends);
    }
  atomic_store (&over, TRUE);
  g_thread_join (thread);
  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    soak_mix_free (mixes[b]);
  dup2 (out, STDOUT_FILENO);
  dup2 (err, STDERR_FILENO);
  sigaction (SIGCHLD, NULL, &now);
  soak_expect (now.sa_handler == on_child, "somebody has changed the handler of SIGCHLD");
  soak_expect (soak_has_no_child (), "there is a child left");
  soak_report ("tasks", (double) n);
  soak_report ("children", atomic_load (&n_children));
  soak_report ("wrong_status", atomic_load (&n_wrong));
}

const SoakTest soak_host[] = {
  { "host", host },
  { NULL },
};
